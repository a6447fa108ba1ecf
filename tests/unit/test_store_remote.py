"""The store behind pyarrow filesystems."""

from __future__ import annotations

import uuid

import pytest
from pyarrow import fs

from neuroflame.errors import StoreError
from neuroflame.store import StoreWarning, SweepStore, open_table
from tests.unit.test_store import COLUMNS, rows


def memory():
    """An object store: a file appears when it is closed, there are no renames of note."""
    fsspec = pytest.importorskip("fsspec")
    return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem("memory")))


@pytest.fixture(params=["subtree", "mock", "objects"])
def place(request, tmp_path):
    """Keyword arguments that lead to a fresh directory on each kind of filesystem."""
    if request.param == "subtree":
        return {"uri": "deep/sweep", "filesystem": fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())}
    if request.param == "mock":
        return {"uri": "bucket/sweep", "filesystem": fs.FileSystem.from_uri("mock:///")[0]}
    return {"uri": f"{uuid.uuid4().hex}/sweep", "filesystem": memory()}


def create(place, **manifest):
    return SweepStore.create(place["uri"], manifest, filesystem=place["filesystem"])


def test_the_whole_life_of_a_sweep(place):
    with pytest.raises(StoreError, match="holds no sweep"):
        SweepStore.open(**place)
    create(place, name="ring")
    with pytest.raises(StoreError, match="already holds a sweep"):
        create(place, name="other")
    store = SweepStore.open(**place)
    assert store.manifest["name"] == "ring"
    assert store.finished() == {}
    assert store.write_fragment("b", COLUMNS, rows([2, 0]), {"device": "cpu"}) is True
    assert store.write_fragment("a", COLUMNS, rows([3, 1]), {"device": "cpu"}) is True
    assert store.write_fragment("a", COLUMNS, rows([3, 1]), {"device": "cpu"}) is False
    assert store.write_ask("q", COLUMNS[:1], {"point_id": ["x"]}) is True
    store.append_record("run", {"number": 1})
    assert store.finished() == {
        "a": [f"{index:016x}" for index in (3, 1)],
        "b": [f"{index:016x}" for index in (2, 0)],
    }
    assert store.finished(verify=False) == store.finished()
    assert store.read_asks() == {"q": {"point_id": ["x"]}}
    assert store.read_records("run")[0]["number"] == 1
    table = open_table(**place)
    assert table.to_pandas()["point_index"].tolist() == [0, 1, 2, 3]
    assert table.columns["rate.E.mean"].unit == "Hz"
    assert table.dataset().count_rows() == 4


def test_damage_is_put_aside(place):
    store = create(place)
    store.write_fragment("a", COLUMNS, rows([0]))
    path = f"{place['uri']}/parts/a.parquet"
    blob = place["filesystem"].open_input_stream(path).read()
    with place["filesystem"].open_output_stream(path) as stream:
        stream.write(blob[:-9])
    with pytest.warns(StoreWarning, match="moved"):
        assert store.finished() == {}
    assert len(store.read_records("warning")) == 1
    assert store.write_fragment("a", COLUMNS, rows([0])) is True
    assert list(store.finished()) == ["a"]


def test_an_object_store_never_sees_a_temporary_file():
    filesystem = memory()
    root = uuid.uuid4().hex
    store = SweepStore.create(root, {}, filesystem=filesystem)
    store.write_fragment("a", COLUMNS, rows([0]))
    found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
    files = [info.path for info in found if info.type == fs.FileType.File]
    assert sorted(path.strip("/").removeprefix(f"{root}/") for path in files) == [
        "manifest.json",
        "parts/a.parquet",
    ]


def test_the_creator_that_comes_last_by_a_hair_gives_way(monkeypatch):
    filesystem = memory()
    root = uuid.uuid4().hex
    from neuroflame.store._remote import ArrowFiles

    put = ArrowFiles.put_new

    def overtaken(self, name, data):
        done = put(self, name, data)
        self._write(self._at(name), data.replace(b"mine", b"theirs"))
        return done

    monkeypatch.setattr(ArrowFiles, "put_new", overtaken)
    with pytest.raises(StoreError, match="already holds a sweep"):
        SweepStore.create(root, {"name": "mine"}, filesystem=filesystem)
    assert SweepStore.open(root, filesystem=filesystem).manifest["name"] == "theirs"
