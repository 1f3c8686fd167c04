"""Matrices of derivatives of arrays as wholes: a loop of calls of their products with unit arrays.

Columns are products in forward mode, `f_jvp` or `f_hvp`; rows are `f_vjp`. All are put into
matrices made before, so that arrays without items have some too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gradgen.derive import name_of
from gradgen.emission import INDENT, FunctionWriter, spell_path
from gradgen.graph import Graph, Param, Tree, leaves, map_tree
from gradgen.guards import argument_parts
from gradgen.question import Question
from gradgen.surroundings import ModuleWriter
from gradgen.targets import TARGETS
from gradgen.targets.base import quoted
from gradgen.types import Dim, Size, Type
from gradgen.unit import FunctionText, Plan, Unit, import_order

NAMES = {"jacobian": "Jacobian", "hessian": "Hessian"}


def structured(asked: Question) -> Param | None:
    """A parameter that is no number and no array, of which there are no unit arrays here."""
    return next((p for p in asked.chosen if not isinstance(p.tree, int)), None)


@dataclass(slots=True)
class Loops:
    """Writes the function of a matrix, beside that of its products in the same unit."""

    graph: Graph
    unit: Unit
    product: str
    matrix: str
    asked: Question
    has_aux: bool
    np: str = "np"
    lines: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    # Names of the emitted function: of its counter, of tangents that are zeros, of the value.
    counter: str = ""
    zeros: dict[str, str] = field(default_factory=dict)
    value: str = ""
    types: dict[str, Type] = field(default_factory=dict)

    def write(self) -> FunctionText:
        """The function, which takes what the user's takes."""
        graph, name = self.graph, self.graph.name
        self.types = {p.name: self.asked.graph.types[p.tree] for p in self.asked.chosen}
        self.taken = {p.name for p in graph.params}
        own = [p for p in graph.params if not p.added]
        module = ModuleWriter(graph, TARGETS["numpy"], Unit(), True, FunctionWriter)
        signature = FunctionWriter(module, Plan(f"{name}_{self.matrix}", own, [], (), []))
        self._import()
        self._once()
        self.counter = self._name("k")
        result = {"vjp": self._rows, "jvp": self._columns, "hvp": self._hessian}[self.product]()
        if self.has_aux:
            result = f"{result}, aux"
        elif result[0] == "(" and len(self.types) > 1:
            result = result[1:-1]
        self.lines.append(f"return {result}")
        wrt = [p.name for p in self.asked.chosen]
        told = " and ".join([", ".join(wrt[:-1]), wrt[-1]] if len(wrt) > 1 else wrt)
        each = "row by row" if self.product == "vjp" else "column by column"
        what = f"{NAMES[self.matrix]} of {name} with respect to {told}, {each}."
        return FunctionText(f"{name}_{self.matrix}", signature.signature(), [what], self.lines)

    def _import(self) -> None:
        unit = self.unit
        known = next((i for i in unit.imports if i.startswith("import numpy")), None)
        if known is None:
            known = "import numpy as np"
            unit.imports = sorted([*unit.imports, known], key=import_order)
        self.np = known.split()[-1]
        self.taken.add(self.np)

    # -- what is done once -------------------------------------------------------------------------

    def _once(self) -> None:
        """Tangents of zeros where one of several moves, and a call for what only a call tells."""
        asked = self.asked
        shapes = [asked.graph.types[node].shape for node in leaves(asked.value)]
        if self.product == "jvp" and not all(self._spelled(n) for shape in shapes for n in shape):
            self.value = self._name("value")
        aux = self._name("aux") if self.has_aux else ""
        for name, t in self.types.items():
            zeros = f"{self.np}.zeros_like({name})"
            self.zeros[name] = zeros if t.shape else "0.0"
            if self.product != "vjp" and t.shape and len(self.types) > 1:
                self.zeros[name] = self._name(f"zero_{name}")
                self.lines.append(f"{self.zeros[name]} = {zeros}")
        if aux or self.value:
            pair = f"({self.value or '_'}, {aux})" if aux else self.value
            target = f"_, {aux}" if self.product == "hvp" else f"{pair}, _"
            self.lines.append(f"{target} = {self._call({})}")

    def _name(self, wanted: str) -> str:
        """A name that nothing in the function has."""
        while wanted in self.taken:
            wanted += "_"
        self.taken.add(wanted)
        return wanted

    def _spelled(self, size: Size) -> str:
        """A length by the arguments; nothing where they do not tell it."""
        if not isinstance(size, Dim):
            return str(size)
        text = ""
        for atoms, count in sorted(size.terms, key=lambda term: term[1] < 0):
            factors = [self._atom(atom) for atom in atoms]
            if not all(factors):
                return ""
            number = [str(abs(count))] if abs(count) != 1 or not atoms else []
            sign = ("-", " - ") if count < 0 else ("", " + ")
            text += sign[bool(text)] + " * ".join([*number, *factors])
        return text

    def _atom(self, atom: str) -> str:
        graph = self.asked.graph
        node, axis = graph.lengths.get(atom, (-1, None))
        if node < 0 or graph.ops[node] != "param":
            return ""
        text = spell_path(*graph.attrs[node])
        if axis is None:
            return text
        return f"{text}.size" if graph.types[node].rank == 1 else f"{text}.shape[{axis}]"

    # -- lines -------------------------------------------------------------------------------------

    def _call(self, moving: dict[str, str]) -> str:
        """A call of the product, along what moves."""
        words = []
        for p in self.graph.params:
            text = p.name
            if p.added:
                still = self.zeros.get(p.added) or f"{self.np}.zeros({self._count()})"
                text = moving.get(p.added, still)
            words.append(f"{p.name}={text}" if p.keyword_only else text)
        return f"{self.graph.name}_{self.product}({', '.join(words)})"

    def _count(self) -> str:
        """How many items the one value has, of which there are rows."""
        return self._spelled(self.asked.graph.types[self.asked.value].shape[0])

    def _empty(self, name: str, sizes: Sequence[str], t: Type) -> None:
        """A matrix that is still to be filled."""
        shape = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
        words = ", ".join([shape, *self._dtype(t)])
        self.lines.append(f"{name} = {self.np}.empty({words})")

    def _dtype(self, t: Type) -> list[str]:
        return [] if t.dtype in ("float64", "float") else [f"dtype={self.np}.{t.dtype}"]

    def _each(self, name: str, tangent: str) -> str:
        """The head of a loop over the unit arrays of a parameter; how far it indents."""
        t = self.types[name]
        if not t.shape:
            return ""
        units = f"{self.np}.eye({', '.join([f'{name}.size', *self._dtype(t)])})"
        if len(t.shape) > 1:
            held = self._name(f"units_{name}")
            self.lines.append(f"{held} = {units}.reshape({name}.size, *{name}.shape)")
            units = held
        self.lines.append(f"for {self.counter}, {tangent} in enumerate({units}):")
        return INDENT

    def _place(self, rank: int, name: str) -> str:
        """Which column of a block a unit array of a parameter gives."""
        if not self.types[name].shape:
            return ""
        return f"[{', '.join([*[':'] * rank, self.counter])}]"

    # -- the matrices ------------------------------------------------------------------------------

    def _rows(self) -> str:
        """The rows of every parameter: adjoints of the items of the one value."""
        (seed,) = [p.name for p in self.graph.params if p.added]
        alone = len(self.types) == 1
        value = self._value_names()[0]
        blocks = [self._name("matrix" if alone else f"d{value}_d{n}") for n in self.types]
        for block, (name, t) in zip(blocks, self.types.items(), strict=True):
            self._empty(block, [self._count(), *self._shape(name)], t)
        like = self.asked.graph.types[self.asked.value]
        units = ", ".join([self._count(), *self._dtype(like)])
        self.lines.append(f"for {self.counter}, {seed} in enumerate({self.np}.eye({units})):")
        targets = ", ".join(f"{block}[{self.counter}]" for block in blocks)
        targets = f"({targets},)" if alone and not self.asked.bare else targets
        self.lines.append(f"{INDENT}{targets} = {self._call({'value': seed})}[1]")
        return self._told(blocks)

    def _columns(self) -> str:
        """The columns of every value, by every parameter in turn."""
        graph, parts = self.asked.graph, list(argument_parts("", self.asked.value))
        names = self._value_names()
        alone = len(parts) == len(self.types) == 1
        blocks: dict[tuple[int, str], str] = {}
        tangents = {p.added: p.name for p in self.graph.params}
        whole = self._name("tangent") if len(parts) > 1 else ""
        for name, t in self.types.items():
            for at, (where, node) in enumerate(parts):
                called = self._name("matrix" if alone else f"d{names[at]}_d{name}")
                blocks[at, name] = called
                if t.shape:
                    sizes = self._sizes(where, graph.types[node])
                    self._empty(called, [*sizes, f"{name}.size"], graph.types[node])
            indent = self._each(name, tangents[name])
            call = self._call({name: tangents[name] if t.shape else "1.0"}) + "[1]"
            if whole:
                self.lines.append(f"{indent}{whole} = {call}")
                for at, (where, node) in enumerate(parts):
                    target = blocks[at, name] + self._place(graph.types[node].rank, name)
                    self.lines.append(f"{indent}{target} = {whole}{where}")
            else:
                rank = graph.types[parts[0][1]].rank
                target = blocks[0, name] + self._place(rank, name)
                self.lines.append(f"{indent}{target} = {call}")
            for at, (where, node) in enumerate(parts):
                if len(t.shape) > 1:
                    sizes = self._sizes(where, graph.types[node])
                    blocks[at, name] += f".reshape({', '.join([*sizes, *self._shape(name)])})"
        order = iter(range(len(parts)))

        def of_value(_: int) -> str:
            at = next(order)
            return self._told([blocks[at, name] for name in self.types])

        return _written(map_tree(of_value, self.asked.value))

    def _sizes(self, where: str, t: Type) -> list[str]:
        """The lengths of a part of the value."""
        if self.value and t.shape:
            return [f"*{self.value}{where}.shape"]
        return [self._spelled(size) for size in t.shape]

    def _shape(self, name: str) -> list[str]:
        """The lengths of a parameter."""
        rank = self.types[name].rank
        return [f"{name}.size"] if rank == 1 else [f"*{name}.shape"] * bool(rank)

    def _hessian(self) -> str:
        """The columns of one triangle of blocks; those of the other are their transposes."""
        names = list(self.types)
        alone = len(names) == 1
        tangents = {p.added: p.name for p in self.graph.params}
        product = "" if self.asked.bare else self._name("product")
        blocks: dict[tuple[str, str], str] = {}
        for at, name in enumerate(names):
            t = self.types[name]
            below = names[at:]
            called = {n: self._name("matrix" if alone else f"h_{n}_{name}") for n in below}
            for other in below:
                if t.shape:
                    sizes = [f"{other}.size"] * bool(self.types[other].shape)
                    self._empty(called[other], [*sizes, f"{name}.size"], self.types[other])
            indent = self._each(name, tangents[name])
            call = self._call({name: tangents[name] if t.shape else "1.0"})
            call += "[0]" * self.has_aux
            if product:
                self.lines.append(f"{indent}{product} = {call}")
            for other in below:
                rank = len(self.types[other].shape)
                target = called[other] + self._place(min(rank, 1), name)
                found = f"{product}[{names.index(other)}]" if product else call
                ravelled = ".ravel()" if rank > 1 and t.shape else ""
                self.lines.append(f"{indent}{target} = {found}{ravelled}")
                blocks[other, name] = self._shaped(called[other], other, name, False)
                blocks[name, other] = self._shaped(called[other], other, name, name != other)
        return self._told([self._told([blocks[p, q] for q in names]) for p in names])

    def _shaped(self, block: str, row: str, column: str, turned: bool) -> str:
        """A block of items by items with the shapes of its two parameters, or turned over."""
        first, second = self.types[row].shape, self.types[column].shape
        if first and second and turned:
            block += ".T"
        if not second or (len(first) <= 1 and len(second) <= 1):
            return block
        order = (column, row) if turned else (row, column)
        sizes = [size for name in order for size in self._shape(name)]
        return f"{block}.reshape({sizes[0][1:] if len(sizes) == 1 else ', '.join(sizes)})"

    def _value_names(self) -> list[str]:
        nodes = list(leaves(self.asked.value))
        return [name_of(self.asked.graph, node) or (f"value_{k}" if len(nodes) > 1 else "value")
                for k, node in enumerate(nodes)]  # fmt: skip

    def _told(self, parts: Sequence[str]) -> str:
        """What belongs to the parameters, as `wrt` asks for it."""
        if self.asked.bare:
            return parts[0]
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"


def _written(tree: Tree) -> str:
    """A structure of texts as source."""
    if isinstance(tree, dict):
        return f"{{{', '.join(f'{quoted(k)}: {_written(v)}' for k, v in tree.items())}}}"
    if isinstance(tree, list):
        return f"[{', '.join(map(_written, tree))}]"
    if isinstance(tree, tuple):
        return f"({', '.join(map(_written, tree))}{',' * (len(tree) == 1)})"
    return str(tree)
