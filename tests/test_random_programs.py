"""Random straight-line programs: the emitted gradient against complex step of the user's own text.

A program is source text: statements, reuse, helper calls, reassignment, augmented assignment,
unrolled loops, NumPy and math functions. Every value carries an interval, so that each operation
is in its domain by construction and nothing overflows.
"""

import cmath
import linecache
import math
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gradgen.api import emit_path
from gradgen.read import parse_shapes, read_file

HELPERS = """\
import math

import numpy as np

SCALE = 0.75


def blend(a, b, t=0.25):
    return a * t + b * (1.0 - t)


def squash(u):
    e = np.tanh(u * SCALE)
    return e + 0.5 * e * e


def twice(v):
    w = squash(v)
    return blend(w, v)


"""
BIG = 50.0
# name -> (lowest and highest operand, the interval of the results or a monotone function)
UNARY = {
    "np.sin": (-BIG, BIG, (-1.0, 1.0)), "np.cos": (-BIG, BIG, (-1.0, 1.0)),
    "np.tanh": (-BIG, BIG, (-1.0, 1.0)), "np.exp": (-20.0, 3.0, math.exp),
    "np.expm1": (-20.0, 3.0, math.expm1), "np.exp2": (-20.0, 5.0, lambda v: 2.0**v),
    "np.log": (0.05, BIG, math.log), "np.log1p": (-0.9, BIG, math.log1p),
    "np.log2": (0.05, BIG, math.log2), "np.log10": (0.05, BIG, math.log10),
    "np.sqrt": (0.05, BIG, math.sqrt), "np.arctan": (-0.9, 0.9, math.atan),
    "np.arcsin": (-0.9, 0.9, math.asin), "np.arccos": (-0.9, 0.9, (0.4, 2.8)),
    "np.sinh": (-3.5, 3.5, math.sinh), "np.cosh": (-3.5, 3.5, (1.0, 17.0)),
    "np.arcsinh": (-BIG, BIG, math.asinh), "np.arctanh": (-0.9, 0.9, math.atanh),
    "np.arccosh": (1.1, BIG, math.acosh), "np.tan": (-1.2, 1.2, math.tan),
    "np.square": (-7.0, 7.0, (0.0, 49.0)), "np.reciprocal": (0.05, BIG, (0.02, 20.0)),
    "np.negative": (-BIG, BIG, (-BIG, BIG)),
    "squash": (-BIG, BIG, (-0.5, 1.5)),
}  # fmt: skip
MATH = ["sin", "cos", "tanh", "exp", "log", "log10", "sqrt", "atan", "asin", "acos", "sinh", "cosh",
        "asinh", "atanh", "acosh", "tan"]  # fmt: skip
FOR_MATH = {"atan": "arctan", "asin": "arcsin", "acos": "arccos", "asinh": "arcsinh",
            "atanh": "arctanh", "acosh": "arccosh"}  # fmt: skip


class Value:
    """A name or an expression, with the interval its entries lie in and its shape."""

    def __init__(self, text, low, high, shape=()):
        self.text, self.low, self.high, self.shape = text, low, high, shape


class Program:
    """The text of a random function, written statement by statement."""

    def __init__(self, pick, arrays):
        self.pick, self.arrays = pick, arrays
        self.lines, self.count = [], 0
        self.params = {}
        shapes = [(), (3,), (2, 3)] if arrays else [()]
        for name in "xyz"[: 1 + pick(3)]:
            shape = shapes[pick(len(shapes))] if name != "x" else shapes[-1 - pick(len(shapes))]
            self.params[name] = Value(name, 0.2, 1.8, shape)
        self.values = list(self.params.values())

    def choose(self, items):
        return items[self.pick(len(items))]

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def bound(self, value):
        """A value, squashed where it could be large."""
        if max(abs(value.low), abs(value.high)) <= BIG:
            return value
        return Value(f"np.sin({value.text})", -1.0, 1.0, value.shape)

    def into(self, value, low, high):
        """A value moved smoothly into an interval where it does not lie in it."""
        if low <= value.low and value.high <= high:
            return value
        middle, half = (max(low, -2.0) + min(high, 4.0)) / 2, (min(high, 4.0) - max(low, -2.0)) / 2
        text = f"({middle!r} + {half * 0.95!r} * np.tanh({value.text}))"
        return Value(text, middle - half, middle + half, value.shape)

    def unary(self, value):
        if not self.arrays and self.pick(3) == 0:
            short = self.choose(MATH)
            like, text = f"np.{FOR_MATH.get(short, short)}", f"math.{short}"
        else:
            like = text = self.choose(list(UNARY))
        low, high, result = UNARY[like]
        value = self.into(value, low, high)
        ends = result if isinstance(result, tuple) else (result(value.low), result(value.high))
        return self.bound(Value(f"{text}({value.text})", *ends, value.shape))

    def binary(self, a, b):
        if a.shape and b.shape and a.shape[-1] != b.shape[-1]:
            b = Value(f"np.sum({b.text})", 6 * min(b.low, 0), 6 * max(b.high, 0))
        shape = max(a.shape, b.shape, key=len)
        op = self.choose(["+", "-", "*", "*", "/", "**", "power", "maximum"])
        if op in "+-":
            low = a.low + b.low if op == "+" else a.low - b.high
            high = a.high + b.high if op == "+" else a.high - b.low
            return self.bound(Value(f"({a.text} {op} {b.text})", low, high, shape))
        if op == "*":
            ends = [p * q for p in (a.low, a.high) for q in (b.low, b.high)]
            return self.bound(Value(f"({a.text} * {b.text})", min(ends), max(ends), shape))
        if op == "/":
            b = self.into(b, 0.2, BIG)
            ends = [p / q for p in (a.low, a.high) for q in (b.low, b.high)]
            return self.bound(Value(f"({a.text} / {b.text})", min(ends), max(ends), shape))
        if op == "**":
            n = self.choose([2, 3, 1, 0, -1, 0.5, 1.5, -2, 2.0, 4])
            a = self.into(a, 0.3, 2.5)
            ends = (a.low**n, a.high**n)
            return self.bound(Value(f"({a.text} ** {n})", min(ends), max(ends), a.shape))
        if op == "power":
            a, b = self.into(a, 0.3, 2.5), self.into(b, -1.5, 2.0)
            return self.bound(Value(f"({a.text} ** {b.text})", 0.0, 7.0, shape))
        # a branch that is decided by construction, so that complex step goes through it
        test = self.choose([f"1.0 < SCALE * {self.pick(4)}", f"{self.pick(2)} == 1"])
        low, high = min(a.low, b.low), max(a.high, b.high)
        if shape and a.shape == b.shape:
            return Value(f"np.where({test}, {a.text}, {b.text})", low, high, shape)
        chosen = a if eval(test, {"SCALE": 0.75}) else b
        return Value(f"({a.text} if {test} else {b.text})", low, high, chosen.shape)

    def reduced(self, value):
        """An array operation, or a unary function of a number."""
        if not value.shape:
            return self.unary(value)
        kind = self.pick(7)
        t, shape = value.text, value.shape
        low, high = 6 * min(value.low, 0.0), 6 * max(value.high, 0.0)
        if kind == 0:
            return self.bound(Value(f"np.sum({t})", low, high))
        if kind == 1:
            return Value(f"{self.atom(t)}.mean(axis=-1)", value.low, value.high, shape[:-1])
        if kind == 2:
            return Value(
                f"{self.atom(t)}[{self.choose(['0', '-1'])}]", value.low, value.high, shape[1:]
            )
        if kind == 3:
            return Value(f"{self.atom(t)}[..., ::-1]", value.low, value.high, shape)
        if kind == 4:
            if self.pick(2):
                return self.bound(Value(f"np.cumsum({t}, axis=-1)", low, high, shape))
            place = "[0, 2, 0]" if shape[-1] == 3 else "[1, 0, 1]"
            return Value(f"{self.atom(t)}[..., {place}]", value.low, value.high, (*shape[:-1], 3))
        if kind == 5 and len(shape) == 2:
            line = f"({self.atom(t)} @ {self.atom(t)}.T)[0, 1]"
            return self.bound(Value(line, -3 * BIG**2, 3 * BIG**2))
        return self.bound(Value(f"np.dot({self.atom(t)}.ravel(), {self.atom(t)}.reshape(-1))",
                                -6 * BIG**2, 6 * BIG**2))  # fmt: skip

    def atom(self, text):
        return text if text.isidentifier() else f"({text})"

    def expression(self, depth=0):
        value = self.choose(self.values)
        for _ in range(1 + self.pick(2)):
            kind = self.pick(5)
            if kind == 0 and depth < 2:
                value = self.binary(value, self.expression(depth + 1))
            elif kind <= 1:
                value = self.binary(value, self.choose(self.values))
            elif kind == 2 and self.arrays:
                value = self.reduced(value)
            elif kind == 3 and self.pick(3) == 0:
                value = self.into(value, -2.0, 4.0)
                value = Value(f"twice({value.text})", -3.0, 5.0, value.shape)
            else:
                value = self.unary(value)
        return value

    def statement(self):
        kind = self.pick(8)
        value = self.expression()
        if kind == 0 and len(self.values) > len(self.params):
            target = self.choose(self.values[len(self.params) :])
            self.lines.append(f"{target.text} = {value.text}")
            self.rebind(target.text, value)
        elif kind == 1 and len(self.values) > len(self.params):
            # on numbers only: on arrays `+=` writes in place, and aliases are another test's matter
            target = self.choose(self.values[len(self.params) :])
            if not target.shape and not value.shape:
                value = self.into(value, -2.0, 2.0)
                op = self.choose(["+=", "-=", "*="])
                self.lines.append(f"{target.text} {op} {value.text}")
                self.lines.append(f"{target.text} = np.sin({target.text})")
                self.rebind(target.text, Value(target.text, -1.0, 1.0))
        elif kind == 2:
            name = self.name()
            value = self.into(value, -1.0, 1.0)
            start = self.choose([v for v in self.values if v.shape == value.shape] or [value])
            start = self.into(start, -1.0, 1.0)
            self.lines += [
                f"{name} = {start.text}", f"for i in range({1 + self.pick(3)}):",
                f"    {name} = {name} * 0.5 + np.cos({value.text} * (i + 1))",
            ]  # fmt: skip
            self.values.append(Value(name, -3.0, 3.0, value.shape))
        elif kind == 3:
            one, two = self.name(), self.name()
            other = self.expression()
            self.lines.append(f"{one}, {two} = {value.text}, {other.text}")
            self.values += [Value(one, value.low, value.high, value.shape),
                            Value(two, other.low, other.high, other.shape)]  # fmt: skip
        else:
            name = self.name()
            self.lines.append(f"{name} = {value.text}")
            self.values.append(Value(name, value.low, value.high, value.shape))

    def rebind(self, name, value):
        for held in self.values:
            if held.text == name:
                held.low, held.high, held.shape = value.low, value.high, value.shape

    def text(self):
        for _ in range(1 + self.pick(6)):
            self.statement()
        total = self.expression()
        names = [v.text for v in self.values[-2:]] + ["x"]
        parts = [total.text, *(f"0.5 * {n}" for n in names)]
        known = {v.text: v.shape for v in self.values}
        shaped = [total.shape, *(known[n] for n in names)]
        ends = [f"np.sum({p})" if s else p for p, s in zip(parts, shaped, strict=True)]
        signature = ", ".join(self.params)
        body = "".join(f"    {line}\n" for line in self.lines)
        return f"{HELPERS}def f({signature}):\n{body}    return {' + '.join(ends)}\n"


@st.composite
def programs(draw, arrays):
    """The text of a program and the shapes of its parameters."""
    program = Program(lambda n: draw(st.integers(0, n - 1)), arrays)
    text = program.text()
    return text, {name: value.shape for name, value in program.params.items()}


def executed(text, math_module=math):
    """The names that a text defines."""
    names = {}
    linecache.cache["<program>"] = (len(text), None, text.splitlines(True), "<program>")
    code = compile(text.replace("import math\n", "", 1), "<program>", "exec")
    names["math"] = math_module
    if math_module is not math:  # emitted derivatives call hypot, which takes no complex numbers
        code = compile(text.replace("import math\n", "", 1).replace("np.hypot", "math.hypot"),
                       "<program>", "exec")  # fmt: skip
    exec(code, names)
    return names


COMPLEX_MATH = SimpleNamespace(
    **{n: getattr(cmath, n) for n in MATH}, hypot=lambda a, b: cmath.sqrt(a * a + b * b)
)
STEP = 1e-150


def complex_step(function, arguments, name):
    """The derivatives of a function of numbers and arrays, from complex arguments."""
    x = np.asarray(arguments[name])
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[place] += STEP * 1j
        whole = {**arguments, name: moved if x.shape else complex(moved)}
        gradient[place] = np.imag(function(**whole)) / STEP
    return gradient


def agree(have, want):
    """Whether gradients agree to 1e-9 of the largest entry."""
    have = np.asarray(have, float)
    scale = max(1e-2, float(np.max(np.abs(want), initial=0.0)))
    return have.shape == want.shape and bool(np.all(np.abs(have - want) <= 1e-9 * scale))


def check_program(text, shapes, folder):
    """Compile a program from a file, run what was emitted, and compare."""
    path = folder / "program.py"
    path.write_text(text, "utf-8")
    declared = ", ".join(f"{n}={' '.join(map(str, s)) or 'scalar'}" for n, s in shapes.items())
    emitted = emit_path(f"{path}:f", wrt=tuple(shapes), shapes=declared)
    rng = np.random.default_rng(len(text))
    arguments = {
        n: rng.uniform(0.3, 1.7, s) if s else float(rng.uniform(0.3, 1.7))
        for n, s in shapes.items()
    }
    kept = {n: np.copy(v) for n, v in arguments.items()}
    value, gradients = executed(emitted)["f_value_and_grad"](**arguments)
    wanted = executed(text)["f"](**arguments)
    assert np.asarray(value).tobytes() == np.asarray(wanted).tobytes(), (value, wanted)
    assert all(np.array_equal(arguments[n], kept[n]) for n in shapes)
    oracle = executed(text, COMPLEX_MATH)["f"]
    for name, gradient in zip(shapes, gradients, strict=True):
        want = complex_step(oracle, arguments, name)
        assert agree(gradient, want), f"d_{name}: {gradient} is not {want}\n{text}\n{emitted}"
    check_pair(path, shapes, declared, arguments, gradients)
    again = folder / "again.py"
    again.write_text(emitted, "utf-8")
    graph = read_file(again, "f_value_and_grad", parse_shapes(declared))
    assert len(graph.params) == len(shapes)
    if not any(shapes.values()):
        check_second_derivative(path, declared, arguments, folder)


def check_pair(path, shapes, declared, arguments, gradients):
    """The backward function of the pair gives what the gradient in one piece gives."""
    pair = executed(emit_path(f"{path}:f", wrt=tuple(shapes), shapes=declared, mode="pair"))
    _, saved = pair["f_forward"](**arguments)
    for have, want in zip(pair["f_backward"](saved, 1.0), gradients, strict=True):
        assert agree(have, np.asarray(want, float)), f"pair: {have} is not {want}"


def check_second_derivative(path, declared, arguments, folder):
    """Emit the gradient of the emitted gradient, and compare with complex step of the first."""
    first = emit_path(f"{path}:f", wrt="x", shapes=declared, mode="grad")
    source = folder / "first.py"
    source.write_text(first, "utf-8")
    second = emit_path(f"{source}:f_grad", wrt="x", shapes=declared, mode="grad")
    have = executed(second)["f_grad_grad"](**arguments)
    want = complex_step(executed(first, COMPLEX_MATH)["f_grad"], arguments, "x")
    assert agree(have, want), f"second derivative {have} is not {want}\n{first}\n{second}"


ROOMY = {
    "deadline": None, "derandomize": True, "database": None,
    "suppress_health_check": list(HealthCheck), "phases": (Phase.generate,),
}  # fmt: skip


def run(arrays, count):
    with tempfile.TemporaryDirectory() as folder:

        @settings(max_examples=count, **ROOMY)
        @given(programs(arrays))
        def each(made):
            check_program(*made, Path(folder))

        each()


@pytest.mark.parametrize("arrays", [False, True], ids=["numbers", "arrays"])
def test_random_programs_agree_with_complex_step(arrays):
    run(arrays, 300)


@pytest.mark.slow
@pytest.mark.parametrize("arrays", [False, True], ids=["numbers", "arrays"])
def test_fifty_thousand_random_programs_agree_with_complex_step(arrays):
    run(arrays, 50_000)


def test_the_comparison_catches_planted_errors():
    right = np.array([1.0, -2.0, 0.5])
    assert agree(right, right)
    for wrong in (5 * right, -right, right * (1 + 1e-7), right * np.nan,
                  right + np.array([0, 0, 1e-7]),
                  right[:2], right[:, None], 0 * right):  # fmt: skip
        assert not agree(wrong, right)
