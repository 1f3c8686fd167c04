# options: wrt=x,y
# at: x=3.0, y=4.0
# at: x=-1.0, y=0.5
import numpy as np


def f(x, y):
    r = np.hypot(x, y)
    theta = np.arctan2(y, x)
    return r + 0.5 * theta**2
# --- hand ---
def hand(x, y):
    """The angle turns with (-y, x) / r**2."""
    r = np.hypot(x, y)
    theta = np.arctan2(y, x)
    value = r + 0.5 * theta**2

    q = theta / (r * r)
    d_x = x / r - q * y
    d_y = y / r + q * x
    return value, (d_x, d_y)
# --- output ---
