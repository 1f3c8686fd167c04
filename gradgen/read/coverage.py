"""Arrays of np.empty: every item is assigned before it is read, or the program is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradgen.errors import Refusal, SourceError
from gradgen.graph import Graph, leaves
from gradgen.ops.indexing import resolve
from gradgen.types import Shape, Size, Type, product

_EMPTY = frozenset({"empty", "empty_like"})
# What reads the shape of its first argument only.
_SHAPE_ONLY = ("axis_size", "item_count", "zeros_like", "ones_like", "full_like", "empty_like")
_UPDATES = ("index_set", "index_add")
_LARGEST = 10_000_000
# For each axis where a part starts and ends.
Box = tuple[tuple[Size, Size], ...]


class Items:
    """Which items of an array of known shape were assigned."""

    def __init__(self, filled: Any) -> None:
        self.filled = filled
        self.missing = int(filled.size - np.count_nonzero(filled))
        self.masks: set[int] = set()

    def store(self, key: Any, part: Any) -> None:
        """Note that the items of a part were assigned, or those of them that `part` tells."""
        before = np.count_nonzero(self.filled[key])
        self.filled[key] = True if part is None else part.filled
        self.missing -= int(np.count_nonzero(self.filled[key]) - before)

    def part(self, key: Any) -> Items:
        """Which items of a part were assigned."""
        return Items(np.array(self.filled[key]))


class Boxes:
    """Which boxes of an array of symbolic shape were assigned."""

    def __init__(self, shape: Shape) -> None:
        self.whole: Box = tuple((0, n) for n in shape)
        self.boxes: list[Box] = []
        self.masks: set[int] = set()
        self.missing = 1

    def store(self, box: Box) -> None:
        """Note that a box was assigned, and join it with the ones beside it."""
        joined: Box | None = box
        while joined is not None:
            box, joined = joined, None
            for other in self.boxes:
                joined = _joined(box, other)
                if joined is not None:
                    self.boxes.remove(other)
                    break
        self.boxes.append(box)
        if box == self.whole:
            self.missing = 0

    def holds(self, box: Box) -> bool:
        """Whether all of a box is known to have been assigned."""
        return not self.missing or any(
            all(
                _at_most(a, c) and _at_most(d, b)
                for (a, b), (c, d) in zip(held, box, strict=True)
            )
            for held in self.boxes
        )  # fmt: skip


def _at_most(one: Size, other: Size) -> bool:
    difference = other - one
    return isinstance(difference, int) and difference >= 0


def _joined(box: Box, other: Box) -> Box | None:
    """Two boxes that differ along one axis at most, and touch there, as one."""
    apart = [k for k, (one, two) in enumerate(zip(box, other, strict=True)) if one != two]
    if len(apart) > 1:
        return None
    for axis in apart:
        for (a, b), (c, d) in ((box[axis], other[axis]), (other[axis], box[axis])):
            if b == c:
                return (*box[:axis], (a, d), *box[axis + 1 :])
            if _at_most(a, c) and _at_most(c, b) and (_at_most(b, d) or _at_most(d, b)):
                return (*box[:axis], (a, d if _at_most(b, d) else b), *box[axis + 1 :])
        return None
    return box


def check_empty(graph: Graph) -> None:
    """Raises `SourceError` where what np.empty leaves in an array can be read."""
    if _EMPTY.isdisjoint(graph.ops):
        return
    states: dict[int, Any] = {}
    needed = _needed(graph)
    node = -1
    try:
        for node, op in enumerate(graph.ops):
            state = _state(graph, node, op, states) if needed[node] else None
            if state is not None and state.missing:
                states[node] = state
        for node in leaves(graph.results):
            if node in states:
                raise _refusal(graph, node)
    except Refusal as refusal:
        loc = graph.locs[node]
        if loc is None:
            raise
        raise SourceError(refusal.message, loc, refusal.hint) from None


def _needed(graph: Graph) -> list[bool]:
    """Which nodes the results need."""
    needed = [False] * len(graph)
    for leaf in leaves(graph.results):
        needed[leaf] = True
    for node in range(len(graph) - 1, -1, -1):
        if needed[node]:
            for arg in graph.args[node]:
                needed[arg] = True
    return needed


def _refusal(graph: Graph, node: int) -> Refusal:
    name = graph.names[node]
    array = f"the array `{name}`" if name else "an array of np.empty"
    return Refusal(
        f"np.empty holds values that nobody computed: {array} is read here before every item of it "
        "is known to be assigned",
        "use np.zeros, or assign every item first",
    )


def _state(graph: Graph, node: int, op: str, states: dict[int, Any]) -> Any:
    """What is assigned of a node's array; None for all of it."""
    t, args = graph.types[node], graph.args[node]
    if op in _EMPTY:
        return _fresh(t.shape)
    open_args = [a for a in args if a in states]
    if not open_args or (op in _SHAPE_ONLY and open_args == [args[0]]):
        return None
    if op == "copy" and isinstance(states[args[0]], Items):
        return states[args[0]].part(...)
    if op == "index" and open_args == [args[0]]:
        return _read(graph, node, states[args[0]])
    if op == "index_set" and set(open_args) <= set(args[:2]):
        return _stored(graph, node, states)
    if op == "index_add" and open_args == [args[0]] and _read(graph, node, states[args[0]]) is None:
        return _taken(graph, args[0], states)
    raise _refusal(graph, open_args[0])


def _taken(graph: Graph, array: int, states: dict[int, Any]) -> Any:
    """The record of an array, which from now on is that of its next value."""
    state = states[array]
    if state is None:
        raise _refusal(graph, array)
    states[array] = None
    return state


def _fresh(shape: Shape) -> Any:
    known = [n for n in shape if isinstance(n, int)]
    if len(known) == len(shape) and product(shape) <= _LARGEST:  # type: ignore[operator]
        return Items(np.zeros(known, dtype=bool))
    return Boxes(shape)


def _operands(graph: Graph, node: int) -> Sequence[int]:
    return graph.args[node][2 if graph.ops[node] in _UPDATES else 1 :]


def _key(graph: Graph, node: int) -> Any:
    """The index of a node with known integers, as NumPy takes it; None where an array is in it."""
    operands = _operands(graph, node)
    values = iter([graph.values[o] for o in operands])
    if any(not isinstance(graph.values[o], int) for o in operands):
        return None
    key: list[Any] = []
    for item in graph.attrs[node]:
        if item == "n":
            key.append(None)
        elif item == "e":
            key.append(...)
        elif item == "a":
            key.append(next(values))
        elif item[0] == "i":
            key.append(item[1])
        else:
            key.append(slice(*[next(values) if b == "a" else b for b in item[1:]]))
    return tuple(key)


def _box(graph: Graph, node: int, t: Type) -> Box | None:
    """The box of an array that an index names; None where it is none, or is not known."""
    operands = _operands(graph, node)
    types = [graph.types[o] for o in operands]
    values = [graph.values[o] for o in operands]
    if any(u.shape or u.kind == "array" for u in types) or "n" in graph.attrs[node]:
        return None
    box: list[tuple[Size, Size]] = []
    left = iter(values)
    for length, item in zip(t.shape, resolve(graph.attrs[node], t.rank), strict=True):
        place = next(left) if item == "a" else item[1] if item[0] == "i" else None
        if item == "a" or item[0] == "i":
            if place is None:
                return None
            start = length + place if isinstance(place, int) and place < 0 else place
            box.append((start, start + 1))
            continue
        start, stop, step = (next(left) if b == "a" else b for b in item[1:])
        if step == -1 and start is None and stop is None:
            start, stop, step = None, None, 1
        if step not in (None, 1):
            return None
        first = 0 if start is None else length + start if _below(start) else start
        last = length if stop is None else length + stop if _below(stop) else stop
        if isinstance(length, int) and isinstance(first, int) and isinstance(last, int):
            first, last = min(max(first, 0), length), min(max(last, 0), length)
        box.append((first, last))
    return tuple(box)


def _below(bound: Any) -> bool:
    return isinstance(bound, int) and bound < 0


def _read(graph: Graph, node: int, state: Any) -> Any:
    """What is assigned of a part that is read; None for all of it."""
    array = graph.args[node][0]
    if state is None:
        raise _refusal(graph, array)
    if isinstance(state, Items):
        key = _key(graph, node)
        if key is None:
            raise _refusal(graph, array)
        part = state.part(key)
        if part.missing and graph.types[node].kind == "scalar":
            raise _refusal(graph, array)
        return part if part.missing else None
    box = _box(graph, node, graph.types[array])
    if box is not None and state.holds(box):
        return None
    if graph.types[node].kind == "scalar" or box is None:
        raise _refusal(graph, array)
    return _fresh(graph.types[node].shape)


def _stored(graph: Graph, node: int, states: dict[int, Any]) -> Any:
    """What is assigned after a store."""
    array, new = graph.args[node][:2]
    part = states.get(new)
    if new in states and part is None:
        raise _refusal(graph, new)
    if array not in states:
        # a part with gaps goes into an array without any
        raise _refusal(graph, new)
    state = _taken(graph, array, states)
    if isinstance(state, Items) and (part is None or isinstance(part, Items)):
        key = _key(graph, node)
        if key is not None:
            state.store(key, part)
            return state
    elif isinstance(state, Boxes) and part is None:
        box = _box(graph, node, graph.types[array])
        if box is not None:
            state.store(box)
    if part is not None:
        raise _refusal(graph, new)
    return _masked(graph, node, state)


def _masked(graph: Graph, node: int, state: Any) -> Any:
    """After `u[mask] = a`, `u[~mask] = b` fills the rest."""
    operands = _operands(graph, node)
    if len(operands) != 1 or graph.types[operands[0]].dtype != "bool":
        return state
    (mask,) = operands
    masks = state.masks
    opposite = graph.args[mask][0] if graph.ops[mask] == "invert" else None
    whole = graph.types[mask].shape == graph.types[node].shape
    if whole and (opposite in masks or any(
        graph.ops[m] == "invert" and graph.args[m][0] == mask for m in masks
    )):  # fmt: skip
        return None
    masks.add(mask)
    return state
