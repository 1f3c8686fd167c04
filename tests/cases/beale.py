# options: wrt=x,y target=python
# at: x=1.0, y=1.0
# expect: value=14.203125 grad=(0.0, 27.75) rtol=1e-15 source="by hand at (1, 1)"
# at: x=3.0, y=0.5
def beale(x, y):
    r1 = 1.5 - x + x * y
    r2 = 2.25 - x + x * y**2
    r3 = 2.625 - x + x * y**3
    return r1**2 + r2**2 + r3**2
# --- hand ---
def hand(x, y):
    """Three residuals; the powers of y serve both passes."""
    y2 = y**2
    y3 = y**3
    r1 = 1.5 - x + x * y
    r2 = 2.25 - x + x * y2
    r3 = 2.625 - x + x * y3
    value = r1**2 + r2**2 + r3**2

    d_r1 = 2.0 * r1
    d_r2 = 2.0 * r2
    d_r3 = 2.0 * r3
    d_x = d_r1 * (y - 1.0) + d_r2 * (y2 - 1.0) + d_r3 * (y3 - 1.0)
    d_y = x * (d_r1 + d_r2 * (2.0 * y) + d_r3 * (3.0 * y2))
    return value, (d_x, d_y)
# --- output ---
