"""What is checked: the user's function, the emitted one, their graphs, and arguments to try."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradgen.errors import GradgenError
from gradgen.graph import Graph, Param, Record, leaves
from gradgen.live import Shapes, compile_declared, load
from gradgen.program import Options, Program, choose_parameters, choose_result, compile_graph
from gradgen.read import Static, parse_shapes, read_file, read_live
from gradgen.types import Dim, Size, Type

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
        text = self.name
        for step in self.path:
            dotted = isinstance(step, str) and step.startswith(".")
            text += step if dotted else f"[{step!r}]"
        return text


@dataclass(slots=True)
class Subject:
    """A function with its emitted gradient, ready to be called.

    `emitted(**arguments)` gives `(value, gradients)`, where `gradients` is a tuple in the order of
    `wrt`. `graph` is the user's function on arguments of known lengths, `derived` with adjoints;
    the nodes of `leaves` are those of `graph`.
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

    def value_of(self, result: Any) -> Any:
        """The differentiated one among the results of the function."""
        return result if self.output is None else result[self.output]


def from_file(
    location: str, wrt: Any = None, shapes: Shapes = None, output: int | None = None
) -> Subject:
    """The subject of `PATH.py:function`. The file is executed, to have the function.

    Raises what `emit_path` raises, and `GradgenError` where the file fails to run.
    """
    path, _, name = location.rpartition(":")
    declared = parse_shapes(shapes)
    graph = read_file(Path(path), name, declared, path)
    function = getattr(load_module(Path(path)), name)
    return _subject(function, graph, location, wrt, output,
                    lambda fixed: read_file(Path(path), name, fixed, path))  # fmt: skip


def from_function(
    function: Callable[..., Any], wrt: Any = None, shapes: Shapes = None, like: Any = None,
    output: int | None = None,
) -> Subject:  # fmt: skip
    """The subject of a live function; see `value_and_grad` for the arguments."""
    options = Options(wrt, "value_and_grad", output=output)
    program = compile_declared(function, options, shapes, like)
    declared = parse_shapes(program.shapes)
    where = f"{inspect.getmodule(function)}:{function.__qualname__}"
    return _subject(function, read_live(function, declared), where, wrt, output,
                    lambda fixed: read_live(function, fixed))  # fmt: skip


def load_module(path: Path) -> Any:
    """The module in a file, executed. Raises `GradgenError` where it fails."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise GradgenError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    held = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a file raises when it runs
        raise GradgenError(f"{path} cannot be executed: {type(error).__name__}: {error}") from None
    finally:
        sys.path.remove(str(path.resolve().parent))
        if held is not None:
            sys.modules[path.stem] = held
    return module


def _subject(
    function: Callable[..., Any], graph: Graph, where: str, wrt: Any, output: int | None,
    read: Callable[[dict[str, Any]], Graph],
) -> Subject:  # fmt: skip
    names = tuple(p.name for p in choose_parameters(graph, wrt)[0])
    options = Options(names, "value_and_grad", output=output)
    program = compile_graph(graph, options)
    known, lengths = _with_lengths(graph, read, output)
    value, _ = choose_result(known, options)
    derived = compile_graph(known, options).graph
    emitted = load(program, graph.name, "value_and_grad", function)
    return Subject(graph.name, where, function, emitted, program, known, value, derived, names,
                   lengths, output)  # fmt: skip


def _with_lengths(
    graph: Graph, read: Callable[[dict[str, Any]], Graph], output: int | None
) -> tuple[Graph, dict[str, int]]:
    """The graph on arguments of known lengths: small ones, for which the program is accepted."""
    refused: GradgenError | None = None
    for more in range(8):
        lengths = lengths_of(graph, more)
        fixed = {p.name: _fixed(graph, p.tree, lengths) for p in graph.params}
        try:
            known = read(fixed)
            active = tuple(p.name for p in known.params if _is_active(known, p))
            compile_graph(known, Options(active, output=output))
            return known, lengths
        except GradgenError as error:
            refused = error
    assert refused is not None
    raise refused


def _is_active(graph: Graph, param: Param) -> bool:
    nodes = list(leaves(param.tree))
    return bool(nodes) and all(graph.types[n].is_float for n in nodes)


def _fixed(graph: Graph, tree: Any, lengths: Mapping[str, int]) -> Any:
    """The declaration of a parameter with numbers for lengths."""
    if isinstance(tree, int):
        t = graph.types[tree]
        return Type(t.kind, t.dtype, tuple(length_of(size, lengths) for size in t.shape))
    if isinstance(tree, Record):
        like = "dataclass"
        return Record(like, tree.fields, tuple(_fixed(graph, v, lengths) for v in tree.values))
    if isinstance(tree, dict):
        return {key: _fixed(graph, value, lengths) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_fixed(graph, item, lengths) for item in tree)
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
