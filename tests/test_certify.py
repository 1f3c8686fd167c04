"""`emit --certify`, `gradgen verify` and certificates in the list of `gradgen sync`."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradgen import certify, cli
from gradgen.certificate import certificate_lines, read_certificate
from gradgen.certify import bound_of
from gradgen.files import SOURCE_LINE, digest_of
from gradgen.header import body_digest

ROOT = Path(cli.__file__).parent.parent
MODEL = """\
import math

import numpy as np
from helper import square

SCALE = 0.5


def loss(w, b, x, y):
    r = np.tanh(x @ w + b) - y
    return SCALE * np.mean(square(r))


def well(q, k):
    return math.sin(q) * math.exp(-k * q)


def energy(p):
    return -np.sum(p * np.log(p))


def both(x):
    return x * x, np.exp(x)
"""
HELPER = "def square(r):\n    return r**2\n"
SHAPES = ["--shapes", "w=d, b=scalar, x=n d, y=n"]
LOSS = ["model.py:loss", "--wrt", "w,b", *SHAPES, "--effort", "quick", "--certify"]
WELL = ["model.py:well", "--wrt", "q,k", "--effort", "quick", "--certify"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("", "utf-8")
    (tmp_path / "model.py").write_text(MODEL, "utf-8")
    (tmp_path / "helper.py").write_text(HELPER, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args, code=0):
    result = CliRunner().invoke(cli.cli, [str(a) for a in args], "gradgen", catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def verified(*files, code=0):
    """The claims of one file, as JSON has them."""
    out, _ = run("verify", "--json", *files, code=code)
    return json.loads(out)


def failing(found):
    return {claim["what"]: claim["found"] for claim in found if not claim["holds"]}


@pytest.mark.parametrize("args", [
    LOSS,
    WELL,
    [*WELL, "--mode", "grad"],
    [*WELL, "--mode", "pair"],
    [*WELL, "--mode", "pair", "--recompute"],
    [*WELL, "--target", "python"],
    ["model.py:well", "--wrt", "q", "--effort", "quick", "--certify"],
    ["model.py:both", "--output", "1", "--effort", "quick", "--certify"],
    ["model.py:energy", "--shapes", "p=n", "--effort", "quick", "--domain", "p in [0.1, 1]",
     "--certify"],
    ["model.py:well,energy", "--shapes", "p=n", "--effort", "quick", "--certify"],
])  # fmt: skip
def test_what_was_certified_is_verified(args, project):
    run("emit", *args, "-o", "out_grad.py")
    text = (project / "out_grad.py").read_text("utf-8")
    held = read_certificate(text)
    assert held["body"] == body_digest(text)
    assert held["source"] == digest_of(text, SOURCE_LINE)
    assert held["replay"] == "gradgen verify out_grad.py"
    assert set(held["versions"]) == {"gradgen", "python", "numpy", "sympy", "mpmath"}
    [found] = verified("out_grad.py").values()
    assert found and all(claim["holds"] for claim in found)
    out, _ = run("verify", "out_grad.py")
    assert "out_grad.py: the certificate holds" in out


def test_the_certificate_says_what_was_proved_and_what_was_left_unchecked(project):
    text, _ = run("emit", *WELL)
    held = read_certificate(text)
    oracles = held["oracles"]["well"]
    # two partials, both proved; math takes no complex numbers
    assert oracles["symbolic"].startswith("2 proved, ")
    assert oracles["complex step"] == "2 unchecked, 0 comparisons"
    assert any("math.sin (line 15) takes no complex numbers" in line
               for line in held["unchecked"]["well"])  # fmt: skip
    assert held["replay"] == "gradgen verify FILE"


def test_the_domain_is_in_the_certificate_and_in_the_command(project):
    text, _ = run("emit", "model.py:energy", "--shapes", "p=n", "--effort", "quick", "--certify")
    assert read_certificate(text)["domain"]["energy"] == ["p > 0 (argument of log, line 19)"]
    text, _ = run("emit", "model.py:energy", "--shapes", "p=n", "--effort", "quick", "--certify",
                  "--domain", "p in [0.1, 1]")  # fmt: skip
    assert read_certificate(text)["domain"] == {"energy": ["p in [0.1, 1]"]}
    command = next(line for line in text.splitlines() if line.startswith("# Regenerate: "))
    assert command.endswith(" --certify --domain 'p in [0.1, 1]' --effort quick")


def test_the_same_source_gives_the_same_bytes_in_any_process(project):
    texts = set()
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "gradgen", "emit", *LOSS], capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        texts.add(done.stdout)
    assert len(texts) == 1


def test_a_body_that_was_edited_fails(project):
    run("emit", *WELL, "-o", "well_grad.py")
    path = project / "well_grad.py"
    path.write_text(path.read_text("utf-8").replace("return value,", "return 2 * value,"), "utf-8")
    [found] = verified("well_grad.py", code=1).values()
    wrong = failing(found)
    assert wrong["text"].startswith("edited by hand: the body is not the one")
    assert "body" in wrong and "well: forward" in wrong
    assert "the certificate fails" in run("verify", "well_grad.py", code=1)[0]


def test_a_forged_digest_does_not_save_a_wrong_gradient(project):
    run("emit", *WELL, "-o", "well_grad.py")
    path = project / "well_grad.py"
    text = path.read_text("utf-8")
    forged = re.sub(r"(    d_k = )(.*)\n", r"\1-(\2)\n", text)
    assert forged != text
    for line in (f"sha256:{body_digest(text)}", f'"{body_digest(text)}"'):
        forged = forged.replace(line, line.replace(body_digest(text), body_digest(forged)))
    path.write_text(forged, "utf-8")
    [found] = verified("well_grad.py", code=1).values()
    wrong = failing(found)
    assert "body" not in wrong
    for oracle in ("differences", "dot product", "tangent", "accuracy"):
        assert "differing" in wrong[f"well: {oracle}"]


@pytest.mark.parametrize(("file", "old", "new"), [
    ("model.py", "math.sin", "math.cos"), ("helper.py", "r**2", "r * r"),
    ("model.py", "SCALE = 0.5", "SCALE = 0.25"),
])  # fmt: skip
def test_a_source_that_has_changed_fails_also_in_a_helper_and_in_a_constant(
    file, old, new, project
):
    args = WELL if old == "math.sin" else LOSS
    run("emit", *args, "-o", "out_grad.py")
    path = project / file
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    [found] = verified("out_grad.py", code=1).values()
    wrong = failing(found)
    assert wrong["text"] == "stale: the source or the options have changed"
    assert "source" in wrong


def rewritten(path, change):
    """Put another certificate into an emitted file."""
    text = path.read_text("utf-8")
    lines = text.split("\n")
    at = next(k for k, line in enumerate(lines) if line.startswith("# gradgen-certificate:"))
    others = [line for line in lines if not line.startswith("# gradgen-certificate:")]
    held = read_certificate(text)
    change(held)
    path.write_text("\n".join(others[:at] + certificate_lines(held) + others[at:]), "utf-8")


def more_proofs(held):
    told = held["oracles"]["well"]["symbolic"]
    held["oracles"]["well"]["symbolic"] = told.replace("2 proved", "3 proved")


def more_agreement(held):
    told = held["oracles"]["well"]["differences"]
    held["oracles"]["well"]["differences"] = told.replace("2 agreeing", "3 agreeing")


def another_function(held):
    held["oracles"]["wall"] = dict(held["oracles"]["well"])


def smaller_bounds(held):
    held["ulps"]["well"] = dict.fromkeys(held["ulps"]["well"], 1e-09)
    assert held["ulps"]["well"]


def bound_of_nothing(held):
    held["ulps"]["well"]["d/dz"] = 64.0


@pytest.mark.parametrize(("change", "what"), [
    (more_proofs, "well: symbolic"), (more_agreement, "well: differences"),
    (another_function, "wall: forward"), (smaller_bounds, "well: d/dq in ulps"),
    (bound_of_nothing, "well: d/dz in ulps"),
])  # fmt: skip
def test_a_claim_that_is_larger_than_what_is_found_fails(change, what, project):
    run("emit", *WELL, "-o", "well_grad.py")
    rewritten(project / "well_grad.py", change)
    [found] = verified("well_grad.py", code=1).values()
    assert what in failing(found)


def test_a_smaller_claim_holds(project):
    run("emit", *WELL, "-o", "well_grad.py")

    def modest(held):
        told = held["oracles"]["well"]["symbolic"]
        held["oracles"]["well"]["symbolic"] = told.replace("2 proved", "2 agreeing")
        held["ulps"]["well"] = {name: 2 * b for name, b in held["ulps"]["well"].items()}

    rewritten(project / "well_grad.py", modest)
    [found] = verified("well_grad.py").values()
    assert all(claim["holds"] for claim in found)


def test_bounds_are_powers_of_two_at_least_twice_what_was_measured():
    # by hand: 2 * 0.3 < 1; 2 * 0.5 = 1; 2 * 0.7 < 2; 2 * 3 < 8; 2 * 4 = 8; 2 * 4.1 < 16
    measured = (0.0, 0.3, 0.5, 0.7, 3.0, 4.0, 4.1)
    assert [bound_of(worst) for worst in measured] == [1.0, 1.0, 1.0, 2.0, 8.0, 8.0, 16.0]


def test_an_oracle_that_disagrees_ends_with_1_and_nothing_is_written(project, monkeypatch):
    right = certify.emitted_by

    def planted(subject, namespace, options, changed):
        made = right(subject, namespace, options, changed)

        def wrong(**given):
            value, (d_q, d_k) = made.emitted(**given)
            return value, (d_q, d_k * 5)

        return dataclasses.replace(made, emitted=wrong)

    monkeypatch.setattr(certify, "emitted_by", planted)
    out, err = run("emit", *WELL, "-o", "well_grad.py", code=1)
    assert out == "" and not (project / "well_grad.py").exists()
    assert err.startswith("not certified; nothing is written\nmodel.py:well: ")
    assert "model.py:well: differences: d/dk: d/dk: emitted" in err


def test_emit_executes_nothing_unless_it_certifies(project):
    canary = "from pathlib import Path\n\nPath('canary').write_text('sung')\n"
    (project / "model.py").write_text(canary + MODEL, "utf-8")
    for more in ((), ("-o", "well_grad.py")):
        run("emit", "model.py:well", "--wrt", "q,k", *more)
        assert not (project / "canary").exists()
    run("emit", *WELL, "-o", "well_grad.py")
    assert (project / "canary").exists()
    (project / "canary").unlink()
    run("emit", *WELL, "-o", "well_grad.py", "--check")
    assert not (project / "canary").exists()


def test_check_asks_for_a_certificate_only_where_it_is_told_to(project):
    plain = ["model.py:well", "--wrt", "q,k"]
    run("emit", *plain, "-o", "well_grad.py")
    run("emit", *plain, "-o", "well_grad.py", "--check")
    _, err = run("emit", *WELL, "-o", "well_grad.py", "--check", code=1)
    assert err == "well_grad.py: stale: there is no certificate in it\n"
    run("emit", *WELL, "-o", "well_grad.py")
    run("emit", *WELL, "-o", "well_grad.py", "--check")
    run("emit", *plain, "-o", "well_grad.py", "--check")


def test_a_certificate_of_another_text_is_told(project):
    run("emit", *WELL, "-o", "well_grad.py")

    def other(held):
        held["body"] = "0" * 64

    rewritten(project / "well_grad.py", other)
    _, err = run("emit", *WELL, "-o", "well_grad.py", "--check", code=1)
    assert err == "well_grad.py: stale: its certificate is of another text\n"


@pytest.mark.parametrize("given", [["--domain", "q > 0"], ["--effort", "quick"]])
def test_what_is_about_the_evidence_needs_certify(given, project):
    _, err = run("emit", "model.py:well", *given, code=2)
    assert "--domain and --effort are about the evidence: add --certify" in err


def spoilt(old, new):
    return lambda text: text.replace(old, new)


@pytest.mark.parametrize(("change", "message"), [
    (lambda text: re.sub("# gradgen-certificate:.*\n", "", text),
     "there is no certificate; write one with emit --certify"),
    (spoilt("# Code generated by gradgen from", "# Code from"),
     "there is no certificate; write one with emit --certify"),
    (spoilt("# Regenerate: gradgen emit", "# Regenerate: make"),
     "the header tells of no command that made the file"),
    (spoilt("# Regenerate: gradgen emit", "# Regenerate: gradgen emit '"),
     "the command in the header: No closing quotation"),
    (spoilt("--certify --effort quick", ""), "the command in the header asks for no certificate"),
    (spoilt("--wrt q,k", "--wrtt q,k"),
     "the command in the header: No such option"),
    (spoilt("gradgen emit model.py", "gradgen emit modal.py"), "its source modal.py is not to be"),
])  # fmt: skip
def test_what_cannot_be_replayed_is_refused(change, message, project):
    run("emit", *WELL, "-o", "well_grad.py")
    path = project / "well_grad.py"
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    _, err = run("verify", "well_grad.py", code=2)
    assert err.startswith(f"gradgen: error: well_grad.py: {message}")


def test_a_certificate_of_another_form_is_refused(project):
    run("emit", *WELL, "-o", "well_grad.py")
    rewritten(project / "well_grad.py", lambda held: held.pop("oracles"))
    _, err = run("verify", "well_grad.py", code=2)
    assert err == "gradgen: error: the certificate is not one of gradgen's: KeyError('oracles')\n"


def test_verify_finds_the_project_from_any_folder(project, monkeypatch, tmp_path_factory):
    (project / "sub").mkdir()
    run("emit", *WELL, "-o", "sub/well_grad.py")
    assert "gradgen verify sub/well_grad.py" in (project / "sub/well_grad.py").read_text("utf-8")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert list(verified(project / "sub/well_grad.py")) == [str(project / "sub/well_grad.py")]


# -- the list of gradgen sync ----------------------------------------------------------------------


def test_sync_certifies_what_the_list_asks_for_and_checks_without_executing(project):
    listed = (
        '[[tool.gradgen.emit]]\nsource = "model.py:well"\noutput = "well_grad.py"\nwrt = "q,k"\n'
    )
    (project / "pyproject.toml").write_text(listed, "utf-8")
    run("sync")
    assert read_certificate((project / "well_grad.py").read_text("utf-8")) == {}
    listed += 'certify = true\neffort = "quick"\ndomain = "q in [0, 2]"\n'
    (project / "pyproject.toml").write_text(listed, "utf-8")
    _, err = run("sync", "--check", code=1)
    assert err == "well_grad.py: stale: there is no certificate in it\n"
    out, _ = run("sync")
    assert out == "wrote well_grad.py (stale: there is no certificate in it)\n"
    [found] = verified("well_grad.py").values()
    assert all(claim["holds"] for claim in found)
    (project / "model.py").write_text(f"{MODEL}\nraise RuntimeError\n", "utf-8")
    run("sync", "--check")
    assert run("sync")[0] == ""


def test_what_sync_cannot_certify_stays_unwritten(project):
    listed = (
        '[[tool.gradgen.emit]]\nsource = "model.py:well"\noutput = "well_grad.py"\ncertify = true\n'
    )
    (project / "pyproject.toml").write_text(listed, "utf-8")
    (project / "model.py").write_text(f"{MODEL}\nraise RuntimeError('no')\n", "utf-8")
    _, err = run("sync", code=2)
    assert "model.py cannot be executed: RuntimeError: no" in err
    assert not (project / "well_grad.py").exists()
