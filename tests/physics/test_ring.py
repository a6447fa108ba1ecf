"""The threshold-linear ring: where the homogeneous state and its amplitude lose stability."""

import numpy as np
import pytest

from tests.physics.helpers import build

KAPPA = 4.0


def ring(**overrides):
    base = {
        "dt": 0.001,
        "duration": 2.0,
        "populations": {"E": {"size": 64, "tau": 0.02}},
        "J": {"EE": 0.4},
        "J0": {"E": 1.0},
        "connectivity": {"profile": {"kind": "cosine", "kappa": KAPPA}},
        "stimuli": [{"shape": "cosine", "onset": 0.2, "offset": 0.21, "strength": 1e-3, "phase": 90.0}],
    }
    return build(base, **overrides)


def crossing(x, y):
    """Return where y first changes sign, by linear interpolation."""
    i = int(np.flatnonzero(np.sign(y[:-1]) != np.sign(y[1:]))[0])
    return x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i])


def test_homogeneous_state_loses_stability_where_the_modulated_gain_is_one():
    """Mode 1 grows as exp((J κ/2 − 1) t/τ): the border is J = 2/κ (Ben-Yishai et al. 1995, PNAS 92:3844)."""
    couplings = np.linspace(0.40, 0.60, 21)
    table = ring().measure({"J.EE": couplings}, measure=["bump"], window=0.02)
    early = ring(duration=0.3).measure({"J.EE": couplings}, measure=["bump"], window=0.05)
    assert crossing(couplings, early["bump.E.trend"].to_numpy()) == pytest.approx(2 / KAPPA, rel=0.01)
    bump = table["bump.E.ratio"].to_numpy()
    assert (bump[couplings < 0.495] < 1e-2).all()
    assert (bump[couplings > 0.535] > 0.1).all()


def test_growth_rate_of_a_mode_is_that_of_linear_theory():
    for J in (0.45, 0.55):
        table = ring(duration=0.3).measure({"J.EE": [J]}, measure=["bump"], window=0.05)
        assert float(table["bump.E.trend"][0]) == pytest.approx((J * KAPPA / 2 - 1) / 0.02, rel=0.03)


def test_amplitude_instability_where_the_mean_gain_is_one():
    couplings = np.array([0.98, 1.03])
    table = ring(**{"connectivity.profile.kappa": 0.5, "duration": 40.0, "dt": 0.01}).measure(
        {"J.EE": couplings}, measure=["rates"], window=1.0
    )
    assert list(table["status"]) == ["ok", "diverged"]
    assert table["t_fail"][1] > 1.0


def test_bump_sits_where_the_cue_was():
    for phase in (0.0, 77.0, 200.0):
        table = ring(**{"stimuli.0.phase": phase}).measure({"J.EE": [0.6]}, measure=["bump"], window=0.5)
        error = np.angle(np.exp(1j * (float(table["bump.E.phase"][0]) - np.deg2rad(phase))))
        assert error == pytest.approx(0.0, abs=0.03 * 2 * np.pi / 64)


def test_rotating_the_cue_rotates_the_rates():
    one = ring(**{"J.EE": 0.6, "stimuli.0.phase": 90.0})(every=500).numpy()
    other = ring(**{"J.EE": 0.6, "stimuli.0.phase": 180.0})(every=500).numpy()
    np.testing.assert_allclose(np.roll(one, 16, axis=-1), other, rtol=1e-6, atol=1e-9)


def test_connectivity_phase_makes_the_bump_travel():
    table = ring(**{"J.EE": 0.6, "connectivity.profile.phase": 20.0}).simulate(every=1)
    rates = table["rates"][0, -400:].to_numpy()
    mode = (rates * np.exp(1j * np.arange(64) * 2 * np.pi / 64)).mean(axis=1)
    velocity = np.polyfit(np.arange(400) * 1e-3, np.unwrap(np.angle(mode)), 1)[0]
    assert velocity == pytest.approx(np.tan(np.deg2rad(20.0)) / 0.02, rel=0.05)
