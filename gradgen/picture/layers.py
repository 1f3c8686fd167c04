"""A layered layout: boxes in columns from left to right, with few crossings and straight wires.

The method of Sugiyama, Tagawa and Toda (IEEE Trans. Systems, Man, and Cybernetics 11, 1981): a
column for each box, one place in every column between for a wire that passes, orders by the means
of neighbours, then heights that keep the order and come near to those of the neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum

SWEEPS = 12
# How much more a wire that passes a column is kept straight than one that ends there.
STRAIGHT = 8.0
_PASSING = 16.0


@dataclass(slots=True)
class Place:
    """A box in its column, or a wire that passes a column (`box` is -1)."""

    box: int
    column: int
    height: float
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    y: float = 0.0


@dataclass(slots=True)
class Layout:
    """Places, the first of them those of the boxes; and the columns, from top to bottom."""

    places: list[Place]
    columns: list[list[int]]


def arranged(wires: Sequence[tuple[int, Sequence[int]]], heights: Sequence[float]) -> Layout:
    """The layout of boxes of these heights; a wire goes from a box to later ones.

    The boxes are numbered so that no wire goes back. Ties are broken by these numbers.
    """
    columns = columns_of(wires, len(heights))
    places = [Place(k, column, heights[k]) for k, column in enumerate(columns)]
    for source, targets in wires:
        at, by_column = source, sorted(targets, key=lambda t: (columns[t], t))
        for target in by_column:
            while places[at].column < columns[target] - 1:
                places.append(Place(-1, places[at].column + 1, _PASSING))
                _join(places, at, len(places) - 1)
                at = len(places) - 1
            _join(places, at, target)
    rows: list[list[int]] = [[] for _ in range(max(columns, default=-1) + 1)]
    for k, place in enumerate(places):
        rows[place.column].append(k)
    _order(places, rows)
    _heights(places, rows)
    return Layout(places, rows)


def _join(places: list[Place], source: int, target: int) -> None:
    places[source].after.append(target)
    places[target].before.append(source)


def columns_of(wires: Sequence[tuple[int, Sequence[int]]], count: int) -> list[int]:
    """The column of each box: behind all it reads, near to its readers where that is shorter."""
    readers: list[list[int]] = [[] for _ in range(count)]
    read = [0] * count
    for source, targets in wires:
        readers[source] += targets
        for target in targets:
            read[target] += 1
    columns = [0] * count
    for box in range(count):
        for reader in readers[box]:
            columns[reader] = max(columns[reader], columns[box] + 1)
    for box in reversed(range(count)):
        # one wire leaves it: with fewer coming in, it is short where the box is far to the right
        if readers[box] and read[box] <= 1:
            columns[box] = min(columns[reader] for reader in readers[box]) - 1
    first = min(columns, default=0)
    return [column - first for column in columns]


# -- order -----------------------------------------------------------------------------------------


def _order(places: list[Place], rows: list[list[int]]) -> None:
    """Orders with few crossings: the best of some sweeps, forth and back."""
    best, fewest = [list(row) for row in rows], _crossings(places, rows)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        for row in rows[1:] if forth else reversed(rows[:-1]):
            _sort_by_neighbours(places, rows, row, forth)
        _swap_neighbours(places, rows)
        found = _crossings(places, rows)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    rows[:] = best


def _sort_by_neighbours(
    places: list[Place], rows: list[list[int]], row: list[int], forth: bool
) -> None:
    column = places[row[0]].column
    position = _positions(rows[column - 1 if forth else column + 1])
    own = _positions(row)

    def mean(k: int) -> float:
        near = places[k].before if forth else places[k].after
        return sum(position[n] for n in near) / len(near) if near else own[k]

    row.sort(key=lambda k: (mean(k), own[k]))


def _positions(row: Sequence[int]) -> dict[int, int]:
    return {k: at for at, k in enumerate(row)}


def _swap_neighbours(places: list[Place], rows: list[list[int]]) -> None:
    """Exchange neighbours in a column where that takes away crossings."""
    for column, row in enumerate(rows):
        left = _positions(rows[column - 1]) if column else {}
        right = _positions(rows[column + 1]) if column + 1 < len(rows) else {}
        for at in range(len(row) - 1):
            upper, lower = places[row[at]], places[row[at + 1]]
            pairs = [(left, upper.before, lower.before), (right, upper.after, lower.after)]
            now = sum(_inverted(p, a, b) for p, a, b in pairs)
            then = sum(_inverted(p, b, a) for p, a, b in pairs)
            if then < now:
                row[at], row[at + 1] = row[at + 1], row[at]


def _inverted(position: dict[int, int], upper: Sequence[int], lower: Sequence[int]) -> int:
    return sum(position[a] > position[b] for a in upper for b in lower)


def _crossings(places: list[Place], rows: list[list[int]]) -> int:
    total = 0
    for row, after in pairwise(rows):
        position = _positions(after)
        ends = [position[n] for k in row for n in sorted(places[k].after, key=position.__getitem__)]
        total += sum(a > b for k, a in enumerate(ends) for b in ends[k + 1 :])
    return total


# -- heights ---------------------------------------------------------------------------------------


def _heights(places: list[Place], rows: list[list[int]]) -> None:
    """Heights near to the means of the neighbours', in the order and without overlaps."""
    for row in rows:
        y = 0.0
        for k in row:
            places[k].y = y + places[k].height / 2
            y += places[k].height
    # last of all from left to right, so that what follows one thing alone is at its height
    for sweep, sides in enumerate(("before", "after", "both") * SWEEPS + ("before",)):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _settle(places, row, sides)
    top = min((place.y - place.height / 2 for place in places), default=0.0)
    for place in places:
        place.y -= top


def _settle(places: list[Place], row: Sequence[int], sides: str) -> None:
    """Move a column as near to its neighbours as its order allows: the least sum of squares.

    That is an isotonic regression, by pooling adjacent violators.
    """
    pools: list[list[float]] = []  # mean, weight, how many
    offset, offsets = 0.0, []
    for at, k in enumerate(row):
        if at:
            offset += (places[row[at - 1]].height + places[k].height) / 2
        offsets.append(offset)
        wish, weight = _wish(places, k, sides)
        pools.append([wish - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, weight, count = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + mean * weight) / (last[1] + weight)
            last[1] += weight
            last[2] += count
    found = [mean for mean, _, count in pools for _ in range(int(count))]
    for k, base, shift in zip(row, found, offsets, strict=True):
        places[k].y = base + shift


def _wish(places: list[Place], k: int, sides: str) -> tuple[float, float]:
    """Where a place would stand on its own, and how much it matters."""
    place = places[k]
    near = {"before": place.before, "after": place.after}.get(sides, place.before + place.after)
    if not near:
        return place.y, 0.1
    weights = [STRAIGHT if place.box < 0 and places[n].box < 0 else 1.0 for n in near]
    # rounded once: the same in versions of Python that add otherwise
    total = fsum(weights)
    return fsum(places[n].y * w for n, w in zip(near, weights, strict=True)) / total, total
