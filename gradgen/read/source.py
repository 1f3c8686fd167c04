"""Find the text and the syntax of a function: in a file, or behind a live function."""

from __future__ import annotations

import ast
import io
import linecache
import tokenize
import types
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from gradgen.collector import paused
from gradgen.errors import GradgenError, Location, Source, SourceError

FunctionNode = ast.FunctionDef | ast.Lambda


def read_text(path: Path) -> str:
    """The text of a Python file, decoded as Python does (BOM, PEP 263), with LF line ends."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GradgenError(f"{path}: {error.strerror or error}") from None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        source = Source(str(path), data.decode("utf-8", "replace"))
        raise SourceError(f"the file cannot be decoded: {error}", Location(source, 1, 0)) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def parse(source: Source) -> ast.Module:
    """The syntax tree of a text. Raises `SourceError` for whatever CPython's parser refuses."""
    try:
        with paused(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user's own, seen when it runs
            return ast.parse(source.text, source.path)
    except SyntaxError as error:
        line = error.lineno or 1
        prefix = source.line(line)[: max((error.offset or 1) - 1, 0)]
        place = Location(source, line, len(prefix.encode("utf-8", "surrogatepass")))
        digits = error.msg.startswith("Exceeds the limit")
        message = "an integer of more than 4,300 digits" if digits else error.msg
        raise SourceError(message, place) from None
    except (RecursionError, MemoryError):
        message = "the source is nested too deeply for CPython's own parser"
        raise SourceError(message, Location(source, 1, 0), "name the inner parts") from None
    except ValueError as error:
        raise SourceError(str(error), Location(source, 1, 0)) from None


@lru_cache(maxsize=32)
def _parsed(path: str, text: str) -> tuple[Source, tuple[FunctionNode, ...]]:
    source = Source(path, text)
    return source, tuple(_functions(parse(source)))


@lru_cache(maxsize=32)
def _compiled(path: str, text: str) -> tuple[types.CodeType, ...] | None:
    """The code of all functions of a text; None where CPython refuses it."""
    try:
        stack = [compile(text, path, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = []
    while stack:
        at = stack.pop()
        found.append(at)
        stack.extend(c for c in at.co_consts if isinstance(c, types.CodeType))
    return tuple(found)


def syntax_of(function: types.FunctionType) -> tuple[Source, FunctionNode]:
    """The source and the syntax of a live function.

    Raises `GradgenError` where the source is not to be had, or is not the one that runs.
    """
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        raise GradgenError(
            f"the source of {function.__qualname__} is not available ({code.co_filename}): "
            "define it in a file or a notebook cell"
        )
    source, functions = _parsed(code.co_filename, "".join(lines))
    found = [n for n in functions if _is(n, code)]
    if isinstance(found[0] if found else None, ast.Lambda) and len(found) > 1:
        found = [min(found, key=_extent)]
    if len(found) != 1 or not _same_code(source, code):
        raise GradgenError(
            f"the source of {function.__qualname__} in {code.co_filename}, line "
            f"{code.co_firstlineno}, is not the one that runs: load the module anew"
        )
    return source, found[0]


def _functions(tree: ast.AST) -> Iterator[FunctionNode]:
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            yield node
        stack.extend(ast.iter_child_nodes(node))


def _extent(node: ast.AST) -> tuple[int, int]:
    at: Any = node
    return (at.end_lineno - at.lineno, at.end_col_offset - at.col_offset)


def _is(node: FunctionNode, code: types.CodeType) -> bool:
    if parameter_names(node.args) != list(_parameters(code)):
        return False
    if isinstance(node, ast.FunctionDef):
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        return node.name == code.co_name and first == code.co_firstlineno
    if code.co_name != "<lambda>" or node.lineno != code.co_firstlineno:
        return False
    body: Any = node.body
    start, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
    places = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]
    spans = [((a, c), (b, d)) for a, b, c, d in places]
    return all(start <= s and e <= end for s, e in spans)


def parameter_names(args: ast.arguments) -> list[str]:
    """The names of all parameters, in the order of CPython's code objects."""
    names = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return names + [a.arg for a in (args.vararg, args.kwarg) if a]


def _parameters(code: types.CodeType) -> tuple[str, ...]:
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    return code.co_varnames[:count]


def _same_code(source: Source, code: types.CodeType) -> bool:
    """Whether compiling the text anew gives the code that runs (a file edited since does not)."""
    compiled = _compiled(source.path, source.text)
    if compiled is None:
        return True  # a notebook's magics, say
    near = [
        at for at in compiled
        if at.co_name == code.co_name and at.co_firstlineno == code.co_firstlineno
    ]  # fmt: skip
    if any("AssertionError" in name or name.startswith("@py") for name in code.co_names):
        return bool(near)  # pytest rewrites assert statements
    return any(at.co_code == code.co_code and _constants(at) == _constants(code) for at in near)


def _constants(code: types.CodeType) -> tuple[Any, ...]:
    kept = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
    return (code.co_names, code.co_varnames, [(type(c), repr(c)) for c in kept])


def stored_names(node: FunctionNode, source: Source | None = None) -> frozenset[str]:
    """The names that a function's own body assigns (its locals besides the parameters).

    A `source` without `:=` has no assignments in expressions: these are not looked at.
    """
    inside = source is None or source.holds(":=")
    names: set[str] = set()
    stack: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
    while stack:
        at = stack.pop()
        if not inside and type(at) is ast.Assign:
            stack += at.targets
            continue
        if isinstance(at, ast.Name):
            if isinstance(at.ctx, ast.Store):
                names.add(at.id)
            continue
        if not inside and isinstance(at, ast.expr) and not isinstance(at, _TARGETS):
            continue
        if isinstance(at, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(at.name)
            continue
        if isinstance(at, ast.Lambda):
            continue
        if isinstance(at, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            # its targets are its own, but a walrus in it binds a name of the function
            inner = [n for n in ast.walk(at) if isinstance(n, ast.NamedExpr)]
            names.update(n.target.id for n in inner)
            continue
        if isinstance(at, (ast.Import, ast.ImportFrom)):
            names.update((a.asname or a.name).partition(".")[0] for a in at.names)
        stack.extend(ast.iter_child_nodes(at))
    return frozenset(names)


# The expressions that hold targets of assignments.
_TARGETS = (ast.Tuple, ast.List, ast.Starred)
