"""A compiler for derivatives: NumPy functions in, standalone gradient source out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradgen.errors import (
    ActiveTypeError,
    GradgenError,
    NotCompiledError,
    SourceError,
    ZeroDerivativeWarning,
)

if TYPE_CHECKING:
    from gradgen.api import emit, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
    from gradgen.auditing import audit
    from gradgen.checking import check
    from gradgen.directives import custom_rule, stop_gradient
    from gradgen.drawing import draw
    from gradgen.explaining import explain
    from gradgen.flatten import flat
    from gradgen.measure.compare import compare

__all__ = [
    "ActiveTypeError", "GradgenError", "NotCompiledError", "SourceError", "ZeroDerivativeWarning",
    "audit", "check", "compare", "custom_rule", "draw", "emit", "explain", "flat", "grad",
    "hessian", "hvp", "jacobian", "jvp", "stop_gradient", "value_and_grad", "vjp",
]  # fmt: skip
__version__ = "0.1.0"

# Functions whose modules are imported when they are asked for: pytest loads `pytest_plugin` in
# every run, and need not load NumPy for it.
_HOMES = {
    "audit": "gradgen.auditing", "check": "gradgen.checking",
    "compare": "gradgen.measure.compare", "custom_rule": "gradgen.directives",
    "draw": "gradgen.drawing", "emit": "gradgen.api", "explain": "gradgen.explaining",
    "flat": "gradgen.flatten", "grad": "gradgen.api",
    "hessian": "gradgen.api", "hvp": "gradgen.api", "jacobian": "gradgen.api",
    "jvp": "gradgen.api", "stop_gradient": "gradgen.directives",
    "value_and_grad": "gradgen.api", "vjp": "gradgen.api",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
