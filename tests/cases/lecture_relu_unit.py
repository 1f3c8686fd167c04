# options: wrt=w,b shapes="w=n, x=n"
# at: w=[0.5, -1.0, 2.0], b=0.1, x=[1.0, 0.5, 0.25]
# expect: value=0.6 grad=([1.0, 0.5, 0.25], 1.0) rtol=1e-14 source="lecture slides, ReLU(x) = max(0, x), by hand"
# at: w=[0.5, -1.0, 2.0], b=-3.0, x=[1.0, 0.5, 0.25]
import numpy as np


def unit(w, b, x):
    a = w @ x + b
    return np.maximum(0.0, a)
# --- hand ---
def hand(w, b, x):
    """The adjoint passes where the unit is active."""
    a = w @ x + b
    value = np.maximum(0.0, a)

    d_a = np.where(a > 0.0, 1.0, 0.0)
    return value, (d_a * x, d_a)
# --- output ---
