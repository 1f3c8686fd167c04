"""Arrays that are created: their shapes and dtypes, np.empty, and numbers between two ends."""

import warnings

import mpmath
import numpy as np
import pytest
from test_moves import quickly, types_differ
from test_structural import HEAD, compare, define, title

import gradgen

V, M = {"x": (3,)}, {"x": (2, 3)}
ENDS = {"x": (), "y": ()}


def _empties():
    for before, shape in (
        ("u = np.empty(3, dtype=x.dtype)\nu[0] = x[1]\nu[1:] = x[0] * x[2]", V),
        ("u = np.empty(len(x), dtype=x.dtype)\nu[:] = x * x", V),
        ("u = np.empty_like(x)\nu[...] = x * x\nu[1] = x[0]", V),
        ("u = np.empty_like(x)\nu[0] = x[0]\nu[-1] = x[0] * x[1]\nu[1:-1] = x[1:-1] * x[2]", V),
        ("u = np.empty(3, dtype=x.dtype)\nu[0] = 1.0\nfor i in range(1, 3):\n"
         "    u[i] = u[i - 1] * x[i]",
         V),
        ("u = np.empty((2, 3), dtype=x.dtype)\nfor i in range(2):\n    for j in range(3):\n"
         "        u[i, j] = x[i] * x[j]", V),
        ("u = np.empty((2, 3), dtype=x.dtype)\nfor i in range(2):\n    row = u[i]\n"
         "    row[0] = x[0]\n"
         "    row[1:] = x[1:] * x[i]", V),
        ("u = np.empty(x.shape, dtype=x.dtype)\nu[0] = x[1]\nu[1:, 0] = 2.0\n"
         "u[1:, 1:] = x[1:, 1:]", M),
        ("u = np.empty_like(x)\nu[:, ::2] = x[:, ::2]\nu[:, 1] = x[:, 0] * x[:, 2]", {"x": (2, 3)}),
        ("u = np.empty_like(x)\nm = np.arange(3) > 0\nu[m] = x[m] * 2.0\nu[~m] = 1.0", V),
        ("u = np.empty(2, dtype=x.dtype)\nu[0] = x[0]\nu[0] += x[1]\nu[1] = u[0] * x[2]", V),
        ("u = np.empty((), dtype=x.dtype)\nu[()] = x[0] * x[1]", V),
        ("u = np.empty(3, dtype=x.dtype)\nu.fill(x[1])\nu[0] = x[0]", V),
    ):  # fmt: skip
        yield "empty", before, "u", shape, "complex"


def _ends():
    for line in (
        "np.linspace(x, y)", "np.linspace(x, y, 5)", "np.linspace(0, y, 4)",
        "np.linspace(x, 2.0, num=3)",
        "np.linspace(stop=y, start=x, num=3)", "np.linspace(x, y, 4, endpoint=False)",
        "np.linspace(x, y, 1)", "np.linspace(x, y, 0)", "np.linspace(x * y, y, 3, dtype=x.dtype)",
    ):  # fmt: skip
        yield "linspace", "", line, ENDS, "real"
    yield "linspace", "", "np.linspace(x, y, 3)", {"x": (2,), "y": ()}, "real"
    yield "linspace", "", "np.linspace(x, y, 3, axis=-1)", {"x": (2, 1), "y": (2,)}, "real"
    yield "linspace", "", "np.linspace(x, y, 3, axis=1)", {"x": (2, 2), "y": (2,)}, "real"
    yield "linspace", "", "np.linspace(x[0], x[1], len(x)) * x", V, "real"
    yield "linspace", "s, h = np.linspace(x, y, 4, retstep=True)", "s * h", ENDS, "real"
    yield "linspace", "_, h = np.linspace(x, y, 4, False, True)", "h * h", ENDS, "real"
    for line in ("np.logspace(x, y, 4)", "np.logspace(x, 1.5, 3, endpoint=False, base=y)",
                 "np.logspace(0.0, y, 3, base=2.0)"):  # fmt: skip
        yield "logspace", "", line, ENDS, "real"
    for line in ("np.geomspace(x, y, 4)", "np.geomspace(x, 8.0, 3)", "np.geomspace(-x, -y, 4)",
                 "np.geomspace(x, y, 3, endpoint=False)"):  # fmt: skip
        yield "geomspace", "", line, ENDS, "real"
    yield "geomspace", "", "np.geomspace(x, y, 3)", {"x": (2,), "y": ()}, "real"


def _shapes():
    for line, shape in (
        ("x * np.eye(3)", V), ("x * np.eye(2, 3)", M), ("x * np.eye(2, M=3, k=1)", M),
        ("x * np.identity(3)", V), ("x @ np.tri(3)", V), ("x * np.tri(2, 3, -1)", M),
        ("x * np.eye(len(x), dtype=np.float32)", V), ("x * np.arange(3.0)", V),
        ("x * np.arange(0, 6, 2)", V), ("x * np.arange(2, -1, -1)", V),
        ("x * np.arange(0.5, 2.0, 0.5)", V),
        ("x * np.arange(3, dtype=float)", V), ("x * np.arange(len(x))[::-1]", V),
        ("x * np.arange(len(x), 0, -1)", V),
        ("x * np.zeros(x.shape[::-1]).T + np.ones_like(x, dtype=float)", M),
        ("np.full_like(x, x[0], shape=(2, 2))", V), ("np.zeros_like(x, shape=(2, 3)) + x", V),
        ("np.full((2,), x[1], dtype=x.dtype)", V),
        ("np.asanyarray(x) * np.ascontiguousarray(x)", V),
        ("np.array(x, copy=True) * np.copy(x.T).T", M), ("np.array(x, copy=None) * 2", M),
        ("np.asarray(x, dtype=x.dtype)", M), ("x.astype(x.dtype, copy=False) * x", V),
        ("np.ones((len(x), 2 * len(x))) * x[:, None]", V),
    ):  # fmt: skip
        yield "shapes", "", line, shape, "complex"
    for line in ("np.float64(x) * 2.0", "np.astype(x, np.float64)", "np.float64(x[0]) * x",
                 "np.array([1, x[0]], dtype=np.float64) * x[1]"):  # fmt: skip
        yield "shapes", "", line, V, "real"


CASES = [*_empties(), *_ends(), *_shapes()]


CHIEF = list({case[0]: case for case in reversed(CASES)}.values())


@pytest.mark.parametrize("case", CHIEF, ids=title)
@pytest.mark.parametrize("inner", [False, True], ids=["arguments", "intermediate values"])
def test_gradients_through_created_arrays_match_in_every_use(case, inner):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, inner)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("case", CASES, ids=title)
def test_gradients_through_created_arrays_match_the_users_function(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = quickly(case)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_types_of_created_arrays_are_numpys(dtype):
    differing = [(title(case), types_differ(case, dtype)) for case in CASES]
    assert [pair for pair in differing if pair[1]] == []


@pytest.mark.parametrize("line", [
    "np.linspace(x[0], 1, 3)", "np.linspace(np.float32(0), 1.0, 3)", "np.linspace(0, 1, 3)",
    "np.linspace(0.0, x, 3)", "np.linspace(x, x, 2, axis=-1)", "np.logspace(x[0], 1.0, 3)",
    "np.logspace(0, 1, 3, base=x[0])", "np.geomspace(x[0], 2.0, 3)", "np.geomspace(1, 2, 3)",
    "np.geomspace(x, x[0], 3)", "np.arange(3)", "np.arange(3.0)", "np.arange(2, 9, 3)",
    "np.arange(9, 2, -3)", "np.arange(0.0, 1.0, 0.1)", "np.arange(0, 1, 0.3)", "np.arange(5, 2)",
    "np.arange(4, dtype='float32')", "np.arange(3, dtype=x.dtype)", "np.eye(2)", "np.eye(2, 3, -1)",
    "np.eye(2, dtype=int)", "np.identity(2, 'float32')", "np.tri(3, 2, 1, dtype=bool)",
    "np.full(2, 3)", "np.full((2, 2), True)", "np.full(2, x[0])", "np.full(2, x[0], float)",
    "np.full_like(x, 2)", "np.full_like(x, 2, dtype=int)", "np.zeros(2, int)",
    "np.ones((), 'float32')",
    "np.zeros_like(x, dtype='float64')", "np.ones_like([1, 2])", "np.zeros_like(3.0)",
    "np.zeros_like(x, shape=4)", "np.array([1, x[0]])", "np.array([1, 2.0])", "np.array(x[0])",
    "np.array([x, x], dtype=np.float32)", "np.asarray(2)", "np.asarray(2, dtype=np.float32)",
    "np.array(2.5, dtype='float32')", "np.float32(x)", "np.float64(x[0])", "np.int32(2)",
    "np.float32(2)", "np.astype(x, int)", "x.astype('float32')", "np.asarray([[1], [2]])",
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dtypes_and_lengths_are_numpys(line, dtype):
    assert types_differ(("", "", line, {"x": (2,)}, ""), dtype) == ""


def test_the_derivative_between_two_ends_is_mpmaths():
    with mpmath.workdps(40):
        for name, sample in (
            ("linspace", lambda a, b, w: (1 - w) * a + w * b),
            ("logspace", lambda a, b, w: mpmath.mpf(10) ** ((1 - w) * a + w * b)),
            ("geomspace", lambda a, b, w: a ** (1 - w) * b**w),
        ):
            f = define(f"{HEAD}def f(x, y):\n    return np.sum(np.{name}(x, y, 5) ** 2)\n")
            have = gradgen.grad(f, wrt=("x", "y"), shapes="x=scalar, y=scalar")(1.25, 2.5)
            for k in (0, 1):

                def total(at, k=k, sample=sample):
                    ends = [mpmath.mpf("1.25"), mpmath.mpf("2.5")]
                    ends[k] = at
                    return sum(sample(*ends, mpmath.mpf(j) / 4) ** 2 for j in range(5))

                want = mpmath.diff(total, (1.25, 2.5)[k])
                assert abs(have[k] - want) < 1e-13 * abs(want)


def test_np_empty_is_emitted_and_filled_in_place():
    text = """def f(x):
    u = np.empty(len(x))
    u[0] = x[0]
    u[1:] = np.exp(x[1:])
    return np.sum(np.sin(u))
"""
    source = gradgen.value_and_grad(define(HEAD + text), shapes="x=n").source
    assert "u = np.empty(len(x))\n    u[0] = x[0]\n" in source
    assert " u.copy()" not in source


@pytest.mark.parametrize(("before", "shapes", "line"), [
    ("u = np.empty(3)\nu[0] = x[0]\nu[1] = x[1]", "x=3", 10),
    ("u = np.empty(3)\nu[0] = x[0]\nu[1] = u[2]", "x=3", 9),
    ("u = np.empty(3)\nu[1:] = 1.0", "x=3", 9),
    ("u = np.empty(3)\nu[0] += 1.0\nu[1:] = 2.0", "x=3", 8),
    ("u = np.empty(3)\nu += x", "x=3", 8),
    ("u = np.empty(3)\nv = u * 1.0\nu[:] = v", "x=3", 8),
    ("u = np.empty_like(x)\nu[:-1] = x[1:]", "x=n", 9),
    ("u = np.empty_like(x)\nu[0] = x[0]\nu[2:] = x[2:]", "x=n", 10),
    ("u = np.empty_like(x)\nu[0] = x[0]\nu[1:] = u[:-1]", "x=n", 9),
    ("u = np.empty((2, 3))\nu[0] = x\nu[1, :2] = x[:2]", "x=3", 10),
    ("u = np.empty((2, 3))\nu[0] = x\nrow = u[1]\nrow[0] = 1.0\nrow[1] = 2.0", "x=3", 12),
    ("u = np.empty((len(x), 2))\nu[:, 0] = x\nu[1:, 1] = x[1:]", "x=n", 10),
    ("u = np.empty(3)\nu[x > 0] = 1.0\nu[x <= 0] = 2.0", "x=3", 10),
    ("u = np.empty(3)\nu[np.array([0, 1, 2])] = x", "x=3", 9),
    ("u = np.empty(3)\nw = u.copy()\nu[:] = x\nu = w", "x=3", 11),
    ("u = np.empty_like(x)\nw = u.copy()\nu[:] = x\nu = w", "x=n", 8),
    ("u = np.empty(3)\nu[::2] = x[::2]", "x=3", 9),
    ("u = np.empty(3)\nu[0] = 1.0\nv = np.empty(3)\nv[1:] = x[1:]\nu[:] = v", "x=3", 12),
    ("u = np.zeros(3)\nv = np.empty(3)\nv[1:] = x[1:]\nu[:] = v", "x=3", 10),
    ("u = np.empty(3)\nv = u[1:]\nv[0] = 1.0\nu[0] = 2.0", "x=3", 11),
    ("u = np.empty_like(x)\nv = np.empty_like(x)\nv[1:] = x[1:]\nu[:] = v", "x=n", 10),
])  # fmt: skip
def test_an_item_of_np_empty_that_is_read_before_it_is_assigned_is_refused(before, shapes, line):
    body = "".join(f"    {s}\n" for s in before.splitlines())
    f = define(f"{HEAD}def f(x):\n{body}    return np.sum(np.exp(u) * 2.0)\n")
    with pytest.raises(gradgen.GradgenError, match=r"np\.empty holds values that nobody") as caught:
        gradgen.grad(f, shapes=shapes)
    assert caught.value.lineno == line


def test_many_stores_into_an_empty_array_are_followed():
    text = "def f(x):\n    u = np.empty(3000)\n    for i in range(3000):\n        u[i] = 1.0\n"
    f = define(f"{HEAD}{text}    return np.sum(u * x)\n")
    np.testing.assert_array_equal(gradgen.grad(f, shapes="x=scalar")(2.0), 3000.0)


ENTRIES = ["np.zeros(3, dtype=D)", "np.ones(3, D)", "np.full(3, 1.0, dtype=D)",
"np.empty(3, dtype=D)",
           "np.eye(3, dtype=D)", "np.identity(3, dtype=D)", "np.tri(3, dtype=D)",
           "np.arange(3, dtype=D)",
           "np.linspace(0, 1, 3, dtype=D)", "np.logspace(0, 1, 3, dtype=D)",
           "np.geomspace(1, 2, 3, dtype=D)", "np.array(x, dtype=D)", "np.array([1, 2], D)",
           "np.asarray(x, dtype=D)", "np.asanyarray(x, D)", "x.astype(D)", "np.astype(x, D)",
           "np.zeros_like(x, dtype=D)", "np.ones_like(x, dtype=D)", "np.full_like(x, 1.0, dtype=D)",
           "np.empty_like(x, dtype=D)", "np.indices((3,), dtype=D)"]  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    "dtype", ["np.float16", "np.longdouble", "'complex128'", "complex", "'f2'"]
)
def test_dtypes_without_a_derivative_are_refused_by_name(entry, dtype):
    f = define(f"{HEAD}def f(x):\n    return np.sum(x * {entry.replace('D)', dtype + ')')})\n")
    with pytest.raises(gradgen.GradgenError, match=r"arrays of .* are not supported"):
        gradgen.grad(f, shapes="x=3")


@pytest.mark.parametrize(("line", "said"), [
    ("np.float16(x)", "arrays of float16 are not supported"),
    ("np.longdouble(x)", "are not supported"), ("np.complex128(x)", "are not supported"),
    ("np.arange(x[0])", "np.linspace"), ("np.arange(0.0, x[0], 0.1)", "known while compiling"),
    ("np.arange(0, 3, 0)", "the step must not be zero"),
    ("np.arange(0.5, 3.0, dtype=int)", "np.arange of floats with the dtype int64"),
    ("np.linspace(0, 1, x[0])", "the number of samples"),
    ("np.linspace(0, 1, 3, dtype=int)", "cut to int64"),
    ("np.linspace(0, 1, -1)", "must be non-negative"),
    ("np.logspace(0, 1, 3, base=x)", "one number as base"),
    ("np.full(3, x[0], dtype=int)", "cuts its fraction off"),
    ("np.full_like(np.arange(3), 0.5)", "cuts its fraction off"),
    ("np.fromfunction(lambda i: i, (3,))", "np.indices"),
    ("np.zeros(3, order='F')", "unexpected keyword argument 'order'"),
    ("np.eye(2.5)", "known while compiling"), ("np.eye(3, k=0.5)", "must be an integer"),
    ("x.astype(float, casting='safe')", "casting= is not supported"),
])  # fmt: skip
def test_what_creation_cannot_do_is_refused_by_name(line, said):
    f = define(f"{HEAD}def f(x):\n    return np.sum({line} * x)\n")
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.grad(f, shapes="x=3")
    assert said in str(caught.value)


def test_an_array_without_axes_is_changed_under_every_name():
    """By hand: v is u, so 1 + x is returned, and its derivative is 1; a scalar stays as it was."""
    for made, want in (
        ("np.array(1.0, dtype=np.float32)", 1.0), ("np.asarray(1.0)", 1.0), ("np.zeros(())", 1.0),
        ("np.float64(1.0)", 0.0), ("np.float32(x)", 1.0), ("np.float64(np.asarray(1.0))", 0.0),
    ):  # fmt: skip
        f = define(f"{HEAD}def f(x):\n    u = {made}\n    v = u\n    u += x\n    return v * 1.0\n")
        assert gradgen.grad(f, shapes="x=scalar")(2.0) == want, made
