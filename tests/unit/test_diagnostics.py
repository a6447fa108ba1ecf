"""Weights, degrees and spectrum of a network against its dense matrix."""

import numpy as np
import pytest
import torch
import yaml

from neuroflame import Network, cli
from neuroflame.errors import SimulationError, SpecError
from neuroflame.report import plot_connectivity
from neuroflame.spec import NetworkSpec

MIXED = {
    "dt": 0.001,
    "duration": 0.02,
    "populations": {"E": {"size": 90, "tau_syn": 0.004}, "I": {"size": 40}},
    "integrator": "dt_over_tau",  # whose weights of a step are no weights of the network
    "connectivity": {
        "kind": "sparse",
        "K": 20,
        "profile": {"kind": "cosine", "kappa": 0.8},
        "pairs": {
            "EI": {"kind": "all_to_all", "profile": {"kind": "low_rank", "kappa": 0.5, "rank": 2}},
            "II": {"kind": "all_to_all", "profile": {"kind": "gaussian"}},
        },
    },
    "J": {"EE": 2.0, "EI": -1.5, "IE": 1.0, "II": -0.7},
}


def network(**changes):
    return Network(NetworkSpec.parse(MIXED).with_values(changes), device="cpu", precision="double")


def test_weights_are_J_times_scaling_times_connectivity_at_the_point():
    model = network()
    weights, excitatory, inhibitory = model.weights({"J.EI": -3.0}), slice(0, 90), slice(90, 130)
    dense = {name: operator.to_dense() for name, operator in model.operators.items()}
    torch.testing.assert_close(weights[excitatory, excitatory], 2.0 / 20**0.5 * dense["EE"])
    torch.testing.assert_close(weights[inhibitory, inhibitory], -0.7 / 40**0.5 * dense["II"])
    m, n = model.operators["EI"].m, model.operators["EI"].n
    torch.testing.assert_close(weights[excitatory, inhibitory], -3.0 / 40 * (1 + 0.5 * m @ n.T))


def test_degrees_and_products_are_those_of_the_matrix():
    model = network()
    weights, slices = model.weights(), model.slices
    for pair in model.spec.pairs:
        connected = weights[slices[pair.post], slices[pair.pre]] != 0
        np.testing.assert_array_equal(model.in_degrees()[pair.name], connected.sum(1))
        np.testing.assert_array_equal(model.out_degrees()[pair.name], connected.sum(0))
    sources = torch.rand(3, 130).double()
    torch.testing.assert_close(model.effective_weights().apply(sources), sources @ weights.T)


@pytest.mark.parametrize("k", [1, 5, 128])
def test_spectrum_is_that_of_the_matrix(k):
    model = network()
    found = model.weight_spectrum(k).eigenvalues
    every = np.linalg.eigvals(model.weights().numpy())
    every = every[np.argsort(-np.abs(every))]
    np.testing.assert_allclose(np.abs(found), np.abs(every[:k]), rtol=1e-8, atol=1e-8)
    assert model.weight_spectrum(k).radius == np.abs(found[0])


def test_spectrum_of_a_small_network_and_of_a_float32_one():
    tiny = network(**{"populations.E.size": 30, "populations.I.size": 21})
    every = np.linalg.eigvals(tiny.weights().numpy())
    assert tiny.weight_spectrum(3).radius == pytest.approx(np.abs(every).max())
    spec = NetworkSpec.parse(MIXED)
    single, double = (Network(spec, device="cpu", precision=p).weight_spectrum(2) for p in ("exact", "double"))
    np.testing.assert_allclose(np.abs(single.eigenvalues), np.abs(double.eigenvalues), rtol=1e-4)


def test_coarse_weights_are_means_of_the_matrix():
    model = network()
    weights, slices = model.weights().numpy(), model.slices
    for pair in model.spec.pairs:
        block = weights[slices[pair.post], slices[pair.pre]]
        coarse = model.effective_weights().coarse(10)[pair.name]
        shape = (10, block.shape[0] // 10, 10, block.shape[1] // 10)
        np.testing.assert_allclose(coarse, block.reshape(shape).mean(axis=(1, 3)), atol=1e-12)
    fine = model.effective_weights().coarse(10_000)
    np.testing.assert_allclose(fine["II"], weights[90:, 90:], atol=1e-12)


def test_what_cannot_be_looked_at_is_refused(monkeypatch):
    model = network()
    with pytest.raises(SpecError, match="must have one value"):
        model.weights({"J.EE": [1.0, 2.0]})
    with pytest.raises(SpecError, match="is structural"):
        model.weights({"connectivity.K": 10.0})
    with pytest.raises(SimulationError, match="below the number of neurons, 130, got 130"):
        model.weight_spectrum(130)
    with pytest.raises(SimulationError, match="is not an all_to_all pair of low rank, square, got 'EI'"):
        model.overlaps("EI")
    monkeypatch.setattr("neuroflame.core.weights.LARGEST_DENSE", 100)
    with pytest.raises(SimulationError, match="for at most 100 neurons, got 130"):
        model.weights()


def test_overlaps_are_readable():
    profile = {"kind": "low_rank", "kappa": 1.0, "rank": 2, "overlap": [0.9, 0.3]}
    spec = {"populations": {"E": {"size": 20_000}}, "connectivity": {"profile": profile}, "J": {"EE": 1.0}}
    model = Network(NetworkSpec.parse(spec), device="cpu")
    np.testing.assert_allclose(model.overlaps("EE"), [[0.9, 0.0], [0.0, 0.3]], atol=5 * np.sqrt(2 / 20_000))


def test_the_figure_shows_what_it_is_given():
    ring = np.cos(2 * np.pi * (np.arange(8)[:, None] - np.arange(8)) / 8)
    figure = plot_connectivity(
        {"E": 80, "I": 20},
        {"EE": ("E", "E"), "IE": ("I", "E")},
        {"EE": ring, "IE": ring},
        {"EE": np.arange(80), "IE": np.full(20, 80)},
        np.array([1.0 + 1j, 1.0 - 1j]),
        bulk=0.5,
    )
    matrix, degrees, angles, eigenvalues = figure.axes[:4]
    assert [image.get_extent() for image in matrix.images] == [[0.0, 0.8, 0.8, 0.0], [0.0, 0.8, 1.0, 0.8]]
    assert [text.get_text() for text in degrees.get_legend().get_texts()] == ["EE  39.5 ± 23.1", "IE  80 ± 0"]
    x, y = angles.lines[0].get_data()
    np.testing.assert_allclose(y, np.cos(np.deg2rad(x)), atol=1e-12)
    assert eigenvalues.lines[-1].get_xdata().tolist() == [1.0, 1.0]
    assert len(plot_connectivity({"E": 8}, {"EE": ("E", "E")}, {"EE": ring}, {"EE": np.ones(8)}).axes) == 4


def test_the_command_draws_and_tells(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yml").write_text(yaml.safe_dump(MIXED))
    assert cli.main(["connectivity", "net.yml", "--set", "J.EE=4", "--bins", "20"]) == 0
    out = capsys.readouterr().out
    radius = network(**{"J.EE": 4.0}).weight_spectrum(6).radius
    assert f"spectral radius  {radius:.4g}" in out
    assert (tmp_path / "net.connectivity.png").read_bytes().startswith(b"\x89PNG")
    for arguments, rule in (
        (["net.yml", "-o", "nowhere/x.png"], "--out: there is no such folder"),
        (["gone.yml"], "there is no such file"),
    ):
        assert cli.main(["connectivity", *arguments]) == 2
        assert rule in capsys.readouterr().err
    (tmp_path / "loose.yml").write_text(yaml.safe_dump({"populations": {"E": {"size": 4}}}))
    assert cli.main(["connectivity", "loose.yml"]) == 2
    assert "loose.yml: J: connects nothing" in capsys.readouterr().err
