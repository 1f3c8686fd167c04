# options: wrt=y,k
# at: y=0.2, k=1.5, h=0.1
def rate(y, k):
    return k * y * (1.0 - y)


def rk4_step(y, k, h):
    k1 = rate(y, k)
    k2 = rate(y + 0.5 * h * k1, k)
    k3 = rate(y + 0.5 * h * k2, k)
    k4 = rate(y + h * k3, k)
    return y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
# --- hand ---
def hand(y, k, h):
    """Four stages backwards; a stage's slope in y is k (1 - 2y), in k it is y (1 - y)."""
    half = 0.5 * h
    u1 = 1.0 - y
    k1 = k * y * u1
    y2 = y + half * k1
    u2 = 1.0 - y2
    k2 = k * y2 * u2
    y3 = y + half * k2
    u3 = 1.0 - y3
    k3 = k * y3 * u3
    y4 = y + h * k3
    u4 = 1.0 - y4
    k4 = k * y4 * u4
    c = h / 6.0
    value = y + c * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    c2 = 2.0 * c
    d_y4 = c * k * (u4 - y4)
    d_k3 = c2 + d_y4 * h
    d_y3 = d_k3 * k * (u3 - y3)
    d_k2 = c2 + d_y3 * half
    d_y2 = d_k2 * k * (u2 - y2)
    d_k1 = c + d_y2 * half
    d_y = 1.0 + d_y4 + d_y3 + d_y2 + d_k1 * k * (u1 - y)
    d_k = c * y4 * u4 + d_k3 * y3 * u3 + d_k2 * y2 * u2 + d_k1 * y * u1
    return value, (d_y, d_k)
# --- output ---
