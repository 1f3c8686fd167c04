# options: wrt=x,r
# at: x=0.3, r=3.2
def logistic_map(x, r):
    for _ in range(3):
        x = r * x * (1.0 - x)
    return x
# --- hand ---
def hand(x, r):
    """Back through three steps: r * (1 - 2x), and x (1 - x) for r."""
    p0 = r * x
    u0 = 1.0 - x
    x1 = p0 * u0
    p1 = r * x1
    u1 = 1.0 - x1
    x2 = p1 * u1
    p2 = r * x2
    u2 = 1.0 - x2
    x3 = p2 * u2

    d_x2 = u2 * r - p2
    d_p1 = d_x2 * u1
    d_x1 = d_p1 * r - d_x2 * p1
    d_p0 = d_x1 * u0
    d_x = d_p0 * r - d_x1 * p0
    d_r = u2 * x2 + d_p1 * x1 + d_p0 * x
    return x3, (d_x, d_r)
# --- output ---
