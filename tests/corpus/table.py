"""All rows, in the order of their modules."""

from corpus import rows_losses, rows_optimisation, rows_physics, rows_series
from corpus.rows import ROWS

__all__ = ["ROWS", "rows_losses", "rows_optimisation", "rows_physics", "rows_series"]
