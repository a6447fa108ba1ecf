"""What spikes do at synapses: plasticity in event form against its known means, currents, what is sent at time 0."""

import numpy as np
import pytest

from neuroflame.physics.spiking import stp_event
from tests.physics.helpers import build

U, FAC, REC = 0.2, 0.5, 0.3


def poisson_means(rate, dt, *, tau_fac, tau_rec, seconds=6.0, trains=1500):
    """Means of utilisation after, and resources before a spike of a Poisson train."""
    rng = np.random.default_rng(1)
    u, x = np.full(trains, U), np.ones(trains)
    relax = [-np.expm1(-dt / tau) if tau else 0.0 for tau in (tau_fac, tau_rec)]
    gain = [dt if tau else 0.0 for tau in (tau_fac, tau_rec)]
    spikes, sums = 0, np.zeros(2)
    for step in range(round(seconds / dt)):
        fired = rng.random(trains) < rate * dt
        after, left, sent = stp_event(u, x, fired / dt, U, relax[0], gain[0], relax[1], gain[1])
        if step * dt > seconds / 2:
            spikes += fired.sum()
            sums += after[fired].sum(), (sent[fired] * dt / after[fired]).sum()
        u, x = after, left
    return sums / spikes


@pytest.mark.parametrize("rate", [2.0, 20.0])
def test_poisson_trains(rate):
    """The mean utilisation that spikes find solves the rate equation; so do the resources where it is constant."""
    dt = 1e-3
    after, _ = poisson_means(rate, dt, tau_fac=FAC, tau_rec=REC)
    before = U * (1 + FAC * rate) / (1 + U * FAC * rate)
    assert after == pytest.approx(before + U * (1 - before), rel=0.01)
    fixed, resources = poisson_means(rate, dt, tau_fac=0.0, tau_rec=REC)
    assert fixed == pytest.approx(U, rel=1e-12)
    assert resources == pytest.approx(1 / (1 + U * rate * REC), rel=0.01)


def plastic(**stp):
    """A neuron that fires regularly at about 41 Hz onto an output that sums what reaches it."""
    return build(
        {
            "dt": 1e-4,
            "duration": 4.0,
            "populations": {
                "E": {"size": 2, "spiking": {"V_start": 0.0}},
                "O": {"size": 1, "tau": 0.0},
            },
            "J0": {"E": 1.5},
            "J": {"OE": 1.0},
            "stp": {"OE": {"U": U, "tau_fac": FAC, "tau_rec": REC} | stp},
        }
    )


@pytest.mark.parametrize(("tau_fac", "tau_rec"), [(FAC, REC), (0.0, REC), (FAC, 0.0)])
def test_regular_trains(tau_fac, tau_rec):
    """Fixed point over one interval: u rises at a spike, u x is transmitted, x falls by as much."""
    found = plastic(tau_fac=tau_fac, tau_rec=tau_rec).measure(measure=["rates"], window=1.0).iloc[0]
    period = 0.002 + 0.02 * np.log(1.5 / 0.5)
    keep_u, keep_x = (np.exp(-period / tau) if tau else 0.0 for tau in (tau_fac, tau_rec))
    before = U / (1 - (1 - U) * keep_u)
    u = before + U * (1 - before) if tau_fac else U
    x = (1 - keep_x) / (1 - (1 - u) * keep_x)
    assert found["rate.E.mean"] == pytest.approx(1 / period, rel=0.03)
    assert found["rate.O.mean"] / found["rate.E.mean"] == pytest.approx(u * x, rel=0.01)


def test_order_at_a_spike_by_hand():
    """Relaxation first, then the utilisation, then u x is sent with it, then the resources fall."""
    model = plastic()
    state = model.simulate(duration=model.spec.dt, return_state=True)[1]
    state.rates["E"].fill_(1 / model.spec.dt)
    state.u["OE"].fill_(0.5)
    state.x["OE"].fill_(0.4)
    found = model.simulate(
        record=["stp.OE.u", "stp.OE.x", "rates.O"], initial=state, duration=model.spec.dt, every=1
    )
    relaxed_u, relaxed_x = U + (0.5 - U) * np.exp(-1e-4 / FAC), 1 - 0.6 * np.exp(-1e-4 / REC)
    u = relaxed_u + U * (1 - relaxed_u)
    assert float(found["stp.OE.u"][0, 0, 0]) == pytest.approx(u, rel=1e-12)
    assert float(found["stp.OE.x"][0, 0, 0]) == pytest.approx(relaxed_x * (1 - u), rel=1e-12)
    assert float(found["rates.O"][0, 0, 0]) == pytest.approx(u * relaxed_x / 1e-4, rel=1e-12)


@pytest.mark.parametrize("tau_syn", [0.0, 0.005])
def test_current_of_one_spike(tau_syn):
    """A spike moves the voltage by J/τ where synapses are instantaneous, and its integral is J everywhere."""
    J, dt = 0.3, 1e-4
    model = build(
        {
            "dt": dt,
            "duration": 0.4,
            "populations": {
                "E": {"size": 1, "spiking": {"V_start": 0.0}},
                "O": {"size": 1, "tau_syn": tau_syn, "spiking": {"V_threshold": 1e3, "V_start": 0.0}},
            },
            "J": {"OE": J},
            "initial": {"kind": "constant", "rate": {"E": 1e4}},
        }
    )
    voltage = model.simulate(record=["voltage.O"], every=1)["voltage.O"][0, :, 0].to_numpy()
    assert voltage.sum() * dt == pytest.approx(J, rel=0.02)
    if not tau_syn:
        assert voltage[0] == pytest.approx(J / 0.02, rel=0.003)


def test_initial_rates_are_spikes_at_time_0():
    """A rate unit that starts at r sends r τ while it decays: a neuron fires at time 0 with that probability."""
    model = build(
        {
            "dt": 1e-4,
            "duration": 1e-4,
            "populations": {
                "E": {"size": 4000, "spiking": {}},
                "O": {"size": 1, "tau": 0.0},
            },
            "J": {"OE": 1.0},
            "initial": {"kind": "constant", "rate": {"E": 10.0}},
        }
    )
    expected = 10.0 * 0.02 / 1e-4
    assert float(model(seeds=[3])[0, 0, -1]) == pytest.approx(expected, rel=0.1)
    assert float(model(seeds=[3], initial="hot")[0, 0, -1]) == pytest.approx(1 / 1e-4)
    assert float(model(seeds=[3], initial="cold")[0, 0, -1]) < 0.01 * expected


def test_voltages_start_spread_over_the_interval_from_reset_to_threshold():
    volts = {"V_rest": -70.0, "V_threshold": -50.0, "V_reset": -60.0}
    model = build(
        {
            "dt": 1e-4,
            "duration": 1e-4,
            "populations": {"E": {"size": 4000, "tau": 1e3, "spiking": volts}},
        }
    )
    start = model.simulate(record=["voltage.E"], every=1, seeds=[1, 2])["voltage.E"].to_numpy()[:, 0]
    assert start.min() >= -60.0
    assert start.max() < -50.0
    assert start.mean() == pytest.approx(-55.0, abs=0.2)
    assert start.std() == pytest.approx(10 / np.sqrt(12), rel=0.03)
    assert not np.array_equal(start[0], start[1])
