"""What the oracles found: verdicts on single derivatives, and the report that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["proved", "agrees", "differs", "unchecked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one oracle says of one thing: of the value, or of one derivative.

    `subject` is "value", or a derivative as `d/dW[0, 1]`; `count` is the number of comparisons,
    `worst` the largest error in the unit that `detail` names, `at` the arguments of that error.
    """

    oracle: str
    subject: str
    verdict: Verdict
    detail: str = ""
    count: int = 0
    worst: float | None = None
    at: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is tried. Every limit counts steps; `expired` may end a check by the clock."""

    name: str = "normal"
    samples: int = 24
    points: int = 6
    # How many operations an expression may have that SymPy is asked to prove zero.
    symbolic: int = 60
    digits: int = 50
    seed: int = 0
    expired: Callable[[], bool] = field(default=lambda: False)


EFFORTS = {
    "quick": Effort("quick", samples=8, points=2, symbolic=25),
    "normal": Effort(),
    "exhaustive": Effort("exhaustive", samples=200, points=30, symbolic=400),
}


@dataclass(slots=True)
class Report:
    """All that was found of a function, oracle by oracle."""

    name: str
    wrt: tuple[str, ...]
    shapes: str
    effort: str
    findings: list[Finding] = field(default_factory=list)
    # Assumptions on the domain, and what was not checked, as sentences.
    domain: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    accuracy: list[Any] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no oracle found a difference, and one at least looked at a derivative."""
        looked = any(f.verdict in ("proved", "agrees") and f.subject != "value"
                     for f in self.findings)  # fmt: skip
        return looked and not any(f.verdict == "differs" for f in self.findings)

    def by_oracle(self) -> Iterator[tuple[str, list[Finding]]]:
        """The findings of each oracle, in the order in which they ran."""
        for oracle in dict.fromkeys(f.oracle for f in self.findings):
            yield oracle, [f for f in self.findings if f.oracle == oracle]
