# options: wrt=x,A shapes="x=n, A=n n"
# at: x=[1.0, -2.0, 0.5], A=[[2.0, 0.5, 0.0], [1.0, 3.0, -1.0], [0.25, 0.0, 1.0]]
import numpy as np


def f(x, A):
    return x @ A @ x
# --- hand ---
def hand(x, A):
    """(A + A.T) x with x A taken from the forward pass."""
    y = x @ A
    value = y @ x

    d_x = y + A @ x
    d_A = np.outer(x, x)
    return value, (d_x, d_A)
# --- output ---
