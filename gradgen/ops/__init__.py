"""The op table: one row an operation, one file a family."""

from gradgen.ops import (
    blocks,
    creation,
    directives,
    elementwise,
    indexing,
    joining,
    linalg,
    matrices,
    moves,
    order,
    places,
    pythonmath,
    reduction,
    scipylinalg,
    shape,
    signal,
    special,
    statistics,
    ufuncs,
)
from gradgen.ops.table import CALLS, METHODS, OPS, Op

__all__ = ["CALLS", "METHODS", "OPS", "Op"]

for family in (
    elementwise, special, reduction, statistics, shape, joining, moves, places, indexing, order,
    signal, linalg, matrices, scipylinalg, creation, ufuncs, pythonmath, directives,
    blocks,
):  # fmt: skip
    family.register_rows()
