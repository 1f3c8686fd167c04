"""What a user's function says to the compiler, and is nothing but Python when it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from copy import deepcopy
from functools import partial, update_wrapper
from typing import Any, TypeVar

T = TypeVar("T")


def stop_gradient(x: T) -> T:
    """`x` itself, which derivatives take for a constant, in every mode and of every order.

    `x` is a number or an array; the result is the same object. Emitted code has `x` in its place.
    """
    held = _HELD.get()
    return x if held is None else held.through(x)


class Held:
    """What a function stops, kept from its first call and given in its place in all that follow.

    The slope of a function whose stopped values are held is the derivative that it is said to have.
    """

    def __init__(self) -> None:
        # The names of the functions with rules that were called, and read for the computation.
        self.ruled: dict[str, None] = {}
        self._values: list[Any] = []
        self._first = True
        self._next = 0

    def through(self, x: Any) -> Any:
        """What `stop_gradient(x)` gives."""
        if self._first:
            self._values.append(deepcopy(x))
            return x
        self._next += 1
        return deepcopy(self._values[self._next - 1])

    def call(self, function: Callable[[], T]) -> T:
        """What a call of the function gives."""
        token = _HELD.set(self)
        self._next = 0
        try:
            return function()
        finally:
            self._first = False
            _HELD.reset(token)


_HELD: ContextVar[Held | None] = ContextVar("held", default=None)


class CustomRule:
    """A function with derivatives of its own; it is called as the function is."""

    def __init__(
        self, function: Callable[..., Any], vjp: Callable[..., Any] | None,
        jvp: Callable[..., Any] | None, result: Callable[..., Any] | None,
    ) -> None:  # fmt: skip
        update_wrapper(self, function, updated=())
        self.function, self.vjp, self.jvp, self.result = function, vjp, jvp, result
        if result is not None:
            from inspect import signature

            # what is opaque may have none that can be seen
            self.__signature__ = signature(result)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """What the function gives."""
        held = _HELD.get()
        if held is not None and self.result is None:
            held.ruled[getattr(self, "__name__", "a function")] = None
        return self.function(*args, **keywords)


def custom_rule(
    f: Callable[..., Any] | None = None, *, vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None, result: Callable[..., Any] | None = None,
) -> Any:  # fmt: skip
    """`f` with these derivatives instead of its own; without `f` a decorator.

    `f` takes numbers and arrays and gives one number or array, `out`. `vjp(g, out, x, y, ...)`
    gives the adjoint of each argument, `jvp(out, x, y, ..., t_x, t_y, ...)` the tangent of `out`;
    they have the shapes of what they belong to. The adjoint of what has none is None, its tangent
    too. Both are read as `f` is.

    With `result`, `f` is opaque: never read, and called by what is emitted, which imports it.
    `result(x, y, ...)` is read, and gives anything of the shape and dtype that `f` gives; its
    parameters are those of `f`. An opaque `f` must depend on its arguments alone, and change none.
    Without a rule it has no derivative.

    Raises `TypeError` where none of the three is given.
    """
    if vjp is None and jvp is None and result is None:
        raise TypeError("custom_rule takes vjp=, jvp= or both")
    if f is None:
        return partial(custom_rule, vjp=vjp, jvp=jvp, result=result)
    return CustomRule(f, vjp, jvp, result)
