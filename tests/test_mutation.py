"""The mutator makes the errors that it should, and the oracles notice them."""

import ast

import pytest
from mutation_places import GROUPS, place_of
from mutation_rules import Rule, killer_of, rule_mutants, wrong_texts
from mutators import changed, code_variants

import gradgen
from gradgen.ops import CALLS, METHODS, OPS
from gradgen.oracles import numeric, steps
from gradgen.oracles.report import Finding, Report


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


@pytest.mark.parametrize("group", GROUPS)
def test_whatever_is_in_scope_can_be_changed_and_put_back(group):
    for place in GROUPS[group].places():
        held = None if place.is_constant else place.function.__code__
        put_back = place.plant(place.tree)
        assert place.is_constant or place.function.__code__ is not held
        put_back()
        assert place.is_constant or place.function.__code__ is held


def test_every_function_and_constant_that_decides_a_verdict_is_in_scope():
    found = {p.qualname: p for p in GROUPS["checker"].places()}
    for name in (
        "bound_of",
        "Tally.finding",
        "Report.ok",
        "_note",
        "same_bits",
        "table",
        "SETTLED",
        "TOO_INEXACT",
        "RTOL",
        "Watch.side",
        "Interval.meet",
        "forward",
    ):
        assert name in found  # fmt: skip
    made = [title for p in GROUPS["checker"].places("entries.py:SETTLED")
            for title, *_ in GROUPS["checker"].mutants(p)]  # fmt: skip
    assert "(1e-08, 0.001) -> SETTLED, SETTLED_COARSELY = (2e-08, 0.001)" in " ".join(made)
    assert len(made) == 4


def test_a_planted_wrong_bound_is_used_by_whoever_imported_it_and_the_right_one_is_back():
    place = place_of("gradgen/oracles/steps.py", "JITTERS")
    wrong = next(tree for title, _, tree in GROUPS["checker"].mutants(place) if "= 5" in title)
    put_back = place.plant(wrong)
    assert numeric.JITTERS == steps.JITTERS == 5
    put_back()
    assert numeric.JITTERS == steps.JITTERS == 4


def test_a_planted_wrong_verdict_is_given_by_a_property_too():
    report = Report("f", ("x",), "", "quick", [Finding("o", "d/dx", "differs")])
    place = place_of("gradgen/oracles/report.py", "Report.ok")
    wrong = next(t for title, _, t in GROUPS["checker"].mutants(place)
                 if title.endswith("-> return None"))  # fmt: skip
    put_back = place.plant(wrong)
    assert report.ok is None
    put_back()
    assert report.ok is False


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
