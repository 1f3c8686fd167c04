"""Nonlinear regressions of the NIST Statistical Reference Datasets.

Each is the residual sum of squares; the rows of the table hold data, certified parameters and
certified sums (https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml).
"""

import numpy as np

MISRA_X = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8,
                    593.1, 689.1, 760.0])  # fmt: skip
MISRA_Y = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01,
                    66.40, 75.47, 81.78])  # fmt: skip


def misra1a(b):
    """StRD Misra1a: 1.2455138894e-01 at (238.94212918, 5.5015643181e-4)."""
    return np.sum((MISRA_Y - b[0] * (1 - np.exp(-b[1] * MISRA_X))) ** 2)


def misra1b(b1, b2):
    """StRD Misra1b: 7.5464681533e-02 at (337.99746163, 3.9039091287e-4)."""
    return np.sum((MISRA_Y - b1 * (1 - (1 + b2 * MISRA_X / 2) ** (-2))) ** 2)


def misra1d(b):
    """StRD Misra1d: 5.6419295283e-02 at (437.36970754, 3.0227324449e-4)."""
    z = b[1] * MISRA_X
    r = MISRA_Y - b[0] * z / (1 + z)
    return r @ r


MGH09_Y = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235,
                    0.0246])  # fmt: skip
MGH09_X = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])


def mgh09(b):
    """StRD MGH09 (Kowalik and Osborne 1978): 3.0750560385e-04."""
    b1, b2, b3, b4 = b
    model = b1 * (MGH09_X**2 + MGH09_X * b2) / (MGH09_X**2 + MGH09_X * b3 + b4)
    return np.sum((MGH09_Y - model) ** 2)


THURBER_Y = np.array([
    80.574, 84.248, 87.264, 87.195, 89.076, 89.608, 89.868, 90.101, 92.405, 95.854, 100.696,
    101.060, 401.672, 390.724, 567.534, 635.316, 733.054, 759.087, 894.206, 990.785, 1090.109,
    1080.914, 1122.643, 1178.351, 1260.531, 1273.514, 1288.339, 1327.543, 1353.863, 1414.509,
    1425.208, 1421.384, 1442.962, 1464.350, 1468.705, 1447.894, 1457.628,
])  # fmt: skip
THURBER_X = np.array([
    -3.067, -2.981, -2.921, -2.912, -2.840, -2.797, -2.702, -2.699, -2.633, -2.481, -2.363, -2.322,
    -1.501, -1.460, -1.274, -1.212, -1.100, -1.046, -0.915, -0.714, -0.566, -0.545, -0.400, -0.309,
    -0.109, -0.103, 0.010, 0.119, 0.377, 0.790, 0.963, 1.006, 1.115, 1.572, 1.841, 2.047, 2.200,
])  # fmt: skip


def thurber(b):
    """StRD Thurber (1979): 5.6427082397e+03."""
    x = THURBER_X
    num = b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3
    den = 1 + b[4] * x + b[5] * x**2 + b[6] * x**3
    return ((THURBER_Y - num / den) ** 2).sum()


BOXBOD = (np.array([1.0, 2.0, 3.0, 5.0, 7.0, 10.0]), np.array([109.0, 149, 149, 191, 213, 224]))


def boxbod(b):
    """StRD BoxBOD (1978): 1.1680088766e+03 at (213.80940889, 0.54723748542)."""
    x, y = BOXBOD
    res = y - b[0] * (1 - np.exp(-b[1] * x))
    return np.linalg.norm(res) ** 2


RAT42_X = np.array([9.0, 14, 21, 28, 42, 57, 63, 70, 79])
RAT42_Y = np.array([8.930, 10.80, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08])


def rat42(b):
    """StRD Rat42 (Ratkowsky 1983): 8.0565229338."""
    return np.sum(np.square(RAT42_Y - b[0] / (1 + np.exp(b[1] - b[2] * RAT42_X))))


def eckerle4(b, x, y):
    """StRD Eckerle4 (1979), the model: a Gaussian peak."""
    return np.sum((y - b[0] / b[1] * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2)) ** 2)


def gauss_peaks(b, x, y):
    """StRD Gauss1 (Rust 1996), the model: an exponential and two peaks."""
    f = b[0] * np.exp(-b[1] * x)
    for k in (2, 5):
        f = f + b[k] * np.exp(-((x - b[k + 1]) ** 2) / b[k + 2] ** 2)
    return np.sum((y - f) ** 2)


def lanczos(b, x, y):
    """StRD Lanczos3 (1956), the model: three exponentials."""
    amplitude, rate = b[::2], b[1::2]
    return np.sum((y - np.exp(-np.outer(x, rate)) @ amplitude) ** 2)


def bennett5(b, x, y):
    """StRD Bennett5 (1994), the model."""
    return np.sum((y - b[0] * (b[1] + x) ** (-1 / b[2])) ** 2)


def polynomial(coef, x, y):
    """StRD Wampler1 (1970), the model: a polynomial by Horner's rule."""
    p = 0.0
    for c in coef[::-1]:
        p = p * x + c
    return np.mean((y - p) ** 2)
