"""Oracles that call functions: the value bit by bit, and derivatives by steps and differences.

The bounds within which an entry of a gradient agrees stand in `gradgen.oracles.entries`, that of
the dot product at its oracle.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gradgen.differences import EPSILON, Estimate
from gradgen.errors import GradgenError
from gradgen.live import load
from gradgen.modes import tangent_names
from gradgen.oracles.branch import Watch
from gradgen.oracles.domain import Domain
from gradgen.oracles.entries import (
    AGAIN,
    ALONE,
    LOST,
    Gradient,
    compare_entries,
    emitted,
    exhausted,
    relative,
    unchecked,
    underflow,
)  # fmt: skip
from gradgen.oracles.report import Effort, Finding
from gradgen.oracles.rounding import RUNS, Rounded, rounded_of
from gradgen.oracles.sample import (
    EDGES,
    Random,
    Samples,
    Values,
    copied,
    is_finite,
    quiet_call,
    samples,
)
from gradgen.oracles.steps import (
    JITTERS,
    Ray,
    by_complex_step,
    by_differences,
    coarsest,
    detached,
    not_analytic,
    value_noise,
)  # fmt: skip
from gradgen.oracles.subject import Leaf, Subject, by_keyword
from gradgen.program import Options, compile_graph

# By what the steps of a difference that did not agree are turned, to look again.
TURNS = (1.0, 0.83, 0.71)
# The bound of a dot product, relative to its terms, above which it shows nothing.
TOO_INEXACT, TOO_INEXACT_COARSELY = 1e-6, 1e-2


def forward(subject: Subject, effort: Effort, domain: Domain | None = None) -> Iterator[Finding]:
    """Whether the emitted value is the user's, bit by bit, on ordinary, wide and edge arguments.

    NaN equals NaN whatever its bits; exceptions of one type are equal. Yields a finding for every
    input that differs, then one for all. Where the emitted function raises ArithmeticError or
    ValueError and the user's does not, the gradient may be what fails: it is counted, not judged.
    Where the function was rewritten its bits are not the user's, and nothing is compared.
    """
    if not subject.gives_value:
        yield Finding("forward", "value", "unchecked", ALONE)
        return
    if subject.rewritten:
        first, *more = subject.rewritten
        others = f", and {len(more)} more" if more else ""
        detail = f"rewritten: {first}{others}; see accuracy"
        yield Finding("forward", "value", "unchecked", detail)
        return
    drawn: list[Samples] = [
        samples(subject, max(len(EDGES), effort.samples), effort.seed, domain, "edge"),
        samples(subject, effort.samples, effort.seed, domain),
        samples(subject, effort.samples, effort.seed + 1, domain, "wide"),
    ]
    count = failed = different = 0
    for values in _chained(drawn):
        if effort.expired():
            yield Finding("forward", "value", "unchecked", "the time was up", count)
            return
        own, made = _outcome(quiet_call, subject, values), _outcome(_value, subject, values)
        if isinstance(made, (ArithmeticError, ValueError)) and not isinstance(own, Exception):
            failed += 1
            continue
        count += 1
        if not same_bits(own, made):
            different += 1
            detail = f"the function gives {_shown(own)}, the emitted one {_shown(made)}"
            yield Finding("forward", "value", "differs", detail, 1, at=values)
    detail = f"{different} differ" if different else "bit for bit"
    if failed:
        detail += f"; on {failed} more inputs the gradient raises"
    verdict: Any = "differs" if different else "agrees" if count else "unchecked"
    yield Finding("forward", "value", verdict, detail + exhausted(drawn), count)


def _chained(drawn: list[Samples]) -> Iterator[Values]:
    for source in drawn:
        yield from source


def _value(subject: Subject, values: Mapping[str, Any]) -> Any:
    return emitted(subject, values)[0]


def _outcome(function: Callable[..., Any], subject: Subject, values: Values) -> Any:
    """A result, or the exception instead."""
    try:
        return function(subject, values)
    except Exception as error:  # whatever the user's function raises
        return error


def same_bits(one: Any, other: Any) -> bool:
    """Whether two results are the same to the last bit, but for the bits of NaN."""
    if isinstance(one, Exception) or isinstance(other, Exception):
        return type(one) is type(other)
    a, b = np.asarray(one), np.asarray(other)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return bool((a == b).all())
    nan = np.isnan(a)
    same = (a == b) & (np.signbit(a) == np.signbit(b))
    return bool((nan == np.isnan(b)).all() and (same | nan).all())


def _shown(result: Any) -> str:
    if isinstance(result, Exception):
        return type(result).__name__
    array = np.asarray(result)
    return f"{array.item()!r}" if array.ndim == 0 else f"{array.dtype}{list(array.shape)}"


def complex_step(
    subject: Subject, effort: Effort, domain: Domain | None = None
) -> Iterator[Finding]:
    """Every entry of the gradient against the imaginary part of the function a step away.

    Only of functions that are analytic all the way; of others, "unchecked" with the reason.
    """
    why = not_analytic(subject)
    if why:
        yield from unchecked(subject, "complex step", why)
        return

    def look(ray: Ray, size: float, noise: float, turn: int) -> Estimate | str:
        random = np.random.default_rng([effort.seed, 7, turn])
        found = by_complex_step(ray, random, JITTERS * (1 + 3 * turn))
        if turn and isinstance(found, Estimate):
            return _confirmed(ray, size, noise, found)
        return found

    yield from compare_entries(subject, effort, domain, "complex step", look)


def _confirmed(ray: Ray, size: float, noise: float, found: Estimate) -> Estimate | str:
    """The estimate with all that roundings inside the function may make of it.

    Not one that is analytic in name only: the slope tells coarsely.
    """
    step = size * 2.0**-14
    slope = (ray.at(step) - ray.at(-step)) / (2 * step)
    noise += EPSILON * abs(ray.at(0.0))
    if abs(slope - found.value) > 0.01 * abs(found.value) + 64 * noise / step:
        return "complex arithmetic continues another function than real arithmetic computes"
    rounding = found.rounding + noise / size
    return Estimate(found.value, found.error + noise / size, rounding)


def differences(
    subject: Subject, effort: Effort, domain: Domain | None = None
) -> Iterator[Finding]:
    """Every entry of the gradient against extrapolated central differences.

    Entries of which a branch point is near at a sample are passed over there, and counted.
    """
    why = detached(subject)
    if why:
        yield from unchecked(subject, "differences", why)
        return
    watch = Watch(subject)
    coarse = coarsest(subject.graph, introduced=True)

    def look(ray: Ray, size: float, noise: float, turn: int) -> Estimate | str:
        random = np.random.default_rng([effort.seed, 11, turn])
        noise += value_noise(ray, random, coarse)
        return by_differences(ray, size, watch, noise, TURNS[turn], turn > 0)

    yield from compare_entries(subject, effort, domain, "differences", look, watch.unknown)


def dot_product(
    subject: Subject, effort: Effort, domain: Domain | None = None
) -> Iterator[Finding]:
    """The gradient times a random direction against the derivative along that direction.

    This is `<v, J u> = <J^T v, u>` for a function of one value, of which `v` is a number. Along all
    active arguments at once, by a complex step where the function is analytic, else by differences.
    The bound is 100 eps times the sum of the absolute products, and 16 times the error of the
    derivative along the direction and what other roundings make of the products.
    """
    why = detached(subject)
    if why:
        yield Finding("dot product", _along(subject), "unchecked", why)
        return
    yield from _products(subject, effort, domain, "dot product", _look_along(subject))


def tangent(subject: Subject, effort: Effort, domain: Domain | None = None) -> Iterator[Finding]:
    """The gradient times a random direction against the tangent that the emitted `jvp` computes.

    Both modes are derived from the same texts: it tells of an error in either sweep, and of none in
    a text. The bound is that of the dot product, with what roundings of the arguments and in the
    `jvp` make of the tangent for its error.
    """
    try:
        look = _look_by_jvp(subject, np.random.default_rng([effort.seed, 19]))
    except GradgenError as refusal:
        why = f"there is no jvp: {refusal.args[0] if refusal.args else refusal}"
        yield Finding("tangent", _along(subject), "unchecked", why)
        return
    yield from _products(subject, effort, domain, "tangent", look)


def _products(
    subject: Subject, effort: Effort, domain: Domain | None, oracle: str,
    look: Callable[[Ray, Random, float, int], Estimate | str],
) -> Iterator[Finding]:  # fmt: skip
    """What gradients times directions are against what `look` says, in one finding."""
    random = np.random.default_rng([effort.seed, 5])
    rounded = rounded_of(subject, random)
    epsilon = coarsest(subject.graph)
    inexact = TOO_INEXACT if epsilon == EPSILON else TOO_INEXACT_COARSELY
    name = _along(subject)
    source = samples(subject, effort.samples, effort.seed, domain)
    count, worst, reasons = 0, 0.0, dict[str, int]()
    at: Values | None = None
    for values in source:
        if effort.expired():
            reasons["the time was up"] = 1
            break
        directions = {leaf.text: _direction(values, leaf, random) for leaf in subject.active}
        ray = Ray(subject, values, directions)
        gradient = Gradient(subject, values, rounded)
        if gradient.overflows and not all(map(is_finite, gradient.entries.values())):
            lost = LOST.format("some")
            reasons[lost] = reasons.get(lost, 0) + 1
            continue
        for turn in range(1 + AGAIN):
            if turn:
                gradient.shake()
            seen = look(ray, random, gradient.noise, turn)
            if isinstance(seen, str):
                reasons[seen] = reasons.get(seen, 0) + 1
                break
            off, within, said = _dot(gradient, directions, seen, epsilon)
            if said:
                continue
            if within > inexact:
                reasons["too inexact here"] = reasons.get("too inexact here", 0) + 1
                break
            count += 1
            if at is None or off > worst:
                worst, at = off, values
            break
        else:
            yield Finding(oracle, name, "differs", said, count + 1, off, values)
            return
    more = exhausted([source])
    if not count:
        why = "; ".join(f"{reason} ({n} times)" for reason, n in reasons.items()) or "no sample"
        yield Finding(oracle, name, "unchecked", why + more)
        return
    detail = f"error in units of the sum of absolute products{more}"
    yield Finding(oracle, name, "agrees", detail, count, worst, at)


def _along(subject: Subject) -> str:
    """What the derivative along a direction is called."""
    names = ", ".join(leaf.text for leaf in subject.active)
    return f"d/d({names})" if len(subject.active) > 1 else f"d/d{names}"


def _look_by_jvp(
    subject: Subject, random: Random
) -> Callable[[Ray, Random, float, int], Estimate | str]:
    """How the derivative along a direction is computed by an emitted jvp."""
    program = compile_graph(subject.graph, Options(subject.wrt, "jvp", output=subject.output))
    function = by_keyword(load(program, "jvp", subject.function))
    shaken = Rounded(subject, random).otherwise(program.unit)
    names = tangent_names([p.name for p in subject.graph.params], subject.wrt)

    def tangent_at(function: Callable[..., Any], ray: Ray) -> float:
        moving = {
            leaf.text: _like(ray.directions[leaf.text], ray.values[leaf.text])
            for leaf in subject.active
        }
        whole = subject.arguments({**ray.values, **moving})
        tangents = {names[n]: whole[n] for n in subject.wrt}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            given = subject.arguments(copied(ray.values))
            return float(function(**given, **tangents)[1])

    def look(ray: Ray, random: Random, noise: float, turn: int) -> Estimate | str:
        try:
            found = tangent_at(function, ray)
            near = [tangent_at(shaken, ray.moved(random)) for _ in range(RUNS)]
        except Exception as raised:  # whatever emitted code raises
            return f"the jvp raises {type(raised).__name__}"
        near = [t for t in near if math.isfinite(t)]
        # how far they are apart, not how far from what was found: that is to be judged
        error = max(near) - min(near) if near else 0.0
        return Estimate(found, error, error)

    return look


def _look_along(subject: Subject) -> Callable[[Ray, Random, float, int], Estimate | str]:
    """How the derivative along a direction is found; what did not agree, by differences."""
    watch, analytic = Watch(subject), not not_analytic(subject)
    coarse = coarsest(subject.graph, introduced=True)

    def look(ray: Ray, random: Random, noise: float, turn: int) -> Estimate | str:
        found = by_complex_step(ray, random) if analytic and turn < AGAIN else ""
        if isinstance(found, Estimate) and turn:
            found = _confirmed(ray, 1.0, noise, found)
        if isinstance(found, Estimate):
            return found
        noise += value_noise(ray, random, coarse)
        return by_differences(ray, 1.0, watch, noise, TURNS[turn], turn > 0)

    return look


def _like(direction: Any, value: Any) -> Any:
    """A direction with the type of what it moves."""
    if isinstance(value, float) and not isinstance(value, np.generic):
        return float(direction)
    moved = np.asarray(direction, dtype=np.asarray(value).dtype)
    return moved if isinstance(value, np.ndarray) else moved[()]


def _direction(values: Values, leaf: Leaf, random: Random) -> Any:
    """A direction of the size of the leaf, entry by entry."""
    array = np.abs(np.asarray(values[leaf.text], dtype=float))
    typical = float(array.max(initial=0.0)) or 1.0
    return np.where(array > 0, array, typical) * random.uniform(-1.0, 1.0, array.shape)


def _dot(
    gradient: Gradient, directions: Mapping[str, Any], seen: Estimate, epsilon: float
) -> tuple[float, float, str]:
    """Error and bound relative to the sum of absolute products, and what differs, if anything."""
    for text, wrong in gradient.wrong.items():
        return math.inf, math.inf, f"the derivative by {text} {wrong}"
    with np.errstate(all="ignore"):
        products = [np.ravel(gradient.entries[t] * u) for t, u in directions.items()]
        total = math.fsum(np.concatenate(products)) if all(map(is_finite, products)) else math.nan
        size = float(sum(np.abs(p).sum() for p in products))
        moved = float(sum(np.abs(m * directions[t]).sum() for t, m in gradient.moved.items()))
    bound = 100 * epsilon * size + 16 * (seen.error + moved) + underflow(epsilon)
    off = abs(total - seen.value)
    if off <= bound:
        zero = abs(seen.value) <= 16 * seen.error and seen.error <= 1000 * seen.rounding
        return (0.0, 0.0, "") if zero else (relative(off, size), relative(bound, size), "")
    return (
        relative(off, size),
        math.inf,
        (
            f"gradient times direction is {total!r}, the derivative along it {seen.value!r} within "
            f"{bound:.1e}; error in units of the sum of absolute products"
        ),
    )


ORACLES = (forward, complex_step, differences, dot_product, tangent)
