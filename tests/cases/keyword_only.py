# options: wrt=x,width
# at: x=0.7, width=1.5, height=2.0
# at: x=0.7
import numpy as np


def lorentzian(x: float, *, width: float = 1.0, height: float = 3.0) -> float:
    """A resonance line."""
    return height / (1.0 + (x / width) ** 2)
# --- hand ---
def hand(x: float, *, width: float = 1.0, height: float = 3.0):
    """Quotient rule, then u = x / width."""
    u = x / width
    q = 1.0 + u**2
    y = height / q

    d_u = -y / q * (2.0 * u)
    d_x = d_u / width
    d_width = -d_x * u
    return y, (d_x, d_width)
# --- output ---
