"""What `gradgen emit` is asked for, and the texts that come of it: for all commands that emit."""

from __future__ import annotations

import ast
import os
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from gradgen.certificate import certificate_lines
from gradgen.errors import GradgenError
from gradgen.files import SOURCE_LINE, digest_of
from gradgen.header import finished_text, header_lines, project_folder, relative_path
from gradgen.program import Options, Program, compile_graph, outside_names
from gradgen.read import Spec, parse_shapes, read_file
from gradgen.read.scope import ModuleText
from gradgen.render import TEMPLATE, join_units, printable
from gradgen.terminal import Wanting, progress, status

# -- what is asked for -----------------------------------------------------------------------------


def ordered(
    locations: tuple[str, ...], wrt: str | None, mode: str, target: str, style: str,
    shapes: str | None, output: int | None, stabilize: bool, recompute: bool,
    template_dir: Path | None, certify: bool, domain: str, effort: str,
) -> tuple[list[Job], Request]:  # fmt: skip
    """What the options of `gradgen emit` ask for, but for where it goes.

    Raises `GradgenError` and `click.UsageError` for what makes no sense.
    """
    if template_dir is not None and not (template_dir / TEMPLATE).is_file():
        raise GradgenError(f"{template_dir}: there is no {TEMPLATE} in this folder")
    if not certify and (domain or effort != "normal"):
        raise click.UsageError("--domain and --effort are about the evidence: add --certify")
    evidence = (effort, domain) if certify else None
    options = Options(
        parse_wrt(wrt), mode, target, style, False, output, stabilize, recompute=recompute
    )
    options.check()
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
        words += ["--stabilize"] * options.stabilize + ["--recompute"] * options.recompute
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
    alone = len(jobs) == 1 and len(jobs[0].names) == 1
    if alone:  # the file is read below, and need not be looked at before
        work.append((jobs[0], jobs[0].names[0], None))
    for job in () if alone else jobs:
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
                graph = read_file(Path(job.path), name, own, job.path,
                                  outside_names(request.options.wrt))  # fmt: skip
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
    for job in jobs:
        for program in job.programs:
            for param in program.graph.params:
                if param.declared == "captured":
                    raise GradgenError(
                        f"{program.graph.name} reads {param.name} from outside, where no oracle "
                        "can change it; make it an argument, to certify its derivative"
                    )
    # SymPy comes with it, which takes as long to load as all the rest
    from gradgen import certify

    assert request.evidence is not None
    evidence = certify.Evidence(*request.evidence)
    found, wanting = [], []
    with progress(len(certify.ORACLES) * sum(len(job.programs) for job in jobs)) as step:
        for job, text in zip(jobs, texts, strict=True):
            status(f"executing {job.path}, to certify what was emitted")
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
