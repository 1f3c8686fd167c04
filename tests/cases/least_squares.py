# options: shapes="x=n, A=m n, b=m"
# at: x=[1.0, -2.0], A=[[2.0, 0.5], [1.0, 3.0], [0.25, 0.0]], b=[1.0, 0.0, -1.0]
import numpy as np


def f(x, A, b):
    r = A @ x - b
    return r @ r
# --- hand ---
def hand(x, A, b):
    """The normal equations' residual."""
    r = A @ x - b
    value = r @ r

    d_x = A.T @ (2.0 * r)
    return value, d_x
# --- output ---
