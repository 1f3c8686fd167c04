"""Inputs on which derivatives go wrong: kinks, overflow, dtypes, shapes. One catalogue, by number.

Expected values are derived by hand, or come from finite differences of the user's own function or
from mpmath; none comes from gradgen.
"""

import linecache
import math
import warnings
from functools import cache
from itertools import count

import mpmath
import numpy as np
import pytest

import gradgen

_NUMBER = count()


@cache
def define(source):
    """A function `f` of these lines, as a user writes it in a file."""
    filename = f"<trap {next(_NUMBER)}>"
    namespace = {"np": np, "math": math}
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), namespace)
    return namespace["f"]


def formula(expression, names="x"):
    """The function of `names` that returns an expression."""
    return define(f"def f({names}):\n    return {expression}\n")


def observed(function, *args):
    """What a call returns, and the set of warnings it gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", gradgen.ZeroDerivativeWarning)
        result = function(*args)
    return result, {str(w.message).replace("scalar ", "") for w in caught}


def same_bits(a, b):
    """Equal to the last bit, the sign of a zero too; any NaN equals any other."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind == "f":
        a, b = (np.where(np.isnan(v), np.nan, v) for v in (a, b))
    return a.tobytes() == b.tobytes()


def emitted(f, args, mode, wrt=None, target="numpy"):
    """The functions of the module that `emit` writes, run on its own."""
    namespace = {}
    exec(gradgen.emit(f, wrt=wrt, like=args, mode=mode, target=target), namespace)
    return namespace


def gradient(f, *args, wrt=None, target="numpy", warns=False):
    """The gradient, checked for all that holds of any gradient.

    The value has the bits of the user's function, no argument changes, every adjoint has the type,
    dtype and shape of its argument, modes `grad` and `pair` agree, and no warning is given that the
    user's function does not give (`warns`: the true derivative is not finite, so that one is).
    """
    before = [np.array(a) for a in args]
    value, expected_warnings = observed(f, *args)
    calls = [
        gradgen.value_and_grad(f, wrt=wrt, target=target),
        gradgen.value_and_grad(f, wrt=wrt, target=target, like=args),
    ]
    for call in calls:
        (got, grads), given = observed(call, *args)
        if target == "numpy":
            assert same_bits(got, value), f"value {got!r}, not {value!r}"
        assert warns or given <= expected_warnings, given - expected_warnings
        for a, old in zip(args, before, strict=True):
            assert same_bits(a, old), "an argument was changed"
    single = wrt is None or isinstance(wrt, (str, int))
    names = f.__code__.co_varnames
    chosen = [0] if wrt is None else [wrt] if single else wrt
    places = [names.index(w) if isinstance(w, str) else w for w in chosen]
    for place, g in zip(places, [grads] if single else grads, strict=True):
        a = args[place]
        assert np.shape(g) == np.shape(a), f"shape {np.shape(g)}, not {np.shape(a)}"
        if isinstance(a, np.ndarray) or is_single(a):
            assert g.dtype == a.dtype, f"dtype {g.dtype}, not {a.dtype}"
        if isinstance(a, np.ndarray):
            assert isinstance(g, np.ndarray)
            assert not any(np.may_share_memory(g, other) for other in args)
    again, given = observed(emitted(f, args, "grad", wrt, target)[f"{f.__name__}_grad"], *args)
    assert warns or given <= expected_warnings
    module = emitted(f, args, "pair", wrt, target)
    (_, saved), given = observed(module[f"{f.__name__}_forward"], *args)
    backward, given_back = observed(module[f"{f.__name__}_backward"], saved, 1.0)
    assert warns or given | given_back <= expected_warnings
    for other, how in ((again, "grad"), (backward, "pair")):
        for one, two in zip(*((v,) if single else v for v in (grads, other)), strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-6 if is_single(one) else 1e-13,
                                       atol=1e-300, err_msg=how)  # fmt: skip
            assert np.shape(one) == np.shape(two), how
    return grads


def is_single(value):
    return getattr(value, "dtype", None) == np.float32


def differences(f, args, place, step=1e-3):
    """The gradient by central differences of order six, entry by entry, in double precision."""
    args = [np.asarray(a, dtype=float) if is_single(a) else a for a in args]
    x = np.array(args[place], dtype=float)
    result = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        total = 0.0
        for weight, k in ((0.75, 1), (-0.15, 2), (1 / 60, 3)):
            ends = []
            for sign in (1, -1):
                moved = x.copy()
                moved[at] += sign * k * step
                call = list(args)
                call[place] = moved if isinstance(args[place], np.ndarray) else float(moved)
                ends.append(float(f(*call)))
            total += weight * (ends[0] - ends[1])
        result[at] = total / step
    return result


def agrees(f, *args, wrt=None, rtol=1e-8, target="numpy"):
    """Every adjoint agrees with finite differences."""
    wrt = tuple(range(len(args))) if wrt is None else wrt
    grads = gradient(f, *args, wrt=wrt, target=target)
    for place, g in zip(wrt, grads, strict=True):
        expected = differences(f, args, place)
        scale = np.max(np.abs(expected), initial=1.0)
        tolerance = max(rtol, 2e-5) if is_single(g) else rtol
        np.testing.assert_allclose(g, expected, rtol=tolerance, atol=tolerance * scale,
                                   err_msg=f"argument {place}")  # fmt: skip


RNG = np.random.default_rng
TARGETS = pytest.mark.parametrize("target", ["numpy", "python"])


# -- 1: branches not taken -------------------------------------------------------------------------


@TARGETS
def test_trap_01_the_root_not_taken_does_not_reach_the_gradient(target):
    f = formula("np.where(x >= 0, x, np.sqrt(-x))")
    assert gradient(f, 1.0, target="numpy") == 1.0
    if target == "python":
        g = gradgen.grad(formula("np.where(x >= 0, x, x * x)"), target=target)
        assert (g(1.0), g(-3.0)) == (1.0, -6.0)


@pytest.mark.parametrize("x", [0.0, 1.0, 5.0])
def test_trap_01_scalar_where_gives_the_taken_slope(x):
    f = formula("np.where(x >= 0, x, np.sqrt(-x))")
    assert gradient(f, x) == 1.0
    assert gradient(f, np.float64(x)) == 1.0


# The branch that is not taken at x = -2, 0 and 1000, and the slope of the other branch.
BAD = {
    "np.sqrt(x)": "x > 0",
    "np.log(x)": "x > 0",
    "np.log2(x)": "x > 0",
    "np.log10(x)": "x > 0",
    "np.log1p(x)": "x > -1",
    "1 / x": "x != 0",
    "x / (x + 2)": "x > -2",
    "np.reciprocal(x)": "x != 0",
    "x ** 0.5": "x > 0",
    "x ** -1": "x != 0",
    "x ** -2.0": "x != 0",
    "np.power(x, 1.5)": "x > 0",
    "np.cbrt(x)": "x != 0",
    "np.exp(x)": "x < 100",
    "np.exp2(x)": "x < 100",
    "np.expm1(x)": "x < 100",
    "np.sinh(x)": "x < 100",
    "np.cosh(x)": "x < 100",
    "np.exp(np.exp(x))": "x < 2",
    "np.arcsin(x)": "abs(x) < 1",
    "np.arccos(x)": "abs(x) < 1",
    "np.arctanh(x)": "abs(x) < 1",
    "np.arccosh(x)": "x > 1",
    "np.arctan2(x, x)": "x != 0",
    "np.sqrt(x * x)": "x != 0",
    "np.log(np.exp(x))": "x < 100",
    "x * np.log(x)": "x > 0",
    "np.tan(1 / x)": "x != 0",
    "np.sin(np.log(x))": "x > 0",
    "np.tanh(np.sqrt(x))": "x > 0",
    "np.log(x) / np.sqrt(x)": "x > 0",
    "np.square(np.exp(x))": "x < 100",
    "np.logaddexp(np.log(x), 1.0)": "x > 0",
    "np.maximum(np.log(x), -1.0)": "x > 0",
    "np.hypot(np.sqrt(x), 1.0)": "x > 0",
    "np.abs(np.log(x))": "x > 0",
    "(x + 0.1) % (x + 2.0)": "x != -2",
}
POINTS = [-2.0, -0.25, 0.0, 0.25, 0.75, 1.5, 1000.0]


@pytest.mark.parametrize(("branch", "mask"), BAD.items())
def test_trap_01_a_branch_not_taken_leaks_nothing_through_a_sum(branch, mask):
    f = formula(f"np.sum(np.where({mask}, {branch}, 3.0 * x))")
    x = np.array(POINTS)
    with np.errstate(all="ignore"):
        taken = eval(mask, {"x": x, "np": np, "abs": abs})
        g = gradient(f, x)
    assert np.array_equal(g[~taken], np.full((~taken).sum(), 3.0))
    for at in np.flatnonzero(taken):
        slope = slope_of(branch, x[at])
        assert abs(g[at] - slope) <= 1e-7 * max(1.0, abs(slope)), (x[at], g[at], slope)


def slope_of(branch, x):
    """The slope of an expression at a point where it is smooth."""
    f = formula(branch)
    step = 1e-4 * (min(1.0, abs(x) / 4) if x else 1.0)
    with np.errstate(all="ignore"):
        return float(differences(lambda v: f(v), (float(x),), 0, step))


@pytest.mark.parametrize(("branch", "mask"), BAD.items())
def test_trap_01_a_branch_not_taken_leaks_nothing_into_another_operand(branch, mask):
    f = formula(f"np.sum(a * np.where({mask}, {branch}, 3.0 * x))", "x, a")
    x, a = np.array(POINTS), np.linspace(1.0, 2.0, len(POINTS))
    with np.errstate(all="ignore"):
        taken = eval(mask, {"x": x, "np": np, "abs": abs})
        gx, ga = gradient(f, x, a, wrt=("x", "a"))
    assert np.all(np.isfinite(gx)) and np.all(np.isfinite(ga))
    assert np.array_equal(gx[~taken], 3.0 * a[~taken])


@pytest.mark.parametrize(("branch", "mask"), BAD.items())
def test_trap_01_a_scalar_branch_not_taken_leaks_nothing(branch, mask):
    f = formula(f"np.where({mask}, {branch}, 3.0 * x)")
    for x in POINTS:
        if not eval(mask, {"x": x, "np": np, "abs": abs}):
            with np.errstate(all="ignore"):
                if "/" in branch or "**" in branch or "%" in branch:
                    x = np.float64(x)  # a Python float raises in the user's function too
                assert gradient(f, x) == 3.0, x


@pytest.mark.parametrize("inner", ["np.sqrt(-x)", "np.log(-x)", "1 / (x - 1)", "x ** 0.5 / x"])
@pytest.mark.parametrize(
    "outer",
    [
        "np.sum(np.where(x >= 1, x, {0}))",
        "np.mean(np.where(x >= 1, x, {0}))",
        "np.sum(np.where(x >= 1, x, np.where(x < 5, x * x, {0})))",
        "np.sum(np.where(x > 9, {0}, np.where(x > 8, {0}, 2.0 * x)))",
        "np.sum(np.where(x >= 1, x, np.sin({0}) + np.exp({0}) * {0}))",
        "np.sum(np.where(x >= 1, x, {0}) * np.where(x < 9, 2.0, {0}))",
        "np.max(np.where(x >= 1, x, {0}))",
        "np.sum(np.where(x >= 1, x, -({0})) @ np.ones(3))",
        "np.sum(np.where(x >= 1, x, ({0}).reshape(3)))",
        "np.sum(np.where((x >= 1)[None, :], x, np.ones((2, 1)) * ({0})[None, :]))",
        "np.linalg.norm(np.where(x >= 1, x, {0}))",
        "np.prod(np.where(x >= 1, x, {0}))",
        "np.sum(np.cumsum(np.where(x >= 1, x, {0})))",
        "np.where(x >= 1, x, {0})[1]",
        "np.sum(np.concatenate([np.where(x >= 1, x, {0}), x]))",
    ],
)
def test_trap_01_masked_values_stay_masked_through_other_operations(inner, outer):
    f = formula(outer.format(inner))
    x = np.array([1.0, 2.0, 4.0])
    with np.errstate(all="ignore"):
        g = gradient(f, x)
    assert np.all(np.isfinite(g)), g
    shifted = np.array([1.5, 2.0, 4.0])
    with np.errstate(all="ignore"):
        g = gradient(f, shifted)
        expected = differences(f, (shifted,), 0)
    np.testing.assert_allclose(g, expected, rtol=1e-8, atol=1e-8)


def test_trap_01_two_uses_under_different_masks():
    f = define(
        "def f(x):\n    r = np.sqrt(x)\n"
        "    return np.sum(np.where(x > 1, r, 0.0) + np.where(x > 2, r * r, 5.0 * x))\n"
    )
    x = np.array([-1.0, 0.0, 1.0, 1.5, 4.0])
    with np.errstate(invalid="ignore"):
        g = gradient(f, x)
    by_hand = [5.0, 5.0, 5.0, 5.0 + 0.5 / 1.5**0.5, 1.0 + 0.25]
    np.testing.assert_allclose(g, by_hand, rtol=1e-15)


@pytest.mark.parametrize("a", [1.0, -1.0])
@pytest.mark.parametrize("b", [1.0, -1.0])
def test_trap_01_a_number_under_two_masks_is_read_where_either_is_true(a, b):
    f = define(
        "def f(x, a, b):\n    r = np.log(x)\n"
        "    return np.where(a > 0, r, 0.0) + np.where(b > 0, r, 0.0) + x\n"
    )
    assert gradient(f, 4.0, a, b, wrt="x") == 1.0 + 0.25 * (a > 0) + 0.25 * (b > 0)


@pytest.mark.parametrize("terms", [
    "np.sum(np.where(x > 1, r, 0.0)) + np.sum(np.where(a > 0, r, 0.0))",
    "np.sum(np.where(a > 0, r, 0.0)) + np.sum(np.where(x > 1, r, 0.0))",
])  # fmt: skip
def test_trap_01_lanes_under_a_mask_of_numbers_and_one_of_arrays(terms):
    f = define(f"def f(x, a):\n    r = np.sqrt(x)\n    return {terms}\n")
    with np.errstate(invalid="ignore"):
        assert np.array_equal(gradient(f, np.array([4.0, 0.25, -1.0]), -1.0), [0.25, 0.0, 0.0])
    assert np.array_equal(gradient(f, np.array([4.0, 0.25, 1.0]), 1.0), [0.5, 1.0, 0.5])


@pytest.mark.parametrize("expression", [
    "np.where(x > 0, np.where(a > 0, np.sqrt(x), 2.0 * x), 5.0 * x)",
    "np.where(a > 0, np.where(x > 0, np.sqrt(x), 5.0 * x), np.where(x > 0, 2.0 * x, 5.0 * x))",
])  # fmt: skip
def test_trap_01_a_number_decides_inside_and_outside_of_a_mask(expression):
    f, scalar = formula(f"np.sum({expression})", "x, a"), formula(expression, "x, a")
    x = np.array([-1.0, 4.0])
    with np.errstate(invalid="ignore"):
        for a, want in ((1.0, [5.0, 0.25]), (-1.0, [5.0, 2.0])):
            assert np.array_equal(gradient(f, x, a), want)
            assert [gradient(scalar, v, a) for v in (-1.0, 4.0)] == want


@pytest.mark.parametrize("mask", [np.array([0.0, 2.0]), np.array([0, -3])])
def test_trap_01_a_condition_that_is_a_number_is_true_where_it_is_not_zero(mask):
    x, turned = np.array([-1.0, 4.0]), 1 - abs(mask) / max(abs(mask))
    taken = formula("np.sum(np.where(c, np.log(x), 3.0 * x))", "x, c")
    other = formula("np.sum(np.where(c, 3.0 * x, np.log(x)))", "x, c")
    with np.errstate(invalid="ignore"):
        assert np.array_equal(gradient(taken, x, mask), [3.0, 0.25])
        assert np.array_equal(gradient(other, x, turned.astype(mask.dtype)), [3.0, 0.25])


def test_trap_01_a_part_of_unknown_length_stays_masked():
    f = define(
        "def f(x, y):\n    r = np.sqrt(x)\n"
        "    return np.sum(np.where(y > 0, r[: y.shape[0]], 0.0)) + np.sum(y)\n"
    )
    x, y = np.array([-1.0, 4.0, 9.0]), np.array([-1.0, 1.0])
    with np.errstate(invalid="ignore"):
        for shapes in ("x=n, y=m", None):
            assert np.array_equal(gradgen.grad(f, wrt="x", shapes=shapes)(x, y), [0.0, 0.25, 0.0])


@pytest.mark.parametrize("change", ["np.sqrt(x).reshape(2, 3)", "np.sqrt(x.reshape(3, 2)).T"])
def test_trap_01_a_mask_of_rows_behind_a_change_of_shape(change):
    f = formula(f"np.sum(np.where(m[:, None] > 0, {change}, 0.0))", "x, m")
    x = np.array([4.0, -1.0, 4.0, -1.0, 4.0, -1.0])
    if "reshape(2" in change:
        x = np.sort(x)[::-1].copy()
    with np.errstate(invalid="ignore"):
        assert np.array_equal(gradient(f, x, np.array([1.0, -1.0])), np.where(x > 0, 0.25, 0.0))


def test_trap_01_a_use_without_a_mask_keeps_its_infinity():
    f = define("def f(x):\n    r = np.sqrt(x)\n    return np.sum(np.where(x > 1, r, 0.0) + r)\n")
    g = gradient(f, np.array([0.0, 4.0]), warns=True)
    assert g[0] == np.inf
    assert g[1] == 0.5


def test_trap_01_masked_lanes_do_not_pass_through_a_matrix_product():
    f = formula("np.sum(np.where(m[:, None] > 0, A @ np.sqrt(np.where(x > 0, x, 1.0)), 0.0))",
                "x, A, m")  # fmt: skip
    x = np.array([[0.0, 4.0], [1.0, -1.0]])
    A, m = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0])
    g = gradient(f, x, A, m)
    assert np.array_equal(g, [[0.0, 0.25], [1.0, 0.0]])


def test_trap_01_the_mask_before_the_product():
    f = formula("np.sum(A @ np.where(x > 0, np.sqrt(x), 0.0))", "x, A")
    x, A = np.array([0.0, 4.0, -1.0]), np.array([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]])
    with np.errstate(invalid="ignore"):
        gx, gA = gradient(f, x, A, wrt=("x", "A"))
    assert np.array_equal(gx, [0.0, 2.0, 0.0])
    assert np.array_equal(gA, [[0.0, 2.0, 0.0]] * 2)


def test_trap_01_a_mask_over_the_product_of_a_root():
    # The lanes mix: a lane that is masked holds infinities that no other lane reads.
    f = formula("np.sum(np.where(m > 0, A @ np.sqrt(x), 0.0))", "x, A, m")
    x, A, m = np.array([4.0, 1.0]), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0])
    assert np.array_equal(gradient(f, x, A, m), [0.25, 1.0])


def test_trap_01_a_mask_that_was_broadcast():
    f = formula("np.sum(np.where(m[:, None] > 0, np.log(x)[None, :] * 2.0, 0.0))", "x, m")
    x, m = np.array([1.0, 2.0, 4.0]), np.array([1.0, -1.0, 1.0])
    assert np.array_equal(gradient(f, x, m), 4.0 / x)
    with np.errstate(all="ignore"):
        assert np.array_equal(gradient(f, np.zeros(3), -np.ones(3)), np.zeros(3))


def test_trap_01_a_scalar_under_an_array_mask():
    f = formula("np.sum(np.where(m > 0, np.log(s) * m, 0.0))", "s, m")
    with np.errstate(all="ignore"):
        assert gradient(f, np.float64(0.0), np.array([-1.0, -2.0])) == 0.0
        assert gradient(f, np.float64(-3.0), np.array([-1.0, -2.0])) == 0.0
    assert gradient(f, 2.0, np.array([-1.0, 2.0, 3.0])) == 2.5


def test_trap_01_masked_mean_and_axis():
    f = formula("np.sum(np.where(x > 0, np.mean(np.log(a), axis=1), 0.0))", "a, x")
    a, x = np.array([[0.0, -1.0], [2.0, 4.0]]), np.array([-1.0, 1.0])
    with np.errstate(all="ignore"):
        g = gradient(f, a, x)
    assert np.array_equal(g, [[0.0, 0.0], [0.25, 0.125]])


def test_trap_01_masked_transposes_and_views():
    f = formula("np.sum(np.where(m, np.log(a).T, 1.0))", "a, m")
    a, m = np.array([[0.0, 2.0], [4.0, -1.0]]), np.array([[False, True], [True, False]])
    with np.errstate(all="ignore"):
        g = gradient(f, a, m)
    assert np.array_equal(g, [[0.0, 0.5], [0.25, 0.0]])


@pytest.mark.parametrize(
    "change",
    ["np.log(a)[::-1]", "np.log(a).reshape(2, 2)", "np.log(a)[:, ::-1]", "np.log(a)[[1, 0]]",
     "np.stack([np.log(a)[0], np.log(a)[1]])", "np.concatenate([np.log(a)[:1], np.log(a)[1:]])",
     "np.sqrt(a) @ np.eye(2)", "np.cumsum(np.log(a), axis=1)"],
)  # fmt: skip
def test_trap_01_masks_behind_a_change_of_lanes(change):
    f = formula(f"np.sum(np.where(m > 0, {change}, 0.0 * m))", "a, m")
    a = np.array([[2.0, 3.0], [4.0, 5.0]])
    m = np.array([[1.0, -1.0], [-1.0, 1.0]])
    agrees(f, a, m, wrt=(0,))


@pytest.mark.parametrize(
    "rows",
    ["np.max(np.log(a), axis=1)", "np.min(np.log(a), axis=1)", "np.prod(np.log(a), axis=1)",
     "np.linalg.norm(np.log(a), axis=1)", "np.sum(np.log(a), axis=1)", "np.log(a)[:, 0]",
     "np.mean(np.sqrt(a), axis=1) / np.max(np.sqrt(a), axis=1)", "np.log(a) @ v",
     "np.log(a) @ np.sqrt(v)", "(np.log(a)[:, None] @ np.log(a)[:, :, None])[:, 0, 0]",
     "np.sum(np.outer(np.log(a[:, 0]), v), axis=1)", "sum(c for c in np.log(a).T)",
     "np.log(a).reshape(3, 2)[:, 1]", "np.array([np.log(a[0, 0]), np.log(a[1, 0]), 1.0])",
     "np.stack([np.log(a)[:, 0], a[:, 1]]).sum(axis=0)", "np.log(a).T[1]",
     "np.log(a[:, ::-1])[:, 1]",
     "np.concatenate([np.log(a[:2, 0]), np.log(a[2:, 1])])", "np.log(a).ravel()[::2]",
     "np.log(a).copy()[..., -1]", "np.sum(np.log(a)[:, :, None] * v, axis=(1, 2))",
     "np.broadcast_to(np.log(a[:, :1]), (3, 2))[:, 1]", "np.prod(1 / a, axis=1)"],
)  # fmt: skip
def test_trap_01_rows_that_are_masked_after_an_operation_on_whole_rows(rows):
    f = formula(f"np.sum(np.where(m > 0, {rows}, 2.0 * a[:, 1]))", "a, v, m")
    a, v = np.array([[1.5, 2.5], [-0.0, 3.0], [1.25, 0.75]]), np.array([1.5, 0.5])
    m = np.array([1.0, -1.0, 1.0])
    with np.errstate(all="ignore"):
        g, gv = gradient(f, a, v, m, wrt=("a", "v"))
    assert np.array_equal(g[1], [0.0, 2.0])
    clean = a.copy()
    clean[1] = 1.5, 3.0
    assert np.all(np.isfinite(gv))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(g, differences(f, (clean, v, m), 0, 1e-4), rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(gv, differences(f, (clean, v, m), 1, 1e-4), rtol=1e-7, atol=1e-7)


def test_trap_01_masked_values_in_a_store():
    f = define(
        "def f(x, m):\n    out = np.zeros(3)\n    out[0] = np.log(x[0])\n"
        "    out[1:] = np.sqrt(x[1:])\n"
        "    return np.sum(np.where(m > 0, out, x))\n"
    )
    x, m = np.array([-1.0, 4.0, -1.0]), np.array([-1.0, 1.0, -1.0])
    with np.errstate(all="ignore"):
        assert np.array_equal(gradient(f, x, m), [1.0, 0.25, 1.0])


def test_trap_01_masked_softmax_and_logsumexp():
    source = (
        "from scipy.special import log_softmax, logsumexp, softmax\n"
        "def f(a, m):\n    r = np.log(a)\n"
        "    rows = logsumexp(r, axis=1) + softmax(r, axis=1)[:, 0]\n"
        "    rows = rows + log_softmax(r, axis=1)[:, 1]\n"
        "    return np.sum(np.where(m > 0, rows, 2.0 * a[:, 1]))\n"
    )
    f = define(source)
    a, m = np.array([[1.5, 2.5], [-1.0, 3.0]]), np.array([1.0, -1.0])
    with np.errstate(all="ignore"):
        g = gradient(f, a, m)
        expected = differences(f, (np.array([[1.5, 2.5], [1.0, 3.0]]), m), 0)
    np.testing.assert_allclose(g, expected, rtol=1e-8)


def test_trap_01_a_product_of_which_no_row_is_read():
    f = formula("np.sum(np.where(m > 0, A @ np.sqrt(x), 0.0 * m))", "x, A, m")
    x, A, m = np.array([0.0, -1.0]), np.ones((2, 2)), -np.ones(2)
    with np.errstate(all="ignore"):
        gx, gA = gradient(f, x, A, m, wrt=("x", "A"))
    assert np.array_equal(gx, np.zeros(2)) and np.array_equal(gA, np.zeros((2, 2)))


def test_trap_01_nothing_is_guarded_where_nothing_is_masked():
    source = gradgen.emit(formula("np.sum(np.log(x) / np.sqrt(x))"), shapes="x=n")
    assert "where" not in source


# -- 2 to 6: powers --------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", ["0", "0.0", "2 - 2"])
@TARGETS
def test_trap_02_the_zeroth_power_has_derivative_zero(exponent, target):
    f = formula(f"x ** ({exponent}) + 2.0 * x")
    for x in (0.0, -1.0, 3.0):
        assert gradient(f, x, target=target) == 2.0


def test_trap_02_the_zeroth_power_of_arrays():
    f = formula("np.sum(x ** 0)")
    assert np.array_equal(gradient(f, np.array([0.0, -1.0, np.inf])), np.zeros(3))
    assert "**" not in gradgen.emit(f, shapes="x=n", mode="grad")


def test_trap_02_a_variable_exponent_is_not_guarded():
    f = formula("x ** a", "x, a")
    assert gradient(f, np.float64(0.0), 1.0) == 1.0
    assert gradient(f, 0.0, 2.0) == 0.0
    assert gradient(f, np.float64(0.0), 0.5, warns=True) == np.inf
    with pytest.raises(ZeroDivisionError):
        gradgen.grad(f, target="python")(0.0, 0.5)


@TARGETS
@pytest.mark.parametrize("y", [0.5, 1.0, 2.0, 3.0])
def test_trap_03_the_exponents_derivative_at_a_zero_base_is_zero(y, target):
    f = formula("x ** y", "x, y")
    assert gradient(f, 0.0, y, wrt="y", target=target) == 0.0


def test_trap_03_arrays_with_zero_bases():
    f = formula("np.sum(x ** y)", "x, y")
    x, y = np.array([0.0, 2.0, 0.0]), np.array([2.0, 3.0, 1.0])
    gx, gy = gradient(f, x, y, wrt=("x", "y"))
    assert np.array_equal(gx, [0.0, 12.0, 1.0])
    np.testing.assert_allclose(gy, [0.0, 8.0 * np.log(2.0), 0.0], rtol=1e-15)
    assert np.array_equal(gradient(formula("np.sum(np.power(x, y))", "x, y"), x, y, wrt="y"), gy)
    assert np.array_equal(gradient(formula("np.sum(0.0 ** y)", "y"), y), np.zeros(3))


def test_trap_03_a_constant_base():
    f = formula("np.sum(2.0 ** y + np.e ** y)", "y")
    y = np.array([-1.0, 0.0, 3.0])
    np.testing.assert_allclose(gradient(f, y), 2.0**y * np.log(2.0) + np.exp(y), rtol=1e-14)


def test_trap_04_a_negative_base():
    f = formula("np.sum(x ** y)", "x, y")
    x, y = np.array([-2.0, -1.5]), np.array([2.0, 3.0])
    gx, gy = gradient(f, x, y, wrt=("x", "y"), warns=True)
    assert np.array_equal(gx, [-4.0, 6.75])
    assert np.all(np.isnan(gy))


@TARGETS
@pytest.mark.parametrize(("n", "slope"), [(2, -4.0), (3, 12.0), (4, -32.0), (5, 80.0), (-1, -0.25),
                                          (-2, 0.25), (7.0, 448.0), (1, 1.0)])  # fmt: skip
def test_trap_04_a_constant_exponent_needs_no_logarithm(n, slope, target):
    f = formula(f"x ** {n}")
    assert gradient(f, -2.0, target=target) == slope
    assert "log" not in gradgen.emit(f, target=target)
    if target == "numpy":
        array = formula(f"np.sum(x ** {n})")
        np.testing.assert_array_equal(gradient(array, np.array([-2.0, -2.0])), [slope] * 2)


def test_trap_04_only_the_base_is_active():
    f = formula("np.sum(x ** y)", "x, y")
    assert "log" not in gradgen.emit(f, wrt="x", shapes="x=n, y=n")


@pytest.mark.parametrize("zero", [0.0, np.float64(0.0)])
def test_trap_05_the_root_at_zero(zero):
    for expression in ("x ** 0.5", "np.sqrt(x)", "np.power(x, 0.5)", "x ** (1 / 2)"):
        assert gradient(formula(expression), zero, warns=True) == np.inf


def test_trap_05_the_root_of_arrays_at_zero():
    x = np.array([0.0, 4.0])
    for expression in ("x ** 0.5", "np.sqrt(x)"):
        assert np.array_equal(
            gradient(formula(f"np.sum({expression})"), x, warns=True), [np.inf, 0.25]
        )


@TARGETS
@pytest.mark.parametrize("x", [1e-300, 0.25, 4.0, 1e300])
def test_trap_05_the_half_power_is_the_root(x, target):
    a = gradient(formula("x ** 0.5"), x, target=target)
    b = gradient(formula("math.sqrt(x)"), x, target=target)
    exact = float(mpmath.mpf(1) / (2 * mpmath.sqrt(mpmath.mpf(x))))
    assert abs(a - exact) <= 2e-16 * exact * 2
    assert abs(b - exact) <= 2e-16 * exact * 2


def test_trap_05_the_python_targets_difference_is_in_the_header():
    source = gradgen.emit(formula("np.sqrt(x)"), target="python")
    assert "ZeroDivisionError" in source


def again(f, *wrts, shapes):
    """The derivative of the derivative of ...: the emitted function, compiled again."""
    for wrt in wrts:
        f = gradgen.grad(f, wrt=wrt, shapes=shapes)
    return f


@TARGETS
def test_trap_06_second_and_third_derivatives_of_powers_at_zero(target):
    f = formula("x ** 3 + 2 * x ** 2 + x ** 1")
    shapes = "x=scalar"
    values = []
    for order in (1, 2, 3):
        g = f
        for _ in range(order):
            g = gradgen.grad(g, target=target, shapes=shapes)
        values.append(g(0.0))
    assert values == [1.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("wrts", "y", "expected"),
    [("xx", 2.0, 2.0), ("xx", 3.0, 0.0), ("xxx", 3.0, 6.0), ("xy", 3.0, 0.0), ("yx", 3.0, 0.0),
     ("yy", 3.0, 0.0), ("xyx", 4.0, 0.0), ("yyy", 2.0, 0.0)],
)  # fmt: skip
def test_trap_06_higher_derivatives_with_a_variable_exponent(wrts, y, expected):
    g = again(formula("x ** y", "x, y"), *wrts, shapes="x=scalar, y=scalar")
    assert g(0.0, y) == expected


# -- 7, 8: kinks and norms -------------------------------------------------------------------------


@TARGETS
def test_trap_07_abs_has_slope_zero_at_zero(target):
    for expression in ("abs(x)", "np.abs(x)", "np.absolute(x)", "math.fabs(x)", "np.fabs(x)"):
        f = formula(expression)
        assert [gradient(f, x, target=target) for x in (-2.0, 0.0, -0.0, 3.0)] == [-1, 0, 0, 1]


@TARGETS
@pytest.mark.parametrize(
    "step",
    ["np.sign(x)", "np.floor(x)", "np.ceil(x)", "np.trunc(x)", "np.rint(x)", "np.round(x)",
     "math.floor(x)", "math.ceil(x)", "math.trunc(x)", "round(x)", "int(x)", "(x > 0) * 1.0",
     "np.where(x > 0, 2.0, 1.0)", "x // 1.0"],
)  # fmt: skip
def test_trap_07_steps_have_derivative_zero(step, target):
    f = formula(f"{step} * 2.0 + x * 3.0")
    for x in (-1.5, 0.0, 2.0, 2.25):
        assert gradient(f, x, target=target) == 3.0
    g = formula(f"{step} * x")
    for x in (-1.5, 2.25):
        assert gradient(g, x, target=target) == float(formula(step)(x))


@pytest.mark.parametrize(
    "step", ["np.sign(x)", "np.floor(x)", "np.ceil(x)", "np.trunc(x)", "np.rint(x)", "(x > 0)",
             "(x == 2.0)", "x // 1.0", "np.isfinite(x)"]
)  # fmt: skip
def test_trap_07_steps_of_arrays_have_derivative_zero(step):
    x = np.array([-1.5, 0.0, 2.0, 2.25])
    assert np.array_equal(gradient(formula(f"np.sum({step} * 2.0 + x)"), x), np.ones(4))
    step_value = np.asarray(formula(step)(x), dtype=float)
    assert np.array_equal(gradient(formula(f"np.sum({step} * x)"), x), step_value)


def test_trap_07_only_steps_give_zeros_of_the_right_shape():
    x = np.ones((2, 3), np.float32)
    assert np.array_equal(gradient(formula("np.sum(np.floor(x))"), x), np.zeros((2, 3)))


def test_trap_08_the_norm_of_zero_has_gradient_zero():
    f = formula("np.linalg.norm(x)")
    assert np.array_equal(gradient(f, np.zeros(3)), np.zeros(3))
    assert np.array_equal(gradient(f, np.zeros(3, np.float32)), np.zeros(3))
    assert np.array_equal(gradient(f, np.array([3.0, 4.0])), [0.6, 0.8])


def test_trap_08_norms_of_rows():
    for rest in ("axis=1", "axis=-1", "axis=1, keepdims=True", "ord=2, axis=1"):
        f = formula(f"np.sum(np.linalg.norm(x, {rest}))")
        x = np.array([[3.0, 4.0], [0.0, 0.0]])
        np.testing.assert_allclose(gradient(f, x), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-15)


def test_trap_08_norms_of_matrices():
    for expression in ("np.linalg.norm(x)", "np.linalg.norm(x, 'fro')",
                       "np.linalg.norm(x, axis=(0, 1))"):  # fmt: skip
        agrees(formula(expression), np.array([[1.0, 2.0], [3.0, -4.0]]))
        assert np.array_equal(gradient(formula(expression), np.zeros((2, 2))), np.zeros((2, 2)))


def test_trap_08_a_root_of_a_square_is_not_a_norm():
    with np.errstate(all="ignore"):
        assert np.isnan(gradient(formula("np.sqrt(x * x)"), np.float64(0.0), warns=True))


# -- 10, 11: extremes ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["max", "min"])
def test_trap_10_ties_share_the_adjoint_evenly(name, dtype):
    sign = 1 if name == "max" else -1
    x = sign * np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], dtype)
    total = gradient(formula(f"np.{name}(x)"), x)
    assert np.array_equal(total, np.array([[0, 0.5, 0.5], [0, 0, 0]]))
    thirds = np.array([[0, 0.5, 0.5], [1, 1, 1]], dtype) / np.array([[1], [3]], dtype)
    for rest in ("axis=1", "axis=-1", "axis=1, keepdims=True", "axis=(1,)"):
        for call in (f"np.{name}(x, {rest})", f"x.{name}({rest})", f"np.a{name}(x, {rest})"):
            assert np.array_equal(gradient(formula(f"np.sum({call})"), x), thirds)
    down = gradient(formula(f"np.sum(np.{name}(x, axis=0))"), x)
    assert np.array_equal(down, np.array([[0, 1, 1], [1, 0, 0]]))
    both = gradient(formula(f"np.sum(np.{name}(x, axis=(0, 1), keepdims=True) * x)"), x)
    value, share = x[0, 1], np.sum(x)
    assert np.array_equal(both, value + share * np.array([[0, 0.5, 0.5], [0, 0, 0]], dtype))


@TARGETS
@pytest.mark.parametrize("call", ["np.maximum({0})", "max({0})", "np.fmax({0})"])
def test_trap_10_relu_has_slope_zero_at_zero(call, target):
    for pair in ("x, 0.0", "0.0, x", "x, 0"):
        f = formula(call.format(pair))
        slopes = [gradient(f, x, target=target) for x in (-1.0, 0.0, 2.0)]
        assert slopes == [0.0, 0.0, 1.0], pair
    least = formula(call.format("x, 0.0").replace("max", "min"))
    least = formula(call.format("x, 0.0").replace("maximum", "minimum").replace("max", "min"))
    assert [gradient(least, x, target=target) for x in (-1.0, 0.0, 2.0)] == [1.0, 0.0, 0.0]


@TARGETS
@pytest.mark.parametrize("call", ["np.maximum(x, y)", "np.minimum(x, y)", "np.fmax(x, y)",
                                  "np.fmin(x, y)", "max(x, y)", "min(x, y)"])  # fmt: skip
def test_trap_10_two_active_arguments_that_tie_get_half_each(call, target):
    f = formula(call, "x, y")
    assert gradient(f, 2.0, 2.0, wrt=("x", "y"), target=target) == (0.5, 0.5)
    larger = (1.0, 0.0) if "max" in call else (0.0, 1.0)
    assert gradient(f, 3.0, 2.0, wrt=("x", "y"), target=target) == larger
    if target == "numpy" and "np" in call:
        arrays = formula(f"np.sum({call})", "x, y")
        x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
        first = [0.0, 0.5, 1.0] if "max" in call else [1.0, 0.5, 0.0]
        gx, gy = gradient(arrays, x, y, wrt=("x", "y"))
        assert np.array_equal(gx, first) and np.array_equal(gx + gy, np.ones(3))


@pytest.mark.parametrize("call", ["max(x, y, z)", "min(x, y, z)"])
def test_trap_10_three_arguments_that_tie(call):
    f = formula(call, "x, y, z")
    assert sum(gradient(f, 2.0, 2.0, 2.0, wrt=(0, 1, 2))) == 1.0
    assert sum(gradient(f, 2.0, 2.0, 2.0, wrt=(0, 1, 2), target="python")) == 1.0


@pytest.mark.parametrize("nan", ["x", "y"])
def test_trap_10_fmax_of_nan_gives_the_slope_to_the_other(nan):
    args = {"x": 2.0, "y": 3.0, nan: math.nan}
    for name in ("fmax", "fmin"):
        gx, gy = gradient(formula(f"np.{name}(x, y)", "x, y"), args["x"], args["y"], wrt=(0, 1))
        assert (gx, gy) == ((0.0, 1.0) if nan == "x" else (1.0, 0.0))
        one = gradient(formula(f"np.{name}(x, y)", "x, y"), args["x"], args["y"], wrt="x")
        assert one == (0.0 if nan == "x" else 1.0)


def test_trap_10_nan_in_a_maximum():
    g = gradient(formula("np.sum(np.maximum(x, 1.0))"), np.array([np.nan, 2.0]))
    assert g[1] == 1.0


@TARGETS
def test_trap_11_clip_is_one_on_the_closed_interval(target):
    f = formula("np.clip(x, -1.0, 2.0)")
    points = (-2.0, -1.0, 0.0, 2.0, 3.0)
    assert [gradient(f, x, target=target) for x in points] == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_trap_11_clip_of_arrays():
    x = np.array([-2.0, -1.0, 0.0, 2.0, 3.0])
    inside = [0, 1, 1, 1, 0]
    for call in ("np.clip(x, -1.0, 2.0)", "x.clip(-1.0, 2.0)", "np.clip(x, a_min=-1, a_max=2)",
                 "np.clip(x, min=-1, max=2)", "np.clip(x, lo, hi)"):  # fmt: skip
        f = formula(f"np.sum({call})", "x, lo, hi")
        assert np.array_equal(gradient(f, x, -1.0, 2.0), inside), call
    g = gradient(formula("np.sum(np.clip(x, lo, hi))", "x, lo, hi"), x, -1.0, 2.0, wrt=(0, 1, 2))
    assert (g[1], g[2]) == (1.0, 1.0)
    single = gradient(formula("np.sum(np.clip(x, -1.0, 2.0))"), x.astype(np.float32))
    assert np.array_equal(single, inside)


@pytest.mark.parametrize(
    ("call", "expected"),
    [("np.clip(x, None, 2.0)", [1, 1, 1, 1, 0]), ("np.clip(x, -1.0, None)", [0, 1, 1, 1, 1])],
)
def test_trap_11_clip_with_one_bound_is_one_at_the_bound_too(call, expected):
    x = np.array([-2.0, -1.0, 0.0, 2.0, 3.0])
    assert np.array_equal(gradient(formula(f"np.sum({call})"), x), expected)


# -- 12 to 15: domains, removable points -----------------------------------------------------------


def test_trap_12_arctan2_near_the_origin():
    f = formula("np.arctan2(y, x)", "y, x")
    for scale in (1e-300, 1e-160, 1.0, 1e160, 1e300):
        gy, gx = gradient(f, 3.0 * scale, 4.0 * scale, wrt=(0, 1))
        assert abs(gy - 0.16 / scale) <= 1e-15 * 0.16 / scale
        assert abs(gx + 0.12 / scale) <= 1e-15 * 0.12 / scale


@pytest.mark.parametrize("call", ["np.log(x)", "np.sqrt(x)", "np.arccos(x)", "np.arcsin(x)"])
def test_trap_13_outside_the_domain_the_value_is_nan_and_nothing_is_guarded(call):
    f = formula(f"np.sum({call})")
    x = np.array([-3.0, 0.5])
    with np.errstate(all="ignore"):
        value, g = gradgen.value_and_grad(f)(x)
    assert np.isnan(value)
    assert g.shape == x.shape
    source = gradgen.emit(f, shapes="x=n")
    assert "where" not in source and "errstate" not in source


# Where each function is differentiable with a finite derivative, out to the ends.
DOMAIN = {
    "exp": [-800.0, -1.0, 0.0, 700.0], "exp2": [-1100.0, 0.0, 1000.0],
    "expm1": [-800.0, -1e-20, 0.0, 1e-20, 700.0], "log": [1e-300, 1.0, 1e300],
    "log2": [1e-300, 1.0, 1e300], "log10": [1e-300, 1.0, 1e300],
    "log1p": [-0.5, -1e-20, 0.0, 1e-20, 1e300], "sqrt": [1e-300, 1.0, 1e300],
    "cbrt": [-8.0, 1e-300, 1e300], "square": [-1e150, 0.0, 3.0], "reciprocal": [-1e-100, 1e150],
    "sin": [-1e5, 0.0, 2.0], "cos": [-1e5, 0.0, 2.0], "tan": [-1.5, 0.0, 1.5],
    "arcsin": [-0.999999, 0.0, 0.5], "arccos": [-0.999999, 0.0, 0.5],
    "arctan": [-1e150, 0.0, 1e150], "sinh": [-700.0, 0.0, 700.0], "cosh": [-700.0, 0.0, 700.0],
    "tanh": [-5.0, 0.0, 5.0], "arcsinh": [-1e300, -1.0, 0.0, 1e300],
    "arccosh": [1.000001, 2.0, 1e150, 1e300], "arctanh": [-0.999999, 0.0, 0.5],
    "deg2rad": [0.0, 90.0], "rad2deg": [0.0, 1.0],
}  # fmt: skip
EXACT = {
    "exp": mpmath.exp, "exp2": lambda x: 2**x, "expm1": mpmath.expm1, "log": mpmath.log,
    "log2": lambda x: mpmath.log(x, 2), "log10": mpmath.log10, "log1p": mpmath.log1p,
    "sqrt": mpmath.sqrt, "cbrt": lambda x: mpmath.sign(x) * abs(x) ** (mpmath.mpf(1) / 3),
    "square": lambda x: x * x, "reciprocal": lambda x: 1 / x, "sin": mpmath.sin,
    "cos": mpmath.cos, "tan": mpmath.tan, "arcsin": mpmath.asin, "arccos": mpmath.acos,
    "arctan": mpmath.atan, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh,
    "arcsinh": mpmath.asinh, "arccosh": mpmath.acosh, "arctanh": mpmath.atanh,
    "deg2rad": mpmath.radians, "rad2deg": mpmath.degrees,
}  # fmt: skip


def exact_slope(function, x):
    """The derivative at a float, by differences in 700 digits."""
    with mpmath.workdps(1400):
        x = mpmath.mpf(float(x))
        step = mpmath.mpf(10) ** -700
        return (function(x + step) - function(x - step)) / (2 * step)


@TARGETS
@pytest.mark.parametrize("name", DOMAIN)
def test_trap_13_inside_the_domain_nothing_raises_and_nothing_warns(name, target):
    names = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh",
             "arccosh": "acosh", "arctanh": "atanh", "deg2rad": "radians",
             "rad2deg": "degrees"}  # fmt: skip
    f = formula(f"np.{name}(x)")
    spellings = [f]
    if name not in ("square", "reciprocal"):
        spellings.append(formula(f"math.{names.get(name, name)}(x)"))
    for x in DOMAIN[name]:
        expected = float(exact_slope(EXACT[name], x))
        for spelling in spellings:
            g = gradient(spelling, x, target=target)
            # 1 - tanh(x)**2 has the precision of 1 - t * t.
            floor = 1e-15 if name == "tanh" else 1e-320
            assert abs(g - expected) <= 1e-13 * abs(expected) + floor, (x, g, expected)
    if target == "numpy":
        xs = np.array(DOMAIN[name])
        expected = [float(exact_slope(EXACT[name], x)) for x in xs]
        g = gradient(formula(f"np.sum(np.{name}(x) * 1e-9)"), xs) * 1e9
        np.testing.assert_allclose(g, expected, rtol=1e-13, atol=1e-15 if name == "tanh" else 0)


@TARGETS
def test_trap_14_sinc_and_hypot_at_zero(target):
    assert gradient(formula("np.sinc(x)"), 0.0, target=target) == 0.0
    f = formula("np.hypot(x, y)", "x, y")
    assert gradient(f, 0.0, 0.0, wrt=(0, 1), target=target) == (0.0, 0.0)
    assert gradient(f, 3.0, 4.0, wrt=(0, 1), target=target) == (0.6, 0.8)
    g = formula("math.hypot(x, y)", "x, y")
    assert gradient(g, 0.0, 0.0, wrt=(0, 1), target=target) == (0.0, 0.0)


def test_trap_14_sinc_and_hypot_of_arrays_with_zeros():
    x = np.array([0.0, 1.0, 1e-9, -0.1, 0.5])
    g = gradient(formula("np.sum(np.sinc(x))"), x)
    exact = [float(exact_slope(mpmath_sinc, v)) if v else 0.0 for v in x]
    np.testing.assert_allclose(g, exact, rtol=1e-13)
    gx, gy = gradient(formula("np.sum(np.hypot(x, y))", "x, y"), np.array([0.0, 3.0]),
                      np.array([0.0, 4.0]), wrt=(0, 1))  # fmt: skip
    assert np.array_equal(gx, [0.0, 0.6]) and np.array_equal(gy, [0.0, 0.8])


def mpmath_sinc(x):
    return mpmath.sinc(mpmath.pi * x)


@pytest.mark.parametrize("x", [1e-300, 1e-20, 1e-8, 1e-4, 0.01, 0.15, 0.16, 0.17, 0.3, 2.5, 40.25])
@TARGETS
def test_trap_14_sinc_near_zero_keeps_its_digits(x, target):
    expected = float(exact_slope(mpmath_sinc, x)) if x > 1e-200 else -(math.pi**2) * x / 3
    for sign in (1, -1):
        g = gradient(formula("np.sinc(x)"), sign * x, target=target)
        assert abs(g - sign * expected) <= 2e-13 * abs(expected)


@pytest.mark.parametrize("x", [[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0], [5.0], [0.0],
                               [1e200, 1e-200, 1e100], []])  # fmt: skip
def test_trap_14_products_with_zeros_are_exact(x):
    x = np.array(x)
    g = gradient(formula("np.prod(x)"), x)
    expected = [math.prod(float(v) for j, v in enumerate(x) if j != i) for i in range(len(x))]
    np.testing.assert_allclose(g, np.array(expected), rtol=1e-15)


@pytest.mark.parametrize(
    "rest", ["", ", axis=0", ", axis=1", ", axis=-1", ", axis=1, keepdims=True"]
)
def test_trap_14_products_along_axes(rest):
    agrees(
        formula(f"np.sum(np.prod(x{rest}) * 2.0)"), np.array([[2.0, 0.0, 3.0], [1.0, -2.0, 5.0]])
    )
    single = np.array([[2.0, 0.0], [1.0, -2.0]], np.float32)
    assert gradient(formula(f"np.sum(np.prod(x{rest}))"), single).dtype == np.float32


@TARGETS
@pytest.mark.parametrize(("x", "y"), [(5.5, 2.0), (-5.5, 2.0), (5.5, -2.0), (-5.5, -2.0),
                                      (0.25, 3.0), (1e10 + 0.3, 0.7)])  # fmt: skip
def test_trap_15_remainders_and_floors_of_quotients(x, y, target):
    """x % y = x - y * floor(x / y): the slopes are 1 and -floor(x / y)."""
    for call in ("x % y", "np.mod(x, y)", "np.remainder(x, y)"):
        got = gradient(formula(call, "x, y"), x, y, wrt=(0, 1), target=target)
        assert got == (1.0, -float(math.floor(x / y)))
    for call in ("x // y", "np.floor_divide(x, y)"):
        f = formula(f"({call}) * 2.0 + x * 0.5 + y * 0.0", "x, y")
        assert gradient(f, x, y, wrt=(0, 1), target=target) == (0.5, 0.0)
    f = formula("divmod(x, y)[0] * x + divmod(x, y)[1]", "x, y")
    quotient = float(x // y)
    assert gradient(f, x, y, wrt=(0, 1), target=target) == (quotient + 1.0, -quotient)


def test_trap_15_remainders_of_arrays():
    x, y = np.array([5.5, -5.5, 0.0]), np.array([2.0, 2.0, 3.0])
    gx, gy = gradient(formula("np.sum(x % y)", "x, y"), x, y, wrt=(0, 1))
    assert np.array_equal(gx, np.ones(3)) and np.array_equal(gy, [-2.0, 3.0, 0.0])
    agrees(formula("np.sum(x % 2.0 + 7.0 % (x + 10.0))"), x + 0.25)
    agrees(formula("np.sum((x % y)[0] + x // y)", "x, y"), np.array([5.5, -5.5, 1.0]), y)


@pytest.mark.parametrize("call", ["np.fmod(x, y)", "math.fmod(x, y)", "math.remainder(x, y)"])
def test_trap_15_other_remainders_are_right_or_refused(call):
    f = formula(call, "x, y")
    for x, y in ((5.5, 2.0), (-5.5, 2.0)):
        try:
            gx, gy = gradgen.grad(f, wrt=(0, 1))(x, y)
        except gradgen.SourceError:
            continue
        whole = round(x / y) if "remainder" in call else math.trunc(x / y)
        assert (gx, gy) == (1.0, -whole)


# -- 16 to 18: overflow, cancellation --------------------------------------------------------------


@pytest.mark.parametrize("x", [-1000.0, -745.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0, 1000.0])
@pytest.mark.parametrize("spelled", ["np.logaddexp(0.0, x)", "np.logaddexp(x, 0)",
                                     "np.logaddexp2(0, x / np.log(2)) * np.log(2)"])  # fmt: skip
def test_trap_16_softplus_by_logaddexp_is_right_everywhere(spelled, x):
    with mpmath.workdps(60):
        expected = float(1 / (1 + mpmath.exp(-mpmath.mpf(x))))
    g = gradient(formula(spelled), x)
    assert abs(g - expected) <= 1e-12 * expected
    if "2" not in spelled:
        g = gradient(formula(spelled), x, target="python")
        assert abs(g - expected) <= 1e-13 * expected


@TARGETS
@pytest.mark.parametrize("x", [-700.0, -100.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0])
@pytest.mark.parametrize("spelled", ["np.log(1 + np.exp(x))", "np.log1p(np.exp(x))"])
def test_trap_16_the_tails_of_a_softplus_are_exponentials_and_not_zero(spelled, x, target):
    with mpmath.workdps(400):
        expected = float(1 / (1 + mpmath.exp(-mpmath.mpf(x))))
    g = gradient(formula(spelled), x, target=target)
    assert abs(g - expected) <= 1e-13 * expected


@TARGETS
@pytest.mark.parametrize("x", [-700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0])
def test_trap_16_the_logarithm_of_a_logistic_function(x, target):
    with mpmath.workdps(400):
        expected = float(1 / (1 + mpmath.exp(-mpmath.mpf(x))))
    f = formula("-np.log(1 / (1 + np.exp(x)))")
    g = gradgen.grad(f, target=target)(x)
    assert abs(g - expected) <= 1e-13 * expected


def logistic_slope(x):
    with mpmath.workdps(1000):
        s = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        return float(s * (1 - s))


@TARGETS
@pytest.mark.parametrize("x", [-350.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0])
@pytest.mark.parametrize(
    "spelled", ["1 / (1 + np.exp(-x))", "1.0 / (1.0 + math.exp(-x))", "np.exp(x) / (1 + np.exp(x))"]
)
def test_trap_16_the_logistic_function(spelled, x, target):
    if "/ (1 + np.exp(x))" in spelled and x > 350:
        x = 350.0
    g = gradient(formula(spelled), x, target=target)
    # y * (1 - y) has the precision of 1 - y on the right; on the left it keeps its digits.
    assert abs(g - logistic_slope(x)) <= 1e-12 * logistic_slope(x) + (1.2e-16 if x > 0 else 0)


UNGUARDED = pytest.mark.xfail(
    strict=True, reason="exp overflows to inf and meets an adjoint of exactly 0: 0 * inf is NaN"
)


@pytest.mark.parametrize(
    "spelled",
    [
        "1 / (1 + np.exp(-x))",
        "1.0 / (np.exp(-x) + 1.0)",
        "0.5 * (1.0 + np.tanh(0.5 * x)) * np.where(x < 0, 1.0, 1.0)",
        pytest.param("np.reciprocal(1 + np.exp(-x))", marks=UNGUARDED),
        pytest.param("(1 + np.exp(-x)) ** -1", marks=UNGUARDED),
    ],
)
def test_trap_16_the_logistic_function_at_minus_1000_has_slope_zero(spelled):
    assert gradient(formula(spelled), -1000.0) == 0.0
    x = np.array([-1000.0, 0.0])
    assert np.array_equal(gradient(formula(f"np.sum({spelled})"), x), [0.0, 0.25])


@UNGUARDED
@pytest.mark.parametrize("expression", ["np.tanh(np.exp(x))", "np.arctan(np.exp(x))",
                                        "np.exp(-np.exp(x))", "1 / (2 + np.cosh(x))",
                                        "1 / (1 + np.exp(x)) ** 2", "1 / (3 + 2 * np.exp(x))",
                                        "1 / (1 + np.exp(x) + np.exp(2 * x))"])  # fmt: skip
def test_trap_16_other_functions_that_saturate_above_an_overflow(expression):
    assert gradient(formula(expression), 1000.0) == 0.0


@pytest.mark.parametrize(
    "spelled", ["np.log(1 + np.exp(x))", "np.log(np.exp(x) + 1.0)", "np.log1p(np.exp(x))"]
)
def test_trap_16_a_softplus_that_overflows_is_diagnosed_in_the_header(spelled):
    text = gradgen.emit(formula(spelled))
    assert "overflows above x = 709; np.logaddexp(0, x) does not" in text
    assert "logaddexp" not in gradgen.emit(formula("np.log(2 + x) + np.exp(x)"))


def test_trap_16_scipy_special_functions_do_not_overflow():
    source = (
        "from scipy.special import expit, log_softmax, logsumexp\n"
        "def f(x):\n    return np.sum(expit(x)) + logsumexp(x) + log_softmax(x)[0]\n"
    )
    x = np.array([-1000.0, 1000.0, 0.0])
    g = gradient(define(source), x)
    # expit': 0, 0, 1/4; softmax: 0, 1, 0; e_0 - softmax: 1, -1, 0
    assert np.array_equal(g, [1.0, 0.0, 0.25])


def test_trap_16_a_shifted_logsumexp_does_not_overflow():
    f = define("def f(x):\n    m = np.max(x)\n    return m + np.log(np.sum(np.exp(x - m)))\n")
    np.testing.assert_allclose(gradient(f, np.array([1000.0, 1000.0, -1000.0])), [0.5, 0.5, 0.0])
    np.testing.assert_allclose(gradient(f, np.array([-1e4, -1e4 + np.log(3.0)])), [0.25, 0.75])


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2"])
def test_trap_17_logaddexp_of_two_minus_infinities_is_defined(name):
    f = formula(f"np.{name}(x, y)", "x, y")
    inf = np.inf
    assert gradient(f, -inf, -inf, wrt=(0, 1)) == (0.0, 0.0)
    assert gradient(f, -inf, 2.0, wrt=(0, 1)) == (0.0, 1.0)
    assert gradient(f, 2.0, -inf, wrt=(0, 1)) == (1.0, 0.0)
    x, y = np.array([-inf, -inf, 2.0]), np.array([-inf, 1.0, 2.0])
    gx, gy = gradient(formula(f"np.sum(np.{name}(x, y))", "x, y"), x, y, wrt=(0, 1))
    np.testing.assert_allclose(gx, [0.0, 0.0, 0.5], rtol=1e-15)
    np.testing.assert_allclose(gy, [0.0, 1.0, 0.5], rtol=1e-15)
    assert gradient(formula(f"np.{name}(x, 1.0)"), -inf) == 0.0


@pytest.mark.parametrize("x", [1e-20, -1e-20, 1e-10, 0.0])
@TARGETS
def test_trap_18_log1p_and_expm1_keep_their_digits(x, target):
    for call in ("np.log1p(x)", "np.expm1(x)", "math.log1p(x)", "math.expm1(x)"):
        f = formula(f"{call} * {call}")
        g = gradient(f, x, target=target)
        with mpmath.workdps(80):
            z = mpmath.mpf(x)
            expected = (
                2 * mpmath.log1p(z) / (1 + z)
                if "log" in call
                else 2 * mpmath.expm1(z) * mpmath.e**z
            )
        assert abs(g - float(expected)) <= 1e-15 * abs(float(expected))
    assert gradient(formula("np.log(1 + x) + np.exp(x) - 1"), x, target=target) == pytest.approx(
        2.0
    )


def test_trap_18_the_users_own_spelling_is_kept():
    source = gradgen.emit(formula("np.log(1 + x) + np.exp(x) - 1"))
    assert "log1p" not in source and "expm1" not in source


# -- 19, 20: what must not be folded or reordered --------------------------------------------------

SPECIAL = [np.inf, -np.inf, np.nan, 0.0, -0.0, 2.0]


@pytest.mark.parametrize(
    "expression",
    ["0 * x", "x * 0", "0.0 * x", "x - x", "x / x", "0 / x", "x + 0", "x * 1", "0 - x", "x ** 0",
     "x ** 1", "-(-x)", "1 / (1 / x)", "x * x / x", "x + x - x", "np.sqrt(x) ** 2", "x // x",
     "np.exp(np.log(x))", "np.maximum(x, x)", "x - 0.0", "x + (-x)", "0 * np.exp(x)", "-x + x",
     "(x + 1e300) - 1e300", "(x * 1e200) * 1e-200", "x * 2 / 2", "2 * 3 * x", "x * (1 / 3)",
     "1 / 3 * x", "abs(-x)", "np.where(x == x, x, 0.0)", "x == x", "x != x", "+x"],
)  # fmt: skip
def test_trap_19_nothing_is_folded_that_infinities_would_tell(expression):
    for dtype in (np.float64, np.float32):
        x = np.array(SPECIAL, dtype)
        f = formula(f"np.sum(y), {expression}", "y, x")
        with np.errstate(all="ignore"):
            (_, aux), _ = gradgen.value_and_grad(f, has_aux=True)(np.ones(2), x)
            assert same_bits(aux, formula(expression)(x))
            for number in SPECIAL:
                one = gradgen.value_and_grad(f, has_aux=True)
                for kind in (float, dtype):
                    try:
                        expected = formula(expression)(kind(number))
                    except ZeroDivisionError:
                        with pytest.raises(ZeroDivisionError):
                            one(np.ones(2), kind(number))
                        continue
                    (_, aux), _ = one(np.ones(2), kind(number))
                    assert same_bits(aux, expected), (number, kind)


@pytest.mark.parametrize("expression", ["0 * x", "x - x", "x / x", "x * 0.0 + 1.0", "0.0 - 0 * x",
                                        "x ** 0", "x * 0 * y"])  # fmt: skip
def test_trap_19_what_cancels_keeps_its_shape(expression):
    f = formula(f"np.sum(y * ({expression}))", "x, y")
    x, y = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0, 2.0, 3.0]])
    agrees(f, x, y)


def test_trap_19_a_zero_factor_is_not_the_end_of_a_gradient():
    f = formula("np.sum(x * y)", "x, y")
    with np.errstate(invalid="ignore"):
        gx, gy = gradient(f, np.array([0.0, np.inf]), np.array([np.nan, 0.0]), wrt=(0, 1))
    assert np.isnan(gx[0]) and gx[1] == 0.0
    assert gy[0] == 0.0 and gy[1] == np.inf


# Straight-line programs of which sharing, reordering or rewriting would change a bit.
PROGRAMS = {
    "chain": "return x * y + x * y - y * x",
    "left": "return x + y + x + y + 0.1",
    "thirds": "return x / 3 + x * (1 / 3) - y / 3.0",
    "squares": "return x**2 + x * x - y**3 + y * y * y",
    "roots": "return abs(x) ** 0.5 + math.sqrt(abs(x)) - abs(y) ** 1.5",
    "distribute": "return (x + y) * 3.0 - x * 3.0 - y * 3.0",
    "negations": "return -x + y - (-x - y) + -(x * y)",
    "divisions": "return x / y / 3.0 + x / (y * 3.0) + 1 / (1 / y)",
    "powers": "return x**4 + x**-2 + x**5 - (x * x) ** 2",
    "horner": "return ((0.1 * x + 0.2) * x + 0.3) * x + 0.4 - y",
    "constants": "return 0.1 + 0.2 + x + 0.3 * 0.3 - y * 2 * 3",
    "tanh": "t = math.tanh(x)\n    return t * t + math.tanh(x) * y + math.tanh(y)",
    "trig": "return math.sin(x) ** 2 + math.cos(x) ** 2 - math.sin(x) * math.cos(y)",
    "logs": "return math.log(abs(x) + 1e-300) - math.log1p(abs(y)) + math.log(2) * x",
    "names": "a = x + y\n    b = a - x\n    c = b - y\n    a = a * c + b\n    return a + c",
    "augmented": "z = x\n    z += y\n    z *= x\n    z -= 1.0\n    z /= 7.0\n    return z * x",
    "remainder": "return x % 0.7 + x // 0.7 + y % 3",
    "pairs": "a, b = x - y, y - x\n    return a * b + a / 3 - b / 3",
    "sums": "return sum([x, y, 0.1, x]) - (x + y + 0.1 + x) + sum(k * x for k in range(4))",
    "hypot": "return math.hypot(x, y) + math.atan2(x, y) - math.atan(y)",
    "extremes": "return max(x, y) - min(x, y) + abs(x - y) + math.fabs(y)",
    "floors": "return (x > y) * x + (x < 0.5) * 2 + float(x <= y)",
    "pi": "return math.pi * x / 180 + math.e * y - math.tau * (x * y)",
}


def magnitudes(rng, size):
    """Numbers of all magnitudes and both signs."""
    ordinary = rng.standard_normal(size)
    wild = rng.standard_normal(size) * 10.0 ** rng.uniform(-300, 300, size)
    tame = np.round(rng.standard_normal(size), 1) * 10.0 ** rng.integers(-3, 4, size)
    return np.choose(rng.integers(0, 3, size), [ordinary, wild, tame])


def outcome(function, *args):
    """The result of a call, or the kind of error that it raises."""
    try:
        return function(*args)
    except (ArithmeticError, ValueError) as error:
        return type(error).__name__


@TARGETS
@pytest.mark.parametrize("name", PROGRAMS)
def test_trap_20_the_forward_value_of_scalars_is_bit_identical(name, target):
    f = define(f"def f(x, y):\n    {PROGRAMS[name]}\n")
    forward = emitted(f, (1.5, 2.5), "pair", (0, 1), target)["f_forward"]
    both = gradgen.value_and_grad(f, wrt=(0, 1), target=target)
    rng = RNG(20)
    compared = 0
    with np.errstate(all="ignore"):
        for x, y in zip(
            magnitudes(rng, 3000).tolist(), magnitudes(rng, 3000).tolist(), strict=True
        ):
            expected = outcome(f, x, y)
            got = outcome(forward, x, y)
            if isinstance(expected, str) or isinstance(got, str):
                continue  # the gradient may raise where the value does not, and the value here
            assert same_bits(got[0], expected), (x, y)
            compared += 1
            whole = outcome(both, x, y)
            assert isinstance(whole, str) or same_bits(whole[0], expected), (x, y)
    assert compared > 1500


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["chain", "left", "thirds", "squares", "distribute", "negations",
                                  "divisions", "powers", "horner", "constants", "names",
                                  "augmented", "remainder", "pairs"])  # fmt: skip
def test_trap_20_the_forward_value_of_arrays_is_bit_identical(name, dtype):
    body = PROGRAMS[name].replace("return ", "return np.sum(1e-9 * (") + "))"
    if name == "augmented":
        body = body.replace("z = x\n", "z = x + 0.0\n")
    f = define(f"def f(x, y):\n    {body}\n")
    both = gradgen.value_and_grad(f, wrt=(0, 1))
    rng = RNG(20)
    with np.errstate(all="ignore"):
        for size in (1, 7, 1000):
            for _ in range(20):
                x, y = (magnitudes(rng, size).astype(dtype) for _ in "xy")
                assert same_bits(both(x, y)[0], f(x, y))


@pytest.mark.parametrize(
    "expression",
    ["np.sum(np.exp(-x * x) * y)", "np.mean((x - np.mean(x)) ** 2) + y[0]",
     "np.sqrt(np.sum((x - y) ** 2))", "np.dot(x, y) / np.linalg.norm(x)", "x @ y + y @ x",
     "np.sum(x**3) - np.sum(x * x * x) + y[-1]", "np.sum(np.tanh(x) ** 2 - np.tanh(y))",
     "np.max(x) + np.log(np.sum(np.exp(x - np.max(x)))) * y[0]", "sum(x * y) + sum(x)",
     "np.sum(np.where(x > y, x / 3, y * (1 / 3)))", "np.prod(x[:5]) + np.sum(np.cumsum(y))",
     "np.sum(np.outer(x, y)) - x.sum() * y.sum()", "(x * 0.1 * y).sum() / len(x)"],
)  # fmt: skip
def test_trap_20_the_forward_value_of_array_programs_is_bit_identical(expression):
    f = formula(expression, "x, y")
    rng = RNG(20)
    calls = {w: gradgen.value_and_grad(f, wrt=w) for w in ("x", ("x", "y"))}
    for dtype in (np.float64, np.float32):
        for size in (8, 33, 1000):
            for _ in range(10):
                x, y = (rng.standard_normal(size).astype(dtype) for _ in "xy")
                for call in calls.values():
                    assert same_bits(call(x, y)[0], f(x, y))


# -- 21: shapes ------------------------------------------------------------------------------------

BINARY = ["x + y", "x - y", "x * y", "x / y", "x ** y", "x // y + x", "x % y", "np.arctan2(x, y)",
          "np.hypot(x, y)", "np.maximum(x, y)", "np.minimum(x, y)", "np.fmax(x, y)",
          "np.fmin(x, y)", "np.logaddexp(x, y)", "np.logaddexp2(x, y)", "np.where(x > 1.6, x, y)",
          "np.clip(x, 0.5, y)", "np.clip(x, y - 3.0, 9.0)", "np.clip(x, None, y)",
          "np.power(x, y)", "np.multiply(x, y)", "np.divide(x, y)"]  # fmt: skip
SHAPES = [((), (4,)), ((4,), ()), ((3, 1), (1, 4)), ((1,), (5,)), ((5,), (1,)), ((2, 3), (3,)),
          ((3,), (2, 3)), ((2, 1, 3), (4, 1)), ((1, 1), (2, 3)), ((), ()), ((2, 3), (2, 3)),
          ((1, 3), (3,))]  # fmt: skip


def operands(shapes, seed=21, dtype=np.float64):
    """Positive operands without ties; `()` stands for a Python float."""
    rng = RNG(seed)
    arrays = [rng.uniform(1.05, 2.2, shape) + 0.01 * k for k, shape in enumerate(shapes)]
    return [a.astype(dtype) if a.shape else float(a) for a in arrays]


@pytest.mark.parametrize(("left", "right"), SHAPES, ids=str)
@pytest.mark.parametrize("expression", BINARY)
def test_trap_21_each_adjoint_has_the_shape_of_its_own_operand(expression, left, right):
    x, y = operands((left, right))
    f = formula(f"np.sum(({expression}) * 1.5)", "x, y")
    agrees(f, x, y)
    agrees(f, x, y, wrt=(0,))
    agrees(f, x, y, wrt=(1,))


@pytest.mark.parametrize(("left", "right"), [((3, 1), (1, 4)), ((), (5,)), ((2, 3), (3,))], ids=str)
@pytest.mark.parametrize("expression", BINARY)
def test_trap_21_single_precision_stays_single(expression, left, right):
    x, y = operands((left, right), dtype=np.float32)
    f = formula(f"np.sum({expression})", "x, y")
    agrees(f, x, y)


@pytest.mark.parametrize("expression", [*BINARY, "np.exp(x) * y", "np.sum(x, keepdims=True) * y"])
@pytest.mark.parametrize(("left", "right"), [((), (4,)), ((4,), ()), ((), ())], ids=str)
def test_trap_21_zero_dimensional_arrays_stay_so(expression, left, right):
    x, y = (np.array(v) for v in operands((left, right)))
    agrees(formula(f"np.sum({expression})", "x, y"), x, y)


@pytest.mark.parametrize("expression", BINARY)
@pytest.mark.parametrize(("left", "right"), [((), (4,)), ((4,), ())], ids=str)
def test_trap_21_numpy_scalars_against_arrays(expression, left, right):
    x, y = (v if isinstance(v, np.ndarray) else np.float64(v) for v in operands((left, right)))
    agrees(formula(f"np.sum({expression})", "x, y"), x, y)


@pytest.mark.parametrize(("left", "right"), [((0,), (0,)), ((), (0,)), ((0,), ()), ((0, 3), (3,)),
                                             ((3, 1), (1, 0)), ((1,), (0,))], ids=str)  # fmt: skip
@pytest.mark.parametrize("expression", BINARY)
def test_trap_21_empty_arrays_work(expression, left, right):
    x, y = operands((left, right))
    gx, gy = gradient(formula(f"np.sum({expression})", "x, y"), x, y, wrt=(0, 1))
    assert np.array_equal(gx, np.zeros(left)) and np.array_equal(gy, np.zeros(right))


@pytest.mark.parametrize(
    "expression",
    ["np.sum(x)", "np.sum(x * 2.0 + 1.0)", "np.prod(x)", "np.sum(np.exp(x))", "x @ x",
     "np.sum(np.cumsum(x))", "np.linalg.norm(x)", "np.sum(np.concatenate([x, x]))",
     "np.sum(x[::-1])", "np.sum(np.outer(x, x))", "np.sum(np.sum(np.outer(x, x), axis=0))"],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_trap_21_functions_of_empty_arrays(expression, dtype):
    assert np.array_equal(gradient(formula(expression), np.zeros(0, dtype)), np.zeros(0))


@pytest.mark.parametrize("scalar", ["s * x", "x * s", "x / s", "s / x", "x ** s", "s ** x", "x - s",
                                    "np.exp(s) * x", "np.tanh(s * x)", "np.outer(x, x) * s",
                                    "s + 0.0 * x", "(s * s) * np.ones(3)", "np.full(3, s)",
                                    "np.full_like(x, s)", "np.array([s, s * s, 2.0])",
                                    "np.broadcast_to(s, (3,))", "s * np.ones_like(x)"])  # fmt: skip
@pytest.mark.parametrize("kind", [float, np.float64, np.array])
def test_trap_21_the_scalars_adjoint_is_summed(scalar, kind):
    x = np.array([1.2, 0.7, 2.5])
    agrees(formula(f"np.sum(({scalar}) * 0.5)", "s, x"), kind(1.7), x)


def test_trap_21_constants_of_other_shapes():
    x = np.array([1.0, 2.0])
    agrees(formula("np.sum(np.ones((3, 1)) * x)"), x)
    agrees(formula("np.sum(np.ones((3, 2)) / x[None, :])"), x)
    agrees(formula("np.sum(x * 3.0) * x[0]"), x)
    agrees(formula("np.sum(np.zeros((2, 2)) + x[:, None])"), x)


# -- 22: dtypes ------------------------------------------------------------------------------------

SINGLE = [
    "np.sum(x)", "np.mean(x)", "np.max(x)", "np.min(x)", "np.prod(x)", "np.mean(x, axis=0).sum()",
    "np.sum(np.mean(x, axis=1, keepdims=True) * x)", "np.sum(x ** 2)", "np.sum(x ** 3)",
    "np.sum(x ** 0.5)", "np.sum(x ** -1)", "np.sum(x ** 2.5)", "np.sum(x ** x)", "np.sum(2 ** x)",
    "np.sum(2.0 * x + 1)", "np.sum(x / 3)", "np.sum(1 / x)", "np.sum(x * math.pi)",
    "np.sum(np.pi * x)", "np.sum(x @ x.T)", "np.sum(x @ np.ones(2, dtype=np.float32))",
    "np.linalg.norm(x)", "np.sum(np.linalg.norm(x, axis=1))", "np.sum(np.where(x > 1, x, 0.0))",
    "np.sum(np.where(x > 1, x, x * x))", "np.sum(np.maximum(x, 1.0))", "np.sum(np.maximum(x, x.T))",
    "np.sum(np.clip(x, 0.5, 1.5))", "np.sum(abs(x))", "np.sum(np.sign(x) * x)", "np.sum(-x)",
    "np.sum(np.exp(x))", "np.sum(np.log(x))", "np.sum(np.sqrt(x))", "np.sum(np.sin(x) * np.cos(x))",
    "np.sum(np.tanh(x))", "np.sum(np.arctan2(x, 2.0))", "np.sum(np.hypot(x, 1.0))",
    "np.sum(np.logaddexp(x, 0.0))", "np.sum(np.sinc(x))", "np.sum(np.square(x))",
    "np.sum(np.reciprocal(x))", "np.sum(np.cbrt(x))", "np.sum(np.exp2(x))", "np.sum(np.log2(x))",
    "np.sum(np.log10(x))", "np.sum(np.log1p(x))", "np.sum(np.expm1(x))", "np.sum(np.sinh(x))",
    "np.sum(np.arctan(x))", "np.sum(np.arcsinh(x))", "np.sum(np.deg2rad(x))", "x[0, 0] * x[1, 1]",
    "np.sum(x[0])", "np.sum(x[:, ::-1] * x)", "np.sum(x.T @ x)", "np.sum(x.reshape(-1))",
    "np.sum(x.ravel() ** 2)", "np.sum(np.concatenate([x, x]))", "np.sum(np.stack([x, 2 * x]))",
    "np.sum(np.cumsum(x, axis=0))", "np.sum(np.outer(x[0], x[1]))", "np.sum(x[None] * x[:, None])",
    "np.sum(np.max(x, axis=0))", "np.sum(np.max(x, axis=1, keepdims=True) * x)",
    "np.sum(np.prod(x, axis=1))", "np.mean((x - np.mean(x, axis=0)) ** 2)", "np.sum(x % 0.65)",
    "np.sum(x * np.sum(x))", "np.sum(x / np.sum(x))", "np.sum(x * len(x))",
    "np.sum(x * x.shape[1])",
    "np.sum(x) / x.size", "np.sum((x > 1) * x)", "np.sum(x * np.zeros_like(x))",
    "np.sum(np.ones_like(x) * x)", "np.sum(x.astype(np.float64) ** 2)",
    "np.sum(np.full_like(x, 2.0) * x)",
    "np.sum(np.array([x[0, 0], x[1, 1]]))", "np.sum(x, dtype=np.float64)", "np.vdot(x[0], x[1])",
    "np.dot(x[0], x[1])", "np.inner(x[0], x[1])", "sum(x[0])", "sum(v * v for v in x[0])",
]  # fmt: skip


@pytest.mark.parametrize("expression", SINGLE)
def test_trap_22_single_precision_in_single_precision_out(expression):
    x = np.array([[0.75, 1.25], [2.0, 1.4]], np.float32)
    agrees(formula(expression), x)


@pytest.mark.parametrize("expression", ["x * x", "np.exp(x)", "x ** 2 + 3", "np.sqrt(x)", "x / 3",
                                        "abs(x)", "np.maximum(x, 0.0)", "2.0 * x"])  # fmt: skip
def test_trap_22_single_precision_scalars_stay_so(expression):
    g = gradient(formula(expression), np.float32(1.5))
    assert g.dtype == np.float32


def test_trap_22_mixed_precision_is_numpys():
    x, y = np.array([1.0, 2.0], np.float32), np.array([3.0, 4.0])
    gx, gy = gradient(formula("np.sum(x * y)", "x, y"), x, y, wrt=(0, 1))
    assert (gx.dtype, gy.dtype) == (np.float32, np.float64)
    s = np.float64(0.1)
    value, (gx, gs) = gradgen.value_and_grad(formula("np.sum(x * s)", "x, s"), wrt=(0, 1))(x, s)
    assert value.dtype == np.float64 and gx.dtype == np.float32 and gs.dtype == np.float64
    value, (gx, gs) = gradgen.value_and_grad(formula("np.sum(x * s)", "x, s"), wrt=(0, 1))(x, 0.1)
    assert value.dtype == np.float32 and gx.dtype == np.float32
    W = np.ones((2, 2), np.float32)
    gW, gy = gradient(formula("np.sum(W @ y)", "W, y"), W, y, wrt=(0, 1))
    assert (gW.dtype, gy.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("expression", ["np.sum(np.where(m, x, y))", "np.sum(np.maximum(x, y))",
                                        "np.sum(np.concatenate([x, y]))",
                                        "np.sum(np.stack([x, y]))",
                                        "x @ y", "np.sum(np.outer(x, y))", "np.sum(x ** y)",
                                        "np.sum(np.hypot(x, y))",
                                        "np.sum(x[:, None] / y)"])  # fmt: skip
def test_trap_22_each_adjoint_has_the_dtype_of_its_operand(expression):
    x, y = np.array([1.0, 2.5], np.float32), np.array([3.0, 0.5])
    # log(x) in the adjoint of y has the precision of x.
    agrees(formula(expression, "x, y, m"), x, y, np.array([True, False]), wrt=(0, 1), rtol=1e-6)


def test_trap_22_integer_data_may_meet_active_floats():
    n = np.array([1, 2, 3])
    agrees(
        formula("np.sum(x * n + x ** n + n / x)", "x, n"), np.array([1.5, 2.5, 0.5]), n, wrt=(0,)
    )
    x = np.array([1.5, 2.5, 0.5], np.float32)
    agrees(formula("np.sum(x * (n > 1))", "x, n"), x, n, wrt=(0,))
    agrees(formula("np.sum(x * n)", "x, n"), x, n.astype(np.int8), wrt=(0,))
    agrees(formula("np.sum(x * n)", "x, n"), x, n, wrt=(0,))


# -- 23: integers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool_])
def test_trap_23_an_active_array_of_integers_is_refused(dtype):
    f = formula("np.sum(x * x)")
    x = np.ones(3, dtype)
    for call in (
        lambda: gradgen.grad(f)(x),
        lambda: gradgen.value_and_grad(f)(x),
        lambda: gradgen.grad(f, like=(x,)),
        lambda: gradgen.emit(f, like=(x,)),
        lambda: gradgen.emit(f, shapes=f"x=n:{np.dtype(dtype).name}"),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert isinstance(caught.value, gradgen.ActiveTypeError)
        assert "x" in str(caught.value)


def test_trap_23_integers_inside_a_structure_are_refused_too():
    f = formula("np.sum(p['a'] * p['b'])", "p")
    with pytest.raises(gradgen.ActiveTypeError):
        gradgen.grad(f)({"a": np.ones(2), "b": np.ones(2, int)})


@TARGETS
def test_trap_23_a_python_int_for_an_active_scalar_counts_as_a_float(target):
    f = formula("x ** 2 / 4 + x", "x")
    g = gradgen.value_and_grad(f, target=target)
    assert g(3) == (5.25, 2.5)
    assert g(3.0) == (5.25, 2.5)
    h = gradgen.value_and_grad(formula("x * y", "x, y"), wrt=(0, 1), target=target)
    assert h(2, 5) == (10, (5.0, 2.0))
    assert gradgen.grad(formula("np.sum(a * s)", "a, s"), wrt="s")(np.ones(3), 2) == 3.0


@TARGETS
@pytest.mark.parametrize("x", [3, -2])
def test_trap_23_integers_have_the_derivative_of_floats(x, target):
    for expression in ("x / 2", "x * x * x", "x ** 3", "abs(x) * x", "2 ** x", "x ** -2",
                       "x % 5 * 2.0", "x // 2 + x * 0.5"):  # fmt: skip
        f = formula(expression)
        assert gradgen.grad(f, target=target)(x) == gradgen.grad(f, target=target)(float(x))


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize(("expression", "expected"), [
    ("0.5 * np.sum(x)", [0.5, 0.5, 0.5]),
    ("np.mean(x)", [1 / 3, 1 / 3, 1 / 3]),
    ("k * np.sum(x)", [1.5, 1.5, 1.5]),
    ("0.25 * np.sum(np.split(x, 3)[1])", [0.0, 0.25, 0.0]),
    ("np.sum(np.repeat(x, [1, 0, 2]) * w)", [0.5, 0.0, 0.5]),
    ("np.sum(np.repeat(x, np.array([1, 0, 2])) * w)", [0.5, 0.0, 0.5]),
    ("0.5 * np.max(x)", [0.0, 0.0, 0.5]),
    ("0.5 * x[-1] + np.sum(x[:-1] * 0.25)", [0.25, 0.25, 0.5]),
    ("np.sum(np.where(x > 1, 0.5 * x, 0.25 * x))", [0.25, 0.25, 0.5]),
])  # fmt: skip
@pytest.mark.parametrize("style", ["default", "fast"])
def test_trap_23_the_adjoint_of_integers_that_were_declared_floats_is_not_cut_off(
    expression, expected, dtype, style
):
    w = np.array([0.5, 0.75, -0.25])
    grad = gradgen.grad(formula(expression, "x, k, w"), shapes="x=3, k=scalar, w=3", style=style)
    try:
        found = grad(np.array([0, 1, 2], dtype), 1.5, w)
    except ValueError as refused:
        assert style == "fast"
        assert str(refused) == "f_grad takes arrays of float64 as declared"
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_trap_23_a_tangent_of_integers_that_were_declared_floats_is_not_cut_off():
    jvp = gradgen.jvp(formula("x"), shapes="x=3")
    value, t_value = jvp(np.arange(3), np.full(3, 0.5))
    np.testing.assert_array_equal(value, [0, 1, 2])
    np.testing.assert_array_equal(t_value, [0.5, 0.5, 0.5])
    jvp = gradgen.jvp(formula("np.zeros_like(x) + s", "x, s"), wrt="s", shapes="x=3, s=scalar")
    np.testing.assert_array_equal(jvp(np.arange(3), 1.5, 0.25)[1], [0.25, 0.25, 0.25])


def test_trap_23_an_inactive_integer_array_is_fine():
    f = formula("np.sum(w * n)", "w, n")
    assert np.array_equal(gradgen.grad(f)(np.ones(3), np.arange(3)), [0.0, 1.0, 2.0])


# -- 24, 25: axes and products of matrices ---------------------------------------------------------


AXES = [None, 0, 1, 2, -1, -2, -3, (0,), (0, 1), (0, 2), (-1, 0), (1, -1), (0, 1, 2), ()]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_trap_24_reductions_over_any_axes(name, axis, keepdims):
    x = RNG(24).uniform(0.5, 2.0, (2, 3, 4))
    for call in (f"np.{name}(x, ", f"x.{name}("):
        agrees(formula(f"np.sum({call}axis={axis}, keepdims={keepdims}) ** 2)"), x)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, -2, -3, (0,)], ids=str)
def test_trap_24_products_over_one_axis_or_all(axis, keepdims):
    x = RNG(24).uniform(0.5, 2.0, (2, 3, 4))
    agrees(formula(f"np.sum(np.prod(x, axis={axis}, keepdims={keepdims}) ** 2)"), x)


@pytest.mark.parametrize("axis", [(0, 1), (0, 2), (-1, 0), (0, 1, 2), ()], ids=str)
def test_trap_24_products_over_several_axes(axis):
    x = RNG(24).uniform(0.5, 2.0, (2, 3, 4))
    agrees(formula(f"np.sum(np.prod(x, axis={axis}) ** 2)"), x)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3, (0,), (0, 1), (0, 2), (-1, 0)], ids=str)
def test_trap_24_norms_over_one_or_two_axes(axis, keepdims):
    x = RNG(24).uniform(0.5, 2.0, (2, 3, 4))
    agrees(formula(f"np.sum(np.linalg.norm(x, axis={axis}, keepdims={keepdims}) ** 2)"), x)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod"])
def test_trap_24_reductions_of_scalars_and_rows(name):
    agrees(formula(f"np.{name}(x) * 2.0"), np.array(1.5))
    agrees(formula(f"np.{name}(x, axis=0) * 2.0"), np.array([1.5, 2.5]))
    agrees(formula(f"np.sum(np.{name}(x * y, axis=0) * y)", "x, y"), np.array([[1.5], [2.0]]),
           np.array([2.5, 3.0]))  # fmt: skip


def test_trap_24_a_reduction_along_a_broadcast_axis():
    x, y = np.array([[1.0], [2.0], [3.0]]), np.array([0.5, 1.5])
    for name in ("sum", "mean", "max", "prod"):
        agrees(formula(f"np.sum(np.{name}(x * np.ones((3, 2)), axis=1))"), x)
        agrees(formula(f"np.sum(np.{name}(x * y + x, axis=0) * y)", "x, y"), x, y)


MATMUL = [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
          ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)),
          ((3,), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((2, 3), (6, 5, 3, 4)), ((1, 3), (3, 1)),
          ((5, 1, 3), (1, 3, 1)), ((1, 1), (1, 1)), ((2, 0), (0, 3)), ((0, 2), (2, 3)),
          ((5, 2, 3), (1, 3, 4)), ((1,), (1, 4))]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), MATMUL, ids=str)
def test_trap_25_products_of_all_ranks(left, right):
    rng = RNG(25)
    a, b = rng.standard_normal(left), rng.standard_normal(right)
    w = rng.standard_normal((a @ b).shape)
    for spelled in ("a @ b", "np.matmul(a, b)"):
        f = formula(f"np.sum(({spelled}) * w)", "a, b, w")
        for wrt in ((0, 1), (0,), (1,)):
            agrees(f, a, b, w, wrt=wrt)
    agrees(formula("np.sum(a @ b)", "a, b"), a, b)
    agrees(formula("np.sum((a @ b) ** 2)", "a, b"), a.astype(np.float32), b.astype(np.float32))


@pytest.mark.parametrize("call", ["np.dot(a, b)", "a.dot(b)", "np.inner(a, b)", "np.outer(a, b)"])
def test_trap_25_dot_inner_outer(call):
    rng = RNG(25)
    for shapes in (((3,), (3,)), ((3, 3), (3, 3)), ((3, 3), (3,)), ((3,), (3, 3))):
        if "outer" in call and shapes != ((3,), (3,)):
            continue
        a, b = (rng.standard_normal(s) for s in shapes)
        agrees(formula(f"np.sum({call} * {call})", "a, b"), a, b)
        agrees(formula(f"np.sum({call})", "a, b"), a, b)
    if "np." in call and "outer" not in call:
        agrees(formula(f"np.sum({call})", "a, b"), 2.0, np.ones(3))


def test_trap_25_one_array_on_both_sides():
    x = RNG(25).standard_normal((3, 3))
    for expression in ("np.sum(x @ x)", "np.sum(x @ x.T @ x)", "np.sum((x @ x[0]) * x[1])",
                       "x[0] @ x @ x[1]", "np.sum(x.T @ (x @ x[:, 0]))"):  # fmt: skip
        agrees(formula(expression), x)


# -- 27 to 29: shapes and indices ------------------------------------------------------------------

RESHAPES = ["x.reshape(6, 4)", "x.reshape(-1)", "x.reshape(-1, 2)", "x.reshape((4, -1))",
            "np.reshape(x, (2, -1, 2))", "x.reshape(2, 3, 4, 1)", "x.reshape(6, 4, order='F')",
            "np.reshape(x, -1, order='F')", "x.ravel()", "x.ravel(order='F')", "x.flatten()",
            "x.flatten(order='F')", "np.ravel(x)", "x.T", "np.transpose(x)", "x.transpose(1, 0, 2)",
            "x.transpose((2, 0, 1))", "np.transpose(x, (1, 2, 0))", "np.transpose(x, (-1, 0, 1))",
            "x.transpose()", "x.swapaxes(0, 2)", "np.swapaxes(x, -1, 1)", "x[:, :, None]",
            "np.expand_dims(x, 0)", "np.expand_dims(x, -1)", "np.expand_dims(x, (0, -1))",
            "x.T.reshape(3, 8)", "x.reshape(6, 4).T", "x.T.T",
            "x.transpose(1, 2, 0).transpose(2, 0, 1)",
            "x.reshape(x.shape[0], -1)", "x.reshape(-1, x.shape[2])", "x.T.ravel()",
            "x.copy()", "np.array(x)", "np.asarray(x)"]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("expression", RESHAPES)
def test_trap_27_reshapes_and_transposes(expression, dtype):
    x = RNG(27).standard_normal((2, 3, 4)).astype(dtype)
    shape = formula(expression)(x).shape
    w = RNG(28).standard_normal(shape).astype(dtype)
    agrees(formula(f"np.sum({expression} * w)", "x, w"), x, w, wrt=(0,))
    agrees(formula(f"np.sum({expression} ** 2 * 0.5)"), x)
    agrees(formula(f"np.sum({expression})"), x)


INDICES = ["x[0]", "x[-1]", "x[1, 2]", "x[-1, -2]", "x[0:2]", "x[1:]", "x[:-1]", "x[::2]",
           "x[::-1]",
           "x[::-2]", "x[3:0:-1]", "x[3:0:-2]", "x[:, 1]", "x[:, -1]", "x[:, 1:3]", "x[..., 0]",
           "x[..., None]", "x[None]", "x[None, :, None]", "x[:, None]", "x[0, :]", "x[0, 1:3]",
           "x[...]", "x[:]", "x[1:1]", "x[[0, 0, 1]]", "x[[0, -1, 0]]", "x[:, [0, 0, 2]]",
           "x[[0, 1], [1, 1]]", "x[[0, 0], [1, 1]]", "x[np.array([0, 0, 3])]", "x[k]", "x[:, k]",
           "x[k, k]", "x[k][:, k]", "x[1:, k]", "x[k, 0]", "x[k, 1:]", "x[k[:, None], k[None, :]]",
           "x[0][1]", "x[1:][::-1][0]", "x[2:4, ::2]", "x[..., -2:]", "x[[[0, 1], [1, 0]]]",
           "x.T[0]", "x[0, [0, 0]]", "x[1:3][:, [0, 0]]", "x[::-1, ::-1]"]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("expression", INDICES)
def test_trap_28_indices(expression, dtype):
    x, k = RNG(28).standard_normal((4, 3)).astype(dtype), np.array([0, 2, 0, 1])
    agrees(formula(f"np.sum({expression} ** 2)", "x, k"), x, k, wrt=(0,))
    agrees(formula(f"np.sum({expression})", "x, k"), x, k, wrt=(0,))
    agrees(formula(f"np.sum(x ** 2) + np.sum({expression} * 3.0) * np.sum(np.sin({expression}))",
                   "x, k"), x, k, wrt=(0,))  # fmt: skip
    agrees(formula(f"np.sum({expression}) * np.sum(x[1:, 0]) + np.sum(x[[1, 1]])", "x, k"), x, k,
           wrt=(0,))  # fmt: skip


def test_trap_28_repeated_indices_accumulate():
    g = gradient(formula("np.sum(x[[0, 0, 1]])"), np.ones(3))
    assert np.array_equal(g, [2.0, 1.0, 0.0])
    g = gradient(formula("np.sum(x[i] * w)", "x, i, w"), np.ones(3), np.array([2, 2, 0]),
                 np.array([1.0, 10.0, 100.0]))  # fmt: skip
    assert np.array_equal(g, [100.0, 0.0, 11.0])


def test_trap_28_a_boolean_mask_selects():
    f = formula("np.sum(x[x > 0] ** 2)")
    assert np.array_equal(gradgen.grad(f)(np.array([-1.0, 2.0])), [0.0, 4.0])


JOINS = ["np.concatenate([x, x])", "np.concatenate([x, x], axis=1)",
         "np.concatenate([x, 2 * x, x])",
         "np.concatenate([x, x], axis=-1)", "np.concatenate((x[:1], x[1:], x))", "np.stack([x, x])",
         "np.stack([x, x], axis=1)", "np.stack([x, x * x], axis=-1)",
         "np.stack((x[0], x[0], x[1]))",
         "np.array([x[0], x[1], x[0]])", "np.array([[x[0, 0], x[0, 0]], [x[1, 1], 2.0]])",
         "np.concatenate([x, np.ones((1, 3))])", "np.concatenate([np.ones((2, 3)), x])",
         "np.concatenate([x[0], x[1], x[0]])"]  # fmt: skip
LATER = ["np.vstack([x, x])", "np.hstack([x, x])", "np.split(x, 2)[0]", "np.pad(x, 1)",
         "np.roll(x, 1)", "np.roll(x, 1, axis=0)", "np.flip(x)", "np.flip(x, axis=1)",
         "np.tile(x, 2)", "np.repeat(x, 2)", "np.repeat(x, 2, axis=0)", "np.fliplr(x)",
         "np.column_stack([x, x])", "np.array_split(x, 2, axis=1)[0]"]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("expression", JOINS)
def test_trap_29_the_same_array_twice(expression, dtype):
    x = RNG(29).standard_normal((2, 3)).astype(dtype)
    agrees(formula(f"np.sum({expression} ** 2)"), x)
    agrees(formula(f"np.sum({expression})"), x)
    w = RNG(30).standard_normal(formula(expression)(x).shape)
    agrees(formula(f"np.sum({expression} * w)", "x, w"), x, w, wrt=(0,))


@pytest.mark.parametrize("expression", LATER)
def test_trap_29_other_ways_of_joining(expression):
    x = RNG(29).standard_normal((2, 3))
    agrees(formula(f"np.sum({expression} ** 2)"), x)
