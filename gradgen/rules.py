"""The derivative texts of the op rows, compiled once into small graphs and spliced in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from gradgen.graph import Graph, GraphBuilder
from gradgen.ops import OPS
from gradgen.read import program_reader, read_rule
from gradgen.read.definitions import adjoints, define

__all__ = ["adjoints", "compiled", "define", "mentions", "program_reader", "splice"]

VARIABLES = ("g", "x", "y", "z", "out")


@cache
def compiled(text: str) -> Graph:
    """The graph of a derivative text over `g, x, y, z, out`."""
    return read_rule(text, VARIABLES)


@cache
def mentions(text: str) -> frozenset[str]:
    """The variables that a derivative text reads."""
    rule = compiled(text)
    read = {a for args in rule.args for a in args} | {rule.results}
    return frozenset(
        rule.attrs[n][0] for n in range(len(rule)) if rule.ops[n] == "param" and n in read
    )


@cache
def _steps(text: str, flavour: str | None) -> list[tuple[str, tuple[int, ...], Any, Any]]:
    """What a derivative text takes: op, arguments among the steps before, attribute, value.

    A rule of a `math` function calls `math` functions, so that numbers stay Python's.
    """
    rule, read = compiled(text), mentions(text)
    mapping: list[int] = []
    steps: list[tuple[str, tuple[int, ...], Any, Any]] = []
    for op, args, attr, value in zip(rule.ops, rule.args, rule.attrs, rule.values, strict=True):
        mapping.append(len(steps))
        if op == "param":
            if attr[0] in read:
                steps.append((op, (), attr[0], None))
            continue
        known = op in ("const", "constant")
        if not known and flavour == "math" and OPS[op].math and op != "power":
            attr = "math"
        steps.append((op, tuple(mapping[a] for a in args), attr, value))
    assert mapping[rule.results] == len(steps) - 1, "the result comes last"
    return steps


def splice(b: GraphBuilder, text: str, operands: Mapping[str, int], flavour: str | None) -> int:
    """The node of a derivative text on operands, of which there are those that it mentions."""
    made: list[int] = []
    for op, args, attr, value in _steps(text, "math" if flavour == "math" else None):
        if op == "param":
            node = operands[attr]
        elif op == "const":
            node = b.const(attr)
        elif op == "constant":
            node = b.constant(attr, value)
        else:
            node = b.add(op, *[made[a] for a in args], attr=attr)
        made.append(node)
    return made[-1]
