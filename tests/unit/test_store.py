"""A sweep's directory: creation, fragments, asks, records."""

from __future__ import annotations

import doctest
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from neuroflame.columns import Column
from neuroflame.errors import StoreError
from neuroflame.store import SweepStore, _sweep, open_table

COLUMNS = (
    Column("point_id", "str"),
    Column("point_index", "int"),
    Column("point.J.EE", "float", "1", "Coupling from E to E."),
    Column("status", "str"),
    Column("rate.E.mean", "float", "Hz", "Mean over neurons and the final window."),
    Column("bump.E.held", "bool"),
    Column("trace.E.rate", "series", "Hz"),
)


def rows(points, **replaced):
    """Rows of some points, given by their indices."""
    indices = np.asarray(points, dtype=np.int64)
    data = {
        "point_id": [f"{index:016x}" for index in indices],
        "point_index": indices,
        "point.J.EE": 5.0 + 0.5 * indices,
        "status": ["ok"] * len(indices),
        "rate.E.mean": np.sqrt(indices),
        "bump.E.held": indices % 2 == 0,
        "trace.E.rate": np.outer(indices, np.ones(3)),
    }
    return data | replaced


@pytest.fixture
def store(tmp_path):
    return SweepStore.create(tmp_path / "sweep", {"name": "ring"})


def visible(store, folder="parts"):
    return sorted(path.name for path in (Path(store.uri) / folder).iterdir())


# --- the manifest


def test_create_writes_the_manifest_and_open_reads_it(tmp_path):
    manifest = {
        "spec": {"J": {"EE": 1.5}},
        "units": ("Hz", "s"),
        "values": np.arange(3),
        "file": Path("a/b.yml"),
    }
    store = SweepStore.create(tmp_path / "deep" / "er", manifest)
    again = SweepStore.open(str(tmp_path / "deep" / "er"))
    assert dict(again.manifest) == dict(store.manifest)
    assert again.manifest["spec"] == {"J": {"EE": 1.5}}
    assert again.manifest["values"] == [0, 1, 2]
    assert again.manifest["format"] == 2
    assert again.manifest["created"].startswith("20")
    assert again.uri == str(tmp_path / "deep" / "er")


def test_the_manifest_cannot_be_changed(store):
    with pytest.raises(TypeError):
        store.manifest["name"] = "other"


def test_create_refuses_a_directory_that_holds_a_sweep_and_says_how_to_resume(store):
    with pytest.raises(StoreError, match=r"already holds a sweep.*neuroflame-sweep resume") as caught:
        SweepStore.create(store.uri, {"name": "other"})
    assert "\n" not in str(caught.value)
    assert SweepStore.open(store.uri).manifest["name"] == "ring"


def test_create_leaves_other_files_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    SweepStore.create(tmp_path, {})
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_create_refuses_results_without_a_manifest(store):
    store.write_fragment("a", COLUMNS, rows([0]))
    (Path(store.uri) / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"holds results but no manifest\.json"):
        SweepStore.create(store.uri, {})


def test_create_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(StoreError, match="plain data"):
        SweepStore.create(tmp_path / "sweep", {"net": object()})
    assert not (tmp_path / "sweep").exists()


def test_create_where_a_file_is_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="must be a directory"):
            SweepStore.create(path, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no sweep"),
        ("{", "is damaged"),
        ("[]", "is not that of a sweep"),
        ("{}", "is not that of a sweep"),
        ('{"format": 99}', "has format 99.*upgrade"),
    ],
)
def test_open_tells_what_is_wrong_on_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    for opener in (SweepStore.open, open_table):
        with pytest.raises(StoreError, match=message) as caught:
            opener(tmp_path)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_open_of_a_missing_directory(tmp_path):
    with pytest.raises(StoreError, match="holds no sweep"):
        SweepStore.open(tmp_path / "nowhere")


# --- where it is


def test_uris(tmp_path, monkeypatch):
    SweepStore.create(f"file://{tmp_path}/with%20space", {})
    assert (tmp_path / "with space" / "manifest.json").is_file()
    monkeypatch.chdir(tmp_path)
    store = SweepStore.create("relative", {})
    assert store.uri == str(tmp_path / "relative")  # another process may have another working directory
    for uri in ("file://host/x", "gopher://x/y", ""):
        with pytest.raises(StoreError):
            SweepStore.open(uri)


def test_credentials_stay_out_of_messages():
    with pytest.raises(StoreError) as caught:
        SweepStore.open("gopher://user:secret@host/x?token=secret")
    assert "secret" not in str(caught.value)
    assert "gopher://host/x" in str(caught.value)


def test_a_store_can_be_pickled_and_moved(store, tmp_path):
    store.write_fragment("a", COLUMNS, rows([0, 1]))
    copy = pickle.loads(pickle.dumps(store))
    assert copy.finished() == store.finished()
    os.rename(store.uri, tmp_path / "moved")
    moved = SweepStore.open(tmp_path / "moved")
    assert moved.finished() == {"a": [f"{0:016x}", f"{1:016x}"]}
    assert moved.write_fragment("b", COLUMNS, rows([2])) is True


def test_empty_folders_may_have_got_lost(store):
    for folder in ("parts", "asks", "records", "quarantine", "tmp"):
        (Path(store.uri) / folder).rmdir()
    store = SweepStore.open(store.uri)
    assert store.finished() == {}
    assert store.read_asks() == {}
    assert store.read_records() == []
    assert store.write_fragment("a", COLUMNS, rows([0]))


def test_a_sweep_removed_while_it_runs_is_not_made_anew(store, tmp_path):
    os.rename(store.uri, tmp_path / "away")
    with pytest.raises(StoreError, match="is gone"):
        store.write_fragment("a", COLUMNS, rows([0]))
    assert not Path(store.uri).exists()


# --- fragments


def test_a_fragment_is_written_once(store):
    assert store.write_fragment("a", COLUMNS, rows([3, 1]), {"device": "cpu"}) is True
    assert store.write_fragment("a", COLUMNS, rows([3, 1]), {"device": "cuda"}) is False
    assert store.finished() == {"a": [f"{3:016x}", f"{1:016x}"]}
    assert store.finished(verify=False) == store.finished()
    assert store.table().metadata == {"a": {"device": "cpu"}}
    assert visible(store) == ["a.parquet"]
    assert visible(store, "tmp") == []


def test_a_fragment_is_plain_parquet_that_carries_units(store):
    store.write_fragment("a", COLUMNS, rows([0, 1]), {"executor": "reference"})
    schema = pq.read_schema(Path(store.uri) / "parts" / "a.parquet")
    assert schema.field("rate.E.mean").metadata[b"unit"] == b"Hz"
    assert schema.metadata[b"executor"] == b"reference"
    assert schema.metadata[b"neuroflame.format"] == b"2"


def test_a_name_stands_for_one_set_of_points(store):
    store.write_fragment("a", COLUMNS, rows([0, 1]))
    with pytest.raises(StoreError, match="holds other points"):
        store.write_fragment("a", COLUMNS, rows([0, 2]))
    assert store.finished() == {"a": [f"{0:016x}", f"{1:016x}"]}


@pytest.mark.parametrize("name", ["", "../a", ".a", "a/b", "a b", None, "a" * 300])
def test_names_are_plain(store, name):
    with pytest.raises(StoreError, match="name must be"):
        store.write_fragment(name, COLUMNS, rows([0]))


@pytest.mark.parametrize(
    ("columns", "data", "message"),
    [
        (COLUMNS[1:], rows([0]), "must have a point_id"),
        (COLUMNS, {"point_id": ["a"]}, "lacks a column.*point_index"),
        (COLUMNS[:1], rows([0]), "not declared.*point_index"),
        ((*COLUMNS, COLUMNS[1]), rows([0]), "declared twice.*point_index"),
        (COLUMNS, rows([0, 1], status=["ok"]), "point_id has 2, status has 1"),
        (COLUMNS, rows([0, 1], point_id=["a", "a"]), "differ from row to row"),
        (COLUMNS, rows([0, 1], point_id=["a", None]), "must be present"),
        (COLUMNS, rows([0], point_index=[0.5]), "point_index must hold one int a point"),
        (COLUMNS, rows([0], point_index=[2**70]), "point_index must hold one int a point"),
        (COLUMNS, {**rows([0]), "rate.E.mean": ["fast"]}, "rate.E.mean must hold one float"),
        (COLUMNS, {**rows([0]), "rate.E.mean": np.zeros((1, 2))}, "rate.E.mean must hold one float"),
        (COLUMNS, {**rows([0]), "rate.E.mean": 1.0}, "rate.E.mean must hold one float"),
        (COLUMNS, {**rows([0]), "trace.E.rate": [["x"]]}, "trace.E.rate must hold one series"),
        ((COLUMNS[0], Column("x", "complex")), {"point_id": ["a"], "x": [0]}, "must be one of float"),
    ],
)
def test_rows_that_do_not_fit_are_refused(store, columns, data, message):
    with pytest.raises(StoreError, match=message):
        store.write_fragment("a", columns, data)
    assert visible(store) == []


@pytest.mark.parametrize("metadata", [{"a": 1}, {"neuroflame.digest": "0" * 64}, {"ARROW:schema": ""}])
def test_metadata_that_does_not_fit_is_refused(store, metadata):
    with pytest.raises(StoreError, match="metadata"):
        store.write_fragment("a", COLUMNS, rows([0]), metadata)


def test_what_arrays_may_look_like(store):
    columns = [Column("point_id", "str"), Column("x", "float"), Column("s", "series"), Column("n", "int")]
    data = {
        "point_id": np.array(["a", "b", "c"]),
        "x": np.array([1, 2, 3], dtype=np.int32),
        "s": [[1, 2], None, np.zeros(0)],
        "n": (1, None, 3),
    }
    assert store.write_fragment("t", columns, data)
    read = store.table().to_arrow().to_pydict()
    assert read["x"] == [1.0, 2.0, 3.0]
    assert read["s"] == [[1.0, 2.0], None, []]
    assert read["n"] == [1, None, 3]


def test_a_tile_without_points(store):
    assert store.write_fragment("a", COLUMNS, rows([]))
    assert store.finished() == {"a": []}
    assert len(store.table().to_pandas()) == 0


# --- asks and records


def test_asks_come_back_as_written(store):
    columns = [Column("point_id", "str"), Column("point.J.EE", "float")]
    assert store.write_ask("batch-1", columns, {"point_id": ["a", "b"], "point.J.EE": [1.0, 2.5]}) is True
    assert store.write_ask("batch-0", columns, {"point_id": ["c"], "point.J.EE": np.array([0.1])}) is True
    assert store.write_ask("batch-0", columns, {"point_id": ["c"], "point.J.EE": np.array([0.1])}) is False
    assert list(store.read_asks().items()) == [
        ("batch-0", {"point_id": ["c"], "point.J.EE": [0.1]}),
        ("batch-1", {"point_id": ["a", "b"], "point.J.EE": [1.0, 2.5]}),
    ]
    assert store.read_ask("batch-0") == {"point_id": ["c"], "point.J.EE": [0.1]}
    assert store.read_ask("batch-2") is None
    with pytest.raises(StoreError, match="name must be"):
        store.read_ask("../parts/a")
    assert store.finished() == {}


def test_records_are_kept_in_order(store):
    for number in range(5):
        store.append_record("run", {"number": number, "versions": {"numpy": np.float32(2.5)}})
    store.append_record("warning", {"event": "something"})
    assert [record["number"] for record in store.read_records("run")] == [0, 1, 2, 3, 4]
    assert store.read_records("run")[0]["versions"] == {"numpy": 2.5}
    assert len(store.read_records()) == 6
    assert store.read_records("ru") == []
    assert store.read_records("run")[0]["kind"] == "run"
    with pytest.raises(StoreError, match="kind must be"):
        store.append_record("../x", {})


def test_a_damaged_record_is_left_out(store):
    name = store.append_record("run", {"number": 1})
    (Path(store.uri) / "records" / f"{name}.json").write_text('{"num')
    store.append_record("run", {"number": 2})
    with pytest.warns(UserWarning, match="left out the record"):
        assert [record["number"] for record in store.read_records("run")] == [2]


# --- the room


def test_importing_the_store_is_quick_and_drags_nothing_along():
    heavy = ("pyarrow", "pandas", "torch", "ray")
    code = f"import neuroflame.store, sys; print([name for name in {heavy} if name in sys.modules])"
    root = Path(_sweep.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "[]\n"


def test_the_example_in_the_documentation_runs():
    assert doctest.testmod(_sweep).failed == 0
