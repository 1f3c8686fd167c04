"""What each mode asks for, derived: from a graph that was read to one with derivatives as results.

The results of the derived graph are always `(value, aux, derivatives)`; the value is None where the
mode does not give it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gradgen import derive, passes
from gradgen.elimination import MAX_EDGES, MAX_NODES, eliminated
from gradgen.errors import Location
from gradgen.forward import Forward
from gradgen.graph import Graph, GraphBuilder, Param, Record, Tree, leaves, map_tree
from gradgen.jacobians import hessian, jacobian, operations
from gradgen.question import Question, as_result, owned
from gradgen.sweep import LEAVES
from gradgen.types import FLOAT

MODES = ("value_and_grad", "grad", "pair", "vjp", "jvp", "jacobian", "hvp", "hessian")
# Modes that give the value too.
WITH_VALUE = ("value_and_grad", "pair", "vjp", "jvp")
# Modes that take tangents of the parameters.
WITH_TANGENTS = ("jvp", "hvp")
# Modes that take a seed in the structure of the value.
WITH_SEEDS = ("pair", "vjp")
# Modes that take a value of any shape, and several.
ANY_VALUE = ("pair", "vjp", "jvp", "jacobian")
# In which orders a gradient with its value is also looked for, and of how many partial derivatives:
# a compilation of a few lines takes some milliseconds.
SMALL = (("reverse", "forward"), 24)
# By the mode that asks for a matrix: the mode of its products with vectors.
PRODUCTS = {"jacobian": "jvp", "hessian": "hvp"}


def answer(mode: str, asked: Question) -> Graph:
    """The derived graph, simplified; no derivative shares memory with an argument.

    Raises `SourceError` where an active operation has no derivative, and `WholeArray` where a
    matrix can only be found by a loop, of calls of a function of mode `PRODUCTS[mode]`.
    """
    if mode == "jvp":
        return _jvp(asked)
    if mode in ("jacobian", "hessian"):
        return (jacobian if mode == "jacobian" else hessian)(asked)
    graph = _gradient(asked, mode)
    return _along_tangents(graph, asked) if mode == "hvp" else graph


def _gradient(asked: Question, mode: str) -> Graph:
    graph, seeds = derive.copied(asked.graph), None
    if mode in WITH_SEEDS:
        b = GraphBuilder(graph)
        seeds = add_seeds(b, asked.value, mode)
        _number(b, asked.value)
    derived = derive.reverse(graph, asked.trees, asked.value, seeds)
    value, grads = derived.results
    derived.results = (value if mode in WITH_VALUE else None, asked.aux, asked.told(grads))
    names = [derive.name_of(graph, n) for n in leaves(asked.trees)]
    found = owned(passes.run(derived), names, "d_")
    if mode not in ("grad", "value_and_grad"):
        return found
    others = [owned(other, names, "d_") for other in _by_elimination(asked, mode, found)]
    return min([found, *others], key=operations) if others else found


def _by_elimination(asked: Question, mode: str, known: Graph) -> list[Graph]:
    """The gradient of a program of numbers, by what its entries and the value have in common.

    Of the gradient alone, which is taken of gradients, most is there before; with the value, only
    of small programs. What it has in common with the `known` gradient is called the same.
    """
    sources = list(leaves(asked.trees))
    arrays = any(asked.graph.types[n].kind == "array" for n in (*sources, asked.value))
    if arrays or len(asked.graph) > MAX_NODES:
        return []
    graph = derive.copied(asked.graph)
    b = GraphBuilder(graph)
    kept = list(leaves((asked.value if mode in WITH_VALUE else None, asked.aux)))
    orders, most = SMALL if mode in WITH_VALUE else (("reverse",), MAX_EDGES)
    entries = eliminated(b, [asked.value], sources, orders=orders, kept=kept, most=most)
    if entries is None:
        return []
    made = {n: as_result(b, entries.get((0, k)), n) for k, n in enumerate(sources)}
    grads = tuple(map_tree(made.__getitem__, tree) for tree in asked.trees)
    graph.results = (asked.value if mode in WITH_VALUE else None, asked.aux, asked.told(grads))
    _name_alike(b, known)
    return [passes.eliminate_dead(graph)]


def _name_alike(b: GraphBuilder, known: Graph) -> None:
    """Hints for what another graph computes as well, from what it is called there."""
    mapping: list[int] = []
    for node, (op, args) in enumerate(zip(known.ops, known.args, strict=True)):
        if known.locs[node] is not None or op in LEAVES:
            mapping.append(b.copy_node(known, node, mapping))
            continue
        b.loc = None
        operands = [mapping[a] for a in args]
        turned = b.find(op, *reversed(operands)) if op in ("add", "mul") else None
        same = b.add(op, *operands, attr=known.attrs[node]) if turned is None else turned
        b.label(same, None, known.hints[node])
        mapping.append(same)


def _jvp(asked: Question) -> Graph:
    graph = derive.copied(asked.graph)
    b = GraphBuilder(graph)
    tangents = _along(b, asked.chosen, asked.value, None)
    graph.results = (asked.value, asked.aux, tangents)
    _number(b, asked.value)
    names = [derive.name_of(graph, n) or "value" for n in leaves(asked.value)]
    return owned(passes.run(graph), names, "t_")


def _number(b: GraphBuilder, value: Tree) -> None:
    """Names for the parts of a value of several, where the user gives none."""
    parts = list(leaves(value))
    for k, node in enumerate(parts if len(parts) > 1 else ()):
        if derive.name_of(b.graph, node) is None:
            b.label(node, None, f"value_{k}")


def _along_tangents(graph: Graph, asked: Question) -> Graph:
    """From the gradient its derivative along tangents: forward over reverse."""
    _, aux, gradient = graph.results
    names = [p.name for p in asked.chosen]
    chosen = [next(p for p in graph.params if p.name == name) for name in names]
    place = asked.graph.locs[asked.value]
    graph.results = (None, aux, _along(GraphBuilder(graph), chosen, gradient, place))
    wanted = [derive.name_of(graph, n) for p in chosen for n in leaves(p.tree)]
    return owned(passes.run(graph), wanted, "hvp_")


def _along(b: GraphBuilder, chosen: Sequence[Param], values: Tree, place: Location | None) -> Tree:
    """The tangents of values along those of the chosen parameters, which become parameters."""
    tangents = dict(add_tangents(b, chosen))
    nodes = list(leaves(values))
    found = dict(zip(nodes, Forward(b, tangents, place).push(nodes), strict=True))
    results = {n: as_result(b, found[n], n) for n in found}
    return map_tree(results.__getitem__, values)


# -- tangents and seeds as arguments ---------------------------------------------------------------


def tangent_names(names: Sequence[str], chosen: Iterable[str]) -> dict[str, str]:
    """What the tangents of the chosen parameters are called: `t_x`, which no parameter is."""
    taken = set(names)
    found = {}
    for name in chosen:
        wanted, count = f"t_{name}", 0
        while wanted in taken:
            count += 1
            wanted = f"t_{name}_{count}"
        taken.add(wanted)
        found[name] = wanted
    return found


def taken(mode: str, params: Sequence[Param], chosen: Iterable[str]) -> list[Param]:
    """The parameters of an emitted function, in order: the given ones and what the mode adds."""
    if mode in WITH_TANGENTS:
        return _with_tangents(params, chosen)
    return _with_seed(params) if mode == "vjp" else list(params)


def _with_tangents(params: Sequence[Param], chosen: Iterable[str]) -> list[Param]:
    """The parameters and, directly behind the last chosen one, the tangents in the order chosen.

    So stands the direction where `scipy.optimize` gives it, between the vector and the `args`. The
    tangent of what is given by name only is so too, and all are where one before has a default.
    """
    names = tangent_names([p.name for p in params], chosen)
    by_name = {p.name: p.keyword_only for p in params}
    made = [Param(t, None, by_name[n], declared="tangent", added=n) for n, t in names.items()]
    in_order = [p for p in params if not p.keyword_only]
    end = max((k + 1 for k, p in enumerate(in_order) if p.name in names), default=0)
    defaults = any(p.default is not None for p in in_order[:end])
    for tangent in made:
        tangent.keyword_only |= defaults
        behind = any(p.positional_only for p in in_order[end:])
        tangent.positional_only = behind and not tangent.keyword_only
    return sorted([*in_order[:end], *(t for t in made if not t.keyword_only), *in_order[end:],
                   *(p for p in params if p.keyword_only), *(t for t in made if t.keyword_only)],
                  key=lambda p: p.keyword_only)  # fmt: skip


def add_tangents(b: GraphBuilder, chosen: Sequence[Param]) -> Iterable[tuple[int, int]]:
    """Add a parameter for the tangent of each chosen one: pairs of its nodes and the tangent's."""
    graph = b.graph
    names = [p.name for p in chosen]
    graph.params = _with_tangents(graph.params, names)
    tangents = {p.added: p for p in graph.params if p.added in names}
    for param in chosen:
        tangent = tangents[param.name]

        def leaf(node: int, name: str = tangent.name) -> int:
            _, path = graph.attrs[node]
            return b.leaf("param", (name, path), graph.types[node])

        tangent.tree = _renamed(map_tree(leaf, param.tree), tangent.name)
        yield from zip(leaves(param.tree), leaves(tangent.tree), strict=True)


def seed_name(names: Sequence[str]) -> str:
    """What the seed is called: `seed`, which no parameter is."""
    count = 0
    while (wanted := f"seed_{count}" if count else "seed") in names:
        count += 1
    return wanted


def _with_seed(params: Sequence[Param]) -> list[Param]:
    """The parameters and behind them the seed, which is given by name where one has a default."""
    defaults = any(p.default is not None and not p.keyword_only for p in params)
    name = seed_name([p.name for p in params])
    seed = Param(name, None, defaults, declared="seed", added="value")
    return sorted([*params, seed], key=lambda p: p.keyword_only)


def add_seeds(b: GraphBuilder, value: Tree, mode: str) -> Tree:
    """The adjoints of a value, in its structure: a parameter, or what `f_backward` is given."""
    graph = b.graph
    name = seed_name([p.name for p in graph.params]) if mode == "vjp" else "seed"

    def leaf(node: int, path: tuple[Any, ...]) -> int:
        # of a number the seed may be a Python float, which has no methods and is weak
        t = graph.types[node] if graph.types[node].shape else FLOAT
        return b.leaf("param" if mode == "vjp" else "seed", (name, path), t)

    seeds = _with_paths(leaf, value)
    if mode == "vjp":
        graph.params = _with_seed(graph.params)
        next(p for p in graph.params if p.name == name).tree = seeds
    else:
        graph.params.append(Param(name, seeds, declared="seed", added="value"))
        graph.params.sort(key=lambda p: p.keyword_only)
    return seeds


def _with_paths(
    function: Callable[[int, tuple[Any, ...]], int], tree: Tree, path: tuple[Any, ...] = ()
) -> Tree:
    """The tree with `function` applied to every node and the path to it."""
    if isinstance(tree, int):
        return function(tree, path)
    if isinstance(tree, dict):
        return {key: _with_paths(function, v, (*path, key)) for key, v in tree.items()}
    return type(tree)(_with_paths(function, v, (*path, k)) for k, v in enumerate(tree))


def _renamed(tree: Tree, name: str) -> Tree:
    """The tree of another parameter; what is no number in it may be anything."""
    if isinstance(tree, Record):
        values = tuple(_renamed(v, name) for v in tree.values)
        return Record((name, tree.like[1]), tree.fields, values)
    if isinstance(tree, dict):
        return {key: _renamed(v, name) for key, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_renamed(v, name) for v in tree)
    return tree if isinstance(tree, int) else None
