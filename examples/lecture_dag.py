"""A general feed-forward net, v_i = sigma_i(w_i . v_Pa(i)), with arbitrary parents.

    python examples/lecture_dag.py

The backpropagation algorithm of the notes, written as it is printed, against the gradient that
gradgen emits: the emitted file has one statement for each of the algorithm's steps.
"""

import lecture_dag_grad as emitted
import numpy as np
from rich.console import Console
from rich.table import Table

# Units 0, 1 and 2 hold the inputs. Units 6 and 7, the last two, are the outputs f.
PARENTS = ((0, 1), (1, 2, 3), (0, 3, 4), (3, 4, 5), (0, 2, 5, 6))


def loss(w, x, y):
    """Squared error of the two outputs; hidden units are tanh, outputs the identity.

    w: one weight vector a unit, as long as its list of parents; x (3,): inputs; y (2,): targets.
    """
    v = [x[0], x[1], x[2]]
    for i, parents in enumerate(PARENTS):
        a = w[i] @ np.array([v[j] for j in parents])
        v.append(np.tanh(a) if i < 3 else a)
    return 0.5 * ((v[6] - y[0]) ** 2 + (v[7] - y[1]) ** 2)


def backpropagation(w, x, y):
    """L and dL/dw_i by the algorithm of the notes, "Backpropagation", line by line."""
    v = np.concatenate([x, np.zeros(len(PARENTS))])
    slope = np.zeros_like(v)  # v'_i
    n = len(x)
    for i, parents in enumerate(PARENTS):
        a = w[i] @ v[list(parents)]
        hidden = i < 3
        v[n + i] = np.tanh(a) if hidden else a
        slope[n + i] = 1.0 - np.tanh(a) ** 2 if hidden else 1.0
    f = v[-2:]
    value = 0.5 * np.sum((f - y) ** 2)
    dL_df = f - y
    dL_dv = np.zeros_like(v)
    dL_dv[-2:] = dL_df
    dL_dw = [np.zeros_like(w_i) for w_i in w]
    for i, parents in reversed(list(enumerate(PARENTS))):
        dL_dw[i] = dL_dv[n + i] * slope[n + i] * v[list(parents)]
        dL_dv[list(parents)] += dL_dv[n + i] * slope[n + i] * w[i]
    return value, tuple(dL_dw)


def point():
    """Weights, an input and a target."""
    rng = np.random.default_rng(0)
    w = tuple(rng.normal(size=len(parents)) for parents in PARENTS)
    return w, rng.normal(size=3), rng.normal(size=2)


def main() -> None:
    w, x, y = point()
    value, by_hand = backpropagation(w, x, y)
    emitted_value, gradient = emitted.loss_value_and_grad(w, x, y)
    table = Table(title=f"L = {emitted_value:.6f}, by the algorithm {value:.6f}")
    for head in ("unit", "parents", "dL/dw, the algorithm", "dL/dw, emitted"):
        table.add_column(head)
    for i, parents in enumerate(PARENTS):
        table.add_row(
            f"v{i + 3}", str(parents), *(str(np.round(g[i], 5)) for g in (by_hand, gradient))
        )
    Console(width=110).print(table)
    apart = max(np.max(np.abs(a - b)) for a, b in zip(by_hand, gradient, strict=True))
    print(f"largest difference: {apart:.1e}")


if __name__ == "__main__":
    main()
