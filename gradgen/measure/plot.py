"""How derivatives grow, as a picture that is read without colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradgen.errors import GradgenError
from gradgen.measure.results import BACKWARD, BOTH, FORWARD, GRADIENT, Growth

# Marker, its size, line, shade: each method is told by its shape, also where two curves coincide.
_LOOKS: dict[str, tuple[str, float, Any, str]] = {
    "sympy raw": ("s", 5.0, "-", "0.0"),
    "sympy simplify": ("^", 8.0, ":", "0.35"),
    "sympy cse": ("D", 10.0, "--", "0.45"),
    "sympy cse both": ("+", 14.0, "-.", "0.35"),
    BOTH: ("o", 5.0, "-", "0.0"),
    FORWARD: ("v", 5.5, (0, (1, 1)), "0.0"),
}
_SHOWN_AS = {
    "sympy raw": "SymPy, raw",
    "sympy simplify": "SymPy, simplify",
    "sympy cse": "SymPy, cse",
    "sympy cse both": "SymPy, cse with the value",
    BOTH: "gradgen, value and gradient",
    FORWARD: "the value alone",
}


def plot(growth: Growth, path: Path) -> None:
    """Write the picture; the ending of the name says in which format.

    Raises `GradgenError` where Matplotlib is missing, or the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise GradgenError(
            "--plot needs Matplotlib, which is not installed: pip install 'gradgen[examples]'"
        ) from None
    figure = Figure(figsize=(8.6, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for method in growth.methods:
        if method != BACKWARD:
            _draw(axes, growth, method)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(growth.parameter)
    axes.set_ylabel("operations")
    axes.set_title(f"{growth.name}: operations of the gradient")
    axes.grid(True, which="major", linewidth=0.4, color="0.8")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False, handlelength=4.5, labelspacing=1.0)
    try:
        # Nothing in the file tells when it was made.
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=metadata)
    except (OSError, ValueError) as error:
        raise GradgenError(f"{path}: {error}") from None


def _draw(axes: Any, growth: Growth, method: str) -> None:
    points = [(n, c.operations(GRADIENT, method)) for n, c in growth.points.items()]
    # A logarithm has no place for 0 operations.
    known = [(n, count) for n, count in points if count]
    marker, extent, line, shade = _LOOKS[method]
    hollow = method not in (BOTH, "sympy raw")
    axes.plot(
        [n for n, _ in known], [count for _, count in known], label=_SHOWN_AS[method],
        color=shade, marker=marker, linestyle=line, linewidth=1.3, markersize=extent,
        markerfacecolor="none" if hollow else shade,
    )  # fmt: skip
