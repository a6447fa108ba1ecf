"""Lyapunov exponents of systems in which they are known."""

import numpy as np
import pytest
import torch

from neuroflame.core.connectivity import Operator
from neuroflame.core.dynamics import StepMap, lyapunov
from neuroflame.core.reference import initial_state
from neuroflame.spec.dynamics import LyapunovOptions
from tests.networks import PAIR
from tests.physics.helpers import build, ensemble_of
from tests.physics.test_dynamics_stability import pair_map


class Dense(Operator):
    """Any matrix."""

    def __init__(self, matrix):
        super().__init__(*matrix.shape)
        self.matrix = torch.as_tensor(matrix)

    def apply(self, sources):
        return sources @ self.matrix.T

    def to_dense(self):
        return self.matrix


def test_of_a_stable_linear_network_they_are_its_eigenvalues():
    """Along the means: two slow pairs of the 4 × 4 map; beside them, free relaxation."""
    one = {name: {**p, "size": 1} for name, p in PAIR["populations"].items()}
    model = build({**PAIR, "populations": one}, executor="reference")
    found = model.lyapunov(k=4, transient=0.3, duration=0.7)
    expected = np.sort(np.log(np.abs(np.linalg.eigvals(pair_map()))) / 0.001)[::-1]
    for i, exponent in enumerate(expected, start=1):
        assert found[f"lyapunov.{i}"][0] == pytest.approx(exponent, rel=0.03)
    assert found.attrs["units"]["lyapunov.1"] == "1/s"


def test_of_the_tent_map_it_is_the_logarithm_of_its_slope():
    """x → a min(x, 1 − x) by two instantaneous populations, [x]+ and [x − ½]+: λ = ln(a)/dt on every orbit."""
    tent = {
        "dt": 0.001,
        "duration": 0.01,
        "populations": {"A": {"size": 1, "tau": 0.0}, "B": {"size": 1, "tau": 0.0, "threshold": 0.5}},
        "J": {"AA": 1.0, "AB": 1.0, "BA": 1.0, "BB": 1.0},
        "initial": {"kind": "constant", "rate": {"A": 0.3}},
    }
    slopes = np.array([1.3, 1.7, 1.9])
    values = {"J.AA": slopes, "J.BA": slopes, "J.AB": -2 * slopes, "J.BB": -2 * slopes}
    model = build(tent, executor="reference")
    found = model.lyapunov(values, pairwise=True, transient=0.1, duration=1.0)
    np.testing.assert_allclose(found["lyapunov.1"], np.log(slopes) / 0.001, rtol=1e-9)
    orbit = model.simulate({k: v[2:] for k, v in values.items()}, pairwise=True, duration=0.3)
    assert orbit["rates"][0, :, 0].to_numpy().std() > 0.1


def test_of_a_limit_cycle_the_first_is_zero():
    cycle = {
        "dt": 0.001,
        "duration": 2.0,
        "populations": {
            "E": {"size": 1, "tau": 0.02, "rate_max": 10.0, "gain": 0.5},
            "I": {"size": 1, "tau": 0.02, "rate_max": 10.0, "gain": 0.5},
        },
        "transfer": "tanh",
        "J": {"EE": 0.6, "EI": -0.8, "IE": 0.8},
        "J0": {"E": 0.3, "I": 0.0},
    }
    model = build(cycle, executor="reference")
    found = model.lyapunov(k=2, transient=0.5, duration=2.0).iloc[0]
    swing = model(steps=2000)[0, 1000:, 0]
    assert float(swing.std()) > 1.0
    assert found["lyapunov.2"] < -5.0
    assert abs(found["lyapunov.1"]) < 0.03 * abs(found["lyapunov.2"])
    assert abs(found["lyapunov.1"]) < 3 * found["lyapunov.1.se"] + 0.05


def test_random_networks_are_chaotic_above_unit_gain():
    """Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61:259: silence below g = 1, chaos above it."""
    size = 300
    matrix = np.random.default_rng(4).normal(size=(size, size)) / np.sqrt(size)
    network = {
        "dt": 0.1,
        "duration": 1.0,
        "populations": {"E": {"size": size, "tau": 1.0}},
        "transfer": "tanh",
        "J": {"EE": 1.0},
    }
    gains = [0.7, 2.2, 3.2, 5.0]
    ensemble = ensemble_of(network, {"J.EE": np.array(gains) * size}, operators={"EE": Dense(matrix)})
    program = ensemble.program()
    start = initial_state(program)
    start.rates["E"] = torch.as_tensor(np.random.default_rng(5).normal(size=(4, size)))
    found = lyapunov(ensemble, start, LyapunovOptions(transient=40.0, duration=200.0))
    exponents, errors = found.exponents[:, 0], found.errors[:, 0]
    assert exponents[0] < -0.1
    assert (exponents[1:] > 3 * errors[1:]).all()
    assert (np.diff(exponents) > 0).all()
    assert (errors[1:] < 0.25 * exponents[1:]).all()


def test_silence_below_unit_gain_decays_with_the_largest_real_part():
    """There the exponent is that of the linear network, max Re(g λ − 1)/τ, as eigenvalues of the map."""
    matrix = np.random.default_rng(4).normal(size=(60, 60)) / np.sqrt(60)
    network = {
        "dt": 0.1,
        "duration": 1.0,
        "populations": {"E": {"size": 60, "tau": 1.0}},
        "transfer": "tanh",
        "J": {"EE": 0.7 * 60},
    }
    ensemble = ensemble_of(network, operators={"EE": Dense(matrix)})
    start = initial_state(ensemble.program())
    found = lyapunov(ensemble, start, LyapunovOptions(transient=50.0, duration=100.0))
    flat = torch.zeros(1, StepMap(ensemble.quiet(), at=0).dimension, dtype=torch.float64)
    exact = np.linalg.eigvals(StepMap(ensemble.quiet(), at=0).jacobian(flat)[0].numpy())
    assert found.exponents[0, 0] == pytest.approx(np.log(np.abs(exact).max()) / 0.1, rel=0.03)


def test_noise_drives_the_trajectory_and_not_the_directions():
    """Of a linear network, the exponents do not depend on its noise."""
    noisy = build(PAIR, executor="reference", noise={"kind": "ou", "sigma": 0.1, "tau": 0.01})
    quiet = build(PAIR, executor="reference")
    options = {"transient": 0.3, "duration": 0.2}
    expected = quiet.lyapunov(**options)["lyapunov.1"][0]
    assert noisy.lyapunov(**options)["lyapunov.1"][0] == pytest.approx(expected, rel=1e-6)


def test_a_point_that_diverges_has_none():
    growing = {**PAIR, "J": {"EE": 3.0}}
    found = build(growing, executor="reference").lyapunov(
        {"J.EE": [0.5, 3.0]}, start="cold", transient=0.1, duration=0.5
    )
    assert np.isfinite(found["lyapunov.1"][0])
    assert np.isnan(found["lyapunov.1"][1])
