# options: shapes="pred=n, y=n"
# at: pred=[0.2, 3.0, -1.0], y=[0.0, 0.5, 1.0]
import numpy as np


def loss(pred, y):
    r = pred - y
    return np.sum(1.0 - np.exp(-0.5 * r**2))
# --- hand ---
def hand(pred, y):
    """The residual under its own Gaussian weight."""
    r = pred - y
    e = np.exp(-0.5 * r**2)
    loss = np.sum(1.0 - e)

    d_r = e * r
    return loss, d_r
# --- output ---
