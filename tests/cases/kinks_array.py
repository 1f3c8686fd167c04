# options: shapes="x=n, w=n"
# at: x=[-2.0, 0.4, 3.0, -0.3], w=[0.5, 1.5, -1.0, 2.0]
import numpy as np


def f(x, w):
    relu = np.maximum(x, 0.0)
    return np.sum(w * np.abs(x)) + np.sum(relu**2) + np.sum(w * np.clip(x, -1.0, 1.0))
# --- hand ---
def hand(x, w):
    """Sign, twice the rectified value, and one on the closed interval."""
    relu = np.maximum(x, 0.0)
    value = np.sum(w * np.abs(x)) + np.sum(relu**2) + np.sum(w * np.clip(x, -1.0, 1.0))

    inside = (x >= -1.0) & (x <= 1.0)
    d_x = w * np.sign(x) + 2.0 * relu + np.where(inside, w, 0.0)
    return value, d_x
# --- output ---
