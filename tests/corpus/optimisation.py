"""Test functions of unconstrained optimisation, with their known minima in the table of rows.

MGH is Moré, Garbow and Hillstrom, Testing unconstrained optimization software, ACM TOMS 7 (1981).
JY is Jamil and Yang, A literature survey of benchmark functions, IJMMNO 4 (2013).
"""

import math

import numpy as np


def rosenbrock(x):
    """Rosenbrock, Comput. J. 3 (1960); the sum over neighbours."""
    return sum(100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(len(x) - 1))


def rastrigin(x):
    """Rastrigin (1974); Mühlenbein et al., Parallel Computing 17 (1991)."""
    A = 10
    return A * len(x) + np.sum(x**2 - A * np.cos(2 * np.pi * x))


def ackley(x, a=20, b=0.2, c=2 * np.pi):
    """Ackley, A Connectionist Machine for Genetic Hillclimbing (1987)."""
    d = len(x)
    sum1 = sum(xi**2 for xi in x)
    sum2 = sum(np.cos(c * xi) for xi in x)
    return -a * np.exp(-b * np.sqrt(sum1 / d)) - np.exp(sum2 / d) + a + np.exp(1)


def griewank(x):
    """Griewank, J. Optim. Theory Appl. 34 (1981)."""
    i = np.arange(1, len(x) + 1)
    return 1 + np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(i)))


def levy(x):
    """Laguna and Martí (2005); JY."""
    w = 1 + (x - 1) / 4
    head = np.sin(np.pi * w[0]) ** 2
    tail = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    middle = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)
    return head + middle.sum() + tail


def styblinski_tang(x):
    """Styblinski and Tang, Neural Networks 3 (1990): -39.16617 for each dimension."""
    return 0.5 * np.sum(x**4 - 16 * x**2 + 5 * x)


def zakharov(x):
    """JY, number 173."""
    s = np.dot(0.5 * np.arange(1, x.size + 1), x)
    return np.sum(x**2) + s**2 + s**4


def powell_singular(x):
    """Powell (1962); MGH 13."""
    x1, x2, x3, x4 = x
    return (x1 + 10 * x2) ** 2 + 5 * (x3 - x4) ** 2 + (x2 - 2 * x3) ** 4 + 10 * (x1 - x4) ** 4


def wood(x):
    """Colville (1968); MGH 14."""
    f = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
    f += 90 * (x[3] - x[2] ** 2) ** 2 + (1 - x[2]) ** 2
    f += 10 * (x[1] + x[3] - 2) ** 2 + 0.1 * (x[1] - x[3]) ** 2
    return f


def dixon_price(x):
    """Dixon and Price, JOTA 60 (1989); JY 48."""
    i = np.arange(2, len(x) + 1)
    return (x[0] - 1) ** 2 + np.sum(i * (2 * x[1:] ** 2 - x[:-1]) ** 2)


def michalewicz(x, m=10):
    """Michalewicz, Genetic Algorithms (1992): -4.687658 in five dimensions."""
    i = np.arange(1, len(x) + 1)
    return -np.sum(np.sin(x) * np.sin(i * x**2 / np.pi) ** (2 * m))


def branin(x1, x2):
    """Branin, IBM J. Res. Dev. 16 (1972): 0.397887 at (pi, 2.275)."""
    a, b, c = 1.0, 5.1 / (4 * math.pi**2), 5 / math.pi
    r, s, t = 6.0, 10.0, 1 / (8 * math.pi)
    return a * (x2 - b * x1**2 + c * x1 - r) ** 2 + s * (1 - t) * math.cos(x1) + s


ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
A6 = np.array([
    [10, 3, 17, 3.5, 1.7, 8],
    [0.05, 10, 17, 0.1, 8, 14],
    [3, 3.5, 1.7, 10, 17, 8],
    [17, 8, 0.05, 10, 0.1, 14],
])  # fmt: skip
P6 = 1e-4 * np.array([
    [1312, 1696, 5569, 124, 8283, 5886],
    [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650],
    [4047, 8828, 8732, 5743, 1091, 381],
])  # fmt: skip


def hartmann6(x):
    """Hartman (1973); Dixon and Szegö, Towards Global Optimisation 2 (1978): -3.32237."""
    inner = np.sum(A6 * (x - P6) ** 2, axis=1)
    return -np.sum(ALPHA * np.exp(-inner))


def goldstein_price(x, y):
    """Goldstein and Price, Math. Comp. 25 (1971): 3 at (0, -1)."""
    f1 = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    f2 = 18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2
    f2 = 30 + (2 * x - 3 * y) ** 2 * f2
    return f1 * f2


def beale(p):
    """Beale (1958); MGH 5: 0 at (3, 0.5)."""
    x, y = p[0], p[1]
    f = 0.0
    for i, target in enumerate([1.5, 2.25, 2.625], start=1):
        f += (target - x * (1 - y**i)) ** 2
    return f


def trid(x):
    """Neumaier; Hedar's test problems: -d (d + 4) (d - 1) / 6 at x_i = i (d + 1 - i)."""
    return np.sum(np.square(x - 1.0)) - np.sum(x[1:] * x[:-1])


def himmelblau(x, y):
    """Himmelblau, Applied Nonlinear Programming (1972): 0 at (3, 2)."""
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def six_hump_camel(x):
    """Dixon and Szegö (1978): -1.0316 at (0.0898, -0.7126)."""
    x1, x2 = x
    return (4 - 2.1 * x1**2 + x1**4 / 3) * x1**2 + x1 * x2 + (-4 + 4 * x2**2) * x2**2


def easom(x):
    """Easom (1990): -1 at (pi, pi)."""
    return -np.cos(x[0]) * np.cos(x[1]) * np.exp(-((x[0] - np.pi) ** 2 + (x[1] - np.pi) ** 2))


def mccormick(x, y):
    """McCormick, Math. Program. 10 (1976): -1.9133 at (-0.54719, -1.54719)."""
    return math.sin(x + y) + (x - y) ** 2 - 1.5 * x + 2.5 * y + 1


def schwefel(x):
    """Schwefel, Numerical Optimization of Computer Models (1981): 0 at 420.9687."""
    return 418.982887272433799807913601398 * len(x) - np.sum(x * np.sin(np.sqrt(np.abs(x))))


SHEKEL_B = 0.1 * np.array([1, 2, 2, 4, 4, 6, 3, 7, 5, 5])
SHEKEL_C = np.array([
    [4, 1, 8, 6, 3, 2, 5, 8, 6, 7],
    [4, 1, 8, 6, 7, 9, 5, 1, 2, 3.6],
    [4, 1, 8, 6, 3, 2, 3, 8, 6, 7],
    [4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6],
])  # fmt: skip


def shekel10(x):
    """Shekel (1971); Dixon and Szegö (1978): -10.5364 near (4, 4, 4, 4)."""
    outer = 0
    for i in range(10):
        inner = 0
        for j in range(4):
            inner = inner + (x[j] - SHEKEL_C[j, i]) ** 2
        outer = outer + 1 / (inner + SHEKEL_B[i])
    return -outer


def helical_valley(x):
    """Fletcher and Powell (1963); MGH 7: 0 at (1, 0, 0)."""
    theta = np.arctan2(x[1], x[0]) / (2 * np.pi)
    r = np.hypot(x[0], x[1])
    return 100 * ((x[2] - 10 * theta) ** 2 + (r - 1) ** 2) + x[2] ** 2


def box3d(x):
    """Box, Comput. J. 9 (1966); MGH 12 with ten points: 0 at (1, 10, 1)."""
    t = 0.1 * np.arange(1, 11)
    f = np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))
    return f @ f


def broyden_tridiagonal(x):
    """Broyden, Math. Comp. 19 (1965); MGH 30."""
    left = np.concatenate(([0.0], x[:-1]))
    right = np.concatenate((x[1:], [0.0]))
    f = (3 - 2 * x) * x - left - 2 * right + 1
    return np.sum(f**2)


def brown_almost_linear(x):
    """Brown, SIAM J. Numer. Anal. 6 (1969); MGH 27: 0 at all ones."""
    n = len(x)
    f = x + np.sum(x) - (n + 1)
    f[-1] = np.prod(x) - 1
    return np.sum(f**2)


def watson(x):
    """MGH 20, six variables: 2.28767e-3."""
    n = len(x)
    f = [x[0], x[1] - x[0] ** 2 - 1]
    for i in range(1, 30):
        t = i / 29
        s1 = sum(j * t ** (j - 1) * x[j] for j in range(1, n))
        s2 = sum(t**j * x[j] for j in range(n))
        f.append(s1 - s2**2 - 1)
    return np.sum(np.array(f) ** 2)


def biggs_exp6(x):
    """Biggs, J. Inst. Math. Appl. 8 (1971); MGH 18: 0 at (1, 10, 1, 5, 4, 3)."""
    total = 0.0
    for i in range(1, 14):
        t = 0.1 * i
        y = math.exp(-t) - 5 * math.exp(-10 * t) + 3 * math.exp(-4 * t)
        model = x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4])
        total += (model - y) ** 2
    return total
