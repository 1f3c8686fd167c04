"""One counter for all: the operations and the size of Python source, on its syntax tree."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from types import CodeType

KINDS = ("add", "mul", "div", "pow", "transcendental", "other")

# Views, shapes, allocation and conversion: no arithmetic.
FREE = {
    "array", "asarray", "astype", "broadcast_to", "concatenate", "copy", "empty", "empty_like",
    "enumerate", "float", "full", "full_like", "int", "len", "ones", "ones_like", "range", "ravel",
    "reshape", "stack", "transpose", "tuple", "type", "zeros", "zeros_like",
}  # fmt: skip

_OPERATORS = {
    ast.Add: "add", ast.Sub: "add", ast.USub: "add", ast.Mult: "mul", ast.MatMult: "mul",
    ast.Div: "div", ast.FloorDiv: "div", ast.Mod: "div", ast.Pow: "pow",
}  # fmt: skip
_CALLS = {
    "add": "add subtract negative sum cumsum mean fsum",
    "mul": "multiply square prod cumprod dot vdot inner outer matmul einsum tensordot",
    "div": "divide true_divide floor_divide mod remainder fmod reciprocal",
    "pow": "power float_power pow sqrt cbrt hypot norm",
    "transcendental": """
        exp exp2 expm1 log log2 log10 log1p logaddexp logaddexp2 logsumexp sin cos tan sinh cosh
        tanh arcsin arccos arctan arctan2 arcsinh arccosh arctanh asin acos atan atan2 asinh acosh
        atanh sinc erf erfc erfcx erfi erfinv expit logit gamma lgamma gammaln loggamma digamma psi
        polygamma xlogy xlog1py softmax log_softmax
    """,
}
_KIND_OF_CALL = {name: kind for kind, names in _CALLS.items() for name in names.split()}


@dataclass(frozen=True, slots=True)
class Operations:
    """How many operations there are of each kind.

    Every operator and every call of an arithmetic function counts one, whatever its operands are:
    `a + b + c` two additions, `a * b * c` two multiplications. `add` holds additions, subtractions
    and changes of sign (as SymPy's `count_ops` has them; the sign of a number is part of it), `div`
    `/`, `//` and `%`, `pow` powers and roots, `transcendental` exp, log, sin and their like,
    `other` comparisons, choices, `abs`, `sign` and what else is called. Indices, views, shapes,
    sums and products of lengths, allocation, and checks that only raise count nothing.
    """

    add: int = 0
    mul: int = 0
    div: int = 0
    pow: int = 0
    transcendental: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, kind) for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Size:
    """How big a piece of source is.

    `characters` are those of the body, without docstring and white space; `nodes` the operations
    and operands of its expression trees; `bytecode` the bytes of instructions that CPython makes
    of the functions.
    """

    operations: Operations
    characters: int
    nodes: int
    bytecode: int


def operations(source: str, *functions: str) -> int:
    """The operations in these functions of a module; see `Operations`."""
    return count(source, *functions).total


def count(source: str, *functions: str) -> Operations:
    """The operations in these functions of a module, by kind."""
    return _count(_arithmetic(source, functions))


def size(source: str, *functions: str) -> Size:
    """The size of these functions of a module; see `Size`.

    Raises what `compile` raises: SyntaxError, RecursionError or MemoryError where the source is too
    deep for CPython.
    """
    nodes = _arithmetic(source, functions)
    counted = _count(nodes)
    leaves = sum(_is_operand(node) for node in nodes)
    characters = sum(_characters(source, f) for f in _functions(source, functions)[0])
    code = compile(source, "<measured>", "exec", dont_inherit=True)
    bodies = [c for c in code.co_consts if isinstance(c, CodeType) and c.co_name in functions]
    return Size(counted, characters, counted.total + leaves, sum(map(_bytecode, bodies)))


def _functions(source: str, names: tuple[str, ...]) -> tuple[list[ast.FunctionDef], set[str]]:
    """The functions, and the names under which modules are imported."""
    body = ast.parse(source).body
    found = {s.name: s for s in body if isinstance(s, ast.FunctionDef)}
    modules = {
        (alias.asname or alias.name).partition(".")[0]
        for s in body if isinstance(s, ast.Import) for alias in s.names
    }  # fmt: skip
    return [found[name] for name in names], modules


def _count(nodes: list[ast.AST]) -> Operations:
    counted: Counter[str] = Counter()
    for node in nodes:
        kind, times = _cost(node)
        counted[kind] += times
    return Operations(*(counted[kind] for kind in KINDS))


def _arithmetic(source: str, names: tuple[str, ...]) -> list[ast.AST]:
    """The nodes of the bodies that may count: no indices, lengths, docstrings, checks, callees."""
    functions, modules = _functions(source, names)
    found: list[ast.AST] = []
    for function in functions:
        lengths = _lengths(function)
        stack: list[ast.AST] = list(_body(function))
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Subscript):
                stack.append(node.value)  # what stands in the brackets is an index
            elif isinstance(node, ast.BinOp) and node in lengths:
                continue
            elif isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise):
                stack += node.orelse
            elif isinstance(node, ast.Call):
                found.append(node)
                stack += [*node.args, *node.keywords, *_receiver(node.func, modules)]
            else:
                found.append(node)
                stack.extend(ast.iter_child_nodes(node))
    return found


def _receiver(function: ast.expr, modules: set[str]) -> list[ast.expr]:
    """What a method is called of, or what makes the type that is called."""
    if isinstance(function, ast.Call):
        return [function]
    if not isinstance(function, ast.Attribute):
        return []
    root = function.value
    while isinstance(root, ast.Attribute):
        root = root.value
    return [] if isinstance(root, ast.Name) and root.id in modules else [function.value]


def _body(function: ast.FunctionDef) -> list[ast.stmt]:
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return function.body[1:]
    return function.body


def _cost(node: ast.AST) -> tuple[str, int]:
    """The kind of an operation, and how many it is."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return _OPERATORS.get(type(node.op), "other"), 1
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS.get(type(node.op), "other"), not isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Call):
        called = _called(node.func)
        return _KIND_OF_CALL.get(called, "other"), called not in FREE
    if isinstance(node, ast.Compare):
        return "other", len(node.ops)
    if isinstance(node, ast.BoolOp):
        return "other", len(node.values) - 1
    return "other", isinstance(node, ast.IfExp)


def _is_operand(node: ast.AST) -> bool:
    """Whether it is a name that is read, or a number."""
    if isinstance(node, ast.Name):
        return isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.Constant)


def _lengths(function: ast.FunctionDef) -> set[ast.AST]:
    """The expressions that are a length of an array, or such a length and integers."""
    found: set[ast.AST] = set()
    names: set[str] = set()
    for statement in function.body:
        for node in reversed(list(ast.walk(statement))):
            if _is_length(node, found, names):
                found.add(node)
        if isinstance(statement, ast.Assign) and statement.value in found:
            names |= {t.id for t in statement.targets if isinstance(t, ast.Name)}
    return found


def _is_length(node: ast.AST, known: set[ast.AST], names: set[str]) -> bool:
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        return any(side in known for side in sides) and all(
            side in known or isinstance(getattr(side, "value", None), int) for side in sides
        )
    if isinstance(node, ast.Call):
        return _called(node.func) == "len"
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    if isinstance(node, ast.Attribute):
        return node.attr == "size"
    return isinstance(node, ast.Name) and node.id in names


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Call):  # type(p)(...) rebuilds a structure
        return _called(function.func)
    return function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)


def _characters(source: str, function: ast.FunctionDef) -> int:
    body = _body(function)
    lines = source.split("\n")[body[0].lineno - 1 : body[-1].end_lineno]
    return len(re.sub(r"\s", "", "".join(lines)))


def _bytecode(code: CodeType) -> int:
    inner = sum(_bytecode(c) for c in code.co_consts if isinstance(c, CodeType))
    return len(code.co_code) + inner
