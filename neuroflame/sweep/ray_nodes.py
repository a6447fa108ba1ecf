"""What the nodes of a cluster are sent, and whether they see the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import neuroflame
from neuroflame.errors import BackendError, StoreError
from neuroflame.sweep.provenance import COMMIT, source_commit

_LOOK_S = 120.0


def runtime_env() -> dict[str, Any]:
    """Return the environment of workers on a cluster: this package as it is here, and its commit.

    The package is sent once (Ray keeps it by its hash) and goes before what a node has installed, so that all
    workers run the driver's code. The libraries that it needs must be on the nodes.
    """
    commit = source_commit()
    return {
        "py_modules": [str(Path(neuroflame.__file__).parent)],
        "excludes": ["__pycache__", "*.pyc"],
        "env_vars": {COMMIT: commit} if commit else {},
    }


def check_seen(uri: str) -> None:
    """Raise BackendError unless every node sees the sweep's directory."""
    nodes = [node for node in ray.nodes() if node.get("Alive")]
    looks = []
    for node in nodes:
        where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        looks.append(_look.options(scheduling_strategy=where).remote(uri))
    for node, look in zip(nodes, looks, strict=True):
        try:
            seen = ray.get(look, timeout=_LOOK_S)
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise BackendError(
                f"node {node['NodeManagerAddress']} cannot run NeuroFlame: {reason}",
                remedy="install its dependencies there",
            ) from error
        if seen is not None:
            raise BackendError(
                f"node {node['NodeManagerAddress']} does not see the sweep's directory: {seen}",
                remedy="choose --out on a file system that all nodes share, or s3://… or gs://…",
            )


@ray.remote(num_cpus=0, max_retries=0)
def _look(uri: str) -> str | None:
    """Return why a sweep's directory cannot be used from where this runs, None if it can."""
    from neuroflame.store import SweepStore

    try:
        SweepStore.open(uri)
    except StoreError as error:
        return str(error)
    return None
