"""Collections are paused for a while, and then as they were."""

import gc

import pytest

from gradgen.collector import paused


@pytest.mark.parametrize("enabled", [True, False])
def test_collections_are_paused_and_then_as_they_were(enabled):
    @paused()
    def inside(fails):
        assert not gc.isenabled()
        with paused():
            pass
        assert not gc.isenabled()
        if fails:
            raise ValueError

    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        inside(False)
        assert gc.isenabled() is enabled
        with pytest.raises(ValueError, match=r"^$"):
            inside(True)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
