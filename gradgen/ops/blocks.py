"""Blocks of rows: what a loop over the first axis of arrays reads, stores and adds up.

They are no operations of the user's, and have no derivatives: the fast style puts them into a graph
that was derived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gradgen.ops.table import Op, register
from gradgen.types import INT, Dim, Type

# What a loop gives: rows of an array, or a total.
GIVEN = ("store_block", "add_block", "add_to_block")
# The length of the first axis of a block.
BLOCK = Dim.symbol("[block]")


def _index(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    return INT


def _rows(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    return Type("array", types[0].dtype, (BLOCK, *types[0].shape[1:]))


def _given(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    found: Type = attr
    return found


def loops(graph: Any, nodes: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
    """The last node of each loop, by its head, and the head of the loop of each node in one."""
    nodes = list(nodes)
    end: dict[int, int] = {}
    for node in nodes:
        if graph.ops[node] in GIVEN:
            end[head(graph, graph.args[node][2])] = node
    inside: dict[int, int] = {}
    block = -1
    for node in nodes if end else ():
        if graph.ops[node] == "row_block":
            block = node
        elif block >= 0 and node <= end[block]:
            inside[node] = block
    return end, inside


def head(graph: Any, block: int) -> int:
    """The loop of a block."""
    found: int = graph.args[block][0] if graph.ops[block] == "moved_block" else block
    return found


def register_rows() -> None:
    """Enter the rows of this family."""
    why = "it is written, and not read"
    # the loop: over a length, in steps of the second operand; whether some block is a moved one
    register(Op(name="row_block", infer=_index, fresh=True, why=why))
    # the block so many rows further on
    register(Op(name="moved_block", infer=_index, why=why))
    # what `x[block]` reads of an array
    register(Op(name="block_rows", infer=_rows, view=True, why=why))
    # `y[block] = value`: the array, the value, the block
    register(Op(name="store_block", infer=_given, why=why))
    # rows of an array that is filled part by part, from one to another; and the array, when it is
    register(Op(name="part_rows", infer=_given, why=why))
    register(Op(name="joined_parts", infer=lambda types, attr, values: types[0], why=why))
    # `total = 0.0`, of the type in the attribute, and `total += value` in a block
    register(Op(name="zero_total", infer=_given, fresh=True, why=why))
    register(Op(name="add_block", infer=_given, why=why))
    # `y[block] += value`: the array, the value, the block; or `part[block]`, a part of the array
    register(Op(name="add_to_block", infer=_given, why=why))
