"""A sweep on a Google Cloud Storage server of this machine: the same guarantees as on a disk."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import uuid
from functools import partial
from pathlib import Path

import pytest

from neuroflame.cli import main
from neuroflame.errors import Interrupted, StoreError
from neuroflame.store import StoreWarning, SweepStore, _remote, open_table
from neuroflame.store._files import open_files
from neuroflame.sweep.running import resume, run_sweep, start
from tests.unit.test_store import COLUMNS, rows
from tests.unit.test_sweep_controller import CHEAP, Stop
from tests.unit.test_sweep_controller import rows as table_rows
from tests.unit.test_sweep_spec import sweep

pytest.importorskip("google.cloud.storage")
pytest.importorskip("gcp_storage_emulator")
BUCKET = "sweeps"


@pytest.fixture(scope="module")
def port():
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.gcs_server", BUCKET],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield int(server.stdout.readline())
    server.kill()
    server.wait()
    server.stdout.close()


def place(port, bucket=BUCKET):
    options = f"scheme=http&endpoint_override=127.0.0.1:{port}&retry_limit_seconds=5"
    return f"gs://anonymous@{bucket}/{uuid.uuid4().hex}?{options}"


@pytest.fixture
def uri(port):
    return place(port)


def together(count, function):
    """Run a function in several threads, which begin at once; return what it returned."""
    barrier, found = threading.Barrier(count), []

    def one(number):
        barrier.wait()
        found.append(function(number))

    threads = [threading.Thread(target=one, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_sweep_that_was_stopped_is_resumed(uri, tmp_path, capsys):
    spec = sweep(space={"J.EE": [1, 2, 3, 4, 5]}, repeat={"seeds": 2}, compute={"tile": 2})
    with pytest.raises(Interrupted):
        start(spec, uri, backend="inline", measure=CHEAP, progress=Stop(2))
    assert main(["status", uri]) == 0
    assert "of 10 done" in capsys.readouterr().out
    resume(uri, backend="inline", measure=CHEAP)
    run_sweep(spec, tmp_path / "whole", backend="inline", measure=CHEAP)
    assert table_rows(uri) == table_rows(tmp_path / "whole")
    assert main(["compact", uri]) == 0
    assert len(open_files(uri).names("parts")) == 1
    assert table_rows(uri) == table_rows(tmp_path / "whole")
    assert open_table(uri).dataset().count_rows() == 10


def test_of_many_writers_one_publishes(uri):
    """Also of those that find the name free at the same moment: the server decides."""
    stores = [SweepStore.create(uri, {}), *(SweepStore.open(uri) for _ in range(3))]
    for number in range(5):
        write = partial(SweepStore.write_fragment, tile_id=f"t{number}", columns=COLUMNS, data=rows([number]))
        won = together(4, lambda k, write=write: write(stores[k]))
        assert sorted(won) == [False, False, False, True]
    assert len(stores[0].finished()) == 5


def test_of_many_creators_one_succeeds(uri):
    def create(number):
        try:
            SweepStore.create(uri, {"by": number})
        except StoreError as error:
            return str(error)
        return number

    found = together(4, create)
    made = [one for one in found if isinstance(one, int)]
    assert made == [SweepStore.open(uri).manifest["by"]]
    assert sum("already holds a sweep" in str(one) for one in found) == 3


def test_large_files_are_exclusive_too(uri):
    """Above 8 MiB the client uploads in pieces, under the same precondition."""
    files = open_files(uri)
    data = [bytes([k]) * (9 << 20) for k in range(2)]
    assert files.put_new("parts/large", data[0]) is True
    assert files.put_new("parts/large", data[1]) is False
    assert files.read("parts/large") == data[0]


def test_an_answer_that_was_lost_is_asked_for_again(uri, monkeypatch):
    """The server has the file, the client an error: the second try finds the name taken, by itself."""
    from google.api_core.exceptions import ServiceUnavailable
    from google.cloud.storage import Blob

    upload = Blob.upload_from_string
    losing = iter([True])

    def lost(self, *args, **kwargs):
        upload(self, *args, **kwargs)
        if next(losing, False):
            raise ServiceUnavailable("try again")

    monkeypatch.setattr(Blob, "upload_from_string", lost)
    files = open_files(uri)
    assert files.put_new("parts/a", b"mine") is True
    assert files.put_new("parts/a", b"mine") is False
    losing = iter([True])
    assert files.put_new("parts/a", b"theirs") is False


def test_damage_is_put_aside_and_a_store_travels_between_processes(uri):
    store = pickle.loads(pickle.dumps(SweepStore.create(uri, {})))
    store.write_fragment("a", COLUMNS, rows([0]))
    files = open_files(uri)
    files._write(files._at("parts/a.parquet"), files.read("parts/a.parquet")[:-9])
    with pytest.warns(StoreWarning, match="moved"):
        assert store.finished() == {}
    assert len(files.names("quarantine")) == 1
    assert store.write_fragment("a", COLUMNS, rows([0])) is True
    assert list(store.finished()) == ["a"]


def test_a_bucket_that_is_not_there_is_told_in_a_line(port):
    with pytest.raises(StoreError) as caught:
        SweepStore.create(place(port, "no-such-bucket"), {})
    assert "\n" not in str(caught.value)


def test_without_the_client_the_writer_looks_first(uri, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.cloud.storage", None)
    store = SweepStore.create(uri, {})
    assert type(open_files(uri)) is _remote.ArrowFiles
    assert store.write_fragment("a", COLUMNS, rows([0])) is True
    assert store.write_fragment("a", COLUMNS, rows([0])) is False
