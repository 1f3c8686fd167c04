"""Rows of energies, robotics and chemistry."""

import numpy as np
from corpus.rows import Draw, Known, positive_definite, row

TETRAHEDRON = np.array([0.0, 0.0, *[np.arccos(-1 / 3), 0.0], *[np.arccos(-1 / 3), 2 * np.pi / 3],
                        *[np.arccos(-1 / 3), 4 * np.pi / 3]])  # fmt: skip
# Two atoms at the distance of least energy.
PAIR = np.array([[0.0, 0.0, 0.0], [2 ** (1 / 6), 0.0, 0.0]])


def unit(v):
    return v / np.linalg.norm(v)


row(
    "energies:lennard_jones",
    "x epsilon sigma",
    lambda g: {"x": g.spread(4), "epsilon": 0.8, "sigma": 1.1},
    known=Known((PAIR, 1.0, 1.0), -1.0, stationary=None),
)
row(
    "energies:lennard_jones_arrays",
    "x",
    lambda g: {"x": g.spread(4)},
    known=Known((PAIR,), -1.0, stationary=1e-12),
)
row(
    "energies:lennard_jones_box",
    "x",
    lambda g: {"x": g.spread(4), "box": 3.6, "cutoff": 1.75},
    "real",
    tolerance=1e-6,
)
row(
    "energies:stillinger_weber",
    "pos",
    lambda g: {"pos": g.spread(4, noise=0.05)},
    "real",
    tolerance=1e-6,
)
row("energies:morse_chain", "x D a r0", lambda g: {"x": g.spread(4), "D": 1.2, "a": 0.9, "r0": 1.0})
row(
    "energies:ewald_real_space",
    "pos q",
    lambda g: {"pos": g.spread(4), "q": np.array([1.0, -1, 2, -2]), "alpha": 0.7},
    "real",
    tolerance=1e-6,
)
row(
    "energies:ewald_fourier",
    "pos q",
    lambda g: {"pos": g.spread(3), "q": np.array([1.0, -2.0, 1.0]), "alpha": 0.7, "L": 3.5},
)
row(
    "energies:spring_network",
    "x rest",
    lambda g: {
        "x": g.spread(4, 2),
        "edges": np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]]),
        "rest": g.uniform(0.8, 1.2, 5),
        "k": 30.0,
    },
)
row(
    "energies:ising_mean_field",
    "m h T",
    lambda g: {
        "m": g.uniform(-0.7, 0.7, 4),
        "J": positive_definite(g, 4),
        "h": g.normal(4),
        "T": 1.3,
    },
)
row(
    "energies:bead_spring",
    "r",
    lambda g: {
        "r": np.cumsum(np.array([unit(v) for v in g.normal(5, 3) + 2], dtype=float), axis=0),
        "k": 30.0,
        "R0": 1.5,
        "eps": 1.0,
        "sigma": 1.0,
    },
    "real",
    tolerance=1e-6,
)
row(
    "energies:n_body",
    "q p m",
    lambda g: {
        "q": g.spread(3),
        "p": g.normal(3, 3),
        "m": g.uniform(0.5, 2, 3),
        "G": 1.0,
        "soft": 0.05,
    },
)
row(
    "energies:leapfrog_orbit",
    "q0 p0 dt",
    lambda g: {"q0": np.array([1.0, 0.1]), "p0": np.array([0.0, 0.9]), "dt": 0.1},
    "real",
)
row(
    "energies:torsion",
    "xyz V",
    lambda g: {
        "xyz": np.array([[0, 0, 0.1], [1.0, 0, 0], [1.4, 1.0, 0.1], [2.2, 1.1, 0.9]]),
        "V": g.normal(3),
    },
    "real",
)
row(
    "energies:angle_bending",
    "xyz k theta0",
    lambda g: {
        "xyz": np.array([[0, 0, 0.1], [1.0, 0, 0], [1.4, 1.0, 0.1], [2.2, 1.1, 0.9]]),
        "triples": np.array([[0, 1, 2], [1, 2, 3]]),
        "k": 2.0,
        "theta0": 1.9,
    },
    "real",
)
row("energies:phi_four", "phi m2 lam", lambda g: {"phi": g.normal(3, 4), "m2": 0.5, "lam": 1.2})
row("energies:xy_model", "theta", lambda g: {"theta": g.normal(3, 4), "J": 0.7})
row(
    "energies:frenkel_kontorova",
    "x a V",
    lambda g: {"x": np.cumsum(g.uniform(0.5, 2, 5)), "a": 1.1, "V": 0.4},
)
row(
    "energies:thomson",
    "angles",
    lambda g: {"angles": g.uniform(0.4, 2.5, 8)},
    "real",
    known=Known((TETRAHEDRON,), 3.674234614, 1e-9, stationary=1e-9),
    tolerance=1e-6,
)
row("energies:sutton_chen", "x c", lambda g: {"x": g.spread(4), "c": 3.0})
row(
    "energies:ginzburg_landau",
    "psi kappa",
    lambda g: {"psi": g.normal(4, 3), "kappa": 0.6, "h": 0.5},
)
row(
    "energies:neo_hookean",
    "u mu",
    lambda g: {"u": g.normal(3, 2, scale=0.1), "lam": 1.5, "mu": 0.8},
)
row("energies:thomas_fermi", "chi", lambda g: {"chi": g.uniform(0.3, 0.9, 5), "h": 0.2})
row("energies:action", "path", lambda g: {"path": g.normal(6), "dt": 0.3})


def pose(g: Draw):
    return np.vstack([np.hstack([np.linalg.qr(g.normal(3, 3))[0], g.normal(3, 1)]), [0, 0, 0, 1]])


row(
    "robotics:two_link",
    "q l1 l2",
    lambda g: {"q": np.array([0.4, 0.9]), "l1": 1.0, "l2": 0.7, "target": np.array([0.8, 0.6])},
)
row("robotics:six_link", "q", lambda g: {"q": g.normal(6), "target": g.normal(3)})
row("robotics:puma560", "q", lambda g: {"q": g.normal(6), "pose": pose(g)}, "real")
row("robotics:manipulability", "q", lambda g: {"q": g.uniform(0.3, 0.9, 3)}, "real")
row(
    "robotics:rodrigues",
    "w P",
    lambda g: {"w": np.array([0.4, -0.3, 0.7]), "P": g.normal(4, 3), "Q": g.normal(4, 3)},
    "real",
)
row(
    "robotics:quaternion_rotation",
    "q points",
    lambda g: {
        "q": np.array([0.8, 0.3, -0.2, 0.5]),
        "points": g.normal(4, 3),
        "targets": g.normal(4, 3),
    },
    "real",
)
row(
    "robotics:quaternion_product",
    "p q v",
    lambda g: {"p": g.normal(4), "q": g.normal(4), "v": g.normal(3)},
)
row(
    "robotics:reprojection",
    "camera X",
    lambda g: {
        "camera": np.array([0.2, -0.1, 0.3, 0.1, 0.2, -4.0, 1.5, -0.1, 0.02]),
        "X": g.normal(5, 3, scale=0.5),
        "uv": g.normal(5, 2, scale=0.3),
    },
)
row(
    "robotics:brown_conrady",
    "params",
    lambda g: {
        "params": np.array([1.1, 0.9, 0.05, -0.1, -0.2, 0.05, 0.01, -0.02]),
        "x": g.normal(6),
        "y": g.normal(6),
        "u": g.normal(6),
        "v": g.normal(6),
    },
)
row(
    "multiview:homography",
    "h src",
    lambda g: {
        "h": np.array([1.1, 0.1, 0.3, -0.1, 0.9, 0.2, 0.05, 0.02]),
        "src": g.normal(5, 2),
        "dst": g.normal(5, 2),
    },
)
row(
    "multiview:epipolar",
    "F",
    lambda g: {"F": g.normal(3, 3), "x1": g.normal(5, 3), "x2": g.normal(5, 3)},
)
row(
    "robotics:pose_graph",
    "poses",
    lambda g: {
        "poses": g.normal(4, 3),
        "edges": 2.0,
        "measured": g.normal(4, 3),
        "information": positive_definite(g, 3),
    },
)
row(
    "robotics:pendulum_energy",
    "q dq params",
    lambda g: {"q": g.normal(2), "dq": g.normal(2), "params": np.array([1.0, 0.7, 0.9, 1.2, 9.81])},
)
row("robotics:cart_pole_shooting", "u dt", lambda g: {"u": g.normal(4), "dt": 0.1}, "real")
row(
    "robotics:icp_plane",
    "twist P",
    lambda g: {
        "twist": g.normal(6, scale=0.2),
        "P": g.normal(5, 3),
        "Q": g.normal(5, 3),
        "normals": g.normal(5, 3),
    },
)
row(
    "robotics:lqr_cost",
    "K x0",
    lambda g: {
        "K": g.normal(1, 2, scale=0.3),
        "A": np.array([[1.0, 0.1], [0.0, 1.0]]),
        "B": np.array([[0.0], [0.1]]),
        "Q": np.eye(2),
        "R": np.eye(1),
        "x0": g.normal(2),
    },
)

row(
    "chemistry:michaelis_menten",
    "theta",
    lambda g: {"theta": np.array([2.0, 0.7]), "S": g.uniform(0.1, 3, 6), "v": g.uniform(0.2, 2, 6)},
)
row(
    "chemistry:hill",
    "p",
    lambda g: {
        "p": {"bottom": 0.1, "top": 1.2, "ec50": 0.6, "n": 1.7},
        "dose": g.uniform(0.1, 3, 6),
        "response": g.uniform(0, 1, 6),
    },
)
row(
    "chemistry:logistic_growth",
    "r K N0",
    lambda g: {
        "r": 0.8,
        "K": 5.0,
        "N0": 0.4,
        "t": g.uniform(0, 5, 6),
        "counts": g.uniform(0.5, 5, 6),
    },
)
row(
    "chemistry:gompertz",
    "params",
    lambda g: {
        "params": np.log([0.5, 0.8, 0.3]),
        "t": g.uniform(0, 5, 6),
        "volume": g.uniform(0.5, 5, 6),
    },
    "real",
)
row(
    "chemistry:nernst",
    "c_in c_out T",
    lambda g: {"c_in": 140.0, "c_out": 5.0, "z": 1, "T": 310.15},
    "real",
    # E_K = -89.05 mV; Hille (2001), table 1.3 gives 26.73 mV for RT/F at 37 °C
    known=Known((140.0, 5.0, 1, 310.15), -0.02673 * np.log(140 / 5), 1e-3, stationary=None),
)
row(
    "chemistry:goldman",
    "P c_out c_in",
    lambda g: {
        "P": np.array([1.0, 0.04, 0.45]),
        "c_out": np.array([5.0, 145.0, 110.0]),
        "c_in": np.array([140.0, 10.0, 4.0]),
        "T": 310.0,
    },
)
row(
    "chemistry:arrhenius",
    "log_A Ea",
    lambda g: {"log_A": 20.0, "Ea": 50.0, "T": g.uniform(280, 360, 6), "k": g.uniform(0.5, 30, 6)},
)
row("chemistry:eyring", "dH dS T", lambda g: {"dH": 80e3, "dS": -30.0, "T": 298.15}, "real")
row(
    "chemistry:lotka_volterra",
    "p y0",
    lambda g: {
        "p": np.array([1.1, 0.4, 0.4, 0.1]),
        "y0": np.array([3.0, 1.5]),
        "data": g.uniform(1, 4, 3, 2),
        "h": 0.1,
    },
)
row(
    "chemistry:sir",
    "beta gamma",
    lambda g: {
        "beta": 0.4,
        "gamma": 0.2,
        "S": 95.0,
        "infected": 5.0,
        "N": 100.0,
        "observed": g.uniform(1, 4, 5),
    },
)
row(
    "chemistry:debye_huckel",
    "c log_k",
    lambda g: {"z": np.array([1.0, -1, 2]), "c": g.uniform(0.01, 0.2, 3), "log_k": 0.3},
)
row(
    "chemistry:langmuir_freundlich",
    "q K n",
    lambda g: {
        "q": 2.0,
        "K": 0.7,
        "n": 1.4,
        "p": g.uniform(0.1, 4, 6),
        "loading": g.uniform(0.1, 2, 6),
    },
)
row(
    "chemistry:van_der_waals",
    "V T a b",
    lambda g: {"V": 2e-2, "T": 300.0, "a": 0.364, "b": 4.27e-5},
    "real",
)
row(
    "chemistry:antoine",
    "coef",
    lambda g: {
        "coef": np.array([8.07, 1730.6, 233.4]),
        "T": g.uniform(20, 100, 5),
        "logp": g.uniform(1, 3, 5),
    },
)
row(
    "chemistry:nrtl",
    "tau12 tau21 alpha",
    lambda g: {"tau12": 0.5, "tau21": 1.2, "alpha": 0.3, "x1": g.uniform(0.1, 0.9, 5)},
)
row(
    "chemistry:gibbs_mixture",
    "n",
    lambda g: {
        "n": g.uniform(0.2, 1, 3),
        "g0": g.normal(3),
        "A": np.array([[2.0, 0, 1], [0, 2, 1]]),
    },
)
row("chemistry:hodgkin_huxley_gates", "V", lambda g: {"V": g.uniform(-80, -57, 4)})
row(
    "chemistry:compartments",
    "k",
    lambda g: {
        "k": np.log([1.5, 0.2, 10.0]),
        "dose": 100.0,
        "t": g.uniform(0.5, 8, 5),
        "conc": g.uniform(1, 6, 5),
    },
)
row(
    "chemistry:robertson_implicit",
    "k y",
    lambda g: {
        "k": np.array([0.04, 3.0, 1.0]),
        "y": np.array([0.7, 0.2, 0.1]),
        "y_old": np.array([0.8, 0.15, 0.05]),
        "h": 0.3,
    },
    "real",
)
row(
    "chemistry:tight_binding",
    "t e",
    lambda g: {"t": g.uniform(0.8, 1.2, 4), "e": g.uniform(0, 1, 4)},
    "real",
)
row(
    "chemistry:felsenstein",
    "lengths",
    lambda g: {"lengths": g.uniform(0.1, 0.8, 3), "tips": np.eye(4)[[0, 0, 2]]},
)
row("chemistry:rc_relaxation", "D x", lambda g: {"D": 0.7, "x": 1.3}, "real")
