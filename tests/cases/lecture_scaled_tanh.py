# at: x=0.7, s=0.5
# at: x=-0.2, s=1.0
import numpy as np


def tanh_s(x, s):
    return 2 / (1 + np.exp(-2 * s * x)) - 1
# --- hand ---
def hand(x, s):
    """The slide's function is tanh(s x)."""
    y = 2 / (1 + np.exp(-2 * s * x)) - 1

    d_x = s * (1.0 - y * y)
    return y, d_x
# --- output ---
