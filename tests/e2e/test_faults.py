"""What goes wrong on machines and disks: after each, the table equals that of a run in which nothing did."""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from neuroflame.store import SweepStore, open_table
from neuroflame.sweep.progress import Progress
from neuroflame.sweep.running import resume, run_sweep, start
from tests.e2e.chance import MOMENTS
from tests.e2e.machines import machines
from tests.unit.test_sweep_controller import CHEAP, GRID, Told, rows
from tests.unit.test_sweep_spec import NETWORK, sweep

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

SLOW = "tests.e2e.simulators:slow"


def assert_equal_and_single(out, whole):
    """Every point has one row, in the table and on disk, and it is that of the run without faults."""
    assert rows(out) == rows(whole)
    written = [identity for ids in SweepStore.open(out).finished().values() for identity in ids]
    assert len(written) == len(set(written)) == len(rows(whole))


class At(Progress):
    """Does something, once, in a thread, when so many actors have run a tile and so many points are done."""

    def __init__(self, actors, points, action):
        self.actors, self.points, self.action = actors, points, action
        self.thread, self.notes, self.lost = None, [], []

    def note(self, text):
        self.notes.append(text)

    def event(self, kind, data):
        if kind == "lost":
            self.lost.append(data)
        self.actors -= kind == "tile" and data["first"]

    def update(self, status):
        if self.thread is None and self.actors <= 0 and status.done >= self.points:
            self.thread = threading.Thread(target=self.action)
            self.thread.start()


# --- machines


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", ["raylet killed", "node removed"])
def test_a_machine_that_goes(fault, moment, tmp_path):
    """Its tiles are run by the others; one that comes in its stead is used."""
    changes = {**GRID, "repeat": {"graphs": 2, "seeds": 12}}
    spec = sweep(**changes, compute={"tile": 3})
    run_sweep(spec, tmp_path / "whole", backend="inline", measure=CHEAP)
    with machines("a", "b") as cluster:

        def go():
            if fault == "raylet killed":
                cluster.kill_raylet(0)
            else:
                cluster.remove("a")
            cluster.add("c")

        watch = At(2, random.Random(moment).randint(6, 60), go)
        outcome = start(spec, str(tmp_path / "out"), address=cluster.address, measure=SLOW, progress=watch)
        watch.thread.join()
    assert outcome.status.failed == 0
    if (
        fault == "node removed"
    ):  # workers of a raylet that was killed may finish their tile before they notice
        assert watch.lost
    assert all(lost["tried_again"] for lost in watch.lost)
    assert_equal_and_single(tmp_path / "out", tmp_path / "whole")


def test_a_machine_that_comes_is_used(tmp_path):
    spec = sweep(**{**GRID, "repeat": {"graphs": 2, "seeds": 12}}, compute={"tile": 4})
    run_sweep(spec, tmp_path / "whole", backend="inline", measure=CHEAP)
    with machines("a") as cluster:
        watch = At(1, 4, lambda: cluster.add("b"))
        start(spec, str(tmp_path / "out"), address=cluster.address, measure=SLOW, progress=watch)
        watch.thread.join()
    assert "2 actors now" in watch.notes
    processes = {about["process"] for about in open_table(str(tmp_path / "out")).metadata.values()}
    assert len(processes) == 2
    assert_equal_and_single(tmp_path / "out", tmp_path / "whole")


def test_workers_that_hang_are_ended(cluster, tmp_path):
    """A point that always hangs has failed, one that hung once has not, and the others proceed.

    The deadline leaves room for loading, which each new worker does: on a busy machine, seconds.
    """
    once = 500 + random.random() * 99
    spec = sweep(
        space={"J.EE": [1, 2, 3, once, 4, 400, 5]},
        compute={"actors": 2, "tile": 1, "deadline": 20, "retries": 1},
    )
    told = Told()
    outcome = start(spec, str(tmp_path / "out"), address=cluster, measure=CHEAP, progress=told)
    assert outcome.status.failed == 1
    frame = open_table(str(tmp_path / "out")).to_pandas()
    assert frame["status"].tolist() == ["ok"] * 5 + ["failed", "ok"]
    assert frame["error"].dropna().tolist() == ["no result within 20 s (compute.deadline)"]
    assert frame["point_id"].is_unique
    assert {event["reason"] for event in told.of("lost")} == {"no result within 20 s (compute.deadline)"}


# --- disks

FILE = {
    "network": {**NETWORK, "duration": 0.2},
    "space": {"J.EE": [0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6], "J0.E": [1, 2, 3, 4, 5]},
    "repeat": {"graphs": 2},
    "compute": {"tile": 4, "actors": 2},
}


SLOWLY = {"compute": {**FILE["compute"], "executor": "reference"}}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sweep.yml"
    path.write_text(yaml.safe_dump(FILE))
    return path


def command(*arguments, before=(), **options):
    words = [*before, sys.executable, "-m", "neuroflame", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=200, check=False, **options)


def assert_one_line(finished, words):
    """The command said in one line what was wrong, and that what was finished is safe."""
    assert finished.returncode == 2, finished.stderr
    (complaint,) = [line for line in finished.stderr.splitlines() if line.startswith("neuroflame-sweep:")]
    assert words in complaint
    assert "Traceback" not in finished.stderr


IN_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=$1 none $2
shift
out=$1; kept=$2; shift 2
status=0
"$@" || status=$?
cp -r $out/. $kept
exit $status
"""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("backend", ["ray", "inline"])
def test_a_disk_that_fills_up(backend, moment, file, tmp_path):
    """A real one, of some hundred kilobytes, in a mount namespace of its own; then resumed where there is room."""
    size = f"{random.Random(moment).randrange(100, 280, 4)}k"
    disk, kept, whole = (tmp_path / name for name in ("disk", "kept", "whole"))
    disk.mkdir()
    kept.mkdir()
    alone = ["unshare", "--mount", "--user", "--map-root-user"]
    try:
        able = subprocess.run([*alone, "true"], capture_output=True, timeout=10).returncode == 0
    except OSError:
        able = False
    if not able:
        pytest.skip("mount namespaces are not allowed here")
    before = [*alone, "sh", "-c", IN_A_SMALL_DISK, "sh", size, disk, kept]
    finished = command("run", file, "--out", disk, "--backend", backend, "--quiet", before=before)
    assert_one_line(finished, "disk is full: cannot write parts/")
    run_sweep(file, whole, backend="inline")
    assert 0 < len(open_table(str(kept))) < len(rows(whole))
    assert not list((kept / "quarantine").iterdir())
    assert resume(str(kept), backend="inline").status.failed == 0
    assert_equal_and_single(kept, whole)


def test_files_that_may_not_grow(file, tmp_path):
    """The same by a limit of the process, which needs no privilege: the kernel refuses each write beyond it."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    out = tmp_path / "out"
    assert_one_line(
        command("run", file, "--out", out, "--backend", "inline", "--quiet", preexec_fn=limit), "cannot write"
    )
    assert not list((out / "parts").glob("*")) if (out / "parts").exists() else True
    assert not list((out / "tmp").glob("*")) if (out / "tmp").exists() else True
    run_sweep(file, out, backend="inline")
    run_sweep(file, tmp_path / "whole", backend="inline")
    assert_equal_and_single(out, tmp_path / "whole")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("backend", [pytest.param("ray", marks=pytest.mark.soak), "inline"])
def test_a_directory_that_becomes_read_only(backend, moment, file, tmp_path):
    """In the middle of a run: told in a line; what was finished is safe, and the rest is computed later."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv")
    file.write_text(yaml.safe_dump({**FILE, "network": {**NETWORK, "duration": 2.0}, **SLOWLY}))
    chance, out, whole = random.Random(moment), tmp_path / "out", tmp_path / "whole"
    run_sweep(file, whole, backend="inline")
    before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    locked = out / chance.choice(["parts", "tmp"])
    after = chance.randint(0, 12)
    words = ["run", file, "--out", out, "--backend", backend, "--quiet"]
    with ThreadPoolExecutor() as pool:
        finished = pool.submit(command, *words, before=before)
        while not finished.done():
            if (out / "manifest.json").exists() and len(list((out / "parts").iterdir())) >= after:
                break
            time.sleep(0.01)
        locked.chmod(0o555)
        done = finished.result()
    assert_one_line(done, "permission denied: cannot ")
    assert_one_line(command(*words, before=before), "permission denied: cannot ")
    assert len(rows(out)) < len(rows(whole))
    locked.chmod(0o755)
    assert command(*words, "--no-report", before=before).returncode == 0
    assert_equal_and_single(out, whole)


def test_fragments_damaged_between_runs(file, tmp_path):
    """Cut short, emptied, overwritten, gone: told, put aside, computed again."""
    out = tmp_path / "out"
    run_sweep(file, out, backend="inline")
    run_sweep(file, tmp_path / "whole", backend="inline")
    parts = sorted((out / "parts").iterdir())
    parts[0].write_bytes(parts[0].read_bytes()[:-100])
    parts[1].write_bytes(b"")
    parts[2].write_bytes(os.urandom(2000))
    parts[3].unlink()
    finished = command("resume", out, "--backend", "inline", "--log-json")
    assert finished.returncode == 0, finished.stderr
    events = [json.loads(line) for line in finished.stdout.splitlines()]
    assert sum(event["event"] == "warning" for event in events) == 3
    assert events[-1]["event"] == "finished"
    assert events[-1]["restored"] == len(rows(out)) - 16
    assert len(list((out / "quarantine").iterdir())) == 3
    assert_equal_and_single(out, tmp_path / "whole")


# --- two runs, and another shell


def test_two_runs_and_a_look_from_another_shell(file, tmp_path):
    file.write_text(yaml.safe_dump({**FILE, "network": {**NETWORK, "duration": 3.0}, **SLOWLY}))
    out = tmp_path / "out"
    words = [sys.executable, "-m", "neuroflame", "run", file, "--out", out, "--log-json"]
    first = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    events = []
    while not events or events[-1]["event"] != "tile":
        events.append(json.loads(first.stdout.readline()))
    second = command("run", file, "--out", out)
    assert_one_line(second, f"is being run by process {first.pid} on {os.uname().nodename}, since")
    time.sleep(4)  # until the record is renewed
    seen = command("status", out)
    assert seen.returncode == 0, seen.stderr
    assert f"running   process {first.pid} on" in seen.stdout
    assert "now       " in seen.stdout
    assert "points/s" in seen.stdout
    first.kill()
    first.communicate()
    seen = command("status", out)
    assert "did not say goodbye" in seen.stdout
    assert 0 < len(open_table(str(out))) < 80


COMER = """
import sys
from neuroflame.errors import StoreError
from neuroflame.sweep.running import start
from tests.e2e.test_faults import COMERS
from tests.unit.test_sweep_spec import sweep
spec = sweep(**COMERS, compute={"tile": int(sys.argv[2])})
try:
    start(spec, sys.argv[1], backend="inline", measure="tests.e2e.simulators:slow", takeover=sys.argv[3] == "takeover")
except StoreError as error:
    sys.exit(str(error))
"""
COMERS = {**GRID, "repeat": {"graphs": 2, "seeds": 6}}


@pytest.mark.parametrize("moment", MOMENTS)
def test_runs_that_come_and_go(moment, tmp_path):
    """On one directory, with tiles of different sizes, killed at random, taken over: nothing is done twice."""
    chance, out, running, ended = random.Random(moment), tmp_path / "out", [], []
    run_sweep(sweep(**COMERS), tmp_path / "whole", backend="inline", measure=CHEAP)
    for _ in range(8):
        words = [out, chance.choice([1, 2, 3, 5, 8]), chance.choice(["", "", "takeover"])]
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", COMER, *map(str, words)], stderr=subprocess.PIPE, text=True
            )
        )
        time.sleep(chance.uniform(0.2, 2.5))
        if chance.random() < 0.5:
            with running.pop(chance.randrange(len(running))) as process:
                process.kill()
    for process in running:
        _, complaint = process.communicate(timeout=120)
        ended.append((process.returncode, complaint))
    assert all(code == 0 or "run by" in text or "taken over" in text for code, text in ended), ended
    assert start(sweep(**COMERS), str(out), backend="inline", measure=CHEAP).status.failed == 0
    assert_equal_and_single(out, tmp_path / "whole")
