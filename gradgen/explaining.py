"""A worked table of a function: every statement, its value, the rule of its adjoint, its value."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from gradgen.errors import GradgenError
from gradgen.live import Shapes
from gradgen.notation import latex_name, statement
from gradgen.point import Point, every_float, of_file, of_function, parse_at
from gradgen.program import Options, Wrt, choose_parameters, choose_result, refuse_value
from gradgen.shown import value_text
from gradgen.worksheet import NOTATIONS, Worksheet, evaluate, worked

# The width in which the two halves of the table stand side by side.
WIDTH = 100
Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A function worked through, as tables: `str()`, Markdown and LaTeX; notebooks show Markdown.

    `values` are those of its values by name, `adjoints` those of their adjoints by the same names;
    both are empty where no arguments were given.
    """

    sheet: Worksheet
    wrt: tuple[str, ...]
    notation: str
    arguments: Mapping[str, Any] | None

    @property
    def values(self) -> dict[str, Any]:
        """The values by the names of what they are assigned to, the arguments included."""
        known = self.arguments is not None
        return {line.name: line.value for line in self.sheet.forward if known}

    @property
    def adjoints(self) -> dict[str, Any]:
        """The adjoints by the names of what they belong to, in the order of the backward pass."""
        known = self.arguments is not None
        return {line.base: line.value for line in self.sheet.backward if line.base and known}

    @property
    def rules(self) -> dict[str, list[str]]:
        """The statements that compute each adjoint, by the name of what it belongs to."""
        return {line.base: list(map(self._called, line.text))
                for line in self.sheet.backward if line.base}  # fmt: skip

    def __str__(self) -> str:
        return self.text()

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_latex_(self) -> str:
        return self.latex()

    # -- tables --------------------------------------------------------------------------------

    def text(self, width: int = WIDTH) -> str:
        """Plain text: the halves side by side where they fit into `width`, else one below."""
        halves = self._halves(self._called, str)
        forward, backward = map(_aligned, halves, self._heads())
        if len(forward[0]) + 4 + len(backward[0]) <= width:
            blank = " " * len(forward[0])
            pairs = zip_longest(forward, backward)
            lines = [f"{left or blank}    {right or ''}" for left, right in pairs]
        else:
            lines = [*forward, "", *backward]
        return "\n".join([self._title(), "", *map(str.rstrip, lines)])

    def markdown(self) -> str:
        """A table in Markdown: the forward pass on the left, the backward pass on the right."""

        def code(text: str) -> str:
            return "`" + self._called(text).replace("|", r"\|") + "`"

        heads = [cell for head in self._heads() for cell in head]
        rows = [heads, ["---"] * len(heads), *self._rows(self._halves(code, str))]
        return "\n".join([self._title(), "", *(f"| {' | '.join(row)} |" for row in rows)])

    def latex(self) -> str:
        """The same table as an array of LaTeX, in display style."""
        names, ranks = self._formulas()
        halves = self._halves(lambda text: statement(text, names, ranks.get), _latex_value)
        heads = [rf"\text{{{cell}}}" for head in self._heads() for cell in head]
        lines = [" & ".join(row) + r" \\" for row in self._rows(halves)]
        return "\n".join([
            "$$", rf"\begin{{array}}{{{'l' * len(heads)}}}", " & ".join(heads) + r" \\ \hline",
            *lines, r"\end{array}", "$$",
        ])  # fmt: skip

    def _title(self) -> str:
        at = ""
        if self.arguments is not None:
            inputs = [line for line in self.sheet.forward if not line.text]
            at = f", at {', '.join(f'{line.name} = {value_text(line.value)}' for line in inputs)}"
        return f"{self.sheet.graph.name}, with respect to {', '.join(self.wrt)}{at}"

    def _heads(self) -> list[tuple[str, ...]]:
        values = ("value",) * (self.arguments is not None)
        return [("forward", *values), ("backward", *values)]

    def _halves(self, mark: Callable[[str], str], show: Callable[[str], str]) -> list[list[Cells]]:
        """The cells of the forward and of the backward half: a statement, and its value if known.

        Of several statements for one value, the last has it beside it.
        """
        halves = []
        for lines in (self.sheet.forward, self.sheet.backward):
            cells: list[Cells] = []
            for line in lines:
                texts = list(map(mark, line.text or [line.name]))
                if self.arguments is None:
                    cells += [(text,) for text in texts]
                else:
                    cells += [(text, "") for text in texts[:-1]]
                    cells.append((texts[-1], show(value_text(line.value))))
            halves.append(cells)
        return halves

    def _rows(self, halves: Sequence[Sequence[Cells]]) -> list[Cells]:
        """The halves side by side."""
        empty = ("",) * (1 + (self.arguments is not None))
        return [(*left, *right) for left, right in zip_longest(*halves, fillvalue=empty)]

    # -- names ---------------------------------------------------------------------------------

    def _called(self, text: str) -> str:
        """A statement with the adjoints as the notation calls them."""
        if self.notation != "partial":
            return text
        output = self.sheet.rows[self.sheet.output].line.name
        known = {line.name: f"∂{output}/∂{line.base}" for line in self.sheet.backward if line.base}
        return re.sub(r"[^\W\d]\w*", lambda word: known.get(word[0], word[0]), text)

    def _formulas(self) -> tuple[dict[str, str], dict[str, int | None]]:
        """The LaTeX of every name, and how many axes what it stands for has."""
        names: dict[str, str] = {}
        ranks: dict[str, int | None] = {}
        types = self.sheet.graph.types
        bases = {}
        for node, row in self.sheet.rows.items():
            text = ast.unparse(ast.parse(row.line.name))
            base = row.adjoint.base if row.adjoint is not None else text
            bases[base] = names[text] = names[row.line.name] = (
                latex_name(base) if base.isidentifier() else rf"\mathtt{{{base}}}"
            )
            rank = getattr(types[node], "rank", None)
            ranks[text] = rank
            if row.adjoint is not None:
                ranks[row.adjoint.name] = rank
        output = names[self.sheet.rows[self.sheet.output].line.name]
        for line in self.sheet.backward:
            if not line.base:
                known = isinstance(line.value, (float, np.ndarray, np.number))
                ranks[line.name] = np.ndim(line.value) if known else None
                continue
            base = bases[line.base]
            names[line.name] = {
                "bar": rf"\overline{{{base}}}", "d": f"d_{{{base}}}",
                "partial": rf"\frac{{\partial {output}}}{{\partial {base}}}",
            }[self.notation]  # fmt: skip
        return names, ranks


def _latex_value(text: str) -> str:
    """A value as LaTeX: powers of ten, and words upright."""
    if re.search(r"(?<![0-9])[a-z]", text):
        return rf"\text{{{text}}}"
    return re.sub(r"e([-+][0-9]+)", lambda e: rf" \cdot 10^{{{int(e[1])}}}", text)


def _aligned(cells: Sequence[Cells], heads: Cells) -> list[str]:
    """The lines of one half of the table, all of one width."""
    rows = [heads, *cells]
    widths = [max(len(row[k]) for row in rows) for k in range(len(heads))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return [lines[0], "─" * len(lines[0]), *lines[1:]]


# -- from functions and files ----------------------------------------------------------------------


def explain(
    f: Callable[..., Any], at: Mapping[str, Any] | str | None = None, wrt: Wrt = None,
    shapes: Shapes = None, *, output: int | None = None, notation: str = "d",
) -> Explanation:  # fmt: skip
    """The worked table of a function: its statements, the rules of their adjoints, all values.

    Parameters
    ----------
    f
        A straight-line Python function that returns one float, as for `value_and_grad`; it is read,
        and not called: what its graph computes at these values is what is shown.
    at
        The arguments by name, `{"x": 2.0, "w": [1, 2]}` or `"x=2, w=[1, 2]"`. Lists of numbers are
        arrays, and whole numbers floats, unless the parameter is declared, annotated or by default
        an int. Without it there are rules and no values.
    wrt
        Names or positions of parameters; all that hold floats by default.
    shapes
        Of the arguments, as for `value_and_grad`.
    output
        Which of several results.
    notation
        What the adjoint of z is called: `d` (d_z), `bar` (z_bar) or `partial` (∂f/∂z).

    Raises `GradgenError` for what is not such a function, and for values that do not fit.
    """
    values = parse_at(at) if isinstance(at, str) else at
    return explained(of_function(f, values, shapes, wrt), wrt, output, notation)


def explain_path(
    location: str, at: Mapping[str, Any] | None = None, wrt: Wrt = None, shapes: Shapes = None,
    output: int | None = None, notation: str = "d",
) -> Explanation:  # fmt: skip
    """As `explain`, for `PATH.py:function`; nothing of the file is executed."""
    return explained(of_file(location, at, shapes, wrt), wrt, output, notation)


def explained(point: Point, wrt: Wrt, output: int | None, notation: str) -> Explanation:
    """The explanation of a function that was read."""
    if notation not in NOTATIONS:
        raise GradgenError(f"notation={notation!r}: choose one of {', '.join(NOTATIONS)}")
    graph, options = point.graph, Options(wrt, output=output)
    chosen = every_float(graph) if wrt is None else ()
    names = chosen or tuple(p.name for p in choose_parameters(graph, wrt)[0])
    value = choose_result(graph, options)[0]
    refuse_value(graph, value, options)
    sheet = worked(graph, value, names, notation=notation)
    if point.arguments is not None:
        evaluate(sheet, point.arguments)
    return Explanation(sheet, names, notation, point.arguments)
