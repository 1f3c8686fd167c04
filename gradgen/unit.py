"""What is emitted: the parts of a file, and the plan of one function."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gradgen.graph import Param, Tree


@dataclass(slots=True)
class FunctionText:
    """One emitted function: its `def` lines, its docstring and the lines of its body."""

    name: str
    signature: list[str]
    doc: list[str]
    body: list[str]


@dataclass(slots=True)
class Unit:
    """What a template lays out: imports, module constants, functions."""

    imports: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    functions: list[FunctionText] = field(default_factory=list)
    namespace: dict[str, Any] = field(default_factory=dict)
    # What the values of the namespace are called in the graph.
    origins: dict[str, str] = field(default_factory=dict)
    captured: list[str] = field(default_factory=list)
    # The user's own functions that are called, by their names here: the module, or None where no
    # module has a name for it, and the name there.
    foreign: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    # Local names of classes, which are called.
    classes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ClassOf:
    """Among results: the class of a part of an argument, given as the `like` of a record."""

    like: Any


@dataclass(slots=True)
class Plan:
    """What one function computes: the nodes that are its own, what it is given and returns."""

    name: str
    params: list[Param]
    nodes: list[int]
    results: Tree
    doc: list[str]
    given: dict[int, str] = field(default_factory=dict)
    extra_params: tuple[str, ...] = ()
    unpack: list[int] | None = None
    # Lengths that what is unpacked tells, by their nodes: the array and the axis.
    told: dict[int, tuple[int, int]] = field(default_factory=dict)
    # The records whose types are unpacked behind the values.
    records: list[Any] = field(default_factory=list)
    keep: list[int] = field(default_factory=list)
    # The node that is called `value` where nothing better names it.
    value: int = -1


def import_order(line: str) -> tuple[bool, bool, str]:
    """Where an import stands: the standard library first, `import` before `from`."""
    standard = line.startswith(("import math", "import builtins", "from math"))
    return (not standard, line.startswith("from "), line)
