"""The workloads of the speed report, each with the gradient an expert writes by hand.

A yardstick keeps the user's forward statements as they are, so that its value has the same bits;
it may only give a name to a subexpression that the backward pass needs as well. Everything after
the value is free: each is the fastest readable version that was found by measuring.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.append(str(EXAMPLES))
import mnist_by_hand  # noqa: E402
import mnist_mlp  # noqa: E402


@dataclass(frozen=True)
class Workload:
    """A function, how to compile it, its gradient by hand, and arguments to run both on.

    `wrt` is as gradgen takes it: a name asks for a bare gradient, a tuple for a tuple.
    """

    name: str
    function: Callable[..., Any]
    by_hand: Callable[..., Any]
    wrt: str | tuple[str, ...]
    shapes: str
    target: str
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]


# Scalars: pure Python with math


def exp_sin(x):
    a = math.exp(x)
    b = a + a**2
    return math.exp(b) + math.sin(b)


def exp_sin_by_hand(x):
    a = math.exp(x)
    a2 = a**2
    b = a + a2
    e = math.exp(b)
    return e + math.sin(b), (e + math.cos(b)) * (a + 2.0 * a2)


def power_log(x1, x2, a):
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a
    z5 = z1 + z2
    z6 = math.log(z5)
    z7 = z1 + z4 - z6
    return z7


def power_log_by_hand(x1, x2, a):
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


def logistic(w0, w1, w2, x0, x1, x2):
    z = w0 * x0 + w1 * x1 + w2 * x2
    return -math.log(1.0 / (1.0 + math.exp(-z)))


def logistic_by_hand(w0, w1, w2, x0, x1, x2):
    z = w0 * x0 + w1 * x1 + w2 * x2
    s = 1.0 / (1.0 + math.exp(-z))
    d = s - 1.0
    return -math.log(s), (d * x0, d * x1, d * x2, d * w0, d * w1, d * w2)


def regularised(w, b, x, t, lam):
    y = 1.0 / (1.0 + math.exp(-(w * x + b)))
    return 0.5 * (y - t) ** 2 + lam * 0.5 * w**2


def regularised_by_hand(w, b, x, t, lam):
    y = 1.0 / (1.0 + math.exp(-(w * x + b)))
    r = y - t
    d_b = r * y * (1.0 - y)
    return 0.5 * r**2 + lam * 0.5 * w**2, (d_b * x + lam * w, d_b)


def rosenbrock(x, y):
    return (1.0 - x) ** 2 + 100.0 * (y - x**2) ** 2


def rosenbrock_by_hand(x, y):
    u = 1.0 - x
    v = y - x**2
    d_y = 200.0 * v
    return u**2 + 100.0 * v**2, (-2.0 * (u + x * d_y), d_y)


def two_link_arm(q1, q2, l1, l2, tx, ty):
    x = l1 * math.cos(q1) + l2 * math.cos(q1 + q2)
    y = l1 * math.sin(q1) + l2 * math.sin(q1 + q2)
    return (x - tx) ** 2 + (y - ty) ** 2


def two_link_arm_by_hand(q1, q2, l1, l2, tx, ty):
    q = q1 + q2
    x2 = l2 * math.cos(q)
    y2 = l2 * math.sin(q)
    x = l1 * math.cos(q1) + x2
    y = l1 * math.sin(q1) + y2
    dx = x - tx
    dy = y - ty
    # a turn moves the tip at right angles to its distance from the joint
    return dx**2 + dy**2, (2.0 * (dy * x - dx * y), 2.0 * (dy * x2 - dx * y2))


# Arrays: NumPy


def rosenbrock_array(x):
    r = x[1:] - x[:-1] ** 2
    s = 1.0 - x[:-1]
    return np.sum(100.0 * r**2 + s**2)


def rosenbrock_array_by_hand(x):
    r = x[1:] - x[:-1] ** 2
    s = 1.0 - x[:-1]
    value = np.sum(100.0 * r**2 + s**2)
    r *= 200.0
    d_x = np.empty_like(x)
    d_x[-1] = 0.0
    head = d_x[:-1]
    np.multiply(r, x[:-1], head)
    head += s
    head *= -2.0
    d_x[1:] += r
    return value, d_x


def logistic_regression(w, X, y, lam):
    z = y * (X @ w)
    return np.mean(np.log1p(np.exp(-z))) + 0.5 * lam * np.sum(w**2)


def logistic_regression_by_hand(w, X, y, lam):
    z = y * (X @ w)
    e = np.exp(-z)
    value = np.mean(np.log1p(e)) + 0.5 * lam * np.sum(w**2)
    d_z = e / (1.0 + e)
    d_z *= y
    return value, lam * w - (d_z @ X) / y.size


def least_squares(w, X, y):
    r = X @ w - y
    return 0.5 * np.mean(r**2)


def least_squares_by_hand(w, X, y):
    r = X @ w - y
    return 0.5 * np.mean(r**2), (r @ X) / r.size


def chain(x, y, a, b):
    return np.sum(np.tanh(a * x + b) * np.exp(-(x**2)) * np.log1p(y * y))


def chain_by_hand(x, y, a, b):
    t = np.tanh(a * x + b)
    e = np.exp(-(x**2))
    y2 = y * y
    u = t * e
    v = np.log1p(y2)
    w = u * v
    value = np.sum(w)
    # d_x = a * (1 - t**2) * e * v - 2 * x * w, in place
    t *= t
    np.subtract(1.0, t, t)
    t *= e
    t *= v
    t *= a
    w *= x
    w *= 2.0
    t -= w
    # d_y = 2 * y * u / (1 + y**2), in place
    y2 += 1.0
    u *= y
    u *= 2.0
    u /= y2
    return value, (t, u)


def logsumexp(x):
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))


def logsumexp_by_hand(x):
    m = np.max(x)
    e = np.exp(x - m)
    s = np.sum(e)
    e *= 1.0 / s  # the shift by the maximum cancels
    return m + np.log(s), e


def _scalars(*values: float) -> Callable[[np.random.Generator], tuple[float, ...]]:
    return lambda rng: values


def _network(n: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    def arguments(rng: np.random.Generator) -> tuple[Any, ...]:
        W1, b1 = 0.05 * rng.normal(size=(72, 784)), 0.1 * rng.normal(size=72)
        W2, b2 = 0.1 * rng.normal(size=(10, 72)), 0.1 * rng.normal(size=10)
        return W1, b1, W2, b2, rng.random((n, 784)), rng.integers(10, size=n)

    return arguments


def _regression(n: int, d: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda rng: (rng.normal(size=d), rng.normal(size=(n, d)), rng.normal(size=n))


def _classification(n: int, d: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda rng: (
        0.1 * rng.normal(size=d),
        rng.normal(size=(n, d)),
        rng.choice([-1.0, 1.0], size=n),
        0.01,
    )


def _chain(n: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda rng: (rng.normal(size=n), rng.normal(size=n), 1.5, 0.3)


_MLP = (
    mnist_mlp.loss,
    mnist_by_hand.loss_value_and_grad,
    ("W1", "b1", "W2", "b2"),
    "W1=h d, b1=h, W2=k h, b2=k, X=n d, labels=n:int64",
    "numpy",
)
_ROSENBROCK = (rosenbrock_array, rosenbrock_array_by_hand, "x", "x=n", "numpy")
_CHAIN = (chain, chain_by_hand, ("x", "y"), "x=n, y=n, a=scalar, b=scalar", "numpy")

WORKLOADS = (
    Workload("exp/sin", exp_sin, exp_sin_by_hand, "x", "x=scalar", "python", _scalars(0.3)),
    Workload(
        "x1^2 + (x1-x2)^a - log",
        power_log,
        power_log_by_hand,
        ("x1", "x2"),
        "x1=scalar, x2=scalar, a=scalar",
        "python",
        _scalars(2.0, 0.9, 1.7),
    ),
    Workload(
        "logistic, 3 inputs",
        logistic,
        logistic_by_hand,
        ("w0", "w1", "w2", "x0", "x1", "x2"),
        "w0=scalar, w1=scalar, w2=scalar, x0=scalar, x1=scalar, x2=scalar",
        "python",
        _scalars(1.0, 1.0, -1.5, 1.0, 1.1, 0.9),
    ),
    Workload(
        "regularised regression",
        regularised,
        regularised_by_hand,
        ("w", "b"),
        "w=scalar, b=scalar, x=scalar, t=scalar, lam=scalar",
        "python",
        _scalars(0.7, -0.2, 1.3, 0.9, 0.01),
    ),
    Workload(
        "Rosenbrock, 2 inputs",
        rosenbrock,
        rosenbrock_by_hand,
        ("x", "y"),
        "x=scalar, y=scalar",
        "python",
        _scalars(-1.2, 1.1),
    ),
    Workload(
        "two-link arm",
        two_link_arm,
        two_link_arm_by_hand,
        ("q1", "q2"),
        "q1=scalar, q2=scalar, l1=scalar, l2=scalar, tx=scalar, ty=scalar",
        "python",
        _scalars(0.4, 0.9, 1.0, 0.8, 1.2, 0.5),
    ),
    Workload("Rosenbrock, n=1,000", *_ROSENBROCK, lambda rng: (rng.normal(size=1000),)),
    Workload("Rosenbrock, n=100,000", *_ROSENBROCK, lambda rng: (rng.normal(size=100_000),)),
    Workload("MLP 784-72-10, batch 32", *_MLP, _network(32)),
    Workload("MLP 784-72-10, batch 256", *_MLP, _network(256)),
    Workload(
        "logistic regression, 10,000 x 50",
        logistic_regression,
        logistic_regression_by_hand,
        "w",
        "w=d, X=n d, y=n, lam=scalar",
        "numpy",
        _classification(10_000, 50),
    ),
    Workload(
        "least squares, 5,000 x 50",
        least_squares,
        least_squares_by_hand,
        "w",
        "w=d, X=n d, y=n",
        "numpy",
        _regression(5_000, 50),
    ),
    Workload("elementwise chain, n=10^4", *_CHAIN, _chain(10_000)),
    Workload("elementwise chain, n=10^6", *_CHAIN, _chain(1_000_000)),
    Workload(
        "logsumexp, n=10^4",
        logsumexp,
        logsumexp_by_hand,
        "x",
        "x=n",
        "numpy",
        lambda rng: (rng.normal(size=10_000),),
    ),
)
