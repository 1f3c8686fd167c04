"""What the functions of an emitted file share: imports, module constants, reserved names."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from gradgen.graph import Graph
from gradgen.liveness import reachable
from gradgen.modes import MODES
from gradgen.ops.written import OpaqueCall
from gradgen.targets import Expr, Target
from gradgen.targets.base import number
from gradgen.unit import FunctionText, Plan, Unit, import_order

# What the names of emitted functions end in.
_FUNCTIONS = (*MODES, "forward", "backward")
_BUILTIN_NAMES = frozenset({"len", "sum", "min", "max", "abs", "float", "int", "round", "type",
                            "ValueError", "bool", "getattr"})  # fmt: skip


class WritesFunction(Protocol):
    """What writes one function, or an expression outside of all."""

    names: dict[int, str]

    def write(self) -> FunctionText:
        """The text of the function."""

    def expression_of(self, node: int) -> Expr:
        """A node spelled as one expression."""


class ModuleWriter:
    """What the functions of one file share: the imports, the constants, the reserved names."""

    def __init__(
        self, graph: Graph, target: Target, unit: Unit, guard: bool, writer: Writer,
        given: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.graph = graph
        self.target = target
        self.unit = unit
        self.guard = guard
        self.writer = writer
        self.roots: dict[str, str] = {}
        self.taken = {p.name for p in graph.params} | set(keyword.kwlist)
        self.functions = {f"{graph.name}_{mode}" for mode in _FUNCTIONS}
        self.taken |= self.functions
        for node, op in enumerate(graph.ops):
            name = graph.names[node]
            if name is not None:
                self.taken.add(name)
            if op == "global":
                self.taken.add(graph.attrs[node][1])
        # Settled before any name is claimed: a local of the same name would hide the global.
        self.global_names: dict[int, str] = {}
        hidden = {p.name for p in graph.params} | self.functions | set(given)
        for node, op in enumerate(graph.ops):
            if op == "global":
                name, count = str(graph.attrs[node][1]), 1
                wanted = name
                while wanted in hidden:
                    count += 1
                    wanted = f"{name}_{count}"
                hidden.add(wanted)
                self.taken.add(wanted)
                self.global_names[node] = wanted
        self.reserved = frozenset(self.global_names.values()) | _BUILTIN_NAMES
        self.globals: dict[int, str] = {}
        self.global_lines: list[str] = []
        # What the user's own functions are called, by the keys of their calls.
        self.opaque: dict[str, str] = {}
        needed = reachable(graph, graph.results) if "opaque" in graph.ops else ()
        for node, need in enumerate(needed):
            if need and graph.ops[node] == "opaque":
                self._import_opaque(graph.attrs[node])

    def root(self, module: str) -> str:
        """The name of a module in the file, imported when it is first asked for."""
        if module not in self.roots:
            short = "np" if module == "numpy" else module.rpartition(".")[2]
            name = short
            while name in self.taken:
                name = module.rpartition(".")[2] if name == short else name + "_"
                if name == short:
                    name += "_"
            parent, _, last = module.rpartition(".")
            line = f"from {parent} import {last}" if parent else f"import {module}"
            self.roots[module] = name
            self.unit.imports.append(line if name == last else f"{line} as {name}")
            self.taken.add(name)
        return self.roots[module]

    def _import_opaque(self, held: OpaqueCall) -> None:
        """Bind a function of the user's that is called: imported, or as it is in this process."""
        if held.key in self.opaque:
            return
        name = held.name
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        self.opaque[held.key] = name
        value = self.graph.captured.get(held.key)
        self.unit.foreign[name] = (held.module, held.name)
        if value is not None:
            self.unit.namespace[name] = value
        if held.module is not None:
            more = "" if name == held.name else f" as {name}"
            self.unit.imports.append(f"from {held.module} import {held.name}{more}")

    def callable_name(self, dotted: str) -> str:
        """How a function is called; a builtin by its bare name unless the user's names hide it."""
        if dotted in self.opaque:
            return self.opaque[dotted]
        module, _, name = dotted.rpartition(".")
        if dotted.startswith("numpy."):
            return f"{self.root('numpy')}.{dotted.removeprefix('numpy.')}"
        if module == "builtins" and name not in self.taken:
            return name
        return f"{self.root(module)}.{name}"

    def global_name(self, node: int) -> str:
        """The module-level name of a captured value; its definition goes into the file."""
        if node in self.globals:
            return self.globals[node]
        graph = self.graph
        path, name = graph.attrs[node]
        wanted = self.globals[node] = self.global_names[node]
        if path == "live":
            self._live_global(wanted, name)
        else:
            inner = self.writer(self, Plan(wanted, [], [], (), []))
            text = inner.expression_of(graph.args[node][0])
            self.global_lines.append(f"{wanted} = {text.at(1)}")
        return wanted

    def _live_global(self, wanted: str, name: str) -> None:
        value = self.graph.captured[name]
        self.unit.namespace[wanted] = value
        self.unit.origins[wanted] = name
        literal = _literal(value, self)
        if literal is None:
            self.unit.captured.append(wanted)
        else:
            self.global_lines.append(f"{wanted} = {literal}")

    def function(self, plan: Plan) -> dict[int, str]:
        """Write one function; the names that it gave to its values."""
        writer = self.writer(self, plan)
        self.unit.functions.append(writer.write())
        return writer.names

    def finish(self) -> None:
        """Put imports and constants in order."""
        self.unit.imports.sort(key=import_order)
        self.unit.constants = self.global_lines


def _literal(value: Any, module: ModuleWriter) -> str | None:
    """A captured value as source; None where it is too large to be one."""
    where = module.root(module.target.number_module) if isinstance(value, float) and (
        value != value or value in (float("inf"), -float("inf"))
    ) else ""  # fmt: skip
    if isinstance(value, (bool, int, float)) and not isinstance(value, np.generic):
        return number(value, where).text
    array = np.asarray(value)
    if array.size > 16 or not np.isfinite(array).all():
        return None
    dtype = "" if array.dtype in (np.float64, np.int64, np.bool_) else f", dtype=np.{array.dtype}"
    np_name = module.root("numpy")
    if isinstance(value, np.generic):
        return f"{np_name}.{array.dtype}({number(value.item(), '').text})"
    return f"{np_name}.array({_listed(array.tolist())}{dtype})"


def _listed(value: Any) -> str:
    """Nested lists of finite numbers as source."""
    if isinstance(value, list):
        return f"[{', '.join(map(_listed, value))}]"
    return number(value, "").text


Writer = Callable[[ModuleWriter, Plan], WritesFunction]
