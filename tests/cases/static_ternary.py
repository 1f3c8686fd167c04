# options: shapes="x=n"
# at: x=[1.0, -2.0, 0.5]
import numpy as np

CENTRED = True


def f(x):
    shift = 1.0 if CENTRED else 0.0
    power = 4 if x.ndim == 1 else 2
    return np.sum((x - shift) ** power)
# --- hand ---
def hand(x):
    """Fourth power of the shifted entries."""
    u = x - 1.0
    value = np.sum(u**4)

    d_x = 4.0 * u**3
    return value, d_x
# --- output ---
