# options: shapes="x=4"
# at: x=[1.0, -2.0, 0.5, 3.0]
# expect: value=16.25 grad=[26.0, -5.0, 13.0, 7.5] rtol=1e-15 source="by hand: 2 y[i] x[i+1] + 2 y[i-1] x[i-1]"
import numpy as np


def f(x):
    y = np.zeros(4)
    for i in range(4):
        y[i] = x[i] * x[(i + 1) % 4]
    return np.sum(y**2)
# --- output ---
