"""Finite differences against automatic differentiation: what they cost, and how wrong they are.

    python examples/lecture_differences.py

The notes remark that finite differences would need about P runs of the function for P parameters,
and would be somewhat less stable numerically. Here are both, counted and measured: the calls of
the function that a gradient takes, and the error of a derivative against the size of the step.
"""

from pathlib import Path
from time import perf_counter
from typing import Any

import lecture_differences_grad as emitted
import mpmath
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

PICTURE = Path(__file__).resolve().parent / "pictures" / "differences.png"
STEPS = 10.0 ** -np.arange(1.0, 16.5, 0.5)
POINT = 0.5
PARAMETERS = (3, 10, 30, 100, 300)


def swell(x):
    """The function of the notes, equation 2.1."""
    a = np.exp(x)
    c = a + a**2
    return np.exp(c) + np.sin(c)


def risk(w, X, y):
    """Logistic loss of a linear classifier. w (p,): weights; X (n, p): points; y (n,): -1 or 1."""
    return np.mean(np.logaddexp(0.0, -y * (X @ w)))


def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h


def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def complex_step(f, x, h):
    """Squire and Trapp, SIAM Review 40 (1998), 110-112: no difference, so no cancellation."""
    return np.imag(f(x + 1j * h)) / h


METHODS = {
    "forward difference": forward_difference,
    "central difference": central_difference,
    "complex step": complex_step,
}


def errors() -> tuple[dict[str, NDArray[Any]], float]:
    """Relative errors of the methods at every step size, and that of the emitted gradient."""
    with mpmath.workdps(50):
        x = mpmath.mpf(POINT)
        a = mpmath.exp(x)
        c, dc = a + a**2, a + 2 * a**2
        exact = (mpmath.exp(c) + mpmath.cos(c)) * dc  # equation 2.2 of the notes

        def relative(found: float) -> float:
            return float(abs(mpmath.mpf(float(found)) - exact) / abs(exact))

        curves = {
            name: np.array([relative(method(swell, POINT, h)) for h in STEPS])
            for name, method in METHODS.items()
        }
        return curves, relative(emitted.swell_value_and_grad(POINT)[1])


def gradient_by_differences(f, w, h=1e-7):
    """The gradient of f by forward differences: one call, and one more for every parameter."""
    base = f(w)
    gradient = np.empty_like(w)
    for i in range(len(w)):
        moved = w.copy()
        moved[i] += h
        gradient[i] = (f(moved) - base) / h
    return gradient


def cost(p: int, n: int = 50) -> tuple[int, float, float, float]:
    """Calls and time of differences, time of the emitted gradient (in calls), their distance."""
    rng = np.random.default_rng(p)
    X, y, w = rng.normal(size=(n, p)), rng.choice([-1.0, 1.0], n), rng.normal(size=p) * 0.1
    calls = 0

    def counted(w):
        nonlocal calls
        calls += 1
        return risk(w, X, y)

    by_differences = gradient_by_differences(counted, w)
    one = seconds(lambda: risk(w, X, y))
    differences = seconds(lambda: gradient_by_differences(lambda w: risk(w, X, y), w))
    reverse = seconds(lambda: emitted.risk_value_and_grad(w, X, y))
    gradient = emitted.risk_value_and_grad(w, X, y)[1]
    return calls, differences / one, reverse / one, float(np.max(np.abs(by_differences - gradient)))


def seconds(call, repeats: int = 5) -> float:
    """The best of a few runs."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)


def draw(curves: dict[str, NDArray[Any]], own: float, costs: dict[int, tuple]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for (name, error), marker in zip(curves.items(), "osv", strict=True):
        left.loglog(STEPS, np.maximum(error, 1e-17), marker, ls="-", ms=3.5, label=name)
    left.axhline(max(own, 1e-17), color="black", lw=1, label="emitted gradient")
    left.set(xlabel="step h", ylabel="relative error", title="df/dx of the notes' function at 0.5")
    left.invert_xaxis()
    left.legend(fontsize=8)
    p = list(costs)
    right.loglog(p, [costs[k][1] for k in p], "o-", ms=3.5, label="forward differences")
    right.loglog(p, [costs[k][2] for k in p], "s-", ms=3.5, label="emitted value and gradient")
    right.loglog(p, [k + 1 for k in p], ":", color="gray", label="P + 1")
    right.set(xlabel="parameters P", ylabel="time, in calls of the function", title="one gradient")
    right.legend(fontsize=8)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    curves, own = errors()
    console = Console()
    table = Table(title="smallest relative error of a derivative, and the step it needs")
    for head in ("method", "error", "at h"):
        table.add_column(head)
    for name, error in curves.items():
        table.add_row(name, f"{error.min():.1e}", f"{STEPS[error.argmin()]:.0e}")
    table.add_row("emitted gradient", f"{own:.1e}", "none")
    console.print(table)

    costs = {p: cost(p) for p in PARAMETERS}
    table = Table(title="one gradient of the logistic loss, in calls of the function")
    for head in ("P", "calls", "differences, time", "emitted, time", "largest difference"):
        table.add_column(head, justify="right")
    for p, (calls, slow, fast, apart) in costs.items():
        table.add_row(str(p), str(calls), f"{slow:.0f}", f"{fast:.1f}", f"{apart:.0e}")
    console.print(table)
    draw(curves, own, costs)
    console.print(f"drawn in {PICTURE.name}")


if __name__ == "__main__":
    main()
