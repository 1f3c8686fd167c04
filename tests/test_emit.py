"""Emitted text: names, layout, nesting, and its growth with the program."""

# ruff: noqa: E501 (programs stand on one line each)

import ast
import keyword
import linecache
import math
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import pytest

from gradgen import GradgenError, emit
from gradgen.layout import WIDTH, lay_out
from gradgen.render import inspect_unit
from gradgen.targets.base import number, quoted
from gradgen.unit import FunctionText, Unit


def function_of(text, name="f", **names):
    """A function of a source that `inspect` finds."""
    namespace = {"np": np, **names}
    file = f"<emitted {hash(text)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    exec(compile(text, file, "exec"), namespace)
    return namespace[name]


def simple(parameters, expression, body=""):
    return f"def f({', '.join(parameters)}):\n{body}    return {expression}\n"


def numbered(count, base="parameter"):
    return [f"{base}_{i}" for i in range(count)]


def body_of(text):
    """The lines of the last function behind its docstring."""
    node = ast.parse(text).body[-1]
    lines = text.splitlines()
    return lines[node.body[1].lineno - 1 : node.end_lineno]


class Pair(NamedTuple):
    x: float
    y: float


Wide = NamedTuple("Wide", [(f"a{i}", float) for i in range(30)])
DIGITS = np.linspace(0, 1, 16) / 3


def many(template, count=30, start=2):
    return ", ".join(template.format(i) for i in range(start, start + count))


# Programs whose emission has something to lay out: source, options of `emit`.
LAYOUTS = {
    "parameters_40": (simple(numbered(40), " + ".join(f"{p}**2" for p in numbered(40))), {"wrt": numbered(40)}),
    "parameters_product": (simple(numbered(30), " * ".join(numbered(30))), {"wrt": numbered(30)}),
    **{f"parameters_{k}": (simple(numbered(k), " * ".join(numbered(k))), {"wrt": numbered(k)}) for k in range(4, 10)},
    "defaults": (simple([*(f"p{i}=1.5" for i in range(12)), "*", *(f"q{i}=-2" for i in range(5))], "p0 * q0"), {}),
    "positional_only": (simple([*numbered(5), "/", *numbered(5, "q"), "*", "k"], "parameter_0 * q_0 * k"), {}),
    "results_list": (simple(["x"], f"x * x, [{many('x + {}')}]"), {"has_aux": True}),
    "results_tuple": (simple(["x"], f"x * x, ({many('x + {}')})"), {"has_aux": True}),
    "results_dict": (simple(["x"], "x * x, {" + ", ".join(f'"key_{i}": x + {i}' for i in range(30)) + "}"), {"has_aux": True}),
    "results_nested": (simple(["x"], "x * x, {" + ", ".join(f'"key_{i}": [x + {i}, (x * {i + 2}.5, x)]' for i in range(10)) + "}"), {"has_aux": True}),
    "array": (simple(["x", "y"], "np.sum(a * y)", f"    a = np.array([{many('x * {}.0')}])\n"), {"shapes": "x=scalar, y=30"}),
    "array_rows": (simple(["x", "y"], "np.sum(a * y)", f"    a = np.array([[{many('x * {}.0', 15)}], [{many('x * {}.5', 15)}]])\n"), {"shapes": "x=scalar, y=15"}),
    "array_dtype": (simple(["x", "y"], "np.sum(a * y)", f"    a = np.array([{many('x * {}.0')}], dtype=np.float32)\n"), {"shapes": "x=scalar, y=30"}),
    "sum_builtin": (simple(["x"], f"sum([{many('x**{}')}])"), {}),
    "sum_builtin_start": (simple(["x"], f"sum([{many('x**{}')}], 3.0)"), {}),
    "stack": (simple(["x"], f"np.sum(np.stack([{many('x * {}.0')}]) ** 3)"), {"shapes": "x=n"}),
    "concatenate": (simple(["x"], f"np.sum(np.concatenate([{many('x * {}.0')}]) ** 3)"), {"shapes": "x=n"}),
    "slices": (simple(["x"], "np.sum(x[1 : len(x) - 1] * x[: len(x) - 2]) * np.sum(x[None, 2:]) + np.sum(x[..., ::-1] ** 2)"), {"shapes": "x=7"}),
    "slices_symbolic": (simple(["x"], "np.sum(x[1 : len(x) - 1] * x[: len(x) - 2])"), {"shapes": "x=n"}),
    "slices_rows": (simple(["x"], "np.sum(x[: x.shape[0] - 1, 1 : x.shape[1]] ** 2)"), {"shapes": "x=n m"}),
    "powers": (simple(["x", "y"], "x**2 + x**y + (-x)**2 + (x+1)**2 + x**-2 + x**-y + x**0.5 + -x**2 + (x**2)**3 + x**(y**2) + 2**x + 2.5**-x + (-2)**2*x + np.exp(x)**2 + x**np.sin(y) + (x*y)**(x+y)"), {"wrt": ("x", "y")}),
    "powers_of_parts": (simple(["x"], "np.sum(x.T**2 + x[0]**2 + x[0,1]**3 - -x[1]**2) + len(x)**2 + x.shape[1]**2*np.pi**2"), {"shapes": "x=n n"}),
    "powers_of_keys": (simple(["p"], 'p["a"]**2 + p["a"]**p["b"] + -p["a"]**2'), {"shapes": "p.a=scalar, p.b=scalar"}),
    "signs": (simple(["x", "y"], "-(-x) + -(x+y) - -y*-x + +x - (-x)**3 - -(x**2) + 3 - -4*x + -x*-y + -(x*y) + (-x)/(-y)"), {"wrt": ("x", "y")}),
    "parentheses": (simple(["x", "y"], "-(x+y)*2 + (x-y)/(x*y)/x - (x - (y - x)) + x/(y/x) + x*(y*x) + x%y + x//y*x"), {"wrt": ("x", "y")}),
    "literals": (simple(["x"], 'x*1e300 + x*1e-7 + x*-0.0 + x*1e16 + x*123456789012345678901234567890 + x*0.1 + x/1e22 + 1E5*x + x*float("inf")'), {}),
    "long_calls": (simple(numbered(3), f"np.where({'*'.join(numbered(3) * 3)} > 0, {'+'.join(numbered(3) * 3)}, {'-'.join(numbered(3) * 3)})"), {"wrt": numbered(3)}),
    "long_names": ("def f(a_very_long_parameter_name_that_takes_a_lot_of_room_on_the_line_indeed_yes, y):\n    another_very_long_name_for_a_local_variable_in_this_function_here = a_very_long_parameter_name_that_takes_a_lot_of_room_on_the_line_indeed_yes * np.sin(a_very_long_parameter_name_that_takes_a_lot_of_room_on_the_line_indeed_yes)\n    return another_very_long_name_for_a_local_variable_in_this_function_here**2 * y\n", {}),
    "strings": ("def f(x, mode='a\"b', other=\"it's\", tab='a\\tb', long='" + "z" * 90 + "', mid='" + "y" * 50 + "'):\n    return x * x\n", {}),
    "keys": ("def f(p):\n    return p['a b'] * p['it\\'s'] * p['q\"q'] * p['é'] * p[1]\n", {"like": ({"a b": 1.0, "it's": 2.0, 'q"q': 3.0, "é": 4.0, 1: 5.0},)}),
    "guards": (simple(["p", "x"], "x * x"), {"wrt": "x", "like": ({"mode": "a" * 70, "n": None, "t": True, "q": "it's", "d": 'a"b'}, 1.0)}),
    "guard_long": (simple(["x", "mode"], "x * x"), {"like": (1.0, "q" * 200)}),
    "chain": (simple(["x"], " + ".join(f"x * {i}.5" for i in range(1, 60))), {}),
    "nested_calls": (simple(["x"], "np.sin(" * 60 + "x" + ")" * 60), {}),
    "nested_parentheses": (simple(["x"], "(x+(" * 60 + "x" + ")*2.0)" * 60), {}),
    "matrices": (simple(["A", "B", "x"], "np.sum(A @ B @ x * (A @ x)) + x @ A @ x - 2*(A @ x) @ x"), {"shapes": "A=n n, B=n n, x=n", "wrt": ("A", "B", "x")}),
    "masks": (simple(["x", "y"], "np.sum(np.where((x > 0) & (y < 1) | ~(x == y), x*y, np.where(x != y, x, y)))"), {"wrt": ("x", "y"), "shapes": "x=n, y=n"}),
    "masks_python": (simple(["x", "y"], "np.where((x > 0) & (y < 1) | ~(x < y) & ~(x == y) | ~(x != 2), x*y, np.where(x != y, x, y))"), {"wrt": ("x", "y"), "target": "python"}),
    "python": (simple(["x", "y"], "np.clip(x,0,1)*np.sign(y) + np.logaddexp(x,y) + np.sinc(x)*np.square(y) + np.maximum(x,y) + np.reciprocal(x) + np.hypot(x,y) + np.log1p(x)"), {"wrt": ("x", "y"), "target": "python"}),
    "stores": (simple(["x"], "np.sum(out**2)", "    out = np.zeros(len(x))\n    for i in range(4):\n        out[i] = x[i]*x[i-1] - (x[0]+x[1])\n    out[1:3] += x[1:3]\n    out[0] -= x[0] + x[1]\n"), {"shapes": "x=4"}),
    "indices": (simple(["x"], "np.sum(x[i]**2) + np.sum(x[[0, 2]]) + x[-1]*x[1-2] - (x[0] + x[1])*x[2]", "    i = np.array([0, 1, 1])\n"), {"shapes": "x=n"}),
    "docstring": ('def f(x):\n    """A docstring.\n\n    With a list:\n\n        - code   \n\ttabbed\n    and \\\\ backslash and a quote\\"\n    """\n    return x * x\n', {}),
    "docstring_blanks": ('def f(x):\n    """   Leading blanks and trailing.   """\n    return x * x\n', {}),
    "docstring_backslash": ('def f(x):\n    """Ends with a backslash \\\\"""\n    return x * x\n', {}),
    "docstring_quotes": ('def f(x):\n    """"Quoted" start"""\n    return x * x\n', {}),
    "shapes": (simple(numbered(20), " + ".join(f"np.sum({p})" for p in numbered(20))), {"shapes": ", ".join(f"{p}=n m k" for p in numbered(20)), "wrt": numbered(20)}),
    "shapes_pair": (simple(numbered(20), " * ".join(f"np.sum({p})" for p in numbered(20))), {"shapes": ", ".join(f"{p}=n m k" for p in numbered(20)), "wrt": numbered(20), "mode": "pair"}),
    "pair_of_one": (simple(["x"], "np.sin(x)"), {"mode": "pair"}),
    "pair_of_many": (simple(numbered(9), " * ".join(numbered(9))), {"mode": "pair", "wrt": numbered(9)}),
    "axes": (simple(["x"], "np.sum(np.sum(x, axis=(0, 1))**2) + np.sum(np.mean(x, axis=-1, keepdims=True)*x)"), {"shapes": "x=n m k"}),
    "fills": (simple(["x"], "np.sum(np.full((3, 4), x[0]) * np.ones((3, 4)) * x.reshape(3, 4)) + np.sum(np.broadcast_to(x[0], (5, 6))**2)"), {"shapes": "x=12"}),
    "records": (simple(["p"], 'p["a"].x * p["a"].y'), {"like": ({"a": Pair(1.0, 2.0)},)}),
    "record_wide": (simple(["p"], "p.a0 * p.a1"), {"like": (Wide(*[1.0] * 30),)}),
    "list_wide": (simple(["p"], "p[0] * p[1]"), {"like": ([1.0] * 30,)}),
    "dict_wide": (simple(["p"], 'p["k1"] * p["k2"]'), {"like": ({f"k{i}": float(i) for i in range(30)},)}),
}  # fmt: skip

CAPTURED = {
    "row": (simple(["x"], "np.sum(W * x)"), {"W": DIGITS}, "x=16"),
    "square": (simple(["x"], "np.sum(W * x)"), {"W": DIGITS.reshape(4, 4)}, "x=4"),
    "rows": (simple(["x"], "np.sum(W * x)"), {"W": np.arange(16.0).reshape(2, 8)}, "x=8"),
    "dtype": (simple(["x"], "np.sum(W * x)"), {"W": DIGITS[:12].reshape(4, 3).astype("f4")}, "x=3"),
    "large": (simple(["x"], "np.sum(W * x)"), {"W": np.array([1e300, -1e22, 1e-7])}, "x=3"),
    "numbers": (
        simple(["x"], "k * x**k * nan + x * inf if t else x"),
        {"k": -3.5, "nan": float("nan"), "inf": -float("inf"), "t": True, "n": np.float32(1e20)},
        "x=scalar",
    ),
}

# Lines that have no place to break.
UNBREAKABLE = ("z" * 90, "a" * 70, "q" * 200)


@pytest.fixture(scope="module")
def emitted():
    texts = {
        name: emit(function_of(source), **options) for name, (source, options) in LAYOUTS.items()
    }
    for name, (source, names, shapes) in CAPTURED.items():
        texts[f"captured_{name}"] = emit(function_of(source, **names), shapes=shapes)
    return texts


def ruff(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "ruff", *words, "--isolated", "--no-cache", str(folder)],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


def test_emitted_files_are_fixed_points_of_ruff_format(emitted, tmp_path):
    for name, text in emitted.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    done = ruff(tmp_path, "format", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(emitted)} files already formatted" in done.stderr


def test_emitted_files_pass_ruff_check(emitted, tmp_path):
    for name, text in emitted.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    done = ruff(tmp_path, "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_line_is_longer_than_it_must_be(emitted):
    for name, text in emitted.items():
        for line in text.splitlines():
            if line.startswith("#") or any(part in line for part in UNBREAKABLE):
                continue
            assert len(line) <= WIDTH, f"{name}: {line}"


def test_emitted_files_run(emitted):
    for name, text in emitted.items():
        namespace = {}
        exec(compile(text, name, "exec"), namespace)


# -- layout ----------------------------------------------------------------------------------------

LINES = [
    f"value = np.array([{many('x * {}.0')}])",
    f"value = np.array([{many('x * {}.0')}], dtype=np.float32)",
    f"t = np.where({' & '.join(numbered(3))}, {' + '.join(numbered(3, 'another'))}, second_one)",
    f"t = {' + '.join(numbered(9))}",
    f"t = {' * '.join(numbered(9))}",
    f"t = {' - '.join(f'{p} * {p}' for p in numbered(9))}",
    f"t = ({' + '.join(numbered(3))}) * ({' - '.join(numbered(3, 'another_one'))}) / (last + one)",
    f"t = {' and '.join(numbered(9))}",
    f"t = ({' + '.join(numbered(3))}) if {' * '.join(numbered(3, 'other'))} else final_one * final",
    f"return {', '.join(numbered(9))}",
    f"return value, ({', '.join(numbered(9))})",
    f"return value, {{{', '.join(f'{p!r}: {p}' for p in numbered(9))}}}".replace("'", '"'),
    f"return value, type(p)({', '.join(f'{p}={p}' for p in numbered(9))})",
    f"{', '.join(numbered(9))} = saved",
    f"np.add.at(d_table, (first_index_of_the_rows, second_index_of_the_rows), 2.0 * {'g' * 30})",
    f"d_x[1] += {' + '.join(numbered(9))}",
    f"naïve = {' + '.join(f'é{p} * (ü + {p})' for p in numbered(5))}",
    f'raise ValueError("{"this code is for another value of the argument " * 2}")',
    f'if mode != "{"m" * 75}":',
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("indent", [0, 4])
def test_a_long_line_is_broken_as_ruff_does(line, indent, tmp_path):
    lines = lay_out(line, indent)
    assert len(lines) > 1
    pad = " " * indent
    head, tail = ("if x:\n" if indent else ""), f"\n{pad}    pass" if line.endswith(":") else ""
    if line.startswith("return"):
        head, tail = "def f():\n" if indent else head, ""
    text = head + "\n".join(pad + part for part in lines) + tail + "\n"
    if line.startswith("return") and not indent:
        ast.parse("def f():\n" + "\n".join(f"    {part}" for part in lines))
        return
    flat = head + pad + line + tail + "\n"
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(flat))
    path = tmp_path / "lines.py"
    path.write_text(text, "utf-8")
    done = ruff(path, "format", "--diff")
    assert done.returncode == 0, done.stdout
    if not line.startswith("return"):  # whose values stand one a line here, as in a display
        path.write_text(flat, "utf-8")
        ruff(path, "format")
        assert path.read_text("utf-8") == text


def test_a_line_that_fits_stays():
    fits = "x" * WIDTH
    assert lay_out(fits) == [fits]
    assert lay_out("    " + "x" * (WIDTH - 8), 4) == ["    " + "x" * (WIDTH - 8)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("it's", '"it\'s"'),
        ('a"b', "'a\"b'"),
        ('it\'s "b"', "'it\\'s \"b\"'"),
        ("'\"", '"\'\\""'),
        ("\\'", '"\\\\\'"'),
        ("a\\", '"a\\\\"'),
        ("\t\n", '"\\t\\n"'),
        ("é\u200b", '"é\\u200b"'),
        ("\udc80", '"\\udc80"'),
        ("", '""'),
        (None, "None"),
        (3, "3"),
    ],
)
def test_strings_have_the_quotes_that_formatters_choose(value, text):
    assert quoted(value) == text
    assert ast.literal_eval(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e300, "1e300"), (1e16, "1e16"), (1e-7, "1e-07"), (0.1, "0.1"), (-0.0, "-0.0"), (5, "5"),
     (float("inf"), "np.inf"), (-float("inf"), "-np.inf"), (float("nan"), "np.nan"),
     (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e308"), (True, "True")],
)  # fmt: skip
def test_numbers_read_back_as_they_are(value, text):
    assert number(value, "np").text == text
    if "np" not in text:
        assert repr(ast.literal_eval(text)) == repr(value)


# -- names -----------------------------------------------------------------------------------------


def test_a_reassigned_name_is_used_again_only_when_its_value_is_dead():
    dead = emit(function_of("def f(x):\n    r = x + 1\n    r = r + 2\n    return r + x\n"))
    assert body_of(dead)[:2] == ["    r = x + 1", "    r = r + 2"]

    needed = emit(function_of("def f(x):\n    r = x * x\n    r = r * r\n    return r\n"))
    assert body_of(needed)[:2] == ["    r = x * x", "    r_1 = r * r"]


def test_a_reassigned_parameter_keeps_its_value_for_the_backward_pass():
    text = emit(function_of("def f(x):\n    x = x * x\n    x = x * x\n    return x\n"))
    namespace = {}
    exec(text, namespace)
    assert namespace["f_value_and_grad"](2.0) == (16.0, 32.0)


@pytest.mark.parametrize(
    "name",
    ["value", "d_x", "t", "t_1", "t1", "np", "saved", "seed", "len", "sum", "type", "f", "max",
     "f_value_and_grad", "exp_x", "mask", "float", "ValueError", "x_0", "numpy", "math", "d_d_x"],
)  # fmt: skip
def test_names_of_the_user_never_collide_with_those_of_gradgen(name):
    source = (
        f"import numpy\ndef f(x, {name}):\n"
        f"    y = numpy.exp(x[0]) * numpy.exp(x[0]) * {name} * x[len(x) - 1 if False else 1]\n"
        f"    return numpy.sum(x * y) * numpy.sum(x) + {name} * y * y\n"
    ).replace("len(x) - 1 if False else 1", "1")
    if name == "numpy":
        source = source.replace("import numpy\n", "import numpy as n_p\n").replace("numpy.", "n_p.")
    function = function_of(source)
    x, other = np.array([0.3, 0.7]), 1.5
    for mode in ("value_and_grad", "grad", "pair"):
        text = emit(function, ("x", name), shapes="x=n", mode=mode)
        namespace = {}
        exec(text, namespace)
        if mode == "pair":
            value, saved = namespace["f_forward"](x, other)
            d_x, d_other = namespace["f_backward"](saved, 1.0)
        elif mode == "grad":
            d_x, d_other = namespace["f_grad"](x, other)
        else:
            value, (d_x, d_other) = namespace["f_value_and_grad"](x, other)
        assert value == function(x, other) if mode != "grad" else True
        slope = (function(x, other + 1e-30j)).imag / 1e-30
        assert d_other == pytest.approx(slope, rel=1e-12)
        for i in range(2):
            shifted = x.astype(complex)
            shifted[i] += 1e-30j
            assert d_x[i] == pytest.approx(function(shifted, other).imag / 1e-30, rel=1e-12)


def test_a_keyword_is_no_name():
    for word in keyword.softkwlist:
        if word.isidentifier() and word != "_":
            text = emit(function_of(f"def f({word}):\n    return {word} * {word}\n"))
            namespace = {}
            exec(text, namespace)
            assert namespace["f_value_and_grad"](3.0) == (9.0, 6.0)


def test_only_a_value_is_called_value():
    function = function_of("def f(x, y):\n    return np.sum(x * y)\n")
    options = {"shapes": "x=n, y=n", "wrt": ("x", "y")}
    for mode in ("grad", "pair"):
        text = emit(function, mode=mode, **options)
        last = body_of(text)
        assert not any(line.strip().startswith("value =") for line in last)
    assert "    d_x = seed * y" in body_of(emit(function, mode="pair", **options))


# -- growth ----------------------------------------------------------------------------------------


def statements(count):
    lines = [f"    a{i} = np.sin(a{i - 1}) * y + {i}.5 * x" for i in range(1, count)]
    return "\n".join(["def f(x, y):", "    a0 = x * y", *lines, f"    return a{count - 1}\n"])


def running_sum(count):
    lines = [f"    s = s + np.sin(x * {i}.5)" for i in range(1, count)]
    return "\n".join(["def f(x):", "    s = x * x", *lines, "    return s\n"])


def one_sum(count):
    return simple(["x"], " + ".join(f"x * {i}.5" for i in range(1, count)))


def deepest(node):
    """How deep the nodes of a tree are nested."""
    depth, level = 0, [node]
    while level:
        level = [child for parent in level for child in ast.iter_child_nodes(parent)]
        depth += 1
    return depth


RAISING = [
    # the result, what it leaves to be returned and what has a line, a point, what Python says
    ("math.log(x) - y", "return math.log(x) - y, (1.0 / x, -1.0)", (0.0, 1.0), "math domain error"),
    (
        "math.log(x * y) + math.cos(x * y)",
        "value = math.log(t1) + math.cos(t1)\n",
        (0.0, 1.0),
        "math domain error",
    ),
    ("(x - y)**2 + y**3", "return t1**2 + y**3, (d_x, d_y)", (1e200, 1.0), "34, "),
]


@pytest.mark.parametrize(("result", "line", "at", "said"), RAISING)
def test_what_the_function_raises_comes_before_what_its_adjoints_raise(result, line, at, said):
    f = function_of(f"def f(x, y):\n    return {result}\n", math=math)
    text = emit(f, wrt=("x", "y"), shapes="x=scalar, y=scalar", target="python")
    assert line in text
    with pytest.raises((ValueError, ArithmeticError), match=said) as caught:
        f(*at)
    with pytest.raises(caught.type, match=said):
        function_of(text, "f_value_and_grad", math=math)(*at)


def test_results_of_one_step_stand_in_the_return_if_that_is_on_one_line_then():
    f = function_of(simple("xyz", "x * y * z"))
    short = body_of(emit(f, wrt=tuple("xyz"), shapes="x=scalar, y=scalar, z=scalar"))
    assert short == ["    t1 = x * y", "    return t1 * z, (z * y, z * x, t1)"]
    weights, inputs = numbered(4, "w"), numbered(4, "input_of_the_unit")
    total = " + ".join(f"{w} * {x}" for w, x in zip(weights, inputs, strict=True))
    f = function_of(simple([*weights, *inputs], f"np.exp({total})"))
    shapes = ", ".join(f"{name}=scalar" for name in [*weights, *inputs])
    *_, before, last = body_of(emit(f, wrt=tuple(weights), shapes=shapes))
    assert before == "    d_w_0 = value * input_of_the_unit_0"
    assert last == "    return value, (d_w_0, d_w_1, d_w_2, d_w_3)"


@pytest.mark.parametrize("program", [statements, running_sum, one_sum])
def test_emitted_text_grows_linearly(program):
    short, long = (len(emit(function_of(program(n)))) for n in (300, 900))
    assert long < 3.5 * short


def test_an_adjoint_that_is_read_twice_is_computed_once():
    text = emit(function_of(statements(6)))
    namespace = {}
    exec(text, namespace)
    value, found = namespace["f_value_and_grad"](0.3, 0.7)
    function = function_of(statements(6))
    assert value == function(0.3, 0.7)
    assert found == pytest.approx(function(0.3 + 1e-30j, 0.7).imag / 1e-30, rel=1e-12)
    backward = [line for line in body_of(text) if line.strip().startswith(("d_", "cos", "t"))]
    assert sum(line.count("*") for line in backward) <= 16


@pytest.mark.parametrize("program", [statements, running_sum, one_sum])
def test_a_long_program_is_cut_into_shallow_statements(program):
    text = emit(function_of(program(1000)))
    for statement in ast.parse(text).body[-1].body:
        assert deepest(statement) <= 210
    assert max(map(len, text.splitlines())) <= 200


def test_a_long_chain_of_the_user_is_right_in_spite_of_its_length():
    text = emit(function_of(one_sum(1000)))
    namespace = {}
    exec(text, namespace)
    value, found = namespace["f_value_and_grad"](2.0)
    total = 0.0
    for i in range(1, 1000):
        total = total + 2.0 * (i + 0.5)
    assert value == total
    assert found == sum(i + 0.5 for i in range(1, 1000))


SUM = """def f(x, A, B, C, D, E, F):
    y = np.tanh(A @ x) @ np.cos(A @ x) - np.sum(np.exp(B @ x)) + np.sum(np.sin(C @ x))
    return y + np.sum(np.cos(D @ x)) + np.sum(np.tanh(E @ x)) + np.sum(np.arctan(F @ x)) + x @ x
"""


def test_a_sum_of_arrays_too_long_for_a_line_is_added_up_in_the_array_of_its_name():
    text = emit(function_of(SUM), shapes=", ".join(["x=n", *(f"{m}=m n" for m in "ABCDEF")]))
    backward = text.partition("    value =")[2].splitlines()
    added = [line.strip() for line in backward if line.strip().startswith("d_x")]
    assert added[0].startswith("d_x = ")
    assert len(added) > 3 and all(line[:6] in ("d_x +=", "d_x -=") for line in added[1:])
    assert sum(line.count("+=") + line.count("-=") for line in backward) == len(added) - 1
    namespace = {}
    exec(text, namespace)
    rng = np.random.default_rng(0)
    arguments = [rng.normal(size=3), *rng.normal(size=(6, 4, 3))]
    kept = [a.copy() for a in arguments]
    _, found = namespace["f_value_and_grad"](*arguments)
    assert all((a == k).all() for a, k in zip(arguments, kept, strict=True))
    for k in range(3):
        moved = arguments[0].astype(complex)
        moved[k] += 1e-30j
        expected = function_of(SUM)(moved, *arguments[1:]).imag / 1e-30
        assert found[k] == pytest.approx(expected, rel=1e-13)


def test_a_sum_that_is_read_twice_is_not_added_to():
    body = (
        "    a = A @ x\n    u = np.sum(np.exp(A @ a)) + np.sum(np.sin(B @ a)) + a @ np.tanh(a)\n"
        "    return u + np.sum(np.cos(a)) + np.sum(np.arctan(a)) + np.sum(np.log1p(a * a))\n"
    )
    program = f"def f(x, A, B):\n{body}"
    text = emit(function_of(program), wrt=("x", "A"), shapes="x=n, A=n n, B=n n")
    namespace = {}
    exec(text, namespace)
    rng = np.random.default_rng(0)
    x, A, B = rng.normal(size=3), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    _, (d_x, d_A) = namespace["f_value_and_grad"](x, A, B)
    for k in range(3):
        moved = A.astype(complex)
        moved[k, 0] += 1e-30j
        expected = function_of(program)(x, moved, B).imag / 1e-30
        assert d_A[k, 0] == pytest.approx(expected, rel=1e-13)
        moved = x.astype(complex)
        moved[k] += 1e-30j
        expected = function_of(program)(moved, A, B).imag / 1e-30
        assert d_x[k] == pytest.approx(expected, rel=1e-13)


@pytest.mark.bench
def test_time_is_linear_in_the_number_of_statements():
    for program, sizes in ((statements, (2500, 20_000)), (running_sum, (500, 4000))):
        taken = []
        for size in sizes:
            function = function_of(program(size))
            start = time.perf_counter()
            emit(function)
            taken.append(time.perf_counter() - start)
        assert taken[1] < 2.0 * taken[0] * sizes[1] / sizes[0]


@pytest.mark.parametrize(("line", "found"), [
    ("t9 = open(x)", "a call that it never writes"),
    ("t9 = f1_grad2(x)", "a call that it never writes"),
    ("t9 = t1.f1_grad1(x)", "a call that it never writes"),
    ("t9 = lambda: 0", "a Lambda"),
    ("t9 = {x}", "a Set"),
    ("import os", "an import that it never writes"),
    ("t9 = (x", "a line that does not parse"),
    ("t9 = 01", "a line that does not parse"),
])  # fmt: skip
@pytest.mark.parametrize("numbered", [False, True])
def test_what_is_never_written_is_found_among_many_lines(line, found, numbered):
    name = "f1_grad1" if numbered else "f_grad"
    body = [f"t{k} = np.sin(t{k - 1}) * {name}(t0)" for k in range(1, 1000)]
    unit = Unit(["import numpy as np"], [], [FunctionText(name, [f"def {name}(t0):"], [], body)])
    inspect_unit(unit)
    body.insert(700, line)
    with pytest.raises(GradgenError, match=f"^gradgen wrote {found}: ") as caught:
        inspect_unit(unit)
    assert repr(f"def body():\n    {line}") in str(caught.value)
