"""Python source -> Graph: from a file's text, which is never executed, or from a live function."""

from __future__ import annotations

import ast
import math
import re
import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import proxy

from gradgen.collector import paused
from gradgen.directives import CustomRule
from gradgen.errors import GradgenError, Location, NeedsLength, Refusal, Source, SourceError
from gradgen.graph import Graph, GraphBuilder, Param, Record
from gradgen.ops import OPS
from gradgen.read import rules
from gradgen.read.coverage import check_empty
from gradgen.read.declare import (
    LiveTypes,
    Spec,
    Static,
    from_annotation,
    is_array_annotation,
    parse_shapes,
)
from gradgen.read.front import describe
from gradgen.read.interpret import NOT_AGAIN, Interpreter, LengthError, refuse_emitted
from gradgen.read.modules import Pending
from gradgen.read.outside import Outside, captured_values, spelled
from gradgen.read.records import as_record, attribute_paths, by_attributes
from gradgen.read.scope import DECORATORS, ModuleText, unwrap_callable
from gradgen.read.values import MISSING, Cell, Frame, Function, LiveObject, RecordValue, Ruled
from gradgen.types import FLOAT, Dim, Type

__all__ = [
    "NOT_AGAIN", "LengthError", "LiveTypes", "Spec", "Static", "captured_values", "parse_shapes",
    "program_reader", "read_file", "read_live", "read_rule", "spelled", "unwrap_callable",
]  # fmt: skip

# What the header of a file in the fast style says.
FAST_NOTE = "# Fast style"


@paused()
def read_file(
    path: Path, name: str, declared: Mapping[str, Spec], shown: str = "",
    named: Iterable[str] = (),
) -> Graph:  # fmt: skip
    """The graph of a function in a file. Nothing of the file is executed.

    Of `named`, what is no parameter becomes one where it is a module-level name.

    Arguments that are declared neither by `declared` nor by an annotation are taken as scalars; an
    integer that is a default is fixed where the program needs its value while compiling. Raises
    `SourceError` for what is not supported, `GradgenError` where there is no such function.
    """
    module = ModuleText.load(path, shown or str(path))
    assert module.source is not None
    statement = module.bindings.get(name)
    if not isinstance(statement, ast.FunctionDef):
        known = [n for n, s in module.bindings.items() if isinstance(s, ast.FunctionDef)]
        listed = f"; its functions are {', '.join(known)}" if known else ""
        raise GradgenError(f"{shown or path}: no top-level function {name}{listed}")
    place = Location(module.source, statement.lineno, statement.col_offset)
    if name in module.changed:
        message = f"the module-level name `{name}` is bound conditionally or changed later"
        raise SourceError(message, place, "bind it once, at the top level")
    declared = {**_shapes_of_emission(module.source, statement), **declared}
    try:
        return _read_statement(module, statement, name, declared, named)
    except SourceError as error:
        if FAST_NOTE in module.source.text.partition("\n\n")[0]:
            error.hint = "this file is written in the fast style; emit it with --style default"
        raise


def _read_statement(
    module: ModuleText, statement: ast.FunctionDef, name: str, declared: Mapping[str, Spec],
    named: Iterable[str],
) -> Graph:  # fmt: skip
    """As `read_file`, of a function of which the definition was found."""
    while True:
        reader = Interpreter(GraphBuilder(Graph(name=name)))
        frame = reader.modules.module_frame(module)
        own = {a.arg for a in ast.walk(statement.args) if isinstance(a, ast.arg)}
        _name_outside(reader, own, named, declared)
        for wanted in named:
            with suppress(Refusal):
                found = reader.modules.at_top(frame, wanted)
                if isinstance(found, Pending) and spelled(wanted) in reader.outside.names:
                    reader.outside.aliases[found.home] = spelled(wanted)
        function = reader.run(reader.define(statement, name, frame), frame)
        try:
            return _read(reader, function, declared, {}, module)
        except LengthError:
            fixed = _integers(reader, function, declared)
            if not fixed:
                raise
            declared = {**declared, **fixed}
            module.cache.clear()


def _integers(
    reader: Interpreter, function: Function | Ruled, declared: Mapping[str, Spec]
) -> dict[str, Static]:
    """The parameters with an integer as default that nothing declares, fixed at their defaults."""
    found = {}
    plain = function.signature if isinstance(function, Ruled) else function
    for name, default in _defaults(plain).items():
        value = reader.builder.value_of(default.node) if isinstance(default, Cell) else None
        if type(value) is int and name not in declared:
            found[name] = Static(value)
    return found


def _shapes_of_emission(source: Source, function: ast.FunctionDef) -> Mapping[str, Spec]:
    """What the header of an emitted file declares for the parameters of a function in it."""
    for text in source.text.split("\n"):
        if not text.startswith("#"):
            return {}
        found = re.match(r"# gradgen-shapes(?: (\w+))?: (.*)", text)
        if found is not None and found[1] in (None, function.name):
            shapes = parse_shapes(found[2])
            names = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
            return shapes if names.issuperset(shapes) else {}
    return {}


@paused()
def read_live(
    function: Any, declared: Mapping[str, Spec], sure: frozenset[str] = frozenset(),
    named: Iterable[str] = (),
) -> Graph:  # fmt: skip
    """The graph of a live function, a bound method, a partial or a callable object.

    `sure` names the parameters that never get an integer where a float is declared. Of `named`,
    what is no parameter becomes one where it is read from outside; `a.b` is an attribute.
    Raises `SourceError` for what is not supported, `GradgenError` where its source is not known.
    """
    rule = function if isinstance(function, CustomRule) else None
    read = function if rule is None else rule.result or rule.function
    try:
        plain, args, keywords = unwrap_callable(read)
    except Refusal as refusal:
        raise _plain_error(refusal) from None
    name = plain.__name__ if rule is None else getattr(rule, "__name__", "f")
    builder = GraphBuilder(Graph(name=name if name.isidentifier() else "f"))
    reader = Interpreter(builder)
    reader.kinds.sure = sure
    try:
        code = plain.__code__
        own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        _name_outside(reader, own, named, declared)
        found = reader.modules.read_live(plain)
        bound = {k: reader.modules.wrap_live(v, k) for k, v in keywords.items()}
        names = [a.arg for a in (*found.node.args.posonlyargs, *found.node.args.args)]
        for at, (name, value) in enumerate(zip(names, args, strict=False)):
            whole = "self" if at == 0 and isinstance(function, types.MethodType) else name
            bound[name] = reader.modules.wrap_live(value, whole)
    except Refusal as refusal:
        raise _plain_error(refusal) from None
    if rule is not None:
        return _read(reader, rules.of_live(reader, LiveObject(rule, name)), declared,
                     bound, None)  # fmt: skip
    return _read(reader, found, declared, bound, None)


def _name_outside(
    reader: Interpreter, own: Iterable[str], named: Iterable[str], declared: Mapping[str, Spec]
) -> None:
    """Tell the reader which values that are read from outside become parameters."""
    names = tuple(spelled(name) for name in named if name not in own)
    reader.outside = Outside(proxy(reader), names, declared, _parameter)


def _plain_error(refusal: Refusal) -> GradgenError:
    hint = f"; {refusal.hint}" if refusal.hint else ""
    return GradgenError(refusal.message + hint)


def read_rule(text: str, names: tuple[str, ...]) -> Graph:
    """The graph of a derivative rule: an expression over scalars, without locations.

    The functions in it are rows of the op table, by name, and `pi` and `inf`.
    """
    builder = GraphBuilder(Graph(name="rule"))
    reader = Interpreter(builder)

    def lookup(name: str) -> Any:
        dotted = {"abs": "numpy.abs", "pi": "numpy.pi", "inf": "numpy.inf"}.get(name)
        return reader.library(*(dotted or OPS[name].call).rsplit(".", 1))

    frame = Frame(None, lookup)
    for name in names:
        frame.names[name] = Cell(builder.leaf("param", (name, ()), FLOAT))
    result = reader.run(ast.parse(text, mode="eval").body, frame)
    builder.graph.results = reader.node(result)
    return builder.graph


def program_reader(builder: GraphBuilder) -> Interpreter:
    """A reader that adds the nodes of definitions to a graph."""
    return Interpreter(builder)


def _read(
    reader: Interpreter,
    function: Function | Ruled,
    declared: Mapping[str, Spec],
    bound: dict[str, Any],
    module: ModuleText | None,
) -> Graph:
    """Give the parameters nodes, run the body, keep the results.

    `module` is what is known of the function by its text; None for a live function.
    """
    held, function = function, function.signature if isinstance(function, Ruled) else function
    node, frame = function.node, function.frame
    assert frame.source is not None
    graph = reader.builder.graph
    place = Location(frame.source, node.lineno, node.col_offset)
    _check_signature(node, declared, place, reader.outside.names)
    if module is not None and not function.live:
        _refuse_foreign_decorators(node, place)
    try:
        refuse_emitted(node)
    except Refusal as refusal:
        raise SourceError(refusal.message, place, refusal.hint) from None
    values = dict(bound)
    structured = any(isinstance(spec, (dict, list, tuple)) for spec in declared.values())
    read = attribute_paths(node) if structured else set()
    defaults = _defaults(function)
    spec = node.args
    for argument in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs):
        name = argument.arg
        if name in bound:
            continue
        at = Location(frame.source, argument.lineno, argument.col_offset)
        given = _declared_type(argument, declared, defaults, reader, at)
        try:
            given = as_record(given, argument.annotation, name, frame,
                              {} if module is None else module.bindings)  # fmt: skip
        except Refusal as refusal:
            raise SourceError(refusal.message, at, refusal.hint) from None
        if isinstance(given, (dict, list, tuple)):
            given = by_attributes(given, (name,), read)
        undeclared = given is None
        tree, value = _parameter(reader, name, FLOAT if given is None else given)
        if undeclared:
            reader.undeclared[tree] = name
        graph.params.append(
            Param(
                name, tree,
                keyword_only=argument in spec.kwonlyargs,
                positional_only=argument in spec.posonlyargs,
                default=_default_text(argument, spec, defaults, reader, at),
                declared="" if undeclared else "declared",
            )
        )  # fmt: skip
        values[name] = value
    _refuse_numpy_defaults(reader, node, defaults, frame.source)
    reader.note_text(frame.source, node)
    graph.doc = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
    result = _run(reader, held, values)
    reader.outside.sort()
    graph.text = "\n".join(reader.texts.values())
    try:
        graph.results = _result_tree(reader, result)
        check_empty(graph)
    except Refusal as refusal:
        raise SourceError(refusal.message, place, refusal.hint) from None
    return graph


def _run(reader: Interpreter, function: Function | Ruled, values: dict[str, Any]) -> Any:
    from gradgen.read.source import stored_names

    if isinstance(function, Ruled):
        spec = function.signature.node.args
        args = [values[a.arg] for a in (*spec.posonlyargs, *spec.args)]
        named = {a.arg: values[a.arg] for a in spec.kwonlyargs}
        try:
            steps = rules.call(reader, function, args, named, 0)
            return reader.run(steps, function.signature.frame)
        except Refusal as refusal:
            place = rules.place_of(function.signature)
            kind = LengthError if isinstance(refusal, NeedsLength) else SourceError
            raise kind(refusal.message, place, refusal.hint) from None
    outer = function.frame
    stored = stored_names(function.node, outer.source)
    frame = Frame(outer.source, outer.lookup, values, stored, outer)
    node = function.node
    if isinstance(node, ast.Lambda):
        return reader.run(node.body, frame)
    return reader.run(reader.body_result(node, frame), frame)


def _check_signature(
    node: Any, declared: Mapping[str, Spec], place: Location, outside: tuple[str, ...]
) -> None:
    spec = node.args
    for star in (spec.vararg, spec.kwarg):
        if star is not None:
            raise SourceError(
                f"the function takes *{star.arg}", place, "name the arguments one by one"
            )
    names = [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
    for name in declared:
        if name not in names and name not in outside:
            raise SourceError(f"shapes declares {name}, which is not a parameter", place,
                              f"the parameters are {', '.join(names) or 'none'}")  # fmt: skip


def _refuse_foreign_decorators(node: Any, place: Location) -> None:
    for decorator in getattr(node, "decorator_list", []):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        text = ast.unparse(called)
        if text == "staticmethod":
            continue
        if text not in DECORATORS and text.rpartition(".")[2] not in ("grad", "value_and_grad"):
            raise SourceError(
                f"the function is decorated with {text}, which may change what it computes",
                Location(place.source, decorator.lineno, decorator.col_offset),
                "remove the decorator, or differentiate the function it is put on",
            )


def _defaults(function: Function) -> dict[str, Any]:
    spec = function.node.args
    positional = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    found = dict(zip(positional[::-1], function.defaults[::-1], strict=False))
    only = zip([a.arg for a in spec.kwonlyargs], function.keyword_defaults, strict=True)
    found.update((name, value) for name, value in only if value is not MISSING)
    return found


def _declared_type(
    argument: ast.arg, declared: Mapping[str, Spec], defaults: dict[str, Any],
    reader: Interpreter, at: Location,
) -> Spec | None:  # fmt: skip
    """The type of a parameter: declared, annotated, or told by a default that is no number."""
    name = argument.arg
    if name in declared:
        return declared[name]
    try:
        found = from_annotation(argument.annotation, name)
    except GradgenError as error:
        raise SourceError(str(error), at) from None
    if found is not None:
        return found
    default = defaults.get(name, MISSING)
    if default is None or isinstance(default, str):
        return Static(default)
    if isinstance(default, Cell) and isinstance(reader.builder.value_of(default.node), bool):
        return Static(reader.builder.value_of(default.node))
    if is_array_annotation(argument.annotation):
        raise SourceError(
            f"the shape of the argument `{name}` is needed", at, f'declare it: --shapes "{name}=n"'
        )
    return None


def _parameter(reader: Interpreter, name: str, spec: Spec, path: tuple[Any, ...] = ()) -> Any:
    """The tree of nodes of a parameter, and the value that the body sees."""
    builder = reader.builder
    if isinstance(spec, Type):
        node = builder.leaf("param", (name, path), spec)
        for axis, size in enumerate(spec.shape):
            if isinstance(size, Dim):
                builder.graph.lengths.setdefault(str(size), (node, axis))
        cell = Cell(node)
        if spec.kind == "array":
            reader.arguments[id(cell)] = cell
        return node, cell
    if isinstance(spec, Static):
        if isinstance(spec.value, (bool, int)):
            return spec, Cell(builder.const(spec.value))
        return spec, spec.value
    if isinstance(spec, Record):
        parts = [
            _parameter(reader, name, inner, (*path, f".{field}"))
            for field, inner in zip(spec.fields, spec.values, strict=True)
        ]
        tree = Record((name, path), spec.fields, tuple(t for t, _ in parts))
        held = dict(zip(spec.fields, (v for _, v in parts), strict=True))
        return tree, RecordValue(name, held, spec.like == "tuple")
    if isinstance(spec, dict):
        pairs = {k: _parameter(reader, name, v, (*path, k)) for k, v in spec.items()}
        return {k: t for k, (t, _) in pairs.items()}, {k: v for k, (_, v) in pairs.items()}
    parts = [_parameter(reader, name, v, (*path, i)) for i, v in enumerate(spec)]
    return type(spec)(t for t, _ in parts), type(spec)(v for _, v in parts)


def _default_text(
    argument: ast.arg, spec: ast.arguments, defaults: dict[str, Any], reader: Interpreter,
    at: Location,
) -> str | None:  # fmt: skip
    """How the emitted signature writes a default."""
    if argument.arg not in defaults:
        return None
    value = defaults[argument.arg]
    if isinstance(value, Cell):
        known = reader.builder.value_of(value.node)
        if isinstance(known, (bool, int, float)):
            finite = not isinstance(known, float) or math.isfinite(known)
            return repr(known) if finite else f'float("{known!r}")'
    elif value is None or isinstance(value, str):
        return repr(value)
    raise SourceError(f"the default of `{argument.arg}` is not a number, a string or None", at)


def _refuse_numpy_defaults(
    reader: Interpreter, node: ast.FunctionDef | ast.Lambda, defaults: Mapping[str, Any],
    source: Source,
) -> None:  # fmt: skip
    """Refuse a default of NumPy's where it decides a precision: a signature has Python's only."""
    graph = reader.builder.graph
    single = any(t.dtype == "float32" for t in graph.types)
    for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        value = defaults.get(argument.arg)
        if not isinstance(value, Cell) or graph.types[value.node].kind != "scalar":
            continue
        dtype = graph.types[value.node].dtype
        if dtype == "float32" or (dtype == "float64" and single):
            at = Location(source, argument.lineno, argument.col_offset)
            raise SourceError(
                f"the default of `{argument.arg}` is a number of NumPy's, np.{dtype}, which "
                "decides the precision of what it meets",
                at, "make the default a number of Python's",
            )  # fmt: skip


def _result_tree(reader: Interpreter, value: Any) -> Any:
    if isinstance(value, Cell):
        return reader.refresh(value)
    if value is None:
        raise Refusal("the function returns None", "return the value to differentiate")
    if isinstance(value, RecordValue):
        raise Refusal("a result that is a dataclass or NamedTuple is not supported",
                      "return its fields as a tuple")  # fmt: skip
    if isinstance(value, dict):
        return {k: _result_tree(reader, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_result_tree(reader, v) for v in value)
    raise Refusal(f"the function returns {describe(value)}", "return numbers or arrays")
