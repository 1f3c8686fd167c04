"""The op table: one row an operation, one file a family."""

from gradgen.ops import creation, elementwise, indexing, linalg, reduction, shape
from gradgen.ops.table import CALLS, METHODS, OPS, Op

__all__ = ["CALLS", "METHODS", "OPS", "Op"]

for family in (elementwise, reduction, shape, indexing, linalg, creation):
    family.register_rows()
