"""Derivatives of a program by steps: where they are taken, what they may cross, how far off."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from gradgen.differences import EPSILON, Estimate
from gradgen.oracles import numeric
from gradgen.oracles.domain import parse_domain
from gradgen.oracles.numeric import complex_step, differences, dot_product
from gradgen.oracles.report import EFFORTS, Effort
from gradgen.oracles.steps import (
    Ray,
    by_complex_step,
    by_differences,
    coarsest,
    jittered,
    not_analytic,
    value_noise,
)
from gradgen.oracles.subject import from_function

QUICK = EFFORTS["quick"]
SINGLE = 2.0**-23


def random():
    return np.random.default_rng(0)


class Fake:
    """A ray along which a function of the step alone is computed, and a watch of its sides."""

    unknown = ""

    def __init__(self, function, side=lambda step: b""):
        self.function, self.side_of, self.asked = function, side, []

    def point(self, step):
        return step

    def at(self, step):
        self.asked.append(step)
        return self.function(step)

    def side(self, step):
        return self.side_of(step)


def differenced(function, side=lambda step: b"", size=1.0, noise=0.0, **keywords):
    fake = Fake(function, side)
    return by_differences(fake, size, fake, noise, **keywords), fake.asked


# -- differences -----------------------------------------------------------------------------------


def test_the_first_step_is_an_eighth_of_the_size_and_the_first_good_table_is_taken():
    found, asked = differenced(lambda h: 3.0 * h, size=4.0)
    assert found == Estimate(3.0, 0.0, 0.0)
    assert max(asked) == 0.5 and min(map(abs, asked)) == 0.5 / 2**7
    assert max(differenced(lambda h: 3.0 * h, turn=0.5)[1]) == 1 / 16


def test_all_steps_are_tried_where_it_matters_or_none_is_good():
    for keywords in ({"thorough": True}, {"noise": 1e-3}):
        _, asked = differenced(lambda h: 3.0 * h, **keywords)
        assert {2.0**k for k in (-3, -7, 1, -12, -18, -26)} <= set(asked)


def test_no_step_is_taken_across_a_branch_point():
    found, asked = differenced(
        lambda h: 3.0 * h if h < 0.01 else 5.0 * h, lambda h: b"a" if h < 0.01 else b"b"
    )
    assert found.value == 3.0 and max(asked) < 0.01
    # on one side, at the half of a step: what is beyond both ends is seen too
    for lost in (2.0**-3, -(2.0**-3), 2.0**-4, -(2.0**-4)):
        _, asked = differenced(lambda h: 3.0 * h, lambda h, at=lost: b"b" if h == at else b"a")
        assert 2.0**-3 not in asked


def test_where_every_step_crosses_a_branch_point_or_has_no_value_it_is_said():
    assert differenced(abs, lambda h: b"a" if h == 0 else b"b")[0] == "a branch point is near"
    assert differenced(lambda h: math.nan)[0] == "the function has no finite value nearby"
    assert differenced(lambda h: h, lambda h: None if h else b"")[0] == "a branch point is near"


def test_differences_by_large_and_small_steps_that_do_not_meet_claim_nothing():
    def saturated(h):
        return 1000.0 * h if abs(h) < 1e-3 else 2.0 * h

    found, _ = differenced(saturated, thorough=True)
    assert found.value == 1000.0  # several small ones meet

    def other_at_every_scale(h):
        return h * sum(abs(h) > 2.0**k for k in (-99, -26, -18, -12, -7, -3))

    assert differenced(other_at_every_scale)[0] == Estimate(5.0, 0.0, 0.0)
    found, _ = differenced(other_at_every_scale, thorough=True)
    assert found == "differences by large and small steps do not meet"

    def other_at_large_scales(h):
        return h * sum(abs(h) > 2.0**k for k in (-99, -18, -12, -7, -3))

    # those by the two smallest meet, and that is enough
    assert differenced(other_at_large_scales, thorough=True)[0] == Estimate(1.0, 0.0, 0.0)
    lonely, _ = differenced(
        lambda h: 3.0 * h, lambda h: b"a" if abs(h) <= 2.0**-26 else b"b", thorough=True
    )
    assert lonely.value == 3.0  # there is no other that it could meet


def test_the_noise_of_the_value_is_part_of_the_error():
    found, _ = differenced(lambda h: 3.0 * h, noise=2.0**-40)
    # a table of first step 2^-3: its second row loses 2 * noise / 2^-4, which is good enough
    assert found.rounding == found.error == 2.0**-35
    found, _ = differenced(lambda h: 3.0 * h, noise=2.0**-30)
    # else the largest steps lose least: the second row of a first step of 2
    assert found.rounding == found.error == 2.0**-29


# -- rays ------------------------------------------------------------------------------------------


def mixes(x, y, k, f):
    return np.sum(x * y) * k + f


@pytest.fixture
def ray():
    subject = from_function(mixes, ("x", "y"), "x=2, y=2:float32, k=scalar:int64, f=scalar")
    values = {
        "x": np.array([1.0, 2.0]), "y": np.array([0.5, 0.25], "f4"), "k": np.int64(3), "f": 0.5,
    }  # fmt: skip
    return Ray(subject, values, {"x": np.array([1.0, -1.0])})


def test_a_step_moves_what_has_a_direction_and_all_is_in_double_precision(ray):
    found = ray.point(0.5)
    assert found["x"].tolist() == [1.5, 1.5]
    assert found["y"].dtype == np.float64 and found["y"].tolist() == [0.5, 0.25]
    assert found["k"] == 3 and found["f"] == 0.5 and type(found["f"]) is float
    assert ray.values["x"].tolist() == [1.0, 2.0]
    assert ray.at(0.5) == (1.5 * 0.5 + 1.5 * 0.25) * 3 + 0.5


def test_a_moved_argument_is_of_the_kind_that_the_function_is_given():
    def f(x, y, z):
        return x * y * z

    subject = from_function(f, ("x", "y"), like=(np.float64(2.0), np.array(3.0), 4.0))
    values = {"x": np.float64(2.0), "y": np.array(3.0), "z": 4.0}
    for found in (Ray(subject, values, {"x": 1.0}).point(0.5), jittered(subject, values, random())):
        assert type(found["x"]) is np.float64 and type(found["z"]) is float
        assert type(found["y"]) is np.ndarray
    assert Ray(subject, values, {"x": 1.0}).point(0.5)["x"] == 2.5
    assert type(Ray(subject, values, {"x": 1.0}).point(0.5j)["x"]) is np.complex128


def test_a_complex_step_is_along_the_direction(ray):
    found = by_complex_step(ray, random())
    assert found.value == 0.75  # (0.5 - 0.25) * 3
    # by roundings of y in single precision, and no more than 4 of them
    assert 0 < found.error < 0.75 * 3 * 4 * SINGLE


def test_an_exception_is_the_reason_why_there_is_no_complex_step():
    def refuses(x):
        return x * float(x)

    ray = Ray(from_function(refuses, "x", "x=scalar"), {"x": 2.0}, {"x": 1.0})
    assert by_complex_step(ray, random()).startswith("TypeError: ")


def test_more_neighbours_are_asked_if_told():
    asked = []

    def noted(x):
        asked.append(x)
        return x * x

    subject = from_function(lambda x: x * x, "x", "x=scalar")
    subject.function = noted
    for count in (0, 4, 16):
        asked.clear()
        by_complex_step(Ray(subject, {"x": 2.0}, {"x": 1.0}), random(), count)
        assert len(asked) == 2 + count
        assert sum(isinstance(x, complex) for x in asked) == 1 + count


def test_values_are_moved_by_one_to_four_units_and_keep_their_types(ray):
    source = random()
    units = set()
    for _ in range(40):
        moved = jittered(ray.subject, ray.values, source)
        assert moved["y"].dtype == np.float32 and type(moved["f"]) is float
        assert moved["k"] == 3
        units |= set((moved["x"] - ray.values["x"]) / (ray.values["x"] * EPSILON))
        units |= {(moved["f"] - 0.5) / (0.5 * EPSILON)}
        in_single = (moved["y"].astype(float) - ray.values["y"]) / (ray.values["y"] * SINGLE)
        assert set(np.abs(in_single)) <= {1.5, 2.0, 3.0, 4.0}
    assert units == {-4.0, -3.0, -2.0, 2.0, 3.0, 4.0}
    assert ray.values["x"].tolist() == [1.0, 2.0]


def test_the_noise_of_a_value_is_what_roundings_of_the_arguments_make_of_it_and_its_own():
    steep = from_function(lambda x: np.exp(1000.0 * x), "x", "x=scalar")
    ray = Ray(steep, {"x": 0.5}, {"x": 1.0})
    value = ray.at(0.0)
    assert 900 * EPSILON * value < value_noise(ray, random(), 0.0) < 2100 * EPSILON * value
    level = from_function(lambda x: 0.0 * x + 8.0, "x", "x=scalar")
    ray = Ray(level, {"x": 0.5}, {"x": 1.0})
    assert value_noise(ray, random(), SINGLE) == 8.0 * SINGLE
    edge = from_function(lambda x: np.sqrt(x - 0.5), "x", "x=scalar")
    found = value_noise(Ray(edge, {"x": 0.5}, {"x": 1.0}), random(), 0.0)
    assert 0 < found < 1e-7  # of the neighbours that have a value


def test_the_noise_of_a_value_is_that_of_the_neighbour_that_is_farthest_off():
    def noise(*values, coarse=0.0):
        left = iter(values)
        fake = SimpleNamespace(
            at=lambda step: -8.0, moved=lambda _: SimpleNamespace(at=lambda step: next(left))
        )
        return value_noise(fake, random(), coarse)

    assert noise(-8.5, -6.0, math.nan, -8.0) == 2.0
    assert noise(-8.0, -8.0, -8.0, -8.25, coarse=0.125) == 1.25
    assert noise(*[math.nan] * 4, coarse=0.125) == 1.0


# -- what is analytic ------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "why"), [
    (lambda x, c: x * np.exp(x) + c, ""), (lambda x, c: x * np.abs(c), ""),
    (lambda x, c: x * np.abs(x), "abs"), (lambda x, c: np.where(c > 0, x, 2.0 * x), ""),
    (lambda x, c: np.where(x > 0, x, 2.0 * x), "`>`"),
    (lambda x, c: x * math.floor(c), ""), (lambda x, c: math.exp(x), "math.exp"),
    (lambda x, c: x + np.maximum(x, c), "maximum"),
    (lambda x, c: np.abs(np.exp(x) - c), "abs"), (lambda x, c: x * np.abs(np.exp(c)), ""),
])  # fmt: skip
def test_a_function_is_analytic_if_all_that_its_argument_passes_through_is(f, why):
    said = not_analytic(from_function(f, "x", "x=scalar, c=scalar"))
    assert bool(said) == bool(why)
    if why:
        assert said.startswith(f"{why} (line ")
        assert said.endswith(") takes no complex numbers, or is not analytic in them")


def test_what_the_value_does_not_need_may_be_what_it_will():
    def two(x):
        return x * x, np.abs(x)

    assert not_analytic(from_function(two, "x", "x=scalar", output=0)) == ""
    assert not_analytic(from_function(two, "x", "x=scalar", output=1)).startswith("abs")


# -- precision -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "shapes", "epsilon", "introduced"), [
    (lambda x: np.sum(x), "x=2", EPSILON, EPSILON),
    (lambda x: np.sum(x * x), "x=2:float32", SINGLE, EPSILON),
    (lambda x: np.sum(x.astype("float32") * 2.0), "x=2", SINGLE, SINGLE),
    (lambda x: np.sum((x * x).astype("float32")), "x=2:float32", SINGLE, SINGLE),
])  # fmt: skip
def test_the_coarsest_type_of_a_program_is_told_and_the_one_it_brings_in(
    f, shapes, epsilon, introduced
):
    graph = from_function(f, "x", shapes).graph
    assert coarsest(graph) == epsilon
    assert coarsest(graph, introduced=True) == introduced


# -- the second look at a complex step -------------------------------------------------------------


def test_a_complex_step_is_confirmed_by_a_coarse_slope():
    fake = Fake(lambda h: 8.0 + 3.0 * h)
    found = numeric._confirmed(fake, 4.0, 1.0, Estimate(3.0, 0.5, 0.25))
    more = (1.0 + 8.0 * EPSILON) / 4.0
    assert found == Estimate(3.0, 0.5 + more, 0.25 + more)
    assert max(fake.asked) == 4.0 * 2.0**-14


@pytest.mark.parametrize(("slope", "confirmed"), [(3.029, True), (3.031, False), (-3.0, False),
                                                  (2.971, True), (2.969, False)])  # fmt: skip
def test_a_slope_that_is_off_by_more_than_a_hundredth_is_of_another_function(slope, confirmed):
    found = numeric._confirmed(Fake(lambda h: slope * h), 1.0, 0.0, Estimate(3.0, 0.0, 0.0))
    assert isinstance(found, Estimate) is confirmed
    if not confirmed:
        assert found == (
            "complex arithmetic continues another function than real arithmetic computes"
        )


def test_the_noise_of_the_value_is_allowed_a_coarse_slope():
    noise = 2.0**-14 / 64  # that is, a slope of 1
    for slope, confirmed in ((4.02, True), (4.04, False)):
        found = numeric._confirmed(Fake(lambda h, s=slope: s * h), 1.0, noise,
                                   Estimate(3.0, 0.0, 0.0))  # fmt: skip
        assert isinstance(found, Estimate) is confirmed


def looks(monkeypatch, f, estimates, confirmed=lambda ray, size, noise, found: found):
    """Which way of looking along a direction is taken at each turn."""
    taken = []

    def complexly(*args):
        taken.append("complex step")
        return next(estimates)

    def really(ray, size, watch, noise, turn, thorough):
        taken.append(("differences", turn, thorough))
        return Estimate(1.0, 0.0, 0.0)

    monkeypatch.setattr(numeric, "by_complex_step", complexly)
    monkeypatch.setattr(numeric, "by_differences", really)
    monkeypatch.setattr(numeric, "value_noise", lambda *_: 0.0)
    monkeypatch.setattr(numeric, "_confirmed", confirmed)
    look = numeric._look_along(from_function(f, "x", "x=scalar"))
    found = [look(SimpleNamespace(), random(), 0.0, turn) for turn in range(3)]
    return taken, found


def test_a_direction_is_looked_along_by_complex_steps_and_the_last_time_by_differences(monkeypatch):
    taken, found = looks(monkeypatch, lambda x: x * x, iter([Estimate(7.0, 0.0, 0.0)] * 2))
    assert taken == ["complex step", "complex step", ("differences", 0.71, True)]
    assert [e.value for e in found] == [7.0, 7.0, 1.0]


def test_a_direction_is_looked_along_by_differences_where_there_are_no_complex_steps(monkeypatch):
    taken, _ = looks(monkeypatch, lambda x: np.abs(x), iter([]))
    assert taken == [("differences", 1.0, False), ("differences", 0.83, True),
                     ("differences", 0.71, True)]  # fmt: skip
    taken, _ = looks(monkeypatch, lambda x: x * x, iter(["no", "no"]))
    assert taken[:2] == ["complex step", ("differences", 1.0, False)]


def test_a_complex_step_that_is_not_confirmed_along_a_direction_gives_way_at_once(monkeypatch):
    taken, found = looks(
        monkeypatch, lambda x: x * x, iter([Estimate(7.0, 0.0, 0.0)] * 2), lambda *_: "another"
    )
    assert taken == ["complex step", "complex step", ("differences", 0.83, True),
                     ("differences", 0.71, True)]  # fmt: skip
    assert [e.value for e in found] == [7.0, 1.0, 1.0]


def test_a_complex_step_that_fails_when_looked_at_again_claims_nothing(monkeypatch):
    seen = iter([Estimate(7.0, 0.0, 0.0), "nothing there"])
    asked = []
    monkeypatch.setattr(
        numeric, "by_complex_step", lambda ray, random, jitters: asked.append(jitters) or next(seen)
    )
    (found,) = complex_step(from_function(lambda x: x * x, "x", "x=scalar"), Effort(samples=1))
    assert (found.verdict, found.detail) == ("unchecked", "nothing there (1 times)")
    assert asked == [4, 16]


# -- oracles of functions --------------------------------------------------------------------------


def test_a_function_that_is_analytic_in_name_only_is_no_error():
    def by_type(x):
        return x * x if isinstance(x, float) else 3.0 * x * x

    subject = from_function(lambda x: x * x, "x", "x=scalar")
    subject.function = by_type
    (found,) = complex_step(subject, QUICK)
    assert found.verdict == "unchecked"
    assert found.detail.startswith("complex arithmetic gives another value than real arithmetic")


def test_where_only_the_slope_is_another_it_is_not_called_wrong():
    def hidden(x):
        return x * x + (0.0 if isinstance(x, float) else 1j * np.imag(x) * np.real(x))

    subject = from_function(lambda x: x * x, "x", "x=scalar")
    subject.function = hidden
    (found,) = complex_step(subject, QUICK)
    assert (found.verdict, found.count) == ("unchecked", 0)
    assert found.detail == (
        "complex arithmetic continues another function than real arithmetic computes (8 times)"
    )
    (found,) = dot_product(subject, QUICK)
    assert found.verdict == "agrees"  # the last look is by differences


def test_the_seed_draws_other_samples():
    subject = from_function(lambda x: np.exp(x), "x", "x=scalar")
    for oracle in (complex_step, differences, dot_product):
        (one,), (other,) = (list(oracle(subject, Effort(samples=2, seed=s))) for s in (0, 1))
        assert one.verdict == other.verdict == "agrees"
        assert one.at != other.at


def test_the_domain_of_a_step_is_that_of_the_samples():
    subject = from_function(lambda x: x * x, "x", "x=scalar")
    for oracle in (complex_step, differences, dot_product):
        (found,) = oracle(subject, QUICK, parse_domain("x in [7, 8]"))
        assert 7 <= found.at["x"] <= 8


def test_what_cannot_be_watched_is_remarked(monkeypatch):
    monkeypatch.setattr(numeric, "Watch", lambda subject: Remarked())
    (found,) = differences(from_function(lambda x: x * x, "x", "x=scalar"), QUICK)
    assert found.detail.endswith("; the branches of sorcery cannot be watched")


class Remarked:
    unknown = "the branches of sorcery cannot be watched"

    def side(self, values):
        return b""
