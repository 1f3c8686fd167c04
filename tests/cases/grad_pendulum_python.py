# options: mode=grad target=python
# at: theta=0.6, k=2.5
# expect: grad=1.4116061834875884 rtol=1e-14 source="k sin(theta) with mpmath"
import math


def potential(theta: float, k: float) -> float:
    return k * (1.0 - math.cos(theta))
# --- hand ---
def hand(theta: float, k: float):
    """k sin(theta)."""
    return k * math.sin(theta)
# --- output ---
