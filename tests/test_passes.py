"""Passes: every rewrite keeps the value; what the user wrote is carried over as it is."""

import ast
import linecache
import math
import random

import numpy as np
import pytest

import gradgen
from gradgen import derive, liveness, passes
from gradgen.errors import Location, Source
from gradgen.graph import Graph, GraphBuilder, dump, verify
from gradgen.types import FLOAT, Type

X, Y, Z = 1.75, -0.625, 3.5
PLACE = Location(Source("f.py", "x"), 1, 0)


def graph_of(text, located=False):
    """The graph of an expression over x, y, z, derived unless `located`."""
    b = GraphBuilder(Graph(name="f"))
    names = {n: b.leaf("param", (n, ()), FLOAT) for n in "xyz"}
    ops = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "power"}
    b.loc = PLACE if located else None

    def walk(e):
        if isinstance(e, ast.Name):
            return names[e.id]
        if isinstance(e, ast.Constant):
            return b.const(e.value)
        if isinstance(e, ast.UnaryOp):
            return b.add("neg", walk(e.operand))
        if isinstance(e, ast.BinOp):
            return b.add(ops[type(e.op)], walk(e.left), walk(e.right))
        return b.add(e.func.id, *map(walk, e.args))

    b.graph.results = walk(ast.parse(text, mode="eval").body)
    return b.graph


def value(graph, x=X, y=Y, z=Z):
    """The value of a graph, node by node."""
    known = {"x": x, "y": y, "z": z}
    python = {
        "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
        "div": lambda a, b: np.divide(a, b), "power": lambda a, b: a**b, "neg": lambda a: -a,
        "sin": math.sin, "exp": math.exp,
    }  # fmt: skip
    column = []
    for op, args, attr in zip(graph.ops, graph.args, graph.attrs, strict=True):
        if op == "param":
            column.append(np.float64(known[attr[0]]))
        elif op == "const":
            column.append(attr)
        else:
            column.append(python[op](*(column[a] for a in args)))
    return float(column[graph.results])


def cost(graph):
    """How many operations a graph holds."""
    return sum(op not in ("param", "const") for op in graph.ops)


REWRITES = [
    # text, operations before, at most so many after
    ("1.0 * x", 0), ("x * 1.0", 0), ("-(-x)", 0), ("(-x) * (-y)", 1), ("-x * y", 2),
    ("2.0 * (3.0 * x)", 1),
    ("(2.0 * x) * (0.5 * y)", 1), ("(2.0 * x) * (4.0 * y)", 2), ("x + (-y)", 1), ("x - (-y)", 1),
    ("(-x) + y", 1), ("(-x) - y", 2), ("2.0 * x + 2.0 * y", 2), ("3.0 * x - 3.0 * y", 2),
    ("x + x", 1), ("x + 2.0 * x", 1), ("(1.0 / y) * y", 0), ("(1.0 / y) * x", 1),
    ("(x / y) * y", 0), ("(x / y) * ((x * z) / y)", 3),
    ("(z * (x * y)) / y", 1), ("sin(2.0 * x) + 0.5 * (2.0 * x)", 3),
    ("(x * y) / y", 0), ("(2.0 * x) / y", 2), ("-x / y", 2), ("x / -y", 2), ("-(x / y)", 2),
    ("-1.0 / y", 1),
    ("2.0 / (4.0 * y)", 2), ("(x / y) * z", 2), ("-(2.0 / y)", 1), ("x * (1.0 / (y * z))", 2),
    ("-(x * y * z) / y", 4), ("(x * y + x * z) / y", 4), ("(y * x + z) / y", 3),
    ("sin(x * y) / y", 3), ("(x * y * z + x * z * z) / y", 6), ("(x * y - z * y) / z", 4),
    ("-(x * y) + z", 2), ("(0.5 * x) * 2.0", 0), ("sin(x) * 1.0 + 0.5 * (2.0 * sin(x))", 2),
    ("-sin(x) * -exp(y)", 3), ("1.0 + 2.0 * 3.0", 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at_most"), REWRITES)
def test_a_rewrite_of_a_derived_value_keeps_it(text, at_most):
    before = graph_of(text)
    after = passes.run(before)
    verify(after)
    assert value(after) == pytest.approx(value(before), rel=4e-16)
    assert cost(after) <= at_most, dump(after)
    assert cost(after) <= cost(before)


def random_expression(rng, depth):
    """Products, quotients, sums and signs of x, y, z and numbers."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(["x", "y", "z", "x", "y", "z", "2.0", "0.5", "-1.0"])
    a, b = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    forms = ["({a} * {b})", "({a} / {b})", "({a} + {b})", "({a} - {b})", "(-{a})", "sin({a})"]
    return rng.choices(forms, (7, 5, 3, 2, 2, 1))[0].format(a=a, b=b)


@pytest.mark.parametrize("kind", [FLOAT, Type("array", "float64", (5,))], ids=["number", "array"])
def test_random_derived_expressions_keep_their_value(kind, monkeypatch):
    monkeypatch.setitem(globals(), "FLOAT", kind)
    rng, compared = random.Random(18), 0
    for _ in range(3_000):
        text = random_expression(rng, 4)
        before = graph_of(text)
        try:
            with np.errstate(all="raise"):
                want = value(before)
        except (ArithmeticError, ValueError):
            continue
        if before.ops[before.results] not in ("param", "const") and 1e-6 < abs(want) < 1e6:
            assert value(passes.run(before)) == pytest.approx(want, rel=1e-9), text
            compared += 1
    assert compared > 2_000


@pytest.mark.parametrize("text", [text for text, _ in REWRITES])
def test_a_second_run_changes_nothing(text):
    once = passes.run(graph_of(text))
    assert dump(passes.run(once)) == dump(once)


@pytest.mark.parametrize("text", [text for text, _ in REWRITES] + ["0.0 * x", "x - x", "x / x"])
def test_nothing_that_the_user_wrote_is_rewritten(text):
    before = graph_of(text, located=True)
    after = passes.run(before)
    verify(after)
    kept = [op for op, loc in zip(after.ops, after.locs, strict=True) if loc is not None]
    needed = liveness.reachable(before, before.results)
    wanted = [op for op, loc, n in zip(before.ops, before.locs, needed, strict=True) if loc and n]
    assert [op for op in kept if op != "const"] == [op for op in wanted if op != "const"]
    if "/ x" not in text:
        assert value(after).hex() == value(before).hex()


@pytest.mark.parametrize("text", ["x - x", "x / x", "(x * y) - (x * y)"])
@pytest.mark.parametrize("at", [math.inf, math.nan, 2.0])
def test_what_can_be_nan_is_not_folded(text, at):
    before = graph_of(text)
    after = passes.run(before)
    with np.errstate(all="ignore"):
        have, want = value(after, x=at), value(before, x=at)
    assert have == want or (math.isnan(have) and math.isnan(want))


def emitted(line, **shapes):
    """The emitted gradient of an expression over x, y, z."""
    names = ", ".join(shapes)
    text = f"import numpy as np\n\n\ndef f({names}):\n    return {line}\n"
    path = f"<passes {text}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    held = {}
    exec(compile(text, path, "exec"), held)
    return gradgen.value_and_grad(held["f"], wrt=tuple(shapes), shapes=shapes), held["f"]


@pytest.mark.parametrize("line", ["0.0 * x", "x * 0.0", "x - x", "x / x", "0.0 * np.exp(x)",
                                  "x + 0.0",
                                  "1.0 * x", "x * 1.0", "2.0 * 3.0 * x", "x**1",
                                   "-(-x)"])  # fmt: skip
@pytest.mark.parametrize("at", [math.inf, -math.inf, math.nan, -0.0, 1.5])
def test_the_users_own_arithmetic_keeps_its_bits(line, at):
    function, f = emitted(line, x="scalar:float64")
    with np.errstate(all="ignore"):
        have, want = function(np.float64(at))[0], f(np.float64(at))
    assert np.float64(have).tobytes() == np.float64(want).tobytes()


def test_a_folded_array_keeps_its_shape():
    function, _ = emitted("np.sum(0.0 * x + y)", x="3", y="scalar")
    value, (d_x, d_y) = function(np.ones(3), 2.0)
    assert value == 6.0
    assert d_x.shape == (3,) and not d_x.any()
    assert d_y == 3.0


def derived(line, **shapes):
    """The derived graph of an expression before and after the passes."""
    function, f = emitted(line, **shapes)
    graph = gradgen.read.read_live(f, gradgen.read.parse_shapes(shapes))
    return derive.reverse(graph, [p.tree for p in graph.params], graph.results), function


@pytest.mark.parametrize(("line", "shapes"), [
    ("x * y + np.sin(x)", {"x": "scalar", "y": "scalar"}),
    ("np.sum((x - y) ** 2) / 3", {"x": "3", "y": "3"}),
    ("np.sum(np.tanh(x @ y))", {"x": "2 3", "y": "3 2"}),
    ("np.sum(np.where(x > 0, np.sqrt(x), y))", {"x": "3", "y": "3"}),
    ("np.log(np.sum(np.exp(x)))", {"x": "n"}),
    ("np.sum(x.T.T.T * x[::-1].T)", {"x": "2 3"}),
])  # fmt: skip
def test_every_pass_leaves_a_well_formed_graph(line, shapes):
    graph, _ = derived(line, **shapes)
    for step in passes.PIPELINE:
        verify(graph)
        before = len(graph)
        graph = step(graph)
        verify(graph)
        assert step is not passes.eliminate_dead or len(graph) <= before
    assert dump(passes.run(graph)) == dump(graph)


def test_dead_code_goes_and_parameters_stay():
    b = GraphBuilder(Graph(name="f"))
    x, y = (b.leaf("param", (n, ()), FLOAT) for n in "xy")
    b.add("sin", y)
    b.graph.results = b.add("exp", x)
    after = passes.eliminate_dead(b.graph)
    assert after.ops == ["param", "param", "exp"]
    assert after.results == 2


def test_uses_count_arguments_and_results():
    graph = graph_of("x * x + y")
    needed = liveness.reachable(graph, graph.results)
    assert liveness.uses(graph, needed)[:3] == [2, 1, 0]
    assert not needed[2]
