# options: wrt=q shapes="p=k, q=k"
# at: p=[0.0, 1.0, 0.0], q=[0.2, 0.5, 0.3]
# expect: value=0.6931471805599453 grad=[0.0, -2.0, 0.0] rtol=1e-14 source="lecture slides, H(p, q), by hand: log 2 and -p/q"
# at: p=[0.1, 0.2, 0.7], q=[0.3, 0.3, 0.4]
import numpy as np


def cross_entropy(p, q):
    return -np.sum(p * np.log(q))
# --- hand ---
def hand(p, q):
    """-p / q."""
    value = -np.sum(p * np.log(q))

    d_q = -p / q
    return value, d_q
# --- output ---
