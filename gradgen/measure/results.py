"""What a comparison finds: sizes and times, by derivative and by method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gradgen.measure.counting import KINDS, Size

VALUE, GRADIENT = "value", "gradient"
FORWARD, BACKWARD, BOTH = "gradgen forward", "gradgen backward", "gradgen both"


@dataclass(frozen=True, slots=True)
class Cell:
    """One derivative by one method.

    `build` is the time in seconds from the graph that was read to a function that can be called,
    `evaluate` that of one call; both are None where there is nothing to tell, and `left_out` says
    why a size is.
    """

    method: str
    size: Size | None
    build: float | None = None
    evaluate: float | None = None
    left_out: str = ""

    @property
    def operations(self) -> int | None:
        """All operations, or None."""
        return self.size.operations.total if self.size else None


@dataclass(slots=True)
class Comparison:
    """The value, each partial derivative and the gradient of a function, by every method."""

    name: str
    wrt: tuple[str, ...]
    sections: dict[str, list[Cell]] = field(default_factory=dict)
    # The arguments of the calls that are timed, by how code writes them.
    at: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def cell(self, subject: str, method: str) -> Cell | None:
        """One derivative by one method, where it was measured."""
        return next((c for c in self.sections.get(subject, ()) if c.method == method), None)

    def operations(self, subject: str, method: str) -> int | None:
        """The operations of one derivative by one method."""
        cell = self.cell(subject, method)
        return cell.operations if cell else None

    @property
    def gradient_operations(self) -> int:
        """The operations of the emitted value and gradient."""
        found = self.operations(GRADIENT, BOTH)
        assert found is not None
        return found

    @property
    def ratio(self) -> float | None:
        """Value and gradient together to the value alone, in operations; None for 0 operations.

        It stays below a small constant, whatever the number of parameters and the depth (the
        cheap-gradient bound; Baur and Strassen 1983; Griewank and Walther, Evaluating Derivatives):
        every operation has a derivative of a few operations, and it is used once.
        """
        forward = self.operations(GRADIENT, FORWARD)
        return self.gradient_operations / forward if forward else None

    def as_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        return {
            "name": self.name,
            "wrt": list(self.wrt),
            "at": self.at,
            "gradient_to_forward": self.ratio,
            "subjects": {
                subject: {cell.method: self._told(subject, cell) for cell in cells}
                for subject, cells in self.sections.items()
            },
            "notes": self.notes,
        }

    def _told(self, subject: str, cell: Cell) -> dict[str, Any]:
        if cell.size is None:
            return {"left_out": cell.left_out}
        told: dict[str, Any] = {
            "operations": {
                **{kind: getattr(cell.size.operations, kind) for kind in KINDS},
                "total": cell.size.operations.total,
            },
            "characters": cell.size.characters,
            "nodes": cell.size.nodes,
            "bytecode": cell.size.bytecode,
            "build_seconds": cell.build,
            "evaluate_seconds": cell.evaluate,
        }
        for name, method in (("to_forward", FORWARD), ("to_both", BOTH)):
            base = self.operations(subject, method)
            told[name] = cell.size.operations.total / base if base else None
        return told

    def __str__(self) -> str:
        from gradgen.measure.table import as_text  # it knows this module

        return as_text(self)


@dataclass(slots=True)
class Growth:
    """The same function at rising values of a parameter that is fixed while compiling."""

    name: str
    parameter: str
    points: dict[int, Comparison] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """All numbers, for JSON."""
        return {
            "name": self.name,
            "parameter": self.parameter,
            "points": [{self.parameter: n, **c.as_dict()} for n, c in self.points.items()],
        }

    @property
    def methods(self) -> list[str]:
        """The methods of the gradients, in the order of the columns."""
        found = (c.method for p in self.points.values() for c in p.sections[GRADIENT])
        return list(dict.fromkeys(found))

    @property
    def gradient_operations(self) -> int:
        """The operations of the largest emitted value and gradient."""
        return max(c.gradient_operations for c in self.points.values())

    def __str__(self) -> str:
        from gradgen.measure.table import as_text  # it knows this module

        return as_text(self)
