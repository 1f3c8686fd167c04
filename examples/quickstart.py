"""The function of the README."""

import numpy as np


def f(x1, x2, a):
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    return z1 + z3**a - np.log(z1 + z2)
