"""Adjoints of special functions with several results, and of weighted sums."""

import numpy as np


def sici(g, out, x):
    g_si, g_ci = g
    d_x = 0.0
    if g_si is not None:
        d_x = g_si * np.sinc(x / np.pi)
    if g_ci is not None:
        d_x = d_x + g_ci * (np.cos(x) / x)
    return d_x


def shichi(g, out, x):
    g_shi, g_chi = g
    d_x = 0.0
    if g_shi is not None:
        d_x = g_shi * np.where(x == 0, 1.0, np.sinh(x) / np.where(x == 0, 1.0, x))
    if g_chi is not None:
        d_x = d_x + g_chi * (np.cosh(x) / x)
    return d_x


def fresnel(g, out, x):
    g_s, g_c = g
    angle = 0.5 * np.pi * x * x
    d_x = 0.0
    if g_s is not None:
        d_x = g_s * np.sin(angle)
    if g_c is not None:
        d_x = d_x + g_c * np.cos(angle)
    return d_x


def logsumexp(g, out, a, axis=None, b=None, keepdims=False):
    if not keepdims and axis is not None and np.ndim(out):
        g, out = np.expand_dims(g, axis), np.expand_dims(out, axis)
    d_b = g * np.exp(a - out)
    return b * d_b, None, d_b
