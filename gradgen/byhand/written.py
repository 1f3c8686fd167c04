"""A gradient that somebody wrote: how it is called, and what its result is taken for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gradgen.errors import GradgenError
from gradgen.graph import Record
from gradgen.oracles.entries import emitted
from gradgen.oracles.sample import Values, quiet_call
from gradgen.oracles.subject import Leaf, Subject, flat_gradients, is_active
from gradgen.types import FLOAT

Form = Literal["bare", "tuple", "dict"]
_NEAR = (np.ndarray, np.generic, complex, Mapping)
_NUMBER = Leaf("value", (), FLOAT, 0)
# How near a first result comes to the function's value that is taken for it.
SAME = 1e-9


class Misfit(Exception):
    """A result that is no gradient; the message continues "the result ..."."""


@dataclass(frozen=True, slots=True)
class Calling:
    """The arguments of a call, by the names of the function's parameters.

    `renamed` are those that the gradient calls otherwise: its name, and the function's.
    """

    positional: tuple[str, ...]
    keywords: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()

    def text(self, name: str) -> str:
        """The call as code."""
        return f"{name}({', '.join([*self.positional, *(f'{k}={k}' for k in self.keywords)])})"

    def call(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """The result of a function at these arguments."""
        return function(*(arguments[name] for name in self.positional),
                        **{name: arguments[name] for name in self.keywords})  # fmt: skip


def calling_of(function: Any, name: str, subject: Subject) -> Calling:
    """How a gradient takes the arguments of a function: by name where it has the names.

    Raises `GradgenError` where its parameters do not fit.
    """
    own = [param.name for param in subject.graph.params]
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return Calling(tuple(own), ())
    if any(p.kind is p.VAR_POSITIONAL for p in found):
        return Calling(tuple(own), ())
    names = [p.name for p in found if p.kind is not p.VAR_KEYWORD]
    needed = [p.name for p in found if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    if set(needed) <= set(own):
        only = [p.name for p in found if p.kind is p.POSITIONAL_ONLY]
        more = len(names) < len(found)
        rest = [n for n in own if (n in names or more) and n not in only]
        if only or rest:
            return Calling(tuple(only), tuple(rest))
    listed, theirs = ", ".join(names) or "nothing", ", ".join(own)
    by_order = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(by_order) < len(own) or not set(needed) <= set(by_order[: len(own)]):
        raise GradgenError(f"{name} takes {listed}, and {subject.name} takes {theirs}")
    pairs = list(zip(by_order, own, strict=False))
    if any(mine != other and mine in own for mine, other in pairs):
        raise GradgenError(
            f"{name} takes {listed}, and {subject.name} takes {theirs}: in another order, or by "
            "other names? Give the parameters of both the same names"
        )
    return Calling(tuple(own), (), tuple(pairs))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a result is taken for: the gradient by these parameters, maybe after the value."""

    wrt: tuple[str, ...]
    form: Form
    valued: bool

    @property
    def text(self) -> str:
        """The result as code."""
        parts = [f"d/d{name}" for name in self.wrt]
        if self.form == "dict":
            gradient = "{" + ", ".join(f"{n!r}: d/d{n}" for n in self.wrt) + "}"
        elif self.form == "tuple":
            gradient = f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        else:
            gradient = parts[0]
        return f"(value, {gradient})" if self.valued else gradient

    def taken(self, result: Any) -> tuple[Any, dict[str, Any]]:
        """The value, or None, and the gradients by parameter. Raises `Misfit`."""
        value = None
        if self.valued:
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                raise Misfit(f"is {described(result)}, not {self.text}")
            value, result = result
        if self.form == "dict":
            if not isinstance(result, Mapping) or set(result) != set(self.wrt):
                raise Misfit(f"is {described(result)}, not {self.text}")
            return value, dict(result)
        if self.form == "bare":
            return value, {self.wrt[0]: result}
        several = isinstance(result, (tuple, list)) or (
            isinstance(result, np.ndarray) and result.ndim > 0
        )
        if not several or len(result) != len(self.wrt):
            raise Misfit(f"is {described(result)}, not {self.text}")
        return value, dict(zip(self.wrt, result, strict=True))


def described(result: Any) -> str:
    """What a result is, in a few words."""
    if result is None:
        return "None"
    if isinstance(result, Mapping):
        return f"a dict with the keys {', '.join(map(repr, result))}" if result else "an empty dict"
    if isinstance(result, (tuple, list)):
        return f"a {type(result).__name__} of {len(result)}"
    if isinstance(result, np.ndarray):
        return f"an array of shape {result.shape}"
    return f"of type {type(result).__name__}"


def part_of(held: Any, path: Sequence[Any]) -> Any:
    """The part of a structure that a path leads to. Raises `Misfit`."""
    for step in path:
        name = step[1:] if isinstance(step, str) and step.startswith(".") else None
        try:
            if name is None:
                held = held[step]
            elif isinstance(held, Record):
                held = held.values[held.fields.index(name)]
            else:
                held = held[name] if isinstance(held, Mapping) else getattr(held, name)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise Misfit(f"has no part {name or repr(step)}: it is {described(held)}") from None
    return held


def entries_of(held: Any, leaf: Leaf) -> Any:
    """The derivative by a leaf as an array, a number where the leaf is one. Raises `Misfit`."""
    name = f"d/d{leaf.text}"
    if held is None:
        raise Misfit(f"holds None for {name}")
    if isinstance(held, tuple):
        raise Misfit(f"holds a tuple of {len(held)} for {name}")
    try:
        array = np.asarray(held)
    except ValueError:
        raise Misfit(f"holds a ragged list for {name}") from None
    if array.dtype.kind not in "fiub":
        what = "complex numbers" if array.dtype.kind == "c" else f"a {type(held).__name__}"
        raise Misfit(f"holds {what} for {name}")
    if array.dtype.kind in "iu" and array.ndim == 0 and not leaf.type.shape:
        array = array.astype(float)
    if array.dtype.kind == "f" and leaf.type.dtype.startswith("float"):
        array = array.astype(leaf.type.dtype)
    return array


@dataclass(slots=True)
class Written:
    """A gradient by hand, called as an emitted one: `written(**arguments)`.

    It gives the value, None where the gradient gives none, and a tuple of gradients.
    """

    subject: Subject
    name: str
    function: Any
    calling: Calling
    reading: Reading

    def __call__(self, **arguments: Any) -> tuple[Any, tuple[Any, ...]]:
        """The value and the gradients. Raises `Misfit`, and whatever the function raises."""
        value, gradients = self.reading.taken(self.calling.call(self.function, arguments))
        flat: Values = {}
        for leaf in self.subject.leaves:
            if leaf.name in self.subject.wrt:
                flat[leaf.text] = entries_of(part_of(gradients[leaf.name], leaf.path), leaf)
        return value, tuple(self.subject.structure(name, flat) for name in self.subject.wrt)


# -- what a result is taken for ------------------------------------------------------------------


def reading_of(
    subject: Subject, name: str, results: Sequence[tuple[Values, Any]],
    wrt: tuple[str, ...] | None,
) -> Reading:  # fmt: skip
    """What the results of a gradient are taken for, from some of them with their arguments.

    Raises `Misfit` where they are no gradient, and `GradgenError` where they may be one of several.
    """
    result = results[0][1]
    grades: dict[Reading, int] = {}
    misfit: Misfit | None = None
    for reading in dict.fromkeys(_readings(subject, result, wrt)):
        try:
            grades[reading] = _grade(subject, reading, result)
        except Misfit as why:
            # what is there is told where it is nearly a gradient
            near = reading.form != "bare" or isinstance(result, _NEAR)
            misfit = misfit or (why if near else None)
    best = [reading for reading, grade in grades.items() if grade == max(grades.values())]
    if len(best) > 1:
        valued = [reading for reading in best if reading.valued]
        plain = [reading for reading in best if not reading.valued]
        if not all(_is_value(subject, held[0], values) for values, held in results if valued):
            best = plain
        elif valued and not any(_is_first(subject, values, held[0]) for values, held in results):
            best = valued
    if len(best) > 1:
        listed = " or ".join(reading.text for reading in best)
        raise GradgenError(
            f"the result of {name} is {described(result)} and may be {listed}; "
            "name the parameters with --wrt (wrt=)"
        )
    if not best and misfit is not None:
        raise misfit
    if not best:
        names = wrt or tuple(_differentiable(subject))[:1]
        form: Form = "bare" if len(names) == 1 else "tuple"
        wanted = " or ".join(Reading(names, form, valued).text for valued in (False, True))
        raise Misfit(f"is {described(result)}, not {wanted}")
    return best[0]


def _differentiable(subject: Subject) -> Iterator[str]:
    for param in subject.graph.params:
        if is_active(subject.graph, param):
            yield param.name


def _readings(
    subject: Subject, result: Any, wrt: tuple[str, ...] | None
) -> Iterator[Reading]:  # fmt: skip
    names = list(_differentiable(subject))
    for valued in (False, True):
        inner = result
        if valued:
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                return
            inner = result[1]
        if wrt is None or len(wrt) == 1:
            yield Reading(wrt or tuple(names[:1]), "bare", valued)
        if isinstance(inner, Mapping):
            given = tuple(n for n in names if n in inner) if wrt is None else wrt
            if given and set(given) == set(inner):
                yield Reading(given, "dict", valued)
        elif isinstance(inner, (tuple, list)) or (
            isinstance(inner, np.ndarray) and inner.ndim == 1
        ):
            given = tuple(names[: len(inner)]) if wrt is None else wrt
            numbers = all(leaf.type.shape == () for leaf in subject.leaves if leaf.name in given)
            if len(given) == len(inner) > 0 and (numbers or not isinstance(inner, np.ndarray)):
                yield Reading(given, "tuple", valued)


def _grade(subject: Subject, reading: Reading, result: Any) -> int:
    """How well a result fits: 2 with all shapes, 1 in structure only. Raises `Misfit`."""
    value, gradients = reading.taken(result)
    if reading.valued and np.shape(entries_of(value, _NUMBER)) != ():
        raise Misfit(f"is {described(result)}, not {reading.text}")
    grade = 2
    for leaf in subject.leaves:
        if leaf.name in reading.wrt:
            held = part_of(gradients[leaf.name], leaf.path)
            if np.shape(entries_of(held, leaf)) != leaf.type.shape:
                grade = 1
    return grade


def _is_value(subject: Subject, held: Any, values: Values) -> bool:
    """Whether a number is the function's value at these arguments."""
    value = float(np.asarray(quiet_call(subject, values)))
    return bool(abs(float(np.asarray(held)) - value) <= SAME * abs(value))


def _is_first(subject: Subject, values: Values, held: Any) -> bool:
    """Whether a number is the first derivative at these arguments."""
    leaf = subject.active[0]
    found = flat_gradients(subject, emitted(subject, values)[1])[leaf.text]
    off = abs(float(np.asarray(held)) - found)
    return found.ndim == 0 and bool(off <= SAME * abs(found))
