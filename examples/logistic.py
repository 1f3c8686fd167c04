"""Logistic regression with a penalty, and two gradients of it that were written by hand."""

import numpy as np


def loss(w, X, y):
    """Mean of log(1 + exp(-m)) over the margins m, plus |w|^2 / 2.

    w (d,): weights; X (n, d): one point a row; y (n,): labels, -1 or 1.
    """
    m = y * (X @ w)
    return np.mean(np.log(1 + np.exp(-m))) + 0.5 * np.dot(w, w)


def loss_grad(w, X, y):
    """The gradient of `loss` with respect to w."""
    p = 1 / (1 + np.exp(y * (X @ w)))
    return w - X.T @ (y * p) / len(y)


def hasty_grad(w, X, y):
    """Meant to be the gradient of `loss`; the sign of the margin is lost on the way."""
    p = 1 / (1 + np.exp(-y * (X @ w)))
    return w - X.T @ (y * p) / len(y)
