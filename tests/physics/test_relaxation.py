"""Rates and currents against the solutions of the linear equations."""

import numpy as np
import pytest
import torch

from tests.physics.helpers import build, single

T = np.arange(1, 201) * 0.001


def test_rates_relax_exponentially_to_constant_input():
    rates = single()()[0].numpy()
    np.testing.assert_allclose(rates[:, 0], 1 - np.exp(-T / 0.02), rtol=1e-12)
    assert rates.shape == (200, 4)


def test_float32_relaxes_within_its_rounding():
    rates = single(precision="exact")()[0].numpy()
    np.testing.assert_allclose(rates[:, 0], 1 - np.exp(-T / 0.02), rtol=1e-5)


def test_start_rate_is_forgotten_exponentially():
    rates = single(**{"initial": {"kind": "constant", "rate": 5.0}})()[0].numpy()
    np.testing.assert_allclose(rates[:, 0], 1 + 4 * np.exp(-T / 0.02), rtol=1e-12)


def test_threshold_gain_and_rate_max():
    rates = single(**{"populations.E.threshold": 0.25, "populations.E.gain": 2.0})()[0, -1, 0]
    assert float(rates) == pytest.approx(1.5 * (1 - np.exp(-10)), rel=1e-12)
    saturated = single(**{"transfer": "tanh", "J0.E": 50.0, "populations.E.rate_max": 3.0})()[0, -1, 0]
    assert float(saturated) == pytest.approx(3 * (1 - np.exp(-10)), rel=1e-12)


def test_instantaneous_rates_follow_at_once():
    rates = single(**{"populations.E.tau": 0.0})()
    assert torch.equal(rates, torch.ones(1, 200, 4, dtype=torch.float64))


def test_current_relaxes_towards_what_is_transmitted():
    """r is held at 1 by tau = 0 and its own drive; h approaches J r with tau_syn."""
    model = build(
        {
            "dt": 0.001,
            "duration": 0.2,
            "populations": {"E": {"size": 3, "tau": 0.0}, "I": {"size": 5, "tau": 0.0, "tau_syn": 0.01}},
            "J0": {"E": 1.0},
            "J": {"IE": 0.7},
            "initial": {"kind": "constant", "rate": {"E": 1.0}},
        }
    )
    h = model.simulate(record=["currents.I"], every=1)["currents.I"][0, :, 0].to_numpy()
    np.testing.assert_allclose(h, 0.7 * (1 - np.exp(-T / 0.01)), rtol=1e-12)


def test_instantaneous_synapses_of_a_linear_network_approach_the_fixed_point():
    """r = (J0 + J_EE r) for all-to-all uniform coupling below 1: r* = J0 / (1 − J)."""
    model = single(**{"J": {"EE": 0.5}, "duration": 2.0})
    assert float(model(every=2000)[0, 0, 0]) == pytest.approx(2.0, rel=1e-12)


def test_first_order_convergence_of_a_recurrent_network():
    """Halving dt halves the error at a fixed time: the slope of log error against log dt is 1."""
    base = {
        "duration": 0.064,
        "populations": {"E": {"size": 2, "tau": 0.02}},
        "J0": {"E": 1.0},
        "J": {"EE": 0.5},
    }
    steps = np.array([1e-3, 5e-4, 2.5e-4])
    ends = np.array([float(build(base, dt=dt)(every=round(0.064 / dt))[0, -1, 0]) for dt in steps])
    exact = 2 * (1 - np.exp(-0.5 * 0.064 / 0.02))
    slope = np.polyfit(np.log(steps), np.log(np.abs(ends - exact)), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.05)


def test_first_order_convergence_with_everything_on():
    """Smooth but nonlinear: two populations, slow and fast synapses, plasticity, adaptation, a stimulus."""
    base = {
        "duration": 0.064,
        "populations": {
            "E": {
                "size": 8,
                "tau": 0.02,
                "tau_syn": 0.005,
                "rate_max": 3.0,
                "adaptation": {"tau": 0.05, "strength": 0.3},
            },
            "I": {"size": 6, "tau": 0.01, "rate_max": 2.0},
        },
        "transfer": {"E": "erf", "I": "tanh"},
        "J0": {"E": 0.5, "I": 0.3},
        "J": {"EE": 1.2, "EI": -0.8, "IE": 1.0, "II": -0.5},
        "connectivity": {"profile": {"kind": "cosine", "kappa": 0.7}},
        "stp": {"EE": {"U": 0.3, "tau_fac": 0.04, "tau_rec": 0.03}},
        "nmda": {"ratio": 0.6, "tau": 0.03},
        "stimuli": [{"shape": "cosine", "onset": 0.016, "offset": 0.048, "strength": 0.7, "width": 0.9}],
    }
    steps = np.array([1e-3, 5e-4, 2.5e-4, 1.25e-4, 6.25e-5])
    models = [build(base, dt=dt, executor="reference") for dt in steps]
    ends = np.array([model(every=model.spec.steps)[0, -1].numpy() for model in models])
    exact = 2 * ends[4] - ends[3]  # free of the first order
    errors = np.abs(ends[:3] - exact).max(axis=1)
    assert np.polyfit(np.log(steps[:3]), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.05)


def test_linear_ei_network_matches_the_matrix_exponential():
    """Instantaneous synapses, above threshold: dr/dt = A r + b, and the map is exact up to O(dt)."""
    from scipy.linalg import expm

    tau = np.array([0.02, 0.01])
    weights, drive = np.array([[0.8, -1.2], [1.0, -0.5]]), np.array([2.0, 1.0])
    model = build(
        {
            "dt": 1e-5,
            "duration": 0.03,
            "populations": {"E": {"size": 2, "tau": 0.02}, "I": {"size": 3, "tau": 0.01}},
            "J": {"EE": 0.8, "EI": -1.2, "IE": 1.0, "II": -0.5},
            "J0": {"E": 2.0, "I": 1.0},
        }
    )
    matrix = (weights - np.eye(2)) / tau[:, None]
    fixed = np.linalg.solve(np.eye(2) - weights, drive)
    expected = fixed + expm(matrix * 0.03) @ -fixed
    rates = model(every=3000)[0, -1].numpy()
    np.testing.assert_allclose([rates[0], rates[2]], expected, rtol=2e-3)


def test_nmda_adds_its_share_at_steady_state():
    base = {"J": {"EE": 0.2}, "duration": 3.0, "nmda": {"ratio": 0.5, "tau": 0.1}}
    assert float(single(**base)(every=3000)[0, 0, 0]) == pytest.approx(1 / (1 - 0.2 * 1.5), rel=1e-9)


def test_nmda_relaxes_with_its_own_time_constant():
    model = single(**{"populations.E.tau": 0.0, "J": {"EE": 1e-9}, "nmda": {"tau": 0.05}, "duration": 0.2})
    slow = model.simulate(record=["slow.E"], every=1)["slow.E"][0, :, 0].to_numpy()
    np.testing.assert_allclose(slow[1:] / 1e-9, 1 - np.exp(-T[:-1] / 0.05), rtol=1e-6)


def test_adaptation_reaches_its_steady_state():
    """r = J0 − (θ0 + A r), so r* = (J0 − θ0) / (1 + A)."""
    model = single(
        **{
            "populations.E.threshold": 0.2,
            "populations.E.adaptation": {"tau": 0.1, "strength": 3.0},
            "duration": 3.0,
        }
    )
    assert float(model(every=3000)[0, 0, 0]) == pytest.approx(0.8 / 4.0, rel=1e-9)


def test_external_input_scales_with_the_square_root_of_K_and_M0():
    sparse = {
        "connectivity": {"kind": "sparse", "K": 9, "profile": {"kind": "uniform"}},
        "populations.E.size": 50,
        "J": {"EE": 0.0},
        "M0": 0.5,
        "duration": 0.5,
    }
    assert float(single(**sparse)(every=500)[0, 0, 0]) == pytest.approx(3.0 * 0.5, rel=1e-9)


def test_cosine_stimulus_is_on_between_onset_and_offset():
    stimulus = {"shape": "cosine", "onset": 0.05, "offset": 0.1, "strength": 0.5, "phase": 90.0, "width": 0.4}
    model = single(**{"populations.E": {"size": 8, "tau": 0.0}, "stimuli": [stimulus]})
    rates = model()[0].numpy()
    theta = np.arange(8) * np.pi / 4
    np.testing.assert_allclose(rates[49], 1.0)
    np.testing.assert_allclose(rates[50], 1 + 0.5 * (1 + 0.4 * np.cos(theta - np.pi / 2)), rtol=1e-12)
    np.testing.assert_allclose(rates[99], rates[50])
    np.testing.assert_allclose(rates[100], 1.0)


def test_gaussian_stimulus_is_circular():
    stimulus = {
        "shape": "gaussian",
        "onset": 0.0,
        "offset": 0.2,
        "strength": 2.0,
        "phase": 350.0,
        "width": 20.0,
    }
    rates = single(**{"populations.E": {"size": 36, "tau": 0.0}, "stimuli": [stimulus]})()[0, -1].numpy()
    distance = (np.arange(36) * 10 - 350 + 180) % 360 - 180
    np.testing.assert_allclose(rates, 1 + 2 * np.exp(-0.5 * (distance / 20) ** 2), rtol=1e-12)
