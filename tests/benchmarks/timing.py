"""Contestants of one workload, timed in turns in one process.

In a round each contestant has one block of calls, and the order turns around from round to round,
so that a change of the machine's pace hits all of them; what is compared are the ratios within a
round, of which the median is taken. The clock is the processor time of this process, with what the
kernel does for it, so that others on a busy machine do not count. Contestants that are much slower
than the expert sit out most rounds.
"""

import gc
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

BLOCK = 0.001  # seconds of a block of calls, of at least one call
ROUNDS = (7, 151)  # fewest and most
SLOWEST = 20.0  # blocks that cost more than so many of the reference are not taken in each round
# The yardsticks move by a few per cent between places in memory; copies at new addresses, made
# now and then, turn that from a bias into spread.
FRESH_ARGUMENTS = 8


@dataclass(frozen=True)
class Contestant:
    """A column of the table: what is called, and what is made of the arguments beforehand."""

    column: str
    call: Callable[..., Any]
    prepare: Callable[[Sequence[Any]], Sequence[Any]] = tuple


@dataclass
class Timed:
    """Seconds a call (the median), and the quartiles of its ratio to the reference."""

    seconds: float
    ratio: float
    low: float
    high: float
    rounds: int


@dataclass
class Race:
    """The samples of all contestants: seconds a call by round, NaN where one sat out."""

    columns: list[str]
    seconds: np.ndarray = field(repr=False)

    def timed(self, column: str, reference: str) -> Timed:
        """A contestant against a reference, over the rounds that both took part in."""
        ours, theirs = (self.seconds[:, self.columns.index(c)] for c in (column, reference))
        both = np.isfinite(ours) & np.isfinite(theirs)
        low, ratio, high = np.quantile(ours[both] / theirs[both], [0.25, 0.5, 0.75]).tolist()
        return Timed(float(np.median(ours[both])), ratio, low, high, int(both.sum()))


# glibc hands memory back to the system, or keeps it, by the largest block that was freed before, up
# to 32 MB: one such block makes the figures independent of the order of the workloads.
_SETTLE = 31 << 20


def race(
    contestants: Sequence[Contestant], arguments: Sequence[Any], reference: int, budget: float
) -> Race:
    """Time the contestants for about so many seconds; `reference` is the one held against."""
    np.ones(_SETTLE, dtype=np.int8)
    own = [tuple(c.prepare(arguments)) for c in contestants]
    calls, blocks = [], []
    for contestant, given in zip(contestants, own, strict=True):
        count, seconds = _calibrate(contestant.call, given)
        calls.append(count)
        blocks.append(count * seconds)
    allowed = SLOWEST * max(blocks[reference], BLOCK)
    stride = [max(1, round(block / allowed)) for block in blocks]
    a_round = sum(block / s for block, s in zip(blocks, stride, strict=True))
    rounds = int(np.clip(budget / a_round, *ROUNDS))
    seconds = np.full((rounds, len(contestants)), np.nan)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for i in range(rounds):
            if i and i % FRESH_ARGUMENTS == 0:
                arguments = [_copied(a) for a in arguments]
                own = [tuple(c.prepare(arguments)) for c in contestants]
            order = range(len(contestants))
            for k in order if i % 2 else reversed(order):
                if (i + k) % stride[k] == 0 or (i >= rounds - 1 and np.isnan(seconds[:, k]).all()):
                    seconds[i, k] = _time(contestants[k].call, own[k], calls[k])
    finally:
        if collecting:
            gc.enable()
    return Race([c.column for c in contestants], seconds)


def _calibrate(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[int, float]:
    """The calls of a block, and the seconds of one call; the first call is not counted."""
    function(*arguments)
    calls = 1
    while (seconds := _time(function, arguments, calls)) * calls < BLOCK / 4:
        calls *= 4
    return max(1, round(BLOCK / seconds)), seconds


def _time(function: Callable[..., Any], arguments: Sequence[Any], calls: int) -> float:
    turns = range(calls)
    start = time.process_time()
    for _ in turns:
        function(*arguments)
    return (time.process_time() - start) / calls


def _copied(argument: Any) -> Any:
    return argument.copy() if isinstance(argument, np.ndarray) else argument


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return {
        "processor": f"one core of {os.cpu_count()}, {name}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": f"NumPy {np.__version__}",
        "date": date.today().isoformat(),
    }


def load() -> float:
    """How many processes wanted to run in the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
