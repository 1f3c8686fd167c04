# options: wrt=x,lam shapes="x=n, A=m n, b=m"
# at: x=[1.0, -2.0], A=[[2.0, 0.5], [1.0, 3.0], [0.25, 0.0]], b=[1.0, 0.0, -1.0], lam=0.1
import numpy as np


def f(x, A, b, lam):
    return np.sum((A @ x - b) ** 2) + lam * np.sum(x**2)
# --- hand ---
def hand(x, A, b, lam):
    """Residual and penalty under one factor of two."""
    r = A @ x - b
    s = np.sum(x**2)
    value = np.sum(r**2) + lam * s

    d_x = 2.0 * (A.T @ r + lam * x)
    return value, (d_x, s)
# --- output ---
