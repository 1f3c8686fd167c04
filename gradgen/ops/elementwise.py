"""Elementwise operations: each lane of the result depends on the same lane of the operands."""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from gradgen.errors import Refusal
from gradgen.ops.table import (
    ADD,
    AND,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    COMPARE,
    MULTIPLY,
    NOT,
    OR,
    POWER,
    UNARY,
    Op,
    Rules,
    register,
)
from gradgen.types import Infer, Kind, Type, by_types, join, promote, type_rank

LN2, LN10 = "0.6931471805599453", "2.302585092994046"


@by_types
def numeric(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of an arithmetic operator or of a function that keeps the dtype of its operands."""
    result = join(types)
    if result == Type("py", "bool") and attr != "numpy":
        return Type("py", "int")
    return as_function(result) if attr == "numpy" else result


@by_types
def counted(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of an operation that NumPy does on small integers where it is given masks."""
    result = numeric(types, attr, values)
    return Type(result.kind, "int8", result.shape) if result.dtype == "bool" else result


@by_types
def bits(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of an operation on integers or masks."""
    if any(t.is_float for t in types):
        raise Refusal("this operation takes integers or masks", "put comparisons in parentheses")
    return numeric(types, attr, values)


@by_types
def division(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `/`: floating point always."""
    result = join(types)
    if result.kind == "py":
        return as_function(Type("py", "float")) if attr == "numpy" else Type("py", "float")
    dtype = result.dtype if result.is_float else "float64"
    return Type(result.kind, dtype, result.shape)


def power(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `**`."""
    if attr == "math":
        return real(types, attr, values)
    result = counted(types, attr, values)
    exponent = values[1]
    if result.dtype == "int" and not (isinstance(exponent, int) and exponent >= 0):
        return Type("py", "float")
    return result


@by_types
def compare(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of a comparison or of a logical operator."""
    result = join(types, "bool")
    return as_function(result) if attr == "numpy" else result


@by_types
def choose(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `np.where`; of a conditional expression of numbers with the attribute `lazy`."""
    if attr == "lazy":
        return Type("py", "float")
    branches = join(types[1:])
    dtype = promote(tuple((t.kind, t.dtype) for t in types[1:]))
    dtype = {"float": "float64", "int": "int64"}.get(dtype, dtype)
    return Type("array", dtype, join([types[0], branches]).shape)


@by_types
def real(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of a function with floating-point results, from NumPy or from `math`."""
    if attr in ("math", "py"):
        _one_number(types)
        return Type("py", "float")
    result = join(types)
    dtype = result.dtype if result.is_float else _result_of("exp", result.dtype)
    return as_function(Type(result.kind, dtype, result.shape))


@by_types
def whole(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `floor`, `ceil`, `trunc`: integers from `math`; NumPy's keep the dtype."""
    if attr in ("math", "py"):
        _one_number(types)
        return Type("py", "int")
    result = join(types)
    dtype = result.dtype if result.is_float else _result_of("floor", result.dtype)
    return as_function(Type(result.kind, dtype, result.shape))


@by_types
def test(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `np.isnan` and its like."""
    return join(types, "bool")


def _one_number(types: Sequence[Type]) -> None:
    for t in types:
        if t.shape:
            raise Refusal(f"this function takes one number, not an array ({t})", "use NumPy's")


def as_function(result: Type) -> Type:
    """What a function of NumPy gives for what an operator of Python numbers would."""
    if result.kind != "py":
        return result
    return Type("scalar", {"float": "float64", "int": "int64"}.get(result.dtype, result.dtype))


@cache
def _result_of(name: str, dtype: str) -> str:
    """The dtype that a ufunc of one operand gives."""
    dtype = {"int": "int64", "float": "float64"}.get(dtype, dtype)
    return str(getattr(np, name)(np.ones((), dtype)).dtype)


def _kind_of(types: Sequence[Type]) -> Kind:
    return max((t.kind for t in types), key=type_rank.__getitem__)


def power_rule(types: Sequence[Type], values: Sequence[Any]) -> Rules:
    """The derivatives of a power, in short where the exponent is known."""
    by_exponent = "g * (out * log(where(x == 0, 1.0, x)))"
    n = values[1]
    if not isinstance(n, (int, float)):
        return ("g * (y * x ** (y - 1.0))", by_exponent)
    if n == 0:
        return (None, by_exponent)
    if n == 1:
        return ("g", by_exponent)
    if n == -1:
        return ("-g * (out * out)", by_exponent)
    if n == 0.5:
        root = "out" if _kind_of(types) != "py" else "sqrt(x)"
        return (f"g * (0.5 / {root})", by_exponent)
    if n in (2, 3, 4):
        return (f"g * ({float(n)} * ({' * '.join(['x'] * (int(n) - 1))}))", by_exponent)
    less = n - 1
    return (
        f"g * ({n!r} * x ** {less!r})" if less > 0 else f"g * ({n!r} * x ** ({less!r}))",
        by_exponent,
    )


def _logaddexp_rule(function: str) -> Callable[[Sequence[Type], Sequence[Any]], Rules]:
    def rule(types: Sequence[Type], values: Sequence[Any]) -> Rules:
        # Both operands at -inf would give inf - inf; a finite constant operand excludes it.
        finite = any(isinstance(v, (int, float)) and math.isfinite(v) for v in values)
        out = "out" if finite else "where(out == -inf, 0.0, out)"
        return (f"g * {function}(x - {out})", f"g * {function}(y - {out})")

    return rule


_SINC_SERIES = (
    "-pi * pi * x * (1/3 - pi*x*(pi*x) * (1/30 - pi*x*(pi*x) * (1/840 - pi*x*(pi*x) * "
    "(1/45360 - pi*x*(pi*x) * (1/3991680 - pi*x*(pi*x) * (1/518918400 - "
    "pi*x*(pi*x) / 93405312000))))))"
)


def _operator(name: str, symbol: str, level: int, d: Any, function: Any, **more: Any) -> None:
    infer = more.pop("infer", numeric)
    methods = more.pop("methods", ())
    register(
        Op(name=name, infer=infer, d=d, infix=symbol, precedence=level, evaluate=function,
           elementwise=True, **more), methods,
    )  # fmt: skip


def _function(name: str, d: Any, infer: Infer = real, **more: Any) -> None:
    more.setdefault("call", f"numpy.{name}")
    more.setdefault("cost", 10)
    register(Op(name=name, infer=infer, d=d, elementwise=True, **more))


def _math(name: str) -> Callable[..., Any]:
    return getattr(math, name)  # type: ignore[no-any-return]


def _bind_clip(front: Any, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None,
               max: Any = None) -> Any:  # fmt: skip
    low, high = a_min if a_min is not None else min, a_max if a_max is not None else max
    if low is None and high is None:
        raise Refusal("np.clip needs a lower or an upper bound")
    if low is None:
        return front.call("clip_above", a, high)
    if high is None:
        return front.call("clip_below", a, low)
    return front.call("clip", a, low, high)


def _bind_where(front: Any, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return front.call_known("numpy.nonzero", [condition], {})
    return front.call("where", condition, x, y)


def register_rows() -> None:
    """Enter the rows of this family."""
    _register_operators()
    _register_comparisons()
    _register_functions()
    _register_kinks()


def _register_operators() -> None:
    _operator("add", "+", ADD, ("g", "g"), operator.add, aliases=("numpy.add",), sympy="x + y",
              bounded=True)  # fmt: skip
    _operator("sub", "-", ADD, ("g", "-g"), operator.sub, aliases=("numpy.subtract",),
              sympy="x - y", bounded=True)  # fmt: skip
    _operator("mul", "*", MULTIPLY, ("g * y", "g * x"), operator.mul, aliases=("numpy.multiply",),
              sympy="x * y", bounded=True)  # fmt: skip
    _operator("div", "/", MULTIPLY, ("g / y", "-g * out / y"), operator.truediv, infer=division,
              aliases=("numpy.divide", "numpy.true_divide"), sympy="x / y", singular=True,
              domain="y != 0", cost=4)  # fmt: skip
    _operator("floordiv", "//", MULTIPLY, (None, None), operator.floordiv,
              infer=counted, aliases=("numpy.floor_divide",), sympy="floor(x / y)", domain="y != 0",
              cost=4)  # fmt: skip
    _operator("mod", "%", MULTIPLY, ("g", "-g * (x // y)"), operator.mod,
              infer=counted, aliases=("numpy.mod", "numpy.remainder"), sympy="x - y * floor(x / y)",
              singular=True, domain="y != 0", cost=4)  # fmt: skip
    _operator("power", "**", POWER, power_rule, operator.pow, infer=power, call="numpy.power",
              math="math.pow", sympy="x ** y", singular=True, cost=20)  # fmt: skip
    register(Op(name="neg", infer=numeric, d=("-g",), prefix="-", precedence=UNARY,
                evaluate=operator.neg, aliases=("numpy.negative",), sympy="-x", bounded=True,
                elementwise=True))  # fmt: skip
    register(Op(name="pos", infer=numeric, d=("g",), prefix="+", precedence=UNARY,
                evaluate=operator.pos, aliases=("numpy.positive",), sympy="x", bounded=True,
                elementwise=True))  # fmt: skip


def _register_comparisons() -> None:
    for name, symbol, call in (
        ("lt", "<", "less"), ("le", "<=", "less_equal"), ("gt", ">", "greater"),
        ("ge", ">=", "greater_equal"), ("eq", "==", "equal"), ("ne", "!=", "not_equal"),
    ):  # fmt: skip
        _operator(name, symbol, COMPARE, (None, None), getattr(operator, name), infer=compare,
                  aliases=(f"numpy.{call}",), bounded=True)  # fmt: skip
    for name, symbol, level, call in (
        ("bitand", "&", BIT_AND, "logical_and"), ("bitor", "|", BIT_OR, "logical_or"),
        ("bitxor", "^", BIT_XOR, "logical_xor"),
    ):  # fmt: skip
        function = getattr(operator, {"bitand": "and_", "bitor": "or_", "bitxor": "xor"}[name])
        _operator(name, symbol, level, (None, None), function, bounded=True,
                  infer=bits, aliases=(f"numpy.{call.replace('logical', 'bitwise')}",))  # fmt: skip
        register(Op(name=call, infer=compare, d=(None, None), call=f"numpy.{call}", bounded=True,
                    elementwise=True))  # fmt: skip
    register(Op(name="invert", infer=bits, d=(None,), prefix="~", precedence=UNARY,
                evaluate=lambda x: operator.invert(int(x)), bounded=True, elementwise=True,
                aliases=("numpy.invert", "numpy.bitwise_not")))  # fmt: skip
    register(Op(name="logical_not", infer=test, d=(None,), call="numpy.logical_not", bounded=True,
                elementwise=True))  # fmt: skip
    register(Op(name="both", infer=compare, d=(None, None), infix="and", precedence=AND,
                bounded=True))  # fmt: skip
    register(Op(name="either", infer=compare, d=(None, None), infix="or", precedence=OR,
                bounded=True))  # fmt: skip
    register(Op(name="not", infer=test, d=(None,), prefix="not ", precedence=NOT,
                evaluate=operator.not_, bounded=True))  # fmt: skip
    for name in ("isnan", "isinf", "isfinite"):
        _function(name, (None,), test, math=f"math.{name}", bounded=True)


def _register_functions() -> None:
    _function("exp", ("g * out",), math="math.exp", sympy="exp", evaluate=_math("exp"))
    _function("exp2", (f"g * (out * {LN2})",), math="math.exp2", sympy="2 ** x")
    _function("expm1", ("g * exp(x)",), math="math.expm1", sympy="exp(x) - 1")
    _function("log", ("g / x",), math="math.log", sympy="log", singular=True, domain="x > 0",
              evaluate=_math("log"))  # fmt: skip
    _function("log2", (f"g / (x * {LN2})",), math="math.log2", sympy="log(x) / log(2)",
              singular=True, domain="x > 0")  # fmt: skip
    _function("log10", (f"g / (x * {LN10})",), math="math.log10", sympy="log(x) / log(10)",
              singular=True, domain="x > 0")  # fmt: skip
    _function("log1p", ("g / (1.0 + x)",), math="math.log1p", sympy="log(1 + x)", singular=True,
              domain="x > -1")  # fmt: skip
    _function("sqrt", ("g * (0.5 / out)",), math="math.sqrt", sympy="sqrt", singular=True,
              domain="x >= 0", cost=5, evaluate=_math("sqrt"))  # fmt: skip
    _function("cbrt", ("g / (3.0 * (out * out))",), math="math.cbrt", sympy="x ** (1/3)",
              singular=True, bounded=True)  # fmt: skip
    _function("square", ("g * (2.0 * x)",), numpy_counted, sympy="x ** 2", bounded=True, cost=1)
    _function("reciprocal", ("-g * (out * out)",), numpy_counted, sympy="1 / x", singular=True,
              domain="x != 0", cost=4)  # fmt: skip
    _function("sin", ("g * cos(x)",), math="math.sin", sympy="sin", bounded=True, cost=40)
    _function("cos", ("-g * sin(x)",), math="math.cos", sympy="cos", bounded=True, cost=40)
    _function("tan", ("g * (1.0 + out * out)",), math="math.tan", sympy="tan", cost=40)
    _function("arcsin", ("g / sqrt((1.0 - x) * (1.0 + x))",), math="math.asin", sympy="asin",
              singular=True, safe=0.5, domain="-1 <= x <= 1", aliases=("numpy.asin",))  # fmt: skip
    _function("arccos", ("-g / sqrt((1.0 - x) * (1.0 + x))",), math="math.acos", sympy="acos",
              singular=True, safe=0.5, domain="-1 <= x <= 1", aliases=("numpy.acos",))  # fmt: skip
    _function("arctan", ("g / (1.0 + x * x)",), math="math.atan", sympy="atan", bounded=True,
              aliases=("numpy.atan",))  # fmt: skip
    _function("arctan2", ("g * (y / hypot(x, y)) / hypot(x, y)",
                          "-g * (x / hypot(x, y)) / hypot(x, y)"), math="math.atan2",
              sympy="atan2(x, y)", singular=True, bounded=True, aliases=("numpy.atan2",),
              domain="x != 0 or y != 0")  # fmt: skip
    _function("sinh", ("g * cosh(x)",), math="math.sinh", sympy="sinh", singular=True)
    _function("cosh", ("g * sinh(x)",), math="math.cosh", sympy="cosh", singular=True)
    _function("tanh", ("g * (1.0 - out * out)",), math="math.tanh", sympy="tanh", bounded=True)
    _function("arcsinh", ("g / hypot(1.0, x)",), math="math.asinh", sympy="asinh", bounded=True,
              aliases=("numpy.asinh",))  # fmt: skip
    _function("arccosh", ("g / (sqrt(x - 1.0) * sqrt(x + 1.0))",), math="math.acosh", sympy="acosh",
              singular=True, safe=2.0, domain="x >= 1", aliases=("numpy.acosh",))  # fmt: skip
    _function("arctanh", ("g / ((1.0 - x) * (1.0 + x))",), math="math.atanh", sympy="atanh",
              singular=True, safe=0.5, domain="-1 < x < 1", aliases=("numpy.atanh",))  # fmt: skip
    hypot = "where(out == 0, 1.0, out)"
    _function("hypot", (f"g * (x / {hypot})", f"g * (y / {hypot})"), math="math.hypot",
              sympy="sqrt(x ** 2 + y ** 2)", bounded=True)  # fmt: skip
    _function("logaddexp", _logaddexp_rule("exp"), sympy="log(exp(x) + exp(y))", cost=30)
    _function("logaddexp2", _logaddexp_rule("exp2"), sympy="log(2 ** x + 2 ** y) / log(2)",
              cost=30)  # fmt: skip
    _function("deg2rad", ("deg2rad(g)",), math="math.radians", aliases=("numpy.radians",),
              sympy="x * pi / 180", bounded=True, cost=1)  # fmt: skip
    _function("rad2deg", ("rad2deg(g)",), math="math.degrees", aliases=("numpy.degrees",),
              sympy="x * 180 / pi", bounded=True, cost=1)  # fmt: skip
    _function("sinc", (f"g * where(abs(x) < 0.16, {_SINC_SERIES}, "
                       "(cos(pi * x) - out) / where(x == 0, 1.0, x))",),
              sympy="sin(pi * x) / (pi * x)", bounded=True, cost=40)  # fmt: skip


def numpy_dtype(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of a NumPy function that keeps the dtype of its operands."""
    return numeric(types, "numpy", values)


def numpy_counted(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of a NumPy function that keeps the dtype of its operands, but for masks."""
    return counted(types, "numpy", values)


def clipped(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `np.clip`, which makes an array of what it clips."""
    return numeric([as_function(types[0]), *types[1:]], "numpy", values)


def absolute(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `abs`, from Python, NumPy or `math`."""
    return real(types, attr, values) if attr == "math" else numeric(types, attr, values)


def smallest(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of the builtins `min` and `max` of numbers."""
    _one_number(types)
    return join(types)


def _register_kinks() -> None:
    _function("abs", ("g * sign(x)",), absolute, call="builtins.abs", math="math.fabs",
              evaluate=abs, sympy="Abs", bounded=True, cost=1)  # fmt: skip
    _function("absolute", ("g * sign(x)",), numpy_dtype, aliases=("numpy.absolute",),
              call="numpy.abs", sympy="Abs", bounded=True, cost=1)  # fmt: skip
    for name, sign in (("maximum", ">"), ("minimum", "<")):
        tie = "where(x == y, 0.5 * g, 0.0)"
        rules = (f"where(x {sign} y, g, {tie})", f"where(y {sign} x, g, {tie})")
        alone = (f"where(x {sign} y, g, 0.0)", f"where(y {sign} x, g, 0.0)")
        _function(name, rules, numpy_dtype, alone=alone, sympy=name[:3].capitalize(),
                  bounded=True, cost=1)  # fmt: skip
        short = f"builtins.{name[:3]}"
        _function(f"py_{name[:3]}", rules, smallest, alone=alone, call=short, bounded=True,
                  sympy=name[:3].capitalize(), evaluate=getattr(builtins, name[:3]),
                  cost=1)  # fmt: skip
        quiet = tuple(f"where(x == y, 0.5 * g, where(out == {a}, g, 0.0))" for a in "xy")
        # A tie goes to the other operand, and so does NaN in this one.
        first = tuple(f"where(out == {b}, 0.0, g)" for b in "yx")
        _function(f"f{name[:3]}", quiet, numpy_dtype, alone=first, bounded=True,
                  sympy=name[:3].capitalize(), cost=1)  # fmt: skip
    register(Op(name="clip", infer=clipped, call="numpy.clip", bind=_bind_clip,
                d=("where((x >= y) & (x <= z), g, 0.0)", "where((x < y) & (y <= z), g, 0.0)",
                   "where(maximum(x, y) > z, g, 0.0)"),
                sympy="Min(Max(x, y), z)", bounded=True, elementwise=True), ("clip",))  # fmt: skip
    for name, inside, outside, bound in (
        ("clip_above", "<=", ">", "Min"), ("clip_below", ">=", "<", "Max"),
    ):  # fmt: skip
        register(Op(name=name, infer=clipped, sympy=f"{bound}(x, y)", bounded=True,
                    d=(f"where(x {inside} y, g, 0.0)", f"where(x {outside} y, g, 0.0)"),
                    elementwise=True))  # fmt: skip
    register(Op(name="where", infer=choose, call="numpy.where", bind=_bind_where, linear="all",
                d=(None, "where(x, g, 0.0)", "where(x, 0.0, g)"), bounded=True,
                elementwise=True))  # fmt: skip
    _function("sign", (None,), numpy_dtype, sympy="sign", bounded=True, cost=1)
    for name in ("floor", "ceil", "trunc"):
        _function(name, (None,), whole, math=f"math.{name}", bounded=True, cost=1,
                  evaluate=_math(name))  # fmt: skip
    _function("rint", (None,), bounded=True, cost=1)
    _function(
        "py_round", (None,), whole_number, call="builtins.round", evaluate=round, bounded=True
    )
    _function("int", (None,), whole_number, call="builtins.int", evaluate=int, bounded=True)
    _function("py_bool", (None,), truth, call="builtins.bool", evaluate=bool, bounded=True)
    _function("float", ("g",), float_number, call="builtins.float", evaluate=float, bounded=True,
              sympy="x", cost=0)  # fmt: skip


def whole_number(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `int(x)`."""
    _one_number(types)
    return Type("py", "int")


def truth(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `bool(x)`."""
    _one_number(types)
    return Type("py", "bool")


def float_number(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `float(x)`."""
    _one_number(types)
    return Type("py", "float")
