"""Elementwise rows of exact scalars, by the text of `Op.sympy` or by one here where there is none.

One walk over the parsed text computes with either kind of scalar. Kinks are decided by value, and
at ties by the table of conventions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import mpmath  # type: ignore[import-untyped]
import sympy
from sympy.parsing.sympy_parser import parse_expr

from gradgen.ops import OPS
from gradgen.oracles.scalars import Arithmetic, Scalar, Unsupported

SYMBOLS = {name: sympy.Symbol(name, real=True) for name in "xyz"}
# Texts over x, y, z for rows that have none in the table.
FORMULAS = {
    "cbrt": "sign(x) * Abs(x) ** (1/3)", "special_cbrt": "sign(x) * Abs(x) ** (1/3)",
    "softplus": "log(1 + exp(x))", "log_expit": "-log(1 + exp(-x))", "xlog1py": "x * log(1 + y)",
    "pseudo_huber": "x ** 2 * (sqrt(1 + (y / x) ** 2) - 1)",
    "gamma": "gamma(x)", "math_gamma": "gamma(x)", "math_lgamma": "loggamma(x)",
    "rgamma": "1 / gamma(x)", "beta": "gamma(x) * gamma(y) / gamma(x + y)",
    "betaln": "loggamma(x) + loggamma(y) - loggamma(x + y)", "poch": "gamma(x + y) / gamma(x)",
    "gammainc": "lowergamma(x, y) / gamma(x)", "gammaincc": "uppergamma(x, y) / gamma(x)",
    "chdtr": "lowergamma(x / 2, y / 2) / gamma(x / 2)",
    "chdtrc": "uppergamma(x / 2, y / 2) / gamma(x / 2)",
    "betainc": "betainc_regularized(x, y, 0, z)", "betaincc": "1 - betainc_regularized(x, y, 0, z)",
    "riemann_zeta": "zeta(x)", "zeta": "zeta(x, y)",
    "erfcx": "exp(x ** 2) * erfc(x)", "dawsn": "sqrt(pi) / 2 * exp(-x ** 2) * erfi(x)",
    "erfinv": "erfinv(x)", "erfcinv": "erfinv(1 - x)", "ndtr": "erfc(-x / sqrt(2)) / 2",
    "log_ndtr": "log(erfc(-x / sqrt(2)) / 2)", "ndtri": "sqrt(2) * erfinv(2 * x - 1)",
    "j0": "besselj(0, x)", "j1": "besselj(1, x)", "jv": "besselj(x, y)", "jn": "besselj(x, y)",
    "y0": "bessely(0, x)", "y1": "bessely(1, x)", "yv": "bessely(x, y)", "yn": "bessely(x, y)",
    "i0": "besseli(0, x)", "i1": "besseli(1, x)", "iv": "besseli(x, y)",
    "numpy_i0": "besseli(0, x)", "i0e": "besseli(0, x) * exp(-Abs(x))",
    "i1e": "besseli(1, x) * exp(-Abs(x))", "ive": "besseli(x, y) * exp(-Abs(y))",
    "k0": "besselk(0, x)", "k1": "besselk(1, x)", "kn": "besselk(x, y)", "kv": "besselk(x, y)",
    "k0e": "besselk(0, x) * exp(x)", "k1e": "besselk(1, x) * exp(x)",
    "kve": "besselk(x, y) * exp(y)",
    "sindg": "sin(pi * x / 180)", "cosdg": "cos(pi * x / 180)", "tandg": "tan(pi * x / 180)",
    "cotdg": "1 / tan(pi * x / 180)", "exprel": "(exp(x) - 1) / x", "boxcox": "(x ** y - 1) / y",
    "boxcox1p": "((1 + x) ** y - 1) / y", "inv_boxcox": "(1 + x * y) ** (1 / y)",
    "inv_boxcox1p": "(1 + x * y) ** (1 / y) - 1", "wrightomega": "LambertW(exp(x))",
    "expi": "Ei(x)", "exp1": "expint(1, x)", "expn": "expint(x, y)",
    "spence": "polylog(2, 1 - x)", "ellipk": "elliptic_k(x)", "ellipkm1": "elliptic_k(1 - x)",
    "ellipe": "elliptic_e(x)", "ellipkinc": "elliptic_f(x, y)", "ellipeinc": "elliptic_e(x, y)",
    "mod": "x - y * floor(x / y)", "square": "x ** 2",
}  # fmt: skip
# The operands at which a formula is 0/0 or 0 times infinity, and the value there: an operand's
# place or a number.
LIMITS: dict[str, tuple[int, Any]] = {
    "sinc": (0, 1), "xlogy": (0, 0), "xlog1py": (0, 0), "entr": (0, 0), "rel_entr": (0, 0),
    "exprel": (0, 1),
}  # fmt: skip


@cache
def formula(name: str) -> sympy.Expr | None:
    """The SymPy expression of an elementwise row over x, y, z; None where it has none."""
    text = FORMULAS.get(name) or OPS[name].sympy
    if not text:
        return None
    if text.isidentifier() and text not in SYMBOLS:
        text = f"{text}({', '.join('xyz'[: OPS[name].arity])})"
    # unevaluated, so that what is a kink stays in sight
    return parse_expr(text, local_dict=dict(SYMBOLS), evaluate=False)


def walk(tree: sympy.Expr, arithmetic: Arithmetic, env: Mapping[Any, Scalar]) -> Scalar:
    """What an expression is for these scalars. Raises `Unsupported` for an unknown function."""
    if tree in env:
        return env[tree]
    if tree.is_number and (tree.is_Atom or not tree.args):
        return arithmetic.constant(tree)
    args = [walk(part, arithmetic, env) for part in tree.args]
    if isinstance(tree, sympy.Add):
        return arithmetic.add(args)
    if isinstance(tree, sympy.Mul):
        return arithmetic.multiply(args)
    if isinstance(tree, sympy.Pow):
        return arithmetic.power(*args)
    name = type(tree).__name__
    kink = KINKS.get(name)
    return kink(arithmetic, *args) if kink else arithmetic.function(name, args)


def apply(name: str, arithmetic: Arithmetic, args: Sequence[Scalar]) -> Scalar:
    """An elementwise row of scalars. Raises `Unsupported` where no formula is known."""
    limit = LIMITS.get(name)
    if limit is not None and arithmetic.value(args[limit[0]]) == 0:
        return arithmetic.number(limit[1])
    own = ROWS.get(name)
    if own is not None:
        return own(arithmetic, *args)
    tree = formula(name)
    if tree is None:
        found = arithmetic.row(name, args)
        if found is None:
            raise Unsupported(name)
        return found
    return walk(tree, arithmetic, dict(zip(SYMBOLS.values(), args, strict=False)))


# -- kinks -----------------------------------------------------------------------------------------


def sign_of(a: Arithmetic, x: Scalar) -> int:
    """-1, 0 or 1, noted as a decision."""
    value = a.value(x)
    sign = int(value > 0) - int(value < 0)
    a.decide(sign, x)
    return sign


def absolute(a: Arithmetic, x: Scalar) -> Scalar:
    """The absolute value, whose derivative at 0 is 0."""
    if a.value(x) != a.value(x):
        return x
    return a.multiply([a.number(sign_of(a, x)), x])


def extreme(a: Arithmetic, items: Sequence[Scalar], largest: bool) -> Scalar:
    """The largest or smallest of scalars; NaN if one is."""
    for x in items:
        if a.value(x) != a.value(x):
            return x
    best = (max if largest else min)(a.value(x) for x in items)
    tied = [k for k, x in enumerate(items) if a.value(x) == best]
    a.decide(tuple(tied), *items)
    return items[tied[0]] if len(tied) == 1 else a.mean([items[k] for k in tied])


def _whole(a: Arithmetic, x: Scalar, rounded: Callable[[Any], Any]) -> Scalar:
    value = a.value(x)
    if not mpmath.isfinite(value):
        return a.number(float(value))
    whole = int(rounded(value))
    a.decide(whole, x)
    return a.number(whole)


def _floor(a: Arithmetic, x: Scalar) -> Scalar:
    return _whole(a, x, lambda v: v.context.floor(v))


def _nearest(a: Arithmetic, x: Scalar) -> Scalar:
    """Halves go to the even neighbour."""
    return _whole(a, x, lambda v: v.context.nint(v))


def _ceil(a: Arithmetic, x: Scalar) -> Scalar:
    return _whole(a, x, lambda v: v.context.ceil(v))


def _trunc(a: Arithmetic, x: Scalar) -> Scalar:
    return _whole(a, x, lambda v: v.context.floor(v) if v > 0 else v.context.ceil(v))


def _sign(a: Arithmetic, x: Scalar) -> Scalar:
    return x if a.value(x) != a.value(x) else a.number(sign_of(a, x))


KINKS: dict[str, Callable[..., Scalar]] = {
    "Abs": absolute, "sign": _sign, "floor": _floor,
    "Max": lambda a, *items: extreme(a, items, True),
    "Min": lambda a, *items: extreme(a, items, False),
}  # fmt: skip


def _copysign(a: Arithmetic, x: Scalar, y: Scalar) -> Scalar:
    found = absolute(a, x)
    return a.multiply([a.number(-1), found]) if sign_of(a, y) < 0 else found


def _heaviside(a: Arithmetic, x: Scalar, y: Scalar) -> Scalar:
    if a.value(x) != a.value(x):
        return x
    return (a.number(0), y, a.number(1))[sign_of(a, x) + 1]


def _huber(a: Arithmetic, x: Scalar, y: Scalar) -> Scalar:
    inside = a.value(absolute(a, y)) <= a.value(x)
    a.decide(inside, x, y)
    square, half = a.multiply([y, y]), a.constant(sympy.Rational(1, 2))
    if inside:
        return a.multiply([half, square])
    outer = a.multiply([a.number(-1), half, x])
    return a.multiply([x, a.add([absolute(a, y), outer])])


def _remainder(a: Arithmetic, x: Scalar, y: Scalar) -> Scalar:
    times = _nearest(a, a.multiply([x, a.power(y, a.number(-1))]))
    return a.add([x, a.multiply([a.number(-1), y, times])])


def _clip(a: Arithmetic, x: Scalar, low: Scalar | None, high: Scalar | None) -> Scalar:
    """On a bound, itself: the derivative is 1 on the closed interval."""
    value = a.value(x)
    bounded = x
    if low is not None and value < a.value(low):
        bounded, value = low, a.value(low)
    if high is not None and value > a.value(high):
        bounded = high
    a.decide(0 if bounded is x else 1 if bounded is low else 2, x)
    return bounded


def _hypot(a: Arithmetic, x: Scalar, y: Scalar) -> Scalar:
    """Its derivative at the origin is 0."""
    if a.value(x) == a.value(y) == 0:
        return a.number(0)
    total = a.add([a.multiply([x, x]), a.multiply([y, y])])
    return a.power(total, a.constant(sympy.Rational(1, 2)))


ROWS: dict[str, Callable[..., Scalar]] = {
    "copysign": _copysign, "heaviside": _heaviside, "huber": _huber, "hypot": _hypot,
    "math_remainder": _remainder, "clip": _clip, "floor": _floor, "ceil": _ceil, "trunc": _trunc,
    "fix": _trunc, "int": _trunc, "rint": _nearest, "round": _nearest, "around": _nearest,
    "py_round": _nearest, "special_round": _nearest,
    "clip_above": lambda a, x, high: _clip(a, x, None, high),
    "clip_below": lambda a, x, low: _clip(a, x, low, None),
    "ldexp": lambda a, x, n: a.multiply([x, a.power(a.number(2), n)]),
}  # fmt: skip
