"""The certificate in the header of an emitted file: a mapping as lines of comment, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gradgen.errors import GradgenError

LINE = "# gradgen-certificate:"
# What comes first, in this order; other keys follow in alphabetical order.
FIRST = ("oracles", "ulps", "domain", "versions", "replay", "source", "body")
WIDTH = 88
# JSON up to a comma outside of its strings, and the space that follows.
_PIECE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",]|,(?! ))+(?:, )?')
_KEY = re.compile(r"[a-z][a-z0-9-]*")


def certificate_lines(mapping: Mapping[str, Any]) -> list[str]:
    """The lines of a certificate: `# gradgen-certificate: key = value`, the value in JSON.

    Lines are broken at single spaces only, behind a comma where they can, and go on after an
    indent. The order of the keys is that of `FIRST`, whatever that of the mapping. Values are what
    JSON has: None, bool, int, finite float, str, list, and dict with text for keys. Raises
    `GradgenError` for others.
    """
    lines: list[str] = []
    for key in sorted(mapping, key=_rank):
        if not _KEY.fullmatch(key):
            raise GradgenError(f"certificate: {key!r} is not a key of small letters, digits and -")
        line = f"{LINE} {key} ="
        for piece in _PIECE.findall(_encoded(mapping[key], key)):
            line = _appended(lines, line, piece.removesuffix(" "))
        lines.append(line)
    return lines


def _appended(lines: list[str], line: str, piece: str) -> str:
    """The last line, with a piece at its end; lines that are full join the others."""
    indent = f"{LINE}  "
    for whole in (piece,) if len(indent) + 1 + len(piece) <= WIDTH else piece.split(" "):
        # what has no space stays beside its key
        if len(line) + 1 + len(whole) > WIDTH and not (line.endswith(" =") and " " not in piece):
            lines.append(line)
            line = indent
        line += f" {whole}"
    return line


def read_certificate(text: str) -> dict[str, Any]:
    """The certificate in an emitted text; empty where it has none.

    Raises `GradgenError` where the lines are not those of a certificate.
    """
    joined: list[str] = []
    for line in text.split("\n"):
        if not line.startswith(LINE):
            continue
        content = line[len(LINE) :].rstrip()
        if content.startswith("  ") and joined:
            joined[-1] += f" {content.lstrip(' ')}"
        else:
            joined.append(content.removeprefix(" "))
    found: dict[str, Any] = {}
    for whole in joined:
        key, equals, value = whole.partition(" = ")
        if not equals or not _KEY.fullmatch(key):
            raise GradgenError(f"certificate: not a line of a certificate: {whole[:60]!r}")
        if key in found:
            raise GradgenError(f"certificate: {key} is there twice")
        try:
            found[key] = json.loads(value)
        except (ValueError, RecursionError):
            raise GradgenError(f"certificate: the value of {key} cannot be read") from None
    return found


def _rank(key: Any) -> tuple[int, str]:
    return (FIRST.index(key) if key in FIRST else len(FIRST), str(key))


def _encoded(value: Any, key: str) -> str:
    """JSON of printable characters; no two spaces meet, so that every space may end a line."""
    _check(value, key)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise GradgenError(f"certificate: the value of {key}: {error}") from None
    text = "".join(c if c.isprintable() else _escaped(c) for c in text)
    return re.sub(r"(?<= ) ", r"\\u0020", text)


def _check(value: Any, key: str) -> None:
    """Refuse what JSON would read back as something else."""
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise GradgenError(f"certificate: the value of {key}: {name!r} is not text")
        value = list(value.values())
    elif isinstance(value, tuple):
        raise GradgenError(f"certificate: the value of {key}: a tuple would come back as a list")
    if isinstance(value, list):
        for item in value:
            _check(item, key)


def _escaped(character: str) -> str:
    r"""A character as JSON's `\u` escapes, of which one beyond the first plane needs two."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
