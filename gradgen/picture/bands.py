"""A diagram that is too wide, cut into bands that are read like the lines of a text."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from gradgen.picture.diagram import Box, Diagram, Wire
from gradgen.picture.layers import columns_of
from gradgen.picture.sizes import GAP, box_width, wire_width

# How wide a picture should be, in pixels, and by which part more before it is cut once more.
WIDEST, MORE = 1500.0, 0.2


def bands(diagram: Diagram) -> list[Diagram]:
    """The diagram as one or several, each of which fits into the width.

    A wire that leaves a band ends there in the name of its value, unless it is an argument, and
    begins again at this name in each band that reads it. Of the cuts in reach, those are made that
    go through the fewest wires.
    """
    wires = [wire for wire in diagram.wires if wire.targets]
    columns = columns_of([(w.source, w.targets) for w in wires], len(diagram.boxes))
    cuts = _cuts(_widths(diagram, wires, columns), _cut_wires(wires, columns))
    band = [sum(column >= cut for cut in cuts) for column in columns]
    tags = _tags(diagram, wires)
    made = [Diagram(diagram.title, [], []) for _ in range(len(cuts) + 1)]
    at: list[int] = []
    for k, box in enumerate(diagram.boxes):
        own = made[band[k]]
        at.append(len(own.boxes))
        own.boxes.append(box)
    for wire in wires:
        own = made[band[wire.source]]
        inside = [at[t] for t in wire.targets if band[t] == band[wire.source]]
        if len(inside) < len(wire.targets) and diagram.boxes[wire.source].kind != "input":
            inside.append(len(own.boxes))
            own.boxes.append(Box(tags[wire.source], "result"))
        if inside:
            own.wires.append(Wire(at[wire.source], inside, wire.name, wire.value, wire.below))
        for number in sorted({band[t] for t in wire.targets} - {band[wire.source]}):
            _continue(made[number], wire, tags[wire.source],
                      [at[t] for t in wire.targets if band[t] == number])  # fmt: skip
    return [_sorted(part) for part in made]


def _continue(part: Diagram, wire: Wire, tag: str, targets: list[int]) -> None:
    """Let a wire from another band begin in this one."""
    part.boxes.append(Box(tag, "input"))
    part.wires.append(Wire(len(part.boxes) - 1, targets, "", wire.value, wire.below))


def _sorted(part: Diagram) -> Diagram:
    """The band with what comes from others in front, so that no wire goes back."""
    heads = [w.source for w in part.wires if w.source > min(w.targets, default=w.source)]
    order = [*heads, *(k for k in range(len(part.boxes)) if k not in set(heads))]
    new = {k: n for n, k in enumerate(order)}
    wires = [Wire(new[w.source], [new[t] for t in w.targets], w.name, w.value, w.below)
             for w in part.wires]  # fmt: skip
    return Diagram(part.title, [part.boxes[k] for k in order],
                   sorted(wires, key=lambda w: w.source))  # fmt: skip


def _tags(diagram: Diagram, wires: Sequence[Wire]) -> dict[int, str]:
    """What wires are called where they end and begin again."""
    tags = {}
    for wire in wires:
        box = diagram.boxes[wire.source]
        own = box.label if box.kind != "operation" else ""
        tags[wire.source] = wire.name or own or f"#{wire.source}"
    return tags


def _widths(diagram: Diagram, wires: Sequence[Wire], columns: Sequence[int]) -> list[float]:
    """About how wide each column is, with the wires that leave it."""
    count = max(columns, default=0) + 1
    boxes, labels = [0.0] * count, [0.0] * count
    for column, box in zip(columns, diagram.boxes, strict=True):
        boxes[column] = max(boxes[column], box_width(box))
    for wire in wires:
        column = columns[wire.source]
        labels[column] = max(labels[column], wire_width(wire))
    return [box + label + GAP for box, label in zip(boxes, labels, strict=True)]


def _cut_wires(wires: Sequence[Wire], columns: Sequence[int]) -> list[int]:
    """How many wires are cut in front of each column."""
    found = [0] * (max(columns, default=0) + 1)
    for wire in wires:
        last = max(columns[target] for target in wire.targets)
        for column in range(columns[wire.source] + 1, last + 1):
            found[column] += 1
    return found


def _cuts(widths: Sequence[float], cut: Sequence[int]) -> list[int]:
    """The columns before which the picture is cut."""
    cuts: list[int] = []
    start, left = 0, sum(widths)
    room = left / max(ceil(left / WIDEST - MORE), 1) * (1 + MORE)
    while left > room:
        wide, end = 0.0, start
        while end < len(widths) and (wide + widths[end] <= room or end == start):
            wide += widths[end]
            end += 1
        # of the last cuts in reach the one that goes through the fewest wires
        ends = range(max(start + 1, end - (end - start) // 4), min(end, len(widths) - 1) + 1)
        if not ends:
            break
        chosen = min(ends, key=lambda column: (cut[column], -column))
        cuts.append(chosen)
        left -= sum(widths[start:chosen])
        start = chosen
    return cuts
