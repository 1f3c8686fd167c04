"""The pytest fixture `assert_grad_ok`.

pytest loads this module in every run where gradgen is installed; NumPy and the rest of gradgen are
imported when a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def assert_grad_ok() -> Callable[..., None]:
    """`gradgen.testing.assert_grad_ok`: assert that a gradient is right."""
    from gradgen.testing import assert_grad_ok

    return assert_grad_ok
