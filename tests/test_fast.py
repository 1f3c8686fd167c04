"""The fast style: as the default style but for rounding, whatever the arguments and their sizes."""

import copy
import inspect
import itertools
import subprocess
import sys
import tempfile
import threading
import warnings
from functools import partial
from pathlib import Path

import golden
import mpmath
import numpy as np
import pytest
from agreement import function_of
from array_programs import Program, part
from click.testing import CliRunner
from test_random_arrays import Refused, agree, called, emitted, executed, leaves

import gradgen
from gradgen import blocks, cli, inplace, rows
from gradgen import program as compiling
from gradgen.api import emit_path
from gradgen.errors import GradgenError
from gradgen.graph import verify
from gradgen.program import Options, compile_graph
from gradgen.read import parse_shapes, read_file, read_live

EPSILON = 2.0**-52
# What the default style's results and these differ by at most, in units of the largest entry.
TOLERANCE = 32 * EPSILON
CASES = [(home, name) for home in (golden.CASES, golden.MODE_CASES) for name in golden.names(home)]
FAST = golden.names(golden.FAST_CASES)


def flat(tree):
    """The numbers and arrays of a structure."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if hasattr(tree, "__dataclass_fields__"):
        tree = [getattr(tree, name) for name in tree.__dataclass_fields__]
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in flat(part)]
    return [tree]


def same(have, want, tolerance=TOLERANCE):
    """Whether results have the same structure, shapes, dtypes and, nearly, numbers."""
    have, want = flat(have), flat(want)
    assert len(have) == len(want)
    for mine, theirs in zip(have, want, strict=True):
        if theirs is None:
            assert mine is None
            continue
        mine, theirs = np.asarray(mine), np.asarray(theirs)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        finite = np.isfinite(theirs)
        np.testing.assert_array_equal(mine[~finite], theirs[~finite])
        scale = max(0.1, np.max(np.abs(theirs[finite]), initial=0.0))
        assert np.all(np.abs(mine[finite] - theirs[finite]) <= tolerance * scale)


def results(case, namespace, arguments):
    """What the functions of a case give; quiet, as warnings are about inputs at the edge."""
    name = case.function
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if case.mode != "pair":
            return namespace[f"{name}_{case.mode}"](**arguments)
        seed = arguments.pop("seed", 1.0)
        value, saved = namespace[f"{name}_forward"](**arguments)
        first = namespace[f"{name}_backward"](saved, seed)
        # what is saved is not written to: it serves twice
        same(namespace[f"{name}_backward"](saved, seed), first, 0.0)
        return value, first


@pytest.mark.parametrize(("home", "name"), CASES, ids=[name for _, name in CASES])
def test_golden_cases_agree_with_the_default_style_and_keep_their_arguments(home, name, tmp_path):
    case = golden.load(name, home)
    made = golden.run(golden.emit(case, tmp_path, style="fast"), name)
    plain = golden.run(case.output, name)
    for point in case.points:
        given = case.arguments(point)
        have = results(case, made, given)
        held = case.arguments(point)
        if case.mode == "pair":
            held.pop("seed", None)
        for now, before in zip(flat(given), flat(held), strict=True):
            np.testing.assert_array_equal(now, before)
        same(have, results(case, plain, case.arguments(point)))


@pytest.mark.parametrize("name", FAST)
def test_the_emitted_text_is_the_golden_one(name, tmp_path):
    case = golden.load(name, golden.FAST_CASES)
    assert golden.emit(case, tmp_path) == case.output


@pytest.mark.parametrize("name", FAST)
def test_golden_results_are_those_derived_by_hand(name):
    case = golden.load(name, golden.FAST_CASES)
    made, namespace = golden.run(case.output, name), case.namespace()
    for point in case.points:
        have = results(case, made, case.arguments(point))
        same(have, namespace["hand"](**case.arguments(point)))


# -- random programs -------------------------------------------------------------------------------


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of so few rows that loops turn several times, wherever one is possible."""
    monkeypatch.setattr(rows, "VECTOR_ROWS", 2)
    monkeypatch.setattr(rows, "ITEMS", 6)
    monkeypatch.setattr(rows, "_LEAST_WORK", 0)
    monkeypatch.setattr(rows, "has_products", lambda graph, size: False)


def check_program(program, path, monkeypatch):
    """Compile a program in both styles, and in place; what the latter and the fast one write."""
    path.write_text(program.text(), "utf-8")
    options = {"wrt": tuple(program.arguments), "shapes": program.declared}
    texts = []
    for pays in (False, True):
        monkeypatch.setattr(compiling, "pays", lambda graph, pays=pays: pays)
        texts.append(emitted(f"{path}:f", **options))
    plain, in_place = texts
    fast = emitted(f"{path}:f", style="fast", **options)
    expected, _ = called(executed(plain, "f_value_and_grad"), program.arguments)
    agree_with(program, expected, fast)
    value = agree_with(program, expected, in_place)
    assert np.asarray(value).tobytes() == np.asarray(expected[0]).tobytes(), in_place
    if in_place != plain and program.dtype == np.float64:
        check_other_dtypes(program, plain, in_place)
    return "for start in range" in fast, in_place != plain


def check_other_dtypes(program, plain, in_place):
    """Where one array has float32 or integers, results are those of NumPy, or of it as declared.

    The latter where it is converted: nothing is rounded to its dtype then.
    """
    for (name, value), dtype in itertools.product(program.arguments.items(), ("float32", "int64")):
        if not isinstance(value, np.ndarray) or value.dtype != np.float64:
            continue
        given = np.rint(2.0 * value).astype(dtype)
        converted = f"    {name} = np.asarray({name}, dtype=np.float64)" in in_place.splitlines()
        there = given.astype(float) if converted else given
        try:
            arguments = program.arguments | {name: there}
            (_, want), _ = called(executed(plain, "f_value_and_grad"), arguments)
        except TypeError:
            continue  # a sum in place that was there before
        arguments = program.arguments | {name: given}
        (_, have), _ = called(executed(in_place, "f_value_and_grad"), arguments)
        for mine, theirs in zip(flat(have), flat(want), strict=True):
            mine, theirs = np.asarray(mine), np.asarray(theirs)
            assert converted or mine.dtype == theirs.dtype, (name, in_place)
            tolerance = 1e-9 if theirs.dtype == np.float64 else 1e-3
            assert agree(mine, theirs.astype(float), tolerance), (name, in_place)


def agree_with(program, expected, text):
    """The value of an emitted text, whose results agree with others and are arrays of their own."""
    value, want = expected
    (mine, have), handed = called(executed(text, "f_value_and_grad"), program.arguments)
    tolerance = 1e-3 if program.dtype == np.float32 else 1e-9
    pairs = zip(leaves(have, program.arguments), leaves(want, program.arguments), strict=True)
    for (path_of, ours), (_, theirs) in [(("value", mine), ("", value)), *pairs]:
        assert agree(ours, np.asarray(theirs, float), tolerance), (path_of, program.text(), text)
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype, (path_of, text)
        for name in program.leaves:
            held = part(handed, name)
            if path_of != "value" and isinstance(held, np.ndarray):
                assert not np.shares_memory(ours, held), (path_of, text)
    return mine


def test_random_programs_agree_with_the_default_style_in_many_blocks_and_in_place(
    small_blocks, monkeypatch
):
    monkeypatch.setattr(inplace, "_SMALL", 0)
    loops = updates = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(160):
            try:
                found = check_program(Program(seed), Path(folder) / "program.py", monkeypatch)
            except Refused:
                refused += 1
            else:
                loops += found[0]
                updates += found[1]
    assert loops > 30
    assert updates > 30
    assert refused < 8


# -- blocks ----------------------------------------------------------------------------------------


def chain(x, y, a, b):
    return np.sum(np.tanh(a * x + b) * np.exp(-(x**2)) * np.log1p(y * y))


def mixture(alphas, means, icf, X):
    d = (X[:, None, :] - means) * np.exp(icf)
    q = -0.5 * np.sum(d * d, axis=2) + alphas + np.sum(icf, axis=1)
    m = np.max(q, axis=1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(q - m), axis=1)) + m[:, 0])


def logistic(w, X, y):
    z = X @ w
    return np.mean(np.logaddexp(0, z) - y * z)


def normalised(x, w):
    centred = x - np.mean(x)
    scaled = centred / np.sqrt(np.mean(centred**2) + 0.1)
    return np.sum(np.tanh(scaled * w) ** 2 + np.exp(-scaled) * np.sin(w) * scaled + scaled / w)


def curvature(x, w):
    """Three stencils, of which the last one stored begins further on than the others."""
    bend = x[2:] - 2.0 * x[1:-1] + x[:-2]
    slope = x[2:] - x[:-2]
    return np.sum(np.exp(-bend * bend) * np.tanh(slope) + np.sin(w[1:-1]) * bend * slope)


CHAIN = {"wrt": ("x", "y"), "shapes": "x=n, y=n, a=scalar, b=scalar"}
MIXTURE = {"wrt": ("alphas", "means", "icf"), "shapes": "alphas=k, means=k d, icf=k d, X=n d"}
LOGISTIC = {"wrt": "w", "shapes": "w=d, X=n d, y=n"}
NORMALISED = {"wrt": ("x", "w"), "shapes": "x=n, w=n"}
CURVATURE = {"wrt": ("x", "w"), "shapes": "x=n, w=n"}


def arguments(f, n, rng):
    if f is chain:
        return rng.normal(size=n), rng.normal(size=n), 1.5, 0.3
    if f is mixture:
        return (rng.normal(size=5), rng.normal(size=(5, 3)), 0.1 * rng.normal(size=(5, 3)),
                rng.normal(size=(n, 3)))  # fmt: skip
    if f is logistic:
        return rng.normal(size=4), rng.normal(size=(n, 4)), (rng.random(n) > 0.5) * 1.0
    return rng.normal(size=n), rng.uniform(0.5, 2.0, size=n)


BLOCKED = [(chain, CHAIN), (mixture, MIXTURE), (logistic, LOGISTIC), (normalised, NORMALISED),
           (curvature, CURVATURE)]  # fmt: skip


@pytest.mark.parametrize(("f", "options"), BLOCKED, ids=[f.__name__ for f, _ in BLOCKED])
@pytest.mark.parametrize("n", [2, 7, 16_384, 16_387, 70_000])
def test_blocks_of_any_number_agree_with_the_default_style(f, options, n):
    rng = np.random.default_rng(n)
    given = arguments(f, n, rng)
    fast, plain = (gradgen.value_and_grad(f, style=s, **options) for s in ("fast", "default"))
    assert "for start in range(0" in fast.source
    same(fast(*given), plain(*given), 1e-11)


@pytest.mark.parametrize(("f", "options"), BLOCKED[:2], ids=["chain", "mixture"])
def test_trap_21_arrays_without_items_work_in_blocks(f, options):
    given = arguments(f, 0, np.random.default_rng(0))
    fast, plain = (gradgen.value_and_grad(f, style=s, **options) for s in ("fast", "default"))
    value, gradients = fast(*given)
    assert value == 0.0
    same(gradients, plain(*given)[1], 0.0)


def in_two(x, w):
    s = np.sum(np.exp(-x) * np.sin(x) * np.tanh(x * w) + np.cos(x) * w)
    return np.sum(np.exp(-w * s) * np.sin(w * s) * np.tanh(x * s) * np.cos(w))


def in_two_of_a_part(x, w):
    part = (np.exp(-x) * np.sin(x))[:, None][:, 0][:]
    s = np.sum(part * np.tanh(x * w) * part)
    return np.sum(np.exp(-w * s) * np.sin(part * s) * np.tanh(x * s) * np.cos(w))


@pytest.mark.parametrize("f", [in_two, in_two_of_a_part])
def test_what_needs_a_sum_over_all_rows_is_in_another_loop(f, small_blocks):
    given = arguments(normalised, 9, np.random.default_rng(6))
    fast, plain = (gradgen.value_and_grad(f, style=s, **NORMALISED)
                   for s in ("fast", "default"))  # fmt: skip
    assert fast.source.count("for start in range(0") >= 2
    same(fast(*given), plain(*given), 1e-11)


def overwritten(x, w):
    y = np.zeros(len(x))
    y[1:] = np.tanh(x[1:]) * np.exp(-x[1:]) * np.sin(x[1:])
    y[:-1] = np.tanh(x[:-1]) * np.exp(-x[:-1]) * np.cos(x[:-1])
    return np.sum(y * y * w)


def added(x, w):
    y = np.zeros(len(x))
    y[:-2] = np.tanh(x[:-2]) * np.exp(-x[:-2]) * np.sin(x[:-2])
    y[2:] += np.tanh(x[2:]) * np.exp(-x[2:]) * np.cos(x[2:])
    return np.sum(y * y * w)


def started(x, w):
    """Rows that begin with those of the loop, of an array that is one longer."""
    y = np.zeros(len(x) + 1)
    y[:-1] = np.tanh(x) * np.exp(-x) * np.sin(x)
    y[1:] += np.cumsum(w)
    return np.sum(y * y * y)


@pytest.mark.parametrize("f", [overwritten, added, started])
@pytest.mark.parametrize("n", [2, 3, 8])
def test_trap_34_rows_stored_where_others_were_replace_them_and_added_ones_add(f, n, small_blocks):
    given = arguments(curvature, n, np.random.default_rng(n))
    fast, plain = (gradgen.value_and_grad(f, style=s, **CURVATURE) for s in ("fast", "default"))
    assert "for start in range(0" in fast.source
    same(fast(*given), plain(*given))


def test_rows_that_are_stored_first_need_no_zeros():
    def rosenbrock(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    fast, plain = (gradgen.value_and_grad(rosenbrock, shapes="x=n", style=s)
                   for s in ("fast", "default"))  # fmt: skip
    assert "d_x[:1] = 0.0" in fast.source
    assert "zeros" not in fast.source
    for n in (1, 2, 16_385, 16_386, 40_000):
        x = np.random.default_rng(n).normal(size=n)
        same(fast(x), plain(x))


def test_arrays_that_are_no_rows_in_memory_are_read_as_they_are():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(40_000, 3))[::-2, 1], rng.normal(size=60_000)[::3]
    fast, plain = (gradgen.value_and_grad(chain, style=s, **CHAIN) for s in ("fast", "default"))
    same(fast(x, y, 1.5, 0.3), plain(x, y, 1.5, 0.3), 1e-12)
    x.flags.writeable = y.flags.writeable = False
    fast(x, y, 1.5, 0.3)


def squares(A, v):
    """`v` broadcasts along the other axis than its own rows."""
    t = np.exp(-v) * v
    return np.sum(np.tanh(A + t) * np.exp(-A * A) + np.sin(A) * np.cos(A) * A)


def test_a_vector_as_long_as_the_rows_is_whole_where_it_broadcasts_along_them(small_blocks):
    rng = np.random.default_rng(5)
    given = rng.normal(size=(7, 7)), rng.normal(size=7)
    options = {"wrt": ("A", "v"), "shapes": "A=n n, v=n"}
    fast, plain = (gradgen.value_and_grad(squares, style=s, **options)
                   for s in ("fast", "default"))  # fmt: skip
    assert "for start in range(0" in fast.source
    same(fast(*given), plain(*given), 1e-13)


def test_the_rewritten_graphs_are_well_formed(small_blocks):
    for f, options in BLOCKED:
        graph = read_live(f, parse_shapes(options["shapes"]))
        derived = compile_graph(graph, Options(options["wrt"])).graph
        made, loops = blocks.blocked(derived)
        assert loops
        verify(made)


# -- memory, threads and arguments -----------------------------------------------------------------


@pytest.mark.parametrize(("f", "options"), BLOCKED, ids=[f.__name__ for f, _ in BLOCKED])
def test_trap_33_arguments_are_not_changed_and_results_share_no_memory(f, options):
    given = arguments(f, 20_000, np.random.default_rng(3))
    before = copy.deepcopy(given)
    _, gradients = gradgen.value_and_grad(f, style="fast", **options)(*given)
    for have, had in zip(given, before, strict=True):
        np.testing.assert_array_equal(have, had)
        for gradient in flat(gradients):
            assert not np.shares_memory(gradient, have)


def test_trap_33_what_is_returned_is_written_to_by_nobody():
    def f(x):
        h = np.tanh(x)
        return np.sum(h * h * x), h

    fast = gradgen.value_and_grad(f, wrt="x", shapes="x=n", style="fast", has_aux=True)
    x = np.linspace(-1.0, 1.0, 20_000)
    (_, h), _ = fast(x)
    np.testing.assert_array_equal(h, np.tanh(x))


def test_trap_44_a_hundred_threads_agree():
    fast = gradgen.value_and_grad(mixture, style="fast", **MIXTURE)
    given = arguments(mixture, 3000, np.random.default_rng(1))
    want, found = fast(*given), []
    start = threading.Barrier(100)

    def run():
        start.wait()
        found.append(fast(*given))

    threads = [threading.Thread(target=run) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 100
    for have in found:
        same(have, want, 0.0)


def test_trap_37_the_gradient_of_the_argument_itself_is_a_fresh_one():
    assert gradgen.value_and_grad(lambda x: x, shapes="x=scalar", style="fast")(3.0) == (3.0, 1.0)

    def f(x):
        return np.sum(x)

    value, d_x = gradgen.value_and_grad(f, shapes="x=n", style="fast")(np.arange(3.0))
    assert value == 3.0
    np.testing.assert_array_equal(d_x, np.ones(3))


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_an_array_of_another_dtype_than_declared_is_an_error(dtype, tmp_path):
    source = "import numpy as np\n\n\ndef f(x, y):\n    return np.sum(np.tanh(x) * y)\n"
    (tmp_path / "f.py").write_text(source, "utf-8")
    text = emit_path(f"{tmp_path / 'f.py'}:f", shapes="x=n, y=n", style="fast")
    made = golden.run(text, "f")["f_value_and_grad"]
    message = r"^f_value_and_grad takes arrays of float64 as declared$"
    with pytest.raises(ValueError, match=message):
        made(np.ones(3), np.ones(3, dtype))
    made(np.ones(3), np.ones(3))


@pytest.mark.parametrize(("f", "options"), BLOCKED, ids=[f.__name__ for f, _ in BLOCKED])
def test_trap_22_float32_stays_float32(f, options):
    shapes = ", ".join(
        item if item.endswith("scalar") else f"{item}:float32"
        for item in options["shapes"].split(", ")
    )
    fast = gradgen.value_and_grad(f, wrt=options["wrt"], shapes=shapes, style="fast")
    given = [np.float32(a) if isinstance(a, np.ndarray) else a
             for a in arguments(f, 20_000, np.random.default_rng(2))]  # fmt: skip
    value, gradients = fast(*given)
    assert value.dtype == np.float32
    assert {g.dtype for g in flat(gradients)} == {np.dtype(np.float32)}
    plain = gradgen.value_and_grad(f, style="default", **options)
    wide = plain(*[np.float64(a) if isinstance(a, np.ndarray) else a for a in given])
    for have, want in zip(flat((value, gradients)), flat(wide), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-3, atol=1e-3 * np.max(np.abs(want)))


# -- traps of numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("shapes", ["x=scalar", "x=n"])
def test_trap_01_nothing_leaks_from_a_branch_that_is_not_taken(shapes):
    def f(x):
        return np.sum(np.where(x > 0, np.log(x) + np.sqrt(x), np.sqrt(-x) + x**3))

    fast = gradgen.value_and_grad(f, shapes=shapes, style="fast")
    for x, slope in ((2.0, 0.5 + 0.5 / np.sqrt(2.0)), (-4.0, -0.25 + 48.0)):
        given = x if shapes == "x=scalar" else np.full(2, x)
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(fast(given)[1], slope, rtol=1e-15)


def test_trap_16_the_logistic_function_and_softplus_have_their_tails():
    logistic_of = gradgen.value_and_grad(
        lambda x: 1.0 / (1.0 + np.exp(-x)), shapes="x=scalar", style="fast"
    )
    with np.errstate(over="ignore"):
        value, slope = logistic_of(-700.0)
        assert (value, slope) == (pytest.approx(np.exp(-700.0)), pytest.approx(np.exp(-700.0)))
        assert logistic_of(-1000.0)[0] == 0.0
    softplus = gradgen.value_and_grad(
        lambda x: np.sum(np.logaddexp(0, x)), shapes="x=n", style="fast"
    )
    x = np.array([-np.inf, -1000.0, -40.0, 0.0, 40.0, 1000.0])
    value, slope = softplus(x)
    assert value == float(mpmath.fsum(mpmath.log1p(mpmath.exp(t)) for t in x[1:]))
    want = [float(1 / (1 + mpmath.exp(-mpmath.mpf(t)))) for t in x[1:]]
    np.testing.assert_allclose(slope, [0.0, *want], rtol=1e-13, atol=0.0)


def test_a_reciprocal_that_is_there_is_divided_by_no_second_time():
    def f(x, w):
        p = 1.0 / (1.0 + np.cosh(x))
        return np.sum(np.tanh(w * p) * p)

    fast = gradgen.value_and_grad(f, wrt="x", shapes="x=n, w=n", style="fast")
    assert fast.source.count("np.divide(1.0") == 1
    assert "/=" not in fast.source
    x = np.array([-150.0, -30.0, -1.0, 0.0, 5.0, 40.0, 700.0])
    with mpmath.workdps(40):
        p = [1 / (1 + mpmath.cosh(t)) for t in x]
        want = [-mpmath.sinh(t) * q * q * (mpmath.tanh(q) + q * (1 - mpmath.tanh(q) ** 2))
                for q, t in zip(p, x, strict=True)]  # fmt: skip
    np.testing.assert_allclose(fast(x, np.ones(7))[1], [float(t) for t in want], rtol=1e-14)


def test_a_number_that_overflows_exp_is_inf_and_does_not_raise():
    fast = gradgen.value_and_grad(lambda x: np.exp(x), shapes="x=scalar", style="fast")
    assert "exp(x) if x < 709.0 else np.exp(x)" in fast.source
    with np.errstate(over="ignore"):
        assert fast(1000.0) == (np.inf, np.inf)
    assert np.isnan(fast(np.nan)[0])


@pytest.mark.parametrize("body", [
    "np.maximum(np.log(x), 0.0)", "np.where(x > 1.0, np.log(x), 0.0)",
    "np.clip(np.log(x), 0.0, 1.0)", "(x > 1.0) * np.sqrt(x)",
])  # fmt: skip
def test_numbers_stay_numpys_where_the_user_chooses_between_them(body, tmp_path):
    (tmp_path / "f.py").write_text(f"import numpy as np\n\n\ndef f(x):\n    return {body}\n")
    text = emit_path(f"{tmp_path / 'f.py'}:f", style="fast")
    assert "math" not in text
    if "where" in body:
        with np.errstate(all="ignore"):
            assert golden.run(text, "f")["f_value_and_grad"](-1.0) == (0.0, 0.0)


def test_functions_of_float32_numbers_and_powers_of_numpy_numbers_stay_numpys():
    def f(x):
        return np.exp(x[0]) ** 0.5 + np.sin(x[1])

    for shapes in ("x=2:float32", "x=2"):
        assert "math" not in gradgen.value_and_grad(f, shapes=shapes, style="fast").source


# -- maxima that only shift ------------------------------------------------------------------------


def test_a_maximum_along_rows_does_not_cancel_one_along_columns():
    def f(x):
        m = np.max(x, axis=1)
        e = np.exp(x - m)  # of a square matrix: along the columns
        return np.sum(np.log(np.sum(e, axis=1)) + m)

    x = np.array([[0.3, 1.0, -0.4], [2.0, 0.1, 0.7], [-1.0, 0.6, 0.2]])
    fast, plain = (gradgen.value_and_grad(f, shapes="x=n n", style=s) for s in ("fast", "default"))
    assert "only subtracted" not in fast.source
    same(fast(x), plain(x))


# -- the command line ------------------------------------------------------------------------------


def test_the_style_is_in_the_header_and_files_are_made_again_checked_and_verified(tmp_path):
    source = "import numpy as np\n\n" + "".join(map(inspect.getsource, (chain, logistic)))
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "model.py").write_text(source, "utf-8")
    out = tmp_path / "chain_grad.py"
    run = partial(CliRunner().invoke, cli.cli, prog_name="gradgen", catch_exceptions=False)
    words = ["emit", f"{tmp_path / 'model.py'}:chain", "--wrt", "x,y", "--shapes", "x=n, y=n",
             "--style", "fast", "-o", str(out)]  # fmt: skip
    more = ["--certify", "--effort", "quick"]
    made = run([*words, *more])
    assert made.exit_code == 0, made.output
    assert run([*words, *more, "--check"]).exit_code == 0
    text = out.read_text("utf-8")
    assert text.splitlines()[1] == (
        "# Regenerate: gradgen emit model.py:chain --wrt x,y --style fast --shapes 'x=n, y=n' "
        "-o chain_grad.py --certify --effort quick"
    )
    assert [line for line in text.splitlines() if line.startswith(("# Fast", "# - "))] == [
        "# Fast style, which may be rounded otherwise than the source:",
        "# - x**2, x**3 and x**4 are products",
        "# - sums of products are np.dot's, np.vdot's or np.einsum's",
        "# - what two products have in common is multiplied after they are added",
        "# - values are computed in the memory of others that are not needed any more",
        "# - what belongs to the same rows is done in blocks of them, and summed block by block",
    ]
    verified = run(["verify", str(out)])
    assert verified.exit_code == 0, verified.output
    out.write_text(text.replace("t3 *= 2.0", "t3 *= 2.1"), "utf-8")
    assert run(["verify", str(out)]).exit_code == 1
    again = run(["emit", f"{out}:chain_value_and_grad", "--output", "0"])
    assert again.exit_code == 2
    assert again.stderr.endswith(
        "hint: this file is written in the fast style; emit it with --style default\n"
    )


def test_the_oracles_catch_a_planted_error_in_the_fast_style(monkeypatch):
    report = gradgen.check(logistic, "w", "w=3, X=4 3, y=4", style="fast", effort="quick")
    assert report.ok
    assert [f.detail for f in report.findings if f.oracle == "forward"] == [
        "rewritten: it is written in the fast style; see accuracy"
    ]
    monkeypatch.setattr("gradgen.fastmath._Rewriter.count", lambda self, x, axes: self.b.const(5))
    assert not gradgen.check(logistic, "w", "w=3, X=4 3, y=4", style="fast", effort="quick").ok


def test_a_style_that_there_is_not_is_an_error():
    with pytest.raises(GradgenError, match="style='quick': choose one of default, fast"):
        gradgen.value_and_grad(chain, style="quick", **CHAIN)


def test_the_python_target_has_products_for_powers(tmp_path):
    (tmp_path / "f.py").write_text("def f(x, y):\n    return x**2 * y**3 + x**4\n", "utf-8")
    path = f"{tmp_path / 'f.py'}:f"
    text = emit_path(path, wrt=("x", "y"), target="python", style="fast")
    assert "**" not in text.split("\n\n", 1)[1]
    have = golden.run(text, "f")["f_value_and_grad"](1.5, -0.5)
    same(have, (1.5**2 * -0.125 + 1.5**4, (-0.125 * 3.0 + 4 * 1.5**3, 1.5**2 * 0.75)))


def test_a_file_of_the_fast_style_is_read_where_it_can_be_and_refused_by_its_style(tmp_path):
    source = "import numpy as np\n\n\ndef f(x):\n    return np.sum({})\n"
    for body, is_read in (("x**2", True), ("np.tanh(x) * np.exp(x)", False)):
        (tmp_path / "f.py").write_text(source.format(body), "utf-8")
        text = emit_path(f"{tmp_path / 'f.py'}:f", shapes="x=n", style="fast")
        (tmp_path / "g.py").write_text(text, "utf-8")
        if is_read:
            assert read_file(tmp_path / "g.py", "f_value_and_grad", {}).params[0].name == "x"
            continue
        with pytest.raises(SyntaxError) as error:
            read_file(tmp_path / "g.py", "f_value_and_grad", {})
        assert error.value.hint == (
            "this file is written in the fast style; emit it with --style default"
        )


@pytest.mark.parametrize("command", [["format", "--diff"], ["check", "--no-cache"]])
def test_ruff_with_its_default_settings_has_nothing_to_change(command, tmp_path):
    for name in FAST:
        text = golden.load(name, golden.FAST_CASES).output
        (tmp_path / f"{name}.py").write_text(text, "utf-8", newline="\n")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--isolated", "--quiet", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("result", [
    "(1 - z[:, 0][::-1][:, None])[:, 0]", "np.sin(1 - z[:, 0][::-1][:, None])[:, 0]",
    "np.roll((1 - z[:, 0][::-1][:, None])[:, 0], 1)",
])  # fmt: skip
def test_rows_that_are_stored_on_into_an_array_with_more_axes_begin_no_chain(result):
    f = function_of(f"def f(x):\n    z = np.exp(x)[:, None] ** 2\n    return {result}\n")
    x, seed = np.array([0.5, -1.0, 0.25]), np.array([1.0, -2.0, 3.0])
    value, slope = gradgen.vjp(f, shapes="x=n", style="fast")(x, seed)
    np.testing.assert_allclose(value, f(x), rtol=1e-14)
    steps = np.eye(3) * 1e-6
    wanted = [seed @ (f(x + step) - f(x - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(slope, wanted, rtol=1e-8)
