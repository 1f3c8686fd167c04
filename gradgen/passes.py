"""Passes over a derived graph: simplify what was derived, drop what nobody needs.

What the user wrote (nodes with a location) is carried over as it is, so that the forward value keeps
its bits; only derived nodes are rewritten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gradgen.graph import Graph, GraphBuilder, Tree, leaves, map_tree
from gradgen.ops import OPS

_LEAVES = ("param", "const", "constant", "global", "seed")
# A coefficient, the node it multiplies (None: a bare number), and whether nobody else has that node.
Scaled = tuple[float, int | None, bool]


def run(graph: Graph) -> Graph:
    """The graph after every pass of the pipeline, in order."""
    for step in PIPELINE:
        graph = step(graph)
    return graph


def reachable(graph: Graph, roots: Tree) -> list[bool]:
    """Which nodes the roots need."""
    needed = [False] * len(graph)
    for leaf in leaves(roots):
        needed[leaf] = True
    for node in range(len(graph) - 1, -1, -1):
        if needed[node]:
            for arg in graph.args[node]:
                needed[arg] = True
    return needed


def uses(graph: Graph, needed: Sequence[bool]) -> list[int]:
    """How often each node is read, by needed nodes and by the results."""
    count = [0] * len(graph)
    for node in range(len(graph)):
        if needed[node]:
            for arg in graph.args[node]:
                count[arg] += 1
    for leaf in leaves(graph.results):
        count[leaf] += 1
    return count


def shell(graph: Graph) -> Graph:
    """A graph with the signature of another, and no nodes yet."""
    return Graph(name=graph.name, doc=graph.doc, captured=graph.captured, text=graph.text)


def finish(graph: Graph, builder: GraphBuilder, mapping: Sequence[int]) -> Graph:
    """Carry results, parameters and lengths over to a rebuilt graph."""
    new = builder.graph
    new.results = map_tree(lambda n: mapping[n], graph.results)
    for param in graph.params:
        kept = map_tree(lambda n: mapping[n], param.tree)
        new.params.append(
            type(param)(param.name, kept, param.keyword_only, param.positional_only,
                        param.default, param.declared)
        )  # fmt: skip
    new.lengths = {k: (mapping[n], axis) for k, (n, axis) in graph.lengths.items()}
    builder.loc = None
    return new


def eliminate_dead(graph: Graph) -> Graph:
    """Keep what the results need, and the parameters."""
    needed = reachable(graph, graph.results)
    b = GraphBuilder(shell(graph))
    mapping = [-1] * len(graph)
    for node in range(len(graph)):
        if needed[node] or graph.ops[node] == "param":
            mapping[node] = b.copy_node(graph, node, mapping)
    return finish(graph, b, mapping)


def simplify(graph: Graph) -> Graph:
    """Rewrite derived nodes: gather coefficients and signs, fold numbers, cancel `a / y * y`."""
    return _Simplifier(graph).run()


class _Simplifier:
    def __init__(self, graph: Graph) -> None:
        self.old = graph
        needed = reachable(graph, graph.results)
        self.needed = needed
        self.uses = uses(graph, needed)
        self.b = GraphBuilder(shell(graph))
        self.map = [-1] * len(graph)
        # Derived products, by node: the coefficient and what it multiplies.
        self.scaled: dict[int, Scaled] = {}

    def run(self) -> Graph:
        old, b = self.old, self.b
        for node in range(len(old)):
            if not self.needed[node] and old.ops[node] != "param":
                continue
            if old.locs[node] is not None or old.ops[node] in _LEAVES:
                self.map[node] = b.copy_node(old, node, self.map)
                continue
            b.loc = None
            self.map[node] = self.rewrite(node)
            own = b.graph.locs[self.map[node]] is None
            b.label(self.map[node], old.names[node] if own else None, old.hints[node])
        return finish(old, b, self.map)

    def rewrite(self, node: int) -> int:
        """The new node for a derived one: simpler where a rule applies and the type stays."""
        old, b = self.old, self.b
        op = old.ops[node]
        rule = _RULES.get(op)
        if rule is not None:
            new = rule(self, node)
            if new is not None and self.fits(new, node):
                return new
        plain = b.add(op, *(self.map[a] for a in old.args[node]), attr=old.attrs[node])
        value = b.value_of(plain)
        if op not in ("axis_size", "item_count") and isinstance(value, (int, float)):
            return b.const(value)
        return plain

    def fits(self, new: int, node: int) -> bool:
        """Whether a rewritten node may stand for the old one."""
        have, want = self.b.type_of(new), self.old.types[node]
        if have.shape != want.shape or have.is_float != want.is_float:
            return False
        return have.dtype == want.dtype or "py" in (have.kind, want.kind)

    # -- coefficients --------------------------------------------------------------------------

    def number(self, new: int) -> float | None:
        """The value of a finite, unnamed number that is not 0; None for anything else."""
        graph = self.b.graph
        if graph.ops[new] != "const" or graph.names[new] is not None:
            return None
        value = graph.values[new]
        if isinstance(value, bool) or value == 0 or not math.isfinite(value):
            return None
        return float(value)

    def split(self, arg: int) -> Scaled:
        """An operand as coefficient times node; products that others share stay whole."""
        new = self.map[arg]
        value = self.number(new)
        if value is not None:
            return (value, None, False)
        if self.uses[arg] == 1 and new in self.scaled:
            return self.scaled[new]
        return (1.0, new, self.uses[arg] == 1 and self.b.graph.locs[new] is None)

    def make(self, coefficient: float, base: int | None, fresh: bool = False) -> int:
        """The node of a coefficient times a node; `fresh`: nobody else has the node."""
        b = self.b
        if base is None:
            return b.const(coefficient)
        if coefficient == 1.0:
            return base
        graph = b.graph
        if coefficient == -1.0:
            new = self._negated(base, fresh)
        elif fresh and graph.ops[base] == "mul":
            first, second = graph.args[base]
            if graph.types[first].rank > graph.types[second].rank:
                first, second = second, first
            new = b.add("mul", self.make(coefficient, first), second)
        elif fresh and graph.ops[base] == "div":
            top, bottom = graph.args[base]
            value = self.number(top)
            scaled = b.const(coefficient * value) if value else self.make(coefficient, top)
            new = b.add("div", scaled, bottom)
        else:
            new = b.add("mul", b.const(coefficient), base)
        self.scaled[new] = (coefficient, base, fresh)
        return new

    def _negated(self, base: int, fresh: bool) -> int:
        b = self.b
        if b.is_op(base, "mul", "div") and b.graph.locs[base] is None:
            first, second = b.args_of(base)
            value = self.number(first)
            if fresh and value is not None and b.is_op(base, "div"):
                return b.add("div", b.const(-value), second)
            if fresh:
                return b.add(b.graph.ops[base], b.add("neg", first), second)
        return b.add("neg", base)

    def combine(self, op: str, *operands: int) -> tuple[int, bool]:
        """The node for an operation on new nodes, and whether it is new."""
        before = len(self.b.graph)
        node = self.b.add(op, *operands)
        return node, node >= before

    # -- rules ---------------------------------------------------------------------------------

    def mul(self, node: int) -> int | None:
        left, right = self.old.args[node]
        (ca, a, a_own), (cb, b, b_own) = self.split(left), self.split(right)
        if a is None or b is None:
            if a is None and b is None:
                return self.b.const(ca * cb)
            return self._times(ca * cb, *((b, b_own) if a is None else (a, a_own)))
        for top, bottom, own in ((a, b, a_own), (b, a, b_own)):
            # (n / y) * y in an adjoint: y divides by the chain rule what it multiplies next.
            if self._quotient(top, own) and self.b.args_of(top)[1] == bottom:
                value = self.number(self.b.args_of(top)[0])
                if value is not None:
                    return self.b.const(ca * cb * value)
                return self.make(ca * cb, self.b.args_of(top)[0])
        for top, bottom, own in ((a, b, a_own), (b, a, b_own)):
            # (1 / y) * b is b / y: one operation for two.
            value = self.number(self.b.args_of(top)[0]) if self._quotient(top, own) else None
            if value is not None:
                base, fresh = self.combine("div", bottom, self.b.args_of(top)[1])
                return self.make(ca * cb * value, base, fresh)
        base, fresh = self.combine("mul", a, b)
        return self.make(ca * cb, base, fresh)

    def _times(self, coefficient: float, base: int, own: bool) -> int:
        """A number times a node, looking into the user's own product where numbers cancel."""
        graph = self.b.graph
        if graph.ops[base] == "mul" and graph.locs[base] is not None:
            first, second = graph.args[base]
            for number, other in ((first, second), (second, first)):
                value = self.number(number)
                if value is not None and value * coefficient in (1.0, -1.0):
                    return self.make(value * coefficient, other)
        return self.make(coefficient, base, own)

    def _quotient(self, new: int, own: bool) -> bool:
        return own and self.b.graph.ops[new] == "div" and self.b.graph.locs[new] is None

    def div(self, node: int) -> int | None:
        top, bottom = self.old.args[node]
        (ca, a, a_own), (cb, b, b_own) = self.split(top), self.split(bottom)
        graph = self.b.graph
        if b is None:
            if a is None:
                return self.b.const(ca / cb)
            base, fresh = self.combine("div", a, self.map[bottom])
            return self.make(ca, base, fresh)
        sign = -1.0 if cb < 0 else 1.0
        below = self.map[bottom] if sign == 1.0 else self.make(-cb, b, b_own)
        if a is None:
            ca *= sign
            one = self.b.find("div", self.b.const(1), below)
            if abs(ca) == 1.0 and one is not None:
                return self.make(ca, one)
            new = self.b.add("div", self.b.const(ca), below)
            if ca < 0:
                self.scaled[new] = (-1.0, self.b.add("div", self.b.const(-ca), below), True)
            return new
        if a_own and graph.ops[a] == "mul" and graph.locs[a] is None:
            first, second = graph.args[a]
            if below in (first, second):
                return self.make(ca * sign, second if below == first else first)
        base, fresh = self.combine("div", a, below)
        return self.make(ca * sign, base, fresh)

    def neg(self, node: int) -> int | None:
        (arg,) = self.old.args[node]
        coefficient, base, fresh = self.split(arg)
        return self.make(-coefficient, base, fresh)

    def add(self, node: int) -> int | None:
        left, right = self.old.args[node]
        return self._sum(self.split(left), self.split(right))

    def sub(self, node: int) -> int | None:
        left, right = self.old.args[node]
        coefficient, base, fresh = self.split(right)
        return self._sum(self.split(left), (-coefficient, base, fresh))

    def _sum(self, one: Scaled, other: Scaled) -> int | None:
        """The sum of two scaled operands, with signs turned into subtractions."""
        (ca, a, _), (cb, b, _) = one, other
        if a == b:
            return self.make(ca + cb, a) if a is None or ca + cb != 0 else None
        if abs(ca) == abs(cb) != 1.0 and a is not None and b is not None:
            return self.make(ca, self.b.add("add" if ca == cb else "sub", a, b), True)
        if ca < 0 and cb < 0 and a is not None and b is not None:
            return self.make(-1.0, self.b.add("add", self._turned(one), self._turned(other)))
        if ca < 0:
            one, other = other, one
        if other[0] < 0:
            return self.b.add("sub", self.make(*one), self._turned(other))
        return self.b.add("add", self.make(*one), self.make(*other))

    def _turned(self, scaled: Scaled) -> int:
        coefficient, base, fresh = scaled
        return self.make(-coefficient, base, fresh)

    def sum(self, node: int) -> int | None:
        (arg,) = self.old.args[node]
        coefficient, base, _ = self.split(arg)
        if base is None or coefficient == 1.0 or self.old.attrs[node][2] is not None:
            return None
        return self.make(coefficient, self.b.add("sum", base, attr=self.old.attrs[node]))

    def where(self, node: int) -> int | None:
        condition, yes, no = (self.map[a] for a in self.old.args[node])
        if not self.b.is_op(condition, "not", "invert"):
            return None
        (opposite,) = self.b.args_of(condition)
        if self.b.type_of(opposite).dtype != "bool":
            return None
        return self.b.add("where", opposite, no, yes)

    def transpose(self, node: int) -> int | None:
        inner = self.map[self.old.args[node][0]]
        b = self.b
        if b.is_op(inner, "transpose") and b.attr_of(inner) is None is self.old.attrs[node]:
            return b.args_of(inner)[0]
        return None

    def astype(self, node: int) -> int | None:
        inner = self.map[self.old.args[node][0]]
        return inner if self.b.type_of(inner) == self.old.types[node] else None


_RULES: dict[str, Callable[[_Simplifier, int], int | None]] = {
    "mul": _Simplifier.mul,
    "div": _Simplifier.div,
    "neg": _Simplifier.neg,
    "add": _Simplifier.add,
    "sub": _Simplifier.sub,
    "sum": _Simplifier.sum,
    "where": _Simplifier.where,
    "transpose": _Simplifier.transpose,
    "astype": _Simplifier.astype,
}

PIPELINE: tuple[Callable[[Graph], Graph], ...] = (
    simplify, eliminate_dead, simplify, eliminate_dead,
)  # fmt: skip


def cost(graph: Graph, nodes: Any = None) -> int:
    """The operations of a graph: every arithmetic operator and function call counts one."""
    chosen = range(len(graph)) if nodes is None else nodes
    return sum(graph.ops[n] not in _LEAVES and OPS[graph.ops[n]].cost > 0 for n in chosen)
