"""What is mutated of gradgen: functions and constants, in groups with the tests that are asked."""

import __future__

import ast
import dataclasses
import importlib
import inspect
import sys
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mutation_equivalents import CHECKER, CODE
from mutators import changed, checker_variants, code_variants

import gradgen.api
from gradgen.ops import OPS
from gradgen.rules import compiled, mentions

ROOT = Path(gradgen.__file__).parent.parent
# What is mutated besides the adjoint functions of the rows: files and the functions in them.
COMPILER = {
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
    "gradgen/surroundings.py": (
        "ModuleWriter.__init__", "ModuleWriter.root", "ModuleWriter.callable_name",
    ),
    "gradgen/emission.py": (
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
    "gradgen/oracles/accuracy.py": (),
    "gradgen/oracles/branch.py": (),
    "gradgen/oracles/sample.py": (),
    "gradgen/checking.py": (),
    "gradgen/testing.py": ("RTOL", "MARGIN"),
}
# Tests that start processes of their own or take long are not asked about code.
NOT_ASKED = {"test_package", "test_cli", "test_examples", "test_mutation", "test_layers",
             "test_random_programs", "test_files"}  # fmt: skip
LONG = ("trap_45", "trap_46", "linearly", "a_long_program", "sympy", "64_eps", "float32_stays")
OF_CHECKER = ("test_checking", "test_differences", "test_domain", "test_oracles_digits",
              "test_oracles_numeric", "test_oracles_symbolic", "test_pytest_plugin", "test_steps",
              "test_testing", "test_verdicts")  # fmt: skip
SOME_CASES = ("booth", "dict_params", "huber_where", "lecture_net_vector", "least_squares",
              "polar_coordinates")  # fmt: skip


@cache
def parsed(file: str) -> ast.Module:
    """The syntax tree of a file of gradgen, of which nothing is changed."""
    return ast.parse((ROOT / file).read_text("utf-8"))


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
            for node in ast.walk(parsed(file)):
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
    body: list[Any] = parsed(file).body
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
    for node in parsed(file).body:
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
        # code that reads a variable around it (`super()`, too) fits nowhere else
        found = [p for p in (place_of(*name) for name in self.names())
                 if p.is_constant or not p.function.__code__.co_freevars]  # fmt: skip
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
