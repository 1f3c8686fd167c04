"""What the sweeps of both modes need to know: which nodes are active, and where they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import fields
from typing import Any

from gradgen.errors import ActiveTypeError, Location, NeedsLength, Refusal, SourceError
from gradgen.graph import Graph, GraphBuilder
from gradgen.ops import OPS
from gradgen.ops.shape import full_shape
from gradgen.ops.table import Rules
from gradgen.rules import VARIABLES, adjoints, define, mentions, program_reader, splice
from gradgen.types import Shape, Size, Type

_LENGTHS = ("axis_size", "item_count")
LEAVES = frozenset({"param", "const", "constant", "global", "seed"})


def copied(graph: Graph) -> Graph:
    """A graph with lists of its own."""
    result = copy(graph)
    for column in fields(Graph):
        held = getattr(graph, column.name)
        if isinstance(held, (list, dict)) and column.name != "results":
            setattr(result, column.name, copy(held))
    return result


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


def located(refusal: Refusal, loc: Location | None) -> Exception:
    if loc is None:
        return refusal
    from gradgen.read import LengthError

    kind = LengthError if isinstance(refusal, NeedsLength) else SourceError
    return kind(refusal.message, loc, refusal.hint)


class Sweep:
    """A graph that grows by derivatives of what depends on its sources, and what is known of it."""

    def __init__(self, b: GraphBuilder, sources: Iterable[int]) -> None:
        self.graph = b.graph
        self.b = b
        self.sources = set(sources)
        self.active: list[bool] = []
        self.risky: list[bool] = []
        self.fixed: list[bool] = []
        self._look_at_nodes()
        self.programs = program_reader(self.b)
        # Where the node that is swept comes from.
        self.loc: Location | None = None
        # By the result of a definition: the user's node of which it is the value.
        self.stands_for: dict[int, int] = {}

    # -- activity ------------------------------------------------------------------------------

    def _look_at_nodes(self) -> None:
        """Tell of the nodes that are new what the sweep needs to know.

        A node is risky that can be infinite or NaN although the parameters are finite, and fixed
        that is computed of numbers in the text and of lengths alone.
        """
        ops, active = self.graph.ops, self.active
        if len(active) == len(ops):
            return
        columns, sources, risky, fixed = self.graph.args, self.sources, self.risky, self.fixed
        for node in range(len(active), len(ops)):
            op = ops[node]
            if op in LEAVES:
                active.append(node in sources)
                risky.append(False)
                fixed.append(op in ("const", "constant"))
                continue
            row = OPS[op]
            reads_active, risk, same = False, not row.bounded or row.singular, True
            for arg in columns[node]:
                reads_active = reads_active or active[arg]
                risk = risk or risky[arg]
                same = same and fixed[arg]
            active.append(node in sources or (reads_active and self._is_active(node)))
            risky.append(risk)
            fixed.append(same or op in _LENGTHS)

    def _is_active(self, node: int) -> bool:
        """Whether a node that reads active ones depends on a parameter of `wrt` differentiably."""
        graph, active = self.graph, self.active
        if not graph.types[node].is_float:
            return False
        row = OPS[graph.ops[node]]
        if row.d is None:
            return row.linear != "constant"
        rules = self._all_rules(node)
        if None not in rules:
            return True
        args = graph.args[node]
        return any(active[a] and rule is not None for a, rule in zip(args, rules, strict=True))

    def _operand_facts(self, node: int) -> tuple[list[Type], list[Any]]:
        """The types of a node's arguments, and the numbers that choose between rules."""
        graph = self.graph
        args = graph.args[node]
        # Of numbers under a name or in an expression, only those with a rule of their own.
        return [graph.types[a] for a in args], [
            v if graph.ops[a] == "const" or v in (0, 1, -1, 0.5) else None
            for a, v in ((a, graph.values[a]) for a in args)
        ]

    def _rules(self, node: int) -> Rules:
        """The derivative texts for the arguments of an elementwise operation."""
        row = OPS[self.graph.ops[node]]
        if row.alone is not None and sum(self.active[a] for a in self.graph.args[node]) == 1:
            return row.alone
        return row.d if isinstance(row.d, tuple) else self._all_rules(node)

    def _all_rules(self, node: int) -> Rules:
        """The derivative texts, whichever arguments are active."""
        row = OPS[self.graph.ops[node]]
        return row.d if isinstance(row.d, tuple) else row.rules(*self._operand_facts(node))

    def _widened(self, node: int, g: int) -> int:
        """`g`, as a number of NumPy's where float32 operands would round a Python number."""
        graph = self.graph
        if graph.types[node].dtype != "float64":
            return g
        weak = graph.types[g].kind == "py" and graph.values[g] not in (1, -1)
        if weak and any(graph.types[a].dtype == "float32" for a in graph.args[node]):
            return self.b.add("astype", g, attr="float64")
        return g

    def _term(self, node: int, rule: str, g: int, live: int | None) -> int:
        """A derivative text of an elementwise operation on `g`, harmless where nobody reads."""
        graph = self.graph
        row = OPS[graph.ops[node]]
        if not rule:
            raise Refusal(row.why)
        operands = [self.stands_for.get(node, node), g, *graph.args[node]]
        if live is not None:
            read = mentions(rule) - {"g"}
            for at in [k for k, name in enumerate(VARIABLES) if name in read]:
                operands[at] = self._guarded(operands[at], live, row.singular, row.safe)
        return splice(self.b, rule, operands, graph.attrs[node])

    def _expanded(self, node: int) -> list[int]:
        """The nodes of what the definition of a call computes, one for each result."""
        results = define(self.programs, OPS[self.graph.ops[node]], node)
        self._look_at_nodes()
        if results[0] > node and len(results) == 1:
            self.stands_for[results[0]] = node
        return results

    # -- where values are read -----------------------------------------------------------------

    def _part(self, g: int, shape: Shape, lazy: bool) -> int:
        return g if lazy and not self.graph.types[g].shape else full_shape(self.b, g, shape)

    def _parts_of_items(self, node: int, items: Mapping[int, int | None]) -> tuple[int | None, ...]:
        """What there is for several results, each over its shape; None for those without."""
        row = OPS[self.graph.ops[node]]
        types: Any = self.graph.types[node]
        return tuple(
            None if (part := items.get(k)) is None else self._part(part, t.shape, row.lazy)
            for k, t in enumerate(types.items)
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
        if live in (None, condition):
            return condition
        both = "bitand" if t.shape or graph.types[live].shape else "both"
        return b.add(both, live, condition)

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

    def _lives_of_items(self, node: int, lives: Mapping[int, int | None]) -> Sequence[int | None]:
        """Where the operands of a call with several results are live."""
        if not OPS[self.graph.ops[node]].moves or None in lives.values():
            return [None] * len(self.graph.args[node])
        return self._moved_lives(node, self._parts_of_items(node, lives))

    def _harmless(self, node: int, lives: Sequence[int | None]) -> int:
        """The node on arguments without infinities in lanes that nobody reads."""
        graph, b = self.graph, self.b
        args = graph.args[node]
        if not OPS[graph.ops[node]].curved or not any(self.risky[a] for a in args):
            return node
        guarded = [self._guarded(a, l, False, 1.0) for a, l in zip(args, lives, strict=True)]
        return b.add(graph.ops[node], *guarded, attr=graph.attrs[node])

    def _liveness(self, lives: list[int | None]) -> int | None:
        """Or-ed at fan-out: a node is live where any use of it is."""
        if None in lives:
            return None
        known = list(dict.fromkeys(lives))
        graph = self.graph
        inverted = {graph.args[l][0] for l in known if l and graph.ops[l] in ("invert", "not")}
        if not inverted.isdisjoint(known):
            return None
        total = known[0]
        for other in known[1:]:
            assert total is not None and other is not None
            shaped = self.graph.types[total].shape or self.graph.types[other].shape
            total = self.b.add("bitor" if shaped else "either", total, other)
        return total

    # -- shapes and dtypes ----------------------------------------------------------------------

    def _cast(self, g: int, node: int) -> int:
        """`g` in the dtype of the primal, where it has another."""
        have, want = self.graph.types[g], self.graph.types[node]
        if have is want:
            return g
        if have.kind == "py" or want.kind == "py" or have.dtype == want.dtype:
            return g
        return self.b.add("astype", g, attr=want.dtype)

    def _unbroadcast(self, g: int, shape: Shape, node: int) -> int:
        """`g`, an adjoint over `shape`, summed over the axes along which `node` was broadcast.

        `g` may lack axes of `shape`: then it is the same along them, and a sum is a product.
        """
        b, want = self.b, self.graph.types[node].shape
        if want == shape:
            return self._cast(g, node)
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
