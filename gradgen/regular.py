"""Determinants whose zero has no derivative anyway, as in `log(det(S))`.

The adjoint of a determinant holds for singular matrices too, for which it takes a decomposition
into singular values. Where every reader of the determinant divides by it, or takes its logarithm or
its root, nothing is lost without them: the adjoint is the transposed inverse, scaled.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.liveness import finish, placed, reachable, readers, shell

# Of these the slope is infinite where the first operand is zero.
_SINGULAR = frozenset({"log", "log2", "log10", "sqrt", "reciprocal"})
# These are zero where their operand is.
_SCALED = frozenset({"neg", "abs", "absolute", "fabs"})
# What lengths and numbers are computed by.
_FIXED = frozenset({"const", "constant", "axis_size", "item_count"})
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "power", "sqrt", "neg"})
_FARTHEST = 16


def with_regular(graph: Graph) -> Graph:
    """The graph with such determinants marked."""
    found = list(placed(graph, "det"))
    if not found:
        return graph
    users = readers(graph, reachable(graph, graph.results))
    ends = set(leaves(graph.results))
    chosen = {node for node in found if _is_regular(graph, node, users, ends)}
    if not chosen:
        return graph
    b = GraphBuilder(shell(graph))
    mapping: list[int] = []
    for node in range(len(graph)):
        if node not in chosen:
            mapping.append(b.copy_node(graph, node, mapping))
            continue
        b.loc = graph.locs[node]
        args = [mapping[a] for a in graph.args[node]]
        mapping.append(b.add("regular_det", *args, attr=graph.attrs[node]))
        b.label(mapping[-1], graph.names[node], graph.hints[node])
    return finish(graph, b, mapping)


def _is_regular(graph: Graph, start: int, users: Sequence[Sequence[int]], ends: set[int]) -> bool:
    """Whether no reader of a determinant has a finite slope where it is zero."""
    pending, seen = [start], 0
    while pending:
        node = pending.pop()
        seen += 1
        if node in ends or not users[node] or seen > _FARTHEST:
            return False
        for user in users[node]:
            op, args = graph.ops[user], graph.args[user]
            if op in _SCALED or (op == "mul" and _is_scale(graph, node, args)):
                pending.append(user)
            elif op == "power" and args[0] == node != args[1]:
                exponent = graph.values[args[1]]
                if not isinstance(exponent, (int, float)) or not 0 != exponent < 1:
                    return False
            elif op not in _SINGULAR and not (op == "div" and args[1] == node != args[0]):
                return False
    return True


def _is_scale(graph: Graph, node: int, args: Sequence[int]) -> bool:
    """Whether the other factor of a product is made of numbers and lengths."""
    pending, seen = [a for a in args if a != node], 0
    if len(pending) != 1:
        return False
    while pending:
        at = pending.pop()
        seen += 1
        op = graph.ops[at]
        if graph.types[at].shape or seen > _FARTHEST or op not in _FIXED | _ARITHMETIC:
            return False
        if op in _ARITHMETIC:
            pending.extend(graph.args[at])
    return True
