"""Short-term plasticity against its steady state and its exact relaxation."""

import numpy as np
import pytest

from tests.physics.helpers import build

U, FAC, REC = 0.03, 0.65, 0.2


def plastic(rate, *, kind="markram", dt=1e-4, duration=8.0, executor="auto", **stp):
    """A population held at a rate whose synapses onto another one are plastic."""
    values = {"kind": kind, "U": U, "tau_fac": FAC, "tau_rec": REC} | stp
    return build(
        {
            "dt": dt,
            "duration": duration,
            "populations": {"E": {"size": 2, "tau": 0.0}, "O": {"size": 2, "tau": 0.0}},
            "J0": {"E": rate},
            "J": {"OE": 1.0},
            "stp": {"OE": values},
            "initial": {"kind": "constant", "rate": {"E": rate}},
        },
        executor=executor,
    )


RATES = np.array([0.1, 1.0, 10.0, 100.0])


def settled(*, kind="markram", dt=1e-3, **stp):
    """Return u, x and the transmitted rate at each of `RATES`, after 20 s."""
    model = plastic(1.0, kind=kind, dt=dt, duration=20.0, **stp)
    sweep = {"J0.E": RATES, "initial.rate.E": RATES}
    found = model.simulate(
        sweep, record=["stp.OE.u", "stp.OE.x", "rates.O"], every=model.spec.steps, pairwise=True
    )
    return tuple(found[name][:, -1, 0].to_numpy() for name in ("stp.OE.u", "stp.OE.x", "rates.O"))


def steady():
    """u* = U (1 + τ_f r)/(1 + U τ_f r) and x* = 1/(1 + u* τ_r r) at each of `RATES`."""
    u = U * (1 + FAC * RATES) / (1 + U * FAC * RATES)
    return u, 1 / (1 + u * REC * RATES)


@pytest.mark.parametrize("kind", ["markram", "markram_lagged"])
def test_steady_state(kind):
    u, x, transmitted = settled(kind=kind)
    expected, resources = steady()
    np.testing.assert_allclose(u, expected, rtol=1e-9)
    np.testing.assert_allclose(x, resources, rtol=1e-9)
    np.testing.assert_allclose(transmitted, expected * resources * RATES, rtol=1e-9)


def test_steady_state_of_exact_relaxation_with_euler_rate_terms():
    """Its map's own fixed point: τ becomes dt/(1 − exp(−dt/τ)), which leaves a distance of first order in dt."""
    steps, distances = np.array([4e-3, 2e-3, 1e-3]), []
    for dt in steps:
        fac, rec = (dt / -np.expm1(-dt / tau) for tau in (FAC, REC))
        u, x, transmitted = settled(kind="markram_exp", dt=float(dt))
        expected = U * (1 + fac * RATES) / (1 + U * fac * RATES)
        np.testing.assert_allclose(u, expected, rtol=1e-9)
        np.testing.assert_allclose(x, 1 / (1 + expected * rec * RATES), rtol=1e-9)
        np.testing.assert_allclose(transmitted, u * x * RATES, rtol=1e-9)
        distances.append(np.abs(np.array([u, x]) - steady()))
    slopes = np.polyfit(np.log(steps), np.log(np.array(distances).reshape(3, -1)), 1)[0]
    np.testing.assert_allclose(slopes, 1.0, atol=0.05)


def test_depression_only():
    u, x, _ = settled(tau_fac=0.0)
    assert (u == U).all()
    np.testing.assert_allclose(x, 1 / (1 + U * REC * RATES), rtol=1e-9)


@pytest.mark.parametrize("executor", ["reference", "trajectory"])
def test_depression_only_of_the_lagged_kind(executor):
    """Nothing relaxes u where τ_fac is 0, so that it starts, and stays, at U; points beside it facilitate."""
    model = plastic(10.0, kind="markram_lagged", dt=1e-3, duration=20.0, executor=executor)
    found = model.simulate(
        {"stp.OE.tau_fac": [0.0, FAC]}, record=["stp.OE.u", "stp.OE.x"], every=model.spec.steps
    )
    u, x = (found[f"stp.OE.{name}"][:, -1, 0].to_numpy() for name in ("u", "x"))
    np.testing.assert_allclose(u, [U, U * (1 + FAC * 10) / (1 + U * FAC * 10)], rtol=1e-9)
    np.testing.assert_allclose(x, 1 / (1 + u * REC * 10), rtol=1e-9)


def test_facilitation_only():
    u, x, _ = settled(tau_rec=0.0)
    assert (x == 1.0).all()
    np.testing.assert_allclose(u, U * (1 + FAC * RATES) / (1 + U * FAC * RATES), rtol=1e-9)


def test_recovery_without_activity_is_exponential():
    """markram_exp is exact at rate 0; markram converges to it with first order."""
    errors = []
    for kind, dt in (("markram_exp", 1e-3), ("markram", 1e-3), ("markram", 5e-4)):
        model = plastic(0.0, kind=kind, dt=dt, duration=0.1)
        start = model.simulate(duration=dt, return_state=True)[1]
        start.x["OE"].fill_(0.4)
        start.u["OE"].fill_(0.5)
        steps = round(0.1 / dt)
        found = model.simulate(record=["stp.OE.u", "stp.OE.x"], initial=start, duration=0.1, every=1)
        x = float(found["stp.OE.x"][0, steps - 1, 0])
        u = float(found["stp.OE.u"][0, steps - 1, 0])
        errors.append((x - (1 - 0.6 * np.exp(-0.1 / REC)), u - (U + (0.5 - U) * np.exp(-0.1 / FAC))))
    assert np.abs(errors[0]).max() < 1e-12
    np.testing.assert_allclose(np.array(errors[1]) / np.array(errors[2]), 2.0, rtol=0.02)


def test_resources_move_before_utilisation():
    """One step by hand: x with the old u, then u, then the product of the new ones is transmitted."""
    dt, rate = 1e-3, 50.0
    found = plastic(rate, dt=dt, duration=dt).simulate(record=["stp.OE.u", "stp.OE.x", "rates.O"], every=1)
    x = 1 - dt * U * rate
    u = U + dt * U * (1 - U) * rate
    assert float(found["stp.OE.x"][0, 0, 0]) == pytest.approx(x, rel=1e-14)
    assert float(found["stp.OE.u"][0, 0, 0]) == pytest.approx(u, rel=1e-14)
    assert float(found["rates.O"][0, 0, 0]) == pytest.approx(u * x * rate, rel=1e-14)


def test_several_plastic_pairs_at_once():
    model = build(
        {
            "dt": 1e-3,
            "duration": 6.0,
            "populations": {"E": {"size": 2, "tau": 0.0}, "I": {"size": 3, "tau": 0.0}},
            "J0": {"E": 5.0, "I": 8.0},
            "J": {"EE": 1e-12, "IE": 1e-12, "EI": -1e-12},
            "stp": {
                "EE": {"U": 0.1, "tau_fac": 0.5, "tau_rec": 0.1},
                "IE": {"U": 0.4, "tau_fac": 0.0, "tau_rec": 0.5},
                "EI": {"U": 0.2, "tau_fac": 0.3, "tau_rec": 0.0},
            },
        }
    )
    found = model.simulate(record=["stp.EE.u", "stp.IE.x", "stp.EI.u"], every=6000)
    assert float(found["stp.EE.u"][0, -1, 0]) == pytest.approx(0.1 * 3.5 / 1.25, rel=1e-4)
    assert float(found["stp.IE.x"][0, -1, 0]) == pytest.approx(1 / (1 + 0.4 * 0.5 * 5), rel=1e-4)
    assert float(found["stp.EI.u"][0, -1, 0]) == pytest.approx(0.2 * (1 + 2.4) / (1 + 0.2 * 2.4), rel=1e-4)
