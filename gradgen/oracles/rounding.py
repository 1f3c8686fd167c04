"""How far rounding moves what an emitted function computes: it is run with other roundings.

Every operation of the emitted text that rounds has its result changed by up to two units in the
last place, at random, and so have the arguments (stochastic arithmetic: J. Vignes, "A stochastic
arithmetic for reliable scientific computation", 1993). What moves the results is what their
condition and cancellation in between make of rounding, and nothing else.
"""

from __future__ import annotations

import ast
import copy
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gradgen.errors import GradgenError
from gradgen.live import load
from gradgen.oracles.sample import Random, Values, copied
from gradgen.oracles.subject import Subject, flat_gradients
from gradgen.read.source import FunctionNode, syntax_of
from gradgen.render import render

RUNS = 8
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
    """The emitted function of a subject, each time with other roundings."""

    def __init__(self, subject: Subject, random: Random) -> None:
        self.subject, self.random = subject, random
        unit = subject.program.unit
        tree = ast.fix_missing_locations(_Wrap().visit(ast.parse(render(unit))))
        namespace: dict[str, Any] = dict(unit.namespace)
        namespace["__name__"] = getattr(subject.emitted, "__module__", None) or "gradgen_emitted"
        namespace[_ROUNDED] = self._rounded
        exec(compile(tree, "<gradgen rounding>", "exec", dont_inherit=True), namespace)
        self._plain: Callable[..., Any] = load(
            subject.program, subject.graph.name, "value_and_grad", subject.function
        )
        self._function: Callable[..., Any] = namespace[unit.functions[0].name]

    def run(self, values: Mapping[str, Any]) -> Result | None:
        """Value and gradient at arguments that are moved by their roundings; None: it raised."""
        return self._called(self._function, self._moved(values))

    def _moved(self, values: Mapping[str, Any]) -> Values:
        moved = copied(values)
        for leaf in self.subject.leaves:
            if leaf.type.is_float:
                moved[leaf.text] = self._rounded(moved[leaf.text])
        return moved

    def plain(self, values: Mapping[str, Any]) -> Result | None:
        """What the program computes as it is; None: it raised."""
        return self._called(self._plain, copied(values))

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


_UNITS = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])


class RoundedByHand(Rounded):
    """As `Rounded`, where the gradient comes from a function that somebody wrote.

    Its own text is run with other roundings, with those of the functions of its file that it calls;
    where there is no text, as of compiled code, its arguments alone are moved.
    """

    def __init__(self, subject: Subject, random: Random) -> None:
        super().__init__(subject, random)
        self._as_written = subject.emitted
        # a copy of what calls the function, with another function
        gradient: Any = copy.copy(subject.emitted)
        gradient.function = _otherwise(subject.by_hand, self._rounded)
        self._gradient: Callable[..., Any] = gradient

    def run(self, values: Mapping[str, Any]) -> Result | None:
        """See `Rounded.run`; the value is that of the user's function."""
        return self._joined(super().run(values), self._gradient, self._moved(values))

    def plain(self, values: Mapping[str, Any]) -> Result | None:
        """See `Rounded.plain`."""
        return self._joined(super().plain(values), self._as_written, values)

    def _joined(
        self, own: Result | None, function: Callable[..., Any], values: Mapping[str, Any]
    ) -> Result | None:
        found = self._called(function, copied(values))
        return None if own is None or found is None else (own[0], found[1])


def _otherwise(function: Any, rounded: Callable[[Any], Any]) -> Any:
    """A function whose text is run with other roundings; itself, where its text is not known."""
    if not isinstance(function, types.FunctionType):
        return function
    try:
        closure = {
            name: cell.cell_contents
            for name, cell in zip(
                function.__code__.co_freevars, function.__closure__ or (), strict=True
            )
        }
        namespace = {**function.__globals__, **closure, _ROUNDED: rounded}
        for name, inner in _own_functions(function):
            namespace[name] = _compiled(inner, namespace)
        return _compiled(function, namespace)
    except (GradgenError, SyntaxError, ValueError, RecursionError):
        return function


def _own_functions(function: types.FunctionType) -> Iterator[tuple[str, types.FunctionType]]:
    """The functions of the same file that a function calls by name, and those that these call."""
    file, known = function.__code__.co_filename, dict[str, types.FunctionType]()
    left = [function]
    while left:
        for name in left.pop().__code__.co_names:
            inner = function.__globals__.get(name)
            if (
                isinstance(inner, types.FunctionType) and name not in known
                and inner.__code__.co_filename == file and not inner.__closure__
                and not hasattr(inner, "__wrapped__")
            ):  # fmt: skip
                known[name] = inner
                left.append(inner)
    yield from known.items()


def _compiled(function: types.FunctionType, namespace: dict[str, Any]) -> types.FunctionType:
    node: FunctionNode = copy.deepcopy(syntax_of(function)[1])
    if isinstance(node, ast.Lambda):
        body: list[ast.stmt] = [ast.Return(node.body)]
    else:
        body = node.body
    made = ast.FunctionDef("_gradgen_written", node.args, body, [])
    for argument in ast.walk(made.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    # The defaults are values that are known, whatever the text makes of them now.
    made.args.defaults = [ast.Constant(None) for _ in made.args.defaults]
    made.args.kw_defaults = [d and ast.Constant(None) for d in made.args.kw_defaults]
    made.body = [_Wrap().visit(statement) for statement in body]
    module = ast.fix_missing_locations(ast.Module([made], []))
    exec(compile(module, "<gradgen rounding>", "exec", dont_inherit=True), namespace)
    found: types.FunctionType = namespace["_gradgen_written"]
    found.__defaults__, found.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return found


def rounded_of(subject: Subject, random: Random) -> Rounded:
    """What runs the gradient of a subject with other roundings."""
    return (Rounded if subject.by_hand is None else RoundedByHand)(subject, random)


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
    return noise, moved


def _most(before: Any, one: Any, other: Any) -> Any:
    """The larger of what was and of a difference, where that is a number."""
    with np.errstate(all="ignore"):
        change = np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float))
    if change.shape != np.shape(before):
        return before
    return np.fmax(before, np.where(np.isfinite(change), change, 0.0))
