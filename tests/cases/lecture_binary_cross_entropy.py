# at: a=0.8, y=1.0
# at: a=-1.3, y=0.25
import numpy as np


def sigma(a):
    return 1 / (1 + np.exp(-a))


def loss(a, y):
    return -y * np.log(sigma(a)) - (1 - y) * np.log(1 - sigma(a))
# --- hand ---
def hand(a, y):
    """d loss / d a = p - y."""
    p = 1 / (1 + np.exp(-a))
    loss = -y * np.log(p) - (1 - y) * np.log(1 - p)

    d_a = p - y
    return loss, d_a
# --- output ---
