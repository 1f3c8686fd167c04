"""Operations that move lanes around: reshape, transpose, joining, broadcasting, casts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.table import Op, register
from gradgen.types import (
    INT,
    Builder,
    Dim,
    Shape,
    Size,
    Type,
    array_type,
    axis_in,
    broadcast,
    product,
    promote,
)


def sizes_from(values: Sequence[Any]) -> Shape:
    """A shape from the known values of its nodes."""
    for value in values:
        if not isinstance(value, (int, Dim)) or isinstance(value, bool):
            raise NeedsLength("a shape must be known while compiling")
    return tuple(values)


def _reshape(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    sizes: list[Size] = list(sizes_from(values[1:]))
    total = product(types[0].shape)
    if sizes.count(-1) == 1:
        rest = product(n for n in sizes if n != -1)
        at = sizes.index(-1)
        if rest == 0 or (isinstance(rest, int) and isinstance(total, int) and total % rest):
            raise Refusal(f"cannot reshape {types[0]} into shape {tuple(sizes)}")
        sizes[at] = _quotient(total, rest)
    elif product(sizes) != total:
        _refuse_reshape(types[0], sizes, total)
    return array_type(types[0].dtype, sizes)


def _quotient(total: Size, rest: Size) -> Size:
    if total == rest:
        return 1
    if isinstance(total, Dim) and isinstance(rest, Dim) and len(rest.terms) == 1:
        (atoms, count) = rest.terms[0]
        left: list[tuple[tuple[str, ...], int]] = []
        for have, n in total.terms:
            names = list(have)
            for atom in atoms:
                if atom in names:
                    names.remove(atom)
            if n % count or len(names) != len(have) - len(atoms):
                raise NeedsLength(f"the length ({total})/({rest}) is not known while compiling")
            left.append((tuple(names), n // count))
        return Dim(tuple(left)) if left and left[0][0] else left[0][1]
    return total // rest if isinstance(rest, int) else Dim.symbol(f"({total})//({rest})")


def _refuse_reshape(t: Type, sizes: Sequence[Size], total: Size) -> None:
    message = f"cannot reshape {t} into shape ({', '.join(map(str, sizes))})"
    if isinstance(total, Dim) or isinstance(product(sizes), Dim):
        raise NeedsLength(message, "declare the lengths as numbers in shapes")
    raise Refusal(message)


def _transpose(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    t = types[0]
    order = range(t.rank)[::-1] if attr is None else attr
    return Type(t.kind, t.dtype, tuple(t.shape[i] for i in order))


def _concatenate(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    if any(t.rank != types[0].rank or not t.shape for t in types):
        raise Refusal("np.concatenate takes arrays of one rank, at least 1")
    others = {tuple(n for i, n in enumerate(t.shape) if i != attr) for t in types}
    if len(others) > 1:
        raise Refusal("np.concatenate: the arrays differ in another axis than the joined one: "
                      + " and ".join(map(str, types)))  # fmt: skip
    total: Size = 0
    for t in types:
        total = total + t.shape[attr]
    shape = [total if i == attr else n for i, n in enumerate(types[0].shape)]
    return array_type(promote(tuple((t.kind, t.dtype) for t in types)), shape)


def _strict_dtype(types: Sequence[Type]) -> str:
    """The dtype of an array made of these items: Python numbers count as 64-bit ones."""
    strict = {"float": "float64", "int": "int64"}
    return promote(tuple(("array", strict.get(t.dtype, t.dtype)) for t in types))


def _stack(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    if any(t.shape != types[0].shape for t in types):
        raise Refusal("all input arrays must have the same shape: " + " and ".join(map(str, types)))
    shape = list(types[0].shape)
    shape.insert(attr, len(types))
    return array_type(_strict_dtype(types), shape)


def _array(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`attr` is (shape of the nesting, dtype or None): `np.array([[a, b], [c, d]])` has (2, 2)."""
    nesting, dtype = attr
    if any(t.shape != types[0].shape for t in types):
        raise Refusal("the items of np.array([...]) differ in shape: "
                      + " and ".join(map(str, types)))  # fmt: skip
    found = dtype or (_strict_dtype(types) if types else "float64")
    return Type("array", found, (*nesting, *(types[0].shape if types else ())))


def broadcast_into(t: Type, shape: Shape) -> Shape:
    """`shape`. Raises `Refusal` where a value of type `t` does not broadcast to it."""
    if t.rank > len(shape) or broadcast([t.shape, shape]) != shape:
        raise Refusal(f"{t} does not broadcast to ({', '.join(map(str, shape))})")
    return shape


def _broadcast_to(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    shape = broadcast_into(types[0], sizes_from(values[1:]))
    dtype = {"float": "float64", "int": "int64"}.get(types[0].dtype, types[0].dtype)
    return Type("array", dtype, shape)


def _copy(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    t = types[0]
    return Type("array", {"float": "float64", "int": "int64"}.get(t.dtype, t.dtype), t.shape)


def _astype(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    t = types[0]
    return Type("array" if t.shape else "scalar", attr, t.shape)


def _axis_size(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    axis_in(attr, types[0].rank)
    return INT


def full_shape(b: Builder, g: int, shape: Shape) -> int:
    """`g` broadcast to `shape`, unless it has it."""
    if b.type_of(g).shape == shape:
        return g
    return b.add("broadcast_to", g, *(b.size(n) for n in shape))


def _reshape_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    x, *sizes = b.args_of(node)
    rest = [None] * len(sizes)
    shape = b.type_of(x).shape
    if not b.type_of(g).shape and shape:
        return (g, *rest)
    g = full_shape(b, g, b.type_of(node).shape)
    return (b.add("reshape", g, *(b.size(n) for n in shape), attr=b.attr_of(node)), *rest)


def _transpose_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    if not b.type_of(g).shape:
        return (g,)
    g = full_shape(b, g, b.type_of(node).shape)
    order = b.attr_of(node)
    if order is None:
        return (b.add("transpose", g),)
    back = tuple(sorted(range(len(order)), key=order.__getitem__))
    return (b.add("transpose", g, attr=back),)


def _concatenate_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    axis = b.attr_of(node)
    args = b.args_of(node)
    if not b.type_of(g).shape:
        return tuple(g for _ in args)
    g = full_shape(b, g, b.type_of(node).shape)
    parts = []
    start: Size = 0
    for number, x in enumerate(args):
        stop = start + b.type_of(x).shape[axis]
        last = number == len(args) - 1
        parts.append(cut(b, g, axis, None if start == 0 else start, None if last else stop))
        start = stop
    return parts


def cut(b: Builder, g: int, axis: int, start: Size | None, stop: Size | None) -> int:
    """`g[..., start:stop, ...]` along `axis`."""
    operands: list[int] = []

    def bound(size: Size | None) -> Any:
        if isinstance(size, Dim):
            operands.append(b.size(size))
            return "a"
        return size

    every = ("s", None, None, None)
    template = tuple([every] * axis + [("s", bound(start), bound(stop), None)])
    return b.add("index", g, *operands, attr=template)


def _stack_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    args = b.args_of(node)
    if not b.type_of(g).shape:
        return tuple(g for _ in args)
    g = full_shape(b, g, b.type_of(node).shape)
    every = (("s", None, None, None),) * b.attr_of(node)
    return [b.add("index", g, attr=(*every, ("i", k))) for k in range(len(args))]


def _array_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    args = b.args_of(node)
    if not b.type_of(g).shape:
        return tuple(g for _ in args)
    g = full_shape(b, g, b.type_of(node).shape)
    nesting = b.attr_of(node)[0]
    parts = []
    for number in range(len(args)):
        place = []
        for length in reversed(nesting):
            number, k = divmod(number, length)
            place.append(("i", k))
        parts.append(b.add("index", g, attr=tuple(reversed(place))) if nesting else g)
    return parts


def _first(b: Builder, node: int, g: int) -> Sequence[int | None]:
    """The adjoint goes to the first argument unchanged; the driver undoes broadcasts and casts."""
    return (g, *([None] * (len(b.args_of(node)) - 1)))


def _none(b: Builder, node: int, g: int) -> Sequence[int | None]:
    return tuple(None for _ in b.args_of(node))


def shape_nodes(front: Any, shape: Any) -> list[int]:
    """The nodes of a shape given as an integer, or as a tuple or list of integers."""
    items = front.items(shape) if front.is_sequence(shape) else [shape]
    return [front.node(item) for item in items]


def _bind_reshape(front: Any, a: Any, *shape: Any, order: Any = "C") -> Any:
    x = front.array(a)
    sizes = shape_nodes(front, shape[0] if len(shape) == 1 else shape)
    return front.view(a, front.add("reshape", x, *sizes, attr=_order(front, order)))


def _order(front: Any, order: Any) -> str:
    order = front.static(order)
    if order not in ("C", "F"):
        raise Refusal(f"order={order!r} depends on the memory layout", "use order='C' or 'F'")
    return str(order)


def _bind_ravel(front: Any, a: Any, order: Any = "C") -> Any:
    x = front.array(a)
    return front.view(a, front.add("reshape", x, front.node(-1), attr=_order(front, order)))


def _bind_flatten(front: Any, a: Any, order: Any = "C") -> Any:
    x = front.array(a)
    return front.wrap(front.add("reshape", x, front.node(-1), attr=_order(front, order)))


def _bind_transpose(front: Any, a: Any, *axes: Any) -> Any:
    x = front.array(a)
    rank = front.type_of(x).rank
    order = axes[0] if len(axes) == 1 and (axes[0] is None or front.is_sequence(axes[0])) else axes
    if order is None or order == ():
        return front.view(a, front.add("transpose", x) if rank > 1 else x)
    permutation = tuple(axis_in(front.static(i), rank) for i in front.items(order))
    if sorted(permutation) != list(range(rank)):
        raise Refusal("axes don't match array")
    plain = permutation == tuple(range(rank))[::-1]
    return front.view(a, front.add("transpose", x, attr=None if plain else permutation))


def _bind_swapaxes(front: Any, a: Any, axis1: Any, axis2: Any) -> Any:
    rank = front.type_of(front.array(a)).rank
    order = list(range(rank))
    i, j = (axis_in(front.static(k), rank) for k in (axis1, axis2))
    order[i], order[j] = order[j], order[i]
    return _bind_transpose(front, a, tuple(order))


def _bind_concatenate(front: Any, arrays: Any, axis: Any = 0) -> Any:
    parts = [front.array(item) for item in front.items(arrays)]
    if not parts:
        raise Refusal("need at least one array to concatenate")
    at = axis_in(front.static(axis), max(front.type_of(parts[0]).rank, 1))
    return front.add("concatenate", *parts, attr=at)


def _bind_stack(front: Any, arrays: Any, axis: Any = 0) -> Any:
    parts = [front.array(item) for item in front.items(arrays)]
    if not parts:
        raise Refusal("need at least one array to stack")
    return front.add(
        "stack", *parts, attr=axis_in(front.static(axis), front.type_of(parts[0]).rank + 1)
    )


def _bind_array(front: Any, a: Any, dtype: Any = None) -> Any:
    wanted = None if dtype is None else front.dtype(dtype)
    if not front.is_sequence(a):
        copied = front.add("copy", front.array(a))
        return copied if wanted is None else front.add("astype", copied, attr=wanted)
    flat, nesting = [a], []
    while flat and all(front.is_sequence(item) for item in flat):
        lengths = {len(front.items(item)) for item in flat}
        if len(lengths) > 1:
            raise Refusal("np.array of sequences of different lengths")
        nesting.append(lengths.pop())
        flat = [inner for item in flat for inner in front.items(item)]
    return front.add("array", *(front.node(i) for i in flat), attr=(tuple(nesting), wanted))


def _bind_asarray(front: Any, a: Any, dtype: Any = None) -> Any:
    if front.is_sequence(a):
        return _bind_array(front, a, dtype)
    node = front.array(a)
    t = front.type_of(node)
    wanted = t.dtype if dtype is None else front.dtype(dtype)
    if t.kind == "array" and wanted == t.dtype:
        return a
    return _bind_array(front, a, dtype)


def _bind_copy(front: Any, a: Any) -> Any:
    return front.add("copy", front.array(a))


def _bind_astype(front: Any, a: Any, dtype: Any) -> Any:
    wanted = front.dtype(dtype)
    return front.add("astype", front.array(a), attr=wanted)


def _bind_broadcast_to(front: Any, array: Any, shape: Any) -> Any:
    node = front.add("broadcast_to", front.array(array), *shape_nodes(front, shape))
    return front.view(array, node)


def _bind_expand_dims(front: Any, a: Any, axis: Any) -> Any:
    axis = front.static(axis)
    items = axis if isinstance(axis, tuple) else (axis,)
    rank = front.type_of(front.array(a)).rank + len(items)
    axes = {axis_in(front.static(i), rank) for i in items}
    every = ("s", None, None, None)
    return front.index(a, tuple("n" if i in axes else every for i in range(rank)))


def register_rows() -> None:
    """Enter the rows of this family."""
    register(Op(name="reshape", infer=_reshape, vjp=_reshape_vjp, call="numpy.reshape", view=True,
                live=_reshape_vjp,
                bind=_bind_reshape, bounded=True, cost=0), ("reshape",))  # fmt: skip
    for name, bind in (("ravel", _bind_ravel), ("flatten", _bind_flatten)):
        register(Op(name=name, infer=_reshape, bind=bind, why="",
                    call="numpy.ravel" if name == "ravel" else ""), (name,))  # fmt: skip
    register(Op(name="transpose", infer=_transpose, vjp=_transpose_vjp, call="numpy.transpose",
                live=_transpose_vjp,
                view=True, bind=_bind_transpose, bounded=True, cost=0), ("transpose",))  # fmt: skip
    register(Op(name="swapaxes", infer=_transpose, bind=_bind_swapaxes, call="numpy.swapaxes",
                why=""), ("swapaxes",))  # fmt: skip
    register(Op(name="concatenate", infer=_concatenate, vjp=_concatenate_vjp, bounded=True,
                live=_concatenate_vjp,
                call="numpy.concatenate", bind=_bind_concatenate))  # fmt: skip
    register(Op(name="stack", infer=_stack, vjp=_stack_vjp, call="numpy.stack", bounded=True,
                live=_stack_vjp,
                bind=_bind_stack))  # fmt: skip
    register(Op(name="array", infer=_array, vjp=_array_vjp, call="numpy.array", bounded=True,
                live=_array_vjp,
                bind=_bind_array))  # fmt: skip
    register(Op(name="asarray", infer=_array, call="numpy.asarray", bind=_bind_asarray, why=""))
    register(Op(name="broadcast_to", infer=_broadcast_to, vjp=_first, call="numpy.broadcast_to",
                live=_first,
                view=True, bind=_bind_broadcast_to, bounded=True, cost=0))  # fmt: skip
    register(Op(name="expand_dims", infer=_copy, call="numpy.expand_dims",
                bind=_bind_expand_dims, why=""))  # fmt: skip
    register(Op(name="copy", infer=_copy, vjp=_first, call="numpy.copy", bind=_bind_copy,
                live=_first,
                bounded=True, fresh=True, cost=0), ("copy",))  # fmt: skip
    register(Op(name="astype", infer=_astype, vjp=_first, bind=_bind_astype, bounded=True,
                live=_first,
                cost=0), ("astype",))  # fmt: skip
    register(Op(name="axis_size", infer=_axis_size, vjp=_none, bounded=True, cost=0,
                known=lambda types, axis: types[0].shape[axis]))  # fmt: skip
    register(Op(name="item_count", infer=lambda t, a, v: INT, vjp=_none, bounded=True, cost=0,
                known=lambda types, attr: product(types[0].shape)))  # fmt: skip
