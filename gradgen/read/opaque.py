"""Functions that are called and never read: where emitted code imports them from, and their calls.

In a file they are found by their syntax alone, and in a running process by what names them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Generator
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import Any

from gradgen.directives import CustomRule
from gradgen.errors import Refusal
from gradgen.ops.written import OpaqueCall
from gradgen.read.definitions import flatten
from gradgen.read.scope import ModuleText, module_name, star_provides
from gradgen.read.values import Cell, Frame, Opaque, Ruled

BIND_IT = "bind it to a name at the top of a module"


def in_text(node: ast.expr, frame: Frame) -> Opaque | None:
    """The function that an expression in a file names; None where the frame is a live one's.

    Raises `Refusal` for what is no name of a module.
    """
    *inner, root = _chain(frame)
    if root.module is None:
        return None
    parts: list[str] = []
    at = node
    while isinstance(at, ast.Attribute):
        parts.insert(0, at.attr)
        at = at.value
    if not isinstance(at, ast.Name):
        raise Refusal("an opaque function has a name that can be imported", BIND_IT)
    if any(at.id in f.names or at.id in f.stored for f in inner):
        raise Refusal(f"`{at.id}` is a name inside a function, and cannot be imported", BIND_IT)
    return _checked(*_bound(root.module, at.id, parts))


def of_definition(name: str, frame: Frame) -> Opaque:
    """The function that a decorated definition at the top of a file binds."""
    return _checked(frame.module.name, name)


def _checked(home: str, name: str) -> Opaque:
    for part in home.split("."):
        if not part.isidentifier() or iskeyword(part):
            raise Refusal(f"the module {home} has no name that can be imported",
                          f"put {name} into a file whose name is an identifier")  # fmt: skip
    return Opaque(home, name)


def _chain(frame: Frame) -> list[Frame]:
    found = [frame]
    while found[-1].parent is not None:
        found.append(found[-1].parent)
    return found


def _bound(module: ModuleText, name: str, rest: list[str]) -> tuple[str, str]:
    """The module and the name in it of what a module calls `name`, and `rest` with dots between."""
    if name in module.changed:
        raise Refusal(f"the module-level name `{name}` is bound conditionally or changed later",
                      "bind it once, at the top level")  # fmt: skip
    statement = module.bindings.get(name)
    if statement is None:
        for star, _ in reversed(module.stars):
            if star_provides(module, star, name):
                statement, alias = star, ast.alias(name)
                break
        else:
            raise Refusal(f"name `{name}` is not defined")
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        # of two that bind the name the last counts
        alias = [a for a in statement.names if (a.asname or a.name.partition(".")[0]) == name][-1]
    if isinstance(statement, ast.Import):
        dotted = [alias.name if alias.asname else name, *rest]
    elif isinstance(statement, ast.ImportFrom):
        dotted = [*_home(module, statement), alias.name, *rest]
    else:
        dotted = [module.name, name, *rest]
        if rest:
            raise Refusal(f"`{'.'.join((name, *rest))}` is no name that can be imported", BIND_IT)
    *home, last = dotted
    if not home:
        raise Refusal(f"`{name}` is a module, not a function")
    return ".".join(home), last


def _home(module: ModuleText, statement: ast.ImportFrom) -> list[str]:
    """The module that names are imported from, in one part or none."""
    if not statement.level:
        return [str(statement.module)]
    inside = (module.folder / "__init__.py").is_file()
    package = module_name(module.folder / "__init__.py")[0].split(".") if inside else []
    if len(package) < statement.level:
        raise Refusal("a relative import outside of a package", "import it by its whole name")
    above = package[: len(package) - statement.level + 1]
    return [".".join([*above, *([statement.module] if statement.module else [])])]


def in_process(value: Any, name: str, beside: Frame) -> Opaque:
    """The function that a live object is; `beside` is the frame of one that goes with it.

    Its own name is taken if its module has it under that, else a name in the module of the frame,
    or in a module that is imported there.
    """
    home, own = str(getattr(value, "__module__", "")), str(getattr(value, "__qualname__", ""))
    if own.isidentifier() and _has(home, own, value):
        return Opaque(_importable(home), own, value)
    module = sys.modules.get(_chain(beside)[-1].home)
    inside = () if module is None else tuple(vars(module).values())
    others = [m.__name__ for m in inside if isinstance(m, ModuleType)]
    for there in () if module is None else (*others, module.__name__):
        for known in tuple(vars(sys.modules.get(there, module))):
            if known.isidentifier() and _has(there, known, value):
                return Opaque(_importable(there), known, value)
    return Opaque(None, name if name.isidentifier() else "opaque", value)


def _has(home: str, name: str, value: Any) -> bool:
    held = getattr(sys.modules.get(home), name, None)
    return held is value or (isinstance(held, CustomRule) and held.function is value)


def _importable(home: str) -> str | None:
    """A module as other files import it: a script by the name of its file."""
    if home != "__main__":
        return home
    spec, file = (getattr(sys.modules[home], at, None) for at in ("__spec__", "__file__"))
    if spec is not None:
        return str(spec.name)
    return None if file is None else module_name(Path(file))[0]


def call(
    reader: Any, held: Ruled, args: list[Any], keywords: dict[str, Any], depth: int
) -> Generator[Any, Any, Cell]:
    """The value of a call of an opaque function, which has the type that `result` tells."""
    builder, function = reader.builder, held.function
    assert isinstance(function, Opaque)
    place = builder.loc
    like = yield reader.inline(held.result, args, keywords, depth)
    if not isinstance(like, Cell):
        raise Refusal(f"the result= of {function.name} does not give a number or an array")
    found = builder.type_of(reader.refresh(like))
    builder.loc = place
    operands: list[int] = []
    positional = tuple(flatten(reader, part, operands) for part in args)
    named = tuple((word, flatten(reader, part, operands)) for word, part in keywords.items())
    value, name = function.value, function.name
    captured = builder.graph.captured
    while function.module is None and captured.get(f":{name}", value) is not value:
        name += "_"
    attr = OpaqueCall(positional, named, found, function.module, name)
    if value is not None:
        captured[attr.key] = value
    node = builder.add("opaque", *operands, attr=attr)
    builder.label(node, None, f"{name}_value")
    result = Cell(node)
    for cell in (result, *(v for v in (*args, *keywords.values()) if isinstance(v, Cell))):
        reader.lend(cell, name)
    return result
