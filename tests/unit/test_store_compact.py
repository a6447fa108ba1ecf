"""Compacted tables: kill -9, concurrent readers, damage; what readers may skip; tables of the format before."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from neuroflame.errors import StoreError
from neuroflame.store import StoreWarning, SweepStore, _compact, _fragment, _manifest, open_table
from tests.unit.test_store import COLUMNS, rows, visible
from tests.unit.test_store_safety import child

IDS = {f"t{number}": [f"{2 * number + i:016x}" for i in range(2)] for number in range(6)}


@pytest.fixture
def store(tmp_path):
    store = SweepStore.create(tmp_path / "sweep", {"name": "ring"})
    fill(store)
    return store


def fill(store):
    for number in range(6):
        about = {"device": "cpu", "seconds": f"{number}.5", "process": "7"}
        store.write_fragment(f"t{number}", COLUMNS, rows([2 * number, 2 * number + 1]), about)


KILLED = """
store = SweepStore.open(sys.argv[1])
where, after = sys.argv[2], int(sys.argv[3])
call, count = getattr(os, where), 0
def die(*arguments):
    global count
    count += 1
    if count > after:
        os.kill(os.getpid(), signal.SIGKILL)
    return call(*arguments)
setattr(os, where, die)
store.compact()
"""


@pytest.mark.parametrize(
    ("where", "after", "files"),
    # unlink: the temporary name goes first, then the fragments one by one
    [("write", 0, 6), ("fsync", 0, 6), ("link", 0, 6), ("unlink", 0, 7), ("unlink", 1, 7), ("unlink", 4, 4)],
)
def test_kill_9_while_compacting_changes_nothing_that_is_seen(store, where, after, files):
    before = open_table(store.uri).to_pandas(provenance=True)
    process = child(KILLED, store.uri, where, after)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == -9, complaint
    assert len(visible(store)) == files
    assert store.finished() == IDS
    assert open_table(store.uri).to_pandas(provenance=True).equals(before)
    assert open_table(store.uri).dataset().count_rows() == 12
    assert SweepStore.open(store.uri).compact().after == 1
    assert len(visible(store)) == 1
    assert store.finished() == IDS
    assert open_table(store.uri).to_pandas(provenance=True).equals(before)


def test_readers_see_every_row_at_every_moment(store):
    """Tables opened, and read later, while others write and compact over and over."""
    stop, faults = threading.Event(), []

    def read():
        known = 12
        try:
            while not stop.is_set():
                table = open_table(store.uri)
                found = table.to_arrow(["point_index"])["point_index"].to_pylist()
                assert found == list(range(len(found)))
                assert len(found) >= known, "rows have vanished"
                known = len(found)
                assert sum(map(len, SweepStore.open(store.uri).finished().values())) >= known
        except BaseException as fault:
            faults.append(fault)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(6, 30):
        store.write_fragment(f"t{number}", COLUMNS, rows([2 * number, 2 * number + 1]))
        store.compact(target=(2**27, 20_000)[number % 2])
    stop.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert len(open_table(store.uri)) == 60


def test_a_damaged_compacted_file_is_put_aside_and_its_tiles_are_computed_again(store):
    store.compact()
    (path,) = (Path(store.uri) / "parts").iterdir()
    blob = bytearray(path.read_bytes())
    blob[len(blob) // 3] ^= 1
    path.write_bytes(blob)
    with pytest.warns(StoreWarning, match="moved"):
        assert store.finished() == {}
    fill(store)
    assert store.finished() == IDS


def test_damage_that_compacting_meets_is_put_aside_and_nothing_removed_for_it(store):
    path = Path(store.uri) / "parts" / "t2.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(StoreWarning, match="moved"):
        store.compact()
    assert store.finished() == {tile: ids for tile, ids in IDS.items() if tile != "t2"}
    assert visible(store, "quarantine") != []


def test_what_cannot_be_read_back_replaces_nothing(store, monkeypatch):
    seal = _fragment.seal
    monkeypatch.setattr(_compact._fragment, "seal", lambda *given: seal(*given)[:-30] + bytes(30))
    with pytest.warns(StoreWarning, match="moved"):
        store.compact()
    assert store.finished() == IDS


def test_a_tile_may_not_take_the_name_of_a_compacted_file(store):
    with pytest.raises(StoreError, match="may not begin with packed-"):
        store.write_fragment("packed-1", COLUMNS, rows([0]))


def test_a_filter_and_a_choice_of_columns_skip_what_they_rule_out(store, monkeypatch):
    monkeypatch.setattr(_compact, "ROW_GROUP", 4)
    store.compact()
    data = open_table(store.uri).dataset()
    (file,) = data.get_fragments()
    wanted = ds.field("point.J.EE") > 9.0
    assert len(file.row_groups) == 3
    kept = [group.id for part in file.split_by_row_group(wanted) for group in part.row_groups]
    assert kept == [2]
    table = data.to_table(columns=["point_id", "rate.E.mean"], filter=wanted)
    assert table.column_names == ["point_id", "rate.E.mean"]
    assert len(table) == 3
    # Nothing else is read: with the other columns' and row groups' bytes gone it still works.
    (path,) = (Path(store.uri) / "parts").iterdir()
    about = pq.ParquetFile(path).metadata
    blob = bytearray(path.read_bytes())
    for group in range(3):
        for place in range(about.num_columns):
            chunk = about.row_group(group).column(place)
            name = chunk.path_in_schema
            if group != 2 or name not in ("point_id", "rate.E.mean", "point.J.EE"):
                first = chunk.dictionary_page_offset or chunk.data_page_offset
                blob[first : first + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(blob)
    assert data.to_table(columns=["point_id", "rate.E.mean"], filter=wanted) == table


def test_provenance_is_a_column_on_request(store):
    frame = open_table(store.uri).to_pandas(["point_index"], provenance=True)
    assert frame["provenance.tile"].tolist() == [f"t{number // 2}" for number in range(12)]
    assert frame["provenance.seconds"].tolist() == [number // 2 + 0.5 for number in range(12)]
    assert frame["provenance.process"].tolist() == [7] * 12
    assert frame.attrs["units"]["provenance.seconds"] == "s"
    assert not [name for name in open_table(store.uri).to_pandas() if name.startswith("provenance")]


@pytest.mark.parametrize("compacted", [False, True])
def test_a_row_by_its_point(store, compacted):
    if compacted:
        store.compact()
    row = open_table(store.uri).row(f"{5:016x}")
    assert (row["point_index"], row["provenance.tile"], row["status"]) == (5, "t2", "ok")
    with pytest.raises(StoreError, match="no such point"):
        open_table(store.uri).row("0")


# --- a table as the version before wrote it: format 1, which knew no compacted files and told less of a row


@pytest.fixture
def older(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        for module in (_fragment, _manifest):
            patch.setattr(module, "FORMAT", 1)
        patch.setattr("neuroflame.store._sweep.FORMAT", 1)
        store = SweepStore.create(tmp_path / "older", {"name": "ring"})
        fill(store)
    manifest = json.loads((tmp_path / "older" / "manifest.json").read_text())
    assert manifest["format"] == 1
    schema = pq.read_schema(tmp_path / "older" / "parts" / "t0.parquet")
    assert schema.metadata[b"neuroflame.format"] == b"1"
    return SweepStore.open(tmp_path / "older")


def test_a_table_of_the_format_before_opens_goes_on_and_is_compacted(older, store, monkeypatch):
    assert older.finished() == IDS
    same = open_table(store.uri).to_pandas()
    assert open_table(older.uri).to_pandas().equals(same)
    assert older.write_fragment("t6", COLUMNS, rows([12])) is True
    older.compact()
    assert older.manifest["format"] == 1
    assert len(visible(older)) == 1
    assert open_table(older.uri).to_pandas().head(12).equals(same)
    monkeypatch.setattr(_fragment, "FORMAT", 1)  # the version before says so, rather than see no rows
    with pytest.raises(StoreError, match="upgrade neuroflame"):
        open_table(older.uri)
