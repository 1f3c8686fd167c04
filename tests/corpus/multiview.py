"""Two views of a scene."""

import numpy as np


def homography(h, src, dst):
    """Hartley and Zisserman, Multiple View Geometry (2004), eq. 4.6: transfer error."""
    H = np.append(h, 1.0).reshape(3, 3)
    homogeneous = np.hstack([src, np.ones((src.shape[0], 1))])
    mapped = homogeneous @ H.T
    return np.sum((mapped[:, :2] / mapped[:, 2:3] - dst) ** 2)


def epipolar(F, x1, x2):
    """Hartley and Zisserman (2004), eq. 11.9: the Sampson distance."""
    Fx = x1 @ F.T
    Ftx = x2 @ F
    num = np.einsum("ni,ni->n", x2, Fx) ** 2
    return np.sum(num / (Fx[:, 0] ** 2 + Fx[:, 1] ** 2 + Ftx[:, 0] ** 2 + Ftx[:, 1] ** 2))
