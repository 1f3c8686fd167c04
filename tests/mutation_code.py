"""Errors planted in functions and constants of gradgen, each tried on the tests that reach it."""

import __future__

import ast
import dataclasses
import hashlib
import importlib
import inspect
import os
import pickle
import random
import resource
import select
import signal
import sys
import time
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from mutation_equivalents import CHECKER, CODE, settle, summary
from mutators import changed, checker_variants, code_variants

import gradgen.api
from gradgen.ops import OPS
from gradgen.rules import compiled, mentions

TESTS = Path(__file__).parent
ROOT = Path(gradgen.__file__).parent.parent
# What is mutated besides the adjoint functions of the rows: files and the functions in them.
COMPILER = {
    "gradgen/derive.py": ["_Reverse", "_reach", "_cover", "_zeros", "_may_alias_argument"],
    "gradgen/read/front.py": (
        "Front.refresh", "Front.outer", "Front.guard", "Front.is_array", "Front.index",
        "Front.view", "Front.update", "Front.store", "Front.add_into", "Front.augment",
        "Front.negated", "Front.update_whole", "Front.assign_into",
    ),
    "gradgen/emission.py": (
        "ModuleWriter.__init__", "ModuleWriter.root", "ModuleWriter.callable_name",
        "FunctionWriter._compute_last_uses", "FunctionWriter._is_view", "FunctionWriter._claim",
        "FunctionWriter._is_reserved", "FunctionWriter._name", "FunctionWriter._write_update",
        "FunctionWriter._may_overwrite",
    ),
}  # fmt: skip
# What decides a verdict: every function of these files, and these constants.
VERDICTS = {
    "gradgen/differences.py": ("LEVELS", "SETTLED", "TURN"),
    "gradgen/oracles/report.py": (),
    "gradgen/oracles/entries.py": ("SETTLED", "MOST_ENTRIES", "AGAIN"),
    "gradgen/oracles/numeric.py": ("TURNS", "TOO_INEXACT"),
    "gradgen/oracles/steps.py": ("STARTS", "GOOD_ENOUGH", "JITTERS"),
    "gradgen/oracles/digits.py": ("SERIES",),
    "gradgen/oracles/symbolic.py": ("VALUE_LIMIT", "PARTIALS"),
    "gradgen/oracles/rounding.py": ("RUNS", "_UNITS"),
    "gradgen/oracles/domain.py": (),
    "gradgen/oracles/intervals.py": (),
    "gradgen/oracles/branch.py": (),
    "gradgen/oracles/sample.py": (),
    "gradgen/checking.py": (),
    "gradgen/testing.py": ("RTOL", "MARGIN"),
}
# Tests that start processes of their own or take long are not asked about code.
NOT_ASKED = {"test_package", "test_cli", "test_examples", "test_mutation", "test_layers",
             "test_random_programs", "test_files"}  # fmt: skip
LONG = ("trap_45", "trap_46", "linearly", "a_long_program", "sympy", "64_eps", "float32_stays")
OF_CHECKER = ("test_checking", "test_differences", "test_oracles_numeric", "test_oracles_symbolic",
              "test_oracles_digits", "test_domain", "test_pytest_plugin",
              "test_verdicts")  # fmt: skip
SOME_CASES = ("booth", "dict_params", "huber_where", "lecture_net_vector", "least_squares",
              "polar_coordinates")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Place:
    """A function or a constant of gradgen: its module, what holds it and its syntax tree."""

    file: str
    qualname: str
    module: types.ModuleType
    owner: Any
    tree: Any

    @property
    def is_constant(self) -> bool:
        """Whether it is an assignment."""
        return isinstance(self.tree, ast.Assign)

    @property
    def function(self) -> Any:
        """The function, without what is wrapped around it."""
        held = vars(self.owner)[self.tree.name]
        return inspect.unwrap(held.fget if isinstance(held, property) else held)

    @property
    def lines(self) -> Iterator[tuple[str, int]]:
        """Where it is executed, or read if it is a constant."""
        if not self.is_constant:
            for line in range(self.tree.lineno, self.tree.end_lineno + 1):
                yield self.file, line
            return
        for file in VERDICTS:
            for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))):
                if isinstance(node, ast.Name) and node.id in names_of(self.tree):
                    yield file, node.lineno

    def plant(self, tree: Any) -> Callable[[], None]:
        """Put a changed one wherever the right one is held; the answer puts it back."""
        made: dict[str, Any] = dict(vars(self.module)) if self.is_constant else {}
        code = compile(ast.Module([tree], []), self.file, "exec",
                       flags=__future__.annotations.compiler_flag, dont_inherit=True)  # fmt: skip
        exec(code, vars(self.module) if not self.is_constant else made, made)
        if self.is_constant:
            return rebind(self.module, {name: made[name] for name in names_of(tree)})
        new = made[tree.name]
        new = inspect.unwrap(new.fget if isinstance(new, property) else new)
        return self._exchange(new.__code__, new.__defaults__, new.__kwdefaults__)

    def _exchange(self, *parts: Any) -> Callable[[], None]:
        """What a function does, whoever holds it: rows, tables, tuples, tests."""
        names = ("__code__", "__defaults__", "__kwdefaults__")
        before = [getattr(self.function, name) for name in names]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a function that became a generator, or the reverse
            for name, part in zip(names, parts, strict=True):
                setattr(self.function, name, part)
        compiled.cache_clear()
        mentions.cache_clear()
        return lambda: self._exchange(*before) and None


def names_of(tree: ast.Assign) -> list[str]:
    """The names that an assignment gives a value."""
    return [node.id for target in tree.targets for node in ast.walk(target)
            if isinstance(node, ast.Name)]  # fmt: skip


def rebind(home: types.ModuleType, new: Mapping[str, Any]) -> Callable[[], None]:
    """Replace constants in their module and wherever they were imported to."""
    before = {name: vars(home)[name] for name in new}
    for title, module in list(sys.modules.items()):
        if title.split(".")[0] == "gradgen":
            for name, value in new.items():
                if vars(module).get(name) is before[name]:
                    setattr(module, name, value)
    return lambda: rebind(home, before) and None


def place_of(file: str, qualname: str) -> Place:
    """The function or constant of this name. Raises KeyError where there is none."""
    name = file.removesuffix(".py").replace("/", ".")
    owner = module = importlib.import_module(name)
    body: list[Any] = ast.parse((ROOT / file).read_text("utf-8")).body
    *classes, last = qualname.split(".")
    for step in classes:
        body = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == step).body
        owner = vars(owner)[step]
    found: dict[str, Any] = {n.name: n for n in body if isinstance(n, ast.FunctionDef)}
    found |= {name: n for n in body if isinstance(n, ast.Assign) for name in names_of(n)}
    place = Place(file, qualname, module, owner, found[last])
    tree = place.tree
    if not place.is_constant:
        first = min([tree.lineno, *(d.lineno for d in tree.decorator_list)])
        assert place.function.__code__.co_firstlineno == first, (
            f"{file} was changed after it was imported"
        )
    return place


def all_functions(file: str) -> Iterator[str]:
    """The functions and methods of a file."""
    for node in ast.parse((ROOT / file).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{n.name}" for n in node.body
                        if isinstance(n, ast.FunctionDef))  # fmt: skip


def row_functions() -> set[tuple[str, str]]:
    """The functions that give adjoints and liveness of the rows, and what they call in gradgen.ops.

    A function inside another is not among them: nothing could be put in its place.
    """
    found: set[tuple[str, str]] = set()
    stack = [f for row in OPS.values() for f in (row.vjp, row.live) if f is not None]
    stack += [getattr(importlib.import_module("gradgen.ops.indexing"), name)
              for name in ("are_apart", "indexed", "may_repeat")]  # fmt: skip
    while stack:
        function = stack.pop()
        module, qualname = function.__module__, function.__qualname__
        key = (module.replace(".", "/") + ".py", qualname)
        if "<" in qualname or key in found or not module.startswith("gradgen.ops"):
            continue
        found.add(key)
        for name in ast.walk(ast.parse(inspect.getsource(function))):
            value = vars(sys.modules[module]).get(name.id) if isinstance(name, ast.Name) else None
            if isinstance(value, types.FunctionType):
                stack.append(value)
    return found


def compiler_names() -> set[tuple[str, str]]:
    """Files and names of what derives and emits."""
    names = row_functions()
    for file, listed in COMPILER.items():
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        for name in listed:
            held = vars(module).get(name)
            methods = vars(held) if isinstance(held, type) else ()
            names |= {
                (file, f"{name}.{m}")
                for m in methods
                if m[:2] != "__" and isinstance(methods[m], types.FunctionType)
            } or {(file, name)}
    return names


def checker_names() -> set[tuple[str, str]]:
    """Files and names of what decides a verdict."""
    return {
        (file, name) for file, more in VERDICTS.items() for name in (*all_functions(file), *more)
    }


@dataclasses.dataclass(frozen=True)
class Group:
    """What is mutated, in which ways, and which tests are asked."""

    names: Callable[[], set[tuple[str, str]]]
    variants: Callable[[ast.AST], Iterator[ast.AST]]
    equivalents: Mapping[str, str]
    is_asked: Callable[[str], bool]
    # Which of the tests, as pytest's -k has it.
    which: str

    def places(self, only: str = "") -> list[Place]:
        """What is to be mutated, by file and line."""
        found = [place_of(*name) for name in self.names()]
        found.sort(key=lambda p: (p.file, p.tree.lineno, p.qualname))
        return [p for p in found if only in f"{p.file}:{p.qualname}"]

    def mutants(self, place: Place) -> Iterator[tuple[str, int, Any]]:
        """The mutants of a place: what changed, in words, the line, and the tree."""
        right = ast.unparse(place.tree).splitlines()
        seen: Counter[str] = Counter()
        for line, tree in changed(place.tree, self.variants):
            wrong = ast.unparse(tree).splitlines()
            if wrong == right or (place.is_constant and not isinstance(tree, ast.Assign)):
                continue
            at = next((k for k, (a, b) in enumerate(zip(right, wrong, strict=False)) if a != b),
                      min(len(right), len(wrong)) - 1)  # fmt: skip
            title = f"{place.file}:{place.qualname}: {right[at].strip()} -> {wrong[at].strip()}"
            seen[title] += 1
            yield title if seen[title] == 1 else f"{title} #{seen[title]}", line, tree


GROUPS = {
    "code": Group(
        compiler_names, code_variants, CODE, lambda name: name not in NOT_ASKED,
        f"not ({' or '.join(LONG)})",
    ),
    "checker": Group(
        checker_names, checker_variants, CHECKER, lambda name: name in OF_CHECKER,
        f"not golden_case or {' or '.join(SOME_CASES)}",
    ),
}  # fmt: skip


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
        """What killed before comes first; then the files take turns, each with other lines."""
        same, turns = Counter[Any](), Counter[Any]()
        kinds: dict[int, int] = {}
        for number in sorted(reached, key=lambda n: random.Random(n).random()):
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
