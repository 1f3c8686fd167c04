"""Run the oracles over a function, and tell what they found: to people and to machines."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradgen.errors import GradgenError
from gradgen.live import Shapes
from gradgen.oracles.accuracy import accuracy
from gradgen.oracles.domain import Domain, assumptions, check_names, parse_domain
from gradgen.oracles.gains import gains
from gradgen.oracles.numeric import complex_step, differences, dot_product, forward, tangent
from gradgen.oracles.report import EFFORTS, Effort, Finding, Report
from gradgen.oracles.subject import Subject, from_file, from_function
from gradgen.oracles.symbolic import symbolic

ORACLES = (forward, symbolic, complex_step, differences, dot_product, tangent, accuracy)
Progress = Callable[[str], None]


def check(
    f: Callable[..., Any], wrt: Any = None, shapes: Shapes = None, like: Any = None, *,
    effort: str = "normal", domain: str = "", output: int | None = None,
    seconds: float | None = None, stabilize: bool = False, style: str = "default",
) -> Report:  # fmt: skip
    """What independent oracles find of the emitted gradient of a live function.

    The arguments are those of `value_and_grad`; `effort` is quick, normal or exhaustive, `domain`
    as `"x in [0.1, 10], y > 0"`, `seconds` a limit of time for all oracles. The function is called.
    With `stabilize` the emitted gradient is that with the accurate rewrites, compared with `f` as
    it stands; without, `report.gains` tells what each rewrite would gain. `style`
    is how what is emitted is written.
    `report.ok` tells whether none found a difference. Raises what `value_and_grad` raises.
    """
    subject = from_function(f, wrt, shapes, like, output, stabilize, style)
    return run(subject, effort, domain, seconds)


def check_path(
    location: str, wrt: Any = None, shapes: Shapes = None, *, effort: str = "normal",
    domain: str = "", output: int | None = None, seconds: float | None = None,
    stabilize: bool = False, style: str = "default", progress: Progress = lambda what: None,
) -> Report:  # fmt: skip
    """As `check`, of `PATH.py:function`; the file is executed."""
    subject = from_file(location, wrt, shapes, output, stabilize, style=style)
    return run(subject, effort, domain, seconds, progress)


def run(
    subject: Subject, effort: str = "normal", domain: str = "", seconds: float | None = None,
    progress: Progress = lambda what: None,
) -> Report:  # fmt: skip
    """The report on a subject; `progress` is told the name of each oracle as it starts.

    Raises `GradgenError` for an effort or a domain that makes no sense.
    """
    limits = limits_of(effort, seconds)
    within = parse_domain(domain)
    check_names(subject, within)
    report = Report(subject.name, subject.wrt, subject.program.shapes, effort)
    report.domain = [assumed.text for assumed in assumptions(subject, within)]
    for finding in _findings(subject, limits, within, progress):
        report.findings.append(finding)
    report.rewritten = [str(rewrite) for rewrite in subject.program.rewrites]
    report.gains = list(gains(subject, limits, within))
    report.left_out = list(left_out(report))
    return report


def limits_of(effort: str, seconds: float | None) -> Effort:
    """An effort by its name, to end after so many seconds. Raises `GradgenError`."""
    if effort not in EFFORTS:
        raise GradgenError(f"effort={effort!r}: choose one of {', '.join(EFFORTS)}")
    if seconds is None:
        return EFFORTS[effort]
    end = time.monotonic() + seconds
    return dataclasses.replace(EFFORTS[effort], expired=lambda: time.monotonic() > end)


def _findings(
    subject: Subject, effort: Effort, domain: Domain, progress: Progress
) -> Iterator[Finding]:
    for oracle in ORACLES:
        progress(oracle.__name__.replace("_", " "))
        yield from oracle(subject, effort, domain)


def left_out(report: Report) -> Iterator[str]:
    """What was not checked, one sentence for each oracle and reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for finding in report.findings:
        if finding.verdict == "unchecked":
            reasons.setdefault((finding.oracle, finding.detail), []).append(finding.subject)
    for (oracle, reason), subjects in reasons.items():
        what = subjects[0] if len(subjects) == 1 else f"{subjects[0]} and {len(subjects) - 1} more"
        yield f"{oracle}: {what}: {reason}"


def as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON has it: arrays as lists, numbers that are not finite as text."""
    found: dict[str, Any] = _plain(dataclasses.asdict(report))
    measured = [_plain(dataclasses.asdict(each)) for each in report.accuracy]
    offered = [{**held, "verdict": gain.verdict}
               for held, gain in zip(found.pop("gains"), report.gains, strict=True)]  # fmt: skip
    return {"ok": report.ok, **found, "accuracy": measured, "gains": offered}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(held) for held in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return repr(value)
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
