"""Inputs of array functions on which derivatives go wrong, by number of the catalogue.

Expected values are derived by hand, or come from differences of the user's own function.
"""

import warnings

import numpy as np
import pytest
from test_traps_numbers import RNG, agrees, define, formula

import gradgen

# -- 9: spreads ------------------------------------------------------------------------------------


def test_trap_09_the_spread_of_a_constant_vector_has_no_derivative():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert np.isnan(gradgen.grad(formula("np.std(x)"))(np.ones(3))).all()
    assert np.array_equal(gradgen.grad(formula("np.var(x)"))(np.ones(3)), np.zeros(3))


def test_trap_09_one_item_has_no_unbiased_spread():
    for name in ("std", "var"):
        f = formula(f"np.{name}(x, ddof=1)")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            value, slope = gradgen.value_and_grad(f)(np.array([2.0]))
        assert np.isnan(value) and np.isnan(slope).all()


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)], ids=str)
def test_trap_09_spreads_over_axes(axis, ddof):
    x = RNG(9).standard_normal((2, 3, 4))
    for name in ("std", "var"):
        agrees(formula(f"np.sum(np.{name}(x, axis={axis}, ddof={ddof}) ** 2)"), x)


# -- 26: einsum ------------------------------------------------------------------------------------

EINSUM = [("ii->", [(3, 3)]), ("ii", [(3, 3)]), ("ii->i", [(3, 3)]), ("ij->ji", [(2, 3)]),
          ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]), ("ij,jk", [(2, 3), (3, 4)]),
          ("ij,jk->ik", [(2, 3), (3, 4)]), ("ji,jk->ik", [(3, 2), (3, 4)]),
          ("ij,kj->", [(2, 3), (4, 3)]), ("i,j->ij", [(2,), (3,)]), ("i,i", [(3,), (3,)]),
          ("abcd->bd", [(2, 3, 2, 4)]), ("abc,cd->abd", [(2, 3, 4), (4, 2)]),
          ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]), ("...ij,...jk->...ik", [(2, 3, 4), (4, 2)]),
          ("i,ij,j", [(2,), (2, 3), (3,)]), ("ii,i->i", [(3, 3), (3,)]),
          ("ij,ij->i", [(2, 3), (2, 3)]), ("b...,b...->...", [(2, 3), (2, 3)])]  # fmt: skip


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUM, ids=[s for s, _ in EINSUM])
def test_trap_26_every_operand_of_einsum(subscripts, shapes):
    names = "xyz"[: len(shapes)]
    arrays = [RNG(26 + k).standard_normal(shape) for k, shape in enumerate(shapes)]
    call = f"np.einsum({subscripts!r}, {', '.join(names)})"
    agrees(formula(f"np.sum({call} ** 2)", ", ".join(names)), *arrays)
    agrees(formula(f"np.sum({call})", ", ".join(names)), *arrays)


def test_trap_26_one_array_as_two_operands():
    x = RNG(26).standard_normal((3, 3))
    for text in ("'ij,jk->ik', x, x", "'ij,ij', x, x", "'ii,jj', x, x", "'ij,ji->i', x, x.T"):
        agrees(formula(f"np.sum(np.einsum({text}) ** 2)"), x)


# -- 28, 34: masks, indices, stores ----------------------------------------------------------------


@pytest.mark.parametrize("body", [
    "return np.sum(x[x > 0.5] ** 2)", "return np.mean(x[x > 0.5] ** 2)",
    "m = x > 0.5\nreturn np.sum(x[m] * x[m] + x[m])", "return np.sum(np.log(x[~(x < 0.3)]))",
    "return np.sum(x[(x > 0.2) & (x < 0.8)] ** 3)", "y = x[x > 0.5]\nreturn np.sum(y * y[::-1])",
    "y = x * 1.0\ny[y > 0.5] = 0.25\nreturn np.sum(y ** 2 * x)",
    "y = x * 1.0\ny[y > 0.5] *= x[y > 0.5]\nreturn np.sum(y ** 2)",
    "y = x * 1.0\nm = x > 0.5\ny[m] = x[m] ** 2\nreturn np.sum(y * x)",
    "y = x * 1.0\nm = x > 0.5\ny[m] += x[m] * x[m]\nreturn np.sum(y * y)",
    "return np.sum(x[x > 9.0]) + x[0]", "return np.sum(x[x > 0.4] / np.mean(x[x > 0.4]) ** 2)",
])  # fmt: skip
def test_trap_28_masks_read_and_store(body):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    agrees(define(f"def f(x):\n{lines}"), RNG(28).permutation(np.linspace(0.05, 0.97, 9)))


def test_trap_28_what_a_mask_selects_meets_only_its_equals():
    with pytest.raises(gradgen.SourceError, match=r"lengths count_true\(1\) and 9 meet"):
        gradgen.grad(formula("np.sum(x[x > -9.0] * x)"))(np.linspace(0.05, 0.95, 9))


def test_trap_28_a_mask_over_two_axes():
    x = RNG(28).standard_normal((3, 4))
    agrees(formula("np.sum(x[x > 0.1] ** 2)"), x)
    agrees(formula("np.sum(x[np.sum(x, axis=1) > 0] ** 2)"), x)
    agrees(formula("np.sum(x[:, x[0] > 0] ** 2)"), x)


@pytest.mark.parametrize("body", [
    "u = np.zeros(3)\nu[np.array([0, 2])] = x[:2]\nreturn np.sum(u * x)",
    "u = np.zeros(3)\nu[[0, 0, 1]] = x\nreturn np.sum(u ** 2)",
    "u = x * x\nu[[0, 1]] = u[[1, 0]]\nreturn np.sum(u * x)",
    "u = x * x\nu[0], u[1] = u[1], u[0]\nreturn np.sum(u * x)",
    "u = np.zeros(3)\nnp.add.at(u, [0, 0, 2], x)\nreturn np.sum(u ** 2)",
    "u = x.copy()\nu[1:] = u[:-1]\nreturn np.sum(u * x)",
    "u = []\nfor i in range(3):\n    u.append(x[i] ** i)\nreturn np.sum(np.array(u) * x)",
])  # fmt: skip
def test_trap_34_stores_at_arrays_of_indices(body):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    agrees(define(f"def f(x):\n{lines}"), np.array([0.5, -1.25, 2.0]))


# -- 29: padding -----------------------------------------------------------------------------------


PADDING = ["constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "maximum", "minimum",
           "mean", "median"]  # fmt: skip


@pytest.mark.parametrize("mode", PADDING)
def test_trap_29_every_mode_of_padding(mode):
    x = RNG(29).permutation(np.linspace(-1.0, 1.0, 12)).reshape(3, 4)
    for width in ("1", "(1, 2)", "((0, 1), (2, 0))"):
        f = formula(f"np.sum(np.pad(x, {width}, mode={mode!r}) ** 2 * np.exp(x[0, 0]))")
        agrees(f, x)


# -- 30: order and running sums --------------------------------------------------------------------


@pytest.mark.parametrize("expression", [
    "np.sort(x)", "np.sort(x, axis=0)", "np.sort(x, axis=None)", "np.partition(x, 1)",
    "x[np.argsort(x[:, 0])]", "np.take_along_axis(x, np.argsort(x, axis=0), 0)",
    "np.cumsum(x)", "np.cumsum(x, axis=0)", "np.cumprod(x)", "np.cumprod(x, axis=1)",
    "np.median(x, axis=0)", "np.quantile(x, 0.3)", "np.percentile(x, [10, 80], axis=1)",
])  # fmt: skip
def test_trap_30_order_and_running_sums(expression):
    x = RNG(30).permutation(np.linspace(-1.0, 1.2, 12)).reshape(4, 3)
    weights = RNG(31).standard_normal(formula(expression)(x).shape)
    agrees(formula(f"np.sum({expression} ** 2 * w)", "x, w"), x, weights, wrt=(0,))


def test_trap_30_a_running_product_with_zeros_is_exact():
    x = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    # d/dx of x0 + x0 x1 + x0 x1 x2 + x0 x1 x2 x3 + x0 x1 x2 x3 x4
    want = [1.0, 2.0 + 6.0, 0.0, 0.0, 0.0]
    assert np.array_equal(gradgen.grad(formula("np.sum(np.cumprod(x))"))(x), want)


def test_trap_30_tied_items_of_a_sort_have_one_place_each():
    x = np.array([1.0, 0.0, 1.0])
    slope = gradgen.grad(formula("np.sum(np.sort(x) * np.array([1.0, 10.0, 100.0]))"))(x)
    assert slope[1] == 1.0 and sorted(slope[[0, 2]]) == [10.0, 100.0]


# -- 31: linear algebra ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 1)])
def test_trap_31_right_hand_sides_of_one_and_two_axes(shape):
    a, b = RNG(31).standard_normal((3, 3)) + 3.0 * np.eye(3), RNG(32).standard_normal(shape)
    agrees(formula("np.sum(np.linalg.solve(a, b) ** 2)", "a, b"), a, b)


def test_trap_31_the_determinant_of_a_singular_matrix():
    # d det = the matrix of cofactors, also where the determinant is 0
    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    slope = gradgen.grad(formula("np.linalg.det(a)", "a"))(a)
    np.testing.assert_allclose(slope, [[4.0, -2.0], [-2.0, 1.0]], rtol=1e-12)


def test_trap_31_cholesky_and_eigh_read_the_symmetric_part():
    m = RNG(31).standard_normal((3, 3))
    for text in ("np.sum(np.linalg.cholesky(a @ a.T + np.eye(3)) ** 3)",
                 "np.sum(np.linalg.eigh(a @ a.T)[0] ** 1.5)",
                 "np.sum(np.linalg.eigvalsh(a + a.T) ** 3)"):  # fmt: skip
        agrees(formula(text, "a"), m)
    # trace(L^T L) = trace(A): the adjoint of a symmetric matrix is symmetric
    a = m @ m.T + np.eye(3)
    slope = gradgen.grad(formula("np.sum(np.linalg.cholesky(a) ** 2)", "a"))(a)
    np.testing.assert_allclose(slope, np.eye(3), atol=1e-12)


# -- 1: branches not taken, behind indices ---------------------------------------------------------


@pytest.mark.parametrize("body", [
    "l = np.log(x)\nreturn np.sum(np.where(x[[0, 1, 1]] > 0, l[[0, 1, 1]], 0.0))",
    "return np.sum(np.where(np.take(x, [0, 2]) > 0, np.take(np.sqrt(x), [0, 2]), 1.0))",
    "i = np.argsort(x)\nl = np.take_along_axis(np.log(x), i, 0)\n"
    "return np.sum(np.where(x[i] > 0, l, 0.0))",
    "return np.sum(np.where(x[x > -9] > 0, np.log(x)[x > -9], 0.0))",
])  # fmt: skip
def test_trap_01_what_an_index_picks_and_nobody_reads_leaks_nothing(body):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    x = np.array([1.0, 2.0, -3.0, 4.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the user's own log(-3)
        agrees(define(f"def f(x):\n{lines}"), x)
