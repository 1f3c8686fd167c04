"""The command `gradgen verify`: does the certificate of an emitted file hold?"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import click

from gradgen.certificate import read_certificate
from gradgen.certify import (
    ORACLES,
    Claim,
    Evidence,
    claims,
    functions_of,
    objections,
    reports_of,
)  # fmt: skip
from gradgen.cli import emit
from gradgen.errors import GradgenError
from gradgen.files import (
    COMMAND_LINE,
    SOURCE_LINE,
    digest_of,
    has_header,
    header_line,
    judge,
    read_emitted,
)
from gradgen.header import project_folder
from gradgen.jobs import Job, Request, emit_jobs, ordered
from gradgen.terminal import FINE, WANTING, progress, write_stdout

UNOPPOSED = "no oracle objects"

VERIFY_HELP = """Replay the certificates of emitted files, and say whether they hold.

A certificate is what `gradgen emit --certify` writes into the header of a FILE. The source that the
header names is executed, and so is FILE: its functions, as they stand there, go through the same
oracles with the same samples. No derivative may differ, as many have to be proved or settled as
the certificate says, and every error in units in the last place has to be within its bound. The
bytes of the figures are not compared, since the last place depends on the processor.

\b
Exit codes:
  0    every certificate holds
  1    a claim does not hold, the file was edited by hand, or its source has changed
  2    refused or misused: no certificate, the source is not to be found
  130  interrupted
"""


@click.command(help=VERIFY_HELP)
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Every claim, as JSON.")
@click.pass_context
def verify(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """See `VERIFY_HELP`."""
    found = {str(path): replayed(path) for path in files}
    if as_json:
        plain = {name: [dataclasses.asdict(c) for c in own] for name, own in found.items()}
        write_stdout(json.dumps(plain, indent=2) + "\n")
    else:
        for name, own in found.items():
            show(name, own)
    ctx.exit(FINE if all(claim.holds for own in found.values() for claim in own) else WANTING)


def replayed(path: Path) -> list[Claim]:
    """The claims of a file's certificate beside what is found now.

    Raises `GradgenError` where there is no certificate, or not what it is about.
    """
    text = read_emitted(path)
    held = read_certificate(text)
    if not has_header(text) or not held:
        raise GradgenError(f"{path}: there is no certificate; write one with emit --certify")
    with chdir(project_folder(path)):
        [job], request = _order(path, text)
        [anew] = emit_jobs([job], request, certify=False)
        assert request.evidence is not None
        source = digest_of(anew, SOURCE_LINE)
        verdict = judge(text, anew)
        found = [] if verdict is None else [Claim("text", "as gradgen emits it", verdict, False)]
        functions = functions_of(job.path, job.programs, request.options)
        with progress(len(ORACLES) * len(functions)) as step:
            reports = reports_of(
                text, functions, request.options, Evidence(*request.evidence), step
            )
    found += claims(held, reports, source, text)
    for name, report in reports.items():
        told = objections(name, report)
        found += [Claim(name, UNOPPOSED, line, False) for line in told]
    return found


def _order(path: Path, text: str) -> tuple[list[Job], Request]:
    """What the command in the header asked for. Raises `GradgenError` where it is none."""
    line = header_line(text, COMMAND_LINE).removeprefix(COMMAND_LINE)
    try:
        words = shlex.split(line)
        if words[:2] != ["gradgen", "emit"]:
            raise GradgenError(f"{path}: the header tells of no command that made the file")
        with emit.make_context("gradgen emit", words[2:]) as context:
            given: Mapping[str, Any] = context.params
            kept = {k: v for k, v in given.items() if k not in ("out", "check", "diff", "force")}
            jobs, request = ordered(**kept)
    except (ValueError, click.ClickException) as error:
        told = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise GradgenError(f"{path}: the command in the header: {told}") from None
    if request.evidence is None:
        raise GradgenError(f"{path}: the command in the header asks for no certificate")
    for job in jobs:
        if not Path(job.path).is_file():
            raise GradgenError(f"{path}: its source {job.path} is not to be found in {Path.cwd()}")
    return jobs, request


def show(name: str, found: list[Claim]) -> None:
    """Print the claims of a file beside what was found."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())
    good = all(claim.holds for claim in found)
    table = Table(title=f"{name}: {'the certificate holds' if good else 'the certificate fails'}")
    for column in ("claim", "certificate", "now", ""):
        table.add_column(column, overflow="fold")
    for claim in found:
        if claim.claimed == UNOPPOSED:
            continue
        mark = "[green]holds[/]" if claim.holds else "[red]fails[/]"
        table.add_row(*map(escape, (claim.what, claim.claimed, claim.found)), mark)
    console.print(table)
    for claim in found:
        if claim.claimed == UNOPPOSED:
            console.print(claim.found, markup=False)
