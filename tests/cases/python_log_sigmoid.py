# options: wrt=w,b target=python
# at: w=0.5, b=-0.3, x=1.5
from math import exp, log


def loss(w: float, b: float, x: float) -> float:
    z = w * x + b
    return log(1.0 + exp(-z))
# --- hand ---
def hand(w: float, b: float, x: float):
    """-exp(-z) / (1 + exp(-z))."""
    z = w * x + b
    e = exp(-z)
    u = 1.0 + e
    value = log(u)

    d_z = -e / u
    return value, (d_z * x, d_z)
# --- output ---
