"""What is declared of arguments: `shapes=`, annotations, and the types of live values."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradgen.errors import GradgenError, Refusal
from gradgen.graph import Record
from gradgen.types import FLOAT, INT, Dim, Size, Type

# A tree of types: a Type, a Static, or a dict, tuple, list or Record of trees.
Spec = Any
_SCALARS = {"float": FLOAT, "int": INT}
_JAXTYPING = {
    "Float": "float64", "Float64": "float64", "Float32": "float32", "Int": "int64",
    "Int64": "int64", "Int32": "int32", "UInt8": "uint8", "Bool": "bool", "Num": "float64",
    "Real": "float64", "Shaped": "float64", "Integer": "int64",
}  # fmt: skip
_TOKEN = re.compile(r"[0-9]+|[^\W\d]\w*|[-+*()]")


@dataclass(frozen=True, slots=True)
class Static:
    """An argument whose value is fixed while compiling."""

    value: Any


def parse_shapes(shapes: str | Mapping[str, Any] | None) -> dict[str, Spec]:
    """The declarations of `"x=n d, y=n:float32, a=scalar, p.W1=d h"`, or of a dict of these.

    Raises `GradgenError` where the text is not of that form.
    """
    if shapes is None:
        return {}
    if isinstance(shapes, str):
        pairs = [part.partition("=") for part in shapes.split(",") if part.strip()]
        for name, equals, _ in pairs:
            if not equals or not name.strip():
                raise GradgenError(f"shapes: expected name=dimensions, not {name.strip()!r}")
        items = [(name.strip(), text) for name, _, text in pairs]
    else:
        items = [(name, given) for name, given in shapes.items()]
    declared: dict[str, Spec] = {}
    for path, given in items:
        name, *keys = path.split(".")
        if not name.isidentifier():
            raise GradgenError(f"shapes: {name!r} is not a name")
        leaf = parse_leaf(given, path)
        if not keys:
            declared[name] = leaf
            continue
        at = declared.setdefault(name, {})
        for key in keys[:-1]:
            at = at.setdefault(key, {})
        if not isinstance(at, dict):
            raise GradgenError(f"shapes: {path} is declared twice")
        at[keys[-1]] = leaf
    return {name: _tuples(tree) for name, tree in declared.items()}


def _tuples(tree: Spec) -> Spec:
    if not isinstance(tree, dict):
        return tree
    made = {key: _tuples(value) for key, value in tree.items()}
    if all(key.isdigit() for key in made):
        if sorted(int(k) for k in made) != list(range(len(made))):
            raise GradgenError("shapes: the items of a tuple are numbered from 0 without a gap")
        return tuple(made[str(i)] for i in range(len(made)))
    return made


def parse_leaf(given: Any, path: str) -> Type:
    """The type that `"n d:float32"`, `"scalar"` or a tuple of lengths declares."""
    if isinstance(given, (tuple, list)):
        given = " ".join(map(str, given))
    elif isinstance(given, int):
        given = str(given)
    if not isinstance(given, str):
        raise GradgenError(f"shapes: {path}: expected text or a tuple, not {type(given).__name__}")
    text, _, dtype = given.partition(":")
    text, dtype = text.strip(), dtype.strip() or None
    if text in _SCALARS:
        return _SCALARS[text]
    wanted = checked_dtype(dtype or "float64", f"shapes: {path}")
    if text == "scalar":
        return FLOAT if dtype is None else Type("scalar", wanted)
    if text in ("", "()"):
        return Type("array", wanted)
    return Type("array", wanted, tuple(_dimension(part, path) for part in text.split()))


def checked_dtype(name: str, where: str) -> str:
    """The canonical name of a supported dtype. Raises `GradgenError` otherwise."""
    try:
        found = np.dtype(name)
    except TypeError:
        raise GradgenError(f"{where}: {name!r} is not a dtype") from None
    if (
        found.kind not in "biuf"
        or (found.itemsize == 2 and found.kind == "f")
        or found.itemsize > 8
    ):
        raise GradgenError(f"{where}: arrays of {found} are not supported; use float64 or float32")
    return str(found)


def _dimension(text: str, path: str) -> Size:
    """A length: a number, a name, or a sum of products of these."""
    if text[0] in "#*." or text in ("...", "_"):
        raise GradgenError(
            f"shapes: {path}: the dimension {text!r} is not supported; name each axis"
        )
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text or "(" in tokens or ")" in tokens:
        raise GradgenError(f"shapes: {path}: {text!r} is not a dimension")
    total: Size = 0
    term: Size = 1
    sign, expect = 1, True
    for token in tokens:
        if token in "+-*" and not expect:
            expect = True
            if token != "*":
                total, term = total + sign * term, 1
                sign = -1 if token == "-" else 1
        elif expect and token not in "+-*":
            term = term * (int(token) if token.isdigit() else Dim.symbol(token))
            expect = False
        else:
            raise GradgenError(f"shapes: {path}: {text!r} is not a dimension")
    if expect:
        raise GradgenError(f"shapes: {path}: {text!r} is not a dimension")
    return total + sign * term


def from_annotation(annotation: ast.expr | None, name: str) -> Type | None:
    """The type that an annotation declares; None where it declares no shape."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return None
    if isinstance(annotation, ast.Name) and annotation.id in _SCALARS:
        return _SCALARS[annotation.id]
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.slice, ast.Tuple):
        return None
    head = annotation.value
    kind = head.attr if isinstance(head, ast.Attribute) else getattr(head, "id", "")
    parts = annotation.slice.elts
    if kind in _JAXTYPING and len(parts) == 2 and isinstance(parts[1], ast.Constant):
        text = parts[1].value
        if isinstance(text, str):
            return parse_leaf(f"{text.strip() or '()'}:{_JAXTYPING[kind]}", name)
    return None


def is_array_annotation(annotation: ast.expr | None) -> bool:
    """Whether an annotation says array without a shape: `np.ndarray`, `NDArray[...]`."""
    if annotation is None:
        return False
    text = ast.unparse(annotation)
    return "ndarray" in text or "NDArray" in text


class LiveTypes:
    """Types of live arguments: equal lengths get one symbol, length 1 stays a number."""

    def __init__(self, concrete: bool, floats: frozenset[str] = frozenset()) -> None:
        self.concrete = concrete
        self.floats = floats
        self.symbols: dict[int, Dim] = {}

    def spec(self, value: Any, name: str) -> Spec:
        """The tree of types of a live value. Raises `GradgenError` for what is not supported."""
        if value is None or isinstance(value, (str, bool, np.bool_)):
            return Static(value if not isinstance(value, np.bool_) else bool(value))
        if type(value) is int:
            return Static(value) if self.concrete and name not in self.floats else FLOAT
        if isinstance(value, float) and not isinstance(value, np.floating):
            return FLOAT
        if isinstance(value, np.generic):
            return Type("scalar", checked_dtype(str(value.dtype), name))
        if isinstance(value, np.ma.MaskedArray):
            raise GradgenError(f"{name}: masked arrays are not supported")
        if isinstance(value, np.ndarray):
            return Type("array", checked_dtype(str(value.dtype), name),
                        tuple(self.length(n) for n in value.shape))  # fmt: skip
        if isinstance(value, dict):
            return {k: self.spec(v, f"{name}[{k!r}]") for k, v in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [f.name for f in dataclasses.fields(value)]
            return self._record("dataclass", {n: getattr(value, n) for n in names}, name)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._record("tuple", value._asdict(), name)
        if type(value) in (list, tuple):
            return type(value)(self.spec(v, f"{name}[{i}]") for i, v in enumerate(value))
        raise GradgenError(f"{name}: an argument of type {type(value).__name__} is not supported")

    def _record(self, like: str, fields: Mapping[str, Any], name: str) -> Record:
        values = tuple(self.spec(v, f"{name}.{k}") for k, v in fields.items())
        return Record(like, tuple(fields), values)

    def length(self, n: int) -> Size:
        """The symbolic length of an axis of `n` items."""
        if self.concrete or n == 1:
            return n
        if n not in self.symbols:
            count = len(self.symbols)
            self.symbols[n] = Dim.symbol("nmkpqr"[count] if count < 6 else f"n{count}")
        return self.symbols[n]


def refuse_argnums(options: Mapping[str, Any]) -> None:
    """Answer `argnums=` of other systems. Raises `TypeError` naming `wrt`."""
    for name in options:
        hint = "; use wrt, with names or positions" if name == "argnums" else ""
        raise TypeError(f"unexpected keyword argument {name!r}{hint}")


__all__ = [
    "LiveTypes", "Refusal", "Spec", "Static", "from_annotation", "is_array_annotation",
    "parse_shapes", "refuse_argnums",
]  # fmt: skip
