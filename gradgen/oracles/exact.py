"""A graph evaluated entry by entry over exact scalars: of mpmath, or of SymPy with values.

Arrays are NumPy arrays of objects; integers and masks stay NumPy's own. Rounding to a dtype is left
out: casts between floats are the identity.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import sympy

from gradgen.derive import copied
from gradgen.graph import Graph, GraphBuilder
from gradgen.ops import OPS
from gradgen.ops.written import infer_written
from gradgen.oracles.calls import written_call
from gradgen.oracles.formulas import apply
from gradgen.oracles.scalars import Arithmetic, Scalar, Unsupported
from gradgen.oracles.structural import STRUCTURAL, box, is_plain, resolve
from gradgen.rules import define, program_reader
from gradgen.types import TupleType, Type

__all__ = ["Evaluator", "Unsupported", "evaluate"]

CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "tau": 2 * sympy.pi, "euler_gamma": sympy.EulerGamma}
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda x, y: x < y, "le": lambda x, y: x <= y, "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y, "eq": lambda x, y: x == y, "ne": lambda x, y: x != y,
}  # fmt: skip
_LOGIC: dict[str, Callable[..., Any]] = {
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "logical_not": np.logical_not, "both": np.logical_and, "either": np.logical_or,
    "not": np.logical_not, "py_bool": lambda x: x,
}  # fmt: skip
_KINDS: dict[str, Callable[[Any], bool]] = {
    "isnan": lambda x: bool(x != x), "isinf": lambda x: bool(abs(x) == math.inf),
    "isfinite": lambda x: bool(abs(x) < math.inf), "isposinf": lambda x: bool(x == math.inf),
    "isneginf": lambda x: bool(x == -math.inf), "signbit": lambda x: bool(x < 0),
    "isreal": lambda x: True, "iscomplex": lambda x: False,
}  # fmt: skip


# What NumPy, SymPy and mpmath raise where they cannot compute with such scalars.
FAILURES = (
    ArithmeticError, AssertionError, AttributeError, IndexError, TypeError, ValueError,
    RecursionError, mpmath.libmp.NoConvergence,
)  # fmt: skip


def evaluate(
    graph: Graph, nodes: Iterable[int], inputs: Mapping[Any, Any], arithmetic: Arithmetic
) -> list[Any]:
    """The values of nodes, where `inputs` gives each argument by its name and path.

    Raises `Unsupported` with the name of an operation that is not evaluated here.
    """
    return Evaluator(graph, inputs, arithmetic).of(nodes)


class Evaluator:
    """The values of the nodes of one graph on one choice of arguments, each computed once."""

    def __init__(self, graph: Graph, inputs: Mapping[Any, Any], arithmetic: Arithmetic) -> None:
        self.graph = copied(graph)
        # definitions are spelled out at the end of the copy, apart from what is there
        self.builder = GraphBuilder(self.graph, share=False)
        self.programs = program_reader(self.builder)
        self.inputs = inputs
        self.arithmetic = arithmetic
        self.values: dict[int, Any] = {}

    def of(self, nodes: Iterable[int]) -> list[Any]:
        """The values of these nodes. Raises `Unsupported`."""
        wanted = list(nodes)
        needed: set[int] = set()
        stack = list(wanted)
        while stack:
            node = stack.pop()
            if node not in needed and node not in self.values:
                needed.add(node)
                # what its rule is made of has no values of its own
                stack += self.graph.args[node] if self.graph.ops[node] != "custom_rule" else ()
        for node in sorted(needed):
            try:
                found = self._computed(node)
                self.values[node] = self._finished(found, self.graph.types[node])
            except FAILURES as error:
                raise Unsupported(self.graph.ops[node]) from error
        return [self.values[node] for node in wanted]

    def defined(self, node: int) -> list[Any]:
        """The values of what the definition of a written call computes."""
        return self.of(define(self.programs, OPS[self.graph.ops[node]], node))

    def lift(self, value: Any) -> np.ndarray[Any, Any]:
        """An array of scalars."""
        if isinstance(value, np.ndarray) and value.ndim:
            found = np.empty(value.shape, object)
            found.reshape(-1)[:] = [self._scalar(item) for item in value.ravel()]
            return found
        return box(self._scalar(value[()] if isinstance(value, np.ndarray) else value))

    def each(self, function: Callable[..., Any], *arrays: Any) -> np.ndarray[Any, Any]:
        """A function of scalars, entry by entry over arrays that are broadcast."""
        found = np.frompyfunc(function, len(arrays), 1)(*arrays)
        made: np.ndarray[Any, Any] = found if isinstance(found, np.ndarray) else box(found)
        return made

    def row(self, name: str, *arrays: Any) -> np.ndarray[Any, Any]:
        """An elementwise row of arrays of scalars."""
        lifted = [self.lift(array) for array in arrays]
        return self.each(lambda *items: apply(name, self.arithmetic, items), *lifted)

    def numbers(self, array: Any) -> np.ndarray[Any, Any]:
        """The values that decide comparisons."""
        return self.each(self.arithmetic.value, self.lift(array))

    def mask(self, array: Any) -> np.ndarray[Any, Any]:
        """Where an array is not zero."""
        if is_plain(array):
            return np.asarray(np.asarray(array) != 0)
        return np.asarray(self.numbers(array) != 0, bool)

    # -- one node ------------------------------------------------------------------------------

    def _scalar(self, item: Any) -> Scalar:
        plain = isinstance(item, (bool, int, float, np.generic))
        return self.arithmetic.number(item) if plain else item

    def _computed(self, node: int) -> Any:
        graph = self.graph
        op, attr = graph.ops[node], graph.attrs[node]
        if op == "param":
            return self.inputs[attr]
        if op == "const":
            return attr
        if op == "constant":
            known = CONSTANTS.get(attr.rpartition(".")[2])
            return graph.values[node] if known is None else self.arithmetic.constant(known)
        if op == "custom_rule":
            raise Unsupported("a custom rule")
        if op == "opaque":
            raise Unsupported(f"the opaque function {attr.name}")
        args = [self.values[a] for a in graph.args[node]]
        if op == "global":
            return args[0] if args else np.asarray(graph.captured[attr[1]])
        row = OPS.get(op)
        if row is None:
            raise Unsupported(op)
        if row.elementwise or op in _LOGIC:
            return self._elementwise(op, args, graph.types[node])
        if op in STRUCTURAL:
            return STRUCTURAL[op](self, args, attr, graph.types[node])
        if row.infer is infer_written:
            return written_call(self, node, args)
        raise Unsupported(op)

    def _finished(self, value: Any, t: Type | TupleType) -> Any:
        """A value as its type says: masks and integers NumPy's own, floats as scalars."""
        if isinstance(t, TupleType):
            return tuple(self._finished(v, part) for v, part in zip(value, t.items, strict=True))
        if t.is_float:
            found = self.lift(value)
        elif t.dtype == "bool":
            found = self.mask(value)
        elif is_plain(value):
            found = np.asarray(value)
        else:
            found = self.each(int, self.numbers(value)).astype(np.int64)
        lengths = tuple(n if isinstance(n, int) else m for n, m in zip(t.shape, found.shape,
                                                                       strict=False))  # fmt: skip
        assert found.shape == lengths and found.ndim == t.rank, f"{found.shape} is not {t}"
        return found

    def _elementwise(self, op: str, args: Sequence[Any], t: Type) -> Any:
        if op == "where":
            return np.where(self.mask(args[0]), self.mixed(args[1], t), self.mixed(args[2], t))
        if op in _LOGIC:
            return _LOGIC[op](*map(self.mask, args))
        if all(map(is_plain, args)) and not t.is_float:
            return _native(op, t)(*args)
        if op in _TESTS:
            return self.each(lambda x, y: self._test(op, x, y), *map(self.lift, args)).astype(bool)
        if op in _KINDS:
            return self.each(lambda x: _KINDS[op](self.arithmetic.value(x)), self.lift(args[0]))
        return self.row(op, *args)

    def mixed(self, array: Any, t: Type) -> Any:
        """An operand of what moves items: scalars where the result holds floats."""
        return self.lift(array) if t.is_float else array

    def _test(self, op: str, x: Scalar, y: Scalar) -> bool:
        a = self.arithmetic
        outcome = bool(_TESTS[op](a.value(x), a.value(y)))
        a.decide(outcome, x, y)
        return outcome


def _native(op: str, t: Type) -> Callable[..., Any]:
    """What computes a row of integers and masks."""
    row = OPS[op]
    if row.evaluate is not None and t.kind == "py":
        evaluate = row.evaluate
        return lambda *args: evaluate(*(np.asarray(a).item() for a in args))
    special = {"clip_above": np.minimum, "clip_below": np.maximum, "invert": np.invert}
    if op in special:
        return special[op]
    for dotted in (row.call, *row.aliases):
        if dotted.startswith("numpy."):
            return resolve(dotted)  # type: ignore[no-any-return]
    name = (row.call or row.math).rpartition(".")[2]
    found = getattr(builtins, name, None) or getattr(math, name, None)
    if found is None:
        raise Unsupported(op)
    return lambda *args: found(*(np.asarray(a).item() for a in args))
