"""Programs in gradgen's own input language that say what a library function computes.

They stand in gradgen/definitions: what is composed of primitives is differentiated through its
definition, and some functions have their adjoints written there. The text is read like a user's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, cast

from gradgen.errors import Refusal
from gradgen.graph import Graph, GraphBuilder
from gradgen.ops import Op
from gradgen.ops.written import Call, Item, arguments
from gradgen.read.modules import Pending
from gradgen.read.scope import ModuleText
from gradgen.read.values import Cell, Known, RecordValue
from gradgen.types import Dim, TupleType, Type

FOLDER = Path(__file__).parent.parent / "definitions"


@cache
def _module(name: str) -> ModuleText:
    return ModuleText.load(FOLDER / f"{name}.py", name)


def run(reader: Any, program: str, args: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """What a program, "module.function", computes of these values, without locations."""
    held, frame = _program(reader, program)
    return reader.run(reader.inline(held, list(args), keywords, 0), frame)


def _program(reader: Any, program: str) -> tuple[Any, Any]:
    """The function of a program, and the frame of its module."""
    module, function = program.split(".")
    text = reader.definitions.get(module)
    if text is None:
        # What a definition's names stand for belongs to one reader.
        text = reader.definitions[module] = copy(_module(module))
        text.source, text.cache = None, {}
    frame = reader.modules.module_frame(text)
    held = frame.find(function)
    if isinstance(held, Pending):
        held = reader.run(reader.modules.resolve_pending(held), frame)
    return held, frame


def flatten(front: Any, value: Any, operands: list[int]) -> Item:
    """How a value is written in a call; the nodes of arrays and numbers go into `operands`."""
    if isinstance(value, Cell):
        node = front.array(value)
        held = front.builder.graph.attrs[node]
        if front.builder.is_op(node, "const") and front.builder.graph.names[node] is None:
            return ("v", repr(held))
        operands.append(node)
        return "a"
    if value is None or isinstance(value, (str, bool, int, float)):
        return ("v", repr(value))
    if isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
        return (":", tuple(flatten(front, part, operands) for part in parts))
    if isinstance(value, Known):
        return ("d", front.dtype(value))
    if isinstance(value, RecordValue) and value.is_tuple:
        value = tuple(value.fields.values())
    if isinstance(value, range):
        value = [front.wrap(front.builder.const(i)) for i in value]
    if isinstance(value, (tuple, list)):
        kind = "(" if isinstance(value, tuple) else "["
        return (kind, tuple(flatten(front, part, operands) for part in value))
    raise Refusal(f"an argument of type {type(value).__name__} is not supported in this call")


def write_call(front: Any, row: Op, args: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """The value of a call that stays as it is written."""
    operands: list[int] = []
    args = [list(value) if isinstance(value, Iterator) else value for value in args]
    positional = tuple(flatten(front, value, operands) for value in args)
    named = tuple((name, flatten(front, value, operands)) for name, value in keywords.items())
    if row.result is not None:
        found = front.bound(row.result, list(args), keywords, row.call)
    else:
        call = Call(positional, named, TupleType(()))
        found = _defined_type(front, row, call, operands)
    node = front.builder.add(row.name, *operands, attr=Call(positional, named, found))
    given = _cells([*args, *keywords.values()])
    return _results(front, row, node, found, next(filter(front.is_array, given), None))


def _defined_type(front: Any, row: Op, call: Call, operands: Sequence[int]) -> Any:
    """The type of what a definition computes, found on operands of which only types are known."""
    builder = GraphBuilder(Graph(name=row.name))
    reader = type(front)(builder)
    cells = []
    for number, operand in enumerate(operands):
        t, value = front.type_of(operand), front.builder.value_of(operand)
        leaf = builder.leaf("param", (f"x{number}", ()), t, value)
        cells.append(Cell(leaf))
        for axis, size in enumerate(t.shape):
            if isinstance(size, Dim):
                builder.graph.lengths.setdefault(str(size), (leaf, axis))
    value = run(reader, row.defined, *arguments(call, cells, reader.lift))
    nodes = result_nodes(reader, value)
    types = tuple(_array_result(builder.type_of(node)) for node in nodes)
    return types[0] if isinstance(value, Cell) else TupleType(types)


def _array_result(t: Type) -> Type:
    """The type of a library's result, where the definition gives a Python number."""
    if t.kind != "py":
        return t
    return Type("scalar", {"float": "float64", "int": "int64"}.get(t.dtype, t.dtype))


def result_nodes(reader: Any, value: Any) -> list[int]:
    """The nodes of a definition's value: one, or those of a tuple or list."""
    if isinstance(value, (tuple, list)):
        return [reader.node(item) for item in value]
    return [reader.node(value)]


def _cells(values: Sequence[Any]) -> Iterator[Cell]:
    for value in values:
        if isinstance(value, Cell):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _cells(value)


def _results(front: Any, row: Op, node: int, found: Any, base: Cell | None) -> Any:
    """The value of a written call: a view of its argument where NumPy may give one."""

    def cell(item: int) -> Cell:
        return Cell(item, base if row.view else None)

    if isinstance(found, Type):
        return cell(node)
    nodes = [front.builder.add("item", node, attr=k) for k in range(len(found.items))]
    for item, field in zip(nodes, row.fields, strict=False):
        front.builder.label(item, None, field)
    items = [cell(item) for item in nodes]
    if row.fields:
        return RecordValue(row.name, dict(zip(row.fields, items, strict=True)), True)
    return items if row.listed else tuple(items)


def _written(reader: Any, node: int) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of the call that a node stands for."""
    builder = reader.builder
    operands = [Cell(a) for a in builder.args_of(node)]
    return arguments(builder.attr_of(node), operands, reader.lift)


def define(reader: Any, row: Op, node: int) -> list[int]:
    """The nodes of what the definition of a written call computes, one for each result."""
    return result_nodes(reader, run(reader, row.defined, *_written(reader, node)))


def adjoints(
    reader: Any, row: Op, node: int, g: Any, result: int | None = None
) -> list[int | None]:
    """The nodes of the adjoints of a written call's operands, in their order.

    `g` is the adjoint of the result; for several results a tuple, with None for those unused.
    `result` is what the program reads as the result of the call, where that is not the node.
    """
    builder = reader.builder
    args, keywords = _written(reader, node)
    found, out = builder.type_of(node), cast(Any, Cell(node if result is None else result))
    if isinstance(found, TupleType):
        out = tuple(Cell(builder.add("item", node, attr=k)) for k in range(len(found.items)))
        g = tuple(None if part is None else Cell(part) for part in g)
    else:
        g = Cell(g)
    held, frame = _program(reader, row.adjoint)
    value = reader.run(reader.inline(held, [g, out, *args], keywords, 0), frame)
    parts = value if isinstance(value, tuple) else (value,)
    nodes: list[int | None] = [None] * len(builder.args_of(node))
    places = _places(reader, held, node)
    floats = [builder.type_of(a).is_float for a in builder.args_of(node)]
    held_at = (k for k, place in enumerate(places) if _holds_floats(place, floats))
    last = max(held_at, default=-1)
    # what is dropped here would be a derivative that is silently zero
    assert last < len(parts) <= len(places), f"{row.adjoint} gives {len(parts)} adjoints"
    for place, part in zip(places, parts, strict=False):
        _assign(reader, nodes, place, part)
    return nodes


def _holds_floats(place: Any, floats: Sequence[bool]) -> bool:
    if isinstance(place, (list, tuple)):
        return any(_holds_floats(part, floats) for part in place)
    return isinstance(place, int) and not isinstance(place, bool) and floats[place]


def _places(reader: Any, program: Any, node: int) -> list[Any]:
    """For each parameter of an adjoint program after `g` and `out`, the numbers of the operands
    that it holds: a number, or nested lists of numbers and of None for what is no operand.
    """
    count = len(reader.builder.args_of(node))
    args, words = arguments(reader.builder.attr_of(node), range(count), lambda value: None)
    names = reader.bind_parameters(program, [None, None, *args], words)
    spec = program.node.args
    order = [a.arg for a in (*spec.posonlyargs, *spec.args)][2:]
    order += [spec.vararg.arg] if spec.vararg else []
    return [names[name] for name in (*order, *(a.arg for a in spec.kwonlyargs))]


def _assign(reader: Any, nodes: list[int | None], place: Any, part: Any) -> None:
    """Note the adjoint of a parameter as that of its operand, or of each in a list by its item."""
    if part is None or isinstance(place, bool):
        return
    if isinstance(place, int):
        nodes[place] = reader.node(part)
    elif isinstance(place, (list, tuple)):
        for k, inner in enumerate(place):
            listed = isinstance(part, (list, tuple))
            _assign(reader, nodes, inner, part[k] if listed else reader.index(part, (("i", k),)))
