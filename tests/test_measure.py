"""The counter, by hand; SymPy's columns and the emitted ones, against each other and by hand."""

import math
import random
import warnings
from itertools import pairwise

import numpy as np
import pytest
import sympy

import gradgen
from gradgen.measure import algebra
from gradgen.measure.compare import compare_family
from gradgen.measure.counting import count, operations, size
from gradgen.measure.families import FAMILIES
from gradgen.measure.printing import Printer, function_text
from gradgen.measure.symbolic import NoSymbolic, applied, expression, tree_nodes
from gradgen.measure.timing import seconds, values_at
from gradgen.ops import OPS
from gradgen.read import read_live

X, Y, Z = sympy.symbols("x y z", real=True)
NAMES = {X: "x", Y: "y", Z: "z"}
SYMPY = ("sympy raw", "sympy cse", "sympy simplify", "sympy cse both")


def counted(text):
    """The counts of an expression over x, y, z, in the order of the kinds."""
    found = count(function_text("f", ["x", "y", "z"], [], text), "f")
    return found.add, found.mul, found.div, found.pow, found.transcendental, found.other


def total(expression):
    """The operations of a SymPy expression as it is printed."""
    return sum(counted(Printer(NAMES, "np").text(expression)))


# -- the counter -----------------------------------------------------------------------------------


# add, mul, div, pow, transcendental, other
@pytest.mark.parametrize(("text", "by_hand"), [
    ("x", (0, 0, 0, 0, 0, 0)),
    ("-1.0", (0, 0, 0, 0, 0, 0)),
    ("-x", (1, 0, 0, 0, 0, 0)),
    ("x - y", (1, 0, 0, 0, 0, 0)),
    ("x + y + z", (2, 0, 0, 0, 0, 0)),
    ("x*y*z*2.0", (0, 3, 0, 0, 0, 0)),
    ("-x*y/z", (1, 1, 1, 0, 0, 0)),
    ("x // y % z", (0, 0, 2, 0, 0, 0)),
    ("x**2 + x**-1", (1, 0, 0, 2, 0, 0)),
    ("x @ y", (0, 1, 0, 0, 0, 0)),
    ("np.sqrt(x) + math.hypot(x, y)", (1, 0, 0, 2, 0, 0)),
    ("np.exp(np.sin(x)) * math.log(y)", (0, 1, 0, 0, 3, 0)),
    ("np.multiply(x, y) + np.divide(x, y)", (1, 1, 1, 0, 0, 0)),
    ("abs(x) if 0 < x < y and not z else np.sign(y)", (0, 0, 0, 0, 0, 7)),
    ("np.zeros_like(x).reshape(2, 3)[1:] + x[2 * y]", (1, 0, 0, 0, 0, 0)),
    ("(x + y).sum() * x.shape[0] / len(y)", (2, 1, 1, 0, 0, 0)),
])  # fmt: skip
def test_operations_are_counted_by_kind_as_by_hand(text, by_hand):
    assert counted(text) == by_hand


def test_the_size_of_a_function_is_that_of_its_body():
    source = '''
import numpy as np


def f(x, n=3):
    """Two lines
    of words."""
    if n != 3:
        raise ValueError("this code is for n=3")
    a = np.sin(x)
    return  a*a + 2.0


def g(x):
    return x
'''
    found = size(source, "f")
    assert found.operations.total == 3  # sin, mul, add; the check counts nothing
    assert found.nodes == 3 + 4  # x, a, a, 2.0
    assert found.characters == len(
        'ifn!=3:raiseValueError("thiscodeisforn=3")a=np.sin(x)returna*a+2.0'
    )
    inside: dict = {}
    exec(source, inside)
    assert found.bytecode == len(inside["f"].__code__.co_code)
    both = size(source, "f", "g")
    assert both.nodes == 8 and both.bytecode == found.bytecode + len(inside["g"].__code__.co_code)


def test_long_chains_are_counted_without_recursion():
    text = "x" + " + x" * 1500
    assert operations(f"def f(x):\n    return {text}\n", "f") == 1500


@pytest.mark.parametrize("n", range(1, 6))
def test_on_sums_and_products_of_functions_the_count_is_that_of_sympy(n):
    e = X
    for _ in range(n):
        e = sympy.sin(e) * e + Y - X * sympy.exp(e) / Z**2
    for found in (e, sympy.diff(e, X)):
        assert total(found) == sympy.count_ops(found)


# -- the printer -----------------------------------------------------------------------------------


# the operations that a person would write
@pytest.mark.parametrize(("e", "by_hand"), [
    (-X - Y, "-x - y"), (Y - X, "y - x"), (-X * Y / Z**2, "-x*y/z**2"), (1 / X**2, "1.0/x**2"),
    (X / (Y * Z), "x/(y*z)"), (X / 3, "0.3333333333333333*x"), (-3 * X / 2, "-1.5*x"),
    (1 / sympy.sqrt(X), "1.0/np.sqrt(x)"), ((X**Y) ** Z, "(x**y)**z"), (X ** (Y**Z), "x**y**z"),
    ((-X) ** Y, "(-x)**y"), (X ** (-Y * Z), "x**(-y*z)"), (X**-Y, "x**-y"), (-(X**2), "-x**2"),
    (sympy.Integer(-2) ** X, "(-2)**x"), (2 * sympy.pi * X, "2*np.pi*x"),
    (X * (Y - Z), "x*(y - z)"),
    (sympy.Max(X, Y, Z), "np.maximum(np.maximum(x, y), z)"), (sympy.sech(X), "1.0/np.cosh(x)"),
    (sympy.Piecewise((X, X < Y), (Y, True)) + 1, "1 + (x if x < y else y)"),
])  # fmt: skip
def test_expressions_are_printed_as_a_person_would_write_them(e, by_hand):
    assert Printer(NAMES, "np").text(e) == by_hand


def random_expression(rng, depth):
    """A SymPy expression that is finite near 1."""
    if depth == 0:
        return rng.choice([X, Y, Z, sympy.Rational(rng.randint(1, 9), rng.randint(1, 4))])
    a, b = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    return rng.choice([
        lambda: a + b, lambda: a - b, lambda: a * b, lambda: -a, lambda: a / (2 + b**2),
        lambda: sympy.exp(-(a**2)), lambda: sympy.sin(a) * b, lambda: (1 + a**2) ** (b / 9),
        lambda: sympy.sqrt(1 + a**2), lambda: sympy.log(2 + a**2) ** -3, lambda: abs(a),
        lambda: sympy.Max(a, b), lambda: sympy.Piecewise((a, a < b), (b * a, True)),
        lambda: sympy.tanh(a) / sympy.cosh(b), lambda: sympy.atan2(a, 2 + b**2),
    ])()  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_what_is_printed_computes_what_the_expression_is(seed):
    e = random_expression(random.Random(seed), 4)
    at = {"x": 0.75, "y": 1.5, "z": 1.25}
    want = e.subs({s: sympy.Rational(at[name]) for s, name in NAMES.items()}).evalf(30)
    for library in ("np", "math"):
        text = Printer(NAMES, library).text(e)
        have = eval(text, {"np": np, "math": math, **at})
        assert float(have) == pytest.approx(float(want), rel=1e-10, abs=1e-12), text


def test_what_python_has_no_word_for_is_refused_by_name():
    with pytest.raises(NoSymbolic, match="polygamma has no spelling"):
        Printer(NAMES, "np").text(sympy.polygamma(0, X))


# -- from graph to SymPy ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n, op in OPS.items() if op.sympy])
def test_a_text_of_the_table_is_read_as_sympy_reads_it(name):
    text = OPS[name].sympy
    call = f"{text}({', '.join('xyz'[: OPS[name].arity])})"
    wanted = sympy.sympify(call if text.isidentifier() and text != "x" else text,
                           locals={"x": X, "y": Y, "z": Z})  # fmt: skip
    assert applied(text, [X, Y, Z][: max(OPS[name].arity, 2 if "y" in text else 1)]) == wanted


def test_floats_are_the_rationals_that_they_are():
    def f(x):
        return 0.1 * x

    graph = read_live(f, {})
    found = expression(graph, graph.results, {graph.params[0].tree: X})
    assert found == sympy.Rational(3602879701896397, 36028797018963968) * X


def test_an_operation_without_a_counterpart_is_named():
    def f(x):
        return x * math.floor(x)

    found = gradgen.compare(f)
    assert found.notes == ["SymPy's columns are left out: numpy.floor has no counterpart"]
    assert [cell.method for cell in found.sections["gradient"]] == [
        "gradgen forward", "gradgen backward", "gradgen both",
    ]  # fmt: skip


def test_the_nodes_of_a_tree_are_counted_without_writing_it_out():
    e = X
    for _ in range(60):
        e = sympy.sin(e) + sympy.cos(e)
    # t(n) = 2 t(n-1) + 3, t(0) = 1
    assert tree_nodes(e) == 4 * 2**60 - 3


# -- comparisons -----------------------------------------------------------------------------------


def slides(x1, x2, a):
    return x1**2 + (x1 - x2) ** a - np.log(x1**2 + x2**2)


def test_the_function_of_the_slides_is_counted_as_by_hand():
    found = gradgen.compare(slides, wrt=("x1", "x2"))
    assert list(found.sections) == ["value", "d/dx1", "d/dx2", "gradient"]
    # x1**2 + (x1 - x2)**a - log(x1**2 + x2**2); with x1**2 shared, one power less
    assert found.operations("value", "sympy raw") == 9
    assert found.operations("value", "sympy cse") == 8
    assert found.operations("value", "gradgen forward") == 8
    # 2*x1 - 2*x1/(x1**2 + x2**2) + a*(x1 - x2)**a/(x1 - x2)
    raw = found.cell("d/dx1", "sympy raw").size.operations
    assert (raw.add, raw.mul, raw.div, raw.pow, raw.transcendental) == (4 + 1, 3, 2, 3, 0)


def test_the_example_of_the_notes_is_counted_as_in_the_notes():
    # equation 2.3: exp, square, add, exp, sin, add
    found = compare_family("notes", [1]).points[1]
    assert found.operations("gradient", "gradgen forward") == 6
    # 2.4 with the value: exp(c) is known; cos(c) and a sum, times a + 2b, which is c + b
    assert found.gradient_operations == 10
    assert found.ratio == 10 / 6


def test_the_reference_points_of_sympy_are_reproduced():
    def ten(x):
        e = x
        for _ in range(10):
            e = np.sin(e) * e + x
        return e

    found = gradgen.compare(ten)
    assert found.operations("value", "sympy raw") == 3_069
    assert found.operations("gradient", "sympy raw") == 43_010
    assert found.operations("gradient", "sympy cse") == 86
    kinds = found.cell("gradient", "sympy raw").size.operations
    assert (kinds.add, kinds.mul, kinds.transcendental) == (14_337, 14_336, 14_337)
    assert found.gradient_operations == 9 * 10 - 2


def by_hand_expressions(name, n):
    """The value of a family in SymPy, written here, and the symbols it is differentiated by."""
    x = sympy.Symbol("x", real=True)
    xs = sympy.symbols(f"x:{n}", real=True)
    w, b = sympy.symbols(f"w:{n}", real=True), sympy.symbols(f"b:{n}", real=True)
    e = x
    if name == "speelpenning":
        return sympy.prod(xs), xs
    for k in range(n):
        if name == "nested":
            e = sympy.exp(e) + e**2
        elif name == "sine":
            e = sympy.sin(e) * e + x
        elif name == "notes":
            c = sympy.exp(e) + sympy.exp(e) ** 2
            e = sympy.exp(c) + sympy.sin(c)
        else:
            e = sympy.tanh(w[k] * e + b[k])
    return e, (*w, *b) if name == "deep" else (x,)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_family_is_what_it_is_said_to_be(name, n):
    value, symbols = by_hand_expressions(name, n)
    found = compare_family(name, [n], simplify_below=0).points[n]
    names = {s: str(s) for s in value.free_symbols}
    text = Printer(names, "np").text(value)
    assert found.operations("value", "sympy raw") == operations(
        function_text("f", [], [], text), "f"
    )
    partials = [Printer(names, "np").text(sympy.diff(value, s)) for s in symbols]
    whole = function_text("f", [], [], ", ".join(partials))
    assert found.operations("gradient", "sympy raw") == operations(whole, "f")
    assert found.notes == []  # every column computes the emitted gradient


# Operations a level of value and gradient in reverse mode, and how many more there are in all.
BY_HAND = {
    "nested": (6, -1), "sine": (9, -2), "notes": (12, 3), "speelpenning": (3, -5), "deep": (8, -2),
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_value_and_gradient_grow_by_no_more_than_by_hand_while_the_expression_explodes(name):
    sizes = [2, 3, 4] if name == "notes" else [2, 3, 4, 5]  # its expression grows fastest
    growth = compare_family(name, sizes, simplify_below=0).points
    emitted = [c.gradient_operations for c in growth.values()]
    # reverse mode by hand: as much at every level, and less where elimination finds a shorter way
    rise, start = BY_HAND[name]
    assert all(have <= rise * n + start for n, have in zip(sizes, emitted, strict=True))
    assert all(c.ratio <= 4 for c in growth.values())
    raw = [c.operations("gradient", "sympy raw") for c in growth.values()]
    rises = [b - a for a, b in pairwise(raw) if a and b]
    assert rises == sorted(rises) and len(set(rises)) == len(rises)


def test_each_method_computes_the_gradient_that_differences_give():
    graph = read_live(slides, {})
    values = list(values_at(graph, 0.7).values())
    step = 1e-6
    want = []
    for at in (0, 1):
        up, down = list(values), list(values)
        # (x1 - x2)**a asks for x1 > x2
        up[0] += 0.5 + step * (at == 0)
        down[0] += 0.5 - step * (at == 0)
        up[1] += step * (at == 1)
        down[1] -= step * (at == 1)
        want.append((slides(*up) - slides(*down)) / (2 * step))
    values[0] += 0.5
    params = {p.tree: p.name for p in graph.params}
    made = algebra.Algebra.of(graph, graph.results, params, {}, 60)
    columns = made.columns([p.tree for p in graph.params[:2]])
    assert tuple(columns) == SYMPY
    for method, column in columns.items():
        assert np.allclose(column.function(*values)[-2:], want, rtol=1e-7, atol=0), method


def test_a_method_that_computes_another_number_is_noted():
    def f(x):
        return np.cbrt(x - 5.0)  # SymPy's root of a negative number is complex

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = gradgen.compare(f)
    assert any(note.startswith("sympy raw gives another gradient") for note in found.notes)


def test_simplify_is_stopped_by_steps_and_says_so(monkeypatch):
    def f(x, y, z):
        return np.tanh(x * np.tanh(y * np.tanh(z * x + 1.0) + 2.0) + y)

    monkeypatch.setattr(algebra, "MOST_CALLS", 20_000)
    found = gradgen.compare(f)
    cell = found.cell("gradient", "sympy simplify")
    assert cell.size is None
    assert cell.left_out == "SymPy's simplify was stopped after 20,000 steps"
    below = gradgen.compare(f, simplify_below=20).cell("gradient", "sympy simplify")
    count = found.operations("gradient", "sympy raw")
    assert below.left_out == (f"{count} operations; SymPy is asked to simplify below 20 only")


@pytest.mark.parametrize(("limit", "left_out"), [
    ("MOST_PRINTED", "above 10 the expression is not printed"),
    ("MOST_DERIVED", "SymPy is asked for 10 in all"),
])  # fmt: skip
def test_a_limit_of_sympys_columns_is_said(monkeypatch, limit, left_out):
    monkeypatch.setattr(algebra, limit, 10)
    cell = gradgen.compare(slides).cell("gradient", "sympy raw")
    assert cell.size is None and cell.left_out.endswith(left_out)


def test_an_expression_that_is_too_large_is_left_out_with_its_size(monkeypatch):
    monkeypatch.setattr(algebra, "MOST_NODES", 10)
    found = gradgen.compare(slides)
    assert len(found.notes) == 1 and "the expression has 21 nodes" in found.notes[0]
    assert found.gradient_operations > 0


def test_structures_are_compared_number_by_number():
    def f(p, x):
        return np.tanh(p["a"] * x + p["b"][0]) ** 2

    found = gradgen.compare(f, shapes="p.a=scalar, p.b.0=scalar")
    assert list(found.sections) == ["value", "d/dp['a']", "d/dp['b'][0]", "gradient"]
    # t = tanh(a*x + b): 2*(1 - t**2)*x*t
    assert found.operations("d/dp['a']", "sympy cse") == 8
    assert found.notes == []


def test_arrays_are_compared_entry_by_entry_at_small_lengths():
    def f(w, x, y):
        r = x @ w - y
        return np.sum(r * r)

    found = gradgen.compare(f, shapes="w=d, x=n d, y=n")
    assert "for w=3, x=2 3, y=2;" in found.notes[0] or "for w=2" in found.notes[0]
    d, n = np.shape(found.at["w"])[0], np.shape(found.at["y"])[0]
    # n squares of a sum of d products and y, summed
    raw = found.cell("value", "sympy raw").size.operations
    assert raw.total == n * (2 * d + 1) + n - 1
    assert found.operations("gradient", "gradgen forward") == 4  # @, -, *, sum
    assert len(found.notes) == 1  # all methods agree


def test_examples_and_static_arguments_tell_what_is_measured():
    def f(x, depth):
        for _ in range(depth):
            x = x * x
        return x

    assert gradgen.compare(f, like=(1.5, 4)).operations("gradient", "gradgen forward") == 4
    growth = gradgen.compare(f, param=("depth", range(1, 4)))
    forward = [c.operations("gradient", "gradgen forward") for c in growth.points.values()]
    assert forward == [1, 2, 3]
    assert growth.gradient_operations == growth.points[3].gradient_operations
    with pytest.raises(gradgen.GradgenError, match="expected 1 to 1,000 values, not 0"):
        gradgen.compare(f, param=("depth", []))


def test_a_time_is_of_one_call():
    calls = []
    found = seconds(lambda x: calls.append(x) or sum(range(2000)), (1,))
    assert 0 < found < 0.1 and len(calls) > 3


def test_deep_functions_are_measured_where_sympy_gives_up():
    def f(x):
        for _ in range(300):
            x = np.sin(x)
        return x

    found = gradgen.compare(f)
    assert found.operations("gradient", "gradgen forward") == 300
    assert found.gradient_operations == 3 * 300 - 1
    assert found.cell("gradient", "sympy raw").left_out == (
        "the expression is too deep for SymPy or CPython"
    )
