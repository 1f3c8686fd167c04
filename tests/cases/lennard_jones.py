# options: wrt=x,y,z
# at: x=0.8, y=-0.6, z=0.5, epsilon=1.5, sigma=1.0
def pair_energy(x, y, z, epsilon, sigma):
    r2 = x**2 + y**2 + z**2
    s6 = (sigma**2 / r2) ** 3
    return 4.0 * epsilon * (s6**2 - s6)
# --- hand ---
def hand(x, y, z, epsilon, sigma):
    """d s6 / d r2 = -3 s6 / r2."""
    r2 = x**2 + y**2 + z**2
    s6 = (sigma**2 / r2) ** 3
    k = 4.0 * epsilon
    value = k * (s6**2 - s6)

    d_s6 = k * (2.0 * s6 - 1.0)
    c = d_s6 * -6.0 * s6 / r2
    return value, (c * x, c * y, c * z)
# --- output ---
