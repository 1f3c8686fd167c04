"""Signals, time series and images."""

import numpy as np


def ar_residuals(phi, x):
    """Box and Jenkins, Time Series Analysis (1976), section 7.1: conditional sum of squares."""
    p = len(phi)
    sse = 0.0
    for t in range(p, len(x)):
        prediction = 0.0
        for k in range(p):
            prediction += phi[k] * x[t - k - 1]
        sse += (x[t] - prediction) ** 2
    return sse


def arma11(params, y):
    """Box and Jenkins (1976), section 7.1; the errors are kept in an array."""
    mu, phi, theta = params
    e = np.zeros(len(y))
    for t in range(1, len(y)):
        e[t] = y[t] - mu - phi * (y[t - 1] - mu) - theta * e[t - 1]
    return np.sum(e[1:] ** 2)


def vector_autoregression(A, B, Y):
    """Lütkepohl, New Introduction to Multiple Time Series (2005), section 3.2, of two lags."""
    resid = Y[2:] - Y[1:-1] @ A.T - Y[:-2] @ B.T
    cov = resid.T @ resid / len(resid)
    return np.log(np.linalg.det(cov))


def holt_winters(params, y, m=4):
    """Winters, Management Science 6 (1960); additive, as in Hyndman (2018), section 7.3."""
    a, b, g = params
    level = np.mean(y[:m])
    trend = (np.mean(y[m : 2 * m]) - level) / m
    season = [y[i] - level for i in range(m)]
    sse = 0.0
    for t in range(m, len(y)):
        forecast = level + trend + season[t - m]
        sse += (y[t] - forecast) ** 2
        last = level
        level = a * (y[t] - season[t - m]) + (1 - a) * (level + trend)
        trend = b * (level - last) + (1 - b) * trend
        season.append(g * (y[t] - level) + (1 - g) * season[t - m])
    return sse / (len(y) - m)


def convolution(kernel, signal, observed):
    """Oppenheim and Schafer, Discrete-Time Signal Processing (1999), section 2.3, by slices."""
    n, k = len(signal), len(kernel)
    out = np.zeros(n + k - 1)
    for i in range(k):
        out[i : i + n] += kernel[i] * signal
    return np.sum((out - observed) ** 2)


def np_convolve(kernel, signal):
    """The same with NumPy's own, the part without edges."""
    return np.sum(np.convolve(signal, kernel, mode="valid") ** 2)


def total_variation(u, f, lam):
    """Rudin, Osher and Fatemi, Physica D 60 (1992), section 2; smoothed."""
    dx = u[1:, :-1] - u[:-1, :-1]
    dy = u[:-1, 1:] - u[:-1, :-1]
    return np.sum(np.sqrt(dx**2 + dy**2 + 1e-4)) + 0.5 * lam * np.sum((u - f) ** 2)


def whittaker(z, y, lam):
    """Whittaker (1923); Eilers, A perfect smoother, Anal. Chem. 75 (2003)."""
    return np.sum((y - z) ** 2) + lam * np.sum(np.diff(z, n=2) ** 2)


def p_spline(coef, B, y, lam):
    """Eilers and Marx, Flexible smoothing with B-splines, Stat. Sci. 11 (1996), section 3."""
    D = np.diff(np.eye(len(coef)), n=3, axis=0)
    return np.linalg.norm(y - B @ coef) ** 2 + lam * coef @ (D.T @ D) @ coef


def fir_design(h, omega, desired):
    """Parks and Burrus, Digital Filter Design (1987), section 3.2: least squares, symmetric."""
    n = np.arange(len(h))
    amplitude = np.cos(np.outer(omega, n)) @ h
    return np.trapezoid((amplitude - desired) ** 2, omega)


def iir_biquad(b, a, x, target):
    """Oppenheim and Schafer (1999), section 6.3: the direct form I, then the squared error."""
    y = []
    for n in range(len(x)):
        acc = b[0] * x[n]
        if n >= 1:
            acc = acc + b[1] * x[n - 1] - a[0] * y[n - 1]
        if n >= 2:
            acc = acc + b[2] * x[n - 2] - a[1] * y[n - 2]
        y.append(acc)
    return np.mean((np.array(y) - target) ** 2)


def dct_sparsity(x, eps):
    """Ahmed, Natarajan and Rao (1974): DCT-II by a matrix, and a smoothed l1 norm."""
    n = len(x)
    k = np.arange(n)[:, None]
    C = np.cos(np.pi / n * (np.arange(n) + 0.5) * k)
    return np.sum(np.sqrt((C @ x) ** 2 + eps**2))


def autocorrelation(x):
    """Brockwell and Davis, Time Series (1991), section 7.2; the Ljung-Box statistic of 3 lags."""
    n = len(x)
    d = x - x.mean()
    c0 = np.dot(d, d)
    Q = 0
    for k in range(1, 4):
        rho = np.dot(d[k:], d[:-k]) / c0
        Q += rho**2 / (n - k)
    return n * (n + 2) * Q


def fourier_series(coef, t, y, period):
    """Bloomfield, Fourier Analysis of Time Series (2000), chapter 2."""
    model = coef[0] * np.ones_like(t)
    for k in range(1, (len(coef) - 1) // 2 + 1):
        w = 2 * np.pi * k / period
        model += coef[2 * k - 1] * np.cos(w * t) + coef[2 * k] * np.sin(w * t)
    return np.sum((y - model) ** 2)


def phase_interpolation(knots, x, t, y):
    """Linear interpolation of a table: de Boor, A Practical Guide to Splines (2001), ch. III."""
    return np.sum((np.interp(t, x, knots) - y) ** 2)


def dynamic_time_warp(a, b):
    """Cuturi and Blondel, Soft-DTW, ICML (2017), algorithm 1, with gamma one."""
    n, m = len(a), len(b)
    R = np.full((n + 1, m + 1), 1e6)
    R[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = (a[i - 1] - b[j - 1]) ** 2
            low = -np.logaddexp(np.logaddexp(-R[i - 1, j], -R[i, j - 1]), -R[i - 1, j - 1])
            R[i, j] = cost + low
    return R[n, m]


def horn_schunck(u, v, Ix, Iy, It, alpha):
    """Horn and Schunck, Determining optical flow, AI 17 (1981)."""
    data = (Ix * u + Iy * v + It) ** 2
    smooth = 0
    for w in (u, v):
        p = np.pad(w, 1, mode="edge")
        smooth += np.sum((p[1:-1, 2:] - w) ** 2 + (p[2:, 1:-1] - w) ** 2)
    return data.sum() + alpha**2 * smooth


def mutual_coherence(D):
    """Elad, Optimized projections, IEEE TSP 55 (2007): the mean squared off-diagonal Gram."""
    G = D / np.sqrt((D**2).sum(0))
    G = G.T @ G
    off = G[~np.eye(G.shape[0], dtype=bool)]
    return np.mean(off**2)


def kurtosis(w, X):
    """Hyvärinen and Oja, Neural Computation 9 (1997): kurtosis of a projection."""
    s = X @ (w / np.linalg.norm(w))
    s = (s - np.mean(s)) / np.std(s)
    return np.mean(s**4) - 3
