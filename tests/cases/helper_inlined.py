# options: wrt=x,y
# at: x=0.4, y=-1.1
import numpy as np


def gauss(u, width=2.0):
    return np.exp(-((u / width) ** 2))


def overlap(x, y):
    return gauss(x) * gauss(y, width=0.5)
# --- hand ---
def hand(x, y):
    """Each bump's derivative is the product times -2 u / width."""
    u = x / 2.0
    v = y / 0.5
    p = np.exp(-(u**2))
    q = np.exp(-(v**2))
    value = p * q

    d_x = -value * u
    d_y = value * v * -4.0
    return value, (d_x, d_y)
# --- output ---
