# options: wrt=params shapes="params.W1=h d, params.b1=h, params.W2=k h, params.b2=k, x=d, t=k"
# at: params={"W1": [[0.1, -0.4], [0.7, 0.2], [-0.3, 0.6]], "b1": [0.05, -0.1, 0.2], "W2": [[0.3, -0.6, 0.1], [0.8, 0.5, -0.2]], "b2": [0.02, -0.2]}, x=[1.0, -2.0], t=[0.5, -0.5]
import numpy as np


def loss(params, x, t):
    h = np.tanh(params["W1"] @ x + params["b1"])
    y = params["W2"] @ h + params["b2"]
    return 0.5 * np.sum((y - t) ** 2)
# --- hand ---
def hand(params, x, t):
    """The gradient has the structure of params."""
    h = np.tanh(params["W1"] @ x + params["b1"])
    y = params["W2"] @ h + params["b2"]
    d_y = y - t
    loss = 0.5 * np.sum(d_y**2)

    d_z = (params["W2"].T @ d_y) * (1.0 - h * h)
    return loss, {"W1": np.outer(d_z, x), "b1": d_z, "W2": np.outer(d_y, h), "b2": d_y}
# --- output ---
