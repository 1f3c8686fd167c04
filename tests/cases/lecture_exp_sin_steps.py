# at: x=0.0
# at: x=0.4
import numpy as np


def f(x):
    a = np.exp(x)
    b = a**2
    c = a + b
    d = np.exp(c)
    e = np.sin(c)
    f = d + e
    return f
# --- hand ---
def hand(x):
    """Equation 2.4 of the lecture notes."""
    a = np.exp(x)
    b = a**2
    c = a + b
    d = np.exp(c)
    e = np.sin(c)
    f = d + e

    d_c = d + np.cos(c)
    d_a = d_c * (1.0 + 2.0 * a)
    d_x = d_a * a
    return f, d_x
# --- output ---
