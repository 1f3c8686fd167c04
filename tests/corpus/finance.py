"""Prices, curves and portfolios."""

import math

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm


def black_scholes_call(S, K, T, r, sigma):
    """Black and Scholes, J. Political Economy 81 (1973), eq. 13."""
    d1 = (math.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * math.sqrt(T))
    d2 = d1 - sigma * math.sqrt(T)
    N = lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2)))  # noqa: E731
    return S * N(d1) - K * math.exp(-r * T) * N(d2)


def smile_error(sigma, S, strikes, T, r, prices):
    """The same for many strikes with the normal distribution of scipy.special."""
    d1 = (np.log(S / strikes) + (r + 0.5 * sigma**2) * T) / (sigma * np.sqrt(T))
    d2 = d1 - sigma * np.sqrt(T)
    calls = S * ndtr(d1) - strikes * np.exp(-r * T) * ndtr(d2)
    return np.sum((calls - prices) ** 2)


def bachelier(F, K, T, vol):
    """Bachelier (1900); Schachermayer and Teichmann (2008)."""
    s = vol * np.sqrt(T)
    d = (F - K) / s
    return np.sum((F - K) * norm.cdf(d) + s * norm.pdf(d))


def nelson_siegel(beta, tau, maturities, yields):
    """Nelson and Siegel, J. Business 60 (1987), eq. 2."""
    x = maturities / tau
    loading = (1 - np.exp(-x)) / x
    fit = beta[0] + beta[1] * loading + beta[2] * (loading - np.exp(-x))
    return np.sum((yields - fit) ** 2)


def svensson_prices(p, cashflows, times, prices):
    """Svensson, IMF working paper 94/114 (1994): bond prices from a curve."""
    b0, b1, b2, b3, t1, t2 = p
    u, v = times / t1, times / t2
    y = b0 + b1 * (1 - np.exp(-u)) / u
    y = y + b2 * ((1 - np.exp(-u)) / u - np.exp(-u))
    y = y + b3 * ((1 - np.exp(-v)) / v - np.exp(-v))
    discount = np.exp(-y * times)
    return np.sum((cashflows @ discount - prices) ** 2)


def sabr(alpha, beta, rho, nu, F, K, T):
    """Hagan et al., Managing smile risk, Wilmott (2002), eq. 2.17a."""
    logFK = math.log(F / K)
    fk = (F * K) ** ((1 - beta) / 2)
    z = nu / alpha * fk * logFK
    x = math.log((math.sqrt(1 - 2 * rho * z + z * z) + z - rho) / (1 - rho))
    a = 1 + (1 - beta) ** 2 / 24 * logFK**2 + (1 - beta) ** 4 / 1920 * logFK**4
    b = (1 - beta) ** 2 / 24 * alpha**2 / fk**2
    b += 0.25 * rho * beta * nu * alpha / fk + (2 - 3 * rho**2) / 24 * nu**2
    return alpha / (fk * a) * (z / x) * (1 + b * T)


def sharpe(w, returns, rf):
    """Sharpe, J. Portfolio Management 21 (1994); weights sum to one."""
    w = w / np.sum(w)
    excess = returns @ w - rf
    return -np.mean(excess) / np.std(excess, ddof=1)


def markowitz(w, mu, Sigma, lam):
    """Markowitz, J. Finance 7 (1952)."""
    return lam * w @ Sigma @ w - mu @ w


def risk_parity(w, Sigma):
    """Maillard, Roncalli and Teiletche, J. Portfolio Management 36 (2010)."""
    m = Sigma @ w
    rc = w * m
    n = len(w)
    total = 0.0
    for i in range(n):
        for j in range(n):
            total += (rc[i] - rc[j]) ** 2
    return total


def vasicek_bond(r0, kappa, theta, sigma, T):
    """Vasicek, J. Financial Economics 5 (1977), eq. 27."""
    B = (1 - np.exp(-kappa * T)) / kappa
    A = (theta - sigma**2 / (2 * kappa**2)) * (B - T) - sigma**2 * B**2 / (4 * kappa)
    return np.exp(A - B * r0)


def heston_qe_variance(kappa, theta, xi, v0, t):
    """Andersen, J. Comp. Finance 11 (2008), eqs. 17 and 18: psi of the variance process."""
    e = math.exp(-kappa * t)
    m = theta + (v0 - theta) * e
    s2 = v0 * xi**2 * e / kappa * (1 - e) + theta * xi**2 / (2 * kappa) * (1 - e) ** 2
    return s2 / m**2


def asian_monte_carlo(S0, sigma, normals, K, r, dt):
    """Glasserman, Monte Carlo Methods in Financial Engineering (2004), section 3.2.2."""
    steps = (r - 0.5 * sigma**2) * dt + sigma * np.sqrt(dt) * normals
    paths = S0 * np.exp(np.cumsum(steps, axis=1))
    payoff = np.maximum(paths.mean(axis=1) - K, 0)
    return np.exp(-r * dt * normals.shape[1]) * np.mean(payoff)


def binomial_american(S, u, K, r, n=4):
    """Cox, Ross and Rubinstein, J. Financial Economics 7 (1979), section 3: a put."""
    d = 1 / u
    p = (np.exp(r) - d) / (u - d)
    spot = S * u ** np.arange(n, -n - 1, -2)
    value = np.maximum(K - spot, 0)
    for _ in range(n):
        value = np.exp(-r) * (p * value[:-1] + (1 - p) * value[1:])
        spot = spot[:-1] * d
        value = np.maximum(value, K - spot)
    return value[0]


def present_value(rate, cashflows):
    """Luenberger, Investment Science (1998), section 2.2, by a loop."""
    total = 0.0
    for t, c in enumerate(cashflows):
        total += c / (1 + rate) ** t
    return total


def cvar(w, t, losses, level):
    """Rockafellar and Uryasev, Optimization of CVaR, J. Risk 2 (2000), eq. 9."""
    tail = losses @ w - t
    return t + np.clip(tail, 0, None).mean() / (1 - level)


def max_drawdown_smooth(w, returns):
    """Chekhlov, Uryasev and Zabarankin (2005): drawdowns of compounded wealth."""
    wealth = np.cumprod(1 + returns @ w)
    peak = np.maximum.accumulate(wealth)
    return np.mean((peak - wealth) / peak)
