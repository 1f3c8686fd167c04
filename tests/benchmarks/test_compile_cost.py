"""The generated programs are what they claim to be, and the compile report runs."""

import math

import numpy as np
import pytest

from .compile_cost import STAGES, Cost, draw, measure, program, report, slope

pytestmark = pytest.mark.bench
by_module = pytest.mark.parametrize("module", ["math", "np"])


@by_module
@pytest.mark.parametrize("statements", [3, 1_000, 30_000])
def test_a_generated_program_runs_and_stays_finite(statements, module):
    text = program(statements, module)
    assert text == program(statements, module)
    assert text.count(" = ") == statements
    namespace = {}
    exec(text, namespace)
    at = (0.3, -0.7) if module == "math" else (np.array([0.3, 0.1]), np.array([-0.7, 0.5]))
    assert math.isfinite(namespace["f"](*at))


@by_module
@pytest.mark.parametrize("mode", ["value_and_grad", "jvp"])
def test_emission_is_linear_and_the_report_runs(module, mode, capsys, tmp_path):
    costs = [measure(statements, module, mode) for statements in (2_000, 20_000)]
    assert slope(costs, lambda cost: cost.seconds) <= 1.1
    assert slope(costs, lambda cost: cost.peak) <= 1.1
    report(costs, mode)
    assert "20,000" in capsys.readouterr().out
    draw({mode: costs}, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 1_000


@by_module
def test_a_hundred_thousand_statements_are_emitted(module, capsys):
    report([measure(100_000, module)], module)
    assert "100,000" in capsys.readouterr().out


def test_a_slope_is_the_power_with_which_seconds_grow():
    def cost(nodes, power):
        return Cost(0, nodes, dict.fromkeys(STAGES, 1e-6 * nodes**power), 0, 0, 0)

    for power in (1.0, 1.5, 2.0):
        rows = [cost(nodes, power) for nodes in (10, 100, 1_000)]
        assert slope(rows, lambda c: c.stages["read"]) == pytest.approx(power)
