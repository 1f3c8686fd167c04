"""The losses of the slides, their gradients, and the forms that do not overflow.

    python examples/lecture_losses.py

Each loss is of scores a and a target y. `*_as_written` is the formula of the slides; the function
beside it is the same where both are finite, and is right for large scores too.
"""

from pathlib import Path

import lecture_losses_grad as emitted
import numpy as np
from rich.console import Console
from rich.table import Table

PICTURE = Path(__file__).resolve().parent / "pictures" / "losses.png"


def squared_error(a, y):
    """Half the squared distance of a (k,) from y (k,)."""
    return 0.5 * np.sum((y - a) ** 2)


def l2(score, target):
    """The squared distance of two numbers."""
    return (target - score) ** 2


def binary_cross_entropy(score, target):
    """-t log sigmoid(a) - (1 - t) log(1 - sigmoid(a)) of a score a, the target t being 0 or 1."""
    return np.logaddexp(0.0, score) - target * score


def binary_cross_entropy_as_written(score, target):
    s = 1 / (1 + np.exp(-score))
    return -target * np.log(s) - (1 - target) * np.log(1 - s)


def cross_entropy(a, label):
    """-a[label] + log(sum(exp(a))) of scores a (k,): minus the log of softmax(a)[label]."""
    top = np.max(a)
    return top + np.log(np.sum(np.exp(a - top))) - a[label]


def cross_entropy_as_written(a, label):
    return -a[label] + np.log(np.sum(np.exp(a)))


def cross_entropy_of_distributions(a, p):
    """H(p, q) = -sum(p log(q)) of a distribution p (k,) and q = softmax(a)."""
    top = np.max(a)
    return np.sum(p * (top + np.log(np.sum(np.exp(a - top))) - a))


def squared_expectation(a, y):
    """The squared distance of softmax(a) from y (k,), which is 1 for the true class and else 0."""
    e = np.exp(a - np.max(a))
    return np.sum((y - e / np.sum(e)) ** 2)


def hinge(a, label):
    """max(0, 1 + max of the other scores - a[label]) of scores a (k,)."""
    others = np.where(np.arange(len(a)) == label, -np.inf, a)
    return np.maximum(0.0, 1.0 + np.max(others) - a[label])


def of_first_score(scores: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Losses of (a, 0, 0) for every a, the first class being true, and their slopes in a."""
    first = np.array([1.0, 0.0, 0.0])
    targets = {
        "squared_error": first, "cross_entropy": 0, "cross_entropy_of_distributions": first,
        "squared_expectation": first, "hinge": 0,
    }  # fmt: skip
    found = {}
    for name, target in targets.items():
        pairs = [
            getattr(emitted, f"{name}_value_and_grad")(np.array([a, 0.0, 0.0]), target)
            for a in scores
        ]
        found[name] = np.array([v for v, _ in pairs]), np.array([g[0] for _, g in pairs])
    pairs = [emitted.binary_cross_entropy_value_and_grad(a, 1.0) for a in scores]
    found["binary_cross_entropy"] = tuple(np.array(pairs).T)
    pairs = [emitted.l2_value_and_grad(a, 1.0) for a in scores]
    found["l2"] = tuple(np.array(pairs).T)
    return found


def draw(scores: np.ndarray, found: dict) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    styles = ("-", "-", "--", "-", "-", ":", ":")
    for (name, (value, slope)), style in zip(found.items(), styles, strict=True):
        left.plot(scores, value, style, label=name.replace("_", " "))
        right.plot(scores, slope, style)
    left.set(title="loss", xlabel="score of the true class, others 0", ylim=(-0.2, 6.0))
    right.set(title="derivative in that score", xlabel="score of the true class", ylim=(-2.2, 2.2))
    left.legend(fontsize=8)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    scores = np.linspace(-4.0, 4.0, 401)
    found = of_first_score(scores)
    table = Table(title="losses of the scores (a, 0, 0), the first class being true: value, slope")
    for head in ("loss", "a = -2", "a = 0", "a = 2"):
        table.add_column(head)
    for name, (value, slope) in found.items():
        cells = [f"{value[i]:.4f}, {slope[i]:.4f}" for i in (100, 200, 300)]
        table.add_row(name.replace("_", " "), *cells)
    console = Console()
    console.print(table)

    table = Table(title="the formulas of the slides, and the forms that do not overflow")
    for head in ("loss", "at", "as written", "stable", "its gradient"):
        table.add_column(head)
    with np.errstate(all="ignore"):
        for a, y in ((-800.0, 1.0), (800.0, 0.0)):
            value, slope = emitted.binary_cross_entropy_value_and_grad(a, y)
            written = binary_cross_entropy_as_written(a, y)
            table.add_row("binary", f"{a:g}, y = {y:g}", f"{written:g}", f"{value:g}", f"{slope:g}")
        a = np.array([800.0, 0.0, -800.0])
        value, slope = emitted.cross_entropy_value_and_grad(a, 1)
        written = cross_entropy_as_written(a, 1)
        table.add_row("multiclass", "(800, 0, -800), 1", f"{written:g}", f"{value:g}", str(slope))
    console.print(table)
    draw(scores, found)
    console.print(f"drawn in {PICTURE.name}")


if __name__ == "__main__":
    main()
