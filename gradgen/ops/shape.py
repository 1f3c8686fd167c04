"""Operations that move lanes around: reshape, transpose, joining, broadcasting, casts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
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

# The types of NumPy that are called as functions.
CASTS = (
    "float64", "float32", "float16", "longdouble", "double", "single", "int8", "int16", "int32",
    "int64", "uint8", "uint16", "uint32", "uint64", "intp", "bool_", "bool", "complex128",
)  # fmt: skip


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


def strict_dtype(types: Sequence[Type]) -> str:
    """The dtype of an array made of these items: Python numbers count as 64-bit ones."""
    strict = {"float": "float64", "int": "int64"}
    return promote(tuple(("array", strict.get(t.dtype, t.dtype)) for t in types))


def _array(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`attr` is (shape of the nesting, dtype or None): `np.array([[a, b], [c, d]])` has (2, 2)."""
    nesting, dtype = attr
    if any(t.shape != types[0].shape for t in types):
        raise Refusal("the items of np.array([...]) differ in shape: "
                      + " and ".join(map(str, types)))  # fmt: skip
    found = dtype or (strict_dtype(types) if types else "float64")
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
    """What an array becomes is an array, without axes too."""
    t = types[0]
    return Type("array" if t.kind == "array" else "scalar", attr, t.shape)


def _axis_size(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    axis_in(attr, types[0].rank)
    return INT


def full_shape(b: Builder, g: int, shape: Shape) -> int:
    """`g` broadcast to `shape`, unless it has it."""
    if b.type_of(g).shape == shape:
        return g
    return b.add("broadcast_to", g, *(b.size(n) for n in shape))


def spread(b: Builder, g: int, t: Type) -> int:
    """`g` with the shape of a type; a number as an array of its own, which may be stored into."""
    if b.type_of(g).shape or not t.shape:
        return full_shape(b, g, t.shape)
    if b.is_op(g, "const") and b.value_of(g) == 1.0:
        return b.add("ones", *(b.size(n) for n in t.shape), attr=_not_default(t.dtype))
    return _full(b, g, t)


def _full(b: Builder, value: int, t: Type) -> int:
    """An array of one number, which has the dtype of the type also where it is an integer."""
    is_float = isinstance(b.value_of(value), float) or b.is_op(value, "div")
    exact = t.dtype == "float64" and is_float
    return b.add("full", value, *(b.size(n) for n in t.shape), attr=None if exact else t.dtype)


def _not_default(dtype: str) -> str | None:
    return None if dtype == "float64" else dtype


def filled(b: Builder, name: str, like: int, dtype: str = "") -> int:
    """An array of `zeros` or `ones` with the shape of a node, and with its dtype or another."""
    t = b.type_of(like)
    dtype = dtype or t.dtype
    try:
        sizes = [b.size(n) for n in t.shape]
    except NeedsLength:
        return b.add(f"{name}_like", like, attr=None if dtype == t.dtype else dtype)
    return b.add(name, *sizes, attr=_not_default(dtype))


def full_of(b: Builder, value: int, like: int) -> int:
    """An array of one number with the shape of a node, and with the dtype that it is declared.

    With that of what is given, `np.full_like` would cut off the fraction for an array of integers.
    """
    t = b.type_of(like)
    try:
        return _full(b, value, t)
    except NeedsLength:
        return b.add("full_like", like, value, attr=t.dtype)


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


def _made_array(front: Any, value: Any) -> int:
    """The node of an operand; of a Python number NumPy's functions make an array."""
    node: int = front.array(value)
    if front.type_of(node).kind == "py":
        return int(front.add("array", node, attr=((), None)))
    return node


def _bind_reshape(
    front: Any, a: Any, /, *sizes: Any, shape: Any = None, order: Any = "C", copy: Any = None
) -> Any:
    x = _made_array(front, a)
    if sizes and isinstance(sizes[-1], str):
        *sizes, order = sizes  # type: ignore[assignment]
    if shape is None:
        shape = sizes[0] if len(sizes) == 1 else sizes
    lengths = shape_nodes(front, shape)
    node = front.add("reshape", x, *lengths, attr=_order(front, order))
    return front.add("copy", node) if front.static(copy) else front.view(a, node)


def _order(front: Any, order: Any) -> str:
    order = front.static(order)
    if order not in ("C", "F"):
        raise Refusal(f"order={order!r} depends on the memory layout", "use order='C' or 'F'")
    return str(order)


def _bind_ravel(front: Any, a: Any, order: Any = "C") -> Any:
    x = _made_array(front, a)
    return front.view(a, front.add("reshape", x, front.node(-1), attr=_order(front, order)))


def _bind_flatten(front: Any, a: Any, order: Any = "C") -> Any:
    x = front.array(a)
    return front.wrap(front.add("flatten", x, front.node(-1), attr=_order(front, order)))


def _bind_transpose(front: Any, a: Any, *given: Any, axes: Any = None) -> Any:
    x = _made_array(front, a)
    rank = front.type_of(x).rank
    order = given or axes
    if len(given) == 1 and (given[0] is None or front.is_sequence(given[0])):
        (order,) = given
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


def _axes(front: Any, axes: Any, rank: int) -> list[int]:
    """The axes of an integer or a sequence of integers. Raises `Refusal` for a repeated one."""
    known = front.static(axes)
    found = [axis_in(k, rank) for k in (known if isinstance(known, tuple) else (known,))]
    if len(set(found)) < len(found):
        raise Refusal("repeated axis")
    return found


def _bind_moveaxis(front: Any, a: Any, source: Any, destination: Any) -> Any:
    rank = front.type_of(front.array(a)).rank
    old, new = _axes(front, source, rank), _axes(front, destination, rank)
    if len(old) != len(new):
        raise Refusal("`source` and `destination` must have the same number of axes")
    order = [k for k in range(rank) if k not in old]
    for place, axis in sorted(zip(new, old, strict=True)):
        order.insert(place, axis)
    return _bind_transpose(front, a, tuple(order))


def _bind_rollaxis(front: Any, a: Any, axis: Any, start: Any = 0) -> Any:
    rank = front.type_of(front.array(a)).rank
    axis, start = axis_in(front.static(axis), rank), front.static(start)
    start = axis_in(start, rank + 1) if start >= 0 else start + rank
    order = [k for k in range(rank) if k != axis]
    order.insert(start - (axis < start), axis)
    return _bind_transpose(front, a, tuple(order))


def _bind_atleast(least: int) -> Any:
    """`np.atleast_1d` to `np.atleast_3d`: an array with axes enough is given back itself."""

    def one(front: Any, value: Any) -> Any:
        node = front.array(value)
        rank = front.type_of(node).rank
        if front.is_sequence(value) and rank:
            value = front.wrap(node)
        if rank >= least:
            return value
        if rank == 0:
            if front.type_of(node).kind == "array":
                ones = [front.builder.const(1)] * least
                return front.view(value, front.add("reshape", node, *ones, attr="C"))
            return front.wrap(front.add("array", node, attr=((1,) * least, None)))
        every = ("s", None, None, None)
        template = {1: ("n", every), 2: (every, every)}[rank]
        return front.index(value, template if least == 2 else (*template, "n"))

    def bind(front: Any, *arrays: Any) -> Any:
        found = tuple(one(front, value) for value in arrays)
        return found[0] if len(found) == 1 else found

    return bind


def _bind_array(front: Any, a: Any, dtype: Any = None, *, copy: Any = True, ndmin: Any = 0) -> Any:
    if not front.static(copy):
        return _bind_asarray(front, a, dtype)
    if front.static(ndmin):
        raise Refusal("ndmin= is not supported", "add axes with None: x[None]")
    wanted = None if dtype is None else front.dtype(dtype)
    if not front.is_sequence(a):
        node = front.array(a)
        if wanted in (None, front.type_of(node).dtype):
            return front.add("copy", node, attr="numpy.array")
        if front.type_of(node).kind == "array":
            return front.add("astype", node, attr=wanted)
        return front.add("array", node, attr=((), wanted))
    flat, nesting = [a], []
    while flat and all(front.is_sequence(item) for item in flat):
        lengths = {len(front.items(item)) for item in flat}
        if len(lengths) > 1:
            raise Refusal("np.array of sequences of different lengths")
        nesting.append(lengths.pop())
        flat = [inner for item in flat for inner in front.items(item)]
    return front.add("array", *(front.node(i) for i in flat), attr=(tuple(nesting), wanted))


def _bind_asarray(front: Any, a: Any, dtype: Any = None, *, copy: Any = None) -> Any:
    if front.static(copy):
        return _bind_array(front, a, dtype)
    if front.is_sequence(a):
        return _bind_array(front, a, dtype)
    node = front.array(a)
    t = front.type_of(node)
    wanted = t.dtype if dtype is None else front.dtype(dtype)
    if t.kind == "array" and wanted == t.dtype:
        return a
    return _bind_array(front, a, dtype)


def _bind_contiguous(front: Any, a: Any, dtype: Any = None) -> Any:
    """An array with an axis at least; whether it is the array given depends on its layout."""
    found = _bind_asarray(front, a, dtype)
    node = found if isinstance(found, int) else front.array(found)
    if not front.type_of(node).shape:
        return _bind_atleast(1)(front, front.wrap(node))
    return front.view(found, node) if found is a else found


def _bind_copy(front: Any, a: Any, order: Any = None) -> Any:
    """`np.copy` keeps the layout in memory where the method makes a new one, hence the spelling."""
    if order is not None and front.static(order) != "C":
        raise Refusal(f"order={front.static(order)!r} is not supported here", "leave it out")
    node = front.array(a)
    # a NumPy scalar cannot change
    return node if front.type_of(node).kind == "scalar" else front.add("copy", node)


def _bind_copy_call(front: Any, a: Any) -> Any:
    return front.add("copy", front.array(a), attr="numpy.copy")


def _bind_astype(
    front: Any, a: Any, dtype: Any, *, casting: Any = "unsafe", copy: Any = True
) -> Any:
    wanted, node = front.dtype(dtype), front.array(a)
    if front.static(casting) != "unsafe":
        raise Refusal("casting= is not supported", "leave it out")
    if not front.static(copy) and front.type_of(node).dtype == wanted:
        return a
    return front.add("astype", node, attr=wanted)


def _bind_cast(name: str) -> Any:
    """`np.float32(x)`: an array stays one, but for one without axes, which becomes a scalar."""

    def bind(front: Any, x: Any = 0, /) -> Any:
        node = front.array(x)
        t = front.type_of(node)
        if t.kind == "array" and not t.shape:
            node = front.add("index", node, attr=())
        cast = front.add("astype", node, attr=front.dtype(name))
        # NumPy gives back an array of this dtype itself where its layout allows
        return front.view(x, cast) if t.shape and t.dtype == front.dtype(name) else cast

    return bind


def _bind_broadcast_to(front: Any, array: Any, shape: Any) -> Any:
    node = front.add("broadcast_to", front.array(array), *shape_nodes(front, shape))
    return front.view(array, node)


def _bind_broadcast_arrays(front: Any, *args: Any) -> Any:
    """Arrays that have the common shape already are given back themselves, if all have it."""
    nodes = [front.array(a) for a in args]
    types = [front.type_of(n) for n in nodes]
    shape = broadcast([t.shape for t in types]) if types else ()
    if all(t.shape == shape and t.kind == "array" for t in types):
        pairs = zip(args, nodes, strict=True)
        return tuple(a if not front.is_sequence(a) else front.wrap(n) for a, n in pairs)
    sizes = [front.builder.size(n) for n in shape]
    wide = [front.add("broadcast_to", node, *sizes) for node in nodes]
    return tuple(front.view(a, w) for a, w in zip(args, wide, strict=True))


def _bind_expand_dims(front: Any, a: Any, axis: Any) -> Any:
    axis = front.static(axis)
    items = axis if isinstance(axis, tuple) else (axis,)
    node = _made_array(front, a)
    if node != front.array(a):
        a = front.wrap(node)
    rank = front.type_of(node).rank + len(items)
    axes = {axis_in(front.static(i), rank) for i in items}
    every = ("s", None, None, None)
    return front.index(a, tuple("n" if i in axes else every for i in range(rank)))


def _bind_ndim(front: Any, a: Any) -> Any:
    return front.builder.const(front.type_of(front.array(a)).rank)


def _bind_shape(front: Any, a: Any) -> Any:
    node = front.array(a)
    rank = front.type_of(node).rank
    return tuple(front.wrap(front.add("axis_size", node, attr=k)) for k in range(rank))


def _bind_size(front: Any, a: Any, axis: Any = None) -> Any:
    node = front.array(a)
    axis = front.static(axis)
    rank = front.type_of(node).rank
    if axis is None:
        return front.add("item_count", node) if rank else front.builder.const(1)
    axes = axis if isinstance(axis, tuple) else (axis,)
    sizes = [front.add("axis_size", node, attr=axis_in(k, rank)) for k in axes]
    return reduce(lambda one, other: front.add("mul", one, other), sizes, front.builder.const(1))


def register_rows() -> None:
    """Enter the rows of this family."""
    for name, bind in (("ndim", _bind_ndim), ("shape", _bind_shape), ("size", _bind_size)):
        register(Op(name=name, infer=_axis_size, call=f"numpy.{name}", bind=bind))
    register(Op(name="reshape", infer=_reshape, vjp=_reshape_vjp, linear="first",
                call="numpy.reshape", view=True,
                live=_reshape_vjp,
                bind=_bind_reshape, bounded=True, cost=0), ("reshape",))  # fmt: skip
    register(Op(name="ravel", infer=_reshape, bind=_bind_ravel, call="numpy.ravel"), ("ravel",))
    # always a copy, which a caller may keep and change
    register(Op(name="flatten", infer=_reshape, vjp=_reshape_vjp, linear="first", live=_reshape_vjp,
                bind=_bind_flatten, bounded=True, cost=0), ("flatten",))  # fmt: skip
    register(Op(name="transpose", infer=_transpose, vjp=_transpose_vjp, linear="first",
                call="numpy.transpose",
                live=_transpose_vjp,
                aliases=("numpy.permute_dims",),
                view=True, bind=_bind_transpose, bounded=True, cost=0), ("transpose",))  # fmt: skip
    orders: dict[str, Any] = {
        "swapaxes": _bind_swapaxes, "moveaxis": _bind_moveaxis, "rollaxis": _bind_rollaxis,
    }  # fmt: skip
    for name, order in orders.items():
        register(Op(name=name, infer=_transpose, bind=order, call=f"numpy.{name}"),
                 ("swapaxes",) if name == "swapaxes" else ())  # fmt: skip
    for least in (1, 2, 3):
        register(Op(name=f"atleast_{least}d", infer=_copy, bind=_bind_atleast(least),
                    call=f"numpy.atleast_{least}d"))  # fmt: skip
    register(Op(name="broadcast_arrays", infer=_copy, bind=_bind_broadcast_arrays,
                call="numpy.broadcast_arrays"))  # fmt: skip
    register(Op(name="array", infer=_array, vjp=_array_vjp, linear="all",
                call="numpy.array", bounded=True,
                live=_array_vjp,
                bind=_bind_array))  # fmt: skip
    register(Op(name="asarray", infer=_array, call="numpy.asarray", bind=_bind_asarray,
                aliases=("numpy.asanyarray",)))  # fmt: skip
    register(Op(name="ascontiguousarray", infer=_array, call="numpy.ascontiguousarray",
                bind=_bind_contiguous))  # fmt: skip
    register(Op(name="broadcast_to", infer=_broadcast_to, vjp=_first, linear="first",
                call="numpy.broadcast_to",
                live=_first,
                view=True, bind=_bind_broadcast_to, bounded=True, cost=0))  # fmt: skip
    register(Op(name="expand_dims", infer=_copy, call="numpy.expand_dims",
                bind=_bind_expand_dims, why=""))  # fmt: skip
    register(Op(name="copy", infer=_copy, vjp=_first, linear="first", bind=_bind_copy, live=_first,
                bounded=True, fresh=True, cost=0), ("copy",))  # fmt: skip
    register(Op(name="copy_call", infer=_copy, call="numpy.copy", bind=_bind_copy_call))
    register(Op(name="astype", infer=_astype, vjp=_first, linear="first",
                bind=_bind_astype, bounded=True,
                live=_first, call="numpy.astype", cost=0), ("astype",))  # fmt: skip
    for name in CASTS:
        register(Op(name=name, infer=_astype, bind=_bind_cast(name), call=f"numpy.{name}"))
    register(Op(name="axis_size", infer=_axis_size, vjp=_none, linear="constant",
                bounded=True, cost=0,
                known=lambda types, axis: types[0].shape[axis]))  # fmt: skip
    register(Op(name="item_count", infer=lambda t, a, v: INT, vjp=_none, linear="constant",
                bounded=True, cost=0,
                known=lambda types, attr: product(types[0].shape)))  # fmt: skip
