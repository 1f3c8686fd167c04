"""Rows of losses, likelihoods and kernels."""

import numpy as np
from corpus.rows import Draw, positive_definite, row


def regression(g: Draw, name="w", n=7, d=3, **more):
    return {name: g.normal(d), "X": g.normal(n, d), "y": g.normal(n), **more}


def counted(g: Draw, n=6, d=2):
    return {"X": g.normal(n, d, scale=0.5), "y": g.ints(5, n).astype(float)}


row("losses:ridge", "w X lam", lambda g: regression(g, lam=0.3))
row("losses:huber", "theta", lambda g: regression(g, "theta", delta=1.0), "real")
row("losses:huber_by_masks", "theta", lambda g: regression(g, "theta"), "real")
row("losses:log_cosh", "w X", lambda g: regression(g), "real")
row("losses:pinball", "beta", lambda g: regression(g, "beta", tau=0.3), "real")
row("losses:focal", "logits gamma alpha", lambda g: {
    "logits": g.normal(6), "labels": g.ints(2, 6).astype(float), "gamma": 2.0,
    "alpha": 0.25}, "real")  # fmt: skip
row(
    "losses:linear_svm",
    "w b",
    lambda g: {"w": g.normal(3), "b": 0.2, "X": g.normal(7, 3), "y": g.signs(7), "C": 1.5},
    "real",
)
row(
    "losses:smooth_hinge",
    "w",
    lambda g: {"w": g.normal(3), "X": g.normal(9, 3), "y": g.signs(9)},
    "real",
)
row(
    "losses:multiclass_hinge",
    "W",
    lambda g: {"W": g.normal(3, 4), "X": g.normal(5, 3), "labels": g.ints(4, 5)},
    "real",
)
row(
    "losses:softmax_cross_entropy",
    "params",
    lambda g: {
        "params": {"W": g.normal(3, 4), "b": g.normal(4)},
        "X": g.normal(5, 3),
        "labels": g.ints(4, 5),
    },
)
row(
    "losses:label_smoothing",
    "logits eps",
    lambda g: {"logits": g.normal(4, 3), "targets": np.eye(3)[g.ints(3, 4)], "eps": 0.1},
    "real",
)
row(
    "losses:kl_divergence",
    "theta",
    lambda g: {"theta": g.normal(4), "p": g.uniform(0.1, 1.0, 4)},
    "real",
)
row(
    "losses:jensen_shannon",
    "a b",
    lambda g: {"a": g.uniform(0.2, 1.0, 5), "b": g.uniform(0.2, 1.0, 5)},
)
row(
    "losses:triplet",
    "anchor positive negative",
    lambda g: {
        "anchor": g.normal(5, 3),
        "positive": g.normal(5, 3),
        "negative": g.normal(5, 3),
        "margin": 0.5,
    },
    "real",
)
row(
    "losses:contrastive",
    "u v margin",
    lambda g: {"u": g.normal(6, 3), "v": g.normal(6, 3), "same": g.ints(2, 6), "margin": 2.0},
    "real",
)
row("losses:info_nce", "z t", lambda g: {"z": g.normal(4, 3), "t": 0.5}, "real")
row("losses:tukey_biweight", "beta", lambda g: regression(g, "beta", n=9), "real")
row(
    "losses:barron",
    "theta alpha c",
    lambda g: {"theta": g.normal(2), "x": g.normal(6), "y": g.normal(6), "alpha": 1.3, "c": 0.8},
    "real",
)
row(
    "losses:soft_dice",
    "logits",
    lambda g: {"logits": g.normal(3, 4), "mask": g.ints(2, 3, 4).astype(float)},
)
row(
    "losses:giou",
    "box",
    lambda g: {"box": np.array([0.1, 0.2, 1.3, 1.1]), "target": np.array([0.4, 0.3, 1.6, 1.5])},
    "real",
)
row(
    "losses:vae_elbo",
    "mu log_var W b",
    lambda g: {
        "mu": g.normal(3, 2),
        "log_var": g.normal(3, 2),
        "noise": g.normal(3, 2),
        "x": g.uniform(0, 1, 3, 4),
        "W": g.normal(2, 4),
        "b": g.normal(4),
    },
)
row(
    "ordering:log_rank_ndcg",
    "scores",
    lambda g: {"scores": g.normal(5, scale=0.3), "gains": g.uniform(0, 3, 5)},
    "real",
    tolerance=1e-6,
)
row("ordering:trimmed_squares", "beta", lambda g: regression(g, "beta", n=8), "real")

row("ordering:gini", "x", lambda g: {"x": g.uniform(1, 5, 6)}, "real")
row("ordering:gini_sorted", "x", lambda g: {"x": g.uniform(1, 5, 6)}, "real")
row("ordering:l_moment_ratio", "x", lambda g: {"x": g.uniform(1, 5, 6)}, "real")
row(
    "ordering:quantile_match",
    "theta",
    lambda g: {"theta": np.array([0.2, 0.1]), "z": g.normal(8), "target": g.normal(3)},
    "real",
)

row(
    "likelihoods:normal", "mu log_sigma", lambda g: {"mu": 0.3, "log_sigma": -0.2, "x": g.normal(8)}
)
row(
    "likelihoods:student_t",
    "beta log_scale nu",
    lambda g: {
        "beta": g.normal(2),
        "log_scale": 0.2,
        "nu": 4.0,
        "X": g.normal(7, 2),
        "y": g.normal(7),
    },
    "real",
)
row(
    "likelihoods:poisson_regression",
    "beta exposure",
    lambda g: {
        "beta": g.normal(2),
        "X": g.normal(5, 2),
        "counts": g.ints(6, 5).astype(float),
        "exposure": g.uniform(0.5, 2, 5),
    },
    "real",
)
row(
    "likelihoods:negative_binomial",
    "params",
    lambda g: {"params": {"beta": g.normal(2), "log_alpha": -0.4}, **counted(g)},
    "real",
)
row(
    "likelihoods:zero_inflated_poisson",
    "beta gamma",
    lambda g: {
        "beta": g.normal(2),
        "gamma": g.normal(2),
        "X": g.normal(6, 2),
        "y": np.array([0.0, 2, 0, 1, 4, 0]),
    },
    "real",
)
row(
    "likelihoods:gaussian_mixture",
    "theta x",
    lambda g: {
        "theta": {"logits": g.normal(3), "log_sigma": g.normal(3, scale=0.3), "mu": g.normal(3)},
        "x": g.normal(6),
    },
    "real",
)
row(
    "likelihoods:mixture_full_covariance",
    "logits means factors",
    lambda g: {
        "logits": g.normal(2),
        "means": g.normal(2, 2),
        "factors": g.normal(2, 2, 2),
        "X": g.normal(5, 2),
    },
    "real",
)
row(
    "likelihoods:weibull_censored",
    "log_shape beta",
    lambda g: {
        "log_shape": 0.3,
        "beta": g.normal(2),
        "X": g.normal(6, 2),
        "t": g.uniform(0.2, 3, 6),
        "event": np.array([1.0, 1, 0, 1, 0, 1]),
    },
)
for name in ("von_mises", "von_mises_numpy"):
    row(
        f"likelihoods:{name}",
        "mu kappa",
        lambda g: {"mu": 0.4, "kappa": 1.7, "angles": g.uniform(-2, 2, 7)},
        "real",
    )
row(
    "likelihoods:beta_regression",
    "beta phi",
    lambda g: {"beta": g.normal(2), "phi": 3.0, "X": g.normal(5, 2), "y": g.uniform(0.1, 0.9, 5)},
    "real",
)
row(
    "likelihoods:dirichlet",
    "log_alpha",
    lambda g: {"log_alpha": g.normal(3), "P": g.rng.dirichlet([2.0, 3.0, 4.0], 5)},
    "real",
)
row(
    "likelihoods:gamma_entropy_bound",
    "a b",
    lambda g: {"a": 2.3, "b": 1.4, "x": g.uniform(0.3, 3, 6)},
    "real",
)
row(
    "likelihoods:cox_breslow",
    "beta",
    lambda g: {"beta": g.normal(2), "X": g.normal(6, 2), "event": np.array([1, 0, 1, 1, 0, 1])},
)
row(
    "likelihoods:cox_by_loops",
    "beta",
    lambda g: {
        "beta": g.normal(2),
        "X": g.normal(6, 2),
        "time": g.uniform(0, 3, 6),
        "event": np.array([1, 0, 1, 1, 0, 1]),
    },
)
row(
    "likelihoods:garch",
    "params",
    lambda g: {"params": np.array([0.1, 0.15, 0.7]), "returns": g.normal(8)},
)
row(
    "likelihoods:garch",
    "returns",
    lambda g: {"params": np.array([0.1, 0.15, 0.7]), "returns": g.normal(8)},
    "real",
)
row(
    "likelihoods:local_level_kalman",
    "log_q log_r",
    lambda g: {"log_q": -0.5, "log_r": 0.3, "y": g.normal(6)},
    "real",
)
row(
    "likelihoods:kalman",
    "A log_q log_r",
    lambda g: {
        "A": 0.5 * np.eye(2) + g.normal(2, 2, scale=0.2),
        "log_q": -0.5,
        "log_r": g.normal(2),
        "H": g.normal(2, 2),
        "Y": g.normal(4, 2),
    },
)
row(
    "likelihoods:hmm_forward",
    "log_pi log_A means",
    lambda g: {
        "log_pi": g.normal(3),
        "log_A": g.normal(3, 3),
        "means": g.normal(3),
        "obs": g.normal(5),
    },
    "real",
)
row(
    "likelihoods:hmm_scaled",
    "A B pi",
    lambda g: {
        "A": g.rng.dirichlet([2, 2, 2], 3),
        "B": g.rng.dirichlet([2, 2], 3),
        "pi": np.array([0.5, 0.3, 0.2]),
        "obs": g.ints(2, 6),
    },
)
row(
    "likelihoods:logistic_regression",
    "w X",
    lambda g: {"w": g.normal(4), "X": g.normal(6, 3), "y": g.ints(2, 6).astype(float), "C": 2.0},
    "real",
)
row(
    "likelihoods:ordinal_logit",
    "beta cuts",
    lambda g: {
        "beta": g.normal(2),
        "cuts": np.array([-1.0, 0.1, -0.3]),
        "X": g.normal(6, 2),
        "y": g.ints(4, 6),
    },
    "real",
)
row(
    "likelihoods:probit",
    "beta",
    lambda g: {"beta": g.normal(2), "X": g.normal(6, 2), "y": g.ints(2, 6)},
    "real",
)
row(
    "likelihoods:tobit",
    "params",
    lambda g: {"params": g.normal(3), "X": g.normal(7, 2), "y": np.maximum(g.normal(7), 0)},
    "real",
)
row(
    "likelihoods:skew_normal",
    "xi log_omega alpha",
    lambda g: {"xi": 0.2, "log_omega": 0.1, "alpha": 1.4, "x": g.normal(6)},
    "real",
)
row(
    "likelihoods:gev",
    "mu log_sigma xi",
    lambda g: {"mu": 0.1, "log_sigma": 0.3, "xi": 0.15, "x": g.uniform(-1, 3, 6)},
)
row(
    "likelihoods:bradley_terry",
    "skill",
    lambda g: {
        "skill": g.normal(4),
        "winners": np.array([0, 1, 1, 3, 2]),
        "losers": np.array([1, 2, 3, 0, 0]),
    },
)
row(
    "likelihoods:multivariate_normal",
    "mu tril",
    lambda g: {"mu": g.normal(3), "tril": g.normal(6, scale=0.5), "X": g.normal(5, 3)},
    "real",
)
row(
    "likelihoods:random_intercept",
    "beta log_sigma log_tau",
    lambda g: {
        "beta": g.normal(2),
        "log_sigma": 0.1,
        "log_tau": -0.3,
        "groups": [(g.normal(3, 2), g.normal(3)), (g.normal(2, 2), g.normal(2))],
    },
    "real",
)
row(
    "likelihoods:wishart",
    "tril",
    lambda g: {"tril": g.normal(3, 3) + 2 * np.eye(3), "S": positive_definite(g, 3), "nu": 5.0},
    "real",
)


def points(g: Draw, n=5, d=2, **more):
    return {**more, "X": g.uniform(0, 3, n, d), "y": g.normal(n)}


row("kernels:gp_rbf", "theta X", lambda g: points(g, theta=g.normal(3, scale=0.3)), "real")
row(
    "kernels:gp_ard_slogdet",
    "log_scales log_noise X",
    lambda g: points(g, log_scales=g.normal(2, scale=0.3), log_noise=-1.0),
    "real",
)
row(
    "kernels:gp_assembled",
    "ell sf x",
    lambda g: {"ell": 0.8, "sf": 1.2, "x": g.uniform(0, 3, 4), "y": g.normal(4)},
    "real",
)
row(
    "kernels:matern32",
    "ell x1 w",
    lambda g: {"ell": 0.9, "x1": g.uniform(0, 3, 4), "x2": g.uniform(0, 3, 4), "w": g.normal(4)},
    "real",
    tolerance=1e-6,
)
row(
    "kernels:matern52_points",
    "X ell w",
    lambda g: {"X": g.uniform(0, 3, 4, 2), "ell": 0.9, "w": g.normal(4)},
    "real",
    tolerance=1e-6,
)
row("kernels:rational_quadratic", "params", lambda g: points(g, params={"alpha": 1.3, "ell": 0.7}))
row(
    "kernels:periodic",
    "ell period x",
    lambda g: {"ell": 0.8, "period": 1.7, "x": g.uniform(0, 3, 4), "y": g.normal(4)},
    "real",
)
row(
    "kernels:spectral_mixture",
    "w mu v",
    lambda g: {
        "w": g.uniform(0.5, 1, 2),
        "mu": g.uniform(0.1, 0.5, 2),
        "v": g.uniform(0.02, 0.1, 2),
        "x": g.uniform(0, 3, 5),
        "y": g.normal(5),
    },
    "real",
)
row("kernels:arc_cosine", "A B", lambda g: {"A": g.normal(3, 3), "B": g.normal(2, 3)}, "real")
row("kernels:mmd2", "X Y gamma", lambda g: {"X": g.normal(4, 2), "Y": g.normal(3, 2), "gamma": 0.7})
row("kernels:hsic", "X Y sigma", lambda g: {"X": g.normal(4, 2), "Y": g.normal(4, 3), "sigma": 0.8})
row(
    "kernels:sparse_gp_bound",
    "Z ell",
    lambda g: points(g, Z=g.uniform(0, 3, 3, 2), ell=1.1),
    "real",
)
row("kernels:kernel_alignment", "log_gamma X", lambda g: points(g, log_gamma=-0.4))
