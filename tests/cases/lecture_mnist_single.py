# options: wrt=M,W shapes="M=h d, W=k h, x=d"
# at: M=[[0.1, -0.4], [0.7, 0.2], [-0.3, 0.6]], W=[[0.3, -0.6, 0.1], [0.8, 0.5, -0.2]], x=[1.0, -2.0], label=1
import numpy as np


def loss(M, W, x, label: int):
    h = np.tanh(M @ x)
    f = W @ h
    return np.log(np.sum(np.exp(f))) - f[label]
# --- hand ---
def hand(M, W, x, label: int):
    """Multiclass logistic loss over the basis expansion tanh(Mx)."""
    h = np.tanh(M @ x)
    f = W @ h
    e = np.exp(f)
    s = np.sum(e)
    loss = np.log(s) - f[label]

    d_f = e / s
    d_f[label] -= 1.0
    d_W = np.outer(d_f, h)
    d_z = (W.T @ d_f) * (1.0 - h * h)
    d_M = np.outer(d_z, x)
    return loss, (d_M, d_W)
# --- output ---
