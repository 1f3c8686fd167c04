# at: x=0.5
# at: x=-1.5
import numpy as np


def tanh(x):
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))
# --- hand ---
def hand(x):
    """The quotient's numerator and denominator are each other's derivatives."""
    p = np.exp(x)
    m = np.exp(-x)
    y = (p - m) / (p + m)

    d_x = 1.0 - y * y
    return y, d_x
# --- output ---
