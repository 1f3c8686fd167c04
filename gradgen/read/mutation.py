"""Which names of a module its own text rebinds in other ways than a plain definition, or changes.

The text of a definition tells the value of a name only where nothing changes that value later: not
through the name, not through another name of the same object, and not in a function it is given to.
Where this analysis cannot tell, it says that the name is changed, and the reader refuses it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

MUTATORS = frozenset({
    "append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "update", "popitem",
    "setdefault", "fill", "put", "resize", "partition", "itemset", "setfield", "shuffle", "add",
    "byteswap", "__setitem__", "__delitem__", "__iadd__", "__setattr__", "appendleft", "popleft",
    "discard",
})  # fmt: skip
REFLECTION = frozenset({"globals", "exec", "vars", "locals", "setattr", "delattr"})
FRESH = frozenset({"copy", "array", "deepcopy"})
HARMLESS = (sys.stdlib_module_names - {"random", "heapq", "bisect", "operator"}) | {"matplotlib"}
_SCOPES = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef})
_COMPREHENSIONS = frozenset({ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp})
_LEAVES = frozenset({
    ast.Load, ast.Store, ast.Del, ast.Constant, type(None), str, int,
    *ast.operator.__subclasses__(), *ast.unaryop.__subclasses__(), *ast.cmpop.__subclasses__(),
    *ast.boolop.__subclasses__(),
})  # fmt: skip
# Without any of these words, and without `:=`, expressions bind nothing and change nothing but by
# calls of functions that change their parameters.
_TELLING = MUTATORS | REFLECTION | {"out", "for", "lambda"}
# Expressions that are no targets and hold none.
_READ_ONLY = frozenset(kind for kind in ast.expr.__subclasses__() if "ctx" not in kind._fields)
# Fields that hold nothing else.
_PLAIN = frozenset({"ctx", "op", "ops", "id", "attr"})


@dataclass(slots=True, eq=False)
class Scope:
    """The code of a module, a class or a function: what it binds, aliases, calls and changes."""

    node: ast.AST
    parent: Scope | None = None
    locals: set[str] = field(default_factory=set)
    params: set[str] = field(default_factory=set)
    odd: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    deep: set[str] = field(default_factory=set)  # names of which an item of an item is changed
    aliases: list[tuple[ast.expr, ast.expr]] = field(default_factory=list)
    calls: list[ast.Call] = field(default_factory=list)
    statements: list[ast.Call] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)

    @property
    def module(self) -> Scope:
        """The outermost scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


def changed_names(tree: ast.Module, text: str | None = None) -> set[str]:
    """The module-level names that are changed, or bound otherwise than by a definition.

    With the `text` of the module, expressions are looked into only where they can matter.
    """
    plain = text is not None and ":=" not in text and not _has_word(text, _TELLING)
    scopes = _scopes(tree, plain)
    module = scopes[0]
    functions = {s.node.name: s for s in scopes if isinstance(s.node, ast.FunctionDef)}
    for scope in scopes:
        _mark_calls(scope, functions)
    written = {name for scope in scopes for name in scope.touched}
    if plain and written:
        return changed_names(tree)  # a call may pass on what a function changes
    before = -1
    while before != sum(len(s.touched) + len(s.deep) for s in scopes):
        before = sum(len(s.touched) + len(s.deep) for s in scopes)
        for scope in scopes:
            _follow(scope, functions)
    constant = {
        target.id
        for s in tree.body
        if isinstance(s, (ast.Assign, ast.AnnAssign)) and s.value and _is_immutable(s.value)
        for target in (s.targets if isinstance(s, ast.Assign) else [s.target])
        if isinstance(target, ast.Name)
    }
    modules = module.imports.keys() - written  # `np.ones(3)` shares nothing with np
    # what the module does not bind itself is a builtin: `x.astype(int)` leaves `int` as it is
    return module.odd | ((module.touched & module.locals) - constant - modules)


def _has_word(text: str, words: Collection[str]) -> bool:
    found = [re.escape(word) for word in sorted(words) if word in text]
    return bool(found) and re.search(rf"\b(?:{'|'.join(found)})\b", text) is not None


def _scopes(tree: ast.Module, plain: bool) -> list[Scope]:
    """One record for each scope, the module's first; `plain` expressions tell nothing."""
    found = [Scope(tree)]
    pending: list[tuple[Scope, ast.AST, bool]] = [(found[0], s, False) for s in tree.body]
    while pending:
        scope, node, inside = pending.pop()
        kind = type(node)
        if kind not in _SCOPES:
            recorder = _RECORDERS.get(kind)
            if recorder is not None:
                recorder(scope, node, inside)
            inside = inside or kind in _COMPREHENSIONS
            for child in _children(node):
                if type(child) is ast.Name:  # a target, which holds nothing else
                    _name(scope, child, inside)
                elif not plain or (type(child) not in _READ_ONLY and not _is_read(child)):
                    pending.append((scope, child, inside))
            continue
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef))
        inner = Scope(node, scope)
        found.append(inner)
        if not isinstance(node, ast.Lambda):
            scope.locals.add(node.name)
            pending.extend((scope, d, inside) for d in node.decorator_list)
        if not isinstance(node, ast.ClassDef):
            inner.params = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
            inner.locals |= inner.params
            pending.extend((scope, d, inside) for d in node.args.defaults)
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        pending.extend((inner, part, False) for part in body)
    return found


def _is_read(node: ast.AST) -> bool:
    """Whether it is an expression that is no target."""
    return isinstance(getattr(node, "ctx", None), ast.Load)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    """The fields of a kind of syntax that can hold more syntax."""
    return tuple(name for name in kind._fields if name not in _PLAIN)


def _children(node: ast.AST) -> list[ast.AST]:
    """The parts of a node that can matter: no constants, operators or names that are read."""
    found: list[ast.AST] = []
    for name in _fields(type(node)):  # type: ignore[arg-type]
        value = getattr(node, name, None)
        for part in value if type(value) is list else (value,):
            kind = type(part)
            if kind is ast.Name:
                if type(part.ctx) is not ast.Load:  # type: ignore[union-attr]
                    found.append(part)  # type: ignore[arg-type]
            elif kind not in _LEAVES and isinstance(part, ast.AST):
                found.append(part)
    return found


def _name(scope: Scope, node: ast.Name, inside: bool) -> None:
    if not inside:
        scope.locals.add(node.id)


def _part(scope: Scope, node: ast.Subscript | ast.Attribute, inside: bool) -> None:
    if not isinstance(node.ctx, ast.Load):
        _touch(scope, node, not isinstance(node.value, ast.Name))


def _touch(scope: Scope, node: ast.AST, deep: bool) -> None:
    scope.touched.update(_base(node))
    if deep:
        scope.deep.update(_base(node))


def _assign(scope: Scope, node: ast.Assign | ast.AnnAssign, inside: bool) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if node.value is not None:
        scope.aliases += [(target, node.value) for target in targets]


def _loop(scope: Scope, node: ast.For | ast.comprehension, inside: bool) -> None:
    scope.aliases.append((node.target, node.iter))


def _walrus(scope: Scope, node: ast.NamedExpr, inside: bool) -> None:
    scope.aliases.append((node.target, node.value))
    scope.locals.add(node.target.id)
    scope.odd.add(node.target.id)


def _with(scope: Scope, node: ast.withitem, inside: bool) -> None:
    if node.optional_vars is not None:
        scope.aliases.append((node.optional_vars, node.context_expr))
        scope.odd.update(_names(node.optional_vars))


def _augment(scope: Scope, node: ast.AugAssign, inside: bool) -> None:
    _touch(scope, node.target, not isinstance(node.target, ast.Name))
    if isinstance(node.target, ast.Name):
        scope.odd.add(node.target.id)


def _global(scope: Scope, node: ast.Global, inside: bool) -> None:
    scope.module.odd.update(node.names)


def _delete(scope: Scope, node: ast.Delete, inside: bool) -> None:
    scope.odd.update(t.id for t in node.targets if isinstance(t, ast.Name))


def _capture(scope: Scope, node: Any, inside: bool) -> None:
    name = node.rest if isinstance(node, ast.MatchMapping) else node.name
    if name:
        scope.odd.add(name)
        scope.locals.add(name)


def _import(scope: Scope, node: ast.Import | ast.ImportFrom, inside: bool) -> None:
    for alias in node.names:
        home = alias.name if isinstance(node, ast.Import) else node.module or ""
        top = home.partition(".")[0]
        bound = alias.asname or (top if isinstance(node, ast.Import) else alias.name)
        scope.locals.add(bound)
        scope.imports[bound] = "" if isinstance(node, ast.ImportFrom) and node.level else top


def _call(scope: Scope, node: ast.Call, inside: bool) -> None:
    function = node.func
    # a method that changes nothing, as `np.sin(x)`, is of no interest
    if node.keywords or not isinstance(function, ast.Attribute) or function.attr in MUTATORS:
        scope.calls.append(node)


def _expression(scope: Scope, node: ast.Expr, inside: bool) -> None:
    if isinstance(node.value, ast.Call):
        scope.statements.append(node.value)


_RECORDERS: dict[type, Any] = {
    ast.Subscript: _part, ast.Attribute: _part, ast.Assign: _assign,
    ast.AnnAssign: _assign, ast.For: _loop, ast.AsyncFor: _loop, ast.comprehension: _loop,
    ast.NamedExpr: _walrus, ast.withitem: _with, ast.AugAssign: _augment, ast.Global: _global,
    ast.Delete: _delete, ast.ExceptHandler: _capture, ast.MatchAs: _capture,
    ast.MatchStar: _capture, ast.MatchMapping: _capture, ast.Import: _import,
    ast.ImportFrom: _import, ast.Call: _call, ast.Expr: _expression,
}  # fmt: skip


def _mark_calls(scope: Scope, functions: dict[str, Scope]) -> None:
    """Mark what the calls of a scope change, but for those of the module's own functions."""
    imports = {**scope.module.imports, **scope.imports}
    for call in scope.statements:
        root = next(_base(call.func), "")
        known = isinstance(call.func, ast.Name) and root in functions
        if not known and root != "print" and imports.get(root) not in HARMLESS:
            # `np.cos(x)` as an argument gives nobody the module `np`
            passed = {a.id for a in call.args if isinstance(a, ast.Name)}
            scope.touched.update(n for n in _arguments(call) if n not in imports or n in passed)
    for call in scope.calls:
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr in MUTATORS:
            if isinstance(function.value, ast.Name) and imports.get(function.value.id) == "numpy":
                continue  # `np.sort(x)` is no method of an object that it changes
            _touch(scope, function.value, not isinstance(function.value, ast.Name))
        elif isinstance(function, ast.Name) and function.id in REFLECTION:
            _reflect(scope, function.id, call)
        for keyword in call.keywords:
            if keyword.arg == "out":
                scope.touched.update(_aliased(keyword.value))


def _reflect(scope: Scope, name: str, call: ast.Call) -> None:
    """Mark what `globals()`, `exec(...)` or `setattr(...)` may change."""
    module = scope.module
    if name in ("setattr", "delattr") and call.args:
        scope.touched.update(_base(call.args[0]))
        if isinstance(call.args[0], ast.Name):
            return
    if scope is module or name not in ("vars", "locals"):
        module.odd |= module.locals


def _follow(scope: Scope, functions: dict[str, Scope]) -> None:
    """Carry changes over to other names of the same object, to arguments, and to outer scopes."""
    for call in scope.calls:
        called = functions.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if called is not None and called.touched & called.params:
            scope.touched.update(_arguments(call))
    if not scope.touched:
        return
    for target, value in scope.aliases:
        part = isinstance(target, (ast.Subscript, ast.Attribute))
        if (scope.deep if part else scope.touched).isdisjoint(_names(target)):
            continue
        held = set(_aliased(value))
        scope.touched |= held
        if not isinstance(value, ast.Name):
            scope.deep |= held
    if scope.parent is not None:
        scope.parent.touched |= scope.touched - scope.locals
        scope.parent.deep |= scope.deep - scope.locals


def _base(node: ast.AST) -> Iterator[str]:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _names(node: ast.AST) -> Iterator[str]:
    return (n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def _arguments(call: ast.Call) -> Iterator[str]:
    for value in (*call.args, *(k.value for k in call.keywords)):
        yield from _aliased(value)


def _aliased(node: ast.AST) -> Iterator[str]:
    """The names whose objects, or parts of them, may be what an expression gives."""
    stack = [node]
    while stack:
        at = stack.pop()
        if isinstance(at, ast.Name):
            yield at.id
        elif isinstance(at, ast.BinOp):
            stack.extend(s for s in (at.left, at.right) if isinstance(s, (ast.List, ast.Tuple)))
        elif isinstance(at, ast.Call):
            name = getattr(at.func, "attr", getattr(at.func, "id", ""))
            if name not in FRESH:
                stack.extend((*at.args, *(k.value for k in at.keywords)))
                stack.extend([at.func.value] if isinstance(at.func, ast.Attribute) else [])
        elif isinstance(at, (ast.Subscript, ast.Attribute, ast.Starred)):
            stack.append(at.value)
        elif not isinstance(at, (ast.Constant, ast.UnaryOp, ast.Compare, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(at))


def _is_immutable(node: ast.expr) -> bool:
    """Whether this is a number, a text, or a tuple of such: only its name can get another value."""
    parts = (ast.Constant, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop, ast.Load)
    return all(isinstance(n, parts) for n in ast.walk(node))
