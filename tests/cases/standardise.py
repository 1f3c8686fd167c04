# options: wrt=x,w shapes="x=n, w=n"
# at: x=[1.0, 2.0, 4.0, -1.0], w=[0.3, -0.2, 0.5, 1.0]
import numpy as np


def f(x, w):
    centred = x - np.mean(x)
    scale = np.sqrt(np.mean(centred**2))
    return w @ (centred / scale)
# --- hand ---
def hand(x, w):
    """Layer normalisation backwards: w, less its mean, less its part along y."""
    centred = x - np.mean(x)
    scale = np.sqrt(np.mean(centred**2))
    y = centred / scale
    value = w @ y

    d_x = (w - np.mean(w) - y * (value / x.shape[0])) / scale
    return value, (d_x, y)
# --- output ---
