"""What a workload is: a user's function, two gradients of it by an expert, and arguments.

`around` keeps the user's forward statements as they are, so that its value has the same bits; it
may only give a name to a subexpression that the backward pass needs as well, and everything after
the value is free. `freehand` rewrites the forward pass too: products for powers, one buffer for
many temporaries, `out` by position, cache blocks. Both are the fastest versions that were found
by measuring, and neither changes what a caller sees beyond rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Function = Callable[..., Any]


@dataclass(frozen=True)
class Workload:
    """A function, how gradgen compiles it, its gradients by hand, and arguments to run them on.

    `wrt` is as gradgen takes it: a name asks for a bare gradient, a tuple for a tuple. Where
    `lanes` is set, the function is one of numbers and the arguments are arrays of so many of
    them: all of the emitted code is elementwise. `statements` is the length of a program. `emitted`
    is a gradient that gradgen has emitted already.
    """

    name: str
    function: Function
    around: Function
    freehand: Function | None
    wrt: str | tuple[str, ...]
    shapes: str
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]
    target: str = "numpy"
    mode: str = "value_and_grad"
    lanes: int = 0
    statements: int = 0
    emitted: Function | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters to differentiate."""
        return (self.wrt,) if isinstance(self.wrt, str) else self.wrt

    @property
    def places(self) -> tuple[int, ...]:
        """The positions of the parameters to differentiate."""
        parameters = self.function.__code__.co_varnames
        return tuple(parameters.index(name) for name in self.names)


def parts(workload: Workload, result: Any) -> list[np.ndarray]:
    """What a gradient or Jacobian consists of, in one order: value and adjoints, or entries."""
    found: list[np.ndarray] = []
    pending = [result]
    while pending:
        part = pending.pop()
        if isinstance(part, (tuple, list, dict)):
            pending.extend(reversed(part.values() if isinstance(part, dict) else part))
        else:
            found.append(np.asarray(part))
    if workload.lanes:  # an entry that is the same for all may be a number
        found = [np.broadcast_to(part, (workload.lanes,)) for part in found]
    return found


def error(workload: Workload, result: Any, expected: Any) -> float:
    """The largest deviation of a result, in units of the largest number of its part.

    Infinite where shapes or the number of parts differ, or where one has a NaN.
    """
    ours, theirs = parts(workload, result), parts(workload, expected)
    if [p.shape for p in ours] != [p.shape for p in theirs]:
        return float("inf")
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if not one.size:
            continue
        deviation = float(np.max(np.abs(one.astype(float) - other)))
        if not np.isfinite(deviation):
            return float("inf")
        scale = float(np.max(np.abs(other)))
        worst = max(worst, deviation / scale if scale else deviation)
    return worst
