"""Functions with derivatives of the user's: the rules are run where the function is called.

What they compute, from leaves that stand for an adjoint and for tangents, are operands of the call;
a sweep puts what it has in the place of the leaves.
"""

from __future__ import annotations

import ast
from collections.abc import Generator, Sequence
from typing import Any

from gradgen.errors import Location, Refusal, SourceError
from gradgen.ops.directives import NESTED, Rule
from gradgen.read import opaque
from gradgen.read.values import Cell, Frame, Function, Known, LiveObject, Opaque, Ruled

NAME = "gradgen.custom_rule"
KEYWORDS = {"vjp", "jvp", "result"}


def decorator_of(node: ast.FunctionDef | ast.Lambda) -> ast.Call | None:
    """The only decorator of a function, if it may be `custom_rule(vjp=..., jvp=...)`."""
    found = getattr(node, "decorator_list", [])
    if len(found) != 1 or not isinstance(found[0], ast.Call) or found[0].args:
        return None
    names = [keyword.arg for keyword in found[0].keywords]
    return found[0] if names and all(name in KEYWORDS for name in names) else None


def opaque_argument(node: ast.Call, frame: Frame) -> Opaque | None:
    """The function that `custom_rule(f, result=...)` names in a file, which is not looked at."""
    if len(node.args) != 1 or all(keyword.arg != "result" for keyword in node.keywords):
        return None
    return opaque.in_text(node.args[0], frame)


def ruled(reader: Any, args: Sequence[Any], keywords: dict[str, Any]) -> Ruled:
    """What `custom_rule(f, vjp=..., jvp=...)` gives. Raises `Refusal` for other arguments."""
    if len(args) != 1 or not keywords or not keywords.keys() <= KEYWORDS:
        raise Refusal("custom_rule takes a function and vjp=, jvp= or both")
    rules = {name: _function(reader, value) for name, value in keywords.items()}
    (function,) = args
    result = rules.get("result")
    if result is None:
        function = _function(reader, function)
    elif isinstance(function, LiveObject):
        function = opaque.in_process(function.value, function.name, result.frame)
    elif isinstance(function, Known):
        function = Opaque(*function.name.rsplit(".", 1))
    if not isinstance(function, (Function, Opaque)):
        raise Refusal("custom_rule takes a function that can be read")
    return Ruled(function, rules.get("vjp"), rules.get("jvp"), rules.get("result"))


def of_live(reader: Any, held: LiveObject) -> Ruled:
    """A live function with rules."""
    value = held.value
    parts = {"result": value.result, "vjp": value.vjp, "jvp": value.jvp}
    given = {k: LiveObject(v, k) for k, v in parts.items() if v is not None}
    return ruled(reader, [LiveObject(value.function, held.name)], given)


def _function(reader: Any, value: Any) -> Function | None:
    if isinstance(value, LiveObject):
        found, bound, named = reader.modules.live_function(value)
        if not bound and not named:
            value = found
    if value is None or isinstance(value, Function):
        return value
    raise Refusal("custom_rule takes functions that can be read")


def call(
    reader: Any, held: Ruled, args: list[Any], keywords: dict[str, Any], depth: int
) -> Generator[Any, Any, Any]:
    """The value of a call of a function with rules."""
    function, builder, name = held.signature, reader.builder, held.function.name
    given = _given(reader, held, args, keywords)
    cells = [value for value in given if isinstance(value, Cell)]
    nodes = [reader.refresh(cell) for cell in cells]
    place = builder.loc or place_of(function)
    result = yield (
        opaque.call(reader, held, args, keywords, depth) if held.result is not None
        else reader.inline(function, args, keywords, depth)
    )  # fmt: skip
    if held.vjp is None and held.jvp is None:
        return result
    if [reader.refresh(cell) for cell in cells] != nodes:
        raise Refusal(f"{name} has a custom rule, and changes an argument in place",
                      "work on a copy: x = x.copy()")  # fmt: skip
    if not isinstance(result, Cell) or not builder.type_of(reader.refresh(result)).is_float:
        raise Refusal(f"{name} has a custom rule, and does not give one float or array",
                      "give one, or a function with a rule for each")  # fmt: skip
    out = reader.refresh(result)
    read = _leaf(builder, out)
    operands = [_stop(builder, out), *nodes, read]
    key = (name, id((held.vjp or held.jvp).node))
    deep = reader.open_rules[key] == NESTED
    pulled = pushed = None
    reader.open_rules[key] += 1
    if held.vjp is not None and not deep:
        pulled, more = yield _by_vjp(reader, held, given, out, read, depth)
        operands += more
    if held.jvp is not None and not deep:
        pushed, more = yield _by_jvp(reader, held, given, out, read, depth)
        operands += more
    reader.open_rules[key] -= 1
    builder.loc = place
    node = builder.add("custom_rule", *operands,
                       attr=Rule(name, len(nodes), pulled, pushed, deep))  # fmt: skip
    return reader.view(result, node) if reader.is_array(result) else reader.wrap(node)


def _given(reader: Any, held: Ruled, args: list[Any], keywords: dict[str, Any]) -> list[Any]:
    """The arguments of a call in the order of the parameters. Raises `Refusal` for others."""
    function, name = held.signature, held.function.name
    spec = function.node.args
    if held.result is None and function.frame.parent is not None:
        # what it captures may have a derivative, of which the rule tells nothing
        raise Refusal(f"{name} has a custom rule, and is defined inside a function",
                      "define it outside, and pass what it reads as arguments")  # fmt: skip
    if spec.vararg or spec.kwarg:
        raise Refusal(f"{name} has a custom rule, and takes *args or **keywords",
                      "name its arguments one by one")  # fmt: skip
    names = reader.bind_parameters(function, args, keywords)
    given = [names[a.arg] for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
    for value in given:
        if not (value is None or isinstance(value, (Cell, str))):
            raise Refusal(f"{name} has a custom rule, and takes numbers and arrays only")
    return given


def _fresh(reader: Any, given: Sequence[Any]) -> list[Any]:
    """The arguments, of which no update is seen outside."""
    return [Cell(reader.refresh(value)) if isinstance(value, Cell) else value for value in given]


def _by_vjp(
    reader: Any, held: Ruled, given: Sequence[Any], out: int, read: int, depth: int
) -> Generator[Any, Any, tuple[tuple[int, ...], list[int]]]:
    """Which arguments the vjp gives adjoints of; its seed, and the adjoints."""
    seed = _leaf(reader.builder, out)
    values = [Cell(seed), Cell(read), *_fresh(reader, given)]
    found = yield reader.inline(held.vjp, values, {}, depth)
    parts = _adjoints(reader, held, found, given)
    pulled = tuple(k for k, part in enumerate(parts) if part is not None)
    return pulled, [seed, *(_stop(reader.builder, part) for part in parts if part is not None)]


def _by_jvp(
    reader: Any, held: Ruled, given: Sequence[Any], out: int, read: int, depth: int
) -> Generator[Any, Any, tuple[tuple[int, ...], list[int]]]:
    """Which arguments the jvp takes tangents of; these, and the tangent."""
    builder, seeds = reader.builder, {}
    moving: list[Cell | None] = []
    count = 0
    for value in given:
        moving.append(None)
        if isinstance(value, Cell):
            node = reader.refresh(value)
            if builder.type_of(node).is_float:
                seeds[count] = _leaf(builder, node)
                moving[-1] = Cell(seeds[count])
            count += 1
    values = [Cell(read), *_fresh(reader, given), *moving]
    found = yield reader.inline(held.jvp, values, {}, depth)
    tangent = _checked(reader, held.jvp, found, out, "the tangent", held.function.name)
    return tuple(seeds), [*seeds.values(), _stop(builder, tangent)]


def _leaf(builder: Any, like: int) -> int:
    """A new leaf of the type of a node."""
    leaf: int = builder.leaf("seed", ("rule", len(builder.graph)), builder.type_of(like))
    return leaf


def _stop(builder: Any, node: int) -> int:
    stopped: int = builder.add("stop_gradient", node, attr="rule")
    return stopped


def _adjoints(reader: Any, held: Ruled, found: Any, given: Sequence[Any]) -> list[int | None]:
    """The adjoints of the numbers and arrays among the arguments, of the right types."""
    parts = list(found) if isinstance(found, tuple) else [found]
    name = held.function.name
    if len(parts) != len(given):
        raise _wrong(
            held.vjp, f"{held.vjp.name} gives {len(parts)} adjoints for the {len(given)} "
            f"arguments of {name}", "return one for each, in order; None where there is none",
        )  # fmt: skip
    nodes: list[int | None] = []
    for number, (part, value) in enumerate(zip(parts, given, strict=True)):
        if not isinstance(value, Cell):
            if part is not None:
                what = f"{held.vjp.name} gives an adjoint of argument {number + 1} of {name}"
                raise _wrong(held.vjp, f"{what}, which is no number", "return None for it")
        elif part is None:
            nodes.append(None)
        else:
            what = f"the adjoint of argument {number + 1}"
            nodes.append(_checked(reader, held.vjp, part, reader.refresh(value), what, name))
    return nodes


def _checked(reader: Any, rule: Any, part: Any, like: int, what: str, name: str) -> int:
    """The node of what a rule gives, which has the shape of what it belongs to."""
    want = reader.type_of(like)
    if not isinstance(part, Cell):
        raise _wrong(rule, f"{rule.name} does not give {what} of {name}", "return an array")
    node: int = reader.refresh(part)
    have = reader.type_of(node)
    alike = "py" in (have.kind, want.kind) or have.dtype == want.dtype
    if have.shape != want.shape or not have.is_float or not alike:
        raise _wrong(rule, f"{rule.name} gives {have} for {what} of {name}, which is {want}", "")
    return node


def _wrong(rule: Any, message: str, hint: str) -> Exception:
    return SourceError(message, place_of(rule), hint)


def place_of(function: Function) -> Location:
    """Where a function is defined."""
    source = function.frame.source
    assert source is not None
    return Location(source, function.node.lineno, function.node.col_offset)
