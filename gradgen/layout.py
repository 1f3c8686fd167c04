"""Long lines of emitted code, broken as formatters break them."""

from __future__ import annotations

import ast
from collections.abc import Sequence

WIDTH = 88
INDENT = 4


def lay_out(line: str, indent: int = 0) -> list[str]:
    """The lines of one statement, as `ruff format` breaks it where it stands `indent` columns in.

    The statement may itself start with blanks. What has no place to break stays long.
    """
    if indent + len(line) <= WIDTH:
        return [line]
    text = line.lstrip(" ")
    own = len(line) - len(text)
    tail = " pass" if text.endswith(":") else ""
    (statement,) = ast.parse(text + tail).body
    lines = _Breaker(text, indent + own).statement(statement)
    return [f"{' ' * own}{part}" for part in lines]


class _Breaker:
    """Breaks one statement. Its lines are relative to the statement's own indentation."""

    def __init__(self, text: str, indent: int) -> None:
        self.text = text
        self.raw = text.encode()
        self.room = WIDTH - indent

    def flat(self, node: ast.AST) -> str:
        start, end = _span(node)
        return self.raw[start:end].decode()

    def between(self, start: int, end: int) -> str:
        return self.raw[start:end].decode()

    def statement(self, node: ast.stmt) -> list[str]:
        """The lines of a statement of the kinds that are emitted."""
        match node:
            case ast.Assign(targets=[ast.Tuple() as target], value=ast.Name() as value):
                lines = self.broken(target, 0)
                return [*lines[:-1], f"{lines[-1]} = {value.id}"]
            case (
                ast.Assign(value=value)
                | ast.AugAssign(value=value)
                | ast.Return(value=ast.expr() as value)
                | ast.Raise(exc=ast.expr() as value)
                | ast.Expr(value=value)
            ):
                return self.right_side(value, "")
            case ast.If(test=value) | ast.For(iter=value):
                return self.right_side(value, ":")
            case _:
                return [self.text]

    def right_side(self, value: ast.expr, tail: str) -> list[str]:
        """What stands before a value, and the value: broken in itself, or in parentheses."""
        head = self.between(0, _span(value)[0])
        if _opens(value):
            lines = self.broken(value, 0)
            return [head + lines[0], *lines[1:-1], lines[-1] + tail]
        flat = self.flat(value)
        if INDENT + len(flat) <= self.room:
            return [f"{head}(", " " * INDENT + flat, f"){tail}"]
        lines = self.broken(value, INDENT)
        if len(lines) == 1:
            return [head + flat + tail]
        return [f"{head}(", " " * INDENT + lines[0], *lines[1:], f"){tail}"]

    def broken(self, node: ast.expr, indent: int) -> list[str]:
        """The lines of an expression that stands `indent` columns in and does not fit."""
        match node:
            case ast.Call() if node.args or node.keywords:
                items: list[ast.AST] = [*node.args, *node.keywords]
                opening = self.between(_span(node)[0], _span(items[0])[0])
                inner = self.between(_span(items[0])[0], _span(items[-1])[1])
                if indent + INDENT + len(inner) <= self.room:
                    return [opening, " " * (indent + INDENT) + inner, " " * indent + ")"]
                lines = self.items(items, indent + INDENT)
                if len(items) == 1:
                    lines[-1] = lines[-1].removesuffix(",")
                return [opening, *lines, " " * indent + ")"]
            case ast.Tuple(elts=elements) if elements:
                return ["(", *self.items(elements, indent + INDENT), " " * indent + ")"]
            case ast.List(elts=elements) if elements:
                return ["[", *self.items(elements, indent + INDENT), " " * indent + "]"]
            case ast.Dict(keys=keys, values=values) if keys:
                lines = []
                for key, value in zip(keys, values, strict=True):
                    assert key is not None
                    head = self.between(_span(key)[0], _span(value)[0])
                    lines += self.item(head, value, indent + INDENT)
                return ["{", *lines, " " * indent + "}"]
            case ast.BinOp() | ast.BoolOp() | ast.Compare() | ast.IfExp():
                return self.operands(node, indent)
        return [self.flat(node)]

    def items(self, nodes: Sequence[ast.AST], indent: int) -> list[str]:
        """One item a line, each with a comma."""
        lines = []
        for node in nodes:
            if isinstance(node, ast.keyword):
                lines += self.item(f"{node.arg}=", node.value, indent)
            else:
                assert isinstance(node, ast.expr)
                lines += self.item("", node, indent)
        return lines

    def item(self, head: str, node: ast.expr, indent: int) -> list[str]:
        flat = self.flat(node)
        fits = indent + len(head) + len(flat) + 1 <= self.room
        first, *rest = [flat] if fits else self.broken(node, indent)
        lines = [" " * indent + head + first, *rest]
        lines[-1] += ","
        return lines

    def operands(self, node: ast.expr, indent: int) -> list[str]:
        """One operand a line, each but the first behind its operator."""
        parts = _operands(node)
        start = self.between(_span(node)[0], _span(parts[0])[0])
        lines: list[str] = []
        for at, part in enumerate(parts):
            if at + 1 < len(parts):
                gap = self.between(_span(part)[1], _span(parts[at + 1])[0])
                symbol = gap.strip("() ")
                closing, _, opening = (side.strip(" ") for side in gap.partition(symbol))
            else:
                closing, symbol, opening = self.between(_span(part)[1], _span(node)[1]), "", ""
            flat = self.flat(part)
            fits = indent + len(start) + len(flat) + len(closing) <= self.room
            first, *rest = [flat] if fits or start[-1:] == "(" else self.broken(part, indent)
            lines += [start + first, *rest]
            lines[-1] += closing
            start = " " * indent + f"{symbol} {opening}"
        return lines


def _span(node: ast.AST) -> tuple[int, int]:
    """Where a node of a statement on one line starts and ends, in bytes."""
    assert isinstance(node, (ast.expr, ast.keyword))
    assert node.end_col_offset is not None
    return node.col_offset, node.end_col_offset


def _opens(node: ast.expr) -> bool:
    """Whether an expression has brackets of its own to break at."""
    match node:
        case ast.Call():
            return bool(node.args or node.keywords)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return bool(elements)
        case ast.Dict(keys=keys):
            return bool(keys)
    return False


def _operands(node: ast.expr) -> list[ast.expr]:
    """The operands of a chain of operators of one precedence."""
    match node:
        case ast.BinOp():
            level = _level(node.op)
            parts = [node.right]
            left = node.left
            while isinstance(left, ast.BinOp) and _level(left.op) == level:
                if _span(left)[0] != _span(node)[0]:
                    break
                parts.append(left.right)
                left = left.left
            return [left, *reversed(parts)]
        case ast.BoolOp():
            return node.values
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.IfExp():
            return [node.body, node.test, node.orelse]
    return [node]


def _level(operator: ast.operator) -> int:
    match operator:
        case ast.Add() | ast.Sub():
            return 1
        case ast.Mult() | ast.Div() | ast.FloorDiv() | ast.Mod() | ast.MatMult():
            return 2
    return 3


__all__ = ["lay_out"]
