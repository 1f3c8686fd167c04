"""Arguments to try: random ones inside the domain that a function accepts, and edge values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gradgen.oracles.branch import Edges
from gradgen.oracles.domain import Domain, assumptions, check_names, of_leaf
from gradgen.oracles.intervals import Interval, related
from gradgen.oracles.subject import Leaf, Subject, call
from gradgen.types import Type

Values = dict[str, Any]
Random = np.random.Generator
Kind = Literal["ordinary", "wide", "edge"]

TINY = 5e-324
EDGES = (
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, TINY, -TINY, 2.2250738585072014e-308, 1e-16, 1e16,
    1.7976931348623157e308, -1.7976931348623157e308, math.inf, -math.inf, math.nan,
)  # fmt: skip
# How often arguments are proposed for each that is wanted, and at least.
TRIES, FEWEST_TRIES = 30, 150
# After how many refusals at a stretch a way of proposing rests.
PATIENCE = 8


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Fewer arguments were found than asked for."""

    wanted: int
    found: int
    tries: int

    def __str__(self) -> str:
        return (
            f"{self.found} of {self.wanted} samples: of {self.tries} tries, the function gave a "
            "finite value for no more"
        )


class Samples(Iterator[Values]):
    """An iterator of arguments; `exhausted` says, after its end, whether it found too few."""

    def __init__(self, made: Callable[[Samples], Iterator[Values]]) -> None:
        self.exhausted: Exhausted | None = None
        self._made = made(self)

    def __next__(self) -> Values:
        return next(self._made)


def samples(
    subject: Subject, count: int, seed: int = 0, domain: Domain | None = None,
    kind: Kind = "ordinary",
) -> Samples:  # fmt: skip
    """Up to `count` random arguments, as values of the leaves by their texts.

    "ordinary" are near 1 or as the domain says, and some up to a hundred times larger or
    smaller, and at the edge of no operation's domain, where it may have no slope; "wide" are of all
    magnitudes; of both, the function gives a finite value. "edge" hold
    zeros of both signs, the smallest and largest numbers, infinities and NaN where the domain
    allows, whatever the function makes of them. Arguments that the function refuses or for which it
    gives no finite value are passed over, as long as tries are left: `exhausted` tells of too few.
    Raises `GradgenError` where the domain names no argument.
    """
    check_names(subject, domain or {})
    source = _Source(subject, seed, domain or {})
    if kind == "edge":
        return Samples(lambda held: source.edges(count))
    return Samples(lambda held: source.accepted(held, count, kind))


def is_finite(value: Any) -> bool:
    """Whether a value is a real number, or an array of such, without infinity and NaN."""
    array = np.asarray(value)
    return array.dtype.kind in "biuf" and bool(np.isfinite(array).all())


def quiet_call(subject: Subject, values: Mapping[str, Any]) -> Any:
    """The value of the user's function on copies of the values, without its warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return call(subject, copied(values))


def copied(values: Mapping[str, Any]) -> Values:
    """The values, with arrays of their own."""
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def _accepts(subject: Subject, values: Mapping[str, Any]) -> bool:
    try:
        return is_finite(quiet_call(subject, values))
    except Exception:  # whatever the user's function raises, these are no arguments for it
        return False


class _Source:
    """Where proposals for the arguments of one function come from."""

    def __init__(self, subject: Subject, seed: int, domain: Domain) -> None:
        self.subject, self.seed = subject, seed
        self.random = np.random.default_rng([seed, len(subject.leaves)])
        self.declared = {leaf.text: of_leaf(domain, leaf) for leaf in subject.leaves}
        self.bounds = dict(self.declared)
        nodes = {leaf.node: leaf.text for leaf in subject.leaves}
        graph = subject.graph
        # what is assumed of an argument itself need not be found by trial
        known = assumptions(subject, domain)
        for found in known:
            for place, relation, bound in () if found.any_of or found.masked else found.clauses:
                at = graph.args[found.node][place]
                while graph.ops[at] in ("index", "reshape", "transpose"):
                    at = graph.args[at][0]
                if at in nodes and relation != "!=":
                    text = nodes[at]
                    narrower = self.bounds[text].meet(related(relation, bound))
                    if not narrower.is_empty:
                        self.bounds[text] = narrower
        matrices = any(f.kind == "matrix" for f in known)
        self.ways = _WAYS[1:2] + _WAYS[:1] + _WAYS[2:] if matrices else _WAYS
        self.lengths = sorted(
            {n for leaf in subject.leaves for n in leaf.type.shape if isinstance(n, int) and n}
        ) or [2]

    def accepted(self, held: Samples, count: int, kind: Kind) -> Iterator[Values]:
        refused = [0] * len(self.ways)
        welcome = [False] * len(self.ways)
        limit = max(TRIES * count, FEWEST_TRIES)
        found = tries = 0
        edges = Edges(self.subject)
        while found < count and tries < limit:
            open_ways = [k for k, n in enumerate(refused) if n < PATIENCE or welcome[k]]
            if not open_ways:
                refused = [0] * len(self.ways)
                continue
            k = open_ways[tries % len(open_ways)]
            tries += 1
            spread = kind == "wide" or tries % 4 == 3
            values = self.propose(self.ways[k], spread, kind == "wide")
            if _accepts(self.subject, values) and not (
                kind == "ordinary" and edges.touched(values)
            ):
                found, refused[k], welcome[k] = found + 1, 0, True
                yield values
            else:
                refused[k] += 1
        if found < count:
            held.exhausted = Exhausted(count, found, tries)

    def edges(self, count: int) -> Iterator[Values]:
        """Every edge value everywhere, then in single places among others."""
        floats = [leaf for leaf in self.subject.leaves if leaf.type.is_float]
        for number in range(count if floats else 0):
            everywhere = number < len(EDGES)
            values = self.propose(_WAYS[0], False, False)
            chosen = floats if everywhere else [floats[self.random.integers(len(floats))]]
            for leaf in chosen:
                fitting = [e for e in EDGES if self._fits(leaf, e)]
                edge = EDGES[number % len(EDGES)]
                if not self._fits(leaf, edge) and fitting:
                    edge = fitting[number % len(fitting)]
                if fitting:
                    self._put(values, leaf, edge, everywhere)
            yield values

    def _fits(self, leaf: Leaf, edge: float) -> bool:
        bounds = self.declared[leaf.text]
        return bounds == Interval() if math.isnan(edge) else edge in bounds

    def _put(self, values: Values, leaf: Leaf, edge: float, everywhere: bool) -> None:
        array = np.array(values[leaf.text], ndmin=0)
        with np.errstate(all="ignore"):
            if everywhere or not array.size:
                array = np.full(array.shape, edge).astype(array.dtype)
            else:
                flat = array.reshape(-1)
                flat[self.random.integers(array.size)] = edge
                array = flat.reshape(array.shape)
        values[leaf.text] = as_type(array, leaf.type)

    def propose(self, way: Way, spread: bool, wide: bool) -> Values:
        """Values of all leaves, drawn one way."""
        values: Values = {}
        for leaf in self.subject.leaves:
            shape = tuple(int(n) for n in leaf.type.shape)  # type: ignore[arg-type]
            bounds = self.bounds[leaf.text]
            if leaf.type.dtype == "bool":
                drawn: Any = self.random.integers(0, 2, shape).astype(bool)
            elif not leaf.type.is_float:
                drawn = self._integers(shape, bounds, way)
            elif bounds.items is not None:
                drawn = self.random.choice(np.array(bounds.items), shape)
            elif wide:
                drawn = _magnitudes(self.random, shape, 300.0, bounds)
            elif spread and way is not matrices:
                drawn = _magnitudes(self.random, shape, 2.0, bounds)
            elif math.isinf(bounds.low) and math.isinf(bounds.high):
                drawn = way(self.random, shape)
            else:
                drawn = _between(self.random, shape, bounds)
            values[leaf.text] = as_type(np.asarray(drawn), leaf.type)
        return values

    def _integers(self, shape: tuple[int, ...], bounds: Interval, way: Way) -> Any:
        if bounds.items is not None:
            return self.random.choice(np.array(bounds.items).astype(int), shape)
        low = 0 if math.isinf(bounds.low) else math.ceil(bounds.low)
        low += bounds.low_open and low == bounds.low
        # indices fit the shortest array, or maybe a longer one; others may have to be above 0
        count = self.lengths[0]
        if way is not _WAYS[0] and low == 0 and math.isinf(bounds.low):
            low = int(self.random.integers(0, 3) == 0)
            count = int(self.random.choice(self.lengths))
        high = low + count if math.isinf(bounds.high) else math.floor(bounds.high) + 1
        high -= bounds.high_open and high - 1 == bounds.high
        high = max(high, low + 1)
        if way is not _WAYS[0] and shape and shape[-1] <= high - low:
            # the members of a pair or triple are often to be different ones
            return low + np.argsort(self.random.random((*shape[:-1], high - low)))[..., : shape[-1]]
        return self.random.integers(low, high, shape)


def as_type(array: np.ndarray[Any, Any], t: Type) -> Any:
    """A value of this type: a Python number, a NumPy scalar or an array."""
    if t.kind == "py":
        return {"float": float, "int": int, "bool": bool}[t.dtype](array)
    with np.errstate(over="ignore"):
        array = array.astype(t.dtype)
    return array if t.kind == "array" else array[()]


def _between(random: Random, shape: tuple[int, ...], bounds: Interval) -> Any:
    """Numbers in an interval, of which an end at least is finite."""
    low, high = bounds.low, bounds.high
    if math.isinf(high):
        drawn = low + np.exp(random.normal(0.0, 0.8, shape))
    elif math.isinf(low):
        drawn = high - np.exp(random.normal(0.0, 0.8, shape))
    elif low > 0 and high / low > 100:
        drawn = np.exp(random.uniform(math.log(low), math.log(high), shape))
    else:
        drawn = low + (high - low) * random.uniform(0.0, 1.0, shape)
    return _inside(drawn, bounds)


def _inside(drawn: Any, bounds: Interval) -> Any:
    """The numbers, moved to the nearest that the interval holds."""
    low = math.nextafter(bounds.low, math.inf) if bounds.low_open else bounds.low
    high = math.nextafter(bounds.high, -math.inf) if bounds.high_open else bounds.high
    return np.clip(drawn, low, high)


def _magnitudes(random: Random, shape: tuple[int, ...], decades: float, bounds: Interval) -> Any:
    """Numbers of both signs of all magnitudes, a common one for the array and some of their own."""
    common = random.uniform(-decades, decades)
    own = random.uniform(-1.0, 1.0, shape)
    size = 10.0 ** np.clip(common + own, -decades, decades)
    signs = random.choice([-1.0, 1.0], shape)
    if math.isinf(bounds.low) and math.isinf(bounds.high):
        return size * signs
    if not math.isinf(bounds.low) and not math.isinf(bounds.high):
        # toward one end or the other, by any part of the width
        part = (bounds.high - bounds.low) * 0.5 * 10.0 ** -np.abs(own + common)
        return _inside(np.where(signs > 0, bounds.low + part, bounds.high - part), bounds)
    end = bounds.high - size if math.isinf(bounds.low) else bounds.low + size
    return _inside(end, bounds)


Way = Callable[[Random, tuple[int, ...]], Any]


def normal(random: Random, shape: tuple[int, ...]) -> Any:
    """Numbers of both signs near 1."""
    return random.normal(0.0, 1.0, shape)


def matrices(random: Random, shape: tuple[int, ...]) -> Any:
    """Positive definite matrices, where the last two axes are equal."""
    drawn = random.normal(0.0, 1.0, shape)
    if len(shape) >= 2 and shape[-1] == shape[-2]:
        drawn = drawn @ drawn.swapaxes(-1, -2) + shape[-1] * np.diag(
            random.uniform(0.5, 1.5, shape[-1])
        )
    return drawn


def positive(random: Random, shape: tuple[int, ...]) -> Any:
    """Numbers above 0."""
    return np.exp(random.normal(0.0, 0.7, shape))


def unit(random: Random, shape: tuple[int, ...]) -> Any:
    """Numbers between 0 and 1."""
    return random.uniform(0.02, 0.98, shape)


def mixed(random: Random, shape: tuple[int, ...]) -> Any:
    """One or another of the ways, for each argument by itself."""
    return (normal, positive, unit, matrices)[random.integers(4)](random, shape)


def large(random: Random, shape: tuple[int, ...]) -> Any:
    """Numbers well above 1."""
    return random.uniform(1.5, 20.0, shape)


def small(random: Random, shape: tuple[int, ...]) -> Any:
    """Numbers of both signs well below 1."""
    return random.uniform(-0.2, 0.2, shape)


def rising(random: Random, shape: tuple[int, ...]) -> Any:
    """Rows of rising numbers above 0, as grids and cumulated weights are."""
    return np.cumsum(random.uniform(0.1, 1.0, shape), axis=-1) if shape else positive(random, shape)


def shares(random: Random, shape: tuple[int, ...]) -> Any:
    """Rows of numbers above 0 that sum to 1."""
    drawn = np.exp(random.normal(0.0, 1.0, shape))
    return drawn / drawn.sum(axis=-1, keepdims=True) if shape else unit(random, shape)


_WAYS: tuple[Way, ...] = (
    normal, matrices, positive, unit, mixed, large, small, rising, shares,
)  # fmt: skip
