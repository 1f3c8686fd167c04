# options: shapes="x=n"
# at: x=[1.0, 2.0, 4.0, -1.0]
# expect: value=3.25 grad=[-0.25, 0.25, 1.25, -1.25] rtol=1e-14 source="by hand: 2 (x - mean) / n"
import numpy as np


def variance(x):
    mean = np.mean(x)
    centred = x - mean
    return np.mean(centred**2)
# --- hand ---
def hand(x):
    """The mean's own contribution is zero, because the centred entries sum to zero."""
    mean = np.mean(x)
    centred = x - mean
    value = np.mean(centred**2)

    d_x = 2.0 / x.shape[0] * centred
    return value, d_x
# --- output ---
