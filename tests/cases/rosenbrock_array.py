# options: shapes="x=n"
# at: x=[-1.2, 1.0, 0.5, 2.0]
# at: x=[1.0, 1.0, 1.0]
import numpy as np


def rosen(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)
# --- hand ---
def hand(x):
    """Each inner entry appears in two terms."""
    u = x[:-1]
    r = x[1:] - u**2
    s = 1.0 - u
    value = np.sum(100.0 * r**2 + s**2)

    d_r = 200.0 * r
    d_x = np.zeros_like(x)
    d_x[1:] = d_r
    d_x[:-1] -= d_r * (2.0 * u) + 2.0 * s
    return value, d_x
# --- output ---
