"""Forward mode: every row, golden case and function of the corpus, against two other sources.

The tangent is held against reverse mode by <v, J u> = <J^T v, u>, within 100 roundings of its
terms, and against the user's own function by a complex step along the direction, or by differences.
"""

import dataclasses
import importlib
import itertools
import warnings

import golden
import numpy as np
import pytest
from corpus.table import ROWS as CORPUS
from tangents import (
    EPSILON,
    along,
    defined,
    differ_from_adjoint,
    differ_from_slope,
    directions,
    jvp_of,
    same_bits,
)
from test_cases import POINTS, emitted, is_analytic, quietly
from test_corpus import FOLDER, REFUSED, function_of, shapes_of
from test_matrix import FAMILIES, PATTERNS, operands, rules_of, spelled
from test_matrix import ROWS as ELEMENTWISE
from test_structural import arguments, title

import gradgen
from gradgen.api import emit_path
from gradgen.errors import GradgenError
from gradgen.ops import OPS

HEAD = (
    "import math\nimport numpy as np\nimport scipy.linalg\nimport scipy.special\n"
    "from scipy.special import logsumexp\n\n\n"
)

# -- the rows --------------------------------------------------------------------------------------

CASES = [
    (f"{family}: {title(case)}", case)
    for family in FAMILIES
    for case in importlib.import_module(f"test_{family}").CASES
]


# By how much more the products may differ, of functions that are themselves not that exact.
LESS_EXACT = {"expm": 20}


def function_texts(before, line, names):
    """The texts of a case's function, and of its weighted sum."""
    body = "".join(f"    {s}\n" for s in before.splitlines())
    plain = f"{HEAD}def f({', '.join(names)}):\n{body}    return {line}\n"
    weighted = f"{HEAD}def f({', '.join(names)}, V):\n{body}    return np.sum(V * ({line}))\n"
    return plain, weighted


# The first case of each kind is held against the others in every way.
CHIEF = {name.split(":")[0] + case[0]: name for name, case in reversed(CASES)}.values()


def failures_of(before, line, shapes, how, every=True):
    """What differs, as text: `every` choice of active arguments and both precisions, or one."""
    plain, weighted = function_texts(before, line, shapes)
    f, g = defined(plain), defined(weighted)
    names = list(shapes)
    choices = [tuple(names)] if len(names) == 1 else [tuple(names), *((n,) for n in names)]
    ways = list(itertools.product(choices, (np.float64, np.float32)))
    for wrt, dtype in ways if every else ways[:1]:
        rng = np.random.default_rng(17)
        data = arguments(shapes, dtype)
        direction = {n: directions(data[n], rng) for n in wrt}
        own = f(**data)
        value, tangent = jvp_of(f, wrt, data, direction)
        label = f"wrt={wrt} {dtype.__name__}: "
        if dtype is np.float64 and not same_bits(value, own):
            yield f"{label}value {value!r} is not {own!r}"
        if np.asarray(tangent).dtype != np.asarray(own).dtype:
            yield f"{label}the tangent is {np.asarray(tangent).dtype}"
        if any(np.shares_memory(tangent, a) for a in (*data.values(), *direction.values())):
            yield f"{label}the tangent shares memory with an argument"
        seed = directions(own, rng)
        gradients = gradgen.grad(g, wrt=wrt)(**data, V=seed)
        eps = float(np.finfo(dtype).eps) * max(
            (n for name, n in LESS_EXACT.items() if name in line), default=1
        )
        terms = differ_from_adjoint(tangent, seed, gradients, [direction[n] for n in wrt], eps)
        yield from (label + text for text in terms)
        if dtype is np.float64:
            tolerance = 1e-12 if how == "complex" else 1e-8
            slopes = along(f, data, direction, how)
            yield from (label + t for t in differ_from_slope(tangent, slopes, tolerance))


@pytest.mark.parametrize(("name", "case"), CASES, ids=[name for name, _ in CASES])
def test_the_tangent_of_a_row_is_the_transpose_of_its_adjoint_and_the_slope_of_the_function(
    name, case
):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = list(failures_of(before, line, shapes, how, name in CHIEF))
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize(("name", "count"), ELEMENTWISE, ids=[name for name, _ in ELEMENTWISE])
def test_the_tangent_of_lanes_is_the_transpose_of_their_adjoint(name, count):
    names = "xyz"[:count]
    plain, weighted = function_texts("", spelled(name, names), names)
    f, g = defined(plain), defined(weighted)
    active = tuple(n for n, rule in zip(names, rules_of(name, count), strict=True) if rule)
    if not active:
        return
    rng = np.random.default_rng(23)
    for shapes, dtype in itertools.product(PATTERNS[count], (np.float64, np.float32)):
        given = operands(name, count, shapes, dtype, rng)
        if given is None:
            continue
        data = dict(zip(names, given, strict=True))
        direction = {n: directions(data[n], rng) for n in active}
        own = f(**data)
        seed = directions(own, rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                value, tangent = jvp_of(f, active, data, direction)
        except GradgenError as refusal:
            assert OPS[name].why or "has no derivative" in str(refusal) or "SciPy" in str(refusal)
            return
        assert dtype is np.float32 or same_bits(value, own)
        assert np.asarray(tangent).dtype == np.asarray(own).dtype, (shapes, dtype)
        assert np.shape(tangent) == np.shape(own), (shapes, dtype)
        gradients = gradgen.grad(g, wrt=active)(**data, V=seed)
        eps = float(np.finfo(dtype).eps)
        failures = differ_from_adjoint(
            tangent, seed, gradients, [direction[n] for n in active], eps
        )
        assert not failures, (shapes, dtype, failures)
        if dtype is np.float64:
            assert not differ_from_slope(tangent, along(f, data, direction, "real"), 1e-8)


def planted(name, **changes):
    return name, dataclasses.replace(OPS[name], **changes)


@pytest.mark.parametrize(("wrong", "before", "line", "shapes"), [
    (planted("tanh", d=("g * (1.0 - out)",)), "", "np.tanh(x)", {"x": (3,)}),
    (planted("mul", d=("g * y", "-g * x")), "", "x * y", {"x": (3,), "y": (3,)}),
    (planted("div", d=("g / y", "-g * out")), "", "x / y", {"x": (3,), "y": (3,)}),
    (planted("sin", d=("g * cos(x) * 1.000001",)), "", "np.sin(x)", {"x": (3,)}),
    (planted("matmul", linear="all"), "", "x @ y", {"x": (2, 3), "y": (3,)}),
    (planted("concatenate", linear="each"), "", "np.concatenate([x, y])", {"x": (2,), "y": (2,)}),
    (planted("cumprod", linear="first"), "", "np.cumprod(x)", {"x": (3,)}),
    (planted("prod", linear="constant"), "", "np.prod(x)", {"x": (3,)}),
    (planted("insert", linear="first"), "", "np.insert(x, 1, 0.5)", {"x": (3,)}),
    (planted("index_set", linear="each"), "u = x * 1.0\nu[0] = y", "u", {"x": (3,), "y": ()}),
    (planted("det", adjoint="adjoints_linalg.inv"), "", "np.linalg.det(x) * x", {"x": (4, 4)}),
])  # fmt: skip
def test_an_error_that_is_planted_in_a_row_is_caught(wrong, before, line, shapes, monkeypatch):
    assert not list(failures_of(before, line, shapes, "real"))
    monkeypatch.setitem(OPS, *wrong)
    caught = False
    try:
        caught = bool(list(failures_of(before, line, shapes, "real")))
    except (GradgenError, ValueError):
        caught = True  # while compiling, or by the emitted code
    assert caught


def test_the_texts_of_where_say_the_same_as_where_itself(monkeypatch):
    case = ("y = np.where(x > 0.9, x, x * x)", "y * np.where(x > 1.2, x[::-1], 0.5)", {"x": (5,)})
    monkeypatch.setitem(OPS, *planted("where", linear=""))
    assert not list(failures_of(*case, "real"))


# -- golden cases and the corpus -------------------------------------------------------------------


def names_of(text):
    namespace = {"__name__": "emitted"}
    exec(compile(text, "<emitted>", "exec", dont_inherit=True), namespace)
    return namespace


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_the_tangents_of_golden_cases_agree_with_their_gradients_and_slopes(name, at, tmp_path):
    case = golden.load(name)
    given = case.arguments(case.points[at])
    wrt = [case.wrt()] if isinstance(case.wrt(), str) else case.wrt()
    whole = {**case.defaults(), **given}
    rng = np.random.default_rng(29)
    direction = {n: directions(whole[n], rng) for n in wrt}
    function = names_of(golden.emit(case, tmp_path, mode="jvp"))[f"{case.function}_jvp"]
    tangents = {f"t_{n}": u for n, u in direction.items()}
    (value, tangent), _ = quietly(function, **given, **tangents)
    own_function = case.namespace()[case.function]
    own, _ = quietly(own_function, **given)
    assert same_bits(value, own)
    assert type(value) is type(own)
    (_, gradient), _ = quietly(emitted, case, case.arguments(case.points[at]))
    gradients = gradient if isinstance(case.wrt(), list) else [gradient]
    failures = differ_from_adjoint(tangent, 1.0, gradients, [direction[n] for n in wrt])
    analytic = is_analytic(case) and "math" not in case.source
    slopes = along(own_function, whole, direction, "complex" if analytic else "real")
    failures += differ_from_slope(tangent, slopes, 1e-12 if analytic else 1e-9)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("row", [r for r in CORPUS if r.where not in REFUSED],
                         ids=[r.where for r in CORPUS if r.where not in REFUSED])  # fmt: skip
def test_the_tangents_of_the_corpus_agree_with_its_gradients_and_slopes(row):
    given = row.arguments()
    location = f"{FOLDER / row.module}.py:{row.name}"
    texts = [emit_path(location, wrt=row.wrt, shapes=shapes_of(given), mode=m)
             for m in ("jvp", "grad")]  # fmt: skip
    rng = np.random.default_rng(31)
    direction = {n: directions(given[n], rng) for n in row.wrt}
    function = names_of(texts[0])[f"{row.name}_jvp"]
    value, tangent = function(**given, **{f"t_{n}": u for n, u in direction.items()})
    np.testing.assert_equal(given, row.arguments())
    assert same_bits(value, function_of(row)(**row.arguments()))
    gradients = names_of(texts[1])[f"{row.name}_grad"](**row.arguments())
    failures = differ_from_adjoint(tangent, 1.0, gradients, [direction[n] for n in row.wrt])
    slopes = along(function_of(row), given, direction, row.how)
    tolerance = row.tolerance or (1e-11 if row.how == "complex" else 1e-7)
    failures += differ_from_slope(tangent, slopes, tolerance)
    assert not failures, "\n".join(failures)


def failures_of_products(product, slope, given, wrt, tolerance):
    """What differs between products with the Hessian and differences of the gradient, as text."""
    rng = np.random.default_rng(37)
    u, v = ({n: directions(given[n], rng) for n in wrt} for _ in range(2))
    along_u, along_v = (
        product(**given, **{f"t_{n}": d for n, d in direction.items()}) for direction in (u, v)
    )
    # <v, H u> = <u, H v>; the products of a second derivative may cancel more than a gradient does
    one, other = list(v.values()), list(u.values())
    failures = differ_from_adjoint(along_u, one, along_v, other, 1000 * EPSILON)
    central = along(slope, given, u, "real")
    return failures + differ_from_slope(along_u, central, tolerance)


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_the_products_of_golden_cases_agree_with_differences_of_their_gradients(name, at, tmp_path):
    case = golden.load(name)
    given = {**case.defaults(), **case.arguments(case.points[at])}
    wrt = [case.wrt()] if isinstance(case.wrt(), str) else case.wrt()
    product = names_of(golden.emit(case, tmp_path, mode="hvp"))[f"{case.function}_hvp"]
    slope = names_of(golden.emit(case, tmp_path, mode="grad"))[f"{case.function}_grad"]
    failures, _ = quietly(failures_of_products, product, slope, given, wrt, 1e-8)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("row", [r for r in CORPUS if r.where not in REFUSED],
                         ids=[r.where for r in CORPUS if r.where not in REFUSED])  # fmt: skip
def test_the_products_of_the_corpus_agree_with_differences_of_its_gradients(row):
    given = row.arguments()
    location = f"{FOLDER / row.module}.py:{row.name}"
    product, slope = (
        names_of(emit_path(location, wrt=row.wrt, shapes=shapes_of(given), mode=m))[
            f"{row.name}_{m}"
        ]
        for m in ("hvp", "grad")
    )
    failures = failures_of_products(product, slope, given, row.wrt, 1e-6)
    assert not failures, "\n".join(failures)


def test_several_results_that_no_parameter_leads_to_have_no_tangents():
    def f(x):
        ones = np.linalg.matrix_power(x, 0) + 2.0 * np.eye(2)
        w, v = np.linalg.eigh(ones)
        return np.linalg.slogdet(ones)[1] + np.sum(w * v) + np.sum(x**2)

    x, along = np.array([[1.0, 2.0], [0.5, 3.0]]), np.array([[1.0, -1.0], [2.0, 0.5]])
    value, slope = gradgen.jvp(f, shapes="x=2 2")(x, along)
    assert value == f(x) and slope == np.sum(2.0 * x * along)
