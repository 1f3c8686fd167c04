"""The golden cases as workloads: what is emitted for them, against their derivation by hand.

The hand sections keep the user's forward statements, as the emitted code does.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from tests import golden

from .workload import Function, Workload


def workloads() -> dict[str, Callable[[], Workload]]:
    """The cases with a hand section, by name, each made when it is asked for."""
    cases = (golden.load(name) for name in golden.names())
    return {c.name: partial(_workload, c) for c in cases if c.hand and c.mode != "pair"}


def _workload(case: golden.Case) -> Workload:
    """A golden case at its first point."""
    namespace = case.namespace()
    given = {**case.defaults(), **case.arguments(case.points[0])}
    functions = [namespace[case.function], namespace["hand"]]
    made = golden.run(case.output, case.name)[f"{case.function}_{case.mode}"]

    def arguments(rng: np.random.Generator) -> tuple[object, ...]:
        return tuple(given.values())

    forward, around, ours = (_positional(f, list(given)) for f in (*functions, made))
    return Workload(
        case.name, forward, around, None, "", "", arguments, emitted=ours,
        target=case.options.get("target", "numpy"), mode=case.mode,
    )  # fmt: skip


def _positional(function: Function, names: Sequence[str]) -> Function:
    """The function itself, or one that passes keyword-only arguments by name."""
    code = function.__code__
    positional = list(code.co_varnames[: code.co_argcount])
    if not code.co_kwonlyargcount and positional == list(names):
        return function
    return lambda *values: function(**dict(zip(names, values, strict=True)))
