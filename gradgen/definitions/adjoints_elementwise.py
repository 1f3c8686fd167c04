"""Adjoints of functions of the lanes of arrays, and of reductions with ufuncs."""

import math

import numpy as np


def frexp(g, out, x):
    g_mantissa, _ = g
    return np.ldexp(g_mantissa, -out[1])


def math_frexp(g, out, x):
    g_mantissa, _ = g
    return math.ldexp(g_mantissa, -out[1])


def hypot(g, out, *coordinates):
    length = np.where(out == 0, 1.0, out)
    return [g * (x / length) for x in coordinates]


def logaddexp_reduce(g, out, array, axis=0, keepdims=False):
    if not keepdims and axis is not None and np.ndim(out):
        out = np.expand_dims(out, axis)
        g = np.expand_dims(g, axis) if np.ndim(g) else g
    return g * np.exp(array - np.where(out == -np.inf, 0.0, out))
