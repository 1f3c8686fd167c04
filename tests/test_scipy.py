"""The conventions of `scipy.optimize`: emitted functions as they are, and `gradgen.flat`."""

import functools
import re
import subprocess
import sys
import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize, root

import gradgen

NEWTON = ("trust-ncg", "trust-constr")
MINIMIZERS = ("BFGS", "L-BFGS-B", *NEWTON)
T = np.linspace(0.0, 3.0, 20)
TRUTH = {"amplitude": 2.0, "rate": 0.7, "offset": np.array([0.5, -0.25])}
Y = 2.0 * np.exp(-0.7 * T) + 0.5 * np.cos(T) - 0.25 * np.cos(2.0 * T)
START = {"amplitude": 1, "rate": 1.0, "offset": np.zeros(2)}


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def scaled(x, a, b=1.0):
    return np.sum(a * (x - b) ** 4 + (x - b) ** 2)


def residuals(p, t, y):
    waves = p["offset"][0] * np.cos(t) + p["offset"][1] * np.cos(2.0 * t)
    return p["amplitude"] * np.exp(-p["rate"] * t) + waves - y


def misfit(p, t, y):
    return np.sum(residuals(p, t, y) ** 2)


def whole(p, t, y):
    """The same model, with the waves as a product of matrix and vector."""
    waves = np.stack([np.cos(t), np.cos(2.0 * t)], axis=1)
    return p["amplitude"] * np.exp(-p["rate"] * t) + waves @ p["offset"] - y


def circle(p):
    """Where the circle of radius 5 meets the line x - y = 1: at (4, 3)."""
    return {"circle": p["x"] ** 2 + p["y"] ** 2 - 25.0, "line": p["x"] - p["y"] - 1.0}


def circle_of(x):
    return np.array([x[0] ** 2 + x[1] ** 2 - 25.0, x[0] - x[1] - 1.0])


def straight(a, b, x, y):
    return np.mean((a * x + b - y) ** 2)


@dataclass
class Layer:
    weights: np.ndarray
    bias: float
    kind: str = "tanh"


class Pair(NamedTuple):
    scale: Any
    layers: list


def network(p, x):
    hidden = np.tanh(p.layers[0].weights @ x + p.layers[0].bias)
    return p.scale * np.sum(hidden**2) + np.sum(p.layers[1][0] ** 3)


def pair():
    weights = np.random.default_rng(1).normal(size=(2, 3))
    return Pair(np.float64(1.5), [Layer(weights, 0.25), (np.array([0.5, -1.0]),)])


def slopes(function, x, step=1e-6):
    """Central differences: the derivative by each number of `x`, stacked as the last axis."""
    moves = step * np.eye(x.size)
    found = [(np.asarray(function(x + m)) - function(x - m)) / (2 * step) for m in moves]
    return np.stack(found, axis=-1)


def frames_of(run):
    """How often the functions of this file, and emitted ones, were called: by name."""
    found = Counter()

    def note(frame, event, arg):
        code = frame.f_code
        if event == "call" and (code.co_filename == __file__ or "<gradgen" in code.co_filename):
            found[code.co_name] += 1

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return found


def second(hessp, method):
    return {"hessp": hessp} if method in NEWTON else {}


@pytest.mark.parametrize("method", MINIMIZERS)
def test_a_vector_needs_nothing_but_the_emitted_functions(method):
    value_and_grad, hvp = gradgen.value_and_grad(rosenbrock), gradgen.hvp(rosenbrock)
    start = np.array([-1.2, 1.0, 0.7])
    found = minimize(value_and_grad, start, jac=True, method=method, **second(hvp, method))
    assert found.success
    assert np.abs(found.x - 1.0).max() < 1e-3
    gradient = value_and_grad(start)[1]
    assert (gradient.dtype, gradient.shape) == (np.float64, (3,))
    assert gradient.flags.c_contiguous


@pytest.mark.parametrize("method", ["hybr", "lm"])
def test_a_system_of_one_vector_needs_nothing_but_the_emitted_jacobian(method):
    found = root(circle_of, [6.0, 1.0], jac=gradgen.jacobian(circle_of), method=method)
    assert np.abs(found.x - [4.0, 3.0]).max() < 1e-8


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_a_fit_of_one_vector_needs_nothing_but_the_emitted_jacobian(method):
    def decay(p, t, y):
        return p[0] * np.exp(-p[1] * t) - y

    args = (T, 2.0 * np.exp(-0.7 * T))
    jac = gradgen.jacobian(decay)
    found = least_squares(decay, [1.0, 1.0], jac=jac, args=args, method=method)
    assert np.abs(found.x - [2.0, 0.7]).max() < 1e-8


@pytest.mark.parametrize("method", MINIMIZERS)
def test_a_dict_of_parameters_is_fitted_by_every_minimizer(method):
    problem = gradgen.flat(misfit, START, T, Y)
    found = minimize(
        problem.fun, problem.x0, jac=problem.jac, method=method,
        **second(problem.hessp, method),
    )  # fmt: skip
    assert found.success
    fitted = problem.unflatten(found.x)
    assert list(fitted) == list(TRUTH)
    assert all(np.abs(fitted[name] - TRUTH[name]).max() < 1e-3 for name in TRUTH)


@pytest.mark.parametrize("method", NEWTON)
def test_arguments_beside_the_vector_stand_behind_the_direction(method):
    """SciPy calls `hessp(x, v, *args)`, also where `args` have the shape of `x` and `v`."""
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, -2.0, 0.5])
    value_and_grad, hvp = gradgen.value_and_grad(scaled), gradgen.hvp(scaled)
    found = minimize(value_and_grad, np.zeros(3), args=(a, b), jac=True, hessp=hvp, method=method)
    assert np.abs(found.x - b).max() < 1e-5
    x, v = np.array([0.5, 2.0, -1.0]), np.array([1.0, -1.0, 0.5])
    wanted = (12.0 * a * (x - b) ** 2 + 2.0) * v
    declared = gradgen.hvp(scaled, shapes="x=n, a=n, b=n")
    for made in (hvp, declared):
        np.testing.assert_allclose(made(x, v, a, b), wanted, rtol=1e-13)
    problem = gradgen.flat(scaled, np.zeros(3), a, b)
    found = minimize(problem.fun, problem.x0, jac=problem.jac, hessp=problem.hessp, method=method)
    assert np.abs(found.x - b).max() < 1e-5
    np.testing.assert_allclose(problem.hessp(x, v), wanted, rtol=1e-13)


@pytest.mark.parametrize("model", [residuals, whole])
@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_a_dict_of_parameters_is_fitted_by_least_squares(model, method):
    problem = gradgen.flat(model, START, T, Y)
    found = least_squares(problem.fun, problem.x0, jac=problem.jac, method=method)
    fitted = problem.unflatten(found.x)
    assert all(np.abs(fitted[name] - TRUTH[name]).max() < 1e-7 for name in TRUTH)


def test_bounds_are_written_as_the_parameters_are():
    problem = gradgen.flat(residuals, START, T, Y)
    lower = problem.flatten({"rate": 0.0, "offset": np.full(2, -1.0), "amplitude": 0})
    upper = problem.flatten({"amplitude": 1.5, "rate": 9.0, "offset": np.ones(2)})
    assert lower.tolist() == [0.0, 0.0, -1.0, -1.0]
    found = least_squares(problem.fun, problem.x0, jac=problem.jac, bounds=(lower, upper))
    assert abs(problem.unflatten(found.x)["amplitude"] - 1.5) < 1e-6


@pytest.mark.parametrize("method", ["hybr", "lm"])
def test_a_system_of_structures_is_solved(method):
    problem = gradgen.flat(circle, {"x": 6.0, "y": 1.0})
    found = root(problem.fun, problem.x0, jac=problem.jac, method=method)
    solved = problem.unflatten(found.x)
    assert abs(solved["x"] - 4.0) < 1e-8 and abs(solved["y"] - 3.0) < 1e-8
    assert problem.jac([4.0, 3.0]).tolist() == [[8.0, 6.0], [1.0, -1.0]]


def test_several_parameters_are_one_vector():
    x = np.array([0.0, 1.0, 2.0])
    problem = gradgen.flat(straight, 1, 0.0, x, 3.0 * x - 2.0, wrt=("b", "a"))
    assert problem.x0.tolist() == [0.0, 1.0]
    found = minimize(problem.fun, problem.x0, jac=problem.jac)
    intercept, slope = problem.unflatten(found.x)
    assert abs(slope - 3.0) < 1e-5 and abs(intercept + 2.0) < 1e-5
    assert problem.flatten((5.0, 6.0)).tolist() == [5.0, 6.0]


@pytest.mark.parametrize("function, args", [
    (misfit, (START, T, Y)), (network, (pair(), np.array([0.5, -1.0, 2.0]))),
    (rosenbrock, (np.full(3, 2.0),)),
])  # fmt: skip
def test_gradients_are_those_of_differences_and_what_scipy_takes(function, args):
    problem = gradgen.flat(function, *args)
    x = problem.x0 + 0.1
    assert type(problem.fun(x)) is float
    assert problem.fun(problem.x0) == pytest.approx(float(function(*args)), rel=1e-15)
    gradient, product = problem.jac(x), problem.hessp(x, x)
    for found in (problem.x0, gradient, product):
        assert (found.dtype, found.shape) == (np.float64, x.shape)
        assert found.flags.c_contiguous and found.flags.writeable
    assert np.allclose(gradient, slopes(problem.fun, x), rtol=1e-6, atol=1e-6)
    assert np.allclose(product, slopes(problem.jac, x) @ x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("function, args", [
    (residuals, (START, T, Y)), (whole, (START, T, Y)), (circle, ({"x": 6.0, "y": 1.0},)),
    (lambda W, b: (W @ b, np.sum(W, axis=0), b[0]), (np.ones((2, 3)), np.arange(3.0))),
])  # fmt: skip
def test_jacobians_are_those_of_differences_and_what_scipy_takes(function, args):
    problem = gradgen.flat(function, *args)
    x = problem.x0 + 0.1
    value, matrix = problem.fun(x), problem.jac(x)
    assert (value.dtype, matrix.dtype) == (np.float64, np.float64)
    assert matrix.shape == (value.size, x.size)
    assert matrix.flags.c_contiguous and value.flags.c_contiguous
    assert np.allclose(matrix, slopes(problem.fun, x), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("method", MINIMIZERS)
def test_value_and_gradient_at_one_vector_take_one_evaluation(method):
    problem = gradgen.flat(misfit, START, T, Y)
    problem.fun(problem.x0 + 1.0)  # compiled
    asked = []

    def run():
        options = second(problem.hessp, method)
        minimize(lambda x: asked.append(x.tobytes()) or problem.fun(x), problem.x0,
                 jac=lambda x: asked.append(x.tobytes()) or problem.jac(x),
                 method=method, **options)  # fmt: skip

    evaluated = frames_of(run)["misfit_value_and_grad"]
    assert evaluated == 1 + sum(x != y for x, y in pairwise(asked))
    if method in NEWTON:  # no gradient where a step is not taken
        assert len(asked) / 2 < evaluated < 0.75 * len(asked)
    else:
        assert evaluated == len(asked) / 2


@pytest.mark.parametrize("method", ["hybr", "lm"])
def test_what_root_asks_for_again_is_not_computed_again(method):
    problem = gradgen.flat(circle, {"x": 6.0, "y": 1.0})
    problem.jac(problem.x0 + 1.0)  # compiled
    values, matrices = [], []

    def run():
        root(
            lambda x: values.append(x.tobytes()) or problem.fun(x), problem.x0,
            jac=lambda x: matrices.append(x.tobytes()) or problem.jac(x), method=method,
        )  # fmt: skip

    frames = frames_of(run)
    assert frames["circle"] == len(set(values)) < len(values)
    assert frames["circle_jacobian"] == len(set(matrices)) < len(matrices)


def test_a_vector_that_is_written_over_is_another_vector():
    problem = gradgen.flat(rosenbrock, np.zeros(3))
    x = np.array([1.0, 1.0, 1.0])
    assert problem.fun(x) == 0.0
    x[0] = 0.0  # the buffer of an optimizer
    assert problem.fun(x) == 101.0
    assert problem.jac(x).tolist() == [-2.0, 200.0, 0.0]


def test_results_that_are_written_over_do_not_change_what_is_kept():
    """`least_squares` scales residuals and Jacobian in place where the loss is a robust one."""
    problem = gradgen.flat(residuals, START, T, Y)
    value, matrix = problem.fun(problem.x0), problem.jac(problem.x0)
    problem.fun(problem.x0)[:] = 0.0
    problem.jac(problem.x0)[:] = 0.0
    assert np.array_equal(problem.fun(problem.x0), value)
    assert np.array_equal(problem.jac(problem.x0), matrix)
    found = least_squares(problem.fun, problem.x0, jac=problem.jac, loss="soft_l1")
    assert np.abs(found.x - problem.flatten(TRUTH)).max() < 1e-6


def test_parameters_do_not_share_memory_with_the_vector():
    problem = gradgen.flat(rosenbrock, np.zeros(3))
    x = np.ones(3)
    problem.unflatten(x)[:] = 5.0
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_data_that_change_later_do_not_change_the_function():
    a, start = np.ones(3), np.zeros(3)
    problem = gradgen.flat(scaled, start, a)
    a[:], start[:] = 7.0, 7.0
    assert problem.x0.tolist() == [0.0, 0.0, 0.0]
    assert problem.fun(np.zeros(3)) == 6.0


def test_a_function_that_changes_its_data_is_refused_by_numpy():
    def centred(p, data):
        data["y"] -= np.mean(data["y"])
        return p[0] * data["y"]

    with pytest.raises(ValueError) as caught:
        gradgen.flat(centred, np.ones(1), {"y": np.arange(3.0)})
    assert str(caught.value) == "output array is read-only"


def test_unflatten_undoes_flatten_in_structures_shapes_and_dtypes():
    given = pair()
    given.layers[0].weights = given.layers[0].weights.astype(np.float32)
    problem = gradgen.flat(network, given, np.ones(3))
    x = problem.x0
    found = problem.unflatten(x)
    assert type(found) is Pair and type(found.scale) is np.float64
    assert type(found.layers) is list and type(found.layers[1]) is tuple
    layer = found.layers[0]
    assert type(layer) is Layer and type(layer.bias) is float and layer.kind == "tanh"
    assert layer.weights.dtype == np.float32 and layer.weights.shape == (2, 3)
    assert np.array_equal(layer.weights, given.layers[0].weights)
    assert np.array_equal(problem.flatten(found), x)
    assert problem.jac(x).dtype == np.float64


def test_numbers_of_32_bits_are_computed_with_as_such():
    problem = gradgen.flat(rosenbrock, np.array([0.3, 0.7, 0.2], np.float32))
    single = np.array([0.3, 0.7, 0.2], np.float32)
    value, gradient = gradgen.value_and_grad(rosenbrock)(single)
    assert value.dtype == np.float32
    assert problem.fun(problem.x0) == float(value)
    assert np.array_equal(problem.jac(problem.x0), gradient.astype(np.float64))


@pytest.mark.parametrize(
    "function", [lambda p: p["w"] * p["w"][0], lambda p: [p["w"][1], p["w"][0]]]
)
def test_numbers_of_32_bits_are_given_in_64(function):
    problem = gradgen.flat(function, {"w": np.array([2.0, 3.0], np.float32)})
    found = [problem.x0, problem.fun(problem.x0), problem.jac(problem.x0)]
    assert [part.dtype for part in found] == [np.float64] * 3


def test_a_jacobian_that_was_refused_is_not_asked_for_again(monkeypatch):
    problem = gradgen.flat(whole, START, T, Y)
    problem.jac(problem.x0)
    compiled = []
    monkeypatch.setattr("gradgen.live.read_live", lambda *args: compiled.append(args))
    problem.jac(problem.x0 + 1.0)
    assert compiled == []


def test_a_dict_of_another_class_keeps_its_class():
    problem = gradgen.flat(circle, OrderedDict(x=6.0, y=1.0))
    assert problem.unflatten([1.0, 2.0]) == OrderedDict(x=1.0, y=2.0)
    assert type(problem.unflatten([1.0, 2.0])) is OrderedDict
    assert problem.jac([4.0, 3.0]).tolist() == [[8.0, 6.0], [1.0, -1.0]]


def test_parameters_by_keyword_and_by_default_are_passed_on():
    def model(p, /, t=2.0, *, a):
        return (p - t) ** 2 * a + p**4

    problem = gradgen.flat(model, 1.5, a=3.0)
    assert problem.fun([1.5]) == pytest.approx(0.75 + 1.5**4)
    assert problem.jac([1.5]) == pytest.approx([-3.0 + 4 * 1.5**3])
    assert problem.hessp([1.5], [1.0]) == pytest.approx([6.0 + 12 * 1.5**2])


def test_many_threads_agree():
    problem = gradgen.flat(misfit, START, T, Y)
    points = [problem.x0 + 0.01 * k for k in range(8)]
    right = [(problem.fun(x), problem.jac(x).tolist()) for x in points]
    wrong = []

    def work(x, expected):
        for _ in range(100):
            if (problem.fun(x), problem.jac(x).tolist()) != expected:
                wrong.append(x)

    threads = [threading.Thread(target=work, args=both) for both in zip(points, right, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("x, told", [
    (np.ones(3), "float64 of shape (3,)"), (np.ones((4, 1)), "float64 of shape (4, 1)"),
    (np.ones(4, complex), "complex128 of shape (4,)"), (1.0, "float64 of shape ()"),
])  # fmt: skip
def test_a_vector_of_another_length_or_kind_is_refused(x, told):
    problem = gradgen.flat(misfit, START, T, Y)
    message = f"x takes 4 real numbers in an array of shape (4,), not {told}"
    for call in (problem.fun, problem.jac, problem.unflatten, lambda x: problem.hessp(x, x)):
        with pytest.raises(gradgen.GradgenError, match=f"^{re.escape(message)}$"):
            call(x)
    with pytest.raises(gradgen.GradgenError, match=f"^{re.escape('v' + message[1:])}$"):
        problem.hessp(problem.x0, x)


@pytest.mark.parametrize("given, message", [
    ({"amplitude": 1.0, "rate": 1.0}, "p['offset'] is missing"),
    ({**START, "phase": 1.0},
     "p['phase'] is none of the parameters: p['amplitude'], p['rate'], p['offset']"),
    ({**START, "offset": np.zeros(3)}, "p['offset'] has shape (3,), not (2,)"),
    ({**START, "rate": np.zeros(1)}, "p['rate'] has shape (1,), not ()"),
    ({**START, "rate": None}, "p['rate'] is missing"),
    ({**START, "rate": {1.0}}, "p['rate']: an argument of type set is not supported"),
    ([1.0], "p['amplitude'] is missing"),
])  # fmt: skip
def test_another_structure_is_refused(given, message):
    problem = gradgen.flat(misfit, START, T, Y)
    with pytest.raises(gradgen.GradgenError, match=f"^{re.escape(message)}$"):
        problem.flatten(given)


def test_several_parameters_are_flattened_from_a_tuple():
    problem = gradgen.flat(straight, 1.0, 2.0, T, Y, wrt=("a", "b"))
    with pytest.raises(gradgen.GradgenError, match=r"^flatten takes a tuple of a, b$"):
        problem.flatten(1.0)


@pytest.mark.parametrize("start, wrt, message", [
    ({"n": np.arange(3)}, None,
     "p['n'] has the dtype int64, and no derivative; pass floats, or leave it out of wrt"),
    ({"n": np.int64(3)}, None,
     "p['n'] has the dtype int64, and no derivative; pass floats, or leave it out of wrt"),
    ({"kind": "tanh"}, None, "there are no numbers in p"),
    ({"n": {1}}, None, "p['n']: an argument of type set is not supported"),
    ({"n": 1.0}, "q", "wrt='q': the parameters of misfit are p, t, y"),
    ({"n": 1.0}, 3, "wrt=3: the parameters of misfit are p, t, y"),
    ({"n": 1.0}, ("p", 0), "wrt=0 is given twice"),
])  # fmt: skip
def test_parameters_that_cannot_be_a_vector_are_refused(start, wrt, message):
    with pytest.raises(gradgen.GradgenError, match=f"^{re.escape(message)}$"):
        gradgen.flat(misfit, start, T, Y, wrt=wrt)


def test_what_cannot_be_differentiated_is_refused_with_its_line():
    def stepped(p, t):
        if p[0] > 0:
            return p * t
        return p + t

    problem = gradgen.flat(stepped, np.ones(2), np.ones(2))
    with pytest.raises(gradgen.SourceError) as caught:
        problem.jac(problem.x0)
    assert caught.value.lineno == stepped.__code__.co_firstlineno + 1
    assert caught.value.msg == "`if` depends on a value that is not known while compiling"


@pytest.mark.parametrize("function, told", [
    (lambda p: (p, True), "True"), (lambda p: (p, None), "None"), (lambda p: p > 0.0, "True"),
    (lambda p: {"v": p * 1j}, "1j"), (lambda p: [p, "text"], "'text'"),
])  # fmt: skip
def test_a_value_that_is_not_all_numbers_is_refused(function, told):
    message = f"<lambda> returns {told}, which is no real number"
    with pytest.raises(gradgen.GradgenError, match=f"^{re.escape(message)}$"):
        gradgen.flat(function, 1.0)


def test_a_parameter_is_its_default_where_it_is_not_given():
    def model(a=2.0, b=3.0, c=5.0):
        return a * b * c**2

    problem = gradgen.flat(model, wrt=("c", "a"))
    assert problem.x0.tolist() == [5.0, 2.0]
    assert problem.jac(problem.x0).tolist() == [60.0, 75.0]
    assert problem.hessp(problem.x0, [1.0, 0.0]).tolist() == [12.0, 30.0]


def test_integers_are_floats_and_what_is_no_number_stays():
    def power(p, x):
        return p["scale"] * x ** p["n"] if p["kind"] == "power" else x

    problem = gradgen.flat(power, {"n": 3, "kind": "power", "flag": True, "scale": 2.0}, 2.0)
    assert problem.unflatten([3, 2]) == {"n": 3.0, "kind": "power", "flag": True, "scale": 2.0}
    assert problem.jac([3, 2]) == pytest.approx([16.0 * np.log(2.0), 8.0], rel=1e-15)


def test_products_with_a_hessian_are_refused_where_there_is_none():
    problem = gradgen.flat(circle, {"x": 6.0, "y": 1.0})
    with pytest.raises(
        gradgen.GradgenError, match=r"^hessp: the value of circle is not one number$"
    ):
        problem.hessp(problem.x0, problem.x0)


def test_the_parameters_themselves_are_a_value_whose_jacobian_is_the_identity():
    problem = gradgen.flat(lambda p: p, {"w": np.ones((2, 2)), "k": 1.0})
    assert np.array_equal(problem.jac(problem.x0), np.eye(5))


def test_a_function_with_fixed_arguments_is_taken():
    def line(p, x, y):
        return p[0] * x + p[1] - y

    fixed = functools.partial(line, x=np.array([0.0, 1.0]), y=np.array([1.0, 3.0]))
    problem = gradgen.flat(fixed, np.zeros(2))
    assert problem.jac(problem.x0).tolist() == [[0.0, 1.0], [1.0, 1.0]]
    assert root(problem.fun, problem.x0, jac=problem.jac).x == pytest.approx([2.0, 1.0])


def test_scipy_is_not_imported(tmp_path):
    program = (
        "import sys, numpy as np, gradgen\n"
        "def f(x):\n"
        "    return np.sum(x**2)\n"
        "p = gradgen.flat(f, np.ones(2))\n"
        "print(p.fun(p.x0), p.jac(p.x0), p.hessp(p.x0, p.x0), 'scipy' in sys.modules)\n"
    )
    (tmp_path / "program.py").write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2.0 [2. 2.] [2. 2.] False\n"
