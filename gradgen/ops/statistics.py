"""Averages, spreads and differences along axes: calls that stay as the user wrote them."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Sequence
from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.order import unsupported
from gradgen.ops.reduction import axes_of, expand, no_out, reduced_shape
from gradgen.ops.table import register_written
from gradgen.ops.written import Call
from gradgen.types import Builder, Size, Type, array_type


def _reduced(front: Any, a: Any, axis: Any, keepdims: Any, dtype: str | None = None) -> Type:
    """The type of a reduction: that of the items, or floats of integers."""
    t = front.type_of(front.array(a))
    if dtype is None:
        dtype = t.dtype if t.is_float and t.kind != "py" else "float64"
    axes = axes_of(front, axis, t.rank)
    return array_type(dtype, reduced_shape(t.shape, axes, bool(front.static(keepdims))))


def _spread(
    front: Any, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = False, *, mean: Any = None, correction: Any = None,
) -> Type:  # fmt: skip
    no_out(out)
    wanted = None if dtype is None else front.dtype(dtype)
    if wanted is not None and not wanted.startswith("float"):
        raise Refusal(f"a variance in {wanted}", "use dtype=float")
    if front.static(ddof) != 0 and correction is not None:
        raise Refusal("ddof and correction can't be provided simultaneously.")
    front.static(correction)
    found = _reduced(front, a, axis, keepdims, wanted)
    if mean is not None:
        whole = _reduced(front, a, axis, True)
        given = front.type_of(front.array(mean))
        if given.shape != whole.shape:
            raise Refusal(f"mean= is {given}, and must have the axes of the array",
                          "take the mean with keepdims=True")  # fmt: skip
    return found


def _median(front: Any, a: Any, axis: Any = None, out: Any = None, overwrite_input: Any = False,
            keepdims: Any = False) -> Type:  # fmt: skip
    no_out(out)
    if front.static(overwrite_input):
        raise Refusal("overwrite_input= changes the array", "leave it out")
    return _reduced(front, a, axis, keepdims)


def _place(front: Any, a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Type:
    no_out(out)
    if isinstance(front.static(axis), tuple):
        raise Refusal("argmax and argmin take one axis, or none")
    return _reduced(front, a, axis, keepdims, "int64")


def _count(front: Any, a: Any, axis: Any = None, *, keepdims: Any = False) -> Type:
    return _reduced(front, a, axis, keepdims, "int64")


def _covariance(
    front: Any, m: Any, y: Any = None, rowvar: Any = True, bias: Any = False, ddof: Any = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Type:  # fmt: skip
    shapes = [front.type_of(front.array(part)).shape for part in (m, y) if part is not None]
    count: Size = 0
    for number, shape in enumerate(shapes):
        if len(shape) > 2:
            raise Refusal("np.cov and np.corrcoef take arrays of one or two axes")
        by_column = not front.static(rowvar) and (number == 0 or shape[0] != 1)
        count = count + (shape[1 if by_column else 0] if len(shape) == 2 else 1)
    if not isinstance(count, int):
        raise NeedsLength(
            "the result is a number for one variable and a matrix for several: how many there are "
            "must be known while compiling",
            f'declare the length {count} as a number, as in x="3 n"',
        )  # fmt: skip
    wanted = "float64" if dtype is None else front.dtype(dtype)
    return array_type(wanted, () if count == 1 else (count, count))


def _correlation(
    front: Any, x: Any, y: Any = None, rowvar: Any = True, *, dtype: Any = None
) -> Type:
    return _covariance(front, x, y, rowvar, dtype=dtype)


def _given(call: Call, name: str, position: int | None) -> Any:
    """A literal argument of a call, by its name or its position; None where it is not given."""
    item = dict(call.keywords).get(name)
    if item is None and position is not None and position < len(call.args):
        item = call.args[position]
    return None if item is None else _literal(item)


def _literal(item: Any) -> Any:
    kind, held = item
    return literal_eval(held) if kind == "v" else tuple(_literal(part) for part in held)


def _live(keepdims_at: int) -> Any:
    """Whole rows are live where the result is."""

    def live(b: Builder, node: int, alive: int) -> Sequence[int | None]:
        first, *rest = b.args_of(node)
        call = b.attr_of(node)
        axis = _given(call, "axis", 1)
        rank = b.type_of(first).rank
        if axis is not None:
            axis = tuple(k % rank for k in (axis if isinstance(axis, tuple) else (axis,)))
        keepdims = bool(_given(call, "keepdims", keepdims_at))
        return (expand(b, alive, first, (axis, keepdims, None)), *[None] * len(rest))

    return live


def register_rows() -> None:
    """Enter the rows of this family."""
    for name in ("var", "std"):
        register_written(name, f"numpy.{name}", (name,), result=_spread,
                         adjoint=f"statistics.d_{name}", lazy=True, live=_live(5), curved=True,
                         bounded=True, singular=name == "std", apart=name == "std")  # fmt: skip
    for name in ("median", "nanmedian"):
        register_written(name, f"numpy.{name}", result=_median, adjoint="statistics.d_median",
                         lazy=True, live=_live(4), curved=True, bounded=True)  # fmt: skip
    for name in ("ptp", "nansum", "nanmax", "nanmin", "nancumsum", "diff", "ediff1d", "trapezoid"):
        register_written(name, f"numpy.{name}", defined=f"statistics.{name}", bounded=True)
    for name in ("average", "nanmean", "nanprod", "nancumprod", "nanvar", "nanstd", "gradient"):
        register_written(name, f"numpy.{name}", defined=f"statistics.{name}",
                         singular=name == "nanstd")  # fmt: skip
    register_written("cov", "numpy.cov", result=_covariance, defined="statistics.cov")
    register_written("corrcoef", "numpy.corrcoef", result=_correlation,
                     defined="statistics.corrcoef", singular=True)  # fmt: skip
    for name in ("argmax", "argmin"):
        register_written(name, f"numpy.{name}", (name,), result=_place, bounded=True)
        register_written(f"nan{name}", f"numpy.nan{name}", result=_place, bounded=True)
    register_written("count_nonzero", "numpy.count_nonzero", result=_count, bounded=True)
    unsupported("numpy.ndarray.ptp", "use np.ptp(x)", "NumPy 2 removed the method", ("ptp",))
    unsupported("numpy.trapz", "use np.trapezoid", "NumPy 2 removed it")
    for name in ("cumulative_sum", "cumulative_prod"):
        unsupported(f"numpy.{name}", f"use np.{name.replace('ulative_', '')}")
