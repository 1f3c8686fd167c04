"""Negative log likelihoods."""

import math

import numpy as np
from scipy import special
from scipy.special import betaln, digamma, expit, gammaln, log_ndtr, logsumexp, ndtr


def normal(mu, log_sigma, x):
    """Casella and Berger, Statistical Inference (2002), section 7.2."""
    sigma = np.exp(log_sigma)
    z = (x - mu) / sigma
    return 0.5 * np.sum(z**2) + x.size * (log_sigma + 0.5 * np.log(2 * np.pi))


def student_t(beta, log_scale, nu, X, y):
    """Lange, Little and Taylor, JASA 84 (1989): regression with t errors."""
    s = np.exp(log_scale)
    r = (y - X @ beta) / s
    n = len(y)
    const = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi) - log_scale
    return -(n * const - (nu + 1) / 2 * np.sum(np.log1p(r**2 / nu)))


def poisson_regression(beta, X, counts, exposure):
    """McCullagh and Nelder, Generalized Linear Models (1989), chapter 6."""
    eta = X @ beta + np.log(exposure)
    return np.sum(np.exp(eta) - counts * eta + gammaln(counts + 1))


def negative_binomial(params, X, y):
    """Cameron and Trivedi, Regression Analysis of Count Data (2013), section 3.3 (NB2)."""
    mu = np.exp(X @ params["beta"])
    a = np.exp(params["log_alpha"])
    r = 1.0 / a
    ll = gammaln(y + r) - gammaln(r) - gammaln(y + 1)
    ll = ll + r * np.log(r / (r + mu)) + y * np.log(mu / (r + mu))
    return -ll.sum()


def zero_inflated_poisson(beta, gamma, X, y):
    """Lambert, Technometrics 34 (1992), section 2."""
    lam = np.exp(X @ beta)
    logit_p = X @ gamma
    zero = np.logaddexp(logit_p, -lam)
    positive = y * np.log(lam) - lam - gammaln(y + 1)
    return -np.sum(np.where(y == 0, zero, positive) - np.log1p(np.exp(logit_p)))


def gaussian_mixture(theta, x):
    """Bishop, Pattern Recognition and Machine Learning (2006), eq. 9.14."""
    log_w = theta["logits"] - logsumexp(theta["logits"])
    sigma = np.exp(theta["log_sigma"])
    z = (x[:, None] - theta["mu"]) / sigma
    log_p = log_w - np.log(sigma) - 0.5 * np.log(2 * np.pi) - 0.5 * z**2
    return -np.sum(logsumexp(log_p, axis=1))


def mixture_full_covariance(logits, means, factors, X):
    """Murphy, Machine Learning (2012), section 11.2.1; covariances by their factors."""
    n, d = X.shape  # noqa: RUF059
    parts = []
    for k in range(len(logits)):
        S = factors[k] @ factors[k].T + 0.1 * np.eye(d)
        diff = X - means[k]
        maha = np.sum(diff * np.linalg.solve(S, diff.T).T, axis=1)
        _, logdet = np.linalg.slogdet(S)
        parts.append(logits[k] - 0.5 * (maha + logdet + d * np.log(2 * np.pi)))
    total = logsumexp(np.stack(parts), axis=0) - logsumexp(logits)
    return -np.mean(total)


def weibull_censored(log_shape, beta, X, t, event):
    """Kalbfleisch and Prentice, Failure Time Data (2002), section 3.2; right censoring."""
    k = np.exp(log_shape)
    log_scale = X @ beta
    z = k * (np.log(t) - log_scale)
    hazard = np.log(k) - np.log(t) + z
    return -np.sum(event * hazard - np.exp(z))


def von_mises(mu, kappa, angles):
    """Mardia and Jupp, Directional Statistics (2000), eq. 3.5.17."""
    n = angles.size
    return n * np.log(2 * np.pi * special.i0(kappa)) - kappa * np.sum(np.cos(angles - mu))


def von_mises_numpy(mu, kappa, angles):
    """The same with NumPy's own Bessel function."""
    return -np.sum(kappa * np.cos(angles - mu)) + len(angles) * np.log(2 * np.pi * np.i0(kappa))


def beta_regression(beta, phi, X, y):
    """Ferrari and Cribari-Neto, J. Appl. Stat. 31 (2004), eq. 4."""
    mu = expit(X @ beta)
    a, b = mu * phi, (1 - mu) * phi
    return -np.sum((a - 1) * np.log(y) + (b - 1) * np.log1p(-y) - betaln(a, b))


def dirichlet(log_alpha, P):
    """Minka, Estimating a Dirichlet distribution (2000), eq. 4; rows of P sum to 1."""
    alpha = np.exp(log_alpha)
    n = P.shape[0]
    mean_log = np.mean(np.log(P), axis=0)
    return -n * (gammaln(alpha.sum()) - gammaln(alpha).sum() + ((alpha - 1) * mean_log).sum())


def gamma_entropy_bound(a, b, x):
    """Gamma density plus its entropy; Johnson, Kotz and Balakrishnan, vol. 1 (1994), ch. 17."""
    log_p = a * np.log(b) - gammaln(a) + (a - 1) * np.log(x) - b * x
    entropy = a - np.log(b) + gammaln(a) + (1 - a) * digamma(a)
    return -np.sum(log_p) + entropy


def cox_breslow(beta, X, event):
    """Cox, JRSS B 34 (1972), eq. 12; rows sorted by time, the longest first."""
    eta = X @ beta
    risk = np.log(np.cumsum(np.exp(eta)))
    return -np.sum((eta - risk)[event == 1])


def cox_by_loops(beta, X, time, event):
    """The same by risk sets: Kalbfleisch and Prentice (2002), section 4.2."""
    eta = np.dot(X, beta)
    total = 0.0
    for i in range(len(eta)):
        at_risk = np.where(time >= time[i], np.exp(eta), 0.0)
        total += event[i] * (eta[i] - np.log(np.sum(at_risk)))
    return -total


def garch(params, returns):
    """Bollerslev, J. Econometrics 31 (1986): GARCH(1,1), started at the sample variance."""
    omega, alpha, beta = params
    h = np.var(returns)
    nll = 0.0
    for r in returns:
        nll += 0.5 * (np.log(2 * np.pi) + np.log(h) + r**2 / h)
        h = omega + alpha * r**2 + beta * h
    return nll


def local_level_kalman(log_q, log_r, y):
    """Durbin and Koopman, Time Series Analysis by State Space Methods (2012), section 2.2."""
    q, r = math.exp(log_q), math.exp(log_r)
    a, P = y[0], r + q
    loglik = 0.0
    for t in range(1, len(y)):
        F = P + r
        v = y[t] - a
        K = P / F
        loglik -= 0.5 * (math.log(2 * math.pi * F) + v * v / F)
        a = a + K * v
        P = P * (1 - K) + q
    return -loglik


def kalman(A, log_q, log_r, H, Y):
    """Kalman, J. Basic Eng. 82 (1960); likelihood by the innovations (Schweppe 1965)."""
    n = A.shape[0]
    Q = np.exp(log_q) * np.eye(n)
    R = np.diag(np.exp(log_r))
    m = np.zeros(n)
    P = np.eye(n)
    nll = 0.0
    for y in Y:
        m = A @ m
        P = A @ P @ A.T + Q
        S = H @ P @ H.T + R
        v = y - H @ m
        K = P @ H.T @ np.linalg.inv(S)
        m = m + K @ v
        P = (np.eye(n) - K @ H) @ P
        nll += 0.5 * (
            v @ np.linalg.solve(S, v) + np.log(np.linalg.det(S)) + len(v) * np.log(2 * np.pi)
        )
    return nll


def hmm_forward(log_pi, log_A, means, obs):
    """Rabiner, Proc. IEEE 77 (1989), eqs. 19-21, in logarithms; unit variance emissions."""
    log_pi = log_pi - logsumexp(log_pi)
    log_A = log_A - logsumexp(log_A, axis=1, keepdims=True)
    log_b = -0.5 * (obs[:, None] - means[None, :]) ** 2 - 0.5 * np.log(2 * np.pi)
    alpha = log_pi + log_b[0]
    for t in range(1, obs.shape[0]):
        alpha = logsumexp(alpha[:, None] + log_A, axis=0) + log_b[t]
    return -logsumexp(alpha)


def hmm_scaled(A, B, pi, obs):
    """Rabiner (1989), section V.A: the scaled recursion on a table of emissions."""
    alpha = pi * B[:, obs[0]]
    c = alpha.sum()
    log_likelihood = np.log(c)
    alpha /= c
    for o in obs[1:]:
        alpha = (alpha @ A) * B[:, o]
        c = alpha.sum()
        log_likelihood += np.log(c)
        alpha /= c
    return -log_likelihood


def logistic_regression(w, X, y, C):
    """Hastie, Tibshirani and Friedman, Elements of Statistical Learning (2009), eq. 4.20."""
    z = X @ w[:-1] + w[-1]
    return np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 / C * np.sum(w[:-1] ** 2)


def ordinal_logit(beta, cuts, X, y):
    """McCullagh, Regression models for ordinal data, JRSS B 42 (1980), section 2."""
    theta = np.cumsum(np.concatenate([cuts[:1], np.exp(cuts[1:])]))
    eta = X @ beta
    upper = np.concatenate([expit(theta[None, :] - eta[:, None]), np.ones((len(eta), 1))], axis=1)
    lower = np.hstack([np.zeros((len(eta), 1)), upper[:, :-1]])
    rows = np.arange(len(y))
    return -np.sum(np.log((upper - lower)[rows, y]))


def probit(beta, X, y):
    """Bliss (1935); Greene, Econometric Analysis (2012), section 17.3."""
    sign = 2 * y - 1
    return -np.sum(log_ndtr(sign * (X @ beta)))


def tobit(params, X, y):
    """Tobin, Econometrica 26 (1958); Amemiya, J. Econometrics 24 (1984), section 2."""
    beta, sigma = params[:-1], np.exp(params[-1])
    z = (y - X @ beta) / sigma
    censored = y <= 0
    log_pdf = -0.5 * z[~censored] ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    log_cdf = np.log(ndtr(z[censored]))
    return -(log_pdf.sum() + log_cdf.sum())


def skew_normal(xi, log_omega, alpha, x):
    """Azzalini, Scand. J. Stat. 12 (1985), eq. 1."""
    z = (x - xi) / np.exp(log_omega)
    logpdf = np.log(2) - log_omega - 0.5 * z * z - 0.5 * np.log(2 * np.pi) + log_ndtr(alpha * z)
    return -np.sum(logpdf)


def gev(mu, log_sigma, xi, x):
    """Coles, Statistical Modeling of Extreme Values (2001), eq. 3.7."""
    t = 1 + xi * (x - mu) / np.exp(log_sigma)
    return np.sum(log_sigma + (1 + 1 / xi) * np.log(t) + t ** (-1 / xi))


def bradley_terry(skill, winners, losers):
    """Bradley and Terry, Biometrika 39 (1952)."""
    return np.log1p(np.exp(-(skill[winners] - skill[losers]))).sum()


def multivariate_normal(mu, tril, X):
    """Mardia, Kent and Bibby, Multivariate Analysis (1979), eq. 2.5.1, by a Cholesky factor."""
    d = X.shape[1]
    L = np.zeros((d, d))
    k = 0
    for i in range(d):
        for j in range(i + 1):
            L[i, j] = np.exp(tril[k]) if i == j else tril[k]
            k += 1
    Z = np.linalg.solve(L, (X - mu).T)
    return 0.5 * np.sum(Z**2) + len(X) * (np.log(np.diag(L)).sum() + 0.5 * d * np.log(2 * np.pi))


def random_intercept(beta, log_sigma, log_tau, groups):
    """Laird and Ware, Biometrics 38 (1982): a random intercept; `groups` is a list of (X, y)."""
    s2, t2 = np.exp(2 * log_sigma), np.exp(2 * log_tau)
    total = 0.0
    for X, y in groups:
        V = s2 * np.eye(len(y)) + t2 * np.ones((len(y), len(y)))
        r = y - X @ beta
        sign, logdet = np.linalg.slogdet(V)  # noqa: RUF059
        total += 0.5 * (logdet + r @ np.linalg.inv(V) @ r)
    return total


def wishart(tril, S, nu):
    """Anderson, Multivariate Statistical Analysis (2003), theorem 7.2.2, up to a constant."""
    L = np.tril(tril)
    V = L @ L.T
    _, logdet = np.linalg.slogdet(V)
    return 0.5 * nu * logdet + 0.5 * np.trace(np.linalg.inv(V) @ S)
