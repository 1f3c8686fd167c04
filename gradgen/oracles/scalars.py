"""Exact scalars: numbers of mpmath at many digits, and SymPy expressions with their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from numbers import Integral
from types import MappingProxyType
from typing import Any, Protocol

import mpmath  # type: ignore[import-untyped]
import numpy as np
import sympy

Scalar = Any
# What larger arguments of exp give is beyond any number that a computation goes on with.
LARGEST_EXPONENT = 10**400
# Functions of numbers beyond 2 to this power would take as many bits; so would such an exponent.
LARGEST_MAGNITUDE = 10**5
_OF_ANY_SIZE = ("exp", "log", "Abs", "sign")


class Unsupported(Exception):
    """An operation that is not evaluated exactly; its name is the message."""


# What mpmath calls a function of SymPy's, where it is called otherwise.
_SPELLED = {
    "polygamma": "psi", "Ei": "ei", "elliptic_k": "ellipk", "elliptic_e": "ellipe",
    "elliptic_f": "ellipf", "LambertW": "lambertw",
}  # fmt: skip
# Functions that mpmath knows and SymPy does not.
NUMERIC: dict[str, Callable[..., Any]] = {
    "hyp1f1": lambda c, x, y, z: c.hyp1f1(x, y, z),
    "hyp0f1": lambda c, x, y: c.hyp0f1(x, y),
    "elliprd": lambda c, x, y, z: c.elliprd(x, y, z),
    "stdtr": lambda c, x, y: _student(c, x, y),
    "owens_t": lambda c, x, y: c.quad(
        lambda t: c.exp(-x * x * (1 + t * t) / 2) / (1 + t * t), [0, y]) / (2 * c.pi),
}  # fmt: skip


def _student(c: Any, x: Any, y: Any) -> Any:
    tail = c.betainc(x / 2, c.mpf(1) / 2, 0, x / (x + y * y), regularized=True) / 2
    return 1 - tail if y > 0 else tail


class Arithmetic(Protocol):
    """What the evaluation of a graph asks of a kind of scalars."""

    @property
    def context(self) -> Any:
        """The context of mpmath that computes values."""
        ...

    def number(self, value: Any) -> Scalar:
        """The scalar of a Python or NumPy number; a float is the rational that it is."""
        ...

    def opaque(self, value: Any) -> Scalar:
        """The scalar of a number of mpmath's of which no expression is known."""
        ...

    def constant(self, value: sympy.Expr) -> Scalar:
        """The scalar of a number of SymPy's, as pi."""
        ...

    def value(self, x: Scalar) -> Any:
        """The number of mpmath's that decides comparisons."""
        ...

    def decide(self, outcome: Any, *operands: Scalar) -> None:
        """Note how a kink was decided that depends on these operands."""
        ...

    def add(self, parts: Sequence[Scalar]) -> Scalar:
        """A sum."""
        ...

    def multiply(self, parts: Sequence[Scalar]) -> Scalar:
        """A product."""
        ...

    def power(self, base: Scalar, exponent: Scalar) -> Scalar:
        """A power."""
        ...

    def function(self, name: str, args: Sequence[Scalar]) -> Scalar:
        """A function by the name that SymPy gives it."""
        ...

    def row(self, name: str, args: Sequence[Scalar]) -> Scalar | None:
        """An elementwise row that has no formula; None where it is not known here."""
        ...

    def mean(self, tied: Sequence[Scalar]) -> Scalar:
        """The value of several operands that tie for being the largest or the smallest."""
        ...


class Numbers:
    """Numbers of mpmath at so many digits, with the infinities and NaN of IEEE arithmetic."""

    def __init__(self, digits: int) -> None:
        self._context = mpmath.MPContext()
        self._context.dps = digits
        self._constants: dict[Any, Any] = {}
        self._others: dict[float, Any] = {}

    def naming(
        self, named: Mapping[float, sympy.Expr], others: Mapping[float, Any] = MappingProxyType({})
    ) -> Numbers:
        """The same numbers with other ones for some floats: of SymPy's, or of mpmath's."""
        found = copy(self)
        found._others = {value: self.constant(number) for value, number in named.items()}
        found._others |= others
        return found

    @property
    def context(self) -> Any:
        """See `Arithmetic`."""
        return self._context

    def number(self, value: Any) -> Any:
        """See `Arithmetic`."""
        if isinstance(value, Integral):
            return self.context.mpf(int(value))
        if isinstance(value, self.context.mpf):
            return value
        plain = float(value)
        return self._others[plain] if plain in self._others else self.context.mpf(plain)

    def constant(self, value: sympy.Expr) -> Any:
        """See `Arithmetic`."""
        if value not in self._constants:
            if not value.is_finite or not value.is_real:
                found = self.context.mpf(float(value) if value.is_extended_real else "nan")
            elif isinstance(value, sympy.Rational):
                found = self.context.mpf(value.p) / value.q
            else:
                found = self.context.mpf(value.evalf(self.context.dps + 5)._mpf_)
            self._constants[value] = found
        return self._constants[value]

    def opaque(self, value: Any) -> Any:
        """See `Arithmetic`."""
        return value

    def value(self, x: Any) -> Any:
        """See `Arithmetic`."""
        return x

    def decide(self, outcome: Any, *operands: Any) -> None:
        """See `Arithmetic`."""

    def add(self, parts: Sequence[Any]) -> Any:
        """See `Arithmetic`."""
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def multiply(self, parts: Sequence[Any]) -> Any:
        """See `Arithmetic`."""
        total = parts[0]
        for part in parts[1:]:
            total = total * part
        return total

    def power(self, base: Any, exponent: Any) -> Any:
        """See `Arithmetic`."""
        c = self.context
        if base == 0 and exponent < 0:
            return c.inf
        if exponent == 0 or base == 1:
            return c.one
        if exponent == -1:
            return c.one / base
        if self._is_huge(exponent):
            return c.nan
        return self._real(lambda: base**exponent)

    def function(self, name: str, args: Sequence[Any]) -> Any:
        """See `Arithmetic`."""
        c = self.context
        if any(c.isnan(a) for a in args):
            return c.nan
        if name == "exp" and abs(args[0]) > LARGEST_EXPONENT:
            return c.inf if args[0] > 0 else c.zero
        if name == "log" and args[0] == 0:
            return -c.inf
        if name not in _OF_ANY_SIZE and any(map(self._is_huge, args)):
            return c.nan
        if name == "loggamma" and args[0] < 0:
            return self._real(lambda: c.log(abs(c.gamma(args[0]))))
        if name in ("lowergamma", "uppergamma"):
            ends = (0, args[1]) if name == "lowergamma" else (args[1], c.inf)
            return self._real(lambda: c.gammainc(args[0], *ends))
        if name == "betainc_regularized":
            return self._real(lambda: c.betainc(*args, regularized=True))
        if name == "polygamma":
            args = (int(args[0]), args[1])
        found = getattr(c, _SPELLED.get(name, name), None)
        if found is None:
            raise Unsupported(name)
        return self._real(lambda: found(*args))

    def row(self, name: str, args: Sequence[Any]) -> Any:
        """See `Arithmetic`."""
        found = NUMERIC.get(name)
        return None if found is None else self._real(lambda: found(self.context, *args))

    def mean(self, tied: Sequence[Any]) -> Any:
        """See `Arithmetic`."""
        return tied[0]

    def _is_huge(self, x: Any) -> bool:
        c = self.context
        return bool(c.isfinite(x) and x and c.mag(x) > LARGEST_MAGNITUDE)

    def _real(self, compute: Callable[[], Any]) -> Any:
        """A real number; NaN for a complex one and for none at all."""
        try:
            found = compute()
        except (ValueError, ZeroDivisionError):
            return self.context.nan
        if isinstance(found, self.context.mpc):
            return found.real if found.imag == 0 else self.context.nan
        return found if isinstance(found, self.context.mpf) else self.context.mpf(found)


class Term:
    """An expression of SymPy's, None where it grew too large, and its value at a point."""

    __slots__ = ("expr", "home", "value")

    def __init__(self, home: Expressions, expr: sympy.Expr | None, value: Any) -> None:
        self.home = home
        self.expr = expr
        self.value = value

    # an array takes over, and computes entry by entry
    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self.home.add([self, self.home.number(other)])

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self.home.multiply([self, self.home.number(other)])

    def __neg__(self) -> Any:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self + -self.home.number(other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        home = self.home
        return home.multiply([self, home.power(home.number(other), home.number(-1))])

    def __rtruediv__(self, other: Any) -> Any:
        return self.home.number(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    # NumPy takes the conjugate of the first factor in some products
    def conjugate(self) -> Term:
        """Itself: it is real."""
        return self


class Expressions:
    """SymPy expressions of at most `limit` operations, each with its value at a point.

    A kink becomes the branch that is taken at the point; `decisions` holds which were. In
    `active` are the symbols with respect to which is differentiated: the conventions at ties ask
    for them. `named` are floats that stand for numbers which no float is.
    """

    def __init__(self, numbers: Numbers, limit: int, active: frozenset[sympy.Symbol]) -> None:
        self.numbers = numbers
        self.limit = limit
        self.active = active
        self.named: Mapping[float, sympy.Expr] = {}
        self.decisions: list[Any] = []
        self._sizes: dict[sympy.Expr, int] = {}

    @property
    def context(self) -> Any:
        """See `Arithmetic`."""
        return self.numbers.context

    def number(self, value: Any) -> Term:
        """See `Arithmetic`."""
        if isinstance(value, Term):
            return value
        if isinstance(value, Integral):
            whole = int(value)
            return Term(self, sympy.Integer(whole), self.numbers.number(whole))
        plain = float(value)
        if plain in self.named:
            return self.constant(self.named[plain])
        if math.isfinite(plain):
            return Term(self, sympy.Rational(plain), self.numbers.number(plain))
        expr = sympy.nan if plain != plain else sympy.oo if plain > 0 else -sympy.oo
        return Term(self, expr, self.numbers.number(plain))

    def constant(self, value: sympy.Expr) -> Term:
        """See `Arithmetic`."""
        return Term(self, value, self.numbers.constant(value))

    def symbol(self, symbol: sympy.Symbol, value: Any) -> Term:
        """An argument."""
        return Term(self, symbol, self.numbers.number(value))

    def value(self, x: Term) -> Any:
        """See `Arithmetic`."""
        return x.value

    def decide(self, outcome: Any, *operands: Term) -> None:
        """See `Arithmetic`."""
        if any(x.expr is None or x.expr.free_symbols for x in operands):
            self.decisions.append(outcome)

    def add(self, parts: Sequence[Term]) -> Term:
        """See `Arithmetic`."""
        return self._made(sympy.Add, parts, self.numbers.add([p.value for p in parts]))

    def multiply(self, parts: Sequence[Term]) -> Term:
        """See `Arithmetic`."""
        return self._made(sympy.Mul, parts, self.numbers.multiply([p.value for p in parts]))

    def power(self, base: Term, exponent: Term) -> Term:
        """See `Arithmetic`."""
        value = self.numbers.power(base.value, exponent.value)
        if exponent.expr is not None and exponent.expr.is_number and abs(exponent.value) > 999:
            return Term(self, None, value)
        return self._made(sympy.Pow, [base, exponent], value)

    def function(self, name: str, args: Sequence[Term]) -> Term:
        """See `Arithmetic`."""
        value = self.numbers.function(name, [a.value for a in args])
        return self._made(getattr(sympy, name), args, value)

    def row(self, name: str, args: Sequence[Term]) -> Term | None:
        """See `Arithmetic`."""
        value = self.numbers.row(name, [a.value for a in args])
        return None if value is None else Term(self, None, value)

    def mean(self, tied: Sequence[Term]) -> Term:
        """Ties share the derivative evenly; with a constant the derivative is the constant's."""
        fixed = [t for t in tied if t.expr is not None and not t.expr.free_symbols & self.active]
        if len(tied) == 2 and len(fixed) == 1:
            return fixed[0]
        share = self.constant(sympy.Rational(1, len(tied)))
        return self.multiply([self.add(tied), share])

    def opaque(self, value: Any) -> Term:
        """See `Arithmetic`."""
        return Term(self, None, value)

    def size(self, expr: sympy.Expr) -> int:
        """The number of operations of an expression, counted as a tree."""
        known = self._sizes.get(expr)
        if known is None:
            parts = expr.args if not expr.is_Atom else ()
            own = max(len(parts) - 1, 1) if parts else 0
            known = self._sizes[expr] = own + sum(self.size(part) for part in parts)
        return known

    def _made(self, make: Callable[..., Any], parts: Sequence[Term], value: Any) -> Term:
        exprs = [p.expr for p in parts]
        if any(e is None for e in exprs):
            return Term(self, None, value)
        if sum(self.size(e) for e in exprs if e is not None) > self.limit:
            return Term(self, None, value)
        expr = make(*exprs)
        return Term(self, expr if self.size(expr) <= self.limit else None, value)
