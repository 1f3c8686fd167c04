"""Products and matrices of the steps of a loop as rows of one array, for the fast style.

    X[0] @ W, X[1] @ W, ...             the items of one product of all rows of X
    np.concatenate((X[0], X[1], ...))   X.reshape(...)

Matrices that are filled part by part, and put together then, are rows of one array from the
beginning. So the adjoints of the weights of a network that is unrolled over time are computed.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.graph import Graph
from gradgen.passes import eliminate_dead
from gradgen.rewriter import Rewriter
from gradgen.types import Dim, Size

_UPDATES = ("index_set", "index_add")
# Fewer products are as soon computed one by one.
_FEWEST = 3
STACKED = "matrices of several steps are rows of one, and their products one"


def stacked(graph: Graph) -> tuple[Graph, list[str]]:
    """The graph with one array for several, and what the header says of it."""
    if "matmul" not in graph.ops and "concatenate" not in graph.ops:
        return graph, []
    stacker = _Stacker(graph)
    if not stacker.joined and not stacker.items:
        return graph, []
    return eliminate_dead(stacker.run()), [STACKED]


class _Stacker(Rewriter):
    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        # What puts together all items of an array, or matrices that become rows of one: its parts.
        self.joined: dict[int, tuple[int, ...]] = {}
        # Of products of the items of an array: the array and the number of the item.
        self.items: dict[int, tuple[int, int]] = {}
        self._find_items()
        # By the array and the other matrix: the product.
        self.whole: dict[tuple[int, int], int] = {}
        # Of arrays that are filled: the matrices that they are put together with, and which of
        # them they become; and by these matrices, the one array.
        self.places: dict[int, tuple[tuple[int, ...], int]] = {}
        self.homes: dict[tuple[int, ...], int] = {}
        self._find_joined()

    def rewritten(self, node: int) -> int | None:
        """What is a part of one array, or puts the parts together."""
        if node in self.joined:
            return self._joined(self.joined[node])
        if node in self.items:
            return self._item(node)
        return self._rows(node) if node in self.places else None

    # -- items of arrays ---------------------------------------------------------------------------

    def _find_items(self) -> None:
        """Products of all items of an array with the same matrix."""
        old = self.old
        found: dict[tuple[int, int], dict[int, int]] = {}
        for node, op in enumerate(old.ops):
            if op != "matmul" or not self.needed[node] or old.attrs[node] not in (None, "dot"):
                continue
            left, right = old.args[node]
            item = self._item_of(left)
            if item is not None and old.types[right].rank == 2 and node not in self.results:
                found.setdefault((item[0], right), {})[node] = item[1]
        for (array, _), numbers in found.items():
            every = set(range(len(numbers))) == set(numbers.values())
            whole = every and len(numbers) == old.types[array].shape[0]
            if whole and len(numbers) >= _FEWEST:
                self.items |= {node: (array, k) for node, k in numbers.items()}

    def _item_of(self, node: int) -> tuple[int, int] | None:
        """The array of three axes of which a matrix is an item, and its number."""
        old = self.old
        if old.ops[node] != "index" or len(old.args[node]) > 1 or len(old.attrs[node]) > 1:
            return None
        (array,), (item,) = old.args[node], old.attrs[node]
        known = item[0] == "i" and item[1] >= 0 and old.types[array].rank == 3
        return (array, item[1]) if known and self._are_told(old.types[array].shape) else None

    def _flat(self, array: int) -> int:
        """The rows of all items of an array as one matrix."""
        count, rows, columns = self.old.types[array].shape
        sizes = self._size(count * rows), self._size(columns)
        return self.b.add("reshape", self.map[array], *sizes, attr="C")

    def _item(self, node: int) -> int:
        """A product with one item, as an item of the product with all."""
        old, b = self.old, self.b
        array, number = self.items[node]
        right = old.args[node][1]
        if (array, right) not in self.whole:
            product = b.add("matmul", self._flat(array), self.map[right], attr="dot")
            count, *rest = old.types[array].shape[0], *old.types[node].shape
            sizes = [self._size(n) for n in (count, *rest)]
            self.whole[array, right] = b.add("reshape", product, *sizes, attr="C")
        return b.add("index", self.whole[array, right], attr=(("i", number),))

    # -- matrices that are put together ------------------------------------------------------------

    def _find_joined(self) -> None:
        """Where all items of an array are put together, or matrices that were each filled."""
        old = self.old
        for node, op in enumerate(old.ops):
            if op != "concatenate" or old.attrs[node] != 0 or not self.needed[node]:
                continue
            parts = old.args[node]
            if any(old.types[p].rank != 2 for p in parts):
                continue
            if self._are_items(parts) or self._are_filled(parts, old.locs[node] is None):
                self.joined[node] = parts

    def _joined(self, parts: tuple[int, ...]) -> int:
        """Matrices one below the other."""
        if parts in self.homes:
            return self.b.add("joined_parts", self.homes[parts], *(self.map[p] for p in parts))
        return self._flat(self.old.args[parts[0]][0])

    def _are_items(self, parts: Sequence[int]) -> bool:
        """Whether matrices are all items of an array, in their order."""
        items = [self._item_of(p) for p in parts]
        array = items[0][0] if items[0] is not None else -1
        every = [(array, k) for k in range(len(parts))]
        return items == every and len(parts) == self.old.types[array].shape[0]

    def _are_filled(self, parts: tuple[int, ...], derived: bool) -> bool:
        """Whether each matrix was filled into an array of its own, which becomes rows of one."""
        types = self.old.types
        arrays = [self._filled(p, derived) for p in parts]
        alike = len({(types[p].shape, types[p].dtype) for p in parts}) == 1
        if -1 in arrays or not alike or not self.places.keys().isdisjoint(arrays):
            return False
        if len(set(arrays)) < len(parts) or not self._are_told(types[parts[0]].shape):
            return False
        self.places |= {array: (parts, k) for k, array in enumerate(arrays)}
        return True

    def _filled(self, node: int, derived: bool) -> int:
        """The empty array into which all of a matrix was stored, read by nobody else; or -1.

        It is `derived` as what it is put together for: the two functions of a pair share no array.
        """
        old = self.old
        if node in self.results or old.ops[node] not in _UPDATES:
            return -1
        while old.ops[node] in _UPDATES and (old.locs[node] is None) == derived:
            node = old.args[node][0]
            if self.uses[node] > 1:
                return -1
        made = old.ops[node] in ("empty", "zeros") and (old.locs[node] is None) == derived
        return node if made else -1

    def _rows(self, node: int) -> int:
        """The rows of the one array that a matrix is."""
        old, b = self.old, self.b
        parts, number = self.places[node]
        t = old.types[node]
        rows, columns = t.shape
        if parts not in self.homes:
            sizes = self._size(len(parts) * rows), self._size(columns)
            self.homes[parts] = b.add(old.ops[node], *sizes, attr=old.attrs[node])
            name = old.names[parts[0]] or old.hints[parts[0]]
            b.label(self.homes[parts], None, f"{name}s" if name else None)
        start = [self._size(number * rows)] if number else []
        stop = self._size((number + 1) * rows)
        return b.add("part_rows", self.homes[parts], *start, stop, attr=t)

    # -- lengths -----------------------------------------------------------------------------------

    def _are_told(self, sizes: Sequence[Size]) -> bool:
        """Whether the arguments tell lengths."""
        old = self.old
        atoms = [a for size in sizes if isinstance(size, Dim) for a in size.atoms]
        known = [old.lengths.get(atom, (0, None)) for atom in atoms]
        return all(axis is not None and old.ops[node] == "param" for node, axis in known)

    def _size(self, size: Size) -> int:
        """The node of a length that the arguments tell."""
        for atom in size.atoms if isinstance(size, Dim) else ():
            node, axis = self.old.lengths[atom]
            self.b.graph.lengths[atom] = (self.map[node], axis)
        return self.b.size(size)


__all__ = ["stacked"]
