"""Which of NumPy's kernels computes a derived value: the faster of two that mean the same.

What the user wrote keeps its own calls; only nodes without a location are looked at, and only
where shapes tell.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from gradgen.graph import Graph, GraphBuilder
from gradgen.liveness import finish, reachable, shell, uses
from gradgen.passes import eliminate_dead
from gradgen.types import Dim


def choose_kernels(graph: Graph) -> Graph:
    """The graph with products that NumPy computes faster under another name.

    A matrix times a transposed one over a batch of one is a column times a row, for which `@` calls
    no BLAS, and `np.dot` does. A product that is added up along other axes than the last one is
    computed and read again where `np.einsum` does both at once, without an array for it.
    """
    found = [_choice(graph, node) for node in range(len(graph))]
    if not any(found):
        return graph
    counts = uses(graph, reachable(graph, graph.results))
    b = GraphBuilder(shell(graph))
    mapping: list[int] = []
    for node, choice in enumerate(found):
        # a product that others read is there anyway
        if choice is None or (choice.op == "einsum" and counts[graph.args[node][0]] > 1):
            mapping.append(b.copy_node(graph, node, mapping))
            continue
        b.loc = None
        args = (mapping[a] for a in choice.args)
        mapping.append(b.add(choice.op, *args, attr=choice.attr))
        b.label(mapping[-1], graph.names[node], graph.hints[node])
    return eliminate_dead(finish(graph, b, mapping))


class _Choice(NamedTuple):
    """An operation to compute a node with, on nodes of the old graph."""

    op: str
    args: Sequence[int]
    attr: Any


def _choice(graph: Graph, node: int) -> _Choice | None:
    """What to compute a node with instead, if anything."""
    if graph.locs[node] is not None:
        return None
    if graph.ops[node] == "matmul":
        return _product(graph, node)
    return _sum_of_products(graph, node) if graph.ops[node] == "sum" else None


def _product(graph: Graph, node: int) -> _Choice | None:
    left, right = graph.args[node]
    if [graph.types[a].rank for a in (left, right)] != [2, 2] or graph.attrs[node] is not None:
        return None
    inner = graph.types[left].shape[1]
    transposed = graph.ops[left] == "transpose" and graph.attrs[left] is None
    if not transposed or not (inner == 1 or isinstance(inner, Dim)):
        return None
    return _Choice("matmul", (left, right), "dot")


def _sum_of_products(graph: Graph, node: int) -> _Choice | None:
    (product,) = graph.args[node]
    axes, keepdims, dtype = graph.attrs[node]
    t = graph.types[product]
    if graph.ops[product] != "mul" or graph.locs[product] is not None or not t.is_float:
        return None
    if axes is None or keepdims or dtype is not None or t.rank - 1 in axes:
        return None
    if any(graph.types[factor] != t for factor in graph.args[product]):
        return None
    letters = string.ascii_lowercase[8 : 8 + t.rank]
    kept = "".join(letter for axis, letter in enumerate(letters) if axis not in axes)
    return _Choice("einsum", graph.args[product], (f"{letters},{letters}->{kept}", None))


__all__ = ["choose_kernels"]
