"""The table, the verdicts and the chart of what was measured."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from gradgen.program import STYLES

from .contest import AROUND, FORWARD, FREEHAND, Result, style_column
from .peers import PEERS

DEFAULT, FAST = style_column("default"), style_column("fast")
COLUMNS = (FREEHAND, *map(style_column, STYLES), *PEERS)
SPREAD = (FREEHAND, *map(style_column, STYLES))  # with the quartiles


@dataclass(frozen=True)
class Goal:
    """A ratio to reach: of one column to another, on the mean or at worst, over some workloads."""

    column: str
    reference: str
    limit: float
    worst: bool = False
    where: str = ""
    target: str = ""

    def found(self, results: Sequence[Result]) -> list[tuple[float, str]]:
        """The ratios of the workloads that it is about, with their names."""
        chosen = [r for r in results if self.where in r.name and self.target in ("", r.target)]
        if self.where.endswith("1"):
            chosen = [r for r in chosen if f"{self.where}," in f"{r.name},"]
        pairs = [(r.ratio(self.column, self.reference), r.name) for r in chosen]
        return [(ratio, name) for ratio, name in pairs if ratio is not None]


GOALS = (
    Goal(DEFAULT, AROUND, 1.00),
    Goal(DEFAULT, AROUND, 1.10, worst=True),
    Goal(DEFAULT, AROUND, 1.00, target="python"),
    Goal(FAST, FREEHAND, 1.00),
    Goal(FAST, DEFAULT, 0.75, where="chain, n=10^6"),
    Goal(FAST, DEFAULT, 0.55, where="chain, n=10^7"),
    Goal(FAST, DEFAULT, 0.40, where="MLP 784-72-10, batch 1"),
    Goal(FAST, DEFAULT, 1.05, worst=True),
)


def show(results: Sequence[Result], machine: Mapping[str, str]) -> None:
    """Print the times, what was skipped or wrong, and the verdicts."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    columns = [c for c in COLUMNS if any(c in r.timed for r in results)]
    table = Table(title="Times in units of an expert's gradient around the same forward pass")
    table.add_column("workload")
    for column in (AROUND, FORWARD, *columns):
        table.add_column(column, justify="right")
    for r in results:
        own = _duration(r.timed[AROUND].seconds)
        table.add_row(r.name, own, *(_cell(r, column) for column in (FORWARD, *columns)))
    console.print(table)
    for r in results:
        for column, deviation in r.wrong.items():
            console.print(f"wrong: {r.name}: {column} deviates by {deviation:.1e}", style="red")
    for line in _reasons(results):
        console.print(line)
    console.print(_verdicts(results))
    busiest = max((r.load for r in results), default=0.0)
    console.print(f"{', '.join(machine.values())}; load average up to {busiest:.1f}")


def _reasons(results: Sequence[Result]) -> list[str]:
    """Why columns have no figures: each reason once, with the workloads."""
    found: dict[tuple[str, str], list[str]] = {}
    for r in results:
        for column, reason in r.skipped.items():
            found.setdefault((column, reason), []).append(r.name)
    lines = []
    for (column, reason), names in found.items():
        whole = len(names) == len(results)
        lines.append(f"no {column}: {reason}" + ("" if whole else f" ({'; '.join(names)})"))
    return lines


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{1e9 * seconds:.3g} ns"


def _cell(result: Result, column: str) -> str:
    if column in result.wrong:
        return "wrong"
    if column not in result.timed:
        return ""
    t = result.timed[column]
    digits = 2 if t.ratio < 9.995 else 0
    text = f"{t.ratio:,.{digits}f}"
    return f"{text} ({t.low:.2f}-{t.high:.2f})" if column in SPREAD and digits else text


def _verdicts(results: Sequence[Result]) -> Table:
    table = Table("ratio", "over", title="Ratios to reach")
    for column in ("at most", "found", "verdict"):
        table.add_column(column, justify="right")
    for goal in GOALS:
        found = goal.found(results)
        over = goal.where or (f"{goal.target} target, mean" if goal.target else "")
        over = over or ("the worst" if goal.worst else "geometric mean")
        row = (f"{goal.column} / {goal.reference}", over, f"{goal.limit:.2f}")
        if not found:
            table.add_row(*row, "", "not measured")
            continue
        ratio, name = max(found)
        text = f"{ratio:.3f}, {name}" if goal.worst else f"{mean(found):.3f}"
        reached = (ratio if goal.worst else mean(found)) <= goal.limit
        table.add_row(*row, text, "[green]reached[/]" if reached else "[red]missed[/]")
    return table


def mean(found: Sequence[tuple[float, str]]) -> float:
    """The geometric mean of ratios."""
    return float(np.exp(np.mean([np.log(ratio) for ratio, _ in found])))


def chart(results: Sequence[Result], machine: Mapping[str, str], file: Path) -> None:
    """Draw the times of all columns, in units of the expert's, a line for each workload."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = [c for c in (FORWARD, *COLUMNS) if any(c in r.timed for r in results)]
    ours = set(map(style_column, STYLES))
    figure, axes = plt.subplots(figsize=(9.0, 1.6 + 0.24 * len(results)), layout="constrained")
    places = np.arange(len(results))[::-1]
    colours = plt.get_cmap("tab10").colors
    for k, column in enumerate(columns):
        points = [(r.timed[column].ratio, y) for r, y in zip(results, places, strict=True)
                  if column in r.timed]  # fmt: skip
        x, y = zip(*points, strict=True)
        own = column in ours
        axes.scatter(
            x, y, s=46 if own else 22, color="black" if column == FORWARD else colours[k % 10],
            marker="D" if own else "|" if column == FORWARD else "o", zorder=4 if own else 3,
            label=column,
        )  # fmt: skip
    axes.axvline(1.0, color="0.4", linewidth=1.0, zorder=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(places, [r.name for r in results], fontsize=7)
    axes.set_ylim(-0.8, len(results) - 0.2)
    axes.grid(axis="y", linewidth=0.3)
    axes.set_xlabel("value and gradient in one call: time / expert's, around the same forward pass")
    axes.set_title(", ".join(machine.values()), fontsize=7)
    figure.legend(loc="outside lower center", ncols=4, fontsize=7)
    figure.savefig(file, dpi=150)
    plt.close(figure)
