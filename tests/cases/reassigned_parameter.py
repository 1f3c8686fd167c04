# at: x=2.0, y=0.5
import numpy as np


def f(x, y):
    y = x * y
    x = x + np.exp(-y)
    y = y * x
    return x * y
# --- hand ---
def hand(x, y):
    """Each binding is its own variable: f = x1**2 y1."""
    y1 = x * y
    e = np.exp(-y1)
    x1 = x + e
    y2 = y1 * x1
    value = x1 * y2

    d_x1 = 2.0 * y2
    d_y1 = x1 * x1 - d_x1 * e
    d_x = d_x1 + d_y1 * y
    return value, d_x
# --- output ---
