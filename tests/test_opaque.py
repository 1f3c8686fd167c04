"""Functions that are called and never read, with rules; and what the rules of all functions do."""

import functools
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.interpolate import CubicSpline

import gradgen
from gradgen.api import emit_path
from gradgen.cli import cli

KNOTS = np.linspace(0.0, 3.0, 7)
POINT = np.array([0.3, 1.2, 2.7])
A = np.array([[4.0, 1.0, 0.0], [0.5, 3.0, 0.2], [0.0, 1.0, 5.0]])
B = np.array([1.0, 2.0, -1.0])
STEP = 1e-6

SOLVERS = '''"""Iterations that cannot be read."""

import os

import numpy as np

if os.environ.get("CANARY"):
    open(os.environ["CANARY"], "w").close()


def root(a, start=1.0):
    """The root of x**3 + x = a, by Newton's method."""
    x, step = start, 1.0
    while abs(step) > 1e-14 * abs(x):
        step = (x**3 + x - a) / (3.0 * x**2 + 1.0)
        x = x - step
    return x


def solve(A, b):
    """The solution of A x = b, by Jacobi's method."""
    x = np.zeros_like(b)
    while np.max(np.abs(b - A @ x)) > 1e-15:
        x = x + (b - A @ x) / np.diag(A)
    return x
'''
MODEL = """import gradgen
import numpy as np
from solvers import root as newton, solve


def root_vjp(g, out, a, start):
    return g / (3.0 * out**2 + 1.0), None


def solve_vjp(g, out, A, b):
    u = np.linalg.solve(A.T, g)
    return -np.outer(u, out), u


root = gradgen.custom_rule(newton, vjp=root_vjp, result=lambda a, start=1.0: a)
jacobi = gradgen.custom_rule(solve, vjp=solve_vjp, result=lambda A, b: b)


def f(a, b):
    return root(a * b, start=0.5) * a


def g(A, b):
    return np.sum(jacobi(A, b) ** 2)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "solvers.py").write_text(SOLVERS, "utf-8")
    (tmp_path / "model.py").write_text(MODEL, "utf-8")
    return tmp_path


def body(text):
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")).strip()


def refusal(function, *args, **keywords):
    with pytest.raises(gradgen.SourceError) as caught:
        function(*args, **keywords)
    error = caught.value
    return f"{error.lineno}: {error.msg}; {error.hint}"


def without_gradgen(program, folder, **environment):
    """What a program prints that cannot import gradgen."""
    program = f"import sys; sys.modules['gradgen'] = None; {program}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return done.stdout


# -- what is emitted -------------------------------------------------------------------------------


def test_an_opaque_call_stays_a_call_and_the_file_imports_the_function(folder, monkeypatch):
    canary = folder / "executed"
    monkeypatch.setenv("CANARY", str(canary))
    out = folder / "f_grad.py"
    command = ["emit", f"{folder / 'model.py'}:f", "--wrt", "a,b", "--shapes", "a=scalar, b=scalar"]
    done = CliRunner().invoke(cli, [*command, "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert not canary.exists()
    assert (
        body(out.read_text("utf-8"))
        == '''from solvers import root


def f_value_and_grad(a, b):
    """Value and gradient of f with respect to a and b.

    Not to be differentiated again: the custom rule in line 20 of the source is not
    in this text.
    """
    root_value = root(a * b, start=0.5)
    value = root_value * a

    d_a_1 = a / (3.0 * root_value**2 + 1.0)
    d_a = root_value + d_a_1 * b
    return value, (d_a, d_a_1 * a)'''
    )
    assert refusal(emit_path, f"{out}:f_value_and_grad", mode="vjp") == (
        "12: this emitted function cannot be differentiated again: its text lacks what its source "
        "says of derivatives; differentiate the source, in mode hvp, hessian or jvp"
    )
    program = "from f_grad import f_value_and_grad; print(*f_value_and_grad(2.0, 5.0)[1])"
    d_a, d_b = map(float, without_gradgen(program, folder).split())
    # x**3 + x = 10 at 2, where dx/d(ab) = 1/13, and f = a x
    assert (d_a, d_b) == pytest.approx((2.0 + 2.0 * 5.0 / 13.0, 4.0 / 13.0), rel=1e-14)


def test_a_solver_is_differentiated_by_the_implicit_function_in_every_mode(folder, monkeypatch):
    location = f"{folder / 'model.py'}:g"
    options = {"wrt": ("A", "b"), "shapes": "A=n n, b=n"}
    text = emit_path(location, **options)
    assert (
        body(text).partition("    solve_value")[2]
        == """ = solve(A, b)
    value = (solve_value**2).sum()

    d_b = np.linalg.solve(A.T, 2.0 * solve_value)
    d_A = -np.outer(d_b, solve_value)
    return value, (d_A, d_b)"""
    )
    monkeypatch.syspath_prepend(str(folder))
    names = {}
    for mode in ("grad", "jvp", "hvp", "pair"):
        exec(emit_path(location, mode=mode, **options), names)
    sys.modules.pop("solvers")

    def value(A, b):
        return np.sum(np.linalg.solve(A, b) ** 2)

    t_A, t_b = np.cos(np.arange(9.0)).reshape(3, 3), np.array([0.3, -1.0, 2.0])
    d_A, d_b = names["g_grad"](A, B)
    solution = np.linalg.solve(A, B)
    np.testing.assert_allclose(d_b, 2.0 * np.linalg.solve(A.T, solution), rtol=1e-13)
    along = np.sum(d_A * t_A) + d_b @ t_b
    slope = (value(A + STEP * t_A, B + STEP * t_b) - value(A - STEP * t_A, B - STEP * t_b)) / (
        2 * STEP
    )
    assert along == pytest.approx(slope, rel=1e-8)
    # by transposing the vjp
    assert names["g_jvp"](A, B, t_A, t_b)[1] == pytest.approx(along, rel=1e-13)
    found = names["g_hvp"](A, B, t_A, t_b)
    ends = [names["g_grad"](A + s * t_A, B + s * t_b) for s in (STEP, -STEP)]
    for product, after, before in zip(found, *ends, strict=True):
        np.testing.assert_allclose(product, (after - before) / (2 * STEP), rtol=1e-7, atol=1e-9)
    result, saved = names["g_forward"](A, B)
    assert result == pytest.approx(value(A, B), rel=1e-14)
    np.testing.assert_array_equal(names["g_backward"](saved, 1.0)[0], d_A)


WAYS = [
    ("import solvers", "solvers.root", "from solvers import root", "root("),
    ("import solvers as s", "s.root", "from solvers import root", "root("),
    ("from solvers import root", "root", "from solvers import root", "root("),
    ("from solvers import *", "root", "from solvers import root", "root("),
    ("from somewhere.far import fast", "fast", "from somewhere.far import fast", "fast("),
    ("import scipy.optimize", "scipy.optimize.brent", "from scipy.optimize import brent", "brent("),
    ("root = make()", "root", "from model import root", "root("),
]  # fmt: skip


@pytest.mark.parametrize(("bound", "named", "imported", "called"), WAYS)
def test_the_function_is_imported_as_the_users_file_does(bound, named, imported, called, folder):
    (folder / "model.py").write_text(
        f"import gradgen\n{bound}\n\n"
        f"ruled = gradgen.custom_rule({named}, vjp=lambda g, out, a: g * out, result=lambda a: a)"
        "\n\n\ndef f(a):\n    return ruled(a) * 2.0\n",
        "utf-8",
    )
    text = body(emit_path(f"{folder / 'model.py'}:f", shapes="a=scalar"))
    assert text.splitlines()[0] == imported
    assert f" = {called}a)\n" in text


def test_names_are_kept_apart_and_imports_of_one_module_share_a_line(folder):
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").write_text("", "utf-8")
    (package / "model.py").write_text(
        "import gradgen\nfrom . import curves\nfrom .curves import height\n\n"
        "slope = gradgen.custom_rule(curves.slope, result=lambda x: x)\n"
        "ruled = gradgen.custom_rule(height, vjp=lambda g, out, x: g * slope(x),"
        " result=lambda x: x)\n\n\n"
        "@gradgen.custom_rule(vjp=lambda g, out, x: g * out, result=lambda x: x)\n"
        "def own(x):\n    return run(x)\n\n\n"
        "def f(height):\n    return ruled(height) * own(height)\n",
        "utf-8",
    )
    text = emit_path(f"{package / 'model.py'}:f", shapes="height=scalar", mode="grad")
    assert body(text).partition("def")[0] == (
        "from package.curves import height as height_, slope\nfrom package.model import own\n\n\n"
    )
    assert "height_(height)" in text


def test_the_python_target_calls_it_too(folder):
    text = emit_path(f"{folder / 'model.py'}:f", shapes="a=scalar, b=scalar", target="python")
    assert body(text).startswith("from solvers import root\n\n\ndef f_value_and_grad(a, b):")


REFUSED = [
    ("ruled = gradgen.custom_rule(lambda a: a, vjp=rule, result=like)",
     "9: an opaque function has a name that can be imported; "
     "bind it to a name at the top of a module"),
    ("ruled = gradgen.custom_rule(spline.derivative, vjp=rule, result=like)",
     "9: `spline.derivative` is no name that can be imported; "
     "bind it to a name at the top of a module"),
    ("ruled = gradgen.custom_rule(nowhere, vjp=rule, result=like)",
     "9: name `nowhere` is not defined; "),
    ("ruled = gradgen.custom_rule(spline, vjp=rule, result=lambda a: [a])",
     "13: the result= of spline does not give a number or an array; "),
    ("ruled = gradgen.custom_rule(spline, vjp=rule, result=lambda a: 1)",
     "13: spline has a custom rule, and does not give one float or array; "
     "give one, or a function with a rule for each"),
    ("ruled = gradgen.custom_rule(spline, result=like)",
     "13: the derivative of spline is needed, which is opaque and has no rule; "
     "give it one: custom_rule(..., vjp=..., result=...)"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "message"), REFUSED)
def test_what_cannot_be_imported_or_does_not_fit_is_refused(declared, message, tmp_path):
    path = tmp_path / "model.py"
    path.write_text(
        "import gradgen\n\nspline = make()\nlike = lambda a: a\n\n"
        "def rule(g, out, a):\n    return g\n\n"
        f"{declared}\n\n\ndef f(a):\n    return ruled(a)\n",
        "utf-8",
    )
    assert refusal(emit_path, f"{path}:f", shapes="a=scalar") == message


def test_an_argument_of_which_no_shape_is_declared_is_asked_for(folder):
    """Whether an opaque function computes number by number is not known."""
    assert refusal(emit_path, f"{folder / 'model.py'}:f") == (
        "20: the shape of the argument `a`, `b` is needed here; "
        'declare it: --shapes "a=n" (or "a=scalar" for one number)'
    )


# -- live functions --------------------------------------------------------------------------------

CALLS = []


def counted(name, function):
    def call(x):
        CALLS.append(name)
        return function(x)

    return call


sine = CubicSpline(KNOTS, np.sin(KNOTS))
height = counted("height", sine)
slope = counted("slope", sine.derivative())
bend = gradgen.custom_rule(counted("bend", sine.derivative(2)), result=lambda x: x)
ruled_slope = gradgen.custom_rule(slope, vjp=lambda g, out, x: g * bend(x), result=lambda x: x)
curve = gradgen.custom_rule(height, vjp=lambda g, out, x: g * ruled_slope(x), result=lambda x: x)


def energy(x):
    return np.sum(curve(x) ** 2)


def length(x):
    return np.sum(curve(x)) + 0.0 * np.sum(curve(x) * x)


def test_a_spline_is_differentiated_by_its_derivatives_to_the_second_order():
    first, second = sine(POINT, 1), sine(POINT, 2)
    gradient = 2.0 * sine(POINT) * first
    np.testing.assert_allclose(gradgen.grad(energy)(POINT), gradient, rtol=1e-14)
    direction = np.array([1.0, 10.0, 100.0])
    assert gradgen.jvp(energy)(POINT, direction)[1] == pytest.approx(gradient @ direction)
    product = gradgen.hvp(energy)(POINT, direction)
    hessian = 2.0 * (first**2 + sine(POINT) * second)
    np.testing.assert_allclose(product, hessian * direction, rtol=1e-13)
    np.testing.assert_allclose(
        gradgen.jacobian(curve, shapes="x=3")(POINT), np.diag(first), rtol=1e-14
    )
    value, adjoint = gradgen.vjp(curve)(POINT, direction)
    np.testing.assert_array_equal(value, sine(POINT))
    np.testing.assert_allclose(adjoint, first * direction, rtol=1e-14)
    of_one = gradgen.hessian(lambda x: curve(x) * x)(0.75)
    assert of_one == pytest.approx(2.0 * sine(0.75, 1) + 0.75 * sine(0.75, 2), rel=1e-13)


def test_a_third_derivative_takes_a_rule_that_there_is_not():
    assert refusal(gradgen.hvp(lambda x: np.sum(ruled_slope(x) ** 2)), POINT, POINT).endswith(
        "the derivative of bend is needed, which is opaque and has no rule; "
        "give it one: custom_rule(..., vjp=..., result=...)"
    )


def test_it_is_called_once_for_the_same_arguments_and_not_where_its_value_is_not_needed():
    gradient = gradgen.value_and_grad(length)
    gradient(POINT)
    CALLS.clear()
    gradient(POINT)
    assert sorted(CALLS) == ["height", "slope"]
    gradient = gradgen.grad(lambda x: np.sum(curve(x)))
    gradient(POINT)
    CALLS.clear()
    gradient(POINT)
    assert CALLS == ["slope"]


def test_one_that_no_module_names_is_called_and_not_emitted_into_a_file():
    local = CubicSpline(KNOTS, np.cos(KNOTS))
    rule = gradgen.custom_rule(local.derivative(), result=lambda x: x)

    def f(x):
        held = gradgen.custom_rule(local, vjp=lambda g, out, x: g * rule(x), result=lambda x: x)
        return np.sum(held(x))

    np.testing.assert_allclose(gradgen.grad(f)(POINT), local(POINT, 1), rtol=1e-14)
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.emit(f, shapes="x=3")
    assert str(caught.value) == (
        "the opaque function local cannot be imported by an emitted file; "
        "bind it to a name at the top of a module"
    )


@functools.cache
def row(k):
    """The same array at every call."""
    return np.arange(3.0) + k


def scaled(x, k):
    return x * row(k)


ROW = gradgen.custom_rule(row, result=lambda k: np.zeros(3))
product = gradgen.custom_rule(
    scaled, vjp=lambda g, out, x, k: (g[0] * ROW(k) * x[0], None), result=lambda x, k: x
)


def test_emitted_code_does_not_write_into_an_array_that_an_opaque_function_keeps():
    def f(x):
        return product(x, 5)[0] + x[1]

    with np.errstate(all="raise"):
        for _ in range(2):
            gradient = gradgen.grad(f)(np.ones(3))
            np.testing.assert_array_equal(gradient, [5.0, 7.0, 7.0])
    np.testing.assert_array_equal(row(5), [5.0, 6.0, 7.0])


def test_an_array_that_an_opaque_function_knows_is_not_changed_in_place():
    def given(x):
        y = 2.0 * x
        z = curve(y)
        y[0] = 0.0
        return np.sum(z * y)

    def gave(x):
        z = curve(x)
        z += 1.0
        return np.sum(z)

    def alone(x):
        z = ROW(3) * 1.0 + x
        w = ROW(3)
        w[0] = 1.0
        return np.sum(z * w)

    line = given.__code__.co_firstlineno
    assert refusal(gradgen.grad(given), POINT) == (
        f"{line + 3}: this changes an array that the opaque function height was given or gave, and "
        "may still hold; change a copy of it: .copy()"
    )
    line = gave.__code__.co_firstlineno
    assert refusal(gradgen.grad(gave), POINT) == (
        f"{line + 2}: an update of an array that may or may not share memory with another; "
        "store into the array itself, or into a copy: .copy()"
    )
    line = alone.__code__.co_firstlineno
    assert refusal(gradgen.grad(alone), POINT) == (
        f"{line + 3}: this changes an array that the opaque function row was given or gave, and "
        "may still hold; change a copy of it: .copy()"
    )


# -- the jvp that a vjp tells ----------------------------------------------------------------------


def weighted(x, w):
    return np.exp(x) * np.sum(w)


def weighted_vjp(g, out, x, w):
    return g * out, np.sum(g * np.exp(x)) * np.ones_like(w)


def weighted_jvp(out, x, w, t_x, t_w):
    return t_x * out + np.exp(x) * np.sum(t_w)


def test_the_jvp_is_the_transpose_of_a_vjp_that_is_linear():
    by_vjp = gradgen.custom_rule(weighted, vjp=weighted_vjp)
    by_both = gradgen.custom_rule(weighted, vjp=weighted_vjp, jvp=weighted_jvp)
    w, t_x, t_w = np.array([0.5, 2.0]), np.array([1.0, -2.0, 0.5]), np.array([3.0, 1.0])
    found = []
    for ruled in (by_vjp, by_both, weighted):
        of = functools.partial(lambda r, x, w: np.sum(r(x, w) ** 2 * x), ruled)
        tangent = gradgen.jvp(of, wrt=("x", "w"))(POINT, w, t_x, t_w)[1]
        found.append([tangent, *gradgen.hvp(of, wrt=("x", "w"))(POINT, w, t_x, t_w)])
    for ours, both, plain in zip(*found, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-13)
        np.testing.assert_allclose(both, plain, rtol=1e-13)


NONLINEAR = [
    lambda g, out, x: np.clip(g, -1.0, 1.0),
    lambda g, out, x: g * (g > 0),
    lambda g, out, x: g + 1.0,
    lambda g, out, x: np.concatenate([g[:2], np.ones(1)]),
    lambda g, out, x: g * np.sum(g),
    lambda g, out, x: gradgen.stop_gradient(g) * out,
    lambda g, out, x: np.where(g > 0, g, 2.0 * g),
    lambda g, out, x: curve(g),
]


@pytest.mark.parametrize("rule", NONLINEAR)
def test_no_jvp_is_made_of_a_vjp_that_may_not_be_linear(rule):
    ruled = gradgen.custom_rule(np.sinh, vjp=rule, result=lambda x: x)
    assert refusal(gradgen.jvp(lambda x: np.sum(ruled(x))), POINT, POINT).partition(": ")[2] == (
        "the custom rule of sinh has no jvp, which this mode takes, and its vjp is not seen to be "
        "linear in the adjoint; give it a jvp, or use a mode in reverse: grad, vjp"
    )


def exponential_vjp(g, out, x):
    return g * exponential(x)


def exponential_jvp(out, x, t_x):
    return t_x * exponential(x)


exponential = gradgen.custom_rule(
    np.exp, vjp=exponential_vjp, jvp=exponential_jvp, result=lambda x: x
)


def test_a_rule_may_call_the_function_itself():
    def f(x):
        return np.sum(exponential(2.0 * x))

    np.testing.assert_allclose(gradgen.grad(f)(POINT), 2.0 * np.exp(2.0 * POINT), rtol=1e-15)
    np.testing.assert_allclose(gradgen.hvp(f)(POINT, POINT), 4.0 * np.exp(2.0 * POINT) * POINT)


# -- lanes that np.where does not read -------------------------------------------------------------


def root_vjp(g, out, x):
    return 0.5 * g / out


def root_jvp(out, x, t_x):
    return 0.5 * t_x / out


def scaled_root_vjp(g, out, x, s):
    return 0.5 * s * g / np.sqrt(x), np.sum(g * out / s) + np.sum(g * np.log(x)) * 0.0


ROOTS = [{"vjp": root_vjp, "jvp": root_jvp}, {"vjp": root_vjp}]


@pytest.mark.parametrize("rules", ROOTS)
def test_trap_01_a_rule_that_is_infinite_where_nobody_reads_it_leaks_nothing(rules):
    root = gradgen.custom_rule(lambda x: np.sqrt(x), **rules)
    x = np.array([0.0, 4.0, 9.0])
    live = np.array([False, True, True])

    def f(x):
        return np.sum(np.where(x > 1.0, root(x), x))

    def nested(x):
        return np.sum(np.where(x > 1.0, root(np.sqrt(x)), x))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wanted = np.where(live, 0.5 / np.sqrt(np.where(live, x, 1.0)), 1.0)
        np.testing.assert_allclose(gradgen.grad(f)(x), wanted, rtol=1e-15)
        assert gradgen.jvp(f)(x, np.ones(3))[1] == pytest.approx(wanted.sum(), rel=1e-15)
        second = np.where(live, -0.25 * np.where(live, x, 1.0) ** -1.5, 0.0)
        np.testing.assert_allclose(gradgen.hvp(f)(x, np.ones(3)), second, rtol=1e-14)
        fourth = np.where(live, 0.25 * np.where(live, x, 1.0) ** -0.75, 1.0)
        np.testing.assert_allclose(gradgen.grad(nested)(x), fourth, rtol=1e-14)
        of_number = gradgen.grad(lambda x: np.where(x > 1.0, root(x), x))
        assert (of_number(0.0), of_number(4.0)) == (1.0, 0.25)


def test_trap_01_a_rule_that_sums_over_lanes_leaves_out_those_that_nobody_reads():
    root = gradgen.custom_rule(lambda x, s: s * np.sqrt(x), vjp=scaled_root_vjp)
    x = np.array([0.0, 4.0, 9.0])

    def f(x, s):
        return np.sum(np.where(x > 1.0, root(x, s), x))

    d_x, d_s = gradgen.grad(f, wrt=("x", "s"))(x, 2.0)
    np.testing.assert_allclose(d_x, [1.0, 0.5, 1.0 / 3.0], rtol=1e-15)
    assert d_s == pytest.approx(5.0, rel=1e-15)


def length_vjp(g, out, x):
    return g * x / out


def unit_vjp(g, out, x):
    return (g - out * np.sum(g * out)) / np.sqrt(np.sum(x**2))


def test_trap_01_nothing_leaks_from_a_number_that_is_not_read():
    norm = gradgen.custom_rule(lambda x: np.sqrt(np.sum(x**2)), vjp=length_vjp)

    unit = gradgen.custom_rule(lambda x: x / np.sqrt(np.sum(x**2)), vjp=unit_vjp)

    def f(x, s):
        return np.where(s > 0.0, norm(np.sqrt(x)), 2.0) * s

    def whole(x, s):
        return np.sum(np.where(s > 0.0, unit(np.sqrt(x)), 2.0)) * s

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x, s in [(np.zeros(2), -1.0), (np.array([9.0, 16.0]), 3.0)]:
            # the norm is the root of the sum, of which the gradient is 1 / (2 norm)
            wanted = s * np.full(2, 0.1) if s > 0.0 else np.zeros(2)
            np.testing.assert_allclose(gradgen.grad(f)(x, s), wanted, rtol=1e-15)
            # of (a + b) / norm with a = 3, b = 4: (1 - a (a + b) / 25) / 5, and da/dx = 1 / 6
            wanted = s * np.array([4.0 / 25.0 / 30.0, -3.0 / 25.0 / 40.0]) * (s > 0.0)
            with np.errstate(invalid="ignore"):  # of the function itself
                np.testing.assert_allclose(gradgen.grad(whole)(x, s), wanted, rtol=1e-13)


def test_trap_01_a_rule_that_mixes_lanes_is_left_as_it_is():
    """Of the cumulative sum every item counts for those behind it, also where it is not read."""
    summed = gradgen.custom_rule(
        lambda x: np.cumsum(x), vjp=lambda g, out, x: np.cumsum(g[::-1])[::-1]
    )

    def f(x):
        return np.sum(np.where(np.arange(3) == 2, summed(x**2), 0.0))

    np.testing.assert_array_equal(gradgen.grad(f)(POINT), 2.0 * POINT)

    def centred(x):
        return x - np.mean(x)

    def centred_vjp(g, out, x):
        return g * np.exp(np.sum(x) - np.sum(x)) - np.mean(g)

    mixed = gradgen.custom_rule(centred, vjp=centred_vjp)

    def h(x):
        return np.sum(np.where(x > 1.0, mixed(x) ** 2, 0.0))

    live = POINT > 1.0
    g = 2.0 * centred(POINT) * live
    np.testing.assert_allclose(gradgen.grad(h)(POINT), g - np.mean(g), rtol=1e-14)


# -- the oracles -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "verdict"), [("", "agrees"), (" * 1.0000001", "differs")])
def test_check_compares_the_rule_of_an_opaque_function_with_differences(factor, verdict, folder):
    path = folder / "model.py"
    solvers = folder / "solvers.py"
    solvers.write_text(SOLVERS.replace("while abs(step) > 1e-14 * abs(x):", "for _ in range(80):"))
    path.write_text(MODEL.replace("+ 1.0), None", f"+ 1.0){factor}, None"), "utf-8")
    done = CliRunner().invoke(
        cli, ["check", f"{path}:f", "--shapes", "a=scalar, b=scalar", "--effort", "quick",
              "--domain", "a in [0.5, 2], b in [0.5, 2]", "--json"],
    )  # fmt: skip
    sys.modules.pop("solvers", None)
    assert done.exit_code == (verdict == "differs"), done.output
    found = {
        f["oracle"]: (f["verdict"], f["detail"])
        for f in json.loads(done.stdout)["findings"] if f["subject"] != "value"
    }  # fmt: skip
    assert found["differences"][0] == verdict
    assert found["complex step"] == (
        "unchecked", "root (line 20) takes no complex numbers, or is not analytic in them",
    )  # fmt: skip
    assert found["symbolic"] == (
        "unchecked", "the opaque function root is not evaluated exactly",
    )  # fmt: skip


def test_a_certificate_is_of_a_file_that_imports_what_lies_beside_it(tmp_path):
    path, out = tmp_path / "doubling.py", tmp_path / "doubling_grad.py"
    path.write_text(
        "import gradgen\n\n\n"
        "@gradgen.custom_rule(vjp=lambda g, out, x: 2.0 * g, result=lambda x: x)\n"
        "def twice(x):\n    while True:\n        return x + x\n\n\n"
        "def f(x):\n    return twice(x) * x\n",
        "utf-8",
    )
    command = ["emit", f"{path}:f", "--shapes", "x=scalar", "-o", str(out)]
    done = CliRunner().invoke(cli, [*command, "--certify", "--effort", "quick"])
    assert done.exit_code == 0, done.output
    text = out.read_text("utf-8")
    assert '"differences": "1 agreeing' in text and "\nfrom doubling import twice\n" in text
    assert CliRunner().invoke(cli, ["verify", str(out)]).exit_code == 0


def test_compare_does_not_count_what_it_cannot_see(folder):
    command = ["compare", f"{folder / 'model.py'}:f", "--shapes", "a=scalar, b=scalar"]
    done = CliRunner().invoke(cli, command)
    assert (done.exit_code, done.stderr) == (
        2, "gradgen: error: f calls the opaque function root, of which the operations cannot be "
        "counted\n",
    )  # fmt: skip
