"""Symbolic against automatic differentiation: the same derivative by every method, measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gradgen.errors import GradgenError
from gradgen.graph import Graph
from gradgen.measure.emitted import Emitted, Leaf, emitted, flattened, leaves_of
from gradgen.measure.results import BACKWARD, BOTH, FORWARD, GRADIENT, VALUE, Cell, Comparison
from gradgen.measure.timing import BASES, arguments, numbers, quiet, seconds, values_at
from gradgen.program import Options, choose_parameters, choose_result

SIMPLIFY_BELOW = 60
# Methods that compute the same derivative agree to this.
_AGREE = 1e-6


def _no_step(text: str) -> None:
    pass


@dataclass(slots=True)
class Measurement:
    """What is measured: a graph, the parameters, and how far one goes."""

    graph: Graph
    wrt: Any = None
    output: int | None = None
    partials: bool = True
    simplify_below: int = SIMPLIFY_BELOW
    step: Callable[[str], None] = _no_step
    # The same function on arguments of known lengths; the arguments of calls are of these.
    shaped: Graph | None = None

    def run(self) -> Comparison:
        """Measure. Raises `GradgenError` where the gradient cannot be emitted."""
        graph, shaped = self.graph, self.shaped or self.graph
        names = tuple(p.name for p in choose_parameters(graph, self.wrt)[0])
        active = [leaf for name in names for leaf in _leaves(shaped, name)]
        made = Comparison(graph.name, names)
        self.step("gradgen")
        whole = emitted(graph, names, self.output)
        base, values = _point(shaped, whole)
        if base is None:
            made.notes.append("times of calls are left out: no argument tried gives a number")
        every = (leaf for param in shaped.params for leaf in leaves_of(param, shaped))
        made.at = {leaf.text: _plain(values[leaf.node]) for leaf in every}
        algebra = self._algebra(made, values)
        usable = values if base is not None else None
        value_cells = list(_symbolic_cells(algebra, [], usable))
        gradient_cells = [*_symbolic_cells(algebra, [leaf.node for leaf in active], usable),
                          *_emitted_cells(whole, *arguments(shaped, values), base)]  # fmt: skip
        forward = next(c for c in gradient_cells if c.method == FORWARD)
        made.sections[VALUE] = [*value_cells, forward]
        if self.partials and (len(active) > 1 or names != (active[0].text,)):
            for subject, cells in self._partials(names, algebra, values, base):
                made.sections[subject] = cells
        made.sections[GRADIENT] = gradient_cells
        if base is not None and algebra is not None:
            self._check_agreement(made, algebra, whole, active, values)
        return made

    def _algebra(self, made: Comparison, values: Mapping[int, Any]) -> Any:
        """The function in SymPy, or None, and a note why."""
        self.step("SymPy")
        shaped = self.shaped or self.graph
        try:
            # SymPy takes long to import, and only this command needs it.
            from gradgen.measure.algebra import Algebra

            value, _ = choose_result(shaped, Options(output=self.output))
            spelled = _identifiers(flattened(shaped)[1])
            algebra = Algebra.of(shaped, value, spelled, values, self.simplify_below)
            made.notes += algebra.notes
            return algebra
        except GradgenError as refusal:
            made.notes.append(f"SymPy's columns are left out: {refusal}")
            return None

    def _partials(
        self, wrt: Sequence[str], algebra: Any, values: Mapping[int, Any], base: float | None
    ) -> Iterator[tuple[str, list[Cell]]]:
        """The derivative with respect to each number; each parameter where there are arrays."""
        graph, shaped = self.graph, self.shaped or self.graph
        flat, names = flattened(graph)
        if any(graph.types[node].shape for node in names):
            parts = [(name, name, [leaf.node for leaf in _leaves(shaped, name)]) for name in wrt]
        else:
            graph = shaped = flat
            parts = [(leaf.text, names[leaf.node], [leaf.node])
                     for name in wrt for leaf in _leaves(self.graph, name)]  # fmt: skip
        if len(parts) == 1 and graph is self.graph:
            return
        given, keywords = arguments(shaped, dict(values))
        usable = values if base is not None else None
        for text, name, nodes in parts:
            self.step(f"d/d{text}")
            cells = list(_symbolic_cells(algebra, nodes, usable))
            found = emitted(graph, [name], self.output)
            yield f"d/d{text}", [*cells, *_emitted_cells(found, given, keywords, base)]

    def _check_agreement(
        self, made: Comparison, algebra: Any, whole: Emitted, active: Sequence[Leaf],
        values: Mapping[int, Any],
    ) -> None:  # fmt: skip
        """Note where a method computes another number than the emitted gradient."""
        given, keywords = arguments(self.shaped or self.graph, dict(values))
        with quiet():
            wanted = numbers(whole.both(*given, **keywords)[1])
            for method, column in algebra.columns([leaf.node for leaf in active]).items():
                if column.function is None:
                    continue
                have = _called(column.function, algebra.arguments(values))
                if have is not None:
                    have = have[-len(wanted) :]  # the value may stand before the gradient
                if have is None or not all(map(_same, have, wanted)):
                    made.notes.append(
                        f"{method} gives another gradient there than gradgen: "
                        "SymPy's conventions at kinks and outside domains are its own; "
                        "see gradgen check"
                    )


def _same(a: float, b: float) -> bool:
    """Whether two numbers agree; NaN only with NaN."""
    if a != a or b != b:
        return a != a and b != b
    return a == b or abs(a - b) <= _AGREE * max(abs(a), abs(b))


def _identifiers(names: Mapping[int, str]) -> dict[int, str]:
    """Names that hide neither a module nor what SymPy's cse is called."""
    made: dict[int, str] = {}
    for node, name in names.items():
        while name in ("np", "math", "abs", "max", "min") or name in made.values():
            name += "_"
        made[node] = name
    return made


def _point(graph: Graph, whole: Emitted) -> tuple[float | None, dict[int, Any]]:
    """Arguments at which value and gradient are finite, or at least computed."""
    second: tuple[float, dict[int, Any]] | None = None
    for base in BASES:
        values = values_at(graph, base)
        given, keywords = arguments(graph, values)
        with quiet():
            found = _called(whole.both, given, keywords)
        if found is None:
            continue
        if all(abs(number) < float("inf") for number in found):
            return base, values
        second = second or (base, values)
    return second or (None, values_at(graph, BASES[0]))


def _called(
    function: Callable[..., Any], given: Sequence[Any], keywords: Mapping[str, Any] | None = None
) -> list[float] | None:
    """The numbers that a call gives, or None where it raises, or they are not real."""
    try:
        return numbers(function(*given, **(keywords or {})))
    except (ArithmeticError, ValueError, TypeError):
        return None


def _leaves(graph: Graph, name: str) -> list[Leaf]:
    return leaves_of(next(p for p in graph.params if p.name == name), graph)


def _symbolic_cells(
    algebra: Any, nodes: Sequence[int], values: Mapping[int, Any] | None
) -> Iterator[Cell]:
    if algebra is None:
        return
    given = algebra.arguments(values) if values is not None else []
    for method, column in algebra.columns(nodes).items():
        evaluate = None
        if values is not None and column.function is not None:
            with quiet():
                fine = _called(column.function, given) is not None
            evaluate = seconds(column.function, given) if fine else None
        yield Cell(method, column.size, column.build, evaluate, column.left_out)


def _emitted_cells(
    found: Emitted, given: Sequence[Any], keywords: Mapping[str, Any], base: float | None
) -> Iterator[Cell]:
    times: dict[str, float | None] = dict.fromkeys(found.sizes)
    if base is not None:
        with quiet():
            saved = found.forward(*given, **keywords)[1]
        forward, both = found.forward, found.both
        if keywords:
            forward, both = partial(forward, **keywords), partial(both, **keywords)
        times = {FORWARD: seconds(forward, given), BOTH: seconds(both, given),
                 BACKWARD: seconds(found.backward, (saved, 1.0))}  # fmt: skip
    for method in (FORWARD, BACKWARD, BOTH):
        build = found.build if method == BOTH else None
        yield Cell(method, found.sizes[method], build, times[method])


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
