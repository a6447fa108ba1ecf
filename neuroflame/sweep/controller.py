"""What drives a sweep from its store to completion, whoever runs the tiles."""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from neuroflame.errors import BackendError, StoreError
from neuroflame.sweep.agenda import Agenda
from neuroflame.sweep.backend import Backend, Feed, Resources
from neuroflame.sweep.cost import CostModel, GroupCost
from neuroflame.sweep.evaluate import failed_rows
from neuroflame.sweep.flights import Flights
from neuroflame.sweep.progress import Progress, Status
from neuroflame.sweep.signals import stopped_like_ctrl_c
from neuroflame.sweep.stopping import Stopping
from neuroflame.sweep.tally import Tally
from neuroflame.sweep.telling import telling_of
from neuroflame.sweep.worker import Job, TileResult, publish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.store import Hold, SweepStore
    from neuroflame.sweep.tiles import Tile

_LOST_IN_A_ROW = 12
_IDLE_ROUNDS = 3
_TELL_EVERY_S = 0.5


class Controller(Feed):
    """Hands out the tiles of what is planned and not yet on disk.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    store : SweepStore
        Its directory. What is in it counts as done.
    progress : Progress, optional
        Is told how far the sweep is.
    hold : Hold, optional
        The claim on the directory: told how far the sweep is, and asked whether it still is ours.
    retry_failed : bool
        Whether points that failed before are run again.
    """

    def __init__(
        self,
        spec: SweepSpec,
        store: SweepStore,
        progress: Progress | None = None,
        *,
        hold: Hold | None = None,
        retry_failed: bool = False,
    ) -> None:
        self.spec, self.store, self.progress = spec, store, progress or Progress()
        self.error: BaseException | None = None
        self._hold = hold
        self._cost = CostModel(spec, actors=1)
        self._flights = Flights(spec.compute.retries)
        self._again: deque[Tile] = deque()
        self._lost_in_a_row = 0
        self._tally = Tally(spec.points, Stopping(spec))
        self._told = time.monotonic()
        self._resources = Resources(actors=1, cuda=False, about="")
        self._agenda = Agenda(spec, store, self._tally, self.progress.note, retry_failed=retry_failed)

    # What a backend sees

    @property
    def done(self) -> bool:
        """Whether no tile will be handed out any more and none is running."""
        over = self._agenda.done or self._tally.stopping.reason is not None
        return self.error is not None or (over and not self._flights)

    def next(self) -> str | None:
        """Return the reference of a tile to run; None if there is none now."""
        stopping = self._tally.stopping
        if self.error is not None or stopping.reason is not None:
            return None
        left = stopping.left(self._tally.done + self._flights.points)
        if left == 0:
            return None
        if self._again:
            tile = self._again.popleft()
        elif self._agenda.waiting:
            size = self._size(int(min(left, self._agenda.waiting)))
            if size == 0:
                return None
            tile = self._agenda.next(size)
        else:
            return None
        group = self._group(tile)
        self._flights.depart(tile, self._cost.deadline(len(tile), group), group.weight)
        return tile.ref

    def _size(self, pending: int) -> int:
        group = self._cost.group_of(self._agenda.first_waiting)
        free = self._flights.free(self._cost.actors)
        return min(pending, self._cost.size(pending, group, free=free, busy=self._flights.busy))

    def began(self, ref: str, worker: str) -> None:
        """Take note that a worker has begun with a tile."""
        self._flights.begin(_identity(ref), worker)

    def slowness(self, worker: str) -> float:
        """Return the seconds that a worker takes for a point, about."""
        return self._cost.slowness(worker)

    def overdue(self) -> list[str]:
        """Return the references of tiles that have taken too long."""
        return [tile.ref for tile in self._flights.overdue()]

    def finished(self, result: TileResult) -> None:
        """Take note of a tile whose rows are in the store."""
        landed = self._flights.land(result.id)
        if landed is None:
            return
        tile, worker = landed
        self._lost_in_a_row = 0
        group = self._group(tile)
        self._cost.observe(result.points, result.seconds, worker=worker, group=group, first=result.first)
        if result.too_many:
            self._cost.shrink(result.too_many, group)
        with self._aborting():
            self._count(tile, result)

    def lost(self, ref: str, reason: str) -> None:
        """Take note of a tile whose worker died: it is tried again, then its halves; a point alone has failed."""
        if self._agenda.done:
            return
        crash = self._flights.crash(_identity(ref), reason, self._agenda.block)
        if crash is None:
            return
        tile, again, why, worker = crash
        if worker is not None:
            self._cost.forget(worker)
        self.progress.event(
            "lost", {"tile": tile.id, "points": len(tile), "reason": why, "tried_again": bool(again)}
        )
        self._lost_in_a_row += 1
        if self._lost_in_a_row > (_LOST_IN_A_ROW + self._resources.actors) * (1 + self.spec.compute.retries):
            self.abort(BackendError(f"workers keep dying: {why}", remedy="resume when the cause is mended"))
        elif again:
            self._again.extend(again)
        else:
            with self._aborting():
                self._give_up(tile, why)

    @contextmanager
    def _aborting(self) -> Iterator[None]:
        """End the sweep at an error: raised into Tune, it would count as one of the trial's."""
        try:
            yield
        except Exception as error:
            self.abort(error)

    def _give_up(self, tile: Tile, why: str) -> None:
        rows = failed_rows(self.spec, self._agenda.points(tile), why)
        if publish(self.store, tile, rows, math.nan):
            telling = telling_of(self.spec)
            found = telling.of_rows(rows.data).tolist() if telling else []
            causes = ((why, len(tile)),)
            self._count(tile, TileResult(tile.id, len(tile), len(tile), 0, 0.0, told=found, causes=causes))
        else:  # it was as good as done when its worker was ended
            self._count(tile, TileResult(tile.id, len(tile), 0, 0, 0.0))

    def abort(self, error: BaseException) -> None:
        """Take note of an error that ends the sweep."""
        self.error = self.error or error

    def resized(self, actors: int) -> None:
        """Take note that another number of tiles can run at once."""
        if actors != self._resources.actors:
            self.progress.note(f"{actors} actors now")
            self._resources = replace(self._resources, actors=actors)
            self._cost.actors = max(1, actors)

    def note(self, text: str) -> None:
        """Tell the user something in passing."""
        self.progress.note(text)

    def tick(self) -> None:
        """Tell how far the sweep is, and stop if another process has taken it over."""
        try:
            if self._hold is not None:
                self._hold.check()
        except StoreError as error:
            self.abort(error)
        if time.monotonic() - self._told > _TELL_EVERY_S:
            self._tell()

    # What drives it

    def run(self, backend: Backend, job: Job) -> Status:
        """Run what is not on disk yet.

        Parameters
        ----------
        backend : Backend
            What runs tiles; it is opened here, and closed whatever happens.
        job : Job
            What workers are told.

        Raises
        ------
        BackendError
            If the machines cannot be had, or workers keep dying.
        StoreError
            If results cannot be written, or another process has taken the directory over.
        """
        if self.done:
            return self.status()
        with stopped_like_ctrl_c(), backend:
            self._resources = resources = backend.open()
            self._cost = CostModel(self.spec, resources.actors, cuda=resources.cuda)
            self.progress.note(f"running on {resources.about}")
            if resources.dashboard:
                self.progress.note(f"dashboard {resources.dashboard}")
            self._tally.start()
            self.progress.event("started", self._about())
            self.progress.start(self._status_told())
            try:
                self._rounds(backend, job)
            finally:
                self.progress.stop()
        return self.status()

    def _about(self) -> dict[str, Any]:
        return {
            "table": self.store.uri,
            "sweep": self.spec.name,
            "actors": self._resources.actors,
            "backend": self._resources.about,
            "dashboard": self._resources.dashboard,
            **self.status().to_dict(),
        }

    def _rounds(self, backend: Backend, job: Job) -> None:
        idle = 0
        while not self.done:
            before = self._tally.done
            backend.run(job, self)
            if self.error is None and not self.done:  # what backends promise is checked, not believed
                self._again.extend(self._flights.recall())
                idle = 0 if self._tally.done > before else idle + 1
                if idle >= _IDLE_ROUNDS:
                    self.abort(
                        BackendError("the workers stopped before the sweep was complete", remedy="resume it")
                    )
        if self.error is not None:
            raise self.error

    def status(self) -> Status:
        """Return how far the sweep is."""
        return self._tally.status()

    def _tell(self) -> None:
        self._told = time.monotonic()
        self.progress.update(self._status_told())

    def _status_told(self) -> Status:
        """Return how far the sweep is, which other shells may see from now on."""
        status = self.status()
        if self._hold is not None:
            self._hold.tell({**status.to_dict(), "dashboard": self._resources.dashboard})
        return status

    def _group(self, tile: Tile) -> GroupCost:
        return self._cost.group_of(self._agenda.block.points(tile.ranks[:1]))

    def _count(self, tile: Tile, result: TileResult) -> None:
        self._tally.add(len(tile), failed=result.failed, diverged=result.diverged, gpu=result.gpu)
        about = {key: value for key, value in asdict(result).items() if key not in ("id", "told", "causes")}
        self.progress.event("tile", {"tile": tile.id, **about, "done": self._tally.done})
        for cause, points in result.causes:
            new = self._tally.add_cause(cause, points)
            self.progress.event("failure", {"tile": tile.id, "cause": cause, "points": points, "new": new})
        self._agenda.complete(tile, result.told)
        self._tell()


def _identity(ref: str) -> str:
    return ref.partition(":")[0]
