# options: wrt=x,y shapes="x=n, y=n"
# at: x=[1.0, -2.0, 0.5], y=[0.25, 1.5, -1.0]
import numpy as np


def f(x, y):
    c = np.concatenate([x, y, x])
    s = np.stack([x, y])
    return np.sum(c**3) + np.sum(s[0] * s[1])
# --- hand ---
def hand(x, y):
    """Each part takes its stretch of the adjoint."""
    n = x.shape[0]
    c = np.concatenate([x, y, x])
    s = np.stack([x, y])
    value = np.sum(c**3) + np.sum(s[0] * s[1])

    d_c = 3.0 * c**2
    d_x = d_c[:n] + d_c[2 * n :] + y
    d_y = d_c[n : 2 * n] + x
    return value, (d_x, d_y)
# --- output ---
