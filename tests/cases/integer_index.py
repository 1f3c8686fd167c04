# options: wrt=table,w shapes="table=v d, w=d, idx=m:int64"
# at: table=[[0.1, -0.4], [0.7, 0.2], [-0.3, 0.6], [1.0, 1.0]], w=[0.5, 2.0], idx=[0, 2, 0, 1]
import numpy as np


def f(table, w, idx):
    z = table[idx] @ w
    return np.sum(z**2)
# --- hand ---
def hand(table, w, idx):
    """Repeated rows accumulate."""
    rows = table[idx]
    z = rows @ w
    value = np.sum(z**2)

    d_z = 2.0 * z
    d_table = np.zeros_like(table)
    np.add.at(d_table, idx, np.outer(d_z, w))
    d_w = d_z @ rows
    return value, (d_table, d_w)
# --- output ---
