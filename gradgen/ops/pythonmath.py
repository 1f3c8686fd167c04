"""Functions of Python's `math` that are not ufuncs under another name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.elementwise import real
from gradgen.ops.table import OPS, Op, register, register_written
from gradgen.ops.ufuncs import nothing
from gradgen.types import TupleType, Type, join

FLOAT, INT = Type("py", "float"), Type("py", "int")
LARGEST = 10_000


def _row(name: str, d: Any, **more: Any) -> None:
    more.setdefault("infer", real)
    register(Op(name=f"math_{name}", d=d, math=f"math.{name}", elementwise=True, **more))


def register_rows() -> None:
    """Enter the rows of this family."""
    for name in ("gamma", "lgamma"):
        _row(name, ("",), cost=20, why=f"the derivative of math.{name} needs SciPy, which this "
             "source does not import")  # fmt: skip
    _row("remainder", ("g", "-g * ((x - out) / y)"), singular=True, domain="y != 0", cost=4)
    _row("fma", ("g * y", "g * x", "g"), sympy="x * y + z", bounded=True)
    _row("ulp", ("",), why="math.ulp is a rounding error, and has no derivative here")
    for name in ("isqrt", "factorial"):
        _row(name, (None,), infer=_integers, evaluate=partial(_exact, name), bounded=True)
    for name in ("comb", "perm", "gcd", "lcm"):
        _row(name, nothing, infer=_integers, evaluate=partial(_exact, name), bounded=True,
             bind=_bind_integers(name))  # fmt: skip
    register(Op(name="math_log", infer=real, call="math.log", bind=_bind_log))
    register_written("math_hypot", "math.hypot", result=_number, bounded=True,
                     adjoint="adjoints_elementwise.hypot")  # fmt: skip
    register(Op(name="math_hypot_of", infer=real, call="math.hypot", bind=_bind_hypot))
    register_written("math_dist", "math.dist", result=_number, bounded=True,
                     defined="numbers.dist")  # fmt: skip
    register_written("math_fsum", "math.fsum", result=_number, defined="numbers.fsum", bounded=True)
    register_written("math_prod", "math.prod", result=_product, defined="numbers.prod")
    register_written("math_sumprod", "math.sumprod", result=_number, defined="numbers.sumprod")
    register_written("math_isclose", "math.isclose", result=lambda *args, **keywords:
                     Type("py", "bool"))  # fmt: skip
    register_written("math_modf", "math.modf", result=lambda front, x: TupleType((FLOAT, FLOAT)),
                     defined="elementwise.modf", bounded=True)  # fmt: skip
    register_written("math_frexp", "math.frexp", result=lambda front, x: TupleType((FLOAT, INT)),
                     adjoint="adjoints_elementwise.math_frexp", bounded=True)  # fmt: skip


def _integers(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    if any(t.is_float or t.shape for t in types):
        raise Refusal("this function takes integers")
    return INT


def _exact(name: str, *values: Any) -> int:
    """The value, where it is of a reasonable size."""
    if name in ("factorial", "comb", "perm") and max(values) > LARGEST:
        raise ArithmeticError
    found: int = getattr(math, name)(*values)
    return found


def _bind_integers(name: str) -> Callable[..., Any]:
    def bind(front: Any, *numbers: Any) -> Any:
        if (name == "comb" and len(numbers) != 2) or (
            name == "perm" and len(numbers) not in (1, 2)
        ):
            raise Refusal(f"math.{name} does not take {len(numbers)} arguments")
        if not numbers:
            return front.builder.const(getattr(math, name)())
        return front.add(f"math_{name}", *(front.node(n) for n in numbers), attr="math")

    return bind


def _bind_log(front: Any, x: Any, base: Any = None, /) -> Any:
    """CPython divides the two logarithms, too."""
    value = front.add("log", front.node(x), attr="math")
    if base is None:
        return value
    return front.add("div", value, front.add("log", front.node(base), attr="math"))


def _bind_hypot(front: Any, *coordinates: Any) -> Any:
    if len(coordinates) == 2:
        return front.add("hypot", *(front.node(c) for c in coordinates), attr="math")
    return front.call_row(OPS["math_hypot"], None, list(coordinates), {}, "math.hypot")


def _number(front: Any, *args: Any) -> Type:
    return FLOAT


def _product(front: Any, iterable: Any, /, *, start: Any = 1) -> Type:
    items = [front.node(v) for v in (start, *front.items(iterable))]
    found = join([front.type_of(i) for i in items])
    return Type("scalar" if found.kind != "py" else "py", found.dtype, found.shape)
