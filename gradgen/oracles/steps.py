"""Derivatives of the user's function without its graph: complex steps and differences.

Every estimate comes with an error of its own, which is measured and not assumed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning

from gradgen.graph import Graph
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.oracles.branch import Watch
from gradgen.oracles.domain import depends_on
from gradgen.oracles.sample import Random, Values, copied, quiet_call
from gradgen.oracles.subject import Leaf, Subject, call
from gradgen.spelling import called

EPSILON = 2.0**-52
# So small that its square vanishes, and far from the smallest number.
IMAGINARY = 1e-60
# Below this, imaginary parts may have vanished on the way.
VANISHED = 1e-220
# First steps that are tried, in units of the point, as powers of 2; and steps of each, halved.
STARTS = (-3, -7, 1, -12, -18, -26)
LEVELS = 8
# The error, relative to the derivative, at which no other first step is tried.
GOOD_ENOUGH = 2e-11
JITTERS = 4

# Operations that NumPy continues analytically to complex numbers.
ANALYTIC = frozenset({
    "add", "sub", "mul", "div", "power", "neg", "pos", "exp", "exp2", "expm1", "log", "log2",
    "log10", "log1p", "sqrt", "square", "reciprocal", "sin", "cos", "tan", "arcsin", "arccos",
    "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "where", "sum", "sum_where",
    "mean", "mean_where", "prod", "prod_where", "cumsum", "cumprod", "sum_rows", "total",
    "reshape", "transpose", "index", "index_set", "index_add", "broadcast_to", "copy", "array",
    "concatenate", "append", "stack", "vstack", "hstack", "dstack", "column_stack", "item",
    "axis_size", "item_count", "zeros_like", "ones_like", "full", "full_like", "roll", "flip",
    "flipud", "fliplr", "rot90", "squeeze", "tile", "repeat", "split", "array_split", "vsplit",
    "hsplit", "dsplit", "delete", "insert", "tril", "triu", "diag_part", "diag", "diagonal",
    "trace", "meshgrid", "pad", "diagflat", "resize", "block", "take", "take_along_axis", "choose",
    "select", "compress", "extract", "convolve", "polyval", "polyval_rising", "polyder", "polyint",
    "polyadd", "polysub", "einsum", "einsum_view", "tensordot", "matmul", "outer", "kron", "cross",
    "linalg_cross", "solve", "inv", "small_det", "det", "matrix_power", "multi_dot", "tensorinv",
    "tensorsolve", "linalg_diagonal", "linalg_trace", "diff", "ediff1d", "trapezoid", "average",
    "gradient",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Estimate:
    """A derivative, how far it may be off, and how much of that is rounding alone."""

    value: float
    error: float
    rounding: float


def not_analytic(subject: Subject) -> str:
    """Why a complex step says nothing of the function, or nothing."""
    graph = subject.graph
    needed = reachable(graph, subject.value)
    active = depends_on(graph, {leaf.node for leaf in subject.active})
    for node, op in enumerate(graph.ops):
        args = graph.args[node]
        if op not in OPS or not needed[node] or not any(active[a] for a in args):
            continue
        attr = graph.attrs[node]
        fixed = op != "where" or not active[args[0]]
        if op not in ANALYTIC or attr in ("math", "vdot") or not fixed:
            loc = graph.locs[node]
            place = f" (line {loc.line})" if loc is not None else ""
            how = f"math.{called(graph, node)}" if attr == "math" else called(graph, node)
            return f"{how}{place} takes no complex numbers, or is not analytic in them"
    return ""


@dataclass(slots=True)
class Ray:
    """The user's function along a direction from a point, in double precision.

    `directions` are those of active leaves by their texts; all others stand still.
    """

    subject: Subject
    values: Mapping[str, Any]
    directions: Mapping[str, Any]

    def point(self, step: complex) -> Values:
        """The values of the leaves a step along the direction."""
        found = copied(self.values)
        for leaf in self.subject.leaves:
            if leaf.type.is_float:
                held = np.asarray(self.values[leaf.text], dtype=float)
                if leaf.text in self.directions:
                    held = held + step * self.directions[leaf.text]
                found[leaf.text] = _of_kind(held, leaf)
        return found

    def at(self, step: float) -> float:
        """The value of the function; NaN where it has none."""
        try:
            value = np.asarray(quiet_call(self.subject, self.point(step)))
        except Exception:  # whatever the user's function raises at these arguments
            return math.nan
        return float(value.reshape(())) if value.dtype.kind in "biuf" else math.nan

    def imaginary(self, step: float) -> tuple[complex, str]:
        """The value of the function a step into the imaginary, or why it has none."""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", ComplexWarning)
                found = call(self.subject, self.point(1j * step))
            return complex(np.asarray(found).reshape(())), ""
        except Exception as error:  # whatever the user's function makes of complex numbers
            return complex(math.nan, math.nan), f"{type(error).__name__}: {error}"

    def moved(self, random: Random) -> Ray:
        """The same from a point that differs by a few roundings."""
        return Ray(self.subject, jittered(self.subject, self.values, random), self.directions)


def _of_kind(array: Any, leaf: Leaf) -> Any:
    """An array as a number, where the function is given one."""
    if leaf.type.kind == "py":
        return complex(array) if np.iscomplexobj(array) else float(array)
    return array if leaf.type.kind == "array" else array[()]


def jittered(subject: Subject, values: Mapping[str, Any], random: Random) -> Values:
    """The values, each float times 1 and up to four units in its last place."""
    found = copied(values)
    for leaf in subject.leaves:
        if leaf.type.is_float:
            array = np.asarray(values[leaf.text])
            epsilon = float(np.finfo(array.dtype).eps)
            factor = 1.0 + epsilon * random.choice([-4, -3, -2, 2, 3, 4], array.shape)
            moved = (array * factor).astype(array.dtype)
            found[leaf.text] = float(moved) if leaf.type.kind == "py" else moved[()]
            if leaf.type.kind == "array":
                found[leaf.text] = np.asarray(moved)
    return found


def by_complex_step(ray: Ray, random: Random, jitters: int = JITTERS) -> Estimate | str:
    """The derivative along a ray by a complex step, or why there is none.

    The error is how far roundings of the arguments move it, and how far the real part is from the
    function's value: where complex arithmetic is less exact than real, it says so.
    """
    found, why = ray.imaginary(IMAGINARY)
    value = found.imag / IMAGINARY
    if why or not math.isfinite(value):
        return why or "the complex value is not finite"
    real = ray.at(0.0)
    moved = [ray.moved(random).imaginary(IMAGINARY)[0].imag / IMAGINARY for _ in range(jitters)]
    spread = max((abs(m - value) for m in moved), default=0.0)
    if not math.isfinite(spread) or not math.isfinite(real):
        return "the complex value is not finite nearby"
    drift = abs(found.real - real) / abs(real) if real else float(found.real != 0)
    if drift > 1e-6:
        return "complex arithmetic gives another value than real arithmetic"
    floor = spread + VANISHED
    return Estimate(value, floor + EPSILON * abs(value), floor)


def by_differences(
    ray: Ray, size: float, watch: Watch, noise: float, turn: float = 1.0, thorough: bool = False
) -> Estimate | str:
    """The derivative along a ray by central differences, extrapolated (Ridders 1982), or why not.

    `size` is the length along the ray over which the arguments change by as much as they are;
    `noise` by how much the function's value is uncertain. Several first steps are tried, from an
    eighth of `size` on, until the error is small; with `thorough` all of them, of which two must
    meet. None crosses a branch point. `turn` changes all steps a little. The error is the largest
    change of the extrapolated value in the last step of the table, plus what the noise makes of the
    smallest step. An oscillation that is smaller than the noise, and steep all the same, is seen by
    no difference.
    """
    side = watch.side(ray.point(0.0))
    found: dict[int, Estimate] = {}
    crossed = False
    for start in STARTS:
        first = turn * size * 2.0**start
        steps = [s * first * part for part in (1.0, 0.5) for s in (1, -1)]
        if any(watch.side(ray.point(s)) != side for s in steps):
            crossed = True
            continue
        made = _table(ray.at, first, noise)
        if made is not None:
            found[start] = made
            best = _best(found)
            if best.error <= GOOD_ENOUGH * abs(best.value) and not thorough:
                break
    if found:
        best = _best(found)
        others = [other for other in found.values() if other.value != best.value]
        if thorough and others and not any(_overlap(best, other) for other in others):
            return "differences by large and small steps do not meet"
        return best
    return "a branch point is near" if crossed else "the function has no finite value nearby"


def _overlap(one: Estimate, other: Estimate) -> bool:
    return abs(one.value - other.value) <= 4 * (one.error + other.error)


def _best(found: Mapping[int, Estimate]) -> Estimate:
    """The estimate of the smallest error, by the first steps that they are made with.

    Large steps may jump over poles, or see only what a function saturates to, and agree among
    themselves: how far they are from what smaller ones find counts as their error.
    """
    starts = sorted(found)
    best = found[starts[0]]
    for start in starts[1:]:
        larger = found[start]
        error = max(larger.error, abs(larger.value - best.value))
        if error < best.error:
            best = Estimate(larger.value, error, larger.rounding)
    return best


def _table(function: Callable[[float], float], first: float, noise: float) -> Estimate | None:
    """The best entry of a table of extrapolated central differences."""
    best: Estimate | None = None
    before: list[float] = []
    for level in range(LEVELS):
        step = first / 2**level
        row = [(function(step) - function(-step)) / (2 * step)]
        if not math.isfinite(row[0]):
            return None
        rounding = 2.0 * noise / step
        for j, above in enumerate(before):
            row.append(row[j] + (row[j] - above) / (4.0 ** (j + 1) - 1.0))
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - above)) + rounding
            if best is None or error < best.error:
                best = Estimate(row[-1], error, rounding)
        if best is not None and before and abs(row[-1] - before[-1]) > 4 * best.error:
            break
        before = row
    return best


def value_noise(ray: Ray, random: Random, coarse: float) -> float:
    """By how much roundings of the arguments move the function's value; `coarse`: its epsilon."""
    value = ray.at(0.0)
    moved = [ray.moved(random).at(0.0) for _ in range(JITTERS)]
    spread = [abs(m - value) for m in moved if math.isfinite(m)]
    return max(spread, default=0.0) + coarse * abs(value)


def coarsest(graph: Graph, introduced: bool = False) -> float:
    """The largest epsilon of the floating-point types that a graph computes with.

    With `introduced`, of those that remain where all arguments are given in double precision.
    """
    kinds = set()
    for node, t in enumerate(graph.types):
        if t.dtype in _COARSE and not (
            introduced
            and (
                graph.ops[node] == "param"
                or (
                    graph.ops[node] != "astype"
                    and any(graph.types[a].dtype in _COARSE for a in graph.args[node])
                )
            )
        ):
            kinds.add(t.dtype)
    return max((float(np.finfo(kind).eps) for kind in kinds), default=EPSILON)


_COARSE = ("float16", "float32")
