"""What a function says to the compiler: `stop_gradient`."""

import math
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import gradgen
from gradgen import stop_gradient as sg
from gradgen.api import emit_path
from gradgen.cli import cli
from gradgen.testing import assert_grad_ok

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
    body = text[text.index("def ") :]
    assert (
        body
        == '''def f_value_and_grad(w):
    """Value and gradient of f with respect to w.

    Shapes: w=n.

    Not to be differentiated again: stop_gradient in line 6 of the source is not in
    this text.
    """
    if w.ndim != 1:
        raise ValueError(
            f"f_value_and_grad takes w of shape (n,), not w.shape={w.shape}"
        )
    scale = (w**2).sum()
    value = (w * w).sum() / scale

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
    "this emitted function cannot be differentiated again: its text lacks what its source says of "
    "derivatives; differentiate the source, in mode hvp, hessian or jvp"
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
        "store into the array itself, or into a copy: .copy()"
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


def test_check_takes_the_slope_of_the_function_with_what_it_stops_held_still():
    report = gradgen.check(quantised, shapes="w=3, t=3", effort="quick")
    assert report.ok
    verdicts = {f.oracle: (f.verdict, f.detail) for f in report.findings if f.subject != "value"}
    assert verdicts["symbolic"] == ("unchecked", "stop_gradient is not evaluated exactly")
    for oracle in ("complex step", "differences", "dot product", "tangent"):
        assert verdicts[oracle][0] == "agrees"
    report = gradgen.check(everywhere, wrt="y", effort="quick", shapes="")
    found = {f.oracle: f.verdict for f in report.findings if f.subject != "value"}
    assert found["complex step"] == found["differences"] == found["dot product"] == "agrees"


@pytest.mark.parametrize(("slope", "right"), [(2.0, True), (4.0, False)])
def test_a_gradient_by_hand_is_judged_with_what_is_stopped_held_still(slope, right):
    """x * sg(x) is x**2, of which the gradient is 2 x; held still, it is x."""

    def by_hand(w, t):
        return slope * (ste(w) - t)

    report = gradgen.audit(quantised, by_hand, shapes="w=3, t=3", effort="quick")
    assert report.ok is right
    half_of_it = np.ones(3) if right else 2.0 * np.ones(3)
    args = (POINT,)
    if right:
        assert_grad_ok(half, args)
        assert_grad_ok(half, args, grad=lambda x: half_of_it * x)
    else:
        with pytest.raises(AssertionError, match=r"the gradient of half is wrong"):
            assert_grad_ok(half, args, grad=lambda x: half_of_it * x)


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


# -- custom rules ----------------------------------------------------------------------------------

SLOPE = 3.0


def leaky_vjp(g, out, x):
    """Not the derivative of `leaky`, so that it shows whose rule was taken."""
    return SLOPE * g * (out > 0)


def leaky_jvp(out, x, t_x):
    return SLOPE * t_x * (out > 0)


@gradgen.custom_rule(vjp=leaky_vjp, jvp=leaky_jvp)
def leaky(x):
    return np.maximum(x, 0.0)


def twice(x):
    return np.sum(leaky(leaky(x)))


def log_sum(x, y):
    high = np.maximum(x, y)
    return high + np.log(np.exp(x - high) + np.exp(y - high))


def log_sum_vjp(g, out, x, y):
    return g * np.exp(x - out), g * np.exp(y - out)


def log_sum_jvp(out, x, y, t_x, t_y):
    return t_x * np.exp(x - out) + t_y * np.exp(y - out)


soft = gradgen.custom_rule(log_sum, vjp=log_sum_vjp, jvp=log_sum_jvp)


def softly(x, y):
    return soft(x**2, y) * x


def test_a_function_with_a_rule_runs_as_it_is():
    np.testing.assert_array_equal(leaky(POINT), np.maximum(POINT, 0.0))
    assert leaky.__name__ == "leaky"
    with pytest.raises(TypeError, match=r"^custom_rule takes vjp=, jvp= or both$"):
        gradgen.custom_rule(log_sum)


def test_the_rule_stands_for_the_derivative_in_both_modes_and_nested():
    wanted = SLOPE**2 * (POINT > 0)
    np.testing.assert_array_equal(gradgen.grad(twice)(POINT), wanted)
    direction = np.array([1.0, 10.0, 100.0])
    assert gradgen.jvp(twice)(POINT, direction)[1] == wanted @ direction
    value, adjoint = gradgen.vjp(leaky)(POINT, direction)
    np.testing.assert_array_equal(value, np.maximum(POINT, 0.0))
    np.testing.assert_array_equal(adjoint, SLOPE * direction * (POINT > 0))
    np.testing.assert_array_equal(gradgen.jacobian(leaky)(POINT), SLOPE * np.diag(POINT > 0))


@pytest.mark.parametrize("target", ["numpy", "python"])
def test_a_rule_that_is_the_derivative_gives_that_of_the_function_to_the_second_order(target):
    """By hand, with p = exp(x**2 - l) and q = exp(y - l), of x * l(x**2, y)."""
    x, y = 0.75, 0.25
    level = np.log(np.exp(x**2) + np.exp(y))
    p, q = np.exp(x**2 - level), np.exp(y - level)
    options = {"wrt": ("x", "y"), "target": target, "shapes": ""}
    value, gradient = gradgen.value_and_grad(softly, **options)(x, y)
    assert value == pytest.approx(x * level, rel=1e-14)
    assert gradient == pytest.approx((level + 2 * x**2 * p, x * q), rel=1e-14)
    mixed = q - 2 * x**2 * p * q
    wanted = [[2 * x * p + 4 * x * p + 4 * x**3 * p * q, mixed], [mixed, x * p * q]]
    np.testing.assert_allclose(np.array(gradgen.hessian(softly, **options)(x, y)), wanted, 1e-13)
    tangents = gradgen.hvp(softly, **options)(x, y, 1.0, 2.0)
    np.testing.assert_allclose(tangents, np.array(wanted) @ [1.0, 2.0], 1e-13)


def test_second_derivatives_take_the_value_in_a_rule_by_the_rule_as_well():
    """The rule says d/dx = out, and so d2/dx2 = out; the function itself is x**2."""

    def square(x):
        return x * x

    ruled = gradgen.custom_rule(
        square, vjp=lambda g, out, x: g * out, jvp=lambda out, x, t: t * out
    )
    assert gradgen.grad(ruled)(3.0) == 9.0
    assert gradgen.hessian(ruled)(3.0) == 9.0
    identity = gradgen.custom_rule(
        lambda x: x,
        vjp=lambda g, out, x: 2.0 * g * x * out,
        jvp=lambda out, x, t: 2.0 * t * x * out,
    )
    # d/dx (2 x out) = 2 out + 2 x (2 x out), where out is x and its derivative 2 x out
    assert gradgen.hessian(identity)(3.0) == 2 * 3.0 + 2 * 3.0 * (2 * 3.0 * 3.0)


def test_a_rule_may_be_nonlinear_in_the_adjoint_as_in_clipping_it():
    def clipped(g, out, x):
        return np.clip(g, -1.0, 1.0)

    through = gradgen.custom_rule(lambda v: v, vjp=clipped)

    def f(x):
        return np.sum(through(x) * np.array([5.0, -0.5, -7.0]))

    np.testing.assert_array_equal(gradgen.grad(f)(POINT), [1.0, -0.5, -1.0])


def test_an_argument_without_derivative_has_none_for_an_adjoint():
    def power(x, k, scale):
        return scale * x**k

    def power_vjp(g, out, x, k, scale):
        return np.sum(g) * np.ones_like(x), None, None

    def f(x, s):
        return np.sum(gradgen.custom_rule(power, vjp=power_vjp)(x, 2, scale=s))

    gradient = gradgen.grad(f, wrt=("x", "s"))(POINT, 2.0)
    np.testing.assert_array_equal(gradient[0], np.full(3, 3.0))
    assert gradient[1] == 0.0


RULED = """
import numpy as np
{imported}

SLOPE = 3.0


def leaky_vjp(g, out, x):
    return SLOPE * g * (out > 0)


{above}
def leaky(x):
    return np.maximum(x, 0.0)


def loss(w, X):
    return np.sum(leaky(X @ w) ** 2)
"""
WAYS = [
    ("import gradgen", "@gradgen.custom_rule(vjp=leaky_vjp)"),
    ("from gradgen import custom_rule as ruled", "@ruled(vjp=leaky_vjp)"),
]


@pytest.mark.parametrize(("imported", "above"), WAYS)
def test_a_file_with_a_rule_is_read_and_emitted_without_gradgen(imported, above, tmp_path):
    path = tmp_path / "model.py"
    path.write_text(RULED.format(imported=imported, above=above), "utf-8")
    text = emit_path(f"{path}:loss", shapes="w=n, X=m n")
    assert (
        text[text.index("import numpy") :]
        == '''import numpy as np

SLOPE = 3.0


def loss_value_and_grad(w, X):
    """Value and gradient of loss with respect to w.

    Shapes: w=n, X=m n.

    Not to be differentiated again: the custom rule in line 18 of the source is not
    in this text.
    """
    if w.ndim != 1 or X.ndim != 2 or X.shape[1] != w.shape[0]:
        raise ValueError(
            "loss_value_and_grad takes w of shape (n,) and X of shape (m, n), "
            f"not w.shape={w.shape} and X.shape={X.shape}"
        )
    leaky = np.maximum(X @ w, 0.0)
    value = (leaky**2).sum()

    d_w = 2.0 * (X.T @ (SLOPE * leaky * (leaky > 0)))
    return value, d_w
'''
    )
    X = np.array([[1.0, 2.0], [-3.0, 1.0], [4.0, 5.0]])
    w = np.array([1.0, 2.0])
    kept = np.maximum(X @ w, 0.0)
    value, gradient = run(text, "loss_value_and_grad")(w, X)
    assert value == np.sum(kept**2)
    np.testing.assert_allclose(gradient, X.T @ (SLOPE * 2.0 * kept), rtol=1e-15)
    text = emit_path(f"{path}:leaky", mode="vjp", shapes="x=n")
    assert "the custom rule in line 13 of the source" in text.replace("\n    ", " ")
    np.testing.assert_array_equal(run(text, "leaky_vjp")(kept - 1.0, kept)[1], SLOPE * kept)


def test_another_decorator_with_the_same_keywords_is_refused(tmp_path):
    path = tmp_path / "model.py"
    text = RULED.format(imported="def other(vjp):\n    return lambda f: lambda x: 2.0 * f(x)\n",
                        above="@other(vjp=leaky_vjp)")  # fmt: skip
    path.write_text(text, "utf-8")
    assert refusal(emit_path, f"{path}:loss", shapes="w=n, X=m n") == (
        "leaky is decorated with other; call the undecorated function"
    )
    assert refusal(emit_path, f"{path}:leaky", shapes="x=n", mode="vjp") == (
        "the function is decorated with other, which may change what it computes; "
        "remove the decorator, or differentiate the function it is put on"
    )


def two_adjoints(g, out, x):
    return g, g


def summed(g, out, x):
    return np.sum(g)


def single(g, out, x):
    return g.astype("float32")


def counted(g, out, x):
    return np.zeros(3, dtype=int)


def branching(g, out, x):
    if x[0] > 0.0:
        return g
    return -g


def short(g, x):
    return g


def tangent_of_sum(out, x, t_x):
    return np.sum(t_x)


def tanh(x):
    return np.tanh(x)


OF_FIRST = "for the adjoint of argument 1 of tanh, which is float64[3]; "
BAD_RULES = [
    ({"vjp": two_adjoints}, two_adjoints,
     "two_adjoints gives 2 adjoints for the 1 arguments of tanh; "
     "return one for each, in order; None where there is none"),
    ({"vjp": summed}, summed, f"summed gives float64[] {OF_FIRST}"),
    ({"vjp": single}, single, f"single gives float32[3] {OF_FIRST}"),
    ({"vjp": counted}, counted, f"counted gives int64[3] {OF_FIRST}"),
    ({"jvp": tangent_of_sum}, tangent_of_sum,
     "tangent_of_sum gives float64[] for the tangent of tanh, which is float64[3]; "),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "at", "message"), BAD_RULES)
def test_a_rule_that_gives_what_does_not_fit_is_refused_where_it_stands(rules, at, message):
    def f(x):
        return np.sum(gradgen.custom_rule(tanh, **rules)(x))

    with pytest.raises(gradgen.SourceError) as caught:
        gradgen.emit(f, shapes="x=3")
    assert f"{caught.value.msg}; {caught.value.hint}" == message
    assert caught.value.lineno == at.__code__.co_firstlineno


def test_a_rule_that_cannot_be_read_or_that_the_mode_lacks_is_refused():
    def with_vjp(rule):
        return lambda x: np.sum(gradgen.custom_rule(tanh, vjp=rule)(x))

    assert refusal(gradgen.grad(with_vjp(branching)), POINT) == (
        "`if` depends on a value that is not known while compiling; use np.where(condition, a, b)"
    )
    assert refusal(gradgen.grad(with_vjp(short)), POINT) == (
        "short takes 2 positional arguments, not 3; "
    )
    lacking = "the custom rule of tanh has no {}, which this mode takes{}; give it {}"
    clipped = with_vjp(lambda g, out, x: np.clip(g, -1.0, 1.0))
    assert refusal(gradgen.jvp(clipped), POINT, POINT) == lacking.format(
        "jvp", ", and its vjp is not seen to be linear in the adjoint",
        "a jvp, or use a mode in reverse: grad, vjp",
    )  # fmt: skip

    def forward_only(x):
        return np.sum(gradgen.custom_rule(tanh, jvp=lambda out, x, t: t)(x))

    assert refusal(gradgen.grad(forward_only), POINT) == lacking.format(
        "vjp", "", "one, or use mode jvp"
    )
    assert gradgen.jvp(forward_only)(POINT, POINT)[1] == np.sum(POINT)


def test_a_function_with_a_rule_that_changes_its_argument_is_refused():
    def doubled(x):
        x *= 2.0
        return x

    def f(x):
        y = x + 1.0
        return np.sum(gradgen.custom_rule(doubled, vjp=lambda g, out, x: g)(y))

    assert refusal(gradgen.grad(f), POINT) == (
        "doubled has a custom rule, and changes an argument in place; work on a copy: x = x.copy()"
    )


def test_check_says_that_the_derivative_is_that_of_a_rule():
    report = gradgen.check(twice, shapes="x=3", effort="quick")
    assert report.ok
    line = twice.__code__.co_firstlineno + 1
    why = f"custom rule (line {line}): the derivative is not the slope of the function"
    verdicts = {f.oracle: (f.verdict, f.detail) for f in report.findings if f.subject != "value"}
    for oracle in ("complex step", "differences", "dot product"):
        assert verdicts[oracle] == ("unchecked", why)
    for oracle in ("symbolic", "accuracy"):
        assert verdicts[oracle] == ("unchecked", "a custom rule is not evaluated exactly")
    assert verdicts["tangent"][0] == "agrees"
    assert {f.verdict for f in report.findings if f.oracle == "forward"} == {"agrees"}
    assert gradgen.check(softly, shapes="", effort="quick").ok


def test_assert_grad_ok_takes_a_rule_for_the_derivative_and_names_one_that_is_another():
    assert_grad_ok(softly, (0.75, 0.25), wrt=("x", "y"))
    with pytest.raises(AssertionError) as caught:
        assert_grad_ok(lambda x: np.sum(leaky(x)), (POINT,))
    line = str(caught.value).splitlines()[4]
    assert line == "the slope is not by the custom rule of leaky: is it meant to be another?"


def test_a_rule_keeps_float32_and_takes_plain_numbers_beside_it():
    x = POINT.astype(np.float32)
    value, gradient = gradgen.value_and_grad(lambda x: np.sum(soft(x, 2.0 * x)))(x)
    p = np.exp(x - log_sum(x, 2.0 * x))
    assert value.dtype == gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, p + 2.0 * (1.0 - p), rtol=1e-6)
    gradient = gradgen.grad(lambda x: soft(x, 2.0))(np.float32(1.5))
    assert gradient.dtype == np.float32
    assert gradient == pytest.approx(1.0 / (1.0 + np.exp(0.5)), rel=1e-6)


def test_what_was_emitted_by_a_rule_is_not_differentiated_by_its_text():
    emitted = gradgen.grad(softly, shapes="")
    assert refusal(gradgen.grad(lambda x: emitted(x, 1.0)), 2.0) == AGAIN


def test_the_jacobian_of_a_gradient_is_the_hessian_and_tangents_are_its_columns():
    x, y = 0.75, 0.25
    hessian = np.array(gradgen.hessian(softly, wrt=("x", "y"))(x, y))
    step = 1e-5
    gradient = gradgen.grad(softly, wrt=("x", "y"))
    for k, (dx, dy) in enumerate([(step, 0.0), (0.0, step)]):
        ends = [np.array(gradient(x + s * dx, y + s * dy)) for s in (1, -1)]
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), hessian[:, k], rtol=1e-8)
        along = gradgen.hvp(softly, wrt=("x", "y"))(x, y, float(k == 0), float(k == 1))
        np.testing.assert_allclose(along, hessian[:, k], rtol=1e-14)


def test_a_gradient_by_hand_is_not_judged_by_the_slope_of_such_a_function():
    line = twice.__code__.co_firstlineno + 1
    message = (
        f"twice cannot be audited: custom rule (line {line}): "
        "the derivative is not the slope of the function"
    )
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.audit(twice, lambda x: 9.0 * (x > 0), shapes="x=3", effort="quick")
    assert str(caught.value) == message


def scaled(v, s):
    return s * v


def scaled_vjp(g, out, v, s):
    return s * g, np.sum(v * g)


def test_a_function_with_a_rule_that_may_capture_what_has_a_derivative_is_refused():
    """Its rule tells the derivative by its arguments alone: that by what it captures would be 0."""

    def f(x):
        scale = np.exp(x[0])
        ruled = gradgen.custom_rule(lambda v: scale * v, vjp=lambda g, out, v: scale * g)
        return np.sum(ruled(x))

    assert refusal(gradgen.grad(f), POINT) == (
        "<lambda> has a custom rule, and is defined inside a function; "
        "define it outside, and pass what it reads as arguments"
    )

    def passed(x):
        return np.sum(gradgen.custom_rule(scaled, vjp=scaled_vjp)(x, np.exp(x[0])))

    wanted = np.exp(POINT[0]) * (np.ones(3) + np.array([np.sum(POINT), 0.0, 0.0]))
    np.testing.assert_allclose(gradgen.grad(passed)(POINT), wanted, rtol=1e-15)


def test_a_call_of_custom_rule_without_a_rule_or_with_a_structure_is_refused():
    assert refusal(gradgen.grad(lambda x: gradgen.custom_rule(tanh)(x)), 1.0) == (
        "custom_rule takes a function and vjp=, jvp= or both; "
    )

    def pair(p):
        return p["a"] * p["b"]

    ruled = gradgen.custom_rule(pair, vjp=lambda g, out, p: g)
    assert refusal(gradgen.grad(lambda x: ruled({"a": x, "b": x})), 1.0) == (
        "pair has a custom rule, and takes numbers and arrays only; "
    )
    assert refusal(gradgen.grad(gradgen.custom_rule(lambda x: (x, x), vjp=leaky_vjp)), 1.0) == (
        "<lambda> has a custom rule, and does not give one float or array; "
        "give one, or a function with a rule for each"
    )


def test_a_rewrite_inside_a_rule_is_told_and_applied_in_its_words(tmp_path):
    path = tmp_path / "ruled.py"
    path.write_text(
        "import numpy as np\nfrom gradgen import custom_rule\n\n\n"
        "def rule(g, out, x):\n    return g * (1.0 - np.exp(-out))\n\n\n"
        "@custom_rule(vjp=rule)\ndef bent(x):\n    return np.log(1.0 + np.exp(x))\n\n\n"
        "def f(x, y):\n    return bent(x * y) + bent(x) * y\n",
        "utf-8",
    )
    done = CliRunner().invoke(cli, ["check", f"{path}:f", "--wrt", "x,y", "--effort", "quick"])
    assert done.exit_code == 0 and "a custom rule is not evaluated" in done.output
    emitted = CliRunner().invoke(cli, ["emit", f"{path}:f", "--wrt", "x,y"]).output
    assert emitted.count("log(1 + exp(x)) overflows") == 1
    stable = CliRunner().invoke(cli, ["emit", f"{path}:f", "--wrt", "x,y", "--stabilize"]).output
    assert "# Stabilized: line 6: 1.0 - np.exp(-out) became -np.expm1(-out).\n" in stable
    namespace = {}
    exec(stable, namespace)
    # by hand: the rule is 1 - exp(-log(1 + e^z)) = e^z / (1 + e^z)
    x, y = 0.75, -1.25
    s, t = (1 / (1 + math.exp(-z)) for z in (x * y, x))
    wanted = (y * s + y * t, x * s + math.log(1 + math.exp(x)))
    assert namespace["f_value_and_grad"](x, y)[1] == pytest.approx(wanted, rel=1e-14)
