"""Which of NumPy's kernels computes a derived value: the faster of two that mean the same.

What the user wrote keeps its own calls; only nodes without a location are looked at, and only
where shapes tell.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable

from gradgen.graph import Graph, GraphBuilder
from gradgen.liveness import finish, placed, reachable, shell, uses
from gradgen.passes import eliminate_dead
from gradgen.types import Dim

# How many signs and sums a sum is carried into.
_MAX_DEPTH = 6
# The one item that a slice leaves out, if there is any, as a slice.
_ENDS = {
    (("s", 1, None, None),): (("s", None, 1, None),),
    (("s", None, -1, None),): (("s", -1, None, None),),
}
# Shorter vectors are made of zeros as soon.
_LONG = 1000


def choose_kernels(graph: Graph) -> Graph:
    """The graph with products and sums that NumPy computes faster in another way.

    A matrix times a transposed one over a batch of one is a column times a row, for which `@` calls
    no BLAS, and `np.dot` does. The sum of the rows of a product of matrices is the sum of the rows
    of the first one, times the second. A product that is added up along other axes than the last
    one is computed and read again where `np.einsum` does both at once, without an array for it.
    Stacks of matrices are not transposed there and back. The sign of a product is that of its
    smaller factor.
    """
    found = [n for op in _RULES for n in placed(graph, op) if graph.locs[n] is None]
    found = [n for n in found if graph.ops[n] != "neg" or _is_of_unequal(graph, n)]
    return _Chooser(graph).run(found) if found else graph


def _is_of_unequal(graph: Graph, node: int) -> bool:
    """Whether it is the negative of a product of which one factor is a smaller array."""
    (x,) = graph.args[node]
    types = [graph.types[a] for a in graph.args[x]] if graph.ops[x] == "mul" else []
    return any(t.shape and t is not graph.types[x] for t in types)


def zero_ends(graph: Graph) -> Graph:
    """The graph without vectors of zeros that are overwritten but for one end: that is set to 0."""
    found = {
        node for node, op in enumerate(graph.ops)
        if op == "index_set" and graph.attrs[node] in _ENDS and _is_filled(graph, node)
    }  # fmt: skip
    if not found:
        return graph
    b = GraphBuilder(shell(graph))
    mapping: list[int] = []
    for node in range(len(graph)):
        if node in found:
            buffer, value = graph.args[node]
            sizes, attr = [mapping[a] for a in graph.args[buffer]], graph.attrs[node]
            empty = b.add("empty", *sizes, attr=graph.attrs[buffer])
            started = b.add("index_set", empty, b.const(0.0), attr=_ENDS[attr])
            mapping.append(b.add("index_set", started, mapping[value], attr=attr))
            b.label(mapping[-1], graph.names[node], graph.hints[node])
        else:
            mapping.append(b.copy_node(graph, node, mapping))
    return eliminate_dead(finish(graph, b, mapping))


def _is_filled(graph: Graph, node: int) -> bool:
    """Whether it is a long vector of zeros, made for derivatives, that is stored into."""
    buffer, t = graph.args[node][0], graph.types[node]
    long = t.rank == 1 and (isinstance(t.shape[0], Dim) or t.shape[0] >= _LONG)
    zeros = graph.ops[buffer] == "zeros" and t.is_float
    return long and zeros and graph.locs[node] is None


class _Chooser:
    def __init__(self, graph: Graph) -> None:
        self.old = graph
        self.uses = uses(graph, reachable(graph, graph.results))
        self.b = GraphBuilder(shell(graph))
        self.map = [-1] * len(graph)

    def run(self, candidates: Iterable[int]) -> Graph:
        """The graph in which the rules were applied to the candidates; the others are copied."""
        graph, b = self.old, self.b
        changed, copied = False, 0
        for node in sorted(candidates):
            b.copy_run(graph, copied, node, self.map)
            copied = node + 1
            b.loc = None
            new = _RULES[graph.ops[node]](self, node)
            changed |= new is not None
            self.map[node] = b.copy_node(graph, node, self.map) if new is None else new
            if new is not None and b.graph.locs[new] is None:
                b.label(new, graph.names[node], graph.hints[node])
        if not changed:
            return graph
        b.copy_run(graph, copied, len(graph), self.map)
        return eliminate_dead(finish(graph, b, self.map))

    def _matmul(self, node: int) -> int | None:
        """A product with a transposed matrix, over an axis that may be of length one."""
        graph = self.old
        left, right = graph.args[node]
        if [graph.types[a].rank for a in (left, right)] != [2, 2] or graph.attrs[node] is not None:
            return None
        (rows, inner), (_, columns) = graph.types[left].shape, graph.types[right].shape
        transposed = graph.ops[left] == "transpose" and graph.attrs[left] is None
        if not transposed or not (inner == 1 or isinstance(inner, Dim)):
            return None
        if inner in (rows, columns):
            return None  # one column and one row of one number
        return self.b.add("matmul", self.map[left], self.map[right], attr="dot")

    def _transpose(self, node: int) -> int | None:
        """A stack of matrices with their last axes swapped: one that is so twice, or a product."""
        graph = self.old
        (x,) = graph.args[node]
        rank = graph.types[x].rank
        swap = (*range(rank - 2), rank - 1, rank - 2)
        if graph.attrs[node] != swap:
            return None
        if graph.ops[x] == "transpose" and graph.attrs[x] == swap:
            return self.map[graph.args[x][0]]
        if not self._is_own(x, "matmul") or any(graph.types[a].rank != rank for a in graph.args[x]):
            return None
        sides = [
            self.map[graph.args[a][0]]
            if graph.ops[a] == "transpose" and graph.attrs[a] == swap
            else self.b.add("transpose", self.map[a], attr=swap)
            for a in reversed(graph.args[x])
        ]
        return self.b.add("matmul", *sides)

    def _neg(self, node: int) -> int | None:
        """The negative of a product with a smaller array: of that one, times the other."""
        graph = self.old
        (x,) = graph.args[node]
        if not self._is_own(x, "mul"):
            return None
        for small, large in (graph.args[x], reversed(graph.args[x])):
            t = graph.types[small]
            if graph.types[large] == graph.types[x] != t and t.is_float and t.shape:
                return self.b.add("mul", self.b.add("neg", self.map[small]), self.map[large])
        return None

    # -- sums --------------------------------------------------------------------------------------

    def _sum(self, node: int) -> int | None:
        """A derived sum, for which there is no need of all that is added up."""
        graph = self.old
        (x,) = graph.args[node]
        axes, keepdims, dtype = graph.attrs[node]
        if axes is None or keepdims or dtype is not None or not graph.types[x].is_float:
            return None
        made = self._pushed(x, axes[0]) if len(axes) == 1 else None
        return self._einsum(x, axes) if made is None else made

    def _is_own(self, x: int, op: str) -> bool:
        """Whether it is a derived operation whose result nobody else reads."""
        graph = self.old
        return graph.ops[x] == op and graph.locs[x] is None and self.uses[x] == 1

    def _einsum(self, x: int, axes: tuple[int, ...]) -> int | None:
        """The sum of a product of two arrays; NumPy adds up a last axis with less rounding."""
        graph = self.old
        t = graph.types[x]
        if not self._is_own(x, "mul") or t.rank - 1 in axes:
            return None
        if any(graph.types[factor] != t for factor in graph.args[x]):
            return None
        letters = string.ascii_lowercase[8 : 8 + t.rank]
        kept = "".join(letter for axis, letter in enumerate(letters) if axis not in axes)
        first, second = (self.map[factor] for factor in graph.args[x])
        return self.b.add("einsum", first, second, attr=(f"{letters},{letters}->{kept}", None))

    def _pushed(self, x: int, axis: int, depth: int = 0) -> int | None:
        """The sum of what a product of matrices is a part of, with the sum taken before it."""
        graph, b = self.old, self.b
        t = graph.types[x]
        if depth > _MAX_DEPTH:
            return None
        if self._is_own(x, "neg"):
            inner = self._pushed(graph.args[x][0], axis, depth + 1)
            return None if inner is None else b.add("neg", inner)
        for op in ("add", "sub"):
            if self._is_own(x, op) and all(graph.types[a] == t for a in graph.args[x]):
                parts = [self._pushed(a, axis, depth + 1) for a in graph.args[x]]
                if parts == [None, None]:
                    return None
                pairs = zip(graph.args[x], parts, strict=True)
                return b.add(op, *(self._plain(a, axis) if p is None else p for a, p in pairs))
        return self._before_matmul(x, axis)

    def _plain(self, x: int, axis: int) -> int:
        """A sum; what is the same for all items along the axis is multiplied afterwards."""
        graph, b = self.old, self.b
        t = graph.types[x]
        if self._is_own(x, "mul"):
            for factor, other in (graph.args[x], reversed(graph.args[x])):
                same = self._same_along(factor, t.rank, axis)
                if same is not None and graph.types[other] == t:
                    total = b.add("sum", self.map[other], attr=((axis,), False, None))
                    return b.add("mul", *((total, same) if b.type_of(same).rank else (same, total)))
        return b.add("sum", self.map[x], attr=((axis,), False, None))

    def _same_along(self, factor: int, rank: int, axis: int) -> int | None:
        """What multiplies all items along an axis: a number, or an array with that axis added."""
        graph = self.old
        if not graph.types[factor].rank:
            return self.map[factor]
        template = graph.attrs[factor] if graph.ops[factor] == "index" else ()
        if len(template) != rank or template != tuple(
            "n" if k == axis else ("s", None, None, None) for k in range(rank)
        ):
            return None
        return self.map[graph.args[factor][0]]

    def _before_matmul(self, x: int, axis: int) -> int | None:
        graph, b = self.old, self.b
        rank = graph.types[x].rank
        if not self._is_own(x, "matmul") or axis != rank - 2 or graph.attrs[x] is not None:
            return None
        left, right = graph.args[x]
        types = graph.types[left], graph.types[right]
        if [t.rank for t in types] != [rank, rank] or types[0].shape[:-2] != types[1].shape[:-2]:
            return None
        rows = b.add("sum", self.map[left], attr=((axis,), False, None))
        if rank == 2:
            return b.add("matmul", rows, self.map[right])
        letters = string.ascii_lowercase[8 : 8 + rank]
        text = f"{letters[:-1]},{letters}->{letters[:-2]}{letters[-1]}"
        return b.add("einsum", rows, self.map[right], attr=(text, None))


_RULES: dict[str, Callable[[_Chooser, int], int | None]] = {
    "matmul": _Chooser._matmul,
    "neg": _Chooser._neg,
    "transpose": _Chooser._transpose,
    "sum": _Chooser._sum,
}


__all__ = ["choose_kernels"]
