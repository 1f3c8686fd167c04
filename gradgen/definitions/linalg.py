"""Products, norms and powers of arrays, composed of simpler functions of NumPy."""

import numpy as np


def vdot(a, b):
    if a.shape == b.shape:
        return np.sum(a * b)
    return np.ravel(a) @ np.ravel(b)


def vecdot(x1, x2, /, *, axis=-1):
    if x1.ndim == x2.ndim == 1:
        return x1 @ x2
    if axis != -1 and x1.ndim != x2.ndim:
        raise ValueError("np.vecdot with axis= of arrays with different numbers of axes")
    return np.sum(x1 * x2, axis=axis)


def matvec(x1, x2, /):
    if x2.ndim == 1:
        return x1 @ x2
    return (x1 @ x2[..., None])[..., 0]


def vecmat(x1, x2, /):
    if x1.ndim == 1:
        return x1 @ x2
    return (x1[..., None, :] @ x2)[..., 0, :]


def kron(a, b):
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim == b.ndim == 1:
        return np.outer(a, b).ravel()
    rank = max(a.ndim, b.ndim)
    if a.ndim < rank:
        a = np.reshape(a, (1,) * (rank - a.ndim) + a.shape)
    if b.ndim < rank:
        b = np.reshape(b, (1,) * (rank - b.ndim) + b.shape)
    order = [axis for pair in zip(range(rank), range(rank, 2 * rank), strict=True) for axis in pair]
    shape = [m * n for m, n in zip(a.shape, b.shape, strict=True)]
    return np.tensordot(a, b, axes=0).transpose(order).reshape(shape)


def norm(x, ord=None, axis=None, keepdims=False):
    x = _floats(x)
    if axis is None:
        axis = tuple(range(x.ndim))
    if not isinstance(axis, tuple):
        axis = (axis,)
    if len(axis) == 1:
        return _of_vectors(x, ord, axis[0], keepdims)
    if len(axis) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    return _of_matrices(x, ord, axis[0] % x.ndim, axis[1] % x.ndim, keepdims)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    x = _floats(x)
    if axis is None:
        axis = tuple(range(x.ndim))
    if isinstance(axis, int):
        return _of_vectors(x, ord, axis, keepdims)
    axes = [k % x.ndim for k in axis]
    rest = [k for k in range(x.ndim) if k not in axes]
    if rest:
        rows = np.transpose(x, (*rest, *axes)).reshape((*[x.shape[k] for k in rest], -1))
    else:
        rows = np.ravel(x)
    size = _of_vectors(rows, ord, -1, False)
    return np.expand_dims(size, tuple(axes)) if keepdims else size


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    x = _floats(x)
    return _of_matrices(x, ord, x.ndim - 2, x.ndim - 1, keepdims)


def _floats(x):
    x = np.asarray(x)
    return x if x.dtype in ("float64", "float32") else x.astype(float)


def _of_vectors(x, ord, axis, keepdims):
    if isinstance(ord, str):
        raise ValueError("Invalid norm order for vectors.")
    if ord == np.inf:
        return np.max(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == -np.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum((x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    return np.linalg.norm(x, ord, axis=axis, keepdims=keepdims)


def _of_matrices(x, ord, row, column, keepdims):
    if ord is None or ord == "fro":
        return np.linalg.norm(x, axis=(row, column), keepdims=keepdims)
    if ord in (np.inf, -np.inf):
        row, column = column, row
    if ord in (1, np.inf):
        sums = np.sum(np.abs(x), axis=row, keepdims=True)
        return np.max(sums, axis=(row, column), keepdims=keepdims)
    if ord in (-1, -np.inf):
        sums = np.sum(np.abs(x), axis=row, keepdims=True)
        return np.min(sums, axis=(row, column), keepdims=keepdims)
    if ord not in ("nuc", 2, -2):
        raise ValueError("Invalid norm order for matrices.")
    if x.ndim > 2:
        rest = [k for k in range(x.ndim) if k not in (row, column)]
        x = np.transpose(x, (*rest, row, column))
    # abs says that the derivative is 0 where a singular value is
    values = np.abs(np.linalg.svd(x, compute_uv=False))
    if ord == "nuc":
        size = np.sum(values, axis=-1)
    else:
        size = np.max(values, axis=-1) if ord == 2 else np.min(values, axis=-1)
    return np.expand_dims(size, (row, column)) if keepdims else size


def matrix_power(a, n):
    if n == 0:
        return np.broadcast_to(np.eye(a.shape[-1]).astype(a.dtype), a.shape)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 3:
        return a @ a @ a
    power, result = a, None
    while n > 0:
        if n % 2:
            result = power if result is None else result @ power
        n = n // 2
        if n > 0:
            power = power @ power
    return result


def multi_dot(arrays):
    arrays = list(arrays)
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    if arrays[-1].ndim == 1:
        result = arrays[-1]
        for other in arrays[-2::-1]:
            result = other @ result
        return result
    result = arrays[0]
    for other in arrays[1:]:
        result = result @ other
    return result


def tensorinv(a, ind=2):
    rows = a.shape[:ind]
    columns = a.shape[ind:]
    return np.linalg.inv(a.reshape(_count(rows), _count(columns))).reshape((*columns, *rows))


def tensorsolve(a, b, axes=None):
    if axes is not None:
        moved = [k % a.ndim for k in (axes if isinstance(axes, (tuple, list)) else (axes,))]
        a = np.transpose(a, (*[k for k in range(a.ndim) if k not in moved], *moved))
    unknowns = a.shape[b.ndim :]
    count = _count(unknowns)
    return np.linalg.solve(a.reshape(-1, count), b.ravel()).reshape(unknowns)


def _count(shape):
    total = 1
    for length in shape:
        total = total * length
    return total


def diagonal(x, /, *, offset=0):
    rows, columns = x.shape[-2], x.shape[-1]
    if offset == 0 and rows == columns:
        return np.einsum("...ii->...i", x)
    first, other = max(-offset, 0), max(offset, 0)
    place = np.arange(min(rows - first, columns - other))
    return x[..., place + first, place + other]


def trace(x, /, *, offset=0):
    if offset == 0 and x.shape[-2] == x.shape[-1]:
        return np.einsum("...ii->...", x)
    return np.sum(diagonal(x, offset=offset), axis=-1)


def scipy_norm(a, ord=None, axis=None, keepdims=False, check_finite=True):
    if ord is None:
        return np.linalg.norm(a, axis=axis, keepdims=keepdims)
    return norm(a, ord, axis, keepdims)


def toeplitz(c, r=None):
    r = c if r is None else r
    if c.ndim != 1 or r.ndim != 1:
        raise ValueError("scipy.linalg.toeplitz takes vectors here")
    rows, columns = np.arange(len(c))[:, None], np.arange(len(r))
    return np.concatenate([c[::-1], r[1:]])[columns - rows + (len(c) - 1)]


def hankel(c, r=None):
    r = np.zeros_like(c) if r is None else r
    if c.ndim != 1 or r.ndim != 1:
        raise ValueError("scipy.linalg.hankel takes vectors here")
    return np.concatenate([c, r[1:]])[np.arange(len(c))[:, None] + np.arange(len(r))]


def circulant(c):
    if c.ndim != 1:
        raise ValueError("scipy.linalg.circulant takes a vector here")
    # an index below 0 counts from the end
    return c[np.arange(len(c))[:, None] - np.arange(len(c))]
