"""Sources on disk: what was made from the same comes back, anything else is compiled anew."""

import importlib.util
import itertools
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import gradgen
from gradgen import cache, live
from gradgen.graph import Graph
from gradgen.program import Options
from gradgen.types import Type

SOURCE = """\
import numpy as np

RATE = 2.0
WEIGHTS = np.array([1.0, 2.0, 3.0])
TABLE = np.linspace(0.0, 1.0, 60)


def scaled(x):
    return RATE * x


def f(x, y, power=2.0):
    return np.sum(np.sin(scaled(x)) * WEIGHTS) * y**power + np.sum(TABLE)
"""
SHAPES = "x=3, y=scalar, power=scalar"
AT = (np.array([0.1, 0.2, 0.3]), 1.5)
numbers = itertools.count()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "kept"
    monkeypatch.setenv("GRADGEN_CACHE_DIR", str(path))
    return path


def function_in(tmp_path, text=SOURCE, name="f"):
    """The function of a module that is written and imported."""
    path = tmp_path / f"module_{next(numbers)}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def derived(f, derive=gradgen.value_and_grad, **options):
    return derive(f, **{"wrt": ("x", "y"), "shapes": SHAPES, "cache": True, **options})


def kept(folder):
    return sorted(folder.glob("*.py"))


def compiling(monkeypatch):
    """A list that grows by an item for each compilation."""
    made = []
    compile_graph = live.compile_graph

    def counted(*args):
        made.append(args)
        return compile_graph(*args)

    monkeypatch.setattr(live, "compile_graph", counted)
    return made


def test_a_source_comes_back_with_all_that_belongs_to_it(tmp_path, folder, monkeypatch):
    plain = derived(function_in(tmp_path), cache=False)
    assert not folder.exists()
    first = derived(function_in(tmp_path))
    made = compiling(monkeypatch)
    again = derived(function_in(tmp_path))
    assert made == []
    assert plain.source == first.source == again.source
    assert (again.__name__, again.__qualname__) == ("f", "f")
    np.testing.assert_equal(again(*AT), plain(*AT))
    assert len(again.graph) == len(plain.graph)
    assert type(again.graph) is Graph
    assert (again.graph.ops, again.graph.args) == (plain.graph.ops, plain.graph.args)
    assert len(made) == 1
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *kept(folder))] == (
        [0o700, 0o600] if os.name == "posix" else [0o777, 0o666]
    )


def test_threads_that_look_at_a_later_graph_at_once_see_one(tmp_path, folder, monkeypatch):
    derived(function_in(tmp_path))
    again = derived(function_in(tmp_path))
    made = compiling(monkeypatch)
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(again.graph.ops)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(ops is seen[0] for ops in seen)
    assert len(seen) == 8


CHANGED_TEXTS = {
    "the body": ("np.sin(", "np.cos("),
    "a helper": ("return RATE * x", "return RATE + x"),
    "a global number": ("RATE = 2.0", "RATE = 2"),
    "the sign of a zero": ("RATE = 2.0", "RATE = -0.0"),
    "an item of an array": ("2.0, 3.0]", "2.5, 3.0]"),
    "the dtype of an array": ("2.0, 3.0])", "2.0, 3.0], np.float32)"),
    "an item of a large array": ("TABLE = np", "TABLE = 2.0 * np"),
    "a default": ("power=2.0", "power=3.0"),
    "the docstring": ("    return RATE", '    """Scaled."""\n    return RATE'),
    "a name": ("scaled", "stretched"),
    "where it stands": ("RATE = 2.0", "\nRATE = 2.0"),
}


@pytest.mark.parametrize("what", CHANGED_TEXTS)
def test_a_source_is_not_found_once_this_has_changed(what, tmp_path, folder):
    text = SOURCE.replace(*CHANGED_TEXTS[what])
    assert text != SOURCE
    derived(function_in(tmp_path))
    before = kept(folder)
    found = derived(function_in(tmp_path, text))
    assert len(kept(folder)) == len(before) + 1
    plain = derived(function_in(tmp_path, text), cache=False)
    assert found.source == plain.source
    np.testing.assert_equal(found(*AT), plain(*AT))


def test_every_option_and_every_version_counts(tmp_path, folder, monkeypatch):
    f = function_in(tmp_path)

    def count(**options):
        derived(f, **options)
        return len(kept(folder))

    assert count() == count() == count(shapes=None, like=(*AT, 2.0)) == 1
    others = [
        {"wrt": "x"}, {"wrt": ("x",)}, {"derive": gradgen.grad}, {"derive": gradgen.jvp},
        {"derive": gradgen.vjp}, {"derive": gradgen.hvp}, {"stabilize": True},
        {"shapes": "x=3:float32, y=scalar, power=scalar"}, {"shapes": "x=3, y=scalar, power=int"},
    ]  # fmt: skip
    assert [count(**more) for more in others] == list(range(2, len(others) + 2))
    before = len(kept(folder))
    monkeypatch.setattr(np, "__version__", "2.99.0")
    assert count() == before + 1
    monkeypatch.setattr(sys, "version", "3.99.0")
    assert count() == before + 2
    monkeypatch.setattr(cache, "VERSION", "99")
    assert count() == before + 3
    monkeypatch.setattr(cache, "_own_digest", lambda: "another file")
    assert count() == before + 4


def test_the_digest_of_gradgen_changes_with_each_of_its_files(tmp_path, monkeypatch):
    (tmp_path / "ops").mkdir()
    (tmp_path / "templates").mkdir()
    files = [tmp_path / "a.py", tmp_path / "ops" / "b.py", tmp_path / "templates" / "c.jinja"]
    for path in files:
        path.write_text("1")
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    monkeypatch.setattr(cache, "template_folder", lambda: tmp_path / "templates")
    found = {cache._own_digest.__wrapped__()}
    for path in files:
        path.write_text("2")
        found.add(cache._own_digest.__wrapped__())
    assert len(found) == 4


def test_a_closure_and_a_bound_object_count_by_what_they_hold(tmp_path, folder):
    text = (
        "class Model:\n    def __init__(self, k):\n        self.k = k\n\n"
        "    def f(self, x, y, power):\n        return self.k * x**power * y\n\n\n"
        "def made(k):\n    def g(x, y, power):\n        return k * x**power * y\n\n    return g\n"
    )
    shapes = "x=scalar, y=scalar, power=scalar"
    for name in ("made", "Model"):
        held = function_in(tmp_path, text, name)
        functions = [held(k) if name == "made" else held(k).f for k in (2.0, 3.0, 2.0)]
        before = len(kept(folder))
        values = [derived(f, shapes=shapes)(1.0, 1.0, 1.0)[0] for f in functions]
        assert values == [2.0, 3.0, 2.0]
        assert len(kept(folder)) == before + 2


def test_what_a_captured_array_holds_later_is_seen(tmp_path, folder):
    functions = [function_in(tmp_path) for _ in range(2)]
    found = [derived(f) for f in functions]
    assert len(kept(folder)) == 1
    for f in functions:
        f.__globals__["TABLE"][0] = 100.0
    plain = functions[0](*AT)
    assert [g(*AT)[0] for g in found] == [plain, plain]


def test_a_function_of_undeclared_shapes_is_kept_by_signature(tmp_path, folder, monkeypatch):
    def called(x):
        function = gradgen.grad(function_in(tmp_path), cache=True)
        return function(x, 1.5), function.source

    first, source = called(AT[0])
    assert len(kept(folder)) == 1
    made = compiling(monkeypatch)
    again, same = called(AT[0])
    assert made == []
    assert source == same
    np.testing.assert_array_equal(first, again)
    called(np.array([0.5]))
    assert len(kept(folder)) == len(made) + 1 == 2


def test_a_damaged_file_is_ignored_and_written_anew(tmp_path, folder, monkeypatch):
    f = function_in(tmp_path)
    other = gradgen.grad(f, wrt="y", shapes=SHAPES, cache=True).source
    (foreign,) = kept(folder)
    source = derived(f).source
    (path,) = set(kept(folder)) - {foreign}
    whole = path.read_bytes()
    made = compiling(monkeypatch)
    damages = [
        b"", whole[:-1], whole[:40], whole.replace(b"np.sin", b"np.tan"), b"\xff" + whole,
        whole.replace(b"# captured: {", b"# captured: [", 1), foreign.read_bytes(),
    ]  # fmt: skip
    for number, damaged in enumerate(damages, 1):
        assert damaged != whole
        path.write_bytes(damaged)
        assert derived(f).source == source
        assert len(made) == number
        assert path.read_bytes() == whole
    assert other != source
    assert list(folder.glob("*.tmp")) == []


@pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")
def test_a_folder_that_others_can_write_to_is_refused(tmp_path, folder, monkeypatch):
    f = function_in(tmp_path)
    folder.mkdir()
    message = (
        f"{folder}: others can write to this folder, and what is kept in it is executed; "
        "choose another with GRADGEN_CACHE_DIR, or take their permission"
    )
    for mode in (0o720, 0o702, 0o1777):
        folder.chmod(mode)
        with pytest.raises(gradgen.GradgenError, match=f"^{re.escape(message)}$"):
            derived(f)
    folder.chmod(0o755)
    derived(f)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(gradgen.GradgenError, match=f"^{re.escape(message)}$"):
        derived(f)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_that_others_can_write_to_is_written_anew(tmp_path, folder, monkeypatch):
    f = function_in(tmp_path)
    derived(f)
    (path,) = kept(folder)
    path.chmod(0o622)
    made = compiling(monkeypatch)
    derived(f)
    assert len(made) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    derived(f)
    assert len(made) == 1


def test_without_a_place_for_files_functions_are_compiled_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADGEN_CACHE_DIR", str(tmp_path / "file" / "folder"))
    found = derived(function_in(tmp_path))
    assert found(*AT)[0] == function_in(tmp_path)(*AT)


def test_a_failed_write_leaves_nothing(tmp_path, folder, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    derived(function_in(tmp_path))
    assert list(folder.iterdir()) == []


def test_threads_and_processes_at_once_agree(tmp_path, folder):
    (tmp_path / "shared.py").write_text(SOURCE)
    script = (
        "import threading, gradgen, shared\n"
        "sources = []\n"
        "def work():\n"
        "    g = gradgen.value_and_grad(shared.f, wrt=('x', 'y'), shapes="
        f"{SHAPES!r}, cache=True)\n"
        "    sources.append(g.source)\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "[t.start() for t in threads]\n"
        "[t.join() for t in threads]\n"
        "assert len(sources) == 4 and len(set(sources)) == 1\n"
        "print(sources[0])\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        for _ in range(3)
    ]  # fmt: skip
    texts = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(set(texts)) == 1
    assert [path.suffix for path in folder.iterdir()] == [".py"]


def test_the_folder_is_the_one_that_is_chosen_or_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    monkeypatch.setenv("GRADGEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache.cache_folder() == tmp_path
    monkeypatch.setenv("GRADGEN_CACHE_DIR", "")
    assert cache.cache_folder() == Path("/xdg/gradgen")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.cache_folder() == Path("/home/somebody/.cache/gradgen")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.cache_folder() == Path("/home/somebody/Library/Caches/gradgen")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache.cache_folder() == Path("/local/gradgen/Cache")


def test_a_graph_with_an_object_of_unknown_content_has_no_key():
    def key(attr):
        return cache.key_of(Graph(captured={"x": attr}), Options(), True)

    assert key(object()) is None
    assert key(np.array([object()])) is None
    distinct = [
        0.0, -0.0, 0, False, "0", b"0", None, float("nan"), (), (0,), (0.0,), ("a", "b"), ("a,b",),
        np.float32(0), np.float64(0), np.zeros(1), np.zeros((1, 1)), np.zeros(1, ">f8"),
        {0: 1}, {1: 0}, "\ud800", Type("array", "float64", (3,)), Type("array", "float64", (4,)),
    ]  # fmt: skip
    keys = [key((item,)) for item in distinct]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert keys == [key((item,)) for item in distinct]
