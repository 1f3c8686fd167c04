"""What was measured, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

from gradgen.measure.counting import KINDS
from gradgen.measure.results import BACKWARD, BOTH, FORWARD, Cell, Comparison, Growth

WIDTH = 100
# More partial derivatives than these are counted, not shown.
MOST_SHOWN = 8
# How many derivatives a note names.
_NAMED = 4
# As many columns as these stand one space apart.
_CROWDED = 12
_HEADS = ("total", "add", "mul", "div", "pow", "fn", "other", "chars", "nodes", "bytes",
          "build", "call", "/fwd", "/both")  # fmt: skip
_LEGEND = """\
total: operations, and by kind (fn: exp, log, sin and their like); chars: characters without white
space; nodes: operations and operands; bytes: of bytecode; build: from the graph that was read to a
function; call: one call; /fwd, /both: operations to those of gradgen's forward and of both.
"both" is value and gradient in one function; "forward" computes the value and saves what "backward"
needs. Times are this machine's, and move from run to run."""
_GROWTH_LEGEND = """\
"both" is value and gradient in one function, "forward" the value, with what "backward" needs;
build: from the graph that was read to a function; call: one call; -: left out. Times are this
machine's, and move from run to run."""


def as_text(found: Comparison | Growth) -> str:
    """The table as plain text of 100 columns."""
    from rich.console import Console

    file = StringIO()
    Console(file=file, width=WIDTH, color_system=None, force_terminal=False).print(
        *renderables(found), sep="\n"
    )
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().split("\n"))


def renderables(found: Comparison | Growth) -> Iterator[Any]:
    """What a rich console prints."""
    from rich.text import Text

    if isinstance(found, Comparison):
        yield _table(found)
        yield Text(_ratio_line(found))
        yield Text(_LEGEND, style="dim")
        notes = dict.fromkeys([*_left_out(found), *found.notes])
    else:
        yield _growth_table(found)
        yield Text(_GROWTH_LEGEND, style="dim")
        notes = dict.fromkeys(_growth_notes(found))
    for note in notes:
        yield Text(f"note: {note}")


def _grid(title: str, heads: tuple[str, ...], first: str) -> Any:
    from rich import box
    from rich.table import Table

    space = 1 if len(heads) < _CROWDED else 0
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False,
                  padding=(0, space, 0, 0), title_style="bold")  # fmt: skip
    table.add_column(first, no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _table(found: Comparison) -> Any:
    sections = dict(found.sections)
    partials = [subject for subject in sections if subject.startswith("d/d")]
    for subject in partials[MOST_SHOWN:]:
        del sections[subject]
    cells = [cell for rows in sections.values() for cell in rows if cell.size]
    columns = [head for head, kind in zip(_HEADS[1:7], KINDS, strict=True)
               if any(getattr(c.size.operations, kind) for c in cells if c.size)]  # fmt: skip
    heads = ("total", *columns, *_HEADS[7:])
    table = _grid(f"{found.name}, with respect to {', '.join(found.wrt)}", heads, "")
    for subject, rows in sections.items():
        table.add_row(subject, style="bold")
        for cell in rows:
            table.add_row(f" {cell.method}", *_entries(found, subject, cell, heads))
        if partials[MOST_SHOWN:] and subject == partials[MOST_SHOWN - 1]:
            table.add_row(f"... and {len(partials) - MOST_SHOWN} more (--json has all)")
    return table


def _entries(found: Comparison, subject: str, cell: Cell, heads: tuple[str, ...]) -> Iterator[str]:
    if cell.size is None:
        yield from ("left out", *[""] * (len(heads) - 1))
        return
    size = cell.size
    by_head: dict[str, str] = {
        "total": _count(size.operations.total),
        **{h: _count(getattr(size.operations, k)) for h, k in zip(_HEADS[1:7], KINDS, strict=True)},
        "chars": _count(size.characters), "nodes": _count(size.nodes),
        "bytes": _count(size.bytecode), "build": _time(cell.build), "call": _time(cell.evaluate),
        "/fwd": _ratio(size.operations.total, found.operations(subject, FORWARD)),
        "/both": _ratio(size.operations.total, found.operations(subject, BOTH)),
    }  # fmt: skip
    for head in heads:
        yield by_head[head]


def _left_out(found: Comparison) -> Iterator[str]:
    """Why methods are left out, each reason once."""
    where: dict[tuple[str, str], list[str]] = {}
    for subject, cells in found.sections.items():
        for reason in dict.fromkeys(cell.left_out for cell in cells if cell.left_out):
            methods = ", ".join(cell.method for cell in cells if cell.left_out == reason)
            where.setdefault((methods, reason), []).append(subject)
    for (methods, reason), subjects in where.items():
        more = f" and {len(subjects) - _NAMED} more" if len(subjects) > _NAMED else ""
        yield f"{methods} of {', '.join(subjects[:_NAMED])}{more}: {reason}"


def _ratio_line(found: Comparison) -> str:
    if found.ratio is None:
        return "The value takes no operation."
    forward = found.operations("gradient", FORWARD)
    return (
        f"Value and gradient take {found.gradient_operations:,} operations, the value alone "
        f"{forward:,}: {found.ratio:.2f} times as many, for {len(found.wrt)} "
        f"parameter{'s' * (len(found.wrt) != 1)}."
    )


def _growth_table(found: Growth) -> Any:
    methods = [method for method in found.methods if method != BACKWARD]
    heads = (*(m.replace(" ", "\n", 1) for m in methods), "both\n/fwd", "build\nraw", "build\nboth",
             "call\nraw", "call\nboth")  # fmt: skip
    table = _grid(f"{found.name}: operations of the gradient", heads, found.parameter)
    for n, comparison in found.points.items():
        cells = {c.method: c for c in comparison.sections["gradient"]}
        counts = [_count(cells[m].operations) if m in cells else "" for m in methods]
        raw, both = cells.get("sympy raw"), cells[BOTH]
        times: list[float | None] = [raw.build if raw else None, both.build,
                 raw.evaluate if raw else None, both.evaluate]  # fmt: skip
        ratio = f"{comparison.ratio:.2f}" if comparison.ratio else "-"
        table.add_row(str(n), *counts, ratio, *map(_time, times))
    return table


def _growth_notes(found: Growth) -> Iterator[str]:
    """What was left out, with the first reason for each method, and what else is to be said."""
    where: dict[str, list[int]] = {}
    why: dict[str, str] = {}
    for n, comparison in found.points.items():
        for cell in comparison.sections["gradient"]:
            if cell.left_out:
                where.setdefault(cell.method, []).append(n)
                why.setdefault(cell.method, cell.left_out)
    for method, values in where.items():
        at = f"{found.parameter}={values[0]}"
        rest = f", and at {len(values) - 1} more" if values[1:] else ""
        yield f"{method} is left out at {at}: {why[method]}{rest}"
    for n, comparison in found.points.items():
        for note in comparison.notes:
            yield f"{found.parameter}={n}: {note}"


def _count(number: int | None) -> str:
    if number is None:
        return "-"
    if number < 100_000:
        return f"{number:,}"
    return f"{number / 1e3:.0f}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            value = seconds / scale
            return f"{value:.1f}{unit}" if value < 10 else f"{value:.0f}{unit}"
    return f"{seconds / 1e-9:.0f}ns"


def _ratio(number: int, base: int | None) -> str:
    if not base:
        return "-"
    value = number / base
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"
