"""The table as its readers see it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest

from neuroflame.columns import Column
from neuroflame.errors import StoreError
from neuroflame.store import SweepStore, open_table
from tests.unit.test_store import COLUMNS, rows


@pytest.fixture
def store(tmp_path):
    return SweepStore.create(tmp_path / "sweep", {"name": "ring"})


@pytest.fixture
def table(store):
    store.write_fragment("b", COLUMNS, rows([2, 0]), {"device": "cpu", "host": "one"})
    store.write_fragment("a", COLUMNS, rows([3, 1]), {"device": "cpu", "host": "two"})
    return open_table(store.uri)


def test_rows_come_in_the_order_of_the_points(table):
    assert len(table) == 4
    assert table.to_pandas()["point_index"].tolist() == [0, 1, 2, 3]
    assert table.to_arrow(["point_index"]).to_pydict() == {"point_index": [0, 1, 2, 3]}


def test_without_an_index_rows_come_in_the_order_of_their_identity(store):
    for tile, ids in {"x": ["d", "b"], "y": ["a", "c"]}.items():
        store.write_fragment(tile, COLUMNS[:1], {"point_id": ids})
    assert open_table(store.uri).to_pandas()["point_id"].tolist() == ["a", "b", "c", "d"]


def test_values_types_and_units_survive(table):
    assert table.columns == {column.name: column for column in COLUMNS}
    assert table.columns["rate.E.mean"].unit == "Hz"
    frame = table.to_pandas()
    assert list(frame.columns) == [column.name for column in COLUMNS]
    assert frame["rate.E.mean"].to_numpy() == pytest.approx(np.sqrt(np.arange(4)), abs=0)
    assert frame["bump.E.held"].dtype == bool
    assert frame["point_index"].dtype == np.int64
    assert frame["trace.E.rate"][2].tolist() == [2.0, 2.0, 2.0]
    assert frame["trace.E.rate"][2].dtype == np.float32
    assert frame.attrs["units"]["rate.E.mean"] == "Hz"
    assert frame.attrs["units"]["status"] == ""


def test_arrow_carries_units_and_what_all_fragments_tell_alike(table):
    schema = table.to_arrow().schema
    assert schema.field("rate.E.mean").metadata[b"unit"] == b"Hz"
    assert schema.field("rate.E.mean").metadata[b"doc"] == b"Mean over neurons and the final window."
    assert schema.metadata == {b"device": b"cpu"}
    assert table.metadata["a"] == {"device": "cpu", "host": "two"}


def test_a_name_that_begins_another_is_that_column_alone(store):
    columns = [Column("point_id", "str"), Column("bump.E.m1", "float"), Column("bump.E.m1.before", "float")]
    store.write_fragment("a", columns, {"point_id": ["a"], "bump.E.m1": [1.0], "bump.E.m1.before": [2.0]})
    assert store.table().to_arrow(["bump.E.m1"]).to_pydict() == {"bump.E.m1": [1.0]}
    assert store.table().dataset().to_table(columns=["bump.E.m1"]).to_pydict() == {"bump.E.m1": [1.0]}


def test_nan_is_a_value_and_none_is_missing(store):
    columns = [Column("point_id", "str"), Column("x", "float")]
    store.write_fragment("a", columns, {"point_id": ["a", "b", "c"], "x": [np.nan, None, np.inf]})
    arrow = store.table().to_arrow()["x"]
    assert arrow.null_count == 1
    assert np.isnan(arrow[0].as_py())
    assert store.table().to_pandas()["x"].isna().tolist() == [True, True, False]


def test_fragments_with_different_columns_are_united(store):
    ident = Column("point_id", "str")
    first = [ident, Column("n", "int"), Column("flag", "bool"), Column("x", "int", "Hz")]
    second = [ident, Column("x", "float", "Hz"), Column("name", "str"), Column("s", "series")]
    store.write_fragment("a", first, {"point_id": ["a"], "n": [2**60 + 1], "flag": [True], "x": [1]})
    store.write_fragment("b", second, {"point_id": ["b"], "x": [1.5], "name": ["cold"], "s": [[1.0]]})
    table = open_table(store.uri)
    assert list(table.columns) == ["point_id", "n", "flag", "x", "name", "s"]
    assert table.columns["x"] == Column("x", "float", "Hz")
    frame = table.to_pandas()
    assert frame["x"].tolist() == [1.0, 1.5]
    assert frame["n"][0] == 2**60 + 1
    assert frame["n"].dtype == pd.Int64Dtype()
    assert frame["flag"].isna().tolist() == [False, True]
    assert frame["name"].isna().tolist() == [True, False]
    assert table.dataset().to_table().sort_by("point_id")["x"].to_pylist() == [1.0, 1.5]


def test_fragments_that_contradict_each_other_are_refused(store):
    for tile, kind, value in (("a", "str", "x"), ("b", "float", 1.0)):
        store.write_fragment(tile, [COLUMNS[0], Column("x", kind)], {"point_id": [tile], "x": [value]})
    with pytest.raises(StoreError, match=r"column x is str .* float in parts/b\.parquet"):
        open_table(store.uri)


def test_no_point_is_shown_twice(store):
    store.write_fragment("b", COLUMNS, rows([0, 1, 2]))
    store.write_fragment("a", COLUMNS, rows([1, 3]))
    table = open_table(store.uri)
    assert len(table) == 4
    assert table.to_pandas()["point_index"].tolist() == [0, 1, 2, 3]
    assert sorted(table.dataset().to_table()["point_index"].to_pylist()) == [0, 1, 2, 3]
    assert store.finished() == {
        "a": [f"{index:016x}" for index in (1, 3)],
        "b": [f"{index:016x}" for index in (0, 1, 2)],
    }


def test_of_rows_alike_the_later_attempt_is_shown(store):
    """Not the one that was written last, and never a failure instead of a result."""
    for name, attempt, status in [("c", "2", "failed"), ("a", "10", "failed"), ("b", "0", "failed")]:
        values = rows([0, 1], status=[status] * 2)
        values["rate.E.mean"] = [float(attempt)] * 2
        store.write_fragment(name, COLUMNS, values, {"attempt": attempt})
    assert open_table(store.uri).to_pandas()["rate.E.mean"].tolist() == [10.0, 10.0]
    assert open_table(store.uri).attempt == 10
    values = rows([1])
    values["rate.E.mean"] = [0.5]
    store.write_fragment("d", COLUMNS, values, {})
    assert open_table(store.uri).to_pandas()["rate.E.mean"].tolist() == [10.0, 0.5]


def test_a_failed_row_gives_way_to_one_that_is_not(store):
    store.write_fragment("a", COLUMNS, rows([0, 1], status=["failed", "failed"]))
    store.write_fragment("b", COLUMNS, rows([0]))
    assert open_table(store.uri).to_pandas()["status"].tolist() == ["ok", "failed"]


def test_a_table_shows_what_was_finished_when_it_was_opened(store, table):
    store.write_fragment("c", COLUMNS, rows([9]))
    assert len(table.to_pandas()) == len(table) == 4
    assert len(open_table(store.uri).to_pandas()) == 5


def test_a_sweep_without_points(store):
    table = open_table(store.uri)
    assert len(table) == 0
    assert table.columns == {}
    assert table.to_pandas().empty
    assert table.to_arrow().num_rows == 0
    assert table.dataset().count_rows() == 0
    assert table.metadata == {}


def test_the_dataset_is_lazy_and_filters(table):
    dataset = table.dataset()
    assert isinstance(dataset, ds.FileSystemDataset)
    found = dataset.to_table(columns=["point_index"], filter=ds.field("point.J.EE") > 6)
    assert found["point_index"].to_pylist() == [3]


def test_manifest_uri_and_looks(table, store):
    assert table.manifest["name"] == "ring"
    assert table.uri == store.uri
    assert "4 points, 7 columns" in repr(table)
    assert repr(store) == f"SweepStore({store.uri!r})"
    assert len(pickle.loads(pickle.dumps(table)).to_pandas()) == 4


def test_an_unknown_column_names_the_nearest(table):
    with pytest.raises(StoreError, match=r"rate\.E\.men.*did you mean rate\.E\.mean"):
        table.to_pandas(["rate.E.men"])


def test_a_fragment_that_vanishes_between_opening_and_reading(table, store):
    (Path(store.uri) / "parts" / "a.parquet").unlink()
    with pytest.raises(StoreError, match="open it again"):
        table.to_pandas()


# --- best


def test_best(store):
    columns = [Column("point_id", "str"), Column("status", "str"), Column("x", "float"), Column("n", "int")]
    data = {
        "point_id": list("abcdef"),
        "status": ["ok", "ok", "diverged", "ok", "ok", "ok"],
        "x": [1.0, 3.0, 9.0, np.nan, None, 2.0],
        "n": [1, 2, 3, 4, 5, None],
    }
    store.write_fragment("t", columns, data)
    table = open_table(store.uri)
    assert table.best("x")["point_id"].tolist() == ["b", "f", "a"]
    assert table.best("x", maximise=False, n=2)["point_id"].tolist() == ["a", "f"]
    assert table.best("n", n=1)["point_id"].tolist() == ["e"]
    assert table.best("x", n=0).empty
    with pytest.raises(StoreError, match="must be a number"):
        table.best("status")


# --- grids

AXES = (
    Column("point_id", "str"),
    Column("point.J.EE", "float", "1", "Coupling."),
    Column("seed", "int"),
    Column("initial_condition", "str"),
    Column("rate", "float", "Hz", "Rate."),
    Column("count", "int"),
    Column("regime", "str"),
    Column("trace", "series", "Hz"),
)


def grid(store, leave_out=(), ragged=False):
    points = [(j, s, c) for j in (5.0, 7.5, 10.0) for s in (0, 1) for c in ("hot", "cold")]
    chosen = [(number, point) for number, point in enumerate(points) if number not in leave_out]
    numbers = [number for number, _ in chosen]
    data = {
        "point_id": [f"{number:016x}" for number in numbers],
        "point.J.EE": [j for _, (j, _, _) in chosen],
        "seed": [s for _, (_, s, _) in chosen],
        "initial_condition": [c for _, (_, _, c) in chosen],
        "rate": np.array(numbers) * 1.5,
        "count": numbers,
        "regime": ["bump" if number > 5 else "quiet" for number in numbers],
        "trace": [np.full(2 + (ragged and number == 3), number) for number in numbers],
    }
    store.write_fragment("t", AXES, data)
    return open_table(store.uri)


def test_a_full_grid_becomes_labelled_arrays(store):
    found = grid(store).to_xarray()
    assert dict(found.sizes) == {"J.EE": 3, "seed": 2, "initial_condition": 2, "sample": 2}
    assert found["rate"].dims == ("J.EE", "seed", "initial_condition")
    assert found["rate"].sel({"J.EE": 7.5, "seed": 1, "initial_condition": "cold"}).item() == 7 * 1.5
    assert found["rate"].attrs == {"units": "Hz", "long_name": "Rate."}
    assert found["J.EE"].attrs == {"units": "1", "long_name": "Coupling."}
    assert found["initial_condition"].values.tolist() == ["hot", "cold"]
    assert found["count"].dtype == np.int64
    assert found["regime"].values[2, 1, 1] == "bump"
    assert found["trace"].values[1, 1, 1].tolist() == [7.0, 7.0]


def test_chosen_variables_only(store):
    assert list(grid(store).to_xarray(["rate"]).data_vars) == ["rate"]


def test_a_grid_with_holes_must_be_asked_for(store):
    table = grid(store, leave_out={0, 7})
    with pytest.raises(StoreError, match=r"do not fill a grid: 10 points in J\.EE \(3\) x seed \(2\)"):
        table.to_xarray()
    found = table.to_xarray(partial=True)
    hole = {"J.EE": 7.5, "seed": 1, "initial_condition": "cold"}
    assert np.isnan(found["rate"].sel(hole))
    assert np.isnan(found["count"].sel(hole))
    assert pd.isna(found["regime"].sel(hole).item())
    assert found["rate"].count() == 10


def test_ragged_series_are_left_out_unless_asked_for(store):
    table = grid(store, ragged=True)
    assert "trace" not in table.to_xarray()
    with pytest.raises(StoreError, match="as many samples"):
        table.to_xarray(["trace"])


def test_points_that_share_a_cell_or_sweep_nothing_are_no_grid(store, table):
    store.write_fragment("c", COLUMNS, rows([7], **{"point.J.EE": [5.0]}))
    with pytest.raises(StoreError, match="do not fill a grid"):
        open_table(store.uri).to_xarray(partial=True)


def test_without_axes_there_is_no_grid(store):
    store.write_fragment("a", COLUMNS[:1], {"point_id": ["a"]})
    with pytest.raises(StoreError, match="swept paths"):
        open_table(store.uri).to_xarray()
