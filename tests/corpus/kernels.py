"""Kernels, and what is computed from them."""

import numpy as np


def sqdist(A, B):
    return np.sum((A[:, None, :] - B[None, :, :]) ** 2, axis=-1)


# Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), algorithm 2.1.
def log_marginal(K, y, noise):
    L = np.linalg.cholesky(K + noise**2 * np.eye(len(y)))
    alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
    return -0.5 * y @ alpha - np.sum(np.log(np.diag(L))) - 0.5 * len(y) * np.log(2 * np.pi)


def gp_rbf(theta, X, y):
    """Rasmussen and Williams (2006), eqs. 2.30 and 2.31."""
    amplitude, scale, noise = np.exp(theta[0]), np.exp(theta[1]), np.exp(theta[2])
    K = amplitude**2 * np.exp(-0.5 * sqdist(X, X) / scale**2)
    return -log_marginal(K, y, noise)


def gp_ard_slogdet(log_scales, log_noise, X, y):
    """Rasmussen and Williams (2006), eq. 5.8 with a length scale for each input (eq. 5.2)."""
    Z = X / np.exp(log_scales)
    sq = np.sum(Z**2, 1)
    D2 = sq[:, None] + sq[None, :] - 2 * Z @ Z.T
    Ky = np.exp(-0.5 * D2) + np.exp(log_noise) * np.eye(X.shape[0])
    sign, logdet = np.linalg.slogdet(Ky)  # noqa: RUF059
    return 0.5 * y.dot(np.linalg.solve(Ky, y)) + 0.5 * logdet + 0.5 * len(y) * np.log(2 * np.pi)


def gp_assembled(ell, sf, x, y):
    """Rasmussen and Williams (2006), eq. 2.30 with the matrix filled entry by entry."""
    n = len(x)
    K = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            K[i, j] = sf**2 * np.exp(-((x[i] - x[j]) ** 2) / (2 * ell**2))
        K[i, i] += 0.1
    return 0.5 * y @ np.linalg.inv(K) @ y + 0.5 * np.log(np.linalg.det(K))


def matern32(ell, x1, x2, w):
    """Rasmussen and Williams (2006), eq. 4.17; a quadratic form of the matrix."""
    r = np.abs(x1[:, None] - x2[None, :])
    s = np.sqrt(3.0) * r / ell
    K = (1 + s) * np.exp(-s)
    return w @ K @ w


def matern52_points(X, ell, w):
    """Rasmussen and Williams (2006), eq. 4.17, by the points; distances off the diagonal."""
    total = 0.0
    for i in range(len(X)):
        for j in range(i):
            r = np.linalg.norm(X[i] - X[j])
            a = np.sqrt(5.0) * r / ell
            total = total + w[i] * w[j] * (1 + a + a**2 / 3) * np.exp(-a)
    return total


def rational_quadratic(params, X, y):
    """Rasmussen and Williams (2006), eq. 4.19; leave-one-out residuals by eq. 5.12."""
    alpha, ell = params["alpha"], params["ell"]
    K = (1 + sqdist(X, X) / (2 * alpha * ell**2)) ** (-alpha) + 0.05 * np.eye(len(X))
    Kinv = np.linalg.inv(K)
    residual = (Kinv @ y) / np.diag(Kinv)
    return np.mean(residual**2)


def periodic(ell, period, x, y):
    """MacKay, Introduction to Gaussian processes (1998); Rasmussen and Williams, eq. 4.31."""
    arg = np.pi * np.subtract.outer(x, x) / period
    K = np.exp(-2 * np.sin(arg) ** 2 / ell**2)
    return -log_marginal(K, y, 0.3)


def spectral_mixture(w, mu, v, x, y):
    """Wilson and Adams, Gaussian process kernels for pattern discovery, ICML (2013), eq. 12."""
    tau = x[:, None] - x[None, :]
    K = 0.2 * np.eye(len(x))
    for q in range(w.shape[0]):
        K += w[q] * np.exp(-2 * np.pi**2 * tau**2 * v[q]) * np.cos(2 * np.pi * tau * mu[q])
    return 0.5 * y @ np.linalg.solve(K, y) + 0.5 * np.linalg.slogdet(K)[1]


def arc_cosine(A, B):
    """Cho and Saul, Kernel methods for deep learning, NIPS (2009), section 2.1, degree one."""
    norms = np.outer(np.linalg.norm(A, axis=1), np.linalg.norm(B, axis=1))
    cos = np.clip(A @ B.T / norms, -1.0, 1.0)
    angle = np.arccos(cos)
    return np.sum(norms * (np.sin(angle) + (np.pi - angle) * cos)) / np.pi


def mmd2(X, Y, gamma):
    """Gretton et al., A kernel two-sample test, JMLR 13 (2012), eq. 3: the unbiased estimate."""
    m, n = len(X), len(Y)

    def k(A, B):
        return np.exp(-gamma * sqdist(A, B))

    Kxx, Kyy, Kxy = k(X, X), k(Y, Y), k(X, Y)
    within = (Kxx.sum() - np.trace(Kxx)) / (m * (m - 1)) + (Kyy.sum() - np.trace(Kyy)) / (
        n * (n - 1)
    )
    return within - 2 * Kxy.mean()


def hsic(X, Y, sigma):
    """Gretton et al., Measuring statistical dependence, ALT (2005), definition 2."""
    n = X.shape[0]
    H = np.eye(n) - np.ones((n, n)) / n
    K = np.exp(-sqdist(X, X) / (2 * sigma**2))
    L = Y @ Y.T
    return np.trace(K @ H @ L @ H) / (n - 1) ** 2


def sparse_gp_bound(Z, ell, X, y):
    """Titsias, Variational learning of inducing variables, AISTATS (2009), eq. 9."""
    n, s2 = len(X), 0.1
    Kuu = np.exp(-0.5 * sqdist(Z, Z) / ell**2) + 1e-3 * np.eye(len(Z))
    Kuf = np.exp(-0.5 * sqdist(Z, X) / ell**2)
    Qff = Kuf.T @ np.linalg.solve(Kuu, Kuf)
    S = Qff + s2 * np.eye(n)
    fit = 0.5 * y @ np.linalg.solve(S, y) + 0.5 * np.linalg.slogdet(S)[1]
    return fit + 0.5 / s2 * (n - np.trace(Qff)) + 0.5 * n * np.log(2 * np.pi)


def kernel_alignment(log_gamma, X, y):
    """Cristianini et al., On kernel-target alignment, NIPS (2002), definition 1."""
    K = np.exp(-np.exp(log_gamma) * sqdist(X, X))
    target = np.outer(y, y)
    return np.sum(K * target) / np.sqrt(np.sum(K * K) * np.sum(target * target))
