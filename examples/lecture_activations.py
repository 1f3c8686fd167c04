"""The activation functions of the slides and their derivatives, for several slopes.

    python examples/lecture_activations.py

The derivative of an elementwise function at all points at once is its tangent along ones.
"""

from pathlib import Path

import lecture_activations_grad as emitted
import numpy as np
from rich.console import Console
from rich.table import Table

PICTURE = Path(__file__).resolve().parent / "pictures" / "activations.png"
SLOPES = (0.5, 1.0, 10.0)
ELEMENTWISE = ("step", "identity", "relu", "leaky_relu", "softplus")


def step(x):
    """A hard threshold: its derivative is zero, and nothing can be learned through it."""
    return np.where(x > 0, 1.0, 0.0)


def identity(x):
    return x


def sigmoid(x, s):
    return 1 / (1 + np.exp(-s * x))


def tanh(x, s):
    """The slides' tanh with slope s, 2 sigmoid(2 s x) - 1."""
    return np.tanh(s * x)


def relu(x):
    return np.maximum(0.0, x)


def leaky_relu(x):
    return np.where(x < 0, 0.01 * x, x)


def softplus(x):
    return np.logaddexp(0.0, x)


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def value_and_slope(name: str, x: np.ndarray, **given) -> tuple[np.ndarray, np.ndarray]:
    """An activation and its derivative at the points x (n,); s=: the slope; t_x=: a direction."""
    return getattr(emitted, f"{name}_jvp")(x=x, **{"t_x": np.ones_like(x), **given})


def draw() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.4), layout="constrained")
    names = (*ELEMENTWISE, "sigmoid", "tanh", "softmax")
    axes = dict(zip(names, figure.subplots(2, 4).flat, strict=True))
    x = np.linspace(-4.0, 4.0, 801)
    for name in ELEMENTWISE:
        value, slope = value_and_slope(name, x)
        axes[name].plot(x, value, label="value")
        axes[name].plot(x, slope, "--", label="derivative")
        axes[name].legend(fontsize=8)
    for name in ("sigmoid", "tanh"):
        for s, color in zip(SLOPES, ("C0", "C1", "C2"), strict=True):
            value, slope = value_and_slope(name, x, s=s)
            axes[name].plot(x, value, color, label=f"s = {s:g}")
            axes[name].plot(x, slope, color, ls="--")
        axes[name].set_ylim(-1.2, 2.7)
        axes[name].legend(fontsize=8)
    scores = np.array([2.0, 1.0, 0.0, -1.0])
    jacobian = np.stack([value_and_slope("softmax", scores, t_x=t)[1] for t in np.eye(4)], axis=1)
    image = axes["softmax"].imshow(jacobian, cmap="RdBu_r", vmin=-0.25, vmax=0.25)
    axes["softmax"].set(xticks=range(4), yticks=range(4), xlabel="Jacobian at (2, 1, 0, -1)")
    figure.colorbar(image, shrink=0.8)
    for name, panel in axes.items():
        panel.set_title(name)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=100)


def main() -> None:
    table = Table(title="value and derivative")
    for head in ("activation", "slope s", "at -1", "at 0", "at 1"):
        table.add_column(head)
    x = np.array([-1.0, 0.0, 1.0])
    rows = [(name, {}) for name in ELEMENTWISE]
    rows += [(name, {"s": s}) for name in ("sigmoid", "tanh") for s in SLOPES]
    for name, given in rows:
        cells = [
            f"{v:.4f}, {d:.4f}" for v, d in zip(*value_and_slope(name, x, **given), strict=True)
        ]
        table.add_row(name, f"{given['s']:g}" if given else "", *cells)
    console = Console()
    console.print(table)
    console.print(
        "softmax of (2, 1, 0, -1):", np.round(softmax(np.array([2.0, 1.0, 0.0, -1.0])), 4)
    )
    draw()
    console.print(f"drawn in {PICTURE.name}")


if __name__ == "__main__":
    main()
