# options: wrt=W1,b1,W2,b2,W3,b3 shapes="W1=h d, b1=h, W2=k h, b2=k, W3=m k, b3=m, X=n d, T=n m"
# at: W1=[[0.1, -0.4], [0.7, 0.2], [-0.3, 0.6]], b1=[0.05, -0.1, 0.2], W2=[[0.3, -0.6, 0.1], [0.8, 0.5, -0.2]], b2=[0.02, -0.2], W3=[[0.9, -0.7]], b3=[0.1], X=[[1.0, -2.0], [0.5, 0.3], [-1.2, 0.8], [0.0, 1.0]], T=[[0.5], [-0.5], [1.0], [0.2]]
import numpy as np


def loss(W1, b1, W2, b2, W3, b3, X, T):
    H1 = np.tanh(X @ W1.T + b1)
    H2 = np.tanh(H1 @ W2.T + b2)
    Y = H2 @ W3.T + b3
    return 0.5 * np.sum((Y - T) ** 2)
# --- hand ---
def hand(W1, b1, W2, b2, W3, b3, X, T):
    """Backpropagation over a whole batch: rows are examples, biases sum over them."""
    H1 = np.tanh(X @ W1.T + b1)
    H2 = np.tanh(H1 @ W2.T + b2)
    Y = H2 @ W3.T + b3
    d_Y = Y - T
    loss = 0.5 * np.sum(d_Y**2)

    d_W3 = d_Y.T @ H2
    d_b3 = d_Y.sum(axis=0)
    d_Z2 = (d_Y @ W3) * (1.0 - H2 * H2)
    d_W2 = d_Z2.T @ H1
    d_b2 = d_Z2.sum(axis=0)
    d_Z1 = (d_Z2 @ W2) * (1.0 - H1 * H1)
    d_W1 = d_Z1.T @ X
    d_b1 = d_Z1.sum(axis=0)
    return loss, (d_W1, d_b1, d_W2, d_b2, d_W3, d_b3)
# --- output ---
