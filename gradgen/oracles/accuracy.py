"""How many units in the last place the emitted value and gradient are off the exact ones.

The unit is the distance between floats of the entry's dtype where the exact number lies. A number
that is too large for the dtype is exactly the infinity of its sign; other infinities and NaN are
infinitely far off. Zero has no last place: where the exact derivative is 0 and what was emitted is
not, the entry is judged, and counted apart. Whether an entry agrees is told by the bound of
`gradgen.oracles.entries`, of an estimate that has no error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradgen.differences import EPSILON, Estimate
from gradgen.oracles.domain import Domain
from gradgen.oracles.entries import (
    AGAIN,
    ALONE,
    LOST,
    SETTLED,
    SETTLED_COARSELY,
    WORST_ENTRY,
    Gradient,
    Tally,
    bound_of,
    emitted,
    exhausted,
    place,
    relative,
)  # fmt: skip
from gradgen.oracles.exact import Unsupported
from gradgen.oracles.reference import Exact, Reference, affordable
from gradgen.oracles.report import Effort, Finding
from gradgen.oracles.rounding import Rounded
from gradgen.oracles.sample import Values, samples
from gradgen.oracles.steps import coarsest
from gradgen.oracles.subject import Subject

ORACLE = "accuracy"
LARGEST = float(np.finfo(np.float64).max)
VALUE = "value"


def ulps(found: float, exact: Any, dtype: str, context: Any) -> float:
    """The distance of a float from an exact number, in units in the last place of its dtype.

    Infinite for NaN and for an infinity that is not the number's rounding; NaN where the number
    is 0 and the float is not.
    """
    info = np.finfo("float64" if dtype == "float" else dtype)
    if exact == 0:
        return 0.0 if found == 0 else math.nan if math.isfinite(found) else math.inf
    two = context.mpf(2)
    if abs(exact) >= two**info.maxexp * (1 - two ** -(info.nmant + 2)):
        return 0.0 if math.isinf(found) and (found > 0) == (exact > 0) else math.inf
    if not math.isfinite(found):
        return math.inf
    exponent = max(int(context.mag(exact)) - 1, int(info.minexp))
    return float(abs(context.mpf(found) - exact) / two ** (exponent - info.nmant))


@dataclass(slots=True)
class Errors:
    """The errors of the value, or of one leaf of the gradient, in units in the last place."""

    all: list[float] = field(default_factory=list)
    worst: float = -1.0
    at: Values | None = None
    entry: tuple[int, ...] = ()
    # How often the exact number is 0 and the emitted one is not, and what the largest of these was.
    zeros: int = 0
    largest: float = 0.0
    # How often there was nothing to compare with.
    passed: int = 0

    def enter(self, error: float, found: float, entry: tuple[int, ...], values: Values) -> None:
        if math.isnan(error):
            self.zeros += 1
            self.largest = max(self.largest, abs(found))
            return
        self.all.append(error)
        if error > self.worst:
            self.worst, self.at, self.entry = error, values, entry

    @property
    def median(self) -> float:
        return float(np.median(self.all))

    def told(self) -> str:
        """The errors in a few words."""
        text = "nothing was measured"
        if self.all:
            text = f"worst {shown(self.worst)} ulps, median {shown(self.median)}"
        if self.zeros:
            text += f"; {self.zeros} times up to {self.largest:.0e} where 0 is exact"
        if self.passed:
            text += f"; {self.passed} times without a derivative"
        return text


def shown(error: float) -> str:
    """An error as tables have it."""
    if math.isinf(error):
        return "inf"
    return f"{error:.1f}" if error < 1000 else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


def accuracy(subject: Subject, effort: Effort, domain: Domain | None = None) -> Iterator[Finding]:
    """The errors of the emitted value and of each derivative against the exact ones.

    At ordinary samples. "differs" where an entry is off by more than its condition explains;
    `Finding.worst` and `Finding.median` are in units in the last place.
    """
    yield from _Measuring(subject, effort, domain).findings()


class _Measuring:
    def __init__(self, subject: Subject, effort: Effort, domain: Domain | None) -> None:
        self.subject, self.effort = subject, effort
        self.count = affordable(subject, effort)
        self.source = samples(subject, self.count, effort.seed, domain)
        self.epsilon = coarsest(subject.graph)
        enough = SETTLED if self.epsilon == EPSILON else SETTLED_COARSELY
        self.tallies = {}
        for leaf in subject.active:
            shape = tuple(int(n) for n in leaf.type.shape)  # type: ignore[arg-type]
            self.tallies[leaf.text] = Tally(leaf, enough, np.full(shape, math.nan))
        self.errors = {text: Errors() for text in self.tallies}
        self.value, self.value_differs = Errors(), ""

    def findings(self) -> Iterator[Finding]:
        """See `accuracy`."""
        effort, subject = self.effort, self.subject
        random = np.random.default_rng([effort.seed, 3])
        rounded, reference = Rounded(subject, random), Reference(subject)
        directions = np.random.default_rng([effort.seed, 13])
        late = False
        for values in self.source:
            late = effort.expired()
            if late:
                break
            try:
                exact = reference.at(values, directions)
            except Unsupported as missing:
                yield from self._unchecked(f"{missing} is not evaluated exactly")
                return
            self._compare(Gradient(subject, values, rounded), exact)
        more = exhausted([self.source]) + ("; the time was up" if late else "")
        if self.count < effort.samples:
            more += f"; at {self.count} of {effort.samples} samples, since the arguments are large"
        yield self._of_value(more)
        for text, tally in self.tallies.items():
            yield self._of_leaf(tally, self.errors[text], more)

    def _unchecked(self, why: str) -> Iterator[Finding]:
        for name in (VALUE, *(f"d/d{text}" for text in self.tallies)):
            yield Finding(ORACLE, name, "unchecked", why)

    # -- one sample --------------------------------------------------------------------------------

    def _compare(self, gradient: Gradient, exact: Exact) -> None:
        self._compare_value(gradient, exact)
        for text, tally in self.tallies.items():
            wrong = gradient.wrong.get(text, "")
            if wrong and not wrong.startswith("raises"):
                self.errors[text].enter(math.inf, math.inf, (), gradient.values)
                said = f"the emitted derivative {wrong}"
                tally.differ((), math.inf, gradient.values, said)
                continue
            for entry in np.ndindex(tally.tight.shape):
                self._judge(tally, entry, gradient, exact)

    def _compare_value(self, gradient: Gradient, exact: Exact) -> None:
        if not self.subject.gives_value:
            return
        try:
            result = np.asarray(emitted(self.subject, gradient.values)[0])
        except Exception:  # whatever emitted code raises: its derivatives are judged, not this
            return
        found, errors = float(result.reshape(-1)[0]), self.value
        if not exact.context.isfinite(exact.value):
            errors.passed += 1
            return
        dtype = str(result.dtype) if result.dtype.kind == "f" else "float64"
        error = ulps(found, exact.value, dtype, exact.context)
        errors.enter(error, found, (), gradient.values)
        if not self.value_differs and error != 0:
            seen = Estimate(float(exact.value), 0.0, 0.0)
            off, bound = _distance(found, exact.value), 0.0
            for _ in range(1 + AGAIN):
                bound = bound_of(seen, gradient.value_moved, self.epsilon)
                if off <= bound:
                    return
                gradient.shake()
            self.value_differs = f"emitted {found!r}, must be {seen.value!r} within {bound:.1e}"

    def _judge(
        self, tally: Tally, entry: tuple[int, ...], gradient: Gradient, exact: Exact
    ) -> None:  # fmt: skip
        """Measure one entry, and say whether it agrees."""
        text, values, errors = tally.leaf.text, gradient.values, self.errors[tally.leaf.text]
        wanted, wrong = exact.entries[text][entry], gradient.wrong.get(text, "")
        found = math.nan if wrong else float(gradient.entries[text][entry])
        if not exact.context.isfinite(wanted):
            errors.passed += 1
            reason = "there is no derivative, or it is not settled"
            tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
            return
        if gradient.overflows and not math.isfinite(found):
            tally.lost += 1
            return
        dtype = tally.leaf.type.dtype
        error = ulps(found, wanted, dtype, exact.context)
        errors.enter(error, found, entry, values)
        # what is too large for a float is compared with the largest
        near = max(min(float(wanted), LARGEST), -LARGEST)
        seen, off, bound = Estimate(near, 0.0, 0.0), _distance(found, wanted), 0.0
        for _ in range(1 + AGAIN):
            moved = gradient.moved.get(text)
            bound = bound_of(seen, 0.0 if moved is None else float(moved[entry]), self.epsilon)
            if error == 0 or off <= bound:
                size = max(abs(found), abs(near))
                within = -1.0 if wanted == 0 else relative(bound, size) if size < math.inf else 0.0
                tally.agree(entry, relative(off, size), within, values)
                return
            gradient.shake()
        said = wrong or f"emitted {found!r}"
        detail = f"d/d{place(tally.leaf, entry)}: {said}, must be {near!r} within {bound:.1e}"
        tally.differ(entry, relative(off, max(abs(found), abs(near))), values, detail)

    # -- what is said ------------------------------------------------------------------------------

    def _of_value(self, more: str) -> Finding:
        errors = self.value
        if self.value_differs:
            detail = f"{self.value_differs}; {errors.told()}{more}"
            return _with(Finding(ORACLE, VALUE, "differs", detail), errors, errors.at)
        if not errors.all:
            alone = ALONE if not self.subject.gives_value else f"{errors.told()}{more}"
            return Finding(ORACLE, VALUE, "unchecked", alone)
        return _with(Finding(ORACLE, VALUE, "agrees", f"{errors.told()}{more}"), errors, errors.at)

    def _of_leaf(self, tally: Tally, errors: Errors, more: str) -> Finding:
        found = tally.finding(ORACLE, more)
        if found.verdict == "differs":
            return _with(
                replace(found, detail=f"{found.detail}; {errors.told()}"), errors, found.at
            )
        if found.verdict == "unchecked" or not errors.all:
            return found
        lost = f"; {LOST.format(tally.lost)}" if tally.lost else ""
        at = None
        if errors.at is not None:
            at = {**errors.at, WORST_ENTRY: place(tally.leaf, errors.entry)}
        return _with(replace(found, detail=f"{errors.told()}{lost}{more}"), errors, at)


def _with(found: Finding, errors: Errors, at: Mapping[str, Any] | None) -> Finding:
    """A finding with errors in units in the last place."""
    if not errors.all:
        return replace(found, worst=None, at=None if at is None else dict(at))
    return replace(
        found, worst=errors.worst, median=errors.median, count=len(errors.all),
        at=None if at is None else dict(at),
    )  # fmt: skip


def _distance(found: float, exact: Any) -> float:
    """How far a float is from an exact number; infinite for NaN and infinities."""
    return float(abs(exact - found)) if math.isfinite(found) else math.inf
