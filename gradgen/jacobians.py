"""Matrices of derivatives: of several values with respect to several numbers, all shared.

An array that is only read item by item is taken as so many numbers, and so is a value that is made
of numbers, as `np.array([u, v])`. Of numbers, the matrix is computed row by row in reverse mode,
column by column in forward mode, or by vertex elimination, whichever takes fewest operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from gradgen import derive, passes
from gradgen.columns import Columns, NoColumns
from gradgen.derive import Reverse
from gradgen.elimination import eliminated
from gradgen.errors import GradgenError, Location, SourceError
from gradgen.forward import Forward
from gradgen.graph import Graph, GraphBuilder, Tree, leaves, map_tree
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.question import Question, as_result, owned
from gradgen.types import Dim, Size, product


@dataclass(slots=True)
class Numbers:
    """A value or parameter: its node, and the nodes of its items if it is taken as numbers.

    An item is None where nothing reads it; `items` is None where the array stays whole.
    """

    node: int
    name: str
    shape: tuple[Any, ...]
    items: Sequence[int | None] | None

    @property
    def nodes(self) -> Sequence[int | None]:
        """The items, or the array as a whole."""
        return [self.node] if self.items is None else self.items

    def named(self, at: int) -> str:
        """What an item is called."""
        if self.items is None or not self.shape:
            return self.name
        place = []
        for length in reversed(self.shape):
            at, k = divmod(at, length)
            place.append(str(k))
        return "_".join([self.name, *reversed(place)])


# By the value and the parameter, and by the items of both; None: the derivative is 0.
Entries = dict[tuple[int, int], dict[tuple[int, int], int | None]]


def jacobian(asked: Question) -> Graph:
    """The graph of the matrix of derivatives, in the structure of the value and of the parameters.

    Raises `WholeArray` where neither all parameters nor all values are numbers, and `SourceError`
    where an active operation has no derivative.
    """
    values, inputs = _values(asked), _inputs(asked.graph, asked)
    columns = all(p.items is not None for p in inputs)
    rows = all(v.items is not None for v in values)
    candidates = []
    if columns and _stackable(values, inputs):
        candidates += _by_elimination(asked, values, inputs)
        candidates.append(_assembled(asked, values, inputs, _by_columns))
    if rows and _stackable(inputs, values):
        candidates.append(_assembled(asked, values, inputs, _by_rows))
    if not candidates and _stackable(values, inputs) and _flat(inputs):
        with suppress(NoColumns):
            found = _assembled(asked, values, inputs, _by_columns)
            candidates += [] if in_rows(asked) and _is_wide(found) else [found]
    if not candidates:
        _refuse_whole(asked, inputs, "Jacobian", "mode jvp for its columns, or vjp for its rows")
    return min(candidates, key=operations)


def _stackable(some: Sequence[Numbers], numbers: Sequence[Numbers]) -> bool:
    """Whether derivatives by numbers stand along one axis at most where there are whole arrays."""
    flat = all(len(source.shape) < 2 for source in numbers)
    return flat or all(source.items is not None for source in some)


def _is_wide(graph: Graph) -> bool:
    """Whether matrices with more rows than the value has items are made on the way to it."""
    (block, *_) = leaves(graph.results)
    rows = graph.types[block].shape[:1]
    return any(
        op in ("eye", "diag")
        or (op == "matmul" and t.rank == 2 and t.shape[:1] != rows)
        for op, t, need in zip(
            graph.ops, graph.types, reachable(graph, graph.results), strict=True
        ) if need
    )  # fmt: skip


def _flat(inputs: Sequence[Numbers]) -> bool:
    """Whether arrays that stay whole are vectors."""
    return all(p.items is not None or len(p.shape) == 1 for p in inputs)


def hessian(asked: Question) -> Graph:
    """The graph of the second derivatives, each pair of numbers or vectors once.

    Raises `WholeArray` where a parameter is an array that is not read item by item, and needs a
    loop, and `SourceError` where an active operation has no derivative.
    """
    graph = derive.copied(asked.graph)
    inputs = _inputs(graph, asked)
    if _flat(inputs) and _stackable(inputs, inputs):
        with suppress(NoColumns):
            return _hessian(graph, asked, inputs)
    _refuse_whole(asked, inputs, "Hessian", "mode hvp for its products with vectors")


def _hessian(graph: Graph, asked: Question, inputs: Sequence[Numbers]) -> Graph:
    b = GraphBuilder(graph)
    numbers = [
        (p, k, item) for p, source in enumerate(inputs)
        for k, item in enumerate(source.nodes) if item is not None
    ]  # fmt: skip
    read = [item for _, _, item in numbers]
    sweep = Reverse(b, read)
    sweep.pull([(asked.value, b.const(1.0))])
    graph.results = (None, asked.aux, ([sweep.gradient(item) for item in read], read))
    graph = passes.run(graph)
    candidates = _symmetric(asked, graph, numbers, inputs)
    _, aux, (gradient, read) = graph.results
    b = GraphBuilder(graph)
    blocks: Entries = {}
    for j, (q, l, _) in enumerate(numbers):
        # the others are those of the numbers before
        found = _along(b, inputs[q], l, read[j], gradient[: j + 1], asked.graph.locs[asked.value])
        for (p, k, _), entry in zip(numbers, found, strict=False):
            blocks.setdefault((p, q), {})[k, l] = entry
            if p != q or inputs[p].items is not None:
                turned = entry is not None and graph.types[entry].rank == 2
                entry = b.add("transpose", entry) if turned and entry is not None else entry
                blocks.setdefault((q, p), {})[l, k] = entry
    b.graph.results = (None, aux, None)
    candidates.append(_finished(b, asked, (inputs, inputs), blocks, "h_{}_{}"))
    return min(candidates, key=operations)


def _symmetric(
    asked: Question, graph: Graph, numbers: Sequence[tuple[int, int, int]],
    inputs: Sequence[Numbers],
) -> list[Graph]:  # fmt: skip
    """The Hessian by vertex elimination on a gradient, if that is for it."""
    b = GraphBuilder(derive.copied(graph))
    _, aux, (gradient, read) = graph.results
    found = eliminated(b, gradient, read, symmetric=True)
    if found is None:
        return []
    blocks: Entries = {}
    for (row, column), node in found.items():
        (p, k, _), (q, l, _) = numbers[row], numbers[column]
        blocks.setdefault((p, q), {})[k, l] = node
        blocks.setdefault((q, p), {})[l, k] = node
    b.graph.results = (None, aux, None)
    return [_finished(b, asked, (inputs, inputs), blocks, "h_{}_{}", passes.eliminate_dead)]


def in_rows(asked: Question) -> bool:
    """Whether a Jacobian by calls takes rows: of one vector with fewer items than columns.

    A length that is not known counts as more than a number, and less than a product with others.
    """
    graph = asked.graph
    if not isinstance(asked.value, int) or graph.types[asked.value].rank != 1:
        return False
    (rows,) = graph.types[asked.value].shape
    columns: Size = 0
    for node in leaves(asked.trees):
        columns = columns + product(graph.types[node].shape)
    if isinstance(rows, int):
        return isinstance(columns, Dim) or rows < columns
    told = all(graph.ops[graph.lengths.get(a, (0, None))[0]] == "param" for a in rows.atoms)
    return told and isinstance(columns, Dim) and all(
        any(n >= count and len(more) > len(atoms) and set(more) >= set(atoms)
            for more, n in columns.terms)
        for atoms, count in rows.terms
    )  # fmt: skip


class WholeArray(Exception):
    """A parameter is an array that is not read item by item, and so a matrix has no straight line.

    `refusal` is what is said where it cannot be found by a loop either.
    """

    def __init__(self, refusal: GradgenError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def _refuse_whole(
    asked: Question, inputs: Sequence[Numbers], matrix: str, instead: str
) -> NoReturn:
    whole = next((p for p in inputs if p.items is None), inputs[0])
    message = (
        f"{whole.name} belongs to a structure with an array that is not read item by item: a "
        f"{matrix} with respect to such arrays takes them in wrt each by its name"
    )
    place = asked.graph.locs[next(leaves(asked.value))]
    if place is None:
        raise WholeArray(GradgenError(f"{message}; use {instead}"))
    raise WholeArray(SourceError(message, place, f"use {instead}"))


# -- what is taken as numbers ----------------------------------------------------------------------


def _values(asked: Question) -> list[Numbers]:
    graph = asked.graph
    found = []
    nodes = list(leaves(asked.value))
    for number, node in enumerate(nodes):
        name = derive.name_of(graph, node) or (f"value_{number}" if len(nodes) > 1 else "value")
        shape = graph.types[node].shape
        items: Sequence[int | None] | None = None if shape else [node]
        if graph.ops[node] == "array" and graph.attrs[node][0] == shape:
            items = graph.args[node]
        found.append(Numbers(node, name, shape, items))
    return found


def _inputs(graph: Graph, asked: Question) -> list[Numbers]:
    users = _users(graph, asked.value)
    found = []
    for node in leaves(asked.trees):
        shape = graph.types[node].shape
        items = _items_read(graph, node, users.get(node, ())) if shape else [node]
        source = Numbers(node, str(derive.name_of(graph, node)), shape, items)
        for at, item in enumerate(source.nodes):
            if item is not None and derive.name_of(graph, item) is None:
                graph.hints[item] = source.named(at)
        found.append(source)
    return found


def _users(graph: Graph, value: Tree) -> dict[int, list[int]]:
    users: dict[int, list[int]] = {}
    for node, need in enumerate(reachable(graph, value)):
        for arg in graph.args[node] if need else ():
            users.setdefault(arg, []).append(node)
    for leaf in leaves(value):
        users.setdefault(leaf, []).append(-1)
    return users


def _items_read(graph: Graph, node: int, users: Iterable[int]) -> list[int | None] | None:
    """The nodes of the items of an array; None where it is read otherwise than item by item."""
    shape = [n for n in graph.types[node].shape if isinstance(n, int)]
    if len(shape) < graph.types[node].rank:
        return None
    items: list[int | None] = [None] * math.prod(shape)
    for user in users:
        if user >= 0 and OPS[graph.ops[user]].linear == "constant":
            continue
        place = graph.attrs[user] if user >= 0 and graph.ops[user] == "index" else ()
        if len(place) != len(shape) or any(not isinstance(i, tuple) or i[0] != "i" for i in place):
            return None
        at = 0
        for (_, k), n in zip(place, shape, strict=True):
            at = at * n + k % n
        if items[at] not in (None, user):
            return None
        items[at] = user
    return items


# -- the entries -----------------------------------------------------------------------------------


def _by_columns(b: GraphBuilder, values: Sequence[Numbers], inputs: Sequence[Numbers]) -> Entries:
    """Forward mode, a number or a vector at a time."""
    owners = [(o, at, n) for o, v in enumerate(values) for at, n in enumerate(v.nodes)]
    nodes = [n for _, _, n in owners if n is not None]
    entries: Entries = {}
    for p, source in enumerate(inputs):
        for k, item in enumerate(source.nodes):
            if item is None:
                continue
            found = _along(b, source, k, item, nodes, None)
            for (o, at, _), entry in zip(owners, found, strict=True):
                entries.setdefault((o, p), {})[at, k] = entry
    return entries


def _along(
    b: GraphBuilder, source: Numbers, at: int, item: int, nodes: Sequence[int],
    place: Location | None,
) -> list[int | None]:  # fmt: skip
    """The derivatives of nodes by an item of a parameter, or by all of a vector."""
    forward = Columns(b, item, place) if source.items is None else Forward(
        b, {item: b.const(1.0)}, place
    )  # fmt: skip
    forward.naming = f"d{{}}_d{source.named(at)}".format
    if isinstance(forward, Columns):
        return forward.matrices(nodes)
    found = forward.push(nodes)
    return [as_result(b, e, n) if b.graph.types[n].shape else e
            for e, n in zip(found, nodes, strict=True)]  # fmt: skip


def _by_rows(b: GraphBuilder, values: Sequence[Numbers], inputs: Sequence[Numbers]) -> Entries:
    """Reverse mode, a value at a time."""
    sources = [n for p in inputs for n in p.nodes if n is not None]
    sweep = Reverse(b, sources)
    entries: Entries = {}
    for o, value in enumerate(values):
        for at, item in enumerate(value.nodes):
            assert item is not None
            sweep.naming = f"d{value.named(at)}_d{{}}".format
            sweep.pull([(item, b.const(1.0))])
            for p, source in enumerate(inputs):
                for k, node in enumerate(source.nodes):
                    if node is None or (node not in sweep.adjoints and source.items is not None):
                        continue
                    entry = sweep.gradient(node)
                    entries.setdefault((o, p), {})[at, k] = entry
    return entries


def _by_elimination(
    asked: Question, values: Sequence[Numbers], inputs: Sequence[Numbers]
) -> list[Graph]:
    """The derived graph by vertex elimination, if that is for it."""
    owners = [(o, at, n) for o, v in enumerate(values) for at, n in enumerate(v.nodes)]
    sources = [(p, k, n) for p, s in enumerate(inputs) for k, n in enumerate(s.nodes)]
    sources = [(p, k, n) for p, k, n in sources if n is not None]
    b = GraphBuilder(derive.copied(asked.graph))
    nodes = [n for _, _, n in owners if n is not None]
    found = eliminated(b, nodes, [n for _, _, n in sources if n is not None])
    if found is None:
        return []
    entries: Entries = {}
    for (row, column), node in found.items():
        o, at, _ = owners[row]
        p, k, _ = sources[column]
        entries.setdefault((o, p), {})[at, k] = node
    b.graph.results = (None, asked.aux, None)
    return [_finished(b, asked, (values, inputs), entries, "d{}_d{}", passes.eliminate_dead)]


# -- the matrices ----------------------------------------------------------------------------------


def _assembled(
    asked: Question, values: Sequence[Numbers], inputs: Sequence[Numbers], sweep: Any
) -> Graph:
    """The derived graph by one of the two sweeps, simplified."""
    b = GraphBuilder(derive.copied(asked.graph))
    entries = sweep(b, values, inputs)
    b.graph.results = (None, asked.aux, None)
    return _finished(b, asked, (values, inputs), entries, "d{}_d{}")


def _finished(
    b: GraphBuilder, asked: Question, sides: tuple[Sequence[Numbers], Sequence[Numbers]],
    entries: Entries, naming: str, simplified: Callable[[Graph], Graph] = passes.run,
) -> Graph:  # fmt: skip
    """The graph with the matrix as its result, simplified, and its entries named."""
    values, inputs = sides
    pairs = [(o, p) for o in range(len(values)) for p in range(len(inputs))]
    blocks = iter([_block(b, values[o], inputs[p], entries.get((o, p), {})) for o, p in pairs])

    def row(_: int) -> Tree:
        return asked.told(tuple(map_tree(lambda _: next(blocks), tree) for tree in asked.trees))

    rows = asked.value if values is not inputs else asked.told(tuple(asked.trees))
    b.graph.results = (None, b.graph.results[1], map_tree(row, rows))
    graph = owned(simplified(b.graph), [None] * len(pairs), "")
    named: set[int] = set()
    for (o, p), block in zip(pairs, leaves(graph.results[2]), strict=True):
        value, source = values[o], inputs[p]
        names = [naming.format(value.named(i), source.named(k)) for i, k in _places(value, source)]
        called = "matrix" if len(pairs) == 1 else naming.format(value.name, source.name)
        if value.shape or source.shape:
            _call(graph, block, called)
        if value.items is None or source.items is None or graph.ops[block] != "array":
            names = names[:1]
        parts = graph.args[block] if graph.ops[block] in ("array", "stack") else (block,)
        for part, name in zip(parts, names, strict=False):
            if part not in named:
                _call(graph, part, name)
            named.add(part)
    return graph


def _call(graph: Graph, node: int, name: str) -> None:
    """Name an entry, unless it is a node of the user's or has a name as another one."""
    if graph.locs[node] is None and not (graph.hints[node] or "").startswith(("h_", "matrix")):
        graph.hints[node] = name


def _places(value: Numbers, source: Numbers) -> list[tuple[int, int]]:
    """The items of a value by those of a parameter, row by row."""
    return [(i, k) for i in range(len(value.nodes)) for k in range(len(source.nodes))]


def _block(
    b: GraphBuilder, value: Numbers, source: Numbers, entries: dict[tuple[int, int], int | None]
) -> int:
    """The derivative of one value by one parameter: of the shape of both, one behind the other."""
    graph = b.graph
    found = [entries.get(place) for place in _places(value, source)]
    if value.items is None and source.items is None:
        dtype = graph.types[value.node].dtype
        sizes = [b.size(n) for n in (*value.shape, *source.shape)]
        zeros = b.add("zeros", *sizes, attr=None if dtype == "float64" else dtype)
        return zeros if found[0] is None else found[0]
    if value.items is not None and source.items is not None:
        if not value.shape and not source.shape:
            return as_result(b, found[0], value.node)
        numbers = [b.const(0.0) if n is None else n for n in found]
        dtype = graph.types[value.node].dtype
        strict = None if dtype in ("float", "float64") else dtype
        return b.add("array", *numbers, attr=((*value.shape, *source.shape), strict))
    whole, other = (value, source) if value.items is None else (source, value)
    parts = [as_result(b, part, whole.node) for part in found]
    if not other.shape:
        return parts[0]
    return b.add("stack", *parts, attr=len(value.shape) if whole is value else 0)


def operations(graph: Graph) -> tuple[int, int]:
    """How many operations on arrays a graph takes, and how many on arrays and numbers."""
    needed = reachable(graph, graph.results)
    ranks = [
        graph.types[node].rank for node, need in enumerate(needed)
        if need and graph.ops[node] in OPS and OPS[graph.ops[node]].cost > 0
        and graph.ops[node] not in ("index", "item", "array", "stack")
    ]  # fmt: skip
    return len(ranks) - ranks.count(0), len(ranks)
