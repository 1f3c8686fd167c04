"""What is declared of arguments: the syntax of shapes, annotations, lengths."""

import linecache

import numpy as np
import pytest

from gradgen import GradgenError, SourceError, emit, grad, value_and_grad
from gradgen.read import parse_shapes
from gradgen.types import FLOAT, INT, Dim, Type

n, m, d, h = map(Dim.symbol, "nmdh")


def array(*shape, dtype="float64"):
    return Type("array", dtype, shape)


def function_of(text):
    """The function `f` of a source that `inspect` finds."""

    class Annotated:
        def __class_getitem__(cls, _):
            return cls

    kinds = ("Float", "Float32", "Float64", "Int", "Int32", "Bool", "Num", "Complex")
    namespace = {"np": np, **dict.fromkeys(kinds, Annotated)}
    name = f"<declared {hash(text)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), namespace)
    return namespace["f"]


def shapes_line(text):
    return next(
        line.partition(": ")[2]
        for line in text.splitlines()
        if line.startswith("# gradgen-shapes:")
    )


# -- the syntax ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=n", {"x": array(n)}),
        ("x=n d", {"x": array(n, d)}),
        ("x=n d,y=n:float32,a=scalar",
         {"x": array(n, d), "y": array(n, dtype="float32"), "a": FLOAT}),
        ("  x = n   d , y=n : float32, ", {"x": array(n, d), "y": array(n, dtype="float32")}),
        ("x=n\td", {"x": array(n, d)}),
        ("a=float,b=int,c=scalar:float32", {"a": FLOAT, "b": INT, "c": Type("scalar", "float32")}),
        ("x=()", {"x": array()}),
        ("x=():float32", {"x": array(dtype="float32")}),
        ("x=3", {"x": array(3)}),
        ("x=0", {"x": array(0)}),
        ("x=3 n 1", {"x": array(3, n, 1)}),
        ("x=n:int64,y=n:bool", {"x": array(n, dtype="int64"), "y": array(n, dtype="bool")}),
        ("x=n:uint8", {"x": array(n, dtype="uint8")}),
        ("x=n:f4,y=n:>f8", {"x": array(n, dtype="float32"), "y": array(n)}),
        ("p.W=d h,p.b=h", {"p": {"W": array(d, h), "b": array(h)}}),
        ("p.0=n,p.1=scalar", {"p": (array(n), FLOAT)}),
        ("p.1=n,p.0=scalar", {"p": (FLOAT, array(n))}),
        ("p.a.0=n,p.a.1.b=m", {"p": {"a": (array(n), {"b": array(m)})}}),
        ("größe=n", {"größe": array(n)}),
        ("", {}),
        ("  ", {}),
    ],
)  # fmt: skip
def test_a_text_declares(text, expected):
    assert parse_shapes(text) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        ({}, {}),
        ({"x": "n d"}, {"x": array(n, d)}),
        ({"x": ("n", 3)}, {"x": array(n, 3)}),
        ({"x": ["n"]}, {"x": array(n)}),
        ({"x": 3}, {"x": array(3)}),
        ({"x": np.int64(3)}, {"x": array(3)}),
        ({"x": (np.int64(3), "n-1")}, {"x": array(3, n - 1)}),
        ({"x": ()}, {"x": array()}),
        ({"x": "scalar", "p.W": (2,)}, {"x": FLOAT, "p": {"W": array(2)}}),
    ],
)
def test_a_dict_declares(given, expected):
    assert parse_shapes(given) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n-1", n - 1),
        ("n+1", n + 1),
        ("2*n", 2 * n),
        ("2*n+1", 2 * n + 1),
        ("n*d", n * d),
        ("d*n-n*d+3", 3),
        ("n+n-m", 2 * n - m),
        ("n-n", 0),
        ("10-n", 10 - n),
        ("-n+10", 10 - n),
        ("-2*n+m-1", m - 2 * n - 1),
    ],
)
def test_dimensions_are_polynomials(text, expected):
    assert parse_shapes(f"x={text}") == {"x": array(expected)}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x", "expected name=dimensions, not 'x'"),
        ("x=n,y", "expected name=dimensions, not 'y'"),
        ("=n", "expected name=dimensions, not ''"),
        (",", "expected name=dimensions, not ''"),
        ("x=n,,y=m", "expected name=dimensions, not ''"),
        ("x=", "x: no dimensions; write scalar, or () for an array without axes"),
        ("x=:float32", "x: no dimensions; write scalar, or () for an array without axes"),
        ("x=n:", "x: no dtype behind the colon"),
        ("x=n:foo", "x: 'foo' is not a dtype"),
        ("x=n:float32:int", "x: 'float32:int' is not a dtype"),
        ("x=n:float16", "x: arrays of float16 are not supported; use float64 or float32"),
        ("x=n:complex128", "x: arrays of complex128 are not supported; use float64 or float32"),
        ("x=n:object", "x: arrays of object are not supported; use float64 or float32"),
        ("x=float:float32", "x: float takes no dtype; write scalar:float32"),
        ("x=n;m", "x: 'n;m' is not a dimension"),
        ("x=n--m", "x: 'n--m' is not a dimension"),
        ("x=-n", "x: '-n' is not a dimension"),
        ("x=-1", "x: '-1' is not a dimension"),
        ("x=n-n-1", "x: 'n-n-1' is not a dimension"),
        ("x=-n-1", "x: '-n-1' is not a dimension"),
        ("x=-", "x: '-' is not a dimension"),
        ("x=--n", "x: '--n' is not a dimension"),
        ("x=n+", "x: 'n+' is not a dimension"),
        ("x=2n", "x: '2n' is not a dimension"),
        ("x=1.5", "x: '1.5' is not a dimension"),
        ("x=n/2", "x: 'n/2' is not a dimension"),
        ("x=n^2", "x: 'n^2' is not a dimension"),
        ("x=(n)", "x: '(n)' is not a dimension"),
        ("x=n==m", "x: 'n==m' is not a dimension"),
        ("x=n m)", "x: 'm)' is not a dimension"),
        ("x=#n", "x: the dimension '#n' is not supported; name each axis"),
        ("x=*b", "x: the dimension '*b' is not supported; name each axis"),
        ("x=... n", "x: the dimension '...' is not supported; name each axis"),
        ("x=_", "x: the dimension '_' is not supported; name each axis"),
        ("x=n scalar", "x: 'scalar' is not a dimension; a dtype stands behind a colon"),
        ("x=float32", "x: 'float32' is not a dimension; a dtype stands behind a colon"),
        ("x=None", "x: 'None' is not a dimension; a dtype stands behind a colon"),
        ("1x=n", "'1x' is not a name, or a name with .keys"),
        ("x y=n", "'x y' is not a name, or a name with .keys"),
        ("x.=n", "'x.' is not a name, or a name with .keys"),
        (".a=n", "'.a' is not a name, or a name with .keys"),
        ("x..a=n", "'x..a' is not a name, or a name with .keys"),
        ("x=n,x=m", "x is declared twice"),
        ("x.a=n,x.a=m", "x.a is declared twice"),
        ("x.a=n,x=n", "x is declared twice"),
        ("x=n,x.a=n", "x.a is a part of what is declared already"),
        ("x.0=n,x.2=n", "the items of x are not numbered from 0 without a gap: 0, 2"),
        ("x.0=n,x.a=n", "the items of x are not numbered from 0 without a gap: 0, a"),
        ("x.a.1=n", "the items of x.a are not numbered from 0 without a gap: 1"),
        ("x.00=n,x.1=n", "the items of x are not numbered from 0 without a gap: 00, 1"),
    ],
)
def test_a_malformed_text_is_refused_by_name(text, error):
    with pytest.raises(GradgenError) as caught:
        parse_shapes(text)
    assert str(caught.value) == f"shapes: {error}"
    with pytest.raises(GradgenError):
        grad(lambda x: x, shapes=text)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (5, "expected text or a dict, not int"),
        ([("x", "n")], "expected text or a dict, not list"),
        ({"x": None}, "x: expected text or a tuple, not NoneType"),
        ({"x": 3.5}, "x: expected text or a tuple, not float"),
        ({"x": True}, "x: expected text or a tuple, not bool"),
        ({"x": np.ones(3)}, "x: expected text or a tuple, not ndarray"),
        ({"x": {"a": "n"}}, "x: expected text or a tuple, not dict"),
        ({"x": (3.0,)}, "x: 3.0 is not a dimension"),
        ({"x": (True,)}, "x: True is not a dimension"),
        ({"x": ("n", None)}, "x: None is not a dimension"),
        ({"x": (...,)}, "x: Ellipsis is not a dimension"),
        ({"x": (-1,)}, "x: '-1' is not a dimension"),
        ({"x": -3}, "x: '-3' is not a dimension"),
        ({3: "n"}, "3 is not a name, or a name with .keys"),
    ],
)
def test_a_malformed_declaration_is_refused_by_name(given, error):
    with pytest.raises(GradgenError) as caught:
        parse_shapes(given)
    assert str(caught.value) == f"shapes: {error}"


def test_declaring_what_is_no_parameter_is_refused():
    with pytest.raises(SourceError) as caught:
        grad(lambda x, k: x * k, shapes="y=n")
    assert caught.value.msg == "shapes declares y, which is not a parameter"
    assert caught.value.hint == "the parameters are x, k"


# -- annotations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("float", "x=scalar"),
        ("'float'", "x=scalar"),
        ('Float[np.ndarray, "n d"]', "x=n d"),
        ("\"Float[np.ndarray, 'n d']\"", "x=n d"),
        ('Float64[np.ndarray, "n"]', "x=n"),
        ('Float32[np.ndarray, "  n   d "]', "x=n d:float32"),
        ('Float[np.ndarray, "n-1"]', "x=n-1"),
        ('Float[np.ndarray, "2*n 3"]', "x=2*n 3"),
        ('Float[np.ndarray, ""]', "x=()"),
    ],
)
def test_annotations_declare_shapes(annotation, expected):
    text = emit(function_of(f"def f(x: {annotation}):\n    return np.sum(x * x)\n"))
    assert shapes_line(text) == expected


def test_every_argument_may_be_annotated():
    function = function_of(
        'def f(x: Float[np.ndarray, "n d"], i: Int[np.ndarray, "k"], t: int, s: float = 2.0):\n'
        "    return np.sum(x[i]) * s * t\n"
    )
    assert shapes_line(emit(function)) == "x=n d, i=k:int64, t=int, s=scalar"


@pytest.mark.parametrize("dimension", ["#n", "*b", "...", "_", "*b n", "n #m"])
def test_dimensions_of_jaxtyping_without_one_name_are_refused_by_name(dimension):
    source = f'def f(x: Float[np.ndarray, "{dimension}"]):\n    return np.sum(x)\n'
    refused = next(part for part in dimension.split() if part not in ("n", "m"))
    with pytest.raises(SourceError) as caught:
        emit(function_of(source))
    assert caught.value.msg == (
        f"shapes: x: the dimension {refused!r} is not supported; name each axis"
    )
    assert (caught.value.lineno, caught.value.offset) == (1, 7)


@pytest.mark.parametrize("dimension", ["n=3", "?n", "{self.n}", "n+"])
def test_other_dimensions_of_jaxtyping_are_refused_by_name(dimension):
    source = f'def f(x: Float[np.ndarray, "{dimension}"]):\n    return np.sum(x)\n'
    with pytest.raises(SourceError) as caught:
        emit(function_of(source))
    assert caught.value.msg == f"shapes: x: {dimension!r} is not a dimension"


def test_an_array_without_a_shape_is_asked_for():
    with pytest.raises(SourceError) as caught:
        emit(function_of("def f(x: np.ndarray):\n    return np.sum(x)\n"))
    assert caught.value.msg == "the shape of the argument `x` is needed"
    assert caught.value.hint == 'declare it: --shapes "x=n"'


def test_shapes_go_before_annotations():
    text = emit(function_of("def f(x: float):\n    return np.sum(x * x)\n"), shapes="x=n")
    assert shapes_line(text) == "x=n"


# -- lengths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "lengths"),
    [("x=n, y=m", "lengths n and m"), ("x=n, y=n-1", "lengths n and n-1"),
     ("x=3, y=n", "lengths 3 and n"), ("x=2*n, y=n", "lengths 2*n and n"),
     ("x=3, y=4", "lengths 3 and 4"), ("x=n m, y=n", "lengths m and n")],
)  # fmt: skip
def test_two_lengths_that_meet_elementwise_are_refused_with_both_names(shapes, lengths):
    with pytest.raises(SourceError) as caught:
        grad(lambda x, y: np.sum(x * y), shapes=shapes)
    assert caught.value.msg.startswith(f"{lengths} meet elementwise, in shapes ")
    assert caught.value.hint == (
        "give both the same name in shapes, or use 1 for the axis that broadcasts"
    )


def test_lengths_of_slices_are_computed():
    def f(x):
        return np.sum((x[1:] - x[:-1]) ** 2)

    x = np.array([1.0, 3.0, 2.0, 5.0])
    value, found = value_and_grad(f, shapes="x=n")(x)
    assert value == 14.0
    assert found.tolist() == [-4.0, 6.0, -8.0, 6.0]


@pytest.mark.parametrize(
    ("function", "shapes", "arguments"),
    [
        (lambda x, y: np.sum((x[1:] - x[:-1]) * y), "x=n, y=n-1", ((4,), (3,))),
        (lambda x, y: np.sum(np.concatenate([x, x]) * y), "x=n, y=2*n", ((3,), (6,))),
        (lambda x, y: np.sum(np.concatenate([x, y]) ** 2), "x=n, y=m", ((3,), (2,))),
        (lambda x, y: np.sum(x.ravel() * y), "x=n m, y=n*m", ((2, 3), (6,))),
        (lambda x, y: np.sum(x[2:-1] * y), "x=n+3, y=n", ((5,), (2,))),
        (lambda x, y: np.sum(x * y), "x=n m, y=n 1", ((2, 3), (2, 1))),
        (lambda x, y: np.mean(x) * len(x) * y[0], "x=n-1, y=1", ((3,), (1,))),
        (lambda x, y: np.sum(x @ y), "x=n n, y=n", ((3, 3), (3,))),
    ],
)
def test_lengths_are_polynomials_all_the_way(function, shapes, arguments):
    rng = np.random.default_rng(0)
    given = [rng.normal(size=shape) for shape in arguments]
    value, gradients = value_and_grad(function, ("x", "y"), shapes=shapes)(*given)
    assert value == function(*given)
    for at, found in enumerate(gradients):
        assert found.shape == given[at].shape
        for index in np.ndindex(found.shape):
            shifted = [np.array(a, complex) for a in given]
            shifted[at][index] += 1e-30j
            assert found[index] == pytest.approx(function(*shifted).imag / 1e-30, rel=1e-12)


def test_declared_types_reach_the_results():
    made = value_and_grad(lambda x: np.sum(x * x), shapes="x=n:float32")
    value, found = made(np.ones(2, np.float32))
    assert value.dtype == found.dtype == np.float32
    picked = grad(lambda x, i: np.sum(x[i]), shapes="x=n, i=k:int64")
    assert picked(np.ones(3), np.array([0, 0, 2])).tolist() == [2.0, 0.0, 1.0]


def test_the_header_repeats_the_declaration():
    shapes = "x=n d, y=n:float32, a=scalar, p.W=d h, p.b=(), q.0=2*n-1, q.1=scalar:float32, k=int"
    text = emit(lambda x, y, a, p, q, k: a * np.sum(p["W"]) * k, wrt="a", shapes=shapes)
    assert shapes_line(text) == shapes
    assert parse_shapes(shapes_line(text)) == parse_shapes(shapes)
