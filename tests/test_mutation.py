"""The mutator makes the errors that it should, and the oracles notice them."""

import ast

import pytest
from mutation_code import GROUPS, place_of
from mutation_rules import Rule, killer_of, rule_mutants, wrong_texts
from mutators import changed, code_variants

import gradgen
from gradgen.ops import CALLS, METHODS, OPS


def test_a_derivative_text_is_changed_in_every_way_that_is_named():
    wrong = wrong_texts("where(x > y, 0.5 * g, -sin(out) / y)", 2)
    for text in (
        "-(where(x > y, 0.5 * g, -sin(out) / y))",
        "where(x >= y, 0.5 * g, -sin(out) / y)",
        "where(x < y, 0.5 * g, -sin(out) / y)",
        "where(x > y, 0.5 / g, -sin(out) / y)",
        "where(x > y, 1.0 * g, -sin(out) / y)",
        "where(x > y, 0.5 * 1.0, -sin(out) / y)",
        "where(x > y, 0.5 * g, sin(out) / y)",
        "where(x > y, 0.5 * g, -cos(out) / y)",
        "where(x > y, 0.5 * g, -sin(x) / y)",
        "where(x > y, 0.5 * g, -sin(out) * y)",
        "where(y > y, 0.5 * g, -sin(out) / y)",
        "where(x > y, -sin(out) / y, 0.5 * g)",
        "0.5 * g",
    ):
        assert text in wrong
    assert len(set(wrong)) == len(wrong)


def test_a_function_is_changed_in_every_way_that_is_named():
    source = (
        "def f(a, b):\n"
        '    """About a."""\n'
        "    if not a or b < 2:\n"
        "        raise ValueError('a' + 'b')\n"
        "    total = a - 1\n"
        "    return (total, True)\n"
    )
    tree = ast.parse(source).body[0]
    made = {ast.unparse(t) for _, t in changed(tree, code_variants)}
    for old, new in (
        ("not a or b < 2", "not a and b < 2"), ("not a or b < 2", "b < 2"),
        ("not a or b < 2", "not a"), ("not a or b < 2", "a or b < 2"), ("b < 2", "b <= 2"),
        ("b < 2", "b < 3"), ("b < 2", "b < 1"), ("b < 2", "b > 2"),
        ("if not a or b < 2:", "if not (not a or b < 2):"), ("raise ValueError('a' + 'b')", "pass"),
        ("total = a - 1", "total = a + 1"), ("total = a - 1", "pass"), ("a - 1", "a - 2"),
        ("(total, True)", "(total, False)"), ("(total, True)", "None"),
    ):  # fmt: skip
        assert old in source
        assert ast.unparse(ast.parse(source.replace(old, new))) in made
    assert all("About a." in text for text in made)


def test_every_row_with_a_text_has_mutants():
    for name, row in OPS.items():
        if row.d is not None and not callable(row.d):
            assert bool(rule_mutants(name)) == any(row.d)


def test_every_function_in_scope_exists_and_has_mutants():
    found = {p.qualname: p for p in GROUPS["code"].places()}
    for name in ("_sum_vjp", "_matmul_vjp", "_index_vjp", "_reshape_vjp", "full_shape"):
        assert name in found  # they come from the table, with what they call
    assert [p.qualname for p in found.values() if not any(GROUPS["code"].mutants(p))] == []


@pytest.mark.parametrize(("name", "position", "wrong"), [
    ("tanh", 0, "g * (1.0 + out * out)"), ("tanh", 0, "1.0 - out * out"), ("mul", 1, "g * y"),
    ("maximum", 0, "where(x >= y, g, 0.0)"), ("absolute", 0, "g"), ("log2", 0, None),
])  # fmt: skip
def test_a_planted_wrong_rule_is_found_and_the_right_one_is_back(name, position, wrong):
    row = OPS[name]
    planted = Rule(name, "d", position, row.d[position], wrong).planted()
    assert planted.d != row.d
    assert killer_of(name, planted) is not None
    assert OPS[name] is row


def test_the_right_rule_passes_every_oracle():
    assert killer_of("tanh") is None


def test_a_planted_wrong_function_is_used_wherever_it_was_held():
    def f(x):
        return x.mean()

    place = place_of("gradgen/ops/reduction.py", "_mean_vjp")
    wrong = next(
        t for title, _, t in GROUPS["code"].mutants(place) if "'div'" in title and "'mul'" in title
    )
    right = gradgen.grad(f, shapes="x=4").source
    rows = OPS["mean"], CALLS["numpy.mean"], METHODS["mean"]
    put_back = place.plant(wrong)
    try:
        assert gradgen.grad(f, shapes="x=4").source != right
        assert OPS["mean"] is CALLS["numpy.mean"][0] is METHODS["mean"]
    finally:
        put_back()
    assert gradgen.grad(f, shapes="x=4").source == right
    assert (OPS["mean"], CALLS["numpy.mean"], METHODS["mean"]) == rows
