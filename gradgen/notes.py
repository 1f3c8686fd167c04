"""What the header of an emitted file says about its numbers."""

from __future__ import annotations

from collections.abc import Iterator

from gradgen.graph import Graph
from gradgen.ops import OPS
from gradgen.stabilize import stays_below_zero
from gradgen.targets import Target

# Python's max and min give one of their operands where the other is NaN.
_NOT_FOR_NAN = ("maximum", "minimum", "fmax", "fmin", "clip", "clip_above", "clip_below")


def header_notes(graph: Graph, target: Target) -> list[str]:
    """The lines on functions that changed from NumPy's to Python's, and on overflow."""
    lines = list(dict.fromkeys(_overflows(graph)))
    if target.functions == "math":
        lines += _math_notes(graph)
    return lines


def _own(graph: Graph) -> Iterator[int]:
    return (n for n in range(len(graph)) if graph.locs[n] is not None and graph.ops[n] in OPS)


def changed_functions(graph: Graph) -> list[str]:
    """The functions of NumPy's that become others for a target that has Python's and math's."""
    return sorted({
        OPS[graph.ops[n]].call.replace("numpy.", "np.")
        for n in _own(graph)
        if graph.attrs[n] != "math" and OPS[graph.ops[n]].call.startswith("numpy.")
        and not (OPS[graph.ops[n]].infix and graph.attrs[n] != "numpy")
    })  # fmt: skip


def _math_notes(graph: Graph) -> list[str]:
    changed, lines = changed_functions(graph), []
    if changed:
        lines = [
            f"{', '.join(changed)} became Python's own or math's: the last bit may differ, and",
            "OverflowError, ValueError or ZeroDivisionError is raised where NumPy gives inf or "
            "nan.",
        ]
    if any(graph.ops[n] in _NOT_FOR_NAN for n in _own(graph)):
        lines.append("Python's max and min do not pass NaN on as NumPy's functions do.")
    return lines


def _overflows(graph: Graph) -> Iterator[str]:
    """`log(1 + exp(x))`, which is inf for x > 709, although the result is about x."""
    for node in _own(graph):
        if graph.ops[node] not in ("log", "log1p"):
            continue
        (inner,) = graph.args[node]
        terms = (inner,) if graph.ops[node] == "log1p" else graph.args[inner]
        if graph.ops[node] == "log" and graph.ops[inner] != "add":
            continue
        ones = [t for t in terms if graph.values[t] == 1]
        rising = [t for t in terms if graph.ops[t] == "exp"
                  and not stays_below_zero(graph, graph.args[t][0])]  # fmt: skip
        if rising and (ones or graph.ops[node] == "log1p"):
            loc = graph.locs[node]
            assert loc is not None
            yield (f"Line {loc.line} of the source: log(1 + exp(x)) overflows above x = 709; "
                   "np.logaddexp(0, x) does not.")  # fmt: skip
