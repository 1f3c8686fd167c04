# options: wrt=X,scale,shift shapes="X=n d, scale=d, shift=scalar"
# at: X=[[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]], scale=[2.0, -0.5], shift=0.3
import numpy as np


def f(X, scale, shift):
    return np.sum(np.sin(X * scale + shift))
# --- hand ---
def hand(X, scale, shift):
    """Adjoints are summed over the axes along which an operand was repeated."""
    Z = X * scale + shift
    value = np.sum(np.sin(Z))

    d_Z = np.cos(Z)
    d_X = d_Z * scale
    d_scale = np.sum(d_Z * X, axis=0)
    d_shift = np.sum(d_Z)
    return value, (d_X, d_scale, d_shift)
# --- output ---
