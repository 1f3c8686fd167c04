"""A point at which a function is looked at: its arguments, given as literals or as live values."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradgen.errors import GradgenError, SourceError
from gradgen.graph import Graph, Record, Tree, leaves
from gradgen.live import LEVELS, Deferred, Shapes, read_declared, read_signature
from gradgen.program import Wrt
from gradgen.read import LiveTypes, Spec, parse_shapes, read_file
from gradgen.read.scope import ModuleText
from gradgen.types import INT, Type


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function, the values of its defaults, and which are whole numbers."""

    names: Sequence[str]
    defaults: Mapping[str, Any]
    whole: frozenset[str]


@dataclass(frozen=True, slots=True)
class Point:
    """A function that was read, and its arguments; None where no values were given."""

    graph: Graph
    arguments: dict[str, Any] | None


def parse_at(text: str) -> dict[str, Any]:
    """The values in `x=-2, w=[1, 1.5], p={"b": 3}`: Python literals by the names of parameters.

    Raises `GradgenError` for anything else.
    """
    try:
        call = ast.parse(f"f({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise GradgenError(f"at {text!r}: expected name=value, name=value") from None
    whole = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args
    if not whole or not all(word.arg for word in call.keywords):  # type: ignore[attr-defined]
        raise GradgenError(f"at {text!r}: expected name=value, name=value")
    found: dict[str, Any] = {}
    for word in call.keywords:  # type: ignore[attr-defined]
        if word.arg in found:
            raise GradgenError(f"at {text!r}: {word.arg} is given twice")
        try:
            found[word.arg] = ast.literal_eval(word.value)
        except (ValueError, TypeError, RecursionError, MemoryError):
            raise GradgenError(
                f"at: {word.arg}={ast.unparse(word.value)} is not a Python literal: "
                "give numbers, lists, tuples and dicts of them"
            ) from None
    return found


def of_file(location: str, at: Mapping[str, Any] | None, shapes: Shapes, wrt: Wrt) -> Point:
    """The function at `PATH.py:function`, at these values. Nothing of the file is executed.

    Raises what `read_file` raises, and `GradgenError` for values that do not fit.
    """
    path, _, name = location.rpartition(":")
    if not path or not name:
        raise GradgenError(f"{location}: expected PATH.py:function")
    declared = parse_shapes(shapes)

    def read(specs: Mapping[str, Spec]) -> Graph:
        return read_file(Path(path), name, specs, path)

    if at is None:
        return Point(read(declared), None)
    found = ModuleText.load(Path(path), path).bindings.get(name)
    if not isinstance(found, ast.FunctionDef):
        read(declared)  # which says what there is instead
        raise AssertionError("a function that can be read is defined")
    return _located(read, _signature_of(found), at, declared, wrt)


def of_function(
    function: Callable[..., Any], at: Mapping[str, Any] | None, shapes: Shapes, wrt: Wrt
) -> Point:
    """A live function at these values, or that of which this is an emitted derivative.

    Raises what `read_live` raises.
    """
    declared = parse_shapes(shapes)
    if isinstance(function, Deferred) or isinstance(getattr(function, "graph", None), Graph):
        function = function.original  # type: ignore[attr-defined]

    def read(specs: Mapping[str, Spec]) -> Graph:
        return read_declared(function, specs)

    if at is None:
        return Point(read(declared), None)
    names, defaults = read_signature(function)
    kinds = inspect.signature(function).parameters
    whole = {n for n in names if kinds[n].annotation in (int, "int") or _is_int(defaults.get(n))}
    return _located(read, Signature(names, defaults, frozenset(whole)), at, declared, wrt)


def _is_int(value: Any) -> bool:
    return type(value) is int


def _signature_of(found: ast.FunctionDef) -> Signature:
    spec = found.args
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
    positional = [*spec.posonlyargs, *spec.args][::-1]
    texts = dict(zip([a.arg for a in positional], spec.defaults[::-1], strict=False))
    only = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    texts |= {a.arg: node for a, node in only if node is not None}
    defaults: dict[str, Any] = {}
    for name, node in texts.items():
        try:
            defaults[name] = ast.literal_eval(node)
        except (ValueError, TypeError):
            continue  # no literal: a value has to be given
    noted = {a.arg for a in every if a.annotation and ast.unparse(a.annotation) in ("int", "'int'")}
    whole = noted | {name for name, value in defaults.items() if _is_int(value)}
    return Signature([a.arg for a in every], defaults, frozenset(whole))


def _located(
    read: Callable[[Mapping[str, Spec]], Graph], signature: Signature, at: Mapping[str, Any],
    declared: Mapping[str, Spec], wrt: Wrt,
) -> Point:  # fmt: skip
    """The graph for arguments of these types: fixed while compiling is only what has to be."""
    for name in at:
        if name not in signature.names:
            known = ", ".join(signature.names) or "none"
            raise GradgenError(f"at names {name}, which is not a parameter; they are {known}")
    missing = [n for n in signature.names if n not in at and n not in signature.defaults]
    if missing:
        raise GradgenError(f"at gives no value for {', '.join(missing)}")
    whole = {n for n in signature.whole if n not in declared}
    whole |= {n for n, spec in declared.items() if spec == INT}
    given = {n: at[n] if n in at else signature.defaults[n] for n in signature.names}
    arguments = {
        n: converted(value, declared.get(n, INT if n in whole else None), n)
        for n, value in given.items()
    }
    tried: list[Mapping[str, Spec]] = []
    for lengths, numbers in LEVELS:
        types = LiveTypes(lengths, numbers)
        specs = {n: types.spec(value, n) for n, value in arguments.items()}
        specs |= {n: spec for n, spec in declared.items() if not (numbers and spec == INT)}
        if specs in tried:
            continue
        tried.append(specs)
        try:
            graph = read(specs)
        except SourceError as error:
            refused = error
            continue
        held = {p.name: _as_read(p.tree, arguments[p.name]) for p in graph.params}
        return Point(graph, held)
    raise refused


def _as_read(tree: Tree, value: Any) -> Any:
    """A dict that stands for a record, with attributes as the record has them."""
    if isinstance(tree, Record) and isinstance(value, dict):
        parts = zip(tree.fields, tree.values, strict=True)
        return SimpleNamespace(**{name: _as_read(part, value[name]) for name, part in parts})
    return value


def converted(value: Any, spec: Spec | None, name: str) -> Any:
    """A value as the function gets it: lists of numbers are arrays, whole numbers are floats.

    What is declared otherwise is as it is declared. Raises `GradgenError` where it cannot be.
    """
    if isinstance(spec, dict) and isinstance(value, dict):
        return {k: converted(v, spec.get(k), f"{name}[{k!r}]") for k, v in value.items()}
    if isinstance(spec, (list, tuple)) and isinstance(value, (list, tuple)):
        inner = [*spec, *[None] * len(value)]
        return type(value)(converted(v, s, f"{name}[{k}]")
                           for k, (v, s) in enumerate(zip(value, inner, strict=False)))  # fmt: skip
    if isinstance(spec, Type):
        return _of_type(value, spec, name)
    if isinstance(value, dict):
        return {k: converted(v, None, f"{name}[{k!r}]") for k, v in value.items()}
    if _is_int(value):
        return _float(value, name)
    if type(value) not in (list, tuple):
        return value
    if not _holds_numbers(value):
        return type(value)(converted(v, None, f"{name}[{k}]") for k, v in enumerate(value))
    try:
        return np.array(value, float)
    except (ValueError, OverflowError):
        return type(value)(converted(v, None, f"{name}[{k}]") for k, v in enumerate(value))


def _of_type(value: Any, t: Type, name: str) -> Any:
    """A number or an array of a type. Raises `GradgenError`."""
    try:
        found: Any = np.asarray(value)
        if found.dtype.kind not in "biuf" or (t.kind != "array" and found.ndim):
            raise ValueError
        made: Any
        if t.kind == "array":
            made = found.astype(t.dtype)
        elif t.kind == "scalar":
            made = found.astype(t.dtype)[()]
        else:
            made = found.item() if t.dtype == "bool" else {"int": int}.get(t.dtype, float)(found)
        if not t.is_float and not np.array_equal(made, found):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise GradgenError(f"at: {name}={value!r} is not {t}") from None
    return made


def _float(value: int, name: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise GradgenError(f"at: {name} is too large for a float") from None


def _holds_numbers(value: Any) -> bool:
    """Whether nested lists hold Python numbers only."""
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) in (list, tuple):
            stack += item
        elif type(item) not in (int, float):
            return False
    return True


def every_float(graph: Graph) -> tuple[str, ...]:
    """The parameters that hold numbers to differentiate by, and nothing else."""
    return tuple(
        param.name for param in graph.params
        if (nodes := list(leaves(param.tree))) and all(graph.types[n].is_float for n in nodes)
    )  # fmt: skip
