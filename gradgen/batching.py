"""One product of matrices in place of many small ones that are added up.

What every step of an unrolled loop adds to the adjoint of a weight is a product with few rows, as
`x_k.T @ d_k`, or with one, as `np.outer(d_k, x_k)`. The same sum is one product of what the steps
have, one below the other: `np.concatenate((x_0, x_1, ...)).T @ np.concatenate((d_0, d_1, ...))`.
"""

from __future__ import annotations

from typing import NamedTuple

from gradgen.graph import Graph, GraphBuilder
from gradgen.liveness import finish, reachable, shell, uses
from gradgen.passes import eliminate_dead

# Fewer products are added up as soon, and of more rows the copies take longer than they save.
_FEWEST = 4
_MOST_ROWS = 64
_ROWS = ((0,), False, None)


class _Product(NamedTuple):
    """A term of a sum that is a small product, or the sum of the rows of a small matrix."""

    kind: str
    left: int
    right: int


# What is one product: the terms of one kind and of the same types.
_Batch = list[_Product]


def batch_products(graph: Graph) -> Graph:
    """The graph with each derived sum of many small products as one product."""
    if graph.ops.count("matmul") + graph.ops.count("outer") < _FEWEST:
        return graph
    terms = _Terms(graph)
    derived = [n for n, op in enumerate(graph.ops) if op == "add" and graph.locs[n] is None]
    inner = {a for n in derived for a in graph.args[n] if terms.is_own(a, "add")}
    batches = {n: terms.batches(n) for n in derived if n not in inner}
    joined = {_rights(batch) for found in batches.values() for batch in found
              if batch[0].kind == "matmul"}  # fmt: skip
    # rows are joined for their sum only where they are for a product anyway
    batches = {
        n: kept for n, found in batches.items()
        if (kept := [x for x in found if x[0].kind != "sum" or _rights(x) in joined])
    }  # fmt: skip
    if not batches:
        return graph
    b = GraphBuilder(shell(graph))
    mapping: list[int] = []
    for node in range(len(graph)):
        if node in batches:
            b.loc = None
            mapping.append(_total(b, batches[node], terms.others(node, batches[node]), mapping))
            b.label(mapping[-1], graph.names[node], graph.hints[node])
        else:
            mapping.append(b.copy_node(graph, node, mapping))
    return eliminate_dead(finish(graph, b, mapping))


class _Terms:
    """The terms of derived sums."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.uses = uses(graph, reachable(graph, graph.results))

    def is_own(self, node: int, op: str) -> bool:
        """Whether it is a derived operation whose result nobody else reads."""
        graph = self.graph
        return graph.ops[node] == op and graph.locs[node] is None and self.uses[node] == 1

    def of(self, total: int) -> list[int]:
        """The terms of a sum, in their order."""
        found, stack = [], list(reversed(self.graph.args[total]))
        while stack:
            node = stack.pop()
            if self.is_own(node, "add"):
                stack += reversed(self.graph.args[node])
            else:
                found.append(node)
        return found

    def batches(self, total: int) -> list[_Batch]:
        """The products in a sum that are one product."""
        types = self.graph.types
        alike: dict[object, _Batch] = {}
        for product in filter(None, map(self.product, self.of(total))):
            key = product.kind, types[product.left], types[product.right]
            alike.setdefault(key, []).append(product)
        for batch in alike.values():
            # an adjoint of what came sooner is computed later
            batch.sort(key=lambda product: -product.right)
        return [batch for batch in alike.values() if len(batch) >= _FEWEST]

    def others(self, total: int, batches: list[_Batch]) -> list[int]:
        """The terms of a sum that are in none of its batches."""
        taken = {product for batch in batches for product in batch}
        return [node for node in self.of(total) if self.product(node) not in taken]

    def product(self, node: int) -> _Product | None:
        """The small product that a term is."""
        graph, types = self.graph, self.graph.types
        if self.is_own(node, "outer"):
            left, right = graph.args[node]
            vectors = types[left].rank == types[right].rank == 1
            return _Product("outer", left, right) if vectors else None
        if self.is_own(node, "matmul") and graph.attrs[node] is None:
            turned, right = graph.args[node]
            if graph.ops[turned] == "transpose" and graph.attrs[turned] is None:
                (left,) = graph.args[turned]
                if types[left].rank == 2 and self._has_few_rows(right):
                    return _Product("matmul", left, right)
        if self.is_own(node, "sum") and graph.attrs[node] == _ROWS:
            (right,) = graph.args[node]
            return _Product("sum", right, right) if self._has_few_rows(right) else None
        return None

    def _has_few_rows(self, node: int) -> bool:
        t = self.graph.types[node]
        return t.rank == 2 and isinstance(t.shape[0], int) and t.shape[0] <= _MOST_ROWS


def _rights(batch: _Batch) -> tuple[int, ...]:
    return tuple(product.right for product in batch)


def _total(b: GraphBuilder, batches: list[_Batch], others: list[int], mapping: list[int]) -> int:
    """The sum of the batches, each as one product, and of the other terms."""
    total: int | None = None
    for batch in batches:
        kind = batch[0].kind
        join = "stack" if kind == "outer" else "concatenate"
        right = b.add(join, *(mapping[p.right] for p in batch), attr=0)
        if kind == "sum":
            found = b.add("sum", right, attr=_ROWS)
        else:
            left = b.add(join, *(mapping[p.left] for p in batch), attr=0)
            found = b.add("matmul", b.add("transpose", left), right)
        total = found if total is None else b.add("add", total, found)
    assert total is not None
    for node in others:
        total = b.add("add", total, mapping[node])
    return total
