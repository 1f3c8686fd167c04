"""The graph: nodes are shared by what they are, defects are found, the dump is readable."""

import math

import pytest

from gradgen.graph import Graph, GraphBuilder, Record, dump, leaves, map_tree, verify
from gradgen.types import FLOAT, Dim, Type

VECTOR = Type("array", "float64", (Dim.symbol("n"),))


def built():
    """The graph of `2 * x + y`, for a vector and a number, and its builder."""
    b = GraphBuilder(Graph(name="f"))
    x, y = b.leaf("param", ("x", ()), VECTOR), b.leaf("param", ("y", ()), FLOAT)
    doubled = b.add("mul", b.const(2), x)
    b.named(doubled, "doubled")
    b.graph.results = b.add("add", doubled, y)
    return b, x, y


def test_constants_are_told_apart_by_type_and_bits():
    b = GraphBuilder(Graph())
    values = [1, 1.0, True, 0, 0.0, -0.0, False, math.nan, math.inf, -math.inf, 2**70]
    nodes = [b.const(v) for v in values]
    assert len(set(nodes)) == len(values)
    assert [b.const(v) for v in values] == nodes
    assert b.const(float("nan")) == nodes[values.index(math.nan)]


def test_the_type_of_a_constant_is_pythons():
    b = GraphBuilder(Graph())
    assert [b.type_of(b.const(v)).dtype for v in (1, 1.0, True)] == ["int", "float", "bool"]


def test_equal_operations_are_one_node():
    b, x, _ = built()
    count = len(b.graph)
    assert b.add("mul", b.const(2), x) == b.find("mul", b.const(2), x)
    assert len(b.graph) == count
    assert b.add("mul", x, b.const(2)) == count  # operands in another order are another node
    assert b.add("mul", b.const(2.0), x) != b.find("mul", b.const(2), x)
    assert b.add("sum", x, attr=(None, False, None)) != b.add("sum", x, attr=(None, True, None))


def test_an_operation_that_makes_a_fresh_array_is_never_shared():
    b, x, _ = built()
    assert b.add("zeros_like", x) != b.add("zeros_like", x)


def test_a_named_constant_stays_apart_from_its_equals():
    b = GraphBuilder(Graph())
    assert b.const(2.0, "rate") != b.const(2.0)
    assert b.const(2.0, "rate") == b.const(2.0, "rate")


def test_a_builder_on_a_finished_graph_knows_its_nodes():
    b, x, _ = built()
    again = GraphBuilder(b.graph)
    count = len(b.graph)
    again.add("mul", again.const(2), x)
    assert len(b.graph) == count


def test_numbers_are_computed_while_building_but_not_across_domain_errors():
    b = GraphBuilder(Graph())
    assert b.value_of(b.add("add", b.const(2), b.const(3))) == 5
    assert b.value_of(b.add("div", b.const(1), b.const(0))) is None
    assert b.value_of(b.add("log", b.const(-1.0), attr="math")) is None


def test_a_length_is_computed_from_the_arguments():
    b, x, _ = built()
    b.graph.lengths["n"] = (x, 0)
    node = b.size(2 * Dim.symbol("n") - 1)
    assert b.graph.ops[node] == "sub"
    assert b.value_of(node) == 2 * Dim.symbol("n") - 1
    assert b.value_of(b.size(7)) == 7
    verify(b.graph)


def _argument_after_node(graph):
    graph.args[-1] = (len(graph) - 1, 0)


def _negative_argument(graph):
    graph.args[-1] = (-1, 0)


def _wrong_type(graph):
    graph.types[-1] = Type("array", "float32", (Dim.symbol("n"),))


def _wrong_shape(graph):
    graph.types[-1] = Type("array", "float64", (Dim.symbol("m"),))


def _short_column(graph):
    graph.names.pop()


def _long_column(graph):
    graph.locs.append(None)


def _result_without_node(graph):
    graph.results = (graph.results, len(graph))


@pytest.mark.parametrize("plant", [
    _argument_after_node, _negative_argument, _wrong_type, _wrong_shape, _short_column,
    _long_column, _result_without_node,
])  # fmt: skip
def test_verify_finds_a_planted_defect(plant):
    graph = built()[0].graph
    verify(graph)
    plant(graph)
    with pytest.raises(AssertionError):
        verify(graph)


def test_the_dump_shows_one_node_a_line():
    assert dump(built()[0].graph).splitlines() == [
        "%0 = param  ('x', ()) : float64[n]",
        "%1 = param  ('y', ()) : float",
        "%2 = const  2 : int",
        "%3 = mul %2 %0 : float64[n]  # doubled",
        "%4 = add %3 %1 : float64[n]",
        "return 4",
    ]


def test_trees_keep_their_structure_and_order():
    tree = {"a": (1, [2, 3]), "b": Record("p", ("w", "c"), (4, {"k": 5}))}
    assert list(leaves(tree)) == [1, 2, 3, 4, 5]
    assert map_tree(lambda n: n * 10, tree) == {
        "a": (10, [20, 30]), "b": Record("p", ("w", "c"), (40, {"k": 50})),
    }  # fmt: skip


def test_a_deep_graph_is_verified_without_recursion():
    b = GraphBuilder(Graph())
    node = b.leaf("param", ("x", ()), FLOAT)
    for _ in range(5000):
        node = b.add("sin", node)
    b.graph.results = node
    verify(b.graph)
    assert len(dump(b.graph).splitlines()) == 5002


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("more", [0, 20])
def test_a_row_of_nodes_is_copied_as_they_are_one_by_one(merged, more):
    source = GraphBuilder(Graph(name="f"))
    x, y = (source.leaf("param", (name, ()), FLOAT) for name in "xy")
    last = source.add("sin", source.add("mul", x, y))
    source.label(last, None, "wave")
    last = source.add("sin", source.add("mul", y, y))  # where x and y are one, the same as before
    source.label(last, "square", None)
    for _ in range(more):
        last = source.add("sin", last)

    def copied(in_row):
        b = GraphBuilder(Graph(name="f"))
        b.leaf("param", ("x", ()), FLOAT)
        mapping = [0, 0 if merged else b.leaf("param", ("y", ()), FLOAT)]
        mapping += [-1] * (len(source.graph) - 2)
        rows = range(2, len(source.graph))
        if in_row:
            b.copy_run(source.graph, rows.start, rows.stop, mapping)
        else:
            for node in rows:
                mapping[node] = b.copy_node(source.graph, node, mapping)
        return mapping, dump(b.graph), b.graph.hints, b.add("sin", mapping[-1])

    assert copied(True) == copied(False)
    assert len(set(copied(True)[0])) == len(source.graph) - (3 if merged else 0)


@pytest.mark.parametrize("there", [(), (1.0, -0.0)])
def test_a_row_with_sources_in_it_is_copied_as_they_are_one_by_one(there):
    values = [1, 1.0, True, 0, 0.0, -0.0, math.nan]
    source = GraphBuilder(Graph(name="f"))
    x = source.leaf("param", ("x", ()), FLOAT)
    for value in values:
        x = source.add("add", x, source.const(value))
    x = source.add("mul", x, source.const(1.0, "rate"))
    source.add("mul", source.constant("numpy.pi", math.pi), source.leaf("seed", ("s", ()), FLOAT))

    def copied(in_row):
        b = GraphBuilder(Graph(name="f"))
        for value in there:
            b.const(value)
        mapping = [-1] * len(source.graph)
        if in_row:
            b.copy_run(source.graph, 0, len(source.graph), mapping)
        else:
            for node in range(len(source.graph)):
                mapping[node] = b.copy_node(source.graph, node, mapping)
        verify(b.graph)
        known = [b.const(value) for value in values]
        return mapping, dump(b.graph), b.graph.names, known, b.leaf("param", ("x", ()), FLOAT)

    assert copied(True) == copied(False)
    assert len(set(copied(True)[3])) == len(values)
