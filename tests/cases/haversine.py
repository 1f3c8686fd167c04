# options: wrt=lat1,lon1 target=python
# at: lat1=0.9, lon1=0.1, lat2=0.7, lon2=-1.2
import math

RADIUS = 6371.0


def haversine(lat1, lon1, lat2, lon2):
    s = math.sin(0.5 * (lat2 - lat1))
    t = math.sin(0.5 * (lon2 - lon1))
    a = s**2 + math.cos(lat1) * math.cos(lat2) * t**2
    return 2.0 * RADIUS * math.asin(math.sqrt(a))
# --- hand ---
def hand(lat1, lon1, lat2, lon2):
    """d distance / d a = R / sqrt(a (1 - a))."""
    u = 0.5 * (lat2 - lat1)
    v = 0.5 * (lon2 - lon1)
    s = math.sin(u)
    t = math.sin(v)
    q = t**2
    c2 = math.cos(lat2)
    c = math.cos(lat1) * c2
    a = s**2 + c * q
    root = math.sqrt(a)
    value = 2.0 * RADIUS * math.asin(root)

    d_a = -RADIUS / (root * math.sqrt(1.0 - a))
    d_lat1 = d_a * (s * math.cos(u) + q * c2 * math.sin(lat1))
    d_lon1 = d_a * c * t * math.cos(v)
    return value, (d_lat1, d_lon1)
# --- output ---
