"""The symbolic oracle: what it proves and compares, and the errors that are planted in a graph.

The exact evaluation is tested against NumPy and SciPy, which compute in floats.
"""

import dataclasses
import functools
import itertools

import golden
import numpy as np
import pytest
import scipy.linalg
import scipy.special
import sympy

from gradgen.derive import copied
from gradgen.graph import GraphBuilder, leaves, map_tree
from gradgen.ops import OPS
from gradgen.oracles.exact import Unsupported, evaluate
from gradgen.oracles.formulas import FORMULAS, apply, formula, walk
from gradgen.oracles.report import EFFORTS
from gradgen.oracles.scalars import NUMERIC, Expressions, Numbers
from gradgen.oracles.subject import from_file
from gradgen.oracles.symbolic import _expanded, _terms, symbolic

QUICK = EFFORTS["quick"]
NORMAL = EFFORTS["normal"]


@functools.cache
def subject_of_case(name, folder):
    case = golden.load(name)
    path = folder / f"{name}.py"
    path.write_text(case.source, "utf-8")
    return from_file(f"{path}:{case.function}", case.wrt(), case.options.get("shapes"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cases")


@pytest.fixture
def subject_of(tmp_path):
    """The subject of `f`, whose body is one expression or several lines."""
    numbers = itertools.count()

    def made(text, parameters, shapes=None, wrt=None):
        body = "\n    ".join(text.splitlines())
        path = tmp_path / f"source{next(numbers)}.py"
        path.write_text(
            "import math\nimport numpy as np\nimport scipy.linalg\nimport scipy.special\n\n\n"
            f"def f({parameters}):\n    {body}\n",
            "utf-8",
        )
        names = [p.strip() for p in parameters.split(",")]
        return from_file(f"{path}:f", wrt or names, shapes)

    return made


def verdicts(findings):
    return {f.subject: f.verdict for f in findings}


# -- what is found of right derivatives ------------------------------------------------------------


@pytest.mark.parametrize("name", golden.names())
def test_every_derivative_of_a_golden_case_is_proved_or_agrees(name, folder):
    found = verdicts(symbolic(subject_of_case(name, folder), QUICK))
    assert found
    assert set(found.values()) <= {"proved", "agrees"}, found


@pytest.mark.parametrize("name", ["booth", "broadcast_affine", "quadratic_form", "huber_where"])
def test_short_polynomials_and_their_pieces_are_proved(name, folder):
    found = verdicts(symbolic(subject_of_case(name, folder), NORMAL))
    assert set(found.values()) == {"proved"}


def test_powers_with_a_variable_exponent_are_proved(subject_of):
    subject = subject_of("return x**2 + (x - y)**a - np.log(x**2 + y**2)", "x, y, a")
    found = verdicts(symbolic(subject, NORMAL))
    assert found == {"d/dx": "proved", "d/dy": "proved", "d/da": "proved"}


def test_each_entry_has_a_finding_under_its_name(subject_of):
    subject = subject_of("return np.sum(W * W) * s", "W, s", "W=2 3, s=scalar")
    names = [f.subject for f in symbolic(subject, NORMAL)]
    assert names == [*(f"d/dW[{i}, {j}]" for i in range(2) for j in range(3)), "d/ds"]


def test_beyond_the_limit_of_operations_partials_are_compared(subject_of):
    subject = subject_of("return math.exp(math.sin(x) * y) / (1.0 + x * x)", "x, y")
    long = dataclasses.replace(NORMAL, symbolic=200)
    none = dataclasses.replace(NORMAL, symbolic=0)
    assert verdicts(symbolic(subject, long)) == {"d/dx": "proved", "d/dy": "proved"}
    found = list(symbolic(subject, none))
    assert {f.verdict for f in found} == {"agrees"}
    assert all("50 digits" in f.detail and f.count == none.points for f in found)
    assert all(f.worst < 1e-30 for f in found)


def test_on_a_kinked_function_every_branch_met_is_proved(subject_of):
    subject = subject_of("return abs(x) * max(x, y)", "x, y")
    found = list(symbolic(subject, NORMAL))
    assert {f.verdict for f in found} == {"proved"}
    assert all("branches met" in f.detail and f.count > 1 for f in found)


def test_entries_beyond_the_effort_are_compared_along_a_direction(subject_of):
    subject = subject_of("return np.sum(np.sin(x)) + np.sum(y * y)", "x, y", "x=40, y=2")
    found = list(symbolic(subject, QUICK))
    assert [f.subject for f in found if "more entries" in f.subject] == [
        "d/dx, 32 more entries along a direction"
    ]
    assert {f.verdict for f in found} <= {"proved", "agrees"}


def test_an_operation_without_exact_evaluation_is_named(subject_of):
    subject = subject_of("return scipy.special.gammaincinv(2.0, x)", "x", "x=scalar")
    (found,) = symbolic(subject, QUICK)
    assert (found.verdict, found.subject) == ("unchecked", "d/dx")
    assert found.detail == "gammaincinv is not evaluated exactly"


def test_after_the_time_is_over_the_rest_is_unchecked(subject_of):
    subject = subject_of("return x * y", "x, y")
    calls = itertools.count()
    effort = dataclasses.replace(NORMAL, expired=lambda: next(calls) > 0)
    assert verdicts(symbolic(subject, effort)) == {"d/dx": "proved", "d/dy": "unchecked"}


def test_constants_that_were_folded_in_floats_agree_within_their_rounding(subject_of):
    subject = subject_of("return 0.1 * (0.7 * x) * (x / 3.0)", "x")
    (found,) = symbolic(subject, NORMAL)
    assert found.verdict in ("proved", "agrees")
    if found.verdict == "agrees":
        assert found.worst < 1e-15


def test_findings_are_the_same_when_asked_again(subject_of):
    subject = subject_of("return np.sum(np.tanh(x) * np.where(x > 0, x, y))", "x, y", "x=3, y=3")
    assert list(map(repr, symbolic(subject, QUICK))) == list(map(repr, symbolic(subject, QUICK)))


# -- planted errors --------------------------------------------------------------------------------


def rebuilt(subject, change):
    """The subject with another derived graph; `change(builder, gradients)` gives the gradients."""
    graph = copied(subject.derived)
    builder = GraphBuilder(graph)
    value, gradients = graph.results
    graph.results = (value, change(builder, gradients))
    return dataclasses.replace(subject, derived=graph)


def scaled(number):
    def change(b, gradients):
        return map_tree(lambda node: b.add("mul", b.const(number), node), gradients)

    return change


def one_entry(b, gradients):
    """Something is added to the last entry of each gradient."""

    def moved(node):
        t = b.type_of(node)
        if not t.shape:
            return b.add("add", node, b.const(0.25))
        place = tuple(("i", n - 1) for n in t.shape)
        return b.add("index_add", node, b.const(0.25), attr=place)

    return map_tree(moved, gradients)


PLANTED = {
    "five times too large": scaled(5.0),
    "of the other sign": scaled(-1.0),
    "off by a ten-millionth": scaled(1.0 + 1e-7),
    "off by 1e-13": scaled(1.0 + 1e-13),
    "zero": scaled(0.0),
    "NaN": scaled(float("nan")),
    "off in one entry": one_entry,
}


# Two of the planted errors for each golden case; the others are tried with the slow tests.
TRIED = [
    pytest.param(
        name, change, id=f"{name}-{what}", marks=() if (case - error) % 7 < 2 else pytest.mark.slow
    )
    for case, name in enumerate(golden.names())
    for error, (what, change) in enumerate(PLANTED.items())
]


@pytest.mark.parametrize(("name", "change"), TRIED)
def test_a_planted_error_is_caught_in_every_golden_case(name, change, folder):
    subject = subject_of_case(name, folder)
    # several points: where a gradient is zero, it stays so however it is scaled
    effort = dataclasses.replace(QUICK, points=5, samples=1)
    wrong = [f for f in symbolic(rebuilt(subject, change), effort) if f.verdict == "differs"]
    assert wrong
    assert all(f.worst > 0 and f.at for f in wrong)


def swapped(graph, node, op):
    """The graph with another operation at a node."""
    changed = copied(graph)
    changed.ops[node] = op
    return changed


MUTANTS = {"add": "sub", "sub": "add", "mul": "add", "div": "mul", "sin": "cos", "cos": "sin"}


def mutants(subject):
    """The derived graph with one operation exchanged that only the adjoints read."""
    derived = subject.derived
    value, gradients = derived.results
    forward, backward = set(), set()
    for seen, start in ((forward, [value]), (backward, [])):
        stack = list(start) or [n for tree in gradients for n in leaves(tree)]
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack += derived.args[node]
    for node in sorted(backward - forward):
        op = MUTANTS.get(derived.ops[node])
        if op is not None and derived.types[node].is_float:
            yield node, dataclasses.replace(subject, derived=swapped(derived, node, op))


@pytest.mark.parametrize("name", [
    "booth", "rosenbrock", "lecture_straight_line_steps", "least_squares", "lecture_net_vector",
    "polar_coordinates", "two_link_arm", "gaussian_log_likelihood", "softmax_cross_entropy",
])  # fmt: skip
def test_an_exchanged_operation_in_the_adjoints_is_caught(name, folder):
    subject = subject_of_case(name, folder)
    effort = dataclasses.replace(QUICK, points=1)
    tried = list(mutants(subject))
    assert tried
    for node, mutant in tried:
        found = [f.verdict for f in symbolic(mutant, effort)]
        assert "differs" in found, f"node {node}: {subject.derived.ops[node]}"


def test_a_transposed_gradient_is_caught(subject_of):
    subject = subject_of("return np.sum((W @ x) ** 2)", "W, x", "W=3 3, x=3")

    def change(b, gradients):
        return (b.add("transpose", gradients[0]), gradients[1])

    found = verdicts(symbolic(rebuilt(subject, change), QUICK))
    assert {k for k, v in found.items() if v == "differs"} == {
        f"d/dW[{i}, {j}]" for i in range(3) for j in range(3) if i != j
    }


def test_a_sum_over_a_broadcast_axis_that_is_left_out_is_caught(subject_of):
    subject = subject_of("return np.sum(np.sin(x + b))", "x, b", "x=2 3, b=3")

    def change(b, gradients):
        return (gradients[0], b.add("index", gradients[0], attr=(("i", 0),)))

    found = verdicts(symbolic(rebuilt(subject, change), QUICK))
    assert {k for k, v in found.items() if v == "differs"} == {f"d/db[{k}]" for k in range(3)}


# -- the evaluation: values against NumPy and SciPy ------------------------------------------------


def value_by_mpmath(subject, values, digits=40):
    numbers = Numbers(digits)
    inputs = {}
    for leaf in subject.leaves:
        array = np.asarray(values[leaf.name])
        if leaf.type.is_float:
            held = np.empty(array.shape, object)
            for index in np.ndindex(array.shape):
                held[index] = numbers.number(float(array[index]))
            array = held
        inputs[leaf.name, leaf.path] = array
    (value,) = evaluate(subject.graph, [subject.value], inputs, numbers)
    return float(value[()])


X = np.array([[0.75, -0.5, 1.25], [0.3125, 0.625, -1.5]])
A = np.array([[2.5, 0.5, -0.25], [0.125, 3.0, 0.5], [-0.5, 0.25, 1.75]])
ARRAYS = [
    "np.sum(x * np.arange(3.0)) + np.mean(x, axis=0) @ np.prod(x, axis=0)",
    "np.max(x) - np.min(x, axis=1) @ np.array([1.0, 2.0]) + np.ptp(x)",
    "np.sum(np.cumsum(x, axis=1) * np.cumprod(x, axis=0)) + np.sum(np.diff(x) ** 2)",
    "np.sum(np.reshape(x, (3, 2)) @ x) + np.sum(x.T[1] * x[:, 0])",
    "np.sum(np.concatenate([x, x[:1]]) * np.stack([x[0], x[1], x[0]]))",
    "np.sum(np.roll(x, 1, axis=1) * np.flip(x)) + np.sum(np.tile(x, 2)[:, ::2])",
    "np.sum(np.sort(x, axis=1) * np.array([1.0, 2.0, 4.0])) + x[0, np.argmax(x[0])]",
    "np.median(x) + np.quantile(x, 0.3) + np.var(x) + np.std(x, ddof=1)",
    "np.sum(np.where(x > 0, np.sqrt(np.abs(x)), x)) + np.sum(np.clip(x, -1.0, 0.5))",
    "np.sum(np.einsum('ij,kj->ik', x, x)) + np.tensordot(x, x) + np.sum(np.outer(x[0], x[1]))",
    "np.sum(x[[0, 0, 1], [2, 1, 0]] ** 2) + np.sum(x[x > 0])",
    "np.linalg.norm(x) + np.sum(np.linalg.norm(x, axis=0)) + np.linalg.norm(x[0], 3)",
    "scipy.special.logsumexp(x) + np.sum(scipy.special.softmax(x, axis=1)[:, 0])",
    "np.sum(np.linspace(x[0, 0], x[0, 1], 4)) + np.sum(np.interp(x[0], [-2.0, 0.0, 2.0], x[1]))",
    "np.sum(np.pad(x, 1, mode='edge')) + np.trapezoid(x[0], x[1])",
    "np.sum(np.maximum.accumulate(x, axis=1)) + np.sum(np.tril(x @ x.T)) + np.trace(x @ x.T)",
    "np.sum(np.repeat(x, 2, axis=0)[1:, :] * np.pi) + np.cov(x)[0, 1] + np.sum(np.round(x))",
    "np.sum(np.fmod(x, 0.3) + x % 0.4 + x // 0.3 + np.sign(x) + np.rint(x))",
    "np.sum(np.cross(x[0], x[1])) + np.polyval(x[0], 0.5) + np.sum(np.vander(x[0]))",
    "np.sum(np.convolve(x[0], x[1]) ** 2)",
    "np.sum(np.logaddexp(x, 0.5) + np.hypot(x, 1.0) + np.arctan2(x, 2.0) + np.cbrt(x))",
]  # fmt: skip
MATRICES = [
    "np.sum(np.linalg.inv(a) * a) + np.linalg.det(a) + np.linalg.slogdet(a)[1]",
    "np.sum(np.linalg.solve(a, a[0])) + np.sum(np.linalg.solve(a, a.T))",
    "np.sum(np.linalg.cholesky(a @ a.T)) + np.sum(np.linalg.eigvalsh(a + a.T) ** 3)",
    "np.sum(np.linalg.eigh(a @ a.T).eigenvectors ** 2 @ a) + np.sum(np.linalg.svdvals(a))",
    "np.sum(np.linalg.qr(a)[1] ** 2) + np.sum(np.linalg.pinv(a[:, :2]))",
    "np.sum(scipy.linalg.expm(a)) + np.sum(scipy.linalg.solve_triangular(a, a[0], lower=True))",
    "np.sum(np.linalg.matrix_power(a, 3)) + np.linalg.norm(a, 'nuc') + np.sum(np.kron(a, a))",
    "np.sum(np.linalg.lstsq(a[:, :2], a[:, 2])[0]) + np.linalg.det(np.kron(a, np.eye(2)))",
]  # fmt: skip


@pytest.mark.parametrize("text", ARRAYS)
def test_the_exact_value_of_array_operations_is_numpys(text, subject_of):
    subject = subject_of(f"return {text}", "x", "x=2 3")
    assert value_by_mpmath(subject, {"x": X}) == pytest.approx(subject.function(X), rel=1e-12)


@pytest.mark.parametrize("text", MATRICES)
def test_the_exact_value_of_matrix_functions_is_that_of_lapack(text, subject_of):
    subject = subject_of(f"return {text}", "a", "a=3 3")
    assert value_by_mpmath(subject, {"a": A}) == pytest.approx(subject.function(A), rel=1e-11)


@pytest.mark.parametrize("text", [*ARRAYS, *MATRICES])
def test_the_derivatives_of_array_operations_are_proved_or_agree(text, subject_of):
    name, shape = ("a", "3 3") if text in MATRICES else ("x", "2 3")
    subject = subject_of(f"return {text}", name, f"{name}={shape}")
    found = list(symbolic(subject, dataclasses.replace(QUICK, points=1, samples=2)))
    assert {f.verdict for f in found} <= {"proved", "agrees"}, found


SPECIAL = sorted(
    name for name in {*FORMULAS, *NUMERIC} if OPS[name].call.startswith("scipy.special.")
)
INTEGER_ORDER = ("jn", "yn", "kn", "expn")


@pytest.mark.parametrize("name", SPECIAL)
def test_a_special_function_has_scipys_value(name):
    numbers = Numbers(30)
    function = getattr(scipy.special, OPS[name].call.rpartition(".")[2])
    count = OPS[name].arity
    for operands in ((0.375, 0.625, 0.25), (0.8125, 0.5, 0.75)):
        values = list(operands[:count])
        if name in INTEGER_ORDER:
            values[0] = 2
        if name in ("zeta", "riemann_zeta", "wrightomega"):
            values = [v + 1.5 for v in values]
        have = apply(name, numbers, [numbers.number(v) for v in values])
        assert float(have) == pytest.approx(float(function(*values)), rel=2e-9), values


def test_an_unknown_row_is_unsupported_by_name():
    numbers = Numbers(30)
    with pytest.raises(Unsupported, match="gammaincinv"):
        apply("gammaincinv", numbers, [numbers.number(0.5)] * 2)


def test_the_text_of_every_row_is_read_as_sympy_means_it():
    x, y, z = sympy.symbols("x y z", real=True)
    assert formula("log1p") == sympy.log(1 + x)
    assert sympy.simplify(formula("fmod").doit() - (x - y * sympy.sign(x / y) * sympy.floor(
        sympy.Abs(x / y)))) == 0  # fmt: skip
    assert formula("clip") == sympy.Min(sympy.Max(x, y, evaluate=False), z, evaluate=False)


# -- conventions at kinks --------------------------------------------------------------------------


def slope(name, values, position, active):
    """SymPy's derivative of a row at a point, on the branch that is taken there."""
    symbols = sympy.symbols("v0:3", real=True)
    home = Expressions(Numbers(30), 1000, frozenset(symbols[k] for k in active))
    terms = [
        home.symbol(symbols[k], v) if k in active else home.number(v) for k, v in enumerate(values)
    ]
    found = apply(name, home, terms)
    derivative = sympy.diff(found.expr, symbols[position])
    return float(derivative.subs(dict(zip(symbols, values, strict=False))))


@pytest.mark.parametrize(("name", "values", "position", "active", "expected"), [
    ("abs", (0.0,), 0, (0,), 0.0),
    ("abs", (-2.0,), 0, (0,), -1.0),
    ("maximum", (1.0, 1.0), 0, (0, 1), 0.5),
    ("maximum", (0.0, 0.0), 0, (0,), 0.0),
    ("maximum", (2.0, 1.0), 0, (0, 1), 1.0),
    ("minimum", (1.0, 1.0), 1, (0, 1), 0.5),
    ("clip", (1.0, 0.0, 1.0), 0, (0,), 1.0),
    ("clip", (1.5, 0.0, 1.0), 0, (0,), 0.0),
    ("hypot", (0.0, 0.0), 0, (0, 1), 0.0),
    ("sinc", (0.0,), 0, (0,), 0.0),
    ("sign", (0.0,), 0, (0,), 0.0),
    ("floor", (1.5,), 0, (0,), 0.0),
    ("huber", (1.0, 3.0), 1, (0, 1), 1.0),
])  # fmt: skip
def test_at_a_kink_the_branch_follows_the_table_of_conventions(
    name, values, position, active, expected
):
    assert slope(name, values, position, active) == expected


def test_a_walk_over_an_expression_gives_its_number():
    x = sympy.Symbol("x", real=True)
    numbers = Numbers(40)
    found = walk(sympy.exp(x) * sympy.sin(x) ** 2, numbers, {x: numbers.number(0.5)})
    assert abs(found - (sympy.exp(0.5) * sympy.sin(0.5) ** 2)) < 1e-14


def test_what_would_have_too_many_terms_is_not_multiplied_out():
    a, b, c, d = sympy.symbols("a:d", real=True)
    small = [
        ((a + b) ** 3 * (c + d) + a, 9),
        (a * (b - c) ** 2 / d**3 + sympy.sin((a + b) ** 2), 4),
    ]
    for expression, terms in small:
        multiplied = sympy.expand(expression)
        assert _expanded(expression) == multiplied != expression
        assert len(sympy.Add.make_args(multiplied)) == _terms(expression) == terms
    many = (a + b + c + d) ** 60
    for whole in (many, (a**2 + b + c) ** 9 * (a + b + 1) ** 9 * (c + 1) ** 5, sympy.exp(many)):
        assert _expanded(whole) is whole
