"""The writer of the default style where arrays are long: adjoints are computed in place.

What the user wrote stays as it is. A derived expression of several operations on arrays becomes a
first operation and updates, `d_x = u * v`, `d_x *= w`; and an array of the forward pass that
nothing reads later gives its memory: `t *= t`, `d_r = np.multiply(200.0, r, r)`. What may be
written to is as in the fast style: no argument, nothing that is returned, nothing of which a view
is read later. Where that takes arguments of the dtypes declared, others are converted first.
"""

from __future__ import annotations

import math
from functools import cache

from gradgen.buffers import FastWriter, _ufunc
from gradgen.dtypes import Dtypes
from gradgen.emission import _UPDATES, FOREVER, FunctionWriter
from gradgen.graph import Graph
from gradgen.ops import OPS
from gradgen.surroundings import ModuleWriter
from gradgen.targets import Expr
from gradgen.targets.base import call
from gradgen.types import Type
from gradgen.unit import Plan

# Arrays that are known to be smaller are as fast in one expression.
_SMALL = 1000
# What part of the work on arrays the derived arithmetic is at least, for a gain of 3 %.
_SHARE = 0.1
# So many operations are one line that reads best as it is.
_FEW = 3
# Of longer programs the plan of memory would take a third of the time to emit.
_MOST = 100_000
_ARITHMETIC = ("add", "sub", "mul", "div")
_COMMUTATIVE = ("add", "mul")


def pays(graph: Graph) -> bool:
    """Whether arithmetic on long arrays that was derived is much of what a function computes."""
    derived = total = 0
    if len(graph) > _MOST:
        return False
    for node, (op, t) in enumerate(zip(graph.ops, graph.types, strict=True)):
        if t.shape and op in OPS:
            total += 1 if _is_square(graph, node) else OPS[op].cost
            derived += graph.locs[node] is None and op in _ARITHMETIC and _is_long(t)
    return derived > _FEW and derived >= _SHARE * total


def _is_square(graph: Graph, node: int) -> bool:
    return graph.ops[node] == "power" and graph.values[graph.args[node][1]] == 2


@cache
def _is_long(t: Type) -> bool:
    known = [n for n in t.shape if isinstance(n, int)]
    return len(known) < len(t.shape) or math.prod(known) >= _SMALL


class InPlaceWriter(FastWriter):
    """Writes one function whose derived arithmetic on arrays is done in place."""

    def __init__(self, module: ModuleWriter, plan: Plan) -> None:
        super().__init__(module, plan)
        self.dtypes = Dtypes(self.graph)
        # The arguments that can be converted, by their nodes, and those that must be.
        self.names_of = {
            p.tree: p.name for p in plan.params
            if isinstance(p.tree, int) and self.graph.types[p.tree].kind == "array"
            and plan.unpack is None
        }  # fmt: skip
        self.converted: set[int] = set()
        # Where each value is computed: the statement before which its own is written, and its own.
        self.when: dict[int, tuple[int, int]] = {}
        # Values that can be computed in the memory of an array which is read no more then, and the
        # operand that is computed there before, or -1.
        self.toward: dict[int, int] = {}

    function = FunctionWriter.function
    _is_reserved = FunctionWriter._is_reserved
    _stands_alone = FunctionWriter._stands_alone

    # -- the plan of statements --------------------------------------------------------------------

    def _choose_statements(self) -> None:
        FunctionWriter._choose_statements(self)
        self._compute_last_uses()
        ops = self.graph.ops
        for node in self.plan.nodes:
            held = self._held(node)
            onward = [a for a in held if a in self.toward]
            if onward or self._dies_in(node):
                # `d_x -= t` rather than `np.subtract(u * v, t, out=t)`
                first = self.graph.args[node][0]
                behind = first in held and self.graph.ops[node] not in _COMMUTATIVE
                self.toward[node] = first if behind else onward[0] if onward else -1
        for node in reversed(self.plan.nodes):
            stored = any(ops[u] in _UPDATES for u in self.users.get(node, ()))
            if (node in self.statements or stored) and node not in self.place:
                self._choose_in(node)
        self.statements |= self.next.keys() | self.writing

    def _choose_in(self, root: int) -> None:
        """Choose what is done in place in the expression of a statement."""
        stack = [root]
        while stack:
            node = stack.pop()
            if not self._is_derived(node):
                continue
            own = node == root and self._wanted(node) is not None
            spine = self._spine(node) if own or node in self.toward else [node]
            if len(spine) > 2 or (node in self.toward and self._pays_for_one(node, spine)):
                self.next |= dict(zip(spine[1:], spine, strict=False))
                self.writing |= set(spine)
            else:
                spine = [node]
            inner = set(spine)
            self.place |= dict.fromkeys(spine, self.when[root][0])
            stack += [
                a for n in spine for a in self.graph.args[n]
                if a not in inner and a not in self.statements and a in self.own
            ]  # fmt: skip

    def _is_derived(self, node: int) -> bool:
        return self.graph.locs[node] is None and self.graph.ops[node] in _ARITHMETIC

    def _held(self, node: int) -> list[int]:
        """The operands of a value in whose memory it can be computed, as nobody else reads them."""
        if not self._is_derived(node):
            return []
        return [
            a for a in dict.fromkeys(self.graph.args[node])
            if self._is_derived(a) and a not in self.statements and self.count[a] == 1
            and self._can_hold(a, node)
        ]  # fmt: skip

    def _spine(self, node: int) -> list[int]:
        """A value, the operand in whose memory it is computed, that one's operand, and so on.

        It ends where an array that is read no more gives its memory; where none does, it goes by
        augmented assignments.
        """
        spine = [node]
        while True:
            user = spine[-1]
            if user in self.toward:
                held = self.toward[user]
            else:
                first = self.graph.args[user][0]
                held = first if first in self._held(user) else -1
            if held < 0:
                return spine
            spine.append(held)

    def _dies_in(self, node: int) -> bool:
        """Whether an array in whose memory a value can be computed is read no more after it."""
        return self._is_derived(node) and any(self._gives(a, node) for a in self.graph.args[node])

    def _gives(self, arg: int, node: int) -> bool:
        """Whether a value can be computed in the memory of an operand that has a statement."""
        here = self.when[node][0]
        return (
            self.last[arg] <= here and arg in self.statements
            and all(u == node or self.when[u][0] < here for u in self.users[arg])
            and self._can_hold(arg, node)
        )  # fmt: skip

    def _pays_for_one(self, node: int, spine: list[int]) -> bool:
        """Whether an array gives its memory for one operation: `t += 1.0` in any case.

        `np.divide(u, t, t)` reads worse than `u / t`: the memory has to be given on after it.
        """
        args, op = self.graph.args[node], self.graph.ops[node]
        operands = args if op in _COMMUTATIVE else args[:1]
        return (
            len(spine) > 1
            or any(u in self.writing and self._gives(node, u) for u in self.users.get(node, ()))
            or (self._wanted(node) is None
                and any(self._wanted(a) is None and self._gives(a, node) for a in operands))
        )  # fmt: skip

    def _choose_buffers(self) -> None:
        """Left to `_put_statement`: what is computed elsewhere than in its order is known then."""

    def _can_hold(self, node: int, user: int) -> bool:
        return (
            self.graph.ops[user] in _ARITHMETIC and _is_long(self.graph.types[node])
            and super()._can_hold(node, user)
            and self._needed(node, user) is not None
        )  # fmt: skip

    def _needed(self, held: int, node: int) -> set[int] | None:
        """What must have its dtype declared for a value to be computed in an operand's memory."""
        if not self.module.guard:
            # it is compiled for the arguments of a call, with their dtypes
            return set()
        needed = self.dtypes.needed(held, node)
        if needed is None or not self.names_of.keys() >= set(needed):
            return None
        return set(needed)

    def _compute_last_uses(self) -> None:
        super()._compute_last_uses()
        for node in reversed(self.plan.nodes):
            users = self.users.get(node, ())
            if node in self.statements or not users:
                returned = node in self.returned
                self.when[node] = FOREVER if returned else self.place.get(node, node), node
            else:
                self.when[node] = max(self.when[u] for u in users)

    # -- the body ----------------------------------------------------------------------------------

    def _body(self) -> list[str]:
        lines = super()._body()
        lines[self.guarded : self.guarded] = self._given_dtypes()
        return lines

    def _given_dtypes(self) -> list[str]:
        """The conversions of arguments on whose dtypes the updates in place rely."""
        lines = []
        for node, name in self.names_of.items():
            if node in self.converted:
                root = self.root("numpy")
                words = f"{name}, dtype={root}.{self.graph.types[node].dtype}"
                lines.append(f"{name} = {root}.asarray({words})")
        return lines

    def _put_statement(self, node: int, expr: Expr, parts: list[tuple[int, list[str]]]) -> None:
        buffer = self._buffer_of(node) if node in self.writing else None
        if buffer is None:
            FunctionWriter._put_statement(self, node, expr, parts)
            return
        graph = self.graph
        op, args = graph.ops[node], graph.args[node]
        operands, held = [self.exprs[a] for a in args], self.exprs[buffer].text
        ufunc = _ufunc(op, graph.attrs[node])
        assert ufunc is not None
        self.converted |= self._needed(buffer, node) or set()
        line = call(self.function(ufunc), [*operands, held]).text
        own = graph.locs[buffer] is None or self._wanted(buffer) is None
        if self.next.get(buffer) == node or (own and self._wanted(node) is None):
            if buffer == args[0] or op in _COMMUTATIVE:
                line = f"{held} {OPS[op].infix}= {operands[buffer == args[0]].text}"
            self.names[node] = held
            self.holders[held] = node
        else:
            line = f"{self._name(node)} = {line}"
        self.exprs[node] = Expr(self.names[node])
        parts.append((node, [line]))

    def _buffer_of(self, node: int) -> int | None:
        """The operand in whose memory a statement's value is computed."""
        ready = [
            a for a in self.graph.args[node]
            if a in self.statements and self._is_read_last(a, node)
            and self.exprs[a].text == self.names.get(a)
        ]  # fmt: skip
        for arg in ready:
            if self.next.get(arg) == node:
                return arg
        return next((a for a in ready if self._can_hold(a, node)), None)

    def _is_read_last(self, arg: int, node: int) -> bool:
        """Whether nothing reads an array after a statement, also where that is moved."""
        here = self.when[node]
        return self.last[arg] <= here[0] and all(
            self.when[u] <= here and (self.last[u] < here[0] or not self._is_view(u, arg))
            for u in self.users[arg]
        )

    def _end_of_sum(self, node: int) -> int | None:
        # what is computed in one operand's memory is not added up in another's
        end = super()._end_of_sum(node)
        return None if end in self.writing else end

    def _in_order(self, parts: list[tuple[int, list[str]]], started: bool) -> list[str]:
        placed = [(self.place.get(node, node), lines) for node, lines in parts]
        return super()._in_order(placed, started)
