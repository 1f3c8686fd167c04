"""Every ufunc of NumPy and every function of `math`: supported, without derivative, or refused."""

import itertools
import linecache
import math
import warnings

import numpy as np
import pytest
from test_structural import arguments, compare, differences, title

import gradgen
from gradgen.definitions import elementwise, numbers
from gradgen.ops import CALLS, OPS
from gradgen.ops.written import infer_written
from gradgen.read import parse_shapes, read_live

HEAD = "import math\nimport numpy as np\n\n\n"
UFUNCS = sorted(n for n in dir(np) if isinstance(getattr(np, n), np.ufunc))
# Masks, and what is piecewise constant in all of its arguments.
FLAT = {
    "ceil", "equal", "floor", "floor_divide", "greater", "greater_equal", "isfinite", "isinf",
    "isnan", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor",
    "not_equal", "rint", "sign", "signbit", "trunc",
}  # fmt: skip
# NumPy takes integers and masks only.
INTEGERS = {
    "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "gcd", "invert", "lcm", "left_shift",
    "right_shift",
}  # fmt: skip
# Refused where an active value goes through them, with the reason.
WITHOUT = {"nextafter": "moves by one rounding error", "spacing": "is a rounding error"}
REFUSED = {"isnat"}
# Products of stacks of matrices and vectors, tested with the other products.
STACKS = {"matmul", "matvec", "vecdot", "vecmat"}
PAIRS = {"divmod", "frexp", "modf"}


def define(text):
    path = f"<ufuncs {hash(text)}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    names = {}
    exec(compile(text, path, "exec"), names)
    return names["f"]


def of(line, names="x"):
    return define(f"{HEAD}def f({names}):\n    return {line}\n")


def test_the_table_of_ufuncs_is_complete():
    smooth = set(UFUNCS) - FLAT - INTEGERS - set(WITHOUT) - REFUSED - STACKS
    assert {f"numpy.{n}" for n in smooth} <= CALLS.keys()
    assert not {f"numpy.{n}" for n in REFUSED} & CALLS.keys()


@pytest.mark.parametrize("name", [n for n in UFUNCS if n not in STACKS | REFUSED])
def test_a_ufunc_has_the_derivative_that_differences_give_or_is_refused(name):
    ufunc = getattr(np, name)
    operands = "x, y"[: 3 * ufunc.nin - 2]
    shapes = dict.fromkeys(operands.split(", "), (3,))
    line = f"np.{name}({operands})"
    if name in INTEGERS | WITHOUT.keys():
        with pytest.raises(gradgen.SourceError, match=WITHOUT.get(name, "integers")):
            gradgen.grad(
                of(f"np.sum({line} * 1.0 * x)", operands), shapes=dict.fromkeys(shapes, "n")
            )
        if name in INTEGERS:
            f = of(f"np.sum({line} * z)", f"{operands}, z")
            whole = {n: np.array([1, 5, 6]) + k for k, n in enumerate(shapes)}
            given = {**whole, "z": np.array([0.5, 1.5, 2.5])}
            declared = {**dict.fromkeys(shapes, "n:int64"), "z": "n"}
            np.testing.assert_array_equal(
                gradgen.grad(f, wrt="z", shapes=declared)(**given), ufunc(*whole.values())
            )
        return
    if name == "ldexp":
        line, shapes = "np.ldexp(x, np.arange(3))", {"x": (3,)}
    if name in ("arccosh", "acosh"):
        line = f"np.{name}(x + 1.0)"
    if name in ("arcsin", "arccos", "arctanh", "asin", "acos", "atanh"):
        line = f"np.{name}(0.5 * x)"
    failures = []
    for picked in (f"{line}[0]", f"{line}[1]") if name in PAIRS else (line,):
        failures += compare("", f"({picked}) * x", shapes, "real", False)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_ufunc_that_is_not_supported_is_refused_with_the_nearest_one(name):
    with pytest.raises(gradgen.SourceError, match=f"numpy.{name} is not supported") as refused:
        gradgen.grad(of(f"np.sum(np.{name}(x))"), shapes="x=n")
    assert "the nearest supported function is numpy." in str(refused.value)


# -- types -----------------------------------------------------------------------------------------

MADE = {
    "float64": "x * 1.0", "float32": "x.astype(np.float32)", "int64": "np.arange(1, 4)",
    "int16": "np.arange(1, 4).astype(np.int16)", "bool": "x > 0", "int": "2", "float": "0.5",
    "float32 scalar": "np.float32(0.5)",
}  # fmt: skip
TYPED = [n for n in UFUNCS if n not in STACKS | REFUSED and n != "divmod"] + [
    "round", "around", "fix", "nan_to_num", "clip", "isposinf", "isclose", "real", "imag", "i0",
]  # fmt: skip
# Of Python numbers these give Python's own: the reader takes them for the operators.
OPERATORS = {op.call or a for op in OPS.values() if op.infix or op.prefix
             for a in (op.call, *op.aliases)}  # fmt: skip


@pytest.mark.parametrize("name", TYPED)
def test_the_type_is_what_numpy_gives(name):
    function = getattr(np, name)
    count = getattr(function, "nin", {"clip": 3, "isclose": 2}.get(name, 1))
    wrong = []
    for kinds in itertools.product(MADE, repeat=count):
        if count == 3 and len(set(kinds)) > 2:
            continue
        if all(k in ("int", "float") for k in kinds):
            continue
        f = of(f"np.{name}({', '.join(MADE[k] for k in kinds)})")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made = f(np.array([0.3, 0.5, 0.9]))
            except (TypeError, OverflowError):
                continue  # NumPy refuses it
        graph = read_live(f, parse_shapes("x=3"))
        made = made if isinstance(made, tuple) else (made,)
        held = graph.results if isinstance(graph.results, tuple) else (graph.results,)
        for node, value in zip(held, made, strict=True):
            found = graph.types[node]
            kind = "array" if isinstance(value, np.ndarray) else "scalar"
            if (found.kind, found.dtype, found.shape) != (kind, str(value.dtype), value.shape):
                wrong.append((kinds, found.kind, str(found), kind, str(value.dtype), value.shape))
    assert not wrong, wrong


# -- functions like ufuncs, and the methods of ufuncs ----------------------------------------------

RANKS = {0: (), 1: (3,), 2: (2, 3), 3: (2, 3, 4)}
CASES = [
    ("round", "", "x.round() * x + np.round(x, 0) * x", {"x": (2, 3)}, "real"),
    ("around", "", "np.around(x) * x", {"x": (3,)}, "real"),
    ("nan_to_num", "", "np.nan_to_num(x) * x", {"x": (2, 3)}, "real"),
    ("nan_to_num", "", "np.nan_to_num(x / y, nan=0.5, posinf=2.0)", {"x": (3,), "y": (3,)}, "real"),
    ("nan_to_num", "", "np.nan_to_num(x * np.array([1.0, np.nan, np.inf]), nan=y, posinf=y * y)",
     {"x": (3,), "y": ()}, "real"),
    ("nan_to_num", "", "np.nan_to_num(x, neginf=-1.0) * x", {"x": ()}, "real"),
    *(("modf", "w, v = np.modf(9.0 * x)", "w * v * x", {"x": s}, "real") for s in RANKS.values()),
    *(("frexp", "m, e = np.frexp(9.0 * x)", "m * e * x", {"x": s}, "real") for s in RANKS.values()),
    ("frexp", "", "np.frexp(x)[1] * x", {"x": (3,)}, "real"),
    ("isclose", "", "np.isclose(x, x[0], rtol=0.5) * x", {"x": (3,)}, "real"),
    ("allclose", "", "np.allclose(x, 1.0, atol=9.0) * x", {"x": (3,)}, "real"),
    ("conj", "", "np.conj(x) * np.conjugate(x) * x.conj() * x.conjugate()", {"x": (3,)}, "real"),
    ("real", "", "x.real * np.real(x) + x.imag + np.imag(x)", {"x": (2, 3)}, "real"),
    ("clip", "", "x.clip(0.7, 1.2) * np.clip(x, min=0.7, max=y) * np.clip(x, None, 1.0)",
     {"x": (2, 3), "y": (3,)}, "real"),
    ("clip", "", "x.clip(max=1.2) * x.clip(0.7) * np.clip(x, a_min=y, a_max=None)",
     {"x": (2, 3), "y": ()}, "real"),
    ("divmod", "q, r = divmod(x, y)", "q * r", {"x": (2, 3), "y": (3,)}, "real"),
    ("divmod", "q, r = np.divmod(x, 0.3)", "q * r", {"x": (3,)}, "real"),
    *(("logaddexp_reduce", "", f"np.logaddexp.reduce(x{words})", {"x": s}, "complex")
      for words, s in (("", (3,)), ("", (2, 3)), (", axis=1", (2, 3)), (", -1", (2, 3, 4)),
                       (", 1, keepdims=True", (2, 3)))),
    *(("reduce", "", f"np.{name}.reduce(x{words})", {"x": s}, "real")
      for name in ("add", "multiply", "maximum", "minimum")
      for words, s in (("", (3,)), ("", (2, 3)), (", axis=-1", (2, 3)), (", axis=None", (3,)),
                       (", 1, keepdims=True", (2, 3, 4)))),
    *(("accumulate", "", f"np.add.accumulate(x{words})", {"x": s}, "complex")
      for words, s in (("", (3,)), ("", (2, 3)), (", axis=1", (2, 3)))),
    *(("outer", "", f"np.{name}.outer(x, y)", {"x": s, "y": t}, "real")
      for name in ("subtract", "multiply", "power", "arctan2", "maximum", "hypot", "copysign")
      for s, t in (((2,), (3,)), ((2, 3), (2,)), ((), (3,)))),
    ("outer", "", "np.greater.outer(x, x) * x", {"x": (3,)}, "real"),
    ("at", "u = x * x\nnp.subtract.at(u, np.array([0, 0, 2]), x)", "u", {"x": (3,)}, "complex"),
]  # fmt: skip


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("case", CASES, ids=title)
def test_gradients_match_the_users_function(case, inner):
    _, before, line, shapes, how = case
    if "logaddexp" in line:
        how = "real"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", gradgen.ZeroDerivativeWarning)
        failures = compare(before, line, shapes, how, inner)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("line", [
    "np.round(x, 2)", "np.round(x, decimals=-1)", "x.round(1)", "np.around(x, 2)", "np.round(x, k)",
])  # fmt: skip
def test_what_is_rounded_to_decimals_is_constant_around_each_point(line):
    f = define(f"{HEAD}k = 1\n\n\ndef f(x):\n    return np.sum({line} * x)\n")
    for x in (np.array([1.234, -15.678, 3.0]), np.array([[1.26]], np.float32)):
        value, d_x = gradgen.value_and_grad(f)(x)
        want = eval(line, {"np": np, "x": x, "k": 1})
        assert value.tobytes() == np.sum(want * x).tobytes()
        np.testing.assert_array_equal(d_x, want)
        assert d_x.dtype == x.dtype


@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "minimum"])
def test_a_reduction_by_a_ufunc_is_to_the_bit_the_one_that_is_emitted(name):
    rng = np.random.default_rng(5)
    emitted = {"add": np.sum, "multiply": np.prod, "maximum": np.max, "minimum": np.min}[name]
    for shape in ((1,), (7,), (200,), (1003,), (40, 33), (5, 6, 7)):
        for dtype in (np.float64, np.float32):
            x = rng.standard_normal(shape).astype(dtype)
            for axis in (0, -1, None):
                ours = getattr(np, name).reduce(x, axis=axis)
                assert ours.tobytes() == emitted(x, axis=axis).tobytes()
                f = of(f"np.{name}.reduce(x, axis={axis})")
                graph = read_live(f, parse_shapes({"x": (*map(str, shape),)}))
                assert graph.types[graph.results].dtype == dtype.__name__ or dtype is np.float32


def test_a_value_is_to_the_bit_the_users_own():
    x, y = arguments({"x": (2, 3)}, np.float64)["x"], np.array([0.5, 2.0, 3.0])
    for line in (
        "np.pow(x, 2)", "np.pow(x, 0.5)", "np.float_power(x, y)", "np.fabs(x)", "np.round(x, 2)",
        "np.around(x, -1)", "np.fix(x)", "np.positive(x)", "np.fmod(x, y)", "np.copysign(x, y)",
        "np.logaddexp.reduce(x)", "np.power.outer(y, y)", "np.add.accumulate(x, axis=1)",
        "np.heaviside(x - 1, 0.5)", "np.nan_to_num(x)", "np.ldexp(x, 3)", "np.conjugate(x)",
    ):  # fmt: skip
        f = of(f"np.sum({line} * x[0, 0])", "x, y")
        value, _ = gradgen.value_and_grad(f, wrt="x", shapes="x=2 3, y=3")(x, y)
        assert value.tobytes() == f(x, y).tobytes(), line
        source = gradgen.value_and_grad(f, wrt="x", shapes="x=2 3, y=3").source
        name = line.partition("(")[0].replace("np.pow", "np.power")
        assert name in source or name.endswith((".outer", ".accumulate", "positive")), line


@pytest.mark.parametrize(("line", "said", "hint"), [
    ("np.exp(x, out=(x,))", "numpy.exp: the keyword out is not supported", "store the result"),
    ("np.exp(x, where=x > 0)", "the keyword where is not", "np.where(condition, numpy.exp(...)"),
    ("np.add(x, x, dtype=np.float32)", "the keyword dtype is not", ".astype(...)"),
    ("np.clip(x, 0.0, 1.0, out=x)", "unexpected keyword argument 'out'", "store the result"),
    ("np.add.reduce(x, initial=1.0)", "'initial'", "combine the result"),
    ("np.add.reduce(x, where=x > 0)", "'where'", "np.where(condition"),
    ("np.round(x, out=x)", "'out'", "store the result"),
    ("np.subtract.reduce(x)", "numpy.subtract.reduce is not supported", "nearest supported"),
    ("np.hypot.accumulate(x)", "numpy.hypot.accumulate is not supported", "nearest supported"),
    ("np.multiply.at(x, 0, 2.0)", "multiply.at is not supported", ""),
    ("np.add.reduceat(x, [0])", "numpy.add.reduceat is not supported", "numpy.add.reduce"),
    ("np.angle(x)", "numpy.angle is not supported", "np.where(x < 0, np.pi, 0.0)"),
    ("np.nan_to_num(x, copy=False)", "changes its argument", "leave copy= out"),
    ("np.i0(x)", "has a derivative that needs SciPy: use scipy.special.i0", ""),
    ("np.nextafter(x, 1.0)", "moves by one rounding error", ""),
    ("np.ldexp(2.0, x)", "the exponent of ldexp is an integer", ""),
    ("np.left_shift(x, 1)", "takes integers or masks", ""),
])  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(line, said, hint):
    with pytest.raises(gradgen.SourceError) as refused:
        gradgen.grad(of(f"np.sum({line})"), shapes="x=n")
    assert said in str(refused.value)
    assert hint in str(refused.value)
    assert refused.value.lineno == 6


# -- the functions of the math module --------------------------------------------------------------

MATH = sorted(n for n in dir(math) if callable(getattr(math, n)) and not n.startswith("_"))
MATH_INTEGERS = {"comb", "factorial", "gcd", "isqrt", "lcm", "perm"}
MATH_WITHOUT = {
    "gamma": "needs SciPy", "lgamma": "needs SciPy", "nextafter": "one rounding error",
    "ulp": "is a rounding error",
}  # fmt: skip
MATH_LINES = {
    "acosh": "math.acosh(x + 2.0)", "asin": "math.asin(x / 3)", "acos": "math.acos(x / 3)",
    "atanh": "math.atanh(x / 3)", "dist": "math.dist([x, y, 1.0], (y, 2.0, x))",
    "frexp": "math.frexp(x)[0] * math.frexp(x)[1]", "fsum": "math.fsum([x, y, x * y, 2.0])",
    "hypot": "math.hypot(x, y, x * y) + math.hypot(x) + math.hypot(x, y)",
    "isclose": "math.isclose(x, y, rel_tol=1e-9) + x", "ldexp": "math.ldexp(x, 3)",
    "log": "math.log(x) + math.log(x, y)", "modf": "math.modf(x)[0] * math.modf(x)[1]",
    "prod": "math.prod([x, y, x], start=2.0)", "sumprod": "math.sumprod([x, y], [y, x * y])",
    "fma": "math.fma(x, y, x)", "trunc": "math.trunc(x) * x", "floor": "math.floor(x) * x",
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in MATH if n not in MATH_INTEGERS])
def test_a_function_of_math_has_the_derivative_that_differences_give_or_is_refused(name):
    if name in MATH_WITHOUT:
        line = f"math.{name}(x, y)" if name == "nextafter" else f"math.{name}(x)"
        with pytest.raises(gradgen.SourceError, match=MATH_WITHOUT[name]):
            gradgen.grad(of(f"{line} + y", "x, y"), wrt=("x", "y"), shapes="x=scalar, y=scalar")
        return
    binary = name in ("atan2", "copysign", "fmod", "pow", "remainder")
    line = MATH_LINES.get(name, f"math.{name}(x, y)" if binary else f"math.{name}(x)")
    f = of(f"({line}) * x + y", "x, y")
    given = {"x": 1.3, "y": 1.7}
    gradient = gradgen.value_and_grad(f, wrt=("x", "y"), shapes="x=scalar, y=scalar")
    value, found = gradient(**given)
    assert value == f(**given)
    for n, have in zip("xy", found, strict=True):
        arrays = {k: np.float64(v) for k, v in given.items()}
        want = differences(lambda W, **a: f(**{k: float(v) for k, v in a.items()}), {
            k: np.asarray(v) for k, v in arrays.items()}, None, n)  # fmt: skip
        assert float(have) == pytest.approx(float(want), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize(("line", "value"), [
    ("math.comb(5, 2)", 10), ("math.perm(5, 2)", 20), ("math.perm(4)", 24), ("math.gcd(12, 18)", 6),
    ("math.gcd(12, 18, 4)", 2), ("math.lcm(4, 6)", 12), ("math.isqrt(17)", 4),
    ("math.factorial(5)", 120),
])  # fmt: skip
def test_an_integer_function_of_math_is_a_number_known_while_compiling(line, value):
    f = of(f"x * {line} + np.sum(np.ones({line}) * x)")
    assert gradgen.grad(f, wrt="x", shapes="x=scalar")(1.5) == 2 * value
    name = line.partition("(")[0]
    two = ", 2" if name.endswith(("comb", "gcd", "lcm")) else ""
    with pytest.raises(gradgen.SourceError, match="takes integers"):
        gradgen.grad(of(f"x * {name}(x{two})"), shapes="x=scalar")


def test_every_function_of_math_is_in_the_table():
    known = set(MATH) - {n for n in MATH if f"math.{n}" in CALLS}
    assert known == set()


@pytest.mark.parametrize(
    ("line", "at"), [("math.hypot(x, y, 0.0)", 0.0), ("math.dist([x], [y])", 1.0)]
)
def test_a_norm_of_zero_has_gradient_zero(line, at):
    f = of(line, "x, y")
    found = gradgen.grad(f, wrt=("x", "y"), shapes="x=scalar, y=scalar")(at, at)
    assert [float(g) for g in found] == [0.0, 0.0]


def test_math_functions_take_arrays_and_generators_as_sequences():
    f = of("math.fsum(x) + math.prod(x) + math.fsum(v * v for v in x) + math.dist(x, [1.0, 1.0])")
    x = np.array([1.5, 3.0])
    norm = np.hypot(0.5, 2.0)
    want = 1.0 + x[::-1] + 2 * x + np.array([0.5, 2.0]) / norm
    np.testing.assert_allclose(gradgen.grad(f, shapes="x=2")(x), want, rtol=1e-15)
    np.testing.assert_allclose(gradgen.grad(f)(x), want, rtol=1e-15)


# -- the definitions are real code -----------------------------------------------------------------


def test_the_definitions_compute_what_the_library_does():
    x = np.array([1.5, -2.25, np.nan, np.inf, -np.inf])
    for words in ({}, {"nan": 3.0}, {"posinf": 1.0, "neginf": -1.0}):
        for dtype in (np.float64, np.float32):
            have = elementwise.nan_to_num(x.astype(dtype), **words)
            np.testing.assert_array_equal(have, np.nan_to_num(x.astype(dtype), **words))
    for have, want in zip(elementwise.modf(x[:2]), np.modf(x[:2]), strict=True):
        np.testing.assert_array_equal(have, want)
    p, q = [1.5, 2.0, -3.0], [0.5, 1.0, 2.0]
    assert numbers.fsum(p) == math.fsum(p)
    assert numbers.prod(p, start=2.0) == math.prod(p, start=2.0)
    assert numbers.dist(p, q) == math.dist(p, q)
    assert numbers.sumprod(p, q) == math.fsum(a * b for a, b in zip(p, q, strict=True))


def test_every_written_call_of_these_families_has_a_case():
    from gradgen.ops import pythonmath, ufuncs

    homes = (ufuncs.__name__, pythonmath.__name__)
    written = {n for n, op in OPS.items() if op.infer is infer_written
               and getattr(op.result, "__module__", "") in homes}  # fmt: skip
    cases = {case[0] for case in CASES} | {n for n in written if n.startswith("math_")}
    assert written - cases <= {"array_equal", "array_equiv", "round_decimals", "around_decimals"}
