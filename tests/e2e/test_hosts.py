"""A cluster on a list of hosts, which are both this machine: shells stand in for ssh."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from neuroflame.store import SweepStore, open_table
from neuroflame.sweep.manifest import git_commit
from neuroflame.sweep.running import run_sweep
from tests.unit.test_sweep_controller import rows
from tests.unit.test_sweep_spec import NETWORK

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SWEEP = {
    "network": NETWORK,
    "space": {"J.EE": [0.5, 1.0, 1.5]},
    "compute": {"tile": 1, "executor": "reference"},
}
NOT_HERE = "raise ImportError('a node has no NeuroFlame of its own')"
LOOK = """
import ray
from neuroflame.errors import BackendError
from neuroflame.sweep.ray_nodes import Nodes, runtime_env
import sys
ray.init(address=sys.argv[1], runtime_env=runtime_env(), log_to_driver=False, logging_level="ERROR")
try:
    Nodes("/no/such/place", print).check()
except BackendError as error:
    print(error)
"""


def free_port():
    """Return a port outside of the range that Ray gives to workers."""
    for port in range(26379, 27379):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no port is free")


@pytest.fixture
def hosts(tmp_path):
    """Return a function that runs the script, and stop what it started."""
    (tmp_path / "hosts").write_text("127.0.0.1\nlocalhost\n")
    shell = tmp_path / "ssh"
    shell.write_text('#!/usr/bin/env bash\nshift\nexec bash -c "$1"\n')
    shell.chmod(0o755)
    empty = tmp_path / "path" / "neuroflame"
    empty.mkdir(parents=True)
    (empty / "__init__.py").write_text(NOT_HERE)
    settings = {
        "NEUROFLAME_SSH": str(shell),
        "NEUROFLAME_PORT": str(free_port()),
        "NEUROFLAME_STATE": str(tmp_path / "state"),
        "NEUROFLAME_RAY_ARGS": "--num-cpus 1 --node-ip-address 127.0.0.1 --object-store-memory 100000000",
        "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(empty.parent),
    }

    def script(action):
        command = ["bash", str(ROOT / "cluster" / "hosts.sh"), action, str(tmp_path / "hosts")]
        done = subprocess.run(
            command,
            env={**os.environ, **settings},
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout.splitlines()

    yield script
    script("stop")


def driver(*arguments, settings):
    words = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_sweep_on_nodes_without_neuroflame(hosts, tmp_path):
    *started, setting, command = hosts("start")
    assert started == ["127.0.0.1: started", "localhost: started"]
    assert hosts("start")[:2] == ["127.0.0.1: runs already", "localhost: runs already"]
    settings = dict(word.split("=") for word in setting.split()[1:])
    address = command.split()[-1]
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump(SWEEP))
    out = tmp_path / "out"
    words = ["-m", "neuroflame", "run", tmp_path / "sweep.yml", "--out", out, "--address", address]
    told = driver(*words, "--no-report", settings=settings)
    assert told == f"table   {out}\n"
    run_sweep(tmp_path / "sweep.yml", tmp_path / "whole", backend="inline")
    assert rows(out) == rows(tmp_path / "whole")
    commits = open_table(out).to_pandas(["point_id"], provenance=True)["provenance.commit"]
    assert set(commits) == {git_commit(ROOT / "neuroflame")}
    assert SweepStore.open(out).read_records("run")[0]["backend"] == "RayBackend"
    assert "does not see the sweep's directory" in driver("-c", LOOK, address, settings=settings)
    assert hosts("stop") == ["localhost: stopped", "127.0.0.1: stopped"]
    assert hosts("status") == ["127.0.0.1: does not run", "localhost: does not run"]
