"""Intervals, branch points and samples: what they hold and tell apart, of numbers by hand."""

import ast
import math
from types import SimpleNamespace

import numpy as np
import pytest

from gradgen.errors import GradgenError
from gradgen.oracles import branch, rounding, sample
from gradgen.oracles.domain import assumptions, check_names, dotted, of_leaf, parse_domain
from gradgen.oracles.intervals import (
    _RULES,
    ALL,
    Interval,
    intervals,
    narrowing,
    points,
    related,
)
from gradgen.oracles.sample import samples
from gradgen.oracles.subject import from_function

INF = math.inf


def closed(low, high):
    return Interval(low, high)


def opened(low, high):
    return Interval(low, high, True, True)


# -- intervals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interval", "inside", "outside"), [
    (closed(-1, 2), (-1, 0, 2), (-1.1, 2.1, math.nan)),
    (opened(-1, 2), (-0.9, 1.9), (-1, 2)),
    (Interval(-1, 2, low_open=True), (2, 0), (-1,)),
    (Interval(-1, 2, high_open=True), (-1, 0), (2,)),
    (points((1.0, 3.0)), (1, 3), (2, 0)), (ALL, (-INF, INF, 0), (math.nan,)),
])  # fmt: skip
def test_an_interval_holds_what_lies_between_its_ends(interval, inside, outside):
    assert all(v in interval for v in inside)
    assert not any(v in interval for v in outside)


@pytest.mark.parametrize(("interval", "empty"), [
    (closed(1, 1), False), (Interval(1, 1, low_open=True), True), (opened(1, 2), False),
    (Interval(1, 1, high_open=True), True), (closed(2, 1), True), (points(()), True),
    (points((0.0,)), False), (opened(1, 1), True),
])  # fmt: skip
def test_an_interval_without_numbers_is_empty(interval, empty):
    assert interval.is_empty is empty


@pytest.mark.parametrize(("one", "other", "both"), [
    (closed(0, 2), closed(1, 3), closed(1, 2)),
    (closed(0, 2), opened(0, 2), opened(0, 2)),
    (opened(0, 3), closed(0, 2), Interval(0, 2, low_open=True)),
    (points((0.0, 1.0, 2.0)), opened(0, 3), points((1.0, 2.0))),
    (ALL, closed(0, 1), closed(0, 1)),
])  # fmt: skip
def test_two_intervals_meet_in_what_both_hold(one, other, both):
    assert one.meet(other) == both
    assert other.meet(one) == both


def test_the_hull_holds_both_and_no_more():
    assert closed(0, 1).hull(closed(2, 3)) == closed(0, 3)
    assert opened(0, 1).hull(closed(0, 1)) == closed(0, 1)
    assert opened(0, 1).hull(closed(0.5, 0.6)) == opened(0, 1)


ALWAYS = [
    (closed(0, 1), ">", 0, False), (opened(0, 1), ">", 0, True), (closed(0.5, 1), ">", 0, True),
    (closed(0, 1), ">=", 0, True), (closed(-1, 1), ">=", 0, False), (closed(0, 1), "<", 1, False),
    (opened(0, 1), "<", 1, True), (closed(0, 1), "<", 2, True), (closed(0, 1), "<=", 1, True),
    (closed(0, 2), "<=", 1, False), (closed(1, 1), "==", 1, True), (closed(0, 1), "==", 1, False),
    (closed(1, 1), "==", 2, False), (closed(0, 1), "!=", 0, False), (opened(0, 1), "!=", 0, True),
    (closed(1, 2), "!=", 0, True), (closed(-2, -1), "!=", 0, True), (closed(-1, 1), "!=", 0, False),
    (points((-1.0, 1.0)), "!=", 0, True), (points((-1.0, 1.0)), "!=", 1, False),
    (opened(0, 1), "!=", 1, True), (opened(-1, 0), ">", 0, False), (opened(1, 2), "<", 1, False),
]  # fmt: skip


@pytest.mark.parametrize(("interval", "relation", "bound", "always"), ALWAYS)
def test_a_relation_holds_of_an_interval_if_it_does_of_every_number(
    interval, relation, bound, always
):
    assert interval.always(relation, bound) is always


@pytest.mark.parametrize("relation", ["<", "<=", ">", ">=", "=="])
def test_the_numbers_of_a_relation_are_those_of_which_it_holds(relation):
    held = related(relation, 1.0)
    for v in (0.5, 1.0, 1.5):
        assert (v in held) is {
            "<": v < 1, "<=": v <= 1, ">": v > 1, ">=": v >= 1, "==": v == 1
        }[relation]  # fmt: skip
    assert related("!=", 1.0) == ALL


RULES = [
    ("add", (closed(1, 2), closed(10, 20)), closed(11, 22)),
    ("add", (Interval(0, 1, low_open=True), closed(0, 1)), Interval(0, 2, low_open=True)),
    ("add", (Interval(1, 2, low_open=True), closed(0, 1)), closed(1, 3)),
    ("add", (Interval(-1, 0, high_open=True), closed(-1, 0)), Interval(-2, 0, high_open=True)),
    ("add", (closed(-INF, 0), closed(INF, INF)), ALL),
    ("add", (closed(0, INF), closed(-1, 2)), closed(-1, INF)),
    ("sub", (closed(1, 2), closed(10, 20)), closed(-19, -8)),
    ("neg", (Interval(1, 2, low_open=True),), Interval(-2, -1, high_open=True)),
    ("mul", (closed(-2, 3), closed(-5, 7)), closed(-15, 21)),
    ("mul", (closed(0, 1), closed(0, INF)), closed(0, INF)),
    ("mul", (closed(-2, -1), closed(-4, -3)), closed(3, 8)),
    ("abs", (closed(-3, 2),), closed(0, 3)), ("abs", (opened(1, 2),), opened(1, 2)),
    ("abs", (opened(-2, -1),), opened(1, 2)), ("abs", (closed(-2, 3),), closed(0, 3)),
    ("square", (closed(-3, 2),), closed(0, 9)), ("square", (closed(1, 2),), closed(1, 4)),
    ("reciprocal", (closed(2, 4),), closed(0.25, 0.5)),
    ("reciprocal", (closed(-4, -2),), closed(-0.5, -0.25)),
    ("reciprocal", (closed(-1, 1),), ALL), ("reciprocal", (closed(0, 2),), closed(0.5, INF)),
    ("reciprocal", (closed(0, INF),), closed(0, INF)),
    ("reciprocal", (closed(0, 0),), closed(INF, INF)),
    ("maximum", (closed(0, 2), closed(1, 3)), closed(1, 3)),
    ("maximum", (Interval(1, 2, low_open=True), closed(1, 3)), Interval(1, 3, low_open=True)),
    ("minimum", (closed(0, 2), closed(1, 3)), closed(0, 2)),
    ("clip", (closed(-9, 9), closed(0, 0), closed(2, 2)), closed(0, 2)),
    ("where", (ALL, closed(0, 1), closed(3, 4)), closed(0, 4)),
    ("sum", (closed(0, 1),), closed(0, INF)), ("sum", (closed(-1, 0),), closed(-INF, 0)),
    ("sum", (closed(-1, 1),), ALL), ("mean", (closed(0, 1),), closed(0, 1)),
    ("mean", (closed(0.1, 1),), closed(-INF, 1)), ("mean", (closed(0, 0.1),), closed(0, INF)),
    ("mean", (closed(-INF, INF),), ALL), ("prod", (closed(0, 2),), closed(0, INF)),
    ("prod", (closed(-1, 2),), ALL), ("mod", (ALL, closed(0, 3)), closed(0, 3)),
    ("mod", (ALL, closed(-1, 3)), ALL), ("logaddexp", (closed(1, 2), closed(3, 4)), closed(3, INF)),
    ("sqrt", (Interval(0, INF, low_open=True),), Interval(0, INF, low_open=True)),
    ("sqrt", (closed(-1, 0),), closed(0, 0)), ("floor", (closed(-INF, 0),), closed(-INF, 0)),
    ("tanh", (ALL,), closed(-1, 1)), ("exp", (ALL,), closed(0, INF)),
    ("log", (closed(0, INF),), ALL), ("expm1", (ALL,), closed(-1, INF)),
    ("exp", (closed(0, 1000),), Interval(math.nextafter(math.nextafter(1, 0), 0), INF)),
    ("cosh", (ALL,), closed(1, INF)), ("cosh", (closed(-1000, 1),), closed(1, INF)),
    ("sin", (ALL,), closed(-1, 1)), ("index_set", (closed(0, 1), closed(5, 6), ALL), closed(0, 6)),
    ("stack", (closed(0, 1), closed(5, 6), closed(-1, 0)), closed(-1, 6)),
    ("max", (points((1.0, 2.0)),), closed(1, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "expected"), RULES)
def test_the_interval_of_a_result_is_this(name, args, expected):
    assert _RULES[name](*args) == expected


@pytest.mark.parametrize(("name", "args", "low", "high"), [
    ("div", (closed(1, 2), closed(3, 4)), 0.25, 2 / 3), ("sqrt", (closed(2, 3),), 2**0.5, 3**0.5),
    ("exp", (closed(1, 2),), math.e, math.exp(2)),
    ("log", (closed(2, 3),), math.log(2), math.log(3)),
    ("sinh", (closed(-1, 2),), math.sinh(-1), math.sinh(2)),
    ("arctan", (closed(-1, 2),), math.atan(-1), math.atan(2)),
    ("floor", (closed(-1.5, 2.5),), -2, 2), ("ceil", (closed(-1.5, 2.5),), -1, 3),
    ("exp2", (closed(-1, 3),), 0.5, 8), ("cosh", (closed(-2, 1),), 1.0, math.cosh(2)),
])  # fmt: skip
def test_rounded_bounds_are_moved_outward_and_hardly(name, args, low, high):
    found = _RULES[name](*args)
    assert found.low <= low and found.high >= high
    assert found.low == pytest.approx(low, rel=1e-15) and found.high == pytest.approx(
        high, rel=1e-15
    )
    if name != "cosh":
        assert found.low < low and found.high > high


def of_power(x, text):
    """The interval of a power of a parameter."""
    graph = from_function(POWERS[text], "x", "x=scalar").graph
    (node,) = [n for n, op in enumerate(graph.ops) if op in ("power", "mul")]
    (leaf,) = [n for n, op in enumerate(graph.ops) if op == "param"]
    return intervals(graph, {leaf: x})[node]


POWERS = {
    "x**2": lambda x: x**2, "x**3": lambda x: x**3, "x**-1": lambda x: x**-1,
    "x**-2": lambda x: x**-2, "x**0.5": lambda x: x**0.5, "x**0": lambda x: x**0,
    "x*x": lambda x: x * x, "x**x": lambda x: x**x,
}  # fmt: skip


@pytest.mark.parametrize(("text", "x", "low", "high"), [
    ("x**2", closed(-3, 2), 0, 9), ("x**2", closed(1, 2), 1, 4), ("x**3", closed(-2, 3), -8, 27),
    ("x**-1", closed(2, 4), 0.25, 0.5), ("x**-1", closed(-1, 4), -INF, INF),
    ("x**-2", closed(-4, -2), 1 / 16, 0.25), ("x**0.5", closed(4, 9), 2, 3),
    ("x**0.5", closed(-4, 9), 0, 3), ("x**0", closed(-4, 9), 1, 1), ("x*x", closed(-3, 2), 0, 9),
    ("x**x", closed(0, 2), 0, INF), ("x**x", closed(-1, 2), -INF, INF),
])  # fmt: skip
def test_the_interval_of_a_power_is_this(text, x, low, high):
    found = of_power(x, text)
    assert found.low <= low and high <= found.high
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-14)


def test_only_a_product_with_itself_is_a_square():
    def bounds(f, shapes, x, y):
        graph = from_function(f, "x", shapes).graph
        one, other = (n for n, op in enumerate(graph.ops) if op == "param")
        return intervals(graph, {one: x, other: y})[-1]

    both = closed(-1, 1), closed(-2, 2)
    assert bounds(lambda x, y: x * y, "x=scalar, y=scalar", *both) == closed(-2, 2)
    assert bounds(lambda x, y: x @ y, "x=2, y=2", *both) == ALL
    assert bounds(lambda x, y: y @ y, "x=2, y=2", *both) == closed(0, INF)
    assert bounds(lambda x, y: np.sum(y @ y), "x=2, y=2 2", *both) == ALL
    assert bounds(lambda x, y: x @ y, "x=2, y=2", closed(0, 1), closed(0, 2)) == closed(0, INF)


def masked(x, y):
    return np.where(~((x > 1) & (y <= 2)) | (y == 3), x, y)


def test_a_condition_narrows_what_it_compares():
    graph = from_function(masked, "x", "x=scalar, y=scalar").graph
    x, y = (n for n, op in enumerate(graph.ops) if op == "param")
    node = {op: n for n, op in enumerate(graph.ops)}
    assert narrowing(graph, node["gt"], True) == {x: Interval(1, INF, low_open=True)}
    assert narrowing(graph, node["gt"], False) == {x: closed(-INF, 1)}
    (two,) = [n for op, n in node.items() if op in ("le", "ge")]
    assert narrowing(graph, two, True)[y] == closed(-INF, 2)
    assert narrowing(graph, two, False)[y] == Interval(2, INF, low_open=True)
    assert narrowing(graph, node["eq"], True)[y] == closed(3, 3)
    assert narrowing(graph, node["eq"], False)[y] == ALL
    both = {x: Interval(1, INF, low_open=True), y: closed(-INF, 2)}
    assert {n: narrowing(graph, node["bitand"], True)[n] for n in (x, y)} == both
    assert narrowing(graph, node["bitand"], False) == {}
    assert {n: narrowing(graph, node["invert"], False)[n] for n in (x, y)} == both
    assert narrowing(graph, node["bitor"], True) == {}
    told = narrowing(graph, node["bitor"], False)
    assert {n: told[n] for n in (x, y)} == both


def test_what_is_known_of_a_node_holds_with_what_is_computed():
    graph = from_function(lambda x: np.exp(x) + 1.0, "x", "x=scalar").graph
    node = {op: n for n, op in enumerate(graph.ops)}
    found = intervals(graph, {node["param"]: ALL}, {node["exp"]: closed(-5, 2)})
    assert found[node["exp"]] == closed(0, 2)
    assert found[node["add"]] == closed(1, 3)
    nothing = intervals(graph, {node["param"]: closed(2, 1)})
    assert nothing[node["exp"]] == ALL


# -- the domain ------------------------------------------------------------------------------------


def test_what_is_declared_of_a_structure_holds_for_its_parts():
    leaf = SimpleNamespace(text="p['W'][0]")
    domain = parse_domain("p > 0, p.W < 5, p.W.0 >= 1, p.W.01 > 7, pp > 9, W > 9")
    assert of_leaf(domain, leaf) == Interval(1, 5, high_open=True)
    assert dotted('p["W"][0]') == "p.W.0"


def test_declarations_that_leave_no_number_for_a_part_are_refused():
    subject = from_function(lambda p: p["a"] + p["b"], "p", "p.a=scalar, p.b=scalar")
    check_names(subject, parse_domain("p > 0, p.a < 5"))
    with pytest.raises(Exception, match=r"domain: no number is left for p\.a"):
        check_names(subject, parse_domain("p > 0, p.a < -5"))


def test_what_is_assumed_of_a_matrix_as_a_whole_is_told_where_it_is_differentiated():
    def f(A, B):
        return np.sum(np.linalg.inv(A)) + np.sum(np.linalg.cholesky(B))

    def told(wrt):
        subject = from_function(f, wrt, "A=2 2, B=2 2")
        return [a.text.partition(" (")[0] for a in assumptions(subject) if a.kind == "matrix"]

    assert told(("A", "B")) == ["A is invertible", "B is positive definite"]
    assert told("A") == ["A is invertible"]


@pytest.mark.parametrize(("domain", "told"), [
    ("", True), ("x in [0, 5]", True), ("x >= 6", False), ("x < 5", False),
])  # fmt: skip
def test_a_branch_point_that_the_domain_keeps_off_is_not_told(domain, told):
    for f in (lambda x: np.maximum(x, 5.0), lambda x: np.where(x < 5.0, x, x * x)):
        found = assumptions(from_function(f, "x", "x=scalar"), parse_domain(domain))
        assert [(a.kind, a.text.partition(" (")[0]) for a in found] == (
            [("branch", "x != 5.0")] if told else []
        )


def test_the_base_of_a_variable_exponent_is_assumed_above_0_unless_it_is_an_integer():
    for shapes, told in (("x=scalar, n=scalar", True), ("x=scalar, n=scalar:int64", False)):
        found = assumptions(from_function(lambda x, n: x**n, "x", shapes))
        assert ["x > 0 (base of a power with a variable exponent" in a.text for a in found] == (
            [True] if told else []
        )


# -- branch points ---------------------------------------------------------------------------------


def sides(op, *values):
    return [
        np.asarray(part).tobytes() for part in branch._sides(op, [np.asarray(v) for v in values])
    ]


SIDES = [
    # the operation, operands on one side of its branch points, and operands on others
    ("abs", [(1.0,), (2.0,), (1e-300,)], [(-1.0,), (0.0,)]),
    ("maximum", [(1.0, 2.0), (-5.0, 3.0)], [(2.0, 2.0), (3.0, 2.0)]),
    ("maximum", [(INF, INF), (1.0, 1.0)], [(1.0, INF)]),
    ("lt", [(1.0, 2.0), (1.5, 2.0)], [(2.0, 2.0), (3.0, 2.0)]),
    ("clip", [(1.0, 0.0, 2.0), (1.5, 0.0, 2.0), (1.2, 1.0, 1.5)],
     [(0.0, 0.0, 2.0), (2.0, 0.0, 2.0), (-1.0, 0.0, 2.0), (3.0, 0.0, 2.0), (1.0, 3.0, 2.0)]),
    ("huber", [(2.0, 1.0), (2.0, -1.5)], [(2.0, 2.0), (2.0, -3.0)]),
    ("floor", [(1.2,), (1.3,)], [(1.0,), (0.9,), (2.2,), (1.6,), (1.5,)]),
    ("rint", [(1.6,), (1.9,)], [(1.5,), (1.4,), (2.0,)]),
    ("mod", [(2.2, 2.0), (2.4, 2.0)], [(2.0, 2.0), (1.9, 2.0), (4.2, 2.0)]),
    ("math_remainder", [(2.2, 2.0), (2.8, 2.0)], [(3.0, 2.0), (3.2, 2.0), (2.0, 2.0), (1.8, 2.0)]),
    ("sort", [([1e-20, 2e-20],)], [([2e-20, 1e-20],), ([2e-20, 2e-20],)]),
    ("frexp", [(1.2,), (1.9,)], [(2.0,), (0.9,)]),
    ("sort", [([1.0, 3.0, 2.0],), ([1.0, 9.0, 2.0],)],
     [([1.0, 2.0, 3.0],), ([1.0, 2.0, 2.0],), ([3.0, 3.0, 2.0],)]),
    ("max", [([1.0, 2.0],), ([0.0, 5.0],)], [([2.0, 1.0],), ([2.0, 2.0],)]),
    ("interp", [(1.5, [1.0, 2.0], [0.0, 9.0]), (1.6, [1.0, 2.0], [0.0, 9.0])],
     [(2.5, [1.0, 2.0], [0.0, 9.0]), (2.0, [1.0, 2.0], [0.0, 9.0])]),
    ("exact", [(3,), (3,)], [(4,)]),
]  # fmt: skip


@pytest.mark.parametrize(("op", "same", "others"), SIDES)
def test_operands_on_two_sides_of_a_branch_point_are_told_apart(op, same, others):
    first, *rest = (sides(op, *values) for values in same)
    assert all(other == first for other in rest)
    for values in others:
        assert sides(op, *values) != first, values


def steps_in(x):
    return np.floor(x) * x + x * len([x])


def test_a_watch_sees_the_side_of_its_arguments_and_none_where_there_is_no_value():
    watch = branch.Watch(from_function(steps_in, "x", "x=scalar"))
    assert watch.unknown == "" and len(watch.watched) == 1
    assert watch.side({"x": 1.2}) == watch.side({"x": 1.3}) != watch.side({"x": 2.2})
    smooth = branch.Watch(from_function(lambda x: x * np.exp(x), "x", "x=scalar"))
    assert smooth.side({"x": 1.0}) == smooth.side({"x": -9.0}) == b""

    def raises(x):
        return abs(math.log(x)) * x

    broken = branch.Watch(from_function(raises, "x", "x=scalar"))
    assert broken.side({"x": 0.5}) == broken.side({"x": 0.4}) != broken.side({"x": 2.0})
    assert broken.side({"x": -1.0}) is None


def test_a_branch_on_what_is_not_differentiated_is_not_watched():
    def fixed(x, c):
        return x * np.abs(c) + np.where(c > 0, x, 2.0 * x)

    subject = from_function(fixed, "x", "x=scalar, c=scalar")
    assert branch.Watch(subject).watched == []
    subject = from_function(fixed, ("x", "c"), "x=scalar, c=scalar")
    assert sorted(op for op, _ in branch.Watch(subject).watched) == ["absolute", "gt"]


def test_a_branch_that_the_value_does_not_need_is_not_watched():
    def two(x):
        return x * x, np.abs(x)

    assert branch.Watch(from_function(two, "x", "x=scalar", output=0)).watched == []
    (watched,) = branch.Watch(from_function(two, "x", "x=scalar", output=1)).watched
    assert watched == ("absolute", (0,))


def test_a_branch_that_cannot_be_watched_is_told(monkeypatch):
    def fails(*_):
        raise GradgenError("no probe")

    monkeypatch.setattr(branch, "probe", fails)
    watch = branch.Watch(from_function(lambda x: np.abs(x) * np.floor(x), "x", "x=scalar"))
    assert watch.unknown == "the branches of abs, floor cannot be watched: no probe"
    assert watch.side({"x": 1.0}) == watch.side({"x": -1.0}) == b""
    edges = branch.Edges(from_function(lambda x: np.sqrt(x), "x", "x=scalar"))
    assert not edges.touched({"x": np.float64(0.0)})


def test_an_edge_is_where_an_operation_has_a_value_and_maybe_no_slope():
    edges = branch.Edges(from_function(lambda x: np.sqrt(x) + x, "x", "x=scalar"))
    assert edges.touched({"x": np.float64(0.0)})
    assert edges.touched({"x": np.float64(-1.0)})
    assert not edges.touched({"x": np.float64(5e-324)})
    free = branch.Edges(from_function(lambda x: np.exp(x), "x", "x=scalar"))
    assert not free.touched({"x": np.float64(0.0)})
    several = branch.Edges(from_function(lambda x: np.sum(np.sqrt(x)), "x", "x=3"))
    assert several.touched({"x": np.array([1.0, 0.0, 2.0])})
    assert not several.touched({"x": np.array([1.0, 3.0, 2.0])})


# -- other roundings -------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [
    ("a + b", "R(a + b)"), ("a // b", "a // b"), ("-a", "-a"), ("np.exp(a)", "R(np.exp(a))"),
    ("np.where(a, b * c, d)", "np.where(a, R(b * c), d)"), ("x.sum(axis=0)", "R(x.sum(axis=0))"),
    ("np.abs(a - b)", "np.abs(R(a - b))"), ("a > b", "a > b"), ("x[0] ** 2", "R(x[0] ** 2)"),
    ("exp(a // (b * c))", "R(exp(a // R(b * c)))"), ("f(a)(b)", "R(R(f(a))(b))"),
])  # fmt: skip
def test_what_rounds_is_wrapped_and_nothing_else(text, expected):
    tree = rounding._Wrap().visit(ast.parse(text, mode="eval"))
    assert ast.unparse(tree).replace(rounding._ROUNDED, "R") == expected


@pytest.fixture
def rounded():
    subject = from_function(lambda x: np.sum(x * x), "x", "x=3")
    return rounding.Rounded(subject, np.random.default_rng(0))


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_a_number_is_rounded_by_up_to_two_units_and_keeps_its_type(kind, rounded):
    eps = float(np.finfo(kind).eps)
    one = np.ones(400, kind)
    moved = rounded._rounded(one)
    assert moved.dtype == kind and moved.shape == (400,)
    off = (moved.astype(float) - 1.0) / eps
    assert set(off) == {-2.0, -1.0, -0.5, 0.0, 1.0, 2.0}  # half a unit above 1 is rounded to even
    assert np.all(one == 1.0)
    drawn = [rounded._rounded(kind(1)) for _ in range(60)]
    assert {type(d) for d in drawn} == {kind}
    assert {(float(d) - 1.0) / eps for d in drawn} == set(off)


def test_a_python_number_is_rounded_too_and_an_integer_never(rounded):
    off = {(rounded._rounded(1.0) - 1.0) * 2.0**52 for _ in range(60)}
    assert off == {-2.0, -1.0, -0.5, 0.0, 1.0, 2.0}
    for whole in (3, np.arange(3), np.int64(2), np.array([True]), None, "text"):
        assert rounded._rounded(whole) is whole


def test_roundings_move_the_value_and_each_entry_by_a_few_units(rounded):
    values = {"x": np.array([1.0, 1000.0, 0.0])}
    noise, moved = rounding.spread(rounded, values)
    assert 0 < noise <= 12e6 * 2.0**-52
    assert (moved["x"] <= np.array([2.0, 2000.0, 0.0]) * 6 * 2.0**-52).all()
    assert (moved["x"][:2] > 0).all() and moved["x"][2] == 0.0
    assert values["x"].tolist() == [1.0, 1000.0, 0.0]


def test_roundings_of_the_arguments_alone_move_what_copies_them():
    subject = from_function(lambda x, y, k: x * y, ("x", "y"), "x=scalar, y=scalar, k=scalar:int64")
    rounded = rounding.Rounded(subject, np.random.default_rng(0))
    noise, moved = rounding.spread(rounded, {"x": 3.0, "y": 5.0, "k": np.int64(7)})
    assert 0 < moved["x"] <= 5.0 * 2 * 2.0**-52  # the derivative by x is y itself
    assert 0 < moved["y"] <= 3.0 * 2 * 2.0**-52
    assert 0 < noise <= 15.0 * 7 * 2.0**-52


def test_what_raises_moves_nothing():
    runs = iter([None, (3.0, {"x": np.array([2.0])}), *[None] * 9])
    fake = SimpleNamespace(plain=lambda v: (1.0, {"x": np.array([1.5])}), run=lambda v: next(runs),
                           unseen=lambda text: {"x": 0.25}[text])  # fmt: skip
    # what is not seen by running is added
    assert rounding.spread(fake, {}) == (2.0, {"x": np.array([0.5 + 0.25])})
    broken = SimpleNamespace(plain=lambda v: None, run=lambda v: (1.0, {}))
    assert rounding.spread(broken, {}) == (0.0, {})


def test_only_finite_changes_count():
    most = rounding._most(np.array([1.0, 1.0, 1.0, 1.0]), np.array([5.0, math.nan, INF, 2.5]),
                          np.array([2.0, 0.0, 0.0, 2.0]))  # fmt: skip
    assert most.tolist() == [3.0, 1.0, 1.0, 1.0]
    assert rounding._most(np.array([1.0]), np.ones(2), np.ones(2)).tolist() == [1.0]


# -- samples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "x in [2, 3]", "x in (2, 3)", "x > 2", "x >= 1e5", "x < -3", "x <= 1e-3", "x in [1e-6, 1e6]",
    "x in (0, 5e-324]", "x in {-1, 4}", "x == 2",
])  # fmt: skip
@pytest.mark.parametrize("kind", ["ordinary", "wide", "edge"])
def test_every_sample_lies_in_the_domain(text, kind):
    domain = parse_domain(text)
    subject = from_function(lambda x: np.sum(x), "x", "x=20")
    drawn = list(samples(subject, 12, 0, domain, kind))
    assert len(drawn) == 12
    assert all(float(v) in domain["x"] for held in drawn for v in held["x"])


def test_an_interval_of_many_decades_is_drawn_in_all_of_them():
    random = np.random.default_rng(0)
    drawn = sample._between(random, (4000,), closed(1e-6, 1e6))
    assert abs((drawn < 1).mean() - 0.5) < 0.05
    even = sample._between(random, (4000,), closed(1.0, 100.0))
    assert abs((even < 50.5).mean() - 0.5) < 0.05


def test_wide_samples_have_all_magnitudes_and_both_signs():
    random = np.random.default_rng(0)
    drawn = np.array([sample._magnitudes(random, (3,), 300.0, ALL) for _ in range(300)])
    size = np.log10(np.abs(drawn))
    assert size.min() < -250 and size.max() > 250 and np.abs(size).max() <= 300
    assert 0.4 < (drawn > 0).mean() < 0.6
    near = np.array([sample._magnitudes(random, (1,), 30.0, closed(2, 4)) for _ in range(300)])
    assert near.min() == 2.0 and near.max() == 4.0
    assert np.log10(np.min((near - 2.0)[near > 2.0])) < -10
    assert (np.array([sample._magnitudes(random, (1,), 9.0, related("<", 3.0)) for _ in range(99)])
            < 3.0).all()  # fmt: skip


def test_a_value_has_the_type_of_its_leaf():
    def typed(kind, dtype):
        return sample.as_type(np.array(1.0), SimpleNamespace(kind=kind, dtype=dtype))

    assert type(typed("py", "float")) is float and type(typed("py", "int")) is int
    assert type(typed("py", "bool")) is bool and type(typed("scalar", "float32")) is np.float32
    assert typed("array", "float32").dtype == np.float32
    assert isinstance(typed("array", "float64"), np.ndarray)


@pytest.mark.parametrize(("value", "finite"), [
    (1.0, True), (3, True), (True, True), (np.ones(2), True), (math.nan, False), (INF, False),
    (np.array([1.0, -INF]), False), (1j, False), ("1", False), (None, False),
])  # fmt: skip
def test_a_value_is_finite_if_every_number_in_it_is_real_and_is(value, finite):
    assert sample.is_finite(value) is finite
