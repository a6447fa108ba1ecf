"""The table for other programs, read back with them."""

import json
import sqlite3

import numpy as np
import pandas as pd
import pytest

from neuroflame.cli import main
from neuroflame.errors import NeuroflameError, StoreError
from neuroflame.store import open_table
from neuroflame.sweep.export import export
from neuroflame.sweep.running import run_sweep
from tests.unit.test_sweep_controller import CHEAP
from tests.unit.test_sweep_spec import sweep

GRID = {"space": {"J.EE": [1, 2, 100], "J0.E": [3, 4]}, "repeat": {"graphs": 2, "seeds": [7, 9]}}
"""J.EE of 100 fails in the stand-in for the simulator."""


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "out"
    run_sweep(sweep(**GRID, name="ring"), path, backend="inline", measure=CHEAP)
    return str(path)


@pytest.fixture(scope="module")
def frame(out):
    return open_table(out).to_pandas()


def test_csv_and_its_columns(out, frame, tmp_path):
    path, beside = export(out, "csv", str(tmp_path / "t.csv"))
    read = pd.read_csv(path, dtype={"point_id": str})
    assert list(read) == list(frame)
    np.testing.assert_array_equal(read["rate.E.mean"], frame["rate.E.mean"])
    assert read["point_id"].tolist() == frame["point_id"].tolist()
    about = pd.read_csv(beside, index_col="name", keep_default_na=False)
    assert about["unit"].to_dict() == frame.attrs["units"]
    assert about.loc["rate.E.mean", "kind"] == "float"


def test_parquet_holds_units_provenance_and_the_manifest(out, frame, tmp_path):
    import pyarrow.parquet as pq

    (path,) = export(out, "parquet", str(tmp_path / "t.parquet"))
    read = pq.read_table(path)
    assert read.schema.field("rate.E.mean").metadata[b"unit"] == b"Hz"
    assert json.loads(read.schema.metadata[b"neuroflame.manifest"])["name"] == "ring"
    pd.testing.assert_frame_equal(read.select(list(frame)).to_pandas(), frame)
    assert set(read["provenance.executor"].to_pylist()) == {"pretend"}


@pytest.mark.parametrize("to", ["netcdf", "zarr"])
def test_the_grid(to, out, frame, tmp_path):
    import xarray as xr

    pytest.importorskip({"netcdf": "h5netcdf", "zarr": "zarr"}[to])
    (path,) = export(out, to, str(tmp_path / f"t.{to}"))
    with xr.open_dataset(path, engine={"netcdf": "h5netcdf", "zarr": "zarr"}[to]) as read:
        rate = read["rate.E.mean"]
        assert rate.dims == ("J.EE", "J0.E", "graph", "seed", "initial_condition")
        assert rate.shape == (3, 2, 2, 2, 1)
        assert rate.attrs["units"] == "Hz"
        assert read["seed"].values.tolist() == [7, 9]
        assert json.loads(read.attrs["neuroflame_manifest"])["name"] == "ring"
        for row in frame.itertuples(index=False):
            point = dict(zip(frame.columns, row, strict=True))
            chosen = {"J.EE": point["point.J.EE"], "J0.E": point["point.J0.E"]}
            cell = read.sel({**chosen, "graph": point["graph"], "seed": point["seed"]}).squeeze()
            assert cell["status"].item() == point["status"]
            assert cell["point_id"].item() == point["point_id"]
            np.testing.assert_equal(cell["rate.E.mean"].item(), point["rate.E.mean"])


@pytest.mark.parametrize("ending", ["db", "journal"])
def test_a_study_of_optuna(ending, out, frame, tmp_path):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    (path,) = export(out, "optuna", str(tmp_path / f"s.{ending}"), by="bump.E.m1")
    storage = f"sqlite:///{path}" if ending == "db" else JournalStorage(JournalFileBackend(str(path)))
    study = optuna.load_study(study_name="ring", storage=storage)
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study.user_attrs == {"objective": "bump.E.m1", "unit": "Hz"}
    assert len(study.trials) == len(frame)
    for trial, row in zip(study.trials, frame.to_dict("records"), strict=True):
        assert trial.params == {"J.EE": row["point.J.EE"], "J0.E": row["point.J0.E"]}
        told = ("point_id", "graph", "seed", "initial_condition", "status")
        assert trial.user_attrs == {name: row[name] for name in told}
        if row["status"] == "failed":
            assert trial.state == TrialState.FAIL
        else:
            assert trial.value == row["bump.E.m1"]
    assert study.trials[0].distributions["J.EE"] == optuna.distributions.FloatDistribution(1, 100)
    good = frame[frame["status"] == "ok"]
    assert study.best_value == good["bump.E.m1"].max()
    if ending == "db":
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_objective_of_a_search_is_the_study_s(tmp_path):
    import optuna

    spec = sweep(
        space={"J.EE": {"low": 1, "high": 9, "log": True}, "populations.I.size": {"low": 10, "high": 12}},
        search={"kind": "tpe", "trials": 6, "batch": 3, "startup": 3, "minimise": "bump.E.m1"},
    )
    run_sweep(spec, tmp_path / "out", backend="inline", measure=CHEAP)
    (path,) = export(str(tmp_path / "out"), "optuna")
    assert path.parent == tmp_path / "out" / "export"
    (study,) = optuna.get_all_study_summaries(storage=f"sqlite:///{path}")
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    found = optuna.load_study(study_name=None, storage=f"sqlite:///{path}").trials[0].distributions
    assert found["J.EE"] == optuna.distributions.FloatDistribution(1, 9, log=True)
    assert found["populations.I.size"] == optuna.distributions.IntDistribution(10, 12)
    with pytest.raises(StoreError, match=r"do not fill a grid.*csv or parquet"):
        export(str(tmp_path / "out"), "netcdf")


@pytest.mark.parametrize("to", ["csv", "parquet", "netcdf", "zarr", "optuna"])
def test_nothing_is_replaced_unless_forced(to, out, tmp_path, capsys):
    arguments = ["export", out, "--to", to, "-o", str(tmp_path / "x.y"), "--by", "rate.E.mean"]
    assert main(arguments) == 0
    before = sorted(path.name for path in tmp_path.iterdir())
    assert before == (["x.columns.csv", "x.y"] if to == "csv" else ["x.y"])
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("to", ["csv", "zarr"])
def test_a_failure_leaves_what_was_there(to, out, tmp_path, monkeypatch):
    from neuroflame.store import _export

    export(out, to, str(tmp_path / "x"))
    before = {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")}

    def fail(table, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(_export.FILES, to, (".x", fail))
    with pytest.raises(StoreError, match="disk is full"):
        export(out, to, str(tmp_path / "x"), force=True)
    assert {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_study_must_know_what_counts(out, tmp_path):
    with pytest.raises(NeuroflameError, match="--by COLUMN"):
        export(out, "optuna", str(tmp_path / "s.db"))
    with pytest.raises(NeuroflameError, match="not a numeric column"):
        export(out, "optuna", str(tmp_path / "s.db"), by="status")


def test_a_missing_package_is_named(out, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5netcdf", None)
    with pytest.raises(NeuroflameError, match=r"neuroflame\[export\]"):
        export(out, "netcdf", str(tmp_path / "x.nc"))
