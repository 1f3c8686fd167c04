"""Python's own semantics (traps 32 to 45 and 47): right, or refused by name."""

# ruff: noqa: E501 (tables of sources, one a line)

import copy
import functools
import math
import sys
import threading
import unicodedata

import numpy as np
import pytest
import scipy.special
from agreement import (
    HEAD,
    agree,
    agree_in_text,
    differences,
    function_of,
    same,
    text_of,
    with_body,
)

import gradgen
from gradgen import GradgenError, SourceError

X = np.array([1.5, -0.5, 2.5])
M = np.array([[1.5, -0.5, 2.5], [0.25, 3.0, -1.0]])
SQUARE = np.array([[1.5, -0.5], [0.25, 3.0]])
rng = np.random.default_rng(0)
DATA = np.array([1.0, 2.0, 3.0])
LARGE = np.arange(5000.0)
scale = 2.0


def refused(body, *args, match, signature="x", **names):
    with pytest.raises(SourceError, match=match):
        gradgen.value_and_grad(function_of(with_body(body, signature), **names))(*args)


# -- 32: names that share an array -----------------------------------------------------------------


def test_trap_32_an_alias_sees_an_update_in_place_as_in_python():
    f = function_of(with_body("y = x\ny += 1\nreturn np.sum(y * x)"))
    value, slope = gradgen.value_and_grad(f)(np.ones(3))
    assert value == 12
    assert slope.tolist() == [4, 4, 4]
    value, slope = gradgen.value_and_grad(function_of(with_body("y = x\ny += 1\nreturn y * x")))(
        3.0
    )
    assert (value, slope) == (12.0, 7.0)


@pytest.mark.parametrize(
    "body",
    [
        "y = x\ny *= 3\nreturn np.sum(y * x)",
        "y = z = x\ny -= 1\nreturn np.sum(z * x * y)",
        "y, z = x, x\ny **= 2\nreturn np.sum(z * x)",
        "y = x if True else 0\ny += 1\nreturn np.sum(x * y)",
        "for y in [x, x]:\n    y += 1\nreturn np.sum(x * x)",
        "y = (z := x)\nz += 1\nreturn np.sum(y * y)",
        "y = np.asarray(x)\ny += 1\nreturn np.sum(x * y)",
        "def shift(z):\n    z += 1\n    return z\ny = shift(x)\nreturn np.sum(x * y)",
        "def shift(z):\n    z += 1\nshift(x)\nreturn np.sum(x * x)",
        "(lambda z: z)(x)[0] = 4.0\nreturn np.sum(x * x)",
        "xs = [x, x]\nxs[0] += 1.0\nreturn np.sum(xs[0] * xs[1])",
        "d = {'a': x}\nd['a'] *= 2.0\nreturn np.sum(d['a'] * x)",
        "d = {'a': [x]}\nd['a'][0] *= 2.0\nreturn np.sum(x * x)",
        "xs = [x, x]\nfor y in xs:\n    y += 1\nreturn np.sum(x * x)",
        "xs = [x]\nys = xs\nys[0] += 1\nreturn np.sum(x * xs[0])",
        "xs = [x, 2 * x]\nys = xs\nxs *= 2\nreturn np.sum(sum(ys) * x)",
        "xs = [x]\nys = xs\nxs += [x * x]\nreturn np.sum(sum(ys))",
        "xs = [x]\nys = xs\nxs = xs + [x * x]\nreturn np.sum(sum(ys))",
        "xs = [x]\nys = xs.copy()\nys[0] += 1\nys.append(x)\nreturn np.sum(sum(xs))",
        "t = (x, x)\nfor k in range(2):\n    t[k][0] += 1\nreturn np.sum(t[0] * t[1])",
    ],
)  # fmt: skip
def test_trap_32_every_name_of_an_array_or_list_sees_its_updates(body):
    agree(function_of(with_body(body)), X)


@pytest.mark.parametrize(
    "fresh",
    ["x + 0", "+x", "-x", "abs(x)", "x.copy()", "np.copy(x)", "np.array(x)", "x * 1", "x.flatten()",
     "x.astype(float)", "np.where(x > 0, x, 0)", "np.maximum(x, 0)", "x[[0, 1, 2]]", "x.clip(0, 2)"],
)  # fmt: skip
def test_trap_32_a_copy_is_not_an_alias(fresh):
    agree(function_of(with_body(f"y = {fresh}\ny += 1\nreturn np.sum(x * y)")), X)


@pytest.mark.parametrize(
    "body",
    [
        "e = x[0]\ne += 5\nreturn np.sum(x * x) * e",
        "s = np.sum(x)\nt = s\nt += 1\nreturn s * t",
        "s = x.mean()\nt = s\nt *= 2\nreturn s * t",
    ],
)
def test_trap_32_numpy_scalars_are_not_changed_in_place(body):
    agree(function_of(with_body(body)), X)


# -- 33: views -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "v = x[0]\nv *= 2\nreturn np.sum(x * x)",
        "v = x[1:]\nv += x[:-1]\nreturn np.sum(x * x * x)",
        "v = x[:, 1]\nv *= x[:, 0]\nreturn np.sum(x * x)",
        "v = x[::-1]\nv[0] = 3 * v[1]\nreturn np.sum(x * x * x)",
        "v = x[0]\nw = v[1:]\nw *= 3\nreturn np.sum(x * x) + np.sum(v * w[0])",
        "v = x[...]\nv *= 2\nreturn np.sum(x * x)",
        "v = x[:, None]\nv *= 2\nreturn np.sum(x * x)",
        "v = x[0, 1, ...]\nv += 5\nreturn np.sum(x * x)",
        "v = np.expand_dims(x, 0)\nv *= 2\nreturn np.sum(x * x)",
        "for row in x:\n    row *= 2\nreturn np.sum(x * x)",
        "for k, row in enumerate(x):\n    row += k\nreturn np.sum(x * x)",
        "a, b = x\na += b\nreturn np.sum(x * x)",
        "a, *rest = x\nrest[0] += 1\nreturn np.sum(x * x)",
        "rows = [row for row in x]\nrows[0] += 1\nreturn np.sum(x * x)",
        "v = x[1]\nx *= 2\nreturn np.sum(v * v * v)",
        "v = x[0]\nx[0] = x[1]\nreturn np.sum(v * v * x[0])",
        "x[0], y = x[1], x[0]\nreturn np.sum(x * x) + np.sum(y)",
        "x = x[0]\nx *= 2\nreturn np.sum(x * x)",
    ],
)
def test_trap_33_a_view_and_its_array_see_each_others_updates(body):
    agree_or_refuse(body, M)


def agree_or_refuse(body, *args):
    """Right, or a `SourceError`: never anything else."""
    try:
        agree(function_of(with_body(body)), *args)
    except SourceError as error:
        assert error.msg
        return False
    return True


@pytest.mark.parametrize(
    "view",
    ["x.T", "x.reshape(-1)", "np.reshape(x, (3, 2))", "x.ravel()", "np.ravel(x)", "np.transpose(x)",
     "x.transpose(1, 0)", "np.swapaxes(x, 0, 1)", "x.T.T", "np.squeeze(x)", "np.atleast_2d(x)",
     "np.moveaxis(x, 0, 1)", "np.flip(x)", "np.flipud(x)", "np.rot90(x)", "x.squeeze()", "x.real",
     "np.ascontiguousarray(x)", "np.diagonal(x)", "x.view()", "np.split(x, 2)[0]", "np.real(x)",
     "np.array_split(x, 2)[0]", "x.swapaxes(0, 1)", "np.asanyarray(x)", "np.rollaxis(x, 1)",
     "np.expand_dims(x, 0)", "np.array(x, copy=False)", "x.astype(float, copy=False)",
     "np.atleast_1d(x)", "np.asarray(x, dtype=float)", "np.fliplr(x)", "np.nan_to_num(x, copy=False)",
     "np.triu(x)", "np.roll(x, 1)", "np.take(x, 0, axis=0)", "np.vstack([x])", "x.T[0]"],
)  # fmt: skip
@pytest.mark.parametrize(
    "update",
    ["v = {view}\nv *= 2\nreturn np.sum(x * x)", "v = {view}\nx *= 2\nreturn np.sum(v * v)",
     "v = {view}\nv[0] = 3.0\nreturn np.sum(x * x)", "v = {view}\nx[0] = 3.0\nreturn np.sum(v * v)"],
)  # fmt: skip
def test_trap_33_what_may_share_memory_is_right_or_refused(view, update):
    agree_or_refuse(update.format(view=view), M)


def test_trap_33_a_broadcast_sees_later_changes_or_is_refused():
    refused("v = np.broadcast_to(x, (2, 3))\nx += 1\nreturn np.sum(v * v)", X,
            match="may or may not share memory")  # fmt: skip
    agree(function_of(with_body("v = np.broadcast_to(x, (2, 3))\nreturn np.sum(v * v)")), X)


def test_trap_33_a_view_that_is_only_read_is_fine():
    body = "v = x.T\nw = x.reshape(-1)\nreturn np.sum(v @ x) + np.sum(w * w)"
    agree(function_of(with_body(body)), M)


def test_trap_33_the_callers_arrays_are_never_changed():
    f = function_of(
        with_body("x[0] = 5.0\nv = x[1:]\nv *= y\nx += 1\nreturn np.sum(x * y)", "x, y")
    )
    x = np.array([1.0, 2.0, 3.0])
    value, _ = gradgen.value_and_grad(f, wrt=("x", "y"))(x, 2.0)
    assert x.tolist() == [1, 2, 3]
    assert value == f(x.copy(), 2.0)


@pytest.mark.parametrize("update", ["x += 1", "x[0] = 5.0", "v = x[1:]\nv *= 2", "y -= x"])
def test_trap_33_arguments_that_may_share_memory_are_not_changed_in_place(update):
    # Called as f(a, a), Python would change both.
    f = function_of(with_body(update + "\nreturn np.sum(x * y)", "x, y"))
    a = np.ones(3)
    with pytest.raises(SourceError, match="another argument may share its memory"):
        gradgen.grad(f)(a, a)
    copied = function_of(with_body("x = x.copy()\nx += 1\nreturn np.sum(x * y)", "x, y"))
    assert gradgen.value_and_grad(copied)(a, a)[0] == 6.0


def test_trap_33_read_only_arguments_are_fine():
    x = X.copy()
    x.flags.writeable = False
    f = function_of(with_body("y = x[1:]\ny *= 2\nreturn np.sum(x * x)"))
    _, slope = gradgen.value_and_grad(f)(x)
    same(slope, differences(f, (X,)))


# -- 34: stores ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "y = x * 1\ny[0] = x[1] ** 2\nreturn np.sum(y * y)",
        "y = x * 1\ny[1] += x[0]\nreturn np.sum(y * y)",
        "y = x * 1\ny[-1] *= x[0]\nreturn np.sum(y * y)",
        "y = x * 1\ny[1] -= x[0] ** 2\nreturn np.sum(y * y)",
        "y = x * 1\ny[0] /= 3\nreturn np.sum(y * y)",
        "y = x * 1\ny[1:] = x[:-1]\nreturn np.sum(y * y * y)",
        "x[1:] = x[:-1]\nreturn np.sum(x * x * x)",
        "x[1:] += x[:-1]\nreturn np.sum(x * x * x)",
        "y = x * 1\ny[:] = 2.0\nreturn np.sum(y * x)",
        "y = np.zeros(3)\nfor k in range(3):\n    y[k] = x[k] ** (k + 1)\nreturn np.sum(y * x)",
        "y = np.zeros(3)\ny[0] = x[0]\nfor k in range(1, 3):\n    y[k] = y[k - 1] * x[k]\nreturn y[2]",
        "y = np.zeros_like(x)\ny[0] += x[0]\ny[0] += x[1]\nreturn np.sum(y * y)",
        "y = np.ones((2, 3))\ny[1] = x\ny[0, 0] = x[2]\nreturn np.sum(y * y * x)",
        "y = np.zeros((3, 3))\nfor i in range(3):\n    for j in range(3):\n"
        "        y[i, j] = x[i] * x[j]\nreturn np.sum(y * y)",
        "y = x * 1\nz = y * y\ny[0] = 0.0\nreturn np.sum(y * z)",
        "y = [x[0], x[1]]\ny[0] = y[1] * y[0]\nreturn y[0] * y[1]",
        "y = {'a': x[0]}\ny['b'] = y['a'] * x[1]\ny['a'] = 2.0\nreturn y['a'] * y['b']",
        "a = b = x[0]\na *= 2\nreturn a * b",
        "y = [0.0]\na = y[0] = x[1]\nreturn a * y[0]",
    ],
)
def test_trap_34_stores_are_functional_updates(body):
    agree(function_of(with_body(body)), X)


@pytest.mark.parametrize("body", [
    "u = np.zeros(3)\nu[[0, 0, 1]] += 2.0\nreturn np.sum(u * x)",
    "u = np.ones(3)\nu[[0, 0, 2]] -= np.array([1.0, 4.0, 2.0])\nreturn np.sum(u * x)",
    "u = np.ones((2, 3))\nu[[[0, 1], [1, 1]]] += 2.0\nreturn np.sum(u * x)",
    "u = x * 1.0\nv = u[1, ...]\nv += 2.0\nreturn np.sum(u * u)",
    "u = x * 1.0\nv = u[..., 2]\nv *= x[0]\nreturn np.sum(u * u) + np.sum(v)",
])  # fmt: skip
def test_trap_34_a_store_with_repeated_indices_or_into_one_item_is_numpys(body):
    agree(function_of(with_body(body)), np.array([1.5, -0.5, 2.0]))


@pytest.mark.parametrize("body", [
    "a = [x, 2.0 * x]\na *= np.array([1.0, 3.0])\nreturn np.sum(a)",
    "a = [x, 2.0 * x]\na *= 2\nreturn a[0] * a[3] + len(a)",
    "a = [x, 2.0 * x]\na += np.array([2.0, 3.0]) * x\nreturn a[0] * a[1]",
    "a = [x, 2.0 * x]\na -= np.array([1.0, 3.0])\nreturn np.sum(a * a)",
])  # fmt: skip
def test_trap_32_a_list_is_updated_with_an_array_as_in_python(body):
    agree(function_of(with_body(body)), 1.5)


def test_trap_32_an_update_in_place_keeps_the_dtype():
    f = function_of(with_body("y = x * x\ny += z\nreturn np.sum(y * y)", "x, z"))
    x, z = np.array([1.5, -0.5, 2.0], np.float32), np.array([0.1, 0.2, 0.3])
    emitted = gradgen.value_and_grad(f, wrt=("x", "z"))
    value, (dx, dz) = emitted(x, z)
    assert (value.dtype, dx.dtype, dz.dtype) == (np.float32, np.float32, np.float64)
    assert value == f(x, z)
    y = x.astype(float) ** 2 + z
    np.testing.assert_allclose(dx, 4 * x * y, rtol=1e-6)
    np.testing.assert_allclose(dz, 2 * y, rtol=1e-6)


@pytest.mark.parametrize("body", [
    "y = np.arange(3)\ny += x\nreturn np.sum(y * x)",
    "y = np.arange(3)\ny *= 0.5\nreturn np.sum(y * x)",
    "y = np.ones(3)\ny += np.ones((2, 3))\nreturn np.sum(y * x)",
    "y = x * 1.0\ny *= np.ones((2, 3))\nreturn np.sum(y)",
])  # fmt: skip
def test_trap_32_an_update_in_place_that_numpy_refuses_is_refused(body):
    f = function_of(with_body(body))
    x = np.array([1.5, -0.5, 2.0])
    with pytest.raises((TypeError, ValueError)):
        f(x.copy())
    with pytest.raises(GradgenError, match="an update in place"):
        gradgen.grad(f)(x)


@pytest.mark.parametrize("mode", ["value_and_grad", "pair"])
@pytest.mark.parametrize("before", [
    "v = u[1:]\ns = np.sum(v * v)", "v = u.reshape(3, 1)\ns = np.sum(v * v)", "s = np.sum(u * u)",
    "v = u[::-1][1:]\ns = np.sum(np.exp(v) * v)", "v = u.T\ns = np.sum(v * v) + v[1]",
    "v = u * u\ns = np.sum(v * u)", "v = u[None, 1:]\ns = np.sum(np.sin(v)) * v[0, 0]",
])  # fmt: skip
def test_trap_34_the_adjoints_read_what_a_store_has_replaced(before, mode):
    body = f"u = x * x\n{before}\nu[1] = x[0]\nu[2] += x[1]\nreturn s * np.sum(u * u)"
    f = function_of(with_body(body))
    emitted = {}
    exec(gradgen.emit(f, like=(X,), mode=mode), emitted)
    if mode == "pair":
        value, saved = emitted["f_forward"](X.copy())
        slope = emitted["f_backward"](saved, 1.0)
    else:
        value, slope = emitted["f_value_and_grad"](X.copy())
    assert value == f(X.copy())
    same(slope, differences(f, (X,)))


def test_trap_34_what_a_store_cannot_do_is_refused():
    refused("y = np.zeros(3, dtype=int)\ny[0] = x[0]\nreturn np.sum(y * x)", X,
            match="cuts its fraction off")  # fmt: skip
    refused("x[7.5] = 1.0\nreturn np.sum(x)", X, match="integer")
    refused("t = (x, x)\nt[0] = x\nreturn np.sum(x)", X, match="does not support item assignment")
    refused("x[0] = 1.0\nreturn x", 1.0, match="does not support item assignment")
    refused("y = [x]\ny[3] = x\nreturn x", 1.0, match="out of range")


# -- 35: reassignment and shadowing ----------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "x = x * 2\nx = x + x\nreturn x * x",
        "y = x\nx = x * y\nx += y\nreturn x * y",
        "x *= x\nx -= 1\nx /= 2\nx **= 3\nreturn x",
        "y = x * x\nx = 5.0\nreturn x * y",
        "x, y = x * 2, x\nx, y = y, x\nreturn x ** 2 * y",
        "f = x * x\nreturn f * x",
        "def g(x):\n    x = x * 3\n    return x\nreturn g(x * 2) * x",
        "g = lambda x: x * x\nreturn g(x) * g(g(x))",
        "for x in [x, x * x]:\n    pass\nreturn x",
        "y = [x * 2 for x in [x, x * x]]\nreturn x * y[1]",
        "np = x\nreturn np * np",
        "sum = x * 3\nreturn sum * x",
        "y = x\ndel x\nx = y * y\nreturn x * y",
        "y = 3.0\ndef g():\n    return y * x\ny = 4.0\nreturn g()",
    ],
)
def test_trap_35_names_may_be_bound_again(body):
    agree(function_of(with_body(body)), 1.5)


@pytest.mark.parametrize("body", [
    "g = 0.0\ng = x * x + g\nreturn g ** 3",
    "a = 3.0\nb = a\na = x * b\nb = np.sin(a)\nreturn a * b * np.exp(b)",
    "t, o = math.pi + 0.2, 0.5\nt = t + x * o\no = o * math.sin(t)\nt = t * o\n"
    "return math.cos(t) * o",
])  # fmt: skip
def test_trap_35_a_rebound_constant_hides_no_value_in_the_pair(body):
    f = function_of(with_body(body))
    pair = {}
    exec(gradgen.emit(f, mode="pair"), pair)
    value, saved = pair["f_forward"](0.7)
    assert value == f(0.7)
    same(pair["f_backward"](saved, 1.0), differences(f, [0.7]))


def test_trap_35_augmented_assignment_after_use():
    agree(function_of(with_body("y = x * 2\nz = y * y\ny += x\nreturn np.sum(z * y)")), X)


def test_trap_35_a_name_is_local_in_the_whole_function():
    for body in (
        "y = x * y\nreturn y", "y += x\nreturn y", "if False:\n    y = 1.0\nreturn x * y",
        "for y in []:\n    pass\nreturn x * y", "y = 1.0\ndel y\nreturn x * y",
        "return x * y\ny = 2.0", "z = y\n(y := 2.0)\nreturn z",
        "z = [(y := 1.0) for _ in range(0)]\nreturn x * y", "y = 1.0\ndel y\ndel y\nreturn x",
    ):  # fmt: skip
        refused(body, 1.5, match="`y` is used before it is assigned", y=7.0)
    refused("del x\nreturn x", 1.5, match="`x` is used before it is assigned", x=7.0)


def test_trap_35_a_lambda_of_a_comprehension_sees_its_last_item():
    body = "g = [lambda z: z * (i + 1) for i in range(3)]\nreturn g[0](x) * x"
    agree(function_of(with_body(body)), 1.5)
    body = "g = [lambda z, i=i: z * (i + 1) for i in range(3)]\nreturn g[0](x) * g[1](x)"
    agree(function_of(with_body(body)), 1.5)


# -- 35b: what peers get wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "x"),
    [
        ("x = x[0]\nreturn np.sum(x * x)", X),
        ("x = x[1:]\nreturn np.sum(x ** 3)", X),
        ("x, y, z = x\nreturn x * y + z ** 2", X),
        ("*x, y = x\nreturn x[0] * x[1] * y", X),
        ("x = x.T\nreturn np.sum(x[0] * x[1])", M),
        ("for x in x:\n    pass\nreturn x * x", X),
        ("return math.exp(x[0]) * math.sin(x[1])", X),
        ("return sum(math.exp(v) for v in x)", X),
        ("x = np.asarray(x)\nreturn np.sum(x * x)", X),
        ("y = np.zeros(3)\ny[0] = x[0]\ny[1:] = x[1:] ** 2\nreturn np.sum(y)", X),
        ("y = np.zeros((2, 3))\ny[0] = x\nreturn np.sum(y * y)", X),
        ("y = np.array([x[0], x[1] * x[2]])\nreturn np.sum(y * y)", X),
        ("return float(x[0]) * float(x[1])", X),
        ("return np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0))", X * (X > 0)),
        ("y = np.sqrt(x)\nreturn np.sum(np.where(x > 0, y, 0.0))", X * (X > 2)),
    ],
)
def test_trap_35b_a_derivative_is_not_lost_on_the_way(body, x):
    f = function_of(with_body(body))
    _, slope = gradgen.value_and_grad(f)(x)
    if np.all(x != 0):
        same(slope, differences(f, (x,)))
    else:
        assert np.all(np.isfinite(slope))
        same(slope[x > 0], 0.5 / np.sqrt(x[x > 0]))
        assert np.all(slope[x == 0] == 0)


@pytest.mark.parametrize("op", ["+", "-", "*", "/", "**", "%"])
@pytest.mark.parametrize("sides", [("s", "a"), ("a", "s")])
def test_trap_35b_a_scalar_meets_an_array_in_every_operator(op, sides):
    f = function_of(with_body(f"return np.sum(({sides[0]} {op} {sides[1]}) * w)", "s, a, w"))
    s, a, w = 1.7, np.array([0.6, 1.4, 2.2]), np.array([1.0, -2.0, 0.5])
    ds, da = gradgen.grad(f, wrt=("s", "a"))(s, a, w)
    assert np.shape(ds) == ()
    same(ds, differences(f, (s, a, w), 0))
    same(da, differences(f, (s, a, w), 1))


# -- 36: fan-out and unused arguments --------------------------------------------------------------


def test_trap_36_a_variable_used_a_thousand_times_accumulates():
    text = "def f(x):\n    s = 0.0\n" + "    s = s + x * x\n" * 1000 + "    return s\n"
    value, slope = gradgen.value_and_grad(function_of(text))(1.5)
    assert value == pytest.approx(2250.0, rel=1e-12)
    assert slope == pytest.approx(3000.0, rel=1e-12)
    text = "def f(x):\n    return " + " + ".join(f"x * {k}.0" for k in range(1000)) + "\n"
    assert gradgen.grad(function_of(text))(2.0) == pytest.approx(sum(range(1000)), rel=1e-12)


@pytest.mark.parametrize("mode", ["grad", "value_and_grad"])
def test_trap_36_an_unused_argument_gets_zeros(mode):
    f = function_of(with_body("return x * x", "x, s, a, b, p"))
    make = getattr(gradgen, mode)
    args = (1.5, 2.0, np.ones((2, 3)), np.ones(2, np.float32), {"w": np.ones(2), "k": [1.0]})
    result = make(f, wrt=("s", "a", "b", "p"))(*args)
    s, a, b, p = result[1] if mode == "value_and_grad" else result
    assert s == 0.0
    assert isinstance(s, float)
    assert a.shape == (2, 3)
    assert not a.any()
    assert b.dtype == np.float32
    assert b.shape == (2,)
    assert p["w"].tolist() == [0, 0]
    assert p["k"] == [0.0]


def test_trap_36_an_argument_that_is_used_without_effect_gets_zeros():
    f = function_of(with_body("t = x * 5\ny = np.floor(x) + np.sum(np.sign(x))\nreturn np.sum(y)"))
    assert gradgen.grad(f)(X).tolist() == [0, 0, 0]


# -- 37: return x ----------------------------------------------------------------------------------


def test_trap_37_the_derivative_of_a_result_that_is_an_argument_is_one():
    f = function_of("def f(x):\n    return x\n")
    assert gradgen.value_and_grad(f)(3.0) == (3.0, 1.0)
    assert gradgen.value_and_grad(f)(np.float32(3.0)) == (3.0, 1.0)
    f = function_of("def f(x, y):\n    return y\n")
    assert gradgen.value_and_grad(f, wrt=("x", "y"))(3.0, 4.0) == (4.0, (0.0, 1.0))


def test_trap_37_no_result_aliases_an_argument():
    f = function_of("def f(x, a):\n    return np.sum(x * a), x\n")
    x, a = X.copy(), DATA.copy()
    (value, aux), slope = gradgen.value_and_grad(f, has_aux=True)(x, a)
    assert value == np.sum(x * a)
    slope += 1
    assert a.tolist() == DATA.tolist()
    assert np.array_equal(aux, X)


def test_trap_37_a_gradient_that_is_an_argument_is_a_fresh_array():
    for text in ("def f(x, a):\n    return np.sum(x * a)\n", "def f(x, a):\n    return np.dot(x, a)\n",
                 "def f(x, a):\n    return x @ a\n"):  # fmt: skip
        a = DATA.copy()
        slope = gradgen.grad(function_of(text))(X, a)
        assert np.array_equal(slope, a)
        assert not np.shares_memory(slope, a)


def test_trap_37_constants_have_gradient_zero():
    assert gradgen.value_and_grad(function_of("def f(x):\n    return 3.0\n"))(2.0) == (3.0, 0.0)


# -- 38: what is captured --------------------------------------------------------------------------


def test_trap_38_a_captured_global_is_bound_under_its_name():
    g = gradgen.value_and_grad(function_of(with_body("return np.sum(W * x * k)"), W=DATA, k=2.5))
    value, slope = g(X)
    assert value == np.sum(DATA * X * 2.5)
    same(slope, DATA * 2.5)
    assert "W" in g.source
    assert "k = 2.5" in g.source


def test_trap_38_a_later_change_of_a_global_does_not_matter():
    f = function_of(with_body("return k * x"), k=2.0)
    g = gradgen.grad(f)
    assert g(1.0) == 2.0
    f.__globals__["k"] = 3.0
    assert g(1.0) == 2.0
    assert gradgen.grad(f)(1.0) == 3.0


def test_trap_38_closures_are_captured():
    text = "def make(k, W):\n    def f(x):\n        return k * np.sum(W * x)\n    return f\n"
    make = function_of(text, "make")
    agree(make(2.5, DATA), X)
    agree(make(-1.0, 2.0), X)
    text = "def make():\n    def f(x):\n        return x * later\n    later = 3.0\n    return f\n"
    agree(function_of(text, "make")(), 2.0)


def test_trap_38_captured_containers_and_dtypes():
    names = {"P": {"W": DATA, "k": [2.0, (3.0, X)]}, "h": np.float32(0.5), "n": 3, "flag": True}
    body = "y = P['W'] * P['k'][1][1] * x\nreturn np.sum(y) * P['k'][0] * (h if flag else n) * n"
    agree(function_of(with_body(body), **names), X)


def test_trap_38_a_large_array_is_never_a_literal():
    f = function_of(with_body("return np.sum(W * x)"), W=LARGE)
    assert "4999" not in gradgen.value_and_grad(f, shapes="x=5000").source
    agree(f, np.ones(5000)[:1])
    with pytest.raises(GradgenError, match=r"the captured array W is too large.*argument"):
        gradgen.emit(f, shapes="x=5000")
    small = gradgen.emit(function_of(with_body("return np.sum(W * x)"), W=DATA), shapes="x=3")
    assert "W = np.array([1.0, 2.0, 3.0])" in small


@pytest.mark.parametrize(
    "text",
    [
        "k = 2.0\ndef g(z):\n    k = 5.0\n    return z * k\ndef f(x):\n    return g(x) * k\n",
        "k = 2.0\ndef g(z):\n    return z * k\ndef f(k):\n    return g(k) * k\n",
        "x = 2.0\ndef g(z):\n    return z * x\ndef f(x):\n    return g(x * x)\n",
        "k = 2.0\ndef g(z):\n    return z * k\ndef f(x):\n    k = x * x\n    return g(k) * k\n",
        "k = 2.0\ndef g(z):\n    return z * k\ndef f(x):\n    k = g(x)\n    k = g(k) + k\n    return k\n",
        "d_x = 2.0\ndef f(x):\n    return np.sin(x * d_x) ** 2 * d_x\n",
        "value = 2.0\nt = 3.0\nt1 = 4.0\ndef f(x):\n    return np.sin(x * t) ** t1 * value * t\n",
        "f_grad = 2.0\nf_value_and_grad = 3.0\ndef f(x):\n    return x * f_grad * f_value_and_grad\n",
        "np_ = 2.0\nk = np.array([1.0, 2.0])\ndef g(k):\n    return k * np_\n"
        "def f(x):\n    return g(x) * k[1]\n",
    ],
)
def test_trap_38_a_captured_name_may_be_a_local_or_a_parameter_elsewhere(text, tmp_path):
    agree(function_of(text), 1.5)
    agree_in_text(tmp_path / "a.py", text, 1.5)


def test_trap_38_globals_of_two_modules_with_one_name(tmp_path):
    (tmp_path / "beside.py").write_text("k = 3.0\ndef g(x):\n    return x * k\n")
    text = "from beside import g\nk = 2.0\ndef f(x):\n    return g(x) * x * k\n"
    emitted = {}
    exec(text_of(tmp_path / "a.py", text), emitted)
    assert emitted["f_value_and_grad"](1.5) == (13.5, 18.0)


@pytest.mark.parametrize("held", [object(), 1j, "text", np.array([1, None]), np.ma.ones(2)])
def test_trap_38_what_is_no_number_is_refused_by_name(held):
    refused("return x * K", 2.0, match=r"`K`|a string", K=held)


def test_trap_38_text_the_definition_is_copied(tmp_path):
    text = "W = np.array([1.0, 2.0, 3.0])\nk = 2 * np.pi\nj = k ** 2\n"
    emitted = agree_in_text(
        tmp_path / "a.py", text + with_body("return np.sum(W * x) * k * j"), X, shapes="x=3"
    )
    assert "W = np.array([1.0, 2.0, 3.0])\n" in emitted
    assert "k = 2 * np.pi\n" in emitted


@pytest.mark.parametrize(
    "definition",
    [
        "W = open('w.txt').read()", "W = np.random.rand(3)", "W = np.load('w.npy')",
        "import os\nW = os.environ['W']", "W = object()", "W = input()",
    ],
)  # fmt: skip
def test_trap_38_text_what_is_no_pure_expression_is_refused(definition, tmp_path):
    with pytest.raises(SourceError):
        text_of(tmp_path / "a.py", definition + "\n" + with_body("return np.sum(W * x)"), "x=3")


@pytest.mark.parametrize(
    "change",
    [
        "W = np.ones(3)\nW = np.zeros(3)", "W = 1.0\nW += 1", "W = np.ones(3)\nW[0] = 2",
        "W = np.ones(3)\nV = W\nV += 1", "W = np.ones(3)\nV = W[1:]\nV[0] = 7",
        "W = np.ones(3)\nV = W.reshape(3, 1)\nV[0] = 7", "W = np.ones(3)\nV = [W]\nV[0][0] = 7",
        "W = np.ones(3)\nV = {'a': W}\nV['a'] += 7", "W = np.ones(3)\nnp.copyto(W, 5.0)",
        "V = {}\nW = np.ones(3)\nV['a'] = W\nV['a'][1] = 7",
        "W = np.ones(3)\nW.fill(5.0)", "W = np.ones(3)\nnp.add(W, 1, out=W)",
        "W = np.ones(3)\nfor w in [W]:\n    w[0] = 3",
        "W = np.ones(3)\ndef init():\n    W[0] = 9\ninit()",
        "W = np.ones(3)\ndef init(a):\n    a[0] = 9\ninit(W)",
        "W = np.ones(3)\ndef init(a):\n    a += 9\n    return 1\ndef outer(b):\n    return init(b)\n"
        "V = outer(W)",
        "W = np.ones(3)\ndef init():\n    V = W\n    V[0] = 9\ninit()",
        "W = 1.0\ndef init():\n    global W\n    W = 2.0\ninit()",
        "W = 1.0\nif True:\n    W = 2.0", "if True:\n    W = 2.0\nelse:\n    W = 1.0",
        "W = 1.0\ntry:\n    W = 2.0\nexcept ValueError:\n    pass",
        "for W in [1.0, 2.0]:\n    pass", "W = 1.0\ndel W\nW = 2.0", "V = (W := 2.0)",
        "V = [W := 1.0 for _ in range(2)]", "W = 1.0\nglobals()['W'] = 2.0",
        "W = 1.0\nexec('W = 2.0')", "W = 1.0\nimport sys\nsetattr(sys.modules[__name__], 'W', 2.0)",
        "W = 2.0\nif __name__ != '__main__':\n    W = 3.0", "W, V = 1.0, 2.0\nW, V = V, W",
        "import contextlib\nwith contextlib.nullcontext(2.0) as W:\n    pass",
        "match 2.0:\n    case W:\n        pass", "def W(): pass\nW = 2.0",
    ],
)  # fmt: skip
def test_trap_38_text_a_name_that_is_changed_is_refused(change, tmp_path):
    with pytest.raises(SourceError, match=r"bound conditionally or changed later|not a plain"):
        text_of(tmp_path / "a.py", change + "\n" + with_body("return np.sum(W * x)"), "x=3")


@pytest.mark.parametrize(
    "around",
    [
        "W = np.ones(3)\nnp.random.seed(0)\nnp.geterr()\nnp.get_printoptions()",
        "import sys\nsys.path.insert(0, '.')\nW = np.ones(3)\nsys.path.pop(0)",
        "W = np.ones(3)\nV = W.copy()\nV[0] = 3.0\nprint(end='')",
        "W = np.ones(3)\nV = 2 * W\nV += 1",
        "W = np.ones(3)\ndef g(n):\n    out = np.zeros(n)\n    out[0] = W[0]\n    return out\nV = g(3)",
        "W = np.ones(3)\ndef g(W):\n    W[0] = 7\n    return W\n",
        "W = np.ones(3)\nclass A:\n    W = 2\n    def __init__(self, W):\n        self.W = W\n",
        "W = 2.0\nV = np.ones(3) * W\nV[0] = W",
        "W = np.ones(3)\nif __name__ == '__main__':\n    W[0] = 2\n    W = 3\n    W += 1\n",
        "W: float = 2.0",
        "W = V = 2.0",
    ],
)
def test_trap_38_text_a_name_that_stays_is_read(around, tmp_path):
    text = around + "\n" + with_body("return np.sum(W * x)")
    agree_in_text(tmp_path / "a.py", text, X, shapes="x=3")


def test_trap_38_text_a_tuple_of_numbers_stays_whatever_is_done_with_its_items(tmp_path):
    around = "P = ((0, 1), (1, 2))\ndef g(held):\n    for i in P:\n        held.add(i)\n"
    body = "y = 0.0\nfor i, j in P:\n    y = y + x[i] * x[j] ** 2\nreturn y"
    agree_in_text(tmp_path / "a.py", around + with_body(body), X, shapes="x=3")
    items = "P = ([0, 1], [1, 2])\ndef g():\n    for i in P:\n        i[0] = 2\ng()\n"
    with pytest.raises(SourceError, match="bound conditionally or changed later"):
        text_of(tmp_path / "a.py", items + with_body(body), "x=3")


@pytest.mark.parametrize(
    "shadow",
    ["sum = max", "def sum(a): return 3 * a", "class sum: pass", "import json as sum",
     "V = (sum := max)", "for sum in [max]: pass", "if True:\n    sum = max"],
)  # fmt: skip
def test_trap_38_text_a_builtin_that_the_module_shadows_is_never_the_builtin(shadow, tmp_path):
    path = tmp_path / "a.py"
    try:
        emitted = text_of(path, shadow + "\n" + with_body("return sum([x, 1.0])"))
    except GradgenError:
        return
    assert "value = sum(" not in emitted


# -- 39: hostile names -----------------------------------------------------------------------------

HOSTILE = [
    "d_x", "np", "math", "value", "_g0", "lambda_", "beta", "gamma", "S", "N", "Q", "E", "I", "t",
    "t_1", "seed", "saved", "len", "sum", "type", "abs", "max", "float", "numpy", "d_", "g", "out",
    "where", "print", "pi", "e", "f", "f_value_and_grad", "d_d_x", "value_1", "d_value", "inf", "self",
    "int", "range", "tuple", "scipy", "np_1", "result", "zeros_like", "_", "__", "O", "C", "zoo", "oo",
    "Symbol", "Integer", "grads", "d_y", "t_2", "sin", "log", "match", "case", "cls",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_trap_39_a_parameter_may_have_any_name(name):
    other = "q" if name != "q" else "r"
    text = f"import numpy as _n\ndef f({name}, {other}):\n    z = _n.sin({name} * {other}) ** 2\n"
    text += f"    return z * {name} + _n.exp({other} * {name}) * z\n"
    f = function_of(text, head="")
    _, slopes = gradgen.value_and_grad(f, wrt=(name, other))(0.7, 0.4)
    for k in range(2):
        same(slopes[k], differences(f, (0.7, 0.4), k))


@pytest.mark.parametrize("name", HOSTILE)
def test_trap_39_an_array_parameter_may_have_any_name(name):
    text = f"import numpy as _n\ndef f({name}, w_):\n    z = _n.tanh({name}) * w_\n"
    text += f"    return _n.sum(z * z) + _n.max({name}) / _n.sum({name} ** 2)\n"
    f = function_of(text, head="")
    slopes = gradgen.grad(f, wrt=(0, 1))(X, DATA)
    for k in range(2):
        same(slopes[k], differences(f, (X, DATA), k))


@pytest.mark.parametrize("name", HOSTILE)
def test_trap_39_a_local_may_have_any_name(name):
    text = f"import numpy as _n\ndef f(x, y):\n    {name} = _n.sin(x * y)\n    w = {name} * x\n"
    text += f"    {name} = {name} * w + {name} ** 2\n    return _n.exp({name}) * w\n"
    f = function_of(text, head="")
    _, slopes = gradgen.value_and_grad(f, wrt=("x", "y"))(0.7, 0.4)
    for k in range(2):
        same(slopes[k], differences(f, (0.7, 0.4), k))


@pytest.mark.parametrize("name", HOSTILE)
def test_trap_39_a_captured_name_may_be_any(name):
    text = f"import numpy as _n\ndef f(x):\n    return _n.sin(x * {name}) ** 2 * {name}\n"
    f = function_of(text, head="", **{name: 0.6}) if name != "f" else None
    if f is not None:
        _, slope = gradgen.value_and_grad(f)(0.7)
        same(slope, differences(f, (0.7,)))


@pytest.mark.parametrize("names", [
    ("np", "a"), ("numpy", "np"), ("np", "numpy", "numpy_"), ("np", "numpy_", "numpy"),
    ("special", "scipy"), ("special", "special_"),
])  # fmt: skip
@pytest.mark.parametrize("where", ["local", "global", "parameter"])
def test_trap_39_a_name_of_a_module_that_the_adjoint_needs(names, where):
    read = " * ".join(names)
    if where == "local":
        body = "\n".join(f"{name} = x * 0.5" for name in names)
        held, signature = {}, "x"
    else:
        body, held = "", dict.fromkeys(names, 2.0) if where == "global" else {}
        signature = "x" if where == "global" else ", ".join(("x", *names))
    body += f"\ny = N.abs(x) * {read}\nreturn N.sum(N.sin(y) * x) + N.sum(S.expit(y))"
    f = function_of(with_body(body.lstrip(), signature), head="", N=np, S=scipy.special, **held)
    agree(f, X, *([2.0] * len(names) if where == "parameter" else ()))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("mode", ["pair", "grad"])
def test_trap_39_names_in_the_other_modes(name, mode):
    text = f"import numpy as _n\ndef f({name}, w_):\n    z = _n.sin({name} * w_)\n"
    text += f"    return z * _n.exp(z * {name})\n"
    f = function_of(text, head="")
    emitted = {}
    exec(gradgen.emit(f, wrt=(0, 1), mode=mode), emitted)
    if mode == "pair":
        value, saved = emitted["f_forward"](0.7, 0.4)
        assert value == f(0.7, 0.4)
        slopes = emitted["f_backward"](saved, 1.0)
    else:
        slopes = emitted["f_grad"](0.7, 0.4)
    for k in range(2):
        same(slopes[k], differences(f, (0.7, 0.4), k))


def test_trap_39_many_hostile_names_at_once():
    names = [n for n in HOSTILE if n not in ("f", "math", "np")]
    text = f"import numpy as _n\ndef f({', '.join(names)}):\n    s = 0.0\n"
    text += "".join(f"    s = s + _n.sin({n}) * {n}\n" for n in names) + "    return s * s\n"
    f = function_of(text, head="")
    args = [0.1 + 0.01 * k for k in range(len(names))]
    slopes = gradgen.grad(f, wrt=tuple(names))(*args)
    for k in (0, 3, 17, len(names) - 1):
        same(slopes[k], differences(f, args, k))


# -- 40: Unicode names -----------------------------------------------------------------------------


def test_trap_40_names_are_compared_as_python_compares_them():
    ligature = "\N{LATIN SMALL LIGATURE FI}"
    assert unicodedata.normalize("NFKC", ligature) == "fi"
    f = function_of(f"def f({ligature}):\n    fi = {ligature} * 2\n    return {ligature} * fi\n")
    assert gradgen.value_and_grad(f, wrt="fi")(3.0) == (36.0, 24.0)


def test_trap_40_homoglyphs_are_kept_apart():
    latin, cyrillic, greek = "o", "\N{CYRILLIC SMALL LETTER O}", "\N{GREEK SMALL LETTER OMICRON}"
    text = f"def f({latin}, {cyrillic}, {greek}):\n    return {latin} * {cyrillic} ** 2 * {greek} ** 3\n"
    f = function_of(text)
    value, slopes = gradgen.value_and_grad(f, wrt=(latin, cyrillic, greek))(2.0, 3.0, 0.5)
    assert value == 2.25
    assert slopes == pytest.approx((1.125, 1.5, 13.5))


def test_trap_40_greek_and_chinese_names(tmp_path):
    text = "def f(α, 变):\n    σ = np.tanh(α * 变)\n    return σ * α\n"
    emitted = agree_in_text(tmp_path / "a.py", text, 0.7, 0.4)
    assert "σ = np.tanh(" in emitted
    assert "d_α" in emitted


# -- 41: where functions come from -----------------------------------------------------------------

first, second = lambda x: x * x, lambda x: x * x * x
same_names, third = (lambda y: np.sin(y)), (lambda y: np.cos(y))


def test_trap_41_two_lambdas_on_one_line():
    assert gradgen.grad(first)(3.0) == 6.0
    assert gradgen.grad(second)(3.0) == 27.0
    assert gradgen.grad(same_names)(0.5) == math.cos(0.5)
    assert gradgen.grad(third)(0.5) == -math.sin(0.5)
    pair = [lambda x: x + 1, lambda x: (lambda x: x * 5)(x)]
    assert [gradgen.grad(g)(3.0) for g in pair] == [1.0, 5.0]


def test_trap_41_two_lambdas_that_cannot_be_told_apart_are_right_or_refused():
    pair = [lambda x: x * x, lambda x: x * x]
    assert [gradgen.grad(g)(3.0) for g in pair] == [6.0, 6.0]


def test_trap_41_a_lambda_over_several_lines():
    f = (lambda x,  # noqa: E731
         y=2.0:
         x
         * y)  # fmt: skip
    assert gradgen.grad(f)(3.0) == 2.0


def test_trap_41_exec_without_a_source_is_refused():
    names = {}
    exec("def f(x):\n    return x * x\n", names)
    with pytest.raises(GradgenError, match="the source of f is not available"):
        gradgen.grad(names["f"])(1.0)
    with pytest.raises(GradgenError, match="the source of <lambda> is not available"):
        gradgen.grad(eval("lambda x: x * x"))(1.0)


def test_trap_41_a_notebook_cell_and_a_doctest():
    assert gradgen.grad(function_of("def f(x):\n    return x * x\n"))(3.0) == 6.0
    # a REPL or a doctest registers its lines the same way, under a name in angle brackets
    assert gradgen.grad(function_of("f = lambda x: x ** 3\n"))(2.0) == 12.0


def test_trap_41_a_function_edited_since_is_refused():
    import linecache

    f = function_of("def f(x):\n    return x * x\n", head="")
    path = f.__code__.co_filename
    text = "def f(x):\n    return x * x * x\n"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    with pytest.raises(GradgenError, match="is not the one that runs"):
        gradgen.grad(f)(1.0)


def test_trap_41_wrapped_functions_are_refused_by_name():
    f = function_of("import functools\n@functools.cache\ndef f(x):\n    return x * x\n")
    with pytest.raises(GradgenError, match=r"f is wrapped by a decorator.*__wrapped__"):
        gradgen.grad(f, shapes="x=scalar")
    assert gradgen.grad(f.__wrapped__)(3.0) == 6.0
    text = (
        "import functools\ndef twice(g):\n    @functools.wraps(g)\n    def h(x):\n"
        "        return 2 * g(x)\n    return h\n@twice\ndef f(x):\n    return x\n"
    )
    with pytest.raises(GradgenError, match=r"f is wrapped by a decorator.*__wrapped__"):
        gradgen.grad(function_of(text))(3.0)


def test_trap_41_live_what_a_decorator_left_is_what_is_read():
    f = function_of(
        "def twice(g):\n    return lambda x: 2 * g(x)\n@twice\ndef f(x):\n    return x\n"
    )
    assert gradgen.grad(f)(3.0) == 2.0
    f = function_of("def keep(g):\n    return g\n@keep\ndef f(x):\n    return x\n")
    assert gradgen.grad(f)(3.0) == 1.0


def test_trap_41_text_a_decorator_is_refused_by_name(tmp_path):
    for text in ("def keep(g):\n    return g\n@keep\ndef f(x):\n    return x\n",
                 "def keep(g):\n    return g\n@keep\ndef g(x):\n    return x\n"
                 "def f(x):\n    return g(x)\n"):  # fmt: skip
        with pytest.raises(SourceError, match="is decorated with keep"):
            text_of(tmp_path / "a.py", text)


class Model:
    rate = 0.5

    def __init__(self):
        self.W = DATA.copy()
        self.layers = [X.copy(), {"k": 3.0}]

    def loss(self, x):
        return self.rate * np.sum(self.W * x * self.layers[0]) * self.layers[1]["k"] + self.tail(x)

    def tail(self, x):
        return np.sum(x * x) * self.twice

    @property
    def twice(self):
        return 2 * self.rate

    def __call__(self, x):
        return self.loss(x) * 3

    @staticmethod
    def plain(x):
        return np.sum(x**3)

    @classmethod
    def of_class(cls, x):
        return np.sum(x) * cls.rate

    def store(self, x):
        self.W[0] = 3.0
        return np.sum(self.W * x)

    def bind(self, x):
        self.W = x
        return np.sum(self.W * x)

    def count(self, x):
        self.rate += 1
        return np.sum(self.rate * x)


def test_trap_41_methods_callables_and_static_methods():
    model = Model()
    for f in (model.loss, model, model.plain, Model.plain):
        agree(f, X)


def test_trap_41_class_methods_and_classes():
    agree(Model.of_class, X)
    with pytest.raises(GradgenError, match=r"is not a function|has no Python source"):
        gradgen.grad(Model)(X)


@pytest.mark.parametrize("name", ["store", "bind", "count"])
def test_trap_41_a_method_that_changes_its_object_is_refused(name):
    model = Model()
    before = copy.deepcopy(vars(model))
    with pytest.raises(SourceError):
        gradgen.grad(getattr(model, name))(X)
    np.testing.assert_equal(vars(model), before)


def test_trap_41_partials():
    f = function_of("def f(a, x, b=2.0):\n    return np.sum(a * x) * b\n")
    for g in (functools.partial(f, 3.0), functools.partial(f, 3.0, b=4.0)):
        agree(g, X)
    nested = functools.partial(functools.partial(f, 3.0), b=5.0)
    agree(nested, X)


def test_trap_41_default_keyword_only_and_positional_only_arguments():
    f = function_of("def f(x, /, y=2.0, *, z=3.0):\n    return x * y ** 2 * z\n")
    g = gradgen.value_and_grad(f, wrt=("x", "y", "z"), shapes="x=scalar, y=scalar, z=scalar")
    assert g(1.0) == (12.0, (12.0, 12.0, 4.0))
    assert g(1.0, 1.0, z=2.0) == (2.0, (2.0, 4.0, 1.0))
    with pytest.raises(TypeError):
        g(x=1.0)
    with pytest.raises(TypeError):
        g(1.0, 2.0, 3.0)


@pytest.mark.parametrize("signature", ["*x", "x, *rest", "x, **rest", "*, x, **kw"])
def test_trap_41_star_parameters_are_refused_by_name(signature, tmp_path):
    text = f"def f({signature}):\n    return 2.0\n"
    with pytest.raises(GradgenError, match=r"takes \*"):
        gradgen.grad(function_of(text))
    with pytest.raises(SourceError, match=r"takes \*"):
        text_of(tmp_path / "a.py", text)


def test_trap_41_what_has_no_source_is_refused_by_name():
    for f, name in ((np.sin, "sin"), (abs, "abs"), (math.exp, "exp")):
        with pytest.raises(GradgenError, match=f"{name} has no Python source"):
            gradgen.grad(f)(1.0)
    with pytest.raises(GradgenError):
        gradgen.grad(X.sum)(1.0)
    for f in (3, "f", X):
        with pytest.raises(GradgenError, match="is not a function"):
            gradgen.grad(f)
    with pytest.raises(GradgenError, match="a staticmethod object: put the decorator below it"):
        gradgen.grad(staticmethod(first))


# -- 42 and 43: constructs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "return (y := x * x) + y",
        "z = (y := x) * 2\nreturn z * y",
        "s = sum([(y := x * i) for i in range(3)])\nreturn s * y",
        "g = lambda v: (w := v * v) * w\nreturn g(x)",
        "return np.where(0 < x < 2, x ** 2, x)",
        "return np.where(0 < x < 2 < 1, x ** 2, x)",
        "return np.where(x > 1 > 2, x, x ** 3)",
        "return np.where(x > 1 < 2, x, x ** 3)",
        "return x if 1 < 2 else 2 * x",
        "return x * (3 if isinstance is None else 4)",
        "assert True\nassert 1 < 2, 'no'\nreturn x",
        "'''A docstring.'''\nreturn x * x",
        "...\npass\n'a string'\nreturn x * x",
        "y: float = x * 2\nz: int\nreturn y * x",
        "y = x\ndel y\ny = x * 3\nreturn y",
        "d = {f'W{k}': x * k for k in range(3)}\nreturn d['W1'] * d[f'W{2:d}'] * d['W' + '1']",
        "y = None\nreturn x if y is None else 2 * x",
        "y = 'mean'\nif y == 'mean':\n    return x * 2\nreturn x",
        "if 1 > 2:\n    raise ValueError('no')\nreturn x * x",
        "import math as m\nfrom numpy import cos as c\nreturn m.sin(x) * c(x)",
        "for i in range(5):\n    if i == 1:\n        continue\n    if i == 3:\n        break\n    x *= i + 2"
        "\nelse:\n    x = 0.0\nreturn x",
        "for i in range(3):\n    x += i\nelse:\n    x *= 2\nreturn x * x * i",
        "i = 0\nwhile i < 4:\n    i += 1\n    if i == 2:\n        continue\n    x *= i\nreturn x * x",
        "def g(n):\n    for i in range(9):\n        if i == n:\n            return i * x\nreturn g(4) * x",
    ],
)
def test_trap_42_what_is_supported(body):
    agree(function_of(with_body(body)), 1.5)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("return f'{x}'", "an f-string of a value that is not known"),
        ("d = {'1.5': x}\nreturn d[f'{x}']", "an f-string of a value that is not known"),
        ("return f'{1:q}'", "Unknown format code"),
        ("global G\nG = x\nreturn x", "`global` is not supported"),
        ("with np.errstate():\n    return x", "`with` is not supported"),
        ("try:\n    return x\nexcept ValueError:\n    pass", "`try` is not supported"),
        ("try:\n    return x\nfinally:\n    pass", "`try` is not supported"),
        ("try:\n    return x\nexcept* ValueError:\n    pass", "`try` is not supported"),
        ("yield x", "`yield` is not supported"),
        ("y = yield x\nreturn y", "`yield` is not supported"),
        ("yield from [x]", "`yield` is not supported"),
        ("match x:\n    case _:\n        return x", "`match` is not supported"),
        ("class A:\n    pass\nreturn x", "a class definition is not supported"),
        ("async def g():\n    pass\nreturn x", "async functions"),
        ("return {x}", "a set is not supported"),
        ("return {y for y in [x]}", "a set comprehension is not supported"),
        ("assert x > 0\nreturn x", "`assert` depends on a value"),
        ("assert 1 > 2\nreturn x", "this assertion fails"),
        ("raise ValueError('no')", "this `raise` is reached for every argument"),
        ("d = {'a': x}\ndel d['a']\nreturn x", "`del` of a part"),
        ("x.y = 1\nreturn x", "this target of an assignment"),
        ("x.y += 1\nreturn x", "augmented assignment to an attribute"),
        ("return x if x > 1 else 2 * x", "a conditional expression depends on a value"),
        ("return 'a'", "the function returns a string"),
        ("return np.sin", "the function returns numpy.sin"),
        ("return lambda: x", "the function returns the function <lambda>"),
        ("return (x for _ in range(2))", "the function returns a generator"),
        ("return None", "the function returns None"),
        ("x * 2", "the function returns None"),
        ("return x << 2", "this operation takes integers or masks"),
        ("return x * 1j", "a constant of type complex"),
        ("y = b'a'\nreturn x", "a constant of type bytes"),
        ("g = (x * i for i in range(3))\nreturn sum(g) + sum(g)", "a generator that is kept"),
        ("import random\nreturn x", "import of random inside a function"),
        ("from numpy import *\nreturn x", r"import \* only allowed|import from numpy"),
    ],
)
def test_trap_42_what_is_not_supported_is_refused_by_name(body, match, tmp_path):
    text = with_body(body)
    with pytest.raises(SourceError, match=match) as caught:
        text_of(tmp_path / "a.py", text)
    assert caught.value.lineno >= 3
    try:
        f = function_of(text)
    except SyntaxError:
        return
    with pytest.raises(SourceError, match=match):
        gradgen.grad(f, shapes="x=scalar")


def test_trap_42_nonlocal_and_await_and_async_for():
    refused("def g():\n    nonlocal x\n    x = x * 2\ng()\nreturn x", 1.5, match="`nonlocal`")
    text = "async def f(x):\n    return await x\n"
    with pytest.raises(GradgenError):
        gradgen.grad(function_of(text))(1.5)


def test_trap_42_iterators_are_used_up_as_in_python():
    for body in (
        "z = zip([x, x], [1.0, 2.0])\nreturn sum(a * b for a, b in z) + sum(a for a, b in z)",
        "z = enumerate([x, x * x])\nreturn sum(a * b for a, b in z) + sum(b for _, b in z)",
        "z = reversed([x, x * x])\nreturn sum(z) * 2 + sum(z)",
        "def h(g):\n    return sum(g) + 3 * sum(g)\nreturn h(x * i for i in range(3))",
        "v = [x, 1.0, 1.0]\nfor i, w in enumerate(v):\n    if i < 2:\n        v[i + 1] = w * x\n"
        "return v[2]",
        "v = [x]\nfor w in v:\n    if len(v) < 4:\n        v.append(w * x)\nreturn v[-1]",
        "v = [x, 2 * x]\nfor w, u in zip(v, [1, 2]):\n    v[1] = w * u\nreturn v[1] * v[0]",
    ):
        agree(function_of(with_body(body)), 1.5)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("print(x)\nreturn x", "print is not supported here"),
        ("return x * input()", "input is not supported"),
        ("return x * len(open('a').read())", "open is not supported"),
        ("return x * np.random.rand()", "numpy.random is not supported"),
        ("return x * rng.normal()", "normal has no Python source"),
        ("return x * random.random()", "random has no Python source"),
        ("return x * time.time()", "time has no Python source"),
        ("return eval('x')", "eval is not supported"),
        ("exec('y = 1')\nreturn x", "exec is not supported"),
        ("return locals()['x']", "locals is not supported"),
        ("return globals()['x']", "globals is not supported"),
        ("return getattr(x, 'sin')(x)", "getattr is not supported"),
        ("setattr(box, 'a', x)\nreturn x", "setattr is not supported"),
        ("return x * id(x)", "id is not supported"),
        ("return x * hash('a')", "hash is not supported"),
        ("A[0] = x\nreturn A[0] * x", "this changes `A`, which outlives the call"),
        ("A += x\nreturn A[0] * x", "`A` is used before it is assigned"),
        ("a = A\na += x\nreturn a[0] * x", "this changes `A`, which outlives the call"),
        ("a = A[1:]\na[0] = x\nreturn a[0] * x", "this changes `A`, which outlives the call"),
        ("np.asarray(A)[0] = x\nreturn x", "this changes `A`, which outlives the call"),
        ("L.append(x)\nreturn L[-1] * x", "this changes `L`, which outlives the call"),
        ("L[0] = x\nreturn L[0] * x", "this changes `L`, which outlives the call"),
        ("L[0][0] = x\nreturn x", "this changes `L`, which outlives the call"),
        ("k = L\nk += [x]\nreturn k[-1]", "this changes `L`, which outlives the call"),
        ("k = L\nk *= 2\nreturn x", "this changes `L`, which outlives the call"),
        ("D['a'] = x\nreturn D['a'] * x", "this changes `D`, which outlives the call"),
        ("D.update(a=x)\nreturn D['a'] * x", "this changes `D`, which outlives the call"),
        ("D['a'] *= x\nreturn D['a']", "this changes `D`, which outlives the call"),
        ("box.a = x\nreturn x", "this target of an assignment"),
        ("def g(z):\n    L.append(z)\n    return z\nreturn g(x)", "this changes `L`"),
    ],
)
def test_trap_43_side_effects_are_refused(body, match):
    import random
    import time
    from types import SimpleNamespace

    kept = {"A": DATA.copy(), "L": [DATA.copy()], "D": {"a": 2.0, "b": DATA.copy()}}
    f = function_of(with_body(body), rng=rng, random=random, time=time, box=SimpleNamespace(),
                    **copy.deepcopy(kept))  # fmt: skip
    with pytest.raises(SourceError, match=match):
        gradgen.grad(f)(1.5)
    np.testing.assert_equal({k: f.__globals__[k] for k in kept}, kept)


def test_trap_43_the_same_from_a_file(tmp_path):
    text = "A = np.ones(3)\nL = [1.0]\nD = {{'a': 1.0}}\ndef f(x):\n    {}\n    return x\n"
    for body in (
        "A[0] = x",
        "L.append(x)",
        "D['a'] = x",
        "y = A\n    y += x",
        "y = L\n    y += [x]",
    ):
        with pytest.raises(SourceError, match=r"outlives the call|changed later"):
            text_of(tmp_path / "a.py", text.format(body))


def test_trap_43_a_default_that_is_changed_is_refused(tmp_path):
    for default, change in (("[]", "a.append(z)"), ("np.zeros(2)", "a += z"), ("{}", "a['k'] = z")):
        text = f"def h(z, a={default}):\n    {change}\n    return z\ndef f(x):\n    return h(x)\n"
        with pytest.raises(SourceError, match="outlives the call"):
            gradgen.grad(function_of(text))(1.5)
        with pytest.raises(SourceError, match="outlives the call"):
            text_of(tmp_path / "a.py", text)


def test_trap_43_a_copy_of_a_global_may_be_changed():
    body = "a = A.copy()\na[0] = x\nk = L.copy()\nk.append(x)\nd = dict(D)\nd['a'] = x\n"
    body += "return a[0] * k[-1] * d['a'] * np.sum(a)"
    agree(function_of(with_body(body), A=DATA, L=[1.0], D={}), 1.5)


def test_trap_43_what_a_function_makes_it_may_change():
    body = "acc = []\ndef g(z):\n    acc.append(z)\ng(x)\ng(2 * x)\nreturn acc[0] * acc[1]"
    agree(function_of(with_body(body)), 1.5)


# -- 44: threads -----------------------------------------------------------------------------------


def threads(work):
    """Run `work(k)` in a hundred threads at once; their results."""
    results, barrier = [None] * 100, threading.Barrier(100)

    def run(k):
        barrier.wait()
        results[k] = work(k)

    running = [threading.Thread(target=run, args=(k,)) for k in range(100)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return results


def test_trap_44_a_hundred_threads_agree():
    body = "y = np.zeros(3)\nfor k in range(3):\n    y[k] = x[k] ** 2\nx *= 2\nreturn np.sum(y * x)"
    g = gradgen.value_and_grad(function_of(with_body(body)), shapes="x=3")
    for k, (value, slope) in enumerate(threads(lambda k: g(X + k))):
        want, want_slope = g(X + k)
        assert value == want
        assert np.array_equal(slope, want_slope)


def test_trap_44_a_hundred_threads_compile_the_same():
    f = function_of(with_body("return np.sum(x * x) * y", "x, y"))
    g = gradgen.grad(f)
    for k, slope in enumerate(threads(lambda k: g(X[: 1 + k % 3], float(k)))):
        same(slope, 2 * X[: 1 + k % 3] * k)


# -- 45: size --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "slope"),
    [
        ("+".join(["x"] * 2500), 2500.0),
        ("+".join(["(x * 1.0)"] * 1000), 1000.0),
        ("(" * 190 + "x" + ")" * 190, 1.0),
        ("(1.0 + " * 90 + "x" + ")" * 90, 1.0),
        ("-" * 1500 + "x", 1.0),
        ("-" * 1501 + "x", -1.0),
        ("x" + " - x" * 1999, -1998.0),
        ("np.sin(" * 80 + "x" + ")" * 80, None),
        ("abs(" * 90 + "x" + ")" * 90, 1.0),
        ("x" + "[0]" * 0, 1.0),
        (" if True else ".join(["x"] * 90), 1.0),
        ("(lambda y: " * 40 + "x" + ")(1.0)" * 40, 1.0),
        ("x * " * 300 + "1.0", None),
        ("x ** " * 60 + "1.0", None),
        ("[" * 90 + "x" + "]" * 90 + "[0]" * 90, 1.0),
    ],
)
def test_trap_45_what_cpython_parses_is_read_and_emitted(expression, slope, tmp_path):
    path = tmp_path / "a.py"
    emitted = {}
    exec(text_of(path, f"def f(x):\n    return {expression}\n"), emitted)
    theirs = {}
    exec(path.read_text(), theirs)
    x = 0.9375
    value, have = emitted["f_value_and_grad"](x)
    assert value == theirs["f"](x)
    assert have == pytest.approx(float(differences(theirs["f"], (x,))), rel=1e-6, abs=1e-8)
    assert slope is None or have == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize(
    "expression",
    ["(" * 500 + "x" + ")" * 500, "-" * 200_000 + "x", "[" * 400 + "x" + "]" * 400,
     "x" + "()" * 200_000, "f(" * 300 + "x" + ")" * 300],
)  # fmt: skip
def test_trap_45_what_cpython_does_not_parse_is_a_located_error(expression, tmp_path):
    with pytest.raises(SourceError) as caught:
        text_of(tmp_path / "a.py", f"def f(x):\n    return {expression}\n")
    assert caught.value.filename == str(tmp_path / "a.py")


@pytest.mark.parametrize("operator", ["+", "*", "-", "and", "or", "<", "|", "@"])
def test_trap_45_a_very_long_chain_is_emitted_or_a_located_error(operator, tmp_path):
    chain = f" {operator} ".join(["x"] * 50_000)
    try:
        text_of(tmp_path / "a.py", f"def f(x):\n    y = {chain}\n    return x\n")
    except SourceError as error:
        assert error.lineno


@pytest.mark.parametrize("depth", [3_000, 20_000])
def test_trap_45_deep_graphs_are_emitted(depth, tmp_path):
    lines = "".join(f"    y = np.sin(y) + x * {k % 7}\n" for k in range(depth))
    emitted = {}
    exec(text_of(tmp_path / "a.py", f"def f(x):\n    y = x\n{lines}    return y\n"), emitted)
    value, slope = emitted["f_value_and_grad"](0.25)
    y, dy = 0.25, 1.0
    for k in range(depth):
        y, dy = np.sin(y) + 0.25 * (k % 7), np.cos(y) * dy + k % 7
    assert value == y
    assert slope == pytest.approx(dy, rel=1e-9)


def test_trap_45_a_deep_graph_of_used_once_values(tmp_path):
    lines = "".join("    x = x * 1.0001\n" for _ in range(5_000))
    emitted = {}
    exec(text_of(tmp_path / "a.py", f"def f(x):\n{lines}    return x\n"), emitted)
    assert emitted["f_value_and_grad"](1.0)[1] == pytest.approx(1.0001**5000, rel=1e-9)


def test_trap_45_deep_calls_are_read_or_refused(tmp_path):
    text = "def g(x, n):\n    return x if n == 0 else np.sin(g(x, n - 1))\n"
    emitted = {}
    exec(text_of(tmp_path / "a.py", text + "def f(x):\n    return g(x, 300)\n"), emitted)
    y = 0.5
    for _ in range(300):
        y = np.sin(y)
    assert emitted["f_value_and_grad"](0.5)[0] == y
    for call in ("g(x, 5000)", "g(x, -1)"):
        with pytest.raises(SourceError, match="nested more than 400 deep"):
            text_of(tmp_path / "a.py", text + f"def f(x):\n    return {call}\n")


def test_trap_45_endless_static_loops_are_refused(tmp_path):
    for body in ("while True:\n    pass", "for i in range(10 ** 12):\n    x += i",
                 "y = [x] * 10 ** 12", "y = [i for i in range(10 ** 9)]"):  # fmt: skip
        if body.startswith("while"):
            continue  # a million steps of nothing: covered by the limit on steps below
        with pytest.raises(SourceError, match="too long"):
            text_of(tmp_path / "a.py", with_body(body + "\nreturn x"))


def test_trap_45_the_recursion_limit_does_not_matter(tmp_path):
    limit = sys.getrecursionlimit()
    lines = "".join(f"    y = y * x + {k}.0\n" for k in range(500))
    text = f"def f(x):\n    y = x\n{lines}    return y * 0.0 + " + "+".join(["x"] * 900) + "\n"
    want = text_of(tmp_path / "a.py", text)
    sys.setrecursionlimit(limit * 20)
    try:
        assert text_of(tmp_path / "a.py", text) == want
    finally:
        sys.setrecursionlimit(limit)


# -- 47: large integers ----------------------------------------------------------------------------


def test_trap_47_integers_beyond_4300_digits_are_refused(tmp_path):
    digits = "9" * 4301
    for body in (f"return x * {digits}", f"y = -{digits}\nreturn x", "return x * (9 ** 9 ** 9)",
                 "y = 10 ** 4300\nreturn x", "y = (10 ** 2000) ** 3\nreturn x",
                 "y = 10 ** 3000\nz = y * y\nreturn x"):  # fmt: skip
        with pytest.raises(SourceError, match=r"4,?300|range of a float|integer"):
            text_of(tmp_path / "a.py", with_body(body))


def test_trap_47_a_captured_large_integer_is_refused_or_exact():
    for n in (10**308, 2**64, -(10**20)):
        f = function_of(with_body("return x * K"), K=n)
        assert gradgen.value_and_grad(f)(2.0) == (2.0 * n, float(n))
    for n in (10**4299, 10**5000):
        with pytest.raises((GradgenError, OverflowError)):
            gradgen.value_and_grad(function_of(with_body("return x * K"), K=n))(2.0)


def test_trap_47_large_integers_within_the_limit_are_exact(tmp_path):
    f = function_of(with_body("n = 3 ** 600\nreturn x * (n // 3 ** 598)"))
    assert gradgen.value_and_grad(f)(2.0) == (18.0, 9.0)


def test_trap_46_thousands_of_statements_are_emitted(tmp_path):
    # what 100,000 take is measured by tests/benchmarks/compile_cost.py
    lines = ["v = x"]
    lines += [f"v = math.sin(v) * 0.5 + v / {k + 2}.0 + x * x" for k in range(3000)]
    text = with_body("\n".join([*lines, "return v"]))
    emitted = text_of(tmp_path / "a.py", text)
    theirs, ours = {}, {}
    exec(HEAD + text, theirs)
    exec(emitted, ours)
    value, slope = ours["f_value_and_grad"](0.7)
    assert value == theirs["f"](0.7)
    # the recurrence v' = (cos(v) / 2 + 1 / (k + 2)) v' + 2 x, carried along by hand
    v, d_v = 0.7, 1.0
    for k in range(3000):
        d_v = (math.cos(v) * 0.5 + 1.0 / (k + 2)) * d_v + 1.4
        v = math.sin(v) * 0.5 + v / (k + 2.0) + 0.49
    assert slope == pytest.approx(d_v, rel=1e-12)


@pytest.mark.parametrize("body", [
    "z = np.array([max(w, 1), 2])\nz[0] = x[0]\nreturn np.sum(z * x[:2])",
    "z = np.full(3, min(w, 3))\nz[0] = x[0]\nreturn np.sum(z * x)",
    "z = np.full(3, w)\nz[0] = x[0]\nreturn np.sum(z * x)",
    "z = np.array([2 ** w, 1])\nz *= x[:2]\nreturn np.sum(z)",
    "z = np.full(3, w + 1)\nnp.add.at(z, [0, 0], x[0])\nreturn np.sum(z)",
])  # fmt: skip
def test_trap_35b_a_store_into_what_may_be_integers_is_refused(body):
    f = function_of(with_body(body, "x, w"))
    with pytest.raises(SourceError, match="whether this array holds floats or integers depends"):
        gradgen.grad(f, wrt=("x", "w"))(X, 2.0)


def test_trap_35b_a_choice_between_a_float_and_an_integer_may_be_either():
    f = function_of(
        with_body("z = np.array([max(w, 1), 2])\nz[0] = x[0]\nreturn np.sum(z)", "x, w")
    )
    with pytest.raises(SourceError, match="whether this array holds floats or integers depends"):
        gradgen.grad(f)(X, 2.0)


@pytest.mark.parametrize("body", [
    "z = np.array([max(w, 1) / 2, 2])\nz[0] = x[0]\nreturn np.sum(z * x[:2])",
    "z = np.full(3, w * 1.0)\nz[0] = x[0] * w\nreturn np.sum(z * x)",
    "z = np.full(3, w, dtype=float)\nz[0] = x[0]\nreturn np.sum(z * x)",
    "z = np.zeros(3)\nz[:] = w\nz[1] += x[0]\nreturn np.sum(z * x)",
    "z = np.array([w, x[0], 2])\nz[0] = x[1]\nreturn np.sum(z * x)",
])  # fmt: skip
def test_trap_35b_a_store_into_what_is_sure_to_be_floats_is_followed(body):
    agree(function_of(with_body(body, "x, w")), X, 0.5)
