# options: wrt=a,b
# at: a=0.3, b=2.0
import numpy as np

square = lambda u: u * u


def f(a, b):
    cube = lambda u: u * square(u)
    return square(np.sin(a)) * cube(b)
# --- hand ---
def hand(a, b):
    """Product of sin(a)**2 and b**3."""
    s = np.sin(a)
    p = s * s
    q = b * b
    r = b * q
    value = p * r

    d_a = r * (2.0 * s) * np.cos(a)
    d_b = p * (3.0 * q)
    return value, (d_a, d_b)
# --- output ---
