"""What gradgen emits, ready to be measured: forward, backward, and both in one function."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradgen.errors import GradgenError
from gradgen.graph import Graph, Param, leaves
from gradgen.measure.counting import Size, size
from gradgen.measure.results import BACKWARD, BOTH, FORWARD
from gradgen.ops.written import OpaqueCall
from gradgen.program import Options, compile_graph
from gradgen.render import render


@dataclass(frozen=True, slots=True)
class Leaf:
    """A number or an array among the arguments: how code writes it, and its `param` node."""

    text: str
    node: int


@dataclass(slots=True)
class Emitted:
    """The functions that gradgen emits for one gradient; `build` is the time until both exist."""

    sizes: dict[str, Size]
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    both: Callable[..., Any]
    build: float


def emitted(graph: Graph, wrt: Sequence[str], output: int | None) -> Emitted:
    """Compile the gradient with respect to these parameters, as one function and as a pair.

    Raises `GradgenError` as `compile_graph` does.
    """
    opaque = next((a.name for a in graph.attrs if isinstance(a, OpaqueCall)), None)
    if opaque is not None:
        raise GradgenError(f"{graph.name} calls the opaque function {opaque}, of which the "
                           "operations cannot be counted")  # fmt: skip
    # The pair comes first: what is loaded once for all is not part of the time.
    pair, namespace = _compiled(graph, Options(tuple(wrt), "pair", output=output))
    start = time.perf_counter()
    text, found = _compiled(graph, Options(tuple(wrt), output=output))
    build = time.perf_counter() - start
    names = [f"{graph.name}_{mode}" for mode in ("value_and_grad", "forward", "backward")]
    sizes = {BOTH: size(text, names[0]), FORWARD: size(pair, names[1]),
             BACKWARD: size(pair, names[2])}  # fmt: skip
    return Emitted(sizes, namespace[names[1]], namespace[names[2]], found[names[0]], build)


def _compiled(graph: Graph, options: Options) -> tuple[str, dict[str, Any]]:
    program = compile_graph(graph, options)
    text = render(program.unit)
    namespace: dict[str, Any] = {**program.unit.namespace, "__name__": "gradgen_measured"}
    exec(compile(text, "<gradgen measured>", "exec", dont_inherit=True), namespace)
    return text, namespace


def leaves_of(param: Param, graph: Graph) -> list[Leaf]:
    """The numbers and arrays in a parameter."""
    return [Leaf(_written(*graph.attrs[node]), node) for node in leaves(param.tree)]


def _written(name: str, path: tuple[Any, ...]) -> str:
    """How code writes a part of a parameter: `p["W"]`, `p.W`, `p[0]`."""
    return name + "".join(
        step if isinstance(step, str) and step.startswith(".") else f"[{step!r}]" for step in path
    )


def flattened(graph: Graph) -> tuple[Graph, dict[int, str]]:
    """The function with a parameter for each number in a structure, and their names by node."""
    attrs, params, names = list(graph.attrs), [], {}
    taken = {param.name for param in graph.params}
    for param in graph.params:
        nodes = list(leaves(param.tree))
        if nodes == [param.tree] or not nodes:
            params.append(param)
            names.update(dict.fromkeys(nodes, param.name))
            continue
        for at, node in enumerate(nodes):
            name = f"{param.name}_{at}"
            while name in taken:
                name += "_"
            taken.add(name)
            names[node], attrs[node] = name, (name, ())
            params.append(Param(name, node, param.keyword_only, param.positional_only))
    return replace(graph, attrs=attrs, params=params), names
