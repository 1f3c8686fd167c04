"""Unit -> text: the templates lay it out, and the text is read again before anybody gets it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gradgen.emission import Unit, import_order
from gradgen.errors import GradgenError
from gradgen.layout import lay_out

TEMPLATE = "python.py.jinja"
BODY_LINE = "# gradgen-body:"
_ALLOWED = (
    ast.Module, ast.Expression, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef,
    ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.Expr, ast.Call, ast.keyword,
    ast.Attribute, ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Subscript, ast.Slice,
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop, ast.expr_context, ast.If, ast.Raise, ast.JoinedStr, ast.FormattedValue,
    ast.ListComp, ast.comprehension, ast.For,
)  # fmt: skip
_OF_MATH = "from math import "
_ROOTS = ("numpy", "math", "scipy", "builtins")
_BUILTINS = {
    "len", "sum", "min", "max", "abs", "float", "int", "bool", "round", "type", "ValueError",
    "range", "slice",
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


def render(unit: Unit, header: Sequence[str] = (), folder: Path | None = None) -> str:
    """The text of a unit. Raises `GradgenError` where a template of the user's fails."""
    from jinja2 import TemplateSyntaxError

    functions = [
        {
            "name": f.name, "signature": f.signature, "doc": docstring(f.doc),
            "body": [part for line in f.body for part in lay_out(line, 4)],
        }
        for f in unit.functions
    ]  # fmt: skip
    try:
        template = _environment(folder or template_folder()).get_template(TEMPLATE)
        text: str = template.render(
            header=list(header), imports=_in_sections(unit.imports),
            constants=[part for line in unit.constants for part in lay_out(line)],
            functions=functions,
        )  # fmt: skip
    except TemplateSyntaxError as error:
        raise GradgenError(f"{TEMPLATE}:{error.lineno}: {error.message}") from None
    except Exception as error:  # a template can raise whatever Python can
        raise GradgenError(f"{TEMPLATE}: {type(error).__name__}: {error}") from None
    return text


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
    for line in (*unit.imports, *unit.constants):
        _inspect(line, names)
    for function in unit.functions:
        _inspect("\n".join([*function.signature, *(f"    {d}" for d in docstring(function.doc)),
                            "    return 0"]), names)  # fmt: skip
        for statement in _statements(function.body):
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


def _inspect(text: str, names: set[str]) -> None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GradgenError(f"gradgen wrote a line that does not parse: {text!r}: {error}") from None
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise GradgenError(f"gradgen wrote a {type(node).__name__}: {text!r}")
        if isinstance(node, ast.Call) and not _is_allowed_call(node.func, names):
            raise GradgenError(f"gradgen wrote a call that it never writes: {text!r}")
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            )
            if any(str(m).partition(".")[0] not in _ROOTS for m in modules):
                raise GradgenError(f"gradgen wrote an import that it never writes: {text!r}")


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
