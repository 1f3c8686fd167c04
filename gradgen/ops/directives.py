"""What a user's function says to the compiler by calls of gradgen's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.table import Op, register
from gradgen.types import Builder, Type


def _same(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    return types[0]


def _none(b: Builder, node: int, g: int) -> Sequence[int | None]:
    return (None,)


def _bind_stop_gradient(front: Any, x: Any, /) -> Any:
    """The array itself under another name: an update of either is refused, as that of a view."""
    if front.is_sequence(x):
        raise Refusal("stop_gradient takes a number or an array, not a list or a tuple",
                      "stop its items one by one")  # fmt: skip
    node = front.node(x)
    if not front.type_of(node).is_float:
        return x
    stopped = front.add("stop_gradient", node)
    return front.view(x, stopped) if front.type_of(node).kind == "array" else stopped


def register_rows() -> None:
    """Enter the rows of this family."""
    register(Op(name="stop_gradient", infer=_same, vjp=_none, linear="constant",
                call="gradgen.stop_gradient", bind=_bind_stop_gradient, view=True, bounded=True,
                cost=0))  # fmt: skip
