"""Sums as products: the same sums, of any shape and order in memory, inf and nan included."""

import numpy as np
import pytest
from test_fast import same

import gradgen

RNG = np.random.default_rng(7)


def both(f, **options):
    return [gradgen.value_and_grad(f, style=style, **options) for style in ("fast", "default")]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_along_an_axis_are_those_of_any_array(axis, dtype):
    def f(x, w):
        return np.sum(np.tanh(np.sum(x, axis=axis)) * np.sum(w * x, axis=axis))

    shapes = f"x=k m n:{dtype}, w=k m n:{dtype}"
    fast, plain = both(f, wrt=("x", "w"), shapes=shapes)
    assert ("np.ones(" in fast.source) == (axis > 0)
    for shape in ((2, 3, 4), (1, 1, 1), (5, 0, 3), (3, 4, 0), (40, 3, 1)):
        x = RNG.normal(size=shape).astype(dtype)
        w = RNG.normal(size=shape[::-1]).astype(dtype).T
        same(fast(x, w), plain(x, w), 1e-5 if dtype == "float32" else 1e-13)
        same(fast(x[::-1], w[..., ::-1]), plain(x[::-1], w[..., ::-1]),
             1e-5 if dtype == "float32" else 1e-13)  # fmt: skip


def test_sums_of_rows_and_columns_carry_inf_and_nan():
    def f(x):
        return np.sum(np.sum(x, axis=0)), (np.sum(x, axis=0), np.sum(x, axis=1))

    fast, _ = both(f, shapes="x=m n", has_aux=True)
    x = np.arange(40.0).reshape(8, 5)
    x[1, 2], x[3, 2], x[4, 0], x[5, 1] = np.inf, -np.inf, np.nan, np.inf
    with np.errstate(invalid="ignore"):
        (_, (columns, rows)), _ = fast(x)
    np.testing.assert_array_equal(columns, [np.nan, np.inf, np.nan, 8 * 3 + 140.0, 8 * 4 + 140.0])
    np.testing.assert_array_equal(rows, [10, np.inf, 60, -np.inf, np.nan, np.inf, 160, 185])


def network(W, b, X, labels):
    F = X @ W.T + b
    F = F - np.max(F, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(F), axis=1)) - F[np.arange(len(labels)), labels])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_logits_are_computed_in_columns(dtype):
    shapes = f"W=k d:{dtype}, b=k:{dtype}, X=n d:{dtype}, labels=n:int64"
    fast, plain = both(network, wrt=("W", "b"), shapes=shapes)
    assert "F = W.dot(X.T).T\n" in fast.source
    for n, d, k in ((1, 3, 4), (7, 2, 3), (50, 4, 1)):
        given = [RNG.normal(size=s).astype(dtype) for s in ((k, d), k, (n, d))]
        given.append(RNG.integers(k, size=n))
        same(fast(*given), plain(*given), 1e-5 if dtype == "float32" else 1e-13)


def test_a_product_that_meets_an_argument_keeps_the_order_of_its_memory():
    def f(W, X, Y):
        F = X @ W.T
        return np.sum((F - Y) ** 2)

    fast, plain = both(f, wrt=("W", "X"), shapes="W=k d, X=n d, Y=n k")
    assert "X.dot(W.T)" in fast.source
    given = RNG.normal(size=(3, 2)), RNG.normal(size=(5, 2)), RNG.normal(size=(5, 3))
    same(fast(*given), plain(*given))


def test_a_product_that_is_returned_has_its_rows_in_memory():
    def f(W, X):
        F = np.tanh(X @ W.T)
        return np.sum(F * F), F

    fast, _ = both(f, shapes="W=k d, X=n d", has_aux=True)
    (_, F), _ = fast(RNG.normal(size=(3, 2)), RNG.normal(size=(5, 2)))
    assert F.flags.c_contiguous


def scaled(C, v, M):
    return np.sum(np.tanh(C * v + C @ M))


def stacked(C, v, M):
    return np.sum(np.tanh(v[:, None, :] * C + C @ np.swapaxes(M, 1, 2)))


@pytest.mark.parametrize(("f", "shapes", "sizes"), [
    (scaled, "C=n d, v=d, M=d d", [(7, 3), (3,), (3, 3)]),
    (stacked, "C=k n d, v=k d, M=k d d", [(2, 7, 3), (2, 3), (2, 3, 3)]),
])  # fmt: skip
def test_what_lies_along_the_rows_is_the_diagonal_of_a_product(f, shapes, sizes):
    fast, plain = both(f, wrt=("v", "M"), shapes=shapes)
    assert "] += v\n" in fast.source
    assert "einsum" not in fast.source
    given = [RNG.normal(size=size) for size in sizes]
    before = [a.copy() for a in given]
    same(fast(*given), plain(*given), 1e-13)
    for have, had in zip(given, before, strict=True):
        np.testing.assert_array_equal(have, had)
    given[1][..., 1] = np.inf
    with np.errstate(invalid="ignore"):
        same(fast(*given), plain(*given), 1e-13)


def test_a_row_that_does_not_belong_to_the_matrix_is_none_of_its_diagonal():
    def f(C, v, M):
        return np.sum(np.tanh(C * v + C @ M))

    # one number for each row, not for each column
    fast, plain = both(f, wrt=("v", "M"), shapes="C=n d, v=n 1, M=d d")
    given = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 1)), RNG.normal(size=(3, 3))
    same(fast(*given), plain(*given))
