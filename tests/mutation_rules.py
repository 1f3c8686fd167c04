"""Errors planted in the derivative texts of the op rows, and the oracles that have to notice."""

import ast
import dataclasses
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from mutation_equivalents import RULES, settle, summary
from mutators import changed, rule_variants

import gradgen
from gradgen.ops import OPS, Op
from gradgen.rules import compiled, mentions


@dataclasses.dataclass(frozen=True)
class Rule:
    """A derivative text with an error in it: `wrong` in the place of `text`."""

    row: str
    field: str
    position: int
    text: str
    wrong: str | None

    def __str__(self) -> str:
        return f"{self.row}.{self.field}[{self.position}]: {self.text} -> {self.wrong}"

    def planted(self) -> Op:
        """The row with the error."""
        row = OPS[self.row]

        def put(texts: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(self.wrong if k == self.position and t == self.text else t
                         for k, t in enumerate(texts))  # fmt: skip

        right = getattr(row, self.field)
        if callable(right):
            return dataclasses.replace(row, d=lambda types, values: put(right(types, values)))
        return dataclasses.replace(row, **{self.field: put(right)})


def wrong_texts(text: str, arity: int) -> list[str]:
    """The mutants of a derivative text."""
    tree = ast.parse(text, mode="eval").body
    found = [f"-({text})"]
    found += [ast.unparse(t) for _, t in changed(tree, lambda node: rule_variants(node, arity))]
    return [w for w in dict.fromkeys(found) if w != ast.unparse(tree)]


def rule_mutants(name: str) -> list[Rule]:
    """The mutants of the derivative texts of a row."""
    from test_ops import rules_of

    row, found = OPS[name], []
    arity = row.arity
    if callable(row.d):
        texts = {("d", k, t) for rules, _ in rules_of(name) for k, t in enumerate(rules)}
    else:
        texts = {("d", k, t) for k, t in enumerate(row.d or ())}
        texts |= {("alone", k, t) for k, t in enumerate(row.alone or ())}
    for field, position, text in sorted(t for t in texts if t[2]):
        found += [Rule(name, field, position, text, w) for w in (None, *wrong_texts(text, arity))]
    return found


@cache
def kinks_of(name: str) -> tuple[Any, ...]:
    """The lines of the table of kinks that use a row."""
    import test_ops

    def uses(line: str) -> bool:
        f = test_ops.define(f"{test_ops.HEAD}def f(x, y, z):\n    return {line}\n")
        shapes = dict.fromkeys("xyz", "scalar")
        return name in gradgen.value_and_grad(f, wrt=tuple("xyz"), shapes=shapes).graph.ops

    return tuple(kink for kink in test_ops.KINKS if uses(kink[0]))


def oracles(name: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """The tests of a row of tests/test_ops.py, the quick ones first."""
    import test_ops

    yield "sympy", partial(test_ops.test_a_derivative_text_is_sympys_derivative, name)
    for line, at, wanted in kinks_of(name):
        kink = partial(test_ops.test_kinks_follow_the_convention, line, at, wanted)
        yield f"kink {line} at {at}", kink
    if name == "sinc":
        for x in (0.1599, 1e-8, 0.319):
            yield (
                f"digits at {x}",
                partial(test_ops.test_the_derivative_of_sinc_keeps_its_digits_near_zero, x),
            )
        yield "series", test_ops.test_the_series_of_sinc_is_right_to_the_edge_of_its_range
    for spelling in (s for row, s in test_ops.SPELLINGS if row == name):
        yield f"float32 {spelling}", partial(test_ops.test_float32_stays_float32, name, spelling)
        yield (
            f"64 eps {spelling}",
            partial(test_ops.test_the_emitted_gradient_is_right_to_64_eps, name, spelling),
        )


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer."""

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def killer_of(name: str, row: Op | None = None) -> str | None:
    """The first oracle that fails with this row in the table, None if none does."""
    kept = OPS[name]
    asked = list(oracles(name))
    OPS[name] = row or kept
    try:
        for title, ask in asked:
            compiled.cache_clear()
            mentions.cache_clear()
            try:
                with limited(15), warnings.catch_warnings():
                    warnings.simplefilter("error")
                    ask()
            except TimeoutError:
                continue  # SymPy on a tower of powers; the next oracle tells
            except Exception:
                return title
        return None
    finally:
        OPS[name] = kept
        compiled.cache_clear()
        mentions.cache_clear()


def run_rules(only: str) -> bool:
    """Plant every error in every derivative text; whether all were found."""
    from test_ops import ELEMENTWISE

    score, by = Counter[str](), Counter[str]()
    unlisted = set(RULES) if not only else set()
    for name in (n for n in ELEMENTWISE if not only or n == only):
        mutants = rule_mutants(name)
        if not mutants:
            continue
        assert (failing := killer_of(name)) is None, f"{name} fails unchanged: {failing}"
        for mutant in mutants:
            killer = killer_of(name, mutant.planted())
            unlisted.discard(str(mutant))
            by[(killer or "nobody").split()[0]] += 1
            settle(str(mutant), killer, RULES, score)
        print(f"{name}: {len(mutants)} mutants", file=sys.stderr)
    for text in sorted(unlisted):
        print(f"LISTED, BUT NOT MADE {text}")
        score["wrong"] += 1
    print(f"killed by {dict(by)}")
    return summary("rules", score)
