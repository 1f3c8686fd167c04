"""Estimates of derivatives by steps and differences: of hand-made numbers, and their errors."""

import math
import warnings

import numpy as np
import pytest
from numpy.exceptions import ComplexWarning

from gradgen.differences import (
    EPSILON,
    IMAGINARY,
    VANISHED,
    Estimate,
    _noise,
    complex_slope,
    complex_value,
    derivative,
    real_value,
    table,
)
from gradgen.oracles.domain import parse_domain
from gradgen.oracles.numeric import complex_step
from gradgen.oracles.report import EFFORTS
from gradgen.oracles.subject import from_function

H = IMAGINARY


def raises():
    raise KeyError("no such thing")


# -- what a call gives -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [1.5, np.float32(1.5), np.array([[1.5]])], ids=["float", "float32", "of one entry"]
)
def test_a_number_is_the_value_of_a_call(given):
    assert real_value(lambda: given) == 1.5


@pytest.mark.parametrize("given", [None, "1.5", 1j, np.ones(2), np.ones(0)], ids=repr)
def test_what_is_no_real_number_is_no_value(given):
    assert math.isnan(real_value(lambda: given))


def test_a_call_that_raises_or_warns_is_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(real_value(raises))
        assert real_value(lambda: np.log(np.float64(0.0))) == -math.inf
        assert real_value(lambda: warnings.warn("deprecated", stacklevel=1) or 2) == 2.0
        assert complex_value(lambda: warnings.warn("deprecated", stacklevel=1) or 2j) == (2j, "")


def test_a_complex_number_is_the_value_of_a_call_and_anything_else_says_why_not():
    assert complex_value(lambda: np.complex64(1 + 2j)) == (1 + 2j, "")
    assert complex_value(lambda: np.array([3j])) == (3j, "")
    for call, why in (
        (raises, "KeyError: 'no such thing'"),
        (lambda: 1.5, "the value is not complex where the arguments are"),
        (lambda: np.zeros(1).astype(float).__setitem__(0, 1j), "TypeError"),
        (lambda: np.ones(2, complex), "ValueError"),
    ):
        found, said = complex_value(call)
        assert math.isnan(found.real) and math.isnan(found.imag)
        assert said.startswith(why)


def test_an_imaginary_part_that_is_thrown_away_is_no_value():
    found, why = complex_value(lambda: np.array([1j]).astype(float))
    assert math.isnan(found.imag)
    assert why.startswith(ComplexWarning.__name__)


# -- the complex step ------------------------------------------------------------------------------


def test_the_error_of_a_complex_step_is_what_is_beside_it_and_the_rounding_of_its_value():
    found = complex_slope(complex(5.0, 3.0 * H), [complex(5.0, 1.5 * H)], 5.0)
    assert found == Estimate(3.0, VANISHED + 3.0 * EPSILON, VANISHED)
    beside = [complex(5.0, slope * H / 2) for slope in (3.0, 2.75, 3.5)]
    assert complex_slope(complex(5.0, 3.0 * H), beside, 5.0) == Estimate(
        3.0, 0.5 + 3.0 * EPSILON, 0.5
    )


@pytest.mark.parametrize(
    ("found", "beside", "real", "why"),
    [
        (complex(5.0, math.nan), [], 5.0, "the complex value is not finite"),
        (complex(5.0, math.inf), [], 5.0, "the complex value is not finite"),
        (complex(5.0, H), [5.0 + 0j, complex(5.0, math.nan)], 5.0,
         "the complex value is not finite nearby"),
        (complex(5.0, H), [complex(5.0, math.nan), 5.0 + 0j], 5.0,
         "the complex value is not finite nearby"),
        (complex(5.0, H), [], math.nan, "the complex value is not finite nearby"),
        (complex(5.0, H), [], 5.00001, "complex arithmetic gives another value than real arithm"),
        (complex(5.0, H), [], -5.0, "complex arithmetic gives another value than real arithmetic"),
        (complex(1e-9, H), [], 0.0, "complex arithmetic gives another value than real arithmetic"),
        (complex(math.nan, H), [], 5.0, "complex arithmetic gives another value than real arith"),
    ],
)  # fmt: skip
def test_a_complex_step_that_tells_nothing_says_why(found, beside, real, why):
    said = complex_slope(found, beside, real)
    assert isinstance(said, str)
    assert said.startswith(why)


def test_complex_and_real_values_that_differ_by_rounding_are_one_function():
    assert complex_slope(complex(5.0, H), [], 5.000001).value == 1.0
    assert complex_slope(complex(0.0, H), [], 0.0).value == 1.0


def thrice(x):
    return x * x * x


def test_at_0_the_square_of_the_step_is_part_of_the_error():
    # (ih)^3 / h = -h^2 where the derivative is 0
    found = complex_slope(thrice(complex(0.0, H)), [thrice(complex(0.0, H / 2))], 0.0)
    assert found.value == -H * H
    assert found.error >= 0.75 * H * H
    subject = from_function(thrice, "x", "x=scalar")
    (said,) = complex_step(subject, EFFORTS["quick"], parse_domain("x in {0}"))
    assert (said.verdict, said.count) == ("agrees", 8)


def test_a_value_that_is_not_complex_tells_nothing_of_the_derivative():
    def dropped(x):
        # NumPy's sum of a list that holds only the real part
        return np.sum(np.array([float(np.real(x)) ** 2]))

    assert complex_value(lambda: dropped(1 + 1j * H))[1].startswith("the value is not complex")


# -- differences -----------------------------------------------------------------------------------


def test_a_table_is_exact_where_its_first_extrapolation_is():
    # (f(h) - f(-h)) / 2h is 1 + h^2 of x + x^3: 1.25 and 1.0625 extrapolate to 1
    assert table(lambda h: h + h**3, 0.5, 0.0) == Estimate(1.0, 0.0, 0.0)


def test_the_noise_of_the_values_is_part_of_the_error_of_a_table():
    # by steps of 0.5 and 0.25 it is 2 * noise / 0.25, and by smaller ones more
    found = table(lambda h: 3.0 * h, 0.5, 1e-9)
    assert found == Estimate(3.0, 8e-9, 8e-9)


def test_the_best_entry_of_a_table_is_the_extrapolated_one():
    # 1.25 and 1.0625 extrapolate to 1, and the smaller steps lose more by the noise than they gain
    assert table(lambda h: h + h**3, 0.5, 0.1) == Estimate(1.0, 0.25 + 0.8, 0.8)


def test_the_noise_of_values_is_measured_by_their_sixth_differences():
    # these are 64 of values that alternate between 1 and -1, and one in four of a last one alone
    assert _noise(lambda h: (-1.0) ** round(h + 4.3), 1.0) == 64 / math.sqrt(924)
    assert _noise(lambda h: float(h > 4.5), 1.0) == math.sqrt(1 / 4 / 924)
    assert _noise(lambda h: float(h < -4.0), 1.0) == math.sqrt(1 / 4 / 924)
    assert _noise(lambda h: 1.0 + 2.0 * h + 4.0 * h**5, 0.25) < 1e-11


@pytest.mark.parametrize(("size", "seen"), [(1e-3, True), (1e-7, False)])
def test_a_kink_is_seen_that_makes_more_than_a_millionth_of_the_slope(size, seen):
    found = derivative(lambda h: math.exp(h) + size * abs(h), 0.0)
    assert (found is None) is seen
    if not seen:
        assert abs(found.value - 1.0) <= found.error


@pytest.mark.parametrize("at", [0.3, -0.3, 1e-3, 1e3])
def test_where_values_are_finite_on_one_side_only_there_is_no_derivative(at):
    for sign in (1, -1):
        assert derivative(lambda h, s=sign: math.sqrt(s * h) if s * h >= 0 else math.nan, at) is (
            None
        )


def test_a_level_side_of_a_kink_is_none_of_its_slopes():
    for at in (1e-9, -1e-9):
        found = derivative(lambda h, at=at: max(at + h, 0.0), at)
        assert found is None or abs(found.value - 1.0) <= found.error


def test_a_table_with_a_value_that_is_not_finite_has_no_entry():
    assert table(lambda h: math.nan if h > 0.4 else h, 0.5, 0.0) is None
    assert table(lambda h: math.inf if abs(h) < 0.2 else h, 0.5, 0.0) is None


def test_the_error_of_a_table_covers_noise_that_it_is_told_of():
    random = np.random.default_rng(0)
    for noise in (1e-12, 1e-9, 1e-6, 1e-3):
        for _ in range(50):
            found = table(lambda h, n=noise: math.exp(h) + n * random.uniform(-1, 1), 0.25, noise)
            assert abs(found.value - 1.0) <= 4 * found.error


def test_a_jump_in_the_slope_is_seen_by_an_error_of_its_size():
    found = table(lambda h: max(h, 0.0) + h, 0.5, 0.0)
    # the central differences all agree on the mean of the slopes: a kink must be found otherwise
    assert found.value == 1.5
    assert derivative(lambda h: max(h, 0.0) + h, 0.0) is None
