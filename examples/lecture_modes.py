"""Forward against reverse mode: what the derivatives of R^n -> R^m cost, in operations.

    python examples/lecture_modes.py

Forward mode gives one column of the Jacobian a pass, reverse mode one row. Every number here is the
count of arithmetic operations and calls in source that gradgen emits, value included.
"""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import gradgen
from gradgen.measure.counting import operations

PICTURE = Path(__file__).resolve().parent / "pictures" / "modes.png"
SIZES = range(1, 11)


def product(x):
    """R^n -> R: the product of all entries, after Speelpenning."""
    value = x[0]
    for i in range(1, len(x)):
        value = value * x[i]
    return value


def cascade(t, ones):
    """R -> R^m: m numbers, each the sine of the one before. ones (m,) only says how many."""
    values = []
    for _ in range(len(ones)):
        t = np.sin(t)
        values.append(t)
    return np.array(values)


def mixing(x, ones):
    """R^n -> R^m: sines of weighted sums of the inputs. ones (m,) only says how many."""
    values = []
    for j in range(len(ones)):
        angle = x[0]
        for i in range(1, len(x)):
            angle = angle + (j + i) * x[i]
        values.append(np.sin(angle))
    return np.array(values)


def passes(f, wrt: str, shapes: str, n: int, m: int) -> tuple[int, int]:
    """Operations of the n forward and of the m reverse passes that the whole Jacobian takes."""
    forward, reverse = (
        operations(gradgen.emit(f, wrt=wrt, shapes=shapes, mode=mode), f"{f.__name__}_{mode}")
        for mode in ("jvp", "vjp")
    )
    return n * forward, m * reverse


def to_one(n: int) -> tuple[int, int]:
    return passes(product, "x", f"x={n}", n, 1)


def from_one(m: int) -> tuple[int, int]:
    return passes(cascade, "t", f"t=scalar, ones={m}", 1, m)


def square(n: int, m: int) -> tuple[int, int]:
    return passes(mixing, "x", f"x={n}, ones={m}", n, m)


def draw(one: dict, many: dict, grid: np.ndarray) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    for axes, counts, title, label in (
        (left, one, "R^n -> R: a product", "n"),
        (middle, many, "R -> R^m: a cascade of sines", "m"),
    ):
        sizes = list(counts)
        axes.plot(sizes, [counts[k][0] for k in sizes], "o-", ms=3.5, label="forward")
        axes.plot(sizes, [counts[k][1] for k in sizes], "s-", ms=3.5, label="reverse")
        axes.set(title=title, xlabel=label, ylabel="operations of the Jacobian")
        axes.legend()
    limit = np.abs(grid).max()
    image = right.imshow(grid, cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower")
    right.set(title="R^n -> R^m: log2(forward / reverse)", xlabel="outputs m", ylabel="inputs n")
    right.set_xticks(range(len(grid)), range(1, len(grid) + 1))
    right.set_yticks(range(len(grid)), range(1, len(grid) + 1))
    figure.colorbar(image, label="red: reverse wins, blue: forward")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    one = {n: to_one(n) for n in SIZES if n > 1}
    many = {m: from_one(m) for m in SIZES if m > 1}
    sizes = range(1, 7)
    grid = np.array([[np.log2(np.divide(*square(n, m))) for m in sizes] for n in sizes])
    table = Table(title="operations of a whole Jacobian")
    for head in ("size", "R^n -> R: forward", "reverse", "R -> R^m: forward", "reverse"):
        table.add_column(head, justify="right")
    for k in one:
        table.add_row(str(k), *map(str, one[k]), *map(str, many[k]))
    console = Console()
    console.print(table)
    wins = [["F" if cell < 0 else "R" for cell in row] for row in grid]
    console.print("R^n -> R^m, n down, m across: which mode takes fewer operations")
    for n, row in zip(sizes, wins, strict=True):
        console.print(f"  n={n}  {' '.join(row)}")
    draw(one, many, grid)
    console.print(f"drawn in {PICTURE.name}")


if __name__ == "__main__":
    main()
