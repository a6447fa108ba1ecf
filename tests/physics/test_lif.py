"""Leaky integrate-and-fire neurons against closed forms: rates, variability, and the balanced state."""

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfcx

from neuroflame import Network
from neuroflame.spec import load_network
from tests.physics.helpers import build

TAU, REF = 0.02, 0.002
ROOT = Path(__file__).parents[2]


def neurons(*, size=1, dt=1e-4, duration=2.0, tau=TAU, precision="double", seed=0, noise=(), **spiking):
    """Neurons without connections under an input of 1."""
    base = {
        "dt": dt,
        "duration": duration,
        "populations": {"E": {"size": size, "tau": tau, "spiking": {"tau_ref": REF} | spiking}},
        "J0": {"E": 1.0},
        "noise": noise,
    }
    return build(base, precision=precision, seed=seed)


def interval(current, *, tau=TAU, ref=REF, rest=0.0, threshold=1.0, reset=0.0):
    """The time between two spikes under a constant input, s."""
    end = rest + current
    return ref + tau * np.log((end - reset) / (end - threshold))


def spike_times(model, values):
    """Times of all spikes of the first neuron of each point, s, to a step."""
    trains = model.simulate(values, record=["spikes.E"], every=1, pairwise=True)["spikes.E"].to_numpy()[
        :, :, 0
    ]
    return [(np.flatnonzero(train) + 1) * model.spec.dt for train in trains]


CURRENTS = np.array([1.001, 1.05, 1.3, 2.0, 5.0, 20.0, 200.0])


@pytest.mark.parametrize("dt", [1e-4, 1e-3])
def test_rate_under_constant_input(dt):
    """Spike times within a step are exact: no error piles up over the spikes, whatever the step."""
    for current, times in zip(
        CURRENTS, spike_times(neurons(dt=dt, V_start=0.0), {"J0.E": CURRENTS}), strict=True
    ):
        expected = interval(current)
        first = expected - REF
        assert times == pytest.approx(first + expected * np.arange(len(times)), abs=1.001 * dt)
        assert len(times) == 1 + (2.0 - first) // expected


def test_other_voltages_scale_and_shift():
    """In millivolts from −70 to −50, with a reset at −60."""
    volts = {"V_rest": -70.0, "V_threshold": -50.0, "V_reset": -60.0}
    current = 26.0
    (times,) = spike_times(neurons(V_start=-60.0, **volts), {"J0.E": [current]})
    expected = interval(current, rest=-70.0, threshold=-50.0, reset=-60.0)
    assert np.diff(times).mean() == pytest.approx(expected, rel=1e-3)


def test_silent_below_rheobase_and_saturated_at_the_refractory_rate():
    model = neurons(size=5)
    table = model.measure({"J0.E": [0.0, 0.999, 1e5]}, measure=["rates"], window=1.0)
    assert list(table["rate.E.mean"][:2]) == [0.0, 0.0]
    assert table["rate.E.mean"][2] == pytest.approx(1 / REF, rel=1e-3)


def test_refractory_time_may_be_any_fraction_of_a_step_and_0():
    dt = 1e-3
    model = neurons(dt=dt, V_start=0.0)
    refs = np.array([0.0, 0.0003, 0.001, 0.00417])
    trains = spike_times(model, {"J0.E": np.full(4, 2.0), "populations.E.spiking.tau_ref": refs})
    for ref, times in zip(refs, trains, strict=True):
        assert np.diff(times).mean() == pytest.approx(interval(2.0, ref=ref), abs=dt / len(times))


def test_at_most_one_spike_a_step():
    model = neurons(dt=1e-3, duration=0.1, tau_ref=0.0)
    assert float(model({"J0.E": [1e6]}).max()) == pytest.approx(1000.0)
    assert float(model({"J0.E": [1e6]}).mean()) == pytest.approx(1000.0)


def test_voltage_between_spikes_is_exact():
    model = neurons(dt=1e-3, duration=0.1, V_start=0.25)
    found = model.simulate({"J0.E": [0.8]}, record=["voltage.E"], every=1)["voltage.E"]
    expected = 0.8 + (0.25 - 0.8) * np.exp(-found["time"].to_numpy() / TAU)
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-12)


def siegert(mean, spread, *, threshold=1.0, reset=0.0):
    """Rate under white noise (Siegert 1951, Phys. Rev. 81:617); ``spread`` is √2 the voltage's free SD, Hz."""
    area = quad(lambda x: erfcx(-x), (reset - mean) / spread, (threshold - mean) / spread)[0]
    return 1.0 / (REF + TAU * np.sqrt(np.pi) * area)


DRIVES = [(1.3, 0.3), (0.8, 0.3), (0.5, 0.6)]


@pytest.mark.parametrize(("mean", "spread"), DRIVES)
def test_rate_under_white_noise(mean, spread):
    """A voltage that is looked at once a step misses what it does within: as if the threshold were raised by
    0.5826 standard deviations of a step's noise (Broadie, Glasserman & Kou 1997, Math. Finance 7:325)."""
    dt, sigma = 1e-4, spread * np.sqrt(TAU)
    model = neurons(size=500, duration=1.2, precision="exact", noise={"kind": "white", "sigma": sigma})
    rate = model.measure({"J0.E": np.full(4, mean)}, measure=["rates"], window=1.0, seeds=range(4))
    found = float(rate["rate.E.mean"].mean())
    assert found == pytest.approx(
        siegert(mean, spread, threshold=1 + 0.5826 * sigma / TAU * np.sqrt(dt)), rel=0.02
    )
    assert found == pytest.approx(siegert(mean, spread), rel=0.08)


def test_firing_is_regular_under_strong_and_irregular_under_weak_drive():
    """Without noise intervals are equal; far below threshold the noise makes spikes a Poisson process."""
    regular = neurons(size=10).measure({"J0.E": [2.0]}, measure=["spikes"], window=1.5)
    assert regular["spikes.E.cv"][0] < 0.005
    assert regular["spikes.E.cv2"][0] < 0.01
    noise = {"kind": "white", "sigma": 0.5 * np.sqrt(TAU)}
    model = neurons(size=300, dt=4e-4, duration=6.0, precision="exact", noise=noise, tau_ref=0.0)
    weak = model.measure({"J0.E": [0.2, 1.5]}, measure=["rates", "spikes"], window=5.8)
    assert 1.0 < weak["rate.E.mean"][0] < 4.0
    assert weak["spikes.E.cv"][0] == pytest.approx(
        0.9, abs=0.06
    )  # too short a window lacks the longest intervals
    assert weak["spikes.E.cv2"][0] == pytest.approx(0.95, abs=0.06)
    assert weak["spikes.E.cv"][1] < 0.5
    assert weak["spikes.E.sync"][0] == pytest.approx(1 / 300, rel=0.5)
    assert weak["spikes.E.active"][0] == 1.0


def test_a_spike_gives_what_a_rate_unit_gives():
    """A neuron that fires at r sends the mean that a rate unit at r sends."""
    rate = 1 / interval(2.0)
    model = build(
        {
            "dt": 1e-4,
            "duration": 3.0,
            "populations": {
                "E": {"size": 8, "spiking": {"tau_ref": REF}},
                "R": {"size": 8, "tau": 0.0},
                "O": {"size": 2, "tau": 0.0, "tau_syn": 0.05},
                "Q": {"size": 2, "tau": 0.0, "tau_syn": 0.05},
            },
            "J": {"OE": 1.5, "QR": 1.5},
            "J0": {"E": 2.0, "R": rate},
        }
    )
    table = model.measure(measure=["rates"], window=2.0)
    assert table["rate.E.mean"][0] == pytest.approx(rate, rel=0.01)
    assert table["rate.O.mean"][0] == pytest.approx(table["rate.Q.mean"][0], rel=0.01)


def test_threshold_adaptation_slows_firing():
    """Each spike raises the threshold by strength/τ, which decays: the mean rise is strength · r."""
    base = {
        "dt": 1e-4,
        "duration": 4.0,
        "populations": {
            "E": {"size": 1, "spiking": {"V_start": 0.0}, "adaptation": {"tau": 1.0, "strength": 0.02}}
        },
        "J0": {"E": 2.0},
    }
    model = build(base)
    found = model.simulate(record=["rates.E", "thresholds.E"], every=40000)
    late = model.measure(measure=["rates"], window=1.0)["rate.E.mean"][0]
    theta = float(found["thresholds.E"][0, -1, 0])
    assert theta == pytest.approx(1 + 0.02 * late, rel=0.05)
    assert late == pytest.approx(1 / interval(2.0, threshold=theta), rel=0.05)


def balanced(K, **changes):
    spec = load_network(ROOT / "conf" / "lif_balanced.yml")
    sizes = {"populations.E.size": 1600, "populations.I.size": 1600}
    return spec.with_values({"connectivity.K": K, "duration": 1.0} | sizes | changes)


def test_balanced_network():
    """Irregular, asynchronous firing at rates where inhibition cancels excitation and drive to order √K.

    These rates solve J r + J0 = 0 and know nothing of membranes (van Vreeswijk & Sompolinsky 1996, 1998); what is
    left falls as K grows.
    """
    J = balanced(100).J
    expected = np.linalg.solve(
        [[J["EE"], J["EI"]], [J["IE"], J["II"]]], [-balanced(100).J0[name] for name in "EI"]
    )
    rows = {
        key: Network(spec, device="cpu").measure(measure=["rates", "spikes"], window=0.8).iloc[0]
        for key, spec in {
            "small K": balanced(50),
            "large K": balanced(400),
            "slow membranes": balanced(400, **{"populations.E.tau": 0.03, "populations.I.tau": 0.015}),
        }.items()
    }
    rates = {key: row[["rate.E.mean", "rate.I.mean"]].to_numpy(dtype=float) for key, row in rows.items()}
    for key, irregular in (("large K", 0.6), ("slow membranes", 0.4)):
        np.testing.assert_allclose(rates[key], expected, rtol=0.12, err_msg=key)
        for name in "EI":
            assert rows[key][f"spikes.{name}.cv"] > irregular
            assert rows[key][f"spikes.{name}.sync"] < 0.01
    miss = {key: np.abs(found / expected - 1).max() for key, found in rates.items()}
    assert miss["large K"] < 0.7 * miss["small K"]
