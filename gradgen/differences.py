"""The derivative of a function of one number by central differences, or that it has none."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

EPS = 2.0**-52
# A derivative is settled when its uncertainty is below this part of the slopes at hand.
SETTLED = 1e-6
LEVELS = 8
TURN = 0.83


def derivative(value: Callable[[float], float], at: float) -> tuple[float, float] | None:
    """The derivative of `value(h) = f(at + h)` at h = 0, and its uncertainty.

    None where it cannot be established: at a kink, at a jump, where values are not finite nearby,
    or where they are too noisy.
    """
    middle = value(0.0)
    around = max(abs(at), 0.05)
    for reach in (0.02 * around, 2e-5 * around, 0.02 * abs(at)):
        ahead, behind = value(reach), value(-reach)
        if not reach or not (math.isfinite(ahead) and math.isfinite(behind)):
            continue
        if reach < 0.02 * around and ahead == behind == middle:
            return None  # a step of rounding, or a level side of a kink: the wider ones were not
        noise = max(_noise(value, reach / 128.0), EPS * max(abs(ahead), abs(behind)))
        slope, error = _extrapolated(value, at, reach, noise)
        # By luck the noise of one table may agree with itself, hardly with that of another.
        other, doubt = _extrapolated(value, at, TURN * reach, noise)
        error = max(error, doubt, 2.0 * abs(other - slope))
        # Where f is 0 at its minimum, only the values around tell how large it is and how steep.
        steepest = max(abs(ahead - middle), abs(behind - middle)) / reach
        size = max(abs(middle), min(abs(ahead), abs(behind)))
        scale = max(abs(slope), size / max(abs(at), 1.0))
        error += 64.0 * EPS * steepest
        if error <= SETTLED * scale:
            kink = _has_kink(value, middle, reach / 1024.0, scale, noise)
            return None if kink else (slope, error)
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


def _extrapolated(
    value: Callable[[float], float], at: float, step: float, noise: float
) -> tuple[float, float]:
    """The best entry of Ridders' table of extrapolated central differences, and its uncertainty.

    C. J. F. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering
    Software 4 (1982) 75-76. The best is the one that differs least from the two that it is made of.
    """
    best, error = math.nan, math.inf
    row: list[float] = []
    for _ in range(LEVELS):
        ahead, behind = value(step), value(-step)
        width = (at + step) - (at - step)
        above = [(ahead - behind) / width]
        rounding = 4.0 * noise / width
        factor = 4.0
        for k, old in enumerate(row):
            above.append((above[k] * factor - old) / (factor - 1.0))
            factor *= 4.0
            doubt = max(abs(above[-1] - above[k]), abs(above[-1] - old)) + rounding
            if doubt < error:
                best, error = above[-1], doubt
        if row and abs(above[-1] - row[-1]) > 2.0 * error:
            break  # rounding has the upper hand from here on
        row = above
        step /= 2.0
    return best, error
