"""The command `gradgen check`: is the emitted gradient right?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from gradgen.checking import ORACLES, as_dict, check_path
from gradgen.cli_options import AS_JSON, DOMAIN, EFFORT, OUTPUT, SECONDS, SHAPES, WRT
from gradgen.jobs import parse_wrt
from gradgen.oracles.accuracy import ORACLE as ACCURACY
from gradgen.oracles.accuracy import shown
from gradgen.oracles.report import Finding, Report
from gradgen.program import STYLES
from gradgen.terminal import WANTING, progress, write_stdout

if TYPE_CHECKING:
    from rich.console import Console

CHECK_HELP = """Check the emitted gradient of a function with independent oracles.

LOCATION is PATH.py:function. The file is executed, since the function itself is called.

\b
  forward       the emitted value is the function's, bit by bit, at samples of all magnitudes
  symbolic      SymPy's derivative: proved equal, or compared at 50 digits
  complex step  where the function is analytic
  differences   Richardson's extrapolation, with an error estimate
  dot product   <v, J u> against <J^T v, u>
  tangent       the same, with J u by the emitted jvp
  accuracy      errors in units in the last place, against 50 digits and more

Each reports by itself; none rescues another. Where an accurate rewrite exists (log1p, expm1,
logaddexp, hypot, log-sum-exp), what it would gain is measured and printed. What the function
assumes of its arguments is printed and used for sampling; --domain
narrows it.

\b
Examples:
  gradgen check model.py:loss --wrt w,b --shapes "w=d, x=n d, y=n"
  gradgen check model.py:energy --domain "r in [0.5, 3], eps > 0" --effort exhaustive

\b
Exit codes:
  0    no oracle found a difference
  1    an oracle found a difference, or none looked at a derivative
  2    refused or misused
  130  interrupted
"""
_COLOURS = {"proved": "green", "agrees": "green", "differs": "red", "unchecked": "yellow"}

# How many derivatives have their errors in a row of their own.
MOST_ROWS = 12


@click.command(help=CHECK_HELP)
@click.argument("location", metavar="LOCATION")
@WRT
@SHAPES
@OUTPUT
@DOMAIN
@EFFORT
@SECONDS
@click.option("--stabilize", is_flag=True,
              help="Check what is emitted with the accurate rewrites.")  # fmt: skip
@click.option("--style", type=click.Choice(STYLES), default="default", show_default=True,
              help="Check what is emitted in this style.")  # fmt: skip
@AS_JSON
@click.pass_context
def check(
    ctx: click.Context, location: str, wrt: str | None, shapes: str | None, output: int | None,
    domain: str, effort: str, seconds: float | None, stabilize: bool, style: str, as_json: bool,
) -> None:  # fmt: skip
    """See `CHECK_HELP`."""
    with progress(len(ORACLES)) as step:
        report = check_path(
            location, parse_wrt(wrt), shapes, effort=effort, domain=domain, output=output,
            seconds=seconds, stabilize=stabilize, style=style, progress=step,
        )  # fmt: skip
    if as_json:
        write_stdout(json.dumps(as_dict(report), indent=2) + "\n")
    else:
        show(report)
    ctx.exit(0 if report.ok else WANTING)


def show(report: Report) -> None:
    """Print a report for people: a table of the oracles, what differs, what is assumed."""
    console = console_out()
    show_table(console, report, f"{report.name}, with respect to {', '.join(report.wrt)}")
    for finding in report.findings:
        if finding.verdict == "differs":
            lines = [f"  {name} = {value}" for name, value in (finding.at or {}).items()]
            show_lines(console, f"{finding.oracle}: {finding.subject}: {finding.detail}", lines)
    if report.gains:
        console.print(_gains(report))
    show_notes(console, report)


def console_out() -> Console:
    """The console of standard output, where lines are as long as they are unless it is a terminal.

    Rich is imported now, when it is needed.
    """
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def show_table(console: Console, report: Report, title: str) -> None:
    """Print what each oracle found, a line for each verdict."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), expand=False)
    for column in ("oracle", "derivatives", "verdict", "how"):
        table.add_column(column, overflow="fold")
    for oracle, findings in report.by_oracle():
        rows = _single(findings) if oracle == ACCURACY else _grouped(findings)
        for verdict, subjects, how in rows:
            told = f"[{_COLOURS[verdict]}]{verdict}[/]"
            table.add_row(oracle, escape(subjects), told, escape(how))
    console.print(table)


def show_notes(console: Console, report: Report) -> None:
    """Print what is assumed of the arguments, and what was not checked."""
    for title, lines in (("assumed:", report.domain), ("not checked:", report.left_out)):
        if lines:
            show_lines(console, title, lines)


def show_lines(console: Console, title: str, lines: Iterable[str]) -> None:
    """Print a line, and others below it that are indented."""
    for line in (title, *(f"  {line}" for line in lines)):
        console.print(line, markup=False)


def _gains(report: Report) -> Any:
    """The table of the accurate rewrites, with the largest errors before and after."""
    from rich.markup import escape
    from rich.table import Table

    applied = "applied" if report.rewritten else "offered (--stabilize)"
    title = f"accurate rewrites, {applied}: largest errors in ulps, before and after"
    table = Table(title=title, expand=False)
    for column in ("rewrite", "samples", "value", "gradient", "verdict"):
        table.add_column(column, overflow="fold")
    for gain in report.gains:
        what = f"line {gain.line}: {gain.before}\nas {gain.after}" if gain.line else gain.after
        pairs = (gain.ordinary, gain.wide)
        told = [[f"{shown(before)} -> {shown(after)}" for before, after in found] for found in (
            [u.value for u in pairs], [u.gradient for u in pairs])]  # fmt: skip
        table.add_row(escape(what), "ordinary\nwide", *map("\n".join, told), gain.verdict)
    return table


def _single(findings: list[Finding]) -> Iterator[tuple[str, str, str]]:
    """A row for each finding, as far as there are not too many."""
    for finding in findings[:MOST_ROWS]:
        yield finding.verdict, finding.subject, finding.detail
    yield from _grouped(findings[MOST_ROWS:])


def _grouped(findings: list[Finding]) -> Iterator[tuple[str, str, str]]:
    """For each verdict of an oracle: the verdict, what it is on, and how it was found."""
    for verdict in ("differs", "proved", "agrees", "unchecked"):
        own = [f for f in findings if f.verdict == verdict]
        if not own:
            continue
        names = [f.subject for f in own]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        details = list(dict.fromkeys(f.detail for f in own))
        yield verdict, shown, details[0] + (f" ({len(details) - 1} more)" if details[1:] else "")
