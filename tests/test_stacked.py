"""Several products as one: unrolled networks against the default style and differences."""

import numpy as np
import pytest
from test_fast import same

import gradgen

RNG = np.random.default_rng(11)


def recurrent(W, U, b, X):
    h = np.zeros((X.shape[1], U.shape[0]))
    for t in range(4):
        h = np.tanh(X[t] @ W + h @ U + b)
    return np.sum(h * h)


def gated(W, U, b, X):
    n = U.shape[0]
    h = np.zeros((X.shape[1], n))
    for t in range(4):
        z = X[t] @ W + h @ U + b
        h = np.tanh(z[:, :3]) / (1.0 + np.exp(-z[:, 3:])) + h
    return np.sum(h * h)


def backwards(W, U, b, X):
    """The items in another order, and one of them twice: no product of all in order."""
    h = np.zeros((X.shape[1], U.shape[0]))
    for t in (3, 1, 1, 0, 2):
        h = np.tanh(X[t] @ W + h @ U + b)
    return np.sum(h * h)


def three(W, U, b, X):
    """Not all items of X."""
    return sum(np.sum(np.tanh(X[t] @ W + b) * np.tanh(X[t] @ W)) for t in range(3)) + np.sum(U)


def weighted(W, U, b, X):
    """A sum of products and of something else, which is returned as well."""
    h = np.tanh(X[0] @ W + b)
    for t in range(1, 4):
        h = np.tanh(X[t] @ W + h @ U + b)
    return np.sum(h) + np.sum(W**3) + np.sum(U * U)


def filled(W, U, b, X):
    """What is multiplied is filled part by part in the forward pass."""
    h = np.zeros((X.shape[1], 3))
    for t in range(4):
        z = np.zeros((X.shape[1], 5))
        z[:, :2] = X[t]
        z[:, 2:] = h
        h = np.tanh(z @ np.concatenate((W, U)) + b)
    return np.sum(h * h)


CASES = [
    (recurrent, "W=2 3, U=3 3, b=3, X=4 5 2"), (recurrent, "W=d h, U=h h, b=h, X=4 n d"),
    (gated, "W=2 6, U=3 6, b=6, X=4 5 2"), (gated, "W=d 6, U=3 6, b=6, X=4 n d"),
    (backwards, "W=d h, U=h h, b=h, X=4 n d"), (three, "W=d h, U=h h, b=h, X=4 n d"),
    (weighted, "W=d h, U=h h, b=h, X=4 n d"), (filled, "W=2 3, U=3 3, b=3, X=4 n 2"),
]  # fmt: skip


def given(f, n=5):
    h = 6 if f is gated else 3
    sizes = (2, h), (3, h), (h,), (4, n, 2)
    return [RNG.normal(size=size) for size in sizes]


@pytest.mark.parametrize(("f", "shapes"), CASES, ids=[f"{f.__name__}-{s}" for f, s in CASES])
def test_products_put_together_are_the_same_sums(f, shapes):
    options = {"wrt": ("W", "U", "b"), "shapes": shapes}
    fast, plain = (gradgen.value_and_grad(f, style=s, **options) for s in ("fast", "default"))
    symbolic = "n" in shapes.split("X=")[1]
    for n in (5, 1, 0) if symbolic else (5,):
        arguments = given(f, n)
        before = [a.copy() for a in arguments]
        want = plain(*arguments)
        same(fast(*arguments), want, 1e-13)
        for have, had in zip(arguments, before, strict=True):
            np.testing.assert_array_equal(have, had)
    # arrays that lie otherwise in memory
    arguments = [np.asfortranarray(a) for a in given(f)]
    same(fast(*arguments), plain(*arguments), 1e-13)


def test_there_is_one_product_for_each_weight_and_one_array_for_all_steps():
    options = {"wrt": ("W", "U", "b"), "shapes": "W=2 6, U=3 6, b=6, X=4 5 2"}
    fast = gradgen.value_and_grad(gated, style="fast", **options)
    text = fast.source
    assert "d_zs = np.empty((20, 6))" in text
    assert text.count(".T.dot(d_zs)") == 2
    assert "d_b = np.ones(20).dot(d_zs)" in text
    assert text.count(".dot(W)") == 1
    assert "d_W +=" not in text


def test_a_term_that_is_read_elsewhere_is_computed_by_itself():
    def f(W, X):
        parts = [np.tanh(X[t]).T @ (X[t] @ W) for t in range(4)]
        return np.sum((parts[0] + parts[1] + parts[2] + parts[3]) ** 2) + np.sum(parts[2]), parts[3]

    options = {"shapes": "W=d d, X=4 n d", "has_aux": True}
    fast, plain = (gradgen.value_and_grad(f, style=s, **options) for s in ("fast", "default"))
    arguments = RNG.normal(size=(2, 2)), RNG.normal(size=(4, 3, 2))
    same(fast(*arguments), plain(*arguments), 1e-13)


@pytest.mark.parametrize(("f", "shapes"), [
    (gated, "W=d 6, U=3 6, b=6, X=4 n d"), (filled, "W=2 3, U=3 3, b=3, X=4 n 2"),
])  # fmt: skip
def test_the_backward_function_of_a_pair_has_all_that_it_puts_together(f, shapes):
    options = {"wrt": ("W", "U", "b"), "shapes": shapes}
    arguments = given(f)
    namespace = {}
    exec(gradgen.emit(f, mode="pair", style="fast", **options), namespace)
    value, saved = namespace[f"{f.__name__}_forward"](*arguments)
    want = gradgen.value_and_grad(f, **options)(*arguments)
    for _ in range(2):
        same((value, namespace[f"{f.__name__}_backward"](saved, 1.0)), want, 1e-13)
