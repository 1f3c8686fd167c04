"""Python's builtins, as the reader understands them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from gradgen.errors import NeedsLength, Refusal
from gradgen.read.values import Cell

HINTS = {
    "print": "output is a side effect: call it outside the function",
    "input": "pass the value as an argument",
    "open": "read the file outside the function",
    "sorted": "use np.sort",
    "eval": "write the expression itself",
    "exec": "write the statements themselves",
}


def _sum(front: Any, iterable: Any, /, start: Any = 0) -> Any:
    if isinstance(iterable, Cell):
        node = front.array(iterable)
        if start != 0 and front.static(start) != 0:
            raise Refusal("sum of an array with a start value", "add the start value outside")
        return front.add("sum_rows", node)
    items = [start, *front.items(iterable)]
    if any(front.is_sequence(i) for i in items):
        raise Refusal("sum of lists or tuples", "[*a, *b] joins them, np.array makes them arrays")
    return front.add("total", *(front.node(i) for i in items))


def _extreme(name: str) -> Callable[..., Any]:
    def extreme(front: Any, *values: Any) -> Any:
        if len(values) == 1:
            if isinstance(values[0], Cell) and front.type_of(front.array(values[0])).shape:
                raise Refusal(f"{name}() of an array", f"use np.{name}")
            values = tuple(front.items(values[0]))
        if not values:
            raise Refusal(f"{name}() of nothing")
        if any(front.is_sequence(v) for v in values):
            raise Refusal(f"{name}() of lists or tuples", f"np.{name} takes arrays")
        result = front.node(values[0])
        for value in values[1:]:
            result = front.add(f"py_{name}", result, front.node(value))
        return result

    return extreme


def _decided(name: str, stop: bool) -> Callable[..., Any]:
    """`any` and `all` of what is known while compiling."""

    def decide(front: Any, iterable: Any, /) -> Any:
        for item in front.items(iterable):
            known = front.static_truth(item)
            if known is None:
                raise NeedsLength(f"{name}() depends on a value that is not known while compiling",
                                  f"use np.{name}")  # fmt: skip
            if known is stop:
                return front.builder.const(stop)
        return front.builder.const(not stop)

    return decide


def _len(front: Any, value: Any, /) -> Any:
    if front.is_sequence(value) or isinstance(value, (dict, str)):
        return front.builder.const(len(value))
    node = front.array(value)
    if not front.type_of(node).shape:
        raise Refusal("len() of a number")
    return front.add("axis_size", node, attr=0)


def _range(front: Any, *bounds: Any) -> Any:
    values = [front.static(b) for b in bounds]
    if not 1 <= len(values) <= 3 or not all(isinstance(v, int) for v in values):
        raise Refusal("range takes one to three integers")
    if len(values) == 3 and values[2] == 0:
        raise Refusal("range() arg 3 must not be zero")
    return range(*values)


def _zip(front: Any, *iterables: Any, strict: Any = False) -> Any:
    if not front.static(strict):
        return zip(*(front.iterate(i) for i in iterables), strict=False)
    iterables = tuple(list(i) if isinstance(i, Iterator) else i for i in iterables)
    if len({len(front.items(i)) for i in iterables}) > 1:
        raise Refusal("zip() of different lengths")
    return zip(*(front.iterate(i) for i in iterables), strict=True)


def _enumerate(front: Any, iterable: Any, start: Any = 0) -> Any:
    first = front.static(start)
    if not isinstance(first, int):
        raise Refusal("enumerate starts at an integer")
    # iterators, not generators: those are steps of the interpreter
    numbers = map(front.lift, count(first))
    return zip(numbers, front.iterate(iterable), strict=False)


def _reversed(front: Any, sequence: Any, /) -> Any:
    if isinstance(sequence, Iterator):
        raise Refusal("reversed() of an iterator", "make it a list: list(...)")
    if isinstance(sequence, list):
        return reversed(sequence)
    length = len(front.items(sequence))
    if isinstance(sequence, Cell):
        # each item is read when it is its turn: the loop may have changed the array
        return map(partial(front.row, sequence), range(length - 1, -1, -1))
    return reversed(front.items(sequence))


def _list(front: Any, iterable: Any = (), /) -> Any:
    return front.items(iterable)


def _tuple(front: Any, iterable: Any = (), /) -> Any:
    return tuple(front.items(iterable))


def _dict(front: Any, /, *pairs: Any, **named: Any) -> Any:
    if len(pairs) > 1:
        raise Refusal(f"dict expected at most 1 argument, got {len(pairs)}")
    if pairs and isinstance(pairs[0], dict):
        return {**pairs[0], **named}
    parts = [front.items(pair) for pair in (front.items(pairs[0]) if pairs else ())]
    if any(len(part) != 2 for part in parts):
        raise Refusal("dict() takes pairs")
    return {**{front.static(key): value for key, value in parts}, **named}


def _pow(front: Any, base: Any, exp: Any) -> Any:
    return front.add("power", front.node(base), front.node(exp))


def _float(front: Any, x: Any = 0.0, /) -> Any:
    if not isinstance(x, str):
        return front.add("float", front.node(x))
    try:
        return front.builder.const(float(x))
    except ValueError as error:
        raise Refusal(str(error)) from None


def _round(front: Any, number: Any, ndigits: Any = None) -> Any:
    if ndigits is None:
        return front.add("py_round", front.node(number))
    known = front.builder.value_of(front.node(number))
    if not isinstance(known, (int, float)):
        raise Refusal("round to digits is supported for known numbers only",
                      "round(x * 100) / 100")  # fmt: skip
    return front.builder.const(round(known, front.static(ndigits)))


def _divmod(front: Any, x: Any, y: Any, /) -> Any:
    nodes = (front.node(x), front.node(y))
    return (front.wrap(front.add("floordiv", *nodes)), front.wrap(front.add("mod", *nodes)))


_CLASSES = {"numpy.ndarray": np.ndarray,
            "builtins.tuple": tuple, "builtins.list": list, "builtins.dict": dict,
            "builtins.str": str, "builtins.int": int, "builtins.float": float,
            "builtins.bool": bool}  # fmt: skip


def _isinstance(front: Any, value: Any, classinfo: Any, /) -> Any:
    """Decided for containers, text and numbers that are known while compiling."""
    names = classinfo if isinstance(classinfo, tuple) else (classinfo,)
    classes = tuple(_CLASSES.get(getattr(name, "name", "")) for name in names)
    if isinstance(value, Cell) and np.ndarray in classes:
        node = front.refresh(value)
        front.require_shape(node)
        if front.type_of(node).kind == "array":
            return front.builder.const(True)
        classes = tuple(c for c in classes if c is not np.ndarray)
    if isinstance(value, Cell):
        if not {int, float, bool, None}.intersection(classes):
            return front.builder.const(False)
        value = front.builder.value_of(front.refresh(value))
    plain = isinstance(value, (tuple, list, dict, str, int, float))
    if not plain or None in classes:
        raise Refusal("isinstance is not supported here", "the types of arguments are declared")
    return front.builder.const(isinstance(value, classes))  # type: ignore[arg-type]


def _getattr(front: Any, value: Any, name: Any, /, *default: Any) -> Any:
    """An attribute by its name; a number of Python's has none of an array's."""
    plain = isinstance(value, Cell) and front.type_of(front.node(value)).kind == "py"
    if not isinstance(name, str) or len(default) > 1 or (plain and not default):
        raise Refusal("getattr is not supported here", "write the attribute behind a dot")
    return default[0] if plain else front.attribute(value, name)


def _slice(front: Any, *bounds: Any) -> Any:
    if not 1 <= len(bounds) <= 3:
        raise Refusal("slice takes one to three bounds")
    return slice(*bounds)


BUILTINS: dict[str, Callable[..., Any]] = {
    "sum": _sum,
    "min": _extreme("min"),
    "max": _extreme("max"),
    "any": _decided("any", True),
    "all": _decided("all", False),
    "len": _len,
    "range": _range,
    "zip": _zip,
    "enumerate": _enumerate,
    "reversed": _reversed,
    "list": _list,
    "tuple": _tuple,
    "dict": _dict,
    "pow": _pow,
    "divmod": _divmod,
    "float": _float,
    "round": _round,
    "slice": _slice,
    "isinstance": _isinstance,
    "getattr": _getattr,
}
