"""Elementwise operations: derivatives against SymPy, emitted gradients against mpmath.

The tests run over the op table: a new row is picked up by itself. A derivative text is translated
node by node, floats as exact rationals, and compared with SymPy's derivative of the row's `sympy`
text on the smooth piece that a sample point lies in (which branch of `where`, `Max`, `Abs`,
`floor`).
"""

import itertools
import linecache
import math
import random
import warnings
from functools import cache

import mpmath
import numpy as np
import pytest
import sympy
from sympy.parsing.sympy_parser import parse_expr

import gradgen
from gradgen.ops import OPS
from gradgen.ops.written import infer_written
from gradgen.rules import compiled, mentions
from gradgen.types import FLOAT, Type

DIGITS = 50
SYMBOLS = dict(zip("xyz", sympy.symbols("x y z", real=True), strict=True))
G = sympy.Symbol("g", real=True)
# An adjoint that is not 1: a text that ignores `g` is wrong.
SEED = sympy.Rational(-7, 5)
# The doubles nearest to these numbers stand for the numbers themselves.
IRRATIONAL = {
    float(n): n
    for n in (sympy.log(2), sympy.log(10), 2 / sympy.sqrt(sympy.pi), -2 / sympy.sqrt(sympy.pi))
}
# Rows whose `sympy` text is another function than their name's, on part of the domain.
REAL_ROOT = {"cbrt": "sign(x) * Abs(x) ** (1/3)"}
# Rows without a `sympy` text that have a derivative; the oracle of each is in this file.
OTHER_ORACLE = {"where", "heaviside", "ldexp", "math_remainder"}
# A derivative text that is a series on part of the domain, and its relative error there.
SERIES = {"sinc": 2e-17}
# Calls that stay as they are written are in the tests of their family, and so are the special
# functions that SymPy does not know.
ELEMENTWISE = [
    name for name, op in OPS.items()
    if op.d is not None and op.infer is not infer_written
    and (op.sympy or not op.call.startswith("scipy.special.")) and name != "riemann_zeta"
]  # fmt: skip
CONSTANTS = (0, 1, -1, 0.5, 2, 3, 4, 5, -2, 2.5, -0.5, 1.5)
EDGES = (1e-300, 1e-8, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0, 1 + 1e-9, 2.0, 30.0, 700.0)


def rules_of(name):
    """Every choice of derivative texts of a row: (texts, known values of the operands)."""
    op = OPS[name]
    if isinstance(op.d, tuple):
        yield op.d, (None,) * len(op.d)
        if op.alone:
            yield op.alone, (None,) * len(op.alone)
        return
    seen = set()
    for types in ((FLOAT, FLOAT), (Type("scalar", "float64"),) * 2):
        for fixed in (
            (None, None),
            *((None, c) for c in CONSTANTS),
            *((c, None) for c in CONSTANTS),
        ):
            texts = op.d(types, fixed)
            if (texts, fixed) not in seen:
                seen.add((texts, fixed))
                yield texts, fixed


@cache
def formula(name):
    """The SymPy expression of a row, over x, y, z."""
    text = REAL_ROOT.get(name, OPS[name].sympy)
    if text.isidentifier() and text not in SYMBOLS:
        text = f"{text}(x)" if OPS[name].arity == 1 else f"{text}(x, y)"
    return parse_expr(text, local_dict=dict(SYMBOLS), evaluate=True)


def exact(value):
    """A float as the rational that it is, or the irrational number that it is nearest to."""
    if isinstance(value, float) and not math.isfinite(value):
        return sympy.oo if value > 0 else -sympy.oo if value < 0 else sympy.nan
    return IRRATIONAL.get(value, sympy.Rational(value))


def piece(expression, point):
    """The smooth expression that stands for another around a point: kinks are decided."""

    def decide(e):
        args = [decide(a) for a in e.args]
        at = [sympy.re(a.subs(point).evalf(30)) for a in args]
        if isinstance(e, sympy.Abs):
            return args[0] if at[0] > 0 else -args[0]
        if isinstance(e, sympy.sign):
            return sympy.Integer(1 if at[0] > 0 else -1)
        if isinstance(e, sympy.floor):
            return sympy.Integer(math.floor(at[0]))
        if isinstance(e, (sympy.Max, sympy.Min)):
            best = max if isinstance(e, sympy.Max) else min
            return args[at.index(best(at))]
        return e.func(*args) if args else e

    return decide(expression)


def translated(text, point, out):
    """A derivative text as a SymPy expression, on the piece that the point lies in."""
    rule = compiled(text)
    column = []

    def number(node):
        return sympy.re(column[node].subs({**point, G: SEED}).evalf(30))

    compare = {"lt": "__lt__", "le": "__le__", "gt": "__gt__", "ge": "__ge__"}
    for node, (op, args) in enumerate(zip(rule.ops, rule.args, strict=True)):
        attr = rule.attrs[node]
        if op == "param":
            value = {"g": G, "out": out, **SYMBOLS}[attr[0]]
        elif op == "const":
            value = exact(attr)
        elif op == "constant":
            value = {"numpy.pi": sympy.pi, "numpy.inf": sympy.oo}[attr]
        elif op in compare:
            value = getattr(number(args[0]), compare[op])(number(args[1])) == True  # noqa: E712
        elif op == "eq":
            value = bool(number(args[0]) == number(args[1]))
        elif op == "bitand":
            value = column[args[0]] and column[args[1]]
        elif op == "where":
            value = column[args[1]] if column[args[0]] else column[args[2]]
        elif op == "power" and column[args[1]] == 0:
            value = sympy.Integer(1)
        else:
            names = dict(zip(SYMBOLS.values(), (column[a] for a in args), strict=False))
            value = piece(formula(op).subs(names, simultaneous=True), point)
        column.append(value)
    return column[rule.results]


def in_domain(name, values, exponent_known=False):
    """Whether the operands lie in the domain that the row names, and the value is a finite real."""
    if name in ("power", "float_power") and values[0] <= 0 and not exponent_known:
        return False  # d/dy is out of domain there: see the kinks
    if OPS[name].domain and not eval(OPS[name].domain, dict(zip("xyz", values, strict=False))):
        return False
    expression = formula(name).subs(dict(zip(SYMBOLS.values(), map(exact, values), strict=False)))
    value = expression.evalf(20)
    return bool(value.is_real and value.is_finite)


def points(name, fixed, count, rng):
    """Random operands in the domain of a row: rational numbers away from kinks."""
    found, tries = [], 0
    arity = len(fixed)
    while len(found) < count and tries < 400:
        tries += 1
        scale = rng.choice((0.1, 1.0, 1.0, 5.0))
        values = [round(rng.uniform(-1, 1) * scale, 6) for _ in range(arity)]
        if name == "polygamma":
            values[0] = rng.randint(1, 4)
        values = [v if f is None else f for v, f in zip(values, fixed, strict=True)]
        if in_domain(name, values, fixed[-1] is not None):
            found.append(values)
    return found


PROVED = {"symbolic": set(), "digits": set()}


def difference(name, text, position, values):
    """(derivative text - SymPy's derivative), and SymPy's, around a point."""
    point = {SYMBOLS[n]: sympy.Rational(v) for n, v in zip("xyz", values, strict=False)}
    smooth = piece(formula(name), point)
    wanted = G * sympy.diff(smooth, SYMBOLS["xyz"[position]])
    have = sympy.Integer(0) if text is None else translated(text, point, smooth)
    return have - wanted, wanted, point


def vanishes(expression, point):
    """Whether SymPy proves an expression zero; it is not asked about what a number refutes."""
    if expression == 0 or sympy.expand(expression) == 0:
        return True
    if abs(expression.subs({**point, G: SEED}).evalf(DIGITS)) > 1e-40:
        return False
    expression = sympy.powsimp(sympy.together(expression.rewrite(sympy.exp)), force=True)
    return sympy.count_ops(expression) < 80 and sympy.simplify(expression) == 0


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_derivative_text_is_sympys_derivative(name):
    if not OPS[name].sympy:
        rules, _ = next(rules_of(name))
        assert name in OTHER_ORACLE or not any(rules), f"{name} needs a sympy text"
        return
    rng = random.Random(name)
    checked, known = 0, {}
    for texts, fixed in rules_of(name):
        for values in points(name, fixed, 6 if None in fixed else 1, rng):
            for position, text in enumerate(texts):
                if fixed[position] is not None:
                    continue
                if text == "":
                    continue  # refused where it is active
                rest, wanted, point = difference(name, text, position, values)
                rest = rest.subs({SYMBOLS[n]: exact(f) for n, f in
                                  zip("xyz", fixed, strict=False) if f is not None})  # fmt: skip
                if rest not in known:
                    known[rest] = name not in SERIES and vanishes(rest, point)
                checked += 1
                if known[rest]:
                    PROVED["symbolic"].add((name, text))
                    continue
                error = abs(rest.subs({**point, G: SEED}).evalf(DIGITS))
                size = abs(wanted.subs({**point, G: SEED}).evalf(DIGITS))
                bound = SERIES.get(name, 1e-45)
                assert error <= bound * max(size, 1e-3), (name, text, values, error, size)
                PROVED["digits"].add((name, text))
    assert checked, f"no point of the domain of {name} was found"


CALLABLE = {
    name: [f"x {op.infix} y"] if op.infix else [f"{op.prefix}x"] if op.prefix else []
    for name, op in ((n, OPS[n]) for n in ELEMENTWISE)
}
for _name, _op in ((n, OPS[n]) for n in ELEMENTWISE):
    _operands = ", ".join("xyz"[: _op.arity])
    CALLABLE[_name] += [
        f"{dotted.replace('builtins.', '')}({_operands})"
        for dotted in (_op.call, *_op.aliases, _op.math)
        if dotted and not (dotted == "math.fma" and not hasattr(math, "fma"))
    ]  # fmt: skip
SPELLINGS = [(n, s) for n, all_of in CALLABLE.items() for s in all_of if OPS[n].sympy]
HEAD = "import math\nimport numpy\nimport scipy.special\n\n\n"


def define(text, name="f"):
    """The function in a text, with its source where `inspect` and gradgen find it."""
    path = f"<ops {text}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    names = {}
    exec(compile(text, path, "exec"), names)
    return names[name]


def function_of(name, spelling, weighted=False):
    """`f` of the operands of a row: a number, or the sum over the lanes of arrays."""
    signature = ", ".join("xyz"[: OPS[name].arity])
    body = f"numpy.sum({spelling})" if weighted else spelling
    return define(f"{HEAD}def f({signature}):\n    return {body}\n")


def evaluated(expression, values):
    """A SymPy expression at 50 digits."""
    with mpmath.workdps(DIGITS):
        names = dict(zip(SYMBOLS.values(), map(sympy.Rational, values), strict=False))
        return sympy.re(expression.subs(names).evalf(DIGITS))


@cache
def samples(name):
    """Operands at random and near the edges of the domain, one tuple a sample."""
    rng = random.Random(name)
    arity = OPS[name].arity
    found = points(name, (None,) * arity, 12, rng)
    signed = [s * e for e in EDGES for s in (1, -1)]
    pool = list(itertools.product(signed, repeat=arity))
    for values in rng.sample(pool, min(len(pool), 22)):
        if name == "polygamma" or (name == "sinc" and abs(values[0]) < 1e-8):
            continue  # too slow at 50 digits
        if in_domain(name, values) and smooth_at(name, values):
            found.append(list(values))
    return found


def smooth_at(name, values):
    """Whether the derivative exists at a point, and neither it nor the value overflows a double."""
    point = dict(zip(SYMBOLS.values(), map(sympy.Rational, values), strict=False))
    try:
        smooth = piece(formula(name), point)
        numbers = [abs(evaluated(smooth, values))]
        for n in "xyz"[: len(values)]:
            numbers += [abs(evaluated(smooth.diff(SYMBOLS[n]), values))]
    except (TypeError, ValueError):
        return False
    if any(not e.is_finite for e in numbers):
        return False
    if isinstance(formula(name), (sympy.Max, sympy.Min)) and len(set(values)) < len(values):
        return False  # a tie: see the test of the kinks
    return all(e < 1e300 for e in numbers)


def allowance(name, text, smooth, position, values, derivative):
    """64 eps times the condition: how far roundings of operands and of the value can carry."""
    terms = abs(derivative)
    for n, v in zip("xyz", values, strict=False):
        if name == "polygamma" and n == "x":
            continue
        terms += abs(v * evaluated(smooth.diff(SYMBOLS["xyz"[position]], SYMBOLS[n]), values))
    if text is not None and "out" in mentions(text):
        # a rule that reads `out` inherits its rounding
        out = sympy.Symbol("out", real=True)
        point = {SYMBOLS[n]: sympy.Rational(v) for n, v in zip("xyz", values, strict=False)}
        value = evaluated(smooth, values)
        if value != 0:
            rule = translated(text, {**point, out: value}, out).diff(out)
            terms += abs(value * rule.subs({**point, G: 1, out: value}).evalf(DIGITS))
    return 64 * 2.0**-52 * terms + 1e-307


@cache
def exact_at(name, texts):
    """The samples of a row, each with the derivatives at 50 digits and how far each may be off."""
    wrt = range(1 if name == "polygamma" else 0, OPS[name].arity)
    found = []
    for values in samples(name):
        point = dict(zip(SYMBOLS.values(), map(sympy.Rational, values), strict=False))
        smooth = piece(formula(name), point)
        wanted = [evaluated(smooth.diff(SYMBOLS["xyz"[k]]), values) for k in wrt]
        bounds = [
            allowance(name, texts[k], smooth, k, values, w)
            for k, w in zip(wrt, wanted, strict=True)
        ]
        found.append((values, wanted, bounds))
    return found


@pytest.mark.parametrize(("name", "spelling"), SPELLINGS)
def test_the_emitted_gradient_is_right_to_64_eps(name, spelling):
    if name == "clip" and "minimum" in spelling:
        return
    arity = OPS[name].arity
    wrt = tuple("xyz"[1 if name == "polygamma" else 0 : arity])
    f = function_of(name, spelling)
    texts = tuple(OPS[name].rules([FLOAT] * arity, [None] * arity))
    if not any(texts):
        return  # piecewise constant: see the test of the kinks
    declared = {n: "int" if name == "polygamma" and n == "x" else "scalar" for n in "xyz"[:arity]}
    scalar = gradgen.value_and_grad(f, wrt=wrt, shapes=declared)
    lanes = None
    if not spelling.startswith(("math.", "max(", "min(", "float(")) and name != "polygamma":
        whole = function_of(name, spelling, weighted=True)
        lanes = gradgen.grad(whole, wrt=wrt, shapes=dict.fromkeys("xyz"[:arity], "k"))
    for values, derivatives, bounds in exact_at(name, texts):
        given = [int(v) if t == "int" else float(v)
                 for v, t in zip(values, declared.values(), strict=True)]  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                value, gradients = scalar(*given)
            except OverflowError:
                assert spelling.startswith("math.") or "**" in spelling
                continue
        assert value == f(*given)
        found = [gradients]
        if lanes:
            result = lanes(*(np.full(9, v) for v in given))
            assert all(np.ptp(r) == 0 for r in result)
            found.append([r[0] for r in result])
        for gradient in found:
            for n, have, want, bound in zip(wrt, gradient, derivatives, bounds, strict=True):
                error = abs(sympy.Rational(float(have)) - want)
                assert error <= bound, (spelling, n, values, have, want, float(error / bound))


@pytest.mark.parametrize(("name", "spelling"), SPELLINGS)
def test_float32_stays_float32(name, spelling):
    arity = OPS[name].arity
    if spelling.startswith(("math.", "max(", "min(", "float(")) or name in (
        "polygamma",
        "sign",
        "float_power",
    ):
        return
    if not any(OPS[name].rules([FLOAT] * arity, [None] * arity)):
        return
    f = function_of(name, spelling, weighted=True)
    names = "xyz"[:arity]
    points_of = [v for v in samples(name) if max(map(abs, v)) < 20 and min(map(abs, v)) > 1e-3]
    values = [np.float32(v) for v in points_of[0]]
    function = gradgen.value_and_grad(f, wrt=tuple(names), shapes=dict.fromkeys(names, "3:float32"))
    value, gradients = function(*(np.full(3, v) for v in values))
    assert value.dtype == np.float32
    assert [g.dtype for g in gradients] == [np.float32] * arity
    scalars = gradgen.grad(
        function_of(name, spelling), wrt=tuple(names),
        shapes=dict.fromkeys(names, "scalar:float32"),
    )(*values)  # fmt: skip
    assert [np.asarray(g).dtype for g in scalars] == [np.float32] * arity


# -- kinks: the conventions of the README's table ---------------------------------------------

KINKS = [
    ("abs(x)", (0.0,), (0.0,)), ("abs(x)", (-0.0,), (0.0,)), ("abs(x)", (-2.0,), (-1.0,)),
    ("numpy.abs(x)", (0.0,), (0.0,)), ("math.fabs(x)", (0.0,), (0.0,)),
    ("numpy.fabs(x)", (3.0,), (1.0,)), ("numpy.fabs(x)", (0.0,), (0.0,)),
    ("numpy.copysign(x, y)", (0.0, -1.0), (0.0, 0.0)),
    ("numpy.copysign(x, y)", (-2.0, -0.0), (1.0, 0.0)),
    ("math.copysign(x, y)", (-2.0, 3.0), (-1.0, 0.0)),
    ("numpy.heaviside(x, y)", (0.0, 3.0), (0.0, 1.0)),
    ("numpy.heaviside(x, y)", (2.0, 3.0), (0.0, 0.0)),
    ("numpy.fmod(x, y)", (-7.5, 2.0), (1.0, 3.0)), ("math.fmod(x, y)", (7.5, -2.0), (1.0, 3.0)),
    ("math.remainder(x, y)", (7.5, 2.0), (1.0, -4.0)),
    ("numpy.round(x, 1) * x", (2.66,), (2.7,)), ("numpy.fix(x) * x", (-2.6,), (-2.0,)),
    ("numpy.ldexp(x, 3)", (1.5,), (8.0,)), ("math.ldexp(x, -2)", (1.5,), (0.25,)),
    ("numpy.signbit(x) * x", (-2.0,), (1.0,)), ("numpy.conj(x)", (2.0,), (1.0,)),
    ("numpy.float_power(x, 2)", (-3.0,), (-6.0,)), ("numpy.positive(x)", (2.0,), (1.0,)),
    ("numpy.maximum(x, y)", (1.0, 1.0), (0.5, 0.5)), ("numpy.maximum(x, y)", (2.0, 1.0),
    (1.0, 0.0)),
    ("numpy.minimum(x, y)", (1.0, 1.0), (0.5, 0.5)), ("numpy.minimum(x, y)", (2.0, 1.0),
    (0.0, 1.0)),
    ("numpy.fmax(x, y)", (1.0, 1.0), (0.5, 0.5)), ("numpy.fmin(x, y)", (1.0, 1.0), (0.5, 0.5)),
    ("max(x, y)", (1.0, 1.0), (0.5, 0.5)), ("min(x, y)", (1.0, 1.0), (0.5, 0.5)),
    ("max(x, y)", (1.0, 3.0), (0.0, 1.0)), ("min(x, y)", (1.0, 3.0), (1.0, 0.0)),
    ("numpy.maximum(x, 0.0)", (0.0,), (0.0,)), ("numpy.maximum(x, 0.0)", (1.0,), (1.0,)),
    ("numpy.minimum(x, 1.0)", (1.0,), (0.0,)), ("max(x, 0.0)", (0.0,), (0.0,)),
    ("numpy.maximum(0.0, x)", (0.0,), (0.0,)), ("numpy.fmax(x, 0.0)", (0.0,), (0.0,)),
    ("numpy.clip(x, 0.0, 1.0)", (0.0,), (1.0,)), ("numpy.clip(x, 0.0, 1.0)", (1.0,), (1.0,)),
    ("numpy.clip(x, 0.0, 1.0)", (0.5,), (1.0,)), ("numpy.clip(x, 0.0, 1.0)", (-1.0,), (0.0,)),
    ("numpy.clip(x, 0.0, 1.0)", (2.0,), (0.0,)), ("numpy.clip(x, y, 4.0)", (1.0, 2.0), (0.0, 1.0)),
    ("numpy.clip(x, y, z)", (5.0, 1.0, 2.0), (0.0, 0.0, 1.0)),
    ("numpy.clip(x, y, z)", (0.0, 3.0, 2.0), (0.0, 0.0, 1.0)),
    ("numpy.clip(x, y, z)", (1.0, 1.0, 2.0), (1.0, 0.0, 0.0)),
    ("numpy.clip(x, y, z)", (2.0, 1.0, 2.0), (1.0, 0.0, 0.0)),
    ("numpy.clip(x, y, z)", (0.0, 2.0, 2.0), (0.0, 1.0, 0.0)),
    ("numpy.clip(x, y, z)", (2.0, 3.0, 2.0), (0.0, 0.0, 1.0)),
    ("numpy.clip(x, None, y)", (1.0, 1.0), (1.0, 0.0)),
    ("numpy.clip(x, y, None)", (1.0, 1.0), (1.0, 0.0)),
    ("max(0.0, x)", (0.0,), (0.0,)), ("min(x, 1.0)", (1.0,), (0.0,)),
    ("min(1.0, x)", (1.0,), (0.0,)), ("numpy.minimum(1.0, x)", (1.0,), (0.0,)),
    ("scipy.special.polygamma(2, x)", (1.5,), (float(mpmath.psi(3, 1.5)),)),
    ("numpy.where(x > 0, x, 2 * x)", (0.0,), (2.0,)), ("numpy.where(x > 0, x, y)", (1.0, 5.0),
    (1.0, 0.0)),
    ("numpy.where(x > 0, x, y)", (-1.0, 5.0), (0.0, 1.0)),
    ("numpy.sign(x) * x", (0.0,), (0.0,)), ("numpy.sign(x) * x", (-2.0,), (-1.0,)),
    ("numpy.floor(x) * x", (2.0,), (2.0,)), ("numpy.ceil(x) * x", (2.5,), (3.0,)),
    ("numpy.trunc(x) * x", (-2.5,), (-2.0,)), ("numpy.rint(x) * x", (2.6,), (3.0,)),
    ("numpy.round(x) * x", (2.6,), (3.0,)), ("numpy.trunc(x) * x", (-2.6,), (-2.0,)),
    ("math.floor(x) * x", (2.5,), (2.0,)), ("math.ceil(x) * x", (2.5,), (3.0,)),
    ("math.trunc(x) * x", (2.5,), (2.0,)), ("round(x) * x", (2.6,), (3.0,)),
    ("int(x) * x", (2.6,), (2.0,)), ("(x > y) * x", (2.0, 1.0), (1.0, 0.0)),
    ("(x == y) * x", (1.0, 1.0), (1.0, 0.0)), ("numpy.isfinite(x) * x", (1.0,), (1.0,)),
    ("numpy.logical_and(x > 0, y > 0) * x * y", (2.0, 3.0), (3.0, 2.0)),
    ("x // y * x", (7.0, 2.0), (3.0, 0.0)), ("x % y", (7.5, 2.0), (1.0, -3.0)),
    ("x % y", (-7.5, 2.0), (1.0, 4.0)), ("numpy.hypot(x, y)", (0.0, 0.0), (0.0, 0.0)),
    ("numpy.sinc(x)", (0.0,), (0.0,)), ("x ** 0", (0.0,), (0.0,)), ("x ** y", (0.0, 2.0),
    (0.0, 0.0)),
    ("x ** 1", (0.0,), (1.0,)), ("x ** 2", (0.0,), (0.0,)), ("x ** 1.5", (0.0,), (0.0,)),
    ("x ** 3", (-2.0,), (12.0,)), ("x ** -1", (-2.0,), (-0.25,)), ("x ** 0.5", (4.0,), (0.25,)),
    ("numpy.hypot(x, y)", (0.0, -3.0), (0.0, -1.0)), ("numpy.hypot(x, y)", (3.0, 0.0), (1.0, 0.0)),
    ("x ** (2 - 2)", (0.0,), (0.0,)), ("x ** (3 - 2)", (0.0,), (1.0,)),
    ("numpy.logaddexp(x, y)", (0.0, 0.0), (0.5, 0.5)),
    *((f"numpy.{name}(x, y)", at, wanted) for name in ("logaddexp", "logaddexp2")
      for at, wanted in (((-math.inf, -math.inf), (0.0, 0.0)), ((-math.inf, 2.5), (0.0, 1.0)),
                         ((2.5, -math.inf), (1.0, 0.0)))),
    ("numpy.cbrt(x)", (-8.0,), (1 / 12,)), ("numpy.arctan2(x, y)", (0.0, -2.0), (-0.5, 0.0)),
]  # fmt: skip


@pytest.mark.parametrize(("line", "at", "wanted"), KINKS)
def test_kinks_follow_the_convention(line, at, wanted):
    names = "xyz"[: len(at)]
    signature = ", ".join(names)
    scalar = define(f"{HEAD}def f({signature}):\n    return {line}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = gradgen.grad(scalar, wrt=tuple(names), shapes=dict.fromkeys(names, "scalar"))(*at)
        assert got == pytest.approx(wanted, rel=1e-14, abs=0)
        scaled = define(f"{HEAD}def f({signature}):\n    return -3.0 * ({line})\n")
        got = gradgen.grad(scaled, wrt=tuple(names), shapes=dict.fromkeys(names, "scalar"))(*at)
        assert got == pytest.approx([-3.0 * w for w in wanted], rel=1e-14, abs=0)
        if not line.startswith(("math", "max", "min", "round", "int", "abs")):
            lanes = define(f"{HEAD}def f({signature}):\n    return numpy.sum({line})\n")
            found = gradgen.grad(lanes, wrt=tuple(names), shapes=dict.fromkeys(names, "2"))(
                *(np.array([v, v]) for v in at)
            )
            for have, want in zip(found, wanted, strict=True):
                assert have == pytest.approx([want, want], rel=1e-14, abs=0)


@pytest.mark.parametrize("x", [1e-150, 1e-8, -1e-4, 0.003, -0.05, 0.159, 0.161, 0.319])
def test_the_derivative_of_sinc_keeps_its_digits_near_zero(x):
    with mpmath.workdps(DIGITS):
        angle = mpmath.pi * mpmath.mpf(x)
        wanted = float((angle * mpmath.cos(angle) - mpmath.sin(angle)) / (angle * mpmath.mpf(x)))
        if abs(x) < 1e-100:
            wanted = float(-(mpmath.pi**2) * mpmath.mpf(x) / 3)
    f = define(f"{HEAD}def f(x):\n    return numpy.sinc(x)\n")
    assert gradgen.grad(f, shapes="x=scalar")(x) == pytest.approx(wanted, rel=1e-14, abs=0)


def test_the_series_of_sinc_is_right_to_the_edge_of_its_range():
    for x in (0.1599, -0.1599):
        rest, wanted, point = difference("sinc", OPS["sinc"].d[0], 0, [x])
        error, size = (abs(e.subs({**point, G: SEED}).evalf(DIGITS)) for e in (rest, wanted))
        assert error <= 1e-16 * size


# Their operands are masks or integers, which have no neighbours to move to.
DISCRETE = (
    "bitand", "bitor", "bitxor", "invert", "both", "either", "not", "left_shift", "right_shift",
    "gcd", "lcm", "bitwise_count", "math_isqrt", "math_factorial", "math_comb", "math_perm",
    "math_gcd", "math_lcm",
)  # fmt: skip
PIECEWISE = [n for n in ELEMENTWISE if set(next(rules_of(n))[0]) == {None} and n not in DISCRETE]


@pytest.mark.parametrize("name", PIECEWISE)
def test_a_row_without_derivative_is_piecewise_constant(name):
    spelling = CALLABLE[name][0]
    f = function_of(name, spelling)
    for values in ((0.3, 0.7, 1.4), (-1.2, 2.6, 0.1), (3.4, -0.6, 2.2)):
        given = values[: OPS[name].arity]
        assert f(*(v + 1e-7 for v in given)) == f(*given)


def test_the_irrational_literals_are_the_nearest_doubles():
    for value, number in IRRATIONAL.items():
        nearest = sympy.Rational(value)
        error = abs((nearest - number).evalf(DIGITS))
        assert error <= sympy.Rational(math.ulp(value)) / 2


def test_every_sympy_text_is_what_the_row_computes():
    for name, spelling in SPELLINGS:
        f = function_of(name, spelling)
        for values in points(name, (None,) * OPS[name].arity, 5, random.Random(1)):
            have, want = f(*values), float(evaluated(formula(name), values))
            assert have == pytest.approx(want, rel=1e-12, abs=1e-15), (spelling, values)


@pytest.mark.parametrize(("name", "wrong"), [
    ("tanh", "g * (1.0 + out * out)"), ("tanh", "-g * (1.0 - out * out)"), ("exp", "5.0 * g * out"),
    ("log", "g / (x * 1.0000001)"), ("div", "-g / y"), ("maximum", "where(x < y, g, 0.0)"),
    ("log2", "g / (x * 0.6931471805599454)"),
])  # fmt: skip
def test_a_planted_wrong_derivative_is_not_proved(name, wrong):
    position = 1 if name == "div" else 0
    rest, _, point = difference(name, wrong, position, [1.25, 0.75][: OPS[name].arity])
    assert not vanishes(rest, point)
    assert abs(rest.subs({**point, G: SEED}).evalf(DIGITS)) > 1e-17
