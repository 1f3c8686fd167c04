"""Energies of physics."""

import numpy as np
from scipy.special import erfc


def lennard_jones(x, epsilon, sigma):
    """Allen and Tildesley, Computer Simulation of Liquids (1987), chapter 1, by pairs."""
    energy = 0.0
    n = x.shape[0]
    for i in range(n):
        for j in range(i + 1, n):
            rij = x[i] - x[j]
            r2 = np.dot(rij, rij)
            s6 = (sigma**2 / r2) ** 3
            energy += 4 * epsilon * (s6**2 - s6)
    return energy


def lennard_jones_arrays(x):
    """The same with index arrays, in reduced units."""
    i, j = np.triu_indices(len(x), k=1)
    d = x[i] - x[j]
    inv6 = 1.0 / np.sum(d * d, axis=1) ** 3
    return 4.0 * np.sum(inv6 * (inv6 - 1.0))


def lennard_jones_box(x, box, cutoff):
    """Frenkel and Smit, Understanding Molecular Simulation (2002), algorithm 5: nearest image."""
    d = x[:, None, :] - x[None, :, :]
    d = d - box * np.round(d / box)
    r2 = np.sum(d**2, axis=-1) + np.eye(len(x))
    inside = (r2 < cutoff**2) & ~np.eye(len(x), dtype=bool)
    inv6 = np.where(inside, r2, 1.0) ** -3
    shift = cutoff**-12 - cutoff**-6
    return 2 * np.sum(np.where(inside, inv6**2 - inv6 - shift, 0.0))


def stillinger_weber(pos):
    """Stillinger and Weber, Phys. Rev. B 31 (1985), section II, all inside the cutoff."""
    A, B, a, lam, gam = 7.049556277, 0.6022245584, 1.8, 21.0, 1.20
    n = len(pos)
    two = 0.0
    three = 0.0
    for i in range(n):
        for j in range(n):
            if j == i:
                continue
            rij = np.linalg.norm(pos[j] - pos[i])
            if i < j:
                two += A * (B * rij**-4 - 1.0) * np.exp(1.0 / (rij - a))
            for k in range(j + 1, n):
                if k == i:
                    continue
                rik = np.linalg.norm(pos[k] - pos[i])
                cos = np.dot(pos[j] - pos[i], pos[k] - pos[i]) / (rij * rik)
                three += lam * np.exp(gam / (rij - a) + gam / (rik - a)) * (cos + 1 / 3) ** 2
    return two + three


def morse_chain(x, D, a, r0):
    """Morse, Phys. Rev. 34 (1929), along a chain."""
    bonds = np.diff(x, axis=0)
    r = np.sqrt(np.sum(bonds**2, axis=1))
    return np.sum(D * (1 - np.exp(-a * (r - r0))) ** 2)


def ewald_real_space(pos, q, alpha):
    """Ewald (1921); Frenkel and Smit (2002), section 12.1, the short range sum and self term."""
    n = len(q)
    iu = np.triu_indices(n, 1)
    rij = np.linalg.norm(pos[iu[0]] - pos[iu[1]], axis=-1)
    short = np.sum(q[iu[0]] * q[iu[1]] * erfc(np.sqrt(alpha) * rij) / rij)
    return short - np.sqrt(alpha / np.pi) * np.sum(q**2)


def ewald_fourier(pos, q, alpha, L):
    """Frenkel and Smit (2002), section 12.1, in a cube of side L."""
    V = L**3
    energy = 0.0
    for kx in range(-1, 2):
        for ky in range(-1, 2):
            for kz in range(-1, 2):
                if kx == ky == kz == 0:
                    continue
                k = 2 * np.pi / L * np.array([kx, ky, kz])
                k2 = k @ k
                phase = pos @ k
                rho2 = np.sum(q * np.cos(phase)) ** 2 + np.sum(q * np.sin(phase)) ** 2
                energy += 4 * np.pi / k2 * rho2 * np.exp(-k2 / (4 * alpha))
    return energy / (2 * V)


def spring_network(x, edges, rest, k):
    """Nealen et al., Physically based deformable models, CGF 25 (2006), section 4.1."""
    d = x[edges[:, 0]] - x[edges[:, 1]]
    length = np.sqrt((d**2).sum(axis=1))
    return 0.5 * np.sum(k * (length - rest) ** 2) + 9.81 * x[:, 1].sum()


def ising_mean_field(m, J, h, T):
    """Bragg and Williams (1934); Chaikin and Lubensky (1995), section 4.1: free energy."""
    p, q = (1 + m) / 2, (1 - m) / 2
    entropy = -np.sum(p * np.log(p) + q * np.log(q))
    return -0.5 * m @ J @ m - h @ m - T * entropy


def bead_spring(r, k, R0, eps, sigma):
    """Kremer and Grest, J. Chem. Phys. 92 (1990), section II: FENE and repulsive LJ."""
    d = np.linalg.norm(r[1:] - r[:-1], axis=1)
    fene = -0.5 * k * R0**2 * np.log(1 - (d / R0) ** 2)
    s6 = (sigma / d) ** 6
    wca = np.where(d < 2 ** (1 / 6) * sigma, 4 * eps * (s6**2 - s6) + eps, 0.0)
    bend = 1 - np.sum((r[2:] - r[1:-1]) * (r[1:-1] - r[:-2]), axis=1) / (d[1:] * d[:-1])
    return np.sum(fene + wca) + 2.0 * np.sum(bend)


def n_body(q, p, m, G=1.0, soft=0.05):
    """Plummer (1911); Aarseth, Gravitational N-Body Simulations (2003), chapter 2: total energy."""
    kinetic = 0.5 * np.sum(np.sum(p**2, axis=1) / m)
    dx = q[:, np.newaxis] - q
    r = np.sqrt(np.sum(dx**2, axis=2) + soft**2)
    pair = np.triu(np.outer(m, m) / r, k=1)
    return kinetic - G * pair.sum()


def leapfrog_orbit(q0, p0, dt):
    """Hairer, Lubich and Wanner, Geometric Numerical Integration (2006), eq. I.1.15: 5 steps."""
    q, p = q0, p0
    for _ in range(5):
        p = p - 0.5 * dt * q / np.linalg.norm(q) ** 3
        q = q + dt * p
        p = p - 0.5 * dt * q / np.linalg.norm(q) ** 3
    return q @ q


def torsion(xyz, V):
    """Jorgensen et al., JACS 118 (1996) (OPLS), with a signed dihedral angle."""
    b1, b2, b3 = xyz[1] - xyz[0], xyz[2] - xyz[1], xyz[3] - xyz[2]
    n1 = np.cross(b1, b2)
    n2 = np.cross(b2, b3)
    m1 = np.cross(n1, b2 / np.linalg.norm(b2))
    phi = np.arctan2(np.dot(m1, n2), np.dot(n1, n2))
    return 0.5 * (
        V[0] * (1 + np.cos(phi)) + V[1] * (1 - np.cos(2 * phi)) + V[2] * (1 + np.cos(3 * phi))
    )


def angle_bending(xyz, triples, k, theta0):
    """Leach, Molecular Modelling (2001), section 4.4."""
    u = xyz[triples[:, 0]] - xyz[triples[:, 1]]
    v = xyz[triples[:, 2]] - xyz[triples[:, 1]]
    cos = np.einsum("ij,ij->i", u, v) / (np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1))
    return 0.5 * k * np.sum((np.arccos(cos) - theta0) ** 2)


def phi_four(phi, m2, lam):
    """Montvay and Münster, Quantum Fields on a Lattice (1994), chapter 2: a periodic lattice."""
    gradient = 0.0
    for axis in range(phi.ndim):
        gradient += 0.5 * np.sum((np.roll(phi, -1, axis=axis) - phi) ** 2)
    return gradient + np.sum(0.5 * m2 * phi**2 + lam / 24 * phi**4)


def xy_model(theta, J):
    """Kosterlitz and Thouless, J. Phys. C 6 (1973), with free edges."""
    right = np.cos(theta[:, 1:] - theta[:, :-1])
    down = np.cos(theta[1:] - theta[:-1])
    return -J * (right.sum() + down.sum())


def frenkel_kontorova(x, a, V):
    """Braun and Kivshar, The Frenkel-Kontorova Model (2004), chapter 1."""
    return 0.5 * np.sum((np.diff(x) - a) ** 2) + V * np.sum(1 - np.cos(x))


def thomson(angles):
    """Thomson, Phil. Mag. 7 (1904): charges on a sphere; 3.6742346 for four."""
    th, ph = angles[0::2], angles[1::2]
    xyz = np.column_stack([np.sin(th) * np.cos(ph), np.sin(th) * np.sin(ph), np.cos(th)])
    E = 0
    for i in range(len(xyz)):
        for j in range(i):
            E += 1 / np.linalg.norm(xyz[i] - xyz[j])
    return E


def sutton_chen(x, c):
    """Sutton and Chen, Phil. Mag. Lett. 61 (1990), with n = 9 and m = 6."""
    n = len(x)
    total = 0.0
    for i in range(n):
        r = np.array([np.sqrt(np.sum((x[i] - x[j]) ** 2)) for j in range(n) if j != i])
        total += 0.5 * np.sum(r**-9.0) - c * np.sqrt(np.sum(r**-6.0))
    return total


def ginzburg_landau(psi, kappa, h):
    """Ginzburg and Landau (1950); Tinkham (1996), eq. 4.1, a real order parameter."""
    bulk = -(psi**2) + 0.5 * psi**4
    grad_x, grad_y = np.gradient(psi, h)
    return h**2 * np.sum(bulk + kappa * (grad_x**2 + grad_y**2))


def neo_hookean(u, lam, mu):
    """Bonet and Wood, Nonlinear Continuum Mechanics (2008), section 6.4.3, one triangle."""
    rest = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    x = rest + u
    F = np.array([x[1] - x[0], x[2] - x[0]]).T
    J = np.linalg.det(F)
    I1 = np.trace(F.T @ F)
    return 0.5 * (0.5 * mu * (I1 - 2) - mu * np.log(J) + 0.5 * lam * np.log(J) ** 2)


def thomas_fermi(chi, h):
    """Thomas (1927), Fermi (1927); Landau and Lifshitz, Quantum Mechanics, section 70."""
    t = h * np.arange(1, len(chi) + 1)
    slope = np.diff(np.concatenate([[1.0], chi])) / h
    return np.trapezoid(0.4 * chi**2.5 / np.sqrt(t), dx=h) + 0.5 * h * np.sum(slope**2)


def action(path, dt):
    """Feynman and Hibbs, Quantum Mechanics and Path Integrals (1965), eq. 2.1: double well."""
    v = (path[1:] - path[:-1]) / dt
    mid = 0.5 * (path[1:] + path[:-1])
    return dt * np.sum(0.5 * v**2 + (mid**2 - 1) ** 2)
