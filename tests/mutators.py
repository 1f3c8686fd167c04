"""What a mutant is: one small change of an expression, a statement or a derivative text."""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any

COMPARE = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
BINARY = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,), ast.FloorDiv: (ast.Mult, ast.Div),
    ast.Mod: (ast.FloorDiv,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
}  # fmt: skip
SISTERS = (
    "sin cos", "sinh cosh", "exp expm1", "exp exp2", "log log1p", "sqrt square", "sign abs",
    "deg2rad rad2deg", "maximum minimum", "hypot arctan2", "any all", "min max",
    "index_add index_set", "bitor bitand", "either both", "mul div", "add sub",
    "ones_like zeros_like", "eq ne", "agrees differs", "unchecked agrees", "proved agrees",
    "differs unchecked",
)  # fmt: skip
SISTER: dict[str, list[str]] = {}
for _pair in SISTERS:
    for _one, _other in (_pair.split(), _pair.split()[::-1]):
        SISTER.setdefault(_one, []).append(_other)
DELETED = (ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.While, ast.Raise,
           ast.Continue, ast.Break)  # fmt: skip
OPAQUE = (ast.Raise, ast.Assert, ast.JoinedStr)
NO_CODE = ("annotation", "returns", "decorator_list")


def sites(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may be changed: no annotations, docstrings, assertions (`strict=` too) and
    messages."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in NO_CODE or isinstance(node, OPAQUE) or getattr(node, "arg", "") == "strict":
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield from sites(child)


def _is_docstring(node: ast.AST) -> bool:
    return (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str))  # fmt: skip


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand for a node by mistake, in rules and in code."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARE.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.BinOp):
        for kind in BINARY.get(type(node.op), ()):
            yield ast.BinOp(node.left, kind(), node.right)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in _constants(node.value))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for name in SISTER.get(node.func.id, ()):
            yield ast.Call(ast.Name(name, ast.Load()), node.args, node.keywords)


def _constants(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, float):
        yield from (2.0 * value, value * (1 + 1e-9)) if value else (1.0,)
    elif isinstance(value, str):
        yield from SISTER.get(value, ())


def rule_variants(node: ast.AST, arity: int) -> Iterator[ast.AST]:
    """What may stand for a node of a derivative text by mistake."""
    yield from variants(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        yield ast.BinOp(node.left, ast.Pow(), node.right)
    if isinstance(node, ast.Name) and node.id == "g":
        yield ast.Constant(1.0)
    elif isinstance(node, ast.Name) and node.id in (known := [*"xyz"[:arity], "out"]):
        yield from (ast.Name(name, ast.Load()) for name in known if name != node.id)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "where":
        yield ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], [])
        yield node.args[1]
        yield node.args[2]


def code_variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand for a node of a function by mistake."""
    yield from variants(node)
    if isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for left_out in range(len(node.values)):
            rest = [v for k, v in enumerate(node.values) if k != left_out]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))
    if isinstance(node, DELETED):
        yield ast.Pass()


def checker_variants(node: ast.AST) -> Iterator[ast.AST]:
    """As `code_variants`; numbers are bounds, twice or half as large."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value:
        yield from (ast.Constant(2.0 * node.value), ast.Constant(0.5 * node.value))
    else:
        yield from code_variants(node)


class _Swap(ast.NodeTransformer):
    def __init__(self, target: ast.AST, new: ast.AST) -> None:
        self.target, self.new = target, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.target else self.generic_visit(node)


def changed(tree: Any, among: Callable[[ast.AST], Iterator[ast.AST]]) -> Iterator[tuple[int, Any]]:
    """Every tree with one change, and the line of the change."""
    for place, node in enumerate(sites(tree)):
        for number, _ in enumerate(among(node)):
            new = copy.deepcopy(tree)
            target = next(n for k, n in enumerate(sites(new)) if k == place)
            replacement = list(among(target))[number]
            new = ast.fix_missing_locations(_Swap(target, replacement).visit(new))
            yield getattr(node, "lineno", 0), new
