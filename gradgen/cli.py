"""The command line: `gradgen emit`, its files and its exit codes."""

from __future__ import annotations

import ast
import os
import shlex
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from gradgen.certificate import certificate_lines
from gradgen.errors import GradgenError
from gradgen.files import (
    SOURCE_LINE,
    difference,
    digest_of,
    judge,
    read_emitted,
    refuse_overwriting,
    write_files,
)
from gradgen.header import finished_text, header_lines, project_folder, relative_path
from gradgen.modes import MODES
from gradgen.program import EFFORTS, STYLES, VERSION, Options, Program, compile_graph
from gradgen.read import Spec, parse_shapes, read_file
from gradgen.read.scope import ModuleText
from gradgen.render import TEMPLATE, join_units, printable
from gradgen.targets import TARGETS

FINE, WANTING, REFUSED, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141
PATIENCE = 0.5  # seconds before progress is shown

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
function at its top level whose name does not begin with an underscore. The file is read, never
executed. Several LOCATIONs need -o DIRECTORY and give a file NAME_grad.py each.

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


class Refused(click.ClickException):
    """An error of gradgen's on its way out: printed as it is, without markup."""

    exit_code = REFUSED

    def show(self, file: Any = None) -> None:
        """Print the message to standard error."""
        click.echo(self.message, file=file, err=True)


class Wanting(Refused):
    """What was checked and found wanting, on its way out."""

    exit_code = WANTING


# Commands in modules of their own, which import this one; loaded when they are asked for.
LATER = {
    "audit": "gradgen.cli_audit", "check": "gradgen.cli_check", "compare": "gradgen.cli_compare",
    "sync": "gradgen.cli_sync", "verify": "gradgen.cli_verify",
}  # fmt: skip


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
            _abandon_stdout()
            ctx.exit(BROKEN_PIPE)


def report(error: GradgenError) -> str:
    """What is printed of an error: a `SourceError` says itself where it is."""
    return str(error) if isinstance(error, SyntaxError) else f"gradgen: error: {error}"


@click.group(
    "gradgen", cls=Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(VERSION, prog_name="gradgen", message="%(prog)s %(version)s")
def cli() -> None:
    """See `HELP`."""


def _complete_path(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


@cli.command(help=EMIT_HELP)
@click.argument(
    "locations", nargs=-1, required=True, metavar="LOCATION...", shell_complete=_complete_path
)
@click.option(
    "--wrt", metavar="NAMES",
    help="Parameters to differentiate, by name or position (default: the first). One gives a bare "
    "gradient; a comma, also at the end (x,), a tuple.",
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
    written = {j.destination: text for j, text in zip(jobs, texts, strict=True) if j.destination}
    if written:
        write_files(written)
        for path in written:
            status(f"wrote {path}")
    else:
        write_stdout(texts[0])


# -- what is asked for -----------------------------------------------------------------------------


def ordered(
    locations: tuple[str, ...], wrt: str | None, mode: str, target: str, style: str,
    shapes: str | None, output: int | None, stabilize: bool, template_dir: Path | None,
    certify: bool, domain: str, effort: str,
) -> tuple[list[Job], Request]:  # fmt: skip
    """What the options of `gradgen emit` ask for, but for where it goes.

    Raises `GradgenError` and `click.UsageError` for what makes no sense.
    """
    if template_dir is not None and not (template_dir / TEMPLATE).is_file():
        raise GradgenError(f"{template_dir}: there is no {TEMPLATE} in this folder")
    if not certify and (domain or effort != "normal"):
        raise click.UsageError("--domain and --effort are about the evidence: add --certify")
    evidence = (effort, domain) if certify else None
    options = Options(parse_wrt(wrt), mode, target, style, False, output, stabilize)
    request = Request(options, wrt, shapes, template_dir, evidence)
    return [Job(*parse_location(text)) for text in locations], request


@dataclass(slots=True)
class Job:
    """One module to emit: a file, the functions of it (none: all public ones), where it goes."""

    path: str
    names: tuple[str, ...]
    destination: Path | None = None
    programs: list[Program] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Request:
    """The options as they were given, for the command that the header records.

    `evidence` is the effort and the domain of a certificate, where one is asked for.
    """

    options: Options
    wrt: str | None
    shapes: str | None
    template_dir: Path | None
    evidence: tuple[str, str] | None = None

    def command(self, job: Job) -> str:
        """The command that regenerates a file, to be run in the folder of its pyproject.toml."""
        source, options = Path(job.path), self.options
        base = project_folder(source)
        names = ":" + ",".join(job.names) if job.names else ""
        words = ["gradgen", "emit", relative_path(source) + names]
        given: list[tuple[str, Any, Any]] = [
            ("--wrt", self.wrt, None), ("--mode", options.mode, "value_and_grad"),
            ("--target", options.target, "numpy"), ("--style", options.style, "default"),
            ("--shapes", self.shapes, None), ("--output", options.output, None),
        ]  # fmt: skip
        for flag, value, default in given:
            if value != default:
                words += [flag, str(value)]
        words += ["--stabilize"] * options.stabilize
        if self.template_dir is not None:
            words += ["--template-dir", Path(os.path.relpath(self.template_dir, base)).as_posix()]
        place = self.place(job)
        if place is not None:
            words += ["-o", place]
        if self.evidence is not None:
            effort, domain = self.evidence
            words += ["--certify", *(["--domain", domain] if domain else [])]
            words += ["--effort", effort] if effort != "normal" else []
        return shlex.join(words)

    @staticmethod
    def place(job: Job) -> str | None:
        """Where a file goes, relative to the folder of its source's pyproject.toml."""
        base = project_folder(Path(job.path))
        if job.destination is None:
            return None
        whole = job.destination.parent.resolve() / job.destination.name
        return whole.relative_to(base).as_posix() if whole.is_relative_to(base) else None


def parse_wrt(text: str | None) -> str | int | tuple[str | int, ...] | None:
    """What `--wrt` asks for: `x` is one parameter, `x,` and `x,y` are tuples, digits are positions.

    Raises `click.BadParameter` for an empty name.
    """
    if text is None:
        return None
    parts = [unicodedata.normalize("NFKC", part.strip()) for part in text.split(",")]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    if not all(parts):
        raise click.BadParameter(f"{text!r} holds an empty name", param_hint="--wrt")
    items = tuple(
        int(p) if p.isascii() and p.removeprefix("-").isdigit() else p for p in parts
    )  # fmt: skip
    return items if "," in text else items[0]


def parse_location(text: str) -> tuple[str, tuple[str, ...]]:
    """The path and the functions of `PATH.py:f,g`; no functions for `PATH.py` alone.

    Raises `click.BadParameter` for anything else.
    """
    if text.endswith(".py"):
        return text, ()
    path, _, listed = text.rpartition(":")
    names = tuple(unicodedata.normalize("NFKC", name.strip()) for name in listed.split(","))
    if not path or not all(name.isidentifier() for name in names):
        raise click.BadParameter(f"{text!r} is not PATH.py:function", param_hint="LOCATION")
    again = next((name for name in names if names.count(name) > 1), None)
    if again is not None:
        raise click.BadParameter(f"{text!r} names {again} twice", param_hint="LOCATION")
    return path, names


# -- from locations to texts -----------------------------------------------------------------------


def emit_jobs(jobs: Sequence[Job], request: Request, certify: bool = True) -> list[str]:
    """The texts of all modules; `certify`: with the certificates that are asked for.

    Raises `GradgenError`; where some of several functions are refused, it tells of each.
    """
    work: list[tuple[Job, str, ast.FunctionDef | None]] = []
    for job in jobs:
        module = ModuleText.load(Path(job.path), job.path)
        for name in job.names or public_functions(module, job.path):
            found = module.bindings.get(name)
            work.append((job, name, found if isinstance(found, ast.FunctionDef) else None))
    declared = parse_shapes(request.shapes)
    if len(work) > 1:
        _refuse_unused(declared, work)
    refusals = []
    with progress(len(work)) as step:
        for job, name, found in work:
            step(f"{job.path}:{name}")
            own = declared if len(work) == 1 else _shapes_of(found, declared)
            try:
                graph = read_file(Path(job.path), name, own, job.path)
                job.programs.append(compile_graph(graph, request.options))
            except GradgenError as error:
                if len(work) == 1:
                    raise
                refusals.append(f"{job.path}: {name}: {error}"
                                if not isinstance(error, SyntaxError) else str(error))  # fmt: skip
        if refusals:
            count = f"{len(refusals)} of {len(work)} functions refused; nothing is written"
            raise GradgenError("\n".join([count, *refusals]))
        step("writing")
        texts = [module_text(job, request) for job in jobs]
    if request.evidence is None or not certify:
        return texts
    certificates = certified(jobs, request, texts)
    return [
        module_text(job, request, certificate)
        for job, certificate in zip(jobs, certificates, strict=True)
    ]


def certified(jobs: Sequence[Job], request: Request, texts: Sequence[str]) -> list[list[str]]:
    """The lines of the certificate of each module; the sources are executed.

    Raises `Wanting` where an oracle disagrees, or none looked at a derivative.
    """
    # SymPy comes with it, which takes as long to load as all the rest
    from gradgen import certify

    assert request.evidence is not None
    evidence = certify.Evidence(*request.evidence)
    found, wanting = [], []
    with progress(len(certify.ORACLES) * sum(len(job.programs) for job in jobs)) as step:
        for job, text in zip(jobs, texts, strict=True):
            functions = certify.functions_of(job.path, job.programs, request.options)
            reports = certify.reports_of(text, functions, request.options, evidence, step)
            wanting += [
                line for name, report in reports.items()
                for line in certify.objections(f"{job.path}:{name}", report)
            ]  # fmt: skip
            replay = f"gradgen verify {shlex.quote(request.place(job) or 'FILE')}"
            source = digest_of(text, SOURCE_LINE)
            found.append(
                certificate_lines(certify.certificate(reports, evidence, source, text, replay))
            )
    if wanting:
        raise Wanting("\n".join(["not certified; nothing is written", *map(printable, wanting)]))
    return found


def public_functions(module: ModuleText, path: str) -> list[str]:
    """The functions at the top level of a module whose names do not begin with an underscore.

    Raises `GradgenError` where there is none.
    """
    names = [
        name for name, statement in module.bindings.items()
        if isinstance(statement, ast.FunctionDef) and not name.startswith("_")
    ]  # fmt: skip
    if not names:
        raise GradgenError(f"{path}: there is no public function at the top level")
    return names


def _parameters(found: ast.FunctionDef | None) -> set[str]:
    spec = found.args if found else None
    return {a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)} if spec else set()


def _shapes_of(found: ast.FunctionDef | None, declared: Mapping[str, Spec]) -> dict[str, Spec]:
    """The declarations that are about the parameters of one of several functions."""
    names = _parameters(found)
    return {name: spec for name, spec in declared.items() if name in names}


def _refuse_unused(
    declared: Mapping[str, Spec], work: Sequence[tuple[Job, str, ast.FunctionDef | None]]
) -> None:
    known = set().union(*(_parameters(found) for _, _, found in work))
    for name in declared:
        if name not in known:
            listed = ", ".join(name for _, name, _ in work)
            raise GradgenError(f"shapes declares {name}, which is a parameter of none of {listed}")


def module_text(job: Job, request: Request, certificate: Sequence[str] = ()) -> str:
    """The text of one module. Raises `GradgenError` where a template of the user's spoils it."""
    names = ",".join(program.graph.name for program in job.programs)
    origin = f"{relative_path(Path(job.path))}:{names}"
    unit = join_units([program.unit for program in job.programs])
    header = header_lines(job.programs, request.options, origin, request.command(job))
    text = finished_text(unit, header, request.template_dir, certificate)
    if request.template_dir is not None:
        _inspect_text(text, header)
    return text


def _inspect_text(text: str, header: Sequence[str]) -> None:
    """What a template of the user's must keep: the header, and a text that parses."""
    missing = next((line for line in header if line not in text.splitlines()), None)
    if missing is not None:
        raise GradgenError(f"{TEMPLATE}: the template leaves out a line of the header: {missing}")
    try:
        ast.parse(text)
    except SyntaxError as error:
        message = f"line {error.lineno} of the text does not parse: {error.msg}"
        raise GradgenError(f"{TEMPLATE}: {message}") from None


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show the step at hand on standard error, on a terminal, once the work has taken a while."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    done, current = -1, ""
    shown: list[Any] = []

    def show() -> None:
        from rich.console import Console
        from rich.progress import Progress, TextColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            *Progress.get_default_columns()[1:],
        )
        bar = Progress(*columns, console=Console(stderr=True), transient=True)
        bar.add_task(printable(current), total=total, completed=max(done, 0))
        bar.start()
        shown.append(bar)

    def step(text: str) -> None:
        nonlocal done, current
        done, current = done + 1, text
        for bar in shown:
            bar.update(bar.task_ids[0], completed=done, description=printable(text))

    timer = threading.Timer(PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield step
    finally:
        timer.cancel()
        timer.join()
        for bar in shown:
            bar.stop()


def status(text: str) -> None:
    """Say on standard error what was done, on a terminal only."""
    if sys.stderr.isatty():
        click.echo(printable(text), err=True)


# -- where it goes ---------------------------------------------------------------------------------


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


def write_stdout(text: str) -> None:
    """Write to standard output, in UTF-8 unless it is a terminal.

    Raises `GradgenError` where the system refuses, and `BrokenPipeError`.
    """
    if sys.stdout is None:
        raise GradgenError("standard output is closed")
    try:
        click.echo(text if sys.stdout.isatty() else text.encode("utf-8"), nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon_stdout()
        raise GradgenError(f"standard output: {error.strerror or error}") from None


def _abandon_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not fail at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
