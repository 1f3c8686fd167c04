"""What a function says to the compiler: `stop_gradient`."""

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import gradgen
from gradgen import stop_gradient as sg
from gradgen.api import emit_path
from gradgen.cli import cli

POINT = np.array([1.5, -2.0, 0.25])
TARGET = np.array([0.5, 1.0, -1.0])


def half(x):
    """x times what counts as a constant, which is x: the gradient is x, and not 2 x."""
    return np.sum(x * sg(x))


def ste(x):
    return x + sg(np.round(x) - x)


def quantised(w, t):
    return np.sum((ste(w) - t) ** 2)


def everywhere(x, y):
    return x**3 * gradgen.stop_gradient(y) + sg(np.exp(x)) * y**2


def run(text, name):
    namespace = {}
    exec(text, namespace)
    return namespace[name]


def test_a_stopped_value_is_the_object_itself_where_the_function_runs():
    assert gradgen.stop_gradient(POINT) is POINT


def test_stop_gradient_is_imported_without_numpy():
    program = "import sys; from gradgen import stop_gradient; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_gradient_passes_a_stopped_value_by_in_both_modes():
    value, gradient = gradgen.value_and_grad(half)(POINT)
    assert value == np.sum(POINT * POINT)
    np.testing.assert_array_equal(gradient, POINT)
    assert gradient is not POINT
    direction = np.array([1.0, 10.0, 100.0])
    assert gradgen.jvp(half)(POINT, direction)[1] == pytest.approx(POINT @ direction, rel=1e-15)
    _, gradient = gradgen.vjp(half)(POINT, 3.0)
    np.testing.assert_array_equal(gradient, 3.0 * POINT)


def test_second_derivatives_take_it_for_a_constant_too():
    np.testing.assert_array_equal(gradgen.hessian(half)(POINT), np.zeros((3, 3)))
    np.testing.assert_array_equal(gradgen.hvp(half)(POINT, POINT), np.zeros(3))
    np.testing.assert_array_equal(gradgen.hessian(quantised)(POINT, TARGET), 2.0 * np.eye(3))


@pytest.mark.parametrize("target", ["numpy", "python"])
def test_numbers_are_stopped_in_both_targets(target):
    x, y = 0.5, 3.0
    gradient = gradgen.grad(everywhere, wrt=("x", "y"), target=target, shapes="")(x, y)
    assert gradient == pytest.approx((3 * x**2 * y, 2 * y * np.exp(x)), rel=1e-15)
    hessian = gradgen.hessian(everywhere, wrt=("x", "y"), target=target, shapes="")(x, y)
    wanted = [[6 * x * y, 0.0], [0.0, 2 * np.exp(x)]]
    np.testing.assert_allclose(np.array(hessian), wanted, rtol=1e-15)


def test_a_straight_through_estimator_has_the_gradient_of_the_identity():
    gradient = gradgen.grad(lambda x: np.sum(ste(x)))(POINT)
    np.testing.assert_array_equal(gradient, np.ones(3))
    value, gradient = gradgen.value_and_grad(quantised)(POINT, TARGET)
    rounded = POINT + (np.round(POINT) - POINT)
    assert value == np.sum((rounded - TARGET) ** 2)
    np.testing.assert_array_equal(gradient, 2.0 * (rounded - TARGET))


def test_a_stopped_operand_of_maximum_counts_as_a_constant_at_a_tie():
    def f(x, y):
        return np.maximum(x, sg(y))

    # of two active operands that tie each would take half
    assert gradgen.grad(f, wrt=("x", "y"))(1.0, 1.0) == (0.0, 0.0)
    assert gradgen.grad(f, wrt=("x", "y"))(2.0, 1.0) == (1.0, 0.0)


def test_a_stopped_argument_alone_has_zeros_for_a_gradient_and_structures_keep_theirs():
    def f(p, x):
        return np.sum(sg(p["W"]) @ x) + np.sum(p["b"])

    p = {"W": np.ones((2, 3)), "b": np.ones(2)}
    gradient = gradgen.grad(f)(p, POINT)
    np.testing.assert_array_equal(gradient["W"], np.zeros((2, 3)))
    np.testing.assert_array_equal(gradient["b"], np.ones(2))


def test_float32_stays_float32():
    x = POINT.astype(np.float32)
    gradient = gradgen.grad(half)(x)
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, x)


def test_integers_go_through_as_they_are():
    def f(x, k):
        return np.sum(x[: sg(2)] ** sg(k))

    np.testing.assert_array_equal(gradgen.grad(f)(POINT, 2), [3.0, -4.0, 0.0])


SOURCES = [
    ("import gradgen", "gradgen.stop_gradient"),
    ("import gradgen as gg", "gg.stop_gradient"),
    ("from gradgen import stop_gradient", "stop_gradient"),
    ("from gradgen import stop_gradient as sg", "sg"),
]


@pytest.mark.parametrize(("imported", "called"), SOURCES)
def test_a_file_is_read_however_it_imports_it_and_emitted_code_stands_alone(
    imported, called, tmp_path
):
    path = tmp_path / "model.py"
    path.write_text(
        f"import numpy as np\n{imported}\n\n\n"
        f"def f(w):\n    frozen = {called}(w)\n"
        "    scale = np.sum(frozen**2)\n    return np.sum(w * frozen) / scale\n",
        "utf-8",
    )
    text = emit_path(f"{path}:f", shapes="w=n")
    body = text[text.index("import numpy") :]
    assert (
        body
        == '''import numpy as np


def f_value_and_grad(w):
    """Value and gradient of f with respect to w.

    Shapes: w=n.

    Not to be differentiated again: stop_gradient in line 6 of the source is not in
    this text.
    """
    if w.ndim != 1:
        raise ValueError(f"f_value_and_grad takes w of shape (n,), not {w.shape=}")
    scale = np.sum(w**2)
    value = np.sum(w * w) / scale

    d_w = w / scale
    return value, d_w
'''
    )
    value, gradient = run(text, "f_value_and_grad")(POINT)
    assert value == np.sum(POINT * POINT) / np.sum(POINT**2)
    np.testing.assert_array_equal(gradient, POINT / np.sum(POINT**2))


def refusal(function, *args, **keywords):
    with pytest.raises(gradgen.SourceError) as caught:
        function(*args, **keywords)
    error = caught.value
    return f"{error.msg}; {error.hint}"


AGAIN = (
    "this emitted function cannot be differentiated again: its source calls stop_gradient, and "
    "its text does not; differentiate the source, in mode hvp, hessian or jvp"
)


def test_what_was_emitted_is_not_differentiated_as_if_nothing_had_been_stopped(tmp_path):
    """d/dx of the gradient x of x * sg(x) is 0; of the emitted text, which gives x, it is 1."""
    emitted = tmp_path / "half_grad.py"
    emitted.write_text(gradgen.emit(half, mode="grad", shapes="x=n"), "utf-8")
    assert refusal(emit_path, f"{emitted}:half_grad", mode="vjp") == AGAIN

    half_grad = gradgen.grad(half, shapes="x=n")
    assert refusal(gradgen.vjp(half_grad), POINT, POINT) == AGAIN

    def outer(x):
        return np.sum(half_grad(x))

    assert refusal(gradgen.grad(outer), POINT) == AGAIN


def test_what_was_emitted_is_differentiated_again_where_nothing_stopped_is_left(tmp_path):
    def f(x):
        return x**3 + 2.0 * sg(x)

    emitted = tmp_path / "f_grad.py"
    emitted.write_text(gradgen.emit(f, mode="grad", shapes="x=scalar"), "utf-8")
    text = emit_path(f"{emitted}:f_grad", mode="grad")
    assert run(text, "f_grad_grad")(2.0) == 12.0


def test_an_update_of_a_stopped_array_is_refused_since_it_is_the_array_itself():
    """In Python both names change, and a gradient that changed one of them would be wrong."""

    def through(w):
        x = 2.0 * w
        y = sg(x)
        y += 1.0
        return np.sum(x * w)

    def beside(w):
        x = 2.0 * w
        y = sg(x)
        x[0] = 1.0
        return np.sum(y * w)

    def copied(w):
        x = 2.0 * w
        y = sg(x).copy()
        y += 1.0
        return np.sum(x * y)

    assert refusal(gradgen.grad(through), POINT) == (
        "an update of an array that may or may not share memory with another; "
        "make a copy first: .copy()"
    )
    assert refusal(gradgen.grad(beside), POINT) == (
        "this array may or may not share memory with one that was changed since; "
        "make a copy first: .copy()"
    )
    np.testing.assert_array_equal(gradgen.grad(copied)(POINT), 2.0 * (2.0 * POINT + 1.0))


def test_a_list_is_refused():
    assert refusal(gradgen.grad(lambda x: sg([x, x])[0]), 1.0) == (
        "stop_gradient takes a number or an array, not a list or a tuple; stop its items one by one"
    )


def test_other_functions_of_gradgen_are_refused_by_name_inside_a_function():
    assert refusal(gradgen.grad(lambda x: gradgen.grad(half)(x)), POINT) == (
        "gradgen.grad is not supported inside a function; "
        "emit the inner derivative first, and call what was emitted"
    )


def test_check_says_that_the_slope_of_the_function_is_another_and_does_not_call_it_wrong():
    report = gradgen.check(quantised, shapes="w=3, t=3", effort="quick")
    assert report.ok
    verdicts = {f.oracle: (f.verdict, f.detail) for f in report.findings if f.subject != "value"}
    line = ste.__code__.co_firstlineno + 1
    why = f"stop_gradient (line {line}): the derivative is not the slope of the function"
    for oracle in ("complex step", "differences", "dot product"):
        assert verdicts[oracle] == ("unchecked", why)
    assert verdicts["symbolic"] == ("unchecked", "stop_gradient is not evaluated exactly")
    assert verdicts["tangent"][0] == "agrees"


def test_check_looks_at_what_nothing_active_is_stopped_of():
    report = gradgen.check(everywhere, wrt="y", effort="quick", shapes="")
    assert {f.verdict for f in report.findings if f.oracle == "differences"} == {"unchecked"}
    report = gradgen.check(lambda x, y: np.sin(x) * sg(y), wrt="x", effort="quick", shapes="")
    assert {f.verdict for f in report.findings if f.oracle == "differences"} == {"agrees"}


def test_the_command_emits_it(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(
        "from gradgen import stop_gradient\n\n\ndef f(x):\n    return x * stop_gradient(x)\n",
        "utf-8",
    )
    result = CliRunner().invoke(cli, ["emit", f"{path}:f", "--target", "python"])
    assert result.exit_code == 0, result.output
    assert "import" not in result.output.partition("def ")[2]
    assert run(result.output, "f_value_and_grad")(3.0) == (9.0, 3.0)
