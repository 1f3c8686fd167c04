"""What Python computes, beside what gradgen emits: live, and from the text of a file."""

import copy
import itertools
import linecache

import numpy as np

import gradgen
from gradgen.api import emit_path

_numbers = itertools.count()
HEAD = "import math\nimport numpy as np\n"


def function_of(text, name="f", head=HEAD, **names):
    """A live object of a source that `linecache` knows, as in a notebook."""
    text = head + text
    path = f"<source {next(_numbers)}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    namespace = {"__name__": "told", **names}
    exec(compile(text, path, "exec", dont_inherit=True), namespace)
    return namespace[name]


def with_body(body, signature="x"):
    """The source of `f` with a body."""
    lines = "".join(f"    {line}\n" if line else "\n" for line in body.splitlines())
    return f"def f({signature}):\n{lines}"


def differences(f, args, which=0):
    """The gradient by differences of fourth order; each call gets arguments of its own."""
    x = np.asarray(args[which], float)
    found = np.zeros_like(x)

    def at(index, step):
        moved = x.copy()
        moved[index] += step
        fresh = copy.deepcopy(list(args))
        fresh[which] = moved if x.shape else float(moved)
        return float(f(*fresh))

    h = 1e-3
    for index in np.ndindex(x.shape):
        near, far = at(index, h) - at(index, -h), at(index, 2 * h) - at(index, -2 * h)
        found[index] = (8 * near - far) / (12 * h)
    return found


def same(have, want):
    """Whether a gradient is the other within what differences can tell."""
    assert np.shape(have) == np.shape(want)
    np.testing.assert_allclose(have, want, rtol=1e-7, atol=1e-8)


def agree(f, *args, wrt=0, **options):
    """The emitted function of a live one, whose value and gradient are Python's."""
    emitted = gradgen.value_and_grad(f, wrt=wrt, **options)
    given = copy.deepcopy(args)
    value, slope = emitted(*given)
    for have, had in zip(given, args, strict=True):
        np.testing.assert_equal(have, had)
    assert value == f(*copy.deepcopy(args))
    same(slope, differences(f, args, wrt))
    return emitted


def text_of(path, text, shapes=None, head=HEAD, **options):
    """What the file with this text emits for its `f`."""
    path.write_text(head + text, "utf-8")
    return emit_path(f"{path}:f", shapes=shapes, **options)


def agree_in_text(path, text, *args, shapes=None, head=HEAD):
    """The file's `f` and its emission compute the same; returns the emission."""
    emitted = text_of(path, text, shapes, head)
    theirs, ours = {"__name__": "told"}, {}
    exec(compile(head + text, str(path), "exec", dont_inherit=True), theirs)
    exec(emitted, ours)
    value, slope = ours["f_value_and_grad"](*copy.deepcopy(args))
    assert value == theirs["f"](*copy.deepcopy(args))
    same(slope, differences(theirs["f"], args))
    return emitted


def body_of(emitted):
    """An emission without its header."""
    lines = emitted.splitlines()
    return "\n".join(line for line in lines if not line.startswith("#")).strip()
