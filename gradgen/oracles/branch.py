"""On which side of its branch points a function is computed: the derivative jumps between them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from gradgen.derive import copied
from gradgen.emission import emit
from gradgen.errors import GradgenError
from gradgen.graph import Graph
from gradgen.live import load
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.oracles.domain import depends_on, interior
from gradgen.oracles.intervals import RELATIONS
from gradgen.oracles.subject import Subject, by_keyword
from gradgen.program import Program
from gradgen.spelling import called
from gradgen.targets import TARGETS
from gradgen.types import Type

_SIGNS = {
    "abs", "absolute", "fabs", "sign", "copysign", "heaviside", "p_norm", "norm_of_order",
    "vector_norm", "matrix_norm", "scipy_norm", "scipy_norm_number", "i0e", "i1e", "ive",
    "py_bool", "not", "logical_not", "both", "either", "logical_and", "logical_or",
    "logical_xor", "nonzero", "flatnonzero", "argwhere", "count_true", "count_nonzero",
}  # fmt: skip
_PAIRS = {
    *RELATIONS, "maximum", "minimum", "py_max", "py_min", "fmax", "fmin", "clip", "clip_above",
    "clip_below", "huber",
}  # fmt: skip
_STEPS = {
    "floor", "ceil", "trunc", "rint", "round", "around", "round_decimals", "around_decimals",
    "int", "py_round", "fix", "special_round", "modf", "math_modf", "unwrap",
}  # fmt: skip
_QUOTIENTS = {"mod", "floordiv", "fmod", "math_remainder", "divmod"}
_ORDERS = {
    "max", "min", "max_where", "min_where", "nanmax", "nanmin", "ptp", "sort", "partition",
    "argsort", "argpartition", "lexsort", "median", "nanmedian", "quantile", "percentile",
    "argmax", "argmin", "nanargmax", "nanargmin", "interp", "searchsorted", "digitize", "isin",
    "maximum_accumulate", "minimum_accumulate", "norm_of_order", "matrix_norm", "svdvals",
}  # fmt: skip
_EXPONENTS = {"frexp", "math_frexp"}
BRANCHING = _SIGNS | _PAIRS | _STEPS | _QUOTIENTS | _ORDERS | _EXPONENTS


class Watch:
    """Tells arguments apart between which a derivative may jump.

    `unknown` says why a branch cannot be watched, where there is one.
    """

    def __init__(self, subject: Subject) -> None:
        graph = subject.graph
        needed = reachable(graph, subject.value, values=True)
        active = depends_on(graph, {leaf.node for leaf in subject.active})
        self.subject, self.unknown = subject, ""
        self.watched: list[tuple[str, tuple[int, ...]]] = []
        self._probe: Callable[..., Any] | None = None
        nodes: list[int] = []
        names: dict[str, None] = {}
        for node, op in enumerate(graph.ops):
            args = graph.args[node]
            if not needed[node] or not any(active[a] for a in args):
                continue
            exact = op in OPS and not graph.types[node].is_float and op not in BRANCHING
            if op not in BRANCHING and not (exact and isinstance(graph.types[node], Type)):
                continue
            read = (node,) if exact else tuple(a for a in args if _is_number(graph, a))
            self.watched.append(("exact" if exact else op, tuple(map(_place(nodes), read))))
            names[called(graph, node)] = None
        if nodes:
            try:
                self._probe = probe(subject, nodes)
            except (GradgenError, ArithmeticError, ValueError) as error:
                self.unknown = f"the branches of {', '.join(names)} cannot be watched: {error}"

    def side(self, values: Mapping[str, Any]) -> bytes | None:
        """What is the same for arguments on one side of all branch points; None: no value."""
        if self._probe is None:
            return b""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = self._probe(**self.subject.arguments(values))
                parts = [
                    np.asarray(part).tobytes()
                    for op, places in self.watched
                    for part in _sides(op, [np.asarray(found[k]) for k in places])
                ]
        except Exception:  # whatever the user's function raises at these arguments
            return None
        return b"|".join(parts)


class Edges:
    """Tells arguments at which an operation has a value but maybe no slope, as sqrt at 0."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        nodes: list[int] = []
        place = _place(nodes)
        self.conditions = [
            (tuple((place(args[k]), relation, bound) for k, relation, bound in clauses), any_of)
            for args, clauses, any_of in interior(subject)
        ]
        self._probe: Callable[..., Any] | None = None
        if nodes:
            try:
                self._probe = probe(subject, nodes)
            except (GradgenError, ArithmeticError, ValueError):
                self._probe = None  # then no edge is seen, and the steps must tell

    def touched(self, values: Mapping[str, Any]) -> bool:
        """Whether an operation is at the edge of its domain, or beyond."""
        if self._probe is None:
            return False
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = self._probe(**self.subject.arguments(values))
            for clauses, any_of in self.conditions:
                held = [_HOLDS[relation](found[k], bound) for k, relation, bound in clauses]
                # the operands of one condition may differ in shape
                if not np.all(reduce(np.logical_or if any_of else np.logical_and, held)):
                    return True
        return False


_HOLDS: dict[str, Callable[[Any, float], Any]] = {
    "<": np.less, ">": np.greater, "!=": np.not_equal,
    "rises": lambda values, _: np.diff(values) > 0,
}  # fmt: skip


def _place(nodes: list[int]) -> Callable[[int], int]:
    """Where a node stands among the results of the probe; it is added if it is not there."""

    def place(node: int) -> int:
        if node not in nodes:
            nodes.append(node)
        return nodes.index(node)

    return place


def _is_number(graph: Graph, node: int) -> bool:
    return isinstance(graph.types[node], Type)


def probe(subject: Subject, nodes: Sequence[int]) -> Callable[..., Any]:
    """A function of the arguments that gives the values of nodes of the graph, as a tuple."""
    graph = copied(subject.graph)
    graph.results = tuple(nodes)
    unit = emit(graph, TARGETS["numpy"], "grad")
    program = Program(graph, unit, "", ())
    return by_keyword(load(program, "grad", subject.function))


def _sides(op: str, values: list[Any]) -> list[Any]:
    """Arrays that are equal for operands on one side of the branch points of an operation."""
    if op == "exact":
        return values
    found: list[Any] = []
    if op in _SIGNS:
        found += [np.sign(v * 1.0) for v in values]
    if op in _PAIRS:
        first = np.abs(values[1] * 1.0) if op == "huber" else values[0] * 1.0
        others = values[:1] if op == "huber" else values[1:]
        # not their difference, which is NaN between equal infinities
        found += [(first > v) * 2 + (first == v) for v in others]
        if op == "clip":
            found.append(values[1] * 1.0 > values[2])
    if op in _STEPS:
        found += [np.floor(v * 2.0) for v in values] + [np.ceil(v * 2.0) for v in values]
    if op in _QUOTIENTS:
        quotient = values[0] / (values[1] * 1.0)
        found += [np.floor(quotient * 2.0), np.ceil(quotient * 2.0)]
    if op in _EXPONENTS:
        found += [np.frexp(v * 1.0)[1] for v in values]
    if op in _ORDERS:
        items = np.concatenate([np.ravel(v) * 1.0 for v in values])
        order = np.argsort(items, kind="stable")
        found += [order, np.diff(items[order]) == 0]
    return found
