"""A sweep on an S3 server that runs in this process: the same guarantees as on a disk."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from neuroflame.errors import Interrupted, StoreError
from neuroflame.report import build_report
from neuroflame.store import SweepStore, _remote
from neuroflame.store._files import open_files
from neuroflame.sweep.running import run_sweep, start
from tests.object_stores import check_damage, check_one_creates, check_one_publishes, check_resume
from tests.unit.test_store import COLUMNS, rows
from tests.unit.test_sweep_controller import CHEAP, Stop
from tests.unit.test_sweep_controller import rows as table_rows
from tests.unit.test_sweep_spec import sweep

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto.server")

BUCKET = "sweeps"


@pytest.fixture(scope="module")
def endpoint():
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # nobody answers there, after seconds
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def uri(endpoint):
    return f"s3://{BUCKET}/{uuid.uuid4().hex}?endpoint_override={endpoint}&scheme=http&region=us-east-1"


def test_a_sweep_that_was_stopped_is_resumed(uri, tmp_path, capsys):
    check_resume(uri, tmp_path, capsys)
    assert build_report(uri, tmp_path / "report").page.exists()


def test_of_many_writers_one_publishes(uri):
    check_one_publishes(uri)


def test_of_many_creators_one_succeeds(uri):
    check_one_creates(uri)


CLAIMANT = """
import sys
from neuroflame.errors import StoreError
from neuroflame.sweep.running import start
from tests.unit.test_store_s3 import SHARED
from tests.unit.test_sweep_spec import sweep

sweep(**SHARED)  # what takes long is imported before both are let go
import boto3, pyarrow.fs, pyarrow.parquet, neuroflame.sweep.inline, neuroflame.core.measure, tests.e2e.simulators
print("ready", flush=True)
sys.stdin.readline()
try:
    outcome = start(sweep(**SHARED), sys.argv[1], backend="inline", measure="tests.e2e.simulators:slow")
    print("ran", outcome.status.done - outcome.status.restored)
except StoreError as error:
    print("refused", error)
"""
SHARED = {"space": {"J.EE": [1, 2, 3, 4, 5, 6, 7, 8]}, "repeat": {"seeds": 5}, "compute": {"tile": 4}}


@pytest.mark.parametrize("fresh", [True, False], ids=["made by them", "left by another"])
def test_of_three_processes_that_begin_at_once_one_runs(fresh, uri, tmp_path):
    """The directory is made by one of them, or was left by a run that ended: no point is computed twice."""
    spec = sweep(**SHARED)
    if not fresh:
        with pytest.raises(Interrupted):
            start(spec, uri, backend="inline", measure=CHEAP, progress=Stop(1))
    command = [sys.executable, "-c", CLAIMANT, uri]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=100) for process in processes]
    said = sorted(out.split()[0] for out, _ in told)
    assert said == ["ran", "refused", "refused"], told
    assert all("is being run by process" in out for out, _ in told if out.startswith("refused"))
    run_sweep(spec, tmp_path / "whole", backend="inline", measure=CHEAP)
    assert table_rows(uri) == table_rows(tmp_path / "whole")
    written = [identity for ids in SweepStore.open(uri).finished().values() for identity in ids]
    assert len(written) == len(set(written)) == 40


def test_damage_is_put_aside_and_a_store_travels_between_processes(uri):
    check_damage(uri)


def test_a_server_that_cannot_be_written_says_so_in_a_line(endpoint):
    missing = f"s3://no-such-bucket/x?endpoint_override={endpoint}&scheme=http&region=us-east-1"
    with pytest.raises(StoreError) as caught:
        SweepStore.create(missing, {})
    assert "\n" not in str(caught.value)


def test_without_boto3_the_writer_looks_first(uri, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    store = SweepStore.create(uri, {})
    assert type(open_files(uri)) is _remote.ArrowFiles
    assert store.write_fragment("a", COLUMNS, rows([0])) is True
    assert store.write_fragment("a", COLUMNS, rows([0])) is False


def test_messages_do_not_hold_credentials(endpoint):
    place = f"s3://user:secret@{BUCKET}/none?endpoint_override={endpoint}&scheme=http&region=us-east-1"
    with pytest.raises(StoreError, match="holds no sweep") as caught:
        SweepStore.open(place)
    assert "secret" not in str(caught.value)
