# options: wrt=w,b
# at: w=0.5, b=-0.3, x=1.5, t=1.0, lam=0.1
# at: w=-2.0, b=0.7, x=0.25, t=0.0, lam=0.5
import numpy as np


def loss_reg(w, b, x, t, lam):
    z = w * x + b
    y = 1 / (1 + np.exp(-z))
    loss = 0.5 * (y - t) ** 2
    reg = 0.5 * w**2
    return loss + lam * reg
# --- hand ---
def hand(w, b, x, t, lam):
    """The bars of the lecture: y - t, then sigma' = y (1 - y), then w and b."""
    z = w * x + b
    y = 1 / (1 + np.exp(-z))
    e = y - t
    loss = 0.5 * e**2
    reg = 0.5 * w**2
    loss_reg = loss + lam * reg

    d_z = e * y * (1.0 - y)
    d_w = d_z * x + lam * w
    return loss_reg, (d_w, d_z)
# --- output ---
