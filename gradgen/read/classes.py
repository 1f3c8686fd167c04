"""Classes of records that a function makes: dataclasses and NamedTuples, by text or live."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from gradgen.errors import Refusal
from gradgen.read.values import RecordType, RecordValue

# What says how a class is made of its arguments.
_MAKERS = frozenset({"__init__", "__new__", "__post_init__"})
_PSEUDO = ("ClassVar", "InitVar")
# The options of a dataclass that leave the call as it is.
_OPTIONS = frozenset({"frozen", "slots", "eq", "order", "repr", "unsafe_hash", "kw_only"})


def text_fields(statement: ast.ClassDef) -> tuple[dict[str, ast.expr | None], bool] | None:
    """The fields of a class by its text with their defaults, and whether it is a tuple.

    None for a class that is no plain dataclass or NamedTuple.
    """
    bases = [ast.unparse(base).rpartition(".")[2] for base in statement.bases]
    is_tuple = bases == ["NamedTuple"] and not statement.decorator_list
    if not is_tuple and (bases or not _is_dataclass(statement)):
        return None
    fields: dict[str, ast.expr | None] = {}
    for part in statement.body:
        if any(name in _MAKERS for name in _bound(part)):
            return None
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            if any(word in ast.unparse(part.annotation) for word in _PSEUDO):
                return None
            default = part.value
            if isinstance(default, ast.Call) and ast.unparse(default.func).endswith("field"):
                words = {word.arg: word.value for word in default.keywords}
                if "init" in words:
                    return None
                default = words.get("default")
            fields[part.target.id] = default
    return fields, is_tuple


def _bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_dataclass(statement: ast.ClassDef) -> bool:
    if len(statement.decorator_list) != 1:
        return False
    (decorator,) = statement.decorator_list
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    words = decorator.keywords if isinstance(decorator, ast.Call) else []
    plain = all(word.arg in _OPTIONS for word in words)
    return plain and ast.unparse(called).rpartition(".")[2] == "dataclass"


def live_type(held: Any, modules: Any) -> RecordType | None:
    """A live class of records; None for any other object."""
    if not isinstance(held, type):
        return None
    if dataclasses.is_dataclass(held):
        fields = dataclasses.fields(held)
        options = getattr(held, "__dataclass_params__", None)
        whole = options is not None and options.init and all(f.init for f in fields)
        if not whole or hasattr(held, "__post_init__") or held.__new__ is not object.__new__:
            return None
        given = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
        names, is_tuple = tuple(f.name for f in fields), False
    elif held.__bases__ == (tuple,) and hasattr(held, "_fields"):
        names, given, is_tuple = held._fields, held._field_defaults, True  # type: ignore[attr-defined]
    else:
        return None
    defaults = {name: modules.live_default(value, name) for name, value in given.items()}
    return RecordType(held.__name__, names, defaults, is_tuple)


def made(kind: RecordType, args: list[Any], keywords: dict[str, Any]) -> RecordValue:
    """A record of these values of its fields. Raises `Refusal` as Python raises TypeError."""
    if len(args) > len(kind.fields):
        raise Refusal(f"{kind.name} has {len(kind.fields)} fields, not {len(args)}")
    given = dict(zip(kind.fields, args, strict=False))
    for name, value in keywords.items():
        if name not in kind.fields:
            raise Refusal(f"{kind.name} has no field {name}")
        if name in given:
            raise Refusal(f"{kind.name} got several values for {name}")
        given[name] = value
    values = {**kind.defaults, **given}
    missing = [name for name in kind.fields if name not in values]
    if missing:
        raise Refusal(f"{kind.name} is made without {', '.join(missing)}")
    return RecordValue(kind.name, {name: values[name] for name in kind.fields}, kind.is_tuple)
