"""Picking items by indices and by masks."""

import numpy as np


def take(a, indices, axis=None, *, mode="raise"):
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError('mode must be "raise", "wrap" or "clip"')
    a = np.asarray(a)
    if isinstance(indices, (tuple, list)):
        indices = np.array(indices)
    if axis is None:
        a, axis = a.ravel(), 0
    n = a.shape[axis]
    if mode == "wrap":
        indices = indices % n
    if mode == "clip":
        indices = np.clip(indices, 0, n - 1)
    return a[(slice(None),) * (axis % a.ndim) + (indices,)]


def take_along_axis(arr, indices, axis=-1):
    if axis is None:
        return arr.ravel()[indices]
    places = []
    for k in range(arr.ndim):
        ahead = np.arange(arr.shape[k]).reshape((1,) * k + (-1,) + (1,) * (arr.ndim - 1 - k))
        places.append(indices if k == axis % arr.ndim else ahead)
    return arr[tuple(places)]


def choose(a, choices, *, mode="raise"):
    count = len(choices)
    if mode == "wrap":
        a = a % count
    if mode == "clip":
        a = np.clip(a, 0, count - 1)
    result = choices[count - 1]
    for k in range(count - 2, -1, -1):
        result = np.where(a == k, choices[k], result)
    return result


def select(condlist, choicelist, default=0):
    result = default
    for k in range(len(condlist) - 1, -1, -1):
        result = np.where(condlist[k], choicelist[k], result)
    return result


def compress(condition, a, axis=None):
    if axis is None:
        return a.ravel()[condition]
    return a[(slice(None),) * (axis % a.ndim) + (condition,)]


def extract(condition, arr):
    return arr.ravel()[np.ravel(condition)]
