"""Sorting, quantiles, interpolation, convolutions and polynomials."""

import inspect
import warnings

import numpy as np
import pytest
from test_structural import HEAD, compare, define, title

import gradgen
from gradgen.definitions import order, signal

X5, X23, X234 = {"x": (5,)}, {"x": (2, 3)}, {"x": (2, 3, 4)}
POINTS = {"x": (4,), "xp": (3,), "fp": (3,)}


def _cases():
    for line in (
        "np.sort(x)", "np.sort(x)[::-1]", "np.sort(x)[-2:]", "np.sort(x, kind='stable')",
        "x[np.argsort(x)[:2]]", "x[x.argsort()]", "np.sort(np.sin(3 * x)) * x",
        "np.sum(x[np.argpartition(x, 2)[:2]])", "x[np.lexsort((x,))]",
    ):  # fmt: skip
        yield "sort", line, X5
    for axis in ("", ", axis=0", ", axis=-1", ", axis=None", ", 1"):
        yield "sort", f"np.sort(x{axis})", X23
    yield "sort", "np.sort(x, axis=1)", X234
    yield "sort", "np.take_along_axis(x, np.argsort(x, axis=1), axis=1)", X23
    yield "sort", "np.sort([x[0] + 5.0, 2.0, x[1] * x[2]])", X5
    yield "quantile", "np.quantile([x[0], x[1], 1.0], 0.3)", X5
    for name in ("maximum", "minimum"):
        row, call = f"{name}_accumulate", f"np.{name}.accumulate"
        yield row, f"{call}(x)", X5
        yield row, f"{call}(x[::-1])", X5
        yield row, f"{call}(x)", X234
        yield row, f"{call}(x * x, axis=-1)", X23
        yield row, f"{call}(np.sin(9 * x), 1)", X234
    yield "partition", "np.partition(x, 1)", X5
    yield "partition", "np.partition(x, (1, -1))", X5
    for axis in ("", ", axis=0", ", axis=None"):
        yield "partition", f"np.partition(x, 1{axis})", X23
    for q in ("0.3", "0.0", "1.0", "0.5", "np.array([0.1, 0.9])"):
        yield "quantile", f"np.quantile(x, {q})", X5
    yield "quantile", "np.quantile(x, 0.3, axis=0)", X23
    yield "quantile", "np.quantile(x, 0.3, axis=-1, keepdims=True)", X23
    yield "quantile", "np.quantile(x, 0.3)", X23
    yield "quantile", "np.quantile(x, [0.3, 0.6], axis=1)", X23
    yield "quantile", "np.quantile(x, [[0.3, 0.6]], axis=(0, 2), keepdims=True)", X234
    yield "percentile", "np.percentile(x, 30)", X5
    yield "percentile", "np.percentile(x, [10, 50], axis=0, keepdims=True)", X23
    for more in ("", ", left=0.5", ", right=x[0]", ", 2.0, 3.0"):
        yield "interp", f"np.interp(x, np.sort(xp), fp{more})", POINTS
    yield "interp", "np.interp(x, np.sort(xp), fp)", {**POINTS, "x": (2, 2)}
    yield "interp", "np.interp(x, np.sort(xp), fp)", {**POINTS, "x": ()}
    yield "interp", "np.interp(x, [0.0, 1.0, 2.0], [1.0, 3.0, 2.0])", {"x": (3,)}
    yield "unwrap", "np.unwrap(9 * x)", X5
    yield "unwrap", "np.unwrap(9 * x, axis=0, period=2.0)", X23
    for n, m in ((5, 3), (4, 2), (2, 5), (4, 4), (1, 3)):
        for mode in ("full", "same", "valid"):
            yield "convolve", f"np.convolve(x, y, '{mode}')", {"x": (n,), "y": (m,)}
            yield "correlate", f"np.correlate(x, y, mode='{mode}')", {"x": (n,), "y": (m,)}
    yield "convolve", "np.convolve(x, [1.0, 2.0])", {"x": (4,)}
    yield "convolve", "np.convolve(x, x)", {"x": (4,)}
    for shape in ((), (3,), (2, 3)):
        yield "polyval", "np.polyval(p, x)", {"p": (4,), "x": shape}
        yield "polyval", "np.polynomial.polynomial.polyval(x, c)", {"c": (4,), "x": shape}
        yield "polyval", "np.polyval([1.0, 2.0, 3.0], x)", {"x": shape}
    yield "polyval", "np.polyval(p, x)", {"p": (1,), "x": (3,)}
    yield "polyder", "np.polyder(p)", {"p": (4,)}
    yield "polyder", "np.polyder(p, 2)", {"p": (4,)}
    yield "polyint", "np.polyint(p)", {"p": (4,)}
    yield "polyadd", "np.polyadd(p, q)", {"p": (4,), "q": (2,)}
    yield "polysub", "np.polysub(p, q)", {"p": (2,), "q": (4,)}


ANALYTIC = ("convolve", "polyval", "polyder", "polyint", "polyadd", "polysub")
CASES = [
    (row, "", line, shapes, "complex" if row in ANALYTIC else "real")
    for row, line, shapes in _cases()
]
# Where NumPy's own float32 rounds the place of a quantile otherwise than its float64.
DOUBLE = [f"np.quantile(x, 0.3, method='{method}')" for method in ("lower", "higher", "midpoint")]


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("case", CASES, ids=title)
def test_gradients_match_the_users_function(case, inner):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, inner)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("line", DOUBLE)
def test_other_quantiles_are_right_in_double_precision_and_refused_in_single(line):
    failures = compare("", line, X5, "real", False)
    assert failures
    assert all("float32" in failure for failure in failures)
    assert all('method="linear" is supported' in failure for failure in failures)


def of(text, head="def f(x):"):
    return define(f"{HEAD}{head}\n    return {text}\n")


def test_equal_items_keep_their_order_and_take_the_adjoint_of_their_place():
    x = np.array([2.0, 1.0, 2.0, 1.0])
    grad = gradgen.grad(of("np.sum(np.sort(x) * np.array([1.0, 2.0, 3.0, 4.0]))"), shapes="x=4")
    assert grad(x).tolist() == [3.0, 1.0, 4.0, 2.0]
    first = gradgen.grad(of("np.sort(x)[-1] + np.partition(x, 0)[0]"), shapes="x=n")(x)
    assert first.sum() == 2.0
    assert np.count_nonzero(first) == 2


def test_the_largest_items_share_no_adjoint_with_the_others():
    grad = gradgen.grad(of("np.sum(np.sort(x)[-2:] ** 2)"), shapes="x=n")
    assert grad(np.array([3.0, 1.0, 5.0, 2.0])).tolist() == [6.0, 0.0, 10.0, 0.0]
    with pytest.raises(ValueError, match="f_grad needs n >= 2"):
        grad(np.array([3.0]))


def test_nan_sorts_last_and_takes_the_adjoint_of_its_place():
    grad = gradgen.grad(of("np.sort(x)[0] * 2.0 + np.sort(x)[-1]"), shapes="x=n")
    assert grad(np.array([np.nan, 1.0, 3.0])).tolist() == [1.0, 2.0, 0.0]


def test_at_a_knot_the_slope_is_the_one_to_the_right_and_inside_at_the_ends():
    grad = gradgen.grad(of("np.sum(np.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 3.0]))"), shapes="x=n")
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0])
    assert grad(x).tolist() == [0.0, 2.0, 2.0, 0.5, 0.5, 0.5, 0.0]


def test_knots_and_values_of_an_interpolation_have_hand_derivatives():
    f = of("np.interp(x, xp, fp)", "def f(x, xp, fp):")
    grad = gradgen.grad(f, wrt=("x", "xp", "fp"), shapes="x=scalar, xp=k, fp=k")
    d_x, d_xp, d_fp = grad(1.5, np.array([0.0, 1.0, 3.0]), np.array([5.0, 2.0, 4.0]))
    # Between (1, 2) and (3, 4): slope 1, and the point divides the interval 1 : 3.
    assert d_x == 1.0
    assert d_xp.tolist() == [0.0, -0.75, -0.25]
    assert d_fp.tolist() == [0.0, 0.75, 0.25]


def test_the_place_of_a_quantile_has_a_slope_too():
    f = of("np.quantile(x, q)", "def f(x, q):")
    grad = gradgen.grad(f, wrt=("x", "q"), shapes="x=n, q=scalar")
    d_x, d_q = grad(np.array([4.0, 1.0, 2.0]), 0.25)  # place 0.5, between 1 and 2
    assert d_x.tolist() == [0.0, 0.5, 0.5]
    assert d_q == 2.0  # (2 - 1) * (3 - 1)


def test_the_zeros_of_a_polynomial_argument_have_finite_slopes():
    grad = gradgen.grad(of("np.sum(np.polyval(p, x))", "def f(p, x):"), wrt=("p", "x"),
                        shapes="p=k, x=n")  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        d_p, d_x = grad(np.array([3.0, 2.0, 1.0]), np.array([0.0, 2.0]))
    assert d_p.tolist() == [4.0, 2.0, 2.0]
    assert d_x.tolist() == [2.0, 14.0]


INDICES = [
    ("np.argsort(x)", "int64", (4,)), ("np.argsort(y, axis=None)", "int64", (6,)),
    ("np.argpartition(x, 1)", "int64", (4,)), ("np.lexsort((x, x))", "int64", (4,)),
    ("np.searchsorted(x, y)", "int64", (2, 3)), ("np.searchsorted(x, 0.5, 'right')", "int64", ()),
    ("np.digitize(y, x, right=True)", "int64", (2, 3)), ("np.isin(y, x)", "bool", (2, 3)),
    ("np.isin(x, [1.0, 2.0], invert=True)", "bool", (4,)), ("x.argsort()", "int64", (4,)),
]  # fmt: skip


@pytest.mark.parametrize(("line", "dtype", "shape"), INDICES)
def test_places_have_the_type_that_numpy_gives_and_no_derivative(line, dtype, shape):
    f = define(f"{HEAD}def f(x, y):\n    r = {line}\n    return np.sum(r * 2.0) * np.sum(x), r\n")
    fn = gradgen.value_and_grad(f, shapes="x=4, y=2 3", wrt=("x", "y"), has_aux=True)
    x, y = np.array([0.25, 0.5, 1.0, 2.0]), np.arange(6.0).reshape(2, 3) / 3
    (value, r), (d_x, d_y) = fn(x, y)
    want, kept = f(x, y)
    assert value == want
    assert d_x.tolist() == [np.sum(kept * 2.0)] * 4
    assert not d_y.any()
    t = fn.graph.types[fn.graph.results[0][1]]
    assert (t.dtype, t.shape) == (dtype, shape) == (str(np.asarray(r).dtype), np.shape(r))


@pytest.mark.parametrize(("line", "said"), [
    ("np.sum(np.unique(x))", "np.unique is not supported here: its length depends on the values"),
    ("np.sum(np.union1d(x, x))", "its length depends on the values"),
    ("np.sum(np.histogram(x)[0])", "np.add.at(counts, index, weights)"),
    ("np.nanquantile(x, 0.5)", "np.quantile(x[~np.isnan(x)], q)"),
    ("np.nanpercentile(x, 5)", "np.percentile(x[~np.isnan(x)], q)"),
    ("np.sum(np.in1d(x, x) * x)", "use np.isin"),
    ("np.sum(np.sort_complex(x))", "use np.sort"),
    ("np.sum(np.abs(np.fft.rfft(x)))", "np.fft.rfft is not supported here: complex numbers"),
    ("np.sum(np.fft.irfft(np.fft.rfft(x) * 2.0))", "np.fft.rfft is not supported here"),
    ("np.sum(np.abs(np.fft.fft2(x)))", "np.fft.fft2 is not supported here"),
    ("np.sum(np.fft.ifft(x).real)", "np.fft.ifft is not supported here"),
    ("np.sum(np.abs(1j * x))", "a constant of type complex is not supported"),
    ("np.sum(x.astype(complex))", "complex"),
    ("np.sum(np.zeros(3, dtype=np.complex128))", "arrays of complex128 are not supported"),
    ("np.sum(np.polymul(x, x))", "np.convolve(a, b)"),
    ("np.sum(np.polyfit(x, x, 1))", "np.vander(x, degree + 1)"),
    ("np.sum(np.roots(x))", "its length depends on the values"),
    ("np.sum(np.interp(x, x, x, period=1.0))", "unexpected keyword argument period"),
    ("np.quantile(x, 0.3, method='hazen')", '"linear", "lower", "higher" and "midpoint"'),
    ("np.quantile(x, 0.3, weights=x)", "unexpected keyword argument weights"),
    ("np.sum(np.sort(x, axis=1))", "axis 1 is out of bounds for an array with 1 axes"),
    ("np.sum(np.sort(x, order='a'))", "np.sort"),
    ("np.sum(np.partition(x, 4))", "kth(=4) out of bounds (4)"),
    ("np.sum(np.convolve(x, x, 'other'))", 'mode must be "full", "same" or "valid"'),
    ("np.sum(np.convolve(np.outer(x, x), x))", "take arrays of one axis"),
    ("x.sort()", "attribute sort of an array is not supported"),
])  # fmt: skip
def test_what_has_no_derivative_is_refused_by_name(line, said):
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.grad(of(line), shapes="x=4")
    assert said in str(caught.value)


def test_which_of_two_lengths_is_larger_must_be_known():
    f = of("np.sum(np.convolve(x, y, 'same') ** 2)", "def f(x, y):")
    with pytest.raises(gradgen.GradgenError, match="which of the lengths n and m is larger"):
        gradgen.grad(f, shapes="x=n, y=m")
    live = gradgen.grad(f, wrt="x")
    assert live(np.ones(4), np.ones(2)).shape == (4,)


M, A = np.arange(12.0).reshape(3, 4)[:, ::-1] ** 1.5, np.array([0.5, 3.0, 1.0, 2.5])
VALUES = [
    *(("quantile", (M, q, axis), {"method": method, "keepdims": keep})
      for q in (0.3, 0.0, 1.0, [0.3, 0.6], np.array([[0.1, 0.2]])) for axis in (None, 0, -1, (0, 1))
      for method in ("linear", "lower", "higher", "midpoint") for keep in (False, True)),
    *(("quantile", (M.astype(np.float32), q, 0), {}) for q in (0.3, [0.3, 0.6])),
    *(("percentile", (M, q, axis), {}) for q in (30, 12.5, [30, 60]) for axis in (None, 1)),
    ("interp", (np.float32(0.3), np.arange(3.0), np.arange(3.0)), {}),
    ("interp", (A.astype(np.float32), np.arange(3, dtype=np.float32), A[:3]), {}),
    ("interp", ([0.3, 5, -1, 2, 0, 1], [0.0, 1, 2], [3.0, 4, 5]), {}),
    ("interp", (A, [0.0, 1, 2], [3.0, 4, 5], 7.0, 8.0), {}),
    *((f"{m}_accumulate", (M, axis), {}) for m in ("maximum", "minimum") for axis in (0, 1, -1)),
    ("polyder", (A,), {}), ("polyder", (A, 2), {}), ("polyint", (A,), {}),
    ("polyadd", (A, A[:2]), {}), ("polyadd", (A[:1], A), {}), ("polysub", (A, A[:2]), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "keywords"), VALUES)
def test_a_definition_computes_what_numpy_computes(name, args, keywords):
    numpys = getattr(np, name.removesuffix("_accumulate"))
    if name.endswith("_accumulate"):
        numpys = numpys.accumulate
    want = numpys(*args, **keywords)
    got = getattr(order if hasattr(order, name) else signal, name)(*args, **keywords)
    assert np.shape(got) == np.shape(want)
    assert np.asarray(got).dtype == np.asarray(want).dtype
    narrow = any(np.asarray(a).dtype == np.float32 for a in args)
    np.testing.assert_allclose(got, want, rtol=1e-6 if narrow else 1e-14)


def test_a_polynomial_of_rising_powers_is_one_of_falling_powers_turned_round():
    x = np.linspace(-1.0, 2.0, 6).reshape(2, 3)
    want = np.polynomial.polynomial.polyval(x, A)
    np.testing.assert_allclose(signal.polyval_rising(x, A), want, rtol=1e-14)


def test_every_definition_is_compared_with_numpy():
    written = {
        name for module in (order, signal) for name, f in inspect.getmembers(module)
        if inspect.isfunction(f) and name[0] != "_" and "g" not in inspect.signature(f).parameters
    }  # fmt: skip
    assert written - {"polyval_rising"} == {name for name, _, _ in VALUES}
