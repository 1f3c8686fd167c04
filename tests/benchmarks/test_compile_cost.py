"""The generated programs are what they claim to be, and the compile report runs."""

import math

import numpy as np
import pytest

from .compile_cost import measure, program, report

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
def test_the_report_runs(module, capsys):
    report([measure(statements, module) for statements in (1_000, 10_000)], module)
    assert "10,000" in capsys.readouterr().out


@by_module
def test_a_hundred_thousand_statements_are_emitted(module, capsys):
    report([measure(100_000, module)], module)
    assert "100,000" in capsys.readouterr().out
