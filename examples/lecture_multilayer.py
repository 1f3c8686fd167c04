"""A network of one hidden layer with squared error: by vectors, by indices, and for a batch."""

import numpy as np

import gradgen


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def loss(W1, b1, W2, b2, x, t):
    """The vectorised form of the notes: W1 (h, d), b1 (h,), W2 (k, h), b2 (k,), x (d,), t (k,)."""
    z = W1 @ x + b1
    h = sigmoid(z)
    y = W2 @ h + b2
    L = 0.5 * np.sum((y - t) ** 2)
    return L


def index_loss(w11, w12, w21, w22, b1, b2, u11, u12, u21, u22, c1, c2, x1, x2, t1, t2):
    """The same by indices, for two units a layer.

    z_i = sum_j w_ij x_j + b_i, h_i = sigmoid(z_i), y_k = sum_i u_ki h_i + c_k; the notes have w^(1)
    and w^(2) for w and u, b^(1) and b^(2) for b and c.
    """
    z1 = w11 * x1 + w12 * x2 + b1
    z2 = w21 * x1 + w22 * x2 + b2
    h1 = sigmoid(z1)
    h2 = sigmoid(z2)
    y1 = u11 * h1 + u12 * h2 + c1
    y2 = u21 * h1 + u22 * h2 + c2
    L = 0.5 * ((y1 - t1) ** 2 + (y2 - t2) ** 2)
    return L


def batch_loss(W1, b1, W2, b2, X, T):
    """The same for instances in the rows of X (n, d) and T (n, k): H = phi(X W1^T + 1 b1^T)."""
    H = sigmoid(X @ W1.T + b1)
    Y = H @ W2.T + b2
    L = 0.5 * np.sum((Y - T) ** 2)
    return L


AT = {
    "W1": [[0.5, -1.0], [1.0, 2.0]], "b1": [0.0, -1.0], "W2": [[1.0, 2.0], [-1.0, 0.5]],
    "b2": [0.5, 0.0], "x": [1.0, -0.5], "t": [1.0, 0.0],
}  # fmt: skip


def main():
    print(gradgen.explain(loss, AT, wrt=("W1", "b1", "W2", "b2"), notation="bar"))


if __name__ == "__main__":
    main()
