"""The package as users get it: a wheel, an editable install and an sdist, each really built."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import gradgen

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TEMPLATES = sorted(path.name for path in (ROOT / "templates").glob("*.jinja"))
TREE = ["pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "gradgen", "templates"]
HEAVY = ["click", "jinja2", "rich", "scipy", "sympy"]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
BUILD = ["--quiet", "--no-deps", "--no-build-isolation"]
# nothing of this checkout may reach the installed package
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

SOURCE = """\
def f(x, y):
    return x * x * y
"""


def run(*command, cwd, **environ):
    """The standard output of a command that must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=ENVIRON | environ,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass
class Install:
    """A venv with gradgen in it; the packages gradgen needs come from the running environment."""

    root: Path
    package: Path  # where `import gradgen` has to find it

    @property
    def scripts(self):
        return self.root / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self):
        return self.scripts / "python"

    def borrow_dependencies(self, cwd):
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        own = Path(run(self.python, "-I", "-c", code, cwd=cwd).strip())
        # last in order, so that what is installed here comes first
        (own / "zz_dependencies.pth").write_text("\n".join(site_packages()), "utf-8")


def site_packages():
    return [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]


def copy_tree(target):
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(exist_ok=True)
            shutil.copy(source, target / name)
    return target


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A directory with the sdist, and the wheel that pip builds from that sdist."""
    work = tmp_path_factory.mktemp("build")
    tree = copy_tree(work / "tree")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", work, cwd=tree)
    [sdist] = work.glob("*.tar.gz")
    run(*PIP, "wheel", *BUILD, "-w", work, sdist, cwd=work)
    return work


@pytest.fixture(scope="module")
def wheel(built):
    [wheel] = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed_wheel(wheel, tmp_path_factory):
    root = tmp_path_factory.mktemp("wheel") / "venv"
    venv.create(root)
    install = Install(root, root)
    run(*PIP, "--python", install.python, "install", *BUILD, wheel, cwd=root)
    install.borrow_dependencies(root)
    return install


@pytest.fixture(scope="module")
def installed_editable(tmp_path_factory):
    work = tmp_path_factory.mktemp("editable")
    tree = copy_tree(work / "tree")
    venv.create(work / "venv")
    install = Install(work / "venv", tree)
    # pip's own build runs in the venv, and needs hatchling there
    path = os.pathsep.join(site_packages())
    command = [*PIP, "--python", install.python, "install", "--ignore-installed", *BUILD]
    run(*command, "-e", tree, cwd=work, PYTHONPATH=path)
    install.borrow_dependencies(work)
    return install


@pytest.fixture(params=["wheel", "editable"])
def install(request):
    return request.getfixturevalue(f"installed_{request.param}")


def test_the_wheel_carries_the_templates_the_types_and_the_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert TEMPLATES
    prefix = "gradgen/templates/"
    assert sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix)) == (
        sorted(path.name for path in (ROOT / "templates").iterdir())
    )
    assert "gradgen/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {
        "gradgen",
        f"gradgen-{PROJECT['version']}.dist-info",
    }


def test_the_wheel_holds_every_module(wheel):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gradgen").rglob("*.py")}
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_sdist_carries_what_a_build_needs(built):
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "gradgen/py.typed"}
    assert wanted | {f"templates/{name}" for name in TEMPLATES} <= names


def test_an_install_imports_its_own_copy(install, tmp_path):
    code = "import gradgen; print(gradgen.__file__)"
    found = Path(run(install.python, "-I", "-c", code, cwd=tmp_path).strip())
    assert found.resolve().is_relative_to(install.package.resolve())
    assert (found.parent / "py.typed").is_file()


def test_an_install_has_the_command(install, tmp_path):
    for command in ([install.scripts / "gradgen"], [install.python, "-m", "gradgen"]):
        assert PROJECT["version"] in run(*command, "--version", cwd=tmp_path).split()


def test_an_install_emits_a_gradient_that_is_right(install, tmp_path):
    (tmp_path / "model.py").write_text(SOURCE, "utf-8")
    emitted = run(install.scripts / "gradgen", "emit", "model.py:f", "--wrt", "x,y", cwd=tmp_path)
    module = {"__name__": "emitted"}
    exec(compile(emitted, "emitted.py", "exec"), module)
    assert module["f_value_and_grad"](2.0, 3.0) == (12.0, (12.0, 4.0))


def test_importing_gradgen_loads_no_heavy_package():
    code = f"import sys, gradgen; print(sorted(sys.modules.keys() & set({HEAVY})))"
    assert run(sys.executable, "-c", code, cwd=ROOT) == "[]\n"


def test_every_public_name_exists():
    assert len(gradgen.__all__) == len(set(gradgen.__all__))
    assert [name for name in gradgen.__all__ if not hasattr(gradgen, name)] == []


def test_dir_shows_every_public_name():
    assert set(gradgen.__all__) <= set(dir(gradgen))
