"""Slices that stay within their axes: `x[:5]` has five items only where `x` has.

A slice of a symbolic length is taken to end where it says. What that asks of the lengths is proven
here, or the emitted function checks it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from gradgen.errors import Location, NeedsLength
from gradgen.graph import Graph
from gradgen.ops.indexing import slice_bounds
from gradgen.targets.base import quoted
from gradgen.types import QUOTIENTS, Dim, Shape, Size

_UPDATES = ("index_set", "index_add")
_SLICED = frozenset({"index", *_UPDATES})
# What splits an adjoint at the lengths of the parts.
_JOINS = frozenset({"concatenate", "hstack", "vstack", "append", "column_stack", "dstack"})


def needed_lengths(
    graph: Graph, shortest: int, slices: bool = True
) -> list[tuple[Dim, Location | None]]:
    """What must not be negative for every slice to have its length, and where it is needed.

    Without `slices`, what is noted in the graph already. Symbols are at least `shortest`. Of what
    differs by a number, the smallest is given. An empty axis from which one item is cut is let pass
    where no length is read from it.
    """
    slack = 1 if _JOINS.isdisjoint(graph.ops) else 0
    found: dict[Size, tuple[Dim, Location | None]] = {}
    for size, loc in (*graph.least, *(_of_slices(graph) if slices else ())):
        if not isinstance(size, Dim):
            continue
        constant = next((n for atoms, n in size.terms if not atoms), 0)
        # where two items are cut from an axis of one, an item is left that is not accounted for
        if _is_proven(size + slack * (constant == -1), shortest):
            continue
        rest = size - constant
        if rest not in found or _is_proven(found[rest][0] - size, 0):
            found[rest] = (size, loc)
    return list(found.values())


def _of_slices(graph: Graph) -> list[tuple[Size, Location | None]]:
    sizes: list[tuple[Size, Location | None]] = []
    if _SLICED.isdisjoint(graph.ops):
        return sizes
    for node, op in enumerate(graph.ops):
        if op not in _SLICED:
            continue
        lead = 2 if op in _UPDATES else 1
        target, *operands = graph.args[node][:1] + graph.args[node][lead:]
        bounds = slice_bounds(graph.types[target], graph.attrs[node],
                              [graph.types[o] for o in operands],
                              [graph.values[o] for o in operands])  # fmt: skip
        for length, start, stop in bounds:
            last = length if stop is None else stop
            ends = (start, length - start, last, length - last, last - start)
            sizes += [(size, graph.locs[node]) for size in ends]
    return sizes


def _is_proven(size: Size, shortest: int) -> bool:
    """Whether a length is not negative for all symbols of at least `shortest`."""
    if isinstance(size, int):
        return size >= 0
    return _is_bounded(size, shortest, False) or _is_bounded(size, shortest, True)


def _is_bounded(size: Dim, shortest: int, dropped: bool) -> bool:
    """Whether a lower bound proves it; with `dropped`, quotients of lengths count as 0."""
    total: dict[tuple[str, ...], Fraction] = {}
    pending = [(atoms, Fraction(count)) for atoms, count in size.terms]
    while pending:
        atoms, count = pending.pop()
        dividend, divisor = QUOTIENTS.get(atoms[0], (None, 0)) if atoms else (None, 0)
        if dividend is not None and isinstance(divisor, int) and len(atoms) == 1:
            # a quotient lies between (p - k + 1) / k and p / k
            if dropped and count > 0 and _is_proven(dividend, shortest):
                continue
            share = count / divisor
            pending += [(inner, share * n) for inner, n in dividend.terms]
            if count > 0:
                pending.append(((), share * (1 - divisor)))
            continue
        if len(atoms) == 1 and atoms[0].isidentifier():
            total[()] = total.get((), Fraction(0)) + count * shortest
        total[atoms] = total.get(atoms, Fraction(0)) + count
    # a length is an integer: above -1, it is not negative
    least = total.pop((), Fraction(0))
    return least > -1 and all(count >= 0 for count in total.values())


def length_guard(
    function: str, arrays: Mapping[str, Shape], needed: Sequence[Dim], error: str
) -> list[str]:
    """The check that arrays are as long as the slices of them; `error` is what it raises.

    Raises `NeedsLength` where a length cannot be told from the arrays.
    """
    places: dict[str, str] = {}
    for text, shape in arrays.items():
        for axis, size in enumerate(shape):
            if isinstance(size, Dim) and size == Dim.symbol(size.atoms[0]):
                whole = f"len({text})" if len(shape) == 1 else f"{text}.shape[{axis}]"
                places.setdefault(size.atoms[0], whole)
    lines: list[str] = []
    for size in needed:
        taken = [(atoms, -n) for atoms, n in size.terms if n < 0]
        given = [(atoms, n) for atoms, n in size.terms if n > 0]
        test = f"{_sum(given, places)} < {_sum(taken, places)}"
        names = {atom: atom for atom in places}
        message = f"{function} needs {_sum(given, names)} >= {_sum(taken, names)}"
        lines += [f"if {test}:", f"    raise {error}({quoted(message)})"]
    return lines


def _sum(terms: Sequence[tuple[tuple[str, ...], int]], places: Mapping[str, str]) -> str:
    """A sum of lengths as emitted code."""
    texts = []
    for atoms, count in terms:
        factors = [*([str(count)] if count != 1 or not atoms else [])]
        factors += [_spelled(atom, places) for atom in atoms]
        texts.append(" * ".join(factors))
    return " + ".join(texts) or "0"


def _spelled(atom: str, places: Mapping[str, str]) -> str:
    if atom in places:
        return places[atom]
    if atom not in QUOTIENTS:
        raise NeedsLength(
            f"a slice may reach beyond its axis, of which the length {atom} is not known",
            "declare the lengths as numbers in shapes",
        )
    parts = []
    for part in QUOTIENTS[atom]:
        terms = [((), part)] if isinstance(part, int) else part.terms
        text = _sum(terms, places)
        parts.append(f"({text})" if " " in text else text)
    return f"({' // '.join(parts)})"


__all__ = ["length_guard", "needed_lengths"]
