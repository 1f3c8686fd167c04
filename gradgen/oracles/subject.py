"""What is checked: the user's function, the emitted one, their graphs, and arguments to try."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradgen.errors import GradgenError, SourceError
from gradgen.graph import Graph, Param, Record, leaves
from gradgen.live import Shapes, compile_declared, load, read_declared, read_signature
from gradgen.program import (
    Options,
    Program,
    choose_parameters,
    choose_result,
    compile_graph,
    wrt_items,
)
from gradgen.read import Static, parse_shapes, read_file
from gradgen.read.scope import module_name
from gradgen.spelling import part_text
from gradgen.types import Dim, Size, Type
from gradgen.unit import Unit

Read = Callable[[dict[str, Any]], Graph]
# For `wrt`: all parameters that can be differentiated.
EVERY: Any = object()
# Lengths that symbols get, in the order of their appearance: small, and apart from each other.
LENGTHS = (3, 2, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A number or an array among the arguments: where it is, and its type with lengths."""

    name: str
    path: tuple[Any, ...]
    type: Type
    node: int

    @property
    def text(self) -> str:
        """How code writes it: `p["W"]`."""
        return part_text(self.name, self.path)


@dataclass(frozen=True, slots=True)
class ByHand:
    """A gradient that somebody wrote, as it was read: its program, None where it was not.

    `units` are those in the last place of the largest that each entry was, arrays by leaf.
    """

    unit: Unit | None
    units: Mapping[str, Any]


@dataclass(slots=True)
class Subject:
    """A function with its emitted gradient, ready to be called.

    `emitted(**arguments)` gives `(value, gradients)`, where `gradients` is a tuple in the order of
    `wrt`. `graph` is the user's function on arguments of known lengths, `derived` with adjoints;
    the nodes of `leaves` are those of `graph`. With rewrites, `derived` and what is emitted have
    them, and `graph` has not.
    """

    name: str
    where: str
    function: Callable[..., Any]
    emitted: Callable[..., Any]
    program: Program
    graph: Graph
    value: int
    derived: Graph
    wrt: tuple[str, ...]
    lengths: dict[str, int]
    output: int | None = None
    # Whether `emitted` computes the value at all: mode grad does not.
    gives_value: bool = True
    # The program without accurate rewrites, where what is emitted has some.
    unrewritten: Program | None = None
    # Why the value need not have the bits of the user's, a sentence each.
    rewritten: tuple[str, ...] = ()
    # The same function with respect to other parameters, or on arrays of other lengths: keywords
    # `wrt` and `lengths`; raises `GradgenError` where that is refused.
    again: Callable[..., Subject] | None = None
    # Where `emitted` calls a gradient that somebody wrote, what is known of that.
    by_hand: ByHand | None = None

    @property
    def leaves(self) -> list[Leaf]:
        """The numbers and arrays among the arguments."""
        return [leaf for param in self.graph.params for leaf in _leaves(self.graph, param)]

    @property
    def active(self) -> list[Leaf]:
        """The leaves with respect to which it is differentiated."""
        return [leaf for leaf in self.leaves if leaf.name in self.wrt]

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call, from the values of the leaves by their text."""
        hints = _hints(self.function)
        return {
            param.name: _filled(
                self.graph, param.name, (), param.tree, values, hints.get(param.name)
            )
            for param in self.graph.params
        }

    def structure(self, name: str, values: Mapping[str, Any]) -> Any:
        """What has the structure of a parameter, from the values of its leaves by their text."""
        tree = next(param.tree for param in self.graph.params if param.name == name)
        return _filled(self.graph, name, (), tree, values, None)

    def value_of(self, result: Any) -> Any:
        """The differentiated one among the results of the function."""
        return result if self.output is None else result[self.output]


def from_file(
    location: str, wrt: Any = None, shapes: Shapes = None, output: int | None = None,
    stabilize: bool = False, module: Any = None, style: str = "default",
) -> Subject:  # fmt: skip
    """The subject of `PATH.py:function`. The file is executed, unless its `module` is there.

    With `stabilize`, what is emitted and derived has the accurate rewrites; `graph` has none. What
    is emitted has the `style`; `derived` is what all styles are written from.

    Raises what `emit_path` raises, and `GradgenError` where the file fails to run.
    """
    path, _, name = location.rpartition(":")
    declared = parse_shapes(shapes)
    graph = read_file(Path(path), name, declared, path)
    function = getattr(module or load_module(Path(path)), name)
    return _subject(function, graph, location, wrt, output, (stabilize, style),
                    lambda types: read_file(Path(path), name, types, path))  # fmt: skip


def from_function(
    function: Callable[..., Any], wrt: Any = None, shapes: Shapes = None, like: Any = None,
    output: int | None = None, stabilize: bool = False, style: str = "default",
) -> Subject:  # fmt: skip
    """The subject of a live function; see `value_and_grad` for the arguments."""
    program = _declared(function, wrt, shapes, like, output)
    declared = parse_shapes(program.shapes)
    where = f"{inspect.getmodule(function)}:{function.__qualname__}"
    return _subject(function, read_declared(function, declared), where, wrt, output,
                    (stabilize, style), lambda types: read_declared(function, types))  # fmt: skip


def _declared(
    function: Callable[..., Any], wrt: Any, shapes: Shapes, like: Any, output: int | None
) -> Program:
    """The program that tells the shapes; of `EVERY` parameter the first that has a derivative."""
    if wrt is not EVERY:
        options = Options(wrt, "value_and_grad", output=output)
        return compile_declared(function, options, shapes, like)
    refused: GradgenError | None = None
    for place in range(max(len(read_signature(function)[0]), 1)):
        try:
            return _declared(function, place, shapes, like, output)
        except SourceError:
            raise
        except GradgenError as error:
            refused = refused or error
    assert refused is not None
    raise refused


# The functions of an emitted module by its mode; of other modes nothing is known here.
EMITTED = {
    "value_and_grad": ("value_and_grad",), "grad": ("grad",), "pair": ("forward", "backward"),
}  # fmt: skip


def emitted_by(
    subject: Subject, namespace: Mapping[str, Any], options: Options, changed: Sequence[str] = ()
) -> Subject:
    """The subject with the functions of an emitted module for what gradgen has just compiled.

    `changed` tells, a sentence each, why the module rounds otherwise than the source. Raises
    `GradgenError` where the module lacks what is to be judged.
    """
    names = EMITTED.get(options.mode)
    if names is None:
        raise GradgenError(f"there are no oracles for mode {options.mode}")
    functions: list[Any] = [namespace.get(f"{subject.name}_{name}") for name in names]
    if not all(map(callable, functions)):
        raise GradgenError(f"the emitted file has no {subject.name}_{names[0]}")
    bare = wrt_items(options.wrt)[1]
    functions[0] = by_keyword(functions[0])

    def emitted(**arguments: Any) -> Any:
        value = None
        if options.mode == "grad":
            gradients = functions[0](**arguments)
        elif options.mode == "pair":
            value, saved = functions[0](**arguments)
            gradients = functions[1](saved, 1.0)
        else:
            value, gradients = functions[0](**arguments)
        return value, (gradients,) if bare else gradients

    return dataclasses.replace(
        subject, emitted=emitted, gives_value=options.mode != "grad",
        rewritten=(*subject.rewritten, *changed),
    )  # fmt: skip


def by_keyword(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with every argument by its name, those too that are positional only."""
    parameters = list(inspect.signature(function).parameters.values())
    first = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    if not first:
        return function

    @functools.wraps(function)
    def called(**arguments: Any) -> Any:
        return function(*[arguments.pop(name) for name in first], **arguments)

    named = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
    called.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    return called


@contextmanager
def beside(path: Path) -> Iterator[None]:
    """While modules are imported that lie beside a file, and the file itself."""
    folders = [str(path.resolve().parent), str(module_name(path)[1])]
    sys.path[:0] = folders
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)


def load_module(path: Path) -> Any:
    """The module in a file, executed. Raises `GradgenError` where it fails."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise GradgenError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    held = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        with beside(path):
            spec.loader.exec_module(module)
    except Exception as error:  # whatever a file raises when it runs
        raise GradgenError(f"{path} cannot be executed: {type(error).__name__}: {error}") from None
    finally:
        if held is not None:
            sys.modules[path.stem] = held
    return module


def _subject(
    function: Callable[..., Any], graph: Graph, where: str, wrt: Any, output: int | None,
    written: tuple[bool, str], read: Read, lengths: Mapping[str, int] | None = None,
) -> Subject:  # fmt: skip
    """The subject, of which what is emitted is `written` with or without rewrites, in a style."""
    stabilize, style = written
    if wrt is EVERY:
        return _widest(function, graph, where, output, read)
    names = tuple(p.name for p in choose_parameters(graph, wrt)[0])
    options = Options(names, "value_and_grad", output=output, stabilize=stabilize)
    program = compile_graph(graph, options)
    if lengths is None:
        known, lengths = _with_lengths(graph, read, options)
    else:
        known = read({p.name: fixed_types(graph, p.tree, lengths) for p in graph.params})
    value, _ = choose_result(known, options)
    derived = compile_graph(known, options).graph
    emitted = by_keyword(load(program, "value_and_grad", function))
    plain = compile_graph(graph, replace(options, stabilize=False)) if program.rewrites else None
    told = tuple(map(str, program.rewrites))
    if style != "default":
        styled = compile_graph(graph, replace(options, style=style))
        emitted = by_keyword(load(styled, "value_and_grad", function))
        told += (f"it is written in the {style} style",)

    def again(
        wrt: tuple[str, ...] = names, lengths: Mapping[str, int] | None = lengths
    ) -> Subject:  # fmt: skip
        return _subject(function, graph, where, wrt, output, written, read, lengths)

    return Subject(
        graph.name, where, by_keyword(function), emitted, program, known, value, derived, names,
        dict(lengths), output, unrewritten=plain, rewritten=told,
        again=again,
    )  # fmt: skip


def _widest(
    function: Callable[..., Any], graph: Graph, where: str, output: int | None, read: Read
) -> Subject:
    """The subject with respect to all parameters of floats, or else to the first of them."""
    names = tuple(p.name for p in graph.params if is_active(graph, p))
    try:
        return _subject(function, graph, where, names or None, output, (False, "default"), read)
    except GradgenError:
        if len(names) < 2:
            raise
        return _subject(function, graph, where, names[:1], output, (False, "default"), read)


def _with_lengths(graph: Graph, read: Read, options: Options) -> tuple[Graph, dict[str, int]]:
    """The graph on arguments of known lengths: small ones, for which the program is accepted."""
    refused: GradgenError | None = None
    for more in range(8):
        lengths = lengths_of(graph, more)
        try:
            known = read({p.name: fixed_types(graph, p.tree, lengths) for p in graph.params})
            compile_graph(known, options)
            return known, lengths
        except GradgenError as error:
            refused = error
    assert refused is not None
    raise refused


def is_active(graph: Graph, param: Param) -> bool:
    """Whether a parameter can be differentiated: all its numbers are floats."""
    nodes = list(leaves(param.tree))
    return bool(nodes) and all(graph.types[n].is_float for n in nodes)


def fixed_types(graph: Graph, tree: Any, lengths: Mapping[str, int]) -> Any:
    """The declaration of a parameter with numbers for lengths."""
    if isinstance(tree, int):
        t = graph.types[tree]
        return Type(t.kind, t.dtype, tuple(length_of(size, lengths) for size in t.shape))
    if isinstance(tree, Record):
        like = "dataclass"
        return Record(like, tree.fields, tuple(fixed_types(graph, v, lengths) for v in tree.values))
    if isinstance(tree, dict):
        return {key: fixed_types(graph, value, lengths) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(fixed_types(graph, item, lengths) for item in tree)
    return tree


def lengths_of(graph: Graph, more: int = 0) -> dict[str, int]:
    """A number for each symbolic length among the arguments; larger ones with `more`."""
    sizes = [
        size for param in graph.params for node in leaves(param.tree)
        for size in graph.types[node].shape
    ]  # fmt: skip
    atoms = dict.fromkeys(atom for size in sizes if isinstance(size, Dim) for atom in size.atoms)
    return {atom: LENGTHS[at % len(LENGTHS)] + more for at, atom in enumerate(atoms)}


def length_of(size: Size, lengths: Mapping[str, int]) -> int:
    """The number that a length is."""
    if isinstance(size, int):
        return size
    total = 0
    for atoms, count in size.terms:
        for atom in atoms:
            count *= lengths[atom]
        total += count
    return total


def _leaves(graph: Graph, param: Param) -> Iterator[Leaf]:
    for node in leaves(param.tree):
        name, path = graph.attrs[node]
        yield Leaf(name, path, graph.types[node], node)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return {}


def _filled(
    graph: Graph, name: str, path: tuple[Any, ...], tree: Any, values: Mapping[str, Any], hint: Any
) -> Any:
    """An argument with the values of its leaves."""
    if isinstance(tree, int):
        return values[Leaf(name, path, graph.types[tree], tree).text]
    if isinstance(tree, Static):
        return tree.value
    if isinstance(tree, Record):
        inner = _hints(hint) if isinstance(hint, type) else {}
        fields = {
            field: _filled(graph, name, (*path, f".{field}"), part, values, inner.get(field))
            for field, part in zip(tree.fields, tree.values, strict=True)
        }
        record = isinstance(hint, type) and (
            dataclasses.is_dataclass(hint) or hasattr(hint, "_fields")
        )
        return hint(**fields) if record else SimpleNamespace(**fields)
    if isinstance(tree, dict):
        return {
            key: _filled(graph, name, (*path, key), part, values, None)
            for key, part in tree.items()
        }
    items: Sequence[Any] = tree
    return type(tree)(
        _filled(graph, name, (*path, at), part, values, None) for at, part in enumerate(items)
    )


def flat_gradients(subject: Subject, gradients: Sequence[Any]) -> dict[str, Any]:
    """The gradients by the text of their leaves."""
    found: dict[str, Any] = {}
    by_name = dict(zip(subject.wrt, gradients, strict=True))
    for leaf in subject.active:
        at = by_name[leaf.name]
        for step in leaf.path:
            dotted = isinstance(step, str) and step.startswith(".")
            at = getattr(at, step[1:]) if dotted else at[step]
        found[leaf.text] = np.asarray(at)
    return found


def call(subject: Subject, values: Mapping[str, Any]) -> Any:
    """The value of the user's function at the values of the leaves."""
    return subject.value_of(subject.function(**subject.arguments(values)))
