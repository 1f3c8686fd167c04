# at: x=0.0
# expect: value=0.6931471805599453 grad=0.5 rtol=1e-15 source="lecture slides, softplus(x) = log(1 + exp x), by hand at 0"
# at: x=-3.0
import numpy as np


def softplus(x):
    return np.log(1 + np.exp(x))
# --- hand ---
def hand(x):
    """exp(x) / (1 + exp(x))."""
    e = np.exp(x)
    u = 1 + e
    value = np.log(u)

    d_x = e / u
    return value, d_x
# --- output ---
