"""Small networks that can be solved on paper, for tests of what is simulated and of what is predicted."""

PAIR = {
    "dt": 0.001,
    "duration": 0.5,
    "populations": {
        "E": {"size": 4, "tau": 0.02, "tau_syn": 0.005},
        "I": {"size": 3, "tau": 0.01, "tau_syn": 0.008, "threshold": 0.1},
    },
    "J": {"EE": 1.5, "EI": -2.0, "IE": 1.2, "II": -0.5},
    "J0": {"E": 2.0, "I": 0.5},
}
"""Two linear populations: nothing saturates, and thresholds are exceeded."""
FACILITATING = {
    "dt": 0.001,
    "duration": 1.0,
    "populations": {"E": {"size": 5, "tau": 0.02}},
    "J": {"EE": 5.0},
    "J0": {"E": -1.0},
    "stp": {"EE": {"U": 0.05, "tau_fac": 1.0, "tau_rec": 0.1}},
}
"""One facilitating population below threshold: silent, and active above a fold."""
RING = {
    "dt": 0.001,
    "duration": 1.0,
    "populations": {"E": {"size": 64, "tau": 0.02}},
    "J": {"EE": 0.6},
    "J0": {"E": 1.0},
    "connectivity": {"profile": {"kind": "cosine", "kappa": 4.0}},
}
"""A threshold-linear ring with a bump: J κ is above 2."""


def transmitted(rate, U=0.05, fac=1.0, rec=0.1):
    """u x r at steady state (Markram, Wang & Tsodyks 1998)."""
    u = U * (1 + fac * rate) / (1 + U * fac * rate)
    return u * rate / (1 + u * rec * rate)


def coupling(rate, drive=-1.0):
    """The J at which r = J u x r + I."""
    return (rate - drive) / transmitted(rate)
