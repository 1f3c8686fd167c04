"""The warning that a derivative is zero wherever it exists."""

import warnings

import numpy as np
import pytest
from click.testing import CliRunner

import gradgen
from gradgen.cli import cli


def step(x, w):
    return np.sum(np.where(x > w, 1.0, 0.0) * np.floor(w))


def told(f, **options):
    """The warning given when a function is compiled, or nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", gradgen.ZeroDerivativeWarning)
        gradgen.value_and_grad(f, **options)
    return [str(w.message) for w in caught]


def test_a_derivative_that_steps_and_comparisons_make_zero_is_told_with_their_lines():
    first = step.__code__.co_firstlineno
    assert told(step, wrt=("x", "w"), shapes="x=n, w=scalar") == [
        f"step depends on x, w only through steps and comparisons (line {first + 1}): that "
        "derivative is zero wherever it exists."
    ]


@pytest.mark.parametrize("mode", ["grad", "jvp", "vjp"])
def test_it_is_told_in_every_mode_of_first_derivatives(mode):
    with pytest.warns(gradgen.ZeroDerivativeWarning, match=r"^step depends on x only through"):
        getattr(gradgen, mode)(step, wrt="x", shapes="x=n, w=scalar")


@pytest.mark.parametrize(
    "body",
    [
        lambda x, w: np.sum(np.where(x > 0.0, x, 0.0)),  # one way passes a derivative on
        lambda x, w: w * len(x),  # the value depends on the length alone
        lambda x, w: w,
        lambda x, w: w * np.sum(np.ones_like(x)),
        lambda x, w: w * np.sum(gradgen.stop_gradient(np.sign(x))),
        lambda x, w: w * np.sum(np.sign(gradgen.stop_gradient(x))),
        lambda x, w: w + 0.0 * np.sum(x),  # a product is no step, whatever its factor
    ],
)
def test_a_derivative_that_is_zero_for_other_reasons_or_not_at_all_is_not_told(body):
    assert told(body, wrt="x", shapes="x=n, w=scalar") == []


def test_the_command_line_and_the_header_say_it(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("import math\ndef f(x):\n    return 2.0 * math.floor(x)\n", "utf-8")
    result = CliRunner().invoke(cli, ["emit", str(path) + ":f"])
    assert result.exit_code == 0
    said = (
        "f depends on x only through steps and comparisons (line 3): that derivative is zero "
        "wherever it exists."
    )
    assert result.stderr == f"{path}: warning: {said}\n"
    header = [line for line in result.stdout.splitlines() if line.startswith("# ")]
    assert said in " ".join(line[2:] for line in header)
