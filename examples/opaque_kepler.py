"""Fit an orbit through Kepler's equation, which is solved by an iteration that nobody reads.

`E - e sin E = M` (Danby, Fundamentals of Celestial Mechanics, 1988, chapter 6) has the derivatives
`dE/dM = 1 / (1 - e cos E)` and `dE/de = sin E / (1 - e cos E)` by the implicit function theorem.
"""

import numpy as np
from scipy.optimize import least_squares

import gradgen

TRUTH = np.array([1.5, 0.6, 0.8, 0.25])  # half the axis, eccentricity, mean motion, phase


def anomaly_vjp(g, out, M, e):
    d_M = g / (1.0 - e * np.cos(out))
    return d_M, np.sum(d_M * np.sin(out))


@gradgen.custom_rule(vjp=anomaly_vjp, result=lambda M, e: M)
def anomaly(M, e):
    """The eccentric anomalies to mean anomalies, by Newton's method."""
    E, step = M + e * np.sin(M), np.inf
    while np.max(np.abs(step)) > 1e-14:
        step = (E - e * np.sin(E) - M) / (1.0 - e * np.cos(E))
        E = E - step
    return E


def distance(orbit, t):
    """How far a body is from the focus of its orbit at times t."""
    a, e, n, phase = orbit
    return a * (1.0 - e * np.cos(anomaly(n * t + phase, e)))


def residuals(orbit, t, r):
    return distance(orbit, t) - r


def fit(t, r, start=(1.0, 0.3, 0.7, 0.0)):
    """Return the orbit that gives distances r at times t, and the Jacobian that was emitted."""
    jacobian = gradgen.jacobian(residuals, like=(TRUTH, t, r))
    return least_squares(residuals, start, jac=jacobian, args=(t, r)).x, jacobian


if __name__ == "__main__":
    t = np.linspace(0.0, 12.0, 40)
    orbit, jacobian = fit(t, distance(TRUTH, t))
    print(jacobian.source)
    print("truth ", TRUTH)
    print("fitted", orbit.round(12))
