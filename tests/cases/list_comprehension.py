# options: shapes="x=3"
# at: x=[0.2, 0.5, 0.9]
# expect: value=1.8589471815565981 grad=[0.17901471401193809, 0.066424883116148745, 2.9215428926345855] rtol=1e-14 source="by hand with mpmath"
import numpy as np


def f(x):
    terms = [(k + 1) * np.sin(x[k]) ** 2 for k in range(3)]
    return terms[0] * terms[1] + terms[2]
# --- hand ---
def hand(x):
    """Twice k sin cos for each term, times its cofactor."""
    s0 = np.sin(x[0])
    s1 = np.sin(x[1])
    s2 = np.sin(x[2])
    t0 = 1 * s0**2
    t1 = 2 * s1**2
    t2 = 3 * s2**2
    value = t0 * t1 + t2

    d_x0 = t1 * (2.0 * s0) * np.cos(x[0])
    d_x1 = t0 * (4.0 * s1) * np.cos(x[1])
    d_x2 = 6.0 * s2 * np.cos(x[2])
    return value, np.array([d_x0, d_x1, d_x2])
# --- output ---
