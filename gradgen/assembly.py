"""What is shared, written into the graph: products and sums as nodes, with few changes of sign."""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.monomials import Product
from gradgen.sharing import Sharing, Sum, plain


class Assembly:
    """Adds the products and sums of one plan to its graph."""

    def __init__(self, sharing: Sharing) -> None:
        self.sharing = sharing
        self.b = sharing.b
        self.signs = sharing.signs()
        self.made: dict[int, int] = {}

    def nodes(self) -> list[int]:
        """The nodes of the entries."""
        return [self.sum(entry, 1.0) for entry in self.sharing.entries]

    def sum(self, terms: Sum, own: float) -> int:
        """The node of a sum, with what is subtracted behind what is not."""
        self._make(terms)
        return self._sum(terms, own)

    def _sum(self, terms: Sum, own: float) -> int:
        products = self.sharing.products
        signed = [(sign * own * self.signs[p], products[p]) for sign, p in terms]
        first = next((k for k, (sign, _) in enumerate(signed) if sign > 0), None)
        if first is None:
            takes = (k for k, (_, p) in enumerate(signed) if self.sharing.takes_sign(p))
            first = next(takes, None)
            if first is None:
                return self.b.add("neg", self._total([(1.0, p) for _, p in signed]))
        start = signed.pop(first)
        # what may cancel is added up while it is as exact as it can be
        near = set(start[1]) - self.sharing.constants.keys()
        signed.sort(key=lambda term: near.isdisjoint(term[1]))
        return self._total([start, *signed])

    def _total(self, signed: Sequence[tuple[float, Product]]) -> int:
        (sign, product), *rest = signed
        total = self._multiplied(product, sign)
        for sign, product in rest:
            term = self._multiplied(product, 1.0)
            total = self.b.add("add" if sign > 0 else "sub", total, term)
        return total

    def _make(self, terms: Sum) -> None:
        """Add the sums and the shared products that a sum needs, without recursion."""
        sharing = self.sharing
        stack = self._atoms(terms)
        while stack:
            atom = stack[-1]
            if atom in self.made or not (atom in sharing.shared or atom in sharing.sums):
                stack.pop()
                continue
            held = sharing.sums.get(atom) or [(1.0, sharing.shared[atom])]
            waiting = [a for a in self._atoms(held) if a not in self.made]
            waiting = [a for a in waiting if a in sharing.shared or a in sharing.sums]
            if waiting:
                stack += waiting
                continue
            own = -1.0 if atom in sharing.turned else 1.0
            if atom in sharing.sums:
                self.made[atom] = self._sum(held, own)
            else:
                self.made[atom] = self._multiplied(sharing.products[held[0][1]], own)
            stack.pop()

    def _atoms(self, terms: Sum) -> list[int]:
        return [plain(a) for _, number in terms for a in self.sharing.products[number]]

    def _multiplied(self, product: Product, sign: float) -> int:
        """The node of a product: numbers first, then what is shared, then divisors."""
        b, constants = self.b, self.sharing.constants
        above = sorted((a for a in product if a >= 0 and a not in constants), key=self._place)
        below = sorted((~a for a in product if a < 0), key=self._place)
        number = sign
        for atom in product:
            number *= constants.get(atom, 1.0)
        plain = above and abs(number) == 1.0
        total = self._node(above.pop(0)) if plain else b.const(number)
        # one divisor after each factor keeps what is on the way of the size of the result
        waiting = below if len(below) > 1 else []
        for atom in above:
            if waiting:
                total = b.add("div", total, self._node(waiting.pop(0)))
            node = self._node(atom)
            known = b.find("mul", node, total)
            total = b.add("mul", total, node) if known is None else known
        for atom in waiting if len(below) != 1 else below:
            total = b.add("div", total, self._node(atom))
        return b.add("neg", total) if number == -1.0 and above else total

    def _place(self, atom: int) -> tuple[int, bool, int]:
        # numbers are multiplied before they meet arrays
        rank = self.b.type_of(self._node(atom)).rank
        return (rank, atom not in self.sharing.shared, atom)

    def _node(self, atom: int) -> int:
        return atom if atom < self.sharing.algebra.size else self.made[atom]
