"""A cluster of machines with a network between them, which fails."""

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from neuroflame.store import SweepStore, open_table
from neuroflame.sweep.running import resume, run_sweep
from tests.e2e.chance import MOMENTS
from tests.e2e.namespaces import PATH, ROOT, SHARED, cluster, machines, possible
from tests.unit.test_sweep_controller import CHEAP, GRID, rows
from tests.unit.test_sweep_spec import sweep

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

CHANGES = {**GRID, "repeat": {"graphs": 2, "seeds": 12}, "compute": {"tile": 3, "retries": 3}}
DRIVER = """
import sys
from neuroflame.sweep.progress import Progress
from neuroflame.sweep.running import start
from tests.e2e.test_namespaces import CHANGES
from tests.unit.test_sweep_spec import sweep

class Lines(Progress):
    def update(self, status):
        print(status.done, flush=True)
    def note(self, text):
        print(text, flush=True)
    def event(self, kind, data):
        if kind == "lost":
            print("lost", data["tried_again"], flush=True)

out, address, seeds = sys.argv[1:]
spec = sweep(**{**CHANGES, "repeat": {"graphs": 2, "seeds": int(seeds)}})
status = start(spec, out, address=address, progress=Lines(), measure="tests.e2e.simulators:slow").status
print("failed", status.failed, flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def allowed():
    reason = possible()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the rows of a run in which nothing fails."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run_sweep(sweep(**CHANGES), out, backend="inline", measure=CHEAP)
    return rows(out)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("net"), 2) as made:
        yield made


def drive(net, out, seeds=12, settings=None):
    words = [sys.executable, "-c", DRIVER, out, net.address, seeds]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return net.popen(1, *words, settings=settings, text=True, **pipes)


def read_until(driver, points, stop="failed"):
    """Return the lines that a driver says until so many points are done, or a line has some words in it."""
    lines = []
    for line in driver.stdout:
        lines.append(line.strip())
        if stop in lines[-1] or (lines[-1].isdigit() and int(lines[-1]) >= points):
            break
    return lines


def assert_equal_and_single(out, whole):
    assert rows(out) == whole
    written = [identity for ids in SweepStore.open(out).finished().values() for identity in ids]
    assert len(written) == len(set(written)) == len(whole)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("away", [1.0, 15.0, None], ids=["for a moment", "until given up", "for good"])
@pytest.mark.soak  # Ray is told to give machines up in seconds: on a busy one it gives up those that are there
def test_a_cable_that_is_pulled(away, moment, whole, net, tmp_path):
    """In the middle of a sweep: it is completed, and the machine that comes back doubles nothing."""
    driver = drive(net, tmp_path / "out")
    read_until(driver, random.Random(moment).randint(12, 100))
    net.cut(2)
    mend = threading.Timer(away, net.mend, [2]) if away is not None else None
    if mend is not None:
        mend.start()
    lines = read_until(driver, 10**9)
    _, stderr = driver.communicate()
    if mend is not None:
        mend.join()
    net.renew(2)
    assert driver.returncode == 0, stderr
    assert lines[-1] == "failed 0"
    assert ("lost True" in lines) == (away != 1.0)
    assert_equal_and_single(tmp_path / "out", whole)


def test_all_cables_are_pulled_and_the_driver_dies(whole, net, tmp_path):
    """What the machines write while nobody hears them counts; the rest is run elsewhere."""
    out = tmp_path / "out"
    driver = drive(net, out)
    read_until(driver, 30)
    for number in (2, 3):
        net.cut(number)
    time.sleep(0.5)
    driver.kill()
    driver.communicate()
    assert resume(str(out), backend="inline", measure=CHEAP).status.failed == 0
    net.renew(2, 3)
    assert_equal_and_single(out, whole)


@pytest.mark.soak
def test_a_machine_that_comes_and_does_not_see_the_table(net, tmp_path):
    """It is looked at like those that were there, told of, and not used, also where a tile waits for a machine."""
    out = tmp_path / "out"
    out.mkdir()
    net.plug(4)
    driver = drive(net, out, seeds=40)
    lines = read_until(driver, 30)
    net.start_ray(4, before=f"mount -t tmpfs none {out}")
    lines += read_until(driver, 10**9, stop="came and is not used")
    net.kill(3)
    lines += read_until(driver, 10**9)
    _, stderr = driver.communicate()
    net.kill(4)
    net.renew(3)
    assert driver.returncode == 0, stderr
    notes = [line for line in lines if "is not used" in line]
    assert len(notes) == 1
    assert notes[0].startswith(
        f"node {net.host(4)} came and is not used: it does not see the sweep's directory: "
    )
    assert "3 actors now" not in lines
    assert lines[-1] == "failed 0"
    run_sweep(
        sweep(**{**CHANGES, "repeat": {"graphs": 2, "seeds": 40}}),
        tmp_path / "w",
        backend="inline",
        measure=CHEAP,
    )
    assert_equal_and_single(out, rows(tmp_path / "w"))


# --- the plain list of hosts

SHELL = """#!/bin/sh
host=${1##*.}
shift
exec ip netns exec @PREFIX@$host sh -ec 'mount --bind @FOLDER@/ray'$host' @SHARED@; exec bash -c "$1"' sh "$@"
"""


def shells(net, folder):
    """Let the namespaces' own commands stand in for ssh."""
    file = folder / "ssh"
    words = {"@PREFIX@": net.prefix, "@FOLDER@": str(net.folder), "@SHARED@": SHARED}
    text = SHELL
    for word, value in words.items():
        text = text.replace(word, value)
    file.write_text(text)
    file.chmod(0o755)
    return str(file)


def daemons(net, folder):
    """Run an ssh server on each machine, and return what logs in there from the first one."""
    server = shutil.which("sshd", path=f"{PATH}:/usr/sbin:/sbin")
    if server is None or shutil.which("ssh") is None:
        pytest.skip("there is no sshd (openssh-server)")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "user.pub").chmod(0o644)
    options = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    Path("/run/sshd").mkdir(exist_ok=True)
    able = subprocess.run(
        [server, "-t", "-f", "/dev/null", *words], capture_output=True, text=True, check=False
    )
    if able.returncode != 0:
        pytest.skip(f"sshd cannot run here: {able.stderr.strip()}")
    for number in (1, 2, 3):
        net.popen(number, server, "-D", "-e", "-f", "/dev/null", *words, stderr=subprocess.DEVNULL)
    known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectionAttempts=20"
    return f"ip netns exec {net.prefix}1 ssh -i {folder / 'user'} {known}"


@pytest.mark.parametrize("ssh", [shells, daemons])
def test_a_list_of_hosts_that_are_machines_of_their_own(ssh, whole, tmp_path):
    """Started, used by a sweep, and stopped: nothing of Ray is left on any."""
    with machines(tmp_path, 3) as net:
        (tmp_path / "hosts").write_text("".join(f"{net.host(number)}\n" for number in (1, 2, 3)))
        settings = {
            "NEUROFLAME_SSH": ssh(net, tmp_path),
            "NEUROFLAME_STATE": str(tmp_path / "state"),
            "NEUROFLAME_SETUP": f"export PATH={PATH} PYTHONPATH={ROOT}",
            "NEUROFLAME_RAY_ARGS": "--num-cpus 1 --object-store-memory 100000000",
            "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"),
        }

        def script(action):
            words = ["bash", str(ROOT / "cluster" / "hosts.sh"), action, str(tmp_path / "hosts")]
            done = subprocess.run(
                words,
                env={**os.environ, **settings},
                text=True,
                capture_output=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout.splitlines()

        *started, export, command = script("start")
        assert started == [f"{net.host(number)}: started" for number in (1, 2, 3)]
        assert command.endswith(f"--address {net.address}")
        own = dict(word.split("=") for word in export.split()[1:])
        driver = drive(net, tmp_path / "out", settings=own)
        stdout, stderr = driver.communicate()
        assert driver.returncode == 0, stderr
        assert stdout.splitlines()[-1] == "failed 0"
        assert script("stop") == [f"{net.host(number)}: stopped" for number in (3, 2, 1)]
        assert not [words for number in (1, 2, 3) for words in net.running(number) if "raylet" in words]
    assert len({about["process"] for about in open_table(str(tmp_path / "out")).metadata.values()}) == 3
    assert_equal_and_single(tmp_path / "out", whole)
