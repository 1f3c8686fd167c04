# options: wrt=x,y shapes="x=n, y=m"
# at: x=[1.0, 2.0], y=[3.0, 4.0, 5.0]
# expect: value=5.0 grad=([2.0, 4.0], [0.0, 0.0, 0.0]) rtol=1e-15 source="by hand"
import numpy as np


def f(x, y):
    return np.sum(x**2)
# --- hand ---
def hand(x, y):
    """An unused argument has the zero gradient of its own shape."""
    value = np.sum(x**2)
    return value, (2.0 * x, np.zeros_like(y))
# --- output ---
