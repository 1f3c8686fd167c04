# at: x=-4.0
# expect: value=2.0 grad=-0.25 rtol=1e-15 source="by hand: sqrt(-x) at -4"
# at: x=1.0
import numpy as np


def f(x):
    return np.where(x >= 0, x, np.sqrt(-x))
# --- hand ---
def hand(x):
    """The root's derivative is read only where the root is taken."""
    positive = x >= 0
    r = np.sqrt(-x)
    value = np.where(positive, x, r)

    d_x = np.where(positive, 1.0, -0.5 / np.where(positive, 1.0, r))
    return value, d_x
# --- output ---
