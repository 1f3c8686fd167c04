"""Chemistry and biology: rates, growth and dynamics."""

from math import exp, log, sqrt

import numpy as np

R = 8.314462618  # J / (mol K), CODATA 2018
F = 96485.33212  # C / mol


def michaelis_menten(theta, S, v):
    """Michaelis and Menten (1913); Cornish-Bowden, Enzyme Kinetics (2012), chapter 2."""
    Vmax, Km = theta
    return np.sum((v - Vmax * S / (Km + S)) ** 2)


def hill(p, dose, response):
    """Hill (1910); the four parameter curve of Gottschalk and Dunn (2005)."""
    predicted = p["bottom"] + (p["top"] - p["bottom"]) / (1 + (p["ec50"] / dose) ** p["n"])
    return np.mean((response - predicted) ** 2)


def logistic_growth(r, K, N0, t, counts):
    """Verhulst (1838); Murray, Mathematical Biology (2002), section 1.1."""
    N = K * N0 * np.exp(r * t) / (K + N0 * (np.exp(r * t) - 1))
    return np.sum((np.log(N) - np.log(counts)) ** 2)


def gompertz(params, t, volume):
    """Gompertz (1825); Laird, Br. J. Cancer 18 (1964)."""
    V0, a, b = np.exp(params)
    return np.linalg.norm(V0 * np.exp(a / b * (1 - np.exp(-b * t))) - volume)


def nernst(c_in, c_out, z, T):
    """Nernst (1889); Hille, Ion Channels (2001), chapter 1."""
    return R * T / (z * F) * log(c_out / c_in)


def goldman(P, c_out, c_in, T=310.0):
    """Goldman (1943); Hodgkin and Katz (1949): K, Na and Cl (which is turned round)."""
    out = P[0] * c_out[0] + P[1] * c_out[1] + P[2] * c_in[2]
    inside = P[0] * c_in[0] + P[1] * c_in[1] + P[2] * c_out[2]
    return R * T / F * np.log(out / inside)


def arrhenius(log_A, Ea, T, k):
    """Arrhenius (1889); Laidler, Chemical Kinetics (1987), chapter 2; Ea in kJ/mol."""
    return np.sum((log_A - 1e3 * Ea / (R * T) - np.log(k)) ** 2)


def eyring(dH, dS, T):
    """Eyring, J. Chem. Phys. 3 (1935): a rate, kB/h = 2.083661912e10."""
    return 2.083661912e10 * T * exp(dS / R) * exp(-dH / (R * T))


def lotka_volterra(p, y0, data, h=0.1):
    """Lotka (1925), Volterra (1926), by the classical Runge-Kutta method, unrolled."""
    a, b, c, d = p

    def rhs(y):
        return np.array([a * y[0] - b * y[0] * y[1], -c * y[1] + d * y[0] * y[1]])

    y = y0
    loss = 0.0
    for row in data:
        k1 = rhs(y)
        k2 = rhs(y + 0.5 * h * k1)
        k3 = rhs(y + 0.5 * h * k2)
        k4 = rhs(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        loss += np.sum((y - row) ** 2)
    return loss


def sir(beta, gamma, S, infected, N, observed):
    """Kermack and McKendrick (1927), by Euler steps of a day."""
    I = infected
    error = 0.0
    for cases in observed:
        new = beta * S * I / N
        S, I = S - new, I + new - gamma * I
        error += (new - cases) ** 2
    return error


def debye_huckel(z, c, log_k):
    """Debye and Hückel (1923); Atkins (2006), chapter 5: log activity, extended."""
    ionic = 0.5 * np.sum(c * z**2)
    return np.sum(-0.509 * z**2 * np.sqrt(ionic) / (1 + np.exp(log_k) * np.sqrt(ionic)))


def langmuir_freundlich(q, K, n, p, loading):
    """Sips, J. Chem. Phys. 16 (1948)."""
    x = np.power(K * p, 1 / n)
    return np.sum(np.square(loading - q * x / (1 + x)))


def van_der_waals(V, T, a, b):
    """Van der Waals (1873); Atkins (2006), chapter 1: pressure and its work."""
    pressure = R * T / (V - b) - a / V**2
    return pressure * V + R * T * log((V - b) / V)


def antoine(coef, T, logp):
    """Antoine (1888); Poling, Prausnitz and O'Connell (2001), eq. 7-3.1."""
    A, B, C = coef
    resid = A - B / (T + C) - logp
    return resid @ resid


def nrtl(tau12, tau21, alpha, x1):
    """Renon and Prausnitz, AIChE J. 14 (1968): excess Gibbs energy over RT."""
    x2 = 1 - x1
    G12, G21 = np.exp(-alpha * tau12), np.exp(-alpha * tau21)
    return np.sum(x1 * x2 * (tau21 * G21 / (x1 + x2 * G21) + tau12 * G12 / (x2 + x1 * G12)))


def gibbs_mixture(n, g0, A):
    """Smith and Missen, Chemical Reaction Equilibrium (1982), chapter 3, with a penalty."""
    total = n.sum()
    mu = g0 + np.log(n / total)
    return n @ mu + 10.0 * np.sum((A @ n - np.array([2.0, 1.0])) ** 2)


def hodgkin_huxley_gates(V):
    """Hodgkin and Huxley, J. Physiol. 117 (1952), eqs. 12-24: steady currents, rest at -65 mV."""
    am = 0.1 * (V + 40) / (1 - np.exp(-(V + 40) / 10))
    bm = 4 * np.exp(-(V + 65) / 18)
    ah = 0.07 * np.exp(-(V + 65) / 20)
    bh = 1 / (1 + np.exp(-(V + 35) / 10))
    an = 0.01 * (V + 55) / (1 - np.exp(-(V + 55) / 10))
    bn = 0.125 * np.exp(-(V + 65) / 80)
    m, h, n = am / (am + bm), ah / (ah + bh), an / (an + bn)
    return np.sum(120 * m**3 * h * (V - 50) + 36 * n**4 * (V + 77) + 0.3 * (V + 54.387))


def compartments(k, dose, t, conc):
    """Gibaldi and Perrier, Pharmacokinetics (1982), chapter 1: first order absorption."""
    ka, ke, V = np.exp(k)
    model = dose * ka / (V * (ka - ke)) * (np.exp(-ke * t) - np.exp(-ka * t))
    return np.sum(np.log(model / conc) ** 2)


def robertson_implicit(k, y, y_old, h):
    """Robertson (1966); Hairer and Wanner, Stiff Problems (1996), eq. IV.1.4: Euler residual."""
    rate = np.array([
        -k[0] * y[0] + k[2] * y[1] * y[2],
        k[0] * y[0] - k[2] * y[1] * y[2] - k[1] * y[1] ** 2,
        k[1] * y[1] ** 2,
    ])  # fmt: skip
    return np.max(np.abs(y - y_old - h * rate))


def tight_binding(t, e, n_el=2):
    """Hückel (1931); Szabo and Ostlund (1996), section 1.1.6: energy of a ring of four sites."""
    H = np.diag(e) - np.diag(t[:3], 1) - np.diag(t[:3], -1)
    H[0, 3] = H[3, 0] = -t[3]
    levels = np.linalg.eigvalsh(H)
    return 2 * np.sum(levels[: n_el // 2])


def felsenstein(lengths, tips):
    """Felsenstein, J. Mol. Evol. 17 (1981), with Jukes-Cantor (1969): three leaves and a root."""
    L = np.ones(4)
    for k in range(3):
        e = np.exp(-4 * lengths[k] / 3)
        P = np.full((4, 4), 0.25 - 0.25 * e)
        for i in range(4):
            P[i, i] = 0.25 + 0.75 * e
        L = L * (P @ tips[k])
    return -np.log(np.sum(0.25 * L))


def rc_relaxation(D, x):
    """Crank, The Mathematics of Diffusion (1975), chapter 1: a length over a distance."""
    return 1 / (1 + D * x) + sqrt(D / x)
