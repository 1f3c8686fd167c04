"""What is declared of arguments: `shapes=`, annotations, and the types of live values."""

from __future__ import annotations

import ast
import dataclasses
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
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
# Words that are no names of lengths.
_RESERVED = {
    "scalar", "float", "int", "bool", "str", "None", "True", "False", "float16", "float32",
    "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
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
        parts = shapes.strip().removesuffix(",").split(",") if shapes.strip() else []
        pairs = [part.partition("=") for part in parts]
        for name, equals, _ in pairs:
            if not equals or not name.strip():
                raise GradgenError(f"shapes: expected name=dimensions, not {name.strip()!r}")
        items: list[tuple[Any, Any]] = [(name.strip(), text) for name, _, text in pairs]
    elif isinstance(shapes, Mapping):
        items = list(shapes.items())
    else:
        raise GradgenError(f"shapes: expected text or a dict, not {type(shapes).__name__}")
    declared: dict[str, Spec] = {}
    for path, given in items:
        keys = unicodedata.normalize("NFKC", path).split(".") if isinstance(path, str) else [""]
        if not keys[0].isidentifier() or "" in keys:
            raise GradgenError(f"shapes: {path!r} is not a name, or a name with .keys")
        at: Spec = declared
        for key in keys[:-1]:
            at = at.setdefault(key, {})
            if not isinstance(at, dict):
                raise GradgenError(f"shapes: {path} is a part of what is declared already")
        if keys[-1] in at:
            raise GradgenError(f"shapes: {path} is declared twice")
        at[keys[-1]] = parse_leaf(given, path)
    return {name: _tuples(tree, name) for name, tree in declared.items()}


def _tuples(tree: Spec, path: str) -> Spec:
    """The tree, with a tuple for each dict whose keys are numbers."""
    if not isinstance(tree, dict):
        return tree
    made = {key: _tuples(value, f"{path}.{key}") for key, value in tree.items()}
    if not any(key.isdecimal() for key in made):
        return made
    wanted = [str(i) for i in range(len(made))]
    if set(made) != set(wanted):
        raise GradgenError(
            f"shapes: the items of {path} are not numbered from 0 without a gap: {', '.join(made)}"
        )
    return tuple(made[key] for key in wanted)


def parse_leaf(given: Any, path: str) -> Type:
    """The type that `"n d:float32"`, `"scalar"` or a tuple of lengths declares."""
    if isinstance(given, (tuple, list)):
        for size in given:
            if isinstance(size, bool) or not isinstance(size, (int, np.integer, str)):
                raise GradgenError(f"shapes: {path}: {size!r} is not a dimension")
        given = " ".join(map(str, given)) or "()"
    elif isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str):
        raise GradgenError(f"shapes: {path}: expected text or a tuple, not {type(given).__name__}")
    text, colon, named = given.partition(":")
    text, dtype = text.strip(), named.strip()
    if not text:
        raise GradgenError(
            f"shapes: {path}: no dimensions; write scalar, or () for an array without axes"
        )
    if colon and not dtype:
        raise GradgenError(f"shapes: {path}: no dtype behind the colon")
    if text in _SCALARS:
        if dtype:
            raise GradgenError(f"shapes: {path}: {text} takes no dtype; write scalar:{dtype}")
        return _SCALARS[text]
    wanted = checked_dtype(dtype or "float64", f"shapes: {path}")
    if text == "scalar":
        return FLOAT if not dtype else Type("scalar", wanted)
    if text == "()":
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
    return str(found.newbyteorder("="))


@cache
def _live_dtype(found: np.dtype[Any], where: str) -> str:
    return checked_dtype(str(found), where)


def _dimension(text: str, path: str) -> Size:
    """A length: a number, a name, or a sum of products of these."""
    if text[0] in "#*." or text in ("...", "_"):
        raise GradgenError(
            f"shapes: {path}: the dimension {text!r} is not supported; name each axis"
        )
    tokens = _TOKEN.findall(text)
    if _RESERVED.intersection(tokens):
        raise GradgenError(
            f"shapes: {path}: {text!r} is not a dimension; a dtype stands behind a colon"
        )
    if "".join(tokens) != text or "(" in tokens or ")" in tokens:
        raise GradgenError(f"shapes: {path}: {text!r} is not a dimension")
    total: Size = 0
    term: Size = 1
    sign, expect = -1 if tokens[0] == "-" else 1, True
    for token in tokens[tokens[0] == "-" :]:
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
    total = total + sign * term
    negative = total < 0 if isinstance(total, int) else all(n < 0 for _, n in total.terms)
    if expect or negative:
        raise GradgenError(f"shapes: {path}: {text!r} is not a dimension")
    return total


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
    """Types of live arguments: equal lengths get one symbol, length 1 stays a number.

    With `lengths` all lengths stay numbers; with `numbers` the values of Python ints are fixed, but
    not those in the arguments `floats`.
    """

    def __init__(
        self, lengths: bool = False, numbers: bool = False, floats: frozenset[str] = frozenset()
    ) -> None:
        self.lengths = lengths
        self.numbers = numbers
        self.floats = floats
        self.symbols: dict[int, Dim] = {}

    def spec(self, value: Any, name: str) -> Spec:
        """The tree of types of a live value. Raises `GradgenError` for what is not supported."""
        if isinstance(value, np.bool_):
            raise GradgenError(f"{name}: pass a bool, not a NumPy one: bool(...)")
        if value is None or isinstance(value, bool):
            return Static(value)
        if isinstance(value, str):
            return Static(str.__str__(value))
        if type(value) is int:
            if re.split(r"[.\[]", name)[0] in self.floats:
                return FLOAT
            return Static(value) if self.numbers else INT
        if type(value) is float:
            return FLOAT
        if isinstance(value, np.generic):
            return Type("scalar", _live_dtype(value.dtype, name))
        if isinstance(value, np.ma.MaskedArray):
            raise GradgenError(f"{name}: masked arrays are not supported")
        if isinstance(value, np.ndarray):
            if type(value) not in (np.ndarray, np.memmap):
                raise GradgenError(
                    f"{name}: arrays of type {type(value).__name__} are not supported; "
                    "pass np.asarray(...)"
                )
            return Type("array", _live_dtype(value.dtype, name),
                        tuple(self.length(n) for n in value.shape))  # fmt: skip
        if isinstance(value, dict):
            return {k: self.spec(v, f"{name}[{k!r}]") for k, v in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            for f in fields:
                if not f.init:
                    raise GradgenError(
                        f"{name}.{f.name}: a field with init=False is not supported; "
                        "make it a property"
                    )
            return self._record("dataclass", {f.name: getattr(value, f.name) for f in fields}, name)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            named = zip(type(value)._fields, value, strict=True)
            return self._record("tuple", dict(named), name)
        if type(value) in (list, tuple):
            return type(value)(self.spec(v, f"{name}[{i}]") for i, v in enumerate(value))
        hint = (
            "; make it a dataclass, or differentiate the bound method (object.method)"
            if name == "self"
            else ""
        )
        raise GradgenError(
            f"{name}: an argument of type {type(value).__name__} is not supported{hint}"
        )

    def _record(self, like: str, fields: Mapping[str, Any], name: str) -> Record:
        values = tuple(self.spec(v, f"{name}.{k}") for k, v in fields.items())
        return Record(like, tuple(fields), values)

    def length(self, n: int) -> Size:
        """The symbolic length of an axis of `n` items."""
        if self.lengths or n < 2:
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
