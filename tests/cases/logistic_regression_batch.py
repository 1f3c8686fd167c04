# options: wrt=w,b shapes="w=d, X=n d, y=n"
# at: w=[0.5, -0.25], b=0.1, X=[[1.0, 2.0], [0.5, -1.0], [-1.5, 0.25]], y=[1.0, -1.0, 1.0]
import numpy as np


def loss(w, b, X, y):
    margin = y * (X @ w + b)
    return np.mean(np.logaddexp(0.0, -margin))
# --- hand ---
def hand(w, b, X, y):
    """-y times the probability of the wrong class, averaged."""
    m = -(y * (X @ w + b))
    losses = np.logaddexp(0.0, m)
    loss = np.mean(losses)

    d_z = -np.exp(m - losses) / X.shape[0] * y
    d_w = d_z @ X
    d_b = np.sum(d_z)
    return loss, (d_w, d_b)
# --- output ---
