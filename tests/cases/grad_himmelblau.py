# options: wrt=x,y mode=grad
# at: x=1.0, y=-1.0
# expect: grad=(-54.0, -2.0) rtol=1e-15 source="by hand"
def himmelblau(x, y):
    u = x**2 + y - 11.0
    v = x + y**2 - 7.0
    return u**2 + v**2
# --- hand ---
def hand(x, y):
    """Gradient only: the squares themselves are not computed."""
    u = x**2 + y - 11.0
    v = x + y**2 - 7.0
    d_u = 2.0 * u
    d_v = 2.0 * v
    return d_u * (2.0 * x) + d_v, d_u + d_v * (2.0 * y)
# --- output ---
