"""SymPy -> Python source that NumPy or `math` runs, in as few operations as a person would write.

A product of n factors has n - 1 multiplications, negative powers go below one division bar, a term
that is subtracted is subtracted, a root is `sqrt`, a rational number is a literal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from gradgen.measure.symbolic import NoSymbolic

# Precedence levels of Python's grammar, low to high.
_CHOICE, _OR, _AND, _NOT, _COMPARE, _ADD, _MUL, _SIGN, _POW, _ATOM = range(10)

_NUMPY = {
    "exp": "np.exp", "log": "np.log", "sin": "np.sin", "cos": "np.cos", "tan": "np.tan",
    "asin": "np.arcsin", "acos": "np.arccos", "atan": "np.arctan", "atan2": "np.arctan2",
    "sinh": "np.sinh", "cosh": "np.cosh", "tanh": "np.tanh", "asinh": "np.arcsinh",
    "acosh": "np.arccosh", "atanh": "np.arctanh", "sqrt": "np.sqrt", "floor": "np.floor",
    "ceiling": "np.ceil", "sign": "np.sign", "Abs": "abs", "Max": "np.maximum", "Min": "np.minimum",
    "erf": "math.erf", "erfc": "math.erfc", "gamma": "math.gamma", "loggamma": "math.lgamma",
    "pi": "np.pi", "e": "np.e", "inf": "np.inf", "nan": "np.nan",
}  # fmt: skip
_MATH = {
    **{
        name: f"math.{name}"
        for name in (
            "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh",
            "tanh", "asinh", "acosh", "atanh", "sqrt", "floor", "erf", "erfc", "gamma", "pi", "e",
            "inf", "nan",
        )
    },
    "ceiling": "math.ceil", "loggamma": "math.lgamma", "Abs": "abs", "Max": "max", "Min": "min",
}  # fmt: skip
LIBRARIES = {"np": _NUMPY, "math": _MATH}
_RECIPROCAL = {"sec": "cos", "csc": "sin", "sech": "cosh", "csch": "sinh", "cot": "tan",
               "coth": "tanh"}  # fmt: skip
_RELATIONS = {"StrictLessThan": "<", "LessThan": "<=", "StrictGreaterThan": ">",
              "GreaterThan": ">=", "Equality": "==", "Unequality": "!="}  # fmt: skip

Piece = tuple[str, int]  # a text, and the precedence of its outermost operation


class Printer:
    """Prints expressions over symbols that have names, with the functions of one library."""

    def __init__(self, names: Mapping[Any, str], library: str) -> None:
        self._names = names
        self._functions = LIBRARIES[library]
        self._known: dict[Any, Piece] = {}

    def text(self, expression: Any) -> str:
        """The source of an expression. Raises `NoSymbolic` for what Python has no word for."""
        return self._piece(expression)[0]

    def _piece(self, e: Any) -> Piece:
        found = self._known.get(e)
        if found is None:
            found = self._known[e] = self._print(e)
        return found

    def _at(self, e: Any, level: int) -> str:
        """The text of an operand, in parentheses where it binds looser than `level`."""
        return _wrapped(self._piece(e), level)

    def _print(self, e: Any) -> Piece:
        if e in self._names:
            return self._names[e], _ATOM
        if e.is_Rational:
            return _number(e)
        if e.is_Add:
            return self._sum(e)
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow:
            return self._power(e)
        for value, name in ((sympy.pi, "pi"), (sympy.E, "e"), (sympy.oo, "inf"),
                            (sympy.nan, "nan")):  # fmt: skip
            if e is value:
                return self._functions[name], _ATOM
        if e in (-sympy.oo, sympy.EulerGamma):
            return (f"-{self._functions['inf']}", _SIGN) if e == -sympy.oo else _literal(float(e))
        if isinstance(e, sympy.logic.boolalg.Boolean):
            return self._condition(e)
        return self._function(e)

    def _sum(self, e: Any) -> Piece:
        terms = [_signed(term) for term in e.args]
        # One that is added comes first, so that no sign has to be changed.
        terms.sort(key=lambda term: term[0])
        text = ""
        for negative, term in terms:
            body = self._at(term, _MUL)
            if text:
                text += f" - {body}" if negative else f" + {body}"
            else:
                text = f"-{body}" if negative else body
        return text, _ADD

    def _product(self, e: Any) -> Piece:
        negative, positive = _signed(e)
        if negative:
            text, level = self._piece(positive)
            # Python reads -x*y as (-x)*y: the sign binds no tighter than what follows it.
            return f"-{_wrapped((text, level), _MUL)}", min(max(level, _MUL), _SIGN)
        above: list[Any] = []
        below: list[Any] = []
        for factor in e.args:
            base, exponent = factor.as_base_exp()
            if factor.is_Pow and exponent.is_Rational and exponent < 0:
                below.append(sympy.Pow(base, -exponent))
            else:
                above.append(factor)
        return self._fraction(above, below)

    def _fraction(self, above: Sequence[Any], below: Sequence[Any]) -> Piece:
        # Above, the first factor may be of the same level; another would change the order.
        texts = [self._at(f, _MUL if at == 0 else _SIGN) for at, f in enumerate(above)]
        over = "*".join(texts) or "1.0"
        if not below:
            return over, _MUL
        if len(below) == 1:
            return f"{over}/{self._at(below[0], _SIGN)}", _MUL
        under = "*".join(self._at(f, _MUL if at == 0 else _SIGN) for at, f in enumerate(below))
        return f"{over}/({under})", _MUL

    def _power(self, e: Any) -> Piece:
        base, exponent = e.args
        if base is sympy.E:
            return f"{self._functions['exp']}({self.text(exponent)})", _ATOM
        if exponent.is_Rational and exponent < 0:
            return self._fraction([], [sympy.Pow(base, -exponent)])
        if exponent == sympy.Rational(1, 2):
            return f"{self._functions['sqrt']}({self.text(base)})", _ATOM
        return f"{self._at(base, _ATOM)}**{self._at(exponent, _SIGN)}", _POW

    def _condition(self, e: Any) -> Piece:
        name = type(e).__name__
        if name in _RELATIONS:
            sides = [self._at(a, _COMPARE + 1) for a in e.args]
            return f"{sides[0]} {_RELATIONS[name]} {sides[1]}", _COMPARE
        if name in ("And", "Or"):
            level = _AND if name == "And" else _OR
            args = sorted(e.args, key=sympy.default_sort_key)
            return f" {name.lower()} ".join(self._at(a, level + 1) for a in args), level
        if name == "Not":
            return f"not {self._at(e.args[0], _COMPARE)}", _NOT
        if name == "ITE":
            then, other = self._at(e.args[1], _OR), self._at(e.args[2], _CHOICE)
            return f"{then} if {self._at(e.args[0], _OR)} else {other}", _CHOICE
        if e in (sympy.true, sympy.false):
            return str(e == sympy.true), _ATOM
        raise NoSymbolic(f"SymPy's {name} has no spelling in Python")

    def _function(self, e: Any) -> Piece:
        name = type(e).__name__
        if name == "Piecewise":
            return self._choice(e)
        if name in _RECIPROCAL and _RECIPROCAL[name] in self._functions:
            return f"1.0/{self._functions[_RECIPROCAL[name]]}({self.text(e.args[0])})", _MUL
        if name in ("sign", "Heaviside") and not (name == "sign" and "sign" in self._functions):
            x = self._at(e.args[0], _COMPARE + 1)
            if name == "sign":
                return f"({x} > 0) - ({x} < 0)", _ADD
            return f"0.5*(({x} > 0) + ({x} >= 0))", _MUL
        if name not in self._functions:
            raise NoSymbolic(f"SymPy's {name} has no spelling in NumPy or math")
        args = [self.text(a) for a in e.args]
        text = args[0] if name in ("Max", "Min") else ", ".join(args)
        if name not in ("Max", "Min"):
            return f"{self._functions[name]}({text})", _ATOM
        for other in args[1:]:
            text = f"{self._functions[name]}({text}, {other})"
        return text, _ATOM

    def _choice(self, e: Any) -> Piece:
        *pairs, last = e.args
        if last[1] == sympy.true:
            text = self._at(last[0], _CHOICE)
        else:
            pairs, text = [*pairs, last], self._functions["nan"]
        for value, condition in reversed(pairs):
            text = f"{self._at(value, _OR)} if {self._at(condition, _OR)} else {text}"
        return text, _CHOICE


def _wrapped(piece: Piece, level: int) -> str:
    return piece[0] if piece[1] >= level else f"({piece[0]})"


def _signed(term: Any) -> tuple[bool, Any]:
    """Whether a term is subtracted, and what is left without its sign."""
    if term.is_Rational and term < 0:
        return True, -term
    if term.is_Mul and term.args[0].is_Rational and term.args[0] < 0:
        return True, -term
    return False, term


def _number(value: Any) -> Piece:
    """A rational number as a literal: an integer as it is, a fraction as the nearest float."""
    if not value.is_Integer:
        return _literal(float(value))
    return (str(value), _ATOM) if value >= 0 else (str(value), _SIGN)


def _literal(value: float) -> Piece:
    return repr(value), _ATOM if value >= 0 else _SIGN


def function_text(name: str, parameters: Sequence[str], statements: Sequence[tuple[str, str]],
                  result: str) -> str:  # fmt: skip
    """A module with one function: assignments, then what it returns."""
    lines = ["import math", "import numpy as np", "", "", f"def {name}({', '.join(parameters)}):"]
    lines += [f"    {left} = {right}" for left, right in statements]
    return "\n".join([*lines, f"    return {result}", ""])
