"""Classes of records that a function makes: dataclasses and NamedTuples, by text or live."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any

from gradgen.errors import Refusal
from gradgen.read.values import RecordType, RecordValue

# What says how a class is made of its arguments, and what its attributes are.
_MAKERS = frozenset({
    "__init__", "__new__", "__post_init__", "__getattribute__", "__getattr__", "__setattr__",
})  # fmt: skip
_PSEUDO = ("ClassVar", "InitVar")
# The options of a dataclass that leave the call as it is.
_OPTIONS = frozenset({"frozen", "slots", "eq", "order", "repr", "unsafe_hash", "kw_only"})


def text_fields(
    statement: ast.ClassDef, bindings: Mapping[str, ast.stmt]
) -> tuple[dict[str, ast.expr | None], bool] | None:
    """The fields of a class by its text with their defaults, and whether it is a tuple.

    None for a class that is no plain dataclass or NamedTuple; `bindings` are the names of its
    module, which tell what it is made by.
    """
    bases, decorators = statement.bases, statement.decorator_list
    is_tuple = not decorators and len(bases) == 1 and _is(bases[0], "typing.NamedTuple", bindings)
    if statement.keywords or not (is_tuple or (not bases and _is_dataclass(statement, bindings))):
        return None
    fields: dict[str, ast.expr | None] = {}
    for part in statement.body:
        if any(name in _MAKERS or name in fields for name in _bound(part)):
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


def _is(expr: ast.expr, dotted: str, bindings: Mapping[str, ast.stmt]) -> bool:
    """Whether an expression is an imported object, by either way to import it."""
    home, _, name = dotted.rpartition(".")
    text = ast.unparse(expr)
    root, _, rest = text.partition(".")
    bound = bindings.get(root)
    if isinstance(bound, ast.ImportFrom):
        own = [alias.name for alias in bound.names if (alias.asname or alias.name) == root]
        return not rest and bound.level == 0 and bound.module == home and own == [name]
    if isinstance(bound, ast.Import):
        own = [alias.name for alias in bound.names if (alias.asname or alias.name) == root]
        return rest == name and own == [home]
    return False


def _bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_dataclass(statement: ast.ClassDef, bindings: Mapping[str, ast.stmt]) -> bool:
    if len(statement.decorator_list) != 1:
        return False
    (decorator,) = statement.decorator_list
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    words = decorator.keywords if isinstance(decorator, ast.Call) else []
    plain = all(word.arg in _OPTIONS for word in words)
    return plain and _is(called, "dataclasses.dataclass", bindings)


def refused(name: str) -> Refusal:
    """The refusal of a class of which not only the fields say what its objects are."""
    return Refusal(f"the class `{name}` is not supported here",
                   "dataclasses and NamedTuples are, without an __init__ of their own")  # fmt: skip


def live_type(held: Any, modules: Any) -> RecordType | None:
    """A live class of records, or None for what is no class. Raises `Refusal` for another class."""
    if not isinstance(held, type):
        return None
    if type(held) is not type or any(map(_has_makers, held.__mro__[:-1])):
        raise refused(held.__name__)
    if dataclasses.is_dataclass(held):
        fields = dataclasses.fields(held)
        options = getattr(held, "__dataclass_params__", None)
        if options is None or not options.init or not all(f.init for f in fields):
            raise refused(held.__name__)
        given = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
        names, is_tuple = tuple(f.name for f in fields), False
    elif held.__bases__ == (tuple,) and hasattr(held, "_fields"):
        names, given, is_tuple = held._fields, getattr(held, "_field_defaults", {}), True
    else:
        raise refused(held.__name__)
    defaults = {name: modules.live_default(value, name) for name, value in given.items()}
    return RecordType(held.__name__, names, defaults, is_tuple)


def _has_makers(kind: type) -> bool:
    """Whether a class makes its objects, or reads their attributes, in a way of its own.

    What dataclasses and typing write for it is compiled from text without a file.
    """
    if kind is tuple:
        return False
    own = [vars(kind)[name] for name in _MAKERS.intersection(vars(kind))]
    codes = [getattr(getattr(f, "__func__", f), "__code__", None) for f in own]
    return any(code is None or code.co_filename != "<string>" for code in codes)


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
