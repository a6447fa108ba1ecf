"""Labels of spiking networks whose state is known."""

import numpy as np
import pytest

from neuroflame.core.measure import measure_points
from neuroflame.regimes import label_points
from neuroflame.spec import NetworkSpec
from neuroflame.spec.base import merge
from neuroflame.spec.measures import statistics

APART = {
    "dt": 0.0002,
    "duration": 2.0,
    "populations": {"E": {"size": 80, "tau": 0.02, "spiking": {"tau_ref": 0.002}}},
    "J0": {"E": 1.3},
}
BALANCED = {
    "dt": 0.0002,
    "duration": 2.5,
    "populations": {
        "E": {"size": 320, "tau": 0.02, "tau_syn": 0.003, "spiking": {"tau_ref": 0.002}},
        "I": {"size": 80, "tau": 0.01, "tau_syn": 0.002, "spiking": {"tau_ref": 0.001}},
    },
    "connectivity": {"kind": "sparse", "K": 40, "seed": 0},
    "J": {"EE": 0.01, "EI": -0.04, "IE": 0.02, "II": -0.03},
    "J0": {"E": 0.5, "I": 0.25},
}


def labelled(base, change=None, *, initial="cold", window=1.5, seeds=(0,), values=None):
    spec = NetworkSpec.parse(merge(base, change or {}))
    return spec, measure_points(
        spec,
        values or {"J0.E": np.full(len(seeds), spec.get("J0.E"))},
        seeds=np.array(seeds),
        initial=[initial] * len(seeds),
        measure=["regime"],
        window=window,
    ).data


CASES = {
    "clocks that start apart": (APART, {}, "asynchronous regular"),
    "clocks in step": (
        APART,
        {"populations": {"E": {"spiking": {"V_start": 0.0}}}},
        "oscillating",
    ),
    "below threshold": (APART, {"J0": {"E": 0.9}}, "quiescent"),
    "noise about the threshold": (
        APART,
        {"J0": {"E": 0.8}, "noise": {"kind": "white", "sigma": 0.08}},
        "asynchronous irregular",
    ),
    "balance": (BALANCED, {}, "asynchronous irregular"),
}


@pytest.mark.parametrize("case", CASES)
def test_labels(case):
    base, change, expected = CASES[case]
    spec, found = labelled(base, change)
    assert found["regime"].tolist() == [expected]
    assert found["regime.confidence"][0] > 0.1
    names = set(found) - {"status", "regime"}
    assert names == set(statistics(spec, ["regime"]))
    assert np.isnan(found["residual"]).all()
    assert found["noisy"].tolist() == [True]


def test_a_wave_of_input_makes_spikes_a_bump():
    """Neurons that hear one another through a cosine: half of the ring fires, and stays after the cue."""
    ring = merge(
        APART,
        {
            "populations": {"E": {"size": 160, "tau_syn": 0.05}},
            "J0": {"E": 0.9},
            "J": {"EE": 0.03},
            "connectivity": {"profile": {"kind": "cosine", "kappa": 3.0}},
            "noise": {"kind": "white", "sigma": 0.02},
            "stimuli": [{"shape": "cosine", "onset": 0.0, "offset": 0.3, "strength": 0.6, "phase": 120.0}],
            "duration": 3.0,
        },
    )
    _, cued = labelled(ring, initial="cued", window=1.0)
    assert cued["regime"].tolist() == ["bump"]
    assert abs(cued["memory.error"][0]) < 30.0
    _, cold = labelled(ring, window=1.0)
    assert cold["regime"][0] != "bump"


def test_one_state_from_several_starts_is_one_though_chance_moves_its_rates():
    _, cold = labelled(BALANCED, seeds=(0, 1), window=0.6)
    _, hot = labelled(BALANCED, seeds=(0, 1), initial="hot", window=0.6)
    rows = {name: np.concatenate([cold[name], hot[name]]) for name in cold}
    rows |= {
        "seed": np.array([0, 1, 0, 1]),
        "initial_condition": np.array(["cold"] * 2 + ["hot"] * 2, object),
    }
    found = label_points(rows | {"point.J0.E": np.full(4, 0.5)})
    assert found["regime"].tolist() == ["asynchronous irregular"] * 2
    assert found["states"].tolist() == [1, 1]
