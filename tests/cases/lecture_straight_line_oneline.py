# options: wrt=x1,x2
# at: x1=2.0, x2=1.0, a=1.0
# expect: value=3.390562 grad=(4.2, -1.4) rtol=2e-7 source="lecture slides, autodifferentiation at (2, 1) with a = 1"
# at: x1=3.0, x2=-1.0, a=0.5
import numpy as np


def f(x1, x2, a):
    return x1**2 + (x1 - x2) ** a - np.log(x1**2 + x2**2)
# --- hand ---
def hand(x1, x2, a):
    """The partial derivatives as the slides print them, with shared parts named."""
    u = x1**2
    v = x1 - x2
    s = u + x2**2
    f = u + v**a - np.log(s)

    d_s = -1.0 / s
    d_v = a * v ** (a - 1)
    d_x1 = (1.0 + d_s) * (2.0 * x1) + d_v
    d_x2 = d_s * (2.0 * x2) - d_v
    return f, (d_x1, d_x2)
# --- output ---
