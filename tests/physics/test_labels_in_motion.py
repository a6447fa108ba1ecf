"""Labels of what moves: bumps that travel, rhythms that are slow, and what only symmetry holds."""

import numpy as np
import pytest

from neuroflame.core.measure import measure_points
from neuroflame.regimes import label_points
from neuroflame.spec import NetworkSpec

RING = {
    "dt": 0.002,
    "duration": 8.0,
    "populations": {"E": {"size": 64, "tau": 0.02}},
    "connectivity": {"profile": {"kind": "cosine", "kappa": -1.0}},
    "J": {"EE": -3.0},
    "J0": {"E": 10.0},
    "stimuli": [
        {"name": "cue", "shape": "cosine", "onset": 0.2, "offset": 0.5, "strength": 0.1, "phase": 90.0}
    ],
}


def measured(network, values=None, starts=("network",), measure=("regime",), **options):
    count = len(next(iter(values.values()))) if values else 1
    path_to = {path: np.repeat(given, len(starts)) for path, given in (values or {}).items()}
    found = measure_points(
        NetworkSpec.parse(network),
        path_to,
        seeds=np.arange(count * len(starts)),
        initial=list(starts) * count,
        measure=list(measure),
        longest=60.0,
        **options,
    ).data
    return found | {f"point.{path}": given for path, given in path_to.items()}


def velocity(phase):
    """A turned cosine profile, by the exact step: |e + (1 − e) g exp(iφ)| = 1 for the gain g of the bump."""
    kept, phi = np.exp(-RING["dt"] / 0.02), np.radians(phase)
    added = -kept * np.cos(phi) + np.sqrt(1 - (kept * np.sin(phi)) ** 2)
    return np.arcsin(added * np.sin(phi)) / RING["dt"]


@pytest.mark.parametrize("window", [None, 0.5, 1.0, 3.0])
def test_a_travelling_bump_is_one_whatever_of_its_turn_the_window_holds(window):
    phases = np.array([2.0, 3.0, 5.0, 8.0, 12.0, 20.0])
    found = measured(RING, {"connectivity.profile.phase": phases}, ("cold", "cued"), window=window)
    assert set(found["regime"]) == {"travelling"}
    assert np.abs(found["bump.E.velocity"]) == pytest.approx(np.repeat(velocity(phases), 2), rel=0.01)
    assert (found["bump.E.rotating"] > 1.3).all()
    points = label_points(
        found | {"initial_condition": np.array(["cold", "cued"] * len(phases), dtype=object)}
    )
    assert list(points["regime"]) == ["travelling"] * len(phases)


def test_a_bump_that_still_speeds_up_is_made_again():
    """Adaptation above A = τ/τ_a makes a bump drift, at first by what rounding left."""
    fatigued = {"E": {"size": 64, "tau": 0.02, "adaptation": {"tau": 0.2, "strength": 0.1}}}
    strengths = np.array([0.08, 0.15, 0.3])
    found = measured(
        RING | {"populations": fatigued, "duration": 12.0},
        {"populations.E.adaptation.strength": strengths},
        ("cold", "cued"),
        ("regime", "spectrum"),
    )
    assert list(found["regime"]) == ["bump"] * 2 + ["travelling"] * 4
    speed = np.abs(found["bump.E.velocity"]).reshape(-1, 2)
    assert speed[1:, 0] == pytest.approx(speed[1:, 1], rel=0.02)
    change = np.abs(found["bump.E.acceleration"])[2:]
    assert (change < 0.05 * speed[1:].ravel()).all()


def test_rhythms_of_few_cycles_are_made_again():
    pair = {
        "dt": 0.001,
        "duration": 8.0,
        "populations": {
            "E": {"size": 1, "tau": 0.02, "tau_syn": 0.004},
            "I": {"size": 1, "tau": 0.06, "tau_syn": 0.01},
        },
        "J": {"EE": 1.7647, "EI": -1.5, "IE": 1.4882, "II": -0.5},
        "J0": {"E": 10.0, "I": 2.0},
    }
    found, once = measured(pair), measured(pair | {"duration": 24.0}, window=16.0)
    assert list(found["regime"]) == list(once["regime"]) == ["oscillating"]
    assert found["elapsed"][0] == 16.0
    assert once["elapsed"][0] == 24.0
    assert found["osc.E.frequency"] == pytest.approx(once["osc.E.frequency"], rel=0.01)
    assert np.isnan(found["osc.E.slow"]).all()
    short = measured(pair, window=1.9, measure=("rates", "oscillation"))
    assert np.isnan(short["osc.E.frequency"]).all()
    assert short["osc.E.slow"][0] > 0.5


def test_rounding_about_a_mean_is_no_fluctuation():
    """A bump that grows slowly from the homogeneous state, whose mean is conserved until some neuron falls silent."""
    near = {
        **RING,
        "J": {"EE": 0.51211},
        "J0": {"E": 2.0},
        "stimuli": [RING["stimuli"][0] | {"strength": 0.02}],
    }
    near["connectivity"] = {"profile": {"kind": "cosine", "kappa": 3.942443}}
    found = measured(near | {"rate_limit": 2000.0}, {"J.EE": np.array([0.51, 0.512, 0.513, 0.514])})
    assert set(found["regime"]) <= {"bump", "slow"}
    assert "bump" in found["regime"]


def test_neurons_that_oscillate_together_are_tried_apart():
    """An E–I network whose common rhythm would not last: with rates a little apart it ends in a pattern at rest."""
    network = {
        "dt": 0.002,
        "duration": 2.0,
        "populations": {
            "E": {"size": 96, "tau": 0.02, "rate_max": 20.0},
            "I": {"size": 96, "tau": 0.005, "rate_max": 1.0},
        },
        "transfer": {"E": "erf", "I": "relu"},
        "connectivity": {
            "pairs": {
                "EE": {"profile": {"kind": "von_mises", "kappa": 12.0}},
                "EI": {"profile": {"kind": "von_mises", "kappa": 1.5}},
                "IE": {"profile": {"kind": "von_mises", "kappa": 8.0}},
            }
        },
        "J": {"EE": 0.6, "EI": -0.6, "IE": 1.0},
    }
    uniform = network | {"connectivity": {"kind": "all_to_all"}}
    found, same = measured(network), measured(uniform)
    assert found["regime"][0] == "heterogeneous"
    assert found["apart"][0]
    assert same["regime"][0] == "oscillating"
    assert same["apart"][0]
    assert same["rate.E.cv"][0] < 1e-3
