"""Products of arrays, and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.reduction import axes_of, expand, reduced_shape
from gradgen.ops.shape import full_shape
from gradgen.ops.table import MULTIPLY, Op, register
from gradgen.types import Builder, Shape, Size, Type, array_type, broadcast, promote


def _dtype(types: Sequence[Type]) -> str:
    dtype = promote(tuple((t.kind, t.dtype) for t in types))
    return {"float": "float64", "int": "int64"}.get(dtype, dtype)


def _matmul(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    a, b = types
    if not a.shape or not b.shape:
        raise Refusal("matmul: a number is not a matrix", "use * for products with numbers")
    inner: tuple[Size, Size] = (a.shape[-1], b.shape[-2] if b.rank > 1 else b.shape[0])
    if inner[0] != inner[1]:
        raise Refusal(
            f"matmul: lengths {inner[0]} and {inner[1]} meet, in {a} @ {b}",
            "give both the same name in shapes",
        )
    shape: Shape = broadcast([a.shape[:-2], b.shape[:-2]])
    if a.rank > 1:
        shape = (*shape, a.shape[-2])
    if b.rank > 1:
        shape = (*shape, b.shape[-1])
    return array_type(_dtype(types), shape)


def _outer(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    if any(t.rank != 1 for t in types):
        raise Refusal("np.outer takes two vectors", "flatten the arrays first")
    return array_type(_dtype(types), (*types[0].shape, *types[1].shape))


def _matmul_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    left, right = b.args_of(node)
    ranks = (b.type_of(left).rank, b.type_of(right).rank)
    if ranks == (1, 1):
        return (b.add("mul", g, right), b.add("mul", g, left))
    g = full_shape(b, g, b.type_of(node).shape)
    if ranks == (2, 1):
        return (b.add("outer", g, right), b.add("matmul", b.add("transpose", left), g))
    if ranks == (1, 2):
        return (b.add("matmul", right, g), b.add("outer", left, g))
    return _batched(b, left, right, g)


def _matmul_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    """A row of the left operand is read where any item of its row of the product is."""
    left, right = (b.type_of(a).rank for a in b.args_of(node))
    if not b.type_of(live).shape:
        return (live, live)
    rank = b.type_of(node).rank
    every = ("s", None, None, None)

    def along(own: int, other: int, axis: int, back: Any) -> int:
        if own == 1:
            return b.add("any", live, attr=(None, False, None))
        if other == 1:
            return b.add("index", live, attr=back)
        return b.add("any", live, attr=((axis,), True, None))

    return (
        along(left, right, rank - 1, ("e", "n")),
        along(right, left, rank - 2, ("e", "n", every)),
    )


def _outer_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    if not b.type_of(live).shape:
        return (live, live)
    return tuple(b.add("any", live, attr=((axis,), False, None)) for axis in (1, 0))


def _norm_live(b: Builder, node: int, live: int) -> Sequence[int | None]:
    return (expand(b, live, b.args_of(node)[0], b.attr_of(node)),)


def _batched(b: Builder, left: int, right: int, g: int) -> Sequence[int | None]:
    """Products of two matrices, or of stacks of them; the driver sums broadcast stacks."""
    every = ("s", None, None, None)
    row, column = b.type_of(left).rank == 1, b.type_of(right).rank == 1
    as_left = b.add("index", left, attr=("n", every)) if row else left
    as_right = b.add("index", right, attr=("e", "n")) if column else right
    if row:
        g = b.add("index", g, attr=("e", "n", every))
    if column:
        g = b.add("index", g, attr=("e", "n"))
    d_left = b.add("matmul", g, swap_last(b, as_right))
    d_right = b.add("matmul", swap_last(b, as_left), g)
    if row:
        d_left = b.add("index", d_left, attr=("e", ("i", 0), every))
    if column:
        d_right = b.add("index", d_right, attr=("e", ("i", 0)))
    return (d_left, d_right)


def swap_last(b: Builder, x: int) -> int:
    """The transpose of each matrix of a stack."""
    rank = b.type_of(x).rank
    if rank == 2:
        return b.add("transpose", x)
    order = (*range(rank - 2), rank - 1, rank - 2)
    return b.add("transpose", x, attr=order)


def _outer_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    left, right = b.args_of(node)
    g = full_shape(b, g, b.type_of(node).shape)
    return (b.add("matmul", g, right), b.add("matmul", left, g))


def _norm(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    axes, keepdims, _ = attr
    t = types[0]
    dtype = t.dtype if t.is_float and t.kind != "py" else "float64"
    return array_type(dtype, reduced_shape(t.shape, axes, keepdims))


def _norm_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    """`x / norm`, and 0 where the norm is 0."""
    (x,) = b.args_of(node)
    zero = b.add("eq", node, b.const(0.0))
    safe = b.add("where", zero, b.const(1.0), node)
    share = expand(b, b.add("div", g, safe), x, b.attr_of(node))
    return (b.add("mul", share, x),)


def _bind_dot(flavour: str) -> Any:
    def bind(front: Any, a: Any, b: Any) -> Any:
        x, y = front.array(a), front.array(b)
        ranks = (front.type_of(x).rank, front.type_of(y).rank)
        if 0 in ranks:
            return front.add("mul", x, y)
        if flavour == "inner" and ranks[1] > 1:
            y = swap_last(front, y)
        if flavour == "vdot" and ranks != (1, 1):
            raise Refusal("np.vdot of arrays that are not vectors", "use np.sum(a * b)")
        if flavour != "matmul" and max(ranks) > 2:
            raise Refusal(f"np.{flavour} of arrays with more than two axes", "use np.matmul or @")
        spelled = flavour if flavour in ("dot", "vdot") or ranks[1] == 1 else None
        return front.add("matmul", x, y, attr=None if flavour == "matmul" else spelled)

    return bind


def _bind_norm(front: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    node = front.array(x)
    order = front.static(ord)
    rank = front.type_of(node).rank
    axes = axes_of(front, axis, rank)
    plain = order is None or (order == 2 and (rank == 1 or (axes and len(axes) == 1)))
    if not plain and not (order == "fro" and (axes or range(rank)).__len__() == 2):
        raise Refusal(
            f"np.linalg.norm with ord={order!r}", "write it with np.sum, np.abs and np.max"
        )
    attr = (axes, bool(front.static(keepdims)), order)
    return front.add("norm", node, attr=attr)


def register_rows() -> None:
    """Enter the rows of this family."""
    register(Op(name="matmul", infer=_matmul, vjp=_matmul_vjp, infix="@", precedence=MULTIPLY,
                call="numpy.matmul", bind=_bind_dot("matmul"), bounded=True, cost=100,
                live=_matmul_live, curved=True))  # fmt: skip
    for name in ("dot", "vdot", "inner"):
        methods = ("dot",) if name == "dot" else ()
        register(Op(name=name, infer=_matmul, call=f"numpy.{name}", bind=_bind_dot(name),
                    why=""), methods)  # fmt: skip
    register(Op(name="outer", infer=_outer, vjp=_outer_vjp, call="numpy.outer", bounded=True,
                live=_outer_live, curved=True,
                cost=20, operands=2))  # fmt: skip
    register(Op(name="norm", infer=_norm, vjp=_norm_vjp, call="numpy.linalg.norm",
                bind=_bind_norm, singular=True, bounded=True, cost=20, live=_norm_live,
                curved=True))  # fmt: skip
