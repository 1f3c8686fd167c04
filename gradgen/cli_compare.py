"""The command `gradgen compare`: how big a derivative is, symbolic against automatic."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from gradgen.cli_options import OUTPUT, SHAPES
from gradgen.jobs import parse_location, parse_wrt
from gradgen.measure.compare import compare_family, compare_path
from gradgen.measure.comparison import SIMPLIFY_BELOW
from gradgen.measure.families import FAMILIES
from gradgen.measure.plot import plot as draw
from gradgen.measure.table import WIDTH, as_text, renderables
from gradgen.terminal import WANTING, progress, status, write_stdout

_LISTED = "\n".join(f"  {name:<13} {family.about}" for name, family in FAMILIES.items())
COMPARE_HELP = f"""Count operations: SymPy's derivative of a function against what gradgen emits.

LOCATION is PATH.py:function; the file is read, never executed. For the value, each partial
derivative and the gradient, SymPy's derivative as it is (raw), after cse and after simplify, and
gradgen's forward and backward functions and both in one: operations by kind, characters, tree
nodes, bytes of bytecode, the time to build and the time of a call. One counter counts all, on
Python source. SymPy is asked within limits that count steps, and what is left out is said.

\b
Examples:
  gradgen compare model.py:energy --wrt x,y
  gradgen compare model.py:network --param depth=1..10 --plot growth.svg
  gradgen compare --family nested --n 1..12
  gradgen compare model.py:loss --wrt w,b --shapes "w=d, x=n d, y=n" --max-ops 40

\b
Families, of n:
{_LISTED}

\b
Exit codes:
  0    fine
  1    --max-ops: the emitted value and gradient has more operations
  2    refused or misused
  130  interrupted
"""


@click.command(help=COMPARE_HELP)
@click.argument("location", required=False, metavar="[LOCATION]")
@click.option("--wrt", metavar="NAMES",
              help="Parameters to differentiate, as in emit (default: the first).")  # fmt: skip
@SHAPES
@OUTPUT
@click.option("--param", metavar="NAME=A..B",
              help="An int parameter, fixed at each of these values while compiling.")  # fmt: skip
@click.option("--family", type=click.Choice(list(FAMILIES)), help="A function of ours, instead.")
@click.option("--n", "depths", metavar="A..B", help="The depths of the family (default: 1..8).")
@click.option("--simplify-below", type=click.IntRange(min=0), metavar="N",
              help="Simplify derivatives below N operations (default: 60).")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="All numbers, as JSON.")
@click.option("--plot", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw the growth: FILE.svg, .pdf or .png; needs Matplotlib.")  # fmt: skip
@click.option("--max-ops", type=click.IntRange(min=0), metavar="N",
              help="Exit with 1 where value and gradient take more than N operations.")  # fmt: skip
@click.pass_context
def compare(
    ctx: click.Context, location: str | None, wrt: str | None, shapes: str | None,
    output: int | None, param: str | None, family: str | None, depths: str | None,
    simplify_below: int | None, as_json: bool, plot: Path | None, max_ops: int | None,
) -> None:  # fmt: skip
    """See `COMPARE_HELP`."""
    _check_usage(location, family, depths, param, plot, wrt or shapes or output is not None)
    found = _measured(location, wrt, shapes, output, param, family, depths, simplify_below)
    if as_json:
        write_stdout(json.dumps(found.as_dict(), indent=2) + "\n")
    else:
        _print_table(found)
    if plot is not None:
        draw(found, plot)
        status(f"wrote {plot}")
    if max_ops is not None and found.gradient_operations > max_ops:
        click.echo(
            f"gradgen: {found.name}: value and gradient take {found.gradient_operations:,} "
            f"operations, more than --max-ops {max_ops:,}", err=True,
        )  # fmt: skip
        ctx.exit(WANTING)


def _check_usage(
    location: str | None, family: str | None, depths: str | None, param: str | None,
    plot: Path | None, about_function: Any,
) -> None:  # fmt: skip
    if (location is None) == (family is None):
        raise click.UsageError("name a function, PATH.py:function, or a --family")
    if family is not None and (param is not None or about_function):
        raise click.UsageError("a --family has its own parameters; give --n A..B")
    if depths is not None and family is None:
        raise click.UsageError("--n is of a --family; for a function, --param NAME=A..B")
    if plot is not None and family is None and param is None:
        raise click.UsageError("--plot draws growth: give a --family, or --param NAME=A..B")


def _measured(
    location: str | None, wrt: str | None, shapes: str | None, output: int | None,
    param: str | None, family: str | None, depths: str | None, below: int | None,
) -> Any:  # fmt: skip
    below = SIMPLIFY_BELOW if below is None else below
    with progress(_steps(param, depths)) as step:
        if family is not None:
            values = parse_range(depths or "1..8", "--n")
            return compare_family(family, values, simplify_below=below, step=step)
        assert location is not None
        path, names = parse_location(location)
        if len(names) != 1:
            raise click.BadParameter("name one function, PATH.py:function", param_hint="LOCATION")
        fixed = None
        if param is not None:
            name, equals, text = param.partition("=")
            if not equals:
                raise click.BadParameter(f"{param!r} is not NAME=A..B", param_hint="--param")
            fixed = name.strip(), parse_range(text, "--param")
        return compare_path(
            Path(path), names[0], parse_wrt(wrt), shapes,
            output=output, param=fixed, simplify_below=below, step=step,
        )  # fmt: skip


def _steps(param: str | None, depths: str | None) -> int:
    """How many steps are shown; a guess where partial derivatives are not counted yet."""
    text = param.partition("=")[2] if param else depths
    return len(parse_range(text, "--param" if param else "--n")) if text else 8


def parse_range(text: str, option: str) -> range:
    """The values of `A..B`, both included, or of `A` alone.

    Raises `click.BadParameter` for anything else.
    """
    found = re.fullmatch(r"\s*(-?[0-9]{1,9})(?:\s*\.\.\s*(-?[0-9]{1,9}))?\s*", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not A..B", param_hint=option)
    first = int(found[1])
    last = int(found[2]) if found[2] is not None else first
    if last < first:
        raise click.BadParameter(f"{text!r} runs backwards", param_hint=option)
    return range(first, last + 1)


def _print_table(found: Any) -> None:
    """The table: in the width of a terminal, else in 100 columns of plain text."""
    if not sys.stdout.isatty():
        write_stdout(as_text(found) + "\n")
        return
    from rich.console import Console

    console = Console(highlight=False)
    if console.width < WIDTH:
        write_stdout(as_text(found) + "\n")
        return
    for part in renderables(found):
        console.print(part)
