"""The NumPy target: how arrays are written."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gradgen.ops.einsum import axes_argument
from gradgen.ops.table import ATOM, CONDITIONAL, MULTIPLY, UNARY
from gradgen.ops.written import Call
from gradgen.targets.base import (
    Expr,
    Spelling,
    Target,
    Writer,
    call,
    conditional,
    conjunction,
    infix,
    quoted,
    sequence,
)

_MATMUL = MULTIPLY - 0.5


def dtype(writer: Writer, name: str) -> str:
    """How a dtype is written: `np.float32`, and Python's own for the default ones."""
    plain = {"float64": "float", "int64": "int", "float": "float", "int": "int", "bool": "bool"}
    if name in plain:
        return writer.function(f"builtins.{plain[name]}")
    return f"{writer.root('numpy')}.{name}"


def _axis_words(attr: Any, writer: Writer) -> list[str]:
    axes, keepdims, cast = attr
    words = []
    if axes is not None:
        words.append(f"axis={axes[0]}" if len(axes) == 1 else f"axis={axes}")
    if keepdims:
        words.append("keepdims=True")
    if cast is not None:
        words.append(f"dtype={dtype(writer, cast)}")
    return words


def _reduction(name: str) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        words = _axis_words(writer.graph.attrs[node], writer)
        if writer.graph.types[writer.graph.args[node][0]].shape:
            # The method is the same sum, and skips a layer of Python: 1.4 of 2.4 µs.
            return Expr(f"{args[0].at(ATOM)}.{name}({', '.join(words)})", ATOM, args[0].depth + 1)
        return call(writer.function(f"numpy.{name}"), [args[0], *words])

    return spell


def _cumulative(name: str) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        axis, cast = writer.graph.attrs[node]
        rank = writer.graph.types[writer.graph.args[node][0]].rank
        words = [] if axis is None or rank == 1 else [f"axis={axis}"]
        if cast is not None:
            words.append(f"dtype={dtype(writer, cast)}")
        return call(writer.function(f"numpy.{name}"), [args[0], *words])

    return spell


def _special(name: str) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        attr = writer.graph.attrs[node]
        words = _axis_words(attr if name == "logsumexp" else (attr, False, None), writer)
        return call(writer.function(f"scipy.special.{name}"), [args[0], *words])

    return spell


def _norm(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    axes, keepdims, order = writer.graph.attrs[node]
    words = [] if order is None else [repr(order)]
    words += _axis_words((axes, keepdims, None), writer)
    return call(writer.function("numpy.linalg.norm"), [args[0], *words])


def total(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    """Python's own `sum` of items, as the user called it."""
    items = sequence(args[1:], "(", ")")
    start = [] if args[0].text == "0" else [args[0]]
    return call(writer.function("builtins.sum"), [items, *start])


def shape_of(writer: Writer, nodes: Sequence[int], args: Sequence[Expr]) -> str:
    """A shape: `x.shape` where it is all of an array's own, a number, or a tuple."""
    graph = writer.graph
    owners = {graph.args[n][0] for n in nodes if graph.ops[n] == "axis_size"}
    if len(owners) == 1 and len(nodes) > 1:
        (owner,) = owners
        axes = [graph.attrs[n] if graph.ops[n] == "axis_size" else None for n in nodes]
        named = any(graph.names[n] for n in nodes)
        # a length may have got a name of its own, or be told by another array that is saved
        base = args[0].text.removesuffix(".shape[0]")
        spelled = all(a.text == f"{base}.shape[{k}]" for k, a in enumerate(args))
        if axes == list(range(graph.types[owner].rank)) and spelled and not named:
            return f"{base}.shape"
    if len(args) == 1:
        return args[0].at(CONDITIONAL)
    return sequence(args, "(", ")").text


def _reshape(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    order = writer.graph.attrs[node]
    words = [] if order == "C" else [f"order={order!r}".replace("'", '"')]
    depth = args[0].depth + 1
    sizes = writer.graph.args[node][1:]
    flat = len(sizes) == 1 and args[1].text == "-1"
    if _is_python_number(writer, node):
        name = writer.function("numpy.ravel" if flat else "numpy.reshape")
        return call(name, args[:1] if flat else [args[0], shape_of(writer, sizes, args[1:])])
    if flat:
        return Expr(f"{args[0].at(ATOM)}.ravel({', '.join(words)})", ATOM, depth)
    shape = shape_of(writer, sizes, args[1:])
    if not sizes:
        shape = "()"
    elif shape.startswith("(") and shape.endswith(")"):
        shape = shape[1:-1]
    return Expr(f"{args[0].at(ATOM)}.reshape({', '.join([shape, *words])})", ATOM, depth)


def _is_python_number(writer: Writer, node: int) -> bool:
    """Whether the first operand has no methods of NumPy's."""
    graph = writer.graph
    return graph.types[graph.args[node][0]].kind == "py"


def _flatten(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    order = writer.graph.attrs[node]
    words = "" if order == "C" else f'order="{order}"'
    return Expr(f"{args[0].at(ATOM)}.flatten({words})", ATOM, args[0].depth)


def _transpose(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    if _is_python_number(writer, node):
        return call(writer.function("numpy.transpose"), args)
    order = writer.graph.attrs[node]
    tail = "T" if order is None else f"transpose{order}"
    return Expr(f"{args[0].at(ATOM)}.{tail}", ATOM, args[0].depth)


def _joined(name: str) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        axis = writer.graph.attrs[node]
        if name == "append":
            words = [] if axis is None else [f"axis={axis}"]
            return call(writer.function("numpy.append"), [*args, *words])
        plain = axis == 0 or name not in ("concatenate", "stack")
        words = [] if plain else [f"axis={axis}"]
        # A list is how the user's own call is written; numba joins arrays in tuples only.
        brackets = "()" if writer.graph.locs[node] is None else "[]"
        return call(writer.function(f"numpy.{name}"), [sequence(args, *brackets), *words])

    return spell


def _array(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    nesting, cast = writer.graph.attrs[node]
    items = list(args)
    for length in reversed(nesting[1:]):
        items = [sequence(items[i : i + length], "[", "]") for i in range(0, len(items), length)]
    name = writer.function("numpy.array")
    if not nesting:
        return call(name, [*args, *([f"dtype={dtype(writer, cast)}"] if cast else [])])
    listed = sequence(items, "[", "]")
    if cast is not None:
        return call(name, [listed, f"dtype={dtype(writer, cast)}"])
    return call(name, [listed])


def _broadcast_to(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    shape = shape_of(writer, writer.graph.args[node][1:], args[1:])
    return call(writer.function("numpy.broadcast_to"), [args[0], shape])


def _copy(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    spelled = writer.graph.attrs[node]
    if spelled or writer.graph.types[writer.graph.args[node][0]].kind != "array":
        return call(writer.function(spelled or "numpy.array"), args)
    return Expr(f"{args[0].at(ATOM)}.copy()", ATOM, args[0].depth)


def _astype(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    name = dtype(writer, writer.graph.attrs[node])
    if writer.graph.types[writer.graph.args[node][0]].kind == "array":
        return Expr(f"{args[0].at(ATOM)}.astype({name})", ATOM, args[0].depth)
    return call(f"{writer.root('numpy')}.{writer.graph.attrs[node]}", args)


def _axis_size(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    rank = writer.graph.types[writer.graph.args[node][0]].rank
    return length(writer, args[0], rank, writer.graph.attrs[node])


def length(writer: Writer, array: Expr, rank: int, axis: int) -> Expr:
    """The length of an array along an axis."""
    if axis == 0 and rank == 1:
        return call(writer.function("builtins.len"), [array])
    return Expr(f"{array.at(ATOM)}.shape[{axis}]", ATOM, array.depth)


def _filled(name: str) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        attr = writer.graph.attrs[node]
        words = [] if attr is None else [f"dtype={dtype(writer, attr)}"]
        lead = 1 if name == "full" else 0
        shape = shape_of(writer, writer.graph.args[node][lead:], args[lead:])
        return call(writer.function(f"numpy.{name}"), [shape, *args[:lead], *words])

    return spell


def _like(name: str) -> Spelling:
    def spell(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
        attr = writer.graph.attrs[node]
        words = [] if attr is None else [f"dtype={dtype(writer, attr)}"]
        return call(writer.function(f"numpy.{name}"), [*args, *words])

    return spell


def _plain(name: str) -> Spelling:
    return lambda writer, node, args: call(writer.function(name), args)


def subscript(writer: Writer, template: Sequence[Any], operands: Sequence[Expr]) -> str:
    """The text between the brackets of an index."""
    left = iter(operands)
    parts = []
    for item in template:
        if item == "n":
            parts.append("None")
        elif item == "e":
            parts.append("...")
        elif item == "a" or item[0] == "m":
            parts.append(next(left).at(CONDITIONAL))
        elif item[0] == "i":
            parts.append(str(item[1]))
        else:
            parts.append(_slice([next(left) if b == "a" else b for b in item[1:]]))
    return ", ".join(parts) or "()"


def _slice(bounds: Sequence[Any]) -> str:
    texts = [
        "" if b is None else b.at(CONDITIONAL) if isinstance(b, Expr) else str(b) for b in bounds
    ]
    simple = all(not isinstance(b, Expr) or (b.is_simple and "." not in b.text) for b in bounds)
    start, stop, step = texts
    if simple:
        return f"{start}:{stop}" + (f":{step}" if step else "")
    text = f"{start} :" if start else ":"
    text += f" {stop}" if stop else ""
    return text + (f" : {step}" if step else "")


def _index(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    inner = subscript(writer, writer.graph.attrs[node], args[1:])
    array = args[0]
    if _is_python_number(writer, node):
        array = call(writer.function("numpy.array"), args[:1])
    return Expr(f"{array.at(ATOM)}[{inner}]", ATOM, max(a.depth for a in args))


def written(writer: Writer, name: str, attr: Call, args: Sequence[Expr]) -> Expr:
    """A call as the user wrote it, on these operands."""
    operands = iter(args)

    def item(part: Any) -> Expr:
        if part == "a":
            return next(operands)
        kind, held = part
        if kind == "v":
            value = ast.literal_eval(held)
            return Expr(quoted(value) if isinstance(value, str) else held)
        if kind == "d":
            return Expr(dtype(writer, held))
        parts = [item(p) for p in held]
        if kind == ":":
            return call("slice", parts)
        return sequence(parts, *("()" if kind == "(" else "[]"))

    words: list[Expr | str] = [item(part) for part in attr.args]
    for keyword, part in attr.keywords:
        value = item(part)
        words.append(Expr(f"{keyword}={value.at(CONDITIONAL)}", ATOM, value.depth))
    return call(writer.function(name), words)


def _item(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    number = writer.graph.attrs[node]
    return Expr(f"{args[0].at(ATOM)}[{number}]", ATOM, args[0].depth)


def _matmul(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    spelled = writer.graph.attrs[node]
    if spelled is not None:
        return call(writer.function(f"numpy.{spelled}"), args)
    # Parentheses set a product of matrices apart from elementwise ones beside it.
    left = (
        args[0] if args[0].precedence == _MATMUL else Expr(args[0].at(UNARY), UNARY, args[0].depth)
    )
    return infix("@", MULTIPLY, left, args[1])._replace(precedence=_MATMUL)


def _einsum(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    text, optimize = writer.graph.attrs[node]
    words = [] if optimize is None else [f"optimize={quoted(optimize)}"]
    return call(writer.function("numpy.einsum"), [quoted(text), *args, *words])


def _tensordot(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    spelled = writer.graph.attrs[node][2]
    if spelled in ("dot", "inner"):
        return call(writer.function(f"numpy.{spelled}"), args)
    words = [f"axes={axes_argument(writer.graph.attrs[node])}"]
    return call(writer.function("numpy.tensordot"), [*args, *words])


def _where(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    if writer.graph.attrs[node] == "lazy":
        return conditional(writer, node, args)
    return call(writer.function("numpy.where"), args)


def _dot(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    """A product of vectors and matrices by the method, which begins soonest."""
    graph = writer.graph
    types = [graph.types[a] for a in graph.args[node]]
    if graph.attrs[node] not in (None, "dot") or any(t.rank not in (1, 2) for t in types):
        return _matmul(writer, node, args)
    depth = 1 + max(a.depth for a in args)
    return Expr(f"{args[0].at(ATOM)}.dot({args[1].at(CONDITIONAL)})", ATOM, depth)


def _zero(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    name = writer.graph.types[node].dtype
    return Expr("0.0") if name == "float64" else call(f"{writer.root('numpy')}.{name}", ["0.0"])


def _part_rows(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    array, *start, stop = args
    template = (("s", "a" if start else None, "a", None),)
    return Expr(f"{array.text}[{subscript(writer, template, [*start, stop])}]")


def _moved_block(writer: Writer, node: int, args: Sequence[Expr]) -> Expr:
    start, stop = args[0].text.split(":")
    offset = writer.graph.attrs[node]
    return Expr(f"{start} + {offset} : {stop} + {offset}")


_REDUCTIONS = ("sum", "mean", "max", "min", "prod", "any", "all")

NUMPY = Target(
    name="numpy",
    spellings={
        **{name: _reduction(name) for name in _REDUCTIONS},
        **{name: _cumulative(name) for name in ("cumsum", "cumprod")},
        **{name: _special(name) for name in ("logsumexp", "softmax", "log_softmax")},
        **{
            name: _joined(name)
            for name in (
                "concatenate",
                "stack",
                "append",
                "vstack",
                "hstack",
                "dstack",
                "column_stack",
            )
        },
        **{name: _filled(name) for name in ("zeros", "ones", "empty", "full")},
        **{name: _like(name) for name in ("zeros_like", "ones_like", "empty_like", "full_like")},
        "sum_rows": _plain("builtins.sum"),
        "both": conjunction,
        "total": total,
        "norm": _norm,
        "reshape": _reshape,
        "transpose": _transpose,
        "array": _array,
        "broadcast_to": _broadcast_to,
        "copy": _copy,
        "flatten": _flatten,
        "astype": _astype,
        "axis_size": _axis_size,
        "item_count": lambda w, n, a: Expr(f"{a[0].at(ATOM)}.size", ATOM, a[0].depth),
        "arange": _like("arange"),
        "index": _index,
        "item": _item,
        "matmul": _matmul,
        "outer": _plain("numpy.outer"),
        "einsum": _einsum,
        "einsum_view": _einsum,
        "tensordot": _tensordot,
        "clip_above": lambda w, n, a: call(w.function("numpy.clip"), [a[0], "None", a[1]]),
        "clip_below": lambda w, n, a: call(w.function("numpy.clip"), [*a, "None"]),
    },
)

# For the fast style: methods skip a layer of Python.
FAST = replace(
    NUMPY,
    spellings={
        **NUMPY.spellings,
        "where": _where,
        "matmul": _dot,
        "block_rows": lambda w, n, a: Expr(f"{a[0].at(ATOM)}[{a[1].text}]", ATOM, a[0].depth),
        "moved_block": _moved_block,
        "part_rows": _part_rows,
        "joined_parts": lambda w, n, a: a[0],
        "zero_total": _zero,
    },
)
