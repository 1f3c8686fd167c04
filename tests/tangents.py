"""What tangents are held against: reverse mode, and the user's function along a direction."""

import contextlib
import itertools
import linecache
import warnings

import numpy as np

import gradgen

EPSILON = 2.0**-52
_numbers = itertools.count()


def leaves(value):
    """The numbers and arrays of nested dicts, lists and tuples, in order."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def mapped(function, value):
    """The structure of a value with a function applied to its numbers and arrays."""
    if isinstance(value, dict):
        return {key: mapped(function, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(function, item) for item in value)
    return function(value)


def directions(value, rng):
    """A direction with the structure, shapes and dtypes of a value, each entry of its own size."""

    def direction(leaf):
        drawn = rng.uniform(-1.0, 1.0, np.shape(leaf)) * np.where(leaf == 0.0, 1.0, np.abs(leaf))
        if isinstance(leaf, np.ndarray):
            return np.asarray(drawn, leaf.dtype)
        return type(leaf)(drawn) if isinstance(leaf, np.floating) else float(drawn)

    return mapped(direction, value)


def moved(value, direction, step):
    """A value, moved along a direction."""
    if isinstance(value, dict):
        return {key: moved(item, direction[key], step) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        both = zip(value, direction, strict=True)
        return type(value)(moved(item, along, step) for item, along in both)
    return value + step * direction


def along(f, arguments, direction, how):
    """The derivative of `f` along a direction, leaf by leaf, and the error of each entry.

    `direction` holds the arguments that move. `complex` is by one complex step, whose error is not
    known and small; `real` by Richardson's extrapolation of central differences.
    """

    def at(step):
        there = {n: moved(arguments[n], u, step) for n, u in direction.items()}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [np.asarray(leaf) for leaf in leaves(f(**{**arguments, **there}))]

    with contextlib.suppress(TypeError):  # what takes no complex numbers is not analytic
        if how == "complex":
            return [(np.imag(leaf) / 1e-200, 0.0) for leaf in at(1e-200j)]
    rows, size = [], at(0.0)
    for level in range(4):
        step = 2.0 ** (-8 - level)
        up, down = at(step), at(-step)
        row = [[(a - b) / (2 * step) for a, b in zip(up, down, strict=True)]]
        for k in range(level):
            weight = 4 ** (k + 1) - 1
            row.append([a + (a - b) / weight for a, b in zip(row[k], rows[-1][k], strict=True)])
        rows.append(row)
    return [
        (best, np.abs(best - near) + 16 * EPSILON * np.abs(value) / step)
        for best, near, value in zip(rows[-1][-1], rows[-2][-1], size, strict=True)
    ]


def differ_from_slope(tangent, slopes, tolerance):
    """What differs between a tangent and slopes with their errors, as text."""
    have = leaves(tangent)
    if len(have) != len(slopes):
        return [f"{len(have)} leaves, not {len(slopes)}"]
    failures = []
    for leaf, (want, error) in zip(map(np.asarray, have), slopes, strict=True):
        scale = max(float(np.max(np.abs(want), initial=0.0)), 1e-3)
        if leaf.shape != want.shape:
            failures.append(f"shape {leaf.shape} is not {want.shape}")
        elif not np.all(np.abs(leaf - want) <= tolerance * scale + 4 * error):
            failures.append(f"tangent\n{leaf}\nis not\n{want}")
    return failures


def differ_from_adjoint(tangent, seeds, gradients, direction, eps=EPSILON):
    """What differs in <v, J u> = <J^T v, u>, to 100 roundings of the terms, as text."""
    one = [np.ravel(v) * np.ravel(t) for v, t in zip(leaves(seeds), leaves(tangent), strict=True)]
    pairs = zip(leaves(gradients), leaves(direction), strict=True)
    other = [np.ravel(g) * np.ravel(u) for g, u in pairs]
    left, right = (np.concatenate([np.asarray(t, float) for t in terms]) for terms in (one, other))
    size = max(np.abs(left).sum(), np.abs(right).sum())
    if not abs(left.sum() - right.sum()) <= 100 * eps * size + 1e-300:
        return [f"<v, J u> = {left.sum()!r} is not <J^T v, u> = {right.sum()!r}"]
    return []


def same_bits(one, other):
    """Whether two values agree to the last bit, but for the bits of NaN."""
    pairs = list(zip(leaves(one), leaves(other), strict=True))
    return all(
        np.asarray(a).dtype == np.asarray(b).dtype
        and np.asarray(a).shape == np.asarray(b).shape
        and (np.asarray(a).tobytes() == np.asarray(b).tobytes() or np.isnan(a).any())
        for a, b in pairs
    )


def defined(text, name="f"):
    """The function in a text, with its source where `inspect` and gradgen find it."""
    path = f"<tangents {next(_numbers)}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    names = {
        "__name__": "told", "I": np.array([0, 0, 2]), "J": np.array([[0, 1], [1, 1]]),
        "K": np.array([1, 0, 1]),
    }  # fmt: skip
    exec(compile(text, path, "exec", dont_inherit=True), names)
    return names[name]


def jvp_of(f, wrt, arguments, direction, **options):
    """Value and tangent of a live function."""
    emitted = gradgen.jvp(f, wrt=wrt, **options)
    return emitted(**arguments, **{f"t_{n}": u for n, u in direction.items()})
