"""Emitted functions in a running process: compiled at once, or at the first call."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import linecache
import threading
import types
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from gradgen import cache
from gradgen.directives import CustomRule
from gradgen.errors import GradgenError, NotCompiledError, SourceError, ZeroDerivativeWarning
from gradgen.graph import Graph, Param, Record
from gradgen.modes import taken
from gradgen.program import (
    Options,
    Program,
    active_names,
    chosen_names,
    compile_graph,
    outside_names,
)
from gradgen.read import (
    LengthError,
    LiveTypes,
    Spec,
    Static,
    captured_values,
    parse_shapes,
    read_live,
    spelled,
    unwrap_callable,
)
from gradgen.render import render
from gradgen.unit import Unit

Shapes = str | Mapping[str, Any] | None
Made = TypeVar("Made")


def bound_names(unit: Unit, original: Any) -> dict[str, Any]:
    """What the emitted code reads by name: captured values, and the user's functions it calls.

    Those in the module of the original are taken from there: another one may have its name.
    """
    home = getattr(original, "__module__", None) or "gradgen_emitted"
    plain = original.function if isinstance(original, CustomRule) else original
    own = getattr(plain, "__globals__", {})
    short = home.rpartition(".")[2]
    beside = {
        name: own[there] for name, (module, there) in unit.foreign.items()
        if there in own and str(module).rpartition(".")[2] == short
    }  # fmt: skip
    return {**beside, **unit.namespace, "__name__": home}


def compiled(text: str | ast.Module, filename: str, unit: Unit, names: Mapping[str, Any]) -> Any:
    """The code of an emitted text, without the imports of functions that are bound already."""
    if unit.foreign:
        tree = ast.parse(text) if isinstance(text, str) else text
        tree.body = [
            at for at in tree.body
            if not (isinstance(at, ast.ImportFrom)
                    and all((alias.asname or alias.name) in names for alias in at.names))
        ]  # fmt: skip
        text = tree
    return compile(text, filename, "exec", dont_inherit=True)


def load(program: Program, mode: str, original: Any) -> Any:
    """The emitted function, compiled; its lines are known to debuggers and tracebacks."""
    unit = program.unit
    graph = program.graph
    function = _loaded(render(unit), unit, graph, graph, mode, original)
    if program.vanishes:
        warnings.warn(program.warning, ZeroDerivativeWarning, stacklevel=4)
    return function


def _loaded(text: str, unit: Unit, read: Graph, graph: Graph, mode: str, original: Any) -> Any:
    """The function of a mode in a text, which finds captured values in its globals.

    `read` is a graph with the parameters of the function; `graph` may be one that is made later.
    """
    name = read.name
    namespace = bound_names(unit, original)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    filename = f"<gradgen {name}_{mode} {digest}>"
    exec(compiled(text, filename, unit, namespace), namespace)
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    for name_inside, value in unit.namespace.items():
        if isinstance(value, np.ndarray):
            # What the user does to a captured array later is seen, as in the original.
            namespace[name_inside] = value
    function = namespace[f"{name}_{mode}"]
    for param in read.params:
        if param.declared == "captured":
            # the value itself, which the text may have no literal for
            bound = function.__kwdefaults__ or {}
            function.__kwdefaults__ = {**bound, param.name: read.captured[param.name]}
    function.__module__ = namespace["__name__"]
    function.__name__ = getattr(original, "__name__", name)
    function.__qualname__ = getattr(original, "__qualname__", name)
    function.source = text
    function.graph = graph
    function.original = original
    return function


def _finished(graph: Graph, options: Options, guard: bool, original: Any, cached: bool) -> Any:
    """The emitted function of a graph that was read; if `cached` from disk, where it is there."""
    key = cache.key_of(graph, options, guard) if cached else None
    held = None if key is None else cache.find(key)
    if held is not None:
        captured = {inside: graph.captured[name] for inside, name in held.captured.items()}
        later = LaterGraph(lambda: compile_graph(graph, options, guard).graph)
        unit = Unit(namespace=captured)
        return _loaded(held.text, unit, graph, later, options.mode, original)
    program = compile_graph(graph, options, guard)
    # what is imported, or told when compiling, is in no text
    if key is not None and not program.unit.foreign and not program.vanishes:
        cache.keep(key, cache.Entry(render(program.unit), program.unit.origins))
    return load(program, options.mode, original)


class LaterGraph(Graph):
    """The graph of a function whose source was found on disk: made when it is first looked at."""

    __slots__ = ()
    _lock = threading.RLock()

    def __init__(self, make: Callable[[], Graph]) -> None:
        object.__setattr__(self, "text", make)

    def __getattribute__(self, name: str) -> Any:
        with LaterGraph._lock:
            make = object.__getattribute__(self, "text")
            if callable(make):  # no other thread has been here
                made = make()
                for column in fields(Graph):
                    object.__setattr__(self, column.name, getattr(made, column.name))
                self.__class__ = Graph  # type: ignore[assignment]
        return object.__getattribute__(self, name)


# What is fixed while compiling: (the lengths, the values of Python ints).
LEVELS = ((False, False), (False, True), (True, False), (True, True))
MAX_SHORTCUTS = 1024


# Types of arguments whose values are no part of a signature.
_BY_TYPE = frozenset({float, int, np.float64, np.float32})


def fingerprint(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The dtypes and shapes of the arguments that are arrays."""
    return tuple([(a.dtype, a.shape) if type(a) is np.ndarray else None for a in args])


class Deferred:
    """A function whose shapes are not declared: compiled at the first call of each signature.

    Calls take the arguments of the original. `.source` and `.graph` are those of the last
    compilation; before the first call they raise `NotCompiledError`.
    """

    def __init__(self, function: Any, options: Options, cached: bool) -> None:
        self._function = self.original = function
        self._options = options
        self._cached = cached
        self._lock = threading.RLock()
        self._compiled: dict[Any, Any] = {}
        self._refused: set[Any] = set()
        self._by_value: set[Any] = set()
        self._shortcuts: dict[Any, Any] = {}
        self._latest: Any = None
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = getattr(function, "__name__", "f")
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = getattr(function, "__module__", __name__)
        own, self._defaults = read_signature(function)
        # what wrt names besides is read from outside, and is what it is there unless it is given
        self._outside = outside_names(options.wrt, own)
        outside = [spelled(name) for name in self._outside]
        every = [*own, *outside]
        self._active = active_names(options.wrt, every)
        # tangents and seeds tell nothing that is not checked when they are given
        params = [*read_parameters(function), *(Param(n, None, True) for n in outside)]
        params = taken(options.mode, params, chosen_names(options.wrt, every))
        self._names = [p.name for p in params]
        self._own, self._optional = frozenset(every), frozenset(outside)
        self.__signature__ = inspect.Signature([self._parameter(p) for p in params])

    def _parameter(self, param: Param) -> inspect.Parameter:
        kind = (
            inspect.Parameter.KEYWORD_ONLY if param.keyword_only
            else inspect.Parameter.POSITIONAL_ONLY if param.positional_only
            else inspect.Parameter.POSITIONAL_OR_KEYWORD
        )  # fmt: skip
        default = self._defaults.get(param.name, inspect.Parameter.empty)
        return inspect.Parameter(param.name, kind, default=default)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """The derivative at these arguments; they are the original function's."""
        if keywords:
            return self._for(self._bind(args, keywords))(*args, **keywords)
        types = tuple(map(type, args))
        found = self._shortcuts.get(types)
        if found is None:
            found = self._shortcuts.get((types, fingerprint(args)))
            if found is None:
                found = self._for(self._bind(args, {}))
                self._remember(types, args, found)
        return found(*args)

    def _remember(self, types: tuple[type, ...], args: tuple[Any, ...], function: Any) -> None:
        """Find the function faster where types, dtypes and shapes alone are the signature."""
        if len(self._shortcuts) >= MAX_SHORTCUTS:
            self._shortcuts.clear()
        if int in types and function in self._by_value:
            return
        if all(t in _BY_TYPE for t in types):
            self._shortcuts[types] = function
        elif all(t in _BY_TYPE or t is np.ndarray for t in types):
            self._shortcuts[types, fingerprint(args)] = function

    def _bind(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        if len(args) > len(self._names):
            raise TypeError(
                f"{self.__name__}() takes {len(self._names)} arguments, not {len(args)}"
            )
        given = dict(zip(self._names, args, strict=False))
        for name, value in keywords.items():
            if name in given_by_name(self._function):
                raise TypeError(
                    f"{self.__name__}() has {name} from its partial; leave it out there to pass it"
                )
            if name in given or name not in self._names:
                raise TypeError(f"{self.__name__}() got an unexpected argument {name!r}")
            given[name] = value
        if self._outside and not isinstance(self._function, Deferred):
            plain = unwrap_callable(self._function)[0]
            given = {**captured_values(plain, self._outside), **given}
        missing = [n for n in self._names if n not in given and n not in self._defaults
                   and n not in self._optional]  # fmt: skip
        if missing:
            raise TypeError(f"{self.__name__}() misses the argument {missing[0]!r}")
        given = {**self._defaults, **given}
        return {n: given[n] for n in self._names if n in given}

    def _for(self, given: dict[str, Any]) -> Any:
        """The emitted function for the signature of these arguments.

        What is fixed is only what the program needs: first nothing, then the values of Python
        ints, then lengths, then both.
        """
        with self._lock:
            refused: SourceError | None = None
            tried: set[Any] = set()
            for lengths, numbers in LEVELS:
                types = LiveTypes(lengths, numbers, self._active)
                specs = {
                    name: types.spec(value, name)
                    for name, value in given.items() if name in self._own
                }  # fmt: skip
                key = signature_key(specs)
                if key in self._compiled:
                    return self._compiled[key]
                if key in tried or (key in self._refused and (lengths, numbers) != LEVELS[-1]):
                    continue
                tried.add(key)
                try:
                    function = self._compile(specs)
                except SourceError as error:
                    refused = error
                    continue
                self._refused.update(tried - {key})
                self._compiled[key] = self._latest = function
                if numbers:
                    self._by_value.add(function)
                return function
            assert refused is not None, "the last level is always tried"
            raise refused

    def declared(self, specs: Mapping[str, Spec]) -> Any:
        """The emitted function for declared arguments, which is a function to differentiate."""
        with self._lock:
            own = {name: spec for name, spec in specs.items() if name in self._own}
            key = "declared", signature_key(own)
            if key not in self._compiled:
                self._compiled[key] = self._compile(own)
            return self._compiled[key]

    def _compile(self, specs: dict[str, Spec]) -> Any:
        # An integer for a number that is not differentiated has a signature of its own.
        sure = frozenset(specs) - self._active
        graph = read_live(_plain(self._function, specs), specs, sure, self._outside)
        # What a call's arguments are is told by its signature: there is nothing left to check.
        return _finished(graph, self._options, False, self._function, self._cached)

    @property
    def source(self) -> str:
        """The emitted source of the last compilation."""
        return str(self._of_latest("source"))

    @property
    def graph(self) -> Graph:
        """The derived graph of the last compilation."""
        found: Graph = self._of_latest("graph")
        return found

    def _of_latest(self, name: str) -> Any:
        if self._latest is None:
            raise NotCompiledError(
                f"{self.__name__} is compiled at its first call, when the shapes are known; "
                f"call it first, or declare shapes= or like= to have .{name} at once"
            )
        return getattr(self._latest, name)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A method, where the function is defined in a class."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> str:
        return self.__qualname__


def _plain(function: Any, specs: Mapping[str, Spec]) -> Any:
    """A function to read: of one that is compiled at its first call, what is emitted for these."""
    return function.declared(specs) if isinstance(function, Deferred) else function


def read_signature(function: Any) -> tuple[list[str], dict[str, Any]]:
    """The names of a callable's parameters and the values of its defaults.

    What a partial gives by name is no parameter any more. Raises `GradgenError` for a callable
    without a readable signature, or with `*args`.
    """
    parameters = _inspected(function)
    return [p.name for p in parameters], {
        p.name: p.default for p in parameters if p.default is not p.empty
    }


def read_parameters(function: Any) -> list[Param]:
    """The parameters of a callable, without what they hold. Raises as `read_signature`."""
    return [
        Param(p.name, None, p.kind is p.KEYWORD_ONLY, p.kind is p.POSITIONAL_ONLY,
              None if p.default is p.empty else repr(p.default))
        for p in _inspected(function)
    ]  # fmt: skip


def _inspected(function: Any) -> Sequence[inspect.Parameter]:
    try:
        parameters = tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        name = getattr(function, "__name__", type(function).__name__)
        raise GradgenError(f"{name} has no Python source to differentiate") from None
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            star = "*" if p.kind is p.VAR_POSITIONAL else "**"
            raise GradgenError(f"the function takes {star}{p.name}; name the arguments one by one")
    given = given_by_name(function)
    return [p for p in parameters if p.name not in given]


def given_by_name(function: Any) -> Mapping[str, Any]:
    """What a partial passes by name to the function behind it."""
    return function.keywords if isinstance(function, functools.partial) else {}


def signature_key(specs: Any) -> Any:
    """A hashable key of a tree of types."""
    if isinstance(specs, dict):
        return tuple((k, signature_key(v)) for k, v in specs.items())
    if isinstance(specs, Record):
        return (specs.like, specs.fields, signature_key(list(specs.values)))
    if isinstance(specs, (list, tuple)):
        return (type(specs).__name__, tuple(signature_key(v) for v in specs))
    if isinstance(specs, Static):
        return (type(specs.value).__name__, specs.value)
    return specs


def like_specs(like: Any, names: Sequence[str], types: LiveTypes) -> dict[str, Spec]:
    """The declarations that example arguments make: a tuple in order, or a dict by name."""
    if isinstance(like, Mapping):
        given = dict(like)
    elif isinstance(like, (tuple, list)):
        if len(like) > len(names):
            raise GradgenError(f"like has {len(like)} items, the function {len(names)} parameters")
        given = dict(zip(names, like, strict=False))
    else:
        raise GradgenError("like takes a tuple or a dict of example arguments")
    return {name: types.spec(value, name) for name, value in given.items()}


def compile_declared(function: Any, options: Options, shapes: Shapes, like: Any) -> Program:
    """Compile a function whose arguments are declared; what nothing declares is a number."""
    return _declared(function, options, shapes, like, compile_graph)


def _declared(
    function: Any, options: Options, shapes: Shapes, like: Any,
    finish: Callable[[Graph, Options], Made],
) -> Made:  # fmt: skip
    """What `finish` makes of the graph of a function whose arguments are declared.

    The Python ints among the example arguments, and those that are defaults, are fixed only where
    the program needs their values.
    """
    declared = parse_shapes(shapes)
    _refuse_method(function, declared)
    names = read_signature(function)[0]
    named = outside_names(options.wrt, names)
    active = active_names(options.wrt, [*names, *map(spelled, named)])
    specs = [declared]
    if like is not None:
        specs = [
            {**like_specs(like, names, LiveTypes(True, numbers, active)), **declared}
            for numbers in (False, True)
        ]
    specs.append({**_integers(function, active), **specs[-1]})
    for spec in specs:
        try:
            return finish(read_live(_plain(function, spec), spec, named=named), options)
        except LengthError:
            if spec == specs[-1]:
                raise
    raise AssertionError("one of the declarations is the last")


def read_declared(function: Any, declared: Mapping[str, Spec]) -> Graph:
    """As `read_live`; an integer that is a default is fixed where the program needs its value."""
    try:
        return read_live(function, declared)
    except LengthError:
        fixed = {**_integers(function, ()), **declared}
        if fixed == declared:
            raise
        return read_live(function, fixed)


def _integers(function: Any, active: Collection[str]) -> dict[str, Spec]:
    """The parameters with an integer as default that are not differentiated, fixed at it."""
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: Static(p.default) for p in parameters
        if type(p.default) is int and p.name not in active
    }  # fmt: skip


def _refuse_method(function: Any, declared: Mapping[str, Spec]) -> None:
    """A function of a class has no declared `self`. Raises `GradgenError`."""
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    if not isinstance(function, types.FunctionType) or not owner or owner.endswith("<locals>"):
        return
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    if names[:1] == ("self",) and "self" not in declared:
        raise GradgenError(
            f"{function.__qualname__} is a method, and nothing declares self; "
            "differentiate the bound method (object.method) instead"
        )


def _all_annotated(function: types.FunctionType) -> bool:
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    plain = (float, "float", int, "int")
    known = [function.__annotations__.get(n) for n in names]
    return bool(names) and all(
        a in plain or type(a).__module__.startswith("jaxtyping")
        or getattr(a, "__module__", "").startswith("jaxtyping") for a in known
    )  # fmt: skip


def build(function: Any, options: Options, shapes: Shapes, like: Any, cached: bool = False) -> Any:
    """The emitted function for a live one: compiled now if shapes are declared, else deferred.

    If `cached`, its source is kept on disk, and taken from there.
    """
    options.check()
    if isinstance(function, (staticmethod, classmethod, property)):
        raise GradgenError(f"a {type(function).__name__} object: put the decorator below it")
    if not callable(function) or isinstance(function, type):
        raise GradgenError(f"{function!r} is not a function")
    annotated = isinstance(function, types.FunctionType) and _all_annotated(function)
    if shapes is None and like is None and not annotated:
        return Deferred(function, options, cached)

    def finish(graph: Graph, options: Options) -> Any:
        return _finished(graph, options, True, function, cached)

    return _declared(function, options, shapes, like, finish)
