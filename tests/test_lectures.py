"""The systems of the lecture notes: each example gives the numbers it is there to give."""

import importlib
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import sympy

from gradgen.differences import derivative

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True, scope="module")
def _importable():
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))


def test_the_calculus_class_takes_six_exponentials_and_backpropagation_one():
    """The notes count six copies of w x + b in the expanded derivatives."""
    import lecture_regression as lecture

    counts = lecture.counts()
    assert counts["calculus class"].transcendental == 6
    assert counts["backpropagation, by hand"].transcendental == 1
    emitted = counts["backpropagation, emitted"]
    assert emitted.transcendental == 1
    assert emitted.total <= counts["backpropagation, by hand"].total
    assert 3 * emitted.total < counts["calculus class"].total

    w, b, x, t, lam = symbols = sympy.symbols("w b x t lam")
    y = 1 / (1 + sympy.exp(-(w * x + b)))
    cost = (y - t) ** 2 / 2 + lam * w**2 / 2
    at = {symbol: lecture.POINT[symbol.name] for symbol in symbols}
    exact = [float(cost.diff(symbol).evalf(30, subs=at)) for symbol in (w, b)]
    for way in (lecture.calculus_class, lecture.backpropagation, lecture.emitted.cost_grad):
        np.testing.assert_allclose(way(**lecture.POINT), exact, rtol=1e-14)


def test_the_emitted_gradient_of_a_net_of_any_shape_is_the_printed_algorithm():
    import lecture_dag as lecture

    w, x, y = lecture.point()
    value, by_hand = lecture.backpropagation(w, x, y)
    emitted_value, gradient = lecture.emitted.loss_value_and_grad(w, x, y)
    assert emitted_value == pytest.approx(value, rel=1e-15)
    for given, expected in zip(gradient, by_hand, strict=True):
        np.testing.assert_allclose(given, expected, rtol=1e-14)


def test_activations_and_their_derivatives_are_those_of_the_slides():
    import lecture_activations as lecture

    x = np.array([-2.0, -0.5, 0.3, 1.5])
    s = 1 / (1 + np.exp(-x))
    expected = {
        "step": (x > 0, 0 * x), "identity": (x, 1 + 0 * x), "relu": (x * (x > 0), x > 0),
        "leaky_relu": (np.maximum(0.01 * x, x), np.where(x > 0, 1, 0.01)),
        "softplus": (np.log(1 + np.exp(x)), s),
    }  # fmt: skip
    for name, (value, slope) in expected.items():
        given = lecture.value_and_slope(name, x)
        np.testing.assert_allclose(given, (value, slope), rtol=1e-14, err_msg=name)
    for slope in lecture.SLOPES:
        sigma = 1 / (1 + np.exp(-slope * x))  # the slides: s sigma (1 - sigma)
        given = lecture.value_and_slope("sigmoid", x, s=slope)
        expected = sigma, slope * sigma * (1 - sigma)
        np.testing.assert_allclose(given, expected, rtol=1e-14, atol=1e-14)
        two = 1 / (1 + np.exp(-2 * slope * x))  # the slides: 2 sigma(2 s x) - 1
        given = lecture.value_and_slope("tanh", x, s=slope)
        expected = 2 * two - 1, 4 * slope * two * (1 - two)
        np.testing.assert_allclose(given, expected, rtol=1e-14, atol=1e-14)
    p = lecture.softmax(x)
    jacobian = [lecture.value_and_slope("softmax", x, t_x=t)[1] for t in np.eye(4)]
    np.testing.assert_allclose(jacobian, np.diag(p) - np.outer(p, p), atol=1e-16)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("squared_error", [0.5, -1.0, 2.0]), ("cross_entropy", 1),
        ("cross_entropy_of_distributions", [0.2, 0.5, 0.3]),
        ("squared_expectation", [0.0, 1.0, 0.0]), ("hinge", 1), ("l2", 1.0),
        ("binary_cross_entropy", 1.0),
    ],
)  # fmt: skip
def test_the_gradient_of_a_loss_is_the_slope_of_its_value(name, target):
    import lecture_losses as lecture

    a = np.array([0.3, -0.8, 1.1])
    target = np.array(target) if isinstance(target, list) else target
    if name in ("l2", "binary_cross_entropy"):
        a = 0.3
    f = getattr(lecture, name)
    value, gradient = getattr(lecture.emitted, f"{name}_value_and_grad")(a, target)
    assert value == f(a, target)
    for direction in np.eye(np.size(a)):
        along = direction if np.ndim(a) else 1.0
        slope = derivative(lambda h, along=along: float(f(a + h * along, target)), 0.0)
        assert abs(np.sum(gradient * along) - slope.value) < 1e-9


def test_stable_losses_are_the_formulas_of_the_slides_and_finite_where_those_are_not():
    import lecture_losses as lecture

    rng = np.random.default_rng(0)
    for _ in range(20):
        a, label, target = rng.normal(size=4), int(rng.integers(4)), float(rng.integers(2))
        assert lecture.cross_entropy(a, label) == pytest.approx(
            lecture.cross_entropy_as_written(a, label), rel=1e-13
        )
        assert lecture.binary_cross_entropy(a[0], target) == pytest.approx(
            lecture.binary_cross_entropy_as_written(a[0], target), rel=1e-12
        )
    value, gradient = lecture.emitted.cross_entropy_value_and_grad(np.array([800.0, 0, -800.0]), 1)
    assert (value, gradient.tolist()) == (800.0, [1.0, -1.0, 0.0])
    assert lecture.emitted.binary_cross_entropy_value_and_grad(-800.0, 1.0) == (800.0, -1.0)
    with np.errstate(all="ignore"):
        assert np.isinf(lecture.cross_entropy_as_written(np.array([800.0, 0, -800.0]), 1))


def test_xor_is_computed_by_hand_cannot_be_learned_hard_and_is_learned_soft():
    import lecture_xor as lecture

    assert lecture.hard_output(lecture.BY_HAND, lecture.X).tolist() == [0, 1, 1, 0]
    assert lecture.hard_gradient_is_zero()
    path, losses = lecture.train()
    np.testing.assert_allclose(lecture.soft_output(path[-1], lecture.X), lecture.T, atol=0.01)
    assert losses[-1] < 0.01 < 0.5 < losses[0]


def test_lookup_nets_compute_every_table_and_deep_nets_parity_with_fewer_units():
    import lecture_networks as lecture

    W, b, _ = lecture.lookup(np.zeros(8))
    row = W.tolist().index([-1.0, 1.0, -1.0])
    assert b[row] == -2.5  # the unit of the notes
    for table in product((0.0, 1.0), repeat=8):
        net = lecture.lookup(np.array(table))
        assert lecture.shallow(lecture.patterns(3), net).tolist() == list(table)
    for d in range(2, 11):
        x = lecture.patterns(d)
        odd = np.sum(x > 0, axis=1) % 2
        assert (lecture.parity(x) == odd).all()
        assert (lecture.shallow(x, lecture.lookup(odd)) == odd).all()
        # what is counted: the hidden units whose output weight is not zero, and the output
        assert np.count_nonzero(odd) + 1 == lecture.shallow_units(d)
    assert [lecture.deep_units(d) for d in (2, 3, 10)] == [4, 7, 28]
    errors = lecture.softness(np.array([0, 1, 1, 0, 1, 0, 0, 1.0]), np.array([1.0, 10.0, 40.0]))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-8
    assert lecture.collapse() < 1e-13


def test_differences_lose_half_of_the_digits_and_take_a_call_for_every_parameter():
    import lecture_differences as lecture

    curves, own = lecture.errors()
    best = {name: (error.min(), lecture.STEPS[error.argmin()]) for name, error in curves.items()}
    assert 1e-10 < best["forward difference"][0] < 1e-6
    assert 1e-9 < best["forward difference"][1] < 1e-7  # about the root of 2**-52
    assert 1e-13 < best["central difference"][0] < 1e-9
    assert 1e-7 < best["central difference"][1] < 1e-4  # about its cube root
    assert curves["complex step"][-1] < 1e-14 and own < 1e-14
    for curve in (curves["forward difference"], curves["central difference"]):
        assert curve[-1] > 1e3 * curve.min() and curve[0] > 1e3 * curve.min()  # a V
    calls, _, _, apart = lecture.cost(20)
    assert calls == 21 and apart < 1e-6


def test_forward_wins_for_few_inputs_and_reverse_for_few_outputs():
    import lecture_modes as lecture

    for n in (2, 5):
        forward, reverse = lecture.to_one(n)
        assert reverse == 3 * (n - 1) and forward > reverse  # a product and its n - 1 prefixes
        forward, reverse = lecture.from_one(n)
        assert forward == 3 * n and reverse > forward  # a sine, a cosine and a product for each
    assert np.less(*lecture.square(1, 3)) and np.greater(*lecture.square(3, 1))


def test_fits_have_the_digits_that_nist_certifies():
    """11 digits are printed: half a unit in the last of them is 5e-11 of the number at most."""
    import nist_strd

    for name in nist_strd.MODELS:
        problem = nist_strd.load(name)
        for start in problem.starts:
            assert nist_strd.solve(name, problem, start).digits > 10.3, name


def test_every_way_of_training_learns_digits(tmp_path, monkeypatch):
    """A few steps of each; at 2 % of the steps the nets are far from done."""
    import mnist_regimes as lecture

    monkeypatch.setattr(lecture, "PICTURES", tmp_path)

    runs = lecture.train_all(0.02)
    assert len(runs) == 7
    for name, run in runs.items():
        assert run.errors[0] > 0.8, name
    assert runs["minibatch, steps 0.5 / (1 + step/200)"].errors[-1] < 0.25
    assert runs["BFGS, output layer on the features of L-BFGS"].errors[-1] < 0.7
    lecture.draw_curves(runs)
    lecture.draw_learned(runs["minibatch of 50"].params)
    drawn = sorted(path.name for path in tmp_path.iterdir() if path.stat().st_size > 5_000)
    assert drawn == ["mnist_curves.png", "mnist_output_weights.png", "mnist_panel.png"]


def test_dropout_leaves_out_what_the_mask_leaves_out():
    import mnist_dropout_grad
    import mnist_mlp_grad

    rng = np.random.default_rng(0)
    W1, b1, W2, b2 = (rng.normal(size=s) for s in ((4, 6), (4,), (3, 4), (3,)))
    X, labels = rng.normal(size=(5, 6)), np.array([0, 2, 1, 1, 0])
    kept = np.array([0, 2])
    mask = np.zeros((5, 4))
    mask[:, kept] = 1.0
    value, grads = mnist_dropout_grad.loss_value_and_grad(W1, b1, W2, b2, X, labels, mask)
    small, expected = mnist_mlp_grad.loss_value_and_grad(
        W1[kept], b1[kept], W2[:, kept], b2, X, labels
    )
    assert value == pytest.approx(small, rel=1e-14)
    np.testing.assert_allclose(grads[0][kept], expected[0], rtol=1e-12)
    np.testing.assert_allclose(grads[2][:, kept], expected[2], rtol=1e-12)
    assert not grads[0][[1, 3]].any() and not grads[2][:, [1, 3]].any()


def test_training_and_fitting_import_no_gradgen():
    program = "import sys, nist_strd, mnist_regimes, lecture_xor, lecture_dag, lecture_losses\n"
    program += "print('gradgen' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=EXAMPLES, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# What each script prints last, but for where it draws.
SCRIPTS = {
    "lecture_activations": "softmax of (2, 1, 0, -1): [0.6439 0.2369 0.0871 0.0321]",
    "lecture_dag": "v7   │ (0, 2, 5, 6) │ [ 0.89672  0.38734  0.68094 -0.99161]",
    "lecture_differences": "one gradient of the logistic loss, in calls of the function",
    "lecture_losses": "multiclass │ (800, 0, -800), 1 │ inf        │ 800    │ [ 1. -1.  0.]",
    "lecture_modes": "n=6  R R R R R R",
    "lecture_networks": "10 │     513 │   28 │     0",
    "lecture_regression": "calculus class           │ -0.034858 │ -0.069905 │         47 │",
    "lecture_xor": "gradient of the hard net is zero wherever asked: True",
    "nist_strd": "Rat43    │ higher  │  15 │ 4 │         11.0 │         11.0",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_its_numbers_and_draws_its_picture(name, tmp_path, monkeypatch, capsys):
    module = importlib.import_module(name)
    pictures = []
    if hasattr(module, "PICTURE"):
        pictures.append(tmp_path / module.PICTURE.name)
        monkeypatch.setattr(module, "PICTURE", pictures[0])
    if hasattr(module, "PICTURES"):
        pictures += [tmp_path / "xor.png", tmp_path / "xor_film.png"]
        monkeypatch.setattr(module, "PICTURES", tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    module.main()
    assert SCRIPTS[name] in capsys.readouterr().out
    assert all(picture.stat().st_size > 5_000 for picture in pictures)
