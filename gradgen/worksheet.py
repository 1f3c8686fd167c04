"""A function worked through by hand: its statements, and for each value the rule of its adjoint.

The rules are those of the derived graph, in which the adjoint of every value that has a line of
its own is a symbol: a rule is the sum over the users of the value, the adjoint of each times a
local derivative, simplified as emitted code is. All lines together are a program, and the values
beside them are what it computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradgen import passes
from gradgen.bounds import needed_lengths
from gradgen.derive import Adjoint, Reverse, check_active, copied
from gradgen.errors import GradgenError
from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.render import inspect_unit
from gradgen.statements import Chooser, Line, Row, RuleWriter
from gradgen.unit import FunctionText, Unit

# How an adjoint is called in the text of the rules, by the name of what it is the adjoint of.
NOTATIONS = {"d": "d_{}", "bar": "{}_bar", "partial": "d_{}"}


@dataclass(slots=True)
class Worksheet:
    """The lines of a function and of its adjoints, in the order in which they are computed.

    `rows` are by the nodes of `graph`, the arguments first. `backward` holds the adjoints, and
    what several of their rules share.
    """

    graph: Graph
    output: int
    rows: dict[int, Row]
    backward: list[Line]
    unit: Unit
    guards: list[str]

    @property
    def forward(self) -> list[Line]:
        """The lines of the values."""
        return [row.line for row in self.rows.values()]


def worked(
    graph: Graph, output: int, wrt: Sequence[str], every: bool = False, notation: str = "d"
) -> Worksheet:
    """The worksheet of a graph that was read, for the adjoints of one of its numbers.

    Each statement of the user's has a line, and each value that is read twice; with `every`, each
    node. With `wrt` empty there are no adjoints. Raises `SourceError` where something active has no
    derivative, `ActiveTypeError` where a parameter of `wrt` holds integers.
    """
    graph = copied(graph)
    graph.least = list(needed_lengths(graph, 0))
    chooser = Chooser(graph, output)
    rows = chooser.rows(every)
    names = chooser.adjoint_names(rows, NOTATIONS[notation])
    sources = [n for p in graph.params if p.name in wrt for n in leaves(p.tree)]
    derived, values, rules = _derived(graph, output, sources, names)
    writer = RuleWriter(derived, chooser, dict(zip(values, rows.values(), strict=True)), rules)
    for node, rule in rules.items():
        rows[node].adjoint = writer.adjoint(rule, *names[node])
    backward: list[Line] = []
    reads = writer.reads(row.adjoint for row in rows.values() if row.adjoint is not None)
    for node in _backward(graph, rows, output, reads):
        adjoint = rows[node].adjoint
        assert adjoint is not None
        backward += [*writer.shared(adjoint), adjoint]
    unit, more = chooser.module.unit, writer.module.unit
    unit.imports = sorted({*unit.imports, *more.imports})
    unit.namespace |= more.namespace
    unit.constants = list(dict.fromkeys(chooser.module.global_lines + writer.module.global_lines))
    sheet = Worksheet(graph, output, rows, backward, unit, chooser.guards())
    body = [text for line in (*sheet.forward, *backward) for text in line.text]
    unit.functions = [FunctionText(graph.name, [f"def {graph.name}():"], [], body)]
    inspect_unit(unit)
    return sheet


def evaluate(sheet: Worksheet, arguments: Mapping[str, Any]) -> None:
    """Compute the value of every line, on these arguments, which stay as they are.

    Raises `GradgenError` for arguments of other shapes than those declared, and where Python raises
    an exception.
    """
    space: dict[str, Any] = {**arguments, **sheet.unit.namespace}
    unit = sheet.unit
    for text in (*unit.imports, *unit.constants, "\n".join(sheet.guards)):
        _run(text, space, sheet.graph.name)
    with np.errstate(all="ignore"):
        for line in (*sheet.forward, *sheet.backward):
            for text in line.text:
                _run(text, space, sheet.graph.name)
            line.value = eval(line.name, space)
    for row in sheet.rows.values():
        if row.adjoint is not None and isinstance(row.line.value, np.ndarray):
            row.adjoint.value = np.broadcast_to(row.adjoint.value, row.line.value.shape)


def _run(text: str, space: dict[str, Any], name: str) -> None:
    try:
        exec(text, space)
    except Exception as error:  # whatever Python and NumPy raise at these values
        what = f"{type(error).__name__}: {error}"
        if text.startswith("if "):
            raise GradgenError(str(error)) from None
        raise GradgenError(f"{name}: at these values, `{text}` raises {what}") from None


# -- the adjoints ----------------------------------------------------------------------------------


class SymbolicReverse(Reverse):
    """Reverse mode that takes the adjoint of each chosen value for a symbol, once it is known."""

    def __init__(self, b: GraphBuilder, sources: Iterable[int], names: Mapping[int, str]) -> None:
        super().__init__(b, sources)
        self.adjoint_names = names
        self.rules: dict[int, int] = {}

    def _total(self, node: int, adjoint: Adjoint) -> int:
        total = super()._total(node, adjoint)
        if node not in self.adjoint_names:
            return total
        self.rules[node] = total
        return self.b.leaf("seed", (self.adjoint_names[node], ()), self.graph.types[total])


def _derived(
    graph: Graph, output: int, sources: Sequence[int], names: Mapping[int, tuple[str, str]]
) -> tuple[Graph, list[int], dict[int, int]]:
    """The derived graph, the nodes of the values in it, and those of the rules by the value's."""
    graph = copied(graph)
    for source in sources:
        check_active(graph, source)
    symbols = {node: name for node, (name, _) in names.items()}
    sweep = SymbolicReverse(GraphBuilder(graph), sources, symbols)
    if sources:
        sweep.pull([(output, sweep.b.const(1.0))])
    for source in sources:
        if sweep.collected(source) is None:
            sweep.rules[source] = sweep.b.const(0.0)
    graph.results = (list(names), list(sweep.rules.values()))
    derived = passes.without_stops(passes.run(graph))
    values, rules = derived.results
    return derived, values, dict(zip(sweep.rules, rules, strict=True))


def _backward(
    graph: Graph, rows: Mapping[int, Row], output: int, reads: Mapping[str, Sequence[str]]
) -> Iterator[int]:
    """The values with adjoints, as these are completed when the statements are undone one by one.

    `reads` are the lines that the line of each adjoint reads, and those that several share. What
    one statement completes comes in the order of its operands, the function's arguments first.
    """
    nodes = {row.adjoint.name: node for node, row in rows.items() if row.adjoint is not None}
    readers: dict[str, list[str]] = {name: [] for name in reads}
    waiting = {name: len(read) for name, read in reads.items()}
    for name, read in reads.items():
        for other in read:
            readers[other].append(name)

    def completed(name: str) -> Iterator[int]:
        stack = [name]
        while stack:
            for reader in readers[stack.pop()]:
                waiting[reader] -= 1
                if not waiting[reader]:
                    if reader in nodes:
                        yield nodes[reader]
                    else:
                        stack.append(reader)

    free = [name for name, count in waiting.items() if not count]
    apart = [nodes[name] for name in free if name in nodes and nodes[name] != output]
    for name in free:
        if name not in nodes:
            apart += completed(name)
    if rows[output].adjoint is not None:
        yield output
    for name, node in sorted(nodes.items(), key=lambda item: -item[1]):
        place = {operand: k for k, operand in enumerate(rows[node].operands)}
        found = list(completed(name))
        yield from sorted(found, key=lambda n: (graph.ops[n] != "param", place.get(n, -1), n))
    # arguments that the result does not depend on
    yield from apart
