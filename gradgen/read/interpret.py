"""Interpret straight-line Python over nodes: expressions, statements and calls of user functions.

Each visitor of a compound construct is a generator that yields the parts it needs evaluated, and
the loop in `Interpreter.run` keeps the stack: nothing recurses over the syntax, however deep it is.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from types import GeneratorType
from typing import Any

from gradgen.directives import CustomRule
from gradgen.errors import GradgenError, Location, NeedsLength, Refusal, Source, SourceError
from gradgen.graph import GraphBuilder
from gradgen.ops import METHODS
from gradgen.read import classes, front, opaque, rules
from gradgen.read.modules import Pending
from gradgen.read.scope import DECORATORS, import_module, library_attribute
from gradgen.read.source import stored_names
from gradgen.read.standard import REDUCE, replaced
from gradgen.read.values import (
    MISSING,
    Cell,
    FileModule,
    Frame,
    Function,
    Generated,
    Known,
    LiveObject,
    Method,
    Module,
    Partial,
    RecordType,
    RecordValue,
    Ruled,
)
from gradgen.types import Dim

Steps = Generator[Any, Any, Any]
Signal = tuple[str, Any] | None

# The kinds of syntax that know where they stand; others stand where what holds them does.
_PLACED = (ast.stmt, ast.expr, ast.excepthandler, ast.arg, ast.keyword, ast.alias, ast.pattern)
CHECK = "check the arguments before the call"
# How the docstring of an emitted function begins that says what its text no longer does.
NOT_AGAIN = "Not to be differentiated again: "
CALL_DEPTH = 400
UNROLL_LIMIT = 1_000_000

BINARY = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv",
    ast.Mod: "mod", ast.Pow: "power", ast.MatMult: "matmul", ast.BitAnd: "bitand",
    ast.BitOr: "bitor", ast.BitXor: "bitxor", ast.LShift: "left_shift", ast.RShift: "right_shift",
}  # fmt: skip
UNARY = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}
COMPARE = {
    ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne",
}  # fmt: skip
REFUSED = {
    ast.AsyncFunctionDef: ("async functions", ""),
    ast.ClassDef: ("a class definition", "define it outside the function"),
    ast.Global: ("`global`", "pass the value as an argument and return it"),
    ast.Nonlocal: ("`nonlocal`", "pass the value as an argument and return it"),
    ast.With: ("`with`", "move it outside the function"),
    ast.AsyncWith: ("`async with`", ""),
    ast.AsyncFor: ("`async for`", ""),
    ast.Try: ("`try`", "move it outside the function"),
    ast.TryStar: ("`try`", "move it outside the function"),
    ast.Match: ("`match`", "use `if` on a static value, or np.where"),
    ast.Yield: ("`yield`", "return the values as a tuple"),
    ast.YieldFrom: ("`yield`", "return the values as a tuple"),
    ast.Await: ("`await`", ""),
    ast.Set: ("a set", "use a list or a tuple"),
    ast.SetComp: ("a set comprehension", "use a list comprehension"),
    ast.Delete: ("`del` of a part", "leave the value in place"),
}


class Interpreter(front.Front):
    """Reads functions into the graph of a builder."""

    def __init__(self, builder: GraphBuilder) -> None:
        super().__init__(builder)
        self.steps = 0
        # How many rules of each function are being read now, one in another.
        self.open_rules: Counter[tuple[str, int]] = Counter()
        # The methods for the kinds of syntax that were met.
        self._visitors: dict[type[ast.AST], Any] = {}
        # The functions of libraries that were met, by how: `np.sin`, where names are looked up so.
        self._functions: dict[tuple[Any, str, str], Known] = {}
        # The lines of the user's that are read, by path and first line, in the order of reading.
        self.texts: dict[tuple[str, int], str] = {}

    # -- the machine ---------------------------------------------------------------------------

    def run(self, request: Any, frame: Frame) -> Any:
        """The value of a syntax node, or of the steps of a generator.

        Raises `SourceError` at the innermost syntax node for whatever is refused.
        """
        stack: list[tuple[Steps, ast.AST | None, Frame, Location | None]] = []
        node: ast.AST | None = None
        builder = self.builder
        saved = builder.loc
        try:
            while True:
                if isinstance(request, GeneratorType):
                    self._locate(node, frame)
                    stack.append((request, node, frame, builder.loc))
                    value = None
                else:
                    node, frame = request if isinstance(request, tuple) else (request, frame)
                    self._locate(node, frame)
                    value = self._visit(node, frame)
                    if isinstance(value, GeneratorType):
                        stack.append((value, node, frame, builder.loc))
                        value = None
                request = MISSING
                while request is MISSING:
                    if not stack:
                        return value
                    steps, node, frame, builder.loc = stack[-1]
                    try:
                        request = steps.send(value)
                    except StopIteration as stop:
                        stack.pop()
                        value = stop.value
        except Refusal as refusal:
            place = self._place(node, frame, stack)
            if place is None:
                raise
            if isinstance(refusal, NeedsLength):
                raise LengthError(refusal.message, place, refusal.hint) from None
            raise SourceError(refusal.message, place, refusal.hint) from None
        finally:
            builder.loc = saved

    def _locate(self, node: ast.AST | None, frame: Frame) -> None:
        source = frame.source
        if source is None:
            self.builder.loc = None
        elif isinstance(node, _PLACED):
            # as Location(...) makes it, in a third of the time
            place = tuple.__new__(Location, (source, node.lineno, node.col_offset))
            self.builder.loc = place

    @staticmethod
    def _place(node: ast.AST | None, frame: Frame, stack: list[Any]) -> Location | None:
        for at, where in [(node, frame), *((n, f) for _, n, f, _ in reversed(stack))]:
            if at is not None and hasattr(at, "lineno") and where.source is not None:
                return Location(where.source, at.lineno, at.col_offset)
        return None

    def _visit(self, node: ast.AST, frame: Frame) -> Any:
        kind = type(node)
        visitor = self._visitors.get(kind)
        if visitor is None:
            visitor = getattr(type(self), f"on_{kind.__name__}", None)
            if visitor is None:
                what, hint = REFUSED.get(kind, (f"`{kind.__name__}`", ""))
                raise Refusal(f"{what} is not supported here", hint)
            self._visitors[kind] = visitor
        return visitor(self, node, frame)

    def dynamic(self, construct: str, hint: str) -> None:
        """The one place where control flow on values that are not known yet is refused."""
        raise NeedsLength(f"{construct} depends on a value that is not known while compiling", hint)

    # -- expressions ---------------------------------------------------------------------------

    def on_Constant(self, node: ast.Constant, frame: Frame) -> Any:
        value = node.value
        if isinstance(value, (bool, float)):
            return Cell(self.builder.const(value))
        if isinstance(value, int):
            if value.bit_length() > 1023:
                raise Refusal("an integer beyond the range of a float")
            return Cell(self.builder.const(value))
        if value is None or value is Ellipsis or isinstance(value, str):
            return value
        raise Refusal(f"a constant of type {type(value).__name__} is not supported here")

    def on_JoinedStr(self, node: ast.JoinedStr, frame: Frame) -> Steps:
        """An f-string of what is known while compiling, as in `params[f"W{k}"]`."""
        what = "an f-string of a value that is not known while compiling"
        text = ""
        for part in node.values:
            if not isinstance(part, ast.FormattedValue):
                text += yield part, frame
                continue
            held = yield part.value, frame
            spec = "" if part.format_spec is None else (yield part.format_spec, frame)
            known = self.builder.value_of(self.refresh(held)) if isinstance(held, Cell) else held
            if not isinstance(known, (bool, int, float, str)):
                raise Refusal(f"{what} is not supported here", "build it outside the function")
            shown: Any = {"r": repr, "s": str, "a": ascii}.get(chr(max(part.conversion, 0)))
            try:
                text += format(known if shown is None else shown(known), spec)
            except ValueError as error:
                raise Refusal(str(error)) from None
        return text

    def on_Name(self, node: ast.Name, frame: Frame) -> Any:
        value = frame.find(node.id)
        if isinstance(value, Pending):
            return self.modules.resolve_pending(value)
        return value

    def at_once(self, node: ast.AST, frame: Frame) -> Any:
        """The value of a name of the frame's own, or of a number met before; else `MISSING`.

        It takes no steps, adds no node and refuses nothing.
        """
        kind = type(node)
        if kind is ast.Name:
            found = frame.names.get(node.id, MISSING)  # type: ignore[attr-defined]
            return MISSING if type(found) is Pending else found
        if kind is ast.Constant and type(node.value) in (float, int):  # type: ignore[attr-defined]
            known = self.builder.known_const(node.value)  # type: ignore[attr-defined]
            return MISSING if known is None else Cell(known)
        return MISSING

    def _met(self, node: ast.AST, frame: Frame) -> Any:
        """A library's function that was met before as `module.name`; else `MISSING`."""
        if type(node) is not ast.Attribute or type(node.value) is not ast.Name:
            return MISSING
        name, at = node.value.id, frame
        while True:
            if name in at.names or name in at.stored:
                return MISSING
            if at.parent is None:
                return self._functions.get((at.lookup, name, node.attr), MISSING)
            at = at.parent

    def on_BinOp(self, node: ast.BinOp, frame: Frame) -> Steps:
        left = self.at_once(node.left, frame)
        if left is MISSING:
            left = yield node.left, frame
        right = self.at_once(node.right, frame)
        if right is MISSING:
            right = yield node.right, frame
        return self.binary(BINARY.get(type(node.op)), left, right)

    def on_UnaryOp(self, node: ast.UnaryOp, frame: Frame) -> Steps:
        operand = self.at_once(node.operand, frame)
        if operand is MISSING:
            operand = yield node.operand, frame
        if isinstance(node.op, ast.Not):
            known = self.static_truth(operand)
            if known is not None:
                return self.wrap(self.builder.const(not known))
            self.no_array(operand, "not")
            return self.wrap(self.add("not", self.node(operand)))
        if self.is_sequence(operand):
            what = front.describe(operand)
            raise Refusal(f"{what} has no sign", "make it an array with np.array")
        cell = self.node(operand)
        literal = isinstance(node.operand, ast.Constant) and isinstance(node.op, ast.USub)
        value = self.builder.value_of(cell)
        if literal and isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.wrap(self.builder.const(-value))
        return self.wrap(self.add(UNARY[type(node.op)], cell))

    def on_BoolOp(self, node: ast.BoolOp, frame: Frame) -> Steps:
        op, stop = ("both", False) if isinstance(node.op, ast.And) else ("either", True)
        result = None
        for item in node.values:
            value = yield item, frame
            known = self.static_truth(value)
            if known is not None and result is None:
                if known is stop or item is node.values[-1]:
                    return value
                continue
            self.no_array(value, "and" if op == "both" else "or")
            if self.type_of(self.node(value)).dtype != "bool":
                self.dynamic("`and` or `or` of numbers", "compare them first")
            result = (
                value
                if result is None
                else self.wrap(self.add(op, self.node(result), self.node(value)))
            )
        return result

    def on_Compare(self, node: ast.Compare, frame: Frame) -> Steps:
        left = yield node.left, frame
        result = None
        for op, item in zip(node.ops, node.comparators, strict=True):
            right = yield item, frame
            verdict = self.compare(op, left, right)
            if result is None:
                result = verdict
            else:
                known = self.static_truth(result)
                if known is False:
                    return result
                if known is True:
                    result = verdict
                else:
                    self.no_array(verdict, "a chained comparison")
                    self.no_array(result, "a chained comparison")
                    result = self.wrap(self.add("both", self.node(result), self.node(verdict)))
            left = right
        return result

    def compare(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        """The value of one comparison."""
        if isinstance(op, (ast.Is, ast.IsNot)):
            same = self.identical(left, right)
            return self.wrap(self.builder.const(same is isinstance(op, ast.Is)))
        if isinstance(op, (ast.In, ast.NotIn)):
            return self.wrap(
                self.builder.const(self.contains(right, left) is isinstance(op, ast.In))
            )
        if isinstance(left, Cell) and isinstance(right, Cell):
            return self.wrap(self.add(COMPARE[type(op)], self.node(left), self.node(right)))
        if isinstance(op, (ast.Eq, ast.NotEq)):
            equal = self.equal(left, right)
            return self.wrap(equal if isinstance(op, ast.Eq) else self.add("not", equal))
        raise Refusal("these values cannot be compared here")

    def on_IfExp(self, node: ast.IfExp, frame: Frame) -> Steps:
        test = yield node.test, frame
        known = self.static_truth(test)
        if known is None:
            self.dynamic("a conditional expression", "use np.where(condition, a, b)")
        return (yield (node.body if known else node.orelse), frame)

    def on_Tuple(self, node: ast.Tuple, frame: Frame) -> Steps:
        items = yield self.sequence(node.elts, frame)
        return tuple(items)

    def on_List(self, node: ast.List, frame: Frame) -> Steps:
        return (yield self.sequence(node.elts, frame))

    def sequence(self, elements: list[ast.expr], frame: Frame) -> Steps:
        """The values of expressions, starred ones spread."""
        items: list[Any] = []
        for element in elements:
            if isinstance(element, ast.Starred):
                items.extend(self.items((yield element.value, frame)))
                continue
            found = self.at_once(element, frame)
            items.append((yield element, frame) if found is MISSING else found)
        return items

    def on_Dict(self, node: ast.Dict, frame: Frame) -> Steps:
        result: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            held = yield value, frame
            if key is None:
                if not isinstance(held, dict):
                    raise Refusal("`**` in a dict display takes a dict")
                result.update(held)
            else:
                result[self.static((yield key, frame))] = held
        return result

    def on_NamedExpr(self, node: ast.NamedExpr, frame: Frame) -> Steps:
        value = yield node.value, frame
        while frame.comprehension and frame.parent is not None:
            frame = frame.parent
        self.assign_name(node.target.id, value, frame, node.value)
        return value

    def on_Lambda(self, node: ast.Lambda, frame: Frame) -> Steps:
        return self.define(node, "<lambda>", frame)

    def define(self, node: ast.FunctionDef | ast.Lambda, name: str, frame: Frame) -> Steps:
        """A function value; its defaults are evaluated now, as Python does."""
        defaults = yield self.sequence(node.args.defaults, frame)
        keyword_defaults = []
        for default in node.args.kw_defaults:
            keyword_defaults.append(MISSING if default is None else (yield default, frame))
        found = Function(node, frame, name, tuple(defaults), tuple(keyword_defaults))
        given = rules.decorator_of(node) if frame.parent is None else None
        if given is None or (yield given.func, frame) != Known(rules.NAME):
            return found
        keywords: dict[str, Any] = {}
        for keyword in given.keywords:
            keywords[str(keyword.arg)] = yield keyword.value, frame
        if "result" in keywords:
            return rules.ruled(self, [opaque.of_definition(name, frame)], keywords)
        # its decorator is known, and does not matter any more
        return rules.ruled(self, [replace(found, live=True)], keywords)

    def on_ListComp(self, node: ast.ListComp, frame: Frame) -> Steps:
        return (yield self.comprehension(node.elt, None, node.generators, frame))

    def on_GeneratorExp(self, node: ast.GeneratorExp, frame: Frame) -> Steps:
        return Generated((yield self.comprehension(node.elt, None, node.generators, frame)))

    def on_DictComp(self, node: ast.DictComp, frame: Frame) -> Steps:
        pairs = yield self.comprehension(node.value, node.key, node.generators, frame)
        return dict(pairs)

    def comprehension(
        self, element: ast.expr, key: ast.expr | None, clauses: list[ast.comprehension],
        frame: Frame,
    ) -> Steps:  # fmt: skip
        """The items of a comprehension; its targets live in one frame of their own."""
        targets = [n for c in clauses for n in ast.walk(c.target) if isinstance(n, ast.Name)]
        inner = Frame(frame.source, frame.lookup, stored=frozenset(n.id for n in targets),
                      parent=frame, depth=frame.depth, comprehension=True)  # fmt: skip
        items: list[Any] = []
        source = yield clauses[0].iter, frame
        yield self.clause(element, key, clauses, source, inner, items)
        return items

    def clause(
        self, element: ast.expr, key: ast.expr | None, clauses: list[ast.comprehension],
        source: Any, frame: Frame, items: list[Any],
    ) -> Steps:  # fmt: skip
        """Run one `for` of a comprehension, and the ones inside it."""
        for item in self.iterate(source):
            self.assign_target(clauses[0].target, item, frame, None)
            keep = True
            for test in clauses[0].ifs:
                known = self.static_truth((yield test, frame))
                if known is None:
                    self.dynamic("the condition of a comprehension", "use np.where")
                keep = bool(known)
                if not keep:
                    break
            if keep and clauses[1:]:
                inner = yield clauses[1].iter, frame
                yield self.clause(element, key, clauses[1:], inner, frame, items)
            elif keep:
                name = None if key is None else self.static((yield key, frame))
                value = yield element, frame
                items.append(value if key is None else (name, value))

    def on_Starred(self, node: ast.Starred, frame: Frame) -> Any:
        raise Refusal("a starred expression is not supported here")

    def on_Attribute(self, node: ast.Attribute, frame: Frame) -> Steps:
        value = yield node.value, frame
        found = self.attribute(value, node.attr)
        if isinstance(found, Pending):
            found = yield self.modules.resolve_pending(found)
        if isinstance(found, Known) and isinstance(value, Module) and type(node.value) is ast.Name:
            self._functions[_outermost(frame).lookup, node.value.id, node.attr] = found
        return found

    def on_Subscript(self, node: ast.Subscript, frame: Frame) -> Steps:
        value = yield node.value, frame
        key = yield node.slice, frame
        return self.subscript(value, key)

    def on_Slice(self, node: ast.Slice, frame: Frame) -> Steps:
        bounds = []
        for part in (node.lower, node.upper, node.step):
            bounds.append(None if part is None else (yield part, frame))
        return slice(*bounds)

    # -- calls ---------------------------------------------------------------------------------

    def on_Call(self, node: ast.Call, frame: Frame) -> Steps:
        function = self._met(node.func, frame)
        if function is MISSING:
            function = yield node.func, frame
        ruled = isinstance(function, Known) and function.name == rules.NAME
        named = rules.opaque_argument(node, frame) if ruled else None
        args = [self.at_once(arg, frame) for arg in node.args]
        if named is not None:
            args = [named]
        elif any(found is MISSING for found in args):
            args = yield self.sequence(node.args, frame)
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = yield keyword.value, frame
            if keyword.arg is None:
                if not isinstance(value, dict) or not all(isinstance(k, str) for k in value):
                    raise Refusal("`**` in a call takes a dict with names as keys")
                keywords.update(value)
            else:
                keywords[keyword.arg] = value
        result = self.call_value(function, args, keywords, frame)
        return (yield result) if isinstance(result, GeneratorType) else result

    def call_value(
        self, function: Any, args: list[Any], keywords: dict[str, Any], frame: Frame
    ) -> Any:
        """The value of a call, or the steps that compute it."""
        if isinstance(function, Partial):
            args = [*function.args, *args]
            keywords = {**function.keywords, **keywords}
            function = function.function
        if isinstance(function, LiveObject) and isinstance(function.value, CustomRule):
            function = rules.of_live(self, function)
        if isinstance(function, Ruled):
            return rules.call(self, function, args, keywords, frame.depth + 1)
        if isinstance(function, Function):
            return self.inline(function, args, keywords, frame.depth + 1)
        if isinstance(function, LiveObject):
            return self.call_live(function, args, keywords, frame)
        if isinstance(function, RecordType):
            return classes.made(function, args, keywords)
        if isinstance(function, Method):
            if isinstance(function.value, RecordValue):
                if args:
                    raise Refusal(f"{function.name} takes its values by name")
                return replaced(function.value, keywords)
            if isinstance(function.value, Cell):
                row = METHODS[function.name]
                return self.call_row(row, None, [function.value, *args], keywords,
                                     f"method {function.name}")  # fmt: skip
            return self.call_container(function, args, keywords)
        if isinstance(function, Known):
            if function.name == rules.NAME:
                return rules.ruled(self, args, keywords)
            if function.name == "builtins.map":
                return self.map_calls(args, frame)
            if function.name == REDUCE:
                return self.reduced(args, frame)
            return self.call_known(function.name, args, keywords)
        raise Refusal("this value cannot be called here")

    def map_calls(self, args: list[Any], frame: Frame) -> Steps:
        """`map(f, xs, ...)`, computed at once."""
        results = []
        for items in zip(*(self.iterate(a) for a in args[1:]), strict=False):
            value = self.call_value(args[0], list(items), {}, frame)
            results.append((yield value) if isinstance(value, GeneratorType) else value)
        return Generated(results)

    def reduced(self, args: list[Any], frame: Frame) -> Steps:
        """`functools.reduce(f, xs)`, or with a value to begin with."""
        if not 2 <= len(args) <= 3:
            raise Refusal(f"reduce takes two or three arguments, not {len(args)}")
        items = [*args[2:], *self.items(args[1])]
        if not items:
            raise Refusal("reduce() of nothing")
        total = items[0]
        for item in items[1:]:
            value = self.call_value(args[0], [total, item], {}, frame)
            total = (yield value) if isinstance(value, GeneratorType) else value
        return total

    def call_live(self, function: LiveObject, args: list[Any], keywords: dict[str, Any],
                  frame: Frame) -> Any:  # fmt: skip
        """A call of a live function of the user's, which is inlined, or of a class of records."""
        made = classes.live_type(function.value, self.modules)
        if made is not None:
            return classes.made(made, args, keywords)
        target, bound, bound_keywords = self.modules.live_function(function)
        args = [*bound, *args]
        return self.inline(target, args, {**bound_keywords, **keywords}, frame.depth + 1)

    def inline(
        self, function: Function, args: list[Any], keywords: dict[str, Any], depth: int
    ) -> Steps:
        """Run a user's function on values; its result takes the function's name as a hint."""
        if depth > CALL_DEPTH:
            raise Refusal(
                f"the calls of {function.name} are nested more than {CALL_DEPTH} deep",
                "give the recursion a static end, or write it as a loop over a static range",
            )
        if not function.live:
            self._refuse_decorators(function)
        refuse_emitted(function.node)
        outer = function.frame
        stored = stored_names(function.node, outer.source)
        frame = Frame(outer.source, outer.lookup, parent=outer, stored=stored, depth=depth)
        frame.names.update(self.bind_parameters(function, args, keywords))
        if frame.source is not None:
            self.note_text(frame.source, function.node)
        for name, value in frame.names.items() if frame.source is not None else ():
            self.hint(value, name)
        if isinstance(function.node, ast.Lambda):
            result = yield function.node.body, frame
        else:
            result = yield self.body_result(function.node, frame)
        if frame.source is not None:
            self.hint(result, function.name)
        return result

    def note_text(self, source: Source, node: ast.AST) -> None:
        """Keep the lines of a function or a definition that the graph is made from, once."""
        first, last = (getattr(node, at) for at in ("lineno", "end_lineno"))
        if (source.path, first) not in self.texts:
            lines = range(first, (last or first) + 1)
            self.texts[source.path, first] = "\n".join(map(source.line, lines))

    def hint(self, value: Any, name: str) -> None:
        """A name for a value that the user gave none, should it become a statement."""
        if isinstance(value, Cell) and name.isidentifier():
            self.builder.label(self.node(value), None, name)

    def body_result(self, node: ast.FunctionDef, frame: Frame) -> Steps:
        """What a function body returns."""
        signal = yield self.block(node.body, frame)
        return signal[1] if signal is not None else None

    @staticmethod
    def _refuse_decorators(function: Function) -> None:
        for decorator in getattr(function.node, "decorator_list", []):
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            text = ast.unparse(called)
            ours = text in DECORATORS
            raise Refusal(
                f"{function.name} is decorated with {text}",
                "call the undecorated function"
                + (": a decorated one returns gradients" if ours else ""),
            )

    # -- statements ----------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt], frame: Frame) -> Steps:
        """Run statements; the signal that ended them early, or None."""
        for statement in statements:
            signal = yield statement, frame
            if signal is not None:
                return signal
        return None

    def on_Expr(self, node: ast.Expr, frame: Frame) -> Steps:
        if not isinstance(node.value, ast.Constant):
            yield node.value, frame
        return None

    def on_Pass(self, node: ast.Pass, frame: Frame) -> Signal:
        return None

    def on_Assign(self, node: ast.Assign, frame: Frame) -> Steps:
        value = yield node.value, frame
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.assign_name(target.id, value, frame, node.value)
            else:
                yield self.assign(target, value, frame, node.value)
        return None

    def on_AnnAssign(self, node: ast.AnnAssign, frame: Frame) -> Steps:
        if node.value is not None:
            value = yield node.value, frame
            yield self.assign(node.target, value, frame, node.value)
        return None

    def assign(self, target: ast.expr, value: Any, frame: Frame, source: ast.expr | None) -> Steps:
        """Bind a target, or each of several; the parts of a subscript are evaluated first."""
        pending = [(target, value, source)]
        while pending:
            at, held, origin = pending.pop()
            if isinstance(at, ast.Subscript):
                container = yield at.value, frame
                key = yield at.slice, frame
                self.store(container, key, held)
            elif isinstance(at, (ast.Tuple, ast.List)):
                pending.extend(self.spread(at, held, origin))
            else:
                self.assign_target(at, held, frame, origin)
        return None

    def assign_target(self, target: ast.expr, value: Any, frame: Frame, source: Any) -> None:
        """Bind names, also nested and starred ones."""
        pending = [(target, value, source)]
        while pending:
            at, held, origin = pending.pop()
            if isinstance(at, ast.Name):
                self.assign_name(at.id, held, frame, origin)
            elif isinstance(at, (ast.Tuple, ast.List)):
                pending.extend(self.spread(at, held, origin))
            elif isinstance(at, ast.Starred):
                pending.append((at.value, list(held), None))
            else:
                raise Refusal("this target of an assignment is not supported here",
                              "assign to a name")  # fmt: skip

    def spread(self, target: ast.Tuple | ast.List, value: Any, source: Any) -> list[Any]:
        """The targets of a sequence with their values and the syntax of those, the first last."""
        parts = self.unpack(target.elts, self.items(value))
        origins = source.elts if isinstance(source, (ast.Tuple, ast.List)) else []
        matched = origins if len(origins) == len(parts) else [None] * len(parts)
        return list(zip(target.elts, parts, matched, strict=True))[::-1]

    @staticmethod
    def unpack(targets: list[ast.expr], items: list[Any]) -> list[Any]:
        """The parts of a value, one a target; a starred target takes what is left."""
        starred = [i for i, t in enumerate(targets) if isinstance(t, ast.Starred)]
        if not starred:
            if len(targets) != len(items):
                raise Refusal(f"{len(items)} values to unpack into {len(targets)} names")
            return items
        at, after = starred[0], len(targets) - starred[0] - 1
        if len(items) < at + after:
            raise Refusal(f"not enough values to unpack: {len(items)}")
        end = len(items) - after
        return [*items[:at], items[at:end], *items[end:]]

    def assign_name(self, name: str, value: Any, frame: Frame, source: Any) -> None:
        """Bind a name, and remember it as the user's name of the value."""
        if isinstance(value, Generated):
            raise Refusal("a generator that is kept is not supported here", "use a list")
        if isinstance(value, Cell) and frame.source is not None:
            graph = self.builder.graph
            node = self.node(value)
            literal = source.operand if isinstance(source, ast.UnaryOp) else source
            if graph.ops[node] == "const" and isinstance(literal, ast.Constant):
                value = self.wrap(self.builder.const(graph.values[node], name))
            else:
                self.builder.named(node, name)
        elif isinstance(value, Cell) and self.builder.graph.locs[self.node(value)] is None:
            self.hint(value, name)
        frame.names[name] = value

    def on_AugAssign(self, node: ast.AugAssign, frame: Frame) -> Steps:
        op = BINARY.get(type(node.op))
        if isinstance(node.target, ast.Name):
            old = frame.find(node.target.id)
            new = self.augment(op, old, (yield node.value, frame))
            if new is old and isinstance(old, Cell):
                self.builder.named(self.node(old), node.target.id)
            self.assign_name(node.target.id, new, frame, None)
            return None
        if not isinstance(node.target, ast.Subscript):
            raise Refusal("augmented assignment to an attribute", "assign to a name")
        container = yield node.target.value, frame
        key = yield node.target.slice, frame
        if not isinstance(container, Cell):
            old = self.subscript(container, key)
            self.store(container, key, self.augment(op, old, (yield node.value, frame)))
            return None
        operand = yield node.value, frame
        if op in ("add", "sub"):
            self.add_into(container, key, operand, op)
        else:
            self.store(container, key, self.binary(op, self.subscript(container, key), operand))
        return None

    def on_Return(self, node: ast.Return, frame: Frame) -> Steps:
        value = None if node.value is None else (yield node.value, frame)
        return ("return", value)

    def on_If(self, node: ast.If, frame: Frame) -> Steps:
        test = yield node.test, frame
        known = self.static_truth(test)
        if known is None:
            checks = len(node.body) == 1 and isinstance(node.body[0], ast.Raise)
            if checks and self.assume_false(test):
                return (yield self.block(node.orelse, frame))
            self.dynamic("`if`", CHECK if checks else "use np.where(condition, a, b)")
        return (yield self.block(node.body if known else node.orelse, frame))

    def assume_false(self, test: Any) -> bool:
        """Note that a comparison of lengths does not hold, if it is one; emitted code checks it."""
        graph, node = self.builder.graph, self.node(test)
        op = graph.ops[node]
        values = [graph.values[a] for a in graph.args[node]]
        if op not in ("lt", "le", "gt", "ge") or any(not isinstance(v, (int, Dim)) for v in values):
            return False
        left, right = values if op in ("lt", "le") else values[::-1]
        graph.least.append((left - right - (op in ("le", "ge")), self.builder.loc))
        return True

    def on_For(self, node: ast.For, frame: Frame) -> Steps:
        source = yield node.iter, frame
        for item in self.iterate(source):
            self.assign_target(node.target, item, frame, None)
            signal = yield self.block(node.body, frame)
            if signal is not None and signal[0] == "break":
                return None
            if signal is not None and signal[0] == "return":
                return signal
        return (yield self.block(node.orelse, frame))

    def on_While(self, node: ast.While, frame: Frame) -> Steps:
        for _ in range(UNROLL_LIMIT):
            known = self.static_truth((yield node.test, frame))
            if known is None:
                self.dynamic("`while`", "use `for` over a static range and np.where")
            if not known:
                return (yield self.block(node.orelse, frame))
            signal = yield self.block(node.body, frame)
            if signal is not None and signal[0] == "break":
                return None
            if signal is not None and signal[0] == "return":
                return signal
        raise Refusal(f"`while` runs more than {UNROLL_LIMIT} times")

    def on_Break(self, node: ast.Break, frame: Frame) -> Signal:
        return ("break", None)

    def on_Continue(self, node: ast.Continue, frame: Frame) -> Signal:
        return ("continue", None)

    def on_Assert(self, node: ast.Assert, frame: Frame) -> Steps:
        known = self.static_truth((yield node.test, frame))
        if known is None:
            self.dynamic("`assert`", CHECK)
        if not known:
            raise Refusal("this assertion fails")
        return None

    def on_Raise(self, node: ast.Raise, frame: Frame) -> Signal:
        error = node.exc
        if frame.source is None and isinstance(error, ast.Call):
            # a definition refuses what it does not cover
            raise Refusal(str(ast.literal_eval(error.args[0])))
        raise Refusal("this `raise` is reached for every argument")

    def on_Delete(self, node: ast.Delete, frame: Frame) -> Signal:
        for target in node.targets:
            if not isinstance(target, ast.Name):
                what, hint = REFUSED[ast.Delete]
                raise Refusal(f"{what} is not supported here", hint)
            frame.stored |= {target.id}
            frame.find(target.id)
            del frame.names[target.id]
        return None

    def on_FunctionDef(self, node: ast.FunctionDef, frame: Frame) -> Steps:
        frame.names[node.name] = yield self.define(node, node.name, frame)
        return None

    def on_Import(self, node: ast.Import, frame: Frame) -> Signal:
        for alias in node.names:
            top = alias.name if alias.asname else alias.name.partition(".")[0]
            module = import_module(top)
            if module is None:
                raise Refusal(f"import of {alias.name} inside a function",
                              "import it at the top of the module")  # fmt: skip
            frame.names[alias.asname or top] = module
        return None

    def on_ImportFrom(self, node: ast.ImportFrom, frame: Frame) -> Signal:
        for alias in node.names:
            if node.level or import_module(node.module or "") is None or alias.name == "*":
                raise Refusal(f"import from {node.module} inside a function",
                              "import it at the top of the module")  # fmt: skip
            frame.names[alias.asname or alias.name] = library_attribute(
                node.module or "", alias.name
            )
        return None


def _outermost(frame: Frame) -> Frame:
    while frame.parent is not None:
        frame = frame.parent
    return frame


def refuse_emitted(node: ast.FunctionDef | ast.Lambda) -> None:
    """Refuse an emitted function whose text does not show what counted as constant."""
    doc = None if isinstance(node, ast.Lambda) else ast.get_docstring(node)
    told = [line for line in (doc or "").splitlines() if line.startswith(NOT_AGAIN)]
    if told:
        raise Refusal(
            "this emitted function cannot be differentiated again: its text lacks "
            "what its source says of derivatives",
            "differentiate the source, in mode hvp, hessian or jvp",
        )


class LengthError(SourceError):
    """A refusal that more knowledge of lengths or of passive arguments would lift."""


__all__ = ["FileModule", "GradgenError", "Interpreter", "LengthError", "Module", "RecordValue"]
