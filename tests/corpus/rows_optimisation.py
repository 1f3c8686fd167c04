"""Rows of test functions and of regressions, with the minima that the literature states."""

import numpy as np
from corpus.rows import Known, row

ZERO4 = np.zeros(4)


def least(value, *args, rtol=1e-6, atol=1e-12, stationary=1e-6):
    return Known(args, value, rtol, atol, stationary)


def at(count, scale=1.0):
    return lambda g: {"x": g.normal(count, scale=scale)}


row("optimisation:rosenbrock", "x", at(5), known=least(0.0, np.ones(5)))
row("optimisation:rastrigin", "x", at(4), known=least(0.0, ZERO4))
row("optimisation:ackley", "x", at(4), known=None)
row("optimisation:griewank", "x", at(4, 5.0), known=least(0.0, ZERO4))
row("optimisation:levy", "x", at(4, 3.0), known=least(0.0, np.ones(4)))
row(
    "optimisation:styblinski_tang",
    "x",
    at(4),
    known=least(4 * -39.16616570377142, np.full(4, -2.9035340276896057)),
)
row("optimisation:zakharov", "x", at(4), known=least(0.0, ZERO4))
row("optimisation:powell_singular", "x", at(4), known=least(0.0, ZERO4))
row(
    "optimisation:powell_singular",
    "x",
    at(4),
    known=least(215.0, np.array([3.0, -1.0, 0.0, 1.0]), stationary=None),
)
row("optimisation:wood", "x", at(4), known=least(0.0, np.ones(4)))
row(
    "optimisation:wood",
    "x",
    at(4),
    known=least(19192.0, np.array([-3.0, -1.0, -3.0, -1.0]), stationary=None),
)
row(
    "optimisation:dixon_price",
    "x",
    at(4),
    known=least(0.0, 2.0 ** -(1 - 2.0 ** (1 - np.arange(1, 5)))),
)
row(
    "optimisation:michalewicz",
    "x",
    lambda g: {"x": g.uniform(0.5, 2.6, 5)},
    known=least(
        -4.687658, np.array([2.202906, 1.570796, 1.284992, 1.923058, 1.720470]), stationary=1e-3
    ),
    tolerance=1e-6,
)
row(
    "optimisation:branin",
    "x1 x2",
    lambda g: {"x1": 2.0, "x2": 4.0},
    "real",
    known=least(0.397887, np.pi, 2.275, stationary=1e-12),
)
row(
    "optimisation:hartmann6",
    "x",
    lambda g: {"x": g.uniform(0, 1, 6)},
    known=least(
        -3.32237,
        np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]),
        stationary=1e-3,
    ),
)
row(
    "optimisation:goldstein_price",
    "x y",
    lambda g: {"x": 0.3, "y": -0.7},
    known=least(3.0, 0.0, -1.0),
)
row(
    "optimisation:beale",
    "p",
    lambda g: {"p": np.array([1.2, 0.8])},
    known=least(0.0, np.array([3.0, 0.5])),
)
row("optimisation:trid", "x", at(6), known=least(-50.0, np.array([6.0, 10, 12, 12, 10, 6])))
row("optimisation:himmelblau", "x y", lambda g: {"x": 1.0, "y": 2.5}, known=least(0.0, 3.0, 2.0))
row(
    "optimisation:six_hump_camel",
    "x",
    lambda g: {"x": np.array([0.6, -0.3])},
    known=least(-1.031628453, np.array([0.089842013, -0.712656403]), stationary=1e-6),
)
row(
    "optimisation:easom",
    "x",
    lambda g: {"x": np.array([2.6, 3.3])},
    known=least(-1.0, np.full(2, np.pi)),
)
row(
    "optimisation:mccormick",
    "x y",
    lambda g: {"x": 0.4, "y": -1.1},
    "real",
    known=least(-1.9132229549810367, -0.5471975511965976, -1.5471975511965976),
)
row(
    "optimisation:schwefel",
    "x",
    lambda g: {"x": g.uniform(50, 450, 4)},
    "real",
    known=least(0.0, np.full(4, 420.9687462275036), atol=1e-9),
    tolerance=1e-6,
)
row(
    "optimisation:shekel10",
    "x",
    lambda g: {"x": g.uniform(1, 8, 4)},
    known=least(-10.53641, np.array([4.000747, 4.000593, 3.999663, 3.999510]), stationary=1e-2),
)
row(
    "optimisation:helical_valley",
    "x",
    lambda g: {"x": np.array([0.7, 0.4, 0.3])},
    "real",
    known=least(0.0, np.array([1.0, 0.0, 0.0])),
)
row(
    "optimisation:box3d",
    "x",
    lambda g: {"x": np.array([0.5, 8.0, 1.4])},
    known=least(0.0, np.array([1.0, 10.0, 1.0])),
)
row("optimisation:broyden_tridiagonal", "x", at(5), known=None)
row("optimisation:brown_almost_linear", "x", at(4), known=least(0.0, np.ones(4)))
row(
    "optimisation:watson",
    "x",
    at(6),
    known=least(
        2.28767005355e-3,
        np.array([-0.015725, 1.012435, -0.232992, 1.260430, -1.513729, 0.992996]),
        rtol=1e-3,
        stationary=1e-2,
    ),
)
row(
    "optimisation:biggs_exp6",
    "x",
    lambda g: {"x": np.array([1.0, 2, 1, 1, 1, 1])},
    known=least(0.0, np.array([1.0, 10, 1, 5, 4, 3])),
)


def certified(value, *args):
    """A certified residual sum of squares; the parameters have eleven digits."""
    return Known(args, value, 1e-9, 0.0, None)


row(
    "regressions:misra1a",
    "b",
    lambda g: {"b": np.array([250.0, 5e-4])},
    known=certified(1.2455138894e-01, np.array([2.3894212918e02, 5.5015643181e-04])),
)
row(
    "regressions:misra1b",
    "b1 b2",
    lambda g: {"b1": 300.0, "b2": 2e-4},
    known=certified(7.5464681533e-02, 3.3799746163e02, 3.9039091287e-04),
)
row(
    "regressions:misra1d",
    "b",
    lambda g: {"b": np.array([450.0, 3e-4])},
    known=certified(5.6419295283e-02, np.array([4.3736970754e02, 3.0227324449e-04])),
)
row(
    "regressions:mgh09",
    "b",
    lambda g: {"b": np.array([0.25, 0.39, 0.415, 0.39])},
    known=certified(
        3.0750560385e-04,
        np.array([1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01]),
    ),
)
row(
    "regressions:thurber",
    "b",
    lambda g: {"b": np.array([1300.0, 1500.0, 500.0, 75.0, 1.0, 0.4, 0.05])},
    known=certified(
        5.6427082397e03,
        np.array(
            [
                1.2881396800e03,
                1.4910792535e03,
                5.8323836877e02,
                7.5416644291e01,
                9.6629502864e-01,
                3.9797285797e-01,
                4.9727297349e-02,
            ]
        ),
    ),
)
row(
    "regressions:boxbod",
    "b",
    lambda g: {"b": np.array([100.0, 0.75])},
    "real",
    tolerance=1e-6,
    known=certified(1.1680088766e03, np.array([2.1380940889e02, 5.4723748542e-01])),
)
row(
    "regressions:rat42",
    "b",
    lambda g: {"b": np.array([75.0, 2.5, 0.07])},
    known=certified(
        8.0565229338e00, np.array([7.2462237576e01, 2.6180768402e00, 6.7359200066e-02])
    ),
)
row(
    "regressions:eckerle4",
    "b",
    lambda g: {
        "b": np.array([1.5, 5.0, 450.0]),
        "x": np.linspace(430, 470, 7),
        "y": g.uniform(0, 0.1, 7),
    },
)
row(
    "regressions:gauss_peaks",
    "b",
    lambda g: {
        "b": np.array([97.0, 0.009, 100.0, 65.0, 20.0, 70.0, 178.0, 16.5]),
        "x": np.linspace(1, 250, 9),
        "y": g.uniform(0, 100, 9),
    },
)
row(
    "regressions:lanczos",
    "b",
    lambda g: {
        "b": np.array([1.2, 0.3, 5.6, 5.5, 6.5, 7.6]),
        "x": np.linspace(0, 1.15, 6),
        "y": g.uniform(0, 2.5, 6),
    },
)
row(
    "regressions:bennett5",
    "b",
    lambda g: {
        "b": np.array([-1500.0, 45.0, 0.85]),
        "x": np.linspace(7, 50, 6),
        "y": g.uniform(-35, -30, 6),
    },
)
row(
    "regressions:polynomial",
    "coef",
    lambda g: {"coef": g.normal(5), "x": g.normal(7), "y": g.normal(7)},
)
