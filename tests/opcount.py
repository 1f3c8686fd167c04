"""How many arithmetic operations a function's source asks for, counted on its syntax tree."""

import ast

# Views, shapes, allocation and conversion: no arithmetic.
FREE = {
    "array", "asarray", "astype", "broadcast_to", "concatenate", "copy", "empty", "empty_like",
    "enumerate", "float", "full", "full_like", "int", "len", "ones", "ones_like", "range", "ravel",
    "reshape", "stack", "transpose", "tuple", "type", "zeros", "zeros_like",
}  # fmt: skip


def operations(source: str, *functions: str) -> int:
    """The operators and calls of arithmetic functions in these functions of a module.

    Each counts one, whatever its operands are; a number's own sign, indices, views, shapes, sums
    and products of lengths, allocation, and checks that only raise count nothing. A comparison
    counts once for each of its operators.
    """
    found = {s.name: s for s in ast.parse(source).body if isinstance(s, ast.FunctionDef)}
    return sum(_operations(found[name]) for name in functions)


def _operations(function: ast.FunctionDef) -> int:
    lengths: set[str] = set()
    for statement in function.body:
        if isinstance(statement, ast.Assign) and _is_length(statement.value, lengths):
            lengths |= {t.id for t in statement.targets if isinstance(t, ast.Name)}
    total = 0
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Subscript):
            stack.append(node.value)  # what stands in the brackets is an index
            continue
        if isinstance(node, ast.BinOp) and _is_length(node, lengths):
            continue
        if isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise) and not node.orelse:
            continue
        total += _cost(node)
        stack.extend(ast.iter_child_nodes(node))
    return total


def _cost(node: ast.AST) -> int:
    if isinstance(node, ast.Compare):
        return len(node.ops)
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.UnaryOp):
        return not isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Call):
        return _called(node.func) not in FREE
    return isinstance(node, ast.BinOp | ast.AugAssign | ast.IfExp)


def _is_length(node: ast.expr, names: set[str]) -> bool:
    """Whether it is a length of an array, or such a length and integers."""
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        return any(_is_length(side, names) for side in sides) and all(
            _is_length(side, names) or isinstance(getattr(side, "value", None), int)
            for side in sides
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
