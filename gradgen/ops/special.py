"""Special functions of SciPy: derivatives in closed form, from the NIST Digital Library (DLMF).

An empty derivative text is a derivative that there is no formula for: it is refused where the
argument is active.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradgen.errors import Refusal
from gradgen.ops.elementwise import real
from gradgen.ops.table import Op, Rules, refuse, register, register_written
from gradgen.types import Infer, TupleType, Type, join, promote

TWO_BY_ROOT_PI, ROOT_PI_BY_TWO = "1.1283791670955126", "0.886226925452758"
ROOT_TWO_PI, BY_ROOT_TWO_PI, ROOT_TWO_BY_PI = (
    "2.5066282746310002", "0.3989422804014327", "0.7978845608028654",
)  # fmt: skip
BY_ROOT_TWO, DEGREE, LN2, LN10 = (
    "0.7071067811865476", "0.017453292519943295", "0.6931471805599453", "2.302585092994046",
)  # fmt: skip
SMALL = ("bool", "int8", "uint8", "int16", "uint16", "float16")


def _narrow(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of a ufunc whose first loop is for float32, which takes small integers too."""
    dtype = promote(tuple((t.kind, t.dtype) for t in types))
    small = dtype in (*SMALL, "float32") and any(t.kind != "py" for t in types)
    return _floating(types, "float32" if small else "float64")


def _wide(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of a ufunc whose first loop is for float64: of float32 only for float32 alone."""
    return _floating(types, "float32" if {t.dtype for t in types} == {"float32"} else "float64")


def _polygamma(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `polygamma`, which gives an array always."""
    return Type("array", _wide(types, attr, values).dtype, join(types).shape)


def _floating(types: Sequence[Type], dtype: str) -> Type:
    joined = join(types)
    kind = "array" if joined.shape else "scalar"
    return Type(kind, dtype, joined.shape)  # type: ignore[arg-type]


def _special(name: str, *d: str | None, only: str = "", narrow: bool = False, **more: Any) -> None:
    """A row; `only` says in which of its arguments it has a derivative, if not in all."""
    call = f"scipy.special.{more.pop('named', name)}"
    if only:
        more["why"] = f"{call} has a derivative in its {only} only"
    more.setdefault("infer", _narrow if narrow else _wide)
    more.setdefault("d", d)
    register(Op(name=name, call=call, elementwise=True, cost=20, **more))


def register_rows() -> None:
    """Enter the rows of this family."""
    _register_logistic()
    _register_entropies()
    _register_gamma()
    _register_error()
    _register_bessel()
    _register_powers()
    _register_integrals()
    _register_distributions()
    _register_calls()
    _register_refused()


def _register_logistic() -> None:
    _special("expit", "g * (out * (1.0 - out))", sympy="1 / (1 + exp(-x))", bounded=True)
    _special("logit", "g / (x * (1.0 - x))", sympy="log(x / (1 - x))", singular=True, safe=0.5,
             domain="0 < x < 1")  # fmt: skip
    _special("log_expit", "g * expit(-x)", bounded=True)
    _special("softplus", "g * expit(x)", infer=_softplus, bounded=True)


def _softplus(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of `logaddexp(0, x)`."""
    return real([Type("py", "int"), *types], attr, values)


def _xlogy_rule(text: str, y: str) -> Any:
    """`x * log(y)`, which is 0 at x = 0 whatever y is."""

    def rule(types: Sequence[Type], values: Sequence[Any]) -> Rules:
        nonzero = isinstance(values[0], (int, float)) and values[0] != 0
        return (text, f"g * (x / ({y}))" if nonzero else f"g * (x / where(x == 0, 1.0, {y}))")

    return rule


def _register_entropies() -> None:
    _special("xlogy", d=_xlogy_rule("g * log(y)", "y"), sympy="x * log(y)", singular=True,
             domain="y > 0")  # fmt: skip
    _special("xlog1py", d=_xlogy_rule("g * log1p(y)", "1.0 + y"), singular=True,
             domain="y > -1")  # fmt: skip
    _special("entr", "g * (-1.0 - log(x))", narrow=True, sympy="-x * log(x)", singular=True,
             domain="x > 0")  # fmt: skip
    ratio = "x / where(x == 0, 1.0, y)"
    _special("rel_entr", "g * (log(x / y) + 1.0)", f"-g * ({ratio})", narrow=True,
             sympy="x * log(x / y)", singular=True, domain="x > 0 and y > 0")  # fmt: skip
    _special("kl_div", "g * log(x / y)", f"g * (1.0 - {ratio})", narrow=True,
             sympy="x * log(x / y) - x + y", singular=True, domain="x > 0 and y > 0")  # fmt: skip
    _special("huber", "g * maximum(abs(y) - x, 0.0)", "g * maximum(-x, minimum(y, x))",
             narrow=True)  # fmt: skip
    _special("pseudo_huber", "g * ((y * y / (hypot(x, y) + x)) ** 2 / hypot(x, y))",
             "g * (x * y / hypot(x, y))", narrow=True, singular=True, domain="x > 0")  # fmt: skip


def _register_gamma() -> None:
    _special("gamma", "g * (out * digamma(x))", singular=True)
    for name in ("gammaln", "loggamma"):
        _special(name, "g * digamma(x)", sympy="loggamma", singular=True, domain="x > 0")
    for name in ("digamma", "psi"):
        _special(name, "g * polygamma(1, x)", sympy="digamma", singular=True, domain="x > 0")
    _special("polygamma", "", "g * polygamma(x + 1, y)", only="second argument", infer=_polygamma,
             sympy="polygamma(x, y)", singular=True, domain="y > 0")  # fmt: skip
    # At the poles of gamma its reciprocal is 0, and has a slope.
    pole = "(x <= 0) & (x == floor(x))"
    _special("rgamma", f"g * where({pole}, cos(pi * x) * gamma(where({pole}, 1.0 - x, 1.0)), "
             f"-out * digamma(where({pole}, 1.0, x)))", bounded=True)  # fmt: skip
    _special("beta", "g * (out * (digamma(x) - digamma(x + y)))",
             "g * (out * (digamma(y) - digamma(x + y)))", singular=True)  # fmt: skip
    _special("betaln", "g * (digamma(x) - digamma(x + y))", "g * (digamma(y) - digamma(x + y))",
             singular=True)  # fmt: skip
    _special("poch", "g * (out * (digamma(x + y) - digamma(x)))", "g * (out * digamma(x + y))",
             narrow=True, singular=True)  # fmt: skip
    density = "exp(xlogy(x - 1.0, y) - y - gammaln(x))"
    for name, sign in (("gammainc", ""), ("gammaincc", "-")):
        _special(name, "", f"{sign}g * {density}", only="second argument", singular=True)
        _special(f"{name}inv", "", f"{sign}g * exp(out + gammaln(x) - xlogy(x - 1.0, out))",
                 only="second argument", singular=True, safe=0.5)  # fmt: skip
    log_density = "xlogy(x - 1.0, {0}) + xlog1py(y - 1.0, -{0}) - betaln(x, y)"
    for name, sign in (("betainc", ""), ("betaincc", "-")):
        _special(name, "", "", f"{sign}g * exp({log_density.format('z')})", only="third argument",
                 narrow=True, singular=True, safe=0.5)  # fmt: skip
    _special("betaincinv", "", "", f"g * exp(-({log_density.format('out')}))",
             only="third argument", narrow=True, singular=True, safe=0.5)  # fmt: skip
    register(Op(name="riemann_zeta", infer=_wide, call="scipy.special.zeta", elementwise=True,
                d=("",), cost=20,
                why="scipy.special.zeta has a derivative in its second argument only"))  # fmt: skip
    register(Op(name="zeta", infer=_narrow, call="scipy.special.zeta", bind=_bind_zeta,
                d=("", "-g * (x * zeta(x + 1, y))"), singular=True, elementwise=True, cost=20,
                why="scipy.special.zeta has a derivative in its second argument only"))  # fmt: skip


def _bind_zeta(front: Any, x: Any, q: Any = None) -> Any:
    return front.call("riemann_zeta", x) if q is None else front.call("zeta", x, q)


def _series(u: str, sign: str) -> str:
    """`u - 3 u**2 + 3 * 5 u**3 - ...`, which is asymptotic, to 6 terms."""
    text = "1.0"
    for odd in range(11, 1, -2):
        text = f"(1.0 {sign} {odd} * {u} * {text})"
    return f"{u} * {text}"


def _register_error() -> None:
    bell = f"{TWO_BY_ROOT_PI} * exp(-x * x)"
    _special("erf", f"g * ({bell})", math="math.erf", sympy="erf", bounded=True)
    _special("erfc", f"g * (-{bell})", math="math.erfc", sympy="erfc", bounded=True)
    _special("erfi", f"g * ({TWO_BY_ROOT_PI} * exp(x * x))", sympy="erfi", bounded=True)
    # Far out the two terms cancel, and the series (DLMF 7.12) takes over.
    far = "(0.5 / maximum({0}, 50.0) / maximum({0}, 50.0))"
    _special("erfcx", f"g * where(x < 50.0, 2.0 * x * out - {TWO_BY_ROOT_PI}, "
             f"-{TWO_BY_ROOT_PI} * {_series(far.format('x'), '-')})", bounded=True)  # fmt: skip
    _special("dawsn", "g * where(abs(x) < 50.0, 1.0 - 2.0 * x * out, "
             f"-{_series(far.format('abs(x)'), '+')})", bounded=True)  # fmt: skip
    _special("erfinv", f"g * ({ROOT_PI_BY_TWO} * exp(out * out))", narrow=True, singular=True,
             safe=0.5, domain="-1 < x < 1")  # fmt: skip
    _special("erfcinv", f"g * (-{ROOT_PI_BY_TWO} * exp(out * out))", narrow=True, singular=True,
             safe=0.5, domain="0 < x < 2")  # fmt: skip
    _special("ndtr", f"g * ({BY_ROOT_TWO_PI} * exp(-0.5 * x * x))", bounded=True)
    _special("log_ndtr", f"g * ({ROOT_TWO_BY_PI} / erfcx(-{BY_ROOT_TWO} * x))", bounded=True)
    _special("ndtri", f"g * ({ROOT_TWO_PI} * exp(0.5 * out * out))", narrow=True, singular=True,
             safe=0.5, domain="0 < x < 1")  # fmt: skip


def _register_bessel() -> None:
    """Recurrences: DLMF 10.6, 10.29 and 10.51."""
    order: dict[str, Any] = {"only": "second argument"}
    for name, two in (("j", "jv"), ("y", "yn")):
        _special(f"{name}0", f"-g * {name}1(x)", bounded=name == "j", singular=name == "y")
        _special(f"{name}1", f"g * (0.5 * ({name}0(x) - {two}(2, x)))", bounded=name == "j",
                 singular=name == "y")  # fmt: skip
    for name, to in (("jv", "jv"), ("jn", "jv"), ("yv", "yv"), ("yn", "yn")):
        _special(name, "", f"g * (0.5 * ({to}(x - 1, y) - {to}(x + 1, y)))", singular=True,
                 narrow=name != "yn", infer=_integer_order if name == "yn" else _narrow,
                 **order)  # fmt: skip
    _special("i0", "g * i1(x)", bounded=True)
    _special("i1", "g * (0.5 * (i0(x) + iv(2, x)))", bounded=True)
    _special("i0e", "g * (i1e(x) - sign(x) * out)", bounded=True)
    _special("i1e", "g * (0.5 * (i0e(x) + ive(2, x)) - sign(x) * out)", bounded=True)
    _special("iv", "", "g * (0.5 * (iv(x - 1, y) + iv(x + 1, y)))", singular=True, narrow=True,
             **order)  # fmt: skip
    _special("ive", "", "g * (0.5 * (ive(x - 1, y) + ive(x + 1, y)) - sign(y) * out)",
             singular=True, narrow=True, **order)  # fmt: skip
    _special("k0", "-g * k1(x)", singular=True)
    _special("k1", "g * (-0.5 * (k0(x) + kn(2, x)))", singular=True)
    _special("k0e", "g * (out - k1e(x))", singular=True)
    _special("k1e", "g * (out - 0.5 * (k0e(x) + kve(2, x)))", singular=True)
    for name in ("kn", "kv"):
        _special(name, "", f"g * (-0.5 * ({name}(x - 1, y) + {name}(x + 1, y)))", singular=True,
                 infer=_integer_order if name == "kn" else _narrow, **order)  # fmt: skip
    _special("kve", "", "g * (out - 0.5 * (kve(x - 1, y) + kve(x + 1, y)))", singular=True,
             narrow=True, **order)  # fmt: skip


def _integer_order(types: Sequence[Type], attr: Any, values: Sequence[Any]) -> Type:
    """The type of a ufunc with a loop for an integer order, which gives float64."""
    return _narrow(types, attr, values) if types[0].is_float else _floating(types, "float64")


def _register_powers() -> None:
    _special("special_cbrt", "g / (3.0 * (out * out))", named="cbrt", singular=True, bounded=True)
    _special("special_expm1", "g * exp(x)", named="expm1", sympy="exp(x) - 1")
    _special("special_log1p", "g / (1.0 + x)", named="log1p", sympy="log(1 + x)", singular=True,
             domain="x > -1")  # fmt: skip
    _special("special_exp2", f"g * (out * {LN2})", named="exp2", sympy="2 ** x")
    _special("exp10", f"g * (out * {LN10})", sympy="10 ** x")
    _special("special_round", None, named="round", narrow=True, bounded=True)
    _special("cosm1", "-g * sin(x)", sympy="cos(x) - 1", bounded=True)
    _special("sindg", f"g * ({DEGREE} * cosdg(x))", bounded=True)
    _special("cosdg", f"g * (-{DEGREE} * sindg(x))", bounded=True)
    _special("tandg", f"g * ({DEGREE} * (1.0 + out * out))", singular=True)
    _special("cotdg", f"g * (-{DEGREE} * (1.0 + out * out))", singular=True)
    _special("powm1", "g * (y * x ** (y - 1))", "g * ((out + 1.0) * log(x))", narrow=True,
             sympy="x ** y - 1", singular=True, domain="x > 0")  # fmt: skip
    # The derivative of expm1(t) / t is hyp1f1(2, 3, t) / 2 (DLMF 13.3.15 and 13.6.1).
    _special("exprel", "g * (0.5 * hyp1f1(2.0, 3.0, x))", bounded=True)
    bend = "g * (0.5 * {0} ** 2 * hyp1f1(2.0, 3.0, y * {0}))"
    _special("boxcox", "g * x ** (y - 1.0)", bend.format("log(x)"), narrow=True, singular=True,
             domain="x > 0")  # fmt: skip
    _special("boxcox1p", "g * exp((y - 1.0) * log1p(x))", bend.format("log1p(x)"), narrow=True,
             singular=True, domain="x > -1")  # fmt: skip
    _special("inv_boxcox", "g * out ** (1.0 - y)", "", only="first argument", narrow=True,
             singular=True)  # fmt: skip
    _special("inv_boxcox1p", "g * (out + 1.0) ** (1.0 - y)", "", only="first argument",
             narrow=True, singular=True)  # fmt: skip
    _special("hyp1f1", "", "", "g * (x / y * hyp1f1(x + 1, y + 1, z))", only="third argument",
             narrow=True, singular=True)  # fmt: skip
    _special("hyp0f1", "", "g * (hyp0f1(x + 1, y) / x)", only="second argument", narrow=True,
             singular=True)  # fmt: skip
    _special("wrightomega", "g * (out / (1.0 + out))", narrow=True, bounded=True)


def _register_integrals() -> None:
    _special("expi", "g * (exp(x) / x)", narrow=True, singular=True)
    _special("exp1", "g * (-exp(-x) / x)", narrow=True, singular=True)
    _special("expn", "", "-g * expn(x - 1, y)", only="second argument", infer=_integer_order,
             singular=True)  # fmt: skip
    _special("spence", "g * where(x == 1, -1.0, log(x) / where(x == 1, 1.0, 1.0 - x))",
             narrow=True, singular=True)  # fmt: skip
    # DLMF 19.4.1 and 19.4.2, without their cancellation by 19.25.1.
    _special("ellipk", "g * (elliprd(0.0, 1.0, 1.0 - x) / 6.0)", singular=True, safe=0.5)
    _special("ellipkm1", "g * (elliprd(0.0, 1.0, x) / -6.0)", singular=True, safe=0.5)
    _special("ellipe", "g * (elliprd(0.0, 1.0 - x, 1.0) / -6.0)", singular=True, safe=0.5)
    _special("elliprd", "", "", "", narrow=True, singular=True,
             why="scipy.special.elliprd has no derivative here")  # fmt: skip
    _special("ellipkinc", "g / sqrt(1.0 - y * sin(x) ** 2)", "", only="first argument",
             singular=True, safe=0.5)  # fmt: skip
    _special("ellipeinc", "g * sqrt(1.0 - y * sin(x) ** 2)", "", only="first argument",
             singular=True, safe=0.5)  # fmt: skip
    _special("owens_t", f"g * (-{BY_ROOT_TWO_PI} / 2.0 * (exp(-0.5 * x * x) * "
             f"erf({BY_ROOT_TWO} * x * y)))",
             "g * (exp(-0.5 * x * x * (1.0 + y * y)) / (2.0 * pi * (1.0 + y * y)))", narrow=True,
             bounded=True)  # fmt: skip


def _register_distributions() -> None:
    _special("stdtr", "", "g * (exp(-0.5 * (x + 1.0) * log1p(y * y / x)) / "
             "(sqrt(x) * beta(0.5, 0.5 * x)))", only="second argument", narrow=True,
             singular=True)  # fmt: skip
    half = "exp(xlogy(0.5 * x - 1.0, 0.5 * y) - 0.5 * y - gammaln(0.5 * x))"
    _special("chdtr", "", f"g * (0.5 * {half})", only="second argument", narrow=True,
             singular=True)  # fmt: skip
    _special("chdtrc", "", f"g * (-0.5 * {half})", only="second argument", narrow=True,
             singular=True)  # fmt: skip


def _register_calls() -> None:
    """Calls that stay as they are written."""
    for name, infer in (("sici", _narrow), ("shichi", _narrow), ("fresnel", _wide)):
        register_written(name, f"scipy.special.{name}", result=_pair_of(infer),
                         adjoint=f"adjoints_special.{name}", cost=30)  # fmt: skip
    register_written("multigammaln", "scipy.special.multigammaln", result=_multigammaln,
                     defined="special.multigammaln", singular=True, cost=30)  # fmt: skip
    register_written("weighted_logsumexp", "scipy.special.logsumexp", result=_weighted,
                     adjoint="adjoints_special.logsumexp", cost=30)  # fmt: skip


def _pair_of(infer: Infer) -> Callable[..., TupleType]:
    def pair(front: Any, x: Any) -> TupleType:
        found: Any = infer([front.type_of(front.node(x))], None, ())
        return TupleType((found, found))

    return pair


def _multigammaln(front: Any, a: Any, d: Any) -> Type:
    if not isinstance(front.static(d), int) or front.static(d) < 1:
        raise Refusal("the dimension of multigammaln is a positive integer")
    return _floating([front.type_of(front.node(a))], "float64")


def _weighted(front: Any, a: Any, axis: Any = None, b: Any = None, keepdims: Any = False) -> Type:
    from gradgen.ops.reduction import axes_of, reduced_shape

    types = [front.type_of(front.array(v)) for v in (a, b)]
    joined = join(types)
    axes = axes_of(front, axis, joined.rank)
    shape = tuple(reduced_shape(joined.shape, axes, bool(front.static(keepdims))))
    dtype = joined.dtype if joined.is_float and joined.kind != "py" else "float64"
    return Type("array" if shape else "scalar", dtype, shape)


def _register_refused() -> None:
    for name, reason, hint in (
        ("lambertw", "gives complex numbers",
         "for x > 0, scipy.special.wrightomega(np.log(x)) is the real branch"),
        ("wofz", "gives complex numbers", "scipy.special.dawsn and erfcx are its real parts"),
        ("comb", "is not supported", "scipy.special.gammaln, as a sum of logarithms"),
        ("factorial", "is not supported", "scipy.special.gamma(n + 1)"),
        ("hyp2f1", "has no derivative in closed form here",
         "the nearest supported function is scipy.special.hyp1f1"),
    ):  # fmt: skip
        dotted = f"scipy.special.{name}"
        refuse(dotted, f"{dotted} {reason}", hint)
