# at: x=0.5
# expect: value=0.125 grad=0.5 rtol=1e-15 source="Huber's function, by hand"
# at: x=-3.0
# at: x=2.0
import numpy as np


def huber(x: float):
    return np.where(-1.0 < x < 1.0, 0.5 * x**2, np.abs(x) - 0.5)
# --- hand ---
def hand(x: float):
    """x inside, its sign outside."""
    inside = -1.0 < x < 1.0
    value = np.where(inside, 0.5 * x**2, np.abs(x) - 0.5)

    d_x = np.where(inside, x, np.sign(x))
    return value, d_x
# --- output ---
