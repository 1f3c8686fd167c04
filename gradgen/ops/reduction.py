"""Reductions over axes, and cumulative sums and products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.shape import full_shape
from gradgen.ops.table import OPS, Op, register, register_written
from gradgen.types import Builder, Size, Type, array_type, axis_in, join, product


def reduced_shape(
    shape: Sequence[Size], axes: tuple[int, ...] | None, keepdims: bool
) -> list[Size]:
    """The shape after reducing over `axes` (None: all)."""
    gone = range(len(shape)) if axes is None else axes
    if keepdims:
        return [1 if i in gone else n for i, n in enumerate(shape)]
    return [n for i, n in enumerate(shape) if i not in gone]


def _reduce(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`attr` is (axes or None, keepdims, dtype or None)."""
    axes, keepdims, dtype = attr
    t = types[0]
    return array_type(dtype or _accumulator(t), reduced_shape(t.shape, axes, keepdims))


def _accumulator(t: Type) -> str:
    """The dtype in which NumPy adds up: small integers and bools in the widest ones."""
    dtype = {"float": "float64", "int": "int64", "bool": "int64"}.get(t.dtype, t.dtype)
    if dtype.startswith(("int", "uint")):
        return "uint64" if dtype.startswith("u") else "int64"
    return dtype


def _average(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    found = _reduce(types, attr, values)
    if attr[2] is not None and not found.is_float:
        raise Refusal(f"a mean in {attr[2]} is rounded", "take the mean in floats, then .astype")
    return found if found.is_float else array_type("float64", found.shape)


def _extreme(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    axes, keepdims, _ = attr
    dtype = {"float": "float64", "int": "int64"}.get(types[0].dtype, types[0].dtype)
    gone = types[0].shape if axes is None else [types[0].shape[i] for i in axes]
    if 0 in gone:
        raise Refusal("the maximum or minimum of no items", "give initial=")
    return array_type(dtype, reduced_shape(types[0].shape, axes, keepdims))


def _logical(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    axes, keepdims, _ = attr
    return array_type("bool", reduced_shape(types[0].shape, axes, keepdims))


def _cumulative(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`attr` is (axis or None, dtype or None)."""
    t = types[0]
    axis, dtype = attr
    return Type("array", dtype or _accumulator(t), (product(t.shape),) if axis is None else t.shape)


def _rows(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    t = types[0]
    if not t.shape:
        raise Refusal("sum() of a number", "sum() adds the items of a sequence")
    return array_type(t.dtype, t.shape[1:])


def _total(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    return join(types)


def expand(b: Builder, g: int, like: int, attr: Any) -> int:
    """`g`, the adjoint of a reduction of `like`, with the reduced axes put back as length 1."""
    axes, keepdims, _ = attr
    shape = b.type_of(g).shape
    if keepdims or axes is None or not shape:
        return g
    template = tuple("n" if i in axes else ("s", None, None, None)
                     for i in range(b.type_of(like).rank))  # fmt: skip
    return b.add("index", g, attr=template)


def _reduction_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    return (expand(b, live, b.args_of(node)[0], b.attr_of(node)),)


def _rows_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    return (expand(b, live, b.args_of(node)[0], ((0,), False, None)),)


def _share_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    """A softmax reads whole rows."""
    axes = b.attr_of(node)
    if not b.type_of(live).shape:
        return (live,)
    return (b.add("any", live, attr=(axes, axes is not None, None)),)


def count(b: Builder, x: int, axes: tuple[int, ...] | None) -> int:
    """The number of items that a reduction of `x` over `axes` takes together, as an integer."""
    shape = b.type_of(x).shape
    every = axes is None or len(axes) == len(shape)
    if every and len(shape) > 1 and any(not isinstance(n, int) for n in shape):
        return b.add("item_count", x)
    return b.size(product(n for i, n in enumerate(shape) if axes is None or i in axes))


def _sum_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    return (expand(b, g, b.args_of(node)[0], b.attr_of(node)),)


def _mean_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    (x,) = b.args_of(node)
    attr = b.attr_of(node)
    return (expand(b, b.add("div", g, count(b, x, attr[0])), x, attr),)


def _extreme_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    """Ties share the adjoint evenly."""
    (x,) = b.args_of(node)
    axes, keepdims, _ = b.attr_of(node)
    kept = b.add("eq", x, expand(b, node, x, (axes, keepdims, None)))
    dtype = b.type_of(x).dtype
    total = b.add("sum", kept, attr=(axes, keepdims, None if dtype == "float64" else dtype))
    share = b.add("div", g, total)
    return (b.add("mul", kept, expand(b, share, x, (axes, keepdims, None))),)


def _prod_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    """The product of the others, from the left and from the right, exact with zeros among them."""
    (x,) = b.args_of(node)
    axes, keepdims, _ = b.attr_of(node)
    rank = b.type_of(x).rank
    if rank == 0 or axes == ():
        return (g,)
    gone = tuple(range(rank)) if axes is None else axes
    others = _others(b, x, gone[0]) if len(gone) == 1 else _others_of_several(b, x, gone)
    return (b.add("mul", expand(b, g, x, (axes, keepdims, None)), others),)


def _others_of_several(b: Builder, x: int, axes: tuple[int, ...]) -> int:
    """The products of the other items, of which the axes were made one."""
    shape = b.type_of(x).shape
    sizes = [b.size(n) for n in shape]
    if len(axes) == len(shape):
        flat = b.add("reshape", x, b.const(-1), attr="C")
        return b.add("reshape", _others(b, flat, 0), *sizes, attr="C")
    order = (*(i for i in range(len(shape)) if i not in axes), *axes)
    turned = x if order == tuple(range(len(shape))) else b.add("transpose", x, attr=order)
    kept = [sizes[i] for i in order[: -len(axes)]]
    flat = b.add("reshape", turned, *kept, b.const(-1), attr="C")
    others = _others(b, flat, len(kept))
    back = b.add("reshape", others, *(sizes[i] for i in order), attr="C")
    if turned == x:
        return back
    return b.add("transpose", back, attr=tuple(order.index(i) for i in range(len(shape))))


def _others(b: Builder, x: int, axis: int) -> int:
    """For each item the product of the others along an axis."""
    every = ("s", None, None, None)

    def along(item: Any) -> tuple[Any, ...]:
        return tuple(item if i == axis else every for i in range(b.type_of(x).rank))

    def before(v: int) -> int:
        first = b.add("ones_like", b.add("index", v, attr=along(("s", None, 1, None))), attr=None)
        head = b.add("index", v, attr=along(("s", None, -1, None)))
        return b.add("concatenate", first, b.add("cumprod", head, attr=(axis, None)), attr=axis)

    backwards = along(("s", None, None, -1))
    after = b.add("index", before(b.add("index", x, attr=backwards)), attr=backwards)
    return b.add("mul", before(x), after)


def _cumsum_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    axis = b.attr_of(node)[0] or 0
    g = full_shape(b, g, b.type_of(node).shape)
    backwards = tuple(
        ("s", None, None, -1 if i == axis else None) for i in range(b.type_of(g).rank)
    )
    turned = b.add("cumsum", b.add("index", g, attr=backwards), attr=(axis, None))
    return (_unflattened(b, node, b.add("index", turned, attr=backwards)),)


def _unflattened(b: Builder, node: int, result: int) -> int:
    """An adjoint in the shape of the operand of a cumulative sum or product."""
    (x,) = b.args_of(node)
    t = b.type_of(x)
    if b.attr_of(node)[0] is None and t.rank != 1:
        return b.add("reshape", result, *(b.size(n) for n in t.shape), attr="C")
    return result


def _cumprod_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    """Row k of a matrix holds the cumulative product without item k: exact with zeros too.

    It takes the square of the length, but no division, and its derivative is exact as well.
    """
    (x,) = b.args_of(node)
    axis, dtype = b.attr_of(node)
    t = b.type_of(node)
    last = t.rank - 1
    if axis is None and b.type_of(x).rank != 1:
        x = b.add("reshape", x, b.const(-1), attr="C")
    order = tuple(last if i == axis else axis if i == last else i for i in range(t.rank))
    turn = axis is not None and axis != last
    g = full_shape(b, g, t.shape)
    if turn:
        x, g = b.add("transpose", x, attr=order), b.add("transpose", g, attr=order)
    every = ("s", None, None, None)
    place = b.add("arange", b.size(b.type_of(x).shape[last]))
    row = b.add("index", place, attr=(every, "n"))
    lines = b.add("index", x, attr=(*[every] * last, "n")) if last else x
    others = b.add("where", b.add("eq", row, place), b.const(1.0), lines)
    others = b.add("cumprod", others, attr=(last + 1, dtype))
    kept = b.add("where", b.add("le", row, place), others, b.const(0.0))
    if last:
        result = b.add("matmul", kept, b.add("index", g, attr=("e", "n")))
        result = b.add("index", result, attr=("e", ("i", 0)))
    else:
        result = b.add("matmul", kept, g)
    if turn:
        result = b.add("transpose", result, attr=order)
    return (_unflattened(b, node, result),)


def _rows_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    (x,) = b.args_of(node)
    return (expand(b, g, x, ((0,), False, None)),)


def _total_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    return tuple(g for _ in b.args_of(node))


def _log_sum_exp_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    (x,) = b.args_of(node)
    axes, keepdims, _ = b.attr_of(node)
    attr = (axes, keepdims, None)
    weights = b.add("exp", b.add("sub", x, expand(b, node, x, attr)))
    return (b.add("mul", expand(b, g, x, attr), weights),)


def _softmax_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    axes = b.attr_of(node)
    weighted = b.add("mul", g, node)
    total = b.add("sum", weighted, attr=(axes, axes is not None, None))
    return (b.add("sub", weighted, b.add("mul", node, total)),)


def _log_softmax_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    axes = b.attr_of(node)
    g = full_shape(b, g, b.type_of(node).shape)
    total = b.add("sum", g, attr=(axes, axes is not None, None))
    return (b.add("sub", g, b.add("mul", b.add("exp", node), total)),)


def axes_of(front: Any, axis: Any, rank: int) -> tuple[int, ...] | None:
    """The axes that a call names: sorted, non-negative; None for all."""
    axis = front.static(axis)
    if axis is None:
        return None
    items = axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(sorted(axis_in(front.static(a), rank) for a in items))
    if len(set(axes)) != len(axes):
        raise Refusal("duplicate value in 'axis'")
    return axes


def _bind(front: Any, name: str, a: Any, axis: Any, dtype: Any, keepdims: Any) -> Any:
    x = front.array(a)
    axes = axes_of(front, axis, front.type_of(x).rank)
    wanted = None if dtype is None else front.dtype(dtype)
    return front.add(name, x, attr=(axes, bool(front.static(keepdims)), wanted))


def _partial(
    front: Any, name: str, a: Any, axis: Any, dtype: Any, keepdims: Any, more: dict[str, Any]
) -> Any:
    """A call with initial= or where=, which stays as it is written."""
    row = OPS[f"{name}_where"]
    given = {"axis": axis, "dtype": dtype, "keepdims": front.static(keepdims) or None}
    words = {key: value for key, value in given.items() if value is not None}
    return front.call_row(row, None, [front.wrap(front.array(a))], words | more, row.call)


def _bind_total(name: str) -> Any:
    def bind(front: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
             keepdims: Any = False, **more: Any) -> Any:  # fmt: skip
        no_out(out)
        if more:
            return _partial(front, name, a, axis, dtype, keepdims, more)
        return _bind(front, name, a, axis, dtype, keepdims)

    return bind


def _bind_extreme(name: str) -> Any:
    def bind(front: Any, a: Any, axis: Any = None, out: Any = None, keepdims: Any = False,
             **more: Any) -> Any:  # fmt: skip
        no_out(out)
        if more:
            return _partial(front, name, a, axis, None, keepdims, more)
        return _bind(front, name, a, axis, None, keepdims)

    return bind


def _bind_logical(name: str) -> Any:
    def bind(front: Any, a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
        no_out(out)
        return _bind(front, name, a, axis, None, keepdims)

    return bind


def no_out(out: Any) -> None:
    """Refuse an array that a result would be written into."""
    if out is not None:
        raise Refusal("out= is not supported", "assign the result")


def _bind_cumulative(name: str) -> Any:
    def bind(front: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        no_out(out)
        x = front.array(a)
        rank = front.type_of(x).rank
        axis = front.static(axis)
        if isinstance(axis, tuple):
            raise Refusal(f"np.{name} takes one axis, or none")
        wanted = None if dtype is None else front.dtype(dtype)
        # NumPy takes a number as an array of length 1.
        at = None if axis is None or rank == 0 else axis_in(axis, rank)
        return front.add(name, x, attr=(0 if at is None and rank == 1 else at, wanted))

    return bind


def _bind_log_sum_exp(
    front: Any, a: Any, axis: Any = None, b: Any = None, keepdims: Any = False
) -> Any:
    if b is not None:
        words = {"axis": axis, "b": b} | ({} if keepdims is False else {"keepdims": keepdims})
        if axis is None:
            words.pop("axis")
        return front.call_row(OPS["weighted_logsumexp"], None, [a], words, "logsumexp")
    x = front.array(a)
    axes = axes_of(front, axis, front.type_of(x).rank)
    return front.add("logsumexp", x, attr=(axes, bool(front.static(keepdims)), None))


def _bind_softmax(name: str) -> Any:
    def bind(front: Any, x: Any, axis: Any = None) -> Any:
        operand = front.array(x)
        return front.add(name, operand, attr=axes_of(front, axis, front.type_of(operand).rank))

    return bind


def _same(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    t = types[0]
    return Type("array", t.dtype if t.is_float and t.kind != "py" else "float64", t.shape)


def register_rows() -> None:
    """Enter the rows of this family."""
    for name, infer, vjp, bind in (
        ("sum", _reduce, _sum_vjp, _bind_total),
        ("mean", _average, _mean_vjp, _bind_total),
        ("prod", _reduce, _prod_vjp, _bind_total),
        ("max", _extreme, _extreme_vjp, _bind_extreme),
        ("min", _extreme, _extreme_vjp, _bind_extreme),
    ):
        register_written(f"{name}_where", f"numpy.{name}", defined=f"statistics.{name}_where",
                         bounded=name not in ("prod", "mean"))  # fmt: skip
        # The plain call is the row that the name finds: entered last.
        aliases = (f"numpy.a{name}",) if bind is _bind_extreme else ()
        register(Op(name=name, infer=infer, vjp=vjp, call=f"numpy.{name}", aliases=aliases,
                    bind=bind(name), bounded=name != "prod", live=_reduction_live,
                    linear="first" if name in ("sum", "mean") else "",
                    curved=name not in ("sum", "mean")), (name,))  # fmt: skip
    for name in ("any", "all"):
        register(Op(name=name, infer=_logical, vjp=lambda b, node, g: (None,),
                    linear="constant",
                 call=f"numpy.{name}", bind=_bind_logical(name), bounded=True),
                 (name,))  # fmt: skip
    for name, vjp in (("cumsum", _cumsum_vjp), ("cumprod", _cumprod_vjp)):
        register(Op(name=name, infer=_cumulative, vjp=vjp, call=f"numpy.{name}",
                    bind=_bind_cumulative(name), bounded=name == "cumsum",
                    linear="first" if name == "cumsum" else "",
                    curved=name == "cumprod"), (name,))  # fmt: skip
    register(Op(name="sum_rows", infer=_rows, vjp=_rows_vjp, linear="first", live=_rows_live,
                bounded=True))  # fmt: skip
    register(Op(name="total", infer=_total, vjp=_total_vjp, live=_total_vjp,
                bounded=True))  # fmt: skip
    register(Op(name="logsumexp", infer=lambda t, a, v: _average(t, a, v), vjp=_log_sum_exp_vjp,
                call="scipy.special.logsumexp", bind=_bind_log_sum_exp, cost=30,
                live=_reduction_live, curved=True))  # fmt: skip
    register(Op(name="softmax", infer=_same, vjp=_softmax_vjp, call="scipy.special.softmax",
                bind=_bind_softmax("softmax"), cost=30, bounded=True, live=_share_live,
                curved=True))  # fmt: skip
    register(Op(name="log_softmax", infer=_same, vjp=_log_softmax_vjp, cost=30,
                call="scipy.special.log_softmax", bind=_bind_softmax("log_softmax"),
                live=_share_live, curved=True))  # fmt: skip
