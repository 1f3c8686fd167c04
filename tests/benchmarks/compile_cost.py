"""What it costs to emit the gradient of long straight-line programs.

    python -m tests.benchmarks.compile_cost [STATEMENTS ...]

Every program is compiled in a process of its own; the time is that of the emission without the
imports, the memory is the peak of the whole process less its peak after the imports. All
statements are active: each one reads the statement before it.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
ROOT = Path(__file__).resolve().parents[2]
RECENT = 50  # a statement reads the one before it and one of this many before that
# Each keeps its result between -2 and 2 for operands there, so that programs of any length run.
STATEMENTS = (
    "{m}.sin({a}) * {b}",
    "{m}.tanh({a} + {b})",
    "0.5 * ({a} - {b})",
    "{a} / (1.0 + {b} * {b})",
    "{m}.exp(-({a} * {a})) - 0.5 * {b}",
    "{m}.cos({a} * {b})",
)


@dataclass(frozen=True)
class Cost:
    """Seconds and peak bytes of one emission, and the lines that came out."""

    statements: int
    seconds: float
    peak: int
    lines: int


def program(statements: int, module: str) -> str:
    """Return the text of a random function f(x, y) of so many statements, the same every time."""
    rng = random.Random(statements)
    names = ["x", "y"]
    lines = ["import math" if module == "math" else "import numpy as np", "", "", "def f(x, y):"]
    for k in range(statements):
        expression = rng.choice(STATEMENTS).format(
            m=module, a=names[-1], b=rng.choice(names[-RECENT:])
        )
        lines.append(f"    t{k} = {expression}")
        names.append(f"t{k}")
    result = names[-1] if module == "math" else f"np.sum({names[-1]})"
    return "\n".join([*lines, f"    return {result}", ""])


def measure(statements: int, module: str) -> Cost:
    """Emit the gradient of one program in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"
        path.write_text(program(statements, module))
        command = [sys.executable, "-m", "tests.benchmarks.compile_cost", "--emit", str(path)]
        answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return Cost(statements, **json.loads(answer.stdout))


def emit(path: Path) -> None:
    """Emit one program in this process and print what it cost."""
    import gradgen.api

    array = "numpy" in path.read_text()[:20]
    options = {
        "wrt": ("x", "y"),
        "shapes": "x=n, y=n" if array else "x=scalar, y=scalar",
        "target": "numpy" if array else "python",
        "mode": "value_and_grad",
    }
    tiny = path.with_name("tiny.py")
    tiny.write_text(program(3, "np" if array else "math"))
    gradgen.api.emit_path(f"{tiny}:f", **options)  # so that what is imported late is imported

    before = _peak()
    start = time.perf_counter()
    source = gradgen.api.emit_path(f"{path}:f", **options)
    seconds = time.perf_counter() - start
    cost = {"seconds": seconds, "peak": _peak() - before, "lines": source.count("\n")}
    print(json.dumps(cost))


def _peak() -> int:
    """Return the most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux lets ru_maxrss start at the peak of the process that started this
        line = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def report(costs: Sequence[Cost], module: str) -> None:
    """Print the table of one kind of program."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Emitting value and gradient, statements in {module}")
    for column in ("statements", "seconds", "µs a statement", "peak MB", "lines emitted"):
        table.add_column(column, justify="right")
    for c in costs:
        table.add_row(
            f"{c.statements:,}",
            f"{c.seconds:.2f}",
            f"{1e6 * c.seconds / c.statements:.0f}",
            f"{c.peak / 1e6:.0f}",
            f"{c.lines:,}",
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table)


def main() -> None:
    """Measure both kinds of program in all sizes, or in those that the command line gives."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, metavar="STATEMENTS")
    parser.add_argument("--emit", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.emit:
        emit(arguments.emit)
        return
    for module in ("math", "np"):
        report([measure(statements, module) for statements in arguments.sizes], module)


if __name__ == "__main__":
    main()
