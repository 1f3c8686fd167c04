"""Audit a gradient that somebody wrote by hand: it is right, or an input is found that tells."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any

from gradgen.byhand.calls import (
    Outcome,
    outcomes,
    remarks,
    units_of,
    value_finding,
    wrong_calls,
    wrong_results,
)  # fmt: skip
from gradgen.byhand.faults import NEGLIGIBLE, Fault, Judge, Look, called
from gradgen.byhand.parting import Parting, partings
from gradgen.byhand.reading import Read, read_by_hand, unit_of
from gradgen.byhand.relations import Pair, factor, relation
from gradgen.byhand.shrinking import Shrinking, pasted
from gradgen.byhand.written import (
    Calling,
    Misfit,
    Reading,
    Written,
    calling_of,
    entries_of,
    part_of,
    reading_of,
)  # fmt: skip
from gradgen.checking import Progress, left_out, limits_of
from gradgen.errors import GradgenError, SourceError
from gradgen.live import Shapes
from gradgen.oracles.domain import Domain, assumptions, check_names, parse_domain
from gradgen.oracles.exact import Unsupported
from gradgen.oracles.numeric import complex_step, differences, dot_product
from gradgen.oracles.report import Effort, Finding, Report
from gradgen.oracles.sample import samples
from gradgen.oracles.steps import detached
from gradgen.oracles.subject import EVERY, ByHand, Subject, from_file, from_function, load_module
from gradgen.oracles.symbolic import symbolic
from gradgen.program import Wrt
from gradgen.read import read_file, read_live

# The steps that `progress` is told of.
STEPS = (
    "calls", "symbolic", "50 digits", "complex step", "differences", "dot product",
    "counterexample",
)  # fmt: skip
# At how many samples a relation is looked for, and the place where two programs part.
RELATED, PARTED = 6, 3
PRIMES = (5, 3, 7, 11)


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Arguments at which a derivative is wrong, as code by the texts of their places.

    `given` and `right` are numbers as text. With `formulas_only` the formulas differ, but 64-bit
    floats do not tell.
    """

    partial: str
    given: str
    right: str
    arguments: dict[str, str]
    formulas_only: bool = False


@dataclass(slots=True)
class Audit(Report):
    """A report on a gradient by hand.

    `called` says how it was called, `taken` what its results were taken for, `remarks` which of
    them have other types, `unread` why it was only called and not read. `relations` tells of wrong
    derivatives what they are of the right ones, `partings` where in the source they go wrong.
    """

    against: str = ""
    called: str = ""
    taken: str = ""
    unread: str = ""
    remarks: list[str] = field(default_factory=list)
    counterexample: Counterexample | None = None
    relations: dict[str, str] = field(default_factory=dict)
    partings: list[Parting] = field(default_factory=list)
    # What is wrong, and the derivatives of which no oracle could say anything.
    wrong: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no oracle found a difference, and each derivative was looked at."""
        looked = any(f.verdict in ("proved", "agrees") and f.subject.startswith("d/d")
                     for f in self.findings)  # fmt: skip
        wrong = any(f.verdict == "differs" for f in self.findings)
        return looked and not wrong and not self.unsettled


@dataclass(frozen=True, slots=True)
class Hand:
    """The gradient to audit: its name, itself, and what reads it for arguments of some types."""

    name: str
    function: Any
    read: Read


def audit(
    f: Callable[..., Any], my_grad: Callable[..., Any], wrt: Wrt = None, shapes: Shapes = None,
    like: Any = None, *, effort: str = "normal", domain: str = "", output: int | None = None,
    seconds: float | None = None,
) -> Audit:  # fmt: skip
    """What independent oracles find of a gradient that somebody wrote by hand.

    `my_grad` takes the arguments of `f`, by name where it has the same names, else in their order.
    It gives the gradient by one parameter, or a tuple, list or dict of several, or `(value,
    gradient)`. Both are called. The other arguments are those of `value_and_grad` and `check`;
    without `wrt` the result tells. `report.ok` tells whether each derivative was proved or agrees.
    Raises what `value_and_grad` raises, and `GradgenError` where it is not clear how to call
    `my_grad`, or what its result is.
    """
    name = getattr(my_grad, "__name__", type(my_grad).__name__)
    hand = Hand(name, my_grad, lambda types: read_live(my_grad, types))
    subject = from_function(f, EVERY if wrt is None else wrt, shapes, like, output)
    return run(subject, hand, wrt is None, effort, domain, seconds)


def audit_path(
    location: str, against: str, wrt: Wrt = None, shapes: Shapes = None, *, effort: str = "normal",
    domain: str = "", output: int | None = None, seconds: float | None = None,
    progress: Progress = lambda what: None,
) -> Audit:  # fmt: skip
    """As `audit`, of `PATH.py:function` against `PATH.py:gradient`; the files are executed."""
    path, _, name = against.rpartition(":")
    if not path or not name:
        raise GradgenError(f"{against}: expected PATH.py:function")
    module = load_module(Path(path))
    # one file is executed once: what it holds may be random
    own = location.rpartition(":")[0]
    alike = bool(own) and Path(own).resolve() == Path(path).resolve()
    every = EVERY if wrt is None else wrt
    subject = from_file(location, every, shapes, output, module=module if alike else None)
    if not callable(getattr(module, name, None)):
        raise GradgenError(f"{path}: there is no function {name}")
    hand = Hand(name, getattr(module, name), lambda types: read_file(Path(path), name, types, path))
    return run(subject, hand, wrt is None, effort, domain, seconds, progress)


def run(
    subject: Subject, hand: Hand, inferred: bool, effort: str = "normal", domain: str = "",
    seconds: float | None = None, progress: Progress = lambda what: None,
) -> Audit:  # fmt: skip
    """The audit of a gradient; with `inferred` its results tell the parameters, else the subject.

    Raises `GradgenError` for what makes no sense, and where results may be one of several things.
    """
    limits, within = limits_of(effort, seconds), parse_domain(domain)
    check_names(subject, within)
    why = detached(subject)
    if why:
        raise GradgenError(f"{subject.name} cannot be audited: {why}")
    calling = calling_of(hand.function, hand.name, subject)
    report = Audit(subject.name, subject.wrt, subject.program.shapes, effort, against=hand.name)
    report.called = calling.text(hand.name)
    progress("calls")
    found = outcomes(subject, hand.function, calling, limits, within)
    report.findings += wrong_calls(found)
    results = [(outcome.values, outcome.result) for outcome in found if not outcome.error]
    reading = None
    if results:
        try:
            wanted = None if inferred else subject.wrt
            reading = reading_of(subject, hand.name, results, wanted)
        except Misfit as why:
            report.findings.append(
                Finding("calls", "the result", "differs", f"the result {why}", at=results[0][0])
            )
    if reading is None:
        if not found:
            report.findings.append(Finding("calls", "the call", "unchecked", "no sample"))
        report.left_out = list(left_out(report))
        return report
    _Auditing(subject, hand, calling, reading, limits, within, report).run(found, progress)
    report.left_out = list(left_out(report))
    report.left_out += [f"{name}: no oracle could tell" for name in report.unsettled]
    return report


class _Auditing:
    """An audit, from the point on at which it is known what the results are."""

    def __init__(
        self, subject: Subject, hand: Hand, calling: Calling, reading: Reading, effort: Effort,
        domain: Domain, report: Audit,
    ) -> None:  # fmt: skip
        self.hand, self.calling, self.reading = hand, calling, reading
        self.effort, self.domain, self.report = effort, domain, report
        # with respect to all that the gradient gives, and to those of which the shapes fit
        self.every = self.right = again(subject, wrt=reading.wrt)
        report.wrt, report.taken = reading.wrt, reading.text
        report.shapes = self.right.program.shapes
        report.domain = [assumed.text for assumed in assumptions(self.right, domain)]

    def run(self, found: list[Outcome], progress: Progress) -> None:
        """Fill in the report."""
        report, bad = self.report, list[str]()
        for name, finding in wrong_results(self.right, self.reading, found):
            report.findings.append(finding)
            bad += [name] if name else list(self.reading.wrt)
            self._relate_shapes(finding.subject.removeprefix("d/d"), found)
        if not report.findings:
            said = f"{len(found)} calls: structure and shapes fit, no argument is changed"
            report.findings.append(Finding("calls", "the result", "agrees", said, len(found)))
        value = value_finding(self.right, self.reading, found, self.effort)
        report.findings += [value] if value is not None else []
        good = tuple(name for name in self.reading.wrt if name not in bad)
        if any(outcome.error for outcome in found):
            return
        if good:
            self.right = again(self.right, wrt=good)
            report.remarks = list(remarks(self.right, self.reading, found))
            judge = self._judge(self.right)
            report.findings += self._findings(judge, progress)
            report.unsettled = _derivatives(self.right, report.findings, "unchecked", every=True)
            if not judge.read:
                report.unsettled += [
                    f.subject for f in report.findings
                    if f.oracle == "50 digits" and f.verdict == "unchecked"
                    and f.subject not in report.unsettled
                ]  # fmt: skip
        report.wrong = _derivatives(self.every, report.findings, "differs")
        wrong = [
            f for f in report.findings if f.verdict == "differs" and f.subject.startswith("d/d")
        ]
        if wrong:
            progress("counterexample")
            if any(f.oracle != "calls" for f in wrong):
                self._explain(judge)
            self._part()

    def _judge(self, right: Subject) -> Judge:
        """The gradient by hand in the place of the emitted one, beside the right one."""
        written = Written(right, self.hand.name, self.hand.function, self.calling, self.reading)
        mine, unit = replace(right, emitted=written), None
        try:
            mine.derived = read_by_hand(right, self.hand.read, self.calling, self.reading)
            unit = unit_of(mine.derived)
        except GradgenError as error:
            self.report.unread = self.report.unread or _reason(error)
        found = [] if unit is not None else outcomes(
            right, self.hand.function, self.calling, self.effort, self.domain
        )  # fmt: skip
        mine.by_hand = ByHand(unit, units_of(right, self.reading, found))
        return Judge(right, mine, self.effort, unit is not None)

    def _findings(self, judge: Judge, progress: Progress) -> Iterator[Finding]:
        progress("symbolic")
        if judge.read:
            for finding in symbolic(judge.mine, self.effort, self.domain):
                yield _as_floats_tell(finding)
        else:
            for leaf in judge.right.active:
                why = f"{self.hand.name} is only called: {self.report.unread}"
                yield Finding("symbolic", f"d/d{leaf.text}", "unchecked", why)
        progress("50 digits")
        yield from called(judge, self.effort, self.domain)
        for oracle in (complex_step, differences, dot_product):
            progress(oracle.__name__.replace("_", " "))
            yield from oracle(judge.mine, self.effort, self.domain)

    # -- what is wrong -------------------------------------------------------------------------

    def _explain(self, judge: Judge) -> None:
        """A counterexample, what wrong derivatives are of the right ones, and where they part."""
        for formulas in (False, True) if judge.read else (False,):
            looks = list(self._looks(judge, formulas))
            faults: dict[str, Fault] = {}
            for look in looks:
                for leaf in judge.right.active:
                    fault = None if leaf.text in faults else judge.fault_of(look, leaf.text)
                    if fault is not None:
                        faults[leaf.text] = fault
            if faults:
                break
        else:
            return
        self._relate(judge, list(faults), looks)
        first = next(faults[leaf.text] for leaf in judge.right.active if leaf.text in faults)
        shrinking = Shrinking(judge, self._sized, self.effort, self.domain, formulas)
        fault = shrinking.shrunk(first)
        self.report.counterexample = Counterexample(
            fault.partial, fault.given, fault.right, pasted(fault.values), formulas
        )

    def _part(self) -> None:
        """Where in the source it goes wrong, on arrays of lengths that are no other number."""
        right = self.every
        with suppress(GradgenError):
            right = again(right, lengths=dict(zip(right.lengths, cycle(PRIMES), strict=False)))
        points = list(samples(right, PARTED, self.effort.seed, self.domain))
        with suppress(GradgenError, Unsupported):
            graph = read_by_hand(
                right, self.hand.read, self.calling, self.reading, any_shape=True
            )  # fmt: skip
            self.report.partings = partings(right, replace(right, derived=graph), points)

    def _looks(self, judge: Judge, formulas: bool) -> Iterator[Look]:
        for values in samples(judge.right, self.effort.samples, self.effort.seed, self.domain):
            look = None if self.effort.expired() else judge.look(values, formulas)
            if look is not None:
                yield look

    def _sized(self, lengths: Mapping[str, int]) -> Judge:
        return self._judge(again(self.right, lengths=lengths))

    def _relate(self, judge: Judge, wrong: list[str], looks: list[Look]) -> None:
        pairs = _pairs(looks)
        for leaf in wrong:
            text = relation(leaf, pairs)
            found = factor(leaf, pairs)
            if found is not None:
                text = self._of_length(leaf, found) or text
            if text:
                self.report.relations[f"d/d{leaf}"] = text

    def _of_length(self, leaf: str, found: float) -> str:
        """What a factor is that changes with the length of an axis."""
        lengths = self.right.lengths
        longer = {name: size + 1 for name, size in lengths.items()}
        try:
            judge = self._sized(longer)
        except GradgenError:
            return ""
        other = factor(leaf, _pairs(list(self._looks(judge, False))))
        if other is None or abs(other - found) <= 1e-9 * abs(found):
            return ""
        for name, size in lengths.items():
            for power, text in ((1, name), (-1, f"1/{name}"), (2, f"{name}**2")):
                if _is_near(found, size**power) and _is_near(other, longer[name] ** power):
                    return f"it is {text} times the right one"
        return ""

    def _relate_shapes(self, text: str, found: list[Outcome]) -> None:
        """What must be done to a derivative of another shape."""
        leaf = next((held for held in self.right.active if held.text == text), None)
        if leaf is None:
            return
        judge = Judge(self.right, self.right, self.effort, False)
        pairs: list[Pair] = []
        for outcome in found[:RELATED]:
            try:
                held = self.reading.taken(outcome.result)[1][leaf.name]
                given = entries_of(part_of(held, leaf.path), leaf)
            except Misfit:
                return
            right = judge.right_values(outcome.values)[text]
            pairs.append(({text: given}, {text: right.astype(float)}))
        said = relation(text, pairs)
        if said:
            self.report.relations[f"d/d{text}"] = said


def again(subject: Subject, **changes: Any) -> Subject:
    """The same function with respect to others, or at other lengths. Raises `GradgenError`."""
    assert subject.again is not None, "only subjects of functions are audited"
    return subject.again(**changes)


def _pairs(looks: list[Look]) -> list[Pair]:
    return [
        (look.given, {leaf: right.astype(float) for leaf, right in look.right.items()})
        for look in looks[:RELATED]
        if not look.wrong
    ]


def _is_near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * abs(other)


def _reason(error: GradgenError) -> str:
    """Why a gradient is not read, in one line."""
    if isinstance(error, SourceError):
        return f"{error.msg} ({Path(error.filename or '').name}:{error.lineno})"
    return str(error)


def _as_floats_tell(finding: Finding) -> Finding:
    """What the formulas differ by, if that is less than 64-bit floats can tell."""
    worst = finding.worst
    if finding.verdict != "differs" or worst is None or not worst <= NEGLIGIBLE:
        return finding
    detail = f"the formulas differ by {worst:.0e} of the derivative, which float64 hardly tells"
    return dataclasses.replace(finding, verdict="agrees", detail=detail)


def _derivatives(
    subject: Subject, findings: Sequence[Finding], verdict: str, every: bool = False
) -> list[str]:
    """The derivatives by leaves of which a finding has a verdict, or with `every` each of them.

    A finding on several at once, as along a direction, is on none of them.
    """
    found = []
    for leaf in subject.active:
        name = f"d/d{leaf.text}"
        own = [f.verdict == verdict for f in findings
               if f.subject == name or f.subject.startswith((f"{name}[", f"{name},"))]  # fmt: skip
        if all(own) if every else any(own):
            found.append(name)
    return found
