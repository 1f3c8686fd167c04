"""Residuals of problems of NIST's Statistical Reference Datasets (nonlinear regression).

Each model stands in the file of its problem in nist/, with the parameters in the same order.
BoxBOD has the model of Misra1a, and Hahn1 that of Thurber.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


def misra1a(b: Float[np.ndarray, "2"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return b[0] * (1 - np.exp(-b[1] * x)) - y


def danwood(b: Float[np.ndarray, "2"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return b[0] * x ** b[1] - y


def chwirut2(b: Float[np.ndarray, "3"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return np.exp(-b[0] * x) / (b[1] + b[2] * x) - y


def mgh10(b: Float[np.ndarray, "3"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return b[0] * np.exp(b[1] / (x + b[2])) - y


def eckerle4(b: Float[np.ndarray, "3"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return b[0] / b[1] * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2) - y


def bennett5(b: Float[np.ndarray, "3"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return b[0] * (b[1] + x) ** (-1 / b[2]) - y


def mgh09(b: Float[np.ndarray, "4"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]) - y


def rat43(b: Float[np.ndarray, "4"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return b[0] / (1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3]) - y


def lanczos3(b: Float[np.ndarray, "6"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x) - y


def thurber(b: Float[np.ndarray, "7"], x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]):
    above = b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3
    below = 1 + b[4] * x + b[5] * x**2 + b[6] * x**3
    return above / below - y
