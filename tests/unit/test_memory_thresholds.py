"""How long a memory lasts, by any thresholds, from the course that a row keeps."""

import shutil

import numpy as np
import pytest

from neuroflame.cli import main
from neuroflame.columns import Column
from neuroflame.errors import SpecError, StoreError
from neuroflame.regimes import COURSE_COLUMNS, Thresholds, lifetimes
from neuroflame.regimes.memory import LEVELS, course
from neuroflame.store import SweepStore, open_table

TIMES = np.arange(-3, 300) * 0.02


def by_hand(times, strength, angle, limits):
    """Return lifetime and censoring by the definition, from every sample."""
    held = (times >= 0) & (strength > limits.memory_ratio) & (angle < limits.memory_angle)
    return (float(times[held].max()) if held.any() else 0.0), bool(held[-1])


def wandering(rng):
    """Return a bump that fades and wanders off, both unsteadily."""
    fades = np.exp(-np.maximum(TIMES, 0) * rng.uniform(0.0, 0.8)) * (
        1 + 0.1 * rng.standard_normal(len(TIMES))
    )
    return np.abs(fades), np.minimum(
        np.abs(np.cumsum(rng.standard_normal(len(TIMES)) * rng.uniform(0, 6))), 180.0
    )


def test_a_short_course_tells_lifetimes_for_all_thresholds_of_the_grid():
    rng = np.random.default_rng(0)
    strength, angle = (np.array(x) for x in zip(*(wandering(rng) for _ in range(40)), strict=True))
    cells = course(np.tile(TIMES, (40, 1)), strength, angle)
    assert np.median([len(cell) for cell in cells[0]]) <= 3 * LEVELS
    assert max(map(len, cells[0])) < 60  # of 300
    different = set()
    for ratio in (0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0):
        for degrees in (5, 15, 30, 90, 180):
            limits = Thresholds(memory_ratio=ratio, memory_angle=degrees)
            lasted, censored = lifetimes(*cells, limits)
            for row in range(40):
                expected = by_hand(TIMES, strength[row], angle[row], limits)
                assert (lasted[row], censored[row]) == (pytest.approx(expected[0], abs=1e-5), expected[1])
            different.add(tuple(lasted))
    assert len(different) > 20


def test_nothing_to_remember():
    """A bump that was not there, one without a phase, and a row without a cue."""
    times = np.tile(TIMES, (2, 1))
    strength = np.vstack([np.zeros(len(TIMES)), np.ones(len(TIMES))])
    cells = course(times, strength, np.vstack([np.zeros(len(TIMES)), np.full(len(TIMES), np.nan)]))
    lasted, censored = lifetimes(*cells, Thresholds())
    assert lasted.tolist() == [0.0, 0.0]
    assert censored.tolist() == [False, False]
    lasted, censored = lifetimes([None], [None], [None], Thresholds())
    assert np.isnan(lasted[0])
    assert censored.tolist() == [None]


@pytest.mark.parametrize(
    ("name", "value"),
    [("memory_ratio", 0.52), ("memory_ratio", 1.05), ("memory_angle", 12.5), ("memory_angle", 181)],
)
def test_thresholds_off_the_grid_are_refused(name, value):
    with pytest.raises(SpecError, match=f"thresholds.{name}: must be a multiple of .*got {value:g}"):
        Thresholds(**{name: value})


SWEEP = """
name: rings
network:
  dt: 0.001
  duration: 2.0
  populations: {E: {size: 48, tau: 0.05, tau_syn: 0.0}}
  connectivity: {profile: {kind: cosine, kappa: 2.0}}
  J: {EE: 0.0}
  J0: {E: 1.0}
  stimuli: [{shape: cosine, onset: 0.8, offset: 1.0, strength: 0.05, width: 18.0, phase: 90.0}]
space:
  J.EE: [0.0, 0.4, 0.6]
repeat: {initial_conditions: [cold, {cued: 2}]}
measure: [regime]
window: 0.3
compute: {backend: inline, executor: reference}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "sweep.yml").write_text(SWEEP)
    assert main(["run", str(folder / "sweep.yml"), "--out", str(folder / "out"), "--quiet"]) == 0
    return folder / "out"


def test_a_finished_table_tells_other_lifetimes_without_simulating(finished, tmp_path):
    """A bump that fades by exp(−t (1 − J)/τ) falls below f of its strength after τ ln(1/f)/(1 − J)."""
    table = open_table(shutil.copytree(finished, tmp_path / "out"))
    cued = (table.to_pandas()["initial_condition"] != "cold").to_numpy()
    for ratio in (0.5, 0.3, 0.1):
        other = table.relabel(memory_ratio=ratio)
        frame = other.to_pandas(["point.J.EE", "memory.lifetime", "memory.censored", "bump.E.ratio"])
        expected = 0.05 * np.log(1 / ratio) / (1 - frame["point.J.EE"][cued])
        weaker = np.minimum(expected, 1.0)
        np.testing.assert_allclose(frame["memory.lifetime"][cued], weaker, atol=0.06 * weaker.max() + 0.02)
        assert frame["memory.lifetime"][~cued].isna().all()
        shown = other.regimes()["memory.lifetime"].to_numpy()
        lowest = frame["memory.lifetime"][cued].groupby(frame["point.J.EE"]).min()
        np.testing.assert_allclose(shown, lowest)
        row = other.row(other.to_pandas()["point_id"][int(np.flatnonzero(cued)[0])])
        assert row["memory.lifetime"] == pytest.approx(frame["memory.lifetime"][cued].iloc[0])
    assert (
        table.relabel(ratio=0.3).to_pandas()["memory.lifetime"].equals(table.to_pandas()["memory.lifetime"])
    )


def test_the_command_line_changes_lifetimes_and_changes_them_back(finished, tmp_path):
    directory = shutil.copytree(finished, tmp_path / "out")
    before = open_table(directory).to_pandas()["memory.lifetime"]
    assert main(["relabel", str(directory), "--set", "memory_ratio=0.1", "--set", "memory_angle=90"]) == 0
    after = open_table(directory).to_pandas()["memory.lifetime"]
    assert (after.dropna() > before.dropna()).all()
    assert main(["relabel", str(directory)]) == 0
    assert open_table(directory).to_pandas()["memory.lifetime"].equals(before)
    assert main(["relabel", str(directory), "--set", "memory_angle=12.5"]) == 2


def test_tables_without_courses_say_so(tmp_path):
    store = SweepStore.create(tmp_path / "old", {"sweep": {}})
    columns = [Column("point_id", "str"), Column("residual", "float"), Column("memory.lifetime", "float")]
    store.write_fragment(
        "t0", columns, {"point_id": ["a"], "residual": np.zeros(1), "memory.lifetime": np.ones(1)}
    )
    table = open_table(tmp_path / "old")
    with pytest.raises(StoreError, match="lacks the courses of memories"):
        table.relabel(memory_angle=45.0)
    assert table.relabel(ratio=0.2).to_pandas()["memory.lifetime"].tolist() == [1.0]
    assert {column.name for column in COURSE_COLUMNS}.isdisjoint(table.columns)
