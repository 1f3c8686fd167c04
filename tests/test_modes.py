"""What gradgen emits in the modes beyond the gradient: golden files, values, refusals."""

import dataclasses
import inspect
import subprocess
import sys
import warnings
from typing import NamedTuple

import golden
import numpy as np
import pytest
from tangents import (
    along,
    defined,
    differ_from_adjoint,
    differ_from_slope,
    directions,
    leaves,
    same_bits,
)
from test_cases import assert_close, canonical, quietly

import gradgen
from gradgen.measure.counting import operations
from gradgen.program import Options, compile_graph
from gradgen.read import parse_shapes, read_file

CASES = golden.names(golden.MODE_CASES)
POINTS = [
    (name, at) for name in CASES for at in range(len(golden.load(name, golden.MODE_CASES).points))
]
# Derivations by hand that know more than the chain rule, and what.
BEYOND = {
    "jacobian_softmax": "exp(x) / sum(exp(x)) is the softmax itself, in the second term too",
}
HEAD = "import math\nimport numpy as np\n\n\n"


def load(name):
    return golden.load(name, golden.MODE_CASES)


def of_file(case):
    """The emitted function of a case, and the user's."""
    names, function = golden.run(case.output, case.name), case.namespace()[case.function]
    if case.mode != "pair":
        return names[f"{case.function}_{case.mode}"], function

    def pair(seed, **arguments):
        value, saved = names[f"{case.function}_forward"](**arguments)
        return value, names[f"{case.function}_backward"](saved, seed)

    return pair, function


def own(case, function, arguments):
    """The value of the user's function, which takes no tangents and no seeds."""
    names = inspect.signature(function).parameters
    return function(**{n: v for n, v in arguments.items() if n in names})


# -- golden files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_emitted_text_is_the_golden_one(name, tmp_path):
    case = load(name)
    assert golden.emit(case, tmp_path) == case.output


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_golden_results_are_those_derived_by_hand(name, at):
    case = load(name)
    arguments = case.arguments(case.points[at])
    found, _ = quietly(of_file(case)[0], **arguments)
    hand, _ = quietly(case.namespace()["hand"], **case.arguments(case.points[at]))
    assert_close(found, hand, 1e-13)
    np.testing.assert_equal(arguments, case.arguments(case.points[at]))
    arrays = [a for a in leaves(arguments) if isinstance(a, np.ndarray)]
    assert not any(np.shares_memory(r, a) for r in leaves(found) for a in arrays)


@pytest.mark.parametrize(
    ("name", "at"), [p for p in POINTS if load(p[0]).mode in ("jvp", "vjp", "pair")]
)
def test_the_value_is_bit_identical_to_the_functions_own(name, at):
    case = load(name)
    arguments = case.arguments(case.points[at])
    made, function = of_file(case)
    (value, _), _ = quietly(made, **arguments)
    expected, _ = quietly(own, case, function, arguments)
    assert same_bits(value, expected)
    assert type(value) is type(expected)


@pytest.mark.parametrize("name", CASES)
def test_there_are_no_more_operations_than_in_the_derivation_by_hand(name):
    case = load(name)
    parts = ("forward", "backward") if case.mode == "pair" else (case.mode,)
    count = operations(case.output, *(f"{case.function}_{part}" for part in parts))
    by_hand = operations(case.hand, "hand")
    if name in BEYOND:
        assert count > by_hand, f"{name} no longer exceeds: take it off BEYOND"
    else:
        assert count <= by_hand, f"{count} operations, {by_hand} by hand"


@pytest.mark.parametrize("command", [["format", "--diff"], ["check", "--no-cache"]])
def test_ruff_with_its_default_settings_has_nothing_to_change(command, tmp_path):
    for name in CASES:
        (tmp_path / f"{name}.py").write_text(load(name).output, "utf-8", newline="\n")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--isolated", "--quiet", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr


EVERY = [(golden.CASES, n) for n in golden.names()] + [(golden.MODE_CASES, n) for n in CASES]


@pytest.mark.parametrize(("home", "name"), EVERY, ids=[name for _, name in EVERY])
def test_what_is_emitted_in_a_mode_reads_back_as_the_graph_that_was_emitted(home, name, tmp_path):
    case = golden.load(name, home)
    golden.emit(case, tmp_path, mode="jvp")
    shapes = parse_shapes(case.options.get("shapes"))
    source = read_file(tmp_path / f"{name}.py", case.function, shapes)
    scalar = isinstance(source.results, int) and not source.types[source.results].shape
    for mode in ("jvp", "vjp", *(("hvp",) if scalar else ())):
        text = golden.emit(case, tmp_path, mode=mode)
        options = Options(case.wrt(), mode, case.options.get("target", "numpy"))
        path = tmp_path / f"{name}_{mode}.py"
        path.write_text(text, "utf-8")
        line = next(w for w in text.splitlines() if w.startswith("# gradgen-shapes:"))
        again = read_file(path, f"{case.function}_{mode}", parse_shapes(line.partition(": ")[2]))
        assert canonical(again) == canonical(compile_graph(source, options).graph)


# -- jvp -------------------------------------------------------------------------------------------


def scaled(p, x):
    return p["w"] * x + p["b"]


def test_a_tangent_has_the_structure_of_its_parameter_and_the_result_that_of_the_value():
    text = (
        HEAD + "def f(p, x):\n    y = p['w'] * x\n    return {'y': y, 'sum': (np.sum(y), p['b'])}\n"
    )
    f = defined(text)
    arguments = {"p": {"w": np.array([1.0, 2.0]), "b": 3.0}, "x": np.array([0.5, -1.0])}
    tangents = {"w": np.array([0.1, 0.2]), "b": -2.0}
    value, tangent = gradgen.jvp(f)(arguments["p"], tangents, arguments["x"])
    assert same_bits(value, f(**arguments))
    np.testing.assert_array_equal(tangent["y"], tangents["w"] * arguments["x"])
    assert list(tangent) == ["y", "sum"]
    assert tangent["sum"] == (np.sum(tangent["y"]), -2.0)


def test_a_tuple_of_parameters_has_tangents_in_its_order_and_a_value_of_any_shape():
    f = defined(HEAD + "def f(x, y, A):\n    return A @ x + y\n")
    made = gradgen.jvp(f, wrt=("A", "x"), shapes="x=n, y=m, A=m n")
    assert list(inspect.signature(made).parameters) == ["x", "y", "A", "t_A", "t_x"]
    rng = np.random.default_rng(1)
    x, y, A, u, v = (rng.normal(size=s) for s in ((3,), (2,), (2, 3), (2, 3), (3,)))
    value, tangent = made(x, y, A, u, v)
    assert same_bits(value, f(x, y, A))
    np.testing.assert_allclose(tangent, u @ x + A @ v, rtol=1e-15)


def test_decorated_with_options_and_compiled_at_the_first_call():
    @gradgen.jvp(wrt=("x", "y"))
    def f(x, y):
        return np.sin(x) * y

    value, tangent = f(0.5, 2.0, 1.0, 0.0)
    assert value == np.sin(0.5) * 2.0
    assert tangent == 2.0 * np.cos(0.5)
    x = np.array([0.1, 0.2])
    value, tangent = f(x, y=2.0, t_x=np.ones(2), t_y=1.0)
    np.testing.assert_allclose(tangent, 2.0 * np.cos(x) + np.sin(x), rtol=1e-15)
    assert "def f_jvp(x, y, t_x, t_y):" in f.source


def test_has_aux_gives_the_auxiliary_results_as_they_are():
    def f(x):
        return np.sum(x**2), x[0]

    (value, aux), tangent = gradgen.jvp(f, has_aux=True)(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert (value, aux, tangent) == (5.0, 1.0, 22.0)
    product, aux = gradgen.hvp(f, has_aux=True)(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.testing.assert_array_equal(product, [6.0, 8.0])
    assert aux == 1.0


@pytest.mark.parametrize(("signature", "wanted"), [
    ("x, t_x", "x, t_x_1, t_x"),
    ("x, a", "x, t_x, a"),
    ("x, a=2.0", "x, t_x, a=2.0"),
    ("x=1.0, a=2.0", "x=1.0, a=2.0, *, t_x"),
    ("a, x", "a, x, t_x"),
    ("x, /, a", "x, /, t_x, a"),
    ("x, a, /", "x, t_x, a, /"),
    ("x, *, a", "x, t_x, *, a"),
    ("x, a, /, *, k", "x, t_x, a, /, *, k, t_k"),
    ("x, *, k", "x, t_x, *, k, t_k"),
    ("x, k=2.0", "x, k=2.0, *, t_x, t_k"),
    ("x, /, k", "x, /, k, t_x, t_k"),
    ("k, a, x, b=1.0", "k, a, x, t_x, t_k, b=1.0"),
])  # fmt: skip
def test_the_names_of_tangents_are_free_and_stand_behind_the_last_parameter_that_moves(
    signature, wanted
):
    other = next(n for n in ("t_x", "k", "a") if n in signature)
    f = defined(f"{HEAD}def f({signature}):\n    return x * {other}\n")
    wrt = ("x", "k") if "k" in signature else "x"
    for mode in ("jvp", "hvp"):
        made = getattr(gradgen, mode)(f, wrt=wrt, shapes="x=scalar")
        assert str(inspect.signature(made)) == f"({wanted})"
        # compiled at the first call, it takes its arguments in the same places
        given = {name: 0.5 + k for k, name in enumerate(inspect.signature(made).parameters)}
        kinds = inspect.signature(made).parameters
        by_name = {
            n: v for n, v in given.items() if kinds[n].kind is inspect.Parameter.KEYWORD_ONLY
        }
        in_order = [v for n, v in given.items() if n not in by_name]
        assert getattr(gradgen, mode)(f, wrt=wrt)(*in_order, **by_name) == made(
            *in_order, **by_name
        )


def test_a_local_of_the_user_called_as_a_tangent_gives_way():
    f = defined(HEAD + "def f(x):\n    t_x = x * x\n    return t_x + np.sin(t_x)\n")
    value, tangent = gradgen.jvp(f, shapes="x=scalar")(0.7, 2.0)
    assert value == f(0.7)
    np.testing.assert_allclose(tangent, 2.0 * 1.4 * (1.0 + np.cos(0.49)), rtol=1e-15)


def test_no_code_is_emitted_for_what_does_not_move():
    text = "def f(x, c):\n    d = np.exp(np.sin(c)) * c\n    return np.sum(x * d)\n"
    made = gradgen.jvp(defined(HEAD + text), shapes="x=n, c=n")
    assert made.source.count("np.exp") == 1
    assert "t_d" not in made.source
    assert "np.cos" not in made.source


@pytest.mark.parametrize("line", ["np.zeros(3) + np.floor(x)", "np.sign(x) * 2.0", "c * 1.0"])
def test_a_value_that_does_not_move_has_a_tangent_of_zeros_of_its_shape_and_dtype(line):
    f = defined(f"{HEAD}def f(x, c):\n    return {line}\n")
    x = np.array([0.5, 1.5, 2.5])
    value, tangent = gradgen.jvp(f)(x, np.ones(3), x)
    assert same_bits(value, f(x, x))
    assert same_bits(tangent, np.zeros(3))


@pytest.mark.parametrize(("t_x", "declared"), [
    (np.ones(2), True), (np.ones(2), False), (np.ones((3, 1)), True), (np.ones((3, 1)), False),
])  # fmt: skip
def test_a_tangent_of_another_shape_is_an_error_with_both_shapes(t_x, declared):
    def f(x):
        return x * x

    made = gradgen.jvp(f, shapes="x=n") if declared else gradgen.jvp(f)
    with pytest.raises(ValueError, match=r"f_jvp takes x of shape .* and t_x of shape") as caught:
        made(np.ones(3), t_x)
    assert f"t_x.shape={t_x.shape}" in str(caught.value)


def test_trap_01_nothing_leaks_from_a_branch_that_is_not_taken():
    text = (
        "def f(x, A):\n    root = np.sqrt(np.abs(x))\n    y = np.where(x > 0, root, x)\n"
        "    z = A @ np.where(x > 0, 1.0 / (x + 4.0 * (x <= 0)), 0.0)\n    return y, z\n"
    )
    f = defined(HEAD + text)
    x, A = np.array([1.0, 0.0, 4.0]), np.ones((2, 3))
    for made in (gradgen.jvp(f, shapes="x=n, A=m n"), gradgen.jvp(f)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            f(x, A)
            _, (t_y, t_z) = made(x, np.ones(3), A)
        np.testing.assert_array_equal(t_y, [0.5, 1.0, 0.25])
        np.testing.assert_array_equal(t_z, [-1.0625, -1.0625])


@pytest.mark.parametrize(("line", "x", "t_x", "wanted"), [
    ("np.abs(x)", [0.0, -2.0], [3.0, 3.0], [0.0, -3.0]),
    ("np.linalg.norm(x)", [0.0, 0.0], [1.0, 1.0], 0.0),
    ("np.maximum(x, 0.0)", [0.0, 1.0], [5.0, 5.0], [0.0, 5.0]),
    ("np.maximum(x, x[::-1])", [1.0, 1.0], [2.0, 4.0], [3.0, 3.0]),
    ("np.max(x)", [2.0, 2.0], [1.0, 3.0], 2.0),
    ("np.clip(x, 0.0, 1.0)", [0.0, 1.5], [1.0, 1.0], [1.0, 0.0]),
    ("x**0", [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]),
    ("np.prod(x)", [0.0, 3.0], [2.0, 5.0], 6.0),
    ("np.sinc(x)", [0.0, 1.0], [1.0, 1.0], [0.0, -1.0]),
    ("np.sort(x)", [2.0, 1.0], [3.0, 4.0], [4.0, 3.0]),
])  # fmt: skip
def test_kinks_have_the_tangents_that_the_table_of_conventions_says(line, x, t_x, wanted):
    f = defined(f"{HEAD}def f(x):\n    return {line}\n")
    _, tangent = gradgen.jvp(f)(np.array(x), np.array(t_x))
    np.testing.assert_allclose(tangent, wanted, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("line", [
    "x * x + np.sin(x)", "np.mean(x)", "np.linalg.norm(x)", "x / np.sum(x)", "np.var(x)",
    "2.0 * x", "np.where(x > 0.5, x, 0.0)", "np.concatenate([x, np.ones(2, dtype=x.dtype)])",
    "np.zeros_like(x)",
])  # fmt: skip
def test_trap_22_float32_stays_float32(line):
    f = defined(f"{HEAD}def f(x):\n    return {line}\n")
    x = np.array([0.25, 1.0, 2.0], np.float32)
    value, tangent = gradgen.jvp(f)(x, np.ones(3, np.float32))
    assert np.asarray(value).dtype == np.asarray(tangent).dtype == np.float32


def test_tangents_of_one_node_reach_both_calls_that_a_definition_stands_for():
    body = "    y = np.sin(x)\n    a = np.ptp(y)\n    b = np.ptp(x * a)\n"
    f = defined(f"{HEAD}def f(x):\n{body}    return a * np.average(y) + b\n")
    x = np.array([0.3, 1.0, 2.5])
    direction = {"x": np.array([1.0, -2.0, 0.5])}
    value, tangent = gradgen.jvp(f)(x, direction["x"])
    assert value == f(x)
    assert not differ_from_slope(tangent, along(f, {"x": x}, direction, "real"), 1e-9)


def test_a_long_program_that_reads_each_value_twice_is_swept_linearly():
    lines = "".join(f"    y = 0.5 * y * y + 0.{k % 7 + 1}\n" for k in range(3000))
    f = defined(f"{HEAD}def f(x):\n    y = x\n{lines}    return y + x * y\n")
    value, tangent = gradgen.jvp(f, shapes="x=scalar")(0.9, 1.0)
    assert value == f(0.9)
    assert not differ_from_slope(tangent, along(f, {"x": 0.9}, {"x": 1.0}, "complex"), 1e-10)


@pytest.mark.parametrize(("line", "said"), [
    ("np.argmax(x)", "the result of f is int64[], which has no derivative"),
    ("(np.sum(x), len(x) * np.argmax(x))", "which has no derivative"),
    ("scipy.special.hyp1f1(x[0], 1.0, 2.0)", "hyp1f1"),
])  # fmt: skip
def test_what_has_no_tangent_is_refused_by_name(line, said):
    f = defined(f"{HEAD}import scipy.special\n\n\ndef f(x):\n    return {line}\n")
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.jvp(f)(np.array([1.0, 2.0]), np.ones(2))
    assert said in str(caught.value)


@pytest.mark.parametrize("mode", ["jvp", "vjp", "hvp", "jacobian", "hessian"])
def test_a_refusal_names_the_line_of_what_has_no_derivative(mode):
    body = "    y = np.sin(x)\n    z = special.hyp1f1(y, 1.0, 2.0)\n    return z * y\n"
    f = defined(f"{HEAD}from scipy import special\n\n\ndef f(x):\n{body}")
    with pytest.raises(gradgen.SourceError) as caught:
        getattr(gradgen, mode)(f, shapes="x=scalar")
    assert caught.value.text.strip() == "z = special.hyp1f1(y, 1.0, 2.0)"


def test_what_the_second_sweep_refuses_names_a_line_of_the_source():
    body = "    y = special.ellipk(x)\n    return y * y\n"
    f = defined(f"{HEAD}from scipy import special\n\n\ndef f(x):\n{body}")
    for mode in ("hvp", "hessian"):
        with pytest.raises(gradgen.SourceError, match="elliprd has no derivative") as caught:
            getattr(gradgen, mode)(f, shapes="x=scalar")
        assert caught.value.text.strip() in ("y = special.ellipk(x)", "return y * y")


def test_integers_to_differentiate_are_refused():
    with pytest.raises(gradgen.ActiveTypeError, match="the argument x is int64"):
        gradgen.jvp(scaled_sum)(np.array([1, 2]), np.array([1, 1]))


def scaled_sum(x):
    return np.sum(2.0 * x)


@dataclasses.dataclass
class Model:
    w: np.ndarray
    b: float
    kind: str = "linear"


class Pair(NamedTuple):
    a: float
    b: np.ndarray


def of_model(model, pair):
    return model.w * pair.a + model.b * pair.b


def test_dataclasses_and_named_tuples_have_tangents_of_their_kind():
    model, pair = Model(np.array([1.0, 2.0]), 3.0), Pair(0.5, np.array([-1.0, 4.0]))
    t_model, t_pair = Model(np.array([0.1, 0.2]), -1.0), Pair(2.0, np.array([1.0, 1.0]))
    made = gradgen.jvp(of_model, wrt=("model", "pair"))
    value, tangent = made(model, pair, t_model, t_pair)
    assert same_bits(value, of_model(model, pair))
    want = t_model.w * pair.a + model.w * t_pair.a + t_model.b * pair.b + model.b * t_pair.b
    np.testing.assert_allclose(tangent, want, rtol=1e-15)
    product = gradgen.hvp(lambda model: np.sum(model.w**2) * model.b)(model, t_model)
    assert isinstance(product, Model)
    np.testing.assert_allclose(product.w, 2 * (t_model.w * 3.0 + model.w * t_model.b))
    np.testing.assert_allclose(product.b, 2 * t_model.w @ model.w)


def test_one_of_several_results_is_chosen_and_examples_declare():
    def f(x):
        return np.sin(x), np.sum(x), len(x)

    made = gradgen.jvp(f, output=1, like=(np.ones(3),))
    assert made(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 1.0])) == (6.0, 2.0)


def test_a_method_and_an_array_without_items():
    class Scaled:
        def __init__(self, k):
            self.k = k

        def value(self, x):
            return np.sum(self.k * x**2)

    made = gradgen.jvp(Scaled(3.0).value)
    assert made(np.array([1.0, 2.0]), np.array([1.0, 1.0])) == (15.0, 18.0)
    assert made(np.zeros(0), np.zeros(0)) == (0.0, 0.0)
    assert gradgen.hvp(Scaled(2.0).value)(np.zeros(0), np.zeros(0)).shape == (0,)


# -- vjp -------------------------------------------------------------------------------------------


SEVERAL = """
def f(p, x):
    y = p["w"] * np.sin(x)
    return {"y": y, "rest": (np.sum(y * y), [p["b"] * x[:2], p["b"]])}
"""


@pytest.mark.parametrize("shapes", [None, "p.w=n, p.b=scalar, x=n"])
def test_the_adjoints_of_several_values_of_any_shape_are_the_transpose_of_their_tangents(shapes):
    f = defined(HEAD + SEVERAL.lstrip())
    rng = np.random.default_rng(13)
    arguments = {"p": {"w": rng.normal(size=4), "b": 3.0}, "x": rng.normal(size=4)}
    own_value = f(**arguments)
    seed, direction = directions(own_value, rng), directions(arguments, rng)
    value, gradients = gradgen.vjp(f, wrt=("p", "x"), shapes=shapes)(**arguments, seed=seed)
    _, tangent = gradgen.jvp(f, wrt=("p", "x"), shapes=shapes)(
        **arguments, t_p=direction["p"], t_x=direction["x"]
    )
    assert same_bits(value, own_value)
    assert not differ_from_adjoint(tangent, seed, gradients, direction)
    slopes = along(f, arguments, direction, "complex")
    assert not differ_from_slope(tangent, slopes, 1e-14)


def test_rows_of_the_jacobian_are_adjoints_and_columns_are_tangents():
    f = defined(HEAD + "def f(x):\n    return np.cumsum(np.exp(x) * x[::-1]) / np.sum(x)\n")
    x = np.array([0.3, 1.2, -0.7])
    rows = np.array([gradgen.vjp(f)(x, e)[1] for e in np.eye(3)])
    columns = np.stack([gradgen.jvp(f)(x, e)[1] for e in np.eye(3)], axis=-1)
    np.testing.assert_allclose(rows, columns, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("declared", [True, False])
def test_a_seed_of_another_shape_is_an_error_with_both_shapes(declared):
    def f(x, A):
        return A @ x

    made = gradgen.vjp(f, shapes="x=n, A=m n") if declared else gradgen.vjp(f)
    made(np.ones(3), np.ones((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match=r"f_vjp takes .* and seed \(.*seed.shape=\(3,\)"):
        made(np.ones(3), np.ones((2, 3)), np.ones(3))


def test_the_seed_gives_way_to_a_parameter_of_its_name():
    f = defined(HEAD + "def f(seed, k=2.0):\n    return k * seed**2\n")
    made = gradgen.vjp(f, shapes="seed=scalar")
    assert str(inspect.signature(made)) == "(seed, k=2.0, *, seed_1)"
    assert made(3.0, seed_1=0.5) == (18.0, 6.0)


def test_the_seed_stands_before_what_is_given_by_name_only():
    f = defined(HEAD + "def f(x, *, k):\n    return k * x**2\n")
    for made in (gradgen.vjp(f), gradgen.vjp(f, shapes="x=scalar")):
        assert made(3.0, 0.5, k=2.0) == (18.0, 6.0)


def test_adjoints_share_no_memory_with_the_seed():
    seed = np.ones(3)
    _, gradient = gradgen.vjp(lambda x: x + 1.0, shapes="x=n")(np.zeros(3), seed)
    np.testing.assert_array_equal(gradient, seed)
    assert not np.shares_memory(gradient, seed)


# -- hvp -------------------------------------------------------------------------------------------


def test_the_product_with_the_hessian_is_the_tangent_of_the_emitted_gradient():
    line = "np.sum(np.sin(x * x[::-1]) * y) + np.prod(y) * np.linalg.norm(x)"
    f = defined(f"{HEAD}def f(x, y):\n    return {line}\n")
    rng = np.random.default_rng(5)
    x, y, u, v = (rng.uniform(0.5, 1.5, 3) for _ in range(4))
    product = gradgen.hvp(f, wrt=("x", "y"))(x, y, u, v)
    slope = gradgen.grad(f, wrt=("x", "y"), shapes="x=3, y=3")
    _, tangent = gradgen.jvp(defined(slope.source, "f_grad"), wrt=("x", "y"))(x, y, u, v)
    for one, other in zip(product, tangent, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)
    central = along(lambda x, y: slope(x, y), {"x": x, "y": y}, {"x": u, "y": v}, "real")
    assert not differ_from_slope(product, central, 1e-9)


def test_a_product_with_the_hessian_is_what_scipy_takes():
    from scipy.optimize import minimize

    def rosenbrock(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    found = minimize(
        gradgen.value_and_grad(rosenbrock), np.array([-1.2, 1.0, 0.5]), jac=True,
        hessp=gradgen.hvp(rosenbrock), method="trust-ncg",
    )  # fmt: skip
    np.testing.assert_allclose(found.x, 1.0, rtol=1e-5)


def test_the_hessian_by_products_is_symmetric():
    f = defined(HEAD + "def f(x):\n    return np.sum(np.exp(x) * np.cumsum(x) / (1.0 + x @ x))\n")
    x = np.array([0.3, -0.7, 1.1, 0.2])
    product = gradgen.hvp(f)
    hessian = np.array([product(x, e) for e in np.eye(4)])
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-13, atol=1e-14)


def test_what_is_read_of_an_array_whose_length_is_a_count_is_known_in_the_second_sweep():
    body = (
        "    y = x.copy()\n    y[y > 0.4] = 0.5 * x[0]\n"
        "    s = np.sum(np.cumsum(np.clip(y, 0.1, 0.9)[y > 0.2]) ** 2)\n"
        "    return np.sum(np.where(s > 0.1, np.log(np.where(s > 0.1, s, 1.0)), 0.0))\n"
    )
    f = defined(f"{HEAD}def f(x):\n{body}")
    x, u = np.array([0.3, 0.5, 0.25, 0.8]), np.array([1.0, -0.5, 2.0, 1.0])
    central = along(gradgen.grad(f), {"x": x}, {"x": u}, "real")
    assert not differ_from_slope(gradgen.hvp(f)(x, u), central, 1e-9)


def test_the_product_of_a_function_that_is_linear_is_zero():
    def f(x, c):
        return np.sum(c * x)

    product = gradgen.hvp(f)(np.ones(3), np.ones(3), np.ones(3))
    assert same_bits(product, np.zeros(3))
