# options: wrt=x,y
# at: x=1.0, y=3.0
# expect: value=0.0 grad=(0.0, 0.0) rtol=1e-15 source="the minimum at (1, 3) is exact"
# at: x=0.0, y=0.0
def booth(x, y):
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2
# --- hand ---
def hand(x, y):
    """Two squares of linear forms."""
    u = x + 2 * y - 7
    v = 2 * x + y - 5
    value = u**2 + v**2

    d_u = 2.0 * u
    d_v = 2.0 * v
    d_x = d_u + d_v * 2.0
    d_y = d_u * 2.0 + d_v
    return value, (d_x, d_y)
# --- output ---
