"""The conventions at kinks: one table, which the README shows and which these tests hold to.

A row is what the README says, and programs with the derivatives that follow from it by hand.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest
from agreement import function_of

import gradgen
from gradgen.ops import CALLS, METHODS
from gradgen.read.scope import DTYPES

README = Path(__file__).parent.parent / "README.md"
NAN, INF = float("nan"), float("inf")
ZERO = np.zeros(3)
# (at, derivative, [(expression of x and y, x, y, derivative with respect to x, and to y)])
CONVENTIONS = [
    ("`abs`, `sign`, `floor`, `ceil`, `round`, comparisons",
     "`abs'(0) = 0`; the others 0 everywhere", [
        ("abs(x)", 0.0, 0.0, 0.0, 0.0), ("np.abs(x)", -0.0, 0.0, 0.0, 0.0),
        ("np.sign(x)", 0.0, 0.0, 0.0, 0.0), ("np.floor(x)", 2.0, 0.0, 0.0, 0.0),
        ("np.ceil(x)", 2.5, 0.0, 0.0, 0.0), ("np.round(x)", 0.5, 0.0, 0.0, 0.0),
        ("(x > y) * x", 2.0, 1.0, 1.0, 0.0)]),
    ("`np.linalg.norm(x)` at 0, `hypot(0, 0)`, `sinc(0)`", "0", [
        ("np.linalg.norm(x)", ZERO, 0.0, ZERO, 0.0), ("np.hypot(x, y)", 0.0, 0.0, 0.0, 0.0),
        ("np.sinc(x)", 0.0, 0.0, 0.0, 0.0)]),
    ("`max`/`min` over an axis, ties", "shared evenly", [
        ("np.max(x)", np.array([1.0, 3.0, 3.0]), 0.0, np.array([0.0, 0.5, 0.5]), 0.0),
        ("np.min(x)", np.array([1.0, 1.0, 1.0]), 0.0, np.full(3, 1 / 3), 0.0)]),
    ("`maximum(x, y)`, `minimum`, both active, tie", "one half each", [
        ("np.maximum(x, y)", 1.0, 1.0, 0.5, 0.5), ("np.minimum(x, y)", 1.0, 1.0, 0.5, 0.5)]),
    ("`maximum(x, c)` with one active argument", "of `where(x > c, x, c)`: ReLU'(0) = 0", [
        ("np.maximum(x, 0.0) + 0.0 * y", 0.0, 1.0, 0.0, 0.0)]),
    ("`clip(x, lo, hi)`", "1 on the closed interval, else 0", [
        ("np.clip(x, 0.0, 1.0)", 0.0, 0.0, 1.0, 0.0), ("np.clip(x, 0.0, 1.0)", 1.0, 0.0, 1.0, 0.0),
        ("np.clip(x, 0.0, 1.0)", 1.5, 0.0, 0.0, 0.0)]),
    ("`x**0`", "0, also at 0", [("x**0 + y", 0.0, 0.0, 0.0, 1.0)]),
    ("`x**y` at `x = 0`",
     "with respect to `y`: 0; with respect to `x`: what `y * x**(y - 1)` gives", [
        ("x**y", 0.0, 2.0, 0.0, 0.0), ("np.float64(x) ** y", 0.0, 0.5, INF, 0.0)]),
    ("`np.std` of equal numbers", "NaN; of `np.var` 0", [
        ("np.std(x)", np.ones(3), 0.0, np.full(3, NAN), 0.0),
        ("np.var(x)", np.ones(3), 0.0, np.zeros(3), 0.0)]),
    ("`prod`, `cumprod`, with zeros among the factors; `det` of a singular matrix", "exact", [
        ("np.prod(x)", np.array([2.0, 0.0, 5.0]), 0.0, np.array([0.0, 10.0, 0.0]), 0.0),
        ("np.cumprod(x)[2]", np.array([2.0, 0.0, 5.0]), 0.0, np.array([0.0, 10.0, 0.0]), 0.0),
        ("np.linalg.det(x)", np.array([[1.0, 2.0], [2.0, 4.0]]), 0.0,
         np.array([[4.0, -2.0], [-2.0, 1.0]]), 0.0)]),
    ("`sort`, `partition`, quantiles, equal items",
     "in their order, each takes the adjoint of its place", [
        ("np.sort(x)[1]", np.array([1.0, 0.0, 1.0]), 0.0, np.array([1.0, 0.0, 0.0]), 0.0),
        ("np.quantile(x, 1.0)", np.array([1.0, 0.0, 1.0]), 0.0, np.array([0.0, 0.0, 1.0]), 0.0)]),
    ("`maximum.accumulate`, equal items", "the later one", [
        ("np.maximum.accumulate(x)[2]", np.array([1.0, 1.0, 0.0]), 0.0,
         np.array([0.0, 1.0, 0.0]), 0.0)]),
    ("`interp` at a knot", "the slope to its right; at the last knot the one to its left", [
        ("np.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 8.0])", 1.0, 0.0, 3.0, 0.0),
        ("np.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 8.0])", 3.0, 0.0, 3.0, 0.0),
        ("np.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 8.0])", 4.0, 0.0, 0.0, 0.0)]),
    ("`u[[0, 0]] = v`, a place that is stored to twice", "the last value takes the adjoint", [
        ("stored(x)", np.array([3.0, 5.0]), 0.0, np.array([0.0, 1.0]), 0.0)]),
    ("`cholesky`, `eigh`, `eigvalsh`", "on the triangle that is read, entry by entry", [
        ("np.linalg.cholesky(x)[1, 0]", np.array([[4.0, 9.0], [2.0, 3.0]]), 0.0,
         np.array([[-0.125, 0.0], [0.5, 0.0]]), 0.0)]),
    ("eigenvectors of equal eigenvalues, singular vectors likewise", "inf or NaN", [
        ("np.linalg.eigh(x)[1][0, 1] ** 2", np.eye(2), 0.0, np.array([[NAN, 0.0], [NAN, NAN]]),
         0.0)]),
    ("`where(c, a, b)`", "nothing leaks from the branch that was not taken, not even a NaN", [
        ("np.where(x >= 0, x, np.sqrt(-x))", 1.0, 0.0, 1.0, 0.0),
        ("np.where(y > 0, np.log(y), x)", 2.0, -1.0, 1.0, 0.0)]),
    ("outside a function's domain (`log(-1)`)",
     "the value is NaN, the gradient what the formula gives", [
        ("np.log(x)", -2.0, 0.0, -0.5, 0.0), ("np.sqrt(x)", -1.0, 0.0, NAN, 0.0)]),
    ("`sqrt` and powers at 0, with infinite slope",
     "inf from NumPy; `math` and Python's `**` raise, as they do for the value",
     [("np.sqrt(x)", 0.0, 0.0, INF, 0.0)]),
    ("a Python `int` for an active number", "counts as a float", [
        ("x * x / y", 3, 2, 3.0, -2.25)]),
    ("an active array of integers or booleans", "refused (`TypeError`)", []),
]  # fmt: skip
# How the README calls the modules, and what it leaves out: casts, and methods of ufuncs.
MODULES = {"numpy": "`numpy`", "numpy.linalg": "`numpy.linalg`", "scipy.special": "`scipy.special`",
           "scipy.linalg": "`scipy.linalg`", "math": "`math`"}  # fmt: skip
STORED = "def stored(v):\n    u = np.zeros(2)\n    u[[0, 0]] = v\n    return u[0]\n\n\n"
PROGRAMS = [(at, *case) for at, _, cases in CONVENTIONS for case in cases]


def shown():
    """The rows of the README's table."""
    section = README.read_text("utf-8").partition("## Conventions")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return [tuple(row) for row in rows[2:]]


def test_the_readme_shows_these_conventions():
    assert shown() == [(at, derivative) for at, derivative, _ in CONVENTIONS]


@pytest.mark.parametrize(("at", "text", "x", "y", "d_x", "d_y"), PROGRAMS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_convention_holds(at, text, x, y, d_x, d_y):
    f = function_of(f"{STORED}def f(x, y):\n    return {text}\n")
    for have, want in zip(gradgen.grad(f, wrt=("x", "y"))(x, y), (d_x, d_y), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-14)


@pytest.mark.parametrize("x", [np.arange(3), np.array([True, False])])
def test_an_active_array_of_integers_or_booleans_is_refused(x):
    with pytest.raises(TypeError, match="has no derivative"):
        gradgen.grad(function_of("def f(x):\n    return np.sum(x * 1.0)\n"))(x)


def listed():
    """The functions that are not refused, module by module, as the README lists them."""
    names = {module: [] for module in MODULES}
    for dotted, (row, _) in CALLS.items():
        module, _, name = dotted.rpartition(".")
        known = not row.refused and (row.d is not None or not row.why)
        if module in names and known and name not in DTYPES:
            names[module].append(name)
    return {
        f"**{MODULES[module]}**": " ".join(sorted(found, key=str.lower))
        for module, found in names.items()
    }


def test_the_readme_lists_the_functions_that_are_read():
    section = README.read_text("utf-8").partition("All functions</summary>")[2]
    shown = {}
    for paragraph in section.partition("</details>")[0].strip().split("\n\n"):
        head, _, names = " ".join(paragraph.split()).partition(": ")
        shown[head] = names
    methods = shown.pop("**methods of arrays**")
    assert methods == " ".join(sorted(n for n, row in METHODS.items() if not row.refused))
    shown.pop("**methods of ufuncs**")
    for head, names in listed().items():
        module = importlib.import_module(head.strip("*`"))
        # a function that the installed version lacks has no row
        there = [n for n in shown.pop(head).split() if hasattr(module, n) or n in names.split()]
        assert " ".join(there) == names
    assert not shown
