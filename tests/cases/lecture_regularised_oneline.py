# options: wrt=w,b
# at: w=0.5, b=-0.3, x=1.5, t=1.0, lam=0.1
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def loss(w, b, x, t, lam):
    return 0.5 * (sigmoid(w * x + b) - t) ** 2 + lam * 0.5 * w**2
# --- hand ---
def hand(w, b, x, t, lam):
    """Section 2.1 of the lecture, with the repeated factor named once."""
    y = 1 / (1 + np.exp(-(w * x + b)))
    e = y - t
    loss = 0.5 * e**2 + lam * 0.5 * w**2

    d_z = e * y * (1.0 - y)
    d_w = d_z * x + lam * w
    return loss, (d_w, d_z)
# --- output ---
