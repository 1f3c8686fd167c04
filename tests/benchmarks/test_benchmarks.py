"""The yardsticks are right, the emitted gradients equal them, and the report runs."""

import numpy as np
import pytest

from . import golden_cases
from .__main__ import main
from .contest import AROUND, STYLES, WORKLOADS, Result, emitted, measure, style_column
from .peers import PEERS
from .report import GOALS, mean
from .timing import Timed
from .workload import Workload, error, parts

pytestmark = pytest.mark.bench
# What is left out here differs in size only.
NAMES = [
    n for n in WORKLOADS
    if not any(w in n for w in ("10^5", "10^6", "10^7", "10,000", "100,000 st", "4096"))
]  # fmt: skip
by_workload = pytest.mark.parametrize("name", [*NAMES, "logistic regression, 100,000 x 50"])


def _directions(rng: np.random.Generator, workload: Workload, arguments: tuple) -> list:
    directions = []
    for place in workload.places:
        like = np.asarray(arguments[place], dtype=float)
        direction = rng.normal(size=like.shape)
        # of a mixture only what stands below the diagonal is a parameter
        directions.append(np.tril(direction, -1) if workload.names[len(directions)] == "L" else
                          direction)  # fmt: skip
    return directions


@by_workload
def test_the_gradients_by_hand_are_the_slope_along_random_directions(name):
    workload = WORKLOADS[name]()
    rng = np.random.default_rng(1)
    arguments = [
        a.astype(float) if getattr(a, "dtype", None) == np.float32 else a
        for a in workload.arguments(rng)
    ]
    results = [parts(workload, f(*arguments)) for f in (workload.around, workload.freehand)]
    directions = _directions(rng, workload, arguments)
    moved = []
    step = 1e-5
    for sign in (step, -step):
        there = list(arguments)
        for place, direction in zip(workload.places, directions, strict=True):
            there[place] = there[place] + sign * direction
        moved.append(parts(workload, workload.function(*there)))
    slopes = [(a - b) / (2.0 * step) for a, b in zip(*moved, strict=True)]
    for found in results:
        grads = found[1:] if workload.mode == "value_and_grad" else found
        rows = np.array_split(np.arange(len(grads)), len(slopes))
        for slope, row in zip(slopes, rows, strict=True):
            along = [grads[k] * d for k, d in zip(row, directions, strict=True)]
            if not workload.lanes:
                along = [np.sum(part) for part in along]
            scale = np.sqrt(sum(np.max(np.square(grads[k])) for k in row))
            atol = 3e-6 * scale * len(slopes) + 1e-15 / step * np.max(np.abs(results[0][0]))
            np.testing.assert_allclose(sum(along), slope, rtol=0, atol=atol)


@by_workload
def test_values_by_hand_around_the_forward_pass_have_its_bits(name):
    workload = WORKLOADS[name]()
    if workload.mode != "value_and_grad":
        return
    arguments = workload.arguments(np.random.default_rng(2))
    assert workload.around(*arguments)[0] == workload.function(*arguments)


@by_workload
@pytest.mark.parametrize("style", STYLES)
def test_emitted_gradients_equal_those_by_hand(name, style):
    workload = WORKLOADS[name]()
    if workload.lanes and style != "default":
        return
    arguments = workload.arguments(np.random.default_rng(2))
    single = any(getattr(a, "dtype", None) == np.float32 for a in arguments)
    found = emitted(workload, style)(*arguments)
    assert error(workload, found, workload.around(*arguments)) < (1e-4 if single else 1e-11)
    if single:
        assert all(part.dtype == np.float32 for part in parts(workload, found))


def test_a_wrong_gradient_is_reported_and_not_timed(monkeypatch):
    workload = WORKLOADS["exp/sin, math"]()

    def wrong(asked):
        contestant = PEERS["differences"](asked)
        return type(contestant)("SymPy", lambda x: (asked.function(x), 1.0))

    monkeypatch.setitem(PEERS, "SymPy", wrong)
    result = measure(workload, ["SymPy"], 0.01)
    assert list(result.wrong) == ["SymPy"]
    assert "SymPy" not in result.timed
    assert result.timed[AROUND].ratio == 1.0


@pytest.mark.parametrize("planted", [1.0 + 1e-6, -1.0, np.nan])
def test_one_wrong_entry_of_many_is_a_deviation(planted):
    workload = WORKLOADS["Rosenbrock, n=10^3"]()
    expected = workload.around(*workload.arguments(np.random.default_rng(0)))
    found = (expected[0], expected[1].copy())
    found[1][np.argmax(np.abs(found[1]))] *= planted
    assert error(workload, found, expected) > 9e-7


def test_goals_are_judged_on_the_workloads_that_they_name():
    def result(name: str, default: float, fast: float) -> Result:
        timed = {
            style_column("default"): Timed(1.0, default, default, default, 9),
            style_column("fast"): Timed(1.0, fast, fast, fast, 9),
        }
        return Result(name, "numpy", 0.0, timed)

    results = [
        result("MLP 784-72-10, batch 1, float64", 2.0, 0.5),
        result("MLP 784-72-10, batch 1, float32", 1.0, 0.5),
        result("MLP 784-72-10, batch 128, float32", 1.0, 9.0),
    ]
    (goal,) = (g for g in GOALS if "batch 1" in g.where)
    assert [ratio for ratio, _ in goal.found(results)] == [0.25, 0.5]
    assert mean(goal.found(results)) == pytest.approx(0.125**0.5)


def test_the_command_measures_keeps_and_draws(tmp_path, capsys):
    kept, drawn = tmp_path / "speed.json", tmp_path / "speed.png"
    main(["--only", "exp/sin", "--seconds", "0.05", "--peers", "differences", "--json", str(kept)])
    main(["--only", "n=10,", "--seconds", "0.05", "--json", str(kept)])
    main(["--show", str(kept), "--chart", str(drawn)])
    printed = capsys.readouterr().out.rpartition("Times in units")[2]
    assert "exp/sin, math" in printed
    assert "Ratios to reach" in printed
    assert drawn.read_bytes()[:4] == b"\x89PNG"


def test_peers_are_added_to_figures_and_change_no_others():
    def result(**ratios: float) -> Result:
        timed = {name: Timed(1.0, ratio, ratio, ratio, 9) for name, ratio in ratios.items()}
        return Result("chain", "numpy", 0.0, timed)

    kept, found = result(expert=1.0, autograd=3.0), result(expert=1.5, PyTorch=2.0)
    found.skipped["CasADi"], kept.wrong["autograd"] = "not installed", 0.5
    added = kept.with_peers(found, ["autograd", "PyTorch", "CasADi"])
    assert {name: timed.ratio for name, timed in added.timed.items()} == {
        "expert": 1.0, "PyTorch": 2.0,
    }  # fmt: skip
    assert added.skipped == {"CasADi": "not installed"}
    assert added.wrong == {}


def test_golden_cases_are_workloads():
    known = golden_cases.workloads()
    result = measure(known["himmelblau"](), [], 0.01)
    assert style_column("default") in result.timed
