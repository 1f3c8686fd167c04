"""`gradgen sync`: the list of emitted files, what is written, and what is only said."""

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradgen import cli
from gradgen.errors import GradgenError
from gradgen.sync import find_config, read_config

ROOT = Path(cli.__file__).parent.parent
SOURCE = """\
import numpy as np


def loss(w, x, y):
    return np.sum((x @ w - y) ** 2)


def energy(q, k):
    return 0.5 * k * q * q


def both(x):
    return x * x, x * x * x
"""
CONFIG = """\
[tool.gradgen]
mode = "grad"

[[tool.gradgen.emit]]
source = "model.py:loss"
output = "loss_grad.py"
wrt = ["w"]
shapes = {w = "d", x = "n d", y = "n"}
mode = "value_and_grad"

[[tool.gradgen.emit]]
source = "model.py:energy"
output = "energy_grad.py"
target = "python"
"""
CHAIN = """
[[tool.gradgen.emit]]
source = "energy_grad.py:energy_grad"
output = "energy_hess.py"
"""
STALE = "stale: the source or the options have changed"
MISSING = "missing: there is no such file yet"
BY_HAND = "edited by hand: the body is not the one that its header tells of"
posix = pytest.mark.skipif(os.name == "nt", reason="links, pipes and modes of POSIX")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project that lists two files, none of them emitted yet; the current folder in it."""
    (tmp_path / "pyproject.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "model.py").write_text(SOURCE, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args, code=0):
    """Standard output and standard error; an unexpected exception is a failure of the test."""
    result = CliRunner().invoke(cli.cli, [str(a) for a in args], "gradgen", catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def sync(*args, code=0):
    return run("sync", *args, code=code)


def edit(name, old, new):
    path = Path(name)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def state(project):
    """Every file of a project with its bytes, links with their targets."""
    return {
        path.name: os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in project.iterdir()
        if path.is_symlink() or path.is_file()
    }


def refused(text, project):
    """The message with which a gradgen.toml is refused."""
    (project / "pyproject.toml").unlink(missing_ok=True)
    (project / "gradgen.toml").write_text(text, "utf-8")
    before = state(project)
    messages = {sync(*flags, code=2)[1] for flags in ([], ["--check"], ["--force"])}
    assert state(project) == before
    [message] = messages
    return message.removeprefix("gradgen: error: ").removesuffix("\n")


# -- what is written -------------------------------------------------------------------------------


def test_what_is_missing_is_written_and_said_and_then_nothing_is(project):
    assert sync() == (f"wrote loss_grad.py ({MISSING})\nwrote energy_grad.py ({MISSING})\n", "")
    before = {path: path.stat().st_mtime_ns for path in project.iterdir()}
    assert sync() == ("", "")
    assert sync("--check") == ("", "")
    assert {path: path.stat().st_mtime_ns for path in project.iterdir()} == before


def test_an_emitted_file_computes_the_gradient(project):
    sync()
    namespace = {"__name__": "emitted"}
    exec((project / "energy_grad.py").read_text("utf-8"), namespace)
    assert namespace["energy_grad"](3.0, 5.0) == 15.0


@pytest.mark.parametrize(
    ("lines", "args"),
    [
        ('source = "model.py:loss"\nwrt = ["w", "x"]\nshapes = "w=d, x=n d, y=n"',
         ["model.py:loss", "--wrt", "w,x", "--shapes", "w=d, x=n d, y=n"]),
        ('source = "model.py:loss"\nwrt = ["w"]\nshapes = {w = "d", x = "n d", y = "n"}',
         ["model.py:loss", "--wrt", "w,", "--shapes", "w=d, x=n d, y=n"]),
        ('source = "model.py:energy"\nwrt = 1', ["model.py:energy", "--wrt", "1"]),
        ('source = "model.py:energy"\nwrt = [0]', ["model.py:energy", "--wrt", "0,"]),
        ('source = "model.py:energy"\nwrt = "k,"', ["model.py:energy", "--wrt", "k,"]),
        ('source = "model.py:energy"\nmode = "pair"', ["model.py:energy", "--mode", "pair"]),
        ('source = "model.py:energy"\nmode = "pair"\nrecompute = true',
         ["model.py:energy", "--mode", "pair", "--recompute"]),
        ('source = "model.py:both"\noutput-index = 1', ["model.py:both", "--output", "1"]),
        ('source = "model.py:both"\noutput-index = 0', ["model.py:both", "--output", "0"]),
        ('source = "more.py"\ntarget = "python"', ["more.py", "--target", "python"]),
        ('source = "more.py:g,f"\nstyle = "default"', ["more.py:g,f"]),
        ('source = "sub/deep.py:f"', ["sub/deep.py:f"]),
        ('source = "more.py:f"\ntemplate-dir = "mine"', ["more.py:f", "--template-dir", "mine"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("folder", [".", "sub"])
def test_the_text_is_the_one_of_emit_with_the_same_options(lines, args, folder, project):
    (project / "sub").mkdir()
    (project / "mine").mkdir()
    template = (ROOT / "templates" / "python.py.jinja").read_text("utf-8")
    (project / "mine" / "python.py.jinja").write_text("# (c) us\n" + template, "utf-8")
    for name in ("more.py", "sub/deep.py"):
        (project / name).write_text(
            "def f(x):\n    return x * x\n\n\ndef g(x):\n    return 2 * x\n"
        )
    config = f'[[tool.gradgen.emit]]\noutput = "out_grad.py"\n{lines}\n'
    (project / "pyproject.toml").write_text(config, "utf-8")
    os.chdir(folder)
    sync()
    os.chdir(project)
    found = (project / "out_grad.py").read_bytes()
    run("emit", *args, "-o", "out_grad.py", "--check")
    (project / "out_grad.py").unlink()
    run("emit", *args, "-o", "out_grad.py")
    assert (project / "out_grad.py").read_bytes() == found
    [line] = [line for line in found.decode().splitlines() if line.startswith("# Regenerate: ")]
    (project / "out_grad.py").unlink()
    run(*shlex.split(line.removeprefix("# Regenerate: gradgen ")))
    assert (project / "out_grad.py").read_bytes() == found


def test_defaults_hold_for_every_table_that_says_nothing_else(project):
    sync()
    assert "def loss_value_and_grad(" in (project / "loss_grad.py").read_text("utf-8")
    assert "def energy_grad(" in (project / "energy_grad.py").read_text("utf-8")


@pytest.mark.parametrize("top", ["", "\ufeff"])
def test_a_gradgen_toml_needs_no_prefix(top, project):
    (project / "pyproject.toml").unlink()
    text = CONFIG.replace("[tool.gradgen]\n", "").replace("tool.gradgen.", "").replace("\n", "\r\n")
    (project / "gradgen.toml").write_bytes((top + text).encode("utf-8"))
    sync()
    assert (project / "loss_grad.py").is_file() and (project / "energy_grad.py").is_file()


def test_emitted_files_that_are_not_listed_are_not_touched(project):
    run("emit", "model.py:energy", "-o", "own_grad.py")
    edit("model.py", "0.5 * k", "0.25 * k")
    before = (project / "own_grad.py").read_bytes()
    sync()
    sync("--force")
    sync("--check")
    assert (project / "own_grad.py").read_bytes() == before


def test_only_what_is_stale_is_written(project):
    sync()
    kept = (project / "loss_grad.py").stat().st_mtime_ns
    edit("model.py", "0.5 * k", "0.25 * k")
    assert sync("--check", code=1) == ("", f"energy_grad.py: {STALE}\n")
    assert sync() == (f"wrote energy_grad.py ({STALE})\n", "")
    assert (project / "loss_grad.py").stat().st_mtime_ns == kept


# -- what is only said -----------------------------------------------------------------------------


def test_check_names_each_file_with_the_reason_and_writes_nothing(project):
    sync()
    edit("loss_grad.py", "return value", "return  value")
    edit("model.py", "0.5 * k", "0.25 * k")
    with open("pyproject.toml", "a") as file:
        file.write(CHAIN)
    before = state(project)
    wanted = f"loss_grad.py: {BY_HAND}\nenergy_grad.py: {STALE}\nenergy_hess.py: {MISSING}\n"
    assert sync("--check", code=1) == ("", wanted)
    assert state(project) == before


def test_diff_shows_what_would_change(project):
    sync()
    edit("model.py", "0.5 * k", "0.25 * k")
    (project / "loss_grad.py").unlink()
    out, err = sync("--diff", code=1)
    assert err == f"loss_grad.py: {MISSING}\nenergy_grad.py: {STALE}\n"
    assert "+def loss_value_and_grad(w, x, y):\n" in out
    assert "-    return q * k\n" in out
    assert "+    d_q = 0.5 * q * k\n" in out
    assert not (project / "loss_grad.py").exists()


def test_a_refusal_is_told_after_what_is_stale(project):
    sync()
    edit("model.py", "0.5 * k", "0.25 * k")
    edit("model.py", "x @ w - y", "x @ w - nothing")
    before = state(project)
    _, err = sync("--check", code=2)
    assert err.startswith(f"energy_grad.py: {STALE}\nmodel.py:5:28: error: name `nothing`")
    _, err = sync(code=2)
    assert err.startswith("gradgen: error: 1 of 2 files refused; nothing is written\nmodel.py:5:28")
    assert state(project) == before


def test_every_refusal_is_told(project):
    edit("model.py", "x @ w - y", "x @ w - nothing")
    edit("model.py", "0.5 * k", "other * k")
    _, err = sync(code=2)
    assert "2 of 2 files refused; nothing is written\n" in err
    assert "name `nothing` is not" in err and "name `other` is not" in err
    _, err = sync("--check", code=2)
    assert "name `nothing` is not" in err and "name `other` is not" in err
    assert {path.name for path in project.iterdir()} == {"pyproject.toml", "model.py"}


# -- line ends, modes, links -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.py", "energy_grad.py", "pyproject.toml"])
def test_crlf_line_ends_do_not_make_a_file_stale(name, project):
    sync()
    data = (project / name).read_bytes().replace(b"\n", b"\r\n")
    (project / name).write_bytes(data)
    assert sync("--check") == sync() == ("", "")
    assert (project / name).read_bytes() == data


@posix
def test_a_read_only_file_is_replaced_and_stays_read_only(project):
    sync()
    os.chmod("energy_grad.py", 0o444)
    edit("model.py", "0.5 * k", "0.25 * k")
    sync()
    assert stat.S_IMODE(os.stat("energy_grad.py").st_mode) == 0o444
    assert "d_q = 0.5 * q * k" in (project / "energy_grad.py").read_text("utf-8")


@posix
def test_a_link_is_compared_by_what_it_points_to_and_replaced_with_force_only(project):
    sync()
    os.rename("energy_grad.py", "real.py")
    os.symlink("real.py", "energy_grad.py")
    assert sync("--check") == sync() == ("", "")
    edit("model.py", "0.5 * k", "0.25 * k")
    edit("model.py", "** 2", "** 4")
    before = state(project)
    wanted = "energy_grad.py is a symbolic link; --force puts a file in its place\n"
    assert sync(code=2) == ("", f"gradgen: error: {wanted}")
    assert state(project) == before  # loss_grad.py is stale, and is not written either
    sync("--force")
    assert not os.path.islink("energy_grad.py")
    assert (project / "real.py").read_bytes() == before["real.py"]


def test_a_file_that_gradgen_did_not_write_is_overwritten_with_force_only(project):
    (project / "energy_grad.py").write_text("x = 1\n", "utf-8")
    before = state(project)
    wanted = "energy_grad.py exists, and gradgen did not write it; --force overwrites it\n"
    assert sync(code=2) == ("", f"gradgen: error: {wanted}")
    assert state(project) == before
    assert "energy_grad.py: edited by hand: the header is gone" in sync("--check", code=1)[1]
    sync("--force")
    assert sync("--check") == ("", "")


@posix
@pytest.mark.parametrize("flags", [[], ["--force"], ["--check"]])
def test_a_pipe_is_never_replaced(flags, project):
    os.mkfifo("energy_grad.py")
    assert sync(*flags, code=2)[1].endswith("energy_grad.py: not a regular file\n")
    assert stat.S_ISFIFO(os.stat("energy_grad.py").st_mode)


def test_a_disk_that_is_full_leaves_all_files_as_they_were(project, monkeypatch):
    sync()
    edit("model.py", "0.5 * k", "0.25 * k")
    edit("model.py", "** 2", "** 4")
    before = state(project)
    calls = []

    def second_fails(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr("gradgen.files.os.fsync", second_fails)
    assert sync(code=2)[1].endswith(f"{os.strerror(28)}; what was there is as it was\n")
    assert state(project) == before


# -- files that are made from each other -----------------------------------------------------------


@pytest.fixture
def chain(project):
    """A second derivative, listed before the first one that it is made from."""
    text = CONFIG.replace("[[tool", CHAIN.lstrip() + "\n[[tool", 1)
    (project / "pyproject.toml").write_text(text, "utf-8")
    return project


def test_a_second_derivative_is_made_after_the_first(chain):
    out, _ = sync()
    assert out.count(f"({MISSING})") == 3
    assert sync("--check") == sync() == ("", "")
    edit("model.py", "0.5 * k * q * q", "k * q * q * q")
    wanted = "it is made from energy_grad.py, which is not current"
    _, err = sync("--check", code=1)
    assert err == f"energy_hess.py: stale: {wanted}\nenergy_grad.py: {STALE}\n"
    sync()
    assert sync("--check") == ("", "")
    namespace = {"__name__": "emitted"}
    exec((chain / "energy_hess.py").read_text("utf-8"), namespace)
    assert namespace["energy_grad_grad"](2.0, 5.0) == 60.0  # of k q^3: 6 k q


def test_where_the_second_is_refused_the_first_is_put_back(chain):
    sync()
    # what np.where becomes for the python target is not read again
    edit("model.py", "0.5 * k * q * q", "np.where(q > 0, k * q * q, k * q)")
    edit("model.py", "** 2", "** 4")
    before = state(chain)
    _, err = sync(code=2)
    assert "1 of 3 files refused; nothing is written\nenergy_grad.py:" in err
    assert state(chain) == before
    (chain / "energy_grad.py").unlink()
    before = state(chain)
    sync(code=2)
    assert state(chain) == before


@posix
def test_a_link_that_force_replaced_is_put_back(chain):
    sync()
    edit("model.py", "0.5 * k * q * q", "np.where(q > 0, k * q * q, k * q)")
    os.rename("energy_grad.py", "real.py")
    os.symlink("real.py", "energy_grad.py")
    before = state(chain)
    sync("--force", code=2)
    assert state(chain) == before


def test_a_model_may_import_an_emitted_file_that_is_stale(project):
    (project / "penalty.py").write_text(
        "from energy_grad import energy_grad\n\n\ndef f(q):\n    return energy_grad(q, 3.0) * q\n",
        "utf-8",
    )
    text = '[[tool.gradgen.emit]]\nsource = "penalty.py:f"\noutput = "penalty_grad.py"\n\n'
    (project / "pyproject.toml").write_text(text + CONFIG.partition("\n\n")[2], "utf-8")
    edit("pyproject.toml", 'target = "python"', 'target = "python"\nmode = "grad"')
    _, err = sync("--check", code=1)
    assert err.startswith("penalty_grad.py: not compared: it is made from energy_grad.py, which")
    sync()
    assert sync("--check") == ("", "")
    edit("model.py", "0.5 * k", "0.25 * k")
    assert sync("--check", code=1)[1] == f"energy_grad.py: {STALE}\n"
    told = [line.partition(" (")[0] for line in sync()[0].splitlines()]
    assert told == ["wrote penalty_grad.py", "wrote energy_grad.py"]
    assert sync("--check") == ("", "")


def test_a_model_may_import_its_own_emitted_file(project):
    text = (project / "model.py").read_text("utf-8")
    (project / "model.py").write_text(f"import energy_grad\n{text}", "utf-8")
    sync()
    assert sync("--check") == sync() == ("", "")


@pytest.mark.parametrize(
    ("pairs", "name"),
    [([("a.py", "a.py")], "a.py"), ([("a.py", "b.py"), ("b.py", "a.py")], "b.py")],
)
def test_files_that_go_round_are_refused(pairs, name, project):
    tables = [f'[[emit]]\nsource = "{a}:f"\noutput = "{b}"\n' for a, b in pairs]
    message = f"gradgen.toml: [[emit]] 1: {pairs[0][1]} is made from itself"
    assert refused("\n".join(tables), project) == message


# -- where the list is -----------------------------------------------------------------------------


def test_the_list_is_found_from_below_and_its_paths_are_relative_to_it(project, monkeypatch):
    (project / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(project / "a" / "b")
    out, _ = sync()
    first = os.path.join("..", "..", "loss_grad.py")
    assert out.startswith(f"wrote {first} (")
    assert "-o loss_grad.py" in (project / "loss_grad.py").read_text("utf-8")
    monkeypatch.chdir(project)
    assert sync("--check") == ("", "")


def test_the_nearest_project_counts_and_says_so_where_it_lists_nothing(project, monkeypatch):
    (project / "a").mkdir()
    monkeypatch.chdir(project / "a")
    (project / "a" / "pyproject.toml").write_text('[project]\nname = "a"\n', "utf-8")
    _, err = sync(code=2)
    wanted = "there is no [tool.gradgen] in it, and no gradgen.toml beside it"
    assert err == f"gradgen: error: pyproject.toml: {wanted}\n"
    sync("--config", project / "pyproject.toml")
    assert (project / "loss_grad.py").is_file()


def test_two_lists_in_one_folder_are_refused(project):
    (project / "gradgen.toml").write_text("", "utf-8")
    _, err = sync(code=2)
    wanted = "gradgen.toml: pyproject.toml beside it has a [tool.gradgen] as well"
    assert err == f"gradgen: error: {wanted}\n"


def test_a_folder_outside_any_project_is_told(monkeypatch):
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    with pytest.raises(GradgenError) as error:
        find_config(Path.cwd())
    wanted = "there is no gradgen.toml or pyproject.toml in this folder or above it"
    assert str(error.value) == wanted


# -- what a list may say ---------------------------------------------------------------------------

TABLE = '[[emit]]\nsource = "model.py:energy"\noutput = "a.py"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it lists no file; add a table [[emit]]"),
        ("emit = []", "it lists no file; add a table [[emit]]"),
        ("emit = 1", "emit: write [[emit]] above each file's lines"),
        ('[emit]\nsource = "a.py:f"', "emit: write [[emit]] above each file's lines"),
        ("emit = [1]", "emit: write [[emit]] above each file's lines"),
        ("a = ", "Invalid value (at end of document)"),
        ('target = "fortran"\n' + TABLE, "target: 'fortran' is none of numpy, python"),
        ('modes = "grad"\n' + TABLE, "unknown key 'modes'; did you mean mode?"),
        ('shapes = "x=n"\n' + TABLE,
         "unknown key 'shapes'; known are wrt, mode, target, style, template-dir, certify, effort, "
         "stabilize, recompute"),
        ("[emits]", "unknown key 'emits'; did you mean emit?"),
        (TABLE + "recompute = true",
         "[[emit]] 1: recompute is for mode pair: mode value_and_grad saves nothing"),
        (TABLE + 'ouput = "b.py"', "[[emit]] 1: unknown key 'ouput'; did you mean output?"),
        (TABLE + 'template_dir = "b"',
         "[[emit]] 1: unknown key 'template_dir'; did you mean template-dir?"),
        (TABLE + "mode = 1", "[[emit]] 1: mode must be text, not an integer"),
        (TABLE + 'mode = "adjoint"',
         "[[emit]] 1: mode: 'adjoint' is none of value_and_grad, grad, pair, vjp, jvp, jacobian, "
         "hvp, hessian"),
        (TABLE + "wrt = true",
         "[[emit]] 1: wrt must be text or an integer or a list, not true or false"),
        (TABLE + "wrt = [true]",
         "[[emit]] 1: wrt: True is not the name or position of a parameter"),
        (TABLE + 'wrt = ["q,k"]',
         "[[emit]] 1: wrt: 'q,k' is not the name or position of a parameter"),
        (TABLE + 'wrt = ""', "[[emit]] 1: '' holds an empty name"),
        (TABLE + "wrt = []", "[[emit]] 1: '' holds an empty name"),
        (TABLE + "shapes = 1.5",
         "[[emit]] 1: shapes must be text or a table, not a number with a point"),
        (TABLE + "shapes = {q = 3}", "[[emit]] 1: shapes: q = 3 is not a name and dimensions"),
        (TABLE + 'output-index = "1"', "[[emit]] 1: output-index must be an integer, not text"),
        (TABLE + "output-index = -1", "[[emit]] 1: output-index counts from 0"),
        (TABLE + "output-index = 1979-05-27",
         "[[emit]] 1: output-index must be an integer, not a date or time"),
        (TABLE + "certify = 1", "[[emit]] 1: certify must be true or false, not an integer"),
        (TABLE + 'domain = "x > 0"',
         "[[emit]] 1: domain is about the certificate: add certify = true"),
        (TABLE + 'certify = true\neffort = "much"',
         "[[emit]] 1: effort: 'much' is none of quick, normal, exhaustive"),
        (TABLE + 'template-dir = "none"',
         "[[emit]] 1: template-dir: there is no python.py.jinja in none"),
        ('[[emit]]\noutput = "a.py"', "[[emit]] 1: source is missing"),
        ('[[emit]]\nsource = "model.py:energy"', "[[emit]] 1: output is missing"),
        ('[[emit]]\nsource = ""\noutput = "a.py"', "[[emit]] 1: source is missing"),
        ('[[emit]]\nsource = "model"\noutput = "a.py"',
         "[[emit]] 1: source: 'model' is not PATH.py:function"),
        ('[[emit]]\nsource = "model.py:"\noutput = "a.py"',
         "[[emit]] 1: source: 'model.py:' is not PATH.py:function"),
        ('[[emit]]\nsource = "model.py:f g"\noutput = "a.py"',
         "[[emit]] 1: 'model.py:f g' is not PATH.py:function"),
        ('[[emit]]\nsource = "model.py:energy"\noutput = 1',
         "[[emit]] 1: output must be text, not an integer (which of several results: "
         "output-index)"),
        ('[[emit]]\nsource = "model.py:energy"\noutput = "a\\u0000.py"',
         "[[emit]] 1: output holds a null character"),
        ('[[emit]]\nsource = "model.py:energy"\noutput = "."',
         "[[emit]] 1: output: . is a folder, not a file"),
        ('[[emit]]\nsource = "model.py:energy"\noutput = "out/"',
         "[[emit]] 1: output: out/ is a folder, not a file"),
        (TABLE + TABLE, "[[emit]] 2: output: a.py is the output of gradgen.toml: [[emit]] 1 too"),
        (TABLE + TABLE.replace("a.py", "x/../a.py"),
         "[[emit]] 2: output: a.py is the output of gradgen.toml: [[emit]] 1 too"),
    ],
)  # fmt: skip
def test_what_a_list_may_not_say_is_refused_with_file_and_key(text, message, project):
    assert refused(text, project) == f"gradgen.toml: {message}"


def test_a_list_in_pyproject_names_its_tables_in_full(project):
    edit("pyproject.toml", 'target = "python"', 'tarket = "python"')
    wanted = "pyproject.toml: [[tool.gradgen.emit]] 2: unknown key 'tarket'; did you mean target?\n"
    assert sync(code=2) == ("", f"gradgen: error: {wanted}")
    (project / "pyproject.toml").write_text("[tool.gradgen]\nmodes = 1\n", "utf-8")
    wanted = "pyproject.toml: [tool.gradgen]: unknown key 'modes'; did you mean mode?\n"
    assert sync(code=2) == ("", f"gradgen: error: {wanted}")
    (project / "pyproject.toml").write_text("[tool]\ngradgen = 1\n", "utf-8")
    assert sync(code=2)[1] == "gradgen: error: pyproject.toml: tool.gradgen must be a table\n"


def test_a_file_that_is_no_utf_8_is_refused(project):
    (project / "pyproject.toml").write_bytes(b"a = '\xff'\n")
    assert sync(code=2)[1].startswith("gradgen: error: pyproject.toml: 'utf-8' codec can't decode")


@posix
def test_one_file_behind_two_folders_is_listed_twice(project):
    (project / "real").mkdir()
    (project / "link").symlink_to("real")
    text = TABLE.replace('"a.py"', '"real/a.py"') + TABLE.replace('"a.py"', '"link/a.py"')
    message = refused(text, project)
    assert message.endswith("output: link/a.py is the output of gradgen.toml: [[emit]] 1 too")


def test_the_config_is_read_into_entries(project):
    entries = read_config(project / "pyproject.toml")
    assert [(e.source, e.names, e.output, e.wrt, e.shapes, e.mode, e.target) for e in entries] == [
        (project / "model.py", "loss", project / "loss_grad.py", "w,", "w=d, x=n d, y=n",
         "value_and_grad", "numpy"),
        (project / "model.py", "energy", project / "energy_grad.py", None, None, "grad", "python"),
    ]  # fmt: skip


# -- the command -----------------------------------------------------------------------------------


def test_the_help_lists_the_command_and_shows_an_example_that_works(project):
    assert "  Make the emitted files that the project lists" in run("--help")[0]
    text, _ = sync("--help")
    start, end = text.index("  [tool.gradgen] "), text.index("Exit codes:")
    lines = [line.strip() for line in text[start:end].strip().splitlines()]
    (project / "pyproject.toml").write_text("\n".join(lines), "utf-8")
    (project / "model.py").write_text(
        "def loss(w, b, x, y):\n    r = x @ w + b - y\n    return r @ r, r\n", "utf-8"
    )
    sync()
    assert "def loss_grad(" in (project / "model_grad.py").read_text("utf-8")


def test_sync_is_loaded_only_when_it_is_asked_for():
    code = (
        "import sys\nfrom gradgen import cli\nassert 'gradgen.cli_sync' not in sys.modules\n"
        "cli.cli(['sync', '--help'])"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True)
    assert done.returncode == 0 and b"gradgen.toml" in done.stdout


def test_the_hook_runs_the_command_on_the_whole_project(project):
    lines = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8").split("- id: ")
    [hook] = [part for part in lines if part.startswith("gradgen-sync\n")]
    fields = dict(line.strip().split(": ", 1) for line in hook.splitlines()[1:] if ": " in line)
    assert fields["pass_filenames"] == "false"
    run(*shlex.split(fields["entry"])[1:])
    assert (project / "loss_grad.py").is_file()
