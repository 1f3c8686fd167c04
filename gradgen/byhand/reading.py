"""A gradient by hand as a graph: read as the function is, on the same arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradgen.byhand.written import Calling, Misfit, Reading, described, part_of
from gradgen.emission import emit
from gradgen.errors import GradgenError
from gradgen.graph import Graph, GraphBuilder, Param, map_tree
from gradgen.oracles.subject import Leaf, Subject, fixed_types
from gradgen.targets import TARGETS
from gradgen.types import Type
from gradgen.unit import Unit

Read = Callable[[Mapping[str, Any]], Graph]


def read_by_hand(
    subject: Subject, read: Read, calling: Calling, reading: Reading, any_shape: bool = False
) -> Graph:  # fmt: skip
    """The graph of a gradient on the arguments of a subject, which are called as the function's.

    Its results are `(None, gradients)`, a tuple of nodes for each parameter, in the order of its
    leaves. Raises `GradgenError` with the reason where there is no such graph; with `any_shape` a
    derivative of another shape than its argument is none.
    """
    types = {p.name: fixed_types(subject.graph, p.tree, {}) for p in subject.graph.params}
    theirs = {name: mine for mine, name in calling.renamed}
    given = (*calling.positional, *calling.keywords)
    graph = read({theirs.get(name, name): types[name] for name in given})
    builder = GraphBuilder(Graph(name=graph.name, captured=graph.captured, text=graph.text))
    builder.graph.params = [_parameter(builder, subject.graph, p) for p in subject.graph.params]
    mapping = _copied(graph, builder, calling, given)
    try:
        gradients = _taken(graph, builder, reading, mapping)
        builder.graph.results = (None, tuple(
            tuple(_entry(builder, part_of(gradients[name], leaf.path), mapping, leaf)
                  for leaf in subject.leaves if leaf.name == name)
            for name in subject.wrt
        ))  # fmt: skip
    except Misfit as misfit:
        raise GradgenError(f"its result {misfit}") from None
    if not any_shape:
        _refuse_shapes(subject, builder.graph)
    return builder.graph


def unit_of(graph: Graph) -> Unit:
    """A program that computes the derivatives of a gradient that was read, structured alike."""
    graph = replace(graph, results=graph.results[1])
    return emit(graph, TARGETS["numpy"], "grad", guard=False)


def _parameter(builder: GraphBuilder, graph: Graph, param: Param) -> Param:
    """A parameter of the function's, as one of the graph that is built."""

    def leaf(node: int) -> int:
        return builder.leaf("param", graph.attrs[node], graph.types[node], graph.values[node])

    return replace(param, tree=map_tree(leaf, param.tree))


def _copied(
    graph: Graph, builder: GraphBuilder, calling: Calling, given: tuple[str, ...]
) -> list[int]:
    """Copy a graph with the function's names for the arguments, others at their defaults."""
    own, mapping = dict(calling.renamed), list[int]()
    defaults = {param.name: param.default for param in graph.params}
    for node, op in enumerate(graph.ops):
        if op != "param":
            mapping.append(builder.copy_node(graph, node, mapping))
            continue
        name, path = graph.attrs[node]
        if own.get(name, name) in given:
            attr = (own.get(name, name), path)
            mapping.append(builder.leaf(op, attr, graph.types[node], graph.values[node]))
            continue
        try:
            value = ast.literal_eval(defaults.get(name) or "")
        except (ValueError, SyntaxError):
            raise GradgenError(f"the default of {name} is no plain number") from None
        mapping.append(builder.const(value, name))
    return mapping


def _taken(
    graph: Graph, builder: GraphBuilder, reading: Reading, mapping: list[int]
) -> Mapping[str, Any]:
    """The results by parameter; an array of several derivatives is taken apart."""
    results = graph.results[1] if reading.valued else graph.results
    if reading.form == "tuple" and isinstance(results, int):
        at = mapping[results]
        for place in range(len(reading.wrt)):
            mapping.append(builder.add("index", at, attr=(("i", place),)))
        first = len(mapping) - len(reading.wrt)
        results = tuple(range(first, len(mapping)))
    return Reading(reading.wrt, reading.form, False).taken(results)[1]


def _entry(builder: GraphBuilder, held: Any, mapping: list[int], leaf: Leaf) -> int:
    """The node of the derivative by a leaf, of whatever shape. Raises `Misfit`."""
    name = f"d/d{leaf.text}"
    if isinstance(held, list):
        places = np.array(held, dtype=object)
        if not all(isinstance(place, int) for place in places.ravel()):
            raise Misfit(f"holds {described(held)} for {name}")
        items = [mapping[place] for place in places.ravel()]
        node = builder.add("array", *items, attr=(places.shape, None))
    elif isinstance(held, int):
        node = mapping[held]
    else:
        raise Misfit(f"holds {described(held)} for {name}")
    found: Any = builder.type_of(node)
    value = builder.value_of(node)
    if isinstance(value, int):
        node = builder.const(float(value))
        found = builder.type_of(node)
    if not isinstance(found, Type) or not found.is_float:
        raise Misfit(f"holds {found} for {name}")
    return node


def _refuse_shapes(subject: Subject, graph: Graph) -> None:
    for name, nodes in zip(subject.wrt, graph.results[1], strict=True):
        own = [leaf for leaf in subject.leaves if leaf.name == name]
        for leaf, node in zip(own, nodes, strict=True):
            if graph.types[node].shape != leaf.type.shape:
                raise GradgenError(f"its result holds {graph.types[node]} for d/d{leaf.text}")
