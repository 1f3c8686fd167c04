"""What a forward function saves for its backward function, and what that one takes for a seed."""

import ast
import dataclasses
import re
from functools import cache

import golden
import numpy as np
import pytest
from agreement import HEAD, function_of
from test_cases import assert_close, bits, flat, quietly

import gradgen
from gradgen.api import emit_path
from gradgen.graph import leaves
from gradgen.liveness import reachable
from gradgen.program import Options, compile_graph
from gradgen.read import parse_shapes, read_file
from gradgen.saved import LENGTHS, split
from gradgen.types import Dim, TupleType

CASES = [(golden.CASES, n) for n in golden.names()]
CASES += [(golden.MODE_CASES, n) for n in golden.names(golden.MODE_CASES)]
IDS = [name for _, name in CASES]
NUMBER = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the sources of the cases lie."""
    return tmp_path_factory.mktemp("pairs")


@cache
def pair(folder, home, name, recompute):
    """The text of the two functions of a case."""
    return golden.emit(golden.load(name, home), folder, "pair", recompute)


def function_nodes(text):
    return [s for s in ast.parse(text).body if isinstance(s, ast.FunctionDef)]


def unpacked(backward):
    """The names that a backward function gives to what was saved."""
    first = backward.body[1] if isinstance(backward.body[0], ast.Expr) else backward.body[0]
    if not (isinstance(first, ast.Assign) and ast.unparse(first.value) == "saved"):
        return []
    return [name.id for name in first.targets[0].elts]


def saved_texts(forward):
    """What a forward function returns behind its value, item by item."""
    return [ast.unparse(item) for item in forward.body[-1].value.elts[1].elts]


def run(text):
    names = {"__name__": "emitted"}
    exec(text, names)
    return names


def both(text, function, seed, *args, **keywords):
    names = run(text)
    value, saved = names[f"{function}_forward"](*args, **keywords)
    return value, names[f"{function}_backward"](saved, seed)


# -- what is saved ---------------------------------------------------------------------------------


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(("home", "name"), CASES, ids=IDS)
def test_all_that_is_saved_is_read(home, name, recompute, folder):
    forward, backward = function_nodes(pair(folder, home, name, recompute))
    names = unpacked(backward)
    read = {
        n.id for s in backward.body[1:] for n in ast.walk(s)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }  # fmt: skip
    assert len(names) == len(saved_texts(forward)) == len(set(names))
    assert set(names) <= read


def graph_of(folder, home, name, recompute=False):
    case = golden.load(name, home)
    shapes = parse_shapes(case.options.get("shapes"))
    pair(folder, home, name, recompute)
    source = read_file(folder / f"{name}.py", case.function, shapes)
    options = Options(case.wrt(), "pair", case.options.get("target", "numpy"), recompute=recompute)
    return compile_graph(source, options).graph


def read_by_adjoints(graph):
    """Every argument and forward value that the adjoints read: what was saved without choosing."""
    value, adjoints = graph.results
    forward = reachable(graph, value)
    for node, op in enumerate(graph.ops):
        forward[node] |= op == "item" and forward[graph.args[node][0]]
    own, kept, stack = set(), set(), list(leaves(adjoints))
    atoms = ("const", "constant", "global", "seed")
    while stack:
        node = stack.pop()
        if node in own | kept:
            continue
        if graph.ops[node] == "param" or (forward[node] and graph.ops[node] not in atoms):
            kept.add(node)
        else:
            own.add(node)
            stack += graph.args[node]
    return kept


def memory(graph, nodes, length):
    """The bytes that saved values hold, and those that are no argument's, all symbols alike."""
    held = new = 0
    for node in nodes:
        t = graph.types[node]
        assert not isinstance(t, TupleType)
        size = NUMBER
        if t.kind == "array":
            size = np.dtype(t.dtype).itemsize
            for n in t.shape:
                size *= number_of(n, length) if isinstance(n, Dim) else n
        held += size
        new += size if t.kind == "array" and graph.ops[node] != "param" else 0
    return held, new


def number_of(size, length):
    return sum(
        count * np.prod([length] * len(atoms), dtype=int) for atoms, count in size.terms
    )  # fmt: skip


@pytest.mark.parametrize(("home", "name"), CASES, ids=IDS)
def test_no_more_memory_is_held_than_by_all_that_adjoints_read(home, name, folder):
    graph = graph_of(folder, home, name)
    # lengths tell the shape of a seed, or stand for an array of which nothing else is read
    saved = [n for n in split(graph).saved if graph.ops[n] not in LENGTHS]
    for length in (1, 2, 3, 1000):
        before = memory(graph, read_by_adjoints(graph), length)
        after = memory(graph, saved, length)
        assert after[0] <= before[0] and after[1] <= before[1], f"{after} is more than {before}"


@pytest.mark.parametrize(("home", "name"), CASES, ids=IDS)
def test_with_recompute_arguments_and_lengths_alone_are_saved(home, name, folder):
    graph = graph_of(folder, home, name, recompute=True)
    assert {graph.ops[n] for n in split(graph, recompute=True).saved} <= {"param", *LENGTHS}


@pytest.mark.parametrize(
    ("name", "at"), [(n, at) for n in golden.names() for at in range(len(golden.load(n).points))]
)
def test_the_gradient_is_that_of_the_function_in_one_piece_and_what_is_recomputed_the_same_bits(
    name, at, folder
):
    case = golden.load(name)
    whole = golden.emit(case, folder, "value_and_grad")
    point = case.points[at]
    (value, gradient), _ = quietly(
        run(whole)[f"{case.function}_value_and_grad"], **case.arguments(point)
    )
    found = []
    for recompute in (False, True):
        arguments = case.arguments(point)
        text = pair(folder, golden.CASES, name, recompute)
        (own, adjoints), _ = quietly(both, text, case.function, 1.0, **arguments)
        assert bits(own) == bits(value)
        assert_close(adjoints, gradient, 1e-13)
        assert list(map(bits, flat(arguments))) == list(map(bits, flat(case.arguments(point))))
        found.append(list(map(bits, flat(adjoints))))
    assert found[0] == found[1]


@pytest.mark.parametrize(("lines", "shapes", "saved"), [
    # what is read is a view, a length, an item, or a cheap operation away from what is read too
    (["return np.sin(x[1:]) * x[:-1]"], "x=n", ["x", "t1"]),
    (["return x - np.mean(x)"], "x=n", ["len(x)"]),
    (["y = np.exp(x)", "z = -y", "return y * z"], "x=n", ["y"]),
    (["y = np.tanh(x @ x.T)", "return y * y.T"], "x=n n", ["x", "y"]),
    (["y = np.exp(x)", "return y[0] * np.sum(y)"], "x=n", ["y", "sum_y"]),
    # a mask, where nobody reads what it is of; of an argument there is nothing to be saved
    (["y = np.cumsum(x)", "return np.maximum(y, 0.0) * y"], "x=n", ["y"]),
    (["y = np.cumsum(x)", "return np.maximum(y, 0.0)"], "x=n", ["mask"]),
    (["return np.maximum(x, 0.0)"], "x=n", ["x"]),
    # of two values the one that both are cheap to compute from
    (["y = np.cumsum(x)", "return (y + 1.0) * (y - 2.0)"], "x=n", ["y"]),
    # what is far from the rest: two operations in between are too many
    (["a = x + 1.0", "b = a * x", "c = b * a", "return c * b"], "x=n", ["x", "b", "c"]),
    # nothing at all, but for the shape of the seed
    (["return 2.0 * x"], "x=n", ["len(x)"]),
    (["return 2.0 * x"], "x=3", []),
    (["return 2.0 * x[0] + x[1]"], "x=3", []),
])  # fmt: skip
def test_what_is_saved(lines, shapes, saved):
    text = gradgen.emit(function_of(source_of(lines)), shapes=shapes, mode="pair")
    assert saved_texts(function_nodes(text)[0]) == saved


def source_of(lines):
    return "def f(x):\n" + "".join(f"    {line}\n" for line in lines)


def test_the_docstring_lists_what_is_saved():
    f = function_of(
        "def f(p, x):\n    h = np.tanh(p['W'] @ x)\n    e = np.exp(h)\n    s = np.sum(e)\n"
        "    return h, s * s\n"
    )
    text = gradgen.emit(f, shapes="p.W=3 d, x=d", mode="pair")
    forward = function_nodes(text)[0]
    assert saved_texts(forward) == ["x", "h", "e", "s"]
    assert ast.get_docstring(forward).split("\n\n")[2] == (
        "Saved for f_backward:\n"
        "- x: (d,) float64, the argument itself\n"
        "- h: (3,) float64, 24 bytes, the value itself\n"
        "- e: (3,) float64, 24 bytes\n"
        "- s\n"
        "What is not copied must not change in place before f_backward is called."
    )


def test_an_argument_that_is_saved_is_no_copy():
    text = gradgen.emit(
        function_of("def f(x):\n    return np.sum(x**3)\n"), shapes="x=n", mode="pair"
    )
    names, x = run(text), np.array([1.0, 2.0])
    _, saved = names["f_forward"](x)
    assert saved[0] is x
    assert "- x: (n,) float64, the argument itself" in names["f_forward"].__doc__


@pytest.mark.parametrize("columns", [1, 2])
def test_a_shape_that_two_saved_arrays_tell_is_that_of_neither(columns):
    f = function_of("""def f(z, y):
    v = np.ones(y.shape)
    v[v < 0.75] = np.mean(np.sqrt(2.0 - y))
    return np.exp(np.mean(y, where=y < 0.5)) + np.sum(v * v) + np.sum(z * z)
""")
    names = run(gradgen.emit(f, ("z", "y"), shapes=f"z=n n, y=n {columns}", mode="pair"))
    z, y = np.eye(3), np.linspace(-0.9, 1.4, 3 * columns).reshape(3, columns)
    value, saved = names["f_forward"](z, y)
    assert value == f(z, y)
    below = y < 0.5
    d_y = np.where(below, np.exp(np.mean(y[below])) / below.sum(), 0.0)
    d_z, found = names["f_backward"](saved, 1.0)
    np.testing.assert_array_equal(d_z, 2.0 * z)
    np.testing.assert_allclose(found, d_y, rtol=1e-14)


def test_an_array_whose_length_is_saved_gets_a_name():
    stack = "np.stack([x{}, x], axis=1)"
    line = f"{stack.format('')} @ np.ones({stack.format('.copy()')}.shape[1])"
    f = function_of(f"def f(x):\n    return {line}\n")
    forward = function_nodes(gradgen.emit(f, shapes="x=n", mode="pair"))[0]
    said = " ".join(ast.get_docstring(forward).split())
    assert "Saved for f_backward: t1.shape[1], len(x)." in said


def test_many_numbers_are_counted_in_the_docstring():
    lines = "".join(f"    x = x * np.exp(x) + 0.{k}\n" for k in range(100))
    text = gradgen.emit(function_of(f"def f(x):\n{lines}    return x\n"), mode="pair")
    forward, backward = function_nodes(text)
    said = " ".join(ast.get_docstring(forward).split())
    more = re.search(r"Saved for f_backward: ((?:\w+, ){30})and (\d+) more\.", said)
    assert 30 + int(more[2]) == len(unpacked(backward))


def test_a_long_program_is_cut_in_linear_time():
    counts = []
    for size in (400, 800):
        lines = "".join(f"    y = np.tanh(y) * x + y * 0.{k % 7 + 1}\n" for k in range(size))
        source = f"def f(x):\n    y = x\n{lines}    return np.sum(y * x)\n"
        graph = compile_graph(
            gradgen.read.read_live(function_of(source), parse_shapes("x=n")), Options(mode="pair")
        ).graph
        counts.append(len(calls_of(split, graph)))
    assert counts[1] < 2.2 * counts[0]


def calls_of(function, *args):
    """Every call of a function of Python's while another runs."""
    import sys

    calls = []
    sys.setprofile(lambda frame, event, arg: calls.append(event) if event == "call" else None)
    try:
        function(*args)
    finally:
        sys.setprofile(None)
    return calls


# -- the seed --------------------------------------------------------------------------------------


def refused(text, arguments, seed):
    with pytest.raises(ValueError) as caught:
        both(text, "f", seed, *arguments)
    assert caught.traceback[-1].name == "f_backward"
    return str(caught.value)


x3, A23 = np.array([0.5, -1.0, 2.0]), np.arange(6.0).reshape(2, 3)
SEEDS = [
    # the value, the shapes, right seeds, wrong ones with what is said
    ("np.sum(x * x)", "x=n", [1.0, 2, np.float64(1.0), np.array(1.0)], {
        "(3,)": "f_backward takes a number as seed, not an array",
        "(1,)": "f_backward takes a number as seed, not an array",
    }),
    ("np.sin(x)", "x=n", [x3], {
        "(1,)": "f_backward takes seed of shape (n,), not seed.shape=(1,)",
        "(3, 1)": "f_backward takes seed of shape (n,), not seed.shape=(3, 1)",
        "()": "f_backward takes seed of shape (n,), not seed.shape=()",
    }),
    ("2.0 * x", "x=n", [x3], {
        "(1,)": "f_backward takes seed of shape (n,), not seed.shape=(1,)",
        "(4,)": "f_backward takes seed of shape (n,), not seed.shape=(4,)",
    }),
    ("2.0 * x", "x=3", [x3], {
        "(1,)": "f_backward takes seed of shape (3,), not seed.shape=(1,)",
    }),
    ("x[1:] - x[:-1]", "x=n", [x3[:2]], {
        "(1,)": "f_backward takes seed of shape (n-1,), not seed.shape=(1,)",
        "(3,)": "f_backward takes seed of shape (n-1,), not seed.shape=(3,)",
    }),
    ("x[::2] * 3.0", "x=n", [x3[:2]], {
        "(1,)": "f_backward takes seed of shape ((n+1)//(2),), not seed.shape=(1,)",
    }),
    ("x[x > 0.0]", "x=n", [x3[:2]], {
        "(1,)": "f_backward takes seed of shape (count_true(1),), not seed.shape=(1,)",
    }),
    ("np.outer(x, x[1:])", "x=n", [A23.T], {
        "(3, 1)": "f_backward takes seed of shape (n, n-1), not seed.shape=(3, 1)",
        "(1, 2)": "f_backward takes seed of shape (n, n-1), not seed.shape=(1, 2)",
    }),
]  # fmt: skip
WRONG = [(v, s, shape, said) for v, s, _, wrong in SEEDS for shape, said in wrong.items()]


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(("value", "shapes", "shape", "said"), WRONG)
def test_a_seed_of_another_shape_is_an_error_of_the_backward_function(
    value, shapes, shape, said, recompute
):
    f = function_of(f"def f(x):\n    return {value}\n")
    text = gradgen.emit(f, shapes=shapes, mode="pair", recompute=recompute)
    assert refused(text, [x3], np.ones(ast.literal_eval(shape))) == said


@pytest.mark.parametrize(("value", "shapes", "right"), [(v, s, r) for v, s, r, _ in SEEDS])
def test_a_seed_of_the_shape_of_the_value_gives_what_vjp_gives(value, shapes, right):
    f = function_of(f"def f(x):\n    return {value}\n")
    text = gradgen.emit(f, shapes=shapes, mode="pair")
    for seed in right:
        own, adjoint = both(text, "f", seed, x3)
        expected = gradgen.vjp(f)(x3, seed)
        np.testing.assert_array_equal(own, expected[0])
        np.testing.assert_allclose(adjoint, expected[1], rtol=1e-14)


def test_seeds_of_several_values_are_checked_part_by_part():
    f = function_of("def f(x):\n    return {'m': np.mean(x), 'z': (x * x, np.sum(x))}\n")
    text = gradgen.emit(f, shapes="x=n", mode="pair")
    assert refused(text, [x3], {"m": 1.0, "z": (np.ones(2), 1.0)}) == (
        "f_backward takes seed['z'][0] of shape (n,), not seed['z'][0].shape=(2,)"
    )
    assert refused(text, [x3], {"m": 1.0, "z": (x3, x3)}) == (
        "f_backward takes numbers as seed['m'] and seed['z'][1], not arrays"
    )


@pytest.mark.parametrize(("value", "said"), [
    ("x[::2] * 3.0",
     "f_vjp takes x of shape (n,) and seed of shape ((n+1)//(2),), "
     "not x.shape=(3,) and seed.shape=(1,)"),
    ("x[x > 0.0]", "f_vjp takes seed of the shape of the value, not seed.shape=(1,)"),
    ("np.sum(x * x)", "f_vjp takes a number as seed, not an array"),
])  # fmt: skip
@pytest.mark.parametrize("shapes", ["x=n", None])
def test_a_seed_that_would_be_broadcast_is_an_error_of_vjp(value, said, shapes):
    f = function_of(f"def f(x):\n    return {value}\n")
    with pytest.raises(ValueError) as caught:
        gradgen.vjp(f, shapes=shapes)(x3, np.ones(1))
    assert str(caught.value) == said


STORED = "def f(x):\n    y = x.copy()\n    y[0] = 0.5 * x[1] - x[0]\n    return y + 0.5 * x[0]\n"


@pytest.mark.parametrize("mode", ["pair", "vjp", "jvp"])
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float32, bool])
def test_seeds_and_tangents_of_integers_count_as_floats(mode, dtype):
    f = function_of(STORED)
    text = gradgen.emit(f, shapes="x=n", mode=mode)
    given = np.array([1, 0, 1])
    # dy_0/dx_1 = 1/2, dy_0/dx_0 = -1/2, dy_i/dx_0 = 1/2
    jacobian = np.array([[-0.5, 0.5, 0.0], [0.5, 1.0, 0.0], [0.5, 0.0, 1.0]])
    expected = jacobian @ given if mode == "jvp" else given @ jacobian
    if mode == "pair":
        _, found = both(text, "f", given.astype(dtype), x3)
    else:
        _, found = run(text)[f"f_{mode}"](x3, given.astype(dtype))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("value", "seed"), [
    ("np.mean(x * x)", np.float64(1.0)), ("x * x", np.ones(3)), ("x[::-1]", np.ones(3)),
])  # fmt: skip
def test_gradients_of_a_float32_program_are_float32_whatever_the_seed_is(value, seed):
    f, x = function_of(f"def f(x):\n    return {value}\n"), x3.astype(np.float32)
    _, found = both(gradgen.emit(f, shapes="x=n:float32", mode="pair"), "f", seed, x)
    _, live = gradgen.vjp(f)(x, seed)
    assert found.dtype == live.dtype == np.float32
    np.testing.assert_array_equal(found, live)


# -- names, structures -----------------------------------------------------------------------------


@pytest.mark.parametrize("recompute", [False, True])
def test_globals_parameters_and_locals_called_saved_and_seed_are_not_hidden(recompute):
    text = (
        "seed = 3.0\nsaved = 2.0\n\n\ndef f(x):\n    return np.sum(np.sin(x) * seed * saved)\n\n\n"
        "def g(saved, seed):\n    y = np.exp(saved) * seed\n    saved = y * y\n"
        "    return np.sum(saved * y)\n"
    )
    f, g = function_of(text, "f"), function_of(text, "g")
    emitted = gradgen.emit(f, shapes="x=n", mode="pair", recompute=recompute)
    _, adjoint = both(emitted, "f", 1.0, x3)
    np.testing.assert_allclose(adjoint, 6.0 * np.cos(x3), rtol=1e-15)
    emitted = gradgen.emit(
        g, ("saved", "seed"), shapes="saved=n, seed=scalar", mode="pair", recompute=recompute
    )
    _, adjoints = both(emitted, "g", 1.0, x3, 2.0)
    assert_close(adjoints, gradgen.grad(g, ("saved", "seed"))(x3, 2.0), 1e-14)


@dataclasses.dataclass
class Model:
    w: np.ndarray
    b: float


@pytest.mark.parametrize("recompute", [False, True])
def test_adjoints_of_a_dataclass_are_of_its_class(recompute):
    def f(model: Model, x):
        return np.sum(model.w * x) * model.b

    text = gradgen.emit(f, shapes="model.w=n, model.b=scalar, x=n", mode="pair",
                        recompute=recompute)  # fmt: skip
    assert "the class of model" in text
    _, found = both(text, "f", 1.0, Model(x3, 2.0), x3)
    assert isinstance(found, Model)
    np.testing.assert_array_equal(found.w, 2.0 * x3)
    assert found.b == np.sum(x3 * x3)


# -- the option ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["value_and_grad", "grad", "vjp", "jvp", "jacobian", "hessian"])
def test_recompute_is_refused_for_what_saves_nothing(mode):
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.emit(function_of("def f(x):\n    return x * x\n"), mode=mode, recompute=True)
    assert str(caught.value) == f"recompute is for mode pair: mode {mode} saves nothing"


def test_the_options_are_told_apart_by_the_digest_of_the_source(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(f"{HEAD}def f(x):\n    return np.exp(np.sin(x))\n")
    texts = [emit_path(f"{path}:f", mode="pair", recompute=r) for r in (False, True)]
    digests = [re.search("gradgen-source: (.*)", text)[1] for text in texts]
    assert digests[0] != digests[1]
