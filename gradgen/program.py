"""From a graph that was read to a unit: what is asked for, derived, written and described."""

from __future__ import annotations

import operator
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradgen import derive, passes
from gradgen.batching import batch_products
from gradgen.blocks import blocked
from gradgen.bounds import length_guard, needed_lengths
from gradgen.buffers import FastWriter
from gradgen.collector import paused
from gradgen.emission import FunctionWriter
from gradgen.emission import emit as emit_unit
from gradgen.errors import GradgenError, Location, NeedsLength, SourceError
from gradgen.fastmath import fast_lines, faster
from gradgen.graph import Graph, Param, Record, Tree, leaves, map_tree
from gradgen.guards import argument_parts
from gradgen.inplace import InPlaceWriter, pays
from gradgen.jacobians import WholeArray, in_rows
from gradgen.kernels import choose_kernels, zero_ends
from gradgen.liveness import placed
from gradgen.loops import Loops, structured
from gradgen.modes import (
    ANY_VALUE,
    MODES,
    PRODUCTS,
    WITH_VALUE,
    answer,
)
from gradgen.notes import header_notes
from gradgen.products import as_products
from gradgen.question import Question
from gradgen.read import NOT_AGAIN, LengthError, spelled
from gradgen.regular import with_regular
from gradgen.render import inspect_unit
from gradgen.shifts import without_shifts
from gradgen.stabilize import Rewrite, note_lines, stabilize
from gradgen.stacked import stacked
from gradgen.targets import TARGETS, styled
from gradgen.types import Size, Type
from gradgen.unit import Unit
from gradgen.vanishing import vanishing

VERSION = "0.1.0"
STYLES = ("default", "fast")
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
    # Accurate rewrites, which change how the value is rounded. Not in the text of the options, of
    # which files that were emitted without it hold a digest.
    stabilize: bool = field(default=False, repr=False)
    # Of the rewrites only the one of this number.
    rewrite: int | None = field(default=None, repr=False)
    # In mode pair: save arguments only, and compute all else again.
    recompute: bool = field(default=False, repr=False)

    def check(self) -> None:
        """Raise `GradgenError` for what does not exist, and for a mode that does not take it."""
        for name, value, known in (
            ("mode", self.mode, MODES), ("target", self.target, tuple(TARGETS)),
            ("style", self.style, STYLES),
        ):  # fmt: skip
            if value not in known:
                raise GradgenError(f"{name}={value!r}: choose one of {', '.join(known)}")
        if self.recompute and self.mode != "pair":
            raise GradgenError(f"recompute is for mode pair: mode {self.mode} saves nothing")


@dataclass(slots=True)
class Program:
    """A compiled function: the derived graph, the unit, and what is said about it."""

    graph: Graph
    unit: Unit
    shapes: str
    wrt: tuple[str, ...]
    rewrites: list[Rewrite] = field(default_factory=list)
    # What the user should know before relying on the derivatives.
    warning: str = ""
    # Whether that is so of every derivative.
    vanishes: bool = False


@paused()
def compile_graph(graph: Graph, options: Options, guard: bool = True) -> Program:
    """Derive, simplify and write a graph that was read; with `guard` the shapes are checked."""
    options.check()
    rewrites: list[Rewrite] = []
    if options.stabilize:
        stable = stabilize(graph, TARGETS[options.target], options.rewrite)
        graph, rewrites = stable.graph, stable.rewrites
    graph = with_regular(without_shifts(graph))
    chosen, bare = choose_parameters(graph, options.wrt)
    for param in chosen:
        for leaf in leaves(param.tree):
            derive.check_active(graph, leaf)
    value, aux = choose_result(graph, options)
    for leaf in leaves(value):
        refuse_value(graph, leaf, options)
    graph.least = _lengths(graph, guard)
    asked = Question(graph, chosen, bare, value, aux)
    mode, derived = _answered(options, asked)
    lost, derived = _lost(derived), choose_kernels(batch_products(passes.without_stops(derived)))
    if options.style == "default":
        derived = zero_ends(derived)
    warning, vanishes = _vanishing(asked, mode, derived)
    value, aux, derivatives = derived.results
    if mode in WITH_VALUE:
        derived.results = ((value, aux), derivatives) if options.has_aux else (value, derivatives)
    else:
        derived.results = (derivatives, aux) if options.has_aux else derivatives
    derived.least = list(needed_lengths(derived, 0 if guard else 2, slices=False))
    _refuse_arrays(derived, options)
    typed = _typed(derived, [p for p in derived.params if mode != "pair" or not p.added])
    doc = _doc(graph, typed, mode, [p.name for p in chosen], lost)
    written, kinds, loops = derived, [], 0
    writer: type[FunctionWriter] | None = InPlaceWriter if pays(derived) else None
    if options.style == "fast":
        writer = FastWriter
        made = faster(derived, TARGETS[options.target].scalars_only)
        written, kinds = made.graph, made.kinds
        if mode != "pair":
            written, loops = blocked(written)
        for step in (stacked, as_products):
            written, more = step(written)
            kinds = [*kinds, *more]
    target = styled(options.target, options.style)
    unit = emit_unit(written, target, mode, doc, guard, options.recompute, writer)
    unit.functions[0].doc += ["", *graph.doc.splitlines()] if graph.doc else []
    if mode == "pair":
        seeds = [p for p in derived.params if p.added]
        unit.functions[1].doc += _shape_lines(_typed(derived, seeds))
    if options.style == "fast":
        unit.notes = fast_lines([*kinds, *unit.notes], loops)
    unit.notes = [*note_lines(rewrites), *textwrap.wrap(warning, 95), *unit.notes]
    if mode != options.mode:
        unit.functions.append(
            Loops(written, unit, mode, options.mode, asked, options.has_aux).write()
        )
    unit.notes += header_notes(written, TARGETS[options.target])
    inspect_unit(unit)
    return Program(derived, unit, shapes_text(typed), tuple(p.name for p in chosen),
                   rewrites, warning, vanishes)  # fmt: skip


def _answered(options: Options, asked: Question) -> tuple[str, Graph]:
    """The derived graph and its mode: of a matrix that of its products, where it takes a loop."""
    try:
        return options.mode, answer(options.mode, asked)
    except WholeArray as whole:
        if structured(asked) is not None:
            raise whole.refusal from None
    mode = "vjp" if options.mode == "jacobian" and in_rows(asked) else PRODUCTS[options.mode]
    return mode, answer(mode, asked)


def _vanishing(asked: Question, mode: str, derived: Graph) -> tuple[str, bool]:
    """What is said of derivatives that are zero, in the modes where that is a surprise."""
    if mode in ("jacobian", "hvp", "hessian"):
        return "", False
    found = derived.results[2]
    gradients = [found] if asked.bare else [found] * len(asked.chosen) if mode == "jvp" else found
    return vanishing(asked.graph, asked.value, asked.chosen, derived, gradients)


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


def choose_parameters(graph: Graph, wrt: Wrt) -> tuple[list[Param], bool]:
    """The parameters that `wrt` names, and whether it is a bare name or position.

    Raises `GradgenError` for one that there is not.
    """
    if not graph.params:
        raise GradgenError(f"{graph.name} has no parameter to differentiate with respect to")
    items, bare = wrt_items(wrt)
    names = [p.name for p in graph.params]
    places = {name: place for place, name in enumerate(names)}
    own = [p.name for p in graph.params if p.declared != "captured"]
    chosen: dict[str, Param] = {}
    for item in items:
        name = item if item in own or not isinstance(item, str) else spelled(item)
        if isinstance(item, str) and name not in places:
            raise GradgenError(
                f"wrt={item!r}: the parameters of {graph.name} are {', '.join(own)}"
                + _outside(graph)
            )
        if isinstance(item, int) and not -len(own) <= item < len(own):
            raise GradgenError(f"wrt={item}: {graph.name} has {len(own)} parameters")
        if isinstance(name, int):
            name = own[name]
        param = graph.params[places[name]]
        if not any(True for _ in leaves(param.tree)):
            raise GradgenError(f"wrt={item!r}: the argument is fixed while compiling")
        if param.name in chosen:
            raise GradgenError(f"wrt={item!r} is given twice")
        chosen[param.name] = param
    if not chosen:
        raise GradgenError("wrt names no parameter")
    return list(chosen.values()), bare


def _outside(graph: Graph) -> str:
    """What a function reads besides its parameters, as an error says it."""
    found = [graph.attrs[n][1] for n, op in enumerate(graph.ops) if op == "global"]
    return f"; it reads {', '.join(found)} from outside" if found else ""


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


def chosen_names(wrt: Wrt, names: Sequence[str]) -> list[str]:
    """The names of the parameters that `wrt` chooses, in its order, as far as there are such."""
    size = len(names)
    items = [i if i in names or isinstance(i, int) else spelled(i) for i in wrt_items(wrt)[0]]
    return [
        i if isinstance(i, str) else names[i]
        for i in items if i in names or (isinstance(i, int) and -size <= i < size)
    ]  # fmt: skip


def outside_names(wrt: Wrt, names: Sequence[str] = ()) -> list[str]:
    """What `wrt` names besides these parameters, in its order: what is read from outside."""
    return [i for i in wrt_items(wrt)[0] if isinstance(i, str) and i not in names]


def active_names(wrt: Wrt, names: Sequence[str]) -> frozenset[str]:
    """The names of the parameters that `wrt` chooses, as far as there are such."""
    return frozenset(chosen_names(wrt, names))


def choose_result(graph: Graph, options: Options) -> tuple[Tree, Tree]:
    """The value to differentiate, one node but for modes that take several, and what else."""
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
    if not isinstance(value, int) and options.mode not in ANY_VALUE:
        raise GradgenError(
            f"{graph.name} returns several values; choose one with --output K (output=K)"
            ", or return (value, aux) and pass has_aux=True"
        )
    return value, aux


def refuse_value(graph: Graph, value: int, options: Options) -> None:
    """Refuse a value that is no float, or one of a shape that the mode does not take."""
    t, place = graph.types[value], graph.locs[value]
    if t.is_float and (not t.shape or options.mode in ANY_VALUE):
        return
    message = ""
    if t.shape and options.mode not in ANY_VALUE:
        shape = ", ".join(map(str, t.shape)) + ("," if len(t.shape) == 1 else "")
        message = f"the result of {graph.name} is an array of shape ({shape}), not one number"
        hint = "return np.sum(...), or use mode vjp"
    elif not t.is_float and graph.ops[value] != "const":
        message = f"the result of {graph.name} is {t}, which has no derivative"
        hint = "return a float"
    if not message:
        return
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


def _lost(graph: Graph) -> str:
    """What the source says of derivatives that the emitted text does not, or nothing."""
    found = []
    for what, op in (("stop_gradient", "stop_gradient"), ("the custom rule", "custom_rule")):
        places = [graph.locs[n] for n in placed(graph, op) if graph.attrs[n] != "rule"]
        lines = sorted({place.line for place in places if place is not None})
        if lines:
            found.append(f"{what} in line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}")
    return " and ".join(found)


def _doc(
    graph: Graph, typed: Sequence[Param], mode: str, wrt: Sequence[str], lost: str
) -> list[str]:
    lines = textwrap.wrap(
        _summary(graph.name, typed, mode, wrt), 80,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    lines += _shape_lines(typed)
    numbers = [p.name for p in graph.params if p.declared == ""]
    if lost:
        said = f"{NOT_AGAIN}{lost} of the source is not in this text."
        lines += ["", *textwrap.wrap(said, 80)]
    outside = [p.name for p in graph.params if p.declared == "captured"]
    if outside:
        lines += [
            "",
            *_wrapped(f"Parameters here, which {graph.name} reads from outside: ", outside),
        ]
    if numbers:
        lines += ["", *_wrapped("Taken as numbers, since no shape is declared: ", numbers)]
    return lines


def _typed(graph: Graph, params: Sequence[Param]) -> list[Param]:
    """Parameters with types for their nodes."""
    return [replace(p, tree=map_tree(graph.types.__getitem__, p.tree)) for p in params]


def _shape_lines(typed: Sequence[Param]) -> list[str]:
    arrays = [item for item in _shape_items(typed) if not item.endswith("=scalar")]
    return ["", *_wrapped("Shapes: ", arrays)] if arrays else []


def _summary(name: str, typed: Sequence[Param], mode: str, wrt: Sequence[str]) -> str:
    """What the emitted function computes, in a sentence."""
    if mode == "vjp":
        return f"Value of {name}, and the adjoints of {_in_words(wrt)} for a seed of the value."
    along = _in_words([p.name for p in typed if p.added])
    if mode == "jvp":
        return f"Value of {name}, and its derivative along {along}."
    if mode == "pair":
        return f"Value of {name}, and what its backward function needs."
    what = {"value_and_grad": "Value and gradient", "grad": "Gradient"}.get(mode, "Hessian")
    what = "Jacobian" if mode == "jacobian" else what
    times = f", times {along}" if mode == "hvp" else ""
    return f"{what} of {name} with respect to {_in_words(wrt)}{times}."


def _in_words(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _wrapped(head: str, items: Sequence[str]) -> list[str]:
    lines, line = [], head
    for number, item in enumerate(items):
        tail = "." if number == len(items) - 1 else ", "
        if len(line) + len(item) + len(tail) > 84 and line.strip():
            lines.append(line.rstrip())
            line = ""
        line += item + tail
    return [*lines, line.rstrip()]
