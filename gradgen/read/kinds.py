"""Whether a value is sure to hold floats.

Python decides at run time what `max(w, 1)` is, and an argument may be given as 2 or as 2.0. NumPy
makes an array of integers from Python's integers alone, and a store into it cuts fractions off.
"""

from __future__ import annotations

from gradgen.graph import Graph
from gradgen.ops import OPS
from gradgen.ops.elementwise import division, real
from gradgen.types import Type

# What gives one of its operands as it is.
_SELECTIONS = ("py_max", "py_min")


class Kinds:
    """What is known of the nodes of a graph, each looked at once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # The parameters of which the arguments are known to be floats where they are typed so.
        self.sure: frozenset[str] = frozenset()
        self.known: dict[int, bool] = {}

    def surely_float(self, node: int) -> bool:
        """Whether a value that counts as floats holds floats whatever the arguments are."""
        stack = [node]
        while stack:
            at = stack[-1]
            if at in self.known:
                stack.pop()
                continue
            decided = self._alone(at)
            waiting = [a for a in self._deciding(at) if a not in self.known]
            if decided is None and waiting:
                stack += waiting
                continue
            if decided is None:
                held = [self.known[a] for a in self._deciding(at)]
                decided = all(held) if self.graph.ops[at] in _SELECTIONS else any(held)
            self.known[at] = decided
            stack.pop()
        return self.known[node]

    def _deciding(self, node: int) -> tuple[int, ...]:
        """The operands of which the kind of the result depends."""
        graph = self.graph
        args = graph.args[node]
        if graph.ops[node] in _SELECTIONS:
            return args
        if graph.ops[node] in ("index", "index_set", "index_add", "full_like", "item"):
            return args[:1]
        return tuple(a for a in args if graph.types[a].is_float)

    def _alone(self, node: int) -> bool | None:
        """What the operation itself tells; None where that depends on its operands."""
        graph = self.graph
        op, attr = graph.ops[node], graph.attrs[node]
        if not graph.types[node].is_float:
            return False
        if op == "param":
            return graph.types[node].kind != "py" or attr[0] in self.sure
        if op in ("const", "constant", "seed"):
            return True
        if op == "global" and not graph.args[node]:
            return True
        row = OPS.get(op)
        if row is None or not self._deciding(node) or row.infer in (real, division):
            return True
        if op == "array" and attr[1] is not None:
            return True
        named = op in ("full", "full_like", "astype", "zeros_like", "ones_like", "float")
        return True if named and (attr is not None or op == "float") else None


def is_uncertain(kinds: Kinds, node: int) -> bool:
    """Whether an array counts as one of floats and may turn out to be one of integers."""
    t: Type = kinds.graph.types[node]
    return t.is_float and not kinds.surely_float(node)
