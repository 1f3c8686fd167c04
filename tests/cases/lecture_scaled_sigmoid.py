# options: wrt=v,s
# at: v=0.3, s=0.5
# at: v=-1.2, s=10.0
import numpy as np


def sigmoid(v, s):
    return 1 / (1 + np.exp(-s * v))
# --- hand ---
def hand(v, s):
    """The slide's s * sigma * (1 - sigma), and the same with v for s."""
    y = 1 / (1 + np.exp(-s * v))

    d_z = y * (1.0 - y)
    return y, (d_z * s, d_z * v)
# --- output ---
