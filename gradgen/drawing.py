"""The computation graph of a function as a picture, with values and gradients on its wires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradgen.errors import GradgenError
from gradgen.live import Shapes
from gradgen.picture.diagram import DETAILS, MOST, Diagram, diagram
from gradgen.picture.svg import svg
from gradgen.picture.text import dot, mermaid
from gradgen.point import Point, every_float, of_file, of_function, parse_at
from gradgen.program import Options, Wrt, choose_parameters, choose_result, refuse_value
from gradgen.worksheet import Worksheet, evaluate, worked

FORMATS = {"svg": svg, "dot": dot, "mermaid": mermaid}
# The formats by the ends of the names of files.
ENDINGS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture of a computation graph; notebooks show it as SVG."""

    diagram: Diagram

    @property
    def svg(self) -> str:
        """The text of an SVG file."""
        return svg(self.diagram)

    @property
    def dot(self) -> str:
        """The graph in the language of Graphviz."""
        return dot(self.diagram)

    @property
    def mermaid(self) -> str:
        """The graph in the language of Mermaid."""
        return mermaid(self.diagram)

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write the picture; the end of the name says how: .svg, .dot, .gv, .mmd.

        Raises `GradgenError` for another end.
        """
        Path(path).write_text(FORMATS[format_of(Path(path))](self.diagram), "utf-8")


def format_of(path: Path) -> str:
    """The format that the end of a file's name asks for. Raises `GradgenError`."""
    if path.suffix not in ENDINGS:
        raise GradgenError(f"{path}: the name should end in one of {', '.join(ENDINGS)}")
    return ENDINGS[path.suffix]


def draw(
    f: Callable[..., Any], at: Mapping[str, Any] | str | None = None, wrt: Wrt = None,
    shapes: Shapes = None, *, output: int | None = None, detail: str | None = None,
) -> Drawing:  # fmt: skip
    """The computation graph of a function, with values above and gradients below its wires.

    The arguments are those of `gradgen.explain`; without `at` the picture shows the structure
    alone. `detail` is `operations`, each of which has a box, or `statements`, each of which has
    one; by default operations where there are at most 60 boxes. What has more is folded: boxes then
    stand for several statements that follow each other.

    A wire carries one value, to all that read it: the gradient below it is that of the result with
    respect to the value, the sum of what comes back along its ends.
    """
    values = parse_at(at) if isinstance(at, str) else at
    return drawn(of_function(f, values, shapes, wrt), wrt, output, detail)


def draw_path(
    location: str, at: Mapping[str, Any] | None = None, wrt: Wrt = None, shapes: Shapes = None,
    output: int | None = None, detail: str | None = None,
) -> Drawing:  # fmt: skip
    """As `draw`, for `PATH.py:function`; nothing of the file is executed."""
    return drawn(of_file(location, at, shapes, wrt), wrt, output, detail)


def drawn(point: Point, wrt: Wrt, output: int | None, detail: str | None) -> Drawing:
    """The picture of a function that was read."""
    if detail not in (None, *DETAILS):
        raise GradgenError(f"detail={detail!r}: choose one of {', '.join(DETAILS)}")
    graph = point.graph
    value = choose_result(graph, Options(wrt, output=output))[0]
    refuse_value(graph, value, Options(wrt, output=output))
    names: tuple[str, ...] = ()
    if point.arguments is not None:
        chosen = every_float(graph) if wrt is None else ()
        names = chosen or tuple(p.name for p in choose_parameters(graph, wrt)[0])

    def sheet(every: bool) -> Worksheet:
        return worked(graph, value, names, every)

    if detail is None:
        small = len(graph) <= 4 * MOST and len(sheet(True).rows) <= MOST
        detail = "operations" if small else "statements"
    found = sheet(detail == "operations")
    if point.arguments is not None:
        evaluate(found, point.arguments)
    about = f", with respect to {', '.join(names)}" if names else ""
    title = f"Computation graph of {graph.name}{about}"
    return Drawing(diagram(found, title, point.arguments is not None, detail))
