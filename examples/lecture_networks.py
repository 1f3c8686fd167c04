"""Networks with weights set by hand: universality, parity, and what linear layers cannot add.

    python examples/lecture_networks.py

Inputs are -1 or 1, as in the notes; a hidden unit is a hard threshold at zero.
"""

from itertools import product
from pathlib import Path
from typing import Any

import lecture_networks_grad as emitted
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

Array = NDArray[Any]
PICTURE = Path(__file__).resolve().parent / "pictures" / "networks.png"


def patterns(d: int) -> Array:
    """All 2^d inputs, one a row."""
    return np.array(list(product((-1.0, 1.0), repeat=d)))


def threshold(z):
    return np.where(z > 0, 1.0, 0.0)


def logistic(z):
    return 1 / (1 + np.exp(-z))


def lookup(outputs: Array) -> tuple[Array, Array, Array]:
    """Weights, biases and output weights of the net with the given output for each of 2^d inputs.

    The unit that recognizes an input has that input as its weights: their product is d at the
    input itself and d - 2 or less at all others, so the bias is 1/2 - d.
    """
    d = len(outputs).bit_length() - 1
    return patterns(d), np.full(len(outputs), 0.5 - d), np.asarray(outputs, dtype=float)


def shallow(x: Array, net: tuple[Array, Array, Array], unit=threshold, scale: float = 1.0) -> Array:
    """Outputs (n,) of a net with one hidden layer and a linear output, for inputs x (n, d)."""
    W, b, v = net
    return unit(scale * (x @ W.T + b)) @ v


def parity(x: Array) -> Array:
    """1 where the number of inputs that are 1 is odd, by a deep net of three units for each input.

    The parity so far, 0 or 1, and the next input go into an XOR: is at least one of them on, and
    are both; the first without the second.
    """
    so_far = threshold(x[:, 0])
    for next_input in x.T[1:]:
        either = threshold(2 * so_far + next_input)
        both = threshold(2 * so_far + next_input - 2)
        so_far = threshold(either - both - 0.5)
    return so_far


def deep_units(d: int) -> int:
    """Hidden and output units of the deep parity net."""
    return 1 + 3 * (d - 1)


def shallow_units(d: int) -> int:
    """Hidden units of the lookup net for parity, one for each odd input, and its output."""
    return 2 ** (d - 1) + 1


def linear(x, W1, W2, W3):
    """A deep linear network. x (n,), W1 (h1, n), W2 (h2, h1), W3 (m, h2)."""
    return W3 @ (W2 @ (W1 @ x))


def collapse() -> float:
    """How far the Jacobian of a deep linear net is from the product of its matrices."""
    rng = np.random.default_rng(0)
    x, W1, W2, W3 = (rng.normal(size=s) for s in (4, (6, 4), (5, 6), (3, 5)))
    return float(np.max(np.abs(emitted.linear_jacobian(x, W1, W2, W3) - W3 @ W2 @ W1)))


def softness(outputs: Array, scales: Array) -> list[float]:
    """The largest error of the lookup net with logistic units, for every scale of its weights."""
    net, x = lookup(outputs), patterns(len(outputs).bit_length() - 1)
    return [float(np.max(np.abs(shallow(x, net, logistic, s) - outputs))) for s in scales]


def draw(table: Array, scales: Array) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    sizes = range(2, 11)
    left.semilogy(sizes, [shallow_units(d) for d in sizes], "o-", label="shallow: lookup")
    left.semilogy(sizes, [deep_units(d) for d in sizes], "s-", label="deep: a chain of XORs")
    left.set(title="units of a net that computes parity", xlabel="inputs D", ylabel="units")
    left.legend()
    right.semilogy(scales, softness(table, scales), "o-", ms=3)
    right.set(title="a lookup net with soft thresholds", xlabel="scale of weights and biases")
    right.set_ylabel("largest error of an output")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    console = Console()
    outputs = np.array([0, 1, 1, 0, 1, 0, 0, 1.0])
    W, b, v = lookup(outputs)
    x = patterns(3)
    table = Table(title="a net for a table of D = 3 inputs: one hidden unit an input")
    for head in ("input", "weights", "bias", "output weight", "output of the net"):
        table.add_column(head, justify="right")
    for row, weights, bias, weight in zip(x, W, b, v, strict=True):
        given = shallow(row[None], (W, b, v))[0]
        table.add_row(
            *(str(cell.astype(int)) for cell in (row, weights)), *map(str, (bias, weight, given))
        )
    console.print(table)

    wrong = sum(
        not np.array_equal(shallow(x, lookup(np.array(t))), t)
        for t in product((0.0, 1.0), repeat=8)
    )
    console.print(f"of all 256 tables of three inputs, {wrong} are computed wrongly")

    table = Table(title="parity: units of the net, and inputs on which it is wrong")
    for head in ("D", "shallow", "deep", "wrong"):
        table.add_column(head, justify="right")
    for d in range(2, 11):
        x = patterns(d)
        odd = np.sum(x > 0, axis=1) % 2
        wrong = int(np.sum(parity(x) != odd) + np.sum(shallow(x, lookup(odd)) != odd))
        table.add_row(str(d), str(shallow_units(d)), str(deep_units(d)), str(wrong))
    console.print(table)
    console.print(f"Jacobian of W3 (W2 (W1 x)), from the product of the matrices: {collapse():.1e}")
    draw(outputs, np.arange(1.0, 41.0))
    console.print(f"drawn in {PICTURE.name}")


if __name__ == "__main__":
    main()
