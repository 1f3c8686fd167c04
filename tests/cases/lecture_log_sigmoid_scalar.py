# options: wrt=w1,w2,w3,x1,x2,x3
# at: w1=1.0, w2=1.0, w3=-1.5, x1=1.0, x2=1.0, x3=1.0
# expect: value=0.474077 grad=(-0.3775, -0.3775, -0.3775, -0.3775, -0.3775, 0.5663) rtol=2e-4 source="lecture slides, exercise on the computation graph"
import numpy as np


def loss(w1, w2, w3, x1, x2, x3):
    return -np.log(1 / (1 + np.exp(-(w1 * x1 + w2 * x2 + w3 * x3))))
# --- hand ---
def hand(w1, w2, w3, x1, x2, x3):
    """d loss / d z = p - 1."""
    z = w1 * x1 + w2 * x2 + w3 * x3
    p = 1 / (1 + np.exp(-z))
    loss = -np.log(p)

    d_z = p - 1.0
    return loss, (d_z * x1, d_z * x2, d_z * x3, d_z * w1, d_z * w2, d_z * w3)
# --- output ---
