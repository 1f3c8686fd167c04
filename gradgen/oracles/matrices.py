"""Matrices of exact scalars: elimination for both kinds of them, decompositions by mpmath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradgen.oracles.formulas import apply
from gradgen.oracles.scalars import Unsupported
from gradgen.oracles.structural import root_of_squares

if TYPE_CHECKING:
    from gradgen.oracles.exact import Evaluator

Matrix = np.ndarray[Any, Any]


def stacked(function: Callable[..., Any], *arrays: Matrix, axes: Sequence[int] = ()) -> Any:
    """`function` of each matrix of a stack; `axes` says how many axes each operand has."""
    counts = axes or (2,) * len(arrays)
    outer = [a.shape[: a.ndim - n] for a, n in zip(arrays, counts, strict=True)]
    stack = np.broadcast_shapes(*outer)
    if not stack:
        return function(*arrays)
    wide = [
        np.broadcast_to(a, (*stack, *a.shape[a.ndim - n :]))
        for a, n in zip(arrays, counts, strict=True)
    ]
    found = [function(*(w[at] for w in wide)) for at in np.ndindex(*stack)]
    if isinstance(found[0], tuple):
        return tuple(_rejoined([f[k] for f in found], stack) for k in range(len(found[0])))
    return _rejoined(found, stack)


def _rejoined(parts: Sequence[Any], stack: Sequence[int]) -> Matrix:
    arrays = [np.asarray(p, object) for p in parts]
    return np.stack(arrays).reshape((*stack, *arrays[0].shape))


def eliminated(ev: Evaluator, a: Matrix, b: Matrix) -> tuple[Matrix, Matrix, int]:
    """Row echelon form of `a`, with the same steps on `b`, and the sign of the exchanges."""
    value = ev.arithmetic.value
    a, b, sign = a.copy(), b.copy(), 1
    for k in range(len(a)):
        best = max(range(k, len(a)), key=lambda row: abs(value(a[row, k])))
        if value(a[best, k]) == 0:
            continue
        if best != k:
            a[[k, best]], b[[k, best]], sign = a[[best, k]], b[[best, k]], -sign
        for row in range(k + 1, len(a)):
            factor = a[row, k] / a[k, k]
            a[row, k:] = a[row, k:] - factor * a[k, k:]
            b[row] = b[row] - factor * b[k]
    return a, b, sign


def det(ev: Evaluator, a: Matrix) -> Any:
    """The determinant; of two and three rows by cofactors, which singular matrices have, too."""
    if len(a) <= 3:
        return _cofactors(ev, a)
    upper, _, sign = eliminated(ev, a, np.zeros((len(a), 0), object))
    return ev.arithmetic.multiply([ev.arithmetic.number(sign), *upper.diagonal()])


def _cofactors(ev: Evaluator, a: Matrix) -> Any:
    if len(a) == 0:
        return ev.arithmetic.number(1)
    if len(a) == 1:
        return a[0, 0]
    parts = []
    for k in range(len(a)):
        minor = np.delete(a[1:], k, axis=1)
        parts.append(a[0, k] * _cofactors(ev, minor) * ((-1) ** k))
    return ev.arithmetic.add(parts)


def solve(ev: Evaluator, a: Matrix, b: Matrix) -> Matrix:
    """The `x` of `a @ x = b`. Raises `Unsupported` for a singular matrix."""
    columns = b.reshape(len(b), -1)
    upper, right, _ = eliminated(ev, a, columns)
    if any(ev.arithmetic.value(d) == 0 for d in upper.diagonal()):
        raise Unsupported("solve of a singular matrix")
    x = right.copy()
    for k in reversed(range(len(a))):
        for later in range(k + 1, len(a)):
            x[k] = x[k] - upper[k, later] * x[later]
        x[k] = x[k] / upper[k, k]
    return x.reshape(b.shape)


def identity(ev: Evaluator, n: int) -> Matrix:
    """The unit matrix."""
    return ev.lift(np.eye(n, dtype=int))


def inverse(ev: Evaluator, a: Matrix) -> Matrix:
    """The inverse. Raises `Unsupported` for a singular matrix."""
    return solve(ev, a, identity(ev, len(a)))


def slogdet(ev: Evaluator, a: Matrix) -> tuple[Any, Any]:
    """The sign and the logarithm of the determinant."""
    found = det(ev, a)
    arithmetic = ev.arithmetic
    size = apply("abs", arithmetic, [found])
    return apply("sign", arithmetic, [found]), apply("log", arithmetic, [size])


def cholesky(ev: Evaluator, a: Matrix, upper: bool = False) -> Matrix:
    """The factor, of the triangle that is read."""
    a = a.T if upper else a
    factor = ev.lift(np.zeros(a.shape, int))
    for i in range(len(a)):
        for j in range(i + 1):
            rest = a[i, j] - sum((factor[i, k] * factor[j, k] for k in range(j)), start=0)
            if i == j:
                factor[i, j] = apply("sqrt", ev.arithmetic, [rest])
            else:
                factor[i, j] = rest / factor[j, j]
    return factor.T if upper else factor


def qr(ev: Evaluator, a: Matrix) -> tuple[Matrix, Matrix]:
    """The reduced decomposition whose triangle has a negative diagonal, as LAPACK's mostly has."""
    rows, columns = a.shape
    count = min(rows, columns)
    q = ev.lift(np.zeros((rows, count), int))
    for k in range(count):
        rest = a[:, k]
        for j in range(k):
            rest = rest - q[:, j] * np.dot(q[:, j], a[:, k])
        q[:, k] = rest / -root_of_squares(ev, list(rest))
    r = np.matmul(q.T, a)
    below = np.tril(np.ones(r.shape, bool), -1)
    return q, np.where(below, ev.lift(0), r)


def symmetric(a: Matrix, lower: bool) -> Matrix:
    """The symmetric matrix of which one triangle is read."""
    below = np.tril(np.ones(a.shape, bool), -1)
    return np.where(below, a, a.T) if lower else np.where(below, a.T, a)


def eigen(ev: Evaluator, a: Matrix, lower: bool) -> tuple[Matrix, Matrix]:
    """The eigenvalues, ascending, and the eigenvectors, the largest entry of each positive."""
    values, vectors = ev.arithmetic.context.eigsy(_given(ev, symmetric(a, lower)))
    found = np.array(vectors.tolist(), object)
    for k in range(len(a)):
        top = max(range(len(a)), key=lambda row: abs(found[row, k]))
        found[:, k] = found[:, k] * (1 if found[top, k] > 0 else -1)
    return _taken(ev, list(values)), _taken(ev, found)


def singular(ev: Evaluator, a: Matrix, full: bool) -> tuple[Matrix, Matrix, Matrix]:
    """The singular value decomposition, the largest entry of each left vector positive."""
    if full and a.shape[0] != a.shape[1]:
        raise Unsupported("svd with full_matrices of a matrix that is not square")
    left, values, right = ev.arithmetic.context.svd_r(_given(ev, a))
    u, vh = np.array(left.tolist(), object), np.array(right.tolist(), object)
    for k in range(len(values)):
        top = max(range(len(u)), key=lambda row: abs(u[row, k]))
        if u[top, k] < 0:
            u[:, k], vh[k] = -u[:, k], -vh[k]
    return _taken(ev, u), _taken(ev, list(values)), _taken(ev, vh)


def pseudo_inverse(ev: Evaluator, a: Matrix) -> Matrix:
    """The pseudoinverse of a matrix of full rank."""
    if a.shape[0] >= a.shape[1]:
        return np.asarray(solve(ev, np.matmul(a.T, a), a.T))
    return np.asarray(solve(ev, np.matmul(a, a.T), a).T)


def of_mpmath(name: str, ev: Evaluator, a: Matrix) -> Matrix:
    """A function of a matrix by mpmath: `expm` or `sqrtm`."""
    found = getattr(ev.arithmetic.context, name)(_given(ev, a))
    return _taken(ev, [[getattr(x, "real", x) for x in row] for row in found.tolist()])


def _given(ev: Evaluator, a: Matrix) -> Any:
    """The matrix of the values; a decomposition has no expression."""
    return ev.arithmetic.context.matrix(ev.numbers(a).tolist())


def _taken(ev: Evaluator, items: Any) -> Matrix:
    """Numbers of mpmath's as scalars."""
    return ev.each(ev.arithmetic.opaque, np.array(items, object))
