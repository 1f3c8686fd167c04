"""The matrix of operations: every row, in both precisions, over ranks and broadcast patterns.

The derivative of a row as a function of numbers is proved elsewhere (test_ops, test_special); here
the adjoints of arrays are held against it lane by lane, summed over what was broadcast.
"""

import importlib
import warnings

import numpy as np
import pytest
from test_structural import compare, define, title

import gradgen
from gradgen.errors import GradgenError
from gradgen.ops import OPS
from gradgen.read import parse_shapes, read_live

HEAD = "import numpy as np\nimport scipy.special\nimport scipy.linalg\n\n\n"
FAMILIES = ("structural", "statistics", "moves", "creation", "linalg", "order", "indexing",
            "special", "ufuncs")  # fmt: skip
RANKS = [(), (3,), (2, 3), (2, 3, 4)]
PAIRS = [((), ()), ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)),
         ((2, 3, 4), (3, 1)), ((1,), (2, 3)), ((2, 3, 4), ()), ((1, 1), (2, 3, 4)),
         ((2, 3), (2, 3))]  # fmt: skip
TRIPLES = [((), (), ()), ((2, 3), (3,), ()), ((3,), (2, 1), (2, 3)), ((2, 3, 4), (3, 1), (4,))]
PATTERNS = {1: [(s,) for s in RANKS], 2: PAIRS, 3: TRIPLES}
# Where the operands of a row are taken from: the first range in which its value is finite.
RANGES = [(0.3, 0.9), (1.2, 1.9), (-0.9, -0.3), (2.1, 2.9)]
# Rows of which an operand has to be an integer: tested by their families.
# Rows whose adjoint is never asked for: what they compute is constant.
WITHOUT = {"any", "all", "axis_size", "item_count", "zeros", "ones", "zeros_like", "ones_like"}
# Rows with tests of their own: functions of Python numbers (test_ufuncs), masks (test_indexing),
# what a user says of derivatives (test_directives), determinants below a logarithm (test_linalg).
ELSEWHERE = {"math_dist", "math_frexp", "math_fsum", "math_hypot", "math_modf", "math_prod",
             "math_sumprod", "extract", "custom_rule", "opaque", "stop_gradient",
             "regular_det"}  # fmt: skip
INTEGERS = {"ldexp", "polygamma", "yn", "kn", "expn"}


def spelled(name, operands):
    """A call of a row, or its operator."""
    row = OPS[name]
    if row.infix:
        return f"{operands[0]} {row.infix} {operands[1]}"
    if row.prefix:
        return f"{row.prefix}{operands[0]}"
    call = row.call.replace("numpy.", "np.").replace("builtins.", "")
    return f"{call}({', '.join(operands)})"


def elementwise():
    """The rows with derivatives by lane that can be called on arrays."""
    for name, row in OPS.items():
        if not row.elementwise or row.d is None or name in INTEGERS:
            continue
        count = row.arity if not callable(row.d) else 2
        dotted = row.call or ("+" if row.infix or row.prefix else "")
        if dotted and not dotted.startswith(("math.", "builtins.")):
            yield name, count


def operands(name, count, shapes, dtype, rng):
    """Arrays in the domain of a row; None where no range gives finite values."""
    f = define(f"{HEAD}def f(x, y, z):\n    return {spelled(name, 'xyz'[:count])}\n")
    for low, high in RANGES:
        arrays = [np.asarray(rng.uniform(low, high, s)) for s in shapes]
        # operands that are apart from each other: no ties, and bounds in their order
        arrays = [(a + 0.037 * k).astype(dtype) for k, a in enumerate(arrays)]
        with np.errstate(all="ignore"):
            value = f(*[*arrays, None, None][:3])
        if np.all(np.isfinite(value)) and np.asarray(value).dtype.kind == "f":
            return arrays
    return None


ROWS = list(elementwise())


@pytest.mark.parametrize(("name", "count"), ROWS, ids=[name for name, _ in ROWS])
def test_the_adjoints_of_arrays_are_those_of_their_lanes(name, count):
    names = "xyz"[:count]
    text = spelled(name, names)
    lanes = define(f"{HEAD}def f({', '.join(names)}):\n    return {text}\n")
    whole = define(f"{HEAD}def f({', '.join(names)}, w):\n    return np.sum(w * ({text}))\n")
    active = tuple(n for n, rule in zip(names, rules_of(name, count), strict=True) if rule)
    if not active:
        return
    try:
        partials = gradgen.grad(lanes, wrt=active, shapes=dict.fromkeys(names, "scalar"))
    except GradgenError as refusal:
        assert "has no derivative" in str(refusal) or "refused" in str(refusal) or OPS[name].why
        return
    rng = np.random.default_rng(11)
    checked = 0
    for shapes in PATTERNS[count]:
        for dtype in (np.float64, np.float32):
            given = operands(name, count, shapes, dtype, rng)
            if given is None:
                continue
            full = np.broadcast_arrays(*given)
            w = rng.uniform(0.5, 1.5, full[0].shape).astype(dtype)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = gradgen.grad(whole, wrt=active)(*given, w)
            exact = partials(*(a.astype(np.float64) for a in full))
            for n, have, partial in zip(active, found, exact, strict=True):
                x = given[names.index(n)]
                want = summed_to(w * np.broadcast_to(partial, full[0].shape), x.shape)
                assert have.shape == x.shape and have.dtype == dtype, (shapes, dtype, n)
                tolerance = 100 * np.finfo(dtype).eps * max(1.0, float(np.max(np.abs(want))))
                # float32 operands are rounded before a condition number sees them
                tolerance *= 1 if dtype is np.float64 else 30
                np.testing.assert_allclose(have, want, rtol=0, atol=tolerance)
            checked += 1
    assert checked >= len(PATTERNS[count]), f"only {checked} patterns of {name} were in its domain"


def rules_of(name, count):
    """The derivative texts of a row for arrays of unknown values."""
    row = OPS[name]
    if callable(row.d):
        from gradgen.types import Type

        return row.d([Type("array", "float64", (3,))] * count, [None] * count)
    return row.d


def summed_to(values, shape):
    """The sum over the axes along which an array of this shape was broadcast."""
    while values.ndim > len(shape):
        values = values.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1 and values.shape[axis] != 1:
            values = values.sum(axis=axis, keepdims=True)
    return values


def family_cases():
    """Every (statements, expression, shapes) of the families' tables."""
    for family in FAMILIES:
        for case in importlib.import_module(f"test_{family}").CASES:
            yield case[1], case[2], case[3]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_match_in_every_combination_of_uses_dtypes_and_shapes(family):
    failures = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", gradgen.ZeroDerivativeWarning)
        for case in importlib.import_module(f"test_{family}").CASES:
            _, before, line, shapes, how = case
            how = "real" if "logaddexp" in line else how  # it takes no complex numbers
            for inner in (False, True):
                found = compare(before, line, shapes, how, inner, every=True)
                failures += [f"{title(case)}: {text}" for text in found]
    assert not failures, "\n".join(failures)


def operations_in(before, line, shapes):
    """The operations that the graph of a case holds; none where the case needs its own names."""
    body = "".join(f"    {s}\n" for s in before.splitlines())
    head = HEAD + "from scipy.special import logsumexp\nimport math\nW = 1.0\n"
    f = define(f"{head}def f({', '.join(shapes)}):\n{body}    return {line}\n")
    declared = ", ".join(f"{n}={' '.join(map(str, s)) or '()'}" for n, s in shapes.items())
    try:
        return set(read_live(f, parse_shapes(declared)).ops)
    except GradgenError:
        return set()


def test_every_row_with_a_derivative_has_a_case_in_its_family():
    rows = {name for name, row in OPS.items() if row.vjp or row.adjoint or row.defined}
    for case in family_cases():
        if rows:
            rows -= operations_in(*case)
    assert rows - WITHOUT - ELSEWHERE == set()
