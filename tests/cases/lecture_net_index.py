# options: wrt=w1_11,w1_12,w1_21,w1_22,b1_1,b1_2,w2_11,w2_12,w2_21,w2_22,b2_1,b2_2
# at: w1_11=0.1, w1_12=-0.4, w1_21=0.7, w1_22=0.2, b1_1=0.05, b1_2=-0.1, w2_11=0.3, w2_12=-0.6, w2_21=0.8, w2_22=0.5, b2_1=0.02, b2_2=-0.2, x1=1.0, x2=-2.0, t1=0.5, t2=-0.5
import numpy as np


def loss(
    w1_11, w1_12, w1_21, w1_22, b1_1, b1_2, w2_11, w2_12, w2_21, w2_22, b2_1, b2_2, x1, x2, t1, t2
):
    z1 = w1_11 * x1 + w1_12 * x2 + b1_1
    z2 = w1_21 * x1 + w1_22 * x2 + b1_2
    h1 = 1 / (1 + np.exp(-z1))
    h2 = 1 / (1 + np.exp(-z2))
    y1 = w2_11 * h1 + w2_12 * h2 + b2_1
    y2 = w2_21 * h1 + w2_22 * h2 + b2_2
    return 0.5 * ((y1 - t1) ** 2 + (y2 - t2) ** 2)
# --- hand ---
def hand(
    w1_11, w1_12, w1_21, w1_22, b1_1, b1_2, w2_11, w2_12, w2_21, w2_22, b2_1, b2_2, x1, x2, t1, t2
):
    """The index form of the lecture's backward pass, two inputs, two hidden units."""
    z1 = w1_11 * x1 + w1_12 * x2 + b1_1
    z2 = w1_21 * x1 + w1_22 * x2 + b1_2
    h1 = 1 / (1 + np.exp(-z1))
    h2 = 1 / (1 + np.exp(-z2))
    y1 = w2_11 * h1 + w2_12 * h2 + b2_1
    y2 = w2_21 * h1 + w2_22 * h2 + b2_2
    d_y1 = y1 - t1
    d_y2 = y2 - t2
    loss = 0.5 * (d_y1**2 + d_y2**2)

    d_h1 = d_y1 * w2_11 + d_y2 * w2_21
    d_h2 = d_y1 * w2_12 + d_y2 * w2_22
    d_z1 = d_h1 * h1 * (1.0 - h1)
    d_z2 = d_h2 * h2 * (1.0 - h2)
    return loss, (
        d_z1 * x1,
        d_z1 * x2,
        d_z2 * x1,
        d_z2 * x2,
        d_z1,
        d_z2,
        d_y1 * h1,
        d_y1 * h2,
        d_y2 * h1,
        d_y2 * h2,
        d_y1,
        d_y2,
    )
# --- output ---
