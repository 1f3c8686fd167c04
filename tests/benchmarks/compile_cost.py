"""What it costs to emit the derivative of long straight-line programs, stage by stage.

    python -m tests.benchmarks.compile_cost [STATEMENTS ...] [--modes MODES] [--plot FILE]

Every program is compiled in a process of its own. Seconds are those of the processor, since others
may use the machine; the memory is the peak of the whole process less its peak after the imports.
All statements are active: each one reads the statement before it. A slope is that of the logarithm
of seconds over that of the number of graph nodes, from 10,000 nodes on: 1 is linear.
"""

import argparse
import datetime
import json
import math
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# About 1,000 to 1,000,000 nodes of the derived graph.
SIZES = (143, 1_430, 14_300, 143_000)
MODES = ("value_and_grad", "jvp")
STAGES = ("read", "derive", "passes", "emit", "inspect", "render", "load")
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
    """Processor seconds by stage and peak bytes of one emission, and what came out.

    `load` is what Python takes to compile the emitted text; the peak does not count it.
    """

    statements: int
    nodes: int
    stages: dict[str, float]
    peak: int
    loaded: int
    lines: int

    @property
    def seconds(self) -> float:
        """The seconds of the emission, without those of loading."""
        return sum(self.stages[name] for name in STAGES if name != "load")


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


def measure(statements: int, module: str, mode: str = "value_and_grad") -> Cost:
    """Emit the derivative of one program in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"
        path.write_text(program(statements, module))
        command = [sys.executable, "-m", "tests.benchmarks.compile_cost", "--emit", str(path),
                   "--modes", mode]  # fmt: skip
        answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return Cost(statements, **json.loads(answer.stdout))


def emit(path: Path, mode: str) -> None:
    """Emit one program in this process and print what it cost."""
    import gradgen.api
    from gradgen import passes
    from gradgen import program as compiler

    array = "numpy" in path.read_text()[:20]
    options = {
        "wrt": ("x", "y"),
        "shapes": "x=n, y=n" if array else "x=scalar, y=scalar",
        "target": "numpy" if array else "python",
        "mode": mode,
    }
    tiny = path.with_name("tiny.py")
    tiny.write_text(program(3, "np" if array else "math"))
    gradgen.api.emit_path(f"{tiny}:f", **options)  # so that what is imported late is imported

    seconds: dict[str, float] = {}
    nodes = [0]

    def timed(home: Any, name: str, stage: str) -> Callable[..., Any]:
        function = getattr(home, name)

        def run(*args: Any) -> Any:
            start = time.process_time()
            result = function(*args)
            seconds[stage] = seconds.get(stage, 0.0) + time.process_time() - start
            if stage == "passes":
                nodes[0] = len(result)
            return result

        setattr(home, name, run)
        return run

    timed(gradgen.api, "read_file", "read")
    timed(compiler, "answer", "derive")
    timed(passes, "run", "passes")
    timed(compiler, "emit_unit", "emit")
    timed(compiler, "inspect_unit", "inspect")
    timed(gradgen.api, "finished_text", "render")
    before = _peak()
    start = time.process_time()
    source = gradgen.api.emit_path(f"{path}:f", **options)
    whole = time.process_time() - start
    peak = _peak() - before
    seconds["derive"] -= seconds["passes"]
    # what lies between the stages, as the preparation of a graph, belongs to none
    seconds["derive"] += whole - sum(seconds.values())
    start = time.process_time()
    compile(source, "<emitted>", "exec")
    seconds["load"] = time.process_time() - start
    print(json.dumps({"nodes": nodes[0], "stages": seconds, "peak": peak,
                      "loaded": _peak() - before, "lines": source.count("\n")}))  # fmt: skip


def _peak() -> int:
    """Return the most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux lets ru_maxrss start at the peak of the process that started this
        line = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def slope(costs: Sequence[Cost], value: Callable[[Cost], float]) -> float:
    """The slope of a straight line through the logarithms, over those of the nodes."""
    points = [(math.log(c.nodes), math.log(max(value(c), 1e-9))) for c in costs]
    x, y = (sum(p[k] for p in points) / len(points) for k in (0, 1))
    return sum((p[0] - x) * (p[1] - y) for p in points) / sum((p[0] - x) ** 2 for p in points)


def report(costs: Sequence[Cost], title: str) -> None:
    """Print the table of one kind of program, and the slopes where there are sizes for them."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for column in ("statements", "graph nodes", *STAGES, "emission s", "µs a node", "peak MB"):
        table.add_column(column, justify="right")
    for c in costs:
        table.add_row(
            f"{c.statements:,}", f"{c.nodes:,}", *(f"{c.stages[s]:.2f}" for s in STAGES),
            f"{c.seconds:.2f}", f"{1e6 * c.seconds / c.nodes:.0f}", f"{c.peak / 1e6:.0f}",
        )  # fmt: skip
    large = [c for c in costs if c.nodes >= 9_000]
    if len(large) > 1:
        by_stage = [f"{slope(large, lambda c, s=s: c.stages[s]):.2f}" for s in STAGES]
        memory = f"{slope(large, lambda c: c.peak):.2f}"
        table.add_row("slope", "", *by_stage, f"{slope(large, lambda c: c.seconds):.2f}", "",
                      memory, style="bold")  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def machine() -> str:
    """The processor, the versions and the day."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [ln for ln in info.read_text().splitlines() if ln.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    today = datetime.date.today().isoformat()
    return f"{model}, CPython {platform.python_version()}, {today}"


def draw(costs: dict[str, Sequence[Cost]], path: Path) -> None:
    """The growth of seconds by stage, and of memory, with the number of graph nodes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(costs) + 1, figsize=(4 * len(costs) + 4, 3.6), dpi=80)
    for ax, (mode, rows) in zip(axes, costs.items(), strict=False):
        nodes = [c.nodes for c in rows]
        for stage in STAGES:
            ax.loglog(nodes, [c.stages[stage] for c in rows], marker=".", lw=1, label=stage)
        ax.loglog(nodes, [c.seconds for c in rows], "k", marker="o", ms=4, label="emission")
        last = rows[-1]
        ax.loglog(nodes, [last.seconds * n / last.nodes for n in nodes], "k:", lw=1, label="linear")
        ax.set(title=mode, xlabel="graph nodes", ylabel="processor seconds")
        axes[-1].loglog(nodes, [c.peak / 1e6 for c in rows], marker="o", ms=4, label=mode)
    axes[0].legend(fontsize=7, ncols=2)
    axes[-1].set(title="peak memory", xlabel="graph nodes", ylabel="MB")
    axes[-1].legend(fontsize=7)
    for ax in axes:
        ax.grid(alpha=0.3)
    figure.suptitle(machine(), fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    """Measure programs of all sizes, or of those that the command line gives, in each mode."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, metavar="STATEMENTS")
    parser.add_argument("--modes", nargs="+", default=MODES)
    parser.add_argument("--module", choices=("math", "np"), default="np")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the growth into a file")
    parser.add_argument("--emit", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.emit:
        emit(arguments.emit, arguments.modes[0])
        return
    print(machine())
    found: dict[str, Sequence[Cost]] = {}
    for mode in arguments.modes:
        found[mode] = [measure(size, arguments.module, mode) for size in arguments.sizes]
        report(found[mode], f"Mode {mode}, statements in {arguments.module}: processor seconds")
    if arguments.plot:
        draw(found, arguments.plot)


if __name__ == "__main__":
    main()
