"""The columns of a computer algebra system: raw derivatives, after cse, after simplify."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from gradgen.graph import Graph
from gradgen.measure.counting import Size, operations, size
from gradgen.measure.printing import Printer, function_text
from gradgen.measure.symbolic import NoSymbolic, expression, tree_nodes
from gradgen.oracles.exact import Evaluator, Unsupported
from gradgen.oracles.scalars import Expressions, Numbers

RAW, CSE, SIMPLIFIED = "sympy raw", "sympy cse", "sympy simplify"
# The value and the gradient in one function, as gradgen's: the fair opponent.
CSE_BOTH = "sympy cse both"
# What SymPy is not asked for, in steps: nodes of an expression, of all derivatives together.
MOST_NODES = 50_000
MOST_DERIVED = 2_000_000
MOST_PRINTED = 250_000
# ... and calls of Python functions within one simplify: on some 40 operations it takes minutes.
MOST_CALLS = 2_000_000
_MEASURED = "measured"
_DIGITS = 30


@dataclass(frozen=True, slots=True)
class Column:
    """What came of one method: its size, the function, the time to build it, or why not."""

    size: Size | None = None
    function: Callable[..., Any] | None = None
    build: float | None = None
    left_out: str = ""


@dataclass(slots=True)
class Algebra:
    """A function of numbers in SymPy, with its derivatives, each made once.

    Times are those of SymPy with an empty cache: translation, derivatives, rewriting, printing and
    compiling, up to a function that can be called.
    """

    library: str
    below: int
    # The symbols of each number or array among the arguments, entry by entry.
    entries: dict[int, list[Any]] = field(default_factory=dict)
    value: Any = None
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    derivatives: dict[Any, tuple[Any, float]] = field(default_factory=dict)
    known: dict[tuple[int, ...], dict[str, Column]] = field(default_factory=dict)
    simple: dict[Any, tuple[Any, float] | str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, graph: Graph, result: int, names: dict[int, str], values: Mapping[int, Any], below: int
    ) -> Algebra:
        """The expression of a graph of known lengths, over a symbol for each entry of an argument.

        `names` are those of the arguments; where there are arrays, kinks are decided at `values`.
        Raises `NoSymbolic`.
        """
        sympy.core.cache.clear_cache()
        math_only = any(
            attr == "math" or (op == "constant" and str(attr).startswith("math."))
            for op, attr in zip(graph.ops, graph.attrs, strict=True)
        )
        made = cls("math" if math_only else "np", below)
        start = time.perf_counter()
        try:
            if any(graph.types[node].shape for node in range(len(graph))):
                made._of_arrays(graph, result, names, values)
            else:
                made._of_numbers(graph, result, names)
        except RecursionError:
            raise NoSymbolic("the expression is too deep for SymPy") from None
        made.seconds = time.perf_counter() - start
        nodes = tree_nodes(made.value)
        if nodes > MOST_NODES:
            raise NoSymbolic(
                f"the expression has {nodes:,} nodes; above {MOST_NODES:,} SymPy is not asked"
            )
        return made

    def _of_numbers(self, graph: Graph, result: int, names: dict[int, str]) -> None:
        for node, name in names.items():
            found = graph.types[node]
            if found.dtype == "bool":
                raise NoSymbolic(f"{name} is a bool")
            assumed = {"real": True} if found.is_float else {"integer": True}
            self.entries[node] = [sympy.Symbol(name, **assumed)]
        self.value = expression(graph, result, {n: s[0] for n, s in self.entries.items()})

    def _of_arrays(
        self, graph: Graph, result: int, names: dict[int, str], values: Mapping[int, Any]
    ) -> None:
        numbers = Numbers(_DIGITS)
        arithmetic = Expressions(numbers, MOST_NODES, frozenset())
        inputs: dict[Any, Any] = {}
        for node, name in names.items():
            value = np.asarray(values[node])
            self.entries[node] = []
            if graph.types[node].is_float:
                terms = np.empty(value.shape, object)
                for index in np.ndindex(value.shape):
                    symbol = sympy.Symbol("_".join([name, *map(str, index)]), real=True)
                    self.entries[node].append(symbol)
                    terms[index] = arithmetic.symbol(symbol, float(value[index]))
                value = terms
            inputs[graph.attrs[node]] = value
        try:
            (found,) = Evaluator(graph, inputs, arithmetic).of([result])
        except Unsupported as missing:
            raise NoSymbolic(f"{missing} is not translated") from None
        self.value = found[()].expr
        if self.value is None:
            raise NoSymbolic(f"the expression has more than {MOST_NODES:,} operations")
        shapes = ", ".join(
            f"{name}={' '.join(map(str, graph.types[node].shape))}"
            for node, name in names.items() if graph.types[node].shape
        )  # fmt: skip
        self.notes.append(
            f"SymPy's columns count operations on single numbers, for {shapes or 'the arrays'}; "
            "an operation of gradgen's on a whole array counts once"
        )
        if arithmetic.decisions:
            self.notes.append(
                "SymPy's columns are of the branches taken at the arguments of the timed calls"
            )

    def arguments(self, values: Mapping[int, Any]) -> list[Any]:
        """What the functions of the columns are called with."""
        made: list[Any] = []
        for node, symbols in self.entries.items():
            value = values[node]
            if symbols:
                made += value.ravel().tolist() if isinstance(value, np.ndarray) else [value]
        return made

    def derivative(self, symbol: Any) -> Any:
        """The derivative with respect to an entry of an argument."""
        if symbol not in self.derivatives:
            start = time.perf_counter()
            found = sympy.diff(self.value, symbol)
            self.derivatives[symbol] = found, time.perf_counter() - start
        return self.derivatives[symbol][0]

    def columns(self, wrt: Sequence[int]) -> dict[str, Column]:
        """The three columns of a gradient; of the value itself where `wrt` is empty."""
        key = tuple(wrt)
        if key not in self.known:
            self.known[key] = self._columns(key)
        return self.known[key]

    def _columns(self, nodes: tuple[int, ...]) -> dict[str, Column]:
        wrt = [symbol for node in nodes for symbol in self.entries[node]]
        methods = (RAW, CSE, SIMPLIFIED, CSE_BOTH) if nodes else (RAW, CSE)
        size_of_all = len(wrt) * tree_nodes(self.value)
        if size_of_all > MOST_DERIVED:
            reason = (
                f"{len(wrt):,} derivatives of {tree_nodes(self.value):,} nodes; SymPy is asked for "
                f"{MOST_DERIVED:,} in all"
            )
            return {method: Column(left_out=reason) for method in methods}
        made: dict[str, Column] = {}
        for method in methods:
            try:
                exprs = [self.derivative(s) for s in wrt] if nodes else [self.value]
                spent = self.seconds + sum(self.derivatives[s][1] for s in wrt)
                if method == CSE_BOTH:
                    exprs = [self.value, *exprs]
                made[method] = getattr(self, _MADE_BY[method])(exprs, spent)
            except NoSymbolic as refusal:
                made[method] = Column(left_out=str(refusal))
            except (RecursionError, MemoryError, SyntaxError):
                made[method] = Column(left_out="the expression is too deep for SymPy or CPython")
        return made

    def raw(self, exprs: Sequence[Any], spent: float) -> Column:
        """The expressions as SymPy gives them."""
        return self._finished([], exprs, spent)

    def shared(self, exprs: Sequence[Any], spent: float) -> Column:
        """Common subexpressions of all of them as statements."""
        start = time.perf_counter()
        taken = set(self._spelled().values())
        prefix = "t"
        while any(name.startswith(prefix) for name in taken):
            prefix += "_"
        pairs, rest = sympy.cse(list(exprs), symbols=sympy.numbered_symbols(prefix))
        return self._finished(pairs, rest, spent + time.perf_counter() - start)

    def simplified(self, exprs: Sequence[Any], spent: float) -> Column:
        """Each expression simplified, where that is within the limits."""
        made = [self._simple(e) for e in exprs]
        return self._finished([], [e for e, _ in made], spent + sum(s for _, s in made))

    def _simple(self, e: Any) -> tuple[Any, float]:
        """An expression simplified, and the time. Raises `NoSymbolic` beyond the limits."""
        if e not in self.simple:
            text = Printer(self._spelled(), self.library).text(_bounded(e))
            count = operations(function_text(_MEASURED, [], [], text), _MEASURED)
            if count >= self.below:
                self.simple[e] = (
                    f"{count:,} operations; SymPy is asked to simplify below {self.below:,} only"
                )
            else:
                self.simple[e] = _limited(e)
        found = self.simple[e]
        if isinstance(found, str):
            raise NoSymbolic(found)
        return found

    def _spelled(self) -> dict[Any, str]:
        return {symbol: symbol.name for symbols in self.entries.values() for symbol in symbols}

    def _finished(
        self, pairs: Sequence[tuple[Any, Any]], exprs: Sequence[Any], spent: float
    ) -> Column:
        """The Python function of these statements and expressions."""
        _bounded(*exprs)
        start = time.perf_counter()
        own = self._spelled()
        spelled = own | {symbol: symbol.name for symbol, _ in pairs}
        printer = Printer(spelled, self.library)
        statements = [(symbol.name, printer.text(e)) for symbol, e in pairs]
        result = ", ".join(map(printer.text, exprs))
        text = function_text(_MEASURED, list(own.values()), statements, result)
        namespace: dict[str, Any] = {}
        exec(compile(text, "<sympy measured>", "exec", dont_inherit=True), namespace)
        spent += time.perf_counter() - start
        return Column(size(text, _MEASURED), namespace[_MEASURED], spent)


_MADE_BY = {RAW: "raw", CSE: "shared", SIMPLIFIED: "simplified", CSE_BOTH: "shared"}


class _Enough(BaseException):
    """The limit of steps is reached; SymPy catches exceptions of other kinds."""


def _limited(e: Any) -> tuple[Any, float] | str:
    """An expression simplified, and the time; or why not. Steps are calls of Python functions."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"
        if calls > MOST_CALLS:
            raise _Enough

    before = sys.getprofile()
    start = time.perf_counter()
    sys.setprofile(count)
    try:
        return sympy.simplify(e), time.perf_counter() - start
    except _Enough:
        return f"SymPy's simplify was stopped after {MOST_CALLS:,} steps"
    finally:
        sys.setprofile(before)


def _bounded(*exprs: Any) -> Any:
    """The first of some expressions, all of which together are small enough to be printed."""
    nodes = sum(map(tree_nodes, exprs))
    if nodes > MOST_PRINTED:
        raise NoSymbolic(f"{nodes:,} nodes; above {MOST_PRINTED:,} the expression is not printed")
    return exprs[0]
