"""The smallest sub-expression of a gradient by hand at which it parts from the right one.

Both graphs are evaluated, node by node, at a few points with many digits. A node of the gradient by
hand is the place where they part if one value of the right program, put in its stead, makes all of
the result right at all points; of several such nodes, it is the one that computes the least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradgen import derive
from gradgen.byhand.excerpt import ATOMS, code_of, written
from gradgen.graph import Graph
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.oracles.digits import gradient_nodes
from gradgen.oracles.exact import Evaluator, Unsupported
from gradgen.oracles.sample import Values
from gradgen.oracles.scalars import Numbers
from gradgen.oracles.subject import Subject
from gradgen.types import Type

DIGITS = 50
# Two numbers that agree to so many digits, relative to either, are one: constants that were
# folded, as 2/3, are 64-bit floats.
SAME = 14
# How many nodes are computed anew, with other values in the stead of some.
STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Known:
    """A value of the right program at all points: its node, and names for those below."""

    values: list[Any]
    graph: Graph
    node: int
    names: Mapping[int, str]

    @property
    def text(self) -> str:
        """What computes it: a name, or code."""
        return self.names.get(self.node) or code_of(self.graph, self.node, self.names)


@dataclass(frozen=True, slots=True)
class Parting:
    """Where they part: derivatives that are wrong by it, the expression, what should stand there.

    `whole` tells that it is a derivative as a whole. `path` and `line` are of the source.
    """

    partials: tuple[str, ...]
    text: str
    instead: str
    whole: bool
    path: str = ""
    line: int = 0
    source: str = ""


def partings(right: Subject, mine: Subject, points: Sequence[Values]) -> list[Parting]:
    """Where a gradient by hand parts from the right one, at points where its value is finite.

    One place for all wrong derivatives where there is one, else one for each of them. Raises
    `Unsupported` where an operation is not evaluated exactly.
    """
    search = _Search(right, mine, points)
    wrong = search.wrong
    if not wrong:
        return []
    found = search.place(wrong)
    if found is not None:
        return [found]
    return [search.place([leaf]) or search.whole(leaf) for leaf in wrong]


class _Search:
    """The values of all nodes at all points, and what happens if one is another."""

    def __init__(self, right: Subject, mine: Subject, points: Sequence[Values]) -> None:
        self.mine, self.graph = mine, mine.derived
        self.numbers = Numbers(DIGITS)
        self.results = gradient_nodes(mine)
        self.needed = reachable(self.graph, list(self.results.values()))
        inputs = [_inputs(right, values, self.numbers) for values in points]
        every = range(len(self.graph))
        self.evaluators = [Evaluator(self.graph, given, self.numbers) for given in inputs]
        for evaluator in self.evaluators:
            evaluator.of(node for node in every if self.needed[node])
        self.values = [dict(evaluator.values) for evaluator in self.evaluators]
        adjoints = [Evaluator(right.derived, given, self.numbers) for given in inputs]
        self.right = {
            leaf: [e.of([node])[0] for e in adjoints]
            for leaf, node in gradient_nodes(right).items()
        }
        self.wrong = [leaf for leaf, node in self.results.items()
                      if not self._is(self._of(node), self.right[leaf])]  # fmt: skip
        self.known = self._known(right, inputs)
        keys = {_key(known.values) for known in self.known}
        self.matched = {node for node, needed in enumerate(self.needed)
                        if needed and _is_float(self.graph, node)
                        and _key(self._of(node)) in keys}  # fmt: skip
        self.left = STEPS

    def _of(self, node: int) -> list[Any]:
        return [values[node] for values in self.values]

    def _is(self, one: Sequence[Any], other: Sequence[Any]) -> bool:
        """Whether the values of two nodes are the same at all points."""
        return all(map(_same, one, other))

    def _known(self, right: Subject, inputs: Sequence[Mapping[Any, Any]]) -> list[Known]:
        """The values of the right program, those first that are computed the shortest way.

        What the gradient by hand has a name for is called by that name.
        """
        own: dict[Any, str] = {}
        for node, name in enumerate(self.graph.names):
            if name is not None and self.needed[node] and _is_float(self.graph, node):
                own.setdefault(_key(self._of(node)), name)
        found: list[tuple[Any, Known]] = []
        # the first has symbols for lengths, and reads best
        for order, graph in enumerate((right.program.graph, right.derived, _unsimplified(right))):
            evaluators = [Evaluator(graph, given, self.numbers) for given in inputs]
            names: dict[int, str] = {}
            values: dict[int, list[Any]] = {}
            for node in range(len(graph)):
                if _is_float(graph, node):
                    with suppress(Unsupported):
                        values[node] = [e.of([node])[0] for e in evaluators]
                        name = own.get(_key(values[node]))
                        if name is not None and graph.ops[node] not in ATOMS:
                            names[node] = name
            sizes = _sizes(graph, names)
            found += [((sizes[n] > 0, order, sizes[n]), Known(held, graph, n, names))
                      for n, held in values.items()]  # fmt: skip
        kept: dict[Any, Known] = {}
        for _, known in sorted(found, key=lambda item: item[0]):
            kept.setdefault(_key(known.values), known)
        return list(kept.values())

    def place(self, wrong: Sequence[str]) -> Parting | None:
        """The smallest node that makes derivatives right, if another value stands for it."""
        roots = [self.results[leaf] for leaf in wrong]
        above = [reachable(self.graph, [root]) for root in roots]
        sizes = _sizes(self.graph, {})
        candidates = [
            node for node in range(len(self.graph))
            if all(needed[node] for needed in above) and _is_float(self.graph, node)
            and self.graph.ops[node] in ("const", *OPS) and node not in self.matched
        ]  # fmt: skip
        keep = [leaf for leaf in self.results if leaf not in self.wrong]
        for node in sorted(candidates, key=lambda node: (sizes[node], node)):
            after = _downstream(self.graph, node)
            for known in self.known:
                if np.shape(known.values[0]) != np.shape(self.values[0][node]):
                    continue
                if self._makes_right(node, after, known.values, [*wrong, *keep]):
                    return self._parting(wrong, node, known)
        return None

    def whole(self, leaf: str) -> Parting:
        """A derivative as a whole, of which no part is what is wrong."""
        wanted = _key(self.right[leaf])
        known = next((known for known in self.known if _key(known.values) == wanted), None)
        return self._parting([leaf], self.results[leaf], known)

    def _makes_right(
        self, node: int, after: Sequence[bool], instead: Sequence[Any], leaves: Sequence[str]
    ) -> bool:
        """Whether derivatives are right at all points where a node has other values.

        `after` are the nodes that depend on it.
        """
        size = len(self.graph)
        for at, evaluator in enumerate(self.evaluators):
            if self.left <= 0:
                return False
            self.left -= sum(after)
            # what definitions compute is kept beyond the end of the graph
            evaluator.values = {
                n: v for n, v in self.values[at].items() if n < size and not after[n]
            }
            evaluator.values[node] = instead[at]
            try:
                found = evaluator.of([self.results[leaf] for leaf in leaves])
            except Unsupported:
                return False
            if not all(_same(value, self.right[leaf][at])
                       for leaf, value in zip(leaves, found, strict=True)):  # fmt: skip
                return False
        return True

    def _parting(self, wrong: Sequence[str], node: int, known: Known | None) -> Parting:
        graph, loc = self.graph, self.graph.locs[node]
        text = "" if loc is None else written(graph, node, loc)
        names = {n: name for n, name in enumerate(graph.names) if name is not None}
        text = text or code_of(graph, node, names)
        partials = tuple(f"d/d{leaf}" for leaf in wrong)
        whole, instead = node in self.results.values(), "" if known is None else known.text
        if loc is None:
            return Parting(partials, text, instead, whole)
        return Parting(partials, text, instead, whole, loc.source.path, loc.line,
                       loc.source.line(loc.line).strip())  # fmt: skip


def _unsimplified(right: Subject) -> Graph:
    """The adjoints before they are simplified: more of what somebody may have written."""
    trees = [p.tree for p in right.graph.params if p.name in right.wrt]
    return derive.reverse(right.graph, trees, right.value, None)


def _inputs(subject: Subject, values: Values, numbers: Numbers) -> dict[Any, Any]:
    """The arguments as numbers of mpmath."""
    found: dict[Any, Any] = {}
    for leaf in subject.leaves:
        array = np.asarray(values[leaf.text])
        if leaf.type.is_float:
            exact = np.empty(array.shape, object)
            for at in np.ndindex(array.shape):
                exact[at] = numbers.number(float(array[at]))
            array = exact
        found[leaf.name, leaf.path] = array
    return found


def _is_float(graph: Graph, node: int) -> bool:
    t: Any = graph.types[node]
    return isinstance(t, Type) and (t.is_float or graph.ops[node] == "const")


def _same(one: Any, other: Any) -> bool:
    """Whether two arrays are equal to many digits."""
    if np.shape(one) != np.shape(other):
        return False
    tiny = 10.0**-SAME
    return all(
        a == b or bool(abs(a - b) <= tiny * min(abs(a), abs(b)))
        for a, b in zip(np.ravel(one), np.ravel(other), strict=True)
    )


def _key(values: Sequence[Any]) -> Any:
    """What is the same for values that agree, but for an unlikely accident of rounding."""
    return tuple(
        (np.shape(value), *(f"{float(item):.12e}" for item in np.ravel(value))) for value in values
    )


def _sizes(graph: Graph, names: Mapping[int, str]) -> list[float]:
    """How many operations an expression holds, node by node; none where it has a name."""
    sizes: list[float] = []
    for node, (op, args) in enumerate(zip(graph.ops, graph.args, strict=True)):
        atom = op in ATOMS or node in names
        sizes.append(0.0 if atom else 1.0 + sum(sizes[a] for a in args))
    return sizes


def _downstream(graph: Graph, node: int) -> list[bool]:
    """The nodes that depend on a node."""
    found = [False] * len(graph)
    found[node] = True
    for n in range(node + 1, len(graph)):
        found[n] = any(found[a] for a in graph.args[n])
    return found
