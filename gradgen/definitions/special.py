"""Special functions that are made of others."""

import math

from scipy.special import gammaln


def multigammaln(a, d):
    terms = sum([gammaln(a - 0.5 * j) for j in range(d)])
    return terms + 0.25 * d * (d - 1) * math.log(math.pi)
