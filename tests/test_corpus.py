"""Functions as scientists write them, from the literature: emitted as files, and live.

The value is the function's own bit by bit; the gradient is a complex step's where the function
takes complex numbers, else that of differences; what the literature states is stated in the table.
"""

import copy
import importlib
import inspect
import pathlib

import numpy as np
import pytest
from agreement import differences
from corpus.table import ROWS

import gradgen
from gradgen.api import emit_path

FOLDER = pathlib.Path(__file__).parent / "corpus"
NAMES = [row.where for row in ROWS]
TITLES = [f"{name}#{NAMES[:k].count(name)}" for k, name in enumerate(NAMES)]
# What is refused, and what the error says instead of a gradient.
REFUSED = {
    "likelihoods:von_mises_numpy": "np.i0 has a derivative that needs SciPy: use scipy.special.i0",
    "networks:tsne": "np.fill_diagonal is not supported here",
    "finance:bachelier": "write the density in NumPy; norm.cdf is scipy.special.ndtr",
}
READ = [row for row in ROWS if row.where not in REFUSED]


def over(rows):
    """A test of each row."""
    titles = dict(zip(map(id, ROWS), TITLES, strict=True))
    return pytest.mark.parametrize("row", [pytest.param(r, id=titles[id(r)]) for r in rows])


def function_of(row):
    return getattr(importlib.import_module(f"corpus.{row.module}"), row.name)


def leaves(value, path=""):
    """The numbers and arrays of an argument, by the path that `shapes=` gives them."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from leaves(item, f"{path}.{k}")
    else:
        yield path, value


def put(value, path, leaf):
    """The argument with another leaf."""
    if not path:
        return leaf
    key, _, rest = path[1:].partition(".")
    if isinstance(value, dict):
        return {**value, key: put(value[key], rest and "." + rest, leaf)}
    items = list(value)
    items[int(key)] = put(items[int(key)], rest and "." + rest, leaf)
    return type(value)(items)


def shape_of(leaf):
    if isinstance(leaf, np.ndarray):
        return " ".join(map(str, leaf.shape)) + f":{leaf.dtype}"
    return "int" if isinstance(leaf, int) else "scalar"


def shapes_of(arguments):
    """Every leaf of the arguments, declared."""
    return {
        name + path: shape_of(leaf)
        for name, value in arguments.items()
        for path, leaf in leaves(value)
    }


def slope(row, function, name, path, leaf):
    """The gradient with respect to one leaf, by a complex step or by differences."""
    shape = np.shape(leaf)

    def at(moved):
        arguments = row.arguments()
        arguments[name] = put(arguments[name], path, moved if shape else moved[()])
        return function(**arguments)

    if row.how == "complex":
        found = np.zeros(shape)
        for place in np.ndindex(shape):
            moved = np.asarray(leaf, complex)
            moved[place] += 1e-200j
            found[place] = np.imag(at(moved)) / 1e-200
        return found
    # Steps in the proportion of each entry: parameters have units.
    scale = np.where(np.asarray(leaf) != 0.0, np.abs(leaf), 1.0)
    start = np.zeros(shape)
    return differences(lambda u: at(np.asarray(leaf + u * scale)), [start]) / scale


def failures_of(row, value, gradients):
    """What differs from the function's own value and from its slopes, as text."""
    function, arguments = function_of(row), row.arguments()
    own = function(**row.arguments())
    if np.asarray(value).tobytes() != np.asarray(own).tobytes():
        yield f"value {value!r} is not {own!r}"
    tolerance = row.tolerance or (1e-11 if row.how == "complex" else 1e-7)
    for name, gradient in zip(row.wrt, gradients, strict=True):
        have = dict(leaves(gradient))
        for path, leaf in leaves(arguments[name]):
            want, got = slope(row, function, name, path, leaf), have.pop(path)
            if isinstance(leaf, np.ndarray):
                if not isinstance(got, np.ndarray) or got.dtype != leaf.dtype:
                    yield f"d_{name}{path} is {type(got)} {getattr(got, 'dtype', '')}"
            elif not isinstance(got, float):
                yield f"d_{name}{path} is {type(got)}"
            if np.shape(got) != np.shape(want):
                yield f"d_{name}{path}: shape {np.shape(got)} is not {np.shape(want)}"
            elif not np.max(np.abs(got - want)) <= tolerance * np.max(np.abs(want)):
                yield f"d_{name}{path}: {got!r} is not {want!r}"
        if have:
            yield f"d_{name} has more: {sorted(have)}"


def names_of(row, arguments, mode, recompute=False):
    """The names of the emitted file, from its text alone."""
    location = f"{FOLDER / row.module}.py:{row.name}"
    text = emit_path(
        location, wrt=row.wrt, shapes=shapes_of(arguments), mode=mode, recompute=recompute
    )
    namespace = {"__name__": "emitted"}
    exec(text, namespace)
    return namespace


def emitted(row, arguments):
    """The emitted function of the file."""
    return names_of(row, arguments, "value_and_grad")[f"{row.name}_value_and_grad"]


@over(READ)
def test_the_emitted_file_computes_the_value_and_its_gradient(row):
    arguments = row.arguments()
    value, gradients = emitted(row, arguments)(**arguments)
    np.testing.assert_equal(arguments, row.arguments())
    failures = list(failures_of(row, value, gradients))
    assert not failures, "\n".join(failures)


@over(READ)
def test_the_pair_of_functions_computes_the_value_and_its_gradient(row):
    arguments = row.arguments()
    names = names_of(row, arguments, "pair")
    value, saved = names[f"{row.name}_forward"](**arguments)
    gradients = names[f"{row.name}_backward"](saved, 1.0)
    np.testing.assert_equal(arguments, row.arguments())
    failures = list(failures_of(row, value, gradients))
    assert not failures, "\n".join(failures)
    again = names_of(row, arguments, "pair", recompute=True)
    _, kept = again[f"{row.name}_forward"](**arguments)
    recomputed = again[f"{row.name}_backward"](kept, 1.0)
    for one, other in zip(leaves(gradients), leaves(recomputed), strict=True):
        assert one[0] == other[0]
        assert np.asarray(one[1]).tobytes() == np.asarray(other[1]).tobytes(), one[0]


@over(READ)
def test_the_live_function_computes_the_value_and_its_gradient(row):
    arguments = row.arguments()
    live = gradgen.value_and_grad(function_of(row), wrt=row.wrt)
    value, gradients = live(**arguments)
    np.testing.assert_equal(arguments, row.arguments())
    failures = list(failures_of(row, value, gradients))
    assert not failures, "\n".join(failures)


@over([row for row in ROWS if row.known])
def test_the_value_is_the_one_that_the_literature_states(row):
    known = row.known
    f = function_of(row)
    live = gradgen.value_and_grad(f, wrt=row.wrt)
    value, gradients = live(*copy.deepcopy(known.args))
    np.testing.assert_allclose(value, known.value, rtol=known.rtol, atol=known.atol)
    if known.stationary is not None:
        for gradient in gradients:
            np.testing.assert_allclose(gradient, 0.0, atol=known.stationary)


PLANTED = {
    "five times": lambda d: 5.0 * d,
    "the sign": lambda d: -d,
    "the sixth digit": lambda d: d * (1.0 + 1e-6),
    "one entry": lambda d: d + np.eye(1, d.size, 1)[0] * 1e-5 * np.max(np.abs(d)),
    "reversed": lambda d: d[::-1],
    "nan": lambda d: d * np.nan,
    "the shape": lambda d: d[:2],
    "the dtype": lambda d: d.astype(np.float32),
    "zeros": np.zeros_like,
}


@pytest.mark.parametrize("where", ["optimisation:hartmann6", "losses:huber"])
@pytest.mark.parametrize("kind", PLANTED)
def test_the_comparison_catches_planted_errors(where, kind):
    row = ROWS[NAMES.index(where)]
    value, (gradient,) = emitted(row, row.arguments())(**row.arguments())
    assert not list(failures_of(row, value, (gradient,)))
    assert list(failures_of(row, value, (PLANTED[kind](gradient),)))
    assert list(failures_of(row, np.nextafter(value, np.inf), (gradient,)))


def test_the_corpus_has_at_least_sixty_functions_and_each_has_a_row_and_a_source():
    found = set()
    for path in sorted(FOLDER.glob("*.py")):
        module = importlib.import_module(f"corpus.{path.stem}")
        if path.stem == "table" or path.stem.startswith("rows"):
            continue
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and function.__doc__:
                found.add(f"{path.stem}:{name}")
    assert found == set(NAMES)
    assert len(found) >= 60


@over([row for row in ROWS if row.where in REFUSED])
def test_what_is_refused_is_refused_by_name_with_what_to_write(row):
    with pytest.raises(gradgen.SourceError) as caught:
        emitted(row, row.arguments())
    assert REFUSED[row.where] in str(caught.value)
