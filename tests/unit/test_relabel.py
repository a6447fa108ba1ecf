"""Labels of a finished sweep: the same as at run time, and others with other thresholds."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from neuroflame.cli import main
from neuroflame.errors import SpecError, StoreError
from neuroflame.regimes import label_end_states
from neuroflame.report import build_report, summary, view
from neuroflame.report.plan import make_plan, subtitle
from neuroflame.store import SweepStore, open_table
from neuroflame.sweep.export import export
from neuroflame.sweep.repro import reproduce

SWEEP = """
name: rings
network:
  dt: 0.001
  duration: 1.2
  populations: {E: {size: 48, tau: 0.01, tau_syn: 0.0}}
  connectivity: {profile: {kind: cosine, kappa: 20.0}}
  J: {EE: 0.0}
  J0: {E: 1.0}
  stimuli: [{shape: cosine, onset: 0.1, offset: 0.3, strength: 1.0, phase: 90.0}]
  transfer: erf
space:
  J.EE: [0.0, 0.1, 1.0]
  J0.E: [-10.0, 0.0]
repeat: {initial_conditions: [cold, hot, {cued: 2}]}
measure: [MEASURE]
window: 0.4
compute: {backend: inline, executor: reference}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "sweep.yml").write_text(SWEEP.replace("MEASURE", "regime"))
    assert main(["run", str(folder / "sweep.yml"), "--out", str(folder / "out"), "--quiet"]) == 0
    return folder / "out"


@pytest.fixture
def directory(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "out")


def regimes(table):
    frame = table.to_pandas(["regime", "regime.confidence"])
    return frame["regime"].tolist(), frame["regime.confidence"].to_numpy()


def test_labels_from_the_table_are_those_of_the_run(finished):
    table = open_table(finished)
    assert len(set(regimes(table)[0])) > 1
    found, sure = regimes(table.relabel())
    assert found == regimes(table)[0]
    np.testing.assert_array_equal(sure, regimes(table)[1])
    columns = table.to_pandas()
    assert label_end_states(columns)[0].tolist() == found


def test_other_thresholds_give_other_labels_and_leave_the_files_alone(directory):
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    table = open_table(directory)
    other = table.relabel(rate=1e-9, ratio=1.9)
    assert regimes(other) != regimes(table)
    assert other.thresholds.rate == 1e-9
    assert regimes(other.relabel())[0] == regimes(table)[0]
    assert list(other.columns) == list(table.columns)
    told = other.to_arrow(["regime"]).schema.metadata[b"thresholds"]
    assert json.loads(told)["ratio"] == 1.9
    lazy = other.dataset().to_table(columns=["regime"])["regime"].to_pylist()
    assert lazy == regimes(other)[0]
    assert {path: path.read_bytes() for path in before} == before


def test_the_command_line_relabels_and_every_reader_follows(directory, capsys):
    plain = regimes(open_table(directory))[0]
    assert main(["relabel", str(directory), "--set", "ratio=1.99", "--set", "floors=0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    after = regimes(open_table(directory))[0]
    changed = sum(a != b for a, b in zip(plain, after, strict=True))
    assert lines[-1] == f"{changed} of {len(plain)} rows have another label"
    assert changed > 0
    assert "bump" not in after
    assert SweepStore.open(directory).read_records("relabel")[0]["thresholds"] == {"ratio": 1.99, "floors": 0}
    assert summary(open_table(directory)) != summary(open_table(directory).relabel())
    assert open_table(directory).best("regime.confidence", n=3)["regime"].isin(after).all()
    assert main(["relabel", str(directory)]) == 0  # back to the defaults
    assert regimes(open_table(directory))[0] == plain


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_relabelled_table_can_go_to_a_file(directory, tmp_path, suffix):
    out = tmp_path / f"table.{suffix}"
    assert main(["relabel", str(directory), "--set", "ratio=1.99", "-o", str(out)]) == 0
    frame = pd.read_csv(out) if suffix == "csv" else pq.read_table(out).to_pandas()
    expected = regimes(open_table(directory).relabel(ratio=1.99))[0]
    assert frame["regime"].tolist() == expected
    assert SweepStore.open(directory).read_records("relabel") == []
    before = out.read_bytes()
    assert main(["relabel", str(directory), "-o", str(out)]) == 2
    assert out.read_bytes() == before
    assert main(["relabel", str(directory), "-o", str(out), "--force"]) == 0
    assert out.read_bytes() != before


def test_every_way_to_read_a_relabelled_table_follows_and_its_files_hold_the_labels_of_the_run(directory):
    plain = regimes(open_table(directory))[0]
    main(["relabel", str(directory), "--set", "ratio=1.99"])
    expected = regimes(open_table(directory))[0]
    other = [i for i, pair in enumerate(zip(plain, expected, strict=True)) if pair[0] != pair[1]]
    SweepStore.open(directory).compact()
    table = open_table(directory)
    assert (regimes(table)[0], regimes(table.as_written())[0]) == (expected, plain)
    told = table.to_pandas(["regime", "point_id"], provenance=True)
    assert told["regime"].tolist() == expected
    assert set(told["provenance.executor"]) == {"reference"}
    point = told["point_id"][other[0]]
    assert table.row(point)["regime"] == expected[other[0]]
    assert table.row(point)["provenance.executor"] == "reference"
    (csv, _) = export(str(directory), "csv")
    assert pd.read_csv(csv)["regime"].tolist() == expected
    assert reproduce(str(directory), point).differences == ()


def test_a_damaged_record_is_left_out_with_a_warning(directory):
    plain = regimes(open_table(directory))[0]
    SweepStore.open(directory).append_record("relabel", {"thresholds": {"ratoi": 3}})
    with pytest.warns(match="left out the record relabel-.*is not a threshold"):
        assert regimes(open_table(directory))[0] == plain


def test_bad_input(directory, tmp_path, capsys):
    table = open_table(directory)
    with pytest.raises(SpecError, match="did you mean 'ratio'"):
        table.relabel(ratoi=1.0)
    assert main(["relabel", str(directory), "-o", "table.txt"]) == 2
    assert "must end in one of .csv, .parquet, .nc, .zarr, got 'table.txt'" in capsys.readouterr().err
    (tmp_path / "sweep.yml").write_text(SWEEP.replace("MEASURE", "rates"))
    out = str(tmp_path / "bare")
    assert main(["run", str(tmp_path / "sweep.yml"), "--out", out, "--quiet", "--no-report"]) == 0
    for ask in (lambda: open_table(out).relabel(), lambda: open_table(out).regimes()):
        with pytest.raises(StoreError, match=r"run the sweep with measure: \[regime\]"):
            ask()
    assert main(["relabel", out]) == 2


def test_labels_can_be_added_to_statistics_that_were_measured_one_by_one(tmp_path):
    names = "rates, bump, oscillation, convergence, memory"
    (tmp_path / "sweep.yml").write_text(SWEEP.replace("MEASURE", names))
    out = str(tmp_path / "out")
    assert main(["run", str(tmp_path / "sweep.yml"), "--out", out, "--quiet", "--no-report"]) == 0
    assert "regime" not in open_table(out).columns
    assert len(set(regimes(open_table(out).relabel())[0])) > 1
    assert main(["relabel", out]) == 0
    assert "regime" in open_table(out).columns


def test_points_over_their_initial_conditions(finished):
    found = open_table(finished).regimes()
    assert len(found) == 6
    assert found["initial_conditions"].tolist() == [4] * 6
    assert sorted(row for rows in found["row"] for row in rows) == list(range(24))
    assert found["regime"].tolist() == ["quiescent", "homogeneous"] * 2 + ["quiescent", "spontaneous bump"]
    assert found["states"].tolist()[:5] == [1] * 5
    assert found["memory.error"].to_numpy()[-1] < 1.0


def test_the_report_shows_regimes_of_runs_and_of_points(finished, tmp_path):
    table = open_table(finished)
    data = view(table)
    found = table.regimes()
    for label, rows in zip(found["regime"], found["row"], strict=True):
        assert set(data.frame["regime.point"].iloc[rows]) == {label}
    text = summary(table)
    assert text.startswith("regimes of 6 points: ")
    for label, count in found["regime"].value_counts().items():
        assert f"{count} {label}" in text
    report = build_report(finished, tmp_path / "report")
    assert next(iter(report.figures)) == "phase_regime.point"
    assert "phase_regime" in report.figures
    assert "phase_regime_by_initial_condition" in report.figures
    plan = make_plan(data, None, None, None, None, (None, None), None, None, None, whole=True)
    assert set(plan.scale.names) == set(found["regime"])
    assert "most frequent" not in subtitle(plan)


CHAOS = """
network:
  dt: 0.001
  duration: 1.0
  populations: {I: {size: 120, tau: 0.01, tau_syn: 0.0}}
  connectivity: {kind: sparse, K: 30}
  J: {II: -1.0}
  J0: {I: 1.0}
space: {J.II: [-1.0, -10.0]}
repeat: {initial_conditions: [hot]}
measure: [regime, lyapunov]
dynamics: {lyapunov: {transient: 0.0, duration: 2.5, blocks: 5}}
window: 0.6
compute: {backend: inline, executor: reference}
"""


def test_the_label_of_the_run_knows_the_exponents_that_its_row_holds(tmp_path):
    (tmp_path / "sweep.yml").write_text(CHAOS)
    out = str(tmp_path / "out")
    assert main(["run", str(tmp_path / "sweep.yml"), "--out", out, "--quiet", "--no-report"]) == 0
    table = open_table(out)
    found, sure = regimes(table)
    assert found == ["heterogeneous", "chaotic"]
    again, as_sure = regimes(table.relabel())
    assert again == found
    np.testing.assert_array_equal(as_sure, sure)
    exponent = table.to_pandas()["lyapunov.1"][1]
    assert regimes(table.relabel(lyapunov=2 * exponent))[0][1] != "chaotic"
    names = list(table.columns)
    assert names.index("lyapunov.1.se") < names.index("regime")
