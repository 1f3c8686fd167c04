"""Sums as products of matrices, for the fast style: BLAS adds up sooner than NumPy does.

They are made in a graph that is otherwise done, loops over blocks included:

    x.sum(axis=0), x.sum(axis=1)   np.ones(n) @ x, x @ np.ones(n)
    x * v + x @ M                  x @ P, where P is M with v added to its diagonal
    np.einsum("ij,ij->j", x, y)    the diagonal of x.T @ y, where that is there
    -(v * x)                       -v * x, where v is broadcast
    x @ W.T                        (W @ x.T).T, one column for each row of x

The last one is for what is computed elementwise of such products only: in that order of the memory
BLAS multiplies float64 sooner, and a maximum or a sum along the rows is taken of whole columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.graph import Graph
from gradgen.ops import OPS
from gradgen.ops.blocks import loops
from gradgen.ops.indexing import WHOLE
from gradgen.ops.written import Call
from gradgen.passes import eliminate_dead
from gradgen.rewriter import Rewriter
from gradgen.types import Size, Type

_FLOATS = ("float64", "float32")
# NumPy adds up as few items as soon.
_FEW_ITEMS = 16
_REDUCTIONS = ("sum", "mean", "max", "min", "any", "all")
_UPDATES = ("index_set", "index_add")
# What reads a matrix whatever the order of its memory is; parts that are matrices have it too.
_NEUTRAL = (*_REDUCTIONS, "matmul", "transpose", "axis_size", "item_count")
KINDS = {
    "diagonal": "products with what lies along a row are those with a diagonal of a matrix",
    "turned": "x.dot(W.T) is W.dot(x.T).T",
    "ones": "sums along an axis are products with ones",
}


def as_products(graph: Graph) -> tuple[Graph, list[str]]:
    """The graph with sums as products, and what kinds of them there are."""
    if not {"matmul", "einsum", "sum"}.intersection(graph.ops):
        return graph, []
    maker = _Maker(graph)
    new = maker.run()
    return eliminate_dead(new), [text for kind, text in KINDS.items() if kind in maker.found]


class _Maker(Rewriter):
    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        # The loop in which the node at hand is.
        self.inside = -1
        # Ones by their dtype, what counts them, and the loop in which they are.
        self.ones: dict[tuple[str, int, int], int] = {}
        _, self.loop = loops(graph, [n for n, need in enumerate(self.needed) if need])
        self.turned = _turned(graph, self.needed, self.results)
        # Products of stacks of transposed matrices, by their operands.
        self.squares = {
            (graph.args[args[0]][0], args[1]): node
            for node, args in enumerate(graph.args)
            if graph.ops[node] == "matmul"
            and graph.ops[args[0]] == "transpose"
            and graph.attrs[args[0]] == _swap(graph.types[args[0]].rank)
            and self.needed[node]
        }

    def rewritten(self, node: int) -> int | None:
        """A product for a sum, or one in another order, where that is sooner."""
        self.inside = self.loop.get(node, -1)
        if node in self.turned:
            self.kinds.add("turned")
            left, right = self.old.args[node]
            product = self.b.add(
                "matmul", self._transpose(right), self._transpose(left), attr=self.old.attrs[node]
            )
            return self.b.add("transpose", product)
        op = self.old.ops[node]
        if self.inside >= 0 and op != "sum":
            return None  # what a loop computes first may be shared, and not be there without rows
        rule = _RULES.get(op)
        return None if rule is None else rule(self, node)

    def _transpose(self, node: int) -> int:
        old = self.old
        if _is_transpose(old, node):
            return self.map[old.args[node][0]]
        return self.b.add("transpose", self.map[node])

    # -- diagonals ---------------------------------------------------------------------------------

    def _scaled(self, node: int) -> int | None:
        """A matrix times another, and the first with each column times a number, added."""
        old, b = self.old, self.b
        for product, scaled in (old.args[node], old.args[node][::-1]):
            if old.ops[product] != "matmul" or old.ops[scaled] != "mul":
                continue
            x, matrix = old.args[product]
            t = old.types[matrix]
            others = [a for a in old.args[scaled] if a != x]
            if len(others) != 1 or t.rank < 2 or t.shape[-1] != t.shape[-2] or any(
                self.uses[a] > 1 or old.types[a] != old.types[node] for a in (product, scaled)
            ):  # fmt: skip
                continue
            row = self._row(others[0])
            if row is None or old.types[row] != Type("array", t.dtype, t.shape[:-1]):
                continue
            self.kinds.add("diagonal")
            place = b.add("arange", self._size(t.shape[-1], self.map[matrix], t.rank - 1))
            template = (*[WHOLE] * (t.rank - 2), "a", "a")
            whole = b.add("index_add", self.map[matrix], self.map[row], place, place, attr=template)
            return b.add("matmul", self.map[x], whole, attr=old.attrs[product])
        return None

    def _row(self, node: int) -> int | None:
        """What is the same for all rows of matrices, without the axis of the rows."""
        old = self.old
        if old.types[node].rank == 1:
            return node
        stacked = old.ops[node] == "index" and old.attrs[node] in (
            (WHOLE, "n", WHOLE), (WHOLE, "n")
        )  # fmt: skip
        (x, *_) = old.args[node] or (node,)
        return x if stacked and old.types[x].rank == 2 else None

    def _diagonal(self, node: int) -> int | None:
        """Sums of products along columns, where the product of the matrices has them."""
        old, b = self.old, self.b
        if old.attrs[node] not in (("ij,ij->j", None), ("ijk,ijk->ik", None)):
            return None
        one, other = old.args[node]
        square = self.squares.get((one, other), self.squares.get((other, one), -1))
        if square < 0 or self.map[square] < 0:
            return None
        t = old.types[square]
        self.kinds.add("diagonal")
        place = b.add("arange", self._size(t.shape[-1], self.map[square], t.rank - 1))
        template = (*[WHOLE] * (t.rank - 2), "a", "a")
        return b.add("index", self.map[square], place, place, attr=template)

    def _negated(self, node: int) -> int | None:
        """Minus a product with what is broadcast: its sign is changed sooner."""
        old, b = self.old, self.b
        (product,) = old.args[node]
        if old.ops[product] != "mul" or self.uses[product] > 1 or not old.types[node].shape:
            return None
        for small, large in (old.args[product], old.args[product][::-1]):
            if old.types[large] == old.types[node] != old.types[small] and old.types[small].shape:
                return b.add("mul", b.add("neg", self.map[small]), self.map[large])
        return None

    # -- sums along an axis ------------------------------------------------------------------------

    def _sum(self, node: int) -> int | None:
        """The sum along one of the last two axes, as a product with ones."""
        old, b = self.old, self.b
        (x,) = old.args[node]
        axes, keepdims, cast = old.attrs[node]
        t = old.types[x]
        if axes is None or len(axes) != 1 or keepdims or cast is not None or t.rank < 2:
            return None
        (axis,) = axes
        if t.dtype not in _FLOATS or t.shape[axis] == 1 or axis < t.rank - 2:
            return None
        if all(isinstance(n, int) for n in t.shape) and _items(t) <= _FEW_ITEMS:
            return None
        self.kinds.add("ones")
        if axis == t.rank - 2:
            return self._ones_times(self.map[x], axis)
        return b.add("matmul", self.map[x], self._ones(self.map[x], axis), attr=_dot(t))

    def _ones_times(self, x: int, axis: int = 0) -> int:
        b = self.b
        return b.add("matmul", self._ones(x, axis), x, attr=_dot(b.type_of(x)))

    def _ones(self, x: int, axis: int) -> int:
        """As many ones as an array is long."""
        b = self.b
        t = b.type_of(x)
        length = self._size(t.shape[axis], x, axis)
        key = (t.dtype, length, self.inside)
        if key not in self.ones:
            attr = None if t.dtype == "float64" else t.dtype
            self.ones[key] = b.add("ones", length, attr=attr)
            b.label(self.ones[key], None, "ones")
        return self.ones[key]

    def _size(self, size: Size, x: int, axis: int) -> int:
        """The node of the length of an axis of an array."""
        simple = isinstance(size, int) or str(size) in self.old.lengths
        length = self._length(size) if simple or self.inside < 0 else None
        return self.b.add("axis_size", x, attr=axis) if length is None else length

    def _length(self, size: Size) -> int | None:
        """The node of a length, where the arguments tell it."""
        b = self.b
        for atom in getattr(size, "atoms", ()):
            node, axis = self.old.lengths.get(atom, (0, None))
            if axis is None or self.map[node] < 0 or self.old.ops[node] != "param":
                return None
            b.graph.lengths[atom] = (self.map[node], axis)
        return b.size(size)


_RULES: dict[str, Callable[[_Maker, int], int | None]] = {
    "sum": _Maker._sum,
    "add": _Maker._scaled,
    "einsum": _Maker._diagonal,
    "neg": _Maker._negated,
}


def _swap(rank: int) -> tuple[int, ...] | None:
    """The attribute of a transpose that swaps the last two axes."""
    return (*range(rank - 2), rank - 1, rank - 2) if rank > 2 else None


def _dot(t: Type) -> str | None:
    return "dot" if t.rank == 2 else None


def _items(t: Type) -> int:
    total = 1
    for n in t.shape:
        total *= n if isinstance(n, int) else 0
    return total


def _is_transpose(graph: Graph, node: int) -> bool:
    """Whether a node is the transpose of a matrix."""
    return (
        graph.ops[node] == "transpose" and graph.types[node].rank == 2
        and graph.attrs[node] in (None, (1, 0))
    )  # fmt: skip


# -- the order of memory ---------------------------------------------------------------------------


def _turned(graph: Graph, needed: Sequence[bool], results: set[int]) -> set[int]:
    """Products of matrices that are computed transposed, with all that is computed of them.

    Of matrices that meet elementwise, all or none are: they are joined to groups.
    """
    group = list(range(len(graph)))

    def find(node: int) -> int:
        while group[node] != node:
            group[node] = group[group[node]]
            node = group[node]
        return node

    for node, need in enumerate(needed):
        if need and _is_matrix(graph, node) and _is_done_by_item(graph, node):
            for arg in graph.args[node]:
                if graph.types[arg].shape == graph.types[node].shape:
                    group[find(arg)] = find(node)
    wanted: set[int] = set()
    fixed: set[int] = set()
    products: list[int] = []
    for node, need in enumerate(needed):
        if not need:
            continue
        op = graph.ops[node]
        if _is_matrix(graph, node) and not _is_done_by_item(graph, node):
            if _is_product(graph, node):
                products.append(node)
                if _is_transpose(graph, graph.args[node][1]) and (
                    graph.types[node].dtype == "float64"
                ):  # fmt: skip
                    wanted.add(find(node))
            else:
                fixed.add(find(node))
        if node in results:
            fixed.add(find(node))
        for arg in graph.args[node]:
            if not _is_matrix(graph, arg):
                continue
            if op in ("max", "min") and graph.attrs[node][0] == (1,):
                wanted.add(find(arg))
            inside = _is_matrix(graph, node) and _is_done_by_item(graph, node)
            picked = op == "index" and graph.types[node].rank < 2
            if not (op in _NEUTRAL or picked or (inside and find(arg) == find(node))):
                fixed.add(find(arg))
    return {node for node in products if find(node) in wanted - fixed}


def _is_matrix(graph: Graph, node: int) -> bool:
    t = graph.types[node]
    return t.kind == "array" and t.rank == 2 and t.is_float and 1 not in t.shape


def _is_done_by_item(graph: Graph, node: int) -> bool:
    """Whether an array has the order of its operands."""
    op, attr = graph.ops[node], graph.attrs[node]
    if isinstance(attr, Call) or op in ("param", "const", "global", "constant", "seed"):
        return False
    return op in _UPDATES or OPS[op].elementwise


def _is_product(graph: Graph, node: int) -> bool:
    return (
        graph.ops[node] == "matmul" and graph.attrs[node] in (None, "dot")
        and all(graph.types[a].rank == 2 for a in graph.args[node])
    )  # fmt: skip


__all__ = ["as_products"]
