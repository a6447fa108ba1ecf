"""What the nodes of a cluster are sent, and whether they see the table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ray
from ray.util import placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import neuroflame
from neuroflame.errors import BackendError, StoreError
from neuroflame.sweep.provenance import COMMIT, source_commit

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_S = 120.0
_AGAIN_S = 30.0  # after which a node is looked at again: file systems may be mounted late


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


class Nodes:
    """The nodes of a cluster on which tiles may run: those that can run NeuroFlame and see the sweep's directory.

    A node that comes later is fenced off, by reserving all that it has, until it was found good. So no actor is
    put on one that is not.

    Parameters
    ----------
    uri : str
        The sweep's directory.
    tell : callable
        Is told of nodes that are not used, and why.
    """

    def __init__(self, uri: str, tell: Callable[[str], None]) -> None:
        self._uri, self._tell = uri, tell
        self._good: set[str] = set()
        self._new: dict[str, _NewNode] = {}

    def check(self) -> None:
        """Look at all nodes that there are.

        Raises
        ------
        BackendError
            If one of them cannot be used.
        """
        looks = [(node, _look_from(node, self._uri)) for node in _alive()]
        for node, look in looks:
            fault = _outcome(look, _LOOK_S)
            if fault is not None:
                raise BackendError(f"node {node['NodeManagerAddress']} {fault.text}", remedy=fault.remedy)
            self._good.add(node["NodeID"])

    def usable(self) -> list[dict[str, Any]]:
        """Return the nodes that may be used now; begin to look at new ones, without waiting for what is found."""
        nodes = {node["NodeID"]: node for node in _alive()}
        for gone in self._new.keys() - nodes.keys():
            self._new.pop(gone).release()
        for name, node in nodes.items():
            if name in self._good:
                continue
            if name not in self._new:
                self._new[name] = _NewNode(node, self._uri)
            new = self._new[name]
            if new.is_good(self._tell):
                self._good.add(name)
                self._new.pop(name).release()
        return [node for name, node in nodes.items() if name in self._good]

    def close(self) -> None:
        """Give back what is reserved."""
        for new in self._new.values():
            new.release()
        self._new.clear()


class _NewNode:
    """A node that came later: reserved, looked at, and if it is not good, looked at again after a while."""

    def __init__(self, node: dict[str, Any], uri: str) -> None:
        self._node, self._uri = node, uri
        had = {name: amount for name, amount in node["Resources"].items() if name in ("CPU", "GPU")}
        where = {"ray.io/node-id": node["NodeID"]}
        self._fence = placement_group([had], bundle_label_selector=[where]) if had else None
        self._told = False
        self._begin()

    def _begin(self) -> None:
        self._look, self._since = _look_from(self._node, self._uri), time.monotonic()

    def is_good(self, tell: Callable[[str], None]) -> bool:
        """Say whether it was found good; tell, once, why it was not."""
        waited = time.monotonic() - self._since
        ready, _ = ray.wait([self._look], timeout=0)
        if not ready and waited < _LOOK_S:
            return False
        fault = _outcome(self._look, 0.0)
        if fault is None:
            return True
        if not self._told:
            tell(f"node {self._node['NodeManagerAddress']} came and is not used: it {fault.text}")
            self._told = True
        if waited > _AGAIN_S:
            self._begin()
        return False

    def release(self) -> None:
        if self._fence is not None:
            remove_placement_group(self._fence)


class _Fault(NamedTuple):
    """Why a node cannot be used, and what to do about it."""

    text: str
    remedy: str


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node.get("Alive")]


def _look_from(node: dict[str, Any], uri: str) -> Any:
    """Begin to look at a sweep's directory from a node."""
    where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    return _look.options(scheduling_strategy=where).remote(uri)


def _outcome(look: Any, patience: float) -> _Fault | None:
    """Wait for what was found, and return it; None if all is well."""
    try:
        seen = ray.get(look, timeout=patience)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        return _Fault(f"cannot run NeuroFlame: {reason}", "install its dependencies there")
    if seen is None:
        return None
    return _Fault(
        f"does not see the sweep's directory: {seen}",
        "choose --out on a file system that all nodes share, or s3://… or gs://…",
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
