"""Train weights that are stored in quarters: the gradient passes through the rounding.

The straight-through estimator of Bengio, Leonard and Courville, arXiv:1308.3432, section 4.
"""

import numpy as np

import gradgen

STEP = 0.25  # of the quantised weights
TRUTH = np.array([0.75, -1.25, 0.5, 2.0])


def quantised(w):
    """The nearest multiples of STEP, with the derivative of w itself."""
    return w + gradgen.stop_gradient(STEP * np.round(w / STEP) - w)


@gradgen.value_and_grad
def loss(w, X, y):
    """Mean squared error of a linear model with quantised weights."""
    return np.mean((X @ quantised(w) - y) ** 2)


def train(steps=60, rate=0.1):
    """Return the quantised weights and the losses of gradient descent from zero."""
    X = np.random.default_rng(0).normal(size=(200, TRUTH.size))
    y = X @ TRUTH
    w, losses = np.zeros(TRUTH.size), []
    for _ in range(steps):
        value, gradient = loss(w, X, y)
        losses.append(value)
        w -= rate * gradient
    return quantised(w), losses


if __name__ == "__main__":
    weights, losses = train()
    print(loss.source)
    print("truth  ", TRUTH)
    print("weights", weights)
    print("loss   ", losses[0], "->", losses[-1])
