"""Which nodes can be computed in loops over blocks of rows, and which of these loops pay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gradgen.graph import Graph, leaves
from gradgen.ops import OPS
from gradgen.ops.indexing import WHOLE, are_apart, resolve
from gradgen.ops.written import Call
from gradgen.types import Dim, Size, product

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
ATOMS = ("param", "const", "constant", "global", "seed")


class Reads(NamedTuple):
    """Which operands an operation reads row by row, and whether it adds up over the rows."""

    by_row: tuple[bool, ...]
    adds: bool = False


def longest(graph: Graph) -> Size | None:
    """The length along which most is computed: a symbolic one, or one of many blocks."""
    sizes = Counter(
        t.shape[0] for node, t in enumerate(graph.types)
        if _is_work(graph, node) and t.shape and _is_long(t.shape[0])
    )  # fmt: skip
    return max(sizes, key=lambda n: (sizes[n], str(n))) if sizes else None


def _is_work(graph: Graph, node: int) -> bool:
    op = graph.ops[node]
    return op not in ATOMS and OPS[op].elementwise and graph.types[node].is_float


def has_products(graph: Graph, size: Size) -> bool:
    """Whether matrices with such an axis are multiplied, which takes longer than all the rest."""
    return any(
        op == "matmul" and all(graph.types[a].rank >= 2 for a in args)
        and any(size in graph.types[a].shape for a in args)
        for op, args in zip(graph.ops, graph.args, strict=True)
    )  # fmt: skip


def _is_long(size: Size) -> bool:
    return isinstance(size, Dim) or size >= 4 * VECTOR_ROWS


class Plan:
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
        if op in ATOMS or (op not in _RULES and not OPS[op].elementwise):
            return None
        if isinstance(attr, Call) and op != "flat_vdot":
            return None
        reads = _RULES.get(op, Plan._elementwise)(self, node)
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


_RULES: dict[str, Callable[[Plan, int], Reads | None]] = {
    **dict.fromkeys(_ALONG, Plan._reduction),
    "index": Plan._index,
    "matmul": Plan._matmul,
    "einsum": Plan._einsum,
    "flat_vdot": Plan._all_items,
    "astype": Plan._same,
    "copy": Plan._same,
}
