"""Emitted source kept on disk, under a key of all that it was made from.

The key is of the graph that was read and not of the text of one function: helpers, captured values
and declared shapes are in it, and what was changed since is not found. What is found is executed,
so a folder or a file that others can write to is not taken.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gradgen.errors import GradgenError, Location
from gradgen.graph import COLUMNS, Graph
from gradgen.program import VERSION, Options
from gradgen.render import template_folder
from gradgen.types import Type

_MARK = "# gradgen-cache: sha256:"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_NUMBERS = "biufc"


@dataclass(frozen=True, slots=True)
class Entry:
    """An emitted text, and which captured value each of its free names is."""

    text: str
    captured: dict[str, str]


def cache_folder() -> Path:
    """Where sources are kept: `GRADGEN_CACHE_DIR`, or a folder in the user's cache folder."""
    chosen = os.environ.get("GRADGEN_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "gradgen" / "Cache"
    home = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(home):  # the specification has others ignored
        return Path(home) / "gradgen"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "gradgen"


# -- keys -----------------------------------------------------------------------------------------


def key_of(graph: Graph, options: Options, guard: bool) -> str | None:
    """The key of what a graph that was read is compiled to.

    None where it holds something whose content cannot be told.
    """
    digest = hashlib.sha256()
    try:
        for part in _parts(graph, options, guard):
            raw = part.encode("utf-8", "surrogatepass")
            digest.update(b"%d:" % len(raw) + raw)
    except _Untold:
        return None
    return digest.hexdigest()


def _parts(graph: Graph, options: Options, guard: bool) -> Iterable[str]:
    yield f"{VERSION} {_own_digest()} {np.__version__} {sys.version} {sys.byteorder} {guard}"
    yield _told(options)
    yield repr(graph.ops)
    yield repr(graph.args)
    yield repr([loc and (loc.line, loc.column) for loc in graph.locs])
    numbers: dict[int, int] = {}  # a type is one object, and most nodes share a few
    yield repr([numbers.setdefault(id(t), len(numbers)) for t in graph.types])
    yield _told(list({id(t): t for t in graph.types}.values()))
    for column in COLUMNS:
        if column not in ("ops", "args", "locs", "types"):
            yield "".join(
                ["N," if item is None else _told(item) + "," for item in getattr(graph, column)]
            )
    for field in dataclasses.fields(graph):
        if field.name not in COLUMNS:
            yield field.name + _told(getattr(graph, field.name))


class _Untold(Exception):
    """A value of a kind whose content is not known."""


def _told(value: Any) -> str:
    """A value as text that no other value has. Raises `_Untold` for kinds that are not known."""
    kind = type(value)
    if value is None or value is Ellipsis or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return float.hex(value)
    if kind in (list, tuple):
        return f"{kind.__name__}({','.join(map(_told, value))})"
    if kind is dict:
        return f"dict({','.join(f'{_told(k)}:{_told(v)}' for k, v in value.items())})"
    if kind is Type:
        return f"Type({_told((value.kind, value.dtype, value.shape))})"
    if kind is Location:
        return f"Location({value.line},{value.column})"
    if (kind is np.ndarray or isinstance(value, np.generic)) and value.dtype.kind in _NUMBERS:
        content = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
        return f"{kind.__name__}({value.dtype.str},{value.shape},{content})"
    if dataclasses.is_dataclass(value) and kind.__module__.startswith("gradgen."):
        held = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return f"{kind.__qualname__}{_told(held)}"
    raise _Untold


@cache
def _own_digest() -> str:
    """The digest of gradgen's own files: what is emitted may change with any of them."""
    digest = hashlib.sha256()
    home = Path(__file__).parent
    for path in sorted([*home.rglob("*.py"), *template_folder().glob("*.jinja")]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


# -- files ----------------------------------------------------------------------------------------


def find(key: str) -> Entry | None:
    """What is kept under a key; None for nothing, or for a file that is damaged or not one's own.

    Raises `GradgenError` where others can write to the folder.
    """
    folder = _own_folder()
    if folder is None:
        return None
    try:
        with open(folder / f"{key}.py", "rb") as file:
            if not _is_own(os.fstat(file.fileno())):
                return None
            data = file.read()
    except OSError:
        return None
    head, _, body = data.partition(b"\n")
    if head.decode("ascii", "replace") != _MARK + _seal(key, body):
        return None
    names, _, text = body.partition(b"\n")
    captured = json.loads(names.removeprefix(b"# captured: "))
    return Entry(text.decode("utf-8", "surrogatepass"), captured)


def keep(key: str, entry: Entry) -> None:
    """Keep a source under its key, whole or not at all; nothing where there is no room for it.

    Raises `GradgenError` where others can write to the folder.
    """
    folder = _own_folder()
    if folder is None:
        return
    names = "# captured: " + json.dumps(entry.captured)
    body = f"{names}\n{entry.text}".encode("utf-8", "surrogatepass")
    made = None
    try:
        number, made = tempfile.mkstemp(".tmp", key[:16], folder)  # for the user alone
        with open(number, "wb") as file:
            file.write(f"{_MARK}{_seal(key, body)}\n".encode() + body)
        os.replace(made, folder / f"{key}.py")
    except OSError:
        if made is not None and os.path.exists(made):
            os.unlink(made)


def _seal(key: str, body: bytes) -> str:
    """The digest of a file's content and of its name."""
    return hashlib.sha256(key.encode() + b"\n" + body).hexdigest()


def _own_folder() -> Path | None:
    """The folder, made if need be; None where it cannot be made.

    Raises `GradgenError` where it is another user's, or others can write to it.
    """
    folder = cache_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.stat(folder)
    except OSError:
        return None
    if not _is_own(found):
        raise GradgenError(
            f"{folder}: others can write to this folder, and what is kept in it is executed; "
            "choose another with GRADGEN_CACHE_DIR, or take their permission"
        )
    return folder


def _is_own(found: os.stat_result) -> bool:
    """Whether a file or folder is the user's, and only the user can write to it."""
    if sys.platform == "win32":  # where the user's folders are private, and modes say nothing
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS
