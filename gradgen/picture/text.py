"""A diagram as text that other programs draw: DOT of Graphviz, and Mermaid."""

from __future__ import annotations

from gradgen.picture.diagram import Box, Diagram

_SHAPES = {"input": "plaintext", "constant": "plaintext", "result": "plaintext", "group": "box"}
# Mermaid reads these in labels as markup.
_ENTITIES = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "`": "#96;", "|": "#124;"}


def dot(diagram: Diagram) -> str:
    """The diagram in the language of Graphviz: on each edge the value, below it the gradient."""
    lines = [
        f"digraph {_quoted(diagram.title)} {{", "  rankdir=LR;",
        '  node [fontname="sans-serif"];', '  edge [fontname="sans-serif", fontsize=10];',
    ]  # fmt: skip
    for k, box in enumerate(diagram.boxes):
        shape = _SHAPES.get(box.kind, "box")
        style = "" if shape == "plaintext" else ", style=rounded"
        lines.append(f"  n{k} [label={_quoted(box.label, box.more)}, shape={shape}{style}];")
    for wire in diagram.wires:
        label = f" [label={_quoted(wire.above, wire.below)}]" if wire.above else ""
        lines += [f"  n{wire.source} -> n{target}{label};" for target in wire.targets]
    return "\n".join([*lines, "}", ""])


def _quoted(*texts: str) -> str:
    lines = (t.replace("\\", "\\\\").replace('"', '\\"') for t in texts if t)
    return '"' + "\\n".join(lines) + '"'


def mermaid(diagram: Diagram) -> str:
    """The diagram in the language of Mermaid, which Markdown on many sites draws."""
    lines = ["flowchart LR"]
    lines += [f"  n{k}{_shaped(box)}" for k, box in enumerate(diagram.boxes)]
    for wire in diagram.wires:
        label = f"|{_label(wire.above, wire.below)}|" if wire.above else ""
        lines += [f"  n{wire.source} -->{label} n{target}" for target in wire.targets]
    return "\n".join([*lines, ""])


def _shaped(box: Box) -> str:
    label = _label(box.label, box.more)
    if box.kind in ("input", "constant", "result"):
        return f"[{label}]"
    return f"([{label}])" if box.kind == "group" or len(box.label) > 3 else f"(({label}))"


def _label(*texts: str) -> str:
    lines = ("".join(_ENTITIES.get(c, c) for c in text) for text in texts if text)
    return '"' + "<br/>".join(lines) + '"'
