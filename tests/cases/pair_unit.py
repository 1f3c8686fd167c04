# options: wrt=w,b mode=pair
# at: w=0.5, b=-0.3, x=1.5
import numpy as np


def unit(w, b, x):
    return np.tanh(w * x + b)
# --- hand ---
def hand(w, b, x):
    """Value and, for a seed of one, the adjoints."""
    y = np.tanh(w * x + b)

    d_z = 1.0 - y * y
    return y, (d_z * x, d_z)
# --- output ---
