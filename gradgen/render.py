"""Unit -> text: the templates lay it out, and the text is read again before anybody gets it."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gradgen.collector import paused
from gradgen.emission import WIDTH
from gradgen.errors import GradgenError
from gradgen.layout import lay_out
from gradgen.unit import Unit, import_order

TEMPLATE = "python.py.jinja"
BODY_LINE = "# gradgen-body:"
_ALLOWED = (
    ast.Module, ast.Expression, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef,
    ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.Expr, ast.Call, ast.keyword,
    ast.Attribute, ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Subscript, ast.Slice,
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.If, ast.Raise, ast.JoinedStr,
    ast.FormattedValue, ast.For, ast.Starred,
)  # fmt: skip
# Fields that are not looked at: of texts and numbers, and operators and contexts, all allowed.
_PLAIN = frozenset({"ctx", "op", "ops", "id", "attr", "arg", "name", "asname", "module", "level",
                    "conversion", "type_comment"})  # fmt: skip
# By what is allowed its parts.
_PARTS: dict[type[ast.AST], tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _PLAIN) for kind in _ALLOWED
}
_PARTS[ast.Constant] = ()
# Digits at the end of a word: names that are numbered read alike.
_NUMBERED = re.compile(r"\d(?<=[^\W\d]\d)\d*")
_AT_ONCE = 200  # statements
_OF_MATH = "from math import "
_ROOTS = ("numpy", "math", "scipy", "builtins")
_BUILTINS = {
    "len", "sum", "min", "max", "abs", "float", "int", "bool", "round", "type", "ValueError",
    "enumerate", "getattr", "range", "slice",
}  # fmt: skip
_METHODS = {
    "sum", "mean", "max", "min", "prod", "any", "all", "reshape", "ravel", "transpose", "copy",
    "astype", "flatten", "dot",
}  # fmt: skip


def template_folder() -> Path:
    """The folder of the templates: beside the modules in a wheel, beside the package otherwise."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


@cache
def _environment(folder: Path) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([folder, template_folder()]), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip


@paused()
def render(unit: Unit, header: Sequence[str] = (), folder: Path | None = None) -> str:
    """The text of a unit. Raises `GradgenError` where a template of the user's fails."""
    from jinja2 import TemplateSyntaxError

    functions = [
        {
            "name": f.name, "signature": f.signature, "doc": docstring(f.doc),
            "body": _laid_out(f.body),
        }
        for f in unit.functions
    ]  # fmt: skip
    try:
        template = _environment(folder or template_folder()).get_template(TEMPLATE)
        text: str = template.render(
            header=list(header), imports=_in_sections(_joined_imports(unit)),
            constants=[part for line in unit.constants for part in lay_out(line)],
            functions=functions,
        )  # fmt: skip
    except TemplateSyntaxError as error:
        raise GradgenError(f"{TEMPLATE}:{error.lineno}: {error.message}") from None
    except Exception as error:  # a template can raise whatever Python can
        raise GradgenError(f"{TEMPLATE}: {type(error).__name__}: {error}") from None
    return text


def _laid_out(body: Sequence[str]) -> list[str]:
    """The lines of a body, those broken that do not fit."""
    if max(map(len, body), default=0) + 4 <= WIDTH:
        return list(body)
    lines: list[str] = []
    for line in body:
        if len(line) + 4 <= WIDTH:
            lines.append(line)
        else:
            lines += lay_out(line, 4)
    return lines


def _joined_imports(unit: Unit) -> list[str]:
    """The imports, of which those from one module of the user's share a line."""
    lines: list[str] = []
    own = {f"from {module} import " for module, _ in unit.foreign.values()}
    for line in unit.imports:
        start = line[: line.find(" import ") + len(" import ")]
        if start in own and lines and lines[-1].startswith(start):
            lines[-1] += f", {line.removeprefix(start)}"
        else:
            lines.append(line)
    return [part for line in lines for part in _within(line)]


def _within(line: str) -> list[str]:
    """An import in one line, or with a name a line."""
    start, _, names = line.partition(" import ")
    if len(line) <= WIDTH or ", " not in names:
        return [line]
    return [f"{start} import (", *(f"    {name}," for name in names.split(", ")), ")"]


def _in_sections(imports: Sequence[str]) -> list[str]:
    """Imports in order, with a blank line between the standard library and the rest."""
    own = [line for line in imports if import_order(line)[0]]
    functions = [line.removeprefix(_OF_MATH) for line in imports if line.startswith(_OF_MATH)]
    standard = [line for line in imports if not import_order(line)[0] and _OF_MATH not in line]
    standard += [_OF_MATH + ", ".join(functions)] if functions else []
    return [*standard, *([""] if own and standard else []), *own]


def body_of(text: str) -> str:
    """An emitted text without the comments at its top, which are its header."""
    lines = [line for line in text.split("\n") if not line.startswith(BODY_LINE)]
    start = next((at for at, line in enumerate(lines) if line and line[0] != "#"), len(lines))
    return "\n".join(lines[start:])


def join_units(units: Sequence[Unit]) -> Unit:
    """One unit with the functions of several: imports and constants that agree are shared.

    Raises `GradgenError` where a name at the top of the file would mean two things.
    """
    if len(units) == 1:
        return units[0]
    joined = Unit()
    meaning: dict[str, str] = {}
    for unit in units:
        for line in (*unit.imports, *unit.constants, *(f.signature[0] for f in unit.functions)):
            name = _bound_name(line)
            if meaning.setdefault(name, line) != line:
                raise GradgenError(
                    f"{name} would be both `{meaning[name]}` and `{line}` in one file; "
                    "emit the functions into files of their own"
                )
        joined.imports += [line for line in unit.imports if line not in joined.imports]
        joined.constants += [line for line in unit.constants if line not in joined.constants]
        joined.functions += unit.functions
        joined.namespace |= unit.namespace
        joined.captured += unit.captured
        joined.foreign |= unit.foreign
        joined.classes += unit.classes
        joined.notes += [note for note in unit.notes if note not in joined.notes]
    for name in meaning.keys() & vars(builtins).keys():
        if any(name not in map(_bound_name, (*u.imports, *u.constants)) for u in units):
            raise GradgenError(
                f"`{meaning[name]}` would hide Python's own {name} from the other functions; "
                "emit the functions into files of their own"
            )
    joined.imports.sort(key=import_order)
    return joined


def _bound_name(line: str) -> str:
    """The name that an import, a constant's definition or a `def` line binds."""
    if line.startswith("def "):
        return line[4:].partition("(")[0]
    return line.split()[-1] if line.startswith(("import ", "from ")) else line.partition(" ")[0]


def docstring(lines: Sequence[str]) -> list[str]:
    """The lines of a docstring literal that holds this text and cannot be broken out of."""
    if not lines:
        return []
    safe = [
        printable(line).replace("\\", "\\\\").replace('"""', '\\"\\"\\"').rstrip() for line in lines
    ]
    if len(safe) == 1 and len(safe[0]) <= 78 and not safe[0].endswith('"'):
        return [f'"""{safe[0]}"""']
    return [f'"""{safe[0]}', *safe[1:], '"""']


def printable(text: str) -> str:
    """The text with control characters, lone surrogates and bidirectional marks written out."""
    return "".join(
        c if c.isprintable() or c == "\t" else c.encode("unicode_escape", "surrogatepass").decode()
        for c in text
    ).expandtabs(4)


def inspect_unit(unit: Unit) -> None:
    """Parse what is about to be emitted, line by line, and check it against the allow-list.

    Raises `GradgenError` if it does not parse or holds anything that emission never writes.
    """
    names = {line.split()[-1] for line in unit.imports} | {f.name for f in unit.functions}
    names |= unit.foreign.keys()
    names |= set(unit.classes)
    for line in (*unit.imports, *unit.constants):
        _inspect(line, names, {str(module) for module, _ in unit.foreign.values()})
    for function in unit.functions:
        _inspect("\n".join([*function.signature, *(f"    {d}" for d in docstring(function.doc)),
                            "    return 0"]), names)  # fmt: skip
        _inspect_body(_statements(function.body), names)


def _inspect_body(statements: Sequence[str], names: set[str]) -> None:
    """Check the statements of a body, one of each form, many at a time."""
    if any(_NUMBERED.search(name) for name in names):
        forms = dict(zip(statements, statements, strict=True))
    else:
        # what is called by a name with digits is not allowed, whatever the digits
        forms = {_NUMBERED.sub("0", statement): statement for statement in statements}
    texts = list(forms.values())
    for at in range(0, len(texts), _AT_ONCE):
        some = texts[at : at + _AT_ONCE]
        try:
            _inspect("\n".join(["def body():", *some]), names)
        except GradgenError:  # say which
            for statement in some:
                _inspect(f"def body():\n{statement}", names)


def _statements(lines: Sequence[str]) -> list[str]:
    """The logical lines of a body, each with its continuation lines."""
    statements: list[str] = []
    for line in lines:
        if not line:
            continue
        if statements and line[0] in " )]}":
            statements[-1] += f"\n    {line}"
        else:
            statements.append(f"    {line}")
    return statements


def _inspect(text: str, names: set[str], foreign: Collection[str] = ()) -> None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GradgenError(f"gradgen wrote a line that does not parse: {text!r}: {error}") from None
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        kind = type(node)
        parts = _PARTS.get(kind)
        if parts is None:
            raise GradgenError(f"gradgen wrote a {kind.__name__}: {text!r}")
        if kind is ast.Call and not _is_allowed_call(node.func, names):  # type: ignore[attr-defined]
            raise GradgenError(f"gradgen wrote a call that it never writes: {text!r}")
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            )
            if any(str(m).partition(".")[0] not in _ROOTS and m not in foreign for m in modules):
                raise GradgenError(f"gradgen wrote an import that it never writes: {text!r}")
        for name in parts:
            part = getattr(node, name)
            if type(part) is list:
                stack += [item for item in part if item is not None and type(item) is not str]
            elif part is not None:
                stack.append(part)


def _is_allowed_call(function: ast.expr, names: set[str]) -> bool:
    if isinstance(function, ast.Name):
        return function.id in _BUILTINS or function.id in names
    if isinstance(function, ast.Call):  # type(p)(...)
        return isinstance(function.func, ast.Name) and function.func.id == "type"
    if isinstance(function, ast.Attribute):
        base: ast.expr = function
        while isinstance(base, ast.Attribute):
            base = base.value
        return (isinstance(base, ast.Name) and base.id in names) or function.attr in _METHODS
    return False
