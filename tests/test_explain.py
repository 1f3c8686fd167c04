"""Worked tables: they say what the lectures derive, and what they compute is right."""

import re
from pathlib import Path

import golden
import numpy as np
import pytest
from click.testing import CliRunner

import gradgen
from gradgen.cli import cli
from gradgen.explaining import explain_path
from gradgen.notation import latex_name
from gradgen.point import parse_at
from gradgen.shown import number_text, value_text

EXAMPLES = Path(__file__).parent.parent / "examples"
MULTILAYER = f"{EXAMPLES / 'lecture_multilayer.py'}:loss"
NAMES = [name for name in golden.names() if golden.load(name).mode == "value_and_grad"]


def example(name, function, at, **options):
    return explain_path(f"{EXAMPLES / name}.py:{function}", parse_at(at), **options)


def ran(*words):
    return CliRunner().invoke(cli, ["explain", *words])


def test_the_tables_of_the_straight_line_program_are_those_of_the_slides():
    found = example("lecture_straight_line", "f", "x1=2,x2=1,a=1", wrt=("x1", "x2"))
    # by hand from the forward program and the adjoint rules of the slides
    assert found.values == {
        "x1": 2, "x2": 1, "a": 1, "z1": 4, "z2": 1, "z3": 1, "z4": 1, "z5": 5, "z6": np.log(5.0),
        "z7": 5 - np.log(5.0),
    }  # fmt: skip
    assert round(float(found.values["z7"]), 6) == 3.390562
    wanted = {"z7": 1, "z6": -1, "z4": 1, "z5": -0.2, "z1": 0.8, "z2": -0.2, "z3": 1, "x1": 4.2,
              "x2": -1.4}  # fmt: skip
    assert found.adjoints.keys() == wanted.keys()
    np.testing.assert_allclose([found.adjoints[k] for k in wanted], list(wanted.values()), 1e-15)
    assert (
        str(found)
        == """\
f, with respect to x1, x2, at x1 = 2, x2 = 1, a = 1

forward            value     backward                             value
─────────────────────────    ──────────────────────────────────────────
x1                 2         d_z7 = 1.0                           1
x2                 1         d_z4 = d_z7                          1
a                  1         d_z6 = -d_z7                         -1
z1 = x1**2         4         d_z5 = d_z6 / z5                     -0.2
z2 = x2**2         1         d_z1 = d_z7 + d_z5                   0.8
z3 = x1 - x2       1         d_z2 = d_z5                          -0.2
z4 = z3**a         1         d_z3 = d_z4 * (a * z3 ** (a - 1.0))  1
z5 = z1 + z2       5         d_x2 = 2.0 * d_z2 * x2 - d_z3        -1.4
z6 = np.log(z5)    1.6094    d_x1 = d_z3 + 2.0 * d_z1 * x1        4.2
z7 = z1 + z4 - z6  3.3906"""
    )


def test_the_adjoints_of_the_six_statements_come_in_the_order_of_the_notes():
    found = example("lecture_swell", "f", "x=0.5", notation="partial")
    a = np.exp(0.5)
    c = a + a**2
    # eq. 2.4
    dc = np.exp(c) + np.cos(c)
    wanted = {"f": 1, "d": 1, "e": 1, "c": dc, "b": dc, "a": dc + dc * 2 * a}
    wanted["x"] = wanted["a"] * np.exp(0.5)
    assert list(found.adjoints) == list(wanted)
    np.testing.assert_allclose(list(found.adjoints.values()), list(wanted.values()), 1e-14)
    assert found.rules["d"] == ["∂f/∂d = ∂f/∂f"]
    assert found.rules["a"] == ["∂f/∂a = ∂f/∂c + 2.0 * ∂f/∂b * a"]


def test_the_logistic_exercise_has_the_numbers_of_the_slide():
    at = "w1=1,x1=1,w2=1,x2=1,w3=-1.5,x3=1"
    found = example("lecture_logistic", "circuit", at)
    values = {"mu": 0.5, "nu": -0.5, "xi": 0.6065, "pi": 1.6065, "varpi": 0.6225, "rho": -0.4740,
              "l": 0.4740}  # fmt: skip
    adjoints = {"rho": -1, "varpi": -1.6065, "pi": 0.6224, "xi": 0.6224, "nu": 0.3775,
                "mu": -0.3775, "lambda_": -0.3775, "kappa": -0.3775, "gamma": -0.3775,
                "zeta": -0.3775, "w1": -0.3775, "x1": -0.3775, "w2": -0.3775, "x2": -0.3775,
                "w3": -0.3775, "x3": 0.5663}  # fmt: skip
    for name, value in values.items():
        assert abs(found.values[name] - value) <= 1e-4, name
    for name, value in adjoints.items():
        assert abs(found.adjoints[name] - value) <= 1e-4, name


def test_the_multilayer_net_has_the_eight_lines_of_the_notes_in_their_order():
    at = {"W1": [[0.5, -1.0], [1.0, 2.0], [0.0, 1.0]], "b1": [0, -1, 2],
          "W2": [[1.0, 2.0, -1.0], [-1.0, 0.5, 0.25]], "b2": [0.5, 0.0], "x": [1.0, -0.5],
          "t": [1.0, 0.0]}  # fmt: skip
    found = explain_path(MULTILAYER, at, ("W1", "b1", "W2", "b2"), notation="bar")
    assert [line for lines in found.rules.values() for line in lines] == [
        "L_bar = 1.0",
        "y_bar = L_bar * (y - t)",
        "W2_bar = np.outer(y_bar, h)",
        "b2_bar = y_bar",
        "h_bar = W2.T @ y_bar",
        "z_bar = h_bar * h * (1.0 - h)",
        "W1_bar = np.outer(z_bar, x)",
        "b1_bar = z_bar",
    ]
    W1, b1, W2, b2, x, t = (np.array(at[k], float) for k in at)
    h = 1 / (1 + np.exp(-(W1 @ x + b1)))
    y_bar = W2 @ h + b2 - t
    z_bar = (W2.T @ y_bar) * h * (1 - h)
    wanted = {"W2": np.outer(y_bar, h), "b2": y_bar, "h": W2.T @ y_bar, "z": z_bar,
              "W1": np.outer(z_bar, x), "b1": z_bar}  # fmt: skip
    for name, value in wanted.items():
        np.testing.assert_allclose(found.adjoints[name], value, rtol=1e-14)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """The golden cases worked through at their first points, with what is known of them by hand."""
    folder, found = tmp_path_factory.mktemp("cases"), {}
    for name in NAMES:
        case = golden.load(name)
        path = folder / f"{name}.py"
        path.write_text(case.source, "utf-8")
        wrt = case.wrt()
        point = parse_at(case.points[0])
        location = f"{path}:{case.function}"
        shapes = case.options.get("shapes")
        names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
        found[name] = case, explain_path(location, point, names, shapes, notation="bar")
    return found


def numbers(tree):
    """The arrays in a gradient, in order."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if hasattr(tree, "__dataclass_fields__"):
        tree = [getattr(tree, name) for name in tree.__dataclass_fields__]
    if isinstance(tree, (list, tuple)):
        return [array for part in tree for array in numbers(part)]
    return [] if tree is None else [np.asarray(tree)]


def test_values_and_adjoints_of_the_golden_cases_are_those_found_by_hand(cases):
    compared = 0
    for name, (case, found) in cases.items():
        if not case.hand:
            continue
        with np.errstate(all="ignore"):
            value, gradients = case.namespace()["hand"](**case.arguments(case.points[0]))
        sheet = found.sheet
        rows = {node: row for node, row in sheet.rows.items() if sheet.graph.ops[node] == "param"}
        got = [row.adjoint.value for node, row in rows.items()
               if sheet.graph.attrs[node][0] in found.wrt]  # fmt: skip
        order = [p.name for p in sheet.graph.params if p.name in found.wrt]
        given = dict(zip(found.wrt, [gradients] if isinstance(case.wrt(), str) else gradients,
                         strict=True))  # fmt: skip
        want = [array for p in order for array in numbers(given[p])]
        np.testing.assert_allclose(sheet.rows[sheet.output].line.value, value, 1e-12, err_msg=name)
        assert len(got) == len(want), name
        for mine, theirs in zip(got, want, strict=True):
            assert np.shape(mine) == theirs.shape, name
            top = np.max(np.abs(theirs), initial=0.0)
            np.testing.assert_allclose(mine, theirs, 1e-10, 1e-12 * top, err_msg=name)
        compared += 1
    assert compared > 60


FORMULAS = ("kinks_array", "integer_index")


def test_every_formula_is_one_that_a_second_reader_of_latex_takes(cases):
    from matplotlib.mathtext import MathTextParser

    reader = MathTextParser("path")
    # commands of LaTeX that Matplotlib does not know, and others that stand where these do
    other = {r"\text": r"\mathrm", r"\mathtt": r"\mathrm", r"\bmod": "+"}
    for name in FORMULAS:
        lines = cases[name][1].latex().split("\n")
        assert lines[:2] == ["$$", r"\begin{array}{llll}"] and lines[-2:] == [r"\end{array}", "$$"]
        for line in lines[3:-2]:
            cells = line.removesuffix(r" \\").split(" & ")
            assert len(cells) == 4, (name, line)
            for cell in filter(None, cells):
                for command, known in other.items():
                    cell = cell.replace(command, known)
                try:
                    reader.parse(f"${cell}$")
                except ValueError as error:
                    pytest.fail(f"{name}: {cell}: {error}")


def f(p, x):
    y = p["k"] * x[1:]
    return np.sum(np.maximum(y, 0.0) ** 2) / alpha_0


alpha_0 = 4.0


def test_latex_has_the_notation_of_mathematics():
    at = {"p": {"k": 3}, "x": np.array([1.0, 2.0])}
    lines = gradgen.explain(f, at, wrt="p", notation="bar").latex().split("\n")
    cells = [line.removesuffix(r" \\").split(" & ") for line in lines[3:-2]]
    assert [row[0] for row in cells] == [
        "k", "x", r"y = k \, {x}_{1:}", r"\alpha_{0} = 4",
        r"f = \frac{\sum {\left(\max\left(y,\, 0\right)\right)}^{2}}{\alpha_{0}}",
    ]  # fmt: skip
    maximum = r"\max\left(y,\, 0\right)"
    assert [row[2] for row in cells[:3]] == [
        r"\overline{f} = 1",
        r"\overline{y} = \operatorname{where}\left(y > 0,\, \frac{2 \, \overline{f}}{\alpha_{0}} "
        rf"\, {maximum},\, 0\right)",
        r"\overline{k} = \overline{y} \cdot {x}_{1:}",
    ]
    assert [row[1] for row in cells] == ["3", "[1, 2]", "[6]", "4", "9"]
    assert [row[3] for row in cells] == ["1", "[3]", "6", "", ""]


def test_names_become_indices_greek_letters_and_words():
    names = {"z1": "z_{1}", "alpha": r"\alpha", "lambda_": r"\lambda", "W_ih": r"W_{\mathrm{ih}}",
             "loss": r"\mathit{loss}", "x_12": "x_{12}", "h_1_2": r"h_{\mathrm{1},2}",
             "_": r"\mathrm{\_}"}  # fmt: skip
    assert {name: latex_name(name) for name in names} == names


def test_numbers_are_shown_in_few_characters():
    shown = {0.60653: "0.6065", 1.6065306: "1.6065", -12.0: "-12", 1e-5: "1e-05", 0.0: "0",
             0.012345: "0.01235", 123456.789: "123456.789", 1.5e9: "1.5e+09", np.inf: "inf",
             True: "True", 7: "7"}  # fmt: skip
    assert {value: number_text(value) for value in shown} == shown
    assert value_text(np.array([[1.0, 2.0], [3.0, 4.0]])) == "[[1, 2], [3, 4]]"
    assert value_text(np.full((3, 4), 0.5)) == "(3, 4) norm 1.7321"
    assert value_text(np.arange(9)) == "(9,) int64"


def test_markdown_is_a_table_and_a_notebook_shows_it():
    found = gradgen.explain(lambda x, y: x * y, "x=2, y=3")
    assert found._repr_markdown_() == found.markdown()
    assert found._repr_latex_() == found.latex()
    lines = found.markdown().splitlines()
    assert lines[2:5] == [
        "| forward | value | backward | value |", "| --- | --- | --- | --- |",
        "| `x` | 2 | `d_f = 1.0` | 1 |",
    ]  # fmt: skip


def writes(x):
    y = x[:2]
    z = y * 2
    z[0] = z[1] * x[2]
    return np.sum(z) + z[0]


def test_arguments_stay_as_they_are_and_updates_are_lines_of_their_own():
    x = np.array([1.0, 2.0, 3.0])
    x.flags.writeable = False
    found = gradgen.explain(writes, {"x": x})
    # z = (2 x2 x3, 2 x2), f = 2 z0 + z1
    np.testing.assert_allclose(found.adjoints["x"], [0, 4 * 3 + 2, 4 * 2], 1e-15)
    assert found.sheet.rows[found.sheet.output].line.value == 28
    assert ["z_1 = z.copy()", "z_1[0] = z[1] * x[2]"] in [line.text for line in found.sheet.forward]


def depth(x, n: int, scale=2.0):
    for _ in range(n):
        x = np.sin(x) * scale
    return x


def test_whole_numbers_are_floats_unless_the_parameter_is_declared_int():
    found = gradgen.explain(depth, {"x": 1, "n": 2})
    assert found.wrt == ("x", "scale")
    s = np.sin(1.0)
    np.testing.assert_allclose(found.adjoints["x"], 4 * np.cos(2 * s) * np.cos(1.0), 1e-14)
    with pytest.raises(gradgen.GradgenError, match=r"^at: n=2.5 is not int$"):
        gradgen.explain(depth, {"x": 1, "n": 2.5})


def test_an_explanation_executes_nothing_of_the_file(tmp_path):
    path = tmp_path / "canary.py"
    song = f"open({str(tmp_path / 'sung')!r}, 'w')\n"
    path.write_text(song + "def f(x):\n    return x * x\n", "utf-8")
    assert explain_path(f"{path}:f", {"x": 3}).adjoints["x"] == 6
    assert not (tmp_path / "sung").exists()


def test_lines_are_bounded_and_few_where_expressions_share_and_nest():
    # written out, the derivative has a factor for each function, of which each nests all below it
    source = "import numpy as np\ndef f(x):\n    return " + "np.tanh(" * 30 + "x" + ")" * 30 + "\n"
    space = {}
    exec(source, space)
    found = explain_of(source)
    assert max(len(t) for line in (*found.sheet.forward, *found.sheet.backward)
               for t in line.text) < 400  # fmt: skip
    step = 1e-6
    slope = (space["f"](0.3 + step) - space["f"](0.3 - step)) / (2 * step)
    np.testing.assert_allclose(found.adjoints["x"], slope, 1e-8)


def explain_of(source, at="x=0.3", **options):
    """The explanation of the function f in a text."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.py"
        path.write_text(source, "utf-8")
        return explain_path(f"{path}:f", parse_at(at), **options)


def test_names_of_the_users_that_look_like_adjoints_keep_their_meaning():
    lines = ["def f(x):", "d_x = x * 3", "t1 = d_x * x", "d_f = t1 + d_x", "return d_f * t1"]
    found = explain_of("\n    ".join(lines) + "\n", "x=2")
    # f = (3 x^2 + 3 x) 3 x^2 = 9 x^4 + 9 x^3
    assert found.values["d_x"] == 6 and found.values["t1"] == 12
    assert found.adjoints["x"] == 36 * 8 + 27 * 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--at", "x1=2,x2=1"], "gradgen: error: at gives no value for a\n"),
        (["--at", "x1=2,x2=1,a=1,b=2"],
         "gradgen: error: at names b, which is not a parameter; they are x1, x2, a\n"),
        (["--at", "x1=2,x1=1"], "gradgen: error: at 'x1=2,x1=1': x1 is given twice\n"),
        (["--at", "x1=open('f'),x2=1,a=1"],
         "gradgen: error: at: x1=open('f') is not a Python literal: give numbers, lists, tuples "
         "and dicts of them\n"),
        (["--at", "2, 1, 1"],
         "gradgen: error: at '2, 1, 1': expected name=value, name=value\n"),
        (["--at", "x1=1) + f(x2=2"],
         "gradgen: error: at 'x1=1) + f(x2=2': expected name=value, name=value\n"),
        (["--at", "x1=1,x2=1,a=-1"],
         "gradgen: error: f: at these values, `z4 = z3**a` raises ZeroDivisionError: 0.0 cannot be "
         "raised to a negative power\n"),
        (["--wrt", "b"], "gradgen: error: wrt='b': the parameters of f are x1, x2, a\n"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_line(words, message):
    result = ran(f"{EXAMPLES / 'lecture_straight_line.py'}:f", *words)
    assert (result.exit_code, result.stderr, result.stdout) == (2, message, "")


def test_values_of_other_shapes_than_declared_are_refused_as_the_emitted_function_does():
    at = "W1=[[1,2]], b1=[0,1], W2=[[1],[2]], b2=[0,0], x=[1,2], t=[0,0]"
    shapes = "W1=h d, b1=h, W2=k h, b2=k, x=d, t=k"
    result = ran(MULTILAYER, "--at", at, "--shapes", shapes)
    assert result.exit_code == 2
    assert re.match(r"gradgen: error: loss takes shapes W1 \(h, d\), b1 \(h,\)", result.stderr)


def test_the_formats_and_the_table_of_rules_alone(tmp_path):
    location = f"{EXAMPLES / 'lecture_circuit.py'}:f"
    assert (
        ran(location).stdout
        == """\
f, with respect to x, y, z

forward          backward
─────────────    ─────────────────
x                d_f = 1.0
y                d_z = d_f * alpha
z                d_alpha = d_f * z
alpha = x + y    d_x = d_alpha
f = alpha * z    d_y = d_alpha
"""
    )
    assert ran(location, "--format", "markdown").stdout.splitlines()[4] == "| `x` | `d_f = 1.0` |"
    assert ran(location, "--format", "latex").stdout.startswith("$$\n\\begin{array}{ll}\n")


def test_a_notation_that_there_is_not_is_refused():
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.explain(lambda x: x, notation="dot")
    assert str(caught.value) == "notation='dot': choose one of d, bar, partial"
