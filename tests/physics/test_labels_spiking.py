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
        values or {"M0": np.full(len(seeds), spec.get("M0"))},
        seeds=np.array(seeds),
        initial=[initial] * len(seeds),
        measure=["regime"],
        window=window,
    ).data


def shared(mean, spread, every=0.004):
    """Return input that all neurons receive alike: a new normal number every few milliseconds."""
    numbers = np.random.default_rng(0).standard_normal(round(APART["duration"] / every))
    course = {"shape": "array", "over": "time", "sample_dt": every, "onset": 0.0}
    return [{**course, "values": (mean + spread * numbers).round(4).tolist()}]


INHIBITED = {
    "dt": 0.0002,
    "duration": 2.0,
    "populations": {"I": {"size": 100, "tau": 0.01, "tau_syn": 0.005, "spiking": {"tau_ref": 0.001}}},
    "J": {"II": -0.15},
    "J0": {"I": 3.0},
}
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
    "one noise for all, about the threshold": (
        APART,
        {"J0": {"E": 0.0}, "stimuli": shared(0.75, 0.7)},
        "synchronous irregular",
    ),
    "one noise for all, above the threshold": (
        APART,
        {"J0": {"E": 0.0}, "stimuli": shared(1.3, 0.5)},
        "synchronous regular",
    ),
    "strong inhibition, all from one voltage": (
        INHIBITED,
        {"populations": {"I": {"spiking": {"V_start": 0.0}}}},
        "oscillating",
    ),
    "strong inhibition, noise of each neuron's own": (
        INHIBITED,
        {"noise": {"kind": "white", "sigma": 0.05}},
        "asynchronous irregular",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_labels(case):
    base, change, expected = CASES[case]
    driven = any(stimulus["shape"] == "array" for stimulus in change.get("stimuli", ()))
    spec, found = labelled(base, change, initial="network" if driven else "cold")
    assert found["regime"].tolist() == [expected]
    assert found["regime.confidence"][0] > 0.1
    names = set(found) - {"status", "regime"}
    absent = (".before", ".after") if driven else ()  # of a stimulus that is always on
    assert names == {name for name in statistics(spec, ["regime"]) if not name.endswith(absent)}
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


@pytest.mark.parametrize("size", [40, 160])
def test_synchrony_is_one_over_the_number_of_neurons_where_they_are_independent_and_one_where_alike(size):
    """χ², uncoupled: the mean of N independent trains has 1/N of the variance of one, of N equal ones all."""
    noisy = {"J0": {"E": 0.8}, "noise": {"kind": "white", "sigma": 0.08}}
    population = {"populations": {"E": {"size": size}}}
    _, found = labelled(APART, merge(noisy, population), seeds=(0, 1, 2, 3))
    assert found["spikes.E.sync"].mean() == pytest.approx(1 / size, rel=0.25)
    assert found["regime"].tolist() == ["asynchronous irregular"] * 4
    alike = {
        "J0": {"E": 0.0},
        "stimuli": shared(0.75, 0.7),
        "populations": {"E": {"spiking": {"V_start": 0.0}}},
    }
    _, found = labelled(APART, merge(alike, population), initial="network")
    assert found["spikes.E.sync"].tolist() == [pytest.approx(1.0)]


def test_between_the_two_synchrony_is_the_share_of_the_noise_that_is_shared():
    """More of one noise for all and less of each neuron's own: the label changes where χ² passes its threshold."""
    labels, synchrony = [], []
    for spread in (0.0, 0.1, 0.7):
        own = {"noise": {"kind": "white", "sigma": 0.08}} if spread < 0.7 else {}
        change = {"J0": {"E": 0.0}, "stimuli": shared(0.8, spread)} | own
        _, found = labelled(APART, change, initial="network")
        labels.append(found["regime"][0])
        synchrony.append(found["spikes.E.sync"][0])
    assert synchrony == sorted(synchrony)
    expected = ["synchronous irregular" if s > 0.1 else "asynchronous irregular" for s in synchrony]
    assert labels == expected
    assert len(set(labels)) == 2


def test_neurons_in_step_have_their_own_frequency_not_an_alias_nor_a_harmonic():
    """T = τ_ref + τ ln(J0 / (J0 − 1)) between two spikes, at a threshold of 1 from a reset at 0."""
    change = {"dt": 0.0001, "populations": {"E": {"size": 10, "spiking": {"V_start": 0.0}}}, "duration": 3.0}
    drives = np.array([1.02, 1.3, 4.0, 5.0])
    _, found = labelled(APART, change, initial="network", values={"J0.E": drives}, seeds=range(4))
    period = 0.002 + 0.02 * np.log(drives / (drives - 1.0))
    np.testing.assert_allclose(found["osc.E.frequency"], 1.0 / period, rtol=0.02)
    assert found["regime"].tolist() == ["oscillating"] * 4
