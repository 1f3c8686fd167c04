"""The examples and the README: what they say is what happens."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gradgen.api import emit_path
from gradgen.cli import cli

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))


def code_blocks():
    """The Python code blocks of the README, in order."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)


def test_the_readme_shows_the_example_and_what_is_emitted_for_it():
    source, emitted, *_ = code_blocks()
    assert source in (EXAMPLES / "quickstart.py").read_text("utf-8")
    text = emit_path(f"{EXAMPLES / 'quickstart.py'}:f", wrt=("x1", "x2"))
    body = re.sub(r'    """.*?"""\n', "", text, flags=re.S)
    assert body.endswith(emitted)


def test_the_numbers_in_the_readme_are_those_of_the_emitted_file(tmp_path):
    text = emit_path(f"{EXAMPLES / 'quickstart.py'}:f", wrt=("x1", "x2"))
    (tmp_path / "quickstart_grad.py").write_text(text, "utf-8")
    _, _, session, *_ = code_blocks()
    lines = [line[4:] for line in session.splitlines() if line.startswith(">>> ")]
    program = "\n".join([*lines[:-1], f"print(repr({lines[-1]}))"])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == session.splitlines()[-1]


def test_the_committed_gradients_are_those_that_the_list_asks_for():
    result = CliRunner().invoke(cli, ["sync", "--check", "--config", str(ROOT / "pyproject.toml")])
    assert result.exit_code == 0, result.output


def test_the_certificate_of_the_committed_gradient_holds_and_is_the_one_of_the_readme():
    path = EXAMPLES / "logistic_grad.py"
    result = CliRunner().invoke(cli, ["verify", str(path)])
    assert result.exit_code == 0, result.output
    lines = [line for line in path.read_text("utf-8").splitlines() if "gradgen-certificate" in line]
    digests = [line for line in lines if line.split()[2] in ("source", "body")]
    assert len(digests) == 2
    shown = "\n".join(line for line in lines if line not in digests)
    assert shown in (ROOT / "README.md").read_text("utf-8")


def test_the_audit_in_the_readme_is_the_one_of_the_example(monkeypatch):
    monkeypatch.chdir(ROOT)
    given = ["--against", "examples/logistic.py:hasty_grad", "--shapes", "w=d, X=n d, y=n"]
    result = CliRunner().invoke(cli, ["audit", "examples/logistic.py:loss", *given])
    assert result.exit_code == 1
    told = result.output[result.output.index("called:") :]
    assert told in (ROOT / "README.md").read_text("utf-8")
    right = [*given[:1], "examples/logistic.py:loss_grad", *given[2:]]
    assert CliRunner().invoke(cli, ["audit", "examples/logistic.py:loss", *right]).exit_code == 0


def test_the_emitted_gradient_trains_the_network():
    """At least 90 % of the held-out digits, on the loss curve of the gradient by hand."""
    import mnist_by_hand
    import mnist_mlp_grad
    import mnist_train

    training = mnist_train.train(mnist_mlp_grad.loss_value_and_grad)
    by_hand = mnist_train.train(mnist_by_hand.loss_value_and_grad, 100)
    assert training.accuracy >= 0.9
    assert np.max(np.abs(training.curve[:100] - by_hand.curve)) <= 1e-9


def test_the_training_does_not_import_gradgen():
    program = "import sys, mnist_train, mnist_mlp_grad; print('gradgen' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=EXAMPLES, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_fit_in_the_readme_prints_what_stands_below_it(tmp_path):
    text = (ROOT / "README.md").read_text("utf-8")
    [(program, shown)] = re.findall(
        r"```python\n([^`]*gradgen\.flat[^`]*)```\n\n```\n(.*?)```", text, re.S
    )
    (tmp_path / "fit.py").write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "fit.py"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == shown


def test_the_structured_fit_finds_the_parameters_it_was_made_from():
    import fit_structured

    result, fitted = fit_structured.fit()
    assert result.success
    # The readings determine every parameter to about NOISE * sqrt(diagonal of (J'J)^-1).
    errors = fit_structured.NOISE * np.sqrt(np.diag(np.linalg.inv(result.jac.T @ result.jac)))
    off = [fitted[name] - truth for name, truth in fit_structured.TRUTH.items()]
    assert (np.abs(np.hstack(off)) < 4 * errors).all()
    assert list(fitted) == list(fit_structured.TRUTH)


def test_the_fit_finds_the_parameters_it_was_made_from():
    import fit_curve

    result = fit_curve.fit()
    assert result.success or result.status == 2  # a loss of precision at the minimum
    # The standard error of each parameter is about NOISE / sqrt(number of readings).
    assert np.abs(result.x - fit_curve.TRUTH).max() < 10 * fit_curve.NOISE / np.sqrt(400)


def test_an_orbit_is_fitted_through_an_opaque_iteration_as_the_readme_shows_it():
    import opaque_kepler as kepler

    (block,) = (block for block in code_blocks() if "def anomaly_vjp" in block)
    assert block in (EXAMPLES / "opaque_kepler.py").read_text("utf-8")
    t = np.linspace(0.0, 12.0, 40)
    orbit, jacobian = kepler.fit(t, kepler.distance(kepler.TRUTH, t))
    np.testing.assert_allclose(orbit, kepler.TRUTH, rtol=1e-12)
    assert "from opaque_kepler import anomaly\n" in jacobian.source
    for k, step in enumerate(1e-6 * np.eye(4)):
        ends = [kepler.distance(kepler.TRUTH + s * step, t) for s in (1.0, -1.0)]
        column = jacobian(kepler.TRUTH, t, t)[:, k]
        np.testing.assert_allclose(column, (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def test_the_straight_through_estimator_finds_the_quantised_weights():
    import straight_through

    weights, losses = straight_through.train()
    # each is rounded after it was moved back by its distance from the grid
    np.testing.assert_allclose(weights, straight_through.TRUTH, rtol=1e-15)
    assert losses[0] > 1.0 and losses[-1] < 1e-25


def printed(name, capsys):
    """What the script of a lecture prints."""
    importlib.import_module(name).main()
    return capsys.readouterr().out


def test_the_derivative_of_the_swell_function_is_that_of_calculus_in_a_third_of_the_operations(
    capsys,
):
    import lecture_swell
    import lecture_swell_grad

    for x in (-1.0, 0.0, 0.5):
        value, slope = lecture_swell_grad.f_value_and_grad(x)
        u = np.exp(x)
        assert value == np.exp(u + u**2) + np.sin(u + u**2)
        np.testing.assert_allclose(slope, lecture_swell.symbolic(x), rtol=1e-14)
    out = printed("lecture_swell", capsys)
    assert "operations of the derivative: 23 by calculus, 7 backward through the program" in out


def test_the_circuit_and_the_exercise_of_the_slides_have_their_numbers(capsys):
    assert printed("lecture_circuit", capsys) == "f = -12; df/dx = -4, df/dy = -4, df/dz = 3\n"
    import lecture_logistic
    import lecture_logistic_grad

    value, d_w = lecture_logistic_grad.loss_value_and_grad(lecture_logistic.W, lecture_logistic.X)
    np.testing.assert_allclose(value, 0.4740, atol=1e-4)
    np.testing.assert_allclose(d_w, -0.3775, atol=1e-4)
    assert "dl/dw = [-0.3775 -0.3775 -0.3775]" in printed("lecture_logistic", capsys)


def test_the_straight_line_program_has_one_gradient_by_four_ways(capsys):
    out = printed("lecture_straight_line", capsys)
    ways = re.findall(r"df/dx1 = (\S+), df/dx2 = (\S+)", out)
    assert ways == [("4.200000", "-1.400000")] * 4


def test_the_multilayer_net_has_one_gradient_by_vectors_by_indices_and_for_a_batch(capsys):
    import lecture_multilayer
    from lecture_multilayer_grad import batch_loss_value_and_grad, loss_value_and_grad
    from lecture_multilayer_index_grad import index_loss_value_and_grad

    W1, b1, W2, b2, x, t = (np.array(value) for value in lecture_multilayer.AT.values())
    value, grads = loss_value_and_grad(W1, b1, W2, b2, x, t)
    # the eight lines of the notes
    h = 1 / (1 + np.exp(-(W1 @ x + b1)))
    y_bar = W2 @ h + b2 - t
    z_bar = (W2.T @ y_bar) * h * (1 - h)
    wanted = (np.outer(z_bar, x), z_bar, np.outer(y_bar, h), y_bar)
    for mine, theirs in zip(grads, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-14)
    numbers = np.concatenate([v.ravel() for v in (W1, b1, W2, b2, x, t)]).tolist()
    by_index = index_loss_value_and_grad(*numbers)
    np.testing.assert_allclose(by_index[0], value, rtol=1e-14)
    np.testing.assert_allclose(by_index[1], np.concatenate([g.ravel() for g in grads]), rtol=1e-13)
    X, T = np.array([x, 2 * x, -x]), np.array([t, t, 1 - t])
    total, of_batch = batch_loss_value_and_grad(W1, b1, W2, b2, X, T)
    each = [loss_value_and_grad(W1, b1, W2, b2, *pair) for pair in zip(X, T, strict=True)]
    np.testing.assert_allclose(total, sum(one[0] for one in each), rtol=1e-14)
    for mine, *theirs in zip(of_batch, *(one[1] for one in each), strict=True):
        np.testing.assert_allclose(mine, sum(theirs), rtol=1e-12)
    assert "W2_bar = np.outer(y_bar, h)" in printed("lecture_multilayer", capsys)
