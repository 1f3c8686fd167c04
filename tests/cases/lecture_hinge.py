# options: wrt=y0,y1,y2
# at: y0=0.5, y1=1.25, y2=-1.0
# expect: value=1.75 grad=(-1.0, 1.0, 0.0) rtol=1e-15 source="lecture slides, hinge loss, by hand: the largest rival pulls against the label"
# at: y0=4.0, y1=1.25, y2=-1.0
import numpy as np


def hinge(y0, y1, y2):
    return np.maximum(0.0, 1.0 + np.maximum(y1, y2) - y0)
# --- hand ---
def hand(y0, y1, y2):
    """The larger rival takes the adjoint; rivals that tie share it evenly."""
    s = 1.0 + np.maximum(y1, y2) - y0
    value = np.maximum(0.0, s)

    d_s = np.where(s > 0.0, 1.0, 0.0)
    d_y1 = d_s * np.where(y1 == y2, 0.5, y1 > y2)
    d_y2 = d_s - d_y1
    return value, (-d_s, d_y1, d_y2)
# --- output ---
