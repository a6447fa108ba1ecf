"""Starting and resuming sweeps."""

from __future__ import annotations

import os
import platform
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neuroflame
from neuroflame.errors import Interrupted, SpecError, StoreError
from neuroflame.spec.overrides import load_sweep, override
from neuroflame.spec.starts import SuppliedStart
from neuroflame.spec.sweep import SweepSpec
from neuroflame.store import HeldElsewhere, Hold, SweepStore, Table, open_table
from neuroflame.sweep.backend import Backend
from neuroflame.sweep.controller import Controller
from neuroflame.sweep.executing import check_executor
from neuroflame.sweep.manifest import check_same, make_manifest, spec_of
from neuroflame.sweep.progress import Progress, Status
from neuroflame.sweep.worker import MEASURE, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neuroflame.spec.compute import Compute


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Parameters
    ----------
    uri : str
        Where the table is.
    status : Status
        How far the sweep is.
    resumed : bool
        Whether the directory held the sweep before.
    """

    uri: str
    status: Status
    resumed: bool


def run_sweep(
    sweep: str | os.PathLike[str] | SweepSpec | Mapping[str, Any],
    out: str | os.PathLike[str] | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    backend: str | Backend | None = None,
    address: str | None = None,
    progress: Progress | None = None,
    measure: str = MEASURE,
) -> Table:
    """Run a sweep, or what is left of it, and return its table.

    Parameters
    ----------
    sweep : path, SweepSpec or mapping
        A sweep file, or what it would hold.
    out : path or URI, optional
        The sweep's directory; by default ``runs/<name>``. If it holds the same sweep, that is resumed.
    overrides : mapping, optional
        Values to change by dotted path: of the network (``J.EE``) or of the sweep (``search.trials``).
    backend : {"ray", "inline"} or Backend, optional
        What runs it; by default as the sweep says.
    address : str, optional
        A running Ray cluster.
    progress : Progress, optional
        Is told how far the sweep is.
    measure : str
        Module and name of what simulates points, called like `neuroflame.core.measure.measure_points`.

    Returns
    -------
    Table
        As `neuroflame.open_table` gives it.

    Raises
    ------
    SpecError
        If the sweep is wrong.
    StoreError
        If the directory cannot be written, or holds another sweep.
    BackendError
        If the machines cannot be had.

    Examples
    --------
    >>> import neuroflame
    >>> table = neuroflame.run_sweep("sweeps/ring_attractor.yml", "runs/ring")  # doctest: +SKIP
    >>> table.to_pandas()[["point.J.EE", "bump.E.m1"]]  # doctest: +SKIP
    """
    spec = read_sweep(sweep, overrides)
    where = os.fspath(out) if out is not None else default_directory(spec)
    outcome = start(spec, where, backend=backend, address=address, progress=progress, measure=measure)
    return open_table(outcome.uri)


def read_sweep(
    sweep: str | os.PathLike[str] | SweepSpec | Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> SweepSpec:
    """Return a sweep from its file, its contents or itself, with values changed."""
    if isinstance(sweep, str | os.PathLike):
        return load_sweep(os.fspath(sweep), overrides)
    if isinstance(sweep, SweepSpec) and not overrides:
        return sweep
    data = sweep.to_dict() if isinstance(sweep, SweepSpec) else dict(sweep)
    return SweepSpec.parse(override(data, overrides or {}))


def default_directory(spec: SweepSpec) -> str:
    """Return the directory of a sweep that is given none."""
    return str(Path("runs") / spec.name)


def start(
    spec: SweepSpec,
    out: str,
    *,
    backend: str | Backend | None = None,
    address: str | None = None,
    progress: Progress | None = None,
    measure: str = MEASURE,
    takeover: bool = False,
    retry_failed: bool = False,
    opened: Callable[[SweepStore], None] = lambda _: None,
) -> Outcome:
    """Run a sweep in a directory; if the directory holds the same sweep, go on with it.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    out : str
        Its directory.
    backend, address, progress, measure
        As for `run_sweep`.
    takeover : bool
        If another process runs the sweep of this directory, tell it to stop and wait until it has.
    retry_failed : bool
        Run points again that failed before. Their old rows stay in the fragments; the table shows the new.
    opened : callable
        Is told the directory's store before anything runs.

    Raises
    ------
    StoreError
        If the directory holds another sweep, naming the first difference; if another process runs it.
    Interrupted
        If the user stopped it.
    """
    machine = make_backend(spec.compute, backend, address)
    machine.check()
    spec.network.check_files()
    check_executor(spec)
    store, resumed = _open(spec, out)
    opened(store)
    _keep_states(spec, store)
    tell = progress or Progress()
    if resumed:
        tell.note(f"{out} holds this sweep: going on with it")
    with ExitStack() as at_end:
        hold: Hold | None = None
        unwritable: StoreError | None = None
        try:
            hold = store.hold(force=takeover, tell=tell.note)
            at_end.callback(hold.release)
        except HeldElsewhere:
            raise
        except StoreError as error:  # which does not matter where nothing is left to do
            unwritable = error
        controller = Controller(spec, store, tell, hold=hold, retry_failed=retry_failed)
        if controller.done:
            tell.event("finished", {"table": store.uri, **controller.status().to_dict()})
            return Outcome(store.uri, controller.status(), resumed)
        if unwritable is not None:
            raise unwritable
        job = Job(
            spec.to_dict(),
            store.uri,
            threads=_threads(spec, machine),
            device=spec.compute.device,
            measure=measure,
        )
        return Outcome(store.uri, _run(controller, machine, job, out), resumed)


def _run(controller: Controller, machine: Backend, job: Job, out: str) -> Status:
    """Drive the controller, and write down and tell how it ended."""
    _record(controller, "start", backend=type(machine).__name__)
    try:
        status = controller.run(machine, job)
    except KeyboardInterrupt:
        _end(controller, "interrupted")
        status = controller.status()
        raise Interrupted(
            f"stopped with {status.done:,} of {status.total:,} points done",
            remedy=f"go on with: neuroflame-sweep resume {out}",
        ) from None
    except Exception as error:
        _end(controller, "error", text=str(error) or type(error).__name__)
        raise
    _end(controller, "finished", **({"why": status.stopped} if status.stopped else {}))
    return status


def _name(event: str, more: Mapping[str, Any]) -> str:
    """Return how a record calls the end of a run."""
    return ("stopped" if "why" in more else "complete") if event == "finished" else event


def _end(controller: Controller, event: str, **more: Any) -> None:
    with suppress(StoreError):  # the disk may be full, and why the sweep ended is told anyway
        _record(controller, _name(event, more), **more)
    about = {"table": controller.store.uri, **more, **controller.status().to_dict()}
    controller.progress.event(event, about)


def resume(
    out: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    backend: str | Backend | None = None,
    address: str | None = None,
    progress: Progress | None = None,
    measure: str = MEASURE,
    takeover: bool = False,
    retry_failed: bool = False,
) -> Outcome:
    """Go on with the sweep of a directory; overrides may change where, how and how long.

    For example ``{"compute.actors": 4, "stop.points": 5000}``.
    """
    spec = spec_of(SweepStore.open(out).manifest, file=out)
    if overrides:
        spec = SweepSpec.parse(override(spec.to_dict(), overrides))
    return start(
        spec,
        out,
        backend=backend,
        address=address,
        progress=progress,
        measure=measure,
        takeover=takeover,
        retry_failed=retry_failed,
    )


def make_backend(compute: Compute, backend: str | Backend | None, address: str | None = None) -> Backend:
    """Return the backend of a name; by default as the sweep says, and Ray if an address is given."""
    if isinstance(backend, Backend):
        return backend
    name = backend or ("ray" if address else compute.backend)
    if name == "inline":
        from neuroflame.sweep.inline import InlineBackend

        return InlineBackend()
    from neuroflame.sweep.ray_backend import RayBackend

    return RayBackend(compute, address)


def _open(spec: SweepSpec, out: str) -> tuple[SweepStore, bool]:
    """Return the store of a sweep, and whether it was there."""
    try:
        store = SweepStore.open(out)
    except StoreError:
        try:
            return SweepStore.create(out, make_manifest(spec)), False
        except StoreError as error:
            try:  # somebody made it a moment ago
                store = SweepStore.open(out)
            except StoreError:
                raise error from None
    check_same(spec, store.manifest, file=out)
    return store, True


def _keep_states(spec: SweepSpec, store: SweepStore) -> None:
    """Copy the states that points start from into the sweep's directory, where they are not there."""
    for name, start in spec.repeat.starts.items():
        if isinstance(start, SuppliedStart) and store.kept_input(str(start.content)) is None:
            try:
                store.keep_input(str(start.content), start.read().to_bytes())
            except SpecError as error:
                error.path = f"repeat.starts.{name}.file"
                raise


def _threads(spec: SweepSpec, backend: Backend) -> int | None:
    """Return the threads of a worker; None where it shares the user's process and leaves them alone."""
    from neuroflame.sweep.inline import InlineBackend

    return None if isinstance(backend, InlineBackend) else max(1, int(spec.compute.cpus_per_actor))


def _record(controller: Controller, event: str, **more: Any) -> None:
    status = controller.status()
    controller.store.append_record(
        "run",
        {
            "event": event,
            "done": status.done,
            "failed": status.failed,
            "seconds": round(status.elapsed, 3),
            "version": neuroflame.__version__,
            "host": platform.node(),
            "process": os.getpid(),
            **more,
        },
    )
