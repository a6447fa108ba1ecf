"""Borders of small networks, located by the search and known in closed form."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from neuroflame.sweep.running import run_sweep
from tests.border_networks import (
    both_folds_of_plastic_synapses,
    onset_of_chaos,
    regimes_of_the_ring,
    ring_of_threshold_linear_units,
)


def check(known, border, least=5):
    for pair, error in known.errors(border).items():
        assert len(error) > least, pair
        assert np.quantile(error, 0.95) < known.tolerance, pair


def test_the_three_borders_of_the_threshold_linear_ring(tmp_path):
    known = ring_of_threshold_linear_units()
    table = run_sweep(known.sweep, str(tmp_path / "ring"))
    assert len(table) < 51**2 / 5
    border = table.border()
    assert border["error"].quantile(0.95) <= 0.01
    check(known, border)
    points = (border[known.paths].to_numpy() - known.low) / known.span
    for between, true in known.curves.items():
        curve = (np.array(true).T - known.low) / known.span
        inside = curve[((curve > 0) & (curve < 1)).all(axis=1)]
        mine = (border["between"] == between).to_numpy()
        assert cKDTree(points[mine]).query(inside)[0].max() < 0.1, between


def test_regimes_are_told_apart_where_the_closed_forms_do(tmp_path):
    known = regimes_of_the_ring()
    table = run_sweep(known.sweep, str(tmp_path / "ring"))
    assert len(table) < 51**2 / 5
    border = table.border()
    assert border["error"].quantile(0.95) <= 0.01
    check(known, border)
    points = (border[known.paths].to_numpy() - known.low) / known.span
    meeting = (np.array([1.0, 2.0]) - known.low) / known.span  # of all three
    for pair in known.curves:
        mine = points[(border["between"] == pair).to_numpy()]
        assert np.linalg.norm(mine - meeting, axis=1).min() < 0.05, pair
    frame = table.to_pandas()
    places = frame[known.paths].to_numpy()
    J, kappa = places.T
    amplitude, at = known.curves["bump | runaway"]
    largest = np.where(kappa < 2, 1.0, np.interp(kappa, at[::-1], amplitude[::-1]))
    expected = np.where(largest < J, "runaway", np.where(J * kappa > 2, "bump", "homogeneous"))
    far = np.min([known.apart(places, curve) for curve in known.curves.values()], axis=0) > 0.05
    assert far.sum() > 50
    assert (frame["regime"].to_numpy()[far] == expected[far]).all()


def test_both_folds_of_a_population_with_plastic_synapses(tmp_path):
    known = both_folds_of_plastic_synapses()
    table = run_sweep(known.sweep, str(tmp_path / "folds"))
    assert len(table) < 2 * 51**2 / 5
    check(known, table.border(), least=10)


@pytest.mark.slow
def test_the_onset_of_chaos_in_finite_graphs(tmp_path):
    """Coarser than in the benchmark: 150 neurons, 15 graphs, whose own borders differ by 0.025 of the range."""
    known = onset_of_chaos(size=150, graphs=15, tolerance=0.03)
    table = run_sweep(known.sweep, str(tmp_path / "chaos"))
    assert len(table) < 18**2 * 15 / 5
    border = table.border()
    assert border["error"].quantile(0.95) <= 0.03
    assert border["confidence"].min() >= 0.9
    check(known, border)
