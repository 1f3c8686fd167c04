"""Rewrites of derived nodes: what a person would have written for the same adjoint.

What the user wrote (nodes with a location) is carried over as it is, so that the forward value
keeps its bits; an adjoint may be computed in another order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from itertools import groupby
from typing import Any

from gradgen.graph import Graph, GraphBuilder, mapped
from gradgen.liveness import finish, parameters, reads, shell
from gradgen.ops.indexing import WHOLE, is_reshape, may_repeat, resolve
from gradgen.types import Shape

_LEAVES = frozenset({"param", "const", "constant", "global", "seed"})
# A coefficient, the node it multiplies (None: a bare number), and whether nobody else has it.
Scaled = tuple[float, int | None, bool]
# How far into a product a coefficient is carried, to stand first in it.
_MAX_DEPTH = 8
# How often each node of a result was read in the graph before, `CHANGED` where it was not there.
Uses = list[int]
CHANGED = -1
# How near below a node a change has to be to matter for it, and how far below it others do.
_NEAR, _DEEP, _FAR = 3, 4, 1_000_000
# Another round is worth it where more than one in so many nodes was changed.
_FEW = 1_000
_LARGEST = 1e300
_COUNTS = ("axis_size", "item_count")
_ALL_AXES = (None, False, None)
# What a product looks into besides products, where it is one of its factors.
_OPEN = frozenset({"div", "where"})
_SUMS = frozenset({"add", "sub"})
# What makes arrays of numbers.
_MAKERS = ("array", "full", "broadcast_to", "stack", "concatenate", "reshape")


def simplify(graph: Graph, before: Uses | None = None) -> tuple[Graph, Uses | None]:
    """Rewrite derived nodes: gather coefficients and signs, fold numbers, cancel `a / y * y`.

    `before` is what a call said beside its result, which is `graph`: what is far from all that it
    changed is kept. It says None where it changed nothing, or next to nothing.
    """
    simplifier = _Simplifier(graph)
    result = simplifier.run(before)
    worth = simplifier.changed * _FEW > len(graph)
    return result, simplifier.before() if worth else None


class _Simplifier:
    def __init__(self, graph: Graph) -> None:
        self.old = graph
        self.uses = reads(graph)
        self.derived = [
            loc is None and op not in _LEAVES for loc, op in zip(graph.locs, graph.ops, strict=True)
        ]
        # Nodes that are kept for what they are: as they were, and read as often.
        self.same: list[int] = []
        self.changed = 0
        self.b = GraphBuilder(shell(graph))
        # Columns of the new graph, in which every rule looks.
        self.ops, self.args, self.types = self.b.graph.ops, self.b.graph.args, self.b.graph.types
        self.locs, self.values = self.b.graph.locs, self.b.graph.values
        self.products = self.b.known["mul"]
        self.map = [-1] * len(graph)
        # Whether the node being rewritten is read more than once.
        self.shared = False
        # Derived products, by node: the coefficient and what it multiplies.
        self.scaled: dict[int, Scaled] = {}
        # The user's quotients `n / t` of a number, by t: the number and the node.
        self.reciprocals: dict[int, tuple[float, int]] = {}
        # Arrays in which single items were stored: the array before, how many stores ago, and
        # for each item what was stored after how many stores.
        self.stores: dict[int, tuple[int, int, dict[tuple[int, ...], list[tuple[int, int]]]]] = {}
        # Derived nodes that were made for one product and that nobody else reads.
        self.fresh: set[int] = set()

    def run(self, before: Uses | None) -> Graph:
        """The graph with its derived nodes rewritten; the others are copied."""
        old, b, node = self.old, self.b, 0
        given = parameters(old)
        looked = self.derived if before is None else self._near(before)
        kept = [not look and count > 0 for look, count in zip(looked, self.uses, strict=True)]
        # what is noted for others when it is met, the first one last
        noted = [node for node, op in enumerate(old.ops) if op == "div" or op == "index_set"][::-1]
        for keep, run in groupby(kept):
            start, node = node, node + len(list(run))
            if keep:
                b.copy_run(old, start, node, self.map)
                self.same += range(start, node)
                while noted and noted[-1] < node:
                    self._note(noted.pop(), start)
            else:
                self._rewrite_run(start, node, given)
        return finish(old, b, self.map)

    def before(self) -> Uses:
        """How often each node of the result was read before."""
        uses, mapping = self.uses, self.map
        before = [CHANGED] * len(self.ops)
        for node in self.same:
            before[mapping[node]] = uses[node]
        return before

    def _note(self, node: int, start: int) -> None:
        """Note a quotient of the user's, or a store, unless it stands before a row."""
        if node >= start and self.old.ops[node] == "index_set":
            self._note_store(self.map[node])
        elif node >= start and not self.derived[node]:
            self._note_reciprocal(self.map[node])

    def _rewrite_run(self, start: int, stop: int, given: Container[int]) -> None:
        """Rewrite the nodes of a row, but those that nobody needs."""
        old, b, mapping, same = self.old, self.b, self.map, self.same
        ops, args, types = self.ops, self.args, self.types
        columns = (old.ops, old.args, old.types, old.names, old.hints, self.derived, self.uses)
        rows = zip(range(start, stop), *[held[start:stop] for held in columns], strict=True)
        b.loc = None
        for node, op, operands, wanted, name, hint, derived, count in rows:
            if not derived:
                if node in given:
                    mapping[node] = b.copy_node(old, node, mapping)
                    same.append(node)
                    b.loc = None
                continue
            if not count:
                continue
            self.shared = count > 1
            rule = _RULES.get(op)
            new = None if rule is None else rule(self, node)
            # simpler where a rule applies and the type stays
            operands = mapped(mapping, operands)
            if new is None or not (types[new] is wanted or self.fits(new, node)):
                new = self._plain(node, op, operands)
            mapping[node] = new
            made = ops[new]
            if made != op or args[new] != operands:
                self.changed += 1
            elif b.graph.attrs[new] == old.attrs[node]:
                same.append(node)
            else:
                self.changed += 1
            if self.shared and (made == "mul" or made == "div"):
                # Read elsewhere too: to multiply it out would compute it once more.
                self.fresh.discard(new)
            elif made == "index_set":
                self._note_store(new)
            if hint is not None or name is not None:
                own = self.locs[new] is None
                if own or made == "sub":
                    b.label(new, name if own else None, hint)

    def _near(self, before: Uses) -> list[int]:
        """How far below each node those are still looked into that a change below it may change."""
        start = next((node for node, derived in enumerate(self.derived) if derived), 0)
        # How many operands lie between a node and the nearest change below it.
        far = [_FAR] * start
        depth = [0] * start
        columns = [held[start:] for held in (self.derived, self.uses, before, self.old.args)]
        for derived, now, then, args in zip(*columns, strict=True):
            if not (derived and now):
                nearest = _FAR
            elif now != then:
                nearest = 0
            elif len(args) == 2:
                first, second = far[args[0]], far[args[1]]
                nearest = (first if first < second else second) + 1
            else:
                nearest = min([far[a] for a in args], default=_FAR) + 1
            far.append(nearest)
            depth.append(_DEEP if nearest < _NEAR else 0)
        for node in range(len(depth) - 1, start - 1, -1):
            if depth[node] > 1:
                below = depth[node] - 1
                for a in self.old.args[node]:
                    if self.derived[a] and depth[a] < below:
                        depth[a] = below
        return depth

    def _plain(self, node: int, op: str, operands: tuple[int, ...]) -> int:
        """The operation of a derived node on its new operands, or the number that it is."""
        old, b = self.old, self.b
        plain = b.add(op, *operands, attr=old.attrs[node])
        if op == "mul":
            first, second = self.args[plain]
            number = self.number(first)
            if number is not None:
                self.scaled[plain] = (number, second, False)
        elif op in _MAKERS and b.type_of(plain).dtype != old.types[node].dtype:
            # of what was float32, a plain number is left, which NumPy takes for 64 bits
            plain = b.add("astype", plain, attr=old.types[node].dtype)
        value = self.values[plain]
        if value is not None and op not in _COUNTS and isinstance(value, (int, float)):
            return b.const(value)
        return plain

    def fits(self, new: int, node: int) -> bool:
        """Whether a rewritten node may stand for the old one."""
        have, want = self.types[new], self.old.types[node]
        if have.shape != want.shape or have.is_float != want.is_float:
            return False
        return have.dtype == want.dtype or "py" in (have.kind, want.kind)

    # -- coefficients --------------------------------------------------------------------------

    def number(self, new: int) -> float | None:
        """The value of a finite, unnamed number, or of `1 / 2`; None for anything else."""
        value = self.values[new]
        if value is None or self.ops[new] == "global":
            return None
        ops, names = self.ops, self.b.graph.names
        for part in self.args[new] or (new,):
            if ops[part] != "const" or names[part] is not None:
                return None
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return None
        return float(value) if abs(value) < _LARGEST else None

    def _note_reciprocal(self, new: int) -> None:
        graph = self.b.graph
        if graph.ops[new] == "div":
            value = self.number(graph.args[new][0])
            if value is not None and value != 0:
                self.reciprocals[graph.args[new][1]] = (value, new)

    def split(self, arg: int) -> Scaled:
        """An operand as coefficient times node; products that others share stay whole."""
        new = self.map[arg]
        if self.values[new] is not None:
            value = self.number(new)
            if value is not None:
                return (value, None, False)
        if self.uses[arg] != 1:
            return (1.0, new, False)
        return self.scaled.get(new) or (1.0, new, self.locs[new] is None)

    def signed(self, arg: int) -> Scaled:
        """As `split`, with the sign of a shared `-x` taken off: for rules where signs are free."""
        new = self.map[arg]
        return (-1.0, self.args[new][0], False) if self.ops[new] == "neg" else self.split(arg)

    def make(
        self, coefficient: float, base: int | None, fresh: bool = False, depth: int = 0
    ) -> int:
        """The node of a coefficient times a node; `fresh`: nobody else has the node."""
        b = self.b
        if base is None:
            return b.const(coefficient)
        if coefficient == 1.0:
            return base
        op, types = self.ops[base], self.types
        if op == "neg" and coefficient < 0:
            return self.make(-coefficient, self.args[base][0])
        if coefficient == 0 and not types[base].shape:
            return b.const(coefficient)
        fresh = (fresh or base in self.fresh) and depth < _MAX_DEPTH
        step = fresh and op == "where" and self._is_step(base)
        if coefficient == -1.0 and not step:
            if fresh and op == "sub" and self.locs[base] is None:
                return b.add("sub", *reversed(self.args[base]))
            # A sign that stays outermost costs nothing to those who subtract it.
            new = self._minus(base) if self.shared else self._negated(base, fresh)
        elif fresh and op == "mul":
            first, second = self.args[base]
            if types[first].rank > types[second].rank:
                first, second = second, first
            if not self._is_as_wide(first, base):
                first, second = second, first
            new = b.add("mul", self.make(coefficient, first, depth=depth + 1), second)
        elif fresh and op == "div" and self._is_as_wide(self.args[base][0], base):
            top, bottom = self.args[base]
            value = self.number(top)
            scaled = (
                self.make(coefficient * value, None)
                if value
                else (self.make(coefficient, top, depth=depth + 1))
            )
            new = b.add("div", scaled, bottom)
        elif step:
            condition, yes, no = self.args[base]
            values = (coefficient * float(b.value_of(v)) for v in (yes, no))
            return b.add("where", condition, *(b.const(v) for v in values))
        else:
            new = b.add("mul", b.const(coefficient), base)
        self.scaled[new] = (coefficient, base, fresh)
        return new

    def _is_as_wide(self, node: int, whole: int) -> bool:
        """Whether a number is rounded no more where it multiplies the node than the whole."""
        types = self.b.graph.types
        return types[node].dtype != "float32" or types[whole].dtype == "float32"

    def _negated(self, base: int, fresh: bool) -> int:
        b, op = self.b, self.ops[base]
        if fresh and (op == "mul" or op == "div") and self.locs[base] is None:
            first, second = self.args[base]
            value = self.number(first)
            if value is not None and op == "div":
                return b.add("div", b.const(-value), second)
            if b.type_of(first).dtype != "bool":
                return b.add(op, b.add("neg", first), second)
            if op == "mul":
                return b.add("mul", first, self._minus(second))
        return self._minus(base)

    def _minus(self, base: int) -> int:
        """`-base`; NumPy negates no masks, which are numbers in an adjoint."""
        b = self.b
        if b.type_of(base).dtype == "bool":
            return b.add("mul", b.const(-1.0), base)
        return b.add("neg", base)

    def _is_step(self, node: int) -> bool:
        """Whether it is a derived `np.where` between two numbers."""
        graph = self.b.graph
        return graph.ops[node] == "where" and graph.locs[node] is None and all(
            graph.ops[a] == "const" for a in graph.args[node][1:]
        )  # fmt: skip

    def combine(self, op: str, *operands: int) -> tuple[int, bool]:
        """The node for an operation on new nodes, and whether it is new."""
        before = len(self.ops)
        node = self.b.add(op, *operands)
        new = node >= before
        if new:
            self.fresh.add(node)
        return node, new

    def product(self, a: int, a_own: bool, b: int, b_own: bool) -> tuple[int, bool]:
        """The node of `a * b`, and whether it is new; products that exist already are used."""
        products, ops, locs = self.products, self.ops, self.locs
        known = products.get((a, b))
        if known is None:
            known = products.get((b, a))
        if known is not None:
            return known, False
        found = None
        if a_own and ops[a] == "mul" and locs[a] is None:
            found = self._regrouped(a, b)
        if found is None and b_own and ops[b] == "mul" and locs[b] is None:
            found = self._regrouped(b, a)
        if found is not None:
            return found
        node = self.b.add("mul", a, b)
        self.fresh.add(node)
        return node, True

    def _regrouped(self, inner: int, other: int) -> tuple[int, bool] | None:
        """A product times a node, of which one factor times the node is there already."""
        first, second = self.args[inner]
        for kept, used in ((first, second), (second, first)):
            known = self._find_product(used, other)
            if known is not None:
                whole = self._find_product(kept, known)
                return self.combine("mul", kept, known) if whole is None else (whole, False)
        return None

    def _find_product(self, a: int, b: int) -> int | None:
        found = self.products.get((a, b))
        return self.products.get((b, a)) if found is None else found

    def _quotient_of_numbers(self, top: int, bottom: int) -> int | None:
        """A quotient that is there already; one of arrays hides what a sum of them gathers."""
        known = self.b.find("div", top, bottom)
        return None if known is None or self.b.type_of(known).rank else known

    # -- rules ---------------------------------------------------------------------------------

    def mul(self, node: int) -> int | None:
        left, right = self.old.args[node]
        x, y = self.map[left], self.map[right]
        values, scaled, uses = self.values, self.scaled, self.uses
        if values[x] is None and values[y] is None:
            # what most products are is decided at once: two nodes without coefficients
            x_own, y_own = uses[left] == 1, uses[right] == 1
            if not (x_own and (x in scaled or self.ops[x] in _OPEN)) and not (
                y_own and (y in scaled or self.ops[y] in _OPEN)
            ):
                return self.product(x, x_own, y, y_own)[0]
        (ca, a, a_own), (cb, b, b_own) = self.split(left), self.split(right)
        if ca * cb < 0 < self.signed(left)[0] * self.signed(right)[0]:
            (ca, a, a_own), (cb, b, b_own) = self.signed(left), self.signed(right)
        if not math.isfinite(ca * cb):
            return None
        if a is None and b is None:
            return self.b.const(ca * cb)
        if a is None or b is None:
            if a is not None:
                return self._times(ca * cb, a, a_own)
            assert b is not None
            return self._times(ca * cb, b, b_own)
        if (a_own and self.ops[a] in _OPEN) or (b_own and self.ops[b] in _OPEN):
            joined = self._times_open(ca * cb, (a, a_own), (b, b_own))
            if joined is not None:
                return joined
        if abs(ca * cb) != 1.0:
            # 2.0 * y * (0.5 * k) is y * k
            sign = math.copysign(1.0, ca * cb)
            bare = self._without(ca * cb, a)
            if bare is not None:
                return self.make(sign, *self.product(bare, False, b, b_own))
            bare = self._without(ca * cb, b)
            if bare is not None:
                return self.make(sign, *self.product(a, a_own, bare, False))
        base, fresh = self.product(a, a_own, b, b_own)
        return base if ca * cb == 1.0 else self.make(ca * cb, base, fresh)

    def _times_open(
        self, coefficient: float, one: tuple[int, bool], other: tuple[int, bool]
    ) -> int | None:
        """The product of two nodes, of which one is a mask or a quotient that nobody else has."""
        (a, a_own), (b, b_own) = one, other
        if a_own and self._is_mask(a):
            return self._masked(a, coefficient, b)
        if b_own and self._is_mask(b):
            return self._masked(b, coefficient, a)
        quotients = [(a, b)] if self._quotient(a, a_own) else []
        if self._quotient(b, b_own):
            quotients.append((b, a))
        for top, factor in quotients:
            known = self._known_quotient(top, factor)
            if known is not None:
                return self.make(coefficient, known)
        for top, bottom in quotients:
            # (n / y) * y in an adjoint: y divides by the chain rule what it multiplies next.
            first, second = self.args[top]
            if second == bottom:
                value = self.number(first)
                return (
                    self.make(coefficient, first)
                    if value is None
                    else (self.b.const(coefficient * value))
                )
        for top, bottom in quotients:
            # (1 / y) * b is b / y: one operation for two.
            first, second = self.args[top]
            value = self.number(first)
            if value is not None:
                base, fresh = self.combine("div", bottom, second)
                return self.make(coefficient * value, base, fresh)
        return None

    def _without(self, coefficient: float, base: int) -> int | None:
        """What is left of a product with a number that the coefficient cancels."""
        if self.ops[base] == "mul" and abs(coefficient) != 1.0:
            first, second = self.args[base]
            for number, other in ((first, second), (second, first)):
                value = self.number(number)
                if value is not None and value * abs(coefficient) == 1.0:
                    return other
        return None

    def _is_mask(self, node: int) -> bool:
        """Whether it is a derived `np.where` of which one branch is 0 and the other is not."""
        if self.ops[node] != "where" or self.locs[node] is not None:
            return False
        return [self.number(a) == 0 for a in self.args[node][1:]].count(True) == 1

    def _masked(self, mask: int, coefficient: float, other: int, divide: bool = False) -> int:
        """A mask times (or divided by) a node: the node itself where it counts, else 0."""
        b = self.b
        condition, *branches = b.args_of(mask)
        parts = []
        for branch in branches:
            value = self.number(branch)
            if value == 0:
                parts.append(branch)
            elif divide:
                top = (
                    self.make(coefficient, branch)
                    if value is None
                    else b.const(coefficient * value)
                )
                parts.append(b.add("div", top, other))
            elif value is None:
                parts.append(self.make(coefficient, *self.product(branch, False, other, False)))
            else:
                parts.append(self.make(coefficient * value, other))
        return b.add("where", condition, *parts)

    def _known_quotient(self, quotient: int, other: int) -> int | None:
        """`(A / t) * e` where `e / t` exists, or is `1 - k * y` for an existing `y = n / t`."""
        b = self.b
        top, bottom = b.args_of(quotient)
        share = b.find("div", other, bottom)
        if share is None:
            share = self._share(other, bottom, top)
        if share is None:
            return None
        if self.number(top) is not None:
            return self.make(self.number(top) or 0.0, share)
        return self.product(top, b.graph.locs[top] is None, share, False)[0]

    def _share(self, e: int, total: int, factor: int) -> int | None:
        """`e / t` as `1 - c * y / n`, for `t = c + e` and `y = n / t`, where `y` is in the factor.

        That is the slope of a logistic function, and 0 where `e` overflows, not inf / inf. Without
        the factor `y` it would lose the digits of a tail, as of the slope of `log(1 + exp(x))`.
        """
        b = self.b
        if total not in self.reciprocals or not b.is_op(total, "add"):
            return None
        n, y = self.reciprocals[total]
        if not self._is_factor(y, factor):
            return None
        first, second = b.args_of(total)
        for addend, rest in ((first, second), (second, first)):
            c = self.number(addend)
            if c is not None and rest == e:
                return b.add("sub", b.const(1.0), self.make(c / n, y))
        return None

    def _is_factor(self, y: int, product: int) -> bool:
        """Whether a value is a factor of a product, or of one of its factors."""
        b, parts = self.b, [product]
        for _ in range(2):
            parts += [a for p in parts if b.is_op(p, "mul") for a in b.args_of(p)]
        return y in parts

    def _times(self, coefficient: float, base: int, own: bool) -> int:
        """A number times a node, looking into a product that stays where numbers cancel."""
        graph = self.b.graph
        if graph.ops[base] == "mul" and not own:
            first, second = graph.args[base]
            for number, other in ((first, second), (second, first)):
                value = self.number(number)
                if value is not None and value * coefficient in (1.0, -1.0):
                    return self.make(value * coefficient, other)
        return self.make(coefficient, base, own)

    def _quotient(self, new: int, own: bool) -> bool:
        return own and self.ops[new] == "div" and self.locs[new] is None

    def div(self, node: int) -> int | None:
        top, bottom = self.old.args[node]
        (ca, a, a_own), (cb, b, b_own) = self.split(top), self.split(bottom)
        graph = self.b.graph
        if b is None:
            if a is None:
                return self.b.const(ca / cb) if cb != 0 and math.isfinite(ca / cb) else None
            if cb != 0 and math.frexp(cb)[0] in (0.5, -0.5):
                return self.make(ca / cb, a, a_own)  # exact, and gathers with other numbers
            base, fresh = self.combine("div", a, self.map[bottom])
            return self.make(ca, base, fresh)
        if a is not None and a_own and self._is_mask(a):
            return self._masked(a, ca, self.map[bottom], divide=True)
        sign = -1.0 if cb < 0 else 1.0
        below = self.map[bottom] if sign == 1.0 else self.make(-cb, b, b_own)
        if a is None:
            ca *= sign
            one = self.b.find("div", self.b.const(1), below)
            if abs(ca) == 1.0 and one is not None:
                return self.make(ca, one)
            new = self.b.add("div", self.b.const(ca), below)
            if ca < 0:
                self.scaled[new] = (-1.0, self.b.add("div", self.b.const(-ca), below), True)
            return new
        if a_own and graph.ops[a] == "mul" and graph.locs[a] is None:
            first, second = graph.args[a]
            if below in (first, second):
                return self.make(ca * sign, second if below == first else first)
            cancelled = self._cancelled(top, below)
            if cancelled is not None:
                return self.make(sign, cancelled)
            for kept, used in ((first, second), (second, first)):
                share = self._quotient_of_numbers(used, below)
                if share is None:
                    share = self._share(used, below, kept)
                if share is not None:
                    return self.make(ca * sign, *self.product(kept, False, share, False))
        base, fresh = self.combine("div", a, below)
        return self.make(ca * sign, base, fresh)

    def neg(self, node: int) -> int | None:
        (arg,) = self.old.args[node]
        coefficient, base, fresh = self.split(arg)
        return self.make(-coefficient, base, fresh)

    def add(self, node: int) -> int | None:
        left, right = self.old.args[node]
        return self._sum(self.signed(left), self.signed(right))

    def sub(self, node: int) -> int | None:
        left, right = self.old.args[node]
        coefficient, base, fresh = self.signed(right)
        return self._sum(self.signed(left), (-coefficient, base, fresh))

    def _sum(self, one: Scaled, other: Scaled) -> int | None:
        """The sum of two scaled operands, with signs turned into subtractions."""
        (ca, a, _), (cb, b, _) = one, other
        if ca == 0:
            return self.make(*other)
        if cb == 0:
            return self.make(*one)
        if a == b:
            return self.make(ca + cb, a) if a is None or ca + cb != 0 else None
        if a is not None and b is not None:
            op, last = self.ops[a], self.ops[b]
            join = _JOINS.get(op) if op == last else None
            joined = None if join is None else join(self, one, other)
            if joined is None and (op in _SUMS or last in _SUMS):
                joined = self._factored_inside(one, other)
            if joined is not None:
                return joined
        if abs(ca) == abs(cb) != 1.0 and a is not None and b is not None:
            return self.make(ca, self.b.add("add" if ca == cb else "sub", a, b), True)
        if ca < 0 and cb < 0:
            for (c, x, _), rest in ((one, other), (other, one)):
                known = self.b.find("neg", x) if c == -1.0 and x is not None else None
                if known is not None and self.locs[known] is not None:
                    return self.b.add("sub", known, self._turned(rest))
            if a is not None and b is not None:
                return self.make(-1.0, self.b.add("add", self._turned(one), self._turned(other)))
        if ca < 0:
            one, other = other, one
        (ca, a, _), (cb, b, _) = one, other
        # most operands are read as they are
        first = a if ca == 1.0 and a is not None else self.make(*one)
        if cb < 0:
            second = b if cb == -1.0 and b is not None else self._turned(other)
            return self.b.add("sub", first, second)
        second = b if cb == 1.0 and b is not None else self.make(*other)
        return self.b.add("add", first, second)

    def _join_masks(self, one: Scaled, other: Scaled) -> int | None:
        """`where(c, a, 0) + where(c, 0, b)` is `where(c, a, b)`."""
        graph, b = self.b.graph, self.b
        (ca, x, x_own), (cb, y, y_own) = one, other
        if x is None or y is None or not (x_own and y_own):
            return None
        if any(graph.ops[n] != "where" or graph.locs[n] is not None for n in (x, y)):
            return None
        (condition, *left), (same, *right) = graph.args[x], graph.args[y]
        if condition != same:
            return None
        parts = []
        for p, q in zip(left, right, strict=True):
            if graph.ops[p] == "const" and graph.values[p] == 0:
                parts.append(self.make(cb, q, True))
            elif graph.ops[q] == "const" and graph.values[q] == 0:
                parts.append(self.make(ca, p, True))
            else:
                return None
        return b.add("where", condition, *parts)

    def _join_quotients(self, one: Scaled, other: Scaled) -> int | None:
        """`x / s + y / s` is `(x + y) / s`."""
        (ca, x, x_own), (cb, y, y_own) = one, other
        if x is None or y is None or not (self._quotient(x, x_own) and self._quotient(y, y_own)):
            return None
        (top, bottom), (other_top, same) = self.b.args_of(x), self.b.args_of(y)
        if bottom != same or self.number(top) is not None or self.number(other_top) is not None:
            return None
        total = self._sum((ca, top, True), (cb, other_top, True))
        return None if total is None else self.b.add("div", total, bottom)

    def _factored(self, one: Scaled, other: Scaled) -> int | None:
        """`a * x + b * x` as `x * (a + b)`."""
        graph = self.b.graph
        (ca, x, x_own), (cb, y, y_own) = one, other
        if x is None or y is None or not (x_own and y_own):
            return None
        if graph.ops[x] != "mul" or graph.ops[y] != "mul":
            return None
        if graph.locs[x] is not None or graph.locs[y] is not None:
            return None
        others = graph.args[y]
        for common in graph.args[x]:
            if common in others and self.number(common) is None:
                left, right = self._rest(x, common), self._rest(y, common)
                total = self._sum((ca, left, True), (cb, right, True))
                if total is not None and graph.types[total].rank >= graph.types[common].rank:
                    return self.product(common, False, total, True)[0]
        return None

    def _rest(self, product: int, factor: int) -> int:
        first, second = self.b.args_of(product)
        return second if first == factor else first

    def _factored_inside(self, one: Scaled, other: Scaled) -> int | None:
        """`(p + a * x) + b * x` as `p + x * (a + b)`."""
        ops, locs = self.ops, self.locs
        for (c, total, own), last in ((one, other), (other, one)):
            if not own or c != 1.0 or total is None or locs[total] is not None:
                continue
            _, added, alone = last
            if ops[total] not in _SUMS or added is None or not alone or ops[added] != "mul":
                continue
            first, second = self.args[total]
            if ops[first] != "mul" != ops[second]:
                continue
            sign = -1.0 if ops[total] == "sub" else 1.0
            for term, rest in (((sign, second, True), (1.0, first, True)),
                               ((1.0, first, True), (sign, second, True))):  # fmt: skip
                joined = self._factored(term, last)
                if joined is not None:
                    return self._sum(rest, (1.0, joined, True))
        return None

    def _turned(self, scaled: Scaled) -> int:
        coefficient, base, fresh = scaled
        return self.make(-coefficient, base, fresh)

    def sum(self, node: int) -> int | None:
        (arg,) = self.old.args[node]
        coefficient, base, own = self.split(arg)
        user = self.signed(arg)
        if user[1] is not None and self.b.graph.locs[user[1]] is not None:
            coefficient, base, own = user
        attr = self.old.attrs[node]
        if base is None or attr[2] is not None:
            return None
        if attr == _ALL_AXES and self._is_share(base):
            return self.b.const(coefficient)
        inner = self._reduced(base, attr) if own and self.b.graph.locs[base] is None else None
        if inner is None and coefficient == 1.0:
            return None
        return self.make(
            coefficient, self.b.add("sum", base, attr=attr) if inner is None else inner
        )

    def _reduced(self, base: int, attr: object) -> int | None:
        """A sum with the numbers taken out of it, or as the product of two vectors."""
        b = self.b
        if not b.is_op(base, "mul", "div"):
            return None
        first, second = b.args_of(base)
        ranks = (b.type_of(first).rank, b.type_of(second).rank)
        if ranks[0] > 0 == ranks[1]:
            return b.add(b.graph.ops[base], b.add("sum", first, attr=attr), second)
        if b.is_op(base, "div"):
            return None
        if ranks[1] > 0 == ranks[0]:
            return b.add("mul", first, b.add("sum", second, attr=attr))
        vectors = ranks == (1, 1) and attr == _ALL_AXES
        same = b.type_of(first).shape == b.type_of(second).shape
        if vectors and same and all(b.type_of(n).is_float for n in (first, second)):
            return b.add("matmul", first, second)
        return None

    def _is_share(self, base: int) -> bool:
        """Whether it is `e / np.sum(e)`, whose sum is 1: the weights of a softmax."""
        b = self.b
        if not b.is_op(base, "div"):
            return False
        top, bottom = b.args_of(base)
        return b.is_op(bottom, "sum") and b.args_of(bottom) == (top,) and (
            b.attr_of(bottom) == (None, False, None)
        )  # fmt: skip

    def matmul(self, node: int) -> int | None:
        (ca, a, _), (cb, b, _) = (self.split(arg) for arg in self.old.args[node])
        for one, other in ((a, b), (b, a)):
            if one is not None and other is not None and self._is_identity(one):
                return self.make(ca * cb, other)
        if a is None or b is None:
            return None
        averaged = self._averaged(node, (cb, b), (ca, a))
        if averaged is not None or ca * cb == 1.0:
            return averaged
        return self.make(ca * cb, self.b.add("matmul", a, b, attr=self.old.attrs[node]))

    def _averaged(self, node: int, *others: tuple[float, int]) -> int | None:
        """`A @ (1 / n / t * x)` as `A @ (x / t) / n`, for a length `n`.

        `others` are, for each operand, the coefficient and the rest of the other one.
        """
        for k, (coefficient, other) in enumerate(others):
            parted = self._parted(self.old.args[node][k])
            if parted is not None:
                number, rest, count = parted
                operands = (rest, other) if k == 0 else (other, rest)
                product = self.b.add("matmul", *operands, attr=self.old.attrs[node])
                return self.make(coefficient * number, self.b.add("div", product, count), True)
        return None

    def _parted(self, node: int) -> tuple[float, int, int] | None:
        """A product of an inverse length as its number, the other factors, and the length."""
        old = self.old
        path: list[tuple[str, int]] = []
        while self._is_step_of_product(node) and len(path) < _MAX_DEPTH:
            first, second = old.args[node]
            number = self.number(self.map[first])
            if number is not None and old.ops[node] == "div" and old.ops[second] in _COUNTS:
                return self._without_count(number, path, self.map[second])
            inner, other = first, second
            if old.ops[node] == "mul" and not self._is_step_of_product(first):
                inner, other = second, first
            path.append((old.ops[node], self.map[other]))
            node = inner
        return None

    def _cancelled(self, node: int, factor: int) -> int | None:
        """A product without one of its factors, by which it is divided; None where it has none."""
        old, steps = self.old, [node]
        if old.ops[node] not in ("mul", "div"):
            return None
        above: dict[int, int] = {}
        for step in steps:
            count = 2 if old.ops[step] == "mul" else 1
            for arg in old.args[step][:count]:
                above[arg] = step
                if self.map[arg] == factor and old.ops[step] == "mul":
                    return self._rebuilt(arg, above)
                if self._is_step_of_product(arg) and len(steps) < _MAX_DEPTH:
                    steps.append(arg)
        return None

    def _rebuilt(self, node: int, above: Mapping[int, int]) -> int:
        """What stands above a factor of a product, without the factor."""
        whole: int | None = None
        while node in above:
            step = above[node]
            first, second = self.old.args[step]
            if whole is None:
                whole = self.map[second if first == node else first]
            elif first == node:
                whole = self.combine(self.old.ops[step], whole, self.map[second])[0]
            else:
                whole = self.combine(self.old.ops[step], self.map[first], whole)[0]
            node = step
        assert whole is not None
        return whole

    def _is_step_of_product(self, node: int) -> bool:
        """Whether it is a derived product or quotient that is read once."""
        op, loc = self.old.ops[node], self.old.locs[node]
        return op in ("mul", "div") and loc is None and self.uses[node] == 1

    def _without_count(
        self, number: float, path: list[tuple[str, int]], count: int
    ) -> tuple[float, int, int] | None:
        rest: int | None = None
        divisors: list[int] = []
        for op, other in reversed(path):
            if rest is None and op == "div":
                divisors.append(other)
            elif rest is None:
                rest = other
                for divisor in divisors:
                    rest = self.combine("div", rest, divisor)[0]
            else:
                rest = self.combine(op, rest, other)[0]
        return None if rest is None else (number, rest, count)

    def _is_identity(self, node: int) -> bool:
        """Whether it is a derived `np.eye(n)`."""
        graph = self.b.graph
        if graph.ops[node] != "eye" or graph.locs[node] is not None:
            return False
        call = graph.attrs[node]
        return len(call.args) == 1 and all(name == "dtype" for name, _ in call.keywords)

    def where(self, node: int) -> int | None:
        condition, yes, no = (self.map[a] for a in self.old.args[node])
        known = self.b.value_of(condition)
        if isinstance(known, bool):
            return yes if known else no
        for place, branch in ((1, yes), (2, no)):
            if self.b.is_op(branch, "where") and self.b.args_of(branch)[0] == condition:
                inner = [yes, no]
                inner[place - 1] = self.b.args_of(branch)[place]
                return self.b.add("where", condition, *inner)
        if not self.b.is_op(condition, "not", "invert"):
            return None
        (opposite,) = self.b.args_of(condition)
        if self.b.type_of(opposite).dtype != "bool":
            return None
        return self.b.add("where", opposite, no, yes)

    def hypot(self, node: int) -> int | None:
        first, second = (self.map[a] for a in self.old.args[node])
        return self.b.find("hypot", second, first)

    def transpose(self, node: int) -> int | None:
        (arg,) = self.old.args[node]
        coefficient, base, own = self.split(arg)
        if self.old.attrs[node] is not None or base is None:
            return None
        return self.make(coefficient, self._transposed(base, own))

    def _transposed(self, base: int, own: bool) -> int:
        """The transpose of a node: of a product of matrices, the product of their transposes."""
        b = self.b
        if b.is_op(base, "transpose") and b.attr_of(base) is None:
            return b.args_of(base)[0]
        if own and b.is_op(base, "matmul") and b.type_of(base).rank == 2:
            left, right = b.args_of(base)
            if b.type_of(left).rank == 2 == b.type_of(right).rank:
                return b.add(
                    "matmul", self._transposed(right, False), self._transposed(left, False)
                )
        return b.add("transpose", base)

    def _note_store(self, node: int) -> None:
        """Remember which item a store fills: a run of stores into one array shares one record."""
        b = self.b
        if b.graph.ops[node] != "index_set" or node in self.stores:
            return
        base, stored, *operands = b.args_of(node)
        shape, template = b.type_of(node).shape, b.attr_of(node)
        place = None if operands else _place(template, shape)
        root, depth, items = self.stores.get(base, (base, 0, {}))
        if place is None or len(next(iter(items), place)) != len(place):
            return
        items.setdefault(place, []).append((depth + 1, stored))
        self.stores[node] = (root, depth + 1, items)

    def index(self, node: int) -> int | None:
        """A part of what was stored, of a product with a number, or of a sum over kept axes."""
        array, *operands = (self.map[a] for a in self.old.args[node])
        template = self.old.attrs[node]
        if is_reshape(template) and "n" not in template:
            return array
        given = self._given(array, template, operands)
        if given is not None:
            return given
        coefficient, base, _ = self.split(self.old.args[node][0])
        if coefficient != 1.0 and base is not None:
            return self.make(coefficient, self.b.add("index", base, *operands, attr=template))
        if operands or array not in self.stores:
            return self._without_kept_axes(array, template)
        root, depth, items = self.stores[array]
        place = _place(template, self.b.type_of(array).shape)
        if place is None or len(next(iter(items), place)) != len(place):
            return None
        filled = [stored for at, stored in items.get(place, ()) if at <= depth]
        return filled[-1] if filled else self.b.add("index", root, attr=template)

    def index_add(self, node: int) -> int | None:
        """What is added to a part that was set to 0 replaces it: the adjoint of `x[i] *= y`."""
        graph = self.b.graph
        array, part, *operands = (self.map[a] for a in self.old.args[node])
        template = self.old.attrs[node]
        if graph.ops[array] != "index_set" or graph.locs[array] is not None:
            return None
        whole, zero, *places = graph.args[array]
        same = graph.attrs[array] == template and places == operands
        if not same or self.number(zero) != 0 or may_repeat(self.b, operands):
            return None
        if self._is_part(part, whole, template, operands):
            return whole
        return self.b.add("index_set", whole, part, *operands, attr=template)

    def index_set(self, node: int) -> int | None:
        """A part that is stored where it comes from changes nothing."""
        array, part, *operands = (self.map[a] for a in self.old.args[node])
        unchanged = self._is_part(part, array, self.old.attrs[node], operands)
        return array if unchanged else None

    def _is_part(self, part: int, whole: int, template: Any, operands: list[int]) -> bool:
        graph = self.b.graph
        read = graph.ops[part] == "index" and graph.attrs[part] == template
        return read and graph.args[part] == (whole, *operands)

    def _given(self, array: int, template: Any, operands: list[int]) -> int | None:
        """What was stored in just that part, or the array that got the axis which is dropped."""
        graph = self.b.graph
        if graph.ops[array] == "index_set" and graph.attrs[array] == template:
            _, stored, *places = graph.args[array]
            return stored if places == operands and not may_repeat(self.b, operands) else None
        if graph.ops[array] != "index" or not is_reshape(graph.attrs[array]) or operands:
            return None
        rank = graph.types[array].rank
        spelled = tuple(resolve(graph.attrs[array], graph.types[graph.args[array][0]].rank))
        want = tuple(("i", 0) if item == "n" else WHOLE for item in spelled)
        return graph.args[array][0] if tuple(resolve(template, rank)) == want else None

    def _without_kept_axes(self, array: int, template: tuple[Any, ...]) -> int | None:
        """`x.sum(axis=1, keepdims=True)[:, 0]` is `x.sum(axis=1)`."""
        graph = self.b.graph
        if graph.ops[array] != "sum" or graph.locs[array] is not None or "n" in template:
            return None
        axes, keepdims, dtype = graph.attrs[array]
        if axes is None or not keepdims or dtype is not None:
            return None
        spelled = resolve(template, graph.types[array].rank)
        want = tuple(("i", 0) if i in axes else WHOLE for i in range(graph.types[array].rank))
        if tuple(spelled) != want:
            return None
        return self.b.add("sum", graph.args[array][0], attr=(axes, False, None))

    def astype(self, node: int) -> int | None:
        inner = self.map[self.old.args[node][0]]
        return inner if self.b.type_of(inner) == self.old.types[node] else None


def _place(template: tuple[Any, ...], shape: Shape) -> tuple[int, ...] | None:
    """The item that an index of known integers names; None for any other index."""
    place = []
    for part, length in zip(template, shape, strict=False):
        if not isinstance(part, tuple) or part[0] != "i":
            return None
        if part[1] < 0 and not isinstance(length, int):
            return None
        place.append(part[1] % length if isinstance(length, int) else part[1])
    return tuple(place)


# How two terms of a sum are joined that both are results of one operation.
_JOINS: dict[str, Callable[[_Simplifier, Scaled, Scaled], int | None]] = {
    "where": _Simplifier._join_masks,
    "div": _Simplifier._join_quotients,
    "mul": _Simplifier._factored,
}
_RULES: dict[str, Callable[[_Simplifier, int], int | None]] = {
    "mul": _Simplifier.mul,
    "div": _Simplifier.div,
    "neg": _Simplifier.neg,
    "hypot": _Simplifier.hypot,
    "add": _Simplifier.add,
    "sub": _Simplifier.sub,
    "sum": _Simplifier.sum,
    "matmul": _Simplifier.matmul,
    "where": _Simplifier.where,
    "transpose": _Simplifier.transpose,
    "index": _Simplifier.index,
    "index_add": _Simplifier.index_add,
    "index_set": _Simplifier.index_set,
    "astype": _Simplifier.astype,
}
