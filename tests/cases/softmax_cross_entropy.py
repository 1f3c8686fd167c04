# options: shapes="z=k, t=k"
# at: z=[1.0, -0.5, 2.0], t=[0.0, 0.0, 1.0]
# at: z=[0.3, 0.2, -0.1], t=[0.2, 0.5, 0.3]
import numpy as np


def loss(z, t):
    e = np.exp(z)
    p = e / np.sum(e)
    return -np.sum(t * np.log(p))
# --- hand ---
def hand(z, t):
    """p * sum(t) - t, which is p - t for a distribution."""
    e = np.exp(z)
    p = e / np.sum(e)
    loss = -np.sum(t * np.log(p))

    d_z = p * np.sum(t) - t
    return loss, d_z
# --- output ---
