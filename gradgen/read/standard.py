"""Functions of libraries that compute nothing when the function runs, as the reader reads them.

What they give is known while compiling: tuples of items, functions with arguments given, limits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradgen.errors import Refusal
from gradgen.read.values import Generated, Partial, RecordValue

LIBRARIES = ("itertools", "functools", "operator", "dataclasses")
# Most tuples that are made at once.
LIMIT = 1_000_000


def _items(front: Any, iterables: tuple[Any, ...]) -> list[list[Any]]:
    return [front.items(each) for each in iterables]


def _made(tuples: Iterator[Any]) -> Generated:
    found = list(itertools.islice(tuples, LIMIT + 1))
    if len(found) > LIMIT:
        raise Refusal(f"more than {LIMIT} items are too many to unroll")
    return Generated(found)


def _product(front: Any, *iterables: Any, repeat: Any = 1) -> Any:
    return _made(itertools.product(*_items(front, iterables), repeat=front.static(repeat)))


def _combinations(front: Any, iterable: Any, r: Any) -> Any:
    return _made(itertools.combinations(front.items(iterable), front.static(r)))


def _permutations(front: Any, iterable: Any, r: Any = None) -> Any:
    return _made(itertools.permutations(front.items(iterable), front.static(r)))


def _with_replacement(front: Any, iterable: Any, r: Any) -> Any:
    return _made(itertools.combinations_with_replacement(front.items(iterable), front.static(r)))


def _pairwise(front: Any, iterable: Any, /) -> Any:
    return _made(itertools.pairwise(front.items(iterable)))


def _chain(front: Any, *iterables: Any) -> Any:
    return _made(itertools.chain(*_items(front, iterables)))


def _repeat(front: Any, item: Any, times: Any) -> Any:
    return _made(itertools.repeat(item, front.static(times)))


def _partial(front: Any, function: Any, /, *args: Any, **keywords: Any) -> Any:
    return Partial(function, args, keywords)


def _operator(op: str) -> Callable[..., Any]:
    def apply(front: Any, a: Any, b: Any, /) -> Any:
        return front.binary(op, a, b)

    return apply


def _replace(front: Any, record: Any, /, **changes: Any) -> Any:
    if not isinstance(record, RecordValue) or record.is_tuple:
        raise Refusal("dataclasses.replace takes a dataclass")
    return replaced(record, changes)


def replaced(record: RecordValue, changes: dict[str, Any]) -> RecordValue:
    """A record with other values of some of its fields."""
    for name in changes:
        if name not in record.fields:
            raise Refusal(f"this {record.like} has no field {name}")
    return RecordValue(record.like, {**record.fields, **changes}, record.is_tuple)


def _finfo(front: Any, dtype: Any) -> RecordValue:
    """The limits of a dtype, which are numbers of NumPy's."""
    name = front.dtype(dtype)
    if not name.startswith("float"):
        raise Refusal(f"np.finfo takes a dtype of floats, not {name}")
    found = np.finfo(name)
    limits = ("eps", "max", "min", "tiny", "smallest_normal", "resolution")
    return RecordValue("finfo", {
        limit: front.wrap(front.add("astype", front.builder.const(float(getattr(found, limit))),
                                    attr=name)) for limit in limits
    }, False)  # fmt: skip


def _ndindex(front: Any, *shape: Any) -> Any:
    lengths = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    ranges = [front.items(range(front.static(n))) for n in lengths]
    return _made(itertools.product(*ranges))


STANDARD: dict[str, Callable[..., Any]] = {
    "itertools.product": _product,
    "itertools.combinations": _combinations,
    "itertools.combinations_with_replacement": _with_replacement,
    "itertools.permutations": _permutations,
    "itertools.pairwise": _pairwise,
    "itertools.chain": _chain,
    "itertools.repeat": _repeat,
    "functools.partial": _partial,
    "dataclasses.replace": _replace,
    "numpy.finfo": _finfo,
    "numpy.ndindex": _ndindex,
    "operator.add": _operator("add"),
    "operator.sub": _operator("sub"),
    "operator.mul": _operator("mul"),
    "operator.truediv": _operator("div"),
    "operator.floordiv": _operator("floordiv"),
    "operator.mod": _operator("mod"),
    "operator.pow": _operator("power"),
    "operator.matmul": _operator("matmul"),
}
# Of these a function is called, which takes steps.
REDUCE = "functools.reduce"
