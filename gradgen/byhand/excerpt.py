"""Nodes of a graph as text: as they stand in the source, or as code that computes them."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from dataclasses import replace

from gradgen.emission import emit
from gradgen.errors import GradgenError, Location, Refusal
from gradgen.graph import Graph, GraphBuilder
from gradgen.spelling import spelled
from gradgen.targets import TARGETS

# Nodes that compute nothing.
ATOMS = ("param", "const", "constant", "global")


def code_of(graph: Graph, node: int, names: Mapping[int, str]) -> str:
    """What computes a node, from the arguments and from values that have names."""
    needed, stack = set[int](), [node]
    while stack:
        at = stack.pop()
        if at not in needed:
            needed.add(at)
            stack += [] if at in names and at != node else graph.args[at]
    part = GraphBuilder(Graph(name="part", captured=graph.captured))
    anonymous = replace(graph, names=[None] * len(graph))
    mapping = [-1] * len(graph)
    try:
        for at in sorted(needed):
            if at in names and at != node:
                mapping[at] = part.leaf("param", (names[at], ()), graph.types[at])
            else:
                mapping[at] = part.copy_node(anonymous, at, mapping)
        part.graph.results = mapping[node]
        unit = emit(part.graph, TARGETS["numpy"], "grad", guard=False)
    except (GradgenError, Refusal):
        return spelled(graph, node)
    return _in_one_line("\n".join(unit.functions[0].body))


def _in_one_line(body: str) -> str:
    """The statements of a body, of which the last becomes what is returned."""
    *statements, last = ast.parse(textwrap.dedent(body)).body
    assert isinstance(last, ast.Return) and last.value is not None
    result = last.value
    before = statements[-1] if statements else None
    if isinstance(before, ast.Assign) and ast.dump(before.targets[0]).replace(
        "Store", "Load"
    ) == ast.dump(result):  # fmt: skip
        statements, result = statements[:-1], before.value
    return "; ".join(_source(part, textwrap.dedent(body)) for part in (*statements, result))


def _source(part: ast.AST, text: str) -> str:
    found = ast.get_source_segment(text, part) or ""
    return found if found and "\n" not in found else ast.unparse(part)


def written(graph: Graph, node: int, loc: Location) -> str:
    """The text of a node as it stands in the source; nothing where that is not sure.

    The expressions that begin at one place are nested, and so are their nodes.
    """
    try:
        tree = ast.parse(loc.source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    line = loc.line - loc.source.first_line + 1
    texts = [
        expression for expression in ast.walk(tree)
        if isinstance(expression, ast.expr) and _computes(expression)
        and (expression.lineno, expression.col_offset) == (line, loc.column)
    ]  # fmt: skip
    nodes = [n for n in range(len(graph)) if graph.locs[n] == loc and graph.ops[n] not in ATOMS]
    if len(texts) != len(nodes) or node not in nodes:
        return ""
    # ast.walk goes from the outside to the inside
    chosen = texts[::-1][nodes.index(node)]
    return _source(chosen, loc.source.text)


def _computes(expression: ast.expr) -> bool:
    """Whether an expression is an operation, and no name or number."""
    if isinstance(expression, ast.UnaryOp):
        return not isinstance(expression.operand, ast.Constant)
    if isinstance(expression, ast.Attribute):
        return expression.attr in ("T", "mT")
    return isinstance(expression, ast.BinOp | ast.Call | ast.Subscript | ast.Compare)
