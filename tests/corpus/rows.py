"""The table of the corpus: how each function is called, and what it is compared with.

`complex` says that the function is analytic and its calls take complex numbers, so that a complex
step gives its gradient to the last digits; `real` that differences have to do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Known:
    """A value that the literature states, to so many digits; stationary: a zero gradient there."""

    args: tuple[Any, ...]
    value: float
    rtol: float = 1e-6
    atol: float = 0.0
    stationary: float | None = 1e-6


@dataclass(frozen=True)
class Row:
    where: str
    wrt: tuple[str, ...]
    make: Callable[["Draw"], dict[str, Any]]
    how: str = "complex"
    known: Known | None = None
    # Relative to the largest entry of the gradient with respect to one argument.
    tolerance: float | None = None

    @property
    def module(self) -> str:
        return self.where.partition(":")[0]

    @property
    def name(self) -> str:
        return self.where.partition(":")[2]

    def arguments(self) -> dict[str, Any]:
        return self.make(Draw(self.where))


class Draw:
    """Arguments from a seed that is the function's own name."""

    def __init__(self, where: str) -> None:
        self.rng = np.random.default_rng(list(where.encode()))

    def normal(self, *shape: int, scale: float = 1.0) -> Any:
        return scale * self.rng.normal(size=shape)

    def uniform(self, low: float, high: float, *shape: int) -> Any:
        return self.rng.uniform(low, high, shape)

    def ints(self, high: int, *shape: int) -> Any:
        return self.rng.integers(0, high, shape)

    def signs(self, count: int) -> Any:
        return np.where(np.arange(count) % 2, 1.0, -1.0)[self.rng.permutation(count)]

    def spread(self, count: int, axes: int = 3, noise: float = 0.1) -> Any:
        """Points of a cubic lattice, moved a little: no two are close."""
        grid = np.stack(np.meshgrid(*[np.arange(3.0)] * axes, indexing="ij"), -1)
        points = grid.reshape(-1, axes)[: 3 ** (axes - 1) + count][-count:]
        return 1.1 * points + noise * self.rng.uniform(-1, 1, points.shape)


ROWS: list[Row] = []


def row(where: str, wrt: str, make: Callable[[Draw], dict[str, Any]], how: str = "complex",
        known: Known | None = None, tolerance: float | None = None) -> None:  # fmt: skip
    ROWS.append(Row(where, tuple(wrt.split()), make, how, known, tolerance))


def positive_definite(g: Draw, n: int) -> Any:
    half = g.normal(n, n)
    return half @ half.T + n * np.eye(n)
