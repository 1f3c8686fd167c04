"""The command `gradgen explain`: a function worked through, every value and every adjoint."""

from __future__ import annotations

import sys

import click

from gradgen.cli_options import AT, OUTPUT, SHAPES, WRT_ALL
from gradgen.explaining import WIDTH, Explanation, explain_path
from gradgen.jobs import parse_location, parse_wrt
from gradgen.point import parse_at
from gradgen.terminal import write_stdout
from gradgen.worksheet import NOTATIONS

EXPLAIN_HELP = """Work through a function: statements with their values, adjoints with their rules.

LOCATION is PATH.py:function; the file is read, never executed. What is computed at the values of
--at are the statements that are printed: those of the function, and for each of its values the sum
over its users of their adjoint times a local derivative, the last value's adjoint being 1. Without
--at there are the rules alone.

Lists of numbers are arrays. Whole numbers are floats, unless the parameter is annotated as int,
has an int as its default, or is declared so (--shapes "n=int").

\b
Examples:
  gradgen explain model.py:energy --at r=1.5,eps=2
  gradgen explain model.py:loss --at "w=[1, 1, -1.5], x=[1, 1, 1]" --wrt w --notation bar
  gradgen explain model.py:loss --shapes "W=k d, x=d" --format latex

\b
Exit codes:
  0    fine
  2    refused or misused
  130  interrupted
"""
FORMATS = ("text", "markdown", "latex")


@click.command(help=EXPLAIN_HELP)
@click.argument("location", metavar="LOCATION")
@AT
@WRT_ALL
@SHAPES
@OUTPUT
@click.option("--notation", type=click.Choice(list(NOTATIONS)), default="d", show_default=True,
              help="The adjoint of z is d_z, z_bar or ∂f/∂z.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def explain(
    location: str, at: str | None, wrt: str | None, shapes: str | None, output: int | None,
    notation: str, form: str,
) -> None:  # fmt: skip
    """See `EXPLAIN_HELP`."""
    values = None if at is None else parse_at(at)
    found = explain_path(one_function(location), values, parse_wrt(wrt), shapes, output, notation)
    write_stdout(_formatted(found, form) + "\n")


def one_function(location: str) -> str:
    """A location that names one function. Raises `click.BadParameter` for another."""
    path, names = parse_location(location)
    if len(names) != 1:
        raise click.BadParameter("name one function, PATH.py:function", param_hint="LOCATION")
    return f"{path}:{names[0]}"


def _formatted(found: Explanation, form: str) -> str:
    if form == "markdown":
        return found.markdown()
    if form == "latex":
        return found.latex()
    return found.text(_width())


def _width() -> int:
    """The width of a terminal; elsewhere that of plain text."""
    if not sys.stdout.isatty():
        return WIDTH
    from shutil import get_terminal_size

    return max(get_terminal_size().columns, 80)
