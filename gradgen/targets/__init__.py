"""The targets: how each operation is written, as data keyed by op."""

from gradgen.targets.base import Expr, Target, Writer
from gradgen.targets.numpy import NUMPY
from gradgen.targets.python import PYTHON

TARGETS = {target.name: target for target in (NUMPY, PYTHON)}

__all__ = ["TARGETS", "Expr", "Target", "Writer"]
