"""Sorting, quantiles and interpolation.

What is sorted takes its adjoint through the permutation; equal items keep their order.
"""

import numpy as np


def sort(g, out, a, axis=-1, kind=None, *, stable=None):
    a = np.asarray(a)
    if axis is None:
        return _unsort(g, a.ravel(), 0).reshape(a.shape)
    return _unsort(g, a, axis % a.ndim)


def partition(g, out, a, kth, axis=-1, kind="introselect"):
    a = np.asarray(a)
    # `argpartition` may order what lies between the pivots otherwise than `partition` does.
    if axis is None:
        g = g[np.argsort(out, kind="stable")]
    else:
        g = _pick(g, np.argsort(out, axis=axis, kind="stable"), axis % a.ndim)
    return sort(g, out, a, axis)


def _unsort(g, a, axis):
    """What was sorted along an axis in the order of `a`."""
    if a.ndim == 1:
        return g[np.argsort(np.argsort(a, kind="stable"))]
    order = np.argsort(a, axis=axis, kind="stable")
    return _pick(g, np.argsort(order, axis=axis), axis)


def _pick(a, indices, axis):
    return a[indices] if a.ndim == 1 else np.take_along_axis(a, indices, axis=axis)


def percentile(a, q, axis=None, *, method="linear", keepdims=False):
    if isinstance(q, (tuple, list)):
        q = np.array(q)
    return quantile(a, q / 100, axis, method=method, keepdims=keepdims)


def quantile(a, q, axis=None, *, method="linear", keepdims=False):
    if method not in ("linear", "lower", "higher", "midpoint"):
        raise ValueError('the methods "linear", "lower", "higher" and "midpoint" are supported')
    a = np.asarray(a)
    if isinstance(q, (tuple, list)):
        q = np.array(q)
    if method != "linear" and a.dtype == "float32":
        # NumPy rounds the place of the quantile in one version or another.
        raise ValueError('method="linear" is supported for float32; convert the array to float64')
    if axis is None:
        axis = tuple(range(a.ndim))
    axes = [k % a.ndim for k in (axis if isinstance(axis, tuple) else (axis,))]
    a_first = _leading(a, axes)
    last = len(a_first) - 1
    ordered = np.sort(a_first, axis=0)
    at = q * last
    low = int(at) if np.ndim(q) == 0 else np.floor(at).astype(int)
    high = np.minimum(low + 1, last)
    part = at - low
    if np.ndim(q) > 0:
        part = part[(...,) + (None,) * (ordered.ndim - 1)]
    if method == "midpoint":
        part = 0.5 * np.sign(part)
    if method in ("linear", "midpoint"):
        result = (1.0 - part) * ordered[low] + part * ordered[high]
    else:
        result = ordered[low if method == "lower" else np.ceil(at).astype(int)]
    if keepdims:
        kept = [None if k in axes else slice(None) for k in range(a.ndim)]
        result = result[(slice(None),) * np.ndim(q) + tuple(kept)]
    return result


def _leading(a, axes):
    """The array with these axes as one, which comes first."""
    if len(axes) == a.ndim:
        return a if a.ndim == 1 else a.ravel()
    kept = [k for k in range(a.ndim) if k not in axes]
    if axes != [0]:
        a = a.transpose([*axes, *kept])
    if len(axes) > 1:
        a = a.reshape((-1, *a.shape[len(axes) :]))
    return a


def interp(x, xp, fp, left=None, right=None):
    xp, fp = np.asarray(xp), np.asarray(fp)
    if isinstance(x, (tuple, list)):
        x = np.array(x)
    # The interval to the right of a knot, but for the last knot.
    high = np.clip(np.searchsorted(xp, x, side="right"), 1, len(xp) - 1)
    low = high - 1
    part = (x - xp[low]) / (xp[high] - xp[low])
    y = (1.0 - part) * fp[low] + part * fp[high]
    y = np.where(x < xp[0], fp[0] if left is None else left, y)
    y = np.where(x > xp[-1], fp[-1] if right is None else right, y)
    return y.astype(float)


def unwrap(g, out, p, discont=None, axis=-1, *, period=0.0):
    return g


def maximum_accumulate(array, axis=0):
    return _at_places(array, array == np.maximum.accumulate(array, axis), axis)


def minimum_accumulate(array, axis=0):
    return _at_places(array, array == np.minimum.accumulate(array, axis), axis)


def _at_places(array, attained, axis):
    """The items that were the extreme last: of equal ones the later takes the adjoint."""
    behind = (None,) * (array.ndim - 1 - axis % array.ndim)
    position = np.arange(array.shape[axis])[(..., *behind)]
    place = np.maximum.accumulate(np.where(attained, position, 0), axis)
    return np.take_along_axis(array, place, axis)
