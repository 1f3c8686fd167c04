"""The loss of a two-layer network over a batch of images, in plain NumPy."""

import numpy as np


def loss(W1, b1, W2, b2, X, labels):
    """Multiclass logistic loss: the mean of log(sum(exp(F))) - F[label] over the batch.

    W1 (h, d), b1 (h,): tanh hidden units; W2 (k, h), b2 (k,): identity outputs;
    X (n, d): one image a row; labels (n,): integers from 0 to k - 1.
    """
    H = np.tanh(X @ W1.T + b1)
    F = H @ W2.T + b2
    F = F - np.max(F, axis=1, keepdims=True)  # the loss stays the same, exp cannot overflow
    picked = F[np.arange(X.shape[0]), labels]
    return np.mean(np.log(np.sum(np.exp(F), axis=1)) - picked)
