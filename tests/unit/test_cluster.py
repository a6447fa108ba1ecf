"""The recipes for clusters, as far as they can be held to something without a cluster."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from neuroflame.spec.sweep import SweepSpec

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
SCRIPTS = ["hosts.sh", "slurm.sbatch"]


def bash(*arguments, **settings):
    words = ["bash", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, env={**os.environ, **settings}, check=False)


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name):
    tool = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if tool is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([tool, str(CLUSTER / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("# ours\nme@node1\n\nnode2  # the big one\n")
    return path


def test_hosts_dry_run_prints_a_command_for_each_host(hosts):
    done = bash(CLUSTER / "hosts.sh", "--dry-run", "start", hosts, NEUROFLAME_PORT="7000")
    assert done.returncode == 0, done.stderr
    first, second, setting, command = done.stdout.splitlines()
    assert first.startswith("ssh me@node1 ")
    assert "ray start --head --port 7000 --block" in first
    assert second.startswith("ssh node2 ")
    assert "ray start --address node1:7000 --block" in second
    assert setting.startswith("export RAY_AUTH_MODE=token")
    assert command.endswith("--address node1:7000")


def test_hosts_stop_ends_workers_before_the_head_and_only_our_own(hosts):
    done = bash(CLUSTER / "hosts.sh", "--dry-run", "stop", hosts)
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["node2", "me@node1"]
    assert "ray stop" not in done.stdout


@pytest.mark.parametrize("arguments", [[], ["start"], ["dance", "HOSTS"], ["start", "/no/such/file"]])
def test_hosts_bad_input(arguments, hosts):
    words = [str(hosts) if word == "HOSTS" else word for word in arguments]
    done = bash(CLUSTER / "hosts.sh", *words)
    assert done.returncode == 2
    assert done.stderr


def test_slurm_dry_run(tmp_path):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text("#!/bin/sh\necho n1\necho n2\n")
    scontrol.chmod(0o755)
    settings = {"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_ID": "70012", "SLURM_CPUS_PER_TASK": "8"}
    done = bash(
        CLUSTER / "slurm.sbatch",
        *("--dry-run", "a sweep.yml", "/shared/out", "--tile", "64"),
        **settings,
        PATH=f"{tmp_path}:{os.environ['PATH']}",
    )
    assert done.returncode == 0, done.stderr
    head, worker, sweep = done.stdout.splitlines()
    assert "--nodelist=n1 ray start --head --port=20012" in head
    assert "--nodelist=n2 ray start --address=n1:20012 --num-cpus=8" in worker
    assert sweep.strip() == (
        r"neuroflame-sweep run a\ sweep.yml --out /shared/out --address n1:20012 --tile 64"
    )


def test_slurm_needs_a_sweep_and_a_directory():
    assert bash(CLUSTER / "slurm.sbatch", "sweep.yml").returncode == 2


def test_ray_up_is_valid_to_ray():
    jsonschema = pytest.importorskip("jsonschema")
    ray = pytest.importorskip("ray")
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    config = yaml.safe_load((CLUSTER / "ray-up.yaml").read_text())
    jsonschema.validate(config, schema)
    assert config["head_node_type"] in config["available_node_types"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "max_worker": 1}, schema)


def test_kuberay_fields():
    secret, sweep, job = yaml.safe_load_all((CLUSTER / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert set(spec) <= {
        "entrypoint",
        "submissionMode",
        "backoffLimit",
        "shutdownAfterJobFinishes",
        "ttlSecondsAfterFinished",
        "rayClusterSpec",
    }
    cluster = spec["rayClusterSpec"]
    assert set(cluster) == {"rayVersion", "headGroupSpec", "workerGroupSpecs"}
    assert f"ray=={cluster['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    (workers,) = cluster["workerGroupSpecs"]
    assert set(workers) == {
        *("groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template")
    }
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    for group in (cluster["headGroupSpec"], workers):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        (container,) = group["template"]["spec"]["containers"]
        assert {"name", "image", "env", "resources"} <= set(container)
        reference = container["env"][1]["valueFrom"]["secretKeyRef"]
        assert reference["name"] == secret["metadata"]["name"]
        assert reference["key"] in secret["stringData"]
    mount = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]
    file = spec["entrypoint"].split()[2]
    assert file == f"{mount['mountPath']}/{next(iter(sweep['data']))}"


def test_the_sweep_of_the_kuberay_recipe_is_valid():
    _, sweep, _ = yaml.safe_load_all((CLUSTER / "kuberay.yaml").read_text())
    data = yaml.safe_load(sweep["data"]["sweep.yml"])
    assert SweepSpec.parse({**data, "network": ROOT / "conf" / data["network"]}).points == 400
