"""Matrices of derivatives by vertex elimination: neither forward nor reverse, but in any order.

The graph of partial derivatives is reduced, value by value, to edges from the inputs to the
outputs: A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, section 9.3 and 9.4.
Only programs of numbers are taken whose operations are smooth, so that no branch can leak. What is
computed item by item for arrays is such a program, as long as it is derived by numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from gradgen.assembly import Assembly
from gradgen.graph import GraphBuilder
from gradgen.liveness import reachable
from gradgen.monomials import GROWING, ONE, Algebra, Monomial, Policy, Terms, merge, reached
from gradgen.ops import OPS
from gradgen.sharing import Sharing
from gradgen.sweep import Sweep
from gradgen.types import FLOAT

# By the value and the input, as positions: the sum that is the derivative.
Matrix = dict[tuple[int, int], list[Monomial]]
# An edge of the graph of partial derivatives: from a node, to a node, the node of the derivative.
Edge = tuple[int, int, int]
# How many pairs of edges an elimination may join.
MAX_STEPS = 20_000
# How many partial derivatives there may be: the search for what they share is not linear.
MAX_EDGES = 400
MAX_NODES = 2_000


class Partials(Sweep):
    """The partial derivatives of a program of numbers."""

    def edges(self, values: Sequence[int], seed: int, most: int) -> list[Edge] | None:
        """Those of every operation that values need; None where elimination is not for it.

        They are nodes that are linear in the seed.
        """
        graph = self.graph
        needed = reachable(graph, list(values))
        found: list[Edge] = []
        types = [t for t, need in zip(graph.types, needed, strict=True) if need]
        if any(t.kind == "array" and (not t.shape or t.dtype != "float64") for t in types):
            return None  # what is reordered would be rounded to fewer digits, or overflow
        for node in range(len(needed)):
            if not needed[node] or not self.active[node] or node in self.sources:
                continue
            row, t = OPS[graph.ops[node]], graph.types[node]
            if row.d is None or t.dtype not in ("float", "float64"):
                return None
            for arg, rule in zip(graph.args[node], self._rules(node), strict=True):
                if rule is None or not self.active[arg]:
                    continue
                # a branch that is not taken would leak
                if not rule or (graph.ops[node] != "power" and "where" in rule):
                    return None
                if len(found) == most:
                    return None
                found.append((arg, node, self._term(node, rule, seed, None)))
        return found


class Elimination:
    """The graph of partial derivatives; nodes are eliminated until inputs and outputs are left."""

    def __init__(
        self, algebra: Algebra, edges: Sequence[tuple[int, int, Monomial]],
        values: Sequence[int], sources: Sequence[int], policy: Policy,
    ) -> None:  # fmt: skip
        self.algebra = algebra
        self.policy = policy
        self.steps = 0
        # How many multiplications there were, of partial derivatives that are no mere numbers.
        self.multiplied = 0
        # Edges by their ends; an output is a node of its own, numbered from -1 down.
        self.into: dict[int, dict[int, list[Monomial]]] = {}
        self.out: dict[int, dict[int, list[Monomial]]] = {}
        self.sources = {source: at for at, source in enumerate(sources)}
        for start, end, partial in edges:
            self._add(start, end, [partial])
        for at, value in enumerate(values):
            if value in self.sources or value in self.into:
                self._add(value, -1 - at, [ONE])
        self.inner = sorted(n for n in self.into if n >= 0 and n not in self.sources)

    def _add(self, start: int, end: int, terms: list[Monomial]) -> None:
        before = self.into.setdefault(end, {}).get(start)
        found = terms if before is None else merge([*before, *terms])
        if not found:
            del self.into[end][start], self.out[start][end]
            return
        self.into[end][start] = found
        self.out.setdefault(start, {})[end] = found

    def eliminate(self, node: int) -> None:
        """Join every edge into a node with every edge out of it."""
        self.multiplied += self.products(node)
        into, out = self.into.pop(node, {}), self.out.pop(node, {})
        for end in out:
            del self.into[end][node]
        for start in into:
            del self.out[start][node]
        self.steps += len(into) * len(out)
        left = {k: self._whole(terms, len(out)) for k, terms in into.items()}
        right = {k: self._whole(terms, len(into)) for k, terms in out.items()}
        for end, outer in right.items():
            for start, inner in left.items():
                if len(outer) > 1 and (len(inner) > 1 or inner[0].factors):
                    outer = [self.algebra.sealed(outer, ALONE)]
                if len(inner) > 1 and outer[0].factors:
                    inner = [self.algebra.sealed(inner, ALONE)]
                product = self.algebra.product
                self._add(start, end, [product(p, q) for p in outer for q in inner])

    def _whole(self, terms: list[Monomial], uses: int) -> list[Monomial]:
        return terms if uses == 1 or len(terms) == 1 else [self._sealed(terms)]

    def _sealed(self, terms: list[Monomial]) -> Monomial:
        return self.algebra.sealed(terms, self.policy)

    def products(self, node: int) -> int:
        """How many multiplications, of what is no mere number, it takes to eliminate a node."""
        into, out = self.into.get(node, {}), self.out.get(node, {})
        left = [terms for terms in into.values() if len(terms) != 1 or terms[0].factors]
        right = [terms for terms in out.values() if len(terms) != 1 or terms[0].factors]
        return len(left) * len(right)

    def cuts(self) -> list[frozenset[int]]:
        """Small sets of values through which all that comes before reaches what comes after."""
        last: dict[int, float] = {}
        for node in self.inner:
            ends = self.out.get(node) or (node,)
            last[node] = max(ends) if min(ends) >= 0 else math.inf
        found: dict[frozenset[int], None] = {}
        for at in self.inner:
            live = frozenset(n for n in self.inner if n <= at < last[n])
            if 1 < len(live) <= MAX_CUT:
                found[live] = None
        return list(found)[:MAX_CUTS]

    def run(self, order: str, cut: frozenset[int] = frozenset()) -> Matrix | None:
        """The matrix, by elimination in an order; None where that takes too many steps.

        `forward`, `reverse`, or what takes the fewest multiplications next (H. M. Markowitz, 1957),
        of several the `latest` or the `earliest` node. The values of a cut are eliminated last.
        """
        if order in ("forward", "reverse"):
            nodes = self.inner if order == "forward" else self.inner[::-1]
            for node in nodes:
                self.eliminate(node)
                if self.steps > MAX_STEPS:
                    return None
        else:
            sign = 1 if order == "earliest" else -1
            parts = [[n for n in self.inner if n not in cut], sorted(cut)]
            if not all(self._greedily(part, sign) for part in parts):
                return None
        return {
            (-1 - end, self.sources[start]): terms
            for end in sorted((n for n in self.into if n < 0), reverse=True)
            for start, terms in sorted(self.into[end].items())
        }

    def _greedily(self, nodes: Sequence[int], sign: int) -> bool:
        left = set(nodes)
        heap = [(self.products(n), sign * n) for n in nodes]
        heapify(heap)
        while heap:
            cost, at = heappop(heap)
            node = sign * at
            if node not in left:
                continue
            now = self.products(node)
            if now != cost:
                heappush(heap, (now, at))
                continue
            touched = [*self.into.get(node, ()), *self.out.get(node, ())]
            left.discard(node)
            self.eliminate(node)
            if self.steps > MAX_STEPS:
                return False
            for near in touched:
                if near in left:
                    heappush(heap, (self.products(near), sign * near))
        return True


# Of a sum that is in one product only.
ALONE = Policy("cheaper", False)
ORDERS = ("latest", "earliest", "reverse", "forward")
# How large a cut may be, and how many are tried.
MAX_CUT, MAX_CUTS = 4, 24
# What overflows at moderate operands.
OVERFLOWING = (*GROWING, "expm1", "sinh", "cosh")
# What grows as its operands do.
GROWING_WITH = ("add", "sub", "mul", "div", "neg", "square", "power", "sqrt", "hypot")
# How many of the cuts are followed up.
TAKEN = 2
# Up to how many partial derivatives all plans are followed up; of more, how many of those that take
# fewest operations before anything is shared.
THOROUGH, TRIED = 150, 4
POLICIES = (Policy("never", False), Policy("cheaper", True), Policy("cheaper", False))


def _overflows(algebra: Algebra, entries: Sequence[Terms]) -> bool:
    """Whether numbers overflow, or what does may meet itself below the bar: inf / inf, not 0."""
    graph = algebra.graph
    derived = [algebra.terms[atom] for atom in reached(algebra, entries)]
    above: dict[int, None] = {}
    below: set[int] = set()
    stack = [term for terms in (*entries, *derived) for term in terms]
    if not all(math.isfinite(term.coefficient) and term.coefficient for term in stack):
        return True
    while stack:
        for atom, e in stack.pop().factors:
            if e < 0:
                below.add(atom)
            elif atom not in above:
                above[atom] = None
                stack += algebra.terms.get(atom, ())
    growing = {a for a in above if a < algebra.size and graph.ops[a] in OVERFLOWING}
    found, waiting = set(below), list(below)
    while growing and waiting:
        node = waiting.pop()
        if node in growing:
            return True
        if graph.ops[node] in GROWING_WITH:
            waiting += [a for a in graph.args[node] if a not in found]
            found.update(graph.args[node])
    return False


def eliminated(
    b: GraphBuilder, values: Sequence[int], sources: Sequence[int], symmetric: bool = False,
    orders: Sequence[str] = ORDERS, kept: Sequence[int] = (), most: int = MAX_EDGES,
) -> dict[tuple[int, int], int] | None:  # fmt: skip
    """The nodes of the derivatives of values by sources, as positions; None where it is not for it.

    Of several orders, and with common factors taken out or not, that of the fewest operations. Of
    a `symmetric` matrix each pair is there once. The nodes `kept` are computed in any case. There
    may be `most` so many partial derivatives.
    """
    if len(b.graph) > MAX_NODES or any(b.graph.types[s].kind == "array" for s in sources):
        return None
    seed = b.leaf("seed", ("partial", ()), FLOAT)
    found = Partials(b, sources).edges(values, seed, most)
    if found is None:
        return None
    algebra = Algebra(b.graph, seed)
    edges = [(start, end, algebra.forms[node]) for start, end, node in found]
    edges = [edge for edge in edges if edge[2].coefficient != 0]
    if not all(algebra.is_plain(form) for _, _, form in edges):
        return None
    ways: list[tuple[str, frozenset[int]]] = [(order, frozenset()) for order in orders]
    thorough = len(edges) <= THOROUGH
    if orders == ORDERS and thorough:
        trials: list[tuple[int, int, frozenset[int]]] = []
        for cut in Elimination(algebra, edges, values, sources, POLICIES[0]).cuts():
            trial = Elimination(algebra, edges, values, sources, POLICIES[0])
            if trial.run("earliest", cut) is not None:
                trials.append((trial.multiplied, len(trials), cut))
        ways += [("earliest", cut) for _, _, cut in sorted(trials, key=lambda t: t[:2])[:TAKEN]]
    known: set[tuple[Terms, ...]] = set()
    plans: list[tuple[int, int, Sharing, list[tuple[int, int]]]] = []
    for order, cut in ways:
        for policy in POLICIES:
            matrix = Elimination(algebra, edges, values, sources, policy).run(order, cut)
            if matrix is not None:
                if symmetric:
                    matrix = {(j, k): v for (j, k), v in matrix.items() if k >= j}
                entries = [algebra.split(terms, policy) for terms in matrix.values()]
                if tuple(entries) in known or _overflows(algebra, entries):
                    continue
                known.add(tuple(entries))
                plan = Sharing(algebra, b, entries, kept)
                plans.append((plan.operations(), len(plans), plan, list(matrix)))
    plans.sort(key=lambda item: item[:2])
    shared = []
    for _, number, plan, places in plans[: len(plans) if thorough else TRIED]:
        plan.share()
        shared.append((plan.operations(), number, plan, places))
    shared.sort(key=lambda item: item[:2])
    if not shared:
        return None
    total, plan, places = math.inf, shared[0][2], shared[0][3]
    for least, _, other, where in shared:
        if least >= total:
            break
        other.orient()
        if least + other.negations() < total:
            total, plan, places = least + other.negations(), other, where
    b.loc = None
    return dict(zip(places, Assembly(plan).nodes(), strict=True))
