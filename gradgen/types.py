"""Types of values: kind, dtype and shape; symbolic lengths; broadcasting and promotion."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np

from gradgen.errors import Refusal

Kind = Literal["py", "scalar", "array"]
Attr = Hashable
type_rank = {"py": 0, "scalar": 1, "array": 2}


@dataclass(frozen=True, slots=True)
class Dim:
    """A symbolic length: an integer polynomial, as sorted pairs of (atoms, coefficient)."""

    terms: tuple[tuple[tuple[str, ...], int], ...]

    @staticmethod
    def symbol(name: str) -> Dim:
        """The length called `name`."""
        return Dim((((name,), 1),))

    def __add__(self, other: Size) -> Size:
        return _polynomial([*self.terms, *_terms(other)])

    __radd__ = __add__

    def __neg__(self) -> Size:
        return _polynomial((atoms, -count) for atoms, count in self.terms)

    def __sub__(self, other: Size) -> Size:
        return self + (-other)

    def __rsub__(self, other: Size) -> Size:
        return -self + other

    def __mul__(self, other: Size) -> Size:
        return _polynomial(
            (tuple(sorted((*a, *b))), m * n) for a, m in self.terms for b, n in _terms(other)
        )

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        if not isinstance(other, int) or other == 0:
            return _quotient(self, other)
        # What divides evenly comes out, so that (n + 3) // 2 is (n + 1) // 2 + 1.
        whole = _polynomial((atoms, n // other) for atoms, n in self.terms)
        rest = self - whole * other
        return whole + (rest // other if isinstance(rest, int) else _quotient(rest, other))

    def __mod__(self, other: Size) -> Size:
        """What is left, where that is the same for all lengths."""
        if isinstance(other, int) and other and all(n % other == 0 for a, n in self.terms if a):
            return sum(n for a, n in self.terms if not a) % other
        return NotImplemented

    @property
    def atoms(self) -> tuple[str, ...]:
        """The names that occur in it, in order."""
        return tuple(dict.fromkeys(atom for atoms, _ in self.terms for atom in atoms))

    def __str__(self) -> str:
        text = ""
        for atoms, count in self.terms:
            body = "*".join(([] if abs(count) == 1 and atoms else [str(abs(count))]) + list(atoms))
            sign = "-" if count < 0 else "+" if text else ""
            text += sign + body
        return text


Size = int | Dim
# The opaque lengths that are quotients, by their names: what is divided, and by what.
QUOTIENTS: dict[str, tuple[Dim, Size]] = {}
Shape = tuple[Size, ...]


def _quotient(dividend: Dim, divisor: Size) -> Dim:
    atom = f"({dividend})//({divisor})"
    QUOTIENTS[atom] = (dividend, divisor)
    return Dim.symbol(atom)


def _terms(size: Size) -> tuple[tuple[tuple[str, ...], int], ...]:
    if isinstance(size, Dim):
        return size.terms
    return (((), size),) if size else ()


def _polynomial(terms: Iterable[tuple[tuple[str, ...], int]]) -> Size:
    total: dict[tuple[str, ...], int] = {}
    for atoms, count in terms:
        total[atoms] = total.get(atoms, 0) + count
    kept = tuple(sorted(((a, n) for a, n in total.items() if n), key=lambda t: (-len(t[0]), t[0])))
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    return Dim(kept)


def product(sizes: Iterable[Size]) -> Size:
    """The product of lengths; 1 for none."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


_STRICT: Mapping[str, str] = {"float": "float64", "int": "int64"}


class Type:
    """What is known of a value: `kind` is `py` (a weak Python number), `scalar` or `array`.

    There is one object for each type, so that two types are equal where they are the same.
    """

    __slots__ = ("dtype", "is_float", "kind", "rank", "shape")
    kind: Kind
    dtype: str
    shape: Shape
    # Whether derivatives with respect to it make sense, and the number of axes.
    is_float: bool
    rank: int

    def __new__(cls, kind: Kind, dtype: str, shape: Shape = ()) -> Type:
        """The type of these."""
        found = _TYPES.get((kind, dtype, shape))
        if found is None:
            # What NumPy makes of a Python number has 64 bits.
            strict = dtype if kind == "py" else _STRICT.get(dtype, dtype)
            made = object.__new__(cls)
            facts = (kind, strict, shape, strict.startswith("float"), len(shape))
            for name, value in zip(("kind", "dtype", "shape", "is_float", "rank"), facts,
                                   strict=True):  # fmt: skip
                object.__setattr__(made, name, value)
            # Of threads that make one type at once, one is first.
            found = _TYPES.setdefault((kind, strict, shape), made)
            _TYPES[kind, dtype, shape] = found
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a type does not change")

    def __reduce__(self) -> tuple[object, ...]:
        return (Type, (self.kind, self.dtype, self.shape))

    def __repr__(self) -> str:
        return f"Type({self.kind!r}, {self.dtype!r}, {self.shape!r})"

    def __str__(self) -> str:
        if self.kind == "py":
            return self.dtype
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


_TYPES: dict[tuple[Kind, str, Shape], Type] = {}
FLOAT = Type("py", "float")
INT = Type("py", "int")


@dataclass(frozen=True, slots=True)
class TupleType:
    """The type of an operation with several results, which `item` nodes pick."""

    items: tuple[Type, ...]
    kind = "tuple"
    dtype = "tuple"
    shape: ClassVar[Shape] = ()
    rank = 0

    @property
    def is_float(self) -> bool:
        """Whether derivatives with respect to any of them make sense."""
        return any(item.is_float for item in self.items)


def array_type(dtype: str, shape: Sequence[Size]) -> Type:
    """An array type; what NumPy returns as a scalar where the shape is ()."""
    return Type("array" if shape else "scalar", dtype, tuple(shape))


def axis_in(axis: int, rank: int) -> int:
    """A non-negative axis; refused where it is out of range."""
    if not -rank <= axis < rank:
        raise Refusal(f"axis {axis} is out of bounds for an array with {rank} axes")
    return axis % rank


_WEAK: Mapping[str, Any] = {"bool": False, "int": 0, "float": 0.0}


@cache
def promote(types: tuple[tuple[Kind, str], ...]) -> str:
    """The dtype NumPy 2 gives an operation on these (kind, dtype) operands."""
    if all(kind == "py" for kind, _ in types):
        names = [dtype for _, dtype in types]
        return next(name for name in ("float", "int", "bool") if name in names)
    return str(np.result_type(*(_WEAK[d] if k == "py" else np.dtype(d) for k, d in types)))


def join(types: Sequence[Type], dtype: str | None = None) -> Type:
    """The type of an elementwise operator: the broadcast shape and the promoted dtype."""
    first = types[0]
    if dtype is None and (first.kind == "py" or first.shape) and all(t is first for t in types):
        return first
    kind = max((t.kind for t in types), key=type_rank.__getitem__)
    shape = broadcast([t.shape for t in types])
    if kind == "array" and not shape:
        kind = "scalar"
    if dtype is None:
        dtype = promote(tuple((t.kind, t.dtype) for t in types))
    elif kind == "py":
        dtype = dtype.rstrip("0123456789")
    return Type(kind, dtype, shape)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The broadcast shape. Raises `Refusal` where two lengths differ, naming both."""
    if len(shapes) == 2 and shapes[0] == shapes[1]:
        return shapes[0]
    rank = max(len(s) for s in shapes)
    result: list[Size] = []
    for axis in range(-rank, 0):
        length: Size = 1
        for shape in shapes:
            if len(shape) < -axis or shape[axis] == 1 or shape[axis] == length:
                continue
            if length != 1:
                raise Refusal(
                    f"lengths {length} and {shape[axis]} meet elementwise, in shapes "
                    + " and ".join(f"({', '.join(map(str, s))})" for s in shapes),
                    "give both the same name in shapes, or use 1 for the axis that broadcasts",
                )
            length = shape[axis]
        result.append(length)
    return tuple(result)


class Builder(Protocol):
    """What derivative rules and front ends may ask of a graph under construction."""

    def add(self, op: str, *args: int, attr: Attr = None) -> int:
        """The node for `op(*args)`."""
        ...

    def const(self, value: Any) -> int:
        """The node of a Python number."""
        ...

    def size(self, size: Size) -> int:
        """The node of a length, symbolic or not."""
        ...

    def type_of(self, node: int) -> Type:
        """The type of a node."""
        ...

    def value_of(self, node: int) -> Any:
        """The number, or `Dim`, that a node is known to be; None where it is not known."""
        ...

    def args_of(self, node: int) -> tuple[int, ...]:
        """The arguments of a node."""
        ...

    def attr_of(self, node: int) -> Any:
        """The attribute of a node."""
        ...

    def is_op(self, node: int, *ops: str) -> bool:
        """Whether the node is one of these operations."""
        ...


Infer = Callable[[Sequence[Type], Any, Sequence[Any]], Type | TupleType]


# The type rules that look at no values, so that what they gave may be remembered.
BY_TYPES: set[Infer] = set()
Rule = TypeVar("Rule", bound=Infer)


def by_types(infer: Rule) -> Rule:
    """Mark a type rule that looks at no values."""
    BY_TYPES.add(infer)
    return infer
