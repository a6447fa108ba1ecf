"""Closed forms of random and structured connectivity, and what they do to the activity."""

import numpy as np
import pytest
import torch

from neuroflame.core.connectivity.low_rank import draw_vectors
from neuroflame.core.connectivity.sparse import draw
from tests.physics.helpers import build
from tests.unit.test_operators import network

RANDOM = {
    "dt": 0.02,
    "duration": 20.0,
    "populations": {"E": {"size": 400, "tau": 0.1}},
    "transfer": "tanh",
    "connectivity": {"profile": {"kind": "gaussian"}},
    "J": {"EE": 1.0},
    "initial": {"kind": "uniform", "low": -1.0, "high": 1.0},
}


def eigenvalues(model):
    return np.linalg.eigvals(model.weights().numpy())


def test_eigenvalues_of_gaussian_weights_fill_the_disc_of_the_circular_law():
    """Girko's law: uniform on the disc of radius J: half of them lie within 1/√2 of it."""
    model = build(RANDOM, **{"populations.E.size": 800, "J.EE": 1.7})
    radii = np.abs(eigenvalues(model)) / 1.7
    assert radii.max() == pytest.approx(1.0, abs=0.08)
    assert np.mean(radii < np.sqrt(0.5)) == pytest.approx(0.5, abs=0.02)
    assert model.weight_spectrum(1).bulk == pytest.approx(1.7, rel=0.01)


def test_the_bulk_of_two_populations_is_that_of_their_variances():
    """Aljadeff, Stern & Sharpee 2015: the root of the spectral radius of N_B Var(W_AB)."""
    model = build(
        RANDOM,
        **{
            "populations": {"E": {"size": 600}, "I": {"size": 300}},
            "J": {"EE": 1.0, "EI": 2.0, "IE": 0.5, "II": 0.3},
        },
    )
    expected = np.sqrt(np.linalg.eigvals(np.array([[1.0, 4.0], [0.25, 0.09]])).max())
    assert model.weight_spectrum(1).bulk == pytest.approx(expected, rel=0.02)
    assert np.abs(eigenvalues(model)).max() == pytest.approx(expected, rel=0.07)


def test_a_sparse_network_has_one_outlier_at_its_mean_and_the_bulk_of_its_variance():
    """Mean row sum J√K and radius J√(1 − K/N) (Rajan & Abbott 2006, Phys. Rev. Lett. 97:188104)."""
    N, K, J = 1000, 50, -1.2
    connectivity = {"kind": "sparse", "K": K, "profile": {"kind": "uniform"}}
    model = build(RANDOM | {"connectivity": connectivity}, **{"populations.E.size": N, "J.EE": J})
    found = model.weight_spectrum(4)
    assert found.bulk == pytest.approx(abs(J) * np.sqrt(1 - K / N), rel=0.01)
    assert len(found.outliers) == 1
    assert found.outliers[0].real == pytest.approx(J * np.sqrt(K), rel=0.02)
    rest = np.sort(np.abs(eigenvalues(model)))[-2]
    assert rest == pytest.approx(found.bulk, rel=0.06)


def test_the_overlap_of_low_rank_vectors_is_the_outlier():
    """m nᵀ κ J/N has the eigenvalues of the overlaps times κ J (Mastrogiuseppe & Ostojic 2018, Neuron 99:609)."""
    profile = {
        "kind": "low_rank",
        "kappa": 1.5,
        "background": 0.0,
        "rank": 2,
        "variance": 2.0,
        "overlap": [1.2, -0.6],
    }
    model = build(
        RANDOM | {"connectivity": {"profile": profile}}, **{"populations.E.size": 4000, "J.EE": 1.1}
    )
    found = model.weight_spectrum(2)
    own = 1.5 * 1.1 * np.linalg.eigvals(model.overlaps("EE"))
    np.testing.assert_allclose(np.sort(found.eigenvalues.real), np.sort(own.real), rtol=1e-6)
    np.testing.assert_allclose(np.sort(own.real), 1.65 * np.array([-0.6, 1.2]), atol=0.2)


def test_low_rank_structure_moves_connection_probabilities_by_kappa_over_root_K():
    """Given m_i n_j, the probability is K/N (1 + κ/√K m_i n_j): its slope is found by regression."""
    N, K, kappa = 2000, 400.0, 2.0
    spec = network("sparse", {"kind": "low_rank", "kappa": kappa}, K=K, post=N, pre=N)
    m, n = draw_vectors(spec, spec.pairs[0], graph=0, device="cpu")
    dense = draw(spec.pairs[0], N, N, seed=4, graph=0, device="cpu", vectors=(m, n)).to_dense()
    structure = m @ n.T
    slope = float(((dense - dense.mean()) * structure).mean() / structure.var())
    assert slope == pytest.approx(K / N * kappa / np.sqrt(K), rel=0.05)
    assert float(dense.mean()) == pytest.approx(K / N, rel=0.02)


def test_weak_cosine_structure_is_kappa_over_root_K():
    N, K, kappa = 1500, 100.0, 4.0
    pair = network("sparse", {"kind": "cosine_weak", "kappa": kappa}, K=K, post=N, pre=N).pairs[0]
    dense = draw(pair, N, N, seed=2, graph=0, device="cpu").to_dense()
    theta = torch.arange(N).double() * 2 * np.pi / N
    mode = (dense * torch.cos(theta[:, None] - theta)).mean() / dense.mean()
    assert float(mode) == pytest.approx(kappa / np.sqrt(K) / 2, abs=0.01)


def test_out_degrees_are_binomial_too():
    N, K = 2000, 125
    pair = network("sparse", {"kind": "uniform"}, K=K, post=N, pre=N).pairs[0]
    degrees = draw(pair, N, N, seed=1, graph=0, device="cpu").out_degrees().double()
    assert float(degrees.mean()) == pytest.approx(K, rel=0.01)
    assert float(degrees.var()) == pytest.approx(K * (1 - K / N), rel=4 * np.sqrt(2 / N))


def test_activity_of_a_gaussian_network_dies_below_g_1_and_lives_above():
    """Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61:259: the transition is at g = 1."""
    model = build(RANDOM)
    g = np.array([0.5, 0.8, 1.4, 2.0])
    rates = model({"J.EE": g}, every=200).detach()[:, -1]
    spread = rates.square().mean(1).sqrt().numpy()
    assert (spread[:2] < 1e-3).all()
    assert (spread[2:] > 0.2).all()
    assert spread[3] > spread[2]


def test_above_the_transition_neighbouring_states_part():
    """Chaos: a state that differs by 1e-9 is far away in the end; below the transition it comes closer."""
    apart = []
    for g in (0.8, 2.0):
        model = build(RANDOM, **{"J.EE": g, "duration": 10.0})
        _, state = model.simulate(duration=4.0, return_state=True)
        nudged = state.renamed(
            {name: value + 1e-9 * (name == "rates.E") for name, value in state.named().items()},
            step=state.step,
        )
        one, other = (model(initial=s, steps=1000, every=1000).detach()[0, -1] for s in (state, nudged))
        apart.append(float((one - other).abs().max()))
    assert apart[0] < 1e-9
    assert apart[1] > 1e-3


def test_a_low_rank_network_has_two_states_above_overlap_1_and_settles_along_m():
    """Above J κ overlap = 1 silence is unstable; rates end as tanh of a multiple of m, of either sign."""
    profile = {"kind": "low_rank", "kappa": 1.0, "background": 0.0, "variance": 2.0, "overlap": 1.5}
    model = build(RANDOM | {"connectivity": {"profile": profile}}, **{"populations.E.size": 1000})
    outlier = float(model.overlaps("EE")[0, 0])
    J = np.array([0.7, 2.5]) / outlier
    rates = model({"J.EE": J}, every=1000).detach()[:, -1]
    assert float(rates[0].abs().max()) < 1e-2
    m = model.operators["EE"].m[:, 0]
    inner = torch.atanh(rates[1])
    assert abs(float(np.corrcoef(inner, m)[0, 1])) > 1 - 1e-6
    strength = float((inner / m).median())
    n = model.operators["EE"].n[:, 0]
    assert strength == pytest.approx(J[1] * float((n * torch.tanh(strength * m)).mean()), rel=1e-5)
