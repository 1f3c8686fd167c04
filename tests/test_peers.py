"""Random programs against autograd, where it can run them: `pytest -m peers`.

Every disagreement has a class in `DISAGREEMENTS`, with who is right and why; where gradgen was
wrong there is a test of the whole family elsewhere.
"""

import tempfile
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from test_random_programs import FOR_MATH, MATH, ROOMY, agree, executed, programs

from gradgen.api import emit_path

pytestmark = pytest.mark.peers

# What autograd is known to do otherwise: a program of each class and the derivative at its point
# by hand, with what autograd says.
DISAGREEMENTS = {
    "an alias that is updated in place": (
        "def f(x):\n    y = x * 1.0\n    z = y\n    y += 1.0\n    return np.sum(y * z)\n",
        np.ones(3), np.full(3, 4.0), np.full(3, 3.0),
    ),
    "the branch of np.where that is not taken": (
        "def f(x):\n    return np.sum(np.where(x >= 0.0, x, np.sqrt(-x)))\n",
        np.zeros(2), np.ones(2), np.full(2, np.nan),
    ),
    "the norm at zero": (
        "def f(x):\n    return np.linalg.norm(x)\n", np.zeros(3), np.zeros(3), np.full(3, np.nan),
    ),
}  # fmt: skip


def of_autograd(text, arguments):
    """The gradients that autograd computes of the program `f` in a text; None where it cannot."""
    autograd = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")
    code = text.replace("import math\n", "").replace("import numpy as np", "")
    # autograd does not follow functions of the math module
    theirs = SimpleNamespace(**{n: getattr(anp, FOR_MATH.get(n, n)) for n in MATH})
    namespace = {"np": anp, "math": theirs}
    exec(compile(code, "<autograd>", "exec"), namespace)
    names = tuple(range(len(arguments)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return autograd.grad(namespace["f"], names)(*arguments.values())
        except (TypeError, ValueError, AttributeError, NotImplementedError, IndexError):
            return None


@pytest.mark.parametrize("arrays", [False, True], ids=["numbers", "arrays"])
def test_random_programs_agree_with_autograd_where_it_runs(arrays):
    counts: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp())

    @settings(max_examples=500, **ROOMY)
    @given(programs(arrays))
    def each(made):
        text, shapes = made
        declared = ", ".join(f"{n}={' '.join(map(str, s)) or 'scalar'}" for n, s in shapes.items())
        path = folder / "program.py"
        path.write_text(text, "utf-8")
        rng = np.random.default_rng(len(text))
        arguments = {
            n: rng.uniform(0.3, 1.7, s) if s else float(rng.uniform(0.3, 1.7))
            for n, s in shapes.items()
        }
        emitted = emit_path(f"{path}:f", wrt=tuple(shapes), shapes=declared)
        _, ours = executed(emitted)["f_value_and_grad"](**arguments)
        theirs = of_autograd(text, arguments)
        if theirs is None:
            counts["autograd cannot run it"] += 1
            return
        counts["compared"] += 1
        for have, want in zip(ours, theirs, strict=True):
            assert agree(have, np.asarray(want, float)), f"{text}\n{emitted}\n{have}\n{want}"

    each()
    print(dict(counts))
    assert counts["compared"] >= 400


@pytest.mark.parametrize("name", DISAGREEMENTS)
@pytest.mark.filterwarnings("ignore")
def test_a_known_disagreement_is_what_the_table_says(name, tmp_path):
    text, x, right, wrong = DISAGREEMENTS[name]
    text = f"import math\n\nimport numpy as np\n\n\n{text}"
    path = tmp_path / "program.py"
    path.write_text(text, "utf-8")
    emitted = emit_path(f"{path}:f", shapes=f"x={len(x)}")
    _, ours = executed(emitted)["f_value_and_grad"](x)
    np.testing.assert_array_equal(ours, right)
    np.testing.assert_array_equal(of_autograd(text, {"x": x})[0], wrong)
