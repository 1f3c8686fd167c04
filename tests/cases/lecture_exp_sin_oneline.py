# at: x=0.0
# expect: value=8.29835352575633 grad=20.9187277871505 rtol=1e-13 source="eq. 2.1 and 2.2 of the lecture notes at x=0: exp(2) + sin(2) and 3 (exp(2) + cos(2))"
# at: x=-0.7
import numpy as np


def f(x):
    return np.exp(np.exp(x) + np.exp(x) ** 2) + np.sin(np.exp(x) + np.exp(x) ** 2)
# --- hand ---
def hand(x):
    """Equation 2.4 with exp(x) and exp(c) reused."""
    a = np.exp(x)
    c = a + a**2
    d = np.exp(c)
    f = d + np.sin(c)

    d_c = d + np.cos(c)
    d_x = d_c * (1.0 + 2.0 * a) * a
    return f, d_x
# --- output ---
