# options: shapes="x=n"
# at: x=[1.0, 3.0, -2.0]
# at: x=[1000.0, 999.0, 0.0]
import numpy as np


def logsumexp(x):
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))
# --- hand ---
def hand(x):
    """The shift cancels; what remains is the softmax."""
    m = np.max(x)
    e = np.exp(x - m)
    s = np.sum(e)
    value = m + np.log(s)

    d_x = e / s
    return value, d_x
# --- output ---
