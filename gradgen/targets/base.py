"""What a target is made of, and expressions with their precedence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from gradgen.graph import Graph
from gradgen.ops import OPS
from gradgen.ops.table import AND, ATOM, COMPARE, CONDITIONAL, POWER, UNARY

_SIMPLE = re.compile(r"-?(?:[^\W\d][\w.]*|[0-9][0-9_.]*(?:e[-+]?[0-9]+)?)\Z")


class Expr(NamedTuple):
    """An expression's text, the precedence of its outermost operator, and its nesting."""

    text: str
    precedence: float = ATOM
    depth: int = 0

    def at(self, level: float) -> str:
        """The text, in parentheses where its operator binds less tightly than `level`."""
        return self.text if self.precedence >= level else f"({self.text})"

    @property
    def is_simple(self) -> bool:
        """Whether it is a name, a dotted name or a number, perhaps with a sign."""
        return _SIMPLE.match(self.text) is not None


# As Expr(...) makes it, in a third of the time.
_new: Callable[[type[Expr], tuple[str, float, int]], Expr] = tuple.__new__


def bare(name: str) -> Expr:
    """A value that has a name."""
    return _new(Expr, (name, ATOM, 0))


class Writer(Protocol):
    """What a spelling may ask for."""

    graph: Graph

    def root(self, module: str) -> str:
        """How the emitted file calls a module or a builtin; it is imported if need be."""
        ...

    def function(self, dotted: str) -> str:
        """How the emitted file calls a function, `np.exp` for `numpy.exp`."""
        ...


Spelling = Callable[[Writer, int, Sequence[Expr]], Expr]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A language or library to emit for: spellings by op, as a format string or a function."""

    name: str
    spellings: Mapping[str, str | Spelling] = field(default_factory=dict)
    # `numpy` calls NumPy's functions; `math` calls those of the math module.
    functions: str = "numpy"
    scalars_only: bool = False
    number_module: str = "numpy"


def call(name: str, args: Sequence[Expr | str]) -> Expr:
    """A call with these arguments."""
    if len(args) == 1 and type(args[0]) is Expr:
        text, precedence, depth = args[0]
        inner = text if precedence >= CONDITIONAL else f"({text})"
        return _new(Expr, (f"{name}({inner})", ATOM, depth + 1))
    texts = [a if isinstance(a, str) else a.at(CONDITIONAL) for a in args]
    depth = 1 + max((a.depth for a in args if isinstance(a, Expr)), default=0)
    return Expr(f"{name}({', '.join(texts)})", ATOM, depth)


def infix(symbol: str, level: float, left: Expr, right: Expr) -> Expr:
    """A binary operator; `**` hugs simple operands, as formatters have it."""
    if level == POWER:
        base, exponent = left.at(ATOM), right.at(UNARY)
        hug = left.precedence == ATOM and left.is_simple and right.is_simple
        text = f"{base}{symbol}{exponent}" if hug else f"{base} {symbol} {exponent}"
        parens = left.precedence < ATOM or right.precedence < UNARY
    else:
        # `a < b == c` would be a chain: a comparison inside another stands in parentheses.
        lowest = level + (level == COMPARE)
        first, binds, depth = left
        last, binds_last, depth_last = right
        parens = binds < lowest or binds_last <= level
        if binds < lowest:
            first = f"({first})"
        if binds_last < level + 1:
            last = f"({last})"
        depth = (depth if depth > depth_last else depth_last) + parens
        return _new(Expr, (f"{first} {symbol} {last}", level, depth))
    return Expr(text, level, max(left.depth, right.depth) + parens)


def prefix(symbol: str, level: int, operand: Expr) -> Expr:
    """A unary operator; a power below it stands in parentheses, as formatters have it."""
    inner = operand.at(ATOM if operand.precedence == POWER else level)
    if symbol in "-+" and operand.precedence == UNARY:
        inner = f"({operand.text})" if operand.text[0] in "-+" else operand.text
    return Expr(f"{symbol}{inner}", level, operand.depth + (inner != operand.text))


def conjunction(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    """`and`; two comparisons that meet in one operand are chained, `0 < x < 1`."""
    graph = writer.graph
    left, right = graph.args[node]
    while graph.ops[left] == "both":
        left = graph.args[left][1]
    tests = (graph.ops[left], graph.ops[right])
    if any(op not in OPS or OPS[op].precedence != COMPARE for op in tests):
        return infix("and", AND, *args)
    first, second = (f" {OPS[graph.ops[n]].infix} " for n in (left, right))
    middle = args[1].text.partition(second)[0]
    chains = args[0].precedence == args[1].precedence == COMPARE
    if chains and args[0].text.endswith(first + middle):
        return args[0]._replace(text=args[0].text + args[1].text.removeprefix(middle))
    return infix("and", AND, *args)


def conditional(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    """`yes if test else no`."""
    test, yes, no = args
    text = f"{yes.at(CONDITIONAL + 1)} if {test.at(CONDITIONAL + 1)} else {no.at(CONDITIONAL)}"
    return Expr(text, CONDITIONAL, 1 + max(a.depth for a in args))


def sequence(items: Sequence[Expr], opening: str, closing: str) -> Expr:
    """A tuple or list display, which may be laid out over several lines."""
    texts = tuple(i.at(CONDITIONAL) for i in items)
    comma = "," if len(texts) == 1 and opening == "(" else ""
    depth = max((i.depth for i in items), default=0) + 1
    return Expr(f"{opening}{', '.join(texts)}{comma}{closing}", ATOM, depth)


def quoted(value: Any) -> str:
    """A literal; a string has double quotes unless single ones save escapes."""
    if not isinstance(value, str):
        return repr(value)
    body = repr('"' + value)[2:-1].replace("\\'", "'")
    mark = "'" if body.count('"') > body.count("'") else '"'
    return mark + body.replace(mark, f"\\{mark}") + mark


def number(value: Any, module: str) -> Expr:
    """A literal that reads back as the same number; inf and nan by name."""
    if isinstance(value, int):
        text = repr(value)
    elif value != value:
        text = f"{module}.nan"
    elif value in (float("inf"), float("-inf")):
        text = f"{module}.inf" if value > 0 else f"-{module}.inf"
    else:
        text = repr(float(value)).replace("e+", "e")
    return Expr(text, UNARY if text.startswith("-") else ATOM)
