"""The graph: flat parallel lists of typed operations in single-assignment form, and its builder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradgen.errors import Location, NeedsLength, Refusal
from gradgen.ops import OPS
from gradgen.types import BY_TYPES, QUOTIENTS, Dim, Size, Type, promote

Tree = Any  # a node, or a dict, list, tuple or record of trees
# What is no operation: it has a key of its own.
SOURCELESS = frozenset({"param", "const", "constant", "global", "seed"})


@dataclass(frozen=True, slots=True)
class Record:
    """A structure that is rebuilt from the argument itself: `type(p)(name=..., ...)`.

    `like` says which: the name of a parameter and the path of the part in it.
    """

    like: Any
    fields: tuple[str, ...]
    values: tuple[Tree, ...]


@dataclass(slots=True)
class Param:
    """A parameter of the function: a tree of `param` nodes and how the signature writes it."""

    name: str
    tree: Tree
    keyword_only: bool = False
    positional_only: bool = False
    default: str | None = None
    declared: str = ""
    # Of what it is the tangent or the seed, which the derivative takes besides the parameters; its
    # shape is always checked.
    added: str = ""


@dataclass(slots=True)
class Graph:
    """A program. A node is an index; its arguments are smaller indices."""

    name: str = "f"
    doc: str | None = None
    ops: list[str] = field(default_factory=list)
    args: list[tuple[int, ...]] = field(default_factory=list)
    attrs: list[Any] = field(default_factory=list)
    types: list[Type] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    locs: list[Location | None] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    hints: list[str | None] = field(default_factory=list)
    params: list[Param] = field(default_factory=list)
    results: Tree = None
    # Symbolic lengths: where each is found, as (node, axis); axis None: the node is the length.
    lengths: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    # Lengths that the program takes for not negative, and where.
    least: list[tuple[Size, Location | None]] = field(default_factory=list)
    # Live values of captured globals, by the name that the emitted code gives them.
    captured: dict[str, Any] = field(default_factory=dict)
    # The lines of the user's that it is made from, as the header's digest takes them.
    text: str = ""

    def __len__(self) -> int:
        return len(self.ops)


# The parallel lists of a graph.
COLUMNS = ("ops", "args", "attrs", "types", "values", "locs", "names", "hints")


def leaves(tree: Tree) -> Iterator[int]:
    """The nodes of a tree, in order."""
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, int):
            yield item
        elif isinstance(item, Record):
            stack.extend(reversed(item.values))
        elif isinstance(item, dict):
            stack.extend(reversed(item.values()))
        elif isinstance(item, (list, tuple)):
            stack.extend(reversed(item))


def map_tree(function: Callable[[int], Any], tree: Tree) -> Tree:
    """The tree with `function` applied to every node."""
    if isinstance(tree, int):
        return function(tree)
    if isinstance(tree, Record):
        return Record(tree.like, tree.fields, tuple(map_tree(function, v) for v in tree.values))
    if isinstance(tree, dict):
        return {key: map_tree(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(map_tree(function, item) for item in tree)
    return tree


def mapped(mapping: Sequence[int], args: tuple[int, ...]) -> tuple[int, ...]:
    """What arguments are mapped to."""
    if len(args) == 2:  # as most are, and twice as fast
        first, second = args
        return (mapping[first], mapping[second])
    return tuple([mapping[a] for a in args])


def literal_key(value: Any) -> tuple[str, Any]:
    """A key that tells 1, 1.0 and True apart, 0.0 and -0.0, and all NaNs alike."""
    if isinstance(value, float) and (value == 0.0 or value != value):
        value = value.hex()
    return (type(value).__name__, value)


# What every call makes anew.
_FRESH = frozenset(name for name, row in OPS.items() if row.fresh)


class GraphBuilder:
    """The only constructor of nodes: infers types, knows static values, shares equal nodes."""

    def __init__(self, graph: Graph, share: bool = True) -> None:
        self.graph = graph
        self.loc: Location | None = None
        # By operation: the nodes by their arguments and attribute, and sources by what tells them
        # apart.
        self.known: defaultdict[str, dict[Any, int]] = defaultdict(dict)
        if share:
            # of equal nodes the first one is known
            for node, (op, args) in enumerate(zip(graph.ops, graph.args, strict=True)):
                self.known[op].setdefault(_key(graph, node, args), node)

    def find(self, op: str, *args: int, attr: Any = None) -> int | None:
        """The node for `op(*args)` if there is one already."""
        return self.known[op].get(args if attr is None else (args, attr))

    def add(self, op: str, *args: int, attr: Any = None) -> int:
        """The node for `op(*args)`. Raises `Refusal` where the type rule refuses."""
        key: Any = args if attr is None else (args, attr)
        known = self.known[op]
        found = known.get(key)
        if found is not None and op not in _FRESH:
            return found
        # Every stage spends most of its time here, so that two operands, which most operations
        # have, are not looped over, and nothing is called that need not be.
        graph = self.graph
        types, values = graph.types, graph.values
        operands: tuple[Type, ...]
        if len(args) == 2:
            first, second = args
            operands = (types[first], types[second])
            static = values[first] is not None and values[second] is not None
        else:
            operands = tuple([types[a] for a in args])
            static = bool(args) and values[args[0]] is not None
        value = None
        result: Any = _inferred.get((op, attr, operands))
        if result is None:
            row = OPS[op]
            result = row.infer(operands, attr, [values[a] for a in args])
            if row.known is not None:
                value = row.known(operands, attr)
            elif row.infer in BY_TYPES:
                _inferred[op, attr, operands] = result
        if static and value is None:
            value = _evaluate(op, [values[a] for a in args], result)
        node = known[key] = len(types)
        graph.ops.append(op)
        graph.args.append(args)
        graph.attrs.append(attr)
        types.append(result)
        values.append(value)
        graph.locs.append(self.loc)
        graph.names.append(None)
        graph.hints.append(None)
        return node

    def _source(
        self, op: str, key: Any, args: tuple[int, ...], attr: Any, found: Type, value: Any
    ) -> int:
        """The source of this key, with these columns if it is new."""
        graph, known = self.graph, self.known[op]
        if key in known:
            return known[key]
        node = known[key] = len(graph.ops)
        graph.ops.append(op)
        graph.args.append(args)
        graph.attrs.append(attr)
        graph.types.append(found)
        graph.values.append(value)
        graph.locs.append(self.loc)
        graph.names.append(None)
        graph.hints.append(None)
        return node

    def const(self, value: Any, name: str | None = None) -> int:
        """The node of a Python number; one that the user named stays apart from its equals."""
        key = (literal_key(value), name)
        known = self.known["const"].get(key)
        if known is not None:
            return known
        node = self._source("const", key, (), value, Type("py", type(value).__name__), value)
        self.graph.names[node] = name
        return node

    def known_const(self, value: float) -> int | None:
        """The node of a Python number without a name if there is one already."""
        return self.known["const"].get((literal_key(value), None))

    def constant(self, dotted: str, value: float) -> int:
        """The node of a constant of a library, `numpy.pi`."""
        return self.leaf("constant", dotted, Type("py", "float"), value)

    def leaf(self, op: str, attr: Any, found: Type, value: Any = None) -> int:
        """A `param`, `global` or `seed` node."""
        return self._source(op, attr, (), attr, found, value)

    def named_global(self, path: str, name: str, node: int) -> int:
        """The node of a module-level name, which the emitted file defines as the user's does."""
        graph = self.graph
        found, value = graph.types[node], graph.values[node]
        return self._source("global", (path, name), (node,), (path, name), found, value)

    def size(self, size: Size) -> int:
        """The node of a length."""
        if not isinstance(size, Dim):
            return self.const(size)
        if str(size) in self.graph.lengths:
            return self._length(str(size), size)
        total = None
        for atoms, count in size.terms:
            term = None
            for atom in atoms:
                factor = self._length(atom, size)
                term = factor if term is None else self.add("mul", term, factor)
            if term is None:
                term = self.const(abs(count))
            elif abs(count) != 1:
                term = self.add("mul", self.const(abs(count)), term)
            if total is None:
                total = term if count > 0 else self.add("neg", term)
            else:
                total = self.add("add" if count > 0 else "sub", total, term)
        return self.const(0) if total is None else total

    def _length(self, atom: str, size: Size) -> int:
        """The node of an opaque length, which occurs in `size`."""
        if atom not in self.graph.lengths:
            if atom not in QUOTIENTS:
                raise NeedsLength(f"the length {size} cannot be computed from the arguments")
            return self.add("floordiv", *(self.size(part) for part in QUOTIENTS[atom]))
        node, axis = self.graph.lengths[atom]
        return node if axis is None else self.add("axis_size", node, attr=axis)

    def type_of(self, node: int) -> Type:
        """The type of a node."""
        return self.graph.types[node]

    def value_of(self, node: int) -> Any:
        """The number or `Dim` that a node is known to be, else None."""
        return self.graph.values[node]

    def args_of(self, node: int) -> tuple[int, ...]:
        """The arguments of a node."""
        return self.graph.args[node]

    def attr_of(self, node: int) -> Any:
        """The attribute of a node."""
        return self.graph.attrs[node]

    def is_op(self, node: int, *ops: str) -> bool:
        """Whether the node is one of these operations."""
        return self.graph.ops[node] in ops

    def copy_node(self, source: Graph, node: int, mapping: Sequence[int]) -> int:
        """The node of another graph, on mapped arguments; names and hints come along."""
        op, attr = source.ops[node], source.attrs[node]
        args = mapped(mapping, source.args[node])
        self.loc = source.locs[node]
        if op == "const":
            new = self.const(attr, source.names[node])
        elif op == "global" and args:
            path, name = attr
            new = self.named_global(path, name, args[0])
        elif op in SOURCELESS:
            new = self.leaf(op, attr, source.types[node], source.values[node])
        else:
            new = self.add(op, *args, attr=attr)
        self.label(new, source.names[node], source.hints[node])
        return new

    def copy_run(self, source: Graph, start: int, stop: int, mapping: list[int]) -> None:
        """Copy the nodes of a row as `copy_node` does, but at once.

        The types of their mapped arguments have to be those of the arguments.
        """
        known, new = self.known, len(self.graph.ops)
        args: list[tuple[int, ...]] = []
        first = start
        for node in range(start, stop):
            operands = mapped(mapping, source.args[node])
            op = source.ops[node]
            if known[op].setdefault(_key(source, node, operands), new) == new:
                mapping[node] = new
                new += 1
                args.append(operands)
                continue
            # equal to one that is there: those before it first
            self._extend(source, first, node, args)
            mapping[node] = self.copy_node(source, node, mapping)
            first, new, args = node + 1, len(self.graph.ops), []
        self._extend(source, first, stop, args)

    def _extend(self, source: Graph, start: int, stop: int, args: list[tuple[int, ...]]) -> None:
        """Put a row of another graph at the end, on these arguments."""
        graph = self.graph
        graph.ops += source.ops[start:stop]
        graph.args += args
        graph.attrs += source.attrs[start:stop]
        graph.types += source.types[start:stop]
        graph.values += source.values[start:stop]
        graph.locs += source.locs[start:stop]
        graph.names += source.names[start:stop]
        graph.hints += source.hints[start:stop]

    def label(self, node: int, name: str | None, hint: str | None) -> None:
        """Give a node a name and a hint, unless it has them."""
        graph = self.graph
        if name is not None:
            self.named(node, name)
        if hint is not None and graph.hints[node] is None:
            graph.hints[node] = hint

    def named(self, node: int, name: str) -> None:
        """Remember the user's name for a value, unless it has one."""
        graph = self.graph
        if graph.names[node] is None and graph.ops[node] not in SOURCELESS:
            graph.names[node] = name


def _key(graph: Graph, node: int, args: tuple[int, ...]) -> Any:
    """What tells a node with these arguments from others of its operation."""
    attr = graph.attrs[node]
    if graph.ops[node] not in SOURCELESS:
        return args if attr is None else (args, attr)
    return (literal_key(attr), graph.names[node]) if graph.ops[node] == "const" else attr


# What the type rules gave that look at the types of operands alone.
_inferred: dict[tuple[str, Any, tuple[Any, ...]], Any] = {}
_SYMBOLIC = frozenset({"add", "sub", "mul", "neg", "floordiv", "mod", "pos"})
_COMPARES = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


# What a function of NumPy makes of Python integers; it serves as a length as they do.
_NUMPY_INT = Type("scalar", "int64")


def _evaluate(op: str, values: Sequence[Any], found: Any) -> Any:
    """The static value of a Python-number operation whose operands are known; None otherwise."""
    row = OPS[op]
    if row.evaluate is None or not isinstance(found, Type):
        return None
    if found.kind != "py" and found != _NUMPY_INT:
        return None
    if not values or any(v is None for v in values):
        return None
    if any(isinstance(v, Dim) for v in values):
        if op in _COMPARES:
            return _compare_sizes(op, values[0] - values[1])
        if op not in _SYMBOLIC or not all(isinstance(v, (int, Dim)) for v in values):
            return None
    if op == "power" and all(type(v) is int for v in values) and values[1] > 0:
        _refuse_large(values[0].bit_length() * values[1] // 2)
    try:
        value = row.evaluate(*values)
    except (ArithmeticError, ValueError, TypeError):
        return None
    if type(value) is int:
        _refuse_large(value.bit_length())
    return value if isinstance(value, (bool, int, float, Dim)) else None


def _refuse_large(bits: int) -> None:
    if bits > 14_283:
        raise Refusal("an integer of more than 4,300 digits")


def _compare_sizes(op: str, difference: Size) -> bool | None:
    if isinstance(difference, Dim):
        return None
    return bool(OPS[op].evaluate(difference, 0))  # type: ignore[misc]


def verify(graph: Graph) -> None:
    """Check that a graph is well formed. Raises `AssertionError` where it is not."""
    count = len(graph.ops)
    for column in COLUMNS:
        assert len(getattr(graph, column)) == count, "the columns of a graph have one length"
    for node in range(count):
        op, args = graph.ops[node], graph.args[node]
        assert all(0 <= a < node for a in args), f"node {node} comes after its arguments"
        if op in SOURCELESS:
            continue
        found = OPS[op].infer(
            [graph.types[a] for a in args], graph.attrs[node], [graph.values[a] for a in args]
        )
        assert found == graph.types[node], f"node {node} ({op}): {graph.types[node]} is not {found}"
    for leaf in leaves(graph.results):
        assert 0 <= leaf < count, "results are nodes"


def dump(graph: Graph) -> str:
    """The graph as text, one node a line."""
    lines = []
    for node, (op, args) in enumerate(zip(graph.ops, graph.args, strict=True)):
        operands = " ".join(f"%{a}" for a in args)
        attr = "" if graph.attrs[node] is None else f" {graph.attrs[node]!r}"
        name = f"  # {graph.names[node]}" if graph.names[node] else ""
        lines.append(f"%{node} = {op} {operands}{attr} : {graph.types[node]}{name}")
    return "\n".join([*lines, f"return {graph.results!r}"])


def operand_dtype(types: Sequence[Type]) -> str:
    """The dtype that these operands promote to."""
    return promote(tuple((t.kind, t.dtype) for t in types))


__all__ = [
    "COLUMNS",
    "SOURCELESS",
    "Graph",
    "GraphBuilder",
    "Param",
    "Record",
    "Refusal",
    "Tree",
    "dump",
    "leaves",
    "literal_key",
    "map_tree",
    "mapped",
    "operand_dtype",
    "verify",
]  # fmt: skip
