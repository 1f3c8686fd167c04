"""The oracles that call functions, the domain, the samples: planted errors are found."""

import dataclasses
import math
from functools import cache

import golden
import numpy as np
import pytest

from gradgen.errors import GradgenError
from gradgen.oracles import numeric
from gradgen.oracles.domain import assumptions, parse_domain
from gradgen.oracles.intervals import Interval, intervals
from gradgen.oracles.numeric import (
    complex_step,
    differences,
    dot_product,
    forward,
    same_bits,
    tangent,
)
from gradgen.oracles.report import EFFORTS, Effort
from gradgen.oracles.sample import samples
from gradgen.oracles.subject import from_file, from_function

FEW = Effort("few", samples=3)
SOME = Effort("some", samples=5)
QUICK = EFFORTS["quick"]
ALONG = ("dot product", "tangent")
BY_STEPS = (complex_step, differences, dot_product, tangent)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("check")
    (made / "pyproject.toml").touch()
    return made


@pytest.fixture(scope="session")
def subject_of(folder):
    """The golden cases as subjects."""

    @cache
    def load(name):
        case = golden.load(name)
        path = folder / f"{name}.py"
        path.write_text(case.source, "utf-8")
        return from_file(f"{path}:{case.function}", case.wrt(), case.options.get("shapes"))

    return load


def planted(subject, change):
    """The subject with a change of its gradient: of the list of all arrays in it."""

    def emitted(**arguments):
        value, gradients = subject.emitted(**arguments)
        arrays = []
        collect(gradients, arrays)
        left = iter(change([np.array(a, dtype=float) for a in arrays]))
        return value, rebuilt(gradients, left)

    return dataclasses.replace(subject, emitted=emitted)


def collect(tree, into):
    if isinstance(tree, (tuple, list)):
        for item in tree:
            collect(item, into)
    elif isinstance(tree, dict):
        collect(list(tree.values()), into)
    else:
        into.append(tree)


def rebuilt(tree, left):
    if isinstance(tree, (tuple, list)):
        return type(tree)(rebuilt(item, left) for item in tree)
    if isinstance(tree, dict):
        return {key: rebuilt(item, left) for key, item in tree.items()}
    return next(left)


def entry(factor, offset=0.0):
    """A change of the last entry that is not zero, and of no other."""

    def change(arrays):
        for array in reversed(arrays):
            places = np.argwhere(array != 0)
            if len(places):
                at = tuple(places[-1])
                array[at] = array[at] * factor + offset
                return arrays
        return arrays

    return change


PLANTS = {
    "times five": lambda arrays: [a * 5 for a in arrays],
    "the sign": lambda arrays: [-a for a in arrays],
    "transposed": lambda arrays: [a.T for a in arrays],
    "one entry": entry(1.001),
    "one part in ten million": entry(1 + 1e-7),
    "NaN": entry(1.0, math.nan),
    "a missing unbroadcast": lambda arrays: [np.stack([a, a]) for a in arrays],
    "zero": lambda arrays: [a * 0.0 for a in arrays],
}


def some_plants(name):
    """Two of the plants for a golden case: over all cases, each of them many times."""
    first = golden.names().index(name)
    return dict(list(PLANTS.items())[first % 4 :: 4])


def missed(subject, plants, oracles, effort):
    """The plants that change something of a subject and that no oracle finds."""
    return [
        what
        for what, change in plants.items()
        if changes(subject, change) and differing(planted(subject, change), oracles, effort) is None
    ]


def differing(subject, oracles, effort=FEW):
    """The first finding that differs, of any of the oracles."""
    found = (f for oracle in oracles for f in oracle(subject, effort) if f.verdict == "differs")
    return next(found, None)


def changes(subject, change):
    """Whether a change changes anything at a sample of the subject."""
    for values in samples(subject, FEW.samples, FEW.seed):
        before, after = [], []
        with np.errstate(all="ignore"):
            collect(subject.emitted(**subject.arguments(values))[1], before)
            collect(planted(subject, change).emitted(**subject.arguments(values))[1], after)
        pairs = zip(before, after, strict=True)
        if not all(np.array_equal(np.asarray(a, dtype=float), b) for a, b in pairs):
            return True
    return False


@pytest.mark.parametrize("name", golden.names())
def test_no_oracle_finds_fault_with_a_golden_case(name, subject_of):
    subject = subject_of(name)
    findings = [f for oracle in (forward, *BY_STEPS) for f in oracle(subject, SOME)]
    assert [f for f in findings if f.verdict == "differs"] == []
    names = {f"d/d{leaf.text}" for leaf in subject.active}
    agreed = {f.subject for f in findings if f.verdict == "agrees" and f.oracle not in ALONG}
    assert agreed == {"value", *names}


@pytest.mark.parametrize("name", golden.names())
def test_planted_errors_in_a_golden_case_are_found(name, subject_of):
    subject = subject_of(name)
    assert missed(subject, some_plants(name), BY_STEPS, SOME) == []
    skipped = [what for what, change in PLANTS.items() if not changes(subject, change)]
    assert set(skipped) <= {"transposed"}


@pytest.mark.slow
@pytest.mark.parametrize("name", golden.names())
def test_every_planted_error_in_a_golden_case_is_found(name, subject_of):
    assert missed(subject_of(name), PLANTS, BY_STEPS, SOME) == []


def test_each_plant_is_in_many_golden_cases():
    plants = [what for name in golden.names() for what in some_plants(name)]
    assert all(plants.count(what) > 20 for what in PLANTS)


@pytest.mark.parametrize("wrong", [
    lambda t: 5.0 * t, lambda t: -t, lambda t: t * (1.0 + 1e-7), lambda t: t * np.nan,
    lambda t: t + 1e-6, lambda t: 0.0,
])  # fmt: skip
def test_an_error_that_is_planted_in_the_tangent_is_found_by_its_oracle_alone(wrong, monkeypatch):
    subject = from_function(product, ("x", "y"), "x=3, y=3")

    def load(*given):
        made = right(*given)

        def along(**arguments):
            value, found = made(**arguments)
            return value, wrong(found)

        return along if given[1] == "jvp" else made

    right = numeric.load
    assert [f.verdict for f in tangent(subject, QUICK)] == ["agrees"]
    monkeypatch.setattr(numeric, "load", load)
    assert [f.verdict for f in tangent(subject, QUICK)] == ["differs"]
    assert differing(subject, (complex_step, differences, dot_product)) is None


def product(x, y):
    return np.sum(x * x * np.exp(y)) + np.sum(x @ y)


@pytest.mark.parametrize("oracle", BY_STEPS)
@pytest.mark.parametrize("what", PLANTS)
def test_each_oracle_finds_each_planted_error_by_itself(oracle, what):
    subject = from_function(product, ("x", "y"), "x=3 3, y=3 3")
    assert differing(subject, [oracle]) is None
    assert differing(planted(subject, PLANTS[what]), [oracle]) is not None


def uneven(a, b):
    return 1e6 * np.sum(np.sin(a)) + np.tanh(b[0]) + b[1] * a[0]


@pytest.mark.parametrize("oracle", [complex_step, differences])
def test_one_part_in_ten_million_of_an_entry_beside_one_a_million_times_larger(oracle):
    subject = from_function(uneven, ("a", "b"), "a=3, b=2")
    found = differing(planted(subject, PLANTS["one part in ten million"]), [oracle], QUICK)
    assert found is not None
    assert found.subject == "d/db"
    assert found.at["worst entry"] == "b[1]"


def with_kinks(x, y):
    return np.sum(np.maximum(x, y) + np.abs(x) * np.where(y > 0.5, x, y)) + np.max(x) + x[0] % 2.0


def test_differences_check_between_kinks_and_no_other_oracle_claims_to():
    subject = from_function(with_kinks, ("x", "y"), "x=3, y=3")
    assert {f.verdict for f in differences(subject, QUICK)} == {"agrees"}
    (first, *_rest) = complex_step(subject, QUICK)
    assert first.verdict == "unchecked"
    assert "not analytic" in first.detail
    assert "line" in first.detail


def at_kink(x):
    return abs(x)


def test_no_step_crosses_a_branch_point():
    subject = from_function(at_kink, "x", "x=scalar")
    # the slope at 0 is 0 by convention, and no difference says so
    domain = parse_domain("x in {0}")
    (found,) = differences(subject, QUICK, domain)
    assert found.verdict == "unchecked"
    assert found.detail == "a branch point is near (8 times)"


def drops_imaginary(x):
    return np.sum(np.real(x) * x)


def conjugated(x):
    return np.vdot(x, x)


@pytest.mark.parametrize("function", [drops_imaginary, conjugated])
def test_a_complex_step_through_what_is_not_analytic_claims_nothing(function):
    subject = from_function(function, "x", "x=3")
    assert {f.verdict for f in complex_step(subject, QUICK)} == {"unchecked"}
    assert {f.verdict for f in differences(subject, QUICK)} == {"agrees"}


def stores(x):
    y = np.zeros(3)
    y[0] = x[0] * 2.0
    return np.sum(y * x)


def test_a_function_that_takes_no_complex_numbers_is_unchecked_with_the_reason():
    (found,) = complex_step(from_function(stores, "x", "x=3"), QUICK)
    assert found.verdict == "unchecked"
    assert "zeros" in found.detail or "complex" in found.detail.lower()


def in_single(x):
    return np.sum(x * np.exp(x))


@pytest.mark.parametrize("oracle", BY_STEPS)
def test_single_precision_is_compared_with_double(oracle):
    subject = from_function(in_single, "x", "x=4:float32")
    assert [f.verdict for f in oracle(subject, QUICK)] == ["agrees"]

    def wrong(**arguments):
        value, gradients = subject.emitted(**arguments)
        return value, (gradients[0] * np.float32(1.01),)

    other = dataclasses.replace(subject, emitted=wrong)
    assert differing(other, [oracle]) is not None


def saturated(x):
    return np.sum(np.tanh(50.0 * x) ** 2) + np.log(1 / (1 + np.exp(-40.0 * x[0])))


def test_cancellation_in_the_emitted_code_is_not_taken_for_a_wrong_derivative():
    subject = from_function(saturated, "x", "x=3")
    assert differing(subject, BY_STEPS, EFFORTS["normal"]) is None


def logistic_times(x):
    return np.sum(x / (1.0 + np.exp(-300.0 * x)) ** 2)


def test_no_number_where_the_function_itself_overflows_is_counted_and_not_wrong():
    subject = from_function(logistic_times, "x", "x=3")

    def lost(**arguments):
        value, gradients = subject.emitted(**arguments)
        return value, (np.where(arguments["x"] < -2.4, math.nan, gradients[0]),)

    other = dataclasses.replace(subject, emitted=lost)
    (found,) = differences(other, EFFORTS["normal"])
    assert found.verdict == "agrees"
    assert "times no number, where the function itself passes through an infinity" in found.detail

    def wrong(**arguments):
        value, gradients = subject.emitted(**arguments)
        return value, (np.where(arguments["x"] > 0, math.nan, gradients[0]),)

    other = dataclasses.replace(subject, emitted=wrong)
    for oracle in (differences, dot_product):
        assert differing(other, [oracle], EFFORTS["normal"]) is not None


def test_a_gradient_that_is_noise_never_agrees():
    subject = from_function(in_single, "x", "x=4")
    random = np.random.default_rng(1)
    noisy = planted(subject, lambda arrays: [random.normal(size=a.shape) for a in arrays])
    for oracle in BY_STEPS:
        assert {f.verdict for f in oracle(noisy, QUICK)} == {"differs"}


def test_a_gradient_that_raises_differs_where_there_is_a_derivative():
    subject = from_function(in_single, "x", "x=4")

    def raises(**arguments):
        raise ZeroDivisionError("division by zero")

    other = dataclasses.replace(subject, emitted=raises)
    for oracle in BY_STEPS:
        (found,) = oracle(other, QUICK)
        assert found.verdict == "differs"
        assert "ZeroDivisionError" in found.detail


@pytest.mark.parametrize("oracle", (forward, *BY_STEPS))
def test_what_the_time_does_not_allow_is_unchecked(oracle):
    subject = from_function(in_single, "x", "x=4")
    findings = list(oracle(subject, Effort(expired=lambda: True)))
    assert {f.verdict for f in findings} == {"unchecked"}


@pytest.mark.parametrize("oracle", (forward, *BY_STEPS))
def test_oracles_are_deterministic(oracle):
    subject = from_function(product, ("x", "y"), "x=2 2, y=2 2")
    one, other = (repr(list(oracle(subject, FEW))) for _ in range(2))
    assert one == other


def test_an_oracle_leaves_the_samples_as_they_are():
    def sums(x):
        return np.sum(x * x)

    subject = from_function(sums, "x", "x=3")

    def mutates(**arguments):
        result = subject.emitted(**arguments)
        arguments["x"][:] = 0.0
        return result

    assert differing(dataclasses.replace(subject, emitted=mutates), (forward, *BY_STEPS)) is None


# -- forward --------------------------------------------------------------------------------------


def test_forward_names_every_input_whose_value_differs_in_the_last_bit():
    subject = from_function(in_single, "x", "x=3")

    def off(**arguments):
        value, gradients = subject.emitted(**arguments)
        positive = bool((arguments["x"] > 0).all())
        return (np.nextafter(value, 9.0) if positive else value), gradients

    findings = list(forward(dataclasses.replace(subject, emitted=off), QUICK))
    *named, total = findings
    assert total.verdict == "differs"
    assert total.detail.startswith(f"{len(named)} differ")
    assert named
    assert all(f.verdict == "differs" and (f.at["x"] > 0).all() for f in named)


def test_same_bits_tells_zeros_apart_and_not_nans():
    payload = np.array([0x7FF8000000000001], dtype=np.uint64).view(float)[0]
    assert same_bits(payload, math.nan)
    assert not same_bits(0.0, -0.0)
    assert not same_bits(1.0, np.float32(1.0))
    assert not same_bits(math.nan, 1.0)
    assert not same_bits(np.ones(3), np.ones((3, 1)))
    assert same_bits(ValueError("a"), ValueError("b"))
    assert not same_bits(ValueError("a"), ZeroDivisionError("a"))
    assert not same_bits(ValueError("a"), 1.0)


def by_python(x):
    import math

    return math.log(x) / x


def test_forward_takes_exceptions_of_one_type_for_equal():
    subject = from_function(by_python, "x", "x=scalar")
    (found,) = forward(subject, QUICK)
    assert found.verdict == "agrees"

    def other(**arguments):
        try:
            return subject.emitted(**arguments)
        except ValueError:
            raise TypeError from None

    findings = list(forward(dataclasses.replace(subject, emitted=other), QUICK))
    assert findings[-1].verdict == "differs"
    assert any("TypeError" in f.detail for f in findings)


# -- samples --------------------------------------------------------------------------------------


def picks(table, i, p):
    return np.sum(table[i] * p["w"]) + np.log(p["w"][0])


def test_samples_are_accepted_by_the_function_and_repeat_with_the_seed():
    subject = from_function(picks, "table", "table=5 2, i=3:int64, p.w=2")
    found = list(samples(subject, 20, 4))
    assert len(found) == 20
    assert all(np.isfinite(picks(v["table"], v["i"], {"w": v["p['w']"]})) for v in found)
    again = list(samples(subject, 20, 4))
    assert all(np.array_equal(a[k], b[k]) for a, b in zip(found, again, strict=True) for k in a)
    assert not np.array_equal(found[0]["table"], next(samples(subject, 1, 5))["table"])


@pytest.mark.parametrize("kind", ["ordinary", "wide", "edge"])
def test_samples_keep_to_the_domain(kind):
    def f(x, y, p):
        return np.sum(x) * y + p["W"] * p["b"]

    subject = from_function(f, "x", "x=3, y=scalar, p.W=scalar, p.b=scalar")
    domain = parse_domain("x in [0.1, 10], y in {2, 3}, p.W in (-1, 0), p > -3, p.b <= 7")
    drawn = list(samples(subject, 30, 0, domain, kind))
    assert len(drawn) == 30
    for values in drawn:
        assert (values["x"] >= 0.1).all()
        assert (values["x"] <= 10).all()
        assert values["y"] in (2, 3)
        assert -1 < values["p['W']"] < 0
        assert -3 < values["p['b']"] <= 7


def factors(A, b):
    L = np.linalg.cholesky(A)
    return np.sum(np.log(np.diag(L))) + b @ np.linalg.solve(A @ A.T, b)


def test_matrices_are_positive_definite_where_that_is_needed():
    subject = from_function(factors, "A", "A=3 3, b=3")
    drawn = samples(subject, 10)
    assert len(list(drawn)) == 10
    assert drawn.exhausted is None
    assert differing(subject, BY_STEPS) is None


def never(x):
    return np.sum(np.sqrt(-1.0 - x * x))


def test_too_few_samples_are_told_of_and_nothing_is_claimed():
    subject = from_function(never, "x", "x=2")
    drawn = samples(subject, 5)
    assert list(drawn) == []
    assert str(drawn.exhausted).startswith("0 of 5 samples: of 150 tries")
    for oracle in BY_STEPS:
        (found,) = oracle(subject, QUICK)
        assert found.verdict == "unchecked"
        assert "0 of 8 samples" in found.detail


def rooted(p, i, j):
    gap = p[i] - p[j]
    return np.sum(np.sqrt(np.sum(gap * gap, axis=1)))


def test_ordinary_samples_stay_off_the_edge_where_a_root_has_no_slope():
    subject = from_function(rooted, "p", "p=4 2, i=3:int64, j=3:int64")
    found = list(samples(subject, 20))
    assert len(found) == 20
    assert all((v["i"] != v["j"]).all() for v in found)


def angles(xyz, triples):
    u = xyz[triples[:, 0]] - xyz[triples[:, 1]]
    v = xyz[triples[:, 2]] - xyz[triples[:, 1]]
    cosines = np.sum(u * v, axis=1) / np.sqrt(np.sum(u * u, axis=1) * np.sum(v * v, axis=1))
    return np.sum(np.arccos(cosines))


def test_indices_that_must_differ_are_found():
    subject = from_function(angles, "xyz", "xyz=5 3, triples=4 3:int64")
    found = list(samples(subject, 12))
    assert len(found) == 12
    assert all(len(set(row)) == 3 for v in found for row in v["triples"].tolist())


def interpolated(t, x, y):
    return np.sum(np.interp(t, x, y) ** 2)


def test_grids_of_interpolation_rise():
    subject = from_function(interpolated, "y", "t=4, x=5, y=5")
    assert all((np.diff(v["x"]) > 0).all() for v in samples(subject, 12))
    assert "x rises (argument of interp" in assumptions(subject)[0].text
    assert [f.verdict for f in differences(subject, QUICK)] == ["agrees"]


# -- the domain -----------------------------------------------------------------------------------


def test_a_domain_is_read_as_it_is_written():
    domain = parse_domain("x in [0.1, 10], p.W in (-1, 1], y in {0, 1}, z > 0, 0 < w <= 1e3, z<=4")
    assert domain == {
        "x": Interval(0.1, 10.0), "p.W": Interval(-1.0, 1.0, low_open=True),
        "y": Interval(0.0, 1.0, items=(0.0, 1.0)), "z": Interval(0.0, 4.0, low_open=True),
        "w": Interval(0.0, 1000.0, low_open=True),
    }  # fmt: skip
    assert parse_domain("p['W'] >= -inf, q[0] == 2") == {
        "p.W": Interval(), "q.0": Interval(2.0, 2.0)
    }  # fmt: skip
    assert parse_domain("") == {}


@pytest.mark.parametrize(
    "text",
    ["x", "x in 0, 1", "x in [0, 1", "x in [0, a]", "x > y", "x in {}", "x in {1,}", "x > nan",
     "x in [0, 1],", "x in [0, 1] y > 0", "in [0, 1]", "x => 1", "x in [__import__('os'), 1]"],
)  # fmt: skip
def test_a_domain_that_cannot_be_read_is_refused(text):
    with pytest.raises(GradgenError, match=r"domain: .* cannot be read; write"):
        parse_domain(text)


@pytest.mark.parametrize("text", ["x in [2, 1]", "x in (1, 1]", "x > 1, x < 1", "x in {1}, x > 2"])
def test_a_domain_without_numbers_is_refused(text):
    with pytest.raises(GradgenError, match="domain: no number lies in"):
        parse_domain(text)


def test_a_domain_of_an_unknown_argument_is_refused_with_those_there_are():
    subject = from_function(picks, "table", "table=5 2, i=3:int64, p.w=2")
    message = r"domain: picks has no argument p.v; there are table, i, p.w"
    with pytest.raises(GradgenError, match=message):
        samples(subject, 1, 0, parse_domain("p.v > 0"))


def assumed(function, shapes, domain=""):
    subject = from_function(function, None, shapes)
    line = function.__code__.co_firstlineno
    return [
        a.text.replace(f"line {line + 1}", "line 1").replace(f"line {line + 2}", "line 2")
        for a in assumptions(subject, parse_domain(domain))
    ]


def many(x, y):
    z = x - y
    return np.log(x) + np.sqrt(z) / y + np.arcsin(y) + x**1.5 + y**-2 + np.exp(x) ** 0.5


def test_assumptions_are_said_in_the_users_terms():
    assert assumed(many, "x=scalar, y=scalar") == [
        "x > 0 (argument of log, line 2)",
        "z >= 0 (argument of sqrt, line 2)",
        "y != 0 (divisor, line 2)",
        "-1 <= y <= 1 (argument of arcsin, line 2)",
        "x >= 0 (base of a power, line 2)",
        "y != 0 (base of a power, line 2)",
    ]


def test_what_the_domain_shows_is_not_assumed():
    assert assumed(many, "x=scalar, y=scalar", "x in [1, 2], y in [0.5, 1]") == []


def always_fine(x):
    return np.log(np.exp(x) + 1) + np.sqrt(x**2) / (1 + x * x) + np.arcsin(np.tanh(x))


def test_what_holds_always_is_not_assumed():
    assert assumed(always_fine, "x=scalar") == []


def branches(x, c):
    y = np.maximum(x, 0.0) + np.abs(x - 2.0) + np.clip(x, -1.0, 1.0) + np.floor(x) * x
    return np.sum(np.where(x < c, y, x)) + np.max(x)


def test_branch_points_are_told():
    assert assumed(branches, "x=3, c=3") == [
        "x != 0.0 where x < c (branch point of maximum, line 1)",
        "x - 2.0 != 0 where x < c (branch point of abs, line 1)",
        "x != -1.0 where x < c (branch point of clip, line 1)",
        "x != 1.0 where x < c (branch point of clip, line 1)",
        "x is no integer where x < c (branch point of floor, line 1)",
        "x != c (branch point of `<`, line 2)",
        "no two items of x are equal (branch point of max, line 2)",
    ]


def masked(x, m):
    return np.sum(np.where(x > 1, np.log(x - 1), 0.0) + np.where(m, 1 / x, x))


def test_what_is_read_under_a_mask_is_assumed_only_there():
    assert assumed(masked, "x=3, m=3:bool") == [
        "x != 1 (branch point of `>`, line 1)",
        "x != 0 where m (divisor, line 1)",
    ]


def arithmetic(x, y, z):
    a = x * y - z / (1 + y**2)
    b = np.sqrt(x * x + 0.25) * np.exp(-np.abs(a)) + np.tanh(a) ** 3
    c = np.minimum(a, b) + np.clip(z, x, 2.0) - np.log1p(y * y) + abs(b) ** 0.5
    d = np.where(c > 0, c / (2 + np.cos(a)), -(b**-2))
    e = np.array([a, b, c, d])
    return np.sum(e) + np.mean(e) + np.max(e) * np.prod(e) + np.sum(e * e) + np.expm1(a)


def test_intervals_hold_what_numpy_computes():
    from gradgen.oracles.branch import probe
    from gradgen.types import Type

    subject = from_function(arithmetic, None, "x=scalar, y=scalar, z=scalar")
    graph = subject.graph
    nodes = [n for n, t in enumerate(graph.types) if isinstance(t, Type)]
    values = probe(subject, nodes)
    random = np.random.default_rng(3)
    narrow = 0
    for _ in range(300):
        ends = [sorted(random.normal(0, s, 2)) for s in (0.5, 1.0, 3.0)]
        given = {
            leaf.node: Interval(*map(float, pair))
            for leaf, pair in zip(subject.leaves, ends, strict=True)
        }
        found = intervals(graph, given)
        x, y, z = (float(random.uniform(*pair)) for pair in ends)
        for node, value in zip(nodes, values(x=x, y=y, z=z), strict=True):
            for item in np.ravel(value):
                assert float(item) in found[node], (graph.ops[node], found[node], item)
            narrow += found[node] != Interval()
    assert narrow > 300 * 20
