"""Arrays of indices that are made from lengths or from other indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.moves import length
from gradgen.ops.table import Op, register, register_written
from gradgen.types import TupleType, Type, array_type, broadcast


def _bind_ix(front: Any, *args: Any) -> Any:
    """Each argument along an axis of its own."""
    parts = []
    for k, a in enumerate(args):
        t = front.type_of(front.array(a))
        if t.rank != 1:
            raise Refusal("np.ix_ takes sequences with one axis")
        if t.dtype == "bool":
            raise Refusal("np.ix_ of masks is not supported", "use indices: np.flatnonzero(mask)")
        value = front.wrap(front.array(a)) if front.is_sequence(a) else a
        every = ("s", None, None, None)
        template = tuple(every if j == k else "n" for j in range(len(args)))
        parts.append(front.index(value, template) if len(args) > 1 else value)
    return tuple(parts)


def _indices(front: Any, dimensions: Any, dtype: Any = None, sparse: Any = False) -> Any:
    shape = tuple(length(front, n, "a length of np.indices") for n in front.items(dimensions))
    found = "int64" if dtype is None else front.dtype(dtype)
    if not front.static(sparse):
        return Type("array", found, (len(shape), *shape))
    each = (tuple(n if j == k else 1 for j, n in enumerate(shape)) for k in range(len(shape)))
    return TupleType(tuple(Type("array", found, s) for s in each))


def _triangle_indices(find: Callable[..., Any]) -> Callable[..., TupleType]:
    """The type of the indices of a triangle of a matrix whose lengths are known."""

    def result(front: Any, n: Any, k: Any = 0, m: Any = None) -> TupleType:
        sizes = [length(front, v, "a length of a triangle") for v in (n, n if m is None else m)]
        if not all(isinstance(size, int) for size in sizes):
            raise NeedsLength("the number of items of a triangle must be known while compiling")
        found = Type("array", "int64", (len(find(sizes[0], front.static(k), sizes[1])[0]),))
        return TupleType((found, found))

    return result


def _diagonal_indices(front: Any, n: Any, ndim: Any = 2) -> TupleType:
    found = Type("array", "int64", (length(front, n, "the length of a diagonal"),))
    return TupleType((found,) * front.static(ndim))


def _unravel(front: Any, indices: Any, shape: Any, order: Any = "C") -> TupleType:
    t = front.type_of(front.array(indices))
    front.static(order)
    count = len(front.items(shape)) if front.is_sequence(shape) else 1
    kind = "array" if t.shape else "scalar"
    return TupleType((Type(kind, "int64", t.shape),) * count)  # type: ignore[arg-type]


def _ravel_index(
    front: Any, multi_index: Any, dims: Any, mode: Any = "raise", order: Any = "C"
) -> Type:
    types = [front.type_of(front.array(m)) for m in front.items(multi_index)]
    return array_type("int64", broadcast([t.shape for t in types]))


def register_rows() -> None:
    """Enter the rows of this family."""
    for name, result in (
        ("indices", _indices), ("unravel_index", _unravel), ("ravel_multi_index", _ravel_index),
        ("triu_indices", _triangle_indices(np.triu_indices)), ("diag_indices", _diagonal_indices),
        ("tril_indices", _triangle_indices(np.tril_indices)),
    ):  # fmt: skip
        register_written(name, f"numpy.{name}", result=result, bounded=True)
    register(Op(name="ix_", infer=lambda t, a, v: t[0], call="numpy.ix_", bind=_bind_ix))
