"""Accurate rewrites: each is the same function, is more accurate, is listed, and is read again."""

import inspect
import math

import mpmath
import numpy as np
import pytest
from click.testing import CliRunner
from corpus.table import ROWS
from golden import run
from test_corpus import FOLDER, leaves, shapes_of

import gradgen
from gradgen.api import emit_path
from gradgen.cli import cli
from gradgen.graph import verify
from gradgen.oracles.accuracy import ulps
from gradgen.program import Options
from gradgen.read import parse_shapes, read_file
from gradgen.stabilize import stabilize
from gradgen.targets import TARGETS

EXACT = mpmath.MPContext()
EXACT.dps = 400
IMPORTS = "import math\nimport numpy as np\n\n\n"
# For each expression of numbers: what it becomes, the exact function, and arguments at which the
# expression as it stands loses digits or overflows.
NUMBERS = {
    "np.log(1 + x)": ("np.log1p(x)", lambda x, y: EXACT.log(1 + x), (1e-10, -1e-15, 3e-200)),
    "np.log(x + 1.0)": ("np.log1p(x)", lambda x, y: EXACT.log(1 + x), (1e-10, 1e-300)),
    "np.log(1 - x)": ("np.log1p(-x)", lambda x, y: EXACT.log(1 - x), (1e-10, -1e-18)),
    "np.log(1.0 - -x)": ("np.log1p(x)", lambda x, y: EXACT.log(1 + x), (1e-10,)),
    "math.log(1 + x)": ("math.log1p(x)", lambda x, y: EXACT.log(1 + x), (1e-10,)),
    "np.exp(x) - 1": ("np.expm1(x)", lambda x, y: EXACT.exp(x) - 1, (1e-10, -1e-20)),
    "np.exp(x) + -1.0": ("np.expm1(x)", lambda x, y: EXACT.exp(x) - 1, (1e-10,)),
    "1 - np.exp(-x)": ("-np.expm1(-x)", lambda x, y: 1 - EXACT.exp(-x), (1e-10, -1e-20)),
    "math.exp(x) - 1.0": ("math.expm1(x)", lambda x, y: EXACT.exp(x) - 1, (1e-10,)),
    "np.log(np.exp(x) + np.exp(y))": (
        "np.logaddexp(x, y)", lambda x, y: EXACT.log(EXACT.exp(x) + EXACT.exp(y)), (800.0, -800.0)),
    "np.log(1 + np.exp(x))": (
        "np.logaddexp(0.0, x)", lambda x, y: EXACT.log(1 + EXACT.exp(x)), (-40.0, 800.0)),
    "np.log1p(np.exp(x))": (
        "np.logaddexp(0.0, x)", lambda x, y: EXACT.log(1 + EXACT.exp(x)), (800.0,)),
    "math.log(math.exp(-x) + 1)": (
        "np.logaddexp(0.0, -x)", lambda x, y: EXACT.log(1 + EXACT.exp(-x)), (40.0, -800.0)),
    "np.log(1 + np.exp(-abs(x)))": (
        "np.log1p(np.exp(-abs(x)))", lambda x, y: EXACT.log(1 + EXACT.exp(-abs(x))), (40.0,)),
    "np.sqrt(x**2 + y**2)": (
        "np.hypot(x, y)", lambda x, y: EXACT.sqrt(x**2 + y**2), (1e200, -3e-250)),
    "math.sqrt(x*x + y*y)": (
        "math.hypot(x, y)", lambda x, y: EXACT.sqrt(x**2 + y**2), (1e200, 3e-250)),
    "(x*x + y**2) ** 0.5": (
        "math.hypot(x, y)", lambda x, y: EXACT.sqrt(x**2 + y**2), (1e160, 3e-250)),
    "np.sqrt(np.square(x) + y**2.0)": (
        "np.hypot(x, y)", lambda x, y: EXACT.sqrt(x**2 + y**2), (1e200,)),
}  # fmt: skip
UNCHANGED = (
    "np.log(2 + x)", "np.log(1 + 2 + x)", "np.log(x)", "np.log2(1 + x)", "np.log(1 + n)",
    "np.exp(x) - 2", "2 - np.exp(x)", "np.exp(x) + 1", "np.exp(1.0) - 1 + x",
    "np.log(1 + 1e-9) * x",
    "np.log(np.exp(x) + y)", "np.log1p(x)", "np.log1p(np.exp(-(x * x)))", "np.sqrt(x**2 + y)",
    "np.sqrt(x**2 + 1)", "np.sqrt(x**2 + n**2)", "np.sqrt(x**2 - y**2)", "np.sqrt(x**3 + y**3)",
    "(x**2 + y**2) ** 1.5", "np.logaddexp(0, x)", "np.log1p(np.exp(np.minimum(x, 0.0)))",
)  # fmt: skip


def written(tmp_path, expression, shapes="", name="f", arguments="x, y"):
    (tmp_path / "pyproject.toml").touch()
    path = tmp_path / f"{name}.py"
    path.write_text(f"{IMPORTS}def {name}({arguments}):\n    return {expression}\n", "utf-8")
    return path


def rewrites(path, shapes=None, name="f", target="numpy"):
    graph = read_file(path, name, parse_shapes(shapes), path)
    made = stabilize(graph, TARGETS[target])
    verify(made.graph)
    return [(r.line, r.before, r.after) for r in made.rewrites]


def compiled(text, name):
    return run(text, "emitted")[name]


def errors(function, exact, x, y):
    """The errors of value and gradient with respect to x, in units in the last place."""
    try:
        with np.errstate(all="ignore"):
            value, d_x = function(x, y)
    except (OverflowError, ValueError, ZeroDivisionError):
        return math.inf, math.inf
    at = EXACT.mpf(y)
    slope = EXACT.diff(
        lambda t: exact(t, at), EXACT.mpf(x), h=abs(EXACT.mpf(x)) * EXACT.mpf(10) ** -60
    )
    return (ulps(float(value), exact(EXACT.mpf(x), at), "float", EXACT),
            ulps(float(d_x), slope, "float", EXACT))  # fmt: skip


# -- each rewrite ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["numpy", "python"])
@pytest.mark.parametrize("expression", NUMBERS)
def test_a_rewrite_is_the_same_function_with_digits_that_it_had_lost(expression, target, tmp_path):
    _, exact, points = NUMBERS[expression]
    path = written(tmp_path, expression)
    before, after = (
        compiled(emit_path(f"{path}:f", "x", target, stabilize=on), "f_value_and_grad")
        for on in (False, True)
    )
    for x in points:
        y = x * 0.75
        lost, left = errors(before, exact, x, y), errors(after, exact, x, y)
        assert max(lost) > 1000.0
        assert left[0] < 4.0
        # exp(x - out) has the rounding of a difference as large as x
        assert left[1] < 4.0 + abs(x) if "logaddexp" in NUMBERS[expression][0] else left[1] < 4.0


@pytest.mark.parametrize("expression", NUMBERS)
def test_what_is_written_and_what_it_becomes_is_recorded(expression, tmp_path):
    ((line, _, after),) = rewrites(written(tmp_path, expression))
    assert (line, after) == (6, NUMBERS[expression][0])


def test_a_record_shows_the_source(tmp_path):
    source = "np.log(1 + np.exp(-x)) + np.sqrt(x**2 + y * y) + (1.0 - np.exp(x - y))"
    assert rewrites(written(tmp_path, source)) == [
        (6, "np.log(1 + np.exp(-x))", "np.logaddexp(0.0, -x)"),
        (6, "np.sqrt(x**2 + y * y)", "np.hypot(x, y)"),
        (6, "1.0 - np.exp(x - y)", "-np.expm1(x - y)"),
    ]


@pytest.mark.parametrize("expression", UNCHANGED)
def test_what_loses_nothing_or_is_something_else_stays(expression, tmp_path):
    path = written(tmp_path, expression, arguments="x, y, n: int = 3")
    assert rewrites(path) == []
    assert emit_path(f"{path}:f", stabilize=True).count("Stabilized") == 0


def test_integers_lose_no_digits(tmp_path):
    path = written(tmp_path, "np.sum(x * np.log(1 + k) + np.sqrt(k**2 + k**2))", arguments="x, k")
    assert rewrites(path, "x=n, k=n:int64") == []


# -- arrays ----------------------------------------------------------------------------------------

SUMS = {
    "np.sum(np.log(np.sum(np.exp(x), axis=1)))": ("np.logaddexp.reduce(x, axis=1)", 1, False),
    "np.sum(np.log(np.exp(x).sum(axis=0)))": ("np.logaddexp.reduce(x, axis=0)", 0, False),
    "np.sum(np.log(np.sum(np.exp(x), axis=-1, keepdims=True)))": (
        "np.logaddexp.reduce(x, axis=1, keepdims=True)", 1, True),
    "np.log(np.sum(np.exp(x)))": ("np.logaddexp.reduce(x, axis=None)", None, False),
    "np.log(np.sum(np.exp(x), axis=(0, 1)))": ("np.logaddexp.reduce(x, axis=(0, 1))", None, False),
}  # fmt: skip


@pytest.mark.parametrize("expression", SUMS)
def test_a_log_of_a_sum_of_exponentials_neither_overflows_nor_underflows(expression, tmp_path):
    after, axis, _ = SUMS[expression]
    path = written(tmp_path, expression, arguments="x")
    ((_, _, found),) = rewrites(path, "x=n d")
    assert found == after
    text = emit_path(f"{path}:f", shapes="x=n d", stabilize=True)
    function = compiled(text, "f_value_and_grad")
    random = np.random.default_rng(5)
    for shift in (0.0, 900.0, -900.0):
        x = random.normal(size=(3, 4)) + shift
        value, d_x = function(x)
        exact = np.vectorize(EXACT.mpf, otypes=[object])(x)
        powers = np.vectorize(EXACT.exp, otypes=[object])(exact)
        sums = powers.sum(axis=axis, keepdims=True)
        total = sum(EXACT.log(s) for s in np.ravel(sums))
        assert abs(value - float(total)) <= 1e-14 * abs(float(total))
        shares = (powers / sums).astype(float)
        np.testing.assert_allclose(d_x, shares, rtol=1e-15 * (10 + abs(shift)))


def test_a_vector_needs_no_axis_and_the_gradient_is_the_softmax(tmp_path):
    path = written(tmp_path, "np.log(np.sum(np.exp(x)))", arguments="x")
    text = emit_path(f"{path}:f", shapes="x=n", stabilize=True)
    assert text.partition('not x.shape={x.shape}"\n        )\n')[2] == (
        "    value = np.logaddexp.reduce(x)\n\n"
        "    d_x = np.exp(x - np.where(value == -np.inf, 0.0, value))\n"
        "    return value, d_x\n"
    )


@pytest.mark.parametrize("shifted", [
    "np.max(x) + np.log(np.sum(np.exp(x - np.max(x))))",
    "np.sum(np.log(np.sum(np.exp(x - x.max(axis=0, keepdims=True)), axis=0)))",
])  # fmt: skip
def test_who_shifts_by_the_maximum_has_a_log_sum_exp_already(shifted, tmp_path):
    assert rewrites(written(tmp_path, shifted, arguments="x"), "x=n") == []


@pytest.mark.parametrize("expression", [
    "np.sum(np.log(np.sum(np.exp(x), axis=1, dtype=np.float32)))",
    "np.log(np.sum(np.exp(x) * 2.0))", "np.log(np.mean(np.exp(x)))",
])  # fmt: skip
def test_other_sums_stay(expression, tmp_path):
    assert rewrites(written(tmp_path, expression, arguments="x"), "x=n d") == []


@pytest.mark.parametrize("expression", [
    "np.sum(np.log(1 + x))", "np.sum(np.exp(x) - 1)", "np.sum(np.log(1 + np.exp(x)))",
    "np.sum(np.sqrt(x**2 + x[::-1]**2))", "np.log(np.sum(np.exp(x)))",
])  # fmt: skip
def test_single_precision_stays_single(expression, tmp_path):
    path = written(tmp_path, expression, arguments="x")
    assert len(rewrites(path, "x=n:float32")) == 1
    x = np.array([0.5, 1e-6, 2.0, 3e-7], np.float32)
    plain, made = (
        compiled(emit_path(f"{path}:f", shapes="x=n:float32", stabilize=on), "f_value_and_grad")(x)
        for on in (False, True)
    )
    assert (made[0].dtype, made[1].dtype) == (np.float32, np.float32)
    wide = compiled(emit_path(f"{path}:f", shapes="x=n"), "f_value_and_grad")(x.astype(float))
    np.testing.assert_allclose(made[0], wide[0], rtol=4e-7)
    np.testing.assert_allclose(made[1], wide[1], rtol=1e-6)
    assert plain[0].dtype == made[0].dtype


# Functions of the literature in which there is something to rewrite, and in how many places.
LITERATURE = {
    "losses:vae_elbo": 1, "likelihoods:zero_inflated_poisson": 1, "likelihoods:dirichlet": 1,
    "likelihoods:gev": 1, "likelihoods:bradley_terry": 1, "regressions:misra1a": 1,
    "regressions:boxbod": 1, "energies:morse_chain": 1, "energies:bead_spring": 1,
    "chemistry:logistic_growth": 1, "chemistry:gompertz": 1, "chemistry:hodgkin_huxley_gates": 2,
    "series:dct_sparsity": 1, "networks:policy_gradient": 1, "finance:nelson_siegel": 1,
    "finance:svensson_prices": 2, "finance:vasicek_bond": 1, "finance:heston_qe_variance": 1,
}  # fmt: skip


@pytest.mark.parametrize("where", LITERATURE)
def test_functions_of_the_literature_keep_their_value_and_their_gradient(where):
    row = next(row for row in ROWS if row.where == where)
    location, shapes = f"{FOLDER / row.module}.py:{row.name}", shapes_of(row.arguments())
    texts = [emit_path(location, row.wrt, shapes=shapes, stabilize=on) for on in (False, True)]
    assert [text.count("# Stabilized: ") for text in texts] == [0, LITERATURE[where]]
    (value, gradients), (again, others) = (
        compiled(text, f"{row.name}_value_and_grad")(**row.arguments()) for text in texts
    )
    assert again == pytest.approx(value, rel=1e-13)
    for gradient, other in zip(gradients, others, strict=True):
        for (_, leaf), (_, moved) in zip(leaves(gradient), leaves(other), strict=True):
            np.testing.assert_allclose(moved, leaf, rtol=1e-12, atol=1e-14 * np.max(np.abs(leaf)))


# -- names -----------------------------------------------------------------------------------------

SHARED = """\
import numpy as np


def f(x):
    z = np.exp(x)
    total = 1 + z
    return np.log(total) * z


def g(x):
    z = np.exp(x)
    total = 1 + z
    soft = np.log(total)
    return soft * x
"""


def test_a_name_that_is_read_elsewhere_stays_and_one_that_is_not_goes(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(SHARED, "utf-8")
    text = emit_path(f"{path}:f", stabilize=True)
    assert "    z = np.exp(x)\n" in text and "total" not in text.partition('"""\n')[2]
    text = emit_path(f"{path}:g", stabilize=True)
    assert "    soft = np.logaddexp(0.0, x)\n" in text
    assert "# Stabilized: line 13: np.log(total) became np.logaddexp(0.0, x).\n" in text
    assert " z " not in text and " total " not in text.partition("import")[2]


def test_a_shared_exponential_is_computed_beside_its_rewrite(tmp_path):
    # exp(x) - 1 loses its digits near 0 whoever else reads exp(x)
    path = written(tmp_path, "(np.exp(x) - 1) / np.exp(x)")
    text = emit_path(f"{path}:f", stabilize=True)
    assert "np.expm1(x)" in text and "np.exp(x)" in text
    value, d_x = compiled(text, "f_value_and_grad")(1e-10, 0.0)
    assert value == pytest.approx(-math.expm1(-1e-10), rel=1e-15)
    assert d_x == pytest.approx(math.exp(-1e-10), rel=1e-15)


def test_what_only_a_rewritten_expression_needed_is_not_listed(tmp_path):
    # 1 - exp(x) would be rewritten itself, and is no longer there
    assert rewrites(written(tmp_path, "np.log(1 - np.exp(x))")) == [
        (6, "np.log(1 - np.exp(x))", "np.log1p(-np.exp(x))")
    ]


def test_one_rewrite_is_applied_inside_another(tmp_path):
    path = written(tmp_path, "np.log(1 + (np.exp(x) - 1) * y)")
    assert [after for _, _, after in rewrites(path)] == ["np.expm1(x)", "np.log1p(np.expm1(x) * y)"]


def test_only_one_of_several_may_be_asked_for(tmp_path):
    path = written(tmp_path, "np.log(1 + x) * (np.exp(y) - 1)")
    graph = read_file(path, "f", {}, path)
    for number, after in enumerate(("np.log1p(x)", "np.expm1(y)")):
        made = stabilize(graph, TARGETS["numpy"], number)
        assert [r.after for r in made.rewrites] == [after]


def test_a_derivative_of_expm1_keeps_its_digits_far_below_zero():
    # exp(x) as expm1(x) + 1 is 0 there
    function = gradgen.grad(lambda x: np.expm1(x), shapes="x=scalar")
    for x in (-40.0, -300.0):
        assert function(x) == pytest.approx(math.exp(x), rel=1e-15)


# -- conventions -----------------------------------------------------------------------------------


def test_the_distance_from_the_origin_has_slope_0_at_the_origin(tmp_path):
    path = written(tmp_path, "np.sqrt(x**2 + y**2)")
    plain, made = (
        compiled(emit_path(f"{path}:f", ("x", "y"), stabilize=on), "f_value_and_grad")
        for on in (False, True)
    )
    with np.errstate(all="ignore"):
        assert np.isnan(plain(0.0, 0.0)[1]).all()
    assert made(0.0, 0.0) == (0.0, (0.0, 0.0))


@pytest.mark.parametrize("target", ["numpy", "python"])
def test_softplus_has_slope_one_half_at_0(target, tmp_path):
    path = written(tmp_path, "np.log(1 + np.exp(x))")
    text = emit_path(f"{path}:f", "x", target, stabilize=True)
    value, d_x = compiled(text, "f_value_and_grad")(0.0, 0.0)
    assert value == math.log(2.0)
    assert d_x == pytest.approx(0.5, rel=1e-15)


# -- the emitted file ------------------------------------------------------------------------------


def test_the_header_lists_the_rewrites_and_no_longer_warns_of_overflow(tmp_path):
    path = written(tmp_path, "np.log(1 + np.exp(x))", name="soft", arguments="x")
    plain = emit_path(f"{path}:soft")
    assert "log(1 + exp(x)) overflows above x = 709" in plain
    assert "Stabilized" not in plain
    notes = [line for line in emit_path(f"{path}:soft", stabilize=True).splitlines()
             if line.startswith("# ") and "gradgen" not in line]  # fmt: skip
    assert notes == ["# Stabilized: line 6: np.log(1 + np.exp(x)) became np.logaddexp(0.0, x)."]


def test_a_long_record_is_broken_into_lines(tmp_path):
    long = "x * x * y + x * y * y + 3.0 * x"
    path = written(tmp_path, f"np.log(1 + np.exp({long}))")
    lines = emit_path(f"{path}:f", stabilize=True).splitlines()
    assert all(len(line) <= 88 for line in lines if "gradgen-source" not in line)
    at = next(k for k, line in enumerate(lines) if "Stabilized" in line)
    assert lines[at + 1].startswith("#   ")


def test_the_command_of_the_header_makes_the_file_again(tmp_path, monkeypatch):
    path = written(tmp_path, "np.log(1 + x)")
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli, ["emit", "f.py:f", "--stabilize", "-o", "g.py"]).exit_code == 0
    text = (tmp_path / "g.py").read_text("utf-8")
    (command,) = [line for line in text.splitlines() if line.startswith("# Regenerate: ")]
    assert command == "# Regenerate: gradgen emit f.py:f --stabilize -o g.py"
    words = command.split()[3:]
    assert CliRunner().invoke(cli, [*words, "--check"]).exit_code == 0
    words.remove("--stabilize")
    done = CliRunner().invoke(cli, [*words, "--check"])
    assert done.exit_code == 1
    assert "stale: the source or the options have changed" in done.stderr
    assert path.exists()


def test_a_table_of_sync_may_ask_for_it(tmp_path, monkeypatch):
    written(tmp_path, "np.log(1 + x)")
    (tmp_path / "gradgen.toml").write_text(
        '[[emit]]\nsource = "f.py:f"\noutput = "g.py"\nstabilize = true\n', "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli, ["sync"]).exit_code == 0
    assert "np.log1p(x)" in (tmp_path / "g.py").read_text("utf-8")


def test_options_are_told_apart_only_where_it_is_asked_for():
    assert repr(Options("x")) == repr(Options("x", stabilize=True))
    assert Options("x") != Options("x", stabilize=True)


def soft(x):
    return np.log(1.0 + np.exp(x))


def test_live_functions_take_the_keyword():
    for make in (gradgen.value_and_grad, gradgen.grad):
        assert "np.logaddexp(0.0, x)" in make(soft, shapes="x=scalar", stabilize=True).source
        assert "logaddexp" not in make(soft, shapes="x=scalar").source
    deferred = gradgen.value_and_grad(soft, stabilize=True)
    assert deferred(800.0)[0] == 800.0
    assert "np.logaddexp(0.0, x)" in gradgen.emit(soft, stabilize=True)
    assert "stabilize" in inspect.getdoc(gradgen.value_and_grad)


# -- read again ------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", NUMBERS)
def test_an_emitted_file_is_read_again(expression, tmp_path):
    path = written(tmp_path, expression)
    first = emit_path(f"{path}:f", "x", mode="grad", stabilize=True)
    again = tmp_path / "again.py"
    again.write_text(first, "utf-8")
    second = compiled(emit_path(f"{again}:f_grad", "x", mode="grad"), "f_grad_grad")
    exact = NUMBERS[expression][1]
    for x in (0.3, 0.7):
        at = EXACT.mpf(0.6)
        wanted = EXACT.diff(lambda t: exact(t, at), EXACT.mpf(x), 2)  # noqa: B023
        assert second(x, 0.6) == pytest.approx(float(wanted), rel=1e-9)


def test_softplus_written_out_for_numbers_is_no_kink_when_it_is_read_again(tmp_path):
    path = written(tmp_path, "np.logaddexp(0.0, x)")
    first = emit_path(f"{path}:f", "x", "python", mode="grad")
    again = tmp_path / "again.py"
    again.write_text(first, "utf-8")
    # its second derivative at 0 is 1/4: with a kink there it would be another number
    with pytest.raises(gradgen.SourceError, match="depends on a value that is not known"):
        emit_path(f"{again}:f_grad", "x", "python", mode="grad")
