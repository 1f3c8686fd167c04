"""Reductions over axes, and cumulative sums and products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.shape import full_shape
from gradgen.ops.table import Op, register
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
    if dtype is None:
        dtype = {"float": "float64", "int": "int64", "bool": "int64"}.get(t.dtype, t.dtype)
        if dtype.startswith(("int", "uint")):
            dtype = "uint64" if dtype.startswith("u") else "int64"
    return array_type(dtype, reduced_shape(t.shape, axes, keepdims))


def _average(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    found = _reduce(types, attr, values)
    return found if found.is_float else array_type("float64", found.shape)


def _extreme(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    axes, keepdims, _ = attr
    dtype = {"float": "float64", "int": "int64"}.get(types[0].dtype, types[0].dtype)
    return array_type(dtype, reduced_shape(types[0].shape, axes, keepdims))


def _logical(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    return array_type("bool", _extreme(types, attr, values).shape)


def _cumulative(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    t = types[0]
    if attr is None:
        return Type("array", t.dtype, (product(t.shape),))
    return Type("array", t.dtype, t.shape)


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
    if axes is None and len(shape) > 1 and any(not isinstance(n, int) for n in shape):
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
    if axes is None and rank > 1:
        flat = b.add("reshape", x, b.const(-1), attr="C")
        share = b.add("mul", g, _others(b, flat, 0))
        return (b.add("reshape", share, *(b.size(n) for n in b.type_of(x).shape), attr="C"),)
    if axes is not None and len(axes) > 1:
        raise Refusal("the derivative of np.prod over several axes", "reduce one axis at a time")
    axis = 0 if axes is None else axes[0]
    return (b.add("mul", expand(b, g, x, (axes, keepdims, None)), _others(b, x, axis)),)


def _others(b: Builder, x: int, axis: int) -> int:
    every = ("s", None, None, None)

    def along(item: Any) -> tuple[Any, ...]:
        return tuple(item if i == axis else every for i in range(b.type_of(x).rank))

    def before(v: int) -> int:
        first = b.add("ones_like", b.add("index", v, attr=along(("s", None, 1, None))), attr=None)
        head = b.add("index", v, attr=along(("s", None, -1, None)))
        return b.add("concatenate", first, b.add("cumprod", head, attr=axis), attr=axis)

    backwards = along(("s", None, None, -1))
    after = b.add("index", before(b.add("index", x, attr=backwards)), attr=backwards)
    return b.add("mul", before(x), after)


def _cumsum_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    (x,) = b.args_of(node)
    axis = b.attr_of(node)
    t = b.type_of(x)
    at = 0 if axis is None else axis
    g = full_shape(b, g, b.type_of(node).shape)
    backwards = tuple(("s", None, None, -1 if i == at else None) for i in range(b.type_of(g).rank))
    turned = b.add("cumsum", b.add("index", g, attr=backwards), attr=at)
    result = b.add("index", turned, attr=backwards)
    if axis is None and t.rank != 1:
        result = b.add("reshape", result, *(b.size(n) for n in t.shape), attr="C")
    return (result,)


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


def _binder(name: str, takes_dtype: bool = False) -> Any:
    def bind(
        front: Any, a: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False
    ) -> Any:
        x = front.array(a)
        t = front.type_of(x)
        wanted = front.dtype(dtype) if dtype is not None else None
        if wanted is not None and not takes_dtype:
            raise Refusal(f"dtype= is not supported by {name}")
        return front.add(
            name, x, attr=(axes_of(front, axis, t.rank), bool(front.static(keepdims)), wanted)
        )

    return bind


def _bind_cumulative(name: str) -> Any:
    def bind(front: Any, a: Any, axis: Any = None) -> Any:
        x = front.array(a)
        rank = front.type_of(x).rank
        axis = front.static(axis)
        at = None if axis is None else axis_in(axis, rank)
        return front.add(name, x, attr=0 if at is None and rank == 1 else at)

    return bind


def _bind_log_sum_exp(front: Any, a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
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
    for name, infer, vjp, aliases in (
        ("sum", _reduce, _sum_vjp, ()),
        ("mean", _average, _mean_vjp, ()),
        ("max", _extreme, _extreme_vjp, ("numpy.amax",)),
        ("min", _extreme, _extreme_vjp, ("numpy.amin",)),
        ("prod", _reduce, _prod_vjp, ()),
    ):
        register(Op(name=name, infer=infer, vjp=vjp, call=f"numpy.{name}", aliases=aliases,
                    bind=_binder(name, takes_dtype=name == "sum"), bounded=name != "prod",
                    live=_reduction_live, curved=name not in ("sum", "mean")),
                 (name,))  # fmt: skip
    for name in ("any", "all"):
        register(Op(name=name, infer=_logical, vjp=lambda b, node, g: (None,),
                    call=f"numpy.{name}", bind=_binder(name), bounded=True), (name,))  # fmt: skip
    register(Op(name="cumsum", infer=_cumulative, vjp=_cumsum_vjp, call="numpy.cumsum",
                bind=_bind_cumulative("cumsum"), bounded=True), ("cumsum",))  # fmt: skip
    register(Op(name="cumprod", infer=_cumulative, call="numpy.cumprod",
                why="np.cumprod has no derivative here yet",
                bind=_bind_cumulative("cumprod")), ("cumprod",))  # fmt: skip
    register(Op(name="sum_rows", infer=_rows, vjp=_rows_vjp, live=_rows_live,
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
