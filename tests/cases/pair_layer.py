# options: wrt=W,b mode=pair shapes="W=h d, b=h, x=d"
# at: W=[[0.1, -0.4], [0.7, 0.2], [-0.3, 0.6]], b=[0.05, -0.1, 0.2], x=[1.0, -2.0]
import numpy as np


def energy(W, b, x):
    h = np.tanh(W @ x + b)
    return np.sum(h**2)
# --- hand ---
def hand(W, b, x):
    """Value and, for a seed of one, the adjoints."""
    h = np.tanh(W @ x + b)
    value = np.sum(h**2)

    d_z = 2.0 * h * (1.0 - h * h)
    return value, (np.outer(d_z, x), d_z)
# --- output ---
