"""Stability regions of labels whose borders are known: how many, how large, how far each place is inside."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.stats import qmc

from neuroflame.border import LABELLED, Scale, find_regions
from neuroflame.border.find import border_of_draws
from neuroflame.cli import main
from neuroflame.errors import SpecError, StoreError
from neuroflame.report import build_report, view
from neuroflame.report.regions import regions as listing
from neuroflame.store import open_table
from neuroflame.sweep.running import run_sweep
from tests.borders import ball, islands, line, plane
from tests.unit.test_sweep_controller import CHEAP
from tests.unit.test_sweep_spec import sweep

BALL = {2: np.pi * 0.3**2, 3: 4 / 3 * np.pi * 0.3**3}
ISLANDS = [np.pi * 0.15**2, np.pi * 0.12**2]


def lattice(n, d):
    side = np.linspace(0, 1, n)
    return np.stack(np.meshgrid(*[side] * d, indexing="ij"), axis=-1).reshape(-1, d)


def sobol(n, d):
    return np.concatenate([lattice(2, d), qmc.Sobol(d, seed=0).random(n)])


def found(x, labels, tolerance=0.01):
    seen = np.zeros((len(x), 1), LABELLED)
    seen["label"][:, 0] = labels
    seen["margin"] = np.nan
    scales = [Scale(f"x{k}", "", 0.0, 1.0) for k in range(x.shape[1])]
    return find_regions(border_of_draws(x, seen, scales, tolerance))


def of(case, x, **options):
    return found(x, np.where(case(x) > 0, "yes", "no"), **options)


def labels(regions):
    return [regions.border.sites.labels[k] for k in regions.code]


PLACES = {
    "grid": lambda d: lattice({1: 40, 2: 41, 3: 13, 4: 6}[d], d),
    "sobol": lambda d: sobol({1: 32, 2: 2048, 3: 2048, 4: 512}[d], d),
}


@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize(("case", "d"), [(line, 1), (plane, 2), (ball, 2), (plane, 3), (ball, 3), (plane, 4)])
def test_distances_are_those_of_closed_forms(case, d, how):
    """Within what is known of the border there; the functions are distances from it."""
    x = PLACES[how](d)
    regions, truth = of(case, x), case(x)
    assert len(regions) == 2
    inner = np.abs(truth) < np.minimum(x, 1 - x).min(axis=1) if case is plane else np.full(len(x), True)
    off = np.abs(regions.distance - np.abs(truth))[inner]  # a plane may be nearest outside of the cube
    assert (off <= regions.known[inner] + 1e-9).mean() >= 0.9
    apart = 1 / (len(x) ** (1 / d) - 1)
    assert off.max() < apart
    assert np.median(off) < apart / 2
    assert (regions.worst >= regions.error).all()


@pytest.mark.parametrize("how", PLACES)
@pytest.mark.parametrize("d", [2, 3])
def test_a_ball_and_what_is_around_it(how, d):
    regions = of(ball, PLACES[how](d))
    assert labels(regions) == ["no", "yes"]
    np.testing.assert_allclose(regions.share.sum(), 1.0)
    np.testing.assert_allclose(regions.share[1], BALL[d], rtol=0.15 if d == 3 else 0.05)
    assert regions.low[1] < BALL[d] < regions.high[1]
    assert (regions.number == (ball(PLACES[how](d)) > 0)).all()


@pytest.mark.parametrize("how", PLACES)
def test_two_islands_with_one_label_are_two_regions(how):
    x = PLACES[how](2)
    regions = of(islands, x)
    assert labels(regions) == ["no", "yes", "yes"]  # the largest first
    np.testing.assert_allclose(regions.share[1:], ISLANDS, rtol=0.08)
    near = np.linalg.norm(x - 0.27, axis=1) < 0.15
    assert (regions.number == np.where(near, 1, np.where(islands(x) > 0, 2, 0))).all()
    # Distances are to the border of the region itself: from one island to the other there is nothing in between.
    np.testing.assert_allclose(regions.distance[near].max(), 0.15, atol=0.02)


def test_a_band_of_cells_that_touch_at_corners_is_one_region():
    x = lattice(9, 2)
    i, j = np.round(x * 8).astype(int).T
    for names in (i == j, i + j == 8):  # whichever diagonal the triangulation takes
        regions = found(x, np.where(names, "band", "else"))
        assert sorted(labels(regions)) == ["band", "else"]
    thick = found(x, np.where(np.isin(i - j, (0, 1)), "band", "else"))
    assert sorted(labels(thick)) == ["band", "else", "else"]


def test_three_labels_and_their_borders():
    x = lattice(21, 2)
    regions = found(x, np.where(x[:, 0] < 0.31, "a", np.where(x[:, 1] < 0.52, "b", "c")))
    assert sorted(labels(regions)) == ["a", "b", "c"]
    at = {name: k for k, name in enumerate(labels(regions))}
    a = regions.number == at["a"]
    np.testing.assert_allclose(regions.distance[a], 0.325 - x[a, 0], atol=1e-9)
    c = regions.number == at["c"]
    np.testing.assert_allclose(regions.distance[c], np.minimum(x[c, 0] - 0.325, x[c, 1] - 0.525), atol=0.013)


def test_one_label_has_no_border_and_no_distance():
    regions = found(lattice(4, 2), np.full(16, "yes"))
    assert len(regions) == 1
    np.testing.assert_allclose([regions.share[0], regions.low[0], regions.high[0]], 1.0)
    assert np.isnan(regions.distance).all()
    assert np.isnan(regions.error).all()


def test_places_that_span_nothing_are_regions_of_their_own():
    regions = found(np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]), ["a", "a", "b"])
    assert len(regions) == 3
    assert np.isnan(regions.share).all()


def test_shares_are_of_what_the_places_span():
    x = qmc.Sobol(2, seed=3).random(256)
    regions = of(plane, x)
    volume = ConvexHull(x).volume
    np.testing.assert_allclose(regions.share.sum(), 1.0)
    np.testing.assert_allclose((regions.high[0] + regions.low[1]) * volume, volume)


# --- in tables --------------------------------------------------------------------------------------------

SPACE = {"J.EE": {"from": 0, "to": 4, "num": 9}, "J0.E": {"from": 0, "to": 4, "num": 9}}
HALVES = "rate.E.mean > 20"  # the stand-in's rate is 5 J.EE + 5 J0.E + graph + 0.1 seed


def run(tmp_path, **changes):
    spec = sweep(**{"space": SPACE, **changes})
    return run_sweep(spec, tmp_path / "out", backend="inline", measure=CHEAP)


def test_regions_of_a_table(tmp_path):
    table = run(tmp_path)
    regions = table.regions(HALVES)
    assert regions["label"].tolist() == ["no", "yes"]
    assert regions["places"].tolist() == [45, 36]
    assert regions["beside"].tolist() == ["yes", "no"]
    assert regions["point.J.EE.low"].tolist() == [0.0, 0.5]
    assert regions["point.J.EE.high"].tolist() == [4.0, 4.0]
    assert regions[["point.J.EE.inside", "point.J0.E.inside"]].to_numpy().tolist() == [[0, 0], [4, 4]]
    places = table.places(HALVES)
    merged = table.to_pandas().merge(places)
    assert len(merged) == len(places) == 81
    assert (merged["label"] == np.where(merged["rate.E.mean"] > 20, "yes", "no")).all()
    off = np.abs(merged["point.J.EE"] + merged["point.J0.E"] - 4) / np.sqrt(2) / 4
    np.testing.assert_allclose(merged["distance"], off, atol=1e-9)  # the margin is linear
    for region, row in regions.set_index("region").iterrows():
        assert row["distance"] == places.loc[places["region"] == region, "distance"].max()
    assert regions.attrs["units"]["point.J.EE.inside"] == table.columns["point.J.EE"].unit


def test_regions_of_noisy_labels_are_those_of_the_majority(tmp_path):
    table = run(tmp_path, repeat={"graphs": 3})
    places = table.places("rate.E.mean > 21.5")  # graphs 0, 1 and 2 add as much
    values = 5 * (places["point.J.EE"] + places["point.J0.E"]) + 1
    assert (places["label"] == np.where(values > 21.5, "yes", "no")).all()
    assert len(places) == 81


def test_regions_of_a_boundary_search_are_those_that_it_sought(tmp_path):
    space = {path: {"low": 0, "high": 4} for path in SPACE}
    search = {"kind": "boundary", "on": HALVES, "points": 200, "tolerance": 0.02}
    table = run(tmp_path, space=space, search=search)
    regions = table.regions()
    assert set(regions["label"]) == {"yes", "no"}
    np.testing.assert_allclose(regions["share"], 0.5, atol=0.02)
    assert (regions["error"] <= 0.02).all()
    places = table.places()
    off = np.abs(places["point.J.EE"] + places["point.J0.E"] - 4) / np.sqrt(2) / 4
    assert (np.abs(places["distance"] - off) < 0.03).all()
    assert "Stability regions" in build_report(tmp_path / "out").page.read_text()


def test_tables_without_regions(tmp_path):
    table = run(tmp_path)
    with pytest.raises(StoreError, match=r"lacks the statistics that labels are made from"):
        table.regions()
    with pytest.raises(SpecError, match="no such column"):
        table.regions("bump.E.wrong > 1")
    assert listing(view(table)) is None
    named = {"space": {"transfer": ["relu", "tanh"], "J.EE": [0.0, 1.0, 2.0]}}
    other = run_sweep(sweep(**named), tmp_path / "named", backend="inline", measure=CHEAP)
    with pytest.raises(StoreError, match="axes of numbers in order"):
        other.regions(HALVES)


REGIMES = """
name: unit
network:
  dt: 0.001
  duration: 0.6
  populations: {E: {size: 4, tau: 0.01, tau_syn: 0.0}}
  J: {EE: 0.0}
  J0: {E: 1.0}
space:
  J.EE: {from: 0.1, to: 1.9, num: 10}
  J0.E: {from: -1.0, to: 1.0, num: 6}
measure: [regime]
window: 0.2
longest: 0.7
repeat: {initial_conditions: [cold, hot]}
compute: {backend: inline, executor: reference}
"""


def test_regimes_of_points_and_the_report(tmp_path):
    """A linear unit is silent without drive, settles at J < 1 and runs away above; hot starts stay hot at J > 1."""
    (tmp_path / "sweep.yml").write_text(REGIMES)
    out = tmp_path / "out"
    assert main(["run", str(tmp_path / "sweep.yml"), "--out", str(out), "--quiet"]) == 0
    table = open_table(out)
    points, regions, places = table.regimes(), table.regions(), table.places()
    assert {"quiescent", "homogeneous", "multistable"} <= set(regions["label"])
    merged = points.merge(places)
    assert (merged["regime"] == merged["label"]).all()
    assert len(merged) == 60
    told = listing(view(table))
    assert [row[1] for row in told.rows] == regions["label"].tolist()
    assert told.rows[0][2] == str(regions["places"][0])
    page = build_report(out).page.read_text()
    assert "Stability regions" in page
    assert "open_table(…).places()" in page
    strict = table.relabel(residual=0.0)  # nothing converges so far
    assert "homogeneous" not in set(strict.regions()["label"])
