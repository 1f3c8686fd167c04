"""Derivatives of the user's function without its graph: complex steps and differences.

Every estimate comes with an error of its own, which is measured and not assumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradgen.differences import (
    EPSILON,
    IMAGINARY,
    Estimate,
    complex_slope,
    complex_value,
    real_value,
    table,
)
from gradgen.directives import Held
from gradgen.graph import Graph
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.oracles.branch import Watch
from gradgen.oracles.domain import depends_on
from gradgen.oracles.sample import Random, Values, copied
from gradgen.oracles.subject import Leaf, Subject, call
from gradgen.spelling import called

# First steps that are tried, in units of the point, as powers of 2.
STARTS = (-3, -7, 1, -12, -18, -26)
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
    "linalg_cross", "solve", "inv", "small_det", "regular_det", "det", "matrix_power", "multi_dot",
    "tensorinv", "tensorsolve", "linalg_diagonal", "linalg_trace", "diff", "ediff1d", "trapezoid",
    "average", "gradient", "stop_gradient",
})  # fmt: skip


def detached(subject: Subject) -> str:
    """Why the function's own slope is not the derivative that was asked for, or nothing."""
    graph = subject.graph
    needed = reachable(graph, subject.value)
    active = depends_on(graph, {leaf.node for leaf in subject.active})
    for node, op in enumerate(graph.ops):
        if op != "custom_rule" or graph.ops[graph.args[graph.args[node][0]][0]] == "opaque":
            continue  # the rule of an opaque function is to tell its slope
        if needed[node] and active[node]:
            loc = graph.locs[node]
            place = "" if loc is None else f" (line {loc.line})"
            return f"custom rule{place}: the derivative is not the slope of the function"
    return ""


def not_analytic(subject: Subject) -> str:
    """Why a complex step says nothing of the function, or nothing."""
    why = detached(subject)
    if why:
        return why
    graph = subject.graph
    active = depends_on(graph, {leaf.node for leaf in subject.active})
    # what is stopped is held still
    needed = [False] * len(graph)
    stack = [subject.value]
    while stack:
        node = stack.pop()
        if not needed[node]:
            needed[node] = True
            still = graph.ops[node] == "stop_gradient" and graph.attrs[node] != "rule"
            stack += () if still else graph.args[node]
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

    `directions` are those of active leaves by their texts; all others stand still, and so does what
    the function stops.
    """

    subject: Subject
    values: Mapping[str, Any]
    directions: Mapping[str, Any]
    _held: Held | None = None

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
        return real_value(lambda: self._call(step))

    def imaginary(self, step: float) -> tuple[complex, str]:
        """The value of the function a step into the imaginary, or why it has none."""
        return complex_value(lambda: self._call(1j * step))

    def _call(self, step: complex) -> Any:
        if "stop_gradient" not in self.subject.graph.ops:
            return call(self.subject, self.point(step))
        if self._held is None:
            self._held = Held()
            self._held.call(lambda: call(self.subject, self.point(0.0)))
        return self._held.call(lambda: call(self.subject, self.point(step)))

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
    """The derivative along a ray by a complex step, or why there is none."""
    found, why = ray.imaginary(IMAGINARY)
    if why:
        return why
    beside = [ray.moved(random).imaginary(IMAGINARY / 2)[0] for _ in range(jitters)]
    return complex_slope(found, beside, ray.at(0.0))


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
        made = table(ray.at, first, noise)
        if made is not None:
            found[start] = made
            best = _best(found)
            if best.error <= GOOD_ENOUGH * abs(best.value) and not thorough:
                break
    if found:
        best = _best(found)
        meeting = sum(_overlap(best, other) for other in found.values())  # itself among them
        if thorough and len(found) > 1 and meeting < 2:
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
