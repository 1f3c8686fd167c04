"""The symbolic oracle: each partial derivative proved by SymPy, or compared at many digits.

The user's graph and the derived graph, as it is after the passes, are evaluated entry by entry at
small lengths. Where SymPy shows that its own derivative of the value and the adjoint differ by 0,
the partial is proved. Elsewhere the adjoint is compared, at points of the domain, with a central
difference of the value, at so many digits that the difference is exact to more than are compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from gradgen.oracles.digits import Point, Session, compared, gradient_nodes, session_of
from gradgen.oracles.domain import Domain
from gradgen.oracles.exact import FAILURES, Evaluator, Unsupported
from gradgen.oracles.formulas import walk
from gradgen.oracles.report import Effort, Finding
from gradgen.oracles.sample import samples
from gradgen.oracles.scalars import Expressions
from gradgen.oracles.subject import Leaf, Subject

__all__ = ["symbolic"]

ORACLE = "symbolic"
# The value's expression may have so many times the operations that a difference may have.
VALUE_LIMIT = 12
# How many times as many operations an expression may have for the steps that take less time.
CHEAP = 8
# What would have more terms than these is not multiplied out, which takes about a second for them.
MOST_TERMS = 10_000
# How many partial derivatives are looked at one by one, as a multiple of `effort.samples`.
PARTIALS = 2


@dataclass(frozen=True, slots=True)
class Partial:
    """One derivative: an entry of a leaf, and which symbol and which gradient belong to it."""

    leaf: Leaf
    index: tuple[int, ...]

    @property
    def text(self) -> str:
        """How a finding names it: `d/dW[0, 1]`."""
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return f"d/d{self.leaf.text}{place}"


@dataclass(slots=True)
class Branch:
    """The expressions around a point: of the value, of the gradients, of the arguments."""

    arithmetic: Expressions
    value: sympy.Expr | None
    gradients: dict[str, Any]
    symbols: dict[str, Any]
    point: dict[sympy.Symbol, Any]
    kinks: bool


def symbolic(subject: Subject, effort: Effort, domain: Domain | None = None) -> Iterator[Finding]:
    """The findings on the derivatives of a subject, one for each partial as far as effort goes.

    "proved" says that SymPy showed the difference to be zero, on every branch that one of the
    sampled points lies in; "agrees" and "differs" compare with a difference quotient at these
    points, relative to the derivative. Operations that are not evaluated exactly leave the verdict
    "unchecked", with their name. Raises `GradgenError` where the domain names no argument.
    """
    points = [
        {leaf: np.asarray(value) for leaf, value in found.items()}
        for found in samples(subject, effort.points, effort.seed, domain)
    ]
    try:
        session = session_of(subject, effort, points)
    except Unsupported as missing:
        yield from _unchecked(subject, f"{missing} is not evaluated exactly")
        return
    if not session.points:
        yield from _unchecked(subject, "no point was found where the value is finite")
        return
    branches = _branches(session)
    chosen, rest = _chosen(session)
    for partial in chosen:
        if effort.expired():
            yield Finding(ORACLE, partial.text, "unchecked", "the time was over")
        else:
            yield _finding(session, branches, partial)
    for leaf, others in rest:
        if not effort.expired():
            yield _along(session, leaf, others)
        else:
            yield Finding(ORACLE, f"d/d{leaf.text}", "unchecked", "the time was over")


def _unchecked(subject: Subject, why: str) -> Iterator[Finding]:
    for leaf in subject.active:
        yield Finding(ORACLE, f"d/d{leaf.text}", "unchecked", why)


def _finding(session: Session, branches: Sequence[Branch], partial: Partial) -> Finding:
    """A partial that is proved, or else compared."""
    if branches and all(_proved(session, b, partial) for b in branches):
        count = len(branches)
        kinks = any(branch.kinks for branch in branches)
        where = "" if not kinks else " on the branch met" if count == 1 else (
            f" on each of the {count} branches met")  # fmt: skip
        return Finding(ORACLE, partial.text, "proved", f"SymPy: the difference is 0{where}", count)
    direction = {partial.leaf.text: {partial.index: 1.0}}
    return compared(session, ORACLE, partial.text, direction)


def _along(session: Session, leaf: Leaf, others: Sequence[Partial]) -> Finding:
    """The derivatives for which there is no time one by one: along a random direction."""
    rng = np.random.default_rng([session.effort.seed, 7])
    weights = {partial.index: float(rng.uniform(0.5, 2.0)) for partial in others}
    name = f"d/d{leaf.text}, {len(others)} more entries along a direction"
    return compared(session, ORACLE, name, {leaf.text: weights})


# -- the proof -------------------------------------------------------------------------------------


def _branches(session: Session) -> list[Branch]:
    """The expressions around each point that lies in another branch than those before it."""
    found: dict[Any, Branch] = {}
    for point in session.points:
        try:
            branch = _branch(session, point)
        except Unsupported:
            return []
        # what depends on integers is another program for other ones
        whole = [(k, v.tobytes()) for k, v in point.items() if v.dtype.kind != "f"]
        branch.kinks |= bool(whole)
        found.setdefault((*branch.arithmetic.decisions, *whole), branch)
    return list(found.values())


def _branch(session: Session, point: Point) -> Branch:
    """The value and the gradients as expressions in symbols, one for each entry of a leaf."""
    subject = session.subject
    symbols: dict[str, Any] = {}
    count = 0
    for leaf in subject.leaves:
        if leaf.type.is_float:
            held = np.empty(np.shape(point[leaf.text]), object)
            for index in np.ndindex(held.shape):
                held[index] = sympy.Symbol(f"v{count}", real=True)
                count += 1
            symbols[leaf.text] = held
    active = frozenset(s for leaf in subject.active for s in symbols[leaf.text].ravel())
    arithmetic = Expressions(session.numbers, VALUE_LIMIT * session.effort.symbolic, active)
    inputs: dict[Any, Any] = {}
    for leaf in subject.leaves:
        value = point[leaf.text]
        if leaf.text in symbols:
            terms = np.empty(value.shape, object)
            for index in np.ndindex(value.shape):
                terms[index] = arithmetic.symbol(symbols[leaf.text][index], float(value[index]))
            value = terms
        inputs[leaf.name, leaf.path] = value
    (value,) = Evaluator(subject.graph, inputs, arithmetic).of([subject.value])
    arithmetic.named = session.named
    found = Evaluator(subject.derived, inputs, arithmetic).of(gradient_nodes(subject).values())
    gradients = dict(zip(gradient_nodes(subject), found, strict=True))
    point_of = {
        symbol: session.numbers.number(float(at))
        for leaf, held in symbols.items()
        for symbol, at in zip(held.ravel(), point[leaf].ravel(), strict=True)
    }
    return Branch(
        arithmetic, value[()].expr, gradients, symbols, point_of, kinks=bool(arithmetic.decisions)
    )


def _proved(session: Session, branch: Branch, partial: Partial) -> bool:
    """Whether SymPy shows its derivative and the adjoint to be equal on a branch."""
    have = branch.gradients[partial.leaf.text][partial.index].expr
    if branch.value is None or have is None:
        return False
    symbol = branch.symbols[partial.leaf.text][partial.index]
    try:
        return _is_zero(session, branch, sympy.diff(branch.value, symbol) - have)
    except (*FAILURES, NotImplementedError):  # what SymPy raises where it is at its limits
        return False


def _is_zero(session: Session, branch: Branch, difference: sympy.Expr) -> bool:
    """Whether SymPy shows a short expression to be zero on a branch."""
    difference = _settled(difference, session, branch)
    if branch.arithmetic.size(difference) > CHEAP * session.effort.symbolic:
        return False
    number = _at(difference, session, branch)
    # SymPy is not asked about what a number refutes
    refuted = number is None or not abs(number) < 10.0**-session.effort.digits
    return not refuted and _vanishes(difference, branch, session.effort.symbolic)


def _vanishes(difference: sympy.Expr, branch: Branch, limit: int) -> bool:
    """Whether SymPy proves an expression zero: by `simplify` one of at most so many operations."""
    if difference == 0:
        return True
    if difference.has(sympy.nan, sympy.oo, sympy.zoo):
        return False
    # simplify starts from what was there: the steps before it may have taken a sum apart
    size, whole = branch.arithmetic.size, difference
    for step in (_expanded, sympy.powsimp, _as_fraction):
        if size(difference) > CHEAP * limit:
            break
        difference = step(difference)
        if difference == 0:
            return True
    return size(whole) <= limit and bool(sympy.simplify(whole) == 0)


def _as_fraction(expression: sympy.Expr) -> sympy.Expr:
    """One fraction whose numerator is expanded; 0 where that vanishes."""
    numerator, denominator = sympy.fraction(sympy.together(expression))
    return sympy.powsimp(_expanded(numerator)) / denominator


def _expanded(expression: sympy.Expr) -> sympy.Expr:
    """An expression multiplied out, or as it is where that would take too many terms."""
    if any(_terms(part) > MOST_TERMS for part in _outermost(expression)):
        return expression
    return sympy.expand(expression)


def _outermost(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """What `expand` multiplies out: the expression, and the operands of functions in it."""
    yield expression
    for part in sympy.preorder_traversal(expression):
        if isinstance(part, sympy.Function) or (part.is_Pow and not part.exp.is_Integer):
            yield from part.args


def _terms(expression: sympy.Expr) -> int:
    """At most how many terms an expression has once it is multiplied out."""
    if expression.is_Add:
        return sum(_terms(a) for a in expression.args)
    if expression.is_Mul:
        return min(math.prod(_terms(a) for a in expression.args), 10 * MOST_TERMS)
    if expression.is_Pow and expression.exp.is_Integer:
        count, power = _terms(expression.base), abs(int(expression.exp))
        if count < 2 or power > MOST_TERMS:
            return 1 if count < 2 else 10 * MOST_TERMS
        return min(math.comb(count + power - 1, power), 10 * MOST_TERMS)
    return 1


def _settled(expression: sympy.Expr, session: Session, branch: Branch) -> sympy.Expr:
    """Absolute values and signs that SymPy brought in, decided as on the branch."""
    for _ in range(4):
        kinks = expression.atoms(sympy.Abs, sympy.sign)
        if not kinks:
            break
        chosen = {}
        for kink in kinks:
            side = _sign_at(kink.args[0], session, branch)
            if side:
                chosen[kink] = side * kink.args[0] if isinstance(kink, sympy.Abs) else side
        if not chosen:
            break
        branch.kinks = True
        expression = expression.xreplace(chosen)
    return expression


def _sign_at(expression: sympy.Expr, session: Session, branch: Branch) -> int:
    value = _at(expression, session, branch)
    return 0 if value is None else int(value > 0) - int(value < 0)


def _at(expression: sympy.Expr, session: Session, branch: Branch) -> Any:
    """The number that an expression is at the point of a branch; None where that is not known."""
    try:
        return walk(expression, session.numbers, branch.point)
    except Unsupported:
        return None


# -- what is looked at -----------------------------------------------------------------------------


def _chosen(session: Session) -> tuple[list[Partial], list[tuple[Leaf, list[Partial]]]]:
    """The derivatives to look at one by one, and by leaf those that are left.

    Where there are too many, those that are largest at the first point.
    """
    subject, limit = session.subject, PARTIALS * session.effort.samples
    every = {
        leaf.text: [Partial(leaf, at) for at in np.ndindex(np.shape(session.points[0][leaf.text]))]
        for leaf in subject.active
    }
    share = max(limit // max(len(every), 1), 1)
    few = sum(map(len, every.values())) <= limit
    chosen: list[Partial] = []
    rest: list[tuple[Leaf, list[Partial]]] = []
    for leaf in subject.active:
        partials = every[leaf.text]
        if not few and len(partials) > share:
            partials = _ordered(session, partials)
            rest.append((leaf, partials[share:]))
            partials = partials[:share]
        chosen += partials
    return chosen, rest


def _ordered(session: Session, partials: Sequence[Partial]) -> list[Partial]:
    """The largest ones first, and NaN before them."""
    first = session.gradients[0]

    def key(partial: Partial) -> float:
        size = abs(float(first[partial.leaf.text][partial.index]))
        return -size if size == size else -np.inf

    return sorted(partials, key=key)
