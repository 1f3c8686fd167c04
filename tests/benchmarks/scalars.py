"""Workloads of numbers: the examples of the lectures, and a few of their size."""

import math
from collections.abc import Callable
from math import cos, exp, log, sin

import numpy as np

from .workload import Workload


def exp_sin(x):
    a = math.exp(x)
    b = a + a**2
    return math.exp(b) + math.sin(b)


def exp_sin_around(x):
    a = math.exp(x)
    a2 = a**2
    b = a + a2
    e = math.exp(b)
    return e + math.sin(b), (e + math.cos(b)) * (a + 2.0 * a2)


def exp_sin_freehand(x):
    a = exp(x)
    a2 = a * a
    b = a + a2
    e = exp(b)
    return e + sin(b), (e + cos(b)) * (b + a2)


def exp_sin_numpy(x):
    a = np.exp(x)
    b = a + a**2
    return np.exp(b) + np.sin(b)


def exp_sin_numpy_around(x):
    a = np.exp(x)
    a2 = a**2
    b = a + a2
    e = np.exp(b)
    return e + np.sin(b), (e + np.cos(b)) * (a + 2.0 * a2)


def exp_sin_numpy_freehand(x):
    # NumPy's functions stay: those of math raise where these give inf
    a = np.exp(x)
    a2 = a * a
    b = a + a2
    e = np.exp(b)
    return e + np.sin(b), (e + np.cos(b)) * (b + a2)


def power_log(x1, x2, a):
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a
    z5 = z1 + z2
    z6 = math.log(z5)
    z7 = z1 + z4 - z6
    return z7


def power_log_around(x1, x2, a):
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a
    z5 = z1 + z2
    z6 = math.log(z5)
    z7 = z1 + z4 - z6
    d_z3 = a * z3 ** (a - 1.0)
    r = 2.0 / z5
    return z7, (x1 * (2.0 - r) + d_z3, -x2 * r - d_z3)


def power_log_freehand(x1, x2, a):
    z1 = x1 * x1
    z3 = x1 - x2
    z5 = z1 + x2 * x2
    d_z3 = a * z3 ** (a - 1.0)  # not a * z4 / z3, which is NaN at 0
    r = 2.0 / z5
    return z1 + z3**a - log(z5), (x1 * (2.0 - r) + d_z3, -x2 * r - d_z3)


def power_log_numpy(x1, x2, a):
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a
    z5 = z1 + z2
    z6 = np.log(z5)
    z7 = z1 + z4 - z6
    return z7


def power_log_numpy_around(x1, x2, a):
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a
    z5 = z1 + z2
    z6 = np.log(z5)
    z7 = z1 + z4 - z6
    d_z3 = a * z3 ** (a - 1.0)
    r = 2.0 / z5
    return z7, (x1 * (2.0 - r) + d_z3, -x2 * r - d_z3)


def power_log_numpy_freehand(x1, x2, a):
    z1 = x1 * x1
    z3 = x1 - x2
    z5 = z1 + x2 * x2
    d_z3 = a * z3 ** (a - 1.0)
    r = 2.0 / z5
    return z1 + z3**a - np.log(z5), (x1 * (2.0 - r) + d_z3, -x2 * r - d_z3)


def logistic(w0, w1, w2, x0, x1, x2):
    z = w0 * x0 + w1 * x1 + w2 * x2
    return -math.log(1.0 / (1.0 + math.exp(-z)))


def logistic_around(w0, w1, w2, x0, x1, x2):
    z = w0 * x0 + w1 * x1 + w2 * x2
    s = 1.0 / (1.0 + math.exp(-z))
    d = s - 1.0
    return -math.log(s), (d * x0, d * x1, d * x2, d * w0, d * w1, d * w2)


def logistic_freehand(w0, w1, w2, x0, x1, x2):
    s = 1.0 / (1.0 + exp(-(w0 * x0 + w1 * x1 + w2 * x2)))
    d = s - 1.0
    return -log(s), (d * x0, d * x1, d * x2, d * w0, d * w1, d * w2)


def rosenbrock(x, y):
    return (1.0 - x) ** 2 + 100.0 * (y - x**2) ** 2


def rosenbrock_around(x, y):
    u = 1.0 - x
    v = y - x**2
    d_y = 200.0 * v
    return u**2 + 100.0 * v**2, (-2.0 * (u + x * d_y), d_y)


def rosenbrock_freehand(x, y):
    u = 1.0 - x
    v = y - x * x
    d_y = 200.0 * v
    return u * u + 100.0 * v * v, (-2.0 * (u + x * d_y), d_y)


def two_link_arm(q1, q2, l1, l2, tx, ty):
    x = l1 * math.cos(q1) + l2 * math.cos(q1 + q2)
    y = l1 * math.sin(q1) + l2 * math.sin(q1 + q2)
    return (x - tx) ** 2 + (y - ty) ** 2


def two_link_arm_around(q1, q2, l1, l2, tx, ty):
    q = q1 + q2
    x2 = l2 * math.cos(q)
    y2 = l2 * math.sin(q)
    x = l1 * math.cos(q1) + x2
    y = l1 * math.sin(q1) + y2
    dx = x - tx
    dy = y - ty
    # a turn moves the tip at right angles to its distance from the joint
    return dx**2 + dy**2, (2.0 * (dy * x - dx * y), 2.0 * (dy * x2 - dx * y2))


def two_link_arm_freehand(q1, q2, l1, l2, tx, ty):
    q = q1 + q2
    x2 = l2 * cos(q)
    y2 = l2 * sin(q)
    x = l1 * cos(q1) + x2
    y = l1 * sin(q1) + y2
    dx = x - tx
    dy = y - ty
    return dx * dx + dy * dy, (2.0 * (dy * x - dx * y), 2.0 * (dy * x2 - dx * y2))


def _at(*values: float) -> Callable[[np.random.Generator], tuple[float, ...]]:
    return lambda rng: values


def _numbers(*names: str) -> str:
    return ", ".join(f"{name}=scalar" for name in names)


_LOGISTIC = ("w0", "w1", "w2", "x0", "x1", "x2")
_ARM = ("q1", "q2", "l1", "l2", "tx", "ty")
_POWER = (("x1", "x2"), _numbers("x1", "x2", "a"), _at(2.0, 0.9, 1.7))

WORKLOADS = (
    Workload(
        "exp/sin, math", exp_sin, exp_sin_around, exp_sin_freehand,
        "x", "x=scalar", _at(0.3), target="python",
    ),
    Workload(
        "exp/sin, NumPy", exp_sin_numpy, exp_sin_numpy_around, exp_sin_numpy_freehand,
        "x", "x=scalar", _at(0.3),
    ),
    Workload(
        "x1^2 + (x1-x2)^a - log, math", power_log, power_log_around, power_log_freehand,
        *_POWER, target="python",
    ),
    Workload(
        "x1^2 + (x1-x2)^a - log, NumPy",
        power_log_numpy, power_log_numpy_around, power_log_numpy_freehand, *_POWER,
    ),
    Workload(
        "logistic loss, math", logistic, logistic_around, logistic_freehand,
        _LOGISTIC, _numbers(*_LOGISTIC), _at(1.0, 1.0, -1.5, 1.0, 1.1, 0.9), target="python",
    ),
    Workload(
        "Rosenbrock of 2, math", rosenbrock, rosenbrock_around, rosenbrock_freehand,
        ("x", "y"), _numbers("x", "y"), _at(-1.2, 1.1), target="python",
    ),
    Workload(
        "two-link arm, math", two_link_arm, two_link_arm_around, two_link_arm_freehand,
        ("q1", "q2"), _numbers(*_ARM), _at(0.4, 0.9, 1.0, 0.8, 1.2, 0.5), target="python",
    ),
)  # fmt: skip
