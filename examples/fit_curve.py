"""Fit a damped oscillation to noisy readings: SciPy takes the decorated function as it is."""

import numpy as np
from scipy.optimize import minimize

import gradgen


@gradgen.value_and_grad
def misfit(p, t, y):
    """Mean squared error of p[0] * exp(-p[1] * t) * sin(p[2] * t + p[3])."""
    model = p[0] * np.exp(-p[1] * t) * np.sin(p[2] * t + p[3])
    return np.mean((model - y) ** 2)


TRUTH = np.array([2.0, 0.3, 1.5, 0.4])  # amplitude, damping, frequency, phase
NOISE = 0.05


def fit():
    """Return SciPy's result for 400 readings whose parameters are known."""
    t = np.linspace(0.0, 10.0, 400)
    wave = TRUTH[0] * np.exp(-TRUTH[1] * t) * np.sin(TRUTH[2] * t + TRUTH[3])
    y = wave + NOISE * np.random.default_rng(0).normal(size=t.size)
    return minimize(misfit, np.array([1.0, 0.1, 1.4, 0.0]), args=(t, y), jac=True)


if __name__ == "__main__":
    result = fit()
    print("truth ", TRUTH)
    print("fitted", result.x.round(3), f"after {result.nfev} calls")
    print(f"error  {np.sqrt(result.fun):.4f} (the noise is {NOISE})")
