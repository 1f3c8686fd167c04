"""How `assert_grad_ok` decides: with derivatives made by hand, at the edges of its bounds."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from gradgen import testing
from gradgen.differences import EPSILON, IMAGINARY, Estimate
from gradgen.errors import GradgenError
from gradgen.testing import (
    _active,
    _Arguments,
    _arguments,
    _derivative,
    _matched,
    _moved,
    _Number,
    _Probe,
    _replaced,
    _tell,
    _Wrong,
    assert_grad_ok,
)

F32 = np.float32


def judged(monkeypatch, given, right, rtol=None, dtype="float64"):
    """Whether entries are wrong or unsettled, by derivatives that are given."""
    seen = iter(right)
    monkeypatch.setattr(testing, "_derivative", lambda *_: next(seen))
    wrong, unsettled = [], []
    testing._compare(
        SimpleNamespace(dtype=dtype), ("w", ("w",)), None, np.array(given), rtol, wrong, unsettled
    )
    return wrong, unsettled


@pytest.mark.parametrize(("dtype", "allowed"), [
    ("float64", 1e-8), ("float32", 1e-4), ("float16", 2e-2)
])  # fmt: skip
def test_an_entry_may_be_off_by_what_its_type_allows_and_the_error_of_the_other(
    dtype, allowed, monkeypatch
):
    for part, wrong in ((0.999, False), (1.001, True), (-0.999, False), (-1.001, True)):
        given = 4.0 + part * (4.0 * allowed + 0.5)
        found, unsettled = judged(monkeypatch, given, [_Number(4.0, 0.5, "m")], None, dtype)
        assert (bool(found), unsettled) == (wrong, [])
    assert not judged(monkeypatch, 4.5, [_Number(4.0, 0.0, "m")], 0.125)[0]
    assert judged(monkeypatch, 4.5, [_Number(4.0, 0.0, "m")], 0.124)[0]


@pytest.mark.parametrize("given", [math.nan, math.inf, -math.inf])
def test_no_number_is_wrong_whatever_the_bound(given, monkeypatch):
    ((wrong,), _) = judged(monkeypatch, given, [_Number(4.0, 1e300, "m")])
    assert wrong.excess == math.inf and wrong.name == "w"


def test_how_wrong_an_entry_is_tells_by_its_bound(monkeypatch):
    ((wrong,), _) = judged(monkeypatch, 7.0, [_Number(4.0, 1.0, "m")], 0.125)
    assert wrong == _Wrong("w", 7.0, _Number(4.0, 1.0, "m"), 2.0)
    ((wrong,), _) = judged(monkeypatch, 6.0, [_Number(0.0, 0.0, "m")], 0.125)
    assert wrong.excess == math.inf


def test_entries_are_judged_one_by_one_and_named(monkeypatch):
    right = [_Number(1.0, 0.0, "m"), None, _Number(1.0, 0.0, "m"), _Number(1.0, 0.0, "m")]
    wrong, unsettled = judged(monkeypatch, [[1.0, 1.0], [2.0, 1.0]], right)
    assert [w.name for w in wrong] == ["w[1, 0]"]
    assert unsettled == ["w[0, 1]"]


def told(wrong=(), unsettled=(), total=5):
    probe = SimpleNamespace(name="f", shown=lambda: "with\n  x = 1.0")
    with pytest.raises(AssertionError) as error:
        _tell(probe, list(wrong), list(unsettled), total)
    return str(error.value)


def test_the_worst_of_what_is_wrong_is_told_before_what_is_unsettled():
    small = _Wrong("a", 2.0, _Number(1.0, 0.0, "some means"), 2.0)
    large = _Wrong("b", 9.0, _Number(8.0, 0.5, "other means"), 3.0)
    assert told([small, large, small], ["c"]) == (
        "the gradient of f is wrong in 3 of 5 entries; the worst is that of b:\n  9.0 is given\n"
        "  8.0 is right (by other means, ± 0.5)\n  off by 1, 0.12 times its size\n"
        "with\n  x = 1.0"
    )
    nothing = _Wrong("b", 0.5, _Number(0.0, 0.0, "m"), math.inf)
    assert "off by 0.5\nwith" in told([nothing])
    assert told([], ["c", "d"]) == (
        "the derivative of f by c cannot be established (2 of 5 entries): differences do not "
        "settle, as at a kink, a jump or the edge of the domain; choose other arguments\n"
        "with\n  x = 1.0"
    )
    _tell(SimpleNamespace(), [], [], 5)


# -- derivatives by other means --------------------------------------------------------------------


def number_of(monkeypatch, found, turned, beside=(), dtype="float64", at=0.5, real=2.0):
    """What is taken of a derivative by differences and the values of complex steps."""
    values, steps = iter([turned, *beside]), []
    monkeypatch.setattr(testing, "derivative", lambda value, where: found)
    probe = SimpleNamespace(
        dtype=dtype, near=lambda *_: real,
        turned=lambda path, leaf, index, step: steps.append(step) or next(values),
    )  # fmt: skip
    return _derivative(probe, (0,), at, ()), steps


def test_a_complex_step_that_differences_confirm_is_taken(monkeypatch):
    h = IMAGINARY
    found, steps = number_of(
        monkeypatch, Estimate(3.0, 0.1, 0.0), complex(2, 3.5 * h),
        [complex(2, 1.75 * h), complex(2, 2.0 * h)],
    )  # fmt: skip
    assert found == _Number(3.5, 4 * (0.5 + 3.5 * EPSILON), "complex step")
    assert steps == [complex(0, h), complex(-EPSILON, h / 2), complex(EPSILON, h / 2)]
    _, steps = number_of(
        monkeypatch, Estimate(3.0, 0.1, 0.0), 2j, [2j, 2j], dtype="float32", at=F32(2.0)
    )
    assert steps[2] == complex(4 * 2.0**-23, h / 2)


@pytest.mark.parametrize(("turned", "real"), [
    (complex(2, 4.1 * IMAGINARY), 2.0), (complex(2, -3.0 * IMAGINARY), 2.0),
    (complex(math.nan, math.nan), 2.0), (complex(2, 3.0 * IMAGINARY), 1.0),
])  # fmt: skip
def test_else_the_derivative_by_differences_is_taken(turned, real, monkeypatch):
    beside = [turned.real + turned.imag / 2 * 1j] * 2
    found, _ = number_of(monkeypatch, Estimate(3.0, 0.1, 0.0), turned, beside, real=real)
    assert found == _Number(3.0, 0.4, "Richardson's differences")


def test_where_differences_do_not_settle_a_complex_step_does_not_count(monkeypatch):
    found, steps = number_of(monkeypatch, None, 2j)
    assert found is None and steps == []


# -- the function near its arguments ---------------------------------------------------------------


def test_one_entry_is_moved_in_double_precision():
    x = np.array([1.0, 2.0], "f4")
    moved = _moved(x, (1,), 0.5, np.float64)
    assert moved.dtype == np.float64 and moved.tolist() == [1.0, 2.5]
    assert x.tolist() == [1.0, 2.0]
    assert _moved(x, (0,), 1j, np.complex128).tolist() == [1 + 1j, 2.0]
    assert type(_moved(F32(2.0), (), 0.5, np.float64)) is np.float64
    assert _moved(2, (), 0.5, np.float64) == 2.5 and type(_moved(2.0, (), 0.5, np.float64)) is float
    assert _moved(2.0, (), 1 + 1j, np.complex128) == 3 + 1j


def probe_of(f, *args, output=None):
    given, names = _arguments(f, args)
    return _Probe(f, given, names, output)


@pytest.mark.parametrize(("args", "dtype"), [
    ((1.0, 2.0), "float64"), ((1, F32(2.0)), "float32"), ((np.ones(2), F32(2)), "float32"),
    ((np.float16(1), F32(2)), "float16"), ((np.arange(2), 1.0), "float64"),
    ((np.longdouble(1.0), 1.0), "float64"), (({"a": [F32(1)]}, 1.0), "float32"),
])  # fmt: skip
def test_the_accuracy_is_that_of_the_coarsest_float_among_the_arguments(args, dtype):
    assert probe_of(lambda x, y: 1.0, *args).dtype == dtype


def test_the_value_near_the_arguments_is_nan_where_there_is_none():
    probe = probe_of(lambda x: math.sqrt(x[0]) * x[1], np.array([4.0, 3.0]))
    x = probe.given.positional[0]
    assert probe.near((0,), x, (0,), 5.0) == 9.0
    assert probe.near((0,), x, (1,), 1.0) == 8.0
    assert math.isnan(probe.near((0,), x, (0,), -5.0))
    assert math.isnan(probe.turned((0,), x, (0,), 1j).real)
    probe = probe_of(lambda x: x * x, 3.0)
    assert probe.turned((0,), 3.0, (), 1 + 1j) == (4 + 1j) ** 2
    assert probe_of(lambda x: (x, x * x), 3.0, output=1).near((0,), 3.0, (), 1.0) == 16.0


def test_a_value_that_is_no_finite_number_is_told():
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(AssertionError, match="which has no gradient"):
            probe_of(lambda x, v=value: v, 1.0)
    with pytest.raises(GradgenError, match=r"returns None, not one number$"):
        probe_of(lambda x: None, 1.0)
    with pytest.raises(GradgenError, match="not one number; output=K"):
        probe_of(lambda x: (1.0, 2.0), 1.0)
    with pytest.raises(GradgenError, match="returns a complex, not one number"):
        probe_of(lambda x: 1j, 1.0)
    for value in (True, 3, F32(2), np.array(2.0)):
        probe_of(lambda x, v=value: v, 1.0)


# -- arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wrt", "active", "bare"), [
    (None, [("a", 0)], True), ("b", [("b", 1)], True), (("b",), [("b", 1)], False),
    ((1, "a"), [("b", 1), ("a", 0)], False), (-1, [("c", "c")], True), (-3, [("a", 0)], True),
    (2, [("c", "c")], True),
])  # fmt: skip
def test_what_is_differentiated_has_its_name_and_place(wrt, active, bare):
    given = _Arguments((1.0, 2.0), {"c": 3.0})
    assert _active(wrt, ["a", "b", "c"], given) == (active, bare)


@pytest.mark.parametrize(("wrt", "wanted"), [
    (3, "wrt=3: the parameters are a, b, c"), (-4, "wrt=-4: the parameters are a, b, c"),
    ("d", "wrt='d': the parameters are a, b, c"), ("c", "wrt='c': args has no value for it"),
])  # fmt: skip
def test_what_is_no_argument_is_refused(wrt, wanted):
    with pytest.raises(GradgenError) as error:
        _active(wrt, ["a", "b", "c"], _Arguments((1.0, 2.0), {}))
    assert str(error.value) == wanted


def test_arguments_without_names_are_known_by_place():
    assert _active(1, [], _Arguments((1.0, 2.0), {})) == ([("args[1]", 1)], True)
    with pytest.raises(GradgenError, match=r"wrt=2: the parameters are 2 arguments without names"):
        _active(2, [], _Arguments((1.0, 2.0), {}))


def test_one_part_of_a_structure_is_replaced_in_a_copy():
    inner = [1.0, {"k": 2.0}]
    new = _replaced({"a": inner, "b": inner}, ["a", 1, "k"], 9.0)
    assert new == {"a": [1.0, {"k": 9.0}], "b": [1.0, {"k": 2.0}]}
    assert new["b"] is not inner and inner == [1.0, {"k": 2.0}]
    assert _replaced((1.0, 2.0), [0], 9.0) == (9.0, 2.0)
    given = _Arguments((inner, inner), {"c": inner})
    moved = given.replaced((1, 0), 9.0)
    assert moved.positional == (inner, [9.0, {"k": 2.0}]) and moved.named == {"c": inner}
    assert moved.positional[0] is not inner and moved.named["c"] is not inner
    assert given.replaced(("c", 0), 9.0).named == {"c": [9.0, {"k": 2.0}]}


def matched(value, gradient):
    return [(name, path, np.asarray(slope).tolist())
            for (name, path), _, slope in _matched(value, gradient, "p", (0,))]  # fmt: skip


def test_the_numbers_of_an_argument_are_matched_with_their_gradients():
    assert matched({"a": 1.0, "b": [2, np.ones(2)]}, {"b": [3.0, np.zeros(2)], "a": 4.0}) == [
        ("p['a']", (0, "a"), 4.0), ("p['b'][0]", (0, "b", 0), 3.0),
        ("p['b'][1]", (0, "b", 1), [0.0, 0.0]),
    ]  # fmt: skip
    for fixed in (None, "text", True, 3):  # what is no float may have no gradient
        assert matched(fixed, None) == []
    assert matched(3, 2.0) == [("p", (0,), 2.0)]


def test_a_class_has_no_parts_as_its_instances_have():
    assert testing._parts(_Number) is None
    assert dict(testing._parts(_Number(1.0, 2.0, "m"))) == {
        ".value": 1.0, ".error": 2.0, ".means": "m"
    }  # fmt: skip


@pytest.mark.parametrize(("value", "gradient"), [
    (1.0, None), (np.ones(2), None), (np.ones(2), np.ones(3)), (np.ones(2), np.ones((1, 2))),
    (np.ones(2), 1.0), (1.0, np.ones(1)), (1.0, 1j), (1.0, True), (1.0, "1"),
    ([1.0, 2.0], [1.0]), ([1.0], [1.0, 2.0]), ({"a": 1.0}, {"b": 1.0}), ({"a": 1.0}, 1.0),
    ([1.0], np.ones(1)),
])  # fmt: skip
def test_a_gradient_that_does_not_match_its_argument_is_wrong(value, gradient):
    with pytest.raises(AssertionError, match="the gradient of p"):
        matched(value, gradient)


@pytest.mark.parametrize("value", [1j, "text", True, np.array([True]), np.ones(2, complex)])
def test_what_nothing_is_real_of_is_refused(value):
    with pytest.raises(GradgenError, match="with respect to which nothing is real"):
        matched(value, np.zeros(np.shape(value)))


def test_every_argument_that_is_asked_for_is_compared():
    def f(x, y):
        return x * x + 3.0 * y

    assert_grad_ok(f, (2.0, 5.0), ("x", "y"), grad=lambda x, y: (4.0, 3.0))
    for wrong in ((4.0, 3.1), (4.1, 3.0)):
        with pytest.raises(AssertionError, match="is wrong in 1 of 2 entries"):
            assert_grad_ok(f, (2.0, 5.0), ("x", "y"), grad=lambda x, y, g=wrong: g)
    for count in ((4.0,), (4.0, 3.0, 1.0)):
        with pytest.raises(AssertionError, match="wrt asks for a tuple of 2"):
            assert_grad_ok(f, (2.0, 5.0), ("x", "y"), grad=lambda x, y, g=count: g)


def test_a_value_of_another_type_is_another_value(monkeypatch):
    for other in (F32(4.0), 4, np.float64(-4.0)):
        monkeypatch.setattr(testing, "build", lambda *_, v=other: lambda x: (v, 4.0))
        with pytest.raises(AssertionError, match="the value of the emitted function is"):
            assert_grad_ok(lambda x: x * x, (2.0,))
    monkeypatch.setattr(testing, "build", lambda *_: lambda x: (0, 1.0))
    with pytest.raises(AssertionError, match=r"is 0, that of <lambda> 0\.0"):
        assert_grad_ok(lambda x: x - 2.0, (2.0,))
    monkeypatch.setattr(testing, "build", lambda *_: lambda x: (4.0, 4.0))
    assert_grad_ok(lambda x: x * x, (2.0,))
