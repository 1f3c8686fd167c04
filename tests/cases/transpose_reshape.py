# options: wrt=x,w shapes="x=6, w=2"
# at: x=[1.0, 2.0, -1.0, 0.5, 0.0, 3.0], w=[0.5, -2.0]
import numpy as np


def f(x, w):
    z = x.reshape(2, 3).T @ w
    return np.sum(z**2)
# --- hand ---
def hand(x, w):
    """The adjoint of the transpose is the transpose."""
    Y = x.reshape(2, 3)
    z = Y.T @ w
    value = np.sum(z**2)

    d_z = 2.0 * z
    d_x = np.outer(w, d_z).reshape(6)
    d_w = Y @ d_z
    return value, (d_x, d_w)
# --- output ---
