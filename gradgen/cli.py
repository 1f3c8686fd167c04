"""The command line: the group of all commands, and `gradgen emit`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from gradgen.errors import GradgenError
from gradgen.files import difference, judge, read_emitted, refuse_overwriting, write_files
from gradgen.jobs import Job, emit_jobs, ordered
from gradgen.modes import MODES
from gradgen.program import EFFORTS, STYLES, VERSION
from gradgen.render import TEMPLATE, printable
from gradgen.targets import TARGETS
from gradgen.terminal import (
    BROKEN_PIPE,
    FINE,
    INTERRUPTED,
    REFUSED,
    WANTING,
    Refused,
    abandon_stdout,
    report,
    status,
    write_stdout,
)

HELP = """Compile Python functions into standalone source files of their derivatives.

\b
Exit codes:
  0    fine
  1    checked and found wanting (--check, --diff)
  2    refused or misused; nothing is written
  130  interrupted

\b
Shell completion, for bash, zsh and fish:
  eval "$(_GRADGEN_COMPLETE=bash_source gradgen)"    # in ~/.bashrc
  eval "$(_GRADGEN_COMPLETE=zsh_source gradgen)"     # in ~/.zshrc
  _GRADGEN_COMPLETE=fish_source gradgen | source     # in ~/.config/fish/config.fish
"""

EMIT_HELP = """Write the derivative of functions as a module that runs without gradgen.

LOCATION is PATH.py:function. PATH.py:f,g puts several functions into one module, PATH.py every
function at its top level whose name does not begin with an underscore. The file is read, and not
executed, unless --certify asks for it. Several LOCATIONs need -o DIRECTORY and give a file
NAME_grad.py each.

\b
Examples:
  gradgen emit model.py:loss
  gradgen emit model.py:loss --wrt w,b --shapes "w=d, x=n d, y=n" -o model_grad.py
  gradgen emit model.py:loss --wrt w,b --shapes "w=d, x=n d, y=n" -o model_grad.py --check
  gradgen emit model.py:loss,penalty --wrt w --mode grad --target python
  gradgen emit model.py:loss physics.py:energy -o derivatives
  gradgen emit model.py:loss --wrt w --certify --domain "w in [-3, 3]" -o model_grad.py

--certify runs the oracles of `gradgen check` on the emitted text, which executes the source, and
writes what they found into its header; `gradgen verify FILE` replays that.

\b
Exit codes:
  0    fine; with --check or --diff: the file is current
  1    --check, --diff: the file is stale or was edited by hand; --certify: an oracle disagrees
  2    refused or misused; nothing is written
  130  interrupted

A file is replaced as a whole or not at all. Without --force, -o is refused where it is a symbolic
link, the source itself, or a file that gradgen did not write; with it, a link is replaced by a
file and what it points to stays as it is.
"""


# Commands in modules of their own, which import this one; loaded when they are asked for.
LATER = {
    "audit": "gradgen.cli_audit", "check": "gradgen.cli_check", "compare": "gradgen.cli_compare",
    "explain": "gradgen.cli_explain", "graph": "gradgen.cli_graph",
    "sync": "gradgen.cli_sync", "verify": "gradgen.cli_verify",
}  # fmt: skip


# Also those of a command that is parsed by itself: click keeps what it has found first.
HELPED = {"help_option_names": ["-h", "--help"]}


class Commands(click.Group):
    """The command group: turns gradgen's errors into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*super().list_commands(ctx), *LATER})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; its module is imported now."""
        if cmd_name in LATER and cmd_name not in self.commands:
            self.add_command(getattr(import_module(LATER[cmd_name]), cmd_name))
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the only place where errors become exit codes."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except GradgenError as error:
            raise Refused(report(error)) from None
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            abandon_stdout()
            ctx.exit(BROKEN_PIPE)


@click.group("gradgen", cls=Commands, help=HELP, context_settings=HELPED)
@click.version_option(VERSION, prog_name="gradgen", message="%(prog)s %(version)s")
def cli() -> None:
    """See `HELP`."""


def _complete_path(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


@cli.command(help=EMIT_HELP, context_settings=HELPED)
@click.argument(
    "locations", nargs=-1, required=True, metavar="LOCATION...", shell_complete=_complete_path
)
@click.option(
    "--wrt", metavar="NAMES",
    help="Parameters to differentiate, by name or position (default: the first). One gives a bare "
    "gradient; a comma, also at the end (x,), a tuple. A constant of the module that the function "
    "reads may be named too.",
)  # fmt: skip
@click.option("--mode", type=click.Choice(MODES), default="value_and_grad", show_default=True,
              help="What is emitted; pair is f_forward and f_backward.")  # fmt: skip
@click.option("--target", type=click.Choice(list(TARGETS)), default="numpy", show_default=True,
              help="What the emitted code runs on; python takes numbers only.")  # fmt: skip
@click.option("--style", type=click.Choice(STYLES), default="default", show_default=True,
              help="How the emitted code is written.")  # fmt: skip
@click.option("--shapes", metavar="TEXT",
              help='Of the arguments, as "x=n d, y=n:float32, a=scalar, p.W=d h".')  # fmt: skip
@click.option("--output", type=click.IntRange(min=0), metavar="K",
              help="Which of several results to differentiate, from 0.")  # fmt: skip
@click.option("--stabilize", is_flag=True,
              help="Accurate rewrites (log1p, hypot, ...), listed in the header.")  # fmt: skip
@click.option("--recompute", is_flag=True,
              help="With --mode pair: save arguments, and compute the rest again.")  # fmt: skip
@click.option("-o", "out", metavar="FILE", type=click.Path(),
              help="Where the text goes (default: standard output).")  # fmt: skip
@click.option("--check", is_flag=True, help="Write nothing; say whether FILE is current.")
@click.option("--diff", is_flag=True, help="Like --check, and show the difference.")
@click.option("--force", is_flag=True, help="Overwrite what is otherwise refused.")
@click.option("--template-dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              metavar="DIR", help=f"A folder with a {TEMPLATE} of your own.")  # fmt: skip
@click.option(
    "--certify",
    is_flag=True,
    help="Execute the source, check the emitted text, and put the evidence in its header.",
)
@click.option("--domain", default="", metavar="TEXT",
              help='With --certify: of the arguments, as "x in [0.1, 10], y > 0".')  # fmt: skip
@click.option("--effort", type=click.Choice(EFFORTS), default="normal", show_default=True,
              help="With --certify: how much is tried.")  # fmt: skip
@click.pass_context
def emit(
    ctx: click.Context, /, out: str | None, check: bool, diff: bool, force: bool, **given: Any
) -> None:
    """See `EMIT_HELP`."""
    if (check or diff) and out in (None, "-"):
        raise click.UsageError("--check and --diff compare with a file; name it with -o FILE")
    jobs, request = ordered(**given)
    give_destinations(jobs, out)
    if not (check or diff or force):
        for destination in filter(None, (job.destination for job in jobs)):
            refuse_overwriting(destination, [job.path for job in jobs])
    texts = emit_jobs(jobs, request, certify=not (check or diff))
    if check or diff:
        certified = request.evidence is not None
        ctx.exit(max(compare(j, t, diff, certified) for j, t in zip(jobs, texts, strict=True)))
    for job in jobs:
        for program in job.programs:
            if program.warning:
                click.echo(printable(f"{job.path}: warning: {program.warning}"), err=True)
    written = {j.destination: text for j, text in zip(jobs, texts, strict=True) if j.destination}
    if written:
        write_files(written)
        for path in written:
            status(f"wrote {path}")
    else:
        write_stdout(texts[0])


def compare(job: Job, text: str, diff: bool, certified: bool) -> int:
    """Say whether a file is current; the exit code. Raises `GradgenError` where there is none."""
    path = job.destination
    assert path is not None
    old = read_emitted(path)
    verdict = judge(old, text, certified)
    if verdict is None:
        status(f"{path}: current")
        return FINE
    if diff:
        colours = {"-": "red", "+": "green", "@": "cyan"}
        for line in difference(path, old, text):
            click.secho(line, fg=colours.get(line[0]))
    click.echo(f"{path}: {verdict}", err=True)
    return WANTING


def give_destinations(jobs: Sequence[Job], out: str | None) -> None:
    """Where each module goes. Raises `GradgenError` where that cannot be."""
    if out is None or out == "-":
        if len(jobs) > 1:
            raise click.UsageError("several LOCATIONs need -o DIRECTORY, which gets a file of each")
        return
    folder = Path(out)
    if not folder.is_dir():
        if len(jobs) > 1 or out.endswith(("/", os.sep)):
            raise GradgenError(f"{out}: there is no such folder")
        jobs[0].destination = folder
        return
    for job in jobs:
        job.destination = folder / f"{Path(job.path).stem}_grad.py"
        if any(job.destination == other.destination for other in jobs if other is not job):
            raise GradgenError(
                f"two modules would go to {job.destination}; "
                "name several functions of one file as PATH.py:f,g"
            )


def main(args: Sequence[str] | None = None, prog_name: str = "gradgen") -> NoReturn:
    """The command `gradgen`: a bug of its own is told in one line (GRADGEN_DEBUG=1: traceback)."""
    try:
        cli.main(args, prog_name)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("GRADGEN_DEBUG") == "1":
            import traceback

            traceback.print_exc()
        else:
            click.echo(f"gradgen: internal error: {_told(error)}; please report", err=True)
        sys.exit(REFUSED)
    sys.exit(FINE)


def _told(error: Exception) -> str:
    """An unexpected exception in a line: what it is, and where it comes from."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f" ({Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno})" if at else ""
    return printable(f"{type(error).__name__}: {error}{where}")
