"""Averages, spreads, differences and sums that pass over NaN, and covariances.

The last functions tell the adjoints of some.
"""

import numpy as np

# -- sums and products of a part of the items ------------------------------------------------------


def sum_where(a, axis=None, dtype=None, *, keepdims=False, initial=0, where=True):
    total = np.sum(np.where(where, a, 0), axis=axis, dtype=dtype, keepdims=keepdims)
    return total + initial


def prod_where(a, axis=None, dtype=None, *, keepdims=False, initial=1, where=True):
    product = np.prod(np.where(where, a, 1), axis=axis, dtype=dtype, keepdims=keepdims)
    return product * initial


def mean_where(a, axis=None, dtype=None, *, keepdims=False, where=True):
    total = np.sum(np.where(where, a, 0.0), axis=axis, dtype=dtype, keepdims=keepdims)
    mask = np.broadcast_to(where, np.shape(a))
    return total / counted(mask, total, axis, keepdims)


def max_where(a, axis=None, *, keepdims=False, initial=None, where=True):
    if initial is None:
        raise ValueError("np.max with where= needs initial=")
    kept = np.where(where, a, initial)
    return np.maximum(np.max(kept, axis=axis, keepdims=keepdims), initial)


def min_where(a, axis=None, *, keepdims=False, initial=None, where=True):
    if initial is None:
        raise ValueError("np.min with where= needs initial=")
    kept = np.where(where, a, initial)
    return np.minimum(np.min(kept, axis=axis, keepdims=keepdims), initial)


def ptp(a, axis=None, out=None, keepdims=False):
    refuse_out(out)
    top = np.max(a, axis=axis, keepdims=keepdims)
    return top - np.min(a, axis=axis, keepdims=keepdims)


def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    a = np.asarray(a)
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        if returned:
            return mean, np.full(np.shape(mean), np.size(a, axis), dtype=mean.dtype)
        return mean
    weights = np.asarray(weights)
    if weights.shape != a.shape:
        weights = along(weights, a.ndim, axis)
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    mean = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    if returned:
        return mean, np.broadcast_to(total, np.shape(mean)) + 0.0
    return mean


def along(weights, ndim, axis):
    """Weights for some axes of an array, with the others as length 1."""
    if axis is None:
        raise ValueError("weights of another shape than the array need axis=")
    axes = [k % ndim for k in (axis if isinstance(axis, tuple) else (axis,))]
    if weights.ndim != len(axes):
        raise ValueError("np.average: weights need one axis for each of axis=")
    if len(axes) > 1:
        weights = np.transpose(weights, [axes.index(k) for k in range(ndim) if k in axes])
    return weights[tuple([slice(None) if k in axes else None for k in range(ndim)])]


def refuse_out(out):
    if out is not None:
        raise ValueError("out= is not supported: assign the result")


# -- items that are not NaN ------------------------------------------------------------------------


def filled(a, value):
    a = np.asarray(a)
    return np.where(np.isnan(a), value, a) if is_float(a) else a


def is_float(a):
    return a.dtype in ("float64", "float32", "float")


def counted(mask, like, axis, keepdims):
    """How many items are true, in the precision of another array."""
    if like.dtype == "float32":
        return np.sum(mask, axis=axis, dtype=like.dtype, keepdims=keepdims)
    return np.sum(mask, axis=axis, keepdims=keepdims)


def nansum(a, axis=None, dtype=None, out=None, keepdims=False):
    refuse_out(out)
    return np.sum(filled(a, 0.0), axis=axis, dtype=dtype, keepdims=keepdims)


def nanprod(a, axis=None, dtype=None, out=None, keepdims=False):
    refuse_out(out)
    return np.prod(filled(a, 1.0), axis=axis, dtype=dtype, keepdims=keepdims)


def nanmax(a, axis=None, out=None, keepdims=False):
    refuse_out(out)
    return np.max(filled(a, -np.inf), axis=axis, keepdims=keepdims)


def nanmin(a, axis=None, out=None, keepdims=False):
    refuse_out(out)
    return np.min(filled(a, np.inf), axis=axis, keepdims=keepdims)


def nancumsum(a, axis=None, dtype=None, out=None):
    refuse_out(out)
    return np.cumsum(filled(a, 0.0), axis=axis, dtype=dtype)


def nancumprod(a, axis=None, dtype=None, out=None):
    refuse_out(out)
    return np.cumprod(filled(a, 1.0), axis=axis, dtype=dtype)


def nanmean(a, axis=None, dtype=None, out=None, keepdims=False):
    refuse_out(out)
    a = np.asarray(a)
    if not is_float(a):
        return np.mean(a, axis=axis, dtype=dtype, keepdims=keepdims)
    total = np.sum(filled(a, 0.0), axis=axis, dtype=dtype, keepdims=keepdims)
    return total / counted(~np.isnan(a), total, axis, keepdims)


def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=None):
    refuse_out(out)
    a = np.asarray(a)
    ddof = ddof if correction is None else correction
    if not is_float(a):
        return np.var(a, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims)
    if dtype is not None:
        a = a.astype(dtype)
    kept = ~np.isnan(a)
    inner = axis is not None
    total = np.sum(np.where(kept, a, 0.0), axis=axis, keepdims=inner)
    centred = np.where(kept, a - total / counted(kept, a, axis, inner), 0.0)
    squares = np.sum(centred * centred, axis=axis, keepdims=keepdims)
    return squares / (counted(kept, a, axis, keepdims) - ddof)


def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=None):
    return np.sqrt(nanvar(a, axis, dtype, out, ddof, keepdims, correction=correction))


# -- differences and integrals ---------------------------------------------------------------------


def place(ndim, axis, item):
    """The index that reads `item` along one axis."""
    if not -ndim <= axis < ndim:
        raise ValueError("axis is out of bounds for this array")
    return (slice(None),) * (axis % ndim) + (item,)


def diff(a, n=1, axis=-1, prepend=None, append=None):
    a = np.asarray(a)
    if n == 0:
        return a
    parts = [a]
    if prepend is not None:
        parts = [edge(prepend, a, axis), *parts]
    if append is not None:
        parts = [*parts, edge(append, a, axis)]
    if len(parts) > 1:
        a = np.concatenate(parts, axis=axis)
    after = place(a.ndim, axis, slice(1, None))
    before = place(a.ndim, axis, slice(None, -1))
    for _ in range(n):
        a = np.not_equal(a[after], a[before]) if a.dtype == "bool" else a[after] - a[before]
    return a


def edge(value, a, axis):
    """What is put before or after an array along an axis."""
    value = np.asarray(value)
    if value.ndim > 0:
        return value
    axis = axis % a.ndim
    return np.broadcast_to(value, [1 if k == axis else a.shape[k] for k in range(a.ndim)])


def ediff1d(ary, to_end=None, to_begin=None):
    ary = np.ravel(ary)
    parts = [ary[1:] - ary[:-1]]
    if to_begin is not None:
        parts = [np.ravel(to_begin), *parts]
    if to_end is not None:
        parts = [*parts, np.ravel(to_end)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([part.astype(ary.dtype) for part in parts])


def trapezoid(y, x=None, dx=1.0, axis=-1):
    y = np.asarray(y)
    heights = y[place(y.ndim, axis, slice(1, None))] + y[place(y.ndim, axis, slice(None, -1))]
    if x is None:
        return np.sum(dx * heights / 2.0, axis=axis)
    x = np.asarray(x)
    if x.ndim == 1:
        at = axis % y.ndim
        widths = (x[1:] - x[:-1])[tuple([slice(None) if k == at else None for k in range(y.ndim)])]
    else:
        after, before = slice(1, None), slice(None, -1)
        widths = x[place(x.ndim, axis, after)] - x[place(x.ndim, axis, before)]
    return np.sum(widths * heights / 2.0, axis=axis)


def gradient(f, *varargs, axis=None, edge_order=1):
    f = np.asarray(f)
    if not is_float(f):
        f = f.astype(float)
    if axis is None:
        axis = tuple(range(f.ndim))
    axes = [k % f.ndim for k in (axis if isinstance(axis, tuple) else (axis,))]
    if edge_order not in (1, 2):
        raise ValueError("np.gradient: edge_order is 1 or 2")
    if len(varargs) not in (0, 1, len(axes)):
        raise ValueError("np.gradient takes no spacing, one, or one for each axis")
    if len(varargs) == 1 and np.ndim(varargs[0]) > 0 and len(axes) > 1:
        raise ValueError("np.gradient: coordinates are given for each axis")
    spacings = varargs if len(varargs) == len(axes) else (varargs or (1.0,)) * len(axes)
    slopes = [slope(f, h, k, edge_order) for h, k in zip(spacings, axes, strict=True)]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def slope(f, h, axis, edge_order):
    """The derivative along one axis, by differences of the second order inside."""
    ndim, dtype = f.ndim, f.dtype

    def part(start, stop):
        return f[place(ndim, axis, slice(start, stop))]

    first, second, third = part(None, 1), part(1, 2), part(2, 3)
    last, before, two_before = part(-1, None), part(-2, -1), part(-3, -2)
    if np.ndim(h) == 0:
        inner = (part(2, None) - part(None, -2)) / (2.0 * h)
        start, end = (second - first) / h, (last - before) / h
        if edge_order == 2:
            start = -(1.5 * first - 2.0 * second + 0.5 * third) / h
            end = (0.5 * two_before - 2.0 * before + 1.5 * last) / h
    else:
        shape = tuple([slice(None) if k == axis else None for k in range(ndim)])
        steps = (h[1:] - h[:-1])[shape]

        def width(start, stop):
            return steps[place(ndim, axis, slice(start, stop))]

        left, right = width(None, -1), width(1, None)
        rise = (part(2, None) - part(1, -1)) * (left / right)
        fall = (part(1, -1) - part(None, -2)) * (right / left)
        inner = (rise + fall) / (left + right)
        start, end = (second - first) / width(None, 1), (last - before) / width(-1, None)
        if edge_order == 2:
            one, two = width(None, 1), width(1, 2)
            bend = ((third - second) / two - start) / (one + two)
            start = start - one * bend
            one, two = width(-2, -1), width(-1, None)
            bend = (end - (before - two_before) / one) / (one + two)
            end = end + two * bend
    return np.concatenate([start, inner, end], axis=axis).astype(dtype)


def freedom(a, axis, ddof):
    """What divides the sum of squares."""
    count = np.size(a, axis)
    if ddof == 0:
        return count
    return count - ddof if ddof <= 1 else max(count - ddof, 0)


# -- covariances -----------------------------------------------------------------------------------


def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    rows = observations(m, y, rowvar, dtype)
    if ddof is None:
        ddof = 0 if bias else 1
    weights = None
    if fweights is not None:
        weights = np.asarray(fweights)
    if aweights is not None:
        given = np.asarray(aweights, dtype=float)
        weights = given if weights is None else weights * given
    if weights is None:
        count = freedom(rows, 1, ddof)
        centred = rows - np.mean(rows, axis=1, keepdims=True)
        product = centred @ centred.T
    else:
        total = np.sum(weights)
        count = total - ddof
        if aweights is not None and ddof != 0:
            count = total - ddof * np.sum(weights * given) / total
        centred = rows - (rows @ weights / total)[:, None]
        product = (centred * weights) @ centred.T
    return squeezed(product / count)


def observations(m, y, rowvar, dtype):
    """All variables, in doubles where nothing else is asked for."""
    rows = np.asarray(m)
    rows = np.reshape(rows, (1, -1)) if rows.ndim < 2 else rows if rowvar else rows.T
    if y is not None:
        more = np.asarray(y)
        more = np.reshape(more, (1, -1)) if more.ndim < 2 else more
        if not rowvar and more.shape[0] != 1:
            more = more.T
        rows = np.concatenate([rows, more], axis=0)
    if dtype is not None:
        return rows.astype(dtype)
    return rows if rows.dtype == "float64" else rows.astype(float)


def squeezed(matrix):
    return matrix[0, 0] if matrix.shape[0] == 1 else matrix


def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    rows = observations(x, y, rowvar, dtype)
    centred = rows - np.mean(rows, axis=1, keepdims=True)
    norms = np.sqrt(np.sum(centred * centred, axis=1))
    return squeezed(centred @ centred.T / norms[:, None] / norms)


# -- adjoints --------------------------------------------------------------------------------------


def spread(g, axis, keepdims, ndim):
    """The adjoint of a reduction, with the reduced axes put back as length 1."""
    if keepdims or axis is None or np.ndim(g) == 0:
        return g
    axes = [k % ndim for k in (axis if isinstance(axis, tuple) else (axis,))]
    return g[tuple([None if k in axes else slice(None) for k in range(ndim)])]


def middle(a, axis, dtype, mean):
    """What the items of a variance are compared with."""
    if mean is None:
        return np.mean(a, axis=axis, dtype=dtype, keepdims=axis is not None)
    return mean


def times_spread(g, axis, keepdims, centred, count):
    """Numbers are divided last: by zero, an array gives NaN, and a Python number raises."""
    if np.ndim(g) == 0:
        return g * centred / count
    return spread(g / count, axis, keepdims, centred.ndim) * centred


def d_var(
    g, out, a, axis=None, dtype=None, buffer=None, ddof=0, keepdims=False, *, mean=None,
    correction=None,
):  # fmt: skip
    a = np.asarray(a)
    count = freedom(a, axis, ddof if correction is None else correction)
    centre = middle(a, axis, dtype, mean)
    if mean is None:
        return times_spread(2.0 * g, axis, keepdims, a - centre, count)
    d_a = times_spread(2.0 * g, axis, keepdims, a - centre, count)
    return d_a, None, None, None, None, None, -d_a


def d_std(
    g, out, a, axis=None, dtype=None, buffer=None, ddof=0, keepdims=False, *, mean=None,
    correction=None,
):  # fmt: skip
    a = np.asarray(a)
    count = freedom(a, axis, ddof if correction is None else correction)
    centre = middle(a, axis, dtype, mean)
    if mean is None:
        return spread(g / (count * out), axis, keepdims, a.ndim) * (a - centre)
    d_a = spread(g / (count * out), axis, keepdims, a.ndim) * (a - centre)
    return d_a, None, None, None, None, None, -d_a


def d_median(g, out, a, axis=None, buffer=None, overwrite_input=False, keepdims=False):
    """Half for the items that are next below, half for those next above; ties share evenly."""
    a = np.asarray(a)
    centre = spread(out, axis, keepdims, a.ndim)
    low = np.max(np.where(a <= centre, a, -np.inf), axis=axis, keepdims=axis is not None)
    high = np.min(np.where(a >= centre, a, np.inf), axis=axis, keepdims=axis is not None)
    half = spread(0.5 * g, axis, keepdims, a.ndim)
    return half * (shares(a == low, a, axis) + shares(a == high, a, axis))


def shares(mask, a, axis):
    return mask / counted(mask, a, axis, axis is not None)
