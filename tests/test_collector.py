"""Collections are paused for a while, and then as they were."""

import gc

import pytest

from gradgen.collector import paused
from gradgen.program import Options, compile_graph
from gradgen.read import parse_shapes, read_file


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


def test_what_a_compilation_read_and_built_goes_without_a_collection(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(
        "import numpy as np\n\n\ndef f(x):\n    y = np.sin(x) * x\n    return np.sum(y)\n"
    )

    def compiled():
        compile_graph(read_file(path, "f", parse_shapes("x=n")), Options())

    compiled()  # what is imported late, and what is kept for the next time
    before = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        compiled()
        assert gc.collect() == 0
    finally:
        (gc.enable if before else gc.disable)()
