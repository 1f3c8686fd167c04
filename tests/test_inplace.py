"""Adjoints computed in place, in the default style: where it pays, and what is not written to."""

import re

import golden
import numpy as np
import pytest
from agreement import function_of, with_body
from tangents import leaves

import gradgen
from gradgen import inplace

# An array of the forward pass that is read for the last time by adjoints.
DAMPED = "t = np.tanh(x * y)\nreturn np.sum(t * t * y + t * x)"
IN_PLACE = re.compile(r"[-+*/]= |np\.(add|subtract|multiply|divide)\(")
BOTH = {"wrt": ("x", "y"), "shapes": "x=n, y=n"}


def by_hand(x, y):
    """The value and the gradients of DAMPED."""
    t = np.tanh(x * y)
    d_z = (2.0 * t * y + x) * (1.0 - t * t)
    return np.sum(t * t * y + t * x), (d_z * y + t, d_z * x + t * t)


def compiled(body, signature="x, y", **options):
    """What is emitted for a body, which computes something in place, and the user's function."""
    f = function_of(with_body(body, signature))
    made = gradgen.value_and_grad(f, **{**BOTH, **options})
    assert IN_PLACE.search(made.source)
    return made, f


def close(have, want, rtol=1e-13):
    have, want = leaves(have), leaves(want)
    assert len(have) == len(want)
    for mine, theirs in zip(have, want, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)


def test_trap_33_an_array_that_is_read_no_more_becomes_the_adjoint_and_no_argument_does():
    made, f = compiled(DAMPED)
    x, y = np.random.default_rng(0).normal(size=(2, 7))
    x.flags.writeable = y.flags.writeable = False
    value, gradients = made(x, y)
    assert value.tobytes() == f(x, y).tobytes()
    close(gradients, by_hand(x, y)[1])


@pytest.mark.parametrize("aux", ["t", "t[1:]", "(t.T, 1.0)", "{'t': t[::-1]}", "t.reshape(-1, 1)"])
def test_trap_33_what_is_returned_is_not_written_to(aux):
    made, f = compiled(DAMPED + f", {aux}", has_aux=True)
    x, y = np.random.default_rng(1).normal(size=(2, 5))
    value, gradients = made(x, y)
    close(value, f(x, y))
    close(gradients, by_hand(x, y)[1])


@pytest.mark.parametrize("part", ["t[1:]", "t.T[:-1]", "t.reshape(-1)[1:]", "t[None][0, :-1]"])
def test_trap_33_an_array_of_which_a_view_is_read_is_not_written_to(part, monkeypatch):
    monkeypatch.setattr(inplace, "_SHARE", 0.0)
    body = f"t = np.tanh(x * y)\nv = {part}\nreturn np.sum(t * t * y + t * x) + np.sum(np.exp(v))"
    f = function_of(with_body(body, "x, y"))
    made = gradgen.value_and_grad(f, **BOTH)
    x, y = np.random.default_rng(2).normal(size=(2, 6))
    value, gradients = made(x, y)
    assert value == f(x, y)
    t = np.tanh(x * y)
    more = np.exp(t)
    more[0 if "1:" in part else -1] = 0.0
    d_x, d_y = by_hand(x, y)[1]
    close(gradients, (d_x + more * (1.0 - t * t) * y, d_y + more * (1.0 - t * t) * x))


def test_a_loss_and_its_gradient_are_not_those_of_another_call():
    made, _ = compiled(DAMPED)
    x, y = np.random.default_rng(3).normal(size=(2, 4))
    first = made(x, y)
    held = [leaf.copy() for leaf in leaves(first)]
    made(y, x)
    close(first, held, 0.0)
    close(made(x, y), held, 0.0)


@pytest.mark.parametrize(
    "dtypes", [("f4", "f8"), ("f8", "f4"), ("i8", "f8"), ("f8", "i8"), ("i8", "i8")]
)
def test_trap_22_arrays_of_other_dtypes_than_declared_have_the_gradients_of_their_values(
    dtypes, tmp_path
):
    made = golden.run(golden.emit(golden.load("elementwise_chain"), tmp_path), "chain")
    chain = made["chain_value_and_grad"]
    x, y = (np.array(a, dtype) for a, dtype in zip(([1, -2, 0], [2, 1, -1]), dtypes, strict=True))
    value, gradients = chain(x, y, 1.5, 0.3)
    want, expected = chain(x.astype(float), y.astype(float), 1.5, 0.3)
    rtol = 1e-5 if "f4" in dtypes else 1e-14
    close((value, gradients), (want, expected), rtol)
    if dtypes == ("i8", "i8"):
        assert {g.dtype for g in gradients} == {np.dtype(float)}


# What is left of y takes in what is left of x, and is as wide only if both are as declared.
MIXED = "return np.sum(np.tanh(x) * np.exp(-x * x) * np.log1p(y * y))"
CONVERTED = re.compile(r"(\w+) = np\.asarray\(\1, dtype=np\.(\w+)\)")


def mixed_by_hand(x, y):
    """The value and the gradients of MIXED."""
    t, e, u = np.tanh(x), np.exp(-x * x), np.log1p(y * y)
    d_x = (1.0 - t * t - 2.0 * x * t) * e * u
    return np.sum(t * e * u), (d_x, t * e * 2.0 * y / (1.0 + y * y))


@pytest.mark.parametrize("width", ["float64", "float32"])
def test_trap_33_what_updates_in_place_rely_on_is_converted_and_no_argument_is_written_to(width):
    made, _ = compiled(MIXED, shapes=f"x=n:{width}, y=n:{width}")
    assert CONVERTED.findall(made.source) == [("x", width), ("y", width)]
    exact = np.random.default_rng(7).normal(size=(2, 8)).astype(width)
    other = "float32" if width == "float64" else "float64"
    for x, y in (exact, (exact[0].astype(other), exact[1]), (exact[0], np.arange(8))):
        x.flags.writeable = y.flags.writeable = False
        value, gradients = made(x, y)
        wanted, by_them = mixed_by_hand(x.astype(float), y.astype(float))
        rtol = 1e-12 if width == "float64" else 1e-4
        close((value, gradients), (wanted, by_them), rtol)
        assert {g.dtype for g in gradients} == {np.dtype(width)}


def test_where_nothing_relies_on_dtypes_and_where_a_call_tells_them_nothing_is_converted():
    by_shapes, _ = compiled(DAMPED)
    assert "asarray" not in by_shapes.source
    x, y = np.random.default_rng(8).normal(size=(2, 4))
    made = gradgen.value_and_grad(function_of(with_body(MIXED, "x, y")), wrt=("x", "y"))
    close(made(x, y), mixed_by_hand(x, y))
    assert IN_PLACE.search(made.source)
    assert "asarray" not in made.source


def test_parts_of_structures_are_not_converted_and_have_no_updates_that_rely_on_it():
    made, _ = compiled("x, y = p['x'], p['y']\n" + MIXED, "p", wrt="p", shapes="p.x=n, p.y=n")
    assert "asarray" not in made.source
    x, y = np.random.default_rng(9).normal(size=(2, 5))
    for narrow in ({"x": x.astype("f4"), "y": y}, {"x": x, "y": np.arange(5)}):
        value, gradients = made(narrow)
        wide = mixed_by_hand(*(a.astype(float) for a in narrow.values()))
        close((value, tuple(gradients.values())), wide, 1e-5 if narrow["y"] is y else 1e-12)


def test_trap_22_arrays_that_all_have_another_dtype_than_declared_give_gradients_of_theirs():
    made, _ = compiled(DAMPED)
    x, y = np.random.default_rng(4).normal(size=(2, 9)).astype(np.float32)
    value, gradients = made(x, y)
    assert value.dtype == np.float32
    assert {g.dtype for g in gradients} == {np.dtype(np.float32)}
    close(gradients, by_hand(x.astype(float), y.astype(float))[1], 1e-5)


def test_trap_23_an_array_of_integers_has_the_gradient_of_its_values():
    body = "r = x[1:] - x[:-1] ** 2\ns = 1.0 - x[:-1]\nreturn np.sum(100.0 * r**2 + s**2)"
    made, f = compiled(body, "x", wrt="x", shapes="x=n")
    value, d_x = made(np.arange(4))
    assert value == f(np.arange(4))
    r, s = np.array([1.0, 1.0, -1.0]), np.array([1.0, 0.0, -1.0])
    want = np.zeros(4)
    want[1:] = 200.0 * r
    want[:-1] -= 400.0 * r * np.arange(3) + 2.0 * s
    np.testing.assert_array_equal(d_x, want)


@pytest.mark.parametrize("head", ["x[:-1]", "x[1:]"])
@pytest.mark.parametrize("n", [0, 1, 2, 6])
def test_trap_21_only_the_end_that_no_slice_covers_is_set_to_zero(head, n):
    tail = "x[1:]" if head == "x[:-1]" else "x[:-1]"
    body = f"r = {tail} - {head} ** 2\ns = 1.0 - {head}\nreturn np.sum(100.0 * r**2 + s**2)"
    made, f = compiled(body, "x", wrt="x", shapes="x=n")
    assert "np.zeros" not in made.source
    x = np.random.default_rng(6).normal(size=n)
    value, d_x = made(x)
    assert value == f(x)
    want, slices = np.zeros(n), (slice(-1), slice(1, None))
    own, other = slices if head == "x[:-1]" else slices[::-1]
    h, r = x[own], x[other] - x[own] ** 2
    want[other] += 200.0 * r
    want[own] -= 400.0 * r * h + 2.0 * (1.0 - h)
    np.testing.assert_allclose(d_x, want, rtol=1e-13)


@pytest.mark.parametrize(("body", "shapes"), [
    ("return np.sum(np.tanh(x) * y)", "x=n, y=n"),
    (DAMPED, "x=7, y=7"),
    ("return np.sum(np.tanh(x @ y) ** 2)", "x=m n, y=n"),
    ("t = np.tanh(x * y)\nreturn t * t * y + t * x", "x=scalar, y=scalar"),
])  # fmt: skip
def test_short_arrays_short_expressions_products_and_numbers_stay_expressions(body, shapes):
    f = function_of(with_body(body, "x, y"))
    source = gradgen.value_and_grad(f, wrt=("x", "y"), shapes=shapes).source
    assert not IN_PLACE.search(source)


def test_a_result_goes_into_the_array_that_out_names_and_every_view_of_it():
    body = (
        "t = np.exp(x)\nv = t[1:]\nu = np.multiply(t, y, out=t)\n"
        "np.add(v, 1.0, v)\nreturn np.sum(t * y) + np.sum(u * x)"
    )
    f = function_of(with_body(body, "x, y"))
    made = gradgen.value_and_grad(f, **BOTH)
    x, y = np.random.default_rng(5).normal(size=(2, 5))
    value, (d_x, d_y) = made(x, y)
    e, one = np.exp(x), np.r_[0.0, 1.0, 1.0, 1.0, 1.0]
    assert value == f(x, y)
    np.testing.assert_allclose(d_x, e * y * (y + x) + e * y + one, rtol=1e-13)
    np.testing.assert_allclose(d_y, e * (y + x) + e * y + one, rtol=1e-13)


def test_an_argument_that_out_names_is_not_changed():
    f = function_of(with_body("return np.sum(np.exp(x, out=x) * x)"))
    made = gradgen.value_and_grad(f, wrt="x", shapes="x=n")
    x = np.array([0.5, -1.0])
    value, d_x = made(x)
    np.testing.assert_array_equal(x, [0.5, -1.0])
    assert value == np.sum(np.exp(x) * np.exp(x))
    np.testing.assert_allclose(d_x, 2.0 * np.exp(2.0 * x), rtol=1e-15)


@pytest.mark.parametrize(("line", "message"), [
    ("np.exp(x, out=(y,))", "numpy.exp: the keyword out is not supported here"),
    ("np.exp(x[1:], out=x)", "an update in place of float64[n] with a result of float64[n-1]"),
    ("np.exp(x, out=np.zeros(len(x), int))", "an update in place of int64[n] with a result of"),
])  # fmt: skip
def test_what_numpy_would_not_store_there_is_refused(line, message):
    f = function_of(with_body(f"return np.sum({line})", "x, y"))
    with pytest.raises(gradgen.SourceError) as refused:
        gradgen.value_and_grad(f, **BOTH)
    assert message in str(refused.value)


@pytest.mark.parametrize("style", ["default", "fast"])
def test_what_a_result_reads_where_it_is_returned_is_not_written_to_before(style):
    body = "x = np.exp(K * p)\nreturn np.sum(np.square(y - q * x / (1 + x)))"
    f = function_of(with_body(body, "q, K, p, y"))
    options = {"wrt": ("q", "K"), "shapes": "q=scalar, K=scalar, p=n, y=n", "style": style}
    made = gradgen.value_and_grad(f, **options)
    p, y = np.random.default_rng(6).normal(size=(2, 6))
    value, gradients = made(2.0, 0.7, p, y)
    s = 1.0 / (1.0 + np.exp(-0.7 * p))
    g = -2.0 * (y - 2.0 * s)
    close(gradients, (np.sum(g * s), np.sum(g * 2.0 * s * (1.0 - s) * p)))
    assert value == pytest.approx(np.sum((y - 2.0 * s) ** 2), rel=1e-13)
