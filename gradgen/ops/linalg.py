"""Products of arrays, and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops import einsum
from gradgen.ops.einsum import strict_dtype
from gradgen.ops.reduction import axes_of, expand, reduced_shape
from gradgen.ops.shape import full_shape
from gradgen.ops.table import MULTIPLY, OPS, Op, register, register_written
from gradgen.types import (
    Builder,
    Dim,
    Shape,
    Size,
    Type,
    array_type,
    axis_in,
    broadcast,
    product,
)


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
    return array_type(strict_dtype(types), shape)


def _outer(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    shape = (product(types[0].shape), product(types[1].shape))
    return Type("array", strict_dtype(types), shape)


def _matmul_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    left, right = b.args_of(node)
    ranks = (b.type_of(left).rank, b.type_of(right).rank)
    if ranks == (1, 1):
        return (b.add("mul", g, right), b.add("mul", g, left))
    if not b.type_of(g).shape and max(ranks) == 2:
        return _products_of_sums(b, left, right, g)
    g = full_shape(b, g, b.type_of(node).shape)
    if ranks == (2, 1):
        return (b.add("outer", g, right), b.add("matmul", b.add("transpose", left), g))
    if ranks == (1, 2):
        return (b.add("matmul", right, g), b.add("outer", left, g))
    return _batched(b, left, right, g)


def _products_of_sums(b: Builder, left: int, right: int, g: int) -> Sequence[int | None]:
    """The adjoints where that of the product is one number: sums over rows and columns."""

    def summed(x: int, axis: int) -> int:
        return b.add("sum", x, attr=((axis,), False, None)) if b.type_of(x).rank == 2 else x

    d_left = b.add("mul", g, summed(right, 1))
    d_right = b.add("mul", g, summed(left, 0))
    if b.type_of(right).rank == 2:
        d_right = b.add("index", d_right, attr=(("s", None, None, None), "n"))
    return (d_left, d_right)


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
    vectors = [b.type_of(a).rank == 1 for a in b.args_of(node)]
    if not b.type_of(live).shape:
        return (live, live)
    return tuple(
        b.add("any", live, attr=((axis,), False, None)) if vector else None
        for axis, vector in zip((1, 0), vectors, strict=True)
    )


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
    return (
        _as(b, b.add("matmul", g, _flat(b, right)), left),
        _as(b, b.add("matmul", _flat(b, left), g), right),
    )


def _flat(b: Builder, x: int) -> int:
    return x if b.type_of(x).rank == 1 else b.add("reshape", x, b.const(-1), attr="C")


def _as(b: Builder, x: int, like: int) -> int:
    """A vector in the shape of another node."""
    shape = b.type_of(like).shape
    if len(shape) == 1:
        return x
    return b.add("reshape", x, *(b.size(n) for n in shape), attr="C")


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


def _bind_matmul(front: Any, x1: Any, x2: Any, /) -> Any:
    return front.add("matmul", front.array(x1), front.array(x2))


def _bind_dot(flavour: str) -> Any:
    def bind(front: Any, a: Any, b: Any) -> Any:
        x, y = front.array(a), front.array(b)
        ranks = (front.type_of(x).rank, front.type_of(y).rank)
        if 0 in ranks:
            return front.add("tensordot", x, y, attr=((), (), flavour))
        if max(ranks) == 1 or (flavour == "dot" and max(ranks) == 2):
            return front.add("matmul", x, y, attr=flavour)
        last = ranks[1] - 1
        axis = max(last - 1, 0) if flavour == "dot" else last
        return front.add("tensordot", x, y, attr=((ranks[0] - 1,), (axis,), flavour))

    return bind


def _bind_vdot(front: Any, a: Any, b: Any, /) -> Any:
    x, y = front.array(a), front.array(b)
    ranks = (front.type_of(x).rank, front.type_of(y).rank)
    if ranks == (1, 1):
        return front.add("matmul", x, y, attr="vdot")
    return front.call_row(OPS["flat_vdot"], None, [a, b], {}, "numpy.vdot")


def _bind_outer(front: Any, a: Any, b: Any) -> Any:
    return front.add("outer", front.array(a), front.array(b))


def _bind_outer_of_vectors(front: Any, x1: Any, x2: Any, /) -> Any:
    x, y = front.array(x1), front.array(x2)
    if front.type_of(x).rank != 1 or front.type_of(y).rank != 1:
        raise Refusal("np.linalg.outer takes two vectors", "np.outer flattens its arguments")
    return front.add("outer", x, y)


def _bind_matrix_transpose(front: Any, x: Any, /) -> Any:
    node = front.array(x)
    if front.type_of(node).rank < 2:
        raise Refusal("np.matrix_transpose takes an array with two axes or more")
    return front.view(x, swap_last(front.builder, node))


def _bind_norm(front: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    node = front.array(x)
    order = front.static(ord)
    rank = front.type_of(node).rank
    axes = axes_of(front, axis, rank)
    count = rank if axes is None else len(axes)
    if order is None or (order == 2 and count == 1) or (order == "fro" and count == 2):
        return front.add("norm", node, attr=(axes, bool(front.static(keepdims)), order))
    given = {"axis": axis, "keepdims": keepdims}
    written = {k: v for k, v in given.items() if v is not None and v is not False}
    special = isinstance(order, str) or count != 1 or order in (0, 1, np.inf, -np.inf)
    row = OPS["norm_of_order" if special else "p_norm"]
    return front.call_row(row, None, [x, ord], written, "numpy.linalg.norm")


def _p_norm(front: Any, x: Any, ord: Any, axis: Any = None, keepdims: Any = False) -> Type:
    t = front.type_of(front.array(x))
    return _norm([t], (axes_of(front, axis, t.rank), bool(front.static(keepdims)), None), ())


def _vectors_of_three(front: Any, a: Any, b: Any, axes: Sequence[Any]) -> tuple[Shape, str]:
    """The broadcast shape of two stacks of vectors, and the dtype of their products."""
    types = [front.type_of(front.array(v)) for v in (a, b)]
    stacks: list[Shape] = []
    for t, axis in zip(types, axes, strict=True):
        if not t.shape:
            raise Refusal("np.cross takes vectors, not a number")
        at = axis_in(front.static(axis), t.rank)
        if isinstance(t.shape[at], Dim):
            raise NeedsLength("np.cross needs vectors of the known length 3",
                              "declare the length as a number")  # fmt: skip
        if t.shape[at] != 3:
            raise Refusal(
                f"np.cross of vectors of length {t.shape[at]}",
                "of two numbers each, write a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]",
            )
        stacks.append(t.shape[:at] + t.shape[at + 1 :])
    return broadcast(stacks), strict_dtype(types)


def _cross(
    front: Any, a: Any, b: Any, axisa: Any = -1, axisb: Any = -1, axisc: Any = -1, axis: Any = None
) -> Type:
    if axis is not None:
        axisa = axisb = axisc = axis
    shape, dtype = _vectors_of_three(front, a, b, (axisa, axisb))
    at = axis_in(front.static(axisc), len(shape) + 1)
    return Type("array", dtype, (*shape[:at], 3, *shape[at:]))


def _linalg_cross(front: Any, x1: Any, x2: Any, /, *, axis: Any = -1) -> Type:
    return _cross(front, x1, x2, axis=axis)


def register_rows() -> None:
    """Enter the rows of this family."""
    einsum.register_rows()
    register(Op(name="matmul", infer=_matmul, vjp=_matmul_vjp, linear="each",
                infix="@", precedence=MULTIPLY,
                call="numpy.matmul", aliases=("numpy.linalg.matmul",), bind=_bind_matmul,
                bounded=True, cost=100, live=_matmul_live, curved=True))  # fmt: skip
    for name in ("dot", "inner"):
        methods = ("dot",) if name == "dot" else ()
        register(Op(name=name, infer=_matmul, call=f"numpy.{name}", bind=_bind_dot(name)), methods)
    register_written("flat_vdot", "numpy.vdot", defined="linalg.vdot", bounded=True)
    register(Op(name="vdot", infer=_matmul, call="numpy.vdot", bind=_bind_vdot))
    register(Op(name="outer", infer=_outer, vjp=_outer_vjp, linear="each",
                call="numpy.outer", bounded=True,
                bind=_bind_outer, live=_outer_live, curved=True, cost=20, operands=2))  # fmt: skip
    register(Op(name="outer_of_vectors", infer=_outer, call="numpy.linalg.outer",
                bind=_bind_outer_of_vectors))  # fmt: skip
    register(Op(name="matrix_transpose", infer=_outer, call="numpy.matrix_transpose",
                aliases=("numpy.linalg.matrix_transpose",),
                bind=_bind_matrix_transpose))  # fmt: skip
    register_written("norm_of_order", "numpy.linalg.norm", defined="linalg.norm", singular=True,
                     bounded=True)  # fmt: skip
    register_written("p_norm", "numpy.linalg.norm", result=_p_norm,
                     adjoint="adjoints_linalg.p_norm", singular=True, apart=True,
                     bounded=True)  # fmt: skip
    register(Op(name="norm", infer=_norm, vjp=_norm_vjp, call="numpy.linalg.norm",
                bind=_bind_norm, singular=True, bounded=True, cost=20, live=_norm_live,
                curved=True))  # fmt: skip
    for name in ("vecdot", "matvec", "vecmat"):
        if hasattr(np, name):  # the last two came with NumPy 2.2
            register_written(name, f"numpy.{name}", defined=f"linalg.{name}", bounded=True,
                             cost=50)  # fmt: skip
    register_written("linalg_vecdot", "numpy.linalg.vecdot", defined="linalg.vecdot", bounded=True)
    register_written("kron", "numpy.kron", defined="linalg.kron", bounded=True, cost=50)
    register_written("cross", "numpy.cross", result=_cross, adjoint="adjoints_linalg.cross",
                     linear="each", bounded=True)  # fmt: skip
    register_written("linalg_cross", "numpy.linalg.cross", result=_linalg_cross,
                     adjoint="adjoints_linalg.linalg_cross", linear="each",
                     bounded=True)  # fmt: skip
    for name in ("vector_norm", "matrix_norm"):
        register_written(name, f"numpy.linalg.{name}", defined=f"linalg.{name}", singular=True,
                         bounded=True)  # fmt: skip
