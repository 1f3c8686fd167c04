"""The Python target: numbers only, nothing imported beyond `math`."""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.errors import GradgenError, SourceError
from gradgen.ops.table import (
    ADD,
    AND,
    ATOM,
    BIT_AND,
    BIT_OR,
    COMPARE,
    CONDITIONAL,
    MULTIPLY,
    NOT,
    OR,
    UNARY,
)
from gradgen.targets.base import (
    Expr,
    Spelling,
    Target,
    Writer,
    call,
    conditional,
    conjunction,
    infix,
    prefix,
)

_ZEROS = ("0", "0.0")


def _clip(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    return call(writer.function("builtins.min"),
                [call(writer.function("builtins.max"), args[:2]), args[2]])  # fmt: skip


def _sign(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    x = args[0].at(ADD)
    return Expr(f"({x} > 0) - ({x} < 0)", ADD, args[0].depth + 1)


def _square(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    return infix("*", MULTIPLY, args[0], args[0])


def _logaddexp(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    """`log(exp(x) + exp(y))`, which is smooth where the larger operand changes.

    `max(x, y)` would read as something with a kink there, and its derivative be wrong at a tie.
    """

    def side(top: Expr, other: Expr) -> str:
        apart = f"{other.at(ADD)} - {top.at(ADD + 1)}"
        if other.text in _ZEROS:
            apart = f"-{top.at(UNARY)}"
        elif top.text in _ZEROS:
            apart = other.at(CONDITIONAL)
        bend = f"{writer.function('math.log1p')}({writer.function('math.exp')}({apart}))"
        return bend if top.text in _ZEROS else f"{top.at(ADD)} + {bend}"

    x, y = reversed(args) if args[0].text in _ZEROS else args
    test = f"{x.at(COMPARE + 1)} > {y.at(COMPARE + 1)}"
    depth = 3 + max(x.depth, y.depth)
    return Expr(f"{side(x, y)} if {test} else {side(y, x)}", CONDITIONAL, depth)


def _sinc(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    x, pi = args[0].at(MULTIPLY), f"{writer.root('math')}.pi"
    text = f"{writer.root('math')}.sin({pi} * {x}) / ({pi} * {x}) if {args[0].at(ADD)} else 1.0"
    return Expr(text, CONDITIONAL, args[0].depth + 2)


def _truth(writer: Writer, node: int, x: Expr) -> Expr:
    """What is true or false as a bool: `3 and 5` is 5."""
    is_bool = writer.graph.types[node].dtype == "bool"
    return x if is_bool else call(writer.function("builtins.bool"), [x])


def _logical(symbol: str, level: int) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        pairs = zip(writer.graph.args[node], args, strict=True)
        return infix(symbol, level, *(_truth(writer, a, x) for a, x in pairs))

    return spell


def _bitwise(symbol: str, level: int, word: str, word_level: int) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        types = [writer.graph.types[a] for a in writer.graph.args[node]]
        if all(t.dtype == "bool" for t in types):
            return infix(word, word_level, *args)
        return infix(symbol, level, *args)

    return spell


def _invert(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    """`~x`, which is `not x` for NumPy's bools only."""
    if writer.graph.types[node].dtype == "bool":
        return _not(writer, node, args)
    return prefix("~", UNARY, args[0])


def _add(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    if writer.graph.types[node].dtype == "bool":
        raise _refused(writer, node, "a sum of NumPy's bools")
    return infix("+", ADD, *args)


def _astype(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    """A number of another kind; what Python's numbers cannot be is refused."""
    wanted = writer.graph.attrs[node]
    have = writer.graph.types[writer.graph.args[node][0]]
    if wanted == "bool":
        return _truth(writer, writer.graph.args[node][0], args[0])
    if wanted == "float64" and have.is_float:
        return args[0] if args[0].precedence == ATOM else Expr(f"({args[0].text})")
    if wanted not in ("float64", "int64"):
        raise _refused(writer, node, f"a number of {wanted}")
    return call(writer.function("builtins.float" if wanted == "float64" else "builtins.int"), args)


def _refused(writer: Writer, node: int, what: str) -> GradgenError:
    message, loc = f"{what} cannot be written for the python target", writer.graph.locs[node]
    if loc is None:
        return GradgenError(f"{message} (in the derivative); use --target numpy")
    return SourceError(message, loc, "use --target numpy")


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
        "where": conditional,
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
        "invert": _invert,
        "bitand": _bitwise("&", BIT_AND, "and", AND),
        "bitor": _bitwise("|", BIT_OR, "or", OR),
        "add": _add,
        "astype": _astype,
    },
)
