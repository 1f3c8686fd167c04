"""Averages, spreads, differences, sums that pass over NaN, covariances and places of extremes.

Gradients come from the user's own function by complex step or Richardson's differences, from SymPy,
or by hand; values, shapes and dtypes from NumPy.
"""

import re
import warnings

import numpy as np
import pytest
import sympy
from test_structural import HEAD, compare, define, title

import gradgen
from gradgen.definitions import statistics

NAN = "u = np.where(x > 0.8, x, np.nan)\n"


def _reductions():
    """Every axis and keyword of the reductions, on each rank."""
    for name in ("var", "std", "median", "ptp", "nanmean", "nansum", "nanvar", "nanmax"):
        how = "complex" if name in ("nanmean", "nansum") else "real"
        yield name, "", f"np.{name}(x)", {"x": (5,)}, how
        yield name, "", f"np.{name}(x, axis=-1)", {"x": (2, 4)}, how
        yield name, "", f"np.{name}(x, 0, keepdims=True)", {"x": (3, 2)}, how
        yield name, "", f"np.{name}(x, keepdims=True)", {"x": (3, 2)}, how
        yield name, "", f"np.{name}(x, axis=(0, -1))", {"x": (2, 3, 2)}, how


def _spreads():
    for line, shape in (
        ("np.var(x, ddof=1)", (5,)), ("np.std(x, ddof=1)", (5,)), ("np.std(x, -1, ddof=1)", (2, 4)),
        ("np.var(x, axis=0, correction=1)", (4, 2)), ("np.var(x, ddof=2)", (5,)),
        ("np.std(x, axis=0, ddof=0.5)", (3, 2)), ("x.var()", (4,)), ("x.std(axis=0)", (4, 2)),
        ("x.var(0, ddof=1, keepdims=True)", (4, 2)), ("np.var(x, axis=())", (2, 3)),
        ("np.var(x * x, axis=1) ** 2", (2, 3)), ("np.std(np.exp(x))", (4,)),
        ("(x - np.mean(x, axis=-1, keepdims=True)) / np.std(x, axis=-1, keepdims=True)", (2, 4)),
        ("(x - x.mean()) / np.sqrt(x.var() + 1e-3)", (5,)), ("np.var(x, mean=np.mean(x))", ()),
        ("np.var(x, mean=np.mean(x, keepdims=True))", (4,)), ("x.var(0)", (1, 3)),
        ("np.std(x, axis=1, mean=np.mean(x, axis=1, keepdims=True), keepdims=True)", (2, 3)),
    ):  # fmt: skip
        yield "std" if "std" in line else "var", "", line, {"x": shape}, "real"
    shapes = {"x": (3, 2), "y": (1, 2)}
    yield "var", "", "np.var(x, axis=0, mean=y)", shapes, "real"
    yield "std", "", "np.std(mean=y, a=x, axis=0)", shapes, "real"


def _averages():
    for line, x, y in (
        ("np.average(x)", (3,), None), ("np.average(x, axis=0)", (3, 2), None),
        ("np.average(x, weights=y)", (3,), (3,)), ("np.average(x, 1, y)", (2, 3), (3,)),
        ("np.average(x, axis=0, weights=y, keepdims=True)", (2, 3), (2,)),
        ("np.average(x, axis=1, weights=y)", (2, 3), (2, 3)),
        ("np.average(x, axis=(2, 0), weights=y)", (2, 3, 4), (4, 2)),
        ("np.average(weights=y, a=x)", (3,), (3,)),
        ("np.average(x, weights=[1.0, 2.0, 5.0])", (3,), None),
        ("np.average(x, axis=0, weights=y, returned=True)[0]", (3, 2), (3,)),
        ("np.multiply(*np.average(x, axis=0, weights=y, returned=True))", (3, 2), (3,)),
        ("np.divide(*np.average(x, returned=True))", (3,), None),
    ):  # fmt: skip
        yield "average", "", line, {"x": x} if y is None else {"x": x, "y": y}, "complex"


def _partial():
    for line in (
        "np.sum(x, where=x > 1.0)", "np.sum(x, initial=2.0)", "np.prod(x, initial=3.0)",
        "np.prod(x, where=x < 1.0, initial=2.0)", "np.mean(x, where=x > 0.9)",
        "np.max(x, initial=0.5)", "np.max(x, initial=1.2)", "np.min(x, initial=9.0, where=x > 1.0)",
        "x.sum(where=x > 1.0)", "x.mean(where=x > 0.9)", "x.max(initial=0.0, where=x < 1.0)",
    ):  # fmt: skip
        yield line[3:6], "", line, {"x": (4,)}, "real"
    mask = "np.array([[True, False, True], [False, True, True]])"
    yield "sum", "", f"np.sum(x, axis=1, where={mask})", {"x": (2, 3)}, "complex"
    yield "mean", "", f"np.mean(x, 0, where={mask}, keepdims=True)", {"x": (2, 3)}, "complex"
    yield "prod", "", f"np.prod(x, axis=0, where={mask})", {"x": (2, 3)}, "complex"
    yield "sum", "", "np.sum(x, axis=0, initial=y)", {"x": (2, 3), "y": ()}, "real"
    for name in ("sum", "mean", "prod", "cumsum", "cumprod"):
        yield name, "", f"np.{name}(x, dtype=np.float64)", {"x": (3,)}, "real"
        yield name, "", f"x.{name}(1)", {"x": (2, 3)}, "complex"
    for name in ("sum", "prod", "amax", "amin"):
        yield name, "", f"np.{name}(x, (0, 2), keepdims=True)", {"x": (2, 3, 2)}, "real"
    yield "prod", "", "np.prod(x, axis=(0, 2))", {"x": (2, 3, 2)}, "complex"
    yield "prod", "", "np.prod(x, axis=(1, 2))", {"x": (2, 3, 2)}, "complex"
    yield "sum", "", "np.sum([x, 2.0 * x, y])", {"x": (2,), "y": (2,)}, "complex"
    yield "mean", "", "np.mean([x, 2.0 * x], axis=0)", {"x": (2,)}, "complex"


def _without_nan():
    for name in ("nansum", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanprod",
                 "nanmedian", "nancumsum", "nancumprod"):  # fmt: skip
        yield name, NAN, f"np.{name}(u)", {"x": (5,)}, "real"
        yield name, NAN, f"np.{name}(u, axis=0)", {"x": (6, 2)}, "real"
        if not name.startswith("nancum"):
            yield name, NAN, f"np.{name}(u * u, 0, keepdims=True)", {"x": (6, 2)}, "real"
    yield "nanvar", NAN, "np.nanvar(u, ddof=1)", {"x": (5,)}, "real"
    yield "nanstd", NAN, "np.nanstd(u, axis=0, correction=1)", {"x": (6, 2)}, "real"
    # A root of a negative number is a NaN that is passed over.
    yield "nansum", "", "np.nansum(np.where(x > 1.0, np.sqrt(x), np.nan))", {"x": (4,)}, "real"


def _differences():
    for line in (
        "np.diff(x)", "np.diff(x, 2)", "np.diff(x, n=0)", "np.diff(x, prepend=0.5)",
        "np.diff(x, 5)", "np.diff(x, append=x[0])", "np.diff(x, prepend=x[-2:], append=[1.0, 2.0])",
        "np.ediff1d(x)", "np.ediff1d(x, to_begin=0.0)", "np.ediff1d(x, to_end=[1.0, x[0]])",
        "np.ediff1d(x, 3.0, x[:2])", "np.trapezoid(x)", "np.trapezoid(x, dx=0.5)",
        "np.trapezoid(x * x, x)", "np.trapezoid(x, np.array([0.0, 1.0, 3.0, 4.0]))",
        "np.gradient(x)", "np.gradient(x, 0.5)", "np.gradient(x, edge_order=2)",
        "np.gradient(x, np.array([0.0, 1.0, 3.0, 3.5]))",
        "np.gradient(x, np.array([0.0, 1.0, 3.0, 3.5]), edge_order=2)",
        "np.gradient(x, x[0], edge_order=2)",
    ):  # fmt: skip
        yield line[3:].partition("(")[0], "", line, {"x": (4,)}, "complex"
    for line in (
        "np.diff(x)", "np.diff(x, axis=0)", "np.diff(x, 2, 0)", "np.diff(x, axis=0, prepend=1.0)",
        "np.diff(x, append=x[:, :1])", "np.ediff1d(x)", "np.trapezoid(x, axis=0)",
        "np.trapezoid(x, np.array([0.0, 1.0, 3.0]), axis=0)", "np.trapezoid(x, x * x)",
        "np.gradient(x, axis=0)", "np.gradient(x, axis=-1)", "np.gradient(x)[1]",
        "np.gradient(x)[0] * np.gradient(x)[1]", "np.multiply(*np.gradient(x, 0.5, 2.0))",
        "np.add(*np.gradient(x, 0.5, edge_order=2))",
        "np.add(*np.gradient(x, np.array([0.0, 1.0, 3.0]), 2.0))", "np.gradient(x, axis=(1,))",
        "np.gradient(x, np.array([0.0, 1.0, 3.0]), axis=0, edge_order=2)",
    ):  # fmt: skip
        yield line[3:].partition("(")[0], "", line, {"x": (3, 3)}, "complex"
    pair = {"x": (4,), "y": (4,)}
    yield "trapezoid", "", "np.trapezoid(y, x)", pair, "complex"
    yield "trapezoid", "", "np.trapezoid(x=x, y=y)", pair, "complex"
    yield "gradient", "", "np.gradient(x, np.cumsum(y))", pair, "real"
    yield "gradient", "", "np.gradient(x, np.cumsum(y), edge_order=2)", pair, "real"
    yield "gradient", "", "np.gradient(x, y)", {"x": (4,), "y": ()}, "real"


def _covariances():
    for name in ("cov", "corrcoef"):
        yield name, "", f"np.{name}(x)", {"x": (2, 4)}, "real"
        yield name, "", f"np.{name}(x, rowvar=False)", {"x": (4, 3)}, "real"
        yield name, "", f"np.{name}(x, y)", {"x": (4,), "y": (4,)}, "real"
        yield name, "", f"np.{name}(x, y)", {"x": (2, 4), "y": (4,)}, "real"
        yield name, "", f"np.{name}(x, y)[0, 1]", {"x": (4,), "y": (4,)}, "real"
    yield "cov", "", "np.cov(x)", {"x": (4,)}, "real"
    yield "cov", "", "np.cov(x, bias=True)", {"x": (2, 4)}, "real"
    yield "cov", "", "np.cov(x, ddof=0)", {"x": (2, 4)}, "real"
    yield "cov", "", "np.cov(x, aweights=y)", {"x": (2, 4), "y": (4,)}, "real"
    yield "cov", "", "np.cov(x, fweights=np.array([1, 2, 1, 3]))", {"x": (2, 4)}, "real"
    both = "np.cov(x, ddof=0, fweights=np.array([1, 2, 1, 3]), aweights=y)"
    yield "cov", "", both, {"x": (2, 4), "y": (4,)}, "real"


def _places():
    for line in (
        "x[np.argmax(x)]", "x[x.argmin()] * x", "x[np.argmax(-x)] ** 2", "x[np.nanargmax(x)]",
        "x[:2] * np.count_nonzero(x > 1.0)", "x / np.count_nonzero(x > 1.0, axis=0)",
        "x * np.any(x > 1.0)", "x * np.all(x > 1.0, keepdims=True)",
    ):  # fmt: skip
        yield re.findall(r"arg\w+|count_nonzero|any|all", line)[0], "", line, {"x": (3,)}, "real"
    for line in (
        "np.take_along_axis(x, np.argmax(x, axis=1, keepdims=True), axis=1)",
        "x[np.arange(2), np.argmin(x, axis=1)]", "x.ravel()[np.argmax(x)]",
        "x * np.count_nonzero(x > 1.0, axis=1, keepdims=True)", "x[:, np.nanargmin(x[0])]",
        "x * np.count_nonzero(x > 1.0, keepdims=True)", "x[:, x.argmax(axis=1)]",
    ):  # fmt: skip
        yield re.findall(r"arg\w+|count_nonzero", line)[0], "", line, {"x": (2, 3)}, "real"


CASES = [
    *_reductions(), *_spreads(), *_averages(), *_partial(), *_without_nan(), *_differences(),
    *_covariances(), *_places(),
]  # fmt: skip


def _first_of_each_row():
    rows = [case[0] for case in CASES]
    return [case for k, case in enumerate(CASES) if rows[:k].count(case[0]) < 3]


@pytest.mark.parametrize("case", CASES, ids=title)
def test_gradients_match_the_users_function(case):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, False)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("case", _first_of_each_row(), ids=title)
def test_gradients_of_intermediate_values_match(case):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, True)
    assert not failures, "\n".join(failures)


# -- values, shapes and dtypes: NumPy's ------------------------------------------------------------

RANDOM = np.random.default_rng(11)
PLAIN = RANDOM.normal(size=(3, 4))
HOLES = np.where(PLAIN > 0.9, np.nan, PLAIN)
TIMES = np.array([0.0, 0.5, 2.0, 2.5])
MASK = PLAIN > -0.5
CALLS = [
    ("sum", (PLAIN,), {"axis": 1, "where": MASK, "initial": 2.0}),
    ("prod", (PLAIN,), {"where": MASK, "keepdims": True}),
    ("mean", (PLAIN,), {"axis": 0, "where": MASK}),
    ("max", (PLAIN,), {"axis": 0, "where": MASK, "initial": -3.0}),
    ("min", (PLAIN,), {"initial": 0.1}),
    ("ptp", (PLAIN,), {"axis": (0, 1), "keepdims": True}),
    ("average", (PLAIN,), {"axis": 1, "weights": TIMES}),
    ("average", (PLAIN.astype("float32"),), {"axis": 1, "keepdims": True}),
    ("average", (np.arange(4),), {"weights": [1, 2, 3, 4]}),
    ("nansum", (HOLES, 1), {}), ("nanprod", (HOLES,), {}), ("nanmax", (HOLES,), {"axis": -1}),
    ("nanmin", (HOLES.astype("float32"),), {"keepdims": True}), ("nancumsum", (HOLES, 0), {}),
    ("nancumprod", (HOLES,), {}), ("nanmean", (HOLES.astype("float32"), 0), {}),
    ("nanmean", (np.arange(3),), {}), ("nanvar", (HOLES,), {"ddof": 1}),
    ("nanvar", (HOLES, 1), {"keepdims": True}), ("nanstd", (HOLES, 0), {"correction": 0.5}),
    ("nansum", (np.array([True, False]),), {}),
    ("diff", (PLAIN,), {"n": 2, "axis": 0}), ("diff", (MASK,), {"n": 2}),
    ("diff", (PLAIN,), {"prepend": 0.0, "append": PLAIN[:, :2]}),
    ("diff", (np.arange(5),), {"append": 7}), ("ediff1d", (PLAIN, [1.0, 2.0], 0.5), {}),
    ("ediff1d", (np.arange(3),), {"to_begin": 4}),
    ("trapezoid", (PLAIN,), {"dx": 0.5, "axis": 0}), ("trapezoid", (PLAIN, TIMES), {}),
    ("trapezoid", (PLAIN, np.cumsum(PLAIN**2, axis=1)), {}), ("trapezoid", (np.arange(4),), {}),
    ("gradient", (PLAIN,), {}), ("gradient", (PLAIN, 0.5), {"edge_order": 2}),
    ("gradient", (PLAIN, 2.0, TIMES), {"edge_order": 2}),
    ("gradient", (PLAIN.astype("float32"), TIMES), {"axis": -1}),
    ("gradient", (np.arange(5) ** 2,), {}), ("gradient", (PLAIN, np.float64(0.3)), {"axis": 1}),
    ("gradient", (PLAIN.astype("float32"), np.float64(0.3)), {"axis": (0, 1)}),
    ("cov", (PLAIN,), {}), ("cov", (PLAIN[0],), {}), ("cov", (PLAIN, PLAIN[0]), {}),
    ("cov", (PLAIN,), {"rowvar": False, "bias": True}), ("cov", (PLAIN[0], PLAIN[1]), {}),
    ("cov", (PLAIN.astype("float32"),), {"aweights": [0.5, 1.0, 2.0, 1.5]}),
    ("cov", (PLAIN,), {"fweights": [1, 2, 3, 1], "ddof": 2}),
    ("cov", (PLAIN,), {"fweights": [1, 2, 3, 1], "aweights": [0.5, 1.0, 2.0, 1.5]}),
    ("cov", (PLAIN.astype("float32"),), {"dtype": np.float32}),
    ("cov", (PLAIN, PLAIN[:2]), {"rowvar": True}), ("cov", (PLAIN[:1],), {"rowvar": False}),
    ("corrcoef", (PLAIN,), {}), ("corrcoef", (PLAIN,), {"rowvar": False}),
    ("corrcoef", (PLAIN[0], PLAIN[1]), {}), ("corrcoef", (PLAIN[0],), {}),
]  # fmt: skip


def described(call):
    name, args, keywords = call
    shapes = [str(np.shape(a)) for a in args]
    return f"{name}({', '.join([*shapes, *(f'{k}={np.size(v)}' for k, v in keywords.items())])})"


@pytest.mark.parametrize("call", CALLS, ids=described)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_definitions_compute_what_numpy_computes(call):
    name, args, keywords = call
    partial = {"where", "initial"} & keywords.keys()
    defined = getattr(statistics, f"{name}_where" if partial else name)
    wanted = getattr(np, name)(*args, **keywords)
    found = defined(*args, **keywords)
    assert type(found) is type(wanted) or not isinstance(wanted, tuple)
    for one, other in zip(np.atleast_1d(found), np.atleast_1d(wanted), strict=True):
        assert np.shape(one) == np.shape(other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
        tight = 2e-6 if np.asarray(other).dtype == np.float32 else 1e-13
        np.testing.assert_allclose(one, other, rtol=tight, atol=tight)


TYPED = [
    "np.var(x)", "np.var(x, axis=0)", "np.std(x, (0, 1), keepdims=True)", "np.median(x, axis=-1)",
    "np.nanmedian(x)", "np.average(x, axis=0)", "np.ptp(x, 0)", "np.nansum(x, axis=1)",
    "np.nanmean(x)", "np.nanvar(x, 0)", "np.nanstd(x)", "np.nancumsum(x)", "np.nanmax(x, axis=0)",
    "np.argmax(x)", "np.argmin(x, axis=1)", "np.nanargmax(x, axis=0, keepdims=True)", "x.argmin()",
    "np.count_nonzero(x > 1.0, axis=0)", "np.count_nonzero(x, axis=(0, 1), keepdims=True)",
    "np.cumsum(x, axis=1)", "np.cumprod(x)", "np.diff(x)", "np.ediff1d(x)", "np.trapezoid(x)",
    "np.gradient(x, axis=0)", "np.cov(x)", "np.corrcoef(x)", "np.sum(x, where=x > 1.0)",
    "np.max(x, axis=0, initial=1.0)", "np.mean(x, where=x > 0.0, axis=1)", "np.any(x > 1.0)",
    "np.all(x > 1.0, axis=0)", "np.prod(x, axis=0, dtype=np.float64)", "np.sum(x, dtype=int)",
    "np.mean(x, dtype=np.float64)", "np.cumsum(x > 1.0)", "np.cumsum(x, dtype=np.float64)",
    "np.sum(x > 1.0, axis=0)", "np.prod(x > 0.0)", "np.mean(x > 1.0, axis=0)",
    "np.var(x, axis=0, dtype=np.float64)", "np.var(x > 1.0)", "np.median(x > 0.0, axis=0)",
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("line", TYPED)
def test_the_inferred_type_is_that_of_the_value(line, dtype):
    f = define(f"{HEAD}def f(x):\n    found = {line}\n    return np.sum(x * np.sum(found))\n")
    x = np.abs(PLAIN).astype(dtype)
    graph = gradgen.grad(f, shapes=f"x=3 4:{dtype}").graph
    inferred = graph.types[graph.names.index("found")]
    value = eval(line, {"np": np, "x": x})
    assert (inferred.dtype, inferred.shape) == (str(value.dtype), value.shape)
    assert inferred.kind == ("array" if isinstance(value, np.ndarray) else "scalar")


# -- by hand and by SymPy --------------------------------------------------------------------------


def gradient(line, x, **options):
    """The gradient of an expression of `x`."""
    f = define(f"{HEAD}def f(x):\n    return {line}\n")
    return gradgen.grad(f, **options)(x)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("name", ["var", "std"])
def test_spreads_have_the_derivatives_that_sympy_finds(name, ddof):
    symbols = sympy.symbols("a:4", real=True)
    mean = sum(symbols) / 4
    formula = sum((s - mean) ** 2 for s in symbols) / (4 - ddof)
    formula = sympy.sqrt(formula) if name == "std" else formula
    x = np.array([0.3, -1.7, 2.2, 0.9])
    at = dict(zip(symbols, map(sympy.Rational, x), strict=True))
    wanted = [float(formula.diff(s).subs(at).evalf(30)) for s in symbols]
    np.testing.assert_allclose(gradient(f"np.{name}(x, ddof={ddof})", x), wanted, rtol=1e-14)


@pytest.mark.parametrize("line", [
    "np.var(x)", "np.var(x, ddof=1) ** 2", "np.std(x)", "np.sum(np.std(x[None] * x, axis=1))",
    "np.prod(x)", "np.sum(np.cumprod(x))", "np.nanvar(x)", "np.average(x, weights=x * x)",
    "np.median(x * x)", "np.cov(x, x * x)[0, 1]", "np.trapezoid(x * x, x)", "np.ptp(x * x)",
    "np.sum(np.gradient(x, np.cumsum(x * x), edge_order=2))", "np.corrcoef(x, x ** 3)[0, 1]",
    "np.max(x ** 3, initial=0.0)", "np.nanmean(x ** 3)", "np.sum(np.diff(x, 2) ** 3)",
])  # fmt: skip
def test_second_derivatives_match_differences_of_the_first(line):
    f = define(f"{HEAD}def f(x):\n    return {line}\n")
    first = gradgen.grad(f, shapes="x=n" if "[0, 1]" not in line else "x=5")
    body = re.sub(r"^def \w+", "def first", first.source[first.source.index("def ") :])
    weighted = "def f(x):\n    return np.sum(np.array([0.3, 1.1, -0.7, 0.5, 0.9]) * first(x))\n"
    second = gradgen.grad(define(f"{HEAD}{body}\n\n{weighted}"))
    x = np.array([0.7, 1.9, -1.3, 0.4, 1.2])
    weights = np.array([0.3, 1.1, -0.7, 0.5, 0.9])
    h = 1e-3 * np.eye(5)
    coarse = [(weights @ (first(x + e) - first(x - e))) / 2e-3 for e in h]
    fine = [(weights @ (first(x + e / 2) - first(x - e / 2))) / 1e-3 for e in h]
    wanted = (4 * np.array(fine) - np.array(coarse)) / 3
    np.testing.assert_allclose(second(x), wanted, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("x", [
    [2.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 5.0], [0.0, 0.0, 0.0], [1.5, -2.0, 3.0], [0.0], [],
], ids=str)  # fmt: skip
def test_trap_14_cumulative_products_with_zeros_are_exact(x):
    x = np.array(x)
    wanted = np.zeros(len(x))
    for k in range(len(x)):
        for i in range(k, len(x)):
            wanted[k] += np.prod(np.delete(x[: i + 1], k))
    assert np.array_equal(gradient("np.sum(np.cumprod(x))", x), wanted)
    rows = gradient("np.sum(np.cumprod(np.stack([x, 2.0 * x]), axis=0)[1])", x)
    assert np.array_equal(rows, 4.0 * x)


def test_trap_14_the_second_derivative_of_a_cumulative_product_at_a_zero():
    # The sum is a + ab + abc: its gradient is (1 + b + bc, a + ac, ab), at a = 0.
    text = "np.sum(np.cumprod(x))"
    body = gradgen.grad(define(f"{HEAD}def f(x):\n    return {text}\n"), shapes="x=n").source
    body = re.sub(r"^def \w+", "def first", body[body.index("def ") :])
    f = define(f"{HEAD}{body}\n\ndef f(x):\n    return first(x)[1]\n")
    assert np.array_equal(gradgen.grad(f)(np.array([0.0, 2.0, 3.0])), [4.0, 0.0, 0.0])


@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 2), (0, 1, 2), None, ()], ids=str)
def test_trap_14_products_over_several_axes_with_zeros_are_exact(axes):
    x = np.arange(12.0).reshape(2, 3, 2) - 4.0
    x[1, 1, 0] = 0.0
    wanted = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        one = x.copy()
        one[place] = 1.0
        gone = range(3) if axes is None else axes
        same = tuple(slice(None) if k in gone else place[k] for k in range(3))
        wanted[place] = np.prod(one[same])
    assert np.array_equal(gradient(f"np.sum(np.prod(x, axis={axes}))", x), wanted)


@pytest.mark.parametrize(("line", "x", "wanted"), [
    ("np.median(x)", [1.0, 2.0, 2.0, 2.0, 5.0], [0, 1 / 3, 1 / 3, 1 / 3, 0]),
    ("np.median(x)", [3.0, 1.0, 1.0, 2.0], [0, 0.25, 0.25, 0.5]),
    ("np.median(x)", [3.0, 2.0, 2.0, 1.0], [0, 0.5, 0.5, 0]),
    ("np.median(x)", [4.0, 4.0], [0.5, 0.5]),
    ("np.nanmedian(x)", [np.nan, 4.0, 1.0, 7.0], [0, 1, 0, 0]),
    ("np.nanmedian(x)", [np.nan, 4.0, np.nan, 7.0], [0, 0.5, 0, 0.5]),
    ("np.ptp(x)", [1.0, 3.0, 3.0, 1.0, 2.0], [-0.5, 0.5, 0.5, -0.5, 0]),
    ("np.nanmax(x)", [2.0, np.nan, 2.0, 1.0], [0.5, 0, 0.5, 0]),
    ("np.max(x, initial=2.0)", [2.0, 1.0], [0, 0]),
    ("np.max(x, initial=0.0, where=x < 3.0)", [2.0, 2.0, 4.0], [0.5, 0.5, 0]),
    ("np.nansum(np.sqrt(x))", [4.0, np.nan, 1.0], [0.25, 0, 0.5]),
    ("np.var([x[0], 5.0, x[1]])", [2.0, 8.0], [-2.0, 2.0]),
    ("np.median([x[0] ** 2, 1.0, x[1]])", [2.0, 9.0], [4.0, 0]),
    ("np.nanmax((x[0] ** 2, x[1]))", [2.0, 3.0], [4.0, 0]),
    ("x[np.argmax(x)] ** 2", [1.0, 3.0, 3.0], [0, 6.0, 0]),
    ("np.average(x, weights=[1.0, 3.0])", [5.0, 6.0], [0.25, 0.75]),
    ("np.trapezoid(x, [0.0, 1.0, 4.0])", [5.0, 6.0, 7.0], [0.5, 2.0, 1.5]),
    ("np.gradient(x, 2.0)[1]", [5.0, 6.0, 9.0], [-0.25, 0, 0.25]),
])  # fmt: skip
def test_trap_10_values_by_hand(line, x, wanted):
    assert np.array_equal(gradient(line, np.array(x)), wanted)


def test_trap_9_the_deviation_of_equal_numbers_has_no_derivative():
    with pytest.warns(RuntimeWarning, match="invalid value|divide by zero"):
        assert np.all(np.isnan(gradient("np.std(x)", np.ones(3))))


@pytest.mark.parametrize("scale", ["1.0", "2.0 * float(1)", "np.float64(2.0)"])
@pytest.mark.parametrize("call", ["np.var(x, ddof=1)", "np.std(x, ddof=1)", "np.cov(x)"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_trap_9_one_item_less_one_is_nan_and_raises_nothing(call, scale):
    for options in ({"shapes": "x=n"}, {"shapes": "x=1"}, {}):
        assert np.all(np.isnan(gradient(f"{scale} * {call}", np.array([3.0]), **options)))


@pytest.mark.filterwarnings("ignore:divide by zero encountered in log:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered in subtract:RuntimeWarning")
@pytest.mark.parametrize("call", ["var", "std", "median", "ptp", "nanvar", "nanstd", "nanmean"])
def test_trap_01_rows_that_are_not_read_do_not_leak(call):
    x = np.array([[1.0, 2.0, 4.0], [5.0, 5.0, 5.0], [0.0, 0.0, 1.0]])
    head = "np.sum(np.where(x[:, 0] == 1.0, np.{}({}, axis=1), 0.0))"
    inner = gradient(head.format(call, "np.log(x)"), x)
    row = gradient(f"np.{call}(np.log(x))", x[0])
    np.testing.assert_allclose(inner, [row, np.zeros(3), np.zeros(3)], rtol=1e-14)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("line", [
    "np.sum(x)", "np.prod(x)", "np.sum(np.cumsum(x))", "np.sum(np.cumprod(x))",
    "np.sum(np.diff(x))", "np.sum(np.prod(x, axis=0))", "np.nansum(x)",
    "np.sum(np.ediff1d(x))", "np.var(x)", "np.std(x)", "np.trapezoid(x)",
])  # fmt: skip
def test_empty_arrays_have_empty_gradients(line):
    for options in ({}, {"shapes": "x=n"}):
        found = gradient(line, np.zeros(0), **options)
        assert found.shape == (0,)
        assert found.dtype == np.float64


def test_an_average_of_rows_without_items_has_an_empty_gradient():
    assert gradient("np.sum(np.sum(x, axis=1)) + np.sum(np.prod(x, 1))", np.zeros((2, 0))).size == 0


def test_operands_by_keyword_get_their_own_adjoints():
    f = define(f"{HEAD}def f(a, b):\n    return np.sum(np.linalg.solve(b=b, a=a))\n")
    a, b = np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([3.0, 8.0])
    # x = a^-1 b = (0.5, 2); with s = a^-T 1: d_b = s, d_a = -s x^T.
    s = np.array([0.5, 0.125])
    d_a, d_b = gradgen.grad(f, wrt=("a", "b"))(a, b)
    np.testing.assert_allclose(d_b, s, rtol=1e-15)
    np.testing.assert_allclose(d_a, -np.outer(s, [0.5, 2.0]), rtol=1e-15)


# -- what is written, and what is refused ----------------------------------------------------------


@pytest.mark.parametrize(("call", "written"), [
    ("np.var(x)", "d_x = 2.0 * (x - x.mean()) / x.size"),
    ("np.std(x)", "d_x = (x - x.mean()) / (x.size * value)"),
    ("np.std(x, ddof=1)", "d_x = (x - x.mean()) / ((x.size - 1) * value)"),
    ("np.cumsum(x, axis=1)[0, -1]", "d_x = "),
])  # fmt: skip
def test_spreads_are_differentiated_as_an_expert_would(call, written):
    f = define(f"{HEAD}def f(x):\n    return {call}\n")
    assert written in gradgen.value_and_grad(f, shapes="x=n d").source


@pytest.mark.parametrize(("line", "said"), [
    ("np.trapz(x)", "use np.trapezoid"),
    ("x.ptp()", "use np.ptp(x)"),
    ("np.sum(np.bincount(x))", "np.bincount is not supported"),
    ("np.sum(np.histogram(x)[0])", "np.histogram is not supported"),
    ("np.sum(np.cumulative_sum(x))", "use np.cumsum"),
    ("np.var(x, out=x)", "out= is not supported"),
    ("np.sum(np.cumsum(x, out=x))", "out= is not supported"),
    ("np.max(x, where=x > 0.0)", "np.max with where= needs initial="),
    ("np.var(x, where=x > 0.0)", "unexpected keyword argument 'where'"),
    ("np.mean(x, dtype=int)", "a mean in int64 is rounded"),
    ("np.var(x, ddof=1, correction=1)", "ddof and correction can't be provided simultaneously"),
    ("np.median(x, overwrite_input=True)", "overwrite_input= changes the array"),
    ("np.sum(np.argmax(x, axis=(0, 1)))", "argmax and argmin take one axis"),
    ("np.sum(np.cumprod(x, axis=(0,)))", "np.cumprod takes one axis"),
    ("np.sum(np.gradient(x, edge_order=3)[0])", "edge_order is 1 or 2"),
    ("np.sum(np.gradient(x, 1.0, 2.0, 3.0)[0])", "no spacing, one, or one for each axis"),
    ("np.average(x, weights=np.ones(3))", "need axis="),
    ("np.var(x, axis=2)", "axis 2 is out of bounds"),
    ("np.sum(np.diff(x, axis=2))", "axis is out of bounds"),
    ("np.sum(np.diff(x[0, 0]))", "axis is out of bounds"),
    ("np.var(x, mean=0.5)", "must have the axes of the array"),
    ("np.sum(x, axis=(0, 0))", "duplicate value in 'axis'"),
    ("np.max(x[:0])", "the maximum or minimum of no items"),
    ("np.sum(np.cov(x))", "how many there are must be known"),
    ("np.var(x, mean=np.mean(x))", "must have the axes of the array"),
    ("np.sum(v for v in [x, x])", "a generator is not a number or an array"),
])  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(line, said):
    f = define(f"{HEAD}def f(x):\n    return {line}\n")
    with pytest.raises(gradgen.GradgenError, match=re.escape(said)):
        gradgen.grad(f, shapes="x=n d")
