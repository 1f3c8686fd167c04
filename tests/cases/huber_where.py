# options: shapes="pred=n, y=n"
# at: pred=[0.2, 3.0, -1.0], y=[0.0, 0.5, 2.5], delta=1.0
import numpy as np


def loss(pred, y, delta):
    r = pred - y
    a = np.abs(r)
    return np.sum(np.where(a <= delta, 0.5 * r**2, delta * (a - 0.5 * delta)))
# --- hand ---
def hand(pred, y, delta):
    """The residual, cut off at delta."""
    r = pred - y
    a = np.abs(r)
    small = a <= delta
    loss = np.sum(np.where(small, 0.5 * r**2, delta * (a - 0.5 * delta)))

    d_r = np.where(small, r, delta * np.sign(r))
    return loss, d_r
# --- output ---
