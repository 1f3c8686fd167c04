"""What a gradient by hand does when it is called: whether it gives a gradient at all."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradgen.byhand.written import Calling, Misfit, Reading, entries_of, part_of
from gradgen.oracles.domain import Domain
from gradgen.oracles.entries import misfit
from gradgen.oracles.report import Effort, Finding
from gradgen.oracles.rounding import Rounded, spread
from gradgen.oracles.sample import Values, copied, quiet_call, samples
from gradgen.oracles.steps import coarsest
from gradgen.oracles.subject import Subject

ORACLE = "calls"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call at some arguments gave: a result or an error, and what it changed."""

    values: Values
    result: Any
    error: str
    changed: tuple[str, ...]


def outcomes(
    subject: Subject, function: Callable[..., Any], calling: Calling, effort: Effort,
    domain: Domain | None = None,
) -> list[Outcome]:  # fmt: skip
    """What a gradient gives at the samples of a function, each time on arguments of its own."""
    return [
        outcome_of(subject, function, calling, values)
        for values in samples(subject, effort.samples, effort.seed, domain)
    ]


def outcome_of(
    subject: Subject, function: Callable[..., Any], calling: Calling, values: Values
) -> Outcome:
    """What a gradient gives at some arguments."""
    arguments = subject.arguments(copied(values))
    result, error = None, ""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = calling.call(function, arguments)
            # the next call may write into the same arrays
            with suppress(Exception):
                result = copy.deepcopy(result)
    except Exception as raised:  # whatever somebody's function raises
        error = f"raises {type(raised).__name__}: {raised}"
    changed = []
    for leaf in subject.leaves:
        try:
            held: Any = part_of(arguments[leaf.name], leaf.path)
        except Misfit:
            held = None
        if np.asarray(held, dtype=object).shape != np.shape(values[leaf.text]) or not _same(
            held, values[leaf.text]
        ):
            changed.append(leaf.text)
    return Outcome(values, result, error, tuple(changed))


def _same(one: Any, other: Any) -> bool:
    a, b = np.asarray(one), np.asarray(other)
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def wrong_calls(found: list[Outcome]) -> Iterator[Finding]:
    """What is wrong whatever the results are taken for: exceptions, and arguments it changes."""
    raised = [outcome for outcome in found if outcome.error]
    if raised:
        many = f" (at {len(raised)} of {len(found)} samples)"
        yield Finding(ORACLE, "the call", "differs", raised[0].error + many, len(found),
                      at=raised[0].values)  # fmt: skip
    changed = [outcome for outcome in found if outcome.changed]
    if changed:
        names = ", ".join(dict.fromkeys(name for outcome in changed for name in outcome.changed))
        detail = f"it changes what it is given: {names}"
        yield Finding(ORACLE, "the arguments", "differs", detail, len(found), at=changed[0].values)


def wrong_results(
    subject: Subject, reading: Reading, found: list[Outcome]
) -> Iterator[tuple[str, Finding]]:
    """What is wrong with the structure of results, with the parameter where it is one's."""
    for name in ("", *reading.wrt):
        for outcome in found:
            why, what = _why_not(subject, reading, outcome, name)
            if why:
                subject_of = f"d/d{what}" if what else "the result"
                yield name, Finding(ORACLE, subject_of, "differs", why, len(found),
                                    at=outcome.values)  # fmt: skip
                break


def _why_not(
    subject: Subject, reading: Reading, outcome: Outcome, name: str
) -> tuple[str, str]:  # fmt: skip
    """Why a result is no gradient by a parameter, or no gradient at all, and by which leaf."""
    if outcome.error:
        return "", ""
    try:
        gradients = reading.taken(outcome.result)[1]
    except Misfit as why:
        return ("" if name else f"the result {why}"), ""
    for leaf in subject.leaves:
        if leaf.name == name:
            try:
                entries = entries_of(part_of(gradients[name], leaf.path), leaf)
            except Misfit as why:
                return f"the result {why}", leaf.text
            wrong = misfit(entries, outcome.values, leaf)
            if wrong:
                return wrong, leaf.text
    return "", ""


def value_finding(
    subject: Subject, reading: Reading, found: list[Outcome], effort: Effort
) -> Finding | None:
    """Whether the value that comes with a gradient is the function's, but for roundings."""
    if not reading.valued:
        return None
    random = np.random.default_rng([effort.seed, 17])
    rounded, epsilon = Rounded(subject, random), coarsest(subject.graph)
    worst, count = 0.0, 0
    for outcome in found:
        try:
            value = float(np.asarray(reading.taken(outcome.result)[0]))
        except (Misfit, TypeError, ValueError):
            continue
        right = float(np.asarray(quiet_call(subject, outcome.values)))
        noise, _ = spread(rounded, outcome.values)
        off = abs(value - right)
        count += 1
        if not off <= 16 * noise + 64 * epsilon * abs(right):
            detail = f"given {value!r}, the function gives {right!r}"
            return Finding("value", "value", "differs", detail, count, at=outcome.values)
        worst = max(worst, off / abs(right) if right else 0.0)
    if not count:
        return None
    return Finding("value", "value", "agrees", "but for roundings", count, worst)


def units_of(subject: Subject, reading: Reading, found: list[Outcome]) -> dict[str, Any]:
    """Units in the last place of the largest that each entry of a derivative was, by leaf.

    Results that are no gradient are passed over.
    """
    units: dict[str, Any] = {}
    for leaf in subject.active:
        units[leaf.text] = np.zeros(tuple(leaf.type.shape))
        for outcome in found:
            with suppress(Misfit):
                held = reading.taken(outcome.result)[1][leaf.name]
                given = np.abs(entries_of(part_of(held, leaf.path), leaf))
                if given.shape == leaf.type.shape and given.dtype.kind == "f":
                    unit = np.where(np.isfinite(given), given, 0.0) * np.finfo(given.dtype).eps
                    units[leaf.text] = np.maximum(units[leaf.text], unit)
    return units


def remarks(subject: Subject, reading: Reading, found: list[Outcome]) -> Iterator[str]:
    """What is taken for floats of the arguments' types though it is something else."""
    for leaf in subject.active:
        for outcome in found:
            held = part_of(reading.taken(outcome.result)[1][leaf.name], leaf.path)
            given, wanted = np.asarray(held).dtype, entries_of(held, leaf).dtype
            if given != wanted and not isinstance(held, (float, list)):
                yield f"d/d{leaf.text} is {given}, taken as {wanted}"
                break
