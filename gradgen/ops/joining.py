"""Arrays made of arrays that are laid beside one another: concatenate, stack and so on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.shape import full_shape, strict_dtype
from gradgen.ops.table import Op, register
from gradgen.types import Builder, Dim, Shape, Size, Type, array_type, axis_in, product

EVERY = ("s", None, None, None)
# For each axis of a part as it is joined, the axis of the part itself that it is; None: a new one.
Places = tuple[int | None, ...]
# By name: the axis along which parts are joined, and the places of parts of low rank.
_LIFTED: dict[str, tuple[int, dict[int, Places]]] = {
    "vstack": (0, {0: (None, None), 1: (None, 0)}),
    "hstack": (1, {0: (None,)}),
    "dstack": (2, {0: (None,) * 3, 1: (None, 0, None), 2: (0, 1, None)}),
    "column_stack": (1, {0: (None, None), 1: (0, None)}),
}


def _joined_axis(name: str, attr: Any, types: Sequence[Type]) -> int:
    """The axis along which parts are joined, as they are lifted to one rank."""
    if name == "hstack" and types[0].rank < 2:
        return 0
    return _LIFTED[name][0] if name in _LIFTED else attr or 0


def _lift(name: str, t: Type) -> Places:
    known = _LIFTED[name][1] if name in _LIFTED else {}
    return known.get(t.rank, tuple(range(t.rank)))


def _lifted(name: str, attr: Any, t: Type) -> Shape:
    """The shape of a part as it is joined: flat where `attr` is None."""
    if name in ("concatenate", "append") and attr is None:
        return (product(t.shape),)
    return tuple(1 if k is None else t.shape[k] for k in _lift(name, t))


def _infer(name: str) -> Any:
    def infer(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
        shapes = [_lifted(name, attr, t) for t in types]
        if not all(shapes) or len({len(s) for s in shapes}) > 1:
            raise Refusal(f"np.{name} takes arrays of one rank, at least 1, not "
                          + " and ".join(map(str, types)))  # fmt: skip
        at = _joined_axis(name, attr, types)
        others = {tuple(n for i, n in enumerate(s) if i != at) for s in shapes}
        if len(others) > 1:
            raise Refusal(f"np.{name}: the arrays differ in another axis than the joined one: "
                          + " and ".join(map(str, types)))  # fmt: skip
        total: Size = 0
        for shape in shapes:
            total = total + shape[at]
        found = tuple(total if i == at else n for i, n in enumerate(shapes[0]))
        return array_type(strict_dtype(types), found)

    return infer


def _vjp(name: str) -> Any:
    """The part of `g` that each operand became."""

    def vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
        args, attr = b.args_of(node), b.attr_of(node)
        if not b.type_of(g).shape:
            return tuple(g for _ in args)
        g = full_shape(b, g, b.type_of(node).shape)
        types = [b.type_of(a) for a in args]
        at = _joined_axis(name, attr, types)
        parts: list[int | None] = []
        start: Size = 0
        for number, t in enumerate(types):
            stop = start + _lifted(name, attr, t)[at]
            last = number == len(args) - 1
            flat = name in ("concatenate", "append") and attr is None
            places: Places = (0,) if flat and t.rank else (None,) if flat else _lift(name, t)
            part = _part(b, g, at, places, start, None if last else stop)
            if flat and t.rank > 1:
                part = b.add("reshape", part, *(b.size(n) for n in t.shape), attr="C")
            parts.append(part)
            start = stop
        return parts

    return vjp


def _part(b: Builder, g: int, at: int, places: Places, start: Size, stop: Size | None) -> int:
    """`g[..., start:stop, ...]`, without the axes that were new."""
    template: list[Any] = []
    operands: list[int] = []

    def bound(size: Size | None) -> Any:
        if isinstance(size, Dim):
            operands.append(b.size(size))
            return "a"
        return size

    for axis, place in enumerate(places[: at + 1] if None not in places else places):
        if axis != at:
            template.append(("i", 0) if place is None else EVERY)
        elif place is not None:
            template.append(("s", None if start == 0 else bound(start), bound(stop), None))
        else:
            known = bound(start)
            template.append("a" if known == "a" else ("i", known))
    while template and template[-1] == EVERY:
        template.pop()
    return b.add("index", g, *operands, attr=tuple(template)) if template else g


def _stack(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    if any(t.shape != types[0].shape for t in types):
        raise Refusal("all input arrays must have the same shape: " + " and ".join(map(str, types)))
    shape = list(types[0].shape)
    shape.insert(attr, len(types))
    return array_type(strict_dtype(types), shape)


def _stack_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    args = b.args_of(node)
    if not b.type_of(g).shape:
        return tuple(g for _ in args)
    g = full_shape(b, g, b.type_of(node).shape)
    every = (EVERY,) * b.attr_of(node)
    return [b.add("index", g, attr=(*every, ("i", k))) for k in range(len(args))]


def _nodes(front: Any, arrays: Any) -> list[int]:
    nodes = [front.array(item) for item in front.items(arrays)]
    if not nodes:
        raise Refusal("need at least one array to join")
    return nodes


def _bind_concatenate(front: Any, arrays: Any, axis: Any = 0) -> Any:
    parts = _nodes(front, arrays)
    axis = front.static(axis)
    if axis is not None:
        axis = axis_in(axis, max(front.type_of(parts[0]).rank, 1))
    return front.add("concatenate", *parts, attr=axis)


def _bind_append(front: Any, arr: Any, values: Any, axis: Any = None) -> Any:
    parts = [front.array(arr), front.array(values)]
    axis = front.static(axis)
    if axis is not None:
        axis = axis_in(axis, max(front.type_of(parts[0]).rank, 1))
    return front.add("append", *parts, attr=axis)


def _bind_stack(front: Any, arrays: Any, axis: Any = 0) -> Any:
    parts = _nodes(front, arrays)
    rank = front.type_of(parts[0]).rank + 1
    return front.add("stack", *parts, attr=axis_in(front.static(axis), rank))


def _bind_lifted(name: str) -> Any:
    def bind(front: Any, tup: Any) -> Any:
        return front.add(name, *_nodes(front, tup))

    return bind


def _bind_unstack(front: Any, x: Any, *, axis: Any = 0) -> Any:
    """The parts along an axis, each a view."""
    t = front.type_of(front.array(x))
    at = axis_in(front.static(axis), t.rank)
    if not isinstance(t.shape[at], int):
        raise NeedsLength(f"the number of parts, {t.shape[at]}, is not known while compiling")
    return tuple(front.index(x, (EVERY,) * at + (("i", k),)) for k in range(t.shape[at]))


def register_rows() -> None:
    """Enter the rows of this family."""
    binds = {name: _bind_lifted(name) for name in _LIFTED}
    binds |= {"concatenate": _bind_concatenate, "append": _bind_append}
    aliases = {"concatenate": ("numpy.concat",), "vstack": ("numpy.row_stack",)}
    for name, bind in binds.items():
        register(Op(name=name, infer=_infer(name), vjp=_vjp(name), linear="all",
                    live=_vjp(name), bind=bind,
                    call=f"numpy.{name}", aliases=aliases.get(name, ()), bounded=True))  # fmt: skip
    register(Op(name="stack", infer=_stack, vjp=_stack_vjp, linear="all",
                live=_stack_vjp, call="numpy.stack",
                bind=_bind_stack, bounded=True))  # fmt: skip
    register(Op(name="unstack", infer=_stack, call="numpy.unstack", bind=_bind_unstack))
