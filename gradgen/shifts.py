"""Adjoints through the shift of a softmax or of a log-sum-exp: they are zero, and dropped.

`F - np.max(F)` leaves `log(sum(exp(F))) - F[label]` as it is, so what its adjoint sums up to, and
goes to the largest item, is zero whatever the numbers are. That is seen in the sum itself: the
weights `e / sum(e)` sum to 1, and what a label takes away is one number in each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.graph import Graph, GraphBuilder
from gradgen.liveness import finish, reachable, shell
from gradgen.ops.indexing import WHOLE
from gradgen.sweep import LEAVES

# A number times a node, or the number alone.
Share = tuple[float, int | None]


def without_shifts(graph: Graph) -> Graph:
    """The graph without the parts of adjoints that are zero."""
    if not any(op in ("max", "min") for op in graph.ops):
        return graph
    zeros = _zeros(graph)
    kept = {node: arg for node in range(len(graph)) if (arg := _kept(graph, node, zeros)) >= 0}
    if not kept:
        return graph
    b = GraphBuilder(shell(graph))
    mapping: list[int] = []
    for node in range(len(graph)):
        if node in kept:
            mapping.append(mapping[kept[node]])
            b.label(mapping[-1], None, graph.hints[node])
        else:
            mapping.append(b.copy_node(graph, node, mapping))
    return finish(graph, b, mapping)


def _zeros(graph: Graph) -> set[int]:
    """The derived nodes that are zero."""
    found: set[int] = set()
    needed = reachable(graph, graph.results)
    for node, op in enumerate(graph.ops):
        args = graph.args[node]
        if not needed[node] or op in LEAVES or graph.locs[node] is not None:
            continue
        if op == "sum":
            zero = graph.types[args[0]].is_float and _sums_to_zero(
                graph, args[0], graph.attrs[node]
            )
        elif op in ("add", "sub"):
            zero = _cancel(graph, args, -1.0 if op == "add" else 1.0)
        elif op == "div":
            zero = args[0] in found and _counts_ties(graph, args[1])
        elif op == "mul":
            masks = [graph.types[a].dtype == "bool" for a in args]
            zero = any(a in found and mask for a, mask in zip(args, masks[::-1], strict=True))
        else:
            zero = op in ("neg", "index", "broadcast_to", "astype") and args[0] in found
        if zero:
            found.add(node)
    return found


def _cancel(graph: Graph, terms: Sequence[int], sign: float) -> bool:
    """Whether one term is what the other one, a sum of weights, adds up to, times the sign."""
    for one, other in (terms, terms[::-1]):
        if graph.ops[one] == "sum" and not graph.attrs[one][1] and graph.locs[one] is None:
            weight = _weight(graph, graph.args[one][0], graph.attrs[one][0])
            number, base = _share(graph, other)
            if weight is not None and weight == (sign * number, base):
                return graph.attrs[one][2] is None
    return False


def _kept(graph: Graph, node: int, zeros: set[int]) -> int:
    """The term of a derived sum that is left where the other one is zero; -1 if both count."""
    if graph.ops[node] not in ("add", "sub") or graph.locs[node] is not None:
        return -1
    first, second = graph.args[node]
    if second in zeros and graph.types[first] == graph.types[node]:
        return first
    if first in zeros and graph.ops[node] == "add" and graph.types[second] == graph.types[node]:
        return second
    return -1


def _counts_ties(graph: Graph, node: int) -> bool:
    """Whether it is how many items are the largest, which is one at least."""
    return graph.ops[node] == "sum" and graph.types[graph.args[node][0]].dtype == "bool"


def _sums_to_zero(graph: Graph, node: int, attr: Any) -> bool:
    """Whether a node sums to zero over the last axis, or over its only one."""
    axes, _, dtype = attr
    rank = graph.types[node].rank
    if (
        dtype is not None
        or rank not in (1, 2)
        or axes not in ((rank - 1,), None if rank == 1 else ())
    ):
        return False
    taken: dict[int | None, float] = {}
    while graph.ops[node] == "index_add" and graph.locs[node] is None:
        array, part, *operands = graph.args[node]
        if not _once_in_each_row(graph, node, operands):
            return False
        number, base = _share(graph, part)
        taken[base] = taken.get(base, 0.0) + number
        node = array
    weight = _weight(graph, node, axes)
    if weight is None:
        return False
    number, base = weight
    taken[base] = taken.get(base, 0.0) + number
    return len(taken) == 1 and not any(taken.values())


def _once_in_each_row(graph: Graph, node: int, operands: list[int]) -> bool:
    """Whether an update changes one item, or one in each row."""
    template = graph.attrs[node]
    if any("int" not in graph.types[o].dtype for o in operands):
        return False
    part = graph.types[graph.args[node][1]]
    if graph.types[node].rank == 1:
        known = not operands and len(template) == 1 and template[0][0] == "i"
        asked = template == ("a",) and graph.types[operands[0]].rank == 0
        return part.rank == 0 and (known or asked)
    if template != ("a", "a") or part.rank > 1 or graph.ops[operands[0]] != "arange":
        return False
    rows, columns = (graph.types[o] for o in operands)
    shape = graph.types[node].shape
    whole = len(graph.args[operands[0]]) == 1 and rows.shape == columns.shape == shape[:1]
    return whole and part.shape in ((), shape[:1])


def _weight(graph: Graph, node: int, axes: Any) -> Share | None:
    """What `s * e / sum(e)` sums to: `s`, which is one number for each row."""
    args = graph.args[node]
    if graph.ops[node] == "mul":
        for one, e in (args, args[::-1]):
            quotient = _flat(graph, one)
            if graph.ops[quotient] == "div" and _is_sum(graph, graph.args[quotient][1], e, axes):
                return _share(graph, graph.args[quotient][0])
    elif graph.ops[node] == "div":
        total = _flat(graph, args[1])
        if _is_sum(graph, total, args[0], axes):
            return (1.0, None)
        if graph.ops[args[0]] == "mul":
            first, second = graph.args[args[0]]
            for one, e in ((first, second), (second, first)):
                flat = _flat(graph, one)
                by_row = graph.types[flat].rank < graph.types[node].rank
                if by_row and _is_sum(graph, total, e, axes):
                    return _share(graph, flat)
    return None


def _is_sum(graph: Graph, node: int, e: int, axes: Any) -> bool:
    node = _flat(graph, node)
    return (
        graph.ops[node] == "sum" and graph.args[node] == (e,)
        and graph.attrs[node][0] == axes and graph.attrs[node][2] is None
    )  # fmt: skip


def _flat(graph: Graph, node: int) -> int:
    """An array without the new axis behind its own."""
    if graph.ops[node] == "index" and graph.attrs[node] == (WHOLE, "n"):
        return graph.args[node][0]
    return node


def _share(graph: Graph, node: int) -> Share:
    """A node as a number times a node."""
    number = 1.0
    while graph.ops[node] == "neg":
        number, node = -number, graph.args[node][0]
    value = graph.values[node]
    if graph.ops[node] == "const" and isinstance(value, (int, float)):
        return (number * value, None)
    return (number, node)
