"""Sums over products by index: einsum, tensordot, and dot and inner of any ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from string import ascii_letters
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.shape import full_shape
from gradgen.ops.table import Op, register
from gradgen.ops.written import Call
from gradgen.types import Builder, Size, Type, array_type, axis_in, promote

# A factor: its node, and a letter for each of its axes.
Factor = tuple[int, str]
_EVERY = ("s", None, None, None)


def strict_dtype(types: Sequence[Type]) -> str:
    """The dtype of a product of arrays; Python numbers count as 64-bit ones."""
    names = [{"float": "float64", "int": "int64"}.get(t.dtype, t.dtype) for t in types]
    return promote(tuple(("array", name) for name in names))


# -- subscripts ------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def parse(text: str, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The letters of each operand and of the result; an ellipsis becomes letters of its own."""
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise Refusal(f"np.einsum: {len(terms)} subscripts for {len(ranks)} operands")
    for term in (*terms, right):
        if not set(term.replace("...", "", 1)) <= set(ascii_letters):
            raise Refusal(f"np.einsum: {term!r} is not a valid subscript")
    extra = [rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True)]
    for term, rank, more in zip(terms, ranks, extra, strict=True):
        if more < 0 or (more and "..." not in term):
            raise Refusal(f"np.einsum: the subscript {term!r} does not fit {rank} axes")
    longest = max((m for t, m in zip(terms, extra, strict=True) if "..." in t), default=0)
    free = [c for c in ascii_letters if c not in text]
    if len(free) < longest:
        raise Refusal("np.einsum: no letters are left for the ellipsis")
    spare = "".join(free[:longest])
    inputs = tuple(
        t.replace("...", spare[longest - m :]) for t, m in zip(terms, extra, strict=True)
    )
    named = "".join(terms).replace("...", "")
    if not arrow:
        return inputs, spare + "".join(sorted(c for c in set(named) if named.count(c) == 1))
    if longest and "..." not in right:
        raise Refusal("np.einsum: the result has no ellipsis, and an operand has axes there")
    output = right.replace("...", spare)
    if len(set(output)) != len(output) or not set(output) <= set("".join(inputs)):
        raise Refusal(f"np.einsum: {right!r} is no choice of the operands' indices")
    return inputs, output


def lengths(types: Sequence[Type], inputs: Sequence[str]) -> dict[str, Size]:
    """The length that each letter runs over. Raises `Refusal` where two lengths meet."""
    found: dict[str, Size] = {}
    for t, letters in zip(types, inputs, strict=True):
        for letter, size in zip(letters, t.shape, strict=True):
            have = found.setdefault(letter, size)
            if have == 1:
                found[letter] = size
            elif size not in (1, have):
                raise Refusal(
                    f"np.einsum: the index {letter} has the lengths {have} and {size}",
                    "give both the same name in shapes",
                )
    return found


def _einsum(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`attr` is (the subscripts as written, what `optimize=` says or None)."""
    inputs, output = parse(attr[0], tuple(t.rank for t in types))
    sizes = lengths(types, inputs)
    for t, letters in zip(types, inputs, strict=True):
        for letter, size in zip(letters, t.shape, strict=True):
            if letters.count(letter) > 1 and size != sizes[letter]:
                raise Refusal(f"np.einsum: the repeated index {letter} has two lengths in {t}")
    return array_type(strict_dtype(types), [sizes[letter] for letter in output])


def _einsum_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    args = b.args_of(node)
    types = [b.type_of(a) for a in args]
    text, optimize = b.attr_of(node)
    inputs, output = parse(text, tuple(t.rank for t in types))
    sizes = lengths(types, inputs)
    g = full_shape(b, g, b.type_of(node).shape)
    # the adjoint comes last where the operand stood last, as in `x, g`
    factors = list(zip(args, inputs, strict=True))
    parts = []
    for at, letters in enumerate(inputs):
        own = b.type_of(args[at]).shape
        others = [*factors[:at], (g, output), *factors[at + 1 :]]
        if at == 0:
            others = [(g, output), *factors[1:]]
        spread = {c for c, n in zip(letters, own, strict=True) if n != sizes[c]}
        parts.append(_operand_adjoint(b, others, letters, spread, sizes, optimize))
    return parts


def _operand_adjoint(
    b: Builder, factors: list[Factor], letters: str, spread: set[str], sizes: Mapping[str, Size],
    optimize: Any,
) -> int:  # fmt: skip
    """The adjoint of an operand with these letters; along those in `spread` it is summed."""
    used = set("".join(f[1] for f in factors))
    free = (c for c in ascii_letters if c not in used and c not in sizes)
    target = ""
    for letter in letters:
        if letter in target:
            # a diagonal was read: the adjoint lies on it
            eye = _identity(b, sizes[letter])
            twin = next(free)
            factors = [*factors, (eye, letter + twin)]
            used |= {letter, twin}
            letter = twin
        target += letter
    want = "".join(c for c in target if c in used and c not in spread)
    found = contract(b, factors, want, "einsum", optimize)
    if not want or want == target:
        return found
    return b.add("index", found, attr=_aligned(want, target))


def _identity(b: Builder, size: Size) -> int:
    """`np.eye(n)`, as the reader would write it down."""
    t = Type("array", "float64", (size, size))
    if isinstance(size, int):
        return b.add("eye", attr=Call((("v", repr(size)),), (), t))
    return b.add("eye", b.size(size), attr=Call(("a",), (), t))


# -- products --------------------------------------------------------------------------------------


def contract(
    b: Builder, factors: Sequence[Factor], want: str, general: str, optimize: Any = None
) -> int:
    """The sum over products with the axes `want`, as `@`, `*` or a transpose where that says it.

    `general` is how any other product is written: "einsum" or "tensordot".
    """
    scalars = [node for node, letters in factors if not letters]
    arrays = [(node, letters) for node, letters in factors if letters]
    found: int | None = None
    if len(arrays) == 1:
        found = _rearranged(b, arrays[0], want)
    elif len(arrays) == 2:
        one, other = arrays
        found = _elementwise(b, one, other, want)
        if found is None:
            found = _matrix_product(b, one, other, want)
        if found is None and general == "tensordot":
            found = _tensordot_of(b, one, other, want)
    if found is None and arrays:
        text = ",".join(letters for _, letters in arrays) + "->" + want
        path = optimize if len(arrays) > 2 else None
        view = len(arrays) == 1 and set(arrays[0][1]) == set(want)
        op = "einsum_view" if view else "einsum"
        found = b.add(op, *(node for node, _ in arrays), attr=(text, path))
    for scalar in scalars:
        found = scalar if found is None else b.add("mul", scalar, found)
    return b.const(1.0) if found is None else found


def _rearranged(b: Builder, factor: Factor, want: str) -> int | None:
    """One factor, summed and transposed."""
    node, letters = factor
    if len(set(letters)) != len(letters):
        return None
    gone = tuple(i for i, c in enumerate(letters) if c not in want)
    if gone:
        every = len(gone) == len(letters)
        node = b.add("sum", node, attr=(None if every else gone, False, None))
        letters = "".join(c for c in letters if c in want)
    return transposed(b, node, tuple(letters.index(c) for c in want))


def transposed(b: Builder, node: int, order: tuple[int, ...]) -> int:
    """The axes of a node in another order."""
    if order == tuple(range(len(order))):
        return node
    plain = order == tuple(range(len(order)))[::-1]
    return b.add("transpose", node, attr=None if plain else order)


def _aligned(letters: str, want: str) -> tuple[Any, ...]:
    """The index that gives `letters`, a part of `want` in its order, new axes of length 1."""
    return tuple(_EVERY if c in letters else "n" for c in want)


def _spread(b: Builder, factor: Factor, want: str) -> int:
    node, letters = factor
    inner = want[want.index(letters[0]) :]
    return node if inner == letters else b.add("index", node, attr=_aligned(letters, inner))


def _elementwise(b: Builder, one: Factor, other: Factor, want: str) -> int | None:
    """`x * y`, where no index is summed and no axis moves; `np.sum(x * y)` where all are."""
    x, y = one[1], other[1]
    if any(len(set(letters)) != len(letters) for letters in (x, y)):
        return None
    if not want and x == y and len(x) > 1:
        return b.add("sum", b.add("mul", one[0], other[0]), attr=(None, False, None))
    if set(x) | set(y) != set(want):
        return None
    if any([c for c in want if c in letters] != list(letters) for letters in (x, y)):
        return None
    if len(x) == len(y) == 1 and x + y == want:
        return b.add("outer", one[0], other[0])
    return b.add("mul", _spread(b, one, want), _spread(b, other, want))


def _prefix(*texts: str) -> str:
    shared = ""
    for letters in zip(*texts, strict=False):
        if len(set(letters)) > 1:
            break
        shared += letters[0]
    return shared


def _matrix_product(b: Builder, one: Factor, other: Factor, want: str) -> int | None:
    """`x @ y` of vectors, matrices or stacks of matrices; None where it is no such product."""
    (x, left), (y, right) = one, other
    if any(len(set(letters)) != len(letters) for letters in (left, right)):
        return None
    stack = _prefix(left, right, want)
    left, right, want = (t[len(stack) :] for t in (left, right, want))
    summed = [c for c in left if c in right and c not in want]
    if len(summed) != 1 or not _same_lengths(b, one, other):
        return None
    (s,) = summed
    i, j = left.replace(s, ""), right.replace(s, "")
    ranks = (len(left), len(right), len(want))
    if max(len(i), len(j)) > 1 or (stack and ranks != (2, 2, 2)):
        return None
    if want == j + i and want != i + j:
        (x, left, i), (y, right, j) = (y, right, j), (x, left, i)
    if want != i + j or i == j != "":
        return None
    count = len(stack)
    swap = (*range(count), count + 1, count)
    x = x if left == i + s else transposed(b, x, swap)
    y = y if right == s + j else transposed(b, y, swap)
    return b.add("matmul", x, y)


def _same_lengths(b: Builder, one: Factor, other: Factor) -> bool:
    sizes = dict(zip(one[1], b.type_of(one[0]).shape, strict=True))
    found = zip(other[1], b.type_of(other[0]).shape, strict=True)
    return all(sizes.get(letter, size) == size for letter, size in found)


def _tensordot_of(b: Builder, one: Factor, other: Factor, want: str) -> int | None:
    (x, left), (y, right) = one, other
    summed = [c for c in left if c not in want]
    free = "".join(c for c in left + right if c not in summed)
    axes = tuple(tuple(t.index(c) for c in summed) for t in (left, right))
    node = b.add("tensordot", x, y, attr=(*axes, None))
    return transposed(b, node, tuple(free.index(c) for c in want))


# -- tensordot, dot, inner -------------------------------------------------------------------------


def _tensordot(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """`attr` is (axes of the first, axes of the second, how the user's call is written)."""
    a, b = types
    for i, j in zip(attr[0], attr[1], strict=True):
        if a.shape[i] != b.shape[j]:
            raise Refusal(
                f"np.{attr[2] if attr[2] in ('dot', 'inner') else 'tensordot'}: lengths "
                f"{a.shape[i]} and {b.shape[j]} meet, in {a} and {b}",
                "give both the same name in shapes",
            )  # fmt: skip
    shape = [n for i, n in enumerate(a.shape) if i not in attr[0]]
    shape += [n for j, n in enumerate(b.shape) if j not in attr[1]]
    if attr[2] in ("dot", "inner"):
        return array_type(strict_dtype(types), shape)
    # NumPy's tensordot gives an array of no axes, not a scalar
    return Type("array", strict_dtype(types), tuple(shape))


def _tensordot_vjp(b: Builder, node: int, g: int) -> Sequence[int | None]:
    x, y = b.args_of(node)
    axes, other_axes, _ = b.attr_of(node)
    g = full_shape(b, g, b.type_of(node).shape)
    left = ascii_letters[: b.type_of(x).rank]
    right = list(ascii_letters[len(left) : len(left) + b.type_of(y).rank])
    for i, j in zip(axes, other_axes, strict=True):
        right[j] = left[i]
    free = [c for i, c in enumerate(left) if i not in axes]
    free += [c for j, c in enumerate(right) if j not in other_axes]
    out, named = "".join(free), "".join(right)
    return (
        contract(b, [(g, out), (y, named)], left, "tensordot"),
        contract(b, [(x, left), (g, out)], named, "tensordot"),
    )


def _axes_pair(front: Any, axes: Any, ranks: tuple[int, int]) -> tuple[Any, Any, Any]:
    """The contracted axes of both operands, and the argument as it is written."""
    known = front.static(axes)
    if isinstance(known, int):
        if not 0 <= known <= min(ranks):
            raise Refusal(f"np.tensordot: axes={known} for arrays with {ranks[0]} and {ranks[1]} "
                          "axes")  # fmt: skip
        return tuple(range(ranks[0] - known, ranks[0])), tuple(range(known)), repr(known)
    if not isinstance(known, tuple) or len(known) != 2:
        raise Refusal("np.tensordot: axes is a number or a pair")
    pair = [k if isinstance(k, tuple) else (k,) for k in known]
    one, other = (tuple(axis_in(i, rank) for i in k) for k, rank in zip(pair, ranks, strict=True))
    if len(one) != len(other) or len(set(one)) != len(one) or len(set(other)) != len(other):
        raise Refusal("np.tensordot: shape-mismatch for sum: the axes do not pair up")
    return one, other, _axes_text(known)


def _axes_text(axes: Sequence[Any]) -> str:
    """A pair of axes as people write it: `(0, 1)`, or a pair of lists."""
    parts = [list(k) if isinstance(k, tuple) else k for k in axes]
    return f"({parts[0]}, {parts[1]})"


def axes_argument(attr: Any) -> str:
    """What stands after `axes=` in a call of tensordot."""
    one, other, text = attr
    if text is not None:
        return str(text)
    if len(one) == 1:
        return f"({one[0]}, {other[0]})"
    return "0" if not one else _axes_text((one, other))


def _bind_tensordot(front: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    x, y = front.array(a), front.array(b)
    ranks = (front.type_of(x).rank, front.type_of(y).rank)
    return front.add("tensordot", x, y, attr=_axes_pair(front, axes, ranks))


def _bind_einsum(front: Any, subscripts: Any, *operands: Any, optimize: Any = None) -> Any:
    if not isinstance(subscripts, str):
        raise Refusal(
            "np.einsum of operands with lists of axes", "write the subscripts as text: 'ij,jk->ik'"
        )
    nodes = [front.array(value) for value in operands]
    path = front.static(optimize)
    if path is not None and not isinstance(path, (bool, str)):
        raise Refusal("np.einsum: a path in optimize=", "write optimize=True")
    inputs, output = parse(subscripts, tuple(front.type_of(n).rank for n in nodes))
    if len(nodes) == 1 and set(inputs[0]) == set(output) and output:
        node = front.add("einsum_view", *nodes, attr=(subscripts, path))
        return front.view(operands[0], node)
    return front.add("einsum", *nodes, attr=(subscripts, path))


def register_rows() -> None:
    """Enter the rows of this family."""
    register(Op(name="einsum", infer=_einsum, vjp=_einsum_vjp, linear="each", call="numpy.einsum",
                bind=_bind_einsum, bounded=True, curved=True, cost=100))  # fmt: skip
    # of one operand and without a sum: a transpose or a diagonal
    register(Op(name="einsum_view", infer=_einsum, vjp=_einsum_vjp, linear="each", bounded=True,
                view=True))  # fmt: skip
    register(Op(name="tensordot", infer=_tensordot, vjp=_tensordot_vjp, linear="each",
                call="numpy.tensordot",
                aliases=("numpy.linalg.tensordot",), bind=_bind_tensordot, bounded=True,
                curved=True, cost=100))  # fmt: skip
