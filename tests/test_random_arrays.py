"""Random programs on arrays: the emitted gradient against complex step or differences.

tests/array_programs.py writes the programs. Each is compiled from a file, as a user does it, and
what was emitted is executed.
"""

import linecache
import re
import tempfile
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from array_operations import ARRAY, LINALG
from array_programs import Program, part
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tangents import directions
from tangents import leaves as flat

import gradgen
from gradgen.api import emit_path
from gradgen.errors import SourceError
from gradgen.read import parse_shapes, read_file

STEP = 1e-150


# -- the reference ---------------------------------------------------------------------------------


def _holding_complex(make):
    """A maker of arrays, whose arrays of floats take complex numbers."""

    def made(*args, **named):
        array = make(*args, **named)
        return array.astype(complex) if array.dtype == float else array

    return made


def _analytic_abs(x):
    return np.where(np.real(x) < 0, -x, x) if np.ndim(x) else (-x if np.real(x) < 0 else x)


def _analytic_var(a, axis=None, ddof=0, keepdims=False):
    centred = a - np.mean(a, axis=axis, keepdims=True)
    squares = np.sum(centred * centred, axis=axis, keepdims=keepdims)
    return squares / (np.size(a) // np.size(squares) - ddof)


def _analytic_std(a, axis=None, keepdims=False):
    return np.sqrt(_analytic_var(a, axis, 0, keepdims))


def _analytic_norm(x, axis=None, keepdims=False):
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


class Analytic(types.ModuleType):
    """NumPy on complex numbers, with the functions that are not analytic there continued."""

    abs = staticmethod(_analytic_abs)
    var = staticmethod(_analytic_var)
    std = staticmethod(_analytic_std)
    linalg = types.SimpleNamespace(
        **{**{n: getattr(np.linalg, n) for n in np.linalg.__all__}, "norm": _analytic_norm}
    )

    def __getattr__(self, name):
        found = getattr(np, name)
        if name in (
            "zeros",
            "ones",
            "full",
            "empty",
            "zeros_like",
            "full_like",
            "empty_like",
            "array",
        ):
            return _holding_complex(found)
        return found


def executed(text, name, module=np):
    """The function of this name that a text defines."""
    path = f"<arrays {hash(text)} {module is np}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    names = {}
    plain = text if module is np else text.replace("import numpy as np\n", "\n", 1)
    if module is not np:
        names["np"] = module
    exec(compile(plain, path, "exec"), names)
    return names[name]


def moved(arguments, path, place, step, dtype):
    """Copies of the arguments in one dtype, with one item moved."""

    def copied(value):
        if isinstance(value, dict):
            return {k: copied(v) for k, v in value.items()}
        if isinstance(value, np.ndarray):
            return np.array(value, dtype)
        # NumPy orders complex numbers, and Python does not
        return np.complex128(value) if dtype is complex else value

    made = {k: copied(v) for k, v in arguments.items()}
    name, _, key = path.partition(".")
    held, at = (made[name], key) if key else (made, name)
    if isinstance(held[at], np.ndarray):
        held[at][place] += step
    else:
        held[at] = held[at] + step
    return made


def by_complex_step(f, arguments, path):
    """The derivative of `f`, analytic, by each item of one argument, and the error to expect."""
    gradient = np.zeros(np.shape(part(arguments, path)))
    for place in np.ndindex(gradient.shape):
        gradient[place] = np.imag(f(**moved(arguments, path, place, STEP * 1j, complex))) / STEP
    return gradient, 0.0


def by_differences(f, arguments, path, h=4e-4):
    """The derivative of `f` by differences, extrapolated, and the error to expect."""
    gradient = np.zeros(np.shape(part(arguments, path)))
    error = 0.0
    for place in np.ndindex(gradient.shape):
        ends = [
            np.subtract(*(f(**moved(arguments, path, place, s * k, np.float64)) for s in (1, -1)))
            / (2 * k)
            for k in (h, h / 2, h / 4)
        ]
        first, second = (4 * ends[1] - ends[0]) / 3, (4 * ends[2] - ends[1]) / 3
        gradient[place] = (16 * second - first) / 15
        error = max(error, abs(second - first))
    return gradient, error


def agree(have, want, tolerance):
    """Whether gradients agree, relative to the largest entry."""
    have = np.asarray(have, float)
    scale = max(1e-1, float(np.max(np.abs(want), initial=0.0)))
    return have.shape == want.shape and bool(np.all(np.abs(have - want) <= tolerance * scale))


# -- one program -----------------------------------------------------------------------------------


class Refused(Exception):
    """The program is refused, at a line of it."""


def emitted(location, **options):
    """What gradgen emits; a refusal has to name a line."""
    try:
        return emit_path(location, **options)
    except SourceError as error:
        assert error.lineno and error.filename
        raise Refused(str(error)) from None


def copied(arguments):
    return {
        k: copied(v) if isinstance(v, dict) else np.copy(v) if isinstance(v, np.ndarray) else v
        for k, v in arguments.items()
    }


def called(function, arguments):
    """The result, where nothing warns and no argument changes."""
    handed = copied(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = function(**handed)
    for name, value in handed.items():
        for key in value if isinstance(value, dict) else ("",):
            path = f"{name}.{key}" if key else name
            assert np.array_equal(part(handed, path), part(arguments, path)), f"{path} was changed"
    return result, handed


def leaves(gradients, arguments):
    """The path of each gradient, and the gradient."""
    for name, gradient in zip(arguments, gradients, strict=True):
        for key in gradient if isinstance(gradient, dict) else ("",):
            yield (f"{name}.{key}", gradient[key]) if key else (name, gradient)


def check_program(program, folder, extra):
    """Compile a program, run what was emitted, and compare; `extra` chooses further checks."""
    text = program.text()
    path = folder / "program.py"
    path.write_text(text, "utf-8")
    wrt = tuple(program.arguments)
    options = {"wrt": wrt, "shapes": program.declared}
    made = emitted(f"{path}:f", **options)
    try:
        wanted, _ = called(executed(text, "f"), program.arguments)
        result, handed = called(executed(made, "f_value_and_grad"), program.arguments)
        value, gradients = result
        assert np.asarray(value).tobytes() == np.asarray(wanted).tobytes(), (value, wanted)
        assert np.asarray(value).dtype == np.asarray(wanted).dtype
        check_gradients(program, text, gradients, handed)
        if extra % 2 == 0:
            check_pair(program, path, options, gradients)
            again = folder / "again.py"
            again.write_text(made, "utf-8")
            graph = read_file(again, "f_value_and_grad", parse_shapes(program.declared))
            assert len(graph.params) == len(wrt)
        if extra % 2 == 1:
            check_tangents(program, path, options, gradients, wanted)
        if extra % 8 == 5:
            check_products(program, path, options)
        if extra % 16 == 13:
            check_matrix(program, path)
        if extra % 4 == 1:
            live = gradgen.value_and_grad(executed(text, "f"), wrt=wrt)
            check_same(program, called(live, program.arguments)[0][1], gradients, "live")
        if extra % 8 == 3:
            check_second(program, path, folder)
    except Exception as error:
        if isinstance(error, Refused):
            raise
        raise AssertionError(
            f"{type(error).__name__}: {error}\n{program.declared}\n{text}\n{made}"
        ) from error


def check_gradients(program, text, gradients, handed):
    """Shape, dtype and memory of each gradient, and its value where the reference is sure of it."""
    how = by_differences if program.real else by_complex_step
    reference = executed(text, "f") if program.real else executed(text, "f", Analytic("np"))
    single = program.dtype == np.float32
    for path, gradient in leaves(gradients, program.arguments):
        x = part(program.arguments, path)
        want, error = how(reference, program.arguments, path)
        tolerance = 5e-3 if single else 1e-6 if program.real else 1e-8
        scale = max(0.1, float(np.max(np.abs(want), initial=0.0)))
        assert np.shape(gradient) == np.shape(x), f"d_{path} has shape {np.shape(gradient)}"
        if isinstance(x, np.ndarray):
            assert isinstance(gradient, np.ndarray), f"d_{path} is a {type(gradient).__name__}"
            assert gradient.dtype == x.dtype, f"d_{path} is {gradient.dtype}"
            for name in program.leaves:
                held = part(handed, name)
                if isinstance(held, np.ndarray):
                    assert not np.shares_memory(gradient, held), f"d_{path} shares memory"
        if error <= 1e-4 * scale:
            assert agree(gradient, want, tolerance), f"d_{path}:\n{gradient}\nis not\n{want}"


def check_same(program, gradients, others, what):
    tolerance = 1e-3 if program.dtype == np.float32 else 1e-9
    for (path, have), (_, want) in zip(
        leaves(gradients, program.arguments), leaves(others, program.arguments), strict=True
    ):
        assert agree(have, np.asarray(want, float), tolerance), f"{what} d_{path}: {have} {want}"


def check_pair(program, path, options, gradients):
    """The backward function of the pair gives what the gradient in one piece gives."""
    pair = emitted(f"{path}:f", **options, mode="pair")
    (_, saved), _ = called(executed(pair, "f_forward"), program.arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = executed(pair, "f_backward")(saved, 1.0)
    check_same(program, found, gradients, "pair")


def check_tangents(program, path, options, gradients, wanted):
    """The value bit by bit, and <J, u> = <J^T 1, u> along a direction of all arguments."""
    made = executed(emitted(f"{path}:f", **options, mode="jvp"), "f_jvp")
    direction = directions(program.arguments, np.random.default_rng(41))
    (value, tangent), _ = called_along(made, program.arguments, direction)
    assert np.asarray(value).tobytes() == np.asarray(wanted).tobytes(), (value, wanted)
    assert np.asarray(tangent).dtype == np.asarray(wanted).dtype
    agrees_along(program, tangent, gradients, direction, "jvp")


def check_products(program, path, options):
    """The Hessian is symmetric: <v, H u> = <u, H v>."""
    made = executed(emitted(f"{path}:f", **options, mode="hvp"), "f_hvp")
    rng = np.random.default_rng(43)
    u, v = directions(program.arguments, rng), directions(program.arguments, rng)
    (along_u, _), (along_v, _) = (called_along(made, program.arguments, d) for d in (u, v))
    terms = [np.ravel(a) * np.ravel(b) for a, b in zip(flat(along_u), flat(v), strict=True)]
    agrees_along(program, np.sum(np.concatenate(terms)), along_v, u, "hvp")


def check_matrix(program, path):
    """The Hessian by one vector has the products with unit vectors as its columns."""
    vectors = [n for n, v in program.arguments.items() if np.ndim(v) == 1]
    for name in vectors[:1]:
        options = {"wrt": name, "shapes": program.declared}
        made = executed(emitted(f"{path}:f", **options, mode="hessian"), "f_hessian")
        product = executed(emitted(f"{path}:f", **options, mode="hvp"), "f_hvp")
        x = program.arguments[name]
        matrix, _ = called(made, program.arguments)
        assert (matrix.shape, matrix.dtype) == ((x.size, x.size), x.dtype)
        for unit, column in zip(np.eye(x.size, dtype=x.dtype), matrix.T, strict=True):
            want, _ = called(product, {**program.arguments, f"t_{name}": unit})
            assert agree(column, want, 2e-3 if x.dtype == np.float32 else 1e-8), (column, want)


def called_along(function, arguments, direction):
    tangents = {f"t_{name}": u for name, u in direction.items()}
    return called(function, {**arguments, **tangents})


def agrees_along(program, tangent, gradients, direction, what):
    terms = [np.ravel(g) * np.ravel(u)
             for g, u in zip(flat(gradients), flat(direction), strict=True)]  # fmt: skip
    terms = np.concatenate([np.asarray(t, float) for t in terms])
    tolerance = 1e-3 if program.dtype == np.float32 else 1e-9
    scale = max(0.1, float(np.abs(terms).sum()))
    assert abs(tangent - terms.sum()) <= tolerance * scale, f"{what}: {tangent} {terms.sum()}"


def check_second(program, path, folder):
    """Differentiate the emitted gradient, and compare with differences of it."""
    options = {"shapes": program.declared}
    first = emitted(f"{path}:f", wrt="x", mode="grad", **options)
    signature = ", ".join(program.arguments)
    if "import numpy as np" not in first:
        first = first.replace("\n\n\n", "\n\nimport numpy as np\n\n\n", 1)
    first += f"\n\ndef h({signature}):\n    return np.sum(np.sin(0.1 * f_grad({signature})))\n"
    source = folder / "first.py"
    source.write_text(first, "utf-8")
    second = emitted(f"{source}:h", wrt="x", mode="grad", **options)
    have, _ = called(executed(second, "h_grad"), program.arguments)
    want, unsure = by_differences(executed(first, "h"), program.arguments, "x")
    if unsure <= 1e-4 * max(0.1, float(np.max(np.abs(want), initial=0.0))):
        tolerance = 1e-2 if program.dtype == np.float32 else 1e-6
        assert agree(have, want, tolerance), f"second derivative\n{have}\nis not\n{want}\n{second}"


# -- the tests -------------------------------------------------------------------------------------

ROOMY = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.generate,),
}


def run(count):
    """Check many programs, of which few may be refused: they are written of what is supported."""
    refused = []
    with tempfile.TemporaryDirectory() as folder:

        @settings(max_examples=count, **ROOMY)
        @given(st.integers(0, 2**48 - 1))
        def each(seed):
            try:
                check_program(Program(seed), Path(folder), seed)
            except Refused as error:
                refused.append(f"seed {seed}: {error}")
            linecache.clearcache()

        each()
    assert len(refused) <= 0.05 * count, "\n".join(refused)


def test_random_array_programs_agree_with_complex_step_or_differences():
    run(700)


@pytest.mark.slow
def test_a_hundred_thousand_random_array_programs_agree():
    run(100_000)


def test_a_program_is_the_same_for_the_same_seed():
    assert Program(5).text() == Program(5).text()
    assert Program(5).text() != Program(6).text()


def test_programs_use_most_of_the_operations():
    texts = "".join(Program(seed).text() for seed in range(800))
    names = {m for row in (*ARRAY, *LINALG) for m in re.findall(r"np\.[a-z_.0-9]+(?=\()", row[0])}
    missing = {name for name in names if f"{name}(" not in texts}
    assert len(missing) <= 0.05 * len(names), missing


# -- what the programs found -----------------------------------------------------------------------

X23 = np.array([[0.3, -0.7, 1.1], [0.9, 0.5, -0.4]])
X232 = np.linspace(0.2, 1.5, 12).reshape(2, 3, 2) ** 2
# statements, a result, the arguments
FOUND = [
    # the items of an inverse take part in one another's derivative, read or not
    ("v = np.where(x > 0.4, x, np.linalg.inv(x @ x.T + 3.0 * np.eye(2)))", "np.sum(v * v)",
     {"x": X23[:, :2]}),
    ("v = np.where(x > 0.4, 0.0, np.linalg.solve(x @ x.T + 3.0 * np.eye(2), x))", "np.sum(v**2)",
     {"x": X23[:, :2]}),
    ("v = np.where(x > 0.4, 0.0, np.linalg.cholesky(x @ x.T + 3.0 * np.eye(2)))", "np.sum(v**2)",
     {"x": X23[:, :2]}),
    # a Python number has no methods
    ("", "np.sum(np.sin(np.outer(x, y)))", {"x": X23, "y": 0.7}),
    ("", "np.polyval(x, 0.7)", {"x": X23[0]}),
    ("", "np.sum(np.reshape(y, (1, 1)) * np.ravel(y) + np.transpose(y)) * x[0]",
     {"x": X23[0], "y": 0.7}),
    ("", "np.sum(np.expand_dims(y, 0) ** 2 + np.cumsum(y) + np.repeat(y, 3) * np.prod(y)) * x[0]",
     {"x": X23[0], "y": 0.7}),
    ("", "np.max(y) * np.median(y) + np.linalg.norm(np.ravel(y)) * x[0]",
     {"x": X23[0], "y": 0.7}),
    # NumPy negates no masks
    ("", "1.0 / np.max(x, axis=0)", {"x": X23[0]}),
    ("", "2.0 - np.min(x) * 1.0", {"x": X23[0]}),
    # a loop reads an item of an array when it is its turn
    ("v = x * 1.0\nfor row in v:\n    v[-1] += row * 0.5", "np.sum(v**2)", {"x": X23[0]}),
    ("v = x * 1.0\nfor i, row in enumerate(v):\n    v[(i + 1) % 3] += row * 0.5", "np.sum(v**2)",
     {"x": X23[0]}),
    ("v = x * 1.0\nfor row in reversed(v):\n    v[0] += row * 0.5", "np.sum(v**2)",
     {"x": X23[0]}),
    ("v = x * 1.0\nfor a, b in zip(v, v[::-1], strict=True):\n    v[1] += a * b",
     "np.sum(v**2)", {"x": X23[0]}),
    # `outer` of a ufunc takes a Python number for 64 bits, where an operator takes it for 32
    ("", "np.sum(np.subtract.outer(x, y)) + np.sum(np.multiply.outer(y, x) * x)",
     {"x": X23[0].astype(np.float32), "y": 0.7}),
    # a Python number times float32 is rounded
    ("", "np.mean(np.float32(2) * x) + np.sum(x * 0.5)", {"x": X23}),
    ("", "np.sum((x * (np.float32(2) * (2.05 + 1.85 * np.tanh(y)) ** 1.5)) ** 2)",
     {"x": X23, "y": X23}),
    # an adjoint that is known to be a number is still one of float32
    ("v = x * 1.0\nv[-1] = np.sin(np.take(x, 0))\nv[0] = 0.5", "np.sum(v * v)",
     {"x": np.ones(1, np.float32)}),
    # a copy has its items in memory as the array has
    ("v = np.rot90(x) * 1.0\nw = v[0]\nw[w < 0.6] *= 0.3\ns = np.sum(v * np.cos(v))\nv[1] = 0.5",
     "np.sum(np.exp(v)) + s", {"x": np.random.default_rng(0).uniform(size=(7, 9))}),
    # an ellipsis parts indices although it stands for no axis
    ("", "np.sum(x[-1:, 0, ..., [1, 0]] * np.array([[1.0], [3.0]]))", {"x": X232}),
    ("v = x * 1.0\nv[-1:, -2, ..., [0, 1, 0]] = x[0, 1, 0]", "np.sum(v**2)", {"x": X232}),
]  # fmt: skip


def title(case):
    return f"{case[0]}; {case[1]}"


def check_case(before, line, arguments, words, folder):
    """Check a program as the random ones; `words` are the names of lengths."""
    body = "".join(f"    {s}\n" for s in before.splitlines())
    text = f"import numpy as np\n\n\ndef f({', '.join(arguments)}):\n{body}    return {line}\n"
    real = any(word in text for word in ("cholesky", "median", ".outer"))
    program = types.SimpleNamespace(
        text=lambda: text, arguments=arguments, dtype=np.float64, real=real, leaves={}, declared=""
    )
    for name, value in arguments.items():
        sizes = " ".join(words.get(k, str(k)) for k in np.shape(value))
        declared = f"{sizes}:{value.dtype}" if np.ndim(value) else "scalar"
        program.leaves[name] = declared
        if np.ndim(value) and value.dtype == np.float32:
            program.dtype = np.float32
    program.declared = ", ".join(f"{k}={v}" for k, v in program.leaves.items())
    for extra in (1, 2, 3):
        check_program(program, folder, extra)


# A loop over items, and a matrix of known size, need known lengths.
LONG = [case for case in FOUND if "for " not in case[0] and "np.eye" not in case[0]]


@pytest.mark.parametrize("case", FOUND, ids=title)
def test_programs_that_once_went_wrong(case, tmp_path):
    check_case(*case, {}, tmp_path)


@pytest.mark.parametrize("case", LONG, ids=title)
def test_programs_that_once_went_wrong_with_symbolic_lengths(case, tmp_path):
    check_case(*case, {2: "n", 3: "m"}, tmp_path)


@pytest.mark.parametrize(("line", "sizes"), [
    ("np.mean(np.sin(x[:3]) ** 2)", (5, 2, 3)),
    ("np.mean(x[-3:] ** 2)", (5, 2, 4)),
    ("np.mean(x[::2][-2:] ** 2)", (6, 2, 3)),
])  # fmt: skip
def test_a_function_that_is_compiled_for_long_arrays_is_right_on_short_ones(line, sizes):
    f = executed(f"import numpy as np\n\n\ndef f(x):\n    return {line}\n", "f")
    grad = gradgen.grad(f)
    for n in sizes:
        x = np.linspace(0.5, 1.4, n)
        assert agree(grad(x), by_complex_step(f, {"x": x}, "x")[0], 1e-12), n


def test_the_comparison_catches_planted_errors():
    right = np.array([1.0, -2.0, 0.5])
    assert agree(right, right, 1e-8)
    for wrong in (5 * right, -right, right * (1 + 1e-6), right * np.nan, right[:2], right[:, None],
                  right + np.array([0, 0, 1e-6]), 0 * right):  # fmt: skip
        assert not agree(wrong, right, 1e-8)
