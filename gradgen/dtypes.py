"""What the dtypes of arrays depend on when a function runs: what was declared is not checked."""

from __future__ import annotations

from gradgen.graph import Graph, leaves
from gradgen.ops import OPS
from gradgen.ops.elementwise import division, real
from gradgen.ops.written import Call
from gradgen.types import Type

_PROMOTED = ("matmul", "outer", "einsum", "concatenate", "stack")
_LIKE_FIRST = (
    "index", "transpose", "reshape", "sum", "mean", "max", "min", "copy", "broadcast_to",
    "zeros_like", "ones_like", "full_like", "empty_like", "index_set", "index_add",
)  # fmt: skip
_FLOAT64 = 1
_UNKNOWN = -1


class Dtypes:
    """By node, as bits of an integer, the arguments of whose dtypes it has the promotion.

    Of an array of float32, where float64 was declared, and one of float64 NumPy makes float64; an
    update of the former in place would stay float32. One of integers, where floats were declared,
    cannot be updated with floats at all; so it is told of each node whether it holds floats anyway.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # The parameters that have a bit, from the second on.
        self.sources: list[int] = []
        self.bits = [0] * len(graph)
        self.floats = [False] * len(graph)
        # Whatever a node has of arguments, also where it is not known what NumPy makes of them.
        self.reach = [0] * len(graph)
        # tangents and seeds are converted to the dtypes that are declared
        self.converted = {n for p in graph.params if p.added for n in leaves(p.tree)}
        for node, t in enumerate(graph.types):
            if t.kind != "py" and t.dtype != "bool":
                self.bits[node] = self._found(node, t)
            self.reach[node] = self._reached(node)
            self.floats[node] = t.is_float and self._is_float(node)

    def _found(self, node: int, t: Type) -> int:
        op, attr, args = self.graph.ops[node], self.graph.attrs[node], self.graph.args[node]
        exact = _FLOAT64 if t.dtype == "float64" else _UNKNOWN
        if op == "param" and node not in self.converted:
            self.sources.append(node)
            return 1 << len(self.sources)
        if op not in OPS or isinstance(attr, Call) or op == "astype":
            return exact if op in ("param", "global", "astype") else _UNKNOWN
        if op in _LIKE_FIRST:
            return self.bits[args[0]] or exact
        if not OPS[op].elementwise and op not in _PROMOTED:
            return _UNKNOWN if args else exact
        found = 0
        for arg in args:
            if self.bits[arg] == _UNKNOWN:
                return _UNKNOWN
            found |= self.bits[arg]
        return found or exact

    def _reached(self, node: int) -> int:
        if isinstance(self.graph.attrs[node], Call):
            # what an opaque function gives has the dtype that it likes
            return _UNKNOWN
        found = max(self.bits[node], 0)
        for arg in self.graph.args[node]:
            found |= self.reach[arg]
        return found

    def _is_float(self, node: int) -> bool:
        """Whether a value that is declared to hold floats does so where integers are given."""
        op, attr, args = self.graph.ops[node], self.graph.attrs[node], self.graph.args[node]
        if op == "param" or isinstance(attr, Call):
            return node in self.converted
        if op not in OPS or op == "astype" or not args:
            return True
        if op == "mean" or OPS[op].infer in (real, division):
            return True
        if op in _LIKE_FIRST:
            return self.floats[args[0]]
        return (OPS[op].elementwise or op in _PROMOTED) and any(self.floats[a] for a in args)

    def fits(self, held: int, node: int) -> bool:
        """Whether a value has the dtype of an operand, whatever is given."""
        bits = self.bits[held]
        if bits == _UNKNOWN or not self.floats[held]:
            return False
        more = 0
        for arg in self.graph.args[node]:
            more |= self.bits[arg] & ~bits
        return bool(bits & _FLOAT64) or not more

    def needed(self, held: int, node: int) -> list[int] | None:
        """The parameters that must be of the dtypes declared for a value to have an operand's.

        None where that is not enough.
        """
        if self.fits(held, node):
            return []
        found = self.reach[held] | self.reach[node]
        if found == _UNKNOWN:
            return None
        return [n for at, n in enumerate(self.sources, 1) if found >> at & 1]
