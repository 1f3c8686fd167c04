"""From a graph that was read to a unit: what is asked for, derived, written and described."""

from __future__ import annotations

import operator
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradgen import derive, passes
from gradgen.bounds import length_guard, needed_lengths
from gradgen.emission import Unit
from gradgen.emission import emit as emit_unit
from gradgen.errors import GradgenError, Location, NeedsLength, SourceError
from gradgen.graph import Graph, GraphBuilder, Param, Record, Tree, leaves, map_tree
from gradgen.guards import argument_parts
from gradgen.notes import header_notes
from gradgen.ops import OPS
from gradgen.read import LengthError
from gradgen.render import inspect_unit
from gradgen.targets import TARGETS
from gradgen.types import Size, Type

VERSION = "0.1.0"
MODES = ("value_and_grad", "grad", "pair")
STYLES = ("default",)
# How much evidence is gathered; the limits of each stand in `gradgen.oracles.report`.
EFFORTS = ("quick", "normal", "exhaustive")
Wrt = str | int | Sequence[str | int] | None


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


def compile_graph(graph: Graph, options: Options, guard: bool = True) -> Program:
    """Derive, simplify and write a graph that was read; with `guard` the shapes are checked."""
    options.check()
    chosen, bare = choose_parameters(graph, options.wrt)
    for param in chosen:
        for leaf in leaves(param.tree):
            derive.check_active(graph, leaf)
    value, aux = choose_result(graph, options)
    _refuse_non_scalar(graph, value, options)
    graph.least = _lengths(graph, guard)
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
    derived.least = list(needed_lengths(derived, 0 if guard else 2, slices=False))
    _refuse_arrays(derived, options)
    typed = [replace(p, tree=map_tree(graph.types.__getitem__, p.tree)) for p in graph.params]
    doc = _doc(graph, typed, options, [p.name for p in chosen])
    unit = emit_unit(derived, TARGETS[options.target], options.mode, doc, guard)
    unit.notes += header_notes(derived, TARGETS[options.target])
    inspect_unit(unit)
    return Program(derived, unit, shapes_text(typed), tuple(p.name for p in chosen))


def _lengths(graph: Graph, guard: bool) -> list[tuple[Size, Location | None]]:
    """What the lengths must fulfil; refused where the emitted function cannot check it."""
    # The live decorator takes lengths of 0 and 1 as numbers, and compiles for others at once.
    needed = needed_lengths(graph, 0 if guard else 2)
    arrays = {
        text: graph.types[part].shape
        for param in graph.params
        for text, part in argument_parts(param.name, param.tree)
        if isinstance(part, int) and graph.types[part].kind == "array"
    }
    for size, loc in needed:
        try:
            length_guard("", arrays, [size], "")
            if not guard:
                raise NeedsLength(f"{size} may be negative")
        except NeedsLength as refusal:
            if loc is None:
                raise
            raise LengthError(refusal.message, loc, refusal.hint) from None
    return list(needed)


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
            found = made[leaf]
            if graph.locs[found] is None and not (graph.hints[found] or "").startswith("d_"):
                # a definition may have called it otherwise
                graph.hints[found] = name and f"d_{name}"
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
        if not any(True for _ in leaves(param.tree)):
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
