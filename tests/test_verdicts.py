"""How verdicts are decided: bounds and counts of numbers made by hand, at their edges.

What a weaker checker would pass is planted, and what a stricter one would refuse.
"""

import dataclasses
import functools
import math
from types import SimpleNamespace

import numpy as np
import pytest

from gradgen.checking import _plain, as_dict, left_out
from gradgen.differences import EPSILON, Estimate
from gradgen.oracles import entries, numeric, steps
from gradgen.oracles.domain import parse_domain
from gradgen.oracles.entries import (
    LOST,
    WORST_ENTRY,
    Gradient,
    Tally,
    _size,
    bound_of,
    compare_entries,
    exhausted,
    misfit,
    relative,
    unchecked,
    underflow,
)
from gradgen.oracles.numeric import _direction, _dot, dot_product, forward, same_bits
from gradgen.oracles.report import EFFORTS, Effort, Finding, Report
from gradgen.oracles.sample import Exhausted
from gradgen.oracles.subject import from_function

SINGLE = 2.0**-23
TINY = 2.0**-1022
FEW = Effort("few", samples=4)


def just_above(number):
    return math.nextafter(number, math.inf)


# -- bounds ----------------------------------------------------------------------------------------


def test_the_bound_of_an_entry_is_that_of_the_text():
    lost = 1e6 * TINY
    assert bound_of(Estimate(0.0, 0.0, 0.0), 0.0, EPSILON) == lost
    assert bound_of(Estimate(0.0, 0.5, 0.0), 0.0, EPSILON) == 8.0
    assert bound_of(Estimate(0.0, 0.0, 0.0), 0.25, EPSILON) == 4.0
    assert bound_of(Estimate(-1.0, 0.0, 0.0), 0.0, EPSILON) == 64 * 2.0**-52
    assert bound_of(Estimate(-1.0, 0.0, 0.0), 0.0, SINGLE) == 64 * 2.0**-23
    assert bound_of(Estimate(1.0, 0.5, 9.0), 0.25, EPSILON) == 12.0 + 64 * EPSILON


@pytest.mark.parametrize(
    ("epsilon", "tiny"), [(2.0**-52, 2.0**-1022), (2.0**-23, 2.0**-126), (2.0**-10, 2.0**-14)]
)
def test_a_million_of_the_smallest_normal_numbers_may_be_lost_to_underflow(epsilon, tiny):
    assert underflow(epsilon) == 1e6 * tiny


def test_an_error_is_relative_to_a_size_that_there_is():
    assert relative(-3.0, 4.0) == 0.75
    assert relative(0.0, 0.0) == 0.0
    assert relative(3.0, 0.0) == math.inf  # of nothing, no bound is a small part
    for part, whole in ((math.nan, 1.0), (1.0, math.inf), (math.nan, math.inf), (math.inf, 1.0)):
        assert relative(part, whole) == math.inf


def test_the_size_of_an_entry_is_the_power_of_2_below_it_or_that_of_its_array():
    leaf = SimpleNamespace(text="x")
    values = {"x": np.array([-5.0, 0.0, 0.75])}
    assert [_size(values, leaf, (k,)) for k in range(3)] == [4.0, 4.0, 0.5]
    assert _size({"x": np.zeros(2)}, leaf, (1,)) == 1.0
    assert _size({"x": 8.0}, leaf, ()) == 8.0


# -- what has been seen of the entries of one leaf -------------------------------------------------


def tally(size=1, enough=1e-8):
    shape = (size,) if size > 1 else ()
    return Tally(SimpleNamespace(text="W"), enough, np.full(shape, math.nan))


def test_an_entry_is_settled_where_its_bound_was_small_enough_at_one_sample():
    held = tally()
    held.agree((), 1e-12, 1e-3, {"W": 1.0})
    assert held.finding("o", "").verdict == "unchecked"
    held.agree((), 1e-11, 1e-8, {"W": 2.0})
    held.agree((), 0.0, 1e-3, {"W": 3.0})
    assert held.finding("o", "; more") == Finding(
        "o", "d/dW", "agrees", "relative error, each entry within 1e-08 or better; more", 3, 1e-11,
        {"W": 2.0, WORST_ENTRY: "W"},
    )  # fmt: skip


@pytest.mark.parametrize("enough", [1e-8, 1e-3])
def test_a_bound_a_little_too_large_settles_nothing(enough):
    held = tally(enough=enough)
    held.agree((), 0.0, just_above(enough), {})
    found = held.finding("o", "")
    assert (found.verdict, found.detail, found.count) == ("unchecked", "too inexact here", 1)


def test_zeros_settle_an_entry_until_something_else_is_seen():
    held = tally()
    held.agree((), 0.0, -1.0, {})
    held.agree((), 0.0, -1.0, {})
    found = held.finding("o", "")
    assert (found.verdict, found.count) == ("agrees", 2)
    assert found.detail == "relative error; 1 of 1 entries were zero at all samples"
    held.agree((), 0.0, 0.5, {})
    assert held.finding("o", "").verdict == "unchecked"
    held.agree((), 0.0, -1.0, {})  # a zero after that changes nothing
    assert held.finding("o", "").verdict == "unchecked"


def test_a_zero_after_a_settled_value_leaves_it_settled_as_it_was():
    held = tally()
    held.agree((), 0.0, 1e-9, {})
    held.agree((), 0.0, -1.0, {})
    assert held.finding("o", "").detail == "relative error, each entry within 1e-09 or better"


def test_of_several_entries_those_not_settled_are_counted():
    held = tally(4)
    held.agree((0,), 1e-9, 4e-9, {"W": 0.0})
    held.agree((1,), 3e-9, 2e-9, {"W": 1.0})
    held.agree((2,), 2e-9, -1.0, {"W": 2.0})
    found = held.finding("o", "")
    assert found.detail == (
        "relative error, each entry within 4e-09 or better; 1 of 4 entries were zero at all "
        "samples; 1 of 4 entries not settled"
    )
    assert (found.verdict, found.count, found.worst) == ("agrees", 3, 3e-9)
    assert found.at == {"W": 1.0, WORST_ENTRY: "W[1]"}


def test_the_first_sample_is_named_where_none_is_off():
    held = tally(2)
    held.agree((1,), 0.0, 1e-9, {"W": "first"})
    held.agree((0,), 0.0, 1e-9, {"W": "second"})
    assert held.finding("o", "").at == {"W": "first", WORST_ENTRY: "W[1]"}


def test_what_differs_is_never_outvoted_and_the_worst_of_it_is_told():
    held = tally(3)
    held.agree((0,), 0.9, 1e-9, {"W": "agrees"})
    held.differ((1,), 1e-7, {"W": "a"}, "small")
    held.differ((2,), 0.5, {"W": "b"}, "large")
    held.differ((1,), 0.25, {"W": "c"}, "middling")
    held.agree((0,), 0.0, 1e-12, {"W": "agrees again"})
    assert held.finding("o", "; more") == Finding(
        "o", "d/dW", "differs", "large", 5, 0.5, {"W": "b", WORST_ENTRY: "W[2]"}
    )


def test_an_array_without_entries_agrees_and_one_without_samples_is_unchecked():
    held = Tally(SimpleNamespace(text="W"), 1e-8, np.full((0, 2), math.nan))
    assert held.finding("o", "") == Finding("o", "d/dW", "agrees", "no entries", 0)
    found = tally(2).finding("o", "; more")
    assert (found.verdict, found.detail, found.count) == ("unchecked", "no sample; more", 0)


def test_reasons_are_told_with_their_number():
    held = tally()
    held.reasons.update({"one": 2, "other": 1})
    assert held.finding("o", "").detail == "one (2 times); other (1 times)"
    held.lost = 3
    assert held.finding("o", "; more").detail == (
        f"one (2 times); other (1 times); {LOST.format(3)}; more"
    )
    held.agree((), 0.0, 1e-9, {})
    assert held.finding("o", "").detail.endswith(f"or better; {LOST.format(3)}")


def test_an_array_of_another_shape_or_dtype_is_no_derivative():
    array = SimpleNamespace(text="x", type=SimpleNamespace(kind="array"))
    number = SimpleNamespace(text="x", type=SimpleNamespace(kind="py"))
    single = np.zeros(2, "f4")
    assert misfit(single, {"x": single}, array) == ""
    assert misfit(np.zeros(2), {"x": single}, array) == "holds float64, the argument float32"
    assert misfit(np.zeros((2, 1)), {"x": single}, array) == ("has shape (2, 1), the argument (2,)")
    assert misfit(np.zeros(2, int), {"x": np.zeros(2)}, array) == "holds int64"
    assert misfit(np.zeros(2, complex), {"x": np.zeros(2)}, array) == "holds complex128"
    assert misfit(np.asarray(np.float32(1)), {"x": 1.0}, number) == ""
    assert misfit(np.asarray(1), {"x": 1.0}, number) == "holds int64"


def test_the_samples_that_were_not_found_are_told_of():
    full, short = SimpleNamespace(exhausted=None), SimpleNamespace(exhausted=Exhausted(8, 3, 240))
    assert exhausted([full]) == ""
    said = "; 3 of 8 samples: of 240 tries, the function gave a finite value for no more"
    assert exhausted([short, full, short]) == said * 2


# -- one oracle over single entries, with hand-made estimates --------------------------------------


def weighted(x):
    return 3.0 * x[0] + 5.0 * x[1]


@functools.cache
def subject_of(f, shapes="x=2"):
    return from_function(f, "x", shapes)


def found_by(look, subject=None, effort=FEW, change=None):
    """The findings of an oracle that estimates with `look`, of a gradient that may be changed."""
    subject = subject or subject_of(weighted)
    if change is not None:
        right = subject.emitted

        def emitted(**arguments):
            value, (g,) = right(**arguments)
            return value, (change(np.array(g)),)

        subject = dataclasses.replace(subject, emitted=emitted)
    return list(compare_entries(subject, effort, None, "o", look))


def squared_exponential(x):
    return np.sum(1.0 / np.exp(1e9 + x * x))


def exact(ray, size, noise, turn):
    return Estimate(float(ray.directions["x"] @ [3.0, 5.0]), 0.0, 0.0)


def test_an_exact_estimate_settles_every_entry_to_64_eps_and_its_roundings():
    (found,) = found_by(exact)
    assert (found.verdict, found.count, found.worst) == ("agrees", 8, 0.0)
    assert found.detail == "relative error, each entry within 1e-14 or better"


@pytest.mark.parametrize(("ulps", "verdict"), [(16, "agrees"), (80, "differs")])
def test_no_more_than_64_eps_is_allowed_beside_an_exact_estimate(ulps, verdict):
    # of 3 and 5, as constants, no rounding moves anything
    (found,) = found_by(exact, change=lambda g: g * (1.0 + ulps * EPSILON))
    assert found.verdict == verdict


def test_an_entry_at_its_bound_agrees_and_beyond_it_differs():
    # of an estimate of 0 the bound is 16 times its error, as floats are rounded
    for off, verdict in ((8.0, "agrees"), (-8.0, "agrees"), (just_above(8.0), "differs")):
        (found,) = found_by(
            lambda *_: Estimate(0.0, 0.5, 0.5), change=lambda g, o=off: np.array([o, 0.0])
        )
        assert found.verdict == verdict


def test_what_roundings_move_an_entry_by_is_allowed_16_times_and_to_no_other_entry(monkeypatch):
    monkeypatch.setattr(entries, "spread", lambda *_: (0.0, {"x": np.array([0.5, 0.0])}))
    for change, verdict in (
        ([7.9, 0.0], "agrees"), ([8.1, 0.0], "differs"), ([0.0, 1e-12], "differs"),
    ):  # fmt: skip
        assert found_by(exact, change=lambda g, c=change: g + c)[0].verdict == verdict
    monkeypatch.setattr(entries, "spread", lambda *_: (0.0, {}))
    assert found_by(exact)[0].verdict == "agrees"
    assert found_by(exact, change=lambda g: g + np.array([1e-12, 0.0]))[0].verdict == "differs"


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 0.0, -5.0])
def test_a_wrong_entry_among_right_ones_differs_and_is_named(wrong):
    (found,) = found_by(exact, change=lambda g: np.array([g[0], wrong]))
    assert found.verdict == "differs"
    assert found.at[WORST_ENTRY] == "x[1]"
    assert found.detail.startswith("d/dx[1]: ")
    assert f" {wrong!r}, found 5.0 within " in found.detail
    assert found.count == 2  # of the first sample: the others are not looked at


def test_an_estimate_that_is_vague_settles_nothing():
    def vague(ray, size, noise, turn):
        return Estimate(exact(ray, size, noise, turn).value, 1e-8, 1e-8)

    (found,) = found_by(vague)
    assert (found.verdict, found.detail, found.count) == ("unchecked", "too inexact here", 8)
    assert found_by(vague, change=lambda g: g + 1e-6)[0].verdict == "differs"


@pytest.mark.parametrize(("kind", "enough"), [("", 1e-8), (":float32", 1e-3)])
def test_an_entry_is_settled_by_a_bound_of_1e_8_of_it_and_1e_3_in_single_precision(kind, enough):
    subject = subject_of(weighted, f"x=2{kind}")
    for part, verdict in ((0.9, "agrees"), (1.1, "unchecked")):
        error = part * enough * 5.0 / 16  # the larger entry is 5, the bound 16 times the error
        (found,) = found_by(
            lambda ray, *rest, e=error: Estimate(exact(ray, *rest).value, e, e), subject
        )
        assert found.verdict == verdict
        assert ("1 of 2 entries not settled" in found.detail) is (verdict == "agrees")


def test_what_looks_like_zero_is_settled_only_where_the_error_is_rounding_alone():
    def nothing(x):
        return 0.0 * x[0] + 0.0 * x[1]

    subject = from_function(nothing, "x", "x=2")
    for error, rounding, verdict in (
        (1e-3, 1e-6, "agrees"), (1.1e-3, 1e-6, "unchecked"), (1.0, 1.0, "agrees"),
        (1e-3, 0.0, "unchecked"),
    ):  # fmt: skip
        (found,) = found_by(lambda *_, e=error, r=rounding: Estimate(0.0, e, r), subject)
        assert found.verdict == verdict
    # an estimate that is 16 times its error is no zero
    for value, verdict in ((16.0, "agrees"), (16.01, "unchecked")):
        (found,) = found_by(
            lambda *_, v=value: Estimate(v, 1.0, 1.0), subject, change=lambda g: g + 15.0
        )
        assert found.verdict == verdict


def test_a_zero_that_is_emitted_where_the_estimate_is_no_zero_differs():
    (found,) = found_by(exact, change=lambda g: 0.0 * g)
    assert (found.verdict, found.worst) == ("differs", 1.0)


def test_what_does_not_agree_is_looked_at_twice_again_and_in_other_ways():
    turns = []

    def look(ray, size, noise, turn):
        turns.append(turn)
        right = exact(ray, size, noise, turn)
        return right if turn == 2 else Estimate(7.0, 0.0, 0.0)

    (found,) = found_by(look, effort=Effort(samples=1))
    assert found.verdict == "agrees"
    assert turns == [0, 1, 2] * 2
    turns.clear()
    (found,) = found_by(lambda *a: turns.append(a[3]) or Estimate(7.0, 0.0, 0.0))
    assert found.verdict == "differs"
    assert turns == [0, 1, 2] * 2


def test_before_each_look_again_roundings_are_shaken_again(monkeypatch):
    shaken = []
    right = Gradient.shake
    monkeypatch.setattr(Gradient, "shake", lambda self: shaken.append(1) or right(self))
    effort = Effort(samples=1)
    found_by(exact, effort=effort)
    assert len(shaken) == 1  # as it is made
    shaken.clear()
    found_by(lambda *_: Estimate(7.0, 0.0, 0.0), effort=effort)
    assert len(shaken) == 1 + 2 * 2


def test_an_entry_that_is_lost_in_an_infinity_is_counted_once_and_not_looked_at():
    subject = subject_of(squared_exponential, "x=2")
    (found,) = found_by(
        lambda *_: Estimate(0.0, 0.0, 0.0), subject, change=lambda g: np.array([math.nan, 0.0])
    )
    assert (found.verdict, found.count) == ("agrees", 4)
    assert f"; {LOST.format(4)}" in found.detail
    (found,) = found_by(
        lambda *_: Estimate(0.0, 0.0, 0.0), subject, change=lambda g: np.array([1.0, 0.0])
    )
    assert found.verdict == "differs"


def test_a_reason_instead_of_an_estimate_is_no_agreement():
    (found,) = found_by(lambda *_: "no estimate here")
    assert (found.verdict, found.detail) == ("unchecked", "no estimate here (8 times)")
    # a wrong entry that is seen once is wrong whatever else is not seen
    seen = iter(["no", "no", "no", Estimate(4.0, 0.0, 0.0), *[Estimate(4.0, 0.0, 0.0)] * 9])
    (found,) = found_by(lambda *_: next(seen))
    assert found.verdict == "differs"


def test_an_exception_differs_where_there_is_an_estimate_and_is_told():
    def fails(g):
        raise ZeroDivisionError("by zero")

    (found,) = found_by(exact, change=fails)
    assert (found.verdict, found.worst) == ("differs", math.inf)
    assert "raises ZeroDivisionError: by zero, found 3.0" in found.detail


def test_a_wrong_shape_differs_without_a_look():
    (found,) = found_by(lambda *_: "never", change=lambda g: g[:1])
    assert found.verdict == "differs"
    assert found.detail.endswith(" derivative has shape (1,), the argument (2,)")


def test_of_a_large_array_the_entries_take_turns():
    def total(x):
        return np.sum(x)

    subject = from_function(total, "x", "x=100")
    seen = set()

    def look(ray, size, noise, turn):
        (at,) = np.flatnonzero(ray.directions["x"])
        seen.add(int(at))
        return Estimate(1.0, 0.0, 0.0)

    (found,) = found_by(look, subject)
    assert found.count == 4 * 40
    assert len(seen) > 80
    assert found.detail.endswith(f"; {100 - len(seen)} of 100 entries not settled")
    small = from_function(total, "x", "x=40")
    assert found_by(look, small)[0].count == 4 * 40


def test_the_time_ends_a_comparison_and_is_told():
    left = iter([False] * 4 + [True] * 9)
    effort = dataclasses.replace(FEW, expired=lambda: next(left))
    (found,) = found_by(exact, effort=effort)
    assert (found.verdict, found.detail) == ("unchecked", "the time was up (1 times)")


def test_after_the_time_is_up_nothing_is_called():
    called = []
    for left in (0, 2):
        called.clear()
        times = iter([False] * left + [True] * 99)
        effort = dataclasses.replace(FEW, expired=lambda t=times: next(t))
        found_by(exact, effort=effort, change=lambda g: called.append(1) or g)
        assert len(called) == left


def test_a_leaf_that_differs_is_looked_at_no_further_and_the_next_one_is():
    def two(x, y):
        return 3.0 * x + 5.0 * y

    subject = from_function(two, ("x", "y"), "x=scalar, y=scalar")
    right = subject.emitted

    def emitted(**arguments):
        value, (g, h) = right(**arguments)
        return value, (g + 1.0, h)

    def look(ray, *_):
        return Estimate(3.0 if "x" in ray.directions else 5.0, 0.0, 0.0)

    subject = dataclasses.replace(subject, emitted=emitted)
    found = list(compare_entries(subject, FEW, None, "o", look, "a remark"))
    assert [(f.subject, f.verdict, f.count) for f in found] == [
        ("d/dx", "differs", 1), ("d/dy", "agrees", 4)
    ]  # fmt: skip
    assert found[1].detail.endswith("; a remark")


def test_every_leaf_that_is_differentiated_has_a_finding():
    subject = from_function(
        lambda p, y: p["a"] * y + p["b"], ("p", "y"), "p.a=scalar, p.b=scalar, y=scalar"
    )
    found = list(unchecked(subject, "o", "why"))
    assert [(f.subject, f.verdict, f.detail) for f in found] == [
        (f"d/d{text}", "unchecked", "why") for text in ("p['a']", "p['b']", "y")
    ]


def shaky(values, found, moved):
    """A gradient of `weighted` with other roundings, of which the one moves as told."""
    subject = subject_of(weighted)
    rounded = SimpleNamespace(
        own=None,
        plain=lambda v: (0.0, {"x": np.array(found)}),
        run=lambda v: (next(moved), {"x": np.array(found) + next(moved)}),
        unseen=lambda text: 0.0,
    )
    return Gradient(subject, values, rounded)


def test_roundings_that_move_things_farther_count_when_shaken_again():
    values = {"x": np.array([1.0, 2.0])}
    moved = iter([0.5, 0.25, *[0.0] * 14, 0.125, 1.0, *[0.0] * 14])
    gradient = shaky(values, [3.0, 5.0], moved)
    assert (gradient.noise, gradient.moved["x"].tolist()) == (0.5, [0.25, 0.25])
    gradient.shake()
    assert (gradient.noise, gradient.moved["x"].tolist()) == (0.5, [1.0, 1.0])
    assert gradient.wrong == {} and not gradient.overflows
    assert gradient.entries["x"].tolist() == [3.0, 5.0]


def overflowing(x):
    return 1.0 / (1.0 + np.exp(x))


def divided(x):
    return 1.0 / (1.0 / np.exp(-x))


def chosen(x):
    return np.where(x > 0, 1.0 / (1.0 + np.exp(x)), x)


def invalid(x):
    return np.arctan(np.log(-x))


@pytest.mark.parametrize(("f", "at", "expected"), [
    (overflowing, 1000.0, True), (overflowing, 1.0, False), (divided, 1000.0, True),
    (chosen, 1000.0, False), (invalid, 2.0, False), (invalid, 0.0, True),
])  # fmt: skip
def test_an_infinity_on_the_way_is_one_unless_branches_are_chosen(f, at, expected):
    subject = subject_of(f, "x=scalar")
    assert entries._overflows(subject, {"x": np.float64(at)}) is expected


# -- the dot product -------------------------------------------------------------------------------


def dotted(entries_, moved, seen, direction=(1.0, -1.0), epsilon=EPSILON, wrong=()):
    gradient = SimpleNamespace(
        wrong=dict(wrong), entries={"x": np.array(entries_)}, moved={"x": np.array(moved)}
    )
    return _dot(gradient, {"x": np.array(direction)}, seen, epsilon)


def test_a_dot_product_is_compared_in_units_of_its_absolute_products():
    # 3 - 5 against -2.5, of products of size 8; the bound is 16 (1/32 + 2/64) + 800 eps
    off, within, said = dotted([3.0, 5.0], [1 / 64] * 2, Estimate(-2.5, 1 / 32, 0.0))
    assert (off, within, said) == (0.5 / 8, (1.0 + 800 * EPSILON) / 8, "")


@pytest.mark.parametrize(("off", "agrees"), [(798, True), (804, False)])
def test_a_dot_product_may_be_off_by_100_eps_of_its_absolute_products(off, agrees):
    seen = Estimate(-2.0 + off * EPSILON, 0.0, 0.0)
    assert (dotted([3.0, 5.0], [0.0] * 2, seen)[2] == "") is agrees


@pytest.mark.parametrize(("error", "agrees"), [(1 / 31, True), (1 / 33, False)])
def test_a_dot_product_may_be_off_by_16_errors(error, agrees):
    off, within, said = dotted([3.0, 5.0], [0.0] * 2, Estimate(-1.5, error, error))
    assert (said == "") is agrees
    assert off == 0.5 / 8
    off, within, said = dotted([3.0, 5.0], [error / 2] * 2, Estimate(-1.5, 0.0, 0.0))
    assert (said == "") is agrees
    if not agrees:
        assert within == math.inf
        assert said.startswith("gradient times direction is -2.0, the derivative along it -1.5")


def test_what_roundings_move_the_products_by_is_allowed_16_times():
    # |m u| is 1/64 * 4 + 1/8 * 1/2, and sums to 1/8
    for off, agrees in ((1.99, True), (2.01, False)):
        seen = Estimate(3.0 * 4.0 - 5.0 * 0.5 + off, 0.0, 0.0)
        said = dotted([3.0, 5.0], [1 / 64, 1 / 8], seen, (4.0, -0.5))[2]
        assert (said == "") is agrees


def test_a_dot_product_at_its_bound_agrees():
    seen = Estimate(8.0, 0.5, 0.5)
    assert dotted([0.0, 0.0], [0.0] * 2, seen)[2] == ""
    assert dotted([0.0, 0.0], [0.0] * 2, Estimate(just_above(8.0), 0.5, 0.5))[2] != ""


@pytest.mark.parametrize("entry", [math.nan, math.inf])
def test_a_dot_product_with_no_number_differs_whatever_the_bound(entry):
    off, within, said = dotted([3.0, entry], [0.0] * 2, Estimate(-2.0, 1e300, 1e300))
    assert said and within == math.inf and off == math.inf


def test_a_dot_product_of_what_has_the_wrong_shape_differs():
    seen = Estimate(-2.0, 1.0, 1.0)
    off, within, said = dotted([3.0, 5.0], [0.0] * 2, seen, wrong={"x": "holds int64"})
    assert (off, within) == (math.inf, math.inf)
    assert said.endswith(" derivative by x holds int64")


def test_a_dot_product_of_zero_is_settled_only_where_the_error_is_rounding_alone():
    for error, rounding, settled in ((1.0, 1e-3, True), (1.0, 9e-4, False)):
        _, within, said = dotted([1e-9, 0.0], [0.0] * 2, Estimate(0.5, error, rounding))
        assert said == "" and (within == 0.0) is settled
    assert dotted([1.0, 0.0], [0.0] * 2, Estimate(16.0, 1.0, 1.0))[1] == 0.0
    assert dotted([1.0, 0.0], [0.0] * 2, Estimate(16.5, 1.0, 1.0))[1] > 1.0
    # of a gradient that is zero altogether
    assert dotted([0.0, 0.0], [0.0] * 2, Estimate(0.5, 1.0, 1.0)) == (0.0, 0.0, "")
    assert dotted([0.0, 0.0], [0.0] * 2, Estimate(0.5, 1.0, 0.0))[1] == math.inf
    assert dotted([0.0, 0.0], [0.0] * 2, Estimate(0.5, 0.0, 0.0))[0] == math.inf


def test_a_direction_is_of_the_size_of_each_entry():
    random = np.random.default_rng(0)
    leaf = SimpleNamespace(text="x")
    drawn = np.array([
        _direction({"x": np.array([1e3, 0.0, -1e-3])}, leaf, random) for _ in range(200)
    ])  # fmt: skip
    assert (np.abs(drawn).max(axis=0) <= [1e3, 1e3, 1e-3]).all()
    assert (np.abs(drawn).max(axis=0) >= [900.0, 900.0, 9e-4]).all()
    assert (drawn.min(axis=0) < 0).all() and (drawn.max(axis=0) > 0).all()
    assert abs(_direction({"x": np.zeros(1)}, leaf, random)[0]) <= 1.0
    assert _direction({"x": np.zeros(0)}, leaf, random).shape == (0,)


def along(monkeypatch, look, f=weighted, shapes="x=2", effort=FEW):
    """The finding of the dot product where derivatives along directions are found by `look`."""
    monkeypatch.setattr(numeric, "_look_along", lambda subject: look)
    (found,) = dot_product(subject_of(f, shapes), effort)
    return found


def right_along(error=0.0):
    def look(ray, random, noise, turn):
        return Estimate(float(ray.directions["x"] @ [3.0, 5.0]), error, 0.0)

    return look


def test_the_dot_product_counts_what_agrees(monkeypatch):
    found = along(monkeypatch, right_along())
    assert (found.verdict, found.count, found.subject) == ("agrees", 4, "d/dx")
    assert found.worst < 1e-15
    assert found.detail == "error in units of the sum of absolute products"


def test_a_dot_product_that_is_too_inexact_shows_nothing(monkeypatch):
    found = along(monkeypatch, right_along(1e-4))
    assert (found.verdict, found.detail) == ("unchecked", "too inexact here (4 times)")
    assert along(monkeypatch, right_along(1e-9)).verdict == "agrees"
    assert along(monkeypatch, right_along(1e-4), shapes="x=2:float32").verdict == "agrees"
    assert along(monkeypatch, right_along(1.0), shapes="x=2:float32").verdict == "unchecked"


@pytest.mark.parametrize(("shapes", "enough"), [("x=2", 1e-6), ("x=2:float32", 1e-2)])
def test_a_bound_of_1e_6_of_the_products_is_enough_and_1e_2_in_single_precision(
    shapes, enough, monkeypatch
):
    for within, verdict in ((enough, "agrees"), (just_above(enough), "unchecked")):
        monkeypatch.setattr(numeric, "_dot", lambda *_, w=within: (0.0, w, ""))
        assert along(monkeypatch, right_along(), shapes=shapes).verdict == verdict


def test_a_dot_product_that_is_lost_in_an_infinity_is_counted_and_not_judged(monkeypatch):
    monkeypatch.setattr(numeric, "_look_along", lambda subject: right_along())
    for f, verdict in ((squared_exponential, "unchecked"), (weighted, "differs")):

        def emitted(f=f, **arguments):
            return f(**arguments), (np.array([math.nan, 0.0]),)

        (found,) = dot_product(dataclasses.replace(subject_of(f), emitted=emitted), FEW)
        assert found.verdict == verdict
        if verdict == "unchecked":
            assert (found.count, found.detail) == (0, f"{LOST.format('some')} (4 times)")


def test_a_dot_product_without_estimates_is_unchecked_with_the_reasons(monkeypatch):
    seen = iter(["one", "other", "one", "one"])
    found = along(monkeypatch, lambda *_: next(seen))
    assert (found.verdict, found.detail) == ("unchecked", "one (3 times); other (1 times)")
    effort = dataclasses.replace(FEW, expired=lambda: True)
    found = along(monkeypatch, right_along(), effort=effort)
    assert (found.verdict, found.detail) == ("unchecked", "the time was up (1 times)")
    found = along(monkeypatch, right_along(), effort=Effort(samples=0))
    assert (found.verdict, found.detail) == ("unchecked", "no sample")


def test_a_dot_product_that_differs_in_every_way_of_stepping_differs(monkeypatch):
    turns = []

    def look(ray, random, noise, turn):
        turns.append(turn)
        return Estimate(right_along()(ray, random, noise, turn).value + (turn < 2), 0.0, 0.0)

    found = along(monkeypatch, look, effort=Effort(samples=1))
    assert (found.verdict, turns) == ("agrees", [0, 1, 2])

    def wrong(ray, random, noise, turn):
        return Estimate(right_along()(ray, random, noise, turn).value + 1.0, 0.0, 0.0)

    found = along(monkeypatch, wrong)
    assert (found.verdict, found.count) == ("differs", 1)
    assert set(found.at) == {"x"}


# -- the value, bit by bit -------------------------------------------------------------------------


def test_arrays_are_the_same_only_if_every_entry_is():
    one = np.array([1.0, math.nan, -0.0])
    assert same_bits(one, one.copy())
    for k, other in enumerate((math.nextafter(1.0, 2.0), 1.0, 0.0)):
        changed = one.copy()
        changed[k] = other
        assert not same_bits(one, changed)
        assert not same_bits(changed, one)
    assert not same_bits(np.arange(3), np.array([0, 1, 3]))
    assert same_bits(np.arange(3), np.arange(3))
    assert not same_bits(np.array([True, False]), np.array([True, True]))
    assert not same_bits(np.arange(3), np.arange(3.0))
    assert not same_bits(1.0, ValueError())
    assert not same_bits(np.float32(0.1), 0.1)
    assert same_bits("text", "text") and not same_bits("text", "test")


def square(x):
    return x * x


def with_value(change, f=square):
    subject = subject_of(f, "x=scalar")

    def emitted(**arguments):
        value, gradients = subject.emitted(**arguments)
        return change(arguments["x"], value), gradients

    return dataclasses.replace(subject, emitted=emitted)


def test_the_value_is_compared_on_ordinary_wide_and_edge_arguments():
    found = list(forward(with_value(lambda x, v: v), Effort(samples=20)))
    assert [(f.verdict, f.detail, f.count) for f in found] == [("agrees", "bit for bit", 60)]
    for picked in (
        lambda x: math.isnan(x), lambda x: x == 0 and math.copysign(1, x) < 0,
        lambda x: abs(x) > 1e100, lambda x: x == 5e-324, lambda x: 0.5 < x < 1,
    ):  # fmt: skip
        off = with_value(lambda x, v, p=picked: 0.25 if p(x) else v)
        *named, total = forward(off, Effort(samples=20))
        assert total.verdict == "differs"
        assert total.detail == f"{len(named)} differ" and total.count == 60
        assert all(picked(f.at["x"]) and f.verdict == "differs" for f in named)


def test_a_value_that_differs_is_shown_with_both():
    *named, _ = forward(with_value(lambda x, v: v + 1.0), Effort(samples=1))
    shown = next(f for f in named if f.at["x"] == 2.0)
    assert shown.detail == "the function gives 4.0, the emitted one 5.0"
    assert shown.count == 1


def test_where_only_the_emitted_function_raises_it_is_counted_and_not_judged():
    def fails(kind):
        def change(x, value):
            if x == 2.0:
                raise kind
            return value

        return list(forward(with_value(change), Effort(samples=1)))

    for kind in (ZeroDivisionError, OverflowError, ValueError):
        (found,) = fails(kind)
        assert found.verdict == "agrees"
        assert found.detail == "bit for bit; on 1 more inputs the gradient raises"
    *named, total = fails(TypeError)
    assert (total.verdict, len(named)) == ("differs", 1)
    assert named[0].detail == "the function gives 4.0, the emitted one TypeError"


def test_a_value_that_is_never_seen_is_unchecked():
    def raises(x, value):
        raise ZeroDivisionError

    (found,) = forward(with_value(raises), Effort(samples=1))
    assert (found.verdict, found.count) == ("unchecked", 0)


def test_the_value_of_a_function_that_raises_is_the_same_exception():
    def always(x):
        return math.sqrt(x) * 2.0

    subject = with_value(lambda x, v: v, always)
    found = list(forward(subject, Effort(samples=1), parse_domain("x < -1")))
    assert [f.verdict for f in found] == ["agrees"]


# -- reports ---------------------------------------------------------------------------------------


def report(*verdicts):
    held = Report("f", ("x",), "", "quick")
    held.findings = [Finding("o", subject, verdict) for subject, verdict in verdicts]
    return held


@pytest.mark.parametrize(("verdicts", "ok"), [
    ([], False),
    ([("value", "agrees")], False),
    ([("value", "proved")], False),
    ([("value", "agrees"), ("d/dx", "unchecked")], False),
    ([("d/dx", "agrees")], True),
    ([("d/dx", "proved")], True),
    ([("value", "agrees"), ("d/dx", "unchecked"), ("d/dy", "proved")], True),
    ([("value", "differs"), ("d/dx", "agrees")], False),
    ([("d/dx", "agrees"), ("d/dx", "differs")], False),
    ([("d/dx", "differs"), ("d/dx", "proved")], False),
    ([("d/dx", "differs")], False),
])  # fmt: skip
def test_a_report_is_fine_if_nothing_differs_and_a_derivative_was_looked_at(verdicts, ok):
    assert report(*verdicts).ok is ok
    assert as_dict(report(*verdicts))["ok"] is ok


def test_findings_are_grouped_by_oracle_in_their_order():
    held = report()
    one, two, three = (Finding(o, s, "agrees") for o, s in (("b", "1"), ("a", "2"), ("b", "3")))
    held.findings = [one, two, three]
    assert list(held.by_oracle()) == [("b", [one, three]), ("a", [two])]


def test_what_was_left_out_is_said_once_for_each_oracle_and_reason():
    held = report()
    held.findings = [
        Finding("a", "d/dx", "unchecked", "why"), Finding("a", "d/dy", "agrees", "why"),
        Finding("a", "d/dz", "unchecked", "why"), Finding("a", "d/du", "unchecked", "other"),
        Finding("b", "d/dx", "unchecked", "why"), Finding("b", "d/dw", "differs", "why"),
        Finding("a", "d/dv", "unchecked", "why"),
    ]  # fmt: skip
    assert list(left_out(held)) == [
        "a: d/dx and 2 more: why", "a: d/du: other", "b: d/dx: why"
    ]  # fmt: skip


def test_a_report_for_machines_holds_lists_and_texts():
    given = {
        "a": np.array([[1.0, math.nan]]), 2: (math.inf, -math.inf), "b": np.float32(0.5),
        "c": None, "d": True, "e": 1j, "f": np.int64(3), "g": [1, "x", 1.5],
    }  # fmt: skip
    assert _plain(given) == {
        "a": [[1.0, "nan"]], "2": ["inf", "-inf"], "b": 0.5, "c": None, "d": True, "e": "1j",
        "f": 3, "g": [1, "x", 1.5],
    }  # fmt: skip


def test_more_effort_tries_more():
    quick, normal, much = (EFFORTS[name] for name in ("quick", "normal", "exhaustive"))
    for field in ("samples", "points", "symbolic"):
        assert getattr(quick, field) < getattr(normal, field) < getattr(much, field)
    assert {effort.digits for effort in EFFORTS.values()} == {50}
    assert not any(effort.expired() for effort in EFFORTS.values())


# -- steps -----------------------------------------------------------------------------------------


def test_two_estimates_meet_where_four_times_their_errors_do():
    one = Estimate(1.0, 0.25, 0.0)
    assert steps._overlap(one, Estimate(3.0, 0.25, 0.0))
    assert not steps._overlap(one, Estimate(just_above(3.0), 0.25, 0.0))
    assert steps._overlap(Estimate(3.0, 0.25, 0.0), one)


def test_large_steps_that_agree_among_themselves_count_as_far_off_as_smaller_ones_are():
    small, large = Estimate(1.0, 1e-3, 5.0), Estimate(2.0, 1e-9, 7.0)
    assert steps._best({-7: small, -3: large}) == small
    near = Estimate(1.0 + 2.0**-12, 1e-9, 7.0)
    assert steps._best({-3: near, -7: small}) == Estimate(near.value, 2.0**-12, 7.0)
    assert steps._best({-3: large}) == large
    assert steps._best({-3: Estimate(1.0, 1e-3, 0.0), -7: small}) == small
