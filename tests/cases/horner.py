# options: target=python
# at: x=2.0
# expect: value=49.0 grad=62.0 rtol=1e-15 source="by hand: 4x**3 + 3x**2 + 2x + 1 and 12x**2 + 6x + 2 at 2"
# at: x=-0.5
def horner(x):
    p = 4.0
    for c in (3.0, 2.0, 1.0):
        p = p * x + c
    return p
# --- hand ---
def hand(x):
    """Reverse mode over three steps p = p x + c."""
    p1 = 4.0 * x + 3.0
    p2 = p1 * x + 2.0
    p3 = p2 * x + 1.0

    d_p1 = x * x
    d_x = p2 + x * p1 + d_p1 * 4.0
    return p3, d_x
# --- output ---
