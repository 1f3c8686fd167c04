# options: shapes="x=n"
# at: x=[0.5, 2.0, -1.0, 3.0]
import numpy as np


def entropy(x):
    safe = np.where(x > 0.0, x, 1.0)
    return -np.sum(safe * np.log(safe))
# --- hand ---
def hand(x):
    """-(log x + 1) where x is positive."""
    positive = x > 0.0
    safe = np.where(positive, x, 1.0)
    log_safe = np.log(safe)
    value = -np.sum(safe * log_safe)

    d_x = np.where(positive, -1.0 - log_safe, 0.0)
    return value, d_x
# --- output ---
