"""Library calls that stay as the user wrote them, on NumPy arrays of exact scalars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradgen.ops import OPS
from gradgen.ops.written import arguments
from gradgen.oracles import matrices
from gradgen.oracles.formulas import apply
from gradgen.oracles.scalars import Unsupported
from gradgen.oracles.structural import (
    is_plain,
    log_sum_exp,
    reduced,
    resolve,
    root_of_squares,
)
from gradgen.types import TupleType, Type

if TYPE_CHECKING:
    from gradgen.oracles.exact import Evaluator

Values = Any
# Calls whose result is decided by the order of values: it is the same for the ranks of the values.
ORDERED = (
    "argmax", "argmin", "nanargmax", "nanargmin", "argsort", "argpartition", "lexsort",
    "searchsorted", "digitize", "isin", "array_equal", "array_equiv",
)  # fmt: skip
# Calls whose result is a mask or an integer that floats of 64 bits decide.
ROUGH = ("isclose", "allclose", "math_isclose", "matrix_rank")
# Calls that ask only which items are zero.
ZEROS = ("nonzero", "flatnonzero", "argwhere", "count_nonzero")
# Calls that NumPy computes on objects, besides those that only move items.
ON_OBJECTS = ("vander", "cross", "linalg_cross", "convolve", "correlate", "polyval", "block_diag")


def written_call(ev: Evaluator, node: int, args: Sequence[Any]) -> Values:
    """The value of a written call. Raises `Unsupported` for one that is not known here."""
    graph = ev.graph
    name, attr = graph.ops[node], graph.attrs[node]
    t: Type | TupleType = graph.types[node]
    row = OPS[name]
    own = CALLS.get(name)
    if row.defined and own is None and not all(map(is_plain, args)):
        found = ev.defined(node)
        return tuple(found) if isinstance(t, TupleType) else found[0]
    given = [a.item() if is_plain(a) and np.ndim(a) == 0 else a for a in args]
    if own is None:
        function = resolve(row.call)
        if all(map(is_plain, args)):
            positional, words = arguments(attr, given, lambda value: value)
            return function(*positional, **words)
        given = _prepared(ev, name, row.moves, given)
        own = lambda ev, *args, **words: function(*args, **words)  # noqa: E731
    positional, words = arguments(attr, given, lambda value: value)
    words.pop("dtype", None)
    value = own(ev, *positional, **words)
    return tuple(value) if isinstance(t, TupleType) else value


def _prepared(ev: Evaluator, name: str, moves: bool, given: Sequence[Any]) -> list[Any]:
    """The operands as the library's own function takes them."""
    if name in ORDERED:
        return ranks(ev, given)
    if name in ROUGH:
        return [a if is_plain(a) else ev.numbers(a).astype(float) for a in given]
    if name in ZEROS:
        return [ev.mask(a) for a in given]
    if moves or name in ON_OBJECTS:
        return [a[()] if np.ndim(a) == 0 and not is_plain(a) else a for a in given]
    raise Unsupported(name)


def ranks(ev: Evaluator, arrays: Sequence[Any]) -> list[Any]:
    """Arrays of scalars as floats in the same order, equal where they are; NaN stays NaN."""
    values = [None if is_plain(a) else ev.numbers(a) for a in arrays]
    every = {v for array in values if array is not None for v in array.ravel() if v == v}
    # what stays among them: integers that are compared with scalars
    plain = [a for a in arrays if is_plain(a)]
    every |= {ev.arithmetic.context.mpf(int(k)) for a in plain for k in np.ravel(a)}
    rank = {v: float(k) for k, v in enumerate(sorted(every))}
    found: list[Any] = []
    for array, held in zip(values, arrays, strict=True):
        if array is None:
            found.append(held)
            continue
        line = np.array([rank.get(v, np.nan) for v in array.ravel()], float)
        ev.arithmetic.decide(tuple(np.argsort(line)), *np.ravel(held))
        found.append(line.reshape(array.shape))
    return found


def _gathered(order_of: str) -> Callable[..., Any]:
    """Items in the order of their values."""

    def run(ev: Evaluator, a: Any, *more: Any, **words: Any) -> Any:
        if order_of == "argsort":
            axis = words.get("axis", more[0] if more else -1)
            order_args: tuple[Any, ...] = ()
        else:
            axis = words.get("axis", more[1] if len(more) > 1 else -1)
            order_args = (words.get("kth", more[0] if more else None),)
        array = np.ravel(a) if axis is None else a
        at = -1 if axis is None else axis
        (rank,) = ranks(ev, [array])
        order = getattr(np, order_of)(rank, *order_args, axis=at)
        return np.take_along_axis(array, order, at)

    return run


def _running(largest: bool) -> Callable[..., Any]:
    """The extreme so far; of equal items the later one."""

    def run(ev: Evaluator, array: Any, axis: Any = 0) -> Any:
        found = np.moveaxis(np.array(array), axis, 0)
        (rank,) = ranks(ev, [found])
        for k in range(1, len(found)):
            after = rank[k] >= rank[k - 1] if largest else rank[k] <= rank[k - 1]
            found[k] = np.where(after, found[k], found[k - 1])[()]
            rank[k] = np.where(after, rank[k], rank[k - 1])
        return np.moveaxis(found, 0, axis)

    return run


def _median(quiet: bool) -> Callable[..., Any]:
    def run(ev: Evaluator, a: Any, axis: Any = None, out: Any = None, overwrite: Any = False,
            keepdims: Any = False) -> Any:  # fmt: skip
        def middle(items: list[Any]) -> Any:
            line = np.empty(len(items), object)
            line[:] = items
            (rank,) = ranks(ev, [line])
            if quiet:
                line, rank = line[rank == rank], rank[rank == rank]
            if np.isnan(rank).any() or not len(line):
                return ev.arithmetic.number(np.nan)
            line = line[np.argsort(rank)]
            return (line[(len(line) - 1) // 2] + line[len(line) // 2]) / 2

        return reduced(ev, a, axis, keepdims, middle)

    return run


def _spread(root: bool) -> Callable[..., Any]:
    def run(ev: Evaluator, a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
            ddof: Any = 0, keepdims: Any = False, *, mean: Any = None,
            correction: Any = None) -> Any:  # fmt: skip
        if mean is not None:
            raise Unsupported("var with mean=")
        less = ddof if correction is None else correction

        def spread(items: list[Any]) -> Any:
            arithmetic = ev.arithmetic
            centre = arithmetic.add(items) / len(items)
            total = arithmetic.add([(x - centre) * (x - centre) for x in items])
            count = ev.lift(len(items) - less)[()]
            found = apply("div", arithmetic, [total, count])
            return apply("sqrt", arithmetic, [found]) if root else found

        return reduced(ev, a, axis, keepdims, spread)

    return run


def _p_norm(ev: Evaluator, x: Any, ord: Any, axis: Any = None, keepdims: Any = False) -> Any:
    order = ev.lift(ord)[()]
    a = ev.arithmetic

    def length(items: list[Any]) -> Any:
        if all(a.value(item) == 0 for item in items):
            return a.number(0)
        total = a.add([apply("power", a, [apply("abs", a, [x]), order]) for x in items])
        return apply("power", a, [total, apply("reciprocal", a, [order])])

    return reduced(ev, x, axis, keepdims, length)


def _weighted(ev: Evaluator, a: Any, axis: Any = None, b: Any = None, keepdims: Any = False) -> Any:
    x, weights = np.broadcast_arrays(ev.lift(a), ev.lift(b))
    pairs = np.empty(x.shape, object)
    pairs.reshape(-1)[:] = [_Pair(*pair) for pair in zip(x.ravel(), weights.ravel(), strict=True)]
    return reduced(ev, pairs, axis, keepdims, lambda items: log_sum_exp(
        ev, [p.one for p in items], [p.other for p in items]))  # fmt: skip


class _Pair:
    """Two scalars in one place of an array."""

    def __init__(self, one: Any, other: Any) -> None:
        self.one, self.other = one, other


def _log_total(ev: Evaluator, array: Any, axis: Any = 0, keepdims: Any = False) -> Any:
    return reduced(ev, ev.lift(array), axis, keepdims, lambda items: log_sum_exp(ev, items))


def _unwrapped(ev: Evaluator, p: Any, discont: Any = None, axis: Any = -1, **words: Any) -> Any:
    """The same whole periods are added as NumPy adds to the floats."""
    period = words.get("period", 2 * np.pi)
    rough = ev.numbers(p).astype(float)
    turned = np.unwrap(rough, discont, axis, period=float(ev.numbers(period)[()]))
    times = np.rint((turned - rough) / float(ev.numbers(period)[()])).astype(int)
    return ev.row("add", p, ev.row("mul", times, period))


def _fractions(num: int, endpoint: bool) -> tuple[range, int]:
    return range(num), max(num - 1 if endpoint else num, 1)


def _linspace(ev: Evaluator, start: Any, stop: Any, num: Any = 50, endpoint: Any = True,
              retstep: Any = False, dtype: Any = None, axis: Any = 0) -> Any:  # fmt: skip
    steps, count = _fractions(num, endpoint)
    first, last = np.broadcast_arrays(ev.lift(start), ev.lift(stop))
    step = ev.row("div", ev.row("sub", last, first), count)
    line = [ev.row("add", first, ev.row("mul", step, k)) for k in steps]
    samples = np.stack(line, axis=axis) if line else np.empty((0, *first.shape), object)
    return (samples, step) if retstep else samples


def _logspace(ev: Evaluator, start: Any, stop: Any, num: Any = 50, endpoint: Any = True,
              base: Any = 10.0, dtype: Any = None, axis: Any = 0) -> Any:  # fmt: skip
    return ev.row("power", base, _linspace(ev, start, stop, num, endpoint, axis=axis))


def _geomspace(ev: Evaluator, start: Any, stop: Any, num: Any = 50, endpoint: Any = True,
               dtype: Any = None, axis: Any = 0) -> Any:  # fmt: skip
    steps, count = _fractions(num, endpoint)
    first, last = np.broadcast_arrays(ev.lift(start), ev.lift(stop))
    ratio = ev.row("div", last, first)
    shares = [ev.row("div", k, count) for k in steps]
    line = [ev.row("mul", first, ev.row("power", ratio, share)) for share in shares]
    return np.stack(line, axis=axis)


def _frexp(ev: Evaluator, x: Any) -> Any:
    exponents = np.frexp(ev.numbers(x).astype(float))[1]
    return ev.row("ldexp", x, -np.asarray(exponents)), exponents


def _mpmath_pair(*names: str) -> Callable[..., Any]:
    """Several functions of mpmath, each of which gives one result."""

    def run(ev: Evaluator, x: Any) -> Any:
        array = ev.lift(x)
        return tuple(
            ev.each(lambda item, name=name: ev.arithmetic.function(name, [item]), array)
            for name in names
        )

    return run


def _hypot(ev: Evaluator, *coordinates: Any) -> Any:
    return ev.lift(root_of_squares(ev, [ev.lift(c)[()] for c in coordinates]))


def _rounded(ev: Evaluator, a: Any, decimals: Any = 0) -> Any:
    """A constant, as NumPy rounds the floats."""
    return np.round(ev.numbers(a).astype(float), decimals)


# -- matrices --------------------------------------------------------------------------------------


def _of_matrix(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(ev: Evaluator, a: Any, *more: Any, **words: Any) -> Any:
        return matrices.stacked(lambda m: function(ev, m), ev.lift(a))

    return run


def _solve(ev: Evaluator, a: Any, b: Any) -> Any:
    vector = np.ndim(b) == 1
    return matrices.stacked(
        lambda m, right: matrices.solve(ev, m, right), ev.lift(a), ev.lift(b),
        axes=(2, 1 if vector else 2),
    )  # fmt: skip


def _scipy_solve(ev: Evaluator, a: Any, b: Any, lower: Any = False, *rest: Any,
                 assume_a: Any = None, transposed: Any = False, **words: Any) -> Any:  # fmt: skip
    if rest:
        raise Unsupported("scipy.linalg.solve with many positional arguments")
    matrix = ev.lift(a)
    if assume_a not in (None, "gen", "general"):
        matrix = matrices.symmetric(matrix, bool(lower))
    return matrices.solve(ev, matrix.T if transposed else matrix, ev.lift(b))


def _solve_triangular(ev: Evaluator, a: Any, b: Any, trans: Any = 0, lower: Any = False,
                      unit_diagonal: Any = False, *rest: Any, **words: Any) -> Any:  # fmt: skip
    return matrices.solve(ev, _triangle(ev, a, trans, lower, unit_diagonal), ev.lift(b))


def _triangle(ev: Evaluator, a: Any, trans: Any, lower: Any, unit: Any) -> Any:
    held = np.ones(np.shape(a), bool)
    kept = np.where(np.tril(held) if lower else np.triu(held), ev.lift(a), ev.lift(0))
    if unit:
        kept = np.where(np.eye(len(kept), dtype=bool), ev.lift(1), kept)
    return kept if trans in (0, "N") else kept.T


def _cholesky(ev: Evaluator, a: Any, *, upper: Any = False) -> Any:
    return matrices.stacked(lambda m: matrices.cholesky(ev, m, bool(upper)), ev.lift(a))


def _scipy_cholesky(ev: Evaluator, a: Any, lower: Any = False, *rest: Any, **words: Any) -> Any:
    return matrices.cholesky(ev, ev.lift(a), not lower)


def _cho_factor(ev: Evaluator, a: Any, lower: Any = False, *rest: Any, **words: Any) -> Any:
    held = np.ones(np.shape(a), bool)
    factor = matrices.cholesky(ev, ev.lift(a), not lower)
    return np.where(np.tril(held) if lower else np.triu(held), factor, ev.lift(a)), bool(lower)


def _cho_solve(ev: Evaluator, c_and_lower: Any, b: Any, *rest: Any, **words: Any) -> Any:
    factor, lower = c_and_lower
    triangle = _triangle(ev, factor, 0, lower, False)
    low = triangle if lower else triangle.T
    return matrices.solve(ev, low.T, matrices.solve(ev, low, ev.lift(b)))


def _eigen(part: int | None) -> Callable[..., Any]:
    def run(ev: Evaluator, a: Any, UPLO: Any = "L", *, lower: Any = None, eigvals_only: Any = False,
            **words: Any) -> Any:  # fmt: skip
        low = UPLO in "Ll" if lower is None else bool(lower)
        found = matrices.stacked(lambda m: matrices.eigen(ev, m, low), ev.lift(a))
        return found[0] if eigvals_only else found if part is None else found[part]

    return run


def _svd(part: int | None) -> Callable[..., Any]:
    def run(ev: Evaluator, a: Any, full_matrices: Any = True, compute_uv: Any = True, *rest: Any,
            **words: Any) -> Any:  # fmt: skip
        full = bool(full_matrices) and bool(compute_uv) and part is None
        found = matrices.stacked(lambda m: matrices.singular(ev, m, full), ev.lift(a))
        return found if part is None and compute_uv else found[1]

    return run


def _qr(ev: Evaluator, a: Any, *rest: Any, mode: Any = "reduced", **words: Any) -> Any:
    found = matrices.stacked(lambda m: matrices.qr(ev, m), ev.lift(a))
    if rest:
        raise Unsupported("qr with a positional mode")
    return found[1] if mode == "r" else found


def _lstsq(ev: Evaluator, a: Any, b: Any, *rest: Any, **words: Any) -> Any:
    a, b = ev.lift(a), ev.lift(b)
    x = np.matmul(matrices.pseudo_inverse(ev, a), b)
    rest_of = b - np.matmul(a, x)
    residuals = np.atleast_1d(np.sum(rest_of * rest_of, axis=0))
    if a.shape[0] <= a.shape[1]:
        residuals = residuals[:0]
    return x, residuals, min(a.shape), matrices.singular(ev, a, False)[1]


def _sylvester(ev: Evaluator, a: Any, b: Any, q: Any) -> Any:
    a, b, q = ev.lift(a), ev.lift(b), ev.lift(q)
    one, other = matrices.identity(ev, len(a)), matrices.identity(ev, len(b))
    return matrices.solve(ev, np.kron(a, other) + np.kron(one, b.T), q.ravel()).reshape(q.shape)


CALLS: dict[str, Callable[..., Any]] = {
    "sort": _gathered("argsort"), "partition": _gathered("argpartition"),
    "maximum_accumulate": _running(True), "minimum_accumulate": _running(False),
    "median": _median(False), "nanmedian": _median(True), "var": _spread(False),
    "std": _spread(True), "p_norm": _p_norm, "weighted_logsumexp": _weighted,
    "logaddexp_reduce": _log_total, "unwrap": _unwrapped, "linspace": _linspace,
    "logspace": _logspace, "geomspace": _geomspace, "frexp": _frexp, "math_frexp": _frexp,
    "math_hypot": _hypot, "round_decimals": _rounded, "around_decimals": _rounded,
    "sici": _mpmath_pair("Si", "Ci"), "shichi": _mpmath_pair("Shi", "Chi"),
    "fresnel": _mpmath_pair("fresnels", "fresnelc"),
    "solve": _solve, "scipy_solve": _scipy_solve, "solve_triangular": _solve_triangular,
    "inv": _of_matrix(matrices.inverse), "scipy_inv": _of_matrix(matrices.inverse),
    "det": _of_matrix(matrices.det), "small_det": _of_matrix(matrices.det),
    "regular_det": _of_matrix(matrices.det),
    "scipy_det": _of_matrix(matrices.det), "slogdet": _of_matrix(matrices.slogdet),
    "cholesky": _cholesky, "scipy_cholesky": _scipy_cholesky, "cho_factor": _cho_factor,
    "cho_solve": _cho_solve, "eigh": _eigen(None), "eigvalsh": _eigen(0),
    "scipy_eigh": _eigen(None), "scipy_eigvalsh": _eigen(0), "svd": _svd(None),
    "svdvals": _svd(1), "scipy_svd": _svd(None), "scipy_svdvals": _svd(1), "qr": _qr,
    "scipy_qr": _qr, "pinv": _of_matrix(matrices.pseudo_inverse),
    "scipy_pinv": _of_matrix(matrices.pseudo_inverse), "lstsq": _lstsq, "scipy_lstsq": _lstsq,
    "expm": _of_matrix(lambda ev, m: matrices.of_mpmath("expm", ev, m)),
    "sqrtm": _of_matrix(lambda ev, m: matrices.of_mpmath("sqrtm", ev, m)),
    "solve_sylvester": _sylvester,
}  # fmt: skip
