"""Losses of statistics and machine learning."""

import numpy as np
from scipy.special import expit, log_softmax, logsumexp, softmax, xlogy


def ridge(w, X, y, lam):
    """Hoerl and Kennard, Ridge regression, Technometrics 12 (1970)."""
    residual = y - X @ w
    return np.mean(residual**2) + lam * w @ w


def huber(theta, X, y, delta=1.0):
    """Huber, Robust estimation of a location parameter, Ann. Math. Stat. 35 (1964)."""
    r = y - X.dot(theta)
    small = np.abs(r) <= delta
    return np.sum(np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta)))


def huber_by_masks(theta, X, y):
    """The same, by selection: Huber and Ronchetti, Robust Statistics (2009), chapter 4."""
    k = 1.345
    r = np.abs(y - X @ theta)
    inner, outer = r[r <= k], r[r > k]
    return 0.5 * np.sum(inner**2) + np.sum(k * outer - 0.5 * k**2)


def log_cosh(w, X, y):
    """Green, IEEE Trans. Med. Imaging 9 (1990): log cosh as a smooth absolute value."""
    e = X @ w - y
    return np.sum(np.logaddexp(e, -e) - np.log(2.0))


def pinball(beta, X, y, tau):
    """Koenker and Bassett, Regression quantiles, Econometrica 46 (1978)."""
    u = y - X @ beta
    return np.mean(np.maximum(tau * u, (tau - 1.0) * u))


def focal(logits, labels, gamma, alpha):
    """Lin et al., Focal loss for dense object detection, ICCV (2017), eq. 5."""
    p = expit(logits)
    p_t = np.where(labels == 1.0, p, 1.0 - p)
    alpha_t = np.where(labels == 1.0, alpha, 1.0 - alpha)
    return -np.mean(alpha_t * (1.0 - p_t) ** gamma * np.log(p_t))


def linear_svm(w, b, X, y, C):
    """Cortes and Vapnik, Support-vector networks, Machine Learning 20 (1995)."""
    margins = y * (X @ w + b)
    return 0.5 * np.dot(w, w) + C * np.maximum(0.0, 1.0 - margins).sum()


def smooth_hinge(w, X, y):
    """Rennie and Srebro, Loss functions for preference levels, IJCAI workshop (2005)."""
    z = y * (X @ w)
    return np.sum(np.where(z >= 1, 0.0, np.where(z <= 0, 0.5 - z, 0.5 * (1 - z) ** 2)))


def multiclass_hinge(W, X, labels):
    """Crammer and Singer, JMLR 2 (2001): the best wrong score against the right one."""
    scores = X @ W
    n = X.shape[0]
    right = scores[np.arange(n), labels]
    margins = np.maximum(0.0, scores - right[:, np.newaxis] + 1.0)
    margins[np.arange(n), labels] = 0.0
    return np.sum(margins) / n


def softmax_cross_entropy(params, X, labels):
    """Bishop, Pattern Recognition and Machine Learning (2006), eq. 4.108."""
    z = X @ params["W"] + params["b"]
    log_p = z - logsumexp(z, axis=1, keepdims=True)
    return -np.mean(log_p[np.arange(len(labels)), labels])


def label_smoothing(logits, targets, eps):
    """Szegedy et al., Rethinking the Inception architecture, CVPR (2016), section 7."""
    k = logits.shape[1]
    q = (1 - eps) * targets + eps / k
    return -(q * log_softmax(logits, axis=1)).sum(axis=1).mean()


def kl_divergence(theta, p):
    """Kullback and Leibler, Ann. Math. Stat. 22 (1951), of a table and a softmax."""
    q = softmax(theta)
    return np.sum(p * (np.log(p) - np.log(q)))


def jensen_shannon(a, b):
    """Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Inf. 37 (1991)."""
    p = a / a.sum()
    q = b / b.sum()
    m = 0.5 * (p + q)

    def entropy(r):
        return -np.sum(xlogy(r, r))

    return entropy(m) - 0.5 * entropy(p) - 0.5 * entropy(q)


def triplet(anchor, positive, negative, margin):
    """Schroff et al., FaceNet, CVPR (2015), eq. 3."""
    near = np.sum((anchor - positive) ** 2, axis=1)
    far = np.sum((anchor - negative) ** 2, axis=1)
    loss = np.maximum(near - far + margin, 0.0)
    return loss.sum()


def contrastive(u, v, same, margin):
    """Hadsell, Chopra and LeCun, CVPR (2006), eq. 4."""
    d = np.linalg.norm(u - v, axis=1)
    return np.sum(same * 0.5 * d**2 + (1 - same) * 0.5 * np.maximum(0, margin - d) ** 2)


def info_nce(z, t):
    """Chen et al., SimCLR, ICML (2020), eq. 1: rows 2k and 2k+1 are views of one image."""
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    sim = z @ z.T / t
    n = len(z)
    loss = 0.0
    for i in range(n):
        j = i + 1 if i % 2 == 0 else i - 1
        others = np.array([sim[i, k] for k in range(n) if k != i])
        loss += -sim[i, j] + logsumexp(others)
    return loss / n


def tukey_biweight(beta, X, y):
    """Beaton and Tukey, Technometrics 16 (1974); scaled by the median absolute deviation."""
    c = 4.685
    r = y - X @ beta
    s = np.median(np.abs(r - np.median(r))) / 0.6745
    u = r / (c * s)
    rho = np.where(np.abs(u) < 1, 1 - (1 - u**2) ** 3, 1.0)
    return c**2 / 6 * np.sum(rho)


def barron(theta, x, y, alpha, c):
    """Barron, A general and adaptive robust loss function, CVPR (2019), eq. 1."""
    r = y - (theta[0] + theta[1] * x)
    a = abs(alpha - 2)
    return np.sum(a / alpha * (((r / c) ** 2 / a + 1) ** (alpha / 2) - 1))


def soft_dice(logits, mask, eps=1e-6):
    """Milletari, Navab and Ahmadi, V-Net, 3DV (2016), section 3."""
    p = 1.0 / (1.0 + np.exp(-logits))
    overlap = 2.0 * np.sum(p * mask) + eps
    return 1.0 - overlap / (np.sum(p * p) + np.sum(mask * mask) + eps)


def giou(box, target):
    """Rezatofighi et al., Generalized intersection over union, CVPR (2019), algorithm 2."""
    x1, y1, x2, y2 = box
    u1, v1, u2, v2 = target
    inter = max(0.0, min(x2, u2) - max(x1, u1)) * max(0.0, min(y2, v2) - max(y1, v1))
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - inter
    hull = (max(x2, u2) - min(x1, u1)) * (max(y2, v2) - min(y1, v1))
    return 1 - (inter / union - (hull - union) / hull)


def vae_elbo(mu, log_var, noise, x, W, b):
    """Kingma and Welling, Auto-encoding variational Bayes, ICLR (2014), eq. 10; noise given."""
    z = mu + np.exp(0.5 * log_var) * noise
    y = 1 / (1 + np.exp(-(z @ W + b)))
    log_likelihood = np.sum(x * np.log(y) + (1 - x) * np.log(1 - y), axis=1)
    kl = -0.5 * np.sum(1 + log_var - mu**2 - np.exp(log_var), axis=1)
    return np.mean(kl - log_likelihood)
