"""What the two functions of a pair hold between them, and how long they take, with `--recompute`.

    python -m tests.benchmarks.saved_memory [NAME ...]

Bytes are those of arrays that are no argument's own. The figures are reported, never asserted.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

if "numpy" not in sys.modules:  # one core: NumPy's products spread over all of them otherwise
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from . import arrays, networks
from .workload import Workload

WORKLOADS = (*arrays.WORKLOADS, *networks.WORKLOADS)
CALLS = 41


def functions(workload: Workload, recompute: bool) -> tuple[Callable[..., Any], ...]:
    """The emitted forward and backward function."""
    import gradgen

    text = gradgen.emit(
        workload.function, wrt=workload.wrt, shapes=workload.shapes, target=workload.target,
        mode="pair", recompute=recompute,
    )  # fmt: skip
    namespace: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(text, f"<emitted {workload.name}>", "exec"), namespace)
    name = workload.function.__name__
    return namespace[f"{name}_forward"], namespace[f"{name}_backward"]


def median(function: Callable[[], Any]) -> float:
    """The median of the seconds that a call takes."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[CALLS // 2]


def report(workload: Workload) -> str:
    """A line for each of the two pairs of a workload."""
    arguments = workload.arguments(np.random.default_rng(0))
    lines = []
    for recompute in (False, True):
        forward, backward = functions(workload, recompute)
        _, saved = forward(*arguments)
        held = [value for value in saved if isinstance(value, np.ndarray)]
        new = sum(a.nbytes for a in held if not any(a is given for given in arguments))
        ahead = median(lambda f=forward: f(*arguments))
        back = median(lambda f=backward, held=saved: f(held, 1.0))
        lines.append(
            f"{workload.name:34} {'recompute' if recompute else 'default':9} {new:>12,} bytes "
            f"{ahead * 1e3:9.3f} ms {back * 1e3:9.3f} ms {(ahead + back) * 1e3:9.3f} ms"
        )
    return "\n".join(lines)


def main(names: list[str]) -> None:
    """Print the report of the workloads with arrays, or of those of them that are named."""
    print(f"{'':44} {'saved':>18} {'forward':>12} {'backward':>12} {'both':>12}")
    for workload in WORKLOADS:
        if workload.name in names or not names:
            print(report(workload), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
