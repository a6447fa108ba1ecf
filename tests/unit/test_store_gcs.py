"""A sweep on a Google Cloud Storage server of this machine: the same guarantees as on a disk."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from neuroflame.errors import StoreError
from neuroflame.store import SweepStore, _remote
from neuroflame.store._files import open_files
from tests.object_stores import check_damage, check_one_creates, check_one_publishes, check_resume
from tests.unit.test_store import COLUMNS, rows

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


def test_a_sweep_that_was_stopped_is_resumed(uri, tmp_path, capsys):
    check_resume(uri, tmp_path, capsys)


def test_of_many_writers_one_publishes(uri):
    check_one_publishes(uri)


def test_of_many_creators_one_succeeds(uri):
    check_one_creates(uri)


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
    check_damage(uri)


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
