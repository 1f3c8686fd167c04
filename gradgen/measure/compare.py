"""The interface: compare a function, one in a file, or a family; `Comparison` and `Growth`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradgen.errors import GradgenError
from gradgen.graph import Graph, Record, leaves
from gradgen.live import Shapes, like_specs, read_declared, read_signature
from gradgen.measure.comparison import SIMPLIFY_BELOW, Measurement
from gradgen.measure.families import FAMILIES
from gradgen.measure.results import Comparison, Growth
from gradgen.oracles.subject import length_of, lengths_of
from gradgen.program import Wrt, active_names
from gradgen.read import LengthError, LiveTypes, Static, parse_shapes, read_file, read_live
from gradgen.types import Type

Step = Callable[[str], None]
Read = Callable[[Mapping[str, Any]], Graph]
Param = tuple[str, Iterable[int]]
_MOST_POINTS = 1000
_MORE = 8


def _no_step(text: str) -> None:
    pass


def compare(
    f: Callable[..., Any], wrt: Wrt = None, shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, param: Param | None = None, simplify_below: int = SIMPLIFY_BELOW,
) -> Comparison | Growth:  # fmt: skip
    """How big the derivative of `f` is, and how long it takes: SymPy's against the emitted one.

    Parameters
    ----------
    f, wrt, shapes, like, output
        As in `value_and_grad`. SymPy sees arrays entry by entry, at small lengths where they are
        symbols; what it has no word for is left out, and a note says so. `f` is not called: what
        is timed is emitted code.
    param
        `("depth", range(1, 11))`: an int parameter that is fixed at each of these values while
        compiling.
    simplify_below
        How many operations a derivative may have that SymPy is asked to simplify.

    Returns
    -------
    A `Comparison`: for the value, each partial derivative and the gradient, operations by kind
    (`gradgen.measure.counting.Operations` has the rules), characters, tree nodes, bytes of bytecode
    and seconds, for SymPy's raw derivative, after cse, after simplify, and gradgen's forward
    function, backward function, and both in one. With `param` a `Growth`, which holds a
    `Comparison` for each value, without the partial derivatives. `as_dict()` gives the numbers,
    `str()` a table.

    Raises
    ------
    SourceError, GradgenError
        Where the gradient is refused.
    """

    def read(fixed: Mapping[str, Any]) -> Graph:
        return _read_live(f, {**parse_shapes(shapes), **fixed}, like, wrt)

    if param is not None:
        return grow(read, param, wrt, output, simplify_below)
    return _measured(read, {}, wrt, output, True, simplify_below, _no_step)


def compare_path(
    path: Path, name: str, wrt: Wrt = None, shapes: Shapes = None, *, output: int | None = None,
    param: Param | None = None, simplify_below: int = SIMPLIFY_BELOW, step: Step = _no_step,
) -> Comparison | Growth:  # fmt: skip
    """As `compare`, for a function in a file, of which nothing is executed."""

    def read(fixed: Mapping[str, Any]) -> Graph:
        return read_file(path, name, {**parse_shapes(shapes), **fixed}, str(path))

    if param is not None:
        return grow(read, param, wrt, output, simplify_below, step)
    return _measured(read, {}, wrt, output, True, simplify_below, step)


def compare_family(
    name: str, values: Iterable[int], *, simplify_below: int = SIMPLIFY_BELOW, step: Step = _no_step
) -> Growth:
    """One of `FAMILIES` at these depths. Raises `GradgenError` for a name that there is not."""
    if name not in FAMILIES:
        raise GradgenError(f"family {name!r}: choose one of {', '.join(FAMILIES)}")
    family = FAMILIES[name]

    def read(fixed: Mapping[str, Any]) -> Graph:
        return read_live(family.function, family.declared(fixed["n"].value))

    values = list(values)
    if min(values, default=1) < 1:
        raise GradgenError(f"the family {name} begins at n=1")
    return grow(read, ("n", values), family.wrt, None, simplify_below, step)


def grow(
    read: Read, param: Param, wrt: Wrt, output: int | None,
    simplify_below: int, step: Step = _no_step,
) -> Growth:  # fmt: skip
    """The comparison at each value of a parameter. Raises `GradgenError` as `compare` does."""
    name, given = param
    values = list(given)
    if not 1 <= len(values) <= _MOST_POINTS:
        raise GradgenError(f"{name}: expected 1 to {_MOST_POINTS:,} values, not {len(values):,}")
    growth = Growth("", name)
    for value in values:
        step(f"{name}={value}")
        fixed = {name: Static(value)}
        found = _measured(read, fixed, wrt, output, False, simplify_below, _no_step)
        growth.name = found.name
        growth.points[value] = found
    return growth


def _measured(
    read: Read, fixed: Mapping[str, Any], wrt: Wrt, output: int | None, partials: bool,
    simplify_below: int, step: Step,
) -> Comparison:  # fmt: skip
    graph = read(fixed)
    shaped = _with_lengths(graph, read, fixed)
    return Measurement(graph, wrt, output, partials, simplify_below, step, shaped).run()


def _with_lengths(graph: Graph, read: Read, fixed: Mapping[str, Any]) -> Graph:
    """The function on arguments of known lengths: the smallest for which it is accepted."""
    nodes = [node for param in graph.params for node in leaves(param.tree)]
    for more in range(_MORE):
        lengths = lengths_of(graph, more)
        if not lengths:
            break
        declared = {
            p.name: _shaped(graph, p.tree, lengths) for p in graph.params if p.name not in fixed
        }
        try:
            found = read({**fixed, **declared})
        except GradgenError:
            continue
        if len(nodes) == sum(1 for p in found.params for _ in leaves(p.tree)):
            return found
    return graph


def _shaped(graph: Graph, tree: Any, lengths: Mapping[str, int]) -> Any:
    """The declaration of a parameter, with numbers for lengths."""
    if isinstance(tree, int):
        t = graph.types[tree]
        return Type(t.kind, t.dtype, tuple(length_of(size, lengths) for size in t.shape))
    if isinstance(tree, Record):
        parts = tuple(_shaped(graph, part, lengths) for part in tree.values)
        return Record("dataclass", tree.fields, parts)
    if isinstance(tree, dict):
        return {key: _shaped(graph, part, lengths) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_shaped(graph, part, lengths) for part in tree)
    return tree


def _read_live(
    function: Callable[..., Any], declared: Mapping[str, Any], like: Any, wrt: Wrt
) -> Graph:
    """The graph of a live function; ints among the examples are fixed where that is needed."""
    if like is None:
        return read_declared(function, declared)
    names: Sequence[str] = read_signature(function)[0]
    active = active_names(wrt, names)
    try:
        examples = like_specs(like, names, LiveTypes(True, False, active))
        return read_live(function, {**examples, **declared})
    except LengthError:
        examples = like_specs(like, names, LiveTypes(True, True, active))
        return read_declared(function, {**examples, **declared})
