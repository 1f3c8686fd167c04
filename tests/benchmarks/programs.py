"""Random straight-line programs of numbers, with the gradients that a patient expert writes.

Each of the statements of `compile_cost` has a derivation by hand here; the adjoint of a value is
one sum over those that read it, so that nothing is added up step by step.
"""

import linecache
import math
import random
from collections.abc import Callable, Sequence

from . import compile_cost
from .workload import Function, Workload

SIZES = (100, 1_000, 10_000, 100_000)
# Of each statement `{t} = ...` of `{a}` and `{b}`: what the forward pass names besides, how the
# statement then reads, what the backward pass names for the adjoint `{g}` of its result, and the
# contributions to the adjoints of `{a}` and `{b}`. `{m}` is `math.`, or nothing.
_DERIVATIONS: dict[str, tuple[Sequence[str], str, Sequence[str], str, str]] = {
    "{m}.sin({a}) * {b}": (
        ["s{k} = {m}sin({a})"], "s{k} * {b}", [], "{g} * {b} * {m}cos({a})", "{g} * s{k}",
    ),
    "{m}.tanh({a} + {b})": (
        [], "{m}tanh({a} + {b})", ["e{k} = {g} * (1.0 - {t} * {t})"], "e{k}", "e{k}",
    ),
    "0.5 * ({a} - {b})": ([], "0.5 * ({a} - {b})", [], "0.5 * {g}", "-0.5 * {g}"),
    "{a} / (1.0 + {b} * {b})": (
        ["q{k} = 1.0 + {b} * {b}"], "{a} / q{k}", ["e{k} = {g} / q{k}"],
        "e{k}", "-2.0 * e{k} * {t} * {b}",
    ),
    "{m}.exp(-({a} * {a})) - 0.5 * {b}": (
        ["s{k} = {m}exp(-({a} * {a}))"], "s{k} - 0.5 * {b}", [],
        "-2.0 * {g} * {a} * s{k}", "-0.5 * {g}",
    ),
    "{m}.cos({a} * {b})": (
        ["q{k} = {a} * {b}"], "{m}cos(q{k})", ["e{k} = {g} * {m}sin(q{k})"],
        "-e{k} * {b}", "-e{k} * {a}",
    ),
}  # fmt: skip


def workload(statements: int) -> Workload:
    """The program of so many statements, of numbers x and y."""
    text = compile_cost.program(statements, "math")
    name = f"program_{statements}"
    functions = [
        loaded(text, f"<{name}>"),
        loaded(derivation(statements, "math."), f"<{name}, around>"),
        loaded(derivation(statements, ""), f"<{name}, freehand>"),
    ]
    return Workload(
        f"program of {statements:,} statements", *functions,
        ("x", "y"), "x=scalar, y=scalar", lambda rng: (0.3, -0.7),
        target="python", statements=statements,
    )  # fmt: skip


def loaded(text: str, name: str) -> Function:
    """The function f of a text, whose source can be read like that of a file."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace: dict[str, Function] = {"math": math}
    exec(compile(text, name, "exec"), namespace)
    return namespace["f"]


def derivation(statements: int, module: str) -> str:
    """The text of the gradient: of the user's statements, or (without a module) of local names."""
    rng = random.Random(statements)
    names = ["x", "y"]
    ahead, back = [], []
    if not module:
        ahead.append("    sin, cos, exp, tanh = math.sin, math.cos, math.exp, math.tanh")
    readers: dict[str, list[str]] = {}
    for k in range(statements):
        # drawn as compile_cost draws it, so that both texts are of one program
        form = rng.choice(compile_cost.STATEMENTS)
        a, b, t = names[-1], rng.choice(names[-compile_cost.RECENT :]), f"t{k}"
        words = {"m": module, "a": a, "b": b, "t": t, "k": k, "g": f"d_{t}"}
        named, right, later, to_a, to_b = _DERIVATIONS[form]
        ahead += [f"    {line.format(**words)}" for line in named]
        ahead.append(f"    {t} = {right.format(**words)}")
        back.append([f"    {line.format(**words)}" for line in later])
        readers.setdefault(a, []).append(to_a.format(**words))
        readers.setdefault(b, []).append(to_b.format(**words))
        names.append(t)
    lines = ["import math", "", "", "def f(x, y):", *ahead]
    for k in reversed(range(statements)):
        lines += [f"    d_t{k} = {_sum(readers.get(f't{k}', ['1.0']))}", *back[k]]
    grads = ", ".join(_sum(readers.get(name, ["0.0"])) for name in ("x", "y"))
    return "\n".join([*lines, f"    return {names[-1]}, ({grads})", ""])


def _sum(terms: Sequence[str]) -> str:
    text = terms[-1]
    for term in reversed(terms[:-1]):
        text += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    return text


def workloads() -> dict[str, Callable[[], Workload]]:
    """The programs by name, each made when it is asked for."""
    return {f"program of {size:,} statements": lambda n=size: workload(n) for size in SIZES}
