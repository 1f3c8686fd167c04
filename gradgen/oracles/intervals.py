"""Interval arithmetic: between which bounds the items of every node of a graph lie.

The bounds hold for what floating point computes, not only for real numbers: `exp(x)` is at least 0,
since it underflows, and `exp(x) + 1` at least 1. What is NaN lies in no interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradgen.graph import Graph

INF = math.inf


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers from `low` to `high`; an open end is not among them; `items`: these numbers only."""

    low: float = -INF
    high: float = INF
    low_open: bool = False
    high_open: bool = False
    items: tuple[float, ...] | None = None

    def __str__(self) -> str:
        if self.items is not None:
            return "{" + ", ".join(f"{item:g}" for item in self.items) + "}"
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"

    def __contains__(self, value: float) -> bool:
        if self.items is not None:
            return value in self.items
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)

    @property
    def is_empty(self) -> bool:
        """Whether no number lies in it."""
        if self.items is not None:
            return not self.items
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def meet(self, other: Interval) -> Interval:
        """The numbers that lie in both."""
        if self.items is not None:
            return points(tuple(v for v in self.items if v in other))
        if other.items is not None:
            return other.meet(self)
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, high_shut = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Interval(low, high, low_open, not high_shut)

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        low, low_open = min((self.low, self.low_open), (other.low, other.low_open))
        high, high_shut = max((self.high, not self.high_open), (other.high, not other.high_open))
        return Interval(low, high, low_open, not high_shut)

    def always(self, relation: str, bound: float) -> bool:
        """Whether `x relation bound` is true of every x in it."""
        if relation == ">":
            return self.low > bound or (self.low == bound and self.low_open)
        if relation == ">=":
            return self.low >= bound
        if relation == "<":
            return self.high < bound or (self.high == bound and self.high_open)
        if relation == "<=":
            return self.high <= bound
        if relation == "==":
            return self.low == self.high == bound
        if self.items is not None:
            return bound not in self.items
        return self.always(">", bound) or self.always("<", bound)


ALL = Interval()
NOT_NEGATIVE = Interval(0.0, INF)
BETWEEN_0_AND_1 = Interval(0.0, 1.0)
BETWEEN_ONES = Interval(-1.0, 1.0)


def points(values: Sequence[float]) -> Interval:
    """The interval of these numbers alone."""
    if not values:
        return Interval(INF, -INF, items=())
    return Interval(min(values), max(values), items=tuple(values))


def related(relation: str, bound: float) -> Interval:
    """The numbers x with `x relation bound`; all of them for `!=`."""
    if relation in ("<", "<="):
        return Interval(high=bound, high_open=relation == "<")
    if relation in (">", ">="):
        return Interval(low=bound, low_open=relation == ">")
    return Interval(bound, bound) if relation == "==" else ALL


def intervals(
    graph: Graph, given: Mapping[int, Interval], narrowed: Mapping[int, Interval] | None = None
) -> list[Interval]:
    """For every node the interval of its items.

    `given` are those of parameters; `narrowed` are known of any nodes besides.
    """
    found: list[Interval] = []
    for node, op in enumerate(graph.ops):
        value = graph.values[node]
        if isinstance(value, (bool, int, float)) and not math.isnan(value):
            interval = Interval(float(value), float(value))
        elif node in given:
            interval = given[node]
        else:
            interval = _step(graph, node, op, [found[a] for a in graph.args[node]])
        if narrowed and node in narrowed:
            interval = interval.meet(narrowed[node])
        found.append(interval)
    return found


def _step(graph: Graph, node: int, op: str, args: list[Interval]) -> Interval:
    if graph.types[node].dtype == "bool":
        return BETWEEN_0_AND_1
    if op == "power":
        return _power(args[0], args[1])
    if op == "mul" and len(set(graph.args[node])) == 1:
        return _square(args[0])
    if op == "matmul" and len(set(graph.args[node])) == 1 and not graph.types[node].shape:
        return NOT_NEGATIVE
    rule = _RULES.get(op)
    if rule is None or any(a.is_empty for a in args):
        return ALL
    return rule(*args)


def _outward(low: float, high: float) -> Interval:
    """Bounds that were rounded, moved outward by more than their rounding."""
    if math.isnan(low) or math.isnan(high):
        return ALL
    if low not in (0.0, -INF):
        low = math.nextafter(math.nextafter(low, -INF), -INF)
    if high not in (0.0, INF):
        high = math.nextafter(math.nextafter(high, INF), INF)
    return Interval(low, high)


def _add(x: Interval, y: Interval) -> Interval:
    # Of x >= 1 and y > 0 the sum can be 1: an end stays open only where it is 0, since a sum of
    # floating-point numbers is 0 only where they are opposite.
    low, high = x.low + y.low, x.high + y.high
    return Interval(
        -INF if math.isnan(low) else low,
        INF if math.isnan(high) else high,
        low == 0 and (x.low_open or y.low_open),
        high == 0 and (x.high_open or y.high_open),
    )


def _neg(x: Interval) -> Interval:
    return Interval(-x.high, -x.low, x.high_open, x.low_open)


def _mul(x: Interval, y: Interval) -> Interval:
    # a bound of 0 times one of infinity is a bound of 0: infinity itself is only approached
    corners = [0.0 if 0.0 in (a, b) else a * b for a in (x.low, x.high) for b in (y.low, y.high)]
    return Interval(min(corners), max(corners))


def _reciprocal(x: Interval) -> Interval:
    if x.low >= 0:
        return Interval(0.0 if x.high == INF else 1 / x.high if x.high else INF,
                        INF if x.low == 0 else 1 / x.low)  # fmt: skip
    return _neg(_reciprocal(_neg(x))) if x.high <= 0 else ALL


def _div(x: Interval, y: Interval) -> Interval:
    product = _mul(x, _reciprocal(y))
    return _outward(product.low, product.high)


def _absolute(x: Interval) -> Interval:
    if x.low >= 0:
        return x
    if x.high <= 0:
        return _neg(x)
    return Interval(0.0, max(-x.low, x.high))


def _square(x: Interval) -> Interval:
    size = _absolute(x)
    return _mul(Interval(size.low, size.high), Interval(size.low, size.high))


def _power(x: Interval, y: Interval) -> Interval:
    if y.low != y.high:
        return NOT_NEGATIVE if x.low >= 0 else ALL
    n = y.low
    if n == 0:
        return Interval(1.0, 1.0)
    if n < 0:
        return _reciprocal(_power(x, Interval(-n, -n)))
    if n % 2 == 0:
        x = _absolute(x)
    elif x.low < 0 and n % 2 != 1:
        x = x.meet(NOT_NEGATIVE)
    return _monotone(lambda v: math.copysign(abs(v) ** n, v))(x)


def _monotone(
    function: Callable[[float], float], low: float = -INF, high: float = INF
) -> Callable[[Interval], Interval]:
    """The rule of a function that does not fall, with values from `low` to `high`."""

    def at(v: float, otherwise: float) -> float:
        try:
            return function(v)
        except OverflowError:
            return INF if v > 0 else -INF
        except ValueError:  # out of the function's domain, or at its pole
            return otherwise

    def rule(x: Interval) -> Interval:
        found = _outward(at(x.low, low), at(x.high, high))
        return Interval(max(low, found.low), min(high, found.high))

    return rule


def _sqrt(x: Interval) -> Interval:
    found = _monotone(math.sqrt, 0.0)(x)
    # the root of the smallest number above 0 is far above 0
    return Interval(found.low, found.high, x.low == 0 and x.low_open)


def _constant(interval: Interval) -> Callable[..., Interval]:
    return lambda *args: interval


def _hull(*args: Interval) -> Interval:
    found = args[0]
    for other in args[1:]:
        found = found.hull(other)
    return Interval(found.low, found.high, found.low_open, found.high_open)


def _first(x: Interval, *rest: Interval) -> Interval:
    return Interval(x.low, x.high, x.low_open, x.high_open)


def _where(condition: Interval, x: Interval, y: Interval) -> Interval:
    return _hull(x, y)


def _maximum(x: Interval, y: Interval) -> Interval:
    low, low_open = max((x.low, x.low_open), (y.low, y.low_open))
    return Interval(low, max(x.high, y.high), low_open)


def _minimum(x: Interval, y: Interval) -> Interval:
    return _neg(_maximum(_neg(x), _neg(y)))


def _sum(x: Interval, *rest: Interval) -> Interval:
    return Interval(0.0 if x.low >= 0 else -INF, 0.0 if x.high <= 0 else INF)


def _mean(x: Interval, *rest: Interval) -> Interval:
    """What is between bounds on average; rounding may pass a bound that is no small integer."""
    low = x.low if x.low == int_or_inf(x.low) else -INF
    high = x.high if x.high == int_or_inf(x.high) else INF
    return Interval(low, high)


def int_or_inf(value: float) -> float:
    """The number without its fraction; infinities stay."""
    return value if math.isinf(value) else math.trunc(value)


def _products(*args: Interval) -> Interval:
    return NOT_NEGATIVE if all(a.low >= 0 for a in args) else ALL


def _mod(x: Interval, y: Interval) -> Interval:
    return Interval(0.0, y.high) if y.low >= 0 else ALL


_RULES: dict[str, Callable[..., Interval]] = {
    "add": _add, "sub": lambda x, y: _add(x, _neg(y)), "mul": _mul, "div": _div, "neg": _neg,
    "pos": _first, "float": _first, "square": _square, "reciprocal": _reciprocal, "mod": _mod,
    "abs": _absolute, "absolute": _absolute, "fabs": _absolute, "sqrt": _sqrt,
    "cbrt": _monotone(math.cbrt) if hasattr(math, "cbrt") else _constant(ALL),
    "exp": _monotone(math.exp, 0.0), "exp2": _monotone(lambda v: 2.0**v, 0.0),
    "expm1": _monotone(math.expm1, -1.0), "log": _monotone(math.log),
    "log2": _monotone(math.log2), "log10": _monotone(math.log10), "log1p": _monotone(math.log1p),
    "sinh": _monotone(math.sinh), "arcsinh": _monotone(math.asinh),
    "cosh": lambda x: _monotone(math.cosh, 1.0)(_absolute(x)),
    "tanh": _monotone(math.tanh, -1.0, 1.0), "arctan": _monotone(math.atan, -1.58, 1.58),
    "arcsin": _monotone(math.asin, -1.58, 1.58), "arccos": _constant(Interval(0.0, 3.15)),
    "arctan2": _constant(Interval(-3.15, 3.15)), "sin": _constant(BETWEEN_ONES),
    "cos": _constant(BETWEEN_ONES), "erf": _monotone(math.erf, -1.0, 1.0),
    "erfc": _constant(Interval(0.0, 2.0)), "expit": _constant(BETWEEN_0_AND_1),
    "ndtr": _constant(BETWEEN_0_AND_1), "softmax": _constant(BETWEEN_0_AND_1),
    "softplus": _constant(NOT_NEGATIVE), "hypot": _constant(NOT_NEGATIVE),
    "logaddexp": lambda x, y: Interval(max(x.low, y.low), INF),
    "maximum": _maximum, "py_max": _maximum, "minimum": _minimum, "py_min": _minimum,
    "clip": lambda x, y, z: _minimum(_maximum(x, y), z), "clip_below": _maximum,
    "clip_above": _minimum, "where": _where, "sign": _constant(BETWEEN_ONES),
    "floor": _monotone(lambda v: float(math.floor(v)) if math.isfinite(v) else v),
    "ceil": _monotone(lambda v: float(math.ceil(v)) if math.isfinite(v) else v),
    "sum": _sum, "total": _products, "sum_rows": _sum, "cumsum": _sum, "mean": _mean,
    "prod": _products, "cumprod": _products, "matmul": _products, "outer": _products,
    "einsum": _products, "tensordot": _products, "max": _first, "min": _first,
    "norm": _constant(NOT_NEGATIVE), "p_norm": _constant(NOT_NEGATIVE),
    "norm_of_order": _constant(NOT_NEGATIVE), "vector_norm": _constant(NOT_NEGATIVE),
    "matrix_norm": _constant(NOT_NEGATIVE), "var": _constant(NOT_NEGATIVE),
    "std": _constant(NOT_NEGATIVE), "reshape": _first, "transpose": _first, "index": _first,
    "copy": _first, "astype": _first, "broadcast_to": _first, "array": _hull, "stack": _hull,
    "concatenate": _hull, "vstack": _hull, "hstack": _hull, "dstack": _hull,
    "column_stack": _hull, "sort": _first, "flip": _first, "roll": _first, "squeeze": _first,
    "zeros": _constant(Interval(0.0, 0.0)), "zeros_like": _constant(Interval(0.0, 0.0)),
    "ones": _constant(Interval(1.0, 1.0)), "ones_like": _constant(Interval(1.0, 1.0)),
    "index_set": lambda a, v, *rest: _hull(a, v), "axis_size": _constant(NOT_NEGATIVE),
    "item_count": _constant(NOT_NEGATIVE),
}  # fmt: skip


def narrowing(graph: Graph, condition: int, holds: bool) -> dict[int, Interval]:
    """What a condition tells of the nodes that it compares with numbers."""
    found: dict[int, Interval] = {}
    stack: list[tuple[int, bool]] = [(condition, holds)]
    while stack:
        node, truth = stack.pop()
        op, args = graph.ops[node], graph.args[node]
        if op in ("invert", "not", "logical_not"):
            stack.append((args[0], not truth))
        elif (truth and op in ("bitand", "both", "logical_and")) or (
            not truth and op in ("bitor", "either", "logical_or")
        ):
            stack += [(a, truth) for a in args]
        elif op in RELATIONS:
            relation = RELATIONS[op] if truth else _OPPOSITE[RELATIONS[op]]
            both = [(args[0], args[1], relation), (args[1], args[0], _TURNED[relation])]
            for one, other, r in both:
                bound: Any = graph.values[other]
                # a comparison with NaN is false: what does not hold says nothing of NaN either
                if isinstance(bound, (int, float)) and not math.isnan(bound):
                    found[one] = found.get(one, ALL).meet(related(r, float(bound)))
    return found


RELATIONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_OPPOSITE = {"<": ">=", ">=": "<", "<=": ">", ">": "<=", "==": "!=", "!=": "=="}
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
