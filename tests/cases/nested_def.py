# options: wrt=x,k
# at: x=0.8, k=1.5
import numpy as np


def potential(x, k):
    def well(centre):
        return k * (x - centre) ** 2

    return well(0.0) * well(1.0) + np.sin(x)
# --- hand ---
def hand(x, k):
    """Product rule over the two wells."""
    u = x - 0.0
    v = x - 1.0
    p = u**2
    q = v**2
    a = k * p
    b = k * q
    value = a * b + np.sin(x)

    d_p = b * k
    d_q = a * k
    d_x = d_p * (2.0 * u) + d_q * (2.0 * v) + np.cos(x)
    d_k = b * p + a * q
    return value, (d_x, d_k)
# --- output ---
