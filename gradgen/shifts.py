"""Maxima that are subtracted before `exp` and make no difference to the result.

In `m + log(sum(exp(z - m)))`, and in `s - log(sum(exp(s)))` of `s = z - m`, the maximum `m` only
keeps `exp` from overflowing: whatever is subtracted, the result is the same, so that its derivative
with respect to `m` is zero and the adjoint of the maximum need not be computed.

How a value depends on `m` is found by following it from there: it is `x + k*m` or `x * exp(k*m)`
with an `x` that does not, and along which of its axes the items belong to the items of `m`. Where
all that is left in the end has `k = 0`, `m` counts as a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gradgen.graph import Graph, GraphBuilder, leaves
from gradgen.liveness import finish, reachable, readers, shell
from gradgen.ops.indexing import WHOLE, resolve

_MAXIMA = frozenset({"max", "min"})
# Along more than these nodes no maximum is followed, so that the search stays linear.
_FARTHEST = 64


class Shift(NamedTuple):
    """A value is `x + k*m`, or `x * exp(k*m)`; for each of its axes that of `m`, or None."""

    factor: bool
    k: int
    axes: tuple[int | None, ...]


def without_shifts(graph: Graph) -> Graph:
    """The graph with maxima that only shift held constant."""
    if _MAXIMA.isdisjoint(graph.ops):
        return graph
    needed = reachable(graph, graph.results)
    users = readers(graph, needed)
    ends = set(leaves(graph.results))
    found = [
        node for node in range(len(graph))
        if needed[node] and graph.ops[node] in _MAXIMA and _cancels(graph, node, users, ends)
    ]  # fmt: skip
    if not found:
        return graph
    chosen = set(found)
    b = GraphBuilder(shell(graph))
    mapping: list[int] = []
    for node in range(len(graph)):
        new = b.copy_node(graph, node, mapping)
        if node in chosen:
            b.loc = None
            new = b.add("stop_gradient", new, attr="rule")
        mapping.append(new)
    return finish(graph, b, mapping)


def _cancels(graph: Graph, start: int, users: Sequence[Sequence[int]], ends: set[int]) -> bool:
    """Whether no result depends on a maximum."""
    shape = graph.types[start].shape
    shifts = {start: Shift(False, 1, tuple(k if n != 1 else None for k, n in enumerate(shape)))}
    pending, seen = sorted(users[start]), 0
    if start in ends or not pending:
        return False
    while pending:
        node = pending.pop(0)
        seen += 1
        rule = _RULES.get(graph.ops[node])
        shift = rule(graph, node, shifts) if rule is not None and seen < _FARTHEST else None
        if shift is None:
            return False
        if shift.k:
            if node in ends:
                return False
            shifts[node] = shift
            pending = sorted({*pending, *users[node]})
    return True


def _sum_of(graph: Graph, node: int, shifts: dict[int, Shift], signs: Sequence[int],
            factor: bool) -> Shift | None:  # fmt: skip
    """Of operands that broadcast: their shifts, added up with these signs."""
    rank = graph.types[node].rank
    total = 0
    axes: tuple[int | None, ...] | None = None
    for arg, sign in zip(graph.args[node], signs, strict=True):
        shift = shifts.get(arg)
        if shift is None:
            continue
        own = (None,) * (rank - len(shift.axes)) + shift.axes
        if shift.factor != factor or (axes is not None and own != axes):
            return None
        axes, total = own, total + sign * shift.k
    assert axes is not None
    return Shift(factor, total, axes)


def _exp(graph: Graph, node: int, shifts: dict[int, Shift]) -> Shift | None:
    shift = shifts[graph.args[node][0]]
    return None if shift.factor else shift._replace(factor=True)


def _log(graph: Graph, node: int, shifts: dict[int, Shift]) -> Shift | None:
    shift = shifts[graph.args[node][0]]
    return shift._replace(factor=False) if shift.factor else None


def _sum(graph: Graph, node: int, shifts: dict[int, Shift]) -> Shift | None:
    """A sum over axes along which the items belong to one of `m`, of factors."""
    shift = shifts[graph.args[node][0]]
    axes, keepdims, _ = graph.attrs[node]
    gone = range(len(shift.axes)) if axes is None else axes
    if not shift.factor or any(shift.axes[axis] is not None for axis in gone):
        return None
    if keepdims:
        return shift
    kept = tuple(own for axis, own in enumerate(shift.axes) if axis not in gone)
    return shift._replace(axes=kept)


def _index(graph: Graph, node: int, shifts: dict[int, Shift]) -> Shift | None:
    """New axes, items along axes that `m` does not have, or for each row one item of it."""
    array, *operands = graph.args[node]
    shift = shifts.get(array)
    if shift is None or any(o in shifts for o in operands):
        return None
    template = list(resolve(graph.attrs[node], len(shift.axes)))
    ranks = iter([graph.types[operand].rank for operand in operands])
    # an operand without axes picks one item, as a number does
    template = ["i" if item == "a" and not next(ranks) else item for item in template]
    if all(item == "a" for item in template):
        return _one_of_each(graph, shift, operands)
    axes: list[int | None] = []
    own = iter(shift.axes)
    for item in template:
        if item == "n":
            axes.append(None)
            continue
        axis = next(own)
        if item == WHOLE:
            axes.append(axis)
        elif axis is not None or item[0] not in ("i", "s"):
            return None
        elif item[0] == "s":
            axes.append(None)
    return shift._replace(axes=tuple(axes))


def _one_of_each(graph: Graph, shift: Shift, operands: Sequence[int]) -> Shift | None:
    """`x[np.arange(n), k]`: along the axis that `m` has, each item once and in order."""
    axes: list[int | None] = []
    for axis, operand in zip(shift.axes, operands, strict=True):
        if graph.types[operand].rank != 1:
            return None
        if axis is not None:
            if graph.ops[operand] != "arange" or len(graph.args[operand]) != 1:
                return None
            axes.append(axis)
    if len(axes) > 1:
        return None
    return shift._replace(axes=tuple(axes) or (None,))


_RULES = {
    "add": lambda graph, node, shifts: _sum_of(graph, node, shifts, (1, 1), False),
    "sub": lambda graph, node, shifts: _sum_of(graph, node, shifts, (1, -1), False),
    "mul": lambda graph, node, shifts: _sum_of(graph, node, shifts, (1, 1), True),
    "div": lambda graph, node, shifts: _sum_of(graph, node, shifts, (1, -1), True),
    "exp": _exp,
    "log": _log,
    "sum": _sum,
    "index": _index,
}
