"""The evidence for an emitted text: its own functions under the oracles, as a certificate.

What is judged is the text itself, loaded as a user would load it, and not what it was made from.
Every limit counts steps, so that the same source and options give the same certificate on the same
machine; units in the last place depend on the processor's vector code, so that bounds are written,
and bounds are tested.
"""

from __future__ import annotations

import math
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gradgen.checking import ORACLES, run
from gradgen.errors import GradgenError
from gradgen.header import body_digest
from gradgen.notes import changed_functions
from gradgen.oracles.report import Report
from gradgen.oracles.subject import Subject, beside, emitted_by, from_file
from gradgen.program import VERSION, Options, Program
from gradgen.targets import TARGETS

__all__ = [
    "ORACLES", "Certified", "Claim", "Evidence", "certificate", "claims", "functions_of",
    "objections", "reports_of",
]  # fmt: skip
LIBRARIES = ("numpy", "sympy", "mpmath")
# A bound on units in the last place is this many times what was measured, and a power of two.
ROOM = 2.0
GOOD = ("proved", "agrees")
# How counts of a verdict are told.
WORDS = {
    "proved": "proved", "agrees": "agreeing", "unchecked": "unchecked", "differs": "differing",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Certified:
    """A function of an emitted text: where its source is, the shapes that are declared for it."""

    path: str
    name: str
    shapes: str
    # why it rounds otherwise than the source, a sentence each
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much is tried, and the domain that the user declares."""

    effort: str = "normal"
    domain: str = ""


def functions_of(path: str, programs: Sequence[Program], options: Options) -> list[Certified]:
    """The functions of a module that programs were compiled from."""
    return [
        Certified(path, program.graph.name, program.shapes, tuple(_changed(program, options)))
        for program in programs
    ]


def _changed(program: Program, options: Options) -> Iterator[str]:
    replaced = changed_functions(program.graph)
    if replaced and TARGETS[options.target].functions == "math":
        yield f"{', '.join(replaced)} became Python's own or math's"
    if options.style != "default":
        yield f"it is written in the {options.style} style"


def reports_of(
    text: str, functions: Sequence[Certified], options: Options, evidence: Evidence,
    progress: Callable[[str], None] = lambda what: None,
) -> dict[str, Report]:  # fmt: skip
    """What the oracles find of the functions in an emitted text, by the names of their sources.

    The sources are executed. Raises `GradgenError` where one fails to run, or has no single number
    as its value.
    """
    with ExitStack() as stack:
        for function in functions:
            stack.enter_context(beside(Path(function.path)))
        namespace = loaded(text)
    found: dict[str, Report] = {}
    for function in functions:
        subject = _subject(namespace, function, options)
        found[function.name] = run(
            subject, evidence.effort, evidence.domain, None,
            lambda oracle, name=function.name: progress(f"{name}: {oracle}"),  # type: ignore[misc]
        )  # fmt: skip
    return found


def loaded(text: str) -> dict[str, Any]:
    """The names of an emitted module. Raises `GradgenError` where it fails to run."""
    namespace: dict[str, Any] = {"__name__": "gradgen_certified"}
    try:
        exec(compile(text, "<emitted>", "exec", dont_inherit=True), namespace)
    except Exception as error:  # whatever a text raises that was edited
        told = f"{type(error).__name__}: {error}"
        raise GradgenError(f"the emitted file fails to run: {told}") from None
    return namespace


def _subject(namespace: Mapping[str, Any], function: Certified, options: Options) -> Subject:
    location = f"{function.path}:{function.name}"
    subject = from_file(location, options.wrt, function.shapes, options.output, options.stabilize)
    return emitted_by(subject, namespace, options, function.changed)


def objections(location: str, report: Report) -> list[str]:
    """Why a report is no evidence, a line for each reason; none where it is."""
    found = [
        f"{location}: {f.oracle}: {f.subject}: {f.detail}"
        for f in report.findings if f.verdict == "differs"
    ]  # fmt: skip
    if not found and not report.ok:
        found = [f"{location}: no oracle looked at a derivative", *report.left_out]
    return found


# -- the certificate -------------------------------------------------------------------------------


def certificate(
    reports: Mapping[str, Report], evidence: Evidence, source: str, text: str, replay: str
) -> dict[str, Any]:
    """The certificate of an emitted text, as `certificate_lines` takes it.

    `source` is the digest in its header (sha256, as that of the body), `replay` the command that
    tests it.
    """
    found: dict[str, Any] = {
        "oracles": {
            name: {oracle: _told(counts) for oracle, counts in _counts(report).items()}
            for name, report in reports.items()
        },
        "ulps": {name: _bounds(report) for name, report in reports.items()},
        "versions": versions(),
        "replay": replay,
        "source": source,
        "body": body_digest(text),
    }
    declared = [evidence.domain] if evidence.domain else []
    assumed = {name: declared + report.domain for name, report in reports.items()}
    domain = {name: lines for name, lines in assumed.items() if lines}
    left_out = {name: report.left_out for name, report in reports.items() if report.left_out}
    return found | ({"domain": domain} if domain else {}) | (
        {"unchecked": left_out} if left_out else {})  # fmt: skip


def versions() -> dict[str, str]:
    """The versions of what the evidence rests on."""
    return {
        "gradgen": VERSION, "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }  # fmt: skip


def _counts(report: Report) -> dict[str, dict[str, int]]:
    """For each oracle the verdicts that it gave, and the number of its comparisons."""
    found: dict[str, dict[str, int]] = {}
    for oracle, findings in report.by_oracle():
        verdicts: list[str] = [f.verdict for f in findings]
        counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
        found[oracle] = {**counts, "comparisons": sum(f.count for f in findings)}
    return found


def _bounds(report: Report) -> dict[str, float]:
    """For each result a bound on its error in units in the last place."""
    return {a.subject: bound_of(a.worst) for a in report.accuracy if math.isfinite(a.worst)}


def bound_of(worst: float) -> float:
    """The smallest power of two, at least 1, that is `ROOM` times what was measured, or more."""
    return 2.0 ** max(math.ceil(math.log2(ROOM * worst)) if worst > 0 else 0, 0)


# -- the replay ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A line of a certificate beside what is found now."""

    what: str
    claimed: str
    found: str
    holds: bool


def claims(
    held: Mapping[str, Any], reports: Mapping[str, Report], source: str, text: str
) -> Iterator[Claim]:
    """The claims of a certificate, each with what a replay found.

    Raises `GradgenError` where the certificate is not of this form.
    """
    try:
        yield from _digests(held, source, text)
        for name, oracles in held["oracles"].items():
            report = reports.get(name)
            now = {} if report is None else _counts(report)
            for oracle, counts in oracles.items():
                yield _verdicts(f"{name}: {oracle}", counts, now.get(oracle, {}))
        for name, bounds in held["ulps"].items():
            measured = {} if name not in reports else {
                a.subject: a.worst for a in reports[name].accuracy}  # fmt: skip
            for subject, bound in bounds.items():
                worst = measured.get(subject, math.nan)
                yield Claim(f"{name}: {subject} in ulps", f"at most {bound:g}", f"{worst:.3g}",
                            worst <= bound)  # fmt: skip
    except (KeyError, AttributeError, TypeError) as error:
        raise GradgenError(f"the certificate is not one of gradgen's: {error!r}") from None


def _digests(held: Mapping[str, Any], source: str, text: str) -> Iterator[Claim]:
    for what, now in (("source", source), ("body", body_digest(text))):
        yield Claim(what, f"{held[what]:.12}...", f"{now:.12}...", held[what] == now)


def _verdicts(what: str, told: str, now: Mapping[str, int]) -> Claim:
    """No derivative differs, and as many are proved, and are settled at all, as it says."""
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", told)}
    claimed = {verdict: counts.get(word, 0) for verdict, word in WORDS.items()}
    proved = now.get("proved", 0) >= claimed.get("proved", 0)
    settled = _settled(now) >= _settled(claimed)
    return Claim(what, told, _told(now), proved and settled and "differs" not in now)


def _settled(counts: Mapping[str, int]) -> int:
    return sum(counts.get(verdict, 0) for verdict in GOOD)


def _told(counts: Mapping[str, int]) -> str:
    """The counts in words; those of a certificate are read back."""
    return ", ".join(f"{n} {WORDS.get(what, what)}" for what, n in counts.items()) or "nothing"
