"""The derivative texts of the op rows, compiled once into small graphs and spliced in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

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


def splice(b: GraphBuilder, text: str, operands: Mapping[str, int], flavour: str | None) -> int:
    """The node of a derivative text on operands.

    A rule of a `math` function calls `math` functions, so that numbers stay Python's.
    """
    rule = compiled(text)
    mapping: list[int] = []
    for node in range(len(rule)):
        op, attr = rule.ops[node], rule.attrs[node]
        if op == "param":
            mapping.append(operands.get(attr[0], -1))
        elif op == "const":
            mapping.append(b.const(attr))
        elif op == "constant":
            mapping.append(b.constant(attr, rule.values[node]))
        else:
            spelled = "math" if flavour == "math" and OPS[op].math and op != "power" else attr
            mapping.append(b.add(op, *(mapping[a] for a in rule.args[node]), attr=spelled))
    result: int = mapping[rule.results]
    return result
