# options: shapes="p=n 2, i=m:int64, j=m:int64, k=m, rest=m"
# at: p=[[0.0, 0.0], [1.5, 0.2], [0.4, 1.1]], i=[0, 1, 2], j=[1, 2, 0], k=[1.0, 2.0, 0.5], rest=[1.0, 1.0, 1.5]
import numpy as np


def energy(p, i, j, k, rest):
    d = p[i] - p[j]
    length = np.sqrt(np.sum(d**2, axis=1))
    return 0.5 * np.sum(k * (length - rest) ** 2)
# --- hand ---
def hand(p, i, j, k, rest):
    """Tension along each spring, equal and opposite at its ends."""
    d = p[i] - p[j]
    length = np.sqrt(np.sum(d**2, axis=1))
    e = length - rest
    value = 0.5 * np.sum(k * e**2)

    d_d = (k * e / length)[:, None] * d
    d_p = np.zeros_like(p)
    np.add.at(d_p, i, d_d)
    np.add.at(d_p, j, -d_d)
    return value, d_p
# --- output ---
