"""What a row of the op table holds, and the table itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gradgen.errors import Refusal
from gradgen.ops.written import infer_written
from gradgen.types import Builder, Infer, TupleType, Type

# Precedence levels of Python's grammar, low to high.
CONDITIONAL, OR, AND, NOT, COMPARE, BIT_OR, BIT_XOR, BIT_AND = range(1, 9)
ADD, MULTIPLY, UNARY, POWER, ATOM = range(10, 15)

Rules = tuple[str | None, ...]
RuleChoice = Callable[[Sequence[Type], Sequence[Any]], Rules]
Vjp = Callable[[Builder, int, int], Sequence[int | None]]


@dataclass(frozen=True, kw_only=True)
class Op:
    """All there is to know about an operation.

    An elementwise operation has `d`: for each argument its derivative as text over `g, x, y, z,
    out`, linear in `g`, or None where the derivative is zero; `alone` holds the text for an
    argument that is the only active one. A structural operation has `vjp(builder, node, g)`, which
    gives for each argument its adjoint, or None. A call that stays as the user wrote it has
    `defined` or `adjoint` instead: "module.function" under gradgen/definitions. One with none of
    these is refused where it is active, with `why`.
    """

    name: str
    infer: Infer
    d: Rules | RuleChoice | None = None
    alone: Rules | None = None
    vjp: Vjp | None = None
    # The tangent of the result from those of the arguments and from where it is read, where it is
    # not made of the vjp; None for one call that is.
    jvp: Callable[[Builder, int, Sequence[int | None], int | None], int | None] | None = None
    # As the vjp, but harmless where the result is not read: also given a mask of where it is, and
    # which nodes may be infinite or NaN.
    masked: Callable[[Builder, int, int, int, Sequence[bool]], Sequence[int | None]] | None = None
    # Where each argument is read, from where the result is; None: maybe everywhere.
    live: Vjp | None = None
    # How it is linear, if it is, so that the tangent is the operation itself on tangents: in its
    # "first" operand, in "all" of them together, in "each" of them alone; or "constant" in them.
    linear: Literal["", "first", "all", "each", "constant"] = ""
    # Whether the vjp reads the values of the arguments.
    curved: bool = False
    # The program in gradgen's own input language that computes the same as the call, and whose
    # derivative is the call's.
    defined: str = ""
    # The program that computes the adjoints of the operands from `g`, `out` and the arguments.
    adjoint: str = ""
    # Whether that program takes a number for a `g` that is the same all over the result.
    lazy: bool = False
    # Whether that program reads an item of `out` with the same item of `g` alone, so that it may be
    # replaced where nobody reads it. In a matrix, every item counts for all the others.
    apart: bool = False
    # Whether it only moves and adds up items of `g`: so it also tells where operands are read.
    moves: bool = False
    # The type of a call's result where no program tells it: called as the user calls the function.
    result: Callable[..., Type | TupleType] | None = None
    # What the results are called where the call gives a named tuple.
    fields: tuple[str, ...] = ()
    # Whether every call is refused, by name and with what to write instead.
    refused: bool = False
    # Whether several results come as a list.
    listed: bool = False
    why: str = ""
    # The spelling: an infix or prefix operator with its precedence, or a call by dotted name.
    infix: str = ""
    prefix: str = ""
    precedence: int = ATOM
    call: str = ""
    math: str = ""
    aliases: tuple[str, ...] = ()
    # Reads the arguments of a call; None takes every argument as an operand.
    bind: Callable[..., Any] | None = None
    # The value of known Python numbers, or what the types alone tell of the value.
    evaluate: Callable[..., Any] | None = None
    known: Callable[[Sequence[Type], Any], Any] | None = None
    sympy: str = ""
    # Whether a derivative can be non-finite at finite operands, and a point where it is finite.
    singular: bool = False
    safe: float = 1.0
    # Whether the value is finite at all finite operands (products that overflow left aside).
    bounded: bool = False
    # Whether each lane of the result depends on the same lane of the arguments only.
    elementwise: bool = False
    # Whether the result may share memory with the first argument.
    view: bool = False
    # Whether every call makes a new array, which may be updated in place.
    fresh: bool = False
    cost: int = 1
    domain: str = ""

    # The number of operands, where neither `d` nor `bind` tells it.
    operands: int = 1

    @property
    def arity(self) -> int:
        """The number of operands of a plain call."""
        if isinstance(self.d, tuple):
            return len(self.d)
        return 2 if self.d is not None else self.operands

    def rules(self, types: Sequence[Type], values: Sequence[Any]) -> Rules:
        """The derivative texts for arguments of these types and known values."""
        if callable(self.d):
            return self.d(types, values)
        return self.d or ()


OPS: dict[str, Op] = {}
CALLS: dict[str, tuple[Op, str | None]] = {}
METHODS: dict[str, Op] = {}


def register(op: Op, methods: Sequence[str] = ()) -> None:
    """Enter a row, under its name and under every spelling that calls it."""
    if op.name in OPS:
        raise ValueError(f"two rows for {op.name}")
    OPS[op.name] = op
    for dotted in (op.call, *op.aliases):
        if dotted:
            CALLS[dotted] = (op, None)
    if op.math:
        CALLS[op.math] = (op, "math")
    for method in methods:
        METHODS[method] = op


def refuse(call: str, message: str, hint: str, methods: Sequence[str] = ()) -> None:
    """Enter a function or a method that is known, and refused with what to write instead."""

    def bind(front: Any, *args: Any, **keywords: Any) -> Any:
        raise Refusal(message, hint)

    name = f"refused {call or methods[0]}"
    register(Op(name=name, infer=infer_written, call=call, bind=bind, refused=True), methods)


def register_written(name: str, call: str, methods: Sequence[str] = (), **more: Any) -> None:
    """Enter a row of calls that stay as the user wrote them; see `Op.defined`."""
    register(Op(name=name, infer=infer_written, call=call, **more), methods)
