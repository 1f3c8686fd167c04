"""Types: symbolic lengths, broadcasting, promotion."""

import copy
import itertools
import pickle
import random

import numpy as np
import pytest

from gradgen.errors import Refusal
from gradgen.types import Dim, Type, array_type, axis_in, broadcast, join, product, promote

N, M = Dim.symbol("n"), Dim.symbol("m")
DTYPES = ("bool", "int32", "int64", "float32", "float64")


@pytest.mark.parametrize(("length", "text"), [
    (N, "n"), (N + 0, "n"), (1 + N, "n+1"), (N - 1, "n-1"), (2 * N - M, "-m+2*n"), (N * M, "m*n"),
    (N * N, "n*n"), (-N, "-n"), (3 - N, "-n+3"), ((N + M) * (N - M), "-m*m+n*n"),
    ((N + 1) * 2 // 2, "n+1"), (N // 2, "(n)//(2)"),
])  # fmt: skip
def test_a_length_prints_as_a_canonical_polynomial(length, text):
    assert str(length) == text


@pytest.mark.parametrize(("one", "other"), [
    (N + M, M + N), (N * M, M * N), (N - 1 + 1, N), ((N + 1) * (N - 1), N * N - 1),
    (2 * (N + M), N + M + N + M), (N - N, 0), (N + 1 - N, 1), (0 * N, 0), ((N - 1) - (N - 3), 2),
    (0 - (-N), N), ((4 * N + 2) // 2, 2 * N + 1),
])  # fmt: skip
def test_equal_lengths_are_equal_objects(one, other):
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(("one", "other"), [(N, M), (N, N + 1), (N, 1), (N * N, N), (2 * N, N)])
def test_different_lengths_differ(one, other):
    assert one != other


def test_arithmetic_of_lengths_is_that_of_integers():
    rng = random.Random(0)
    for _ in range(300):
        n, m = rng.randint(1, 50), rng.randint(1, 50)
        length, value = N, n
        for _ in range(rng.randint(1, 6)):
            other, number = rng.choice([(N, n), (M, m), (rng.randint(-3, 3),) * 2])
            op = rng.choice(["__add__", "__sub__", "__mul__"])
            length = getattr(length, op)(other) if isinstance(length, Dim) else length
            if not isinstance(length, Dim):
                break
            value = getattr(value, op)(number)
        else:
            assert eval(str(length), {"n": n, "m": m}) == value


def test_atoms_and_products():
    assert (N * M + N).atoms == ("m", "n")
    assert product([]) == 1
    assert product([2, N, 3]) == 6 * N


@pytest.mark.parametrize(("shapes", "wanted"), [
    ([(3,), (3,)], (3,)), ([(), (2, 3)], (2, 3)), ([(3, 1), (1, 4)], (3, 4)), ([(1,), (N,)], (N,)),
    ([(N, 1), (M,)], (N, M)), ([(2, 1, N), (3, 1)], (2, 3, N)), ([(0,), (1,)], (0,)),
    ([(N - 1,), (N - 1,)], (N - 1,)),
])  # fmt: skip
def test_broadcasting_gives_the_common_shape(shapes, wanted):
    assert broadcast(shapes) == wanted


def test_broadcasting_agrees_with_numpy_on_numbers():
    sides = [(), (1,), (3,), (2, 1), (1, 3), (2, 3), (4, 1, 1), (4, 2, 3)]
    for one, two, three in itertools.product(sides, repeat=3):
        assert broadcast([one, two, three]) == np.broadcast_shapes(one, two, three)


@pytest.mark.parametrize(
    ("one", "other"), [((2,), (3,)), ((N,), (M,)), ((N,), (3,)), ((N,), (N - 1,))]
)
def test_lengths_that_differ_are_refused_with_both_names(one, other):
    with pytest.raises(Refusal) as refused:
        broadcast([one, other])
    assert f"lengths {one[0]} and {other[0]} meet elementwise" in refused.value.message


def test_promotion_is_numpys():
    weak = {"bool": True, "int": 1, "float": 1.0}
    operands = [("py", name) for name in weak]
    operands += [(kind, dtype) for kind in ("scalar", "array") for dtype in DTYPES]
    for one, other in itertools.product(operands, repeat=2):
        if one[0] == other[0] == "py":
            continue
        values = [weak[d] if kind == "py" else np.ones(() if kind == "scalar" else 2, d)[()]
                  for kind, d in (one, other)]  # fmt: skip
        found = promote((one, other))
        assert found == str(np.result_type(*values)) == str(np.multiply(*values).dtype), (
            one,
            other,
        )


def test_python_numbers_stay_python_numbers():
    kinds = [Type("py", "float"), Type("py", "int")]
    assert join(kinds) == Type("py", "float")
    assert join(kinds, "bool") == Type("py", "bool")
    assert promote((("py", "bool"), ("py", "bool"))) == "bool"


def test_an_operation_on_a_0d_array_gives_a_scalar():
    assert join([Type("array", "float64"), Type("py", "float")]) == Type("scalar", "float64")
    assert array_type("float32", ()) == Type("scalar", "float32")
    assert array_type("float32", (2,)) == Type("array", "float32", (2,))


def test_an_axis_is_counted_from_the_front():
    assert [axis_in(k, 3) for k in (-3, -1, 0, 2)] == [0, 2, 0, 2]
    for axis in (-4, 3):
        with pytest.raises(Refusal, match=f"axis {axis} is out of bounds for an array with 3 axes"):
            axis_in(axis, 3)


def test_a_type_prints_its_dtype_and_shape():
    assert str(Type("array", "float32", (N, 3))) == "float32[n, 3]"
    assert str(Type("py", "int")) == "int"
    assert not Type("array", "int64", (2,)).is_float


def test_a_type_is_one_object_however_it_is_made_and_does_not_change():
    one = Type("array", "float64", (N, 3))
    others = [
        Type("array", "float", (Dim.symbol("n"), 3)), array_type("float64", [N, 3]),
        pickle.loads(pickle.dumps(one)), copy.deepcopy(one), copy.copy(one),
    ]  # fmt: skip
    assert all(other is one for other in others)
    assert (one.rank, one.is_float, str(one)) == (2, True, "float64[n, 3]")
    assert Type("py", "float") is not Type("scalar", "float")
    with pytest.raises(AttributeError, match=r"^a type does not change$"):
        one.dtype = "float32"
