"""What a name can stand for while a function is read."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gradgen.errors import Refusal, Source

# How a view looks into an array of which it has the axes in reverse.
TRANSPOSED = ("transpose",)


class Cell:
    """A number or an array: the node that holds its present value.

    Names that alias one array share one cell, so that an update in place is seen under every name.
    A view knows the cell it looks into (`base`) and how (`template` and `operands`); where NumPy
    may have made a copy instead, `template` is None, and a view that went stale is refused.
    """

    __slots__ = ("base", "base_node", "counted", "node", "operands", "template")

    def __init__(
        self,
        node: int,
        base: Cell | None = None,
        template: tuple[Any, ...] | None = None,
        operands: tuple[int, ...] = (),
    ) -> None:
        self.node = node
        self.base = base
        self.template = template
        self.operands = operands
        self.base_node = -1 if base is None else base.node
        # Whether it is an integer that an unrolled loop counted, not one that the user wrote.
        self.counted = False


@dataclass(frozen=True, slots=True)
class Known:
    """A function, type or value of a library that gradgen knows, by dotted name."""

    name: str


@dataclass(frozen=True, slots=True)
class Module:
    """A library module, by dotted name."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class LiveObject:
    """An object of the user's that functions are read from or constants captured of."""

    value: Any
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class FileModule:
    """A user's module, known by its text."""

    scope: Any


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a value, not yet called."""

    value: Any
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """A function with its first arguments and some keywords given."""

    function: Any
    args: tuple[Any, ...]
    keywords: dict[str, Any]


class Generated:
    """What a generator expression or `map` gives, computed at once: used up by its first use."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)

    def __iter__(self) -> Generated:
        return self

    def __next__(self) -> Any:
        return next(self._items)


@dataclass(slots=True, eq=False)
class RecordValue:
    """A dataclass or NamedTuple: a parameter, or one that was made of values."""

    like: str
    fields: dict[str, Any]
    is_tuple: bool


@dataclass(frozen=True, slots=True, eq=False)
class RecordType:
    """A class of dataclasses or NamedTuples, to be called: its fields, some with defaults."""

    name: str
    fields: tuple[str, ...]
    defaults: dict[str, Any]
    is_tuple: bool


@dataclass(slots=True, eq=False)
class Frame:
    """The names of one call: its own, and where to look further."""

    source: Source | None
    lookup: Callable[[str], Any]
    names: dict[str, Any] = field(default_factory=dict)
    stored: frozenset[str] = frozenset()
    parent: Frame | None = None
    depth: int = 0
    comprehension: bool = False
    # The module, where it is read from a file's text, and the name of that of a live function.
    module: Any = None
    home: str = ""

    def find(self, name: str) -> Any:
        """The value of a name. Raises `Refusal` where it has none yet."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            if name in frame.stored:
                raise Refusal(f"`{name}` is used before it is assigned")
            frame = frame.parent
        return self.lookup(name)


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the user's: its syntax and the frame it was defined in."""

    node: ast.FunctionDef | ast.Lambda
    frame: Frame
    name: str
    defaults: tuple[Any, ...] = ()
    keyword_defaults: tuple[Any, ...] = ()
    # a live function is what its decorators left, so they do not matter any more
    live: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A function of the user's that is called and never read: where it is imported from.

    `module` is None for a live one that no module has a name for.
    """

    module: str | None
    name: str
    value: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Ruled:
    """A function of the user's with derivatives of its own; each is a function or None.

    An opaque one has in `result` a function of its arguments that gives what looks like its result.
    """

    function: Function | Opaque
    vjp: Any
    jvp: Any
    result: Function | None = None

    @property
    def signature(self) -> Function:
        """The function that tells the parameters."""
        found = self.result or self.function
        assert isinstance(found, Function)
        return found


MISSING = object()
