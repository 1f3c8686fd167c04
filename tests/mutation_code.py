"""Errors planted in the functions of gradgen, each tried on the tests that execute its line."""

import __future__

import ast
import dataclasses
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
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mutation_equivalents import CODE, settle, summary
from mutators import changed, code_variants

import gradgen.api
from gradgen.ops import CALLS, METHODS, OPS
from gradgen.rules import compiled, mentions

TESTS = Path(__file__).parent
ROOT = Path(gradgen.__file__).parent.parent
# What is mutated besides the adjoint functions of the rows: files and the functions in them.
SCOPE = {
    "gradgen/sweep.py": ["Sweep"],
    "gradgen/forward.py": ["Forward"],
    "gradgen/question.py": ["as_result", "owned", "_is_shared"],
    "gradgen/jacobians.py": ["jacobian", "hessian", "_values", "_inputs", "_users", "_items_read",
                             "_by_columns", "_by_rows", "_finished", "_block"],
    "gradgen/derive.py": ["Reverse", "_reach", "_cover", "_may_alias_argument"],
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
# Tests that start processes of their own or take long are not asked about code.
NOT_ASKED = {"test_package", "test_cli", "test_examples", "test_mutation", "test_layers",
             "test_random_programs", "test_files"}  # fmt: skip
LONG = ("trap_45", "trap_46", "linearly", "a_long_program", "sympy", "64_eps", "float32_stays")


@dataclasses.dataclass(frozen=True)
class Place:
    """A function of gradgen: its module, what holds it and its syntax tree."""

    file: str
    qualname: str
    module: types.ModuleType
    owner: Any
    tree: ast.FunctionDef

    @property
    def current(self) -> Any:
        """The function as it is held now."""
        return vars(self.owner)[self.tree.name]

    def plant(self, tree: ast.FunctionDef) -> None:
        """Put a changed function wherever the right one is held."""
        made: dict[str, Any] = {}
        code = compile(ast.Module([tree], []), self.file, "exec",
                       flags=__future__.annotations.compiler_flag, dont_inherit=True)  # fmt: skip
        exec(code, vars(self.module), made)
        self.restore(made[self.tree.name])

    def restore(self, function: Any) -> None:
        """Put this function wherever the present one is held."""
        rebind(self.owner, self.tree.name, function)


def rebind(owner: Any, name: str, new: Any) -> None:
    """Replace a function in its module or class, where it was imported to, and in the rows."""
    old = vars(owner)[name]
    setattr(owner, name, new)
    if isinstance(owner, type):
        return
    for title, module in list(sys.modules.items()):
        if title.split(".")[0] == "gradgen":
            for key, value in list(vars(module).items()):
                if value is old:
                    setattr(module, key, new)
    for key, row in list(OPS.items()):
        held = [f.name for f in dataclasses.fields(row) if getattr(row, f.name) is old]
        if held:
            OPS[key] = dataclasses.replace(row, **dict.fromkeys(held, new))
            for dotted, (entry, flavour) in list(CALLS.items()):
                if entry is row:
                    CALLS[dotted] = (OPS[key], flavour)
            METHODS.update({m: OPS[key] for m, entry in METHODS.items() if entry is row})
    compiled.cache_clear()
    mentions.cache_clear()


def place_of(file: str, qualname: str) -> Place:
    """The function of this name. Raises KeyError where there is none."""
    name = file.removesuffix(".py").replace("/", ".")
    owner = module = importlib.import_module(name)
    body: list[Any] = ast.parse((ROOT / file).read_text("utf-8")).body
    *classes, last = qualname.split(".")
    for step in (*classes, last):
        found = {n.name: n for n in body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
        body = found[step].body
        owner = vars(owner)[step] if step in classes else owner
    tree = found[last]
    first = inspect.unwrap(getattr(owner, last)).__code__.co_firstlineno
    assert first == min([tree.lineno, *(d.lineno for d in tree.decorator_list)]), (
        f"{file} was changed after it was imported"
    )
    return Place(file, qualname, module, owner, tree)


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


def places(only: str) -> list[Place]:
    """The functions to be mutated, by file and line."""
    names = row_functions()
    for file, listed in SCOPE.items():
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        for name in listed:
            held = vars(module).get(name)
            methods = vars(held) if isinstance(held, type) else ()
            names |= {
                (file, f"{name}.{m}")
                for m in methods
                if m[:2] != "__" and isinstance(methods[m], types.FunctionType)
            } or {(file, name)}
    found = [place_of(*name) for name in names]
    found.sort(key=lambda p: (p.file, p.tree.lineno))
    return [p for p in found if only in f"{p.file}:{p.qualname}"]


def code_mutants(place: Place) -> Iterator[tuple[str, int, Any]]:
    """The mutants of a function: what changed, in words, the line, and the tree."""
    right = ast.unparse(place.tree).splitlines()
    seen: Counter[str] = Counter()
    for line, tree in changed(place.tree, code_variants):
        wrong = ast.unparse(tree).splitlines()
        if wrong == right:
            continue
        start = next((k for k, (a, b) in enumerate(zip(right, wrong, strict=False)) if a != b),
                     min(len(right), len(wrong)) - 1)  # fmt: skip
        title = f"{place.file}:{place.qualname}: {right[start].strip()} -> {wrong[start].strip()}"
        seen[title] += 1
        yield title if seen[title] == 1 else f"{title} #{seen[title]}", line, tree


class Hunt:
    """A pytest plugin that runs the tests once under a trace, and then the mutants on them."""

    def __init__(
        self, chosen: list[tuple[Place, str, int, Any]], budget: float, kept: Path | None
    ) -> None:
        self.chosen, self.budget, self.kept = chosen, budget, kept
        self.traced = {str(ROOT / file) for file, _ in row_functions()}
        self.traced |= {str(ROOT / file) for file in SCOPE}
        # The lines that each test executes, None where it fails unchanged; and its seconds.
        self.hits: dict[str, list[tuple[str, int]] | None] = {}
        self.seconds: dict[str, float] = {}
        self.lines: dict[tuple[str, int], set[int]] = {}
        self.kills: Counter[tuple[str, int]] = Counter()
        self.scores: dict[str, Counter[str]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In the place of pytest's own loop."""
        self.items = session.items
        if self.kept is not None and self.kept.exists():
            self.hits, self.seconds = pickle.loads(self.kept.read_bytes())
        for number in range(len(self.items)):
            self._trace(number)
        if self.kept is not None:
            self.kept.write_bytes(pickle.dumps((self.hits, self.seconds)))
        failing = [name for name, hit in self.hits.items() if hit is None]
        print(f"{len(self.items)} tests, {sum(self.seconds.values()):.0f} s under the trace, "
              f"failing unchanged: {failing}", file=sys.stderr, flush=True)  # fmt: skip
        for place, title, line, tree in self.chosen:
            killer = self._fate(place, line, tree)
            settle(title, killer, CODE, self.scores.setdefault(place.file, Counter()))
        return True

    def _trace(self, number: int) -> None:
        """Note which lines a test executes."""
        name = self.items[number].nodeid
        if name not in self.hits:
            hit: set[tuple[str, int]] = set()

            def local(frame: Any, event: str, arg: Any) -> Any:
                hit.add((frame.f_code.co_filename, frame.f_lineno))
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
        reached = self.lines.get((str(ROOT / place.file), line), set())
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
        return "it never ended" if not ready else "it crashed"

    def _order(self, reached: set[int], qualname: str) -> list[int]:
        """What killed before comes first; then the files take turns, each with other lines."""
        same, turns = Counter[Any](), Counter[Any]()
        kinds: dict[int, int] = {}
        for number in sorted(reached, key=lambda n: random.Random(n).random()):
            lines = tuple(self.hits[self.items[number].nodeid] or ())
            kinds[number] = same[lines] + 1000 * (self.seconds[self.items[number].nodeid] > 2.0)
            same[lines] += 1
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
            place.plant(tree)
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


def run_code(only: str, sample: int, seed: int, budget: float, kept: Path | None) -> bool:
    """Plant errors in the functions; whether all of them were found."""
    chosen = [(p, *mutant) for p in places(only) for mutant in code_mutants(p)]
    total = len(chosen)
    unlisted = set(CODE) - {title for _, title, _, _ in chosen} if not only else set()
    if 0 < sample < total:
        picked = set(random.Random(seed).sample(range(total), sample))
        chosen = [mutant for k, mutant in enumerate(chosen) if k in picked]
    print(f"{len(chosen)} of {total} mutants", file=sys.stderr, flush=True)
    files = sorted(str(p) for p in TESTS.glob("test_*.py") if p.stem not in NOT_ASKED)
    hunt = Hunt(chosen, budget, kept)
    pytest.main(
        ["-qq", "-s", "-p", "no:cacheprovider", "-k", f"not ({' or '.join(LONG)})", *files],
        plugins=[hunt],
    )
    whole: Counter[str] = Counter()
    for file, score in sorted(hunt.scores.items()):
        summary(file, score)
        whole.update(score)
    assert whole.total() == len(chosen), "the tests were not run"
    for title in sorted(unlisted):
        print(f"LISTED, BUT NOT MADE {title}")
        whole["wrong"] += 1
    return summary("code", whole)
