# options: mode=grad shapes="x=n"
# at: x=[0.5, -1.0, 2.0]
import numpy as np


def logsumexp(x):
    return np.log(np.sum(np.exp(x)))
# --- hand ---
def hand(x):
    """Softmax."""
    e = np.exp(x)
    return e / np.sum(e)
# --- output ---
