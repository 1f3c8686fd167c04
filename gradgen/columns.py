"""Forward mode in all directions of a vector at once: matrices that grow from its diagonal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradgen.derive import Reverse
from gradgen.errors import Location, Refusal
from gradgen.forward import Forward
from gradgen.graph import GraphBuilder
from gradgen.ops import OPS
from gradgen.ops.indexing import WHOLE, may_repeat
from gradgen.ops.shape import full_shape
from gradgen.ops.written import Call
from gradgen.sweep import name_of
from gradgen.types import Shape, Type


class NoColumns(Exception):
    """An operation whose derivative in all directions at once is not known here."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The derivative of a number or a vector by a vector of `n` items, as rows that are scaled.

    `scale` is a number or a vector like the value; `rows` the node of a matrix, or of one row for a
    number or for all rows alike; None: the identity.
    """

    scale: int
    rows: int | None = None


class Columns(Forward):
    """The derivatives of numbers and vectors by one vector, each as one matrix.

    Raises `NoColumns` where an operation, or a value with more axes, needs another way, and
    `SourceError` where it has no derivative.
    """

    def __init__(self, b: GraphBuilder, source: int, loc: Location | None = None) -> None:
        super().__init__(b, {source: b.const(1.0)}, loc)
        self.like = b.graph.types[source]
        self.length = self.like.shape[0]
        self.spreads: dict[int, Spread | None] = {source: Spread(b.const(1.0))}
        self.transposer = Reverse(b, ())

    def matrices(self, values: Sequence[int]) -> list[int | None]:
        """The nodes of the derivatives of values, over their whole shapes; None for zeros."""
        for node in reversed(self._needed(values)):
            if node not in self.spreads:
                self.loc = self.graph.locs[node] or self.loc
                try:
                    self.spreads[node] = self._spread(node)
                except Refusal:
                    raise NoColumns from None
                self._look_at_nodes()
                self._call(node)
        return [self._whole_of(value) for value in values]

    def _call(self, node: int) -> None:
        """Name a derivative after its value."""
        spread, name = self.spreads[node], name_of(self.graph, node)
        if spread is not None and spread.rows is not None and name is not None:
            at = spread.rows if self.graph.values[spread.scale] == 1.0 else spread.scale
            if self.graph.locs[at] is None and self.graph.values[at] is None:
                self.b.label(at, None, self.naming(name))

    # -- one node ----------------------------------------------------------------------------------

    def _spread(self, node: int) -> Spread | None:
        graph = self.graph
        op, args, row = graph.ops[node], graph.args[node], OPS[graph.ops[node]]
        if not isinstance(graph.types[node], Type) or graph.types[node].rank > 1 or op == "item":
            raise NoColumns
        if row.defined:
            return self.spreads.get(self.defined[node][0])
        if all(self.spreads.get(a) is None for a in args) or row.linear == "constant":
            return None
        if row.jvp is not None:
            raise NoColumns
        handler = _HANDLERS.get(op)
        if handler is not None:
            return handler(self, node)
        if row.d is not None:
            return self._entrywise(node)
        if not graph.types[node].shape and (row.vjp is not None or row.adjoint):
            return self._reduced(node)
        raise NoColumns

    def _entrywise(self, node: int) -> Spread | None:
        """An elementwise operation: its partial derivatives scale rows."""
        live, parts = self._live(node), []
        for arg, rule in zip(self.graph.args[node], self._rules(node), strict=True):
            spread = self.spreads.get(arg)
            if rule is not None and spread is not None:
                one = self._widened(node, self.b.const(1.0))
                partial = self._term(node, rule, one, live)
                parts.append(self._scaled(partial, spread, arg, self.graph.types[node].shape))
        return self._added(parts)

    def _scaled(self, partial: int, spread: Spread, arg: int, shape: Shape) -> Spread:
        """The derivative of an argument, each row times an item of the partial derivative."""
        have = self.graph.types[arg].shape
        if have and have != shape:
            raise NoColumns
        if self.graph.types[partial].shape:
            partial = full_shape(self.b, partial, shape)
        return Spread(self._times(partial, spread.scale), spread.rows)

    def _times(self, one: int, other: int) -> int:
        """A product, without a factor of one."""
        if self.graph.values[one] == 1.0:
            return other
        return one if self.graph.values[other] == 1.0 else self.b.add("mul", one, other)

    def _added(self, parts: Sequence[Spread]) -> Spread | None:
        """The sum of derivatives; of those with the same rows the sum of the scales."""
        scales: dict[int | None, int] = {}
        for part in parts:
            held = scales.get(part.rows)
            total = part.scale if held is None else self.b.add("add", held, part.scale)
            scales[part.rows] = total
        found = [Spread(scale, rows) for rows, scale in scales.items()]
        if len(found) < 2:
            return found[0] if found else None
        square = any(s.rows is None or self.graph.types[s.rows].rank > 1 for s in found)
        nodes = [self._beside(s) if square else self._matrix(s) for s in found]
        total = nodes[0]
        for node in nodes[1:]:
            total = self.b.add("add", total, node)
        return self._as_rows(total)

    def _beside(self, spread: Spread) -> int:
        """A derivative beside a matrix, where a row of equal numbers is one of them."""
        scale, rows = spread.scale, spread.rows
        if rows is None or self.graph.ops[rows] != "full" or self.graph.types[scale].shape:
            return self._matrix(spread)
        return self._times(scale, self.graph.args[rows][0])

    def _as_rows(self, matrix: int) -> Spread:
        return Spread(self.b.const(1.0), matrix)

    def _reduced(self, node: int) -> Spread | None:
        """A number made of vectors: its gradient by each, times the derivative of that."""
        self.seeds.clear()
        graph = self.graph
        self.tangents.update({a: a for a in graph.args[node] if self.spreads.get(a) is not None})
        parts = []
        for arg, part in zip(graph.args[node], self._vjp(node, [self.b.const(1.0)]), strict=True):
            spread = self.spreads.get(arg)
            if part is not None and spread is not None:
                parts.append(self._product(part, spread, arg))
        return self._added(parts)

    def _product(self, row: int, spread: Spread, arg: int) -> Spread:
        """A row, or the rows of a matrix, times the derivative of a vector or a number."""
        b, types = self.b, self.graph.types
        scale, rows, number = spread.scale, spread.rows, not types[row].shape
        if not types[arg].shape:
            return Spread(self._times(row, scale), rows)
        if rows is None:
            row = self._times(row, scale)
            return self._as_rows(row if types[row].shape else self._filled(row))
        if types[rows].rank == 1:
            if not types[scale].shape:
                scale = full_shape(b, scale, types[arg].shape)
            if number:
                return Spread(self._times(row, b.add("sum", scale, attr=(None, False, None))), rows)
            return Spread(b.add("matmul", row, scale), rows)
        if not number:
            if types[row].rank == 1:
                return self._as_rows(b.add("matmul", self._times(row, scale), rows))
            return self._as_rows(b.add("matmul", row, self._matrix(spread)))
        if types[scale].shape:
            return Spread(row, b.add("matmul", scale, rows))
        return Spread(self._times(row, scale), b.add("sum", rows, attr=((0,), False, None)))

    # -- matrices ----------------------------------------------------------------------------------

    def _filled(self, number: int) -> int:
        """A row of equal numbers."""
        b, length = self.b, self.b.size(self.length)
        dtype = None if self.like.dtype == "float64" else self.like.dtype
        if self.graph.values[number] == 1.0:
            return b.add("ones", length, attr=dtype)
        return b.add("full", number, length, attr=dtype)

    def _matrix(self, spread: Spread) -> int:
        """A derivative as a matrix, or the row that all its rows are."""
        b, scale, rows = self.b, spread.scale, spread.rows
        if rows is not None:
            if not self.graph.types[scale].shape:
                return self._times(scale, rows)
            if self.graph.types[rows].rank == 1:
                return b.add("outer", scale, rows)
            return b.add("mul", b.add("index", scale, attr=(WHOLE, "n")), rows)
        square, dtype = (self.length, self.length), self.graph.types[scale].dtype
        if self.graph.types[scale].shape:
            return b.add("diag", scale, attr=Call(("a",), (), Type("array", dtype, square)))
        double = Type("array", "float64", square)
        one = b.add("eye", b.size(self.length), attr=Call(("a",), (), double))
        if self.like.dtype != "float64":
            one = b.add("astype", one, attr=self.like.dtype)
        return self._times(scale, one)

    def _full(self, spread: Spread, shape: Shape) -> int:
        return full_shape(self.b, self._matrix(spread), (*shape, self.length))

    def _whole_of(self, value: int) -> int | None:
        spread = self.spreads.get(value)
        if spread is None:
            return None
        return self._cast(self._full(spread, self.graph.types[value].shape), value)

    def _zeros(self, shape: Shape) -> int:
        dtype = None if self.like.dtype == "float64" else self.like.dtype
        sizes = [self.b.size(n) for n in (*shape, self.length)]
        return self.b.add("zeros", *sizes, attr=dtype)

    def _rows_of(self, arg: int) -> int:
        """The derivative of an argument over its whole shape, zeros included."""
        spread, shape = self.spreads.get(arg), self.graph.types[arg].shape
        return self._zeros(shape) if spread is None else self._full(spread, shape)

    # -- operations with a way of their own --------------------------------------------------------

    def _where(self, node: int) -> Spread | None:
        graph, b = self.graph, self.b
        condition, *branches = graph.args[node]
        shape, spreads = graph.types[node].shape, [self.spreads.get(a) for a in branches]
        same = all(graph.types[a].shape in ((), shape) for a in (condition, *branches))
        if not same:
            raise NoColumns
        zero = b.const(0.0)
        if all(s is None or s.rows is None for s in spreads):
            scales = [zero if s is None else s.scale for s in spreads]
            return Spread(b.add("where", condition, *scales))
        parts = [zero if s is None else self._matrix(s) for s in spreads]
        if graph.types[condition].shape:
            condition = b.add("index", condition, attr=(WHOLE, "n"))
        return self._as_rows(b.add("where", condition, *parts))

    def _matmul(self, node: int) -> Spread | None:
        graph, b = self.graph, self.b
        if not graph.types[node].shape:
            return self._reduced(node)
        safe = graph.args[self._harmless(node, self._lives_of_arguments(node))]
        left, right = graph.args[node]
        if self.spreads.get(left) is not None and self.spreads.get(right) is not None:
            raise NoColumns
        if self.spreads.get(right) is not None:
            matrix, arg = safe[0], right
        else:
            matrix, arg = b.add("transpose", safe[1]), left
        spread = self.spreads[arg]
        if graph.types[arg].rank != 1 or spread is None:
            raise NoColumns
        return self._product(matrix, spread, arg)

    def _index(self, node: int) -> Spread | None:
        graph = self.graph
        source, *operands = graph.args[node]
        place = graph.attrs[node]
        if len(place) != 1 or place[0] in ("n", "e"):
            raise NoColumns
        rows = self.b.add("index", self._rows_of(source), *operands, attr=place)
        return self._as_rows(rows)

    def _stored(self, node: int) -> Spread | None:
        graph, b = self.graph, self.b
        op, (buffer, new, *operands) = graph.ops[node], graph.args[node]
        place = graph.attrs[node]
        if len(place) != 1 or place[0] in ("n", "e"):
            raise NoColumns
        held, put = self.spreads.get(buffer), self.spreads.get(new)
        if put is None and op == "index_add":
            return held
        if held is None and not may_repeat(b, operands):
            op = "index_set"
        value = b.const(0.0) if put is None else self._matrix(put)
        return self._as_rows(b.add(op, self._rows_of(buffer), value, *operands, attr=place))

    def _same(self, node: int) -> Spread | None:
        """A copy, or a number that became a vector."""
        graph = self.graph
        (arg, *_) = graph.args[node]
        given = graph.types[arg].shape
        if graph.ops[node] == "full_like":
            arg = graph.args[node][1]
            given = graph.types[arg].shape
        if given and given != graph.types[node].shape:
            raise NoColumns
        return self.spreads.get(arg)

    def _joined(self, node: int) -> Spread | None:
        graph = self.graph
        op, args = graph.ops[node], graph.args[node]
        rows = [self._rows_of(a) for a in args]
        op = "concatenate" if op == "concatenate" else "stack"
        return self._as_rows(self.b.add(op, *rows, attr=0))

    def _cumsum(self, node: int) -> Spread | None:
        (arg,) = self.graph.args[node]
        return self._as_rows(self.b.add("cumsum", self._rows_of(arg), attr=(0, None)))


_HANDLERS: dict[str, Callable[[Columns, int], Spread | None]] = {
    "where": Columns._where,
    "matmul": Columns._matmul,
    "index": Columns._index,
    "index_add": Columns._stored,
    "index_set": Columns._stored,
    "copy": Columns._same,
    "broadcast_to": Columns._same,
    "full_like": Columns._same,
    "full": Columns._same,
    "concatenate": Columns._joined,
    "stack": Columns._joined,
    "array": Columns._joined,
    "cumsum": Columns._cumsum,
}
