"""The command `gradgen sync`: all emitted files that the project lists, made or compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gradgen.errors import GradgenError
from gradgen.files import difference, judge, read_emitted, refuse_overwriting, write_files
from gradgen.jobs import Job, Request, emit_jobs, parse_location, parse_wrt
from gradgen.program import Options
from gradgen.render import TEMPLATE
from gradgen.sync import Entry, find_config, needed_outputs, read_config, restoring, shown, whole
from gradgen.terminal import FINE, WANTING, report, status

MISSING = "missing: there is no such file yet"
COLOURS = {"-": "red", "+": "green", "@": "cyan"}

SYNC_HELP = """Make the emitted files that the project lists; current ones stay as they are.

The list is gradgen.toml, or [tool.gradgen] in pyproject.toml, of the nearest folder that has one of
these files; its paths are relative to it. Every other key is an option of `gradgen emit`:

\b
  [tool.gradgen]                     # defaults for all, as target and certify
  target = "numpy"
  [[tool.gradgen.emit]]              # in gradgen.toml: [[emit]]
  source = "model.py:loss"           # PATH.py:function, PATH.py:f,g or PATH.py
  output = "model_grad.py"           # the file
  wrt = ["w", "b"]                   # or "w,b"; "w" alone for a bare gradient
  shapes = "w=d, x=n d, y=n"         # or {w = "d", x = "n d", y = "n"}
  mode = "grad"
  output-index = 0                   # which of several results
  stabilize = true                   # accurate rewrites
  recompute = false                  # true, for mode "pair": save arguments only
  certify = true                     # which executes the source; with effort and domain

\b
Exit codes:
  0    fine; with --check or --diff: all files are current
  1    --check, --diff: a file is stale, missing, or was edited by hand
  2    refused or misused; nothing is written
  130  interrupted

All files are written, or none. Without --force, one is refused where it is a symbolic link, or a
file that gradgen did not write.
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What a file would be, and how it is not that yet (None: it is)."""

    entry: Entry
    old: str
    text: str
    verdict: str | None


@click.command(help=SYNC_HELP)
@click.option("--check", is_flag=True, help="Write nothing; name each file that is not current.")
@click.option("--diff", is_flag=True, help="Like --check, and show the differences.")
@click.option("--force", is_flag=True, help="Overwrite what is otherwise refused.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="The list, instead of the one that is found.")  # fmt: skip
@click.pass_context
def sync(ctx: click.Context, check: bool, diff: bool, force: bool, config: Path | None) -> None:
    """See `SYNC_HELP`."""
    entries = read_config(config or find_config(Path.cwd()))
    needs = dependencies(entries)
    for entry in entries:
        order(entry)
    if check or diff:
        ctx.exit(compare(entries, needs, diff))
    told = regenerate(entries, needs, force)
    for line in told:
        click.echo(line)
    if not told:
        status(f"all {len(entries)} files are current")


def dependencies(entries: Sequence[Entry]) -> dict[Entry, set[Entry]]:
    """For each file the listed ones that it is made from."""
    outputs = {whole(entry.output): entry for entry in entries}
    return {entry: needed_outputs(entry, outputs) for entry in entries}


def order(entry: Entry) -> tuple[Job, Request]:
    """What `gradgen emit` would be asked for. Raises `GradgenError` with the file and the key."""
    location = shown(entry.source) + (f":{entry.names}" if entry.names else "")
    if entry.template_dir is not None and not (entry.template_dir / TEMPLATE).is_file():
        folder = shown(entry.template_dir)
        raise GradgenError(f"{entry.where}: template-dir: there is no {TEMPLATE} in {folder}")
    try:
        job = Job(*parse_location(location), Path(shown(entry.output)))
        wrt = parse_wrt(entry.wrt)
    except click.UsageError as error:
        raise GradgenError(f"{entry.where}: {error.message}") from None
    options = Options(
        wrt, entry.mode, entry.target, entry.style, False, entry.output_index, entry.stabilize,
        recompute=entry.recompute,
    )  # fmt: skip
    try:
        options.check()
    except GradgenError as error:
        raise GradgenError(f"{entry.where}: {error}") from None
    return job, Request(options, entry.wrt, entry.shapes, entry.template_dir, entry.evidence)


def make(entries: Sequence[Entry], total: int) -> list[Made]:
    """The texts of files, and verdicts on what is there.

    Raises `GradgenError`, which tells of every entry that is refused.
    """
    made, refusals = [], []
    for entry in entries:
        try:
            made.append(_make_one(entry))
        except GradgenError as error:
            if total == 1:
                raise
            refusals.append(f"{shown(entry.output)}: {error}"
                            if not isinstance(error, SyntaxError) else report(error))  # fmt: skip
    if refusals:
        count = f"{len(refusals)} of {total} files refused; nothing is written"
        raise GradgenError("\n".join([count, *refusals]))
    return made


def _make_one(entry: Entry) -> Made:
    job, request = order(entry)
    [text] = emit_jobs([job], request, certify=False)
    path = Path(shown(entry.output))
    if not path.exists():
        return Made(entry, "", text, MISSING)
    old = read_emitted(path)
    return Made(entry, old, text, judge(old, text, entry.evidence is not None))


def certified(made: Made) -> str:
    """The text that is written: with the certificate that is asked for, which takes a while."""
    if made.entry.evidence is None:
        return made.text
    job, request = order(made.entry)
    [text] = emit_jobs([job], request)
    return text


def _ready(left: Sequence[Entry], needs: dict[Entry, set[Entry]]) -> list[Entry]:
    """Those of the files left that are made from none of the others; all, where they go round."""
    return [e for e in left if not (needs[e] - {e}).intersection(left)] or list(left)


def regenerate(
    entries: Sequence[Entry], needs: dict[Entry, set[Entry]], force: bool
) -> list[str]:  # fmt: skip
    """Write what is not current; what is to be said of it. All files are written, or none.

    What is made from an emitted file is made after it, and again where that has changed since.
    """
    reasons: dict[Entry, str] = {}
    left = list(entries)
    with restoring([entry.output for entry in entries]):
        for _ in range(2 * len(entries) + 1):
            now = _ready(left, needs)
            stale = [m for m in make(now, len(entries)) if m.verdict is not None]
            for made in stale if not force else ():
                refuse_overwriting(Path(shown(made.entry.output)), [str(made.entry.source)])
            write_files({Path(shown(made.entry.output)): certified(made) for made in stale})
            written = {made.entry for made in stale}
            reasons = {made.entry: made.verdict or "" for made in stale} | reasons
            again = [entry for entry in now if needs[entry] & written]
            left = [entry for entry in left if entry not in now] + again
            if not left:
                break
        else:
            raise GradgenError("the files do not settle: they are made from each other")
    return [f"wrote {shown(e.output)} ({reasons[e]})" for e in entries if e in reasons]


def compare(entries: Sequence[Entry], needs: dict[Entry, set[Entry]], diff: bool) -> int:
    """Say which files are not current; the exit code. Raises `GradgenError` for what is refused."""
    found: dict[Entry, str] = {}
    refusals: list[GradgenError] = []
    left = list(entries)
    while left:
        now = _ready(left, needs)
        left = [entry for entry in left if entry not in now]
        for entry in now:
            verdict = _verdict(entry, [e for e in needs[entry] if e in found], diff, refusals)
            if verdict is not None:
                found[entry] = verdict
    for entry in entries:
        if entry in found:
            click.echo(f"{shown(entry.output)}: {found[entry]}", err=True)
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        raise GradgenError("\n".join(["several files are refused", *map(report, refusals)]))
    return WANTING if found else FINE


def _verdict(
    entry: Entry, outdated: Sequence[Entry], diff: bool, refusals: list[GradgenError]
) -> str | None:
    """How a file is not current; a refusal is put on the list."""
    of = f"it is made from {shown(outdated[0].output)}, which is not current" if outdated else ""
    if any(whole(other.output) == whole(entry.source) for other in outdated):
        return f"stale: {of}" if entry.output.exists() else MISSING
    try:
        made = _make_one(entry)
    except GradgenError as error:
        if of:
            return f"not compared: {of}"
        refusals.append(error)
        return None
    if diff and made.verdict is not None:
        for line in difference(Path(shown(entry.output)), made.old, made.text):
            click.secho(line, fg=COLOURS.get(line[0]))
    return made.verdict
