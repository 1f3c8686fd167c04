"""Graph and target -> Unit: which values become statements, their names, the imports."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gradgen.bounds import length_guard
from gradgen.errors import GradgenError, Location, Refusal, SourceError
from gradgen.graph import Graph, GraphBuilder, Param, Record, Tree, leaves
from gradgen.guards import (
    Known,
    argument_parts,
    number_guard,
    shape_guard,
    value_guard,
    value_shape_guard,
)
from gradgen.liveness import reachable
from gradgen.ops import OPS
from gradgen.ops.indexing import may_repeat
from gradgen.ops.table import UNARY
from gradgen.ops.written import Call, OpaqueCall
from gradgen.read import Static
from gradgen.saved import saved_lines, split
from gradgen.surroundings import ModuleWriter
from gradgen.targets import Expr, Target
from gradgen.targets.base import bare, call, infix, number, prefix, quoted, sequence
from gradgen.targets.numpy import length, subscript, written
from gradgen.types import QUOTIENTS, Dim, Shape, Size, TupleType
from gradgen.unit import ClassOf, FunctionText, Plan, Unit

WIDTH = 88
INDENT = "    "
MAX_DEPTH = 4
INLINE_WIDTH = 64
NAMED_WIDTH = 28
_ATOMS = frozenset({"param", "const", "constant", "global", "seed"})
_UPDATES = ("index_set", "index_add")
_AUGMENTED = {"add": "+=", "sub": "-=", "mul": "*=", "div": "/="}
_DISPLAYS = frozenset({
    "array", "concatenate", "stack", "vstack", "hstack", "dstack", "column_stack", "total",
})  # fmt: skip
TEMPORARY = "t"
# How adjoints, tangents, and entries of Jacobians and Hessians are called: d_x, t_x, dy_dx, h_x_y.
_DERIVED = re.compile(r"[dth]_|d\w*_d").match
_REDUCTIONS = ("sum", "mean", "max", "min", "norm")
_VIEWS = frozenset(name for name, row in OPS.items() if row.view)
ALWAYS_INLINE = ("axis_size", "item_count")
FOREVER = 1 << 60


def emit(
    graph: Graph, target: Target, mode: str, doc: Sequence[str] = (), guard: bool = True,
    recompute: bool = False, writer: type[FunctionWriter] | None = None,
) -> Unit:  # fmt: skip
    """The unit for a derived graph, whose results are `(value, adjoints)`.

    `mode` is one of `MODES`. With `guard` the function that takes the arguments
    checks their shapes; with `recompute` that of a pair saves arguments only. `writer` writes the
    functions, in another style than the default one. Raises `SourceError` for an operation that the
    target lacks.
    """
    unit = Unit()
    given = ("saved", "seed") if mode == "pair" else ()
    module = ModuleWriter(graph, target, unit, guard, writer or FunctionWriter, given)
    if mode == "pair":
        forward, backward = _pair(graph, doc, recompute)
        backward.given = module.function(forward)
        texts = {n: _saved_text(graph, n, backward.given) for n in forward.keep}
        classes = [tree.like[0] for tree in forward.results[1] if isinstance(tree, ClassOf)]
        unit.functions[0].doc += ["", *saved_lines(graph, texts, classes, backward.name)]
        module.function(backward)
    else:
        nodes = [n for n, need in enumerate(reachable(graph, graph.results)) if need]
        plan = Plan(f"{graph.name}_{mode}", graph.params, nodes, graph.results, list(doc))
        if mode == "value_and_grad" or (
            mode in ("jvp", "vjp") and isinstance(graph.results[0], int)
        ):
            plan.value = next(leaves(graph.results))
        module.function(plan)
    module.finish()
    return unit


def _pair(graph: Graph, doc: Sequence[str], recompute: bool) -> tuple[Plan, Plan]:
    """The forward function, which returns what the backward function needs, and that one."""
    parts = split(graph, recompute)
    value, adjoints = graph.results
    records = _records(adjoints)
    own = [p for p in graph.params if not p.added]
    saved = (*parts.saved, *map(ClassOf, records))
    first = Plan(f"{graph.name}_forward", own, parts.forward, (value, saved), list(doc),
                 keep=parts.saved, value=value if isinstance(value, int) else -1)  # fmt: skip
    lines = [f"Adjoints, from what {first.name} saved and the seed of its value."]
    seeds = [p for p in graph.params if p.added]
    second = Plan(f"{graph.name}_backward", seeds, parts.backward, adjoints, lines,
                  extra_params=("saved",), unpack=parts.saved, told=parts.told,
                  records=records)  # fmt: skip
    return first, second


def _saved_text(graph: Graph, node: int, names: Mapping[int, str]) -> str:
    """How a saved value is called: an argument, a name, or the length of one of these."""
    if graph.ops[node] == "param":
        return spell_path(*graph.attrs[node])
    if node in names:
        return names[node]
    array = graph.args[node][0]
    whole = spell_path(*graph.attrs[array]) if graph.ops[array] == "param" else names[array]
    if graph.ops[node] == "item_count":
        return f"{whole}.size"
    axis = graph.attrs[node]
    return f"len({whole})" if graph.types[array].rank == 1 else f"{whole}.shape[{axis}]"


def index_argument(template: Any, place: str, np_name: str) -> str:
    """What stands between brackets in `a[...]`, written as an argument of a call."""
    if any(isinstance(item, tuple) and item[0] == "s" for item in template):
        return f"{np_name}.s_[{place}]"
    return place if len(template) == 1 else f"({place})"


class FunctionWriter:
    """Writes one function: decides what is a statement, gives names, lays out lines."""

    def __init__(self, module: ModuleWriter, plan: Plan) -> None:
        self.module = module
        self.graph = module.graph
        self.plan = plan
        self.own = set(plan.nodes)
        self.count = [0] * len(self.graph)
        self.users: dict[int, list[int]] = {}
        self.exprs: dict[int, Expr] = {}
        self.names: dict[int, str] = {}
        self.holders: dict[str, int] = {}
        self.statements: set[int] = set()
        self.last: list[int] = []
        self.wanted: dict[int, str | None] = {}
        self.suffix: dict[str, int] = {}
        self.user_names: set[str] = set()
        # What nothing may be called.
        self.reserved = frozenset(keyword.kwlist) | module.reserved | {*plan.extra_params}
        self.reserved |= {*module.opaque.values()}
        # The names of classes that are unpacked, by what is rebuilt like them.
        self.classes: dict[Any, str] = {}
        # Lengths that are saved without a name.
        self.inline = {n for n in plan.keep if self.graph.ops[n] in ALWAYS_INLINE}
        # Results that are written where they are returned, if they are short.
        self.returned: set[int] = set()
        self.of_numbers = all(
            self.graph.types[leaf].kind != "array" for leaf in leaves(plan.results)
        )
        # Sums that are too long for a line, and are added up in the array of this name.
        self.grown: dict[int, str] = {}
        # The wholes of which sums are the first parts.
        self.ends: dict[int, int] = {}
        # The statements before which those of other values are written, where not in their order.
        self.place: dict[int, int] = {}
        # How far in the statement at hand stands.
        self.indent = len(INDENT)

    # -- what the spellings ask for ------------------------------------------------------------

    def root(self, module: str) -> str:
        """See `Writer`."""
        return self.module.root(module)

    def function(self, dotted: str) -> str:
        """See `Writer`."""
        return self.module.callable_name(dotted)

    # -- the plan of statements ----------------------------------------------------------------

    def write(self) -> FunctionText:
        """The text of the function."""
        self._count_uses()
        self._choose_statements()
        self._compute_last_uses()
        lines = self._body()
        plan = self.plan
        return FunctionText(plan.name, self.signature(), plan.doc, lines)

    def _count_uses(self) -> None:
        graph = self.graph
        count, users, columns = self.count, self.users, graph.args
        for node in self.plan.nodes:
            for arg in columns[node]:
                count[arg] += 1
                if arg in users:
                    users[arg].append(node)
                else:
                    users[arg] = [node]
        for leaf in leaves(self.plan.results):
            count[leaf] += 1

    def _choose_statements(self) -> None:
        graph, updated = self.graph, False
        for node in self.plan.nodes:
            op = graph.ops[node]
            if op in _ATOMS:
                if op == "const" and graph.names[node] is not None:
                    self.statements.add(node)
                continue
            if graph.names[node] is not None or self._stands_alone(node):
                self.statements.add(node)
            if op in _UPDATES:
                updated = True
                buffer = graph.args[node][0]
                if buffer in self.own and graph.ops[buffer] not in _ATOMS:
                    self.statements.add(buffer)
        for leaf in leaves(self.plan.results):
            if graph.ops[leaf] not in _ATOMS and leaf in self.own and leaf not in self.inline:
                (self.returned if self._is_for_return(leaf) else self.statements).add(leaf)
        for node in self.inline:
            self.statements |= {a for a in graph.args[node] if graph.ops[a] not in _ATOMS}
        for node in reversed(self.plan.nodes) if updated else ():
            if graph.ops[node] in _UPDATES:
                buffer = graph.args[node][0]
                self.wanted.setdefault(buffer, self._wanted(node))

    def _is_for_return(self, leaf: int) -> bool:
        """Whether a result may be written where it is returned: a number that nobody else reads.

        The user gave no name to it, and all results are numbers.
        """
        graph = self.graph
        own = graph.locs[leaf] is None or leaf == self.plan.value
        plain = graph.names[leaf] is None and graph.ops[leaf] not in _UPDATES
        read = self.count[leaf] > 1 or leaf in self.plan.keep
        return own and plain and not read and self.of_numbers

    def _is_short(self, node: int, text: str) -> bool:
        """Whether a result reads well where it is returned: a value, or one step to an adjoint."""
        graph, known = self.graph, self.names
        steps = [a for a in graph.args[node] if graph.ops[a] not in _ATOMS and a not in known]
        return len(text) <= NAMED_WIDTH and (node == self.plan.value or not steps)

    def _stands_alone(self, node: int) -> bool:
        """Whether a value is a statement of its own: named by the user, updated, or read twice."""
        graph = self.graph
        op = graph.ops[node]
        if graph.names[node] is not None or op in _UPDATES:
            return True
        if self.count[node] <= 1 or op in ALWAYS_INLINE:
            return False
        if op == "neg" and graph.ops[graph.args[node][0]] == "constant":
            return False
        return op != "transpose" or not self._is_named(graph.args[node][0])

    def _is_named(self, node: int) -> bool:
        return node in self.statements or self.graph.ops[node] == "param" or node not in self.own

    def _compute_last_uses(self) -> None:
        """The statement that reads each value last, through inlined users and through views."""
        graph = self.graph
        last = [-1] * len(graph)
        # where a value is read itself, not through views
        reach = [-1] * len(graph)
        forever = set(leaves(self.plan.results)) | set(self.plan.keep)
        ops, columns, statements = graph.ops, graph.args, self.statements
        for node in reversed(self.plan.nodes):
            place = self.place.get(node, node)
            if node in self.returned:
                place = FOREVER
            elif node not in statements and node in self.users:
                # what is written with its user is read where that is
                place = reach[node]
            if reach[node] > last[node]:
                last[node] = reach[node]
            if node in forever:
                last[node] = FOREVER
            for arg in columns[node]:
                if place > reach[arg]:
                    reach[arg] = place
                if ops[node] in _VIEWS and arg in self.own and self._is_view(node, arg):
                    last[arg] = max(last[arg], last[node])
        rebuilt = {like[0] for like in _records(self.plan.results)}
        for param in self.plan.params:
            if param.name in rebuilt:
                for leaf in leaves(param.tree):
                    last[leaf] = FOREVER
        for node in self.plan.unpack or ():
            last[node] = FOREVER
        self.last = last

    def _is_view(self, user: int, node: int) -> bool:
        graph = self.graph
        op = graph.ops[user]
        if op in _UPDATES:
            return False
        if op == "index" and not graph.types[user].shape and "e" not in graph.attrs[user]:
            return False  # one item, which NumPy gives as a number
        # what an opaque function gives may be any of its arguments
        first = op == "opaque" or graph.args[user][0] == node
        return op not in _ATOMS and OPS[op].view and first

    # -- names ---------------------------------------------------------------------------------

    def _claim(self, node: int, wanted: str, reuse: bool) -> str:
        """A free name, as near to the wanted one as can be."""
        reserved = self.module.roots.values()
        numbered = wanted == TEMPORARY
        count = self.suffix.get(wanted, 1)
        name = f"{wanted}{count}" if numbered else wanted
        while True:
            holder = self.holders.get(name)
            free = holder is None or (reuse and name == wanted and self.last[holder] <= node)
            if free and name in self.user_names and not self._is_the_users(node, name):
                # the name of what a derived buffer is filled into is its own
                free = self.graph.locs[node] is None and self.wanted.get(node) == name
            if free and name not in reserved and not self._is_reserved(name):
                self.holders[name] = node
                self.names[node] = name
                return name
            name = f"{wanted}{count + 1}" if numbered else f"{wanted}_{count}"
            count += 1
            self.suffix[wanted] = count

    def _is_the_users(self, node: int, name: str) -> bool:
        """Whether a value may be called as one of the user's."""
        return self.graph.names[node] is not None

    def _is_reserved(self, name: str) -> bool:
        return name in self.reserved

    def _name(self, node: int) -> str:
        """The name of a statement's value: the user's, a hint's, or one that says what it is."""
        graph = self.graph
        if node in self.names:
            return self.names[node]
        if node in self.plan.given:
            return self._claim(node, self.plan.given[node], False)
        user = graph.names[node]
        if user is not None:
            return self._claim(node, user, graph.locs[node] is not None)
        if node == self.plan.value:
            return self._claim(node, "value", False)
        wanted = self._wanted(node)
        if wanted is not None and wanted.isidentifier():
            return self._claim(node, wanted, False)
        return self._claim(node, self._descriptive(node), False)

    def _wanted(self, node: int) -> str | None:
        """The name that the user or a hint gives; a buffer is called as what it is filled into."""
        graph = self.graph
        return graph.names[node] or graph.hints[node] or self.wanted.get(node)

    def _descriptive(self, node: int) -> str:
        graph = self.graph
        op, args = graph.ops[node], graph.args[node]
        texts = [self.exprs[a].text for a in args if a in self.exprs]
        if op == "index" and texts and texts[0].isidentifier():
            template = graph.attrs[node]
            if len(template) == 1 and template[0][0] == "i" and template[0][1] >= 0:
                return f"{texts[0]}_{template[0][1]}"
        if graph.types[node].dtype == "bool":
            return "mask"
        inner = texts[0].removeprefix("-") if texts else ""
        if not inner.isidentifier() or len(inner) > 12:
            return TEMPORARY
        sign = "neg_" if texts[0][0] == "-" else ""
        if op == "power" and graph.values[args[1]] == 2 and not sign:
            return f"{inner}_squared"
        unary = OPS[op].elementwise and len(args) == 1 and not OPS[op].prefix
        return f"{op}_{sign}{inner}" if unary or op in _REDUCTIONS else TEMPORARY

    # -- expressions ---------------------------------------------------------------------------

    def expression_of(self, node: int) -> Expr:
        """The expression of a constant node and everything below it, without statements."""
        stack = [node]
        while stack:
            at = stack[-1]
            missing = [a for a in self.graph.args[at] if a not in self.exprs]
            if missing and self.graph.ops[at] != "global":
                stack.extend(missing)
                continue
            stack.pop()
            self.exprs[at] = self._spell(at)
        return self.exprs[node]

    def _spell(self, node: int) -> Expr:
        """How the target writes a node, on the expressions of its arguments."""
        graph, target = self.graph, self.module.target
        op = graph.ops[node]
        if op in _ATOMS:
            return self._atom(node)
        exprs, row = self.exprs, OPS[op]
        spelling = target.spellings.get(op)
        attr = graph.attrs[node]
        if attr is None and spelling is None and row.infix:
            left, right = graph.args[node]
            return infix(row.infix, row.precedence, exprs[left], exprs[right])
        args = [exprs[a] for a in graph.args[node]]
        if isinstance(attr, OpaqueCall):
            return written(self, attr.key, attr, args)
        if isinstance(attr, Call) and target.functions == "numpy":
            return written(self, row.call, attr, args)
        if graph.attrs[node] == "math" and row.math:
            return call(self.function(row.math), args)
        if spelling is not None:
            assert callable(spelling)
            return spelling(self, node, args)
        if graph.attrs[node] == "numpy" and target.functions == "numpy" and row.call == "":
            return call(self.function(row.aliases[0]), args)
        if row.prefix:
            return prefix(row.prefix, row.precedence, args[0])
        if row.infix and graph.attrs[node] != "numpy":
            return infix(row.infix, row.precedence, args[0], args[1])
        if target.functions == "math" and row.math:
            return call(self.function(row.math), args)
        if target.functions == "math" and row.infix:
            return infix(row.infix, row.precedence, args[0], args[1])
        if row.call and (target.functions == "numpy" or row.call.startswith("builtins.")):
            return call(self.function(row.call), args)
        name = row.call or row.math or op
        message = f"{name} cannot be written for the {target.name} target"
        loc = graph.locs[node]
        if loc is None:
            raise GradgenError(f"{message} (in the derivative); use --target numpy")
        raise SourceError(message, loc, "use --target numpy")

    def _atom(self, node: int) -> Expr:
        graph, target = self.graph, self.module.target
        op, attr = graph.ops[node], graph.attrs[node]
        if op == "const":
            special = isinstance(attr, float) and (
                attr != attr or attr in (float("inf"), -float("inf"))
            )
            return number(attr, self.root(target.number_module) if special else "")
        if op == "constant":
            name = attr.rpartition(".")[2]
            home = "math" if attr.startswith("math.") else target.number_module
            return Expr(f"{self.root(home)}.{name}")
        if op == "global":
            return Expr(self.module.global_name(node))
        if op == "seed":
            return Expr(spell_path(*attr))
        return Expr(spell_path(*attr))

    # -- the body ------------------------------------------------------------------------------

    def _body(self) -> list[str]:
        graph, plan = self.graph, self.plan
        self.holders.update({p.name: _any_leaf(p) for p in plan.params})
        for param in plan.params:
            nodes = list(leaves(param.tree))
            if nodes:
                self.holders[param.name] = max(nodes, key=lambda n: self.last[n])
            else:
                self.holders[param.name] = _NEVER
        self.last.append(FOREVER)
        lines: list[str] = []
        if plan.unpack is not None:
            lines += self._unpack(plan.unpack)
        lines += self._guards()
        self.user_names = {n for n in (graph.names[m] for m in plan.nodes) if n is not None}
        for leaf in leaves(plan.results):
            # Of two that would be called d_x, the one that is returned is.
            op, wanted = graph.ops[leaf], graph.names[leaf] or graph.hints[leaf]
            taken = op in (*_ATOMS, *_UPDATES) or leaf in self.inline
            if wanted and graph.locs[leaf] is None and not taken:
                self._name(leaf)
        parts: list[tuple[int, list[str]]] = []
        for node in plan.nodes:
            if node in self.exprs:
                continue
            if graph.ops[node] in _ATOMS and node not in self.statements:
                self.exprs[node] = self._atom(node)
                continue
            self._write_node(node, parts)
        self._name_returned(parts)
        lines += self._in_order(parts, bool(lines))
        lines += self._return()
        return lines

    def _name_returned(self, parts: list[tuple[int, list[str]]]) -> None:
        """Give results lines of their own where the return is on one line then, and not before.

        What the value raises is raised before anything that an adjoint does.
        """
        graph, value = self.graph, self.plan.value
        waiting = [n for n in self.plan.nodes if n in self.returned and n not in self.statements]
        if value in waiting and any(graph.locs[node] is None for node, _ in parts):
            derived = {graph.ops[n] for n in self.plan.nodes if graph.locs[n] is None}
            if not derived <= _SILENT:
                waiting.remove(value)
                self._promote(value, parts)
        texts = {node: self.exprs[node] for node in waiting}
        room = WIDTH - self.indent
        for group in ([n for n in waiting if n != value], [n for n in waiting if n == value]):
            if len(self._return()[0]) > room:
                self.exprs.update((node, Expr(self._name(node))) for node in group)
        named = [n for n in waiting if self.exprs[n] is not texts[n]]
        fits = len(self._return()[0]) <= room
        self.exprs.update(texts)
        for node in named if fits else ():
            self._promote(node, parts)

    def _guards(self) -> list[str]:
        """The checks of what the program was compiled for: fixed values, and declared shapes.

        No signature tells what tangents and seeds are: their shapes are always checked.
        """
        name, types = self.plan.name, self.graph.types
        lines: list[str] = []
        arrays: dict[str, Shape] = {}
        numbers: list[str] = []
        guard = self.module.guard or any(p.added for p in self.plan.params)
        for param in self.plan.params:
            for text, part in argument_parts(param.name, param.tree):
                if isinstance(part, Static):
                    lines += value_guard(text, part, self.function("builtins.ValueError"))
                elif part is not None and types[part].kind == "array":
                    arrays |= {text: types[part].shape} if guard else {}
                elif part is not None and param.added == "value":
                    numbers.append(text)
        if not arrays and not numbers:
            return lines
        error = self.function("builtins.ValueError")
        lines += shape_guard(name, arrays, error, self._known_lengths(arrays))
        if self.plan.unpack is None:
            needed = [size for size, _ in self.graph.least if isinstance(size, Dim)]
            lines += length_guard(name, arrays, needed, error)
        return lines + number_guard(name, numbers, error) + self._conversions()

    def _conversions(self) -> list[str]:
        """Tangents and seeds in the dtypes of what they belong to.

        What is stored into an array of integers would lose what is behind the point.
        """
        lines: list[str] = []
        for param in self.plan.params:
            nodes = list(leaves(param.tree)) if param.added else []
            # a seed of a number has the type of a Python float, whatever the value is
            like = leaves(self.graph.results[0]) if param.added == "value" and nodes else nodes
            for node, own in zip(nodes, like, strict=False):
                t = self.graph.types[own]
                weak = t.dtype == "float32" and param.added == "value"
                narrow = weak and self.module.target.functions == "numpy"
                is_array = self.graph.types[node].kind == "array"
                if not self.count[node] or not (is_array or narrow):
                    continue
                path = [str(step).lstrip(".") for step in self.graph.attrs[node][1]]
                name = "_".join([param.name, *path])
                if path:
                    name = self._claim(node, name if name.isidentifier() else param.name, False)
                text = self._atom(node).text
                if is_array:
                    np_name = self.root("numpy")
                    text = f"{np_name}.asarray({text}, dtype={np_name}.{t.dtype})"
                else:
                    text = f"{self.function('builtins.float')}({text})"
                lines.append(f"{name} = {text}")
                self.exprs[node] = Expr(name)
        return lines

    def _late_guards(self) -> list[str]:
        """The check of a seed whose lengths only the value tells, as of `x[x > 0]`."""
        graph, tests = self.graph, []
        seeds = [p.tree for p in self.plan.params if p.added == "value"]
        if seeds and self.plan.unpack is None:
            for seed, value in zip(leaves(seeds), leaves(graph.results[0]), strict=False):
                atoms = {a for n in graph.types[seed].shape if isinstance(n, Dim) for a in n.atoms}
                if not all(a.isidentifier() or a in QUOTIENTS for a in atoms):
                    tests.append((self.exprs[seed].text, self.exprs[value].text))
        error = self.function("builtins.ValueError") if tests else ""
        return value_shape_guard(self.plan.name, tests, error)

    def _known_lengths(self, arrays: Mapping[str, Shape]) -> Known:
        """What was unpacked that tells the lengths of arrays."""
        sizes = {size for shape in arrays.values() for size in shape if isinstance(size, Dim)}
        atoms = (Dim.symbol(atom) for size in sizes for atom in size.atoms)
        wanted: set[Any] = {*arrays.values(), *sizes, *atoms}
        told: dict[str, Shape] = {}
        lengths: dict[Size, str] = {}
        for node in self.plan.unpack or ():
            shape, size = self.graph.types[node].shape, self.graph.values[node]
            if self.graph.ops[node] == "axis_size" and size in wanted:
                lengths[size] = self.exprs[node].text
            elif not wanted.isdisjoint({shape, *shape}):
                told[self.exprs[node].text] = shape
                wanted -= {shape, *shape}
        return Known(told, lengths)

    def _unpack(self, saved: Sequence[int]) -> list[str]:
        names: list[str] = []
        for node in saved:
            path = self.graph.attrs[node] if self.graph.ops[node] == "param" else None
            wanted = _leaf_name(*path) if path else self.plan.given.get(node)
            size = self.graph.values[node]
            symbol = str(size) if isinstance(size, Dim) else ""
            wanted = wanted or (symbol if symbol.isidentifier() else f"saved_{len(names)}")
            names.append(self._claim(node, wanted, False))
            self.exprs[node] = Expr(names[-1])
        for like in self.plan.records:
            self.classes[like] = self._claim(_NEVER, f"type_{_leaf_name(*like)}", False)
            names.append(self.classes[like])
            self.module.unit.classes.append(names[-1])
        for node, (array, axis) in self.plan.told.items():
            rank = self.graph.types[array].rank
            self.exprs[node] = length(self, self.exprs[array], rank, axis)
        if not names:
            return []
        return [f"({names[0]},) = saved" if len(names) == 1 else f"{', '.join(names)} = saved"]

    def _write_node(self, node: int, parts: list[tuple[int, list[str]]]) -> None:
        """Spell a node, and write it as a statement where it is one; shorten what is too long."""
        graph = self.graph
        if self.grown and self._grow(node, parts):
            return
        while True:
            if graph.ops[node] in _UPDATES:
                self._write_update(node, parts)
                return
            expr = self._spell(node)
            if node in self.returned and not self._is_short(node, expr.text):
                self.statements.add(node)
            alone = node in self.statements
            room = WIDTH - self.indent - 3 - self._name_width(node) if alone else INLINE_WIDTH
            fits = len(expr.text) <= room or (alone and self._width(node, expr) <= room)
            if fits and expr.depth <= MAX_DEPTH + alone:
                break
            widest = self._widest_inlined(node, expr.depth > MAX_DEPTH + alone)
            if widest is None:
                break
            self._promote(widest, parts)
            if self.grown and self._grow(node, parts):
                return
        if not alone:
            self.exprs[node] = expr
            if self._deserves_a_name(node, expr):
                self._promote(node, parts)
            return
        self._put_statement(node, expr, parts)

    def _put_statement(self, node: int, expr: Expr, parts: list[tuple[int, list[str]]]) -> None:
        name = self._name_items(node) or self._name(node)
        self.exprs[node] = bare(name)
        if expr.text != name:
            parts.append((node, [f"{name} = {expr.text}"]))

    def _grow(self, node: int, parts: list[tuple[int, list[str]]]) -> bool:
        """Write a sum as `total += term`, where its first operand is a sum with a line of its own.

        The array that the line made is then read by nobody else, and gets the name of the whole.
        """
        graph = self.graph
        if not self._is_sum(node) or graph.args[node][0] not in self.grown:
            return False
        first, term = graph.args[node]
        name, sign = self.grown[first], "+" if graph.ops[node] == "add" else "-"
        text, negated = self.exprs[term].text, self.without_minus(term)
        if negated is not None:
            sign, text = "-" if sign == "+" else "+", negated
        self.statements.add(node)
        self.exprs[node] = Expr(name)
        self.names[node] = name
        if self._end_of_sum(node) is not None:
            self.grown[node] = name
        self.holders[name] = node
        parts.append((node, [f"{name} {sign}= {text}"]))
        return True

    def _is_sum(self, node: int) -> bool:
        """Whether it is a derived sum or difference of the type of its first operand, an array."""
        graph = self.graph
        if graph.ops[node] not in ("add", "sub") or graph.locs[node] is not None:
            return False
        t = graph.types[node]
        return t.kind == "array" and bool(t.shape) and graph.types[graph.args[node][0]] == t

    def _end_of_sum(self, node: int) -> int | None:
        """The whole of which a derived sum is the first part, and nobody else reads it."""
        graph = self.graph
        end, path = node, []
        while end not in self.ends and (
            self._is_sum(end) and self.count[end] == 1 and self.users.get(end)
        ):  # fmt: skip
            (user,) = self.users[end]
            if user not in self.own or not self._is_sum(user) or graph.args[user][0] != end:
                break
            path.append(end)
            end = user
            if end in self.statements:
                break
        else:
            end = self.ends.get(end, end)
        self.ends.update(dict.fromkeys(path, end))
        return None if end == node else end

    def _name_items(self, node: int) -> str:
        """The names of several results, as the targets of their statement; "" for one result."""
        found: Any = self.graph.types[node]
        if not isinstance(found, TupleType):
            return ""
        names = ["_"] * len(found.items)
        for item in dict.fromkeys(self.users.get(node, ())):
            name = names[self.graph.attrs[item]] = self._name(item)
            self.exprs[item] = Expr(name)
        return ", ".join(names) + ("," if len(names) == 1 else "")

    def _deserves_a_name(self, node: int, expr: Expr) -> bool:
        """Whether an expression is the adjoint of a value with a name, and no short one."""
        hint = self.graph.hints[node]
        return (
            len(expr.text) > NAMED_WIDTH and hint is not None
            and self.graph.locs[node] is None and _DERIVED(hint) is not None
        )  # fmt: skip

    def _width(self, node: int, expr: Expr) -> int:
        """What an expression needs; with an item a line, that is its widest item and a margin."""
        if self.graph.ops[node] not in _DISPLAYS:
            return len(expr.text)
        widest = max((len(self.exprs[a].text) for a in self.graph.args[node]), default=0)
        return min(len(expr.text), widest + 3 * len(INDENT))

    def _name_width(self, node: int) -> int:
        graph = self.graph
        return len(graph.names[node] or graph.hints[node] or "value") + 2

    def _widest_inlined(self, node: int, by_depth: bool) -> int | None:
        """The inlined argument that takes most room, or that is nested most; None if none is."""
        graph = self.graph
        found = [
            a for a in dict.fromkeys(graph.args[node])
            if a in self.own and a not in self.statements and graph.ops[a] not in _ATOMS
            and graph.ops[a] not in ALWAYS_INLINE and len(self.exprs[a].text) > 6
        ]  # fmt: skip
        if not found:
            return None
        if by_depth:
            return max(found, key=lambda a: (self.exprs[a].depth, len(self.exprs[a].text)))
        return max(found, key=lambda a: len(self.exprs[a].text))

    def _promote(self, node: int, parts: list[tuple[int, list[str]]]) -> None:
        """Make an inlined value a statement after all."""
        self.statements.add(node)
        expr = self.exprs[node]
        end = self._end_of_sum(node)
        if end is not None:
            self.grown[node] = self.names[node] = self._name(end)
        name = self._name(node)
        self.exprs[node] = bare(name)
        parts.append((node, [f"{name} = {expr.text}"]))

    def _write_update(self, node: int, parts: list[tuple[int, list[str]]]) -> None:
        """A functional update, in place where the buffer is fresh and read for the last time."""
        graph = self.graph
        buffer, new, *operands = graph.args[node]
        if self._may_overwrite(buffer, node):
            name = self.exprs[buffer].text
            self.names[node] = name
            self.holders[name] = node
        else:
            source = self.exprs[buffer]
            wanted = graph.names[node] or graph.names[buffer]
            if wanted is not None:
                name = self._claim(node, wanted, graph.locs[node] is not None)
            else:
                name = self._name(node)
            copied = f"{source.at(14)}.copy()"
            if graph.locs[node] is not None and graph.types[buffer].rank > 1:
                # in the order of its own memory, in which NumPy adds items up
                copied = call(f"{self.root('numpy')}.copy", [source]).text
            parts.append((node, [f"{name} = {copied}"]))
        self.exprs[node] = Expr(name)
        place = subscript(self, graph.attrs[node], [self.exprs[o] for o in operands])
        repeats = may_repeat(GraphBuilder(graph, share=False), operands)
        while True:
            value = self.exprs[new]
            if graph.ops[node] == "index_add" and repeats:
                np_name = self.root("numpy")
                whole = index_argument(graph.attrs[node], place, np_name)
                line = call(f"{np_name}.add.at", [name, whole, value]).text
            else:
                sign, text = self.stored(node)
                line = f"{name}[{place}] {sign} {text}"
            if len(line) + len(INDENT) <= WIDTH or value.text.isidentifier() or new not in self.own:
                break
            if new in self.statements or graph.ops[new] in _ATOMS:
                break
            self._promote(new, parts)
        parts.append((node, [line]))

    def stored(self, node: int) -> tuple[str, str]:
        """How a store is written: `=`, `+=`, or `*=` where the part that it replaces is read."""
        graph = self.graph
        buffer, new, *operands = graph.args[node]
        text, negated = self.exprs[new].text, self.without_minus(new)
        if graph.ops[node] == "index_add":
            return ("+=", text) if negated is None else ("-=", negated)
        inlined = new in self.own and new not in self.statements and graph.attrs[new] is None
        sign = _AUGMENTED.get(graph.ops[new]) if inlined else None
        if sign is not None:
            pairs = [graph.args[new]]
            if sign == "*=" and graph.locs[new] is None:
                pairs.append(pairs[0][::-1])
            for part, other in pairs:
                if (
                    graph.ops[part] == "index" and graph.attrs[part] == graph.attrs[node]
                    and graph.args[part] == (buffer, *operands) and part not in self.statements
                    and graph.types[part].shape == graph.types[new].shape
                ):  # fmt: skip
                    return sign, self.exprs[other].text
        return "=", text

    def without_minus(self, node: int) -> str | None:
        """What stands behind the minus sign that a value begins with; None where it has none."""
        value = self.exprs[node]
        if value.precedence != UNARY or value.text[0] != "-":
            return None
        if self.graph.ops[node] == "neg":
            operand = self.exprs[self.graph.args[node][0]].text
            if value.text == f"-({operand})":
                return operand
        return value.text[1:]

    def _may_overwrite(self, buffer: int, node: int) -> bool:
        graph = self.graph
        op = graph.ops[buffer]
        if buffer not in self.own or op in _ATOMS or (OPS[op].view and op != "copy"):
            picked = [graph.types[o].kind for o in graph.args[buffer][1:]] if op == "index" else []
            # what an array of indices picks is a copy
            if buffer not in self.own or "array" not in picked:
                return False
        return self.last[buffer] <= node

    def _in_order(self, parts: list[tuple[int, list[str]]], started: bool) -> list[str]:
        """The statements by node, with a blank line where the adjoints begin."""
        lines: list[str] = []
        backward = False
        for node, text in sorted(parts, key=lambda part: part[0]):
            if not backward and self.graph.locs[node] is None:
                late = self._late_guards()
                if lines or (started and self.plan.unpack is None):
                    lines.append("")
                lines += late
                backward = True
            lines += text
        return lines

    def _return(self) -> list[str]:
        tree = self.plan.results
        text = self._tree(tree).text
        if isinstance(tree, tuple) and len(tree) > 1:
            text = text[1:-1]
        return [f"return {text}"]

    def _tree(self, tree: Tree) -> Expr:
        if isinstance(tree, int):
            return self.exprs[tree] if tree in self.exprs else self._atom(tree)
        if isinstance(tree, Static):
            # a part that is no number has no derivative, but it has its place
            return Expr("None")
        if isinstance(tree, Record):
            words = [
                f"{f}={self._tree(v).text}" for f, v in zip(tree.fields, tree.values, strict=True)
            ]
            return call(self.classes.get(tree.like) or self._class_of(tree.like), words)
        if isinstance(tree, ClassOf):
            return Expr(self._class_of(tree.like))
        if isinstance(tree, dict):
            pairs = [Expr(f"{quoted(k)}: {self._tree(v).text}") for k, v in tree.items()]
            return sequence(pairs, "{", "}")
        brackets = "[]" if isinstance(tree, list) else "()"
        return sequence([self._tree(item) for item in tree], *brackets)

    def _class_of(self, like: Any) -> str:
        return f"{self.function('builtins.type')}({spell_path(*like)})"

    def signature(self) -> list[str]:
        """The lines of the `def`."""
        plan = self.plan
        words: list[str] = list(plan.extra_params)
        positional = [p for p in plan.params if p.positional_only]
        starred = False
        for param in plan.params:
            if param.keyword_only and not starred:
                words.append("*")
                starred = True
            default = "" if param.default is None else f"={_literal_text(param.default)}"
            words.append(param.name + default)
            if positional and param is positional[-1]:
                words.append("/")
        flat = f"def {plan.name}({', '.join(words)}):"
        if len(flat) <= WIDTH:
            return [flat]
        inner = INDENT + ", ".join(words)
        if len(inner) <= WIDTH:
            return [f"def {plan.name}(", inner, "):"]
        return [f"def {plan.name}(", *(f"{INDENT}{w}," for w in words), "):"]


# What raises nothing on floats.
_SILENT = {*_ATOMS, "add", "sub", "mul", "neg"}
_NEVER = -1


def _any_leaf(param: Param) -> int:
    return next((n for n in leaves(param.tree)), _NEVER)


def _records(tree: Tree) -> list[Any]:
    """What the records in a tree are rebuilt like, each once."""
    found: dict[Any, None] = {}
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, (Record, ClassOf)):
            found[item.like] = None
        if isinstance(item, Record):
            stack += reversed(item.values)
        elif isinstance(item, dict):
            stack += reversed(item.values())
        elif isinstance(item, (list, tuple)):
            stack += reversed(item)
    return list(found)


def spell_path(name: str, path: Sequence[Any]) -> str:
    """How a part of an argument is written: `params["W1"]`, `p[0]`, `p.x`."""
    text = name
    for step in path:
        if isinstance(step, str) and step.startswith("."):
            text += step
        else:
            text += f"[{quoted(step)}]"
    return text


def _literal_text(text: str) -> str:
    """The text of a number, of None or of a string, as formatters quote it."""
    return quoted(ast.literal_eval(text)) if text[:1] in "'\"" else text


def _leaf_name(name: str, path: Sequence[Any]) -> str:
    last = str(path[-1]).lstrip(".") if path else name
    return last if last.isidentifier() else f"{name}_{last}" if last.isalnum() else name


__all__ = ["FunctionWriter", "Location", "Refusal", "emit", "spell_path"]
