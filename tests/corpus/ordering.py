"""Functions of sorted values."""

import numpy as np
from scipy.special import expit


def log_rank_ndcg(scores, gains):
    """Qin, Liu and Li, Inf. Retrieval 13 (2010): ranks smoothed by logistic functions."""
    difference = scores[None, :] - scores[:, None]
    ranks = 0.5 + np.sum(expit(difference / 0.1), axis=1)
    ideal = np.sort(gains)[::-1] / np.log2(np.arange(2, len(gains) + 2))
    return 1.0 - np.sum(gains / np.log2(1.0 + ranks)) / ideal.sum()


def trimmed_squares(beta, X, y):
    """Rousseeuw, Least median of squares regression, JASA 79 (1984), section 1: trimmed sum."""
    h = (X.shape[0] + X.shape[1] + 1) // 2
    squares = np.sort((y - X @ beta) ** 2)
    return np.sum(squares[:h])


def gini(x):
    """Gini (1912); Sen, On Economic Inequality (1973), chapter 2: by all pairs, without sorting."""
    return np.sum(np.abs(x[:, None] - x)) / (2 * len(x) ** 2 * np.mean(x))


def gini_sorted(x):
    """The same by ranks: Sen (1973), chapter 2."""
    n = len(x)
    ranks = np.arange(1, n + 1)
    return (2 * ranks - n - 1) @ np.sort(x) / (n * np.sum(x))


def l_moment_ratio(x):
    """Hosking, L-moments, JRSS B 52 (1990), section 2: the ratio of the second to the first."""
    s = x[np.argsort(x)]
    n = len(s)
    b1 = sum(i / (n - 1) * s[i] for i in range(n)) / n
    return (2 * b1 - np.mean(s)) / s.mean()


def quantile_match(theta, z, target):
    """Koenker, Quantile Regression (2005), section 1.3: quartiles of a scaled sample."""
    x = theta[0] + np.exp(theta[1]) * z
    return np.sum((np.quantile(x, [0.25, 0.5, 0.75]) - target) ** 2)
