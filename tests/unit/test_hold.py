"""One run at a time: who holds a directory, and how it is let go of."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from neuroflame.cli import main
from neuroflame.errors import StoreError
from neuroflame.store import HeldElsewhere, SweepStore, _hold, _local
from neuroflame.sweep.inspect import describe
from neuroflame.sweep.manifest import make_manifest
from neuroflame.sweep.progress import Progress
from neuroflame.sweep.repro import reproduce
from neuroflame.sweep.running import start
from tests.unit.test_sweep_controller import CHEAP, GRID, rows, run
from tests.unit.test_sweep_spec import sweep

HOLDER = """
import sys
from neuroflame.store import SweepStore, _hold
_hold.BEAT = 0.1
hold = SweepStore.open(sys.argv[1]).hold()
hold.tell({"total": 3, "done": 1, "failed": 0, "diverged": 0, "restored": 0, "rate": 2.0, "elapsed": 1.0,
           "best": 7.25, "causes": [], "gpu": None, "eta": 1.0, "dashboard": "http://127.0.0.1:8265"})
print("held", flush=True)
for line in sys.stdin:
    try:
        hold.check()
        print("mine", flush=True)
    except Exception as error:
        print(error, flush=True)
        hold.release()
"""


@pytest.fixture
def store(tmp_path):
    return SweepStore.create(tmp_path / "out", make_manifest(sweep(**GRID)))


@contextmanager
def held(store):
    """Give another process that holds the directory and answers, for each line, whether it still does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, store.uri],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def holder(store):
    with held(store) as process:
        yield process


@pytest.fixture
def quick(monkeypatch):
    """Shorten every wait."""
    for name, value in {
        "BEAT": 0.05,
        "REMOTE_BEAT": 0.1,
        "PATIENCE": 1.0,
        "_LET_GO": 5.0,
        "_SETTLE": 0.3,
    }.items():
        monkeypatch.setattr(_hold, name, value)


def without_locks(monkeypatch):
    monkeypatch.setattr(_local, "fcntl", None)


def far(store):
    """Return the record of a holder on another machine, as of now."""
    return replace(_hold._own_record(), host="far", machine="another", process=4321, token="theirs")


def write(store, record):
    store._files.replace(_hold.RECORD, _hold._json(record))


def test_compacting_exporting_and_reproducing_need_no_claim_and_disturb_none(store, capsys):
    run(sweep(**GRID, compute={"tile": 3}), store.uri)
    before = rows(store.uri)
    with held(store) as holder:
        record = store.holder()
        assert main(["compact", store.uri]) == 0
        assert [name[:7] for name in os.listdir(os.path.join(store.uri, "parts"))] == ["packed-"]
        assert main(["export", store.uri, "--to", "csv"]) == 0
        point = before[7][0]
        assert reproduce(store.uri, point, measure=CHEAP).equal
        assert main(["status", store.uri]) == 0
        told = capsys.readouterr().out
        assert f"running   process {holder.pid}" in told
        assert "40 of 40 done" in told
        assert store.holder().token == record.token
        assert holder.communicate("?\n", timeout=60)[0] == "mine\n"
    assert rows(store.uri) == before


def test_the_second_is_refused_by_one_line_that_names_the_first(store, holder, quick):
    with pytest.raises(HeldElsewhere) as refusal:
        start(sweep(**GRID), store.uri, backend="inline", measure=CHEAP)
    text = str(refusal.value)
    assert f"is being run by process {holder.pid} on {os.uname().nodename}, since 20" in text
    assert "--takeover" in text
    assert "\n" not in text
    assert refusal.value.exit_code == 2
    assert store.finished() == {}


@pytest.mark.parametrize("locks", [True, False])
def test_a_claim_ends_with_its_process(locks, store, holder, quick, monkeypatch):
    if not locks:
        without_locks(monkeypatch)
    holder.kill()
    holder.wait()
    begin = time.monotonic()
    store.hold().release()
    assert time.monotonic() - begin < 2.0


def test_without_locks_a_living_process_of_this_machine_is_seen(store, holder, quick, monkeypatch):
    without_locks(monkeypatch)
    with pytest.raises(HeldElsewhere, match=f"process {holder.pid}"):
        store.hold()


def test_a_process_that_has_another_s_number_is_not_it(store, quick, monkeypatch):
    without_locks(monkeypatch)
    write(store, replace(_hold._own_record(), started="1", token="theirs"))
    store.hold().release()


@pytest.mark.parametrize("locks", [True, False])
def test_a_silent_holder_elsewhere_counts_as_dead_after_a_while(locks, store, quick, monkeypatch):
    """Whatever its clock says."""
    if not locks:
        without_locks(monkeypatch)
    write(store, replace(far(store), time="2999-01-01T00:00:00+00:00"))
    told, begin = [], time.monotonic()
    store.hold(tell=told.append).release()
    assert time.monotonic() - begin >= 1.0
    assert "was left by process 4321 on far" in told[0]


def test_a_holder_elsewhere_that_is_heard_of_is_alive(store, quick):
    """Also where the lock could be had: some file systems lock within one machine only."""
    record = replace(far(store), time="1999-01-01T00:00:00+00:00")
    write(store, record)

    def beat(_):
        write(store, replace(record, beat=record.beat + 1))

    with pytest.raises(HeldElsewhere, match="process 4321 on far"):
        store.hold(tell=beat)


def test_one_that_said_goodbye_is_not_waited_for(store, monkeypatch):
    write(store, replace(far(store), ended=True))
    begin = time.monotonic()
    hold = store.hold()
    assert time.monotonic() - begin < 1.0
    hold.release()
    assert store.holder().ended
    assert not store.holder().alive


def test_of_two_that_begin_at_once_one_gives_way(store, quick, monkeypatch):
    """Where there are no locks: the last to write its name has it."""
    without_locks(monkeypatch)
    sleep = time.sleep

    def another_comes(seconds):
        if seconds == _hold._SETTLE:
            write(store, far(store))
        sleep(min(seconds, 0.1))

    monkeypatch.setattr(_hold.time, "sleep", another_comes)
    with pytest.raises(HeldElsewhere, match="process 4321 on far"):
        store.hold()


class Slow:
    """Files of which the record takes long to be written."""

    def __init__(self, files, seconds):
        self._files, self._seconds = files, seconds

    def __getattr__(self, name):
        return getattr(self._files, name)

    def replace(self, name, data):
        time.sleep(self._seconds)
        self._files.replace(name, data)


@pytest.mark.parametrize("left", [False, True], ids=["nobody", "one that said goodbye"])
def test_without_locks_one_that_is_slow_to_write_its_name_is_waited_for(left, store, quick, monkeypatch):
    """For longer than a record takes to settle: of those that saw the same predecessor one alone has it."""
    without_locks(monkeypatch)
    if left:
        write(store, replace(far(store), ended=True))
    holds, refused, barrier = [], [], threading.Barrier(3)

    def claim(seconds):
        files = Slow(store._files, seconds)
        barrier.wait()
        try:
            holds.append(_hold.Hold.take(files))
        except HeldElsewhere as error:
            refused.append(str(error))

    threads = [threading.Thread(target=claim, args=[seconds]) for seconds in (0.7, 0.6, 0.5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(holds) == 1
    assert len(refused) == 2
    assert all("is being run by" in text for text in refused)
    holds[0].check()
    holds[0].release()
    assert not [name for name in os.listdir(store.uri) if name.startswith("hold-after")]


def test_without_locks_a_claim_whose_maker_was_killed_is_removed(store, quick, monkeypatch):
    without_locks(monkeypatch)
    store._files.put_new("hold-after-nobody.json", b"{}")
    told, begin = [], time.monotonic()
    store.hold(tell=told.append).release()
    assert 1.0 <= time.monotonic() - begin < 5.0
    assert "another process is claiming" in told[0]


def test_takeover(store, holder, quick):
    """The first hears of it, names the second, and stops; the second waits for that."""
    answers = []

    def ask():
        while "taken over" not in (answers or [""])[-1]:
            holder.stdin.write("?\n")
            holder.stdin.flush()
            answers.append(holder.stdout.readline())
            time.sleep(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    outcome = start(sweep(**GRID), store.uri, backend="inline", measure=CHEAP, takeover=True)
    asking.join(10)
    assert f"was taken over by process {os.getpid()} on" in answers[-1]
    assert outcome.status.done == 40


def test_a_run_that_is_taken_over_stops_and_keeps_what_it_has(store, quick, tmp_path):
    class Late(Progress):
        """Another machine writes its name while we run."""

        def update(self, status):
            if status.done >= 8:
                write(store, far(store))
                time.sleep(0.3)

    with pytest.raises(StoreError, match="was taken over by process 4321 on far"):
        start(sweep(**GRID, compute={"tile": 4}), store.uri, backend="inline", measure=CHEAP, progress=Late())
    assert 8 <= len(store.table()) < 40
    assert store.holder().token == "theirs"


def test_takeover_of_a_process_that_does_not_answer(store, holder, quick, monkeypatch):
    monkeypatch.setattr(_hold, "_LET_GO", 0.5)
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        with pytest.raises(HeldElsewhere, match="does not stop.*end its process"):
            store.hold(force=True)
    finally:
        os.kill(holder.pid, signal.SIGCONT)


def test_status_tells_who_runs_it_and_how_far_it_is(store, holder):
    until = time.monotonic() + 20
    while store.holder().status == {} and time.monotonic() < until:
        time.sleep(0.05)
    text = describe(store.uri)
    assert f"running   process {holder.pid} on" in text
    assert "now       1/3 points, 2.00 points/s, 1 s left, 0 failed, best 7.25" in text
    assert "dashboard http://127.0.0.1:8265" in text
    assert "resume" not in text
    holder.kill()
    holder.wait()
    text = describe(store.uri)
    assert "did not say goodbye" in text
    assert "best      7.25" in text
    assert "go on     neuroflame-sweep resume" in text


def test_a_damaged_record_holds_nobody_up(store, quick):
    store._files.replace(_hold.RECORD, b"{")
    assert store.holder() is None
    store.hold().release()
    assert json.loads(store._files.read(_hold.RECORD))["process"] == os.getpid()


def test_a_claim_that_fails_leaves_no_lock_behind(store, quick, monkeypatch):
    record = replace(far(store), time="1999-01-01T00:00:00+00:00")
    write(store, record)
    with pytest.raises(HeldElsewhere):
        store.hold(tell=lambda _: write(store, replace(record, beat=1)))
    write(store, replace(record, ended=True))
    store.hold().release()


def test_what_is_complete_needs_no_claim(tmp_path, monkeypatch):
    """A directory that may only be read can be asked whether anything is left."""
    run(sweep(**GRID), tmp_path / "out")
    before = rows(tmp_path / "out")

    def refuse(self, name):
        raise StoreError("is on a read-only file system: cannot lock", file=self.shown)

    monkeypatch.setattr(_local.LocalFiles, "lock", refuse)
    assert run(sweep(**GRID), tmp_path / "out").status.done == 40
    assert rows(tmp_path / "out") == before
    next((tmp_path / "out" / "parts").iterdir()).unlink()
    with pytest.raises(StoreError, match="read-only"):
        run(sweep(**GRID), tmp_path / "out")


def test_an_object_store_has_no_locks_and_does_with_the_record(tmp_path, quick):
    from pyarrow import fs

    place = fs._MockFileSystem() if hasattr(fs, "_MockFileSystem") else fs.LocalFileSystem()
    root = "out" if hasattr(fs, "_MockFileSystem") else str(tmp_path / "out")
    store = SweepStore.create(root, make_manifest(sweep()), filesystem=place)
    hold = store.hold()
    with pytest.raises(HeldElsewhere, match=f"process {os.getpid()}"):
        store.hold()
    time.sleep(0.5)
    assert store.holder().beat > 0
    hold.release()
    store.hold().release()
