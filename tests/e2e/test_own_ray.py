"""Sweeps on a Ray that they start themselves, and the command line that is killed on the way."""

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from neuroflame.errors import Interrupted
from neuroflame.store import SweepStore
from neuroflame.sweep.progress import Progress
from neuroflame.sweep.running import resume, run_sweep, start
from tests.e2e.chance import MOMENTS
from tests.e2e.processes import processes
from tests.unit.test_sweep_controller import CHEAP, GRID, TPE, rows
from tests.unit.test_sweep_spec import NETWORK, sweep

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

SLOW = "tests.e2e.simulators:slow"


class Census(Progress):
    """Counts the actors that were ever made."""

    def __init__(self):
        self.made = 0

    def update(self, status):
        import ray._private.state as state

        known = state.actors().values()
        self.made = sum("Trainable" in one["ActorClassName"] for one in known)


@pytest.mark.parametrize("wanted", [1, 2])
def test_a_ray_of_our_own_and_one_process_give_the_same_table(wanted, tmp_path):
    """With the real simulator; there are as many actors as were asked for, and nothing stays behind."""
    changes = {"space": {"J.EE": [0.5, 1.0, 1.5], "J0.E": [1, 2]}, "repeat": {"graphs": 2}}
    run_sweep(sweep(**changes), tmp_path / "inline", backend="inline")
    census = Census()
    spec = sweep(**changes, compute={"actors": wanted, "tile": 3})
    start(spec, str(tmp_path / "ray"), progress=census)
    assert census.made == wanted
    assert rows(tmp_path / "ray") == rows(tmp_path / "inline")
    assert not processes("raylet", "gcs_server")
    assert not [name for name in os.environ if name.startswith(("RAY_AUTH", "TUNE_"))]


def test_an_interrupt_in_the_driver(tmp_path):
    class Stop(Progress):
        def update(self, status):
            raise KeyboardInterrupt

    spec = sweep(**GRID, compute={"actors": 2, "tile": 4})
    with pytest.raises(Interrupted, match="resume"):
        start(spec, str(tmp_path / "out"), progress=Stop(), measure=SLOW)
    assert not processes("raylet", "gcs_server")
    resume(str(tmp_path / "out"), backend="inline", measure=CHEAP)
    run_sweep(spec, tmp_path / "whole", backend="inline", measure=CHEAP)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


def test_only_the_driver_hears_that_a_job_is_to_end(tmp_path):
    """A batch system tells every process of a job; a driver cannot stop in order once its Ray is gone."""

    class Told(Census):
        def update(self, status):
            super().update(status)
            for process in psutil.Process().children(recursive=True):
                process.send_signal(signal.SIGTERM)

    spec, told = sweep(**GRID, compute={"actors": 2, "tile": 4}), Told()
    start(spec, str(tmp_path / "out"), progress=told, measure=SLOW)
    assert told.made == 2
    run_sweep(spec, tmp_path / "whole", backend="inline", measure=CHEAP)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")
    assert not processes("raylet", "gcs_server")


# --- the command line, as a process -------------------------------------------------------------------------

GRID_FILE = {
    "network": {**NETWORK, "duration": 1.0},
    "space": {"J.EE": [0.2, 0.4, 0.6, 0.8, 1.0], "J0.E": [1, 2]},
    "repeat": {"graphs": 2},
    # Slow enough that there is something left to stop and to kill when the first fragments are there.
    "compute": {"tile": 2, "actors": 2, "executor": "reference"},
}
TPE_FILE = {**GRID_FILE, **TPE, "search": {**TPE["search"], "trials": 12}}


@pytest.fixture(scope="module", params=["grid", "tpe"])
def whole(request, tmp_path_factory):
    """Return a sweep's file and the rows of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    file = folder / "sweep.yml"
    file.write_text(yaml.safe_dump({"grid": GRID_FILE, "tpe": TPE_FILE}[request.param]))
    run_sweep(file, folder / "out", backend="inline")
    return file, rows(folder / "out")


def command(*arguments):
    """Start the command line as a process that leads its own group."""
    words = [sys.executable, "-m", "neuroflame", *map(str, arguments)]
    return subprocess.Popen(
        words,
        start_new_session=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_interrupts,
    )


def _hear_interrupts():
    """Undo what a shell does to what it runs in the background: it has SIGINT ignored, by us and our children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_for(out, fragments, process):
    while process.poll() is None:
        parts = out / "parts"
        if parts.exists() and len(list(parts.glob("*.parquet"))) >= fragments:
            return
        time.sleep(0.02)


def descendants(process):
    """Return what the command started, directly or not."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []


def finish(out, expected):
    """Resume and compare."""
    process = command("resume", out, "--no-report")
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    assert stdout == f"table   {out}\n"
    assert rows(out) == expected
    written = [identity for ids in SweepStore.open(out).finished().values() for identity in ids]
    assert len(written) == len(set(written)) == len(expected)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_driver_loses_nothing(moment, whole, tmp_path):
    file, expected = whole
    chance, out = random.Random(moment), tmp_path / "out"
    process = command("run", file, "--out", out)
    wait_for(out, chance.randint(0, 8), process)
    time.sleep(chance.uniform(0, 0.5))
    left = descendants(process)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(left, timeout=10)
    assert not alive, "processes outlive the driver"
    if not (out / "manifest.json").exists():
        return
    finish(out, expected)


def test_a_driver_that_is_stopped_while_ray_starts(tmp_path):
    file, out = tmp_path / "sweep.yml", tmp_path / "out"
    file.write_text(yaml.safe_dump(GRID_FILE))
    process = command("run", file, "--out", out)
    while not any("gcs_server" in child.name() for child in descendants(process)):
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stderr == (
        f"neuroflame-sweep: stopped with 0 of 20 points done (go on with: neuroflame-sweep resume {out})\n"
    )


@pytest.mark.parametrize(
    ("whole", "number"), [("grid", signal.SIGINT), ("tpe", signal.SIGTERM)], indirect=["whole"]
)
def test_a_stopped_sweep_says_how_to_go_on(number, whole, tmp_path):
    file, expected = whole
    out = tmp_path / "out"
    process = command("run", file, "--out", out)
    wait_for(out, 2, process)
    left = descendants(process)
    start_time = time.monotonic()
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert time.monotonic() - start_time < 30
    last = stderr.splitlines()[-1]
    assert last.startswith("neuroflame-sweep: stopped with")
    assert last.endswith(f"(go on with: neuroflame-sweep resume {out})")
    assert "Traceback" not in stderr
    _, alive = psutil.wait_procs(left, timeout=40)
    assert not alive
    finish(out, expected)
