"""Derivatives with respect to what a function reads from outside: globals, closures, attributes."""

import inspect

import numpy as np
import pytest
from click.testing import CliRunner
from tangents import along, defined, differ_from_slope

import gradgen
from gradgen import cli

HEAD = "import numpy as np\n\n\n"
X = np.array([0.3, 0.7, -1.1])
LIVE = """
scale, shift, power, W = 1.5, 1.5, 3, np.array([[1.0, 2.0, 0.5], [0.5, -1.0, 2.0]])
params = {"a": 1.5, "b": np.array([1.0, 2.0, -0.5])}


def scaled(y, scale=scale):
    return inner(y) * scale


def inner(y):
    return scale * np.sin(y) + shift


def f(x):
    def local(y):
        return y * scale

    return np.sum(local(scaled(x)) ** power) + np.sum(W @ x) * scale


def structured(x):
    return np.sum(params["a"] * x * params["b"])
"""


def with_arguments(text, names, function="f"):
    """The function with some of the globals of a module as arguments: they are bound anew."""

    def called(x, **values):
        module = {"__name__": "again"}
        exec(HEAD + text, module)
        module.update(values)
        return module[function](x)

    return called, {name: defined(HEAD + text, function).__globals__[name] for name in names}


@pytest.mark.parametrize("shapes", [None, "x=3"])
def test_a_global_that_is_named_is_one_variable_wherever_it_is_read(shapes):
    f = defined(HEAD + LIVE)
    wrt = ("scale", "x", "W", "power")
    made = gradgen.value_and_grad(f, wrt=wrt, shapes=shapes)
    value, (d_scale, d_x, d_W, d_power) = made(X)
    assert value == f(X)
    again, held = with_arguments(LIVE, ["scale", "W", "power"])
    point = {"x": X, **held, "power": 3.0}
    found = {"scale": d_scale, "x": d_x, "W": d_W, "power": d_power}
    rng = np.random.default_rng(3)
    for name, gradient in found.items():
        direction = rng.normal(size=np.shape(point[name]))
        slope = along(again, point, {name: direction}, "real")
        assert not differ_from_slope(np.sum(gradient * direction), slope, 1e-8), name
    # another value may be given, and the default of `scaled` is what it was when it was defined
    assert made(X, scale=1.6)[0] == again(X, scale=1.6)
    assert "shift = 1.5" in made.source


def test_the_signature_takes_it_by_name_with_its_value():
    f = defined(HEAD + LIVE)
    made = gradgen.jvp(f, wrt=("W", "x", "scale"), shapes="x=3")
    parameters = inspect.signature(made).parameters
    assert list(parameters) == ["x", "t_x", "W", "scale", "t_W", "t_scale"]
    assert parameters["scale"].default == 1.5
    assert parameters["W"].default is f.__globals__["W"]
    t_W = np.ones((2, 3))
    _, tangent = made(X, np.zeros(3), t_W=t_W, t_scale=0.0)
    assert tangent == pytest.approx(1.5 * np.sum(t_W @ X), rel=1e-14)
    assert "def f_jvp(x, t_x, *, W, scale=1.5, t_W, t_scale):" in made.source


def test_a_closure_a_structure_and_the_attributes_of_an_object_are_named_too():
    def outer(scale):
        def g(x):
            return np.sum(x**2) * scale**3

        return g

    assert gradgen.grad(outer(2.0), wrt="scale")(X) == pytest.approx(12.0 * np.sum(X**2))
    second = gradgen.hessian(outer(2.0), wrt="scale", shapes="x=3")
    assert second(X, scale=1.0) == pytest.approx(6.0 * np.sum(X**2))
    gradient = gradgen.grad(defined(HEAD + LIVE, "structured"), wrt=("params",))(X)[0]
    b = np.array([1.0, 2.0, -0.5])
    np.testing.assert_allclose(gradient["a"], X @ b, rtol=1e-14)
    np.testing.assert_allclose(gradient["b"], 1.5 * X, rtol=1e-14)

    class Model:
        def __init__(self):
            self.w, self.k = np.array([1.0, 2.0, 3.0]), 0.5

        def loss(self, x):
            return np.sum(self.w * x) * self.penalty()

        def penalty(self):
            return self.k**2

    model = Model()
    made = gradgen.value_and_grad(model.loss, wrt=("self.w", "self.k"))
    value, (d_w, d_k) = made(X)
    assert value == model.loss(X)
    np.testing.assert_allclose(d_w, 0.25 * X, rtol=1e-14)
    assert d_k == pytest.approx(model.w @ X)
    assert made(X, self_k=1.0)[1][1] == pytest.approx(2.0 * (model.w @ X))


class Layer:
    def __init__(self, w):
        self.w = w

    def apply(self, x):
        return self.w * x


def two_layers(x, first=Layer(2.0), second=Layer(2.0)):  # noqa: B008
    return second.apply(first.apply(x))


class Net:
    def __init__(self):
        self.w, self.inner = 2.0, Layer(2.0)

    def __call__(self, x):
        return self.inner.apply(x) * self.w


TWO = "two captured values are called `{}`, which wrt names (rename one, or pass it as an argument)"


@pytest.mark.parametrize(("text", "wrt", "said"), [
    ("a = 2.0\ndef f(x):\n    return a * x\n", "b",
     "wrt='b': the parameters of f are x; it reads a from outside"),
    ("def f(x):\n    return x\n", "b", "wrt='b': the parameters of f are x"),
    ("V = W = np.ones(3)\ndef f(x):\n    return np.sum(V * x * W)\n", "W",
     "the captured array `V` is `W`, which wrt names"),
    ("V = W = np.ones(3)\ndef f(x):\n    return np.sum(W * x * V)\n", "W",
     "the captured array `V` is `W`, which wrt names"),
    ("flag = True\ndef f(x):\n    return x if flag else -x\n", "flag",
     "`flag`, which wrt names, is no number and no array"),
    ("k = np.arange(3)\ndef f(x):\n    return np.sum(k * x)\n", "k",
     "the argument k is int64"),
    ("def g(y):\n    return y\ndef f(x):\n    return g(x)\n", "g",
     "g: an argument of type function is not supported"),
    ("k = 2.0\ndef f(x):\n    return x if k > 1 else -x\n", "k",
     "a conditional expression depends on a value that is not known while compiling"),
])  # fmt: skip
def test_what_cannot_be_named_is_refused(text, wrt, said):
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.grad(defined(HEAD + text), wrt=wrt, shapes="x=scalar")
    assert said in str(caught.value)


def test_two_variables_of_one_name_are_refused_also_where_their_values_are_one_object():
    with pytest.raises(gradgen.SourceError, match="two captured values are called `self_w`"):
        gradgen.grad(Net(), wrt="self.w")(1.0)
    other = defined(HEAD + "k = 2\ndef g(x):\n    return k * x\n", "g")
    f = defined(HEAD + "k = 2\ndef f(x):\n    return k * g(x)\n")
    f.__globals__["g"] = other
    with pytest.raises(gradgen.SourceError, match="two captured values are called `k`"):
        gradgen.grad(f, wrt="k", shapes="x=scalar")
    # a float that both have is one that was imported
    f.__globals__["k"] = other.__globals__["k"] = float("2.5")
    assert gradgen.grad(f, wrt="k", shapes="x=scalar")(3.0) == 15.0


CONSTS = "SCALE, RATE = 2.0, 7.0\n\n\ndef other(y):\n    return SCALE * y\n\n\n" + (
    "def third(y):\n    return RATE + y\n"
)
MODULE = """
import consts
from consts import SCALE as S, other, third

RATE = 2.0 * np.pi
TWICE = 2.0 * RATE
C = np.array([1.0, 2.0, 3.0])


def f(x):
    return np.sum(np.sin(RATE * x)) * C[0]


def twice(x):
    return RATE * x * TWICE


def renamed(x):
    return other(x) * S


def dotted(x):
    return consts.SCALE * x


def two(x):
    return third(x) * RATE


def helper(y, a=RATE):
    return a * y


def default(x):
    return helper(x) * RATE


def array(x):
    return np.sum(C * x * C)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "consts.py").write_text(CONSTS)
    (tmp_path / "m.py").write_text("import numpy as np" + MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, code=0):
    result = CliRunner().invoke(cli.cli, arguments, "gradgen", catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def names_of(text):
    names = {"__name__": "emitted"}
    exec(compile(text, "emitted.py", "exec"), names)
    return names


@pytest.mark.parametrize(("name", "wrt", "signature", "wanted"), [
    ("f", "RATE", "(x, *, RATE=6.283185307179586)", np.sum(X * np.cos(2.0 * np.pi * X))),
    ("renamed", "S", "(x, *, S=2.0)", 4.0 * 3.0),
    ("renamed", "SCALE", "(x, *, SCALE=2.0)", 4.0 * 3.0),
    ("dotted", "SCALE", "(x, *, SCALE=2.0)", 3.0),
    ("dotted", "consts.SCALE", "(x, *, consts_SCALE=2.0)", 3.0),
    ("array", "C", "(x, *, C)", 2.0 * np.array([1.0, 2.0, 3.0]) * X),
])  # fmt: skip
def test_a_constant_of_a_module_is_named_in_a_file(project, name, wrt, signature, wanted):
    shapes = "x=3" if name in ("f", "array") else "x=scalar"
    text = gradgen.api.emit_path(f"m.py:{name}", wrt=wrt, shapes=shapes, mode="grad")
    made = names_of(text)[f"{name}_grad"]
    assert str(inspect.signature(made)) == signature
    given = {"C": np.array([1.0, 2.0, 3.0])} if name == "array" else {}
    np.testing.assert_allclose(made(X if shapes == "x=3" else 3.0, **given), wanted, rtol=1e-14)
    assert f"which {name} reads from outside" in text


@pytest.mark.parametrize(("name", "wrt", "said"), [
    ("twice", "RATE", "`TWICE` is computed from RATE, which wrt names"),
    ("default", "RATE", "`helper` is computed from RATE, which wrt names"),
    ("two", "RATE", "two captured values are called `RATE`, which wrt names"),
    ("f", "other", "wrt='other': the parameters of f are x; it reads RATE, C from outside"),
])  # fmt: skip
def test_what_cannot_be_named_in_a_file_is_refused(project, name, wrt, said):
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.api.emit_path(f"m.py:{name}", wrt=wrt, shapes="x=3")
    assert said in str(caught.value)


def test_the_command_emits_checks_and_reads_again_and_does_not_certify(project):
    given = ["emit", "m.py:f", "--wrt", "x,RATE", "--shapes", "x=n", "--mode", "grad"]
    run(*given, "-o", "f_grad.py")
    run(*given, "-o", "f_grad.py", "--check")
    again = run("emit", "f_grad.py:f_grad", "--wrt", "RATE", "--mode", "vjp")
    made = names_of(again)["f_grad_vjp"]
    _, d_rate = made(X, (np.zeros(3), 1.0))
    want = -np.sum(X * X * np.sin(2.0 * np.pi * X))
    assert d_rate == pytest.approx(want, rel=1e-13)
    said = "f reads RATE from outside, where no oracle can change it"
    assert said in run(*given, "--certify", code=2)
    said = "wrt='RATE': the parameters of f are x; it reads RATE, C from outside"
    assert said in run("check", "m.py:f", "--wrt", "RATE", "--shapes", "x=n", code=2)
