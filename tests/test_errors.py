"""What users read when something is refused: whole texts, places, hints."""

# ruff: noqa: E501 (tables of sources, one a line)

import copy
import functools
import pickle
import traceback

import numpy as np
import pytest
from agreement import function_of

import gradgen
from gradgen import GradgenError, SourceError
from gradgen.api import emit_path
from gradgen.errors import ActiveTypeError, Location, NotCompiledError, Source

HEAD = "import numpy as np\n\n\n"


def refusal(folder, text, head=HEAD, shapes=None):
    """The error for the `f` of a file, and its text with the file's name alone."""
    path = folder / "user.py"
    path.write_text(head + text, "utf-8")
    with pytest.raises(SourceError) as caught:
        emit_path(f"{path}:f", shapes=shapes)
    return caught.value, str(caught.value).replace(str(path), "user.py")


REPORTS = {
    "if": (
        "def f(x):\n    if x > 0:\n        return x\n    return -x\n",
        "user.py:5:5: error: `if` depends on a value that is not known while compiling\n"
        "        if x > 0:\n"
        "        ^\n"
        "hint: use np.where(condition, a, b)",
    ),
    "conditional expression": (
        "def f(x):\n    return 2 * (x if x > 0 else -x)\n",
        "user.py:5:17: error: a conditional expression depends on a value that is not known while "
        "compiling\n"
        "        return 2 * (x if x > 0 else -x)\n"
        "                    ^\n"
        "hint: use np.where(condition, a, b)",
    ),
    "while": (
        "def f(x):\n    while x > 1:\n        x = x / 2\n    return x\n",
        "user.py:5:5: error: `while` depends on a value that is not known while compiling\n"
        "        while x > 1:\n"
        "        ^\n"
        "hint: use `for` over a static range and np.where",
    ),
    "for": (
        "def f(x):\n    for k in range(x):\n        pass\n    return x\n",
        "user.py:5:14: error: this must be known while compiling\n"
        "        for k in range(x):\n"
        "                 ^\n"
        "hint: declare lengths as numbers, or make it a constant",
    ),
    "print": (
        "def f(x):\n    print(x)\n    return x\n",
        "user.py:5:5: error: print is not supported here\n"
        "        print(x)\n"
        "        ^\n"
        "hint: output is a side effect: call it outside the function",
    ),
    "unknown function": (
        "def f(x):\n    return x + np.flor(x)\n",
        "user.py:5:16: error: numpy.flor is not supported\n"
        "        return x + np.flor(x)\n"
        "                   ^\n"
        "hint: the nearest supported function is numpy.floor",
    ),
    "random": (
        "def f(x):\n    return x * np.random.rand()\n",
        "user.py:5:16: error: numpy.random is not supported\n"
        "        return x * np.random.rand()\n"
        "                   ^\n"
        "hint: draw the numbers outside, and pass them",
    ),
    "undefined": (
        "def f(x):\n    return x * undefined\n",
        "user.py:5:16: error: name `undefined` is not defined\n"
        "        return x * undefined\n"
        "                   ^",
    ),
    "before assignment": (
        "def f(x):\n    z = y * 2\n    y = x\n    return y * z\n",
        "user.py:5:9: error: `y` is used before it is assigned\n"
        "        z = y * 2\n"
        "            ^",
    ),
    "syntax": (
        "def f(x):\n    y = [x, x\n    return y\n",
        "user.py:5:9: error: '[' was never closed\n"
        "        y = [x, x\n"
        "            ^",
    ),
    "shape": (
        "def f(x):\n    return np.sum(x)\n",
        "user.py:5:12: error: the shape of the argument `x` is needed here\n"
        "        return np.sum(x)\n"
        "               ^\n"
        'hint: declare it: --shapes "x=n" (or "x=scalar" for one number)',
    ),
    "array annotation": (
        "def f(x: np.ndarray):\n    return np.sum(x)\n",
        "user.py:4:7: error: the shape of the argument `x` is needed\n"
        "    def f(x: np.ndarray):\n"
        "          ^\n"
        'hint: declare it: --shapes "x=n"',
    ),
    "star parameter": (
        "def f(*xs):\n    return xs[0]\n",
        "user.py:4:1: error: the function takes *xs\n"
        "    def f(*xs):\n"
        "    ^\n"
        "hint: name the arguments one by one",
    ),
    "try": (
        "def f(x):\n    try:\n        return x\n    finally:\n        pass\n",
        "user.py:5:5: error: `try` is not supported here\n"
        "        try:\n"
        "        ^\n"
        "hint: move it outside the function",
    ),
    "global": (
        "def f(x):\n    global G\n    G = x\n    return x\n",
        "user.py:5:5: error: `global` is not supported here\n"
        "        global G\n"
        "        ^\n"
        "hint: pass the value as an argument and return it",
    ),
    "changed": (
        "W = 1.0\nW = 2.0\ndef f(x):\n    return W * x\n",
        "user.py:7:12: error: the module-level name `W` is bound conditionally or changed later\n"
        "        return W * x\n"
        "               ^\n"
        "hint: bind it once, at the top level",
    ),
    "no result": (
        "def f(x):\n    x * 2\n",
        "user.py:4:1: error: the function returns None\n"
        "    def f(x):\n"
        "    ^\n"
        "hint: return the value to differentiate",
    ),
    "recursion": (
        "def f(x):\n    return f(x * 2)\n",
        "user.py:5:12: error: the calls of f are nested more than 400 deep\n"
        "        return f(x * 2)\n"
        "               ^\n"
        "hint: give the recursion a static end, or write it as a loop over a static range",
    ),
    "unknown module": (
        "import json\ndef f(x):\n    return json.loads(x)\n",
        "user.py:6:12: error: the module json is neither a library that gradgen knows nor a file "
        "beside this one\n"
        "        return json.loads(x)\n"
        "               ^\n"
        "hint: copy the function into this file, or use the Python API",
    ),
    "decorator": (
        "@np.vectorize\ndef f(x):\n    return x\n",
        "user.py:4:2: error: the function is decorated with np.vectorize, which may change what it "
        "computes\n"
        "    @np.vectorize\n"
        "     ^\n"
        "hint: remove the decorator, or differentiate the function it is put on",
    ),
    "attribute": (
        "def f(x):\n    x.y = 2\n    return x\n",
        "user.py:5:5: error: this target of an assignment is not supported here\n"
        "        x.y = 2\n"
        "        ^\n"
        "hint: assign to a name",
    ),
    "unpacking": (
        "def f(x):\n    a, b = [x]\n    return a\n",
        "user.py:5:5: error: 1 values to unpack into 2 names\n"
        "        a, b = [x]\n"
        "        ^",
    ),
    "large integer": (
        "def f(x):\n    return x * 10 ** 5000\n",
        "user.py:5:16: error: an integer of more than 4,300 digits\n"
        "        return x * 10 ** 5000\n"
        "                   ^",
    ),
    "several lines": (
        "def f(x):\n    return (\n        np.exp(x)\n        + np.flor(\n            x)\n    )\n",
        "user.py:7:11: error: numpy.flor is not supported\n"
        "            + np.flor(\n"
        "              ^\n"
        "hint: the nearest supported function is numpy.floor",
    ),
    "helper": (
        "def g(a):\n    return a * missing\n\n\ndef f(x):\n    return g(x) + g(2 * x)\n",
        "user.py:5:16: error: name `missing` is not defined\n"
        "        return a * missing\n"
        "                   ^",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_the_whole_report(name, tmp_path):
    text, want = REPORTS[name]
    _, report = refusal(tmp_path, text)
    assert report == want


SHAPED = {
    "lengths": (
        "def f(x, y):\n    return np.sum(x * y)\n", "x=n, y=m",
        "user.py:5:19: error: lengths n and m meet elementwise, in shapes (n) and (m)\n"
        "        return np.sum(x * y)\n"
        "                      ^\n"
        "hint: give both the same name in shapes, or use 1 for the axis that broadcasts",
    ),
    "axis": (
        "def f(x):\n    return np.sum(x, axis=2)\n", "x=n",
        "user.py:5:12: error: axis 2 is out of bounds for an array with 1 axes\n"
        "        return np.sum(x, axis=2)\n"
        "               ^",
    ),
    "array result": (
        "def f(x):\n    y = x * 2\n    return y\n", "x=n",
        "user.py:5:9: error: the result of f is an array of shape (n,), not one number\n"
        "        y = x * 2\n"
        "            ^\n"
        "hint: return np.sum(...), or use mode vjp",
    ),
    "truth value": (
        "def f(x):\n    return np.sum(x if 0 < x < 1 else 2 * x)\n", "x=n",
        "user.py:5:24: error: the truth value of an array is ambiguous in a chained comparison\n"
        "        return np.sum(x if 0 < x < 1 else 2 * x)\n"
        "                           ^\n"
        "hint: use & | ~ on masks, with parentheses",
    ),
    "masks": (
        "def f(x):\n    return np.sum(x[x > 0] * x[x < 1])\n", "x=n",
        "user.py:5:19: error: lengths count_true(1) and count_true(2) meet elementwise, in shapes "
        "(count_true(1)) and (count_true(2))\n"
        "        return np.sum(x[x > 0] * x[x < 1])\n"
        "                      ^\n"
        "hint: give both the same name in shapes, or use 1 for the axis that broadcasts",
    ),
    "unknown length": (
        "def f(x):\n    s = 0.0\n    for v in x:\n        s += v\n    return s\n", "x=n",
        "user.py:6:5: error: iteration over an array of length n, which is not known while compiling\n"
        "        for v in x:\n"
        "        ^\n"
        "hint: declare the length as a number, or use array operations",
    ),
    "no such parameter": (
        "def f(x):\n    return x\n", "y=n",
        "user.py:4:1: error: shapes declares y, which is not a parameter\n"
        "    def f(x):\n"
        "    ^\n"
        "hint: the parameters are x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPED)
def test_the_whole_report_where_shapes_are_declared(name, tmp_path):
    text, shapes, want = SHAPED[name]
    _, report = refusal(tmp_path, text, shapes=shapes)
    assert report == want


def test_a_source_error_is_a_syntax_error_with_its_place(tmp_path):
    error, _ = refusal(tmp_path, "def f(x):\n    return x + np.flor(x)\n")
    assert isinstance(error, SyntaxError)
    assert isinstance(error, GradgenError)
    assert error.filename == str(tmp_path / "user.py")
    assert (error.lineno, error.offset) == (5, 16)
    assert error.text == "    return x + np.flor(x)"
    assert error.msg == "numpy.flor is not supported"
    assert error.hint == "the nearest supported function is numpy.floor"


def test_python_shows_a_source_error_as_it_shows_a_syntax_error(tmp_path):
    error, _ = refusal(tmp_path, "def f(x):\n    return x + np.flor(x)\n")
    lines = "".join(traceback.format_exception_only(error)).splitlines()
    assert lines[0] == f'  File "{tmp_path / "user.py"}", line 5'
    assert lines[1].strip() == "return x + np.flor(x)"
    assert lines[2].index("^") - lines[1].index("return") == len("return x + ")
    assert lines[3].endswith("SourceError: numpy.flor is not supported")


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize("name", ["if", "undefined", "syntax", "shape"])
def test_errors_survive_pickling_and_copying(name, copied, tmp_path):
    error, _ = refusal(tmp_path, REPORTS[name][0])
    again = copied(error)
    assert type(again) in (SourceError, type(error))
    assert str(again) == str(error)
    for attribute in ("filename", "lineno", "offset", "text", "msg", "hint"):
        assert getattr(again, attribute) == getattr(error, attribute)


def test_other_errors_survive_pickling():
    for kind in (GradgenError, ActiveTypeError, NotCompiledError):
        again = pickle.loads(pickle.dumps(kind("text")))
        assert type(again) is kind
        assert str(again) == "text"
    assert issubclass(ActiveTypeError, TypeError)
    assert issubclass(NotCompiledError, AttributeError)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("    é = x; y = é + bad", "bad"),
        ("    y = 'ü€𝄞' and bad", "bad"),
        ("    αβγ = bad(x)", "bad"),
        ("    y = {'数': bad}", "bad"),
        ("    y = 'e\u0301\u200b', bad", "bad"),
    ],
)
def test_columns_count_characters_and_not_bytes(line, at, tmp_path):
    error, report = refusal(tmp_path, f"def f(x):\n{line}\n    return x\n")
    assert error.text == line
    assert error.offset == line.index(at) + 1
    assert line[error.offset - 1 :].startswith(at)
    shown, caret = report.splitlines()[1:3]
    assert shown == "    " + line
    assert caret.index("^") == 4 + line.index(at)


@pytest.mark.parametrize("line", ["\ty = bad", "\ty\t=\tx + bad", "\ty = '\t' and bad"])
def test_the_caret_stands_under_its_column_after_tabs(line, tmp_path):
    error, report = refusal(tmp_path, f"def f(x):\n{line}\n\treturn x\n")
    assert error.offset == line.index("bad") + 1
    shown, caret = report.splitlines()[1:3]
    assert caret[: caret.index("^")].expandtabs(8) == " " * len(
        shown[: shown.index("bad")].expandtabs(8)
    )


@pytest.mark.parametrize(
    ("start", "end"),
    [("", "\n"), ("", "\r\n"), ("", "\r"), ("\ufeff", "\n"), ("\ufeff", "\r\n"),
     ("# -*- coding: latin-1 -*-\n", "\n"), ("# -*- coding: latin-1 -*-\n", "\r\n")],
)  # fmt: skip
def test_lines_and_columns_do_not_depend_on_line_ends_and_encodings(start, end, tmp_path):
    path = tmp_path / "user.py"
    text = start + "# é\ndef f(x):\n    é = x; return é + bad\n"
    encoding = "latin-1" if "latin" in start else "utf-8"
    path.write_bytes(text.replace("\n", end).encode(encoding))
    with pytest.raises(SourceError, match="name `bad` is not defined") as caught:
        emit_path(f"{path}:f")
    assert caught.value.lineno == 3 + start.count("\n")
    assert caught.value.offset == len("    é = x; return é + ") + 1


@pytest.mark.parametrize("between", ["\f", "\x0b", "\x1c", "\x85", "\u2028"])
def test_lines_are_those_that_python_counts(between, tmp_path):
    error, _ = refusal(tmp_path, f"'''a{between}b'''\ndef f(x):\n    return x + bad\n")
    assert error.lineno == 6
    assert error.text == "    return x + bad"


def test_a_very_long_line_is_shown_in_part(tmp_path):
    line = "    y = " + "x + " * 500 + "bad" + " + x" * 500
    error, report = refusal(tmp_path, f"def f(x):\n{line}\n    return x\n")
    assert error.text == line
    shown, caret = report.splitlines()[1:3]
    assert len(shown) < 250
    assert shown[caret.index("^") :].startswith("bad")


def test_a_helper_in_another_file_is_where_the_error_points(tmp_path):
    (tmp_path / "beside.py").write_text("import numpy as np\n\ndef g(x):\n    return np.flor(x)\n")
    error, _ = refusal(tmp_path, "from beside import g\ndef f(x):\n    return g(x) + 1\n")
    assert error.filename == str(tmp_path / "beside.py")
    assert (error.lineno, error.text) == (4, "    return np.flor(x)")


def test_a_lambda_and_a_nested_function_are_where_the_error_points(tmp_path):
    error, _ = refusal(
        tmp_path, "def f(x):\n    g = lambda a: a * bad\n    y = g(x)\n    return y\n"
    )
    assert (error.lineno, error.offset) == (5, 23)
    error, _ = refusal(tmp_path, "def f(x):\n    def g(a):\n        return bad\n    return g(x)\n")
    assert (error.lineno, error.offset) == (6, 16)


def test_a_live_error_names_the_file_and_the_line_of_the_definition():
    def f(x):
        return np.flor(x)

    with pytest.raises(SourceError) as caught:
        gradgen.grad(f)(1.0)
    assert caught.value.filename == __file__
    assert caught.value.lineno == f.__code__.co_firstlineno + 1
    assert caught.value.text == "        return np.flor(x)"


def test_a_broken_sibling_is_a_located_error(tmp_path):
    (tmp_path / "beside.py").write_text("def g(x:\n    return x\n")
    error, _ = refusal(tmp_path, "from beside import g\ndef f(x):\n    return g(x)\n")
    assert error.filename.endswith("beside.py")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"x = '\xe9'\n", b"# coding: nonsense\n", b"a\0b"])
def test_files_that_are_no_python_text_are_located_errors(data, tmp_path):
    path = tmp_path / "user.py"
    path.write_bytes(data + b"\ndef f(x):\n    return x\n")
    with pytest.raises(SourceError) as caught:
        emit_path(f"{path}:f")
    assert caught.value.filename == str(path)


def test_a_missing_file_or_function_is_a_plain_error(tmp_path):
    with pytest.raises(GradgenError, match="No such file"):
        emit_path(f"{tmp_path / 'none.py'}:f")
    with pytest.raises(GradgenError, match=r"expected PATH\.py:function"):
        emit_path("user.py")
    with pytest.raises(GradgenError):
        emit_path(f"{tmp_path}:f")


def test_no_error_shows_gradgens_own_frames_as_its_cause(tmp_path):
    error, _ = refusal(tmp_path, "def f(x):\n    return x + np.flor(x)\n")
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_an_error_without_a_line_is_still_readable():
    error = SourceError("message", Location(Source("a.py", ""), 7, 0), "do this")
    assert str(error) == "a.py:7:1: error: message\nhint: do this"


# -- partials, objects, methods --------------------------------------------------------------------


def broken(a, x):
    return a * np.flor(x)


class Holder:
    W = np.ones(3)

    def loss(self, x):
        return np.sum(self.W * x) + self.missing

    def __call__(self, x):
        return self.W.flor(x)

    def name(self, x):
        return self.label * x

    label = "text"


def test_errors_behind_partials_objects_and_methods_are_located():
    with pytest.raises(SourceError, match=r"numpy\.flor") as caught:
        gradgen.grad(functools.partial(broken, 2.0))(1.0)
    assert caught.value.lineno == broken.__code__.co_firstlineno + 1
    with pytest.raises(SourceError, match="no attribute 'missing'") as caught:
        gradgen.grad(Holder().loss)(np.ones(3))
    assert caught.value.text.strip() == "return np.sum(self.W * x) + self.missing"
    with pytest.raises(SourceError, match="attribute flor of an array"):
        gradgen.grad(Holder())(np.ones(3))
    with pytest.raises(SourceError, match="a string is not a number"):
        gradgen.grad(Holder().name)(1.0)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (functools.partial(np.power, 2.0), "power has no Python source to differentiate"),
        (np.sin, "sin has no Python source to differentiate"),
        (3, "3 is not a function"),
        (staticmethod(broken), "a staticmethod object: put the decorator below it"),
        (property(broken), "a property object: put the decorator below it"),
        (functools.cache(broken), "broken is wrapped by a decorator; pass the undecorated function "
                                  "(its `__wrapped__`)"),
    ],
)  # fmt: skip
def test_what_has_no_source_is_refused_by_name(thing, message):
    with pytest.raises(GradgenError) as caught:
        gradgen.grad(thing, shapes="x=scalar")
    assert str(caught.value) == message


def test_import_star_is_read_or_refused_by_name(tmp_path):
    path = tmp_path / "user.py"
    path.write_text("from numpy import *\ndef f(x):\n    return exp(x) * pi\n")
    emit_path(f"{path}:f")
    error, _ = refusal(tmp_path, "from json import *\ndef f(x):\n    return abs(x)\n", head="")
    assert error.msg == (
        "the module json is neither a library that gradgen knows nor a file beside this one"
    )


def test_a_live_import_star_is_read():
    f = function_of(
        "from numpy import *\ndef f(x):\n    return exp(x) * sum(x * ones(3))\n", head=""
    )
    with pytest.raises(SourceError, match="is an array of shape"):
        gradgen.grad(f)(np.ones(3))
    f = function_of("from math import *\ndef f(x):\n    return exp(x) * pow(x, 2) * pi\n", head="")
    assert gradgen.value_and_grad(f)(1.5)[0] == f(1.5)
