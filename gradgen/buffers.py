"""The writer of the fast style: values are computed in the memory of those that are read no more.

An elementwise operation on arrays writes into an operand that this function made itself, that
nothing reads later, and that has the type of the result: `t *= x`, `np.exp(t, t)`. Arguments, what
is returned, and arrays of which a view is still read are never written to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from gradgen.emission import ALWAYS_INLINE, INDENT, TEMPORARY, FunctionWriter
from gradgen.guards import argument_parts
from gradgen.ops import OPS
from gradgen.ops.blocks import GIVEN, loops
from gradgen.ops.written import Call
from gradgen.surroundings import ModuleWriter
from gradgen.targets import Expr
from gradgen.targets.base import call, quoted
from gradgen.targets.numpy import dtype
from gradgen.unit import Plan

IN_PLACE = "values are computed in the memory of others that are not needed any more"
# What makes a new array, besides elementwise operations.
_MAKERS = ("matmul", "outer", "einsum", "sum", "mean", "copy")
# What reads an array and keeps no hold of it, or is known as a view by its row.
_READERS = (
    "matmul", "outer", "einsum", "einsum_view", "sum", "mean", "max", "min", "index", "transpose",
    "reshape", "flat_vdot", "axis_size", "item_count", "index_set", "index_add",
    "block_rows", "store_block", "add_block", "add_to_block",
)  # fmt: skip
_COMMUTATIVE = ("add", "mul")
_BY_KEYWORD = ("numpy.maximum", "numpy.minimum")
_FLOATS = ("float64", "float32")


class FastWriter(FunctionWriter):
    """Writes one function in the fast style."""

    def __init__(self, module: ModuleWriter, plan: Plan) -> None:
        super().__init__(module, plan)
        # Who writes into a value that nobody else reads: one name serves both. And who does.
        self.next: dict[int, int] = {}
        self.writing: set[int] = set()
        # The loop over blocks in which a node is, and its last node, by its first.
        self.loop: dict[int, int] = {}
        self.end: dict[int, int] = {}
        self.fresh: dict[int, bool] = {}
        # Of statements: the operand in whose memory they are computed.
        self.buffers: dict[int, int | None] = {}
        # What is computed in the rows of a result, to become them in place: which result.
        self.rows: dict[int, int] = {}
        self.begun: set[int] = set()
        # Whether any value is, and where the check of the dtypes stands that this asks for.
        self.in_place = False
        self.guarded = 0

    def function(self, dotted: str) -> str:
        """Functions of the math module by their bare names, where these are free."""
        module, _, name = dotted.rpartition(".")
        if module != "math" or (name in self.module.taken and dotted not in self.module.roots):
            return super().function(dotted)
        return self.module.root(dotted)

    # -- the plan of statements --------------------------------------------------------------------

    def _choose_statements(self) -> None:
        self._find_loops()
        for node in self.plan.nodes:
            if self._is_put(node):
                continue
            dying = [
                a for a in self.graph.args[node]
                if self.users[a][-1] == node and self.count[a] == len(self.users[a])
                and self._can_hold(a, node)
            ]  # fmt: skip
            held = [a for a in dying if self.count[a] == 1]
            if held:
                self.next[held[0]] = node
            if dying:
                self.writing.add(node)
        super()._choose_statements()

    def _find_loops(self) -> None:
        """A loop reaches to the last value that is stored or added up in it."""
        graph = self.graph
        self.end, self.loop = loops(graph, self.plan.nodes)
        for node in self.plan.nodes:
            if graph.ops[node] in GIVEN:
                given = graph.args[node][0]
                self.next[given] = node
                while graph.ops[given] == "index_set" and self.count[given] == 1:
                    self.next[graph.args[given][0]] = given
                    given = graph.args[given][0]

    def _is_put(self, node: int) -> bool:
        """Whether a value is computed where it is stored."""
        users = self.users.get(node, ())
        return self.count[node] == 1 == len(users) and self.graph.ops[users[0]] == "store_block"

    def _stands_alone(self, node: int) -> bool:
        """A value in whose memory another is computed is a statement, and so is the other."""
        op = self.graph.ops[node]
        if node in self.next or node in self.writing or op in GIVEN or op == "row_block":
            return True
        if op in ("moved_block", "joined_parts"):
            return False
        users = self.users.get(node, ())
        if op not in ALWAYS_INLINE and any(self._is_from_outside(node, u) for u in users):
            return True
        return super()._stands_alone(node)

    def _is_from_outside(self, node: int, user: int) -> bool:
        """Whether a loop reads a value that is there before it begins."""
        inside = self.loop.get(user) if self.graph.ops[user] != "row_block" else user
        return inside is not None and self.loop.get(node) != inside

    def _compute_last_uses(self) -> None:
        super()._compute_last_uses()
        far: dict[int, int] = {}
        for node in reversed(self.plan.nodes if self.end else ()):
            for user in self.users.get(node, ()):
                if self._is_from_outside(node, user) and user in self.loop:
                    far[node] = max(far.get(node, -1), self.end[self.loop[user]])
                if user not in self.statements and user in far:
                    far[node] = max(far.get(node, -1), far[user])
                if self._is_view(user, node):
                    self.last[node] = max(self.last[node], self.last[user])
            self.last[node] = max(self.last[node], far.get(node, -1))
        self._choose_buffers()

    def _choose_buffers(self) -> None:
        """In whose memory a statement is computed, and what begins in the rows of a result."""
        graph = self.graph
        for node in self.plan.nodes:
            if graph.ops[node] == "store_block" and self._is_put(graph.args[node][1]):
                self._begin_in_result(node)
            elif node in self.statements:
                self.buffers[node] = self._find_buffer(node, node)

    def _find_buffer(self, node: int, end: int) -> int | None:
        """The operand in whose memory a value can be computed that is there until `end`."""
        args = self.graph.args[node]
        if _ufunc(self.graph.ops[node], self.graph.attrs[node]) is None:
            return None
        found = [
            at for at, arg in enumerate(args)
            if arg in self.statements and self.last[arg] <= end and self._can_hold(arg, node)
        ]  # fmt: skip
        # where the name can stay, there is an operator
        return next((at for at in found if self._may_keep_name(args[at], node)),
                    found[0] if found else None)  # fmt: skip

    def _may_keep_name(self, buffer: int, node: int) -> bool:
        """Whether a value computed in the memory of another may go by its name."""
        return self.next.get(buffer) == node or (
            self._wanted(node) is None and self._wanted(buffer) is None
        )

    def _begin_in_result(self, store: int) -> None:
        """Let the rows of a result be the memory of what they are computed from, in place."""
        graph = self.graph
        array, value, *_ = graph.args[store]
        at = self._find_buffer(value, store)
        if at is None or value + 1 != store or graph.ops[array] != "empty" or store in self.next:
            return
        first = graph.args[value][at]
        while (before := self.buffers.get(first)) is not None:
            first = graph.args[first][before]
        if (
            first in self.rows or self.loop.get(first) != self.loop[store]
            or _ufunc(graph.ops[first], graph.attrs[first]) is None
        ):  # fmt: skip
            return
        self.rows[first] = store
        self.begun.add(store)
        self.buffers[value] = at
        self.statements.add(value)

    def _can_hold(self, node: int, user: int) -> bool:
        """Whether a user of a value may write into its memory, if nothing reads it later."""
        graph = self.graph
        t = graph.types[node]
        return (
            graph.types[user] == t and node in graph.args[user] and self._is_fresh(node)
            and _ufunc(graph.ops[user], graph.attrs[user]) is not None
        )  # fmt: skip

    def _is_fresh(self, node: int) -> bool:
        """Whether a value is an array of floats that this function makes, of an exact type."""
        if node not in self.fresh:
            self.fresh[node] = self._find_fresh(node)
        return self.fresh[node]

    def _find_fresh(self, node: int) -> bool:
        graph = self.graph
        t = graph.types[node]
        op, attr = graph.ops[node], graph.attrs[node]
        if op not in OPS or node not in self.own or t.dtype not in _FLOATS:
            return False
        if not t.shape or 1 in t.shape:
            # one item in place takes NumPy longer than a new one, and columns take little memory
            return False
        if op == "transpose":
            # of a product that has no name of its own
            (whole,) = graph.args[node]
            made = graph.ops[whole] == "matmul" and self.count[whole] == 1 and whole in self.own
        else:
            made = op in _MAKERS or (OPS[op].elementwise and not OPS[op].view)
        return made and not isinstance(attr, Call) and all(map(self._only_reads, self.users[node]))

    def _only_reads(self, user: int) -> bool:
        op = self.graph.ops[user]
        if op in _READERS:
            return True
        return OPS[op].elementwise and not isinstance(self.graph.attrs[user], Call)

    # -- names -------------------------------------------------------------------------------------

    def _wanted(self, node: int) -> str | None:
        """A value is called as what it becomes."""
        seen = node
        wanted = super()._wanted(seen)
        while seen in self.next:
            seen = self.next[seen]
            wanted = super()._wanted(seen) or wanted
        return wanted

    def _name(self, node: int) -> str:
        if node not in self.names and node in self.next:
            end = self.next[node]
            while end in self.next:
                end = self.next[end]
            if end in self.names:
                self.names[node] = self.names[end]
                self.holders[self.names[end]] = node
        return super()._name(node)

    def _is_reserved(self, name: str) -> bool:
        # a function of the math module may yet be asked for by its bare name
        own = name in self.user_names
        return super()._is_reserved(name) or (not own and hasattr(math, name))

    def _is_the_users(self, node: int, name: str) -> bool:
        while self.graph.names[node] != name and node in self.next:
            node = self.next[node]
        return self.graph.names[node] is not None

    def _descriptive(self, node: int) -> str:
        if self.graph.ops[node] == "block_rows":
            array, block = (self.exprs[a].text for a in self.graph.args[node])
            block = block if block.isidentifier() else "rows"
            return f"{array}_{block}" if array.isidentifier() else TEMPORARY
        if node in self.next:
            # what is overwritten by something else is not called as what it is at first
            return TEMPORARY
        if self.graph.ops[node] == "matmul":
            factors = self.graph.args[node]
            summed = [a for a in factors if self.graph.ops[a] != "ones"]
            name = self.exprs[summed[0]].text if len(summed) == 1 else ""
            return f"sum_{name}" if name.isidentifier() and len(name) <= 12 else TEMPORARY
        return super()._descriptive(node)

    # -- the body ----------------------------------------------------------------------------------

    def _guards(self) -> list[str]:
        lines = super()._guards()
        self.guarded = len(lines)
        return lines

    def _body(self) -> list[str]:
        lines = super()._body()
        if self.in_place and IN_PLACE not in self.module.unit.notes:
            self.module.unit.notes.append(IN_PLACE)
        if self.in_place or self.end:
            lines[self.guarded : self.guarded] = self._dtype_guard()
        return lines

    def _dtype_guard(self) -> list[str]:
        """The check of the dtypes of arguments: what is computed in place has one of them."""
        parts = [
            (text, self.graph.types[part].dtype)
            for param in self.plan.params if self.module.guard or param.added
            for text, part in argument_parts(param.name, param.tree)
            if isinstance(part, int) and self.graph.types[part].kind == "array"
            and self.graph.types[part].dtype in _FLOATS
        ]  # fmt: skip
        if not parts:
            return []
        error = self.function("builtins.ValueError")
        tests = [f"{text}.dtype != {dtype(self, name)}" for text, name in parts]
        dtypes = " and ".join(dict.fromkeys(name for _, name in parts))
        message = quoted(f"{self.plan.name} takes arrays of {dtypes} as declared")
        return [f"if {' or '.join(tests)}:", f"{INDENT}raise {error}({message})"]

    def _write_node(self, node: int, parts: list[tuple[int, list[str]]]) -> None:
        self.indent = len(INDENT) * (1 + (node in self.loop))
        op = self.graph.ops[node]
        if op == "row_block":
            self._write_loop(node, parts)
        elif op in GIVEN:
            self._write_given(node, parts)
        else:
            super()._write_node(node, parts)

    def _write_loop(self, node: int, parts: list[tuple[int, list[str]]]) -> None:
        """The head of a loop over blocks of rows."""
        length, step = (self.exprs[a].text for a in self.graph.args[node])
        moved = self.graph.attrs[node]
        start = self._claim(node, "start", True)
        block = self._claim(node, "stop" if moved else "i", True)
        turns = call(self.function("builtins.range"), ["0", length, step]).text
        if moved:
            self.exprs[node] = Expr(f"{start}:{block}")
            part = call(self.function("builtins.min"), [f"{start} + {step}", length]).text
        else:
            self.exprs[node] = Expr(block)
            part = call(self.function("builtins.slice"), [start, f"{start} + {step}"]).text
        parts.append((node, [f"for {start} in {turns}:", f"{INDENT}{block} = {part}"]))

    def _write_given(self, node: int, parts: list[tuple[int, list[str]]]) -> None:
        """What a loop gives: rows of an array, or a sum."""
        graph = self.graph
        target, value, block, *part = graph.args[node]
        name, expr = self.exprs[target].text, self.exprs[value]
        self.names[node] = name
        self.holders[name] = node
        self.exprs[node] = Expr(name)
        if node in self.begun:
            return
        place = f"{name}[{self.exprs[block].text}]"
        ufunc = _ufunc(graph.ops[value], graph.attrs[value]) if value not in self.statements else ""
        if part:
            place = f"{self.exprs[part[0]].text}[{self.exprs[block].text}]"
        if graph.ops[node] == "add_to_block":
            rows = self._claim(node, f"{name}_rows", True)
            self.names[node] = name
            parts.append((node, [f"{rows} = {place}", f"{rows} += {expr.text}"]))
            return
        if graph.ops[node] == "add_block":
            line = f"{name} += {expr.text}"
        elif ufunc:
            texts = [self.exprs[a] for a in graph.args[value]]
            line = self._call_into(ufunc, texts, place).text
        else:
            line = f"{place} = {expr.text}"
        parts.append((node, [line]))

    def _in_order(self, parts: list[tuple[int, list[str]]], started: bool) -> list[str]:
        inside = [(node, [INDENT + line for line in lines] if node in self.loop else lines)
                  for node, lines in parts]  # fmt: skip
        return super()._in_order(inside, started)

    def _grow(self, node: int, parts: list[tuple[int, list[str]]]) -> bool:
        # what has its place is computed there
        return self.buffers.get(node) is None and super()._grow(node, parts)

    def _put_statement(self, node: int, expr: Expr, parts: list[tuple[int, list[str]]]) -> None:
        at = self._buffer(node)
        if at is None:
            if node in self.rows:
                ufunc = _ufunc(self.graph.ops[node], self.graph.attrs[node])
                assert ufunc is not None
                operands = [self.exprs[a] for a in self.graph.args[node]]
                array, _, block = self.graph.args[self.rows[node]]
                place = f"{self.exprs[array].text}[{self.exprs[block].text}]"
                expr = self._call_into(ufunc, operands, place)
            super()._put_statement(node, expr, parts)
            return
        self.in_place = True
        graph = self.graph
        args = graph.args[node]
        buffer = args[at]
        held = self.exprs[buffer].text
        texts = [self.exprs[a] for a in args]
        ufunc = _ufunc(graph.ops[node], graph.attrs[node])
        assert ufunc is not None
        if self.next.get(buffer) == node or (
            self._may_keep_name(buffer, node) and held[:1] == TEMPORARY
        ):  # fmt: skip
            self.names[node] = held
            self.holders[held] = node
        name = self._name(node)
        self.exprs[node] = Expr(name)
        symbol = OPS[graph.ops[node]].infix
        if name != held:
            line = f"{name} = {self._call_into(ufunc, texts, held).text}"
        elif symbol and (at == 0 or graph.ops[node] in _COMMUTATIVE):
            line = f"{held} {symbol}= {texts[1 - at].text}"
        else:
            line = self._call_into(ufunc, texts, held).text
        parts.append((node, [line]))

    def _call_into(self, ufunc: str, operands: Sequence[Expr], place: str) -> Expr:
        """The call of a ufunc with the array for its result, by position where NumPy takes that."""
        word = "out=" if ufunc in _BY_KEYWORD else ""
        return call(self.function(ufunc), [*operands, word + place])

    def _buffer(self, node: int) -> int | None:
        """The operand in whose memory a statement's value is computed."""
        if node not in self.buffers:  # it was written into another statement, and was too long
            self.buffers[node] = self._find_buffer(node, node)
        at = self.buffers[node]
        if at is not None:
            buffer = self.graph.args[node][at]
            assert self.exprs[buffer].text == self.names[buffer]
        return at


def _ufunc(op: str, attr: object) -> str | None:
    """The dotted name of the ufunc that an operation is, which takes a place for its result."""
    return _ufunc_of(op) if attr is None or attr == "numpy" else None


@cache
def _ufunc_of(op: str) -> str | None:
    row = OPS.get(op)
    if row is None or not row.elementwise or op == "power":
        return None
    names = (row.call, *row.aliases)
    return next((n for n in names if n.startswith("numpy.") and isinstance(
        getattr(np, n.removeprefix("numpy."), None), np.ufunc)), None)  # fmt: skip
