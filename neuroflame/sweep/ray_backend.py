"""The backend on Ray: one Tune trial a tile, actors that live on.

With `ray_tune` and `ray_nodes` the only import of ray.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import tempfile
from typing import TYPE_CHECKING, Any

from neuroflame.errors import BackendError
from neuroflame.sweep.backend import Backend, Feed, Resources
from neuroflame.sweep.signals import started_deaf
from neuroflame.sweep.watchdog import VARIABLE, Watchdog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.spec.compute import Compute
    from neuroflame.sweep.ray_nodes import Nodes
    from neuroflame.sweep.worker import Job

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "600",
}
_OBJECTS = 200 * 2**20
_CONNECT_S = 5.0
_LONGEST_FOLDER = 40  # Ray adds some 60 characters, a socket's path may have 107


class RayBackend(Backend):
    """Runs tiles on Ray actors.

    Parameters
    ----------
    compute : Compute
        How many actors, and what each is given.
    address : str, optional
        A running cluster: ``auto`` or HOST:PORT. Without one, a Ray of its own is started on this machine and
        shut down at the end.
    """

    def __init__(self, compute: Compute, address: str | None = None) -> None:
        self._compute, self._address = compute, address
        self._environment: dict[str, str | None] = {}
        self._scratch: str | None = None
        self._started = False
        self._bundle: dict[str, float] = {}
        self._watchdog: Watchdog | None = None
        self._dashboard: str | None = None
        self._nodes: Nodes | None = None

    def check(self) -> None:
        """Raise BackendError where nobody answers at the address: Ray would try for a minute."""
        if self._address is not None:
            _check_reachable(self._address)

    def open(self) -> Resources:
        """Take hold of the machines."""
        local = self._address is None
        session = secrets.token_hex(16)
        self._set_environment({**_QUIET, **({VARIABLE: session, **_own_token()} if local else {})})
        logging.getLogger("ray").setLevel(logging.ERROR)
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # trials that fail are tried again, or told
        self._scratch = tempfile.mkdtemp(prefix="nf-")
        if local:
            with started_deaf():
                self._watchdog = Watchdog(session, self._scratch)
        self._connect()
        return self._shared_out()

    def run(self, job: Job, feed: Feed) -> None:
        """Hand the feed's tiles to actors until it is done, or no actor is left."""
        from neuroflame.sweep.ray_nodes import Nodes
        from neuroflame.sweep.ray_tune import run_tune

        assert self._scratch is not None
        if self._address is not None:
            self._nodes = Nodes(job.uri, feed.note)
            self._nodes.check()
        try:
            run_tune(job, feed, bundle=self._bundle, count=self._count, scratch=self._scratch)
        finally:
            if self._nodes is not None:
                self._nodes.close()
                self._nodes = None

    def close(self) -> None:
        """Let go of the machines: a Ray of our own is stopped, a cluster's is left."""
        if self._started:
            import ray

            ray.shutdown()
            self._started = False
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if self._environment:
            _forget_token()
        self._environment = {}

    def _set_environment(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            self._environment.setdefault(name, os.environ.get(name))
            os.environ[name] = value
        _forget_token()

    def _connect(self) -> None:
        import ray

        if ray.is_initialized():
            raise BackendError("Ray is in use in this process already", remedy="call ray.shutdown() first")
        options: dict[str, Any] = {
            "logging_level": "ERROR",
            "log_to_driver": False,
        }
        if self._address is None:
            own = {"address": "local", "num_cpus": os.cpu_count(), "object_store_memory": _OBJECTS}
            options.update(own, include_dashboard=False, **self._own_folder())
        else:
            from neuroflame.sweep.ray_nodes import runtime_env

            options.update(address=self._address, runtime_env=runtime_env())
        try:
            with started_deaf():
                made = ray.init(**options)
        except Exception as error:
            where = (
                "a local Ray cannot be started" if self._address is None else "cannot join the Ray cluster"
            )
            remedy = "try --backend inline" if self._address is None else "check --address, and RAY_AUTH_MODE"
            raise BackendError(f"{where}: {_first_line(error)}", got=self._address, remedy=remedy) from error
        self._started = True
        dashboard = getattr(made, "dashboard_url", None)
        self._dashboard = f"http://{dashboard}" if dashboard else None

    def _own_folder(self) -> dict[str, str]:
        """Return where a Ray of our own puts its sockets and logs; its default if the path is too long."""
        folder = os.path.join(self._scratch or "", "ray")
        return {"_temp_dir": folder} if len(folder) <= _LONGEST_FOLDER else {}

    def _shared_out(self) -> Resources:
        """Divide the cluster among actors."""
        import ray

        compute, have = self._compute, ray.cluster_resources()
        cores, gpus = have.get("CPU", 0.0), have.get("GPU", 0.0)
        share = compute.gpus_per_actor
        if compute.device == "cpu" or (share == "auto" and not gpus):
            wanted = 0.0
        else:
            wanted = 1.0 if share == "auto" else float(share)
        if wanted > gpus or (compute.device == "cuda" and not gpus):
            raise BackendError(
                f"there are {gpus:g} GPUs, an actor needs {max(wanted, 1e-3):g}", remedy="use device: cpu"
            )
        if compute.cpus_per_actor > cores:
            raise BackendError(
                f"there are {cores:g} cores, an actor needs {compute.cpus_per_actor:g}",
                remedy="lower cpus_per_actor",
            )
        self._bundle = {"CPU": compute.cpus_per_actor, **({"GPU": wanted} if wanted else {})}
        actors = self._count()
        if not actors:
            raise BackendError(
                "no machine has what an actor needs", got=self._bundle, remedy="lower cpus_per_actor"
            )
        nodes = sum(1 for node in ray.nodes() if node.get("Alive"))
        where = "a local Ray" if self._address is None else f"the Ray cluster of {nodes} nodes"
        kind = f"{wanted:g} GPU" if wanted else f"{compute.cpus_per_actor:g} core"
        return Resources(
            actors, bool(wanted), f"{where}: {actors} actors of {kind} each", dashboard=self._dashboard
        )

    def _count(self) -> int:
        """Return how many actors fit on the machines that there are now, each on one of them."""
        import ray

        nodes = ray.nodes() if self._nodes is None else self._nodes.usable()
        machines = [node["Resources"] for node in nodes if node.get("Alive")]
        fit = sum(min(_times(have, *need) for need in self._bundle.items()) for have in machines)
        return fit if self._compute.actors == "auto" else min(int(self._compute.actors), fit)


def _times(have: Mapping[str, float], name: str, share: float) -> int:
    """Return how often a share of a resource is there; one of a GPU does not reach across two."""
    amount = have.get(name, 0.0)
    if name == "GPU" and share < 1:
        return int(amount) * int(1 / share + 1e-9)
    return int(amount / share + 1e-9)


def _own_token() -> dict[str, str]:
    """Return the settings of a Ray that only this process and its children may talk to."""
    if os.environ.get("RAY_AUTH_MODE") is not None:
        return {}
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _forget_token() -> None:
    """Let Ray look at the environment again: it keeps the token and the mode that it has seen."""
    try:
        from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]
    except ImportError:  # a version without tokens
        return
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _check_reachable(address: str) -> None:
    """Raise BackendError unless something listens at an address."""
    if address == "auto":
        return
    if "://" in address:
        raise BackendError(
            "must be auto or HOST:PORT", got=address, remedy="run the command on a node of the cluster"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise BackendError(
            "must be auto or HOST:PORT", got=address, remedy="for example --address 10.0.0.1:6379"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise BackendError(
            f"no Ray cluster answers: {reason}", got=address, remedy="check --address; ray status tells it"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
