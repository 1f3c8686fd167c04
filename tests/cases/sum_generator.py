# options: wrt=w,x shapes="w=3, x=3"
# at: w=[0.2, -0.5, 0.9], x=[1.0, 2.0, -1.0]
import numpy as np


def f(w, x):
    return np.tanh(sum(w[i] * x[i] for i in range(3)))
# --- hand ---
def hand(w, x):
    """The sum is a dot product."""
    y = np.tanh(sum([w[0] * x[0], w[1] * x[1], w[2] * x[2]]))

    d_s = 1.0 - y * y
    return y, (d_s * x, d_s * w)
# --- output ---
