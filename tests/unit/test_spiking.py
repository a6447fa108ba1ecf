"""Spiking populations as users meet them: what is refused, recorded, measured, saved, differentiated."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core.spike_record import Intervals
from neuroflame.errors import SpecError
from neuroflame.spec import NetworkSpec, paths
from neuroflame.spec.base import merge
from neuroflame.spec.measures import statistics

BASE = {
    "dt": 0.0005,
    "duration": 0.1,
    "populations": {"E": {"size": 6, "spiking": {}}, "R": {"size": 4}},
    "J": {"RE": 0.5, "ER": -0.1},
    "J0": {"E": 2.0},
}
ALONE = {"dt": 0.0001, "duration": 0.1, "populations": {"E": {"size": 6, "spiking": {}}}, "J0": {"E": 2.0}}

REFUSED = {
    "threshold": (
        BASE,
        {"populations.E.threshold": 0.5},
        "populations.E.threshold",
        "use spiking.V_threshold",
    ),
    "gain": (
        BASE,
        {"populations.E.gain": 2.0},
        "populations.E.gain",
        "has no effect on a population that spikes",
    ),
    "rate_max": (BASE, {"populations.E.rate_max": 2.0}, "populations.E.rate_max", "use spiking.tau_ref"),
    "transfer": (
        BASE,
        {"transfer": {"E": "relu", "R": "relu"}},
        "transfer.E",
        "has no effect on a population",
    ),
    "transfer of none": (
        ALONE,
        {"transfer": "tanh"},
        "transfer",
        "has no effect where all populations spike",
    ),
    "rate_limit": (ALONE, {"rate_limit": 100.0}, "rate_limit", "has no effect where all populations spike"),
    "tau": (BASE, {"populations.E.tau": 0.0}, "populations.E.tau", "must be greater than 0"),
    "noise on rates": (
        BASE,
        {"noise": {"kind": "white", "sigma": 0.1, "on": "rates"}},
        "noise.0.on",
        "must be input for E, which spikes",
    ),
    "plasticity's kind": (
        BASE,
        {"stp.RE": {"kind": "markram_exp", "U": 0.2, "tau_fac": 0.1, "tau_rec": 0.1}},
        "stp.RE.kind",
        "they relax exactly between spikes",
    ),
    "threshold below reset": (
        BASE,
        {"populations.E.spiking.V_threshold": -1.0},
        "populations.E.spiking.V_threshold",
        "must be above V_reset, 0, got -1.0",
    ),
    "negative refractory time": (
        BASE,
        {"populations.E.spiking.tau_ref": -0.001},
        "populations.E.spiking.tau_ref",
        "must be at least 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_line(case):
    base, change, path, words = REFUSED[case]
    with pytest.raises(SpecError) as caught:
        NetworkSpec.parse(merge(base, change))
    assert caught.value.path == path
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_refused_for_spikes_is_allowed_for_the_rate_units_beside_them():
    spec = NetworkSpec.parse(
        merge(
            BASE,
            {
                "populations.R.threshold": 0.5,
                "transfer": {"R": "tanh"},
                "rate_limit": 50.0,
                "noise": {"kind": "white", "sigma": {"R": 0.1}, "on": "rates"},
                "stp.ER": {"kind": "markram_exp", "U": 0.2, "tau_fac": 0.1, "tau_rec": 0.1},
            },
        )
    )
    assert NetworkSpec.parse(spec.to_dict()) == spec
    assert bool(torch.isfinite(Network(spec, device="cpu")()).all())


def test_voltages_and_refractory_time_may_differ_between_points():
    known = paths(NetworkSpec.parse(merge(BASE, {"populations.E.spiking.V_start": 0.0})))
    names = [path for path in known if path.startswith("populations.E.spiking.")]
    assert len(names) == 5
    assert not any(known[path].structural for path in names)
    assert known["populations.E.spiking.tau_ref"].unit == "s"


def test_measure_needs_spikes():
    rates = NetworkSpec.parse({"populations": {"E": {"size": 2}}})
    with pytest.raises(SpecError, match="needs a population that spikes"):
        Network(rates, device="cpu").measure(measure=["spikes"])


def test_columns_are_those_announced():
    model = Network(NetworkSpec.parse(BASE), device="cpu")
    table = model.measure(measure=["rates", "bump", "spikes"])
    announced = statistics(model.spec, ["rates", "bump", "spikes"])
    assert set(table.columns) == {"status", *announced}
    assert not any(name.startswith("spikes.R") for name in announced)


@pytest.mark.parametrize("executor", ["trajectory", "reference"])
def test_no_spike_is_lost_between_samples(executor):
    """Counts of a coarse recording are sums over the fine one; rates are counts over time."""
    model = Network(NetworkSpec.parse(BASE), device="cpu", precision="double", executor=executor, seed=1)
    fine = model.simulate(record=["spikes.E", "voltage", "rates"], every=1)
    coarse = model.simulate(record=["spikes.E", "rates", "voltage"], every=20)
    counts = fine["spikes.E"].to_numpy().reshape(1, 10, 20, 6).sum(2)
    assert set(np.unique(fine["spikes.E"])) == {0.0, 1.0}
    assert counts.sum() > 10
    np.testing.assert_allclose(coarse["spikes.E"], counts, rtol=1e-12)
    np.testing.assert_allclose(coarse["rates"][:, :, :6], counts / (20 * 0.0005), rtol=1e-12)
    np.testing.assert_array_equal(coarse["rates"][:, :, 6:], fine["rates"][:, 19::20, 6:])
    np.testing.assert_array_equal(coarse["voltage"], fine["voltage"][:, 19::20])
    assert coarse["rates"].attrs["units"] == "Hz"
    assert coarse["voltage"].dims == ("point", "time", "neuron_spiking")
    assert list(np.unique(coarse["population_spiking"])) == ["E"]


def test_spikes_of_all_populations_stand_on_the_neuron_axis():
    found = Network(NetworkSpec.parse(ALONE), device="cpu").simulate(record=["spikes", "voltage"])
    assert found["spikes"].dims == found["voltage"].dims == ("point", "time", "neuron")


def test_mean_rate_is_the_count_of_the_window():
    model = Network(NetworkSpec.parse(ALONE), device="cpu", precision="double")
    table = model.measure({"J0.E": [1.5, 4.0]}, measure=["rates", "spikes"], window=0.05, pairwise=True)
    counts = model.simulate({"J0.E": [1.5, 4.0]}, record=["spikes.E"], every=500)["spikes.E"][:, 1].to_numpy()
    np.testing.assert_allclose(table["rate.E.mean"], counts.mean(1) / 0.05, rtol=1e-12)
    np.testing.assert_allclose(table["spikes.E.active"], (counts > 0).mean(1), rtol=1e-12)


def intervals_of(times, dtype=torch.float32):
    kept = Intervals.none(torch.zeros(1, 1, dtype=dtype))
    for step in range(1, max(times) + 2):
        kept = kept.after(torch.full((1, 1), 1e4 if step in times else 0.0, dtype=dtype), step)
    return kept


@pytest.mark.parametrize("times", [[5, 20, 21, 60, 300], [100, 200, 300, 400], [7, 8, 10]])
def test_interval_statistics_of_a_train(times):
    enough, cv, cv2 = intervals_of(times).cv()
    gaps = np.diff(times)
    assert bool(enough)
    assert float(cv) == pytest.approx(gaps.std() / gaps.mean(), abs=1e-6)
    assert float(cv2) == pytest.approx(np.mean(2 * np.abs(np.diff(gaps)) / (gaps[1:] + gaps[:-1])), abs=1e-6)


@pytest.mark.parametrize("times", [[3], [3, 9]])
def test_fewer_than_three_spikes_have_no_coefficient_of_variation(times):
    assert not bool(intervals_of(times).cv()[0])


def test_temporal_statistics_are_of_bins():
    """All neurons start together and fire together: χ² is 1, and the bins' variance that of the counts in them."""
    spec = NetworkSpec.parse(merge(ALONE, {"populations.E.spiking.V_start": 0.0}))
    model = Network(spec, device="cpu", precision="double")
    row = model.measure(measure=["rates", "spikes"], window=0.1).iloc[0]
    counts = model.simulate(record=["spikes.E"], every=50)["spikes.E"][0, :, 0].to_numpy()
    assert row["spikes.E.sync"] == pytest.approx(1.0, rel=1e-9)
    assert row["rate.E.sd_t"] == pytest.approx(counts.std() / counts.mean(), rel=1e-9)
    assert row["rate.E.sd_i"] == pytest.approx(counts.std() / counts.mean(), rel=1e-9)


def test_windows_of_each_points_own_are_those_of_a_file_with_its_times():
    """Onsets that are swept: sums, bins and intervals are kept under a mask, and are the same to the last bit."""
    cue = {"name": "cue", "shape": "cosine", "onset": 0.02, "offset": 0.05, "strength": 0.4}
    spec = NetworkSpec.parse(
        merge(ALONE, {"duration": 0.2, "stimuli": [cue], "noise": {"kind": "white", "sigma": 0.05}})
    )
    onsets = [0.02, 0.0333, 0.09]
    together = Network(spec, device="cpu", executor="reference").measure(
        {"stimuli.cue.onset": onsets, "stimuli.cue.offset": [o + 0.03 for o in onsets]},
        measure=["rates", "bump", "spikes"],
        pairwise=True,
    )
    for i, onset in enumerate(onsets):
        own = spec.with_values({"stimuli.cue.onset": onset, "stimuli.cue.offset": onset + 0.03})
        alone = Network(own, device="cpu", executor="reference").measure(measure=["rates", "bump", "spikes"])
        assert np.isfinite(alone["spikes.E.cv"][0])
        for name in alone.columns:
            assert alone[name][0] == together[name][i] or np.isnan(alone[name][0]), name


@pytest.mark.parametrize("measure", ["spectrum", "lyapunov", "fixed_points"])
def test_what_asks_whether_a_state_rests_is_for_rate_units(measure):
    with pytest.raises(SpecError, match="is for rate units, and E spikes"):
        Network(NetworkSpec.parse(BASE), device="cpu").measure(measure=[measure])


def test_rhythm_memory_and_plasticity_are_measured_in_both_executors():
    """What is sampled of a train is its mean since the sample before: both executors agree on all that follows."""
    cue = {"name": "cue", "shape": "cosine", "onset": 0.02, "offset": 0.05, "strength": 0.4}
    spec = NetworkSpec.parse(
        merge(BASE, {"duration": 0.4, "stimuli": [cue], "stp.RE": {"U": 0.2, "tau_fac": 0.1, "tau_rec": 0.1}})
    )
    ours, reference = (
        Network(spec, device="cpu", precision="double", executor=executor).measure(
            {"J0.E": [1.5, 3.0]}, measure=["rates", "spikes", "oscillation", "memory", "stp"], initial="cued"
        )
        for executor in ("trajectory", "reference")
    )
    assert reference["stp.RE.u"].between(0.2, 1.0).all()
    assert list(reference["sync.E"]) == pytest.approx(list(reference["spikes.E.sync"]))
    for name in reference.columns.drop("status"):
        here, there = (
            np.concatenate([np.atleast_1d(value) for value in found[name]]).astype(float)
            for found in (ours, reference)
        )  # courses too, of which each point has as many moments as it takes
        np.testing.assert_allclose(here, there, rtol=1e-8, atol=1e-8, err_msg=name)


def test_gpu_kernels_leave_spikes_to_the_reference():
    from neuroflame.spec.kernels import kernel_refusal

    spec = NetworkSpec.parse(BASE)
    assert kernel_refusal(spec, cuda=True) == "the neurons of E spike"
    assert kernel_refusal(spec, cuda=False) is None


def rate_and_gradient(value, path="J0.E", *, steepness=100.0, spec=ALONE, **changes):
    model = Network(
        NetworkSpec.parse(merge(spec, {"duration": 0.3, "populations.E.size": 40} | changes)),
        device="cpu",
        precision="double",
        steepness=steepness,
    )
    number = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    rate = model({path: number}, every=3000).mean()
    rate.backward()
    assert torch.equal(model({path: torch.tensor([value])}, every=3000).mean(), rate.detach())
    return float(rate.detach()), float(number.grad)


@pytest.mark.parametrize("current", [1.2, 1.5, 3.0])
@pytest.mark.parametrize("steepness", [50.0, 200.0])
def test_surrogate_gradient(current, steepness):
    """It is the slope of the rate times 1/(steepness r dt), within a factor of 2; the rate is as without it."""
    rate, gradient = rate_and_gradient(current, steepness=steepness)
    low, high = (1 / (0.002 + 0.02 * np.log(i / (i - 1))) for i in (current - 1e-4, current + 1e-4))
    slope = (high - low) / 2e-4
    assert 0.5 < gradient / slope * steepness * rate * 1e-4 < 2.0


def test_gradients_reach_membranes_and_couplings():
    assert rate_and_gradient(0.02, "populations.E.tau")[1] < 0
    assert rate_and_gradient(1.0, "populations.E.spiking.V_threshold")[1] < 0
    assert rate_and_gradient(0.1, "populations.E.spiking.V_rest")[1] > 0
    assert rate_and_gradient(0.002, "populations.E.spiking.tau_ref")[1] < 0
    coupled = merge(ALONE, {"J": {"EE": 0.001}, "populations.E.tau_syn": 0.005})
    assert rate_and_gradient(0.001, "J.EE", spec=coupled)[1] > 0
