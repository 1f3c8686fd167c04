"""How a user would call the operations and values of a graph."""

from __future__ import annotations

from typing import Any

from gradgen.graph import Graph
from gradgen.ops import OPS
from gradgen.ops.table import ATOM
from gradgen.oracles.subject import Leaf


def called(graph: Graph, node: int) -> str:
    """What the user calls an operation."""
    row = OPS[graph.ops[node]]
    if row.infix:
        return f"`{row.infix.strip()}`"
    name = row.math if graph.attrs[node] == "math" and row.math else row.call
    return (name or row.name).rpartition(".")[2]


_DEEPEST = 3


def spelled(graph: Graph, node: int, level: int = 0, depth: int = 0) -> str:
    """A node in the user's terms: its name, else the expression, as far as it is short.

    `level` is the precedence below which it takes parentheses.
    """
    op, args, attr = graph.ops[node], graph.args[node], graph.attrs[node]
    if graph.names[node] is not None:
        return str(graph.names[node])
    if op == "param":
        return Leaf(attr[0], attr[1], graph.types[node], node).text
    if op == "const":
        return repr(attr)
    if op in ("constant", "global"):
        return (attr if isinstance(attr, str) else str(attr[1])).replace("numpy.", "np.")
    if depth == _DEEPEST:
        return "..."
    row = OPS[op]

    def at(k: int, inner: int = 0) -> str:
        return spelled(graph, args[k], inner, depth + 1)

    text = f"{called(graph, node)}({', '.join(at(k) for k in range(len(args)))})"
    own = row.precedence
    if row.infix and len(args) == 2:
        space = "" if row.infix == "**" else " "
        left, right = own + (row.infix == "**"), own + (row.infix != "**")
        text = f"{at(0, left)}{space}{row.infix.strip()}{space}{at(1, right)}"
    elif row.prefix and args:
        text = f"{row.prefix}{at(0, own)}"
    elif op == "index":
        text = f"{at(0, ATOM)}[{_subscript(attr, [at(k) for k in range(1, len(args))])}]"
    return f"({text})" if own < level else text


def _subscript(template: Any, operands: list[str]) -> str:
    """The text of an index, of which the operands have these texts."""
    left = iter(operands)

    def bound(item: Any) -> str:
        return "" if item is None else next(left, "...") if item == "a" else str(item)

    texts = []
    for item in template:
        if item == "e":
            texts.append("...")
        elif item == "n":
            texts.append("None")
        elif item[0] == "s":
            parts = [bound(p) for p in item[1:]]
            texts.append(":".join(parts[:2] if item[3] is None else parts))
        else:
            texts.append(str(item[1]) if item[0] == "i" else next(left, "..."))
    return ", ".join(texts)
