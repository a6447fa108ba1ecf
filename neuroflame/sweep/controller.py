"""Ask, plan, run, tell: what drives a sweep from its store to completion, whoever runs the tiles."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.errors import BackendError
from neuroflame.spec.search import Learning
from neuroflame.sweep.asks import ask_name, assignments_from, write_ask
from neuroflame.sweep.backend import Backend, Feed
from neuroflame.sweep.block import Block
from neuroflame.sweep.cost import CostModel
from neuroflame.sweep.evaluate import failed_rows
from neuroflame.sweep.finished import Finished
from neuroflame.sweep.planner import known_block
from neuroflame.sweep.points import Array, Assignments, size_of
from neuroflame.sweep.progress import Progress, Rate, Status
from neuroflame.sweep.search import KnownSearch, make_search
from neuroflame.sweep.search.learner import Learner
from neuroflame.sweep.signals import stopped_like_ctrl_c
from neuroflame.sweep.stopping import Stopping
from neuroflame.sweep.tiles import Tile, TileQueue, make_tile
from neuroflame.sweep.told import by_trial, told
from neuroflame.sweep.warm import warm_start
from neuroflame.sweep.worker import Job, TileResult, publish

if TYPE_CHECKING:
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.store import SweepStore

_LOST_IN_A_ROW = 8
_IDLE_ROUNDS = 3
_TELL_EVERY_S = 0.5


class Controller(Feed):
    """Hands out the tiles of what is planned and not yet on disk.

    A sweep whose points are known is one block of points. A search that learns gives a block for each batch:
    it is written into the store, run, told, and only then is the next asked for.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    store : SweepStore
        Its directory. What is in it counts as done.
    progress : Progress, optional
        Is told how far the sweep is.
    """

    def __init__(self, spec: SweepSpec, store: SweepStore, progress: Progress | None = None) -> None:
        self.spec, self.store, self.progress = spec, store, progress or Progress()
        self.search = make_search(spec)
        self.error: BaseException | None = None
        self._cost = CostModel(spec, actors=1)
        self._flying: dict[str, Tile] = {}
        self._again: deque[Tile] = deque()
        self._lost_in_a_row = 0
        self._total = spec.points
        self._done = self._failed = self._diverged = self._restored = 0
        self._stopping = Stopping(spec)
        self._rate, self._speed = Rate(), 0.0
        self._start = self._told = time.monotonic()
        self._restore()

    # What a backend sees

    @property
    def done(self) -> bool:
        """Whether no tile will be handed out any more and none is running."""
        over = self._block is None or self._stopping.reason is not None
        return self.error is not None or (over and not self._flying)

    def next(self) -> str | None:
        """Return the reference of a tile to run; None if there is none now."""
        if self.error is not None or self._queue is None or self._stopping.reason is not None:
            return None
        left = self._stopping.left(self._done + sum(len(tile) for tile in self._flying.values()))
        if left == 0:
            return None
        if self._again:
            tile = self._again.popleft()
        elif len(self._queue):
            tile = self._queue.next(int(min(left, self._cost.size(len(self._queue)))))
        else:
            return None
        self._flying[tile.id] = tile
        return tile.ref

    def finished(self, result: TileResult) -> None:
        """Take note of a tile whose rows are in the store."""
        tile = self._flying.pop(result.id, None)
        if tile is None:
            return
        self._lost_in_a_row = 0
        self._cost.observe(result.points, result.seconds, first=result.first)
        if result.pieces > 1 and not result.failed:  # halves went through where the whole did not: memory
            self._cost.shrink(result.points)
        if result.told:
            self._told_of[tile.ranks] = result.told
        self._count(tile, result.failed, result.diverged)

    def lost(self, ref: str, reason: str) -> None:
        """Take note of a tile whose workers died: its halves are tried; a point alone has failed."""
        tile = self._flying.pop(ref.partition(":")[0], None)
        if tile is None or self._block is None:
            return
        self._lost_in_a_row += 1
        if self._lost_in_a_row > _LOST_IN_A_ROW:
            self.abort(
                BackendError(f"workers keep dying: {reason}", remedy="resume when the cause is mended")
            )
        elif len(tile) > 1:
            for ranks in np.array_split(tile.ranks, 2):
                self._again.append(make_tile(self._block, tile.block, ranks))
        else:
            rows = failed_rows(self.spec, self._block.points(tile.ranks), f"its worker died: {reason}")
            publish(self.store, tile.id, rows, math.nan)
            if isinstance(self.spec.search, Learning):
                self._told_of[tile.ranks] = told(self.spec.search, rows.data)
            self._count(tile, failed=1, diverged=0)

    def abort(self, error: BaseException) -> None:
        """Take note of an error that ends the sweep."""
        self.error = self.error or error

    def tick(self) -> None:
        """Tell how far the sweep is."""
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
        """
        if self.done:
            return self.status()
        with backend:
            resources = backend.open()
            self._cost = CostModel(self.spec, resources.actors, cuda=resources.cuda)
            self.progress.note(f"running on {resources.about}")
            self._start = time.monotonic()
            self._rate.start(self._done)
            self.progress.start(self.status())
            try:
                with stopped_like_ctrl_c():
                    self._rounds(backend, job)
            finally:
                self.progress.stop()
        return self.status()

    def _rounds(self, backend: Backend, job: Job) -> None:
        idle = 0
        while not self.done:
            before = self._done
            backend.run(job, self)
            if self.error is None and not self.done:  # what backends promise is checked, not believed
                self._again.extend(self._flying.values())
                self._flying.clear()
                idle = 0 if self._done > before else idle + 1
                if idle >= _IDLE_ROUNDS:
                    self.abort(
                        BackendError("the workers stopped before the sweep was complete", remedy="resume it")
                    )
        if self.error is not None:
            raise self.error

    def status(self) -> Status:
        """Return how far the sweep is."""
        return Status(
            total=self._total,
            done=self._done,
            failed=self._failed,
            diverged=self._diverged,
            restored=self._restored,
            rate=self._speed,
            elapsed=time.monotonic() - self._start,
            best=None if math.isnan(self._stopping.best) else self._stopping.best,
            stopped=self._stopping.reason,
        )

    def _tell(self) -> None:
        self._told = time.monotonic()
        self.progress.update(self.status())

    def _count(self, tile: Tile, failed: int, diverged: int) -> None:
        self._done += len(tile)
        self._failed += failed
        self._diverged += diverged
        self._speed = self._rate.update(self._done)
        self._left -= len(tile)
        self._stopping.done(self._done, time.monotonic() - self._start)
        if self._left == 0:
            self._advance()
        self._tell()

    # Blocks: from the store, from the asks in it, from the search

    def _restore(self) -> None:
        self._on_disk = Finished(self.store, self.spec)
        self._failed, self._diverged = self._on_disk.failed, self._on_disk.diverged
        self._asks = {} if isinstance(self.search, KnownSearch) else self.store.read_asks()
        self._number = -1
        self._block: Block | None = None
        self._queue: TileQueue | None = None
        self._told_of: Array = np.empty(0)
        self._assignments: Assignments = {}
        self._replayed = False
        self._left = 0
        asked = self.spec.search
        if isinstance(self.search, Learner) and isinstance(asked, Learning) and asked.warm_start is not None:
            self.search.warm(*warm_start(self.spec, asked, self.store, self.progress.note))
        self._advance()
        self._stopping.done(self._done, 0.0)

    def _advance(self) -> None:
        """Tell the search of the block that is complete, and go to the next that is not."""
        while self._left == 0:
            if self._block is not None:
                self._tell_search(self._block)
            if self._stopping.reason is not None:
                return
            self._number += 1
            self._block, self._queue = self._next_block(), None
            if self._block is None:
                return
            pending, self._told_of = self._on_disk.look_up(self._block)
            self._left = int(pending.sum())
            self._restored += len(self._block) - self._left
            self._done += len(self._block) - self._left
            self._queue = TileQueue(self._block, self._number, pending)

    def _next_block(self) -> Block | None:
        if isinstance(self.search, KnownSearch):
            return known_block(self.spec, self.search) if self._number == 0 else None
        data = self._asks.get(ask_name(self._number))
        self._replayed = data is not None
        if data is not None:
            self._assignments, first = assignments_from(self.spec, data)
            return Block(self.spec, self._assignments, first)
        first = self.search.asked
        self._assignments = self.search.ask(self._total)
        if size_of(self._assignments) == 0:
            return None
        write_ask(self.spec, self.store, self._number, self._assignments, first)
        return Block(self.spec, self._assignments, first)

    def _tell_search(self, block: Block) -> None:
        if not self.search.needs_results:
            return
        goals = len(getattr(self.spec.search, "goals", ()))
        found = by_trial(block.trial_of(np.arange(len(block))), self._told_of, goals)
        if self._replayed:
            self.search.replay(self._assignments, found)
        else:
            self.search.tell(found)
        self._stopping.told(found[:, :goals], (found[:, goals:] <= 0).all(axis=1))
