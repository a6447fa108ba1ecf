"""Sweeps of small networks whose borders are known in closed form, and how far what is found is from them."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

COMPUTE = {"backend": "inline", "device": "cpu"}


@dataclass(frozen=True)
class Known:
    """A search of a network's borders, and where they are.

    `sweep` is its file; `curves` gives, for each pair of labels, both axes' values along the border; `tolerance` the
    error that 95 % of a border's points are to keep.
    """

    sweep: dict
    curves: dict
    tolerance: float

    @property
    def low(self):
        return np.array([axis["low"] for axis in self.sweep["space"].values()])

    @property
    def span(self):
        return np.array([axis["high"] for axis in self.sweep["space"].values()]) - self.low

    @property
    def paths(self):
        return [f"point.{path}" for path in self.sweep["space"]]

    def apart(self, values, curve):
        """Return how far points are from a curve, in fractions of the axes' ranges."""
        true = (np.stack(curve, axis=1) - self.low) / self.span
        return cKDTree(true).query((np.asarray(values) - self.low) / self.span)[0]

    def errors(self, border):
        """Return, for each pair of labels, how far its points of a border's data frame are from the curve."""
        points = border[self.paths].to_numpy()
        return {
            pair: self.apart(points[(border["between"] == pair).to_numpy()], curve)
            for pair, curve in self.curves.items()
        }


def _space(**ends):
    return {path: {"low": low, "high": high} for path, (low, high) in ends.items()}


RING = {
    "dt": 0.004,
    "duration": 8.0,
    "populations": {"E": {"size": 32, "tau": 0.02}},
    "J": {"EE": 0.4},
    "J0": {"E": 1.0},
    "rate_limit": 1000.0,
    "connectivity": {"profile": {"kind": "cosine", "kappa": 1.0}},
    "stimuli": [{"shape": "cosine", "onset": 0.2, "offset": 0.3, "strength": 1e-2, "phase": 90.0}],
}
RING_SPACE = _space(**{"J.EE": (0.1, 1.4), "connectivity.profile.kappa": (0.2, 6.0)})


def ring_borders(n=2000):
    """Return J and κ along the three borders of the threshold-linear ring with weights J (1 + κ cos θ).

    Homogeneous activity loses its shape at J κ/2 = 1 and its amplitude at J = 1. A bump A [cos θ − cos θ_c]₊ has
    J κ f₂(θ_c) = 1, and loses its amplitude at cos θ_c + J f₀(θ_c) = 0, with f₀ = (sin θ_c − θ_c cos θ_c)/π and
    f₂ = (θ_c − sin 2θ_c/2)/(2π) (Ben-Yishai et al. 1995, PNAS 92:3844; Hansel & Sompolinsky 1998, in Methods in
    Neuronal Modeling, ch. 13).
    """
    J = np.linspace(0.01, 1, n)
    angle = np.linspace(np.pi / 2 + 1e-3, np.pi, n)
    f0 = (np.sin(angle) - angle * np.cos(angle)) / np.pi
    f2 = (angle - np.sin(2 * angle) / 2) / (2 * np.pi)
    amplitude = -np.cos(angle) / f0
    return {
        "no | yes": (J, 2 / J),
        "diverged | no": (np.ones(n), np.linspace(0, 2, n)),
        "diverged | yes": (amplitude, 1 / (amplitude * f2)),
    }


def ring_of_threshold_linear_units():
    """Three borders that meet: bumps, homogeneous activity, rates that run away."""
    search = {"kind": "boundary", "on": "bump.E.ratio > 0.1", "points": 520, "tolerance": 0.01}
    sweep = {"network": RING, "space": RING_SPACE, "window": 0.5, "search": search, "compute": COMPUTE}
    return Known(sweep, ring_borders(), 0.015)


def regimes_of_the_ring():
    """The same by the label of a run; of fewer than 40 neurons a bump's own profile could be noise's variation."""
    search = {"kind": "boundary", "on": "regime", "points": 520, "tolerance": 0.01}
    sweep = {
        "network": {**RING, "populations": {"E": {"size": 128, "tau": 0.02}}},
        "space": RING_SPACE,
        "window": 0.5,
        "measure": ["regime"],
        "search": search,
        "compute": COMPUTE,
    }
    names = {"no | yes": "bump | homogeneous", "diverged | no": "homogeneous | runaway"}
    names["diverged | yes"] = "bump | runaway"
    return Known(sweep, {names[pair]: curve for pair, curve in ring_borders().items()}, 0.01)


def folds(J, U=0.03, fac=0.65, rec=0.2):
    """Return the inputs at which the low and the high state of a self-exciting population end, for each J.

    A fixed point has r = J m(r) + I with m = u x r, u = U (1 + τ_f r)/(1 + U τ_f r), x = 1/(1 + u τ_r r)
    (Markram et al. 1998, PNAS 95:5323); it ends where 1 = J m'(r).
    """
    r = np.linspace(0, 60, 200001)
    u = U * (1 + fac * r) / (1 + U * fac * r)
    m = u * r / (1 + u * rec * r)
    found = []
    for one in J:
        margin = r - one * m
        turn = np.flatnonzero(np.diff(np.sign(np.diff(margin)))) + 1
        found.append([margin[turn[0]], margin[turn[1]]])
    return np.array(found).T


def both_folds_of_plastic_synapses():
    """From a cold start the low state is seen until it ends, after a strong input the high one."""
    network = {
        "dt": 0.005,
        "duration": 60.0,
        "populations": {"E": {"size": 2, "tau": 0.02}},
        "J": {"EE": 6.5},
        "J0": {"E": 0.5},
        "stp": {"EE": {"kind": "markram", "U": 0.03, "tau_fac": 0.65, "tau_rec": 0.2}},
        "stimuli": [{"shape": "cosine", "width": 0.0, "onset": 1.0, "offset": 6.0, "strength": 3.0}],
    }
    sweep = {
        "network": network,
        "space": _space(**{"J.EE": (6.0, 7.2), "J0.E": (0.2, 2.2)}),
        "measure": ["rates"],
        "window": 0.5,
        "repeat": {"initial_conditions": ["cold", "cued"]},
        "search": {"kind": "boundary", "on": "rate.E.mean > 8", "points": 900, "tolerance": 0.01},
        "compute": COMPUTE,
    }
    J = np.linspace(6.0, 7.2, 400)
    upper, lower = folds(J)
    return Known(sweep, {"no / yes | yes / yes": (J, upper), "no / no | no / yes": (J, lower)}, 0.015)


def onset_of_chaos(size=600, graphs=31, tolerance=0.01):
    """Rest of random networks of tanh units gives way where g times the slope at rest is 1.

    Rates start at 0.001, 0.0006 of it along the mode that grows first, and fall or rise from there: within 0.006 of
    its own border, in g, a graph's label may be wrong. Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61:259.
    """
    network = {
        "dt": 0.2,
        "duration": 90.0,
        "populations": {"E": {"size": size, "tau": 1.0}},
        "transfer": "tanh",
        "connectivity": {"kind": "all_to_all", "seed": 0, "profile": {"kind": "gaussian"}},
        "J": {"EE": 1.0},
        "initial": {"kind": "normal", "sigma": 1e-3},
    }
    sweep = {
        "network": network,
        "space": _space(**{"J.EE": (0.2, 2.2), "populations.E.gain": (0.6, 1.6)}),
        "measure": ["rates"],
        "window": 1.0,
        "repeat": {"graphs": graphs},
        "search": {"kind": "boundary", "on": "rate.E.max > 0.0006", "points": 3000, "tolerance": tolerance},
        "compute": COMPUTE,
    }
    slope = np.linspace(0.6, 1.6, 2001)
    return Known(sweep, {"no | yes": (1.0 / slope, slope)}, tolerance)


NETWORKS = {
    "ring: bump, runaway": ring_of_threshold_linear_units,
    "ring: regimes": regimes_of_the_ring,
    "both folds with plastic synapses": both_folds_of_plastic_synapses,
    "onset of chaos in 31 graphs of 600 neurons": onset_of_chaos,
}
"""What the benchmark simulates."""
