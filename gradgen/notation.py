"""Expressions of Python as LaTeX, with the names that adjoints have in lectures."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
    "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma",
    "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
)  # fmt: skip
# Functions that LaTeX has a command for.
_COMMANDS = (
    "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "det",
    "min", "max",
)  # fmt: skip
_ELEMENTWISE = (
    *_COMMANDS[:11], "sqrt", "abs", "fabs", "log1p", "expm1", "log2", "log10", "exp2", "square",
    "cbrt", "sign", "maximum", "minimum", "where", "logaddexp", "hypot", "power",
)  # fmt: skip
_TO_NUMBER = ("sum", "mean", "max", "min", "prod", "norm", "det", "trace", "vdot", "len", "size")
_CREATORS = (
    "zeros", "ones", "full", "empty", "eye", "arange", "linspace", "array", "zeros_like",
    "ones_like",
)  # fmt: skip
_COMPARES = {
    ast.Lt: "<", ast.LtE: r"\leq", ast.Gt: ">", ast.GtE: r"\geq", ast.Eq: "=", ast.NotEq: r"\neq",
}  # fmt: skip
_SIGNS = {
    ast.Mod: r"\bmod", ast.BitAnd: r"\wedge", ast.BitOr: r"\vee", ast.BitXor: r"\oplus",
    ast.LShift: r"\ll", ast.RShift: r"\gg",
}  # fmt: skip
# How tightly the outermost operator of a formula binds.
SUM, PRODUCT, SIGN, WHOLE = 1, 2, 3, 5


class Formula(NamedTuple):
    """LaTeX, how tightly it binds, and the number of axes of what it stands for, if known."""

    text: str
    binds: int = WHOLE
    rank: int | None = None

    def at(self, level: int) -> str:
        """The text, in parentheses where it binds less tightly."""
        return self.text if self.binds >= level else rf"\left({self.text}\right)"


def latex_name(name: str) -> str:
    """A name as a formula has it: `z1` is z with an index, `alpha` a Greek letter."""
    stem, digits = re.fullmatch(r"(.*?)_?([0-9]*)", name, re.S).groups()  # type: ignore[union-attr]
    head, _, rest = stem.partition("_")
    if not head:
        return rf"\mathrm{{{_escaped(name)}}}"
    body = f"\\{head}" if head in _GREEK else head if len(head) == 1 else rf"\mathit{{{head}}}"
    below = [rf"\mathrm{{{_escaped(rest)}}}"] * bool(rest) + [digits] * bool(digits)
    return f"{body}_{{{','.join(below)}}}" if below else body


def _escaped(text: str) -> str:
    return re.sub(r"([_#$%&{}])", r"\\\1", text)


def statement(text: str, names: Mapping[str, str], rank: Callable[[str], int | None]) -> str:
    """One statement as LaTeX; what has no formula stands as it is written.

    `names` are the formulas of names and of parts of arguments, `rank` the numbers of their axes.
    """
    writer = _Writer(names, rank)
    node = ast.parse(text).body[0]
    if isinstance(node, ast.Assign):
        return f"{writer.of(node.targets[0]).text} = {writer.of(node.value).text}"
    if isinstance(node, ast.AugAssign):
        return rf"{writer.of(node.target).text} \mathrel{{+}}= {writer.of(node.value).text}"
    if isinstance(node, ast.Expr) and not text.startswith("np.add.at"):
        return writer.of(node.value).text
    return rf"\mathtt{{{_escaped(text)}}}"


class _Writer:
    """Writes expressions, which emitted code has of a bounded depth."""

    def __init__(self, names: Mapping[str, str], rank: Callable[[str], int | None]) -> None:
        self.names = names
        self.rank = rank

    def of(self, node: ast.expr) -> Formula:
        """The formula of an expression."""
        if isinstance(node, (ast.Name, ast.Subscript, ast.Attribute)):
            text = ast.unparse(node)
            if text in self.names:
                return Formula(self.names[text], WHOLE, self.rank(text))
        if isinstance(node, ast.Name):
            return Formula(latex_name(node.id), WHOLE, self.rank(node.id))
        if isinstance(node, ast.Constant):
            return _constant(node.value)
        if isinstance(node, ast.UnaryOp):
            inner = self.of(node.operand)
            sign = {ast.USub: "-", ast.UAdd: "+"}.get(type(node.op), r"\lnot ")
            return Formula(sign + inner.at(SIGN), SUM if sign == "-" else SIGN, inner.rank)
        if isinstance(node, ast.BinOp):
            return self._binary(node.op, self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare):
            texts = [self.of(node.left).at(SUM)]
            for op, right in zip(node.ops, node.comparators, strict=True):
                texts += [_COMPARES.get(type(op), "="), self.of(right).at(SUM)]
            return Formula(" ".join(texts), 0)
        if isinstance(node, ast.Subscript):
            whole = self.of(node.value)
            index = self._index(node.slice)
            return Formula(f"{{{whole.at(WHOLE)}}}_{{{index}}}", WHOLE, _rank_at(whole, node.slice))
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, (ast.Tuple, ast.List)):
            inside = r",\, ".join(self.of(item).text for item in node.elts)
            return Formula(rf"\left({inside}\right)")
        return Formula(rf"\mathtt{{{_escaped(ast.unparse(node))}}}")

    def _binary(self, op: ast.operator, left: Formula, right: Formula) -> Formula:
        known = left.rank is not None and right.rank is not None
        rank = max(left.rank or 0, right.rank or 0) if known else None
        if isinstance(op, ast.Add):
            return Formula(f"{left.at(SUM)} + {right.at(SUM)}", SUM, rank)
        if isinstance(op, ast.Sub):
            return Formula(f"{left.at(SUM)} - {right.at(PRODUCT)}", SUM, rank)
        if isinstance(op, ast.Mult):
            sign = r"\," if 0 in (left.rank, right.rank) else r"\circ"
            after = right.at(PRODUCT)
            sign = r"\cdot" if after[:1].isdigit() else sign
            return Formula(f"{left.at(PRODUCT)} {sign} {after}", PRODUCT, rank)
        if isinstance(op, ast.Div):
            return Formula(rf"\frac{{{left.text}}}{{{right.text}}}", PRODUCT + 1, rank)
        if isinstance(op, ast.Pow):
            base = left.text if left.binds == WHOLE and "(" not in left.text else left.at(WHOLE + 1)
            return Formula(f"{{{base}}}^{{{right.text}}}", WHOLE - 1, rank)
        if isinstance(op, ast.MatMult):
            return _product(left, right)
        if isinstance(op, ast.FloorDiv):
            quotient = rf"\frac{{{left.text}}}{{{right.text}}}"
            return Formula(rf"\left\lfloor {quotient} \right\rfloor", WHOLE, rank)
        sign = _SIGNS[type(op)]
        return Formula(f"{left.at(WHOLE)} {sign} {right.at(WHOLE)}", PRODUCT, rank)

    def _index(self, node: ast.expr) -> str:
        if isinstance(node, ast.Slice):
            bounds = [node.lower, node.upper, *([node.step] if node.step else [])]
            return ":".join("" if b is None else self.of(b).text for b in bounds)
        if isinstance(node, ast.Tuple):
            return ",".join(map(self._index, node.elts))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return rf"\mathrm{{{_escaped(node.value)}}}"
        return self.of(node).text

    def _attribute(self, node: ast.Attribute) -> Formula:
        special = {"pi": r"\pi", "e": r"\mathrm{e}", "inf": r"\infty", "nan": r"\mathrm{NaN}"}
        if isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy", "math"):
            return Formula(special.get(node.attr, rf"\mathrm{{{_escaped(node.attr)}}}"), rank=0)
        inner = self.of(node.value)
        if node.attr == "T":
            return _transposed(inner)
        return Formula(rf"\mathrm{{{node.attr}}}\left({inner.text}\right)", rank=0)

    def _call(self, node: ast.Call) -> Formula:
        function, given = node.func, [self.of(a) for a in node.args]
        name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
        if isinstance(function, ast.Attribute) and not _is_module(function.value):
            given.insert(0, self.of(function.value))
        plain = not node.keywords
        if name == "copy" and len(given) == 1:
            return given[0]
        if plain and len(given) == 2 and name in ("outer", "dot", "matmul", "inner"):
            outer = name == "outer"
            return _product(given[0], _transposed(given[1]) if outer else given[1], outer)
        if plain and len(given) == 1:
            made = self._of_one(name, given[0])
            if made is not None:
                return made
        words = [f"{_escaped(w.arg or '')}={self.of(w.value).text}" for w in node.keywords]
        shown = {"maximum": "max", "minimum": "min"}.get(name, name)
        head = f"\\{shown}" if shown in _COMMANDS else rf"\operatorname{{{_escaped(shown)}}}"
        inside = r",\, ".join([*(g.text for g in given), *words])
        return Formula(rf"{head}\left({inside}\right)", WHOLE, _rank_of(name, given, plain))

    @staticmethod
    def _of_one(name: str, x: Formula) -> Formula | None:
        """A function of one operand that has a notation of its own."""
        if name == "sqrt":
            return Formula(rf"\sqrt{{{x.text}}}", WHOLE, x.rank)
        if name in ("abs", "fabs"):
            return Formula(rf"\left|{x.text}\right|", WHOLE, x.rank)
        if name == "norm":
            return Formula(rf"\left\|{x.text}\right\|", WHOLE, 0)
        if name == "sum":
            return Formula(rf"\sum {x.at(PRODUCT)}", PRODUCT, 0)
        if name == "transpose":
            return _transposed(x)
        return None


def _constant(value: object) -> Formula:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Formula(rf"\mathtt{{{_escaped(repr(value))}}}", rank=0)
    text = repr(value).removesuffix(".0")
    mantissa, e, exponent = text.partition("e")
    if e:
        return Formula(rf"{mantissa} \cdot 10^{{{int(exponent)}}}", PRODUCT, 0)
    return Formula(text, WHOLE, 0)


def _rank_at(whole: Formula, index: ast.expr) -> int | None:
    """The number of axes of what is at an index, which takes away an axis for each number."""
    items = index.elts if isinstance(index, ast.Tuple) else [index]
    plain = all(isinstance(i, (ast.Slice, ast.Constant, ast.UnaryOp)) for i in items)
    if whole.rank is None or not plain:
        return None
    return whole.rank - sum(not isinstance(i, ast.Slice) for i in items)


def _transposed(x: Formula) -> Formula:
    return Formula(rf"{x.at(WHOLE)}^{{\top}}", WHOLE, x.rank)


def _product(left: Formula, right: Formula, outer: bool = False) -> Formula:
    rank = 2 if outer else None
    if not outer and left.rank is not None and right.rank is not None:
        rank = max(left.rank + right.rank - 2, 0)
    sign = r"\cdot" if rank == 0 else r"\,"
    return Formula(f"{left.at(SIGN)} {sign} {right.at(SIGN)}", PRODUCT, rank)


def _is_module(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("np", "numpy", "math", "scipy", "special",
                                                      "linalg", "builtins")  # fmt: skip


def _rank_of(name: str, given: Sequence[Formula], plain: bool) -> int | None:
    """The number of axes of what a call gives, where that is known."""
    ranks = [g.rank for g in given]
    if name in _CREATORS or None in ranks:
        return None
    if name in _TO_NUMBER and plain:
        return 0
    highest = max((r for r in ranks if r is not None), default=None)
    return highest if name in _ELEMENTWISE or highest == 0 else None
