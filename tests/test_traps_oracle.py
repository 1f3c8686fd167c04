"""Where checkers of derivatives go wrong: the traps of SymPy, complex steps and tolerances."""

import dataclasses
import math
import sys

import numpy as np
import pytest
import sympy
import sympy.parsing.sympy_parser

import gradgen
from gradgen.checking import ORACLES, run
from gradgen.oracles import formulas, symbolic
from gradgen.oracles.digits import session_of
from gradgen.oracles.report import EFFORTS
from gradgen.oracles.subject import from_function

QUICK = EFFORTS["quick"]


def branch_of(function, point, **options):
    """What SymPy is given of a function around a point."""
    subject = from_function(function, **options)
    point = {name: np.asarray(value) for name, value in point.items()}
    return symbolic._branch(session_of(subject, QUICK, [point]), point)


def test_trap_48_symbols_are_real_and_floats_are_the_rationals_that_they_are():
    branch = branch_of(lambda x, y: 0.1 * x * y, {"x": 0.5, "y": 2.0}, wrt=("x", "y"))
    assert all(symbol.is_real for symbol in branch.value.free_symbols)
    tenth = sympy.Rational(3602879701896397, 36028797018963968)  # 0.1 is this over 2**55
    assert branch.value == tenth * branch.symbols["x"][()] * branch.symbols["y"][()]
    assert not branch.value.atoms(sympy.Float)


def kinked(x, y):
    return abs(x) + max(x, y) + np.sign(y) * x


@pytest.mark.parametrize(("x", "y", "slope"), [
    (2.0, -1.0, 1 + 1 - 1), (-2.0, -1.0, -1 + 0 - 1), (0.5, 3.0, 1 + 0 + 1),
])  # fmt: skip
def test_trap_48_kinks_are_decided_and_no_step_functions_of_sympy_come_up(x, y, slope):
    branch = branch_of(kinked, {"x": x, "y": y}, wrt=("x", "y"))
    assert not branch.value.atoms(
        sympy.Abs, sympy.sign, sympy.Max, sympy.Heaviside, sympy.Piecewise
    )
    assert sympy.diff(branch.value, branch.symbols["x"][()]) == slope


def test_trap_48_at_a_kink_the_table_of_conventions_holds():
    # abs'(0) = 0; the larger of two equal active operands takes a half
    branch = branch_of(lambda x, y: abs(x) + max(x, y), {"x": 0.0, "y": 0.0}, wrt=("x", "y"))
    slopes = [sympy.diff(branch.value, branch.symbols[n][()]) for n in "xy"]
    assert slopes == [sympy.Rational(1, 2)] * 2


@pytest.mark.parametrize("function", [
    lambda x: abs(x) * 3.0, lambda x: max(x, 1.0) * x, lambda x: np.maximum(x, 1.0) * x,
    lambda x: np.where(x > 1.0, x, x**2), lambda x: np.floor(x) * x, lambda x: math.sin(x),
])  # fmt: skip
def test_trap_49_no_complex_step_goes_through_what_is_not_analytic(function):
    report = gradgen.check(function, effort="quick")
    verdicts = {f.verdict for f in report.findings if f.oracle == "complex step"}
    assert verdicts == {"unchecked"}
    assert report.ok, "others stand in"


PLANTED = {
    "times 5": lambda g: 5.0 * g, "sign": lambda g: -g, "1e-7 relative": lambda g: g * (1 + 1e-7),
    "NaN": lambda g: g * math.nan, "infinite": lambda g: g * math.inf, "zero": lambda g: 0.0 * g,
    "transposed": lambda g: g.T.copy(),
    # small beside the others, and all of its own
    "one entry of many": lambda g: g + 1e-3 * np.eye(*g.shape, k=1),
}  # fmt: skip
JUDGES = [oracle for oracle in ORACLES if oracle.__name__ not in ("forward", "symbolic")]


def uneven(A, x):
    """Entries of the gradient from 1e-6 to 1e6."""
    return np.sum(np.sin(A * x) * 10.0 ** np.array([-6.0, 0.0, 6.0]))


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("oracle", JUDGES, ids=lambda oracle: oracle.__name__)
def test_trap_50_every_oracle_by_itself_catches_a_planted_error(oracle, planted):
    subject = from_function(uneven, shapes="A=3 3, x=3")

    def emitted(**given):
        value, (d_A,) = subject.emitted(**given)
        return value, (PLANTED[planted](d_A),)

    right = {f.verdict for f in oracle(subject, QUICK, {}) if f.subject != "value"}
    assert right == {"agrees"}
    wrong = dataclasses.replace(subject, emitted=emitted)
    found = [f for f in oracle(wrong, QUICK, {}) if f.subject != "value"]
    assert "differs" in {f.verdict for f in found}, [f.detail for f in found]


def test_trap_50_no_oracle_rescues_another():
    subject = from_function(lambda x: x**3)
    emitted = subject.emitted

    def wrong(**given):
        value, (d_x,) = emitted(**given)
        return value, (d_x * (1 + 1e-7),)

    report = run(dataclasses.replace(subject, emitted=wrong), "quick")
    assert {f.verdict for f in report.findings if f.oracle == "symbolic"} == {"proved"}
    assert not report.ok


def test_trap_57_sympy_never_sees_what_the_user_wrote(monkeypatch):
    texts = []
    parse = sympy.parsing.sympy_parser.parse_expr

    def parsed(text, *args, **keywords):
        texts.append(text)
        return parse(text, *args, **keywords)

    def refused(*args, **keywords):
        raise AssertionError("lambdify was called")

    formulas.formula.cache_clear()
    monkeypatch.setattr(sympy.parsing.sympy_parser, "parse_expr", parsed)
    monkeypatch.setattr(formulas, "parse_expr", parsed)
    monkeypatch.setattr(sympy, "lambdify", refused)
    monkeypatch.setattr(sys.modules["sympy.utilities.lambdify"], "lambdify", refused)

    def f(user_a, S, beta):
        """print(user_a)"""
        user_b = np.tanh(user_a) * S + 12.3456789 * beta
        return np.sinc(user_b) + user_b**S

    report = gradgen.check(f, wrt=("user_a", "S", "beta"), effort="quick")
    assert report.ok
    assert texts, "formulas of the table are parsed"
    for text in texts:
        assert not any(own in text for own in ("user", "S", "beta", "12.34", "print")), text
