"""Graph -> SymPy, for functions of numbers: what a computer algebra system makes of them.

SymPy sees nodes and the texts of the op table, never the user's text. Symbols are real, floats are
the rationals that they are.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sympy

from gradgen.errors import GradgenError
from gradgen.graph import Graph
from gradgen.liveness import reachable
from gradgen.ops import OPS

_CONSTANTS = {
    "pi": sympy.pi, "e": sympy.E, "tau": 2 * sympy.pi, "inf": sympy.oo, "nan": sympy.nan,
    "euler_gamma": sympy.EulerGamma,
}  # fmt: skip
_RELATIONS = {
    "lt": sympy.Lt, "le": sympy.Le, "gt": sympy.Gt, "ge": sympy.Ge, "eq": sympy.Eq, "ne": sympy.Ne,
}  # fmt: skip
_LOGIC = {
    "bitand": sympy.And, "logical_and": sympy.And, "both": sympy.And, "bitor": sympy.Or,
    "logical_or": sympy.Or, "either": sympy.Or, "bitxor": sympy.Xor, "logical_xor": sympy.Xor,
    "invert": sympy.Not, "logical_not": sympy.Not, "not": sympy.Not,
}  # fmt: skip
_BINARY: Mapping[type, Any] = {
    ast.Add: lambda x, y: x + y, ast.Sub: lambda x, y: x - y, ast.Mult: lambda x, y: x * y,
    ast.Div: lambda x, y: x / y, ast.Pow: lambda x, y: x**y,
}  # fmt: skip


class NoSymbolic(GradgenError):
    """SymPy has no expression for it; the message names what it is."""


def expression(graph: Graph, result: int, symbols: Mapping[int, Any]) -> Any:
    """The SymPy expression of a node, over a symbol for each `param` node.

    Raises `NoSymbolic` for an operation that has no counterpart, and for arrays.
    """
    needed = reachable(graph, result, values=True)
    column: list[Any] = [None] * len(graph)
    for node in range(result + 1):
        if needed[node]:
            column[node] = symbols.get(node)
            if column[node] is None:
                column[node] = _translated(graph, node, [column[a] for a in graph.args[node]])
    return column[result]


def _translated(graph: Graph, node: int, args: list[Any]) -> Any:
    op, attr, value = graph.ops[node], graph.attrs[node], graph.values[node]
    if op == "constant":
        name = attr.rpartition(".")[2]
        if name in _CONSTANTS:
            return _CONSTANTS[name]
    if op == "global" and args:
        return args[0]
    if isinstance(value, (bool, int, float)):
        return number(value)
    # A mask has no shape of its own where numbers are compared.
    if graph.types[node].shape:
        raise NoSymbolic(f"{op} of {graph.types[node]}: SymPy's columns are of numbers, not arrays")
    if op in _RELATIONS:
        return _RELATIONS[op](*args)
    if op in _LOGIC and all(isinstance(a, sympy.logic.boolalg.Boolean) for a in args):
        return _LOGIC[op](*args)
    if op == "where":
        return sympy.Piecewise((args[1], args[0]), (args[2], True))
    if op not in OPS or not OPS[op].sympy:
        raise NoSymbolic(f"{OPS[op].call if op in OPS and OPS[op].call else op} has no counterpart")
    return applied(OPS[op].sympy, args)


def number(value: bool | int | float) -> Any:
    """A number of Python's, exactly."""
    if isinstance(value, bool):
        return sympy.true if value else sympy.false
    if isinstance(value, float) and not math.isfinite(value):
        return sympy.nan if math.isnan(value) else sympy.oo if value > 0 else -sympy.oo
    rational: Any = sympy.Rational
    return rational(*value.as_integer_ratio())


def applied(text: str, args: Sequence[Any]) -> Any:
    """What a text of the op table, over x, y, z, makes of these operands; a bare name is called."""
    if text.isidentifier() and text != "x":
        return getattr(sympy, text)(*args)
    return _evaluated(_parsed(text), dict(zip("xyz", args, strict=False)))


@cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _evaluated(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of a text of ours; its depth is that of the text."""
    if isinstance(node, ast.Name):
        return names[node.id] if node.id in names else _CONSTANTS[node.id]
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int)
        return sympy.Integer(node.value)
    if isinstance(node, ast.UnaryOp):
        assert isinstance(node.op, ast.USub)
        return -_evaluated(node.operand, names)
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_evaluated(node.left, names), _evaluated(node.right, names))
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return getattr(sympy, node.func.id)(*(_evaluated(a, names) for a in node.args))


def tree_nodes(expression: Any) -> int:
    """The nodes of an expression as a tree, exactly, in time linear in its distinct parts."""
    sizes: dict[Any, int] = {}
    stack = [expression]
    while stack:
        part = stack[-1]
        missing = [a for a in part.args if a not in sizes]
        if missing:
            stack += missing
            continue
        stack.pop()
        sizes[part] = 1 + sum(sizes[a] for a in part.args)
    return sizes[expression]
