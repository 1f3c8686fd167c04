# options: wrt=a,b
# at: a=0.4, b=1.3
def f(a, b):
    p, q = a + b, a * b
    p, q = q, p - q
    (r, s), t = (p * q, p), q
    return r * s + t
# --- hand ---
def hand(a, b):
    """With q = a b and m = a + b - q: f = q**2 m + m."""
    p = a + b
    q = a * b
    m = p - q
    r = q * m
    value = r * q + m

    d_m = q * q + 1.0
    d_q = 2.0 * r - d_m
    d_a = d_q * b + d_m
    d_b = d_q * a + d_m
    return value, (d_a, d_b)
# --- output ---
