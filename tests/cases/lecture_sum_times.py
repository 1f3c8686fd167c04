# options: wrt=x,y,z
# at: x=-2.0, y=5.0, z=-4.0
# expect: value=-12.0 grad=(-4.0, -4.0, 3.0) rtol=1e-15 source="lecture slides, computation graph of (x + y) z"
def f(x, y, z):
    return (x + y) * z
# --- hand ---
def hand(x, y, z):
    """Multiply swaps its factors, add copies."""
    a = x + y
    return a * z, (z, z, a)
# --- output ---
