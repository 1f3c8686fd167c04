"""Functions of the lanes of arrays."""

import numpy as np


def modf(x):
    whole = np.trunc(x)
    return x - whole, whole


def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    largest = 3.4028234663852886e38 if np.asarray(x).dtype == "float32" else 1.7976931348623157e308
    high = largest if posinf is None else posinf
    low = -largest if neginf is None else neginf
    other = np.where(np.isnan(x), nan, np.where(x > 0, high, low))
    return np.where(np.isfinite(x), x, other)
