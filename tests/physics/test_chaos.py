"""Random networks with independent weights: where rest gives way, and the chaos beyond, against mean-field theory.

Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61:259. Of N neurons rest loses its stability where the drawn
matrix says, at g = 1 + O(1/√N); a little above it finite networks rest at other fixed points or cycle.
"""

import numpy as np
import pytest
import torch

from neuroflame.core.dynamics import lyapunov
from neuroflame.core.measure import measure_points
from neuroflame.core.reference import initial_state
from neuroflame.spec import load_network
from neuroflame.spec.dynamics import LyapunovOptions
from neuroflame.theory.chaos import chaos
from tests.physics.helpers import build, ensemble_of
from tests.physics.test_dynamics_lyapunov import Dense

NETWORK = {
    "dt": 0.05,
    "duration": 1.0,
    "populations": {"E": {"size": 150, "tau": 1.0}},
    "transfer": "tanh",
    "J": {"EE": 1.0},
    "connectivity": {"kind": "all_to_all", "seed": 0, "profile": {"kind": "gaussian"}},
}
KEPT = np.exp(-0.05)


def border(eigenvalues):
    """Return the gain at which an eigenvalue of the step, e + (1 − e) g λ, leaves the unit circle."""
    grown = [
        np.roots([abs((1 - KEPT) * z) ** 2, 2 * KEPT * (1 - KEPT) * z.real, KEPT**2 - 1]) for z in eigenvalues
    ]
    return min(root.real for roots in grown for root in roots if abs(root.imag) < 1e-12 and root.real > 0)


@pytest.mark.parametrize("graph", [0, 1, 2])
def test_the_exponent_of_rest_is_zero_where_the_drawn_matrix_says(graph):
    """Its root in g, from tangent vectors along rest, within 0.2 %; over draws the border is 1 within 4/√N."""
    model = build(NETWORK, graph=graph, executor="reference")
    eigenvalues = np.linalg.eigvals(model.operators["EE"].to_dense().numpy() / np.sqrt(150))
    exact = border(eigenvalues)
    assert abs(exact - 1.0) < 4 / np.sqrt(150)
    gains = exact * np.array([0.96, 0.99, 1.01, 1.04])
    found = model.lyapunov({"J.EE": gains}, transient=120.0, duration=200.0)["lyapunov.1"].to_numpy()
    assert (np.sign(found) == [-1, -1, 1, 1]).all()
    slope, shift = np.polyfit(gains, found, 1)
    assert -shift / slope == pytest.approx(exact, rel=2e-3)


def test_labels_on_both_sides_of_the_border():
    """From a low start; 4 % below it all is silent, 4 % above it rates stay."""
    spec = load_network("conf/chaos.yml", {"populations.E.size": 150, "duration": 15.0})
    model = build({**NETWORK, "dt": 0.005, "populations": {"E": {"size": 150, "tau": 0.1}}})
    exact = border(np.linalg.eigvals(model.operators["EE"].to_dense().numpy() / np.sqrt(150)))
    gains = exact * np.array([0.5, 0.8, 0.94, 0.96, 1.04, 1.06])
    found = measure_points(
        spec,
        {"J.EE": gains},
        seeds=np.arange(6),
        initial=["network"] * 6,
        measure=["regime"],
        precision="double",
        longest=60.0,
    ).data
    assert found["regime"][:4].tolist() == ["quiescent"] * 4
    assert not set(found["regime"][4:]) & {"quiescent", "homogeneous", "runaway"}


def test_a_chaotic_network_is_called_so_and_others_are_not():
    spec = load_network("conf/chaos.yml", {"populations.E.size": 300, "duration": 15.0})
    found = measure_points(
        spec,
        {"J.EE": np.array([0.6, 4.0])},
        seeds=np.arange(2),
        initial=["network"] * 2,
        measure=["regime", "lyapunov"],
    ).data
    assert found["regime"].tolist() == ["quiescent", "chaotic"]


def test_exponent_and_variance_approach_those_of_infinitely_many_neurons():
    """Finite networks lie below: λ τ by 14/N (at g = 3) and 0.16 dt/τ, see docs/decisions.md."""
    size, gains = 600, np.array([3.0, 5.0])
    matrix = np.random.default_rng(0).normal(size=(size, size)) / np.sqrt(size)
    network = {**NETWORK, "populations": {"E": {"size": size, "tau": 1.0}}, "connectivity": {}}
    ensemble = ensemble_of(network, {"J.EE": gains * size}, operators={"EE": Dense(matrix)})
    start = initial_state(ensemble.program())
    start.rates["E"] = torch.as_tensor(np.random.default_rng(5).normal(size=(2, size)))
    found = lyapunov(ensemble, start, LyapunovOptions(transient=30.0, duration=120.0))
    for k, gain in enumerate(gains):
        exact, error = chaos(gain).exponent, 3 * found.errors[k, 0]
        lacking = 14 / size + 0.16 * 0.05 if gain == 3.0 else 0.15 * exact
        assert found.exponents[k, 0] == pytest.approx(exact - lacking, abs=error + 0.05 * exact)
        assert error < 0.4 * exact


def test_limits_of_the_mean_field_theory():
    """Near 1 the input's variance is g − 1 and λ is (g − 1)²/2 (in 1/τ); rest has g − 1."""
    for step in (0.02, 0.01, 0.005):
        found = chaos(1.0 + step)
        assert found.input_variance == pytest.approx(step, rel=1.5 * step)
        assert found.exponent == pytest.approx(0.5 * step**2, rel=4 * step)
    assert chaos(0.7).exponent == pytest.approx(-0.3)
    assert chaos(0.7).rate_variance == 0.0
    # By other means: Δ(t) from its second-order equation at 1e-12, the ground state by extrapolated differences.
    for gain, exponent in ((1.2, 0.0119196), (2.0, 0.1124581), (3.0, 0.2354610), (5.0, 0.4337051)):
        assert chaos(gain).exponent == pytest.approx(exponent, rel=5e-4)
    values = [chaos(g).exponent for g in (1.2, 1.5, 2.0, 3.0, 5.0, 8.0)]
    assert (np.diff(values) > 0).all()
    assert np.isnan(chaos(40.0).exponent)
