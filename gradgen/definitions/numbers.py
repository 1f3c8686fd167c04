"""Functions of Python's numbers and of sequences of them."""

import math


def fsum(seq):
    return sum(seq)


def dist(p, q):
    return math.hypot(*[a - b for a, b in zip(p, q, strict=True)])


def prod(iterable, start=1):
    total = start
    for factor in iterable:
        total = total * factor
    return total


def sumprod(p, q):
    return sum([a * b for a, b in zip(p, q, strict=True)])
