"""`assert_grad_ok` for other projects: as a function, as a fixture, and its differences."""

import math
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from gradgen.differences import derivative
from gradgen.errors import GradgenError, SourceError
from gradgen.testing import assert_grad_ok

ROOT = Path(__file__).parent.parent
RANDOM = np.random.default_rng(0)
W, X, Y = RANDOM.normal(size=3), RANDOM.normal(size=(5, 3)), RANDOM.normal(size=5)


def loss(w, b, x, y):
    r = np.tanh(x @ w + b) - y
    return np.sum(r * r)


def slope(w, b, x, y):
    """The gradient by w and b, by hand."""
    t = np.tanh(x @ w + b)
    d = 2.0 * (t - y) * (1.0 - t * t)
    return d @ x, d.sum()


def by_w(w, b, x, y):
    return slope(w, b, x, y)[0]


def message(*args, **keywords):
    with pytest.raises(AssertionError) as error:
        assert_grad_ok(*args, **keywords)
    return str(error.value)


# -- what passes -----------------------------------------------------------------------------------


@dataclass
class Layer:
    W: np.ndarray
    name: str = "first"


class Pair(NamedTuple):
    a: float
    b: float


def norm(p):
    return np.sum(np.exp(p["W"] @ p["b"])) + p["c"][0] ** 3


def of_layer(layer):
    return np.sum(np.sin(layer.W))


def of_pair(p):
    return p.a * math.exp(p.b)


NESTED = {"W": X[:2], "b": W, "c": (1.5, None)}


@pytest.mark.parametrize(
    ("f", "args", "wrt"),
    [
        (loss, (W, 0.3, X, Y), None), (loss, (W, 0.3, X, Y), ("w", "b")),
        (loss, {"y": Y, "x": X, "b": 0.3, "w": W}, ("b", -2)), (loss, [W, 0.3, X, Y], 3),
        (norm, (NESTED,), None), (of_pair, (Pair(2.0, 0.5),), "p"),
        (of_layer, (Layer(W),), None),
        (lambda x: abs(x) + math.sqrt(x * x + 1.0), (-0.7,), None),
        (lambda x, y: np.hypot(x, y) + np.abs(x - y), (2, 5), (0, 1)),
        (lambda x: np.sum(np.sort(x) ** 2 * np.arange(3.0)), (W,), None),
        (lambda x: (x - 1.0) ** 2, (1.0,), None), (lambda x: x**3, (0.0,), None),
        (lambda x: math.log(x), (1e-9,), None), (lambda x: abs(x), (1e-9,), None),
        (lambda x: 1e-9 * x * x, (1e6,), None), (lambda x, y: x + 0.0 * y, (1.0, 2.0), (0, 1)),
        (lambda x: np.sum(np.floor(x) * 2.0), (W,), None),
        (loss, (W.astype("f4"), np.float32(0.3), X.astype("f4"), Y.astype("f4")), ("w", "b")),
    ],
)  # fmt: skip
def test_the_gradient_of_gradgen_passes(f, args, wrt):
    assert_grad_ok(f, args, wrt)


def test_one_of_several_results_is_chosen():
    assert_grad_ok(lambda x: (x, x * x), (3.0,), output=1)
    assert_grad_ok(lambda x: (x, x * x), (3.0,), output=1, grad=lambda x: 2.0 * x)
    with pytest.raises(GradgenError, match="returns a tuple of 2, not one number; output=K"):
        assert_grad_ok(lambda x: (x, x * x), (3.0,))


def test_a_gradient_by_hand_passes_for_a_function_that_gradgen_cannot_read():
    def root(x):
        while abs(math.exp(x) - 3.0 * x) > 1e3:
            x = x / 2.0
        return [math.exp, math.sin][0](x)

    assert_grad_ok(root, (0.3,), grad=math.exp)
    with pytest.raises(SourceError):
        assert_grad_ok(root, (0.3,))


def test_gradients_by_hand_pass():
    assert_grad_ok(loss, (W, 0.3, X, Y), grad=by_w)
    assert_grad_ok(loss, (W, 0.3, X, Y), ("w", "b"), grad=slope)
    assert_grad_ok(np.sin, (0.3,), grad=np.cos)  # a ufunc has no names


def test_the_arguments_are_left_as_they_are():
    def f(x):
        x *= 2.0
        return np.sum(x * x)

    def g(x):
        x *= 8.0
        return x

    x = np.array([1.0, 2.0])
    assert_grad_ok(f, (x,), grad=g)
    assert x.tolist() == [1.0, 2.0]


# -- what does not ---------------------------------------------------------------------------------

PLANTED = {
    "five times": lambda g: 5.0 * g,
    "sign": lambda g: -g,
    "relative 1e-7": lambda g: g * (1.0 + 1e-7),
    "nan": lambda g: g * np.nan,
    "inf": lambda g: g + np.inf,
    "zero": lambda g: 0.0 * g,
    "one of many": lambda g: g + np.where(np.arange(g.size).reshape(g.shape) == 1, 1e-6, 0.0),
    "nan in one of many": lambda g: np.where(g == g.max(), np.nan, g),
    "reversed": lambda g: g[::-1],
    "summed": lambda g: g.sum(),
    "a row too many": lambda g: np.stack([g, g]),
    "none": lambda g: None,
    "a tuple": lambda g: (g,),
    "complex": lambda g: g + 0j,
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED.keys())
def test_every_planted_error_is_caught(plant):
    assert "gradient" in message(loss, (W, 0.3, X, Y), grad=lambda *a: plant(by_w(*a)))


REAL_ONLY = {name: PLANTED[name] for name in ("five times", "sign", "relative 1e-7", "nan", "zero")}


@pytest.mark.parametrize("plant", REAL_ONLY.values(), ids=REAL_ONLY.keys())
def test_a_planted_error_is_caught_where_complex_numbers_do_not_work(plant):
    def f(x):
        return math.exp(x[0]) * abs(math.sin(x[1])) + math.sqrt(x[2])

    def g(x):
        e, s = math.exp(x[0]), math.sin(x[1])
        return np.array([e * abs(s), e * math.cos(x[1]) * np.sign(s), 0.5 / math.sqrt(x[2])])

    x = np.array([0.3, -0.8, 2.0])
    assert_grad_ok(f, (x,), grad=g)
    found = message(f, (x,), grad=lambda x: plant(g(x)))
    assert "by Richardson's differences" in found


def test_a_complex_step_that_is_wrong_does_not_count():
    # np.abs takes complex numbers, and its value has no imaginary part
    def f(x):
        return x * x + np.abs(x) * x.real

    assert_grad_ok(f, (np.float64(-2.0),), grad=lambda x: 2.0 * x - 2.0 * x)
    assert "Richardson" in message(f, (np.float64(-2.0),), grad=lambda x: 2.0 * x)


def test_the_message_names_the_worst_entry_both_values_and_the_arguments():
    # the derivative 4 w moves by 8 eps w with w, and is rounded: 4 * (24 + 12) eps
    def f(w, x):
        return np.sum(w * w * x)

    def g(w, x):
        found = 2.0 * w * x
        found[1, 0] = 12.5
        found[0, 1] += 1e-3
        return found

    w, x = np.array([[1.0, 2.0], [3.0, 4.0]]), 2.0
    assert message(f, (w, x), grad=g) == (
        "the gradient of f is wrong in 2 of 4 entries; the worst is that of w[1, 0]:\n"
        "  12.5 is given\n"
        "  12.0 is right (by complex step, ± 3e-14)\n"
        "  off by 0.5, 0.042 times its size\n"
        "with\n"
        "  w = array([[1., 2.],\n"
        "             [3., 4.]])\n"
        "  x = 2.0"
    )


def test_the_place_in_a_structure_is_named():
    def f(p):
        return p["c"][0] * p["d"].a

    def g(p):
        return {"c": (3.0,), "d": Pair(7.5, 0.0)}

    found = message(f, ({"c": (2.0,), "d": Pair(3.0, 1.0)},), grad=g)
    assert "the worst is that of p['d'].a:\n  7.5 is given\n  2.0 is right" in found


@pytest.mark.parametrize(
    ("gradient", "wanted"),
    [
        ({"c": 1.0}, "the gradient of p is a dict of 1, and not of the structure of p"),
        (1.0, "the gradient of p is a float, and not of the structure of p"),
        ({"c": 1.0, "d": None}, "the gradient of p['d'] is None; p['d'] has shape (2,)"),
        ({"c": 1.0, "d": np.ones((2, 1))},
         "the gradient of p['d'] is an array of shape (2, 1) and dtype float64; p['d'] has shape "
         "(2,)"),
    ],
)  # fmt: skip
def test_a_gradient_of_another_structure_is_wrong(gradient, wanted):
    args = ({"c": 1.0, "d": np.ones(2)},)
    assert message(lambda p: p["c"] + np.sum(p["d"]), args, grad=lambda p: gradient) == wanted


def test_a_tuple_is_asked_for_by_a_tuple():
    wanted = "the gradient is an array of shape (3,) and dtype float64; wrt asks for a tuple of 1"
    assert message(loss, (W, 0.3, X, Y), ("w",), grad=by_w) == wanted


def test_a_value_that_differs_is_wrong(monkeypatch):
    from gradgen import testing

    def build(*_):
        return lambda w, b, x, y: (np.nextafter(loss(w, b, x, y), 9.0), by_w(w, b, x, y))

    monkeypatch.setattr(testing, "build", build)
    found = message(loss, (W, 0.3, X, Y))
    assert found.startswith("the value of the emitted function is np.float64(")


@pytest.mark.parametrize(
    ("f", "x"),
    [(abs, 0.0), (lambda x: max(x, 0.0), 0.0), (lambda x: float(np.floor(x)), 2.0),
     (math.sqrt, 0.0), (np.sqrt, 0.0), (lambda x: x ** (1 / 3), 0.0),
     (lambda x: (x + 1e8) - 1e8, 0.3), (lambda x: abs(x - 0.3) + x, 0.3)],
)  # fmt: skip
@pytest.mark.parametrize("gradient", [0.0, 1.0, 0.5, math.inf])
def test_a_derivative_that_cannot_be_established_is_no_pass(f, x, gradient):
    assert "cannot be established" in message(f, (x,), grad=lambda x: gradient)


def test_a_value_that_is_not_finite_is_no_pass():
    assert "is nan here, which has no gradient" in message(
        lambda x: x * math.nan, (1.0,), grad=lambda x: math.nan
    )


@pytest.mark.parametrize(
    ("f", "args", "wrt", "wanted"),
    [
        (loss, W, None, "args is a tuple of arguments or a dict, not ndarray"),
        (loss, (W, 0.3, X, Y), "q", "wrt='q': the parameters are w, b, x, y"),
        (loss, (W, 0.3, X, Y), 4, "wrt=4: the parameters are w, b, x, y"),
        (loss, {"w": W}, "b", "wrt='b': args has no value for it"),
        (lambda x: x * 2.0, (W,), None,
         "<lambda> returns an array of shape (3,) and dtype float64, not one number"),
        (lambda x: None, (W,), None, "<lambda> returns None, not one number"),
    ],
)  # fmt: skip
def test_misuse_is_told_apart_from_a_wrong_gradient(f, args, wrt, wanted):
    with pytest.raises(GradgenError) as error:
        assert_grad_ok(f, args, wrt, grad=lambda *_, **__: 0.0)
    assert str(error.value) == wanted


def test_the_accuracy_can_be_chosen():
    assert_grad_ok(math.sin, (0.3,), grad=lambda x: math.cos(x) * 1.001, rtol=1e-2)
    message(np.sin, (0.3,), grad=lambda x: math.cos(x) * (1 + 1e-12), rtol=1e-15)


# -- differences -----------------------------------------------------------------------------------

SMOOTH = {
    "sin": (math.sin, math.cos),
    "exp": (math.exp, math.exp),
    "cube": (lambda x: x**3, lambda x: 3.0 * x * x),
    "log": (math.log, lambda x: 1.0 / x),
    "sqrt": (math.sqrt, lambda x: 0.5 / math.sqrt(x)),
    "reciprocal": (lambda x: 1.0 / x, lambda x: -1.0 / (x * x)),
    "fast": (lambda x: math.sin(300.0 * x), lambda x: 300.0 * math.cos(300.0 * x)),
    "steep": (lambda x: math.tanh(50.0 * (x - 1.0)), lambda x: 50 / math.cosh(50 * (x - 1)) ** 2),
    "high up": (lambda x: 1e4 + x * x, lambda x: 2.0 * x),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_differences_are_within_their_own_uncertainty(name):
    f, exact = SMOOTH[name]
    random = np.random.default_rng(1)
    sharp = 0
    for x in 10.0 ** random.uniform(-3.0, 0.7, 60):

        def value(h, x=x):
            try:
                return f(x + h)
            except (ValueError, ZeroDivisionError):
                return math.nan

        found = derivative(value, x)
        assert found is not None
        assert abs(found.value - exact(x)) <= found.error + 1e-14 * abs(exact(x))
        sharp += found.error <= 1e-8 * max(abs(exact(x)), abs(f(x)))
    assert sharp >= 50


# -- the plugin ------------------------------------------------------------------------------------


def pytest_run(folder, *args, **environ):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args], cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ}, capture_output=True,
        encoding="utf-8",
    )  # fmt: skip


def test_the_fixture_works_in_another_project(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_right(assert_grad_ok):\n"
        "    assert_grad_ok(lambda x: x * x, (3.0,))\n\n\n"
        "def test_wrong(assert_grad_ok):\n"
        "    assert_grad_ok(lambda x: x * x, (3.0,), grad=lambda x: x)\n",
        "utf-8",
    )
    done = pytest_run(
        tmp_path, "-p", "gradgen.pytest_plugin", "-W", "error", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "  3.0 is given" in done.stdout and "6.0 is right (by complex step" in done.stdout
    assert "testing.py" not in done.stdout  # the frames of gradgen are hidden


def test_a_project_that_does_not_use_it_loads_nothing(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n\ndef test_it():\n"
        "    assert 'gradgen.pytest_plugin' in sys.modules\n"
        "    assert {'gradgen.api', 'numpy', 'sympy', 'click'}.isdisjoint(sys.modules)\n",
        "utf-8",
    )
    done = pytest_run(tmp_path, "-p", "gradgen.pytest_plugin", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fixture_of_the_same_name_in_the_project_wins(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef assert_grad_ok():\n    return 'mine'\n", "utf-8"
    )
    (tmp_path / "test_it.py").write_text(
        "def test_it(assert_grad_ok):\n    assert assert_grad_ok == 'mine'\n", "utf-8"
    )
    done = pytest_run(tmp_path, "-p", "gradgen.pytest_plugin", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0


def test_the_entry_point_is_the_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"gradgen": "gradgen.pytest_plugin"}
    assert (ROOT / "gradgen" / "pytest_plugin.py").is_file()
