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
    """J_AB r_B + J_A0 M0 = 0 up to O(1/√K) (van Vreeswijk & Sompolinsky 1996, Science 274:1724)."""
    couplings, drive = np.array([[0.5, -1.5], [1.0, -1.0]]), np.array([2.0, 1.0]) * 0.5
    balanced = np.linalg.solve(couplings, -drive)
    degrees, errors = [25, 100, 400], []
    for K in degrees:
        model = build(
            {
                "dt": 0.002,
                "duration": 1.0,
                "populations": {"E": {"size": 1600, "tau": 0.02}, "I": {"size": 1600, "tau": 0.01}},
                "connectivity": {"kind": "sparse", "K": K},
                "J": {"EE": 0.5, "EI": -1.5, "IE": 1.0, "II": -1.0},
                "J0": {"E": 2.0, "I": 1.0},
                "M0": 0.5,
            },
            precision="exact",
        )
        table = model.measure(measure=["rates"], window=0.4)
        rates = table[["rate.E.mean", "rate.I.mean"]].to_numpy()[0]
        errors.append(np.abs(rates - balanced))
    slopes = np.polyfit(np.log(degrees), np.log(errors), 1)[0]
    np.testing.assert_allclose(slopes, -0.5, atol=0.12)
