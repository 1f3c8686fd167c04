"""Third and fourth derivatives by repeating: exact to 50 digits of SymPy's, and counted."""

import numpy as np
import pytest
import sympy
from tangents import defined

import gradgen
from gradgen.measure.counting import operations

HEAD = "import numpy as np\n\n\n"
FUNCTIONS = {
    "exp": "np.exp(x)",
    "sin": "np.sin(x)",
    "tanh": "np.tanh(x)",
    "log": "np.log(x)",
    "power": "x**2.5",
    "lorentz": "1.0 / (1.0 + x**2)",
    "exp sin": "np.exp(np.sin(x))",
    "root": "np.sqrt(1.0 + x**2)",
    "gauss": "np.exp(-x * x)",
    "swell": "np.sin(x * np.exp(x))",
    "logistic": "1.0 / (1.0 + np.exp(-x))",
    "polynomial": "x**5 - 3.0 * x**3 + x",
}
# Where more operations are emitted than SymPy's derivative has after common subexpressions are
# taken out: how many, for the orders one to four. SymPy cancels powers of one denominator, and
# multiplies polynomials out.
MORE = {
    "tanh": (3, 5, 6, 10),
    "log": (1, 2, 3, 4),
    "lorentz": (5, 7, 9, 15),
    "exp sin": (4, 6, 11, 19),
    "root": (4, 7, 10, 11),
    "gauss": (5, 7, 8, 13),
    "swell": (5, 11, 19, 36),
    "polynomial": (5, 6, 3, 1),
}
ORDERS = range(1, 5)


def symbolic(text, order):
    """The derivative of that order, in SymPy, and the operations of it that no two share."""
    x = sympy.Symbol("x", positive=True)
    found = sympy.diff(eval(text, {"np": sympy, "x": x}), x, order)
    shared, (rest,) = sympy.cse([found])
    return found, x, sum(sympy.count_ops(e) for _, e in shared) + sympy.count_ops(rest)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_the_orders_one_to_four_are_exact_and_not_swollen(name):
    made = defined(f"{HEAD}def f(x):\n    return {FUNCTIONS[name]}\n")
    for order in ORDERS:
        made = gradgen.grad(made, shapes="x=scalar")
        wanted, x, fewest = symbolic(FUNCTIONS[name], order)
        for at in (0.3, 0.7, 1.6):
            exact = sympy.N(wanted.subs(x, sympy.Float(at, 50)), 50)
            # near a zero of a derivative its terms cancel: their size is of order one here
            assert made(at) == pytest.approx(float(exact), rel=1e-13, abs=1e-14)
        count = operations(made.source, "f_grad")
        most = MORE[name][order - 1] if name in MORE else fewest
        assert count <= most, f"order {order}: {count} operations, {fewest} in SymPy"


def test_derivatives_that_are_compiled_at_the_first_call_are_differentiated_again():
    def f(x, k=2.0):
        return np.sum(np.sin(k * x))

    def g(x):
        return np.exp(x) * x

    x = np.array([0.3, -0.7])
    third = gradgen.grad(gradgen.grad(gradgen.grad(g)))
    assert third(0.7) == pytest.approx(np.exp(0.7) * 3.7, rel=1e-14)
    assert gradgen.grad(gradgen.grad(g), shapes="x=scalar")(0.7) == pytest.approx(np.exp(0.7) * 2.7)
    matrix = gradgen.jacobian(gradgen.grad(f))
    np.testing.assert_allclose(matrix(x), np.diag(-4.0 * np.sin(2.0 * x)), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(matrix(x, 1.0), np.diag(-np.sin(x)), rtol=1e-14, atol=1e-15)
    v = np.array([2.0, 1.0])
    _, along = gradgen.jvp(gradgen.grad(f))(x, v)
    np.testing.assert_allclose(along, gradgen.hvp(f)(x, v), rtol=1e-14)


@gradgen.grad
def later(x):
    return x**3


def test_a_derivative_that_is_not_compiled_yet_is_not_called_in_a_function():
    with pytest.raises(gradgen.SourceError) as caught:
        gradgen.grad(lambda x: later(x) * 2.0, shapes="x=scalar")
    assert caught.value.msg == "the derivative later is compiled at its first call"
    assert caught.value.hint == "declare its shapes with shapes= or like=, to call it in a function"
