"""Vertex elimination: against complex steps on random programs, and where it must not be taken."""

import itertools
import random
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from tangents import defined
from test_random_programs import COMPLEX_MATH, STEP, Program, agree, executed

import gradgen
from gradgen import elimination, jacobians
from gradgen.api import emit_path
from gradgen.measure.counting import operations

HEAD = "import math\nimport numpy as np\n\n\n"


@pytest.fixture
def first(monkeypatch):
    """Take elimination wherever it is there, whatever it costs; and how often it was."""
    taken = []

    def kept(*arguments, **options):
        taken.append(elimination.eliminated(*arguments, **options))
        return taken[-1]

    order = itertools.count()
    monkeypatch.setattr(jacobians, "operations", lambda graph: next(order))
    monkeypatch.setattr(jacobians, "eliminated", kept)
    return taken


def check(seed, folder):
    """The Jacobian and the Hessian of a random program of numbers, by elimination."""
    rng = random.Random(seed)
    program = Program(rng.randrange, arrays=False)
    head, _, value = program.text().rstrip().rpartition("\n")
    names = dict.fromkeys(v.text for v in program.values[-3:])
    several = f"{head}\n{value}, {', '.join(names)}\n"
    path = folder / "program.py"
    given = tuple(program.params)
    options = {"wrt": given, "shapes": ", ".join(f"{n}=scalar" for n in given)}
    path.write_text(several, "utf-8")
    jacobian = emit_path(f"{path}:f", mode="jacobian", **options)
    path.write_text(f"{head}\n{value}\n", "utf-8")
    hessian = emit_path(f"{path}:f", mode="hessian", **options)
    gradient = emit_path(f"{path}:f", mode="grad", **options)
    found = executed(jacobian)["f_jacobian"], executed(hessian)["f_hessian"]
    oracles = executed(several, COMPLEX_MATH)["f"], executed(gradient, COMPLEX_MATH)["f_grad"]
    place = np.random.default_rng(seed)
    # where all are equal, differences are zero, and must not divide
    for point in (place.uniform(0.3, 1.7, len(given)), np.ones(len(given))):
        at = dict(zip(given, map(float, point), strict=True))
        steps = [{**at, n: complex(at[n], STEP)} for n in given]
        for made, oracle, text in zip(found, oracles, (jacobian, hessian), strict=True):
            want = np.transpose([np.imag(oracle(**step)) / STEP for step in steps])
            for row, wanted in zip(np.array(made(**at), float), want, strict=True):
                assert agree(row, wanted), f"{seed}: {row} is not {wanted}\n{text}"


def test_random_programs_have_the_derivatives_of_complex_steps(tmp_path, first):
    for seed in (*range(6), 165, 227, 2151):
        check(seed, tmp_path)
    assert sum(found is not None for found in first) > 8


@pytest.mark.slow
def test_many_random_programs_have_the_derivatives_of_complex_steps(tmp_path, first):
    for seed in range(1_000, 1_500):
        check(seed, tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_only_taken_where_neither_mode_takes_fewer_operations(seed, tmp_path, monkeypatch):
    path = tmp_path / "program.py"
    path.write_text(Program(random.Random(seed + 40).randrange, arrays=False).text(), "utf-8")
    counts = []
    for by in (jacobians._by_elimination, lambda *_: []):
        monkeypatch.setattr(jacobians, "_by_elimination", by)
        emitted = emit_path(f"{path}:f", wrt=("x",), shapes="x=scalar", mode="jacobian")
        counts.append(operations(emitted, "f_jacobian"))
    assert counts[0] <= counts[1]


@pytest.mark.parametrize(("body", "at", "want"), [
    ("x * np.sqrt(x), x", 0.0, (0.0, 1.0)),  # 1.5 sqrt(x): the root is not divided by itself
    ("np.sqrt(x) * np.sqrt(x), 2.0 * x", 4.0, (1.0, 2.0)),
    ("(x - x) * x, x", 3.0, (0.0, 1.0)),
    ("x**3 / x**2, x**-1", 2.0, (1.0, -0.25)),
    ("x / 3.0, x / 3.0 + x / 3.0", 1.0, (1 / 3, 2 / 3)),
    ("2.0, x - 1.0 * x", 5.0, (0.0, 0.0)),
])  # fmt: skip
def test_what_cancels_is_cancelled(first, body, at, want):
    made = gradgen.jacobian(defined(f"{HEAD}def f(x):\n    return {body}\n"), shapes="x=scalar")
    np.testing.assert_allclose(np.ravel(made(at)), want, rtol=1e-15, atol=1e-300)
    assert first[0] is not None


@pytest.mark.parametrize("body", [
    "np.where(x > 1.0, x, np.log(x)), x * x",
    "np.maximum(x, 0.0) * np.sqrt(x), x",
    "np.sum(np.array([x, x * x])), x",
    "np.float32(2.0) * x, x",
    "\n".join(f"np.sin({k}.5 * x)," for k in range(201)),
])  # fmt: skip
def test_it_is_not_taken_where_a_branch_could_leak_or_much_is_to_be_searched(first, body):
    f = defined(f"{HEAD}def f(x):\n    return ({body})\n")
    made = gradgen.jacobian(f, shapes="x=scalar" if "float32" not in body else "x=scalar:float32")
    made(np.float32(2.0))
    assert first == [None]


@pytest.mark.parametrize("mode", ["jacobian", "grad", "hessian"])
@pytest.mark.parametrize("body", [
    "2.0 / (1.0 + np.exp(-2.0 * x)) - 1.0",
    "1.0 / (1.0 + np.exp(-x)) * (1.0 + 0.0 * x)",
    "np.cos(1.0 / (1.0 + np.exp(-x)))",
])  # fmt: skip
def test_trap_16_the_tails_of_a_logistic_function_are_flat_and_no_nan(mode, body):
    f = defined(f"{HEAD}def f(x):\n    return {body}\n")
    made = getattr(gradgen, mode)(f, shapes="x=scalar")
    with np.errstate(over="ignore"):
        assert made(1000.0) == 0.0
        assert made(-1000.0) == 0.0


@pytest.mark.parametrize(("body", "most"), [
    ("np.exp(x)", [1, 1, 1, 1]),
    ("np.sin(x)", [1, 2, 2, 1]),
    ("np.tanh(x)", [3, 5, 6, 10]),
    ("np.log(x)", [1, 2, 3, 4]),
    ("1.0 / (1.0 + x**2)", [5, 7, 9, 15]),
    ("np.exp(np.sin(x))", [4, 6, 11, 19]),
    ("np.sqrt(1.0 + x**2)", [4, 7, 10, 11]),
    ("np.exp(-(x**2))", [5, 6, 9, 12]),
])  # fmt: skip
def test_gradients_of_gradients_do_not_swell(body, most):
    f, name, x = defined(f"{HEAD}def f(x):\n    return {body}\n"), "f", sympy.Symbol("x")
    names = {n: getattr(sympy, n) for n in ("exp", "sin", "tanh", "log", "sqrt")}
    want = eval(body, {"np": SimpleNamespace(**names), "x": x})
    for limit in most:
        made = gradgen.grad(f, shapes="x=scalar")
        name, want = f"{name}_grad", want.diff(x)
        assert operations(made.source, name) <= limit, made.source
        np.testing.assert_allclose(made(0.8), float(want.subs(x, 0.8)), rtol=1e-13)
        f = defined(made.source, name)


def test_entries_that_are_equal_or_opposite_are_computed_once():
    body = "    d = x - y\n    return np.exp(d) * d, d / (1.0 + d * d)\n"
    made = gradgen.jacobian(defined(f"{HEAD}def f(x, y):\n{body}"), wrt=("x", "y"),
                            shapes="x=scalar, y=scalar")  # fmt: skip
    assert made.source.count("-dvalue_") == 2
    assert operations(made.source, "f_jacobian") <= 14


def test_the_same_program_gives_the_same_text():
    body = "    n = a * a + b * b\n    return a / n, b / n, np.sin(n) * a * b\n"
    texts = {
        gradgen.jacobian(defined(f"{HEAD}def f(a, b):\n{body}"), wrt=("a", "b"),
                         shapes="a=scalar, b=scalar").source
        for _ in range(3)
    }  # fmt: skip
    assert len(texts) == 1
