"""Derivatives that vanish wherever they exist, although the value is computed from the argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.graph import Graph, GraphBuilder, Param, leaves
from gradgen.sweep import Sweep, copied

_SHAPES_ALONE = frozenset({
    "axis_size", "item_count", "zeros", "zeros_like", "ones", "ones_like", "empty", "empty_like",
    "arange",
})  # fmt: skip
_ZEROS = frozenset({"zeros", "zeros_like"})


def vanishing(
    graph: Graph, value: Any, chosen: Sequence[Param], derived: Graph, gradients: Sequence[Any]
) -> tuple[str, bool]:
    """A sentence on parameters from which only steps and comparisons lead to the value, or "".

    And whether these are all parameters, so that nothing can be learned from the derivative.

    `gradients` are the trees of nodes of `derived` that belong to the parameters `chosen`. One on
    which the value does not depend is no surprise, and neither is one whose derivative is zero on
    purpose, by `stop_gradient`.
    """
    found = {}
    for param, gradient in zip(chosen, gradients, strict=True):
        if all(_is_zero(derived, node) for node in leaves(gradient)):
            node = _where_it_ends(graph, set(leaves(param.tree)), set(leaves(value)))
            if node is not None:
                found[param.name] = graph.locs[node]
    if not found:
        return "", False
    lines = sorted({place.line for place in found.values() if place is not None})
    where = f" (line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))})" if lines else ""
    return (
        f"{graph.name} depends on {', '.join(found)} only through steps and comparisons{where}: "
        "that derivative is zero wherever it exists."
    ), len(found) == len(chosen)


def _is_zero(graph: Graph, node: int) -> bool:
    return graph.ops[node] in _ZEROS or (
        graph.ops[node] == "const" and type(graph.attrs[node]) is float and graph.attrs[node] == 0.0
    )


def _where_it_ends(graph: Graph, sources: set[int], value: set[int]) -> int | None:
    """The first node on a way from the sources to the value that passes no derivative on."""
    needed = [node in value for node in range(len(graph))]
    for node in reversed(range(len(graph))):
        if needed[node] and graph.ops[node] not in _SHAPES_ALONE:
            for arg in graph.args[node]:
                needed[arg] = True
    active = Sweep(GraphBuilder(copied(graph)), sources).active
    depends = [node in sources for node in range(len(graph))]
    first = None
    for node in range(len(graph)):
        if not needed[node] or graph.ops[node] in _SHAPES_ALONE:
            continue
        if any(depends[arg] for arg in graph.args[node]):
            if graph.ops[node] == "stop_gradient":
                return None
            if graph.ops[node] == "power" and graph.values[graph.args[node][1]] == 0:
                continue  # 1 for every x
            depends[node] = True
            first = node if first is None and not active[node] else first
    return first
