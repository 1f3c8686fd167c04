# options: wrt=A,x mode=grad shapes="A=m n, x=n, b=m"
# at: A=[[2.0, 0.5], [1.0, 3.0], [0.25, 0.0]], x=[1.0, -2.0], b=[1.0, 0.0, -1.0]
import numpy as np


def f(A, x, b):
    r = A @ x - b
    return 0.5 * np.sum(r**2)
# --- hand ---
def hand(A, x, b):
    """Outer product with x, and A transposed."""
    r = A @ x - b
    return np.outer(r, x), A.T @ r
# --- output ---
