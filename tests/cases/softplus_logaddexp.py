# options: shapes="x=n"
# at: x=[-2.0, 0.0, 30.0]
import numpy as np


def f(x):
    return np.sum(np.logaddexp(0.0, x))
# --- hand ---
def hand(x):
    """exp(x - softplus(x)) is the logistic function without overflow."""
    y = np.logaddexp(0.0, x)
    value = np.sum(y)

    d_x = np.exp(x - y)
    return value, d_x
# --- output ---
