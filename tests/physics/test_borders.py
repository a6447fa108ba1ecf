"""Borders of small networks, located by the search and known in closed form."""

import numpy as np
from scipy.spatial import cKDTree

from neuroflame.sweep.running import run_sweep

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
COMPUTE = {"backend": "inline", "device": "cpu"}


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


def apart(found, true, low, high):
    """Return how far points are from a curve, in fractions of the axes' ranges."""
    low, high = np.array(low), np.array(high)
    return cKDTree((np.stack(true, axis=1) - low) / (high - low)).query((found - low) / (high - low))[0]


def test_the_three_borders_of_the_threshold_linear_ring(tmp_path):
    low, high = (0.1, 0.2), (1.4, 6.0)
    space = {
        path: {"low": a, "high": b}
        for path, a, b in zip(("J.EE", "connectivity.profile.kappa"), low, high, strict=True)
    }
    search = {"kind": "boundary", "on": "bump.E.ratio > 0.1", "points": 520, "tolerance": 0.01}
    table = run_sweep(
        {"network": RING, "space": space, "window": 0.5, "search": search, "compute": COMPUTE},
        str(tmp_path / "ring"),
    )
    assert len(table) < 51**2 / 5
    border = table.border()
    assert border["error"].quantile(0.95) <= 0.01
    points = border[["point.J.EE", "point.connectivity.profile.kappa"]].to_numpy()
    for between, true in ring_borders().items():
        mine = (border["between"] == between).to_numpy()
        distance = apart(points[mine], true, low, high)
        assert np.quantile(distance, 0.95) < 0.015, between
        inside = np.all((low < np.array(true).T) & (high > np.array(true).T), axis=1)
        spread = (np.array(true).T[inside] - low) / np.subtract(high, low)
        assert cKDTree((points[mine] - low) / np.subtract(high, low)).query(spread)[0].max() < 0.1, between


def test_regimes_are_told_apart_where_the_closed_forms_do(tmp_path):
    """128 neurons: of fewer than 40 a bump's own profile counts as variation that noise could give."""
    low, high = np.array([0.1, 0.2]), np.array([1.4, 6.0])
    paths = ("J.EE", "connectivity.profile.kappa")
    table = run_sweep(
        {
            "network": {**RING, "populations": {"E": {"size": 128, "tau": 0.02}}},
            "space": {path: {"low": a, "high": b} for path, a, b in zip(paths, low, high, strict=True)},
            "window": 0.5,
            "measure": ["regime"],
            "search": {"kind": "boundary", "on": "regime", "points": 520, "tolerance": 0.01},
            "compute": COMPUTE,
        },
        str(tmp_path / "ring"),
    )
    assert len(table) < 51**2 / 5
    curves = ring_borders()
    border = table.border()
    assert border["error"].quantile(0.95) <= 0.01
    points = border[[f"point.{path}" for path in paths]].to_numpy()
    for between, name in (
        ("bump | homogeneous", "no | yes"),
        ("bump | runaway", "diverged | yes"),
        ("homogeneous | runaway", "diverged | no"),
    ):
        mine = (border["between"] == between).to_numpy()
        assert mine.sum() > 5, between
        assert np.quantile(apart(points[mine], curves[name], low, high), 0.95) < 0.01, between
    frame = table.to_pandas()
    places = frame[[f"point.{path}" for path in paths]].to_numpy()
    J, kappa = places.T
    amplitude, at = curves["diverged | yes"]
    largest = np.where(kappa < 2, 1.0, np.interp(kappa, at[::-1], amplitude[::-1]))
    expected = np.where(largest < J, "runaway", np.where(J * kappa > 2, "bump", "homogeneous"))
    far = np.min([apart(places, curve, low, high) for curve in curves.values()], axis=0) > 0.05
    assert far.sum() > 50
    assert (frame["regime"].to_numpy()[far] == expected[far]).all()


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


def test_both_folds_of_a_population_with_plastic_synapses(tmp_path):
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
    low, high = (6.0, 0.2), (7.2, 2.2)
    space = {"J.EE": {"low": low[0], "high": high[0]}, "J0.E": {"low": low[1], "high": high[1]}}
    search = {"kind": "boundary", "on": "rate.E.mean > 8", "points": 900, "tolerance": 0.01}
    table = run_sweep(
        {
            "network": network,
            "space": space,
            "measure": ["rates"],
            "window": 0.5,
            "repeat": {"initial_conditions": ["cold", "cued"]},
            "search": search,
            "compute": COMPUTE,
        },
        str(tmp_path / "folds"),
    )
    assert len(table) < 2 * 51**2 / 5
    border = table.border()
    points = border[["point.J.EE", "point.J0.E"]].to_numpy()
    J = np.linspace(low[0], high[0], 400)
    upper, lower = folds(J)
    for between, true in (("no / yes | yes / yes", upper), ("no / no | no / yes", lower)):
        mine = (border["between"] == between).to_numpy()
        assert mine.sum() > 10
        assert np.quantile(apart(points[mine], (J, true), low, high), 0.95) < 0.015, between
