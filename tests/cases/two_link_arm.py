# options: wrt=a,b
# at: a=0.4, b=0.9, l1=1.0, l2=0.7, px=0.5, py=1.2
import numpy as np


def reach_error(a, b, l1, l2, px, py):
    x = l1 * np.cos(a) + l2 * np.cos(a + b)
    y = l1 * np.sin(a) + l2 * np.sin(a + b)
    return 0.5 * ((x - px) ** 2 + (y - py) ** 2)
# --- hand ---
def hand(a, b, l1, l2, px, py):
    """The Jacobian's columns are the links turned by 90 degrees."""
    c = a + b
    x1 = l1 * np.cos(a)
    x2 = l2 * np.cos(c)
    y1 = l1 * np.sin(a)
    y2 = l2 * np.sin(c)
    ex = x1 + x2 - px
    ey = y1 + y2 - py
    value = 0.5 * (ex**2 + ey**2)

    d_b = ey * x2 - ex * y2
    d_a = ey * x1 - ex * y1 + d_b
    return value, (d_a, d_b)
# --- output ---
