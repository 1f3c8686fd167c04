"""What accurate rewrites of the user's function gain, measured in units in the last place.

Each by itself, and all together: another part of the function may lose the digits that one rewrite
saves. The samples are those where the function with the rewrite is finite, so that what overflows
without it is among them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from gradgen.live import load
from gradgen.oracles.accuracy import ulps
from gradgen.oracles.domain import Domain
from gradgen.oracles.entries import emitted
from gradgen.oracles.exact import Unsupported
from gradgen.oracles.reference import Exact, Reference, affordable
from gradgen.oracles.report import Effort, Gain, Ulps
from gradgen.oracles.sample import Kind, Values, samples
from gradgen.oracles.subject import Subject, by_keyword, flat_gradients
from gradgen.program import Options, Program, compile_graph
from gradgen.stabilize import Rewrite

# How many rewrites are measured one by one.
MOST = 8
KINDS: tuple[Kind, Kind] = ("ordinary", "wide")
ALL = "all of them"


class Worst(NamedTuple):
    """The largest errors of value and gradient of one program, and whether its value is finite."""

    value: float
    gradient: float
    finite: bool


def gains(subject: Subject, effort: Effort, domain: Domain | None = None) -> Iterator[Gain]:
    """What each accurate rewrite of the user's function would gain, and all of them together.

    Of more than eight, only what all gain. Nothing where there is none, or where an operation is
    not evaluated exactly.
    """
    plain = _compiled(subject, stabilize=False)
    whole = _compiled(subject, stabilize=True)
    count = len(whole.rewrites)
    if not count:
        return
    single = range(count if count <= MOST else 0)
    programs = [plain, whole, *(_compiled(subject, stabilize=True, rewrite=k) for k in single)]
    others = [replace(subject, emitted=_loaded(subject, program)) for program in programs]
    try:
        measured = [list(_measured(subject, others, effort, domain, kind)) for kind in KINDS]
    except Unsupported:
        return
    listed: list[tuple[Rewrite, int]] = [(whole.rewrites[k], k + 2) for k in single]
    if count > 1:
        listed.append((Rewrite(0, "", ALL), 1))
    for rewrite, place in listed or [(whole.rewrites[0], 1)]:
        ordinary, wide = (_ulps(held, place) for held in measured)
        yield Gain(rewrite.line, rewrite.before, rewrite.after, ordinary, wide)


def _compiled(subject: Subject, stabilize: bool, rewrite: int | None = None) -> Program:
    options = Options(subject.wrt, output=subject.output, stabilize=stabilize, rewrite=rewrite)
    return compile_graph(subject.graph, options)


def _loaded(subject: Subject, program: Program) -> Callable[..., Any]:
    return by_keyword(load(program, "value_and_grad", subject.function))


def _measured(
    subject: Subject, others: list[Subject], effort: Effort, domain: Domain | None, kind: Kind
) -> Iterator[list[Worst]]:
    """At each sample the largest errors of each program."""
    reference = Reference(replace(subject, derived=_compiled(subject, stabilize=False).graph))
    directions = np.random.default_rng([effort.seed, 17])

    @functools.wraps(subject.function)
    def value(**arguments: Any) -> Any:
        return others[1].emitted(**arguments)[0]

    accepting = replace(subject, function=value, output=None)
    for values in samples(accepting, affordable(subject, effort), effort.seed, domain, kind):
        if effort.expired():
            return
        exact = reference.at(values, directions)
        if exact.context.isfinite(exact.value):
            yield [_worst(other, values, exact) for other in others]


def _worst(subject: Subject, values: Values, exact: Exact) -> Worst:
    """The largest errors of value and gradient at one sample; those of exact zeros do not count."""
    try:
        result, gradients = emitted(subject, values)
        found = flat_gradients(subject, gradients)
    except Exception:  # whatever emitted code raises: it gives no number here
        return Worst(math.inf, math.inf, False)
    array = np.asarray(result)
    dtype = str(array.dtype) if array.dtype.kind == "f" else "float64"
    given = float(array.reshape(-1)[0])
    error = ulps(given, exact.value, dtype, exact.context)
    largest = 0.0
    for leaf in subject.active:
        for entry in np.ndindex(found[leaf.text].shape):
            wanted = exact.entries[leaf.text][entry]
            if exact.context.isfinite(wanted):
                one = float(found[leaf.text][entry])
                off = ulps(one, wanted, leaf.type.dtype, exact.context)
                largest = largest if math.isnan(off) else max(largest, off)
    return Worst(0.0 if math.isnan(error) else error, largest, math.isfinite(given))


def _ulps(measured: list[list[Worst]], place: int) -> Ulps:
    """The largest errors over the samples of the first program, and of one other."""
    pairs = [(held[0], held[place]) for held in measured if held[place].finite]
    value = [max((pair[k].value for pair in pairs), default=0.0) for k in (0, 1)]
    gradient = [max((pair[k].gradient for pair in pairs), default=0.0) for k in (0, 1)]
    return Ulps(len(pairs), (value[0], value[1]), (gradient[0], gradient[1]))
