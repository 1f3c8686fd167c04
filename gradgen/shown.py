"""Numbers and arrays as tables and pictures show them: in few characters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Arrays of so many items are shown whole.
WHOLE = 6


def number_text(value: Any) -> str:
    """A number with four decimals, or four digits where it is small: 0.6065, -12, 1.235e-05."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    x = float(value)
    if not math.isfinite(x):
        return str(x)
    if x == 0.0:
        return "0"
    if 1e-3 <= abs(x) < 1e6:
        text = f"{x:.4f}" if abs(x) >= 0.1 else f"{x:.4g}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = f"{x:.3e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent):+03d}"


def value_text(value: Any, whole: int = WHOLE) -> str:
    """A value: a number, an array of up to `whole` items, or an array's shape and norm."""
    if isinstance(value, (bool, int, float, np.generic)):
        return number_text(value)
    if isinstance(value, tuple):
        return ", ".join(value_text(item, whole) for item in value)
    if not isinstance(value, np.ndarray):
        return str(value)
    if value.ndim == 0:
        return number_text(value[()])
    if value.size <= whole:
        return listed(value.tolist())
    shape = f"({', '.join(map(str, value.shape))}{',' * (value.ndim == 1)})"
    if value.dtype.kind != "f":
        return f"{shape} {value.dtype}"
    norm = number_text(np.linalg.norm(np.ravel(value.astype(float))))
    return f"{shape} norm {norm}"


def listed(value: Any) -> str:
    """Nested lists of numbers, of few items."""
    if isinstance(value, list):
        return f"[{', '.join(map(listed, value))}]"
    return number_text(value)
