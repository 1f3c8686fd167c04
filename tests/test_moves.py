"""Functions that move, join, split, repeat and pad: values, gradients, views and refusals."""

import warnings

import numpy as np
import pytest
from test_structural import (
    HEAD,
    arguments,
    close,
    compare,
    complex_step,
    define,
    differences,
    program,
    shape_text,
    title,
)

import gradgen
from gradgen.definitions import moves
from gradgen.read import parse_shapes, read_live

V, M, T = {"x": (3,)}, {"x": (2, 3)}, {"x": (2, 3, 4)}


def _orders():
    for shape, line in (
        (T, "np.moveaxis(x, 0, -1)"), (T, "np.moveaxis(x, (0, 1), (-1, 0))"),
        (T, "np.rollaxis(x, 2)"), (T, "np.rollaxis(x, 0, 3)"), (T, "np.rollaxis(x, -1, 1)"),
        (T, "np.permute_dims(x, (1, 2, 0))"), (T, "np.transpose(x, axes=(1, 0, 2))"),
        (T, "np.matrix_transpose(x)"), (T, "x.mT"), (M, "np.reshape(x, shape=(3, 2), order='F')"),
        (M, "np.reshape(x, (3, 2), 'F')"), (M, "np.reshape(x, -1, copy=True)"),
        (M, "x.reshape((3, 2), order='F')"), (M, "x.flatten('F')"), (M, "x.ravel(order='F')"),
    ):  # fmt: skip
        yield "order", "", line, shape, "complex"
    for shape, axes in ((V, ["", ", 0", ", axis=-1"]), (M, ["", ", 0", ", axis=(0, 1)", ", -1"])):
        for axis in axes:
            yield "flip", "", f"np.flip(x{axis})", shape, "complex"
    for line in ("np.fliplr(x)", "np.flipud(x)", "np.rot90(x)", "np.rot90(x, 2)", "np.rot90(x, -1)",
                 "np.rot90(x, k=3, axes=(1, 0))", "np.rot90(x, 0)"):  # fmt: skip
        yield "flip", "", line, M, "complex"
    yield "flip", "", "np.rot90(x, 1, (2, 0))", T, "complex"
    yield "flip", "", "np.flipud(x)", V, "complex"
    for shape, line in (
        (V, "np.roll(x, 1)"), (V, "np.roll(x, -2)"), (V, "np.roll(x, 7)"), (M, "np.roll(x, 2)"),
        (M, "np.roll(x, 1, axis=1)"), (M, "np.roll(x, (1, 2), axis=(0, 1))"),
        (M, "np.roll(x, shift=1, axis=(0, 1))"), (T, "np.roll(x, (1, 1), -1)"),
        (V, "np.roll(x, len(x) - 1)"), ({"x": ()}, "np.roll(x, 1)"),
    ):  # fmt: skip
        yield "roll", "", line, shape, "complex"
    for shape, line in (
        ({"x": (1, 3, 1)}, "np.squeeze(x, axis=0)"), ({"x": (1, 3, 1)}, "x.squeeze((0, 2))"),
        ({"x": (1, 1)}, "np.squeeze(x, (0, 1))"), ({"x": (1, 3, 1)}, "np.squeeze(x)"),
        (V, "np.squeeze(x)"), (M, "x.squeeze()"),
    ):  # fmt: skip
        yield "squeeze", "", line, shape, "complex"
    for k in (1, 2, 3):
        for shape in ({"x": ()}, V, M, T):
            yield "atleast", "", f"np.atleast_{k}d(x)", shape, "complex"
    yield "atleast", "a, b = np.atleast_2d(x, y)", "a @ b.T", {"x": (3,), "y": (2, 3)}, "complex"
    yield "atleast", "", "np.atleast_1d(np.sum(x))", M, "complex"
    two = {"x": (3,), "y": (2, 1)}
    yield "broadcast_arrays", "a, b = np.broadcast_arrays(x, y)", "a * b + a", two, "complex"


def _joins():
    pairs = {"x": (3,), "y": (3,)}
    for name in ("vstack", "hstack", "dstack", "column_stack"):
        yield name, "", f"np.{name}([x, y, x])", pairs, "complex"
        yield name, "", f"np.{name}((y, x))", {"x": (2, 3), "y": (2, 3)}, "complex"
        if name != "column_stack":
            yield name, "", f"np.{name}((y, x))", {"x": (2, 3, 2), "y": (2, 3, 2)}, "complex"
        yield name, "", f"np.{name}((x, y))", {"x": (), "y": ()}, "complex"
    yield "vstack", "", "np.vstack([x, y, 2.0 * x])", {"x": (3,), "y": (2, 3)}, "complex"
    yield "hstack", "", "np.hstack([x, 1.0, y])", {"x": (3,), "y": ()}, "complex"
    yield "column_stack", "", "np.column_stack([y, x, y])", {"x": (3,), "y": (3, 2)}, "complex"
    yield "dstack", "", "np.dstack([x, y])", {"x": (2, 3), "y": (2, 3, 2)}, "complex"
    yield (
        "concatenate",
        "",
        "np.concatenate([x, y, x], axis=None)",
        {"x": (2, 3), "y": (2,)},
        "complex",
    )
    yield "concatenate", "", "np.concatenate((x, y), None)", {"x": (), "y": (2, 2)}, "complex"
    yield "concatenate", "", "np.concat([x, y], axis=-1)", {"x": (2, 3), "y": (2, 2)}, "complex"
    yield "append", "", "np.append(x, y)", {"x": (2, 3), "y": (2,)}, "complex"
    yield "append", "", "np.append(x, y, axis=1)", {"x": (2, 3), "y": (2, 1)}, "complex"
    yield "append", "", "np.append(x, 2.0)", V, "complex"
    yield "append", "", "np.append(0.5, x)", V, "complex"
    yield "append", "", "np.append(x, [y, 1.0])", {"x": (3,), "y": ()}, "complex"
    yield "unstack", "a, b = np.unstack(x)", "a * b", M, "complex"
    yield "unstack", "a, b, c = np.unstack(x, axis=1)", "a * b - c", T, "complex"
    blocks = {"x": (2, 2), "y": (2, 1)}
    yield "block", "", "np.block([[x, y], [y.T, np.ones((1, 1))]])", blocks, "complex"
    yield "block", "", "np.block([[x, x]])", {"x": (3,)}, "complex"
    yield "block", "", "np.block([x, y, 1.0])", {"x": (3,), "y": (2,)}, "complex"


def _splits():
    for before, line, shape in (
        ("a, b = np.split(x, 2)", "a * b", {"x": (4,)}),
        ("a, b = np.split(x, 2)", "np.sin(b)", {"x": (4,)}),
        ("a, b, c = np.split(x, [1, 3])", "np.sum(a) * b", {"x": (5,)}),
        ("a, b, c = np.split(x, [1, 3])", "np.sum(a) * np.sum(b) * c", {"x": (5,)}),
        ("a, b, c = np.split(x, 3, axis=1)", "a * b / c", {"x": (2, 3)}),
        ("a, b = np.split(x, [2], axis=-1)", "a[..., :1] * b", {"x": (2, 3)}),
        ("a, b, c = np.split(x, [-2, 5])", "np.sum(a) * b + np.sum(c)", {"x": (5,)}),
        ("a, b = np.array_split(x, 2)", "np.sum(a * a) * b", {"x": (5,)}),
        ("a, b, c = np.array_split(x, 3, axis=1)", "np.sum(a * a) * b + c", {"x": (2, 4)}),
        ("a, b = np.vsplit(x, 2)", "a * b", {"x": (4, 3)}),
        ("a, b = np.hsplit(x, 2)", "a * b", {"x": (3, 4)}),
        ("a, b = np.hsplit(x, [1])", "a * b", {"x": (3,)}),
        ("a, b = np.dsplit(x, 2)", "a * b", {"x": (2, 3, 2)}),
    ):
        yield "split", before, line, shape, "complex"
    yield "split", "", "np.split(x, 3)[1] * 2.0", {"x": (3, 2)}, "complex"
    yield "split", "", "np.concatenate(np.split(x, 3)[::-1])", {"x": (3, 2)}, "complex"
    for line, shape in (
        ("np.delete(x, 1)", {"x": (4,)}), ("np.delete(x, -1)", {"x": (4,)}),
        ("np.delete(x, [3, 0, 3])", {"x": (4,)}), ("np.delete(x, 1, axis=1)", {"x": (2, 3)}),
        ("np.delete(x, [0, -1], 1)", {"x": (2, 3)}), ("np.delete(x, 2)", {"x": (2, 3)}),
        ("np.insert(x, 1, 7.0)", {"x": (3,)}), ("np.insert(x, 3, x[0])", {"x": (3,)}),
        ("np.insert(x, -1, x * x)", {"x": (3,)}), ("np.insert(x, [2, 0, 2], x[:3])", {"x": (4,)}),
        ("np.insert(x, [2, 0], x[1])", {"x": (4,)}),
        ("np.insert(x, 1, x[:, 0], axis=1)", {"x": (2, 3)}),
        ("np.insert(x, 0, x[0, 1], axis=0)", {"x": (2, 3)}), ("np.insert(x, 2, 1.5)",
         {"x": (2, 3)}),
    ):  # fmt: skip
        yield "delete", "", line, shape, "complex"


def _repeats():
    for line, shape in (
        ("np.tile(x, 2)", V), ("np.tile(x, (2,))", M), ("np.tile(x, (2, 3))", V),
        ("np.tile(x, (2, 1))", M), ("np.tile(x, (3, 1, 2))", M), ("np.tile(x, [1, 2])", M),
        ("np.tile(x, 3)", {"x": ()}), ("np.tile(x, (2, 2))", {"x": ()}), ("np.tile(x, 1)", V),
        ("np.tile(x, (len(x), 1))", V), ("np.tile(np.sum(x), 3)", V), ("np.tile(x, 2)", T),
        ("np.repeat(x, 2)", V), ("np.repeat(x, 2)", M), ("np.repeat(x, 3, axis=0)", M),
        ("x.repeat(2, axis=-1)", M), ("np.repeat(x, 2, 1)", T), ("np.repeat(x, 2)", {"x": ()}),
        ("np.repeat(x, [2])", V), ("np.repeat(x, [1, 0, 2])", V),
        ("np.repeat(x, [2, 1], axis=0)", M), ("np.repeat(x, (0, 3, 1), axis=1)", M),
        ("np.repeat(x, np.array([1, 2, 0, 1, 1, 2]))", M), ("np.repeat(x, len(x))", V),
        ("np.resize(x, 7)", V), ("np.resize(x, (2, 4))", V), ("np.resize(x, 2)", V),
        ("np.resize(x, (3, 2))", M), ("np.resize(x, (2, 2))", M),
    ):  # fmt: skip
        yield "repeat", "", line, shape, "complex"


def _diagonals():
    square = {"x": (3, 3)}
    for line, shape in (
        ("np.tril(x)", square), ("np.triu(x, 1)", square), ("np.tril(x, k=-1)", {"x": (2, 3)}),
        ("np.triu(x, -1)", {"x": (2, 3, 3)}), ("np.tril(x)", V), ("np.triu(x, k=1)", V),
        ("np.diag(x)", V), ("np.diag(x, 1)", V), ("np.diag(x, k=-2)", V), ("np.diag(x)", square),
        ("np.diag(x, 1)", square), ("np.diag(x, -2)", square), ("np.diag(x)", {"x": (2, 4)}),
        ("np.diag(x, 2)", {"x": (2, 4)}), ("np.diag(x, -1)", {"x": (4, 2)}),
        ("np.diag(x, 3)", square), ("np.diagflat(x)", M), ("np.diagflat(x, 1)", V),
        ("np.diagonal(x)", square), ("x.diagonal(1)", square), ("np.diagonal(x, -1, 1, 0)", square),
        ("np.diagonal(x, axis1=1, axis2=2)", {"x": (2, 3, 3)}),
        ("np.diagonal(x, 1, 0, 2)", {"x": (3, 2, 4)}), ("np.diagonal(x, 0, 2, 0)",
         {"x": (3, 2, 4)}),
        ("np.trace(x)", square), ("x.trace(1)", square), ("np.trace(x, -1)", {"x": (4, 2)}),
        ("np.trace(x, axis1=1, axis2=2)", {"x": (2, 3, 3)}), ("np.trace(x, 1, 2, 0)", T),
        ("np.trace(x, 1, 1, 0)", {"x": (2, 3)}),
    ):  # fmt: skip
        yield "diagonal", "", line, shape, "complex"
    for line in ("np.vander(x)", "np.vander(x, 2)", "np.vander(x, N=4, increasing=True)",
                 "np.vander(x, 1)"):  # fmt: skip
        yield "vander", "", line, V, "complex"


def _grids():
    two, three = {"x": (3,), "y": (2,)}, {"x": (3,), "y": (2,), "z": (4,)}
    for before, line, shape in (
        ("a, b = np.meshgrid(x, y)", "a * b", two),
        ("a, b = np.meshgrid(x, y, indexing='ij')", "a * b + a", two),
        ("a, b = np.meshgrid(x, y, sparse=True)", "a * b", two),
        ("a, b = np.meshgrid(x, y, copy=False)", "np.sin(a) - b", two),
        ("a, b, c = np.meshgrid(x, y, z)", "a * b + c", three),
        ("a, b, c = np.meshgrid(x, y, z, sparse=True, indexing='ij')", "a * b + c", three),
        ("a, b = np.meshgrid(x, y)", "b * b", two),
        ("a, b = np.meshgrid(x, y)", "a * b", {"x": (2, 2), "y": ()}),
        ("a, b = np.meshgrid(x, 2.0)", "a * b", {"x": (3,)}),
        ("(a,) = np.meshgrid(x)", "a * a", {"x": (3,)}),
    ):
        yield "meshgrid", before, line, shape, "complex"
    yield "ix_", "", "x[np.ix_([0, 1, 1], [2, 0])]", M, "complex"
    yield "ix_", "", "x[np.ix_(K[:2], I)]", M, "complex"
    yield "indices", "", "x * np.indices((2, 3))[1]", M, "complex"
    yield "indices", "i, j = np.indices(x.shape, sparse=True)", "x * i - j", M, "complex"
    yield "indices", "i, j = np.unravel_index(4, (2, 3))", "x[i, j] * x", M, "complex"
    yield "indices", "", "x.ravel()[np.ravel_multi_index((1, 2), (2, 3))] * x", M, "complex"


def _pads():
    for width, shape in (("1", V), ("(2, 0)", V), ("((1, 2),)", V), ("((1, 0), (0, 2))", M),
                         ("(1, 2)", M), ("((1, 1), (0, 0), (2, 1))", T), ("0", V)):  # fmt: skip
        for mode in ("constant", "edge", "wrap", "symmetric"):
            yield "pad", "", f"np.pad(x, {width}, {mode!r})", shape, "complex"
    for rest, shape in (
        ("2", V), ("(0, 3), constant_values=2.0", V),
        ("1, mode='constant', constant_values=(1, 2)", M),
        ("{0: 1, 1: (0, 2)}", M), ("2, 'reflect'", V), ("(5, 6), 'reflect'", V),
        ("(7, 4), 'symmetric'", V), ("4, 'wrap'", V), ("1, 'reflect'", M),
        ("(2, 1), 'reflect', reflect_type='odd'", V),
        ("(3, 2), 'symmetric', reflect_type='odd'", V),
        ("1, 'reflect', reflect_type='odd'", M), ("2, 'linear_ramp'", V),
        ("(1, 3), 'linear_ramp', end_values=(5, -2)", V), ("1, 'linear_ramp', end_values=3.0", M),
        ("2, 'mean'", V), ("1, 'mean', stat_length=2", M),
        ("(1, 2), 'mean', stat_length=(1, 5)", V),
    ):  # fmt: skip
        yield "pad", "", f"np.pad(x, {rest})", shape, "complex"
    for rest, shape in (
        ("2, 'maximum'", V),
        ("1, 'minimum', stat_length=2", M),
        ("1, 'median'", V),
    ):
        yield "pad", "", f"np.pad(x, {rest})", shape, "real"
    both = {"x": (2, 3), "y": ()}
    yield "pad", "", "np.pad(x, 1, constant_values=y)", both, "real"
    yield (
        "pad",
        "",
        "np.pad(x, ((1, 0), (2, 1)), constant_values=((y, 1), (2 * y, y * y)))",
        both,
        "real",
    )
    yield "pad", "", "np.pad(x, (1, 2), 'linear_ramp', end_values=(y, y * y))", both, "real"


def _mutations():
    for before, line, shape in (
        ("v = x[::-1].copy()\nv.fill(x[0])", "v * x", V),
        ("u = x * 1.0\nu.fill(2.0)", "u * x", M),
        ("y = x.copy()\nv = y[::-1]\nv *= 2", "y * x", V),
        ("y = x.copy()\na = np.atleast_2d(y)\na *= 2", "y * x", V),
        ("y = x * 1.0\na, b, c = np.unstack(y)\na *= b", "y", {"x": (3, 2)}),
        ("y = x * 1.0\nv = np.flip(y) * 1.0\ny += 1", "v * y", V),
    ):
        yield "mutation", before, line, shape, "complex"


CASES = [
    *_orders(), *_joins(), *_splits(), *_repeats(), *_diagonals(), *_grids(), *_pads(),
    *_mutations(),
]  # fmt: skip


# The first case of each kind is compared in every way, the others in two.
CHIEF = list({case[0]: case for case in reversed(CASES)}.values())


def quickly(case):
    """What differs for a weighted result, of symbolic shapes and of float32 numbers."""
    _, before, line, shapes, how = case
    given = arguments(shapes, np.float64)
    probe = np.shape(define(program(before, line, shapes, "OP"))(**given, W=1.0))
    f = define(program(before, line, shapes, "np.sum(W * np.sin(OP))"))
    weights = np.random.default_rng(3).uniform(0.5, 1.5, probe)
    reference = complex_step if how == "complex" else differences
    failures = []
    value, wrt = f(**given, W=weights), tuple(shapes)
    short = shape_text(**{n: (*map(str, s),) for n, s in shapes.items()}).replace(",", ":float32,")
    declared = f"{short}:float32, W={' '.join(map(str, probe)) or '()'}:float32"
    for dtype, options in ((np.float64, {}), (np.float32, {"shapes": declared})):
        data = {n: a.astype(dtype) for n, a in given.items()}
        kept = {n: a.copy() for n, a in data.items()}
        function = gradgen.value_and_grad(f, wrt=wrt, **options)
        found, gradients = function(*data.values(), weights.astype(dtype))
        if dtype is np.float64 and np.asarray(found).tobytes() != np.asarray(value).tobytes():
            failures.append(f"value {found!r} is not {value!r}")
        for name, gradient in zip(wrt, gradients, strict=True):
            want = reference(f, given, weights, name)
            tolerance = 3e-4 if dtype is np.float32 else 1e-12 if how == "complex" else 1e-8
            if not close(gradient, want, tolerance) or gradient.dtype != dtype:
                failures.append(f"d_{name} {dtype.__name__}\n{gradient!r}\nis not\n{want}")
        if any(not np.array_equal(data[n], kept[n]) for n in data):
            failures.append("an argument was changed")
    return failures


@pytest.mark.parametrize("case", CHIEF, ids=title)
@pytest.mark.parametrize("inner", [False, True], ids=["arguments", "intermediate values"])
def test_gradients_of_moved_items_match_in_every_use(case, inner):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, inner)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("case", CASES, ids=title)
def test_gradients_of_moved_items_match_the_users_function(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = quickly(case)
    assert not failures, "\n".join(failures)


def types_differ(case, dtype):
    """Whether the reader gives another dtype or shape than NumPy; the two as text where it does."""
    _, before, line, shapes, _ = case
    f = define(program(before, line, shapes, "OP"))
    declared = ", ".join(f"{n}={' '.join(map(str, s)) or '()'}:{dtype}" for n, s in shapes.items())
    graph = read_live(f, parse_shapes(f"{declared}, W=scalar"))
    t = graph.types[graph.results]
    result = np.asarray(f(**arguments(shapes, dtype), W=1.0))
    have, want = (t.dtype, t.shape), (str(result.dtype), result.shape)
    return "" if have == want else f"{have} is not {want}"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_types_of_moved_items_are_numpys(dtype):
    differing = [(title(case), types_differ(case, dtype)) for case in CASES]
    assert [pair for pair in differing if pair[1]] == []


@pytest.mark.parametrize("line", [
    "np.roll(x, 1)", "np.flip(x)", "np.tile(x, (2, 2))", "np.repeat(x, 2)", "np.pad(x, 1)",
    "np.append(x, 1)", "np.append(x, 1.5)", "np.vstack([x, x])", "np.diag(x)", "np.trace(x)",
    "np.tril(x)", "np.vander(x[0])", "np.insert(x, 0, 1)", "np.delete(x, 0)",
    "np.hstack([x[0], 1.0])",
    "np.atleast_3d(x)", "np.resize(x, 5)", "np.block([x, x])", "np.rot90(x)", "np.diagonal(x)",
    "np.indices((2, 3))", "np.unravel_index(3, (2, 2))[0]", "np.meshgrid(x[0], x[1])[0]",
])  # fmt: skip
def test_the_types_of_moved_integers_are_numpys(line):
    assert types_differ(("", "", line.replace("x)", "x.astype(int))", 1), {"x": (2, 2)}, ""),
                        "int64") == ""  # fmt: skip


@pytest.mark.parametrize(("name", "args"), [
    ("pad", (1,)), ("pad", (((1, 2), (0, 3)), "edge")), ("pad", (4, "reflect")),
    ("pad", ((7, 2), "symmetric")), ("pad", (5, "wrap")), ("pad", (2, "linear_ramp")),
    ("pad", (2, "mean")), ("pad", (2, "median")), ("pad", (2, "maximum")), ("pad", (2, "minimum")),
    ("resize", ((3, 5),)), ("resize", (4,)), ("resize", ((6, 2),)), ("diagflat", (-1,)),
])  # fmt: skip
def test_definitions_compute_what_numpy_computes(name, args):
    x = np.random.default_rng(1).normal(size=(3, 4))
    have, want = getattr(moves, name)(x, *args), getattr(np, name)(x, *args)
    assert have.dtype == want.dtype
    np.testing.assert_allclose(have, want, rtol=1e-14)


@pytest.mark.parametrize(("mode", "words"), [
    ("constant", {"constant_values": ((1, 2), (3, 4))}), ("constant", {"constant_values": (5, 6)}),
    ("linear_ramp", {"end_values": ((1, 2), (3, 4))}), ("mean", {"stat_length": ((1, 2), (9, 3))}),
    ("reflect", {"reflect_type": "odd"}), ("symmetric", {"reflect_type": "odd"}),
])  # fmt: skip
def test_the_definition_of_pad_takes_the_keywords_of_a_mode(mode, words):
    x = np.random.default_rng(1).normal(size=(3, 4))
    for width in (1, (2, 0), ((1, 2), (0, 2))):
        want = np.pad(x, width, mode, **words)
        np.testing.assert_allclose(moves.pad(x, width, mode, **words), want, rtol=1e-14)


def test_the_definition_of_block_computes_what_numpy_computes():
    a, b = np.arange(4.0).reshape(2, 2), np.arange(2.0)
    for nested in ([[a, a.T], [b, b]], [b, b, 1.0], [[[a]], [[a]]], a, [[a, b[:, None]]]):
        np.testing.assert_array_equal(moves.block(nested), np.block(nested))


@pytest.mark.parametrize("call", [
    "np.roll(np.sqrt(x), 1)", "np.flip(np.sqrt(x))", "np.tile(np.sqrt(x), 2)",
    "np.diag(np.sqrt(x))",
    "np.repeat(np.sqrt(x), 2)", "np.vstack([np.sqrt(x), x])", "np.append(np.sqrt(x), x)",
    "np.pad(np.sqrt(x), 1)", "np.tril(np.sqrt(x))", "np.delete(np.sqrt(x), 2)",
    "np.insert(np.sqrt(x), 1, 2.0)", "np.squeeze(np.sqrt(x)[None])", "np.split(np.sqrt(x), 3)[0]",
    "np.split(np.sqrt(x), [1])[1]", "np.meshgrid(np.sqrt(x), x)[0]", "np.rot90(np.sqrt(x)[None])",
    "np.repeat(np.sqrt(x), [1, 2, 1])", "np.diagonal(np.diag(np.sqrt(x)))",
    "np.atleast_2d(np.sqrt(x))", "np.hstack([np.sqrt(x), 1.0])",
])  # fmt: skip
def test_items_that_no_branch_reads_leak_no_nan(call):
    text = f"{HEAD}def f(x):\n    y = {call}\n    return np.sum(np.where(y > 0, y, 0.0))\n"
    found = gradgen.grad(define(text), shapes="x=3")(np.array([0.0, 1.0, 4.0]))
    assert np.all(np.isfinite(found))
    assert found[0] in (0.0, 1.0)  # 1 where x itself is joined and read


def test_parts_of_different_lengths_are_read_where_their_own_branches_read_them():
    text = f"""{HEAD}def f(x):
    a, b = np.split(np.sqrt(x), [1])
    return np.sum(np.where(a > 0, a, 0.0)) + np.sum(np.where(b > 0, 2.0 * b, 0.0))
"""
    found = gradgen.grad(define(text), shapes="x=3")(np.array([0.0, 0.0, 4.0]))
    np.testing.assert_array_equal(found, [0.0, 0.0, 0.5])


def test_the_gradient_of_a_roll_is_the_roll_back():
    """By hand: d/dx_i of sum_j w_j x_{j-1} is w_{i+1}."""
    f = define(f"{HEAD}def f(x, w):\n    return np.sum(w * np.roll(x, 1))\n")
    g = gradgen.grad(f, wrt="x", shapes="x=n, w=n")
    np.testing.assert_array_equal(g(np.ones(3), np.array([1.0, 2.0, 4.0])), [2.0, 4.0, 1.0])
    assert "np.roll(w, -1)" in g.source


@pytest.mark.parametrize(("line", "shapes", "text"), [
    ("np.sum(np.tril(m) * w)", "m=n n, w=n n", "np.tril(w)"),
    ("np.sum(np.flip(m, 0) * w)", "m=n k, w=n k", "np.flip(w, 0)"),
    ("np.sum(np.pad(m, 1)[1:] * w)", "m=4 4, w=5 6", "[1:5, 1:5]"),
    ("np.sum(np.diag(m, 1) * w)", "m=4 4, w=3", "np.diag(w, 1)"),
    ("np.sum(np.tile(m, (2, 1)) * w)", "m=2 3, w=4 3", ".reshape(2, "),
    ("np.trace(m) * w[0]", "m=n n, w=n", "np.eye("),
    ("np.sum(np.rot90(m) * w)", "m=n k, w=k n", "np.rot90(w, -1)"),
    ("np.sum(np.vstack([w, m])[0])", "m=n k, w=k", "np.zeros"),
])  # fmt: skip
def test_adjoints_are_written_as_a_person_would(line, shapes, text):
    f = define(f"{HEAD}def f(m, w):\n    return {line}\n")
    assert text in gradgen.grad(f, wrt="m", shapes=shapes).source


VIEWS = ["np.flip(y)", "np.fliplr(y)", "np.rot90(y)", "np.squeeze(y)", "np.split(y, 2)[1]",
         "np.split(ary=y, indices_or_sections=2)[0]", "np.vsplit(y, 2)[0]", "np.diag(y)",
         "np.diagonal(y)", "np.moveaxis(y, 0, 1)", "np.broadcast_arrays(y, y[0])[1]",
         "np.meshgrid(y[0], y[1], copy=False)[1]", "np.float64(y)", "y.swapaxes(0, 1)",
         "y.mT"]  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_views_whose_array_is_changed_afterwards_are_refused(view):
    text = (
        f"{HEAD}def f(x):\n    y = x.copy()\n    v = {view}\n    y += 1\n    return np.sum(v * v)\n"
    )
    with pytest.raises(gradgen.GradgenError, match="share memory with one that was changed"):
        gradgen.grad(define(text), shapes="x=2 2")


@pytest.mark.parametrize("view", VIEWS)
def test_updates_of_what_may_be_a_view_are_refused(view):
    text = (
        f"{HEAD}def f(x):\n    y = x.copy()\n    v = {view}\n    v += 1\n    return np.sum(y * y)\n"
    )
    with pytest.raises(gradgen.GradgenError, match="may or may not share memory"):
        gradgen.grad(define(text), shapes="x=2 2")


@pytest.mark.parametrize("fresh", [
    "np.roll(y, 1)", "np.tile(y, 1)", "np.repeat(y, 1)", "np.pad(y, 0)", "np.tril(y)",
    "np.append(y, y)", "np.vstack([y])", "np.resize(y, (2, 2))", "np.block([[y]])",
    "np.delete(y, 0)",
    "np.meshgrid(y[0], y[1])[1]", "np.diag(y[0])", "np.insert(y, 0, 1.0)", "np.array(y)",
    "np.reshape(y, 4, copy=True)", "y.astype(float)", "np.float32(y)",
])  # fmt: skip
def test_copies_may_be_changed_without_a_trace(fresh):
    """Checked against what Python computes on the same numbers."""
    text = (
        f"{HEAD}def f(x):\n    y = x * x\n    v = {fresh}\n    v += 1\n    return np.sum(y * y)\n"
    )
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    f = define(text)
    value, gradient = gradgen.value_and_grad(f, shapes="x=2 2")(x)
    assert value == f(x.copy())
    np.testing.assert_allclose(gradient, 4 * x**3)


@pytest.mark.parametrize(("line", "shapes", "said"), [
    ("np.concatenate([x, x], dtype=np.float32)", "x=3", "unexpected keyword argument 'dtype'"),
    ("np.concatenate([x, x], out=x)", "x=3", "unexpected keyword argument 'out'"),
    ("np.vstack([x, x[:2]])", "x=3", "differ in another axis than the joined one"),
    ("np.concatenate([x, x[0]])", "x=3", "arrays of one rank"),
    ("np.pad(x, 1, mode='empty')", "x=3", 'mode="empty" leaves values that nobody computed'),
    ("np.pad(x, 1, mode='magic')", "x=3", "takes the name of a mode"),
    ("np.pad(x, 1, mode='edge', constant_values=2)", "x=3", "takes no constant_values"),
    ("np.pad(x, -1)", "x=3", "can't contain negative values"),
    ("np.pad(x, ((1, 1), (1, 1)))", "x=3", "a pair for each axis"),
    ("np.pad(x, (9, 0), 'reflect', reflect_type='odd')", "x=3", "reflects once only"),
    ("np.repeat(x, [1, 2])", "x=3", "2 counts for an axis of length 3"),
    ("np.repeat(x, np.sum(x) > 0)", "x=3", "known while compiling"),
    ("np.tile(x, np.sum(x))", "x=3", "known while compiling"),
    ("np.split(x, 2)[0]", "x=3", "cannot be split into 2 equal parts"),
    ("np.split(x, 2)[0]", "x=n", "np.split of an axis of length n into 2 parts"),
    ("np.split(x, [2, 1])[0]", "x=3", "ascending order"),
    ("np.roll(x, 1.5)", "x=3", "the shift of np.roll must be an integer"),
    ("np.roll(x, (1, 2))", "x=3", "needs axis="),
    ("np.squeeze(x, 0)", "x=3 1", "size not equal to one"),
    ("np.squeeze(x)", "x=n 1", "which axes have the length 1 is not known"),
    ("np.flip(x, 2)", "x=3 1", "out of bounds"),
    ("np.flipud(x[0])", "x=3", "1 axes or more"),
    ("np.rot90(x, 1, (0, 0))", "x=3 3", "must be different"),
    ("np.moveaxis(x, (0, 1), 0)", "x=3 3", "same number of axes"),
    ("np.moveaxis(x, (0, 0), (0, 1))", "x=3 3", "repeated axis"),
    ("np.diag(x)", "x=2 2 2", "one or two axes"),
    ("np.diag(x)", "x=n m", "the length of a diagonal"),
    ("np.delete(x, 3)", "x=3", "out of bounds"),
    ("np.delete(x, x > 0)", "x=3", "known while compiling"),
    ("np.insert(np.arange(3), 1, x)", "x=3", "cuts their fraction off"),
    ("np.ix_(x > 0)", "x=3", "use indices"),
    ("np.tile(x, -1).resize(3)", "x=3", "the method resize changes the array's memory"),
    ("x.itemset(0, 1.0)", "x=3", "the method itemset changes"),
    ("np.reshape(x, (2, 2), order='A')", "x=2 2", "depends on the memory layout"),
    ("np.array(x, ndmin=3)", "x=2 2", "ndmin= is not supported"),
    ("x.copy(order='F')", "x=2 2", "order='F' is not supported"),
    ("np.mgrid[0:3]", "x=3", "numpy.mgrid is not supported"),
    ("np.vander(x, -1)", "x=3", "not negative"),
])  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(line, shapes, said):
    f = define(f"{HEAD}def f(x):\n    return np.sum({line})\n")
    with pytest.raises(gradgen.GradgenError) as caught:
        gradgen.grad(f, shapes=shapes)
    assert said in str(caught.value)


def test_a_list_of_numbers_takes_its_adjoint_item_by_item():
    """By hand: d of 1*y + 2*x (the flipped list) and of x * y."""
    f = define(f"{HEAD}def f(x, y):\n    return np.sum(np.array([1.0, 2.0]) * np.flip([x, y]))\n")
    g = gradgen.grad(f, wrt=("x", "y"), shapes="x=scalar, y=scalar")
    assert g(3.0, 5.0) == (2.0, 1.0)


def test_second_derivatives_pass_through_moves():
    """By hand: sum roll(x, 1)**3 has the Hessian 6 diag(x), whose product with ones is 6 x."""
    f = define(
        f"{HEAD}def f(x):\n    return np.sum(np.roll(np.flip(x), 1) ** 3 + np.tile(x, 1) * x)\n"
    )
    text = gradgen.grad(f, shapes="x=3").source
    body = "\n".join(line for line in text.splitlines() if "import" not in line)
    g = define(f"{HEAD}{body}\n\ndef h(x):\n    return np.sum(f_grad(x))\n", "h")
    have = gradgen.grad(g, shapes="x=3")(np.array([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(have, [6.0 + 2, 12.0 + 2, 24.0 + 2], rtol=1e-14)
