"""Rebuilding a graph node by node, with others for some of them."""

from __future__ import annotations

from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.liveness import finish, reachable, shell, uses


class Rewriter:
    """Copies what the results of a graph need, but for what `rewritten` gives instead."""

    def __init__(self, graph: Graph) -> None:
        self.old = graph
        self.needed = reachable(graph, graph.results)
        self.uses = uses(graph, self.needed)
        self.results = set(leaves(graph.results))
        self.b = GraphBuilder(shell(graph))
        # The new nodes by the old ones, as far as they are there.
        self.map = [-1] * len(graph)
        # Which kinds of rewrites were made, and those of the node at hand.
        self.found: set[str] = set()
        self.kinds: set[str] = set()

    def rewritten(self, node: int) -> int | None:
        """What stands for a node: a new one of its type, or None for its copy."""
        raise NotImplementedError

    def run(self) -> Graph:
        """The graph with every rewrite that applies."""
        old, b = self.old, self.b
        for node in range(len(old)):
            if not self.needed[node] and old.ops[node] != "param":
                continue
            b.loc = old.locs[node]
            self.kinds = set()
            new = self.rewritten(node)
            if new is None or b.type_of(new) != old.types[node]:
                new = b.copy_node(old, node, self.map)
            else:
                self.found |= self.kinds
                b.label(new, old.names[node], old.hints[node])
            self.map[node] = new
        return finish(old, b, self.map)
