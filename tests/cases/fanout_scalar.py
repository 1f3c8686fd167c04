# at: x=0.6
import numpy as np


def f(x):
    s = np.sin(x)
    c = np.cos(x)
    return s * c + s**2 + x * s
# --- hand ---
def hand(x):
    """Collect the adjoints of s and c before going on to x."""
    s = np.sin(x)
    c = np.cos(x)
    value = s * c + s**2 + x * s

    d_s = c + 2.0 * s + x
    d_x = d_s * c - s * s + s
    return value, d_x
# --- output ---
