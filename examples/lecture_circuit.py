"""The circuit f = (x + y) z of the slides, at (-2, 5, -4): values forward, gradients backward."""

from lecture_circuit_grad import f_value_and_grad


def f(x, y, z):
    alpha = x + y
    return alpha * z


def main():
    value, (d_x, d_y, d_z) = f_value_and_grad(-2.0, 5.0, -4.0)
    print(f"f = {value:g}; df/dx = {d_x:g}, df/dy = {d_y:g}, df/dz = {d_z:g}")


if __name__ == "__main__":
    main()
