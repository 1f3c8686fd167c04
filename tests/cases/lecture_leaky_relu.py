# at: x=-2.0
# expect: value=-0.02 grad=0.01 rtol=1e-15 source="lecture slides, leaky_relu, by hand"
# at: x=3.0
import numpy as np


def leaky_relu(x):
    return np.where(x < 0, 0.01 * x, x)
# --- hand ---
def hand(x):
    """One of two slopes."""
    negative = x < 0
    value = np.where(negative, 0.01 * x, x)

    d_x = np.where(negative, 0.01, 1.0)
    return value, d_x
# --- output ---
