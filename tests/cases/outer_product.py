# options: wrt=x,y shapes="x=n, y=m, A=n m"
# at: x=[1.0, -2.0], y=[0.5, 1.5, -1.0], A=[[1.0, 2.0, 3.0], [-1.0, 0.5, 0.25]]
import numpy as np


def f(x, y, A):
    return np.sum(A * np.outer(x, y))
# --- hand ---
def hand(x, y, A):
    """x' A y."""
    value = np.sum(A * np.outer(x, y))

    return value, (A @ y, x @ A)
# --- output ---
