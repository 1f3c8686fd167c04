"""Workloads of vectors and matrices: Rosenbrock, an elementwise chain, logistic regression."""

import numpy as np

from .workload import Workload

BLOCK = 16384  # numbers of a cache block: a few buffers of 128 kB stay in the second-level cache


def rosenbrock(x):
    r = x[1:] - x[:-1] ** 2
    s = 1.0 - x[:-1]
    return np.sum(100.0 * r**2 + s**2)


def rosenbrock_around(x):
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


def rosenbrock_freehand(x):
    n = x.size - 1
    d_x = np.empty_like(x)
    d_x[0] = 0.0
    value = 0.0
    for i in range(0, n, BLOCK):
        head = x[i : min(i + BLOCK, n)]
        r = head * head
        j = i + r.size + 1
        np.subtract(x[i + 1 : j], r, r)
        s = 1.0 - head
        value += 100.0 * r.dot(r) + s.dot(s)
        r *= 200.0
        d_x[i + 1 : j] = r
        r *= head
        r += s
        r *= 2.0
        d_x[i : j - 1] -= r
    return value, d_x


def chain(x, y, a, b):
    return np.sum(np.tanh(a * x + b) * np.exp(-(x**2)) * np.log1p(y * y))


def chain_around(x, y, a, b):
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


def chain_freehand(x, y, a, b):
    d_x, d_y = np.empty_like(x), np.empty_like(y)
    value = 0.0
    for i in range(0, x.size, BLOCK):
        p, q = x[i : i + BLOCK], y[i : i + BLOCK]
        t, u = d_x[i : i + BLOCK], d_y[i : i + BLOCK]  # the results are the buffers
        np.multiply(p, a, t)
        t += b
        np.tanh(t, t)
        e = p * p
        np.negative(e, e)
        np.exp(e, e)
        np.multiply(t, e, u)
        y2 = q * q
        v = np.log1p(y2)
        value += u.dot(v)
        # d_x = v * (a * (1 - t**2) * e - 2 * x * u)
        t *= t
        np.subtract(1.0, t, t)
        t *= e
        t *= a
        np.multiply(u, p, e)
        e *= 2.0
        t -= e
        t *= v
        # d_y = 2 * y * u / (1 + y**2)
        y2 += 1.0
        u *= q
        u *= 2.0
        u /= y2
    return value, (d_x, d_y)


def logistic_regression(w, X, y, lam):
    z = y * (X @ w)
    return np.mean(np.log1p(np.exp(-z))) + 0.5 * lam * np.sum(w**2)


def logistic_regression_around(w, X, y, lam):
    z = y * (X @ w)
    e = np.exp(-z)
    value = np.mean(np.log1p(e)) + 0.5 * lam * np.sum(w**2)
    np.add(1.0, e, z)
    e /= z
    e *= y
    return value, lam * w - (e @ X) / y.size


def logistic_regression_freehand(w, X, y, lam):
    n = y.size
    value, d_w = 0.0, np.zeros_like(w)
    for i in range(0, n, BLOCK):  # a block of X is read twice from the cache
        A, q = X[i : i + BLOCK], y[i : i + BLOCK]
        e = A.dot(w)
        e *= q
        np.negative(e, e)
        np.exp(e, e)
        t = np.log1p(e)
        value += t.sum()
        np.add(e, 1.0, t)
        e /= t
        e *= q
        d_w -= e.dot(A)
    d_w /= n
    d_w += lam * w
    return value / n + 0.5 * lam * w.dot(w), d_w


def _rosenbrock(n: int) -> Workload:
    return Workload(
        f"Rosenbrock, n={_power(n)}", rosenbrock, rosenbrock_around, rosenbrock_freehand,
        "x", "x=n", lambda rng: (rng.normal(size=n),),
    )  # fmt: skip


def _chain(n: int) -> Workload:
    return Workload(
        f"elementwise chain, n={_power(n)}", chain, chain_around, chain_freehand,
        ("x", "y"), "x=n, y=n, a=scalar, b=scalar",
        lambda rng: (rng.normal(size=n), rng.normal(size=n), 1.5, 0.3),
    )  # fmt: skip


def _power(n: int) -> str:
    return "10" if n == 10 else f"10^{len(str(n)) - 1}"


def _classification(rng: np.random.Generator) -> tuple[object, ...]:
    n, d = 100_000, 50
    return 0.1 * rng.normal(size=d), rng.normal(size=(n, d)), rng.choice([-1.0, 1.0], n), 0.01


WORKLOADS = (
    *(_rosenbrock(10**k) for k in range(1, 7)),
    *(_chain(10**k) for k in range(1, 8)),
    Workload(
        "logistic regression, 100,000 x 50",
        logistic_regression, logistic_regression_around, logistic_regression_freehand,
        "w", "w=d, X=n d, y=n, lam=scalar", _classification,
    ),
)  # fmt: skip
