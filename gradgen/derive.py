"""Reverse mode: from a graph to the graph that also computes the adjoints of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

from gradgen.errors import Refusal
from gradgen.graph import Graph, GraphBuilder, Tree, leaves, map_tree
from gradgen.ops import OPS
from gradgen.ops.indexing import (
    WHOLE,
    are_all,
    are_apart,
    indexed,
    is_reshape,
    may_repeat,
    resolve,
)
from gradgen.ops.shape import filled, full_of, full_shape, spread
from gradgen.rules import adjoints
from gradgen.sweep import LEAVES, Sweep, check_active, copied, located, name_of
from gradgen.types import Shape, Type

__all__ = ["Reverse", "check_active", "copied", "name_of", "reverse"]


class Adjoint:
    """What has been contributed to the adjoint of a node so far."""

    __slots__ = ("item_lives", "items", "live", "parts", "plain")

    def __init__(self) -> None:
        self.plain: list[int] = []
        # Contributions to parts: (template, index operands) -> nodes.
        self.parts: dict[tuple[Any, tuple[int, ...]], list[int]] = {}
        # Contributions to one of several results, by its number.
        self.items: dict[int, int] = {}
        # Where each of several results is read.
        self.item_lives: dict[int, list[int | None]] = {}
        # Where the node is read at all; None: everywhere.
        self.live: list[int | None] = []


def reverse(graph: Graph, wrt: Sequence[Tree], value: Tree, seeds: Tree = None) -> Graph:
    """A graph that also computes the adjoints of the trees `wrt` of parameter nodes.

    Its results are `(value, adjoints)`. The adjoints of the value are `seeds`, nodes of `graph` in
    the structure of the value; by default the value is one number, whose adjoint is 1. Raises
    `SourceError` where an active operation has no derivative, `ActiveTypeError` where a parameter
    of `wrt` holds integers.
    """
    graph = copied(graph)
    sources = list(leaves(list(wrt)))
    for leaf in sources:
        check_active(graph, leaf)
    sweep = Reverse(GraphBuilder(graph), sources)
    given = [sweep.b.const(1.0)] if seeds is None else leaves(seeds)
    sweep.pull(zip(leaves(value), given, strict=True))
    graph.results = (value, tuple(map_tree(sweep.gradient, tree) for tree in wrt))
    return graph


class Reverse(Sweep):
    """Passes adjoints of values on to the sources, from the last node to the first."""

    def __init__(self, b: GraphBuilder, sources: Iterable[int]) -> None:
        super().__init__(b, sources)
        self.adjoints: dict[int, Adjoint] = {}
        # The nodes whose adjoints are still to be passed on, negated: a heap.
        self.pending: list[int] = []
        # What the adjoint of a value is called, by the name of the value.
        self.naming: Callable[[str], str] = "d_{}".format
        # Adjoints that programs computed, under the names that these give them.
        self.programmed: set[int] = set()

    def pull(self, seeds: Iterable[tuple[int, int]]) -> None:
        """Pass the adjoints of values, as pairs of nodes, on to the sources."""
        for value, seed in seeds:
            if self.active[value]:
                self._contribute(value, seed, None)
        while self.pending:
            node = -heappop(self.pending)
            # what a definition computes belongs to the call that was swept just before
            self.loc = self.graph.locs[node] or self.loc
            self._step(node, self.adjoints.pop(node))

    def collected(self, source: int) -> int | None:
        """What was passed on to a source, which is forgotten; None if nothing was."""
        held = self.adjoints.pop(source, None)
        return None if held is None else self._total(source, held)

    # -- the sweep -----------------------------------------------------------------------------

    def _step(self, node: int, adjoint: Adjoint) -> None:
        """Pass the adjoint of a node on to its arguments."""
        graph = self.graph
        try:
            row = OPS[graph.ops[node]]
            if adjoint.items:
                self._several(node, adjoint)
                return
            live = self._liveness(adjoint.live)
            g = self._total(node, adjoint)
            if graph.ops[node] == "item":
                self._contribute_item(graph.args[node][0], graph.attrs[node], g, live)
            elif row.defined:
                self._defined(node, {0: g}, {0: live})
            elif row.adjoint:
                self._programmed(node, g, live)
            elif row.d is not None:
                self._elementwise(node, g, live)
            elif row.vjp is not None:
                self._structural(node, g, live)
            else:
                raise Refusal(row.why or f"{row.call or row.name} has no derivative here")
        except Refusal as refusal:
            raise located(refusal, self.loc) from None

    def _several(self, node: int, adjoint: Adjoint) -> None:
        """Pass on the adjoints of a node with several results."""
        row, items = OPS[self.graph.ops[node]], adjoint.items
        lives = {k: self._liveness(held) for k, held in adjoint.item_lives.items()}
        if row.defined:
            self._defined(node, items, lives)
        elif row.adjoint:
            gs = self._parts_of_items(node, items)
            where = self._lives_of_items(node, lives)
            self._written(node, adjoints(self.programs, row, node, gs), where)
        else:
            raise Refusal(row.why or f"{row.call or row.name} has no derivative here")

    def _defined(self, node: int, items: dict[int, int], lives: Mapping[int, int | None]) -> None:
        """Hand the adjoints of a call to what its definition computes, which is swept next."""
        results = self._expanded(node)
        for number, g in items.items():
            result = results[number]
            if self.active[result]:
                self._contribute(result, g, lives[number])

    def _programmed(self, node: int, g: int, live: int | None) -> None:
        """Pass on the adjoint of a call by its program, on harmless numbers where nobody reads."""
        row = OPS[self.graph.ops[node]]
        if not row.lazy or self.graph.types[g].shape:
            g = self._whole(node, g)
        lives = self._structural_lives(node, live)
        at = self._harmless(node, lives)
        self._look_at_nodes()
        out = self._guarded(at, live, row.singular, row.safe) if row.apart else at
        self._written(node, adjoints(self.programs, row, at, g, out), lives)

    def _written(
        self, node: int, parts: Sequence[int | None], lives: Sequence[int | None] | None
    ) -> None:
        """Pass on the adjoints that a program computed for the operands of a call."""
        graph = self.graph
        for k, (arg, part) in enumerate(zip(graph.args[node], parts, strict=True)):
            if part is not None and self.active[arg]:
                part = self._unbroadcast(part, graph.types[part].shape, arg)
                self.programmed.add(part)
                self._contribute(arg, part, lives[k] if lives else None)

    def _whole(self, node: int, g: int) -> int:
        return full_shape(self.b, g, self.graph.types[node].shape)

    def _elementwise(self, node: int, g: int, live: int | None) -> None:
        graph, active, rules = self.graph, self.active, self._rules(node)
        g, types = self._widened(node, g), graph.types
        shape = types[node].shape
        for position, arg in enumerate(graph.args[node]):
            rule = rules[position]
            if rule is None or not active[arg]:
                continue
            part = self._term(node, rule, g, live)
            if types[part] is not types[arg] or types[arg].shape != shape:
                part = self._unbroadcast(part, shape, arg)
            alive = self._branch(node, position, live)
            if alive is not None:
                alive = self._unbroadcast_live(alive, arg)
            self._contribute(arg, part, alive)

    def _structural(self, node: int, g: int, live: int | None) -> None:
        graph, b = self.graph, self.b
        args = graph.args[node]
        if graph.ops[node] == "index":
            key = (graph.attrs[node], args[1:])
            if any(graph.types[o].rank > 1 for o in args[1:]) and graph.types[g].shape:
                # np.add.at on one axis does not broadcast values to an index of several axes
                g = full_shape(b, g, graph.types[node].shape)
            if self.active[args[0]] and is_reshape(graph.attrs[node]):
                every = resolve(graph.attrs[node], graph.types[args[0]].rank)
                back = tuple(("i", 0) if item == "n" else WHOLE for item in every)
                if graph.types[g].shape:
                    g = b.add("index", full_shape(b, g, graph.types[node].shape), attr=back)
                self._contribute(args[0], g, self._structural_lives(node, live)[0])
            elif self.active[args[0]]:
                held = self._held(args[0])
                held.parts.setdefault(key, []).append(g)
                held.live.append(self._structural_lives(node, live)[0])
            return
        if 0 < graph.types[g].rank < graph.types[node].rank:
            g = full_shape(b, g, graph.types[node].shape)
        lives = self._structural_lives(node, live)
        active = [self.active[a] for a in args]
        parts = self.structural_parts(node, self._harmless(node, lives), g, active, live)
        for arg, part, alive in zip(args, parts, lives, strict=True):
            if part is not None:
                self._contribute(arg, part, alive)

    def structural_parts(
        self, node: int, at: int, g: int, active: Sequence[bool], live: int | None
    ) -> list[int | None]:
        """What a structural node contributes to its active arguments; `at` is read instead."""
        graph = self.graph
        row, shape = OPS[graph.ops[node]], graph.types[node].shape
        assert row.vjp is not None
        if live is None or row.masked is None:
            found = row.vjp(self.b, at, g)
        else:
            self._look_at_nodes()
            found = row.masked(self.b, at, g, self._part(live, shape, True), self.risky)
        parts = [part if live else None for part, live in zip(found, active, strict=True)]
        for k, (arg, part) in enumerate(zip(graph.args[node], parts, strict=True)):
            if part is None:
                continue
            if graph.types[part].rank > graph.types[arg].rank or graph.ops[node] in (
                "matmul", "total", "full", "full_like", "broadcast_to", "index_set", "index_add",
            ):  # fmt: skip
                parts[k] = self._unbroadcast(part, _reach(node, arg, graph, shape), arg)
            else:
                parts[k] = self._cast(part, arg)
        return parts

    # -- accumulation --------------------------------------------------------------------------

    def _contribute(self, node: int, part: int, live: int | None) -> None:
        held = self._held(node)
        held.plain.append(part)
        held.live.append(live)

    def _contribute_item(self, node: int, number: int, g: int, live: int | None) -> None:
        held = self._held(node)
        before = held.items.get(number)
        held.items[number] = g if before is None else self.b.add("add", before, g)
        held.item_lives.setdefault(number, []).append(live)

    def _held(self, node: int) -> Adjoint:
        """What is known of the adjoint of a node, which is to be passed on."""
        held = self.adjoints.get(node)
        if held is None:
            held = self.adjoints[node] = Adjoint()
            if node not in self.sources:
                heappush(self.pending, -node)
        return held

    def _total(self, node: int, adjoint: Adjoint) -> int:
        """The sum of the contributions, under the name that the primal suggests."""
        graph, b = self.graph, self.b
        plain = adjoint.plain
        total: int | None = plain[0] if plain else None
        if len(plain) > 1:
            total = None
            counts: dict[int, int] = {}
            for part in plain:
                counts[part] = counts.get(part, 0) + 1
            for part, times in counts.items():
                if times > 1:
                    part = b.add("mul", b.const(float(times)), part)
                total = part if total is None else b.add("add", total, part)
        if adjoint.parts:
            total = self._assemble(node, total, adjoint.parts)
        assert total is not None
        name = name_of(graph, node)
        if name is None:
            return total
        if total in self.programmed and graph.locs[total] is None:
            # the name in the program says less than the name of what it is the adjoint of
            at = total
            graph.hints[at] = None
            while graph.ops[at] in ("index_set", "index_add"):
                at = graph.args[at][0]
                graph.hints[at] = None
        fits = graph.locs[total] is None or graph.ops[total] == "sub"
        if graph.names[total] is None and fits:
            many = len(adjoint.plain) + len(adjoint.parts) > 1
            own = graph.locs[total] is None and many and graph.names[node] is not None
            called = self.naming(name)
            b.label(total, called if own else None, called)
        return total

    def _assemble(self, node: int, total: int | None, parts: dict[Any, list[int]]) -> int:
        """An adjoint of which parts were contributed: one buffer, each part put in its place."""
        graph, b = self.graph, self.b
        t = graph.types[node]
        summed: list[tuple[Any, tuple[int, ...], int]] = []
        for (template, operands), contributions in parts.items():
            one = contributions[0]
            for more in contributions[1:]:
                one = b.add("add", one, more)
            summed.append((template, operands, one))
        apart = total is None and are_apart([item[0] for item in summed], t)
        if apart and _cover(summed, t):
            ordered = sorted(summed, key=lambda item: item[0][0][1] % t.shape[0])
            items = tuple(item[2] for item in ordered)
            return b.add("array", *items, attr=((len(items),), self._dtype_of(items, t)))
        if total is None:
            if not apart:
                # what is there first may be computed with in place once it is stored
                summed.sort(key=lambda item: item[2])
            whole = are_all([item[0] for item in summed], t)
            buffer = filled(b, "empty" if whole else "zeros", node)
        else:
            buffer = spread(b, total, t)
        for number, (template, operands, part) in enumerate(summed):
            repeats = may_repeat(b, operands)
            first = total is None and number == 0 and not repeats
            op = "index_set" if apart or first else "index_add"
            buffer = b.add(op, buffer, part, *operands, attr=template)
        return buffer

    def _dtype_of(self, items: Sequence[int], t: Type) -> str | None:
        known = {self.graph.types[i].dtype for i in items}
        return None if t.dtype == "float64" or known == {t.dtype} else t.dtype

    def gradient(self, leaf: int) -> int:
        """The adjoint of a source, as an array of its own with its shape; it is forgotten."""
        graph, b = self.graph, self.b
        t = graph.types[leaf]
        adjoint = self.adjoints.pop(leaf, None)
        if adjoint is None and t.kind == "array":
            return b.add("zeros_like", leaf)
        total = b.const(0.0) if adjoint is None else self._cast(self._total(leaf, adjoint), leaf)
        if t.kind == "scalar" and t.dtype != "float64" and graph.types[total].kind == "py":
            total = b.add("astype", total, attr=t.dtype)
        if t.kind == "array" and (graph.types[total].shape != t.shape or self._is_number(total)):
            one = graph.ops[total] == "const" and graph.values[total] == 1.0
            total = b.add("ones_like", leaf) if one else full_of(b, total, leaf)
        elif t.kind == "array" and _may_alias_argument(graph, total):
            total = b.add("copy", total)
        name = name_of(graph, leaf)
        if graph.locs[total] is None and name is not None:
            b.label(total, None, self.naming(name))
        return total

    def _is_number(self, node: int) -> bool:
        return self.graph.types[node].kind != "array"

    # -- broadcasting --------------------------------------------------------------------------


def _reach(node: int, arg: int, graph: Graph, shape: Shape) -> Shape:
    """The shape over which a structural contribution runs, before it is summed."""
    if graph.ops[node] == "matmul":
        stack = shape[: len(shape) - sum(graph.types[a].rank > 1 for a in graph.args[node])]
        own = graph.types[arg].shape
        return (*stack, *own[-2:]) if len(own) > 1 else (*stack, *own)
    if graph.ops[node] in ("index_set", "index_add") and arg == graph.args[node][1]:
        _, _, *operands = graph.args[node]
        return indexed(graph.types[node], graph.attrs[node], [graph.types[o] for o in operands],
                       [graph.values[o] for o in operands])  # fmt: skip
    return shape


def _cover(summed: Sequence[Any], t: Type) -> bool:
    items = all(template[0][0] == "i" for template, *_ in summed)
    return items and t.rank == 1 and len(summed) == t.shape[0] and len(summed) <= 12


def _may_alias_argument(graph: Graph, node: int) -> bool:
    while OPS[graph.ops[node]].view if graph.ops[node] not in LEAVES else False:
        if graph.ops[node] == "broadcast_to":
            return True
        node = graph.args[node][0]
    return graph.ops[node] in ("param", "global", "seed")
