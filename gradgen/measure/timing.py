"""How long a call takes, and arguments to call with."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradgen.graph import Graph, Record, leaves
from gradgen.oracles.subject import length_of, lengths_of
from gradgen.read import Static
from gradgen.types import Type

# The numbers that are tried as arguments, until the gradient is finite.
BASES = (0.7, 1.3, 2.3, 0.2, -0.6)
_AT_LEAST = 2e-3  # seconds of one measurement
_REPEATS = 3


def seconds(call: Callable[..., Any], arguments: Sequence[Any]) -> float:
    """The time of one call: the best of three measurements of two milliseconds at least."""
    loops = 1
    with quiet():
        while True:
            elapsed = _elapsed(call, arguments, loops)
            if elapsed >= _AT_LEAST:
                break
            loops *= 2
        return (
            min(elapsed, *(_elapsed(call, arguments, loops) for _ in range(_REPEATS - 1))) / loops
        )


def _elapsed(call: Callable[..., Any], arguments: Sequence[Any], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        call(*arguments)
    return time.perf_counter() - start


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of numbers that overflow."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def values_at(graph: Graph, base: float) -> dict[int, Any]:
    """A value for every `param` node: numbers near `base`, no two of the first seven alike."""
    lengths = lengths_of(graph)
    nodes = [node for param in graph.params for node in leaves(param.tree)]
    return {
        node: _value(graph.types[node], base + 0.05 * (at % 7), lengths)
        for at, node in enumerate(nodes)
    }


def _value(found: Type, number: float, lengths: dict[str, int]) -> Any:
    if found.kind == "py":
        return {"float": number, "int": 2, "bool": True}[found.dtype]
    shape = tuple(length_of(size, lengths) for size in found.shape)
    steps = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    made = number + 0.03 * (steps % 11) if found.is_float else steps % 2
    array = np.asarray(made).astype(found.dtype)
    return array if found.kind == "array" else array[()]


def arguments(graph: Graph, values: dict[int, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the keyword arguments of the function, from the values of the nodes."""
    made = [(param, _filled(param.tree, values)) for param in graph.params]
    return [v for p, v in made if not p.keyword_only], {
        p.name: v for p, v in made if p.keyword_only
    }


def _filled(tree: Any, values: dict[int, Any]) -> Any:
    if isinstance(tree, int):
        return values[tree]
    if isinstance(tree, Static):
        return tree.value
    if isinstance(tree, Record):
        parts = (_filled(part, values) for part in tree.values)
        return SimpleNamespace(**dict(zip(tree.fields, parts, strict=True)))
    if isinstance(tree, dict):
        return {key: _filled(part, values) for key, part in tree.items()}
    return type(tree)(_filled(part, values) for part in tree)


def numbers(result: Any) -> list[float]:
    """All numbers in a result, in order."""
    if isinstance(result, dict):
        return [n for part in result.values() for n in numbers(part)]
    if isinstance(result, SimpleNamespace):
        return numbers(vars(result))
    if isinstance(result, (tuple, list)):
        return [n for part in result for n in numbers(part)]
    return [float(n) for n in np.ravel(np.asarray(result))]
