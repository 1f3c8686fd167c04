"""Jacobians and Hessians, against SymPy, against tangents and adjoints, and against differences."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from tangents import along, defined, differ_from_slope, leaves, same_bits

import gradgen
from gradgen import jacobians

HEAD = "import math\nimport numpy as np\n\n\n"

# Programs of numbers: parameters, body.
PROGRAMS = {
    "arm": ("a, b, c", "s = a + b\nreturn np.cos(a) + 2 * np.cos(s), np.sin(a) + c * np.sin(s)"),
    "spherical": (
        "r, t, p",
        "s = r * np.sin(t)\nreturn np.array([s * np.cos(p), s * np.sin(p), r * np.cos(t)])",
    ),
    "one": ("a, b, c", "return a * np.exp(-b * c) / (1.0 + a * c) + np.log(a + b)"),
    "many": ("a,", "u = np.sin(a)\nv = u * a\nreturn u, v, u * v, v / a, np.sqrt(u + 2.0), 3.0, a"),
    "nested": ("a, b", "u = a * b\nreturn [u, (u * u, a)], np.exp(u)"),
    "matrix": ("a, b", "return np.array([[a * b, a], [np.cos(b), 2.0]])"),
    "powers": ("a, b, c", "return a**b + b**3, (a / c) ** 2 - b**c, a**-1 + c**0.5"),
    "lotka": ("x, y, k", "return np.array([x * (1.0 - k * y), -y * (2.0 - x)])"),
    "robertson": (
        "x, y, z",
        "r1 = 0.04 * x\nr2 = 1e4 * y * z\nr3 = 3e7 * y * y\n"
        "return np.array([r2 - r1, r1 - r2 - r3, r3])",
    ),
    "rotation": (
        "a, b, c",
        "n = np.sqrt(a * a + b * b + c * c)\ns = np.sin(n) / n\nk = (1.0 - np.cos(n)) / (n * n)\n"
        "return a * b * k - c * s, a * c * k + b * s, 1.0 - (b * b + c * c) * k",
    ),
    "bodies": (
        "x, y, u, v",
        "dx = u - x\ndy = v - y\nr2 = dx * dx + dy * dy\nw = 1.0 / (r2 * np.sqrt(r2))\n"
        "return np.array([dx * w, dy * w, -dx * w, -dy * w])",
    ),
}
POINT = [0.7, 1.3, 0.4, -0.6]


def names_of(signature):
    return [n for n in signature.replace(" ", "").split(",") if n]


def source(signature, body):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"def f({signature.rstrip(',')}):\n{lines}"


def symbolic(signature, body):
    """The value of a program in SymPy, item by item, and its symbols."""
    symbols = [sympy.Symbol(n, positive=True) for n in names_of(signature)]
    space = SimpleNamespace(
        sin=sympy.sin, cos=sympy.cos, exp=sympy.exp, log=sympy.log, sqrt=sympy.sqrt,
        array=lambda rows: rows,
    )  # fmt: skip
    names = {"np": space}
    exec(source(signature, body), names)
    value = names["f"](*symbols)
    return [sympy.sympify(v) for v in leaves(value)], symbols


def numbers(expressions, symbols, point):
    """The expressions at a point, with 50 digits on the way."""
    given = dict(zip(symbols, map(sympy.Float, point, [50] * len(point)), strict=False))
    return np.array([float(sympy.N(e.subs(given), 50)) for e in expressions])


def flat(tree):
    """All numbers of a matrix in whatever structure, in order."""
    return np.concatenate([np.ravel(leaf) for leaf in leaves(tree)])


@pytest.fixture(params=["fewer operations", "elimination", "columns", "rows"])
def sweep(request, monkeypatch):
    """The choice of a mode: as it is, and each of the three."""
    order = iter(range(100))
    if request.param == "elimination":
        # it comes first
        monkeypatch.setattr(jacobians, "operations", lambda graph: next(order))
    elif request.param != "fewer operations":
        first = {"columns": 0, "rows": 1}[request.param]
        monkeypatch.setattr(jacobians, "_by_elimination", lambda *_: [])
        monkeypatch.setattr(jacobians, "operations", lambda graph: (next(order) + first) % 2)
    return request.param


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_jacobian_of_numbers_is_sympys(name, sweep):
    signature, body = PROGRAMS[name]
    wrt = tuple(names_of(signature))
    f = defined(HEAD + source(signature, body))
    made = gradgen.jacobian(f, wrt=wrt, shapes=dict.fromkeys(wrt, "scalar"))
    point = POINT[: len(wrt)]
    found = made(*point)
    values, symbols = symbolic(signature, body)
    want = numbers([v.diff(s) for v in values for s in symbols], symbols, point)
    # a row is the derivatives of one value; of an array it has the parameters outside
    shapes = [np.shape(v) for v in leaves(f(*point))]
    rows = want.reshape(-1, len(wrt))
    ordered, at = [], 0
    for shape in shapes:
        size = math.prod(shape)
        ordered.append(rows[at : at + size].T.ravel() if shape else rows[at])
        at += size
    np.testing.assert_allclose(flat(found), np.concatenate(ordered), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_hessian_of_numbers_is_sympys_and_symmetric(name):
    signature, body = PROGRAMS[name]
    wrt = tuple(names_of(signature))
    values, symbols = symbolic(signature, body)
    total = "".join(f"({v}) * {k + 1}.5 + " for k, v in enumerate(map(str, values))) + "0.0"
    text = source(signature, f"return {total}")
    for word in ("sin", "cos", "exp", "log", "sqrt"):
        text = text.replace(f"{word}(", f"np.{word}(")
    f = defined(HEAD + text)
    point = POINT[: len(wrt)]
    found = gradgen.hessian(f, wrt=wrt, shapes=dict.fromkeys(wrt, "scalar"))(*point)
    scalar = sum(v * (k + sympy.Rational(3, 2)) for k, v in enumerate(values))
    want = numbers([scalar.diff(s, t) for s in symbols for t in symbols], symbols, point)
    matrix = np.array(found, float)
    np.testing.assert_allclose(matrix.ravel(), want, rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(matrix, matrix.T)
    product = gradgen.hvp(f, wrt=wrt)
    for k, column in enumerate(matrix.T):
        unit = [float(j == k) for j in range(len(wrt))]
        np.testing.assert_allclose(product(*point, *unit), column, rtol=1e-12, atol=1e-12)


def test_an_array_that_is_read_item_by_item_is_as_many_numbers(sweep):
    text = (
        "def f(u, m):\n    x, y, z = u[0], u[1], u[-1]\n"
        "    return np.array([x * y, np.sin(z) * m[1, 0], m[0, 1] * x, y])\n"
    )
    f = defined(HEAD + text)
    u, m = np.array([0.5, 1.5, -0.7, 9.0]), np.array([[1.0, 2.0], [3.0, 4.0]])
    J_u, J_m = gradgen.jacobian(f, wrt=("u", "m"), shapes="u=4, m=2 2")(u, m)
    z = u[3]
    want = np.array([[1.5, 0.5, 0, 0], [0, 0, 0, 3 * np.cos(z)], [2.0, 0, 0, 0], [0, 1, 0, 0]])
    np.testing.assert_allclose(J_u, want, rtol=1e-15)
    assert J_m.shape == (4, 2, 2)
    other = np.zeros((4, 2, 2))
    other[1, 1, 0], other[2, 0, 1] = np.sin(z), 0.5
    np.testing.assert_allclose(J_m, other, rtol=1e-15)


def test_the_jacobian_has_the_structure_of_the_value_and_in_it_that_of_the_parameters():
    f = defined(HEAD + "def f(p, c):\n    return {'s': p['a'] * p['b'], 't': (c * p['a'], c)}\n")
    made = gradgen.jacobian(f, wrt=("p", "c"), shapes="p.a=scalar, p.b=scalar, c=scalar")
    assert made({"a": 2.0, "b": 3.0}, 5.0) == {
        "s": ({"a": 3.0, "b": 2.0}, 0.0),
        "t": (({"a": 5.0, "b": 0.0}, 2.0), ({"a": 0.0, "b": 0.0}, 1.0)),
    }
    bare = gradgen.jacobian(f, wrt="c", shapes="p.a=scalar, p.b=scalar, c=scalar")
    assert bare({"a": 2.0, "b": 3.0}, 5.0) == {"s": 0.0, "t": (2.0, 1.0)}


ARRAYS = [
    ("a, k, t", "return a * np.exp(-k * t)", ("a", "k"), {"a": 2.0, "k": 0.5, "t": 3}),
    ("W, x", "return np.array([np.sum(W @ x), x @ x])", ("W", "x"), {"W": (2, 3), "x": 3}),
    ("p, t", "a, b = p[0], p[1]\nreturn np.outer(t, t) * a + b", ("p",), {"p": 2, "t": 3}),
    ("x, y", "return np.cumsum(np.sin(x)) * y", ("x",), {"x": 4, "y": 4}),
    ("x, A", "return np.outer(A @ x, x)", ("x",), {"x": 3, "A": (2, 3)}),
    ("x", "return x[::2] * x[1::2] + np.prod(x)", ("x",), {"x": 4}),
    ("x", "return np.sort(x)", ("x",), {"x": 4}),
    ("W, b, x", "return np.tanh(W @ x + b)", ("W", "b"), {"W": (2, 3), "b": 2, "x": 3}),
    ("x, c", "return np.cumsum(np.sin(x)) * c", ("c", "x"), {"x": 3, "c": 0.5}),
    ("A, x", "return A @ np.sin(x)", ("x", "A"), {"A": (2, 4), "x": 4}),
    ("x, y", "return np.outer(np.exp(x), x) @ y", ("y", "x"), {"x": 3, "y": 3}),
    ("m, t", "return m[0, 0] * t + m[1, 1] * m[0, 1]", ("m",), {"m": (2, 2), "t": 3}),
    ("x", "return x[x > 0.9] ** 2", ("x",), {"x": 4}),
]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(("signature", "body", "wrt", "shapes"), ARRAYS)
def test_rows_are_adjoints_and_columns_are_tangents(signature, body, wrt, shapes, declared):
    f = defined(HEAD + source(signature, body))
    rng = np.random.default_rng(3)
    given = {n: s if isinstance(s, float) else rng.uniform(0.5, 1.5, s) for n, s in shapes.items()}
    options = {}
    if declared:
        texts = {n: np.shape(v) for n, v in given.items()}
        options["shapes"] = {n: " ".join(map(str, s)) or "scalar" for n, s in texts.items()}
    found = gradgen.jacobian(f, wrt=wrt if len(wrt) > 1 else wrt[0], **options)(**given)
    blocks = found if len(wrt) > 1 else (found,)
    value = f(**given)
    push, pull = gradgen.jvp(f, wrt=wrt), gradgen.vjp(f, wrt=wrt)
    zeros = {f"t_{n}": np.zeros(np.shape(given[n]))[()] for n in wrt}
    for n, block in zip(wrt, blocks, strict=True):
        assert np.shape(block) == np.shape(value) + np.shape(given[n])
        for place in np.ndindex(np.shape(given[n])):
            unit = np.zeros(np.shape(given[n]))
            unit[place] = 1.0
            _, tangent = push(**given, **{**zeros, f"t_{n}": unit[()]})
            np.testing.assert_allclose(np.asarray(block)[(..., *place)], tangent, rtol=1e-13)
            slope = along(f, given, {n: unit[()]}, "real")
            assert not differ_from_slope(np.asarray(block)[(..., *place)], slope, 1e-9)
    for place in np.ndindex(np.shape(value)):
        seed = np.zeros(np.shape(value))
        seed[place] = 1.0
        for block, row in zip(blocks, pull(**given, seed=seed)[1], strict=True):
            np.testing.assert_allclose(np.asarray(block)[place], row, rtol=1e-13, atol=1e-15)


def test_the_hessian_of_an_array_is_found_column_by_column():
    def f(x, scale=2.0):
        return np.sum(np.exp(x) * np.cumprod(x)) / (scale + x @ x)

    x = np.array([0.3, -0.7, 1.1, 0.2])
    for made in (gradgen.hessian(f), gradgen.hessian(f, shapes="x=n, scale=scalar")):
        found = made(x, 3.0)
        assert found.shape == (4, 4)
        np.testing.assert_allclose(found, found.T, rtol=1e-13, atol=1e-14)
        for k, column in enumerate(found.T):
            central = along(gradgen.grad(f), {"x": x, "scale": 3.0}, {"x": np.eye(4)[k]}, "real")
            assert not differ_from_slope(column, central, 1e-9)
    assert "        matrix[:, k] = f_hvp(x, t_x, scale)\n" in made.source


@pytest.mark.parametrize("shapes", [None, "W=k d, b=k, c=scalar, x=d"])
def test_blocks_of_second_derivatives_are_those_of_the_gradient_and_transposes(shapes):
    def f(W, b, c, x):
        return c * np.sum(np.tanh(W @ x + b) ** 2) + c**3

    rng = np.random.default_rng(5)
    wrt = ("W", "c", "b")
    given = {"W": rng.normal(size=(2, 3)), "b": rng.normal(size=2), "c": 1.7}
    x = rng.normal(size=3)
    found = gradgen.hessian(f, wrt=wrt, shapes=shapes)(**given, x=x)
    gradient = gradgen.grad(f, wrt=wrt)
    for q, name in enumerate(wrt):
        for place in np.ndindex(np.shape(given[name])):
            unit = np.zeros(np.shape(given[name]))
            unit[place] = 1.0
            slopes = along(gradient, {**given, "x": x}, {name: unit[()]}, "real")
            for p, other in enumerate(wrt):
                block = np.asarray(found[p][q])
                assert block.shape == np.shape(given[other]) + np.shape(given[name])
                assert not differ_from_slope(block[(..., *place)], [slopes[p]], 1e-8)
    np.testing.assert_array_equal(found[0][2], np.moveaxis(found[2][0], 0, 2))
    np.testing.assert_array_equal(found[0][1], found[1][0])


VECTORS = {
    "tanh": ("np.tanh(A @ x)", "matrix = (1.0 - t1 * t1)[:, None] * A"),
    "linear": ("A @ x + 1.0", "matrix = A.copy()"),
    "from the left": ("x @ A.T - x", "matrix = A - np.eye(len(x))"),
    "square": ("x**2", "matrix = np.diag(2.0 * x)"),
    "mean": ("x - np.mean(x)", "matrix = np.eye(len(x)) - 1.0 / len(x)"),
    "softmax": ("np.exp(x) / np.sum(np.exp(x))", "np.diag("),
    "stable softmax": ("np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x)))", ""),
    "unit": ("x / np.linalg.norm(x)", ""),
    "differences": ("x[1:] - x[:-1] ** 2", ""),
    "relu": ("np.where(A @ x > 0.0, A @ x, 0.1 * x)", ""),
    "masked": ("np.where(x > 0.5, np.sqrt(np.maximum(x - 0.5, 0.0)), x)", ""),
    "net": ("np.log1p(np.exp(A @ np.tanh(A @ x)))", ""),
    "joined": ("np.concatenate([np.exp(x)[::2], np.stack([x[0] * x[1], np.sum(x)])])", ""),
    "taken": ("(np.cumsum(x) * x[0])[::-1]", ""),
    "chosen": ("x[x > 0.5] * np.std(x)", ""),
    "stored": ("np.concatenate([np.zeros(1), x])[:-1] * x", ""),
    "scaled": ("np.exp(x) * (x @ x) + np.dot(A @ x, x)", ""),
    "still": ("np.sign(x) * 2.0", "matrix = np.zeros((len(x), len(x)))"),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_by_a_vector_is_one_matrix_without_a_loop(name):
    line, last = VECTORS[name]
    f = defined(f"{HEAD}def f(x, A):\n    return {line}\n")
    given = {"x": np.array([0.9, 0.3, 1.4]), "A": np.random.default_rng(1).normal(size=(3, 3))}
    push = gradgen.jvp(f)
    made = gradgen.jacobian(f, shapes="x=n, A=n n")
    assert "f_jvp" not in made.source and "f_vjp" not in made.source
    assert last in made.source
    # compiled for the signature of the arguments: also of one item, and of none
    for x in (given["x"], given["x"][:1], given["x"][:0]):
        A = given["A"][: x.size, : x.size]
        small = x.size < 3 and (name in ("joined", "taken", "chosen") or not x.size)
        if small and name not in ("square", "linear", "differences", "still", "tanh"):
            continue
        want = [push(x, unit, A)[1] for unit in np.eye(x.size)]
        found = gradgen.jacobian(f)(x, A)
        assert found.shape == (*f(x, A).shape, x.size)
        for k, column in enumerate(want):
            np.testing.assert_allclose(found[:, k], column, rtol=1e-12, atol=1e-14)
            assert not differ_from_slope(
                found[:, k], along(f, {"x": x, "A": A}, {"x": np.eye(x.size)[k]}, "real"), 1e-8
            )
    single = gradgen.jacobian(f)(*(v.astype(np.float32) for v in given.values()))
    assert single.dtype == f(*(v.astype(np.float32) for v in given.values())).dtype
    np.testing.assert_allclose(single, made(**given), rtol=2e-3, atol=1e-4)


SCALARS = {
    "logistic": ("np.sum(np.log1p(np.exp(-(A @ x)))) + 0.05 * x @ x", "A.T @ ("),
    "quadratic": ("0.5 * x @ A @ x", "matrix = 0.5 * (A.T + A)"),
    "cubes": ("np.sum(x**3)", "matrix = np.diag(6.0 * x)"),
    "rosenbrock": ("np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)", ""),
    "log sum exp": ("np.log(np.sum(np.exp(x)))", ""),
    "norm": ("np.linalg.norm(x) * np.sum(A)", ""),
    "least squares": ("np.sum((np.tanh(A @ x) - 1.0) ** 2)", "A.T @ ("),
}


@pytest.mark.parametrize("name", SCALARS)
def test_the_hessian_by_a_vector_is_one_matrix_without_a_loop(name):
    line, last = SCALARS[name]
    f = defined(f"{HEAD}def f(x, A):\n    return {line}\n")
    x, A = np.array([0.9, 0.3, 1.4]), np.random.default_rng(1).normal(size=(3, 3))
    made = gradgen.hessian(f, shapes="x=n, A=n n")
    assert "f_hvp" not in made.source
    assert last in made.source
    product, gradient = gradgen.hvp(f), gradgen.grad(f)
    for found in (made(x, A), gradgen.hessian(f)(x, A)):
        np.testing.assert_allclose(found, found.T, rtol=1e-12, atol=1e-13)
        for unit, column in zip(np.eye(3), found.T, strict=True):
            np.testing.assert_allclose(column, product(x, unit, A), rtol=1e-11, atol=1e-12)
            slope = along(gradient, {"x": x, "A": A}, {"x": unit}, "real")
            assert not differ_from_slope(column, slope, 1e-8)


def test_a_wrong_partial_derivative_is_caught_in_a_matrix_too(monkeypatch):
    import dataclasses

    from gradgen.ops import OPS

    monkeypatch.setitem(OPS, "tanh", dataclasses.replace(OPS["tanh"], d=("g * (1.0 + out*out)",)))
    f = defined(HEAD + "def f(x, A):\n    return np.tanh(A @ x)\n")
    x, A = np.array([0.9, 0.3]), np.array([[1.0, 2.0], [0.5, -1.0]])
    slope = along(f, {"x": x, "A": A}, {"x": np.array([1.0, 0.0])}, "real")
    assert differ_from_slope(gradgen.jacobian(f)(x, A)[:, 0], slope, 1e-8)


def test_a_value_of_a_known_number_of_items_gives_rows_and_of_any_other_columns():
    f = defined(HEAD + "def f(A, x):\n    return A @ np.cumprod(np.sin(x))\n")
    for shapes, product in (
        ("A=2 n, x=n", "f_vjp"), ("A=2 5, x=5", "f_vjp"), ("A=5 5, x=5", "f_jvp"),
        ("A=m n, x=n", "f_jvp"), ("A=m 3, x=3", "f_jvp"),
    ):  # fmt: skip
        source = gradgen.jacobian(f, wrt="x", shapes=shapes).source
        assert source.count("def f_jvp") == (product == "f_jvp"), shapes
        assert source.count("def f_vjp") == (product == "f_vjp"), shapes
    layer = defined(HEAD + "def f(W, x):\n    return np.tanh(W @ x)\n")
    assert "def f_vjp" in gradgen.jacobian(layer, wrt="W", shapes="W=k d, x=d").source


@pytest.mark.parametrize("shapes", [None, "x=n"])
def test_a_loop_gives_auxiliary_results_and_empty_matrices(shapes):
    def f(x):
        return np.cumprod(np.exp(x)), 2.0 * x

    def g(x):
        return np.prod(x + 1.0), 2.0 * x

    def rows(x):
        return np.concatenate([np.cumprod(x)[:0], np.ones(2) * np.sum(x)])

    for x in (np.array([1.0, 2.0, -0.5]), np.zeros(0)):
        matrix, aux = gradgen.jacobian(f, shapes=shapes, has_aux=True)(x)
        products = np.tile(np.exp(np.cumsum(x))[:, None], x.size)
        np.testing.assert_allclose(matrix, np.tril(products), rtol=1e-14)
        np.testing.assert_array_equal(aux, 2.0 * x)
        matrix, aux = gradgen.hessian(g, shapes=shapes, has_aux=True)(x)
        ratio = np.prod(x + 1.0) / np.outer(x + 1.0, x + 1.0)
        np.testing.assert_allclose(matrix, ratio - np.diag(np.diag(ratio)), atol=1e-15)
        np.testing.assert_array_equal(aux, 2.0 * x)
        assert gradgen.jacobian(rows, shapes=shapes)(x).shape == (2, x.size)
    single = np.zeros(0, np.float32)
    made = gradgen.hessian(lambda x: np.sum(np.cumprod(x) ** 2))
    assert (made(single).shape, made(single).dtype) == ((0, 0), np.float32)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_items_of_arrays_are_multiplied_in_the_order_in_which_they_do_not_overflow(dtype):
    f = defined(f"{HEAD}def f(p, x):\n    return p[0] * x * x * np.exp(-p[1] * x / x)\n")
    x, p = np.array([4_000_000_000, 3], dtype), np.array([0.5, 0.25])
    slope = x.astype(float) ** 2 * math.exp(-0.25)
    for made in (
        gradgen.jacobian(f, wrt="p", shapes=f"p=2, x=n:{np.dtype(dtype)}"),
        gradgen.jacobian(f, wrt="p"),
    ):
        np.testing.assert_allclose(made(p, x), np.stack((slope, -0.5 * slope), axis=1), rtol=1e-6)


@pytest.mark.parametrize("mode", ["jacobian", "hessian"])
def test_trap_22_float32_stays_float32_in_matrices(mode):
    def f(x):
        return np.sum(np.sin(x) * x)

    def g(x):
        return np.array([x[0] * x[1], x[1]])

    x = np.array([0.5, 1.5], np.float32)
    assert getattr(gradgen, mode)(f)(x).dtype == np.float32
    assert gradgen.jacobian(g, shapes="x=2:float32")(x).dtype == np.float32
    h = gradgen.hessian(lambda x: x[0] * x[1] ** 2, shapes="x=2:float32")
    assert h(x).dtype == np.float32


def test_auxiliary_results_come_behind_the_matrix():
    matrix, aux = gradgen.jacobian(lambda a: ((a * a, 2.0 * a), a + 1.0), has_aux=True)(3.0)
    assert matrix == (6.0, 2.0)
    assert aux == 4.0


def test_the_mode_with_fewer_operations_is_taken():
    many = "".join(f"a{k} * b{k} + " for k in range(12)) + "0.0"
    names = [f"{n}{k}" for k in range(12) for n in "ab"]
    text = f"def f({', '.join(names)}):\n    return np.exp(np.sin({many})), 2.0 * ({many})\n"
    made = gradgen.jacobian(defined(HEAD + text), wrt=tuple(names), shapes="a0=scalar")
    assert "t_" not in made.source
    assert made.source.count("np.cos") == made.source.count("np.exp") == 1
    text = "def f(a):\n    b = np.sin(a)\n    c = b * b\n    return b, c, b * c, c * c, c * a\n"
    made = gradgen.jacobian(defined(HEAD + text), shapes="a=scalar")
    assert "db_da" in made.source


def test_a_third_derivative_is_the_hessian_of_the_emitted_gradient():
    f = defined(HEAD + "def f(x):\n    return np.exp(x * x)\n")
    first = gradgen.grad(f, shapes="x=scalar")
    second = gradgen.grad(defined(first.source, "f_grad"), shapes="x=scalar")
    fourth = gradgen.hessian(defined(second.source, "f_grad_grad"), shapes="x=scalar")
    x = 0.6
    want = (16 * x**4 + 48 * x**2 + 12) * math.exp(x * x)
    np.testing.assert_allclose(fourth(x), want, rtol=1e-14)


@pytest.mark.parametrize(("mode", "line", "wrt", "said"), [
    ("jacobian", "np.cumprod(x['a']) * y", ("x", "y"),
     "a belongs to a structure with an array that is not read item by item: a Jacobian with "
     "respect to such arrays takes them in wrt each by its name"),
    ("hessian", "np.prod(x['a'] * y)", "x",
     "a belongs to a structure with an array that is not read item by item: a Hessian with "
     "respect to such arrays takes them in wrt each by its name"),
    ("hessian", "x['a'] * y", "x", "the result of f is an array of shape (n,), not one number"),
])  # fmt: skip
def test_what_has_no_matrix_is_refused_with_what_to_use(mode, line, wrt, said):
    f = defined(f"{HEAD}def f(x, y):\n    return {line}\n")
    with pytest.raises(gradgen.SourceError) as caught:
        getattr(gradgen, mode)(f, wrt=wrt, shapes="x.a=n, y=n")
    assert caught.value.msg == said
    assert "use mode" in caught.value.hint


def test_a_planted_error_in_a_rule_is_caught(monkeypatch):
    import dataclasses

    from gradgen.ops import OPS

    signature, body = PROGRAMS["arm"]
    f = defined(HEAD + source(signature, body))
    values, symbols = symbolic(signature, body)
    want = numbers([v.diff(s) for v in values for s in symbols], symbols, POINT)
    shapes = dict.fromkeys("abc", "scalar")
    right = gradgen.jacobian(f, wrt=("a", "b", "c"), shapes=shapes)(*POINT[:3])
    np.testing.assert_allclose(flat(right), want, rtol=1e-13, atol=1e-13)
    monkeypatch.setitem(OPS, "sin", dataclasses.replace(OPS["sin"], d=("g * sin(x)",)))
    wrong = gradgen.jacobian(f, wrt=("a", "b", "c"), shapes=shapes)(*POINT[:3])
    assert not np.allclose(flat(wrong), want)


def test_matrices_share_no_memory_with_arguments():
    x = np.array([1.0, 2.0])
    found = gradgen.jacobian(lambda a, x: a * x, shapes="a=scalar, x=n")(3.0, x)
    assert same_bits(found, x)
    assert not np.shares_memory(found, x)
