"""Functions of growing depth, written as a user writes them: `n` is fixed while compiling.

Reference: SymPy's expression for ten nestings of `sin(e) * e + x` (`sine`, n=10) has 3,069
operations, its derivative 43,010, and 86 after cse, both by SymPy's `count_ops` and by the counter
of this package on the printed source; 88 with the value. What gradgen emits for value and
derivative has 9 operations a nesting, and 88 for ten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradgen.read import Static
from gradgen.types import FLOAT


@dataclass(frozen=True, slots=True)
class Family:
    """A function of a depth, and its arguments: names, and how many numbers each holds at depth n.

    `wrt` are the parameters that it is differentiated by.
    """

    function: Callable[..., Any]
    wrt: tuple[str, ...]
    arguments: Callable[[int], dict[str, int | None]]
    about: str

    def declared(self, n: int) -> dict[str, Any]:
        """What is declared of the arguments at depth n."""
        held = self.arguments(n)
        numbers = {k: FLOAT if count is None else (FLOAT,) * count for k, count in held.items()}
        return {**numbers, "n": Static(n)}


def nested(x: Any, n: int) -> Any:
    """A function that doubles when it is written out, n times."""
    f = x
    for _ in range(n):
        f = np.exp(f) + f**2
    return f


def sine(x: Any, n: int) -> Any:
    """Another one, that stays small."""
    e = x
    for _ in range(n):
        e = np.sin(e) * e + x
    return e


def notes(x: Any, n: int) -> Any:
    """exp(exp(x) + exp(x)^2) + sin(exp(x) + exp(x)^2), applied n times."""
    f = x
    for _ in range(n):
        a = np.exp(f)
        c = a + a**2
        f = np.exp(c) + np.sin(c)
    return f


def speelpenning(x: Any, n: int) -> Any:
    """The product of n numbers."""
    product = x[0]
    for k in range(1, n):
        product = product * x[k]
    return product


def deep(x: Any, w: Any, b: Any, n: int) -> Any:
    """A network of n layers with one unit each."""
    h = x
    for k in range(n):
        h = np.tanh(w[k] * h + b[k])
    return h


FAMILIES = {
    "nested": Family(nested, ("x",), lambda n: {"x": None}, "f <- exp(f) + f**2, n times"),
    "sine": Family(sine, ("x",), lambda n: {"x": None}, "e <- sin(e)*e + x, n times"),
    "notes": Family(
        notes,
        ("x",),
        lambda n: {"x": None},
        "f <- exp(c) + sin(c) with c = exp(f) + exp(f)**2, n times",
    ),
    "speelpenning": Family(speelpenning, ("x",), lambda n: {"x": n}, "x[0] * x[1] * ... * x[n-1]"),
    "deep": Family(
        deep, ("w", "b"), lambda n: {"x": None, "w": n, "b": n}, "h <- tanh(w[k]*h + b[k]), n times"
    ),
}
