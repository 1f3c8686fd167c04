"""Sums of many small products, as the steps of a loop make them, are one product."""

import re

import numpy as np
import pytest
from agreement import function_of, with_body
from test_cases import canonical

import gradgen
from gradgen.program import Options, compile_graph
from gradgen.read import parse_shapes, read_file

STEPS = "h = h0\nfor k in range({0}):\n    h = np.tanh({1} + b)\nreturn np.sum(h * h)"
ROWS = STEPS.format(5, "X[k] @ W + h @ U"), "X=5 {0} 3, W=3 4, U=4 4, b=4, h0={0} 4"
VECTORS = STEPS.format(5, "W @ X[k] + U @ h"), "X=5 d, W=n d, U=n n, b=n, h0=n"


def by_hand(X, W, U, b, h0):
    """The adjoints of W, U and b, step by step, for states in rows."""
    states = [h0]
    for x in X:
        states.append(np.tanh(x @ W + states[-1] @ U + b))
    d_h, d_W, d_U, d_b = 2.0 * states[-1], 0.0, 0.0, 0.0
    for k in reversed(range(len(X))):
        d_z = d_h * (1.0 - states[k + 1] ** 2)
        d_W, d_U, d_b = d_W + X[k].T @ d_z, d_U + states[k].T @ d_z, d_b + d_z.sum(axis=0)
        d_h = d_z @ U.T
    return d_W, d_U, d_b


def compiled(body, shapes, **options):
    f = function_of(with_body(body, "X, W, U, b, h0"))
    return gradgen.grad(f, wrt=("W", "U", "b"), shapes=shapes, **options)


def test_the_steps_of_a_batch_are_one_product_for_each_weight():
    made = compiled(ROWS[0], ROWS[1].format(6))
    assert made.source.count("np.concatenate(") == 3
    assert len(re.findall(r"\.T @ t\d+\n", made.source)) == 2
    assert len(re.findall(r"d_b = t\d+\.sum\(axis=0\)\n", made.source)) == 1
    rng = np.random.default_rng(0)
    shapes = (5, 6, 3), (3, 4), (4, 4), (4,), (6, 4)
    given = [0.5 * rng.normal(size=s) for s in shapes]
    for have, want in zip(made(*given), by_hand(*given), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-14)


def test_the_steps_of_vectors_are_one_product_for_each_weight():
    made = compiled(*VECTORS)
    assert "np.outer" not in made.source
    assert made.source.count("np.stack(") == 3
    rng = np.random.default_rng(1)
    X, W, U, b, h0 = (0.5 * rng.normal(size=s) for s in ((5, 3), (4, 3), (4, 4), 4, 4))
    d_W, d_U, d_b = by_hand(X[:, None, :], W.T, U.T, b, h0[None, :])
    for have, want in zip(made(X, W, U, b, h0), (d_W.T, d_U.T, d_b), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("body", "shapes"), [
    (ROWS[0], ROWS[1].format(65)),
    (ROWS[0], ROWS[1].format("m")),
    (ROWS[0].replace("range(5)", "range(3)"), ROWS[1].format(6)),
    (VECTORS[0].replace("range(5)", "range(3)"), VECTORS[1]),
])  # fmt: skip
def test_few_products_and_long_ones_are_added_up(body, shapes):
    source = compiled(body, shapes).source
    assert "np.concatenate" not in source
    assert "np.stack" not in source


def test_other_terms_of_the_sum_are_added_to_the_product():
    made = compiled(ROWS[0] + " + 0.5 * np.sum(W * W)", ROWS[1].format(2))
    rng = np.random.default_rng(2)
    given = [rng.normal(size=s) for s in ((5, 2, 3), (3, 4), (4, 4), (4,), (2, 4))]
    want = by_hand(*given)
    np.testing.assert_allclose(made(*given)[0], want[0] + given[1], rtol=1e-12, atol=1e-14)
    assert made.source.count("np.concatenate(") == 3


def test_what_is_emitted_reads_back_as_the_graph_that_was_emitted(tmp_path):
    path = tmp_path / "steps.py"
    path.write_text("import numpy as np\n\n\n" + with_body(ROWS[0], "X, W, U, b, h0"), "utf-8")
    shapes = ROWS[1].format(6)
    graph = read_file(path, "f", parse_shapes(shapes))
    derived = compile_graph(graph, Options(("W", "U", "b"), "grad")).graph
    again = tmp_path / "again.py"
    again.write_text(compiled(ROWS[0], shapes).source, "utf-8")
    assert canonical(read_file(again, "f_grad", parse_shapes(shapes))) == canonical(derived)
