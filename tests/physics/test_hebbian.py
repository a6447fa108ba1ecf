"""Hebbian plasticity against what its rules say of constant, of fluctuating and of self-consistent rates."""

import numpy as np
import pytest

from tests.physics.helpers import build

WEAK = 1e-6
"""A weight so small that the postsynaptic rate hardly depends on it."""


def synapse(rule, *, pre=2.0, post=3.0, **overrides):
    """One neuron onto another one, both at a constant rate, the weight between them plastic."""
    base = {
        "dt": 0.001,
        "duration": 0.5,
        "populations": {"E": {"size": 1, "tau": 0.0}, "O": {"size": 1, "tau": 0.0}},
        "J0": {"E": pre, "O": post},
        "J": {"OE": WEAK},
        "hebbian": {"OE": rule},
        "initial": {"kind": "constant", "rate": {"E": pre, "O": post}},
    }
    return build(base, **overrides)


def weights(model, values=None, *, pair="OE", every=1, **keys):
    """Return the weights, (P, samples, connections)."""
    name = f"weights.{pair}"
    return model.simulate(values or {}, record=[name], every=every, **keys)[name].to_numpy()


STEPS = np.arange(1, 501)


def test_hebb_grows_linearly_at_constant_rates():
    found = weights(synapse({"rule": "hebb", "eta": 1e-7}))[0, :, 0]
    np.testing.assert_allclose(found - WEAK, 1e-7 * 2.0 * 3.0 * 1e-3 * STEPS, rtol=1e-5)


def test_cov_does_nothing_at_constant_rates_and_moves_with_them():
    still = synapse({"rule": "cov", "eta": 1.0, "tau": 0.1}, **{"J.OE": 0.5, "initial.rate.O": 4.0})
    assert (weights(still) == 0.5).all()
    step = synapse({"rule": "cov", "eta": 1e-7, "tau": 0.1}, **{"initial.rate": {"E": 1.0, "O": 1.0}})
    found = weights(step)[0, -1, 0] - WEAK
    ages = 1e-3 * np.arange(499)  # since the first step, in which the rates jump to 2 and 3; means begin at 1
    expected = 1e-7 * 1e-3 * np.sum(1.0 * 2.0 * np.exp(-2 * ages / 0.1))
    assert found == pytest.approx(expected, rel=1e-5)


FLUCTUATING = {"noise": {"kind": "ou", "sigma": {"E": 0.3}, "tau": 0.02}}
REPEATS = {"J.OE": 1.0, "initial.rate.O": 5.0, **FLUCTUATING}
"""The postsynaptic neuron repeats the other's fluctuations, a step of dt later."""


def test_running_means_begin_as_the_rates_that_a_caller_gives():
    model = synapse({"rule": "cov", "eta": 1.0, "tau": 0.1}, **{"J.OE": 0.5, "initial.rate": {"E": 9.0}})
    start = {"rates.E": np.array([2.0]), "rates.O": np.array([4.0])}
    assert (weights(model, initial=start) == 0.5).all()
    other = start | {"averages.OE.post_mean": np.array([1.0]), "averages.OE.pre_mean": np.array([1.0])}
    assert weights(model, initial=other)[0, 0, 0] == pytest.approx(0.5 + 1e-3 * 3.0 * 1.0)
    learnt = start | {"weights.OE": np.array([0.7])}
    assert weights(model, initial=learnt)[0, 0, 0] == 0.7


def test_cov_is_eta_times_the_covariance_of_fluctuating_rates():
    """Against exponential means of time constant τ, an Ornstein–Uhlenbeck rate has σ² τ/(τ + τ_c) of its σ²."""
    rule = {"rule": "cov", "eta": 1e-3, "tau": 0.2, "onset": 0.5}
    model = synapse(rule, dt=0.002, duration=4.5, **REPEATS)
    grown = weights(model, seeds=range(400), every=2250)[:, -1, 0] - 1.0
    covariance = 0.3**2 * np.exp(-0.002 / 0.02)
    assert grown.mean() == pytest.approx(4.0 * 1e-3 * covariance * 0.2 / (0.2 + 0.02), rel=0.04)


def test_bcm_at_a_constant_rate():
    """θ begins and stays at r²/target: growth η r (r − r²/target) r_pre, of either sign."""
    for target, rate in ((6.0, 3.0), (3.0, 3.0)):
        model = synapse(
            {"rule": "bcm", "eta": 1e-8, "tau": 0.1, "target": target}, post=rate, **{"duration": 0.1}
        )
        expected = 1e-8 * 0.1 * rate * (rate - rate**2 / target) * 2.0
        assert weights(model)[0, -1, 0] - WEAK == pytest.approx(expected, rel=1e-4, abs=1e-14)
    shrinking = synapse({"rule": "bcm", "eta": 1e-7, "tau": 0.1, "target": 1.0})
    assert weights(shrinking)[0, 0, 0] - WEAK == pytest.approx(1e-10 * 3.0 * (3.0 - 9.0) * 2.0, rel=1e-4)


def test_bcm_selects_the_rate_at_which_threshold_and_rate_are_equal():
    """r_O = w r_E; θ = ⟨r²⟩/target = r only at r = target, whatever the weight was."""
    rule = {"rule": "bcm", "eta": 0.5, "tau": 0.05, "target": 1.0}
    model = synapse(rule, dt=0.002, duration=10.0, **{"J0": {"E": 2.0, "O": 0.0}})
    targets, starts = np.array([1.0, 1.0, 2.5, 2.5]), np.array([0.2, 2.0, 0.2, 2.0])
    values = {"J.OE": starts, "hebbian.OE.target": targets, "initial.rate.O": 2.0 * starts}
    record = ["rates.O", "averages.OE.threshold", "weights.OE"]
    found = model.simulate(values, record=record, every=5000, pairwise=True)
    np.testing.assert_allclose(found["rates.O"][:, -1, 0], targets, rtol=1e-4)
    np.testing.assert_allclose(found["averages.OE.threshold"][:, -1, 0], targets, rtol=1e-4)
    np.testing.assert_allclose(found["weights.OE"][:, -1, 0], targets / 2.0, rtol=1e-4)


def test_corr_is_the_coefficient_of_correlation():
    """1 up to a step's delay where one neuron repeats the other, 0 where each has its own noise."""
    rule = {"rule": "corr", "eta": 1e-6, "tau": 0.5, "onset": 1.0}
    repeats = synapse(rule, dt=0.002, duration=3.0, **REPEATS)
    coefficient = (weights(repeats, seeds=range(20), every=1500)[:, -1, 0] - 1.0) / (2.0 * 1e-6)
    np.testing.assert_allclose(coefficient, np.exp(-0.002 / 0.02), rtol=0.06)
    assert coefficient.mean() == pytest.approx(np.exp(-0.002 / 0.02), rel=0.02)
    alone = synapse(rule, dt=0.002, duration=3.0, **{"J.OE": 1e-4}, **FLUCTUATING, **{"noise.sigma.O": 0.3})
    coefficient = (weights(alone, seeds=range(100), every=1500)[:, -1, 0] - 1e-4) / (2.0 * 1e-6)
    assert coefficient.mean() == pytest.approx(0.0, abs=3 * coefficient.std() / 10)
    assert 0.05 < coefficient.std() < 0.4


def test_corr_is_bounded_and_has_no_scale():
    """|dw/dt| ≤ η, through a start from rest and a jump of the rates too; ten times the rates change nothing."""
    rule = {"rule": "corr", "eta": 0.1, "tau": 0.2, "sd_min": 1e-6}
    jump = {"shape": "cosine", "onset": 0.2, "offset": 0.4, "strength": 50.0, "width": 0.0}
    one = synapse(rule, **{"stimuli": [jump]}, **REPEATS)
    small = weights(one, seeds=[0, 1])
    moves = np.diff(small, axis=1) / 1e-3
    assert np.abs(moves).max() <= 0.1 * (1 + 1e-9)
    assert np.abs(moves).max() > 0.09
    ten = synapse(
        rule,
        pre=20.0,
        post=30.0,
        **{"stimuli": [jump | {"strength": 500.0}]},
        **(REPEATS | {"initial.rate.O": 50.0, "noise.sigma.E": 3.0}),
    )
    np.testing.assert_allclose(weights(ten, seeds=[0, 1]), small, rtol=1e-6)


def test_corr_takes_the_rounding_of_constant_rates_for_none():
    model = synapse({"rule": "corr", "eta": 1.0, "tau": 0.01}, precision="exact", post=3.3, **{"J.OE": 0.1})
    assert np.abs(weights(model) - 0.1).max() < 1e-6


def homogeneous(dt, rule, **overrides):
    """All-to-all neurons with instantaneous rates r = 1 + w r."""
    base = {
        "dt": dt,
        "duration": 1.0,
        "populations": {"E": {"size": 6, "tau": 0.0}},
        "J0": {"E": 1.0},
        "J": {"EE": 0.2},
        "hebbian": {"EE": rule},
        "initial": {"kind": "constant", "rate": 1.25},
    }
    return build(base, **overrides)


def test_a_homogeneous_network_learns_as_its_self_consistent_equation_says_with_first_order_in_dt():
    """r = 1/(1 − w) and dw/dt = η r² integrate to (1 − w)³ = (1 − w_0)³ − 3 η t."""
    exact = 1 - (0.8**3 - 3 * 0.1) ** (1 / 3)
    steps = np.array([4e-3, 2e-3, 1e-3])
    models = [homogeneous(dt, {"rule": "hebb", "eta": 0.1}) for dt in steps]
    found = [weights(model, pair="EE", every=model.spec.steps)[0, -1] for model in models]
    assert all((w == w[0]).all() for w in found)
    errors = np.array([abs(w[0] - exact) for w in found])
    assert errors[-1] < 1e-3
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("rule", ["cov", "bcm", "corr"])
def test_every_rule_converges_with_first_order_in_dt(rule):
    stimulus = {"shape": "cosine", "onset": 0.064, "offset": 0.256, "strength": 0.5, "width": 0.8}
    steps = np.array([4e-3, 2e-3, 1e-3])
    ends = []
    for dt in (*steps, 1e-3 / 16):
        model = homogeneous(
            dt,
            {"rule": rule, "eta": 0.2, "tau": 0.1, "decay": 0.3},
            duration=0.512,
            stimuli=[stimulus],
            **{"populations.E.tau": 0.02},
        )
        ends.append(weights(model, pair="EE", every=model.spec.steps)[0, -1])
    errors = np.abs(np.array(ends[:3]) - ends[3]).max(axis=1)
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.12)


def test_nothing_changes_before_the_onset():
    onsets = np.array([0.0, 0.1, 0.25])
    model = synapse({"rule": "hebb", "eta": 1e-7})
    found = weights(model, {"hebbian.OE.onset": onsets})[..., 0]
    for start, row in zip((0, 100, 250), found, strict=True):
        assert (row[:start] == WEAK).all()
        assert row[start] > WEAK
        np.testing.assert_allclose(row[start:] - WEAK, 6e-10 * np.arange(1, 501 - start), rtol=1e-5)


def test_running_means_settle_before_the_onset():
    late = synapse({"rule": "cov", "eta": 1.0, "tau": 0.01, "onset": 0.4}, **{"initial.rate.E": 0.0})
    early = synapse({"rule": "cov", "eta": 1.0, "tau": 0.01}, **{"initial.rate": {"E": 0.0, "O": 0.0}})
    assert weights(late)[0, -1, 0] == pytest.approx(WEAK, rel=1e-6)
    assert weights(early)[0, -1, 0] > 1e-3


def test_weights_decay_exponentially_from_the_onset_on():
    found = weights(synapse({"rule": "hebb", "eta": 0.0, "decay": 2.0, "onset": 0.1}))[0, :, 0]
    np.testing.assert_allclose(found, WEAK * np.exp(-2.0 * np.maximum(STEPS * 1e-3 - 0.1, 0)), rtol=1e-12)


def test_weights_saturate():
    found = weights(synapse({"rule": "hebb", "eta": 1e-5, "w_max": 2e-6}))[0, :, 0]
    assert found.max() == 2e-6
    assert found[-1] == 2e-6
    assert found[5] < 2e-6


@pytest.mark.parametrize("J", [0.5, -0.5])
def test_no_weight_changes_its_sign(J):
    """Anti-Hebbian learning takes either sign to 0 and no further; Hebbian learning takes it away from 0."""
    model = synapse({"rule": "hebb", "eta": 0.0}, **{"J.OE": J})
    found = weights(model, {"hebbian.OE.eta": [-1.0, 1.0]})[..., 0]
    assert (found[0] * np.sign(J) >= 0).all()
    assert found[0, -1] == 0.0
    assert 0 < abs(found[0, 50]) < 0.5
    assert (np.diff(np.abs(found[1])) >= 0).all()
    assert (np.sign(found[1]) == np.sign(J)).all()


def test_a_coupling_of_zero_has_no_sign_and_stays_zero():
    model = synapse({"rule": "hebb", "eta": 1.0})
    found = weights(model, {"J.OE": [0.0, 0.1]})[:, -1, 0]
    assert found[0] == 0.0
    assert found[1] > 0.1


def test_a_bump_writes_itself_into_the_weights_of_a_ring():
    """hebb: Δw_ij ∝ r_i r_j, of which the first mode over θ_i − θ_j is m1²/(2 m0²) of the mean."""
    stimulus = {"shape": "cosine", "onset": 0.0, "offset": 0.5, "strength": 1.0, "width": 0.8, "phase": 90.0}
    base = {
        "dt": 0.001,
        "duration": 0.5,
        "populations": {"E": {"size": 32, "tau": 0.0}},
        "J": {"EE": 1e-9},
        "hebbian": {"EE": {"rule": "hebb", "eta": 1.0, "onset": 0.001}},
        "stimuli": [stimulus],
    }
    model = build(base, **{"J0.E": 1e-9, "hebbian.EE.eta": 1e-3})
    table = model.measure(measure=["weights", "bump"], window=0.1)
    shape = float(table["bump.E.ratio"][0])
    assert shape == pytest.approx(0.8, rel=1e-2)
    assert float(table["weight.EE.ratio"][0]) == pytest.approx(shape**2 / 2, rel=1e-2)
    assert float(table["weight.EE.zero"][0]) == 0.0
