# options: wrt=a,v
# at: a=2.0, v=3.0
import numpy as np

WIDTH = 5.0
WIDTH_SQUARED = WIDTH**2


def cauchy_loss(a, v):
    return a * np.log(v**2 / WIDTH_SQUARED + 1.0)
# --- hand ---
def hand(a, v):
    """The logarithm's argument is named; the constants stay constants."""
    q = v**2 / WIDTH_SQUARED + 1.0
    p = np.log(q)
    value = a * p

    d_v = a / q * (2.0 * v) / WIDTH_SQUARED
    return value, (p, d_v)
# --- output ---
