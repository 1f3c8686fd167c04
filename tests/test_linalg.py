"""Linear algebra: products by index, norms, decompositions, of NumPy and of SciPy.

The reference is the user's own function on complex numbers (complex step) or on shifted ones
(Richardson's extrapolation); formulas with a second source have tests of their own.
"""

import warnings

import numpy as np
import pytest
import scipy.linalg
import sympy
from test_structural import (
    arguments,
    close,
    compare,
    complex_step,
    define,
    differences,
    program,
    title,
)

import gradgen

HEAD = "import numpy as np\nimport scipy.linalg\n\n\n"
STACKED = "s = x @ x.swapaxes(-1, -2) + np.eye(3) * np.array([1.0, 2.0, 3.0])"
SHIFTED = "a = x + np.eye(3) * np.array([2.0, 3.0, 4.0])"


def _products():
    for name, x, y in (
        ("dot", (2, 3, 4), (4,)), ("dot", (2, 3, 4), (5, 4, 3)), ("dot", (4,), (5, 4, 3)),
        ("dot", (2, 4), (5, 4, 3)), ("dot", (), (2, 3)), ("dot", (2, 3), ()), ("dot", (), ()),
        ("inner", (2, 3, 4), (4,)), ("inner", (2, 3, 4), (5, 4)), ("inner", (4,), (2, 3, 4)),
        ("inner", (2, 3), (4, 3)), ("inner", (), (3,)), ("inner", (3,), (3,)),
        ("outer", (2, 3), (4,)), ("outer", (), (3,)), ("outer", (2,), (2, 2)), ("outer", (), ()),
        ("kron", (2,), (3,)), ("kron", (2, 3), (3, 2)), ("kron", (2,), (3, 2)),
        ("kron", (2, 3), (2,)), ("kron", (), (2, 3)), ("kron", (2, 1, 3), (2, 2)),
        ("vecdot", (3,), (3,)), ("vecdot", (2, 3), (3,)), ("vecdot", (2, 3), (4, 2, 3)),
        ("linalg.outer", (2,), (3,)), ("linalg.vecdot", (2, 3), (2, 3)),
        ("linalg.matmul", (2, 3), (3, 2)), ("cross", (3,), (3,)), ("cross", (2, 3), (3,)),
        ("cross", (3,), (4, 2, 3)), ("linalg.cross", (2, 3), (2, 3)),
    ):  # fmt: skip
        yield (
            name,
            "",
            f"np.{name}(x, y)",
            {"x": x, "y": y},
            "complex" if ("vec" not in name) else "real",
        )
    if hasattr(np, "matvec"):
        for x, y in (((2, 3), (3,)), ((2, 3), (4, 3)), ((4, 2, 3), (3,)), ((4, 2, 3), (4, 3))):
            yield "matvec", "", "np.matvec(x, y)", {"x": x, "y": y}, "real"
        for x, y in (((2,), (2, 3)), ((4, 2), (2, 3)), ((2,), (4, 2, 3))):
            yield "vecmat", "", "np.vecmat(x, y)", {"x": x, "y": y}, "real"
    for x, y in (((2, 3), (2, 3)), ((2, 3), (6,)), ((2, 3), (3, 2)), ((), ()), ((1,), ())):
        yield "vdot", "", "np.vdot(x, y)", {"x": x, "y": y}, "real"
    yield "vecdot", "", "np.vecdot(x, y, axis=0)", {"x": (3, 2), "y": (3, 2)}, "real"
    for axes in ("axisa=0", "axisb=0", "axisc=0", "axis=0", "axisa=0, axisb=1, axisc=0"):
        yield "cross", "", f"np.cross(x, y, {axes})", {"x": (3, 3), "y": (3, 3)}, "complex"
    yield "cross", "", "np.cross(x, y, axisa=0)", {"x": (3,), "y": (2, 3)}, "complex"
    yield "cross", "", "np.cross(x, y, axisa=1, axisc=0)", {"x": (2, 3, 4), "y": (4, 3)}, "complex"
    yield "cross", "", "np.cross(x, y, axisb=0, axisc=1)", {"x": (2, 4, 3), "y": (3, 4)}, "complex"
    yield "linalg.cross", "", "np.linalg.cross(x, y, axis=0)", {"x": (3, 2), "y": (3, 2)}, "complex"
    for x, y, axes in (
        ((2, 3), (3, 4), "1"), ((2, 3), (2, 3), "2"), ((2, 3, 4), (3, 4, 5), "2"),
        ((2,), (3,), "0"), ((2, 3), (4,), "0"), ((2, 3), (2, 4), "(0, 0)"),
        ((2, 3, 4), (4, 2, 5), "([2, 0], [0, 1])"), ((2, 3, 4), (5, 3), "(1, 1)"),
        ((2, 3, 4), (3, 2), "((1, 0), (0, 1))"), ((2, 3), (3, 4), "(-1, 0)"),
        ((2, 3, 4), (5, 4, 3), "([-1, 1], [1, 2])"), ((2, 3, 4), (2, 3, 4), "3"), ((), (3,), "0"),
    ):  # fmt: skip
        yield "tensordot", "", f"np.tensordot(x, y, axes={axes})", {"x": x, "y": y}, "complex"
    yield "tensordot", "", "np.tensordot(x, y)", {"x": (2, 3, 4), "y": (3, 4)}, "complex"
    yield "tensordot", "", "np.linalg.tensordot(x, y, axes=1)", {"x": (2, 3), "y": (3,)}, "complex"
    yield "matrix_transpose", "", "np.matrix_transpose(x)", {"x": (2, 3, 4)}, "complex"
    yield "matrix_transpose", "", "np.linalg.matrix_transpose(x)", {"x": (2, 3)}, "complex"


def _einsums():
    for text, shapes in (
        ("ii->", [(3, 3)]), ("ii", [(3, 3)]), ("ii->i", [(3, 3)]), ("ij->ji", [(2, 3)]),
        ("ba", [(2, 3)]), ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]), ("ij", [(2, 3)]),
        ("abcd->bd", [(2, 3, 2, 3)]), ("abcd->db", [(2, 3, 2, 3)]), ("iij->j", [(3, 3, 2)]),
        ("iji->ij", [(3, 2, 3)]), ("iji->j", [(3, 2, 3)]), ("iii->i", [(3, 3, 3)]),
        ("iijj->", [(2, 2, 3, 3)]), ("iijj->ij", [(2, 2, 3, 3)]), ("i->i", [(3,)]), ("->", [()]),
        ("...ii->...i", [(2, 3, 3)]), ("...ii", [(2, 3, 3)]), ("i...->...", [(3, 2, 4)]),
        ("...->...", [(2, 3)]), ("...i->i...", [(2, 3, 4)]), ("i...j", [(2, 4, 3)]),
        ("i,i", [(3,), (3,)]), ("i,i->", [(3,), (3,)]), ("i,i->i", [(3,), (3,)]),
        ("i,j->ij", [(2,), (3,)]), ("i,j->ji", [(2,), (3,)]), ("i,j", [(2,), (3,)]),
        ("i,j->", [(2,), (3,)]), ("i,j->i", [(2,), (3,)]), (",i->i", [(), (3,)]),
        ("ij,j->i", [(2, 3), (3,)]), ("ij,i->j", [(2, 3), (2,)]), ("ij,jk", [(2, 3), (3, 4)]),
        ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk->ki", [(2, 3), (3, 4)]),
        ("ij,kj->ik", [(2, 3), (4, 3)]), ("ji,jk->ik", [(3, 2), (3, 4)]),
        ("ij,jk->", [(2, 3), (3, 4)]), ("ij,jk->i", [(2, 3), (3, 4)]),
        ("ij,ij->", [(2, 3), (2, 3)]), ("ij,ji->", [(2, 3), (3, 2)]), ("ij,ij->i", [(2, 3)] * 2),
        ("ij,ij->ij", [(2, 3)] * 2), ("ij,j->ij", [(2, 3), (3,)]), ("ij,i->ji", [(2, 3), (2,)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]), ("bij,bkj->bik", [(2, 3, 4), (2, 2, 4)]),
        ("bij,bj->bi", [(2, 3, 4), (2, 4)]), ("bij,jk->bik", [(2, 3, 4), (4, 2)]),
        ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 2, 4)]), ("bi,bj->ij", [(4, 2), (4, 3)]),
        ("bi,bj->bij", [(4, 2), (4, 3)]), ("ijk,jil->kl", [(2, 3, 4), (3, 2, 5)]),
        ("ijk,k->ij", [(2, 3, 4), (4,)]), ("ijk,ijk->k", [(2, 3, 4)] * 2),
        ("ii,ij->j", [(3, 3)] * 2),
        ("ii,i->i", [(3, 3), (3,)]), ("ij,jj->i", [(2, 3), (3, 3)]), ("iij,j->", [(2, 2, 3), (3,)]),
        ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 4)]), ("...ij,...jk->...ik", [(2, 3), (5, 3, 4)]),
        ("...ij,...jk", [(5, 1, 2, 3), (4, 3, 4)]), ("...j,j->...", [(2, 4, 3), (3,)]),
        ("...,...", [(2, 3), (3,)]), ("i...,i->...", [(3, 2), (3,)]),
        ("...i,...i->...", [(2, 3), (4, 1, 3)]), ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
        ("i,ij,j->", [(2,), (2, 3), (3,)]), ("ij,jk,ki->", [(2, 3), (3, 4), (4, 2)]),
        ("i,i,i->i", [(3,)] * 3), ("i,j,k->ijk", [(2,), (3,), (4,)]),
        ("i,j,k->", [(2,), (3,), (2,)]),
        ("ia,ib,ic->abc", [(4, 2), (4, 3), (4, 2)]),
        ("ij,jk,kl,l->i", [(2, 3), (3, 2), (2, 4), (4,)]),
        ("i,,j->ij", [(2,), (), (3,)]), (",cc->c", [(), (3, 3)]), ("c,cc->", [(3,), (3, 3)]),
        # an axis of length 1 is broadcast, as elsewhere
        ("ij,ij->ij", [(2, 1), (2, 3)]), ("ij,jk->ik", [(2, 1), (3, 4)]), ("i,i->", [(1,), (3,)]),
        ("ij,ij->", [(2, 1), (1, 3)]), ("...i,...i", [(1, 3), (2, 3)]),
    ):  # fmt: skip
        names = "xyzw"[: len(shapes)]
        named = dict(zip(names, shapes, strict=True))
        yield "einsum", "", f"np.einsum('{text}', {', '.join(names)})", named, "complex"
    for line, shapes in (
        ("np.einsum(' i j , j k -> i k ', x, y)", {"x": (2, 3), "y": (3, 4)}),
        ("np.einsum('ij,ij->i', x, x)", {"x": (2, 3)}),
        ("np.einsum('ij,jk->ik', x, x)", {"x": (3, 3)}),
        ("np.einsum('i,ij,j', y, x, y)", {"x": (3, 3), "y": (3,)}),
        ("np.einsum('ij,jk,kl->il', x, y, x, optimize=True)", {"x": (2, 3), "y": (3, 2)}),
        ("np.einsum('ij,jk->ik', x, y, optimize='greedy')", {"x": (2, 3), "y": (3, 2)}),
        ("np.einsum('i,j,k->ijk', x, x, x, optimize=False)", {"x": (3,)}),
    ):
        yield "einsum", "", line, shapes, "complex"


def _norms():
    for order in ("1", "3", "0.5", "2.5", "-1", "-2", "np.inf", "-np.inf", "0"):
        yield "norm", "", f"np.linalg.norm(x, {order})", {"x": (4,)}, "real"
        yield "norm", "", f"np.linalg.norm(x, {order}, axis=-1)", {"x": (2, 4)}, "real"
        at = f"ord={order}, axis=0, keepdims=True"
        yield "norm", "", f"np.linalg.norm(x, {at})", {"x": (2, 3, 2)}, "real"
        yield "vector_norm", "", f"np.linalg.vector_norm(x, ord={order})", {"x": (2, 3)}, "real"
        at = f"axis=(0, 2), keepdims=True, ord={order}"
        yield "vector_norm", "", f"np.linalg.vector_norm(x, {at})", {"x": (2, 3, 2)}, "real"
    for order in ("1", "-1", "np.inf", "-np.inf", "2", "-2", "'nuc'", "'fro'"):
        yield "norm", "", f"np.linalg.norm(x, {order})", {"x": (2, 3)}, "real"
        yield "norm", "", f"np.linalg.norm(x, {order}, axis=(1, 2))", {"x": (2, 3, 2)}, "real"
        at = f"ord={order}, axis=(2, 0), keepdims=True"
        yield "norm", "", f"np.linalg.norm(x, {at})", {"x": (2, 3, 2)}, "real"
        yield "matrix_norm", "", f"np.linalg.matrix_norm(x, ord={order})", {"x": (2, 3, 2)}, "real"
    yield "vector_norm", "", "np.linalg.vector_norm(x)", {"x": (2, 3)}, "real"
    yield "vector_norm", "", "np.linalg.vector_norm(x, axis=1)", {"x": (2, 3)}, "real"
    yield "vector_norm", "", "np.linalg.vector_norm(x, axis=(0, 1))", {"x": (2, 3, 4)}, "real"
    yield "vector_norm", "", "np.linalg.vector_norm(x, keepdims=True)", {"x": (2, 3)}, "real"
    yield "matrix_norm", "", "np.linalg.matrix_norm(x, keepdims=True)", {"x": (2, 3)}, "real"


def _solutions():
    stack = {"x": (2, 3, 3)}
    one = {"x": (3, 3)}
    for shapes in ({"x": (4, 4)}, {"x": (2, 4, 4)}, {"x": (2, 2)}, {"x": (3, 2, 2)}):
        n = shapes["x"][-1]
        yield "det", "", f"np.linalg.det(x + 2.0 * np.eye({n}))", shapes, "complex"
    for shapes in (one, stack):
        yield "inv", SHIFTED, "np.linalg.inv(a)", shapes, "complex"
        yield "det", SHIFTED, "np.linalg.det(a)", shapes, "complex"
        yield "slogdet", SHIFTED, "np.linalg.slogdet(a)[1]", shapes, "real"
        yield "slogdet", SHIFTED, "np.linalg.slogdet(-a).logabsdet", shapes, "real"
        yield "trace", "", "np.linalg.trace(x)", shapes, "complex"
        yield "diagonal", "", "np.linalg.diagonal(x)", shapes, "complex"
    sign = "sign, size = np.linalg.slogdet(a)"
    yield "slogdet", f"{SHIFTED}\n{sign}", "sign * np.exp(size)", one, "real"
    for x, y in (
        ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3,)), ((2, 3, 3), (2, 3, 4)),
        ((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 2)), ((2, 1, 3, 3), (4, 3, 1)), ((3, 3), (3, 3)),
    ):  # fmt: skip
        yield "solve", SHIFTED, "np.linalg.solve(a, y)", {"x": x, "y": y}, "complex"
    for x, y in (((4, 3), (4,)), ((4, 3), (4, 2)), ((2, 3), (2,)), ((3, 3), (3, 2))):
        yield "lstsq", "a = x ** 3", "np.linalg.lstsq(a, y)[0]", {"x": x, "y": y}, "real"
    yield "lstsq", "r = np.linalg.lstsq(x, y, rcond=None)", "r[0] * r[3] * r[2]", {
        "x": (4, 2), "y": (4,)
    }, "real"  # fmt: skip
    for shape in ((4, 3), (3, 4), (3, 3), (2, 3, 2)):
        yield "pinv", "a = x ** 3", "np.linalg.pinv(a)", {"x": shape}, "real"
    yield "pinv", "a = x ** 3", "np.linalg.pinv(a, rcond=1e-12)", {"x": (3, 2)}, "real"
    for power in (0, 1, 2, 3, 4, 5, -1, -2, 7):
        line = f"np.linalg.matrix_power(x / 2 + np.eye(3), {power})"
        yield "matrix_power", "", line, one, "complex"
    yield "matrix_power", SHIFTED, "np.linalg.matrix_power(a, -3)", stack, "complex"
    chain = {"x": (2, 3), "y": (3, 4), "z": (4, 2)}
    yield "multi_dot", "", "np.linalg.multi_dot([x, y, z])", chain, "complex"
    chain = {"x": (3,), "y": (3, 4), "z": (4,)}
    yield "multi_dot", "", "np.linalg.multi_dot((x, y, z))", chain, "complex"
    yield "multi_dot", "", "np.linalg.multi_dot([x, y])", {"x": (2, 3), "y": (3,)}, "complex"
    before = "a = x + np.eye(6).reshape(6, 2, 3)"
    yield "tensorinv", before, "np.linalg.tensorinv(a, ind=1)", {"x": (6, 2, 3)}, "real"
    yield "tensorsolve", before, "np.linalg.tensorsolve(a, y)", {"x": (6, 2, 3), "y": (6,)}, "real"
    before = "a = x + np.eye(6).reshape(2, 6, 3)"
    line = "np.linalg.tensorsolve(a, y, axes=(0, 2))"
    yield "tensorsolve", before, line, {"x": (2, 6, 3), "y": (6,)}, "real"
    for offset in (1, -1):
        yield "diagonal", "", f"np.linalg.diagonal(x, offset={offset})", {"x": (3, 4)}, "complex"
        yield "trace", "", f"np.linalg.trace(x, offset={offset})", {"x": (2, 3, 4)}, "complex"


def _decompositions():
    one, stack = {"x": (3, 3)}, {"x": (2, 3, 3)}
    for shapes in (one, stack):
        yield "cholesky", STACKED, "np.linalg.cholesky(s)", shapes, "real"
        yield "cholesky", STACKED, "np.linalg.cholesky(s, upper=True)", shapes, "real"
        # the other triangle is not read, and has no part in the derivative
        before = "a = x + 4.0 * np.eye(3)"
        yield "cholesky", before, "np.linalg.cholesky(a)", shapes, "real"
        yield "cholesky", before, "np.linalg.cholesky(a, upper=True)", shapes, "real"
        for uplo in ("", ", 'U'", ", UPLO='L'"):
            yield "eigvalsh", SHIFTED, f"np.linalg.eigvalsh(a{uplo})", shapes, "real"
            yield "eigh", SHIFTED, f"np.linalg.eigh(a{uplo})[0]", shapes, "real"
            before = f"{SHIFTED}\nw, v = np.linalg.eigh(a{uplo})"
            # a sign of the vectors' own choice does not matter here
            yield "eigh", before, "v * v[..., :1, :]", shapes, "real"
            yield "eigh", before, "np.abs(v) * np.sqrt(w[..., None, :] ** 2)", shapes, "real"
    for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 3), (2, 3, 2), (2, 2, 3)):
        given = {"x": shape}
        thin = "u, s, vh = np.linalg.svd(x ** 3, full_matrices=False)"
        yield "svd", thin, "s", given, "real"
        yield "svd", thin, "np.abs(u)", given, "real"
        yield "svd", thin, "np.abs(vh)", given, "real"
        yield "svd", thin, "(u * np.sqrt(s)[..., None, :]) @ vh", given, "real"
        yield "svd", "", "np.linalg.svd(x, compute_uv=False)", given, "real"
        yield "svd", "", "np.linalg.svd(x, False).S", given, "real"
        yield "svd", "", "np.linalg.svd(x)[1]", given, "real"
        yield "svdvals", "", "np.linalg.svdvals(x)", given, "real"
        factors = "q, r = np.linalg.qr(x ** 3)"
        yield "qr", factors, "q", given, "real"
        yield "qr", factors, "r", given, "real"
        yield "qr", factors, "np.abs(q @ r[..., :1]) * np.abs(r[..., -1:, -1:])", given, "real"
        yield "qr", "", "np.linalg.qr(x ** 3, mode='r')", given, "real"
        yield "qr", "", "np.linalg.qr(x ** 3).R", given, "real"
    yield "qr", "q, r = np.linalg.qr(x, 'complete')", "q * r[:, :2]", {"x": (2, 3)}, "real"
    yield "svd", "u, s, vh = np.linalg.svd(x ** 3)", "np.abs(u * s @ vh) * np.abs(u)", {
        "x": (3, 3)
    }, "real"  # fmt: skip


def _scipy():
    one = {"x": (3, 3)}
    for y in ((3,), (3, 2)):
        both = {"x": (3, 3), "y": y}
        for words in (
            "", ", assume_a='gen'", ", transposed=True", ", assume_a='sym'", ", assume_a='pos'",
            ", True, assume_a='sym'", ", lower=True, assume_a='pos'",
        ):  # fmt: skip
            # of a symmetric solver only one triangle is read, as the differences must show
            yield "scipy solve", SHIFTED, f"scipy.linalg.solve(a, y{words})", both, "real"
        for words in (
            "", ", lower=True", ", trans=1", ", 'T', True", ", unit_diagonal=True",
            ", trans=1, lower=True, unit_diagonal=True",
        ):  # fmt: skip
            line = f"scipy.linalg.solve_triangular(a, y{words})"
            yield "solve_triangular", SHIFTED, line, both, "real"
        for words in ("", ", lower=True"):
            before = f"{STACKED}\nc = scipy.linalg.cho_factor(s{words})"
            yield "cho_solve", before, "scipy.linalg.cho_solve(c, y)", both, "real"
            before = f"{SHIFTED}\nc, low = scipy.linalg.cho_factor(a{words})"
            yield "cho_solve", before, "scipy.linalg.cho_solve((c, low), y)", both, "real"
    for words in ("", ", lower=True"):
        yield "scipy cholesky", SHIFTED, f"scipy.linalg.cholesky(a{words})", one, "real"
        before = f"{SHIFTED}\nc, low = scipy.linalg.cho_factor(a{words})"
        triangle = "np.tril(c)" if words else "np.triu(c)"
        yield "cho_factor", before, triangle, one, "real"
    yield "scipy inv", SHIFTED, "scipy.linalg.inv(a)", one, "real"
    yield "scipy det", SHIFTED, "scipy.linalg.det(a)", one, "real"
    for words in ("", ", lower=False"):
        before = f"w, v = scipy.linalg.eigh(x{words})"
        yield "scipy eigh", before, "np.abs(v) * w", one, "real"
        line = f"scipy.linalg.eigh(x, eigvals_only=True{words})"
        yield "scipy eigh", "", line, one, "real"
        yield "scipy eigvalsh", "", f"scipy.linalg.eigvalsh(x{words})", one, "real"
    for shape in ((3, 3), (4, 2), (2, 3)):
        given = {"x": shape}
        before = "u, s, vh = scipy.linalg.svd(x ** 3, full_matrices=False)"
        yield "scipy svd", before, "np.abs(u * s @ vh) * np.abs(u[:, :1])", given, "real"
        yield "scipy svd", "", "scipy.linalg.svd(x ** 3, compute_uv=False)", given, "real"
        yield "scipy svdvals", "", "scipy.linalg.svdvals(x ** 3)", given, "real"
        before = "q, r = scipy.linalg.qr(x ** 3, mode='economic')"
        yield "scipy qr", before, "q * r[:, -1]", given, "real"
        yield "scipy pinv", "", "scipy.linalg.pinv(x ** 3)", given, "real"
        before = "a = x ** 3\nr = scipy.linalg.lstsq(a, a[:, 0] ** 2)"
        yield "scipy lstsq", before, "r[0]", given, "real"
    yield "scipy qr", "", "scipy.linalg.qr(x ** 3, mode='r')[0]", {"x": (2, 3)}, "real"
    yield "scipy qr", "q, r = scipy.linalg.qr(x ** 3)", "q @ np.abs(r)", {"x": (2, 3)}, "real"
    yield "expm", "", "scipy.linalg.expm(x)", one, "real"
    yield "expm", "", "scipy.linalg.expm(x)", {"x": (1, 1)}, "complex"
    yield "sqrtm", SHIFTED, "scipy.linalg.sqrtm(a)", one, "real"
    given = {"x": (3, 3), "y": (2, 2), "z": (3, 2)}
    yield "solve_sylvester", "", "scipy.linalg.solve_sylvester(x, y, z)", given, "real"
    given = {"x": (2, 3), "y": (3,), "z": (1, 2)}
    yield "block_diag", "", "scipy.linalg.block_diag(x, y, z)", given, "real"
    yield "block_diag", "", "scipy.linalg.block_diag(x, [[y, 2.0]], x)", {
        "x": (2, 2), "y": ()
    }, "real"  # fmt: skip
    for words in ("", ", 1", ", np.inf", ", 'fro'", ", 2", ", 'nuc'", ", axis=0"):
        yield "scipy norm", "", f"scipy.linalg.norm(x{words})", {"x": (2, 3)}, "real"
    for name in ("toeplitz", "hankel"):
        yield name, "", f"scipy.linalg.{name}(x)", {"x": (3,)}, "real"
        yield name, "", f"scipy.linalg.{name}(x, y)", {"x": (3,), "y": (4,)}, "real"
    yield "circulant", "", "scipy.linalg.circulant(x)", {"x": (4,)}, "real"


CASES = [*_products(), *_einsums(), *_norms(), *_solutions(), *_decompositions(), *_scipy()]


def failures_of(before, line, shapes, how):
    """What differs, with all arguments active: symbolic lengths, and numbers in float32."""
    given = arguments(shapes, np.float64)
    shape = np.shape(define(program(before, line, shapes, "OP"))(**given, W=1.0))
    for wrap, size in (("np.sum(OP)", ()), ("np.sum(W * np.sin(OP))", shape)):
        f = define(program(before, line, shapes, wrap))
        weights = np.random.default_rng(3).uniform(0.5, 1.5, size)
        reference = complex_step if how == "complex" else differences
        for dtype in (np.float64, np.float32):
            data = {n: a.astype(dtype) for n, a in given.items()}
            options = {}
            if dtype is np.float32:
                declared = {**shapes, "W": size}
                options["shapes"] = {
                    n: f"{' '.join(map(str, k)) or '()'}:float32" for n, k in declared.items()
                }
            function = gradgen.value_and_grad(f, wrt=tuple(shapes), **options)
            value, gradients = function(*data.values(), weights.astype(dtype))
            exact = f(**given, W=weights)
            if dtype is np.float64 and np.asarray(value).tobytes() != np.asarray(exact).tobytes():
                yield f"{wrap}: value {value!r} is not {exact!r}"
            tolerance = 3e-4 if dtype is np.float32 else 1e-12 if how == "complex" else 1e-8
            for name, found in zip(shapes, gradients, strict=True):
                wanted = reference(f, given, weights, name)
                if not close(found, wanted, tolerance):
                    yield f"{wrap} {dtype.__name__}: d_{name} {found} is not {wanted}"
                elif found.dtype != dtype:
                    yield f"{wrap}: d_{name} is {found.dtype}"
                elif any(np.shares_memory(found, a) for a in data.values()):
                    yield f"{wrap}: d_{name} shares memory with an argument"


@pytest.mark.parametrize("case", CASES, ids=title)
def test_gradients_match_the_users_function(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = list(failures_of(*case[1:]))
    assert not failures, "\n".join(failures)


# every choice of active arguments and many forms of the adjoint, for a sample of the cases
@pytest.mark.parametrize("case", CASES[::11], ids=title)
@pytest.mark.parametrize("inner", [False, True], ids=["of_arguments", "of_values"])
def test_gradients_match_for_every_form_of_the_adjoint(case, inner):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, inner)
    assert not failures, "\n".join(failures)


# -- formulas and conventions that have a source of their own --------------------------------------


def gradient_of(line, shapes, *given, before="", wrt="x", strict=True):
    """The emitted gradient of an expression, at these arguments."""
    names = [part.split("=")[0].strip() for part in shapes.split(",")]
    body = "".join(f"    {s}\n" for s in before.splitlines())
    f = define(f"{HEAD}def f({', '.join(names)}):\n{body}    return {line}\n")
    function = gradgen.grad(f, wrt=wrt, shapes=shapes)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        return function(*given)


def last_lines(line, shapes, before="", wrt="x"):
    """What the emitted gradient computes, after the checks of its arguments."""
    names = [part.split("=")[0].strip() for part in shapes.split(",")]
    body = "".join(f"    {s}\n" for s in before.splitlines())
    f = define(f"{HEAD}def f({', '.join(names)}):\n{body}    return {line}\n")
    text = gradgen.grad(f, wrt=wrt, shapes=shapes).source
    return [s.strip() for s in text.rpartition("\n\n")[2].strip().splitlines()]


SINGULAR = [
    [[0]], [[1, 2], [2, 4]], [[0, 0], [0, 0]], [[0, 0], [0, 3]], [[1, 2, 3], [4, 5, 6], [5, 7, 9]],
    [[1, 2, 3], [2, 4, 6], [3, 6, 9]], [[0, 0, 0], [0, 1, 0], [0, 0, 2]], [[0] * 4] * 4,
    [[1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 2, 1]], [[2, 1], [1, 1]], [[0, 1], [1, 0]],
    [[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[-1, 0, 0], [0, -1, 0], [0, 0, 0]],
]  # fmt: skip


@pytest.mark.parametrize("rows", SINGULAR, ids=str)
def test_trap_31_the_gradient_of_det_is_the_cofactor_matrix_also_of_singular_matrices(rows):
    wanted = np.array(sympy.Matrix(rows).adjugate().T.tolist(), float)
    x = np.array(rows, float)
    for line in ("np.linalg.det(x)", "scipy.linalg.det(x)"):
        assert np.allclose(gradient_of(line, "x=n n", x), wanted, rtol=1e-13, atol=1e-13)
    if len(rows) == 3:
        stack = np.stack([x, x + np.eye(3), np.zeros((3, 3))])
        found = gradient_of("np.sum(np.linalg.det(x))", "x=b n n", stack)
        assert np.allclose(found[0], wanted, rtol=1e-13, atol=1e-13)
        assert np.array_equal(found[2], np.zeros((3, 3)))


REGULAR = [
    "np.log(np.linalg.det(x))", "np.log(np.abs(np.linalg.det(x)))", "1.0 / np.linalg.det(x)",
    "np.sqrt((2 * np.pi) ** len(x) * np.linalg.det(x))", "np.linalg.det(2.0 * x) ** -0.5",
]  # fmt: skip
SINGULAR_TOO = [
    "np.log(np.linalg.det(x)) + np.linalg.det(x)", "np.linalg.det(x) ** 2 / np.linalg.det(x)",
    "np.where(np.linalg.det(x) > 0.0, np.log(np.linalg.det(x)), 0.0)", "np.linalg.det(x) ** 1.5",
]  # fmt: skip


@pytest.mark.parametrize("line", [*REGULAR, *SINGULAR_TOO])
def test_a_determinant_whose_zero_has_no_derivative_takes_no_singular_values(line):
    f = define(f"{HEAD}def f(x):\n    return {line}\n")
    gradient = gradgen.grad(f, shapes="x=n n")
    assert ("svd" in gradient.source) is (line in SINGULAR_TOO)
    for n in (1, 2, 4):
        x = 2.0 * np.eye(n) + 0.3 * np.random.default_rng(n).standard_normal((n, n))
        # a function of the determinant alone: its slope times that of the determinant
        along = np.linalg.det(x) * np.linalg.inv(x).T
        step = 1e-5 * along / np.sum(along**2)
        slope = (f(x + step) - f(x - step)) / 2e-5
        assert np.allclose(gradient(x), slope * along, rtol=1e-8)


def hessian_product(line, before, x, direction):
    """The derivative of the emitted gradient along a direction, by emitting twice."""
    f = define(f"{HEAD}def f(x):\n    {before}\n    return {line}\n")
    first = gradgen.grad(f, wrt="x", shapes="x=n n")
    text = first.source + "\n\ndef along(x, v):\n    return np.sum(v * f_grad(x))\n"
    if "import numpy" not in text:
        text = "import numpy as np\n\n\n" + text
    second = gradgen.grad(define(text, "along"), wrt="x", shapes="x=n n, v=n n")
    return first, second(x, direction)


@pytest.mark.parametrize(
    ("line", "before"),
    [
        ("np.sum(np.linalg.inv(x) ** 2)", "pass"),
        ("np.sum(np.linalg.solve(x, np.sin(x)) ** 2)", "pass"),
        ("np.sum(np.linalg.solve(x, x[0]))", "pass"),
        ("np.linalg.det(x)", "pass"),
        ("np.linalg.slogdet(x)[1]", "pass"),
        ("np.sum(np.linalg.cholesky(s) ** 3)", "s = x @ x.T + x.T @ x"),
        ("np.sum(np.sin(np.linalg.cholesky(x)))", "pass"),
        ("np.sum(scipy.linalg.expm(x) ** 2)", "pass"),
        ("np.sum(np.linalg.eigvalsh(x) ** 3)", "pass"),
        ("np.sum(np.linalg.svdvals(x) ** 3)", "pass"),
        ("np.einsum('ij,jk,ki->', x, x, x)", "pass"),
        ("np.sum(np.einsum('ii->i', x) ** 3)", "pass"),
        ("np.linalg.norm(x, 'nuc')", "pass"),
        ("np.sum(np.kron(x, x) ** 2)", "pass"),
    ],
)
@pytest.mark.parametrize("near", ["generic", "identity"])
def test_second_derivatives_are_those_of_the_emitted_gradient(line, before, near):
    rng = np.random.default_rng(5)
    x = 3.0 * np.eye(3) + 0.3 * rng.standard_normal((3, 3))
    if near == "identity":
        # eigenvalues and singular values must differ: their vectors have no derivative otherwise
        apart = any(name in line for name in ("svd", "eig", "nuc"))
        x = np.diag([1.0, 2.0, 3.0]) if apart else np.eye(3)
    direction = rng.standard_normal((3, 3))
    first, found = hessian_product(line, before, x, direction)
    wanted = np.zeros((3, 3))
    for place in np.ndindex(3, 3):
        ends = {}
        for step in (-2, -1, 1, 2):
            moved = x.copy()
            moved[place] += step * 1e-3
            ends[step] = np.sum(direction * first(moved))
        wanted[place] = (8 * (ends[1] - ends[-1]) - (ends[2] - ends[-2])) / 12e-3
    assert np.all(np.isfinite(found))
    assert np.allclose(found, wanted, rtol=1e-7, atol=1e-7 * np.max(np.abs(wanted)))


def test_the_hessian_of_log_det_is_minus_the_product_of_inverses():
    x = np.array([[2.0, 0.5, 0.1], [0.3, 3.0, -0.2], [0.0, 0.4, 1.5]])
    v = np.arange(9.0).reshape(3, 3)
    _, found = hessian_product("np.linalg.slogdet(x)[1]", "pass", x, v)
    inverse = np.linalg.inv(x)
    assert np.allclose(found, -(inverse @ v @ inverse).T, rtol=1e-13)


@pytest.mark.parametrize(("uplo", "place"), [("L", (1, 0)), ("U", (0, 1))])
def test_the_adjoint_of_a_symmetric_function_lies_in_the_triangle_that_is_read(uplo, place):
    # the eigenvalues of [[2, p], [p, 5]] are 3.5 -+ sqrt(2.25 + p ** 2)
    x = np.array([[2.0, 0.0], [0.0, 5.0]])
    x[place] = 2.0
    found = gradient_of(f"np.linalg.eigvalsh(x, '{uplo}')[1]", "x=2 2", x)
    assert np.isclose(found[place], 2.0 / np.sqrt(6.25), rtol=1e-14)
    assert found[place[::-1]] == 0.0


def test_along_symmetric_changes_the_triangle_says_what_the_symmetric_formula_says():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4, 4))
    x, change = x + x.T, np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    _, v = np.linalg.eigh(x)
    found = gradient_of("np.linalg.eigh(x)[0][2]", "x=4 4", x)
    assert np.isclose(np.sum(found * change), v[:, 2] @ change @ v[:, 2], rtol=1e-12)


def test_murrays_example_of_cholesky_by_hand():
    # [[a, .], [b, c]] has the factor [[sqrt(a), 0], [b / sqrt(a), sqrt(c - b**2 / a)]]
    a, b, c = 4.0, 2.0, 10.0
    found = gradient_of("np.linalg.cholesky(x)[1, 1]", "x=2 2", np.array([[a, 99.0], [b, c]]))
    half = 0.5 / np.sqrt(c - b * b / a)
    assert np.allclose(found, [[half * b * b / a**2, 0.0], [-2 * half * b / a, half]], rtol=1e-14)


def test_eigenvalues_that_coincide_have_a_derivative_and_their_vectors_have_none():
    assert np.allclose(gradient_of("np.sum(np.linalg.eigvalsh(x))", "x=3 3", np.eye(3)), np.eye(3))
    found = gradient_of(
        "np.sum(np.linalg.eigh(x)[1] * w)", "x=2 2, w=2 2", np.eye(2),
        np.array([[1.0, 2.0], [3.0, 4.0]]), strict=False,
    )  # fmt: skip
    assert not np.all(np.isfinite(found))


def test_a_result_that_is_not_used_leaves_nothing_in_the_adjoint():
    assert last_lines("np.linalg.slogdet(x)[1]", "x=n n") == [
        "return np.linalg.inv(x).T"
    ] or last_lines("np.linalg.slogdet(x)[1]", "x=n n") == [
        "d_x = np.linalg.inv(x).T", "return d_x"
    ]  # fmt: skip
    text = "\n".join(last_lines("np.sum(np.linalg.eigh(x)[0] * w)", "x=n n, w=n"))
    assert "(eigenvectors * w) @ eigenvectors.T" in text
    assert "eye" not in text


@pytest.mark.parametrize(
    ("line", "shapes", "wanted"),
    [
        ("np.sum(W * np.einsum('ij,jk->ik', x, y))", "x=n m, y=m k, W=n k", "d_x = W @ y.T"),
        ("np.sum(W * np.einsum('ij,kj->ik', x, y))", "x=n m, y=k m, W=n k", "d_x = W @ y"),
        ("np.einsum('ii->', x)", "x=n n", "d_x = np.eye(x.shape[0])"),
        ("np.einsum('i,i->', x, y)", "x=n, y=n", "d_x = y.copy()"),
        ("np.sum(W * np.linalg.inv(x))", "x=n n, W=n n", "d_x = -((t1 @ W) @ t1)"),
        ("np.sum(W * np.linalg.solve(x, y))", "x=n n, y=n, W=n",
         "d_x = -np.outer(np.linalg.solve(x.T, W), np.linalg.solve(x, y))"),
        ("np.sum(W * np.tensordot(x, y, axes=2))", "x=p q r, y=q r s, W=p s",
         "d_x = np.tensordot(W, y, axes=(1, 2))"),
        ("np.sum(W * np.cross(x, y))", "x=n 3, y=n 3, W=n 3", "d_x = np.cross(y, W)"),
    ],
)  # fmt: skip
def test_the_adjoint_reads_as_a_person_would_write_it(line, shapes, wanted):
    assert wanted in last_lines(line, shapes)


@pytest.mark.parametrize(
    ("line", "x", "wanted"),
    [
        ("np.linalg.norm(x, np.inf)", [2.0, -2.0, 1.0], [0.5, -0.5, 0.0]),
        ("np.linalg.norm(x, -np.inf)", [2.0, -1.0, 1.0], [0.0, -0.5, 0.5]),
        ("np.linalg.norm(x, 1)", [2.0, 0.0, -1.0], [1.0, 0.0, -1.0]),
        ("np.linalg.norm(x, 0)", [2.0, 0.0, -1.0], [0.0, 0.0, 0.0]),
        ("np.linalg.norm(x, 1)", [[1.0, -3.0], [2.0, 0.0]], [[0.5, -0.5], [0.5, 0.0]]),
        ("np.linalg.norm(x, np.inf)", [[1.0, -1.0], [2.0, 0.0]], [[0.5, -0.5], [0.5, 0.0]]),
        ("np.linalg.norm(x, 2)", [[3.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]),
        ("np.linalg.norm(x, 2)", [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.0], [0.0, 0.5]]),
        ("np.linalg.norm(x, -2)", [[3.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]),
        ("np.linalg.norm(x, 'nuc')", [[3.0, 0.0], [0.0, -1.0]], [[1.0, 0.0], [0.0, -1.0]]),
        *((f"np.linalg.norm(x, {p})", [0.0, 0.0], [0.0, 0.0]) for p in ("2", "3", "1", "np.inf")),
        *((f"np.linalg.norm(x, {p})", [[0.0] * 2] * 2, [[0.0] * 2] * 2)
          for p in ("1", "2", "-2", "np.inf", "'nuc'", "'fro'")),
        ("np.linalg.vector_norm(x)", [[3.0, 0.0], [0.0, 4.0]], [[0.6, 0.0], [0.0, 0.8]]),
        ("np.linalg.matrix_norm(x)", [[0.0] * 2] * 2, [[0.0] * 2] * 2),
    ],
)  # fmt: skip
def test_norms_share_ties_evenly_and_are_flat_at_zero(line, x, wanted):
    x = np.array(x)
    shapes = "x=" + " ".join(map(str, x.shape))
    assert np.allclose(gradient_of(line, shapes, x), wanted, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    ("line", "shapes", "said"),
    [
        ("np.linalg.eig(x)[0]", "x=3 3", "numpy.linalg.eig is not supported: it may give complex"),
        ("np.linalg.eigvals(x)", "x=3 3", "numpy.linalg.eigvals is not supported"),
        ("np.linalg.cond(x)", "x=3 3", "numpy.linalg.cond is not supported"),
        ("scipy.linalg.logm(x)", "x=3 3", "scipy.linalg.logm is not supported"),
        ("scipy.linalg.lu_factor(x)[0]", "x=3 3", "scipy.linalg.lu_factor is not supported"),
        ("np.linalg.inv(x)", "x=2 3", "np.linalg.inv takes square matrices"),
        ("np.linalg.inv(x)", "x=n m", "np.linalg.inv takes square matrices"),
        ("np.linalg.inv(x)", "x=3", "np.linalg.inv takes a matrix"),
        ("np.linalg.solve(x, np.ones(2))", "x=3 3", "lengths 3 and 2 meet"),
        ("np.linalg.solve(x, np.ones((2, 3)))", "x=2 3 3", "lengths 3 and 2 meet"),
        ("np.linalg.svd(x)[0]", "x=2 3", "full_matrices=False"),
        ("np.linalg.svd(x, full_matrices=False)[1]", "x=n m", "which of the lengths n and m"),
        ("np.linalg.svd(x, hermitian=True)[1]", "x=3 3", "hermitian=True"),
        ("np.linalg.qr(x, 'complete')[0]", "x=3 2", "mode='complete' of a tall matrix"),
        ("np.linalg.qr(x, 'raw')[0]", "x=3 2", "mode='raw'"),
        ("np.linalg.lstsq(x, np.ones(3))[1]", "x=3 2", "residuals"),
        ("np.linalg.eigvalsh(x, 'X')", "x=3 3", "UPLO is 'L' or 'U'"),
        ("np.linalg.norm(x, 'nuc')", "x=3", "Invalid norm order for vectors"),
        ("np.linalg.norm(x, 3)", "x=3 3", "Invalid norm order for matrices"),
        ("np.linalg.norm(x, 1)", "x=3 3 3", "Improper number of dimensions"),
        ("np.einsum(x, [0, 1], [1, 0])", "x=3 3", "lists of axes"),
        ("np.einsum('ij,jk', x)", "x=3 3", "2 subscripts for 1 operands"),
        ("np.einsum('ij', x)", "x=3", "does not fit 1 axes"),
        ("np.einsum('ij->ik', x)", "x=3 3", "is no choice of the operands' indices"),
        ("np.einsum('ij->ii', x)", "x=3 3", "is no choice of the operands' indices"),
        ("np.einsum('i...->i', x)", "x=3 3", "the result has no ellipsis"),
        ("np.einsum('i1->i', x)", "x=3 3", "is not a valid subscript"),
        ("np.einsum('ii', x)", "x=3 4", "the index i has the lengths 3 and 4"),
        ("np.einsum('ij->j', x, dtype=float)", "x=3 3", "dtype"),
        ("np.cross(x, x)", "x=3 2", "a[..., 0] * b[..., 1]"),
        ("np.cross(x, x)", "x=n", "known length 3"),
        ("np.tensordot(x, x, axes=2)", "x=3 4", None),
        ("np.tensordot(x, x, axes=1)", "x=3 4", "lengths 4 and 3 meet"),
        ("np.tensordot(x, x, axes=([0], [0, 1]))", "x=3 4", "do not pair up"),
        ("np.dot(x, np.ones((2, 3, 4)))", "x=3 4", "lengths 4 and 3 meet"),
        ("np.linalg.outer(x, x)", "x=3 4", "np.linalg.outer takes two vectors"),
        ("scipy.linalg.solve(x, np.ones(3), assume_a='banded')", "x=3 3", "assume_a='banded'"),
        ("scipy.linalg.inv(x)", "x=2 3 3", "takes one matrix here"),
        ("scipy.linalg.inv(x, overwrite_a=True)", "x=3 3", "overwrite_a="),
        ("scipy.linalg.qr(x)[0]", "x=3 2", "use mode='economic'"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(line, shapes, said):
    f = define(f"{HEAD}def f(x):\n    return np.sum({line})\n")
    if said is None:
        gradgen.grad(f, shapes=shapes)
        return
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.grad(f, shapes=shapes)
    assert said in str(caught.value) + (getattr(caught.value, "hint", None) or "")
    assert "f(x)" not in str(caught.value)
    assert caught.value.lineno == 6


def test_a_matrix_written_as_a_list_of_numbers_is_an_operand():
    f = define(f"{HEAD}def f(a, b):\n    return np.linalg.det([[a, 2.0 * b], [b, a * b]])\n")
    found = gradgen.grad(f, wrt=("a", "b"), shapes="a=scalar, b=scalar")(3.0, 5.0)
    # a**2 * b - 2 * b**2
    assert np.allclose(found, (2 * 3 * 5, 9 - 20), rtol=1e-13)
    f = define(f"{HEAD}def f(a, b):\n    return np.linalg.solve([[a, b], [b, 1.0]], [b, a])[0]\n")
    a, b = 3.0, 0.5
    det = a - b * b
    found = gradgen.grad(f, wrt=("a", "b"), shapes="a=scalar, b=scalar")(a, b)
    # (b - a * b) / (a - b**2)
    wanted = (-b / det - (b - a * b) / det**2, (1 - a) / det + 2 * b * (b - a * b) / det**2)
    assert np.allclose(found, wanted, rtol=1e-13)


TYPES = [
    "np.linalg.det(k)", "np.linalg.inv(k)", "np.linalg.solve(k, k[0])", "np.linalg.eigvalsh(k)",
    "np.linalg.slogdet(k)[1]", "np.linalg.norm(k, 1)", "np.linalg.norm(k[0], 3)", "np.dot(k, k)",
    "np.linalg.norm(k[0], 0)", "np.linalg.norm(k, 'nuc')", "np.linalg.matrix_power(k, 2)",
    "np.linalg.matrix_power(k, 0)", "np.linalg.matrix_power(k, -1)", "np.linalg.matrix_rank(k)",
    "np.linalg.pinv(k)", "np.linalg.qr(k)[1]", "np.linalg.svdvals(k)", "np.einsum('ij->j', k)",
    "np.einsum('ii', k)", "np.tensordot(k, k)", "np.tensordot(k, k, 0)", "np.inner(k, k[0])",
    "np.kron(k[0], k)", "np.outer(k, k[0])", "np.vdot(k, k)", "np.cross(k, k[0])",
    "np.linalg.cholesky(k)", "np.linalg.vector_norm(k)", "np.linalg.matrix_norm(k, ord=1)",
    "np.linalg.multi_dot([k, k, k])", "np.linalg.trace(k)", "np.linalg.diagonal(k, offset=1)",
    "np.dot(2.0, k)", "np.inner(k, 2)", "np.outer(2.0, k)", "np.kron(2.0, k)",
    "np.linalg.lstsq(k, k[0])[2]", "np.linalg.lstsq(k, k[0])[0]", "np.linalg.tensorinv(k, 1)",
    "scipy.linalg.det(k)", "scipy.linalg.expm(k)", "scipy.linalg.cholesky(k)",
    "scipy.linalg.block_diag(k, k[0])", "scipy.linalg.toeplitz(k[0])", "scipy.linalg.sqrtm(k)",
    "scipy.linalg.solve(k, k[0])", "scipy.linalg.norm(k, axis=0)", "scipy.linalg.circulant(k[0])",
    "np.linalg.matrix_transpose(k)", "np.vecdot(k, k)", "np.linalg.vecdot(k, k)",
]  # fmt: skip


@pytest.mark.parametrize("line", TYPES)
@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_the_type_of_a_result_is_numpys(line, dtype):
    text = f"{HEAD}def f(x, k):\n    u = {line}\n    return np.sum(x * np.sum(u))\n"
    function = gradgen.grad(define(text), wrt="x", shapes=f"x=2, k=3 3:{dtype}")
    graph = function.graph
    held = graph.types[graph.names.index("u")]
    k = np.array([[4, 1, 0], [1, 5, 2], [0, 2, 6]], dtype)
    value = define(f"{HEAD}def u(k):\n    return {line}\n", "u")(k)
    assert (held.shape, held.dtype) == (np.shape(value), str(np.asarray(value).dtype))
    assert (held.kind == "array") == isinstance(value, np.ndarray)


def test_the_definitions_compute_what_numpy_computes():
    from gradgen.definitions import linalg

    rng = np.random.default_rng(0)
    x, y, v = rng.standard_normal((3, 3)), rng.standard_normal((2, 3, 3)), rng.standard_normal(3)
    for order in (1, -1, 2, -2, np.inf, -np.inf, "fro", "nuc"):
        assert np.isclose(linalg.norm(x, order), np.linalg.norm(x, order))
        for keep in (False, True):
            have = linalg.norm(y, order, (2, 0), keep)
            assert np.allclose(have, np.linalg.norm(y, order, (2, 0), keep))
            assert have.shape == np.linalg.norm(y, order, (2, 0), keep).shape
    for order in (0, 1, 2, 3, 0.5, -1, np.inf, -np.inf):
        assert np.isclose(linalg.norm(v, order), np.linalg.norm(v, order))
        assert np.isclose(linalg.vector_norm(x, ord=order), np.linalg.vector_norm(x, ord=order))
    for power in range(-4, 9):
        assert np.allclose(linalg.matrix_power(x, power), np.linalg.matrix_power(x, power))
    for a, b in ((x, y), (v, x), (y, v), (x, x), (v, v)):
        assert np.allclose(linalg.kron(a, b), np.kron(a, b))
    assert np.allclose(linalg.multi_dot([v, x, x]), np.linalg.multi_dot([v, x, x]))
    assert np.allclose(linalg.vecdot(y, x), np.vecdot(y, x))
    for offset in (-2, -1, 0, 1):
        have = linalg.diagonal(y[:, :2], offset=offset)
        assert np.array_equal(have, np.linalg.diagonal(y[:, :2], offset=offset))
    a = rng.standard_normal((6, 2, 3))
    assert np.allclose(linalg.tensorinv(a, 1), np.linalg.tensorinv(a, 1))
    assert np.allclose(linalg.tensorsolve(a, a[:, 0, 0]), np.linalg.tensorsolve(a, a[:, 0, 0]))
    assert np.array_equal(linalg.toeplitz(v, x[0]), scipy.linalg.toeplitz(v, x[0]))
    assert np.array_equal(linalg.hankel(v), scipy.linalg.hankel(v))
    assert np.array_equal(linalg.hankel(v, x[0]), scipy.linalg.hankel(v, x[0]))
    assert np.array_equal(linalg.circulant(v), scipy.linalg.circulant(v))


@pytest.mark.parametrize("seed", range(60))
def test_random_sums_over_products_have_the_gradient_of_the_complex_step(seed):
    rng = np.random.default_rng(seed)
    sizes = dict(zip("abcde", rng.integers(1, 4, 5), strict=True))
    terms = [
        "".join(rng.choice(list("abcde"), rng.integers(0, 4))) for _ in range(rng.integers(1, 4))
    ]
    letters = sorted(set("".join(terms)))
    kept = rng.permutation(letters)[: rng.integers(0, len(letters) + 1)]
    text = ",".join(terms) + "->" + "".join(kept)
    shapes = {
        n: tuple(int(sizes[c]) for c in t) for n, t in zip("xyz", terms, strict=False)
    }  # fmt: skip
    line = f"np.einsum('{text}', {', '.join(shapes)})"
    failures = list(failures_of("", line, shapes, "complex"))
    assert not failures, "\n".join(failures)


def test_empty_arrays_have_empty_gradients():
    for line, shape in (
        ("np.sum(np.einsum('ij,kj->ik', x, x))", (0, 3)), ("np.einsum('ij->', x)", (0, 3)),
        ("np.sum(np.tensordot(x, x, axes=([0], [0])))", (0, 3)), ("np.linalg.norm(x, 1)", (0,)),
        ("np.sum(np.kron(x, x))", (0, 2)), ("np.sum(np.linalg.inv(x))", (0, 2, 2)),
        ("np.sum(np.linalg.solve(x, np.ones((2, 3))))", (0, 2, 2)),
        ("np.sum(np.linalg.eigvalsh(x))", (0, 2, 2)), ("np.sum(np.vdot(x, x))", (0, 2)),
    ):  # fmt: skip
        found = gradient_of(line, "x=" + " ".join(map(str, shape)), np.zeros(shape))
        assert found.shape == shape


def test_several_results_are_read_by_name_by_index_and_by_unpacking():
    x = np.array([[4.0, 1.0], [1.0, 3.0]])
    for call, fields in (
        ("np.linalg.eigh(x)", ("eigenvalues", "eigenvectors")),
        ("np.linalg.svd(x)", ("U", "S", "Vh")), ("np.linalg.qr(x)", ("Q", "R")),
        ("np.linalg.slogdet(x)", ("sign", "logabsdet")),
    ):  # fmt: skip
        for number, field in enumerate(fields):
            texts = {
                last_line(f"np.sum(np.abs({call}.{field}) ** 3)", ""),
                last_line(f"np.sum(np.abs({call}[{number}]) ** 3)", ""),
                last_line(f"np.sum(np.abs({field}) ** 3)", f"{', '.join(fields)} = {call}"),
            }
            assert len({np.round(t(x), 12).tobytes() for t in texts}) == 1, (call, field)


def last_line(line, before):
    body = f"    {before}\n" if before else ""
    f = define(f"{HEAD}def f(x):\n{body}    return {line}\n")
    return gradgen.grad(f, wrt="x", shapes="x=2 2")


def test_every_row_of_the_family_has_a_case():
    from gradgen.ops import OPS

    known = {case[2] + case[1] for case in CASES}
    for row in OPS.values():
        home = getattr(row.bind or row.result, "__module__", "")
        if not home.endswith(("ops.linalg", "ops.matrices", "ops.scipylinalg", "ops.einsum")):
            continue
        spelled = row.call.replace("numpy.", "np.") + "("
        has_case = any(spelled in text for text in known)
        assert has_case or row.name in ("matmul", "matrix_rank") or "." in row.name, row.name
