"""Robot arms, rotations and cameras."""

from math import cos, pi, sin, sqrt

import numpy as np


def two_link(q, l1, l2, target):
    """Craig, Introduction to Robotics (2005), chapter 3."""
    x = l1 * np.cos(q[0]) + l2 * np.cos(q[0] + q[1])
    y = l1 * np.sin(q[0]) + l2 * np.sin(q[0] + q[1])
    return (x - target[0]) ** 2 + (y - target[1]) ** 2


def rot_x(a):
    c, s = np.cos(a), np.sin(a)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rot_z(a):
    c, s = np.cos(a), np.sin(a)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def six_link(q, target):
    """Spong, Hutchinson and Vidyasagar, Robot Modeling and Control (2006), section 3.1."""
    links = [0.4, 0.025, 0.56, 0.035, 0.515, 0.08]
    R = np.eye(3)
    p = np.zeros(3)
    for i in range(6):
        R = R @ (rot_z(q[i]) if i % 2 == 0 else rot_x(q[i]))
        p = p + R @ np.array([links[i], 0.0, 0.1])
    return np.sum((p - target) ** 2)


def dh(theta, d, a, alpha):
    ct, st = np.cos(theta), np.sin(theta)
    ca, sa = np.cos(alpha), np.sin(alpha)
    return np.array([
        [ct, -st * ca, st * sa, a * ct],
        [st, ct * ca, -ct * sa, a * st],
        [0.0, sa, ca, d],
        [0.0, 0.0, 0.0, 1.0],
    ])  # fmt: skip


PUMA = [
    (0.0, 0.0, np.pi / 2),
    (0.0, 0.4318, 0.0),
    (0.15005, 0.0203, -np.pi / 2),
    (0.4318, 0.0, np.pi / 2),
    (0.0, 0.0, -np.pi / 2),
    (0.0, 0.0, 0.0),
]


def puma560(q, pose):
    """Denavit and Hartenberg (1955); parameters of Corke and Armstrong-Hélouvry, ICRA (1994)."""
    T = np.eye(4)
    for theta, (d, a, alpha) in zip(q, PUMA):  # noqa: B905
        T = T @ dh(theta, d, a, alpha)
    return np.linalg.norm(T - pose, "fro") ** 2


def manipulability(q):
    """Yoshikawa, Int. J. Robot. Res. 4 (1985), of three links in a plane."""
    s = np.cumsum(q)
    J = np.zeros((2, 3))
    for j in range(3):
        for k in range(j, 3):
            J[0, j] += -np.sin(s[k])
            J[1, j] += np.cos(s[k])
    return np.sqrt(np.linalg.det(J @ J.T))


def skew(w):
    return np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])


def rodrigues(w, P, Q):
    """Murray, Li and Sastry, Robotic Manipulation (1994), eq. 2.14."""
    theta = np.linalg.norm(w)
    K = skew(w / theta)
    R = np.eye(3) + np.sin(theta) * K + (1 - np.cos(theta)) * K @ K
    return np.sum((P @ R.T - Q) ** 2)


def quaternion_rotation(q, points, targets):
    """Horn, JOSA A 4 (1987), of a quaternion that is made a unit one."""
    w, x, y, z = q / np.linalg.norm(q)
    R = np.array([
        [1 - 2 * (y**2 + z**2), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x**2 + z**2), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x**2 + y**2)],
    ])  # fmt: skip
    return np.mean(np.linalg.norm(points @ R.T - targets, axis=1) ** 2)


def quaternion_product(p, q, v):
    """Kuipers, Quaternions and Rotation Sequences (1999), chapter 5: v by p, then by q."""

    def multiply(a, b):
        return np.concatenate([
            [a[0] * b[0] - a[1:] @ b[1:]],
            a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]),
        ])  # fmt: skip

    r = multiply(q, p)
    conjugate = r * np.array([1.0, -1.0, -1.0, -1.0])
    turned = multiply(multiply(r, np.concatenate([[0.0], v])), conjugate)
    return turned[1] + 2 * turned[2] - turned[3]


def reprojection(camera, X, uv):
    """Triggs et al., Bundle adjustment (2000); the camera of Agarwal et al., ECCV (2010)."""
    w, t = camera[:3], camera[3:6]
    f, k1, k2 = camera[6], camera[7], camera[8]
    theta = np.sqrt(w @ w)
    axis = w / theta
    cross = np.cross(axis, X)
    rotated = (
        X * np.cos(theta) + cross * np.sin(theta) + np.outer(X @ axis, axis) * (1 - np.cos(theta))
    )
    P = rotated + t
    p = -P[:, :2] / P[:, 2:]
    r2 = np.sum(p**2, axis=1, keepdims=True)
    distorted = f * (1 + k1 * r2 + k2 * r2**2) * p
    return 0.5 * np.sum((distorted - uv) ** 2)


def brown_conrady(params, x, y, u, v):
    """Brown, Decentering distortion of lenses (1966); the form of Zhang (2000) with p1, p2."""
    fx, fy, cx, cy, k1, k2, p1, p2 = params
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2 * r2
    xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    yd = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    return np.sum((fx * xd + cx - u) ** 2 + (fy * yd + cy - v) ** 2)


def pose_graph(poses, edges, measured, information):
    """Grisetti et al., A tutorial on graph-based SLAM, IEEE ITS Mag. 2 (2010), eq. 30-32."""
    total = 0.0
    for (i, j), z in zip([(0, 1), (1, 2), (2, 3), (3, 0)], measured):  # noqa: B905
        c, s = np.cos(poses[i, 2]), np.sin(poses[i, 2])
        dt = poses[j, :2] - poses[i, :2]
        e = np.array([
            c * dt[0] + s * dt[1] - z[0],
            -s * dt[0] + c * dt[1] - z[1],
            np.sin(poses[j, 2] - poses[i, 2] - z[2]),
        ])  # fmt: skip
        total += e @ information @ e
    return total + edges * np.sum(poses[0] ** 2)


def pendulum_energy(q, dq, params):
    """Double pendulum: Goldstein, Classical Mechanics (2002), section 1.6; Lagrangian."""
    (q1, q2), (w1, w2) = q, dq
    m1, m2, l1, l2, g = params
    T = 0.5 * m1 * (l1 * w1) ** 2
    T += 0.5 * m2 * ((l1 * w1) ** 2 + (l2 * w2) ** 2 + 2 * l1 * l2 * w1 * w2 * np.cos(q1 - q2))
    V = -(m1 + m2) * g * l1 * np.cos(q1) - m2 * g * l2 * np.cos(q2)
    return T - V


def cart_pole_shooting(u, dt):
    """Barto, Sutton and Anderson, IEEE SMC 13 (1983), appendix; explicit Euler by the controls."""
    x, v, th, om = 0.0, 0.0, pi + 0.2, 0.0
    cost = 0.0
    for k in range(4):
        temp = (u[k] + 0.05 * om**2 * sin(th)) / 1.1
        alpha = (9.8 * sin(th) - cos(th) * temp) / (0.5 * (4 / 3 - 0.1 * cos(th) ** 2 / 1.1))
        acc = temp - 0.05 * alpha * cos(th) / 1.1
        x, v, th, om = x + dt * v, v + dt * acc, th + dt * om, om + dt * alpha
        cost += (1 + cos(th)) ** 2 + 0.1 * x**2 + 0.01 * u[k] ** 2
    return sqrt(cost)


def icp_plane(twist, P, Q, normals):
    """Chen and Medioni (1992); Low (2004): point to plane, a small motion."""
    moved = P + np.cross(twist[:3], P) + twist[3:]
    return ((moved - Q) * normals).sum(axis=-1).dot(((moved - Q) * normals).sum(axis=-1))


def lqr_cost(K, A, B, Q, R, x0):
    """Anderson and Moore, Optimal Control (1990), section 2.4: five steps of a linear feedback."""
    x = x0
    J = 0.0
    for _ in range(5):
        u = -K @ x
        J += x @ Q @ x + u @ R @ u
        x = A @ x + B @ u
    return J + x.T @ Q @ x
