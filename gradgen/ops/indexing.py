"""Reading parts of arrays, and functional updates of parts.

A template describes an index: a tuple of `("i", k)` for a known integer, `("s", start, stop, step)`
for a slice, `"n"` for a new axis, `"e"` for an ellipsis, `"a"` for an operand (an integer node or
an array node) and `("m", count)` for a mask, which selects as many items as the length `count`, a
number or the name of an opaque length, says. A slice bound is None, an integer, or `"a"`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.order import along, unsupported
from gradgen.ops.shape import filled, spread
from gradgen.ops.table import OPS, Op, register, register_written
from gradgen.ops.written import item_type
from gradgen.types import INT, Builder, Dim, Shape, Size, TupleType, Type, broadcast, product

Template = tuple[Any, ...]
# Rows of index arrays that are new in memory, from the first item to the last.
_NEW = ("array", "arange", "argsort", "argpartition", "flatnonzero")


WHOLE = ("s", None, None, None)


def is_reshape(template: Template) -> bool:
    """Whether an index takes the whole array, with new axes perhaps."""
    return all(item in ("n", "e", WHOLE) for item in template)


def is_basic(template: Template, types: Sequence[Type]) -> bool:
    """Whether NumPy gives a view: no array among the operands."""
    return all(t.kind != "array" for t in types)


def may_repeat(b: Builder, operands: Sequence[int]) -> bool:
    """Whether an index may name one item twice; `x[np.arange(n), k]` does not."""
    arrays = [o for o in operands if b.type_of(o).kind == "array"]
    if all(b.type_of(o).dtype == "bool" for o in arrays):
        return False
    if any(b.type_of(o).rank > 1 for o in arrays):
        return True
    lengths = {b.type_of(o).shape for o in arrays}
    return not any(_is_distinct(b, o) for o in arrays) or len(lengths) > 1


def _is_distinct(b: Builder, node: int) -> bool:
    """Whether an array of indices along one axis holds no place twice."""
    if b.type_of(node).rank != 1:
        return False
    if b.is_op(node, "arange"):
        first = b.value_of(b.args_of(node)[0]) if len(b.args_of(node)) > 1 else 0
        # one from below zero to above names some places from both ends
        return isinstance(first, int) and first >= 0
    if b.is_op(node, "array"):
        known = [b.value_of(a) for a in b.args_of(node)]
        numbers = [k for k in known if isinstance(k, int) and k >= 0]
        return len(set(numbers)) == len(known)
    return b.is_op(node, "argsort", "argpartition", "flatnonzero")


def are_apart(templates: Sequence[Any], t: Type) -> bool:
    """Whether parts are known not to overlap: leading integers, or slices of one axis."""
    places = set()
    for template in templates:
        if not all(isinstance(item, tuple) and item[0] == "i" for item in template):
            return _spans(templates, t) is not None
        place = []
        for axis, item in enumerate(template):
            length = t.shape[axis]
            if item[1] < 0 and isinstance(length, Dim):
                return False
            place.append(item[1] % length if isinstance(length, int) else item[1])
        places.add(tuple(place))
    return len(places) == len(templates) and len({len(p) for p in places}) == 1


def are_all(templates: Sequence[Any], t: Type) -> bool:
    """Whether parts of an array are known to be apart, and all of it together."""
    spans = _spans(templates, t)
    return spans is not None and [0, *(stop for _, stop in spans)] == [
        *(start for start, _ in spans),
        math.inf,
    ]


def _spans(templates: Sequence[Any], t: Type) -> list[tuple[float, float]] | None:
    """Starts and stops, in order, of parts that are slices of one axis and do not overlap.

    The last item of the axis is followed by infinity. None for any others.
    """
    found, axes = [], set()
    for template in templates:
        if not all(item == "e" or item[0] in "is" for item in template):
            return None
        items = list(resolve(template, t.rank))
        cut = [axis for axis, item in enumerate(items) if item != WHOLE]
        if len(cut) != 1:
            return None
        axes.add(cut[0])
        span = _span(items[cut[0]], t.shape[cut[0]])
        if span is None:
            return None
        found.append(span)
    found.sort()
    apart = all(one[1] <= other[0] for one, other in pairwise(found))
    return found if apart and len(axes) == 1 else None


def _span(item: Any, length: Size) -> tuple[float, float] | None:
    """Where a slice or an integer starts and stops, if its text tells."""
    kind, start, *rest = item
    stop, step = (start + 1, None) if kind == "i" else rest
    start = 0 if start is None else start
    if kind == "i" and start == -1:
        stop = None
    if step not in (None, 1) or not all(isinstance(n, int | None) for n in (start, stop)):
        return None
    if any(n is not None and n < 0 for n in (start, stop)) and isinstance(length, Dim):
        return None
    if isinstance(length, int):
        start, stop = (max(n + length, 0) if n is not None and n < 0 else n for n in (start, stop))
        stop = None if stop is not None and stop >= length else stop
    return start, math.inf if stop is None else max(start, stop)


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
            if not operand.dtype.startswith(("int", "uint")):
                raise Refusal(f"an index must be an integer, not {operand}")
            advanced.append(operand.shape)
            where.append(len(result))
        elif item[0] == "m":
            operand, _ = next(operands)
            for mine, its in zip(t.shape[axis:], operand.shape, strict=False):
                if mine != its:
                    raise Refusal(f"a mask of length {its} selects along an axis of length {mine}")
            advanced.append((item[1] if isinstance(item[1], int) else Dim.symbol(item[1]),))
            where.append(len(result))
            axis += operand.rank - 1
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
        at = where[0] if len(set(where)) == 1 and not _is_parted(template) else 0
        result[at:at] = broadcast(advanced)
    return tuple(result)


def _is_parted(template: Template) -> bool:
    """Whether an ellipsis, though it may stand for no axis, parts the integers and index arrays."""
    if "e" not in template:
        return False
    place = template.index("e")
    return all(
        any(item == "a" or item[0] in "im" for item in side)
        for side in (template[:place], template[place + 1 :])
    )


def slice_bounds(
    t: Type, template: Template, types: Sequence[Type], values: Sequence[Any]
) -> Iterator[tuple[Size, Size, Size | None]]:
    """The length of the axis, the start and the stop of every slice forward of a symbolic axis."""
    operands = iter(zip(types, values, strict=True))
    axis = 0
    for item in resolve(template, t.rank, [o.rank for o in types if o.dtype == "bool"]):
        if item == "n":
            continue
        length = t.shape[axis]
        axis += 1
        if item == "a":
            next(operands)
        elif item[0] == "m":
            axis += next(operands)[0].rank - 1
        elif item[0] == "s":
            start, stop, step = (next(operands)[1] if b == "a" else b for b in item[1:])
            symbolic = any(isinstance(size, Dim) for size in (length, start, stop))
            if symbolic and (step or 1) > 0 and (start, stop) != (None, None):
                first = 0 if start is None else _place(start, length)
                yield length, first, None if stop is None else _place(stop, length)


def _place(bound: Any, length: Size) -> Size:
    """Where a bound of a slice points, if it lies within the axis."""
    if isinstance(bound, bool) or not isinstance(bound, (int, Dim)):
        raise NeedsLength("a slice bound must be known while compiling")
    return length + bound if isinstance(bound, int) and bound < 0 else bound


def slice_length(length: Size, start: Any, stop: Any, step: int | None) -> Size:
    """The length of `x[start:stop:step]` for an axis of this length."""
    step = 1 if step is None else step
    if not isinstance(step, int):
        raise NeedsLength("the step of a slice must be known while compiling")
    if all(v is None or isinstance(v, int) for v in (start, stop)) and isinstance(length, int):
        return len(range(*slice(start, stop, step).indices(length)))
    if step < 0:
        if start is not None or stop is not None:
            raise NeedsLength(
                f"the length of a slice with step {step} of an axis of length {length}"
            )
        return (length + (-step - 1)) // -step
    first: Size = 0 if start is None else _place(start, length)
    last: Size = length if stop is None else _place(stop, length)
    count = last - first
    if isinstance(count, int) and count < 0:
        return 0
    return (count + (step - 1)) // step


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
    if not b.type_of(live).shape:
        return (live, *rest)
    if may_repeat(b, operands):
        # read where any of the places that name an item is
        counts = filled(b, "zeros", x, "int64")
        counts = b.add("index_add", counts, live, *operands, attr=template)
        return (b.add("ne", counts, b.const(0)), *rest)
    if all(item in ("n", "e", every) for item in template):
        spelled = resolve(template, b.type_of(x).rank)
        added = tuple(("i", 0) if item == "n" else every for item in spelled)
        return (b.add("index", live, attr=added), *rest)
    zeros = filled(b, "zeros", x, "bool")
    return (b.add("index_set", zeros, live, *operands, attr=template), *rest)


def _update_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    _, _, *operands = b.args_of(node)
    part = live
    if b.type_of(live).shape:
        part = b.add("index", live, *operands, attr=b.attr_of(node))
    return (live, part, *[None] * len(operands))


def _set_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    """Where an item is named twice, the last value stays, and takes the adjoint."""
    _, _, *operands = b.args_of(node)
    template = b.attr_of(node)
    if not b.type_of(node).shape:
        return (None, g, *[None] * len(operands))
    g = whole(b, node, g)
    # read first, so that the store may be made in place
    part = b.add("index", g, *operands, attr=template)
    old = b.add("index_set", g, b.const(0.0), *operands, attr=template)
    if may_repeat(b, operands) and b.type_of(part).is_float:
        part = b.add("where", _stays(b, node), part, b.const(0.0))
    return (old, part, *[None] * len(operands))


def _is_in_order(b: Builder, operands: Sequence[int]) -> bool:
    """Whether values are stored from the first to the last.

    NumPy turns the order round where it steps backwards through every one of several arrays.
    """
    arrays = [o for o in operands if b.type_of(o).kind == "array"]
    longest = broadcast([b.type_of(o).shape for o in arrays if b.type_of(o).dtype != "bool"])
    return len(arrays) == 1 or any(
        b.type_of(o).dtype == "bool" or (b.is_op(o, *_NEW) and b.type_of(o).shape == longest)
        for o in arrays
    )


def _stays(b: Builder, node: int) -> int:
    """Which of the values that were stored at an array of indices no later one overwrote."""
    target, new, *operands = b.args_of(node)
    template = b.attr_of(node)
    types = [b.type_of(o) for o in operands]
    shape = indexed(b.type_of(target), template, types, [b.value_of(o) for o in operands])
    if b.type_of(new).rank and any(t.rank > 1 for t in types):
        raise Refusal(
            "a store at an index of several axes, which may name an item twice, has no derivative "
            "here",
            "store at an index of one axis: u[i.ravel()] = v.ravel()",
        )
    if b.type_of(new).rank and not _is_in_order(b, operands):
        raise Refusal(
            "a store at several arrays of indices, which may name an item twice, has no derivative "
            "here: the memory layout tells which value is the last",
            "keep u flat, store u[i * columns + j] = v, and reshape it at the end",
        )
    number = b.add("arange", b.size(product(shape)))
    if len(shape) > 1:
        number = b.add("reshape", number, *(b.size(n) for n in shape), attr="C")
    places = b.add("zeros", *(b.size(n) for n in b.type_of(target).shape), attr="int64")
    last = b.add("index_set", places, number, *operands, attr=template)
    return b.add("eq", b.add("index", last, *operands, attr=template), number)


def _add_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    _, _, *operands = b.args_of(node)
    if not b.type_of(node).shape:
        return (g, g, *[None] * len(operands))
    g = whole(b, node, g)
    picked = b.add("index", g, *operands, attr=b.attr_of(node))
    return (g, picked, *[None] * len(operands))


def whole(b: Builder, node: int, g: int) -> int:
    """The adjoint `g` of `node` with all of its axes."""
    return spread(b, g, b.type_of(node))


def _bind_add_at(front: Any, a: Any, indices: Any, b: Any) -> Any:
    if not front.is_sequence(indices) and front.type_of(front.array(indices)).rank > 1:
        index, values = front.type_of(front.array(indices)), front.type_of(front.node(b))
        if 0 < values.rank < index.rank:
            raise Refusal(
                "np.add.at: NumPy does not broadcast values to an index of more axes",
                "pass np.broadcast_to(values, index.shape)",
            )
    front.update(a, indices, b, "index_add")


def _bind_count_nonzero(front: Any, a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The number of true items of a mask, which is the length of what the mask selects."""
    mask = front.array(a)
    if axis is not None or front.static(keepdims):
        words = {"axis": axis, "keepdims": keepdims}
        given = {key: value for key, value in words.items() if value not in (None, False)}
        row = OPS["count_nonzero"]
        return front.call_row(row, None, [front.wrap(mask)], given, row.call)
    return front.builder.size(_count(front, a))


def _bind_subtract_at(front: Any, a: Any, indices: Any, b: Any) -> Any:
    _bind_add_at(front, a, indices, front.negated(b))


def mask_of(front: Any, value: Any) -> int:
    """The node of the mask that tells where an array is not zero."""
    mask: int = front.array(value)
    if front.type_of(mask).dtype != "bool":
        mask = front.add("ne", mask, front.builder.const(0))
    return mask


def _count(front: Any, value: Any) -> Size:
    """How many items of an array are not zero: a number where it is known."""
    count = front.count_true(mask_of(front, value))
    return count if isinstance(count, int) else Dim.symbol(count)


def _nonzero(front: Any, a: Any) -> TupleType:
    rank = front.type_of(front.array(a)).rank
    if not rank:
        raise Refusal("np.nonzero of a number", "use np.atleast_1d(x)")
    return TupleType((Type("array", "int64", (_count(front, a),)),) * rank)


def _flat_nonzero(front: Any, a: Any) -> Type:
    return Type("array", "int64", (_count(front, a),))


def _arg_where(front: Any, a: Any) -> Type:
    return Type("array", "int64", (_count(front, a), front.type_of(front.array(a)).rank))


def _compressed(front: Any, condition: Any, a: Any, axis: Any = None) -> Type:
    t, at = along(front, a, axis)
    shape = list(t.shape)
    mask = front.type_of(mask_of(front, condition))
    if mask.rank != 1 or mask.shape[0] != shape[at or 0]:
        raise Refusal("np.compress takes a mask as long as the axis")
    shape[at or 0] = _count(front, condition)
    return Type("array", t.dtype, tuple(shape))


def _extracted(front: Any, condition: Any, arr: Any) -> Type:
    t, _ = along(front, arr, None)
    mask = front.add("reshape", mask_of(front, condition), front.builder.const(-1), attr="C")
    if front.type_of(mask).shape != t.shape:
        raise Refusal("np.extract takes a mask of the array's shape")
    return Type("array", t.dtype, (_count(front, front.wrap(mask)),))


def register_rows() -> None:
    """Enter the rows of this family."""
    register(Op(name="index", infer=_index, vjp=_index_vjp, linear="first",
                live=_index_live, bounded=True,
                view=True, cost=0))  # fmt: skip
    register(Op(name="item", infer=item_type, bounded=True, view=True, cost=0))
    register(Op(name="count_true", infer=lambda types, attr, values: INT, bounded=True,
                call="numpy.count_nonzero", bind=_bind_count_nonzero,
                known=lambda types, atom: Dim.symbol(atom)))  # fmt: skip
    register(Op(name="index_set", infer=_update, vjp=_set_vjp, linear="all",
                live=_update_live, bounded=True,
                cost=0))  # fmt: skip
    register(Op(name="index_add", infer=_update, vjp=_add_vjp, linear="all",
                live=_update_live, bounded=True,
                call="numpy.add.at", bind=_bind_add_at))  # fmt: skip
    register(Op(name="index_sub", infer=_update, call="numpy.subtract.at", why="",
                bind=_bind_subtract_at))  # fmt: skip
    register_written("nonzero", "numpy.nonzero", ("nonzero",), result=_nonzero)
    register_written("flatnonzero", "numpy.flatnonzero", result=_flat_nonzero)
    register_written("argwhere", "numpy.argwhere", result=_arg_where)
    register_written("take", "numpy.take", ("take",), defined="indexing.take", bounded=True)
    register_written("take_along_axis", "numpy.take_along_axis",
                     defined="indexing.take_along_axis", bounded=True)  # fmt: skip
    register_written("choose", "numpy.choose", ("choose",), defined="indexing.choose",
                     bounded=True)  # fmt: skip
    register_written("select", "numpy.select", defined="indexing.select", bounded=True)
    register_written("compress", "numpy.compress", result=_compressed,
                     defined="indexing.compress", bounded=True)  # fmt: skip
    register_written("extract", "numpy.extract", result=_extracted, defined="indexing.extract",
                     bounded=True)  # fmt: skip
    for name, instead in (
        ("put", "a[indices] = values"), ("place", "a[mask] = values"),
        ("putmask", "a = np.where(mask, values, a)"), ("copyto", "a[...] = values"),
        ("put_along_axis", "a[rows, indices] = values"),
        ("fill_diagonal", "a[np.arange(n), np.arange(n)] = value"),
        ("piecewise", "np.where, or y = np.zeros_like(x) and y[mask] = f(x[mask])"),
        ("multiply.at", "a[indices] *= values, which counts an item once"),
        ("divide.at", "a[indices] /= values, which counts an item once"),
        ("maximum.at", "a[indices] = np.maximum(a[indices], values), for distinct indices"),
        ("minimum.at", "a[indices] = np.minimum(a[indices], values), for distinct indices"),
    ):  # fmt: skip
        unsupported(f"numpy.{name}", f"write {instead}")
