"""Which nodes of a graph are needed, how often they are read, and rebuilding a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress

from gradgen.graph import COLUMNS, Graph, GraphBuilder, Tree, leaves, map_tree, mapped


def reachable(graph: Graph, roots: Tree, values: bool = False) -> list[bool]:
    """Which nodes the roots need, or only their values, which need no custom rules."""
    needed = [False] * len(graph)
    for leaf in leaves(roots):
        needed[leaf] = True
    node = len(needed)
    for args in reversed(graph.args):
        node -= 1
        if needed[node]:
            for arg in args[:1] if values and graph.ops[node] == "custom_rule" else args:
                needed[arg] = True
    return needed


def parameters(graph: Graph) -> set[int]:
    """The nodes of what the functions are given, which stay although nobody reads them."""
    found = {leaf for param in graph.params for leaf in leaves(param.tree)}
    return found | set(placed(graph, "param"))


def placed(graph: Graph, op: str) -> Iterator[int]:
    """The nodes of one operation, in order."""
    node = -1
    with suppress(ValueError):
        while True:
            node = graph.ops.index(op, node + 1)
            yield node


def reads(graph: Graph) -> list[int]:
    """How often each node is read by needed nodes and by the results: 0 where it is not needed."""
    count = [0] * len(graph)
    for leaf in leaves(graph.results):
        count[leaf] += 1
    node = len(count)
    for args in reversed(graph.args):
        node -= 1
        if count[node]:
            for arg in args:
                count[arg] += 1
    return count


def uses(graph: Graph, needed: Sequence[bool]) -> list[int]:
    """How often each node is read, by needed nodes and by the results."""
    count = [0] * len(graph)
    for args in compress(graph.args, needed):
        for arg in args:
            count[arg] += 1
    for leaf in leaves(graph.results):
        count[leaf] += 1
    return count


def readers(graph: Graph, needed: Sequence[bool]) -> list[list[int]]:
    """The needed nodes that read each node, in order."""
    found: list[list[int]] = [[] for _ in range(len(graph))]
    for node in compress(range(len(graph)), needed):
        for arg in dict.fromkeys(graph.args[node]):
            found[arg].append(node)
    return found


def shell(graph: Graph) -> Graph:
    """A graph with the signature of another, and no nodes yet."""
    return Graph(name=graph.name, doc=graph.doc, captured=graph.captured, text=graph.text,
                 least=graph.least)  # fmt: skip


def compacted(graph: Graph, needed: Sequence[bool]) -> Graph:
    """The graph without the nodes that are not needed, of which nobody that is needed reads."""
    kept = list(compress(range(len(graph)), needed))
    mapping = [-1] * len(graph)
    for new, node in enumerate(kept):
        mapping[node] = new
    result = shell(graph)
    for column in COLUMNS:
        setattr(result, column, list(compress(getattr(graph, column), needed)))
    result.args = [mapped(mapping, args) for args in result.args]
    return finish(graph, GraphBuilder(result, share=False), mapping)


def finish(graph: Graph, builder: GraphBuilder, mapping: Sequence[int]) -> Graph:
    """Carry results, parameters and lengths over to a rebuilt graph."""
    new = builder.graph
    new.results = map_tree(lambda n: mapping[n], graph.results)
    for param in graph.params:
        kept = map_tree(lambda n: mapping[n], param.tree)
        new.params.append(replace(param, tree=kept))
    new.lengths = {
        k: (mapping[n], axis) for k, (n, axis) in graph.lengths.items() if mapping[n] >= 0
    }
    builder.loc = None
    return new
