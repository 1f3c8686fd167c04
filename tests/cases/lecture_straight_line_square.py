# options: wrt=x1,x2
# at: x1=2.0, x2=1.0
# expect: value=3.390562 grad=(4.2, -1.4) rtol=2e-7 source="lecture slides, code proof with the exponent 1 written out"
import numpy


def f(x1, x2):
    return x1**2 + (x1 - x2) ** 1 - numpy.log(x1**2 + x2**2)
# --- hand ---
def hand(x1, x2):
    """With the exponent 1 the middle term contributes +1 and -1."""
    u = x1**2
    s = u + x2**2
    f = u + (x1 - x2) ** 1 - numpy.log(s)

    d_s = -1.0 / s
    d_x1 = (1.0 + d_s) * (2.0 * x1) + 1.0
    d_x2 = d_s * (2.0 * x2) - 1.0
    return f, (d_x1, d_x2)
# --- output ---
