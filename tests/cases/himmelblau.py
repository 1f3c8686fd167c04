# options: wrt=x,y target=python
# at: x=3.0, y=2.0
# expect: value=0.0 grad=(0.0, 0.0) rtol=1e-15 source="the minimum at (3, 2) is exact"
# at: x=1.0, y=-1.0
def himmelblau(x, y):
    return (x**2 + y - 11.0) ** 2 + (x + y**2 - 7.0) ** 2
# --- hand ---
def hand(x, y):
    """Two squares."""
    u = x**2 + y - 11.0
    v = x + y**2 - 7.0
    value = u**2 + v**2

    d_u = 2.0 * u
    d_v = 2.0 * v
    d_x = d_u * (2.0 * x) + d_v
    d_y = d_u + d_v * (2.0 * y)
    return value, (d_x, d_y)
# --- output ---
