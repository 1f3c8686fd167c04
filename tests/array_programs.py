"""Random straight-line programs on arrays, for tests/test_random_arrays.py.

A program is written statement by statement, and runs while it is written: the values that its names
have at one point tell the shapes, which operation is in its domain there, and whether it is away
from kinks and ties. What does not run without a warning, or grows too large, is not written.
"""

import itertools
import math
import random
import re
import warnings

import numpy as np
from array_operations import ARRAY, BIG, BINARY, HELPERS, LINALG, PRODUCTS, UNARY

# Functions whose result may share memory with their argument, or not.
UNSURE = (
    "ravel",
    "reshape",
    "squeeze",
    "swapaxes",
    "moveaxis",
    "transpose",
    ".T",
    "broadcast",
    "rot90",
    "flip",
    "split",
    "KNOTS",
)

NOT_ANALYTIC = ("np.hypot", "np.arctan2", "np.logaddexp")


def is_atom(text):
    """Whether a text is one name, call, item or parenthesis."""
    depth = 0
    for k, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        inside = depth > 0 or letter.isalnum() or letter in "_.)]"
        if not inside or (depth == 0 and k and text[k - 1] in ")]" and letter != "."):
            return False
    return not text[0].isdigit()


def is_own(name):
    """Whether it is a name that the program assigns."""
    return name[0] == "v" and name[1:].isdigit()


def is_writeable(array):
    """Whether an array may be changed: not what `np.broadcast_to` gives."""
    while array is not None and 0 not in array.strides:
        if not isinstance(array.base, np.ndarray):
            return bool(array.flags.writeable)
        array = array.base
    return False


def apart(items, gap=0.02):
    """Whether no two numbers are nearer than a gap."""
    ordered = np.sort(np.ravel(items))
    return ordered.size < 2 or float(np.min(np.diff(ordered))) > gap


class Holes(dict):
    """What stands in the holes of a template, about a value."""

    def __init__(self, program, value, **known):
        super().__init__(known)
        self.program, self.value = program, value
        self["x"] = program.atom(value.text)

    def __missing__(self, key):
        return getattr(self, "hole_" + key)(np.shape(self.value.now))

    def pick(self, items):
        return self.program.choose(items)

    def hole_k(self, shape):
        return self.pick(range(-len(shape), len(shape)))

    def hole_k0(self, shape):
        self["k0"] = self.pick(range(len(shape)))
        return self["k0"]

    def hole_i(self, shape):
        return self.pick([1, 2, -1, -2, 3, 0])

    def hole_K(self, shape):
        self["K"] = f", axis={self.hole_k(shape)}"
        return self["K"]

    def hole_O(self, shape):
        return self.pick(["", self.hole_K(shape)]) if shape else ""

    def hole_A(self, shape):
        rank = len(shape)
        if rank > 1 and self.program.pick(4) == 0:
            return f", axis={tuple(self.program.sample(range(rank), 2))}"
        return self.pick(["", ", axis=None", *[self.hole_K(shape)] * 3]) if rank else ""

    def hole_KD(self, shape):
        return self.pick(["", "", ", keepdims=True"])

    def hole_a(self, shape):
        return self.pick(
            [
                "",
                f"{self.hole_k(shape)}",
                f"axis={self.hole_k(shape)}",
                f"axis={self.hole_k(shape)}, keepdims=True",
            ]
        )

    def hole_a1(self, shape):
        return self.pick(["", f"axis={self.hole_k(shape)}"])

    def hole_S(self, shape):
        size = math.prod(shape)
        ways = [(size,), (1, size), (size, 1)]
        ways += [(k, size // k) for k in range(2, size) if size % k == 0]
        ways += [(k, 1, size // k) for k in range(2, size) if size % k == 0]
        way = list(self.pick(ways))
        if self.program.pick(2):
            way[self.program.pick(len(way))] = -1
        return tuple(way)

    def hole_P(self, shape):
        return tuple(self.program.sample(range(len(shape)), len(shape)))

    def hole_w(self, shape):
        axis = int(self["K"].removeprefix(", axis=")) if "K" in self else -1
        return [round(0.5 + 0.25 * k, 2) for k in range(shape[axis])]

    def hole_R(self, shape):
        self["K"] = f", axis={self.program.pick(len(shape))}"
        return [self.program.pick(3) for _ in range(shape[int(self["K"][-1])])]

    def hole_I(self, shape):
        least = min(shape)
        return self.pick([[0, 0], [least - 1, 0], [-1, 0, -least], [[0, -1], [least - 1, 0]]])

    def level(self, low=0.1, high=0.9):
        """A number between the items of the value, and near none."""
        items = np.sort(np.ravel(self.value.now))
        gaps = np.diff(items)
        if items.size < 2 or np.max(gaps) < 0.04:
            return round(float(items[0]) - 0.25, 3)
        wide = [k for k, gap in enumerate(gaps) if gap > 0.04]
        k = wide[
            min(int((low + (high - low) * self.program.pick(9) / 8) * len(wide)), len(wide) - 1)
        ]
        return round(float(items[k] + items[k + 1]) / 2, 3)

    def hole_lo(self, shape):
        return self.level(0.0, 0.4)

    def hole_hi(self, shape):
        return max(self.level(0.6, 1.0), self.level(0.6, 1.0))

    def hole_m(self, shape):
        return f"({self['x']} {self.pick('<>')} {self.level()})"

    def hole_M(self, shape):
        return self.pick(["'full'", "'same'", "'valid'"])

    def hole_E1(self, shape):
        names = "".join(self.program.sample("ijkl", len(shape)))
        if len(shape) > 1 and shape[0] == shape[1] and self.program.pick(3) == 0:
            names = names[0] * 2 + names[2:]
        kept = self.program.sample(sorted(set(names)), self.program.pick(len(set(names)) + 1))
        return f"{names}->{''.join(kept)}"

    def hole_E2(self, shape):
        one = "".join(self.program.sample("ijkl", len(shape)))
        two = list(one)
        for at in range(len(two)):
            if self.program.pick(2):
                two[at] = self.pick([c for c in "mnop" if c not in two])
        both = sorted({*one, *two})
        kept = self.program.sample(both, self.program.pick(min(len(both), 3) + 1))
        return f"{one},{''.join(two)}->{''.join(kept)}"


class Value:
    """An expression and what it is at the point."""

    def __init__(self, text, now, real=False, fixed=False):
        self.text, self.now, self.real, self.fixed = text, now, real, fixed

    @property
    def shape(self):
        return np.shape(self.now)

    def within(self, low, high):
        return bool(np.size(self.now)) and low <= np.min(self.now) and np.max(self.now) <= high


class Program:
    """The text of a random function of arrays, and the arguments at which it was written."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.symbolic = self.pick(5) < 2
        self.dtype = np.float32 if self.pick(6) == 0 else np.float64
        self.lines, self.count, self.real = [], 0, False
        self.active, self.leaves = [], {}
        self.arguments = self.make_arguments(np.random.default_rng(seed))
        self.names = {}
        exec(HELPERS, self.names)
        self.refresh()

    # -- choices -----------------------------------------------------------------------------------

    def pick(self, n):
        return self.random.randrange(n)

    def choose(self, items):
        return items[self.pick(len(items))]

    def sample(self, items, n):
        return self.random.sample(list(items), n)

    def make_arguments(self, rng):
        lengths = [5, 7] if self.symbolic else self.sample([2, 3, 3, 4], 2)
        choices = [(n,) for n in lengths] + list(itertools.product(lengths, repeat=2))
        if self.symbolic:
            choices += [(3, lengths[0]), (lengths[0], 2), (1, lengths[1])]
        else:
            choices += [(1,), (1, 3), (2, 1), (2, 1, 3), (2, 3, 2), ()]
        made = {}
        for name in "xyz"[: 1 + self.pick(3)]:
            shape = self.choose(choices)
            if name == "y" and self.pick(3) == 0:
                shape = ()
            made[name] = self.leaf(rng, name, shape)
        if self.pick(4) == 0:
            keys = ["W", "b"][: 1 + self.pick(2)]
            made["p"] = {k: self.leaf(rng, f"p.{k}", self.choose(choices)) for k in keys}
        return made

    def leaf(self, rng, path, shape):
        self.active.append(path)
        if shape == () and self.pick(2):
            self.leaves[path] = "scalar"
            return float(rng.uniform(0.3, 1.7))
        words = {5: "n", 7: "m"} if self.symbolic else {}
        text = " ".join(words.get(k, str(k)) for k in shape) or "()"
        self.leaves[path] = f"{text}:{np.dtype(self.dtype).name}"
        count = max(math.prod(shape), 1)
        values = 0.3 + 1.4 * (rng.permutation(count) + rng.uniform(0.35, 0.65, count)) / count
        values *= np.where(rng.uniform(size=count) < 0.25, -1.0, 1.0)
        return np.asarray(values.reshape(shape), self.dtype)

    @property
    def declared(self):
        return ", ".join(f"{path}={text}" for path, text in self.leaves.items())

    # -- running -----------------------------------------------------------------------------------

    def run(self, lines):
        """What the names are after these lines, or None."""
        names = dict(self.names)
        copies = {}
        for name, value in self.arguments.items():
            copies[name] = (
                {k: np.copy(v) if isinstance(v, np.ndarray) else v for k, v in value.items()}
                if isinstance(value, dict)
                else np.copy(value)
                if isinstance(value, np.ndarray)
                else value
            )
        names.update(copies)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                exec("\n".join(lines), names)
        except Exception:
            return None, None
        return names, copies

    def refresh(self):
        self.env, self.copies = self.run(self.lines)

    def evaluate(self, text):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return eval(text, self.env)
        except Exception:
            return None

    def is_good(self, now):
        """Whether a value is a number or an array of floats, and neither large nor many."""
        if not isinstance(now, (float, np.floating, np.ndarray)):
            return False
        if isinstance(now, np.ndarray) and now.dtype not in (np.float32, np.float64):
            return False
        return (
            0 < np.size(now) <= 80
            and np.ndim(now) < 5
            and bool(np.all(np.isfinite(now)))
            and float(np.max(np.abs(now))) < 1e4
        )

    def make(self, text, *parts, real=False, fixed=False):
        """The value of an expression, or None where it does not fit here."""
        fixed = fixed or any(p.fixed for p in parts)
        if fixed and self.symbolic:
            return None
        now = self.evaluate(text)
        if now is None or not self.is_good(now):
            return None
        value = Value(text, now, real or any(p.real for p in parts), fixed)
        if not value.within(-BIG, BIG):
            return self.make(f"np.sin(0.01 * {self.atom(text)})", value)
        return value

    def commit(self, lines, real=False):
        """Write statements, where they run, leave good values and change no argument."""
        env, copies = self.run([*self.lines, *lines])
        if env is None:
            return
        for name, now in env.items():
            kept = is_own(name) and isinstance(now, (float, np.floating, np.ndarray))
            if kept and not (self.is_good(now) and np.max(np.abs(now)) <= 2 * BIG):
                return
        if all(np.array_equal(part(copies, p), part(self.arguments, p)) for p in self.active):
            self.lines += lines
            self.real = self.real or real
            self.env, self.copies = env, copies

    # -- values ------------------------------------------------------------------------------------

    def atom(self, text):
        return text if is_atom(text) else f"({text})"

    def values(self):
        """Every name, with what it holds."""
        found = []
        for name, now in self.env.items():
            if name in self.arguments and isinstance(now, dict):
                found += [Value(f'{name}["{k}"]', v) for k, v in now.items()]
            elif (name in self.arguments or is_own(name)) and self.is_good(now):
                found.append(Value(name, now))
        return found

    def owned(self):
        """Names of arrays that may be changed: nothing of them is an argument's.

        Whether NumPy copies depends on memory layout in some functions; an array on which one was
        called in a statement of its own is left alone, since gradgen refuses that.
        """
        unsure = {
            name
            for line in self.lines
            if any(word in line for word in UNSURE)
            for name in re.findall(r"v\d+", line)
        }
        kept = [v for v in (part(self.copies, path) for path in self.active) if np.ndim(v)]
        return [
            v
            for v in self.values()
            if v.text[0] == "v"
            and isinstance(v.now, np.ndarray)
            and v.now.ndim
            and v.text not in unsure
            and is_writeable(v.now)
            and not any(np.may_share_memory(v.now, k) for k in kept)
        ]

    def new(self):
        self.count += 1
        return f"v{self.count}"

    def into(self, value, low, high):
        """The value moved smoothly into an interval."""
        if value is None or value.within(low, high):
            return value
        low, high = max(low, -2.0), min(high, 4.0)
        text = f"{(low + high) / 2!r} + {(high - low) * 0.475!r} * np.tanh({value.text})"
        return self.make(text, value)

    def holds(self, value, guard):
        now = np.asarray(value.now)
        tests = {
            "d": lambda: apart(now),
            "z": lambda: bool(np.all(np.abs(now) > 0.03)),
            "s": lambda: now.size > 1 and float(np.min(np.std(now, axis=-1))) > 0.1 and apart(now),
            "e": lambda: not self.symbolic or (now.ndim == 2 and now.shape[0] == now.shape[1]),
            "1": lambda: now.ndim == 1,
            "2": lambda: now.ndim <= 2,
            "k": lambda: all(
                apart([k, item]) for item in now.ravel() for k in (-2, -0.5, 0.25, 1, 2.5)
            ),
            "h": lambda: bool(np.all(np.abs(now % 0.5 - 0.25) < 0.22)),
        }
        return all(tests[g]() for g in guard)

    def unary(self, value):
        text, low, high, how = self.choose(UNARY)
        if "astype" in text and not value.shape:
            return value
        value = self.into(value, low, high)
        if value is None:
            return None
        return self.make(text.format(x=self.atom(value.text)), value, real=how == "r")

    def array(self, value):
        text, rank, guard, how = self.choose(ARRAY)
        if len(value.shape) < rank or not self.holds(value, guard):
            return None
        if not value.shape and text.startswith("{x}"):
            return None
        if len(value.text) > 60 and text.count("{x}") + text.count("{m}") > 1:
            return None
        filled = text.format_map(Holes(self, value))
        made = self.make(filled, value, real="r" in how, fixed="!" in how)
        if made is not None and "s" in guard and np.min(np.abs(made.now)) < 0.05:
            return None  # the deviation of equal items has no derivative
        return made

    def binary(self, a, b):
        text = self.choose(BINARY)
        if text == "{x} / {y}":
            b = self.into(b, 0.2, BIG)
        elif text == "{x} ** {y}":
            a, b = self.into(a, 0.3, 2.5), self.into(b, -1.5, 2.0)
        elif "arctan2" in text:
            b = self.into(b, 0.2, BIG)
        if a is None or b is None:
            return None
        if "imum" in text or "{x} > {y}" in text:
            with np.errstate(all="ignore"):
                try:
                    gap = np.abs(np.subtract(a.now, b.now))
                except ValueError:
                    return None
            if np.min(gap) < 0.02:
                return None
        holes = Holes(self, a, y=self.atom(b.text))
        real = text.startswith(NOT_ANALYTIC)
        return self.make(text.format_map(holes), a, b, real=real)

    def product(self, a):
        """A product with another value, or a part of one."""
        b = self.choose(self.values())
        first, second = self.atom(a.text), self.atom(b.text)
        text = self.choose(PRODUCTS)
        if "np.interp" in text or (
            "np.convolve" in text and (len(a.shape), len(b.shape)) != (1, 1)
        ):
            return None
        if text.startswith("np.array") and a.shape != b.shape:
            return None
        if "polyval" in text and len(a.shape) != 1:
            return None
        filled = text.format(x=first, y=second)
        return self.make(filled, a, b, real="np.vecdot" in text)

    def linalg(self, value):
        """A function of a matrix with a dominant diagonal."""
        if len(value.shape) != 2 or value.shape[0] > 5:
            return None
        value = self.into(value, -2.0, 2.0)
        if value is None:
            return None
        x, rows = self.atom(value.text), value.shape[0]
        ends = np.array2string(2.0 + 3.0 * np.arange(rows), separator=", ")
        ones = f"np.diag(2.0 + 3.0 * np.arange(len({x})))" if self.pick(2) else f"np.diag({ends})"
        square = value.shape[0] == value.shape[1]
        s = f"({x} @ {x}.T + {ones})"
        q = f"({x} * 0.3 + {ones})" if square else s
        b = self.choose([f"{x}", f"{x}[:, 0]", f"np.sin({x}) * 2"])
        text, how = self.choose(LINALG)
        text = text.format(q=q, s=s, b=b, x=x, pow=self.pick(5) - 2)
        if "eig" in text or "svd" in text or "np.linalg.norm" in text:
            eigenvalues = self.evaluate(f"np.linalg.svd({q if '{q}' in text else s})[1]")
            if eigenvalues is None or not apart(eigenvalues, 0.1):
                return None
        return self.make(text, value, real=how == "r", fixed=ones[8] == "[" or not square)

    def index(self, shape, nested=True):
        """A random index of an array of this shape, and whether it is basic."""
        parts, basic, arrays = [], True, 0
        for n in shape[: 1 + self.pick(len(shape))]:
            kind = self.pick(12)
            if kind < 3:
                parts.append(
                    str(self.choose([0, -1, n - 1, -n] if not self.symbolic else [0, -1, 1]))
                )
            elif kind < 8:
                slices = [":", ":", "::-1", "1:", ":-1", "::2", ":1", "-1:", "1::2", "::-2", "-2:"]
                if not self.symbolic:
                    slices += [f"{n - 1}::-1", "-1:0:-1", f":{n}", "0:9", ":-9:-1", f"-{n}:2"]
                parts.append(self.choose(slices))
            elif kind < 10 and not arrays:
                basic, arrays = False, 1
                spots = [[0, 0], [0, -1], [-1], [0, 1, 0], [1, 0], [[0, 1], [1, 0]]][: 5 + nested]
                spot = [s for s in spots if n > 1 or np.max(s) < 1]
                text = str(self.choose(spot))
                parts.append(self.choose([text, f"np.array({text})"]) if "1" in text else text)
            elif kind == 10:
                parts += ["None", ":"]
            else:
                parts.append(":")
        if self.pick(8) == 0 and len(parts) <= len(shape):
            parts.insert(self.pick(len(parts) + 1), "...")
        return ", ".join(parts), basic

    def indexed(self, value):
        if not value.shape:
            return None
        x = self.atom(value.text)
        if self.pick(6) == 0:
            name = self.choose(self.values())
            if name.shape and name.shape == value.shape[: len(name.shape)]:
                mask = Holes(self, name)["m"][1:-1]
                return self.make(f"{self.choose(['np.sum', 'np.mean'])}({x}[{mask}] ** 2)", value)
        text, _ = self.index(value.shape)
        return self.make(f"{x}[{text}]", value)

    def expression(self, depth=0):
        """A random expression."""
        value = self.choose(self.values())
        for _ in range(1 + self.pick(3)):
            for _ in range(12):
                kind = self.pick(16)
                if kind < 3:
                    made = self.unary(value)
                elif kind < 9:
                    made = self.array(value)
                elif kind == 9:
                    made = self.product(value)
                elif kind == 10:
                    made = self.linalg(value)
                elif kind < 13:
                    made = self.indexed(value)
                elif depth < 2 and kind == 13:
                    made = self.binary(value, self.expression(depth + 1))
                else:
                    made = self.binary(value, self.choose(self.values()))
                if made is not None and len(made.text) < 150:
                    value = made
                    break
        return value

    def fitting(self, shape):
        """An expression that broadcasts to a shape."""
        for _ in range(6):
            value = self.expression(1)
            try:
                if np.broadcast_shapes(value.shape, shape) == tuple(shape):
                    return value
            except ValueError:
                pass
        whole = self.make(f"np.mean({value.text})", value)
        return whole or Value("0.5", 0.5)

    # -- statements --------------------------------------------------------------------------------

    def assign(self):
        value = self.expression()
        olds = [v.text for v in self.values() if v.text[0] == "v"]
        name = self.choose(olds) if olds and self.pick(6) == 0 else self.new()
        return [f"{name} = {value.text}"], value.real

    def pair(self):
        one, two = self.expression(), self.expression()
        return [f"{self.new()}, {self.new()} = {one.text}, {two.text}"], one.real or two.real

    def fresh(self):
        """A new buffer, and a store into it."""
        name, value = self.new(), self.choose(self.values())
        if not value.shape:
            return None
        x = value.text
        ways = [
            f"np.zeros_like({x})",
            f"{x} * 1.0",
            f"{x}.copy()",
            f"np.copy({x})",
            f"np.ones({x}.shape)",
            f"np.array({x})",
            f"np.zeros({x}.shape, dtype={x}.dtype)",
            f"np.full_like({x}, 0.5)",
            f"np.empty_like({x})\n{name}[...] = 0.25",
            f"np.zeros(len({x}))",
            f"+{x}",
        ]
        lines = f"{name} = {self.choose(ways)}".split("\n")
        env, _ = self.run([*self.lines, *lines])
        if env is None:
            return None
        text, shape = self.place(Value(name, env[name]), env)
        if text is None:
            return None
        value = self.fitting(shape)
        return [*lines, f"{text} = {value.text}"], value.real

    def place(self, target, env):
        """A part of an array that is stored to, and its shape."""
        name = target.text
        if self.pick(4) == 0:
            return f"{name}[{Holes(self, target)['m'][1:-1]}]", ()
        text = f"{name}[{self.index(target.shape, False)[0]}]"
        try:
            return text, np.shape(eval(text, env))
        except Exception:
            return None, ()

    def store(self):
        """A store into a part of an array that the program owns."""
        owned = self.owned()
        if not owned:
            return self.fresh()
        target = self.choose(owned)
        text, shape = self.place(target, self.env)
        if text is None:
            return None
        value = self.fitting(shape)
        op = self.choose(["=", "=", "+=", "-=", "*=", "/="])
        if op == "/=":
            value = self.into(value, 0.3, BIG)
        if value is None:
            return None
        return [f"{text} {op} {value.text}"], value.real

    def augment(self):
        owned = self.owned()
        if not owned:
            return self.fresh()
        target = self.choose(owned)
        value = self.fitting(target.shape)
        op = self.choose(["+=", "-=", "*=", "/=", "**="])
        if op == "/=":
            value = self.into(value, 0.3, BIG)
        elif op == "**=":
            value = Value("2", 2.0)
        if value is None:
            return None
        return [f"{target.text} {op} {value.text}"], value.real

    def view(self):
        """Another name of an array, or of a part of it."""
        owned = self.owned()
        if not owned:
            return self.fresh()
        target = self.choose(owned)
        name, x = self.new(), target.text
        text, basic = self.index(target.shape)
        if not basic:
            text = "1:"
        way = self.choose(
            [x, f"{x}[{text}]", f"{x}[{text}]", f"{x}.T", f"{x}[::-1]", f"np.swapaxes({x}, 0, -1)"]
        )
        if "[" not in way and way != x:
            return [f"{name} = {way}"], False
        change = self.choose(
            [
                f"{name} *= 2.0",
                f"{name} += 0.25",
                f"{x}[-1] = 0.5",
                f"{x} *= 0.5",
                f"{name}[...] = 0.75",
                "",
            ]
        )
        return [f"{name} = {way}", *([change] if change else [])], False

    def scatter(self):
        owned = [v for v in self.owned() if v.shape[0] > 1]
        if not owned:
            return self.fresh()
        target = self.choose(owned)
        spots = self.choose(["[0, 0]", "[1, 0, 1]", "[-1, 0]", "np.array([0, 1, 0])"])
        count = np.size(eval(spots, self.env))
        value = self.fitting((count, *target.shape[1:]))
        form = self.choose(
            [
                "np.add.at({t}, {s}, {v})",
                "{t}[{s}] += {v}",
                "{t}[{s}] = {v}",
                "{t}[{s}] *= {v}",
                "np.subtract.at({t}, {s}, {v})",
            ]
        )
        return [form.format(t=target.text, s=spots, v=value.text)], value.real

    def swap(self):
        owned = [v for v in self.owned() if v.shape[0] > 1]
        if not owned:
            return None
        x = self.choose(owned).text
        return [
            self.choose(
                [
                    f"{x}[0], {x}[1] = {x}[1], {x}[0]",
                    f"{x}[[0, 1]] = {x}[[1, 0]]",
                    f"{x}[1:] = {x}[:-1]",
                    f"{x}[:-1] += {x}[1:]",
                    f"{x}[::-1] += {x}",
                    f"{x}[0] = {x}[-1] * 2.0",
                    f"{x}[1:] -= {x}[:1]",
                ]
            )
        ], False

    def loop(self):
        """A loop that is unrolled."""
        name, value = self.new(), self.expression(1)
        one = self.into(self.choose(self.values()), -2.0, 2.0)
        if one is None:
            return None
        kind, owned = self.pick(6), self.owned()
        place, op = self.choose(["0", "i", "-1", "i - 1"]), self.choose(["+=", "*=", "="])
        join = self.choose(["np.array", "np.stack", "np.concatenate", "np.vstack", "sum"])
        x = self.atom(value.text)
        if kind == 0:
            value = self.into(value, -1.0, 1.0)
            if value is None:
                return None
            lines = [
                f"{name} = {value.text}",
                f"for i in range({1 + self.pick(3)}):",
                f"    {name} = {name} * 0.5 + np.cos({one.text} * (i + 1))",
            ]
        elif kind == 1 and owned:
            u = self.choose(owned)
            lines = [
                f"for i in range(1, {min(3, u.shape[0])}):",
                f"    {u.text}[i] = {u.text}[i - 1] * 0.5 + {u.text}[i] * i",
            ]
        elif kind == 2 and owned and not self.symbolic:
            u = self.choose(owned)
            lines = [
                f"for i, row in enumerate({u.text}):",
                "    "
                + self.choose(
                    [
                        f"{u.text}[i] = row * (i + 1.0)",
                        f"{u.text}[i] += np.sum(row)",
                        f"{u.text}[i] *= 0.5",
                        f"{u.text}[-1] += row * 0.5",
                    ]
                ),
            ]
        elif kind == 3 and value.shape and not self.symbolic and value.shape[0] <= 6:
            lines = [
                f"{name} = 0.0",
                f"for row in {x}:",
                f"    {name} = {name} * 0.5 + np.sum(np.sin(row))",
            ]
        elif kind == 4 and value.shape and not self.symbolic and value.shape[0] <= 6:
            lines = [
                f"{name} = np.zeros({value.shape[0]})",
                f"for i in range({value.shape[0]}):",
                f"    {name}[i] = np.sum({x}[i]) * (i + 1)",
                f"    {name}[{place}] {op} 0.5 + {name}[i]",
            ]
        else:
            lines = [
                f"{name} = []",
                f"for i in range({1 + self.pick(3)}):",
                f"    {name}.append({x} * (i + 0.5))",
                f"{name} = {join}({name})",
            ]
        return lines, value.real or one.real

    def comprehension(self):
        name, value = self.new(), self.choose(self.values())
        x = value.text
        if not value.shape:
            return [f"{name} = np.array([{x} ** k for k in range({1 + self.pick(3)})])"], False
        ways = [
            f"np.array([np.sum({x} ** k) for k in range(1, 4)])",
            f"np.stack([{x} * k for k in (1.0, 2.0)], axis={self.pick(2) - 1})",
            f"sum([{x} * k for k in range(1, 3)])",
            f"np.concatenate([{x}[k:] for k in range(2)])",
        ]
        if not self.symbolic:
            ways += [
                f"np.array([np.sum(r * r) for r in {x}])",
                f"np.stack([r * (i + 1) for i, r in enumerate({x})])",
                f"sum(r * np.cos(r) for r in {x})",
                f"np.array([{x}[i] * 2.0 for i in range(len({x})) if i != 1])",
                f"np.array([a + b for a, b in zip({x}, {x}[::-1])])",
            ]
        return [f"{name} = {self.choose(ways)}"], False

    def several(self):
        """Several results of one call, or a helper that changes its argument."""
        value = self.choose(self.values())
        x, one, two = value.text, self.new(), self.new()
        if not value.shape:
            return None
        owned = self.owned()
        if owned and self.pick(3) == 0:
            more = self.choose(["0.5", f"np.sum({x})", x])
            return [f"{one} = bump({self.choose(owned).text}, {more})"], False
        ways = [
            f"{one}, *{two} = np.split({x}, [1])\n{two} = {two}[0]",
            f"{one}, {two} = np.meshgrid({x}, {x}[::-1])",
            f"{one}, {two} = {x}[0], {x}[-1]",
            f"{one}, {two} = np.broadcast_arrays({x}, {x}[:1])",
        ]
        if apart(value.now):
            ways += [f"{one}, {two} = spread({x})\n{two} = {x}.ravel()[{two}]"]
        if not self.symbolic:
            ways += [
                f"{one}, {two} = np.array_split({x}, 2)",
                f"({one}, *{two}), i = {x}, 0\n{two} = {one} * i",
            ]
        if self.pick(4) == 0:
            test = self.choose(
                [
                    f"{x}.ndim == 2",
                    f"{x}.ndim > 1",
                    f"{x}.shape[0] > 2" if not self.symbolic else "SCALE > 0.5",
                ]
            )
            return [
                f"if {test}:",
                f"    {one} = {x} * 2.0",
                "else:",
                f"    {one} = np.sin({x})",
            ], False
        return self.choose(ways).split("\n"), False

    def statement(self):
        kinds = [self.assign] * 6 + [
            self.pair,
            self.fresh,
            self.fresh,
            self.store,
            self.store,
            self.store,
            self.augment,
            self.view,
            self.view,
            self.scatter,
            self.swap,
            self.loop,
            self.loop,
            self.comprehension,
            self.several,
        ]
        made = self.choose(kinds)()
        if made is not None and max(map(len, made[0])) < 230:
            self.commit(*made)

    def text(self):
        """The whole program: statements, and a result that depends on several names."""
        wanted = 1 + self.pick(7)
        for _ in range(20):
            if len(self.lines) < wanted:
                self.statement()
        total = self.expression()
        self.real = self.real or total.real
        held = [v for v in self.values() if v.text[0] == "v"][-3:]
        first = next(v for v in self.values() if v.text in self.arguments or v.text[1] == "[")
        parts = []
        for value in (total, *held, first):
            x = value.text
            forms = [
                "np.sum({x})",
                "np.sum(np.sin({x}))",
                "np.mean({x})",
                "np.sum({x} * 0.5)",
                "np.sum(np.square({x}))",
                "np.sum({x} * np.cos({x}))",
            ]
            form = self.choose(forms if len(x) < 40 else forms[:-1]) if value.shape else "{x}"
            parts.append(form.format(x=self.atom(x) if form != "np.sum({x})" else x))
        body = "".join(f"    {line}\n" for line in self.lines)
        return (
            f"{HELPERS}def f({', '.join(self.arguments)}):\n{body}    return {' + '.join(parts)}\n"
        )


def part(arguments, path):
    """The array or number at a path as `p.W`."""
    name, _, key = path.partition(".")
    return arguments[name][key] if key else arguments[name]
