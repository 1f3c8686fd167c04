"""Functions that move, repeat, split and pick items: calls that stay as the user wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from gradgen.errors import NeedsLength, Refusal
from gradgen.ops.indexing import slice_length
from gradgen.ops.shape import strict_dtype
from gradgen.ops.table import Op, refuse, register, register_written
from gradgen.types import Dim, Shape, Size, TupleType, Type, array_type, axis_in, broadcast, product


def strict(front: Any, value: Any) -> Type:
    """The type of a value as an array."""
    t = front.type_of(front.array(value))
    return Type("array", strict_dtype([t]), t.shape)


def length(front: Any, value: Any, what: str) -> Size:
    """An integer that is known while compiling, as a number or as a length."""
    known = front.builder.value_of(front.node(value))
    if not isinstance(known, (int, Dim)) or isinstance(known, bool):
        raise NeedsLength(f"{what} must be an integer that is known while compiling")
    return known


def integer(front: Any, value: Any, what: str) -> None:
    """Refuse what is no integer."""
    t = front.type_of(front.node(value))
    if t.is_float or t.dtype == "bool" or t.shape:
        raise Refusal(f"{what} must be an integer, not {t}")


def not_negative(front: Any, size: Size) -> None:
    """Take a length for one: the emitted function checks what is not proven."""
    if isinstance(size, Dim):
        front.builder.graph.least.append((size, front.builder.loc))


def _axes(front: Any, axis: Any, rank: int) -> tuple[int, ...]:
    known = front.static(axis)
    return tuple(axis_in(k, rank) for k in (known if isinstance(known, tuple) else (known,)))


# -- the same items in another order ---------------------------------------------------------------


def _roll(front: Any, a: Any, shift: Any, axis: Any = None) -> Type:
    t = strict(front, a)
    for one in front.items(shift) if front.is_sequence(shift) else [shift]:
        integer(front, one, "the shift of np.roll")
    if front.static(axis) is not None:
        axes = _axes(front, axis, t.rank)
        if front.is_sequence(shift) and len({len(shift), len(axes), 1}) > 2:
            raise Refusal("np.roll: the shifts and the axes differ in number")
    elif front.is_sequence(shift) and len(shift) != 1:
        raise Refusal("np.roll by several shifts needs axis=", "add the shifts up")
    return t


def _flip(front: Any, m: Any, axis: Any = None) -> Type:
    t = strict(front, m)
    if front.static(axis) is not None and len(set(_axes(front, axis, t.rank))) == 0:
        return t
    return array_type(t.dtype, t.shape)


def _flip_along(axis: int) -> Any:
    def flipped(front: Any, m: Any) -> Type:
        t = strict(front, m)
        if t.rank <= axis:
            raise Refusal(f"the array must have {axis + 1} axes or more")
        return t

    return flipped


def _rot90(front: Any, m: Any, k: Any = 1, axes: Any = (0, 1)) -> Type:
    t = strict(front, m)
    first, second = _axes(front, axes, t.rank)
    if first == second:
        raise Refusal("np.rot90: the axes must be different")
    shape = list(t.shape)
    if front.static(k) % 2:
        shape[first], shape[second] = shape[second], shape[first]
    return Type("array", t.dtype, tuple(shape))


def _squeeze(front: Any, a: Any, axis: Any = None) -> Type:
    t = strict(front, a)
    if front.static(axis) is None:
        if any(isinstance(n, Dim) for n in t.shape):
            raise NeedsLength("np.squeeze: which axes have the length 1 is not known",
                              "name the axis: axis=...")  # fmt: skip
        return Type("array", t.dtype, tuple(n for n in t.shape if n != 1))
    dropped = _axes(front, axis, t.rank)
    for k in dropped:
        if isinstance(t.shape[k], Dim):
            raise NeedsLength(f"np.squeeze: the length {t.shape[k]} must be 1")
        if t.shape[k] != 1:
            raise Refusal("cannot select an axis to squeeze out which has size not equal to one")
    return Type("array", t.dtype, tuple(n for k, n in enumerate(t.shape) if k not in dropped))


# -- repeated items --------------------------------------------------------------------------------


def _tile(front: Any, A: Any, reps: Any) -> Type:
    t = strict(front, A)
    items = front.items(reps) if front.is_sequence(reps) else [reps]
    rank = max(len(items), t.rank)
    counts: list[Size] = [1] * (rank - len(items))
    counts += [length(front, count, "a count of np.tile") for count in items]
    shape = (1,) * (rank - t.rank) + t.shape
    return Type("array", t.dtype, tuple(c * n for c, n in zip(counts, shape, strict=True)))


def _counts(front: Any, repeats: Any) -> list[int] | None:
    """The counts of `np.repeat` that are given for each item; None for one count."""
    if front.is_sequence(repeats):
        return list(front.static(repeats))
    node = front.array(repeats)
    if not front.type_of(node).shape:
        return None
    values = [front.builder.value_of(a) for a in front.builder.args_of(node)]
    if not front.builder.is_op(node, "array") or not all(isinstance(v, int) for v in values):
        raise Refusal("the counts of np.repeat must be known while compiling",
                      "write them as a list of integers")  # fmt: skip
    return values


def _repeat(front: Any, a: Any, repeats: Any, axis: Any = None) -> Type:
    t = strict(front, a)
    flat = front.static(axis) is None
    shape: list[Size] = [product(t.shape)] if flat else list(t.shape)
    at = 0 if flat else axis_in(front.static(axis), t.rank)
    counts = _counts(front, repeats)
    if counts is None:
        shape[at] = shape[at] * length(front, repeats, "the count of np.repeat")
    elif len(counts) == 1:
        shape[at] = shape[at] * counts[0]
    elif isinstance(shape[at], Dim):
        raise NeedsLength(f"np.repeat: {len(counts)} counts for an axis of length {shape[at]}")
    elif len(counts) != shape[at]:
        raise Refusal(f"np.repeat: {len(counts)} counts for an axis of length {shape[at]}")
    else:
        shape[at] = sum(counts)
    return Type("array", t.dtype, tuple(shape))


# -- parts -----------------------------------------------------------------------------------------


def _parts(front: Any, t: Type, at: int, sections: Any, equal: bool) -> TupleType:
    """The types of the parts of an array that is split along an axis."""
    n = t.shape[at]
    ends: list[Any]
    if front.is_sequence(sections):
        ends = [length(front, end, "an end of np.split") for end in front.items(sections)]
        ends = [_place(end, n) for end in ends]
        bounds = [0, *ends, n]
        for a, b in pairwise(bounds):
            not_negative(front, b - a)
            if isinstance(b - a, int) and b < a:
                raise Refusal("np.split takes ends in ascending order here")
    else:
        count = front.static(sections)
        if isinstance(n, Dim):
            raise NeedsLength(f"np.split of an axis of length {n} into {count} parts")
        if count < 1 or (equal and n % count):
            raise Refusal(f"an axis of length {n} cannot be split into {count} equal parts")
        short, more = divmod(n, count)
        bounds = [k * short + min(k, more) for k in range(count + 1)]
    lengths = [slice_length(n, a, b, None) for a, b in pairwise(bounds)]
    return TupleType(
        tuple(Type("array", t.dtype, (*t.shape[:at], m, *t.shape[at + 1 :])) for m in lengths)
    )


def _place(end: Size, n: Size) -> Size:
    """Where a slice ends, within an axis of known length."""
    if isinstance(end, int) and isinstance(n, int):
        return slice(None, end).indices(n)[1]
    return n + end if isinstance(end, int) and end < 0 else end


def _split(equal: bool) -> Any:
    def split(front: Any, ary: Any, indices_or_sections: Any, axis: Any = 0) -> TupleType:
        t = strict(front, ary)
        at = axis_in(front.static(axis), t.rank)
        return _parts(front, t, at, indices_or_sections, equal)

    return split


def _split_along(name: str, axis: int) -> Any:
    def split(front: Any, ary: Any, indices_or_sections: Any) -> TupleType:
        t = strict(front, ary)
        if t.rank <= (axis if name != "hsplit" else 0):
            raise Refusal(f"np.{name}: the array has too few axes: {t.rank}")
        at = axis if t.rank > axis else 0
        return _parts(front, t, at, indices_or_sections, True)

    return split


def _delete(front: Any, arr: Any, obj: Any, axis: Any = None) -> Type:
    t = strict(front, arr)
    flat = front.static(axis) is None
    shape: list[Size] = [product(t.shape)] if flat else list(t.shape)
    at = 0 if flat else axis_in(front.static(axis), t.rank)
    known = front.static(obj)
    places = known if isinstance(known, tuple) else (known,)
    n = shape[at]
    if isinstance(n, Dim) and isinstance(known, tuple):
        raise NeedsLength(f"np.delete of several items along an axis of length {n}")
    for k in places:
        if not isinstance(k, int) or isinstance(k, bool):
            raise Refusal("np.delete takes integers that are known while compiling")
        if isinstance(n, int) and not -n <= k < n:
            raise Refusal(f"index {k} is out of bounds for axis {at} with size {n}")
    gone = len({k % n for k in places}) if isinstance(n, int) else 1
    shape[at] = n - gone
    return Type("array", t.dtype, tuple(shape))


def _insert(front: Any, arr: Any, obj: Any, values: Any, axis: Any = None) -> Type:
    t, new = strict(front, arr), strict(front, values)
    flat = front.static(axis) is None
    shape: list[Size] = [product(t.shape)] if flat else list(t.shape)
    at = 0 if flat else axis_in(front.static(axis), t.rank)
    known = front.static(obj)
    n = shape[at]
    if new.is_float and not t.is_float:
        raise Refusal(f"np.insert of floats into an array of {t.dtype} cuts their fraction off")
    for k in known if isinstance(known, tuple) else (known,):
        if not isinstance(k, int) or isinstance(k, bool):
            raise Refusal("np.insert takes integers that are known while compiling")
        if isinstance(n, int) and not -n <= k <= n:
            raise Refusal(f"index {k} is out of bounds for axis {at} with size {n}")
    if isinstance(known, tuple):
        if new.rank and (len(shape) > 1 or new.shape != (len(known),)):
            raise Refusal("np.insert at several places takes one value, or one for each place, "
                          "in an array with one axis")  # fmt: skip
        if isinstance(n, Dim):
            raise NeedsLength(f"np.insert of several items along an axis of length {n}")
        added: Size = len(known)
    elif len(shape) == 1 and new.rank == 1:
        added = new.shape[0]
    else:
        rest = tuple(m for k, m in enumerate(shape) if k != at)
        if new.rank > len(rest) or broadcast([new.shape, rest]) != rest:
            raise Refusal(f"np.insert: {new} does not fit into a part of shape {rest}")
        added = 1
    shape[at] = n + added
    return Type("array", t.dtype, tuple(shape))


# -- diagonals and triangles -----------------------------------------------------------------------


def _triangle(front: Any, m: Any, k: Any = 0) -> Type:
    t = strict(front, m)
    integer(front, k, "the number of the diagonal")
    if not t.rank:
        raise Refusal("np.tril and np.triu take an array with axes")
    return Type("array", t.dtype, t.shape * 2 if t.rank == 1 else t.shape)


def diagonal_length(rows: Size, columns: Size, k: int) -> Size:
    """The length of a diagonal. Raises `NeedsLength` where it is not known while compiling."""
    if rows == columns:
        found = rows - abs(k)
    elif isinstance(rows, int) and isinstance(columns, int):
        found = min(rows, columns - k) if k >= 0 else min(rows + k, columns)
    else:
        raise NeedsLength(f"the length of a diagonal of a matrix with {rows} rows and "
                          f"{columns} columns")  # fmt: skip
    return max(found, 0) if isinstance(found, int) else found


def _diag(front: Any, v: Any, k: Any = 0) -> Type:
    t = strict(front, v)
    n = t.shape[0] + abs(front.static(k))
    return Type("array", t.dtype, (n, n))


def _diag_part(front: Any, v: Any, k: Any = 0) -> Type:
    t = strict(front, v)
    found = diagonal_length(t.shape[0], t.shape[1], front.static(k))
    not_negative(front, found)
    return Type("array", t.dtype, (found,))


def _bind_diag(front: Any, v: Any, *k: Any, **named: Any) -> Any:
    """A matrix with a diagonal, or a view of the diagonal of a matrix."""
    rank = front.type_of(front.array(v)).rank
    if rank not in (1, 2):
        raise Refusal("np.diag takes an array with one or two axes")
    return front.written("diag" if rank == 1 else "diag_part", v, *k, **named)


def _diagonal_shape(
    front: Any, a: Any, offset: Any, axis1: Any, axis2: Any
) -> tuple[str, Shape, Size]:
    t = strict(front, a)
    first, second = (axis_in(front.static(k), t.rank) for k in (axis1, axis2))
    if t.rank < 2 or first == second:
        raise Refusal("a diagonal needs an array with two axes, and two different axes")
    found = diagonal_length(t.shape[first], t.shape[second], front.static(offset))
    not_negative(front, found)
    rest = tuple(n for k, n in enumerate(t.shape) if k not in (first, second))
    return t.dtype, rest, found


def _diagonal(front: Any, a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Type:
    dtype, rest, found = _diagonal_shape(front, a, offset, axis1, axis2)
    return Type("array", dtype, (*rest, found))


def _trace(front: Any, a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Type:
    dtype, rest, _ = _diagonal_shape(front, a, offset, axis1, axis2)
    small = dtype == "bool" or dtype.startswith("int")
    return array_type("int64" if small else dtype, rest)


def _vander(front: Any, x: Any, N: Any = None, increasing: Any = False) -> Type:
    t = strict(front, x)
    if t.rank != 1:
        raise Refusal("np.vander takes an array with one axis")
    front.static(increasing)
    columns = t.shape[0] if N is None else length(front, N, "N of np.vander")
    if isinstance(columns, int) and columns < 0:
        raise Refusal("np.vander takes a number of columns that is not negative")
    return Type("array", "float64" if t.is_float else "int64", (t.shape[0], columns))


# -- grids -----------------------------------------------------------------------------------------


def _grids(front: Any, *xi: Any, sparse: Any = False, indexing: Any = "xy") -> TupleType:
    indexing = front.static(indexing)
    if indexing not in ("xy", "ij"):
        raise Refusal("Valid values for `indexing` are 'xy' and 'ij'.")
    types = [strict(front, x) for x in xi]
    lengths: list[Size] = [product(t.shape) for t in types]
    swapped = indexing == "xy" and len(xi) > 1
    if swapped:
        lengths[:2] = lengths[1::-1]
    shapes = [tuple(lengths)] * len(xi)
    if front.static(sparse):
        axes = [1 - k if swapped and k < 2 else k for k in range(len(xi))]
        shapes = [tuple(n if j == k else 1 for j, n in enumerate(lengths)) for k in axes]
    found = zip(types, shapes, strict=True)
    return TupleType(tuple(Type("array", t.dtype, shape) for t, shape in found))


def _bind_meshgrid(
    front: Any, *xi: Any, copy: Any = True, sparse: Any = False, indexing: Any = "xy"
) -> Any:
    """Without copies the results are views, each of one argument."""
    words = {"sparse": True} if front.static(sparse) else {}
    words |= {"indexing": indexing} if indexing != "xy" else {}
    grids = front.written("meshgrid", *xi, **words)
    if front.static(copy):
        return grids
    return tuple(front.view(x, front.node(g)) for x, g in zip(xi, grids, strict=True))


# -- padding ---------------------------------------------------------------------------------------

_PAD_MODES = {
    "constant": ("constant_values",), "edge": (), "wrap": (), "linear_ramp": ("end_values",),
    "reflect": ("reflect_type",), "symmetric": ("reflect_type",), "maximum": ("stat_length",),
    "mean": ("stat_length",), "median": ("stat_length",), "minimum": ("stat_length",),
}  # fmt: skip


def _pad(front: Any, array: Any, pad_width: Any, mode: Any = "constant", **named: Any) -> Type:
    t = strict(front, array)
    if mode == "empty":
        raise Refusal('np.pad with mode="empty" leaves values that nobody computed',
                      'use mode="constant"')  # fmt: skip
    if not isinstance(mode, str) or mode not in _PAD_MODES:
        raise Refusal("np.pad takes the name of a mode: " + ", ".join(_PAD_MODES))
    for name in named:
        if name not in _PAD_MODES[mode]:
            raise Refusal(f"np.pad: the mode {mode} takes no {name}")
    widths = _pairs(front, pad_width, t.rank)
    if mode not in ("constant", "linear_ramp") and 0 in t.shape:
        raise Refusal(f"np.pad of an empty array in the mode {mode}")
    shape = tuple(n + one + other for n, (one, other) in zip(t.shape, widths, strict=True))
    return Type("array", t.dtype, shape)


def _pairs(front: Any, value: Any, rank: int) -> list[tuple[Size, Size]]:
    """The widths before and after each axis, as NumPy broadcasts what is given."""
    items = front.items(value) if front.is_sequence(value) else [value]
    if any(front.is_sequence(item) for item in items):
        found = [front.items(item) for item in items]
        found = found * rank if len(found) == 1 else found
    else:
        found = [items] * rank
    if len(found) != rank or not all(1 <= len(pair) <= 2 for pair in found):
        raise Refusal("np.pad takes one width, a pair of widths, or a pair for each axis")
    sizes = [[length(front, width, "a width of np.pad") for width in pair] for pair in found]
    if any(isinstance(width, int) and width < 0 for pair in sizes for width in pair):
        raise Refusal("index can't contain negative values")
    return [(pair[0], pair[-1]) for pair in sizes]


def _bind_pad(front: Any, array: Any, pad_width: Any, mode: Any = "constant", **named: Any) -> Any:
    """A dict of widths by axis is written as the pairs that it stands for."""
    if isinstance(pad_width, dict):
        rank = front.type_of(front.array(array)).rank
        zero = front.wrap(front.builder.const(0))
        pairs = [(zero, zero)] * rank
        for axis, width in pad_width.items():
            pairs[axis_in(axis, rank)] = width if isinstance(width, tuple) else (width, width)
        pad_width = tuple(pairs)
    given = () if mode == "constant" else (mode,)
    return front.written("pad", array, pad_width, *given, **named)


def _mutator(name: str, hint: str) -> None:
    message = f"the method {name} changes the array's memory, and is not supported"
    refuse("", message, hint, (name,))


def _bind_fill(front: Any, a: Any, value: Any) -> None:
    front.update(a, Ellipsis, value, "index_set")


def register_rows() -> None:
    """Enter the rows of this family."""

    def moved(name: str, result: Any, methods: Sequence[str] = (), **more: Any) -> None:
        register_written(name, f"numpy.{name}", methods, result=result, bounded=True,
                         **{"adjoint": f"moves.{name}", "moves": True, "linear": "first",
                            **more})  # fmt: skip

    moved("roll", _roll, lazy=True)
    moved("flip", _flip, lazy=True, view=True)
    moved("flipud", _flip_along(0), lazy=True, view=True)
    moved("fliplr", _flip_along(1), lazy=True, view=True)
    moved("rot90", _rot90, lazy=True, view=True)
    moved("squeeze", _squeeze, ("squeeze",), lazy=True, view=True)
    moved("tile", _tile, lazy=True)
    moved("repeat", _repeat, ("repeat",))
    for name, equal in (("split", True), ("array_split", False)):
        moved(name, _split(equal), lazy=True, view=True, listed=True)
    for axis, name in enumerate(("vsplit", "hsplit", "dsplit")):
        moved(name, _split_along(name, axis), lazy=True, view=True, listed=True)
    moved("delete", _delete)
    # of what a call says in numbers the tangent is 0
    moved("insert", _insert, linear="")
    for name in ("tril", "triu"):
        moved(name, _triangle)
    register_written("diag_part", "numpy.diag", result=_diag_part, adjoint="moves.diag_part",
                     moves=True, linear="first", view=True, bounded=True)  # fmt: skip
    register_written("diag", "numpy.diag", result=_diag, adjoint="moves.diag", moves=True,
                     lazy=True, linear="first", bounded=True, bind=_bind_diag)  # fmt: skip
    moved("diagonal", _diagonal, ("diagonal",), view=True)
    moved("trace", _trace, ("trace",))
    moved("meshgrid", _grids, lazy=True, linear="", bind=_bind_meshgrid)
    register_written("vander", "numpy.vander", result=_vander, adjoint="moves.vander",
                     curved=True)  # fmt: skip
    register_written("pad", "numpy.pad", result=_pad, defined="moves.pad", bounded=True,
                     bind=_bind_pad)  # fmt: skip
    for name in ("diagflat", "resize", "block"):
        register_written(name, f"numpy.{name}", defined=f"moves.{name}", bounded=True)
    register(Op(name="fill", infer=lambda t, a, v: t[0], bind=_bind_fill), ("fill",))
    _mutator("resize", "use np.resize(x, shape), or x.reshape(shape)")
    _mutator("put", "use x[indices] = values")
    _mutator("itemset", "use x[index] = value")
