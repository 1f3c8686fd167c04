"""The command `gradgen graph`: the computation graph of a function as a picture."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gradgen.cli_explain import one_function
from gradgen.cli_options import AT, SHAPES, WRT_ALL
from gradgen.drawing import FORMATS, draw_path, format_of
from gradgen.errors import GradgenError
from gradgen.files import write_files
from gradgen.jobs import parse_wrt
from gradgen.picture.diagram import DETAILS
from gradgen.point import parse_at
from gradgen.terminal import status, write_stdout

GRAPH_HELP = """Draw the computation graph of a function: SVG, or text for Graphviz and Mermaid.

LOCATION is PATH.py:function; the file is read, never executed. With --at, the value stands above
each wire, and below it the gradient of the result with respect to that value; arrays are told by
shape and norm, or by their items where these are few. Values are given as for `gradgen explain`.

Up to about 60 operations have a box each. What has more is drawn by statements, and where these
are too many, a box stands for several that follow each other. A picture that is too wide goes on
below: a wire ends in the name of its value and begins again at this name.

\b
Examples:
  gradgen graph model.py:energy --at r=1.5,eps=2 -o energy.svg
  gradgen graph model.py:loss --shapes "W=k d, x=d" --format mermaid
  gradgen graph model.py:loss --at "w=[1, 1, -1.5], x=[1, 1, 1]" --by statements -o loss.dot

\b
Exit codes:
  0    fine
  2    refused or misused; nothing is written
  130  interrupted
"""


@click.command(help=GRAPH_HELP)
@click.argument("location", metavar="LOCATION")
@AT
@WRT_ALL
@SHAPES
@click.option("--output", type=click.IntRange(min=0), metavar="K",
              help="Which of several results, from 0.")  # fmt: skip
@click.option("--by", "detail", type=click.Choice(DETAILS),
              help="What has a box (default: operations, where they are few).")  # fmt: skip
@click.option("--format", "form", type=click.Choice(list(FORMATS)),
              help="Default: by the end of FILE (.svg, .dot, .gv, .mmd), else svg.")  # fmt: skip
@click.option("-o", "out", metavar="FILE", type=click.Path(dir_okay=False),
              help="Where it goes (default: standard output).")  # fmt: skip
def graph(
    location: str, at: str | None, wrt: str | None, shapes: str | None, output: int | None,
    detail: str | None, form: str | None, out: str | None,
) -> None:  # fmt: skip
    """See `GRAPH_HELP`."""
    location = one_function(location)
    path = None if out in (None, "-") else Path(str(out))
    if form is None:
        form = "svg" if path is None else format_of(path)
    if path is not None:
        _refuse_source(path, location.rpartition(":")[0])
    values = None if at is None else parse_at(at)
    drawing = draw_path(location, values, parse_wrt(wrt), shapes, output, detail)
    text = FORMATS[form](drawing.diagram)
    if path is None:
        write_stdout(text)
    else:
        write_files({path: text})
        status(f"wrote {path}")


def _refuse_source(path: Path, source: str) -> None:
    """Raise `GradgenError` where the picture would take the place of the function."""
    if path.exists() and os.path.exists(source) and os.path.samefile(path, source):
        raise GradgenError(f"{path} is the source itself")
