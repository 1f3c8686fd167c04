"""Who takes part in a workload, whether they are right, and how they compare."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

import gradgen
from gradgen.program import STYLES

from . import arrays, networks, programs, scalars, vision
from .peers import PEERS, TOLERANCES, Skipped
from .timing import Contestant, Timed, load, race
from .workload import Function, Workload, error

FORWARD, AROUND, FREEHAND = "forward", "expert, around", "expert, free-hand"
# Largest deviations from the expert's gradient, in units of the largest entry.
TOLERANCE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 2e-4}

WORKLOADS: dict[str, Callable[[], Workload]] = {
    **{w.name: lambda w=w: w for w in scalars.WORKLOADS},
    **programs.workloads(),
    **{w.name: lambda w=w: w for w in (*vision.WORKLOADS, *arrays.WORKLOADS, *networks.WORKLOADS)},
}


@dataclass
class Result:
    """One workload measured: by column the times, or why there are none."""

    name: str
    target: str
    load: float
    timed: dict[str, Timed] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, float] = field(default_factory=dict)

    def ratio(self, column: str, reference: str) -> float | None:
        """A column's time in units of a reference's, or None where one has none."""
        if column not in self.timed or reference not in self.timed:
            return None
        return self.timed[column].ratio / self.timed[reference].ratio

    def with_peers(self, other: "Result", columns: Sequence[str]) -> "Result":
        """This result, with what another run says of the columns of peers."""
        made = Result(self.name, self.target, self.load)
        for part in ("timed", "skipped", "wrong"):
            own, new = getattr(self, part), getattr(other, part)
            kept = {name: own[name] for name in own if name not in columns}
            getattr(made, part).update(kept | {n: new[n] for n in new if n in columns})
        return made

    def as_json(self) -> dict[str, Any]:
        """The result as what `json` writes."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Result":
        """The inverse of `as_json`."""
        timed = {column: Timed(**t) for column, t in found["timed"].items()}
        return cls(**{**found, "timed": timed})


def style_column(style: str) -> str:
    """What the column of an emission style is called."""
    return f"gradgen, {style}"


def emitted(workload: Workload, style: str) -> Function:
    """Emit the workload's derivative, and load the text as a module would be.

    Raises `Skipped` where only the default style writes what arrays of numbers can be put through.
    """
    if workload.lanes and style != "default":
        raise Skipped("its code for numbers takes no arrays of them")
    text = gradgen.emit(
        workload.function, wrt=workload.wrt, shapes=workload.shapes, target=workload.target,
        mode=workload.mode, style=style,
    )  # fmt: skip
    namespace: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(text, f"<{workload.name}, {style}>", "exec"), namespace)
    function: Function = namespace[f"{workload.function.__name__}_{workload.mode}"]
    return function


def measure(workload: Workload, columns: Sequence[str], budget: float) -> Result:
    """Time the forward pass, the experts, gradgen in every style, and peers by name.

    Each gradient is compared with that of the expert around the forward pass first; what deviates
    is reported as wrong and not timed.
    """
    result = Result(workload.name, workload.target, load())
    arguments = workload.arguments(np.random.default_rng(0))
    expected = workload.around(*arguments)
    contestants = [Contestant(FORWARD, workload.function), Contestant(AROUND, workload.around)]
    floats = [a.dtype for a in arguments if getattr(a, "dtype", None) in TOLERANCE]
    tolerance = max((TOLERANCE[dtype] for dtype in floats), default=1e-9)
    for column, make in _others(workload, columns).items():
        try:
            contestant = make()
            deviation = _deviation(workload, contestant, arguments, expected)
        except (Skipped, gradgen.GradgenError) as reason:
            result.skipped[column] = str(reason)
            continue
        if deviation > max(tolerance, TOLERANCES.get(column, 0.0)):
            result.wrong[column] = deviation
        else:
            contestants.append(contestant)
    timed = race(contestants, arguments, 1, budget)
    for contestant in contestants:
        result.timed[contestant.column] = timed.timed(contestant.column, AROUND)
    return result


def _others(workload: Workload, columns: Sequence[str]) -> dict[str, Callable[[], Contestant]]:
    found: dict[str, Callable[[], Contestant]] = {}
    if workload.freehand is not None:
        found[FREEHAND] = lambda: Contestant(FREEHAND, workload.freehand)
    if workload.emitted is not None:
        column = style_column(STYLES[0])
        return found | {column: lambda: Contestant(column, workload.emitted)}
    for style in STYLES:
        column = style_column(style)
        found[column] = lambda s=style, c=column: Contestant(c, emitted(workload, s))
    found |= {name: lambda p=peer: p(workload) for name, peer in PEERS.items() if name in columns}
    return found


def _deviation(
    workload: Workload, contestant: Contestant, arguments: Sequence[Any], expected: Any
) -> float:
    try:
        found = contestant.call(*contestant.prepare(arguments))
        return error(workload, found, expected)
    except Exception as problem:
        if contestant.column not in PEERS:
            raise
        # a peer can raise whatever it likes; that is then why it has no figure
        raise Skipped(f"{type(problem).__name__}: {str(problem).strip()[:60]}") from None
