"""The exercise of the slides: -log(sigmoid(w . x)) at w = (1, 1, -1.5) and x = (1, 1, 1)."""

import numpy as np
from lecture_logistic_grad import loss_value_and_grad

import gradgen


def loss(w, x):
    """w (d,): weights; x (d,): an instance."""
    z = w @ x
    p = 1 / (1 + np.exp(-z))
    return -np.log(p)


def circuit(w1, x1, w2, x2, w3, x3):
    """The same as the graph of the slides, with its names."""
    gamma = w1 * x1
    zeta = w2 * x2
    kappa = w3 * x3
    lambda_ = gamma + zeta
    mu = lambda_ + kappa
    nu = -mu
    xi = np.exp(nu)
    pi = xi + 1
    varpi = 1 / pi
    rho = np.log(varpi)
    l = -rho
    return l


W, X = np.array([1.0, 1.0, -1.5]), np.array([1.0, 1.0, 1.0])


def main():
    at = {"w1": 1, "x1": 1, "w2": 1, "x2": 1, "w3": -1.5, "x3": 1}
    print(gradgen.explain(circuit, at, notation="bar"), end="\n\n")
    value, d_w = loss_value_and_grad(W, X)
    print(f"emitted code  l = {value:.4f}, dl/dw = {d_w.round(4)}")


if __name__ == "__main__":
    main()
