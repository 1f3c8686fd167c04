"""What an emitted function says to arguments of other shapes than the declared ones."""

import ast
import itertools
import linecache
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from agreement import HEAD, agree, function_of, text_of

import gradgen
from gradgen import SourceError
from gradgen.api import emit_path
from gradgen.guards import shape_tests
from gradgen.read import parse_shapes

DOT = "def f(x, y):\n    return np.sum(x * y)\n"
EVERY_MODE = ("value_and_grad", "grad", "pair")
NUMBER = "getattr(seed, 'shape', ()) != ()"


def checks(function):
    """The tests of the `if` statements in an emitted source that only raise."""
    nodes = ast.walk(ast.parse(function if isinstance(function, str) else function.source))
    return [
        ast.unparse(n.test)
        for n in nodes
        if isinstance(n, ast.If) and all(isinstance(s, ast.Raise) for s in n.body)
    ]


def run(text):
    """The namespace of an emitted file."""
    names = {}
    exec(text, names)
    return names


def broken(function, *args, **keywords):
    """The text of the ValueError that a call raises."""
    with pytest.raises(ValueError) as caught:
        function(*args, **keywords)
    assert type(caught.value) is ValueError
    assert caught.traceback[-1].name.startswith("f_")
    return str(caught.value)


# -- what is raised --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "given", "message"),
    [
        ("x=3, y=3", [(4,), (3,)],
         "f_grad takes x of shape (3,) and y of shape (3,), not x.shape=(4,) and y.shape=(3,)"),
        ("x=3, y=3", [(3,), (1,)],
         "f_grad takes x of shape (3,) and y of shape (3,), not x.shape=(3,) and y.shape=(1,)"),
        ("x=n, y=n", [(3,), (1,)],
         "f_grad takes x of shape (n,) and y of shape (n,), not x.shape=(3,) and y.shape=(1,)"),
        ("x=n, y=n", [(3, 1), (3, 1)],
         "f_grad takes x of shape (n,) and y of shape (n,), not x.shape=(3, 1) and y.shape=(3, 1)"),
        ("x=n, y=n", [(), ()],
         "f_grad takes x of shape (n,) and y of shape (n,), not x.shape=() and y.shape=()"),
        ("x=n d, y=d", [(3, 4), (1,)],
         "f_grad takes x of shape (n, d) and y of shape (d,), not x.shape=(3, 4) and y.shape=(1,)"),
        ("x=n d, y=d", [(4,), (4,)],
         "f_grad takes x of shape (n, d) and y of shape (d,), not x.shape=(4,) and y.shape=(4,)"),
        ("x=n, y=scalar", [(3, 3), None],
         "f_grad takes x of shape (n,), not x.shape=(3, 3)"),
        ("x=n, y=()", [(3,), (3,)],
         "f_grad takes x of shape (n,) and y of shape (), not x.shape=(3,) and y.shape=(3,)"),
        ("x=scalar, y=1", [None, (3,)],
         "f_grad takes y of shape (1,), not y.shape=(3,)"),
    ],
)  # fmt: skip
def test_a_broken_shape_is_an_error_that_names_arguments_and_shapes(
    shapes, given, message, tmp_path
):
    args = [2.0 if shape is None else np.ones(shape) for shape in given]
    live = gradgen.grad(function_of(DOT), shapes=shapes)
    assert broken(live, *args) == message
    emitted = run(text_of(tmp_path / "a.py", DOT, shapes, mode="grad"))["f_grad"]
    assert broken(emitted, *args) == message


def test_several_arrays_are_listed_with_their_shapes():
    text = "def f(W, b, x):\n    return np.sum(W @ x + b)\n"
    g = gradgen.value_and_grad(function_of(text), shapes="W=h d, b=h, x=d")
    assert broken(g, np.ones((2, 3)), np.ones(2), np.ones(2)) == (
        "f_value_and_grad takes shapes W (h, d), b (h,) and x (d,), "
        "not W.shape=(2, 3), b.shape=(2,) and x.shape=(2,)"
    )


def test_a_call_that_broadcast_to_a_wrong_gradient_is_refused():
    f = function_of("def f(x, y):\n    return np.sum((x - y) ** 2)\n")
    g = gradgen.grad(f, wrt="y", shapes="x=n, y=n")
    x, y = np.array([1.0, 2.0, 4.0]), np.array([1.0])
    # The derivative is that of 3*y**2 - 14*y + ..., one number; the code for (n,) gives three.
    assert "y.shape=(1,)" in broken(g, x, y)
    np.testing.assert_array_equal(g(x, np.array([1.0, 1.0, 1.0])), [0.0, -2.0, -6.0])


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_a_symbol_stands_for_every_length(size):
    x, y = np.arange(size, dtype=float), np.linspace(1.0, 2.0, size)
    value, slope = gradgen.value_and_grad(function_of(DOT), shapes="x=n, y=n")(x, y)
    assert value == np.sum(x * y)
    np.testing.assert_array_equal(slope, y)


# -- which shapes: the conditions against a search of lengths --------------------------------------

SYSTEMS = [
    "x=3", "x=0", "x=()", "x=n", "x=n, y=n", "x=n, y=m", "x=n n", "x=n d, y=n d", "x=n d, y=d n",
    "x=n 3, y=3 n", "x=n-1, y=n", "y=n, x=n-1", "x=n-1, y=n+1", "x=10-n, y=n", "x=2*n", "x=2*n+1",
    "x=2*n, y=n", "x=2*n, y=3*n", "x=2*n+1, y=4*n", "x=3-2*n, y=n+n", "x=n m-1, y=m n-1",
    "x=n+m, y=m-1, z=n", "x=n+m, y=m", "x=n+m, y=n-m", "x=n*d, y=n d", "x=n*n, y=n", "x=2 n, y=n 2",
    "x=n*m, y=n*m", "x=n+m, y=n+m", "x=n, y=n, z=n", "x=n d, y=d m, z=m n", "x=n 1, y=1 n",
    "x=n*m+1, y=n, z=m",
]  # fmt: skip
# Nothing tells the symbols of these, and what the search knows of them the conditions do not say.
UNTOLD = {"x=n*m, y=n*m", "x=n+m, y=n-m"}


def possible(declared, shapes):
    """Whether some integers for the symbols give the shapes, found by trying them."""
    if any(len(t.shape) != len(s) for t, s in zip(declared.values(), shapes, strict=True)):
        return False
    sizes = [str(size) for t in declared.values() for size in t.shape]
    wanted = [length for shape in shapes for length in shape]
    symbols = sorted({word for size in sizes for word in re.findall(r"[a-z]", size)})
    code = [compile(size, "size", "eval") for size in sizes]
    return any(
        all(eval(c, {}, names) == w for c, w in zip(code, wanted, strict=True))
        for values in itertools.product(range(-12, 13), repeat=len(symbols))
        for names in [dict(zip(symbols, values, strict=True))]
    )


@pytest.mark.parametrize("text", SYSTEMS)
def test_what_is_refused_is_what_no_lengths_give(text):
    declared = parse_shapes(text)
    tests = shape_tests({name: t.shape for name, t in declared.items()})
    code = compile(" or ".join(tests), "tests", "eval")
    rng = np.random.default_rng(0)
    ranks = [len(t.shape) for t in declared.values()]
    tried = {True: 0, False: 0}
    for turn in range(150):
        low, high = (0, 5) if turn % 2 else (2, 4)
        shapes = [
            tuple(int(n) for n in rng.integers(low, high, rank if turn % 5 else rank + 1))
            for rank in ranks
        ]
        arrays = dict(zip(declared, map(np.empty, shapes), strict=True))
        fits = possible(declared, shapes)
        refused = bool(eval(code, {}, arrays))
        if text in UNTOLD and not refused:
            continue
        assert refused is not fits, f"{shapes}: {tests}"
        tried[fits] += 1
    assert tried[False] > 0, "no shape of these was wrong"


def test_every_length_is_found_right_where_it_is():
    # From symbols to shapes, so that the right ones are met also where chance does not find them.
    for text in SYSTEMS:
        declared = parse_shapes(text)
        tests = shape_tests({name: t.shape for name, t in declared.items()})
        for n, m, d in itertools.product((0, 1, 2, 5), repeat=3):
            shapes = [
                tuple(eval(str(size), {}, {"n": n, "m": m, "d": d}) for size in t.shape)
                for t in declared.values()
            ]
            if min([0, *itertools.chain(*shapes)]) < 0:
                continue
            arrays = dict(zip(declared, map(np.empty, shapes), strict=True))
            assert not eval(" or ".join(tests), {}, arrays), f"{text}: {shapes}"


@pytest.mark.parametrize("text", SYSTEMS)
def test_a_file_with_checks_is_input_again(text, tmp_path):
    names = list(parse_shapes(text))
    source = f"def f({', '.join(names)}):\n    return {' + '.join(f'np.sum({n})' for n in names)}\n"
    first = text_of(tmp_path / "a.py", source, text, mode="grad", wrt=names)
    shapes = re.search("^# gradgen-shapes: (.*)$", first, re.M)[1]
    (tmp_path / "b.py").write_text(first, "utf-8")
    again = emit_path(f"{tmp_path / 'b.py'}:f_grad", wrt=names, shapes=shapes, output=0,
                      mode="pair")  # fmt: skip
    assert len(checks(first)) == 1
    assert checks(again)[:1] == checks(first), "behind it those of the seed"


def test_a_file_with_checks_cannot_be_read_for_other_shapes(tmp_path):
    (tmp_path / "b.py").write_text(text_of(tmp_path / "a.py", DOT, "x=n, y=n", mode="grad"))
    with pytest.raises(SourceError, match="`if` depends on a value that is not known") as caught:
        emit_path(f"{tmp_path / 'b.py'}:f_grad", shapes="x=n, y=m", mode="pair")
    assert "if x.ndim != 1 or y.shape != x.shape:" in str(caught.value)


# -- where there is a check, and where none --------------------------------------------------------


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_the_function_that_takes_the_arguments_has_one_check(mode, tmp_path):
    text = text_of(tmp_path / "a.py", DOT, "x=n, y=n", mode=mode)
    assert checks(text) == ["x.ndim != 1 or y.shape != x.shape", *[NUMBER] * (mode == "pair")]
    live = gradgen.emit(function_of(DOT), shapes="x=n, y=n", mode=mode)
    assert checks(live) == checks(text)
    first = next(s for s in ast.parse(text).body if isinstance(s, ast.FunctionDef))
    assert isinstance(first.body[1], ast.If), "behind the docstring"


def test_examples_declare_lengths():
    g = gradgen.grad(function_of(DOT), like=(np.ones(3), np.ones(3)))
    assert checks(g) == ["x.shape != (3,) or y.shape != (3,)"]
    assert "y.shape=(4,)" in broken(g, np.ones(3), np.ones(4))


def test_annotations_declare_shapes():
    class Float:
        def __class_getitem__(cls, _):
            return cls

    Float.__module__ = "jaxtyping"
    text = (
        'def f(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "d"]):\n    return np.sum(x * y)\n'
    )
    name = "<annotated with shapes>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    names = {"np": np, "Float": Float}
    exec(compile(text, name, "exec", dont_inherit=True), names)
    g = gradgen.grad(names["f"])
    assert checks(g) == ["x.ndim != 2 or y.shape != (x.shape[1],)"]
    assert "y.shape=(2,)" in broken(g, np.ones((2, 3)), np.ones(2))


def test_what_is_compiled_at_the_first_call_needs_no_check():
    g = gradgen.grad(function_of(DOT), wrt=("x", "y"))
    for shapes in [((3,), (3,)), ((3,), (1,)), ((2, 3), (3,)), ((), (2,))]:
        x, y = (np.full(shape, 2.0) for shape in shapes)
        dx, dy = g(x, y)
        assert checks(g) == []
        assert (dx.shape, dy.shape) == shapes
        assert np.sum(dx) == np.sum(dy) == 2.0 * np.broadcast(x, y).size


def test_numbers_are_not_checked():
    for shapes in ["x=scalar, y=scalar", "x=float, y=int", "x=scalar:float32, y=scalar"]:
        assert checks(gradgen.grad(function_of(DOT), shapes=shapes)) == []
    assert checks(gradgen.emit(function_of("def f(x):\n    return x * x\n"), target="python")) == []


def test_dtypes_are_not_checked():
    g = gradgen.grad(function_of(DOT), shapes="x=n, y=n")
    np.testing.assert_array_equal(g(np.ones(2), np.array([1, 2])), [1.0, 2.0])


def test_arguments_that_nothing_uses_are_checked_too():
    g = gradgen.grad(function_of("def f(x, y):\n    return np.sum(x)\n"), shapes="x=n, y=n 2")
    assert broken(g, np.ones(3), np.ones((4, 2))).endswith("x.shape=(3,) and y.shape=(4, 2)")


def test_keyword_only_arguments_are_checked():
    g = gradgen.grad(function_of("def f(x, *, y):\n    return x @ y\n"), shapes="x=n, y=n")
    assert "y.shape=(2,)" in broken(g, np.ones(3), y=np.ones(2))


# -- structures ------------------------------------------------------------------------------------


class Pair(NamedTuple):
    a: np.ndarray
    b: np.ndarray


@dataclass
class Layer:
    W: np.ndarray
    b: np.ndarray


@pytest.mark.parametrize(
    ("right", "wrong", "spelled"),
    [
        ({"W": (2, 3), "b": (2,)}, {"W": (2, 3), "b": (1,)}, "p['b'].shape=(1,)"),
        ([(2, 3), (2,)], [(2, 3), (3,)], "p[1].shape=(3,)"),
        (Pair((2, 3), (2,)), Pair((2, 4), (2,)), "p.a.shape=(2, 4)"),
        (Layer((2, 3), (2,)), Layer((2, 3), (2, 1)), "p.b.shape=(2, 1)"),
        ({"a b": (2, 3), "": (2,)}, {"a b": (2, 3), "": (1,)}, "p[''].shape=(1,)"),
        ({0: (2, 3), 1: (2,)}, {0: (2, 3), 1: (1,)}, "p[1].shape=(1,)"),
    ],
)
def test_parts_of_structures_are_checked(right, wrong, spelled):
    def filled(shapes):
        if isinstance(shapes, dict):
            return {k: np.ones(s) for k, s in shapes.items()}
        if isinstance(shapes, Layer):
            return Layer(np.ones(shapes.W), np.ones(shapes.b))
        arrays = map(np.ones, shapes)
        return Pair(*arrays) if isinstance(shapes, Pair) else list(arrays)

    one, other = (
        [f".{k}" for k in vars(right)] if isinstance(right, Layer)
        else [".a", ".b"] if isinstance(right, Pair)
        else [f"[{k!r}]" for k in (right if isinstance(right, dict) else range(2))]
    )  # fmt: skip
    text = f"def f(p, x):\n    return np.sum((p{one} @ x + p{other}) ** 2)\n"
    g = gradgen.value_and_grad(function_of(text), like=(filled(right), np.ones(3)))
    value, _ = g(filled(right), np.ones(3))
    assert value == 2 * 4.0**2
    assert spelled in broken(g, filled(wrong), np.ones(3))
    assert "x.shape=(2,)" in broken(g, filled(right), np.ones(2))


@pytest.mark.parametrize("key", ["it's", 'a"b', "{x}", "back\\slash", "new\nline", '"""', "\udc80"])
def test_a_key_that_no_f_string_holds_is_checked_with_a_plainer_message(key):
    text = f"def f(p):\n    return np.sum(p[{key!a}] ** 2)\n"
    g = gradgen.grad(function_of(text), like=({key: np.ones(2)},))
    np.testing.assert_array_equal(g({key: np.ones(2)})[key], [2.0, 2.0])
    assert broken(g, {key: np.ones(3)}).endswith(" of shape (2,)")


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ValueError", "shape", "ndim", "saved", "f_grad_1", "größe"])
def test_users_names_do_not_meet_those_of_the_check(name):
    text = f"def f({name}, y):\n    {name} = {name} * 2.0\n    return np.sum({name} * y)\n"
    g = gradgen.grad(function_of(text), shapes={name: "n", "y": "n"})
    np.testing.assert_array_equal(g(np.ones(2), np.ones(2)), [2.0, 2.0])
    assert f"{name}.shape=(3,)" in broken(g, np.ones(3), np.ones(2))


def test_a_local_called_as_the_error_hides_nothing():
    text = "def f(x):\n    ValueError = np.sum(x)\n    return ValueError * ValueError\n"
    g = gradgen.grad(function_of(text), shapes="x=n")
    np.testing.assert_array_equal(g(np.ones(2)), [4.0, 4.0])
    assert "x.shape=(2, 1)" in broken(g, np.ones((2, 1)))


# -- style -----------------------------------------------------------------------------------------


def test_ruff_with_its_default_settings_has_nothing_to_change(tmp_path):
    folder = tmp_path / "emitted"
    folder.mkdir()
    long = "a_rather_long_name_of_an_argument"
    systems = [*SYSTEMS, f"{long}=n, {long}_too=2*n-{long}_length, z={long}_length",
               *(f"{'x' * k}=n" for k in range(1, 20)),
               *(f"{'x' * k}=n, y=n" for k in range(1, 20))]  # fmt: skip
    for at, shapes in enumerate(systems):
        names = list(parse_shapes(shapes))
        total = " + ".join(f"np.sum({n} * {n})" for n in names)
        source = f"def f({', '.join(names)}):\n    return {total}\n"
        text = text_of(tmp_path / "a.py", source, shapes, mode="grad")
        (folder / f"{at}.py").write_text(text, "utf-8")
    for command in (["format", "--diff"], ["check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--quiet", str(folder)],
            capture_output=True, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


# -- checks that the user wrote --------------------------------------------------------------------


X, Y = np.array([1.0, -2.0, 3.0]), np.array([0.5, 4.0, 2.0])
HELD = [
    "if x.shape[0] != y.shape[0]: raise ValueError('lengths')",
    "if x.shape != y.shape: raise ValueError(f'{x.shape} and {y.shape}')",
    "if len(x) != len(y) or x.ndim != 1: raise ValueError('lengths')",
    "if not x.shape == y.shape: raise ValueError",
    "if x.shape[1:] != y.shape[1:]: raise ValueError('rest')",
    "if x.shape != (y.shape[0],): raise ValueError('tuple')",
    "if (x.shape[0] + 1, 2) != (len(y) + 1, 2): raise ValueError('sum')",
    "if 2 * x.size % 2: raise ValueError('odd')",
    "if 2 * x.size % 2 != 0: raise ValueError('odd')",
    "if (x.shape, y.ndim) != (y.shape, 1): raise ValueError('nested')",
    "if x.ndim == 2:\n        raise ValueError('rank')\n    elif x.shape != y.shape: raise E",
    "assert x.ndim == 1",
    "assert x.shape == y.shape == y.shape, f'{x.shape}'",
    "assert np.shape(x) == np.shape(y)",
    "assert len(x) == len(y) and x.ndim == y.ndim",
    "assert x.shape[0] >= y.shape[0]",
]


@pytest.mark.parametrize("check", HELD)
def test_a_check_that_the_declared_shapes_decide_is_no_part_of_the_program(check, tmp_path):
    text = f"def f(x, y):\n    {check}\n    return np.sum(x * y * x)\n"
    without = DOT.replace("x * y", "x * y * x")
    for shapes in ("x=n, y=n", "x=3, y=3"):
        agree(function_of(text), X, Y, shapes=shapes)
        ours, plain = (text_of(tmp_path / "a.py", t, shapes) for t in (text, without))
        code = [part.partition("import numpy")[2] for part in (ours, plain)]
        assert code[0] == code[1]
    agree(function_of(text), X, Y)


@pytest.mark.parametrize(
    ("check", "shapes"),
    [
        ("if x.shape[0] != y.shape[0]: raise ValueError(x)", "x=3, y=4"),
        ("if x.shape[0] != y.shape[0]: raise ValueError(x)", "x=n, y=n+1"),
        ("if x.shape != y.shape: raise ValueError(x)", "x=n, y=n 2"),
        ("if x.shape != (3,): raise ValueError(x)", "x=4, y=n"),
        ("if x.shape != [3]: raise ValueError(x)", "x=3, y=n"),
        ("if x.ndim != 2: raise ValueError(x)", "x=n, y=n"),
        ("assert x.shape == y.shape", "x=n, y=n-1"),
        ("assert x.shape[0] % 2 == 0", "x=2*n+1, y=n"),
        ("assert y.ndim == 2", "x=n, y=n"),
    ],
)
def test_a_check_that_the_declared_shapes_break_is_refused_with_its_line(check, shapes, tmp_path):
    text = f"def f(x, y):\n    {check}\n    return np.sum(x) + np.sum(y)\n"
    with pytest.raises(SourceError) as caught:
        text_of(tmp_path / "a.py", text, shapes)
    assert caught.value.lineno == HEAD.count("\n") + 2


@pytest.mark.parametrize(
    ("check", "shapes"),
    [
        ("if x.shape[0] != y.shape[0]: raise ValueError(x)", "x=n, y=m"),
        ("if x.shape != y.shape: raise ValueError(x)", "x=n, y=m"),
        ("if x.shape != y.shape: raise ValueError(x)", "x=n d, y=n m"),
        ("if x.shape == (3,): raise ValueError(x)", "x=n, y=n"),
        ("if x[0] < 0: raise ValueError(x)", "x=n, y=n"),
        ("assert x.shape[0] % 2 == 0", "x=3*n, y=n"),
        ("assert x.shape == (3,)", "x=n, y=n"),
        ("assert np.all(x > 0)", "x=n, y=n"),
    ],
)
def test_a_check_that_nothing_decides_is_refused_with_its_line(check, shapes, tmp_path):
    text = f"def f(x, y):\n    {check}\n    return np.sum(x) + np.sum(y)\n"
    with pytest.raises(SourceError, match="is not known while compiling") as caught:
        text_of(tmp_path / "a.py", text, shapes)
    assert caught.value.lineno == HEAD.count("\n") + 2
    assert caught.value.hint == "check the arguments before the call"


def test_a_check_of_undeclared_arguments_is_decided_at_the_call():
    f = function_of("def f(x, y):\n    if x.shape != y.shape: raise ValueError('no')\n"
                    "    return np.sum(x * y)\n")  # fmt: skip
    g = gradgen.grad(f)
    np.testing.assert_array_equal(g(X, Y), Y)
    for wrong in (np.ones(2), np.ones((3, 1)), np.ones(1)):
        with pytest.raises(SourceError) as caught:
            g(X, wrong)
        assert caught.value.lineno == HEAD.count("\n") + 2


@pytest.mark.parametrize(
    "test",
    [
        "x.shape == [3]", "[3] == x.shape", "x.shape == (3,)", "x.shape != (3,)", "(3,) == [3]",
        "[x.ndim] == [1]", "([1], 2) == ([1], 2)", "((1,), 2) == ([1], 2)", "(1, 2) == (1,)",
        "(1, 'a') == (1, 'a')", "(1, None) != (1, None)", "(1.0, 2) == (1, 2.0)", "() == []",
        "(True,) == (1,)", "x.shape == 3", "'3' == x.shape", "range(2) == [0, 1]",
    ],
)  # fmt: skip
def test_tuples_and_lists_are_equal_where_python_says_so(test):
    text = f"def f(x):\n    return np.sum(x) if {test} else np.sum(x * x)\n"
    agree(function_of(text), X, shapes="x=3")
