"""How large boxes and the labels of wires are, without asking a font."""

from __future__ import annotations

from gradgen.picture.diagram import Box, Wire

# The sizes of letters, in pixels.
SIZE, SMALL = 14, 12
# Half the height of a box, and what is left between columns.
ROUND, GAP = 15.0, 34.0
# The widths of letters in hundredths of the size of a sans-serif font, generously.
_NARROW, _WIDE = frozenset("fijlrtI.,:;!'|()[] "), frozenset("mwMWQO@Σ×÷…%&")


def text_width(text: str, size: int) -> int:
    """About how wide a text is."""
    return sum(36 if c in _NARROW else 92 if c in _WIDE else 62 for c in text) * size // 100


def box_width(box: Box) -> float:
    """How wide a box is."""
    wide = max(text_width(box.label, SIZE), text_width(box.more, SMALL))
    if box.kind in ("input", "constant", "result"):
        return wide + 8
    return max(wide + 16, 2 * ROUND)


def box_height(box: Box, wire: Wire | None) -> float:
    """How much room a box takes with the labels of the wire that leaves it."""
    return 52.0 if box.more or (wire is not None and wire.above) else 40.0


def wire_width(wire: Wire) -> float:
    """How long a wire has to be for its labels."""
    return max(text_width(text, SMALL) + 14 for text in (wire.above, wire.below))
