"""Workloads of networks and mixtures: a perceptron, an unrolled LSTM, a Gaussian mixture."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .workload import Workload

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
import mnist_mlp


def perceptron_around(W1, b1, W2, b2, X, labels):
    n = X.shape[0]
    rows = np.arange(n)
    H = np.tanh(X @ W1.T + b1)
    F = H @ W2.T + b2
    F = F - np.max(F, axis=1, keepdims=True)
    E = np.exp(F)
    Z = np.sum(E, axis=1)
    value = np.mean(np.log(Z) - F[rows, labels])
    Z *= n
    E /= Z[:, np.newaxis]  # softmax / n; the shift by the maximum cancels
    E[rows, labels] -= 1.0 / n
    d_A = E @ W2
    d_W2 = np.dot(E.T, H)
    H *= H
    np.subtract(1.0, H, H)
    d_A *= H
    return value, (np.dot(d_A.T, X), d_A.sum(axis=0), d_W2, E.sum(axis=0))


def perceptron_freehand(W1, b1, W2, b2, X, labels):
    # one column an image: what is summed over the classes lies in rows, which NumPy adds fast
    n = X.shape[0]
    columns = np.arange(n)
    H = np.dot(W1, X.T)
    H += b1[:, None]
    np.tanh(H, H)
    F = np.dot(W2, H)
    F += b2[:, None]
    F -= np.maximum.reduce(F, 0)
    picked = F[labels, columns].sum()
    np.exp(F, F)
    Z = np.add.reduce(F, 0)
    value = (np.log(Z).sum() - picked) / n
    Z *= n
    F /= Z
    F[labels, columns] -= 1.0 / n
    d_A = np.dot(W2.T, F)
    d_W2 = np.dot(F, H.T)
    H *= H
    np.subtract(1.0, H, H)
    d_A *= H
    return value, (np.dot(d_A, X), np.add.reduce(d_A, 1), d_W2, np.add.reduce(F, 1))


STEPS = 8


def lstm(W, U, b, X, target):
    n = U.shape[0]
    h = np.zeros((X.shape[1], n))
    c = np.zeros((X.shape[1], n))
    for t in range(8):
        z = X[t] @ W + h @ U + b
        i = 1.0 / (1.0 + np.exp(-z[:, :128]))
        f = 1.0 / (1.0 + np.exp(-z[:, 128:256]))
        o = 1.0 / (1.0 + np.exp(-z[:, 256:384]))
        g = np.tanh(z[:, 384:])
        c = f * c + i * g
        h = o * np.tanh(c)
    return np.mean((h - target) ** 2)


def lstm_around(W, U, b, X, target):
    n = U.shape[0]
    h = np.zeros((X.shape[1], n))
    c = np.zeros((X.shape[1], n))
    saved = []
    for t in range(STEPS):
        z = X[t] @ W + h @ U + b
        i = 1.0 / (1.0 + np.exp(-z[:, :128]))
        f = 1.0 / (1.0 + np.exp(-z[:, 128:256]))
        o = 1.0 / (1.0 + np.exp(-z[:, 256:384]))
        g = np.tanh(z[:, 384:])
        before = c
        c = f * c + i * g
        s = np.tanh(c)
        saved.append((z, i, f, o, g, before, s, h))
        h = o * s
    r = h - target
    value = np.mean(r**2)
    d_h = r
    d_h *= 2.0 / r.size
    d_W, d_U, d_b = _lstm_back(U, X, saved, d_h)
    return value, (d_W, d_U, d_b)


def _lstm_back(U, X, saved, d_h):
    """The adjoints of the weights; the pre-activations of each step become their adjoints."""
    n = U.shape[0]
    d_c = None
    d_zs = np.empty((len(X), *saved[0][0].shape), d_h.dtype)
    hs = np.empty((len(X), *d_h.shape), d_h.dtype)
    for t in reversed(range(len(X))):
        _, i, f, o, g, before, s, h = saved[t]
        d_z = d_zs[t]
        hs[t] = h
        d_s = d_h * o
        np.multiply(d_h, s, d_h)
        d_z[:, 2 * n : 3 * n] = d_h * (o * (1.0 - o))
        s *= s
        np.subtract(1.0, s, s)
        d_s *= s
        if d_c is not None:
            d_s += d_c
        d_c = d_s
        d_z[:, :n] = d_c * g * (i * (1.0 - i))
        d_z[:, n : 2 * n] = d_c * before * (f * (1.0 - f))
        d_z[:, 3 * n :] = d_c * i * (1.0 - g * g)
        if t:
            d_c *= f
            d_h = d_z @ U.T
    flat = d_zs.reshape(-1, 4 * n)
    # one product over all steps, and none for the first state, which is zero
    d_U = hs[1:].reshape(-1, n).T @ d_zs[1:].reshape(-1, 4 * n)
    return X.reshape(-1, X.shape[2]).T @ flat, d_U, flat.sum(axis=0)


def lstm_freehand(W, U, b, X, target):
    n = U.shape[0]
    steps, batch, inputs = X.shape
    zs = X.reshape(-1, inputs) @ W  # the inputs of all steps in one product
    zs += b
    zs = zs.reshape(steps, batch, 4 * n)
    hs = np.empty((steps, batch, n), X.dtype)
    c = None
    saved = []
    h = None
    for t in range(steps):
        z = zs[t]
        if t:
            hs[t] = h
            z += h @ U
        a = np.negative(z[:, : 3 * n])  # the three gates at once
        np.exp(a, a)
        a += 1.0
        np.divide(1.0, a, a)
        g = np.tanh(z[:, 3 * n :])
        before = c
        c = a[:, :n] * g
        if t:
            c += a[:, n : 2 * n] * before
        s = np.tanh(c)
        h = a[:, 2 * n :] * s
        saved.append((a, g, before, s))
    r = h - target
    flat = r.ravel()
    value = flat.dot(flat) / r.size
    d_h = r
    d_h *= 2.0 / r.size
    d_c = None
    for t in reversed(range(steps)):
        a, g, before, s = saved[t]
        d_z = zs[t]  # in the place of the pre-activations
        i, f, o = a[:, :n], a[:, n : 2 * n], a[:, 2 * n :]
        slopes = 1.0 - a
        slopes *= a
        d_s = d_h * o
        d_h *= s
        np.multiply(d_h, slopes[:, 2 * n :], d_z[:, 2 * n : 3 * n])
        s *= s
        np.subtract(1.0, s, s)
        d_s *= s
        if d_c is not None:
            d_s += d_c
        d_c = d_s
        np.multiply(d_c, g, s)
        np.multiply(s, slopes[:, :n], d_z[:, :n])
        if t:
            np.multiply(d_c, before, s)
            np.multiply(s, slopes[:, n : 2 * n], d_z[:, n : 2 * n])
        else:
            d_z[:, n : 2 * n] = 0.0
        g *= g
        np.subtract(1.0, g, g)
        g *= i
        np.multiply(g, d_c, d_z[:, 3 * n :])
        if t:
            d_c *= f
            d_h = d_z @ U.T
    flat = zs.reshape(-1, 4 * n)
    d_U = hs[1:].reshape(-1, n).T @ zs[1:].reshape(-1, 4 * n)
    return value, (X.reshape(-1, inputs).T @ flat, d_U, np.add.reduce(flat, 0))


def mixture(alphas, means, q, L, X):
    """Log-likelihood, up to a constant, of points under k Gaussians.

    Inverse Cholesky factors of the covariances: exp(q) on the diagonal, L strictly below.
    """
    C = X - means[:, None, :]
    Q = np.exp(q)[:, None, :] * C + C @ np.swapaxes(L, 1, 2)
    inner = (alphas + np.sum(q, axis=1))[:, None] - 0.5 * np.sum(Q**2, axis=2)
    top = np.max(inner, axis=0)
    points = np.log(np.sum(np.exp(inner - top), axis=0)) + top
    most = np.max(alphas)
    return np.sum(points) - X.shape[0] * (np.log(np.sum(np.exp(alphas - most))) + most)


def mixture_around(alphas, means, q, L, X):
    C = X - means[:, None, :]
    e = np.exp(q)
    Q = e[:, None, :] * C + C @ np.swapaxes(L, 1, 2)
    inner = (alphas + np.sum(q, axis=1))[:, None] - 0.5 * np.sum(Q**2, axis=2)
    top = np.max(inner, axis=0)
    P = np.exp(inner - top)
    Z = np.sum(P, axis=0)
    points = np.log(Z) + top
    most = np.max(alphas)
    p = np.exp(alphas - most)
    total = np.sum(p)
    value = np.sum(points) - X.shape[0] * (np.log(total) + most)
    P /= Z  # the responsibilities
    weight = P.sum(axis=1)
    Q *= P[:, :, None]  # minus the adjoint of Q
    d_e = np.einsum("kni,kni->ki", Q, C)
    d_L = Q.transpose(0, 2, 1) @ C
    # through C to the means
    sums = Q.sum(axis=1)
    d_means = e * sums + np.einsum("ki,kij->kj", sums, L)
    p *= X.shape[0] / total
    np.negative(d_L, d_L)
    return value, (weight - p, d_means, weight[:, None] - d_e * e, d_L)


def mixture_freehand(alphas, means, q, L, X):
    n, d = X.shape
    e = np.exp(q)
    M = L.copy()  # the whole factor, so that one product does for both terms
    M[:, np.arange(d), np.arange(d)] += e
    C = X - means[:, None, :]
    Q = C @ M.transpose(0, 2, 1)
    P = np.einsum("kni,kni->kn", Q, Q)
    P *= -0.5
    P += (alphas + np.add.reduce(q, 1))[:, None]
    top = np.maximum.reduce(P, 0)
    P -= top
    np.exp(P, P)
    Z = np.add.reduce(P, 0)
    most = alphas.max()
    p = np.exp(alphas - most)
    total = p.sum()
    value = np.log(Z).sum() + top.sum() - n * (np.log(total) + most)
    P /= Z
    weight = np.add.reduce(P, 1)
    Q *= P[:, :, None]
    d_M = Q.transpose(0, 2, 1) @ C
    sums = np.add.reduce(Q, 1)
    d_means = (sums[:, None, :] @ M)[:, 0]
    p *= n / total
    d_e = d_M[:, np.arange(d), np.arange(d)]
    np.negative(d_M, d_M)
    return value, (weight - p, d_means, weight[:, None] - d_e * e, d_M)


def _batch(n: int, dtype: str) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    def arguments(rng: np.random.Generator) -> tuple[Any, ...]:
        W1, b1 = 0.05 * rng.normal(size=(72, 784)), 0.1 * rng.normal(size=72)
        W2, b2 = 0.1 * rng.normal(size=(10, 72)), 0.1 * rng.normal(size=10)
        floats = (a.astype(dtype) for a in (W1, b1, W2, b2, rng.random((n, 784))))
        return *floats, rng.integers(10, size=n)

    return arguments


def _perceptron(n: int, dtype: str) -> Workload:
    kind = "" if dtype == "float64" else f":{dtype}"
    return Workload(
        f"MLP 784-72-10, batch {n}, {dtype}",
        mnist_mlp.loss, perceptron_around, perceptron_freehand, ("W1", "b1", "W2", "b2"),
        f"W1=h d{kind}, b1=h{kind}, W2=k h{kind}, b2=k{kind}, X=n d{kind}, labels=n:int64",
        _batch(n, dtype),
    )  # fmt: skip


def _sequence(rng: np.random.Generator) -> tuple[Any, ...]:
    W, U = 0.1 * rng.normal(size=(64, 512)), 0.1 * rng.normal(size=(128, 512))
    return W, U, 0.1 * rng.normal(size=512), rng.normal(size=(8, 32, 64)), rng.random((32, 128))


def _points(rng: np.random.Generator) -> tuple[Any, ...]:
    k, d, n = 25, 10, 1000
    L = np.tril(rng.normal(size=(k, d, d)), -1)
    return rng.normal(size=k), rng.random((k, d)), rng.normal(size=(k, d)), L, rng.random((n, d))


WORKLOADS = (
    *(_perceptron(n, dtype) for dtype in ("float64", "float32") for n in (1, 32, 256, 4096)),
    Workload(
        "LSTM 64-128, 8 steps, batch 32", lstm, lstm_around, lstm_freehand,
        ("W", "U", "b"), "W=64 512, U=128 512, b=512, X=8 32 64, target=32 128", _sequence,
    ),
    Workload(
        "Gaussian mixture, 1,000 x 10, k=25", mixture, mixture_around, mixture_freehand,
        ("alphas", "means", "q", "L"), "alphas=k, means=k d, q=k d, L=k d d, X=n d", _points,
    ),
)  # fmt: skip
