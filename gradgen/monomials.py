"""Products of powers of nodes, and sums of them, in one canonical form each.

Two derivatives that a person would see to be the same have the same form here, whatever the order
in which the chain rule multiplied and added; factors of numerator and denominator cancel. The forms
are of derived numbers only: what the user wrote stays as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gradgen.graph import Graph

# Atoms with their exponents, sorted. An atom is a node of the graph, or a sum, numbered behind.
Factors = tuple[tuple[int, int], ...]
# What overflows at moderate operands.
GROWING = ("exp", "exp2")
# How large the forms of nodes grow; what is larger is an atom.
_MAX_DEGREE = 12
_MAX_TERMS = 12


@dataclass(frozen=True, slots=True)
class Monomial:
    """A number times a product of powers of atoms."""

    coefficient: float
    factors: Factors

    @property
    def degree(self) -> int:
        """How many factors it has, above and below the bar."""
        return sum(abs(e) for _, e in self.factors)

    def scaled(self, by: float) -> Monomial:
        """The monomial times a number."""
        return Monomial(self.coefficient * by, self.factors)

    def divided(self, by: float) -> Monomial:
        """The monomial over a number."""
        return Monomial(self.coefficient / by, self.factors)


Terms = tuple[Monomial, ...]
# Atoms in order, one for each time that it is a factor; the bitwise complement of an atom divides.
Product = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """How sums become factors of products.

    What all terms have in common is taken out `never`, `always`, or where that is `cheaper`; then
    the product as a `whole` is computed, or its factors go on into further products.
    """

    factor: str
    whole: bool


ONE = Monomial(1.0, ())


def number_of(graph: Graph, node: int) -> float | None:
    """The value of a finite number without a name; None for anything else."""
    value = graph.attrs[node]
    if graph.ops[node] != "const" or graph.names[node] is not None or isinstance(value, bool):
        return None
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


class Algebra:
    """The forms of the nodes of one graph, and the sums that derivatives add to them.

    Nodes that read `seed` are partial derivatives, linear in it: their forms are for a seed of 1.
    """

    def __init__(self, graph: Graph, seed: int) -> None:
        self.graph = graph
        # Whether a node reads the seed, which no node in the result may.
        self.seeded = [False] * len(graph)
        self.seeded[seed] = True
        self.size = len(graph)
        # By the root of a node: the node, of which it is the square root.
        self.squares: dict[int, int] = {}
        # By a sum `c + exp(x)`: the function that grows, and `1 - c / (c + exp(x))`, which
        # times the sum is the function: inf / inf it is not.
        self.logistic: dict[int, tuple[int, int]] = {}
        self.forms: list[Monomial] = []
        # The terms of sums, of the user's and of derived ones.
        self.terms: dict[int, Terms] = {}
        self._sums: dict[Terms, tuple[float, int]] = {}
        # By the factors of a term: the sums in the text that have it.
        self._with_term: dict[Factors, list[int]] = {}
        # By the terms of a sum in the text over what they have in common: scale, that, the sum.
        self._multiples: dict[Terms, tuple[float, Factors, int]] = {}
        self.count = self.size
        for node in range(self.size):
            self.seeded[node] |= any(self.seeded[a] for a in graph.args[node])
            self.forms.append(ONE if node == seed else self._form(node))
        # The products in the text, by the first of their atoms.
        self.known = known_products(self, range(self.size))
        self._covered: dict[Product, Product] = {}

    # -- the nodes of the graph ----------------------------------------------------------------

    def _form(self, node: int) -> Monomial:
        graph = self.graph
        op, args = graph.ops[node], graph.args[node]
        value = number_of(graph, node)
        if value is not None:
            return Monomial(value, ())
        found = None
        if not self._is_number(node):
            return Monomial(1.0, ((node, 1),))
        if op == "neg":
            found = self.forms[args[0]].scaled(-1.0)
        elif op == "mul":
            found = self.product(self.forms[args[0]], self.forms[args[1]])
        elif op == "div":
            found = self.product(self.forms[args[0]], self._inverse(args[1]))
        elif op == "square":
            found = self.power(self.forms[args[0]], 2)
        elif op == "power":
            exponent = number_of(graph, args[1])
            if exponent in (2.0, 3.0, 4.0) and self.forms[args[0]].coefficient == 1.0:
                found = self.power(self.forms[args[0]], int(exponent))
        elif op in ("add", "sub") and self.seeded[node]:
            sign = 1.0 if op == "add" else -1.0
            terms = merge([self.forms[args[0]], self.forms[args[1]].scaled(sign)])
            found = self._atom(terms) if len(terms) > 1 else next(iter(terms), None)
        elif op in ("add", "sub"):
            self._note_sum(node)
        elif op == "sqrt":
            inside = self.forms[args[0]]
            if inside.coefficient == 1.0 and inside.degree == 1 and inside.factors[0][1] == 1:
                self.squares[node] = inside.factors[0][0]
        plain = found is not None and math.isfinite(found.coefficient) and found.coefficient != 0
        if found is None or not plain or found.degree > _MAX_DEGREE:
            return Monomial(1.0, ((node, 1),))
        return found

    def _inverse(self, node: int) -> Monomial:
        """The form of `1 / node`; a number stays below the bar if its inverse is not exact."""
        form = self.forms[node]
        if abs(math.frexp(form.coefficient)[0]) == 0.5:
            return self.power(form, -1)
        return Monomial(1.0, ((node, -1),))

    def _is_number(self, node: int) -> bool:
        """Whether it is a float of 64 bits, or an array of them, which counts item by item."""
        return self.graph.types[node].dtype in ("float", "float64")

    def _note_sum(self, node: int) -> None:
        """Remember the terms of a sum in the text, so that a derived sum of them is the node."""
        graph = self.graph
        left, right = graph.args[node]
        sign = 1.0 if graph.ops[node] == "add" else -1.0
        terms = [*self._addends(left, 1.0), *self._addends(right, sign)]
        if len(terms) > _MAX_TERMS:
            return
        merged = merge(terms)
        if not merged or not are_apart(merged):
            return
        self.terms[node] = tuple(merged)
        self._note_logistic(node, merged)
        for term in merged:
            self._with_term.setdefault(term.factors, []).append(node)
        if len(merged) == len(terms):
            key, factor = _key(merged)
            self._sums.setdefault(key, (factor, node))
            common = self.common(merged)
            if common:
                key, factor = _key(self._divided(merged, common))
                self._multiples.setdefault(key, (factor, common, node))

    def _note_logistic(self, node: int, terms: Sequence[Monomial]) -> None:
        if len(terms) != 2:
            return
        for number, growing in (terms, terms[::-1]):
            alone = (
                growing.coefficient == 1.0 and growing.degree == 1 and growing.factors[0][1] == 1
            )
            if not number.factors and number.coefficient > 0 and alone:
                atom = growing.factors[0][0]
                if atom < self.size and self.graph.ops[atom] in GROWING:
                    share = Monomial(-number.coefficient, ((node, -1),))
                    tail = self._atom([ONE, share])
                    self.logistic[node] = (atom, tail.factors[0][0])
                    assert tail.coefficient == 1.0

    def _addends(self, node: int, sign: float) -> list[Monomial]:
        if self.graph.ops[node] in ("add", "sub") and node in self.terms:
            return [term.scaled(sign) for term in self.terms[node]]
        return [self.forms[node].scaled(sign)]

    # -- products and sums ---------------------------------------------------------------------

    def is_plain(self, form: Monomial) -> bool:
        """Whether a form is finite, not zero, and free of the seed."""
        atoms = [atom for atom, _ in form.factors if atom < self.size]
        finite = math.isfinite(form.coefficient) and form.coefficient != 0
        return finite and not any(self.seeded[atom] for atom in atoms)

    def product(self, one: Monomial, other: Monomial) -> Monomial:
        """The product of two, with what cancels cancelled."""
        if not one.factors or not other.factors:
            return Monomial(one.coefficient * other.coefficient, one.factors or other.factors)
        exponents = dict(one.factors)
        for atom, e in other.factors:
            exponents[atom] = exponents.get(atom, 0) + e
        return Monomial(one.coefficient * other.coefficient, self._reduced(exponents))

    def power(self, one: Monomial, exponent: int) -> Monomial:
        """A monomial to the power of an integer."""
        exponents = {atom: e * exponent for atom, e in one.factors}
        return Monomial(one.coefficient**exponent, self._reduced(exponents))

    def _reduced(self, exponents: dict[int, int]) -> Factors:
        """The factors, with `sqrt(x)**2` as `x` and `x / sqrt(x)` as `sqrt(x)`."""
        for root in [atom for atom in exponents if atom in self.squares]:
            square, e = self.squares[root], exponents[root]
            halves = e + 2 * exponents.get(square, 0)
            sign = 1 if halves > 0 else -1
            whole, rest = divmod(abs(halves), 2)
            exponents[root], exponents[square] = sign * rest, sign * whole
        for total, (growing, tail) in self.logistic.items():
            while exponents.get(growing, 0) > 0 and exponents.get(total, 0) < -1:
                exponents[growing] -= 1
                exponents[total] += 1
                exponents[tail] = exponents.get(tail, 0) + 1
        return tuple(sorted((atom, e) for atom, e in exponents.items() if e))

    def sealed(self, terms: Sequence[Monomial], policy: Policy) -> Monomial:
        """A sum as one monomial: what its terms have in common, times a sum as an atom."""
        if len(terms) == 1:
            return terms[0]
        terms = self.expanded(terms)
        common = self.common(terms)
        left = self._divided(terms, common)
        key, scale = _key(left)
        if key in self._multiples:
            factor, known, node = self._multiples[key]
            if _contains(common, known):  # to divide by more would divide by what may be zero
                back = Monomial(scale / factor, tuple((atom, -e) for atom, e in known))
                whole = self.product(Monomial(1.0, common), Monomial(1.0, ((node, 1),)))
                return self.product(back, whole)
        if not common or not self._pays(terms, common, left, policy):
            return self._atom(self._with_known(terms))
        inner = self._atom(self._with_known(self.expanded(left)))
        whole = self.product(Monomial(1.0, common), inner)
        if not policy.whole:
            return whole
        return self._atom([Monomial(1.0, whole.factors)]).scaled(whole.coefficient)

    def _pays(
        self, terms: Sequence[Monomial], common: Factors, left: Sequence[Monomial], policy: Policy
    ) -> bool:
        """Whether to take out what terms have in common."""
        if policy.factor == "cheaper":
            return self.cost(left) + self.cost([Monomial(1.0, common)]) + 1 < self.cost(terms)
        return policy.factor == "always"

    def _with_known(self, terms: list[Monomial]) -> list[Monomial]:
        """The terms with a sum in the text for several of them, where fewer are left to add."""
        for term in terms if are_apart(terms) else ():
            for node in self._with_term.get(term.factors, ()):
                known = {t.factors: t.coefficient for t in self.terms[node]}
                by = term.coefficient / known[term.factors]
                held = {t.factors: t.coefficient for t in terms}
                left = {f: held.get(f, 0.0) - by * c for f, c in known.items()}
                rest = [t for t in terms if t.factors not in known]
                rest += [Monomial(c, f) for f, c in left.items() if c != 0]
                if any(held.get(f, 0.0) * c * by <= 0 for f, c in known.items()):
                    continue
                found = [Monomial(by, ((node, 1),)), *rest]
                if len(found) + numbers_in(found) < len(terms) + numbers_in(terms):
                    return self._with_known(found)
        return terms

    def _atom(self, terms: Sequence[Monomial]) -> Monomial:
        """A sum as an atom, with a number before it."""
        key, scale = _key(terms)
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = (1.0, self.count)
            self.terms[self.count] = tuple(t.divided(scale) for t in terms)
            self.count += 1
        factor, atom = found
        return Monomial(scale / factor, ((atom, 1),))

    def split(self, terms: Sequence[Monomial], policy: Policy) -> Terms:
        """A sum as a result: with factors taken out, or as it is."""
        if len(terms) == 1:
            return tuple(terms)
        whole = self.sealed(terms, policy)
        inner = whole.factors[0][0] if len(whole.factors) == 1 else -1
        if inner >= self.size and whole.factors[0][1] == 1:
            return tuple(t.scaled(whole.coefficient) for t in self.terms[inner])
        return (whole,)

    def _divided(self, terms: Sequence[Monomial], common: Factors) -> list[Monomial]:
        back = Monomial(1.0, tuple((atom, -e) for atom, e in common))
        return [self.product(term, back) for term in terms] if common else list(terms)

    def cost(self, terms: Sequence[Monomial]) -> int:
        """How many operations a sum takes by itself, with the products in the text for nothing."""
        total = len(terms) - 1
        for term in terms:
            product = tuple(sorted(atoms_of(term)))
            if product not in self._covered:
                self._covered[product] = covered(product, self.known)
            atoms = self._covered[product]
            total += max(len(atoms) - 1, 0) + (abs(term.coefficient) != 1.0 and len(atoms) > 0)
        return total

    def common(self, terms: Sequence[Monomial]) -> Factors:
        """The factors that all terms share."""
        roots = {a for t in terms for a, _ in t.factors if a in self.squares}
        squares = {self.squares[root]: root for root in sorted(roots)}
        shared: dict[int, int] = {}
        for at, term in enumerate(terms):
            held: dict[int, int] = {}
            for atom, e in term.factors:
                root = squares.get(atom, atom)
                held[root] = held.get(root, 0) + (e if root == atom else 2 * e)
            if at == 0:
                shared = held
            for atom, e in list(shared.items()):
                other = held.get(atom, 0)
                if e * other <= 0:
                    del shared[atom]
                else:
                    shared[atom] = max(e, other) if e < 0 else min(e, other)
        return self._reduced(shared)

    def expanded(self, terms: Sequence[Monomial]) -> list[Monomial]:
        """The terms with sums multiplied out whose own terms add up with others.

        Only where they are of the same sign and of like size: of large terms that cancel, what
        is left has no digits.
        """
        terms = list(terms)
        for at, term in enumerate(terms if are_apart(terms) else ()):
            if len(term.factors) != 1 or term.factors[0][1] != 1:
                continue
            inner = self.terms.get(term.factors[0][0])
            if inner is None or not are_apart(inner):
                continue
            others = {t.factors: t.coefficient for t in (*terms[:at], *terms[at + 1 :])}
            scaled = [t.scaled(term.coefficient) for t in inner]
            met = [(t.coefficient, others[t.factors]) for t in scaled if t.factors in others]
            if met and all(a * b > 0 and abs(b) >= 0.5 * abs(a) for a, b in met):
                return self.expanded(merge([*terms[:at], *scaled, *terms[at + 1 :]]))
        return terms


def _contains(factors: Factors, others: Factors) -> bool:
    """Whether factors are those of others and more."""
    held = dict(factors)
    return all(held.get(atom, 0) * e >= e * e for atom, e in others)


def numbers_in(terms: Sequence[Monomial]) -> int:
    """How many terms of a sum are multiplied by a number."""
    return sum(abs(t.coefficient) != 1.0 for t in terms)


def are_apart(terms: Sequence[Monomial]) -> bool:
    """Whether no two terms have the same factors, as of `x - x`, which is kept."""
    return len({t.factors for t in terms}) == len(terms)


def merge(terms: Iterable[Monomial]) -> list[Monomial]:
    """The terms with those of the same factors added up, unless they cancel: NaN stays NaN.

    Numbers do cancel; there may be no terms left.
    """
    found: list[Monomial] = []
    places: dict[Factors, int] = {}
    for term in terms:
        at = places.get(term.factors)
        if at is None:
            places[term.factors] = len(found)
            found.append(term)
            continue
        total = found[at].coefficient + term.coefficient
        if total == 0 and term.factors:
            found.append(term)
        else:
            found[at] = Monomial(total, term.factors)
    return [t for t in found if t.coefficient]


def _key(terms: Sequence[Monomial]) -> tuple[Terms, float]:
    """The terms in an order, the first of them positive, and what they were divided by."""
    ordered = sorted(terms, key=lambda t: t.factors)
    sizes = {abs(t.coefficient) for t in ordered}
    scale = ordered[0].coefficient
    if len(sizes) > 1:
        scale = math.copysign(1.0, scale)
    return tuple(t.divided(scale) for t in ordered), scale


def atoms_of(form: Monomial) -> list[int]:
    """The factors, one for each time; the bitwise complement of an atom divides."""
    return [a if e > 0 else ~a for a, e in form.factors for _ in range(abs(e))]


def known_products(algebra: Algebra, nodes: Iterable[int]) -> dict[int, list[tuple[Product, int]]]:
    """The products among nodes, by the first of their atoms."""
    known: dict[int, list[tuple[Product, int]]] = {}
    for node in nodes:
        form = algebra.forms[node]
        if form.degree > 1 and form.coefficient == 1.0 and not algebra.seeded[node]:
            atoms = tuple(sorted(atoms_of(form)))
            known.setdefault(atoms[0], []).append((atoms, node))
    return known


def covered(product: Product, known: Mapping[int, Sequence[tuple[Product, int]]]) -> Product:
    """A product with nodes for factors of which they are the product, the largest first."""
    while True:
        found = [item for atom in dict.fromkeys(product) for item in known.get(atom, ())]
        inside = [item for item in found if _is_part(item[0], product)]
        if not inside:
            return product
        atoms, node = max(inside, key=lambda item: (len(item[0]), -item[1]))
        held = Counter(product)
        held.subtract(atoms)
        product = tuple(sorted([*held.elements(), node]))


def _is_part(part: Product, product: Product) -> bool:
    """Whether a product has all factors of another, each as often."""
    if len(part) > len(product):
        return False
    return all(product.count(atom) >= part.count(atom) for atom in part)


def reached(algebra: Algebra, entries: Iterable[Terms]) -> list[int]:
    """The derived sums that monomials need, in order."""
    found: set[int] = set()
    stack = [atom for terms in entries for term in terms for atom, _ in term.factors]
    while stack:
        atom = stack.pop()
        if atom >= algebra.size and atom not in found:
            found.add(atom)
            stack += [a for term in algebra.terms[atom] for a, _ in term.factors]
    return sorted(found)
