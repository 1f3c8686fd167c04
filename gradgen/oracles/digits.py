"""Derivatives at many digits: from the adjoints, and from differences of the value.

With steps of 1e-50 at 150 digits a central difference is right to about a hundred digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from gradgen.graph import Graph, leaves
from gradgen.oracles.exact import Evaluator
from gradgen.oracles.report import Effort, Finding, Verdict
from gradgen.oracles.scalars import Numbers, Unsupported
from gradgen.oracles.subject import Subject

Point = Mapping[str, np.ndarray[Any, Any]]
# Weights of entries of leaves.
Direction = Mapping[str, Mapping[tuple[int, ...], float]]
# Floats by which the derivative rules mean the number that is nearest to them.
NAMED = (
    sympy.log(2), sympy.log(10), 2 / sympy.sqrt(sympy.pi), sympy.sqrt(sympy.pi) / 2,
    sympy.sqrt(2 * sympy.pi), 1 / sympy.sqrt(2 * sympy.pi), sympy.sqrt(2 / sympy.pi),
    1 / sympy.sqrt(2), sympy.pi / 180,
)  # fmt: skip
# Operations with an infinite derivative where they are 0, and where their operand is 1 or -1.
ROOTS = ("sqrt", "cbrt", "special_cbrt", "power", "std", "nanstd")
ARCS = ("arcsin", "arccos", "arccosh")
# Operations whose derivative is a truncated series on a part of the domain, and its error there.
SERIES = {"sinc": 1e-16, "erfcx": 1e-16, "dawsn": 1e-16}


@dataclass(slots=True)
class Comparison:
    """What was found of one derivative at several points."""

    count: int = 0
    worst: float = 0.0
    at: dict[str, Any] | None = None
    values: tuple[str, str] = ("", "")
    differs: bool = False
    # Whether it needed the rounding of constants that were folded while deriving.
    rounded: bool = False


@dataclass(slots=True)
class Session:
    """What is computed once for all derivatives of a subject, at points and beside them."""

    subject: Subject
    effort: Effort
    points: list[Point]
    numbers: Numbers
    named: dict[float, sympy.Expr]
    bound: float
    gradients: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[Any] = field(default_factory=list)
    # The gradients with a constant moved by its rounding, by the point and the constant.
    moved: dict[tuple[int, float], dict[str, Any]] = field(default_factory=dict)


def session_of(subject: Subject, effort: Effort, points: Iterable[Point]) -> Session:
    """The gradients at those of the points where they are evaluated.

    Raises `Unsupported` where they are at none.
    """
    bound = max(10.0 ** -(effort.digits * 3 // 5), _series_error(subject.graph))
    session = Session(
        subject, effort, [], Numbers(3 * effort.digits), named_constants(subject), bound
    )
    missing: Unsupported | None = None
    for point in points:
        session.points.append(point)
        try:
            numbers = session.numbers.naming(session.named)
            gradients, largest = _gradients(session, len(session.points) - 1, numbers)
        except Unsupported as error:
            missing = error
            session.points.pop()
            continue
        session.gradients.append(gradients)
        session.sizes.append(largest)
    if missing is not None and not session.points:
        raise missing
    return session


def compared(session: Session, oracle: str, name: str, direction: Direction) -> Finding:
    """The derivative along a direction, from the adjoints and from differences of the value."""
    found = Comparison()
    try:
        for number in range(len(session.points)):
            wanted = quotient(session, number, direction)
            if session.numbers.context.isfinite(wanted):
                _note(session, found, number, direction, wanted)
    except Unsupported as missing:
        return Finding(oracle, name, "unchecked", f"{missing} is not evaluated exactly")
    digits = session.effort.digits
    if not found.count:
        return Finding(oracle, name, "unchecked", "there is no derivative at any point")
    verdict: Verdict = "differs" if found.differs else "agrees"
    many = f"{found.count} point{'s' if found.count > 1 else ''}"
    detail = f"compared at {many} with {digits} digits, relative to the derivative"
    if found.differs:
        detail = f"is {found.values[0]}, and must be {found.values[1]}"
    elif found.rounded:
        detail += ", as far as the rounding of constants lets them agree"
    elif session.bound > 10.0 ** -(digits * 3 // 5):
        detail += f", within {session.bound:.0e}: a series stands in the derivative"
    return Finding(oracle, name, verdict, detail, found.count, found.worst, found.at)


def _note(
    session: Session, found: Comparison, number: int, direction: Direction, wanted: Any
) -> None:
    """Enter one comparison.

    The error is relative to the derivative. Where that is zero the adjoint is a sum that cancels,
    and may be as large as the rounding of the largest number on the way.
    """
    c = session.numbers.context
    have = _product(session, session.gradients[number], direction)
    if not c.isfinite(have) and _is_singular(session, number):
        return
    found.count += 1
    noise = session.sizes[number] * c.mpf(10) ** -(session.effort.digits * 6 // 5)
    distance = abs(have - wanted)
    error = c.inf
    if distance <= noise:
        error = c.zero
    elif c.isfinite(have) and wanted != 0:
        error = distance / abs(wanted)
    if not error <= session.bound:
        moved = _folded(session, number, direction, have, wanted)
        found.rounded = distance <= noise + moved
        found.differs = found.differs or not found.rounded
    if found.at is None or float(error) > found.worst:
        found.worst = float(error)
        found.at = {leaf: _shown(value) for leaf, value in session.points[number].items()}
        found.values = (c.nstr(have, 17), c.nstr(wanted, 17))


def _shown(value: np.ndarray[Any, Any]) -> Any:
    return value.item() if value.ndim == 0 else value


def _product(session: Session, gradients: Mapping[str, Any], direction: Direction) -> Any:
    """The derivative along a direction, by the adjoints."""
    total = session.numbers.number(0)
    for leaf, weights in direction.items():
        for index, weight in weights.items():
            total = total + gradients[leaf][index] * weight
    return total


def quotient(session: Session, number: int, direction: Direction) -> Any:
    """The central difference of the value, in steps of 10 to the minus `effort.digits`.

    Its error is of the order of the step squared, and of the rounding by the step: both leave
    about twice as many digits as are compared. NaN where the slopes on both sides differ: there
    is no derivative, but a convention.
    """
    c, digits = session.numbers.context, session.effort.digits
    step = c.mpf(10) ** -digits
    before, at, after = (
        _value(session, session.points[number], direction, side * step) for side in (-1, 0, 1)
    )
    bend = abs(after - 2 * at + before) / step
    if not bend <= session.sizes[number] * c.mpf(10) ** -(digits // 2):
        return c.nan
    return (after - before) / (2 * step)


def _value(session: Session, point: Point, direction: Direction, step: Any) -> Any:
    """The value at a point that is moved along a direction."""
    subject = session.subject
    inputs = _inputs(session, point)
    for leaf in subject.leaves:
        for index, weight in direction.get(leaf.text, {}).items():
            held = inputs[leaf.name, leaf.path]
            held[index] = held[index] + weight * step
    (value,) = Evaluator(subject.graph, inputs, session.numbers).of([subject.value])
    return value[()]


def _folded(session: Session, number: int, direction: Direction, have: Any, wanted: Any) -> Any:
    """How far the derivative may be off because constants were folded in 64 bits.

    Each constant of the derived graph may be off by its rounding, and so may be one that was
    folded to 1 and left out.
    """
    c, unit = session.numbers.context, session.numbers.context.mpf(2) ** -52
    subject = session.subject
    constants = list(dict.fromkeys(_constants(subject.derived)))
    rough = [*constants, *_constants(subject.graph)]
    if "constant" not in subject.graph.ops and all((v * 1024).is_integer() for v in rough):
        return c.zero
    total = 4 * unit * abs(wanted)
    for value in constants:
        if (number, value) not in session.moved:
            near = session.numbers.naming(session.named).number(value) * (1 + unit)
            moved = session.numbers.naming(session.named, {value: near})
            session.moved[number, value] = _gradients(session, number, moved)[0]
        total = total + abs(_product(session, session.moved[number, value], direction) - have)
    return total


def _is_singular(session: Session, number: int) -> bool:
    """Whether the derivative of a root or of an arc is infinite at a point, and nothing masks it.

    Then the gradient may be NaN though the function has one, as at the root of a sum of squares.
    """
    graph = session.subject.graph
    evaluator = Evaluator(graph, _inputs(session, session.points[number]), session.numbers)
    evaluator.of([session.subject.value])
    if any(graph.ops[node] == "where" for node in evaluator.values if node < len(graph)):
        return False
    tiny = session.numbers.context.mpf(10) ** -(2 * session.effort.digits)
    for node, value in evaluator.values.items():
        op = graph.ops[node] if node < len(graph) else ""
        if op in ROOTS and (op != "power" or graph.values[graph.args[node][1]] == 0.5):
            near = evaluator.numbers(value)
        elif op in ARCS:
            near = evaluator.each(lambda x: abs(x) - 1, evaluator.values[graph.args[node][0]])
        else:
            continue
        if any(abs(x) < tiny for x in near.ravel()):
            return True
    return False


def _inputs(session: Session, point: Point) -> dict[Any, Any]:
    return inputs_at(session.subject, point, session.numbers)


def inputs_at(subject: Subject, point: Point, numbers: Numbers) -> dict[Any, Any]:
    """The arguments at a point as numbers of mpmath."""
    found: dict[Any, Any] = {}
    for leaf in subject.leaves:
        value = point[leaf.text]
        if leaf.type.is_float:
            exact = np.empty(value.shape, object)
            for index in np.ndindex(value.shape):
                exact[index] = numbers.number(float(value[index]))
            value = exact
        found[leaf.name, leaf.path] = value
    return found


def _gradients(session: Session, number: int, numbers: Numbers) -> tuple[dict[str, Any], Any]:
    inputs = _inputs(session, session.points[number])
    return adjoints_of(session.subject, inputs, numbers)


def adjoints_of(
    subject: Subject, inputs: Mapping[Any, Any], numbers: Numbers
) -> tuple[dict[str, Any], Any]:
    """The adjoints by leaf at a point, and the largest finite number on the way, at least 1."""
    nodes = gradient_nodes(subject)
    evaluator = Evaluator(subject.derived, inputs, numbers)
    found = evaluator.of(nodes.values())
    return dict(zip(nodes, found, strict=True)), largest_of(evaluator, numbers)


def largest_of(evaluator: Evaluator, numbers: Numbers) -> Any:
    """The largest finite number that an evaluation met, at least 1."""
    c = numbers.context
    largest = c.one
    for value in evaluator.values.values():
        for part in value if isinstance(value, tuple) else (value,):
            if part.dtype == object:
                largest = max([largest, *(abs(x) for x in part.ravel() if c.isfinite(x))])
    return largest


def gradient_nodes(subject: Subject) -> dict[str, int]:
    """The nodes of the adjoints in the derived graph, by the text of their leaves."""
    _, gradients = subject.derived.results
    found: dict[str, int] = {}
    for name, tree in zip(subject.wrt, gradients, strict=True):
        own = [leaf for leaf in subject.active if leaf.name == name]
        for leaf, node in zip(own, leaves(tree), strict=True):
            found[leaf.text] = node
    return found


def _series_error(graph: Graph) -> float:
    """The error of the truncated series in the derivatives of a graph's operations."""
    return max((SERIES.get(op, 0.0) for op in graph.ops), default=0.0)


def named_constants(subject: Subject) -> dict[float, sympy.Expr]:
    """The floats in the derived graph that stand for other numbers, unless the user wrote them."""
    signed = {float(sign * number): sign * number for number in NAMED for sign in (1, -1)}
    return {value: signed[value] for value in _made_constants(subject) if value in signed}


def _made_constants(subject: Subject) -> list[float]:
    """The constants of the derived graph that the user did not write."""
    own = set(_constants(subject.graph))
    return [
        value for value in dict.fromkeys(_constants(subject.derived))
        if value not in own
    ]  # fmt: skip


def _constants(graph: Graph) -> list[float]:
    return [a for op, a in zip(graph.ops, graph.attrs, strict=True)
            if op == "const" and isinstance(a, float) and math.isfinite(a)]  # fmt: skip
