"""The errors of gradgen: one hierarchy rooted in `GradgenError`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

# The longest part of a source line that a report shows, in characters.
WIDEST = 200


class GradgenError(Exception):
    """Whatever gradgen refuses, for whatever reason."""


class ActiveTypeError(GradgenError, TypeError):
    """An argument to differentiate is an array of integers or booleans."""


class NotCompiledError(GradgenError, AttributeError):
    """`.source` or `.graph` was asked for before the first call gave the shapes."""


class ZeroDerivativeWarning(UserWarning):
    """A derivative is zero wherever it exists, since only steps and comparisons lead to it."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that functions are read from: its file name and its lines."""

    path: str
    text: str
    first_line: int = 1
    lines: list[str] = field(default_factory=list)
    held: dict[str, bool] = field(default_factory=dict)

    def holds(self, part: str) -> bool:
        """Whether the text has a part anywhere, which is looked for once."""
        if part not in self.held:
            self.held[part] = part in self.text
        return self.held[part]

    def line(self, number: int) -> str:
        """The text of line `number` (1-based, as in the file), without its line end."""
        if not self.lines:
            self.lines.extend(self.text.split("\n"))
        at = number - self.first_line
        return self.lines[at] if 0 <= at < len(self.lines) else ""


class Location(NamedTuple):
    """A place in a source; `column` counts UTF-8 bytes from 0, as `ast` does."""

    source: Source
    line: int
    column: int


class SourceError(GradgenError, SyntaxError):
    """The user's code is refused: `filename`, `lineno`, `offset` (from 1), `text`, `hint`.

    `str()` is the whole report: `path:line:col: error: message`, the line, a caret, the hint.
    """

    def __init__(self, message: str, location: Location, hint: str = "") -> None:
        line = location.source.line(location.line)
        prefix = line.encode("utf-8", "surrogatepass")[: location.column]
        self.hint = hint
        super().__init__(message)
        self.msg = message
        self.filename = location.source.path
        self.lineno = location.line
        self.offset = len(prefix.decode("utf-8", "replace")) + 1
        self.text = line

    def __str__(self) -> str:
        shown = (self.text or "").encode("utf-8", "backslashreplace").decode("utf-8")
        report = f"{self.filename}:{self.lineno}:{self.offset}: error: {self.msg}"
        if shown.strip():
            at = (self.offset or 1) - 1
            if len(shown) > WIDEST:  # a window on a line that fills the screen
                cut = max(0, at - WIDEST // 2)
                shown, at = shown[cut : cut + WIDEST], at - cut
            pad = "".join("\t" if c == "\t" else " " for c in shown[:at])
            report += f"\n    {shown}\n    {pad}^"
        if self.hint:
            report += f"\nhint: {self.hint}"
        return report

    def __reduce__(self) -> tuple[object, ...]:
        source = Source(self.filename or "", self.text or "", self.lineno or 1)
        column = len((self.text or "")[: (self.offset or 1) - 1].encode("utf-8", "surrogatepass"))
        return (SourceError, (self.msg, Location(source, self.lineno or 1, column), self.hint))


class Refusal(Exception):
    """A refusal that does not know its place yet; the reader turns it into a `SourceError`."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NeedsLength(Refusal):
    """The program needs a number where only a symbolic length or an argument is known."""
