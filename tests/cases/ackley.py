# options: wrt=x,y target=python
# at: x=0.5, y=-0.3
import math


def ackley(x, y):
    s = math.sqrt(0.5 * (x**2 + y**2))
    c = 0.5 * (math.cos(2 * math.pi * x) + math.cos(2 * math.pi * y))
    return -20.0 * math.exp(-0.2 * s) - math.exp(c) + math.e + 20.0
# --- hand ---
def hand(x, y):
    """A radial part and a ripple."""
    u = 2 * math.pi * x
    v = 2 * math.pi * y
    s = math.sqrt(0.5 * (x**2 + y**2))
    c = 0.5 * (math.cos(u) + math.cos(v))
    p = math.exp(-0.2 * s)
    q = math.exp(c)
    value = -20.0 * p - q + math.e + 20.0

    radial = 2.0 * p / s
    ripple = math.pi * q
    d_x = radial * x + ripple * math.sin(u)
    d_y = radial * y + ripple * math.sin(v)
    return value, (d_x, d_y)
# --- output ---
