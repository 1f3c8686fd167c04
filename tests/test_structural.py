"""Structural operations: every row, on the ranks, axes, dtypes and adjoints that it admits.

The reference is the user's own function, called on complex numbers (complex step) or, where it is
not analytic, on shifted ones (Richardson's extrapolation of central differences).
"""

import itertools
import linecache
import re
import warnings

import numpy as np
import pytest

import gradgen

RANKS = {0: (), 1: (3,), 2: (2, 3), 3: (2, 3, 4)}
HEAD = "import numpy as np\nimport scipy.special\nfrom scipy.special import logsumexp\n\n\n"


def shape_text(**shapes):
    """Shapes by name, in the syntax of `shapes=`."""
    return ", ".join(f"{k}={' '.join(map(str, v)) or '()'}" for k, v in shapes.items())


def axes_of(rank):
    """Every axis argument that a reduction over an array of this rank takes."""
    yield None
    yield from range(-rank, rank)
    for count in range(2, rank + 1):
        yield from itertools.combinations(range(rank), count)


def _reductions():
    for name in ("sum", "mean", "max", "min", "prod", "logsumexp"):
        mode = "real" if name in ("max", "min") else "complex"
        call = "scipy.special.logsumexp" if name == "logsumexp" else f"np.{name}"
        for rank, shape in RANKS.items():
            if name == "logsumexp" and rank == 0:
                continue
            for axis in axes_of(rank):
                for keep in ("", ", keepdims=True"):
                    at = "" if axis is None else f", axis={axis}"
                    yield name, f"{call}(x{at}{keep})", {"x": shape}, mode
        if call.startswith("np."):
            yield name, f"x.{name}()", {"x": (2, 3)}, mode
            yield name, f"x.{name}(1)", {"x": (2, 3)}, mode
            yield name, f"x.{name}(axis=0, keepdims=True)", {"x": (2, 3)}, mode
    for name in ("softmax", "log_softmax"):
        for rank in (1, 2, 3):
            for axis in axes_of(rank):
                at = "" if axis is None else f", axis={axis}"
                yield name, f"scipy.special.{name}(x{at})", {"x": RANKS[rank]}, "real"
    for name, rank in itertools.product(("cumsum", "cumprod"), RANKS):
        for axis in (None, *range(-rank, rank)):
            at = "" if axis is None else f", axis={axis}"
            yield name, f"np.{name}(x{at})", {"x": RANKS[rank]}, "complex"
    for rank in (1, 2, 3):
        yield "sum_rows", "sum(x)", {"x": RANKS[rank]}, "complex"
        yield "total", "sum([x, 2.0 * x, y])", {"x": RANKS[rank], "y": RANKS[rank]}, "complex"
    yield "total", "sum([x, y])", {"x": (2, 3), "y": (3,)}, "complex"
    yield "total", "sum([y, x, y], x)", {"x": (2, 3), "y": (3,)}, "complex"
    yield "total", "sum(row * row for row in x)", {"x": (2, 3)}, "complex"
    yield "total", "sum(x[i] * y for i in range(2))", {"x": (2, 3), "y": (3,)}, "complex"


def _norms():
    for rank, shape in RANKS.items():
        if rank:
            yield "norm", "np.linalg.norm(x)", {"x": shape}, "real"
    for rank in (1, 2, 3):
        for axis in range(-rank, rank):
            for keep in ("", ", keepdims=True"):
                yield "norm", f"np.linalg.norm(x, axis={axis}{keep})", {"x": RANKS[rank]}, "real"
    yield "norm", "np.linalg.norm(x, axis=(0, 1))", {"x": (2, 3)}, "real"
    yield "norm", "np.linalg.norm(x, axis=(0, 2), keepdims=True)", {"x": (2, 3, 4)}, "real"
    yield "norm", "np.linalg.norm(x, 'fro')", {"x": (2, 3)}, "real"
    yield "norm", "np.linalg.norm(x, 2)", {"x": (3,)}, "real"
    yield "norm", "np.linalg.norm(x, keepdims=True)", {"x": (2, 3)}, "real"


def _products():
    stacks = [(), (2,), (1,), (5, 2), (5, 1)]
    for a, b in itertools.product(stacks, stacks):
        x, y = (*a, 2, 3), (*b, 3, 4)
        yield "matmul", "x @ y", {"x": x, "y": y}, "complex"
        if b == a:
            yield "matmul", "np.matmul(x, np.sin(x).swapaxes(-1, -2))", {"x": x}, "complex"
    for a in stacks:
        yield "matmul", "x @ y", {"x": (3,), "y": (*a, 3, 4)}, "complex"
        yield "matmul", "x @ y", {"x": (*a, 2, 3), "y": (3,)}, "complex"
    yield "matmul", "x @ y", {"x": (3,), "y": (3,)}, "complex"
    yield "matmul", "x @ x", {"x": (3,)}, "complex"
    yield "matmul", "x @ x", {"x": (3, 3)}, "complex"
    yield "matmul", "x @ y", {"x": (1, 3), "y": (3, 1)}, "complex"
    yield "matmul", "x @ y", {"x": (2, 1), "y": (1, 3)}, "complex"
    yield "matmul", "x.T @ x", {"x": (2, 3)}, "complex"
    yield "matmul", "x @ y @ z", {"x": (2, 3), "y": (3, 4), "z": (4,)}, "complex"
    for name, x, y in (
        ("dot", (), ()), ("dot", (), (3,)), ("dot", (2, 3), ()), ("dot", (3,), (3,)),
        ("dot", (2, 3), (3,)), ("dot", (3,), (3, 4)), ("dot", (2, 3), (3, 4)),
        ("inner", (3,), (3,)), ("inner", (2, 3), (3,)), ("inner", (2, 3), (4, 3)),
        ("inner", (3,), (4, 3)), ("inner", (), (3,)), ("outer", (3,), (4,)), ("outer", (3,), (3,)),
        ("outer", (1,), (3,)),
    ):  # fmt: skip
        yield name, f"np.{name}(x, y)", {"x": x, "y": y}, "complex"
    yield "vdot", "np.vdot(x, y)", {"x": (3,), "y": (3,)}, "real"
    yield "dot", "x.dot(y)", {"x": (2, 3), "y": (3,)}, "complex"
    yield "outer", "np.outer(x, x)", {"x": (3,)}, "complex"


def _moves():
    for shape, new in (
        ((6,), "(2, 3)"), ((2, 3), "(6,)"), ((2, 3), "(3, 2)"), ((2, 3), "-1"), ((2, 3), "(3, -1)"),
        ((2, 3, 4), "(4, 6)"), ((2, 3, 4), "(-1, 3)"), ((2, 3), "(1, 2, 3)"), ((), "(1,)"),
        ((1,), "()"), ((2, 3), "(2, -1, 1)"),
    ):  # fmt: skip
        for order in ("", ", order='F'"):
            yield "reshape", f"np.reshape(x, {new}{order})", {"x": shape}, "complex"
    yield "reshape", "x.reshape(3, 2)", {"x": (2, 3)}, "complex"
    yield "reshape", "x.reshape((x.shape[0], -1))", {"x": (2, 3, 4)}, "complex"
    yield "reshape", "x.reshape(x.shape[0] * x.shape[1], 4)", {"x": (2, 3, 4)}, "complex"
    yield "reshape", "x.reshape(-1, 1)", {"x": (3,)}, "complex"
    for rank, shape in RANKS.items():
        yield "ravel", "np.ravel(x)", {"x": shape}, "complex"
        yield "ravel", "x.ravel('F')", {"x": shape}, "complex"
        yield "flatten", "x.flatten()", {"x": shape}, "complex"
        yield "transpose", "x.T", {"x": shape}, "complex"
        yield "transpose", "np.transpose(x)", {"x": shape}, "complex"
        yield "copy", "np.copy(x)", {"x": shape}, "complex"
        yield "copy", "x.copy()", {"x": shape}, "complex"
        yield "asarray", "np.asarray(x)", {"x": shape}, "complex"
        yield "array", "np.array(x)", {"x": shape}, "complex"
        yield "array", "np.array([x, y])", {"x": shape, "y": shape}, "complex"
        yield "array", "np.array([[x, y], [y, x]])", {"x": shape, "y": shape}, "complex"
        yield "array", "np.array([x, x, x])", {"x": shape}, "complex"
        yield "asarray", "np.asarray([x, y])", {"x": shape, "y": shape}, "complex"
        for axis in range(rank + 1):
            yield "expand_dims", f"np.expand_dims(x, {axis})", {"x": shape}, "complex"
            yield "stack", f"np.stack([x, y, x], axis={axis})", {"x": shape, "y": shape}, "complex"
        yield "stack", "np.stack((x, y), axis=-1)", {"x": shape, "y": shape}, "complex"
        for axis in range(rank):
            longer = tuple(n + 2 * (i == axis) for i, n in enumerate(shape))
            named = {"x": shape, "y": longer}
            yield "concatenate", f"np.concatenate([x, y, x], axis={axis})", named, "complex"
            yield "concatenate", f"np.concatenate((y, x), {axis - rank})", named, "complex"
        if rank > 1:
            for axes in itertools.permutations(range(rank)):
                yield "transpose", f"np.transpose(x, {axes})", {"x": shape}, "complex"
                yield "transpose", f"x.transpose{axes}", {"x": shape}, "complex"
            for one, two in itertools.product(range(-rank, rank), repeat=2):
                yield "swapaxes", f"np.swapaxes(x, {one}, {two})", {"x": shape}, "complex"
    yield "expand_dims", "np.expand_dims(x, (0, -1))", {"x": (2, 3)}, "complex"
    yield "array", "np.array([1.0, x, y])", {"x": (), "y": ()}, "complex"
    yield "array", "np.array([np.sum(x), x[0], 2.0])", {"x": (3,)}, "complex"
    yield "concatenate", "np.concatenate([x[1:], x[:1]])", {"x": (3,)}, "complex"
    for shape, new in (
        ((), "(3,)"), ((), "(2, 3)"), ((3,), "(3,)"), ((3,), "(2, 3)"), ((1,), "(4,)"),
        ((1, 3), "(2, 3)"), ((2, 1), "(2, 3)"), ((2, 1), "(5, 2, 3)"), ((1, 1), "(2, 3)"),
        ((3, 1), "(2, 3, 4)"),
    ):  # fmt: skip
        yield "broadcast_to", f"np.broadcast_to(x, {new})", {"x": shape}, "complex"
    yield "broadcast_to", "np.broadcast_to(x, y.shape) * y", {"x": (3,), "y": (2, 3)}, "complex"
    yield "astype", "x.astype(np.float64)", {"x": (2, 3)}, "real"
    yield "astype", "x.astype(np.float64) * y", {"x": (3,), "y": (2, 3)}, "real"


def _creation():
    for name in ("zeros", "ones"):
        for shape in RANKS.values():
            yield f"{name}_like", f"np.{name}_like(x) + x * x", {"x": shape}, "complex"
            yield name, f"np.{name}({shape}) + x * x", {"x": shape}, "complex"
    for shape in ("3", "(3,)", "(2, 3)", "(2, 3, 4)"):
        yield "full", f"np.full({shape}, x)", {"x": ()}, "complex"
    yield "full", "np.full((2, 3), x)", {"x": (3,)}, "complex"
    yield "full", "np.full((2, 3), x)", {"x": (2, 1)}, "complex"
    yield "full", "np.full(x.shape, y)", {"x": (2, 3), "y": ()}, "complex"
    for rank in (1, 2, 3):
        yield "full_like", "np.full_like(x, y) * x", {"x": RANKS[rank], "y": ()}, "real"
    yield "full_like", "np.full_like(x, y) * x", {"x": (2, 3), "y": (3,)}, "real"
    yield "full_like", "np.full_like(x, y)", {"x": (2, 3), "y": (2, 1)}, "real"
    yield "arange", "x ** np.arange(3)", {"x": (3,)}, "complex"
    yield "arange", "np.arange(1, 4) * x", {"x": (2, 3)}, "complex"
    yield "arange", "x * np.arange(3)", {"x": ()}, "complex"
    yield "eye", "x @ np.eye(3) + np.eye(3)[1]", {"x": (2, 3)}, "complex"
    yield "eye", "x * np.eye(3)", {"x": ()}, "complex"


BASIC = {
    1: ["0", "-1", ":", "1:", ":-1", "::2", "::-1", "1:3", "-2:", "None", "...", "..., None",
        "None, :", "5:", "2:1", "::-2", "None, 0", "-3:-1"],
    2: ["0", "-1", "0, 1", "-1, -1", ":, 0", "0, :", "1:, :-1", "::-1", ":, ::-1", "::-1, ::2",
        "..., 0", "0, ...", "None", ":, None", "..., None", ":, None, 1", "None, 1, ::-1, None",
        ":, 1:2", "1:1"],
    3: ["0", "0, 1", "0, 1, 2", ":, 0", ":, :, 0", "..., 0", "0, ..., 1", "1:, None, :, ::-1",
        "::-1, 1", ":, 1:, -1", "None, ..., None", "-1, :, ::2", "..., 1, :"],
}  # fmt: skip
# Index arrays are globals: `I` = [0, 0, 2], `J` = [[0, 1], [1, 1]], `K` = [1, 0, 1].
FANCY = {
    1: ["[0, 0, 2]", "I", "J", "-1 - I", "I[1:]", "[1]", "np.array([2, 2, 2])", "None, I"],
    2: ["K", "J", "[1, 1, 0]", ":, I", ":, J", "K, I", "K, :", "0, I", "K, 1", "K, 1:", "1:, I",
        "[0, 0], [1, 1]", "..., I", "::-1, I", "K, None", "J, J", "K[:, None], I[None, :]",
        "np.arange(2), [1, 1]", "K, ::2", "None, K"],
    3: ["K", "J", ":, I", ":, :, I", "K, I", "K, :, I", "0, :, I", "0, I", "K, 0", "K, :, 0",
        ":, I, 0", ":, I, K", "K, I, I", "..., I", "1:, I, ::2", "0, :, J", ":, 1, I", "K, ..., 0",
        ":, K[:, None], I"],
}  # fmt: skip


def _indices():
    for table in (BASIC, FANCY):
        for rank, indices in table.items():
            for index in indices:
                yield "index", f"x[{index}]", {"x": RANKS[rank]}, "complex"
    for first, second in itertools.combinations(["0", "-1", "1:", "::-1", "I[:2]", ":2", "..."], 2):
        line = f"np.sum(x[{first}] ** 2) * np.sin(x[{second}])"
        yield "index", line, {"x": (3,)}, "complex"
    for first, second in itertools.combinations(["0", "1", ":, 0", "0, 1", "K", ":, ::-1"], 2):
        line = f"np.sum(x[{first}] ** 2) * np.sin(x[{second}])"
        yield "index", line, {"x": (2, 3)}, "complex"
    for line in (
        "x[0] * x[0]", "x[0] * x[-3]", "x[0] * x[1] * x[2]", "x[2] * x[0]", "x[-1] + x[1] * x[0]",
        "x[I] * x[I]", "x * x[0]", "x * x[I]", "x[1:] - x[:-1]", "x[1:][::-1][0]", "x[::-1] * x",
        "x[1:] * x[0] + x[:-1]", "x[:2] * x[:2]", "x[0] + 0.0 * x[1]", "x[I][I]", "x[I][::-1]",
        "np.sum(x) + x[0]", "x / x[0]", "x[None, :] - x[:, None]",
    ):  # fmt: skip
        yield "index", line, {"x": (3,)}, "complex"
    for line in (
        "x[0] * x[1]", "x[0, 0] * x[0, 1]", "x[0][1] * x[0, 1]", "x[:, 0] * x[:, 1]", "x[0] * x",
        "x[K] * x[1]", "x[0, 0] * x", "x[:, None] - x[None]", "x[0] @ x[1]", "x.T[0]",
        "x[1, 0] * x[0] + x[-1]", "x[0, 1] + x[1]", "x[np.arange(2), [2, 0]]",
    ):  # fmt: skip
        yield "index", line, {"x": (2, 3)}, "complex"


# Stores into fresh arrays: statements before the expression. A buffer has the dtype of `x`, so that
# the same text runs on complex numbers.
STORES = [
    ("index_set", "u = ZEROS(3)\nu[0] = x[1]\nu[1:] = x[0] * x[2]", {"x": (3,)}),
    ("index_set", "u = x.copy()\nu[0] = x[1] * u[0]", {"x": (3,)}),
    ("index_set", "u = x * x\nu[1] = 2.0\nu[0] = u[1] * u[2]", {"x": (3,)}),
    ("index_set", "u = ZEROS((2, 3))\nu[0] = x\nu[:, 1] = x[0]", {"x": (3,)}),
    ("index_set", "u = ZEROS((2, 3))\nu[:] = x\nu[1, ::2] = x[0] ** 2", {"x": (3,)}),
    ("index_set", "u = ZEROS((2, 3))\nu[:, :2] = x", {"x": (2, 1)}),
    ("index_set", "u = ZEROS((2, 3))\nu[...] = x", {"x": ()}),
    ("index_set", "u = ZEROS((2, 3, 4))\nu[:, 1] = x", {"x": (4,)}),
    ("index_set", "u = ZEROS(3)\nu[0] = 1.0\nfor i in range(1, 3):\n    u[i] = u[i - 1] * x[i]",
     {"x": (3,)}),
    # the adjoint of `y` is a result, and that of `x` the same array with zeros in it
    ("index_set", "u = x * 1.0\nu[0] = 2.0\nu = u + y", {"x": (3,), "y": (3,)}),
    ("index_set", "u = x * y\nv = np.sum(u * u)\nu[1:] = x[0] * v", {"x": (3,), "y": (3,)}),
    ("index_add", "u = x * y\nv = u * u\nu[0] += y[1]\nu = u * v", {"x": (3,), "y": (3,)}),
    ("index_add", "u = ZEROS(3)\nu[0] += x[1]\nu[1:] += x[0] * x[2]", {"x": (3,)}),
    ("index_add", "u = x * 2.0\nu[::-1] += x\nu[0] -= x[1]\nu[1] *= x[2]", {"x": (3,)}),
    ("index_add", "u = ZEROS(3)\nnp.add.at(u, I, x)", {"x": (3,)}),
    ("index_add", "u = x + 1.0\nnp.add.at(u, I, x[0] * x[1])", {"x": (3,)}),
    ("index_add", "u = ZEROS((2, 3))\nnp.add.at(u, (K, I), x)", {"x": (3,)}),
    ("index_add", "u = ZEROS((2, 3))\nu = u + x\nu[1] += x * x", {"x": (3,)}),
]  # fmt: skip


def all_cases():
    """Every (row, statements, expression, shapes, reference)."""
    for row, line, shapes, how in itertools.chain(
        _reductions(), _norms(), _products(), _moves(), _creation(), _indices()
    ):
        yield row, "", line, shapes, how
    for row, before, shapes in STORES:
        yield (
            row,
            re.sub(r"ZEROS\((.*)\)", r"np.zeros(\1, dtype=x.dtype)", before),
            "u",
            shapes,
            "complex",
        )


CASES = list(all_cases())


# -- functions around an expression ----------------------------------------------------------------


def define(text, name="f"):
    """The function in a text, with its source where `inspect` and gradgen find it."""
    path = f"<structural {hash(text)}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    names = {
        "I": np.array([0, 0, 2]), "J": np.array([[0, 1], [1, 1]]), "K": np.array([1, 0, 1]),
    }  # fmt: skip
    exec(compile(text, path, "exec"), names)
    return names[name]


def program(before, line, names, wrap):
    """The text of a function that returns one number."""
    body = "".join(f"    {s}\n" for s in before.splitlines())
    signature = ", ".join([*names, "W"])
    return f"{HEAD}def f({signature}):\n{body}    return {wrap.replace('OP', line)}\n"


def arguments(shapes, dtype, seed=7):
    """Positive, distinct numbers, apart from each other by more than the steps of differences."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, shape in shapes.items():
        count = int(np.prod(shape))
        values = 0.6 + (rng.permutation(count) + rng.uniform(0.3, 0.7, count)) / max(count, 1)
        made[name] = np.asarray(values.reshape(shape), dtype)
    return made


def complex_step(f, given, weights, name):
    """The gradient of `f`, by its value at complex arguments."""
    x = given[name]
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[place] += 1e-200j
        gradient[place] = np.imag(f(**{**given, name: moved}, W=weights)) / 1e-200
    return gradient


def differences(f, given, weights, name):
    """The gradient of `f` by Richardson's extrapolation of central differences."""
    x = given[name]
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):

        def central(h, place=place):
            ends = []
            for sign in (1, -1):
                moved = x.copy()
                moved[place] += sign * h
                ends.append(f(**{**given, name: moved}, W=weights))
            return (ends[0] - ends[1]) / (2 * h)

        h = 1e-3
        one, two, three = central(h), central(h / 2), central(h / 4)
        first, second = (4 * two - one) / 3, (4 * three - two) / 3
        gradient[place] = (16 * second - first) / 15
    return gradient


def wraps_for(shape):
    """Ways to make one number of the result: constant, full and lazily broadcast adjoints."""
    yield "np.sum(W * (OP))", shape
    yield "np.sum(OP)", ()
    yield "np.sum(W * np.sin(OP))", shape
    if shape:
        yield "np.sum((OP) * W)", shape[1:]
        yield "np.sum((OP) * W) / 8", (*shape[:-1], 1)
        yield "np.sum((OP) * 3.0) * W", ()
    else:
        yield "W * (OP)", ()


def close(have, want, tolerance):
    """Whether every entry agrees, relative to the largest one, or to 0.1 where all are small."""
    have = np.asarray(have, float)
    scale = max(0.1, float(np.max(np.abs(want), initial=0)))
    return have.shape == want.shape and bool(np.all(np.abs(have - want) <= tolerance * scale))


def compare(before, line, shapes, how, inner, every=False):
    """Every wrap and choice of active arguments; what differs, as text.

    Each with one dtype and kind of shapes (as numbers, or none), in turn, or with `every` one.
    """
    failures = []
    given = arguments(shapes, np.float64)
    f = define(program(before, line, shapes, "OP"))
    probe = np.shape(f(**given, W=1.0))
    for turn, (wrap, w_shape) in enumerate(wraps_for(probe), len(line)):
        if inner:
            wrap = wrap.replace("OP", "(OP)")
            head = "\n".join(f"{n} = np.sin({n}) + 0.3" for n in shapes)
            text = program(f"{head}\n{before}", line, shapes, wrap)
        else:
            text = program(before, line, shapes, wrap)
        f = define(text)
        weights = np.random.default_rng(3).uniform(0.5, 1.5, w_shape)
        reference = complex_step if how == "complex" else differences
        want = {name: reference(f, given, weights, name) for name in shapes}
        value = f(**given, W=weights)
        names = list(shapes)
        active = [tuple(names)] if len(names) == 1 else [tuple(names), *((n,) for n in names)]
        declared = {**shapes, "W": w_shape}
        dtypes = (np.float64, np.float32)
        if inner:
            active, dtypes = active[:1], dtypes[:1]
        kinds = list(itertools.product(dtypes, (True, False)))
        ways = list(itertools.product(active, kinds))
        if not every:
            ways = [(wrt, kinds[(turn + at) % len(kinds)]) for at, wrt in enumerate(active)]
        for wrt, (dtype, concrete) in ways:
            label = f"{wrap} wrt={wrt} {dtype.__name__} {'concrete' if concrete else 'symbolic'}"
            data = {n: a.astype(dtype) for n, a in given.items()}
            w = weights.astype(dtype)
            kept = {n: a.copy() for n, a in data.items()}
            try:
                options = {}
                if concrete:
                    options["shapes"] = {
                        n: f"{' '.join(map(str, s)) or '()'}:{dtype.__name__}"
                        for n, s in declared.items()
                    }
                function = gradgen.value_and_grad(f, wrt=wrt, **options)
                found, gradients = function(*data.values(), w)
            except Exception as error:
                failures.append(f"{label}: {type(error).__name__}: {error}")
                continue
            tolerance = 3e-4 if dtype is np.float32 else 1e-12 if how == "complex" else 1e-8
            if dtype is np.float64 and np.asarray(found).tobytes() != np.asarray(value).tobytes():
                failures.append(f"{label}: value {found!r} is not {value!r}")
            if how == "complex" and dtype is np.float64:
                failures += dot_product(
                    f, given, weights, dict(zip(wrt, gradients, strict=True)), label
                )
            for name, gradient in zip(wrt, gradients, strict=True):
                if not close(gradient, want[name], tolerance):
                    failures.append(f"{label}: d_{name}\n{gradient}\nis not\n{want[name]}")
                elif np.asarray(gradient).dtype != dtype:
                    failures.append(f"{label}: d_{name} is {np.asarray(gradient).dtype}")
                elif not isinstance(gradient, np.ndarray):
                    failures.append(f"{label}: d_{name} is no array: {gradient!r}")
                elif any(np.shares_memory(gradient, a) for a in (*data.values(), w)):
                    failures.append(f"{label}: d_{name} shares memory with an argument")
            if any(not np.array_equal(data[n], kept[n]) for n in data):
                failures.append(f"{label}: an argument was changed")
    return failures


def dot_product(f, given, weights, gradients, label):
    """<v, J u> by a complex step along u, against <J^T v, u>, to 100 roundings of its terms."""
    rng = np.random.default_rng(5)
    along = {n: rng.standard_normal(given[n].shape) for n in gradients}
    moved = {n: given[n] + 1e-200j * u for n, u in along.items()}
    tangent = np.imag(f(**{**given, **moved}, W=weights)) / 1e-200
    terms = np.concatenate([np.ravel(gradients[n] * u) for n, u in along.items()])
    if abs(tangent - np.sum(terms)) > 100 * np.finfo(float).eps * max(np.sum(np.abs(terms)), 1.0):
        return [f"{label}: <v, J u> = {tangent!r} is not <J^T v, u> = {np.sum(terms)!r}"]
    return []


def title(case):
    row, before, line, shapes, _ = case
    return (
        f"{row}: {before.splitlines()[-1] + '; ' if before else ''}{line} [{shape_text(**shapes)}]"
    )


@pytest.mark.parametrize("case", CASES, ids=title)
def test_structural_gradients_match_the_users_function(case):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, False)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("case", CASES, ids=title)
def test_structural_gradients_of_intermediate_values_match(case):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, True)
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("planted", [
    lambda d: 5 * d, lambda d: -d, lambda d: d.T, lambda d: d * (1 + 1e-7), lambda d: d * np.nan,
    lambda d: d + np.eye(3) * 1e-7, lambda d: d[:2], lambda d: np.zeros_like(d),
])  # fmt: skip
def test_the_comparison_catches_planted_errors(planted):
    right = np.arange(9.0).reshape(3, 3) + 1.0
    assert close(right, right, 1e-12)
    assert not close(planted(right), right, 1e-8)


@pytest.mark.parametrize(("line", "shapes", "said"), [
    ("np.sum(x[x > 0.5] * x)", "x=3", "lengths count_true(1) and 3 meet"),
    ("np.sum(x[3])", "x=3", "index 3 is out of bounds"),
    ("np.sum(np.full((2, 3), x))", "x=4", "lengths 4 and 3 meet"),
    ("np.sum(np.full_like(x, np.ones((2, 3))))", "x=3", "does not broadcast"),
    ("np.sum(x @ np.ones((2, 2)))", "x=3", "lengths 3 and 2 meet"),
    ("np.sum(np.reshape(x, (2, 2)))", "x=3", "cannot reshape"),
    ("np.add.at(u, J, x)", "x=2", "NumPy does not broadcast values to an index of more axes"),
    ("np.sum(np.empty(3) + x)", "x=3", "np.empty holds values that nobody computed"),
])  # fmt: skip
def test_what_has_no_right_answer_is_refused(line, shapes, said):
    f = define(f"{HEAD}def f(x):\n    u = np.ones(3)\n    return {line}\n")
    with pytest.raises(gradgen.GradgenError, match=re.escape(said)):
        gradgen.grad(f, shapes=shapes)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("factor", [0.0, 1.0, 2.0, -1.0, 0.5])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 3)])
def test_a_gradient_that_is_one_number_has_the_shape_and_dtype_of_the_argument(
    factor, shape, dtype
):
    f = define(f"{HEAD}def f(x):\n    return np.sum({factor} * x)\n")
    gradient = gradgen.grad(f)(np.ones(shape, dtype))
    assert gradient.dtype == dtype
    assert gradient.shape == shape
    assert np.array_equal(gradient, np.full(shape, factor))
