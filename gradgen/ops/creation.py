"""Arrays made from shapes and from a few numbers: zeros, full, arange, linspace and so on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.moves import integer, length, not_negative
from gradgen.ops.shape import broadcast_into, shape_nodes, sizes_from, strict_dtype
from gradgen.ops.table import Op, refuse, register, register_written
from gradgen.types import Builder, Dim, Shape, TupleType, Type, array_type, broadcast, promote


def _filled(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`zeros`, `ones` and `empty`: every argument is a length, `attr` the dtype or None."""
    return Type("array", attr or "float64", sizes_from(values))


def _full(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    dtype = attr or strict_dtype(types[:1])
    return Type("array", dtype, broadcast_into(types[0], sizes_from(values[1:])))


def _like(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    t = types[0]
    shape = broadcast_into(types[1], t.shape) if len(types) > 1 else t.shape
    return Type("array", attr or strict_dtype([t]), shape)


def _arange(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`np.arange(stop)`, `np.arange(start, stop)` or `np.arange(start, stop, step)`."""
    start, stop, step = (0, *values, 1) if len(values) == 1 else (*values, 1)[:3]
    for t, value in zip(types, values, strict=True):
        if value is None or isinstance(value, bool):
            raise NeedsLength(
                "np.arange needs numbers that are known while compiling",
                "np.linspace(start, stop, num) takes ends that are not" if t.is_float else "",
            )
    dtype = strict_dtype(types)
    if attr is not None and dtype == "float64" and not attr.startswith("float"):
        raise Refusal(f"np.arange of floats with the dtype {attr}", "use .astype on the result")
    return Type("array", attr or dtype, (_arange_length(start, stop, step),))


def _arange_length(start: Any, stop: Any, step: Any) -> Any:
    if step == 0:
        raise Refusal("np.arange: the step must not be zero")
    if not any(isinstance(v, Dim) for v in (start, stop, step)):
        return len(np.arange(start, stop, step))
    span = stop - start
    if isinstance(step, int) and isinstance(span, (int, Dim)):
        if step < 0:
            span, step = -span, -step
        if isinstance(span, int):
            return max(0, -(-span // step))
        if all(n % step == 0 for _, n in span.terms):
            return span // step
    raise NeedsLength(f"the length of np.arange from {start} to {stop} in steps of {step}")


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
    node = front.node(fill_value)
    _refuse_cut(front, node, wanted)
    return front.add("full", node, *shape_nodes(front, shape), attr=wanted)


def _refuse_cut(front: Any, node: int, dtype: str | None) -> None:
    if dtype is not None and not dtype.startswith("float") and front.type_of(node).is_float:
        known = front.builder.value_of(node)
        if known is None or not float(known).is_integer():
            raise Refusal(f"filling an array of {dtype} with a float cuts its fraction off")


def _bind_like(name: str) -> Any:
    def bind(front: Any, a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
        node = front.array(a)
        wanted = None if dtype is None else front.dtype(dtype)
        if shape is None:
            return front.add(f"{name}_like", node, attr=wanted)
        wanted = wanted or strict_dtype([front.type_of(node)])
        return front.add(name, *shape_nodes(front, shape), attr=wanted)

    return bind


def _bind_full_like(
    front: Any, a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None
) -> Any:
    node, value = front.array(a), front.node(fill_value)
    wanted = None if dtype is None else front.dtype(dtype)
    found = wanted or strict_dtype([front.type_of(node)])
    _refuse_cut(front, value, found)
    if shape is None:
        return front.add("full_like", node, value, attr=wanted)
    return front.add("full", value, *shape_nodes(front, shape), attr=found)


def _bind_arange(
    front: Any, start: Any, stop: Any = None, step: Any = None, dtype: Any = None
) -> Any:
    wanted = None if dtype is None else front.dtype(dtype)
    nodes = [front.node(v) for v in (start, stop, step) if v is not None]
    if stop is None and step is not None:
        raise Refusal("np.arange with a step needs start and stop")
    node = front.add("arange", *nodes, attr=wanted)
    not_negative(front, front.type_of(node).shape[0])
    return node


def _matrix(front: Any, rows: Any, columns: Any, k: Any, dtype: Any) -> Type:
    integer(front, k, "the number of the diagonal")
    n = length(front, rows, "a length")
    m = n if columns is None else length(front, columns, "a length")
    return Type("array", "float64" if dtype is None else front.dtype(dtype), (n, m))


def _eye(front: Any, N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Type:
    return _matrix(front, N, M, k, dtype)


def _identity(front: Any, n: Any, dtype: Any = None) -> Type:
    return _matrix(front, n, None, 0, dtype)


def _spaced_dtype(front: Any, ends: Sequence[Any], dtype: Any) -> str:
    """The dtype of numbers between these ends."""
    types = [front.type_of(front.array(end)) for end in ends]
    found = promote(tuple((t.kind, t.dtype) for t in types))
    found = "float32" if found == "float32" else "float64"
    wanted = found if dtype is None else front.dtype(dtype)
    if not wanted.startswith("float"):
        raise Refusal(f"numbers spaced evenly, cut to {wanted}", "use np.arange, or .astype")
    return wanted


def _spaced_shape(front: Any, ends: Sequence[Any], num: Any, axis: Any) -> Shape:
    rest = broadcast([front.type_of(front.array(end)).shape for end in ends])
    at = front.static(axis)
    if not -len(rest) - 1 <= at <= len(rest):
        raise Refusal(f"axis {at} is out of bounds for an array with {len(rest) + 1} axes")
    count = length(front, num, "the number of samples")
    if isinstance(count, int) and count < 0:
        raise Refusal(f"Number of samples, {count}, must be non-negative.")
    at %= len(rest) + 1
    return (*rest[:at], count, *rest[at:])


def _linspace(
    front: Any, start: Any, stop: Any, num: Any = 50, endpoint: Any = True, retstep: Any = False,
    dtype: Any = None, axis: Any = 0,
) -> Type | TupleType:  # fmt: skip
    front.static(endpoint)
    ends = (start, stop)
    shape = _spaced_shape(front, ends, num, axis)
    samples = Type("array", _spaced_dtype(front, ends, dtype), shape)
    if not front.static(retstep):
        return samples
    rest = broadcast([front.type_of(front.array(end)).shape for end in ends])
    return TupleType((samples, array_type(_spaced_dtype(front, ends, None), rest)))


def _logspace(
    front: Any, start: Any, stop: Any, num: Any = 50, endpoint: Any = True, base: Any = 10.0,
    dtype: Any = None, axis: Any = 0,
) -> Type:  # fmt: skip
    front.static(endpoint)
    if front.type_of(front.array(base)).shape:
        raise Refusal("np.logspace takes one number as base")
    exponents = _spaced_dtype(front, (start, stop), None)
    t = front.type_of(front.array(base))
    found = promote((("array", exponents), (t.kind, t.dtype)))
    dtype = found if dtype is None else _spaced_dtype(front, (start, stop), dtype)
    return Type("array", dtype, _spaced_shape(front, (start, stop), num, axis))


def _geomspace(
    front: Any, start: Any, stop: Any, num: Any = 50, endpoint: Any = True, dtype: Any = None,
    axis: Any = 0,
) -> Type:  # fmt: skip
    front.static(endpoint)
    # NumPy takes the default dtype into account, which is float64
    dtype = "float64" if dtype is None else _spaced_dtype(front, (start, stop), dtype)
    return Type("array", dtype, _spaced_shape(front, (start, stop), num, axis))


def register_rows() -> None:
    """Enter the rows of this family."""
    for name in ("zeros", "ones", "empty"):
        register(Op(name=name, infer=_filled, vjp=_none, linear="constant",
                    call=f"numpy.{name}", bounded=True,
                    fresh=True,
                    bind=_bind_filled(name), cost=0))  # fmt: skip
        register(Op(name=f"{name}_like", infer=_like, vjp=_none, linear="constant",
                    call=f"numpy.{name}_like",
                    bind=_bind_like(name), bounded=True, fresh=True, cost=0))  # fmt: skip
    register(Op(name="full", infer=_full, vjp=_fill_vjp, call="numpy.full", bind=_bind_full,
                live=_fill_vjp,
                bounded=True, fresh=True, cost=0))  # fmt: skip
    register(Op(name="full_like", infer=_like, vjp=_full_like_vjp, call="numpy.full_like",
                bind=_bind_full_like, bounded=True, fresh=True, cost=0,
                live=_full_like_vjp))  # fmt: skip
    register(Op(name="arange", infer=_arange, vjp=_none, linear="constant",
                call="numpy.arange", bind=_bind_arange,
                bounded=True, cost=0))  # fmt: skip
    for name, result in (("eye", _eye), ("tri", _eye), ("identity", _identity)):
        register_written(name, f"numpy.{name}", result=result, bounded=True)
    register_written("linspace", "numpy.linspace", result=_linspace, bounded=True,
                     adjoint="creation.linspace")  # fmt: skip
    register_written("logspace", "numpy.logspace", result=_logspace, curved=True,
                     adjoint="creation.logspace")  # fmt: skip
    register_written("geomspace", "numpy.geomspace", result=_geomspace, curved=True,
                     adjoint="creation.geomspace")  # fmt: skip
    refuse("numpy.fromfunction", "np.fromfunction is not supported",
           "call the function on the arrays of np.indices(shape)")  # fmt: skip
