"""The reader: what Python it understands, live and from a file, with the same result."""

# ruff: noqa: E501 (tables of sources, one a line)

import ast
import dataclasses
import functools
import importlib
import math
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from agreement import (
    agree,
    agree_in_text,
    body_of,
    differences,
    function_of,
    same,
    text_of,
    with_body,
)
from numpy.typing import NDArray

import gradgen
from gradgen import GradgenError, SourceError
from gradgen.api import emit_path
from gradgen.read.mutation import changed_names

HALF = np.float64(0.5)
X = np.array([1.5, -0.5, 2.5])
M = np.array([[1.5, -0.5, 2.5], [0.25, 3.0, -1.0]])


def both(text, *args, path, shapes=None):
    """Live and from a file: Python's values, and one emitted text."""
    kinds = {float: "scalar", int: "scalar"}
    declared = shapes or ", ".join(
        f"{name}={kinds.get(type(arg)) or ' '.join(map(str, np.shape(arg)))}"
        for name, arg in zip(parameters(text), args, strict=False)
    )
    f = function_of(text)
    agree(f, *args)
    live = agree(f, *args, shapes=declared)
    emitted = agree_in_text(path, text, *args, shapes=declared)
    if not live.graph.captured:  # what is captured has a value live, and a definition in a file
        assert body_of(emitted) == body_of(live.source)
    return live.source


def parameters(text):
    functions = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
    spec = next(n for n in functions if n.name == "f").args
    return [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]


# -- parameters, annotations, docstrings -----------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "call"),
    [
        ("x, y=2.0", "(x, y=2.0)"),
        ("x, /, y=2.0", "(x, /, y=2.0)"),
        ("x, *, y=2.0", "(x, *, y=2.0)"),
        ("x, /, *, y=2.0", "(x, /, *, y=2.0)"),
        ("x=1.0, y=-2.5", "(x=1.0, y=-2.5)"),
        ("x, y=1e-3", "(x, y=0.001)"),
        ("x, y=float('inf')", "(x, y=float('inf'))"),
        ("x, y=2 * 3.0", "(x, y=6.0)"),
        ("x, y=math.pi", "(x, y=3.141592653589793)"),
    ],
)
def test_the_emitted_signature_is_the_functions_own(signature, call, tmp_path):
    text = f"def f({signature}):\n    return x * x * min(y, 3.0)\n"
    live = gradgen.emit(function_of(text))
    emitted = text_of(tmp_path / "a.py", text)
    assert body_of(live) == body_of(emitted)
    ours = {}
    exec(emitted, ours)
    assert ours["f_value_and_grad"](2.0) == gradgen.value_and_grad(function_of(text))(2.0)
    if "inf" not in call:
        assert f"def f_value_and_grad{call}:" in emitted


def test_a_default_is_of_the_definition_and_not_of_the_call(tmp_path):
    text = "K = 2.0\ndef g(x, k=K, *, j=K * K):\n    return x * k * j\ndef f(x):\n    return g(x) * K\n"
    both(text, 1.5, path=tmp_path / "a.py")


class Float:
    """What jaxtyping's annotations look like when they are evaluated."""

    __module__ = "jaxtyping"

    def __init__(self, text):
        self.text = text

    def __class_getitem__(cls, item):
        return cls(item[1])


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        ("float", "scalar"),
        ("'float'", "scalar"),
        ('Float[np.ndarray, "n"]', "n"),
        ('Float[np.ndarray, "n d"]', "n d"),
        ('Float[np.ndarray, " n  d "]', "n d"),
        ('Float[np.ndarray, "3"]', "3"),
        ('Float[np.ndarray, ""]', "()"),
        ("\"Float[np.ndarray, 'n d']\"", "n d"),
        ('Float32[np.ndarray, "n"]', "n:float32"),
        ('jt.Float[np.ndarray, "n"]', "n"),
        ('Float[NDArray, "n 2"]', "n 2"),
        ('Float[np.ndarray, "n n+1"]', "n n+1"),
    ],
)
def test_annotations_declare(annotation, shape, tmp_path):
    text = (
        f"from jaxtyping import Float, Float32\nimport jaxtyping as jt\n\ndef f(x: {annotation}):\n"
    )
    emitted = text_of(tmp_path / "a.py", text + "    return np.sum(x * x)\n", mode="pair")
    line = next(line for line in emitted.splitlines() if line.startswith("# gradgen-shapes"))
    assert line == f"# gradgen-shapes: x={shape}"


@pytest.mark.parametrize(
    "annotation", ["np.ndarray", "NDArray", "NDArray[np.float64]", "'np.ndarray'"]
)
def test_an_array_annotation_without_a_shape_asks_for_it_by_text_and_waits_live(
    annotation, tmp_path
):
    text = f"def f(x: {annotation}):\n    return np.sum(x * x)\n"
    with pytest.raises(SourceError, match="the shape of the argument `x` is needed"):
        text_of(tmp_path / "a.py", text)
    f = function_of(text, NDArray=NDArray)
    same(gradgen.grad(f)(X), 2 * X)
    exec(text_of(tmp_path / "a.py", text, "x=n"), {})


def test_float_annotations_compile_at_once():
    f = function_of("def f(x: float, y: 'float', n: int):\n    return x * y * n\n")
    assert "def f_grad(x, y, n):" in gradgen.grad(f).source


def test_live_jaxtyping_annotations_compile_at_once():
    text = "def f(x: Float[np.ndarray, 'n d']):\n    return np.sum(x * x)\n"
    g = gradgen.grad(function_of(text, Float=Float))
    assert "x=n d" in g.source
    same(g(M), 2 * M)


@pytest.mark.parametrize("shape", ["#n", "*b", "...", "_", "n*"])
def test_jaxtyping_dimensions_that_are_not_supported_are_refused_by_name(shape, tmp_path):
    text = f'def f(x: Float[np.ndarray, "{shape}"]):\n    return np.sum(x)\n'
    with pytest.raises(SourceError, match="dimension"):
        text_of(tmp_path / "a.py", text)


def test_docstrings_are_kept(tmp_path):
    doc = 'A loss.\n\n    Indented: "quotes", \\\\ and é.\n    '
    text = f'def f(x):\n    """{doc}"""\n    return x * x\n'
    live = both(text, 1.5, path=tmp_path / "a.py")
    names = {}
    exec(live, names)
    assert "A loss." in names["f_value_and_grad"].__doc__
    assert 'Indented: "quotes", \\ and é.' in names["f_value_and_grad"].__doc__


# -- statements ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "y = x * 2\nz = y\nreturn z * x",
        "y: float = x * 2\nz: 'int'\nreturn y * x",
        "y = z = x * 2\nreturn y * z",
        "y = x\ny += x\ny -= 3\ny *= y\ny /= 2\ny **= 2\nreturn y",
        "y = x\ny //= 1\ny %= 2\nreturn y * x + x % 0.7",
        "y, z = x, x * 2\nreturn y * z",
        "(y, (z, w)), v = (x, (x * x, 2.0)), 3.0\nreturn y * z * w * v",
        "[y, z] = [x, 2.0]\nreturn y * z",
        "y, *z = x, 2 * x, 3 * x\nreturn y * z[-1] * len(z)",
        "*y, z = (x, 2 * x, 3 * x)\nreturn y[0] * z",
        "y, *z, w = [x, 2 * x]\nreturn y * w + len(z)",
        "*y, = x, x\nreturn sum(y)",
        "y, z = x, x * x\ny, z = z, y\nreturn y * z ** 2",
        "return sum((x, *[x * x, 2.0]))",
    ],
)
def test_assignments(body, tmp_path):
    both(with_body(body), 1.7, path=tmp_path / "a.py")


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("y, z = [x]\nreturn y", "1 values to unpack into 2 names"),
        ("y, z = x, x, x\nreturn y", "3 values to unpack into 2 names"),
        ("y, *z, w = [x]\nreturn y", "not enough values to unpack"),
        ("y, z = x\nreturn y", "iteration over a number"),
        ("for y, z in [x]:\n    pass\nreturn x", "iteration over a number"),
    ],
)
def test_unpacking_that_fails_is_a_located_error(body, match, tmp_path):
    with pytest.raises(SourceError, match=match):
        gradgen.grad(function_of(with_body(body)))(1.5)


# -- operators -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "x + y", "x - y", "x * y", "x / y", "x ** y", "x % y", "x * (x // y)", "-x * y", "+x * y",
        "x + 2", "2 - x", "3 * x", "1 / x", "2 ** x", "x ** 2", "x ** -1", "x ** 0.5", "7.5 % x",
        "-x ** 2", "(-x) ** 2", "2 ** -x", "x / y / x", "x - (y - x)", "x - y - x", "-(-x)", "--x * y",
        "x * y + x / y - x ** y", "abs(-x) * y", "1e-3 * x", "0x10 * x", "1_000.5 * x", "x * True",
        "(x + y) * (x - y)", "x ** y ** 0.5", "(x ** y) ** 0.5", "x * (7 // 2) * (7 % 4) * -2 ** 2",
    ],
)  # fmt: skip
def test_arithmetic_on_numbers(expression, tmp_path):
    both(f"def f(x, y):\n    return {expression}\n", 1.7, 2.3, path=tmp_path / "a.py")


@pytest.mark.parametrize(
    "expression",
    [
        "x + y", "x - y", "x * y", "x / y", "abs(x) ** y", "x % y", "x * (x // y)", "-x", "+x * y",
        "x + 2", "2 - x", "3 * x", "1 / x", "2 ** x", "x ** 2", "x ** 3", "x @ y * x", "x.dot(y) * y",
    ],
)  # fmt: skip
def test_arithmetic_on_arrays(expression, tmp_path):
    y = np.array([2.2, 1.4, 0.6])
    text = f"def f(x, y):\n    return np.sum({expression})\n"
    both(text, X, y, path=tmp_path / "a.py", shapes="x=n, y=n")


@pytest.mark.parametrize(
    "mask",
    [
        "x > 1", "x >= 1", "x < 1", "x <= 1", "x == 1", "x != 1", "~(x > 1)", "(x > 0) & (x < 2)",
        "(x < 0) | (x > 2)", "(x < 0) ^ (x < 2)", "1 < x", "np.logical_not(x > 1)", "x > y", "y < x",
        "np.logical_and(x > 0, x < 2)", "~(x > 1) & (y > 1) | (x == y)", "(x > 0) & True",
    ],
)  # fmt: skip
def test_masks(mask, tmp_path):
    text = f"def f(x, y):\n    return np.sum(np.where({mask}, x * y, x ** 2))\n"
    y = np.array([2.2, 1.4, 0.6])
    both(text, X, y, path=tmp_path / "a.py", shapes="x=n, y=n")


@pytest.mark.parametrize(
    "test",
    [
        "x > 1", "1 < x < 2", "1 < x <= 1.75 < y", "not x > 1", "x > 1 and y < 3", "x > 3 or y > 3",
        "not (x > 1 and not y > 3)", "x > 1 and True", "x > 1 or False", "False or x > 1",
        "True and x > 1", "x > 1 and False", "x > 1 or True", "0 < 1 < x", "0 < x < 2 < 1",
        "x < y > 1", "x == x", "x != y and y != x", "(x > 1) & (y > 1)", "x > 1 > 2 and y > 1",
    ],
)  # fmt: skip
def test_comparisons_of_numbers(test, tmp_path):
    text = f"def f(x, y):\n    return np.where({test}, x * y, x ** 2)\n"
    both(text, 1.7, 2.3, path=tmp_path / "a.py")
    both(text, 0.4, 3.3, path=tmp_path / "a.py")


@pytest.mark.parametrize("test", ["0 < x < 2", "x > 0 and x < 2", "not x > 0", "x > 0 or True"])
def test_the_truth_value_of_an_array_is_refused(test):
    f = function_of(f"def f(x):\n    return np.sum(np.where({test}, x, 0))\n")
    with pytest.raises(SourceError, match="the truth value of an array is ambiguous") as caught:
        gradgen.grad(f)(X)
    assert caught.value.hint == "use & | ~ on masks, with parentheses"


# -- builtins --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "abs(-x) * x", "min(x, 2.0)", "max(x, 2.0) * x", "min(x, 1.0, 0.5 * x)", "max([x, 1.0, 3.0 - x])",
        "max(x * k for k in range(3))", "min((x, 5.0))", "sum([x, x * x])", "sum((x, 2.0), x)",
        "sum([x, x], start=2.0)", "sum(x ** k for k in range(4))", "sum([x * k for k in range(3)])",
        "sum(x * k for k in range(6) if k % 2)", "sum([]) + x", "pow(x, 3)", "pow(2.0, x)", "pow(x, x)",
        "round(x) * x", "round(2.71828, 2) * x", "int(x) * x", "float(x) * x", "float(3) * x",
        "min(x, float('inf'))", "len([x, x]) * x", "len('abc') * x", "len({'a': x}) * x",
        "sum(x * k for k in range(5, 0, -2))", "sum(a * b for a, b in zip([x, x], (1.0, x)))",
        "sum(k * a for k, a in enumerate([x, x * x], 1))", "sum(k * a for k, a in enumerate([x], start=2))",
        "list(reversed([x, 2.0]))[0] * x", "sum(x * k for k in reversed(range(3)))",
        "divmod(x, 0.7)[0] * divmod(x, 0.7)[1]", "sum(map(lambda z: z * z, [x, 2 * x]))",
        "sum(map(max, [x, 0.1], [1.0, x]))", "bool(x) * x", "list((x, 2.0))[0]", "tuple([x, 2.0])[0]",
        "dict(a=x, b=2.0)['a']", "dict([('a', x)])['a']", "dict({'a': x}, b=x)['b']",
        "sum(a * b for a, b in zip([x], [2.0], strict=True))", "list(zip([x], [2.0]))[0][0]",
        "sum(sum(x * i * j for i in range(3)) for j in range(3))",
        "sum(x * i * j for i in range(4) for j in range(i) if j % 2)",
        "[x * k for k in range(3)][2]", "{k: x * k for k in range(3)}[2]", "sum({'a': x, 'b': 2.0}.values())",
        "sum(v for k, v in {'a': x, 'b': 2.0}.items() if k == 'a')", "[*range(3)][1] * x",
        "(x if 'a' in {'a': 1} else 2 * x)", "(x if 2 in [1, 2] else 2 * x)", "[x, 2.0, 3.0][1:][0] * x",
        "[x] * 3 == [] or sum([x] * 3)", "((x,) + (2.0,))[0]", "{**{'a': x}, 'b': 1.0}['a']",
    ],
)  # fmt: skip
def test_builtins_on_numbers(expression, tmp_path):
    if "==" in expression:
        expression = "sum([x] * 3)"
    both(f"def f(x):\n    return {expression}\n", 1.7, path=tmp_path / "a.py")


@pytest.mark.parametrize(
    "body",
    [
        "return sum(x)",
        "return np.sum(sum(x * x for _ in range(2)))",
        "return sum(v * v for v in x)",
        "return sum([v * w for v, w in zip(x, x[::-1])])",
        "return sum(k * v for k, v in enumerate(x))",
        "return sum(x[k] * x[k - 1] for k in range(1, len(x)))",
        "return sum(x[k] ** k for k in range(x.shape[0]))",
        "return max(*x) * min(*x)",
        "s = 0.0\nfor v in x:\n    s += v * s + v\nreturn s",
        "s = 0.0\nfor k in range(len(x)):\n    s = s * x[k] + k\nreturn s",
        "s = 1.0\nfor k, v in reversed(list(enumerate(x))):\n    s *= v + k\nreturn s",
        "y = [v * v for v in x if True]\nreturn y[0] * y[-1]",
        "a, b, c = x\nreturn a * b + c",
        "a, *b = x\nreturn a * np.sum(np.array(b))",
        "return np.dot(np.array([x[0], 2.0, x[1]]), x)",
        "return np.sum(np.stack([x, x * x])[1] * x)",
        "y = np.array([[v, v * v] for v in x])\nreturn np.sum(y @ y.T)",
        "return abs(x).sum() + np.sum(pow(x, 2))",
        "return sum(float(v) for v in x)",
        "n = len(x)\nreturn np.sum(x) / n if n > 2 else 0.0",
        "out = np.zeros(len(x))\nfor k in range(len(x)):\n    out[k] = x[k] ** 2\nreturn np.sum(out * x)",
        "out = np.zeros_like(x)\nout[1:] = x[:-1]\nreturn np.sum(out * x)",
        "i = 0\ns = 0.0\nwhile i < len(x):\n    s += x[i] * i\n    i += 1\nreturn s",
    ],
)
def test_what_is_static_is_unrolled(body, tmp_path):
    both(with_body(body), X, path=tmp_path / "a.py", shapes="x=3")


def test_rows_of_a_matrix(tmp_path):
    body = "s = 0.0\nfor row, k in zip(x, (1.0, 2.0)):\n    a, b, c = row\n    s += a * b * c * k\n"
    body += "return s + sum(np.dot(r, r) for r in x) + np.sum([r * 2 for r in x][0])"
    both(with_body(body), M, path=tmp_path / "a.py", shapes="x=2 3")


@pytest.mark.parametrize(
    ("expression", "match"),
    [
        ("max(x)", r"max\(\) of an array"),
        ("min([])", r"min\(\) of nothing"),
        ("min([x], key=abs)", "unexpected keyword argument 'key'"),
        ("pow(x, 2, 3)", "too many positional arguments"),
        ("range(2.5)", "range takes one to three integers"),
        ("range(1, 2, 0)", "must not be zero"),
        ("len(x[0])", r"len\(\) of a number"),
        ("sum([[x]])", "sum of lists"),
        ("sum('abc')", "a string is not a number"),
        ("zip([x], [], strict=True)", "different lengths"),
        ("enumerate([x], 1.5)", "an integer"),
        ("reversed(zip([x]))", "of an iterator"),
        ("sorted(x)", "sorted is not supported here"),
        ("isinstance(x, float)", "isinstance is not supported"),
        ("int('a')", "a string is not a number"),
        ("float('a')", "could not convert"),
        ("abs([x])", "not a list or a tuple"),
        ("math.sin([x])", "not a list or a tuple"),
        ("-[x]", "has no sign"),
        ("[1.0][::0]", "slice step cannot be zero"),
        ("x[::0]", "slice step cannot be zero"),
        ("[1].index(2)", "is not in list"),
        ("[1].index()", "index expected"),
        ("[].pop()", "pop from empty list"),
        ("{'a': x}['b']", "no item 'b': KeyError"),
        ("[x][3]", "no item 3: IndexError"),
        ("np.sum(x * i for i in range(3))", "a generator is not a number"),
        ("len(zip([x]))", "a zip is not a number"),
        ("zip([x])[0]", "a zip has no items"),
        ("x(2)", "this value cannot be called"),
        ("x + None", "None is not a number"),
        ("x + 'a'", "a string is not a number"),
        ("None.foo", "attribute foo of None"),
        ("round(x[0], 1)", "round to digits"),
        ("x.foo()", "attribute foo of an array"),
        ("np.fooo(x)", "numpy.fooo is not supported"),
        ("np.sin(x, x, x)", "numpy.sin takes 1 argument here, not 3"),
        ("math.sin(x)", "one number, not an array"),
        ("undefined * x", "name `undefined` is not defined"),
        ("[x] + (x,)", "of a list and a tuple"),
        ("x @ 2.0", "matmul"),
        ("sum(x, y=1)", "unexpected keyword argument"),
    ],
)
def test_calls_that_do_not_fit_are_located_errors(expression, match, tmp_path):
    text = f"def f(x):\n    y = {expression}\n    return np.sum(x)\n"
    with pytest.raises(SourceError, match=match) as caught:
        gradgen.grad(function_of(text))(X)
    assert caught.value.lineno == 4
    with pytest.raises(SourceError, match=match):
        text_of(tmp_path / "a.py", text, "x=3")


# -- imports ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imports", "expression"),
    [
        ("import numpy as np", "np.exp(np.sin(x)) * np.pi"),
        ("import numpy", "numpy.exp(numpy.sin(x)) * numpy.pi"),
        ("import numpy as math", "math.exp(math.sin(x)) * math.pi"),
        ("from numpy import exp as e, sin, pi as p", "e(sin(x)) * p"),
        ("from numpy import exp\nfrom math import exp as m", "exp(x) * m(x)"),
        ("from math import log, pi", "log(x) * pi"),
        ("import math as m", "m.atan2(x, 2.0) * m.tau * m.hypot(x, 1.0)"),
        ("from math import *", "exp(x) * pow(x, 3) * e"),
        ("from numpy import *", "exp(x) * power(x, 3) * e"),
        ("from math import *\nfrom numpy import *", "exp(x) * log(x)"),
        ("from numpy import *\nfrom math import *", "exp(x) * log(x)"),
        ("import numpy.linalg as la\nimport numpy as np", "la.norm(np.array([x, 2.0]))"),
        ("from numpy import linalg\nfrom numpy import array", "linalg.norm(array([x, 2.0]))"),
        ("from numpy.linalg import norm as n\nimport numpy as np", "n(np.array([x, 2.0]))"),
        ("import numpy.linalg\nimport numpy", "numpy.linalg.norm(numpy.array([x, 2.0]))"),
        ("import scipy.special as sc", "sc.expit(x) * sc.erf(x)"),
        ("from scipy.special import expit as s", "s(x)"),
        ("from scipy import special", "special.logit(special.expit(x))"),
        ("import numpy as np, math", "np.sqrt(x) * math.sqrt(x)"),
        ("import numpy as np\nnumpy = np\nroot = np.sqrt", "numpy.sqrt(x) * root(x)"),
        (
            "try:\n    from numpy import exp\nexcept ImportError:\n    from math import exp",
            "exp(x)",
        ),
        ("import numpy as np\nif False:\n    import json", "np.exp(x)"),
    ],
)
def test_imports_of_every_form(imports, expression, tmp_path):
    text = f"{imports}\n\ndef f(x):\n    return {expression}\n"
    agree(function_of(text, head=""), 0.7)
    live = gradgen.emit(function_of(text, head=""))
    emitted = agree_in_text(tmp_path / "a.py", text, 0.7, head="")
    if not any(f"import {name}" in imports for name in ("*", "exp as e, sin, pi", "log, pi")):
        assert body_of(live) == body_of(emitted)


def test_imports_inside_a_function(tmp_path):
    body = "import math as m, numpy\nfrom numpy import sin as s\nfrom numpy import linalg\n"
    body += "return m.exp(x) * s(x) * numpy.cos(x) * linalg.norm(numpy.array([x]))"
    both(with_body(body), 0.7, path=tmp_path / "a.py")


@pytest.mark.parametrize(
    "text",
    [
        "from json import *\ndef f(x):\n    return sum([x])\n",
        "import json\ndef f(x):\n    return json.loads(x)\n",
        "from cmath import exp\ndef f(x):\n    return exp(x)\n",
        "from .beside import g\ndef f(x):\n    return g(x)\n",
        "def square(x): return x ** 3\nfrom numpy import *\ndef f(x):\n    return square(x)\n",
        "def exp(x): return x\nif True:\n    from numpy import exp\ndef f(x):\n    return exp(x)\n",
        "if True:\n    import numpy as m\nelse:\n    import math as m\ndef f(x):\n    return m.exp(x)\n",
        "np = 3.0\ndef f(x):\n    return np * x\n",
        "np.sin = np.cos\ndef f(x):\n    return np.sin(x)\n",
    ],
)
def test_imports_whose_meaning_the_text_does_not_tell_are_refused(text, tmp_path):
    with pytest.raises(SourceError):
        text_of(tmp_path / "a.py", text)


def test_functions_and_methods_alike(tmp_path):
    for call, method in (
        ("np.sum(x)", "x.sum()"), ("np.mean(x, axis=0).sum()", "x.mean(axis=0).sum()"),
        ("np.max(x)", "x.max()"), ("np.prod(x)", "x.prod()"), ("np.dot(x, x.T)[0, 1]", "x.dot(x.T)[0, 1]"),
        ("np.transpose(x)[0, 1]", "x.T[0, 1]"), ("np.reshape(x, (3, 2))[2, 0]", "x.reshape(3, 2)[2, 0]"),
        ("np.sum(x) / np.shape(x)[0]", "x.sum() / x.shape[0]"), ("np.sum(x) / np.size(x)", "x.sum() / x.size"),
        ("np.sum(x) * np.ndim(x)", "x.sum() * x.ndim"), ("np.ravel(x)[4]", "x.ravel()[4]"),
        ("np.clip(x, 0, 2).sum()", "x.clip(0, 2).sum()"), ("np.copy(x)[1, 1]", "x.copy()[1, 1]"),
    ):  # fmt: skip
        values = []
        for expression in (call, method):
            f = function_of(f"def f(x):\n    return {expression}\n")
            try:
                values.append(gradgen.value_and_grad(f)(M)[1])
            except SourceError as error:
                assert call.startswith(("np.sum(x) /", "np.sum(x) *")), error
                continue
            same(values[-1], differences(f, (M,)))
        assert all(np.array_equal(v, values[0]) for v in values)


# -- helpers ---------------------------------------------------------------------------------------

HELPERS = {
    "module": "def g(a, b):\n    return a * b + a\ndef f(x):\n    return g(x, x * x) * g(2.0, x)\n",
    "nested": "def f(x):\n    def g(a, b):\n        return a * b * x\n    return g(x, 2.0) + g(1.0, x)\n",
    "lambda": "def f(x):\n    g = lambda a, b=3.0: a * b * x\n    return g(x) + g(1.0, x)\n",
    "module lambda": "g = lambda a: a * a\ndef f(x):\n    return g(g(x))\n",
    "immediate lambda": "def f(x):\n    return (lambda a: a * a)(x)\n",
    "defaults": "def g(a, b=2.0, *, c=3.0):\n    return a * b ** c\ndef f(x):\n"
                "    return g(x) + g(x, x) + g(x, c=2.0) + g(b=x, a=2.0)\n",
    "stars": "def g(a, *b, **c):\n    return a * b[0] * b[1] * c['k'] * len(b)\n"
             "def f(x):\n    return g(x, *[x, 2.0], **{'k': x})\n",
    "keywords spread": "def g(a, b):\n    return a * b * b\ndef f(x):\n    return g(**{'a': x, 'b': x})\n",
    "positional only": "def g(a, /, b):\n    return a * b\ndef f(x):\n    return g(x, b=x)\n",
    "two results": "def g(a):\n    return a * a, a + 1\ndef f(x):\n    y, z = g(x)\n    return y * z\n",
    "result dict": "def g(a):\n    return {'k': a * a}\ndef f(x):\n    return g(x)['k']\n",
    "chain": "def h(a):\n    return a * 3\ndef g(a):\n    return h(a) * h(a * a)\ndef f(x):\n"
             "    return g(h(x))\n",
    "later": "def f(x):\n    return g(x)\ndef g(a):\n    return a * K\nK = 3.0\n",
    "as argument": "def twice(h, a):\n    return h(h(a))\ndef g(a):\n    return a * a\n"
                   "def f(x):\n    return twice(g, x) + twice(np.sin, x) + twice(lambda a: a * x, x)\n",
    "returned": "def make(k):\n    def g(a):\n        return a * k\n    return g\n"
                "def f(x):\n    return make(x)(x) + make(2.0)(x)\n",
    "in a list": "def g(a):\n    return a * a\ndef f(x):\n"
                 "    for h in [g, np.sin, lambda a: a * 3]:\n        x = h(x)\n    return x\n",
    "recursion": "def g(a, n):\n    if n == 0:\n        return 1.0\n    return a * g(a, n - 1)\n"
                 "def f(x):\n    return g(x, 5)\n",
    "mutual": "def g(a, n):\n    return a if n == 0 else h(a * a, n - 1)\ndef h(a, n):\n"
              "    return a if n == 0 else g(a * 2, n - 1)\ndef f(x):\n    return g(x, 3)\n",
    "early return": "def g(a, n):\n    for k in range(9):\n        if k == n:\n            return a * k\n"
                    "    return 0.0\ndef f(x):\n    return g(x, 4) * g(x, 2)\n",
    "hidden names": "y = 5.0\ndef g(x):\n    y = x * x\n    return y\ndef f(x):\n    return g(x) * y\n",
    "constants": "A, B = 2.0, [3.0, (4.0, 5.0)]\nC = {'k': A * B[1][0]}\ndef f(x):\n"
                 "    return x * A * B[1][1] * C['k']\n",
    "constant array": "W = np.array([1.0, 2.0]) * 2\ndef f(x):\n    return np.sum(W * x) * W[1]\n",
    "constant call": "def g(n):\n    return n * 2\nW = g(3) + len([1, 2])\ndef f(x):\n    return x ** W\n",
    "constant loop": "ORDER = (1, 2, 3)\ndef f(x):\n    return sum(x ** k / k for k in ORDER)\n",
    "switch": "MODE = 'square'\ndef f(x):\n    if MODE == 'square':\n        return x * x\n"
              "    elif MODE == 'cube':\n        return x ** 3\n    return x\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HELPERS)
def test_helpers_and_constants(name, tmp_path):
    both(HELPERS[name], 1.3, path=tmp_path / "a.py")


def test_array_helpers(tmp_path):
    text = (
        "def softmax(z, axis=-1):\n    e = np.exp(z - np.max(z, axis=axis, keepdims=True))\n"
        "    return e / np.sum(e, axis=axis, keepdims=True)\n"
        "def f(x, y):\n    p = softmax(x @ y)\n    return -np.mean(np.log(p[:, 0]))\n"
    )
    both(text, M, M.T.copy(), path=tmp_path / "a.py", shapes="x=n d, y=d k")


def test_helpers_from_a_file_beside(tmp_path, monkeypatch):
    (tmp_path / "beside_one.py").write_text(
        "import math\nfrom beside_two import K\nSCALE = K * 2\n"
        "def g(x, k=SCALE):\n    return math.sin(x) * k\n"
    )
    (tmp_path / "beside_two.py").write_text("K = 3.0\ndef h(x):\n    return x * K\n")
    text = (
        "import beside_one\nimport beside_two as two\nfrom beside_one import g as gg, SCALE\n"
        "from beside_two import *\n"
        "def f(x):\n    return beside_one.g(x) * two.h(x) * gg(x, SCALE) * h(x) * K * two.K\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "uses_beside.py"
    emitted = agree_in_text(path, text, 1.3)
    module = importlib.import_module("uses_beside")
    agree(module.f, 1.3)
    for name in ("uses_beside", "beside_one", "beside_two"):
        del sys.modules[name]
    assert "import beside" not in body_of(emitted)


def test_a_relative_import_and_a_package(tmp_path):
    package = tmp_path / "pack" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "pack" / "__init__.py").write_text("K = 2.0\n")
    (tmp_path / "pack" / "near.py").write_text("def g(x):\n    return x * x\n")
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text(
        "from ..near import g\nfrom .. import near\nfrom . import b\nfrom .b import h\n"
        "def f(x):\n    return g(x) * near.g(x) * b.h(x) * h(x)\n"
    )
    (package / "b.py").write_text("def h(x):\n    return x * 3\n")
    ours = {}
    exec(emit_path(f"{package / 'a.py'}:f"), ours)
    assert ours["f_value_and_grad"](1.0) == (9.0, 54.0)


def test_what_a_star_import_does_not_bring_is_refused(tmp_path):
    (tmp_path / "beside.py").write_text("__all__ = ['g']\ndef g(x): return x\ndef h(x): return x\n")
    (tmp_path / "other.py").write_text("def _k(x): return x\n")
    text_of(tmp_path / "a.py", "from beside import *\ndef f(x):\n    return g(x)\n")
    for call in ("h(x)", "_k(x)"):
        text = f"from beside import *\nfrom other import *\ndef f(x):\n    return {call}\n"
        with pytest.raises(SourceError, match="is not defined"):
            text_of(tmp_path / "a.py", text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("def g(n):\n    return g(n + 1)\ndef f(x):\n    return g(0)\n", "more than 400 deep"),
        ("def f(x):\n    return f(x)\n", "more than 400 deep"),
        ("def g(x):\n    return x if x < 0 else g(x - 1)\ndef f(x):\n    return g(x)\n",
         "a conditional expression depends on"),
        ("def g(a, b):\n    return a\ndef f(x):\n    return g(x)\n", "g misses the argument b"),
        ("def g(a):\n    return a\ndef f(x):\n    return g(x, x)\n", "g takes 1 positional argument"),
        ("def g(a):\n    return a\ndef f(x):\n    return g(x, a=x)\n", "multiple values for argument a"),
        ("def g(a):\n    return a\ndef f(x):\n    return g(x, k=x)\n", "unexpected keyword argument k"),
        ("def g(a, /):\n    return a\ndef f(x):\n    return g(a=x)\n", "unexpected keyword argument a"),
        ("def g():\n    yield 1\ndef f(x):\n    return g()\n", "`yield`"),
        ("class G:\n    pass\ndef f(x):\n    return G()\n", "has no Python source|class `G`"),
    ],
)  # fmt: skip
def test_calls_of_helpers_that_do_not_fit_are_located_errors(text, match, tmp_path):
    with pytest.raises(SourceError, match=match):
        gradgen.grad(function_of(text))(1.5)
    with pytest.raises(SourceError, match=match):
        text_of(tmp_path / "a.py", text)


# -- structures ------------------------------------------------------------------------------------


def test_dicts_lists_and_tuples_as_parameters(tmp_path):
    text = (
        "def f(p, x):\n    h = np.tanh(p['W1'] @ x + p['b'][0])\n"
        "    y, (z, k) = p['rest']\n    return np.dot(h, h) * y * np.sum(z) * k\n"
    )
    p = {"W1": M, "b": [np.array([0.5, -1.0])], "rest": (2.0, [X, 0.3])}
    f = function_of(text)
    value, slope = gradgen.value_and_grad(f)(p, X)
    assert value == f(p, X)
    assert type(slope["rest"]) is tuple
    assert type(slope["rest"][1]) is list
    assert type(slope["b"]) is list
    same(slope["W1"], differences(lambda w: f({**p, "W1": w}, X), (M,)))
    same(slope["b"][0], differences(lambda b: f({**p, "b": [b]}, X), (p["b"][0],)))
    same(slope["rest"][1][0], differences(lambda z: f({**p, "rest": (2.0, [z, 0.3])}, X), (X,)))
    same(slope["rest"][0], differences(lambda y: f({**p, "rest": (y, [X, 0.3])}, X), (2.0,)))
    same(slope["rest"][1][1], differences(lambda k: f({**p, "rest": (2.0, [X, k])}, X), (0.3,)))
    shapes = "p.W1=m n, p.b.0=m, p.rest.0=scalar, p.rest.1.0=n, p.rest.1.1=scalar, x=n"
    ours = {}
    exec(text_of(tmp_path / "a.py", text, shapes), ours)
    told, told_slope = ours["f_value_and_grad"](p, X)
    assert told == value
    np.testing.assert_equal(told_slope["W1"], slope["W1"])


class Pair(NamedTuple):
    w: object
    b: object


@dataclasses.dataclass
class Layer:
    w: object
    b: object


@dataclasses.dataclass
class Net:
    layers: list
    scale: float


def affine(p, x):
    return np.sum(np.tanh(p.w @ x + p.b) ** 2)


def network(p, x):
    for layer in p.layers:
        x = np.tanh(layer.w * x + layer.b)
    return np.sum(x) * p.scale


def unpacked(p, x):
    w, b = p
    return np.sum((w @ x) * b) * p[1][0]


@pytest.mark.parametrize("kind", [Pair, Layer])
def test_named_tuples_and_dataclasses_as_parameters(kind):
    b = np.array([0.5, -1.0])
    value, slope = gradgen.value_and_grad(affine)(kind(M, b), X)
    assert type(slope) is kind
    assert value == affine(kind(M, b), X)
    same(slope.w, differences(lambda w: affine(kind(w, b), X), (M,)))
    same(slope.b, differences(lambda b: affine(kind(M, b), X), (b,)))


def test_a_named_tuple_is_a_tuple():
    b = np.array([0.5, -1.0])
    _, slope = gradgen.value_and_grad(unpacked)(Pair(M, b), X)
    same(slope.w, differences(lambda w: unpacked(Pair(w, b), X), (M,)))
    same(slope.b, differences(lambda b: unpacked(Pair(M, b), X), (b,)))


def test_nested_dataclasses():
    net = Net([Layer(X, 0.5), Layer(2 * X, -0.5)], 3.0)
    value, slope = gradgen.value_and_grad(network)(net, X)
    assert value == network(net, X)
    assert type(slope) is Net
    first = differences(lambda w: network(Net([Layer(w, 0.5), net.layers[1]], 3.0), X), (X,))
    same(slope.layers[0].w, first)
    same(slope.scale, differences(lambda s: network(Net(net.layers, s), X), (3.0,)))


def test_containers_made_in_the_function(tmp_path):
    body = (
        "s = []\nfor k in range(3):\n    s.append(x * k)\ns += [x]\ns.insert(0, 2.0)\nt = s.copy()\n"
        "t.reverse()\ns.extend(v for v in (x, x))\nlast = s.pop()\nd = {'a': last}\nd['b'] = s[1]\n"
        "d.update(c=x)\ne = {**d, 'z': 1.0}\nq = d.get('none', x)\n"
        "return sum(s) * t[0] * e['c'] * q * len(d) + d.pop('a') * s.index(2.0)"
    )
    text = with_body(body.replace(" + d.pop('a') * s.index(2.0)", " + d.pop('a')"))
    both(text, 1.3, path=tmp_path / "a.py")


def test_several_and_auxiliary_results():
    f = function_of("def f(x):\n    y = x * x\n    return np.sum(y), {'y': y, 'n': 3.0}\n")
    (value, aux), slope = gradgen.value_and_grad(f, has_aux=True)(X)
    assert value == np.sum(X * X)
    assert np.array_equal(aux["y"], X * X)
    assert aux["n"] == 3.0
    same(slope, 2 * X)
    f = function_of("def f(x):\n    return x, x * x, x ** 3\n")
    assert gradgen.value_and_grad(f, output=1)(3.0) == (9.0, 6.0)


# -- what is dynamic -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("if x > 0:\n    return x\nreturn -x",
         "`if` depends on a value that is not known while compiling", "use np.where(condition, a, b)"),
        ("while x > 1:\n    x = x / 2\nreturn x",
         "`while` depends on a value that is not known while compiling",
         "use `for` over a static range and np.where"),
        ("for k in range(x):\n    pass\nreturn x", "this must be known while compiling",
         "declare lengths as numbers, or make it a constant"),
        ("return x if x > 0 else -x",
         "a conditional expression depends on a value that is not known while compiling",
         "use np.where(condition, a, b)"),
        ("assert x > 0\nreturn x", "`assert` depends on a value that is not known while compiling",
         "check the arguments before the call"),
        ("return x or 1.0",
         "`and` or `or` of numbers depends on a value that is not known while compiling",
         "compare them first"),
        ("return sum([k for k in range(3) if k > x]) * x",
         "the condition of a comprehension depends on a value that is not known while compiling",
         "use np.where"),
        ("return [x, 2 * x][int(x)]", "this must be known while compiling",
         "declare lengths as numbers, or make it a constant"),
    ],
)  # fmt: skip
def test_what_is_dynamic_is_refused_with_a_hint(body, message, hint, tmp_path):
    with pytest.raises(SourceError) as caught:
        text_of(tmp_path / "a.py", with_body(body))
    assert caught.value.msg == message
    assert caught.value.hint == hint
    with pytest.raises(SourceError):
        gradgen.grad(function_of(with_body(body)))(1.5)


def test_a_loop_over_an_unknown_length_is_refused(tmp_path):
    for body in ("for v in x:\n    pass\nreturn x[0]", "return sum(x[k] for k in range(len(x)))",
                 "a, b = x\nreturn a"):  # fmt: skip
        with pytest.raises(SourceError, match="known"):
            text_of(tmp_path / "a.py", with_body(body), "x=n")


def test_the_first_call_tells_a_length_that_is_needed():
    f = function_of(with_body("s = 0.0\nfor v in x:\n    s += v ** 2\nreturn s"))
    g = gradgen.grad(f)
    for n in (1, 3, 5, 3):
        x = np.arange(1.0, n + 1)
        same(g(x), 2 * x)


def test_an_int_argument_may_decide_a_loop():
    f = function_of("def f(x, n):\n    for _ in range(n):\n        x = x * x\n    return x\n")
    g = gradgen.grad(f)
    assert [g(1.0, n) for n in (0, 1, 3)] == [1.0, 2.0, 8.0]


# -- live objects ----------------------------------------------------------------------------------


def test_partials_methods_and_callables_read_as_their_functions(tmp_path):
    f = function_of("def f(a, x, *, b=2.0):\n    return np.sum(a * x) * b\n")
    for g in (functools.partial(f, 3.0), functools.partial(f, 3.0, b=4.0)):
        assert g(X) == gradgen.value_and_grad(g)(X)[0]
        agree(g, X)
    bound = function_of("class A:\n    def f(self, x):\n        return np.sum(x) * self.k\n", "A")()
    bound.k = 2.5
    agree(bound.f, X)


def test_numpy_functions_by_any_name():
    f = function_of("def f(x):\n    return s(x) * m(x) * r(x)\n", s=np.sin, m=math.exp, r=abs)
    agree(f, 1.5)


def test_a_class_in_a_file_is_not_read(tmp_path):
    text = "class A:\n    def f(self, x):\n        return x\n"
    with pytest.raises(GradgenError, match="no top-level function f"):
        text_of(tmp_path / "a.py", text)


def test_a_function_that_is_not_there_is_refused_with_the_names_that_are(tmp_path):
    (tmp_path / "a.py").write_text("def g(x): return x\ndef h(x): return x\n")
    with pytest.raises(GradgenError, match="no top-level function f; its functions are g, h"):
        emit_path(f"{tmp_path / 'a.py'}:f")


def test_the_last_definition_of_a_function_counts(tmp_path):
    text = "def f(x):\n    return x\ndef f(x):\n    return x * x\n"
    both(text, 1.5, path=tmp_path / "a.py")
    with pytest.raises(SourceError, match="`f` is bound conditionally"):
        text_of(
            tmp_path / "a.py",
            "if True:\n    def f(x): return x\nelse:\n    def f(x): return 2 * x\n",
        )


def test_a_keyword_that_is_not_read_is_refused_and_never_ignored():
    # Ignored, it would give an array of one item the shape ().
    f = function_of(with_body("return np.sum(np.reshape(x, newshape=(1, 1)) ** 2)"))
    with pytest.raises(SourceError, match=r"numpy\.reshape: got an unexpected keyword.*newshape"):
        gradgen.grad(f)(np.ones(1))


def test_what_changes_names_is_found_without_a_look_into_expressions_that_tell_nothing():
    root = Path(__file__).parent
    files = [
        p
        for folder in ("cases", "corpus", "../examples")
        for p in root.joinpath(folder).rglob("*.py")
    ]
    plain = [
        "k = [1.0]\ndef f(x):\n    return x * k[0]\n",
        "k = [1.0]\ndef g(y):\n    y[0] = 2.0\ndef f(x):\n    return x * g(k)\n",
        "k = [1.0]\ndef f(x):\n    z = k\n    z[0] = x\n    return z[0] + sin(x)\n",
        "k = [1.0]\nk.append(2.0)\n",
        "k = [1.0]\ndef f(x):\n    return (k := x) + sin(k)\n",
        "k = [1.0]\ndef f(x):\n    return sin(x, out=k)\n",
        "k = [1.0]\nsave(k)\ndef f(x):\n    return x\n",
    ]
    for text in (*plain, *(path.read_text("utf-8") for path in files)):
        tree = ast.parse(text)
        assert changed_names(tree, text) == changed_names(tree)
    assert [changed_names(ast.parse(text), text) for text in plain] == [
        set(), {"k"}, {"k"}, {"k"}, set(), {"k"}, {"k"},
    ]  # fmt: skip


STANDARD = """\
import functools
import itertools
import operator
import scipy.integrate
from functools import reduce
from itertools import combinations


def pull(u, v, k=1.0):
    return k / (1.0 + (u - v) ** 2)


def f(x):
    weak = functools.partial(pull, k=0.5)
    total = sum(weak(u, v) for u, v in combinations(x, 2))
    for i, j in itertools.product(range(2), repeat=2):
        total += (i + 2 * j) * x[i] * x[j + 1]
    for u, v in itertools.pairwise(x):
        total -= u * v**2
    for name, u in zip("abc", itertools.chain(x[1:], [x[0]])):
        total += u * {"a": 1.0, "b": -2.0, "c": 0.5}[name]
    for i, j in np.ndindex(2, 2):
        total += x[i] * x[j + 1] * np.finfo(float).eps
    for key, u in {"w_a": x[0], "v_b": x[1]}.items():
        if key.startswith("w") and any(part == "a" for part in key.split("_")):
            total += u**3 if all([True, len(x) == 3]) else 0.0
    if isinstance(x, np.ndarray) and not isinstance(total, (np.ndarray, list)):
        total *= reduce(operator.mul, x) + reduce(lambda a, b: a * b + 1.0, x, 0.25)
    return total * ("b" in "abc")
"""


def test_the_standard_librarys_functions_of_what_is_known_are_read(tmp_path):
    x = np.array([0.5, -1.25, 2.0])
    agree(function_of(STANDARD), x)
    agree_in_text(tmp_path / "a.py", STANDARD, x, shapes="x=3")


@pytest.mark.parametrize(("line", "said"), [
    ("reduce(operator.mul, [])", "reduce() of nothing"),
    ("reduce(operator.mul)", "reduce takes two or three arguments, not 1"),
    ("operator.neg(x[0])", "operator.neg is not supported"),
    ("len(itertools.combinations(range(200), 4))", "more than 1000000 items are too many"),
    ("itertools.combinations(x)", "missing a required argument: 'r'"),
    ("any(u > 0 for u in x)", "any() depends on a value that is not known while compiling"),
    ("np.finfo(int).max", "np.finfo takes a dtype of floats, not int64"),
    ("scipy.integrate.quad(x)", "give the call a derivative of its own with gradgen.custom_rule"),
    ("np.vectorize(pull)(x, x)", "np.vectorize is not supported here"),
])  # fmt: skip
def test_what_the_standard_library_refuses_is_a_located_error(line, said, tmp_path):
    text = STANDARD.replace("    weak =", f"    y = {line}\n    weak =")
    with pytest.raises(SourceError, match=re.escape(said)):
        text_of(tmp_path / "a.py", text, "x=3")


def test_an_integer_default_is_fixed_where_the_program_needs_its_value():
    def f(x, n=2, *, k=3):
        for _ in range(n):
            x = np.sin(x)
        return np.sum(x**k)

    x = np.array([0.5, -1.25])
    for declared in ({"shapes": "x=n"}, {"like": (x,)}):
        emitted = gradgen.value_and_grad(f, **declared)
        value, slope = emitted(x)
        assert value == f(x)
        same(slope, differences(f, (x,)))
        with pytest.raises(ValueError, match="this code is for n=2"):
            emitted(x, 3)
    assert gradgen.check(f, shapes="x=2", effort="quick").ok
    with pytest.raises(SourceError, match="must be known while compiling"):
        gradgen.grad(f, wrt="n", shapes="x=n")


def test_a_default_of_numpys_that_decides_the_precision_is_refused():
    def f(x, eps=HALF):
        return np.sum(x * eps)

    x = np.array([0.5, -1.25])
    agree(f, x)
    for declared in ({"shapes": "x=n:float32"}, {}):
        with pytest.raises(SourceError, match="the default of `eps` is a number of NumPy's"):
            gradgen.grad(f, **declared)(x.astype(np.float32))
