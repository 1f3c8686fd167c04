"""Reading parts of arrays, and functional updates of parts.

A template describes an index: a tuple of `("i", k)` for a known integer, `("s", start, stop, step)`
for a slice, `"n"` for a new axis, `"e"` for an ellipsis and `"a"` for an operand (an integer node
or an array node). A slice bound is None, an integer, or `"a"`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.table import Op, register
from gradgen.types import Builder, Dim, Shape, Size, Type, broadcast

Template = tuple[Any, ...]


def is_basic(template: Template, types: Sequence[Type]) -> bool:
    """Whether NumPy gives a view: no array among the operands."""
    return all(t.kind != "array" for t in types)


def may_repeat(b: Builder, operands: Sequence[int]) -> bool:
    """Whether an index may name one item twice; `x[np.arange(n), k]` does not."""
    arrays = [o for o in operands if b.type_of(o).kind == "array"]
    if any(b.type_of(o).rank > 1 for o in arrays):
        return True
    return bool(arrays) and not any(b.is_op(o, "arange") for o in arrays)


def are_apart(templates: Sequence[Any], t: Type) -> bool:
    """Whether the parts are known not to overlap: leading integers that differ."""
    places = set()
    for template in templates:
        if not all(isinstance(item, tuple) and item[0] == "i" for item in template):
            return False
        place = []
        for axis, item in enumerate(template):
            length = t.shape[axis]
            if item[1] < 0 and isinstance(length, Dim):
                return False
            place.append(item[1] % length if isinstance(length, int) else item[1])
        places.add(tuple(place))
    return len(places) == len(templates) and len({len(p) for p in places}) == 1


def resolve(template: Template, rank: int, masks: Sequence[int] = ()) -> Iterator[Any]:
    """The template with its ellipsis spelled out and full slices added at the end.

    `masks` gives for each boolean-array operand the number of axes that it takes.
    """
    extra = sum(masks) - len(masks)
    used = sum(item != "n" and item != "e" for item in template) + extra
    if used > rank:
        raise Refusal(f"too many indices for an array with {rank} axes: {used}")
    every = ("s", None, None, None)
    filled = False
    for item in template:
        if item == "e":
            if filled:
                raise Refusal("an index can only have a single ellipsis ('...')")
            filled = True
            for _ in range(rank - used):
                yield every
        else:
            yield item
    if not filled:
        for _ in range(rank - used):
            yield every


def indexed(t: Type, template: Template, types: Sequence[Type], values: Sequence[Any]) -> Shape:
    """The shape of `x[template]`. Raises `Refusal` where the index is out of bounds."""
    operands = iter(zip(types, values, strict=True))
    masks = [o.rank for o in types if o.dtype == "bool"]
    result: list[Size] = []
    advanced: list[Shape] = []
    where: list[int] = []
    axis = 0
    for item in resolve(template, t.rank, masks):
        if item == "n":
            result.append(1)
            continue
        length = t.shape[axis]
        if item == "a":
            operand, _ = next(operands)
            if operand.dtype == "bool":
                raise Refusal(
                    "a boolean mask selects a number of items that is not known while compiling",
                    "use np.where(mask, x, 0.0), which keeps the shape",
                )
            if not operand.dtype.startswith(("int", "uint")):
                raise Refusal(f"an index must be an integer, not {operand}")
            advanced.append(operand.shape)
            where.append(len(result))
        elif item[0] == "i":
            if isinstance(length, int) and not -length <= item[1] < length:
                raise Refusal(
                    f"index {item[1]} is out of bounds for axis {axis} with size {length}"
                )
            advanced.append(())
            where.append(len(result))
        else:
            bounds = [next(operands)[1] if b == "a" else b for b in item[1:]]
            result.append(slice_length(length, *bounds))
        axis += 1
    if any(advanced):
        # NumPy: integers count as index arrays; apart from one another, they come first.
        at = where[0] if len(set(where)) == 1 else 0
        result[at:at] = broadcast(advanced)
    return tuple(result)


def slice_length(length: Size, start: Any, stop: Any, step: Any) -> Size:
    """The length of `x[start:stop:step]` for an axis of this length."""
    step = 1 if step is None else step
    if all(v is None or isinstance(v, int) for v in (start, stop)) and isinstance(length, int):
        return len(range(*slice(start, stop, step).indices(length)))
    if step == -1 and start is None and stop is None:
        return length
    if step != 1:
        raise NeedsLength(f"the length of a slice with step {step} of an axis of length {length}")

    def place(bound: Any) -> Size:
        if isinstance(bound, int) and bound < 0:
            return length + bound
        if isinstance(bound, int) and bound > 0 and isinstance(length, Dim):
            return bound
        if isinstance(bound, (int, Dim)) and not isinstance(bound, bool):
            return bound
        raise NeedsLength("a slice bound must be known while compiling")

    first: Size = 0 if start is None else place(start)
    last: Size = length if stop is None else place(stop)
    count = last - first
    if isinstance(count, int) and count < 0:
        return 0
    return count


def _index(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    shape = indexed(types[0], attr, types[1:], values[1:])
    dtype = types[0].dtype
    return Type("array" if shape or any(t.rank for t in types[1:]) else "scalar", dtype, shape)


def _update(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`attr` is the template; the operands are the array, the new values, the index operands."""
    target, new = types[0], types[1]
    shape = indexed(target, attr, types[2:], values[2:])
    if len(new.shape) > len(shape) or broadcast([new.shape, shape]) != shape:
        raise Refusal(f"could not store a value of shape ({', '.join(map(str, new.shape))}) "
                      f"into a part of shape ({', '.join(map(str, shape))})")  # fmt: skip
    if new.is_float and not target.is_float:
        raise Refusal(
            f"storing a float into an array of {target.dtype} cuts its fraction off",
            "make the array with dtype=float",
        )
    return Type("array", target.dtype, target.shape)


def _index_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    """Scatter into zeros; repeated integer indices add up."""
    x, *operands = b.args_of(node)
    zeros = b.add("zeros_like", x)
    return (b.add("index_add", zeros, g, *operands, attr=b.attr_of(node)), *[None] * len(operands))


def _index_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    x, *operands = b.args_of(node)
    template = b.attr_of(node)
    rest = [None] * len(operands)
    every = ("s", None, None, None)
    if not is_basic(template, [b.type_of(o) for o in operands]):
        return (None, *rest)
    if not b.type_of(live).shape:
        return (live, *rest)
    if all(item in ("n", "e", every) for item in template):
        spelled = resolve(template, b.type_of(x).rank)
        added = tuple(("i", 0) if item == "n" else every for item in spelled)
        return (b.add("index", live, attr=added), *rest)
    zeros = b.add("zeros", *(b.size(n) for n in b.type_of(x).shape), attr="bool")
    return (b.add("index_set", zeros, live, *operands, attr=template), *rest)


def _update_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    _, _, *operands = b.args_of(node)
    part = live
    if b.type_of(live).shape:
        part = b.add("index", live, *operands, attr=b.attr_of(node))
    return (live, part, *[None] * len(operands))


def _set_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    _, _, *operands = b.args_of(node)
    g = whole(b, node, g)
    if any(b.type_of(o).rank for o in operands):
        raise Refusal(
            "a store at an array of indices has no derivative here",
            "build the array from its parts with np.concatenate, or store at one index at a time",
        )
    old = b.add("index_set", g, b.const(0.0), *operands, attr=b.attr_of(node))
    return (old, b.add("index", g, *operands, attr=b.attr_of(node)), *[None] * len(operands))


def _add_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    _, _, *operands = b.args_of(node)
    g = whole(b, node, g)
    picked = b.add("index", g, *operands, attr=b.attr_of(node))
    return (g, picked, *[None] * len(operands))


def whole(b: Builder, node: int, g: int) -> int:
    """The adjoint `g` of `node` with all of its axes."""
    t = b.type_of(node)
    if b.type_of(g).shape == t.shape:
        return g
    return b.add("broadcast_to", g, *(b.size(n) for n in t.shape))


def _bind_add_at(front: Any, a: Any, indices: Any, b: Any) -> Any:
    if not front.is_sequence(indices) and front.type_of(front.array(indices)).rank > 1:
        index, values = front.type_of(front.array(indices)), front.type_of(front.node(b))
        if 0 < values.rank < index.rank:
            raise Refusal(
                "np.add.at: NumPy does not broadcast values to an index of more axes",
                "pass np.broadcast_to(values, index.shape)",
            )
    front.update(a, indices, b, "index_add")


def register_rows() -> None:
    """Enter the rows of this family."""
    register(Op(name="index", infer=_index, vjp=_index_vjp, live=_index_live, bounded=True,
                view=True, cost=0))  # fmt: skip
    register(Op(name="index_set", infer=_update, vjp=_set_vjp, live=_update_live, bounded=True,
                cost=0))  # fmt: skip
    register(Op(name="index_add", infer=_update, vjp=_add_vjp, live=_update_live, bounded=True,
                call="numpy.add.at", bind=_bind_add_at))  # fmt: skip
