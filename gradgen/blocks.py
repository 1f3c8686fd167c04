"""Loops over blocks of rows, for arrays that do not fit into a processor's cache.

A chain of elementwise operations on arrays of a million items reads and writes each of them in main
memory. Done for some thousand rows at a time, all that is in between stays in the cache. A loop has
what belongs to the same rows: elementwise operations, reductions over the other axes, products with
vectors; what is summed over the rows is added up. What needs all rows at once, such as a product of
two matrices, stands between the loops, and a loop that would save too little is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradgen import rows
from gradgen.graph import Graph, GraphBuilder
from gradgen.liveness import finish, shell
from gradgen.types import Dim, Size, Type


def blocked(graph: Graph) -> tuple[Graph, int]:
    """The graph with loops over blocks of rows, and how many there are.

    They are over the length along which most is computed, a symbolic one or one of many blocks.
    """
    size = rows.longest(graph)
    if size is None or rows.has_products(graph, size):
        return graph, 0
    plan = rows.Plan(graph, size)
    if not plan.loops or not all(map(plan.is_told, plan.stage)):
        return graph, 0
    return _Rebuilt(plan).graph, len(plan.loops)


class _Rebuilt:
    """The graph with the nodes of each loop together, and what a loop reads and gives around."""

    def __init__(self, plan: rows.Plan) -> None:
        self.plan = plan
        self.old = plan.graph
        self.b = GraphBuilder(shell(self.old))
        self.map = [-1] * len(self.old)
        # Of a value of the loop at hand: its rows; and what it reads of others.
        self.inner: dict[int, int] = {}
        last = len(plan.loops)
        number = {stage: k for k, stage in enumerate(plan.loops)}
        groups: list[list[int]] = [[] for _ in range(2 * last + 1)]
        # What is stored in parts is there when its loop is over, and its zeros before that.
        self.stores: dict[int, list[int]] = {}
        for chain in plan.chains.values():
            if plan.stage_of(chain) is not None:
                self.stores.update(dict.fromkeys(chain[1:], chain))
        # By the zeros: the store that comes first, where it spares most of them.
        self.first: dict[int, int] = {}
        for chain in plan.chains.values():
            first = self._first(chain) if chain[1] in self.stores else None
            if first is not None:
                self.first[chain[0]] = first
        ahead = {chain[0]: number[plan.stage[self.old.args[store][1]]]
                 for store, chain in self.stores.items()}  # fmt: skip
        place = [2 * last] * len(self.old)
        for node in range(len(self.old) - 1, -1, -1):
            if node in plan.stage:
                place[node] = 2 * number[plan.stage[node]] + 1
            elif node in self.stores:
                continue
            elif node in ahead:
                place[node] = 2 * ahead[node]
            elif self.old.ops[node] in rows.ATOMS:
                place[node] = 0
            for arg, _ in plan.operands(node):
                # ahead of a loop that reads it, and no sooner than it is needed
                place[arg] = min(place[arg], place[node] - place[node] % 2)
        for node in range(len(self.old)):
            if node in plan.stage or not (plan.turned[node] or node in self.stores):
                groups[place[node]].append(node)
        for k, group in enumerate(groups):
            if k % 2:
                self._loop(group)
                continue
            for node in group:
                self.map[node] = self._zeros(node) if node in self.first else self._copy(node)
        self.graph = finish(self.old, self.b, self.map)

    def _first(self, chain: Sequence[int]) -> int | None:
        """The store that comes first to all rows it stores, so that these need no zeros.

        It is the first one in the loop, and no other one begins further on.
        """
        plan, old = self.plan, self.old
        offsets = [plan.offset(store, chain[0]) for store in chain[1:]]
        store = min(chain[1:], key=lambda s: old.args[s][1])
        if any(offset is None for offset in offsets) or plan.behind(store, chain[0]) is None:
            return None
        others = [offset or 0 for s, offset in zip(chain[1:], offsets, strict=True) if s != store]
        if len({old.args[s][1] for s in chain[1:]}) < len(chain) - 1:
            return None
        return store if all(n <= (plan.offset(store, chain[0]) or 0) for n in others) else None

    def _zeros(self, zeros: int) -> int:
        """An array with zeros where its first store leaves out rows."""
        old, b = self.old, self.b
        store = self.first[zeros]
        before, behind = self.plan.offset(store, zeros), self.plan.behind(store, zeros)
        b.loc = old.locs[zeros]
        new = b.add("empty", *(self.map[a] for a in old.args[zeros]), attr=old.attrs[zeros])
        for part in [("s", None, before, None)] * bool(before) + [
            ("s", -(behind or 0), None, None)
        ] * bool(behind):
            new = b.add("index_set", new, b.const(0.0), attr=(part,))
        return new

    def _copy(self, node: int) -> int:
        return self.b.copy_node(self.old, node, self.map)

    def _size(self, size: Size) -> int:
        """The node of a length, from what the arguments tell."""
        for atom in size.atoms if isinstance(size, Dim) else ():
            node, axis = self.old.lengths[atom]
            self.b.graph.lengths[atom] = (self.map[node], axis)
        return self.b.size(size)

    def _loop(self, group: Sequence[int]) -> None:
        plan, old, b = self.plan, self.old, self.b
        self.inner = {}
        b.loc = next((old.locs[n] for n in group if old.locs[n] is not None), None)
        given: dict[int, int] = {}
        for node in group:
            t = old.types[node]
            if plan.adds(node):
                sizes = [self._size(n) for n in t.shape]
                given[node] = b.add("zeros", *sizes, attr=_attr(t)) if t.shape else b.add(
                    "zero_total", attr=t
                )  # fmt: skip
                b.label(given[node], None, None if t.shape else "total")
            elif plan.is_whole(node):
                given[node] = b.add("empty", *map(self._size, t.shape), attr=_attr(t))
        parts = self._parts(group)
        # where arrays go on behind the rows, the last block has to end with these
        moved = any(not part for stores in parts.values() for _, part, _ in stores) or any(
            self._moved(a) is not None
            for node in group for a, row in plan.operands(node) if row
        )  # fmt: skip
        step = plan.step(plan.stage[group[0]])
        width = b.const(step) if isinstance(step, int) else self._width(*step)
        block = b.add("row_block", self._size(plan.size), width, attr=moved or None)
        for node in group:
            self._inside(node, given.get(node), block)
            for store, part, offset in parts.get(node, ()):
                self._store(store, part, self._block(block, offset))

    def _block(self, block: int, offset: int) -> int:
        return self.b.add("moved_block", block, attr=offset) if offset else block

    def _moved(self, source: int) -> int | None:
        """At which row of an array the rows begin that are read before the loop."""
        if self.old.ops[source] != "index" or len(self.old.args[source]) > 1:
            return None
        if source in self.plan.stage:
            return None  # rows of a value that may not be whole
        return self.plan.offset(source, self.old.args[source][0])

    def _parts(self, group: Sequence[int]) -> dict[int, list[tuple[int, list[int], int]]]:
        """By what is stored: into which arrays, which part of them, and from which row on."""
        old, b = self.old, self.b
        found: dict[int, list[tuple[int, list[int], int]]] = {}
        for store, chain in self.stores.items():
            value = old.args[store][1]
            if value in group:
                offset, part = self.plan.offset(store, chain[0]), []
                if offset is None:
                    part = [b.add("index", self.map[chain[0]], attr=old.attrs[store])]
                found.setdefault(value, []).append((store, part, offset or 0))
        return found

    def _store(self, store: int, part: Sequence[int], block: int) -> None:
        old, b = self.old, self.b
        chain = self.stores[store]
        zeros, last = chain[0], chain[-1]
        before = self.map[last] if self.map[last] >= 0 else self.map[zeros]
        value = self.inner[old.args[store][1]]
        op = "store_block" if self.first.get(zeros) == store else "add_to_block"
        self.map[last] = b.add(op, before, value, block, *part, attr=old.types[last])
        b.label(self.map[last], old.names[last], old.hints[last])

    def _width(self, items: int, row: Size) -> int:
        b = self.b
        # at least one, and of rows without items as many as there are
        quotient = b.add("floordiv", b.const(items), b.add("add", b.const(1), self._size(row)))
        step = b.add("add", quotient, b.const(1))
        b.label(step, None, "step")
        return step

    def _inside(self, node: int, given: int | None, block: int) -> None:
        plan, old, b = self.plan, self.old, self.b
        b.loc = old.locs[node]
        args = []
        for arg, (source, row) in zip(old.args[node], plan.operands(node), strict=True):
            new = self._rows(source, block) if row else self.map[source]
            args.append(b.add("transpose", new, attr=old.attrs[arg]) if source != arg else new)
        new = b.add(old.ops[node], *args, attr=old.attrs[node])
        name, hint = old.names[node], old.hints[node]
        self.inner[node] = new
        if given is None:
            b.label(new, name, hint)
            return
        t = old.types[node]
        op = "add_block" if plan.adds(node) else "store_block"
        if node in plan.results and name is None and hint is None and old.locs[node] is not None:
            hint = "value"
        self.map[node] = b.add(op, given, new, block, attr=t)
        b.label(self.map[node], name, hint)

    def _rows(self, source: int, block: int) -> int:
        """The rows of a value in the loop: computed there, or read of the whole array."""
        if source not in self.inner:
            loc, self.b.loc = self.b.loc, None
            offset = self._moved(source)
            array = source if offset is None else self.old.args[source][0]
            new = self.b.add("block_rows", self.map[array], self._block(block, offset or 0))
            self.b.loc = loc
            self.b.graph.locs[new] = loc
            self.inner[source] = new
        return self.inner[source]


def _attr(t: Type) -> str | None:
    """The dtype of a new array, where it is not the default one."""
    return None if t.dtype == "float64" else t.dtype
