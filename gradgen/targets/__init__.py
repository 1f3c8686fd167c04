"""The targets: how each operation is written, as data keyed by op."""

from gradgen.targets.base import Expr, Target, Writer
from gradgen.targets.numpy import FAST, NUMPY
from gradgen.targets.python import PYTHON

TARGETS = {target.name: target for target in (NUMPY, PYTHON)}


def styled(name: str, style: str) -> Target:
    """The target of this name in a style."""
    return FAST if style == "fast" and name == "numpy" else TARGETS[name]


__all__ = ["TARGETS", "Expr", "Target", "Writer", "styled"]
