"""The Python interface: `grad`, `value_and_grad` and `emit`."""

from __future__ import annotations

import hashlib
import linecache
import operator
import textwrap
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gradgen import derive, passes
from gradgen.emit import Unit
from gradgen.emit import emit as emit_unit
from gradgen.errors import GradgenError, NotCompiledError, SourceError
from gradgen.graph import Graph, GraphBuilder, Param, Record, Tree, leaves, map_tree
from gradgen.notes import header_notes
from gradgen.ops import OPS
from gradgen.read import LengthError, LiveTypes, Spec, Static, parse_shapes, read_file, read_live
from gradgen.read.declare import refuse_argnums
from gradgen.render import BODY_LINE, body_of, inspect_unit, printable, render
from gradgen.targets import TARGETS
from gradgen.types import Type

VERSION = "0.1.0"
MODES = ("value_and_grad", "grad", "pair")
STYLES = ("default",)
Wrt = str | int | Sequence[str | int] | None
Shapes = str | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for: the parameters, the mode, the target, which result."""

    wrt: Wrt = None
    mode: str = "value_and_grad"
    target: str = "numpy"
    style: str = "default"
    has_aux: bool = False
    output: int | None = None

    def check(self) -> None:
        """Raise `GradgenError` for a mode, target or style that does not exist."""
        for name, value, known in (
            ("mode", self.mode, MODES), ("target", self.target, tuple(TARGETS)),
            ("style", self.style, STYLES),
        ):  # fmt: skip
            if value not in known:
                raise GradgenError(f"{name}={value!r}: choose one of {', '.join(known)}")


@dataclass(slots=True)
class Program:
    """A compiled function: the derived graph, the unit, and what is said about it."""

    graph: Graph
    unit: Unit
    shapes: str
    wrt: tuple[str, ...]


def compile_graph(graph: Graph, options: Options) -> Program:
    """Derive, simplify and write a graph that was read."""
    options.check()
    chosen, bare = choose_parameters(graph, options.wrt)
    for param in chosen:
        for leaf in leaves(param.tree):
            derive.check_active(graph, leaf)
    value, aux = choose_result(graph, options)
    _refuse_non_scalar(graph, value, options)
    seed = 0 if options.mode == "pair" else None
    derived = derive.reverse(graph, [p.tree for p in chosen], value, seed)
    value, grads = derived.results
    gradients: Tree = grads[0] if bare else grads
    if options.mode == "grad":
        derived.results = (gradients, aux) if options.has_aux else gradients
    else:
        derived.results = ((value, aux), gradients) if options.has_aux else (value, gradients)
    names = [derive.name_of(graph, leaf) for p in chosen for leaf in leaves(p.tree)]
    derived = own_gradients(passes.run(derived), options, names)
    _refuse_arrays(derived, options)
    typed = [replace(p, tree=map_tree(graph.types.__getitem__, p.tree)) for p in graph.params]
    doc = _doc(graph, typed, options, [p.name for p in chosen])
    unit = emit_unit(derived, TARGETS[options.target], options.mode, doc)
    unit.notes += header_notes(derived, TARGETS[options.target])
    inspect_unit(unit)
    return Program(derived, unit, shapes_text(typed), tuple(p.name for p in chosen))


def own_gradients(graph: Graph, options: Options, names: Sequence[str | None]) -> Graph:
    """The graph with a copy of every gradient that would share memory with an argument.

    `names` are those of the arguments, leaf by leaf.
    """
    b = GraphBuilder(graph)
    made: dict[int, int] = {}
    left = iter(names)

    def fresh(leaf: int) -> int:
        name = next(left)
        if leaf not in made:
            made[leaf] = b.add("copy", leaf) if _is_shared(graph, leaf) else leaf
            if made[leaf] != leaf:
                b.label(made[leaf], None, name and f"d_{name}")
        return made[leaf]

    results = graph.results
    if options.mode != "grad":
        graph.results = (results[0], map_tree(fresh, results[1]))
    elif options.has_aux:
        graph.results = (map_tree(fresh, results[0]), results[1])
    else:
        graph.results = map_tree(fresh, results)
    return graph


def _is_shared(graph: Graph, node: int) -> bool:
    """Whether an array is an argument, a captured one, or a view of these; or read-only."""
    if graph.types[node].kind != "array":
        return False
    while graph.ops[node] in OPS and OPS[graph.ops[node]].view:
        if graph.ops[node] == "broadcast_to":
            return True
        if any(graph.types[a].kind == "array" for a in graph.args[node][1:]):
            return False
        node = graph.args[node][0]
    return graph.ops[node] in ("param", "global", "seed")


def choose_parameters(graph: Graph, wrt: Wrt) -> tuple[list[Param], bool]:
    """The parameters that `wrt` names, and whether it is a bare name or position.

    Raises `GradgenError` for one that there is not.
    """
    if not graph.params:
        raise GradgenError(f"{graph.name} has no parameter to differentiate with respect to")
    items, bare = wrt_items(wrt)
    names = [p.name for p in graph.params]
    chosen = []
    for item in items:
        if isinstance(item, str) and item not in names:
            raise GradgenError(
                f"wrt={item!r}: the parameters of {graph.name} are {', '.join(names)}"
            )
        if isinstance(item, int) and not -len(names) <= item < len(names):
            raise GradgenError(f"wrt={item}: {graph.name} has {len(names)} parameters")
        param = graph.params[names.index(item) if isinstance(item, str) else item]
        if _has_static(param.tree):
            raise GradgenError(f"wrt={item!r}: the argument is fixed while compiling")
        if param in chosen:
            raise GradgenError(f"wrt={item!r} is given twice")
        chosen.append(param)
    if not chosen:
        raise GradgenError("wrt names no parameter")
    return chosen, bare


def wrt_items(wrt: Wrt) -> tuple[list[str | int], bool]:
    """The names and positions in `wrt`, and whether it is a bare one. Raises `GradgenError`."""
    if wrt is None:
        return [0], True
    bare = not isinstance(wrt, (tuple, list))
    found: list[str | int] = []
    for item in [wrt] if bare else wrt:  # type: ignore[union-attr]
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, (int, np.integer)) and not isinstance(item, bool):
            found.append(operator.index(item))
        else:
            raise GradgenError(f"wrt={item!r}: give names or positions of parameters")
    return found, bare


def active_names(wrt: Wrt, names: Sequence[str]) -> frozenset[str]:
    """The names of the parameters that `wrt` chooses, as far as there are such."""
    size = len(names)
    return frozenset(
        names[i] if isinstance(i, int) else i
        for i in wrt_items(wrt)[0] if isinstance(i, str) or -size <= i < size
    )  # fmt: skip


def _has_static(tree: Tree) -> bool:
    if isinstance(tree, Static):
        return True
    if isinstance(tree, Record):
        return any(map(_has_static, tree.values))
    if isinstance(tree, dict):
        return any(map(_has_static, tree.values()))
    return isinstance(tree, (list, tuple)) and any(map(_has_static, tree))


def choose_result(graph: Graph, options: Options) -> tuple[int, Tree]:
    """The node of the value to differentiate, and the auxiliary results."""
    results = graph.results
    if options.has_aux and options.output is not None:
        raise GradgenError("has_aux and output exclude each other")
    if options.has_aux:
        if not isinstance(results, (tuple, list)) or len(results) != 2:
            raise GradgenError(f"has_aux: {graph.name} must return (value, aux)")
        value, aux = results
    elif options.output is not None:
        if not isinstance(results, (tuple, list)) or not 0 <= options.output < len(results):
            raise GradgenError(f"output={options.output}: {graph.name} has no such result")
        value, aux = results[options.output], None
    else:
        value, aux = results, None
    if not isinstance(value, int):
        raise GradgenError(
            f"{graph.name} returns several values; choose one with --output K (output=K)"
            ", or return (value, aux) and pass has_aux=True"
        )
    return value, aux


def _refuse_non_scalar(graph: Graph, value: int, options: Options) -> None:
    t, place = graph.types[value], graph.locs[value]
    if options.mode == "pair" and t.is_float:
        return
    message = ""
    if t.shape:
        shape = ", ".join(map(str, t.shape)) + ("," if len(t.shape) == 1 else "")
        message = f"the result of {graph.name} is an array of shape ({shape}), not one number"
    elif not t.is_float and graph.ops[value] != "const":
        message = f"the result of {graph.name} is {t}, which has no derivative"
    if not message:
        return
    hint = "return np.sum(...), or use mode pair" if t.shape else "return a float"
    if place is None:
        raise GradgenError(f"{message}; {hint}")
    raise SourceError(message, place, hint)


def _refuse_arrays(graph: Graph, options: Options) -> None:
    if not TARGETS[options.target].scalars_only:
        return
    arrays = [
        node for node, t in enumerate(graph.types)
        if t.kind == "array" and (t.shape or graph.ops[node] != "where")
    ]  # fmt: skip
    if not arrays:
        return
    node = next((n for n in arrays if graph.locs[n] is not None), arrays[0])
    message = f"the {options.target} target takes numbers only, not {graph.types[node]}"
    hint, place = "use --target numpy", graph.locs[node]
    if place is None:
        raise GradgenError(f"{message}; {hint}")
    raise SourceError(message, place, hint)


def shapes_text(params: Sequence[Param]) -> str:
    """The types of all arguments in the syntax of `shapes=`."""
    return ", ".join(_shape_items(params))


def _shape_items(params: Sequence[Param]) -> list[str]:
    return [f"{name}={text}" for p in params for name, text in _tree_shapes(p.name, p.tree)]


def _tree_shapes(name: str, tree: Any) -> list[tuple[str, str]]:
    if isinstance(tree, Type):
        return [(name, _leaf_text(tree))]
    if isinstance(tree, Record):
        pairs: Any = zip(tree.fields, tree.values, strict=True)
    elif isinstance(tree, dict):
        pairs = tree.items()
    elif isinstance(tree, (list, tuple)):
        pairs = enumerate(tree)
    else:
        return []
    return [item for key, value in pairs for item in _tree_shapes(f"{name}.{key}", value)]


def _leaf_text(t: Type) -> str:
    if t.kind == "py":
        return "scalar" if t.dtype == "float" else t.dtype
    text = " ".join(map(str, t.shape)) if t.kind == "array" else "scalar"
    text = text or "()"
    return text if t.dtype == "float64" and t.kind == "array" else f"{text}:{t.dtype}"


def _doc(graph: Graph, typed: Sequence[Param], options: Options, wrt: Sequence[str]) -> list[str]:
    what = {"value_and_grad": "Value and gradient", "grad": "Gradient",
            "pair": "Value, and what the backward function needs for the adjoints,"}  # fmt: skip
    names = wrt[0] if len(wrt) == 1 else f"{', '.join(wrt[:-1])} and {wrt[-1]}"
    summary = f"{what[options.mode]} of {graph.name} with respect to {names}."
    lines = textwrap.wrap(summary, 80, break_long_words=False, break_on_hyphens=False)
    if options.mode == "pair":
        lines = [f"Value of {graph.name}, and what its backward function needs."]
    arrays = [item for item in _shape_items(typed) if not item.endswith("=scalar")]
    numbers = [p.name for p in graph.params if p.declared == ""]
    if arrays:
        lines += ["", *_wrapped("Shapes: ", arrays)]
    if numbers:
        lines += ["", *_wrapped("Taken as numbers, since no shape is declared: ", numbers)]
    if graph.doc:
        lines += ["", *graph.doc.splitlines()]
    return lines


def _wrapped(head: str, items: Sequence[str]) -> list[str]:
    lines, line = [], head
    for number, item in enumerate(items):
        tail = "." if number == len(items) - 1 else ", "
        if len(line) + len(item) + len(tail) > 84 and line.strip():
            lines.append(line.rstrip())
            line = ""
        line += item + tail
    return [*lines, line.rstrip()]


# -- live functions --------------------------------------------------------------------------------


def load(program: Program, name: str, mode: str, original: Any) -> Any:
    """The emitted function, compiled; its lines are known to debuggers and tracebacks."""
    text = render(program.unit)
    namespace: dict[str, Any] = dict(program.unit.namespace)
    namespace["__name__"] = getattr(original, "__module__", None) or "gradgen_emitted"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    filename = f"<gradgen {name}_{mode} {digest}>"
    exec(compile(text, filename, "exec", dont_inherit=True), namespace)
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    for name_inside, value in program.unit.namespace.items():
        if isinstance(value, np.ndarray):
            # What the user does to a captured array later is seen, as in the original.
            namespace[name_inside] = value
    function = namespace[f"{name}_{mode}"]
    function.__module__ = namespace["__name__"]
    function.__name__ = getattr(original, "__name__", name)
    function.__qualname__ = getattr(original, "__qualname__", name)
    function.source = text
    function.graph = program.graph
    return function


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

    def __init__(self, function: Any, options: Options) -> None:
        self._function = function
        self._options = options
        self._lock = threading.RLock()
        self._compiled: dict[Any, Any] = {}
        self._refused: set[Any] = set()
        self._by_value: set[Any] = set()
        self._shortcuts: dict[Any, Any] = {}
        self._latest: Any = None
        self.__wrapped_name__ = getattr(function, "__qualname__", repr(function))
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = getattr(function, "__name__", "f")
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = getattr(function, "__module__", __name__)
        self._names, self._defaults = read_signature(function)
        self._active = active_names(options.wrt, self._names)

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
            if name in given or name not in self._names:
                raise TypeError(f"{self.__name__}() got an unexpected argument {name!r}")
            given[name] = value
        missing = [n for n in self._names if n not in given and n not in self._defaults]
        if missing:
            raise TypeError(f"{self.__name__}() misses the argument {missing[0]!r}")
        return {n: given[n] if n in given else self._defaults[n] for n in self._names}

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
                specs = {name: types.spec(value, name) for name, value in given.items()}
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

    def _compile(self, specs: dict[str, Spec]) -> Any:
        graph = read_live(self._function, specs)
        program = compile_graph(graph, self._options)
        return load(program, graph.name, self._options.mode, self._function)

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


def read_signature(function: Any) -> tuple[list[str], dict[str, Any]]:
    """The names of a callable's parameters and the values of its defaults.

    Raises `GradgenError` for a callable without a readable signature, or with `*args`.
    """
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        name = getattr(function, "__name__", type(function).__name__)
        raise GradgenError(f"{name} has no Python source to differentiate") from None
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            star = "*" if p.kind is p.VAR_POSITIONAL else "**"
            raise GradgenError(f"the function takes {star}{p.name}; name the arguments one by one")
    return [p.name for p in parameters], {
        p.name: p.default for p in parameters if p.default is not p.empty
    }


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
    """Compile a function whose arguments are declared; what nothing declares is a number.

    The Python ints among the example arguments are fixed only where the program needs their values.
    """
    declared = parse_shapes(shapes)
    _refuse_method(function, declared)
    if like is None:
        return compile_graph(read_live(function, declared), options)
    names = read_signature(function)[0]
    active = active_names(options.wrt, names)
    specs = [
        {**like_specs(like, names, LiveTypes(True, numbers, active)), **declared}
        for numbers in (False, True)
    ]
    try:
        return compile_graph(read_live(function, specs[0]), options)
    except LengthError:
        if specs[0] == specs[1]:
            raise
        return compile_graph(read_live(function, specs[1]), options)


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


def _build(function: Any, options: Options, shapes: Shapes, like: Any) -> Any:
    options.check()
    if isinstance(function, (staticmethod, classmethod, property)):
        raise GradgenError(f"a {type(function).__name__} object: put the decorator below it")
    if not callable(function) or isinstance(function, type):
        raise GradgenError(f"{function!r} is not a function")
    annotated = isinstance(function, types.FunctionType) and _all_annotated(function)
    if shapes is None and like is None and not annotated:
        return Deferred(function, options)
    program = compile_declared(function, options, shapes, like)
    return load(program, program.graph.name, options.mode, function)


def value_and_grad(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the value of `f` and its gradient.

    Parameters
    ----------
    f
        A straight-line Python function that returns one float (shape `()`). Omitted, the call is a
        decorator with these options.
    wrt
        Names or positions of the parameters to differentiate: one, or a tuple; the first by
        default. The gradient of one is bare, that of a tuple is a tuple; each has the structure,
        shape and dtype of its parameter, and shares no memory with an argument.
    has_aux
        `f` returns `(value, aux)`; the result is `((value, aux), grads)`.
    target
        `numpy`, or `python` for numbers only, on the math module.
    shapes, like
        The shapes of the arguments, as `"x=n d, a=scalar"` or a dict, or example arguments. Without
        either, and without annotations, the function is compiled at the first call. Globals,
        closures and attributes of a bound `self` have the values that they have while compiling.
    output
        Which of several results to differentiate.

    Returns
    -------
    The emitted function, with its `.source` and `.graph`; called with the arguments of `f`, it
    gives `(value, grads)` and leaves the arguments as they are.

    Raises
    ------
    SourceError
        Where the source uses what is not supported, with file, line and column.
    ActiveTypeError
        Where a parameter to differentiate is an array of integers (also a TypeError).
    GradgenError
        For anything else that is refused.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "value_and_grad", target, style, has_aux, output)
    if f is None:
        return lambda function: _build(function, options, shapes, like)
    return _build(f, options, shapes, like)


def grad(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the gradient of `f`; see `value_and_grad` for the arguments.

    With `has_aux` its result is `(grads, aux)`.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "grad", target, style, has_aux, output)
    if f is None:
        return lambda function: _build(function, options, shapes, like)
    return _build(f, options, shapes, like)


def emit(
    f: Callable[..., Any], wrt: Wrt = None, has_aux: bool = False, target: str = "numpy",
    shapes: Shapes = None, like: Any = None, *, mode: str = "value_and_grad",
    output: int | None = None, style: str = "default", **unknown: Any,
) -> str:  # fmt: skip
    """The source of a standalone module that computes the derivative of `f`.

    The arguments are those of `value_and_grad`; `mode` is `value_and_grad`, `grad` or `pair`
    (`f_forward` and `f_backward`). Arguments that nothing declares are taken as numbers. Raises
    what `value_and_grad` raises, and `GradgenError` where a captured array is too large for a
    literal.
    """
    refuse_argnums(unknown)
    options = Options(wrt, mode, target, style, has_aux, output)
    program = compile_declared(f, options, shapes, like)
    if program.unit.captured:
        raise GradgenError(
            f"the captured array {program.unit.captured[0]} is too large to be written as a "
            "literal; pass it as an argument"
        )
    code = getattr(f, "__code__", None)
    origin = relative_path(Path(code.co_filename)) if code is not None else program.graph.name
    header = header_lines([program], options, f"{origin}:{program.graph.name}", None)
    return finished_text(program.unit, header, None)


# -- files -----------------------------------------------------------------------------------------


def emit_path(
    location: str, wrt: Wrt = None, target: str = "numpy", shapes: Shapes = None,
    mode: str = "value_and_grad", style: str = "default", output: int | None = None,
    template_dir: Path | None = None, command: str | None = None,
) -> str:  # fmt: skip
    """The source of a standalone module for `PATH.py:function`; the file is never executed.

    `wrt` takes names or positions, `shapes` the syntax of `value_and_grad`; `command` is what the
    header says regenerates the file. Raises `SourceError` and `GradgenError` as `value_and_grad`.
    """
    path, _, name = location.rpartition(":")
    if not path or not name:
        raise GradgenError(f"{location}: expected PATH.py:function")
    options = Options(wrt, mode, target, style, False, output)
    graph = read_file(Path(path), name, parse_shapes(shapes), path)
    program = compile_graph(graph, options)
    header = header_lines([program], options, f"{relative_path(Path(path))}:{name}", command)
    return finished_text(program.unit, header, template_dir)


def project_folder(path: Path) -> Path:
    """The nearest folder above a file with a pyproject.toml; else the file's own folder."""
    folders = path.resolve().parents
    return next((f for f in folders if (f / "pyproject.toml").is_file()), folders[0])


def relative_path(path: Path) -> str:
    """A path relative to the nearest folder with a pyproject.toml, with `/`; else the bare name."""
    return path.resolve().relative_to(project_folder(path)).as_posix()


def header_lines(
    programs: Sequence[Program], options: Options, origin: str, command: str | None
) -> list[str]:
    """The header of an emitted file, without the digest of its body.

    With several functions the shapes have a line for each, which names the emitted function.
    """
    lines = [f"# Code generated by gradgen from {printable(origin)}; DO NOT EDIT."]
    if command is not None:
        lines.append(f"# Regenerate: {printable(command)}")
    for program in programs:
        whose = f" {program.unit.functions[0].name}" if len(programs) > 1 else ""
        lines.append(f"# gradgen-shapes{whose}: {printable(program.shapes)}")
    lines.append(f"# gradgen-version: {VERSION}")
    asked = "\n".join(f"{p.graph.text}\n{p.shapes}\n{p.wrt}\n{options}" for p in programs)
    digest = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
    lines.append(f"# gradgen-source: sha256:{digest}")
    return lines


def finished_text(unit: Unit, header: list[str], folder: Path | None) -> str:
    """The whole text: header with digests and notes, then the body."""
    checked = "# gradgen-checked: parsed again; every construct and call is on the allow-list"
    tail = [checked, *(f"# {note}" for note in unit.notes)]
    digest = body_digest(render(unit, [*header, *tail], folder))
    return render(unit, [*header, f"{BODY_LINE} sha256:{digest}", *tail], folder)


def body_digest(text: str) -> str:
    """The sha256 of an emitted text without its header."""
    return hashlib.sha256(body_of(text).encode("utf-8", "surrogatepass")).hexdigest()


__all__ = ["Deferred", "Options", "Program", "emit", "emit_path", "grad", "value_and_grad"]
