"""The Python target: numbers only, nothing imported beyond `math`."""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.ops.table import ADD, AND, ATOM, CONDITIONAL, MULTIPLY, NOT, OR
from gradgen.targets.base import Expr, Spelling, Target, Writer, call, conjunction, infix, prefix


def _conditional(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    test, yes, no = args
    text = f"{yes.at(CONDITIONAL + 1)} if {test.at(CONDITIONAL + 1)} else {no.at(CONDITIONAL)}"
    return Expr(text, CONDITIONAL, 1 + max(a.depth for a in args))


def _clip(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    return call(writer.function("builtins.min"),
                [call(writer.function("builtins.max"), args[:2]), args[2]])  # fmt: skip


def _sign(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    x = args[0].at(ADD)
    return Expr(f"({x} > 0) - ({x} < 0)", ADD, args[0].depth + 1)


def _square(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    return infix("*", MULTIPLY, args[0], args[0])


def _logaddexp(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    x, y = args[0].at(ADD), args[1].at(ADD + 1)
    top = call(writer.function("builtins.max"), args)
    bend = f"{writer.function('math.exp')}(-abs({x} - {y}))"
    return Expr(f"{top.text} + {writer.function('math.log1p')}({bend})", ADD, top.depth + 3)


def _sinc(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    x, pi = args[0].at(MULTIPLY), f"{writer.root('math')}.pi"
    text = f"{writer.root('math')}.sin({pi} * {x}) / ({pi} * {x}) if {args[0].at(ADD)} else 1.0"
    return Expr(text, CONDITIONAL, args[0].depth + 2)


def _logical(symbol: str, level: int) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        return infix(symbol, level, *args)

    return spell


def _not(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    """`not x`; the negation of an equality that stands here is the other operator."""
    graph, (x,) = writer.graph, args
    for op, symbol, other in (("eq", " == ", " != "), ("ne", " != ", " == ")):
        if graph.ops[graph.args[node][0]] == op and x.text.count(symbol) == 1:
            return x._replace(text=x.text.replace(symbol, other))
    return prefix("not ", NOT, x)


def _total(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    from gradgen.targets.numpy import total

    return total(writer, node, args)


def _rounded(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    return call(writer.function("builtins.float"), [call(writer.function("builtins.round"), args)])


def _plain(name: str) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        return call(writer.function(name), args)

    return spell


PYTHON = Target(
    name="python",
    functions="math",
    scalars_only=True,
    number_module="math",
    spellings={
        "where": _conditional,
        "clip": _clip,
        "clip_above": _plain("builtins.min"),
        "clip_below": _plain("builtins.max"),
        "sign": _sign,
        "square": _square,
        "reciprocal": lambda w, n, a: infix("/", MULTIPLY, Expr("1.0"), a[0]),
        "logaddexp": _logaddexp,
        "sinc": _sinc,
        "both": conjunction,
        "total": _total,
        "rint": _rounded,
        "round": _rounded,
        "around": _rounded,
        "absolute": _plain("builtins.abs"),
        "fabs": _plain("math.fabs"),
        "maximum": _plain("builtins.max"),
        "minimum": _plain("builtins.min"),
        "fmax": _plain("builtins.max"),
        "fmin": _plain("builtins.min"),
        "logical_and": _logical("and", AND),
        "logical_or": _logical("or", OR),
        "logical_not": _not,
        "invert": _not,
        "bitand": _logical("and", AND),
        "bitor": _logical("or", OR),
        "astype": lambda w, n, a: a[0] if a[0].precedence == ATOM else Expr(f"({a[0].text})"),
    },
)
