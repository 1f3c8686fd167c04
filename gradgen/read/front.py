"""Values and nodes: conversions, containers, attributes, subscripts, updates and calls of rows."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial, reduce
from typing import Any
from weakref import proxy

import numpy as np

from gradgen.errors import NeedsLength, Refusal
from gradgen.graph import GraphBuilder
from gradgen.ops import CALLS, METHODS, OPS, Op
from gradgen.ops.indexing import is_basic, may_repeat, resolve
from gradgen.ops.written import infer_written
from gradgen.read import builtin, definitions
from gradgen.read.kinds import Kinds, is_uncertain
from gradgen.read.modules import Modules
from gradgen.read.outside import Outside
from gradgen.read.scope import (
    CONSTANTS,
    DTYPES,
    library_attribute,
)
from gradgen.read.standard import STANDARD
from gradgen.read.values import (
    MISSING,
    TRANSPOSED,
    Cell,
    FileModule,
    Function,
    Generated,
    Known,
    LiveObject,
    Method,
    Module,
    RecordValue,
)
from gradgen.types import Dim, Type

PYTHON_TYPES = {"builtins.float": "float64", "builtins.int": "int64", "builtins.bool": "bool"}
CONTAINER_METHODS: dict[type, tuple[str, ...]] = {
    list: ("append", "extend", "insert", "pop", "copy", "reverse", "index"),
    dict: ("items", "keys", "values", "get", "copy", "update", "pop"),
    tuple: ("index",),
    str: (
        "startswith", "endswith", "lower", "upper", "strip", "split", "replace", "removeprefix",
        "removesuffix", "isdigit",
    ),
}  # fmt: skip
# What to write instead of the keywords of ufuncs.
INSTEAD = {
    "out": "store the result: y[...] = {name}(...)",
    "where": "np.where(condition, {name}(...), otherwise)",
    "dtype": "convert the operands or the result: .astype(...)",
    "casting": "convert the operands: .astype(...)",
    "order": "leave it out: the values are the same",
    "subok": "leave it out: the values are the same",
    "initial": "combine the result with the initial value",
}
# The operators of which any two numbers or arrays may be operands.
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "power"})
READING = ("index", "items", "keys", "values", "get", "copy", *CONTAINER_METHODS[str])


@cache
def _signature(bind: Any) -> inspect.Signature:
    return inspect.signature(bind)


class Front:
    """What the op rows' front ends and the interpreter ask of values and nodes."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        # The arrays among the arguments, by the identity of their cells.
        self.arguments: dict[int, Cell] = {}
        # Nodes of parameters that are scalars only because nothing else was declared.
        self.undeclared: dict[int, str] = {}
        # A front end that nobody holds any more goes at once, with all that it read: without cycles
        # there is nothing for the garbage collector to look for.
        weak = proxy(self)
        self.modules = Modules(weak)
        self.outside = Outside(weak)
        # Lists, dicts and arrays that were not made by the function, by identity.
        self._outer: dict[int, tuple[Any, str]] = {}
        # Arrays that an opaque function was given or gave, and may hold on to, by identity.
        self._lent: dict[int, tuple[Cell, str]] = {}
        self.kinds = Kinds(builder.graph)
        # The modules of definitions that were read, by name.
        self.definitions: dict[str, Any] = {}
        # The lengths that count where masks are true, by the masks.
        self._masks: dict[int, str] | None = None

    # -- nodes ---------------------------------------------------------------------------------

    def add(self, op: str, *args: int, attr: Any = None) -> int:
        """The node for `op(*args)`."""
        return self.builder.add(op, *args, attr=attr)

    def type_of(self, node: int) -> Type:
        """The type of a node."""
        return self.builder.type_of(node)

    def wrap(self, node: int) -> Cell:
        """A value of its own for a node."""
        return Cell(node)

    def node(self, value: Any) -> int:
        """The node of a number or array. Raises `Refusal` for anything else."""
        if isinstance(value, Cell):
            return self.refresh(value)
        if isinstance(value, (bool, int, float)):
            return self.builder.const(value)
        if self.is_sequence(value):
            return self.array(value)
        hint = "make it a list: list(...)" if isinstance(value, Iterator) else ""
        raise Refusal(f"{describe(value)} is not a number or an array", hint)

    def counted(self, value: int) -> Cell:
        """A number of an unrolled loop; arithmetic on it is done while compiling."""
        cell = self.wrap(self.builder.const(value))
        cell.counted = True
        return cell

    def refresh(self, cell: Cell) -> int:
        """The present node of a cell; a view of an array that was updated is read anew."""
        if cell.base is not None:
            base = self.refresh(cell.base)
            if base != cell.base_node:
                if cell.template is None:
                    raise Refusal(
                        "this array may or may not share memory with one that was changed since",
                        "make a copy first: .copy()",
                    )
                if cell.template == TRANSPOSED:
                    cell.node = self.add("transpose", base)
                else:
                    cell.node = self.add("index", base, *cell.operands, attr=cell.template)
                cell.base_node = base
        return cell.node

    def call(self, op: str, *values: Any) -> int:
        """The node of an elementwise operation on values."""
        return self.add(op, *(self.node(v) for v in values))

    def array(self, value: Any) -> int:
        """The node of an operand whose shape matters. Refused for an undeclared argument."""
        if self.is_sequence(value):
            return int(CALLS["numpy.array"][0].bind(self, value))  # type: ignore[misc]
        node = self.node(value)
        self.require_shape(node)
        return node

    def require_shape(self, node: int) -> None:
        """Refuse a scalar that comes from arguments of which no shape was declared."""
        if not self.undeclared or self.type_of(node).shape:
            return
        graph = self.builder.graph
        seen, stack, names = {node}, [node], set()
        while stack:
            at = stack.pop()
            if at in self.undeclared:
                names.add(self.undeclared[at])
            for a in graph.args[at]:
                if a not in seen and not graph.types[a].shape:
                    seen.add(a)
                    stack.append(a)
        if names:
            first = sorted(names)[0]
            listed = ", ".join(f"`{n}`" for n in sorted(names))
            raise Refusal(
                f"the shape of the argument {listed} is needed here",
                f'declare it: --shapes "{first}=n" (or "{first}=scalar" for one number)',
            )

    def is_array(self, cell: Cell) -> bool:
        """Whether a value is an ndarray, which `+=` changes in place; 0-d views are."""
        return cell.base is not None or self.type_of(self.refresh(cell)).kind == "array"

    # -- what lives longer than a call ---------------------------------------------------------

    def outer(self, value: Any, name: str) -> Any:
        """The value, marked as defined outside the function: it must not be changed."""
        stack = [value]
        while stack:
            at = stack.pop()
            if isinstance(at, (list, dict)) or (isinstance(at, Cell) and self.is_array(at)):
                self._outer[id(at)] = (at, name)
            if isinstance(at, (list, tuple)):
                stack.extend(at)
            elif isinstance(at, dict):
                stack.extend(at.values())
            elif isinstance(at, Function):
                stack.extend((*at.defaults, *at.keyword_defaults))
        return value

    def guard(self, value: Any) -> None:
        """Refuse to change what outlives the call: the next call would see it."""
        if id(value) in self._outer:
            name = self._outer[id(value)][1]
            raise Refusal(f"this changes `{name}`, which outlives the call", "change a copy of it")
        if id(value) in self._lent:
            name = self._lent[id(value)][1]
            raise Refusal(f"this changes an array that the opaque function {name} was given or "
                          "gave, and may still hold", "change a copy of it: .copy()")  # fmt: skip

    def lend(self, cell: Cell, name: str) -> None:
        """Note that the opaque function `name` knows the memory of an array."""
        while cell.base is not None:
            cell = cell.base
        if self.is_array(cell):
            self._lent[id(cell)] = (cell, name)

    # -- static values -------------------------------------------------------------------------

    def static(self, value: Any) -> Any:
        """The Python value that is known while compiling. Raises `NeedsLength` where none is."""
        if isinstance(value, Cell):
            known = self.builder.value_of(self.refresh(value))
            if known is None or isinstance(known, Dim):
                raise NeedsLength(
                    "this must be known while compiling"
                    + ("" if known is None else f", and is the length {known}"),
                    "declare lengths as numbers, or make it a constant",
                )
            return known
        if isinstance(value, tuple):
            return tuple(self.static(item) for item in value)
        if isinstance(value, list):
            return tuple(self.static(item) for item in value)
        if isinstance(value, (str, range)) or value is None or value is Ellipsis:
            return value
        if isinstance(value, (bool, int, float)):
            return value
        raise Refusal(f"{describe(value)} is not a value that is known while compiling")

    def static_truth(self, value: Any) -> bool | None:
        """Whether a value is true; None where that depends on the arguments."""
        if isinstance(value, Cell):
            known = self.builder.value_of(self.refresh(value))
            return None if known is None or isinstance(known, Dim) else bool(known)
        if isinstance(value, (Known, Module, Function, LiveObject, Method, RecordValue)):
            return True
        return bool(value)

    def no_array(self, value: Any, construct: str) -> None:
        """Refuse the truth value of an array."""
        if isinstance(value, Cell) and self.type_of(self.refresh(value)).shape:
            raise Refusal(f"the truth value of an array is ambiguous in {construct}",
                          "use & | ~ on masks, with parentheses")  # fmt: skip

    def equal(self, left: Any, right: Any) -> int:
        """The node of `left == right`, of which at most one is a number or an array."""
        pairs, unknown = [(left, right)], []
        while pairs:
            one, other = pairs.pop()
            if all(isinstance(v, (list, tuple)) for v in (one, other)):
                if type(one) is not type(other) or len(one) != len(other):
                    return self.builder.const(False)
                pairs += zip(reversed(one), reversed(other), strict=True)
            elif all(isinstance(v, Cell) and self._is_count(v) for v in (one, other)):
                test = self.add("eq", self.node(one), self.node(other))
                if self.builder.value_of(test) is None:
                    unknown.append(test)
                elif not self.builder.value_of(test):
                    return self.builder.const(False)
            elif (self.static(one),) != (self.static(other),):
                return self.builder.const(False)
        return reduce(partial(self.add, "both"), unknown or [self.builder.const(True)])

    def _is_count(self, cell: Cell) -> bool:
        t = self.type_of(self.refresh(cell))
        return t.kind == "py" and not t.is_float

    def identical(self, left: Any, right: Any) -> bool:
        """Whether `left is right`."""
        if left is None or right is None:
            return left is right
        if isinstance(left, Cell) and isinstance(right, Cell):
            known = [self.builder.value_of(self.refresh(v)) for v in (left, right)]
            if all(isinstance(k, bool) for k in known):
                return known[0] is known[1]
        raise Refusal("`is` compares identities, which are not known while compiling", "use ==")

    def contains(self, container: Any, item: Any) -> bool:
        """Whether `item in container`, for what is known while compiling."""
        if isinstance(container, dict):
            return self.static(item) in container
        if isinstance(container, str) and isinstance(item, str):
            return item in container
        return self.static(item) in [self.static(i) for i in self.items(container)]

    def dtype(self, value: Any) -> str:
        """The name of a dtype given as a type, as text, or as `x.dtype`."""
        if isinstance(value, Known) and value.name in PYTHON_TYPES:
            return PYTHON_TYPES[value.name]
        name = value.name.partition(".")[2] if isinstance(value, Known) else value
        if isinstance(name, str):
            try:
                found = str(np.dtype(name))
            except TypeError:
                raise Refusal(f"{name!r} is not a dtype") from None
            if np.dtype(name).kind not in "biuf" or found in ("float16", "longdouble", "float128"):
                raise Refusal(f"arrays of {found} are not supported", "use float64 or float32")
            return found
        raise Refusal(f"{describe(value)} is not a dtype")

    # -- containers ----------------------------------------------------------------------------

    @staticmethod
    def is_sequence(value: Any) -> bool:
        """Whether a value is a Python sequence of values."""
        return isinstance(value, (list, tuple, range))

    def items(self, value: Any) -> list[Any]:
        """The items of a sequence, or the rows of an array of known length."""
        return list(self.iterate(value))

    def row(self, value: Any, k: int) -> Any:
        """Item `k` of an array, as it is now."""
        return self.index(value, (("i", k),))

    def iterate(self, value: Any) -> Iterable[Any]:
        """What a `for` loop runs over; a list that is changed meanwhile shows it, as in Python."""
        if isinstance(value, range):
            if len(value) > 1_000_000:
                raise Refusal(f"a range of {len(value)} is too long to unroll")
            return [self.counted(i) for i in value]
        if isinstance(value, (list, tuple, str, Iterator)):
            return iter(value)
        if isinstance(value, dict):
            return [self.lift(key) for key in value]
        if isinstance(value, RecordValue) and value.is_tuple:
            return list(value.fields.values())
        if isinstance(value, Cell):
            node = self.array(value)
            shape = self.type_of(node).shape
            if not shape:
                raise Refusal("iteration over a number")
            if not isinstance(shape[0], int):
                raise NeedsLength(
                    f"iteration over an array of length {shape[0]}, which is not known while "
                    "compiling", "declare the length as a number, or use array operations",
                )  # fmt: skip
            # each item is read when it is its turn: the loop may have changed the array
            return map(partial(self.row, value), range(shape[0]))
        raise Refusal(f"{describe(value)} cannot be iterated over here")

    def lift(self, value: Any) -> Any:
        """A value for a number that is kept as itself, as a key is."""
        return self.wrap(self.builder.const(value)) if isinstance(value, (int, float)) else value

    def call_container(self, method: Method, args: list[Any], keywords: dict[str, Any]) -> Any:
        """A method of a list, tuple or dict."""
        value, name = method.value, method.name
        if name not in READING:
            self.guard(value)
        if isinstance(value, str):
            args = [self.static(arg) for arg in args]
        elif name in ("get", "pop", "index", "insert") and args:
            args = [self.static(args[0]), *args[1:]]
        if name == "extend" and args:
            args = [self.items(args[0])]
        held = [self.static(i) for i in value] if name == "index" else value
        try:
            result = getattr(held, name)(*args, **keywords)
        except (TypeError, IndexError, KeyError, ValueError) as error:
            raise Refusal(f".{name}: {error}") from None
        if name == "items":
            return [(self.lift(key), item) for key, item in result]
        if name == "keys":
            return [self.lift(key) for key in result]
        return list(result) if name == "values" else self.lift(result)

    def augment(self, op: str | None, old: Any, operand: Any) -> Any:
        """What `old op= operand` leaves: a list or an array is changed in place, as in Python."""
        # NumPy adds an array to a list; what it gives is an array
        if isinstance(old, list) and op in ("add", "mul") and not self._is_big(operand):
            self.guard(old)
            old[:] = (
                old + self.items(operand)
                if op == "add"
                else self.repeated(old, self.static(operand))
            )
            return old
        new = self.binary(op, old, operand)
        if not isinstance(old, Cell) or not self.is_array(old):
            return new
        self.update_whole(old, new)
        return old

    def binary(self, op: str | None, left: Any, right: Any) -> Any:
        """The value of a binary operator."""
        if op is None:
            raise Refusal("this operator is not supported here", "+ - * / // % ** @ & | ^ are")
        plain = isinstance(left, Cell) and isinstance(right, Cell)
        if plain and op in _ARITHMETIC and not (left.counted or right.counted):
            return Cell(self.builder.add(op, self.refresh(left), self.refresh(right)))
        if isinstance(left, str) and isinstance(right, str) and op == "add":
            return left + right
        sequences = [] if plain else [self.is_sequence(v) for v in (left, right)]
        if any(sequences) and not any(self._is_big(v) for v in (left, right)):
            if all(sequences) and op == "add" and type(left) is type(right):
                return left + right
            if op == "mul":
                items, count = (left, right) if sequences[0] else (right, left)
                return self.repeated(items, self.static(count))
            raise Refusal(f"`{op}` of {describe(left)} and {describe(right)}",
                          "make it an array with np.array")  # fmt: skip
        nodes = [self.array(v) if op == "matmul" else self.node(v) for v in (left, right)]
        if op.startswith("bit") and any(self.type_of(n).is_float for n in nodes):
            raise Refusal("& | ^ take integers or masks", "put comparisons in parentheses")
        result = self.add(op, *nodes)
        known = self.builder.value_of(result)
        if type(known) is int and any(isinstance(v, Cell) and v.counted for v in (left, right)):
            return self.counted(known)
        return self.wrap(result)

    @staticmethod
    def repeated(items: Any, count: Any) -> Any:
        """`items * count` of a sequence."""
        if not isinstance(count, int) or isinstance(items, range):
            raise Refusal(f"{describe(items)} times {describe(count)}",
                          "make it an array with np.array")  # fmt: skip
        if len(items) * count > 1_000_000:
            raise Refusal(f"a sequence of {len(items) * count} items is too long")
        return items * count

    def _is_big(self, value: Any) -> bool:
        return isinstance(value, Cell) and bool(self.type_of(self.refresh(value)).shape)

    # -- attributes, subscripts, updates -------------------------------------------------------

    def attribute(self, value: Any, name: str) -> Any:
        """The value of `value.name`."""
        if isinstance(value, Module):
            return self.library(value.name, name)
        if isinstance(value, Known):
            return self.library(value.name, name)
        if isinstance(value, FileModule):
            return self.modules.text_lookup(value.scope)(name)
        if isinstance(value, LiveObject):
            try:
                held = getattr(value.value, name)
            except AttributeError as error:
                raise Refusal(str(error)) from None
            if isinstance(value.value, types.ModuleType):
                return self.modules.read(held, name, ("module", id(vars(value.value))))
            home = ("object", id(value.value), name)
            return self.modules.read(held, f"{value.name}_{name}", home)
        if isinstance(value, RecordValue):
            if name == "_replace" and value.is_tuple:
                return Method(value, name)
            if name not in value.fields:
                raise Refusal(f"this {value.like} has no field {name}",
                              "a method may be written as a function of it")  # fmt: skip
            return value.fields[name]
        if isinstance(value, Cell):
            return self.array_attribute(value, name)
        for kind, methods in CONTAINER_METHODS.items():
            if isinstance(value, kind) and name in methods:
                return Method(value, name)
        hint = ""
        if isinstance(value, dict) and name in value:
            hint = "annotate the parameter with its dataclass or NamedTuple"
        raise Refusal(f"attribute {name} of {describe(value)} is not supported here", hint)

    def library(self, module: str, name: str) -> Any:
        """An attribute of a library module; constants become values at once."""
        found = library_attribute(module, name)
        if isinstance(found, Known) and found.name in CONSTANTS:
            return self.wrap(self.builder.constant(found.name, CONSTANTS[found.name]))
        return found

    def array_attribute(self, value: Cell, name: str) -> Any:
        """An attribute or a method of an array."""
        node = self.array(value)
        t = self.type_of(node)
        if name == "real":
            return value
        if name == "imag":
            if t.kind == "array":
                return self.wrap(self.add("zeros_like", node, attr=None))
            zero = self.builder.const(0.0 if t.is_float else 0)
            return self.wrap(zero if t.kind == "py" else self.add("astype", zero, attr=t.dtype))
        if name == "T":
            if t.rank < 2:
                return self.view(value, node)
            return Cell(self.add("transpose", node), value, TRANSPOSED)
        if name == "mT":
            return self.bound(CALLS["numpy.matrix_transpose"][0].bind, [value], {}, name)
        if name == "shape":
            return tuple(self.wrap(self.add("axis_size", node, attr=k)) for k in range(t.rank))
        if name == "ndim":
            return self.wrap(self.builder.const(t.rank))
        if name == "size":
            return self.wrap(self.add("item_count", node))
        if name == "dtype":
            return t.dtype
        if name in METHODS:
            return Method(value, name)
        raise Refusal(f"attribute {name} of an array is not supported here",
                      "see the list of supported functions")  # fmt: skip

    def subscript(self, value: Any, key: Any) -> Any:
        """The value of `value[key]`."""
        if isinstance(value, Known) and value.name == "numpy.s_":
            return key
        if isinstance(value, Cell):
            self.array(value)
            template, operands = self.template(key)
            return self.index(value, template, operands)
        if isinstance(value, RecordValue) and value.is_tuple:
            value = tuple(value.fields.values())
        if isinstance(value, LiveObject) and isinstance(value.value, Mapping):
            name = self.static(key)
            if name not in value.value:
                raise Refusal(f"no item {name!r}")
            return self.modules.wrap_live(value.value[name], f"{value.name}_{name}")
        if not isinstance(value, (list, tuple, dict, range)):
            raise Refusal(f"{describe(value)} has no items")
        if isinstance(key, slice) and isinstance(value, dict):
            raise Refusal("a dict has no slices")
        if isinstance(key, slice):
            bounds = [self.static(b) for b in (key.start, key.stop, key.step)]
            try:
                return value[slice(*bounds)]
            except (TypeError, ValueError) as error:
                raise Refusal(str(error)) from None
        try:
            found = value[self.static(key)]
        except (KeyError, IndexError, TypeError) as error:
            raise Refusal(f"no item {self.static(key)!r}: {type(error).__name__}") from None
        return self.wrap(self.builder.const(found)) if isinstance(value, range) else found

    def template(self, key: Any) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        """The template and the operands of an index."""
        items = key if isinstance(key, tuple) else (key,)
        template: list[Any] = []
        operands: list[int] = []
        for item in items:
            if item is None:
                template.append("n")
            elif item is Ellipsis:
                template.append("e")
            elif isinstance(item, slice):
                parts = [self._bound(b, operands) for b in (item.start, item.stop, item.step)]
                if parts[2] == 0:
                    raise Refusal("slice step cannot be zero")
                template.append(("s", *parts))
            else:
                node = self.array(item) if self.is_sequence(item) else self.node(item)
                if self.type_of(node).kind == "array" and self.type_of(node).dtype == "bool":
                    template.append(("m", self.count_true(node)))
                    operands.append(node)
                    continue
                known = self.builder.value_of(node)
                if isinstance(known, bool):
                    raise Refusal("an index must be an integer, not a bool")
                if isinstance(known, int) and self.type_of(node).kind == "py":
                    template.append(("i", known))
                else:
                    template.append("a")
                    operands.append(node)
        return tuple(template), tuple(operands)

    def count_true(self, mask: int) -> str | int:
        """The name of the length that counts where a mask is true: one for each mask.

        The number itself where the mask is known.
        """
        graph = self.builder.graph
        if graph.ops[mask] == "array":
            items = [graph.values[a] for a in graph.args[mask]]
            if all(isinstance(item, bool) for item in items):
                return sum(bool(item) for item in items)
        if self._masks is None:
            counts = (n for n, op in enumerate(graph.ops) if op == "count_true")
            self._masks = {graph.args[n][0]: graph.attrs[n] for n in counts}
        if mask not in self._masks:
            # An operand of a definition may have the length of another mask.
            taken = {atom for atom in graph.lengths if atom.startswith("count_true(")}
            atom = f"count_true({len(taken | set(self._masks.values())) + 1})"
            graph.lengths[atom] = (self.add("count_true", mask, attr=atom), None)
            self._masks[mask] = atom
        return self._masks[mask]

    def _bound(self, bound: Any, operands: list[int]) -> Any:
        if bound is None:
            return None
        node = self.node(bound)
        known = self.builder.value_of(node)
        if isinstance(known, int) and not isinstance(known, bool):
            return known
        if isinstance(known, Dim):
            operands.append(node)
            return "a"
        raise NeedsLength("a slice bound must be known while compiling")

    def index(self, value: Any, template: tuple[Any, ...], operands: tuple[int, ...] = ()) -> Cell:
        """`value[template]`: a view of the cell where NumPy gives one."""
        node = self.add("index", self.node(value), *operands, attr=template)
        basic = is_basic(template, [self.type_of(o) for o in operands])
        # an ellipsis gives a view even where no axis is left
        view = self.type_of(node).kind == "array" or "e" in template
        if isinstance(value, Cell) and basic and view:
            return Cell(node, value, template, operands)
        return Cell(node)

    def view(self, value: Any, node: int) -> Cell:
        """A value that may share memory with `value`, in a way that is not tracked."""
        return Cell(node, value) if isinstance(value, Cell) else Cell(node)

    def update(self, container: Any, key: Any, value: Any, op: str) -> None:
        """Store or add into a part of an array, as a new value of the array."""
        if not isinstance(container, Cell) or not self.is_array(container):
            raise Refusal(f"{describe(container)} does not support item assignment")
        self.refuse_uncertain(self.refresh(container))
        template, operands = self.template(key)
        if container.template == TRANSPOSED and container.base is not None and not operands:
            # `m.T[0] = v` is `m[:, 0] = v`, as far as at most one axis is left
            spelled = tuple(resolve(template, self.type_of(self.refresh(container)).rank))
            if "n" not in spelled and sum(item[0] == "s" for item in spelled) < 2:
                container, template = container.base, spelled[::-1]
        node = self.add(op, self.refresh(container), self.node(value), *operands, attr=template)
        self.assign_into(container, node)

    def store(self, container: Any, key: Any, value: Any) -> None:
        """`container[key] = value`."""
        if isinstance(container, (list, dict)):
            self.guard(container)
            try:
                container[self.static(key)] = value
            except (IndexError, TypeError) as error:
                raise Refusal(str(error)) from None
        else:
            self.update(container, key, value, "index_set")

    def add_into(self, container: Cell, key: Any, operand: Any, op: str) -> None:
        """`container[key] += operand`; repeated integer indices are not summed, as in NumPy."""
        _, operands = self.template(key)
        if not may_repeat(self.builder, operands):
            added = operand if op == "add" else self.negated(operand)
            self.update(container, key, added, "index_add")
        else:
            self.store(container, key, self.binary(op, self.subscript(container, key), operand))

    def negated(self, value: Any) -> Cell:
        """`-value`, of which a number is written with its sign."""
        node = self.node(value)
        known = self.builder.value_of(node)
        if self.builder.is_op(node, "const") and type(known) in (int, float):
            return self.wrap(self.builder.const(-known))
        return self.wrap(self.add("neg", node))

    def refuse_uncertain(self, node: int) -> None:
        """Refuse a store into an array that may turn out to be one of integers."""
        if is_uncertain(self.kinds, node):
            raise Refusal(
                "whether this array holds floats or integers depends on the arguments",
                "make it with dtype=float",
            )

    def update_whole(self, cell: Cell, value: Any) -> None:
        """`cell op= value` on an array: every alias and every view sees it."""
        self.refuse_uncertain(self.refresh(cell))
        new = self.node(value)
        have, want = self.type_of(new), self.type_of(self.refresh(cell))
        if have.shape != want.shape:
            raise Refusal(f"an update in place of {want} with a result of {have}",
                          "write x = x + ... instead")  # fmt: skip
        if have.dtype != want.dtype:
            if not (have.is_float and want.is_float):
                raise Refusal(f"an update in place of {want} with a result of {have.dtype}")
            new = self.add("astype", new, attr=want.dtype)
        self.assign_into(cell, new)

    def assign_into(self, cell: Cell, node: int) -> None:
        """Give an array a new value, and the arrays that it is a view of."""
        while True:
            self.guard(cell)
            name = self.builder.graph.names[cell.node]
            if name is not None:
                self.builder.named(node, name)
            base = cell.base
            if base is None:
                if id(cell) in self.arguments and len(self.arguments) > 1:
                    raise Refusal(
                        "this changes an argument in place, and another argument may share its "
                        "memory", "work on a copy: x = x.copy()",
                    )  # fmt: skip
                cell.node = node
                return
            if cell.template is None:
                raise Refusal(
                    "an update of an array that may or may not share memory with another",
                    "store into the array itself, or into a copy: .copy()",
                )
            if cell.template == TRANSPOSED:
                whole = self.add("transpose", node)
            else:
                whole = self.add("index_set", self.refresh(base), node, *cell.operands,
                                 attr=cell.template)  # fmt: skip
            cell.node, cell.base_node = node, whole
            cell, node = base, whole

    # -- calls ---------------------------------------------------------------------------------

    def call_known(self, dotted: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        """A call of a library function or of a builtin."""
        name = dotted.removeprefix("builtins.")
        if dotted.startswith("builtins.") and name in builtin.BUILTINS:
            return self.bound(builtin.BUILTINS[name], args, keywords, name)
        if dotted in STANDARD:
            return self.bound(STANDARD[dotted], args, keywords, name)
        if dotted not in CALLS:
            if dotted.partition(".")[2] in DTYPES and len(args) == 1:
                return self.wrap(
                    self.add("astype", self.node(args[0]), attr=self.dtype(Known(dotted)))
                )
            raise Refusal(f"{name} is not supported here", builtin.HINTS.get(name, ""))
        row, flavour = CALLS[dotted]
        numbers = dotted.startswith(("builtins.", "math.")) and row.infer is not infer_written
        if numbers and any(map(self.is_sequence, args)):
            raise Refusal(f"{name} takes a number, not a list or a tuple", "use NumPy's")
        out, operands, rest = _output(dotted, args, keywords)
        into = isinstance(out, Cell) and self.is_array(out)
        if into:
            args, keywords = operands, rest
        if dotted.startswith("numpy.") and (row.infix or row.prefix):
            flavour = self._ufunc_flavour(row, args)
        result = self.call_row(row, flavour, args, keywords, dotted)
        if into:
            self.update_whole(out, result)
        return out if into else result

    def _ufunc_flavour(self, row: Op, args: list[Any]) -> str | None:
        """How an operator is spelled that was written as a function of NumPy.

        Of Python numbers NumPy's function makes its own, which count in what they meet.
        """
        types = [self.type_of(self.node(a)) for a in args]
        return "numpy" if row.name == "power" or all(t.kind == "py" for t in types) else None

    def call_row(
        self, row: Op, flavour: str | None, args: list[Any], keywords: dict[str, Any], name: str
    ) -> Any:
        """A call of an op row."""
        if row.bind is not None:
            return self.bound(row.bind, args, keywords, name)
        if row.infer is infer_written:
            return definitions.write_call(self, row, args, keywords)
        if keywords:
            keyword = next(iter(keywords))
            hint = INSTEAD.get(keyword, "").format(name=name)
            raise Refusal(f"{name}: the keyword {keyword} is not supported here", hint)
        if len(args) != row.arity:
            raise Refusal(f"{name} takes {row.arity} argument{'s' * (row.arity != 1)} here, "
                          f"not {len(args)}")  # fmt: skip
        return self.wrap(self.add(row.name, *(self.node(a) for a in args), attr=flavour))

    def written(self, row: str, *args: Any, **keywords: Any) -> Any:
        """A call that stays as it is written, for a front end that prepares its arguments."""
        return definitions.write_call(self, OPS[row], args, keywords)

    def bound(self, bind: Any, args: list[Any], keywords: dict[str, Any], name: str) -> Any:
        """Call a front end with arguments that fit its signature; refused otherwise."""
        try:
            _signature(bind).bind(self, *args, **keywords)
        except TypeError as error:
            hints = [INSTEAD.get(k, "") for k in keywords if repr(k) in str(error)]
            raise Refusal(f"{name}: {error}", "".join(hints[:1]).format(name=name)) from None
        result = bind(self, *args, **keywords)
        return self.wrap(result) if isinstance(result, int) else result

    def bind_parameters(
        self, function: Function, args: list[Any], keywords: dict[str, Any]
    ) -> dict[str, Any]:
        """The names of a call's parameters. Raises `Refusal` as Python raises TypeError."""
        spec = function.node.args
        positional = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        names = dict(zip(positional, args, strict=False))
        rest = args[len(positional) :]
        if rest and spec.vararg is None:
            raise Refusal(f"{function.name} takes {len(positional)} positional arguments, "
                          f"not {len(args)}")  # fmt: skip
        if spec.vararg is not None:
            names[spec.vararg.arg] = tuple(rest)
        by_name = {a.arg for a in (*spec.args, *spec.kwonlyargs)}
        extra = {}
        for name, value in keywords.items():
            if name in names and name in by_name:
                raise Refusal(f"{function.name} got multiple values for argument {name}")
            if name in by_name:
                names[name] = value
            elif spec.kwarg is not None:
                extra[name] = value
            else:
                raise Refusal(f"{function.name} got an unexpected keyword argument {name}")
        if spec.kwarg is not None:
            names[spec.kwarg.arg] = extra
        defaults = dict(zip(positional[::-1], function.defaults[::-1], strict=False))
        only = [a.arg for a in spec.kwonlyargs]
        defaults.update(zip(only, function.keyword_defaults, strict=False))
        for name in (*positional, *only):
            if name not in names:
                if defaults.get(name, MISSING) is MISSING:
                    raise Refusal(f"{function.name} misses the argument {name}")
                names[name] = defaults[name]
        return names


@cache
def _inputs(dotted: str) -> int | None:
    """How many operands a ufunc of one result takes; None for any other function."""
    home, _, name = dotted.rpartition(".")
    ufunc = getattr(np, name, None) if home == "numpy" else None
    return ufunc.nin if isinstance(ufunc, np.ufunc) and ufunc.nout == 1 else None


def _output(
    dotted: str, args: list[Any], keywords: dict[str, Any]
) -> tuple[Any, list[Any], dict[str, Any]]:
    """The array that a ufunc is to store its result in, or None, and its other arguments."""
    count = _inputs(dotted)
    if count is None:
        return None, args, keywords
    if len(args) == count + 1 and "out" not in keywords:
        return args[-1], args[:-1], keywords
    rest = {key: value for key, value in keywords.items() if key != "out"}
    return keywords.get("out"), args, rest


def describe(value: Any) -> str:
    """A value in words, for messages."""
    if isinstance(value, (Known, Module)):
        return value.name
    if isinstance(value, Function):
        return f"the function {value.name}"
    if isinstance(value, LiveObject):
        return f"`{value.name}` ({type(value.value).__name__})"
    if isinstance(value, Cell):
        return "a number or an array"
    if isinstance(value, (str, bytes)):
        return "a string"
    if isinstance(value, Method):
        return f"the method {value.name}"
    if isinstance(value, Iterator):
        return f"a {'generator' if isinstance(value, Generated) else type(value).__name__}"
    return "None" if value is None else f"a {type(value).__name__}"
