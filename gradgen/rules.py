"""The derivative texts of the op rows, compiled once into small graphs and spliced in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from gradgen.graph import Graph, GraphBuilder
from gradgen.ops import OPS
from gradgen.read import program_reader, read_rule
from gradgen.read.definitions import adjoints, define

__all__ = ["adjoints", "compiled", "define", "mentions", "program_reader", "splice"]

VARIABLES = ("out", "g", "x", "y", "z")


@cache
def compiled(text: str) -> Graph:
    """The graph of a derivative text over `VARIABLES`."""
    return read_rule(text, VARIABLES)


@cache
def mentions(text: str) -> frozenset[str]:
    """The variables that a derivative text reads."""
    rule = compiled(text)
    read = {a for args in rule.args for a in args} | {rule.results}
    return frozenset(
        rule.attrs[n][0] for n in range(len(rule)) if rule.ops[n] == "param" and n in read
    )


class Plan(NamedTuple):
    """What a derivative text takes: the places of what it reads among `VARIABLES`, and its steps.

    A step is an operation, its arguments among what is read and the steps before, and its
    attribute; for a constant of a library, what stands for the arguments is its value.
    """

    reads: tuple[int, ...]
    steps: tuple[tuple[str, Any, Any], ...]


@cache
def _plan(text: str, flavour: str | None) -> Plan:
    """The plan of a derivative text.

    A rule of a `math` function calls `math` functions, so that numbers stay Python's.
    """
    rule, read = compiled(text), mentions(text)
    reads = [VARIABLES.index(attr[0]) for op, attr in zip(rule.ops, rule.attrs, strict=True)
             if op == "param" and attr[0] in read]  # fmt: skip
    mapping: list[int] = []
    steps: list[tuple[str, Any, Any]] = []
    params = 0
    for op, args, attr, value in zip(rule.ops, rule.args, rule.attrs, rule.values, strict=True):
        if op == "param":
            mapping.append(params)
            params += attr[0] in read
            continue
        mapping.append(len(reads) + len(steps))
        if op in ("const", "constant"):
            steps.append((op, value, attr))
            continue
        if flavour == "math" and OPS[op].math and op != "power":
            attr = "math"
        steps.append((op, tuple([mapping[a] for a in args]), attr))
    assert mapping[rule.results] == len(reads) + len(steps) - 1, "the result comes last"
    return Plan(tuple(reads), tuple(steps))


def splice(b: GraphBuilder, text: str, operands: Sequence[int], flavour: str | None) -> int:
    """The node of a derivative text on operands, of which there are those that it mentions.

    The operands are in the order of `VARIABLES`.
    """
    reads, steps = _plan(text, "math" if flavour == "math" else None)
    made = [operands[at] for at in reads]
    add = b.add
    for op, args, attr in steps:
        if op == "const":
            made.append(b.const(attr))
        elif op == "constant":
            made.append(b.constant(attr, args))
        elif len(args) == 2:
            made.append(add(op, made[args[0]], made[args[1]], attr=attr))
        else:
            made.append(add(op, *[made[a] for a in args], attr=attr))
    return made[-1]
