"""Audits of gradients by hand: what is right passes, what is wrong is found, shrunk and placed."""

import json
import math
import os
from typing import NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

import gradgen
from gradgen.auditing import Hand, audit_path, run
from gradgen.byhand import faults
from gradgen.checking import as_dict
from gradgen.cli import cli
from gradgen.errors import GradgenError
from gradgen.oracles.exact import Unsupported
from gradgen.oracles.subject import from_file, from_function
from gradgen.read import read_live
from tests import golden

# The largest networks take as long as all the others together: they and most of the others are
# tried with the slow tests.
LARGE = {
    "dict_params", "lecture_mnist_single", "lecture_net_batch", "lecture_net_index",
    "lecture_net_vector", "lecture_stacked_logistic", "lecture_three_layers",
}  # fmt: skip
DERIVED = [n for n in golden.names() if golden.load(n).hand]
GOLDEN = [n for n in DERIVED if n not in LARGE]
TRIED = [n if n in GOLDEN[::3] else pytest.param(n, marks=pytest.mark.slow) for n in DERIVED]

MODEL = """\
import numpy as np


def net(W1, b1, W2, b2, x, t):
    h = np.tanh(W1 @ x + b1)
    y = W2 @ h + b2
    return 0.5 * np.sum((y - t) ** 2)


def net_grad(W1, b1, W2, b2, x, t):
    h = np.tanh(W1 @ x + b1)
    d_y = W2 @ h + b2 - t
    d_W2 = np.outer(d_y, h)
    d_z = (W2.T @ d_y) * (1.0 - h * h)
    d_W1 = np.outer(d_z, x)
    return d_W1, d_z, d_W2, d_y


def swapped(W1, b1, W2, b2, x, t):
    h = np.tanh(W1 @ x + b1)
    d_y = W2 @ h + b2 - t
    d_W2 = np.outer(h, d_y)
    d_z = (W2.T @ d_y) * (1.0 - h * h)
    d_W1 = np.outer(d_z, x)
    return d_W1, d_z, d_W2, d_y


def untransposed(W1, b1, W2, b2, x, t):
    h = np.tanh(W1 @ x + b1)
    d_y = W2 @ h + b2 - t
    d_h = W2 @ d_y
    d_z = d_h * (1.0 - h * h)
    return np.outer(d_z, x), d_z, np.outer(d_y, h), d_y


def unsquared(W1, b1, W2, b2, x, t):
    h = np.tanh(W1 @ x + b1)
    d_y = W2 @ h + b2 - t
    d_z = (W2.T @ d_y) * (1.0 - h)
    return np.outer(d_z, x), d_z, np.outer(d_y, h), d_y


def ridge(w, x, y):
    return np.mean((x @ w - y) ** 2) + 0.1 * np.sum(w**2)


def ridge_grad(w, x, y):
    r = x @ w - y
    return 2 * x.T @ r + 0.2 * w


def cube(x):
    return x**3


def cube_grad(x):
    return 3 * x
"""
NET = "W1=h d, b1=h, W2=k h, b2=k, x=d, t=k"
SQUARE_NET = "W1=h h, b1=h, W2=h h, b2=h, x=h, t=h"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL, "utf-8")
    return path


def audit(f, gradient, **options):
    return gradgen.audit(f, gradient, effort="quick", **options)


def path_audit(model, f, gradient, shapes=None, wrt=None):
    return audit_path(f"{model}:{f}", f"{model}:{gradient}", wrt, shapes, effort="quick")


def command(*args):
    done = CliRunner().invoke(cli, ["audit", *map(str, args)])
    return done.exit_code, done.stdout, done.stderr


def wrong(report):
    """The derivatives in which an audit finds an error, entries left out."""
    return {f.subject.partition("[")[0] for f in report.findings if f.verdict == "differs"}


def told(report, oracle="calls"):
    """What the findings of an oracle say."""
    return [(f.subject, f.verdict, f.detail) for f in report.findings if f.oracle == oracle]


# -- what is right -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRIED)
def test_the_derivation_by_hand_of_a_golden_case_is_proved_or_agrees(name, tmp_path):
    case = golden.load(name)
    path = tmp_path / f"{name}.py"
    path.write_text(case.source + case.hand, "utf-8")
    wrt = case.wrt()
    report = audit_path(f"{path}:{case.function}", f"{path}:hand", wrt if isinstance(wrt, str)
                        else tuple(wrt), case.options.get("shapes"), effort="quick")  # fmt: skip
    assert report.ok and not report.unread and report.counterexample is None
    assert report.wrt == ((wrt,) if isinstance(wrt, str) else tuple(wrt))


@pytest.mark.parametrize("name", GOLDEN[::8])
def test_a_derivation_by_hand_that_is_only_called_agrees(name, tmp_path):
    case = golden.load(name)
    path = tmp_path / f"{name}.py"
    path.write_text(case.source + case.hand, "utf-8")
    wrt = case.wrt()
    subject = from_file(f"{path}:{case.function}", wrt if isinstance(wrt, str) else tuple(wrt),
                        case.options.get("shapes"))  # fmt: skip
    hand = Hand("hand", case.namespace()["hand"], unreadable)
    report = run(subject, hand, False, "quick")
    assert report.ok and report.unread == "compiled code"
    assert [v for _, v, _ in told(report, "symbolic")] == ["unchecked"] * len(subject.active)


def unreadable(types):
    raise GradgenError("compiled code")


def both(x, y):
    return x * y + np.sin(x)


STYLES = {
    "a tuple": (lambda x, y: (y + np.cos(x), x), "(d/dx, d/dy)"),
    "a list": (lambda x, y: [y + np.cos(x), x], "(d/dx, d/dy)"),
    "an array of numbers": (lambda x, y: np.array([y + np.cos(x), x]), "(d/dx, d/dy)"),
    "a dict by parameter": (lambda x, y: {"y": x}, "{'y': d/dy}"),
    "one": (lambda x, y: y + np.cos(x), "d/dx"),
    "the value first": (lambda x, y: (x * y + np.sin(x), (y + np.cos(x), x)),
                        "(value, (d/dx, d/dy))"),
    "the value and one": (lambda x, y: (x * y + np.sin(x), y + np.cos(x)), "(value, d/dx)"),
    "0-d arrays": (lambda x, y: (np.array(y + np.cos(x)), np.array(x)), "(d/dx, d/dy)"),
    "arguments in another order": (lambda y, x: (y + np.cos(x), x), "(d/dx, d/dy)"),
    "arguments by other names": (lambda a, b: (b + np.cos(a), a), "(d/dx, d/dy)"),
    "an argument more": (lambda x, y, scale=1.0: (scale * (y + np.cos(x)), x), "(d/dx, d/dy)"),
    "an argument less": (lambda x: {"y": x}, "{'y': d/dy}"),
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_gradients_come_in_many_styles_and_the_report_says_what_they_were_taken_for(style):
    gradient, taken = STYLES[style]
    report = audit(both, gradient)
    assert (report.ok, report.taken, report.unread) == (True, taken, "")
    assert {f.verdict for f in report.findings} == {"proved", "agrees"}


def test_the_report_says_how_the_gradient_was_called():
    assert audit(both, lambda y, x: (y + np.cos(x), x)).called == "<lambda>(x=x, y=y)"
    assert audit(both, lambda a, b: (b + np.cos(a), a)).called == "<lambda>(x, y)"


def squares(x):
    return np.sum(x**2)


def test_lists_serve_as_arrays():
    assert audit(squares, lambda x: [2 * item for item in x], shapes="x=n").ok
    report = audit(squares, lambda x: (2 * x).tolist(), shapes="x=n")
    assert report.ok and "tolist" in report.unread


class Layer(NamedTuple):
    W: np.ndarray
    b: np.ndarray


def layer(p, x):
    return np.sum((p["W"] @ x + p["b"]) ** 2)


def named_layer(p: Layer, x):
    return np.sum((p.W @ x + p.b) ** 2)


def layer_grad(p, x):
    d = 2 * (p["W"] @ x + p["b"])
    return {"W": np.outer(d, x), "b": d}


def named_layer_grad(p, x):
    d = 2 * (p.W @ x + p.b)
    return Layer(np.outer(d, x), d)


def test_structures_are_as_parameters_have_them():
    shapes = "p.W=k n, p.b=k, x=n"
    assert audit(layer, layer_grad, shapes=shapes).taken == "d/dp"
    assert audit(layer, layer_grad, shapes=shapes).ok
    assert audit(named_layer, named_layer_grad, shapes=shapes).ok


def by_steps(x):
    total, k = 0.0 * x, 0
    while k + 0 * x[0] < len(x):
        total[k] = 2 * x[k]
        k += 1
    return total


def test_what_cannot_be_read_is_only_called_and_the_report_says_why():
    report = audit(squares, by_steps, shapes="x=n")
    assert report.ok
    assert report.unread.startswith("`while` depends on a value that is not known while compiling")
    assert report.left_out == [f"symbolic: d/dx: by_steps is only called: {report.unread}"]


def test_compiled_code_is_called():
    report = audit(lambda x: np.sum(np.exp(x)), np.exp, shapes="x=n")
    assert (report.ok, report.called) == (True, "exp(x)")
    assert wrong(audit(lambda x: np.sum(np.cos(x)), np.negative, shapes="x=n")) >= {"d/dx"}


def slopes(x):
    return np.sum(np.tanh(x))


def test_a_right_gradient_that_is_less_accurate_is_not_called_wrong_but_its_ulps_are_told():
    report = audit(slopes, lambda x: 1 - np.tanh(x) ** 2, shapes="x=n", domain="x in [4, 6]")
    assert report.ok
    (_, verdict, detail), = told(report, "50 digits")  # fmt: skip
    lost = float(detail.rpartition("worst ")[2].split()[0])
    # at 5 it is 1.8e-4: the rounding of tanh by half a unit, 6e-17, is 3e-13 of it, some 3,000 ulp
    assert verdict == "agrees" and 100 < lost < 1e5
    accurate = audit(slopes, lambda x: 1 / np.cosh(x) ** 2, shapes="x=n", domain="x in [4, 6]")
    (_, _, detail), = told(accurate, "50 digits")  # fmt: skip
    assert float(detail.rpartition("worst ")[2].split()[0]) < 100


def test_constants_of_seventeen_digits_are_right_and_those_of_seven_are_not():
    def density(x):
        return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)

    report = audit(density, lambda x: -x * 0.3989422804014327 * np.exp(-x * x / 2))
    assert report.ok
    report = audit(density, lambda x: -x * 0.3989423 * np.exp(-x * x / 2))
    assert wrong(report) == {"d/dx"}


def test_one_of_several_results_is_audited():
    assert audit(lambda x: (x, x**2), lambda x: 2 * x, output=1).ok


def test_parameters_that_cannot_be_differentiated_are_passed_over():
    def picked(i, x):
        return np.sum(x[i] ** 2)

    def gradient(i, x):
        d_x = np.zeros_like(x)
        np.add.at(d_x, i, 2 * x[i])
        return d_x

    report = audit(picked, gradient, shapes="i=m:int64, x=n")
    assert (report.ok, report.taken) == (True, "d/dx")


def test_a_file_of_both_functions_is_executed_once(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(
        "import os\n\nos.environ['GRADGEN_RUNS'] = os.environ.get('GRADGEN_RUNS', '') + '.'\n\n\n"
        "def f(x):\n    return x**2\n\n\ndef g(x):\n    return 2 * x\n", "utf-8",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADGEN_RUNS", "")
        assert path_audit(path, "f", "g").ok
        assert os.environ["GRADGEN_RUNS"] == "."


# -- what is no gradient -------------------------------------------------------------------------


def failing(x, y):
    raise ZeroDivisionError("no")


NO_GRADIENTS = {
    "None": (lambda x, y: None, "the result", "the result is None, not d/dx or (value, d/dx)"),
    "text": (lambda x, y: "x", "the result",
             "the result is of type str, not d/dx or (value, d/dx)"),
    "too many": (lambda x, y: (x, y, x), "the result",
                 "the result is a tuple of 3, not d/dx or (value, d/dx)"),
    "complex": (lambda x, y: (y + 0j, x), "the result",
                "the result holds complex numbers for d/dx"),
    "None in it": (lambda x, y: (y, None), "the result", "the result holds None for d/dy"),
    "an exception": (failing, "the call", "raises ZeroDivisionError: no (at 8 of 8 samples)"),
}  # fmt: skip


@pytest.mark.parametrize("what", NO_GRADIENTS)
def test_what_is_no_gradient_gets_a_plain_verdict(what):
    gradient, subject, detail = NO_GRADIENTS[what]
    report = audit(both, gradient)
    assert not report.ok
    assert told(report) == [(subject, "differs", detail)]


def test_an_integer_is_a_number_and_an_array_of_integers_no_gradient():
    report = audit(lambda x: 2 * x, lambda x: 2)
    assert (report.ok, report.remarks) == (True, ["d/dx is int64, taken as float64"])
    report = audit(squares, lambda x: np.zeros(3, int), shapes="x=3")
    assert told(report) == [("d/dx", "differs", "holds int64")]


def test_wrong_shapes_are_told_with_what_would_mend_them():
    flat = audit(lambda W: np.sum(W**2), lambda W: (2 * W).ravel(), shapes="W=n m")
    assert told(flat) == [("d/dW", "differs", "has shape (6,), the argument (3, 2)")]
    assert flat.relations == {"d/dW": "reshaped to (3, 2) it is right"}

    def shifted(b, x):
        return np.sum((x + b) ** 2)

    summed = audit(shifted, lambda b, x: 2 * (x + b), shapes="b=d, x=n d")
    assert told(summed) == [("d/db", "differs", "has shape (2, 3), the argument (3,)")]
    assert summed.relations == {"d/db": "summed over axis 0 it is right"}
    place, = summed.partings  # fmt: skip
    assert (place.text, place.instead) == ("2 * (x + b)", "2.0 * (x + b).sum(axis=0)")


def test_a_wrong_shape_of_one_derivative_does_not_hide_an_error_in_another():
    def product(W, x):
        return np.sum(W @ x)

    report = audit(product, lambda W, x: (np.outer(x, np.ones(len(W))), 2 * W.sum(axis=0)),
                   shapes="W=k n, x=n")  # fmt: skip
    assert wrong(report) == {"d/dW", "d/dx"}
    assert report.relations == {"d/dW": "its transpose is right",
                                "d/dx": "it is 2 times the right one"}  # fmt: skip


def test_a_gradient_that_changes_its_arguments_is_wrong_for_its_callers():
    def careless(x):
        x *= 2
        return x

    report = audit(squares, careless, shapes="x=n")
    assert not report.ok
    assert told(report) == [("the arguments", "differs", "it changes what it is given: x")]
    assert {f.verdict for f in report.findings if f.subject.startswith("d/d")} <= {
        "proved", "agrees",
    }  # fmt: skip


def test_a_wrong_value_beside_a_right_gradient_is_found():
    report = audit(squares, lambda x: (np.sum(x**2) / 2, 2 * x), shapes="x=n")
    assert wrong(report) == {"value"}


REFUSED = {
    "which parameters": (
        lambda x, y: np.exp(x) * y, lambda x, y: (np.exp(x) * y, np.exp(x)),
        "the result of <lambda> is a tuple of 2 and may be (d/dx, d/dy) or (value, d/dx); "
        "name the parameters with --wrt (wrt=)",
    ),
    "in which order": (
        both, lambda y, z: (y, z),
        "<lambda> takes y, z, and both takes x, y: in another order, or by other names? "
        "Give the parameters of both the same names",
    ),
    "how many": (both, lambda a, b, c: a, "<lambda> takes a, b, c, and both takes x, y"),
}  # fmt: skip


@pytest.mark.parametrize("unclear", REFUSED)
def test_what_is_not_clear_is_refused(unclear):
    f, gradient, message = REFUSED[unclear]
    with pytest.raises(GradgenError) as refused:
        audit(f, gradient)
    assert str(refused.value) == message


def test_wrt_makes_it_clear():
    report = audit(lambda x, y: np.exp(x) * y, lambda x, y: (np.exp(x) * y, np.exp(x)),
                   wrt=("x", "y"))  # fmt: skip
    assert (report.ok, report.taken) == (True, "(d/dx, d/dy)")


# -- what is wrong -------------------------------------------------------------------------------


def quadratic(W, x):
    return np.sum((W @ x) ** 2)


def quadratic_grad(W, x):
    return np.outer(2 * W @ x, x)


def entry(g):
    changed = g.copy()
    changed[0, 1] += 1.0
    return changed


PLANTED = {
    "five times": (lambda g: 5 * g, "it is 5 times the right one"),
    "half": (lambda g: g / 2, "it is 1/2 times the right one"),
    "the sign": (lambda g: -g, "it has the wrong sign"),
    "transposed": (lambda g: g.T, "it is the transpose of the right one"),
    "one entry": (entry, "only [0, 1] of 9 entries is wrong"),
    "1e-7": (lambda g: g * (1 + 1e-7), "it is off by 1.0e-07 of itself throughout"),
    "NaN": (lambda g: g * np.nan, "it is NaN"),
    "nothing": (lambda g: 0 * g, "it is 0: the derivative is missing"),
    "an offset": (lambda g: g + 0.5, "it is 1/2 too large"),
}  # fmt: skip


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_error_is_found_and_recognised(planted, read):
    change, relation = PLANTED[planted]

    def gradient(W, x):
        return change(quadratic_grad(W, x))

    subject = from_function(quadratic, "W", "W=n n, x=n")
    reader = (lambda types: read_live(gradient, types)) if read else unreadable
    report = run(subject, Hand("gradient", gradient, reader), False, "quick")
    assert not report.ok and wrong(report) >= {"d/dW"}
    assert report.relations == {"d/dW": relation}
    assert report.counterexample.partial.startswith("d/dW[")


@pytest.mark.parametrize("name", GOLDEN[3::12])
def test_an_error_planted_in_a_golden_case_is_found_in_its_derivative(name, tmp_path):
    case = golden.load(name)
    path = tmp_path / f"{name}.py"
    path.write_text(case.source + case.hand, "utf-8")
    wrt = case.wrt()
    first = wrt if isinstance(wrt, str) else wrt[0]
    subject = from_file(f"{path}:{case.function}", first, case.options.get("shapes"))
    hand = case.namespace()["hand"]

    def planted(**arguments):
        found = hand(**arguments)
        gradient = found if case.mode == "grad" else found[1]
        return (gradient if isinstance(wrt, str) else gradient[0]) * (1 + 1e-7)

    report = run(subject, Hand("planted", planted, unreadable), False, "quick")
    assert not report.ok and report.wrt == (first,)
    assert report.counterexample.partial.startswith(f"d/d{first}")


def test_where_digits_fail_the_emitted_gradient_and_differences_stand_in(monkeypatch):
    def unsupported(*args):
        raise Unsupported("eig")

    monkeypatch.setattr(faults, "session_of", unsupported)
    report = audit(quadratic, quadratic_grad, shapes="W=n n, x=n")
    assert report.ok
    assert told(report, "50 digits") == [
        ("d/dW", "agrees",
         "against the emitted one: an operation is not evaluated at 50 digits"),
    ]  # fmt: skip
    report = audit(quadratic, lambda W, x: 5 * quadratic_grad(W, x), shapes="W=n n, x=n")
    assert report.relations == {"d/dW": "it is 5 times the right one"}
    assert report.counterexample.arguments == {
        "W": "np.array([[1.0]])", "x": "np.array([1.0])",
    }  # fmt: skip


def test_an_audit_is_the_same_each_time():
    one, other = (
        as_dict(audit(quadratic, lambda W, x: quadratic_grad(W, x).T, shapes="W=n n, x=n"))
        for _ in range(2)
    )
    assert one == other


def test_a_factor_that_is_a_length_is_told_as_such():
    report = audit(lambda x: np.mean(x**2), lambda x: 2 * x, shapes="x=n")
    assert report.relations == {"d/dx": "it is n times the right one"}


def test_derivatives_that_are_each_others_are_told():
    report = audit(lambda x, y: x * x * y, lambda x, y: (x * x, 2 * x * y))
    assert report.relations == {"d/dx": "it is d/dy", "d/dy": "it is d/dx"}


# -- counterexamples -----------------------------------------------------------------------------


def shrunk(f, gradient, **options):
    found = audit(f, gradient, **options).counterexample
    return found.partial, float(found.given), float(found.right), found.arguments


def test_a_counterexample_is_as_simple_as_can_be():
    # 3 x is 3 x^2 at 0 and 1; -1 is the next simple number
    assert shrunk(lambda x: x**3, lambda x: 3 * x) == ("d/dx", -3.0, 3.0, {"x": "-1.0"})
    # at length 1 and with W or x zero both are zero
    assert shrunk(quadratic, lambda W, x: 5 * np.outer(2 * W @ x, x), shapes="W=k n, x=n") == (
        "d/dW[0, 0]", 10.0, 2.0, {"W": "np.array([[1.0]])", "x": "np.array([1.0])"},
    )  # fmt: skip
    # 2 x_i instead of 2 x_i / n: at n = 1 they are the same
    assert shrunk(lambda x: np.mean(x**2), lambda x: 2 * x, shapes="x=n") == (
        "d/dx[1]", 2.0, 1.0, {"x": "np.array([0.0, 1.0])"},
    )  # fmt: skip
    # a transposed matrix: not seen at n = 1; W x = (0, 1), and the right one is [[0, 0], [2, 2]]
    assert shrunk(quadratic, lambda W, x: np.outer(x, 2 * W @ x), shapes="W=n n, x=n") == (
        "d/dW[0, 1]", 2.0, 0.0,
        {"W": "np.array([[0.0, 0.0], [0.0, 1.0]])", "x": "np.array([1.0, 1.0])"},
    )  # fmt: skip


def test_a_counterexample_lies_where_there_is_a_derivative_and_in_the_domain():
    # at 0 there is a kink, and any slope a convention
    assert shrunk(lambda x: np.maximum(x, 0.0), lambda x: 1.0) == (
        "d/dx", 1.0, 0.0, {"x": "-1.0"},
    )  # fmt: skip
    assert shrunk(lambda x: np.log(x), lambda x: -1 / x) == ("d/dx", -1.0, 1.0, {"x": "1.0"})
    assert shrunk(lambda x: np.log(x), lambda x: -1 / x, domain="x in [4, 9]")[3] == {"x": "4.0"}


def test_integers_among_the_arguments_are_shrunk_as_well():
    def picked(x, i):
        return x[i] ** 2

    def gradient(x, i):
        d_x = np.zeros(3)
        d_x[i] = 3 * x[i]
        return d_x

    assert shrunk(picked, gradient, shapes="x=3, i=int", wrt="x") == (
        "d/dx[0]", 3.0, 2.0, {"x": "np.array([1.0, 0.0, 0.0])", "i": "0"},
    )  # fmt: skip


def test_formulas_that_differ_by_less_than_floats_show_are_told_apart():
    report = audit(lambda x: x * x, lambda x: 2 * x + x * 1e-12)
    found = report.counterexample
    assert not report.ok and found.arguments == {"x": "1.0"}
    assert math.isclose(float(found.given) - float(found.right), 1e-12, rel_tol=1e-3)
    report = audit(lambda x: x * x, lambda x: 2 * x + x * 1e-14)
    assert report.ok
    (_, verdict, detail), = told(report, "symbolic")  # fmt: skip
    assert verdict == "agrees"
    assert detail == "the formulas differ by 5e-15 of the derivative, which float64 hardly tells"


# -- where they part -----------------------------------------------------------------------------


def line_of(text, after):
    """The number of the first line with a text, from a function on."""
    lines = MODEL.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(f"def {after}("))
    return next(n + 1 for n in range(first, len(lines)) if text in lines[n])


PARTINGS = [
    ("net", "swapped", SQUARE_NET, ("d/dW2",), "np.outer(h, d_y)", "np.outer(d_y, h)", True),
    ("net", "swapped", NET, ("d/dW2",), "np.outer(h, d_y)", "np.outer(d_y, h)", True),
    ("net", "untransposed", SQUARE_NET, ("d/dW1", "d/db1"), "W2 @ d_y", "W2.T @ d_y", False),
    ("net", "unsquared", NET, ("d/dW1", "d/db1"), "1.0 - h", "1.0 - h * h", False),
    ("ridge", "ridge_grad", "w=d, x=n d, y=n", ("d/dw",), "2 * x.T @ r + 0.2 * w",
     "0.2 * w + 2.0 * (x.T @ r) / x.shape[0]", True),
    ("cube", "cube_grad", None, ("d/dx",), "3 * x", "3.0 * x * x", True),
]  # fmt: skip


@pytest.mark.parametrize(("f", "gradient", "shapes", "partials", "text", "instead", "whole"),
                         PARTINGS)  # fmt: skip
def test_the_smallest_expression_is_named_at_which_they_part(
    f, gradient, shapes, partials, text, instead, whole, model
):
    (place,) = path_audit(model, f, gradient, shapes).partings
    assert (place.partials, place.text, place.instead) == (partials, text, instead)
    assert place.whole == whole
    assert (place.path, place.line) == (str(model), line_of(text, gradient))


def test_an_infinity_is_taken_for_no_number_where_they_part():
    def turned(x, y):
        return np.hypot(x, y) + 0.5 * np.arctan2(y, x) ** 2

    def gradient(x, y):
        r = np.hypot(x, y)
        q = np.arctan2(y, x) / (r * r)
        return x / r - q / y, y / r + q * x

    # with 0 for r * r, all would be infinite
    (place,) = audit(turned, gradient).partings
    assert (place.partials, place.text) == (("d/dx",), "q / y")
    r, q = 5.0, np.arctan2(4.0, 3.0) / 25.0
    instead = eval(place.instead, {"np": np, "x": 3.0, "y": 4.0, "r": r, "q": q})
    assert math.isclose(instead, q * 4.0, rel_tol=1e-14)


def test_two_errors_have_two_places():
    def gradient(W, x):
        y = W @ x
        return np.outer(y, x), 2 * W @ y

    found = audit(quadratic, gradient, shapes="W=n n, x=n").partings
    assert [(place.partials, place.text) for place in found] == [
        (("d/dW",), "np.outer(y, x)"), (("d/dx",), "2 * W @ y"),
    ]  # fmt: skip


# -- the command ---------------------------------------------------------------------------------


def test_the_command_passes_what_is_right(model):
    code, out, err = command(f"{model}:net", "--against", f"{model}:net_grad", "--shapes", NET,
                             "--effort", "quick")  # fmt: skip
    assert (code, err) == (0, "")
    for oracle in ("calls", "symbolic", "50 digits", "complex step", "differences", "dot product"):
        assert oracle in out
    assert "its result taken for (d/dW1, d/db1, d/dW2, d/db2)" in out
    assert out.splitlines()[-1].startswith("net_grad agrees, ")


def test_the_command_tells_what_is_wrong_and_where(model):
    code, out, err = command(f"{model}:cube", "--against", f"{model}:cube_grad")
    assert (code, err) == (1, "")
    assert out[out.index("called:"):] == (
        "called:\n"
        "  cube_grad(x=x), its result taken for d/dx\n"
        "counterexample:\n"
        "  x = -1.0\n"
        "  d/dx is given as -3.0; right is 3.0\n"
        "where they part:\n"
        f"  {model}:{line_of('3 * x', 'cube_grad')}: return 3 * x\n"
        "  `3 * x`, which should be `3.0 * x * x` (d/dx)\n"
        "cube_grad is wrong: d/dx\n"
    )  # fmt: skip


def test_json_holds_the_whole_report(model):
    code, out, _ = command(f"{model}:cube", "--against", f"{model}:cube_grad", "--json",
                           "--effort", "quick")  # fmt: skip
    found = json.loads(out)
    assert code == 1 and found["ok"] is False and found["against"] == "cube_grad"
    assert found["counterexample"] == {
        "partial": "d/dx", "given": "-3.0", "right": "3.0", "arguments": {"x": "-1.0"},
        "formulas_only": False,
    }  # fmt: skip
    assert found["partings"][0]["instead"] == "3.0 * x * x"


@pytest.mark.parametrize(("gradient", "said"), [
    ("model.py", "model.py: expected PATH.py:function"), ("model.py:no", "there is no function no"),
    ("none.py:g", "none.py"),
])  # fmt: skip
def test_misuse_ends_with_2(gradient, said, model):
    code, _, err = command(f"{model}:cube", "--against", model.parent / gradient)
    assert code == 2 and said in err


def test_without_time_nothing_is_settled(model):
    code, out, _ = command(f"{model}:cube", "--against", f"{model}:cube_grad", "--seconds", "0")
    assert code == 1 and out.splitlines()[-1] == "cube_grad: not settled"


def test_the_help_says_that_both_files_are_executed():
    _, out, _ = command("--help")
    assert "Both files are executed" in " ".join(out.split())
