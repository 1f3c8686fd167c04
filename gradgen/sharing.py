"""Derived products and sums as nodes: what several have in common is computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import combinations

from gradgen.graph import GraphBuilder
from gradgen.liveness import reachable
from gradgen.monomials import (
    Algebra,
    Monomial,
    Product,
    Terms,
    atoms_of,
    covered,
    known_products,
    numbers_in,
    reached,
)
from gradgen.ops import OPS

# Signed products by their numbers.
Sum = list[tuple[float, int]]
FREE = ("index", "item", "array", "stack")
# The terms of a sum, with their signs, the first of which is positive.
Kernel = tuple[tuple[Product, float], ...]
# Of longer products, only pairs of factors are looked for in others.
_MAX_PARTS = 8
_MAX_TRIALS = 200_000


class Sharing:
    """The sums of products that the entries of a matrix are, and what several of them share."""

    def __init__(
        self, algebra: Algebra, b: GraphBuilder, entries: Sequence[Terms], kept: Sequence[int]
    ) -> None:
        self.algebra = algebra
        self.b = b
        # What is computed in any case.
        self.kept = kept
        self.products: list[Product] = []
        # By atom: the number of the product that is computed once under this atom.
        self.shared: dict[int, int] = {}
        self.next = algebra.count
        # How often each product is there as a whole.
        self.whole: Counter[Product] = Counter()
        self.constants: dict[int, float] = {}
        self._constant_of: dict[float, int] = {}
        self._numbers: dict[Product, int] = {}
        entries, terms = _scaled(algebra, entries)
        self.entries = [self._sum(entry) for entry in entries]
        self.sums = {atom: self._sum(terms[atom]) for atom in terms}
        # The atoms that are computed with the other sign.
        self.turned: set[int] = set()
        # The shared products, each behind those that are factors of it.
        self.order: list[int] = []
        self._use_known()
        self._share_kernels()
        self._put_products()

    def share(self) -> None:
        """Find what products have in common, and sums' terms."""
        self._extract()
        self._factor()
        self.order = self._ordered()

    def _sum(self, terms: Terms) -> Sum:
        return [(-1.0 if t.coefficient < 0 else 1.0, self._product(t)) for t in terms]

    def _product(self, term: Monomial) -> int:
        size = abs(term.coefficient)
        atoms = [] if size == 1.0 and term.factors else [self._constant(size)]
        return self._numbered(tuple(sorted([*atoms, *atoms_of(term)])))

    def _numbered(self, product: Product) -> int:
        if product not in self._numbers:
            self._numbers[product] = len(self.products)
            self.products.append(product)
        return self._numbers[product]

    def _constant(self, size: float) -> int:
        if size not in self._constant_of:
            self._constant_of[size] = self.next
            self.constants[self.next] = size
            self.next += 1
        return self._constant_of[size]

    # -- what is shared ------------------------------------------------------------------------

    def _share_kernels(self) -> None:
        """Compute sums once of which several sums are multiples, or which several are."""
        every = [*self.entries, *self.sums.values()]
        found: dict[Kernel, dict[int, tuple[float, Product]]] = {}
        for at, held in enumerate(every):
            for sign, part, kernel in self._kernels(held):
                found.setdefault(kernel, {}).setdefault(at, (sign, part))
        shared = [item for item in found.items() if len(item[1]) > 1]
        # what is left to multiply by is small where much is shared
        shared.sort(
            key=lambda item: (-len(item[1]), sum(len(p) for _, p in item[1].values()), item[0])
        )
        done: set[int] = set()
        for kernel, places in shared:
            left = {at: found for at, found in places.items() if at not in done}
            if len(left) < 2:
                continue
            atom, self.next = self.next, self.next + 1
            self.sums[atom] = [(sign, self._numbered(product)) for product, sign in kernel]
            for at, (sign, part) in left.items():
                every[at][:] = [(sign, self._numbered(tuple(sorted([*part, atom]))))]
            done |= left.keys()

    def _put_products(self) -> None:
        """Put products for sums of one term, and their signs before what holds them."""
        single: dict[int, tuple[float, Product]] = {}
        for atom in sorted(self.sums):
            if len(self.sums[atom]) == 1:
                ((sign, number),) = self.sums.pop(atom)
                own, product = self._put(self.products[number], single)
                single[atom] = (sign * own, product)
        for held in (*self.entries, *self.sums.values()):
            for at, (sign, number) in enumerate(held):
                own, product = self._put(self.products[number], single)
                held[at] = (sign * own, self._numbered(product))

    def _put(
        self, product: Product, single: Mapping[int, tuple[float, Product]]
    ) -> tuple[float, Product]:
        sign = 1.0
        atoms: list[int] = []
        for atom in product:
            own, inside = single.get(plain(atom), (1.0, (plain(atom),)))
            sign *= own
            atoms += inside if atom >= 0 else [~a for a in inside]
        return sign, tuple(sorted(atoms))

    def _kernels(self, held: Sum) -> Iterable[tuple[float, Product, Kernel]]:
        """What a sum can be divided by, with its sign and what it is then."""
        if not 1 < len(held) <= _MAX_PARTS:
            return
        common = Counter(self.products[held[0][1]])
        for _, number in held[1:]:
            common &= Counter(self.products[number])
        factors = sorted(common.elements())[:_MAX_PARTS]
        for part in [(), *((atom,) for atom in factors), *_parts(tuple(factors))]:
            terms = []
            for sign, number in held:
                left = Counter(self.products[number])
                left.subtract(part)
                terms.append((tuple(left.elements()), sign))
            terms.sort()
            own = terms[0][1]
            if all(product for product, _ in terms):
                yield own, part, tuple((product, sign * own) for product, sign in terms)

    def _use_known(self) -> None:
        """Put nodes of the text for factors of which they are the product, the largest first."""
        known = known_products(self.algebra, self._needed())
        for atoms, node in [item for held in self.algebra.known.values() for item in held]:
            if all(atom >= 0 for atom in atoms):
                # what the text multiplies is divided by as one
                below = tuple(sorted(~atom for atom in atoms))
                known.setdefault(below[0], []).append((below, ~node))
        for number, product in enumerate(self.products):
            self.products[number] = covered(product, known)
            self._numbers[self.products[number]] = number

    def _needed(self) -> list[int]:
        """The nodes of the text that the atoms need."""
        every = {plain(atom) for product in self.products for atom in product}
        every.update(self.kept)
        size = self.algebra.size
        needed = reachable(self.b.graph, sorted(atom for atom in every if atom < size))
        return [node for node in range(size) if needed[node]]

    def _extract(self) -> None:
        """Compute once what saves most, until no two products have a part in common."""
        holders: dict[Product, dict[int, None]] = {}
        for number, product in enumerate(self.products):
            for part in _parts(product):
                holders.setdefault(part, {})[number] = None
        self.whole = Counter(self.products)
        heap = [self._rank(part, len(held)) for part, held in holders.items() if len(held) > 1]
        heapify(heap)
        while heap:
            *rank, part = heappop(heap)
            now = len(holders.get(part, ()))
            if now < 2:
                continue
            if self._rank(part, now) != (*rank, part):
                heappush(heap, self._rank(part, now))
                continue
            for new in self._replace(part, holders):
                if len(holders[new]) > 1:
                    heappush(heap, self._rank(new, len(holders[new])))

    def _replace(self, part: Product, holders: dict[Product, dict[int, None]]) -> list[Product]:
        """Put a new atom for a part of products; the parts that they have now."""
        new = self.next
        self.next += 1
        touched = list(holders[part])
        for number in touched:
            left = Counter(self.products[number])
            left.subtract(part)
            self._forget(number, holders)
            atoms = (*left.elements(), new)
            self.whole[self.products[number]] -= 1
            self.products[number] = tuple(sorted(atoms))
            self.whole[self.products[number]] += 1
        self.shared[new] = len(self.products)
        self.products.append(part)
        found: dict[Product, None] = {}
        for number in (*touched, self.shared[new]):
            for known in _parts(self.products[number]):
                holders.setdefault(known, {})[number] = None
                found[known] = None
        return list(found)

    def _rank(self, part: Product, holders: int) -> tuple[int, int, int, int, Product]:
        """What saves most comes first, then what is there anyway, then what more products have."""
        below = sum(a < 0 for a in part)
        return (-(holders - 1) * (len(part) - 1), -(self.whole[part] > 0), -holders, below, part)

    def _forget(self, number: int, holders: dict[Product, dict[int, None]]) -> None:
        for known in _parts(self.products[number]):
            del holders[known][number]
            if not holders[known]:
                del holders[known]

    def _ordered(self) -> list[int]:
        """The shared products, each behind those that are factors of it."""
        order: dict[int, None] = {}
        stack = list(self.shared)
        while stack:
            atom = stack[-1]
            parts = [plain(a) for a in self.products[self.shared[atom]]]
            waiting = [a for a in parts if a in self.shared and a not in order]
            stack += waiting
            if not waiting:
                order[stack.pop()] = None
        return list(order)

    def _factor(self) -> None:
        """Take out of sums the factors that several terms have and nobody else reads with them."""
        stack = [*self.entries, *self.sums.values()]
        uses = Counter(number for held in stack for _, number in held)
        while stack:
            held = stack.pop()
            while (inner := self._taken_out(held, uses)) is not None:
                self.sums[self.next - 1] = inner
                stack.append(inner)

    def _taken_out(self, held: Sum, uses: Counter[int]) -> Sum | None:
        """The sum that the most common factor multiplies in a sum, which then holds the product."""
        places: dict[int, list[int]] = {}
        for at, (_, number) in enumerate(held):
            product = self.products[number]
            if uses[number] == 1 and len(product) > 1:
                for atom in dict.fromkeys(product):
                    places.setdefault(atom, []).append(at)
        best = max(places, key=lambda atom: (len(places[atom]), -atom), default=0)
        if len(places.get(best, ())) < 2:
            return None
        inner = []
        for at in places[best]:
            sign, number = held[at]
            left = list(self.products[number])
            left.remove(best)
            inner.append((sign, self._new_product(left, uses)))
        whole = self._new_product([best, self.next], uses)
        self.next += 1
        first, *others = places[best]
        held[first] = (1.0, whole)
        for at in reversed(others):
            del held[at]
        return inner

    def _new_product(self, atoms: Sequence[int], uses: Counter[int]) -> int:
        self.products.append(tuple(sorted(atoms)))
        uses[len(self.products) - 1] = 1
        return len(self.products) - 1

    # -- signs ---------------------------------------------------------------------------------

    def orient(self) -> None:
        """Choose the signs of products with numbers, and of sums, so that little is negated."""
        free = [a for a, number in self.shared.items() if self.takes_sign(self.products[number])]
        free += list(self.sums)
        if len(free) * len(self.products) > _MAX_TRIALS:
            return
        best = self.negations()
        for atom in (*free, *free):
            before = set(self.turned)
            self.turned ^= {atom}
            now = self.negations()
            if now > best:
                now = self._repaired(now, [other for other in free if other != atom])
            if now < best:
                best = now
            else:
                self.turned = before

    def _repaired(self, now: int, free: Sequence[int]) -> int:
        """Turn what no longer costs a negation then, in sums that are negative as a whole."""
        near = {plain(a) for held in self._negated() for _, p in held for a in self.products[p]}
        left = [atom for atom in free if atom in near]
        while left:
            counts = []
            for atom in left:
                self.turned ^= {atom}
                counts.append(self.negations())
                self.turned ^= {atom}
            best = min(counts)
            if best >= now:
                return now
            now = best
            self.turned ^= {left.pop(counts.index(best))}
        return now

    def takes_sign(self, product: Product) -> bool:
        """Whether a product is negated at no cost."""
        return any(atom in self.constants for atom in product) or all(a < 0 for a in product)

    def signs(self) -> list[float]:
        """The signs of the products, from those of the atoms in them."""
        found = dict.fromkeys(self.turned, -1.0)
        for atom in self.order:
            product = self.products[self.shared[atom]]
            found[atom] = found.get(atom, 1.0) * _sign(product, found)
        return [_sign(product, found) for product in self.products]

    def negations(self) -> int:
        """How many changes of sign there are."""
        return len(self._negated())

    def _negated(self) -> list[Sum]:
        """The sums that are computed with the other sign, to be negated at last."""
        signs = self.signs()
        sums = [(1.0, entry) for entry in self.entries]
        sums += [(-1.0 if atom in self.turned else 1.0, held) for atom, held in self.sums.items()]
        return [
            held for own, held in sums
            if all(own * sign * signs[p] < 0 and not self.takes_sign(self.products[p])
                   for sign, p in held)
        ]  # fmt: skip

    # -- the cost, and the nodes ---------------------------------------------------------------

    def operations(self) -> int:
        """How many operations the entries take, with what they need of the text, but for signs."""
        graph = self.b.graph
        ops = [graph.ops[node] for node in self._needed()]
        total = sum(op in OPS and OPS[op].cost > 0 and op not in FREE for op in ops)
        used = {p for held in (*self.entries, *self.sums.values()) for _, p in held}
        for number in (*used, *self.shared.values()):
            product = self.products[number]
            total += len(product) - 1 + all(atom < 0 for atom in product)
        total += sum(len(held) - 1 for held in (*self.entries, *self.sums.values()))
        return total


def plain(atom: int) -> int:
    """The atom that multiplies or divides."""
    return atom if atom >= 0 else ~atom


def _sign(product: Product, signs: Mapping[int, float]) -> float:
    sign = 1.0
    for atom in product:
        sign *= signs.get(plain(atom), 1.0)
    return sign


def _parts(product: Product) -> set[Product]:
    """What products may have in common with this one: two factors of it or more.

    Not divisors alone, of which the product may underflow where one after the other does not.
    """
    longest = len(product) if len(product) <= _MAX_PARTS else 2
    sizes = range(2, longest + 1)
    return {part for n in sizes for part in combinations(product, n) if part[-1] >= 0}


def _scaled(algebra: Algebra, entries: Sequence[Terms]) -> tuple[list[Terms], dict[int, Terms]]:
    """The entries, and the terms of the sums in them, with numbers where they take least.

    A number that multiplies a sum wherever it is read goes to its terms, if these have numbers.
    """
    held = {atom: algebra.terms[atom] for atom in reached(algebra, entries)}
    lists: list[Terms] = [*entries, *held.values()]
    places = {atom: len(entries) + at for at, atom in enumerate(held)}
    readers: dict[int, list[tuple[int, int]]] = {atom: [] for atom in held}
    for at, terms in enumerate(lists):
        for k, term in enumerate(terms):
            for atom, _ in term.factors:
                if atom in readers:
                    readers[atom].append((at, k))
    for atom in reversed(held):
        reads = readers[atom]
        sizes = {abs(lists[at][k].coefficient) for at, k in reads}
        alone = all(dict(lists[at][k].factors)[atom] == 1 for at, k in reads)
        if len(sizes) != 1 or not alone or sizes == {1.0}:
            continue
        (size,) = sizes
        inner = [t.scaled(size) for t in lists[places[atom]]]
        if numbers_in(inner) > numbers_in(lists[places[atom]]):
            continue
        lists[places[atom]] = tuple(inner)
        for at, k in reads:
            whole = lists[at]
            lists[at] = (*whole[:k], whole[k].divided(size), *whole[k + 1 :])
    return lists[: len(entries)], {atom: lists[at] for atom, at in places.items()}
