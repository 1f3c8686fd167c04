"""The loss of mnist_mlp.py with dropout: a mask, an argument, leaves out hidden units."""

import numpy as np


def loss(W1, b1, W2, b2, X, labels, mask):
    """As in mnist_mlp.py; mask (n, h) holds 0 for a unit left out and 1/keep for one kept.

    The mask is drawn outside, so that the function stays a function: with the same arguments it
    has the same value.
    """
    H = np.tanh(X @ W1.T + b1) * mask
    F = H @ W2.T + b2
    F = F - np.max(F, axis=1, keepdims=True)
    picked = F[np.arange(X.shape[0]), labels]
    return np.mean(np.log(np.sum(np.exp(F), axis=1)) - picked)
