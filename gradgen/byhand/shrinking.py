"""A counterexample made small: short arrays first, then simple numbers, one after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gradgen.byhand.faults import Fault, Judge
from gradgen.errors import GradgenError
from gradgen.oracles.domain import Domain, of_leaf
from gradgen.oracles.intervals import Interval
from gradgen.oracles.report import Effort
from gradgen.oracles.sample import Values, as_type, copied, samples
from gradgen.oracles.subject import Leaf

# The judge of the same gradient on arguments of other lengths; raises `GradgenError`.
Sized = Callable[[Mapping[str, int]], Judge]
# How many choices of arguments are tried.
STEPS = 600
# Numbers in the order of their simplicity; integers and short decimals follow.
SIMPLE = (0.0, 1.0, -1.0, 2.0, 0.5)
NEARLY_SIMPLE = (-2.0, 3.0, -3.0, 4.0, 5.0)
DECIMALS = 3


class Shrinking:
    """Makes the arguments of a fault simpler, as long as it stays one, by the same argument."""

    def __init__(
        self, judge: Judge, sized: Sized, effort: Effort, domain: Domain, formulas: bool
    ) -> None:
        self.judge, self.sized, self.effort, self.domain = judge, sized, effort, domain
        self.formulas = formulas
        self.left = STEPS

    def shrunk(self, fault: Fault) -> Fault:
        """The same fault, at arguments as simple as were found in a limited number of steps."""
        fault = self._shortened(fault)
        # what integers choose comes first
        leaves = sorted(self.judge.right.leaves, key=lambda leaf: leaf.type.is_float)
        for leaf in leaves:
            simpler = self._together if leaf.type.is_float else self._one_by_one
            fault = simpler(fault, leaf)
        for _ in range(3):
            before = fault
            for leaf in leaves:
                fault = self._one_by_one(fault, leaf)
            if fault is before:
                break
        return fault

    def _shortened(self, fault: Fault) -> Fault:
        """The fault with all lengths 1, else 2 and so on; then each of them as short as it can."""
        lengths = self.judge.right.lengths
        for size in range(1, max(lengths.values(), default=1)):
            shorter = self._at_lengths({name: min(size, n) for name, n in lengths.items()}, fault)
            if shorter is not None:
                fault = shorter
                break
        for name in lengths:
            now = self.judge.right.lengths
            for size in range(1, now[name]):
                shorter = self._at_lengths({**now, name: size}, fault)
                if shorter is not None:
                    fault = shorter
                    break
        return fault

    def _at_lengths(self, lengths: Mapping[str, int], fault: Fault) -> Fault | None:
        """A fault by the same argument where arrays have these lengths; the judge is theirs."""
        try:
            judge = self.sized(lengths)
        except GradgenError:  # the function cannot be computed at such lengths
            return None
        source = samples(judge.right, self.effort.samples, self.effort.seed, self.domain)
        for values in source:
            if self.left <= 0 or self.effort.expired():
                return None
            self.left -= 1
            found = judge.fault(values, fault.leaf.text, self.formulas)
            if found is not None:
                self.judge = judge
                return found
        return None

    def _tried(self, fault: Fault, leaf: Leaf, array: Any) -> Fault | None:
        """The fault with another value of a leaf, where it stays one."""
        if self.left <= 0 or self.effort.expired():
            return None
        bounds = of_leaf(self.domain, leaf)
        if not all(float(item) in bounds for item in np.ravel(array)):
            return None
        self.left -= 1
        values = copied(fault.values)
        values[leaf.text] = as_type(np.asarray(array), leaf.type)
        return self.judge.fault(values, fault.leaf.text, self.formulas)

    def _together(self, fault: Fault, leaf: Leaf) -> Fault:
        """The fault with one simple number throughout an array, else with all entries shorter."""
        array = np.asarray(fault.values[leaf.text])
        if array.dtype.kind != "f" or array.ndim == 0:
            return fault
        others: list[Any] = [np.full(array.shape, number) for number in SIMPLE]
        others += [np.round(array, places) for places in range(DECIMALS + 1)]
        for other in others:
            if (other == array).all():
                break
            found = self._tried(fault, leaf, other)
            if found is not None:
                return found
        return fault

    def _one_by_one(self, fault: Fault, leaf: Leaf) -> Fault:
        """The fault with simpler entries, each as simple as it can be."""
        if leaf.type.dtype == "bool":
            return fault
        for at in np.ndindex(np.shape(fault.values[leaf.text])):
            array = np.asarray(fault.values[leaf.text])
            for number in _simpler(array[at].item(), of_leaf(self.domain, leaf)):
                other = array.copy()
                other[at] = number
                found = self._tried(fault, leaf, other)
                if found is not None:
                    fault = found
                    break
        return fault


def _simpler(number: float, bounds: Interval) -> Iterator[float]:
    """Numbers that are simpler than a number, the simplest first; ends of an interval as well."""
    if isinstance(number, int):
        yield from (float(n) for n in range(abs(number)))
        return
    near = [float(math.trunc(number)), float(round(number))]
    near += [round(number, places) for places in range(1, DECIMALS + 1)]
    near += [
        end for low_or_high in (bounds.low, bounds.high) if math.isfinite(low_or_high)
        for end in (float(math.ceil(low_or_high)), float(math.floor(low_or_high)), low_or_high)
    ]  # fmt: skip
    own = _rank(number)
    near = sorted({n for n in (*NEARLY_SIMPLE, *near) if n not in SIMPLE}, key=_rank)
    for candidate in (*SIMPLE, *near):
        if _rank(candidate) < own:
            yield candidate


def _rank(number: float) -> tuple[int, float]:
    """How simple a number is; less is simpler."""
    if number in SIMPLE:
        return SIMPLE.index(number), 0.0
    if number.is_integer():
        return 10, abs(number) + (number < 0) / 2
    digits = next((d for d in range(1, DECIMALS + 1) if round(number, d) == number), 99)
    return 10 + digits, abs(number)


def pasted(values: Values) -> dict[str, str]:
    """Arguments as code, by the texts of their leaves: arrays as calls of np.array."""
    return {text: _code(value) for text, value in values.items()}


def _code(value: Any) -> str:
    array = np.asarray(value)
    if not isinstance(value, np.ndarray):
        name = array.dtype.name
        plain = repr(array.item())
        return (
            f"np.{name}({plain})" if isinstance(value, np.generic) and name != "float64" else plain
        )
    dtype = "" if array.dtype in (np.float64, np.int64, bool) else f", dtype=np.{array.dtype.name}"
    return f"np.array({array.tolist()!r}{dtype})"
