"""Emitted gradients against gradients written by hand, timed in one process.

    python -m tests.benchmarks.speed [NAME ...]

The two versions of a workload take turns, block by block, and swap who goes first, so that a
change of the machine's pace hits both. The figures are reported, never asserted.
"""

import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

if "numpy" not in sys.modules:  # one core: NumPy's products spread over all of them otherwise
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from .yardsticks import WORKLOADS, Workload

BLOCK = 0.004  # seconds that a block of calls takes, at least one call
ROUNDS = 101
# The yardsticks move by a few per cent between places in memory; copies at new addresses, made
# now and then, turn that from a bias into spread.
FRESH_ARGUMENTS = 10


@dataclass(frozen=True)
class Comparison:
    """Seconds a call of the forward pass, by hand and emitted (medians), and emitted / by hand."""

    name: str
    forward: float
    by_hand: float
    emitted: float
    ratio: float
    low: float
    high: float


def emitted_function(workload: Workload) -> Callable[..., Any]:
    """Emit the workload's value and gradient, and load the text as a module would be."""
    import gradgen

    source = gradgen.emit(
        workload.function,
        wrt=workload.wrt,
        shapes=workload.shapes,
        target=workload.target,
        mode="value_and_grad",
    )
    namespace: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(source, f"<emitted {workload.name}>", "exec"), namespace)
    function: Callable[..., Any] = namespace[f"{workload.function.__name__}_value_and_grad"]
    return function


def compare(workload: Workload, emitted: Callable[..., Any], rounds: int = ROUNDS) -> Comparison:
    """Time the forward pass, the gradient by hand and the emitted one in turns."""
    arguments = workload.arguments(np.random.default_rng(0))
    contestants = [workload.function, workload.by_hand, emitted]
    calls = _calls_a_block(workload.by_hand, arguments)
    seconds = np.empty((rounds, len(contestants)))
    collecting = gc.isenabled()
    gc.disable()
    try:
        for i in range(rounds):
            if i % FRESH_ARGUMENTS == 0:
                arguments = tuple(a.copy() if hasattr(a, "copy") else a for a in arguments)
                for function in contestants:
                    _time(function, arguments, 1)
            order = range(3) if i % 2 else reversed(range(3))
            for k in order:
                seconds[i, k] = _time(contestants[k], arguments, calls)
    finally:
        if collecting:
            gc.enable()
    ratios = seconds[:, 2] / seconds[:, 1]
    low, ratio, high = (float(q) for q in np.quantile(ratios, [0.25, 0.5, 0.75]))
    forward, by_hand, emitted_seconds = (float(m) for m in np.median(seconds, axis=0))
    return Comparison(workload.name, forward, by_hand, emitted_seconds, ratio, low, high)


def _calls_a_block(function: Callable[..., Any], arguments: Sequence[Any]) -> int:
    calls = 1
    while (seconds := _time(function, arguments, calls) * calls) < BLOCK / 4:
        calls *= 4
    return max(1, round(calls * BLOCK / seconds))


def _time(function: Callable[..., Any], arguments: Sequence[Any], calls: int) -> float:
    turns = range(calls)
    start = time.perf_counter()
    for _ in turns:
        function(*arguments)
    return (time.perf_counter() - start) / calls


def report(comparisons: Sequence[Comparison]) -> None:
    """Print the table, as wide as it needs to be."""
    from rich.console import Console
    from rich.table import Table

    table = Table("workload", title="Value and gradient, microseconds a call (medians)")
    for column in ("forward", "by hand", "emitted", "emitted / by hand", "middle half"):
        table.add_column(column, justify="right")
    for c in comparisons:
        times = [
            f"{1e6 * t:,.3g}" if t < 1e-3 else f"{1e6 * t:,.0f}"
            for t in (c.forward, c.by_hand, c.emitted)
        ]
        table.add_row(c.name, *times, f"{c.ratio:.3f}", f"{c.low:.3f} to {c.high:.3f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def main(words: Sequence[str]) -> None:
    """Compare the workloads whose names contain one of the words, or all of them."""
    from rich.console import Console
    from rich.progress import track

    chosen = [w for w in WORKLOADS if not words or any(word in w.name for word in words)]
    console = Console(stderr=True)
    turns = track(chosen, "Timing", console=console, disable=not console.is_terminal)
    report([compare(workload, emitted_function(workload)) for workload in turns])


if __name__ == "__main__":
    main(sys.argv[1:])
