"""Statistics of the drawn connectivity, and the rates of a balanced network."""

import numpy as np
import pytest
import torch

from neuroflame.core.connectivity.sparse import draw
from tests.physics.helpers import build
from tests.unit.test_operators import network


def test_in_degree_has_the_binomial_mean_and_variance():
    N, K = 2000, 125
    pair = network("sparse", {"kind": "uniform"}, K=K, post=N, pre=N).pairs[0]
    degrees = draw(pair, N, N, seed=1, graph=0, device="cpu").in_degrees().double()
    p = K / N
    assert float(degrees.mean()) == pytest.approx(K, abs=4 * np.sqrt(K * (1 - p) / N))
    assert float(degrees.var()) == pytest.approx(K * (1 - p), rel=4 * np.sqrt(2 / N))


def test_connection_probability_follows_the_cosine():
    N, K, kappa = 1200, 150, 0.7
    pair = network("sparse", {"kind": "cosine", "kappa": kappa, "phase": 40.0}, K=K, post=N, pre=N).pairs[0]
    dense = draw(pair, N, N, seed=1, graph=0, device="cpu").to_dense()
    theta = torch.arange(N).double() * 2 * np.pi / N
    wave = torch.exp(1j * (theta[:, None] - theta - np.deg2rad(40.0)))
    mode = (dense * wave).mean() / dense.mean()
    assert float(mode.real) == pytest.approx(kappa / 2, abs=5e-3)
    assert float(mode.imag) == pytest.approx(0.0, abs=5e-3)


def test_balanced_rates_approach_the_linear_solution_as_one_over_root_K():
    """J_EE r_E + J_EI r_I + J_E0 M0 = 0 and the same for I, up to O(1/√K) (van Vreeswijk & Sompolinsky 1996)."""
    couplings = np.array([[1.0, -2.0], [1.0, -1.8]])
    drive = np.array([1.0, 0.8]) * 0.2
    balanced = np.linalg.solve(couplings, -drive)
    errors = []
    for K in (50, 200, 800):
        model = build(
            {
                "dt": 0.002,
                "duration": 1.5,
                "populations": {"E": {"size": 1600, "tau": 0.02}, "I": {"size": 1600, "tau": 0.01}},
                "connectivity": {"kind": "sparse", "K": K},
                "J": {"EE": 1.0, "EI": -2.0, "IE": 1.0, "II": -1.8},
                "J0": {"E": 1.0, "I": 0.8},
                "M0": 0.2,
            },
            precision="exact",
        )
        table = model.measure(measure=["rates"], window=0.5)
        rates = table[["rate.E.mean", "rate.I.mean"]].to_numpy()[0]
        errors.append(np.abs(rates - balanced).max() / balanced.max())
    assert errors[0] > errors[1] > errors[2]
    slope = np.polyfit(np.log([50, 200, 800]), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.2)
