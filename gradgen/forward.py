"""Forward mode: the tangents of values, from the first node to the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

from gradgen.derive import Reverse
from gradgen.errors import Location, Refusal
from gradgen.graph import GraphBuilder
from gradgen.ops import OPS
from gradgen.ops.indexing import may_repeat
from gradgen.ops.shape import filled, full_shape
from gradgen.rules import adjoints
from gradgen.sweep import Sweep, located, name_of
from gradgen.types import TupleType

# The tangent of a node; of one with several results, that of each. None: it is zero.
Tangent = int | None | list[int | None]


class Forward(Sweep):
    """The tangents of values along one direction.

    `tangents` gives the nodes of the direction by the parameter nodes that it changes. A tangent
    may lack axes of its value, along which it is the same then. Raises `SourceError` where an
    active operation has no derivative.
    """

    def __init__(
        self, b: GraphBuilder, tangents: Mapping[int, int], loc: Location | None = None
    ) -> None:
        super().__init__(b, tangents)
        # what is derived has no place of its own
        self.loc = loc
        self.tangents: dict[int, Tangent] = dict(tangents)
        # What the tangent of a value is called, by the name of the value.
        self.naming: Callable[[str], str] = "t_{}".format
        # Where each node is read at all; None: everywhere.
        self.lives: dict[int, list[int | None]] = {}
        # Where each of several results is read.
        self.item_lives: dict[int, dict[int, list[int | None]]] = {}
        # What the definitions of calls compute.
        self.defined: dict[int, list[int]] = {}
        self.pending: list[int] = []
        self.transposer: Reverse | None = None
        # By the seed of a vjp: the node that it stands for, and zeros in its place.
        self.seeds: dict[int, tuple[int, int]] = {}

    def push(self, values: Sequence[int]) -> list[int | None]:
        """The nodes of the tangents of values; None for one that does not change."""
        order = self._needed(values)
        for node in reversed(order):
            if node not in self.tangents:
                self.loc = self.graph.locs[node] or self.loc
                try:
                    self.tangents[node] = self._tangent(node)
                except Refusal as refusal:
                    raise located(refusal, self.loc) from None
        self._forget_seeds()
        return [self._of(value) for value in values]

    def _of(self, node: int) -> int | None:
        found = self.tangents.get(node)
        assert not isinstance(found, list)
        return found

    # -- what is needed, and where it is read --------------------------------------------------

    def _needed(self, values: Sequence[int]) -> list[int]:
        """The active nodes that the values need, from the last to the first.

        What a definition computes comes after the call that it defines, and may have come before
        for another call: then it is there twice.
        """
        order: list[int] = []
        for value in values:
            self._read(value, None)
        while self.pending:
            node = -heappop(self.pending)
            while self.pending and self.pending[0] == -node:
                heappop(self.pending)
            self.loc = self.graph.locs[node] or self.loc
            order.append(node)
            try:
                self._pass_on(node)
            except Refusal as refusal:
                raise located(refusal, self.loc) from None
        return order

    def _read(self, node: int, live: int | None) -> None:
        """Note where a node is read, which is to be passed on to its arguments."""
        if self.active[node] and node not in self.sources:
            self.lives.setdefault(node, []).append(live)
            heappush(self.pending, -node)

    def _pass_on(self, node: int) -> None:
        """Note where the arguments of a node are read."""
        graph = self.graph
        op, args = graph.ops[node], graph.args[node]
        row = OPS[op]
        if op == "item":
            held = self.item_lives.setdefault(args[0], {}).setdefault(graph.attrs[node], [])
            held.append(self._live(node))
            heappush(self.pending, -args[0])
        elif row.defined:
            self.defined[node] = self._expanded(node)
            lives = self._item_lives(node) or {0: self._live(node)}
            for k, live in lives.items():
                self._read(self.defined[node][k], live)
        elif row.linear == "constant":
            return
        elif row.d is not None:
            live = self._live(node)
            for position, (arg, rule) in enumerate(zip(args, self._rules(node), strict=True)):
                if rule is not None:
                    alive = self._branch(node, position, live)
                    self._read(arg, self._unbroadcast_live(alive, arg))
        else:
            for arg, alive in zip(args, self._lives_of_arguments(node), strict=True):
                self._read(arg, alive)
        self._look_at_nodes()

    def _live(self, node: int) -> int | None:
        return self._liveness(self.lives.get(node, [None]))

    def _item_lives(self, node: int) -> dict[int, int | None]:
        held = self.item_lives.get(node, {})
        return {k: self._liveness(lives) for k, lives in held.items()}

    def _lives_of_arguments(self, node: int) -> Sequence[int | None]:
        """Where each argument of an operation that is not elementwise is read."""
        if node in self.item_lives:
            return self._lives_of_items(node, self._item_lives(node))
        return self._structural_lives(node, self._live(node))

    # -- the tangent of one node ---------------------------------------------------------------

    def _tangent(self, node: int) -> Tangent:
        graph, args, before = self.graph, self.graph.args[node], len(self.graph)
        row = OPS[graph.ops[node]]
        found: Tangent
        if graph.ops[node] == "item":
            held = self.tangents[args[0]]
            # nothing leads from a parameter to any of the results, as through `matrix_power(x, 0)`
            found = held[graph.attrs[node]] if isinstance(held, list) else None
        elif row.defined:
            parts = [self._of(result) for result in self.defined[node]]
            found = parts if node in self.item_lives else parts[0]
        elif all(self.tangents.get(a) is None for a in args) or row.linear == "constant":
            found = None
        elif row.jvp is not None:
            found = row.jvp(self.b, node, [self._whole(a) for a in args], self._live(node))
            found = self._transposed(node) if found is None else found
        elif row.linear in ("first", "all"):
            found = self._itself(node)
        elif row.linear == "each":
            found = self._each(node)
        elif row.d is not None:
            found = self._elementwise(node)
        elif row.vjp is not None or row.adjoint:
            found = self._transposed(node)
        else:
            raise Refusal(row.why or f"{row.call or row.name} has no derivative here")
        self._look_at_nodes()
        for part in found if isinstance(found, list) else [found]:
            if part is not None and part >= before:
                # a program may have called it otherwise
                graph.hints[part] = None
        if isinstance(found, int):
            found = self._cast(found, node)
            name = name_of(graph, node)
            if name is not None and graph.names[found] is None and graph.locs[found] is None:
                self.b.label(found, None, self.naming(name))
        return found

    def _sum(self, parts: Sequence[int]) -> int | None:
        total: int | None = None
        for part in parts:
            total = part if total is None else self.b.add("add", total, part)
        return total

    def _elementwise(self, node: int) -> int | None:
        live = self._live(node)
        parts = []
        for arg, rule in zip(self.graph.args[node], self._rules(node), strict=True):
            t = self._of(arg)
            if rule is not None and t is not None:
                parts.append(self._term(node, rule, self._widened(node, t), live))
        return self._sum(parts)

    def _whole(self, arg: int) -> int | None:
        """The tangent of an argument, over its whole shape."""
        t = self._of(arg)
        return None if t is None else full_shape(self.b, t, self.graph.types[arg].shape)

    def _zero(self, arg: int) -> int:
        return filled(self.b, "zeros", arg) if self.graph.types[arg].shape else self.b.const(0.0)

    def _itself(self, node: int) -> Tangent:
        """The operation itself on the tangents of its first operand, or of all together."""
        graph, b = self.graph, self.b
        op, args = graph.ops[node], graph.args[node]
        if op in ("index_set", "index_add"):
            return self._update(node)
        if op == "copy":
            return self._of(args[0])
        operands = list(args)
        for k, arg in enumerate(args if OPS[op].linear == "all" else args[:1]):
            if op == "where":
                t, zero = self._of(arg), b.const(0.0)
                operands[k] = arg if k == 0 else zero if t is None else t
            else:
                t = self._whole(arg)
                operands[k] = self._zero(arg) if t is None else t
        made = b.add(op, *operands, attr=graph.attrs[node])
        found: Any = graph.types[node]
        if not isinstance(found, TupleType):
            return made
        return [b.add("item", made, attr=k) for k in range(len(found.items))]

    def _update(self, node: int) -> int | None:
        """A store into the tangent of the buffer."""
        graph, b = self.graph, self.b
        op, (buffer, new, *operands) = graph.ops[node], graph.args[node]
        t, t_new = self._whole(buffer), self._of(new)
        if t_new is None and op == "index_add":
            return t
        if t is None:
            t = filled(b, "zeros", buffer)
            op = "index_add" if op == "index_add" and may_repeat(b, operands) else "index_set"
        t_new = b.const(0.0) if t_new is None else t_new
        return b.add(op, t, t_new, *operands, attr=graph.attrs[node])

    def _each(self, node: int) -> int | None:
        """The operation itself on the tangent of one operand at a time, summed."""
        graph = self.graph
        args = graph.args[node]
        harmless = graph.args[self._harmless(node, self._lives_of_arguments(node))]
        parts = []
        for k, arg in enumerate(args):
            t = self._whole(arg)
            if t is not None:
                operands = (*harmless[:k], t, *harmless[k + 1 :])
                parts.append(self.b.add(graph.ops[node], *operands, attr=graph.attrs[node]))
        return self._sum(parts)

    # -- the transpose of the vjp --------------------------------------------------------------

    def _transposed(self, node: int) -> Tangent:
        """The tangent by the adjoint of `g -> vjp(g)`, for an operation that tells only its vjp."""
        graph, b = self.graph, self.b
        if self.transposer is None:
            self.transposer = Reverse(b, ())
            self.transposer.naming = self.naming
        transposer = self.transposer
        found: Any = graph.types[node]
        seeds: list[int | None]
        if isinstance(found, TupleType):
            wanted = self.item_lives[node]
            seeds = [
                self._seed(b.add("item", node, attr=k)) if k in wanted else None
                for k in range(len(found.items))
            ]
        else:
            seeds = [self._seed(node)]
        transposer.sources |= {seed for seed in seeds if seed is not None}
        parts = self._vjp(node, seeds)
        transposer._look_at_nodes()
        pulled = []
        for arg, part in zip(graph.args[node], parts, strict=True):
            t = self._of(arg)
            if part is not None and t is not None:
                pulled.append((part, self._unbroadcast(t, graph.types[arg].shape, part)))
        transposer.pull(pulled)
        results = [None if seed is None else transposer.collected(seed) for seed in seeds]
        return results if isinstance(found, TupleType) else results[0]

    def _seed(self, node: int) -> int:
        """A new leaf for the adjoint of a node."""
        zero = self.b.add("zeros_like", node)
        seed = self.b.leaf("seed", ("of", len(self.graph)), self.graph.types[node])
        self.seeds[seed] = (node, zero)
        return seed

    def _forget_seeds(self) -> None:
        """What is linear in a seed has a derivative that reads nothing of it but its shape.

        Where it is linear as a whole only, as a block of a matrix function is, it is taken at 0.
        """
        graph = self.graph
        for node in range(min(self.seeds, default=len(graph)), len(graph)):
            found = graph.lengths.get(str(graph.values[node]))
            if graph.ops[node] == "axis_size" and found is not None and self._of_seed(node):
                # what is computed of a seed is not computed for its length
                graph.args[node], graph.attrs[node] = (found[0],), found[1]
            elif not self.seeds.keys().isdisjoint(graph.args[node]):
                which = OPS[graph.ops[node]].linear != "constant"
                graph.args[node] = tuple(
                    self.seeds[a][which] if a in self.seeds else a for a in graph.args[node]
                )

    def _of_seed(self, node: int) -> bool:
        """Whether the argument of a node depends on a seed, and a parameter has its length."""
        assert self.transposer is not None
        (arg,) = self.graph.args[node]
        _, axis = self.graph.lengths[str(self.graph.values[node])]
        return axis is not None and self.transposer.active[arg]

    def _vjp(self, node: int, seeds: Sequence[int | None]) -> Sequence[int | None]:
        """The adjoints of the operands with a tangent, over their shapes, from those of results."""
        graph = self.graph
        row, args = OPS[graph.ops[node]], graph.args[node]
        moving = [self._of(a) is not None for a in args]
        if node in self.item_lives:
            parts = adjoints(self.programs, row, node, tuple(seeds))
        else:
            (seed,) = seeds
            assert seed is not None and self.transposer is not None
            at, live = self._harmless(node, self._lives_of_arguments(node)), self._live(node)
            self._look_at_nodes()
            if row.vjp is not None:
                return self.transposer.structural_parts(node, at, seed, moving, live)
            out = self._guarded(at, live, row.singular, row.safe) if row.apart else at
            parts = adjoints(self.programs, row, at, seed, out)
        return [
            self._unbroadcast(part, graph.types[part].shape, arg)
            if part is not None and moves else None
            for arg, part, moves in zip(args, parts, moving, strict=True)
        ]  # fmt: skip
