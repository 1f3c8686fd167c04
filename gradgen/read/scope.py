"""What the names of a module stand for: by its text, never executed, or by its live globals."""

from __future__ import annotations

import ast
import builtins
import functools
import math
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from gradgen.errors import Refusal, Source
from gradgen.ops import CALLS
from gradgen.read.mutation import changed_names
from gradgen.read.source import parse, read_text
from gradgen.read.standard import LIBRARIES as STANDARD_LIBRARIES
from gradgen.read.standard import REDUCE, STANDARD
from gradgen.read.values import FileModule, Known, LiveObject, Module

LIBRARIES = ("numpy", "math", "scipy", "builtins", "gradgen", *STANDARD_LIBRARIES)
SUBMODULES = ("numpy.linalg", "scipy.special", "scipy.linalg", "numpy.typing",
              "numpy.fft", "numpy.polynomial", "numpy.polynomial.polynomial")  # fmt: skip
CONSTANTS = {
    "numpy.pi": math.pi, "numpy.e": math.e, "numpy.inf": math.inf, "numpy.nan": math.nan,
    "numpy.euler_gamma": float(np.euler_gamma), "math.pi": math.pi, "math.e": math.e,
    "math.tau": math.tau, "math.inf": math.inf, "math.nan": math.nan,
}  # fmt: skip
DTYPES = {
    "float16", "float32", "float64", "longdouble", "int8", "int16", "int32", "int64", "uint8",
    "uint16", "uint32", "uint64", "bool_", "bool", "intp", "double", "single", "complex128",
}  # fmt: skip
DECORATORS = {"gradgen.grad", "gradgen.value_and_grad"}
BUILTINS = frozenset(dir(builtins))


def library_attribute(module: str, name: str) -> Any:
    """What `module.name` of a library is. Raises `Refusal` naming the nearest supported one."""
    dotted = f"{module}.{name}"
    if dotted in SUBMODULES:
        return Module(dotted)
    if dotted == "numpy.newaxis":
        return None
    if (
        dotted in CALLS
        or dotted in CONSTANTS
        or dotted in STANDARD
        or dotted in (REDUCE, "numpy.s_", "numpy.ndarray")
        or (module == "numpy" and name in DTYPES)
    ):
        return Known(dotted)
    if module == "gradgen":
        raise Refusal(f"{dotted} is not supported inside a function",
                      "emit the inner derivative first, and call what was emitted")  # fmt: skip
    if dotted == "numpy.random":
        raise Refusal(f"{dotted} is not supported", "draw the numbers outside, and pass them")
    if dotted.startswith("scipy.stats"):
        raise Refusal(f"{dotted} is not supported",
                      "write the density in NumPy; norm.cdf is scipy.special.ndtr")  # fmt: skip
    if dotted.startswith("scipy.") and ".".join(dotted.split(".")[:2]) not in SUBMODULES:
        raise Refusal(f"{dotted} is not supported",
                      "give the call a derivative of its own with gradgen.custom_rule")  # fmt: skip
    near = get_close_matches(dotted, [n for n, (op, _) in CALLS.items() if not op.refused], 1, 0.6)
    hint = f"the nearest supported function is {near[0]}" if near else ""
    raise Refusal(f"{dotted} is not supported", hint)


def import_module(dotted: str) -> Any:
    """A library module by its dotted name; None for a module that is not a library's."""
    if dotted.partition(".")[0] in LIBRARIES:
        return Module(dotted)
    return None


@dataclass(slots=True, eq=False)
class ModuleText:
    """The top level of a module, read as text: which statement binds which name."""

    # None for a module of definitions, whose places nobody is told.
    source: Source | None
    folder: Path
    # How other modules import it.
    name: str = ""
    bindings: dict[str, ast.stmt] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    # each `import *`, with the names that were bound before it
    stars: list[tuple[ast.ImportFrom, frozenset[str]]] = field(default_factory=list)
    cache: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def load(path: Path, shown: str, name: str = "") -> ModuleText:
        """The module in a file, which is parsed and never executed."""
        source = Source(shown, read_text(path))
        module = ModuleText(source, path.resolve().parent, name or module_name(path)[0])
        module._scan(parse(source), source.text)
        return module

    def _scan(self, tree: ast.Module, text: str) -> None:
        self.changed |= changed_names(_as_imported(tree), text)
        for statement, conditional, fallback in _top_level(tree.body):
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                self.stars.append((statement, frozenset(self.bindings)))
            imported = isinstance(statement, (ast.Import, ast.ImportFrom))
            for name in _bound(statement):
                again = name in self.bindings
                if again and fallback and imported:
                    continue  # `except ImportError:` after an import of the same name
                if conditional and (again or not imported):
                    self.changed.add(name)
                if again and not imported and not isinstance(statement, ast.FunctionDef):
                    self.changed.add(name)
                self.bindings[name] = statement


def _top_level(
    body: list[ast.stmt], conditional: bool = False, fallback: bool = False
) -> Iterator[tuple[ast.stmt, bool, bool]]:
    """The statements of a module: whether each may not run, and whether it is in a handler."""
    for statement in body:
        yield statement, conditional, fallback
        if isinstance(statement, ast.If):
            if not _is_main(statement.test):
                yield from _top_level(statement.body, True)
            yield from _top_level(statement.orelse, True)
        elif isinstance(statement, (ast.Try, ast.TryStar)):
            for inner in (statement.body, statement.orelse, statement.finalbody):
                yield from _top_level(inner, True, fallback)
            for handler in statement.handlers:
                yield from _top_level(handler.body, True, True)
        elif isinstance(statement, (ast.For, ast.While, ast.With)):
            yield from _top_level(statement.body, True)
            yield from _top_level(getattr(statement, "orelse", []), True)
        elif isinstance(statement, ast.Match):
            for case in statement.cases:
                yield from _top_level(case.body, True)


def _as_imported(tree: ast.Module) -> ast.Module:
    """The module without what runs only where it is a script."""
    body: list[ast.stmt] = []
    for statement in tree.body:
        main = isinstance(statement, ast.If) and _is_main(statement.test)
        body += statement.orelse if main and isinstance(statement, ast.If) else [statement]
    return ast.Module(body, [])


def _is_main(test: ast.expr) -> bool:
    return ast.unparse(test).replace('"', "'") in (
        "__name__ == '__main__'", "'__main__' == __name__",
    )  # fmt: skip


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _stored(target)
    elif isinstance(statement, (ast.AnnAssign, ast.For)):
        yield from _stored(statement.target)


def _stored(target: ast.AST) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def module_name(path: Path) -> tuple[str, Path]:
    """The dotted name by which the module in a file is imported, and the folder to import from."""
    path = path.resolve()
    parts, folder = [path.stem] if path.stem != "__init__" else [], path.parent
    while (folder / "__init__.py").is_file():
        parts, folder = [folder.name, *parts], folder.parent
    return ".".join(parts), folder


def find_module_file(folder: Path, dotted: str, level: int) -> Path | None:
    """The file of a user's module that lies beside the importing one."""
    for _ in range(level - 1):
        folder = folder.parent
    base = folder.joinpath(*dotted.split(".")) if dotted else folder
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def load_sibling(module: ModuleText, dotted: str, level: int) -> FileModule:
    """A module that is imported by text. Raises `Refusal` where no file lies beside."""
    path = find_module_file(module.folder, dotted, level)
    if path is None:
        name = "." * level + dotted
        raise Refusal(
            f"the module {name} is neither a library that gradgen knows nor a file beside this one",
            "copy the function into this file, or use the Python API",
        )
    key = f"file {path}"
    if key not in module.cache:
        module.cache[key] = FileModule(ModuleText.load(path, str(path), "" if level else dotted))
    found: FileModule = module.cache[key]
    return found


def known_name(value: Any) -> str | None:
    """The dotted name of a library's function, type or module member; None if it is not one."""
    name = getattr(value, "__name__", None)
    if not isinstance(name, str):
        return None
    # `functools.reduce` says that it is of `_functools`
    home = (getattr(value, "__module__", None) or "").removeprefix("_")
    candidates = [home] if home in (*LIBRARIES, *SUBMODULES) else []
    if isinstance(value, np.ufunc) or home.startswith(("numpy", "scipy")):
        candidates += ["numpy", "scipy.special", "numpy.linalg", "scipy.linalg"]
    if home == "gradgen.directives" and isinstance(value, types.FunctionType):
        candidates = ["gradgen"]
    for candidate in candidates:
        module = sys.modules.get(candidate)
        if module is not None and getattr(module, name, None) is value:
            return f"{candidate}.{name}"
    return None


def classify(value: Any, name: str) -> Any:
    """A live object that is not a number, an array or a container of these."""
    if value is None or isinstance(value, (str, bytes)) or value is Ellipsis:
        return value
    if isinstance(value, types.ModuleType):
        return import_module(value.__name__) or LiveObject(value, name)
    dotted = known_name(value)
    if dotted is not None:
        return Known(dotted)
    return LiveObject(value, name)


def live_lookup(names: Mapping[str, Any], wrap: Callable[[Any, str], Any]) -> Callable[[str], Any]:
    """A lookup in a live function's globals, then in the builtins."""

    def lookup(name: str) -> Any:
        if name in names:
            return wrap(names[name], name)
        if name in BUILTINS:
            return Known(f"builtins.{name}")
        raise Refusal(f"name `{name}` is not defined")

    return lookup


def unwrap_callable(function: Any) -> tuple[types.FunctionType, tuple[Any, ...], dict[str, Any]]:
    """The plain function behind a partial, a bound method or a callable object, and what is bound.

    Raises `Refusal` by name for what has no Python source.
    """
    args: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}
    for _ in range(100):
        if isinstance(function, functools.partial):
            args = (*function.args, *args)
            keywords = {**function.keywords, **keywords}
            function = function.func
        elif isinstance(function, types.MethodType):
            args = (function.__self__, *args)
            function = function.__func__
        elif isinstance(function, types.FunctionType):
            if hasattr(function, "__wrapped__"):
                raise Refusal(
                    f"{function.__qualname__} is wrapped by a decorator",
                    "pass the undecorated function (its `__wrapped__`)",
                )
            return function, args, keywords
        elif not isinstance(function, type) and isinstance(
            called := vars(type(function)).get("__call__"), types.FunctionType
        ):
            if called.__module__ == "gradgen.live":
                raise Refusal(
                    f"the derivative {function.__qualname__} is compiled at its first call",
                    "declare its shapes with shapes= or like=, to call it in a function",
                )
            args = (function, *args)
            function = called
        else:
            break
    name = getattr(function, "__qualname__", type(function).__name__)
    if hasattr(function, "__wrapped__"):
        raise Refusal(f"{name} is wrapped by a decorator",
                      "pass the undecorated function (its `__wrapped__`)")  # fmt: skip
    raise Refusal(f"{name} has no Python source to differentiate")


def star_provides(module: ModuleText, statement: ast.ImportFrom, name: str) -> bool:
    """Whether `from ... import *` binds a name. Raises `Refusal` for an unknown module."""
    if name.startswith("_"):
        return False
    home = statement.module or ""
    if not statement.level and import_module(home) is not None:
        library = sys.modules.get(home)
        public = getattr(library, "__all__", None) or dir(library)
        return f"{home}.{name}" in CALLS or f"{home}.{name}" in CONSTANTS or name in public
    scope: ModuleText = load_sibling(module, home, statement.level).scope
    public = scope.bindings.get("__all__")
    if public is not None:
        value = getattr(public, "value", None)
        if not isinstance(value, (ast.List, ast.Tuple)) or "__all__" in scope.changed:
            raise Refusal(f"the `__all__` of {home} is not a plain list", "import by name")
        return any(isinstance(e, ast.Constant) and e.value == name for e in value.elts)
    return name in scope.bindings or any(star_provides(scope, s, name) for s, _ in scope.stars)
