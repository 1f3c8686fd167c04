"""Derived products and sums take the faster of two kernels; what the user wrote stays."""

import linecache

import numpy as np
import pytest
from tangents import defined

import gradgen


def emitted(line, shapes, wrt=None):
    """The function of a line, and the text of its gradient by everything."""
    names = [item.partition("=")[0] for item in shapes.split(", ")]
    text = f"import numpy as np\n\n\ndef f({', '.join(names)}):\n    return {line}\n"
    path = f"<kernels {text}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    held = {}
    exec(compile(text, path, "exec"), held)
    made = gradgen.value_and_grad(held["f"], wrt=wrt or tuple(names), shapes=shapes)
    return held["f"], made


@pytest.mark.parametrize(("line", "shapes", "statement"), [
    ("np.sum(np.tanh(X @ W.T))", "X=n d, W=k d", "d_W = np.dot(t2.T, X)"),
    ("np.sum(np.tanh(X @ W.T))", "X=1 3, W=2 3", "d_W = np.dot(t2.T, X)"),
    # of a known batch: `@` begins with less to do
    ("np.sum(np.tanh(X @ W.T))", "X=5 3, W=2 3", "d_W = t2.T @ X"),
    ("np.sum(np.tanh(s * X))", "X=n d, s=d", 'd_s = np.einsum("ij,ij->j", t2, X)'),
    ("np.sum(np.tanh(s[:, None] * X))", "X=k n d, s=k d",
     'd_s = np.einsum("ijk,ijk->ik", t3, X)'),
    # NumPy adds up a last axis pairwise, which rounds less
    ("np.sum(np.tanh(s[:, None] * X))", "X=n d, s=n", "d_s = (t2 * X).sum(axis=1)"),
    ("-0.5 * np.sum(s * np.sum(X**2, axis=1))", "X=n d, s=n", "d_X = -s[:, None] * X"),
    ("np.sum(s * X)", "X=n d, s=d", "d_s = X.sum(axis=0)"),
])  # fmt: skip
def test_shapes_decide_between_kernels(line, shapes, statement):
    check(line, shapes, None, statement)


@pytest.mark.parametrize(("line", "shapes", "statement"), [
    ("np.sum(np.tanh((X - s) @ W))", "X=n d, s=d, W=d k", "d_s = -(t3.sum(axis=0) @ W.T)"),
    ("np.sum(np.tanh((X - s[:, None]) @ W))", "X=k n d, s=k d, W=k d d",
     'd_s = -np.einsum("ij,ijk->ik", t3.sum(axis=1), W.transpose(0, 2, 1))'),
    ("np.sum(np.tanh((X - s) @ W)) + np.sum((X - s) ** 2)", "X=n d, s=d, W=d d",
     "d_s = -(2.0 * t1.sum(axis=0) + (t3.sum(axis=0) @ W.T))"),
    ("np.sum(np.tanh(X @ np.swapaxes(W, 1, 2)))", "X=k n d, s=1, W=k 5 d",
     "d_W = (1.0 - t1 * t1).transpose(0, 2, 1) @ X"),
])  # fmt: skip
def test_rows_are_added_up_before_a_product_and_stacks_transposed_once(line, shapes, statement):
    check(line, shapes, ("s", "W"), statement)


def check(line, shapes, wrt, statement):
    """The emitted gradient has the statement, and is that of the complex step."""
    function, made = emitted(line, shapes, wrt)
    rng = np.random.default_rng(0)
    sizes = {"n": 4, "d": 3, "k": 2}
    names = [item.partition("=")[0] for item in shapes.split(", ")]
    arguments = [
        rng.normal(size=[sizes.get(size) or int(size) for size in item.partition("=")[2].split()])
        for item in shapes.split(", ")
    ]
    value, grads = made(*arguments)
    assert value == function(*arguments)
    for name, grad in zip(wrt or names, grads, strict=True):
        k = names.index(name)
        assert grad.shape == arguments[k].shape
        for at in np.ndindex(grad.shape):
            moved = [a.astype(complex) for a in arguments]
            moved[k][at] += 1e-30j
            slope = np.imag(function(*moved)) / 1e-30
            assert grad[at] == pytest.approx(slope, rel=1e-13, abs=1e-15)
    assert f"    {statement}\n" in made.source, made.source


def test_products_that_the_user_wrote_keep_their_operator():
    _, made = emitted("np.sum((W.T @ X) ** 2) + np.sum(np.sum(X * X, axis=0) ** 2)", "W=n k, X=n d")
    forward = made.source.partition("value =")[0]
    assert "W.T @ X" in forward
    assert "(X * X).sum(axis=0)" in forward


def test_a_product_that_is_read_twice_is_computed_once():
    _, made = emitted("np.sum(np.tanh((s + r[:, None]) * X))", "X=n d, s=d, r=n", ("s", "r"))
    backward = made.source.partition("value =")[2]
    assert ".sum(axis=0)" in backward and ".sum(axis=1)" in backward
    assert "einsum" not in backward


@pytest.mark.parametrize("terms", [2, 4, 6, 9])
def test_long_sums_that_are_read_more_than_once_are_not_added_to_in_place(terms):
    """The tangent of an adjoint is a long sum, a part of a longer one, and a factor as well."""
    parts = [f"np.sum(weights[{k}] * np.sin({k + 1}.0 * y) * np.cos(y + z))" for k in range(terms)]
    text = "import numpy as np\n\n\ndef f(x, s, weights):\n    y = x / np.exp(s)\n    z = y * y\n"
    f = defined(text + f"    return {' + '.join(parts)} + np.sum(y * z * x)\n")
    given = {"wrt": ("x", "s"), "shapes": f"x=n, s=n, weights={terms} n"}
    rng = np.random.default_rng(terms)
    x, s, t_x, t_s = rng.normal(size=(4, 3))
    weights = rng.normal(size=(terms, 3))
    hvp = gradgen.hvp(f, **given)
    moved = gradgen.grad(f, **given)(x + 1e-30j * t_x, s + 1e-30j * t_s, weights)
    np.testing.assert_allclose(hvp(x, s, t_x, t_s, weights), np.imag(moved) / 1e-30, rtol=1e-11)
    assert terms < 9 or " += " in hvp.source
