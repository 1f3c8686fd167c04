"""The command `gradgen check` and what is behind it: exit codes, table, JSON, planted errors."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

import gradgen
from gradgen import checking
from gradgen.cli import cli
from gradgen.errors import GradgenError
from gradgen.oracles.subject import from_file

MODEL = """\
import numpy as np


def loss(W, b, x, y):
    r = np.tanh(x @ W + b) - y
    return np.mean(r**2)


def entropy(p):
    return -np.sum(p * np.log(p))
"""
SHAPES = ["--shapes", "W=d, b=scalar, x=n d, y=n"]
PLANTED = {
    "five times": lambda g: 5.0 * g, "the sign": lambda g: -g, "zero": lambda g: 0.0 * g,
    "NaN": lambda g: g * np.nan, "1e-7": lambda g: g * (1.0 + 1e-7),
    "one entry": lambda g: g + np.eye(1, len(g))[0] * 1e-3,
}  # fmt: skip


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL, "utf-8")
    return path


def run(*args):
    done = CliRunner().invoke(cli, ["check", *map(str, args)])
    return done.exit_code, done.stdout, done.stderr


def test_every_oracle_reports_by_itself(model):
    code, out, err = run(f"{model}:loss", "--wrt", "W,b", *SHAPES)
    assert (code, err) == (0, "")
    for oracle in ("forward", "symbolic", "complex step", "differences", "dot product", "tangent"):
        assert oracle in out


def test_json_holds_every_finding(model):
    code, out, _ = run(f"{model}:loss", "--wrt", "W,b", *SHAPES, "--json", "--effort", "quick")
    found = json.loads(out)
    assert code == 0 and found["ok"] is True and found["effort"] == "quick"
    assert {f["verdict"] for f in found["findings"]} <= {"proved", "agrees", "unchecked"}


def test_what_is_assumed_of_the_arguments_is_said(model):
    code, out, _ = run(f"{model}:entropy", "--shapes", "p=n", "--domain", "p in [0.1, 1]")
    assert code == 0 and "assumed" not in out
    _, out, _ = run(f"{model}:entropy", "--shapes", "p=n")
    assert "p > 0" in out


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_error_ends_with_1_and_its_arguments(planted, model, monkeypatch):
    def wrong(*args, **named):
        subject = from_file(*args, **named)

        def emitted(**given):
            value, (d_W, d_b) = subject.emitted(**given)
            return value, (PLANTED[planted](d_W), d_b)

        return dataclasses.replace(subject, emitted=emitted)

    monkeypatch.setattr(checking, "from_file", wrong)
    code, out, _ = run(f"{model}:loss", "--wrt", "W,b", *SHAPES)
    assert code == 1
    assert "differs" in out and "    W = " in out


@pytest.mark.parametrize(("args", "said"), [
    (["--domain", "q > 0"], "q"), (["--domain", "W in"], "W in"), (["--effort", "much"], "much"),
])  # fmt: skip
def test_misuse_ends_with_2(args, said, model):
    code, _, err = run(f"{model}:loss", *SHAPES, *args)
    assert code == 2 and said in err


def test_without_time_nothing_is_checked_and_that_is_said(model):
    code, out, _ = run(f"{model}:loss", *SHAPES, "--seconds", "0")
    assert code == 1 and "not checked" in out


def test_a_live_function_is_checked_as_well():
    report = gradgen.check(lambda x, y: x * y + np.sin(x), wrt=("x", "y"), effort="quick")
    assert report.ok and report.wrt == ("x", "y")


def test_one_of_several_results_is_checked():
    report = gradgen.check(lambda x: (x, x**2), output=1, effort="quick")
    assert report.ok


def test_parameters_that_are_positional_or_keywords_only_are_checked(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(
        "import numpy as np\n\n\ndef f(x, /, y, *, k=2.0):\n"
        "    return np.where(x > y, x * y**2, np.log1p(k)) + np.log(1 + np.exp(x))\n",
        "utf-8",
    )
    code, out, err = run(f"{path}:f", "--wrt", "x,y,k", "--effort", "quick")
    assert (code, err) == (0, ""), out
    assert "no sample" not in out
    report = gradgen.check(lambda x, /, y: x * y, wrt=("x", "y"), effort="quick")
    assert report.ok and not report.left_out


def test_an_effort_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(GradgenError) as error:
        gradgen.check(lambda x: x * x, effort="much")
    assert str(error.value) == "effort='much': choose one of quick, normal, exhaustive"


def test_within_the_time_everything_is_checked_and_each_oracle_is_named_as_it_starts(model):
    told = []
    report = checking.check_path(
        f"{model}:entropy", shapes="p=n", effort="quick", seconds=3600.0, progress=told.append
    )
    assert report.ok and not any("time" in said for said in report.left_out)
    assert told == ["forward", "symbolic", "complex step", "differences", "dot product", "tangent",
                    "accuracy"]  # fmt: skip
    assert [oracle for oracle, _ in report.by_oracle()] == told
