"""Arrays made from shapes: zeros, ones, full, arange, eye, and their `_like` forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.shape import broadcast_into, shape_nodes, sizes_from
from gradgen.ops.table import Op, register
from gradgen.types import Builder, Dim, Type


def _filled(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`zeros` and `ones`: every argument is a length, `attr` the dtype (None: float64)."""
    return Type("array", attr or "float64", sizes_from(values))


def _full(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    dtype = attr or {"float": "float64", "int": "int64"}.get(types[0].dtype, types[0].dtype)
    return Type("array", dtype, broadcast_into(types[0], sizes_from(values[1:])))


def _like(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    t = types[0]
    dtype = attr or {"float": "float64", "int": "int64"}.get(t.dtype, t.dtype)
    shape = broadcast_into(types[1], t.shape) if len(types) > 1 else t.shape
    return Type("array", dtype, shape)


def _arange(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`np.arange(stop)` or `np.arange(start, stop)` of integers."""
    start, stop = (0, values[0]) if len(values) == 1 else values
    if not isinstance(start, (int, Dim)) or not isinstance(stop, (int, Dim)):
        raise NeedsLength("np.arange needs integers that are known while compiling")
    length = stop - start
    return Type("array", "int64", (max(length, 0) if isinstance(length, int) else length,))


def _eye(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    (n,) = sizes_from(values)
    return Type("array", "float64", (n, n))


def _none(b: Builder, node: int, g: int) -> Sequence[int | None]:
    return tuple(None for _ in b.args_of(node))


def _fill_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    """The fill value is broadcast: the driver sums its adjoint."""
    return (g, *([None] * (len(b.args_of(node)) - 1)))


def _full_like_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    return (None, g)


def _bind_filled(name: str) -> Any:
    def bind(front: Any, shape: Any, dtype: Any = None) -> Any:
        wanted = None if dtype is None else front.dtype(dtype)
        return front.add(name, *shape_nodes(front, shape), attr=wanted)

    return bind


def _bind_full(front: Any, shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    wanted = None if dtype is None else front.dtype(dtype)
    return front.add("full", front.node(fill_value), *shape_nodes(front, shape), attr=wanted)


def _bind_like(name: str) -> Any:
    def bind(front: Any, a: Any, dtype: Any = None) -> Any:
        wanted = None if dtype is None else front.dtype(dtype)
        return front.add(name, front.array(a), attr=wanted)

    return bind


def _bind_full_like(front: Any, a: Any, fill_value: Any, dtype: Any = None) -> Any:
    wanted = None if dtype is None else front.dtype(dtype)
    return front.add("full_like", front.array(a), front.node(fill_value), attr=wanted)


def _bind_arange(front: Any, start: Any, stop: Any = None) -> Any:
    nodes = [front.node(start)] if stop is None else [front.node(start), front.node(stop)]
    return front.add("arange", *nodes)


def _bind_eye(front: Any, N: Any) -> Any:
    return front.add("eye", front.node(N))


def _refuse_empty(front: Any, *args: Any, **named: Any) -> Any:
    raise Refusal("np.empty holds values that nobody computed", "use np.zeros")


def register_rows() -> None:
    """Enter the rows of this family."""
    for name in ("zeros", "ones"):
        register(Op(name=name, infer=_filled, vjp=_none, call=f"numpy.{name}", bounded=True,
                    fresh=True,
                    bind=_bind_filled(name), cost=0))  # fmt: skip
        register(Op(name=f"{name}_like", infer=_like, vjp=_none, call=f"numpy.{name}_like",
                    bind=_bind_like(f"{name}_like"), bounded=True, fresh=True, cost=0))  # fmt: skip
    for name in ("empty", "empty_like"):
        register(Op(name=name, infer=_like, vjp=_none, call=f"numpy.{name}", bind=_refuse_empty))
    register(Op(name="full", infer=_full, vjp=_fill_vjp, call="numpy.full", bind=_bind_full,
                live=_fill_vjp,
                bounded=True, fresh=True, cost=0))  # fmt: skip
    register(Op(name="full_like", infer=_like, vjp=_full_like_vjp, call="numpy.full_like",
                bind=_bind_full_like, bounded=True, fresh=True, cost=0,
                live=_full_like_vjp))  # fmt: skip
    register(Op(name="arange", infer=_arange, vjp=_none, call="numpy.arange", bind=_bind_arange,
                bounded=True, cost=0))  # fmt: skip
    register(Op(name="eye", infer=_eye, vjp=_none, call="numpy.eye", bind=_bind_eye,
                aliases=("numpy.identity",), bounded=True, cost=0))  # fmt: skip
