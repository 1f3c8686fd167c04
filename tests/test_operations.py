"""How many operations emitted code takes: in committed figures, and no more than by hand."""

import inspect
import tomllib

import golden
import numpy as np
import pytest
from tangents import defined

import gradgen
from gradgen.measure.counting import operations

HOMES = (golden.CASES, golden.MODE_CASES)
COMMITTED = tomllib.loads(golden.OPERATIONS.read_text("utf-8"))
GRADIENTS = ("value_and_grad", "grad", "pair")


@pytest.mark.parametrize("home", HOMES, ids=[home.name for home in HOMES])
def test_the_golden_cases_take_the_operations_that_are_committed(home):
    found = {name: golden.counts(name, home) for name in golden.names(home)}
    apart = [
        f"{name}: {COMMITTED[home.name].get(name)} -> {found.get(name)}"
        for name in sorted({*found, *COMMITTED[home.name]})
        if COMMITTED[home.name].get(name) != found.get(name)
    ]
    assert not apart, "\n".join([f"{golden.OPERATIONS.name}, committed -> found:", *apart])


def test_a_gradient_takes_four_times_the_operations_of_the_value_at_most():
    ratios = {
        (home.name, name): row["emitted"] / row["forward"]
        for home in HOMES
        for name, row in COMMITTED[home.name].items()
        if row["forward"] >= 10 and golden.load(name, home).mode in GRADIENTS
    }
    assert len(ratios) > 20
    assert max(ratios.values()) <= 4.0, max(ratios, key=ratios.__getitem__)


# The accelerations of three bodies in space, by their positions and velocities.
BODIES = """
def bodies(u, m):
    a = [0.0] * 9
    for i, j in (0, 1), (0, 2), (1, 2):
        d = [u[3 * j + k] - u[3 * i + k] for k in range(3)]
        r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        w = 1.0 / (r2 * np.sqrt(r2))
        for k in range(3):
            a[3 * i + k] += m[j] * w * d[k]
            a[3 * j + k] -= m[i] * w * d[k]
    return np.array([u[k] for k in range(9, 18)] + a)
"""
# One pair: the symmetric block w I - 3 w / r2 d d', times either mass.
PAIR = """
    x, y, z = u[{3j}] - u[{3i}], u[{3j} + 1] - u[{3i} + 1], u[{3j} + 2] - u[{3i} + 2]
    xx, yy, zz = x * x, y * y, z * z
    r2 = xx + yy + zz
    w = 1.0 / (r2 * np.sqrt(r2))
    s = -3.0 * w / r2
    sx, sy = s * x, s * y
    a, b, c, e, f, g = w + s * xx, sx * y, sx * z, w + s * yy, sy * z, w + s * zz
    a{i}{j}, b{i}{j}, c{i}{j} = m[{j}] * a, m[{j}] * b, m[{j}] * c
    e{i}{j}, f{i}{j}, g{i}{j} = m[{j}] * e, m[{j}] * f, m[{j}] * g
    a{j}{i}, b{j}{i}, c{j}{i} = m[{i}] * a, m[{i}] * b, m[{i}] * c
    e{j}{i}, f{j}{i}, g{j}{i} = m[{i}] * e, m[{i}] * f, m[{i}] * g
"""


def bodies_by_hand():
    """The text of the Jacobian: nine blocks, of which those on the diagonal are sums of others."""
    text = "def hand(u, m):\n    J = np.zeros((18, 18))\n"
    text += "    for k in range(9):\n        J[k, 9 + k] = 1.0\n"
    for i, j in ((0, 1), (0, 2), (1, 2)):
        pair = PAIR.replace("{3i}", str(3 * i)).replace("{3j}", str(3 * j))
        text += pair.replace("{i}", str(i)).replace("{j}", str(j))
    for i in range(3):
        j, k = (n for n in range(3) if n != i)
        for n in "abcefg":
            text += f"    {n}{i}{i} = -({n}{i}{j} + {n}{i}{k})\n"
    for i in range(3):
        for j in range(3):
            rows = [[f"{n}{i}{j}" for n in row] for row in ("abc", "bef", "cfg")]
            block = ", ".join(f"[{', '.join(row)}]" for row in rows)
            text += f"    J[{9 + 3 * i}:{12 + 3 * i}, {3 * j}:{3 * j + 3}] = [{block}]\n"
    return text + "    return J\n"


def test_the_jacobian_of_three_bodies_takes_no_more_operations_than_by_hand():
    head = "import numpy as np\n\n\n"
    f, by_hand = defined(head + BODIES.lstrip(), "bodies"), bodies_by_hand()
    made = gradgen.jacobian(f, shapes="u=18, m=3")
    rng = np.random.default_rng(3)
    u, m = rng.normal(size=18), rng.uniform(0.5, 2.0, 3)
    steps = [f(u + 1e-30j * e, m).imag / 1e-30 for e in np.eye(18)]
    np.testing.assert_allclose(made(u, m), np.transpose(steps), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        defined(head + by_hand, "hand")(u, m), made(u, m), rtol=1e-12, atol=1e-14
    )
    count, own = operations(made.source, "bodies_jacobian"), operations(by_hand, "hand")
    assert count <= own, f"{count} operations, {own} by hand"


# The camera of tests/mode_cases with two focal lengths and a principal point: what differs.
FOCAL = [
    ("f, k1", "fx, fy, cx, cy, k1"),
    ("f * d * u, f * d * v", "fx * d * u + cx, fy * d * v + cy"),
    ("q = f * d / p3", "q = d / p3"),
    ("h = 2.0 * f * (l + k) / p3",
     "h = 2.0 * (l + k) / p3\n    o, fu, fv = h * u * v, fx * u, fy * v"),
    ("i11, i12, i22 = q + h * uu, h * u * v, q + h * vv",
     "i11, i12, i21, i22 = fx * (q + h * uu), fx * o, fy * o, fy * (q + h * vv)"),
    ("i13, i23 = u * j, v * j\n    fr = f * r2", "i13, i23 = fu * j, fv * j"),
    ("d0_k1, d1_k1 = fr * u, fr * v", "d0_k1, d1_k1 = fu * r2, fv * r2"),
    ("i13, d * u, ", "i13, d * u, 0.0, 1.0, 0.0, "),
    ("i12, i22, i23, d * v, ", "i21, i22, i23, 0.0, d * v, 0.0, 1.0, "),
    *((f"i12 * {m}1{k} + i22", f"i21 * {m}1{k} + i22") for m in "wr" for k in "123"),
]  # fmt: skip


def test_a_camera_of_fifteen_numbers_takes_no_more_operations_than_by_hand():
    case = golden.load("jacobian_camera", golden.MODE_CASES)
    source, by_hand = case.source, case.hand
    for old, new in FOCAL:
        assert old in source + by_hand
        source, by_hand = source.replace(old, new), by_hand.replace(old, new)
    f, hand = defined(source, "project"), defined(source + by_hand, "hand")
    names = list(inspect.signature(f).parameters)
    made = gradgen.jacobian(f, wrt=tuple(names), target="python",
                            shapes=dict.fromkeys(names, "scalar"))  # fmt: skip
    at = np.random.default_rng(5).uniform(0.5, 1.5, len(names))
    np.testing.assert_allclose(made(*at), hand(*at), rtol=1e-12, atol=1e-12)
    complex_f = defined(source.replace("import math", "import cmath as math"), "project")
    steps = [np.imag(complex_f(*(at + 1e-30j * e))) / 1e-30 for e in np.eye(len(names))]
    np.testing.assert_allclose(made(*at), np.transpose(steps), rtol=1e-12, atol=1e-12)
    count, own = operations(made.source, "project_jacobian"), operations(by_hand, "hand")
    assert count <= own, f"{count} operations, {own} by hand"
