"""Functions that move, repeat, split and pick items, and the adjoints of such functions.

Arguments that only pass through are taken as `*rest` and `**named`, and so are written in the
derivative as they are in the call.
"""

import numpy as np

# -- the same items in another order ---------------------------------------------------------------


def roll(g, out, a, shift, *axis, **named):
    if np.ndim(g) == 0:
        return g
    if isinstance(shift, (tuple, list)):
        return np.roll(g, tuple([-k for k in shift]), *axis, **named)
    return np.roll(g, -shift, *axis, **named)


def flip(g, out, m, *axis, **named):
    return g if np.ndim(g) == 0 else np.flip(g, *axis, **named)


def flipud(g, out, m):
    return g if np.ndim(g) == 0 else np.flipud(g)


def fliplr(g, out, m):
    return g if np.ndim(g) == 0 else np.fliplr(g)


def rot90(g, out, m, k=1, *axes, **named):
    return g if np.ndim(g) == 0 else np.rot90(g, -k, *axes, **named)


def squeeze(g, out, a, axis=None):
    return g if np.ndim(g) == 0 else np.reshape(g, a.shape)


# -- repeated items --------------------------------------------------------------------------------


def tile(g, out, A, reps):
    reps = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    if np.ndim(g) == 0:
        for count in reps:
            g = count * g
        return g
    reps = (1,) * (np.ndim(A) - len(reps)) + reps
    new = len(reps) - np.ndim(A)
    shape = list(reps[:new])
    axes = list(range(new))
    for count, n in zip(reps[new:], np.shape(A), strict=True):
        if count != 1:
            axes.append(len(shape))
            shape.append(count)
        shape.append(n)
    return np.sum(np.reshape(g, shape) if np.ndim(A) else g, axis=tuple(axes)) if axes else g


def repeat(g, out, a, repeats, axis=None):
    if isinstance(repeats, (tuple, list)) and len(repeats) == 1:
        repeats = repeats[0]
    before = np.shape(a) if axis is None else a.shape[: axis % a.ndim + 1]
    after = np.shape(a)[len(before) :]
    if np.ndim(repeats) == 0:
        return np.sum(np.reshape(g, (*before, repeats, *after)), axis=len(before))
    flat = np.ravel(a) if axis is None and np.ndim(a) != 1 else a
    # of the declared dtype: into integers the adjoint would be cut off
    d_a = np.zeros_like(flat, dtype=flat.dtype)
    place = (slice(None),) * (0 if axis is None else len(before) - 1)
    index = np.repeat(np.arange(np.shape(flat)[len(place)]), repeats)
    np.add.at(d_a, (*place, index), g)
    return np.reshape(d_a, a.shape) if axis is None and np.ndim(a) != 1 else d_a


# -- parts -----------------------------------------------------------------------------------------


def split(g, out, ary, indices_or_sections, axis=0):
    return _unsplit(g, ary, indices_or_sections, axis % ary.ndim)


def array_split(g, out, ary, indices_or_sections, axis=0):
    return _unsplit(g, ary, indices_or_sections, axis % ary.ndim)


def vsplit(g, out, ary, indices_or_sections):
    return _unsplit(g, ary, indices_or_sections, 0)


def hsplit(g, out, ary, indices_or_sections):
    return _unsplit(g, ary, indices_or_sections, min(1, ary.ndim - 1))


def dsplit(g, out, ary, indices_or_sections):
    return _unsplit(g, ary, indices_or_sections, 2)


def _unsplit(g, ary, ends, axis):
    whole = [k for k, part in enumerate(g) if part is not None and np.ndim(part) > 0]
    if len(whole) == len(g):
        return np.concatenate(g, axis=axis)
    if not isinstance(ends, (tuple, list)):
        short = ary.shape[axis] // ends
        more = ary.shape[axis] % ends
        ends = [k * short + min(k, more) for k in range(1, ends)]
    d_ary = np.zeros_like(ary, dtype=ary.dtype)
    bounds = [None, *ends, None]
    for k, part in enumerate(g):
        if part is not None:
            d_ary[(slice(None),) * axis + (slice(bounds[k], bounds[k + 1]),)] = part
    return d_ary


def delete(g, out, arr, obj, axis=None):
    if axis is None and arr.ndim != 1:
        return np.reshape(_undelete(g, np.size(arr), obj, 0), np.shape(arr))
    return _undelete(g, np.size(arr, axis), obj, axis)


def _undelete(g, n, obj, axis):
    named = {} if g.ndim == 1 else {"axis": axis}
    if isinstance(obj, (tuple, list)):
        gone = sorted_distinct([k % n for k in obj])
        return np.insert(g, [k - count for count, k in enumerate(gone)], 0, **named)
    return np.insert(g, obj + n if obj < 0 else obj, 0, **named)


def sorted_distinct(places):
    found = []
    for k in places:
        if k not in found:
            found.insert(len([j for j in found if j < k]), k)
    return found


def insert(g, out, arr, obj, values, axis=None):
    at = 0 if axis is None else axis % arr.ndim
    n = np.size(arr) if axis is None else arr.shape[at]
    place = (slice(None),) * at
    if isinstance(obj, (tuple, list)):
        first = [k % n if k < 0 else k for k in obj]
        new = [
            k + len([j for j in first if j < k]) + len([j for j in first[:number] if j == k])
            for number, k in enumerate(first)
        ]
        picked = g[(*place, new)]
    elif np.ndim(values) == 1 and g.ndim == 1:
        start = obj + n if obj < 0 else obj
        stop = start + np.size(values)
        picked, kept = g[start:stop], np.concatenate([g[:start], g[stop:]])
        return np.reshape(kept, arr.shape) if arr.ndim != 1 else kept, None, picked
    else:
        new = obj + n if obj < 0 else obj
        picked = g[(*place, new)]
    kept = np.delete(g, new) if g.ndim == 1 else np.delete(g, new, axis=at)
    return np.reshape(kept, arr.shape) if kept.ndim != arr.ndim else kept, None, picked


# -- diagonals and triangles -----------------------------------------------------------------------


def tril(g, out, m, *k, **named):
    return np.tril(g, *k, **named)


def triu(g, out, m, *k, **named):
    return np.triu(g, *k, **named)


def diag(g, out, v, *k, **named):
    return g if np.ndim(g) == 0 else np.diag(g, *k, **named)


def diag_part(g, out, v, k=0):
    return diagonal(g, out, v, k)


def diagonal(g, out, a, offset=0, axis1=0, axis2=1):
    first, second = axis1 % a.ndim, axis2 % a.ndim
    rows, columns = a.shape[first], a.shape[second]
    if a.ndim == 2 and rows == columns:
        d_a = np.diag(g) if offset == 0 else np.diag(g, offset)
        return d_a if first == 0 else d_a.T
    rest = [n for k, n in enumerate(a.shape) if k != first and k != second]
    d_a = np.zeros((*rest, rows, columns), dtype=a.dtype)
    place = np.arange(g.shape[-1])
    below = place - offset if offset < 0 else place
    beyond = place + offset if offset > 0 else place
    np.add.at(d_a, (..., below, beyond) if rest else (below, beyond), g)
    return _as_last(d_a, first, second)


def _as_last(a, first, second):
    """The last two axes moved to these places."""
    if (first, second) == (a.ndim - 2, a.ndim - 1):
        return a
    return np.moveaxis(a, (-2, -1), (first, second))


def trace(g, out, a, offset=0, axis1=0, axis2=1):
    first, second = axis1 % a.ndim, axis2 % a.ndim
    rows, columns = a.shape[first], a.shape[second]
    sizes = [rows] if rows == columns else [rows, columns]
    named = {} if a.dtype == "float64" else {"dtype": a.dtype}
    if offset != 0:
        named["k"] = offset
    ones = np.eye(*sizes, **named)
    if a.ndim == 2:
        return g * (ones if first == 0 else ones.T)
    return _as_last(g[..., None, None] * ones, first, second)


def diagflat(v, k=0):
    return np.diag(np.ravel(v)) if k == 0 else np.diag(np.ravel(v), k)


def vander(g, out, x, N=None, increasing=False):
    N = len(x) if N is None else N
    powers = np.arange(1, N)
    if increasing:
        return np.sum(g[:, 1:] * powers * np.vander(x, N - 1, increasing=True), axis=1)
    return np.sum(g[:, :-1] * powers[::-1] * np.vander(x, N - 1), axis=1)


# -- grids -----------------------------------------------------------------------------------------


def meshgrid(g, out, *xi, sparse=False, indexing="xy"):
    parts = []
    for k, part in enumerate(g):
        own = 1 - k if indexing == "xy" and k < 2 and len(g) > 1 else k
        others = tuple([j for j in range(len(g)) if j != own])
        if part is not None and np.ndim(part) == 0:
            sizes = [np.size(x) for j, x in enumerate(xi) if j != k]
            part = part if sparse else _count(sizes) * part
        elif part is not None and others:
            part = np.reshape(part, np.shape(xi[k])) if sparse else np.sum(part, axis=others)
        if part is not None and np.ndim(xi[k]) != 1 and np.ndim(part) == 1:
            part = np.reshape(part, np.shape(xi[k]))
        parts.append(part)
    return (tuple(parts),)


def _count(sizes):
    total = 1
    for n in sizes:
        total = total * n
    return total


# -- longer arrays ---------------------------------------------------------------------------------


def resize(a, new_shape):
    shape = new_shape if isinstance(new_shape, (tuple, list)) else (new_shape,)
    size = _count(shape)
    flat = np.ravel(a)
    if size == np.size(a):
        return np.reshape(flat, shape)
    if size < np.size(a):
        return np.reshape(flat[:size], shape)
    if np.size(a) == 0:
        return np.zeros(shape, dtype=flat.dtype)
    return np.reshape(flat[np.arange(size) % np.size(a)], shape)


def block(arrays):
    depth, inner = 0, arrays
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0]
    return _block(arrays, 1, depth, max(depth, _rank(arrays)))


def _rank(arrays):
    if isinstance(arrays, list):
        return max([_rank(part) for part in arrays])
    return np.ndim(arrays)


def _block(arrays, level, depth, rank):
    if not isinstance(arrays, list):
        if np.ndim(arrays) == rank:
            return arrays
        return np.reshape(arrays, (1,) * (rank - np.ndim(arrays)) + np.shape(arrays))
    parts = [_block(part, level + 1, depth, rank) for part in arrays]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=level - depth - 1)


# -- padding ---------------------------------------------------------------------------------------


def pad(
    array, pad_width, mode="constant", *, constant_values=0, end_values=0, stat_length=None,
    reflect_type="even",
):  # fmt: skip
    widths = pairs(pad_width, array.ndim)
    if mode == "constant":
        return pad_constant(array, widths, pairs(constant_values, array.ndim))
    if mode in ("edge", "wrap") or (mode in ("reflect", "symmetric") and reflect_type == "even"):
        return pad_moved(array, widths, mode)
    ends = pairs(end_values, array.ndim)
    lengths = pairs(stat_length, array.ndim)
    for axis in range(array.ndim):
        if mode in ("reflect", "symmetric"):
            array = pad_odd(array, widths[axis], axis, mode == "reflect")
        elif mode == "linear_ramp":
            array = pad_ramp(array, widths[axis], axis, ends[axis])
        else:
            array = pad_statistic(array, widths[axis], axis, mode, lengths[axis])
    return array


def pairs(value, ndim):
    """What is given for both ends of each axis, as NumPy broadcasts it."""
    if value is None or not isinstance(value, (tuple, list)):
        return [(value, value)] * ndim
    if not isinstance(value[0], (tuple, list)):
        if len(value) == 1:
            return [(value[0], value[0])] * ndim
        if len(value) != 2:
            raise ValueError("np.pad takes one value, a pair, or a pair for each axis")
        return [(value[0], value[1])] * ndim
    found = [(pair[0], pair[-1]) for pair in value]
    if len(found) == 1:
        return found * ndim
    if len(found) != ndim:
        raise ValueError("np.pad takes one value, a pair, or a pair for each axis")
    return found


def inside(length, widths):
    before, after = widths
    start = None if before is None or before == 0 else before
    return slice(start, None if after == 0 else before + length)


def pad_constant(array, widths, values):
    shape = [n + before + after for n, (before, after) in zip(array.shape, widths, strict=True)]
    result = np.zeros(shape, dtype=array.dtype)
    within = [inside(n, pair) for n, pair in zip(array.shape, widths, strict=True)]
    for axis in range(array.ndim):
        before, after = values[axis]
        ahead, behind = widths[axis]
        place = (slice(None),) * axis
        rest = tuple(within[axis + 1 :])
        if ahead != 0:
            result[(*place, slice(None, ahead), *rest)] = before
        if behind != 0:
            result[(*place, slice(ahead + array.shape[axis], None), *rest)] = after
    result[tuple(within)] = array
    return result


def pad_moved(array, widths, mode):
    padded = [axis for axis in range(array.ndim) if widths[axis] != (0, 0)]
    for axis in padded[::-1]:
        index = np.pad(np.arange(array.shape[axis]), widths[axis], mode)
        array = array[(slice(None),) * axis + (index,)]
    return array


def pad_odd(array, widths, axis, skip):
    before, after = widths
    n = array.shape[axis]
    if before > n - skip or after > n - skip:
        raise ValueError("np.pad reflects once only where reflect_type is odd")
    place = (slice(None),) * axis
    ahead = np.flip(array[(*place, slice(1 * skip, before + skip))], axis)
    behind = np.flip(array[(*place, slice(n - skip - after, n - skip))], axis)
    first = array[(*place, slice(None, 1))]
    last = array[(*place, slice(n - 1, n))]
    return np.concatenate([2 * first - ahead, array, 2 * last - behind], axis=axis)


def pad_ramp(array, widths, axis, ends):
    before, after = widths
    place = (slice(None),) * axis
    first = array[(*place, slice(None, 1))]
    last = array[(*place, slice(array.shape[axis] - 1, None))]
    line = (slice(None),) + (None,) * (array.ndim - 1 - axis)
    parts = [array]
    if before > 0:
        rising = (np.arange(before) / before)[line]
        parts = [(ends[0] + (first - ends[0]) * rising).astype(array.dtype), *parts]
    if after > 0:
        falling = (np.arange(after)[::-1] / after)[line]
        parts = [*parts, (ends[1] + (last - ends[1]) * falling).astype(array.dtype)]
    return np.concatenate(parts, axis=axis)


def pad_statistic(array, widths, axis, mode, lengths):
    before, after = widths
    n = array.shape[axis]
    place = (slice(None),) * axis
    first = array if lengths[0] is None else array[(*place, slice(None, min(lengths[0], n)))]
    last = array if lengths[1] is None else array[(*place, slice(n - min(lengths[1], n), None))]
    ahead = np.repeat(statistic(first, mode, axis), before, axis=axis)
    behind = np.repeat(statistic(last, mode, axis), after, axis=axis)
    return np.concatenate([ahead, array, behind], axis=axis)


def statistic(array, mode, axis):
    if mode == "maximum":
        return np.max(array, axis=axis, keepdims=True)
    if mode == "minimum":
        return np.min(array, axis=axis, keepdims=True)
    if mode == "mean":
        return np.mean(array, axis=axis, keepdims=True)
    return np.median(array, axis=axis, keepdims=True)
