# options: wrt=x,y
# at: x=1.7, y=2.3
# at: x=0.4, y=-0.6
import numpy as np


def f(x, y):
    return x**3 + x**0.5 + x**y + 2.0**x
# --- hand ---
def hand(x, y):
    """Four power rules; log(x) is guarded at x = 0, where x**y has slope 0 in y."""
    r = x**0.5
    p = x**y
    q = 2.0**x
    value = x**3 + r + p + q

    d_x = 3.0 * x**2 + 0.5 / r + y * x ** (y - 1) + q * 0.6931471805599453
    d_y = p * np.log(np.where(x == 0.0, 1.0, x))
    return value, (d_x, d_y)
# --- output ---
