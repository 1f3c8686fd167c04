# options: wrt=S,sigma target=python
# at: S=100.0, K=105.0, r=0.03, sigma=0.2, T=0.75
# expect: value=5.7414332854856092 grad=(0.47401383240872759, 34.47609388940573) rtol=1e-12 source="the textbook delta N(d1) and vega S n(d1) sqrt(T), with mpmath"
import math


def normal_cdf(z):
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))


def call_price(S, K, r, sigma, T):
    spread = sigma * math.sqrt(T)
    d1 = (math.log(S / K) + (r + 0.5 * sigma**2) * T) / spread
    d2 = d1 - spread
    return S * normal_cdf(d1) - K * math.exp(-r * T) * normal_cdf(d2)
# --- output ---
