# options: wrt=x1,x2
# at: x1=2.0, x2=1.0, a=1.0
# expect: value=3.390562 grad=(4.2, -1.4) rtol=2e-7 source="lecture slides, autodifferentiation at (2, 1) with a = 1"
# at: x1=2.5, x2=0.5, a=1.7
import numpy as np


def f(x1, x2, a=1.0):
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a
    z5 = z1 + z2
    z6 = np.log(z5)
    z7 = z1 + z4 - z6
    return z7
# --- hand ---
def hand(x1, x2, a=1.0):
    """The backward pass of the slides without its multiplications by one."""
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a
    z5 = z1 + z2
    z6 = np.log(z5)
    z7 = z1 + z4 - z6

    d_z5 = -1.0 / z5
    d_z3 = a * z3 ** (a - 1)
    d_z1 = 1.0 + d_z5
    d_x1 = d_z1 * (2.0 * x1) + d_z3
    d_x2 = d_z5 * (2.0 * x2) - d_z3
    return z7, (d_x1, d_x2)
# --- output ---
