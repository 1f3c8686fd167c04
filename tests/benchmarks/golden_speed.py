"""The golden cases, emitted against derived by hand, timed in one process.

    python -m tests.benchmarks.golden_speed [NAME ...]

The hand sections keep the user's forward statements, as the emitted code does. The figures are
reported, never asserted.
"""

import math
import sys
from collections.abc import Sequence

import numpy as np

from tests import golden

from .speed import Comparison, compare, report
from .yardsticks import Workload


def workload(case: golden.Case) -> Workload:
    """A golden case at its first point, as a workload."""
    namespace = case.namespace()
    given = {**case.defaults(), **case.arguments(case.points[0])}
    function = namespace[case.function]

    def arguments(rng: np.random.Generator) -> tuple[object, ...]:
        return tuple(given.values())

    named = [partial_call(f, list(given)) for f in (function, namespace["hand"])]
    return Workload(case.name, *named, "", "", "", arguments)


def partial_call(function, names: Sequence[str]):
    """The function itself, or one that passes keyword-only arguments by name."""
    code = function.__code__
    positional = code.co_argcount
    if not code.co_kwonlyargcount:
        order = [names.index(n) for n in code.co_varnames[:positional]]
        if order == list(range(len(names))):
            return function
    return lambda *values: function(**dict(zip(names, values, strict=True)))


def main(words: Sequence[str]) -> None:
    """Time the cases whose names contain one of the words, or all that have a hand section."""
    cases = [golden.load(n) for n in golden.names() if not words or any(w in n for w in words)]
    kinds: dict[str, list[Comparison]] = {"scalars": [], "arrays": []}
    for case in cases:
        if not case.hand or case.mode == "pair":
            continue
        made = golden.run(case.output, case.name)[f"{case.function}_{case.mode}"]
        found = compare(workload(case), partial_call(made, list(arguments_of(case))), rounds=41)
        kind = "arrays" if has_array(case) else "scalars"
        kinds[kind].append(found)
    for kind, found in kinds.items():
        if found:
            report(sorted(found, key=lambda c: c.ratio))
            mean = math.exp(sum(math.log(c.ratio) for c in found) / len(found))
            print(f"{kind}: geometric mean {mean:.3f}, worst {max(c.ratio for c in found):.3f}")


def arguments_of(case: golden.Case) -> dict[str, object]:
    """The arguments of a case at its first point, defaults included."""
    return {**case.defaults(), **case.arguments(case.points[0])}


def has_array(case: golden.Case) -> bool:
    """Whether any argument is, or holds, an array."""
    pending = list(arguments_of(case).values())
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, np.ndarray):
            return True
    return False


if __name__ == "__main__":
    main(sys.argv[1:])
