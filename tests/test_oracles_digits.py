"""How the symbolic oracle decides: comparisons at many digits and proofs, at their edges."""

import dataclasses
import math
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
import sympy

from gradgen.derive import copied
from gradgen.graph import GraphBuilder
from gradgen.oracles import digits, symbolic
from gradgen.oracles.digits import Comparison, Session, compared, session_of
from gradgen.oracles.exact import Unsupported
from gradgen.oracles.report import EFFORTS, Effort
from gradgen.oracles.scalars import Expressions, Numbers
from gradgen.oracles.subject import from_function

QUICK = EFFORTS["quick"]
ALONG = {"x": {(): 1.0}}
X = sympy.Symbol("v0", real=True)
Y = sympy.Symbol("v1", real=True)


def at(session, text):
    return session.numbers.context.mpf(text)


@pytest.fixture
def session(monkeypatch):
    """One of a number x at two points; derivatives are put in by hand."""
    monkeypatch.setattr(digits, "_folded", lambda session, *_: session.numbers.context.zero)
    monkeypatch.setattr(digits, "_is_singular", lambda *_: False)
    numbers = Numbers(150)
    points = [{"x": np.array(0.5)}, {"x": np.array(0.25)}]
    made = Session(SimpleNamespace(), QUICK, points, numbers, {}, 1e-30)
    made.sizes = [numbers.number(1)] * 2
    return made


def noted(session, *pairs):
    """What is found of pairs of an adjoint and what it must be, as texts."""
    found = Comparison()
    session.gradients = [{"x": np.array(at(session, have), object)} for have, _ in pairs]
    for number, (_, wanted) in enumerate(pairs):
        digits._note(session, found, number, ALONG, at(session, wanted))
    return found


@pytest.mark.parametrize(("have", "wanted", "differs"), [
    ("2", "2", False), ("-2", "2", True), ("0", "2", True), ("2", "0", True),
    ("1." + 29 * "0" + "09", "1", False), ("1." + 29 * "0" + "11", "1", True),
    ("-1e-100", "-1.00000000000000000000000000000001e-100", False),
    ("1e-60", "0", False), ("1.01e-60", "0", True), ("-1e-60", "0", False),
    ("nan", "1", True), ("inf", "1", True), ("-inf", "1", True), ("nan", "0", True),
])  # fmt: skip
def test_an_adjoint_agrees_to_thirty_digits_or_within_the_noise(have, wanted, differs, session):
    found = noted(session, (have, wanted))
    assert (found.count, found.differs, found.rounded) == (1, differs, False)


def test_the_noise_grows_with_the_largest_number_on_the_way(session):
    session.sizes = [session.numbers.number(1000)]
    assert not noted(session, ("0.9e-57", "0")).differs
    assert noted(session, ("1.1e-57", "0")).differs


def test_below_the_noise_the_error_is_zero_and_else_relative_to_the_derivative(session):
    assert noted(session, ("1e-61", "0")).worst == 0.0
    assert noted(session, ("3", "4")).worst == 0.25
    assert noted(session, ("-3", "-4")).worst == 0.25
    assert noted(session, ("1", "0")).worst == math.inf
    assert noted(session, ("nan", "4")).worst == math.inf


def test_the_worst_point_is_told_with_both_derivatives(session):
    found = noted(session, ("3", "4"), ("4", "4"))
    assert (found.count, found.worst, found.at, found.values) == (
        2, 0.25, {"x": 0.5}, ("3.0", "4.0")
    )  # fmt: skip
    found = noted(session, ("4", "4"), ("2", "4"))
    assert (found.worst, found.at, found.values) == (0.5, {"x": 0.25}, ("2.0", "4.0"))
    assert found.differs
    assert noted(session, ("4", "4"), ("4", "4")).at == {"x": 0.5}


def test_both_derivatives_are_told_to_17_digits(session):
    found = noted(session, ("0.12345678901234567891", "0.98765432109876543219"))
    assert found.values == ("0.12345678901234568", "0.98765432109876543")


def test_what_differs_at_one_point_differs(session):
    assert noted(session, ("3", "4"), ("4", "4")).differs
    assert noted(session, ("4", "4"), ("3", "4")).differs


def test_no_number_is_passed_over_only_where_a_root_is_singular(monkeypatch, session):
    monkeypatch.setattr(digits, "_is_singular", lambda session, number: number == 1)
    found = noted(session, ("nan", "4"), ("nan", "4"))
    assert (found.count, found.differs) == (1, True)
    found = noted(session, ("4", "4"), ("inf", "4"))
    assert (found.count, found.differs) == (1, False)
    assert noted(session, ("4", "4"), ("5", "4")).differs


@pytest.mark.parametrize(("have", "rounded"), [("4.24", True), ("4.26", False), ("nan", False)])
def test_constants_that_were_folded_allow_for_their_rounding_and_no_more(
    have, rounded, monkeypatch, session
):
    monkeypatch.setattr(digits, "_folded", lambda session, *_: at(session, "0.25"))
    found = noted(session, (have, "4"))
    assert (found.rounded, found.differs) == (rounded, not rounded)
    found = noted(session, ("5", "4"), ("4.1", "4"))
    assert found.differs


# -- sessions of functions -------------------------------------------------------------------------


def session_at(f, *points, effort=QUICK, shapes="x=scalar"):
    subject = from_function(f, "x", shapes)
    return session_of(subject, effort, [{"x": np.array(p, dtype=float)} for p in points])


def quotient(session, number=0, direction=ALONG):
    return digits.quotient(session, number, direction)


def test_a_quotient_has_twice_the_digits_that_are_compared():
    session = session_at(lambda x: x * x * x * x, 1.5)
    # (f(x + h) - f(x - h)) / 2h is 4x^3 + 4x h^2
    c = session.numbers.context
    assert quotient(session) == pytest.approx(13.5)
    assert abs(quotient(session) - c.mpf("13.5")) < c.mpf(10) ** -95


def test_a_quotient_is_along_all_the_weights():
    session = session_at(lambda x: 3.0 * x[0] + 5.0 * x[1], [1.0, 2.0], shapes="x=2")
    along = {"x": {(0,): 2.0, (1,): -1.0}}
    assert abs(quotient(session, direction=along) - 1) < 1e-90
    assert digits._product(session, session.gradients[0], along) == 1
    assert abs(quotient(session, direction={"x": {(1,): 1.0}}) - 5) < 1e-90
    assert digits._product(session, session.gradients[0], {"x": {(1,): 0.5}}) == 2.5


def test_where_the_slopes_of_both_sides_differ_there_is_no_derivative():
    session = session_at(lambda x: abs(x), 0.0, 1e-40, -1e-40)
    assert [session.numbers.context.isfinite(quotient(session, k)) for k in range(3)] == [
        False, True, True
    ]  # fmt: skip
    assert all(abs(quotient(session, k) - (3 - 2 * k)) < 1e-90 for k in (1, 2))
    found = compared(session, "o", "d/dx", ALONG)
    assert (found.verdict, found.count) == ("agrees", 2)


def test_a_derivative_that_is_nowhere_is_unchecked():
    found = compared(session_at(lambda x: abs(x), 0.0), "o", "d/dx", ALONG)
    assert (found.verdict, found.detail) == ("unchecked", "there is no derivative at any point")


def test_a_derivative_without_evaluation_is_unchecked(monkeypatch):
    def missing(*_):
        raise Unsupported("sorcery")

    session = session_at(lambda x: x * x, 1.0)
    monkeypatch.setattr(digits, "quotient", missing)
    found = compared(session, "o", "d/dx", ALONG)
    assert (found.verdict, found.detail) == ("unchecked", "sorcery is not evaluated exactly")


def test_a_comparison_says_how_it_was_made():
    found = compared(session_at(lambda x: x * x, 1.0), "o", "d/dx", ALONG)
    assert (found.oracle, found.subject, found.verdict, found.count, found.worst) == (
        "o", "d/dx", "agrees", 1, 0.0
    )  # fmt: skip
    assert found.detail == "compared at 1 point with 50 digits, relative to the derivative"
    found = compared(session_at(lambda x: np.sinc(x), 0.1, 0.2), "o", "d/dx", ALONG)
    assert found.detail == (
        "compared at 2 points with 50 digits, relative to the derivative, within 1e-16: a series "
        "stands in the derivative"
    )
    found = compared(session_at(lambda x: 0.1 * (0.7 * x) * (x / 3.0), 1.0), "o", "d/dx", ALONG)
    assert found.detail.endswith("as far as the rounding of constants lets them agree")


def test_three_fifths_of_the_digits_are_asked_for_or_what_a_series_has():
    for count, bound in ((50, 1e-30), (20, 1e-12)):
        effort = dataclasses.replace(QUICK, digits=count)
        assert session_at(lambda x: x * x, 1.0, effort=effort).bound == bound
    assert session_at(lambda x: np.sinc(x), 0.1).bound == 1e-16


def test_a_number_that_a_rule_means_is_exact_and_one_that_the_user_wrote_is_a_float():
    for f in (lambda x: np.log2(x), lambda x: x * 0.6931471805599453, lambda x: np.log10(x)):
        found = compared(session_at(f, 3.0), "o", "d/dx", ALONG)
        assert (found.verdict, found.worst) == ("agrees", 0.0)
        assert found.detail == "compared at 1 point with 50 digits, relative to the derivative"


def test_the_rounding_of_constants_is_4_units_and_what_each_of_them_makes():
    session = session_at(lambda x: x * x * 0.1, 3.0)
    have = digits._product(session, session.gradients[0], ALONG)

    def folded(wanted):
        return digits._folded(session, 0, ALONG, have, session.numbers.number(wanted))

    assert folded(8.0) - folded(0.0) == pytest.approx(32 * 2.0**-52)
    # the derivative is 0.2 x: it moves by as much as its constant does
    assert folded(0.0) == pytest.approx(0.6 * 2.0**-52)
    plain = session_at(lambda x: x * x * 0.125, 3.0)
    assert digits._folded(plain, 0, ALONG, have, have) == 0


def wrong_by(session, factor):
    for gradients in session.gradients:
        wrong = gradients["x"][()] * session.numbers.context.mpf(factor)
        gradients["x"] = np.array(wrong, object)
    return compared(session, "o", "d/dx", ALONG)


def test_a_comparison_that_differs_says_what_it_is_and_must_be():
    found = wrong_by(session_at(lambda x: x * x, 1.0, 2.0), "1.5")
    assert (found.verdict, found.detail) == ("differs", "is 3.0, and must be 2.0")
    assert (found.count, found.at, found.worst) == (2, {"x": 1.0}, 0.5)


@pytest.mark.parametrize("factor", ["1." + 28 * "0" + "1", "0." + 29 * "9"])
def test_without_rounded_constants_a_part_in_1e29_differs(factor):
    assert wrong_by(session_at(lambda x: x * x * 0.5, 3.0), factor).verdict == "differs"


def scaled(f, factor, x):
    """The finding where the emitted derivative is multiplied by a factor."""
    subject = from_function(f, "x", "x=scalar")
    graph = copied(subject.derived)
    builder = GraphBuilder(graph)
    value, (gradient,) = graph.results
    graph.results = (value, (builder.add("mul", builder.const(factor), gradient),))
    subject = dataclasses.replace(subject, derived=graph)
    return compared(session_of(subject, QUICK, [{"x": np.array(x)}]), "o", "d/dx", ALONG)


@pytest.mark.parametrize(("ulps", "verdict"), [(1, "agrees"), (16, "differs")])
def test_with_rounded_constants_fifteen_digits_are_asked_for(ulps, verdict):
    assert scaled(lambda x: x * x * 0.1, 1.0 + ulps * 2.0**-52, 3.0).verdict == verdict


@pytest.mark.parametrize(("part", "verdict"), [(0.0, "agrees"), (1e-14, "differs")])
def test_a_series_is_compared_to_its_own_error_and_that_of_its_constants(part, verdict):
    assert scaled(lambda x: np.sinc(x), 1.0 + part, 0.1).verdict == verdict


def test_points_without_evaluation_are_left_out_and_if_all_are_it_is_said(monkeypatch):
    right = digits._gradients

    def some(session, number, numbers):
        if float(session.points[number]["x"]) < 0:
            raise Unsupported("sorcery")
        return right(session, number, numbers)

    monkeypatch.setattr(digits, "_gradients", some)
    session = session_at(lambda x: x * x, -1.0, 2.0, -3.0)
    assert [float(p["x"]) for p in session.points] == [2.0]
    assert len(session.gradients) == len(session.sizes) == 1
    assert session_at(lambda x: x * x).points == []
    with pytest.raises(Unsupported, match="sorcery"):
        session_at(lambda x: x * x, -1.0)


def test_the_largest_number_on_the_way_is_at_least_1():
    assert session_at(lambda x: x * 1e-3, 1e-3).sizes == [1]
    assert session_at(lambda x: (x * 1024.0) * x, -2.0).sizes[0] >= 2048


@pytest.mark.parametrize(("f", "x", "singular"), [
    (lambda x: np.sqrt(x), 0.0, True), (lambda x: np.sqrt(x), 1e-190, False),
    (lambda x: np.sqrt(x), 1e-210, True), (lambda x: np.sqrt(x), 1.0, False),
    (lambda x: np.sqrt(x * x), 0.0, True), (lambda x: x**0.5, 0.0, True),
    (lambda x: x**2.0 * np.exp(x), 0.0, False), (lambda x: np.cbrt(x), 0.0, True),
    (lambda x: np.arcsin(x), 1.0, True), (lambda x: np.arccos(x), -1.0, True),
    (lambda x: np.arcsin(x), 0.5, False), (lambda x: np.arctan(x), 1.0, False),
    (lambda x: np.where(x > 1, np.sqrt(x), x), 0.0, False),
    (lambda x: np.exp(x) - 1.0, 0.0, False),
])  # fmt: skip
def test_roots_at_0_and_arcs_at_1_are_singular_where_nothing_masks_them(f, x, singular):
    subject = from_function(f, "x", "x=scalar")
    session = Session(subject, QUICK, [{"x": np.array(x)}], Numbers(150), {}, 1e-30)
    assert digits._is_singular(session, 0) is singular


# -- proofs ----------------------------------------------------------------------------------------


def branch_at(x=0.5, y=3.0, limit=1000):
    numbers = Numbers(150)
    home = Expressions(numbers, limit, frozenset([X, Y]))
    point = {X: numbers.number(x), Y: numbers.number(y)}
    session = SimpleNamespace(numbers=numbers, effort=dataclasses.replace(QUICK, symbolic=60))
    return session, symbolic.Branch(home, None, {}, {}, point, kinks=False)


@pytest.mark.parametrize(("expression", "zero"), [
    (sympy.Integer(0), True), (X - X, True), (sympy.sin(X) ** 2 + sympy.cos(X) ** 2 - 1, True),
    ((X + Y) ** 2 - X**2 - 2 * X * Y - Y**2, True), (1 / X + 1 / Y - (X + Y) / (X * Y), True),
    (sympy.exp(X) * sympy.exp(-X) - 1, True), (X, False), (sympy.Integer(1), False),
    (X - sympy.Rational(1, 2), False),  # it is zero at the point, and nowhere else
    (X * sympy.Rational(1, 10**60), False),  # so small that no number refutes it
    (sympy.nan, False), (sympy.zoo, False), (X * sympy.oo, False),
    (sympy.Abs(Y) - Y, True), (sympy.sign(X) - 1, True), (sympy.Abs(X - Y) + X - Y, True),
    (sympy.Abs(Y) + Y, False), (sympy.Function("f")(X) - sympy.Function("f")(X), True),
])  # fmt: skip
def test_what_is_proved_zero_is_zero(expression, zero):
    session, branch = branch_at()
    assert symbolic._is_zero(session, branch, expression) is zero


def test_a_proof_is_not_tried_beyond_the_limit():
    session, branch = branch_at()
    long = (X + Y) ** 2 - X**2 - 2 * X * Y - Y**2
    size = branch.arithmetic.size(long)
    assert size == 11 and symbolic.CHEAP == 8  # four terms of 2, and 3 sums
    for limit, proved in ((2, True), (1, False)):
        session.effort = dataclasses.replace(QUICK, symbolic=limit)
        assert symbolic._is_zero(session, branch, long) is proved


def test_beyond_the_limit_sympy_is_asked_of_short_steps_alone():
    _, branch = branch_at()
    size = branch.arithmetic.size
    # expanding shows the one, simplify alone the other
    sum_of_squares = sympy.sin(X) ** 2 + sympy.cos(X) ** 2 - 1
    product = (X + Y) * (X - Y) - X**2 + Y**2
    assert symbolic._vanishes(sum_of_squares, branch, size(sum_of_squares))
    assert not symbolic._vanishes(sum_of_squares, branch, size(sum_of_squares) - 1)
    assert symbolic._vanishes(product, branch, size(product) - 1)
    assert symbolic._vanishes(product, branch, size(product) // symbolic.CHEAP + 1)
    assert not symbolic._vanishes(product, branch, 0)


def test_kinks_that_sympy_brings_in_are_decided_as_on_the_branch():
    for x, expected in ((0.5, X), (-0.5, -X)):
        session, branch = branch_at(x)
        assert symbolic._settled(sympy.Abs(X), session, branch) == expected
        assert branch.kinks
    session, branch = branch_at(0.0)
    assert symbolic._settled(sympy.Abs(X), session, branch) == sympy.Abs(X)
    assert not branch.kinks
    session, branch = branch_at(-0.5, 3.0)
    assert symbolic._settled(sympy.sign(X) * sympy.sign(Y), session, branch) == -1
    assert symbolic._settled(sympy.Abs(sympy.Abs(X) - Y), session, branch) == X + Y


@pytest.mark.parametrize(("x", "sign"), [(0.5, 1), (-0.5, -1), (0.0, 0)])
def test_the_sign_at_the_point_is_that_of_the_number(x, sign):
    session, branch = branch_at(x)
    assert symbolic._sign_at(X, session, branch) == sign
    assert symbolic._sign_at(sympy.Function("f")(X), session, branch) == 0


def found_of(f, change=None, effort=QUICK, shapes=None, wrt="x"):
    subject = from_function(f, wrt, shapes or "x=scalar")
    return list(symbolic.symbolic(subject, effort))


def test_a_proof_needs_every_branch():
    def two(x):
        return np.where(x > 0, x * x, np.exp(x) * x)

    effort = Effort(points=8, symbolic=60)
    (found,) = found_of(two, effort=effort)
    assert (found.verdict, found.count) == ("proved", 2)
    assert found.detail == "SymPy: the difference is 0 on each of the 2 branches met"
    (found,) = found_of(lambda x: x * x, effort=effort)
    assert (found.detail, found.count) == ("SymPy: the difference is 0", 1)
    (found,) = found_of(two, effort=dataclasses.replace(effort, points=1))
    assert found.detail == "SymPy: the difference is 0 on the branch met"
    # what is too long on one branch is compared on all
    (found,) = found_of(two, effort=dataclasses.replace(effort, symbolic=0))
    assert (found.verdict, found.count) == ("agrees", 8)


def test_a_wrong_branch_is_seen_beside_one_that_is_proved(monkeypatch):
    def two(x):
        return np.where(x > 0, x * x, x * x * x)

    right = symbolic._proved
    monkeypatch.setattr(
        symbolic, "_proved", lambda s, b, p: float(b.point[X]) > 0 and right(s, b, p)
    )
    (found,) = found_of(two, effort=Effort(points=8, symbolic=60))
    assert (found.verdict, found.count) == ("agrees", 8)


def test_the_largest_derivatives_are_looked_at_one_by_one_and_the_others_along_a_direction():
    sizes = {"x": np.array([1.0, -4.0, 2.0, math.nan, 3.0]), "y": np.array([1.0])}
    active = [SimpleNamespace(text="x"), SimpleNamespace(text="y")]
    session = SimpleNamespace(
        subject=SimpleNamespace(active=active), effort=Effort(samples=2),
        gradients=[sizes, {name: -1.0 / held for name, held in sizes.items()}],
        points=[sizes],
    )  # fmt: skip
    chosen, rest = symbolic._chosen(session)
    assert [p.text for p in chosen] == ["d/dx[3]", "d/dx[1]", "d/dy[0]"]
    assert [(leaf.text, [p.text for p in others]) for leaf, others in rest] == [
        ("x", ["d/dx[4]", "d/dx[2]", "d/dx[0]"])
    ]
    session.effort = Effort(samples=3)
    chosen, rest = symbolic._chosen(session)
    assert ([p.text for p in chosen], rest) == (
        ["d/dx[0]", "d/dx[1]", "d/dx[2]", "d/dx[3]", "d/dx[4]", "d/dy[0]"], []
    )  # fmt: skip
    session.effort = Effort(samples=0)
    assert [p.text for p in symbolic._chosen(session)[0]] == ["d/dx[3]", "d/dy[0]"]


def test_a_function_without_points_is_unchecked():
    (found,) = found_of(lambda x: np.sqrt(-1.0 - x * x))
    assert (found.verdict, found.detail) == (
        "unchecked", "no point was found where the value is finite"
    )  # fmt: skip


def test_after_the_time_is_over_the_rest_along_a_direction_is_unchecked():
    calls = iter([False, True, True])
    effort = Effort(samples=0, points=1, expired=lambda: next(calls))
    found = found_of(lambda x: np.sum(x * x), effort=effort, shapes="x=3")
    assert [(f.subject, f.verdict, f.detail) for f in found[1:]] == [
        ("d/dx", "unchecked", "the time was over")
    ]
    assert found[0].verdict == "proved"


def test_mpmath_compares_with_no_number_as_ieee_does():
    c = mpmath.mp.clone()
    assert not (c.nan <= 1) and not (c.nan >= 1) and not (c.inf <= c.mpf(10) ** 300)
