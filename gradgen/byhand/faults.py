"""Where a gradient by hand is wrong, entry by entry: what it gives against the right values.

The right derivative is evaluated at many digits from gradgen's adjoints. An entry is wrong where it
is farther off than the bound of `gradgen.oracles.entries` allows, in which the error of the right
value is nothing and the roundings are those of the hand-written text, and where a difference
quotient at many digits shows that the function has this derivative there. Where an operation is not
evaluated exactly, the emitted gradient and Richardson's differences take their places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradgen.differences import EPSILON, Estimate
from gradgen.oracles.branch import Edges, Watch
from gradgen.oracles.digits import Session, quotient, session_of
from gradgen.oracles.domain import Domain
from gradgen.oracles.entries import SETTLED, SETTLED_COARSELY, Gradient, bound_of, exhausted
from gradgen.oracles.exact import Unsupported
from gradgen.oracles.report import Effort, Finding
from gradgen.oracles.rounding import Rounded, rounded_of
from gradgen.oracles.sample import Values, is_finite, quiet_call, samples
from gradgen.oracles.steps import Ray, by_differences, coarsest, value_noise
from gradgen.oracles.subject import Leaf, Subject

ORACLE = "50 digits"
# The difference of two formulas, relative to the derivative, that float64 cannot tell from none.
NEGLIGIBLE = 1e-13
# The error in units of the last place at which no digit is right.
LOST = 2.0**52
# Of several entries that are wrong, how many are looked at for one at which there is a derivative.
MOST_TRIED = 4


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry that is wrong: where, what was given and what is right, as text of 17 digits."""

    leaf: Leaf
    entry: tuple[int, ...]
    values: Values
    given: str
    right: str

    @property
    def partial(self) -> str:
        """The derivative: `d/dW[0, 1]`."""
        return f"d/d{self.leaf.text}" + (
            f"[{', '.join(map(str, self.entry))}]" if self.entry else ""
        )


@dataclass(slots=True)
class Look:
    """Both gradients at one choice of arguments, by the texts of their leaves."""

    values: Values
    given: dict[str, Any]
    right: dict[str, Any]
    bounds: dict[str, Any]
    wrong: dict[str, str]
    session: Session | None
    # Of the two formulas, at many digits, where that of the gradient is known.
    formula: dict[str, Any] = field(default_factory=dict)

    def off(self, leaf: str) -> Any:
        """How far each entry is off, relative to the right one, as 64-bit floats."""
        if self.given[leaf].shape != self.right[leaf].shape:
            return np.full(self.right[leaf].shape, math.inf)
        pairs = zip(self.given[leaf].ravel(), self.right[leaf].ravel(), strict=True)
        found = [_relative(float(g) - r, r) for g, r in pairs]
        return np.array(found, dtype=float).reshape(self.right[leaf].shape)


def _relative(part: Any, whole: Any) -> float:
    if part != part or abs(part) == math.inf:
        return math.inf
    return float(abs(part) / abs(whole)) if whole else math.inf if part else 0.0


class Judge:
    """Compares a gradient by hand with the right one at arguments."""

    def __init__(self, right: Subject, mine: Subject, effort: Effort, read: bool) -> None:
        self.right, self.mine, self.effort, self.read = right, mine, effort, read
        self.random = np.random.default_rng([effort.seed, 13])
        self.rounded = rounded_of(mine, self.random)
        self.epsilon = coarsest(right.graph)
        self.edges = Edges(right)
        self._own: Rounded | None = None
        self._watch: Watch | None = None

    def look(self, values: Values, formulas: bool = False) -> Look | None:
        """Both gradients at these arguments; None where the function has no finite value there.

        With `formulas`, that of the hand-written formula at many digits as well.
        """
        try:
            if not is_finite(quiet_call(self.right, values)) or self.edges.touched(values):
                return None
        except Exception:  # whatever the user's function raises: these are no arguments for it
            return None
        found = Gradient(self.mine, values, self.rounded)
        right, moved, session = self._right(values)
        bounds = {}
        for leaf, exact in right.items():
            own = np.broadcast_to(found.moved.get(leaf, 0.0), exact.shape) if (
                np.shape(found.moved.get(leaf, 0.0)) in ((), exact.shape)) else 0.0  # fmt: skip
            size = np.abs(exact.astype(float))
            bounds[leaf] = bound_of(Estimate(0.0, 0.0, 0.0), own + moved.get(leaf, 0.0),
                                    self.epsilon) + 64 * self.epsilon * size  # fmt: skip
        formula = self._formula(values) if formulas and self.read else {}
        return Look(values, found.entries, right, bounds, found.wrong, session, formula)

    def right_values(self, values: Values) -> dict[str, Any]:
        """The right derivatives at these arguments, by the texts of their leaves."""
        return self._right(values)[0]

    def _right(self, values: Values) -> tuple[dict[str, Any], dict[str, Any], Session | None]:
        point = {leaf: np.asarray(value) for leaf, value in values.items()}
        try:
            session = session_of(self.right, self.effort, [point])
            return session.gradients[0], {}, session
        except Unsupported:
            self._own = self._own or Rounded(self.right, self.random)
            own = Gradient(self.right, values, self._own)
            return own.entries, own.moved, None

    def _formula(self, values: Values) -> dict[str, Any]:
        point = {leaf: np.asarray(value) for leaf, value in values.items()}
        try:
            return session_of(self.mine, self.effort, [point]).gradients[0]
        except Unsupported:
            return {}

    def fault(self, values: Values, leaf: str = "", formulas: bool = False) -> Fault | None:
        """The entry that is farthest off at these arguments, of one leaf or of all; None: none is.

        With `formulas` also where the formulas differ, and the floats do not tell.
        """
        look = self.look(values, formulas)
        return None if look is None else self.fault_of(look, leaf)

    def fault_of(self, look: Look, leaf: str = "") -> Fault | None:
        """See `fault`."""
        wrong: list[tuple[float, Leaf, tuple[int, ...]]] = []
        for held in self.right.active:
            if leaf in ("", held.text) and not look.wrong.get(held.text):
                off, exact = look.off(held.text), look.right[held.text]
                wrong += [
                    (float(off[at]), held, at) for at in np.ndindex(off.shape)
                    if is_number(exact[at]) and self._is_wrong(look, held.text, at)
                ]  # fmt: skip
        wrong.sort(key=lambda item: -item[0])
        for _, held, at in wrong[:MOST_TRIED]:
            if self._has_derivative(look, held, at):
                given = look.given[held.text][at]
                if abs(float(given) - float(look.right[held.text][at])) == 0.0 and look.formula:
                    given = look.formula[held.text][at]
                return Fault(held, at, look.values, shown(given, look.session),
                             shown(look.right[held.text][at], look.session))  # fmt: skip
        return None

    def _is_wrong(self, look: Look, leaf: str, at: tuple[int, ...]) -> bool:
        right = look.right[leaf][at]
        distance = abs(float(look.given[leaf][at]) - right)
        if not distance <= look.bounds[leaf][at]:
            return True
        if not look.formula:
            return False
        assert look.session is not None
        noise = look.session.sizes[0] * 10.0**-self.effort.digits
        return not abs(look.formula[leaf][at] - right) <= NEGLIGIBLE * abs(right) + noise

    def _has_derivative(self, look: Look, leaf: Leaf, at: tuple[int, ...]) -> bool:
        """Whether the function has the derivative that is taken for the right one."""
        right = look.right[leaf.text][at]
        # where the derivative can be evaluated exactly, the function need not: what it stops cannot
        with suppress(Unsupported):
            if look.session is not None:
                wanted = quotient(look.session, 0, {leaf.text: {at: 1.0}})
                noise = look.session.sizes[0] * look.session.numbers.context.mpf(10) ** -40
                return bool(abs(wanted - right) <= 1e-12 * abs(right) + noise)
        self._watch = self._watch or Watch(self.right)
        direction = np.zeros(np.shape(look.values[leaf.text]))
        direction[at] = 1.0
        ray = Ray(self.right, look.values, {leaf.text: direction})
        noise = value_noise(ray, self.random, coarsest(self.right.graph, introduced=True))
        size = abs(float(np.asarray(look.values[leaf.text])[at])) or 1.0
        seen = by_differences(ray, size, self._watch, noise)
        return isinstance(seen, Estimate) and bool(
            abs(seen.value - right) <= 16 * seen.error + 64 * self.epsilon * abs(right)
        )


def is_number(value: Any) -> bool:
    """Whether a float or a number of mpmath's is finite."""
    return bool(abs(value) < math.inf)


def shown(value: Any, session: Session | None) -> str:
    """A number as text: a float as Python writes it, one of mpmath's in 17 digits."""
    if isinstance(value, (float, np.floating)) or session is None:
        return repr(float(value))
    return str(session.numbers.context.nstr(value, 17))


@dataclass(slots=True)
class _Tally:
    """What has been seen of one leaf."""

    # for each entry the smallest bound so far, relative to it; 0 where it was zero at all samples
    tight: Any
    seen: Any
    count: int = 0
    ulps: list[float] = field(default_factory=list)
    worst: float = -1.0
    at: Values | None = None
    fault: Fault | None = None
    # Whether the right derivatives were evaluated at many digits.
    exact: bool = True


def called(
    judge: Judge, effort: Effort, domain: Domain | None = None
) -> Iterator[Finding]:  # fmt: skip
    """What a gradient gives when it is called, against the derivative at 50 digits, leaf by leaf.

    Where nothing differs the detail tells the largest error in units of the last place.
    """
    source = samples(judge.right, effort.samples, effort.seed, domain)
    tallies = {
        leaf.text: _Tally(np.full(leaf.type.shape, math.inf), np.zeros(leaf.type.shape, bool))
        for leaf in judge.right.active
    }
    for values in source:
        if effort.expired():
            break
        look = judge.look(values)
        if look is not None:
            for leaf, tally in tallies.items():
                _note(judge, look, leaf, tally)
    enough = SETTLED if judge.epsilon == EPSILON else SETTLED_COARSELY
    late = "the time was up" if effort.expired() else ""
    for leaf, tally in tallies.items():
        name = f"d/d{leaf}"
        if tally.fault is not None:
            fault = tally.fault
            detail = f"{fault.partial}: given {fault.given}, must be {fault.right}"
            yield Finding(ORACLE, name, "differs", detail, tally.count, at=fault.values)
            continue
        found = sorted(tally.ulps) or [0.0]
        worst = f"{found[-1]:.2g} ulp" if found[-1] < LOST else "all digits lost"
        detail = f"median {found[len(found) // 2]:.2g} ulp, worst {worst}"
        if not tally.exact:
            detail = "against the emitted one: an operation is not evaluated at 50 digits"
        loose = [at for at in np.ndindex(tally.tight.shape) if not tally.tight[at] <= enough]
        if len(loose) < tally.tight.size or not tally.tight.size:
            yield Finding(ORACLE, name, "agrees", detail + exhausted([source]), tally.count,
                          found[-1], tally.at)  # fmt: skip
        if loose:
            more = f" and {len(loose) - 1} more" if loose[1:] else ""
            place = f"[{', '.join(map(str, loose[0]))}]{more}" if loose[0] else ""
            name += place if len(loose) < tally.tight.size else ""
            why = late or (f"too inexact here: {detail}" if tally.count else "no sample")
            yield Finding(ORACLE, name, "unchecked", why + exhausted([source]), tally.count)


def _note(judge: Judge, look: Look, leaf: str, tally: _Tally) -> None:
    if tally.fault is not None:
        return
    tally.fault = judge.fault_of(look, leaf)
    right = look.right[leaf]
    if tally.fault is not None or look.wrong.get(leaf):
        return
    tally.exact &= look.session is not None
    given = look.given[leaf]
    for at in np.ndindex(right.shape):
        distance, exact = abs(float(given[at]) - right[at]), float(right[at])
        # what is farther off has no derivative there, but a convention
        if is_number(exact) and distance <= look.bounds[leaf][at]:
            tally.count += 1
            if exact == 0.0:
                tally.tight[at] = tally.tight[at] if tally.seen[at] else 0.0
                continue
            within = float(look.bounds[leaf][at]) / abs(exact)
            tally.tight[at] = min(tally.tight[at], within) if tally.seen[at] else within
            tally.seen[at] = True
            unit = float(np.spacing(np.abs(given.dtype.type(exact))))
            ulps = float(distance / unit)
            tally.ulps.append(ulps)
            if ulps > tally.worst:
                tally.worst, tally.at = ulps, look.values
