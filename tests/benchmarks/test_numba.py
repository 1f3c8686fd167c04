"""numba compiles what is emitted: every golden case, for the numpy and the python target.

What it does not compile stands here by name, with what it lacks.
"""

import dataclasses
import inspect

import numpy as np
import pytest

from tests import golden

pytestmark = [
    pytest.mark.bench,
    pytest.mark.filterwarnings("ignore::numba.NumbaPerformanceWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # where the functions' own values are NaN
]
HOMES = (golden.CASES, golden.MODE_CASES)
LACKS = {
    "broadcast_affine": "no np.einsum",
    "concatenate_stack": "np.concatenate takes no lists of arrays, which the source passes",
    "dict_params": "no dicts of arrays of several shapes",
    "integer_index": "no np.add.at",
    "jacobian_columns": "no axis= of np.cumprod",
    "jvp_network": "no dicts of arrays of several shapes",
    "pair_several": "no dicts of arrays and numbers, over which the process ends",
    "spring_network": "no np.add.at",
    "transpose_reshape": "no reshape of an array that is not contiguous",
}


def _numbers(case: golden.Case) -> bool:
    values = [*case.arguments(case.points[0]).values(), *case.defaults().values()]
    return all(isinstance(value, (int, float)) for value in values)


def _params() -> list:
    params = []
    for home in HOMES:
        for name in golden.names(home):
            case = golden.load(name, home)
            own = case.options.get("target", "numpy")
            for target in dict.fromkeys([own, *(["python"] if _numbers(case) else [])]):
                reason = LACKS.get(name)
                run = "the process ends" not in (reason or "")
                lacks = pytest.mark.xfail(strict=True, run=run, reason=reason)
                marks = [lacks] if reason else []
                params.append(pytest.param(name, home, target, marks=marks, id=f"{name}-{target}"))
    return params


@pytest.mark.parametrize(("name", "home", "target"), _params())
def test_compiled_by_numba_it_gives_the_same(name, home, target, tmp_path):
    numba = pytest.importorskip("numba")
    case = golden.load(name, home)
    text = case.output
    if target != case.options.get("target", "numpy"):
        other = dataclasses.replace(case, options={**case.options, "target": target})
        text = golden.emit(other, tmp_path)
    plain, compiled = golden.run(text, name), golden.run(text, name)
    made = [n for n, f in plain.items() if inspect.isfunction(f)]
    for function in made:
        compiled[function] = numba.njit(compiled[function])
    given = {**case.defaults(), **case.arguments(case.points[0])}
    if case.mode == "pair":
        seed = given.pop("seed", 1.0)
        first, second = (f"{case.function}_{part}" for part in ("forward", "backward"))
        value, saved = plain[first](**given)
        _same(compiled[first](**given), (value, saved))
        _same(compiled[second](saved, seed), plain[second](saved, seed))
    else:
        function = f"{case.function}_{case.mode}"
        _same(compiled[function](**given), plain[function](**given))


def _same(found: object, expected: object) -> None:
    """Equal but for the last digits: numba's functions are not those of NumPy and C."""
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _same(one, other)
        return
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
