"""XOR: a net with thresholds set by hand, why it cannot learn them, and a soft one that does.

python examples/lecture_xor.py
"""

from pathlib import Path
from typing import Any

import lecture_xor_grad as emitted
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

Array = NDArray[Any]
PICTURES = Path(__file__).resolve().parent / "pictures"
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([0.0, 1.0, 1.0, 0.0])
# h1: is at least one input on? h2: are both? The output: the first, and not the second.
BY_HAND = (
    np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([-0.5, -1.5]), np.array([1.0, -1.0]), -0.5,
)  # fmt: skip
STEPS, RATE = 4000, 4.0


def hard_loss(W, b, v, c, X, t):
    """Squared error of a net of hard thresholds. W (h, 2), b (h,), v (h,), c; X (n, 2), t (n,)."""
    H = np.where(X @ W.T + b > 0, 1.0, 0.0)
    y = np.where(H @ v + c > 0, 1.0, 0.0)
    return 0.5 * np.sum((y - t) ** 2)


def soft_loss(W, b, v, c, X, t):
    """Cross entropy of the same net with logistic units."""
    H = 1 / (1 + np.exp(-(X @ W.T + b)))
    z = H @ v + c
    return np.mean(np.logaddexp(0.0, z) - t * z)


def hard_output(params, X: Array) -> Array:
    W, b, v, c = params
    return np.where(np.where(X @ W.T + b > 0, 1.0, 0.0) @ v + c > 0, 1.0, 0.0)


def soft_output(params, X: Array) -> Array:
    W, b, v, c = params
    H = 1 / (1 + np.exp(-(X @ W.T + b)))
    return 1 / (1 + np.exp(-(H @ v + c)))


def train() -> tuple[list[tuple], Array]:
    """Gradient descent on the soft net; the parameters at every step, and the losses."""
    rng = np.random.default_rng(2)
    params = (rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2), 0.0)
    path, losses = [params], np.empty(STEPS)
    for step in range(STEPS):
        losses[step], grads = emitted.soft_loss_value_and_grad(*params, X, T)
        params = tuple(p - RATE * g for p, g in zip(params, grads, strict=True))
        path.append(params)
    return path, losses


def hard_gradient_is_zero() -> bool:
    """Whether the gradient of the hard net vanishes, at random weights and at those by hand."""
    rng = np.random.default_rng(0)
    points = [BY_HAND] + [
        (rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2), rng.normal())
        for _ in range(20)
    ]
    grads = [emitted.hard_loss_value_and_grad(*params, X, T)[1] for params in points]
    return all(not np.any(g) for gradient in grads for g in gradient)


def surface(axes, output, params, title: str) -> None:
    ticks = np.linspace(-0.5, 1.5, 161)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    shown = output(params, grid.reshape(-1, 2)).reshape(161, 161)
    axes.contourf(ticks, ticks, shown, np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.8)
    if shown.min() < 0.5 < shown.max():
        axes.contour(ticks, ticks, shown, [0.5], colors="black", linewidths=1)
    for target, marker in ((0.0, "o"), (1.0, "s")):
        axes.plot(*X[target == T].T, marker, color="white", mec="black", ms=7)
    axes.set(title=title, xticks=(0, 1), yticks=(0, 1), aspect="equal")


def draw(path: list[tuple], losses: Array) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    surface(left, hard_output, BY_HAND, "hard thresholds, set by hand")
    surface(middle, soft_output, path[-1], "soft thresholds, trained")
    right.semilogy(losses)
    right.set(title="training", xlabel="step", ylabel="cross entropy")
    PICTURES.mkdir(exist_ok=True)
    figure.savefig(PICTURES / "xor.png", dpi=110)

    frames = (0, 50, 100, 200, 400, 4000)
    strip = Figure(figsize=(12, 2.4), layout="constrained")
    for axes, step in zip(strip.subplots(1, len(frames)), frames, strict=True):
        surface(axes, soft_output, path[step], f"step {step}")
    strip.savefig(PICTURES / "xor_film.png", dpi=110)


def main() -> None:
    console = Console()
    console.print("inputs            ", X.astype(int).tolist())
    console.print("by hand           ", hard_output(BY_HAND, X).astype(int).tolist())
    console.print("gradient of the hard net is zero wherever asked:", hard_gradient_is_zero())
    path, losses = train()
    console.print("trained, soft     ", np.round(soft_output(path[-1], X), 4).tolist())
    console.print(f"cross entropy      {losses[0]:.4f} -> {losses[-1]:.5f} in {STEPS} steps")
    draw(path, losses)
    console.print("drawn in xor.png and xor_film.png")


if __name__ == "__main__":
    main()
