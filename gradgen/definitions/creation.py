"""Adjoints of numbers that are spaced evenly between two ends."""

import numpy as np


def linspace(g, out, start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    g_step = None
    if retstep:
        g, g_step = g
    d_start, d_stop = 0.0, 0.0
    if g is not None:
        d_start, d_stop = _at_ends(g, num, endpoint, axis)
    if g_step is not None:
        step = g_step / (num - 1 if endpoint else num)
        d_start, d_stop = d_start - step, d_stop + step
    return d_start, d_stop


def _at_ends(g, num, endpoint, axis):
    """The sums of `g` with the weights of the two ends."""
    named = {} if endpoint else {"endpoint": False}
    if g.dtype == "float32":
        named["dtype"] = "float32"
    weight = np.linspace(0.0, 1.0, num, **named)
    if g.ndim > 1:
        g = np.moveaxis(g, axis, -1)
    return g @ (1.0 - weight), g @ weight


def logspace(g, out, start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    scaled = g * out
    d_start, d_stop = _at_ends(scaled * np.log(base), num, endpoint, axis)
    exponents = np.linspace(start, stop, num, endpoint=endpoint, axis=axis)
    return d_start, d_stop, None, None, np.sum(scaled * exponents) / base


def geomspace(g, out, start, stop, num=50, endpoint=True, dtype=None, axis=0):
    d_start, d_stop = _at_ends(g * out, num, endpoint, axis)
    return d_start / start, d_stop / stop
