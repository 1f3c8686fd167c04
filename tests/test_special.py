"""Special functions of SciPy: derivatives against mpmath, dtypes and values against SciPy."""

import itertools
import warnings

import mpmath
import numpy as np
import pytest
import scipy
import scipy.special
from mpmath import mp
from test_structural import compare, title

import gradgen
from gradgen.ops import CALLS, OPS
from gradgen.ops.written import infer_written
from gradgen.read import parse_shapes, read_live
from gradgen.types import FLOAT

DIGITS = 40
EPS = 2.0**-52
REAL = (-30.0, -5.3, -1.2, -0.3, -1e-3, 1e-8, 0.2, 0.9, 2.5, 7.1, 26.0, 48.0)
FAR = (*REAL, 52.0, 300.0, 1e5, 1e150)
POSITIVE = (1e-6, 0.03, 0.4, 1.0, 1.7, 3.3, 12.1, 45.0)
UNIT = (1e-12, 0.003, 0.2, 0.5, 0.77, 0.99, 1 - 1e-9)
SHAPES = (0.3, 1.0, 2.0, 7.5, 40.0)
ORDERS = (0, 1, 2, 5)


def pairs(*columns):
    """Every combination of operands."""
    return list(itertools.product(*columns))


def inverse(f, start):
    """The inverse of a function in its last argument, near what SciPy gives."""
    return lambda *args: mp.findroot(
        lambda t: f(*args[:-1], t) - args[-1], mp.mpf(float(start(*map(float, args))))
    )


def gammainc(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def gammaincc(a, x):
    return mp.gammainc(a, x, mp.inf, regularized=True)


def ncdf(x):
    """The normal distribution, or one less: nothing is lost in either tail."""
    return mp.erfc(-x / mp.sqrt(2)) / 2 if x < 0 else -mp.erfc(x / mp.sqrt(2)) / 2


def betainc(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def box(x, power):
    return mp.log(x) if power == 0 else (x**power - 1) / power


def inverse_box(y, power):
    return mp.exp(y) if power == 0 else (1 + power * y) ** (1 / power)


def huber(delta, r):
    return r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)


def student(df, t):
    density = mp.gamma((df + 1) / 2) / (mp.sqrt(mp.pi * df) * mp.gamma(df / 2))
    return 0.5 + t * density * mp.hyp2f1(0.5, (df + 1) / 2, 1.5, -t * t / df)


def owen(h, a):
    return mp.quad(lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t), [0, a]) / (2 * mp.pi)


def neighbours(f):
    """The size of the terms of a recurrence over the order."""
    return lambda *v: sum(abs(f(*v[:-2], n, v[-1])) for n in (v[-2] - 1, v[-2], v[-2] + 1))


def at_order(f, order):
    """The terms of a recurrence of a function of one fixed order."""
    return lambda x: neighbours(f)(mp.mpf(order), x)


def scaled(f, sign):
    """An exponentially scaled Bessel function."""
    return lambda v, x: f(v, x) * mp.exp(sign * abs(x))


def exponents(*terms):
    """How far the rounding of the terms of an exponent carries, relative to the result."""
    return lambda *v: 1 + sum(abs(t(*v)) for t in terms)


i_scaled, k_scaled = scaled(mp.besseli, -1), scaled(mp.besselk, 1)
of_gamma = exponents(lambda a, x: (a - 1) * mp.log(x), lambda a, x: x, lambda a, x: mp.loggamma(a))
of_beta = exponents(
    lambda a, b, x: (a - 1) * mp.log(x), lambda a, b, x: (b - 1) * mp.log(1 - x),
    lambda a, b, x: mp.log(mp.beta(a, b)),
)  # fmt: skip


class Oracle:
    """What a row computes by mpmath, where to test it, and how its terms are conditioned.

    `wrt` are the arguments with a derivative; `size` is the size of the terms that the derivative
    is the sum of (absolute; without it that of the second derivatives is taken), `factor` that of
    an exponent in it (relative).
    """

    def __init__(self, f, points, wrt=None, size=None, factor=None, bound=64):
        self.f, self.bound, self.size, self.factor = f, bound, size, factor
        self.points = [p if isinstance(p, tuple) else (p,) for p in points]
        self.wrt = range(len(self.points[0])) if wrt is None else wrt


def bessel(f, orders, xs, bound=64):
    return Oracle(f, pairs(orders, xs), (1,), neighbours(f), bound=bound)


HALF = (0.5, 1.0, 2.25)
ORACLES = {
    "log_expit": Oracle(lambda x: -mp.log1p(mp.exp(-x)), (*REAL, -1000.0, 700.0)),
    "softplus": Oracle(lambda x: mp.log1p(mp.exp(x)), (*REAL, -700.0, 1000.0)),
    "huber": Oracle(huber, pairs((0.5, 2.0), (-3.0, -0.4, 0.0, 0.3, 2.5))),
    "pseudo_huber": Oracle(lambda d, r: r * r / (mp.sqrt(1 + (r / d) ** 2) + 1),
                           pairs((0.5, 2.0, 1e3), (-300.0, -0.4, 0.0, 1e-6, 0.3, 2.5))),
    "xlog1py": Oracle(lambda x, y: x * mp.log1p(y), pairs((-2.0, 0.0, 1.5), (-0.9, 1e-300, 3.0))),
    "gamma": Oracle(mp.gamma, (*POSITIVE, -0.5, -3.7, 150.0), size=lambda x: abs(mp.gamma(x))),
    "rgamma": Oracle(mp.rgamma, (*POSITIVE, 0.0, -1.0, -2.0, -7.0, -0.5, -3.7),
                     size=lambda x: abs(mp.rgamma(x))),
    "loggamma": Oracle(mp.loggamma, POSITIVE, size=lambda x: 1),
    "gammaln": Oracle(lambda x: mp.log(abs(mp.gamma(x))), (*POSITIVE, -0.5, -3.7),
                      size=lambda x: 1),
    "beta": Oracle(mp.beta, pairs(SHAPES, SHAPES), size=lambda a, b: mp.beta(a, b) * (
        abs(mp.psi(0, a)) + abs(mp.psi(0, b)) + abs(mp.psi(0, a + b)))),
    "betaln": Oracle(lambda a, b: mp.log(mp.beta(a, b)), pairs(SHAPES, SHAPES), size=lambda a, b:
                     abs(mp.psi(0, a)) + abs(mp.psi(0, b)) + abs(mp.psi(0, a + b))),
    "poch": Oracle(mp.rf, pairs(SHAPES, SHAPES), size=lambda z, m: mp.rf(z, m) * (
        abs(mp.psi(0, z)) + abs(mp.psi(0, z + m))), bound=256),
    "gammainc": Oracle(gammainc, pairs(SHAPES, POSITIVE), (1,), factor=of_gamma),
    "gammaincc": Oracle(lambda a, x: -gammainc(a, x), pairs(SHAPES, POSITIVE), (1,),
                        factor=of_gamma),
    "gammaincinv": Oracle(inverse(gammainc, scipy.special.gammaincinv), pairs((0.3, 2.0, 7.5),
                          UNIT[1:-1]), (1,), bound=512),
    "gammainccinv": Oracle(inverse(gammaincc, scipy.special.gammainccinv),
                           pairs((0.3, 2.0, 7.5), UNIT[1:-1]), (1,), bound=512),
    "betainc": Oracle(betainc, pairs(SHAPES, SHAPES, (0.003, 0.2, 0.77)), (2,), factor=of_beta),
    "betaincc": Oracle(lambda a, b, x: 1 - betainc(a, b, x), pairs(SHAPES, SHAPES, (0.2, 0.77)),
                       (2,), factor=of_beta),
    "betaincinv": Oracle(inverse(betainc, scipy.special.betaincinv), pairs((0.7, 2.0), (0.7, 2.5),
                         (0.2, 0.5, 0.77)), (2,), bound=512),
    "zeta": Oracle(mp.zeta, pairs((1.5, 2, 5), (0.3, 1.0, 4.5, 30.0)), (1,)),
    "erfcx": Oracle(lambda x: mp.exp(x * x) * mp.erfc(x), [x for x in FAR if -26 < x < 1e6],
                    size=lambda x: 2 if x < 50 else 0),
    "dawsn": Oracle(lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), FAR[:-2],
                    size=lambda x: 2 if abs(x) < 50 else 0),
    "erfinv": Oracle(mp.erfinv, (*UNIT, -0.3, 0.0)),
    "erfcinv": Oracle(lambda x: mp.erfinv(1 - x), (*UNIT[1:], 1.0, 1.7)),
    "ndtr": Oracle(ncdf, [x for x in REAL if abs(x) < 37]),
    "log_ndtr": Oracle(lambda x: mp.log(ncdf(x)) if x < 0 else mp.log1p(ncdf(x)),
                       [*REAL[:-1], -1000.0, -1e5]),
    "ndtri": Oracle(lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1), UNIT[1:]),
    "j0": Oracle(lambda x: mp.besselj(0, x), REAL, size=at_order(mp.besselj, 0)),
    "j1": Oracle(lambda x: mp.besselj(1, x), REAL, size=at_order(mp.besselj, 1)),
    "y0": Oracle(lambda x: mp.bessely(0, x), POSITIVE, size=at_order(mp.bessely, 0)),
    "y1": Oracle(lambda x: mp.bessely(1, x), POSITIVE, size=at_order(mp.bessely, 1)),
    "i0": Oracle(lambda x: mp.besseli(0, x), REAL),
    "i1": Oracle(lambda x: mp.besseli(1, x), REAL),
    "i0e": Oracle(lambda x: i_scaled(0, x), REAL, size=at_order(i_scaled, 0)),
    "i1e": Oracle(lambda x: i_scaled(1, x), REAL, size=at_order(i_scaled, 1)),
    "k0": Oracle(lambda x: mp.besselk(0, x), POSITIVE),
    "k1": Oracle(lambda x: mp.besselk(1, x), POSITIVE),
    "k0e": Oracle(lambda x: k_scaled(0, x), POSITIVE, size=at_order(k_scaled, 0)),
    "k1e": Oracle(lambda x: k_scaled(1, x), POSITIVE, size=at_order(k_scaled, 1)),
    "jn": bessel(mp.besselj, ORDERS, REAL), "jv": bessel(mp.besselj, HALF, POSITIVE, 256),
    "yn": bessel(mp.bessely, ORDERS, POSITIVE), "yv": bessel(mp.bessely, HALF, POSITIVE, 256),
    "kn": bessel(mp.besselk, ORDERS, POSITIVE[1:]), "kv": bessel(mp.besselk, HALF, POSITIVE, 256),
    "iv": bessel(mp.besseli, HALF, POSITIVE, 256), "ive": bessel(i_scaled, HALF, POSITIVE, 256),
    "kve": bessel(k_scaled, HALF, POSITIVE, 256),
    "special_cbrt": Oracle(lambda x: mp.sign(x) * mp.cbrt(abs(x)), REAL),
    "sindg": Oracle(lambda x: mp.sin(x * mp.pi / 180), (*REAL, 90.0), size=lambda x: 0.02),
    "cosdg": Oracle(lambda x: mp.cos(x * mp.pi / 180), (*REAL, 180.0), size=lambda x: 0.02),
    "tandg": Oracle(lambda x: mp.tan(x * mp.pi / 180), REAL),
    "cotdg": Oracle(lambda x: mp.cot(x * mp.pi / 180), [x for x in REAL if abs(x) > 0.1],
                    bound=1024),
    "exprel": Oracle(lambda x: mp.expm1(x) / x if x else mp.mpf(1), (*REAL, 300.0)),
    "boxcox": Oracle(box, pairs(POSITIVE, (-1.5, -1e-9, 0.3, 1.0, 2.0))),
    "boxcox1p": Oracle(lambda x, p: box(1 + x, p), pairs(POSITIVE, (-1.5, -1e-9, 0.3, 2.0))),
    "inv_boxcox": Oracle(inverse_box, pairs((0.0, 0.3, 2.0), (0.3, 1.0, 2.0)), (0,)),
    "inv_boxcox1p": Oracle(lambda y, p: inverse_box(y, p) - 1, pairs((0.1, 2.0), (0.3, 2.0)), (0,)),
    "hyp1f1": Oracle(mp.hyp1f1, pairs((0.5, 2.0), (1.5, 3.0), (-3.0, -0.2, 0.4, 6.0)), (2,),
                     bound=256),
    "hyp0f1": Oracle(mp.hyp0f1, pairs((0.5, 3.0), (-1.5, 0.4, 6.0)), (1,), bound=256),
    "wrightomega": Oracle(lambda x: mp.lambertw(mp.exp(x)).real, REAL),
    "expi": Oracle(mp.ei, POSITIVE), "exp1": Oracle(mp.e1, POSITIVE),
    "expn": Oracle(mp.expint, pairs((1, 2, 5), POSITIVE), (1,)),
    "spence": Oracle(lambda x: mp.polylog(2, 1 - x).real, (*POSITIVE, 1 - 1e-9),
                     size=lambda x: 0.1),
    "ellipk": Oracle(mp.ellipk, (-5.0, -0.3, 0.0, 1e-9, *UNIT)),
    "ellipkm1": Oracle(lambda p: mp.ellipk(1 - p), (*UNIT, 3.0)),
    "ellipe": Oracle(mp.ellipe, (-5.0, -0.3, 0.0, 1e-9, *UNIT)),
    "ellipkinc": Oracle(mp.ellipf, pairs((-0.7, 0.2, 1.4), (-2.0, 0.0, 0.6)), (0,)),
    "ellipeinc": Oracle(mp.ellipe, pairs((-0.7, 0.2, 1.4), (-2.0, 0.0, 0.6)), (0,)),
    "owens_t": Oracle(owen, pairs((-1.2, 2.0), (-0.7, 3.0))),
    "stdtr": Oracle(student, pairs((0.7, 3.0, 100.0), (-4.0, -0.1, 0.0, 2.3)), (1,)),
    "chdtr": Oracle(lambda v, x: gammainc(v / 2, x / 2), pairs(SHAPES, POSITIVE), (1,),
                    factor=lambda v, x: of_gamma(v / 2, x / 2)),
    "chdtrc": Oracle(lambda v, x: -gammainc(v / 2, x / 2), pairs(SHAPES, POSITIVE), (1,),
                     factor=lambda v, x: of_gamma(v / 2, x / 2)),
}  # fmt: skip
ROWS = [n for n, op in OPS.items() if op.call.startswith("scipy.special.") and op.d is not None]
HEAD = "import numpy as np\nimport scipy.special\n\n\n"


def define(text):
    from test_structural import define as define_text

    return define_text(text)


def of_row(name, whole=False):
    """A function that calls a row's function, or sums it over lanes."""
    op = OPS[name]
    names = ", ".join("xyz"[: op.arity])
    call = f"{op.call}({names})"
    return define(f"{HEAD}def f({names}):\n    return {f'np.sum({call})' if whole else call}\n")


def partial(f, values, *positions):
    """A partial derivative by mpmath."""
    orders = tuple(positions.count(k) for k in range(len(values)))
    return (
        mp.diff(f, tuple(values), orders) if len(values) > 1 else mp.diff(f, values[0], orders[0])
    )


def test_every_row_with_a_derivative_has_an_oracle():
    for name in ROWS:
        if any(OPS[name].rules([FLOAT] * OPS[name].arity, [None] * OPS[name].arity)):
            assert bool(OPS[name].sympy) or name in ORACLES, name
    assert ORACLES.keys() <= set(ROWS)


@pytest.mark.parametrize("name", ORACLES)
def test_a_derivative_agrees_with_mpmath(name):
    oracle, arity = ORACLES[name], OPS[name].arity
    wrt = tuple("xyz"[k] for k in oracle.wrt)
    declared = {
        n: "int" if isinstance(v, int) else "scalar"
        for n, v in zip("xyz", oracle.points[0], strict=False)
    }
    function = of_row(name)
    gradient = gradgen.value_and_grad(function, wrt=wrt, shapes=declared)
    lanes = None
    if "int" not in declared.values():
        lanes = gradgen.grad(of_row(name, True), wrt=wrt, shapes=dict.fromkeys("xyz"[:arity], "k"))
    for values in oracle.points:
        given = [type(v)(v) if d == "int" else float(v)
                 for v, d in zip(values, declared.values(), strict=True)]  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value, found = gradient(*given)
            if lanes:
                arrays = lanes(*(np.full(3, v) for v in given))
                np.testing.assert_allclose([a[1] for a in arrays], found, rtol=1e-13)
        assert value == function(*given)
        with mp.workdps(DIGITS):
            exact = [mp.mpf(v) for v in values]
            for position, have in zip(oracle.wrt, found, strict=True):
                want = partial(oracle.f, exact, position)
                size = abs(want)
                for other in oracle.wrt if oracle.size is None else ():
                    size += abs(exact[other] * partial(oracle.f, exact, position, other))
                if oracle.size:
                    size += oracle.size(*exact)
                if oracle.factor:
                    size += abs(want) * oracle.factor(*exact)
                error = abs(mp.mpf(float(have)) - want)
                assert error <= oracle.bound * EPS * size + 1e-300, (
                    values, float(have), mpmath.nstr(want, 17), float(error / size / EPS),
                )  # fmt: skip


# -- values at the edges ---------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "at", "wanted"), [
    ("xlogy(x, y)", (0.0, 0.0), (-np.inf, 0.0)), ("xlogy(x, y)", (0.0, 2.0), (np.log(2.0), 0.0)),
    ("xlog1py(x, y)", (0.0, -1.0), (-np.inf, 0.0)), ("xlogy(3.0, x)", (2.0,), (1.5,)),
    ("entr(x)", (0.0,), (np.inf,)), ("entr(x)", (1.0,), (-1.0,)),
    ("rel_entr(x, y)", (0.0, 2.0), (-np.inf, 0.0)), ("rel_entr(x, y)", (2.0, 2.0), (1.0, -1.0)),
    ("kl_div(x, y)", (0.0, 2.0), (-np.inf, 1.0)), ("kl_div(x, y)", (2.0, 2.0), (0.0, 0.0)),
    ("log_expit(x)", (-1000.0,), (1.0,)), ("log_expit(x)", (1000.0,), (0.0,)),
    ("softplus(x)", (-1000.0,), (0.0,)), ("expit(x)", (-1000.0,), (0.0,)),
    ("log_ndtr(x)", (1000.0,), (0.0,)), ("erfcx(x)", (1e300,), (-0.0,)),
    ("dawsn(x)", (-1e300,), (-0.0,)), ("huber(x, y)", (1.0, 1.0), (0.0, 1.0)),
    ("gammainc(2.0, x)", (0.0,), (0.0,)), ("gammainc(1.0, x)", (0.0,), (1.0,)),
    ("gammainc(0.5, x)", (0.0,), (np.inf,)), ("betainc(1.0, 2.0, x)", (0.0,), (2.0,)),
    ("i0e(x)", (0.0,), (0.0,)), ("i1e(x)", (0.0,), (0.5,)), ("jn(1, x)", (0.0,), (0.5,)),
    ("exprel(x)", (0.0,), (0.5,)), ("spence(x)", (1.0,), (-1.0,)),
    ("rgamma(x)", (0.0,), (1.0,)), ("rgamma(x)", (-1.0,), (-1.0,)), ("round(x)", (2.6,), (0.0,)),
    ("sici(x)[0]", (0.0,), (1.0,)), ("shichi(x)[0]", (0.0,), (1.0,)),
    ("fresnel(x)[0]", (1.0,), (1.0,)), ("fresnel(x)[1]", (0.0,), (1.0,)),
])  # fmt: skip
def test_a_derivative_at_an_edge_is_its_limit(line, at, wanted):
    names = "xy"[: len(at)]
    for text in (f"scipy.special.{line}", f"np.sum(scipy.special.{line})"):
        f = define(f"{HEAD}def f({', '.join(names)}):\n    return {text}\n")
        shapes = dict.fromkeys(names, "k" if "np.sum" in text else "scalar")
        given = [np.full(2, v) for v in at] if "np.sum" in text else at
        gradient = gradgen.grad(f, wrt=tuple(names), shapes=shapes)
        with warnings.catch_warnings():
            warnings.simplefilter("error" if np.all(np.isfinite(wanted)) else "ignore")
            for have, want in zip(gradient(*given), wanted, strict=True):
                np.testing.assert_allclose(have, np.full(np.shape(have), want), rtol=1e-14)


def test_a_branch_not_taken_at_a_singular_point_gives_no_nan():
    f = define(f"{HEAD}def f(x):\n    return np.sum(np.where(x > 0, scipy.special.k0(x), x))\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = gradgen.grad(f, shapes="x=n")(np.array([0.0, -1.0, 2.0]))
    np.testing.assert_allclose(found, [1.0, 1.0, -scipy.special.k1(2.0)], rtol=1e-14)


# -- types -----------------------------------------------------------------------------------------

MADE = {
    "float64": "x * 1.0", "float32": "x.astype(np.float32)", "int64": "np.arange(1, 4)",
    "int16": "np.arange(1, 4).astype(np.int16)", "bool": "x > 0", "int": "2", "float": "0.5",
    "float64 scalar": "np.float64(0.5)", "float32 scalar": "np.float32(0.5)",
}  # fmt: skip
UNARY = sorted({OPS[n].call for n in ROWS if OPS[n].arity == 1 and n != "riemann_zeta"})
BINARY = sorted({OPS[n].call for n in ROWS if OPS[n].arity == 2})
TERNARY = sorted({OPS[n].call for n in ROWS if OPS[n].arity == 3})
TYPED = [
    *((c, (k,)) for c in UNARY for k in MADE),
    *((c, k) for c in BINARY for k in itertools.product(MADE, MADE)),
    *((c, k) for c in TERNARY for k in (
        ("float64",) * 3, ("float32",) * 3, ("float", "float", "float32"), ("int",) * 3,
        ("float32", "float32", "float64"), ("int16", "float32", "float32"),
    )),
    *((f"scipy.special.{n}", (k,)) for n in ("sici", "fresnel", "zeta") for k in MADE),
    *(("scipy.special.multigammaln", (k, "int")) for k in ("float64", "float32", "float")),
]  # fmt: skip


@pytest.mark.parametrize("call", sorted({c for c, _ in TYPED}))
def test_the_type_is_what_scipy_gives(call):
    differences = []
    for kinds in (k for c, k in TYPED if c == call):
        line = f"{call}({', '.join(MADE[k] for k in kinds)})"
        if call.endswith("multigammaln"):
            line = line.replace("x ", "(4 + x) ").replace("x.", "(4 + x).").replace("0.5", "4.5")
        f = define(f"{HEAD}def f(x):\n    return {line}\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made = f(np.array([0.3, 0.5, 0.9]))
            except TypeError:
                continue  # a subtraction of masks inside the function, for one
        graph = read_live(f, parse_shapes("x=3"))
        made = made if isinstance(made, tuple) else (made,)
        held = graph.results if isinstance(graph.results, tuple) else (graph.results,)
        for node, value in zip(held, made, strict=True):
            found = graph.types[node]
            wanted = ("array" if isinstance(value, np.ndarray) else "scalar", str(value.dtype),
                      value.shape)  # fmt: skip
            if (found.kind, found.dtype, found.shape) != wanted:
                differences.append((kinds, str(found), found.kind, wanted))
    assert not differences, differences


# -- calls that stay as they are written -----------------------------------------------------------

CASES = [
    ("sici", "", "scipy.special.sici(x)[0]", {"x": (3,)}, "real"),
    ("sici", "", "scipy.special.sici(x)[1]", {"x": ()}, "real"),
    ("sici", "s, c = scipy.special.sici(x)", "s * c", {"x": (2, 3)}, "real"),
    ("shichi", "s, c = scipy.special.shichi(x)", "s * c", {"x": (3,)}, "real"),
    ("fresnel", "s, c = scipy.special.fresnel(x)", "s * c", {"x": (3,)}, "real"),
    ("multigammaln", "", "scipy.special.multigammaln(x + 2.0, 3)", {"x": (2, 3)}, "real"),
    ("multigammaln", "", "scipy.special.multigammaln(x + 2.0, d=1)", {"x": ()}, "real"),
    *(("weighted_logsumexp", "", f"scipy.special.logsumexp(x, {words}b=y)",
       {"x": s, "y": t}, "real")
      for words, s, t in (
          ("", (4,), (4,)), ("axis=0, ", (4,), (4,)), ("", (2, 3), (2, 3)),
          ("axis=0, ", (2, 3), (2, 3)),
          ("axis=-1, ", (2, 3), (2, 1)), ("axis=1, keepdims=True, ", (2, 3), (3,)),
          ("keepdims=True, ", (2, 3), ()), ("axis=(0, 2), ", (2, 3, 4), (2, 3, 4)),
      )),
    ("weighted_logsumexp", "", "scipy.special.logsumexp(x, 1, y, keepdims=True)",
     {"x": (2, 3), "y": (2, 3)}, "real"),
]  # fmt: skip


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("case", CASES, ids=title)
def test_gradients_of_written_calls_match_the_users_function(case, inner):
    _, before, line, shapes, how = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failures = compare(before, line, shapes, how, inner)
    assert not failures, "\n".join(failures)


def test_the_definition_of_multigammaln_is_scipys():
    from gradgen.definitions.special import multigammaln

    a = np.array([3.5, 7.25])
    for d in (1, 2, 5):
        np.testing.assert_allclose(multigammaln(a, d), scipy.special.multigammaln(a, d), rtol=1e-14)


def test_every_written_call_has_a_case():
    written = {n for n, op in OPS.items()
               if op.infer is infer_written and op.call.startswith("scipy.special.")
               and not op.refused}  # fmt: skip
    assert written == {case[0] for case in CASES}


def test_log_sum_exp_of_minus_infinity_leaves_no_nan_where_a_weight_is_zero():
    f = define(f"{HEAD}def f(x, b):\n    return scipy.special.logsumexp(x, b=b)\n")
    x, b = np.array([1.0, -np.inf, 2.0]), np.array([1.0, 1.0, 0.0])
    d_x, d_b = gradgen.grad(f, wrt=("x", "b"), shapes="x=n, b=n")(x, b)
    np.testing.assert_allclose(d_x, [1.0, 0.0, 0.0])
    np.testing.assert_allclose(d_b, np.exp(x - 1.0))


# -- second derivatives: the emission is input again -----------------------------------------------

TWICE = {
    "expit": (lambda x: 1 / (1 + mp.exp(-x)), 0.7), "log_expit": (ORACLES["log_expit"].f, -0.4),
    "softplus": (ORACLES["softplus"].f, 1.3), "erf": (mp.erf, 0.6),
    "erfcx": (ORACLES["erfcx"].f, 0.6),
    "dawsn": (ORACLES["dawsn"].f, 0.6), "gammaln": (mp.loggamma, 2.3), "gamma": (mp.gamma, 2.3),
    "digamma": (lambda x: mp.psi(0, x), 2.3), "ndtr": (mp.ncdf, 0.6),
    "log_ndtr": (lambda x: mp.log(mp.ncdf(x)), -8.5), "ndtri": (ORACLES["ndtri"].f, 0.3),
    "erfinv": (mp.erfinv, 0.3), "logit": (lambda x: mp.log(x / (1 - x)), 0.3),
    "entr": (lambda x: -x * mp.log(x), 0.3), "j0": (lambda x: mp.besselj(0, x), 1.2),
    "j1": (lambda x: mp.besselj(1, x), 1.2), "i0": (lambda x: mp.besseli(0, x), 1.2),
    "i1e": (lambda x: i_scaled(1, x), 1.2), "k1": (lambda x: mp.besselk(1, x), 1.2),
    "exprel": (ORACLES["exprel"].f, 0.4), "expi": (mp.ei, 1.2), "exp1": (mp.e1, 1.2),
    "spence": (ORACLES["spence"].f, 0.4), "sindg": (ORACLES["sindg"].f, 20.0),
}  # fmt: skip


@pytest.mark.parametrize("name", TWICE)
def test_a_second_derivative_agrees_with_mpmath(name):
    oracle, at = TWICE[name]
    f = define(f"{HEAD}def f(x):\n    return scipy.special.{name}(x)\n")
    second = gradgen.grad(gradgen.grad(f, wrt="x", shapes="x=scalar"), wrt="x", shapes="x=scalar")
    with mp.workdps(DIGITS):
        want = float(mp.diff(oracle, mp.mpf(at), 2))
    assert float(second(at)) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize(("line", "oracle"), [
    ("scipy.special.xlogy(x, x)", lambda x: x * mp.log(x)),
    ("scipy.special.logsumexp(np.array([1.0, 2.0]) * x)",
     lambda x: mp.log(mp.exp(x) + mp.exp(2 * x))),
    ("scipy.special.jv(2, x)", lambda x: mp.besselj(2, x)),
    ("scipy.special.gammainc(2.5, x)", lambda x: gammainc(mp.mpf(2.5), x)),
    ("scipy.special.boxcox(x, 0.3)", lambda x: box(x, mp.mpf(0.3))),
    ("scipy.special.polygamma(1, x)", lambda x: mp.psi(1, x)),
    ("scipy.special.kl_div(x, 2.0)", lambda x: x * mp.log(x / 2) - x + 2),
    ("scipy.special.sici(x)[0]", mp.si), ("scipy.special.multigammaln(x + 2.0, 2)",
     lambda x: mp.loggamma(x + 2) + mp.loggamma(x + 1.5)),
])  # fmt: skip
def test_a_second_derivative_of_a_call_agrees_with_mpmath(line, oracle):
    f = define(f"{HEAD}def f(x):\n    return {line}\n")
    second = gradgen.grad(gradgen.grad(f, wrt="x", shapes="x=scalar"), wrt="x", shapes="x=scalar")
    with mp.workdps(DIGITS):
        want = float(mp.diff(oracle, mp.mpf(0.7), 2))
    assert float(second(0.7)) == pytest.approx(want, rel=1e-12)


# -- what is not supported -------------------------------------------------------------------------

NAMES = [n for n in scipy.special.__all__ if callable(getattr(scipy.special, n))
         and not isinstance(getattr(scipy.special, n), type)]  # fmt: skip


def test_every_other_function_is_refused_by_name_with_a_supported_one():
    supported = 0
    for name in NAMES:
        dotted = f"scipy.special.{name}"
        if dotted in CALLS and not CALLS[dotted][0].name.startswith("refused_"):
            supported += 1
            continue
        f = define(f"{HEAD}def f(x):\n    return np.sum({dotted}(x))\n")
        with pytest.raises(gradgen.GradgenError, match=dotted) as refused:
            gradgen.grad(f, shapes="x=n")
        hinted = str(refused.value).partition("hint: ")[2]
        assert any(part.strip(",()") in CALLS or part in CALLS for part in hinted.split()) or (
            "scipy.special." in hinted
        ), (name, hinted)  # fmt: skip
    assert supported >= 100


@pytest.mark.parametrize(("line", "said"), [
    ("scipy.special.jv(x, x)", "scipy.special.jv has a derivative in its second argument only"),
    ("scipy.special.gammainc(x, 2.0)", "gammainc has a derivative in its second argument only"),
    ("scipy.special.betainc(2.0, x, 0.3)", "betainc has a derivative in its third argument only"),
    ("scipy.special.polygamma(x, 2.0)", "polygamma has a derivative in its second argument only"),
    ("scipy.special.zeta(x)", "zeta has a derivative in its second argument only"),
    ("scipy.special.zeta(x, 2.0)", "zeta has a derivative in its second argument only"),
    ("scipy.special.inv_boxcox(0.5, x)", "inv_boxcox has a derivative in its first argument only"),
    ("scipy.special.elliprd(x, 1.0, 2.0)", "elliprd has no derivative here"),
    ("scipy.special.lambertw(x)", "scipy.special.lambertw gives complex numbers"),
    ("scipy.special.hyp2f1(1.0, 2.0, 3.0, x)", "hyp2f1 has no derivative in closed form"),
    ("scipy.special.expit(x, out=x)", "the keyword out is not supported here"),
    ("scipy.special.logsumexp(x, return_sign=True)", "return_sign"),
])  # fmt: skip
def test_what_has_no_formula_is_refused_at_its_line(line, said):
    f = define(f"{HEAD}def f(x):\n    return np.sum({line})\n")
    with pytest.raises(gradgen.SourceError, match=said) as refused:
        gradgen.grad(f, shapes="x=n")
    assert refused.value.lineno == 6


def test_an_order_that_is_not_active_may_be_an_argument():
    f = define(f"{HEAD}def f(v, x):\n    return np.sum(scipy.special.jv(v, x))\n")
    v, x = np.array([0.5, 1.0]), np.array([1.5, 2.5])
    found = gradgen.grad(f, wrt="x", shapes="v=n, x=n")(v, x)
    np.testing.assert_allclose(found, scipy.special.jvp(v, x), rtol=1e-13)
