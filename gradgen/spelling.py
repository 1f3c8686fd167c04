"""How a user would call the operations and values of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.graph import Graph
from gradgen.ops import OPS
from gradgen.ops.table import ATOM
from gradgen.ops.written import Call, OpaqueCall


def part_text(name: str, path: Sequence[Any]) -> str:
    """How code writes a part of an argument: `p["W"]`."""
    text = name
    for step in path:
        dotted = isinstance(step, str) and step.startswith(".")
        text += step if dotted else f"[{step!r}]"
    return text


def called(graph: Graph, node: int) -> str:
    """What the user calls an operation."""
    row = OPS[graph.ops[node]]
    return f"`{row.infix.strip()}`" if row.infix else _dotted(graph, node).rpartition(".")[2]


def _dotted(graph: Graph, node: int) -> str:
    """The function that the user calls, with its module."""
    row = OPS[graph.ops[node]]
    attr = graph.attrs[node]
    if isinstance(attr, OpaqueCall):
        return attr.name
    name = row.math if attr == "math" and row.math else row.call
    return (name or row.name).replace("numpy.", "np.", 1).removeprefix("builtins.")


_DEEPEST = 3


def spelled(
    graph: Graph, node: int, level: int = 0, depth: int = 0, modules: bool = False
) -> str:  # fmt: skip
    """A node in the user's terms: its name, else the expression, as far as it is short.

    `level` is the precedence below which it takes parentheses; with `modules`, functions are
    called as in `np.log`.
    """
    if graph.names[node] is not None:
        return str(graph.names[node])
    return expression(graph, node, level, depth, modules)


def expression(
    graph: Graph, node: int, level: int = 0, depth: int = 0, modules: bool = False
) -> str:  # fmt: skip
    """As `spelled`, of a node whose own name does not count."""
    op, args, attr = graph.ops[node], graph.args[node], graph.attrs[node]
    if op == "param":
        return part_text(*attr)
    if op == "seed":
        return graph.hints[node] or "..."
    if op == "const":
        return repr(attr)
    if op in ("constant", "global"):
        return (attr if isinstance(attr, str) else str(attr[1])).replace("numpy.", "np.")
    if op == "custom_rule":
        (value,) = graph.args[args[0]]
        return spelled(graph, value, level, depth, modules)
    if depth == _DEEPEST:
        return "..."
    row = OPS[op]

    def at(k: int, inner: int = 0) -> str:
        return spelled(graph, args[k], inner, depth + 1, modules)

    name = _dotted(graph, node) if modules else called(graph, node)
    words = [*(at(k) for k in range(len(args))), *(_words(op, attr) if modules else ())]
    text = f"{name}({', '.join(words)})"
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


def _words(op: str, attr: Any) -> list[str]:
    """The keywords of a reduction."""
    if isinstance(attr, Call):
        return [f"{name}={item[1]}" for name, item in attr.keywords if item != "a"]
    if op not in ("sum", "mean", "max", "min", "prod"):
        return []
    axes, keepdims, _ = attr
    axis = [] if axes is None else [f"axis={axes[0] if len(axes) == 1 else axes}"]
    return axis + ["keepdims=True"] * keepdims


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
