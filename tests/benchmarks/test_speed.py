"""The yardsticks are right, the emitted gradients equal them, and the report runs."""

import numpy as np
import pytest

from .speed import compare, emitted_function, report
from .yardsticks import WORKLOADS, Workload

pytestmark = pytest.mark.bench
by_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.name)


def _gradients(workload: Workload, result: object) -> tuple:
    return (result,) if isinstance(workload.wrt, str) else result


def _moved(workload: Workload, arguments: tuple, directions: list, step: float) -> tuple:
    names = (workload.wrt,) if isinstance(workload.wrt, str) else workload.wrt
    parameters = workload.function.__code__.co_varnames
    moved = list(arguments)
    for name, direction in zip(names, directions, strict=True):
        moved[parameters.index(name)] = moved[parameters.index(name)] + step * direction
    return tuple(moved)


@by_workload
def test_the_gradient_by_hand_is_the_slope_along_random_directions(workload):
    rng = np.random.default_rng(1)
    arguments = workload.arguments(rng)
    value, gradient = workload.by_hand(*arguments)
    assert value == workload.function(*arguments)
    gradients = _gradients(workload, gradient)
    for _ in range(5):
        directions = [rng.normal(size=np.shape(g)) for g in gradients]
        slope = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
        step = 1e-5
        ahead, behind = (
            workload.function(*_moved(workload, arguments, directions, s)) for s in (step, -step)
        )
        scale = np.sqrt(sum(float(np.sum(np.square(g))) for g in gradients))
        assert abs((ahead - behind) / (2.0 * step) - slope) < 2e-6 * scale


@by_workload
def test_the_emitted_gradient_equals_the_one_by_hand(workload):
    arguments = workload.arguments(np.random.default_rng(2))
    expected_value, expected = workload.by_hand(*arguments)
    value, gradient = emitted_function(workload)(*arguments)
    assert value == expected_value
    pairs = zip(_gradients(workload, gradient), _gradients(workload, expected), strict=True)
    for ours, theirs in pairs:
        assert np.shape(ours) == np.shape(theirs)
        largest = np.max(np.abs(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-13 * largest)


def test_the_report_shows_every_workload(capsys):
    comparisons = [compare(w, emitted_function(w), rounds=11) for w in WORKLOADS]
    report(comparisons)
    printed = capsys.readouterr().out
    assert all(workload.name in printed for workload in WORKLOADS)
