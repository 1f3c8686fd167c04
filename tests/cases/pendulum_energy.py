# options: wrt=theta,omega target=python
# at: theta=0.6, omega=-1.1, m=2.0, length=0.5, g=9.81
import math


def energy(theta, omega, m, length, g):
    kinetic = 0.5 * m * (length * omega) ** 2
    potential = m * g * length * (1.0 - math.cos(theta))
    return kinetic + potential
# --- hand ---
def hand(theta, omega, m, length, g):
    """Torque and angular momentum."""
    v = length * omega
    kinetic = 0.5 * m * v**2
    weight = m * g * length
    potential = weight * (1.0 - math.cos(theta))
    value = kinetic + potential

    d_theta = weight * math.sin(theta)
    d_omega = m * v * length
    return value, (d_theta, d_omega)
# --- output ---
