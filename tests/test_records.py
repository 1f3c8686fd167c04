"""Structured arguments: records declared by text, and parts that are no numbers."""

import dataclasses
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from agreement import agree, agree_in_text, differences, function_of, text_of

import gradgen
from gradgen.api import emit_path

CLASSES = """\
import dataclasses
from typing import NamedTuple


class Layer(NamedTuple):
    W: np.ndarray
    b: np.ndarray


@dataclasses.dataclass
class Model:
    one: Layer
    scale: float


"""
MODEL = CLASSES + (
    "def f(m: Model, x):\n    W, b = m.one\n    return m.scale * np.sum(np.tanh(W @ x + m.one.b))\n"
)
SHAPES = "m.one.W=k d, m.one.b=k, x=d"


def run(text, name="f_value_and_grad"):
    namespace = {"__name__": "told"}
    exec(text, namespace)
    return namespace[name]


def by_hand(W, b, scale, x):
    """The gradient of `scale * sum(tanh(W x + b))`."""
    slope = scale * (1.0 - np.tanh(W @ x + b) ** 2)
    return np.outer(slope, x), slope, np.sum(np.tanh(W @ x + b))


def test_a_record_is_declared_by_text_and_the_parameters_annotation(tmp_path):
    function = run(text_of(tmp_path / "a.py", MODEL, SHAPES))
    theirs: dict[str, Any] = {"__name__": "told"}
    exec("import numpy as np\n" + MODEL, theirs)
    W, b, x = np.array([[1.0, -2.0, 0.5], [0.25, 1.0, 2.0]]), np.array([0.1, -0.3]), np.ones(3)
    model = theirs["Model"](theirs["Layer"](W, b), 1.5)
    value, slope = function(model, x)
    assert value == theirs["f"](model, x)
    assert type(slope) is theirs["Model"] and type(slope.one) is theirs["Layer"]
    for have, want in zip((*slope.one, slope.scale), by_hand(W, b, 1.5, x), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-14)


def test_a_live_class_of_records_is_found_as_well():
    f = function_of(MODEL)
    emitted = gradgen.grad(f, shapes=SHAPES)
    layer = f.__globals__["Layer"](np.eye(2), np.zeros(2))
    slope = emitted(f.__globals__["Model"](layer, 2.0), np.array([0.5, 1.0]))
    want = by_hand(np.eye(2), np.zeros(2), 2.0, np.array([0.5, 1.0]))
    for have, right in zip((*slope.one, slope.scale), want, strict=True):
        np.testing.assert_allclose(have, right, rtol=1e-14)


@pytest.mark.parametrize(("shapes", "said"), [
    ("m.one.W=k d, x=d", "the shape of `m.one.b` is needed"),
    ("m.one.W=k d, m.one.b=k, m.two=k, x=d", "shapes declares m.two, which is not a field"),
])  # fmt: skip
def test_fields_that_do_not_fit_are_refused_by_name(shapes, said, tmp_path):
    with pytest.raises(gradgen.SourceError, match=said) as caught:
        text_of(tmp_path / "a.py", MODEL, shapes)
    assert caught.value.lineno == 18


def test_a_structure_without_annotation_is_a_record_where_its_parts_are_attributes(tmp_path):
    text = "def f(m, x):\n    return np.sum(np.tanh(m.one['W'] @ x))\n"
    function = run(text_of(tmp_path / "a.py", text, "m.one.W=k d, x=d"))
    W, x = np.array([[1.0, -2.0]]), np.array([0.5, 0.25])
    slope = function(SimpleNamespace(one={"W": W}), x)[1]
    want = np.outer(1.0 - np.tanh(W @ x) ** 2, x)
    assert type(slope) is SimpleNamespace
    np.testing.assert_allclose(slope.one["W"], want, rtol=1e-14)


def test_an_emission_with_a_record_is_input_again(tmp_path):
    first = tmp_path / "first.py"
    first.write_text(text_of(tmp_path / "a.py", MODEL, SHAPES, wrt="x"), "utf-8")
    again = emit_path(f"{first}:f_value_and_grad", wrt="x", mode="grad", output=0)
    W, b, x = np.array([[1.0, -2.0], [0.25, 1.0]]), np.array([0.1, -0.3]), np.array([0.2, 0.7])
    model = SimpleNamespace(one=SimpleNamespace(W=W, b=b), scale=1.5)
    want = W.T @ (1.5 * (1.0 - np.tanh(W @ x + b) ** 2))
    have = run(again, "f_value_and_grad_grad")(model, x)
    np.testing.assert_allclose(have, want, rtol=1e-14)


@dataclasses.dataclass
class Net:
    W: np.ndarray
    b: Any
    act: str
    rest: dict


class Pair(NamedTuple):
    first: Any
    second: Any


def test_parts_that_are_no_numbers_have_a_place_with_none_in_the_gradient():
    def f(p, x):
        h = p.W @ x
        if p.b is not None:
            h = h + p.b
        if p.act == "tanh":
            h = np.tanh(h)
        return np.sum(h * p.rest["s"].first)

    net = Net(np.array([[1.0, 2.0]]), None, "tanh", {"s": Pair(2.0, None), "flag": True})
    x = np.array([0.3, -0.2])
    value, slope = gradgen.value_and_grad(f)(net, x)
    assert value == f(net, x)
    assert (slope.b, slope.act, slope.rest["flag"], slope.rest["s"].second) == (None,) * 4
    want = differences(lambda W: f(dataclasses.replace(net, W=W), x), [net.W])
    np.testing.assert_allclose(slope.W, want, rtol=1e-8)
    np.testing.assert_allclose(slope.rest["s"].first, np.sum(np.tanh(net.W @ x)), rtol=1e-14)


def test_an_argument_without_numbers_has_no_gradient():
    with pytest.raises(gradgen.GradgenError, match="the argument is fixed while compiling"):
        gradgen.grad(lambda p, x: x, wrt="p")({"a": "text", "b": None}, 1.0)


MAKING = """\
import dataclasses
from dataclasses import dataclass, replace
from typing import NamedTuple


class State(NamedTuple):
    x: np.ndarray
    v: np.ndarray
    t: float = 0.5


@dataclass(frozen=True)
class Model:
    w: np.ndarray
    scale: float = dataclasses.field(default=2.0)
    kind: str = "sine"


def step(s, h):
    return State(s.x + h * s.v, v=s.v - h * s.x**3, t=s.t + h)


def f(x):
    s = State(x, 0.5 * x)
    for _ in range(3):
        s = step(s, 0.25)
    m = replace(Model(s.x), scale=s.t)
    y, v, _ = s._replace(v=s.v * 2)
    wave = np.sin(m.scale * m.w) if m.kind == "sine" else m.w
    return np.sum(wave * v) + y @ y
"""


def test_records_are_made_and_changed_in_a_function_by_text_and_live(tmp_path):
    x = np.array([0.5, -1.25, 2.0])
    agree(function_of(MAKING), x)
    agree_in_text(tmp_path / "a.py", MAKING, x, shapes="x=n")


@pytest.mark.parametrize(("made", "said"), [
    ("State(x)", "State is made without v"),
    ("State(x, x, 1.0, 2.0)", "State has 3 fields, not 4"),
    ("State(x, x, x=x)", "State got several values for x"),
    ("State(x, x, w=x)", "State has no field w"),
    ("State(x, x)._replace(w=x)", "this State has no field w"),
    ("State(x, x)._replace(x)", "_replace takes its values by name"),
    ("replace(State(x, x), x=x)", "dataclasses.replace takes a dataclass"),
    ("Other(x)", "the class `Other` is not supported here"),
])  # fmt: skip
def test_records_that_python_would_not_make_are_refused_by_name(made, said, tmp_path):
    other = "@dataclass\nclass Other:\n    x: float\n    __post_init__ = print\n\n\n"
    text = MAKING.replace("def f(x):", f"{other}def f(x):\n    r = {made}")
    with pytest.raises(gradgen.SourceError, match=said):
        text_of(tmp_path / "a.py", text, "x=n")


# Classes whose objects are not what their fields say.
APART = [
    "@dataclass\nclass R:\n    x: float\n    def __init__(self, x):\n        self.x = 3.0 * x",
    "@dataclass\nclass R:\n    x: float\n    def __getattribute__(self, k):\n        return 5.0",
    "@dataclass\nclass R:\n    x: float\n    def __setattr__(self, k, v):\n"
    "        object.__setattr__(self, k, 2.0 * v)",
    "@dataclass\nclass R:\n    x: float\n    def __post_init__(self):\n        self.x *= 2.0",
    "@dataclass\nclass B:\n    x: float\n    def __post_init__(self):\n        self.x *= 2.0\n"
    "@dataclass\nclass R(B):\n    y: float = 1.0",
    "class M(type):\n    def __call__(cls, x):\n        return type.__call__(cls, 2.0 * x)\n"
    "@dataclass\nclass R(metaclass=M):\n    x: float",
    "class R(NamedTuple):\n    x: float\n    def __getattribute__(self, k):\n        return 5.0",
]
HEAD = "import numpy as np\nfrom dataclasses import dataclass\nfrom typing import NamedTuple\n"


@pytest.mark.parametrize("defined", APART)
def test_classes_that_make_or_read_their_objects_in_a_way_of_their_own_are_refused(
    defined, tmp_path
):
    text = f"{defined}\n\n\ndef f(x):\n    return R(x).x * x\n"
    with pytest.raises(gradgen.SourceError, match="the class `R` is not supported here"):
        gradgen.grad(function_of(text, head=HEAD))(1.5)
    with pytest.raises(gradgen.SourceError, match="the class `R` is not supported here"):
        text_of(tmp_path / "a.py", HEAD + text, "x=scalar")


@pytest.mark.parametrize("imported", [
    "from pydantic.dataclasses import dataclass", "from .own import dataclass",
    "from dataclasses import field as dataclass", "def dataclass(c):\n    return lambda x: c",
])  # fmt: skip
def test_only_what_dataclasses_has_makes_a_class_of_records_in_a_file(imported, tmp_path):
    made = "@dataclass\nclass R:\n    x: float\n\n\ndef f(x):\n    return R(x).x * x\n"
    with pytest.raises(gradgen.SourceError, match="the class `R` is not supported here"):
        text_of(tmp_path / "a.py", f"{imported}\n\n\n{made}", "x=scalar")
