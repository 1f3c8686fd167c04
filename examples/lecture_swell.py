"""Expression swell, of f = exp(exp(x) + exp(x)^2) + sin(exp(x) + exp(x)^2)."""

import numpy as np
from lecture_swell_grad import f_value_and_grad

import gradgen


def f(x):
    """The program of six statements, eq. 2.3 of the notes."""
    a = np.exp(x)
    b = a**2
    c = a + b
    d = np.exp(c)
    e = np.sin(c)
    f = d + e
    return f


def symbolic(x):
    """The derivative by the rules of calculus, eq. 2.2: nothing is computed only once."""
    return (
        np.exp(np.exp(x) + np.exp(x) ** 2) * (np.exp(x) + 2 * np.exp(x) ** 2)
        + np.cos(np.exp(x) + np.exp(x) ** 2) * (np.exp(x) + 2 * np.exp(x) ** 2)
    )  # fmt: skip


def main():
    print(gradgen.explain(f, at={"x": 0.5}, notation="partial"), end="\n\n")
    print(f"emitted code  df/dx = {f_value_and_grad(0.5)[1]:.10f}")
    print(f"calculus      df/dx = {symbolic(0.5):.10f}\n")
    counts = gradgen.compare(f, simplify_below=0)
    raw = counts.operations("gradient", "sympy raw")
    alone = counts.operations("gradient", "gradgen backward")
    print(f"operations of the derivative: {raw} by calculus, {alone} backward through the program")


if __name__ == "__main__":
    main()
