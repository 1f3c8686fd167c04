"""The Jacobian of a residual of bundle adjustment: of one observation, and of a thousand.

The camera model is that of Triggs et al., Bundle Adjustment, and of the ADBench suite: a rotation
vector, a centre, a focal length, a principal point and two coefficients of radial distortion.
"""

import inspect
import math

import numpy as np

from .programs import loaded
from .workload import Function, Workload

LANES = 1000


def residual(r0, r1, r2, c0, c1, c2, f, u0, v0, k1, k2, x0, x1, x2, w, mu, mv):
    # Rodrigues' rotation of the point as seen from the centre
    t = math.sqrt(r0 * r0 + r1 * r1 + r2 * r2)
    c, s = math.cos(t), math.sin(t)
    a0, a1, a2 = r0 / t, r1 / t, r2 / t
    d0, d1, d2 = x0 - c0, x1 - c1, x2 - c2
    m = (a0 * d0 + a1 * d1 + a2 * d2) * (1.0 - c)
    p0 = d0 * c + (a1 * d2 - a2 * d1) * s + a0 * m
    p1 = d1 * c + (a2 * d0 - a0 * d2) * s + a1 * m
    p2 = d2 * c + (a0 * d1 - a1 * d0) * s + a2 * m
    # projection and distortion
    u, v = p0 / p2, p1 / p2
    q = u * u + v * v
    z = 1.0 + k1 * q + k2 * q * q
    return w * (u * z * f + u0 - mu), w * (v * z * f + v0 - mv)


def residual_around(r0, r1, r2, c0, c1, c2, f, u0, v0, k1, k2, x0, x1, x2, w, mu, mv):
    t = math.sqrt(r0 * r0 + r1 * r1 + r2 * r2)
    c, s = math.cos(t), math.sin(t)
    a0, a1, a2 = r0 / t, r1 / t, r2 / t
    d0, d1, d2 = x0 - c0, x1 - c1, x2 - c2
    o = 1.0 - c
    m = (a0 * d0 + a1 * d1 + a2 * d2) * o
    p0 = d0 * c + (a1 * d2 - a2 * d1) * s + a0 * m
    p1 = d1 * c + (a2 * d0 - a0 * d2) * s + a1 * m
    p2 = d2 * c + (a0 * d1 - a1 * d0) * s + a2 * m
    u, v = p0 / p2, p1 / p2
    q = u * u + v * v
    z = 1.0 + k1 * q + k2 * q * q
    uz, vz = u * z, v * z
    # the matrix of the rotation
    oa0, oa1, oa2 = o * a0, o * a1, o * a2
    sa0, sa1, sa2 = s * a0, s * a1, s * a2
    n01, n02, n12 = oa0 * a1, oa0 * a2, oa1 * a2
    R00, R10, R20 = c + oa0 * a0, n01 + sa2, n02 - sa1
    R01, R11, R21 = n01 - sa2, c + oa1 * a1, n12 + sa0
    R02, R12, R22 = n02 + sa1, n12 - sa0, c + oa2 * a2
    # the projection, whose matrix before the perspective is symmetric
    wf = w * f
    k = 2.0 * (k1 + 2.0 * k2 * q)
    ku = k * u
    scale = wf / p2
    A00, A01, A11 = scale * (z + ku * u), scale * ku * v, scale * (z + k * v * v)
    A02, A12 = -(A00 * u + A01 * v), -(A01 * u + A11 * v)
    # d p / d r by Gallego and Yezzi (2015), eq. 8: -R [d]x (r r' + (R' - 1) [r]x) / t2
    y00 = A00 * R00 + A01 * R10 + A02 * R20
    y01 = A00 * R01 + A01 * R11 + A02 * R21
    y02 = A00 * R02 + A01 * R12 + A02 * R22
    e0, e1, e2 = d1 * y02 - d2 * y01, d2 * y00 - d0 * y02, d0 * y01 - d1 * y00
    l0 = e0 * a0 + e1 * a1 + e2 * a2
    b00 = (e0 * R00 + e1 * R01 + e2 * R02 - e0) / t
    b01 = (e0 * R10 + e1 * R11 + e2 * R12 - e1) / t
    b02 = (e0 * R20 + e1 * R21 + e2 * R22 - e2) / t
    y10 = A01 * R00 + A11 * R10 + A12 * R20
    y11 = A01 * R01 + A11 * R11 + A12 * R21
    y12 = A01 * R02 + A11 * R12 + A12 * R22
    e0, e1, e2 = d1 * y12 - d2 * y11, d2 * y10 - d0 * y12, d0 * y11 - d1 * y10
    l1 = e0 * a0 + e1 * a1 + e2 * a2
    b10 = (e0 * R00 + e1 * R01 + e2 * R02 - e0) / t
    b11 = (e0 * R10 + e1 * R11 + e2 * R12 - e1) / t
    b12 = (e0 * R20 + e1 * R21 + e2 * R22 - e2) / t
    wq = wf * q
    wu, wv = wq * u, wq * v
    return (
        (
            l0 * a0 + b01 * a2 - b02 * a1,
            l0 * a1 + b02 * a0 - b00 * a2,
            l0 * a2 + b00 * a1 - b01 * a0,
            -y00, -y01, -y02, w * uz, w, 0.0, wu, wu * q,
            y00, y01, y02, uz * f + u0 - mu,
        ),
        (
            l1 * a0 + b11 * a2 - b12 * a1,
            l1 * a1 + b12 * a0 - b10 * a2,
            l1 * a2 + b10 * a1 - b11 * a0,
            -y10, -y11, -y12, w * vz, 0.0, w, wv, wv * q,
            y10, y11, y12, vz * f + v0 - mv,
        ),
    )  # fmt: skip


def residual_freehand(r0, r1, r2, c0, c1, c2, f, u0, v0, k1, k2, x0, x1, x2, w, mu, mv):
    # the point by the matrix of the rotation, which its derivative needs anyway
    t2 = r0 * r0 + r1 * r1 + r2 * r2
    t = math.sqrt(t2)
    c = math.cos(t)
    s = math.sin(t) / t
    it2 = 1.0 / t2
    o = (1.0 - c) * it2
    o0, o1, o2 = o * r0, o * r1, o * r2
    s0, s1, s2 = s * r0, s * r1, s * r2
    n01, n02, n12 = o0 * r1, o0 * r2, o1 * r2
    R00, R10, R20 = c + o0 * r0, n01 + s2, n02 - s1
    R01, R11, R21 = n01 - s2, c + o1 * r1, n12 + s0
    R02, R12, R22 = n02 + s1, n12 - s0, c + o2 * r2
    d0, d1, d2 = x0 - c0, x1 - c1, x2 - c2
    p0 = R00 * d0 + R01 * d1 + R02 * d2
    p1 = R10 * d0 + R11 * d1 + R12 * d2
    p2 = R20 * d0 + R21 * d1 + R22 * d2
    ip = 1.0 / p2
    u, v = p0 * ip, p1 * ip
    q = u * u + v * v
    kq = k2 * q
    z = 1.0 + (k1 + kq) * q
    uz, vz = u * z, v * z
    wf = w * f
    k = 2.0 * (k1 + 2.0 * kq)
    ku = k * u
    scale = wf * ip
    A00, A01, A11 = scale * (z + ku * u), scale * ku * v, scale * (z + k * v * v)
    A02, A12 = -(A00 * u + A01 * v), -(A01 * u + A11 * v)
    # d p / d r by Gallego and Yezzi (2015), eq. 8: -R [d]x (r r' + (R' - 1) [r]x) / t2
    y00 = A00 * R00 + A01 * R10 + A02 * R20
    y01 = A00 * R01 + A01 * R11 + A02 * R21
    y02 = A00 * R02 + A01 * R12 + A02 * R22
    e0, e1, e2 = d1 * y02 - d2 * y01, d2 * y00 - d0 * y02, d0 * y01 - d1 * y00
    l0 = (e0 * r0 + e1 * r1 + e2 * r2) * it2
    b00 = (e0 * R00 + e1 * R01 + e2 * R02 - e0) * it2
    b01 = (e0 * R10 + e1 * R11 + e2 * R12 - e1) * it2
    b02 = (e0 * R20 + e1 * R21 + e2 * R22 - e2) * it2
    y10 = A01 * R00 + A11 * R10 + A12 * R20
    y11 = A01 * R01 + A11 * R11 + A12 * R21
    y12 = A01 * R02 + A11 * R12 + A12 * R22
    e0, e1, e2 = d1 * y12 - d2 * y11, d2 * y10 - d0 * y12, d0 * y11 - d1 * y10
    l1 = (e0 * r0 + e1 * r1 + e2 * r2) * it2
    b10 = (e0 * R00 + e1 * R01 + e2 * R02 - e0) * it2
    b11 = (e0 * R10 + e1 * R11 + e2 * R12 - e1) * it2
    b12 = (e0 * R20 + e1 * R21 + e2 * R22 - e2) * it2
    wq = wf * q
    wu, wv = wq * u, wq * v
    return (
        (
            l0 * r0 + b01 * r2 - b02 * r1,
            l0 * r1 + b02 * r0 - b00 * r2,
            l0 * r2 + b00 * r1 - b01 * r0,
            -y00, -y01, -y02, w * uz, w, 0.0, wu, wu * q,
            y00, y01, y02, uz * f + u0 - mu,
        ),
        (
            l1 * r0 + b11 * r2 - b12 * r1,
            l1 * r1 + b12 * r0 - b10 * r2,
            l1 * r2 + b10 * r1 - b11 * r0,
            -y10, -y11, -y12, w * vz, 0.0, w, wv, wv * q,
            y10, y11, y12, vz * f + v0 - mv,
        ),
    )  # fmt: skip


def _in_numpy(function: Function) -> Function:
    """The same function in NumPy's words, for arrays."""
    name = function.__name__
    text = inspect.getsource(function).replace("math.", "np.").replace(f"def {name}", "def f")
    made = loaded(text, f"<{name}, NumPy>")
    made.__globals__["np"] = np
    return made


_NAMES = tuple(inspect.signature(residual).parameters)
_POINT = (0.3, -0.2, 0.4, 0.1, 0.2, -0.3, 500.0, 320.0, 240.0, 0.02, -0.01,
          0.5, -0.4, 4.0, 0.9, 380.0, 170.0)  # fmt: skip
_PLAIN = (residual, residual_around, residual_freehand)
_SHAPES = ", ".join(f"{name}=scalar" for name in _NAMES)


def _observations(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    return tuple(number * (1.0 + 0.1 * rng.normal(size=LANES)) for number in _POINT)


WORKLOADS = (
    Workload(
        "bundle adjustment, 1", *_PLAIN, _NAMES[:-2], _SHAPES, lambda rng: _POINT,
        target="python", mode="jacobian",
    ),
    Workload(
        "bundle adjustment, 1,000", *map(_in_numpy, _PLAIN), _NAMES[:-2], _SHAPES, _observations,
        mode="jacobian", lanes=LANES,
    ),
)  # fmt: skip
