"""The domain of a function: what it assumes of its arguments, and what a user declares of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gradgen.errors import GradgenError
from gradgen.graph import Graph
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.ops.table import ATOM
from gradgen.oracles.intervals import RELATIONS, Interval, intervals, narrowing, points, related
from gradgen.oracles.subject import Leaf, Subject
from gradgen.spelling import called, spelled

Domain = Mapping[str, Interval]

_NAME = r"([^\W\d]\w*(?:\.\w+|\[[^\]]*\])*)"
_NUMBER = r"([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf)"
_BETWEEN = re.compile(rf"{_NAME}\s+in\s*([\[(])\s*{_NUMBER}\s*,\s*{_NUMBER}\s*([\])])")
_ONE_OF = re.compile(rf"{_NAME}\s+in\s*\{{(.*)\}}")
_RELATED = re.compile(rf"{_NAME}\s*(<=|>=|<|>|==)\s*{_NUMBER}")
_CHAINED = re.compile(rf"{_NUMBER}\s*(<=|<)\s*{_NAME}\s*(<=|<)\s*{_NUMBER}")
_KEY = re.compile(r"""\[\s*(?:"([^"\]]*)"|'([^'\]]*)'|(\w+))\s*\]""")
_DEPTH = {"[": 1, "(": 1, "{": 1, "]": -1, ")": -1, "}": -1}
HINT = 'write "x in [0, 1]", "x in {0, 1}", "x > 0" or "0 < p.W <= 1", with commas between'


def parse_domain(text: str) -> dict[str, Interval]:
    """The intervals that a text declares, by the dotted names of arguments or parts of them.

    `"x in [0.1, 10], p.W in (-1, 1], y in {0, 1}, z > 0, 0 < w <= 1"`; what is said twice of one
    name holds together. Raises `GradgenError` for a text that it cannot read, and for an interval
    without numbers.
    """
    found: dict[str, Interval] = {}
    for clause in _clauses(text):
        name, interval = _clause(clause)
        interval = found[name].meet(interval) if name in found else interval
        if interval.is_empty:
            raise GradgenError(f"domain: no number lies in {clause!r}")
        found[name] = interval
    return found


def _clauses(text: str) -> Iterator[str]:
    """The parts between the commas that stand in no bracket."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        depth += _DEPTH.get(character, 0)
        if character == "," and depth == 0:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip() or start:
        yield text[start:].strip()


def _clause(clause: str) -> tuple[str, Interval]:
    if match := _BETWEEN.fullmatch(clause):
        name, left, low, high, right = match.groups()
        return dotted(name), Interval(float(low), float(high), left == "(", right == ")")
    if match := _ONE_OF.fullmatch(clause):
        items = [item.strip() for item in match[2].split(",")]
        if all(re.fullmatch(_NUMBER, item) for item in items):
            return dotted(match[1]), points(tuple(map(float, items)))
    if match := _RELATED.fullmatch(clause):
        name, relation, bound = match.groups()
        return dotted(name), related(relation, float(bound))
    if match := _CHAINED.fullmatch(clause):
        low, first, name, second, high = match.groups()
        return dotted(name), Interval(float(low), float(high), first == "<", second == "<")
    raise GradgenError(f"domain: {clause!r} cannot be read; {HINT}")


def dotted(text: str) -> str:
    """How shapes= writes the place of a leaf: `p.W` for `p["W"]`."""
    return _KEY.sub(lambda m: "." + next(g for g in m.groups() if g is not None), text)


def of_leaf(domain: Domain, leaf: Leaf) -> Interval:
    """What is declared of a leaf, and of the arguments or structures that it is part of."""
    place = dotted(leaf.text)
    found = Interval()
    for name, interval in domain.items():
        if place == name or place.startswith(f"{name}."):
            found = found.meet(interval)
    return found


def check_names(subject: Subject, domain: Domain) -> None:
    """Raise `GradgenError` where a name of the domain is no argument, nor a part of one."""
    places = [dotted(leaf.text) for leaf in subject.leaves]
    for name in domain:
        if not any(p == name or p.startswith(f"{name}.") for p in places):
            raise GradgenError(
                f"domain: {subject.name} has no argument {name}; there are {', '.join(places)}"
            )
    for leaf in subject.leaves:
        if of_leaf(domain, leaf).is_empty:
            raise GradgenError(f"domain: no number is left for {dotted(leaf.text)}")


Kind = Literal["value", "branch", "matrix"]
# A clause of a condition: the place of the operand, the relation, the bound.
Clause = tuple[int, str, float]


@dataclass(frozen=True, slots=True)
class Assumption:
    """What is assumed at a node: `text` says it to the user, `kind` what fails otherwise.

    "value": the function has no value there, or none that is differentiable; "branch": the
    derivative jumps; "matrix": of a matrix as a whole. `clauses` hold for `args` of the node, all
    of them or any; `masks` are the conditions under which it is assumed at all.
    """

    text: str
    kind: Kind
    node: int
    clauses: tuple[Clause, ...] = ()
    any_of: bool = False
    masked: bool = False


_CLAUSE = re.compile(r"(?:(-?[\d.]+) (<=?) )?([xyz]) (<=|>=|!=|<|>) (-?[\d.]+)")
_POSITIVE = "is positive definite"
_MATRICES = {
    "cholesky": _POSITIVE, "scipy_cholesky": _POSITIVE, "cho_factor": _POSITIVE,
    "solve": "is invertible", "inv": "is invertible", "slogdet": "is invertible",
    "scipy_solve": "is invertible", "scipy_inv": "is invertible",
    "solve_triangular": "is invertible", "cho_solve": "is invertible",
    "eigh": "has eigenvalues apart from each other",
    "scipy_eigh": "has eigenvalues apart from each other",
    "svd": "has singular values apart from each other",
    "scipy_svd": "has singular values apart from each other",
    "qr": "has full rank", "scipy_qr": "has full rank", "pinv": "has full rank",
    "lstsq": "has full rank", "scipy_pinv": "has full rank", "scipy_lstsq": "has full rank",
}  # fmt: skip
# The operand that is to be in rising order.
_RISING = {"interp": 1, "searchsorted": 0}
_NONZERO = ("abs", "absolute", "fabs", "sign")
_PAIRS = ("maximum", "minimum", "py_max", "py_min", "fmax", "fmin")
_STEPS = ("floor", "ceil", "trunc", "rint", "round", "around", "int", "py_round", "fix")
_ORDERED = ("max", "min", "sort", "median", "argmax", "argmin", "argsort", "partition", "ptp")


def assumptions(subject: Subject, domain: Domain | None = None) -> list[Assumption]:
    """What the function assumes, apart from what its domain and interval arithmetic show.

    In the order of the program. Operands that are read under a mask of `where` alone are assumed
    to be in the domain only there. Branch points are told where derivatives pass through them.
    """
    return list(_Collector(subject, domain or {}).run())


class _Collector:
    def __init__(self, subject: Subject, domain: Domain) -> None:
        self.graph = subject.graph
        self.needed = reachable(self.graph, subject.value, values=True)
        self.active = depends_on(self.graph, {leaf.node for leaf in subject.active})
        self.given = {leaf.node: of_leaf(domain, leaf) for leaf in subject.leaves}
        self.bounds = intervals(self.graph, self.given)
        self.masks = _masks(self.graph, subject.value)
        self.under: dict[Mask, list[Interval]] = {}

    def run(self) -> Iterator[Assumption]:
        seen: set[str] = set()
        for node in range(len(self.graph)):
            if self.needed[node] and OPS.get(self.graph.ops[node]):
                for found in (*self.values(node), *self.branches(node)):
                    if found.text not in seen:
                        seen.add(found.text)
                        yield found

    def values(self, node: int) -> Iterator[Assumption]:
        """What must hold for the operation to have a value."""
        graph = self.graph
        op, args = graph.ops[node], graph.args[node]
        for text, what in _conditions(graph, node):
            clauses = tuple(_parse(text))
            any_of = " or " in text
            if self.holds(node, clauses, any_of):
                continue
            said = re.sub("[xyz]", lambda m: spelled(graph, args["xyz".index(m[0])]), text)
            yield self.assumption(node, said, what, "value", clauses, any_of)
        if op in _RISING:
            said = f"{spelled(graph, args[_RISING[op]])} rises"
            yield self.assumption(node, said, f"argument of {called(graph, node)}", "value")
        if op in _MATRICES and self.active[node]:
            said = f"{spelled(graph, args[0])} {_MATRICES[op]}"
            yield self.assumption(node, said, f"argument of {called(graph, node)}", "matrix")

    def branches(self, node: int) -> Iterator[Assumption]:
        """Where the derivative jumps."""
        graph = self.graph
        op, args = graph.ops[node], graph.args[node]
        if not any(self.active[a] for a in args):
            return
        x, what = spelled(graph, args[0]), f"branch point of {called(graph, node)}"
        pairs: list[tuple[int, int]] = []
        if op in RELATIONS or op in _PAIRS:
            pairs = [(args[0], args[1])]
        elif op in ("clip", "clip_above", "clip_below"):
            pairs = [(args[0], bound) for bound in args[1:]]
        elif op in _NONZERO and not self.holds(node, ((0, "!=", 0.0),), False):
            yield self.assumption(node, f"{x} != 0", what, "branch", ((0, "!=", 0.0),))
        elif op in _STEPS:
            said = "is not halfway between integers" if op in _ROUNDED else "is no integer"
            yield self.assumption(node, f"{x} {said}", what, "branch")
        elif op in ("mod", "floordiv"):
            said = f"{x} / {spelled(graph, args[1], ATOM)} is no integer"
            yield self.assumption(node, said, what, "branch")
        elif op in _ORDERED:
            yield self.assumption(node, f"no two items of {x} are equal", what, "branch")
        for one, other in pairs:
            if not self.apart(node, one, other):
                said = f"{spelled(graph, one)} != {spelled(graph, other)}"
                yield self.assumption(node, said, what, "branch")

    def assumption(
        self, node: int, said: str, what: str, kind: Kind, clauses: tuple[Clause, ...] = (),
        any_of: bool = False,
    ) -> Assumption:  # fmt: skip
        mask = self.masks.get(node)
        if mask is not None:
            said += " where " + " or ".join(_mask_text(self.graph, c) for c in mask)
        loc = self.graph.locs[node]
        place = f", line {loc.line}" if loc is not None else ""
        return Assumption(f"{said} ({what}{place})", kind, node, clauses, any_of, mask is not None)

    def holds(self, node: int, clauses: tuple[Clause, ...], any_of: bool) -> bool:
        """Whether the condition holds of the intervals of the operands, where they are read."""
        args = self.graph.args[node]
        return all(
            (any if any_of else all)(
                found[args[place]].always(relation, bound) for place, relation, bound in clauses
            )
            for found in self.where_read(node)
        )

    def apart(self, node: int, one: int, other: int) -> bool:
        return all(
            found[one].always("<", found[other].low) or found[other].always("<", found[one].low)
            for found in self.where_read(node)
        )

    def where_read(self, node: int) -> list[list[Interval]]:
        """The intervals under each mask that the node is read under."""
        masks = self.masks.get(node)
        if masks is None:
            return [self.bounds]
        found = []
        for mask in sorted(masks, key=sorted):
            if mask not in self.under:
                # each is a pass over the graph: of very many masks, the last say nothing
                if len(self.under) >= _MOST_MASKS:
                    return [self.bounds]
                known: dict[int, Interval] = {}
                for condition, truth in mask:
                    for at, interval in narrowing(self.graph, condition, truth).items():
                        known[at] = known[at].meet(interval) if at in known else interval
                self.under[mask] = intervals(self.graph, self.given, known)
            found.append(self.under[mask])
        return found


_ROUNDED = ("rint", "round", "around", "py_round")
_MOST_MASKS = 32
# Conditions that hold together, each with the side of `where` on which the node is read.
Mask = frozenset[tuple[int, bool]]
# More alternatives than this are as good as being read everywhere.
_MOST_ALTERNATIVES = 4


def _masks(graph: Graph, value: int) -> dict[int, frozenset[Mask]]:
    """Of the nodes that are read under masks only: the masks, of which one holds."""
    everywhere = frozenset([Mask()])
    masks: dict[int, frozenset[Mask]] = {value: everywhere}
    for node in range(len(graph) - 1, -1, -1):
        if node not in masks or graph.ops[node] not in OPS:
            continue
        row = OPS[graph.ops[node]]
        for place, arg in enumerate(graph.args[node]):
            held = masks[node]
            if graph.ops[node] == "where" and place:
                held = frozenset(m | {(graph.args[node][0], place == 1)} for m in held)
            elif not row.elementwise and not all(
                graph.types[c].shape == () for mask in held for c, _ in mask
            ):
                held = everywhere
            both = held | masks.get(arg, frozenset())
            masks[arg] = everywhere if Mask() in both or len(both) > _MOST_ALTERNATIVES else both
    return {node: held for node, held in masks.items() if Mask() not in held}


def _mask_text(graph: Graph, mask: Mask) -> str:
    return " and ".join(
        spelled(graph, c) if holds else f"not ({spelled(graph, c)})" for c, holds in sorted(mask)
    )


def _conditions(graph: Graph, node: int) -> Iterator[tuple[str, str]]:
    """The conditions on the operands `x, y, z` of a node, and what these are to it."""
    op, args = graph.ops[node], graph.args[node]
    row = OPS[op]
    if op in ("power", "float_power"):
        exponent = graph.values[args[1]]
        what = "base of a power"
        if not isinstance(exponent, (int, float)):
            if not graph.types[args[1]].is_float:
                return
            yield "x > 0", f"{what} with a variable exponent"
        elif exponent < 0:
            yield "x != 0" if float(exponent).is_integer() else "x > 0", what
        elif not float(exponent).is_integer():
            yield "x >= 0", what
    elif row.domain and row.elementwise:
        what = (
            "divisor" if op in ("div", "mod", "floordiv") else f"argument of {called(graph, node)}"
        )
        for text in row.domain.split(" and "):
            yield text, what


def _parse(text: str) -> Iterator[Clause]:
    """The clauses of a condition over `x`, `y` and `z`."""
    for part in re.split(" or | and ", text):
        match = _CLAUSE.fullmatch(part)
        assert match, text
        low, first, name, relation, bound = match.groups()
        if low:
            yield "xyz".index(name), first.replace("<", ">"), float(low)
        yield "xyz".index(name), relation, float(bound)


def depends_on(graph: Graph, sources: set[int]) -> list[bool]:
    """Which nodes depend on any of these, through numbers of whatever type."""
    found: list[bool] = []
    for node in range(len(graph)):
        lengths = graph.ops[node] in ("axis_size", "item_count", "zeros_like", "ones_like")
        through = not lengths and any(found[a] for a in graph.args[node])
        found.append(node in sources or through)
    return found


def interior(subject: Subject) -> list[tuple[tuple[int, ...], tuple[Clause, ...], bool]]:
    """What holds of operands where a function is differentiable: its assumptions, without edges.

    For each operation that is read everywhere its operands, the clauses, and whether one of them is
    enough. The slope of a square root is infinite at 0, although it has a value there.
    """
    graph = subject.graph
    needed = reachable(graph, subject.value, values=True)
    active = depends_on(graph, {leaf.node for leaf in subject.active})
    masks = _masks(graph, subject.value)
    found: list[tuple[tuple[int, ...], tuple[Clause, ...], bool]] = []
    for node, args in enumerate(graph.args):
        op = graph.ops[node]
        if op in _RISING and needed[node]:
            found.append((args, ((_RISING[op], "rises", 0.0),), False))
        if op in OPS and needed[node] and active[node] and node not in masks:
            for text, _ in _conditions(graph, node):
                clauses = tuple(
                    (k, r.rstrip("=") if r != "!=" else r, b) for k, r, b in _parse(text)
                )
                found.append((args, clauses, " or " in text))
    return found
