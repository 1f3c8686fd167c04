"""Functions of matrices: decompositions, solutions, determinants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.table import refuse, register_written
from gradgen.types import Dim, Shape, Size, TupleType, Type, array_type, broadcast

_ADJOINTS = "adjoints_linalg"


def operand(front: Any, value: Any) -> Type:
    """The type of an array that a decomposition takes: floats of the precision it computes in."""
    t: Type = front.type_of(front.array(value))
    return Type("array", "float32" if t.dtype == "float32" else "float64", t.shape)


def common(types: Sequence[Type]) -> str:
    """The precision in which a function of several matrices computes."""
    return "float32" if all(t.dtype == "float32" for t in types) else "float64"


def matrix(front: Any, value: Any, name: str) -> Type:
    """The type of a matrix, or of a stack of matrices."""
    t = operand(front, value)
    if t.rank < 2:
        raise Refusal(f"{name} takes a matrix, not {t}")
    return t


def square(front: Any, value: Any, name: str) -> Type:
    """The type of a square matrix, or of a stack of them."""
    t = matrix(front, value, name)
    if t.shape[-1] != t.shape[-2]:
        raise Refusal(f"{name} takes square matrices, not {t}",
                      "give both lengths the same name in shapes")  # fmt: skip
    return t


def least(m: Size, n: Size) -> Size:
    """The smaller of two lengths."""
    if m == n:
        return m
    if isinstance(m, Dim) or isinstance(n, Dim):
        raise NeedsLength(f"which of the lengths {m} and {n} is the smaller one is not known",
                          "declare the lengths as numbers")  # fmt: skip
    return min(m, n)


def solution(a: Type, b: Type, name: str) -> Shape:
    """The shape of what solves `a @ x = b`; only a `b` with one axis is a vector, as in NumPy 2."""
    meets = b.shape[0] if b.rank == 1 else b.shape[-2]
    if meets != a.shape[-2]:
        raise Refusal(f"{name}: lengths {a.shape[-2]} and {meets} meet, in {a} and {b}",
                      "give both the same name in shapes")  # fmt: skip
    if b.rank == 1:
        return a.shape[:-1]
    return (*broadcast([a.shape[:-2], b.shape[:-2]]), *b.shape[-2:])


def _solve(front: Any, a: Any, b: Any) -> Type:
    one, other = square(front, a, "np.linalg.solve"), operand(front, b)
    if not other.shape:
        raise Refusal("np.linalg.solve takes a vector or a matrix on the right, not a number")
    return Type("array", common((one, other)), solution(one, other, "np.linalg.solve"))


def _like(name: str) -> Any:
    def result(front: Any, a: Any) -> Type:
        return square(front, a, name)

    return result


def _det(front: Any, a: Any) -> Type:
    t = square(front, a, "np.linalg.det")
    return array_type(t.dtype, t.shape[:-2])


def _bind_det(front: Any, a: Any) -> Any:
    """Of up to three rows the cofactors are written out, which takes no decomposition."""
    rows = square(front, a, "np.linalg.det").shape[-1]
    return front.written("small_det" if rows in (1, 2, 3) else "det", a)


def _slogdet(front: Any, a: Any) -> TupleType:
    t = _det(front, a)
    return TupleType((t, t))


def _cholesky(front: Any, a: Any, /, *, upper: Any = False) -> Type:
    front.static(upper)
    return square(front, a, "np.linalg.cholesky")


def _triangle(front: Any, uplo: Any) -> None:
    if front.static(uplo) not in ("L", "U", "l", "u"):
        raise Refusal("UPLO is 'L' or 'U'")


def _eigh(front: Any, a: Any, UPLO: Any = "L") -> TupleType:
    _triangle(front, UPLO)
    t = square(front, a, "np.linalg.eigh")
    return TupleType((Type("array", t.dtype, t.shape[:-1]), t))


def _eigvalsh(front: Any, a: Any, UPLO: Any = "L") -> Type:
    return _eigh(front, a, UPLO).items[0]


def singular(t: Type, full: bool) -> tuple[Type, Type, Type]:
    """The types of the left vectors, the singular values and the right vectors."""
    *stack, m, n = t.shape
    if full:
        left, right = (m, m), (n, n)
        values = least(m, n)
    else:
        values = least(m, n)
        left, right = (m, values), (values, n)
    shapes = (left, (values,), right)
    return tuple(Type("array", t.dtype, (*stack, *s)) for s in shapes)  # type: ignore[return-value]


def _svd(
    front: Any, a: Any, full_matrices: Any = True, compute_uv: Any = True, hermitian: Any = False
) -> Type | TupleType:
    if front.static(hermitian):
        raise Refusal("np.linalg.svd with hermitian=True", "use np.linalg.eigh")
    parts = singular(matrix(front, a, "np.linalg.svd"), bool(front.static(full_matrices)))
    return TupleType(parts) if front.static(compute_uv) else parts[1]


def _svdvals(front: Any, x: Any, /) -> Type:
    return singular(matrix(front, x, "np.linalg.svdvals"), False)[1]


def qr_types(t: Type) -> tuple[Type, Type]:
    """The types of the factors of a reduced QR decomposition."""
    *stack, m, n = t.shape
    k = least(m, n)
    return Type("array", t.dtype, (*stack, m, k)), Type("array", t.dtype, (*stack, k, n))


def _qr(front: Any, a: Any, mode: Any = "reduced") -> Type | TupleType:
    t = matrix(front, a, "np.linalg.qr")
    kind = front.static(mode)
    if kind not in ("reduced", "r", "complete"):
        raise Refusal(f"np.linalg.qr with mode={kind!r}", "use mode='reduced'")
    if kind == "complete" and least(t.shape[-2], t.shape[-1]) != t.shape[-2]:
        raise Refusal("np.linalg.qr with mode='complete' of a tall matrix: the columns beyond its "
                      "own are arbitrary", "use mode='reduced'")  # fmt: skip
    q, r = qr_types(t)
    return r if kind == "r" else TupleType((q, r))


def _pinv(
    front: Any, a: Any, rcond: Any = None, hermitian: Any = False, *, rtol: Any = None
) -> Type:
    if front.static(hermitian):
        raise Refusal("np.linalg.pinv with hermitian=True", "leave hermitian out")
    t = matrix(front, a, "np.linalg.pinv")
    return Type("array", t.dtype, (*t.shape[:-2], t.shape[-1], t.shape[-2]))


def _lstsq(front: Any, a: Any, b: Any, rcond: Any = None) -> TupleType:
    one, other = matrix(front, a, "np.linalg.lstsq"), operand(front, b)
    if one.rank != 2 or other.rank not in (1, 2):
        raise Refusal("np.linalg.lstsq takes one matrix, and a vector or a matrix on the right")
    dtype = common((one, other))
    m, n = one.shape
    solution(one, other, "np.linalg.lstsq")
    # how many residuals there are depends on the rank
    residuals = Type("array", dtype, (Dim.symbol("the number of residuals"),))
    return TupleType((
        Type("array", dtype, (n, *other.shape[1:])), residuals, Type("scalar", "int32"),
        Type("array", dtype, (least(m, n),)),
    ))  # fmt: skip


def _matrix_rank(
    front: Any, A: Any, tol: Any = None, hermitian: Any = False, *, rtol: Any = None
) -> Type:
    t = operand(front, A)
    return array_type("int64", t.shape[:-2])


def unsupported(name: str, reason: str, hint: str) -> None:
    """Refuse the calls of a function, with the reason and what to write instead."""
    refuse(name, f"{name} is not supported: {reason}", hint)


def register_rows() -> None:
    """Enter the rows of this family."""
    rows: list[tuple[str, Any, dict[str, Any]]] = [
        ("solve", _solve, {}),
        ("inv", _like("np.linalg.inv"), {}),
        ("small_det", _det, {"bounded": True}),
        ("regular_det", _det, {"bounded": True}),
        ("det", _det, {"bounded": True, "bind": _bind_det}),
        ("slogdet", _slogdet, {"fields": ("sign", "logabsdet")}),
        ("cholesky", _cholesky, {}),
        ("eigh", _eigh, {"fields": ("eigenvalues", "eigenvectors"), "bounded": True}),
        ("eigvalsh", _eigvalsh, {"bounded": True}),
        ("svd", _svd, {"fields": ("U", "S", "Vh"), "bounded": True}),
        ("svdvals", _svdvals, {"bounded": True}),
        ("qr", _qr, {"fields": ("Q", "R"), "bounded": True}),
        ("pinv", _pinv, {}),
        ("lstsq", _lstsq, {}),
    ]
    for name, result, more in rows:
        call = f"numpy.linalg.{name.rpartition('_')[2]}"
        register_written(name, call, result=result, adjoint=f"{_ADJOINTS}.{name}", singular=True,
                         cost=500, **more)  # fmt: skip
    register_written("matrix_rank", "numpy.linalg.matrix_rank", result=_matrix_rank, cost=500)
    for name in ("matrix_power", "multi_dot", "tensorinv", "tensorsolve"):
        register_written(name, f"numpy.linalg.{name}", defined=f"linalg.{name}", cost=500,
                         view=name == "matrix_power")  # fmt: skip
    for name in ("diagonal", "trace"):
        register_written(f"linalg_{name}", f"numpy.linalg.{name}", defined=f"linalg.{name}",
                         view=name == "diagonal", bounded=True)  # fmt: skip
    for name in ("eig", "eigvals"):
        unsupported(f"numpy.linalg.{name}", "it may give complex numbers",
                "np.linalg.eigh takes symmetric matrices, whose eigenvalues are real")  # fmt: skip
    unsupported("numpy.linalg.cond", "it has no derivative here",
            "s = np.linalg.svdvals(x); s[0] / s[-1]")  # fmt: skip
