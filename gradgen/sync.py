"""The list of emitted files in gradgen.toml or pyproject.toml, and the order to make them in."""

from __future__ import annotations

import ast
import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradgen.errors import GradgenError, Source
from gradgen.files import write_files
from gradgen.modes import MODES
from gradgen.program import EFFORTS, STYLES
from gradgen.read.source import parse, read_text
from gradgen.targets import TARGETS

OWN, SHARED = "gradgen.toml", "pyproject.toml"
TABLES = "emit"
# Every key of a table with the types that its value may have, in the order of the help.
KEYS: dict[str, tuple[type, ...]] = {
    "source": (str,), "output": (str,), "wrt": (str, int, list), "shapes": (str, dict),
    "mode": (str,), "target": (str,), "style": (str,), "output-index": (int,),
    "template-dir": (str,), "certify": (bool,), "effort": (str,), "domain": (str,),
    "stabilize": (bool,), "recompute": (bool,),
}  # fmt: skip
# What is of one function only has no default for all.
DEFAULTS = [k for k in KEYS if k not in ("source", "output", "shapes", "output-index", "domain")]
CHOICES = {"mode": MODES, "target": tuple(TARGETS), "style": STYLES, "effort": EFFORTS}
_NAMES: dict[type, str] = {
    str: "text", int: "an integer", list: "a list", dict: "a table", bool: "true or false",
    float: "a number with a point",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to emit. `wrt` and `shapes` are as the options of `gradgen emit` write them."""

    where: str
    # the functions of the source, after the colon
    names: str
    source: Path
    output: Path
    wrt: str | None = None
    shapes: str | None = None
    mode: str = "value_and_grad"
    target: str = "numpy"
    style: str = "default"
    output_index: int | None = None
    template_dir: Path | None = None
    # the effort and the domain of the certificate, where there is to be one
    evidence: tuple[str, str] | None = None
    stabilize: bool = False
    recompute: bool = False


def shown(path: Path) -> str:
    """A path as messages write it: relative to the current folder."""
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)


# -- the configuration -----------------------------------------------------------------------------


def find_config(start: Path) -> Path:
    """The file with the list: that of the nearest folder with a gradgen.toml or pyproject.toml.

    Raises `GradgenError` where there is none, or no list in it, or two.
    """
    for folder in (start, *start.parents):
        own, shared = folder / OWN, folder / SHARED
        if not own.is_file() and not shared.is_file():
            continue
        listed = shared.is_file() and "gradgen" in _table(_read_toml(shared), "tool")
        if own.is_file() and listed:
            raise GradgenError(f"{shown(own)}: {SHARED} beside it has a [tool.gradgen] as well")
        if not own.is_file() and not listed:
            raise GradgenError(
                f"{shown(shared)}: there is no [tool.gradgen] in it, and no {OWN} beside it"
            )
        return own if own.is_file() else shared
    raise GradgenError(f"there is no {OWN} or {SHARED} in this folder or above it")


def read_config(path: Path) -> list[Entry]:
    """The files that a configuration lists.

    Raises `GradgenError` with file and key for what is unknown, missing, of a wrong type, or
    listed twice.
    """
    data, prefix = _read_toml(path), ""
    if path.name == SHARED:
        data, prefix = _table(_table(data, "tool"), "gradgen"), "tool.gradgen."
        if not isinstance(data, dict):
            raise GradgenError(f"{shown(path)}: tool.gradgen must be a table")
    place = f"{shown(path)}: [{prefix.removesuffix('.')}]" if prefix else shown(path)
    tables = data.get(TABLES, [])
    top = {key: value for key, value in data.items() if key != TABLES}
    _check_keys(top, place, DEFAULTS, [TABLES])
    heading = f"[[{prefix}{TABLES}]]"
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise GradgenError(f"{shown(path)}: {TABLES}: write {heading} above each file's lines")
    if not tables:
        raise GradgenError(f"{shown(path)}: it lists no file; add a table {heading}")
    entries = [
        _entry({**top, **table}, table, f"{shown(path)}: {heading} {number}", path.parent)
        for number, table in enumerate(tables, 1)
    ]
    _refuse_twice(entries)
    _refuse_circles(entries)
    return entries


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise GradgenError(f"{shown(path)}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise GradgenError(f"{shown(path)}: {error}") from None


def _table(data: Any, key: str) -> Any:
    return data.get(key, {}) if isinstance(data, dict) else {}


def _check_keys(
    table: Mapping[str, Any], where: str, known: Sequence[str], others: Sequence[str] = ()
) -> None:
    """Raise `GradgenError` for a key that there is not, and for a value of a wrong type."""
    for key, value in table.items():
        if key not in known:
            close = difflib.get_close_matches(key, [*known, *others], 1)
            more = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
            raise GradgenError(f"{where}: unknown key {key!r}{more}")
        if type(value) not in KEYS[key]:
            wanted = " or ".join(_NAMES[kind] for kind in KEYS[key])
            given = _NAMES.get(type(value), "a date or time")
            hint = " (which of several results: output-index)" if key == "output" else ""
            raise GradgenError(f"{where}: {key} must be {wanted}, not {given}{hint}")
        if key in CHOICES and value not in CHOICES[key]:
            choices = ", ".join(CHOICES[key])
            raise GradgenError(f"{where}: {key}: {value!r} is none of {choices}")


def _entry(given: Mapping[str, Any], own: Mapping[str, Any], where: str, folder: Path) -> Entry:
    _check_keys(own, where, list(KEYS))
    for key in ("source", "output"):
        if not given.get(key):
            raise GradgenError(f"{where}: {key} is missing")
    for key in ("source", "output", "template-dir"):
        if "\0" in given.get(key, ""):
            raise GradgenError(f"{where}: {key} holds a null character")
    if given.get("output-index", 0) < 0:
        raise GradgenError(f"{where}: output-index counts from 0")
    source = given["source"]
    path, _, names = (source, "", "") if source.endswith(".py") else source.rpartition(":")
    if not path or (path != source and not names):
        raise GradgenError(f"{where}: source: {source!r} is not PATH.py:function")
    templates = given.get("template-dir")
    output = folder / given["output"]
    if given["output"].endswith(("/", os.sep)) or output.is_dir():
        raise GradgenError(f"{where}: output: {given['output']} is a folder, not a file")
    return Entry(
        where, names, folder / path, output, _wrt_text(given.get("wrt"), where),
        _shapes_text(given.get("shapes"), where), given.get("mode", "value_and_grad"),
        given.get("target", "numpy"), given.get("style", "default"), given.get("output-index"),
        None if templates is None else folder / templates, _evidence(given, own, where),
        given.get("stabilize", False), given.get("recompute", False),
    )  # fmt: skip


def _evidence(
    given: Mapping[str, Any], own: Mapping[str, Any], where: str
) -> tuple[str, str] | None:
    """The effort and the domain of a certificate; None where none is asked for."""
    if given.get("certify", False):
        return given.get("effort", "normal"), given.get("domain", "")
    for key in ("effort", "domain"):
        if key in own:
            raise GradgenError(f"{where}: {key} is about the certificate: add certify = true")
    return None


def _wrt_text(wrt: Any, where: str) -> str | None:
    """What `--wrt` would say: a list is a tuple, also one of a single name."""
    if not isinstance(wrt, list):
        return None if wrt is None else str(wrt)
    for item in wrt:
        if type(item) not in (str, int) or "," in str(item):
            raise GradgenError(f"{where}: wrt: {item!r} is not the name or position of a parameter")
    return ",".join(map(str, wrt)) + ("," if len(wrt) == 1 else "")


def _shapes_text(shapes: Any, where: str) -> str | None:
    """What `--shapes` would say."""
    if not isinstance(shapes, dict):
        return None if shapes is None else str(shapes)
    for name, text in shapes.items():
        if not isinstance(text, str) or "," in text or "," in name or "=" in name:
            raise GradgenError(f"{where}: shapes: {name} = {text!r} is not a name and dimensions")
    return ", ".join(f"{name}={text}" for name, text in shapes.items())


def whole(path: Path) -> Path:
    """A path without links in its folder, to compare with others; a link itself stays one."""
    return Path(os.path.normcase(path.parent.resolve() / path.name))


def _refuse_twice(entries: Sequence[Entry]) -> None:
    known: dict[Path, Entry] = {}
    for entry in entries:
        first = known.setdefault(whole(entry.output), entry)
        if first is not entry:
            raise GradgenError(
                f"{entry.where}: output: {shown(entry.output)} is the output of {first.where} too"
            )


def _refuse_circles(entries: Sequence[Entry]) -> None:
    """No file is made from itself, at once or through others."""
    makers = {whole(entry.output): entry for entry in entries}
    for entry in entries:
        seen = [entry]
        while (maker := makers.get(whole(seen[-1].source))) is not None:
            if maker in seen:
                raise GradgenError(f"{entry.where}: {shown(maker.output)} is made from itself")
            seen.append(maker)


# -- what is made from what ------------------------------------------------------------------------


def needed_outputs(entry: Entry, outputs: Mapping[Path, Entry]) -> set[Entry]:
    """The listed files that an entry's source is, or imports, or that those import."""
    found: set[Entry] = set()
    seen: set[Path] = set()
    left = [entry.source]
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        if whole(path) in outputs:
            found.add(outputs[whole(path)])
        with suppress(GradgenError):  # what cannot be read is told when it is emitted
            left += _imported_files(path, outputs)
    return found


def _imported_files(path: Path, outputs: Mapping[Path, Entry]) -> list[Path]:
    """The files beside a module that it imports, those included that are still to be emitted."""
    if not path.is_file():
        return []
    found = []
    for node in ast.walk(parse(Source(str(path), read_text(path)))):
        names: list[tuple[str, int]] = []
        if isinstance(node, ast.Import):
            names = [(alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = f"{node.module}." if node.module else ""
            names = [(home.removesuffix("."), node.level)] if home else []
            names += [(home + alias.name, node.level) for alias in node.names]
        for dotted, level in names:
            folder = path.parent
            for _ in range(level - 1):
                folder = folder.parent
            base = folder.joinpath(*dotted.split("."))
            files = (base.with_suffix(".py"), base / "__init__.py")
            found += [file for file in files if whole(file) in outputs or file.is_file()]
    return found


@contextmanager
def restoring(paths: Sequence[Path]) -> Iterator[None]:
    """Put files back where the block fails; a block that fails has changed them or not."""
    before = {path: _held(path) for path in paths}
    try:
        yield
    except BaseException:
        for path, held in before.items():
            if _held(path) != held:
                _put_back(path, held)
        raise


def _held(path: Path) -> bytes | str | None:
    """The content of a file, the target of a link, or None."""
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else None


def _put_back(path: Path, held: bytes | str | None) -> None:
    if isinstance(held, bytes):
        write_files({path: held})
        return
    path.unlink()
    if held is not None:
        path.symlink_to(held)
