"""The golden cases: files with a source, its derivative by hand, and what gradgen emits for it.

A file in tests/cases begins with comment lines, all but `at` optional:

    # options: wrt=x,y shapes="x=n d" mode=pair target=python style=fast recompute=yes
    # at: x=[1.0, -2.0], y=0.5
    # expect: value=1.5 grad=(2.0, 0.0) rtol=1e-15 source="who says so"

Cases of modes whose functions take more than the source's, or give something else than a gradient,
stand in tests/mode_cases; their `at` lines have values for what is taken besides: tangents, seeds.
Cases of the fast style stand in tests/fast_cases.

`at` may come several times, `expect` belongs to the first. The function to differentiate is the
last one of the source. The hand section's function takes its arguments (in mode pair also `seed`)
and gives its results; it runs in the source's namespace.
"""

import ast
import inspect
import re
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gradgen.api import emit_path
from gradgen.measure.counting import operations

CASES = Path(__file__).parent / "cases"
MODE_CASES = Path(__file__).parent / "mode_cases"
OPERATIONS = Path(__file__).parent / "operations.toml"
FAST_CASES = Path(__file__).parent / "fast_cases"
HAND = "# --- hand ---\n"
OUTPUT = "# --- output ---\n"
_DIRECTIVE = re.compile(r"# (options|at|expect): (.*)")
_EXPECT = re.compile(r'(?:value=(.+) )?grad=(.+) rtol=(\S+) source="(.+)"')


@dataclass(frozen=True)
class Expected:
    """Numbers that somebody else computed."""

    value: Any
    grad: Any
    rtol: float
    source: str


@dataclass(frozen=True)
class Case:
    """One file of tests/cases, taken apart."""

    name: str
    options: Mapping[str, Any]
    points: tuple[str, ...]
    expected: Expected | None
    source: str
    hand: str
    output: str

    @property
    def function(self) -> str:
        """The name of the function to differentiate."""
        return [s.name for s in ast.parse(self.source).body if isinstance(s, ast.FunctionDef)][-1]

    @property
    def mode(self) -> str:
        return self.options.get("mode", "value_and_grad")

    def arguments(self, point: str) -> dict[str, Any]:
        """Fresh arguments at a point: lists are arrays, numbers are Python's."""
        return {name: _argument(value) for name, value in literals(point).items()}

    def defaults(self) -> dict[str, Any]:
        """The defaults of the source's function."""
        parameters = inspect.signature(self.namespace()[self.function]).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    def wrt(self) -> str | list[str]:
        """The parameters to differentiate: one name for a bare gradient, a list for a tuple."""
        given = self.options.get("wrt", self._parameters()[0])
        return [name for name in given.split(",") if name] if "," in given else given

    def _parameters(self) -> list[str]:
        found = next(
            s
            for s in ast.parse(self.source).body
            if isinstance(s, ast.FunctionDef) and s.name == self.function
        ).args
        return [a.arg for a in (*found.posonlyargs, *found.args, *found.kwonlyargs)]

    def namespace(self) -> dict[str, Any]:
        """What the source defines, and `hand`."""
        return run(self.source + self.hand, self.name)


def literals(point: str) -> dict[str, Any]:
    """What an `at` line says, as Python has it."""
    call = ast.parse(f"dict({point})", mode="eval").body
    assert isinstance(call, ast.Call)
    return {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}


def _argument(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _argument(item) for key, item in value.items()}
    return np.array(value) if isinstance(value, list) else value


def run(text: str, name: str) -> dict[str, Any]:
    """The namespace of a module."""
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(text, f"<{name}>", "exec", dont_inherit=True), namespace)
    return namespace


def parse(name: str, text: str) -> Case:
    """Take the text of a case apart."""
    head, mark, output = text.partition(OUTPUT)
    assert mark, f"{name}: no line {OUTPUT.strip()!r}"
    body, _, hand = head.partition(HAND)
    lines = body.splitlines(keepends=True)
    options: dict[str, Any] = {}
    points: list[str] = []
    expected = None
    while lines and (found := _DIRECTIVE.match(lines[0])):
        lines.pop(0)
        kind, rest = found.groups()
        if kind == "options":
            options = dict(word.split("=", 1) for word in shlex.split(rest))
            known = {"wrt", "shapes", "mode", "target", "style", "recompute"}
            assert options.keys() <= known, f"{name}: {rest}"
        elif kind == "at":
            points.append(rest)
        else:
            match = _EXPECT.fullmatch(rest)
            assert match and len(points) == 1 and expected is None, f"{name}: {rest}"
            value, grad, rtol, source = match.groups()
            expected = Expected(
                None if value is None else ast.literal_eval(value),
                ast.literal_eval(grad),
                float(rtol),
                source,
            )
    assert points, f"{name}: no `# at:` line"
    return Case(name, options, tuple(points), expected, "".join(lines), hand, output)


@cache
def load(name: str, home: Path = CASES) -> Case:
    """The case of this name."""
    return parse(name, (home / f"{name}.py").read_text("utf-8"))


def names(home: Path = CASES) -> list[str]:
    """The names of all cases."""
    return sorted(path.stem for path in home.glob("*.py"))


def emit(
    case: Case,
    folder: Path,
    mode: str | None = None,
    recompute: bool | None = None,
    style: str | None = None,
) -> str:
    """What gradgen emits for the source, written to a file of the case's name in a folder."""
    # The header names the file relative to a pyproject.toml: this one, wherever the folder is.
    (folder / "pyproject.toml").touch()
    path = folder / f"{case.name}.py"
    path.write_text(case.source, "utf-8")
    return emit_path(
        f"{path}:{case.function}",
        wrt=case.wrt(),
        shapes=case.options.get("shapes"),
        mode=mode or case.mode,
        target=case.options.get("target", "numpy"),
        recompute=case.options.get("recompute") == "yes" and mode is None
        if recompute is None
        else recompute,
        style=style or case.options.get("style", "default"),
    )


def update(folder: Path) -> None:
    """Rewrite the output section of every case."""
    for home, name in [(h, name) for h in (CASES, MODE_CASES, FAST_CASES) for name in names(h)]:
        path = home / f"{name}.py"
        head = path.read_text("utf-8").partition(OUTPUT)[0]
        text = emit(load(name, home), folder)
        path.write_text(head + OUTPUT + text, "utf-8", newline="\n")
    load.cache_clear()
    OPERATIONS.write_text(written_counts(), "utf-8", newline="\n")


def functions(case: Case) -> list[str]:
    """The names of the functions that are emitted for a case."""
    parts = ("forward", "backward") if case.mode == "pair" else (case.mode,)
    return [f"{case.function}_{part}" for part in parts]


@cache
def forward_operations(name: str, home: Path) -> int:
    """How many operations the value alone takes, loops unrolled: those of `f_forward`."""
    case = load(name, home)
    if case.mode == "pair":
        return operations(case.output, functions(case)[0])
    with tempfile.TemporaryDirectory() as folder:
        return operations(emit(case, Path(folder), "pair"), f"{case.function}_forward")


def counts(name: str, home: Path) -> dict[str, int]:
    """The operations of a case: of its value, of what is emitted, of the derivation by hand."""
    case = load(name, home)
    found = {
        "forward": forward_operations(name, home),
        "emitted": operations(case.output, *functions(case)),
    }
    return found | ({"by_hand": operations(case.hand, "hand")} if case.hand else {})


def written_counts() -> str:
    """The text of tests/operations.toml."""
    lines = ["# Operations of the golden cases; `pytest tests/test_cases.py --update` rewrites it."]
    for home in (CASES, MODE_CASES):
        lines += ["", f"[{home.name}]"]
        for name in names(home):
            words = ", ".join(f"{k} = {v}" for k, v in counts(name, home).items())
            lines.append(f"{name} = {{ {words} }}")
    return "\n".join([*lines, ""])
