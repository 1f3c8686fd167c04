"""Loops over blocks of rows, for arrays that do not fit into a processor's cache.

A chain of elementwise operations on arrays of a million items reads and writes each of them in main
memory. Done for some thousand rows at a time, all that is in between stays in the cache. A loop has
what belongs to the same rows: elementwise operations, reductions over the other axes, products with
vectors; what is summed over the rows is added up. What needs all rows at once, such as a product of
two matrices, stands between the loops, and a loop that would save too little is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.liveness import finish, shell
from gradgen.ops import OPS
from gradgen.ops.indexing import WHOLE, are_apart, resolve
from gradgen.ops.written import Call
from gradgen.types import Dim, Size, Type, product

# Rows of vectors in a block, and items of arrays with more axes: some buffers fill a level-2 cache.
VECTOR_ROWS = 16384
ITEMS = 65536
# A loop costs about as much as an operation on few rows, and so does all that it gives: it has to
# do so many times more.
_LEAST_WORK = 3.5
# Loops of which some save too little are planned again without them; more rounds never helped.
_ROUNDS = 8
_SLOW = ("sum", "mean", "max", "min", "any", "all", "matmul", "einsum", "flat_vdot")
_FLOATS = ("float64", "float32")
_ALONG = ("sum", "mean", "max", "min", "any", "all")
_ATOMS = ("param", "const", "constant", "global", "seed")


class Reads(NamedTuple):
    """Which operands an operation reads row by row, and whether it adds up over the rows."""

    by_row: tuple[bool, ...]
    adds: bool = False


def blocked(graph: Graph) -> tuple[Graph, int]:
    """The graph with loops over blocks of rows, and how many there are.

    They are over the length along which most is computed, a symbolic one or one of many blocks.
    """
    sizes = Counter(
        t.shape[0] for node, t in enumerate(graph.types)
        if _is_work(graph, node) and t.shape and _is_long(t.shape[0])
    )  # fmt: skip
    if not sizes:
        return graph, 0
    size = max(sizes, key=lambda n: (sizes[n], str(n)))
    if _has_products(graph, size):
        return graph, 0
    plan = _Plan(graph, size)
    if not plan.loops or not all(map(plan.is_told, plan.stage)):
        return graph, 0
    return _Rebuilt(plan).graph, len(plan.loops)


def _is_work(graph: Graph, node: int) -> bool:
    op = graph.ops[node]
    return op not in _ATOMS and OPS[op].elementwise and graph.types[node].is_float


def _has_products(graph: Graph, size: Size) -> bool:
    """Whether matrices with such an axis are multiplied, which takes longer than all the rest."""
    return any(
        op == "matmul" and all(graph.types[a].rank >= 2 for a in args)
        and any(size in graph.types[a].shape for a in args)
        for op, args in zip(graph.ops, graph.args, strict=True)
    )  # fmt: skip


def _is_long(size: Size) -> bool:
    return isinstance(size, Dim) or size >= 4 * VECTOR_ROWS


class _Plan:
    """Which nodes are computed in which loop over the rows of arrays of one length."""

    def __init__(self, graph: Graph, size: Size) -> None:
        self.graph = graph
        self.size = size
        self.users: list[list[int]] = [[] for _ in range(len(graph))]
        for node in range(len(graph)):
            for arg in graph.args[node]:
                self.users[arg].append(node)
        self.results = set(leaves(graph.results))
        self.reads = [self._reads(node) for node in range(len(graph))]
        self.turned = [self._is_turned(node) for node in range(len(graph))]
        self.stage: dict[int, int] = {}
        self.loops: list[int] = []
        # Arrays of zeros into which rows are stored, with what is stored in turn, by the stores.
        self.chains = {store: chain for chain in self._chains() for store in chain[1:]}
        for _ in range(_ROUNDS):
            self._assign()
            self._postpone()
            if self._drop_poor():
                break

    # -- what can be done row by row ---------------------------------------------------------------

    def _has_rows(self, node: int) -> bool:
        t = self.graph.types[node]
        return t.kind == "array" and bool(t.shape) and t.shape[0] == self.size

    def _reads(self, node: int) -> Reads | None:
        """How a node reads its operands where a loop computes it; None where none can."""
        graph = self.graph
        op, attr = graph.ops[node], graph.attrs[node]
        if op in _ATOMS or (op not in _RULES and not OPS[op].elementwise):
            return None
        if isinstance(attr, Call) and op != "flat_vdot":
            return None
        reads = _RULES.get(op, _Plan._elementwise)(self, node)
        if reads is None or not any(reads.by_row):
            return None
        if reads.adds:
            return reads if graph.types[node].dtype in _FLOATS else None
        return reads if self._has_rows(node) else None

    def _elementwise(self, node: int) -> Reads | None:
        graph = self.graph
        rank = graph.types[node].rank
        by_row = []
        for arg in graph.args[node]:
            t = graph.types[arg]
            along = t.rank == rank and t.shape[:1] != (1,)
            if along and not self._has_rows(arg):
                return None
            by_row.append(along and rank > 0)
        return Reads(tuple(by_row))

    def _reduction(self, node: int) -> Reads | None:
        graph = self.graph
        (x,) = graph.args[node]
        axes, keepdims, cast = graph.attrs[node]
        if not self._has_rows(x):
            return None
        if axes is not None and 0 not in axes:
            return Reads((True,))
        plain = graph.ops[node] == "sum" and cast is None and not keepdims
        return Reads((True,), adds=True) if plain else None

    def _index(self, node: int) -> Reads | None:
        graph = self.graph
        array, *operands = graph.args[node]
        if any(graph.types[o].kind == "array" for o in operands) or not self._has_rows(array):
            return None
        first = next(resolve(graph.attrs[node], graph.types[array].rank), None)
        return Reads((True, *(False for _ in operands))) if first == WHOLE else None

    def _matmul(self, node: int) -> Reads | None:
        """A matrix times a vector, a scalar product, or a vector times a matrix of rows."""
        graph = self.graph
        x, y = graph.args[node]
        ranks = (graph.types[x].rank, graph.types[y].rank)
        if ranks == (2, 1) and self._turned_rows(x) is not None and self._has_rows(y):
            return Reads((True, True), adds=True)
        if ranks == (2, 1) and self._has_rows(x):
            return Reads((True, False))
        if ranks[0] == 1 and self._has_rows(x) and self._has_rows(y):
            return Reads((True, True), adds=True)
        return None

    def _einsum(self, node: int) -> Reads | None:
        graph = self.graph
        inputs, _, output = graph.attrs[node][0].partition("->")
        words = inputs.split(",")
        letters = {w[:1] for w, a in zip(words, graph.args[node], strict=True) if self._has_rows(a)}
        if len(letters) != 1 or not inputs.replace(",", "").isalpha():
            return None
        (letter,) = letters
        if any(letter in word[1:] for word in (*words, output)):
            return None
        return Reads(tuple(word[:1] == letter for word in words), adds=output[:1] != letter)

    def _all_items(self, node: int) -> Reads | None:
        args = self.graph.args[node]
        return Reads((True, True), adds=True) if all(map(self._has_rows, args)) else None

    def _same(self, node: int) -> Reads | None:
        return Reads((True,)) if self._has_rows(self.graph.args[node][0]) else None

    def _turned_rows(self, node: int) -> int | None:
        """The matrix of rows that a node is the transpose of."""
        graph = self.graph
        if graph.ops[node] != "transpose" or graph.types[node].rank != 2:
            return None
        (x,) = graph.args[node]
        return x if self._has_rows(x) and graph.types[node].shape != graph.types[x].shape else None

    def _is_turned(self, node: int) -> bool:
        """Whether a node is a transpose that only sums over rows read: it is one in the loop."""
        if self._turned_rows(node) is None or node in self.results or not self.users[node]:
            return False
        return all(
            (reads := self.reads[user]) is not None and reads.adds
            and self.graph.ops[user] == "matmul" and self.graph.args[user][0] == node
            for user in self.users[node]
        )  # fmt: skip

    def _chains(self) -> Iterator[list[int]]:
        """Zeros and the stores of rows into parts of them, each read by the next one only."""
        graph = self.graph
        for node, op in enumerate(graph.ops):
            chain = [node]
            while op == "zeros" and self._stored(chain[-1]) is not None:
                chain.append(self.users[chain[-1]][0])
                if not self._adds_up(chain):
                    chain.pop()
                    break
            if len(chain) > 1:
                yield chain

    def _adds_up(self, chain: Sequence[int]) -> bool:
        """Whether the last store of a chain adds to zeros, or to what was stored before."""
        graph = self.graph
        if graph.ops[chain[-1]] == "index_add" or len(chain) == 2:
            return True
        return are_apart([graph.attrs[store] for store in chain[1:]], graph.types[chain[0]])

    def _stored(self, buffer: int) -> int | None:
        """What the only reader of an array stores into it, where these are rows of a loop."""
        graph = self.graph
        if len(self.users[buffer]) != 1 or buffer in self.results:
            return None
        (store,) = self.users[buffer]
        args = graph.args[store]
        if graph.ops[store] not in ("index_set", "index_add") or len(args) != 2:
            return None
        value, rank = args[1], graph.types[buffer].rank
        if args[0] != buffer or not rank:
            return None
        first = next(resolve(graph.attrs[store], rank))
        same = graph.types[value].dtype == graph.types[buffer].dtype
        rows = self.reads[value] is not None and not self.adds(value)
        along = rows and first[0] == "s" and graph.types[value].rank == rank
        return value if same and along else None

    def offset(self, node: int, array: int) -> int | None:
        """At which row of an array the rows begin that an index reads, or an update stores."""
        template = list(resolve(self.graph.attrs[node], self.graph.types[array].rank))
        kind, start, _, step = template[0] if template[0][0] == "s" else ("i", 0, 0, 0)
        if kind != "s" or step not in (None, 1) or any(item != WHOLE for item in template[1:]):
            return None
        start = 0 if start is None else start
        return start if isinstance(start, int) and start >= 0 else None

    def behind(self, store: int, zeros: int) -> int | None:
        """How many rows there are behind those that are stored; None where nobody knows."""
        offset = self.offset(store, zeros)
        left = self.graph.types[zeros].shape[0] - self.size - (offset or 0)
        return left if isinstance(left, int) and left >= 0 and offset is not None else None

    def stage_of(self, chain: Sequence[int]) -> int | None:
        """The loop that computes all that is stored in a chain, if one does."""
        stages = {self.stage.get(self.graph.args[store][1]) for store in chain[1:]}
        return stages.pop() if len(stages) == 1 else None

    # -- which loop --------------------------------------------------------------------------------

    def operands(self, node: int) -> list[tuple[int, bool]]:
        """The operands of a node, and whether it reads them by row; of a transpose the matrix."""
        graph, reads = self.graph, self.reads[node]
        if reads is None:
            return [(arg, False) for arg in graph.args[node]]
        found = list(zip(graph.args[node], reads.by_row, strict=True))
        if reads.adds and graph.ops[node] == "matmul" and graph.types[found[0][0]].rank == 2:
            found[0] = (graph.args[found[0][0]][0], True)
        return found

    def adds(self, node: int) -> bool:
        """Whether a node of a loop is a sum over the rows."""
        reads = self.reads[node]
        return reads is not None and reads.adds

    def _assign(self) -> None:
        """Every node to the first loop in which it can be, or behind the one that it waits for."""
        self.stage = {}
        # The number of loops that have to be over before a value is there.
        self.after = [0] * len(self.graph)
        for node in range(len(self.graph)):
            wait = 0
            for arg, row in self.operands(node):
                inside = row and arg in self.stage and not self.adds(arg)
                wait = max(wait, self.stage[arg] if inside else self.after[arg])
            if self.reads[node] is not None:
                self.stage[node] = wait
                wait += 1
            self.after[node] = wait

    def _postpone(self) -> None:
        """What only a later loop reads is computed there, so that it need not be whole."""
        for node in sorted(self.stage, reverse=True):
            if self.adds(node) or node in self.results:
                continue
            users = [u for u in self.users[node] if not self.turned[u]]
            users += [v for u in self.users[node] if self.turned[u] for v in self.users[u]]
            inside = all(
                u in self.stage and (node, True) in self.operands(u)
                and (node, False) not in self.operands(u) for u in users
            )  # fmt: skip
            if users and inside:
                self.stage[node] = min(self.stage[u] for u in users)
                self.after[node] = self.stage[node] + 1

    def is_whole(self, node: int) -> bool:
        """Whether something needs all rows of a value that a loop computes."""
        if node in self.results:
            return True
        for user in self.users[node]:
            if user in self.chains and self.stage_of(self.chains[user]) is not None:
                continue
            for reader in self.users[user] if self.turned[user] else (user,):
                if self.stage.get(reader) != self.stage[node]:
                    return True
                if (node, False) in self.operands(reader):
                    return True
        return False

    def _drop_poor(self) -> bool:
        """Whether every loop saves enough; what is in those that do not is computed at once."""
        work: Counter[int] = Counter()
        given: dict[int, float] = dict.fromkeys(self.stage.values(), 1.0)
        for chain in {tuple(chain) for chain in self.chains.values()}:
            stage_of = self.stage_of(chain)
            if stage_of is not None:
                given[stage_of] += 1.0
        for node, stage in self.stage.items():
            op = self.graph.ops[node]
            # what is no ufunc takes longer to begin
            work[stage] += 2 if op in _SLOW else OPS[op].elementwise
            if self.adds(node) or self.is_whole(node):
                given[stage] += 1.0 if self.graph.types[node].shape else 0.5
        stages = sorted(set(self.stage.values()))
        self.loops = [s for s in stages if work[s] >= _LEAST_WORK * given[s]]
        if self.loops == stages:
            return True
        for node, stage in self.stage.items():
            if stage not in self.loops:
                self.reads[node] = None
        self.chains = {store: chain for chain in self._chains() for store in chain[1:]}
        self.turned = [self._is_turned(node) for node in range(len(self.graph))]
        self.loops = []
        return False

    def is_told(self, node: int) -> bool:
        """Whether the arguments tell the lengths of what a node reads and gives."""
        graph = self.graph
        atoms = [
            atom for n in (node, *graph.args[node]) for size in graph.types[n].shape
            if isinstance(size, Dim) for atom in size.atoms
        ]  # fmt: skip
        known = [graph.lengths.get(atom) for atom in atoms]
        return all(k is not None and graph.ops[k[0]] == "param" for k in known)

    # -- lengths -----------------------------------------------------------------------------------

    def step(self, stage: int) -> int | tuple[int, Size]:
        """How many rows a block has; of matrices, how many items, and how many are in a row."""
        widest: list[Size] = []
        for node, own in self.stage.items():
            if own == stage:
                nodes = [node, *(a for a, row in self.operands(node) if row)]
                shapes = [self.graph.types[n].shape for n in nodes if self._has_rows(n)]
                widest += [product(shape[1:]) for shape in shapes if len(shape) > 1]
        rows = list(dict.fromkeys(widest))
        if not rows:
            return VECTOR_ROWS
        fixed = max((n for n in rows if isinstance(n, int)), default=1)
        open_ = [n for n in rows if isinstance(n, Dim)]
        if not open_:
            return max(1, ITEMS // max(fixed, 1))
        return ITEMS, max(open_, key=lambda n: (max(len(atoms) for atoms, _ in n.terms), str(n)))


_RULES: dict[str, Callable[[_Plan, int], Reads | None]] = {
    **dict.fromkeys(_ALONG, _Plan._reduction),
    "index": _Plan._index,
    "matmul": _Plan._matmul,
    "einsum": _Plan._einsum,
    "flat_vdot": _Plan._all_items,
    "astype": _Plan._same,
    "copy": _Plan._same,
}


class _Rebuilt:
    """The graph with the nodes of each loop together, and what a loop reads and gives around."""

    def __init__(self, plan: _Plan) -> None:
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
            elif self.old.ops[node] in _ATOMS:
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
