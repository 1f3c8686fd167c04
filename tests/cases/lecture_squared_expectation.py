# options: shapes="f=k, y=k"
# at: f=[0.2, -1.0, 0.5], y=[1.0, 0.0, 0.0]
import numpy as np


def loss(f, y):
    e = np.exp(f)
    p = e / np.sum(e)
    return np.sum((y - p) ** 2)
# --- hand ---
def hand(f, y):
    """Softmax: p * (d_p - d_p . p)."""
    e = np.exp(f)
    p = e / np.sum(e)
    r = y - p
    loss = np.sum(r**2)

    d_p = -2.0 * r
    d_f = p * (d_p - d_p @ p)
    return loss, d_f
# --- output ---
