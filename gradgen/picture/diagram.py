"""What a picture of a worksheet shows: boxes, and wires that carry values and gradients."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradgen.graph import Graph
from gradgen.ops import OPS
from gradgen.passes import DIRECTIVES
from gradgen.shown import value_text
from gradgen.statements import Row
from gradgen.worksheet import Worksheet

# A picture has about so many boxes; what has more is folded.
MOST = 60
# So many of these may be arguments before they are folded.
MOST_INPUTS = 20
DETAILS = ("operations", "statements")
# How long the labels of wires and of boxes may be.
_LONGEST, _LONGEST_BOX = 28, 40
_SYMBOLS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "power": "^", "matmul": "@"}
_SUMS = {"sum": "Σ"}


@dataclass(slots=True)
class Box:
    """An argument, a constant, an operation, a group of statements, or the result.

    `kind` is one of `input`, `constant`, `operation`, `group`, `result`; a group has a second line.
    """

    label: str
    kind: str
    more: str = ""


@dataclass(slots=True)
class Wire:
    """What goes from a box to others: the value with its name above it, the gradient below it."""

    source: int
    targets: list[int] = field(default_factory=list)
    name: str = ""
    value: str = ""
    below: str = ""

    @property
    def above(self) -> str:
        """What stands above the wire."""
        return " = ".join(filter(None, (self.name, self.value)))


@dataclass(slots=True)
class Diagram:
    """A picture before it is laid out: boxes in the order of computation, a wire from each."""

    title: str
    boxes: list[Box]
    wires: list[Wire]


def diagram(sheet: Worksheet, title: str, known: bool, detail: str) -> Diagram:
    """The picture of a worksheet: of its operations where each has a row, else of its statements.

    With `known` the wires carry values and gradients. What has more than `MOST` boxes is folded:
    neighbouring statements become one box, which names the first and the last of them, cut where
    the fewest values are passed on.
    """
    ops, read = sheet.graph.ops, {n for row in sheet.rows.values() for n in row.operands}
    rows = {node: row for node, row in sheet.rows.items()
            if ops[node] != "param" or node in read or node == sheet.output}  # fmt: skip
    inputs = [node for node in rows if ops[node] == "param"]
    statements = [node for node in rows if ops[node] != "param"]
    groups = _folded(sheet, inputs, MOST_INPUTS)
    groups += _folded(sheet, statements, MOST - min(len(inputs), MOST_INPUTS))
    boxes = [_box(sheet, group, detail) for group in groups]
    boxes.append(Box(sheet.rows[sheet.output].line.name, "result"))
    return Diagram(title, boxes, _wires(sheet, rows, groups, known))


def _wires(
    sheet: Worksheet, rows: Mapping[int, Row], groups: Sequence[Sequence[int]], known: bool
) -> list[Wire]:
    """What each group passes on to others, and to the result behind them all."""
    at = {node: k for k, group in enumerate(groups) for node in group}
    targets: list[dict[int, None]] = [{} for _ in groups]
    passed: list[dict[int, None]] = [{} for _ in groups]
    ends = [(operand, at[node]) for node, row in rows.items() for operand in row.operands]
    for node, target in (*ends, (sheet.output, len(groups))):
        if at[node] != target:
            passed[at[node]][node] = targets[at[node]][target] = None
    wires = [Wire(k, list(held)) for k, held in enumerate(targets)]
    for wire, values, group in zip(wires, passed, groups, strict=True):
        if len(values) == 1:
            (node,) = values
            wire.name = _name(sheet, node, alone=len(group) == 1)
            if known:
                row = sheet.rows[node]
                wire.value = _short(row.line.value)
                wire.below = "" if row.adjoint is None else _short(row.adjoint.value)
        elif values:
            wire.value = f"{len(values)} values"
    return wires


def _folded(sheet: Worksheet, nodes: Sequence[int], most: int) -> list[list[int]]:
    """Rows in their order, in at most so many groups of neighbours."""
    if len(nodes) <= most:
        return [[node] for node in nodes]
    place = {node: k for k, node in enumerate(nodes)}
    # how many values are passed over each cut, from where these begin and end
    change = [0] * (len(nodes) + 2)
    last: dict[int, int] = {}
    for k, node in enumerate(nodes):
        for operand in sheet.rows[node].operands:
            if operand in place:
                last[operand] = k
    for operand, end in last.items():
        change[place[operand] + 1] += 1
        change[end + 1] -= 1
    live, total = [], 0
    for step in change:
        total += step
        live.append(total)
    size = -(-len(nodes) // most)
    groups, start = [], 0
    while start < len(nodes):
        ends = range(start + size, min(start + size + size // 2, len(nodes)) + 1)
        end = min(ends, key=lambda k: (live[k], k)) if ends else len(nodes)
        groups.append(list(nodes[start:end]))
        start = end
    return groups


# -- labels ----------------------------------------------------------------------------------------


def _box(sheet: Worksheet, group: Sequence[int], detail: str) -> Box:
    first, last = sheet.rows[group[0]].line.name, sheet.rows[group[-1]].line.name
    if len(group) > 1:
        what = "arguments" if sheet.graph.ops[group[0]] == "param" else "statements"
        return Box(f"{first} … {last}", "group", f"{len(group)} {what}")
    node = group[0]
    row = sheet.rows[node]
    if sheet.graph.ops[node] == "param":
        return Box(first, "input")
    if not row.operands:
        constant = row.line.name if not row.line.text else _right_side(row)
        return Box(_cut(constant), "constant")
    if detail == "statements":
        return Box(_cut(_right_side(row)), "operation")
    return Box(_operation(sheet, node), "operation")


def _name(sheet: Worksheet, node: int, alone: bool) -> str:
    """What a wire calls its value; nothing where its box says it, or where it has no name."""
    graph = sheet.graph
    shown = graph.names[node] is not None and graph.ops[node] != "param"
    return sheet.rows[node].line.name if shown or not alone else ""


def _short(value: Any) -> str:
    """A number, a small array, or the shape and the norm of an array."""
    text = value_text(value, 4)
    return text if len(text) <= _LONGEST else value_text(value, 0)


def _right_side(row: Row) -> str:
    """What a value is computed as; of several statements the last one whole."""
    if len(row.line.text) > 1:
        return row.line.text[-1]
    return row.line.text[0].partition(" = ")[2]


def _cut(text: str) -> str:
    text = text.replace("np.", "")
    return text if len(text) <= _LONGEST_BOX else text[: _LONGEST_BOX - 1].rstrip() + "…"


def _operation(sheet: Worksheet, node: int) -> str:
    """The sign of an operation, with the constants among its operands."""
    graph, row = sheet.graph, sheet.rows[node]
    op = graph.ops[node]
    if op in _SYMBOLS and len(graph.args[node]) == 2 and graph.attrs[node] is None:
        return _infix(graph, node, _SYMBOLS[op])
    if op in DIRECTIVES:
        return op.replace("_", " ")
    if op == "neg":
        return "× −1"
    if len(row.line.text) > 1:
        return _cut(row.line.text[-1].removeprefix(row.line.name).partition("=")[0] + "=")
    text = _right_side(row)
    operands = [sheet.rows[n].line.name for n in row.operands]
    rest = text.removeprefix(operands[0])
    method = re.fullmatch(r"\.(\w+)\((.*)\)", rest)
    if method:
        text = f"{method[1]}({', '.join(filter(None, (operands[0], method[2])))})"
    elif rest != text and rest[:1] in "[.":
        return _cut(rest)
    text = re.sub(r"^(?:\w+\.)+", "", text)
    for name in operands:
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w)", "·", text)
    head, _, inside = text.partition("(")
    if re.fullmatch(r"[·, ()]*\)", inside):
        return _SUMS.get(head, head)
    if len(text) <= 16:
        return text
    return head if head.isidentifier() else str(OPS[op].name)


def _infix(graph: Graph, node: int, sign: str) -> str:
    """A binary operation; a constant operand is part of its sign: `+1`, `1/`, `^2`."""
    left, right = (_constant(graph, n) for n in graph.args[node])
    if right:
        return f"{sign}{right}"
    if left:
        return f"{sign}{left}" if sign in "+×" else f"{left}{'/' if sign == '÷' else sign}"
    return sign


def _constant(graph: Graph, node: int) -> str:
    if graph.names[node] is not None:
        return ""
    if graph.ops[node] == "constant":
        name = str(graph.attrs[node]).rpartition(".")[2]
        return {"pi": "π"}.get(name, name)
    if graph.ops[node] != "const":
        return ""
    text = value_text(graph.attrs[node])
    return f"({text})" if text.startswith("-") else text
