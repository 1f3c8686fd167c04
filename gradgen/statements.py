"""The lines of a worksheet: which values of a function have one, and how rules are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradgen.derive import name_of
from gradgen.emission import MAX_DEPTH, FunctionWriter, index_argument, spell_path
from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.ops.indexing import may_repeat
from gradgen.ops.table import ATOM
from gradgen.passes import DIRECTIVES
from gradgen.surroundings import ModuleWriter
from gradgen.targets import TARGETS, Expr
from gradgen.targets.base import call
from gradgen.targets.numpy import subscript
from gradgen.types import TupleType
from gradgen.unit import Plan, Unit

# An expression without a name that is longer gets a line of its own.
LONG = 60
_ATOMS = ("param", "const", "constant", "global", "seed")
_UPDATES = ("index_set", "index_add")


@dataclass(slots=True)
class Line:
    """What a value is called, the statements that compute it, and the value once it is known.

    An argument has no statements. `base` is what an adjoint is the adjoint of, else empty; what
    several rules share has numbers in the order in which it is computed.
    """

    name: str
    text: list[str]
    base: str = ""
    value: Any = None
    number: int = 0


@dataclass(slots=True)
class Row:
    """A value with a line of its own, the rows that it is computed of, and its adjoint."""

    line: Line
    operands: list[int] = field(default_factory=list)
    adjoint: Line | None = None


class Speller(FunctionWriter):
    """Writes values as expressions, and decides which of them have a line of their own."""

    def __init__(self, graph: Graph, nodes: list[int]) -> None:
        module = ModuleWriter(graph, TARGETS["numpy"], Unit(), True, FunctionWriter)
        module.taken.add(graph.name)  # which a row may have
        super().__init__(module, Plan(graph.name, graph.params, nodes, (), []))
        self.used: set[str] = {p.name for p in graph.params}
        self.names_of_user = {name for name in graph.names if name}
        self.helpers = 0

    def claim(self, wanted: str, own: bool = False) -> str:
        """A free name; `own`: it is the user's, so that no other name of the user's hides it."""
        others = set() if own else self.names_of_user
        name, count = wanted, self.suffix.get(wanted, 0)
        while name in self.used or name in others or self._is_reserved(name):
            count += 1
            name = f"{wanted}_{count}"
        if name != wanted:
            self.suffix[wanted] = count
        self.used.add(name)
        return name

    def is_long(self, expr: Expr) -> bool:
        """Whether an expression is too long, or too deep, to be part of another."""
        return len(expr.text) > LONG or expr.depth > MAX_DEPTH

    def assigned(self, name: str, node: int) -> list[str]:
        """The statements that give a node a name: several where items of an array are replaced."""
        graph, chain, at = self.graph, [], node
        while graph.ops[at] in _UPDATES and at not in self.exprs:
            chain.append(at)
            at = graph.args[at][0]
        base = self.exprs[at] if at in self.exprs else self._spell(at)
        op = graph.ops[at]
        if chain and (base.text.isidentifier() or op in _ATOMS or OPS[op].view):
            base = self._copied(base, graph.types[at].rank)
        return [f"{name} = {base.text}", *(self._replaced(name, n) for n in reversed(chain))]

    def _copied(self, base: Expr, rank: int) -> Expr:
        # in the order of its own memory, in which NumPy adds items up
        if rank > 1:
            return call(f"{self.root('numpy')}.copy", [base])
        return Expr(f"{base.at(ATOM)}.copy()")

    def _replaced(self, name: str, node: int) -> str:
        """The statement that replaces items of an array, or adds to them."""
        graph = self.graph
        _, new, *operands = graph.args[node]
        template, value = graph.attrs[node], self.exprs[new]
        place = subscript(self, template, [self.exprs[o] for o in operands])
        repeats = may_repeat(GraphBuilder(graph, share=False), operands)
        if graph.ops[node] == "index_set" or not repeats:
            sign, text = self.stored(node)
            return f"{name}[{place}] {sign} {text}"
        np_name = self.root("numpy")
        where = index_argument(template, place, np_name)
        return call(f"{np_name}.add.at", [name, where, value]).text


class Chooser(Speller):
    """Chooses the rows of a graph that was read."""

    def __init__(self, graph: Graph, output: int) -> None:
        needed = reachable(graph, output, values=True)
        super().__init__(graph, [n for n, need in enumerate(needed) if need])
        self.output = output
        self.found: dict[int, Row] = {}
        # What is computed of which rows, for values without a row.
        self.reads: dict[int, list[int]] = {}

    def guards(self) -> list[str]:
        """The check of the arguments that the emitted function begins with."""
        return self._guards()

    def rows(self, every: bool) -> dict[int, Row]:
        """The rows by their nodes: the arguments, then the others in their order."""
        graph = self.graph
        self._count_uses()
        for param in graph.params:
            for leaf in leaves(param.tree):
                text = spell_path(*graph.attrs[leaf])
                self.exprs[leaf], self.reads[leaf] = Expr(text), [leaf]
                self.found[leaf] = Row(Line(text, []))
        for node in self.plan.nodes:
            if node not in self.found:
                self._choose(node, every)
        return self.found

    def _choose(self, node: int, every: bool) -> None:
        graph, op = self.graph, self.graph.ops[node]
        args = graph.args[node][:1] if op in DIRECTIVES else graph.args[node]
        reads = list(dict.fromkeys(row for arg in args for row in self.reads[arg]))
        if op == "global":
            expr = self._atom(node)
            written, start = self.module.global_lines, f"{expr.text} = "
            lines = [text for text in written if text.startswith(start)]
            self.module.global_lines = [text for text in written if text not in lines]
            self.used.add(expr.text)
            self.found[node] = Row(Line(expr.text, lines), reads)
            self.exprs[node], self.reads[node] = expr, [node]
            return
        if op in _UPDATES:
            self._add(node, every, reads)
            return
        expr = self.exprs[args[0]] if op in DIRECTIVES else self._spell(node)
        alone = op in _ATOMS and graph.names[node] is not None
        if op not in _ATOMS:
            alone = every or self._stands_alone(node) or self.is_long(expr)
            alone = alone or isinstance(graph.types[node], TupleType)
        if not alone and node != self.output:
            self.exprs[node], self.reads[node] = expr, reads
        else:
            self._add(node, every, reads, expr)

    def _add(self, node: int, every: bool, reads: list[int], expr: Expr | None = None) -> None:
        name = self._row_name(node, every)
        lines = self.assigned(name, node) if expr is None else [f"{name} = {expr.text}"]
        self.statements.add(node)
        self.found[node] = Row(Line(name, lines), reads)
        self.exprs[node], self.reads[node] = Expr(name), [node]

    def _row_name(self, node: int, every: bool) -> str:
        graph = self.graph
        if graph.names[node] is not None:
            return self.claim(str(graph.names[node]), own=True)
        if node == self.output:
            return self.claim(graph.name)
        if every:
            return self.claim(f"v{node}")
        wanted = graph.hints[node] or self._descriptive(node)
        return self.numbered() if wanted == "t" or not wanted.isidentifier() else self.claim(wanted)

    def numbered(self) -> str:
        """A name for a value that nothing names: t1, t2."""
        self.helpers += 1
        while (name := f"t{self.helpers}") in self.used or name in self.names_of_user:
            self.helpers += 1
        return self.claim(name)

    def adjoint_names(self, rows: Mapping[int, Row], notation: str) -> dict[int, tuple[str, str]]:
        """What the adjoint of each row is called in the rules, and what it is the adjoint of."""
        graph, found = self.graph, {}
        for node, row in rows.items():
            base = row.line.name
            if graph.ops[node] == "param":
                base = name_of(graph, node) or base
            name = base.rstrip("_") or base if notation.startswith("{") else base
            found[node] = self.claim(notation.format(name)), base
        return found


class RuleWriter(Speller):
    """Writes the rules of adjoints, in terms of rows."""

    def __init__(
        self, graph: Graph, chooser: Chooser, rows: Mapping[int, Row], rules: Mapping[int, int]
    ) -> None:
        needed, stack = set(), list(rules.values())
        while stack:
            node = stack.pop()
            if node not in needed and node not in rows:
                needed.add(node)
                stack += graph.args[node]
        super().__init__(graph, sorted(needed))
        self.chooser = chooser
        self.lines: dict[str, Line] = {}
        self.exprs = {node: Expr(row.line.name) for node, row in rows.items()}
        self._count_uses()
        for node in self.plan.nodes:
            self._write(node)

    def _write(self, node: int) -> None:
        graph = self.graph
        if graph.ops[node] in _UPDATES:
            read = self.users.get(node, [])
            if not read or (len(read) == 1 and self._is_buffer(node, read[0])):
                return  # part of what is written where it is asked for
            self._share(node, None)
            return
        expr = self._spell(node)
        shared = self.is_long(expr) and self.count[node] > 0 and graph.ops[node] not in _ATOMS
        if shared or isinstance(graph.types[node], TupleType):
            self._share(node, expr)
        else:
            self.exprs[node] = expr

    def _is_buffer(self, node: int, user: int) -> bool:
        args = self.graph.args[user]
        return self.graph.ops[user] in _UPDATES and args[0] == node and node not in args[1:]

    def _share(self, node: int, expr: Expr | None) -> None:
        name = self.chooser.numbered()
        text = self.assigned(name, node) if expr is None else [f"{name} = {expr.text}"]
        self.lines[name] = Line(name, text, number=len(self.lines))
        self.exprs[node] = Expr(name)

    def adjoint(self, rule: int, name: str, base: str) -> Line:
        """The line of an adjoint."""
        return Line(name, self.assigned(name, rule), base)

    def reads(self, adjoints: Iterable[Line]) -> dict[str, list[str]]:
        """Which lines each line of an adjoint, and each that these share, reads of all these."""
        lines = {line.name: line for line in (*self.lines.values(), *adjoints)}
        return {
            name: [word for word in _words(line) if word in lines and word != name]
            for name, line in lines.items()
        }

    def shared(self, line: Line) -> list[Line]:
        """What a line reads that has a line of its own and was not asked for before."""
        found: dict[str, Line] = {}
        stack = [line]
        while stack:
            for name in _words(stack.pop()):
                shared = self.lines.pop(name, None)
                if shared is not None:
                    found[name] = shared
                    stack.append(shared)
        return sorted(found.values(), key=lambda held: held.number)


def _words(line: Line) -> list[str]:
    """The names in a line, each once."""
    return list(dict.fromkeys(re.findall(r"\w+", "\n".join(line.text))))
