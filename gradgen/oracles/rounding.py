"""How far rounding moves what an emitted function computes: it is run with other roundings.

Every operation of the emitted text that rounds has its result changed by up to two units in the
last place, at random, and so have the arguments (stochastic arithmetic: J. Vignes, "A stochastic
arithmetic for reliable scientific computation", 1993). What moves the results is what their
condition and cancellation in between make of rounding, and nothing else.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gradgen.live import bound_names, compiled, load
from gradgen.oracles.sample import Random, Values, copied
from gradgen.oracles.subject import Subject, by_keyword, flat_gradients
from gradgen.render import render
from gradgen.unit import Unit

RUNS = 8
# What an entry of a gradient that is only called may lose on its way, in units of the last place of
# the largest that it was.
UNSEEN = 2.0**14
Result = tuple[Any, dict[str, Any]]
# Calls with exact results, by the last part of the name: a change would undo comparisons of them.
_EXACT = frozenset({
    "abs", "absolute", "fabs", "sign", "copysign", "floor", "ceil", "trunc", "rint", "round",
    "max", "min", "maximum", "minimum", "fmax", "fmin", "where", "clip", "sort", "partition",
    "argsort", "reshape", "ravel", "transpose", "swapaxes", "broadcast_to", "copy", "array",
    "asarray", "concatenate", "append", "stack", "vstack", "hstack", "dstack", "column_stack",
    "zeros", "zeros_like", "ones", "ones_like", "empty", "empty_like", "full", "full_like",
    "arange", "eye", "tri", "identity", "float", "int", "bool", "astype", "take",
    "take_along_axis", "tril", "triu", "diag", "diagonal", "roll", "flip", "squeeze", "tile",
    "repeat", "expand_dims", "pad", "split", "maximum_accumulate", "accumulate", "median",
    "float64", "float32", "heaviside", "put_along_axis", "flipud", "fliplr", "rot90", "diagflat",
    "select", "choose", "extract", "compress", "delete", "insert", "at", "type", "len", "fix",
    "isnan", "nan_to_num", "nanmax", "nanmin", "atleast_1d", "atleast_2d", "moveaxis",
})  # fmt: skip
_ROUNDED = "_gradgen_rounded"


class _Wrap(ast.NodeTransformer):
    """Puts a call around every expression that rounds."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return node if isinstance(node.op, ast.FloorDiv) else _wrapped(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        held = node.func
        name = held.attr if isinstance(held, ast.Attribute) else getattr(held, "id", "")
        return node if name in _EXACT else _wrapped(node)


def _wrapped(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(_ROUNDED, ast.Load()), [node], [])


class Rounded:
    """The emitted function of a subject, each time with other roundings.

    `own` is the function as the user wrote it, where what is emitted has rewrites.
    """

    def __init__(self, subject: Subject, random: Random) -> None:
        self.subject, self.random = subject, random
        self.own: Rounded | None = None
        if subject.unrewritten is not None:
            plain = replace(subject, program=subject.unrewritten, unrewritten=None)
            self.own = Rounded(plain, random)
        self._function = self.otherwise(subject.program.unit)
        self._plain = by_keyword(load(subject.program, "value_and_grad", subject.function))

    def otherwise(self, unit: Unit) -> Callable[..., Any]:
        """The function of a unit, with a change to whatever it rounds."""
        tree = ast.fix_missing_locations(_Wrap().visit(ast.parse(render(unit))))
        namespace = bound_names(unit, self.subject.function)
        namespace[_ROUNDED] = self._rounded
        exec(compiled(tree, "<gradgen rounding>", unit, namespace), namespace)
        return by_keyword(namespace[unit.functions[0].name])

    def run(self, values: Mapping[str, Any]) -> Result | None:
        """Value and gradient at arguments that are moved by their roundings; None: it raised."""
        return self._called(self._function, self._moved(values))

    def plain(self, values: Mapping[str, Any]) -> Result | None:
        """What the program computes as it is; None: it raised."""
        return self._called(self._plain, copied(values))

    def unseen(self, text: str) -> Any:
        """What the derivative by a leaf may be off by roundings that `run` does not change."""
        return 0.0

    def _moved(self, values: Mapping[str, Any]) -> Values:
        moved = copied(values)
        for leaf in self.subject.leaves:
            if leaf.type.is_float:
                moved[leaf.text] = self._rounded(moved[leaf.text])
        return moved

    def _called(self, function: Callable[..., Any], values: Values) -> Result | None:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                value, gradients = function(**self.subject.arguments(values))
            return value, flat_gradients(self.subject, gradients)
        except Exception:  # whatever emitted code raises
            return None

    def _rounded(self, value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            eps = np.finfo(value.dtype).eps
            return (value * (1.0 + eps * self._signs(value.shape))).astype(value.dtype)
        if isinstance(value, np.floating):
            return value.dtype.type(value * (1.0 + np.finfo(value.dtype).eps * self._signs(())))
        if isinstance(value, float):
            return value * (1.0 + 2.0**-52 * float(self._signs(())))
        return value

    def _signs(self, shape: tuple[int, ...]) -> Any:
        # not of one size: a rounding and the next would cancel every other time
        return _UNITS[self.random.integers(0, len(_UNITS), shape)]


class RoundedByHand(Rounded):
    """As `Rounded`, where the gradient is one by hand.

    One that was read is run with other roundings as an emitted one. Of one that is only called, its
    arguments alone are moved; what is lost in cancellation on the way cannot be seen, and is taken
    for no more than a part of the largest that each entry was.
    """

    def __init__(self, subject: Subject, random: Random) -> None:
        super().__init__(subject, random)
        assert subject.by_hand is not None
        self.by_hand = subject.by_hand
        unit = self.by_hand.unit
        self._gradient = subject.emitted
        if unit is not None:
            self._gradient = self._structured(self.otherwise(unit))

    def _structured(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """What gives the derivatives as an emitted function does, not leaf by leaf."""
        subject = self.subject

        def gradient(**arguments: Any) -> Any:
            parts = iter([part for parts in function(**arguments) for part in parts])
            flat = {
                leaf.text: next(parts) for name in subject.wrt
                for leaf in subject.active if leaf.name == name
            }  # fmt: skip
            return None, tuple(subject.structure(name, flat) for name in subject.wrt)

        return gradient

    def run(self, values: Mapping[str, Any]) -> Result | None:
        """See `Rounded.run`; the value is that of the function itself."""
        return self._joined(super().run(values), self._gradient, self._moved(values))

    def plain(self, values: Mapping[str, Any]) -> Result | None:
        """See `Rounded.plain`."""
        return self._joined(super().plain(values), self.subject.emitted, copied(values))

    def unseen(self, text: str) -> Any:
        """See `Rounded.unseen`."""
        return UNSEEN * self.by_hand.units[text] if self.by_hand.unit is None else 0.0

    def _joined(
        self, own: Result | None, function: Callable[..., Any], values: Values
    ) -> Result | None:  # fmt: skip
        found = self._called(function, values)
        return None if own is None or found is None else (own[0], found[1])


def rounded_of(subject: Subject, random: Random) -> Rounded:
    """What runs the gradient of a subject with other roundings."""
    return (Rounded if subject.by_hand is None else RoundedByHand)(subject, random)


_UNITS = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])


def spread(rounded: Rounded, values: Values) -> tuple[float, dict[str, Any]]:
    """How far roundings move the value, and each entry of the gradient, at most in a few runs."""
    plain = rounded.plain(values)
    if plain is None:
        return 0.0, {}
    noise = 0.0
    moved: dict[str, Any] = {text: np.zeros(np.shape(g)) for text, g in plain[1].items()}
    for _ in range(RUNS):
        found = rounded.run(values)
        if found is not None:
            noise = float(_most(noise, found[0], plain[0]))
            moved = {text: _most(m, found[1][text], plain[1][text]) for text, m in moved.items()}
    return noise, {text: most + rounded.unseen(text) for text, most in moved.items()}


def _most(before: Any, one: Any, other: Any) -> Any:
    """The larger of what was and of a difference, where that is a number."""
    with np.errstate(all="ignore"):
        change = np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float))
    if change.shape != np.shape(before):
        return before
    return np.fmax(before, np.where(np.isfinite(change), change, 0.0))
