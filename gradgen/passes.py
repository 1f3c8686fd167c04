"""Passes over a derived graph, as one list: simplify what was derived, drop what nobody needs."""

from __future__ import annotations

from collections.abc import Callable

from gradgen.graph import Graph, GraphBuilder
from gradgen.liveness import compacted, finish, parameters, reachable, shell
from gradgen.simplify import simplify

# A rewrite can make room for another; more rounds than these were never needed.
ROUNDS = 4
# What is its first operand, but for derivatives.
DIRECTIVES = frozenset({"stop_gradient", "custom_rule"})


def run(graph: Graph) -> Graph:
    """The graph after every pass of the pipeline, in order."""
    for step in PIPELINE:
        graph = step(graph)
    return graph


def eliminate_dead(graph: Graph) -> Graph:
    """Keep what the results need, and the parameters."""
    needed, given = reachable(graph, graph.results), parameters(graph)
    return compacted(graph, [n or node in given for node, n in enumerate(needed)])


def settle(graph: Graph) -> Graph:
    """Simplify until nothing changes, a bounded number of times."""
    before = None
    for _ in range(ROUNDS):
        graph, before = simplify(graph, before)
        if before is None:
            break
    return eliminate_dead(graph)


def without_stops(graph: Graph) -> Graph:
    """The graph with plain values for those that derivatives treat otherwise: it is derived."""
    if DIRECTIVES.isdisjoint(graph.ops):
        return graph
    b = GraphBuilder(shell(graph))
    mapping: list[int] = []
    for node in range(len(graph)):
        if graph.ops[node] in DIRECTIVES:
            mapping.append(mapping[graph.args[node][0]])
            b.label(mapping[-1], graph.names[node], graph.hints[node])
        else:
            mapping.append(b.copy_node(graph, node, mapping))
    return settle(finish(graph, b, mapping))


PIPELINE: tuple[Callable[[Graph], Graph], ...] = (settle,)
