"""What a forward function saves for its backward function, and what that one computes anew.

The saved values are a cut between the arguments and what the adjoints read. Its weight is the
bytes that it holds, as in PyTorch's AOTAutograd (`min_cut_rematerialization_partition`), and cheap
operations may lie behind it. Lengths are symbols, of which no maximal flow is to be had, and flows
are not linear in the nodes: a few sweeps move the cut instead, each only where the cut provably
holds no more than before.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.types import Dim, Size, TupleType, product

LENGTHS = ("axis_size", "item_count")
# What is at hand in every function of a file.
_EVERYWHERE = ("const", "constant", "global")
# What makes an array of lengths, or another shape or dtype of one, without arithmetic.
_MOVES = frozenset({
    "arange", "astype", "atleast_1d", "atleast_2d", "atleast_3d", "copy", "expand_dims", "flatten",
    "full", "full_like", "matrix_transpose", "moveaxis", "ones", "ones_like", "ravel", "rollaxis",
    "swapaxes", "zeros", "zeros_like",
})  # fmt: skip
# How many cheap operations may stand between a value that is read and what is saved.
_DEPTH = 1
# The bytes of a number, which costs no memory that anybody counts.
_NUMBER = 8
# How many saved numbers a docstring names.
_LISTED = 30


@dataclass(slots=True)
class Split:
    """The nodes of the forward and of the backward function, and what is saved between them."""

    forward: list[int]
    backward: list[int]
    saved: list[int] = field(default_factory=list)
    # Lengths that a saved array tells: by their nodes the array and the axis.
    told: dict[int, tuple[int, int]] = field(default_factory=dict)


def split(graph: Graph, recompute: bool = False) -> Split:
    """Divide a derived graph, whose results are `(value, adjoints)`, into two functions.

    What is saved holds no more bytes than all the values of the forward function that the adjoints
    read, and no more that are not an argument's. Computed anew are lengths, views, and arrays that
    are one cheap operation away from what is saved. With `recompute`, arguments and lengths alone
    are saved, and all else is computed anew.
    """
    cut = _Cut(graph)
    if recompute:
        cut.take_arguments()
        cut.lower(LENGTHS)
    else:
        cut.drop_derivable()
        cut.lift()
        cut.drop_derivable()
        cut.lower()
    return cut.finished()


@dataclass(frozen=True, slots=True)
class _Weight:
    """The bytes that a saved value holds, and how many of them are not an argument's."""

    held: Size = 0
    new: Size = 0

    def __add__(self, other: _Weight) -> _Weight:
        return _Weight(self.held + other.held, self.new + other.new)

    def is_within(self, other: _Weight) -> bool:
        """Whether it is no more, whatever the lengths are."""
        return _is_proven(other.held - self.held) and _is_proven(other.new - self.new)


@cache
def _is_proven(size: Size) -> bool:
    """Whether a polynomial of lengths is not negative where all symbols are at least 1."""
    if isinstance(size, int):
        return size >= 0
    total: Size = 0
    for atoms, count in size.terms:
        shifted = (Dim.symbol(a) + 1 if a.isidentifier() else Dim.symbol(a) for a in atoms)
        total = total + count * product(shifted)
    terms = total.terms if isinstance(total, Dim) else (((), total),)
    return all(count >= 0 for _, count in terms)


def _is_view(graph: Graph, node: int) -> bool:
    """Whether a node computes nothing, but shows its first operand otherwise."""
    row = OPS.get(graph.ops[node])
    if row is None or not row.view or row.name == "item":
        return False
    return not any(graph.types[a].kind == "array" for a in graph.args[node][1:])


def _base(graph: Graph, node: int) -> int | None:
    """The node whose memory an array shares, if there is one."""
    at = graph.args[node][0] if graph.ops[node] == "item" else node
    if graph.types[node].kind != "array" or not _is_view(graph, at):
        return None
    return graph.args[at][0]


class _Cut:
    """The saved values, while they are chosen among the nodes that do not depend on the seed."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        size = len(graph)
        self.value, self.adjoints = graph.results
        self.forward = reachable(graph, self.value)
        for node, op in enumerate(graph.ops):
            # several results are unpacked where they are computed
            self.forward[node] |= op == "item" and self.forward[graph.args[node][0]]
        self.needed = reachable(graph, self.adjoints)
        self.seeded = [op == "seed" for op in graph.ops]
        for node in range(size):
            self.seeded[node] |= any(self.seeded[a] for a in graph.args[node])
        # The nodes among which a cut is to be found, and who reads each of them.
        self.nodes = [
            n for n in range(size)
            if self.needed[n] and not self.seeded[n] and graph.ops[n] not in _EVERYWHERE
        ]  # fmt: skip
        self.users: dict[int, list[int]] = {n: [] for n in self.nodes}
        # What the backward function reads of them, whatever is saved.
        own = set(leaves(self.adjoints))
        self.read = [n in own for n in range(size)]
        for node in range(size):
            for arg in dict.fromkeys(graph.args[node]) if self.needed[node] else ():
                if self.seeded[node]:
                    self.read[arg] = True
                elif arg in self.users:
                    self.users[arg].append(node)
        # A result is made at every call: it is the caller's own.
        self.savable = [
            n not in own and not isinstance(t, TupleType) for n, t in enumerate(graph.types)
        ]
        self.roots = self._roots()
        self.saved = [False] * size
        self.made = [False] * size
        for node in self.nodes:
            given = self.forward[node] or graph.ops[node] == "param"
            self.saved[node] = self.savable[node] and given
        self.trace()

    # -- what nodes are ------------------------------------------------------------------------

    def _roots(self) -> list[int]:
        """The node whose memory each one holds: the array of which it is a view."""
        roots = list(range(len(self.graph)))
        for node in self.nodes:
            base = _base(self.graph, node)
            roots[node] = node if base is None else roots[base]
        return roots

    def _weight(self, node: int) -> _Weight:
        if self.graph.types[node].kind != "array":
            return _Weight(_NUMBER)
        root = self.roots[node]
        whole = self.graph.types[root]
        size = product(whole.shape) * np.dtype(whole.dtype).itemsize
        return _Weight(size, 0 if self.graph.ops[root] == "param" else size)

    def _cost(self, node: int) -> int | None:
        """The cheap operations that it takes to compute a node anew; None where it is not cheap."""
        graph = self.graph
        op = graph.ops[node]
        if op == "param":
            return None
        if op in LENGTHS or not self.forward[node] or _is_view(graph, node):
            return 0
        if op == "item":
            return 0 if _is_view(graph, graph.args[node][0]) else None
        row = OPS[op]
        light = op in _MOVES or op == "index" or (row.elementwise and row.cost <= 1)
        return 1 if light and graph.types[node].kind == "array" else None

    # -- moving the cut ------------------------------------------------------------------------

    def trace(self) -> None:
        """From what is read down to what is saved: what is computed, and what is not needed."""
        found = list(self.read)
        for node in reversed(self.nodes):
            self.saved[node] = self.saved[node] and found[node]
            self.made[node] = found[node] and not self.saved[node]
            if self.made[node]:
                for arg in self.graph.args[node]:
                    found[arg] = True

    def take_arguments(self) -> None:
        """Save arguments only."""
        for node in self.nodes:
            self.saved[node] = self.graph.ops[node] == "param"
        self.trace()

    def drop_derivable(self) -> None:
        """Do not save what is one cheap operation away from the rest."""
        far = _DEPTH + 1
        depth = [0] * len(self.graph)
        for node in self.nodes:
            cost = self._cost(node)
            reach = max((depth[a] for a in self.graph.args[node]), default=0)
            depth[node] = far if cost is None else min(reach + cost, far)
            if self.saved[node] and depth[node] < far:
                self.saved[node] = False
            elif self.saved[node]:
                depth[node] = 0
        self.trace()

    def lift(self) -> None:
        """Save a value instead of those that are cheap to compute from it, from the last on."""
        graph = self.graph
        have = [not self.users.get(n) or self.saved[n] or self.made[n] for n in range(len(graph))]
        below = [0] * len(graph)
        above = [0] * len(graph)
        for node in reversed(self.nodes):
            if self.made[node]:
                self._mark(node, below)
            if have[node] or not self.savable[node]:
                continue
            weight, total = self._weight(node), _Weight()
            freed = []
            for user in self.users[node]:
                args = graph.args[user]
                cost = self._cost(user) if self.saved[user] else None
                alone = all(have[a] or a == node for a in args)
                reach = max(above[a] for a in args)
                if cost is not None and alone and below[user] + cost + reach <= _DEPTH:
                    freed.append(user)
                    total = total + self._weight(user)
            if freed and weight.is_within(total):
                self.saved[node] = have[node] = True
                for user in freed:
                    self.saved[user], self.made[user] = False, True
                    above[user] = max(above[a] for a in graph.args[user]) + (self._cost(user) or 0)
                    self._mark(user, below)
        self.trace()

    def _mark(self, node: int, below: list[int]) -> None:
        """Note for the operands of a node that is computed anew how far it is to what is read."""
        for arg in self.graph.args[node]:
            below[arg] = max(below[arg], below[node] + (self._cost(node) or 0))

    def lower(self, ops: tuple[str, ...] = ()) -> None:
        """Save what is computed from a value instead of the value, where nothing else reads that.

        Only what the forward function computes anyway, and what cannot fail or warn there.
        """
        graph = self.graph
        readers = [self.read[n] + sum(self.made[u] for u in self.users.get(n, ()))
                   for n in range(len(graph))]  # fmt: skip
        early = list(self.forward)
        for node in range(len(graph)):
            light = graph.ops[node] in (*LENGTHS, "index") or graph.types[node].dtype == "bool"
            early[node] |= graph.ops[node] in ("param", *_EVERYWHERE) or (
                light and not self.seeded[node] and all(early[a] for a in graph.args[node])
            )
        for node in self.nodes:
            if (
                not self.made[node]
                or not self.savable[node]
                or (ops and graph.ops[node] not in ops)
            ):
                continue
            args = dict.fromkeys(graph.args[node])
            only = [a for a in args if self.saved[a] and readers[a] == 1]
            if not only or not early[node]:
                continue
            weight, total = self._weight(node), sum(map(self._weight, only), _Weight())
            # of two that hold as much, an argument, or else what need not be computed again
            again = self.forward[node] and self._cost(node) != 0
            tie = again and not any(graph.ops[a] == "param" for a in only)
            if weight.is_within(total) and (tie or not total.is_within(weight)):
                self.saved[node], self.made[node] = True, False
                for arg in args:
                    readers[arg] -= 1
                    self.saved[arg] = self.saved[arg] and readers[arg] > 0
        self.trace()

    # -- the two functions ---------------------------------------------------------------------

    def finished(self) -> Split:
        """The nodes of the two functions; what the shape of the seed is told by is saved too."""
        graph = self.graph
        saved = [n for n in self.nodes if self.saved[n]]
        own = [(self.needed[n] and self.seeded[n]) or self.made[n] for n in range(len(graph))]
        for node in range(len(graph) - 1, -1, -1):
            # numbers in the text, and what module-level names stand for
            for arg in graph.args[node] if own[node] else ():
                own[arg] = own[arg] or graph.ops[arg] in _EVERYWHERE
        for leaf in leaves(self.adjoints):
            own[leaf] = True
        backward = [n for n, need in enumerate(own) if need]
        saved += self._lengths_of_seeds(saved)
        told = _told(graph, saved)
        saved = [n for n in saved if n not in told]
        ahead = self.forward + [False] * (len(graph) - len(self.forward))
        also = reachable(graph, tuple(saved))
        forward = [n for n in range(len(graph)) if ahead[n] or also[n]]
        return Split(forward, backward, saved, told)

    def _lengths_of_seeds(self, saved: list[int]) -> list[int]:
        """Lengths of the value, as far as no saved value tells them, to check the seed by."""
        graph, b = self.graph, GraphBuilder(self.graph)
        known = {size for n in saved for size in graph.types[n].shape}
        known |= {graph.values[n] for n in saved if graph.ops[n] == "axis_size"}
        added: list[int] = []
        seeds = (p.tree for p in graph.params if p.added == "value")
        for leaf, seed in zip(leaves(self.value), leaves(tuple(seeds)), strict=False):
            for axis, size in enumerate(graph.types[seed].shape):
                if isinstance(size, int) or size in known:
                    continue
                if not all(Dim.symbol(atom) in known for atom in size.atoms):
                    known.add(size)
                    node, at = graph.lengths.get(str(size), (leaf, None))
                    own = at is not None and graph.ops[node] == "param"
                    node, at = (node, at) if own else (leaf, axis)
                    added.append(b.add("axis_size", node, attr=at))
        return added


def _told(graph: Graph, saved: list[int]) -> dict[int, tuple[int, int]]:
    """The lengths among the saved values that are those of an axis of a saved array."""
    places: dict[Size, tuple[int, int]] = {}
    for node in saved:
        for axis, size in enumerate(graph.types[node].shape):
            places.setdefault(size, (node, axis))
    return {
        n: places[graph.values[n]] for n in saved
        if graph.ops[n] == "axis_size" and graph.values[n] in places
    }  # fmt: skip


# -- what is said of it ----------------------------------------------------------------------------


def saved_lines(
    graph: Graph, names: Mapping[int, str], classes: Sequence[str], reader: str
) -> list[str]:
    """The lines of a docstring about what is saved for a function, by the names of its nodes.

    `classes` are the arguments whose classes are saved too.
    """
    value = set(leaves(graph.results[0]))
    arrays, numbers, shared = [], [], False
    for node, name in names.items():
        t = graph.types[node]
        if t.kind != "array":
            numbers.append(name)
            continue
        size = product(t.shape) * np.dtype(t.dtype).itemsize
        shape = f"({', '.join(map(str, t.shape))}{',' * (t.rank == 1)})"
        text = f"- {name}: {shape} {t.dtype}" + (
            f", {size:,} bytes" if isinstance(size, int) else ""
        )
        root, base = node, _base(graph, node)
        while base is not None:
            root, base = base, _base(graph, base)
        own = "argument" if graph.ops[root] == "param" else "value" if root in value else ""
        what = f"the {own} itself" if root == node else f"a view of the {own}"
        arrays.append(f"{text}, {what}" if own else text)
        shared = shared or bool(own)
    if len(numbers) > _LISTED:
        numbers[_LISTED:] = [f"and {len(numbers) - _LISTED:,} more"]
    numbers += [f"the class of {name}" for name in classes]
    head = f"Saved for {reader}:"
    listed = ", ".join(numbers)
    if not arrays:
        return textwrap.wrap(f"{head} {listed or 'nothing'}.", 80)
    items = [*arrays, f"- {listed}"] if listed else arrays
    lines = [head, *(part for item in items for part in textwrap.wrap(item, 80, **_HANGING))]
    said = f"What is not copied must not change in place before {reader} is called."
    return [*lines, *(textwrap.wrap(said, 80) if shared else [])]


_HANGING: Any = {"subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}


__all__ = ["LENGTHS", "Split", "saved_lines", "split"]
