"""Fit a model with a dict of parameters: SciPy sees one vector of all numbers in it."""

import numpy as np
from scipy.optimize import least_squares

import gradgen


def residuals(p, t, y):
    """A damped oscillation above a background, a polynomial, less the readings."""
    wave = p["amplitude"] * np.exp(-p["damping"] * t) * np.sin(p["frequency"] * t)
    powers = np.stack([np.ones_like(t), t], axis=1)
    return wave + powers @ p["background"] - y


TRUTH = {"amplitude": 2.0, "damping": 0.3, "frequency": 1.5, "background": np.array([1.0, -0.2])}
START = {"amplitude": 1.0, "damping": 0.1, "frequency": 1.4, "background": np.zeros(2)}
NOISE = 0.05


def fit():
    """Return SciPy's result for 400 readings, and the parameters that it stands for."""
    t = np.linspace(0.0, 10.0, 400)
    y = residuals(TRUTH, t, 0.0) + NOISE * np.random.default_rng(0).normal(size=t.size)
    problem = gradgen.flat(residuals, START, t, y)
    result = least_squares(problem.fun, problem.x0, jac=problem.jac)
    return result, problem.unflatten(result.x)


if __name__ == "__main__":
    result, fitted = fit()
    for name, value in fitted.items():
        print(f"{name:10}", np.round(value, 3), "truth", TRUTH[name])
    print(f"{result.nfev} residuals, {result.njev} Jacobians")
    print(f"error {np.sqrt(np.mean(result.fun**2)):.4f} (the noise is {NOISE})")
