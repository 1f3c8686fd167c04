"""What the dtypes of arrays depend on when a function runs: what was declared is not checked."""

from __future__ import annotations

from gradgen.graph import Graph, leaves
from gradgen.ops import OPS
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
    update of the former in place would stay float32.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.sources = [0]
        self.bits = [0] * len(graph)
        # tangents and seeds are converted to the dtypes that are declared
        self.converted = {n for p in graph.params if p.added for n in leaves(p.tree)}
        for node, t in enumerate(graph.types):
            if t.kind != "py" and t.dtype != "bool":
                self.bits[node] = self._found(node, t)

    def _found(self, node: int, t: Type) -> int:
        op, attr, args = self.graph.ops[node], self.graph.attrs[node], self.graph.args[node]
        exact = _FLOAT64 if t.dtype == "float64" else _UNKNOWN
        if op == "param" and node not in self.converted:
            self.sources.append(node)
            return 1 << len(self.sources) - 1
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

    def needed(self, held: int, node: int) -> list[int] | None:
        """The arguments that must be of one dtype for a value to have that of an operand.

        Empty where it has it anyway, and None where no arguments tell.
        """
        bits, types = self.bits[held], self.graph.types
        if bits == _UNKNOWN:
            return None
        more = 0
        for arg in self.graph.args[node]:
            more |= self.bits[arg] & ~bits
        if bits & _FLOAT64 or not more:
            return []
        if more < 0 or more & _FLOAT64:
            return None
        both = bits | more
        found = [n for at, n in enumerate(self.sources) if both >> at & 1]
        return found if len({types[n].dtype for n in found}) == 1 else None
