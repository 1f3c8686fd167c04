"""Python's garbage collector, which has nothing to find while a program is compiled."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """No collections in the block, or in the function that this decorates.

    Syntax trees and graphs are many objects without cycles, which live to the end: collections
    that look through them again and again took up to three quarters of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
