"""Predicted states and modes are those of the simulated step: its fixed points, the eigenvalues of its Jacobian."""

import numpy as np
import pytest

from neuroflame import Network
from neuroflame.spec import NetworkSpec, load_network
from neuroflame.spec.base import merge
from neuroflame.theory import (
    bumps,
    homogeneous_states,
    linear_bump,
    mode_eigenvalues,
    mode_growth,
    predict_regime,
)
from tests.physics.helpers import build
from tests.physics.theory_helpers import field_of, simulated_state

N = 12
RING = {
    "dt": 0.001,
    "duration": 3.0,
    "populations": {
        "E": {"size": N, "tau": 0.04, "tau_syn": 0.004, "threshold": 0.1},
        "I": {"size": N, "tau": 0.02, "tau_syn": 0.003, "gain": 1.1},
    },
    "connectivity": {"profile": {"kind": "cosine", "kappa": {"EE": 1.0, "EI": 0.25, "IE": 0.8, "II": 0.3}}},
    "J": {"EE": 10.0, "EI": -1.5, "IE": 1.0, "II": -1.0},
    "J0": {"E": 1.58, "I": 1.0},
    "M0": 2.0,
    "stp": {"EE": {"U": 0.03, "tau_fac": 0.65, "tau_rec": 0.2}},
}
PLASTIC = RING["stp"]["EE"]
ADAPTING = {"populations": {"E": {"adaptation": {"tau": 0.3, "strength": 0.1}}}}
VARIANTS = {
    "cosine with facilitation": {},
    "turned": {"connectivity": {"profile": {"phase": 25.0}}},
    "von Mises": {"connectivity": {"profile": {"kind": "von_mises", "kappa": 0.02}}},
    "exact relaxation": {"stp": {"EE": PLASTIC | {"kind": "markram_exp"}}},
    "lagged": {"stp": {"EE": PLASTIC | {"kind": "markram_lagged"}}},
    "facilitation alone": {"stp": {"EE": {"tau_rec": 0.0, "U": 0.01}}, "J": {"EE": 1.5}},
    "two plastic pairs": {"stp": {"IE": {"U": 0.3, "tau_fac": 0.0, "tau_rec": 0.5}}, "J": {"IE": 3.0}},
    "slow currents": {"nmda": {"ratio": 1.0, "tau": {"E": 0.1, "I": 0.06}, "sources": ["E"]}},
    "adaptation": ADAPTING,
    "adaptation from zero": merge(ADAPTING, {"populations": {"E": {"adaptation": {"relative_to": "zero"}}}}),
    "dt over tau": {"integrator": "dt_over_tau", "nmda": {"ratio": 0.5, "tau": 0.1, "sources": ["E"]}},
    "instantaneous": {"populations": {"E": {"tau_syn": 0.0}, "I": {"tau": 0.0}}, "J": {"II": -0.3}},
    "erf": {"transfer": "erf", "populations": {"E": {"rate_max": 20.0}, "I": {"rate_max": 20.0}}},
    "brunel": {"transfer": {"E": "brunel", "I": "relu"}},
    "tanh": {"transfer": "tanh", "J": {"EE": 2.0}, "stp": {"EE": {"U": 0.5}}},
    "erf_odd": {"transfer": "erf_odd", "J": {"EE": 2.0}, "stp": {"EE": {"U": 0.5}}},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_eigenvalues_of_the_step_are_those_of_the_modes(name):
    spec = NetworkSpec.parse(merge(RING, VARIANTS[name]))
    field = field_of(spec)
    states = homogeneous_states(field).rates
    assert len(states) > 0
    for rates in states:
        step_map, flat = simulated_state(spec, np.repeat(rates[:, None], N, axis=1))
        assert float(step_map.residual(flat, step_map(flat))) < 1e-8
        moved = ~step_map.held[0].numpy()
        jacobian = step_map.jacobian(flat)[0].numpy()[np.ix_(moved, moved)]
        simulated = np.linalg.eigvals(jacobian)
        waves = [mode_eigenvalues(field, rates, abs(k)) for k in range(-(N // 2) + 1, N // 2 + 1)]
        predicted = np.concatenate([w.conj() if i < N // 2 - 1 else w for i, w in enumerate(waves)])
        assert len(predicted) == len(simulated)
        apart = np.abs(simulated[:, None] - predicted[None])
        assert apart.min(axis=0).max() < 1e-6
        assert apart.min(axis=1).max() < 1e-6


def test_alpha_is_that_of_the_measured_spectrum():
    spec = NetworkSpec.parse(RING)
    model = Network(spec, device="cpu", precision="double")
    found = model.fixed_points(random=0, levels=[0.001, 1.0, 5.0, 30.0]).table
    flat = found[found["bump.E.m1"] < 1e-6]
    field = field_of(spec)
    states = homogeneous_states(field)
    assert states.exhaustive
    assert flat["rate.E.mean"].to_numpy() == pytest.approx(states.rates[:, 0], rel=1e-6)
    predicted = [max(one.alpha for one in mode_growth(field, rates).growth) for rates in states.rates]
    assert flat["alpha"].to_numpy() == pytest.approx(predicted, abs=1e-5)


ONE = {
    "dt": 0.001,
    "duration": 1.0,
    "populations": {"E": {"size": 256, "tau": 0.02}},
    "J": {"EE": 0.6},
    "J0": {"E": 1.0},
    "connectivity": {"profile": {"kind": "cosine", "kappa": 4.0}},
    "stimuli": [{"shape": "cosine", "onset": 0.0, "offset": 0.1, "strength": 0.2}],
}


def test_pattern_forms_where_the_cosine_is_above_two():
    """J κ = 2 is the border of Ben-Yishai et al. 1995; mode 1 of the step is e + (1 − e) J κ/2."""
    e = np.exp(-0.001 / 0.02)
    for kappa in (1.0, 3.3, 3.4):
        field = field_of(merge(ONE, {"connectivity": {"profile": {"kappa": kappa}}}))
        (rates,) = homogeneous_states(field).rates
        growth = mode_growth(field, rates).growth
        assert growth[1].alpha == pytest.approx(np.log(e + (1 - e) * 0.3 * kappa) / 0.001, rel=1e-9)
        assert (growth[1].alpha > 0) == (0.6 * kappa > 2)
        assert growth[0].alpha == pytest.approx(np.log(e + (1 - e) * 0.6) / 0.001, rel=1e-9)


def test_closed_form_bump_is_the_simulated_one():
    closed = linear_bump(0.6, 4.0, 1.0)
    assert closed is not None
    table = build(ONE, duration=4.0).measure(window=0.1)
    assert table["bump.E.m0"][0] == pytest.approx(closed.mean, rel=1e-3)
    assert table["bump.E.m1"][0] == pytest.approx(closed.first, rel=1e-3)
    assert table["rate.E.max"][0] == pytest.approx(
        closed.amplitude * (1 - np.cos(closed.half_width)), rel=1e-3
    )
    (solved,) = bumps(field_of(ONE))
    assert solved.rates.mean() == pytest.approx(closed.mean, rel=1e-3)
    assert solved.growth.alpha < 0
    assert predict_regime(field_of(ONE)).regime == "bump"


def test_closed_form_bump_ends_where_its_amplitude_has_no_bound():
    assert linear_bump(0.6, 3.3, 1.0) is None  # J κ < 2
    widths = [linear_bump(J, 3.0 / J, 1.0).half_width for J in (0.3, 0.5)]
    assert widths[0] == pytest.approx(widths[1], rel=1e-12)  # of J κ alone
    assert linear_bump(3.0, 1.0, 1.0) is None
    field = field_of(merge(ONE, {"J": {"EE": 3.0}, "connectivity": {"profile": {"kappa": 1.0}}}))
    assert bumps(field) == []
    assert predict_regime(field).regime == "runaway"


@pytest.fixture(scope="module")
def plastic_ring():
    spec = load_network("conf/ring_EI.yml")
    return spec.with_values(
        {"populations.E.size": 64, "populations.I.size": 64, "J.EE": 9.0, "J0.E": 1.8, "stimuli": []}
    )


def test_plastic_bumps_are_fixed_points_with_the_predicted_growth(plastic_ring):
    field = field_of(plastic_ring)
    found = bumps(field)
    assert sorted(bump.growth.alpha < 0 for bump in found) == [False, False, True]
    for bump in found:
        step_map, flat = simulated_state(plastic_ring, bump.rates)
        assert float(step_map.residual(flat, step_map(flat))) < 1e-7
        values = np.linalg.eigvals(step_map.jacobian(flat)[0].numpy())
        alpha = np.log(np.abs(values)) / field.dt
        real = (values.imag == 0) & (values.real > 0)
        rotation = np.flatnonzero(real)[np.abs(alpha[real]).argmin()]
        assert abs(alpha[rotation]) < 5 / (64 * 0.04)
        assert np.delete(alpha, rotation).max() == pytest.approx(bump.growth.alpha, abs=1e-5)


def test_the_stable_plastic_bump_stays_and_an_unstable_one_leaves(plastic_ring):
    model = Network(plastic_ring, device="cpu", precision="double")
    for bump in bumps(field_of(plastic_ring)):
        step_map, flat = simulated_state(plastic_ring, bump.rates)
        start = step_map.parts(flat)
        start["stp.EE.u"] = 1.01 * start["stp.EE.u"]
        rates = model(initial=step_map.state(start), steps=8000, every=8000)[0, -1, :64].numpy()
        stays = np.abs(rates - bump.rates[0]).max() < 0.02 * bump.rates[0].max()
        assert stays == (bump.growth.alpha < 0)


def test_an_oscillation_is_predicted_with_its_frequency():
    """Excitation with delayed inhibition: near onset the cycle has the frequency of the unstable mode 0."""
    base = {
        "dt": 0.001,
        "duration": 3.0,
        "populations": {
            "E": {"size": 1, "tau": 0.02, "tau_syn": 0.005},
            "I": {"size": 1, "tau": 0.02, "tau_syn": 0.02},
        },
        "transfer": "tanh",
        "J": {"EE": 0.8, "EI": -1.6, "IE": 1.6},
        "initial": {"kind": "constant", "rate": {"E": 0.2}},
    }
    found = predict_regime(field_of(base))
    assert found.regime == "oscillating"
    growth = found.modes[found.reference].growth[0]
    assert 0 < growth.alpha < 2.0
    series = build(base)(every=1)[0, 1000:, 0].numpy()
    up = np.flatnonzero((series[1:] > 0) & (series[:-1] <= 0))
    assert len(up) > 10
    measured = 1.0 / (np.diff(up).mean() * 0.001)
    assert growth.frequency == pytest.approx(measured, rel=0.03)
    assert predict_regime(field_of(merge(base, {"J": {"IE": 1.4}}))).regime != "oscillating"


def test_sparse_network_has_the_mean_rates_of_its_mean_connectivity():
    base = {
        "dt": 0.001,
        "duration": 0.6,
        "populations": {"E": {"size": 800, "tau": 0.02}, "I": {"size": 400, "tau": 0.01}},
        "connectivity": {"kind": "sparse", "K": 200, "seed": 3},
        "J": {"EE": 0.05, "EI": -0.1, "IE": 0.1, "II": -0.1},
        "J0": {"E": 1.0, "I": 0.8},
    }
    (rates,) = homogeneous_states(field_of(base)).rates
    table = build(base).measure(window=0.1)
    assert table["rate.E.mean"][0] == pytest.approx(rates[0], rel=0.02)
    assert table["rate.I.mean"][0] == pytest.approx(rates[1], rel=0.02)
