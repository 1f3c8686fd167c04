"""Several products of matrices as one, for the fast style: BLAS computes one large one sooner.

    A0.T @ B0 + A1.T @ B1 + ...    np.concatenate((A0, A1, ...)).T @ np.concatenate((B0, B1, ...))
    B0.sum(axis=0) + ...           the sum of all these rows
    X[0] @ W, X[1] @ W, ...        the items of one product of all rows of X

So the adjoints of the weights of a network that is unrolled over time are computed. Matrices that
are filled part by part, and put together then, are rows of one array from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.liveness import finish, reachable, shell, uses
from gradgen.passes import eliminate_dead
from gradgen.types import Dim, Size

_FLOATS = ("float64", "float32")
_UPDATES = ("index_set", "index_add")
# Fewer products are as soon computed one by one.
_FEWEST = 3
BATCHES = "several products of matrices are one, of all their rows"


def batched(graph: Graph) -> tuple[Graph, list[str]]:
    """The graph with one product for several, and what the header says of it."""
    if "matmul" not in graph.ops:
        return graph, []
    batcher = _Batcher(graph)
    if not batcher.batches and not batcher.items:
        return graph, []
    return eliminate_dead(batcher.run()), [BATCHES]


class _Batcher:
    def __init__(self, graph: Graph) -> None:
        self.old = graph
        self.needed = reachable(graph, graph.results)
        self.uses = uses(graph, self.needed)
        self.results = set(leaves(graph.results))
        self.b = GraphBuilder(shell(graph))
        self.map = [-1] * len(graph)
        # By the last addition of a sum: its products, in order, and its other terms.
        self.batches: dict[int, tuple[list[int], list[int]]] = {}
        self._find_batches()
        # Of products of the items of an array: the array and the number of the item.
        self.items: dict[int, tuple[int, int]] = {}
        self._find_items()
        # By the array and the other matrix: the product.
        self.whole: dict[tuple[int, int], int] = {}
        # Of arrays that are filled: the matrices that they are put together with, and which of
        # them they become; and by these matrices, the one array.
        self.places: dict[int, tuple[tuple[int, ...], int]] = {}
        self.homes: dict[tuple[int, ...], int] = {}
        self._find_homes()

    def run(self) -> Graph:
        """The graph with every batch as one product."""
        old, b = self.old, self.b
        for node in range(len(old)):
            if not self.needed[node] and old.ops[node] != "param":
                continue
            b.loc = old.locs[node]
            if node in self.batches:
                new = self._batch(*self.batches[node])
            elif node in self.items:
                new = self._item(node)
            elif node in self.places:
                new = self._rows(node)
            else:
                self.map[node] = b.copy_node(old, node, self.map)
                continue
            b.label(new, old.names[node], old.hints[node])
            self.map[node] = new
        return finish(old, b, self.map)

    # -- sums of products --------------------------------------------------------------------------

    def _find_batches(self) -> None:
        """Sums of several products, or of sums over rows of the same matrices."""
        old = self.old
        inside: set[int] = set()
        found: dict[int, list[int]] = {}
        for node in range(len(old) - 1, -1, -1):
            if not self.needed[node] or old.ops[node] != "add" or not old.types[node].shape:
                continue
            inside.update(a for a in old.args[node] if self._is_inside(a, node))
            if node not in inside:
                found[node] = list(self._terms(node))
        together: set[tuple[int, ...]] = set()
        for op in ("matmul", "sum"):
            for node, terms in found.items():
                chosen = [t for t in terms if old.ops[t] == op and self._parts(t)]
                # an adjoint of what came sooner is computed later
                chosen.sort(key=lambda t: -self._parts(t)[-1])
                rows = tuple(self._parts(t)[-1] for t in chosen)
                if len(chosen) < _FEWEST or node in self.batches:
                    continue
                if op == "matmul":
                    together.add(rows)
                elif rows not in together:
                    continue
                held = set(chosen)
                self.batches[node] = chosen, [t for t in terms if t not in held]

    def _is_inside(self, node: int, total: int) -> bool:
        """Whether a sum is only read by the one that it is a part of."""
        old = self.old
        alike = old.ops[node] == "add" and old.types[node] == old.types[total]
        return alike and self.uses[node] == 1

    def _terms(self, root: int) -> Iterator[int]:
        """The terms of a sum."""
        stack = [root]
        while stack:
            node = stack.pop()
            if node == root or self._is_inside(node, root):
                stack += reversed(self.old.args[node])
            else:
                yield node

    def _parts(self, node: int) -> tuple[int, ...]:
        """The matrices over whose rows a term is a sum: two of a product, or one; else none."""
        old = self.old
        args, attr = old.args[node], old.attrs[node]
        t = old.types[node]
        if self.uses[node] > 1 or t.dtype not in _FLOATS:
            return ()
        if any(old.types[a].rank != 2 or old.types[a].dtype != t.dtype for a in args):
            return ()
        if old.ops[node] == "sum":
            return args if attr == ((0,), False, None) else ()
        turned = old.ops[args[0]] == "transpose" and old.attrs[args[0]] in (None, (1, 0))
        if old.ops[node] != "matmul" or attr not in (None, "dot") or not turned:
            return ()
        return old.args[args[0]][0], args[1]

    def _batch(self, terms: Sequence[int], others: Sequence[int]) -> int:
        """A sum of products as one product, of all rows."""
        b = self.b
        columns = zip(*(self._parts(t) for t in terms), strict=True)
        first, *second = [self._joined(column) for column in columns]
        if second:
            total = b.add("matmul", b.add("transpose", first), second[0], attr="dot")
        else:
            total = b.add("sum", first, attr=((0,), False, None))
        for term in others:
            total = b.add("add", total, self.map[term])
        return total

    def _joined(self, parts: tuple[int, ...]) -> int:
        """Matrices one below the other; the items of an array of three axes are its rows."""
        old, b = self.old, self.b
        if parts in self.homes:
            return b.add("joined_parts", self.homes[parts], *(self.map[p] for p in parts))
        items = [self._item_of(p) for p in parts]
        array = items[0][0] if items[0] is not None else -1
        every = [(array, k) for k in range(len(parts))]
        if items == every and len(parts) == old.types[array].shape[0]:
            return self._flat(array)
        return b.add("concatenate", *(self.map[p] for p in parts), attr=0)

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

    # -- matrices that are rows of one -------------------------------------------------------------

    def _find_homes(self) -> None:
        """Matrices that are put together, of which each was filled into an array of its own."""
        old = self.old
        for root, (terms, _) in self.batches.items():
            for parts in zip(*(self._parts(t) for t in terms), strict=True):
                arrays = [self._filled(p, old.locs[root] is None) for p in parts]
                alike = len({(old.types[p].shape, old.types[p].dtype) for p in parts}) == 1
                if -1 in arrays or not alike or not self.places.keys().isdisjoint(arrays):
                    continue
                if len(set(arrays)) == len(parts) and self._are_told(old.types[parts[0]].shape):
                    self.places |= {array: (parts, k) for k, array in enumerate(arrays)}

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


__all__ = ["batched"]
