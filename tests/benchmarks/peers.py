"""Other packages as contestants, each skipped by name where it is missing or cannot do it.

The user's function is handed to a peer unchanged, with the peer's own module in the place of `np`
and `math`.
"""

import importlib
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .timing import Contestant
from .workload import Function, Workload


class Skipped(Exception):
    """Why a workload has no figure of a peer."""


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Skipped(f"{name.partition('.')[0]} is not installed") from None


def _with(function: Function, module: Any) -> Function:
    """The function with another module for `np` and `math`."""
    names = {**function.__globals__, "np": module, "math": module}
    return types.FunctionType(function.__code__, names, function.__name__)


def _at_most(statements: int, workload: Workload, why: str) -> None:
    if workload.statements > statements:
        raise Skipped(f"{why} beyond {statements:,} statements")


# autograd


def autograd(workload: Workload) -> Contestant:
    """HIPS autograd: tapes the operations of every call."""
    module = _module("autograd.numpy")
    differential = _module("autograd")
    _at_most(10_000, workload, "recursion and minutes")
    function = _with(workload.function, module)
    if workload.mode == "jacobian":
        return Contestant("autograd", _autograd_rows(workload, function, differential))
    gradient = differential.value_and_grad(function, workload.places)

    def call(*arguments: Any) -> Any:
        value, grads = gradient(*arguments)
        return value, grads[0] if isinstance(workload.wrt, str) else grads

    return Contestant("autograd", call, _floats)


def _autograd_rows(workload: Workload, function: Function, differential: Any) -> Function:
    make = differential.elementwise_grad if workload.lanes else differential.grad
    rows = [make(lambda *a, k=k: function(*a)[k], workload.places) for k in range(2)]
    return lambda *arguments: tuple(row(*arguments) for row in rows)


def _floats(arguments: Sequence[Any]) -> Sequence[Any]:
    return [float(a) if isinstance(a, int) else a for a in arguments]


# JAX


def jax(workload: Workload) -> Contestant:
    """JAX, compiled by XLA for these shapes; compiling is not timed."""
    module = _module("jax")
    _at_most(100, workload, "compiling takes minutes, and memory by the gigabyte,")
    module.config.update("jax_enable_x64", True)
    numpy = module.numpy
    function = _with(workload.function, numpy)
    places = workload.places
    if workload.mode == "jacobian":
        made = module.jacrev(function, places)
        made = module.vmap(made) if workload.lanes else made
    else:
        bare = isinstance(workload.wrt, str)
        made = module.value_and_grad(function, places[0] if bare else places)
    compiled = module.jit(made)
    return Contestant(
        "JAX jit",
        lambda *arguments: module.block_until_ready(compiled(*arguments)),
        lambda arguments: [numpy.asarray(a) for a in arguments],
    )


# PyTorch


def _torch_names(torch: Any) -> types.SimpleNamespace:
    """What the workloads use of NumPy, by NumPy's names."""

    def reduced(plain: str) -> Function:
        function = getattr(torch, plain)

        def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            return function(x) if axis is None else function(x, axis, keepdims)

        return call

    def zeros(shape: Sequence[int]) -> Any:
        return torch.zeros(shape, dtype=torch.float64)

    same = ("sin", "cos", "exp", "log", "tanh", "sqrt", "log1p", "arange", "swapaxes")
    return types.SimpleNamespace(
        **{name: getattr(torch, name) for name in same},
        zeros=zeros, sum=reduced("sum"), mean=reduced("mean"), max=reduced("amax"),
    )  # fmt: skip


def torch(workload: Workload) -> Contestant:
    """PyTorch, eager: it tapes the operations of every call."""
    module = _module("torch")
    module.set_num_threads(1)
    _at_most(10_000, workload, "minutes")
    function = _with(workload.function, _torch_names(module))
    places = workload.places

    def prepare(arguments: Sequence[Any]) -> Sequence[Any]:
        tensors = [module.as_tensor(a, dtype=None if isinstance(a, np.ndarray) else module.float64)
                   for a in arguments]  # fmt: skip
        for place in places:
            tensors[place].requires_grad_(True)
        return tensors

    def gradient(*arguments: Any) -> Any:
        value = function(*arguments)
        grads = module.autograd.grad(value, [arguments[p] for p in places])
        return value.detach(), grads[0] if isinstance(workload.wrt, str) else grads

    def rows(*arguments: Any) -> Any:
        wanted = [arguments[p] for p in places]
        values = function(*arguments)
        return tuple(
            module.autograd.grad(
                value, wanted, module.ones_like(value), retain_graph=True,
                allow_unused=True, materialize_grads=True,
            )
            for value in values
        )  # fmt: skip

    call = rows if workload.mode == "jacobian" else gradient
    return Contestant("PyTorch", call, prepare)


# CasADi


def casadi(workload: Workload) -> Contestant:
    """CasADi: a symbolic graph, run by its virtual machine."""
    module = _module("casadi")
    _at_most(10_000, workload, "building takes minutes")
    arguments = workload.arguments(np.random.default_rng(0))
    if any(np.ndim(a) > 2 or getattr(a, "dtype", 0) == np.int64 for a in arguments):
        raise Skipped("it has no arrays of three axes, and no indices by arrays")
    if any(getattr(a, "dtype", 0) == np.float32 for a in arguments):
        raise Skipped("it has no float32")
    if workload.lanes:
        raise Skipped("it takes arrays for columns, and their Jacobian has blocks of zeros")
    kind = module.MX if any(np.ndim(a) for a in arguments) else module.SX
    symbols = [kind.sym(f"a{k}", *np.shape(a)) for k, a in enumerate(arguments)]
    names = types.SimpleNamespace(
        **{n: getattr(module, n) for n in ("sin", "cos", "exp", "log", "tanh", "sqrt", "log1p")},
        sum=module.sum1, mean=lambda x: module.sum1(x) / x.shape[0],
    )  # fmt: skip
    value = _with(workload.function, names)(*symbols)
    wanted = [symbols[p] for p in workload.places]
    if workload.mode == "jacobian":
        outputs = [module.jacobian(v, w) for v in value for w in wanted]
    else:
        outputs = [value, *(module.gradient(value, w) for w in wanted)]
    compiled = module.Function("gradient", symbols, outputs)
    shapes = [np.shape(arguments[p]) for p in workload.places]

    def call(*given: Any) -> Any:
        found = compiled(*given)
        if workload.mode == "jacobian":
            return tuple(float(f) for f in found)
        grads = [np.asarray(f).reshape(shape) for f, shape in zip(found[1:], shapes, strict=True)]
        return float(found[0]), grads[0] if isinstance(workload.wrt, str) else tuple(grads)

    return Contestant("CasADi", call)


# tangent


def tangent(workload: Workload) -> Contestant:
    """tangent-ad: source to source, on a run-time library."""
    module = _module("tangent")
    _at_most(100, workload, "hours")
    if workload.mode == "jacobian":
        raise Skipped("it has no Jacobians of several values")
    try:
        made = module.grad(workload.function, wrt=workload.places, preserve_result=True)
    except Exception as problem:
        raise Skipped(f"it refuses: {type(problem).__name__}") from None

    def call(*arguments: Any) -> Any:
        *grads, value = made(*arguments)
        return value, grads[0] if isinstance(workload.wrt, str) else tuple(grads)

    return Contestant("tangent-ad", call)


# SymPy


def sympy(workload: Workload) -> Contestant:
    """SymPy's derivative, common subexpressions shared by lambdify."""
    module = _module("sympy")
    names = workload.function.__code__.co_varnames[: workload.function.__code__.co_argcount]
    if workload.statements:
        raise Skipped("its expressions grow without bound")
    arguments = workload.arguments(np.random.default_rng(0))
    if any(np.ndim(a) for a in arguments) and not workload.lanes:
        raise Skipped("it has no arrays of symbolic length that lambdify takes")
    symbols = module.symbols(names, real=True)
    value = _with(workload.function, module)(*symbols)
    wanted = [symbols[p] for p in workload.places]
    if workload.mode == "jacobian":
        outputs = [[v.diff(w) for w in wanted] for v in value]
    else:
        grads = [value.diff(w) for w in wanted]
        outputs = [value, grads[0] if isinstance(workload.wrt, str) else grads]
    backend = "math" if workload.target == "python" else "numpy"
    return Contestant("SymPy", module.lambdify(symbols, outputs, backend, cse=True))


# Differences


def differences(workload: Workload) -> Contestant:
    """Central differences, two calls of the function for each number."""
    arguments = workload.arguments(np.random.default_rng(0))
    count = sum(np.size(arguments[p]) for p in workload.places)
    if count > 1_000 and not workload.lanes:
        raise Skipped(f"{2 * count:,} calls of the function")
    if any(getattr(a, "dtype", 0) == np.float32 for a in arguments):
        raise Skipped("float32 has no digits for it")
    function, places = workload.function, workload.places
    step = np.finfo(float).eps ** (1 / 3)

    def slope(given: list[Any], place: int, at: Any) -> Any:
        whole = given[place]
        ends = []
        for sign in (1.0, -1.0):
            if at is None:
                given[place] = whole + sign * step
            else:
                given[place] = whole.copy()
                given[place][at] += sign * step
            ends.append(function(*given))
        given[place] = whole
        if isinstance(ends[0], tuple):
            return [(a - b) / (2.0 * step) for a, b in zip(*ends, strict=True)]
        return (ends[0] - ends[1]) / (2.0 * step)

    def rows(*given: Any) -> Any:
        return tuple(zip(*(slope(list(given), place, None) for place in places), strict=True))

    def gradient(*given: Any) -> Any:
        grads = []
        for place in places:
            shape = np.shape(given[place])
            if not shape:
                grads.append(slope(list(given), place, None))
                continue
            grads.append(np.empty(shape))
            for at in np.ndindex(*shape):
                grads[-1][at] = slope(list(given), place, at)
        return function(*given), grads[0] if isinstance(workload.wrt, str) else tuple(grads)

    return Contestant("differences", rows if workload.mode == "jacobian" else gradient)


PEERS: dict[str, Callable[[Workload], Contestant]] = {
    "autograd": autograd,
    "JAX jit": jax,
    "PyTorch": torch,
    "CasADi": casadi,
    "tangent-ad": tangent,
    "SymPy": sympy,
    "differences": differences,
}
# Differences have half the digits, and theirs is the only error that is not one.
TOLERANCES = {"differences": 1e-5}
