"""For the tests of other projects: an assertion that a gradient is right."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradgen.differences import (
    IMAGINARY,
    Estimate,
    complex_slope,
    complex_value,
    derivative,
    real_value,
)
from gradgen.directives import Held
from gradgen.errors import GradgenError
from gradgen.live import build
from gradgen.program import Options, Wrt, wrt_items

# The accuracy that is asked for, by the coarsest kind of float among the arguments.
RTOL = {"float16": 2e-2, "float32": 1e-4, "float64": 1e-8}
# How many times the error of an estimate that was measured is allowed for.
MARGIN = 4.0
Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Number:
    """A derivative by other means: its value, how far it may be off, and by which means."""

    value: float
    error: float
    means: str


@dataclass(frozen=True, slots=True)
class _Wrong:
    """An entry that is wrong: its name, what was given, what is right, how wrong."""

    name: str
    given: float
    right: _Number
    excess: float


def assert_grad_ok(
    f: Callable[..., Any], args: Sequence[Any] | Mapping[str, Any], wrt: Wrt = None,
    rtol: float | None = None, *, grad: Callable[..., Any] | None = None,
    output: int | None = None,
) -> None:  # fmt: skip
    """Assert that the gradient of `f` is right at `args`.

    Without `grad` it is gradgen's: `f` is compiled, the value is compared with that of `f` bit by
    bit, and each entry of the gradient with the complex step where that works for `f`, else with
    Richardson's extrapolation of central differences. Every entry costs some 60 calls of `f`.
    What `f` stops by `stop_gradient` is held at its values at `args`. A custom rule must be the
    derivative of its function here; where it is meant to be another, assert that other one.

    Parameters
    ----------
    f
        A function that returns one number; with `output`, several results, of which one.
    args
        The arguments: a tuple or list of them in order, or a dict by name.
    wrt
        Names or positions of the parameters to differentiate; the first by default.
    rtol
        The relative error allowed an entry, beyond what the comparison itself may be off; by
        default 1e-8, with float32 arguments 1e-4, with float16 ones 2e-2.
    grad
        A gradient written by hand, called with `args`: it returns what `gradgen.grad` would, one
        bare gradient, or a tuple where `wrt` is a tuple.
    output
        Which of several results of `f` is differentiated.

    Raises
    ------
    AssertionError
        With the worst entry, both values and the arguments; also where the derivative cannot be
        established at `args`, as at a kink or a jump.
    GradgenError
        Where `args` or `wrt` are of no use, or gradgen refuses `f`.
    """
    __tracebackhide__ = True
    given, names = _arguments(f, args)
    active, bare = _active(wrt, names, given)
    probe = _Probe(f, given, names, output)
    if grad is None:
        found = _compiled(probe, wrt, bare)
    else:
        found = grad(*_fresh(given.positional), **_fresh(given.named))
        found = (found,) if bare else _as_tuple(found, active)
    wrong: list[_Wrong] = []
    unsettled: list[str] = []
    total = 0
    for (name, place), gradient in zip(active, found, strict=True):
        leaves = list(_matched(given.at(place), gradient, name, (place,)))
        for path, leaf, slope in leaves:
            total += slope.size
            _compare(probe, path, leaf, slope, rtol, wrong, unsettled)
    _tell(probe, wrong, unsettled, total)


# -- the arguments ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Arguments:
    """The arguments of a call, by position and by name."""

    positional: tuple[Any, ...]
    named: dict[str, Any]

    def at(self, place: int | str) -> Any:
        """The argument at a position or of a name."""
        return self.positional[place] if isinstance(place, int) else self.named[place]

    def replaced(self, path: Path, value: Any) -> _Arguments:
        """Copies, with another value at a path that begins with the place of an argument."""
        place, *rest = path
        changed = _replaced(self.at(place), rest, value)
        positional = tuple(
            changed if k == place else _fresh(a) for k, a in enumerate(self.positional)
        )
        named = {k: changed if k == place else _fresh(a) for k, a in self.named.items()}
        return _Arguments(positional, named)


def _arguments(f: Any, args: Any) -> tuple[_Arguments, list[str]]:
    """The arguments, and the names of the parameters as far as they are known."""
    if not isinstance(args, (tuple, list, Mapping)):
        raise GradgenError(f"args is a tuple of arguments or a dict, not {type(args).__name__}")
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):
        names = []
    if isinstance(args, Mapping):
        return _Arguments((), dict(args)), names or list(args)
    return _Arguments(tuple(args), {}), names


def _active(
    wrt: Wrt, names: Sequence[str], given: _Arguments
) -> tuple[list[tuple[str, int | str]], bool]:
    """The name and the place of each argument that is differentiated, and whether it is bare."""
    items, bare = wrt_items(wrt)
    count = len(names) or len(given.positional)
    found: list[tuple[str, int | str]] = []
    for item in items:
        if isinstance(item, str) and item in names:
            place = names.index(item)
        elif isinstance(item, int) and -count <= item < count:
            place = item % count
        else:
            known = ", ".join(names) or f"{count} arguments without names"
            raise GradgenError(f"wrt={item!r}: the parameters are {known}")
        name = names[place] if names else f"args[{place}]"
        if place >= len(given.positional) and name not in given.named:
            raise GradgenError(f"wrt={item!r}: args has no value for it")
        found.append((name, name if name in given.named else place))
    return found, bare


def _as_tuple(found: Any, active: Sequence[Any]) -> tuple[Any, ...]:
    if not isinstance(found, (tuple, list)) or len(found) != len(active):
        raise AssertionError(
            f"the gradient is {_short(found)}; wrt asks for a tuple of {len(active)}"
        )
    return tuple(found)


def _fresh(value: Any) -> Any:
    """A copy, which nothing that a function does to it is seen through."""
    return copy.deepcopy(value)


def _parts(value: Any) -> Iterator[tuple[Any, Any]] | None:
    """The parts of a structure with the step to each; None for anything else."""
    if isinstance(value, dict):
        return iter(value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return ((f".{name}", getattr(value, name)) for name in value._fields)
    if isinstance(value, (list, tuple)):
        return iter(enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return ((f".{field.name}", getattr(value, field.name))
                for field in dataclasses.fields(value))  # fmt: skip
    return None


def _replaced(value: Any, path: Sequence[Any], new: Any) -> Any:
    """A copy of a structure with another value at a path."""
    if not path:
        return new
    step, *rest = path
    if isinstance(value, dict):
        return {k: _replaced(v, rest, new) if k == step else _fresh(v) for k, v in value.items()}
    if isinstance(step, str):
        name = step.removeprefix(".")
        inner = _replaced(getattr(value, name), rest, new)
        if isinstance(value, tuple):
            return _fresh(value)._replace(**{name: inner})
        changed = _fresh(value)
        object.__setattr__(changed, name, inner)
        return changed
    return type(value)(
        _replaced(v, rest, new) if k == step else _fresh(v) for k, v in enumerate(value)
    )


def _matched(
    value: Any, gradient: Any, name: str, path: Path
) -> Iterator[tuple[tuple[str, Path], Any, np.ndarray]]:
    """The numbers and arrays of an argument and their gradients; AssertionError where they part."""
    parts = _parts(value)
    if parts is not None:
        inner, slopes = dict(parts), dict(_parts(gradient) or ())
        if inner.keys() != slopes.keys():
            raise AssertionError(
                f"the gradient of {name} is {_short(gradient)}, and not of the structure of {name}"
            )
        for step, part in inner.items():
            yield from _matched(part, slopes[step], name + _step(step), (*path, step))
        return
    if gradient is None and (value is None or isinstance(value, (str, bool, int))):
        return
    slope = np.asarray(gradient)
    shape = np.shape(value)
    if slope.dtype.kind not in "fiu" or slope.shape != shape:
        raise AssertionError(
            f"the gradient of {name} is {_short(gradient)}; {name} has shape {shape}"
        )
    if np.asarray(value).dtype.kind not in "fiu":
        raise GradgenError(f"{name} is {_short(value)}, with respect to which nothing is real")
    yield (name, path), value, slope


def _step(step: Any) -> str:
    return step if isinstance(step, str) and step.startswith(".") else f"[{step!r}]"


def _short(value: Any) -> str:
    """What kind of thing a value is."""
    if isinstance(value, (np.ndarray, np.generic)):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if value is None:
        return "None"
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, (tuple, list, dict)) else f"a {kind}"


# -- values ----------------------------------------------------------------------------------------


class _Probe:
    """A function at its arguments, and near them."""

    def __init__(
        self, f: Callable[..., Any], given: _Arguments, names: Sequence[str], output: int | None
    ) -> None:
        self.f = f
        self.given = given
        self.names = names
        self.output = output
        self.name = getattr(f, "__name__", "f")
        self.held = Held()
        self.value = self.at(given)
        number = np.asarray(self.value)
        if number.shape or number.dtype.kind not in "fiub":
            more = "; output=K chooses one of several" if isinstance(self.value, tuple) else ""
            raise GradgenError(f"{self.name} returns {_short(self.value)}, not one number{more}")
        if not np.isfinite(number):
            raise AssertionError(
                f"{self.name} is {number} here, which has no gradient\n{self.shown()}"
            )
        floats = [a.dtype.name for a in _arrays((given.positional, given.named))]
        self.dtype = max(
            (d for d in floats if d in RTOL), key=lambda d: np.finfo(d).eps, default="float64"
        )

    def at(self, given: _Arguments) -> Any:
        """The value at arguments, which are not touched."""
        positional, named = _fresh(given.positional), _fresh(given.named)
        result = self.held.call(lambda: self.f(*positional, **named))
        return result if self.output is None else result[self.output]

    def near(self, path: Path, leaf: Any, index: tuple[int, ...], step: float) -> float:
        """The value where one entry is moved, in float64; NaN where it cannot be computed."""
        moved = _moved(leaf, index, step, np.float64)
        return real_value(lambda: self.at(self.given.replaced(path, moved)))

    def turned(self, path: Path, leaf: Any, index: tuple[int, ...], step: complex) -> complex:
        """The value where one entry is moved into the complex numbers; NaN where it has none."""
        moved = _moved(leaf, index, step, np.complex128)
        return complex_value(lambda: self.at(self.given.replaced(path, moved)))[0]

    def shown(self) -> str:
        """The arguments, written so that they can be pasted."""
        lines = []
        names = [*self.names, *map("args[{}]".format, range(len(self.names), 99))]
        with np.printoptions(precision=17, floatmode="unique", threshold=200):
            given = (*zip(names, self.given.positional, strict=False), *self.given.named.items())
            for name, value in given:
                rest = " " * (len(name) + 5)
                lines.append(textwrap.indent(f"{name} = {value!r}", rest)[len(name) + 3 :])
        ruled = ", ".join(self.held.ruled)
        rules = [f"the slope is not by the custom rule of {ruled}: is it meant to be another?"]
        return "\n".join([*(rules if ruled else []), "with", *lines])


def _arrays(value: Any) -> Iterator[Any]:
    """The arrays and NumPy scalars in a structure."""
    parts = _parts(value)
    if parts is not None:
        for _, part in parts:
            yield from _arrays(part)
    elif isinstance(value, (np.ndarray, np.generic)):
        yield value


def _moved(leaf: Any, index: tuple[int, ...], step: complex, dtype: Any) -> Any:
    """A number or array with one entry moved."""
    if not isinstance(leaf, (np.ndarray, np.generic)):
        return leaf + (step if dtype is np.complex128 else step.real)
    moved = np.array(leaf, dtype)
    moved[index] += step if dtype is np.complex128 else step.real
    return moved if isinstance(leaf, np.ndarray) else moved[()]


def _compiled(probe: _Probe, wrt: Wrt, bare: bool) -> tuple[Any, ...]:
    """gradgen's gradient. Raises AssertionError where its value is not that of the function."""
    options = Options(wrt, "value_and_grad", output=probe.output)
    emitted = build(probe.f, options, None, None)
    given = probe.given
    value, found = emitted(*_fresh(given.positional), **_fresh(given.named))
    ours, theirs = np.asarray(value), np.asarray(probe.value)
    if ours.dtype != theirs.dtype or ours.tobytes() != theirs.tobytes():
        raise AssertionError(
            f"the value of the emitted function is {value!r}, that of {probe.name} "
            f"{probe.value!r}\n{probe.shown()}"
        )
    return (found,) if bare else tuple(found)


# -- derivatives by other means --------------------------------------------------------------------


def _compare(
    probe: _Probe, named: tuple[str, Path], leaf: Any, slope: np.ndarray, rtol: float | None,
    wrong: list[_Wrong], unsettled: list[str],
) -> None:  # fmt: skip
    """Compare the entries of a gradient one by one."""
    name, path = named
    allowed = RTOL[probe.dtype] if rtol is None else rtol
    for index in np.ndindex(slope.shape):
        entry = name + (f"[{', '.join(map(str, index))}]" if index else "")
        right = _derivative(probe, path, leaf, index)
        given = float(slope[index])
        if right is None:
            unsettled.append(entry)
            continue
        bound = allowed * abs(right.value) + right.error
        off = abs(given - right.value)
        if not off <= bound:  # also where it is NaN
            excess = off / bound if bound and math.isfinite(off) else math.inf
            wrong.append(_Wrong(entry, given, right, excess))


def _derivative(probe: _Probe, path: Path, leaf: Any, index: tuple[int, ...]) -> _Number | None:
    """A derivative by the complex step where differences confirm it, else by differences.

    None where differences do not settle.
    """
    at = float(np.asarray(leaf)[index])
    found = derivative(lambda h: probe.near(path, leaf, index, h), at)
    if found is None:
        return None
    # how far a rounding of the argument moves it tells how far rounding may have
    ulp = float(np.finfo(probe.dtype).eps) * max(abs(at), 1e-300)
    steps = (complex(k * ulp, IMAGINARY / 2) for k in (-2.0, 2.0))
    turned = complex_slope(
        probe.turned(path, leaf, index, complex(0.0, IMAGINARY)),
        [probe.turned(path, leaf, index, step) for step in steps],
        probe.near(path, leaf, index, 0.0),
    )
    means = "complex step"
    if not (isinstance(turned, Estimate) and abs(turned.value - found.value) <= 10.0 * found.error):
        turned, means = found, "Richardson's differences"
    return _Number(turned.value, MARGIN * turned.error, means)


# -- the message -----------------------------------------------------------------------------------


def _tell(probe: _Probe, wrong: list[_Wrong], unsettled: list[str], total: int) -> None:
    """Raise AssertionError with the worst of what is wrong, if anything is."""
    __tracebackhide__ = True
    if wrong:
        worst = max(wrong, key=lambda w: w.excess)
        right = worst.right
        off = abs(worst.given - right.value)
        part = f", {off / abs(right.value):.2g} times its size" if right.value else ""
        raise AssertionError(
            f"the gradient of {probe.name} is wrong in {len(wrong)} of {total} entries; the worst "
            f"is that of {worst.name}:\n  {worst.given!r} is given\n"
            f"  {right.value!r} is right (by {right.means}, ± {right.error:.1g})\n"
            f"  off by {off:.3g}{part}\n{probe.shown()}"
        )
    if unsettled:
        raise AssertionError(
            f"the derivative of {probe.name} by {unsettled[0]} cannot be established "
            f"({len(unsettled)} of {total} entries): differences do not settle, as at a kink, a "
            f"jump or the edge of the domain; choose other arguments\n{probe.shown()}"
        )
