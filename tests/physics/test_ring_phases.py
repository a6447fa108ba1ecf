"""The phase diagram of the threshold-linear ring with cosine coupling: what it does, and how wide and high its bump is.

Ben-Yishai, Bar-Or & Sompolinsky 1995, PNAS 92:3844; Hansel & Sompolinsky 1998, in Methods in Neuronal Modeling. With
weights (A + 2 B cos Δ)/N, input E and a bump [cos θ − cos θ_c]₊ times g, the first mode wants
B (θ_c − sin(2 θ_c)/2)/π = 1, which gives the width whatever A and E are, and the mean wants
g = E/(−cos θ_c − A (sin θ_c − θ_c cos θ_c)/π).
"""

import numpy as np
import pytest
from scipy.optimize import brentq

from tests.physics.helpers import build

N = 256
MEAN = np.array([-4.0, -2.0, -1.0, -0.3, 0.4, 0.8, 1.3])
MODE = np.array([0.3, 0.8, 1.25, 1.6, 2.5, 4.0])


def half_width(mode):
    return brentq(lambda c: mode * (c - np.sin(2 * c) / 2) / np.pi - 1, 1e-6, np.pi)


def filling(width):
    """⟨[cos θ − cos θ_c]₊⟩."""
    return (np.sin(width) - width * np.cos(width)) / np.pi


def critical_mean(mode):
    """The mean coupling at which the amplitude has no bound: of the homogeneous state, or of the bump."""
    if mode < 1:
        return 1.0
    width = half_width(mode)
    return -np.cos(width) / filling(width)


def grid():
    """Every pair of couplings that is not near the border of the amplitude's instability."""
    points = np.array([(a, b) for a in MEAN for b in MODE])
    return points[[abs(a - critical_mean(b)) > 0.12 for a, b in points]]


@pytest.fixture(scope="module")
def measured():
    mean, mode = grid().T
    model = build(
        {
            "dt": 0.002,
            "duration": 3.0,
            "populations": {"E": {"size": N, "tau": 0.02}},
            "J0": {"E": 1.5},
            "J": {"EE": 1.0},
            "connectivity": {"profile": {"kind": "cosine", "kappa": 1.0}},
            "stimuli": [{"shape": "cosine", "onset": 0.0, "offset": 0.1, "strength": 0.05, "phase": 0.0}],
        },
        executor="reference",
    )
    cues = 360.0 * np.arange(len(mean)) * 0.382
    values = {"J.EE": mean, "connectivity.profile.kappa": 2 * mode / mean, "stimuli.0.phase": cues}
    rates = model(values, every=1500)[:, -1].numpy()
    return model.measure(values, measure=["bump"], window=0.1, pairwise=True), rates, cues


def test_the_amplitude_is_unbounded_where_the_mean_coupling_is_above_the_border(measured):
    unbounded = [a > critical_mean(b) for a, b in grid()]
    assert (measured[0]["status"] == "diverged").tolist() == unbounded
    assert 5 < sum(unbounded) < len(unbounded) - 5


def test_the_state_is_homogeneous_where_the_modes_coupling_is_below_one(measured):
    table, checked = measured[0], 0
    for i, (a, b) in enumerate(grid()):
        if b < 1 and a < 1:
            assert table["bump.E.ratio"][i] < 1e-3
            assert table["bump.E.m0"][i] == pytest.approx(1.5 / (1 - a), rel=1e-3)
            checked += 1
    assert checked > 5


def test_bumps_have_the_width_and_the_height_that_are_consistent_and_stay_where_the_cue_was(measured):
    table, rates, cues = measured
    checked = 0
    for i, (a, b) in enumerate(grid()):
        if b > 1 and a < critical_mean(b):
            width = half_width(b)
            height = 1.5 / (-np.cos(width) - a * filling(width))
            assert table["bump.E.m0"][i] == pytest.approx(height * filling(width), rel=2e-3)
            assert table["bump.E.m1"][i] == pytest.approx(height / b, rel=2e-3)
            assert rates[i].max() == pytest.approx(height * (1 - np.cos(width)), rel=5e-3)
            active = np.count_nonzero(rates[i] > 1e-3 * rates[i].max())
            assert active == pytest.approx(N * width / np.pi, abs=2)
            away = np.angle(np.exp(1j * (table["bump.E.phase"][i] - np.deg2rad(cues[i]))))
            assert abs(away) < 2 * np.pi / N
            checked += 1
    assert checked > 10


def test_the_width_does_not_depend_on_input_or_mean_coupling(measured):
    table = measured[0]
    ratios = {b: [] for b in MODE if b > 1}
    for i, (a, b) in enumerate(grid()):
        if b > 1 and a < critical_mean(b):
            ratios[b].append(table["bump.E.ratio"][i])
    spreads = [np.ptp(found) / np.mean(found) for found in ratios.values() if len(found) > 1]
    assert len(spreads) >= 3
    assert max(spreads) < 1e-3
