# options: wrt=mu,sigma shapes="x=n, mu=scalar, sigma=scalar"
# at: x=[1.0, 2.5, 0.5, 3.0], mu=1.5, sigma=0.8
import numpy as np


def log_likelihood(x, mu, sigma):
    z = (x - mu) / sigma
    n = len(x)
    return -0.5 * np.sum(z**2) - n * np.log(sigma) - 0.5 * n * np.log(2 * np.pi)
# --- hand ---
def hand(x, mu, sigma):
    """Score of the normal distribution."""
    z = (x - mu) / sigma
    n = len(x)
    s = np.sum(z**2)
    value = -0.5 * s - n * np.log(sigma) - 0.5 * n * np.log(2 * np.pi)

    d_mu = np.sum(z) / sigma
    d_sigma = (s - n) / sigma
    return value, (d_mu, d_sigma)
# --- output ---
