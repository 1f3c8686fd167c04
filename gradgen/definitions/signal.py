"""Convolutions and polynomials."""

import numpy as np


def convolve(g, out, a, v, mode="full"):
    n, m = len(a), len(v)
    if mode == "valid" and n == m:
        return g * v[::-1], g * a[::-1]
    if mode == "valid" and n > m:
        return np.convolve(g, v[::-1]), np.correlate(a, g)[::-1]
    if mode == "valid":
        return np.correlate(v, g)[::-1], np.convolve(g, a[::-1])
    if mode == "same":
        g = _widened(g, (min(n, m) - 1) // 2, min(n, m) // 2)
    return np.correlate(g, v), np.correlate(g, a)


def correlate(g, out, a, v, mode="valid"):
    n, m = len(a), len(v)
    if mode == "valid" and n == m:
        return g * v, g * a
    if mode == "valid" and n > m:
        return np.convolve(g, v), np.correlate(a, g)
    if mode == "valid":
        g = _widened(g, n - 1, n - 1)
    elif mode == "same" and n < m:
        g = _widened(g, n // 2, (n - 1) // 2)
    elif mode == "same":
        g = _widened(g, (m - 1) // 2, m // 2)
    return np.convolve(g, v, "valid"), np.correlate(g, a)[::-1]


def _widened(g, before, after):
    """The adjoint of all of a convolution, of which the middle was taken."""
    parts = [g]
    if before > 0:
        parts = [_zeros(before, g), *parts]
    if after > 0:
        parts = [*parts, _zeros(after, g)]
    return np.concatenate(parts)


def _zeros(n, g):
    return np.zeros(n) if g.dtype == "float64" else np.zeros(n, dtype=g.dtype)


def polyval(g, out, p, x):
    if x.ndim == 0:
        powers = np.vander(np.reshape(x, 1), len(p))[0]
        return g * powers, g * np.polyval(np.polyder(p), x)
    if x.ndim == 1:
        return g @ np.vander(x, len(p)), g * np.polyval(np.polyder(p), x)
    return g.ravel() @ np.vander(x.ravel(), len(p)), g * np.polyval(np.polyder(p), x)


def polyval_rising(x, c):
    return np.polyval(c[::-1], x)


def polyder(p, m=1):
    for _ in range(m):
        p = p[:-1] * np.arange(1, len(p))[::-1]
    return p


def polyint(p):
    return np.concatenate([p / np.arange(1, len(p) + 1)[::-1], np.zeros(1)])


def polyadd(a1, a2):
    n, m = len(a1), len(a2)
    if n < m:
        a1 = np.concatenate([np.zeros(m - n, dtype=a1.dtype), a1])
    if m < n:
        a2 = np.concatenate([np.zeros(n - m, dtype=a2.dtype), a2])
    return a1 + a2


def polysub(a1, a2):
    return polyadd(a1, -a2)
