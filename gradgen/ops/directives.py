"""What a user's function says to the compiler by calls of gradgen's own functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.shape import full_shape
from gradgen.ops.table import OPS, Op, register
from gradgen.ops.written import infer_written
from gradgen.types import Builder, Type


def _same(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    return types[0]


def _none(b: Builder, node: int, g: int) -> Sequence[int | None]:
    return (None,)


def _bind_stop_gradient(front: Any, x: Any, /) -> Any:
    """The array itself under another name: an update of either is refused, as that of a view."""
    if front.is_sequence(x):
        raise Refusal("stop_gradient takes a number or an array, not a list or a tuple",
                      "stop its items one by one")  # fmt: skip
    node = front.node(x)
    if not front.type_of(node).is_float:
        return x
    stopped = front.add("stop_gradient", node)
    return front.view(x, stopped) if front.type_of(node).kind == "array" else stopped


# How often the rule of a function is read in itself: derivatives of the second order take two.
NESTED = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the operands of a call with a rule are: first comes the value, then the arguments.

    Then follow what the rules read as the value; the seed and the adjoints of the arguments in
    `pulled`; the seeds of the tangents of those in `pushed`, and the tangent. The value and what
    the rules compute are stopped: the call depends on its arguments alone.
    """

    name: str
    count: int
    # The numbers of the arguments that have an adjoint; None without a vjp.
    pulled: tuple[int, ...] | None
    # The numbers of the arguments that have a tangent; None without a jvp.
    pushed: tuple[int, ...] | None
    # Whether it is a call by the rule of the same function, too deep for its rule to be read.
    deep: bool = False

    def refused(self, what: str, hint: str) -> Refusal:
        """The refusal of a mode that takes what there is not."""
        if self.deep:
            return Refusal(f"the custom rule of {self.name} calls {self.name} itself, and "
                           f"this takes derivatives of it more than {NESTED} times",
                           "write what it computes in its rule")  # fmt: skip
        return Refusal(f"the custom rule of {self.name} {what}", hint)


def substituted(b: Any, node: int, leaves: Mapping[int, int]) -> int:
    """A node of which leaves are replaced, as derived code: without a place in the source."""
    graph, mapping = b.graph, dict(leaves)
    first = min(leaves)
    needed, stack = set(), [node]
    while stack:
        at = stack.pop()
        if at > first and at not in needed and at not in leaves:
            needed.add(at)
            stack += graph.args[at]
    saved, b.loc = b.loc, None
    for at in sorted(needed):
        args = graph.args[at]
        if any(mapping.get(a, a) != a for a in args):
            mapping[at] = b.add(
                graph.ops[at], *(mapping.get(a, a) for a in args), attr=graph.attrs[at]
            )
            b.label(mapping[at], None, graph.names[at] or graph.hints[at])
    b.loc = saved
    return mapping.get(node, node)


def _rule_vjp(b: Any, node: int, g: int) -> Sequence[int | None]:
    """The adjoints that the user's rule computes."""
    rule, args = b.attr_of(node), b.args_of(node)
    if rule.pulled is None:
        raise rule.refused("has no vjp, which this mode takes", "give it one, or use mode jvp")
    parts: list[int | None] = [None] * len(args)
    out, seed = args[1 + rule.count : 3 + rule.count]
    g = full_shape(b, g, b.type_of(node).shape)
    for k, at in enumerate(rule.pulled):
        held = b.args_of(args[3 + rule.count + k])[0]
        parts[1 + at] = substituted(b, held, {out: node, seed: g})
    return parts


# What is linear in these operands alone, besides the rows that say how they are.
_LINEAR = {
    "neg": (0,), "pos": (0,), "mul": (0, 1), "div": (0,), "solve": (1,),
    "scipy_solve": (1,), "solve_triangular": (1,), "cho_solve": (1,),
}  # fmt: skip
_TOGETHER = {"add": (0, 1), "sub": (0, 1), "where": (1, 2)}
_ZEROS = ("zeros", "zeros_like")
# What reads nothing of an operand but its shape.
_SHAPES = ("axis_size", "item_count", "zeros_like", "ones_like", "empty_like")


def linear_nodes(b: Any, seed: int, last: int) -> tuple[set[int], set[int]]:
    """The nodes up to `last` that depend on a seed, and those that are seen to be linear in it."""
    graph = b.graph
    moved, linear = {seed}, {seed}
    for node in range(seed + 1, last + 1):
        op, args = graph.ops[node], graph.args[node]
        places = [k for k, a in enumerate(args) if a in moved]
        if not places or op in _SHAPES:
            continue
        moved.add(node)
        real = getattr(graph.types[node], "is_float", False)
        if real and all(args[k] in linear for k in places) and _is_linear(b, node, places):
            linear.add(node)
    return moved, linear


def _is_linear(b: Any, node: int, places: Sequence[int]) -> bool:
    """Whether an operation is linear in these operands together, as far as it is known."""
    graph = b.graph
    op, args = graph.ops[node], graph.args[node]
    row = OPS[op]
    together: Sequence[int] | None = _TOGETHER.get(op)
    if op in ("index_set", "index_add"):
        together = (0, 1)
    elif op == "stop_gradient":
        return bool(graph.attrs[node] == "rule")
    elif together is None and row.linear == "all":
        together = range(len(args))
    if together is not None:
        still = [k for k in together if k not in places]
        return set(places) <= set(together) and all(_is_zero(graph, args[k]) for k in still)
    if row.linear == "first":
        return list(places) == [0]
    alone = _LINEAR.get(op, range(len(args)) if row.linear == "each" else ())
    return len(places) == 1 and places[0] in alone


def _is_zero(graph: Any, node: int) -> bool:
    return graph.ops[node] in _ZEROS or bool(graph.values[node] == 0)


def rule_jvp(b: Any, node: int, tangents: Sequence[int | None], live: int | None) -> int | None:
    """The tangent that the user's rule computes; an argument that stands still has zeros.

    Where the result is not read, a rule that computes item by item reads ones. None where the rule
    has a vjp only, which is linear: its transpose is the jvp.
    """
    rule, args = b.attr_of(node), b.args_of(node)
    if rule.pushed is None:
        if rule.pulled is not None and _vjp_is_linear(b, node):
            return None
        raise rule.refused("has no jvp, which this mode takes, and its vjp is not seen to be "
                           "linear in the adjoint",
                           "give it a jvp, or use a mode in reverse: grad, vjp")  # fmt: skip
    first = 2 + rule.count + (0 if rule.pulled is None else 1 + len(rule.pulled))
    leaves = {args[1 + rule.count]: node}
    for k, at in enumerate(rule.pushed):
        t, like = tangents[1 + at], args[1 + at]
        if t is None:
            t = b.add("zeros_like", like) if b.type_of(like).shape else b.const(0.0)
        leaves[args[first + k]] = t
    held = b.args_of(args[-1])[0]
    if live is not None and held in _lanes(b, node, live):
        leaves |= _guarded(b, node, live)
    return substituted(b, held, leaves)


def _guarded(b: Any, node: int, live: int) -> dict[int, int]:
    """What rules read as the arguments and as the value of a call: ones where nobody reads it."""
    rule, args = b.attr_of(node), b.args_of(node)
    shape, out = b.type_of(live).shape and b.type_of(node).shape, args[1 + rule.count]
    live = full_shape(b, live, shape)
    read = {a: a for a in args[1 : 1 + rule.count]} | {out: node}
    for leaf, value in read.items():
        if shape in ((), b.type_of(leaf).shape) and b.type_of(leaf).is_float:
            read[leaf] = b.add("where", live, value, b.const(1.0))
    return read


def _rule_vjp_masked(
    b: Any, node: int, g: int, live: int, risky: Sequence[bool]
) -> Sequence[int | None]:
    """The adjoints that the user's rule computes, without what it gives in lanes nobody reads.

    What is computed lane by lane, and is linear in the adjoint, is 0 there; it is put to 0 before
    anything mixes lanes.
    """
    rule, args = b.attr_of(node), b.args_of(node)
    if rule.pulled is None:
        return _rule_vjp(b, node, g)
    parts: list[int | None] = [None] * len(args)
    out, seed = args[1 + rule.count : 3 + rule.count]
    shape = b.type_of(live).shape
    lanes, linear, held = _lanes(b, node, live), *_pulled(b, node)
    g = full_shape(b, g, b.type_of(node).shape)
    leaves = {out: node, seed: g}
    guarded = _guarded(b, node, live) | {seed: g}
    doubtful = risky[args[0]]
    stack, seen = list(held), set()
    while stack:
        at = stack.pop()
        if at <= out or at in seen or at in leaves:
            continue
        seen.add(at)
        if at in lanes and at in linear and shape in ((), b.type_of(at).shape):
            if doubtful or risky[at]:
                leaves[at] = b.add("where", live, substituted(b, at, guarded), b.const(0.0))
        else:
            stack += b.args_of(at)
    for k, at in enumerate(rule.pulled):
        parts[1 + at] = substituted(b, held[k], leaves)
    return parts


def _pulled(b: Any, node: int) -> tuple[set[int], list[int]]:
    """What is linear in the seed of a vjp, and the nodes of the adjoints that it computes."""
    rule, args = b.attr_of(node), b.args_of(node)
    first = 3 + rule.count
    held = [b.args_of(part)[0] for part in args[first : first + len(rule.pulled)]]
    return linear_nodes(b, args[first - 1], max(held, default=0))[1], held


def _lanes(b: Any, node: int, live: int) -> set[int]:
    """The nodes of rules in which each item is computed from the same item of the operands.

    Those are all where the result is read as a whole, or not at all: its mask is one number.
    """
    graph, rule, args = b.graph, b.attr_of(node), b.args_of(node)
    shapes = ((), b.type_of(node).shape)
    given = set(args[1 : 1 + rule.count])
    needed, stack = set(given), list(args[1 + rule.count :])
    while stack:
        at = stack.pop()
        if at not in needed:
            needed.add(at)
            stack += graph.args[at]
    fits: set[int] = set()
    for at in sorted(needed):
        row = OPS.get(graph.ops[at])
        alone = row is None or row.elementwise or row.name in (*_SHAPES, "stop_gradient")
        alone = at in given or (alone and all(a in fits for a in graph.args[at]))
        if not b.type_of(live).shape or (
            alone and getattr(graph.types[at], "shape", None) in shapes
        ):
            fits.add(at)
    return fits


def _rule_live(b: Any, node: int, live: int) -> Sequence[int | None]:
    """Where the arguments are read: where the result is, by rules that compute item by item."""
    rule, args = b.attr_of(node), b.args_of(node)
    lives: list[int | None] = [None] * len(args)
    lanes, shape = _lanes(b, node, live), b.type_of(live).shape
    if rule.pushed is not None and b.args_of(args[-1])[0] not in lanes:
        return lives
    linear, held = _pulled(b, node) if rule.pulled is not None else (set(), [])
    by_part = dict(zip(rule.pulled or (), held, strict=True))
    for k in range(rule.count):
        part = by_part.get(k)
        if shape in ((), b.type_of(args[1 + k]).shape) and (
            part is None or (part in lanes and part in linear)
        ):
            lives[1 + k] = live
    return lives


def _vjp_is_linear(b: Any, node: int) -> bool:
    """Whether all adjoints that a vjp computes are seen to be linear in what it is given."""
    rule, args = b.attr_of(node), b.args_of(node)
    seed, first = args[2 + rule.count], 3 + rule.count
    parts = args[first : first + len(rule.pulled)]
    moved, linear = linear_nodes(b, seed, max(parts, default=seed))
    held = (b.args_of(part)[0] for part in parts if part not in linear)
    return all(node not in moved and _is_zero(b.graph, node) for node in held)


def _refuse_opaque(b: Any, node: int, *given: Any) -> Any:
    raise Refusal(f"the derivative of {b.attr_of(node).name} is needed, which is opaque and has no "
                  "rule", "give it one: custom_rule(..., vjp=..., result=...)")  # fmt: skip


def register_rows() -> None:
    """Enter the rows of this family."""
    register(Op(name="stop_gradient", infer=_same, vjp=_none, linear="constant",
                call="gradgen.stop_gradient", bind=_bind_stop_gradient, view=True, bounded=True,
                cost=0))  # fmt: skip
    register(Op(name="custom_rule", infer=_same, vjp=_rule_vjp, jvp=rule_jvp, view=True,
                masked=_rule_vjp_masked, live=_rule_live, call="gradgen.custom_rule",
                cost=0))  # fmt: skip
    # What it gives may be memory of its own, which emitted code must not write into.
    register(Op(name="opaque", infer=infer_written, vjp=_refuse_opaque, jvp=_refuse_opaque,
                view=True))  # fmt: skip
