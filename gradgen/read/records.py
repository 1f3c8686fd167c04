"""Declared structures that are dataclasses or NamedTuples.

The parameter's annotation tells, or that the function reads the parts as attributes.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Set
from typing import Any

from gradgen.errors import Refusal
from gradgen.graph import Record
from gradgen.read.declare import Spec, from_annotation
from gradgen.read.values import Frame, LiveObject


@dataclasses.dataclass(frozen=True, slots=True)
class RecordClass:
    """A class of records: its kind, `dataclass` or `tuple`, and its fields' annotations."""

    kind: str
    fields: Mapping[str, Any]


def as_record(
    spec: Spec, annotation: Any, name: str, frame: Frame, bindings: Mapping[str, ast.stmt]
) -> Spec:
    """The declared structure as a record where the annotation names a class of records.

    Raises `Refusal` for a field that is declared neither by the shapes nor by the class.
    """
    if not isinstance(spec, dict):
        return spec
    found = _class(annotation, frame, bindings)
    if found is None:
        return spec
    for field in spec:
        if field not in found.fields:
            raise Refusal(f"shapes declares {name}.{field}, which is not a field",
                          f"the fields are {', '.join(found.fields)}")  # fmt: skip
    values = []
    for field, inner in found.fields.items():
        path = f"{name}.{field}"
        known = spec.get(field)
        if known is None and isinstance(inner, ast.expr):
            known = from_annotation(inner, path)
        if known is None:
            raise Refusal(f"the shape of `{path}` is needed", f'declare it: --shapes "{path}=n"')
        values.append(as_record(known, inner, path, frame, bindings))
    return Record(found.kind, tuple(found.fields), tuple(values))


def by_attributes(spec: Spec, path: tuple[Any, ...], read: Set[tuple[Any, ...]]) -> Spec:
    """The declared structure with a record for each part whose fields are read as attributes.

    `path` leads to the structure; `read` are the paths of `attribute_paths`.
    """
    if isinstance(spec, dict):
        inner = {key: by_attributes(part, (*path, f".{key}"), read) for key, part in spec.items()}
        if any((*path, f".{key}") in read for key in spec):
            return Record("dataclass", tuple(inner), tuple(inner.values()))
        return {key: by_attributes(part, (*path, key), read) for key, part in spec.items()}
    if isinstance(spec, (list, tuple)):
        parts = (by_attributes(part, (*path, at), read) for at, part in enumerate(spec))
        return type(spec)(parts)
    return spec


def attribute_paths(function: ast.AST) -> set[tuple[Any, ...]]:
    """The parts of names that a function reads: `p.layer["W"]` is ("p", ".layer", "W")."""
    found = set()
    for node in ast.walk(function):
        path: list[Any] = []
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            if isinstance(node, ast.Attribute):
                path.append(f".{node.attr}")
            elif isinstance(node.slice, ast.Constant):
                path.append(node.slice.value)
            else:
                break
            node = node.value
        if path and isinstance(node, ast.Name):
            found.add((node.id, *reversed(path)))
    return found


def _class(annotation: Any, frame: Frame, bindings: Mapping[str, ast.stmt]) -> RecordClass | None:
    """The class that an annotation names: in the module's text, or a live one."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return None
    if isinstance(annotation, type):
        return _live_class(annotation)
    if not isinstance(annotation, ast.Name):
        return None
    statement = bindings.get(annotation.id)
    if statement is not None:
        return _text_class(statement)
    try:
        held = frame.find(annotation.id)
    except Refusal:
        return None
    return _live_class(held.value) if isinstance(held, LiveObject) else None


def _text_class(statement: ast.stmt) -> RecordClass | None:
    """A class of records by its text."""
    if not isinstance(statement, ast.ClassDef):
        return None
    bases = {ast.unparse(base).rpartition(".")[2] for base in statement.bases}
    marks = {ast.unparse(d).partition("(")[0].rpartition(".")[2] for d in statement.decorator_list}
    if "NamedTuple" not in bases and "dataclass" not in marks:
        return None
    fields = {
        part.target.id: part.annotation for part in statement.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }  # fmt: skip
    return RecordClass("tuple" if "NamedTuple" in bases else "dataclass", fields)


def _live_class(held: Any) -> RecordClass | None:
    """A live class of records; an annotation of a field that is text counts for its shape."""
    if not isinstance(held, type):
        return None
    if dataclasses.is_dataclass(held):
        return RecordClass(
            "dataclass", {f.name: _annotation(f.type) for f in dataclasses.fields(held)}
        )
    names = getattr(held, "_fields", None)
    if names is None or not issubclass(held, tuple):
        return None
    types = getattr(held, "__annotations__", {})
    return RecordClass("tuple", {name: _annotation(types.get(name)) for name in names})


def _annotation(held: Any) -> Any:
    """What a field's annotation says, as syntax where it is text or a plain number's type."""
    if isinstance(held, str):
        return ast.Constant(held)
    if held in (float, int):
        return ast.Name(held.__name__)
    return held
