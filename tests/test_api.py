"""The Python interface: decorators, results, signatures, what the returned functions carry."""

import copy
import dataclasses
import functools
import importlib
import inspect
import linecache
import math
import pickle
import sys
import threading
import traceback
import types
from typing import NamedTuple

import numpy as np
import pytest

import gradgen
from gradgen import GradgenError, SourceError, emit, grad, value_and_grad
from gradgen.errors import ActiveTypeError, NotCompiledError


def product(x, y):
    return x * x * y


def total(x):
    return np.sum(x * x)


def dot(x, y):
    return np.sum(x * y)


def loop(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i] * i
    return s


def repeated(x, n):
    for _ in range(n):
        x = x * x
    return x


def mixed(x, mode="square", flag=True, factor=None):
    r = x * x if mode == "square" else x
    if flag:
        r = r * 2
    if factor is None:
        return r
    return r * factor


def message(caught):
    return str(caught.value)


def run(text, name):
    namespace = {}
    exec(text, namespace)
    return namespace[name]


# -- decorators and results ------------------------------------------------------------------------


def test_a_decorator_takes_no_arguments_or_some():
    @value_and_grad
    def plain(x, y):
        return x * y

    @value_and_grad(wrt="y")
    def chosen(x, y):
        return x * y

    @grad(wrt=("x", "y"))
    def both(x, y):
        return x * y

    assert plain(2.0, 3.0) == (6.0, 3.0)
    assert chosen(2.0, 3.0) == (6.0, 2.0)
    assert both(2.0, 3.0) == (3.0, 2.0)


@pytest.mark.parametrize(
    ("wrt", "expected"),
    [
        (None, 12.0),
        ("x", 12.0),
        ("y", 4.0),
        (1, 4.0),
        (-1, 4.0),
        (np.int64(1), 4.0),
        (("x", "y"), (12.0, 4.0)),
        (["y", 0], (4.0, 12.0)),
        (("x",), (12.0,)),
        ([1], (4.0,)),
    ],
)
def test_a_bare_wrt_gives_a_bare_gradient_and_a_sequence_a_tuple(wrt, expected):
    assert value_and_grad(product, wrt)(2.0, 3.0) == (12.0, expected)
    assert grad(product, wrt)(2.0, 3.0) == expected


@pytest.mark.parametrize(
    ("wrt", "text"),
    [
        ("z", "wrt='z': the parameters of product are x, y"),
        (2, "wrt=2: product has 2 parameters"),
        (("x", 0), "wrt=0 is given twice"),
        ((), "wrt names no parameter"),
        (1.0, "wrt=1.0: give names or positions of parameters"),
        (True, "wrt=True: give names or positions of parameters"),
        ({"x"}, "wrt={'x'}: give names or positions of parameters"),
        ({"x": 1}, "wrt={'x': 1}: give names or positions of parameters"),
    ],
)
def test_a_wrong_wrt_is_refused_by_name(wrt, text):
    with pytest.raises(GradgenError) as caught:
        grad(product, wrt)(2.0, 3.0)
    assert message(caught) == text


@pytest.mark.parametrize("ask", [grad, value_and_grad, emit])
def test_argnums_is_answered_with_an_error_that_names_wrt(ask):
    with pytest.raises(TypeError) as caught:
        ask(product, argnums=1)
    assert message(caught) == (
        "unexpected keyword argument 'argnums'; use wrt, with names or positions"
    )
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        ask(product, foo=1)


def test_auxiliary_results_and_chosen_outputs():
    def f(x):
        return x * x, {"next": x + 1}

    def g(x):
        return x, x * x * x

    assert value_and_grad(f, has_aux=True)(2.0) == ((4.0, {"next": 3.0}), 4.0)
    assert grad(f, has_aux=True)(2.0) == (4.0, {"next": 3.0})
    assert value_and_grad(g, output=1)(2.0) == (8.0, 12.0)
    assert grad(g, output=0)(2.0) == 1.0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "pair returns several values; choose one with --output K (output=K), "
             "or return (value, aux) and pass has_aux=True"),
        ({"output": 5}, "output=5: pair has no such result"),
        ({"output": -1}, "output=-1: pair has no such result"),
        ({"output": 0, "has_aux": True}, "has_aux and output exclude each other"),
    ],
)  # fmt: skip
def test_several_results_are_refused_with_the_way_out(options, text):
    def pair(x):
        return x, x * x

    with pytest.raises(GradgenError) as caught:
        grad(pair, **options)(2.0)
    assert message(caught) == text


def test_a_vector_result_is_refused_with_the_hint():
    def double(x):
        return x * 2

    with pytest.raises(SourceError) as caught:
        grad(double, shapes="x=n")
    assert caught.value.msg == "the result of double is an array of shape (n,), not one number"
    assert caught.value.hint == "return np.sum(...), or use mode vjp"
    assert caught.value.text.strip() == "return x * 2"
    with pytest.raises(SourceError):
        grad(double)(np.ones(3))


def test_a_constant_has_gradient_zero_and_an_integer_no_derivative():
    assert value_and_grad(lambda x: 3)(2.0) == (3, 0.0)
    with pytest.raises(SourceError, match="is int, which has no derivative"):
        value_and_grad(lambda x: len(x))(np.ones(3))
    with pytest.raises(SourceError, match="is bool, which has no derivative"):
        value_and_grad(lambda x: x > 3)(2.0)


def test_a_function_without_parameters_is_refused():
    def nothing():
        return 1.0

    with pytest.raises(GradgenError, match="nothing has no parameter to differentiate"):
        grad(nothing)()
    with pytest.raises(GradgenError, match="nothing has no parameter to differentiate"):
        emit(nothing)


@pytest.mark.parametrize("given", [np.arange(3), np.ones(3, bool), np.arange(3, dtype="u1")])
def test_an_array_of_integers_cannot_be_differentiated(given):
    with pytest.raises(ActiveTypeError, match=r"the argument x is .*pass floats") as caught:
        value_and_grad(total)(given)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(ActiveTypeError):
        value_and_grad(total, like=(given,))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (np.ones(3, complex), "x: arrays of complex128 are not supported; use float64 or float32"),
        (np.ones(3, "f2"), "x: arrays of float16 are not supported; use float64 or float32"),
        (np.ones(3, object), "x: arrays of object are not supported; use float64 or float32"),
        (np.ma.array([1.0]), "x: masked arrays are not supported"),
        ({1.0}, "x: an argument of type set is not supported"),
        (1j, "x: an argument of type complex is not supported"),
        (np.True_, "x: pass a bool, not a NumPy one: bool(...)"),
    ],
)
def test_an_unsupported_argument_is_refused_by_name(given, text):
    with pytest.raises(GradgenError) as caught:
        grad(total)(given)
    assert message(caught) == text


def test_a_matrix_is_refused_since_its_operators_mean_something_else():
    class Odd(np.ndarray):
        pass

    with pytest.raises(GradgenError, match="x: arrays of type Odd are not supported"):
        grad(total)(np.ones(3).view(Odd))


@pytest.mark.parametrize("wrong", [3, "f", None.__class__, dict])
def test_what_is_no_function_is_refused(wrong):
    with pytest.raises(GradgenError, match="is not a function"):
        grad(wrong)


def test_star_arguments_are_refused_by_name():
    def stars(x, *rest):
        return x

    def words(x, **rest):
        return x

    with pytest.raises(GradgenError, match=r"takes \*rest; name the arguments one by one"):
        grad(stars)
    with pytest.raises(GradgenError, match=r"takes \*\*rest; name the arguments one by one"):
        grad(words)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"target": "c"}, "target='c': choose one of numpy, python"),
        ({"style": "c"}, "style='c': choose one of default, fast"),
    ],
)
def test_an_unknown_option_is_refused_at_once(options, text):
    with pytest.raises(GradgenError) as caught:
        grad(product, **options)
    assert message(caught) == text
    with pytest.raises(GradgenError, match="mode='jac': choose one of value_and_grad, grad, pair"):
        emit(product, mode="jac")


# -- declared and undeclared -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared",
    [
        {"shapes": "x=n, y=n"},
        {"shapes": {"x": "n", "y": ("n",)}},
        {"shapes": {"x": 3, "y": (3,)}},
        {"like": (np.ones(3), np.ones(3))},
        {"like": [np.ones(3), np.ones(3)]},
        {"like": {"y": np.ones(3), "x": np.ones(3)}},
        {"like": (np.ones(3),), "shapes": "y=3"},
    ],
)
def test_declared_shapes_give_the_emitted_function_itself(declared):
    made = value_and_grad(dot, ("x", "y"), **declared)
    assert type(made) is types.FunctionType
    assert made.__name__ == "dot"
    assert made.__module__ == __name__
    assert made.source.startswith("def dot_value_and_grad(x, y):")
    assert made.graph.name == "dot"
    value, (d_x, d_y) = made(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    assert value == 32.0
    assert d_x.tolist() == [4.0, 5.0, 6.0]
    assert d_y.tolist() == [1.0, 2.0, 3.0]


def test_annotations_declare():
    @grad
    def f(x: float, n: "int"):
        return x**n

    assert type(f) is types.FunctionType
    assert f(3.0, 2) == 6.0


def test_like_is_checked():
    with pytest.raises(GradgenError, match="like takes a tuple or a dict of example arguments"):
        grad(product, like=2.0)
    with pytest.raises(GradgenError, match="like has 3 items, the function 2 parameters"):
        grad(product, like=(1.0, 2.0, 3.0))
    with pytest.raises(SourceError, match="shapes declares z, which is not a parameter"):
        grad(product, like={"z": 1.0})


def test_the_source_before_the_first_call_says_that_it_is_not_there_yet():
    made = grad(product)
    for name in ("source", "graph"):
        with pytest.raises(NotCompiledError) as caught:
            getattr(made, name)
        assert message(caught) == (
            "product is compiled at its first call, when the shapes are known; "
            f"call it first, or declare shapes= or like= to have .{name} at once"
        )
        assert not hasattr(made, name)
    made(1.0, 2.0)
    assert "def product_grad(x, y):" in made.source
    assert made.graph.name == "product"


def test_an_undeclared_function_keeps_its_name_doc_and_module():
    def documented(x):
        """What it says."""
        return x * x

    made = grad(documented)
    assert made.__name__ == "documented"
    assert made.__doc__ == "What it says."
    assert made.__module__ == __name__


def test_one_function_is_compiled_per_signature():
    made = value_and_grad(dot, ("x", "y"))
    count = 0
    cases = [((5,), (5,), 1), ((1,), (5,), 2), ((5,), (1,), 3), ((7,), (7,), 3), ((1,), (1,), 4),
             ((3, 5), (5,), 5), ((4, 2), (2,), 5), ((5, 5), (5,), 6),
             ((3, 1), (5,), 7)]  # fmt: skip
    for left, right, count in cases:
        x, y = np.full(left, 2.0), np.full(right, 3.0)
        value, (d_x, d_y) = made(x, y)
        both = np.broadcast_shapes(left, right)
        assert value == 6.0 * np.prod(both)
        assert d_x.shape == left
        assert d_y.shape == right
        assert np.all(d_x == 3.0 * np.prod(both) / np.prod(left))
        assert np.all(d_y == 2.0 * np.prod(both) / np.prod(right))
        assert len(made._compiled) == count
    assert count == 7


def test_dtype_and_kind_belong_to_the_signature():
    made = grad(total)
    assert made(np.ones(2, "f4")).dtype == np.float32
    assert made(np.ones(2)).dtype == np.float64
    assert type(made(2.0)) is float
    assert type(made(np.float32(2.0))) is np.float32
    assert made(np.array(2.0)).shape == ()
    assert made(np.ones(2, ">f8")).tolist() == [2.0, 2.0]


def test_lengths_that_do_not_fit_are_refused_with_the_lengths():
    with pytest.raises(SourceError) as caught:
        grad(dot)(np.ones(4), np.ones(5))
    assert caught.value.msg.startswith("lengths 4 and 5 meet elementwise")


def test_a_concrete_length_is_in_the_signature_only_where_it_is_needed():
    made = grad(loop)
    for n in (3, 4, 3, 0):
        assert made(np.ones(n)).tolist() == list(range(n))
    assert len(made._compiled) == 3
    free = grad(total)
    for n in (3, 4, 7):
        free(np.ones(n))
    assert len(free._compiled) == 1


def test_a_python_int_is_fixed_only_where_its_value_is_needed():
    power = value_and_grad(lambda x, n: x**n)
    assert power(2.0, 3) == (8.0, 12.0)
    assert power(2.0, 4) == (16.0, 32.0)
    assert len(power._compiled) == 1

    made = value_and_grad(repeated)
    assert made(2.0, 3) == (256.0, 1024.0)
    assert made(2.0, 2) == (16.0, 32.0)
    assert made(2, 2) == (16, 32.0)
    assert made(2.0, 3) == (256.0, 1024.0)
    assert len(made._compiled) == 2
    for _ in range(2):
        with pytest.raises(SourceError, match="this must be known while compiling"):
            made(2.0, 2.0)
    assert made(2.0, 1) == (4.0, 4.0)


def test_a_length_that_is_needed_does_not_fix_the_ints_beside_it():
    def weighted(x, k):
        s = 0.0
        for i in range(len(x)):
            s += k * x[i]
        return s

    made = grad(weighted)
    for k in (2, 3, 4):
        assert made(np.ones(2), k).tolist() == [k, k]
    assert len(made._compiled) == 1


def test_an_int_in_a_structure_of_wrt_stays_a_number():
    def f(p, n):
        r = p[0]
        for _ in range(n):
            r = r * p[1]
        return r

    assert grad(f)([2, 3], 2) == [9.0, 12.0]


def test_like_fixes_an_int_only_where_its_value_is_needed():
    power = value_and_grad(lambda x, n: x**n, like=(2.0, 3))
    assert power(2.0, 4) == (16.0, 32.0)
    made = value_and_grad(repeated, like=(2.0, 2))
    assert made(2.0, 2) == (16.0, 32.0)
    with pytest.raises(ValueError, match="this code is for n=2"):
        made(2.0, 3)


def test_shortcuts_never_serve_another_signature():
    made = value_and_grad(repeated)
    assert made(2.0, 1)[0] == 4.0
    assert made(2.0, 2)[0] == 16.0
    assert made(2.0, 1)[0] == 4.0

    def flagged(x, flag):
        return x * x if flag else x

    chosen = value_and_grad(flagged)
    for _ in range(2):
        assert chosen(3.0, True) == (9.0, 6.0)
        assert chosen(3.0, False) == (3.0, 1.0)
        assert chosen(3.0, 1) == (9.0, 6.0)

    arrays = value_and_grad(dot, ("x", "y"))
    for _ in range(2):
        for n in (1, 2, 3):
            x = np.arange(n) + 1.0
            assert arrays(x, np.ones(3))[1][0].tolist() == [3.0] if n == 1 else True
            assert arrays(x, x)[0] == np.sum(x * x)
            if n == 2:
                with pytest.raises(SourceError):
                    arrays(x, np.ones(3))


def test_the_number_of_shortcuts_is_bounded():
    made = grad(total)
    for n in range(2, gradgen.live.MAX_SHORTCUTS + 10):
        made(np.ones(n))
    assert len(made._shortcuts) <= gradgen.live.MAX_SHORTCUTS
    assert len(made._compiled) == 1


@pytest.mark.bench
def test_dispatch_of_numbers_takes_well_under_a_microsecond():
    import timeit

    for arguments in ((2.0, 3.0), (np.float64(2.0), np.float64(3.0)), (2, 3)):
        made = value_and_grad(product)
        made(*arguments)
        plain = made._latest
        number = 100_000
        whole = min(timeit.repeat(lambda f=made, a=arguments: f(*a), number=number, repeat=5))
        bare = min(timeit.repeat(lambda f=plain, a=arguments: f(*a), number=number, repeat=5))
        assert (whole - bare) / number < 1e-6


# -- calls -----------------------------------------------------------------------------------------


def test_calls_take_keywords_and_defaults():
    def f(x, y=3.0, *, k=2):
        return x**k * y

    for made in (value_and_grad(f), value_and_grad(f, shapes="x=scalar")):
        assert made(2.0) == (12.0, 12.0)
        assert made(2.0, 4.0) == (16.0, 16.0)
        assert made(2.0, k=3) == (24.0, 36.0)
        assert made(2.0, 4.0, k=3.0) == (32.0, 48.0)
        assert made(y=1.0, x=2.0) == (4.0, 4.0)


@pytest.mark.parametrize(
    ("args", "keywords"),
    [((2.0,), {"x": 3.0}), ((2.0,), {"z": 3.0}), ((2.0,), {}), ((), {}), ((1.0, 2.0, 3.0), {})],
)
def test_a_wrong_call_is_a_type_error(args, keywords):
    for made in (grad(product), grad(product, shapes="x=scalar, y=scalar")):
        with pytest.raises(TypeError):
            made(*args, **keywords)


def test_positional_only_and_keyword_only_parameters_stay_so():
    def f(x, /, y, *, z):
        return x * y * z

    for made in (grad(f), grad(f, shapes="x=scalar")):
        assert made(2.0, 3.0, z=4.0) == 12.0
        assert made(2.0, y=3.0, z=4.0) == 12.0
        for args, keywords in (((2.0, 3.0, 4.0), {}), ((), {"x": 1.0, "y": 2.0, "z": 3.0})):
            with pytest.raises(TypeError):
                made(*args, **keywords)


def test_static_arguments_choose_the_code():
    made = value_and_grad(mixed)
    assert made(2.0) == (8.0, 8.0)
    assert made(2.0, "plain") == (4.0, 2.0)
    assert made(2.0, "plain", False) == (2.0, 1.0)
    assert made(2.0, factor=5.0) == (40.0, 40.0)
    with pytest.raises(GradgenError, match="wrt='mode': the argument is fixed while compiling"):
        grad(mixed, wrt="mode")(2.0)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"mode": "plain"}, "this code is for mode='square'"),
        ({"flag": False}, "this code is for flag=True"),
        ({"factor": 2.0}, "this code is for factor=None"),
    ],
)
def test_emitted_code_refuses_another_value_of_a_static_argument(keywords, text):
    emitted = run(emit(mixed), "mixed_value_and_grad")
    assert emitted(3.0) == (18.0, 12.0)
    with pytest.raises(ValueError) as caught:
        emitted(3.0, **keywords)
    assert message(caught) == text


def test_static_parts_of_structures_are_guarded_too():
    def f(p, x):
        return x * x * p["k"] if p["mode"][0] == "square" else x

    made = grad(f, wrt="x", like=({"mode": ("square", None), "k": 2.0}, 1.0))
    assert made({"mode": ("square", None), "k": 3.0}, 2.0) == 12.0
    with pytest.raises(ValueError, match="this code is for p"):
        made({"mode": ("plain", None), "k": 3.0}, 2.0)
    with pytest.raises(ValueError, match="this code is for p"):
        made({"mode": ("square", 1), "k": 3.0}, 2.0)


# -- structures ------------------------------------------------------------------------------------


class Layer(NamedTuple):
    W: np.ndarray
    b: float


@dataclasses.dataclass
class Model:
    W: np.ndarray
    b: float
    inner: object = 1.0


W = np.arange(6.0).reshape(2, 3)
X = np.array([1.0, 2.0, -1.0])
RESIDUAL = W @ X + 2.0
D_W = 2.0 * np.outer(RESIDUAL, X)
D_B = 2.0 * RESIDUAL.sum()


@pytest.mark.parametrize(
    ("function", "params"),
    [
        (lambda p, x: np.sum((p.W @ x + p.b) ** 2), Layer(W, 2.0)),
        (lambda p, x: np.sum((p.W @ x + p.b) ** 2), Model(W, 2.0)),
        (lambda p, x: np.sum((p["W"] @ x + p["b"]) ** 2), {"W": W, "b": 2.0}),
        (lambda p, x: np.sum((p[0] @ x + p[1]) ** 2), [W, 2.0]),
        (lambda p, x: np.sum((p[0] @ x + p[1]) ** 2), (W, 2.0)),
    ],
    ids=["namedtuple", "dataclass", "dict", "list", "tuple"],
)
def test_gradients_have_the_structure_of_the_parameter(function, params):
    made = value_and_grad(function)
    value, found = made(params, X)
    assert type(found) is type(params)
    assert value == pytest.approx(np.sum(RESIDUAL**2))
    if isinstance(params, Model):
        assert found.inner == 0.0
        parts = [found.W, found.b]
    else:
        parts = list(found.values() if isinstance(found, dict) else found)
    np.testing.assert_allclose(parts[0], D_W)
    assert parts[1] == pytest.approx(D_B)
    assert ("type(p)(W=" in made.source) == hasattr(params, "W")


def test_structures_nest():
    def f(p):
        return np.sum(p["a"][0].W) * p["a"][0].b * p["c d"][1]

    made = grad(f)
    params = {"a": [Layer(W, 2.0)], "c d": (1.0, 3.0)}
    found = made(params)
    assert list(found) == ["a", "c d"]
    (layer,) = found["a"]
    assert type(layer) is Layer
    assert layer.W.tolist() == [[6.0] * 3] * 2
    assert layer.b == 45.0
    assert found["c d"] == (0.0, 30.0)
    assert 'type(p["a"][0])(W=' in made.source


def test_a_dataclass_that_cannot_be_rebuilt_is_refused():
    @dataclasses.dataclass
    class Derived:
        a: float
        twice: float = dataclasses.field(init=False, default=0.0)

    with pytest.raises(GradgenError, match=r"p\.twice: a field with init=False is not supported"):
        grad(lambda p: p.a * p.a)(Derived(2.0))


# -- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(x),
        lambda x: x[0, 0] * 1.0,
        lambda x: 0.5 * np.sum(x * x),
        lambda x: 0.5 * np.sum(x.T * x.T),
        lambda x: np.sum(x.ravel()),
        lambda x: np.mean(x, axis=0)[1],
        lambda x: np.sum(np.sum(x, axis=1)),
        lambda x: np.sum(x[::2]),
        lambda x: np.sum(x @ np.ones(3)),
        lambda x: np.max(x),
        lambda x: 3.0,
    ],
)  # fmt: skip
def test_a_gradient_is_a_fresh_writable_array(function):
    x = np.arange(6.0).reshape(2, 3) + 1.0
    kept = x.copy()
    found = grad(function)(x)
    assert not np.shares_memory(found, x)
    assert found.flags.writeable
    found += 1.0
    assert 0 not in found.strides
    assert np.array_equal(x, kept)


@pytest.mark.parametrize("declared", [{}, {"shapes": "x=n, y=n"}])
def test_a_gradient_never_is_the_other_argument(declared):
    def f(x, y):
        return x @ y

    x, y = np.ones(3), np.arange(3.0)
    _, (d_x, d_y) = value_and_grad(f, ("x", "y"), **declared)(x, y)
    assert d_x.tolist() == y.tolist()
    for made in (d_x, d_y):
        assert not np.shares_memory(made, x)
        assert not np.shares_memory(made, y)


def test_a_gradient_never_is_a_captured_array():
    weights = np.array([1.0, 2.0])

    def f(x):
        return weights @ x

    made = grad(f)
    for _ in range(2):
        found = made(np.ones(2))
        assert found.tolist() == [1.0, 2.0]
        found += 5.0
    assert weights.tolist() == [1.0, 2.0]


def test_what_is_written_into_a_captured_array_is_seen():
    weights = np.array([1.0, 2.0])

    def f(x):
        return weights @ x

    made = grad(f)
    assert made(np.ones(2)).tolist() == [1.0, 2.0]
    weights *= 2.0
    assert made(np.ones(2)).tolist() == [2.0, 4.0]


def test_an_adjoint_never_is_the_seed():
    def shifted(x):
        return x + 1

    namespace = {}
    exec(emit(shifted, mode="pair", shapes="x=n"), namespace)
    _, saved = namespace["shifted_forward"](np.ones(3))
    seed = np.ones(3)
    found = namespace["shifted_backward"](saved, seed)
    assert found.tolist() == [1.0, 1.0, 1.0]
    assert not np.shares_memory(found, seed)


def locked(x):
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    "x",
    [
        locked(np.ones((3, 2))),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10.0)[::-2],
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)[::2],
        np.broadcast_to(np.float64(2.0), (3, 2)),
        np.array(2.0),
        np.zeros(0),
        np.zeros((0, 3)),
    ],
    ids=["read-only", "Fortran", "reversed", "transposed", "broadcast", "0-d", "empty", "empty2"],
)
def test_inputs_of_any_layout(x):
    kept = x.copy()
    value, found = value_and_grad(lambda x: np.sum(x * x * np.sin(x)))(x)
    assert value == np.sum(x * x * np.sin(x))
    np.testing.assert_allclose(found, 2 * x * np.sin(x) + x * x * np.cos(x), rtol=1e-14)
    assert type(found) is np.ndarray
    assert found.shape == x.shape
    assert np.array_equal(x, kept)


# -- callables -------------------------------------------------------------------------------------


class Quadratic:
    def __init__(self):
        self.W = np.array([[2.0, 1.0], [1.0, 3.0]])
        self.power = 1

    def loss(self, x):
        return (x @ self.W @ x) ** self.power

    def __call__(self, x):
        return x @ self.W @ x

    @value_and_grad(wrt="x")
    def decorated(self, x):
        return x @ self.W @ x

    @staticmethod
    @value_and_grad
    def static(x):
        return x * x


@pytest.mark.parametrize("get", [lambda q: q.loss, lambda q: q], ids=["method", "object"])
def test_bound_methods_and_callable_objects_capture_their_attributes(get):
    x = np.array([1.0, -2.0])
    value, found = value_and_grad(get(Quadratic()))(x)
    assert value == 10.0
    np.testing.assert_allclose(found, 2 * Quadratic().W @ x)


def test_partials_capture_their_arguments():
    def f(p, x, *, k):
        return k * np.sum(p * x)

    x = np.array([1.0, 2.0])
    assert grad(functools.partial(f, k=3.0))(np.ones(2), x).tolist() == [3.0, 6.0]
    assert grad(functools.partial(f, x, k=3.0))(np.ones(2)).tolist() == [3.0, 6.0]
    nested = functools.partial(functools.partial(f, k=1.0), k=2.0)
    assert grad(nested, shapes="p=2, x=2")(np.ones(2), x).tolist() == [2.0, 4.0]


def test_what_a_partial_gives_by_name_is_passed_there_and_nowhere_else():
    def f(x, a, b):
        return np.sum(a * x**2) + b

    of = gradgen.value_and_grad(functools.partial(f, a=2.0))
    assert of(np.ones(2), b=3.0)[0] == 7.0
    with pytest.raises(TypeError) as caught:
        of(np.ones(2), b=3.0, a=1.0)
    assert str(caught.value) == "f() has a from its partial; leave it out there to pass it"


def test_a_decorated_method_takes_self_as_an_argument():
    @dataclasses.dataclass
    class Line:
        slope: float

        @value_and_grad(wrt="x")
        def at(self, x):
            return self.slope * x * x

    line = Line(2.0)
    assert line.at(3.0) == (18.0, 12.0)
    line.slope = 1.0
    assert line.at(3.0) == (9.0, 6.0)
    assert Quadratic.static(3.0) == (9.0, 6.0)
    assert Quadratic().static(3.0) == (9.0, 6.0)


def test_a_decorated_method_of_another_class_is_refused_by_name():
    with pytest.raises(GradgenError) as caught:
        Quadratic().decorated(np.ones(2))
    assert message(caught) == (
        "self: an argument of type Quadratic is not supported; "
        "make it a dataclass, or differentiate the bound method (object.method)"
    )
    with pytest.raises(GradgenError) as caught:
        emit(Quadratic.loss, shapes="x=n")
    assert message(caught) == (
        "Quadratic.loss is a method, and nothing declares self; "
        "differentiate the bound method (object.method) instead"
    )


def test_static_and_class_methods_are_told_where_the_decorator_goes():
    for wrap in (staticmethod, classmethod):
        with pytest.raises(GradgenError, match=f"a {wrap.__name__} object: put the decorator"):
            grad(wrap(product))


# -- what the functions carry ----------------------------------------------------------------------


@pytest.mark.parametrize("declared", [{}, {"shapes": "x=n"}])
def test_tracebacks_and_debuggers_show_the_emitted_lines(declared):
    def f(x):
        picked = np.sum(x[np.array([7])])
        return picked * picked

    made = grad(f, **declared)
    if not declared:
        made(np.ones(9))
    with pytest.raises(IndexError) as caught:
        made(np.ones(3))
    shown = traceback.format_exception(caught.value)
    assert any("<gradgen f_grad" in line and "x[" in line for line in shown)
    code = (made if declared else made._latest).__code__
    assert inspect.getsource(made if declared else made._latest).startswith("def f_grad(x):")
    assert linecache.getline(code.co_filename, code.co_firstlineno) == "def f_grad(x):\n"


TEMPORARY = """\
from gradgen import grad, value_and_grad

@value_and_grad
def undeclared(x, y):
    return x * y

@grad(shapes="x=scalar")
def declared(x):
    return x * x * x
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "temporary_gradients.py").write_text(TEMPORARY, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("temporary_gradients")
    sys.modules.pop("temporary_gradients", None)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_functions_pickle_where_they_are_reachable_by_name(module, protocol):
    for made in (module.undeclared, module.declared):
        assert pickle.loads(pickle.dumps(made, protocol)) is made
    module.undeclared(2.0, 3.0)
    assert pickle.loads(pickle.dumps(module.undeclared, protocol))(2.0, 3.0) == (6.0, 3.0)


def test_a_function_that_is_not_reachable_by_name_does_not_pickle(module):
    for made in (grad(product), grad(product, shapes="x=scalar")):
        with pytest.raises(pickle.PicklingError):
            pickle.dumps(made)


def test_copies_work(module):
    for duplicate in (copy.copy, copy.deepcopy):
        assert duplicate(module.undeclared)(2.0, 3.0) == (6.0, 3.0)
        assert duplicate(module.declared)(2.0) == 12.0


@pytest.mark.parametrize("make", [lambda: grad(loop), lambda: grad(loop, shapes="x=5")])
def test_a_hundred_threads_agree(make):
    made = make()
    ready = threading.Barrier(100)
    found, failed = [], []

    def work():
        ready.wait()
        try:
            found.append(made(np.ones(5)).tolist())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert found == [[0.0, 1.0, 2.0, 3.0, 4.0]] * 100
    assert isinstance(made, types.FunctionType) or len(made._compiled) == 1


def test_compiling_functions_in_threads_at_once():
    found, failed = {}, []

    def work(k):
        try:
            found[k] = grad(lambda x: np.sum(np.sin(x) * k))(np.zeros(2)).tolist()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert found == {float(k): [k, k] for k in range(30)}


# -- optimisers ------------------------------------------------------------------------------------


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B"])
@pytest.mark.parametrize("declared", [{}, {"shapes": "x=n"}])
def test_scipy_minimises_with_it_as_it_is(method, declared):
    from scipy import optimize

    found = optimize.minimize(
        value_and_grad(rosenbrock, **declared), np.array([-1.2, 1.0, 0.5]), jac=True, method=method
    )
    assert found.success
    np.testing.assert_allclose(found.x, np.ones(3), atol=1e-4)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B"])
def test_scipy_solves_least_squares_with_args(method):
    from scipy import optimize

    A = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]])
    b = np.array([1.0, 2.0, 3.0])

    def loss(w, A, b):
        r = A @ w - b
        return r @ r

    found = optimize.minimize(value_and_grad(loss), np.zeros(2), (A, b), jac=True, method=method)
    np.testing.assert_allclose(found.x, np.linalg.lstsq(A, b, rcond=None)[0], atol=1e-6)


# -- emit ------------------------------------------------------------------------------------------


def test_lambdas_and_nested_functions_are_emitted():
    k = 3.0

    def inner(x):
        return k * x**2

    text = emit(inner)
    assert "\nk = 3.0\n" in text
    assert run(text, "inner_value_and_grad")(2.0) == (12.0, 12.0)
    assert run(emit(lambda x: x * x), "f_value_and_grad")(3.0) == (9.0, 6.0)
    one, two = (lambda x: x * x * x), (lambda x: 5 * x)
    assert run(emit(one), "f_value_and_grad")(2.0) == (8.0, 12.0)
    assert run(emit(two), "f_value_and_grad")(2.0) == (10.0, 5)


def test_captured_values_stand_at_the_top_of_the_file():
    small, whole, odd = np.array([1.5, 2.5], "f4"), 3, float("nan")

    def f(x):
        return np.sum(small * x) * whole + 0 * odd

    text = emit(f, shapes="x=2")
    assert "\nsmall = np.array([1.5, 2.5], dtype=np.float32)\n" in text
    assert "\nwhole = 3\n" in text
    assert "\nodd = np.nan\n" in text
    assert run(text, "f_value_and_grad")(np.ones(2))[1].tolist() == [4.5, 7.5]


def test_a_large_captured_array_is_refused_by_emit_and_used_live():
    large = np.arange(100.0)

    def f(x):
        return large @ x

    assert np.array_equal(grad(f)(np.ones(100)), large)
    with pytest.raises(GradgenError) as caught:
        emit(f, shapes="x=100")
    assert message(caught) == (
        "the captured array large is too large to be written as a literal; pass it as an argument"
    )


def test_the_python_target_takes_numbers_only():
    def f(x):
        return np.exp(x) * np.sin(x)

    text = emit(f, target="python")
    assert "import numpy" not in text
    header = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("#")]
    assert (
        "np.exp, np.sin became Python's own or math's: the last bit may differ, and "
        "OverflowError, ValueError or ZeroDivisionError is raised where NumPy gives inf or nan."
    ) in " ".join(header)
    value, found = run(text, "f_value_and_grad")(2.0)
    assert value == math.exp(2.0) * math.sin(2.0)
    assert found == pytest.approx(math.exp(2.0) * (math.sin(2.0) + math.cos(2.0)), rel=1e-15)
    assert value_and_grad(f, target="python")(2.0) == (value, found)


def test_the_python_target_refuses_arrays_with_a_place():
    def f(x):
        return np.sum(x * x)

    with pytest.raises(SourceError) as caught:
        emit(f, target="python", shapes="x=n")
    assert caught.value.msg == "the python target takes numbers only, not float64[n]"
    assert caught.value.hint == "use --target numpy"
    assert caught.value.text.strip() == "return np.sum(x * x)"


@pytest.mark.parametrize(
    ("function", "shapes", "arguments"),
    [
        (lambda x, y: np.sin(x) * y + x**2, None, (0.7, 1.3)),
        (lambda x, y: np.sum(np.tanh(x) * y**2), "x=n, y=n", (np.arange(3.0), np.ones(3))),
        (lambda x, y: np.sum(np.exp(x @ y)), "x=n m, y=m", (W / 9, X)),
        (lambda x, y: x + y, None, (1.0, 2.0)),
    ],
)
def test_the_pair_agrees_with_value_and_grad(function, shapes, arguments):
    namespace = {}
    exec(emit(function, ("x", "y"), shapes=shapes, mode="pair"), namespace)
    value, saved = namespace["f_forward"](*arguments)
    expected, gradients = value_and_grad(function, ("x", "y"), shapes=shapes)(*arguments)
    assert value == expected
    for seed in (1.0, -2.5):
        for mine, other in zip(namespace["f_backward"](saved, seed), gradients, strict=True):
            np.testing.assert_allclose(mine, seed * other, rtol=1e-13)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x, y: np.sin(x) * y, (3,)),
        (lambda x, y: np.outer(x, y), (3, 3)),
        (lambda x, y: np.concatenate([x[1:], y * 2, x]), (8,)),
        (lambda x, y: (x * y).reshape(3, 1) @ (x * x).reshape(1, 3), (3, 3)),
        (lambda x, y: x - y, (3,)),
    ],
)
def test_the_pair_takes_an_array_as_seed(function, shape):
    x, y = np.array([0.3, -1.0, 2.0]), np.array([1.5, 0.2, -0.7])
    namespace = {}
    exec(emit(function, ("x", "y"), shapes="x=3, y=3", mode="pair"), namespace)
    value, saved = namespace["f_forward"](x, y)
    assert np.array_equal(value, function(x, y))
    seed = np.cos(np.arange(float(np.prod(shape)))).reshape(shape)
    found = namespace["f_backward"](saved, seed)
    for at, mine in enumerate(found):
        for i in range(3):
            ahead, behind = [x.copy(), y.copy()], [x.copy(), y.copy()]
            ahead[at][i] += 1e-6
            behind[at][i] -= 1e-6
            slope = (function(*ahead) - function(*behind)) / 2e-6
            assert np.sum(seed * slope) == pytest.approx(mine[i], rel=1e-7, abs=1e-8)


def test_emitting_twice_gives_the_same_bytes():
    assert emit(rosenbrock, shapes="x=n") == emit(rosenbrock, shapes="x=n")
