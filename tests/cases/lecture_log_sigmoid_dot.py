# options: wrt=w,x shapes="w=n, x=n"
# at: w=[1.0, 1.0, -1.5], x=[1.0, 1.0, 1.0]
# expect: value=0.474077 grad=([-0.3775, -0.3775, -0.3775], [-0.3775, -0.3775, 0.5663]) rtol=2e-4 source="lecture slides, exercise on the computation graph"
import numpy as np


def loss(w, x):
    return -np.log(1 / (1 + np.exp(-np.dot(w, x))))
# --- hand ---
def hand(w, x):
    """d loss / d z = p - 1."""
    z = np.dot(w, x)
    p = 1 / (1 + np.exp(-z))
    loss = -np.log(p)

    d_z = p - 1.0
    return loss, (d_z * x, d_z * w)
# --- output ---
