"""The derivative of a function that can only be called: by complex steps and by differences.

Every estimate comes with an error of its own, which is measured and not assumed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning

EPSILON = 2.0**-52
# So small that its square vanishes beside 1, and far from the smallest number; a power of 2, by
# which nothing is rounded.
IMAGINARY = 2.0**-200
# Below this, imaginary parts may have vanished on the way.
VANISHED = 1e-220
# How many steps a table of differences has, each half of the one before.
LEVELS = 8
# A derivative is settled when its error is below this part of the slopes at hand.
SETTLED = 1e-6
TURN = 0.83


@dataclass(frozen=True, slots=True)
class Estimate:
    """A derivative, how far it may be off, and how much of that is rounding alone."""

    value: float
    error: float
    rounding: float


def real_value(call: Callable[[], Any]) -> float:
    """The number that a call gives, without its warnings; NaN where it gives none, or raises."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            value = np.asarray(call())
    except Exception:  # whatever a function raises at arguments that were not chosen for it
        return math.nan
    return float(value.reshape(())) if value.dtype.kind in "biuf" and value.size == 1 else math.nan


def complex_value(call: Callable[[], Any]) -> tuple[complex, str]:
    """The complex number that a call gives, or why it gives none."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", ComplexWarning)
            value = np.asarray(call())
        if value.dtype.kind == "c":
            return complex(value.reshape(())), ""
        why = "the value is not complex where the arguments are"
    except Exception as error:  # whatever a function makes of complex numbers
        why = f"{type(error).__name__}: {error}"
    return complex(math.nan, math.nan), why


def complex_slope(found: complex, beside: Iterable[complex], real: float) -> Estimate | str:
    """The derivative from the value a step of `IMAGINARY` away, or why it tells of none.

    `beside` are values half that step away, at arguments that differ by a few roundings: the error
    is how far both move the derivative. At 0 no step is so small that its square vanishes. `real`
    is the value of the function: where complex arithmetic is less exact than real, or is that of
    another function, the real part says so.
    """
    value = found.imag / IMAGINARY
    if not math.isfinite(value):
        return "the complex value is not finite"
    moved = [abs(other.imag / (IMAGINARY / 2) - value) for other in beside]
    if not all(map(math.isfinite, (*moved, real))):
        return "the complex value is not finite nearby"
    drift = abs(found.real - real) / abs(real) if real else float(found.real != 0)
    if not drift <= 1e-6:
        return "complex arithmetic gives another value than real arithmetic"
    floor = max(moved, default=0.0) + VANISHED
    return Estimate(value, floor + EPSILON * abs(value), floor)


def table(function: Callable[[float], float], first: float, noise: float) -> Estimate | None:
    """The best entry of a table of extrapolated central differences of `function` at 0.

    C. J. F. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering
    Software 4 (1982) 75-76. The best is the one that differs least from the two that it is made of,
    with what `noise` of the values, up or down, makes of the differences. None where values are
    not finite.
    """
    best: Estimate | None = None
    before: list[float] = []
    for level in range(LEVELS):
        step = first / 2**level
        row = [(function(step) - function(-step)) / (2 * step)]
        if not math.isfinite(row[0]):
            return None
        rounding = 2.0 * noise / step
        for j, above in enumerate(before):
            row.append(row[j] + (row[j] - above) / (4.0 ** (j + 1) - 1.0))
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - above)) + rounding
            if best is None or error < best.error:
                best = Estimate(row[-1], error, rounding)
        if best is not None and before and abs(row[-1] - before[-1]) > 4 * best.error:
            break  # rounding has the upper hand from here on
        before = row
    return best


# -- of a function of which nothing is known ------------------------------------------------------


def derivative(value: Callable[[float], float], at: float) -> Estimate | None:
    """The derivative of `value(h) = f(at + h)` at h = 0.

    None where it cannot be established: at a kink, at a jump, where values are not finite nearby,
    or where they are too noisy.
    """
    middle = value(0.0)
    around = max(abs(at), 0.05)
    for reach in (0.02 * around, 2e-5 * around, 0.02 * abs(at)):
        if not reach:
            continue
        ahead, behind = value(reach), value(-reach)
        if reach < 0.02 * around and ahead == behind == middle:
            return None  # a step of rounding, or a level side of a kink: the wider ones were not
        noise = max(_noise(value, reach / 128.0), EPSILON * max(abs(ahead), abs(behind)))
        found = table(value, reach, noise)
        # By luck the noise of one table may agree with itself, hardly with that of another.
        other = table(value, TURN * reach, noise)
        if found is None or other is None:
            continue
        error = max(found.error, other.error, 2.0 * abs(other.value - found.value))
        # Where f is 0 at its minimum, only the values around tell how large it is and how steep.
        steepest = max(abs(ahead - middle), abs(behind - middle)) / reach
        size = max(abs(middle), min(abs(ahead), abs(behind)))
        scale = max(abs(found.value), size / max(abs(at), 1.0))
        error += 64.0 * EPSILON * steepest
        if error <= SETTLED * scale:
            kink = _has_kink(value, middle, reach / 1024.0, scale, noise)
            return None if kink else Estimate(found.value, error, found.rounding)
    return None


def _noise(value: Callable[[float], float], step: float) -> float:
    """How far values are off a smooth function: from their sixth differences.

    J. J. Moré and S. M. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011)
    1292-1314, section 2: the k-th differences of noise have (2k)! / (k!)^2 times its variance.
    """
    row = [value((k - 4.3) * step) for k in range(10)]
    for _ in range(6):
        row = [b - a for a, b in pairwise(row)]
    return math.sqrt(sum(d * d for d in row) / len(row) / 924.0)


def _has_kink(
    value: Callable[[float], float], middle: float, step: float, scale: float, noise: float
) -> bool:
    """Whether the slopes at both sides differ, and not less so at a smaller distance."""
    near, far = (abs(value(h) - 2.0 * middle + value(-h)) / h for h in (step, 8.0 * step))
    return near > max(0.5 * far, 16.0 * noise / step, SETTLED * scale)
