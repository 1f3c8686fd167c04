"""Errors in units in the last place: known ones are measured, planted ones are found."""

import dataclasses
import json
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from click.testing import CliRunner
from golden import names
from test_oracles_numeric import FEW, PLANTS, folder, missed, planted, some_plants, subject_of

import gradgen
from gradgen import checking
from gradgen.cli import cli
from gradgen.oracles import accuracy as module
from gradgen.oracles.accuracy import accuracy, ulps
from gradgen.oracles.domain import parse_domain
from gradgen.oracles.gains import gains
from gradgen.oracles.numeric import differences, forward
from gradgen.oracles.reference import Reference
from gradgen.oracles.report import EFFORTS, Effort, Gain, Ulps
from gradgen.oracles.subject import from_file, from_function

__all__ = ["folder", "subject_of"]

QUICK = EFFORTS["quick"]
SOME = Effort("some", samples=5)
EXACT = mpmath.MPContext()
EXACT.dps = 60
TINY, LARGEST = 5e-324, 1.7976931348623157e308


def by_subject(findings):
    return {f.subject: f for f in findings}


# -- the unit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "exact", "dtype", "wanted"), [
    (1.0, 1, "float", 0.0),
    (1.0 + 2.0**-52, 1, "float64", 1.0),
    (1.0 - 2.0**-53, 1, "float", 0.5),  # below a power of 2 floats lie twice as close
    (-3.0, -3 - EXACT.mpf(2) ** -51, "float", 1.0),
    (1.0 + 2.0**-23, 1, "float32", 1.0),
    (3.0 * TINY, EXACT.mpf(TINY), "float", 2.0),
    (2.0**-149, EXACT.mpf(2) ** -148, "float32", 1.0),
    (0.0, 0, "float", 0.0),
    (-0.0, 0, "float", 0.0),
    (math.inf, EXACT.mpf(10) ** 400, "float", 0.0),
    (-math.inf, -EXACT.mpf(10) ** 400, "float", 0.0),
    (math.inf, EXACT.mpf(10) ** 39, "float32", 0.0),
    (-math.inf, EXACT.mpf(10) ** 400, "float", math.inf),
    (LARGEST, EXACT.mpf(10) ** 400, "float", math.inf),
    (LARGEST, EXACT.mpf(LARGEST), "float", 0.0),
    (math.inf, EXACT.mpf(LARGEST), "float", math.inf),
    (math.nan, 1, "float", math.inf),
    (math.nan, 0, "float", math.inf),
    (math.nan, EXACT.mpf(10) ** 400, "float", math.inf),
])  # fmt: skip
def test_the_unit_is_the_distance_of_floats_where_the_exact_number_lies(
    found, exact, dtype, wanted
):
    assert ulps(found, EXACT.mpf(exact), dtype, EXACT) == wanted


def test_no_unit_measures_a_float_where_zero_is_exact():
    assert math.isnan(ulps(1e-17, EXACT.mpf(0), "float", EXACT))


# -- known errors ----------------------------------------------------------------------------------


def tripled(x):
    return np.sum(3.0 * x)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("off", [1, 7, 20])
def test_a_gradient_that_is_off_by_so_many_units_is_measured_as_such(off, dtype):
    subject = from_function(tripled, "x", f"x=4:{dtype}")
    unit = np.spacing(np.dtype(dtype).type(3.0))

    def emitted(**arguments):
        value, gradients = subject.emitted(**arguments)
        moved = gradients[0].copy()
        moved[1] += off * unit
        return value, (moved,)

    wrong = dataclasses.replace(subject, emitted=emitted)
    found = by_subject(accuracy(wrong, QUICK))["d/dx"]
    assert (found.worst, found.median) == (off, 0.0)
    assert found.count == 4 * QUICK.samples
    assert found.at["worst entry"] == "x[1]"
    assert found.detail == f"worst {off}.0 ulps, median 0.0"


def log_of_one_and(x):
    return np.log(1.0 + x)


def test_the_digits_that_one_plus_x_loses_are_counted():
    subject = from_function(log_of_one_and, "x")
    found = by_subject(accuracy(subject, QUICK, parse_domain("x in {1e-10}")))
    # 1 + x is rounded, and log is as steep as its argument there, but for x / 2 of it
    lost = abs(Fraction(1.0 + 1e-10) - 1 - Fraction(1e-10)) / Fraction(np.spacing(1e-10).item())
    assert found["value"].worst == pytest.approx(float(lost), rel=1e-9, abs=1.0)
    assert found["value"].worst > 1e5
    assert found["value"].at == {"x": 1e-10}
    assert found["d/dx"].worst < 1.0
    assert {f.verdict for f in found.values()} == {"agrees"}


def of_two(x, y):
    return np.exp(x) / (1.0 + np.exp(x)) * y


def test_worst_and_median_are_those_of_an_independent_evaluation():
    subject = from_function(of_two, ("x", "y"))
    seen = []

    def emitted(**arguments):
        result = subject.emitted(**arguments)
        seen.append((arguments, result))
        return result

    watched = dataclasses.replace(subject, emitted=emitted)
    found = by_subject(accuracy(watched, QUICK))
    errors = {}
    for arguments, (_, (_, d_y)) in seen:
        x = EXACT.mpf(arguments["x"])
        exact = EXACT.exp(x) / (1 + EXACT.exp(x))
        unit = np.spacing(float(exact)).item()
        errors[arguments["x"]] = float(abs(EXACT.mpf(float(d_y)) - exact) / EXACT.mpf(unit))
    assert len(errors) == QUICK.samples
    assert found["d/dy"].worst == max(errors.values())
    assert found["d/dy"].median == np.median(list(errors.values()))
    assert found["d/dy"].at["x"] == max(errors, key=errors.get)


def too_steep(x):
    return 1e308 * np.sin(100.0 * x)


def test_an_infinity_is_right_where_the_exact_derivative_is_too_large_for_a_float():
    subject = from_function(too_steep, "x")
    domain = parse_domain("x in {3.0}")
    found = by_subject(accuracy(subject, QUICK, domain))["d/dx"]
    assert (found.verdict, found.worst) == ("agrees", 0.0)
    other = planted(subject, lambda arrays: [-a for a in arrays])
    found = by_subject(accuracy(other, QUICK, domain))["d/dx"]
    assert (found.verdict, found.worst) == ("differs", math.inf)


def cancels(x):
    return np.sum(np.exp(x) / np.sum(np.exp(x)))


def test_where_zero_is_exact_what_was_emitted_is_told_apart_from_the_errors():
    subject = from_function(cancels, "x", "x=3")
    found = by_subject(accuracy(subject, QUICK))["d/dx"]
    assert found.verdict in ("agrees", "unchecked")
    wrong = planted(subject, lambda arrays: [a + 1e-3 for a in arrays])
    found = by_subject(accuracy(wrong, QUICK))["d/dx"]
    assert found.verdict == "differs"
    assert "times up to 1e-03 where 0 is exact" in found.detail


def in_single(x):
    return np.sum(x * np.exp(x))


def test_single_precision_has_larger_units():
    subject = from_function(in_single, "x", "x=4:float32")
    found = by_subject(accuracy(subject, QUICK, parse_domain("x in [0.5, 2]")))["d/dx"]
    assert found.verdict == "agrees"
    assert 0.1 < found.worst < 10.0
    wrong = planted(subject, lambda arrays: [(a * 1.001).astype(np.float32) for a in arrays])
    assert by_subject(accuracy(wrong, QUICK))["d/dx"].verdict == "differs"


# -- the reference ---------------------------------------------------------------------------------


def exact_at(function, wrt, values, shapes=None):
    subject = from_function(function, wrt, shapes)
    return Reference(subject).at(values, np.random.default_rng(0))


@pytest.mark.parametrize("x", [1e-200, -1e-200, 1e-15, 3.0, 1e300])
def test_the_reference_takes_as_many_digits_as_are_needed(x):
    with mpmath.workdps(700):
        found = exact_at(log_of_one_and, "x", {"x": x})
        wanted = mpmath.log1p(mpmath.mpf(x))
        assert abs(mpmath.mpf(found.value) - wanted) < abs(wanted) * mpmath.mpf(10) ** -24
        slope = 1 / (1 + mpmath.mpf(x))
        assert abs(mpmath.mpf(found.entries["x"][()]) - slope) < slope * mpmath.mpf(10) ** -24


def softplus(x):
    return np.log(1.0 + np.exp(x))


@pytest.mark.parametrize("x", [-700.0, 0.0, 800.0, 1e6, 1e300])
def test_the_reference_goes_beyond_what_overflows(x):
    found = exact_at(softplus, "x", {"x": x})
    wanted = float(mpmath.log(1 + mpmath.exp(x))) if x < 1e5 else x
    assert float(found.value) == pytest.approx(wanted, rel=1e-15)
    assert float(found.entries["x"][()]) == pytest.approx(1 / (1 + math.exp(-min(x, 709.0))))


def saturates(x, y):
    return np.tanh(np.exp(x)) * y + y ** np.exp(x)


@pytest.mark.parametrize("x", [1e6, 1e12, 1e300])
def test_numbers_of_more_bits_than_there_is_memory_are_passed_over(x):
    found = exact_at(saturates, ("x", "y"), {"x": x, "y": 0.5})
    assert found.context.isnan(found.value)


def folded(x):
    return np.sum(x ** (1.0 / 3.0) * np.exp2(x))


def test_constants_in_double_precision_do_not_spoil_the_reference():
    x = np.array([0.7, 2.0])
    found = exact_at(folded, "x", {"x": x}, "x=2")
    with mpmath.workdps(40):
        power = 1 / mpmath.mpf(3)  # what the text says; a float in the emitted derivative
        for k, item in enumerate(x):
            slope = mpmath.diff(lambda t: t**power * mpmath.mpf(2) ** t, mpmath.mpf(item))
            assert abs(mpmath.mpf(found.entries["x"][k]) - slope) < 1e-20


def squared(x):
    return np.sum(x * x) * x[0]


def other_slope(x):
    return np.sum(x * x) * x[0] + 1e-6 * x[1]


def test_adjoints_that_are_wrong_do_not_become_the_reference():
    right, other = (from_function(f, "x", "x=3") for f in (squared, other_slope))
    # as if a rule of the derivative were wrong: in the graph, and in what is emitted
    wrong = dataclasses.replace(right, derived=other.derived, emitted=other.emitted)
    found = by_subject(accuracy(wrong, QUICK))
    assert found["d/dx"].verdict == "differs"
    assert "d/dx[1]" in found["d/dx"].detail
    only_graph = dataclasses.replace(right, derived=other.derived)
    assert by_subject(accuracy(only_graph, QUICK))["d/dx"].verdict == "agrees"


def bent(x):
    return np.sum(np.maximum(x, 0.0) * x[::-1] + np.abs(x))


def test_points_without_a_derivative_are_passed_over_and_counted():
    subject = from_function(bent, "x", "x=2")
    domain = parse_domain("x in {0}")
    found = by_subject(accuracy(subject, QUICK, domain))
    assert found["d/dx"].verdict == "unchecked"
    assert found["d/dx"].detail == "there is no derivative, or it is not settled (16 times)"
    assert found["value"].verdict == "agrees"
    assert by_subject(accuracy(subject, QUICK))["d/dx"].verdict == "agrees"


def test_what_is_not_evaluated_exactly_is_unchecked_by_name(monkeypatch):
    def missing(*args):
        raise module.Unsupported("exp")

    monkeypatch.setattr(Reference, "at", missing)
    findings = list(accuracy(from_function(in_single, "x", "x=2"), QUICK))
    assert [(f.subject, f.verdict, f.detail) for f in findings] == [
        (name, "unchecked", "exp is not evaluated exactly") for name in ("value", "d/dx")
    ]


# -- the verdict -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_no_golden_case_is_found_fault_with(name, subject_of):
    subject = subject_of(name)
    found = by_subject(accuracy(subject, SOME))
    assert {f.verdict for f in found.values()} == {"agrees"}
    assert set(found) == {"value", *(f"d/d{leaf.text}" for leaf in subject.active)}


@pytest.fixture
def exact_once(monkeypatch):
    """The exact numbers of a subject at a point are found once, whatever is planted in it."""
    at, known = Reference.at, {}

    def remembered(self, values, random):
        point = tuple((leaf, np.asarray(value).tobytes()) for leaf, value in values.items())
        key = id(self.subject.graph), id(self.subject.derived), point
        if key not in known:
            known[key] = at(self, values, random)
        return known[key]

    monkeypatch.setattr(Reference, "at", remembered)


@pytest.mark.parametrize("name", names())
def test_planted_errors_in_a_golden_case_are_found_by_this_oracle_alone(
    name, subject_of, exact_once
):
    assert missed(subject_of(name), some_plants(name), [accuracy], FEW) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_planted_error_in_a_golden_case_is_found_by_this_oracle_alone(
    name, subject_of, exact_once
):
    assert missed(subject_of(name), PLANTS, [accuracy], FEW) == []


def test_a_value_that_is_off_is_found():
    subject = from_function(in_single, "x", "x=4")

    def emitted(**arguments):
        value, gradients = subject.emitted(**arguments)
        return value * (1.0 + 1e-12), gradients

    found = by_subject(accuracy(dataclasses.replace(subject, emitted=emitted), QUICK))
    assert found["value"].verdict == "differs"
    assert "must be" in found["value"].detail
    assert found["d/dx"].verdict == "agrees"


def test_a_gradient_that_raises_differs_where_there_is_a_derivative():
    subject = from_function(in_single, "x", "x=4")

    def raises(**arguments):
        raise ZeroDivisionError("division by zero")

    found = by_subject(accuracy(dataclasses.replace(subject, emitted=raises), QUICK))
    assert found["d/dx"].verdict == "differs"
    assert "ZeroDivisionError" in found["d/dx"].detail


def test_what_the_time_does_not_allow_is_unchecked_and_said():
    findings = list(accuracy(from_function(in_single, "x", "x=4"), Effort(expired=lambda: True)))
    assert {f.verdict for f in findings} == {"unchecked"}
    assert all("the time was up" in f.detail for f in findings)


def test_large_arguments_are_measured_at_fewer_samples_and_that_is_said():
    subject = from_function(tripled, "x", "x=200")
    found = by_subject(accuracy(subject, QUICK))["d/dx"]
    assert found.count == 4 * 200
    assert found.detail.endswith("; at 4 of 8 samples, since the arguments are large")


def test_the_same_is_measured_every_time():
    subject = from_function(of_two, ("x", "y"))
    one, other = (repr(list(accuracy(subject, QUICK))) for _ in range(2))
    assert one == other


# -- what rewrites gain ----------------------------------------------------------------------------


def test_the_gain_of_a_rewrite_is_what_the_two_functions_show():
    subject = from_function(log_of_one_and, "x")
    (gain,) = gains(subject, QUICK, parse_domain("x in {1e-10}"))
    assert (gain.before, gain.after) == ("np.log(1.0 + x)", "np.log1p(x)")
    before, after = (
        ulps(f(1e-10).item(), EXACT.log1p(EXACT.mpf(1e-10)), "float", EXACT)
        for f in (log_of_one_and, np.log1p)
    )
    assert gain.ordinary.value == (before, after)
    assert before > 1e5 > 1.0 > after
    assert gain.verdict == "more accurate"


def test_overflow_is_among_the_wide_samples():
    (gain,) = gains(from_function(softplus, "x"), QUICK)
    assert gain.wide.value[0] == math.inf
    assert gain.wide.value[1] < 1.0
    assert gain.verdict == "more accurate"


def test_where_a_rewrite_loses_digits_that_is_said_as_well():
    (gain,) = gains(from_function(softplus, "x"), QUICK, parse_domain("x in [20, 30]"))
    # exp(x - out) carries the rounding of the difference, and exp(x) / (1 + exp(x)) none
    assert gain.ordinary.gradient[0] < 2.0 < 4.0 < gain.ordinary.gradient[1]
    assert gain.verdict == "less accurate"


def long_legs(x, y):
    return np.sqrt(x**2 + y**2) * 2.0


def test_no_gain_is_said_to_be_none():
    (gain,) = gains(
        from_function(long_legs, ("x", "y")), QUICK, parse_domain("x in [3, 4], y in [3, 4]")
    )
    assert gain.verdict == "no gain"


def test_there_is_nothing_to_gain_without_a_rewrite():
    assert list(gains(from_function(in_single, "x", "x=4"), QUICK)) == []


def two_at_once(x, y):
    return np.log(1.0 + x) * np.log(1.0 + np.exp(y))


def test_several_rewrites_are_measured_one_by_one_and_together():
    found = list(gains(from_function(two_at_once, ("x", "y")), QUICK))
    assert [(g.line > 0, g.after) for g in found] == [
        (True, "np.log1p(x)"), (True, "np.logaddexp(0.0, y)"), (False, "all of them"),
    ]  # fmt: skip


@pytest.mark.parametrize(("pairs", "verdict"), [
    (((9.0, 1.0), (1.0, 1.0)), "more accurate"), (((1.0, 9.0), (1.0, 1.0)), "less accurate"),
    (((9.0, 1.0), (1.0, 9.0)), "more accurate here, less there"),
    (((math.inf, math.inf), (0.9, 0.4)), "no gain"), (((3.0, 2.0), (2.0, 3.0)), "no gain"),
])  # fmt: skip
def test_half_the_error_is_a_gain_and_twice_the_error_a_loss(pairs, verdict):
    same = Ulps(1, (0.5, 0.5), (0.5, 0.5))
    assert Gain(1, "", "", Ulps(1, *pairs), same).verdict == verdict
    assert Gain(1, "", "", same, Ulps(1, *pairs)).verdict == verdict


# -- a checked rewrite -----------------------------------------------------------------------------


def test_rewritten_bits_are_not_compared_and_that_is_said():
    (found,) = forward(from_function(softplus, "x", stabilize=True), QUICK)
    line = softplus.__code__.co_firstlineno + 1
    assert found.verdict == "unchecked"
    assert found.detail == (
        f"rewritten: line {line}: np.log(1.0 + np.exp(x)) became np.logaddexp(0.0, x); see accuracy"
    )


def test_without_anything_to_rewrite_the_bits_are_compared():
    (found,) = forward(from_function(in_single, "x", "x=4", stabilize=True), QUICK)
    assert (found.verdict, found.detail) == ("agrees", "bit for bit")


@pytest.mark.parametrize("function", [softplus, log_of_one_and, two_at_once, long_legs])
def test_a_rewritten_gradient_is_that_of_the_function_as_it_stands(function):
    wrt = tuple(function.__code__.co_varnames[: function.__code__.co_argcount])
    report = gradgen.check(function, wrt, stabilize=True)
    assert report.ok
    assert {f.verdict for f in report.findings if f.oracle == "symbolic"} == {"proved"}
    assert {f.verdict for f in report.findings if f.oracle == "accuracy"} == {"agrees"}


@pytest.mark.parametrize("off", [1e-7, -1e-12])
def test_a_rewritten_value_that_is_off_is_found_by_its_accuracy(off):
    subject = from_function(log_of_one_and, "x", stabilize=True)

    def emitted(**arguments):
        value, gradients = subject.emitted(**arguments)
        return value * (1.0 + off), gradients

    wrong = dataclasses.replace(subject, emitted=emitted)
    # where the function as it stands has lost most of its digits
    found = by_subject(accuracy(wrong, QUICK, parse_domain("x in [1e-10, 1e-8]")))
    assert found["value"].verdict == "differs"
    assert found["d/dx"].verdict == "agrees"


def test_differences_know_the_noise_of_the_function_as_it_stands():
    subject = from_function(softplus, "x", stabilize=True)
    (found,) = differences(subject, EFFORTS["normal"], parse_domain("x in [-30, -5]"))
    assert found.verdict != "differs"


# -- the command -----------------------------------------------------------------------------------

MODEL = """\
import numpy as np


def f(x):
    return np.log(1.0 + x)
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL, "utf-8")
    return path


def run(*args):
    done = CliRunner().invoke(cli, ["check", *map(str, args)])
    return done.exit_code, done.stdout, done.stderr


def rows(out):
    return [[cell.strip() for cell in line.strip("│").split("│")]
            for line in out.splitlines() if line.startswith("│")]  # fmt: skip


def test_the_table_has_a_row_of_errors_for_the_value_and_each_derivative(model):
    code, out, _ = run(f"{model}:f", "--domain", "x in {1e-10}")
    found = {row[1]: row for row in rows(out) if row[0] == "accuracy"}
    assert code == 0
    assert set(found) == {"value", "d/dx"}
    assert "ulps, median" in found["value"][3]
    assert "np.log1p(x)" in out and "more accurate" in out and "offered (--stabilize)" in out


def test_json_holds_errors_and_gains_as_numbers(model):
    code, out, _ = run(f"{model}:f", "--json", "--effort", "quick")
    found = json.loads(out)
    assert code == 0
    assert [each["subject"] for each in found["accuracy"]] == ["value", "d/dx"]
    for each in found["accuracy"]:
        assert set(each) == {"subject", "worst", "median", "count", "at"}
        assert each["count"] == QUICK.samples and each["median"] <= each["worst"]
    (gain,) = found["gains"]
    assert (gain["line"], gain["before"], gain["after"], gain["verdict"]) == (
        5, "np.log(1.0 + x)", "np.log1p(x)", "more accurate",
    )  # fmt: skip
    assert found["rewritten"] == []


def test_the_stabilized_gradient_is_checked_and_what_was_not_is_said(model):
    code, out, _ = run(f"{model}:f", "--stabilize", "--json")
    found = json.loads(out)
    said = "line 5: np.log(1.0 + x) became np.log1p(x)"
    assert code == 0 and found["ok"] is True
    assert found["rewritten"] == [said]
    assert f"forward: value: rewritten: {said}; see accuracy" in found["left_out"]


def test_a_planted_error_in_a_stabilized_gradient_ends_with_1(model, monkeypatch):
    def wrong(*args, **named):
        subject = from_file(*args, **named)

        def emitted(**given):
            value, (d_x,) = subject.emitted(**given)
            return value, (d_x * (1.0 + 1e-7),)

        return dataclasses.replace(subject, emitted=emitted)

    monkeypatch.setattr(checking, "from_file", wrong)
    code, out, _ = run(f"{model}:f", "--stabilize", "--json")
    found = json.loads(out)
    assert code == 1
    assert {f["oracle"] for f in found["findings"] if f["verdict"] == "differs"} >= {"accuracy"}
