"""Errors planted in functions and constants of gradgen, each tried on the tests that reach it."""

import hashlib
import os
import pickle
import random
import resource
import select
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mutation_equivalents import settle, summary
from mutation_places import GROUPS, ROOT, Group, Place

TESTS = Path(__file__).parent


class Hunt:
    """A pytest plugin that runs the tests once under a trace, and then the mutants on them."""

    def __init__(
        self, group: Group, chosen: list[tuple[Place, str, int, Any]], budget: float,
        kept: Path | None,
    ) -> None:  # fmt: skip
        self.group, self.chosen, self.budget, self.kept = group, chosen, budget, kept
        self.traced = {str(ROOT / file): file for file, _ in group.names()}
        # The lines that each test executes, None where it fails unchanged; and its seconds.
        self.hits: dict[str, list[tuple[str, int]] | None] = {}
        self.kinds: dict[int, int] = {}
        self.seconds: dict[str, float] = {}
        self.lines: dict[tuple[str, int], set[int]] = {}
        self.kills: Counter[tuple[str, int]] = Counter()
        self.scores: dict[str, Counter[str]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In the place of pytest's own loop."""
        self.items = session.items
        texts = [(ROOT / file).read_bytes() for file in sorted(self.traced.values())]
        state = hashlib.sha256(b"".join(texts)).digest()
        if self.kept is not None and self.kept.exists():
            before, hits, seconds = pickle.loads(self.kept.read_bytes())
            if before == state:
                self.hits, self.seconds = hits, seconds
        for number, item in enumerate(self.items):
            self._trace(number)
            self.kinds[number] = hash(tuple(self.hits[item.nodeid] or ()))
        if self.kept is not None:
            self.kept.write_bytes(pickle.dumps((state, self.hits, self.seconds)))
        failing = [name for name, hit in self.hits.items() if hit is None]
        print(f"{len(self.items)} tests, {sum(self.seconds.values()):.0f} s under the trace, "
              f"failing unchanged: {failing}", file=sys.stderr, flush=True)  # fmt: skip
        for place, title, line, tree in self.chosen:
            killer = self._fate(place, line, tree)
            settle(
                title, killer, self.group.equivalents, self.scores.setdefault(place.file, Counter())
            )
        return True

    def _trace(self, number: int) -> None:
        """Note which lines a test executes."""
        name = self.items[number].nodeid
        if name not in self.hits:
            hit: set[tuple[str, int]] = set()

            def local(frame: Any, event: str, arg: Any) -> Any:
                hit.add((self.traced[frame.f_code.co_filename], frame.f_lineno))
                return local

            def calls(frame: Any, event: str, arg: Any) -> Any:
                return local if frame.f_code.co_filename in self.traced else None

            start = time.monotonic()
            sys.settrace(calls)
            try:
                passed = self._passes(number)
            finally:
                sys.settrace(None)
            self.seconds[name] = time.monotonic() - start
            self.hits[name] = sorted(hit) if passed else None
        for place in self.hits[name] or ():
            self.lines.setdefault(place, set()).add(number)

    def _passes(self, number: int) -> bool:
        from _pytest.runner import runtestprotocol

        item = self.items[number]
        reports = runtestprotocol(item, log=False, nextitem=None)
        return not any(r.failed for r in reports)

    def _fate(self, place: Place, line: int, tree: Any) -> str | None:
        """What kills a mutant: a test, the clock, or nobody."""
        reached = self.lines.get((place.file, line), set())
        if place.is_constant or not reached:  # no test executes what stands in a signature
            reached = set().union(*(self.lines.get(at, set()) for at in place.lines))
        order = self._order(reached, place.qualname)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._in_child(place, tree, order, writing)
        os.close(writing)
        ready, _, _ = select.select([reading], [], [], 60 + 10 * self.budget)
        answer = os.read(reading, 100).decode() if ready else ""
        os.close(reading)
        if not ready:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if answer == "nobody":
            return None
        if answer.isdigit():
            self.kills[place.qualname, int(answer)] += 1
            return self.items[int(answer)].nodeid
        assert answer != "not planted", f"{place.qualname} could not be changed"
        return "it never ended" if not ready else "it crashed"

    def _order(self, reached: set[int], qualname: str) -> list[int]:
        """What killed before comes first; then the files take turns, each with other lines.

        In a file those that execute the fewest lines come first: they ask about few things.
        """
        same, turns = Counter[Any](), Counter[Any]()
        kinds: dict[int, int] = {}
        for number in sorted(reached, key=lambda n: len(self.hits[self.items[n].nodeid] or ())):
            kind = self.kinds[number]
            kinds[number] = same[kind] + 1000 * (self.seconds[self.items[number].nodeid] > 2.0)
            same[kind] += 1
        turn = {}
        for number in sorted(kinds, key=kinds.__getitem__):
            file = self.items[number].path
            turn[number] = turns[file]
            turns[file] += 1
        return sorted(turn, key=lambda n: (-self.kills[qualname, n], turn[n]))

    def _in_child(self, place: Place, tree: Any, order: list[int], writing: int) -> None:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (1, 2):
                os.dup2(null, stream)
            try:
                place.plant(tree)
            except BaseException:
                os.write(writing, b"not planted")
                raise
            end = time.process_time() + self.budget
            for number in order:
                if time.process_time() > end:
                    break
                if not self._passes(number):
                    os.write(writing, str(number).encode())
                    os._exit(0)
            os.write(writing, b"nobody")
        finally:
            os._exit(0)


def run_code(
    title: str, only: str, sample: int, seed: int, budget: float, kept: Path | None
) -> bool:
    """Plant errors in the places of a group; whether all of them were found."""
    group = GROUPS[title]
    chosen = [(p, *mutant) for p in group.places(only) for mutant in group.mutants(p)]
    total = len(chosen)
    unlisted = set(group.equivalents) - {t for _, t, _, _ in chosen} if not only else set()
    if 0 < sample < total:
        picked = set(random.Random(seed).sample(range(total), sample))
        chosen = [mutant for k, mutant in enumerate(chosen) if k in picked]
    print(f"{len(chosen)} of {total} mutants", file=sys.stderr, flush=True)
    files = sorted(str(p) for p in TESTS.glob("test_*.py") if group.is_asked(p.stem))
    hunt = Hunt(group, chosen, budget, kept)
    quiet = [
        "-qq",
        "-s",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    pytest.main([*quiet, "-k", group.which, *files], plugins=[hunt])
    whole: Counter[str] = Counter()
    for file, score in sorted(hunt.scores.items()):
        summary(file, score)
        whole.update(score)
    assert whole.total() == len(chosen), "the tests were not run"
    for name in sorted(unlisted):
        print(f"LISTED, BUT NOT MADE {name}")
        whole["wrong"] += 1
    return summary(title, whole)
