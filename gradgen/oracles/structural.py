"""Structural operations on NumPy arrays of exact scalars: sums, products, shapes, indices."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradgen.oracles.formulas import apply, extreme
from gradgen.oracles.scalars import Unsupported
from gradgen.types import Type

if TYPE_CHECKING:
    from gradgen.oracles.exact import Evaluator


def box(item: Any) -> np.ndarray[Any, Any]:
    """An array without axes that holds an object."""
    found = np.empty((), object)
    found[()] = item
    return found


def is_plain(value: Any) -> bool:
    """Whether a value is of NumPy's integers or masks, or Python's."""
    return np.asarray(value).dtype != object


def resolve(dotted: str) -> Any:
    """The function of this name."""
    module, _, name = dotted.rpartition(".")
    while module:
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError:
            module, _, first = module.rpartition(".")
            name = f"{first}.{name}"
    raise Unsupported(dotted)


def _reduction(function: Callable[..., Any]) -> Any:
    def reduce(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
        axes, keepdims, _ = attr
        array = ev.mixed(args[0], t)
        return reduced(ev, array, axes, keepdims, lambda items: function(ev, items))

    return reduce


def reduced(
    ev: Evaluator, array: Any, axes: Any, keepdims: bool, function: Callable[[Any], Any]
) -> np.ndarray[Any, Any]:
    """`function` of the list of items along the axes (None: all), for each place of the others."""
    array = np.asarray(array)
    rank = array.ndim
    axes = tuple(range(rank)) if axes is None else tuple(k % rank for k in np.atleast_1d(axes))
    rest = [k for k in range(rank) if k not in axes]
    shape = [array.shape[k] for k in rest]
    turned = array.transpose([*rest, *axes])
    lines = turned.reshape((int(np.prod(shape, dtype=int)), -1)) if array.size else np.empty(
        (int(np.prod(shape, dtype=int)), 0), array.dtype)  # fmt: skip
    found = np.empty(len(lines), object)
    for k, line in enumerate(lines):
        found[k] = function(list(line))
    kept = [1 if k in axes else n for k, n in enumerate(array.shape)]
    return found.reshape(kept if keepdims else shape)


def _sum(ev: Evaluator, items: list[Any]) -> Any:
    if items and not is_plain(items[0]):
        return ev.arithmetic.add(items)
    return sum(int(item) for item in items)


def _product(ev: Evaluator, items: list[Any]) -> Any:
    if items and not is_plain(items[0]):
        return ev.arithmetic.multiply(items)
    return math.prod(int(item) for item in items)


def _mean(ev: Evaluator, items: list[Any]) -> Any:
    count = ev.arithmetic.number(len(items))
    total = ev.lift(_sum(ev, items))[()]
    return apply("div", ev.arithmetic, [total, count])


def _extreme(largest: bool) -> Any:
    def found(ev: Evaluator, items: list[Any]) -> Any:
        if is_plain(items[0]):
            return (max if largest else min)(items)
        return extreme(ev.arithmetic, items, largest)

    return found


def log_sum_exp(ev: Evaluator, items: Sequence[Any], weights: Sequence[Any] = ()) -> Any:
    """The logarithm of a sum of exponentials."""
    a = ev.arithmetic
    parts = [apply("exp", a, [item]) for item in items]
    if weights:
        parts = [a.multiply([w, part]) for w, part in zip(weights, parts, strict=True)]
    return apply("log", a, [a.add(parts)])


def root_of_squares(ev: Evaluator, items: Sequence[Any]) -> Any:
    """The length of a vector, whose derivative at 0 is 0."""
    a = ev.arithmetic
    if all(a.value(item) == 0 for item in items):
        return a.number(0)
    return apply("sqrt", a, [a.add([a.multiply([item, item]) for item in items])])


def _logical(function: Any) -> Any:
    def reduce(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
        return function(ev.mask(args[0]), axis=attr[0], keepdims=attr[1])

    return reduce


def _cumulative(function: Any) -> Any:
    def run(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
        return function(ev.mixed(args[0], t), axis=attr[0])

    return run


def _softmax(logarithm: bool) -> Any:
    def run(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
        x = ev.lift(args[0])
        total = reduced(ev, x, attr, True, lambda items: log_sum_exp(ev, items))
        if logarithm:
            return ev.row("sub", x, total)
        powers = ev.row("exp", x)
        sums = reduced(ev, powers, attr, True, lambda items: _sum(ev, items))
        return ev.row("div", powers, sums)

    return run


def _reshape(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    return np.reshape(args[0], [int(n) for n in args[1:]], order=attr or "C")


def _joined(function: Any, with_axis: bool) -> Any:
    def join(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
        parts = [ev.mixed(a, t) for a in args]
        return function(parts, axis=attr) if with_axis else function(parts)

    return join


def _append(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    return np.append(ev.mixed(args[0], t), ev.mixed(args[1], t), axis=attr)


def _array(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    parts = [ev.mixed(a, t) for a in args]
    if not parts:
        return np.zeros(attr[0])
    return np.stack(parts).reshape((*attr[0], *np.shape(parts[0])))


def _whole(size: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in size)


def _full(ev: Evaluator, shape: tuple[int, ...], value: Any, t: Type) -> Any:
    return np.broadcast_to(ev.mixed(value, t), shape).copy()


def _astype(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    if t.is_float or t.dtype == "bool":
        return args[0]
    return args[0].astype(t.dtype) if is_plain(args[0]) else ev.row("trunc", args[0])


def _arange(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    """Of floats as NumPy computes it: it is a constant."""
    ends = [a.item() if is_plain(a) else float(ev.numbers(a)[()]) for a in args]
    return np.arange(*ends)


def place(template: Sequence[Any], operands: Sequence[Any]) -> tuple[Any, ...]:
    """What stands between the brackets of an index."""
    left = iter(operands)

    def operand() -> Any:
        held = next(left)
        return held.item() if np.ndim(held) == 0 else held

    parts: list[Any] = []
    for item in template:
        if item == "n":
            parts.append(None)
        elif item == "e":
            parts.append(Ellipsis)
        elif item == "a" or item[0] == "m":
            parts.append(operand())
        elif item[0] == "i":
            parts.append(item[1])
        else:
            parts.append(slice(*[operand() if b == "a" else b for b in item[1:]]))
    return tuple(parts)


def _index(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    return np.asarray(args[0])[place(attr, args[1:])]


def _update(add: bool) -> Any:
    def run(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
        target = ev.mixed(args[0], t).copy()
        new = ev.mixed(args[1], t)
        where = place(attr, args[2:])
        values = new[()] if np.ndim(new) == 0 else new
        if not add:
            target[where] = values
        elif target.ndim == 0:
            target[()] = target[()] + values
        else:
            np.add.at(target, where, values)
        return target

    return run


def _matmul(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    return np.matmul(*(ev.mixed(a, t) for a in args))


def _outer(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    return np.multiply.outer(*(np.ravel(ev.mixed(a, t)) for a in args))


def _einsum(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    return np.einsum(attr[0], *(ev.mixed(a, t) for a in args))


def _tensordot(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    x, y = (ev.mixed(a, t) for a in args)
    if not attr[0]:
        return np.multiply.outer(x, y)
    return np.tensordot(x, y, axes=(attr[0], attr[1]))


def _total(ev: Evaluator, args: Sequence[Any], attr: Any, t: Type) -> Any:
    if not t.is_float:
        return sum(args[1:], start=args[0])
    return ev.each(lambda *items: ev.arithmetic.add(items), *map(ev.lift, args))


Structural = Callable[[Any, Sequence[Any], Any, Any], Any]
STRUCTURAL: dict[str, Structural] = {
    "sum": _reduction(_sum), "mean": _reduction(_mean), "prod": _reduction(_product),
    "max": _reduction(_extreme(True)), "min": _reduction(_extreme(False)),
    "logsumexp": _reduction(log_sum_exp), "norm": _reduction(root_of_squares),
    "any": _logical(np.any), "all": _logical(np.all), "cumsum": _cumulative(np.cumsum),
    "cumprod": _cumulative(np.cumprod), "softmax": _softmax(False), "log_softmax": _softmax(True),
    "sum_rows": lambda ev, args, attr, t: np.sum(ev.mixed(args[0], t), axis=0),
    "total": _total, "reshape": _reshape, "flatten": _reshape,
    "transpose": lambda ev, args, attr, t: np.transpose(args[0], attr),
    "concatenate": _joined(np.concatenate, True), "stack": _joined(np.stack, True),
    "append": _append, "vstack": _joined(np.vstack, False), "hstack": _joined(np.hstack, False),
    "dstack": _joined(np.dstack, False), "column_stack": _joined(np.column_stack, False),
    "array": _array, "astype": _astype, "arange": _arange,
    "copy": lambda ev, args, attr, t: args[0],
    "broadcast_to": lambda ev, args, attr, t: _full(ev, _whole(args[1:]), args[0], t),
    "zeros": lambda ev, args, attr, t: np.zeros(_whole(args), int),
    "ones": lambda ev, args, attr, t: np.ones(_whole(args), int),
    "zeros_like": lambda ev, args, attr, t: np.zeros(np.shape(args[0]), int),
    "ones_like": lambda ev, args, attr, t: np.ones(np.shape(args[0]), int),
    "empty": lambda ev, args, attr, t: np.full(_whole(args), math.nan),
    "empty_like": lambda ev, args, attr, t: np.full(np.shape(args[0]), math.nan),
    "full": lambda ev, args, attr, t: _full(ev, _whole(args[1:]), args[0], t),
    "full_like": lambda ev, args, attr, t: _full(ev, np.shape(args[0]), args[1], t),
    "axis_size": lambda ev, args, attr, t: np.shape(args[0])[attr],
    "item_count": lambda ev, args, attr, t: np.size(args[0]),
    "count_true": lambda ev, args, attr, t: int(np.count_nonzero(ev.mask(args[0]))),
    "item": lambda ev, args, attr, t: args[0][attr],
    "index": _index, "index_set": _update(False), "index_add": _update(True), "matmul": _matmul,
    "outer": _outer, "einsum": _einsum, "einsum_view": _einsum, "tensordot": _tensordot,
}  # fmt: skip
