"""A function of structured parameters as a function of one vector, as optimizers call it."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradgen.api import hvp, jacobian, jvp, value_and_grad
from gradgen.errors import ActiveTypeError, GradgenError
from gradgen.graph import Param
from gradgen.live import read_parameters, read_signature
from gradgen.modes import taken
from gradgen.program import Wrt, wrt_items
from gradgen.read import LiveTypes

Vector = NDArray[np.float64]


def flat(f: Callable[..., Any], /, *args: Any, wrt: Wrt = None, **keywords: Any) -> Flat:
    """The function `f`, called with these arguments, and its derivatives, of one vector.

    Parameters
    ----------
    f
        A function that `value_and_grad` takes, or of any other value than one number, that
        `jacobian` or `jvp` takes. It is called once, to learn which.
    args, keywords
        The arguments of `f`. Those in `wrt` say where an optimizer starts, and tell structures,
        shapes and dtypes: numbers and arrays of floats in dicts, lists, tuples, named tuples and
        dataclasses. All are copied, and `f` gets the arrays beside the parameters read-only: what
        is kept for a vector holds as long as the object lives.
    wrt
        Names or positions of the parameters that the vector holds: one, or a tuple; the first by
        default.

    Raises
    ------
    ActiveTypeError
        Where a parameter in `wrt` holds an array of integers (also a TypeError).
    GradgenError
        For a parameter that there is not, a structure that is not supported, or one without
        numbers. What `f` itself is refused for (`SourceError`) comes with the first derivative.
    """
    names, defaults = read_signature(f)
    bound = inspect.signature(f).bind(*args, **keywords)
    items, bare = wrt_items(wrt)
    chosen: list[str] = []
    for item in items:
        if item not in names and not (isinstance(item, int) and -len(names) <= item < len(names)):
            raise GradgenError(f"wrt={item!r}: the parameters of {_name(f)} are {', '.join(names)}")
        chosen.append(item if isinstance(item, str) else names[item])
        if chosen.count(chosen[-1]) > 1:
            raise GradgenError(f"wrt={item!r} is given twice")
    given = {**{name: defaults[name] for name in chosen if name in defaults}, **bound.arguments}
    bound.arguments = {name: given[name] for name in names if name in given}
    for name, value in bound.arguments.items():
        parts = dict(_checked_parts(value, name))
        bound.arguments[name] = copy.deepcopy(value)
        if name in chosen:
            _refuse_integers(parts)
            continue
        for _, part in _parts(bound.arguments[name], name):
            if isinstance(part, np.ndarray):
                part.flags.writeable = False
    return Flat(f, bound, tuple(chosen), bare)


class Flat:
    """A function of a vector, named as `scipy.optimize` names it: `x0`, `fun`, `jac`, `hessp`.

    For `minimize(p.fun, p.x0, jac=p.jac)` and, where the value is not one number, `least_squares`
    and `root`. A vector has shape `(n,)` and is copied before `f` sees it; another shape, or what
    is no real number, raises `GradgenError`. What was computed last is kept: `fun` and `jac` at one
    `x` take one evaluation of `value_and_grad`, and a value or Jacobian that is asked for again
    takes none; arrays that `f` finds in globals and closures must not change meanwhile. Threads may
    share the object. All results are new, and float64.
    """

    def __init__(
        self, f: Callable[..., Any], bound: inspect.BoundArguments, chosen: tuple[str, ...],
        bare: bool,
    ) -> None:  # fmt: skip
        self._f, self._chosen, self._bare = f, chosen, bare
        self._given = bound.arguments
        self._own = read_parameters(f)
        self._taking = taken("jvp", self._own, chosen)
        self._wrt = chosen[0] if bare else chosen
        self._start = {name: bound.arguments[name] for name in chosen}
        self._parts: dict[str, Any] = {}
        for name, value in self._start.items():
            self._parts.update(_parts(value, name))
        if not self._parts:
            raise GradgenError(f"there are no numbers in {', '.join(chosen)}")
        self._sizes = [np.size(part) for part in self._parts.values()]
        ends = list(accumulate(self._sizes))
        self._places = [slice(end - n, end) for n, end in zip(self._sizes, ends, strict=True)]
        self._size = ends[-1]
        values = list(_leaves(self._call(f, self.x0), ""))
        for _, part in values:
            if np.asarray(part).dtype.kind not in "fiu":
                raise GradgenError(f"{_name(f)} returns {part!r}, which is no real number")
        self._rows = [np.size(part) for _, part in values]
        self._single = [(where, np.shape(part)) for where, part in values] == [("", ())]
        self._columns = False
        self._pair = _Last(self._value_and_gradient)
        self._values = _Last(lambda x: _vector(part for _, part in _parts(self._call(f, x), "")))
        self._matrix = _Last(self._jacobian)

    @property
    def x0(self) -> Vector:
        """The parameters that were given."""
        return _vector(self._parts.values())

    def fun(self, x: ArrayLike) -> Any:
        """The value at `x`: a Python float, or of any other value its numbers, of shape `(m,)`."""
        at = self._checked(x, "x")
        return self._pair(at)[0] if self._single else self._values(at).copy()

    def jac(self, x: ArrayLike) -> Vector:
        """The derivatives at `x`: a gradient of shape `(n,)`, or a Jacobian of shape `(m, n)`.

        The Jacobian is that of `gradgen.jacobian`; where arrays are used as wholes in a way that it
        refuses, it is made of the `n` columns of `gradgen.jvp`.
        """
        at = self._checked(x, "x")
        # `least_squares` scales residuals and Jacobians in place: what is kept is never given away,
        # and a copy is C-contiguous.
        found: Vector = self._pair(at)[1] if self._single else self._matrix(at)
        return found.copy()

    def hessp(self, x: ArrayLike, v: ArrayLike) -> Vector:
        """The Hessian at `x` times `v`, of shape `(n,)`.

        Raises `GradgenError` where the value is not one number.
        """
        if not self._single:
            raise GradgenError(f"hessp: the value of {_name(self._f)} is not one number")
        return self._flattened(self._along(self._hvp, self._checked(x, "x"), self._checked(v, "v")))

    def unflatten(self, x: ArrayLike) -> Any:
        """The parameters that `x` stands for, in the structure, shapes and dtypes of those given.

        A Python int has become a float; what is no number is as it was given. Where `wrt` is a
        tuple, so is this.
        """
        made = tuple(self._parameters(self._checked(x, "x")).values())
        return made[0] if self._bare else made

    def flatten(self, parameters: Any) -> Vector:
        """The vector that stands for parameters, as for starting points and bounds.

        Raises `GradgenError` where structure or shapes are not those of the parameters given.
        """
        values = (parameters,) if self._bare else parameters
        if not isinstance(values, (tuple, list)) or len(values) != len(self._chosen):
            raise GradgenError(f"flatten takes a tuple of {', '.join(self._chosen)}")
        found: dict[str, Any] = {}
        for name, value in zip(self._chosen, values, strict=True):
            found.update(_checked_parts(value, name))
        for where in [*self._parts, *found]:
            if where not in found:
                raise GradgenError(f"{where} is missing")
            if where not in self._parts:
                raise GradgenError(f"{where} is none of the parameters: {', '.join(self._parts)}")
            given, own = np.shape(found[where]), np.shape(self._parts[where])
            if given != own:
                raise GradgenError(f"{where} has shape {given}, not {own}")
        return _vector(found[where] for where in self._parts)

    @cached_property
    def _both(self) -> Any:
        return value_and_grad(self._f, wrt=self._wrt, like=self._given)

    @cached_property
    def _hvp(self) -> Any:
        return hvp(self._f, wrt=self._wrt, like=self._given)

    @cached_property
    def _jvp(self) -> Any:
        return jvp(self._f, wrt=self._wrt, like=self._given)

    @cached_property
    def _whole(self) -> Any:
        return jacobian(self._f, wrt=self._wrt, like=self._given)

    def _value_and_gradient(self, x: Vector) -> tuple[float, Vector]:
        value, gradient = self._call(self._both, x)
        return float(value), self._flattened(gradient)

    def _jacobian(self, x: Vector) -> Vector:
        if not self._columns:
            try:
                found = self._call(self._whole, x)
            except GradgenError:  # of what else is wrong with `f`, the first column tells
                self._columns = True
            else:
                return self._matrix_of(found)
        made = np.empty((sum(self._rows), len(x)))
        for column, v in enumerate(np.eye(len(x))):
            made[:, column] = self._flattened(self._along(self._jvp, x, v)[1])
        return made

    def _matrix_of(self, derivatives: Any) -> Vector:
        """An emitted Jacobian, which has the parts of the value, and in each of the parameters."""
        places = [(m, n) for m in self._rows for n in self._sizes]
        parts = zip(_parts(derivatives, ""), places, strict=True)
        blocks = [np.reshape(part, place) for (_, part), place in parts]
        width = len(self._sizes)
        rows = [blocks[at : at + width] for at in range(0, len(blocks), width)]
        return np.block(rows).astype(np.float64, copy=False)

    def _flattened(self, tree: Any) -> Vector:
        return _vector(part for _, part in _parts(tree, ""))

    def _along(self, function: Any, x: Vector, v: Vector) -> Any:
        """A function that takes tangents, called with those that `v` stands for."""
        along = self._parameters(v)
        given = {**self._given, **self._parameters(x)}
        given.update({p.name: along[p.added] for p in self._taking if p.added})
        return _called(function, self._taking, given)

    def _call(self, function: Any, x: Vector) -> Any:
        return _called(function, self._own, {**self._given, **self._parameters(x)})

    def _parameters(self, x: Vector) -> dict[str, Any]:
        """The parameters by name; they share no memory with `x`."""
        pieces = (x[where] for where in self._places)
        return {name: _rebuilt(value, pieces) for name, value in self._start.items()}

    def _checked(self, x: ArrayLike, name: str) -> Vector:
        """The vector as float64; what `f` gets is copied from it. Raises `GradgenError`."""
        given, size = np.asarray(x), self._size
        if given.shape != (size,) or given.dtype.kind not in "fiu":
            raise GradgenError(
                f"{name} takes {size} real numbers in an array of shape ({size},), "
                f"not {given.dtype} of shape {given.shape}"
            )
        return given.astype(np.float64, copy=False)


def _called(function: Any, params: Iterable[Param], given: dict[str, Any]) -> Any:
    """The function, called with what is given; what stands behind one left out is named."""
    args: list[Any] = []
    by_name: dict[str, Any] = {}
    gap = False
    for param in params:
        gap = gap or param.keyword_only or param.name not in given
        if param.name in given and gap:
            by_name[param.name] = given[param.name]
        elif not gap:
            args.append(given[param.name])
    return function(*args, **by_name)


class _Last:
    """A function of a vector that is not called again for the vector it was called with last."""

    def __init__(self, function: Callable[[Vector], Any]) -> None:
        self._function = function
        # Replaced as a whole, so that a thread never reads half of what another one writes.
        self._kept: tuple[bytes, Any] = (b"", None)

    def __call__(self, x: Vector) -> Any:
        key, kept = x.tobytes(), self._kept
        if kept[0] != key:
            self._kept = kept = (key, self._function(x))
        return kept[1]


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _refuse_integers(parts: Mapping[str, Any]) -> None:
    for where, part in parts.items():
        if isinstance(part, (np.ndarray, np.generic)) and part.dtype.kind != "f":
            raise ActiveTypeError(
                f"{where} has the dtype {part.dtype}, and no derivative; "
                "pass floats, or leave it out of wrt"
            )


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _checked_parts(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """As `_parts`. Raises `GradgenError` for what is no argument of an emitted function."""
    LiveTypes().spec(value, name)
    return _parts(value, name)


def _parts(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The numbers and arrays in a structure, in order, and where each stands."""
    return ((where, part) for where, part in _leaves(value, name) if not _is_fixed(part))


def _is_fixed(part: Any) -> bool:
    """What is no number is fixed while compiling, and has None as its derivative."""
    return part is None or isinstance(part, (bool, str))


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}[{key!r}]")
    elif _is_record(value):
        for field in dataclasses.fields(value):
            yield from _leaves(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, (list, tuple)):
        keys = getattr(value, "_fields", None)
        for at, item in enumerate(value):
            yield from _leaves(item, f"{name}.{keys[at]}" if keys else f"{name}[{at}]")
    else:
        yield name, value


def _rebuilt(value: Any, pieces: Iterator[Vector]) -> Any:
    """The structure with the next piece in the place of each part, of its shape and dtype."""
    if isinstance(value, dict):
        made = copy.copy(value)
        made.update({key: _rebuilt(item, pieces) for key, item in value.items()})
        return made
    if _is_record(value):
        names = [field.name for field in dataclasses.fields(value)]
        return type(value)(**{name: _rebuilt(getattr(value, name), pieces) for name in names})
    if isinstance(value, (list, tuple)):
        items = [_rebuilt(item, pieces) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if _is_fixed(value):
        return value
    piece = next(pieces)
    if isinstance(value, np.ndarray):
        return piece.reshape(value.shape).astype(value.dtype)
    return value.dtype.type(piece[0]) if isinstance(value, np.generic) else float(piece[0])


def _vector(parts: Iterable[Any]) -> Vector:
    """All numbers of all parts, in one new array."""
    return np.concatenate([np.ravel(part) for part in parts] or [np.empty(0)], dtype=np.float64)
