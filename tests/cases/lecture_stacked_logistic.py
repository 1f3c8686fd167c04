# options: wrt=w,b0,beta,b1 shapes="w=h d, b0=h, beta=k h, b1=k, x=d, target=k"
# at: w=[[0.1, -0.4], [0.7, 0.2], [-0.3, 0.6]], b0=[0.05, -0.1, 0.2], beta=[[0.3, -0.6, 0.1], [0.8, 0.5, -0.2]], b1=[0.02, -0.2], x=[1.0, -2.0], target=[0.0, 1.0]
import numpy as np


def loss(w, b0, beta, b1, x, target):
    h = 1 / (1 + np.exp(-(w @ x + b0)))
    f = beta @ h + b1
    return np.log(np.sum(np.exp(f))) - target @ f
# --- hand ---
def hand(w, b0, beta, b1, x, target):
    """Softmax minus target, then back through the logistic units."""
    h = 1 / (1 + np.exp(-(w @ x + b0)))
    f = beta @ h + b1
    e = np.exp(f)
    s = np.sum(e)
    loss = np.log(s) - target @ f

    d_f = e / s - target
    d_beta = np.outer(d_f, h)
    d_z = (beta.T @ d_f) * h * (1.0 - h)
    d_w = np.outer(d_z, x)
    return loss, (d_w, d_z, d_beta, d_f)
# --- output ---
