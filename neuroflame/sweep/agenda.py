"""What is left to do: blocks of points, from the store and from the search, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.spec.search import Learning
from neuroflame.sweep.asks import ask_name, assignments_from, write_ask
from neuroflame.sweep.block import Block
from neuroflame.sweep.finished import Finished
from neuroflame.sweep.planner import known_block
from neuroflame.sweep.points import Array, Assignments, Points, size_of
from neuroflame.sweep.search import KnownSearch, make_search
from neuroflame.sweep.search.learner import Learner
from neuroflame.sweep.telling import telling_of
from neuroflame.sweep.tiles import Tile, TileQueue
from neuroflame.sweep.warm import warm_start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.store import SweepStore
    from neuroflame.sweep.tally import Tally


class Agenda:
    """The blocks of a sweep. The next is asked for when every point of one is done.

    A sweep whose points are known is one block. A search that learns gives a block for each batch: it is
    written into the store, run, told, and only then is the next asked for; what the store has of it already
    is told again.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    store : SweepStore
        Its directory. What is in it counts as done.
    tally : Tally
        Is told what was done before, and what the search is told.
    note : callable
        Is told in passing what a warm start holds.
    retry_failed : bool
        Whether points that failed before count as not done.
    """

    def __init__(
        self,
        spec: SweepSpec,
        store: SweepStore,
        tally: Tally,
        note: Callable[[str], None],
        *,
        retry_failed: bool,
    ) -> None:
        self._spec, self._store, self._tally = spec, store, tally
        self._search = make_search(spec)
        self._telling = telling_of(spec)
        self._on_disk = Finished(store, spec, retry_failed=retry_failed)
        tally.restore(self._on_disk)
        self._asks = {} if isinstance(self._search, KnownSearch) else store.read_asks()
        self._number = -1
        self._block: Block | None = None
        self._told: Array = np.empty(0)
        self._assignments: Assignments = {}
        self._replayed = False
        self._left = 0
        asked = spec.search
        if isinstance(self._search, Learner) and isinstance(asked, Learning) and asked.warm_start is not None:
            self._search.warm(*warm_start(spec, asked, store, note))
        self._advance()

    @property
    def done(self) -> bool:
        """Whether every point is done."""
        return self._block is None

    @property
    def block(self) -> Block:
        """The block that is being done; there is one unless all is done."""
        assert self._block is not None
        return self._block

    @property
    def waiting(self) -> int:
        """Points of the block that are in no tile yet."""
        return len(self._queue) if self._block is not None else 0

    def points(self, tile: Tile) -> Points:
        """Return the points of a tile of the block."""
        return self.block.points(tile.ranks)

    @property
    def first_waiting(self) -> Points:
        """The point that the next tile begins with."""
        return self.block.points(self._queue.first)

    def next(self, size: int) -> Tile:
        """Return the next tile, of at most so many points."""
        return self._queue.next(size)

    def complete(self, tile: Tile, told: Sequence[Any]) -> None:
        """Take note that a tile is done, and what the search is to be told of its points, if anything."""
        if len(told):
            self._told[tile.ranks] = np.array(told, dtype=self._told.dtype)
        self._left -= len(tile)
        if self._left == 0:
            self._advance()

    def _advance(self) -> None:
        """Tell the search of the block that is complete, and go to the next that is not."""
        while self._left == 0:
            if self._block is not None:
                self._tell_search(self._block)
            if self._tally.stopping.reason is not None:
                self._block = None
                return
            self._number += 1
            self._block = self._next_block()
            if self._block is None:
                self._tally.end()
                return
            pending, self._told = self._on_disk.look_up(self._block)
            self._left = int(pending.sum())
            self._tally.restore_points(len(self._block) - self._left)
            self._queue = TileQueue(self._block, self._number, pending, self._on_disk.attempt)

    def _next_block(self) -> Block | None:
        if isinstance(self._search, KnownSearch):
            return known_block(self._spec, self._search) if self._number == 0 else None
        data = self._asks.get(ask_name(self._number))
        self._replayed = data is not None
        if data is not None:
            self._assignments, first = assignments_from(self._spec, data)
            return Block(self._spec, self._assignments, first)
        first = self._search.asked
        self._assignments = self._search.ask(self._spec.points)
        if size_of(self._assignments) == 0:
            return None
        write_ask(self._spec, self._store, self._number, self._assignments, first)
        return Block(self._spec, self._assignments, first)

    def _tell_search(self, block: Block) -> None:
        if self._telling is None:
            return
        told = self._telling.by_trial(block.trial_of(np.arange(len(block))), self._told)
        if self._replayed:
            self._search.replay(self._assignments, told)
        else:
            self._search.tell(told)
        search = self._spec.search
        if isinstance(search, Learning):  # of labels none is best
            goals = len(search.goals)
            self._tally.stopping.told(told[:, :goals], np.all(told[:, goals:] <= 0, axis=1))
