"""The command `gradgen audit`: is a gradient right that somebody wrote by hand?"""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from gradgen.auditing import STEPS, Audit, audit_path
from gradgen.byhand.parting import Parting
from gradgen.byhand.shrinking import pasted
from gradgen.checking import as_dict
from gradgen.cli_check import console_out, show_lines, show_notes, show_table
from gradgen.cli_options import AS_JSON, DOMAIN, EFFORT, OUTPUT, SECONDS, SHAPES, WRT
from gradgen.jobs import parse_wrt
from gradgen.terminal import WANTING, progress, write_stdout

AUDIT_HELP = """Audit a gradient that somebody wrote by hand.

LOCATION is PATH.py:function, and --against PATH.py:gradient. Both files are executed, since both
functions are called. The gradient takes the function's arguments, by name where it has the same
names, else in their order, and returns the gradient by one parameter, a tuple, list or dict of
several, or (value, gradient). Without --wrt its result tells which parameters these are.

\b
  calls         its results: structure, shapes, values; no exception, no argument changed
  symbolic      SymPy's derivative: proved equal, or compared at 50 digits, if it can be read
  50 digits     what it gives when called, against the derivative at 50 digits
  complex step  as check does, and differences, and dot product

Where it is wrong, the arguments that show it are made as simple as can be, and the smallest
expression is named at which it parts from the right one.

\b
Examples:
  gradgen audit model.py:loss --against model.py:loss_grad --shapes "w=d, x=n d, y=n"
  gradgen audit model.py:energy --against by_hand.py:forces --wrt r --domain "r in [0.5, 3]"

\b
Exit codes:
  0    each derivative was proved equal or agrees
  1    it is wrong, or nothing could be said of a derivative
  2    refused or misused
  130  interrupted
"""


@click.command(help=AUDIT_HELP)
@click.argument("location", metavar="LOCATION")
@click.option(
    "--against", metavar="LOCATION", required=True, help="The gradient: PATH.py:gradient."
)
@WRT
@SHAPES
@OUTPUT
@DOMAIN
@EFFORT
@SECONDS
@AS_JSON
@click.pass_context
def audit(
    ctx: click.Context, location: str, against: str, wrt: str | None, shapes: str | None,
    output: int | None, domain: str, effort: str, seconds: float | None, as_json: bool,
) -> None:  # fmt: skip
    """See `AUDIT_HELP`."""
    with progress(len(STEPS)) as step:
        report = audit_path(
            location, against, parse_wrt(wrt), shapes, effort=effort, domain=domain, output=output,
            seconds=seconds, progress=step,
        )  # fmt: skip
    if as_json:
        write_stdout(json.dumps(as_dict(report), indent=2) + "\n")
    else:
        show(report)
    ctx.exit(0 if report.ok else WANTING)


def show(report: Audit) -> None:
    """Print an audit for people: the table, a counterexample, where they part, the verdict."""
    console = console_out()
    title = f"{report.against}, the gradient of {report.name} by hand"
    show_table(console, report, title)
    show_lines(console, "called:", _how(report))
    for finding in report.findings:
        if finding.verdict == "differs" and finding.oracle in ("calls", "value") and finding.at:
            lines = [f"{name} = {value}" for name, value in pasted(finding.at).items()]
            show_lines(console, f"{finding.subject}: {finding.detail}, at", lines)
    found = report.counterexample
    if found is not None:
        show_lines(console, "counterexample:", [
            *(f"{name} = {value}" for name, value in found.arguments.items()),
            f"{found.partial} is given as {found.given}; right is {found.right}",
        ])  # fmt: skip
        if found.formulas_only:
            show_lines(console, "  the formulas differ there; 64-bit floats do not tell", ())
    if report.relations:
        lines = [f"{partial}: {text}" for partial, text in report.relations.items()]
        show_lines(console, "what is wrong:", lines)
    for parting in report.partings:
        show_lines(console, "where they part:", _parted(parting))
    show_notes(console, report)
    console.print(verdict(report), markup=False, style="bold green" if report.ok else "bold red")


def _how(report: Audit) -> Iterator[str]:
    """How the gradient was called, and what for its result was taken."""
    yield report.called + (f", its result taken for {report.taken}" if report.taken else "")
    yield from report.remarks
    if report.unread:
        yield f"only called, not read: {report.unread}"


def _parted(parting: Parting) -> Iterator[str]:
    if parting.path:
        yield f"{parting.path}:{parting.line}: {parting.source}"
    instead = f", which should be `{parting.instead}`" if parting.instead else ""
    yield f"`{parting.text}`{instead} ({', '.join(parting.partials)})"


def verdict(report: Audit) -> str:
    """The audit in one line."""
    others = [f.subject for f in report.findings if f.verdict == "differs"]
    if others:
        # a difference along a direction is of one of the derivatives, where one is known
        calls = [name for name in others if not name.startswith("d/d")]
        names = dict.fromkeys([*calls, *report.wrong] or others)
        return f"{report.against} is wrong: {', '.join(names)}"
    if not report.ok:
        return f"{report.against}: not settled"
    proved = sum(f.verdict == "proved" for f in report.findings)
    own = [f for f in report.findings if f.oracle == "symbolic" and f.verdict != "unchecked"]
    if own and proved == len(own):
        return f"{report.against} is proved equal"
    return f"{report.against} agrees" + (
        f", {proved} of {len(own)} derivatives proved" if own else ""
    )
