"""Calls that stay as the user wrote them: what was an operand, what was a literal, and where.

A row with `defined` or `adjoint` keeps such a call as its attribute. An item of it is `"a"` for an
operand, `("v", text)` for a literal, `("d", name)` for a dtype, `(":", items)` for a slice, or
`("(", items)` and `("[", items)` for a tuple and a list of items.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gradgen.types import TupleType, Type

Item = Any


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of a call as they were written, and the type of its result."""

    args: tuple[Item, ...]
    keywords: tuple[tuple[str, Item], ...]
    result: Type | TupleType


@dataclass(frozen=True, slots=True)
class OpaqueCall(Call):
    """A call of the user's own function, which is never read: `name` of `module`."""

    module: str | None
    name: str

    @property
    def key(self) -> str:
        """What tells the function from others."""
        return f"{self.module or ''}:{self.name}"


def infer_written(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type | TupleType:
    """The type of the result, found when the call was read."""
    found: Type | TupleType = attr.result
    return found


def item_type(types: Sequence[Any], attr: Any, values: Sequence[Any]) -> Type:
    """The type of one of several results."""
    found: Type = types[0].items[attr]
    return found


def restore(item: Item, operands: Iterator[Any], lift: Callable[[Any], Any]) -> Any:
    """The value of an item: operands in turn, and lifted numbers for literals."""
    if item == "a":
        return next(operands)
    kind, held = item
    if kind == "v":
        return lift(ast.literal_eval(held))
    if kind == "d":
        return held
    parts = [restore(part, operands, lift) for part in held]
    if kind == ":":
        return slice(*parts)
    return tuple(parts) if kind == "(" else parts


def arguments(
    call: Call, operands: Sequence[Any], lift: Callable[[Any], Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the keyword arguments of a call on these operands."""
    left = iter(operands)
    positional = [restore(item, left, lift) for item in call.args]
    return positional, {name: restore(item, left, lift) for name, item in call.keywords}
