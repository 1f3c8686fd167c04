"""What the names of modules stand for: by text, evaluated when asked for, and by live values."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradgen.errors import GradgenError, Refusal
from gradgen.read.classes import refused, text_fields
from gradgen.read.scope import (
    BUILTINS,
    CONSTANTS,
    ModuleText,
    classify,
    import_module,
    live_lookup,
    load_sibling,
    star_provides,
    unwrap_callable,
)
from gradgen.read.source import syntax_of
from gradgen.read.values import (
    MISSING,
    Cell,
    FileModule,
    Frame,
    Function,
    Known,
    LiveObject,
    RecordType,
)
from gradgen.types import Type


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A module-level name whose definition has not been read yet."""

    module: ModuleText
    name: str
    statement: ast.stmt

    @property
    def home(self) -> tuple[str | None, str]:
        """Where the name stands: the path of its module, and what it is called there."""
        return (None if self.module.source is None else self.module.source.path, self.name)


class Modules:
    """The names of modules: by their text, for files, and by their values, for live functions."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self._functions: dict[int, Function] = {}

    def module_frame(self, module: ModuleText) -> Frame:
        """The frame of a module's top level."""
        return Frame(module.source, self.text_lookup(module), module=module)

    def text_lookup(self, module: ModuleText) -> Any:
        """A lookup of a module's names by its text; `Pending` for what must be evaluated."""

        def lookup(name: str) -> Any:
            if name in module.cache:
                return module.cache[name]
            statement = module.bindings.get(name)
            if statement is None and name not in module.changed:
                return self.star_lookup(module, name)
            later = [star for star, before in module.stars if name in before]
            hidden = any(star_provides(module, star, name) for star in later)
            if statement is None or name in module.changed or hidden:
                raise Refusal(
                    f"the module-level name `{name}` is bound conditionally or changed later",
                    "bind it once, at the top level",
                )
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                module.cache[name] = self.imported(module, statement, name)
                return module.cache[name]
            return Pending(module, name, statement)

        return lookup

    def at_top(self, frame: Frame, dotted: str) -> Any:
        """What a name at the top level of a file stands for, or one of a module it imports."""
        first, *rest = dotted.split(".")
        found = frame.lookup(first)
        for name in rest:
            if not isinstance(found, FileModule):
                return None
            found = self.text_lookup(found.scope)(name)
        return found

    def imported(self, module: ModuleText, statement: ast.stmt, name: str) -> Any:
        """What an import statement binds to a name."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    dotted = alias.name if alias.asname else name
                    return import_module(dotted) or load_sibling(module, dotted, 0)
        assert isinstance(statement, ast.ImportFrom)
        origin = next(a.name for a in statement.names if (a.asname or a.name) == name)
        home = statement.module or ""
        if not statement.level and import_module(home) is not None:
            return self.reader.library(home, origin)
        if not home:
            return load_sibling(module, origin, statement.level)
        sibling = load_sibling(module, home, statement.level)
        return self.text_lookup(sibling.scope)(origin)

    def star_lookup(self, module: ModuleText, name: str) -> Any:
        """A name that an `import *` binds, or a builtin."""
        for statement, _ in reversed(module.stars):
            if star_provides(module, statement, name):
                home = statement.module or ""
                if not statement.level and import_module(home) is not None:
                    return self.reader.library(home, name)
                sibling = load_sibling(module, home, statement.level)
                return self.text_lookup(sibling.scope)(name)
        if name in BUILTINS:
            return Known(f"builtins.{name}")
        raise Refusal(f"name `{name}` is not defined")

    def resolve_pending(self, pending: Pending) -> Any:
        """Steps that evaluate a module-level definition, once."""
        module, name, statement = pending.module, pending.name, pending.statement
        frame = self.module_frame(module)
        if isinstance(statement, ast.ClassDef):
            if module.source is not None:
                self.reader.note_text(module.source, statement)
            module.cache[name] = yield self.record_type(statement, frame, module.bindings)
            return module.cache[name]
        if isinstance(statement, ast.FunctionDef):
            value = yield self.reader.define(statement, name, frame)
        else:
            if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
                raise Refusal(f"the module-level name `{name}` is not a plain assignment")
            if module.source is not None:
                self.reader.note_text(module.source, statement)
            held = yield statement.value, frame
            inner = Frame(None, frame.lookup)
            for target in getattr(statement, "targets", None) or [statement.target]:  # type: ignore[union-attr]
                self.reader.assign_target(target, held, inner, None)
            value = inner.names[name]
        if module.source is not None:
            given, value = value, self.reader.outside.by_text(value, pending.home, name)
            if isinstance(value, Cell) and value is given:
                value = self.reader.wrap(
                    self.reader.builder.named_global(
                        module.source.path, name, self.reader.node(value)
                    )
                )
        module.cache[name] = self.reader.outer(value, name)
        return value

    def record_type(
        self, statement: ast.ClassDef, frame: Frame, bindings: Mapping[str, ast.stmt]
    ) -> Any:
        """Steps that evaluate the defaults of a class of records."""
        found = text_fields(statement, bindings)
        if found is None:
            raise refused(statement.name)
        fields, is_tuple = found
        defaults = {}
        for name, default in fields.items():
            if default is not None:
                defaults[name] = self.reader.outer((yield default, frame), name)
        return RecordType(statement.name, tuple(fields), defaults, is_tuple)

    def read(self, value: Any, name: str, home: tuple[Any, ...]) -> Any:
        """The value of a live object that is read by name, in the place `home`."""
        outside = self.reader.outside
        if name in outside.names:
            return outside.live(value, name, home)
        return self.wrap_live(value, name)

    def wrap_live(self, value: Any, name: str) -> Any:
        """The value of a live object that a function reads by name."""
        if (
            isinstance(value, (bool, int, float))
            or type(value) is np.ndarray
            or isinstance(value, np.generic)
        ):
            return self.reader.outer(self.reader.wrap(self.capture(value, name)), name)
        if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
            items = [self.wrap_live(v, f"{name}_{i}") for i, v in enumerate(value)]
            return self.reader.outer(type(value)(items), name)
        if type(value) is dict and all(isinstance(k, (str, int)) for k in value):
            pairs = {k: self.wrap_live(v, f"{name}_{k}") for k, v in value.items()}
            return self.reader.outer(pairs, name)
        if type(value) is range:
            return value
        found = classify(value, name)
        if isinstance(found, Known) and found.name in CONSTANTS:
            return self.reader.library(*found.name.rsplit(".", 1))
        return found

    def capture(self, value: Any, name: str) -> int:
        """The node of a captured number or array, under a name of its own."""
        name = name if name.isidentifier() else "captured"
        captured = self.reader.builder.graph.captured
        while name in captured and captured[name] is not value:
            name += "_"
        if isinstance(value, int) and value.bit_length() > 1024:
            raise Refusal(f"`{name}` is an integer beyond the range of a float")
        if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
            found, known = Type("py", type(value).__name__), value
        else:
            held = np.asarray(value)
            if held.dtype.kind not in "biuf" or str(held.dtype) in ("float16", "float128"):
                raise Refusal(f"the captured array `{name}` holds {held.dtype}, which is not "
                              "supported")  # fmt: skip
            kind: Any = "array" if isinstance(value, np.ndarray) else "scalar"
            found, known = Type(kind, str(held.dtype), held.shape), None
            if kind == "scalar":
                known = value.item()
        self.reader.outside.check(value, name)
        captured[name] = value
        node: int = self.reader.builder.leaf("global", ("live", name), found, known)
        return node

    def live_function(self, value: LiveObject) -> tuple[Function, list[Any], dict[str, Any]]:
        """The function behind a live callable of the user's, and its bound arguments."""
        function, args, keywords = unwrap_callable(value.value)
        bound = [
            self.wrap_live(a, f"{value.name}_{i}" if i else "self") for i, a in enumerate(args)
        ]
        named = {k: self.wrap_live(v, k) for k, v in keywords.items()}
        return self.read_live(function), bound, named

    def read_live(self, function: types.FunctionType) -> Function:
        """A live function as syntax with its closure and globals."""
        known = self._functions.get(id(function))
        if known is not None:
            return known
        try:
            source, node = syntax_of(function)
        except GradgenError as error:
            raise Refusal(str(error)) from None
        home = ("module", id(function.__globals__))
        lookup = live_lookup(function.__globals__, lambda value, name: self.read(value, name, home))
        frame = Frame(source, lookup, home=function.__module__ or "")
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                frame.names[name] = self.read(cell.cell_contents, name, ("closure", id(cell)))
            except ValueError:
                continue  # an empty cell: the name is not bound yet
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        values = function.__defaults__ or ()
        pairs = zip(names[len(names) - len(values) :], values, strict=True)
        defaults = tuple(self.live_default(value, name) for name, value in pairs)
        given = function.__kwdefaults__ or {}
        only = tuple(
            self.live_default(given[a.arg], a.arg) if a.arg in given else MISSING
            for a in node.args.kwonlyargs
        )
        found = Function(node, frame, function.__name__, defaults, only, live=True)
        self._functions[id(function)] = found
        return found

    def live_default(self, value: Any, name: str) -> Any:
        """The value of a default; a number needs no name of its own."""
        if type(value) in (bool, int, float):
            return self.reader.lift(value)
        return self.wrap_live(value, name)
