# options: wrt=x,y target=python
# at: x=-1.2, y=1.0
# expect: value=24.2 grad=(-215.6, -88.0) rtol=1e-13 source="by hand at the usual starting point (-1.2, 1)"
# at: x=1.0, y=1.0
def rosenbrock(x, y):
    return (1.0 - x) ** 2 + 100.0 * (y - x**2) ** 2
# --- hand ---
def hand(x, y):
    """Two squares."""
    s = 1.0 - x
    r = y - x**2
    value = s**2 + 100.0 * r**2

    d_y = 200.0 * r
    d_x = -2.0 * s - d_y * (2.0 * x)
    return value, (d_x, d_y)
# --- output ---
