"""Adjoints of matrix functions of NumPy and SciPy.

A function that reads one triangle of a matrix, as `cholesky` and `eigh` do, has its adjoint on that
triangle: it is the derivative of what NumPy computes, entry by entry. Along symmetric changes of
the matrix it says the same as the symmetric matrices found in the literature.

Formulas: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation", 2008 (solve, inv, det, eigh, svd); I. Murray, "Differentiation of the Cholesky
decomposition", 2016; M. Seeger et al., "Auto-differentiating linear algebra", 2017 (qr, svd, eigh);
G. Golub and V. Pereyra, "The differentiation of pseudo-inverses", 1973 (pinv, lstsq);
J. Townsend, "Differentiating the singular value decomposition", 2016 (svd of any shape);
N. Higham, "Functions of Matrices", 2008, sections 3.2 and 6.1 (expm, sqrtm).
Eigenvalues that coincide, and singular values that do, have no derivative of their vectors: the
quotients of their differences give inf or NaN.
"""

import numpy as np
import scipy.linalg


def _flipped(x):
    """The transpose of each matrix of a stack."""
    return x.swapaxes(-1, -2)


def _each(x):
    """Numbers, one for each matrix of a stack, set against the matrices."""
    return x[..., None, None] if x.ndim else x


def _row(x):
    """Vectors, set along the rows of matrices."""
    return x if x.ndim == 1 else x[..., None, :]


def _column(x):
    """Vectors, set along the columns of matrices."""
    return x[:, None] if x.ndim == 1 else x[..., :, None]


def _on_triangle(x, lower):
    """The adjoint of the triangle that a symmetric matrix is read from."""
    if lower:
        return np.tril(x) + _flipped(np.triu(x, 1))
    return np.triu(x) + _flipped(np.tril(x, -1))


def cross(g, out, a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    d_a = _crossed(b, g, axisb, axisc, axisa, a.ndim)
    d_b = _crossed(g, a, axisc, axisa, axisb, b.ndim)
    return d_a, d_b


def linalg_cross(g, out, x1, x2, /, *, axis=-1):
    return cross(g, out, x1, x2, axis=axis)


def _crossed(x, y, axis_x, axis_y, axis, rank):
    """The product of vectors, summed over leading axes down to `rank`."""
    if rank == max(x.ndim, y.ndim):
        if axis_x == axis_y == axis == -1:
            return np.cross(x, y)
        return np.cross(x, y, axisa=axis_x, axisb=axis_y, axisc=axis)
    product = np.cross(x, y, axisa=axis_x, axisb=axis_y)
    product = np.sum(product, axis=tuple(range(product.ndim - rank)))
    axis = axis % rank
    return product.transpose((*range(axis), rank - 1, *range(axis, rank - 1)))


def p_norm(g, out, x, ord, axis=None, keepdims=False):
    size = np.where(out == 0, 1.0, out)
    if axis is not None and not keepdims and out.ndim > 0:
        g, size = np.expand_dims(g, axis), np.expand_dims(size, axis)
    return g * np.sign(x) * (np.abs(x) / size) ** (ord - 1)


def solve(g, out, a, b):
    a, b = np.asarray(a), np.asarray(b)
    if b.ndim == 1 and a.ndim > 2:
        d_b = np.linalg.solve(_flipped(a), g[..., None])[..., 0]
        return -(d_b[..., :, None] * out[..., None, :]), d_b
    d_b = np.linalg.solve(_flipped(a), g)
    if b.ndim == 1:
        return -np.outer(d_b, out), d_b
    return -(d_b @ _flipped(out)), d_b


def inv(g, out, a):
    return -(_flipped(out) @ g @ _flipped(out))


def pinv(g, out, a, rcond=None, hermitian=False, *, rtol=None):
    a = np.asarray(a)
    p, gap = out, _flipped(g)
    d_a = -(_flipped(p) @ g @ _flipped(p))
    d_a = d_a + (gap - a @ (p @ gap)) @ p @ _flipped(p)
    return d_a + _flipped(p) @ p @ (gap - (gap @ p) @ a)


def det(g, out, a):
    a = np.asarray(a)
    # a singular matrix has an adjugate too, but no inverse: it comes from the singular values
    n = a.shape[-1]
    singular = _each(out) == 0
    inverse = np.linalg.inv(np.where(singular, np.eye(n), a))
    u, s, vh = np.linalg.svd(np.where(singular, a, np.eye(n) * np.arange(n)))
    others = np.prod(np.where(np.eye(n) == 1, 1.0, _row(s)), axis=-1)
    sign = np.linalg.slogdet(u @ vh)[0]
    cofactors = _each(sign) * ((u * _row(others)) @ vh)
    return _each(g) * np.where(singular, cofactors, _each(out) * _flipped(inverse))


def regular_det(g, out, a):
    return (_each(g) * _each(out)) * _flipped(np.linalg.inv(np.asarray(a)))


def small_det(g, out, a):
    a = np.asarray(a)
    if a.shape[-1] == 1:
        cofactors = np.ones(a.shape)
    elif a.shape[-1] == 2:
        cofactors = a[..., ::-1, ::-1] * np.array([[1, -1], [-1, 1]])
    else:
        below, above = a[..., [1, 2, 0], :], a[..., [2, 0, 1], :]
        cofactors = (
            below[..., [1, 2, 0]] * above[..., [2, 0, 1]]
            - below[..., [2, 0, 1]] * above[..., [1, 2, 0]]
        )
    return _each(g) * cofactors


def slogdet(g, out, a):
    a = np.asarray(a)
    if g[1] is None:
        return None
    return _each(g[1]) * _flipped(np.linalg.inv(a))


def cholesky(g, out, a, /, *, upper=False):
    factor = _flipped(out) if upper else out
    d_factor = _flipped(g) if upper else g
    product = np.tril(_flipped(factor) @ d_factor)
    product = product + _flipped(np.tril(product, -1))
    inner = _flipped(np.linalg.solve(_flipped(factor), product))
    both = np.linalg.solve(_flipped(factor), inner)
    triangle = np.triu(both) if upper else np.tril(both)
    return triangle - 0.5 * (both * np.eye(both.shape[-1]))


def eigh(g, out, a, UPLO="L"):
    w, v = out
    g_w, g_v = g
    if g_v is None:
        inner = v * _row(g_w)
    else:
        inner = (_flipped(v) @ g_v) / _gaps(w)
        kept = 1.0 - np.eye(w.shape[-1])
        inner = inner * kept if g_w is None else inner * kept + _diagonal(g_w)
        inner = v @ inner
    return _on_triangle(inner @ _flipped(v), UPLO in ("L", "l"))


def eigvalsh(g, out, a, UPLO="L"):
    lower = UPLO in ("L", "l")
    _, v = np.linalg.eigh(a) if lower else np.linalg.eigh(a, UPLO)
    return _on_triangle((v * _row(g)) @ _flipped(v), lower)


def _gaps(w):
    """What each number is above each other one, and 1 on the diagonal."""
    return _row(w) - _column(w) + np.eye(w.shape[-1])


def _diagonal(x):
    return _row(x) * np.eye(x.shape[-1])


def svd(g, out, a, full_matrices=True, compute_uv=True, hermitian=False):
    if not compute_uv:
        return svdvals(g, out, a)
    u, s, vh = out
    if full_matrices and a.shape[-2] != a.shape[-1]:
        if g[0] is not None or g[2] is not None:
            raise ValueError("the singular vectors of a matrix that is not square have a "
                             "derivative with full_matrices=False only")  # fmt: skip
        count = s.shape[-1]
        u, vh = u[..., :, :count], vh[..., :count, :]
    return _svd(g, u, s, vh)


def svdvals(g, out, x, /):
    u, _, vh = np.linalg.svd(x, full_matrices=False)
    return (u * _row(g)) @ vh


def _svd(g, u, s, vh):
    g_u, g_s, g_vh = g
    if g_u is None and g_vh is None:
        return (u * _row(g_s)) @ vh
    row, column = _row(s), _column(s)
    gaps = (row - column) * (row + column) + np.eye(s.shape[-1])
    inner = 0.0 if g_s is None else _diagonal(g_s)
    outside = 0.0
    if g_u is not None:
        turned = _flipped(u) @ g_u
        inner = inner + (turned - _flipped(turned)) / gaps * row
        if u.shape[-2] > u.shape[-1]:
            outside = (g_u - u @ turned) / row @ vh
    if g_vh is not None:
        turned = vh @ _flipped(g_vh)
        inner = inner + column * (turned - _flipped(turned)) / gaps
        if vh.shape[-1] > vh.shape[-2]:
            outside = outside + (u / row) @ (g_vh - _flipped(turned) @ vh)
    return u @ inner @ vh + outside


def qr(g, out, a, mode="reduced"):
    a = np.asarray(a)
    if mode == "r":
        q, r = np.linalg.qr(a)
        g_q, g_r = None, g
    else:
        q, r = out
        g_q, g_r = g
    return _qr(a, q, r, g_q, g_r)


def _qr(a, q, r, g_q, g_r):
    m, n = a.shape[-2], a.shape[-1]
    if m >= n:
        return _tall_qr(q, r, g_q, g_r)
    # the first columns of a wide matrix fix q, and the others are q @ r
    if g_r is None:
        return np.concatenate([_tall_qr(q, r[..., :m], g_q, None), np.zeros_like(a[..., m:])], -1)
    across = a[..., m:] @ _flipped(g_r[..., m:])
    g_q = across if g_q is None else g_q + across
    first = _tall_qr(q, r[..., :m], g_q, g_r[..., :m])
    return np.concatenate([first, q @ g_r[..., m:]], axis=-1)


def _tall_qr(q, r, g_q, g_r):
    if g_r is None:
        inner = -(_flipped(g_q) @ q)
    elif g_q is None:
        inner = r @ _flipped(g_r)
    else:
        inner = r @ _flipped(g_r) - _flipped(g_q) @ q
    inner = np.tril(inner) + _flipped(np.tril(inner, -1))
    inner = q @ inner if g_q is None else g_q + q @ inner
    return _flipped(np.linalg.solve(r, _flipped(inner)))


def lstsq(g, out, a, b, rcond=None):
    a, b = np.asarray(a), np.asarray(b)
    x, g_x = out[0], g[0]
    if g[1] is not None:
        raise ValueError("the residuals of np.linalg.lstsq have no derivative here; "
                         "write np.sum((b - a @ x) ** 2, axis=0)")  # fmt: skip
    d_a, d_b = None, None
    if g_x is not None:
        d_a, d_b = least_squares(g_x, x, a, b)
    if g[3] is not None:
        values = svdvals(g[3], out[3], a)
        d_a = values if d_a is None else d_a + values
    return d_a, d_b


def least_squares(g, x, a, b):
    """The adjoints of the matrix and of the right-hand sides, for a matrix of full rank."""
    inverse = np.linalg.pinv(a)
    d_b = inverse.T @ g
    d_a = _products(b - a @ x, inverse @ d_b) - _products(d_b, x)
    if a.shape[0] >= a.shape[1]:
        return d_a, d_b
    return _products(inverse.T @ x, g - a.T @ d_b) - _products(d_b, x), d_b


def _products(x, y):
    return np.outer(x, y) if x.ndim == 1 else x @ y.T


# -- functions of scipy.linalg ---------------------------------------------------------------------


def scipy_inv(g, out, a, overwrite_a=False, check_finite=True, *, assume_a=None, lower=False):
    return inv(g, out, a)


def scipy_det(g, out, a, overwrite_a=False, check_finite=True):
    return det(g, out, a)


def scipy_pinv(g, out, a, *, atol=None, rtol=None, return_rank=False, check_finite=True):
    return pinv(g, out, a)


def scipy_solve(
    g, out, a, b, lower=False, overwrite_a=False, overwrite_b=False, check_finite=True,
    assume_a=None, transposed=False,
):  # fmt: skip
    if assume_a in (None, "gen", "general"):
        if transposed:
            d_b = scipy.linalg.solve(a, g)
            return -_products(out, d_b), d_b
        d_b = scipy.linalg.solve(a.T, g)
        return -_products(d_b, out), d_b
    d_b = scipy.linalg.solve(a, g, lower=lower, assume_a=assume_a)
    return _on_triangle(-_products(d_b, out), lower), d_b


def solve_triangular(
    g, out, a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=True
):
    turned = trans not in (0, "N")
    d_b = scipy.linalg.solve_triangular(
        a, g, trans=0 if turned else 1, lower=lower, unit_diagonal=unit_diagonal
    )
    d_a = -_products(out, d_b) if turned else -_products(d_b, out)
    if lower:
        return np.tril(d_a, -1 if unit_diagonal else 0), d_b
    return np.triu(d_a, 1 if unit_diagonal else 0), d_b


def scipy_cholesky(g, out, a, lower=False, overwrite_a=False, check_finite=True):
    return cholesky(g, out, a, upper=not lower)


def cho_factor(g, out, a, lower=False, overwrite_a=False, check_finite=True):
    if lower:
        return cholesky(g[0], np.tril(out[0]), a)
    return cholesky(g[0], np.triu(out[0]), a, upper=True)


def cho_solve(g, out, c_and_lower, b, overwrite_b=False, check_finite=True):
    factor, lower = c_and_lower
    d_b = scipy.linalg.cho_solve(c_and_lower, g)
    both = _products(d_b, out)
    both = both + both.T
    d_factor = -np.tril(both @ np.tril(factor)) if lower else -np.triu(np.triu(factor) @ both)
    return (d_factor, None), d_b


def scipy_eigh(g, out, a, b=None, *, lower=True, eigvals_only=False, **options):
    if eigvals_only:
        return scipy_eigvalsh(g, out, a, b, lower=lower)
    return eigh(g, out, a, "L" if lower else "U")


def scipy_eigvalsh(g, out, a, b=None, *, lower=True, **options):
    return eigvalsh(g, out, a, "L" if lower else "U")


def scipy_svd(g, out, a, full_matrices=True, compute_uv=True, *options, **others):
    return svd(g, out, a, full_matrices, compute_uv)


def scipy_svdvals(g, out, a, overwrite_a=False, check_finite=True):
    return svdvals(g, out, a)


def scipy_qr(
    g, out, a, overwrite_a=False, lwork=None, mode="full", pivoting=False, check_finite=True
):
    if mode == "r":
        return qr(g[0], out[0], a, "r")
    return qr(g, out, a)


def scipy_lstsq(g, out, a, b, *options, **others):
    return lstsq(g, out, a, b)


def expm(g, out, A):
    top = np.concatenate([A.T, g], axis=1)
    bottom = np.concatenate([np.zeros_like(A), A.T], axis=1)
    return scipy.linalg.expm(np.concatenate([top, bottom]))[: len(A), len(A) :]


def sqrtm(g, out, A):
    return scipy.linalg.solve_sylvester(out.T, out.T, g)


def solve_sylvester(g, out, a, b, q):
    d_q = scipy.linalg.solve_sylvester(a.T, b.T, g)
    return -(d_q @ out.T), -(out.T @ d_q), d_q


def block_diag(g, out, *arrs):
    parts, row, column = [], 0, 0
    for block in arrs:
        block = np.asarray(block)
        if block.ndim == 2:
            parts.append(g[row : row + block.shape[0], column : column + block.shape[1]])
            row, column = row + block.shape[0], column + block.shape[1]
        elif block.ndim == 1:
            parts.append(g[row, column : column + len(block)])
            row, column = row + 1, column + len(block)
        else:
            parts.append(g[row, column])
            row, column = row + 1, column + 1
    return (parts,)
