"""The command `gradgen compare`: its table, its JSON, its picture, its exit codes."""

import builtins
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import gradgen
from gradgen.cli import cli
from gradgen.cli_compare import parse_range
from gradgen.measure.families import FAMILIES
from gradgen.measure.table import WIDTH, as_text

SOURCE = """\
import numpy as np

raise SystemExit("this file must not be executed")


def energy(x, y):
    return np.sin(x * y) + x**2


def power(x, depth):
    for _ in range(depth):
        x = x * x + 1.0
    return x


def ten(*, a, b, c, d, e, f, g, h, i, j):
    return a * b * c * d * e * f * g * h * i * j


def broken(x):
    return open(x)


def overflowing(x):
    return np.exp(np.exp(np.exp(np.exp(x + 9.0))))
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(SOURCE, "utf-8")
    return path


def run(*words):
    """What the command prints and its exit code, in this process."""
    return CliRunner().invoke(cli, ["compare", *map(str, words)])


# -- table and JSON --------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_method_in_a_hundred_columns(model):
    done = run(f"{model}:energy", "--wrt", "x,y")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH and "…" not in done.stdout
    first = [line.split()[0] for line in lines if line.strip()]
    assert [w for w in first if w in ("value", "gradient") or w.startswith("d/d")] == [
        "value", "d/dx", "d/dy", "gradient",
    ]  # fmt: skip
    methods = ["sympy raw", "sympy cse", "sympy simplify", "sympy cse both", "gradgen forward",
               "gradgen backward", "gradgen both"]  # fmt: skip
    gradient = lines[lines.index(next(line for line in lines if line == " gradient")) :]
    assert [line[2:18].strip() for line in gradient[1:8]] == methods
    # sin(x*y) + x**2: mul, sin, power, add
    assert gradient[5].split()[2:6] == ["4", "1", "1", "1"]
    assert "Value and gradient take 9 operations, the value alone 4: 2.25 times" in done.stdout


def test_the_json_holds_the_numbers_of_the_table(model):
    done = run(f"{model}:energy", "--wrt", "x,y", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["name"] == "energy" and found["wrt"] == ["x", "y"]
    assert list(found["subjects"]) == ["value", "d/dx", "d/dy", "gradient"]
    # y*cos(x*y) + 2*x and x*cos(x*y)
    raw = found["subjects"]["d/dx"]["sympy raw"]
    assert raw["operations"] == {
        "add": 1, "mul": 3, "div": 0, "pow": 0, "transcendental": 1, "other": 0, "total": 5,
    }  # fmt: skip
    whole = found["subjects"]["gradient"]
    assert whole["sympy raw"]["operations"]["total"] == 5 + 3
    # the value, cos(x*y), two products with it, 2*x, and a sum
    assert whole["gradgen both"]["operations"]["total"] == 4 + 5
    assert whole["sympy raw"]["to_forward"] == 2.0
    assert found["gradient_to_forward"] == 2.25
    for cell in whole.values():
        assert cell["characters"] > 0 and cell["nodes"] > 0 and cell["bytecode"] > 0
    assert whole["gradgen both"]["build_seconds"] > 0
    assert whole["gradgen both"]["evaluate_seconds"] > 0


def test_the_api_gives_the_same_numbers_as_the_command(model):
    def energy(x, y):
        return np.sin(x * y) + x**2

    def sizes(told):
        return {
            (subject, method): [cell[k] for k in ("operations", "characters", "nodes", "bytecode")]
            for subject, cells in told["subjects"].items() for method, cell in cells.items()
        }  # fmt: skip

    found = gradgen.compare(energy, wrt=("x", "y"))
    told = json.loads(run(f"{model}:energy", "--wrt", "x,y", "--json").stdout)
    assert sizes(json.loads(json.dumps(found.as_dict()))) == sizes(told)
    assert str(found) == as_text(found)


def test_many_partial_derivatives_are_cut_in_the_table_and_whole_in_json(model):
    names = ",".join("abcdefghij")
    shown = run(f"{model}:ten", "--wrt", names, "--simplify-below", 0).stdout
    assert (
        "\n d/dh\n" in shown
        and "\n d/di\n" not in shown
        and "... and 2 more (--json has all)" in shown
    )
    told = json.loads(run(f"{model}:ten", "--wrt", names, "--simplify-below", 0, "--json").stdout)
    assert len(told["subjects"]) == 12
    left_out = told["subjects"]["d/da"]["sympy simplify"]["left_out"]
    assert left_out == "8 operations; SymPy is asked to simplify below 0 only"


def test_a_value_that_is_not_finite_is_measured_without_a_warning(model):
    done = run(f"{model}:overflowing")
    assert done.exit_code == 0 and "gradgen both" in done.stdout


# -- growth ----------------------------------------------------------------------------------------


def test_a_static_parameter_gives_a_row_for_each_value(model):
    done = run(f"{model}:power", "--param", "depth=1..4", "--json")
    points = json.loads(done.stdout)["points"]
    assert [p["depth"] for p in points] == [1, 2, 3, 4]
    # a product and a sum for each level
    forward = [p["subjects"]["gradient"]["gradgen forward"] for p in points]
    assert [cell["operations"]["total"] for cell in forward] == [2, 4, 6, 8]
    table = run(f"{model}:power", "--param", "depth=2..3").stdout
    assert max(map(len, table.splitlines())) <= WIDTH and "…" not in table
    assert [line.split()[0] for line in table.splitlines() if line[:1].isdigit() or
            line[1:2].isdigit()] == ["2", "3"]  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_table_of_a_hundred_columns(name):
    done = run("--family", name, "--n", "1..3", "--simplify-below", 0)
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= WIDTH and "…" not in done.stdout
    assert FAMILIES[name].about in CliRunner().invoke(cli, ["compare", "--help"]).stdout


def test_the_picture_tells_the_methods_by_shape_on_a_logarithmic_axis(tmp_path):
    path = tmp_path / "growth.svg"
    done = run("--family", "sine", "--n", "1..4", "--plot", path)
    assert done.exit_code == 0, done.output
    text = path.read_text("utf-8")
    root = ET.fromstring(text)
    lines = [g for g in root.iter("{http://www.w3.org/2000/svg}g")
             if g.get("id", "").startswith("line2d")]  # fmt: skip
    assert len(lines) > 6
    assert "dc:date" not in text
    # in grey only
    colours = {c.lower() for c in re.findall(r"#[0-9a-fA-F]{6}\b", text)}
    assert all(c[1:3] == c[3:5] == c[5:7] for c in colours)
    dashes = set(re.findall(r"stroke-dasharray: ([^;\"]+)", text))
    assert len(dashes) >= 4


def test_a_missing_matplotlib_is_said_with_what_to_install(monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    done = run("--family", "sine", "--n", "1", "--plot", tmp_path / "a.svg")
    assert done.exit_code == 2
    assert done.stderr.strip().endswith(
        "--plot needs Matplotlib, which is not installed: pip install 'gradgen[examples]'"
    )


def test_a_picture_that_cannot_be_written_is_an_error_with_its_name(tmp_path):
    for name in ("no/such/folder.svg", "growth.nosuchformat"):
        done = run("--family", "sine", "--n", "1", "--plot", tmp_path / name)
        assert done.exit_code == 2 and str(tmp_path / name) in done.stderr


# -- the budget, and misuse ------------------------------------------------------------------------


def test_a_gradient_that_outgrows_its_budget_fails(model):
    assert run(f"{model}:energy", "--wrt", "x,y", "--max-ops", 9).exit_code == 0
    done = run(f"{model}:energy", "--wrt", "x,y", "--max-ops", 8)
    assert done.exit_code == 1
    assert done.stderr == (
        "gradgen: energy: value and gradient take 9 operations, more than --max-ops 8\n"
    )
    growth = run("--family", "nested", "--n", "1..3", "--max-ops", 16)
    # 6 operations a nesting, less the factor 1
    assert growth.exit_code == 1 and "take 17 operations" in growth.stderr
    assert run("--family", "nested", "--n", "1..3", "--max-ops", 17).exit_code == 0


@pytest.mark.parametrize(("words", "message"), [
    ([], "name a function, PATH.py:function, or a --family"),
    (["{m}:energy", "--family", "sine"], "name a function, PATH.py:function, or a --family"),
    (["{m}:energy", "--n", "1..3"], "--n is of a --family; for a function, --param NAME=A..B"),
    (["{m}:energy", "--plot", "a.svg"], "--plot draws growth: give a --family, or --param"),
    (["--family", "sine", "--wrt", "x"], "a --family has its own parameters; give --n A..B"),
    (["--family", "sine", "--n", "3..1"], "'3..1' runs backwards"),
    (["--family", "sine", "--n", "x"], "'x' is not A..B"),
    (["--family", "sine", "--n", "0..2"], "the family sine begins at n=1"),
    (["--family", "sine", "--n", "1..5000"], "n: expected 1 to 1,000 values, not 5,000"),
    (["--family", "other"], "'other' is not one of"),
    (["{m}:power", "--param", "depth"], "'depth' is not NAME=A..B"),
    (["{m}:power", "--param", "deep=1..2"], "shapes declares deep, which is not a parameter"),
    (["{m}:energy,power"], "name one function, PATH.py:function"),
    (["{m}"], "name one function, PATH.py:function"),
    (["{m}:broken"], "model.py:21:12: error: open is not supported here"),
    (["{m}:nothing"], "no top-level function nothing"),
    (["{m}:energy", "--wrt", "z"], "wrt='z': the parameters of energy are x, y"),
])  # fmt: skip
def test_misuse_is_refused_with_exit_code_2(model, words, message):
    done = run(*(word.format(m=model) for word in words))
    assert done.exit_code == 2, done.output
    assert message in done.stderr.replace("\n", " ")
    assert done.stdout == ""


@pytest.mark.parametrize(("text", "values"), [
    ("1..3", [1, 2, 3]), (" 4 ", [4]), ("-1 .. 1", [-1, 0, 1]),
])  # fmt: skip
def test_a_range_has_both_ends(text, values):
    assert list(parse_range(text, "--n")) == values


def test_the_help_of_compare_loads_neither_sympy_nor_rich():
    code = (
        "import sys, gradgen.cli_compare; print(sorted({'rich', 'jinja2', 'sympy', 'matplotlib'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True,
                          cwd=Path(gradgen.__file__).parent.parent)  # fmt: skip
    assert done.stdout.split() == [b"[]"], done.stderr
