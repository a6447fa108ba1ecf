"""What is left of a driver that was killed: nothing."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from neuroflame.sweep.watchdog import VARIABLE, Watchdog

# A driver whose child ignores signals, hides its environment behind another, and writes into the folder.
DRIVER = """
import os, subprocess, sys, time
from neuroflame.sweep.watchdog import VARIABLE, Watchdog
token, folder = sys.argv[1:]
watchdog = Watchdog(token, folder)
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
by_token = subprocess.Popen([sys.executable, "-c", stubborn], env={**os.environ, VARIABLE: token})
with open(os.path.join(folder, "log"), "w") as log:
    by_file = subprocess.Popen([sys.executable, "-c", stubborn], stdout=log, start_new_session=True)
other = subprocess.Popen([sys.executable, "-c", stubborn], env={**os.environ, VARIABLE: "another"})
with open(os.path.join(folder, "log")) as log:
    reader = subprocess.Popen([sys.executable, "-c", stubborn], stdin=log)
print(by_token.pid, by_file.pid, other.pid, reader.pid, watchdog._process.pid, flush=True)
if sys.stdin.readline() == "close\\n":
    watchdog.close()
    print("closed", flush=True)
    sys.stdin.readline()
"""

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="needs /proc")


@pytest.fixture
def driver(tmp_path):
    folder = tmp_path / "ray"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, "the-token", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    children = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    yield process, children, folder
    for one in [process, *children]:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.communicate()


def gone(processes):
    return not psutil.wait_procs(processes, timeout=15)[1]


def test_processes_of_a_killed_driver_end_and_its_folder_goes(driver):
    process, (by_token, by_file, other, reader, watchdog), folder = driver
    process.kill()
    process.wait()
    assert gone([by_token, by_file, watchdog])
    assert not folder.exists()
    assert other.is_running()
    assert reader.is_running()  # somebody looks at a log


def test_a_driver_that_closes_in_order_goes_on(driver):
    process, (by_token, by_file, other, _, watchdog), folder = driver
    process.stdin.write("close\n")
    process.stdin.flush()
    assert process.stdout.readline() == "closed\n"
    assert process.poll() is None
    for one in (by_token, by_file, watchdog):
        assert not one.is_running() or one.status() == psutil.STATUS_ZOMBIE
    assert other.is_running()
    assert not folder.exists()


def test_ctrl_c_is_not_meant_for_it(tmp_path):
    (tmp_path / "ray").mkdir()
    watchdog = Watchdog("a", str(tmp_path / "ray"))
    assert os.getsid(watchdog._process.pid) != os.getsid(0)
    time.sleep(0.2)
    assert watchdog._process.poll() is None
    watchdog.close()
    assert watchdog._process.returncode == 0
    assert VARIABLE not in os.environ
