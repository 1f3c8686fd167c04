"""The exact value and gradient of a user's function at a point, to compare emitted numbers with.

The adjoints are evaluated at more and more digits until two evaluations meet, so that neither
1 + 1e-200 nor exp(1000) is beyond them. They are the derived graph's, so they are not believed:
the derivative along one random direction must be that of the user's graph, by a central difference
of it. Where it is not (a constant was folded in double precision, there is a kink, or the adjoints
are wrong), each entry is found by a difference of its own, as many entries as the limit allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradgen.oracles.digits import (
    adjoints_of,
    inputs_at,
    largest_of,
    named_constants,
)  # fmt: skip
from gradgen.oracles.exact import Evaluator
from gradgen.oracles.report import Effort
from gradgen.oracles.scalars import Numbers
from gradgen.oracles.subject import Subject

# The digits of one evaluation after another, until two meet to so many.
LADDER = (50, 150, 450, 1350)
MEETING = 25
# How many numbers the arguments may hold at a sample, on average, if all samples are to be taken.
SCALARS, FEWEST = 100, 3
# How many entries of a gradient are found by differences of their own at one point.
ENTRIES = 24
# How far adjoints may be off, relative to them, because of constants in double precision.
ROUNDED = 1e-10


def affordable(subject: Subject, effort: Effort) -> int:
    """How many of the samples are evaluated exactly: fewer, where the arguments are large."""
    sizes = [math.prod(n for n in leaf.type.shape if isinstance(n, int)) for leaf in subject.leaves]
    return min(effort.samples, max(effort.samples * SCALARS // max(sum(sizes), 1), FEWEST))


@dataclass(frozen=True, slots=True)
class Exact:
    """Value and gradient at a point; NaN where there is none, or none that could be settled.

    `unsettled` counts the entries of the gradient that are NaN.
    """

    context: Any
    value: Any
    entries: Mapping[str, Any]
    unsettled: int


@dataclass(slots=True)
class _Level:
    """What is known at one number of digits."""

    numbers: Numbers
    digits: int
    value: Any
    entries: dict[str, Any]
    largest: Any

    def share(self, part: float) -> Any:
        """What rounding at a part of the digits makes of the largest number on the way."""
        return self.largest * self.numbers.context.mpf(10) ** -int(self.digits * part)


class Reference:
    """Where the exact numbers of a subject come from."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.named = named_constants(subject)
        self.numbers = [Numbers(digits) for digits in LADDER]

    def at(self, values: Mapping[str, Any], random: np.random.Generator) -> Exact:
        """The exact numbers at the values of the leaves; `random` draws the direction.

        Raises `Unsupported` for an operation that is not evaluated exactly.
        """
        point = {text: np.asarray(value) for text, value in values.items()}
        steps = {
            leaf.text: _steps(point[leaf.text]) * random.uniform(0.5, 2.0, point[leaf.text].shape)
            for leaf in self.subject.active
        }
        before = self._level(point, 0)
        for number in range(1, len(LADDER)):
            now = self._level(point, number)
            last = number == len(LADDER) - 1
            settled, met = _settled(before, now)
            if met or last:
                found = self._confirmed(point, settled, steps, last)
                if found is not None:
                    return found
            before = now
        raise AssertionError("the last level settles what it can")

    def _level(self, point: Mapping[str, Any], number: int) -> _Level:
        numbers, digits = self.numbers[number], LADDER[number]
        inputs = inputs_at(self.subject, point, numbers)
        evaluator = Evaluator(self.subject.graph, inputs, numbers)
        (value,) = evaluator.of([self.subject.value])
        largest = largest_of(evaluator, numbers)
        entries, more = adjoints_of(self.subject, inputs, numbers.naming(self.named))
        return _Level(numbers, digits, value[()], entries, max(largest, more))

    def _confirmed(
        self, point: Mapping[str, Any], level: _Level, steps: Mapping[str, Any], last: bool
    ) -> Exact | None:
        """The adjoints if a difference confirms them, else differences; None: more digits."""
        c, entries = level.numbers.context, level.entries
        directions = {t: np.where(_finite(c, entries[t]), step, 0.0) for t, step in steps.items()}
        products = [
            entries[text][index] * float(step[index])
            for text, step in directions.items()
            for index in np.ndindex(step.shape) if step[index]
        ]  # fmt: skip
        size, total = sum(map(abs, products), c.zero), sum(products, c.zero)
        if not last and c.isfinite(level.value) and 0 < size < level.share(0.6) * 10**MEETING:
            return None
        slope = self._slope(point, level, directions, size)
        if slope is not None and abs(total - slope) <= _bound(level, size):
            return _exact(c, level.value, entries)
        rounded = slope is not None and abs(total - slope) <= size * ROUNDED
        return self._by_entries(point, level, steps) if last or rounded else None

    def _slope(
        self, point: Mapping[str, Any], level: _Level, directions: Mapping[str, Any], size: Any
    ) -> Any:
        """The derivative of the user's graph along a direction; None: there is none to be seen.

        The value must bend no more than that of a smooth function does over a step.
        """
        c = level.numbers.context
        step = c.mpf(10) ** -(level.digits // 3)
        before, after = (self._value(point, level, directions, s * step) for s in (-1, 1))
        if not (c.isfinite(before) and c.isfinite(after) and c.isfinite(level.value)):
            return None
        slope = (after - before) / (2 * step)
        bend = abs(after - 2 * level.value + before) / step
        return None if bend > _bound(level, max(size, abs(slope))) else slope

    def _value(
        self, point: Mapping[str, Any], level: _Level, directions: Mapping[str, Any], step: Any
    ) -> Any:
        subject = self.subject
        inputs = inputs_at(subject, point, level.numbers)
        for leaf in subject.active:
            held, direction = inputs[leaf.name, leaf.path], directions.get(leaf.text)
            for index in np.ndindex(held.shape if direction is not None else (0,)):
                held[index] = held[index] + float(direction[index]) * step  # type: ignore[index]
        (value,) = Evaluator(subject.graph, inputs, level.numbers).of([subject.value])
        return value[()]

    def _by_entries(
        self, point: Mapping[str, Any], level: _Level, steps: Mapping[str, Any]
    ) -> Exact:
        """The gradient by differences, entry by entry, as far as the limit goes."""
        c, left = level.numbers.context, ENTRIES
        entries: dict[str, Any] = {}
        for text, held in level.entries.items():
            entries[text] = np.full(held.shape, c.nan, object)
            for index in np.ndindex(held.shape):
                left -= 1
                if left < 0:
                    break
                direction = np.zeros(held.shape)
                direction[index] = steps[text][index]
                size = abs(held[index] * float(direction[index]))
                slope = self._slope(point, level, {text: direction}, size if size > 0 else c.zero)
                if slope is not None:
                    entries[text][index] = slope / float(direction[index])
        return _exact(c, level.value, entries)


def _steps(array: np.ndarray[Any, Any]) -> Any:
    """The length of a step of each entry: its size, or that of its array where it is 0, or 1."""
    sizes = np.abs(array.astype(float))
    return np.where(sizes > 0, sizes, float(sizes.max(initial=0.0)) or 1.0)


def _finite(c: Any, array: Any) -> np.ndarray[Any, Any]:
    return np.array([bool(c.isfinite(x)) for x in array.ravel()], bool).reshape(array.shape)


def _bound(level: _Level, size: Any) -> Any:
    """How far two derivatives of this size may be apart that are the same."""
    return size * level.numbers.context.mpf(10) ** -MEETING + level.share(0.6)


def _exact(c: Any, value: Any, entries: Mapping[str, Any]) -> Exact:
    unsettled = sum(int((~_finite(c, held)).sum()) for held in entries.values())
    return Exact(c, value, entries, unsettled)


def _settled(before: _Level, now: _Level) -> tuple[_Level, bool]:
    """What the second of two evaluations tells, and whether the first tells the same.

    What cancels in the second one becomes 0, what does not meet NaN.
    """
    value, met = _agreed(before.value, now.value, now)
    entries: dict[str, Any] = {}
    for text, held in now.entries.items():
        entries[text] = np.empty(held.shape, object)
        for index in np.ndindex(held.shape):
            found, same = _agreed(before.entries[text][index], held[index], now)
            entries[text][index] = found
            met = met and same
    return replace(now, value=value, entries=entries), met


def _agreed(a: Any, b: Any, level: _Level) -> tuple[Any, bool]:
    """A number of the second of two evaluations, and whether the first gives it as well."""
    c = level.numbers.context
    if not c.isfinite(b):
        return c.nan, not c.isfinite(a)
    if c.isfinite(a) and abs(a - b) <= abs(b) * c.mpf(10) ** -MEETING:
        return b, True
    return (c.zero, True) if abs(b) <= level.share(0.8) else (c.nan, False)
