"""What a wrong derivative has to do with the right one: a factor, the sign, a sum left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

# The derivatives that were given and the right ones, by the texts of their leaves, at one point.
Pair = tuple[Mapping[str, Any], Mapping[str, Any]]
# How near two numbers are that are taken for one, relative to the largest of their array.
NEAR = 1e-9
# At so many points, at least, a relation must hold.
FEWEST = 3


def relation(leaf: str, pairs: Sequence[Pair]) -> str:
    """What a given derivative is of the right one, at all points; nothing where that is unclear.

    The right ones are arrays of 64-bit floats.
    """
    both = [(given[leaf], right[leaf]) for given, right in pairs]
    if len(both) < FEWEST:
        return ""
    if any(given.shape != right.shape for given, right in both):
        return _of_shapes(both)
    if all(np.isnan(given).all() for given, _ in both):
        return "it is NaN"
    few = _few(both)
    if all(not given.any() for given, _ in both):
        return "it is 0: the derivative is missing"
    found = _factor(both)
    if found is not None:
        return factor_text(found)
    if all(g.ndim == 2 and g.shape == r.T.shape and _near(g.T, r) for g, r in both):
        return "it is the transpose of the right one"
    for other in pairs[0][1]:
        if other != leaf and all(
            given[leaf].shape == right[other].shape and _near(given[leaf], right[other])
            for given, right in pairs
        ):
            return f"it is d/d{other}"
    return few or _offset(both)


def factor(leaf: str, pairs: Sequence[Pair]) -> float | None:
    """By what the right derivative is multiplied, the same in all entries at all points."""
    both = [(given[leaf], right[leaf]) for given, right in pairs]
    if len(both) < FEWEST or any(given.shape != right.shape for given, right in both):
        return None
    return _factor(both)


def _near(one: Any, other: Any) -> bool:
    scale = float(np.abs(other).max(initial=0.0))
    with np.errstate(all="ignore"):
        return bool(scale > 0 and (np.abs(one - other) <= NEAR * scale).all())


def _factor(both: Sequence[tuple[Any, Any]]) -> float | None:
    """The factor between the largest right entry and what is given, where it holds for all."""
    given, right = max(both, key=lambda pair: np.abs(pair[1]).max(initial=0.0))
    if not right.size or not right.any():
        return None
    at = np.unravel_index(np.argmax(np.abs(right)), right.shape)
    found = float(given[at] / right[at])
    # a factor within the rounding of 1 is none
    if not np.isfinite(found) or abs(found - 1.0) < NEAR:
        return None
    if abs(found - 1.0) < 1e-3:
        # of a small difference the size alone is seen
        return found if all(_near_difference(g, r, found) for g, r in both) else None
    return found if all(not r.any() or _near(g, found * r) for g, r in both) else None


def _near_difference(given: Any, right: Any, factor: float) -> bool:
    scale = float(np.abs(right).max(initial=0.0))
    expected = (factor - 1.0) * right
    return bool((np.abs(given - right - expected) <= 0.01 * abs(factor - 1.0) * scale).all())


def factor_text(found: float) -> str:
    """A factor in words."""
    if abs(found + 1.0) < NEAR:
        return "it has the wrong sign"
    if abs(found - 1.0) < 1e-3:
        return f"it is off by {abs(found - 1.0):.1e} of itself throughout"
    near = Fraction(found).limit_denominator(64)
    if abs(float(near) - found) <= NEAR * abs(found) and near.numerator <= 1000:
        return f"it is {near} times the right one"
    return f"it is {found:.12g} times the right one"


def _of_shapes(both: Sequence[tuple[Any, Any]]) -> str:
    """What must be done to arrays of another shape."""
    if all(g.ndim == 2 and g.T.shape == r.shape and _near(g.T, r) for g, r in both):
        return "its transpose is right"
    if all(g.size == r.size and _near(g.reshape(r.shape), r) for g, r in both):
        return f"reshaped to {both[0][1].shape} it is right"
    rank = both[0][0].ndim
    for count in range(1, rank + 1):
        for axes in combinations(range(rank), count):
            if all(
                g.ndim == rank and g.sum(axes).size == r.size
                and _near(g.sum(axes).reshape(r.shape), r) for g, r in both
            ):  # fmt: skip
                one = len(axes) == 1
                listed = str(axes[0]) if one else " and ".join(map(str, axes))
                return f"summed over {'axis' if one else 'axes'} {listed} it is right"
    if all(g.size == 1 and _near(g.reshape(()), r.sum()) for g, r in both):
        return "it is the sum of the right one"
    return ""


def _few(both: Sequence[tuple[Any, Any]]) -> str:
    """Which entries are wrong, where these are less than half of them, and the same everywhere."""
    wrong = np.zeros(both[0][1].shape, bool)
    for given, right in both:
        with np.errstate(all="ignore"):
            wrong |= ~(np.abs(given - right) <= NEAR * np.abs(right))
    count = int(wrong.sum())
    if not 0 < count * 2 < wrong.size:
        return ""
    places = [f"[{', '.join(map(str, at))}]" for at in np.argwhere(wrong).tolist()]
    shown = ", ".join(places[:3]) + (f" and {count - 3} more" if count > 3 else "")
    return f"only {shown} of {wrong.size} entries {'is' if count == 1 else 'are'} wrong"


def _offset(both: Sequence[tuple[Any, Any]]) -> str:
    """A constant that is added."""
    given, right = both[0]
    if not right.size:
        return ""
    found = float((given - right).ravel()[0])
    near = Fraction(found).limit_denominator(64) if np.isfinite(found) else Fraction(0)
    if near == 0 or not all(_near(g, r + float(near)) for g, r in both):
        return ""
    return f"it is {abs(near)} too {'large' if near > 0 else 'small'}"
