"""Rewrites of a user's graph that compute the same with fewer digits lost, or without overflow.

They change how the value is rounded, so they are opt-in, and each is recorded. A value that the
user named, or that is read elsewhere, stays where it is; what only a rewritten expression read is
left for the passes to drop. An expression is rewritten also where a part of it is needed elsewhere
too, which then may cost a call more: the digits are lost all the same.

    log(1 + x), log(1 - x)           log1p(x), log1p(-x)
    exp(x) - 1, 1 - exp(x)           expm1(x), -expm1(x)
    log(exp(x) + exp(y))             logaddexp(x, y)
    log(1 + exp(x)), log1p(exp(x))   logaddexp(0, x), or log1p(exp(x)) where x cannot be above 0
    sqrt(x**2 + y**2)                hypot(x, y)
    log(sum(exp(x), axis))           logaddexp.reduce(x, axis), unless x is shifted by its maximum

`hypot` has derivative 0 where both operands are 0, where that of the square root is no number; of
an infinity it is infinite, also where the other operand is NaN.
Integers lose no digits, and numbers in the text are the user's own: both stay.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.liveness import finish, shell
from gradgen.ops.written import Call
from gradgen.spelling import expression
from gradgen.targets import Target
from gradgen.types import Type

# What only moves the items of an array, so that its maximum is recognised behind it.
_MOVES = ("reshape", "index", "transpose", "broadcast_to", "item", "expand_dims", "squeeze")
_MAXIMA = ("max", "amax", "maximum", "maximum_accumulate", "nanmax")
_NEVER_NEGATIVE = ("abs", "absolute", "fabs", "square", "exp", "cosh", "hypot", "norm", "sqrt")
_WIDTH = 86
# How much deeper an expression is spelled than elsewhere.
_DEEPER = 2


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One expression of the user's that was, or may be, written otherwise."""

    line: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.before} became {self.after}"


@dataclass(frozen=True, slots=True)
class Stabilized:
    """A graph with rewrites, which these were, and where each node of the old graph is in it."""

    graph: Graph
    rewrites: list[Rewrite]
    mapping: list[int]


class Match(NamedTuple):
    """What an expression may become: the nodes that it then reads, and how it is made of them."""

    operands: tuple[int, ...]
    build: Callable[..., int]


def stabilize(graph: Graph, target: Target, only: int | None = None) -> Stabilized:
    """The graph with every accurate rewrite that there is, in the order of its nodes.

    With `only`, the one of this number and no other. What the results do not need, or need no
    longer, is neither looked at nor listed.
    """
    return _Stabilizer(graph, target).run(only)


def stays_below_zero(graph: Graph, node: int) -> bool:
    """Whether a node is the negative of what is never negative, so that its `exp` is at most 1."""
    op, args = graph.ops[node], graph.args[node]
    if op == "neg":
        return graph.ops[args[0]] in _NEVER_NEGATIVE or _squared(graph, args[0]) is not None
    return op in ("minimum", "py_min") and any(graph.values[a] == 0 for a in args)


def note_lines(rewrites: Sequence[Rewrite]) -> list[str]:
    """What the header of an emitted file says of the rewrites that were applied."""
    return [
        line
        for rewrite in rewrites
        for line in textwrap.wrap(
            f"Stabilized: {rewrite}.", _WIDTH, subsequent_indent="  ", break_long_words=False,
            break_on_hyphens=False,
        )
    ]  # fmt: skip


def _squared(graph: Graph, node: int) -> int | None:
    """What a node is the square of."""
    op, args = graph.ops[node], graph.args[node]
    if op == "square" or (op == "power" and graph.values[args[1]] == 2):
        return args[0]
    return args[0] if op == "mul" and args[0] == args[1] else None


def _text(graph: Graph, node: int) -> str:
    return expression(graph, node, depth=-_DEEPER, modules=True)


class _Stabilizer:
    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph = graph
        # the math module has no logaddexp, but the target for numbers writes it out
        self.written_out = target.scalars_only
        self.b = GraphBuilder(shell(graph))

    def run(self, only: int | None) -> Stabilized:
        graph, b = self.graph, self.b
        matches = self._matches()
        if only is not None:
            chosen = sorted(matches)[only]
            matches = {chosen: matches[chosen]}
        found: list[Rewrite] = []
        mapping: list[int] = []
        for node in range(len(graph)):
            match, loc = matches.get(node), graph.locs[node]
            if match is None or loc is None:
                mapping.append(b.copy_node(graph, node, mapping))
                continue
            b.loc = loc
            new = match.build(*(mapping[n] for n in match.operands))
            found.append(Rewrite(loc.line, _text(graph, node), _text(b.graph, new)))
            b.label(new, graph.names[node], graph.hints[node])
            mapping.append(new)
        return Stabilized(finish(graph, b, mapping), found, mapping)

    def _matches(self) -> dict[int, Match]:
        """What may be rewritten, of what is needed once all of it is."""
        graph = self.graph
        needed = [False] * len(graph)
        for leaf in leaves(graph.results):
            needed[leaf] = True
        found: dict[int, Match] = {}
        for node in range(len(graph) - 1, -1, -1):
            if not needed[node]:
                continue
            rule = _RULES.get(graph.ops[node])
            own = graph.locs[node] is not None and graph.values[node] is None
            match = rule(self, node) if rule is not None and own else None
            if match is not None:
                found[node] = match
            for arg in graph.args[node] if match is None else match.operands:
                needed[arg] = True
        return found

    # -- what is recognised ------------------------------------------------------------------------

    def _log(self, node: int) -> Match | None:
        (inner,) = self.graph.args[node]
        op, args = self.graph.ops[inner], self.graph.args[inner]
        if op == "sum":
            return self._log_of_sum(node, inner)
        if op == "add":
            x, y = (self._operand("exp", arg) for arg in args)
            if x is not None and y is not None:
                return Match((x, y), self._logaddexp(node))
            one, x = args if self._is_one(args[0]) else args[::-1]
            return self._log1p(node, x) if self._is_one(one) and self._is_variable(x) else None
        if op == "sub" and self._is_one(args[0]) and self._is_variable(args[1]):
            make = self._function("log1p", node)
            return Match(args[1:], lambda x: make(self._negative(x)))
        return None

    def _log1p(self, node: int, x: int) -> Match | None:
        """`log(1 + x)`, or `log1p(x)` as it stands, where `x` may be a power of e."""
        exponent = self._operand("exp", x)
        if exponent is not None and not stays_below_zero(self.graph, exponent):
            make = self._logaddexp(node)
            return Match((exponent,), lambda n: make(self.b.const(0.0), n))
        if self.graph.ops[node] == "log1p":
            return None
        return Match((x,), self._function("log1p", node))

    def _log_of_sum(self, node: int, inner: int) -> Match | None:
        axes, keepdims, cast = self.graph.attrs[inner]
        exponent = self._operand("exp", self.graph.args[inner][0])
        total, found = self.graph.types[inner], self.graph.types[node]
        if exponent is None or cast is not None or axes == () or self._is_shifted(exponent):
            return None
        rank = self.graph.types[exponent].rank
        # math.log widens the sum, and what it is taken of may be a number
        if rank == 0 or (self.graph.attrs[node] == "math" and total.dtype != "float64"):
            return None
        axis = None if axes is None else axes[0] if len(axes) == 1 else axes
        words = [] if rank == 1 else [("axis", ("v", repr(axis)))]
        words += [("keepdims", ("v", "True"))] * keepdims
        made = Type("array" if found.shape else "scalar", total.dtype, found.shape)
        call = Call(("a",), tuple(words), made)
        return Match((exponent,), lambda x: self.b.add("logaddexp_reduce", x, attr=call))

    def _difference(self, node: int) -> Match | None:
        x, y = self.graph.args[node]
        if self._is_one(y):
            return self._expm1(x)
        found = self._expm1(y) if self._is_one(x) else None
        if found is None:
            return None
        return Match(found.operands, lambda n: self._negative(found.build(n)))

    def _sum(self, node: int) -> Match | None:
        """`exp(x) + (-1)`."""
        x, y = self.graph.args[node]
        if self.graph.values[x] == -1:
            x, y = y, x
        return self._expm1(x) if self.graph.values[y] == -1 else None

    def _expm1(self, node: int) -> Match | None:
        exponent = self._operand("exp", node)
        return None if exponent is None else Match((exponent,), self._function("expm1", node))

    def _root(self, node: int) -> Match | None:
        total, *exponent = self.graph.args[node]
        if self.graph.ops[total] != "add" or (exponent and self.graph.values[exponent[0]] != 0.5):
            return None
        x, y = (_squared(self.graph, term) for term in self.graph.args[total])
        if x is None or y is None or not self._is_variable(x) or not self._is_variable(y):
            return None
        flavour = "math" if self.graph.types[node].kind == "py" else None
        return Match((x, y), lambda a, b: self.b.add("hypot", a, b, attr=flavour))

    # -- parts of expressions ----------------------------------------------------------------------

    def _operand(self, op: str, node: int) -> int | None:
        """The operand of an operation on floats, if a node is one."""
        graph = self.graph
        if graph.ops[node] != op or not self._is_variable(graph.args[node][0]):
            return None
        return graph.args[node][0]

    def _is_one(self, node: int) -> bool:
        return bool(self.graph.values[node] == 1)

    def _is_variable(self, node: int) -> bool:
        """Whether a node holds floats that are not numbers in the text."""
        return self.graph.types[node].is_float and self.graph.values[node] is None

    def _is_shifted(self, node: int) -> bool:
        """Whether a maximum is taken from a node, as by those who write log-sum-exp by hand."""
        if self.graph.ops[node] != "sub":
            return False
        top = self.graph.args[node][1]
        while self.graph.ops[top] in _MOVES:
            top = self.graph.args[top][0]
        return self.graph.ops[top] in _MAXIMA

    # -- what it becomes ---------------------------------------------------------------------------

    def _function(self, op: str, like: int) -> Callable[..., int]:
        """A function of NumPy or of the math module, as a node that is one of the user's calls."""
        flavour = "math" if self.graph.attrs[like] == "math" else None
        return lambda *args: self.b.add(op, *args, attr=flavour)

    def _logaddexp(self, like: int) -> Callable[..., int]:
        flavour: Any = self.graph.attrs[like] if self.written_out else None
        return lambda *args: self.b.add("logaddexp", *args, attr=flavour)

    def _negative(self, node: int) -> int:
        """The negative; that of a negative is what it was."""
        b = self.b
        return b.args_of(node)[0] if b.is_op(node, "neg") else b.add("neg", node)


_RULES: dict[str, Callable[[_Stabilizer, int], Match | None]] = {
    "log": _Stabilizer._log,
    "log1p": lambda self, node: self._log1p(node, self.graph.args[node][0]),
    "sub": _Stabilizer._difference,
    "add": _Stabilizer._sum,
    "sqrt": _Stabilizer._root,
    "power": _Stabilizer._root,
}
