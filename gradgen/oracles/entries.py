"""Single entries of an emitted gradient, compared with estimates of them.

Bounds. Of each entry of a gradient, by itself, let `a` be what was emitted and `r` what the oracle
found with an error `e` that it measured (see `gradgen.oracles.steps`); let `m` be how far the entry
moves when the emitted operations round otherwise (see `gradgen.oracles.rounding`): the condition of
the entry times eps, with the cancellation in between. They agree if

    |a - r| <= 16 * (e + m) + 64 * eps * |r| + u

with `eps` that of the coarsest type in the program and `u` what may be lost where a result falls
below the smallest normal number of that type: a million such numbers. No other entry lends it any
room: an entry is compared to 1e-7 of itself beside one that is a million times larger. Where
`e + m` is large nothing is shown, so an entry counts as settled only where the bound was below 1e-8
of it at a sample (1e-3 in single precision), or where the oracle finds zero at all samples, as far
as it can tell; a derivative of which no entry is settled is not checked. NaN and infinities agree
with no number; where the user's function passes through an infinity on the way to its value, they
are counted, and not taken for a wrong derivative: IEEE arithmetic has lost it there.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradgen.differences import EPSILON, Estimate
from gradgen.oracles.domain import Domain
from gradgen.oracles.report import Effort, Finding
from gradgen.oracles.rounding import Rounded, rounded_of, spread
from gradgen.oracles.sample import Random, Samples, Values, copied, samples
from gradgen.oracles.steps import Ray, coarsest
from gradgen.oracles.subject import Leaf, Subject, call, flat_gradients

# The bound relative to an entry below which it is settled, in double precision and in others.
SETTLED, SETTLED_COARSELY = 1e-8, 1e-3
# Entries of one array that are looked at with each sample, the others having their turn in others.
MOST_ENTRIES = 40
# How often what does not agree is looked at again, in other ways of stepping.
AGAIN = 2
LOST = "{} times no number, where the function itself passes through an infinity"
WORST_ENTRY = "worst entry"
ALONE = "the emitted function gives the gradient alone"
# Estimates the derivative along a ray, given its size, the noise of the value, and how often it
# was looked at before.
Look = Callable[[Ray, float, float, int], Estimate | str]


def emitted(subject: Subject, values: Mapping[str, Any]) -> Any:
    """What the emitted function gives on copies of the values, without its warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return subject.emitted(**subject.arguments(copied(values)))


def exhausted(drawn: list[Samples]) -> str:
    return "".join(f"; {source.exhausted}" for source in drawn if source.exhausted)


@dataclass(slots=True)
class Gradient:
    """The emitted gradient at one sample: entries, how far roundings move them, what is wrong.

    `wrong` tells of an exception or a wrong shape, per leaf; `noise` how far roundings move the
    value of the user's function, `value_moved` that of the emitted one; `overflows` whether the
    user's function goes through an infinity.
    """

    subject: Subject
    values: Values
    rounded: Rounded
    entries: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    moved: dict[str, Any] = field(default_factory=dict)
    noise: float = 0.0
    value_moved: float = 0.0
    overflows: bool = False

    def __post_init__(self) -> None:
        self.overflows = _overflows(self.subject, self.values)
        found, why = _gradients(self.subject, self.values)
        for leaf in self.subject.active:
            wrong = why if found is None else misfit(found[leaf.text], self.values, leaf)
            if wrong:
                self.wrong[leaf.text] = wrong
        self.entries = found or {}
        self.shake()

    def shake(self) -> None:
        """Run with other roundings (again), which may move things farther."""
        noise, moved = spread(self.rounded, self.values)
        self.value_moved = max(self.value_moved, noise)
        if self.rounded.own is not None:
            noise = spread(self.rounded.own, self.values)[0]
        self.noise = max(self.noise, noise)
        for text, most in moved.items():
            self.moved[text] = np.fmax(self.moved.get(text, 0.0), most)


def _overflows(subject: Subject, values: Values) -> bool:
    """Whether the user's function overflows on the way to its value.

    Not one that chooses between branches: what overflows may be in the one that is not taken, from
    which nothing may leak.
    """
    if "where" in subject.graph.ops:
        return False
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore", over="raise", divide="raise"):
            warnings.simplefilter("ignore")
            call(subject, copied(values))
    except FloatingPointError:
        return True
    except Exception:  # whatever the user's function raises: it gives no value here
        return False
    return False


def misfit(entry: Any, values: Values, leaf: Leaf) -> str:
    """Why an array cannot be the derivative by a leaf, or nothing."""
    wanted = np.asarray(values[leaf.text])
    if entry.shape != wanted.shape:
        return f"has shape {entry.shape}, the argument {wanted.shape}"
    if entry.dtype.kind != "f":
        return f"holds {entry.dtype}"
    if leaf.type.kind == "array" and entry.dtype != wanted.dtype:
        return f"holds {entry.dtype}, the argument {wanted.dtype}"
    return ""


def _gradients(subject: Subject, values: Values) -> tuple[dict[str, Any] | None, str]:
    try:
        return flat_gradients(subject, emitted(subject, values)[1]), ""
    except Exception as error:  # whatever emitted code raises
        return None, f"raises {type(error).__name__}: {error}"


@dataclass(slots=True)
class Tally:
    """What has been seen of the entries of one leaf."""

    leaf: Leaf
    enough: float
    # for each entry the smallest bound so far, relative to it; negative: nothing but zero was seen
    tight: Any
    count: int = 0
    worst: float = 0.0
    at: Values | None = None
    entry: tuple[int, ...] = ()
    reasons: dict[str, int] = field(default_factory=dict)
    differs: str = ""
    # how often the entry is no number where the user's function itself goes through an infinity
    lost: int = 0

    def agree(self, entry: tuple[int, ...], off: float, within: float, values: Values) -> None:
        self.count += 1
        before = self.tight[entry]
        if within < 0:
            self.tight[entry] = within if math.isnan(before) else before
        else:
            self.tight[entry] = min(before, within) if before >= 0 else within
        if self.at is None or off > self.worst:
            self.worst, self.at, self.entry = off, values, entry

    def differ(self, entry: tuple[int, ...], off: float, values: Values, detail: str) -> None:
        self.count += 1
        if not self.differs or off > self.worst:
            self.worst, self.at, self.entry, self.differs = off, values, entry, detail

    def finding(self, oracle: str, more: str) -> Finding:
        at = None if self.at is None else {**self.at, WORST_ENTRY: place(self.leaf, self.entry)}
        settled = int((self.tight <= self.enough).sum())
        subject, size = f"d/d{self.leaf.text}", self.tight.size
        if self.differs:
            return Finding(oracle, subject, "differs", self.differs, self.count, self.worst, at)
        if not size:
            return Finding(oracle, subject, "agrees", "no entries", 0)
        if self.lost:
            more = f"; {LOST.format(self.lost)}{more}"
        if not settled:
            why = "; ".join(f"{reason} ({n} times)" for reason, n in self.reasons.items())
            why = why or ("too inexact here" if self.count else "no sample")
            return Finding(oracle, subject, "unchecked", why + more, self.count)
        zeros = int((self.tight < 0).sum())
        detail = "relative error"
        if zeros < settled:
            loosest = float(self.tight[self.tight <= self.enough].max())
            detail += f", each entry within {loosest:.0e} or better"
        if zeros:
            detail += f"; {zeros} of {size} entries were zero at all samples"
        if settled < size:
            detail += f"; {size - settled} of {size} entries not settled"
        return Finding(oracle, subject, "agrees", detail + more, self.count, self.worst, at)


def place(leaf: Leaf, entry: tuple[int, ...]) -> str:
    return f"{leaf.text}[{', '.join(map(str, entry))}]" if entry else leaf.text


def unchecked(subject: Subject, oracle: str, why: str) -> Iterator[Finding]:
    for leaf in subject.active:
        yield Finding(oracle, f"d/d{leaf.text}", "unchecked", why)


def compare_entries(
    subject: Subject, effort: Effort, domain: Domain | None, oracle: str, look: Look,
    remark: str = "",
) -> Iterator[Finding]:  # fmt: skip
    """The findings of an oracle that looks at single entries, leaf by leaf."""
    random = np.random.default_rng([effort.seed, 3])
    rounded = rounded_of(subject, random)
    source = samples(subject, effort.samples, effort.seed, domain)
    known: list[Gradient] = []
    for values in source:
        if effort.expired():
            break
        known.append(Gradient(subject, values, rounded))
    more = exhausted([source]) + (f"; {remark}" if remark else "")
    epsilon = coarsest(subject.graph)
    enough = SETTLED if epsilon == EPSILON else SETTLED_COARSELY
    for leaf in subject.active:
        shape = tuple(int(n) for n in leaf.type.shape)  # type: ignore[arg-type]
        tally = Tally(leaf, enough, np.full(shape, math.nan))
        for gradient in known:
            if effort.expired():
                tally.reasons["the time was up"] = 1
                break
            _compare(subject, tally, gradient, look, random, epsilon)
            if tally.differs:
                break
        yield tally.finding(oracle, more)


def _compare(
    subject: Subject, tally: Tally, gradient: Gradient, look: Look, random: Random,
    epsilon: float,
) -> None:  # fmt: skip
    """Compare the entries of one leaf at one sample."""
    leaf = tally.leaf
    places = list(np.ndindex(tally.tight.shape))
    if len(places) > MOST_ENTRIES:
        chosen = random.choice(len(places), MOST_ENTRIES, replace=False)
        places = [places[k] for k in sorted(chosen)]
    wrong = gradient.wrong.get(leaf.text, "")
    if wrong and not wrong.startswith("raises"):
        tally.differ((), math.inf, gradient.values, f"the derivative {wrong}")
        return
    for entry in places:
        _judge(subject, tally, entry, gradient, look, epsilon)


def _judge(
    subject: Subject, tally: Tally, entry: tuple[int, ...], gradient: Gradient, look: Look,
    epsilon: float,
) -> None:  # fmt: skip
    """Compare one entry; what does not agree is looked at again, in other ways of stepping."""
    leaf, values = tally.leaf, gradient.values
    ray, size = _along(subject, values, leaf, entry), _size(values, leaf, entry)
    wrong = gradient.wrong.get(leaf.text, "")
    found = math.nan if wrong else float(gradient.entries[leaf.text][entry])
    off, detail = 0.0, ""
    if gradient.overflows and not math.isfinite(found):
        tally.lost += 1
        return
    for turn in range(1 + AGAIN):
        if turn:
            gradient.shake()
        seen = look(ray, size, gradient.noise, turn)
        if isinstance(seen, str):
            tally.reasons[seen] = tally.reasons.get(seen, 0) + 1
            return
        moved = gradient.moved.get(leaf.text)
        bound = bound_of(seen, 0.0 if moved is None else float(moved[entry]), epsilon)
        off = relative(found - seen.value, max(abs(found), abs(seen.value)))
        if abs(found - seen.value) <= bound:
            within = relative(bound, max(abs(found), abs(seen.value)))
            if abs(seen.value) <= 16 * seen.error and seen.error <= 1000 * seen.rounding:
                # zero, as far as the oracle can tell: what is off is nothing of the entry's size
                within, off = -1.0, 0.0
            tally.agree(entry, off, within, values)
            return
        source = "emitted" if subject.by_hand is None else "given"
        said = f"{wrong or f'{source} {found!r}'}, found {seen.value!r} within {bound:.1e}"
        detail = f"d/d{place(leaf, entry)}: {said}; relative error"
    tally.differ(entry, off, values, detail)


def bound_of(seen: Estimate, moved: float, epsilon: float) -> float:
    """How far an emitted entry may be from an estimate; see the text of this module."""
    size = epsilon * abs(seen.value)
    return 16 * (seen.error + moved) + 64 * size + underflow(epsilon)


def underflow(epsilon: float) -> float:
    """What may be lost to underflow in the type of this epsilon."""
    kinds = (np.float16, np.float32, np.float64)
    return 1e6 * next(float(np.finfo(k).tiny) for k in kinds if np.finfo(k).eps == epsilon)


def relative(part: float, whole: float) -> float:
    if math.isnan(part) or math.isinf(whole):
        return math.inf
    return abs(part) / whole if whole else math.inf if part else 0.0


def _size(values: Values, leaf: Leaf, entry: tuple[int, ...]) -> float:
    """The power of 2 below an entry; where it is 0, below the others of its array, or 1."""
    array = np.abs(np.asarray(values[leaf.text], dtype=float))
    size = float(array[entry]) or float(array.max()) or 1.0
    return 2.0 ** math.floor(math.log2(size))


def _along(subject: Subject, values: Values, leaf: Leaf, entry: tuple[int, ...]) -> Ray:
    direction = np.zeros(np.shape(values[leaf.text]))
    direction[entry] = 1.0
    return Ray(subject, values, {leaf.text: direction})
