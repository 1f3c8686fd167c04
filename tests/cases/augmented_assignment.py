# options: wrt=x,y
# at: x=1.2, y=0.7
import numpy as np


def f(x, y):
    s = x * y
    s += np.cos(x)
    s *= y
    s -= x
    s /= 2.0
    return s**2
# --- hand ---
def hand(x, y):
    """Backwards through the five updates."""
    p = x * y + np.cos(x)
    s = (p * y - x) / 2.0
    value = s**2

    d_p = s * y
    d_x = d_p * (y - np.sin(x)) - s
    d_y = s * p + d_p * x
    return value, (d_x, d_y)
# --- output ---
