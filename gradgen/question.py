"""What is asked of a graph, and derivatives as they are given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradgen.graph import Graph, GraphBuilder, Param, Tree, map_tree
from gradgen.ops import OPS
from gradgen.ops.shape import filled, full_of


@dataclass(frozen=True, slots=True)
class Question:
    """What to differentiate, and with respect to which parameters; `bare`: there is only one."""

    graph: Graph
    chosen: Sequence[Param]
    bare: bool
    value: Tree
    aux: Tree = None

    @property
    def trees(self) -> list[Tree]:
        """The nodes of the parameters."""
        return [p.tree for p in self.chosen]

    def told(self, derivatives: tuple[Tree, ...]) -> Tree:
        """The derivatives as they are given back: that of a bare parameter without a tuple."""
        return derivatives[0] if self.bare else derivatives


def as_result(b: GraphBuilder, found: int | None, like: int) -> int:
    """A tangent as it is given back: with the shape and dtype of its value."""
    graph = b.graph
    t = graph.types[like]
    found = b.const(0.0) if found is None else found
    have = graph.types[found]
    if t.kind == "array" and (have.shape != t.shape or have.kind != "array"):
        fill = {0.0: "zeros", 1.0: "ones"}.get(graph.values[found], "")
        return filled(b, fill, like) if fill else full_of(b, found, like)
    if t.kind == "scalar" and t.dtype != "float64" and have.kind == "py":
        return b.add("astype", found, attr=t.dtype)
    if t.kind == "py" and have.kind != "py" and have.dtype != "float64":
        return b.add("astype", found, attr="float64")
    return found


def owned(graph: Graph, names: Sequence[str | None], prefix: str) -> Graph:
    """The graph with a copy of every derivative that would share memory with an argument.

    `names` say what each one belongs to, leaf by leaf.
    """
    made: dict[int, int] = {}
    left = iter(names)

    def fresh(leaf: int) -> int:
        name = next(left)
        if leaf not in made:
            shared = _is_shared(graph, leaf)
            made[leaf] = GraphBuilder(graph).add("copy", leaf) if shared else leaf
            found = made[leaf]
            if graph.locs[found] is None and not (graph.hints[found] or "").startswith(prefix):
                # a definition may have called it otherwise
                graph.hints[found] = name and f"{prefix}{name}"
        return made[leaf]

    value, aux, derivatives = graph.results
    graph.results = (value, aux, map_tree(fresh, derivatives))
    return graph


def _is_shared(graph: Graph, node: int) -> bool:
    """Whether an array is an argument, a captured one, or a view of these; or read-only."""
    t = graph.types[node]
    if t.kind == "py" or (t.kind == "scalar" and graph.ops[node] == "index"):
        return False
    while graph.ops[node] in OPS and OPS[graph.ops[node]].view:
        if graph.ops[node] == "broadcast_to":
            return True
        if any(graph.types[a].kind == "array" for a in graph.args[node][1:]):
            return False
        node = graph.args[node][0]
    return graph.ops[node] in ("param", "global", "seed")
