"""Programs that once gave a wrong value or gradient, code that did not run, or a traceback.

The value is the user's own function's, bit for bit and in its kind; gradients come from it by
central differences, or by hand where a comment says so.
"""

import warnings

import numpy as np
import pytest
from test_structural import HEAD, define

import gradgen

X = np.array([1.9, 2.3, 1.6, 2.8])


def differences(f, arguments, position):
    """The gradient of `f` in one argument, by central differences."""
    given = arguments[position]
    gradient = np.zeros(np.shape(given))
    for place in np.ndindex(gradient.shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = np.array(given, dtype=float)
            moved[place] += step
            changed = list(arguments)
            changed[position] = moved if isinstance(given, np.ndarray) else float(moved)
            ends.append(float(f(*changed)))
        gradient[place] = (ends[0] - ends[1]) / 2e-5
    return gradient


def kinds(value):
    """What tells a value from its like: type, dtype, shape and bits of each part."""
    parts = value if isinstance(value, tuple) else (value,)
    return [(type(p), getattr(p, "dtype", None), np.asarray(p).tobytes()) for p in parts]


def program(*lines, signature="x, w"):
    return define(HEAD + f"def f({signature}):\n" + "".join(f"    {line}\n" for line in lines))


def functions(f, arguments, **options):
    """The live function and the one of an emitted file."""
    names = {}
    exec(gradgen.emit(f, like=arguments, **options), names)
    return [gradgen.value_and_grad(f, **options), names["f_value_and_grad"]]


# -- what NumPy makes of Python numbers ------------------------------------------------------------

PYTHON_NUMBERS = [
    # two of Python's bools add up to 2, two of NumPy's to True
    "bool(w) + bool(w)", "np.greater(w, 1) + np.greater(w, 0)", "np.equal(w, w) + (w > 0)",
    "(w > 1) + (w > 0)",
    # a function of NumPy gives float64, which counts beside float32; an operator does not
    "np.add(w, 1)", "np.subtract(w, 1)", "np.multiply(w, 2)", "np.divide(w, 3)", "np.mod(w, 0.4)",
    "np.floor_divide(w, 2)", "np.remainder(w, 0.4)", "np.divmod(w, 0.4)[1]", "np.negative(w)",
    "np.positive(w)", "np.power(w, 2)", "w + 1", "w % 0.4", "-w",
    # an array is made of a number before it is given another shape
    "np.ravel(w)", "np.reshape(w, (1,))", "np.reshape(w, ())", "np.expand_dims(w, 0)",
    "np.transpose(w)", "np.moveaxis(w, [], [])", "np.ascontiguousarray(w)", "np.size(w) + w",
    "w.imag + 1.0", "np.squeeze(w)", "np.atleast_1d(w)",
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
@pytest.mark.parametrize("expression", PYTHON_NUMBERS)
def test_a_call_on_a_python_number_gives_what_numpy_gives(expression, dtype):
    f = program(f"return np.sum(x * ({expression})), {expression}")
    arguments = (X.astype(dtype), 1.3)
    want = f(*arguments)
    for function in functions(f, arguments, wrt="x", has_aux=True):
        value, gradient = function(*arguments)
        assert kinds(value) == kinds(want), value
        # the function is linear: its gradient is the factor, by hand
        factor = np.broadcast_to(np.asarray(want[1], float), X.shape)
        assert gradient.dtype == dtype
        assert np.allclose(gradient, factor, rtol=1e-6)


@pytest.mark.parametrize(
    "expression", ["np.invert(b)", "np.add(b, b)", "np.multiply(b, b)", "np.bitwise_or(b, b)"]
)
def test_a_function_of_numpy_makes_numpy_bools_of_pythons(expression):
    f = program(f"return x * x, {expression}", signature="x, b")
    for function in functions(f, (1.5, True), has_aux=True):
        (_, aux), _ = function(1.5, True)
        assert kinds(aux) == kinds(f(1.5, True)[1])


def test_a_length_may_be_computed_by_a_function_of_numpy():
    f = program(
        "n = np.floor_divide(np.multiply(len(x), 2), 4)", "return np.sum(np.ones(n)) * x[n] ** 2",
        signature="x",
    )  # fmt: skip
    for function in functions(f, (X,)):
        value, gradient = function(X)
        assert value == f(X)
        assert np.allclose(gradient, differences(f, (X,), 0), atol=1e-6)


@pytest.mark.parametrize("scalar", [np.float64(1.5), np.float32(1.5), np.int64(3), np.array(1.5)])
@pytest.mark.parametrize("expression", ["w.copy()", "np.ascontiguousarray(w)", "w.imag"])
def test_copies_of_numpy_scalars_keep_their_kind(expression, scalar):
    f = program(f"return x * x, {expression}")
    for function in functions(f, (1.5, scalar), wrt="x", has_aux=True):
        (_, aux), _ = function(1.5, scalar)
        assert kinds(aux) == kinds(f(1.5, scalar)[1])
        assert np.shape(aux) == np.shape(f(1.5, scalar)[1])


# -- a Python int is no float ----------------------------------------------------------------------

INTEGER_ARRAYS = [
    "np.full(4, w)", "np.tile(w, 4)", "np.array([w, w, 1, w])", "np.stack([w, w, w, 1])",
    "np.repeat(w, 4)", "np.broadcast_to(w, 4) * 2", "np.zeros_like(np.full(4, w))",
]  # fmt: skip


@pytest.mark.parametrize("made", INTEGER_ARRAYS)
def test_a_store_of_a_float_into_an_array_of_a_python_int_is_refused(made):
    # NumPy cuts the fraction off, so the derivative would be 0
    f = program(f"z = {made}", "z[0] = x[0]", "return np.sum(z * x)")
    with pytest.raises(gradgen.SourceError, match="cuts its fraction off"):
        gradgen.value_and_grad(f)(X, 2)
    value, gradient = gradgen.value_and_grad(f)(X, 2.0)
    assert value == f(X, 2.0)
    assert np.allclose(gradient, differences(f, (X, 2.0), 0), atol=1e-6)


def test_a_store_into_an_array_like_a_python_int_is_refused():
    for made in ("np.full_like(w, x[0])", "np.zeros_like(w)"):
        f = program(f"z = {made}", "z[...] = x[0]", "return np.sum(z * x)")
        with pytest.raises(gradgen.SourceError, match="cuts its fraction off"):
            gradgen.value_and_grad(f)(X, 2)


@pytest.mark.parametrize("made", ["np.full(4, w)", "np.tile(w, 4)", "np.array([w, w, 1, w])"])
def test_the_gradient_beside_an_array_of_a_python_int_is_a_float(made):
    f = program(f"return np.sum(x * {made})")
    for function in functions(f, (X, 2), wrt="x"):
        _, gradient = function(X, 2)
        assert gradient.dtype == np.float64
        assert np.array_equal(gradient, np.asarray(eval(made, {"np": np, "w": 2}), float))


@pytest.mark.parametrize(
    "expression",
    ["x ** w", "x * 2 ** w", "x * (w // 2)", "x * (w % 2)", "x / w", "x * np.sqrt(w)", "x / 2**w"],
)  # fmt: skip
@pytest.mark.parametrize("w", [3, 0, -2])
def test_a_passive_python_int_may_be_any_number(expression, w):
    f = program(f"return np.sum({expression})")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            want = f(X, w)
    except (ArithmeticError, RuntimeWarning):
        return
    value, gradient = gradgen.value_and_grad(f)(X, w)
    assert value == want
    assert np.allclose(gradient, differences(f, (X, w), 0), rtol=1e-6, atol=1e-6)


# -- layouts ---------------------------------------------------------------------------------------


def test_a_contiguous_array_may_be_a_copy_and_a_later_update_is_refused():
    f = program(
        "b = (x * 2.0)[::2]", "v = np.ascontiguousarray(b)", "b[0] = 5.0", "return np.sum(v * v)",
        signature="x",
    )  # fmt: skip
    with pytest.raises(gradgen.SourceError, match="may or may not share memory"):
        gradgen.value_and_grad(f)(X)


@pytest.mark.parametrize("given", ["x[::2]", "x", "x[0]", "[x[0], 1]", "x.reshape(2, 2).T"])
def test_a_contiguous_array_is_the_array_that_is_given(given):
    f = program(f"return np.sum(np.ascontiguousarray({given}) ** 2)", signature="x")
    value, gradient = gradgen.value_and_grad(f)(X)
    assert value == f(X)
    assert np.allclose(gradient, differences(f, (X,), 0), atol=1e-6)


# -- the target for Python numbers -----------------------------------------------------------------

AS_PYTHON = [
    "i & 3", "i | 4", "i ^ 1", "~i", "~(i > 1)", "(i > 1) & (w > 1)", "(i > 1) | (w > 1)",
    "np.bitwise_and(i, 3)", "np.invert(i)", "np.invert(i > 1)", "np.logical_and(i, w)",
    "np.logical_or(i, 0)", "np.logical_not(i)", "np.int64(w)", "np.bool_(w)", "np.float64(i)",
    "bool(w)", "bool(i) + bool(w)", "int(w)", "w % 0.7", "np.add(w, i)", "np.divmod(w, 0.7)[1]",
]  # fmt: skip


@pytest.mark.parametrize("expression", AS_PYTHON)
@pytest.mark.parametrize(("w", "i"), [(1.3, 5), (0.4, 2), (2.6, 0), (-1.7, 3)])
def test_the_python_target_computes_what_the_source_does(expression, w, i):
    f = program(f"return x * x * ({expression})", signature="x, w: float, i: int")
    names = {}
    exec(gradgen.emit(f, target="python"), names)
    value, gradient = names["f_value_and_grad"](1.7, w, i)
    assert value == pytest.approx(float(f(1.7, w, i)), rel=1e-15)
    # x * x * c has the derivative 2 * x * c
    assert gradient == pytest.approx(float(f(1.7, w, i)) * 2 / 1.7, rel=1e-14)


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("np.float32(w)", "a number of float32"),
        ("np.int32(w)", "a number of int32"),
        ("np.greater(w, 1) + np.greater(w, 0)", "a sum of NumPy's bools"),
    ],
)
def test_the_python_target_refuses_numbers_that_python_does_not_have(expression, what):
    f = program(f"return x * x * ({expression})", signature="x, w: float")
    with pytest.raises(gradgen.SourceError, match=f"{what} cannot be written for the python"):
        gradgen.emit(f, target="python")


# -- refusals --------------------------------------------------------------------------------------


def test_what_a_definition_cannot_differentiate_is_refused_at_the_users_line():
    f = program("y = w * w", "return np.sum(np.extract(True, y) ** 2)", signature="w")
    with pytest.raises(gradgen.SourceError) as refused:
        gradgen.emit(f, like=(1.5,))
    assert "np.extract" in refused.value.text


def test_a_flattened_array_is_a_copy_in_the_auxiliary_result():
    f = program("flat = x.flatten()", "return np.sum(flat * flat), flat")
    _, aux = gradgen.value_and_grad(f, has_aux=True)(X, 2.0)[0]
    assert not np.shares_memory(aux, X)
