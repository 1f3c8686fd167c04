"""The command `gradgen check`: is the emitted gradient right?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click

from gradgen.checking import ORACLES, as_dict, check_path
from gradgen.cli import WANTING, parse_wrt, progress, write_stdout
from gradgen.oracles.report import EFFORTS, Finding, Report

CHECK_HELP = """Check the emitted gradient of a function with independent oracles.

LOCATION is PATH.py:function. The file is executed, since the function itself is called.

\b
  forward       the emitted value is the function's, bit by bit, at samples of all magnitudes
  symbolic      SymPy's derivative: proved equal, or compared at 50 digits
  complex step  where the function is analytic
  differences   Richardson's extrapolation, with an error estimate
  dot product   <v, J u> against <J^T v, u>
  tangent       the same, with J u by the emitted jvp

Each reports by itself; none rescues another. What the function assumes of its arguments is
printed and used for sampling; --domain narrows it.

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


@click.command(help=CHECK_HELP)
@click.argument("location", metavar="LOCATION")
@click.option("--wrt", metavar="NAMES", help="Parameters to differentiate, as in emit.")
@click.option("--shapes", metavar="TEXT", help='Of the arguments, as "x=n d, a=scalar".')
@click.option("--output", type=click.IntRange(min=0), metavar="K",
              help="Which of several results to differentiate, from 0.")  # fmt: skip
@click.option("--domain", default="", metavar="TEXT", help='As "x in [0.1, 10], y > 0".')
@click.option("--effort", type=click.Choice(list(EFFORTS)), default="normal", show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0), metavar="S",
              help="Stop after so many seconds, and say what is left.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The whole report, as JSON.")
@click.pass_context
def check(
    ctx: click.Context, location: str, wrt: str | None, shapes: str | None, output: int | None,
    domain: str, effort: str, seconds: float | None, as_json: bool,
) -> None:  # fmt: skip
    """See `CHECK_HELP`."""
    with progress(len(ORACLES)) as step:
        report = check_path(
            location, parse_wrt(wrt), shapes, effort=effort, domain=domain, output=output,
            seconds=seconds, progress=step,
        )  # fmt: skip
    if as_json:
        write_stdout(json.dumps(as_dict(report), indent=2) + "\n")
    else:
        show(report)
    ctx.exit(0 if report.ok else WANTING)


def show(report: Report) -> None:
    """Print a report for people: a table of the oracles, what differs, what is assumed."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())
    table = Table(title=f"{report.name}, with respect to {', '.join(report.wrt)}", expand=False)
    for column in ("oracle", "derivatives", "verdict", "how"):
        table.add_column(column, overflow="fold")
    for oracle, findings in report.by_oracle():
        for verdict, subjects, how in _grouped(findings):
            told = f"[{_COLOURS[verdict]}]{verdict}[/]"
            table.add_row(oracle, escape(subjects), told, escape(how))
    console.print(table)
    for finding in report.findings:
        if finding.verdict == "differs":
            console.print(escape(f"{finding.oracle}: {finding.subject}: {finding.detail}"))
            for name, value in (finding.at or {}).items():
                console.print(escape(f"    {name} = {value}"))
    for title, lines in (("assumed", report.domain), ("not checked", report.left_out)):
        if lines:
            console.print(f"{title}:")
            for line in lines:
                console.print(escape(f"  {line}"))


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
