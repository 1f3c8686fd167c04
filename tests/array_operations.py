"""What the random programs of tests/array_programs.py are made of."""

HELPERS = """\
import math

import numpy as np
import scipy.special
from scipy.special import expit, logsumexp

SCALE = 0.75
KNOTS = np.array([-2.0, -0.5, 0.25, 1.0, 2.5])
ORDER = [1, 0]


def blend(a, b, t=0.25):
    return a * t + b * (1.0 - t)


def normalise(u, axis=-1):
    m = u.mean(axis=axis, keepdims=True)
    return (u - m) / np.sqrt(np.mean((u - m) ** 2, axis=axis, keepdims=True) + SCALE)


def bump(u, c):
    u += c
    return u


def first_scaled(u, c=0.5):
    w = u.copy()
    w[0] *= c
    return w


def spread(u):
    return np.max(u) - np.min(u), np.argmax(u)


"""
BIG = 40.0

# template, the interval that operands are moved into; "r": complex step cannot go through it
UNARY = [
    ("np.sin({x})", -BIG, BIG, "c"), ("np.cos({x})", -BIG, BIG, "c"), ("-{x}", -BIG, BIG, "c"),
    ("np.tanh({x})", -BIG, BIG, "c"), ("np.exp({x})", -9.0, 3.0, "c"), ("{x} ** 3", -3, 3, "c"),
    ("np.log({x})", 0.05, BIG, "c"), ("np.sqrt({x})", 0.05, BIG, "c"), ("{x} ** 2", -6, 6, "c"),
    ("np.square({x})", -6.0, 6.0, "c"), ("1.0 / {x}", 0.2, BIG, "c"), ("{x} ** -1", 0.2, 9, "c"),
    ("np.arctan({x})", -0.9, 0.9, "c"), ("np.expm1({x})", -9.0, 3.0, "c"),
    ("{x} ** 1", -9, 9, "c"), ("np.log1p({x})", -0.8, BIG, "c"), ("{x} ** 0.5", 0.1, BIG, "c"),
    ("{x} ** 1.5", 0.1, 9, "c"), ("{x} * SCALE + 1", -BIG, BIG, "c"),
    ("2 - {x}", -BIG, BIG, "c"), ("{x} / 4", -BIG, BIG, "c"), ("1.5 ** {x}", -4.0, 4.0, "c"),
    ("np.power({x}, 2)", -6.0, 6.0, "c"), ("+{x}", -9, 9, "c"),
    ("np.logaddexp({x}, 0.0)", -BIG, BIG, "r"), ("np.hypot({x}, 0.5)", -BIG, BIG, "r"),
    ("expit({x})", -9.0, 9.0, "r"), ("np.cbrt({x})", 0.1, BIG, "r"),
    ("{x}.astype(float)", -9, 9, "r"), ("scipy.special.erf({x})", -3, 3, "r"),
    ("np.arctan2({x}, 2.0)", -9, 9, "r"), ("scipy.special.gammaln({x})", 0.5, 9, "r"),
    ("np.sinc({x})", 0.05, 2.0, "r"), ("np.float64(0.5) * {x}", -BIG, BIG, "c"),
    ("np.deg2rad({x})", -BIG, BIG, "r"), ("np.nan_to_num({x})", -BIG, BIG, "r"),
    ("np.copy({x})", -BIG, BIG, "c"), ("np.asarray({x}) * 2", -9, 9, "c"),
    ("np.heaviside({x}, 0.5) * {x}", 0.05, BIG, "r"),
]  # fmt: skip
# template, the least rank, what must hold ("d": no two items are near each other, "z": no item is
# near zero, "s": items differ, "1", "2": the rank at most, "k", "h": away from knots or halves,
# "e": a square matrix where lengths are symbolic), complex or real, "!": it fixes lengths
ARRAY = [
    ("np.sum({x}{A}{KD})", 0, "", "c"), ("{x}.sum({a})", 1, "", "c"),
    ("{x}.mean({a})", 1, "", "c"), ("np.mean({x}{A}{KD})", 0, "", "c"),
    ("np.var({x}{A}{KD})", 1, "", "c"), ("np.std({x}{O}{KD})", 1, "s", "c"),
    ("{x}.std({a})", 1, "s", "r"), ("{x}.var()", 1, "", "r"),
    ("np.var({x}{K}, ddof=1)", 1, "s", "c"), ("np.prod({x}{A}{KD})", 0, "", "c"),
    ("np.max({x}{A}{KD})", 0, "d", "c"), ("np.min({x}{A}{KD})", 0, "d", "c"),
    ("{x}.max({a})", 1, "d", "c"), ("np.median({x}{A}{KD})", 1, "d", "r"),
    ("np.ptp({x}{A}{KD})", 1, "d", "c"), ("np.amin({x}{K})", 1, "d", "c"),
    ("np.cumsum({x}{O})", 0, "", "c"), ("np.cumprod({x}{O})", 1, "", "c"),
    ("{x}.cumsum({a1})", 1, "", "c"), ("np.diff({x}{K})", 1, "", "c"),
    ("np.diff({x}, 2)", 1, "", "c"), ("np.diff({x}{K}, prepend=0.5)", 1, "", "c"),
    ("np.diff({x}, append={x}[..., :1])", 1, "", "c"), ("np.trapezoid({x}{K})", 1, "", "c"),
    ("np.trapezoid({x}, dx=0.5{K})", 1, "", "c"), ("np.average({x}{A})", 1, "", "c"),
    ("np.average({x}, weights={x} * {x} + 0.5)", 1, "", "c"),
    ("np.average({x}{K}, weights={w})", 1, "", "c!"), ("np.nanmean({x}{A}{KD})", 1, "", "r"),
    ("np.nansum({x}{A})", 1, "", "r"), ("np.nanmax({x}{A})", 1, "d", "r"),
    ("np.nanstd({x}{O})", 1, "s", "r"), ("np.nanmean(np.where({m}, {x}, np.nan))", 1, "", "r"),
    ("np.nansum(np.where({m}, {x}, np.nan){A})", 1, "", "r"),
    ("logsumexp({x}{A}{KD})", 1, "", "r"), ("scipy.special.softmax({x}{O})", 1, "", "r"),
    ("scipy.special.log_softmax({x}{O})", 1, "", "r"), ("np.linalg.norm({x})", 1, "z", "c"),
    ("np.linalg.norm({x}{K}{KD})", 1, "z", "c"), ("np.linalg.norm({x}, 1{K})", 1, "z", "r"),
    ("np.linalg.norm({x}, np.inf{K})", 1, "dz", "r"), ("np.linalg.norm({x}, 3{K})", 1, "z", "r"),
    ("np.quantile({x}, 0.3{A})", 1, "d", "r"), ("np.percentile({x}, [20, 70]{O})", 1, "d", "r"),
    ("sum({x})", 1, "", "c"), ("np.add.reduce({x}{K})", 1, "", "c"),
    ("np.multiply.reduce({x})", 1, "", "c"), ("np.gradient({x}{K})", 1, "", "c"),
    ("np.gradient({x}, 0.5{K})", 1, "", "c"), ("np.ediff1d({x})", 1, "", "c"),
    ("np.sum({x}{A}, where={m})", 1, "", "c"), ("np.mean({x}, where={m})", 1, "", "r"),
    ("np.max({x}, initial=-90.0, where={m})", 1, "d", "r"),
    ("np.reshape({x}, {S})", 0, "", "c!"), ("{x}.reshape({S})", 1, "", "c!"),
    ("{x}.reshape(-1)", 1, "", "c"), ("np.reshape({x}, {S}, order='F')", 1, "", "c!"),
    ("{x}.T", 1, "", "c"), ("np.transpose({x}, {P})", 1, "", "c"),
    ("{x}.transpose({P})", 1, "", "c"), ("np.transpose({x})", 1, "", "c"),
    ("{x}.reshape(len({x}), -1)", 1, "", "c"), ("np.swapaxes({x}, {k}, {k})", 1, "", "c"),
    ("{x}.swapaxes({k}, {k})", 1, "", "c"), ("np.moveaxis({x}, {k}, {k})", 1, "", "c"),
    ("np.squeeze({x})", 0, "", "c!"), ("np.squeeze({x}[:, :1], 1)", 2, "", "c"),
    ("np.expand_dims({x}, {k})", 1, "", "c"), ("{x}[None]", 1, "", "c"),
    ("np.flip({x}{O})", 1, "", "c"), ("np.flipud({x})", 1, "", "c"),
    ("np.fliplr({x})", 2, "", "c"), ("np.roll({x}, {i}{O})", 1, "", "c"),
    ("np.roll({x}, ({i}, {i}), (0, 1))", 2, "", "c"), ("np.rot90({x}, {i})", 2, "", "c"),
    ("np.rot90({x}, axes=(1, 0))", 2, "", "c"), ("np.tile({x}, 2)", 0, "", "c"),
    ("np.tile({x}, (2, 1))", 1, "", "c"), ("np.tile({x}, (2, 1, 2))", 0, "", "c"),
    ("np.repeat({x}, 2{O})", 0, "", "c"), ("np.repeat({x}, {R}{K})", 1, "", "c!"),
    ("np.pad({x}, 1)", 1, "", "c"), ("np.pad({x}, (1, 2), constant_values=0.5)", 1, "", "c"),
    ("np.pad({x}, (1, 1), mode='edge')", 1, "", "c!"),
    ("np.pad({x}, 1, mode='reflect')", 1, "", "c!"),
    ("np.pad({x}, 2, mode='wrap')", 1, "", "c!"),
    ("np.pad({x}, 1, mode='symmetric')", 1, "", "c!"),
    ("np.pad({x}, 1, mode='mean')", 1, "", "c!"), ("np.pad({x}, ((0, 1), (2, 0)))", 2, "", "c"),
    ("np.split({x}, [1])[-1]", 1, "", "c"), ("np.array_split({x}, 2{K})[0]", 1, "", "c!"),
    ("np.split({x}, [1, 2]{K})[1]", 1, "", "c"), ("np.tril({x})", 2, "", "c"),
    ("np.triu({x}, {i})", 2, "", "c"), ("np.tril({x}, {i})", 2, "", "c"),
    ("np.diag({x})", 1, "e", "c"), ("np.diag({x}, 1)", 1, "e", "c"),
    ("np.trace({x})", 2, "e", "c"), ("np.diagonal({x})", 2, "e", "c"),
    ("np.trace({x}, 1)", 2, "e", "c"), ("np.diagonal({x}, 0, -2, -1)", 2, "", "c!"),
    ("np.broadcast_to({x}, (2, *{x}.shape))", 0, "", "c"), ("np.ravel({x})", 0, "", "c"),
    ("{x}.ravel('F')", 1, "", "c"), ("{x}.flatten()", 1, "", "c"),
    ("np.atleast_2d({x})", 0, "", "c"), ("np.outer({x}, {x})", 0, "", "c"),
    ("np.concatenate([{x}, {x}]{K})", 1, "", "c"), ("np.stack([{x}, {x} * 2.0])", 0, "", "c"),
    ("np.stack([{x}, 1.0 - {x}], axis=-1)", 0, "", "c"), ("np.hstack([{x}, {x}])", 1, "", "c"),
    ("np.vstack([{x}, {x}])", 1, "", "c"), ("np.dstack([{x}, {x}])", 1, "", "c"),
    ("np.column_stack([{x}, {x}])", 1, "", "c"), ("np.append({x}, 0.5)", 1, "", "c"),
    ("np.delete({x}, 0{O})", 1, "", "c"), ("np.insert({x}, 1, 0.5{O})", 1, "", "c"),
    ("np.concatenate([{x}[1:], {x}[:1]])", 1, "", "c"),
    ("np.concatenate([{x}, np.zeros_like({x})]{K})", 1, "", "c"),
    ("np.meshgrid({x}, {x})[0]", 1, "", "c"),
    ("np.meshgrid({x}, {x}[:2], indexing='ij')[1]", 1, "", "c"),
    ("np.kron({x}, [1.0, 2.0])", 1, "", "c"), ("np.sort({x}{O})", 1, "d", "c"),
    ("np.sort({x}, axis=None)", 1, "d", "c"), ("{x}[np.argsort({x})]", 1, "d1", "c"),
    ("np.take({x}, {I}{K})", 1, "", "c!"), ("np.take({x}, 0{O})", 1, "", "c"),
    ("np.take_along_axis({x}, np.argsort({x}, axis=-1), axis=-1)", 1, "d", "c"),
    ("np.take_along_axis({x}, np.argmax({x}{K}, keepdims=True){K})", 1, "d", "c"),
    ("np.where({m}, {x}, 0.5)", 0, "", "c"), ("np.where({m}, {x}, -{x})", 1, "", "c"),
    ("np.where({x} > 0.1, np.log(np.where({x} > 0.1, {x}, 1.0)), 0.0)", 0, "z", "c"),
    ("np.clip({x}, {lo}, {hi})", 0, "", "r"), ("{x}.clip({lo}, {hi})", 1, "", "r"),
    ("np.maximum({x}, {lo})", 0, "", "c"), ("np.minimum({x}, {hi})", 0, "", "c"),
    ("np.abs({x})", 0, "z", "c"), ("abs({x})", 0, "z", "r"), ("np.sign({x}) * {x}", 0, "z", "r"),
    ("np.select([{m}, {m}], [{x}, {x} ** 2], 0.25)", 1, "", "c"),
    ("np.choose(({m}).astype(int), [{x}, 2.0 * {x}])", 1, "", "c"),
    ("2.0 * np.interp({x}, KNOTS, [0.5, -1.0, 2.0, 0.0, 1.0])", 0, "k", "r"),
    ("np.convolve({x}, [1.0, -0.5, 0.25], {M})", 1, "1", "c!"),
    ("np.correlate({x}, [1.0, -0.5], {M})", 1, "1", "r!"),
    ("np.polyval([0.5, -1.0, 2.0], {x})", 0, "", "c"), ("np.polyval({x}, 0.7)", 1, "1", "c"),
    ("np.vander({x}, 3)", 1, "1", "c"), ("np.linspace({x}, 1.0, 3)", 0, "", "r"),
    ("np.cov({x})", 1, "2", "r!"), ("np.corrcoef({x})", 2, "2d", "r"),
    ("{x}[..., ::-1]", 1, "", "c"), ("{x}[..., None]", 0, "", "c"), ("{x} @ {x}.T", 2, "2", "c"),
    ("{x}.T @ {x}", 2, "2", "c"), ("{x} @ np.ones({x}.shape[-1])", 1, "", "c"),
    ("np.einsum('{E1}', {x})", 1, "", "c"), ("np.einsum('{E2}', {x}, {x})", 1, "", "c"),
    ("np.dot({x}, {x})", 1, "1", "c"), ("np.inner({x}, {x})", 1, "", "c"),
    ("np.vdot({x}, {x})", 1, "", "r"), ("np.tensordot({x}, {x}, axes={x}.ndim)", 1, "", "c"),
    ("np.tensordot({x}, {x}, axes=([{k0}], [{k0}]))", 1, "", "c"),
    ("np.zeros_like({x}) + {x}", 0, "", "c"), ("np.full_like({x}, 0.5) * {x}", 0, "", "c"),
    ("np.eye(len({x})) * {x}", 1, "", "c"), ("np.ones({x}.shape) - {x}", 1, "", "c"),
    ("np.arange({x}.shape[-1]) * {x}", 1, "", "c"), ("normalise({x})", 1, "", "c"),
    ("normalise({x}, axis=0)", 1, "", "c"), ("first_scaled({x})", 1, "", "c"),
    ("{x}[np.arange(len({x})), 0]", 2, "", "c"), ("np.mean(np.sin({x}[{m}]))", 1, "", "c"),
    ("np.sum({x}[{m}] ** 2)", 1, "", "c"), ("np.sum({x}[np.nonzero({m})] ** 3)", 1, "", "c"),
    ("np.sum(np.compress({m}, {x}) ** 2)", 1, "1", "c"),
    ("np.mean(np.extract({m}, {x}) ** 3)", 1, "", "c"),
    ("np.sum(np.cumsum({x}[{m}]) ** 2)", 1, "", "c"), ("np.max({x}[{m}])", 1, "d", "c"),
    ("np.sum(np.sort({x}[{m}])[::-1] ** 3)", 1, "d", "c"),
    ("np.linalg.norm({x}[{m}])", 1, "z", "c"), ("{x}[np.argmax({x}[:, 0])]", 2, "d", "c"),
    ("np.round({x}) + {x}", 0, "h", "r"), ("np.floor({x}) * {x}", 0, "h", "r"),
    ("{x} % 1.5", 0, "h", "r"), ("np.unwrap(0.3 * {x})", 1, "", "r"),
    ("np.fmax({x}, {lo})", 0, "", "r"), ("np.float32(2) * {x}", 1, "", "c"),
    ("np.atleast_1d({x})[0]", 0, "", "c"), ("np.array([{x}, {x} * 0.5])", 0, "", "c"),
    ("np.linalg.vector_norm({x}{K})", 1, "z", "r"),
]  # fmt: skip
# of a matrix {q}, which is square and well conditioned, and {s}, which is symmetric too
LINALG = [
    ("np.linalg.solve({q}, {b})", "c"), ("np.linalg.inv({q})", "c"), ("np.linalg.det({q})", "c"),
    ("np.linalg.slogdet({q})[1]", "r"), ("np.linalg.cholesky({s})", "r"),
    ("np.linalg.eigvalsh({s})", "r"), ("np.linalg.pinv({q})", "r"),
    ("np.linalg.matrix_power({q}, {pow})", "c"), ("np.linalg.slogdet({s}).logabsdet", "r"),
    ("np.linalg.multi_dot([{q}, {q}, {b}])", "c"), ("np.linalg.norm({q}, 2)", "r"),
    ("np.linalg.norm({q}, 'nuc')", "r"), ("np.linalg.solve({q}, np.eye(len({q})))", "c"),
    ("np.linalg.norm({q}, 'fro')", "r"), ("np.linalg.svd({s}, compute_uv=False)", "r"),
    ("np.linalg.lstsq({q}, {b})[0]", "r"), ("np.linalg.eigh({s})[0]", "r"),
    ("np.linalg.qr({q})[1] ** 2", "r"), ("np.linalg.tensorsolve({q}, {x}[:, 0])", "r"),
]  # fmt: skip
BINARY = [
    "{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} * {y}", "{x} / {y}", "np.maximum({x}, {y})",
    "np.minimum({x}, {y})", "{x} ** {y}", "np.where({m}, {x}, {y})", "blend({x}, {y})",
    "np.add({x}, {y})", "np.hypot({x}, {y})", "np.arctan2({x}, {y})", "np.logaddexp({x}, {y})",
    "np.subtract.outer({x}, {y})", "np.outer({x}, {y})", "np.multiply({x}, {y})",
    "np.where({x} > {y}, {x} * {y}, {y})", "blend(b={y}, a={x}, t=SCALE)",
]  # fmt: skip
# of two arrays, where the shapes fit
PRODUCTS = [
    "{x} @ {y}", "{x} @ {y}", "{x}.T @ {y}", "{x} @ {y}.T", "np.dot({x}, {y})",
    "np.inner({x}, {y})", "np.matmul({x}, {y})", "np.outer({x}, {y})", "np.kron({x}, {y})",
    "np.tensordot({x}, {y}, axes=1)", "np.cross({x}, {y})", "np.tensordot({x}, {y}, axes=0)",
    "np.convolve({x}, {y})", "np.polyval({x}, {y})", "np.einsum('ij,j->i', {x}, {y})",
    "np.einsum('ij,jk->ik', {x}, {y})", "np.einsum('...i,...i', {x}, {y})",
    "np.einsum('i,ij', {x}, {y})", "np.einsum('i,j->ij', {x}, {y})",
    "np.einsum('ij,ij->j', {x}, {y})", "np.linalg.multi_dot([{x}, {y}, {y}.T])",
    "{x}[:, None] * {y}", "np.einsum('ij,kj->ik', {x}, {y})", "np.concatenate([{x}, {y}])",
    "np.concatenate([{x}, {y}], axis=-1)", "np.stack([{x}, {y}], axis=-1)",
    "np.append({x}, {y})", "np.hstack([{x}, {y}])", "np.vstack([{x}, {y}])",
    "np.trapezoid({x}, {y})", "np.vecdot({x}, {y})",
    "np.average({x}, axis=0, weights={y} ** 2 + 0.5)", "np.block([[{x}, {y}], [{y}, {x}]])",
    "np.meshgrid({x}, {y})[1]", "np.broadcast_arrays({x}, {y})[0]",
    "np.interp({x}, np.sort({y}), {y})", "np.array([{x}, {y}])", "np.dot({x}, {y}.T)",
]  # fmt: skip
