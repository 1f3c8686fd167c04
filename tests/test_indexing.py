"""Indices, masks and stores: gradients, what is refused, and slices that reach beyond their axis.

The reference is the user's own function: Richardson's extrapolation of central differences.
"""

import inspect
import random
import warnings

import numpy as np
import pytest
from agreement import agree
from test_structural import HEAD, arguments, compare, define, title

import gradgen
from gradgen.definitions import indexing as definitions
from gradgen.ops.indexing import are_all, are_apart
from gradgen.types import Dim, Type

# Statements of functions of a vector of 5 items, which is called with symbolic lengths too.
VECTOR = [
    "return np.sum(x[x > 1.0] ** 2)",
    "return np.mean(x[(x > 0.8) & (x < 1.3)] ** 2)",
    "return np.var(x[x > 0.8]) + np.std(x[x < 1.3])",
    "return np.sum(x[x > 5.0] ** 2) + np.sum(x[np.isnan(x)])",
    "return np.sum(x[x > 1.0] ** 2) * np.sum(x[x > 1.0])",
    "return np.sum(x[x > 0.8] * np.sin(x)[x > 0.8]) / len(x[x > 0.8])",
    "return np.sum(x[~(x > 1.0)] ** 2) / np.count_nonzero(x > 1.0)",
    "return np.sum(np.compress(x > 1, x) ** 2) + np.sum(np.extract(x > 1, x) ** 3)",
    "return np.sum(x[np.nonzero(x > 1)] ** 2) + np.mean(x[np.where(x > 1)] ** 2)",
    "return np.mean(x[np.flatnonzero(x > 1)] ** 2)",
    "return np.sum(x[np.argwhere(x > 1)[:, 0]] ** 2) + np.sum(x[np.argwhere(x > 1)] ** 3)",
    "return np.sum(x[x > 0.8][1:] * x[x > 0.8][:-1])",
    "return np.sum(np.sort(x[x > 0.8]) ** 3 * np.arange(np.count_nonzero(x > 0.8)))",
    "return np.max(x[x > 0.8]) * np.prod(x[x > 0.8])",
    "return np.sum(np.cumsum(x[x > 0.8]) ** 2) + x[x > 0.8] @ x[x > 0.8] ** 2",
    "return np.sum(np.concatenate([x[x > 1.0], x]) ** 3)",
    "return np.sum(x[x > 0.8] * x[x > 0.8][::-1]) * np.linalg.norm(x[x > 0.8])",
    "return np.sum(x[x > 0.8][x[x > 0.8] > 1.0] ** 2)",
    "return np.sum(np.select([x > 1.2, x > 0.9], [x**2, x**3], x))",
    "return np.sum(np.choose((x > 1).astype(int), [x**2, x**3]))",
    "return np.sum(np.take(x, [0, 7, -3], mode='wrap') ** 2)",
    "return np.sum(np.take(x, [0, 7, -3], mode='clip') ** 2)",
    "return x[np.argmax(x)] ** 2 * x[np.argmin(x)]",
    "return np.sum(x[np.argsort(x)[-2:]] ** 2)",
    "return np.sum(x[np.digitize(x, [0.8, 1.0])] ** 2)",
    "return x[np.searchsorted(np.sort(x), 1.0)] ** 2",
    "return np.mean(x[::2] ** 2) * np.mean(x[1::2]) + np.mean(x[::-2] ** 3)",
    "return np.mean(x[: len(x) // 2]) * np.mean(x[len(x) // 2 :] ** 2)",
    "m = x > 0.9\nu = x * x\nu[m] = 0.5\nreturn np.sum(u**2)",
    "m = x > 0.9\nu = x * x\nu[m] = x[m] * 2\nreturn np.sum(u**2)",
    "m = x > 0.9\nu = x * x\nu[m] += x[m] * 2\nu[~m] *= 3.0\nreturn np.sum(u**2)",
    "m = x > 0.9\nu = np.zeros_like(x)\nu[m] = x[m] ** 2\nu[~m] = -x[~m]\nreturn np.sum(u**2)",
    "m = x > 0.9\nu = x * 1.0\nu[m] = x[0]\nu[~m] /= x[1]\nreturn np.sum(u**3)",
    "m = x > 0.9\nm[0] = True\nreturn np.sum(x[m] ** 2)",
    "m = x > 0.9\nn = x < 1.3\nu = x * 1.0\nu[m] *= 2.0\nu[n] += x[n]\nu[m & n] -= 1.0\n"
    "return np.sum(u**3)",
    "u = x * 1.0\nu[np.nonzero(x > 1)] *= x[np.nonzero(x > 1)]\nreturn np.sum(u**2)",
    "u = x * 1.0\nu[np.argsort(x)] = x**2\nreturn np.sum(u * x)",
    "u = x * 1.0\nu[[0, 0, 1]] = x[1:4] ** 2\nreturn np.sum(u * x)",
    "u = x * 1.0\nu[[0, -5, 1]] = x[1:4] ** 2\nreturn np.sum(u * x)",
    "u = x * 1.0\nu[[0, 0, 1]] *= x[1:4]\nu[1:][::2] /= x[0]\nu[0] = x[1] * u[0]\nreturn u @ u",
    "u = x * 1.0\nu[:2] = np.sin(x[0]) - u[:2]\nu[1:3] = u[2:4] * x[1]\nreturn np.sum(u**3)",
    "u = x * 1.0\nu[[0, 0, 1]] += x[1:4] ** 2\nreturn np.sum(u * x)",
    "u = x * 1.0\nu[[0, 0, 1]] *= x[1:4] ** 2\nreturn np.sum(u * x)",
    "u = x * 1.0\nu[I] = x[1]\nu[J] = x[2] * u[1]\nreturn np.sum(u * x)",
    "u = x * 1.0\nu[np.arange(-2, 2)] = x[:4] ** 2\nreturn np.sum(u * x)",
    "u = x * 1.0\nu[np.arange(-3, 3)] += x[0] * u[np.arange(-3, 3)]\nreturn np.sum(u * x)",
    "u = x * 1.0\nnp.subtract.at(u, I, x[:3])\nnp.subtract.at(u, I, 2.0)\nreturn np.sum(u**2)",
    "u = x * 1.0\nu[0], u[1] = u[1], u[0]\nreturn u[0] ** 2 * u[1]",
    "u = x * 1.0\nu[0], u[1], *r = u[1] * 2, u[0], 3.0\nreturn u[0] ** 2 * u[1] + r[0]",
    "u = x * 1.0\nu[[0, 1]] = u[[1, 0]]\nreturn u[0] ** 2 * u[1]",
    "u = x * 1.0\nu[1:4] = u[0:3]\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[0:3] = u[1:4] * u[2:5]\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nv = u[1:]\nv[1:][0] = x[0] ** 2\nv *= 2.0\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nv = u[1:].copy()\nv[0] = 5.0\nreturn np.sum(u**2) + np.sum(v * x[1:])",
    "u = x * 1.0\nu[1::2] *= x[0]\nu[::-2] += 1.0\nreturn np.sum(u**2)",
    "L = []\nfor k in range(5):\n    L.append(x[k] ** k)\nreturn np.sum(np.array(L) ** 2)",
    "u = np.zeros(5)\nfor k in range(1, 5):\n    u[k] = u[k - 1] * 0.5 + x[k] ** 2\n"
    "return np.sum(u**2)",
    "i = np.argmax(x)\nu = x * 1.0\nu[i] = x[0] ** 2\nu[i - 1] += x[i]\nreturn np.sum(u**2)",
]
# The same of an array of shape (3, 4).
MATRIX = [
    "return np.sum(x[x > 1.0] ** 2)",
    "return np.sum(x[:, x[0] > 1] ** 2) + np.sum(x[..., x[0] > 1] ** 3)",
    "return np.sum(x[x[:, 0] > 1, 0] ** 2) + np.sum(x[x[:, 0] > 1, 1:] ** 3)",
    "return np.sum(x[None, x > 1] ** 2) + np.sum(x[:, None, x[0] > 0.9] ** 3)",
    "return np.sum(x[1, x[0] > 0.9] ** 2) + np.sum(x[x[:, 0] > 0.9, None] ** 3)",
    "return np.sum(np.mean(x[x[:, 0] > 0.6], axis=0) ** 2)",
    "return np.sum(np.var(x[:, x[0] > 0.9], axis=1))",
    "return np.sum(x[x[:, 0] > 0.9][:, x[0] > 0.9] ** 2)",
    "return np.sum(x[np.nonzero(x > 1)] ** 2) + np.sum(x[np.where(x > 1)[0]] ** 3)",
    "return np.sum(np.compress(x[0] > 0.9, x, axis=1) ** 2)",
    "return np.sum(np.compress(x[:, 0] > 0.9, x, axis=0) ** 2)",
    "return np.sum(np.extract(x > 1, x) ** 2)",
    "return np.sum(np.take(x, J, axis=0) ** 2) + np.take(x, 5) ** 3",
    "return np.sum(np.take_along_axis(x, np.argmax(x, axis=1)[:, None], axis=1) ** 2)",
    "return np.sum(x[x[:, 0] > 9.0] ** 2)",
    "return np.sum(x.T[x[0] > 0.9] ** 2)",
    "u = x * 1.0\nu[x > 1.0] = 0.5\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[x[:, 0] > 0.9] = x[0] ** 2\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[:, x[0] > 0.9] *= x[:, :1]\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[x[:, 0] > 0.9, 1:3] += x[0, :2]\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[[0, 0]] = x[1:3] ** 2\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[:, [0, 0, 1]] = x[:, 1:4] ** 2\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[[0, 0, 2], [1, 1, 1]] = x[0, :3] ** 2\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[[0, 0, 2], 1] += x[0, :3] ** 2\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[np.arange(1), [0, 0, 1]] += x[1, :3] ** 2\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[1, [0, 0, 2]] *= x[0, :3] ** 2\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[0], u[1] = u[1], u[0]\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nu[[0, 1]] = u[[1, 0]]\nreturn np.sum(u**2 * x)",
    "u = x * 1.0\nv = u[1]\nv[1:3] = x[0, :2] ** 2\nu[1, 2] = 3.0\n"
    "return np.sum(u**2 * x) + v[2] * v[1]",
    "u = x * 1.0\nnp.add.at(u, ([0, 0, 1], [1, 1, 2]), x[0, :3])\nreturn np.sum(u**2 * x)",
]
# What holds for one length only.
FIXED = [
    ("return np.sum(x[[True, False, True, False, True]] * x[:3])", (5,)),
    ("return np.sum(x[np.array([True, False, True])[:, None] & (x > 0.9)] ** 2)", (3, 4)),
    ("return np.sum(x[np.isin(np.arange(5), [1, 3])] ** 2)", (5,)),
    ("return np.sum(x[[True, False, True], [0, 1]] ** 2)", (3, 4)),
    ("u = x * 1.0\nu[::2] = x[:3] ** 2\nreturn np.sum(u**2)", (5,)),
    ("i = np.argmax(x, axis=1)\nu = x * 1.0\nu[np.arange(3), i] *= x[:, 0]\nreturn np.sum(u**2)",
     (3, 4)),
    ("u = x * 1.0\nu[np.arange(3), [0, 2, 1]] = x[:, 0] ** 2\nreturn np.sum(u**2 * x)", (3, 4)),
]  # fmt: skip
PROGRAMS = [
    *((text, (5,), "x=n") for text in VECTOR),
    *((text, (3, 4), "x=n m") for text in MATRIX),
    *((text, shape, "") for text, shape in FIXED),
]


def function(text, head="def f(x):"):
    return define(f"{HEAD}{head}\n" + "".join(f"    {line}\n" for line in text.splitlines()))


def slopes(f, x):
    """The gradient of `f` by Richardson's extrapolation of central differences."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):

        def central(h, place=place):
            up, down = x.copy(), x.copy()
            up[place] += h
            down[place] -= h
            return (f(up) - f(down)) / (2 * h)

        one, two, three = central(1e-4), central(5e-5), central(2.5e-5)
        first, second = (4 * two - one) / 3, (4 * three - two) / 3
        gradient[place] = (16 * second - first) / 15
    return gradient


@pytest.mark.parametrize(("text", "shape", "symbolic"), PROGRAMS)
def test_gradients_through_indices_and_stores_match_differences(text, shape, symbolic):
    f = function(text)
    x = arguments({"x": shape}, float)["x"]
    kept, want, value = x.copy(), slopes(f, x), f(x)
    concrete = f"x={' '.join(map(str, shape))}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shapes in filter(None, (concrete, symbolic)):
            found, gradient = gradgen.value_and_grad(f, shapes=shapes)(x)
            assert np.asarray(found).tobytes() == np.asarray(value).tobytes()
            np.testing.assert_allclose(gradient, want, rtol=1e-7, atol=1e-7)
        live = gradgen.grad(f)(x)
        np.testing.assert_allclose(live, want, rtol=1e-7, atol=1e-7)
        narrow = gradgen.grad(f, shapes=f"{concrete}:float32")(x.astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, want, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(x, kept)


# `concatenate` of slices of what a mask selects: the second reading refuses it.
CLOSED = [p for p in PROGRAMS if "np.prod(x[x" not in p[0]]


@pytest.mark.parametrize(("text", "shape", "symbolic"), CLOSED)
def test_what_is_emitted_is_differentiated_again(text, shape, symbolic):
    shapes = symbolic or f"x={' '.join(map(str, shape))}"
    source = gradgen.grad(function(text), shapes=shapes).source
    if "import numpy" not in source:
        source = f"import numpy as np\n{source}"
    g = define(f"{source}\n\ndef g(x):\n    return np.sum(f_grad(x) ** 2)\n", "g")
    x = arguments({"x": shape}, float)["x"]
    np.testing.assert_allclose(gradgen.grad(g, shapes=shapes)(x), slopes(g, x), rtol=1e-5,
                               atol=1e-5)  # fmt: skip


CASES = [
    ("take", "", "np.take(x, [0, 0, 2])", {"x": (3,)}, "complex"),
    ("take", "", "np.take(x, I, 1)", {"x": (2, 3)}, "complex"),
    ("take", "", "x.take(J, axis=-2)", {"x": (3, 2)}, "complex"),
    ("take", "", "np.take(x, 4)", {"x": (2, 3)}, "complex"),
    ("take_along_axis", "", "np.take_along_axis(x, I, None)", {"x": (2, 2)}, "complex"),
    ("take_along_axis", "", "np.take_along_axis(x, J, axis=0)", {"x": (2, 2)}, "complex"),
    ("take_along_axis", "", "np.take_along_axis(x, J[:, :1], 1)", {"x": (2, 3)}, "complex"),
    ("choose", "", "np.choose(K, [x, y, x * y])", {"x": (3,), "y": (3,)}, "complex"),
    ("choose", "", "np.choose(K + 2, [x, y], mode='wrap')", {"x": (3,), "y": ()}, "complex"),
    ("select", "", "np.select([K > 0, I > 0], [x, y])", {"x": (3,), "y": (3,)}, "complex"),
    ("compress", "", "np.compress([True, False, True], x, axis=1)", {"x": (2, 3)}, "complex"),
    ("index", "", "x[[True, False, True]]", {"x": (3,)}, "complex"),
    ("index_set", "u = x * x\nu[K] = y", "u", {"x": (3,), "y": (3,)}, "real"),
    ("index_set", "u = x * x\nu[K, 1:] = y", "u", {"x": (2, 3), "y": (2,)}, "real"),
    ("index_set", "u = x * x\nu[:, K] = y", "u", {"x": (2, 3), "y": (3,)}, "real"),
    ("index_set", "u = x * x\nu[K] *= y", "u", {"x": (3,), "y": ()}, "real"),
    ("index_sub", "u = x * x\nnp.subtract.at(u, K, y)", "u", {"x": (3,), "y": (3,)}, "real"),
]


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("case", CASES, ids=title)
def test_picked_items_have_the_users_gradient(case, inner):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, inner)
    assert not failures, "\n".join(failures)


def test_a_branch_that_select_does_not_take_leaks_no_nan():
    f = function("return np.sum(np.select([x > 0], [np.sqrt(x)], x**2))")
    with np.errstate(invalid="ignore"):
        assert gradgen.grad(f, shapes="x=n")(np.array([-1.0, 4.0])).tolist() == [-2.0, 0.25]


def test_a_mask_may_be_an_argument():
    f = function("return np.sum(x[m] ** 2 / np.count_nonzero(m))", "def f(x, m):")
    grad = gradgen.grad(f, wrt="x", shapes="x=n, m=n:bool")
    got = grad(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    assert got.tolist() == [1.0, 0.0, 3.0]  # 2 x / 2 where the mask is true
    assert grad(np.array([1.0]), np.array([True])).tolist() == [2.0]


def test_the_last_of_several_values_stored_at_one_place_takes_the_adjoint():
    f = function("u = x * 1.0\nu[i] = v\nreturn np.sum(u * w)", "def f(x, i, v, w):")
    grad = gradgen.grad(f, wrt=("x", "v"), shapes="x=n, i=k:int64, v=k, w=n")
    i = np.array([2, 0, 2, -1, 0])
    d_x, d_v = grad(np.ones(3), i, np.ones(5), np.array([10.0, 20.0, 30.0]))
    # By hand: place 2 takes the fourth value, place 0 the fifth.
    assert d_x.tolist() == [0.0, 20.0, 0.0]
    assert d_v.tolist() == [0.0, 0.0, 0.0, 30.0, 10.0]


@pytest.mark.parametrize(("text", "needed"), [
    ("return np.mean(x[:5] * x[:5])", 5),
    ("return np.mean(x[-4:])", 4),
    ("return np.mean(x[2:-2] ** 2)", 4),
    ("return np.mean(x[3:] ** 2)", 3),
    ("u = x * 1.0\nu[:4] = np.mean(u[:4])\nreturn np.sum(u**2)", 4),
    ("return np.mean(np.concatenate([x[2:], x]) ** 2)", 2),
])  # fmt: skip
def test_a_slice_beyond_its_axis_is_not_taken_to_be_as_long_as_it_says(text, needed):
    f = function(text)
    declared = gradgen.grad(f, shapes="x=n")
    for n in (needed - 1, needed + 1, needed + 3):
        x = np.linspace(1.0, 2.0, n)
        if n < needed:
            with pytest.raises(ValueError, match=f"f_grad needs n >= {needed}"):
                declared(x)
        else:
            np.testing.assert_allclose(declared(x), slopes(f, x), rtol=1e-7, atol=1e-7)
    live = gradgen.grad(f)
    for n in (needed + 4, needed + 1, needed + 2):
        x = np.linspace(1.0, 2.0, n)
        np.testing.assert_allclose(live(x), slopes(f, x), rtol=1e-7, atol=1e-7)


def test_live_gradients_of_short_arrays_divide_by_the_number_of_items_there_are():
    f = function("return np.mean(x[:5] * x[:5])")
    live = gradgen.grad(f)
    for n in (7, 3, 5, 1):
        x = np.linspace(1.0, 2.0, n)
        np.testing.assert_allclose(live(x), slopes(f, x), rtol=1e-7, atol=1e-7)


def test_two_lengths_of_which_one_cuts_the_other_are_compared_when_called():
    f = function("return np.mean(x[: len(y)] * 2.0) + np.sum(y)", "def f(x, y):")
    grad = gradgen.grad(f, wrt="x", shapes="x=n, y=m")
    assert grad(np.ones(3), np.ones(2)).tolist() == [1.0, 1.0, 0.0]
    with pytest.raises(ValueError, match="f_grad needs n >= m"):
        grad(np.ones(2), np.ones(3))


def test_a_check_of_a_length_that_the_user_wrote_is_kept():
    f = function('if len(x) < 3:\n    raise ValueError("short")\nreturn np.mean(x[2:])')
    grad = gradgen.grad(f, shapes="x=n")
    assert grad(np.ones(4)).tolist() == [0.0, 0.0, 0.5, 0.5]
    with pytest.raises(ValueError, match="needs n >= 3"):
        grad(np.ones(2))


def test_halves_stay_within_their_axis_for_every_length():
    f = function("h = len(x) // 2\nreturn np.mean(x[:h] * x[h : 2 * h])")
    grad = gradgen.grad(f, shapes="x=n")
    assert "needs" not in grad.source
    for n in (2, 3, 6, 7):
        x = np.linspace(1.0, 2.0, n)
        np.testing.assert_allclose(grad(x), slopes(f, x), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("text", "said"), [
    ("return np.sum(x[x > 0.5] * x)", "lengths count_true(1) and n meet elementwise"),
    ("return np.sum(x[x > 0.5] + x[x > 0.6])", "lengths count_true(1) and count_true(2) meet"),
    ("return np.sum(x[x > 0.5][:3])", "a slice may reach beyond its axis"),
    ("return np.sum(x[np.array([True, False])])", "a mask of length 2 selects along an axis of"),
    ("u = x * 1.0\nu[[[0, 1], [1, 2]]] = x[:4].reshape(2, 2)\nreturn np.sum(u)",
     "a store at an index of several axes"),
    ("np.put(x, [0], 1.0)\nreturn np.sum(x)", "write a[indices] = values"),
    ("u = x * 1.0\nnp.place(u, u > 1, 2.0)\nreturn np.sum(u)", "write a[mask] = values"),
    ("u = x * 1.0\nnp.putmask(u, u > 1, 2.0)\nreturn np.sum(u)", "np.where(mask, values, a)"),
    ("u = x * 1.0\nnp.copyto(u, x)\nreturn np.sum(u)", "a[...] = values"),
    ("u = np.outer(x, x)\nnp.fill_diagonal(u, 1.0)\nreturn np.sum(u)", "np.arange(n)] = value"),
    ("u = x * 1.0\nnp.multiply.at(u, [0, 0], x[:2])\nreturn np.sum(u)", "counts an item once"),
    ("return np.sum(np.piecewise(x, [x > 1], [2.0, 3.0]))", "y[mask] = f(x[mask])"),
    ("return np.sum(np.take(x, [0], mode='other'))", 'mode must be "raise", "wrap" or "clip"'),
    ("return np.sum(np.take(x, [0], out=x))", "unexpected keyword argument out"),
    ("return np.sum(np.compress([True], x))", "np.compress takes a mask as long as the axis"),
    ("return np.sum(np.extract(np.array([True]), x))", "np.extract takes a mask of the array's"),
    ("return np.nonzero(np.sum(x))[0]", "np.nonzero of a number"),
])  # fmt: skip
def test_what_indices_cannot_tell_is_refused(text, said):
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.grad(function(text), shapes="x=n")
    assert said in str(caught.value)


VALUES = [
    ("take", (np.arange(6.0).reshape(2, 3), np.array([[0, 1], [-1, 0]]), 1), {}),
    ("take", (np.arange(6.0).reshape(2, 3), np.array([7, -8]), None), {"mode": "wrap"}),
    ("take", (np.arange(6.0).reshape(2, 3), np.array([7, -8]), 0), {"mode": "clip"}),
    ("take_along_axis", (np.arange(6.0).reshape(2, 3), np.array([[0], [2]]), 1), {}),
    ("take_along_axis", (np.arange(6.0).reshape(2, 3), np.array([4, 0]), None), {}),
    ("choose", (np.array([0, 1, 0]), [np.arange(3.0), np.ones(3)]), {}),
    ("choose", (np.array([0, 5, -1]), [np.arange(3.0), np.ones(3)]), {"mode": "wrap"}),
    ("choose", (np.array([0, 5, -1]), [np.arange(3.0), np.ones(3)]), {"mode": "clip"}),
    ("select", ([np.array([True, False]), np.array([True, True])], [np.ones(2), np.zeros(2)]), {}),
    ("select", ([np.array([True, False])], [np.ones(2)], 7.0), {}),
    ("compress", (np.array([True, False, True]), np.arange(6.0).reshape(2, 3), 1), {}),
    ("compress", (np.array([True] * 5 + [False]), np.arange(6.0).reshape(2, 3)), {}),
    ("extract", (np.array([[True, False], [False, True]]), np.arange(4.0).reshape(2, 2)), {}),
]


@pytest.mark.parametrize(("name", "args", "keywords"), VALUES)
def test_a_definition_computes_what_numpy_computes(name, args, keywords):
    want = getattr(np, name)(*args, **keywords)
    got = getattr(definitions, name)(*args, **keywords)
    np.testing.assert_array_equal(got, want, strict=True)


def test_every_definition_is_compared_with_numpy():
    written = {n for n, f in inspect.getmembers(definitions, inspect.isfunction) if n[0] != "_"}
    assert written == {name for name, _, _ in VALUES}


def test_several_arrays_of_indices_that_may_repeat_are_refused_in_an_unknown_order():
    i, v = np.array([0, 0, 1])[::-1], np.array([1.0, 2.0, 3.0])[::-1]
    one, two = np.zeros(3), np.zeros((3, 3))
    one[i], two[i, i] = v, v
    assert (one[0], two[0, 0]) == (1.0, 2.0)  # NumPy stores from the first, and from the last
    f = function("u = np.outer(x, x)\nu[i, j] = v\nreturn np.sum(u)", "def f(x, i, j, v):")
    with pytest.raises(gradgen.GradgenError, match="the memory layout tells which value is"):
        gradgen.grad(f, wrt="v", shapes="x=n, i=k:int64, j=k:int64, v=k")


def test_one_array_of_indices_is_stored_from_the_first_to_the_last_in_every_layout():
    f = function("u = x * 1.0\nu[i] = v\nreturn np.sum(u * w)", "def f(x, i, v, w):")
    grad = gradgen.grad(f, wrt="v", shapes="x=n, i=k:int64, v=k, w=n")
    d_v = grad(np.ones(3), np.array([0, 0, 1])[::-1], np.ones(3)[::-1], np.array([5.0, 7.0, 9.0]))
    assert d_v.tolist() == [7.0, 0.0, 5.0]


def test_parts_that_are_said_to_be_apart_are_so_in_numpy():
    rng = random.Random(0)
    said = 0
    for _ in range(4_000):
        n = rng.randint(1, 6)
        known = rng.random() < 0.6
        bounds = [None, *range(-n - 1, n + 2)]
        parts = [
            rng.randint(-n, n - 1) if rng.random() < 0.3
            else slice(rng.choice(bounds), rng.choice(bounds), rng.choice([None, None, 1, 2]))
            for _ in range(rng.randint(1, 3))
        ]  # fmt: skip
        items = [("i", p) if isinstance(p, int) else ("s", p.start, p.stop, p.step) for p in parts]
        lead = rng.choice([(), (("s", None, None, None),), ("e",)])
        templates = [(*lead, item) for item in items]
        length = n if known else Dim.symbol("n")
        t = Type("array", "float64", (3, length) if lead else (length,))
        apart, whole = are_apart(templates, t), are_all(templates, t)
        said += whole
        for size in [n] if known else range(1, 9):
            counts = np.zeros(size)
            try:
                for part in parts:
                    counts[part] += 1
            except IndexError:
                continue
            assert not apart or counts.max() <= 1, (parts, size)
            assert not whole or (counts == 1).all(), (parts, size)
    assert said > 50


def test_an_adjoint_of_slices_that_make_up_an_array_is_stored_once():
    def f(x):
        return np.sum(np.sin(x[..., :3])) * np.sum(np.exp(x[:, 3:]))

    made = gradgen.value_and_grad(f, shapes="x=n 5")
    assert "d_x = np.empty((x.shape[0], 5))" in made.source
    assert "+=" not in made.source
    x = np.linspace(-1.0, 1.0, 10).reshape(2, 5)
    expected = np.zeros_like(x)
    expected[:, :3] = np.cos(x[:, :3]) * np.sum(np.exp(x[:, 3:]))
    expected[:, 3:] = np.sum(np.sin(x[:, :3])) * np.exp(x[:, 3:])
    np.testing.assert_allclose(made(x)[1], expected, rtol=1e-14)


def test_parts_that_are_scaled_in_place_are_scaled_in_place_in_the_adjoint():
    """`u[i] *= a` is so written, and its adjoint too; what a view hands back whole is no store."""

    def f(X, w):
        u = X * 3.0
        u[0][1] -= w[0] ** 2
        u[:, 0] *= 2.0
        return np.sum(u**2)

    source = gradgen.grad(f, shapes="X=n d, w=d").source
    stores = [line.strip() for line in source.splitlines() if "] " in line and "=" in line]
    assert stores == ["t1[1] -= w[0] ** 2", "u[0] = t1", "u[:, 0] *= 2.0", "d_u[:, 0] *= 2.0"]


@pytest.mark.parametrize("lines", [
    ["m.T[0] -= x[1]"], ["m.T[-1, 1] += x[0, 0]", "m.T[1:, ::2] *= 3.0"], ["m.T[..., 0] = 2.0"],
    ["t = m.T", "t[0] -= x[1]", "t *= 2.0"], ["m.T.T[0] *= 2.0", "m.T[0][1:] *= x[0, 1]"],
    ["t = m.T", "m[0] = 3.0", "m = m * 1.0", "t[1:] += 1.0", "m = m * t"],
    ["t = m.T", "t[:, 1] = t[:, 0] * 2.0", "m[0, 0] = 7.0", "m += t.T"],
    ["m.T[m.T > 1.0] = 0.5", "m.T[[0, 1]] *= 2.0"], ["t = m[1:].T", "t[0] = 3.0", "t.T[0] *= 2.0"],
    ["y = np.stack([m, m * m])", "y.T[0, 1] *= 3.0", "y.T[:, 0, 0] = 2.0", "m = y[0] + y[1]"],
])  # fmt: skip
def test_a_store_through_a_transpose_changes_the_array(lines):
    body = "".join(f"    {line}\n" for line in ["m = x * 1.5", *lines])
    f = define(f"{HEAD}def f(x):\n{body}    return np.sum(m**3)\n")
    x = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.25], [0.3, -2.0, 1.0]])
    agree(f, x)
    agree(f, x, shapes="x=n n")


def test_what_was_stored_and_an_axis_that_was_added_are_not_read_back_from_the_array():
    def f(x, w):
        y = np.zeros((2, len(x)))
        y[1, :] = np.sin(x)
        z = (y[1, :] * w)[:, None]
        return np.sum(z[:, 0] ** 2)

    source = gradgen.grad(f, shapes="x=n, w=n").source
    adjoints = source.rpartition("\n\n")[2]
    assert "None" not in adjoints and "zeros" not in adjoints and "empty" not in adjoints
    x, w = np.array([0.5, -1.25, 2.0]), np.array([1.0, 2.0, -3.0])
    agree(f, x, w)


def test_the_adjoint_of_a_sum_is_made_of_ones_that_are_stored_into():
    def f(x):
        y = x * x[0]
        y[y > 1.0] = 0.5
        y[:2] *= 3.0
        return np.sum(y)

    source = gradgen.grad(f, shapes="x=n").source
    adjoints = source.rpartition("\n\n")[2]
    assert "np.ones(len(x))" in adjoints and "broadcast_to" not in adjoints
    assert "copy" not in adjoints
    agree(f, np.array([0.75, -1.25, 2.0, 0.5]))
