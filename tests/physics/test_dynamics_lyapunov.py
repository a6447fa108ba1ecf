"""Lyapunov exponents of systems in which they are known."""

import numpy as np
import pytest
import torch

from neuroflame.core.connectivity import Operator
from neuroflame.core.dynamics import StepMap, lyapunov
from neuroflame.core.reference import initial_state
from neuroflame.errors import SpecError
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


SKEW = {
    "dt": 0.001,
    "duration": 0.01,
    "populations": {"A": {"size": 1, "tau": 0.0}, "B": {"size": 1, "tau": 0.0, "threshold": 0.5}},
    "J": {"AA": 1.0, "AB": 1.0, "BA": 1.0, "BB": 1.0},
    "initial": {"kind": "constant", "rate": {"A": 0.0123}},
}


def skewed(share):
    """Return couplings of x → x/p below p, (1 − x)/(1 − p) above: its orbits fill [0, 1], λ = −p ln p − q ln q."""
    rise, turn = 1 / share, 1 / share + 1 / (1 - share)
    values = {"J.AA": rise, "J.BA": rise, "J.AB": -turn, "J.BB": -turn}
    return values | {"populations.B.threshold": share}


def test_points_go_on_until_their_exponent_is_precise():
    """Steps are independent, of variance p q ln²(q/p): the error and the time that 3 % takes are known."""
    shares = np.array([0.5 - 1e-9, 0.4, 0.3, 0.15])
    values = {path: np.array([skewed(p)[path] for p in shares]) for path in skewed(0.5)}
    exact = -(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)) / 0.001
    spread = np.sqrt(shares * (1 - shares)) * np.abs(np.log(1 / shares - 1)) / 0.001
    model = build(SKEW, executor="reference")
    options = {"transient": 0.1, "duration": 0.2, "longest": 12.8, "blocks": 20}
    found = model.lyapunov(values, pairwise=True, **options)
    error, took = found["lyapunov.1.se"].to_numpy(), found["lyapunov.duration"].to_numpy()
    assert (
        np.abs(found["lyapunov.1"] - exact) < 3.5 * error + np.log(2) / took
    ).all()  # and where vectors point
    assert (error <= 0.03 * found["lyapunov.1"]).all()
    expected = (spread / (0.03 * exact)) ** 2 * 0.001  # seconds
    assert took[0] == 0.2
    assert ((took >= 0.5 * expected) & (took <= np.maximum(0.2, 4.5 * expected))).all()
    assert set(took) <= {0.2 * 2**k for k in range(7)}
    short = model.lyapunov(values, pairwise=True, **options | {"longest": 0.2})
    assert (short["lyapunov.duration"] == 0.2).all()
    assert short["lyapunov.1.se"][3] > 0.1 * exact[3]


def test_a_point_stops_by_itself_whatever_the_others_do():
    shares = np.array([0.3, 0.02, 0.1])
    values = {path: np.array([skewed(p)[path] for p in shares]) for path in skewed(0.5)}
    model = build(SKEW, executor="reference")
    options = {"transient": 0.1, "duration": 0.2, "longest": 1.6, "k": 2}
    together = model.lyapunov(values, pairwise=True, **options)
    assert len(set(together["lyapunov.duration"])) > 1
    for row in range(3):
        alone = model.lyapunov({k: v[[row]] for k, v in values.items()}, pairwise=True, **options)
        for name in ("lyapunov.1", "lyapunov.1.se", "lyapunov.2", "lyapunov.duration"):
            assert alone[name][0] == together[name][row]


def test_the_longer_average_is_that_of_one_run():
    """States, directions and noise are carried on: 0.4 s that become 1.6 are 1.6 s at once."""
    noisy = build(
        {
            "dt": 0.001,
            "duration": 0.05,
            "populations": {"E": {"size": 3, "tau": 0.02}},
            "transfer": "tanh",
            "J": {"EE": 2.0},
            "noise": {"kind": "ou", "sigma": 1.0, "tau": 0.01},
        },
        executor="reference",
    )
    common = {"transient": 0.1, "precision": 0.0, "blocks": 4}
    grown = noisy.lyapunov(duration=0.4, longest=1.6, **common)
    whole = noisy.lyapunov(duration=1.6, **common)
    assert grown["lyapunov.duration"][0] == whole["lyapunov.duration"][0] == pytest.approx(1.6)
    assert grown["lyapunov.1"][0] == pytest.approx(whole["lyapunov.1"][0], rel=1e-12)
    assert grown["lyapunov.1.se"][0] == pytest.approx(whole["lyapunov.1.se"][0], rel=1e-9)


def test_defaults_go_on_where_chaos_is_weak_and_stop_at_rest():
    network = {
        "dt": 0.1,
        "duration": 1.0,
        "populations": {"E": {"size": 60, "tau": 1.0}},
        "transfer": "tanh",
        "J": {"EE": 1.0},
    }
    matrix = np.random.default_rng(4).normal(size=(60, 60)) / np.sqrt(60)
    ensemble = ensemble_of(network, {"J.EE": np.array([0.5, 2.5]) * 60}, operators={"EE": Dense(matrix)})
    start = initial_state(ensemble.program())
    start.rates["E"] = torch.as_tensor(np.random.default_rng(5).normal(size=(2, 60)))
    found = lyapunov(ensemble, start, LyapunovOptions())
    assert found.durations.tolist() == [50.0, 200.0]
    spec = ensemble.spec
    assert LyapunovOptions().steps(spec) == (2 * 700, 2 * 2200)
    assert LyapunovOptions(duration=30.0).steps(spec) == (2 * 500, 2 * 500)
    assert LyapunovOptions(k=3, duration=30.0, longest=70.0).times(spec) == (20.0, 30.0, 70.0)
    assert LyapunovOptions(k=3, duration=30.0, longest=70.0).steps(spec) == (6 * 500, 6 * 800)
    with pytest.raises(SpecError, match="longest: must be at least the duration"):
        LyapunovOptions.parse({"duration": 3.0, "longest": 2.0})
