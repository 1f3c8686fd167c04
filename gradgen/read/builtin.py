"""Python's builtins, as the reader understands them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradgen.errors import Refusal

HINTS = {
    "print": "output is a side effect: call it outside the function",
    "input": "pass the value as an argument",
    "open": "read the file outside the function",
    "sorted": "use np.sort",
    "eval": "write the expression itself",
    "exec": "write the statements themselves",
}


def _sum(front: Any, iterable: Any, /, start: Any = 0) -> Any:
    from_array = not front.is_sequence(iterable) and not isinstance(iterable, dict)
    if from_array:
        node = front.array(iterable)
        if start != 0 and front.static(start) != 0:
            raise Refusal("sum of an array with a start value", "add the start value outside")
        return front.add("sum_rows", node)
    items = front.items(iterable)
    first = [front.node(start)]
    return front.add("total", *first, *(front.node(i) for i in items))


def _extreme(name: str) -> Callable[..., Any]:
    def extreme(front: Any, *values: Any) -> Any:
        if len(values) == 1:
            if not front.is_sequence(values[0]) and front.type_of(front.array(values[0])).shape:
                raise Refusal(f"{name}() of an array", f"use np.{name}")
            values = tuple(front.items(values[0]))
        if not values:
            raise Refusal(f"{name}() of nothing")
        result = front.node(values[0])
        for value in values[1:]:
            result = front.add(f"py_{name}", result, front.node(value))
        return result

    return extreme


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
    lists = [front.items(i) for i in iterables]
    if front.static(strict) and len({len(items) for items in lists}) > 1:
        raise Refusal("zip() of different lengths")
    return [tuple(items) for items in zip(*lists, strict=False)]


def _enumerate(front: Any, iterable: Any, start: Any = 0) -> Any:
    first = front.static(start)
    return [(front.wrap(front.builder.const(first + i)), item)
            for i, item in enumerate(front.items(iterable))]  # fmt: skip


def _reversed(front: Any, sequence: Any, /) -> Any:
    return front.items(sequence)[::-1]


def _list(front: Any, iterable: Any = (), /) -> Any:
    return front.items(iterable)


def _tuple(front: Any, iterable: Any = (), /) -> Any:
    return tuple(front.items(iterable))


def _dict(front: Any, /, *pairs: Any, **named: Any) -> Any:
    result = dict(pairs[0]) if pairs else {}
    return {**result, **named}


def _pow(front: Any, base: Any, exp: Any) -> Any:
    return front.add("power", front.node(base), front.node(exp))


def _divmod(front: Any, x: Any, y: Any, /) -> Any:
    nodes = (front.node(x), front.node(y))
    return (front.wrap(front.add("floordiv", *nodes)), front.wrap(front.add("mod", *nodes)))


def _isinstance(front: Any, value: Any, classinfo: Any, /) -> Any:
    raise Refusal("isinstance is not supported here", "the types of arguments are declared")


BUILTINS: dict[str, Callable[..., Any]] = {
    "sum": _sum,
    "min": _extreme("min"),
    "max": _extreme("max"),
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
    "isinstance": _isinstance,
}
