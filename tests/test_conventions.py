"""The conventions at kinks: one table, which the README shows and which these tests hold to.

A row is what the README says, and programs with the derivatives that follow from it by hand.
"""

from pathlib import Path

import numpy as np
import pytest
from agreement import function_of

import gradgen

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
    f = function_of(f"def f(x, y):\n    return {text}\n")
    for have, want in zip(gradgen.grad(f, wrt=("x", "y"))(x, y), (d_x, d_y), strict=True):
        np.testing.assert_array_equal(have, want)


@pytest.mark.parametrize("x", [np.arange(3), np.array([True, False])])
def test_an_active_array_of_integers_or_booleans_is_refused(x):
    with pytest.raises(TypeError, match="has no derivative"):
        gradgen.grad(function_of("def f(x):\n    return np.sum(x * 1.0)\n"))(x)
