"""What gradgen emits for the golden cases; `pytest tests/test_cases.py --update` rewrites it."""

import ast
import cmath
import hashlib
import json
import math
import os
import subprocess
import sys
import warnings
from functools import cache
from itertools import chain
from pathlib import Path

import golden
import numpy as np
import pytest
from golden import Case

import gradgen
from gradgen.graph import Graph, leaves, literal_key
from gradgen.measure.counting import operations
from gradgen.passes import eliminate_dead
from gradgen.program import Options, compile_graph
from gradgen.read import parse_shapes, read_file

NAMES = golden.names()
POINTS = [(name, at) for name in NAMES for at in range(len(golden.load(name).points))]
HAND = [name for name in NAMES if golden.load(name).hand]

# Derivations by hand that use more than the chain rule, operation by operation: the reason, and
# what a compiler would have to know. A case that no longer exceeds its derivation has to go.
BEYOND_REVERSE_MODE = {
    "gaussian_log_likelihood": "the sum of squares of the value is z @ z",
    "masked_log_array": "safe / safe is 1, except for infinities and NaN",
    "polar_coordinates": "theta / r / r is common to both partials",
    "powers": "np.sqrt(x) is the x**0.5 of the value",
    "softmax_cross_entropy": "the weights p sum to 1, and t / p * p is t",
    "standardise": "the sum of w * d_w is the value",
    "haversine": "sqrt(a)**2 is a, inside arcsin's 1 - x**2",
    "kinks_array": "max(x, 0) is zero already where its own mask would make it zero",
    "sum_generator": "products of entries are one product of arrays: an unrolled loop is rolled",
    "variance_by_hand": "centred entries sum to zero",
}

COMMUTATIVE = ("add", "mul")

# What complex arguments do not pass through, or not analytically; a float buffer drops their
# imaginary parts.
NOT_ANALYTIC = {
    "abs", "arctan2", "clip", "erf", "hypot", "logaddexp", "max", "maximum", "min", "minimum",
    "sign", "where", "zeros",
}  # fmt: skip
COMPLEX_STEP = 1e-30
COARSE_STEP, LEVELS = 2.0**-8, 4
EPSILON = 2.0**-52


@pytest.fixture(scope="session", autouse=True)
def outputs(request, tmp_path_factory):
    """Rewrite the output sections where `--update` asks for it."""
    if request.config.getoption("--update"):
        golden.update(tmp_path_factory.mktemp("update"))


@cache
def module(name):
    """The namespace of a case's output section."""
    return golden.run(golden.load(name).output, name)


def functions(case):
    """The names of the functions that are emitted for a case."""
    parts = ("forward", "backward") if case.mode == "pair" else (case.mode,)
    return [f"{case.function}_{part}" for part in parts]


def emitted(case, arguments):
    """Value (None in mode grad) and gradient from the emitted code."""
    found = [module(case.name)[name] for name in functions(case)]
    if case.mode == "pair":
        value, saved = found[0](**arguments)
        return value, found[1](saved, 1.0)
    result = found[0](**arguments)
    return result if case.mode == "value_and_grad" else (None, result)


def quietly(function, *args, **keywords):
    """A result, and whether a warning was given on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **keywords)
    return result, bool(caught)


def flat(tree):
    """The leaves of nested dicts, lists and tuples, in order."""
    if isinstance(tree, dict):
        return list(chain.from_iterable(map(flat, tree.values())))
    if isinstance(tree, (list, tuple)):
        return list(chain.from_iterable(map(flat, tree)))
    return [tree]


def bits(value):
    """What tells a number or an array from one that differs in the last bit."""
    array = np.asarray(value)
    return array.shape, array.dtype.str, array.tobytes()


def assert_close(found, expected, rtol):
    """Every leaf agrees, relative to its largest entry; NaN agrees with NaN only."""
    found, expected = flat(found), flat(expected)
    assert len(found) == len(expected)
    for one, other in zip(map(np.asarray, found), map(np.asarray, expected), strict=True):
        assert one.shape == other.shape
        assert (np.isnan(one) == np.isnan(other)).all()
        scale = np.max(np.abs(other[~np.isnan(other)]), initial=0.0)
        apart = np.abs(one - other)[~np.isnan(other)]
        assert (apart <= rtol * scale).all(), f"{one} is not {other}"


def chosen(case, arguments):
    """The arguments to differentiate, in the structure of the gradient."""
    wrt = case.wrt()
    whole = {**case.defaults(), **arguments}
    return whole[wrt] if isinstance(wrt, str) else tuple(whole[name] for name in wrt)


# -- the derivative, from the function alone -------------------------------------------------------


def is_analytic(case):
    """Whether the source names nothing that complex arguments would take elsewhere."""
    nodes = list(ast.walk(ast.parse(case.source)))
    words = {getattr(node, "id", getattr(node, "attr", "")) for node in nodes}
    return not words & NOT_ANALYTIC


def perturbed(case, arguments, name, change):
    """The arguments with every leaf of one of them, in turn and entry by entry, changed."""

    def steps(tree, rebuild):
        if isinstance(tree, dict):
            for key in tree:
                yield from steps(tree[key], lambda v, key=key: rebuild({**tree, key: v}))
        elif isinstance(tree, np.ndarray):
            for index in np.ndindex(tree.shape):
                yield change(tree, index, lambda v: rebuild(v))
        else:
            yield change(tree, (), lambda v: rebuild(v))

    whole = {**case.defaults(), **arguments}
    return steps(whole[name], lambda value: {**whole, name: value})


def reference(case, arguments):
    """The gradient by complex step, or else by Richardson extrapolation, and its relative error."""
    entries, error = [], 0.0
    for name in [case.wrt()] if isinstance(case.wrt(), str) else case.wrt():
        if is_analytic(case):
            found = [(d, 0.0) for d in perturbed(case, arguments, name, _complex(case))]
        else:
            found = list(perturbed(case, arguments, name, _differences(case)))
        entries += [d for d, _ in found]
        error = max([error, *(e for _, e in found)])
    return np.array(entries), error


def _complex(case):
    """One entry's derivative by a step in the imaginary direction."""
    source = golden.run(case.source, case.name)
    for name, value in list(source.items()):
        if value is math:
            source[name] = cmath
        elif getattr(value, "__module__", None) == "math":
            source[name] = getattr(cmath, name)
    function = source[case.function]

    def change(value, index, rebuild):
        if isinstance(value, np.ndarray):
            moved = value.astype(complex)
            moved[index] += 1j * COMPLEX_STEP
        else:
            moved = value + 1j * COMPLEX_STEP
        result = function(**rebuild(moved))
        own = function(**rebuild(value))
        assert abs(np.real(result) - own) <= 64 * EPSILON * max(abs(own), 1.0)
        return np.imag(result) / COMPLEX_STEP

    return change


def _differences(case):
    """One entry's derivative by central differences at four steps, extrapolated, and its error."""
    function = golden.run(case.source, case.name)[case.function]

    def change(value, index, rebuild):
        def at(step):
            moved = np.array(value, dtype=float)
            moved[index] += step
            moved = moved if isinstance(value, np.ndarray) else float(moved)
            return float(function(**rebuild(moved)))

        rows, size = [], 0.0
        for level in range(LEVELS):
            step = COARSE_STEP / 2**level
            up, down = at(step), at(-step)
            size = max(size, abs(up), abs(down))
            row = [(up - down) / (2 * step)]
            for k in range(level):
                row.append(row[k] + (row[k] - rows[-1][k]) / (4 ** (k + 1) - 1))
            rows.append(row)
        return rows[-1][-1], abs(rows[-1][-1] - rows[-2][-1]) + 8 * EPSILON * size / step

    return change


# -- values and gradients --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_emitted_text_is_the_golden_one(name, tmp_path):
    case = golden.load(name)
    assert golden.emit(case, tmp_path) == case.output


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_the_value_is_bit_identical_to_the_functions_own(name, at):
    case = golden.load(name)
    own, _ = quietly(case.namespace()[case.function], **case.arguments(case.points[at]))
    (value, _), _ = quietly(emitted, case, case.arguments(case.points[at]))
    if case.mode != "grad":
        assert bits(value) == bits(own)
        assert type(value) is type(own)


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_the_gradient_is_that_of_complex_steps_or_finite_differences(name, at):
    case = golden.load(name)
    arguments = case.arguments(case.points[at])
    (_, gradient), _ = quietly(emitted, case, arguments)
    (expected, error), _ = quietly(reference, case, arguments)
    found = np.concatenate([np.ravel(leaf) for leaf in flat(gradient)])
    own, _ = quietly(case.namespace()[case.function], **case.arguments(case.points[at]))
    # Where value and gradient are zero there is no scale; the cases' own numbers are about one.
    scale = max(np.max(np.abs(expected)), abs(float(own))) or 1.0
    allowed = error + 64 * EPSILON * scale
    assert allowed <= 1e-8 * scale, "the reference is too coarse to tell anything"
    assert found.shape == expected.shape
    assert not np.isnan(found).any()
    assert np.max(np.abs(found - expected)) <= allowed, f"{found} is not {expected}"


@pytest.mark.parametrize("name", [n for n in NAMES if golden.load(n).expected])
def test_value_and_gradient_are_the_published_ones(name):
    case = golden.load(name)
    value, gradient = emitted(case, case.arguments(case.points[0]))
    if case.expected.value is not None:
        assert_close(value, case.expected.value, case.expected.rtol)
    expected = case.expected.grad
    bare = isinstance(case.wrt(), str)
    parts = [expected] if bare else expected
    found = np.concatenate([np.ravel(leaf) for leaf in flat(gradient)])
    assert_close(found, np.concatenate([np.ravel(p) for p in parts]), case.expected.rtol)


@pytest.mark.parametrize(("name", "at"), [p for p in POINTS if p[0] in HAND])
def test_value_and_gradient_are_those_derived_by_hand(name, at):
    case = golden.load(name)
    hand, _ = quietly(case.namespace()["hand"], **case.arguments(case.points[at]))
    found, _ = quietly(emitted, case, case.arguments(case.points[at]))
    if case.mode == "grad":
        assert_close(found[1], hand, 1e-13)
    else:
        assert_close(found, hand, 1e-13)


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_gradients_have_the_structure_shapes_and_dtypes_of_their_arguments(name, at):
    case = golden.load(name)
    arguments = case.arguments(case.points[at])
    (_, gradient), _ = quietly(emitted, case, arguments)
    assert_like(gradient, chosen(case, arguments))


def assert_like(found, argument):
    if isinstance(argument, dict):
        assert type(found) is dict
        assert list(found) == list(argument)
        for key in argument:
            assert_like(found[key], argument[key])
    elif isinstance(argument, tuple):
        assert type(found) is tuple
        for one, other in zip(found, argument, strict=True):
            assert_like(one, other)
    elif isinstance(argument, np.ndarray):
        assert isinstance(found, np.ndarray)
        assert (found.shape, found.dtype) == (argument.shape, argument.dtype)
    else:
        assert np.shape(found) == ()
        assert np.asarray(found).dtype == float


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_arguments_are_neither_changed_nor_given_back(name, at):
    case = golden.load(name)
    arguments, untouched = (case.arguments(case.points[at]) for _ in range(2))
    results, _ = quietly(emitted, case, arguments)
    assert list(map(bits, flat(arguments))) == list(map(bits, flat(untouched)))
    arrays = [a for a in flat(arguments) if isinstance(a, np.ndarray)]
    for result in flat(results):
        assert not any(np.shares_memory(result, a) for a in arrays)


# -- operations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HAND)
def test_the_emitted_code_has_no_more_operations_than_the_derivation_by_hand(name):
    case = golden.load(name)
    count = operations(case.output, *functions(case))
    by_hand = operations(case.hand, "hand")
    if name in BEYOND_REVERSE_MODE:
        assert count > by_hand, f"{name} no longer exceeds: take it off BEYOND_REVERSE_MODE"
    else:
        assert count <= by_hand, f"{count} operations, {by_hand} by hand"


def test_no_lecture_program_is_excused_from_the_count():
    assert [name for name in BEYOND_REVERSE_MODE if name.startswith("lecture_")] == []
    assert BEYOND_REVERSE_MODE.keys() <= set(HAND)


def test_the_count_is_of_operators_and_arithmetic_calls():
    source = """
def f(x, n):
    y = -x[2 * n :] * -1.0 + np.sum(x.T @ x.copy(), axis=-1)
    y[n - 1] += x.shape[0] / 2.0
    m = len(x)
    k = 2 * m + 1
    if y.shape != (m - 1,) or n < 0:
        raise ValueError(f"{m - 1 + n} is not a length")
    return np.where(0 < y < 1, y, -y), np.zeros_like(x).reshape(n, 3), type(x)(a=x.max() * m)
"""
    # neg, mul, add, sum, matmul; +=, div; where, two comparisons, neg; max, mul
    assert operations(source, "f") == 13


# -- style, and where the files run ----------------------------------------------------------------


@pytest.fixture(scope="session")
def folder(tmp_path_factory, outputs):
    """A folder with every output section as a module."""
    root = tmp_path_factory.mktemp("emitted")
    for name in NAMES:
        (root / f"{name}.py").write_text(golden.load(name).output, "utf-8", newline="\n")
    return root


@pytest.mark.parametrize("command", [["format", "--diff"], ["check", "--no-cache"]])
def test_ruff_with_its_default_settings_has_nothing_to_change(folder, command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--isolated", "--quiet", str(folder)],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr


RUNNER = """
import hashlib, json, runpy, sys, warnings
from pathlib import Path

sys.modules["gradgen"] = None  # to import it is an error
import numpy as np
sys.path.insert(0, sys.argv[1])
import results

for name, at, functions, point, warns in json.load(sys.stdin):
    module = runpy.run_path(str(Path(sys.argv[2], name + ".py")))
    with warnings.catch_warnings():
        if warns:
            warnings.simplefilter("ignore")
        print(name, at, results.digest([module[f] for f in functions], point))
"""

RESULTS = '''
"""Results as text that tells every bit."""
import hashlib
import numpy as np

def argument(value):
    if isinstance(value, dict):
        return {key: argument(item) for key, item in value.items()}
    return np.array(value) if isinstance(value, list) else value

def leaves(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in leaves(item)]
    return [tree]

def digest(functions, point):
    result = functions[0](**argument(point))
    if len(functions) == 2:
        result = result[0], functions[1](result[1], 1.0)
    arrays = [np.asarray(leaf) for leaf in leaves(result)]
    text = repr([(a.dtype.str, a.shape, a.tobytes()) for a in arrays])
    return hashlib.sha256(text.encode()).hexdigest()
'''


def test_the_files_run_isolated_without_gradgen_and_without_warnings(folder, tmp_path):
    (tmp_path / "results.py").write_text(RESULTS, "utf-8")
    digest = golden.run(RESULTS, "results")["digest"]
    jobs, expected = [], []
    for name, at in POINTS:
        case = golden.load(name)
        own = case.namespace()[case.function]
        _, warns = quietly(own, **case.arguments(case.points[at]))
        point = golden.literals(case.points[at])
        jobs.append([name, at, functions(case), point, warns])
        found, _ = quietly(digest, [module(name)[f] for f in functions(case)], point)
        expected.append(f"{name} {at} {found}")
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", RUNNER, str(tmp_path), str(folder)],
        input=json.dumps(jobs),
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


EMITTER = """
import hashlib, sys
from pathlib import Path
import golden

for name in golden.names():
    text = golden.emit(golden.load(name), Path(sys.argv[1]))
    print(name, hashlib.sha256(text.encode()).hexdigest())
"""


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_the_bytes_do_not_depend_on_process_or_hash_seed(seed, tmp_path):
    paths = [Path(gradgen.__file__).parent.parent, Path(golden.__file__).parent]
    done = subprocess.run(
        [sys.executable, "-c", EMITTER, str(tmp_path)],
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    here = {name: golden.emit(golden.load(name), tmp_path) for name in NAMES}
    assert done.stdout.splitlines() == [
        f"{name} {hashlib.sha256(text.encode()).hexdigest()}" for name, text in here.items()
    ]


# -- the emitted file as input ---------------------------------------------------------------------


def digests(graph: Graph) -> list[bytes]:
    """What each node is, to put the operands of a sum or of a product in one order."""
    found: list[bytes] = []
    for op, attr, args in zip(graph.ops, graph.attrs, graph.args, strict=True):
        key = literal_key(attr) if op == "const" else attr[1] if op == "global" else attr
        parts = [found[a] for a in args]
        if op == "copy":
            found.append(parts[0])
            continue
        text = repr((op, key, sorted(parts) if op in COMMUTATIVE else parts))
        found.append(hashlib.sha256(text.encode()).digest())
    return found


def canonical(graph: Graph):
    """The operations that the results need, numbered in the order in which they are reached.

    Names, locations and copies are left out: a graph knows only values. So is the order of two
    summands or factors: an update in place has first what it updates.
    """
    graph = eliminate_dead(graph)
    order = digests(graph)
    number: dict[int, int] = {}
    rows = []
    stack = [(leaf, False) for leaf in reversed(list(leaves(graph.results)))]
    while stack:
        node, ready = stack.pop()
        if node in number:
            continue
        op, attr, args = graph.ops[node], graph.attrs[node], graph.args[node]
        if op in COMMUTATIVE:
            args = sorted(args, key=order.__getitem__)
        if not ready:
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(args))
            continue
        if op == "copy":
            number[node] = number[args[0]]
            continue
        number[node] = len(rows)
        if op == "global":
            attr = attr[1]
        elif op == "const":
            attr = literal_key(attr)
        rows.append((op, attr, tuple(number[a] for a in args), graph.types[node]))
    return rows, [number[leaf] for leaf in leaves(graph.results)]


@pytest.mark.parametrize("name", NAMES)
def test_the_emitted_gradient_reads_back_as_the_graph_that_was_emitted(name, tmp_path):
    case = golden.load(name)
    text = golden.emit(case, tmp_path, mode="grad")
    source = read_file(
        tmp_path / f"{name}.py", case.function, parse_shapes(case.options.get("shapes"))
    )
    target = case.options.get("target", "numpy")
    derived = compile_graph(source, Options(case.wrt(), "grad", target)).graph

    path = tmp_path / f"{name}_grad.py"
    path.write_text(text, "utf-8")
    shapes = next(
        line.partition(": ")[2]
        for line in text.splitlines()
        if line.startswith("# gradgen-shapes:")
    )
    again = read_file(path, f"{case.function}_grad", parse_shapes(shapes))
    assert canonical(again) == canonical(derived)


def test_a_planted_wrong_gradient_is_noticed():
    case = golden.load("himmelblau")
    arguments = case.arguments("x=1.0, y=-1.0")
    expected, _ = reference(case, arguments)
    wrong = emitted(case, arguments)[1]
    assert_close(np.array(wrong), expected, 1e-14)
    with pytest.raises(AssertionError):
        assert_close(np.array([wrong[0], wrong[1] * (1 + 1e-9)]), expected, 1e-14)
    with pytest.raises(AssertionError):
        assert_close(np.array([wrong[0], np.nan]), expected, 1e-14)


def test_every_case_parses_and_case_files_have_unix_line_ends():
    assert len(NAMES) >= 40
    for name in NAMES:
        case = golden.load(name)
        assert isinstance(case, Case)
        assert b"\r" not in (golden.CASES / f"{name}.py").read_bytes()
