"""Values that a function reads from outside and a derivative names: they become parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradgen.errors import GradgenError, Refusal
from gradgen.graph import Param
from gradgen.read.declare import LiveTypes, Spec, Static
from gradgen.read.values import MISSING, Cell, Function
from gradgen.types import FLOAT


def spelled(name: str) -> str:
    """What the parameter for a value is called, which may be an attribute: `self.w` is `self_w`."""
    return name.replace(".", "_")


@dataclass(slots=True)
class Outside:
    """The values that are to be parameters; each becomes one where it is first read.

    A variable is what is read under one name in one place: in a module, in a closure, or in an
    object. Two of one name are refused.
    """

    reader: Any
    names: tuple[str, ...] = ()
    declared: Mapping[str, Spec] = field(default_factory=dict)
    # Makes the nodes of a parameter: its tree, and what the body sees.
    make: Callable[..., Any] | None = None
    # By name: where the variable stands, what it holds, and what the body sees.
    found: dict[str, tuple[Any, Any, Any]] = field(default_factory=dict)
    # The names that a module imports variables of others under.
    aliases: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def live(self, value: Any, name: str, home: tuple[Any, ...]) -> Any:
        """What the body sees of a live value that stands at `home`."""
        if name in self.found:
            first, known, seen = self.found[name]
            # what `from module import name` copied is a variable of the module's still
            imported = home[0] == first[0] == "module" and known is value
            if home != first and (not imported or isinstance(value, int)):
                raise _two(name)
            return seen
        try:
            spec = self.declared.get(name) or LiveTypes(True, floats=frozenset({name})).spec(
                value, name
            )
        except GradgenError as error:
            raise Refusal(str(error)) from None
        captured = self.reader.builder.graph.captured
        for other, held in captured.items():
            self._refuse_alias(held, other, value, name)
        text = repr(value) if type(value) in (int, float) and math.isfinite(value) else None
        seen = self._parameter(name, spec, text)
        captured[name] = value
        self.found[name] = home, value, seen
        return seen

    def check(self, value: Any, name: str) -> None:
        """Refuse a captured array that is a parameter under another name."""
        for other, (_, known, _) in self.found.items():
            self._refuse_alias(value, name, known, other)

    @staticmethod
    def _refuse_alias(one: Any, name: str, other: Any, called: str) -> None:
        if one is other and isinstance(one, np.ndarray) and name != called:
            raise Refusal(
                f"the captured array `{name}` is `{called}`, which wrt names",
                "read it under one name",
            )

    def by_text(self, value: Any, home: tuple[Any, ...], name: str) -> Any:
        """What the body sees of a module-level name, by the value of its definition."""
        wanted = self.aliases.get(home) or (name if name in self.names else None)
        if wanted is None:
            if self._made_of_parameters(value):
                raise Refusal(
                    f"`{name}` is computed from {', '.join(sorted(self.found))}, which wrt names",
                    "compute it in the function",
                )
            return value
        if wanted in self.found:
            first, _, seen = self.found[wanted]
            if first != home:
                raise _two(wanted)
            return seen
        if wanted in self.aliases.values() and home not in self.aliases:
            raise _two(wanted)
        text = None
        if isinstance(value, Cell):
            known = self.reader.builder.value_of(value.node)
            if type(known) in (int, float) and math.isfinite(known):
                text = repr(known)
        seen = self._parameter(wanted, self.declared.get(wanted) or self._spec(value, wanted), text)
        self.found[wanted] = home, None, seen
        return seen

    def _spec(self, value: Any, name: str) -> Spec:
        if isinstance(value, Cell):
            t = self.reader.type_of(value.node)
            return FLOAT if t.kind == "py" and t.dtype == "int" else t
        if isinstance(value, dict):
            return {k: self._spec(v, name) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._spec(v, name) for v in value)
        if value is None or isinstance(value, str):
            return Static(value)
        raise Refusal(f"`{name}`, which wrt names, is no number and no array")

    def _parameter(self, name: str, spec: Spec, default: str | None) -> Any:
        if isinstance(spec, Static):
            raise Refusal(f"`{name}`, which wrt names, is no number and no array")
        assert self.make is not None
        tree, seen = self.make(self.reader, name, spec)
        graph = self.reader.builder.graph
        graph.params.append(
            Param(name, tree, keyword_only=True, default=default, declared="captured")
        )
        return self.reader.outer(seen, name)

    def sort(self) -> None:
        """Put the parameters made of what is read from outside last, in the order of the names."""
        place = {name: k for k, name in enumerate(self.names)}
        params = self.reader.builder.graph.params
        params.sort(key=lambda p: place[p.name] if p.declared == "captured" else -1)

    def _made_of_parameters(self, value: Any) -> bool:
        """Whether a definition of a module reads one of the parameters."""
        graph = self.reader.builder.graph
        stack = list(_nodes(value)) if self.found else []
        seen: set[int] = set()
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if graph.ops[node] == "param" and graph.attrs[node][0] in self.found:
                return True
            stack += graph.args[node]
        return False


def _two(name: str) -> Refusal:
    return Refusal(
        f"two captured values are called `{name}`, which wrt names",
        "rename one, or pass it as an argument",
    )


def _nodes(value: Any) -> Iterable[int]:
    if isinstance(value, Cell):
        yield value.node
    elif isinstance(value, Function):
        yield from _nodes(
            [d for d in (*value.defaults, *value.keyword_defaults) if d is not MISSING]
        )
    elif isinstance(value, dict):
        yield from _nodes(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _nodes(item)


def captured_values(function: Any, names: Iterable[str]) -> dict[str, Any]:
    """What a plain function itself reads from outside, of these names; `a.b` is an attribute."""
    closure = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    cells = dict(closure)
    found = {}
    for name in names:
        first, *rest = name.split(".")
        try:
            value = cells[first].cell_contents if first in cells else function.__globals__[first]
            for attribute in rest:
                value = getattr(value, attribute)
        except (KeyError, ValueError, AttributeError):
            continue
        found[spelled(name)] = value
    return found
