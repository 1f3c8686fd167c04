"""Rows of series, networks and finance."""

import numpy as np
from corpus.rows import Known, positive_definite, row

row("series:ar_residuals", "phi x", lambda g: {"phi": np.array([0.5, -0.2]), "x": g.normal(8)})
row(
    "series:arma11",
    "params",
    lambda g: {"params": np.array([0.2, 0.5, -0.3]), "y": g.normal(7)},
    "real",
)
row(
    "series:vector_autoregression",
    "A B",
    lambda g: {"A": g.normal(2, 2), "B": g.normal(2, 2), "Y": g.normal(9, 2)},
)
row(
    "series:holt_winters",
    "params",
    lambda g: {"params": np.array([0.4, 0.2, 0.3]), "y": g.normal(11)},
)
row(
    "series:convolution",
    "kernel signal",
    lambda g: {"kernel": g.normal(3), "signal": g.normal(6), "observed": g.normal(8)},
    "real",
)
row("series:np_convolve", "kernel signal", lambda g: {"kernel": g.normal(3), "signal": g.normal(6)})
row(
    "series:total_variation",
    "u lam",
    lambda g: {"u": g.normal(4, 5), "f": g.normal(4, 5), "lam": 0.7},
)
row("series:whittaker", "z lam", lambda g: {"z": g.normal(7), "y": g.normal(7), "lam": 2.0})
row(
    "series:p_spline",
    "coef lam",
    lambda g: {"coef": g.normal(6), "B": g.uniform(0, 1, 8, 6), "y": g.normal(8), "lam": 0.5},
    "real",
)
row(
    "series:fir_design",
    "h",
    lambda g: {"h": g.normal(4), "omega": np.linspace(0, np.pi, 9), "desired": g.uniform(0, 1, 9)},
)
row(
    "series:iir_biquad",
    "b a",
    lambda g: {
        "b": g.normal(3),
        "a": g.normal(2, scale=0.3),
        "x": g.normal(6),
        "target": g.normal(6),
    },
)
row("series:dct_sparsity", "x eps", lambda g: {"x": g.normal(6), "eps": 0.1})
row("series:autocorrelation", "x", lambda g: {"x": g.normal(9)})
row(
    "series:fourier_series",
    "coef period",
    lambda g: {"coef": g.normal(5), "t": g.uniform(0, 4, 7), "y": g.normal(7), "period": 4.0},
    "real",
)
row(
    "series:phase_interpolation",
    "knots",
    lambda g: {
        "knots": g.normal(5),
        "x": np.arange(5.0),
        "t": g.uniform(0.1, 3.9, 6),
        "y": g.normal(6),
    },
    "real",
)
row("series:dynamic_time_warp", "a b", lambda g: {"a": g.normal(3), "b": g.normal(4)}, "real")
row(
    "series:horn_schunck",
    "u v",
    lambda g: {k: g.normal(3, 4) for k in ("u", "v", "Ix", "Iy", "It")} | {"alpha": 0.6},
)
row("series:mutual_coherence", "D", lambda g: {"D": g.normal(3, 4)})
row("series:kurtosis", "w", lambda g: {"w": g.normal(3), "X": g.normal(8, 3)}, "real")

row(
    "networks:mlp",
    "params",
    lambda g: {
        "params": [(g.normal(3, 4), g.normal(4)), (g.normal(4, 2), g.normal(2))],
        "X": g.normal(5, 3),
        "y": g.normal(5, 2),
    },
)
row(
    "networks:lstm",
    "params",
    lambda g: {
        "params": {"W": g.normal(8, 5, scale=0.5), "b": g.normal(8)},
        "xs": g.normal(3, 3),
        "target": g.normal(2),
    },
)
row(
    "networks:gru",
    "Wz Wr Wh",
    lambda g: {
        "Wz": g.normal(2, 5),
        "Wr": g.normal(2, 5),
        "Wh": g.normal(2, 5),
        "xs": g.normal(3, 3),
    },
)
row(
    "networks:attention",
    "Wq Wk Wv X",
    lambda g: {
        "Wq": g.normal(3, 2),
        "Wk": g.normal(3, 2),
        "Wv": g.normal(3, 2),
        "X": g.normal(4, 3),
    },
    "real",
)
row(
    "networks:multi_head", "W X", lambda g: {"W": g.normal(3, 2, 3, 2), "X": g.normal(4, 3)}, "real"
)
row(
    "networks:layer_norm",
    "gamma beta X",
    lambda g: {"gamma": g.normal(4), "beta": g.normal(4), "X": g.normal(3, 4), "eps": 1e-5},
    "real",
)
row(
    "networks:batch_norm",
    "p X",
    lambda g: {
        "p": {"gamma": g.normal(3), "beta": g.normal(3)},
        "X": g.normal(5, 3),
        "T": g.normal(5, 3),
    },
)
row("networks:group_norm_rms", "w X", lambda g: {"w": g.normal(4), "X": g.normal(3, 4)})
row(
    "networks:conv2d",
    "image kernel",
    lambda g: {"image": g.normal(6, 6), "kernel": g.normal(3, 3), "target": g.normal(2, 2)},
    "real",
)
row("networks:max_pool", "image", lambda g: {"image": g.normal(4, 6)}, "real")
row(
    "networks:graph_convolution",
    "W1 W2",
    lambda g: {
        "W1": g.normal(3, 4),
        "W2": g.normal(4, 2),
        "A": np.array([[0.0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]),
        "X": g.normal(4, 3),
        "Y": np.eye(2)[[0, 1, 1, 0]],
    },
    "real",
)
row(
    "networks:word2vec",
    "emb",
    lambda g: {
        "center": np.array([0, 1, 4]),
        "context": np.array([1, 2, 3]),
        "negatives": np.array([[2, 3], [3, 4], [0, 0]]),
        "emb": g.normal(5, 3),
    },
)
row(
    "networks:gelu_block",
    "W b x",
    lambda g: {"W": g.normal(3, 3), "b": g.normal(3), "x": g.normal(3)},
    "real",
)
row(
    "networks:rnn_adding",
    "U V w",
    lambda g: {"U": g.normal(2, 2), "V": g.normal(2), "w": g.normal(2), "xs": g.normal(4)},
)
row(
    "networks:matrix_factorisation",
    "P Q lam",
    lambda g: {
        "P": g.normal(4, 2),
        "Q": g.normal(3, 2),
        "users": np.array([0, 1, 1, 3, 2]),
        "items": np.array([2, 0, 2, 1, 1]),
        "ratings": g.normal(5),
        "lam": 0.1,
    },
)
row(
    "networks:policy_gradient",
    "theta",
    lambda g: {
        "theta": g.normal(3, 2),
        "states": g.normal(4, 3),
        "actions": g.ints(2, 4),
        "rewards": g.normal(4),
        "gamma": 0.9,
    },
)
row("networks:tsne", "Y", lambda g: {"Y": g.normal(4, 2), "P": g.uniform(0.02, 0.1, 4, 4)})

row(
    "finance:black_scholes_call",
    "S K T r sigma",
    lambda g: {"S": 42.0, "K": 40.0, "T": 0.5, "r": 0.1, "sigma": 0.2},
    "real",
    # Hull, Options, Futures and Other Derivatives (2012), example 14.6: 4.76
    known=Known((42.0, 40.0, 0.5, 0.1, 0.2), 4.76, 1e-3, stationary=None),
)
row(
    "finance:smile_error",
    "sigma S",
    lambda g: {
        "sigma": 0.3,
        "S": 100.0,
        "strikes": g.uniform(80, 120, 5),
        "T": 0.5,
        "r": 0.02,
        "prices": g.uniform(2, 25, 5),
    },
    "real",
)
row(
    "finance:bachelier",
    "F vol",
    lambda g: {"F": 1.0, "K": g.uniform(0.5, 1.5, 4), "T": 2.0, "vol": 0.3},
    "real",
)
row(
    "finance:nelson_siegel",
    "beta tau",
    lambda g: {
        "beta": g.normal(3),
        "tau": 1.7,
        "maturities": g.uniform(0.25, 10, 6),
        "yields": g.normal(6),
    },
)
row(
    "finance:svensson_prices",
    "p",
    lambda g: {
        "p": np.array([0.04, -0.02, 0.01, 0.015, 1.5, 6.0]),
        "cashflows": g.uniform(0, 10, 4, 5),
        "times": np.arange(1.0, 6.0),
        "prices": g.uniform(10, 30, 4),
    },
)
row(
    "finance:sabr",
    "alpha beta rho nu F K",
    lambda g: {"alpha": 0.2, "beta": 0.6, "rho": -0.3, "nu": 0.4, "F": 1.0, "K": 1.2, "T": 1.5},
    "real",
)
row(
    "finance:sharpe",
    "w",
    lambda g: {"w": g.uniform(0.1, 1, 3), "returns": g.normal(8, 3), "rf": 0.02},
    "real",
)
row(
    "finance:markowitz",
    "w lam",
    lambda g: {
        "w": g.uniform(0, 1, 3),
        "mu": g.normal(3),
        "Sigma": positive_definite(g, 3),
        "lam": 1.5,
    },
)
row(
    "finance:risk_parity",
    "w",
    lambda g: {"w": g.uniform(0.1, 1, 3), "Sigma": positive_definite(g, 3)},
)
row(
    "finance:vasicek_bond",
    "r0 kappa theta sigma T",
    lambda g: {"r0": 0.03, "kappa": 0.5, "theta": 0.05, "sigma": 0.02, "T": 4.0},
)
row(
    "finance:heston_qe_variance",
    "kappa theta xi v0 t",
    lambda g: {"kappa": 1.5, "theta": 0.04, "xi": 0.5, "v0": 0.05, "t": 0.25},
    "real",
)
row(
    "finance:asian_monte_carlo",
    "S0 sigma r",
    lambda g: {
        "S0": 100.0,
        "sigma": 0.3,
        "normals": g.normal(6, 4),
        "K": 98.0,
        "r": 0.03,
        "dt": 0.25,
    },
    "real",
)
row(
    "finance:binomial_american",
    "S u r",
    lambda g: {"S": 100.0, "u": 1.13, "K": 103.0, "r": 0.01},
    "real",
)
row("finance:present_value", "rate cashflows", lambda g: {"rate": 0.05, "cashflows": g.normal(5)})
row(
    "finance:cvar",
    "w t",
    lambda g: {"w": g.normal(3), "t": 0.3, "losses": g.normal(8, 3), "level": 0.9},
    "real",
)
row(
    "finance:max_drawdown_smooth",
    "w",
    lambda g: {"w": g.uniform(0, 1, 3), "returns": g.normal(7, 3, scale=0.1)},
    "real",
)
