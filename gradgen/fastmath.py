"""Rewrites of a derived graph for the fast style: the same function, otherwise rounded.

They are made in the forward pass too, which the default style keeps bit for bit; each kind that
was used is listed in the header. None of them changes a value that is finite by more than a few
units in the last place of its terms, and none makes a number of what is inf or nan, or the other
way round, but for sums whose terms are infinite.

    x**2, x**3, x**4               x * x, x * x * x, (x * x) * (x * x)
    np.mean(x)                     x.sum() / n
    np.sum(x * y)                  x.dot(y), np.vdot(x, y); one of each row by np.einsum
    np.sum(2 * x**2 + y**2)        2 * x.dot(x) + y.dot(y), whose terms are not negative
    np.sum(x * w, axis=0)          x.sum(axis=0) * w, where w has no such axis
    x * y - z * x                  (y - z) * x, of arrays in an adjoint
    x / y                          x * r, where r = 1 / y is there and y is 1 + exp(z) or such
    np.logaddexp(0, x)             np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    A @ B                          A.dot(B) of matrices
    np.sin(x) of a number          math.sin(x)
"""

from __future__ import annotations

import string
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, NamedTuple

from gradgen import passes
from gradgen.graph import Graph, GraphBuilder
from gradgen.liveness import finish, shell
from gradgen.ops import OPS
from gradgen.ops.written import Call
from gradgen.rewriter import Rewriter
from gradgen.types import Dim, Size, Type

# What is added up in its own precision.
_ADDED_UP = ("float64", "float32")
_ALL_AXES = (None, False, None)
# What has no values below zero.
_NOT_NEGATIVE = ("exp", "exp2", "square", "absolute", "cosh")
# A sum of more terms than these is left as it is.
_MOST_TERMS = 8
# What `math.exp` takes without an OverflowError.
_LARGEST_EXPONENT = 709.0
# What may hide an operand that has no value, so that Python's own numbers would raise in vain.
_CHOOSING = (
    "where", "maximum", "minimum", "fmax", "fmin", "py_max", "py_min", "clip", "clip_above",
    "clip_below",
)  # fmt: skip
# Functions of the math module that give a number wherever NumPy's give one.
_OF_NUMBERS = (
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "tanh", "arcsinh", "arccosh",
    "arctanh", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "hypot", "exp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Faster:
    """A graph with rewrites, and what kinds of them there are, as the header lists them."""

    graph: Graph
    kinds: list[str]


def faster(graph: Graph, numbers_only: bool) -> Faster:
    """The derived graph with every rewrite of the fast style that applies.

    With `numbers_only` the target has Python's and math's functions anyway.
    """
    new, found = graph, set[str]()
    for rules in (_RULES, _LATE_RULES):
        rewriter = _Rewriter(new, rules)
        new = passes.settle(rewriter.run())
        found |= rewriter.found
    kinds = [text for kind, text in _KINDS.items() if kind in found]
    numbers = None if numbers_only else _with_numbers(new)
    if numbers is not None:
        return Faster(passes.settle(numbers), [*kinds, *_NUMBERS])
    return Faster(new, kinds)


_KINDS = {
    "power": "x**2, x**3 and x**4 are products",
    "mean": "np.mean is a sum and a quotient",
    "dot": "sums of products are np.dot's, np.vdot's or np.einsum's",
    "factor": "what a sum over the first axis has in common is multiplied after it",
    "common": "what two products have in common is multiplied after they are added",
    "reciprocal": "x / y is x * (1 / y) where 1 / y is there",
    "softplus": "np.logaddexp(0, x) is np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))",
    "matmul": "products of matrices are np.dot's",
}
_LOOPS = "what belongs to the same rows is done in blocks of them, and summed block by block"
_NUMBERS = [
    "functions of numbers are math's, which give Python floats and raise ValueError or "
    "ZeroDivisionError where NumPy's give inf or nan",
]


def fast_lines(kinds: Sequence[str], loops: int) -> list[str]:
    """What the header of a file in the fast style says of the rewrites."""
    listed = list(kinds)
    if loops:
        listed.append(_LOOPS)
    if not listed:
        return ["Fast style: rewritten nowhere."]
    lines = ["Fast style, which may be rounded otherwise than the source:"]
    for text in listed:
        lines += textwrap.wrap(text, 84, initial_indent="- ", subsequent_indent="  ",
                               break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return lines


class _Term(NamedTuple):
    """A term of a sum: a number times the product of two nodes of the old graph."""

    scale: float
    left: int
    right: int


class _Rewriter(Rewriter):
    def __init__(self, graph: Graph, rules: Mapping[str, _Rule]) -> None:
        super().__init__(graph)
        self.rules = rules
        # Of numbers and arrays: their reciprocals.
        self.reciprocals = {
            args[1]: node for node, args in enumerate(graph.args)
            if graph.ops[node] == "div" and self.needed[node] and graph.values[args[0]] == 1
            and graph.ops[args[0]] == "const"
        }  # fmt: skip

    def rewritten(self, node: int) -> int | None:
        """What the rule of the operation gives, if there is one."""
        rule = self.rules.get(self.old.ops[node])
        return None if rule is None else rule(self, node)

    def power(self, node: int) -> int | None:
        """A small power as a product."""
        old, b = self.old, self.b
        base, exponent = old.args[node]
        n = old.values[exponent]
        if old.ops[exponent] != "const" or n not in (2, 3, 4) or not old.types[base].is_float:
            return None
        self.kinds = {"power"}
        x = self.map[base]
        square = b.add("mul", x, x)
        return square if n == 2 else b.add("mul", square, x if n == 3 else square)

    def mean(self, node: int) -> int | None:
        """A mean as a sum and a quotient; with `dtype=` it stays."""
        old, b = self.old, self.b
        (x,) = old.args[node]
        axes, keepdims, cast = old.attrs[node]
        t = old.types[x]
        if cast is not None or not t.shape or t.dtype not in _ADDED_UP:
            return None
        count = self.count(x, axes)
        if count is None:
            return None
        self.kinds = {"mean"}
        total = self.product_sum(x, old.attrs[node]) if axes is None and not keepdims else None
        if total is None:
            total = b.add("sum", self.map[x], attr=(axes, keepdims, None))
        return b.add("div", total, count)

    def count(self, x: int, axes: tuple[int, ...] | None) -> int | None:
        """How many items a reduction takes together, where that is a length of an argument."""
        shape = self.old.types[x].shape
        total = None
        for size in (n for axis, n in enumerate(shape) if axes is None or axis in axes):
            length = self.length(size)
            if length is None:
                return None
            total = length if total is None else self.b.add("mul", total, length)
        return total

    def length(self, size: Size) -> int | None:
        """The node of a length, where the arguments tell it."""
        lengths = self.b.graph.lengths
        for atom in size.atoms if isinstance(size, Dim) else ():
            node, axis = self.old.lengths.get(atom, (0, None))
            # what counts items may give an integer of NumPy's, which is not weak
            if axis is None or self.map[node] < 0:
                return None
            lengths[atom] = (self.map[node], axis)
        return self.b.size(size)

    def sum(self, node: int) -> int | None:
        """A sum of products; over the first axis, one with a common factor."""
        (x,) = self.old.args[node]
        attr = self.old.attrs[node]
        if attr == _ALL_AXES:
            return self.product_sum(x, attr)
        axes, keepdims, cast = attr
        rank = self.old.types[x].rank
        if keepdims or cast is not None or rank < 2 or axes is None or len(axes) != 1:
            return None
        found = self.common_factor(x) if axes == (0,) else None
        return self.products_along(x, axes[0]) if found is None else found

    def common_factor(self, x: int) -> int | None:
        """The sum over the first axis of a product with what has no such axis."""
        old, b = self.old, self.b
        for item, factor in self.orders(x):
            if old.types[item] == old.types[x] and 0 < old.types[factor].rank < old.types[x].rank:
                self.kinds = {"factor"}
                total = b.add("sum", self.map[item], attr=((0,), False, None))
                return b.add("mul", total, self.map[factor])
        return None

    def orders(self, x: int) -> list[tuple[int, int]]:
        """The factors of a product that nobody else reads, either first."""
        pair = self.factors(x)
        return [] if pair is None else [pair, pair[::-1]]

    def product_sum(self, x: int, attr: Any) -> int | None:
        """The sum of all items of a product, or of a sum of squares, whose signs agree."""
        old, b = self.old, self.b
        t = old.types[x]
        if not t.shape or t.dtype not in _ADDED_UP:
            return None
        terms = self.terms(x, t)
        if terms is None or (len(terms) > 1 and not all(
            term.left == term.right and term.scale > 0 for term in terms
        )):  # fmt: skip
            return None
        total = None
        for scale, left, right in terms:
            pair = (self.map[left], self.map[right])
            if t.rank == 1:
                product = b.add("matmul", *pair)
            else:
                found = Type("scalar", t.dtype)
                product = b.add("flat_vdot", *pair, attr=Call(("a", "a"), (), found))
            if scale != 1.0:
                product = b.add("mul", b.const(scale), product)
            total = product if total is None else b.add("add", total, product)
        self.kinds.add("dot")
        return total

    def terms(self, x: int, t: Type) -> list[_Term] | None:
        """The products that add up to a node; None where it is more than these."""
        old = self.old
        found: list[_Term] = []
        stack = [(1.0, x)]
        while stack:
            scale, node = stack.pop()
            op, args = old.ops[node], old.args[node]
            if old.types[node] != t or len(found) == _MOST_TERMS:
                return None
            # of a product that is needed anyway the scalar product of its factors begins sooner
            if self.uses[node] > 1 and (node != x or t.rank > 1 or old.ops[node] != "mul"):
                return None
            scaled = self.scaled(node)
            if scaled is not None:
                stack.append((scale * scaled[0], scaled[1]))
            elif op == "add":
                stack += [(scale, args[1]), (scale, args[0])]
            else:
                pair = self.factors(node, node == x)
                if pair is None or any(old.types[n] != t for n in pair):
                    return None
                found.append(_Term(scale, *pair))
        return found

    def scaled(self, node: int) -> tuple[float, int] | None:
        """A number times a node, if it is that."""
        old = self.old
        op, args = old.ops[node], old.args[node]
        if op == "neg":
            return -1.0, args[0]
        if op != "mul":
            return None
        for number, other in (args, args[::-1]):
            value = old.values[number]
            if old.ops[number] == "const" and isinstance(value, (int, float)) and (
                0 < abs(value) < 1e300
            ):  # fmt: skip
                return float(value), other
        return None

    def factors(self, node: int, shared: bool = False) -> tuple[int, int] | None:
        """The factors of a product or of a square that nobody else reads, unless `shared`."""
        old = self.old
        op, args = old.ops[node], old.args[node]
        if self.uses[node] > 1 and not shared:
            return None
        if op == "mul":
            return args[0], args[1]
        if op == "square" or (op == "power" and old.values[args[1]] == 2):
            return args[0], args[0]
        return None

    def products_along(self, x: int, axis: int) -> int | None:
        """The sum of a product along an axis; of few columns einsum adds up no sooner."""
        old, b = self.old, self.b
        t = old.types[x]
        pair = self.factors(x)
        if t.dtype not in _ADDED_UP or pair is None or any(old.types[n] != t for n in pair):
            return None
        if t.rank == 2 and axis == 0:
            return None
        letters = string.ascii_lowercase[8 : 8 + t.rank]
        text = f"{letters},{letters}->{letters[:axis]}{letters[axis + 1 :]}"
        self.kinds = {"dot"}
        return b.add("einsum", *(self.map[n] for n in pair), attr=(text, None))

    def common(self, node: int) -> int | None:
        """A derived sum of two products of arrays with a factor in common, which comes last."""
        old, b = self.old, self.b
        t = old.types[node]
        if old.locs[node] is not None or not t.shape or not t.is_float:
            return None
        left, right = (self.all_factors(a) for a in old.args[node])
        shared = [f for f in left if f in right and old.types[f] == t]
        if not shared:
            return None
        factor = shared[0]
        left.remove(factor)
        right.remove(factor)
        if not left or not right or all(
            old.types[f] != t for side in (left, right) for f in side
        ):  # fmt: skip
            return None
        self.kinds = {"common"}
        sides = [reduce(partial(b.add, "mul"), (self.map[f] for f in side))
                 for side in (left, right)]  # fmt: skip
        return b.add("mul", b.add(old.ops[node], *sides), self.map[factor])

    def quotient(self, node: int) -> int | None:
        """A quotient by what the reciprocal is known of; it is neither tiny nor infinite."""
        old, b = self.old, self.b
        x, y = old.args[node]
        known = self.reciprocals.get(y, node)
        if known == node or self.map[known] < 0 or old.types[node] != old.types[y]:
            return None
        if old.ops[y] != "add" or not old.types[node].shape:
            return None
        for number, other in (old.args[y], old.args[y][::-1]):
            value = old.values[number]
            if old.ops[number] == "const" and value >= 1 and old.ops[other] in _NOT_NEGATIVE:
                self.kinds = {"reciprocal"}
                return b.add("mul", self.map[x], self.map[known])
        return None

    def all_factors(self, node: int) -> list[int]:
        """The factors of a derived product, in order, and those of factors read by it alone."""
        old = self.old
        found: list[int] = []
        stack = [node]
        while stack:
            at = stack.pop()
            own = at != node or old.locs[at] is None
            if old.ops[at] == "mul" and own and self.uses[at] == 1 and len(found) < _MOST_TERMS:
                stack += old.args[at][::-1]
            else:
                found.append(at)
        return found

    def softplus(self, node: int) -> int | None:
        """`np.logaddexp(0, x)` of an array."""
        old, b = self.old, self.b
        for zero, x in (old.args[node], old.args[node][::-1]):
            if old.ops[zero] == "const" and old.values[zero] == 0 and old.types[x].shape:
                self.kinds = {"softplus"}
                z = self.map[x]
                away = b.add("exp", b.add("neg", b.add("absolute", z)))
                return b.add(
                    "add", b.add("maximum", z, self.map[zero]), b.add("log1p", away)
                )  # fmt: skip
        return None

    def matmul(self, node: int) -> int | None:
        """A product of matrices, which `np.dot` begins sooner."""
        old, b = self.old, self.b
        types = [old.types[a] for a in old.args[node]]
        if old.attrs[node] is not None or [t.rank for t in types] != [2, 2]:
            return None
        if types[0].dtype != types[1].dtype or not types[0].is_float:
            return None
        self.kinds = {"matmul"}
        return b.add("matmul", *(self.map[a] for a in old.args[node]), attr="dot")

    def size(self, node: int) -> int | None:
        """A length of an array that is computed, as one of an argument: for loops over blocks."""
        (x,) = self.old.args[node]
        t = self.old.types[x]
        if self.old.ops[x] == "param" or not t.shape:
            return None
        if self.old.ops[node] == "item_count":
            return self.count(x, None)
        return self.length(t.shape[self.old.attrs[node]])


_Rule = Callable[[_Rewriter, int], int | None]
_RULES: dict[str, _Rule] = {
    "power": _Rewriter.power,
    "mean": _Rewriter.mean,
    "sum": _Rewriter.sum,
    "logaddexp": _Rewriter.softplus,
    "matmul": _Rewriter.matmul,
    "axis_size": _Rewriter.size,
    "item_count": _Rewriter.size,
}
# Where sums of products do not need the products any more.
_LATE_RULES: dict[str, _Rule] = {
    "add": _Rewriter.common,
    "sub": _Rewriter.common,
    "div": _Rewriter.quotient,
}


# -- numbers ---------------------------------------------------------------------------------------


def _with_numbers(graph: Graph) -> Graph | None:
    """The graph with functions of numbers as math's, or None where there are none, or it matters.

    It matters where the user chooses between values or compares them: one that is not needed may
    be where math's function raises. And a power of a NumPy number is nan where that of a Python
    float is complex, or raises.
    """
    chosen = [node for node in range(len(graph)) if _is_numeric(graph, node)]
    if not chosen:
        return None
    for node, op in enumerate(graph.ops):
        own = graph.locs[node] is not None
        if own and (op in _CHOOSING or graph.types[node].dtype == "bool"):
            return None
        if op == "power" and graph.types[graph.args[node][0]].kind == "scalar":
            return None
    picked = set(chosen)
    b = GraphBuilder(shell(graph))
    mapping: list[int] = []
    for node in range(len(graph)):
        if node in picked:
            b.loc = graph.locs[node]
            args = [mapping[a] for a in graph.args[node]]
            mapping.append(_of_number(b, graph.ops[node], args))
            b.label(mapping[-1], graph.names[node], graph.hints[node])
        else:
            mapping.append(b.copy_node(graph, node, mapping))
        if _strict(b.type_of(mapping[-1])) != _strict(graph.types[node]):
            return None
    return finish(graph, b, mapping)


def _of_number(b: GraphBuilder, op: str, args: list[int]) -> int:
    """A function as math's; where `exp` overflows it stays NumPy's, which gives inf."""
    found = b.add(op, *args, attr="math")
    if op != "exp":
        return found
    small = b.add("lt", args[0], b.const(_LARGEST_EXPONENT))
    return b.add("where", small, found, b.add(op, *args), attr="lazy")


def _strict(t: Type) -> tuple[str, Any]:
    """The dtype and the shape, whether it is a Python number or not."""
    return {"float": "float64", "int": "int64"}.get(t.dtype, t.dtype), t.shape


def _is_numeric(graph: Graph, node: int) -> bool:
    """Whether a node is a function of float64 numbers that the math module has."""
    op = graph.ops[node]
    if op not in _OF_NUMBERS or graph.attrs[node] is not None or not OPS[op].math:
        return False
    types = [graph.types[a] for a in graph.args[node]]
    return all(t.kind in ("py", "scalar") and t.dtype in ("float", "float64") for t in types)


__all__ = ["Faster", "faster"]
