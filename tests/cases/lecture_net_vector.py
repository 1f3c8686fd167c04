# options: wrt=W1,b1,W2,b2 shapes="W1=h d, b1=h, W2=k h, b2=k, x=d, t=k"
# at: W1=[[0.1, -0.4], [0.7, 0.2], [-0.3, 0.6]], b1=[0.05, -0.1, 0.2], W2=[[0.3, -0.6, 0.1], [0.8, 0.5, -0.2]], b2=[0.02, -0.2], x=[1.0, -2.0], t=[0.5, -0.5]
import numpy as np


def loss(W1, b1, W2, b2, x, t):
    z = W1 @ x + b1
    h = 1 / (1 + np.exp(-z))
    y = W2 @ h + b2
    return 0.5 * np.sum((y - t) ** 2)
# --- hand ---
def hand(W1, b1, W2, b2, x, t):
    """The vectorised backward pass of the lecture."""
    z = W1 @ x + b1
    h = 1 / (1 + np.exp(-z))
    y = W2 @ h + b2
    d_y = y - t
    loss = 0.5 * np.sum(d_y**2)

    d_W2 = np.outer(d_y, h)
    d_z = (W2.T @ d_y) * h * (1.0 - h)
    d_W1 = np.outer(d_z, x)
    return loss, (d_W1, d_z, d_W2, d_y)
# --- output ---
