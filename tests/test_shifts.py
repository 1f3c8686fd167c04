"""The part of an adjoint that goes through the shift of a log-sum-exp: dropped where it is zero."""

import numpy as np
import pytest
from tangents import along, defined, differ_from_slope

import gradgen

HEAD = "import numpy as np\n\n\n"
SHIFT = "Z = F - np.max(F, axis=1, keepdims=True)\n"
PICKED = "np.log(np.sum(np.exp(Z), axis=1)) - Z[np.arange(F.shape[0]), labels]"
ONE = "Z = F[1] - np.max(F[1])\n"
VECTOR = "x, v = F[0], F[1]\nm = np.max(x)\n"
# Programs, and whether the adjoint of the shift is zero.
PROGRAMS = {
    "mean": (SHIFT + f"return np.mean({PICKED})", True),
    "weights": (SHIFT + f"return np.sum(w * ({PICKED}))", True),
    "minimum": (SHIFT.replace("max", "min") + f"return np.sum(w * ({PICKED}))", True),
    "added": (
        "m = np.max(F, axis=1)\nZ = F - m[:, None]\n"
        "return np.sum(w * (m + np.log(np.sum(np.exp(Z), axis=1))))", True,
    ),
    "one row": (ONE + "return np.log(np.sum(np.exp(Z))) - Z[2]", True),
    "one label": (ONE + "return np.log(np.sum(np.exp(Z))) - Z[labels[0]]", True),
    "added twice": (
        "m = np.max(F, axis=1)\nZ = F - m[:, None]\n"
        "return np.sum(w * (2.0 * m + np.log(np.sum(np.exp(Z), axis=1))))", False,
    ),
    "used otherwise": (SHIFT + f"return np.mean({PICKED}) + np.sum(Z * Z)", False),
    "picked twice": (SHIFT + f"return np.mean({PICKED.replace('- Z', '- 2.0 * Z')})", False),
    "other rows": (SHIFT + f"return np.mean({PICKED.replace('np.arange(F.shape[0])', 'rows')})",
                   False),
    "other axis": (SHIFT.replace("axis=1", "axis=0") + f"return np.mean({PICKED})", False),
    "other sum": (SHIFT + f"return np.mean({PICKED.replace('np.exp(Z)', 'np.exp(2.0 * Z)')})",
                  False),
    "of a vector": (VECTOR + "return m + np.log(np.sum(np.exp(x - m)))", True),
    "weighed": (VECTOR + "s = x - m\nreturn np.sum(v * (s - np.log(np.sum(np.exp(s)))))", True),
    "softmax": (VECTOR + "e = np.exp(x - m)\nreturn np.sum(v * (e / np.sum(e)))", True),
    "not added": (VECTOR + "return np.log(np.sum(np.exp(x - m)))", False),
    "other sign": (VECTOR + "return m + np.log(np.sum(np.exp(m - x)))", False),
    "in a sum": (VECTOR + "return m + np.log(np.sum(np.exp(x - m) + v * v))", False),
    "half more": (VECTOR + "return m + np.log(np.sum(np.exp(x - m))) + m * 0.5", False),
    "no logarithm": (VECTOR + "return m + np.sum(np.exp(x - m))", False),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_zero_is_dropped_and_nothing_else(name):
    body, zero = PROGRAMS[name]
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    f = defined(f"{HEAD}def f(F, labels, rows, w):\n{lines}")
    made = gradgen.grad(f, shapes="F=n k, labels=n:int64, rows=n:int64, w=n")
    rng = np.random.default_rng(7)
    at = {"F": rng.normal(size=(4, 3)), "labels": np.array([0, 2, 1, 1]),
          "rows": np.array([0, 0, 2, 3]), "w": rng.normal(size=4)}  # fmt: skip
    direction = rng.normal(size=(4, 3))
    slope = along(f, at, {"F": direction}, "real")
    assert not differ_from_slope(np.sum(made(**at) * direction), slope, 1e-9)
    assert ("==" not in made.source) == zero


def test_trap_10_a_tie_for_the_shift_changes_nothing():
    body = f"    {SHIFT}    return np.mean({PICKED})\n"
    made = gradgen.grad(defined(f"{HEAD}def f(F, labels):\n{body}"),
                        shapes="F=n k, labels=n:int64")  # fmt: skip
    p = np.exp([[0.0, 0.0, -1.0], [-700.0, 0.0, 0.0]])
    p /= p.sum(axis=1, keepdims=True)
    found = made(np.array([[2.0, 2.0, 1.0], [300.0, 1000.0, 1000.0]]), np.array([0, 1]))
    np.testing.assert_allclose(found, (p - np.eye(3)[[0, 1]]) / 2.0, rtol=1e-15, atol=1e-300)
