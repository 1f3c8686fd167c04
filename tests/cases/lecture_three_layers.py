# options: wrt=W1,W2,W3 shapes="W1=a d, W2=b a, W3=c b, x=d, y=c"
# at: W1=[[0.1, -0.4], [0.7, 0.2], [-0.3, 0.6]], W2=[[0.3, -0.6, 0.1], [0.8, 0.5, -0.2]], W3=[[0.9, -0.7], [0.4, 0.3]], x=[1.0, -2.0], y=[0.5, -0.25]
import numpy as np


def loss(W1, W2, W3, x, y):
    h = x
    for W in (W1, W2, W3):
        a = W @ h
        h = np.tanh(a)
    return 0.5 * np.sum((y - h) ** 2)
# --- hand ---
def hand(W1, W2, W3, x, y):
    """The generic multi-layer network of the slides, three layers unrolled."""
    h1 = np.tanh(W1 @ x)
    h2 = np.tanh(W2 @ h1)
    h3 = np.tanh(W3 @ h2)
    r = y - h3
    loss = 0.5 * np.sum(r**2)

    d_a3 = -r * (1.0 - h3 * h3)
    d_W3 = np.outer(d_a3, h2)
    d_a2 = (W3.T @ d_a3) * (1.0 - h2 * h2)
    d_W2 = np.outer(d_a2, h1)
    d_a1 = (W2.T @ d_a2) * (1.0 - h1 * h1)
    d_W1 = np.outer(d_a1, x)
    return loss, (d_W1, d_W2, d_W3)
# --- output ---
