"""The Python interface: `grad`, `value_and_grad` and `emit`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradgen.collector import paused
from gradgen.errors import GradgenError
from gradgen.header import finished_text, header_lines, relative_path
from gradgen.live import Shapes, build, compile_declared
from gradgen.program import Options, Wrt, compile_graph, outside_names
from gradgen.read import parse_shapes, read_file
from gradgen.read.declare import refuse_argnums


def value_and_grad(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", stabilize: bool = False,
    cache: bool = False, **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the value of `f` and its gradient.

    Parameters
    ----------
    f
        A straight-line Python function that returns one float (shape `()`). Omitted, the call is a
        decorator with these options.
    wrt
        Names or positions of the parameters to differentiate: one, or a tuple; the first by
        default. The gradient of one is bare, that of a tuple is a tuple; each has the structure,
        shape and dtype of its parameter, and shares no memory with an argument. A global, a
        variable of a closure or an attribute of a captured object (`self.w`) that `f`, or a
        function it calls, reads by that name becomes a parameter of the emitted function, given by
        name (`self_w=`), with the captured value as its default.
    has_aux
        `f` returns `(value, aux)`; the result is `((value, aux), grads)`.
    target
        `numpy`, or `python` for numbers only, on the math module.
    shapes, like
        The shapes of the arguments, as `"x=n d, a=scalar"` or a dict, or example arguments. Without
        either, and without annotations, the function is compiled at the first call. Globals,
        closures and attributes of a bound `self` have the values that they have while compiling.
    output
        Which of several results to differentiate.
    stabilize
        Accurate rewrites: `log(1 + x)` becomes `log1p(x)`, `log(sum(exp(x)))` a log-sum-exp, and so
        on; the value is then no longer rounded as that of `f`.
    cache
        Keep the emitted source in a folder of the user's, and take it from there as long as nothing
        that it was made from has changed. Numbers and arrays that `f` captures count by content.

    Returns
    -------
    The emitted function, with its `.source` and `.graph`; called with the arguments of `f`, it
    gives `(value, grads)` and leaves the arguments as they are.

    Raises
    ------
    SourceError
        Where the source uses what is not supported, with file, line and column.
    ActiveTypeError
        Where a parameter to differentiate is an array of integers (also a TypeError).
    GradgenError
        For anything else that is refused.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "value_and_grad", target, style, has_aux, output, stabilize)
    if f is None:
        return lambda function: build(function, options, shapes, like, cache)
    return build(f, options, shapes, like, cache)


def grad(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", stabilize: bool = False,
    cache: bool = False, **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the gradient of `f`; see `value_and_grad` for the arguments.

    With `has_aux` its result is `(grads, aux)`.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "grad", target, style, has_aux, output, stabilize)
    if f is None:
        return lambda function: build(function, options, shapes, like, cache)
    return build(f, options, shapes, like, cache)


def jvp(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", cache: bool = False, **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the value of `f`, of any shape, and its derivative along tangents.

    The arguments are those of `value_and_grad`, but `f` may return arrays, and several values in
    tuples, lists or dicts. The emitted function takes the arguments of `f` and, directly behind the
    last one in `wrt`, a tangent for each parameter in `wrt`, called `t_x` for `x`, with the
    structure, shapes and dtypes of its parameter: `f_jvp(x, t_x, y)`. It gives `(value, tangent)`,
    with `has_aux` `((value, aux), tangent)`; the tangent has the structure, shapes and dtypes of
    the value.

    Where a parameter before them has a default, tangents are given by name. The lengths of tangents
    are checked: it raises `ValueError` where they are not those of the parameters.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "jvp", target, style, has_aux, output)
    if f is None:
        return lambda function: build(function, options, shapes, like, cache)
    return build(f, options, shapes, like, cache)


def vjp(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", cache: bool = False, **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the value of `f`, of any shape, and its adjoints for a seed.

    The arguments are those of `value_and_grad`, but `f` may return arrays, and several values in
    tuples, lists or dicts. The emitted function takes the arguments of `f` and behind them `seed`,
    with the structure, shapes and dtypes of the value: `f_vjp(x, y, seed)`, which is given by name
    where a parameter has a default. It gives `(value, grads)`, with `has_aux`
    `((value, aux), grads)`: the gradients of the sum of the products of value and seed.

    The shapes of the seed are checked: it raises `ValueError` where they are not the value's.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "vjp", target, style, has_aux, output)
    if f is None:
        return lambda function: build(function, options, shapes, like, cache)
    return build(f, options, shapes, like, cache)


def jacobian(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", cache: bool = False, **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the derivatives of all values of `f` by all parameters in `wrt`.

    The arguments are those of `value_and_grad`, but `f` may return arrays, and several values in
    tuples, lists or dicts. The result has the structure of the value, and in each place of it that
    of a gradient; a derivative has the shape of the value and behind it that of the parameter, an
    (m, n) array for vectors. With `has_aux` it is `(matrices, aux)`.

    A parameter that is a number, or an array of known shape that is read item by item, and a value
    that is a number or made of numbers (`np.array([u, v])`), give straight-line code in which rows
    and columns share what they have in common: in forward or reverse mode, whichever takes fewer
    operations. The Jacobian of vectors by vectors that are used as wholes is one matrix, made of
    the identity by scaled rows, sums and matrix products: `(1.0 - y * y)[:, None] * A`. Where that
    is not known, as for matrices, the emitted function loops over columns, which call the `f_jvp`
    beside it, or over the rows of one vector that are fewer (a symbolic length counts as more than
    a number, and as less than its product with others), which call `f_vjp`. Then arrays stand in
    `wrt` each by its name; those inside of structures are refused.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "jacobian", target, style, has_aux, output)
    if f is None:
        return lambda function: build(function, options, shapes, like, cache)
    return build(f, options, shapes, like, cache)


def hessian(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", cache: bool = False, **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the second derivatives of `f`.

    The arguments are those of `value_and_grad`. The result has the structure of the gradient, and
    in each place of it again; the second derivative by two parameters has the shape of the first
    and behind it that of the second. With `has_aux` it is `(matrices, aux)`.

    Of numbers, and of arrays of known shape that are read item by item, it is straight-line code
    with each of a symmetric pair computed once. By vectors that are used as wholes it is matrices,
    as for `jacobian`: `X.T @ (w[:, None] * X)`. Where that is not known, it is a loop over columns,
    which call the `f_hvp` beside it. One triangle of blocks is computed; the others are their
    transposes.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "hessian", target, style, has_aux, output)
    if f is None:
        return lambda function: build(function, options, shapes, like, cache)
    return build(f, options, shapes, like, cache)


def hvp(
    f: Callable[..., Any] | None = None, wrt: Wrt = None, has_aux: bool = False,
    target: str = "numpy", shapes: Shapes = None, like: Any = None, *,
    output: int | None = None, style: str = "default", cache: bool = False, **unknown: Any,
) -> Any:  # fmt: skip
    """The function that computes the Hessian of `f` times a vector, without the Hessian.

    The arguments are those of `value_and_grad`. The emitted function takes the arguments of `f` and
    behind the last one in `wrt` a tangent for each parameter in `wrt`, as `jvp` does; it gives what
    the gradient changes by along the tangents, in the structure of the gradient. `f_hvp(x, t_x, a)`
    is what `scipy.optimize.minimize(hessp=..., args=(a,))` takes. With `has_aux` its result is
    `(product, aux)`. A gradient along with it is the `jvp` of `f_grad`, as emitted.
    """
    refuse_argnums(unknown)
    options = Options(wrt, "hvp", target, style, has_aux, output)
    if f is None:
        return lambda function: build(function, options, shapes, like, cache)
    return build(f, options, shapes, like, cache)


def emit(
    f: Callable[..., Any], wrt: Wrt = None, has_aux: bool = False, target: str = "numpy",
    shapes: Shapes = None, like: Any = None, *, mode: str = "value_and_grad",
    output: int | None = None, style: str = "default", stabilize: bool = False,
    recompute: bool = False, **unknown: Any,
) -> str:  # fmt: skip
    """The source of a standalone module that computes the derivative of `f`.

    The arguments are those of `value_and_grad`; `mode` is `value_and_grad`, `grad`, `pair`
    (`f_forward` and `f_backward`), `vjp`, `jvp`, `jacobian`, `hvp` or `hessian`. With `recompute`,
    for mode `pair`, `f_forward` saves nothing but arguments, which are not copied, and lengths, and
    `f_backward` computes all else again. Arguments that nothing declares are taken as numbers.
    Raises what `value_and_grad` raises, and `GradgenError` where a captured array is too large for
    a literal, where an opaque function has no name, and for `recompute` in another mode.
    """
    refuse_argnums(unknown)
    options = Options(wrt, mode, target, style, has_aux, output, stabilize, recompute=recompute)
    program = compile_declared(f, options, shapes, like)
    if program.unit.captured:
        raise GradgenError(
            f"the captured array {program.unit.captured[0]} is too large to be written as a "
            "literal; pass it as an argument"
        )
    for name, (module, _) in program.unit.foreign.items():
        if module is None:
            raise GradgenError(
                f"the opaque function {name} cannot be imported by an emitted file; "
                "bind it to a name at the top of a module"
            )
    code = getattr(f, "__code__", None)
    origin = relative_path(Path(code.co_filename)) if code is not None else program.graph.name
    header = header_lines([program], options, f"{origin}:{program.graph.name}", None)
    return finished_text(program.unit, header, None)


@paused()
def emit_path(
    location: str, wrt: Wrt = None, target: str = "numpy", shapes: Shapes = None,
    mode: str = "value_and_grad", style: str = "default", output: int | None = None,
    template_dir: Path | None = None, command: str | None = None, stabilize: bool = False,
    recompute: bool = False,
) -> str:  # fmt: skip
    """The source of a standalone module for `PATH.py:function`; the file is never executed.

    `wrt` takes names or positions, `shapes` the syntax of `value_and_grad`; `command` is what the
    header says regenerates the file. Raises `SourceError` and `GradgenError` as `value_and_grad`.
    """
    path, _, name = location.rpartition(":")
    if not path or not name:
        raise GradgenError(f"{location}: expected PATH.py:function")
    options = Options(wrt, mode, target, style, False, output, stabilize, recompute=recompute)
    graph = read_file(Path(path), name, parse_shapes(shapes), path, outside_names(wrt))
    program = compile_graph(graph, options)
    header = header_lines([program], options, f"{relative_path(Path(path))}:{name}", command)
    return finished_text(program.unit, header, template_dir)
