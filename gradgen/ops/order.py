"""Sorting, searching, quantiles and interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.table import refuse, register_written
from gradgen.types import Size, Type, axis_in, product

LINEAR = ("linear", "lower", "higher", "midpoint")


def unsupported(call: str, hint: str, why: str = "", methods: Sequence[str] = ()) -> None:
    """Refuse the calls of a function, with what to write instead."""
    short = call.replace("numpy.", "np.")
    refuse(call, f"{short} is not supported here{why and ': '}{why}", hint, methods)


def along(front: Any, a: Any, axis: Any) -> tuple[Type, int | None]:
    """The type of an array, flat where `axis` is None, and the axis that is meant."""
    t = front.type_of(front.array(a))
    axis = front.static(axis)
    dtype = {"float": "float64", "int": "int64"}.get(t.dtype, t.dtype)
    if axis is None:
        return Type("array", dtype, (product(t.shape),)), None
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise Refusal("axis must be an integer or None")
    return Type("array", dtype, t.shape), axis_in(axis, t.rank)


def integers(shape: Sequence[Size]) -> Type:
    """The type of an array of indices; a scalar where it has no axes."""
    return Type("array" if shape else "scalar", "int64", tuple(shape))


def _sorted(front: Any, a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> Type:
    return along(front, a, axis)[0]


def _sort_order(
    front: Any, a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None
) -> Type:
    return integers(along(front, a, axis)[0].shape)


def _within(front: Any, kth: Any, length: Size) -> None:
    places = front.static(kth)
    for place in places if isinstance(places, tuple) else (places,):
        if isinstance(length, int) and not -length <= place < length:
            raise Refusal(f"kth(={place}) out of bounds ({length})")


def _partitioned(front: Any, a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect") -> Type:
    t, at = along(front, a, axis)
    _within(front, kth, t.shape[at or 0])
    return t


def _partition_order(
    front: Any, a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect"
) -> Type:
    return integers(_partitioned(front, a, kth, axis).shape)


def _lexsorted(front: Any, keys: Any, axis: Any = -1) -> Type:
    shape = front.type_of(front.array(keys)).shape[1:]
    axis_in(front.static(axis), len(shape))
    return integers(shape)


def _searched(front: Any, a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Type:
    if front.type_of(front.array(a)).rank != 1:
        raise Refusal("np.searchsorted takes a sorted array of one axis")
    if front.static(side) not in ("left", "right"):
        raise Refusal("side must be 'left' or 'right'")
    return integers(front.type_of(front.node(v)).shape)


def _digitized(front: Any, x: Any, bins: Any, right: Any = False) -> Type:
    return _searched(front, bins, x)


def _is_in(
    front: Any, element: Any, test_elements: Any, assume_unique: Any = False, invert: Any = False
) -> Type:
    front.array(test_elements)
    return Type("array", "bool", front.type_of(front.array(element)).shape)


def _is_in_flat(
    front: Any, ar1: Any, ar2: Any, assume_unique: Any = False, invert: Any = False
) -> Type:
    front.array(ar2)
    return Type("array", "bool", (product(front.type_of(front.array(ar1)).shape),))


def _unwrapped(
    front: Any, p: Any, discont: Any = None, axis: Any = -1, *, period: Any = 6.283185307179586
) -> Type:
    t, _ = along(front, p, axis)
    if front.type_of(front.node(period)).is_float and t.is_float:
        return t
    raise Refusal("np.unwrap of integers is not supported here", "pass floats")


def _running(front: Any, array: Any, axis: Any = 0) -> Type:
    t: Type = front.type_of(front.array(array))
    axis_in(front.static(axis), t.rank)
    return t


def register_rows() -> None:
    """Enter the rows of this family."""
    register_written("sort", "numpy.sort", result=_sorted, adjoint="order.sort", bounded=True)
    register_written("partition", "numpy.partition", result=_partitioned,
                     adjoint="order.partition", bounded=True)  # fmt: skip
    register_written("argsort", "numpy.argsort", ("argsort",), result=_sort_order)
    register_written("argpartition", "numpy.argpartition", ("argpartition",),
                     result=_partition_order)  # fmt: skip
    register_written("lexsort", "numpy.lexsort", result=_lexsorted)
    register_written("searchsorted", "numpy.searchsorted", ("searchsorted",), result=_searched)
    register_written("digitize", "numpy.digitize", result=_digitized)
    register_written("isin", "numpy.isin", result=_is_in)
    register_written("quantile", "numpy.quantile", defined="order.quantile", bounded=True)
    register_written("percentile", "numpy.percentile", defined="order.percentile", bounded=True)
    register_written("interp", "numpy.interp", defined="order.interp", bounded=True)
    register_written("unwrap", "numpy.unwrap", result=_unwrapped, adjoint="order.unwrap",
                     bounded=True)  # fmt: skip
    for ufunc in ("maximum", "minimum"):
        register_written(f"{ufunc}_accumulate", f"numpy.{ufunc}.accumulate", result=_running,
                         defined=f"order.{ufunc}_accumulate", bounded=True)  # fmt: skip
    _register_refused()


def _register_refused() -> None:
    for name in ("nanquantile", "nanpercentile"):
        unsupported(f"numpy.{name}", f"np.{name[3:]}(x[~np.isnan(x)], q)")
    for name in ("unique", "union1d", "intersect1d", "setdiff1d", "setxor1d", "unique_values",
                 "unique_counts", "unique_inverse", "unique_all"):  # fmt: skip
        unsupported(f"numpy.{name}", "compute it outside the function, and pass what it gives",
               "its length depends on the values")  # fmt: skip
    for name in ("histogram", "histogram2d", "histogramdd", "histogram_bin_edges", "bincount"):
        unsupported(f"numpy.{name}", "add into bins: np.add.at(counts, index, weights)")
    unsupported("numpy.in1d", "use np.isin")
    unsupported("numpy.msort", "use np.sort(a, axis=0)", "NumPy 2 removed it")
    unsupported("numpy.sort_complex", "use np.sort")
