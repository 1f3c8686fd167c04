"""Regularised univariate regression: derivatives as in calculus class, and by backpropagation.

python examples/lecture_regression.py

z = w x + b,  y = sigmoid(z),  L = (y - t)^2 / 2,  R = w^2 / 2,  L_reg = L + lam R
"""

from pathlib import Path

import lecture_regression_grad as emitted
import numpy as np
from rich.console import Console
from rich.table import Table

from gradgen.measure.counting import Operations, count

HERE = Path(__file__).resolve().parent
POINT = {"w": 0.7, "b": -0.3, "x": 1.5, "t": 1.0, "lam": 0.1}


def cost(w, b, x, t, lam):
    z = w * x + b
    y = 1 / (1 + np.exp(-z))
    L = 0.5 * (y - t) ** 2
    R = 0.5 * w**2
    L_reg = L + lam * R
    return L_reg


def calculus_class(w, b, x, t, lam):
    """The expressions at which the notes arrive in section 2.1, with sigma' written out."""
    d_w = (1 / (1 + np.exp(-(w * x + b))) - t) * (1 / (1 + np.exp(-(w * x + b)))) * (
        1 - 1 / (1 + np.exp(-(w * x + b)))
    ) * x + lam * w
    d_b = (
        (1 / (1 + np.exp(-(w * x + b))) - t)
        * (1 / (1 + np.exp(-(w * x + b))))
        * (1 - 1 / (1 + np.exp(-(w * x + b))))
    )
    return d_w, d_b


def backpropagation(w, b, x, t, lam):
    """The procedure at which the notes arrive in section 2.4, line by line."""
    z = w * x + b
    y = 1 / (1 + np.exp(-z))
    L_reg_bar = 1.0
    R_bar = L_reg_bar * lam
    L_bar = L_reg_bar
    y_bar = L_bar * (y - t)
    z_bar = y_bar * y * (1 - y)
    w_bar = z_bar * x + R_bar * w
    b_bar = z_bar
    return w_bar, b_bar


def counts() -> dict[str, Operations]:
    """The operations of the three ways to (w_bar, b_bar), by kind."""
    own = Path(__file__).read_text("utf-8")
    gradient = (HERE / "lecture_regression_grad.py").read_text("utf-8")
    return {
        "calculus class": count(own, "calculus_class"),
        "backpropagation, by hand": count(own, "backpropagation"),
        "backpropagation, emitted": count(gradient, "cost_grad"),
    }


def main() -> None:
    table = Table(title="the derivatives of L_reg with respect to w and b")
    for head in ("way", "w_bar", "b_bar", "operations", "exponentials"):
        table.add_column(head, justify="left" if head == "way" else "right")
    ways = (calculus_class, backpropagation, emitted.cost_grad)
    for (name, counted), way in zip(counts().items(), ways, strict=True):
        w_bar, b_bar = way(**POINT)
        numbers = (f"{w_bar:.6f}", f"{b_bar:.6f}", str(counted.total), str(counted.transcendental))
        table.add_row(name, *numbers)
    Console().print(table)


if __name__ == "__main__":
    main()
