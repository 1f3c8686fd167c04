"""A compiler for derivatives: NumPy functions in, standalone gradient source out."""

from __future__ import annotations

from gradgen.api import emit, grad, value_and_grad
from gradgen.errors import ActiveTypeError, GradgenError, NotCompiledError, SourceError

__all__ = [
    "ActiveTypeError", "GradgenError", "NotCompiledError", "SourceError", "emit", "grad",
    "value_and_grad",
]  # fmt: skip
__version__ = "0.1.0"
