"""The fast style against the default one, timed in turns in one process.

    python -m tests.benchmarks.fast_speed [NAME ...]

The figures are reported, never asserted; see `speed` for how they are taken.
"""

import dataclasses
import gc
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .speed import FRESH_ARGUMENTS, _calls_a_block, _time
from .yardsticks import WORKLOADS, Workload, _chain, _network

ROUNDS = 41


def workloads() -> list[Workload]:
    """Those of the speed report, and the sizes between which the fast style chooses nothing."""
    (chain,) = [w for w in WORKLOADS if w.name == "elementwise chain, n=10^4"]
    (network,) = [w for w in WORKLOADS if w.name == "MLP 784-72-10, batch 32"]
    more = [
        dataclasses.replace(chain, name=f"elementwise chain, n={n:,}", arguments=_chain(n))
        for n in (10, 100, 1000, 10_000_000)
    ]
    single = dataclasses.replace(network, name="MLP 784-72-10, batch 1", arguments=_network(1))
    return [*WORKLOADS, *more, single]


def emitted(workload: Workload, style: str) -> Callable[..., Any]:
    """The workload's value and gradient in a style, loaded as a module would be."""
    import gradgen

    source = gradgen.emit(
        workload.function, wrt=workload.wrt, shapes=workload.shapes, target=workload.target,
        style=style,
    )  # fmt: skip
    namespace: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(source, f"<emitted {workload.name}>", "exec"), namespace)
    function: Callable[..., Any] = namespace[f"{workload.function.__name__}_value_and_grad"]
    return function


def ratio(workload: Workload) -> tuple[float, float, float]:
    """Fast / default: the lower quartile, the median and the upper quartile."""
    functions = [emitted(workload, style) for style in ("fast", "default")]
    arguments = workload.arguments(np.random.default_rng(0))
    calls = _calls_a_block(functions[1], arguments)
    found = np.empty(ROUNDS if calls > 1 else ROUNDS // 4)
    gc.disable()
    try:
        for i in range(len(found)):
            if i % FRESH_ARGUMENTS == 0:
                arguments = tuple(a.copy() if hasattr(a, "copy") else a for a in arguments)
            order = (0, 1) if i % 2 else (1, 0)
            seconds = {k: _time(functions[k], arguments, calls) for k in order}
            found[i] = seconds[0] / seconds[1]
    finally:
        gc.enable()
    low, middle, high = (float(q) for q in np.quantile(found, [0.25, 0.5, 0.75]))
    return low, middle, high


def main(words: Sequence[str]) -> None:
    """Print the ratios of the workloads whose names contain one of the words, or of all."""
    for workload in workloads():
        if not words or any(word in workload.name for word in words):
            low, middle, high = ratio(workload)
            print(f"{workload.name:36s} {middle:.2f}  ({low:.2f} to {high:.2f})", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
