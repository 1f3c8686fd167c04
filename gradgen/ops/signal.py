"""Convolutions, polynomials, and the Fourier transforms, which are refused."""

from __future__ import annotations

from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.order import unsupported
from gradgen.ops.table import register_written
from gradgen.types import Dim, Size, Type, promote

FOURIER = (
    "fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2", "fftn",
    "ifftn", "rfftn", "irfftn",
)  # fmt: skip
COMPLEX = ("real", "imag", "conj", "conjugate", "iscomplex", "isreal", "real_if_close")


def _joined(front: Any, a: Any, v: Any) -> tuple[str, Size, Size]:
    """The dtype and the lengths of two vectors."""
    types = [front.type_of(front.array(item)) for item in (a, v)]
    if any(t.rank != 1 for t in types):
        raise Refusal("np.convolve and np.correlate take arrays of one axis")
    if any(t.shape[0] == 0 for t in types):
        raise Refusal("np.convolve and np.correlate take no empty arrays")
    return _array_dtype(*types), types[0].shape[0], types[1].shape[0]


def _convolved(front: Any, a: Any, v: Any, mode: Any = "full") -> Type:
    dtype, n, m = _joined(front, a, v)
    mode = front.static(mode)
    if mode not in ("full", "same", "valid"):
        raise Refusal('mode must be "full", "same" or "valid"')
    if mode == "full":
        return Type("array", dtype, (n + m - 1,))
    if n != m and isinstance(n - m, Dim):
        raise NeedsLength(f"which of the lengths {n} and {m} is larger must be known")
    longer, shorter = (n, m) if n == m or n - m > 0 else (m, n)  # type: ignore[operator]
    return Type("array", dtype, (longer if mode == "same" else longer - shorter + 1,))


def _correlated(front: Any, a: Any, v: Any, mode: Any = "valid") -> Type:
    return _convolved(front, a, v, mode)


def _polynomial(front: Any, p: Any, x: Any) -> Type:
    coefficients = front.type_of(front.array(p))
    points = front.type_of(front.array(x))
    if coefficients.rank != 1:
        raise Refusal("np.polyval takes coefficients of one axis")
    dtype = _array_dtype(coefficients, points)
    return Type("array" if points.shape else "scalar", dtype, points.shape)


def _array_dtype(*types: Type) -> str:
    """The dtype that arrays of these items promote to."""
    strict = {"float": "float64", "int": "int64"}
    return promote(tuple(("array", strict.get(t.dtype, t.dtype)) for t in types))


def register_rows() -> None:
    """Enter the rows of this family."""
    register_written("convolve", "numpy.convolve", result=_convolved, adjoint="signal.convolve",
                     linear="each", bounded=True)  # fmt: skip
    register_written("correlate", "numpy.correlate", result=_correlated,
                     adjoint="signal.correlate", linear="each", bounded=True)  # fmt: skip
    register_written("polyval", "numpy.polyval", result=_polynomial, adjoint="signal.polyval",
                     bounded=True)  # fmt: skip
    register_written("polyval_rising", "numpy.polynomial.polynomial.polyval",
                     defined="signal.polyval_rising", bounded=True)  # fmt: skip
    for name in ("polyder", "polyint", "polyadd", "polysub"):
        register_written(name, f"numpy.{name}", defined=f"signal.{name}", bounded=True)
    unsupported("numpy.polymul", "np.convolve(a, b)", "it cuts leading zeros off")
    unsupported("numpy.polydiv", "compute it outside the function")
    unsupported("numpy.poly", "np.convolve of the factors")
    unsupported(
        "numpy.roots", "compute it outside the function", "its length depends on the values"
    )
    unsupported(
        "numpy.polyfit", "np.linalg.solve(V.T @ V, V.T @ y) with V = np.vander(x, degree + 1)"
    )
    unsupported("numpy.poly1d", "np.polyval(coefficients, x)")
    unsupported("numpy.vectorize", "f(x), or np.array([f(v) for v in x])")
    unsupported("numpy.apply_along_axis", "f(x, axis=...), or np.stack([f(row) for row in x])")
    unsupported("numpy.lib.stride_tricks.sliding_window_view",
                "np.stack([x[k : len(x) - n + 1 + k] for k in range(n)], axis=-1)")  # fmt: skip
    for name in FOURIER:
        unsupported(
            f"numpy.fft.{name}",
            "multiply by the real matrices np.cos(w) and np.sin(w) of the transform, or use "
            "np.convolve",
            "complex numbers are not supported",
        )
    for name in COMPLEX:
        unsupported(f"numpy.{name}", "keep real and imaginary parts in arrays of their own",
               "complex numbers are not supported")  # fmt: skip
