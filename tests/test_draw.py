"""Pictures of computation graphs: what they show, their layout, and that they are current."""

import random
import re
import shlex
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.optimize import isotonic_regression

import gradgen
from gradgen.cli import cli
from gradgen.drawing import draw_path
from gradgen.picture.bands import WIDEST, bands
from gradgen.picture.layers import Place, _crossings, _settle, arranged
from gradgen.picture.svg import GRADIENT, VALUE
from gradgen.point import parse_at

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
SVG = "{http://www.w3.org/2000/svg}"


def circuit(**options):
    return draw_path(f"{EXAMPLES / 'lecture_circuit.py'}:f", parse_at("x=-2,y=5,z=-4"), **options)


def ran(*words):
    return CliRunner().invoke(cli, ["graph", *words])


def texts(picture):
    """The texts of an SVG with their colours and places."""
    return [(e.text, e.get("fill"), float(e.get("x")), float(e.get("y")))
            for e in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # fmt: skip


def test_the_circuit_has_the_values_above_its_wires_and_the_gradients_below():
    picture = circuit().svg
    above = {t: (x, y) for t, colour, x, y in texts(picture) if colour == VALUE}
    below = [(t, x, y) for t, colour, x, y in texts(picture) if colour == GRADIENT]
    # the slide: the value of each variable, and its gradient
    slide = {"-2": "-4", "5": "-4", "-4": "3", "alpha = 3": "-4", "-12": "1"}
    assert above.keys() == slide.keys() and len(below) == len(slide)
    paths = [e.get("d") for e in ElementTree.fromstring(picture).iter(f"{SVG}path")]
    wires = {float(y) for d in paths for y in re.findall(r"^M[\d.]+,([\d.]+) H", d)}
    for value, (x, y) in above.items():
        [gradient] = [t for t, at, down in below if at == x and 0 < down - y < 30]
        assert gradient == slide[value]
        assert any(y < wire < y + 21 for wire in wires)
    names = [t for t, colour, *_ in texts(picture) if colour not in (VALUE, GRADIENT)]
    assert sorted(names) == sorted(["x", "y", "z", "+", "×", "f"])


def test_the_circuit_as_text_for_graphviz_and_for_mermaid():
    drawing = circuit()
    assert (
        drawing.dot
        == r"""digraph "Computation graph of f, with respect to x, y, z" {
  rankdir=LR;
  node [fontname="sans-serif"];
  edge [fontname="sans-serif", fontsize=10];
  n0 [label="x", shape=plaintext];
  n1 [label="y", shape=plaintext];
  n2 [label="z", shape=plaintext];
  n3 [label="+", shape=box, style=rounded];
  n4 [label="×", shape=box, style=rounded];
  n5 [label="f", shape=plaintext];
  n0 -> n3 [label="-2\n-4"];
  n1 -> n3 [label="5\n-4"];
  n2 -> n4 [label="-4\n3"];
  n3 -> n4 [label="alpha = 3\n-4"];
  n4 -> n5 [label="-12\n1"];
}
"""
    )
    assert (
        drawing.mermaid
        == """flowchart LR
  n0["x"]
  n1["y"]
  n2["z"]
  n3(("+"))
  n4(("×"))
  n5["f"]
  n0 -->|"-2<br/>-4"| n3
  n1 -->|"5<br/>-4"| n3
  n2 -->|"-4<br/>3"| n4
  n3 -->|"alpha = 3<br/>-4"| n4
  n4 -->|"-12<br/>1"| n5
"""
    )


def layer(p, x):
    z = p["W"] @ x + 1.0
    y = np.maximum(z, 0.0) / (2 * np.pi)
    return np.sum(y[0] * y, axis=0) - 3**0.5


def test_boxes_say_what_they_do_and_arrays_are_shapes_and_norms_unless_they_are_small():
    at = {"p": {"W": np.full((3, 3), 0.5)}, "x": [1.0, 2.0, 2.0]}
    found = gradgen.draw(layer, at)
    assert [box.label for box in found.diagram.boxes] == [
        'p["W"]', "x", "@", "+1", "maximum(·, 0.0)", "2 * pi", "÷", "[0]", "×", "sum(·, axis=0)",
        "3**0.5", "−", "layer",
    ]  # fmt: skip
    wires = {found.diagram.boxes[w.source].label: (w.above, w.below) for w in found.diagram.wires}
    # y = z / 2 pi = 3.5 / 2 pi each; of sum(y0 * y) by y0: y0 + sum(y), by the others: y0
    y = 3.5 / (2 * np.pi)
    d0, d1 = 4 * y / (2 * np.pi), y / (2 * np.pi)
    assert wires["@"] == ("[2.5, 2.5, 2.5]", f"[{d0:.4f}, {d1:.4g}, {d1:.4g}]")
    assert wires['p["W"]'][0] == "(3, 3) norm 1.5"
    assert wires["2 * pi"] == ("6.2832", "")
    assert 'label="p[\\"W\\"]"' in found.dot and '["p[#quot;W#quot;]"]' in found.mermaid
    ElementTree.fromstring(found.svg)
    by_statements = gradgen.draw(layer, at, detail="statements").diagram
    assert [box.label for box in by_statements.boxes] == [
        'p["W"]', "x", 'p["W"] @ x + 1.0', "maximum(z, 0.0) / (2 * pi)",
        "(y[0] * y).sum(axis=0) - 3**0.5", "layer",
    ]  # fmt: skip


def slope(g, out, x):
    return g * out * (1.0 - out)


@gradgen.custom_rule(vjp=slope)
def expit(x):
    return 1.0 / (1.0 + np.exp(-x))


def ruled(x):
    y = 2 * expit(x)
    return y * expit(3 * x)


def test_custom_rules_have_a_box_and_decorated_functions_are_drawn_as_they_were_written():
    drawing = gradgen.draw(ruled, "x=1")
    labels = [box.label for box in drawing.diagram.boxes]
    assert labels.count("custom rule") == 2
    p, q = (1 / (1 + np.exp(-v)) for v in (1.0, 3.0))
    gradient = 2 * p * (1 - p) * q + 2 * p * 3 * q * (1 - q)
    assert drawing.diagram.wires[0].below == f"{gradient:.4f}"
    for emitted in (gradgen.value_and_grad(ruled), gradgen.grad(ruled, shapes="x=scalar")):
        assert gradgen.draw(emitted, "x=1").svg == drawing.svg


# -- layout ----------------------------------------------------------------------------------------


def random_wires(boxes, seed):
    """A wire from each box but the last to one to three later ones, near rather than far."""
    draw = random.Random(seed)
    reach = [range(k + 1, min(k + 9, boxes)) for k in range(boxes - 1)]
    return [(k, sorted(set(draw.choices(r, k=draw.randint(1, 3))))) for k, r in enumerate(reach)]


@pytest.mark.parametrize("seed", range(4))
def test_boxes_do_not_overlap_wires_go_forward_and_cross_less_than_they_did(seed):
    wires = random_wires(60, seed)
    heights = [random.Random(seed).uniform(20, 60) for _ in range(60)]
    layout = arranged(wires, heights)
    places, columns = layout.places, layout.columns
    for column in columns:
        for upper, lower in pairwise(column):
            gap = places[lower].y - places[upper].y
            assert gap >= (places[upper].height + places[lower].height) / 2 - 1e-6
    for k, place in enumerate(places):
        assert all(places[n].column == place.column + 1 for n in place.after)
        assert all(k in places[n].after for n in place.before)
    for source, targets in wires:
        reached, stack = set(), [source]
        while stack:
            for n in places[stack.pop()].after:
                (reached.add if places[n].box >= 0 else stack.append)(n)
        assert reached == set(targets)
    before = _crossings(places, [sorted(column) for column in columns])
    assert _crossings(places, columns) < before
    again = arranged(wires, heights)
    assert [p.y for p in again.places] == [p.y for p in places] and again.columns == columns


def test_a_graph_that_can_be_drawn_without_crossings_is():
    # a binary tree whose boxes are numbered so that the order of the numbers crosses itself
    leaves = [0, 4, 2, 6, 1, 5, 3, 7]
    wires = [(leaf, [8 + k // 2]) for k, leaf in enumerate(leaves)]
    wires += [(8 + k, [12 + k // 2]) for k in range(4)] + [(12, [14]), (13, [14])]
    layout = arranged(wires, [30.0] * 15)
    assert _crossings(layout.places, layout.columns) == 0


def test_crossings_are_counted_as_pairs_of_wires_in_opposite_orders():
    # every pair of wires of the complete bipartite graph K_{3,4}: C(3,2) C(4,2)
    places = [Place(k, 0, 1.0, after=[3, 4, 5, 6]) for k in range(3)]
    places += [Place(3 + k, 1, 1.0, before=[0, 1, 2]) for k in range(4)]
    assert _crossings(places, [[0, 1, 2], [3, 4, 5, 6]]) == 3 * 6


def test_heights_are_the_isotonic_regression_of_those_wished_for():
    draw = random.Random(5)
    anchors = [Place(-1, 0, 1.0, y=draw.uniform(0, 300)) for _ in range(12)]
    places = anchors + [Place(k, 1, draw.uniform(10, 60), before=[k]) for k in range(12)]
    _settle(places, range(12, 24), "before")
    heights = [place.height for place in places[12:]]
    shifts = np.cumsum([0.0, *((a + b) / 2 for a, b in pairwise(heights))])
    wanted = isotonic_regression(np.array([a.y for a in anchors]) - shifts).x + shifts
    np.testing.assert_allclose([place.y for place in places[12:]], wanted, rtol=1e-12)


# -- what is large ---------------------------------------------------------------------------------


def recurrent(W, h, xs):
    for k in range(len(xs)):
        z = W @ h + xs[k]
        h = np.tanh(z)
    return np.sum(h)


@pytest.fixture(scope="module")
def folded():
    """The picture of a loop of 250 rounds, which are 500 statements, and its arguments."""
    W, xs = np.array([[0.6, -0.4], [0.4, 0.6]]), np.sin(np.arange(250.0))
    at = {"W": W, "h": np.array([0.1, -0.2]), "xs": xs}
    return gradgen.draw(recurrent, at), at


def test_what_has_hundreds_of_statements_is_folded_into_some_dozens_of_boxes(folded):
    drawing, at = folded
    diagram = drawing.diagram
    groups = [box for box in diagram.boxes if box.kind == "group"]
    assert 30 <= len(diagram.boxes) <= 61
    assert sum(int(box.more.split()[0]) for box in groups) + len(diagram.boxes) >= 500
    assert all(target > wire.source for wire in diagram.wires for target in wire.targets)
    # the wires between groups carry h, and the gradient that a central difference gives
    wire = [w for w in diagram.wires if re.fullmatch(r"h_\d+", w.name)][-1]
    steps = int(wire.name[2:])

    def rest(h):
        return recurrent(at["W"], h, at["xs"][steps:])

    h = at["h"]
    for x in at["xs"][:steps]:
        h = np.tanh(at["W"] @ h + x)
    slopes = [(rest(h + e) - rest(h - e)) / 2e-6 for e in 1e-6 * np.eye(2)]
    value, gradient = (eval(text) for text in (wire.value, wire.below))
    np.testing.assert_allclose(value, h, rtol=1e-3)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-3)


def test_a_wide_picture_goes_on_below_and_every_cut_wire_begins_again_by_its_name(folded):
    diagram = folded[0].diagram
    parts = bands(diagram)
    assert len(parts) > 3
    boxes = [box for part in parts for box in part.boxes if box.kind == "group"]
    assert boxes == [box for box in diagram.boxes if box.kind == "group"]
    known = {box.label for box in parts[0].boxes if box.kind == "input"}
    for before, after in pairwise(parts):
        known |= {box.label for box in before.boxes if box.kind == "result"}
        assert {box.label for box in after.boxes if box.kind == "input"} <= known
    read = sum(len(wire.targets) for wire in diagram.wires)
    ends = sum(box.kind == "result" for part in parts for box in part.boxes) - 1
    assert sum(len(wire.targets) for part in parts for wire in part.wires) == read + ends
    root = ElementTree.fromstring(folded[0].svg)
    assert float(root.get("width")) < 1.4 * WIDEST


def test_many_arguments_are_folded_too():
    names = [f"x{k}" for k in range(45)]
    source = f"def f({', '.join(names)}):\n    return {' + '.join(names)}\n"
    diagram = draw_text(source, dict.fromkeys(names, 1.0)).diagram
    groups = [box for box in diagram.boxes if box.more.endswith("arguments")]
    assert [box.label for box in groups[:2]] == ["x0 … x2", "x3 … x5"] and len(groups) == 15


def draw_text(source, at):
    """The picture of the function f in a text."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.py"
        path.write_text(source, "utf-8")
        return draw_path(f"{path}:f", at)


# -- commands and files ----------------------------------------------------------------------------


def test_the_end_of_the_name_says_in_which_language_the_picture_is_written(tmp_path):
    location = f"{EXAMPLES / 'lecture_circuit.py'}:f"
    starts = {"f.svg": "<svg ", "f.dot": "digraph ", "f.gv": "digraph ", "f.mmd": "flowchart LR"}
    for name, start in starts.items():
        assert ran(location, "-o", str(tmp_path / name)).exit_code == 0
        assert (tmp_path / name).read_text("utf-8").startswith(start)
        circuit().save(tmp_path / name)
    assert ran(location).stdout.startswith("<svg ")
    assert ran(location, "--format", "dot").stdout.startswith("digraph ")
    assert circuit()._repr_svg_() == circuit().svg


def test_a_picture_never_takes_the_place_of_the_function(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("def f(x):\n    return x * x\n", "utf-8")
    result = ran(f"{path}:f", "-o", str(path))
    assert result.stderr == (
        f"gradgen: error: {path}: the name should end in one of .svg, .dot, .gv, .mmd, .mermaid\n"
    )
    result = ran(f"{path}:f", "--format", "svg", "-o", str(path))
    assert result.exit_code == 2
    assert result.stderr == f"gradgen: error: {path} is the source itself\n"
    assert path.read_text("utf-8").startswith("def f")


def test_a_function_without_a_derivative_is_refused_with_values_and_drawn_without():
    source = "import numpy as np\ndef f(x, k):\n    return x * np.floor(k)\n"
    assert "floor" in draw_text(source, None).dot
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.draw(layer, "x=1", detail="all")
    assert str(caught.value) == "at gives no value for p"


README = (EXAMPLES / "README.md").read_text("utf-8")
SHOWN = re.compile(r"```sh\n(gradgen (?:explain|graph) [^\n]*)\n```(?:\n\n```\n(.*?)\n```)?", re.S)


def test_the_pictures_and_tables_of_the_examples_are_what_their_commands_give(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(ROOT)
    drawn = set()
    whole = (ROOT / "README.md").read_text("utf-8") + README
    for command, shown in SHOWN.findall(whole):
        words = shlex.split(command)[1:]
        if words[0] == "explain":
            assert CliRunner().invoke(cli, words).stdout == f"{shown}\n"
            continue
        committed = Path(words.pop())
        result = CliRunner().invoke(cli, [*words, str(tmp_path / committed.name)])
        assert result.exit_code == 0, result.output
        assert (tmp_path / committed.name).read_text("utf-8") == committed.read_text("utf-8")
        drawn.add(committed.name)
    assert drawn == {path.name for path in EXAMPLES.glob("*.svg")}
    assert all(f"]({name})" in README for name in drawn)
    [flowchart] = re.findall(r"```mermaid\n(.*?)```", README, re.S)
    assert flowchart == circuit().mermaid
