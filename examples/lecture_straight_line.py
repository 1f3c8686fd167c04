"""The straight-line program of the slides, x1^2 + (x1 - x2)^a - log(x1^2 + x2^2)."""

import numpy as np
from lecture_straight_line_grad import f_value_and_grad

import gradgen


def f(x1, x2, a):
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a
    z5 = z1 + z2
    z6 = np.log(z5)
    z7 = z1 + z4 - z6
    return z7


def autodiff(x1, x2, a=1.0):
    """The code proof of the slides, statement by statement."""
    z1 = x1**2
    z2 = x2**2
    z3 = x1 - x2
    z4 = z3**a  # noqa: F841
    z5 = z1 + z2
    dy = 1
    dz7 = dy
    dz6 = dz7 * -1.0
    dz5 = dz6 * 1.0 / z5
    dz4 = dz7 * 1.0
    dz3 = dz4 * a * z3 ** (a - 1)
    dz2 = dz5 * 1.0
    dz1 = dz7 * 1.0 + dz5 * 1.0
    dx1 = dz1 * 2 * x1 + dz3 * 1.0
    dx2 = dz2 * 2 * x2 + dz3 * -1.0
    return dx1, dx2


def differences(x1, x2, a=1.0, step=1e-6):
    """Central differences of the function."""
    return (
        (f(x1 + step, x2, a) - f(x1 - step, x2, a)) / (2 * step),
        (f(x1, x2 + step, a) - f(x1, x2 - step, a)) / (2 * step),
    )


def by_calculus(x1, x2, a=1.0):
    """The partial derivatives, as the slides write them."""
    slope = a * (x1 - x2) ** (a - 1)
    return 2 * x1 + slope - 2 * x1 / (x1**2 + x2**2), -slope - 2 * x2 / (x1**2 + x2**2)


def main():
    print(gradgen.explain(f, at={"x1": 2, "x2": 1, "a": 1}, wrt=("x1", "x2")), end="\n\n")
    found = {
        "emitted code": f_value_and_grad(2.0, 1.0, 1.0)[1], "code proof": autodiff(2.0, 1.0),
        "calculus": by_calculus(2.0, 1.0), "differences": differences(2.0, 1.0),
    }  # fmt: skip
    for how, (d_x1, d_x2) in found.items():
        print(f"{how:14}df/dx1 = {d_x1:.6f}, df/dx2 = {d_x2:.6f}")


if __name__ == "__main__":
    main()
