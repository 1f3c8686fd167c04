"""Reading and writing files: what may be overwritten, what survives, what cannot break out."""

import ast
import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradgen import cli, files
from gradgen.errors import GradgenError

ROOT = Path(cli.__file__).parent.parent
SOURCE = "def f(x):\n    return x * x\n"
posix = pytest.mark.skipif(os.name == "nt", reason="links, modes and signals of POSIX")


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("", "utf-8")
    (tmp_path / "model.py").write_text(SOURCE, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args, code=0):
    """Standard output and standard error; an unexpected exception is a failure of the test."""
    result = CliRunner().invoke(cli.cli, ["emit", *map(str, args)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def module(text):
    namespace = {"__name__": "emitted"}
    exec(compile(text, "emitted.py", "exec"), namespace)
    return namespace


def emit_source(text, *args, code=0):
    """Emit a source given as text or bytes; standard output, or standard error of a refusal."""
    Path("model.py").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return run("model.py:f", *args, code=code)[code == 2]


# -- 51: nothing breaks out of the emitted text ----------------------------------------------------

NASTY = [
    "'''", '"""', '\\"""', "\\", "ends with a backslash\\", 'ends with a quote"', "\\\\'''\\",
    '"""\nimport os\nos.abort()\n"""', "\\N{BULLET} \\x41 \\d", "tab\tand\x07bell", "\x0cform feed",
    "line\u2028separator", "carriage\rreturn", "right\u202eleft", "\u202e",
    "{{ 1 }} {% if %} {# #}", '""""', 'tail """', 'tail ""',
    "\\u0022\\u0022\\u0022", "", " ", '"', '""', "\x1b[31m",
]  # fmt: skip


def top_level(text):
    return [type(node).__name__ for node in ast.parse(text).body]


@pytest.mark.parametrize("nasty", NASTY)
def test_trap_51_a_docstring_cannot_break_out(nasty, project):
    out = emit_source(f"def f(x):\n    {nasty!r}\n    return x * x\n")
    assert top_level(out) == ["FunctionDef"]
    assert [line for line in out.splitlines() if line[:1] not in ("#", " ", "")] == [
        "def f_value_and_grad(x):"
    ]
    assert not any(c != "\n" and not c.isprintable() for c in out)
    emitted = module(out)["f_value_and_grad"]
    assert emitted(3.0) == (9.0, 6.0)
    if nasty.isprintable() and nasty.strip():
        assert nasty.strip() in emitted.__doc__


@pytest.mark.parametrize("nasty", NASTY)
def test_trap_51_a_string_constant_cannot_break_out(nasty, project):
    out = emit_source(f"def f(x, kind={nasty!r}):\n    return x * x\n")
    assert top_level(out) == ["FunctionDef"]
    assert module(out)["f_value_and_grad"].__defaults__ == (nasty,)
    assert module(out)["f_value_and_grad"](3.0) == (9.0, 6.0)


@posix
@pytest.mark.parametrize(
    "name", ["a\nimport os.py", "a\rb.py", "'''.py", '"""', "\\", "a\u2028b.py", "\udcff.py"]
)
def test_trap_51_a_path_cannot_break_out(name, project):
    Path(name).mkdir()
    Path(name, f"{name}.py").write_text(SOURCE, "utf-8")
    out, _ = run(f"{name}/{name}.py:f", "--wrt", "x", "-o", f"{name}/grad.py")
    out = Path(name, "grad.py").read_bytes().decode("utf-8")
    assert top_level(out) == ["FunctionDef"]
    header = [line for line in out.splitlines() if line.startswith("#")]
    assert len(header) == 7
    assert all(line.isprintable() for line in header)


def test_trap_51_an_option_cannot_break_out(project):
    out, _ = run("model.py:f", "--shapes", "x = scalar ,\n", "--wrt", "\nx\n")
    assert top_level(out) == ["FunctionDef"]
    assert out.splitlines()[1] == (
        "# Regenerate: gradgen emit model.py:f --wrt '\\nx\\n' --shapes 'x = scalar ,\\n'"
    )


# -- 52: nothing of the user's is executed ---------------------------------------------------------


def test_trap_52_emit_executes_nothing_of_the_file(project):
    canary = "open('canary', 'w').close()"
    (project / "beside.py").write_text(f"{canary}\n\n\ndef h(x):\n    return x * x\n", "utf-8")
    (project / "__init__.py").write_text(canary, "utf-8")
    source = (
        f"import beside\n\n{canary}\n\n\nclass C:\n    {canary}\n\n\n"
        f"def f(x):\n    return beside.h(x)\n\n\n"
        f"def g(x, y={canary}):\n    return x\n\n\n"
        f"@{canary}\ndef h(x):\n    return x\n\n\nif __name__:\n    {canary}\n"
    )
    (project / "model.py").write_text(source, "utf-8")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "from gradgen.cli import main; main()"
    for args, status in (
        (["model.py:f"], 0), (["model.py:g"], 2), (["model.py:h"], 2), (["model.py"], 2),
        (["model.py:f", "-o", "a.py"], 0),
        (["model.py:f", "-o", "a.py", "--check"], 0),
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, "emit", *args], env=environ, capture_output=True
        )
        assert done.returncode == status, done.stderr
        assert not (project / "canary").exists()


# -- 53: what is not overwritten -------------------------------------------------------------------


@posix
def test_trap_53_a_symbolic_link_is_refused(project):
    target = project / "precious_grad.py"
    run("model.py:f", "-o", target)
    before = target.read_bytes()
    link = project / "link.py"
    link.symlink_to(target.name)
    wanted = "gradgen: error: link.py is a symbolic link; --force puts a file in its place\n"
    assert run("model.py:f", "-o", "link.py", code=2) == ("", wanted)
    assert link.is_symlink()
    run("model.py:f", "-o", "link.py", "--force", "--wrt", "x,")
    assert not link.is_symlink() and "(2.0 * x,)" in link.read_text("utf-8")
    assert target.read_bytes() == before


@posix
def test_trap_53_a_dangling_link_is_refused(project):
    (project / "link.py").symlink_to("nothing.py")
    wanted = "gradgen: error: link.py is a symbolic link; --force puts a file in its place\n"
    assert run("model.py:f", "-o", "link.py", code=2) == ("", wanted)
    assert not (project / "nothing.py").exists()


def test_trap_53_the_source_itself_is_refused(project):
    # an emitted file as the source: its header alone would let it be overwritten
    run("model.py:f", "--mode", "grad", "-o", "first.py")
    before = (project / "first.py").read_bytes()
    os.link("first.py", "hard.py")
    for name in ("first.py", str(project / "first.py"), "hard.py"):
        wanted = f"gradgen: error: {name} is the source itself; --force overwrites it\n"
        assert run("first.py:f_grad", "-o", name, code=2) == ("", wanted)
        assert (project / "first.py").read_bytes() == before
    run("first.py:f_grad", "-o", "first.py", "--force")
    assert "def f_grad_value_and_grad(x):" in (project / "first.py").read_text("utf-8")
    assert (project / "hard.py").read_bytes() == before


def test_trap_53_another_module_of_the_command_is_refused(project):
    (project / "model_grad.py").write_text(files.HEADER + "\n" + SOURCE, "utf-8")
    _, err = run("model.py:f", "model_grad.py:f", "-o", ".", code=2)
    assert err == "gradgen: error: model_grad.py is the source itself; --force overwrites it\n"


@pytest.mark.parametrize("text", ["", "x = 1\n", "# Code generated by hand\n", '"# gradgen"\n'])
def test_trap_53_a_file_without_the_header_is_refused(text, project):
    (project / "mine.py").write_text(text, "utf-8")
    wanted = "gradgen: error: mine.py exists, and gradgen did not write it; --force overwrites it\n"
    assert run("model.py:f", "-o", "mine.py", code=2) == ("", wanted)
    assert (project / "mine.py").read_text("utf-8") == text
    run("model.py:f", "-o", "mine.py", "--force")
    run("model.py:f", "-o", "mine.py", "--wrt", "x,")  # its own file needs no force
    assert "(2.0 * x,)" in (project / "mine.py").read_text("utf-8")


@posix
@pytest.mark.parametrize("options", [[], ["--force"], ["--check"]])
def test_trap_53_a_pipe_or_a_device_is_never_replaced(options, project):
    os.mkfifo("pipe")
    _, err = run("model.py:f", "-o", "pipe", *options, code=2)
    assert err.startswith("gradgen: error: pipe: not a regular file")
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)


# -- 54: whole files or none -----------------------------------------------------------------------


@pytest.fixture
def old(project):
    """An emitted file whose source has changed since; its bytes."""
    run("model.py:f", "-o", "model_grad.py")
    (project / "model.py").write_text("def f(x):\n    return x * x * x\n", "utf-8")
    return (project / "model_grad.py").read_bytes()


def untouched(project, old):
    names = {path.name for path in project.iterdir()}
    assert names == {"pyproject.toml", "model.py", "model_grad.py"}
    return (project / "model_grad.py").read_bytes() == old


@pytest.mark.parametrize(
    ("function", "number"),
    [("open", errno.EACCES), ("open", errno.EROFS), ("fsync", errno.ENOSPC),
     ("fsync", errno.EIO), ("replace", errno.EACCES), ("replace", errno.EBUSY)],
)  # fmt: skip
def test_trap_54_the_old_file_survives_what_the_system_refuses(
    function, number, project, old, monkeypatch
):
    def refuse(*args, **keywords):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(f"gradgen.files.os.{function}", refuse)
        out, err = run("model.py:f", "-o", "model_grad.py", code=2)
    reason = os.strerror(number)
    assert err == f"gradgen: error: model_grad.py: {reason}; what was there is as it was\n"
    assert out == "" and untouched(project, old)


def test_trap_54_the_old_file_survives_a_disk_that_fills_up_while_writing(
    project, old, monkeypatch
):
    class Full:
        def __init__(self, descriptor, mode):
            self.descriptor = descriptor

        def __enter__(self):
            return self

        def __exit__(self, *error):
            os.close(self.descriptor)

        def write(self, data):
            os.write(self.descriptor, data[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "open", Full, raising=False)
    _, err = run("model.py:f", "-o", "model_grad.py", code=2)
    reason = os.strerror(errno.ENOSPC)
    assert err == f"gradgen: error: model_grad.py: {reason}; what was there is as it was\n"
    assert untouched(project, old)


def test_trap_54_an_interrupt_while_writing_leaves_nothing(project, old, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gradgen.files.os.fsync", interrupt)
    assert run("model.py:f", "-o", "model_grad.py", code=130) == ("", "")
    assert untouched(project, old)


@posix
def test_trap_54_the_old_file_survives_a_kill(project, old):
    code = (
        "import os, signal\nfrom gradgen import cli, files\n"
        "os.replace = lambda a, b: os.kill(os.getpid(), signal.SIGKILL)\n"
        "cli.main(['emit', 'model.py:f', '-o', 'model_grad.py'])\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environ)
    assert done.returncode == -signal.SIGKILL
    assert (project / "model_grad.py").read_bytes() == old
    [left] = project.glob(".gradgen-*.tmp")  # the new text, whole, under a name of its own
    run("model.py:f", "-o", "model_grad.py")
    assert (project / "model_grad.py").read_bytes() == left.read_bytes()


def test_trap_54_everything_is_rendered_before_anything_is_written(project, old):
    (project / "bad.py").write_text("def f(x):\n    return nothing\n", "utf-8")
    _, err = run("model.py:f", "bad.py:f", "-o", ".", code=2)
    assert err.startswith("gradgen: error: 1 of 2 functions refused; nothing is written\nbad.py:2:")
    (project / "bad.py").unlink()
    assert untouched(project, old)


def test_trap_54_no_file_is_replaced_before_all_are_on_the_disk(project, old, monkeypatch):
    (project / "other.py").write_text(SOURCE, "utf-8")
    calls = []

    def second_fails(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gradgen.files.os.fsync", second_fails)
    _, err = run("model.py:f", "other.py:f", "-o", ".", code=2)
    reason = os.strerror(errno.ENOSPC)
    assert err == f"gradgen: error: other_grad.py: {reason}; what was there is as it was\n"
    (project / "other.py").unlink()
    assert untouched(project, old)


def test_a_folder_that_does_not_exist_is_an_error(project):
    _, err = run("model.py:f", "-o", "no/where.py", code=2)
    path, reason = Path("no", "where.py"), os.strerror(errno.ENOENT)
    assert err == f"gradgen: error: {path}: {reason}; what was there is as it was\n"


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_the_file_is_kept(mode, project, old):
    os.chmod("model_grad.py", mode)
    run("model.py:f", "-o", "model_grad.py")
    assert (project / "model_grad.py").read_bytes() != old
    assert stat.S_IMODE(os.stat("model_grad.py").st_mode) == mode


def test_a_new_file_has_the_mode_of_any_new_file(project):
    run("model.py:f", "-o", "model_grad.py")
    assert os.stat("model_grad.py").st_mode == os.stat("model.py").st_mode


def test_what_is_written_is_on_the_disk_before_it_takes_its_place(project, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            f"gradgen.files.os.{name}",
            lambda *a, real=real, name=name: (steps.append(name), real(*a)),
        )
    run("model.py:f", "-o", "model_grad.py")
    assert steps == ["fsync", "replace"]


# -- 55: encodings and line ends -------------------------------------------------------------------


def without_digests(text):
    return [line for line in text.splitlines() if "sha256" not in line]


@pytest.mark.parametrize(
    "data",
    [
        SOURCE.encode("utf-8-sig"),
        SOURCE.replace("\n", "\r\n").encode(),
        SOURCE.replace("\n", "\r").encode(),
        SOURCE.rstrip().encode(),
        ("# -*- coding: utf-8 -*-\n" + SOURCE).encode(),
        ("\n# vim: set fileencoding=cp1252 :\n" + SOURCE).encode("cp1252"),
    ],
    ids=["bom", "crlf", "cr", "no last line end", "cookie", "second line"],
)
def test_trap_55_the_bytes_of_the_source_do_not_matter(data, project):
    plain, other = emit_source(SOURCE), emit_source(data)
    assert other == plain


def test_trap_55_a_declared_encoding_is_honoured(project):
    source = '# -*- coding: latin-1 -*-\ndef f(\xe9):\n    """caf\xe9"""\n    return \xe9 * \xe9\n'
    emit_source(source.encode("latin-1"), "-o", "model_grad.py")
    text = (project / "model_grad.py").read_bytes().decode("utf-8")
    emitted = module(text)["f_value_and_grad"]
    assert emitted(3.0) == (9.0, 6.0)
    assert "café" in emitted.__doc__
    assert "\r" not in text and text.endswith("    return é * é, 2.0 * é\n")


def test_trap_55_crlf_in_a_docstring_does_not_reach_the_file(project):
    source = 'def f(x):\n    """One.\n\n    Two.\n    """\n    return x * x\n'
    assert emit_source(source.replace("\n", "\r\n")) == emit_source(source)


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b'def f(x):\n    """caf\xe9"""\n', "def f(x):",
         "'utf-8' codec can't decode byte 0xe9 in position 20: invalid continuation byte"),
        (b"# coding: nonsense\n", "# coding: nonsense", "unknown encoding: nonsense"),
        (b"\n\ndef f(x): # \xed\xa0\x80\n", "",
         "'utf-8' codec can't decode byte 0xed in position 14: invalid continuation byte"),
    ],
    ids=["latin-1 undeclared", "unknown", "lone surrogate"],
)  # fmt: skip
def test_trap_55_a_file_that_cannot_be_decoded_is_refused(data, line, message, project):
    shown = f"\n    {line}\n    ^\n" if line else "\n"
    assert emit_source(data, code=2) == (
        f"model.py:1:1: error: the file cannot be decoded: {message}{shown}"
    )


def test_trap_55_a_null_byte_is_refused(project):
    err = emit_source(b"def f(x):\n    return x\0\n", code=2)
    assert err.startswith("model.py:1:1: error: source code string cannot contain null bytes\n")


def test_trap_55_lone_surrogates_are_written_out(project):
    source = 'def f(x, kind="a\\ud800b"):\n    """Lone \\ud800."""\n    return x * x\n'
    emit_source(source, "-o", "model_grad.py")
    emitted = module((project / "model_grad.py").read_bytes().decode("utf-8"))["f_value_and_grad"]
    assert emitted.__defaults__ == ("a\ud800b",)
    assert "Lone \\ud800." in emitted.__doc__
    assert emitted(3.0) == (9.0, 6.0)


@posix
def test_trap_55_an_error_in_a_path_that_is_not_utf_8_is_printed(project):
    name = os.fsdecode(b"\xff.py")
    Path(name).write_text("def f(x):\n    return nothing\n", "utf-8")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "gradgen", "emit", name + ":f"], env=environ, capture_output=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith(rb"\udcff.py:2:12: error: name `nothing` is not defined")


def test_trap_55_a_form_feed_does_not_shift_the_lines_of_an_error(project):
    err = emit_source("import math\n\x0c\ndef f(x):\n    y = x\n    return nothing\n", code=2)
    assert err.splitlines()[:2] == [
        "model.py:5:12: error: name `nothing` is not defined", "        return nothing",
    ]  # fmt: skip


def test_a_warning_of_the_parser_about_the_source_is_not_an_error(project):
    out = emit_source('def f(x):\n    "An old \\d."\n    return x * x\n')
    assert module(out)["f_value_and_grad"](3.0) == (9.0, 6.0)


def test_names_of_shapes_are_normalised_as_python_does(project):
    out = emit_source("def f(ﬁ):\n    return ﬁ * ﬁ\n", "--shapes", "ﬁ=scalar", "--wrt", "ﬁ")
    assert module(out)["f_value_and_grad"](3.0) == (9.0, 6.0)


# -- what the module decides by itself -------------------------------------------------------------


def test_a_header_is_looked_for_at_the_top_only():
    assert files.has_header("# (c) us\n" + files.HEADER + "model.py:f; DO NOT EDIT.\n")
    assert not files.has_header("\n" * 200 + files.HEADER)
    assert not files.has_header(f"x = '{files.HEADER}'\n")


def test_the_difference_names_both_sides():
    assert files.difference(Path("a.py"), "1\n2\n", "1\n3\n") == [
        "--- a.py", "+++ a.py (as gradgen emits it)", "@@ -1,3 +1,3 @@", " 1", "-2", "+3", " ",
    ]  # fmt: skip


def test_writing_nothing_is_fine():
    files.write_files({})


def test_a_folder_in_the_way_is_an_error(tmp_path):
    with pytest.raises(GradgenError) as error:
        files.write_files({tmp_path: "x"})
    wanted = f"{tmp_path}: not a regular file; what was there is as it was"
    assert str(error.value) == wanted
    assert list(tmp_path.parent.glob(".gradgen-*")) == []
