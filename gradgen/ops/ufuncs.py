"""More of NumPy's ufuncs and functions like them, and the methods of ufuncs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradgen.errors import Refusal
from gradgen.ops.elementwise import (
    as_function,
    bits,
    counted,
    numpy_counted,
    numpy_dtype,
    power_rule,
    real,
    test,
    whole,
)
from gradgen.ops.table import BIT_AND, CALLS, OPS, Op, Rules, refuse, register, register_written
from gradgen.types import TupleType, Type, join

SHIFT = BIT_AND + 1


def nothing(types: Sequence[Type], values: Sequence[Any]) -> Rules:
    """The rules of what is piecewise constant, however many operands it has."""
    return (None,) * len(types)


def _row(name: str, d: Any, infer: Any = real, methods: Sequence[str] = (), **more: Any) -> None:
    more.setdefault("call", f"numpy.{name}")
    more.setdefault("cost", 2)
    register(Op(name=name, infer=infer, d=d, elementwise=True, **more), methods)


def register_rows() -> None:
    """Enter the rows of this family."""
    _register_arithmetic()
    _register_integers()
    _register_masks()
    _register_parts()
    _register_rounding()
    _register_reductions()
    for name, op in list(OPS.items()):
        _register_outer(name, op)


def _register_arithmetic() -> None:
    CALLS["numpy.pow"] = (OPS["power"], "numpy")
    _row("fabs", ("g * sign(x)",), sympy="Abs", bounded=True)
    _row("copysign", ("g * (sign(x) * copysign(1.0, y))", None), math="math.copysign",
         sympy="Abs(x) * sign(y)", bounded=True)  # fmt: skip
    _row("heaviside", (None, "where(x == 0, g, 0.0)"), bounded=True)
    _row("float_power", power_rule, _float_power, sympy="x ** y", singular=True, cost=20)
    _row("fmod", ("g", "-g * ((x - out) / y)"), _fmod, math="math.fmod", singular=True,
         sympy="x - y * sign(x / y) * floor(Abs(x / y))", domain="y != 0", cost=4)  # fmt: skip
    _row("ldexp", ("ldexp(g, y)", None), _ldexp, math="math.ldexp", bounded=True)
    for name, reason in (
        ("nextafter", "moves by one rounding error, and has no derivative here"),
        ("spacing", "is a rounding error, and has no derivative here"),
        ("i0", "has a derivative that needs SciPy: use scipy.special.i0"),
    ):  # fmt: skip
        count = 2 if name == "nextafter" else 1
        register(Op(name=f"numpy_{name}", infer=_array if name == "i0" else real,
                    d=("",) * count, call=f"numpy.{name}", elementwise=True,
                    math="math.nextafter" if count == 2 else "",
                    why=f"np.{name} {reason}"))  # fmt: skip
    register(Op(name="divmod", infer=real, call="numpy.divmod", bind=_bind_divmod))


def _array(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    (t,) = types
    return Type("array", "float32" if t.dtype == "float32" else "float64", t.shape)


def _float_power(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    joined = join(types)
    return Type("array" if joined.shape else "scalar", "float64", joined.shape)


def _fmod(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    return real(types, attr, values) if attr == "math" else numpy_counted(types, attr, values)


def _ldexp(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    if types[1].is_float and types[1].kind != "py":
        raise Refusal("the exponent of ldexp is an integer")
    if attr == "math":
        return real(types, attr, values)
    dtype = real(types[:1], None, values).dtype
    if types[0] == Type("py", "int") and types[1].kind != "py" and types[1].dtype != "bool":
        dtype = "float16"  # the first loop that takes a small number
    return Type("array" if join(types).shape else "scalar", dtype, join(types).shape)


def _bind_divmod(front: Any, x1: Any, x2: Any) -> Any:
    names = ("numpy.floor_divide", "numpy.remainder")
    return tuple(front.call_known(name, [x1, x2], {}) for name in names)


def integers(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of a function of integers."""
    return as_function(bits(types, attr, values))


def _register_integers() -> None:
    for name, symbol in (("left_shift", "<<"), ("right_shift", ">>")):
        _row(name, (None, None), _shift, call="", infix=symbol, precedence=SHIFT, bounded=True,
             aliases=(f"numpy.{name}", f"numpy.bitwise_{name}"))  # fmt: skip
    for name in ("gcd", "lcm"):
        _row(name, (None, None), integers, bounded=True)
    _row("bitwise_count", (None,), _count_bits, bounded=True)
    CALLS["numpy.bitwise_invert"] = (OPS["invert"], None)


def _shift(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    return counted([bits(types, attr, values)], attr, values)


def _count_bits(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    found = integers(types, attr, values)
    return Type(found.kind, "uint8", found.shape)


def _register_masks() -> None:
    for name in ("signbit", "isposinf", "isneginf", "isreal", "iscomplex"):
        _row(name, (None,), test, bounded=True)
    register_written("isclose", "numpy.isclose", result=_isclose)
    for name in ("allclose", "array_equal", "array_equiv"):
        if f"numpy.{name}" not in CALLS:
            register_written(name, f"numpy.{name}", result=_whether)


def _isclose(front: Any, a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8,
             equal_nan: Any = False) -> Type:  # fmt: skip
    return as_function(join([front.type_of(front.node(v)) for v in (a, b, rtol, atol)], "bool"))


def _whether(front: Any, a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8,
             equal_nan: Any = False) -> Type:  # fmt: skip
    for value in (a, b):
        front.array(value)
    return Type("py", "bool")


def _register_parts() -> None:
    """Real and imaginary parts of real numbers, and the parts of floats."""
    for name in ("conj", "conjugate"):
        _row(name, ("g",), numpy_counted, sympy="x", bounded=True)
    register(Op(name="itself", infer=real, call="numpy.real", aliases=("numpy.real_if_close",),
                bind=lambda front, val: val), ("conj", "conjugate"))  # fmt: skip
    register(Op(name="imag", infer=real, call="numpy.imag", bind=_bind_imag))
    refuse("numpy.angle", "numpy.angle is not supported",
           "of real x it is np.where(x < 0, np.pi, 0.0)")  # fmt: skip
    for name in ("isrealobj", "iscomplexobj"):
        register(Op(name=name, infer=real, call=f"numpy.{name}", bind=_bind_known(name)))
    register_written("nan_to_num", "numpy.nan_to_num", result=_nan_to_num,
                     defined="elementwise.nan_to_num", bounded=True)  # fmt: skip
    register_written("modf", "numpy.modf", result=_modf, defined="elementwise.modf", bounded=True)
    register_written("frexp", "numpy.frexp", result=_frexp, bounded=True,
                     adjoint="adjoints_elementwise.frexp")  # fmt: skip


def _bind_imag(front: Any, val: Any) -> Any:
    node = front.node(val)
    t = front.type_of(node)
    if t.shape:
        return front.add("zeros_like", node, attr=None)
    zero = front.builder.const(0.0 if t.is_float else 0)
    return zero if t.kind == "py" else front.add("astype", zero, attr=t.dtype)


def _bind_known(name: str) -> Callable[..., Any]:
    return lambda front, x: front.builder.const(name == "isrealobj")


def _nan_to_num(front: Any, x: Any, copy: Any = True, nan: Any = 0.0, posinf: Any = None,
                neginf: Any = None) -> Type:  # fmt: skip
    if not front.static(copy):
        raise Refusal("nan_to_num(copy=False) changes its argument", "leave copy= out")
    t = front.type_of(front.node(x))
    for fill in (nan, posinf, neginf):
        if fill is not None and front.type_of(front.node(fill)).rank > t.rank:
            raise Refusal("nan_to_num puts numbers into an array of fewer axes")
    found = as_function(t)
    return Type("array" if t.shape else "scalar", found.dtype, t.shape)


def _modf(front: Any, x: Any) -> TupleType:
    found = real([front.type_of(front.node(x))], None, ())
    return TupleType((found, found))


def _frexp(front: Any, x: Any) -> TupleType:
    found = real([front.type_of(front.node(x))], None, ())
    return TupleType((found, Type(found.kind, "int32", found.shape)))


def _register_rounding() -> None:
    _row("fix", (None,), whole, bounded=True)
    for name in ("round", "around"):
        _row(name, (None,), _as_rounded, ("round",) if name == "round" else (), bounded=True,
             bind=_bind_round(name))  # fmt: skip
        register_written(f"{name}_decimals", f"numpy.{name}", result=_rounded, d=nothing,
                         bounded=True)  # fmt: skip
        CALLS[f"numpy.{name}"] = (OPS[name], None)


def _bind_round(name: str) -> Callable[..., Any]:
    def bind(front: Any, a: Any, decimals: Any = 0) -> Any:
        known = front.builder.value_of(front.node(decimals))
        if known == 0 and type(known) is int:
            return front.call(name, a)
        return front.call_row(OPS[f"{name}_decimals"], None, [a, decimals], {}, name)

    return bind


def _rounded(front: Any, a: Any, decimals: Any) -> Type:
    if not isinstance(front.static(decimals), int):
        raise Refusal("the decimals of np.round are an integer")
    return _as_rounded([front.type_of(front.node(a))], None, ())


def _as_rounded(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    found = numpy_dtype(types, attr, values)
    return Type(found.kind, "float16", found.shape) if found.dtype == "bool" else found


def _register_reductions() -> None:
    for ufunc, row in (
        ("add", "sum"), ("multiply", "prod"), ("maximum", "max"), ("minimum", "min"),
        ("logical_and", "all"), ("logical_or", "any"),
    ):  # fmt: skip
        register(Op(name=f"{ufunc}_reduce", infer=real, call=f"numpy.{ufunc}.reduce",
                    bind=_bind_reduce(row)))  # fmt: skip
    for ufunc, row in (("add", "cumsum"), ("multiply", "cumprod")):
        register(Op(name=f"{ufunc}_accumulate", infer=real, call=f"numpy.{ufunc}.accumulate",
                    bind=_bind_accumulate(row)))  # fmt: skip
    register_written("logaddexp_reduce", "numpy.logaddexp.reduce", result=_log_total, cost=30,
                     lazy=True, adjoint="adjoints_elementwise.logaddexp_reduce")  # fmt: skip


def _bind_reduce(row: str) -> Callable[..., Any]:
    def bind(front: Any, array: Any, axis: Any = 0, *, keepdims: Any = False) -> Any:
        return front.call_row(OPS[row], None, [array], {"axis": axis, "keepdims": keepdims}, row)

    return bind


def _bind_accumulate(row: str) -> Callable[..., Any]:
    def bind(front: Any, array: Any, axis: Any = 0) -> Any:
        return front.call_row(OPS[row], None, [array], {"axis": axis}, row)

    return bind


def _log_total(front: Any, array: Any, axis: Any = 0, *, keepdims: Any = False) -> Type:
    from gradgen.ops.reduction import axes_of, reduced_shape

    t = front.type_of(front.array(array))
    axes = axes_of(front, axis, t.rank)
    shape = tuple(reduced_shape(t.shape, axes, bool(front.static(keepdims))))
    return Type("array" if shape else "scalar", real([t], None, ()).dtype, shape)


def _register_outer(name: str, op: Op) -> None:
    """The method `outer` of every ufunc of two operands that has a row."""
    for dotted in (op.call, *op.aliases):
        short = dotted.partition("numpy.")[2]
        ufunc = getattr(np, short, None) if short.isidentifier() else None
        if isinstance(ufunc, np.ufunc) and ufunc.nin == 2 and ufunc.signature is None:
            register(Op(name=f"{short}_outer", infer=real, call=f"{dotted}.outer",
                        bind=_bind_outer(name, "numpy" if name == "power" else None)))  # fmt: skip


def _strict(front: Any, value: Any) -> int:
    """An operand as an array; unlike an operator, `outer` takes a Python number for 64 bits."""
    node: int = front.array(value)
    if front.type_of(node).kind == "py":
        node = front.add("array", node, attr=((), None))
    return node


def _bind_outer(name: str, flavour: str | None) -> Callable[..., Any]:
    def bind(front: Any, a: Any, b: Any) -> Any:
        left, right = (_strict(front, value) for value in (a, b))
        rank, more = front.type_of(left).rank, front.type_of(right).rank
        if rank and more:
            every = (("s", None, None, None),) * rank
            left = front.add("index", left, attr=(*every, *("n",) * more))
        return front.add(name, left, right, attr=flavour)

    return bind
