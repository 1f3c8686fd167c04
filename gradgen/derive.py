"""Reverse mode: from a graph to the graph that also computes the adjoints of its parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from heapq import heappop, heappush
from typing import Any

from gradgen.errors import ActiveTypeError, Location, NeedsLength, Refusal, SourceError
from gradgen.graph import Graph, GraphBuilder, Tree, leaves, map_tree
from gradgen.ops import OPS
from gradgen.ops.indexing import WHOLE, are_apart, indexed, is_reshape, may_repeat, resolve
from gradgen.ops.shape import full_shape
from gradgen.rules import adjoints, define, mentions, program_reader, splice
from gradgen.types import FLOAT, Shape, Size, Type

_LENGTHS = ("axis_size", "item_count")
_LEAVES = ("param", "const", "constant", "global", "seed")


@dataclass(slots=True)
class Adjoint:
    """What has been contributed to the adjoint of a node so far."""

    plain: list[int] = field(default_factory=list)
    # Contributions to parts: (template, index operands) -> nodes.
    parts: dict[tuple[Any, tuple[int, ...]], list[int]] = field(default_factory=dict)
    # Contributions to one of several results, by its number.
    items: dict[int, int] = field(default_factory=dict)
    # Where each of several results is read.
    item_lives: dict[int, list[int | None]] = field(default_factory=dict)
    # Where the node is read at all; None: everywhere.
    live: list[int | None] = field(default_factory=list)


def reverse(graph: Graph, wrt: Sequence[Tree], value: int, seed: int | None = None) -> Graph:
    """A graph that also computes the adjoints of the trees `wrt` of parameter nodes.

    Its results are `(value, adjoints)`. The seed of the value is 1, or a new `seed` node if `seed`
    is not None. Raises `SourceError` where an active operation has no derivative, `ActiveTypeError`
    where a parameter of `wrt` holds integers.
    """
    return _Reverse(graph, wrt, value).run(seed is not None)


def copied(graph: Graph) -> Graph:
    """A graph with lists of its own."""
    result = copy(graph)
    for column in fields(Graph):
        held = getattr(graph, column.name)
        if isinstance(held, (list, dict)) and column.name != "results":
            setattr(result, column.name, copy(held))
    return result


class _Reverse:
    def __init__(self, graph: Graph, wrt: Sequence[Tree], value: int) -> None:
        self.graph = copied(graph)
        self.b = GraphBuilder(self.graph)
        self.wrt = wrt
        self.value = value
        self.sources = set(leaves(list(wrt)))
        self.active: list[bool] = []
        self.risky: list[bool] = []
        self.fixed: list[bool] = []
        self._look_at_nodes()
        self.adjoints: dict[int, Adjoint] = {}
        # The nodes whose adjoints are still to be passed on, negated: a heap.
        self.pending: list[int] = []
        self.programs = program_reader(self.b)
        # Adjoints that programs computed, under the names that these give them.
        self.programmed: set[int] = set()
        # Where the node that is swept comes from.
        self.loc: Location | None = None
        # By the result of a definition: the user's node of which it is the value.
        self.stands_for: dict[int, int] = {}

    def run(self, seeded: bool) -> Graph:
        b, graph = self.b, self.graph
        for leaf in leaves(list(self.wrt)):
            check_active(graph, leaf)
        # of a number the seed may be a Python float, which has no methods and is weak
        own_seed = graph.types[self.value] if graph.types[self.value].shape else FLOAT
        seed = b.leaf("seed", "seed", own_seed) if seeded else b.const(1.0)
        if self.active[self.value]:
            self._contribute(self.value, seed, None)
        while self.pending:
            node = -heappop(self.pending)
            # what a definition computes belongs to the call that was swept just before
            self.loc = graph.locs[node] or self.loc
            self._step(node, self.adjoints.pop(node))
        adjoints = tuple(map_tree(self._final, tree) for tree in self.wrt)
        graph.results = (self.value, adjoints)
        return graph

    # -- what the sweep needs to know ----------------------------------------------------------

    def _look_at_nodes(self) -> None:
        """Tell of the nodes that are new what the sweep needs to know."""
        for node in range(len(self.active), len(self.graph)):
            self.active.append(self._is_active(node))
            self.risky.append(self._is_risky(node))
            self.fixed.append(self._is_fixed(node))

    def _is_active(self, node: int) -> bool:
        """Whether a node depends differentiably on a parameter of `wrt`."""
        graph, active = self.graph, self.active
        args = graph.args[node]
        if node in self.sources:
            return True
        if not graph.types[node].is_float or not any(active[a] for a in args):
            return False
        row = OPS[graph.ops[node]]
        if row.d is None:
            return True
        rules = row.rules(*self._operand_facts(node))
        return any(active[a] and rule is not None for a, rule in zip(args, rules, strict=True))

    def _is_fixed(self, node: int) -> bool:
        """Whether a node is computed of numbers in the text and of lengths alone."""
        graph, fixed = self.graph, self.fixed
        if graph.ops[node] in _LEAVES:
            return graph.ops[node] in ("const", "constant")
        return graph.ops[node] in _LENGTHS or all(fixed[a] for a in graph.args[node])

    def _is_risky(self, node: int) -> bool:
        """Whether a node can be infinite or NaN although the parameters are finite."""
        graph, risky = self.graph, self.risky
        if graph.ops[node] in _LEAVES:
            return False
        row = OPS[graph.ops[node]]
        return not row.bounded or row.singular or any(risky[a] for a in graph.args[node])

    def _operand_facts(self, node: int) -> tuple[list[Type], list[Any]]:
        """The types of a node's arguments, and the numbers that choose between rules."""
        graph = self.graph
        args = graph.args[node]
        # Of numbers under a name or in an expression, only those with a rule of their own.
        return [graph.types[a] for a in args], [
            v if graph.ops[a] == "const" or v in (0, 1, -1, 0.5) else None
            for a, v in ((a, graph.values[a]) for a in args)
        ]

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
            raise _located(refusal, self.loc) from None

    def _several(self, node: int, adjoint: Adjoint) -> None:
        """Pass on the adjoints of a node with several results."""
        row, items = OPS[self.graph.ops[node]], adjoint.items
        lives = {k: self._liveness(held) for k, held in adjoint.item_lives.items()}
        if row.defined:
            self._defined(node, items, lives)
        elif row.adjoint:
            types = self.graph.types[node].items  # type: ignore[attr-defined]
            gs = tuple(
                self._part(items[k], t.shape, row.lazy) if k in items else None
                for k, t in enumerate(types)
            )
            alive: Any = None
            if row.moves and None not in lives.values():
                alive = tuple(
                    self._part(lives[k], t.shape, row.lazy)  # type: ignore[arg-type]
                    if k in lives else None
                    for k, t in enumerate(types)
                )  # fmt: skip
            where = self._moved_lives(node, alive)
            self._written(node, adjoints(self.programs, row, node, gs), where)
        else:
            raise Refusal(row.why or f"{row.call or row.name} has no derivative here")

    def _part(self, g: int, shape: Shape, lazy: bool) -> int:
        return g if lazy and not self.graph.types[g].shape else full_shape(self.b, g, shape)

    def _defined(self, node: int, items: dict[int, int], lives: Mapping[int, int | None]) -> None:
        """Hand the adjoints of a call to what its definition computes, which is swept next."""
        results = define(self.programs, OPS[self.graph.ops[node]], node)
        self._look_at_nodes()
        for number, g in items.items():
            result = results[number]
            if result > node and len(results) == 1:
                self.stands_for[result] = node
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
        graph, b = self.graph, self.b
        args = graph.args[node]
        row = OPS[graph.ops[node]]
        rules = row.rules(*self._operand_facts(node))
        if row.alone is not None and sum(self.active[a] for a in args) == 1:
            rules = row.alone
        flavour = graph.attrs[node]
        narrow = any(graph.types[a].dtype == "float32" for a in args)
        weak = graph.types[g].kind == "py" and graph.values[g] not in (1, -1)
        if narrow and weak and graph.types[node].dtype == "float64":
            # times float32 alone, a Python number would be rounded to it
            g = b.add("astype", g, attr="float64")
        out = self.stands_for.get(node, node)
        names = dict(zip(("x", "y", "z"), args, strict=False)) | {"out": out}
        for position, (arg, rule) in enumerate(zip(args, rules, strict=True)):
            if rule is None or not self.active[arg]:
                continue
            if not rule:
                raise Refusal(row.why)
            operands = {"g": g}
            for name in mentions(rule) - {"g"}:
                operands[name] = self._guarded(names[name], live, row.singular, row.safe)
            part = splice(b, rule, operands, flavour)
            alive = self._branch(node, position, live)
            shape = graph.types[node].shape
            self._contribute(
                arg, self._unbroadcast(part, shape, arg), self._unbroadcast_live(alive, arg)
            )

    def _guarded(self, operand: int, live: int | None, singular: bool, safe: float) -> int:
        """An operand of a partial, replaced by a harmless number in lanes that nobody reads."""
        if live is None or self.fixed[operand]:
            return operand
        if not singular and not self.risky[operand]:
            return operand
        return self.b.add("where", live, operand, self.b.const(safe))

    def _branch(self, node: int, position: int, live: int | None) -> int | None:
        """Where the contribution to an argument is live: `np.where` reads one branch a lane."""
        graph, b = self.graph, self.b
        if graph.ops[node] != "where":
            return live
        condition = graph.args[node][0]
        t = graph.types[condition]
        if t.dtype != "bool":
            condition = b.add("ne", condition, b.const(0))
        if position == 2:
            condition = b.add("invert" if t.shape else "not", condition)
        if live is None:
            return condition
        both = "bitand" if t.shape or graph.types[live].shape else "both"
        return b.add(both, live, condition)

    def _structural(self, node: int, g: int, live: int | None) -> None:
        graph, b = self.graph, self.b
        row = OPS[graph.ops[node]]
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
        assert row.vjp is not None
        if 0 < graph.types[g].rank < graph.types[node].rank:
            g = full_shape(b, g, graph.types[node].shape)
        lives = self._structural_lives(node, live)
        parts = row.vjp(b, self._harmless(node, lives), g)
        for arg, part, alive in zip(args, parts, lives, strict=True):
            if part is not None and self.active[arg]:
                shape = graph.types[node].shape
                wanted = graph.types[arg].shape
                if len(graph.types[part].shape) > len(wanted) or graph.ops[node] in (
                    "matmul", "total", "full", "full_like", "broadcast_to", "index_set",
                    "index_add",
                ):  # fmt: skip
                    part = self._unbroadcast(part, _reach(node, arg, graph, shape), arg)
                else:
                    part = self._cast(part, arg)
                self._contribute(arg, part, alive)

    def _structural_lives(self, node: int, live: int | None) -> Sequence[int | None]:
        """Where each argument of a structural operation is live."""
        graph = self.graph
        args = graph.args[node]
        row = OPS[graph.ops[node]]
        if row.moves and live is not None:
            return self._moved_lives(node, self._part(live, graph.types[node].shape, row.lazy))
        if live is None or row.live is None:
            return [None] * len(args)
        if graph.types[live].shape:
            live = full_shape(self.b, live, graph.types[node].shape)
        lives = row.live(self.b, node, live)
        return [self._unbroadcast_live(l, a) for l, a in zip(lives, args, strict=True)]

    def _moved_lives(self, node: int, live: Any) -> Sequence[int | None]:
        """Where the operands are live of a call whose program moves items."""
        graph, b = self.graph, self.b
        if live is None:
            return [None] * len(graph.args[node])
        lives: list[int | None] = []
        moved = adjoints(self.programs, OPS[graph.ops[node]], node, live)
        for arg, part in zip(graph.args[node], moved, strict=True):
            if part is not None and graph.types[part].dtype != "bool":
                part = b.add("ne", part, b.const(0))
            lives.append(self._unbroadcast_live(part, arg))
        return lives

    def _harmless(self, node: int, lives: Sequence[int | None]) -> int:
        """The node on arguments without infinities in lanes that nobody reads."""
        graph, b = self.graph, self.b
        args = graph.args[node]
        if not OPS[graph.ops[node]].curved or not any(self.risky[a] for a in args):
            return node
        guarded = [self._guarded(a, l, False, 1.0) for a, l in zip(args, lives, strict=True)]
        return b.add(graph.ops[node], *guarded, attr=graph.attrs[node])

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
        if node not in self.adjoints:
            self.adjoints[node] = Adjoint()
            if node not in self.sources:
                heappush(self.pending, -node)
        return self.adjoints[node]

    def _liveness(self, lives: list[int | None]) -> int | None:
        """Or-ed at fan-out: a node is live where any use of it is."""
        known = list(dict.fromkeys(lives))
        graph = self.graph
        inverted = {graph.args[l][0] for l in known if l and graph.ops[l] in ("invert", "not")}
        if None in known or not inverted.isdisjoint(known):
            return None
        total = known[0]
        for other in known[1:]:
            assert total is not None and other is not None
            shaped = self.graph.types[total].shape or self.graph.types[other].shape
            total = self.b.add("bitor" if shaped else "either", total, other)
        return total

    def _total(self, node: int, adjoint: Adjoint) -> int:
        """The sum of the contributions, under the name that the primal suggests."""
        graph, b = self.graph, self.b
        total: int | None = None
        for part, times in Counter(adjoint.plain).items():
            if times > 1:
                part = b.add("mul", b.const(float(times)), part)
            total = part if total is None else b.add("add", total, part)
        if adjoint.parts:
            total = self._assemble(node, total, adjoint.parts)
        assert total is not None
        name = name_of(graph, node)
        if name is not None and total in self.programmed and graph.locs[total] is None:
            # the name in the program says less than the name of what it is the adjoint of
            at = total
            graph.hints[at] = None
            while graph.ops[at] in ("index_set", "index_add"):
                at = graph.args[at][0]
                graph.hints[at] = None
        fits = graph.locs[total] is None or graph.ops[total] == "sub"
        if name is not None and graph.names[total] is None and fits:
            many = len(adjoint.plain) + len(adjoint.parts) > 1
            own = graph.locs[total] is None and many and graph.names[node] is not None
            b.label(total, f"d_{name}" if own else None, f"d_{name}")
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
        buffer = _zeros(b, node, t) if total is None else full_shape(b, total, t.shape)
        for number, (template, operands, part) in enumerate(summed):
            repeats = may_repeat(b, operands)
            first = total is None and number == 0 and not repeats
            op = "index_set" if apart or first else "index_add"
            buffer = b.add(op, buffer, part, *operands, attr=template)
        return buffer

    def _dtype_of(self, items: Sequence[int], t: Type) -> str | None:
        known = {self.graph.types[i].dtype for i in items}
        return None if t.dtype == "float64" or known == {t.dtype} else t.dtype

    def _final(self, leaf: int) -> int:
        """The adjoint of a parameter, as an array of its own with the parameter's shape."""
        graph, b = self.graph, self.b
        t = graph.types[leaf]
        adjoint = self.adjoints.get(leaf)
        if adjoint is None and t.kind == "array":
            return b.add("zeros_like", leaf)
        total = b.const(0.0) if adjoint is None else self._cast(self._total(leaf, adjoint), leaf)
        if t.kind == "scalar" and t.dtype != "float64" and graph.types[total].kind == "py":
            total = b.add("astype", total, attr=t.dtype)
        if t.kind == "array" and (graph.types[total].shape != t.shape or self._is_number(total)):
            one = graph.ops[total] == "const" and graph.values[total] == 1.0
            total = b.add("ones_like", leaf) if one else b.add("full_like", leaf, total)
        elif t.kind == "array" and _may_alias_argument(graph, total):
            total = b.add("copy", total)
        if graph.locs[total] is None:
            b.label(total, None, f"d_{name_of(graph, leaf)}")
        return total

    def _is_number(self, node: int) -> bool:
        return self.graph.types[node].kind != "array"

    # -- broadcasting --------------------------------------------------------------------------

    def _cast(self, g: int, node: int) -> int:
        """`g` in the dtype of the primal, where it has another."""
        have, want = self.graph.types[g], self.graph.types[node]
        if have.kind == "py" or want.kind == "py" or have.dtype == want.dtype:
            return g
        return self.b.add("astype", g, attr=want.dtype)

    def _unbroadcast(self, g: int, shape: Shape, node: int) -> int:
        """`g`, an adjoint over `shape`, summed over the axes along which `node` was broadcast.

        `g` may lack axes of `shape`: then it is the same along them, and a sum is a product.
        """
        b, want = self.b, self.graph.types[node].shape
        have = self.graph.types[g].shape
        factor: Size = 1
        dropped: list[int] = []
        kept: list[int] = []
        for back in range(1, len(shape) + 1):
            length = shape[-back]
            target = want[-back] if back <= len(want) else None
            if target == length:
                continue
            present = back <= len(have) and (have[-back] == length or length == 1)
            if not present:
                factor = factor * length
            if back <= len(have) and (present or target is None):
                (dropped if target is None else kept).append(len(have) - back)
        if kept:
            g = b.add("sum", g, attr=(tuple(sorted(kept)), True, None))
        if dropped:
            every = len(dropped) == len(have)
            axes = None if every else tuple(sorted(dropped))
            g = b.add("sum", g, attr=(axes, False, None))
        if factor != 1:
            g = b.add("mul", g, b.size(factor))
        return self._cast(g, node)

    def _unbroadcast_live(self, live: int | None, node: int) -> int | None:
        """Where a broadcast operand is live: anywhere along the axes that it lacks."""
        if live is None:
            return None
        want = self.graph.types[node].shape
        have = self.graph.types[live].shape
        dropped = tuple(range(max(len(have) - len(want), 0)))
        if dropped:
            axes = None if len(dropped) == len(have) else dropped
            live = self.b.add("any", live, attr=(axes, False, None))
            have = have[len(dropped) :]
        kept = tuple(
            i for i, n in enumerate(have) if n != 1 and want[len(want) - len(have) + i] == 1
        )
        return self.b.add("any", live, attr=(kept, True, None)) if kept else live


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


def name_of(graph: Graph, node: int) -> str | None:
    """What a value is called: its parameter, the last key that leads to it, or the user's name."""
    if graph.ops[node] == "param":
        name, path = graph.attrs[node]
        last = next((str(p).lstrip(".") for p in reversed(path)), name)
        if last.isdigit():
            return f"{name}{last}" if len(path) == 1 else f"{name}_{'_'.join(map(str, path))}"
        return last if last.isidentifier() else str(name)
    return graph.names[node] or graph.hints[node]


def check_active(graph: Graph, leaf: int) -> None:
    """Raises `ActiveTypeError` where a parameter to differentiate holds no floats."""
    t = graph.types[leaf]
    if not t.is_float:
        name = graph.attrs[leaf][0]
        raise ActiveTypeError(
            f"the argument {name} is {t}, and has no derivative; "
            "pass floats, or leave it out of wrt"
        )


def _located(refusal: Refusal, loc: Location | None) -> Exception:
    if loc is None:
        return refusal
    from gradgen.read import LengthError

    kind = LengthError if isinstance(refusal, NeedsLength) else SourceError
    return kind(refusal.message, loc, refusal.hint)


def _cover(summed: Sequence[Any], t: Type) -> bool:
    return t.rank == 1 and len(summed) == t.shape[0] and len(summed) <= 12


def _zeros(b: GraphBuilder, node: int, t: Type) -> int:
    dtype = None if t.dtype == "float64" else t.dtype
    return b.add("zeros", *(b.size(n) for n in t.shape), attr=dtype)


def _may_alias_argument(graph: Graph, node: int) -> bool:
    while OPS[graph.ops[node]].view if graph.ops[node] not in _LEAVES else False:
        if graph.ops[node] == "broadcast_to":
            return True
        node = graph.args[node][0]
    return graph.ops[node] in ("param", "global", "seed")
