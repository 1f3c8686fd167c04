# options: shapes="f=k"
# at: f=[1.0, -0.5, 2.0], label=0
# at: f=[0.0, 0.0, 0.0, 0.0], label=3
import numpy as np


def loss(f, label: int):
    return np.log(np.sum(np.exp(f))) - f[label]
# --- hand ---
def hand(f, label: int):
    """Softmax minus one at the label."""
    e = np.exp(f)
    s = np.sum(e)
    loss = np.log(s) - f[label]

    d_f = e / s
    d_f[label] -= 1.0
    return loss, d_f
# --- output ---
