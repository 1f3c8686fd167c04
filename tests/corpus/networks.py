"""Layers of neural networks."""

import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def mlp(params, X, y):
    """Rumelhart, Hinton and Williams, Nature 323 (1986); a list of (W, b)."""
    h = X
    for W, b in params[:-1]:
        h = np.tanh(h @ W + b)
    W, b = params[-1]
    return 0.5 * np.mean((h @ W + b - y) ** 2)


def lstm(params, xs, target):
    """Hochreiter and Schmidhuber (1997), with the gates of Gers et al. (2000), unrolled."""
    n = params["b"].shape[0] // 4
    h, c = np.zeros(n), np.zeros(n)
    for x in xs:
        z = params["W"] @ np.concatenate([x, h]) + params["b"]
        i, f, o = sigmoid(z[:n]), sigmoid(z[n : 2 * n]), sigmoid(z[2 * n : 3 * n])
        g = np.tanh(z[3 * n :])
        c = f * c + i * g
        h = o * np.tanh(c)
    return np.sum((h - target) ** 2)


def gru(Wz, Wr, Wh, xs):
    """Cho et al., EMNLP (2014), eqs. 5-8, unrolled."""
    h = np.zeros(Wz.shape[0])
    for t in range(xs.shape[0]):
        xh = np.hstack((xs[t], h))
        z = sigmoid(Wz @ xh)
        r = sigmoid(Wr @ xh)
        candidate = np.tanh(Wh @ np.hstack((xs[t], r * h)))
        h = z * h + (1 - z) * candidate
    return h.sum()


def attention(Wq, Wk, Wv, X):
    """Vaswani et al., Attention is all you need, NeurIPS (2017), eq. 1, one causal head."""
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    n, d = Q.shape
    scores = Q @ K.T / np.sqrt(d)
    mask = np.tril(np.ones((n, n))) == 0
    scores = np.where(mask, -1e9, scores)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.sum((weights @ V) ** 2)


def multi_head(W, X):
    """Vaswani et al. (2017), section 3.2.2, with einsum; W has axes (3, heads, d, k)."""
    q, k, v = np.einsum("td,ahdk->ahtk", X, W)
    s = np.einsum("htk,hsk->hts", q, k) / np.sqrt(q.shape[-1])
    e = np.exp(s - np.max(s, axis=-1, keepdims=True))
    a = e / np.sum(e, axis=-1, keepdims=True)
    return np.sum(np.einsum("hts,hsk->htk", a, v) ** 2)


def layer_norm(gamma, beta, X, eps=1e-5):
    """Ba, Kiros and Hinton (2016), eq. 4."""
    mu = X.mean(axis=-1, keepdims=True)
    var = X.var(axis=-1, keepdims=True)
    y = gamma * (X - mu) / np.sqrt(var + eps) + beta
    return np.sum(np.sin(y))


def batch_norm(p, X, T):
    """Ioffe and Szegedy, ICML (2015), algorithm 1."""
    mean = np.mean(X, axis=0)
    variance = np.mean((X - mean) ** 2, axis=0)
    x_hat = (X - mean) / np.sqrt(variance + 1e-5)
    y = p["gamma"] * x_hat + p["beta"]
    return np.mean((y - T) ** 2)


def group_norm_rms(w, X):
    """Zhang and Sennrich, Root mean square layer normalization, NeurIPS (2019), eq. 4."""
    rms = np.sqrt(np.mean(np.square(X), axis=1) + 1e-8)
    return np.sum(np.tanh(w * X / rms[:, None]))


def conv2d(image, kernel, target):
    """LeCun et al., Proc. IEEE 86 (1998), section II, by shifted slices; then a pooling."""
    kh, kw = kernel.shape
    h, w = image.shape[0] - kh + 1, image.shape[1] - kw + 1
    out = np.zeros((h, w))
    for i in range(kh):
        for j in range(kw):
            out += kernel[i, j] * image[i : i + h, j : j + w]
    out = np.maximum(out, 0.01 * out)
    pooled = out.reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3))
    return np.sum((pooled - target) ** 2)


def max_pool(image):
    """LeCun et al. (1998); Goodfellow, Bengio and Courville (2016), section 9.3."""
    h, w = image.shape
    blocks = image.reshape(h // 2, 2, w // 2, 2)
    return np.sum(blocks.max(axis=(1, 3)) ** 2)


def graph_convolution(W1, W2, A, X, Y):
    """Kipf and Welling, ICLR (2017), eq. 9."""
    A_hat = A + np.eye(A.shape[0])
    d = A_hat.sum(axis=1)
    D = np.diag(d**-0.5)
    S = D @ A_hat @ D
    H = np.maximum(S @ X @ W1, 0)
    Z = S @ H @ W2
    Z = Z - Z.max(axis=1, keepdims=True)
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    return -np.sum(Y * np.log(P))


def word2vec(center, context, negatives, emb):
    """Mikolov et al., NIPS (2013), eq. 4: negative sampling."""
    u, v = emb[center], emb[context]
    positive = np.log(sigmoid(np.sum(u * v, axis=1)))
    negative = np.sum(np.log(sigmoid(-np.einsum("bd,bkd->bk", u, emb[negatives]))), axis=1)
    return -np.mean(positive + negative)


def gelu_block(W, b, x):
    """Hendrycks and Gimpel (2016), the tanh form; a residual block."""
    z = W @ x + b
    g = 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
    return np.linalg.norm(x + g)


def rnn_adding(U, V, w, xs):
    """Elman, Finding structure in time, Cogn. Sci. 14 (1990); a list of states."""
    states = [np.zeros(U.shape[0])]
    for x in xs:
        states.append(np.tanh(U @ states[-1] + V * x))
    return np.sum((np.stack(states[1:]) @ w) ** 2)


def matrix_factorisation(P, Q, users, items, ratings, lam):
    """Koren, Bell and Volinsky, Computer 42 (2009), eq. 2."""
    error = ratings - np.sum(P[users] * Q[items], axis=1)
    return np.sum(error**2) + lam * (np.sum(P**2) + np.sum(Q**2))


def policy_gradient(theta, states, actions, rewards, gamma):
    """Williams, REINFORCE, Machine Learning 8 (1992), with discounted returns to go."""
    logits = states @ theta
    logits = logits - np.log(np.sum(np.exp(logits), axis=1))[:, None]
    T = len(rewards)
    objective = 0.0
    G = 0.0
    for t in reversed(range(T)):
        G = rewards[t] + gamma * G
        objective += logits[t, actions[t]] * G
    return -objective / T


def tsne(Y, P):
    """Van der Maaten and Hinton, JMLR 9 (2008), eqs. 4 and 2."""
    n = Y.shape[0]
    num = 1 / (1 + np.sum((Y[:, None] - Y[None]) ** 2, axis=2))
    np.fill_diagonal(num, 0.0)
    Q = num / np.sum(num)
    off = ~np.eye(n, dtype=bool)
    return np.sum(P[off] * np.log(P[off] / Q[off]))
