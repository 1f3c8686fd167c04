"""A diagram as SVG: boxes in columns, on each wire the value above and the gradient below."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from gradgen.picture.bands import bands
from gradgen.picture.diagram import Box, Diagram, Wire
from gradgen.picture.layers import Layout, arranged
from gradgen.picture.sizes import GAP, ROUND, SIZE, SMALL, box_height, box_width, wire_width

_MARGIN, _BETWEEN = 16.0, 28.0
INK, WIRE, VALUE, GRADIENT, FILL = "#1f2328", "#6e7781", "#116329", "#a40e26", "#f6f8fa"


@dataclass(slots=True)
class _Column:
    """Where the boxes of a column stand, and how far the wires that leave it go straight."""

    left: float = 0.0
    boxes: float = 0.0
    wires: float = 0.0

    @property
    def right(self) -> float:
        return self.left + self.boxes + self.wires

    def side(self, box: Box, after: bool) -> float:
        """Where wires end at a box, or begin behind it."""
        if box.kind in ("input", "constant"):
            return self.left + self.boxes
        if box.kind == "result":
            return self.left
        half = box_width(box) / 2
        return self.left + self.boxes / 2 + (half if after else -half)


@dataclass(slots=True)
class _Band:
    """A diagram with its layout; heights are from the top of the picture."""

    diagram: Diagram
    layout: Layout
    columns: list[_Column]

    @property
    def width(self) -> float:
        return self.columns[-1].left + self.columns[-1].boxes

    @property
    def bottom(self) -> float:
        return max(place.y + place.height / 2 for place in self.layout.places)


def svg(diagram: Diagram) -> str:
    """The picture as the text of an SVG file, the same for the same diagram.

    What is too wide is cut into bands below each other.
    """
    laid_out: list[_Band] = []
    top = _MARGIN
    for part in bands(diagram):
        laid_out.append(_laid_out(part, top))
        top = laid_out[-1].bottom + _BETWEEN
    width = max(band.width for band in laid_out) + _MARGIN
    height = laid_out[-1].bottom + _MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="sans-serif" role="img">',
        f"<title>{escape(diagram.title)}</title>",
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0,0.5 L8,4 L0,7.5 z" fill="{WIRE}"/></marker>'
        "</defs>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
    ]
    for band in laid_out:
        for wire in band.diagram.wires:
            lines += _wire(band, wire)
        for k, box in enumerate(band.diagram.boxes):
            place = band.layout.places[k]
            lines += _box(box, band.columns[place.column], place.y)
    return "\n".join([*lines, "</svg>", ""])


def _laid_out(diagram: Diagram, top: float) -> _Band:
    wires = {wire.source: wire for wire in diagram.wires}
    heights = [box_height(box, wires.get(k)) for k, box in enumerate(diagram.boxes)]
    layout = arranged([(wire.source, wire.targets) for wire in diagram.wires], heights)
    columns = [_Column() for _ in layout.columns]
    for k, box in enumerate(diagram.boxes):
        column = columns[layout.places[k].column]
        column.boxes = max(column.boxes, box_width(box))
        if k in wires:
            column.wires = max(column.wires, wire_width(wires[k]))
    left = _MARGIN
    for column in columns:
        column.left = left
        left = column.right + GAP
    for place in layout.places:
        place.y += top
    return _Band(diagram, layout, columns)


def _wire(band: _Band, wire: Wire) -> list[str]:
    """A wire: straight under its labels to the edge of its column, then to each of its ends."""
    places, columns, boxes = band.layout.places, band.columns, band.diagram.boxes
    start, column = places[wire.source], columns[places[wire.source].column]
    begin = column.side(boxes[wire.source], after=True)
    lines = []
    stack = [(wire.source, f"M{begin:.1f},{start.y:.1f} H{column.right:.1f}")]
    while stack:
        at, path = stack.pop()
        x, y = columns[places[at].column].right, places[at].y
        for k, following in enumerate(places[at].after):
            place, there = places[following], columns[places[following].column]
            head = path if k == 0 else f"M{x:.1f},{y:.1f}"
            if place.box < 0:
                curve = _curve(x, y, there.left, place.y)
                stack.append((following, f"{head} {curve} H{there.right:.1f}"))
                continue
            end = there.side(boxes[place.box], after=False) - 1
            near = min(there.left - 6, end)
            lines.append(
                f'<path d="{head} {_curve(x, y, near, place.y)} H{end:.1f}" fill="none" '
                f'stroke="{WIRE}" stroke-width="1.2" marker-end="url(#end)"/>'
            )
    if len(start.after) > 1:
        lines.append(f'<circle cx="{column.right:.1f}" cy="{start.y:.1f}" r="2.6" fill="{WIRE}"/>')
    middle = (column.left + column.boxes + column.right) / 2
    for text, colour, down in ((wire.above, VALUE, -6), (wire.below, GRADIENT, 15)):
        if text:
            lines.append(_text(text, middle, start.y + down, SMALL, colour))
    return lines


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    if abs(y - to_y) < 0.05:
        return f"H{to_x:.1f}"
    middle = (x + to_x) / 2
    return f"C{middle:.1f},{y:.1f} {middle:.1f},{to_y:.1f} {to_x:.1f},{to_y:.1f}"


def _box(box: Box, column: _Column, y: float) -> list[str]:
    """A box: arguments and results are names, operations have an outline."""
    right = column.left + column.boxes - 4
    if box.kind in ("input", "constant"):
        return [_text(box.label, right, y + 5, SIZE, INK, "end", bold=box.kind == "input")]
    if box.kind == "result":
        return [_text(box.label, column.left + 4, y + 5, SIZE, INK, "start", bold=True)]
    middle, wide = column.left + column.boxes / 2, box_width(box)
    tall, corner = (40.0, 6.0) if box.more else (2 * ROUND, ROUND)
    lines = [
        f'<rect x="{middle - wide / 2:.1f}" y="{y - tall / 2:.1f}" width="{wide:.1f}" '
        f'height="{tall:.1f}" rx="{corner:.0f}" fill="{FILL}" stroke="{INK}"/>',
        _text(box.label, middle, y + (-2 if box.more else 5), SIZE, INK),
    ]
    if box.more:
        lines.append(_text(box.more, middle, y + 14, SMALL, INK))
    return lines


def _text(
    text: str, x: float, y: float, size: int, colour: str, anchor: str = "middle",
    bold: bool = False,
) -> str:  # fmt: skip
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
        f'text-anchor="{anchor}"{weight}>{escape(text)}</text>'
    )
