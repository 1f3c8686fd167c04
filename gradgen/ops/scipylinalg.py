"""The functions of scipy.linalg: of one matrix, not of stacks of them."""

from __future__ import annotations

import math
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.einsum import strict_dtype
from gradgen.ops.matrices import (
    common,
    least,
    matrix,
    operand,
    qr_types,
    singular,
    solution,
    square,
    unsupported,
)
from gradgen.ops.table import OPS, Op, register, register_written
from gradgen.types import FLOAT, Dim, Size, TupleType, Type

_GENERAL = (None, "gen", "general")
_SYMMETRIC = ("sym", "symmetric", "her", "hermitian", "pos", "positive definite")


def _one(t: Type, name: str) -> Type:
    if t.rank != 2:
        raise Refusal(f"{name} takes one matrix here, not {t}", "np.linalg takes stacks of them")
    return t


def _square(front: Any, a: Any, name: str) -> Type:
    return _one(square(front, a, name), name)


def _off(front: Any, name: str, **options: Any) -> None:
    """Refuse options that have another value than the one that does nothing."""
    for word, value in options.items():
        if front.static(value) not in (None, False):
            raise Refusal(f"{name}: {word}= is not supported here")


def _right(front: Any, a: Type, b: Any, name: str) -> Type:
    t = operand(front, b)
    if t.rank not in (1, 2):
        raise Refusal(f"{name} takes a vector or a matrix on the right, not {t}")
    return Type("array", common((a, t)), solution(a, t, name))


def _solve(
    front: Any, a: Any, b: Any, lower: Any = False, overwrite_a: Any = False,
    overwrite_b: Any = False, check_finite: Any = True, assume_a: Any = None,
    transposed: Any = False,
) -> Type:  # fmt: skip
    name = "scipy.linalg.solve"
    _off(front, name, overwrite_a=overwrite_a, overwrite_b=overwrite_b)
    kind = front.static(assume_a)
    if kind not in (*_GENERAL, *_SYMMETRIC):
        raise Refusal(f"{name} with assume_a={kind!r}", "leave assume_a out")
    if front.static(transposed) and kind not in _GENERAL:
        raise Refusal(f"{name} with transposed=True and assume_a={kind!r}", "leave transposed out")
    front.static(lower)
    return _right(front, _square(front, a, name), b, name)


def _solve_triangular(
    front: Any, a: Any, b: Any, trans: Any = 0, lower: Any = False, unit_diagonal: Any = False,
    overwrite_b: Any = False, check_finite: Any = True,
) -> Type:  # fmt: skip
    name = "scipy.linalg.solve_triangular"
    _off(front, name, overwrite_b=overwrite_b)
    if front.static(trans) not in (0, 1, 2, "N", "T", "C"):
        raise Refusal(f"{name}: trans is 0, 1 or 2, or 'N', 'T' or 'C'")
    front.static((lower, unit_diagonal))
    return _right(front, _square(front, a, name), b, name)


def _inv(
    front: Any, a: Any, overwrite_a: Any = False, check_finite: Any = True, *,
    assume_a: Any = None, lower: Any = False,
) -> Type:  # fmt: skip
    _off(front, "scipy.linalg.inv", overwrite_a=overwrite_a)
    if front.static(assume_a) not in _GENERAL:
        raise Refusal("scipy.linalg.inv: assume_a= is not supported here")
    return _square(front, a, "scipy.linalg.inv")


def _det(front: Any, a: Any, overwrite_a: Any = False, check_finite: Any = True) -> Type:
    _off(front, "scipy.linalg.det", overwrite_a=overwrite_a)
    _square(front, a, "scipy.linalg.det")
    return Type("scalar", "float64")


def _cholesky(
    front: Any, a: Any, lower: Any = False, overwrite_a: Any = False, check_finite: Any = True
) -> Type:
    _off(front, "scipy.linalg.cholesky", overwrite_a=overwrite_a)
    front.static(lower)
    return _square(front, a, "scipy.linalg.cholesky")


def _cho_factor(
    front: Any, a: Any, lower: Any = False, overwrite_a: Any = False, check_finite: Any = True
) -> TupleType:
    t = _cholesky(front, a, lower, overwrite_a, check_finite)
    return TupleType((t, Type("py", "bool")))


def _bind_cho_factor(front: Any, a: Any, lower: Any = False, check_finite: Any = True) -> Any:
    words = {"check_finite": check_finite} if front.static(check_finite) is not True else {}
    row = OPS["cho_factor"]
    factor, _ = front.call_row(row, None, [a, lower], words, "scipy.linalg.cho_factor")
    return factor, front.lift(bool(front.static(lower)))


def _cho_solve(
    front: Any, c_and_lower: Any, b: Any, overwrite_b: Any = False, check_finite: Any = True
) -> Type:
    name = "scipy.linalg.cho_solve"
    _off(front, name, overwrite_b=overwrite_b)
    if not isinstance(c_and_lower, tuple) or len(c_and_lower) != 2:
        raise Refusal(f"{name} takes what cho_factor gives, a pair")
    front.static(c_and_lower[1])
    return _right(front, _square(front, c_and_lower[0], name), b, name)


def _eigh(
    front: Any, a: Any, b: Any = None, *, lower: Any = True, eigvals_only: Any = False,
    overwrite_a: Any = False, overwrite_b: Any = False, check_finite: Any = True,
    driver: Any = None,
) -> Type | TupleType:  # fmt: skip
    name = "scipy.linalg.eigh"
    _off(front, name, overwrite_a=overwrite_a)
    if b is not None:
        raise Refusal(f"{name} of two matrices is not supported here",
                      "np.linalg.eigh of np.linalg.solve(L, np.linalg.solve(L, a).T) with "
                      "L = np.linalg.cholesky(b)")  # fmt: skip
    front.static(lower)
    t = _square(front, a, name)
    values = Type("array", t.dtype, t.shape[:1])
    return values if front.static(eigvals_only) else TupleType((values, t))


def _eigvalsh(
    front: Any, a: Any, b: Any = None, *, lower: Any = True, overwrite_a: Any = False,
    check_finite: Any = True, driver: Any = None,
) -> Any:  # fmt: skip
    return _eigh(front, a, b, lower=lower, eigvals_only=True, overwrite_a=overwrite_a)


def _svd(
    front: Any, a: Any, full_matrices: Any = True, compute_uv: Any = True,
    overwrite_a: Any = False, check_finite: Any = True, lapack_driver: Any = "gesdd",
) -> Type | TupleType:  # fmt: skip
    _off(front, "scipy.linalg.svd", overwrite_a=overwrite_a)
    t = _one(matrix(front, a, "scipy.linalg.svd"), "scipy.linalg.svd")
    parts = singular(t, bool(front.static(full_matrices)))
    return TupleType(parts) if front.static(compute_uv) else parts[1]


def _svdvals(front: Any, a: Any, overwrite_a: Any = False, check_finite: Any = True) -> Any:
    return _svd(front, a, False, False, overwrite_a)


def _qr(
    front: Any, a: Any, overwrite_a: Any = False, lwork: Any = None, mode: Any = "full",
    pivoting: Any = False, check_finite: Any = True,
) -> TupleType:  # fmt: skip
    name = "scipy.linalg.qr"
    _off(front, name, overwrite_a=overwrite_a, pivoting=pivoting)
    t = _one(matrix(front, a, name), name)
    kind = front.static(mode)
    if kind not in ("full", "economic", "r"):
        raise Refusal(f"{name} with mode={kind!r}", "use mode='economic'")
    if kind != "economic" and least(*t.shape) != t.shape[0]:
        raise Refusal(f"{name} with mode={kind!r} of a tall matrix: the columns beyond its own are "
                      "arbitrary", "use mode='economic'")  # fmt: skip
    q, r = qr_types(t)
    return TupleType((r,) if kind == "r" else (q, r))


def _pinv(
    front: Any, a: Any, *, atol: Any = None, rtol: Any = None, return_rank: Any = False,
    check_finite: Any = True,
) -> Type:  # fmt: skip
    _off(front, "scipy.linalg.pinv", return_rank=return_rank)
    t = _one(matrix(front, a, "scipy.linalg.pinv"), "scipy.linalg.pinv")
    return Type("array", t.dtype, t.shape[::-1])


def _lstsq(
    front: Any, a: Any, b: Any, cond: Any = None, overwrite_a: Any = False,
    overwrite_b: Any = False, check_finite: Any = True, lapack_driver: Any = None,
) -> TupleType:  # fmt: skip
    name = "scipy.linalg.lstsq"
    _off(front, name, overwrite_a=overwrite_a, overwrite_b=overwrite_b)
    if front.static(lapack_driver) == "gelsy":
        raise Refusal(f"{name} with lapack_driver='gelsy'", "leave lapack_driver out")
    one = _one(matrix(front, a, name), name)
    other = _right(front, one, b, name)
    residuals = Type("array", other.dtype, (Dim.symbol("the number of residuals"),))
    return TupleType((
        Type("array", other.dtype, (one.shape[1], *operand(front, b).shape[1:])), residuals,
        Type("scalar", "int32"), Type("array", other.dtype, (least(*one.shape),)),
    ))  # fmt: skip


def _function(name: str) -> Any:
    def result(front: Any, A: Any) -> Type:
        return _square(front, A, f"scipy.linalg.{name}")

    return result


def _solve_sylvester(front: Any, a: Any, b: Any, q: Any) -> Type:
    name = "scipy.linalg.solve_sylvester"
    one, other = _square(front, a, name), _square(front, b, name)
    t = _one(matrix(front, q, name), name)
    if t.shape != (one.shape[0], other.shape[0]):
        raise Refusal(f"{name}: {t} does not fit {one} and {other}")
    return Type("array", common((one, other, t)), t.shape)


def _block_diag(front: Any, *arrs: Any) -> Type:
    types = [front.type_of(front.array(a)) for a in arrs]
    if not types or any(t.rank > 2 for t in types):
        raise Refusal("scipy.linalg.block_diag takes matrices, vectors and numbers here")
    rows: Size = 0
    columns: Size = 0
    for t in types:
        rows = rows + (t.shape[0] if t.rank == 2 else 1)
        columns = columns + (t.shape[-1] if t.rank else 1)
    return Type("array", strict_dtype(types), (rows, columns))


def _bind_norm(
    front: Any, a: Any, ord: Any = None, axis: Any = None, keepdims: Any = False,
    check_finite: Any = True,
) -> Any:  # fmt: skip
    t = front.type_of(front.array(a))
    order = front.static(ord)
    whole = front.static(axis) is None and not front.static(keepdims) and t.is_float
    # what BLAS and LAPACK compute comes as a Python number
    number = whole and (
        (t.rank == 1 and order in (None, 2)) or (t.rank == 2 and order in (1, math.inf))
    )
    given = {"axis": axis, "keepdims": keepdims, "check_finite": check_finite}
    defaults = {"axis": None, "keepdims": False, "check_finite": True}
    words = {k: v for k, v in given.items() if front.static(v) != defaults[k]}
    row = OPS["scipy_norm_number" if number else "scipy_norm"]
    return front.call_row(row, None, [a] if ord is None else [a, ord], words, row.call)


def _number(front: Any, a: Any, ord: Any = None, check_finite: Any = True) -> Type:
    return FLOAT


def register_rows() -> None:
    """Enter the rows of this family."""
    rows: list[tuple[str, Any, dict[str, Any]]] = [
        ("solve", _solve, {}), ("inv", _inv, {}), ("det", _det, {"bounded": True}),
        ("cholesky", _cholesky, {}), ("eigh", _eigh, {"bounded": True}),
        ("eigvalsh", _eigvalsh, {"bounded": True}), ("svd", _svd, {"bounded": True}),
        ("svdvals", _svdvals, {"bounded": True}), ("qr", _qr, {"bounded": True}),
        ("pinv", _pinv, {}), ("lstsq", _lstsq, {}),
    ]  # fmt: skip
    for name, result, more in rows:
        register_written(f"scipy_{name}", f"scipy.linalg.{name}", result=result,
                         adjoint=f"adjoints_linalg.scipy_{name}", singular=True, cost=500,
                         **more)  # fmt: skip
    own: list[tuple[str, Any]] = [
        ("solve_triangular", _solve_triangular), ("cho_factor", _cho_factor),
        ("cho_solve", _cho_solve), ("expm", _function("expm")), ("sqrtm", _function("sqrtm")),
        ("solve_sylvester", _solve_sylvester), ("block_diag", _block_diag),
    ]  # fmt: skip
    for name, result in own:
        register_written(name, f"scipy.linalg.{name}", result=result,
                         adjoint=f"adjoints_linalg.{name}", singular=True, cost=500,
                         bounded=name == "block_diag")  # fmt: skip
    register(Op(name="cho_factor_pair", infer=OPS["norm"].infer, call="scipy.linalg.cho_factor",
                bind=_bind_cho_factor))  # fmt: skip
    norms: list[tuple[str, Any]] = [("scipy_norm_number", _number), ("scipy_norm", None)]
    for name, result in norms:
        register_written(name, "scipy.linalg.norm", defined="linalg.scipy_norm", singular=True,
                         bounded=True, result=result)  # fmt: skip
    register(Op(name="scipy_norm_call", infer=OPS["norm"].infer, call="scipy.linalg.norm",
                bind=_bind_norm))  # fmt: skip
    for name in ("toeplitz", "hankel", "circulant"):
        register_written(name, f"scipy.linalg.{name}", defined=f"linalg.{name}", bounded=True)
    for name in ("lu_factor", "lu_solve", "lu"):
        unsupported(f"scipy.linalg.{name}", "of its row exchanges", "use scipy.linalg.solve")
    unsupported("scipy.linalg.logm", "it may give complex numbers", "of a symmetric matrix: w, v = "
            "np.linalg.eigh(a); (v * np.log(w)) @ v.T")  # fmt: skip
    for name in ("eig", "eigvals"):
        unsupported(f"scipy.linalg.{name}", "it may give complex numbers",
                "np.linalg.eigh takes symmetric matrices, whose eigenvalues are real")  # fmt: skip
