# options: wrt=alpha,beta,delta,epsilon,theta,vartheta
# at: alpha=1.0, beta=1.0, delta=1.0, epsilon=1.0, theta=-1.5, vartheta=1.0
# expect: value=0.474077 grad=(-0.3775, -0.3775, -0.3775, -0.3775, -0.3775, 0.5663) rtol=2e-4 source="lecture slides, reverse-mode table of the exercise"
import numpy as np


def loss(alpha, beta, delta, epsilon, theta, vartheta):
    gamma = alpha * beta
    zeta = delta * epsilon
    kappa = theta * vartheta
    lambda_ = gamma + zeta
    mu = lambda_ + kappa
    nu = -mu
    xi = np.exp(nu)
    pi = xi + 1
    varpi = 1 / pi
    rho = np.log(varpi)
    return -rho
# --- hand ---
def hand(alpha, beta, delta, epsilon, theta, vartheta):
    """The table of the slides, down to d loss / d mu = varpi - 1."""
    gamma = alpha * beta
    zeta = delta * epsilon
    kappa = theta * vartheta
    lambda_ = gamma + zeta
    mu = lambda_ + kappa
    nu = -mu
    xi = np.exp(nu)
    pi = xi + 1
    varpi = 1 / pi
    rho = np.log(varpi)
    loss = -rho

    d_mu = varpi - 1.0
    d_alpha = d_mu * beta
    d_beta = d_mu * alpha
    d_delta = d_mu * epsilon
    d_epsilon = d_mu * delta
    d_theta = d_mu * vartheta
    d_vartheta = d_mu * theta
    return loss, (d_alpha, d_beta, d_delta, d_epsilon, d_theta, d_vartheta)
# --- output ---
