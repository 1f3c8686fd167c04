# options: shapes="a=n, y=n"
# at: a=[1.0, 2.0, 3.5], y=[0.5, 2.5, 3.0]
# expect: value=0.375 grad=[0.5, -0.5, 0.5] rtol=1e-15 source="lecture slides, l(a, y) = |y - a|^2 / 2, by hand"
import numpy as np


def loss(a, y):
    return 1 / 2 * np.sum((y - a) ** 2)
# --- hand ---
def hand(a, y):
    """The negated residual."""
    r = y - a
    loss = 1 / 2 * np.sum(r**2)

    d_a = -r
    return loss, d_a
# --- output ---
