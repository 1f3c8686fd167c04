"""What a user's function says to the compiler by calls of gradgen's own functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.shape import full_shape
from gradgen.ops.table import Op, register
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
        raise Refusal(f"the custom rule of {rule.name} has no vjp, which this mode takes",
                      "give it one, or use mode jvp")  # fmt: skip
    parts: list[int | None] = [None] * len(args)
    out, seed = args[1 + rule.count : 3 + rule.count]
    g = full_shape(b, g, b.type_of(node).shape)
    for k, at in enumerate(rule.pulled):
        held = b.args_of(args[3 + rule.count + k])[0]
        parts[1 + at] = substituted(b, held, {out: node, seed: g})
    return parts


def rule_jvp(b: Any, node: int, tangents: Sequence[int | None]) -> int:
    """The tangent that the user's rule computes; an argument that stands still has zeros."""
    rule, args = b.attr_of(node), b.args_of(node)
    if rule.pushed is None:
        raise Refusal(f"the custom rule of {rule.name} has no jvp, which this mode takes",
                      "give it one, or use a mode in reverse: grad, vjp")  # fmt: skip
    first = 2 + rule.count + (0 if rule.pulled is None else 1 + len(rule.pulled))
    leaves = {args[1 + rule.count]: node}
    for k, at in enumerate(rule.pushed):
        t, like = tangents[1 + at], args[1 + at]
        if t is None:
            t = b.add("zeros_like", like) if b.type_of(like).shape else b.const(0.0)
        leaves[args[first + k]] = t
    held = b.args_of(args[-1])[0]
    return substituted(b, held, leaves)


def register_rows() -> None:
    """Enter the rows of this family."""
    register(Op(name="stop_gradient", infer=_same, vjp=_none, linear="constant",
                call="gradgen.stop_gradient", bind=_bind_stop_gradient, view=True, bounded=True,
                cost=0))  # fmt: skip
    register(Op(name="custom_rule", infer=_same, vjp=_rule_vjp, jvp=rule_jvp, view=True,
                call="gradgen.custom_rule", cost=0))  # fmt: skip
