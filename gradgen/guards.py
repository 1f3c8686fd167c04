"""The checks that an emitted function begins with: of declared shapes, and of fixed arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradgen.graph import Record, Tree
from gradgen.read import Static
from gradgen.targets.base import quoted
from gradgen.types import QUOTIENTS, Dim, Shape, Size, product

# What is left of a line for the text of a message, behind its indentation and its quotes.
_MESSAGE_WIDTH = 73
_INDENT = "    "
# What an f-string cannot hold before Python 3.12, or reads as its own.
_NOT_QUOTABLE = frozenset("{}'\\")


def argument_parts(name: str, tree: Tree) -> Iterator[tuple[str, Any]]:
    """The nodes and fixed values of an argument, each with how the emitted code writes it."""
    stack = [(name, tree)]
    while stack:
        text, part = stack.pop()
        if isinstance(part, Record):
            fields = zip(part.fields, part.values, strict=True)
            stack += reversed([(f"{text}.{field}", inner) for field, inner in fields])
        elif isinstance(part, dict):
            stack += reversed([(f"{text}[{quoted(key)}]", inner) for key, inner in part.items()])
        elif isinstance(part, (list, tuple)):
            stack += reversed([(f"{text}[{at}]", inner) for at, inner in enumerate(part)])
        else:
            yield text, part


def value_guard(text: str, fixed: Static, error: str) -> list[str]:
    """The check of an argument whose value was fixed while compiling."""
    value = fixed.value
    same = "is not" if value is None or isinstance(value, bool) else "!="
    message = quoted(f"this code is for {text}={value!r}")
    return [f"if {text} {same} {quoted(value)}:", f"{_INDENT}raise {error}({message})"]


@dataclass(frozen=True, slots=True)
class Known:
    """What the lengths of arguments can be told by: arrays of such shapes, and names of lengths."""

    arrays: Mapping[str, Shape] = field(default_factory=dict)
    lengths: Mapping[Size, str] = field(default_factory=dict)


def shape_guard(
    function: str, arrays: Mapping[str, Shape], error: str, known: Known | None = None
) -> list[str]:
    """The check that arrays have the shapes declared for them; `error` is what it raises.

    `arrays` are the declared shapes, by how the emitted code writes the arguments.
    """
    tests = shape_tests(arrays, known)
    if not tests:
        return []
    quotable = not any(_NOT_QUOTABLE.intersection(text) for text in arrays)
    shapes = [
        f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        for shape in arrays.values()
    ]
    few = len(arrays) <= 2
    between = " of shape " if few else " "
    declared = [f"{n}{between}{s}" for n, s in zip(_quoted_names(arrays), shapes, strict=True)]
    words = [f"{function} takes" if few else f"{function} takes shapes", *_listed(declared)]
    given = [f"{name}.shape={{{name}.shape}}" for name in _quoted_names(arrays)] if quotable else []
    return _raised(tests, words, given, error)


def number_guard(function: str, numbers: Sequence[str], error: str) -> list[str]:
    """The check that tangents and seeds of numbers are numbers, and not arrays of them.

    numba decides it while compiling; so the message asks for no `shape`, which floats do not have.
    """
    tests = [f'getattr({text}, "shape", ()) != ()' for text in numbers]
    many = len(numbers) > 1
    names = _listed(_quoted_names(numbers))
    words = [f"{function} takes", *(["numbers"] if many else ["a number"]), "as", *names]
    quotable = not _NOT_QUOTABLE.intersection("".join(numbers))
    given = ["arrays" if many else "an array"] if quotable else []
    return _raised(tests, words, given, error) if tests else []


def value_shape_guard(
    function: str, pairs: Sequence[tuple[str, str]], error: str
) -> list[str]:  # fmt: skip
    """The check that seeds have the shapes of values, by how the emitted code writes both."""
    lines: list[str] = []
    for seed, value in pairs:
        names = _quoted_names([seed])
        quotable = not _NOT_QUOTABLE.intersection(seed)
        given = [f"{names[0]}.shape={{{names[0]}.shape}}"] if quotable else []
        words = [f"{function} takes", f"{names[0]} of the shape of the value"]
        lines += _raised([f"{seed}.shape != {value}.shape"], words, given, error)
    return lines


def _raised(
    tests: Sequence[str], words: Sequence[str], given: Sequence[str], error: str
) -> list[str]:
    """The lines that raise an error where a test holds: what is taken, and what was given."""
    message = _message(words, given)
    lines = [f"if {' or '.join(tests)}:"]
    if len(message) == 1:
        return [*lines, f"{_INDENT}raise {error}({message[0]})"]
    inner = [_INDENT * 2 + text for text in message]
    return [*lines, f"{_INDENT}raise {error}(", *inner, f"{_INDENT})"]


def shape_tests(arrays: Mapping[str, Shape], known: Known | None = None) -> list[str]:
    """The conditions of which one holds where arrays break their declared shapes.

    The number of axes comes first, where an axis tells what a symbol is: the lengths behind may
    then be asked for. Polynomials of symbols that no axes tell are compared with their equals only.
    """
    known = known or Known()
    expected, divisible = _expected(arrays, known)
    ranks: list[str] = []
    lengths: list[str] = []
    same: dict[Shape, str] = {}
    for text, shape in known.arrays.items():
        if any(isinstance(size, Dim) for size in shape):
            same.setdefault(shape, text)
    for text, shape in arrays.items():
        wanted = [expected[f"{text}.shape[{axis}]"] for axis in range(len(shape))]
        if shape in same:
            lengths.append(f"{text}.shape != {same[shape]}.shape")
            continue
        if any(isinstance(size, Dim) for size in shape):
            same[shape] = text
        if None not in wanted:
            comma = "," if len(shape) == 1 else ""
            lengths.append(f"{text}.shape != ({', '.join(map(_spelled, wanted))}{comma})")
            continue
        ranks.append(f"{text}.ndim != {len(shape)}")
        lengths += [
            f"{text}.shape[{axis}] != {_spelled(size)}"
            for axis, size in enumerate(wanted)
            if size is not None
        ]
    return [*ranks, *divisible, *lengths]


def _expected(arrays: Mapping[str, Shape], told: Known) -> tuple[dict[str, Size | None], list[str]]:
    """What each axis must be, None where it tells a symbol; and what tests that it can."""
    places = _places(arrays)
    expected: dict[str, Size | None] = {}
    divisible: list[str] = []
    # Symbols, and polynomials of unknown symbols, by the axes that tell them.
    known: dict[str, Size] = {str(size): Dim.symbol(n) for size, n in told.lengths.items()}
    for place, size in _places(told.arrays).items():
        known.setdefault(str(size), Dim.symbol(place))
    for place, size in places.items():
        alone = isinstance(size, Dim) and size == Dim.symbol(size.atoms[0])
        if alone and str(size) not in known and str(size) not in QUOTIENTS:
            known[str(size)] = Dim.symbol(place)
            expected[place] = None
    waiting = [(p, size) for p, size in places.items() if isinstance(size, Dim)]
    while (
        found := next(filter(None, (_solved(p, s, known) for p, s in waiting)), None)
    ) is not None:
        place, atom, value, test = found
        known[atom] = value
        expected[place] = None
        divisible += test
    for size in places.values():
        known |= _quotients(size, known) if isinstance(size, Dim) else {}
    for place, size in places.items():
        if place in expected:
            continue
        if isinstance(size, int) or all(atom in known for atom in size.atoms):
            expected[place] = _resolved(size, known)
        else:
            expected[place] = known.get(str(size))
            known.setdefault(str(size), Dim.symbol(place))
    return expected, divisible


def _places(arrays: Mapping[str, Shape]) -> dict[str, Size]:
    return {
        f"{text}.shape[{axis}]": size
        for text, shape in arrays.items()
        for axis, size in enumerate(shape)
    }


def _solved(
    place: str, size: Dim, known: Mapping[str, Size]
) -> tuple[str, str, Size, list[str]] | None:
    """The one unknown symbol of a polynomial from its length: place, name, value and test."""
    missing = [atom for atom in size.atoms if atom not in known]
    if len(missing) != 1 or missing[0] in QUOTIENTS:
        return None
    inside = [(atoms, count) for atoms, count in size.terms if missing[0] in atoms]
    ((atoms, count), *more) = inside
    if more or len(atoms) != 1:
        return None
    rest = size - count * Dim.symbol(missing[0])
    value = (Dim.symbol(place) - _resolved(rest, known)) * (1 if count > 0 else -1)
    count = abs(count)
    if count == 1:
        return place, missing[0], value, []
    text = _spelled(value)
    text = f"({text})" if " " in text else text
    return place, missing[0], Dim.symbol(f"({text} // {count})"), [f"{text} % {count} != 0"]


def _quotients(size: Dim, known: Mapping[str, Size]) -> dict[str, Size]:
    """The quotients in a length whose parts are known, as emitted code."""
    found: dict[str, Size] = {}
    for atom in size.atoms:
        parts = QUOTIENTS.get(atom, ())
        inside = {a for part in parts if isinstance(part, Dim) for a in part.atoms}
        if parts and atom not in known and inside <= known.keys():
            texts = [_spelled(_resolved(part, known)) for part in parts]
            texts = [f"({text})" if " " in text else text for text in texts]
            found[atom] = Dim.symbol(f"({' // '.join(texts)})")
    return found


def _resolved(size: Size, known: Mapping[str, Size]) -> Size:
    if isinstance(size, int):
        return size
    total: Size = 0
    for atoms, count in size.terms:
        total = total + product([count, *(known[atom] for atom in atoms)])
    return total


def _spelled(size: Size | None) -> str:
    """A length as emitted code; what is taken away stands behind."""
    if not isinstance(size, Dim):
        return str(size)
    text = ""
    for atoms, count in sorted(size.terms, key=lambda term: term[1] < 0):
        factors = [*([str(abs(count))] if abs(count) != 1 or not atoms else []), *atoms]
        sign = (" - " if count < 0 else " + ") if text else ("-" if count < 0 else "")
        text += sign + " * ".join(factors)
    return text


def _quoted_names(names: Iterable[str]) -> list[str]:
    """The texts of arguments as they can stand in an f-string, if all of them can."""
    names = list(names)
    quotable = not any(_NOT_QUOTABLE.intersection(text) for text in names)
    return [text.replace('"', "'") if quotable else text for text in names]


def _message(words: Sequence[str], given: Sequence[str]) -> list[str]:
    """The literals, one a line, of what is taken and what was given, if that can be shown.

    The f-strings have no `=` in braces, which numba does not know.
    """
    if not given:
        return [quoted(" ".join(words))]
    lines = _wrapped(words), _wrapped(["not", *_listed(given)])
    flat = ", ".join(" ".join(part) for part in lines)
    if len(flat) <= _MESSAGE_WIDTH:
        return [f'{"f" * ("{" in flat)}"{flat}"']
    literals = [*(f"{line} " for line in lines[0][:-1]), f"{lines[0][-1]}, "]
    literals += [*(f"{line} " for line in lines[1][:-1]), lines[1][-1]]
    return [f'{"f" * ("{" in text)}"{text}"' for text in literals]


def _wrapped(words: Sequence[str]) -> list[str]:
    """The words in lines; none is broken, whatever its length and its own blanks."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 3 > _MESSAGE_WIDTH:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return lines


def _listed(items: Sequence[str]) -> list[str]:
    """The items of a list in words, each with what stands between it and the next."""
    if len(items) <= 1:
        return list(items)
    return [*(f"{item}," for item in items[:-2]), items[-2], "and", items[-1]]


__all__ = [
    "Known", "argument_parts", "number_guard", "shape_guard", "shape_tests",
    "value_guard", "value_shape_guard",
]  # fmt: skip
