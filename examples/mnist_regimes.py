"""Train the 784-72-10 network in the ways of the lectures, and look at what it has learned.

    python examples/mnist_regimes.py

Online, minibatch and batch gradient descent, a step schedule, dropout, L-BFGS, and BFGS for the
output layer. All of them call the emitted files mnist_mlp_grad.py and mnist_dropout_grad.py;
gradgen is not imported. Needs the extra `examples`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mnist_dropout_grad
import mnist_mlp_grad
import numpy as np
from mnist_train import HIDDEN, digits
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize

Array = NDArray[Any]
PICTURES = Path(__file__).resolve().parent / "pictures"
SHAPES = ((HIDDEN, 784), (HIDDEN,), (10, HIDDEN), (10,))
DECAY = 1e-4  # of the quasi-Newton methods: half of it times |weights|^2 is added to the loss
# Test errors of fully connected nets on the 60,000 digits of MNIST, without distortions: LeCun,
# Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proceedings
# of the IEEE 86 (1998), section III and figure 9.
REPORTED = {"linear classifier": 0.12, "300 hidden units": 0.047, "1,000 hidden units": 0.045}


@dataclass
class Run:
    """What a way of training gives: parameters, and the test error by digits looked at."""

    params: list[Array]
    seen: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def note(self, seen: int) -> None:
        _, _, images, labels = digits()
        self.seen.append(seen)
        self.errors.append(float(np.mean(np.argmax(scores(self.params, images), axis=1) != labels)))


def features(params: list[Array], images: Array) -> Array:
    W1, b1, _, _ = params
    return np.tanh(images @ W1.T + b1)


def scores(params: list[Array], images: Array) -> Array:
    _, _, W2, b2 = params
    return features(params, images) @ W2.T + b2


def start() -> list[Array]:
    rng = np.random.default_rng(1)
    W1, W2 = rng.normal(size=SHAPES[0]) * 0.01, rng.normal(size=SHAPES[2]) * 0.1
    return [W1, np.zeros(HIDDEN), W2, np.zeros(10)]


def batches(size: int, steps: int) -> Iterator[Array]:
    """Indices of the digits of each step: every epoch goes once through all of them, shuffled."""
    rng, count = np.random.default_rng(2), len(digits()[1])
    epoch = np.empty(0, dtype=int)
    for _ in range(steps):
        if len(epoch) < size:
            epoch = rng.permutation(count)
        yield epoch[:size]
        epoch = epoch[size:]


def descend(
    size: int, steps: int, rate: Callable[[int], float], keep: float = 1.0, notes: int = 20
) -> Run:
    """Gradient descent over batches of a size; dropout keeps a share of the hidden units."""
    images, labels, _, _ = digits()
    run, rng = Run(start()), np.random.default_rng(3)
    for step, batch in enumerate(batches(size, steps)):
        if step % max(1, steps // notes) == 0:
            run.note(step * size)
        arguments = (*run.params, images[batch], labels[batch])
        if keep < 1.0:
            mask = (rng.random((size, HIDDEN)) < keep) / keep
            grads = mnist_dropout_grad.loss_value_and_grad(*arguments, mask)[1]
        else:
            grads = mnist_mlp_grad.loss_value_and_grad(*arguments)[1]
        for p, g in zip(run.params, grads, strict=True):
            p -= rate(step) * g
    run.note(steps * size)
    return run


def quasi_newton(method: str, iterations: int, layer: slice = slice(None), params=None) -> Run:
    """SciPy's method on the parameters of a layer (by default of both), over all digits."""
    images, labels, _, _ = digits()
    run = Run(start() if params is None else [p.copy() for p in params])
    sizes = [p.size for p in run.params[layer]]

    def put(theta: Array) -> None:
        parts = np.split(theta, np.cumsum(sizes)[:-1])
        run.params[layer] = [
            part.reshape(shape) for part, shape in zip(parts, SHAPES[layer], strict=True)
        ]

    def objective(theta: Array) -> tuple[float, Array]:
        put(theta)
        value, grads = mnist_mlp_grad.loss_value_and_grad(*run.params, images, labels)
        gradient = np.concatenate([g.ravel() for g in grads[layer]])
        return value + 0.5 * DECAY * theta @ theta, gradient + DECAY * theta

    def note(theta: Array) -> None:
        put(theta)
        run.note((len(run.seen) + 1) * len(labels))

    run.note(0)
    first = np.concatenate([p.ravel() for p in run.params[layer]])
    result = minimize(
        objective, first, jac=True, method=method, callback=note, options={"maxiter": iterations}
    )
    put(result.x)
    return run


def train_all(effort: float = 1.0) -> dict[str, Run]:
    """Every way of training; `effort` scales the numbers of steps."""

    def steps(count: int) -> int:
        return max(2, round(count * effort))

    runs = {
        "online": descend(1, steps(8_000), lambda step: 0.02),
        "minibatch of 50": descend(50, steps(1_600), lambda step: 0.2),
        "batch": descend(4000, steps(100), lambda step: 0.5),
        "minibatch, steps 0.5 / (1 + step/200)": descend(
            50, steps(1_600), lambda step: 0.5 / (1 + step / 200)
        ),
        "minibatch, dropout 0.3": descend(50, steps(1_600), lambda step: 0.2, keep=0.7),
        "L-BFGS": quasi_newton("L-BFGS-B", steps(60)),
    }
    # BFGS keeps a dense matrix: for the 57,290 parameters it would take 26 GB, for these 730, 4 MB.
    first = runs["L-BFGS"].params
    refit = [first[0], first[1], np.zeros(SHAPES[2]), np.zeros(10)]
    runs["BFGS, output layer on the features of L-BFGS"] = quasi_newton(
        "BFGS", steps(60), slice(2, 4), refit
    )
    return runs


def draw_curves(runs: dict[str, Run]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    for name, run in runs.items():
        axes.plot(np.array(run.seen) / 4000, run.errors, label=name)
    axes.set(xlabel="gradients, in passes over the 4,000 digits", ylabel="error on 1,000 others")
    axes.set(xscale="symlog", yscale="log", ylim=(0.04, 1.0))
    axes.legend(fontsize=8)
    figure.savefig(PICTURES / "mnist_curves.png", dpi=110)


def draw_learned(params: list[Array]) -> None:
    """The 72 weights of every output as an image, and queries with features and scores."""
    from matplotlib.figure import Figure

    order = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]  # as in the notes
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    limit = np.abs(params[2]).max()
    for axes, digit in zip(figure.subplots(2, 5).flat, order, strict=True):
        axes.imshow(params[2][digit].reshape(6, 12), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(str(digit), fontsize=9)
        axes.set_axis_off()
    figure.savefig(PICTURES / "mnist_output_weights.png", dpi=110)

    _, _, images, labels = digits()
    shown = [int(np.flatnonzero(labels == digit)[0]) for digit in (3, 7, 5, 0)]
    figure = Figure(figsize=(9, 8), layout="constrained")
    for row, index in zip(figure.subplots(4, 3, width_ratios=(1, 2, 2)), shown, strict=True):
        query, hidden, output = row
        image = images[index : index + 1]
        query.imshow(image.reshape(28, 28), cmap="gray_r")
        hidden.imshow(features(params, image).reshape(6, 12), cmap="RdBu_r", vmin=-1, vmax=1)
        output.bar([str(d) for d in order], scores(params, image)[0][order])
        for axes, title in zip(row, ("query", "features h", "scores f"), strict=True):
            axes.set_title(title, fontsize=9)
        query.set_axis_off()
        hidden.set_axis_off()
    figure.savefig(PICTURES / "mnist_panel.png", dpi=100)


def main() -> None:
    console = Console()
    runs = train_all()
    table = Table(title="error on 1,000 digits held out, after training on 4,000")
    for head in ("training", "error", "passes"):
        table.add_column(head, justify="left" if head == "training" else "right")
    for name, run in runs.items():
        table.add_row(name, f"{run.errors[-1]:.1%}", f"{run.seen[-1] / 4000:.0f}")
    for name, error in REPORTED.items():
        table.add_row(f"reported for 60,000 digits: {name}", f"{error:.1%}", "")
    console.print(table)
    PICTURES.mkdir(exist_ok=True)
    draw_curves(runs)
    draw_learned(runs["minibatch, steps 0.5 / (1 + step/200)"].params)
    console.print("drawn in mnist_curves.png, mnist_output_weights.png and mnist_panel.png")


if __name__ == "__main__":
    main()
