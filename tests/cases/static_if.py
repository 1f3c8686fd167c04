# options: wrt=x,y
# at: x=0.5, y=1.5
import numpy as np

ORDER = 2


def f(x, y):
    s = x * y
    if ORDER == 1:
        s = s + np.log(x)
    elif ORDER == 2:
        s = s * np.exp(-x)
    if not ORDER:
        return x
    return s - y
# --- hand ---
def hand(x, y):
    """Only the branch for order two remains."""
    s = x * y
    e = np.exp(-x)
    t = s * e
    value = t - y

    d_x = e * y - t
    d_y = e * x - 1.0
    return value, (d_x, d_y)
# --- output ---
